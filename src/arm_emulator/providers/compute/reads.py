"""GET of machines: one, its instance view, its extensions, and the lists."""

import re
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from arm_emulator.patching import Patching
from arm_emulator.protocol.http import Request, Response
from arm_emulator.protocol.paging import list_page
from arm_emulator.providers.compute.deletions import Deletions
from arm_emulator.providers.compute.errors import gone, invalid_parameter, resource_not_found
from arm_emulator.providers.compute.guards import value_at
from arm_emulator.providers.compute.instance_view import instance_view
from arm_emulator.providers.compute.members import Json, is_at_least
from arm_emulator.providers.compute.patch_settings import with_defaults
from arm_emulator.providers.compute.rendering import rendered
from arm_emulator.providers.compute.views import (
    ETAG_SINCE,
    expand_words,
    machine_view,
    quoted,
    with_callers_group,
    with_extension_ids,
    with_upper_group,
)
from arm_emulator.state import Stored

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

MACHINES = "Microsoft.Compute/virtualMachines"
_FILTER = re.compile(r"^\s*'?virtualMachineScaleSet/id'?\s+eq\s+'(?P<id>[^']*)'\s*$", re.IGNORECASE)


def find_machine(cloud: "Cloud", params: dict[str, str]) -> Stored | None:
    """The machine that a path names, or None."""
    return cloud.state.get(machine_id(params))


def machine_id(params: dict[str, str]) -> str:
    """The id that a path names, in the caller's casing."""
    return (
        f"/subscriptions/{params['subscription']}/resourceGroups/{params['group']}"
        f"/providers/{MACHINES}/{params['name']}"
    )


def require_machine(cloud: "Cloud", params: dict[str, str]) -> Stored:
    """The machine that a path names.

    Raises:
        ArmError: 404 ResourceNotFound.
    """
    stored = find_machine(cloud, params)
    if stored is None:
        raise resource_not_found(MACHINES, params["name"], params["group"])
    return stored


def shown(cloud: "Cloud", request: Request, stored: Stored, group: str, *, expand: frozenset[str]) -> Json:
    """A machine as this call is to see it, its id in the caller's casing of the group."""
    document = stored.document
    if cloud.profile.settings_of_older_machines == "defaults":
        document = with_defaults(document)
    if "instanceview" in expand:
        view = _instance_view(cloud, stored)
        document = {**document, "properties": {**document.get("properties", {}), "instanceView": view}}
    return with_callers_group(machine_view(document, stored.etag, request.api_version, expand), group)


def etag_header(stored: Stored, api_version: str) -> dict[str, str]:
    """The ``ETag`` header, where the machine has one and the api-version shows it."""
    has_etag = stored.etag is not None and is_at_least(api_version, ETAG_SINCE)
    return {"ETag": quoted(stored.etag)} if has_etag and stored.etag is not None else {}


def _readable(cloud: "Cloud", params: dict[str, str]) -> Stored:
    """The machine that the path of a GET names.

    Raises:
        ArmError: 404 NotFound just after it was deleted, else ResourceNotFound.
    """
    if cloud.parts[Deletions].is_fresh(machine_id(params), cloud.profile.deleted_machine_seconds):
        raise gone()
    return require_machine(cloud, params)


