"""POST actions on a machine: power, generalize, and the guest patching calls.

All but generalize and simulateEviction answer 202 with an empty body, ``Azure-AsyncOperation`` and ``Location``, as
recorded. What assessing and installing find are the made-up updates of ``patches``, the same that schedules install.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import msgspec

from arm_emulator.patching import Patching
from arm_emulator.protocol.http import ArmError, Request, Response
from arm_emulator.protocol.operations import Operation
from arm_emulator.providers.compute.errors import invalid_parameter, operation_not_allowed
from arm_emulator.providers.compute.instance_view import generalized, known_power, with_patch_summary, with_power
from arm_emulator.providers.compute.members import Json
from arm_emulator.providers.compute.patch_rows import (
    available_patch,
    counts_of,
    install_counts,
    install_error,
    install_states,
    install_status,
    installed_patch,
)
from arm_emulator.providers.compute.patches import Install, chosen, met, reboot_word
from arm_emulator.providers.compute.reads import require_machine
from arm_emulator.providers.compute.writes import CREATE_RETRY_AFTER, next_etag, operation_headers, request_object
from arm_emulator.providers.maintenance.membership import os_of
from arm_emulator.state import Stored

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

_AFTER: dict[str, str] = {
    "start": "running",
    "restart": "running",
    "powerOff": "stopped",
    "deallocate": "deallocated",
    "redeploy": "running",
    "reapply": "",
}
"""Action → the power state after it; ``''`` leaves it as it was."""
_WITH_RETRY_AFTER = frozenset({"start", "restart", "deallocate"})
"""Actions whose recorded 202 names a Retry-After; powerOff, redeploy and reapply do not."""
_ASSESS_SUMMARY = "availablePatchSummary"
_INSTALL_SUMMARY = "lastPatchInstallationSummary"
_SUCCESS = {"details": [], "code": "Success", "message": "0 error/s reported"}


def power(action: str, cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``POST .../virtualMachines/{name}/{action}`` for start, restart, powerOff, deallocate, redeploy and reapply."""
    stored = require_machine(cloud, params)
    kept = cloud.state.put(_updating(stored), etag=next_etag(cloud, stored))

    def end(operation: Operation) -> None:
        current = cloud.state.get(operation.target_id)
        if current is None:
            return
        document = _with_state(current.document, operation.outcome)
        if _AFTER[action] and operation.outcome == "Succeeded":
            document = with_power(document, _AFTER[action], cloud.clock.now())
        cloud.state.put_quietly(current, document)

    return _accepted(cloud, request, kept, "power", end, None, retry_after=action in _WITH_RETRY_AFTER)


def generalize(cloud: "Cloud", _request: Request, params: dict[str, str]) -> Response:
    """``POST .../generalize``: 200 at once, empty body (recorded)."""
    stored = require_machine(cloud, params)
    cloud.state.put(generalized(stored.document, cloud.clock.now()), etag=next_etag(cloud, stored))
    return Response(200)


def simulate_eviction(cloud: "Cloud", _request: Request, params: dict[str, str]) -> Response:
    """``POST .../simulateEviction``: 204 for a spot machine (recorded)."""
    stored = require_machine(cloud, params)
    if str(stored.document.get("properties", {}).get("priority", "")).lower() not in {"spot", "low"}:
        raise operation_not_allowed("The operation simulateEviction is only allowed on Azure Spot virtual machines.")
    return Response(204)


