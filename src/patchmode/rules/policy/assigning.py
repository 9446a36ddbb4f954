"""An assignment as it is asked for: its parameters read, the body that is sent, and where another one differs.

Must not: ask Azure.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from patchmode.model.plan import plain_region
from patchmode.model.policy import BuiltIn, PolicyDefinition, PolicyWish, RoleGrant
from patchmode.model.run import ABSENT_TEXT, Difference

VM_CONTRIBUTOR = "9980e02c-c2be-4d73-94e8-173b1dc7cf3c"
SCHEDULED_PATCHING = "cd08ab90-6b14-449c-ad9a-8f8e549482c6"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
ROLES: Mapping[str, str] = {
    "Virtual Machine Contributor": VM_CONTRIBUTOR,
    "Scheduled Patching Contributor": SCHEDULED_PATCHING,
    "Contributor": CONTRIBUTOR,
}
"""Roles by name. Source: Microsoft, "Azure built-in roles"."""
LEAST: Mapping[BuiltIn, tuple[str, ...]] = {
    BuiltIn.PREREQUISITE: (VM_CONTRIBUTOR,),
    BuiltIn.PERIODIC_ASSESSMENT: (VM_CONTRIBUTOR,),
    BuiltIn.RECURRING_UPDATES: (VM_CONTRIBUTOR, SCHEDULED_PATCHING),
}
"""The roles with the fewest rights that hold the actions of the definition's change.

Source: version 4.5.0 of the definition for periodic assessment names Virtual Machine Contributor itself; the others
name Contributor. With less than Contributor the change of a machine of a gallery image fails for lack of a right to
read that image (Microsoft, "Troubleshoot issues with Azure Update Manager").
"""
LONGEST_NAME = 64
LONGEST_NAME_OF_GROUP = 24
"""At a management group. Source: Microsoft, "Naming rules and restrictions for Azure resources", policyAssignments."""
_MARK, _PENDING = "patchmode", "exemptions are being made"
UNWRITABLE = frozenset({"read-only-lock", "databricks-managed"})
"""Rules that say that nobody writes to the machine: the policy's change is refused there, and so is an exemption."""
REFUSED_TO_ALL = frozenset({"scopelocked", "denyassignmentauthorizationfailed"})
"""Codes of Azure's that say the same of a write, in lower case."""
_FORBIDDEN = frozenset("<>*%&:\\?.+/")


def name_problem(wish: PolicyWish) -> str | None:
    """Why Azure does not take the assignment's name; None: it does."""
    most = LONGEST_NAME_OF_GROUP if "/managementgroups/" in wish.scope.lower() else LONGEST_NAME
    if not wish.name or len(wish.name) > most:
        return f"The name has {len(wish.name)} characters; Azure takes 1 to {most} there."
    wrong = sorted(_FORBIDDEN & set(wish.name))
    if wrong or wish.name.endswith(" "):
        return f"The name has a character that Azure does not take ({' '.join(wrong) or 'a blank at its end'})."
    return None


