"""Tags: those of any scope, read and changed apart from the resource itself, and a subscription's in use.

Members of the latter: "Tags - List" of the public REST reference.
"""

from collections import Counter
from typing import TYPE_CHECKING, Any

from arm_emulator.protocol.http import ArmError, Request, Response
from arm_emulator.protocol.routing import Route
from arm_emulator.state import Document, Stored

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

_PATTERN = "/{scope+}/providers/Microsoft.Resources/tags/default"


def _target(cloud: "Cloud", params: dict[str, str]) -> Stored:
    stored = cloud.state.get("/" + params["scope"])
    if stored is None:
        message = f"The resource '/{params['scope']}' was not found."
        raise ArmError(404, "ResourceNotFound", message, gateway=True)
    return stored


def _body(stored: Stored) -> Document:
    return {
        "id": f"{stored.id}/providers/Microsoft.Resources/tags/default",
        "name": "default",
        "type": "Microsoft.Resources/tags",
        "properties": {"tags": stored.document.get("tags") or {}},
    }


def _get(cloud: "Cloud", _: Request, params: dict[str, str]) -> Response:
    return Response(200, _body(_target(cloud, params)))


def _patch(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    stored = _target(cloud, params)
    given = _given(request)
    operation = request.body.get("operation", "") if isinstance(request.body, dict) else ""
    held: dict[str, Any] = stored.document.get("tags") or {}
    match str(operation).lower():
        case "merge":
            tags = {**held, **given}
        case "replace":
            tags = given
        case "delete":
            tags = {name: value for name, value in held.items() if given.get(name) != value}
        case _:
            message = f"The operation '{operation}' is invalid. Allowed: 'Merge', 'Replace', 'Delete'."
            raise ArmError(400, "InvalidRequestContent", message, gateway=True)
    return Response(200, _body(_store(cloud, stored, tags)))


def _put(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    return Response(200, _body(_store(cloud, _target(cloud, params), _given(request))))


def _delete(cloud: "Cloud", _: Request, params: dict[str, str]) -> Response:
    _store(cloud, _target(cloud, params), {})
    return Response(200)


def _names(cloud: "Cloud", _: Request, params: dict[str, str]) -> Response:
    """Every tag in use, which Azure takes in any casing, with its values; the casing that is met first is shown."""
    subscription = params["subscription"].lower()
    found: dict[str, tuple[str, Counter[str]]] = {}
    for stored in cloud.state:
        if stored.subscription == subscription:
            for name, value in (stored.document.get("tags") or {}).items():
                found.setdefault(name.lower(), (name, Counter()))[1][str(value)] += 1
    rows = [_in_use(subscription, name, values) for name, values in found.values()]
    return Response(200, {"value": rows})


def _in_use(subscription: str, name: str, values: "Counter[str]") -> Document:
    place = f"/subscriptions/{subscription}/tagNames/{name}"
    return {
        "id": place,
        "tagName": name,
        "count": {"type": "Total", "value": values.total()},
        "values": [
            {"id": f"{place}/tagValues/{value}", "tagValue": value, "count": {"type": "Total", "value": count}}
            for value, count in values.items()
        ],
    }


def _given(request: Request) -> dict[str, Any]:
    properties = request.body.get("properties") if isinstance(request.body, dict) else None
    tags = properties.get("tags") if isinstance(properties, dict) else None
    if not isinstance(tags, dict) or not all(isinstance(value, str) for value in tags.values()):
        message = "The request content was invalid: properties.tags must be an object of strings."
        raise ArmError(400, "InvalidRequestContent", message, gateway=True)
    return tags


def _store(cloud: "Cloud", stored: Stored, tags: dict[str, Any]) -> Stored:
    # A machine's etag counts every accepted write, this one too; other resources are stored without one.
    counts = stored.etag is not None or stored.type == "microsoft.compute/virtualmachines"
    return cloud.state.put({**stored.document, "tags": tags}, etag=stored.matching_etag + 1 if counts else None)


ROUTES: tuple[Route, ...] = (
    Route("GET", _PATTERN, _get, "Microsoft.Resources/tags/read"),
    Route("PATCH", _PATTERN, _patch, "Microsoft.Resources/tags/write"),
    Route("PUT", _PATTERN, _put, "Microsoft.Resources/tags/write"),
    Route("DELETE", _PATTERN, _delete, "Microsoft.Resources/tags/delete"),
    Route(
        "GET",
        "/subscriptions/{subscription}/tagNames",
        _names,
        "Microsoft.Resources/subscriptions/tagNames/read",
    ),
)
