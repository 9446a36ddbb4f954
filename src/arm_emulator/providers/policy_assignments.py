"""Policy assignments and exemptions, written and deleted. They are stored and checked; a remediation alone acts.

Source: azure-rest-api-specs, Microsoft.Authorization: policyAssignments 2023-04-01 (PUT answers 201, DELETE 200 with
the assignment or 204), policyExemptions 2022-07-01-preview (PUT 200 or 201, DELETE 200 or 204). A PUT of an assignment
that is there is documented with 201 as well; the object id of an identity stays while its type does.

The texts of refusals are not confirmed; their codes are those that users report.
"""

from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from arm_emulator.protocol.http import ArmError, Request, Response
from arm_emulator.protocol.routing import Route
from arm_emulator.providers.policy_definitions import built_in_policies
from arm_emulator.state import Document

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

_PROVIDER = "providers/Microsoft.Authorization"
_ASSIGNMENTS = "policyAssignments"
_EXEMPTIONS = "policyExemptions"
_LONGEST, _LONGEST_AT_GROUP = 64, 24
_KINDS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "array": list,
    "object": dict,
    "boolean": bool,
    "integer": int,
    "float": (int, float),
}


def _put_assignment(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    properties = _properties(request.body)
    definition = _definition(cloud, str(properties.get("policyDefinitionId") or ""))
    _check_name(params["scope"], params["name"])
    given = properties.get("parameters") or {}
    if not isinstance(given, dict):
        raise _invalid("InvalidRequestContent", "The request content was invalid: 'parameters' must be an object.")
    _check_parameters(definition, given)
    place = f"/{params['scope']}"
    identifier = f"{place}/{_PROVIDER}/{_ASSIGNMENTS}/{params['name']}"
    before = cloud.state.get(identifier)
    document = {
        "id": identifier,
        "type": f"Microsoft.Authorization/{_ASSIGNMENTS}",
        "name": params["name"],
        **_identity(request.body, before.document if before else {}, identifier),
        "systemData": {"lastModifiedAt": cloud.clock.now().isoformat().replace("+00:00", "Z")},
        "properties": {
            "notScopes": [],
            "enforcementMode": "Default",
            **properties,
            "scope": place,
        },
    }
    return Response(201, cloud.state.put(document, etag=None).document)


def _put_exemption(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    properties = _properties(request.body)
    named = str(properties.get("policyAssignmentId") or "")
    if properties.get("exemptionCategory") not in ("Waiver", "Mitigated"):
        raise _invalid("InvalidCreatePolicyExemptionRequest", "The exemption category must be 'Waiver' or 'Mitigated'.")
    if cloud.state.get(named) is None:
        raise ArmError(404, "PolicyAssignmentNotFound", f"The policy assignment '{named}' is not found.", gateway=True)
    identifier = f"/{params['scope']}/{_PROVIDER}/{_EXEMPTIONS}/{params['name']}"
    is_new = cloud.state.get(identifier) is None
    document = {
        "id": identifier,
        "type": f"Microsoft.Authorization/{_EXEMPTIONS}",
        "name": params["name"],
        "properties": properties,
    }
    return Response(201 if is_new else 200, cloud.state.put(document, etag=None).document)


def _delete(cloud: "Cloud", request: Request, _: dict[str, str]) -> Response:
    stored = cloud.state.get(request.path)
    if stored is None:
        return Response(204)
    cloud.state.delete(stored.id)
    return Response(200, stored.document)


def _properties(body: Any) -> dict[str, Any]:
    properties = body.get("properties") if isinstance(body, dict) else None
    if not isinstance(properties, dict):
        raise _invalid("InvalidRequestContent", "The request content was invalid: 'properties' is required.")
    return properties


def _definition(cloud: "Cloud", definition_id: str) -> Document:
    name = definition_id.rsplit("/", 1)[-1].lower()
    built_in = built_in_policies().get(name)
    if built_in is not None and built_in["id"].lower() == definition_id.lower():
        return built_in
    stored = cloud.state.get(definition_id) if definition_id else None
    if stored is None:
        what = "set definition" if "/policysetdefinitions/" in definition_id.lower() else "definition"
        code = "PolicySetDefinitionNotFound" if what == "set definition" else "PolicyDefinitionNotFound"
        raise ArmError(404, code, f"The policy {what} '{name}' could not be found.", gateway=True)
    return stored.document


def _check_name(scope: str, name: str) -> None:
    is_above = "/managementgroups/" in f"/{scope.lower()}/"
    most = _LONGEST_AT_GROUP if is_above else _LONGEST
    if len(name) > most:
        raise _invalid("InvalidPolicyAssignmentName", f"The name '{name}' exceeds {most} characters.")


def _check_parameters(definition: Document, given: dict[str, Any]) -> None:
    known = definition.get("properties", {}).get("parameters", {})
    names = {name.lower(): name for name in known}
    for name, one in given.items():
        described = known.get(names.get(name.lower(), ""))
        if described is None:
            raise _invalid(
                "UndefinedPolicyParameter", f"The parameter '{name}' is not defined in the policy definition."
            )
        value = one.get("value") if isinstance(one, dict) else None
        kind = _KINDS.get(str(described.get("type", "")).lower(), object)
        if not isinstance(value, kind):
            raise _invalid("InvalidPolicyParameterType", f"The value of the parameter '{name}' has the wrong type.")
        allowed = described.get("allowedValues")
        if allowed and not all(part in allowed for part in (value if isinstance(value, list) else [value])):
            raise _invalid("PolicyParameterValueNotAllowed", f"The value of the parameter '{name}' is not allowed.")
    is_given = {name.lower() for name in given}
    missing = [name for name, one in known.items() if "defaultValue" not in one and name.lower() not in is_given]
    if missing:
        raise _invalid("MissingPolicyParameter", f"The parameter '{missing[0]}' is missing.")


def _identity(body: Any, before: Document, identifier: str) -> Document:
    """The identity with its object id, and its region. Without a region Azure refuses one."""
    given = body.get("identity")
    kind = given.get("type", "None") if isinstance(given, dict) else "None"
    if kind == "None":
        return {"identity": {"type": "None"}, **({"location": body["location"]} if body.get("location") else {})}
    if not body.get("location"):
        raise _invalid("LocationRequired", "The location is required when the policy assignment has an identity.")
    if kind != "SystemAssigned":
        return {"identity": body["identity"], "location": body["location"]}
    old = before.get("identity") or {}
    principal = old.get("principalId") or str(uuid5(NAMESPACE_URL, identifier.lower()))
    return {"identity": {"type": kind, "principalId": principal}, "location": body["location"]}


def _invalid(code: str, message: str) -> ArmError:
    return ArmError(400, code, message, gateway=True)


ROUTES: tuple[Route, ...] = tuple(
    route
    for name, put in ((_ASSIGNMENTS, _put_assignment), (_EXEMPTIONS, _put_exemption))
    for route in (
        Route("PUT", f"/{{scope+}}/{_PROVIDER}/{name}/{{name}}", put, f"Microsoft.Authorization/{name}/write"),
        Route("DELETE", f"/{{scope+}}/{_PROVIDER}/{name}/{{name}}", _delete, f"Microsoft.Authorization/{name}/delete"),
    )
)
