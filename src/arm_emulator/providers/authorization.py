"""Microsoft.Authorization: locks, role assignments and definitions, deny assignments, the caller's permissions.

Policies are read as the fleet holds them, and none is evaluated; three built-in definitions are there in any case.

All of them are ordinary resources in the state, standing on a scope; the checks they cause are the front door's.
"""

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from arm_emulator.protocol.authorization import ASSIGNMENT, DEFINITION, DENY, LOCK, OWNER, ancestry
from arm_emulator.protocol.http import ArmError, Request, Response
from arm_emulator.protocol.roles import BUILT_IN_ROLES
from arm_emulator.protocol.routing import Handler, Route
from arm_emulator.providers.policy_definitions import built_in_policies
from arm_emulator.state import Document, Stored

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

_BASE = "/{scope+}/providers/Microsoft.Authorization"
_TENANT = "/providers/Microsoft.Authorization"
_EVERYTHING = "00000000-0000-0000-0000-000000000001"
_PRINCIPAL = re.compile(r"(?:principalId|assignedTo\()\s*(?:eq\s*)?'(?P<id>[^']+)'", re.IGNORECASE)
_POLICIES = {
    f"microsoft.authorization/{name.lower()}": name
    for name in ("policyAssignments", "policyDefinitions", "policySetDefinitions", "policyExemptions")
}
_NAMES = {
    LOCK: "locks",
    ASSIGNMENT: "roleAssignments",
    DEFINITION: "roleDefinitions",
    DENY: "denyAssignments",
    **_POLICIES,
}


def _scope(params: dict[str, str]) -> str:
    return "/" + params["scope"] if "scope" in params else ""


def _id(params: dict[str, str], type_: str) -> str:
    return f"{_scope(params)}/providers/Microsoft.Authorization/{_NAMES[type_]}/{params['name']}"