def assess_patches(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``POST .../assessPatches``; the result comes from the ``monitor=true`` URL."""
    stored = require_machine(cloud, params)
    _check_ready(stored)
    now = cloud.clock.now()
    started = wire_time(now)
    missing = cloud.parts[Patching].missing(stored)
    result: Json = {
        "status": "Succeeded",
        "assessmentActivityId": request.request_id,
        "rebootPending": False,
        **counts_of(missing),
        "startDateTime": started,
        "availablePatches": [available_patch(patch, request.request_id, now) for patch in missing],
        "error": dict(_SUCCESS),
    }

    def end(operation: Operation) -> None:
        if operation.outcome == "Succeeded":
            cloud.parts[Patching].note_assessment(stored)
        _remember(cloud, _ASSESS_SUMMARY, result, started, operation)

    return _accepted(cloud, request, stored, "assess", end, result)


def install_patches(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``POST .../installPatches``; the result comes from the ``monitor=true`` URL."""
    stored = require_machine(cloud, params)
    body = request_object(request)
    if "rebootSetting" not in body:
        raise invalid_parameter("Required parameter 'rebootSetting' is missing (null).", "rebootSetting")
    _check_ready(stored)
    now = cloud.clock.now()
    started = wire_time(now)
    planned = _planned(cloud, stored, body, now)
    result: Json = {
        "status": install_status(planned, is_done=True),
        "installationActivityId": request.request_id,
        "rebootStatus": planned.reboot_status,
        "maintenanceWindowExceeded": planned.is_cut_off,
        **install_counts(planned, is_done=True),
        "patches": [installed_patch(patch, state) for patch, state in install_states(planned, is_done=True)],
        "startDateTime": started,
        "error": install_error(planned, is_done=True),
    }

    def end(operation: Operation) -> None:
        if operation.outcome == "Succeeded":
            cloud.parts[Patching].note_install(msgspec.structs.replace(planned, ends=cloud.clock.now()))
        _remember(cloud, _INSTALL_SUMMARY, result, started, operation)

    return _accepted(cloud, request, stored, "install", end, result)


def _planned(cloud: "Cloud", stored: Stored, body: Json, now: datetime) -> Install:
    """What a request to install updates will do: those of the chosen classifications, all where none is chosen."""
    os = "windows" if os_of(stored.document) == "windows" else "linux"
    given = body.get(f"{os}Parameters")
    wanted = given.get("classificationsToInclude") if isinstance(given, dict) else None
    selected, others = chosen(cloud.parts[Patching].missing(stored), wanted if isinstance(wanted, list) else None)
    reboot = reboot_word(body["rebootSetting"])
    trouble = cloud.parts[Patching].trouble(stored, now)
    is_cut_off = trouble is not None and trouble.fails == "window"
    return Install(stored, os, now, now, is_cut_off, selected, others, reboot, "User", "", met(trouble, selected))


def _check_ready(stored: Stored) -> None:
    """Guest patching needs a running machine; where the document does not tell, it counts as running."""
    if known_power(stored.document) not in {"", "running"}:
        raise operation_not_allowed("Cannot modify extensions in the VM when the VM is not running.")


def _remember(cloud: "Cloud", name: str, result: Json, started: str, operation: Operation) -> None:
    """Put a summary of the result into the machine's patch status, under the names of the instance view."""
    current = cloud.state.get(operation.target_id)
    if current is None or operation.outcome != "Succeeded":
        return
    left_out = {"availablePatches", "patches", "startDateTime", "rebootStatus"}
    summary = {key: value for key, value in result.items() if key not in left_out}
    now = cloud.clock.now()
    summary = {**summary, "startTime": started, "lastModifiedTime": wire_time(now)}
    cloud.state.put_quietly(current, with_patch_summary(current.document, name, summary, now))


def wire_time(moment: datetime) -> str:
    """A time with seven fraction digits, as guest patching answers carry it."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}0+00:00"


def _updating(stored: Stored) -> Json:
    return _with_state(stored.document, "Updating")


def _with_state(document: Json, state: str) -> Json:
    return {**document, "properties": {**document.get("properties", {}), "provisioningState": state}}


def _accepted(
    cloud: "Cloud",
    request: Request,
    stored: Stored,
    kind: Literal["power", "assess", "install"],
    end: Callable[[Operation], None],
    output: Json | None,
    *,
    retry_after: bool = False,
) -> Response:
    operation = cloud.operations.start(
        request,
        location=stored.location,
        target_id=stored.id,
        kind=kind,
        on_done=end,
        output=output,
    )
    headers = {**operation_headers(request, operation), "Location": operation.location_url(request.base_url)}
    if retry_after:
        headers["Retry-After"] = cloud.clock.retry_after(cloud.operations.told(CREATE_RETRY_AFTER))
    return Response(202, None, headers)


def not_emulated(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """An action of real Azure that is not emulated: the machine must exist, then 501."""
    require_machine(cloud, params)
    raise ArmError(501, "NotEmulated", f"The emulator does not emulate {request.method} {request.path}.")