def parameters_of(definition: PolicyDefinition, typed: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """The values of parameters that were typed.

    Args:
        definition: names its parameters with type, allowed values and default.
        typed: name in any casing → text: JSON, or for a list also its entries between commas.

    Returns:
        Name as the definition spells it → value; and what is wrong, one sentence each.
    """
    known = {name.lower(): name for name in definition.parameters}
    found: dict[str, Any] = {}
    problems: list[str] = []
    for name, text in typed.items():
        own = known.get(name.lower())
        if own is None:
            problems.append(f"The definition has no parameter {name}; it has {', '.join(definition.parameters)}.")
            continue
        described = definition.parameters[own]
        value = _value(str(described.get("type", "String")), text)
        if value is None:
            problems.append(f"{own} is of type {described.get('type')}, and {text!r} is not.")
        elif (wrong := _not_allowed(described.get("allowedValues"), value)) is not None:
            allowed = ", ".join(map(str, described["allowedValues"]))
            problems.append(f"{own} takes {allowed}, and not {wrong}.")
        else:
            found[own] = _as_spelled(described.get("allowedValues"), value)
    needed = {name for name, one in definition.parameters.items() if "defaultValue" not in one}
    problems += [f"{name} has no default: give it with --param {name}=VALUE." for name in sorted(needed - found.keys())]
    return found, problems


def _value(kind: str, text: str) -> Any:
    """The value of a text for a parameter of a type; None: it is not one."""
    if kind.lower() == "string":
        return text
    try:
        value = json.loads(text)
    except ValueError:
        if kind.lower() == "array" and not text.lstrip().startswith("["):
            return [part.strip() for part in text.split(",") if part.strip()]
        return None
    wanted = {"array": list, "object": dict, "boolean": bool, "integer": int, "float": float}.get(kind.lower())
    return value if wanted is not None and isinstance(value, wanted) else None


def _not_allowed(allowed: object, value: Any) -> object:
    if not isinstance(allowed, list):
        return None
    known = {str(one).lower() for one in allowed}
    return next((one for one in (value if isinstance(value, list) else [value]) if str(one).lower() not in known), None)


def _as_spelled(allowed: object, value: Any) -> Any:
    """A value that is allowed, as the definition spells it: Azure may refuse another casing."""
    spelled = {str(one).lower(): one for one in allowed} if isinstance(allowed, list) else {}
    if isinstance(value, list):
        return [spelled.get(str(one).lower(), one) for one in value]
    return spelled.get(str(value).lower(), value)


def body_of(wish: PolicyWish, definition: PolicyDefinition, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The assignment as it is sent."""
    return {
        "location": plain_region(wish.location),
        "identity": {"type": "SystemAssigned"},
        "properties": {
            "displayName": f"patchmode: {definition.display_name}"[:128],
            "policyDefinitionId": wish.policy.definition_id,
            "parameters": {name: {"value": value} for name, value in parameters.items()},
            "enforcementMode": "Default",
        },
    }


def grants_of(wish: PolicyWish, definition: PolicyDefinition, parameters: Mapping[str, Any]) -> tuple[RoleGrant, ...]:
    """The roles that the identity needs, and where.

    A resource that a parameter names may be outside the assignment's scope, such as the maintenance configuration.
    Source: Microsoft, "Azure Policy definition structure: parameters", `assignPermissions`.
    """
    found = [RoleGrant(wish.scope, role) for role in wish.roles]
    for name, described in definition.parameters.items():
        metadata, value = described.get("metadata"), parameters.get(name)
        if not (isinstance(metadata, Mapping) and metadata.get("assignPermissions") is True and isinstance(value, str)):
            continue
        if not f"{value.lower()}/".startswith(f"{wish.scope.lower()}/"):
            beyond = tuple(role for role in wish.roles if role != VM_CONTRIBUTOR) or wish.roles
            found += [RoleGrant(value, role) for role in beyond]
    return tuple(found)


def silenced(body: Mapping[str, Any]) -> dict[str, Any]:
    """The same, changing nothing yet: for the time in which its exemptions are made; marked as such."""
    properties = {**body["properties"], "enforcementMode": "DoNotEnforce", "metadata": {_MARK: _PENDING}}
    return {**body, "properties": properties}


def is_half_written(found: Mapping[str, Any], before: Sequence[Difference]) -> bool:
    """Whether an assignment is one that `silenced` made and that differs in nothing else from what is asked for."""
    metadata = (found.get("properties") or {}).get("metadata")
    is_ours = isinstance(metadata, Mapping) and metadata.get(_MARK) == _PENDING
    return is_ours and [one.path for one in before] == ["properties.enforcementMode"]


def exemption_of(assignment_id: str, reason: str) -> dict[str, Any]:
    """An exemption as it is sent."""
    return {
        "properties": {
            "policyAssignmentId": assignment_id,
            "exemptionCategory": "Waiver",
            "displayName": "patchmode: left out",
            "description": reason[:512],
        }
    }


def differences(body: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Where an assignment is not as it is asked for: definition, parameters, enforcement, identity, notScopes.

    Its display name and the region of its identity are left aside: neither changes what it does.
    """
    wanted, is_there = body["properties"], found.get("properties") or {}
    made = [
        _difference(f"properties.{name}", wanted[name], is_there.get(name))
        for name in ("policyDefinitionId", "enforcementMode")
        if str(wanted[name]).lower() != str(is_there.get(name, "")).lower()
    ]
    theirs = is_there.get("parameters") or {}
    for name in sorted({*wanted["parameters"], *theirs}):
        one, other = wanted["parameters"].get(name), theirs.get(name)
        if one != other:
            made.append(_difference(f"properties.parameters.{name}", _inner(one), _inner(other)))
    made += [
        _difference(f"properties.{name}", None, is_there[name])
        for name in ("notScopes", "resourceSelectors", "overrides")
        if is_there.get(name)
    ]
    kind = (found.get("identity") or {}).get("type")
    if str(kind).lower() != "systemassigned":
        made.append(_difference("identity.type", "SystemAssigned", kind))
    return tuple(made)


def _inner(parameter: Any) -> Any:
    return parameter.get("value") if isinstance(parameter, Mapping) else parameter


def _difference(path: str, expected: Any, found: Any) -> Difference:
    texts = [ABSENT_TEXT if one is None else json.dumps(one, ensure_ascii=False) for one in (expected, found)]
    return Difference(path, *texts)


def undo_commands(
    wish: PolicyWish,
    *,
    before: Mapping[str, Any] | None,
    exemptions: Sequence[str],
    roles: Sequence[RoleGrant],
    principal: str,
) -> Iterator[str]:
    """The commands of az that undo an assignment: its exemptions, its roles, and itself, in this order.

    Args:
        wish: what was asked for.
        before: the assignment that was written over; None: there was none.
        exemptions: ids of the exemptions that were made.
        roles: what was given to the identity.
        principal: object id of the identity.
    """
    for one in exemptions:
        yield _rest("delete", one, "2022-07-01-preview")
    for grant in roles:
        yield f"az role assignment delete --assignee {principal} --role {grant.role} --scope {_quoted(grant.scope)}"
    if before is not None:
        kept = {name: before[name] for name in ("location", "identity", "properties") if name in before}
        yield _rest("put", wish.id, "2023-04-01", json.dumps(kept, separators=(",", ":")))
        return
    yield _rest("delete", wish.id, "2023-04-01")


def _rest(method: str, resource_id: str, api: str, body: str = "") -> str:
    further = f" --body {_quoted(body)}" if body else ""
    return f"az rest --method {method} --url {_quoted(f'{resource_id}?api-version={api}')}{further}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
