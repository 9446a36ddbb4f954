"""PUT, PATCH and DELETE of a machine.

The answer to an accepted write is 200 with the new values and ``Updating`` at once (recorded: 771 of 771 updates);
the clock ends the operation. Where nothing has to reach the host the answer carries no ``Azure-AsyncOperation`` and
the next GET says Succeeded.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from arm_emulator.protocol.http import ArmError, Request, Response
from arm_emulator.protocol.operations import Operation
from arm_emulator.providers.compute import guards, patch_settings
from arm_emulator.providers.compute.defaults import completed, created, filled, with_application_manager
from arm_emulator.providers.compute.errors import precondition_failed
from arm_emulator.providers.compute.identity import GuidSource
from arm_emulator.providers.compute.instance_view import known_power
from arm_emulator.providers.compute.members import Json, is_at_least
from arm_emulator.providers.compute.merge import MergeRules, merged, without_empty
from arm_emulator.providers.compute.reads import (
    etag_header,
    find_machine,
    machine_id,
    require_machine,
    shown,
)
from arm_emulator.providers.compute.rendering import rendered
from arm_emulator.providers.compute.views import CONDITIONS_SINCE, quoted
from arm_emulator.providers.resource_graph.changes import Changes
from arm_emulator.state import Stored

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

CREATE_RETRY_AFTER = 10
"""Seconds; recorded with 94 % of creates, and with every delete and power action of a complete recorder."""
TAGS_ALONE_SINCE = "2022-08-01"
"""From this api-version a PUT that changes tags alone is recorded without Azure-AsyncOperation; before, with it."""
_CONFLICT = (
    "The request failed due to conflict with a concurrent request. To resolve it, please refer to "
    "https://aka.ms/activitylog to get more details on the conflicting requests."
)
_CONFLICTING = "The operation was interrupted by a conflicting concurrent write on the same entity. Please retry later."
_PREEMPTED = "The operation was preempted by a more recent operation."


@dataclass(frozen=True, slots=True)
class _Update:
    """An accepted update before it is stored."""

    stored: Stored
    document: Json
    is_quiet: bool
    """Nothing has to reach the host: no operation."""
    names_identity: bool
    is_new: bool = False
    """It creates the machine: nothing stood before."""

    def completed(self, document: Json, random: GuidSource) -> Json:
        """A document once the operation is over."""
        before: Json = {} if self.is_new else self.stored.document
        return completed(document, before, random, names_identity=self.names_identity)


def patch_machine(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``PATCH .../virtualMachines/{name}``."""
    stored = require_machine(cloud, params)
    return _update(cloud, request, params, stored, is_put=False)