def _list(type_: str) -> Handler:
    def handler(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
        scope = _scope(params)
        found = list(_relevant(cloud, type_, scope, request.query.get("$filter", "")))
        body = [_shown(stored) for stored in found]
        if type_ == DEFINITION:
            body = [*_built_in(scope, request.query.get("$filter", "")), *body]
        if type_ == ASSIGNMENT:
            body = [*_of_everything(cloud, scope, request.query.get("$filter", "")), *body]
        return Response(200, {"value": body})

    return handler


def _relevant(cloud: "Cloud", type_: str, scope: str, filter_: str) -> Iterable[Stored]:
    lowered = scope.lower().rstrip("/")
    above = {"", *ancestry(scope), *(_groups_above(cloud, scope) if type_ in _POLICIES else ())}
    is_at_scope = "atscope()" in filter_.lower().replace(" ", "")
    inherits = type_ != LOCK or is_at_scope or cloud.profile.lock_list == "with-inherited"
    principal = _PRINCIPAL.search(filter_)
    for stored in cloud.state.of_type(type_):
        place = str(stored.document.get("properties", {}).get("scope") or stored.parent).lower().rstrip("/")
        is_here_or_below = place == lowered or place.startswith(lowered + "/")
        if is_at_scope and place != lowered and place not in above:
            continue
        if not (is_here_or_below or (inherits and place in above)):
            continue
        if principal is None or _names_principal(stored.document, principal["id"]):
            yield stored


def _groups_above(cloud: "Cloud", scope: str) -> Iterable[str]:
    """The management groups of a subscription, whose policies are in its lists."""
    segments = scope.lower().strip("/").split("/")
    found = cloud.directory.subscription(segments[1]) if segments[0] == "subscriptions" else None
    groups = cloud.directory.groups_above(found) if found is not None else ()
    return (f"/providers/microsoft.management/managementgroups/{one.name.lower()}" for one in groups)


def _of_everything(cloud: "Cloud", scope: str, filter_: str) -> Iterable[Document]:
    """The assignment at the root of whoever is Owner of everything: the fleet holds none, and it is in force."""
    owner, principal = cloud.authorization.owner_of_everything(), _PRINCIPAL.search(filter_)
    if owner is None or cloud.authorization.is_foreign(owner, scope):
        return
    if principal is not None and principal["id"].lower() != owner.object_id.lower():
        return
    role = f"{_subscription_scope(scope)}{_TENANT}/roleDefinitions/{OWNER}"
    yield {
        "id": f"{_TENANT}/roleAssignments/{_EVERYTHING}",
        "type": "Microsoft.Authorization/roleAssignments",
        "name": _EVERYTHING,
        "properties": {
            "roleDefinitionId": role,
            "principalId": owner.object_id,
            "principalType": "ServicePrincipal",
            "scope": "/",
        },
    }


def _names_principal(document: Document, principal: str) -> bool:
    properties = document.get("properties", {})
    named = [properties.get("principalId"), *(entry.get("id") for entry in properties.get("principals", ()))]
    return principal.lower() in {str(name).lower() for name in named}


def _get(type_: str) -> Handler:
    def handler(cloud: "Cloud", _: Request, params: dict[str, str]) -> Response:
        stored = cloud.state.get(_id(params, type_))
        if stored is None and type_ == DEFINITION:
            built_in = next(
                (role for role in _built_in(_scope(params), "") if role["name"] == params["name"].lower()), None
            )
            if built_in is not None:
                return Response(200, built_in)
        if stored is None and _NAMES[type_] == "policyDefinitions" and not _scope(params):
            policy = built_in_policies().get(params["name"].lower())
            if policy is not None:
                return Response(200, policy)
        if stored is None:
            raise _missing(type_, params["name"])
        return Response(200, _shown(stored))

    return handler


def _missing(type_: str, name: str) -> ArmError:
    singular = _NAMES[type_].removesuffix("s")
    what = singular[0].upper() + singular[1:]
    message = f"The {singular} '{name}' is not found."
    return ArmError(404, f"{what}NotFound", message, gateway=True)


def _shown(stored: Stored) -> Document:
    return stored.document


def _put(type_: str, check: Callable[[dict[str, Any]], None]) -> Handler:
    def handler(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
        body = request.body
        properties = body.get("properties") if isinstance(body, dict) else None
        if not isinstance(properties, dict):
            message = "The request content was invalid: an object with 'properties' is required."
            raise ArmError(400, "InvalidRequestContent", message, gateway=True)
        check(properties)
        before = cloud.state.get(_id(params, type_))
        kept = {**properties, "scope": _scope(params) or "/"} if type_ != LOCK else properties
        document = {
            "id": _id(params, type_),
            "type": f"Microsoft.Authorization/{_NAMES[type_]}",
            "name": params["name"],
            "properties": kept,
        }
        stored = cloud.state.put(document, etag=None)
        return Response(200 if before else 201, _shown(stored))

    return handler


def _check_lock(properties: dict[str, Any]) -> None:
    if properties.get("level") not in ("ReadOnly", "CanNotDelete"):
        message = f"The lock level '{properties.get('level')}' is invalid. Allowed: 'CanNotDelete', 'ReadOnly'."
        raise ArmError(400, "LockLevelInvalid", message, gateway=True)


def _check_assignment(properties: dict[str, Any]) -> None:
    missing = [name for name in ("principalId", "roleDefinitionId") if not isinstance(properties.get(name), str)]
    if missing:
        message = f"The role assignment lacks {' and '.join(missing)}."
        raise ArmError(400, "InvalidRoleAssignment", message, gateway=True)


def _check_definition(properties: dict[str, Any]) -> None:
    if not isinstance(properties.get("permissions"), list) or not isinstance(properties.get("roleName"), str):
        message = "The role definition lacks roleName or permissions."
        raise ArmError(400, "InvalidRoleDefinition", message, gateway=True)


def _delete(type_: str) -> Handler:
    def handler(cloud: "Cloud", _: Request, params: dict[str, str]) -> Response:
        stored = cloud.state.get(_id(params, type_))
        if stored is None:
            return Response(204)
        cloud.state.delete(stored.id)
        return Response(200, None if type_ == LOCK else _shown(stored))

    return handler


def _permissions(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    found = cloud.authorization.permissions(request.principal, _scope(params))
    return Response(200, {"value": [permission.as_json() for permission in found]})


def _built_in(scope: str, filter_: str) -> list[Document]:
    wanted = re.search(r"roleName\s+eq\s+'([^']+)'", filter_, re.IGNORECASE)
    return [
        {
            "id": f"{_subscription_scope(scope)}/providers/Microsoft.Authorization/roleDefinitions/{guid}",
            "type": "Microsoft.Authorization/roleDefinitions",
            "name": guid,
            "properties": {
                "roleName": role.name,
                "type": "BuiltInRole",
                "description": "",
                "assignableScopes": ["/"],
                "permissions": [permission.as_json() for permission in role.permissions],
            },
        }
        for guid, role in BUILT_IN_ROLES.items()
        if wanted is None or wanted[1].lower() == role.name.lower()
    ]


def _subscription_scope(scope: str) -> str:
    segments = scope.strip("/").split("/")
    return "/" + "/".join(segments[:2]) if segments[0].lower() == "subscriptions" else ""


def _family(type_: str, check: Callable[[dict[str, Any]], None] | None) -> tuple[Route, ...]:
    name = _NAMES[type_]
    action = f"Microsoft.Authorization/{name}"
    routes = []
    for base in (_BASE, _TENANT):
        routes.append(Route("GET", f"{base}/{name}", _list(type_), f"{action}/read"))
        routes.append(Route("GET", f"{base}/{name}/{{name}}", _get(type_), f"{action}/read"))
        if check is not None:
            routes.append(Route("PUT", f"{base}/{name}/{{name}}", _put(type_, check), f"{action}/write"))
            routes.append(Route("DELETE", f"{base}/{name}/{{name}}", _delete(type_), f"{action}/delete"))
    return tuple(routes)


ROUTES: tuple[Route, ...] = (
    Route("GET", f"{_BASE}/permissions", _permissions),
    Route("GET", f"{_TENANT}/permissions", _permissions),
    *_family(LOCK, _check_lock),
    *_family(ASSIGNMENT, _check_assignment),
    *_family(DEFINITION, _check_definition),
    *_family(DENY, None),
    *(route for type_ in _POLICIES for route in _family(type_, None)),
)
