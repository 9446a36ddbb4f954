"""Configuration assignments on machines: PUT, GET, list, DELETE, and the refusal of an unprepared machine.

PUT answers the resource part of ``id`` and both ids in ``properties`` in lower case; GET answers the caller's casing
and no ``location``. The 2021 preview kept the configuration's casing and showed no ``resourceId`` on GET. All
recorded.
"""

from typing import TYPE_CHECKING, Any

from arm_emulator.protocol.http import ArmError, Request, Response
from arm_emulator.providers.maintenance import limits
from arm_emulator.providers.maintenance.configurations import body_of, check_tenants, find_configuration, scope_of
from arm_emulator.providers.maintenance.errors import capitalised, not_found, not_prepared, unsupported_scope
from arm_emulator.resource_id import parse_id
from arm_emulator.state import Document, Stored

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

ASSIGNMENTS = "Microsoft.Maintenance/configurationAssignments"
_LOWERED_SINCE = "2023-04-01"
MACHINE_TYPES = {
    "microsoft.compute/virtualmachines": "Microsoft.Compute/virtualMachines",
    "microsoft.hybridcompute/machines": "Microsoft.HybridCompute/machines",
}


def put_assignment(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``PUT {machine}/providers/Microsoft.Maintenance/configurationAssignments/{name}``: 200, new or not (recorded).

    The machine's region and the configuration's may differ: no source says that they must agree.
    """
    target = "/" + params["scope"]
    body = body_of(request)
    properties = body.get("properties")
    configuration_id = properties.get("maintenanceConfigurationId") if isinstance(properties, dict) else None
    if not isinstance(configuration_id, str) or not configuration_id:
        raise capitalised(400, "InvalidRequestContent", "The maintenance configuration id must be given.")
    configuration = find_configuration(cloud, configuration_id)
    if configuration is None:
        raise capitalised(404, "NotFound", f"Maintenance configuration '{configuration_id}' was not found.")
    check_tenants(cloud, request, target, configuration)
    _check_target(cloud, target, configuration)
    key = f"{target}/providers/{ASSIGNMENTS}/{params['name']}".lower()
    limits.check_machine(cloud, configuration.key, key)
    is_lowered = request.api_version >= _LOWERED_SINCE
    document = {
        "location": body.get("location"),
        "properties": {
            "maintenanceConfigurationId": configuration_id.lower() if is_lowered else configuration_id,
            "resourceId": target.lower(),
        },
        "id": f"{target.lower()}/providers/{ASSIGNMENTS}/{params['name']}",
        "name": params["name"],
        "type": ASSIGNMENTS,
    }
    return Response(200, cloud.state.put(document, etag=None).document)


def get_assignment(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``GET`` of one assignment."""
    target = "/" + params["scope"]
    stored = cloud.state.get(f"{target}/providers/{ASSIGNMENTS}/{params['name']}")
    if stored is None:
        raise _absent(params)
    return Response(200, _shown(stored, target, request))


def list_assignments(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``GET {machine}/providers/Microsoft.Maintenance/configurationAssignments``."""
    target = "/" + params["scope"]
    rows = cloud.state.of_type(ASSIGNMENTS, parent=target)
    return Response(200, {"value": [_shown(stored, target, request) for stored in rows]})


def delete_assignment(cloud: "Cloud", _request: Request, params: dict[str, str]) -> Response:
    """``DELETE``: 200 with an empty body, 204 where there is none."""
    stored = cloud.state.get(f"/{params['scope']}/providers/{ASSIGNMENTS}/{params['name']}")
    if stored is None:
        return Response(204)
    cloud.state.delete(stored.id)
    return Response(200)


def _absent(params: dict[str, str]) -> ArmError:
    segments = params["scope"].split("/")
    return not_found(ASSIGNMENTS, params["name"], segments[3] if len(segments) > 3 else "")


def _shown(stored: Stored, target: str, request: Request) -> Document:
    properties: dict[str, Any] = dict(stored.document.get("properties") or {})
    if request.api_version < _LOWERED_SINCE:
        properties.pop("resourceId", None)
    elif "maintenanceConfigurationId" in properties:
        properties["maintenanceConfigurationId"] = str(properties["maintenanceConfigurationId"]).lower()
    name = stored.document.get("name")
    return {
        "properties": properties,
        "id": f"{target}/providers/{ASSIGNMENTS}/{name}",
        "name": name,
        "type": ASSIGNMENTS,
    }


def _check_target(cloud: "Cloud", target: str, configuration: Stored) -> None:
    """Refuse a resource that is not there, a scope that does not fit it, and a machine that is not prepared.

    Resources other than machines are not emulated; a configuration for them is stored without looking at the resource.

    Raises:
        ArmError: 404, or 400 UnsupportedResourceOperation.
    """
    parts = parse_id(target)
    kind = MACHINE_TYPES.get(parts.type)
    is_guest = scope_of(configuration).lower() == "inguestpatch"
    if kind is None:
        if is_guest:
            raise unsupported_scope("InGuestPatch")
        return
    machine = cloud.state.get(target)
    if machine is None:
        segments = target.strip("/").split("/")
        raise not_found(kind, segments[-1], segments[3] if len(segments) > 3 else "")
    if not is_guest:
        raise unsupported_scope(scope_of(configuration))
    if parts.type == "microsoft.compute/virtualmachines":
        _check_prepared(cloud, machine.document)


def _check_prepared(cloud: "Cloud", machine: Document) -> None:
    properties = machine.get("properties", {})
    is_refused = "virtualMachineScaleSet" in properties and cloud.profile.assignment_to_flexible_member == "refused"
    is_checked = cloud.profile.assignment_prerequisites == "checked"
    if is_refused or (is_checked and not is_prepared(machine)):
        raise not_prepared(cloud.profile.assignment_error_envelope)


def is_prepared(machine: Document) -> bool:
    """Whether a virtual machine has both prerequisites of a customer's schedule: the mode and the bypass flag."""
    profile = machine.get("properties", {}).get("osProfile")
    for system in ("windowsConfiguration", "linuxConfiguration"):
        block = profile.get(system) if isinstance(profile, dict) else None
        settings = block.get("patchSettings") if isinstance(block, dict) else None
        if not isinstance(settings, dict):
            continue
        platform = settings.get("automaticByPlatformSettings")
        flag = platform.get("bypassPlatformSafetyChecksOnUserSchedule") if isinstance(platform, dict) else None
        return str(settings.get("patchMode", "")).lower() == "automaticbyplatform" and flag is True
    return False