def put_machine(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``PUT .../virtualMachines/{name}``: creates, or merges into what is there."""
    stored = find_machine(cloud, params)
    if stored is None:
        return _create(cloud, request, params)
    return _update(cloud, request, params, stored, is_put=True)


def _update(cloud: "Cloud", request: Request, params: dict[str, str], stored: Stored, *, is_put: bool) -> Response:
    body = request_object(request)
    check_conditions(request, stored)
    _check_concurrent(cloud, stored)
    if is_put:
        guards.check_location(stored.document, body, params["group"])
    document = _merged(cloud, request, stored, body, is_put=is_put)
    is_quiet = _is_quiet(cloud, request, stored, document, body, is_put=is_put)
    update = _Update(stored, document, is_quiet, _names_identity(body))
    return _store(cloud, request, params, update, kind="put" if is_put else "patch")


def request_object(request: Request) -> Json:
    """The request's body.

    Raises:
        ArmError: 400 InvalidRequestContent where it is no object.
    """
    if isinstance(request.body, dict):
        return request.body
    message = "The request content was invalid and could not be deserialized: 'a JSON object is needed'."
    raise ArmError(400, "InvalidRequestContent", message, gateway=True)


def check_conditions(request: Request, stored: Stored | None) -> None:
    """Hold a write to its If-Match and If-None-Match; api-versions before 2023-09-01 do not know them.

    A machine without an etag counts as ``"1"``.

    Raises:
        ArmError: 412 PreconditionFailed.
    """
    if not is_at_least(request.api_version, CONDITIONS_SINCE):
        return
    wanted, unwanted = (request.headers.get(name, "").strip() for name in ("if-match", "if-none-match"))
    etag = stored.matching_etag if stored is not None else 0
    if wanted and stored is None:
        raise precondition_failed(wanted, etag)
    if wanted and wanted != "*" and wanted != quoted(etag):
        raise precondition_failed(wanted, etag)
    if unwanted and stored is not None and unwanted in {"*", quoted(etag)}:
        message = f'Etag provided in if-none-match header {unwanted} matches etag "{etag}" of resource.'
        raise ArmError(412, "PreconditionFailed", message, crlf=True)


def _check_concurrent(cloud: "Cloud", stored: Stored) -> None:
    if _state(stored.document) == "Deleting":
        message = (
            f"Operation 'Update VM' is not allowed on VM '{stored.document.get('name')}' since the VM is marked for "
            "deletion. You can only retry the Delete operation (or wait for an ongoing one to complete)."
        )
        raise ArmError(409, "OperationNotAllowed", message, crlf=True)
    answer = cloud.profile.concurrent_write
    if answer == "accepted" or not (running := _running(cloud, stored)):
        return
    if answer == "conflict":
        raise ArmError(409, "Conflict", _CONFLICT, crlf=True)
    if answer == "conflicting-concurrent-write":
        raise ArmError(409, "ConflictingConcurrentWriteNotAllowed", _CONFLICTING, crlf=True)
    for operation in running:
        operation.status = "Failed"
        operation.outcome = "Failed"
        operation.error = {"code": "OperationPreempted", "message": _PREEMPTED}
        operation.ends = cloud.clock.now()


def _running(cloud: "Cloud", stored: Stored) -> list[Operation]:
    return [operation for operation in cloud.operations.of_target(stored.id) if not operation.is_over]


def merge_rules(cloud: "Cloud", *, is_put: bool) -> MergeRules:
    """How this emulator merges, as its profile has it."""
    profile = cloud.profile
    return MergeRules(
        tenant_id=cloud.directory.tenant_id,
        random=cloud.random,
        nulls=profile.null_members,
        is_shallow=profile.platform_settings_merge == "shallow",
        replaces_tags=is_put or profile.patched_tags == "replaced",
    )


def _merged(cloud: "Cloud", request: Request, stored: Stored, body: Json, *, is_put: bool) -> Json:
    """The machine after the write, everything checked.

    Raises:
        ArmError: what the service refuses.
    """
    guards.check_members(body, request.api_version, stored.document)
    guards.check_identity(body)
    # What a read shows is what a write is merged into.
    before = stored.document
    if cloud.profile.settings_of_older_machines == "defaults":
        before = patch_settings.with_defaults(before)
    document = filled(merged(before, body, merge_rules(cloud, is_put=is_put)), before)
    power = known_power(stored.document)
    write = guards.MachineWrite(before, body, document, request.api_version, cloud.profile, power)
    guards.check_os_profile(write)
    document = _with_patch_settings(cloud, before, body, document, is_put=is_put)
    guards.check_fixed(write)
    guards.check_power(write)
    return _as_kept(cloud, document, before)


def _as_kept(cloud: "Cloud", document: Json, before: Json) -> Json:
    kept = without_empty(document) if cloud.profile.empty_objects == "dropped" else document
    return with_application_manager(kept, before)


def _with_patch_settings(cloud: "Cloud", before: Json, body: Json, document: Json, *, is_put: bool) -> Json:
    for system, sent in guards.sent_blocks(body):
        after = guards.value_at(document, ("properties", "osProfile", system)) or {}
        stored = guards.value_at(before, ("properties", "osProfile", system)) or {}
        if cloud.profile.enum_casing == "normalised" and isinstance(after.get("patchSettings"), dict):
            after = {**after, "patchSettings": patch_settings.spelled(after["patchSettings"], system)}
        write = patch_settings.PatchWrite(system, stored, sent, after, document, is_create=not before)
        patch_settings.check_automatic_updates(write, cloud.profile)
        patch_settings.check(write, cloud.profile)
        settings = patch_settings.settled(write, cloud.profile)
        if is_put and not write.sent_settings and cloud.profile.put_without_patch_settings == "defaulted":
            settings = patch_settings.defaults(system, after)
        if settings:
            document = _with_block(document, system, {**after, "patchSettings": settings})
    return document


def _with_block(document: Json, system: str, block: Json) -> Json:
    properties = document["properties"]
    profile = {**properties["osProfile"], system: block}
    return {**document, "properties": {**properties, "osProfile": profile}}


def _is_quiet(cloud: "Cloud", request: Request, stored: Stored, document: Json, body: Json, *, is_put: bool) -> bool:
    """Whether nothing has to reach the host.

    Recorded: every PATCH that names tags alone and every PUT of an unchanged model; a PATCH that names properties has
    an operation even where it changes none.
    """
    if known_power(stored.document) == "deallocated" and cloud.profile.deallocated_update == "no-operation":
        return True
    if not is_put:
        return {name.lower() for name in body} <= {"tags"}
    before, after = _without_state(stored.document), _without_state(document)
    if before == after:
        return True
    is_tags = {**before, "tags": None} == {**after, "tags": None}
    return is_tags and is_at_least(request.api_version, TAGS_ALONE_SINCE)


def _names_identity(body: Json) -> bool:
    return any(name.lower() == "identity" for name in body)


def _without_state(document: Json) -> Json:
    properties = {
        name: value
        for name, value in document.get("properties", {}).items()
        if name not in {"provisioningState", "instanceView"}
    }
    return {**document, "properties": properties}


def _state(document: Json) -> str:
    return str(document.get("properties", {}).get("provisioningState", ""))


def _with_state(document: Json, state: str) -> Json:
    return {**document, "properties": {**document.get("properties", {}), "provisioningState": state}}


def next_etag(cloud: "Cloud", stored: Stored) -> int | None:
    """The etag after an accepted write: one more than before."""
    if stored.etag is None and cloud.profile.machine_without_etag == "never-numbered":
        return None
    return stored.matching_etag + 1


def _store(cloud: "Cloud", request: Request, params: dict[str, str], update: _Update, *, kind: Any) -> Response:
    etag = next_etag(cloud, update.stored)
    if update.is_quiet:
        settled = update.completed(_with_state(update.document, "Succeeded"), cloud.random)
        kept = cloud.state.put(settled, etag=etag)
        cloud.parts[Changes].note(request, update.stored, kept)
        answered = _renewed(kept, _with_state(update.document, "Updating"))
        return _answer(cloud, request, params, answered, {})
    kept = cloud.state.put(_with_state(update.document, "Updating"), etag=etag)
    cloud.parts[Changes].note(request, update.stored, kept)
    operation = cloud.operations.start(
        request,
        location=kept.location,
        target_id=kept.id,
        kind=kind,
        on_done=_ending(cloud, update),
    )
    return _answer(cloud, request, params, kept, operation_headers(request, operation))


def _renewed(stored: Stored, document: Json) -> Stored:
    return Stored(
        stored.id, stored.type, stored.subscription, stored.group, document, stored.etag, stored.key, stored.parent
    )


def _ending(cloud: "Cloud", update: _Update) -> Any:
    """What happens at the operation's end: the state alone, or more where disks or identities have to be completed."""

    def end(operation: Operation) -> None:
        stored = cloud.state.get(operation.target_id)
        if stored is None or _is_preempted(operation):
            return
        document = update.completed(stored.document, cloud.random)
        if operation.outcome == "Failed" and cloud.profile.failed_operation == "reverted":
            document = update.stored.document
        state = "Updating" if _running(cloud, stored) else operation.outcome
        cloud.state.put_quietly(stored, _with_state(document, state))

    return end


def _is_preempted(operation: Operation) -> bool:
    return operation.error is not None and operation.error.get("code") == "OperationPreempted"


def operation_headers(request: Request, operation: Operation) -> dict[str, str]:
    """The headers of an answer with an operation behind it: no Location, no Retry-After on PUT and PATCH."""
    return {"Azure-AsyncOperation": operation.async_url(request.base_url), "Azure-AsyncNotification": "Enabled"}


def _answer(
    cloud: "Cloud", request: Request, params: dict[str, str], stored: Stored, headers: dict[str, str]
) -> Response:
    document = shown(cloud, request, stored, params["group"], expand=frozenset())
    return rendered(document, headers={**etag_header(stored, request.api_version), **headers})


def _create(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    body = request_object(request)
    check_conditions(request, None)
    guards.check_members(body, request.api_version, None)
    guards.check_identity(body)
    if not isinstance(body.get("location"), str) or not body["location"]:
        message = "The location property is required for this definition."
        raise ArmError(400, "LocationRequired", message, gateway=True)
    patch_settings.check_creatable(body)
    empty: Json = {}
    model = merged(empty, body, merge_rules(cloud, is_put=True))
    model["location"] = body["location"]
    document = created(machine_id(params), filled(model, empty), cloud.random, cloud.clock.now())
    document = _as_kept(cloud, _with_patch_settings(cloud, empty, body, document, is_put=False), empty)
    kept = cloud.state.put(_with_state(document, "Creating"), etag=1)
    update = _Update(kept, document, is_quiet=False, names_identity=_names_identity(body), is_new=True)
    operation = cloud.operations.start(
        request,
        location=kept.location,
        target_id=kept.id,
        kind="create",
        on_done=_ending(cloud, update),
    )
    headers = {
        **operation_headers(request, operation),
        "Retry-After": cloud.clock.retry_after(cloud.operations.told(CREATE_RETRY_AFTER)),
    }
    response = _answer(cloud, request, params, kept, headers)
    response.status = 201
    return response


def delete_machine(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``DELETE .../virtualMachines/{name}``: 202 with an operation, 204 where there is none (recorded)."""
    stored = find_machine(cloud, params)
    if stored is None:
        return Response(204)
    kept = cloud.state.put(_with_state(stored.document, "Deleting"), etag=next_etag(cloud, stored))

    def end(operation: Operation) -> None:
        if operation.outcome == "Succeeded":
            cloud.state.delete(operation.target_id)
        else:
            cloud.operations.settle(operation)

    operation = cloud.operations.start(request, location=kept.location, target_id=kept.id, kind="delete", on_done=end)
    headers = {
        **operation_headers(request, operation),
        "Location": operation.location_url(request.base_url),
        "Retry-After": cloud.clock.retry_after(cloud.operations.told(CREATE_RETRY_AFTER)),
    }
    return Response(202, None, headers)
