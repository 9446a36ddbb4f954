"""Maintenance configurations: PUT, PATCH, GET, lists, DELETE, with the oddities of recorded answers.

A PUT answers its own path as ``id``; a later GET answers the provider's part in lower case. ``rebootSetting: Always``
comes back as ``AlwaysReboot``. ``configurationType`` is in no documentation. What is refused: ``window_checks``.
"""

import re
from typing import TYPE_CHECKING, Any

from arm_emulator.protocol.http import ArmError, Request, Response
from arm_emulator.providers.maintenance import limits, window_checks
from arm_emulator.providers.maintenance.errors import not_found, still_assigned
from arm_emulator.providers.maintenance.limits import Associations
from arm_emulator.resource_id import parse_id
from arm_emulator.state import Document, Stored

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

CONFIGURATIONS = "Microsoft.Maintenance/maintenanceConfigurations"
_ORDER = (
    "namespace",
    "extensionProperties",
    "maintenanceScope",
    "maintenanceWindow",
    "visibility",
    "installPatches",
    "configurationType",
)
_WINDOW = ("startDateTime", "expirationDateTime", "duration", "timeZone", "recurEvery")
_TYPED_SINCE = "2021-05-01"
"""Before, recorded answers have neither ``visibility`` nor ``configurationType``."""