def get_machine(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``GET .../virtualMachines/{name}``, with ``$expand=instanceView``, ``userData`` or both."""
    stored = _readable(cloud, params)
    document = shown(cloud, request, stored, params["group"], expand=expand_words(request.query))
    return rendered(document, headers=etag_header(stored, request.api_version))


def get_instance_view(cloud: "Cloud", _request: Request, params: dict[str, str]) -> Response:
    """``GET .../virtualMachines/{name}/instanceView``."""
    return rendered(_instance_view(cloud, _readable(cloud, params)))


def _instance_view(cloud: "Cloud", stored: Stored) -> Json:
    """The instance view with what patching brought about since, where that is newer than what is stored."""
    view = instance_view(stored.document, cloud.clock.now())
    kept = view.get("patchStatus")
    status: Json = dict(kept) if isinstance(kept, dict) else {}
    for name, summary in cloud.parts[Patching].summaries(stored).items():
        before = status.get(name)
        modified = str(before.get("lastModifiedTime") or "") if isinstance(before, dict) else ""
        if modified < summary["lastModifiedTime"]:
            status[name] = summary
    return {**view, "patchStatus": status} if status else view


def _extensions(cloud: "Cloud", stored: Stored, group: str) -> list[Json]:
    """A machine's extensions: those inside its document, then those stored by themselves."""
    inside = with_callers_group(stored.document, group).get("resources")
    found = [child for child in inside if isinstance(child, dict)] if isinstance(inside, list) else []
    names = {str(child.get("name", "")).lower() for child in found}
    apart = cloud.state.of_type(f"{MACHINES}/extensions", parent=stored.id)
    return found + [child.copy() for child in apart if str(child.document.get("name", "")).lower() not in names]


def list_extensions(cloud: "Cloud", _request: Request, params: dict[str, str]) -> Response:
    """``GET .../virtualMachines/{name}/extensions``."""
    stored = require_machine(cloud, params)
    return rendered({"value": _extensions(cloud, stored, params["group"])})


def get_extension(cloud: "Cloud", _request: Request, params: dict[str, str]) -> Response:
    """``GET .../virtualMachines/{name}/extensions/{extension}``."""
    wanted = params["extension"].lower()
    for child in _extensions(cloud, require_machine(cloud, params), params["group"]):
        if str(child.get("name", "")).lower() == wanted:
            return rendered(child)
    raise resource_not_found(f"{MACHINES}/extensions", f"{params['name']}/{params['extension']}", params["group"])


def list_group(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``GET .../resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines``.

    Ids keep the caller's casing of the group; whether ``$filter`` changes that is a switch of the profile.
    """
    found = partial(_rows, cloud, request, params["subscription"], params["group"], "")
    is_upper = "$filter" in request.query and cloud.profile.filtered_list_groups == "upper"
    return _list(cloud, request, found, is_wide=is_upper, group=params["group"])


def list_subscription(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``GET /subscriptions/{subscription}/providers/Microsoft.Compute/virtualMachines``: groups in upper case."""
    found = partial(_rows, cloud, request, params["subscription"], None, "")
    return _list(cloud, request, found, is_wide=True, group="")


def list_location(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``GET /subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/virtualMachines``."""
    found = partial(_rows, cloud, request, params["subscription"], None, params["location"])
    return _list(cloud, request, found, is_wide=True, group="")


def _rows(cloud: "Cloud", request: Request, subscription: str, group: str | None, location: str) -> Sequence[Stored]:
    rows = list(cloud.state.of_type(MACHINES, subscription=subscription, group=group))
    if location:
        region = location.replace(" ", "").lower()
        rows = [stored for stored in rows if stored.location == region]
    if "$filter" not in request.query:
        return rows
    match = _FILTER.match(request.query["$filter"])
    if match is None:
        raise invalid_parameter(f"The value of parameter $filter is invalid: {request.query['$filter']}.", "$filter")
    wanted = match["id"].rstrip("/").lower()
    path = ("properties", "virtualMachineScaleSet", "id")
    return [stored for stored in rows if str(value_at(stored.document, path) or "").lower() == wanted]


def _list(cloud: "Cloud", request: Request, rows: partial[Sequence[Stored]], *, is_wide: bool, group: str) -> Response:
    """One page. ``$expand`` counts only beside ``$filter``, as the reference says."""
    is_status = request.query.get("statusonly", "").lower() == "true"
    expand = expand_words(request.query) if "$filter" in request.query else frozenset[str]()

    def render(stored: Stored) -> Json:
        words = expand | {"instanceview"} if is_status else expand
        document = with_extension_ids(
            shown(cloud, request, stored, group, expand=words) if group else _wide(stored, words)
        )
        return _status_only(document) if is_status else (with_upper_group(document) if is_wide else document)

    def _wide(stored: Stored, words: frozenset[str]) -> Json:
        name = stored.document.get("id", "").split("/")
        return with_upper_group(shown(cloud, request, stored, name[4] if len(name) > 4 else "", expand=words))

    return rendered(list_page(cloud, request, rows, render))


def _status_only(document: Json) -> Json:
    """What ``statusOnly=true`` leaves: who the machine is and its run-time state."""
    properties = document.get("properties", {})
    kept = {name: properties[name] for name in ("provisioningState", "vmId", "instanceView") if name in properties}
    named: Json = {name: document[name] for name in ("name", "id", "type", "location") if name in document}
    return with_upper_group({**named, "properties": kept})
