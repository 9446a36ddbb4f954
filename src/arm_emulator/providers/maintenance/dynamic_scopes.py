"""Dynamic scopes: assignments at a subscription or a resource group, with a filter. Stored, not carried out.

A filter of the wrong form is refused in words of our own; members that the service does not name are left out, as its
answers show no others.

The answers hold explicit nulls for the parts of the filter that were not given, and lower-case ``id`` and ``type``; the
configuration's id keeps its casing. All recorded at 2023-04-01.
"""

from typing import TYPE_CHECKING, Any

from arm_emulator.protocol.http import ArmError, Request, Response
from arm_emulator.providers.maintenance import limits
from arm_emulator.providers.maintenance.configurations import body_of, check_tenants, find_configuration, scope_of
from arm_emulator.providers.maintenance.errors import bare, capitalised, not_found, over_limit, unsupported_scope
from arm_emulator.state import Document, Stored

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

_TYPE = "microsoft.maintenance/configurationassignments"
_FILTER = (
    "tagSettings",
    "resourceTypes",
    "locations",
    "resourceGroups",
    "osTypes",
    "resourceIds",
    "availabilityZones",
)


def put_scope(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``PUT`` at a subscription or a group: 200. Members are not known yet, so none is checked."""
    return _written(cloud, request, params, body_of(request))


def patch_scope(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``PATCH`` at a subscription or a group."""
    stored = _require(cloud, request, params)
    body = body_of(request)
    properties = {**stored.document.get("properties", {}), **_object(body.get("properties"))}
    return _written(cloud, request, params, {**stored.document, **body, "properties": properties})


def get_scope(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``GET`` at a subscription or a group."""
    return Response(200, _require(cloud, request, params).document)


def delete_scope(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``DELETE``: 200 with an empty body, 204 where there is none."""
    stored = cloud.state.get(_id(request, params))
    if stored is None:
        return Response(204)
    cloud.state.delete(stored.id)
    return Response(200)


def list_scopes(cloud: "Cloud", _request: Request, params: dict[str, str]) -> Response:
    """``GET`` of all at a subscription; whether the service implements it is a switch of the profile."""
    if cloud.profile.assignments_of_subscription == "not-implemented":
        raise capitalised(
            501, "NotImplemented", "Listing configuration assignments of a subscription is not implemented."
        )
    rows = cloud.state.of_type(_TYPE, subscription=params["subscription"], group=params.get("group"))
    return Response(200, {"value": [stored.document for stored in rows]})


def _written(cloud: "Cloud", request: Request, params: dict[str, str], body: Document) -> Response:
    properties = _object(body.get("properties"))
    scope = _scope(request)
    chosen = properties.get("filter")
    if not isinstance(chosen, dict):
        raise bare(500, "An error has occurred.")
    _check_filter(chosen)
    configuration_id = properties.get("maintenanceConfigurationId")
    configuration = find_configuration(cloud, configuration_id) if isinstance(configuration_id, str) else None
    if configuration is None:
        raise capitalised(404, "NotFound", f"Maintenance configuration '{configuration_id}' was not found.")
    check_tenants(cloud, request, scope, configuration)
    if scope_of(configuration).lower() != "inguestpatch":
        raise unsupported_scope(scope_of(configuration))
    location = str(body.get("location") or "")
    limits.check_scope(cloud, configuration.key, _id(request, params).lower(), location)
    document = {
        "location": body.get("location"),
        "properties": {
            "maintenanceConfigurationId": configuration_id,
            "resourceId": scope,
            "filter": {name: _filter_part(name, chosen.get(name)) for name in _FILTER},
        },
        "id": f"{scope}/providers/{_TYPE}/{params['name']}",
        "name": params["name"],
        "type": _TYPE,
    }
    return Response(200, cloud.state.put(document, etag=None).document)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _check_filter(chosen: dict[str, Any]) -> None:
    """Refuse what cannot be read as a filter, and more of it than is documented.

    Raises:
        ArmError: 400; the wording is ours.
    """
    for name in _FILTER[1:]:
        value = chosen.get(name)
        if value is not None and not _is_texts(value):
            raise _unreadable(name, "a list of texts")
    if len(chosen.get("resourceGroups") or ()) > limits.GROUP_FILTERS:
        raise over_limit("The number of resource groups of a dynamic scope", limits.GROUP_FILTERS)
    settings = chosen.get("tagSettings")
    if settings is None:
        return
    if not isinstance(settings, dict):
        raise _unreadable("tagSettings", "an object")
    operator, tags = settings.get("filterOperator"), settings.get("tags")
    if operator is not None and str(operator).lower() not in {"all", "any"}:
        raise _unreadable("filterOperator", "All or Any")
    if tags is not None and not (isinstance(tags, dict) and all(_is_texts(values) for values in tags.values())):
        raise _unreadable("tags", "an object of lists of texts")
    if len(tags or ()) > limits.TAG_FILTERS:
        raise over_limit("The number of tags of a dynamic scope", limits.TAG_FILTERS)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)


def _unreadable(name: str, wanted: str) -> ArmError:
    return capitalised(400, "InvalidRequestContent", f"The filter's {name} must be {wanted}.")


def _filter_part(name: str, value: Any) -> Any:
    if name == "tagSettings" and isinstance(value, dict):
        return {key: value[key] for key in ("tags", "filterOperator") if key in value}
    return value


def _scope(request: Request) -> str:
    return request.path[: request.path.lower().rfind("/providers/")]


def _id(request: Request, params: dict[str, str]) -> str:
    return f"{_scope(request)}/providers/{_TYPE}/{params['name']}"


def _require(cloud: "Cloud", request: Request, params: dict[str, str]) -> Stored:
    stored = cloud.state.get(_id(request, params))
    if stored is None:
        raise not_found("Microsoft.Maintenance/configurationAssignments", params["name"], params.get("group", ""))
    return stored