def put_configuration(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``PUT .../maintenanceConfigurations/{name}``: 200 also where it is new (recorded; the specification says 201)."""
    body = body_of(request)
    location = body.get("location")
    if not isinstance(location, str) or not location:
        message = "The location property is required for this definition."
        raise ArmError(400, "LocationRequired", message, gateway=True)
    given = _properties(body)
    window_checks.check(given, cloud.profile)
    window_checks.check_names(params["name"], params["group"], given)
    if find_configuration(cloud, request.path) is None:
        limits.check_configurations(cloud, params["subscription"], location)
    document = _document(request.path, params["name"], body, request.api_version)
    return Response(200, cloud.state.put(document, etag=None).document)


def patch_configuration(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``PATCH .../maintenanceConfigurations/{name}``."""
    stored = _require(cloud, params)
    body = body_of(request)
    properties = {**stored.document.get("properties", {}), **_properties(body)}
    window_checks.check(properties, cloud.profile)
    merged = {
        "location": stored.document.get("location"),
        "tags": body.get("tags", stored.document.get("tags", {})),
        "properties": properties,
    }
    document = _document(stored.id, str(stored.document.get("name")), merged, request.api_version)
    return Response(200, _shown(cloud.state.put(document, etag=None), request.path))


def get_configuration(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``GET .../maintenanceConfigurations/{name}``."""
    return Response(200, _shown(_require(cloud, params), request.path))


def list_configurations(cloud: "Cloud", _request: Request, params: dict[str, str]) -> Response:
    """The configurations of a resource group or a subscription, in one page."""
    group = params.get("group")
    rows = cloud.state.of_type(CONFIGURATIONS, subscription=params["subscription"], group=group)
    return Response(200, {"value": [_listed(stored) for stored in rows]})


def delete_configuration(cloud: "Cloud", _request: Request, params: dict[str, str]) -> Response:
    """``DELETE``: 200 with an empty body, 204 where there is none.

    What becomes of its assignments no source says: the profile's ``configuration_delete``.

    Raises:
        ArmError: 409 where that is ``refused`` and an assignment names it; the wording is ours.
    """
    stored = find_configuration(cloud, _id(params))
    if stored is None:
        return Response(204)
    if cloud.profile.configuration_delete != "leaves-assignments":
        assigned = cloud.parts[Associations].of_configuration(stored.key)
        if assigned and cloud.profile.configuration_delete == "refused":
            raise still_assigned(str(stored.document.get("name")))
        for key in assigned:
            cloud.state.delete(key)
    cloud.state.delete(stored.id)
    return Response(200)


def find_configuration(cloud: "Cloud", configuration_id: str) -> Stored | None:
    """The configuration of an id in any casing, or None."""
    stored = cloud.state.get(configuration_id)
    return stored if stored is not None and stored.type == CONFIGURATIONS.lower() else None


def check_tenants(cloud: "Cloud", request: Request, target: str, configuration: Stored) -> None:
    """Refuse to attach a configuration of one tenant to what belongs to another, unless the profile accepts it.

    The refusal's code and sentence are those of Azure's linked access check (recorded for images); that it is what this
    service answers is not known.

    Raises:
        ArmError: 403 LinkedAuthorizationFailed.
    """
    here, there = (cloud.directory.subscription(parse_id(one).subscription) for one in (target, configuration.id))
    if here is None or there is None or here.tenant_id.lower() == there.tenant_id.lower():
        return
    is_shown = there.is_open_to(request.principal.tenant_id)
    if is_shown and cloud.profile.assignment_across_tenants == "accepted":
        return
    raise ArmError(
        403,
        "LinkedAuthorizationFailed",
        f"The client has permission to perform action 'Microsoft.Maintenance/maintenanceConfigurations/read' on scope "
        f"'{target}', however the current tenant '{request.principal.tenant_id}' is not authorized to access linked "
        f"subscription '{there.id}'.",
        gateway=True,
    )


def scope_of(stored: Stored) -> str:
    """The maintenance scope of a configuration, e.g. ``InGuestPatch``."""
    return str(stored.document.get("properties", {}).get("maintenanceScope", ""))


def body_of(request: Request) -> Document:
    """The request's body.

    Raises:
        ArmError: 400 InvalidRequestContent where it is no object.
    """
    if isinstance(request.body, dict):
        return request.body
    message = "The request content was invalid and could not be deserialized: 'a JSON object is needed'."
    raise ArmError(400, "InvalidRequestContent", message, gateway=True)


def _id(params: dict[str, str]) -> str:
    return (
        f"/subscriptions/{params['subscription']}/resourcegroups/{params['group']}"
        f"/providers/{CONFIGURATIONS}/{params['name']}"
    )


def _require(cloud: "Cloud", params: dict[str, str]) -> Stored:
    stored = find_configuration(cloud, _id(params))
    if stored is None:
        raise not_found(CONFIGURATIONS, params["name"], params["group"])
    return stored


def _properties(body: Document) -> dict[str, Any]:
    given = body.get("properties")
    return given if isinstance(given, dict) else {}


def _document(identifier: str, name: str, body: Document, api_version: str) -> Document:
    """A configuration as it is stored, from a request or a merge of one."""
    given = dict(_properties(body))
    given.setdefault("extensionProperties", {})
    given.setdefault("maintenanceScope", "All")
    if api_version >= _TYPED_SINCE:
        given.setdefault("visibility", "Custom")
        given["configurationType"] = "Regular"
    window = given.pop("maintenanceWindow", None)
    if isinstance(window, dict) and "startDateTime" in window:
        given["maintenanceWindow"] = {key: window[key] for key in _WINDOW if key in window}
    patches = given.get("installPatches")
    if isinstance(patches, dict) and isinstance(patches.get("rebootSetting"), str):
        setting = patches["rebootSetting"]
        given["installPatches"] = {
            **patches,
            "rebootSetting": window_checks.REBOOT_SETTINGS.get(setting.lower(), setting),
        }
    ordered = [key for key in _ORDER if key in given] + [key for key in given if key not in _ORDER]
    return {
        "location": body.get("location"),
        "tags": body.get("tags") or {},
        "properties": {key: given[key] for key in ordered if given[key] is not None},
        "id": identifier,
        "name": name,
        "type": CONFIGURATIONS,
    }


def _shown(stored: Stored, path: str) -> Document:
    """As GET and PATCH answer it: the path's scope as the caller wrote it, the provider's part in lower case."""
    scope, _, _ = _partition(path)
    tail = f"/providers/microsoft.maintenance/maintenanceconfigurations/{stored.document.get('name')}"
    return {**stored.document, "id": f"{scope}{tail}"}


def _listed(stored: Stored) -> Document:
    scope, _, _ = _partition(stored.id)
    lowered = re.sub("/resourceGroups/", "/resourcegroups/", scope, flags=re.IGNORECASE)
    return {**stored.document, "id": f"{lowered}/providers/{CONFIGURATIONS}/{stored.document.get('name')}"}


def _partition(path: str) -> tuple[str, str, str]:
    at = path.lower().rfind("/providers/microsoft.maintenance/")
    return (path, "", "") if at < 0 else (path[:at], path[at : at + 11], path[at + 11 :])
