"""Whom the assignments of a built-in cover, and what they do about each machine.

Must not: read anything.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from patchmode.model.machine import Machine, MachineKind
from patchmode.model.patch_settings import Orchestration, same_value
from patchmode.model.policy import (
    AssignmentVerdict,
    BuiltIn,
    PolicyAssignment,
    PolicyDefinition,
    PolicyExemption,
    PolicyReason,
    PolicySet,
    PolicyState,
    PolicyVerdict,
)
from patchmode.rules.policy.conditions import Scene, holds
from patchmode.rules.policy.expressions import Surrounding, UnknownError, evaluate
from patchmode.rules.policy.selection import MODIFY, Prepared, Selection, effect_of, select, with_defaults

_ORDER = (
    PolicyState.COMPLIANT,
    PolicyState.NON_COMPLIANT,
    PolicyState.UNKNOWN,
    PolicyState.MISSED,
    PolicyState.NOT_ENFORCED,
    PolicyState.EXEMPT,
    PolicyState.EXCLUDED,
)
"""Of several assignments the one that does most is told."""
_MANAGEMENT_GROUP = "/providers/microsoft.management/managementgroups/"


@dataclass(frozen=True, slots=True)
class Use:
    """One assignment's use of one definition."""

    assignment: PolicyAssignment
    reference_id: str | None
    """Of a set; None: the definition is assigned alone."""
    parameters: Mapping[str, Any]
    """Name → value, without the definition's defaults."""
    unknown: tuple[str, ...] = ()
    """Parameters whose value cannot be told."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What is known of the policies around a subscription's machines."""

    uses: tuple[Use, ...]
    exemptions: tuple[PolicyExemption, ...]
    above: tuple[str, ...] = ()
    """Management groups of notScopes that are known to hold the subscription, as ids in lower case."""
    problem: str = ""
    """Why assignments or exemptions are not all known; empty: they are."""


def uses_of(policy: BuiltIn, assignments: Iterable[PolicyAssignment], sets: Mapping[str, PolicySet]) -> Iterator[Use]:
    """Every use of a built-in, alone or in a set.

    Args:
        policy: the built-in.
        assignments: of a subscription.
        sets: id in lower case → the set, of every set that is assigned and could be read.
    """
    for one in assignments:
        if BuiltIn.of(one.definition_id) is policy:
            yield Use(one, None, one.parameters)
            continue
        found = sets.get(one.definition_id.lower())
        for reference in found.references if found else ():
            if found and BuiltIn.of(reference.definition_id) is policy:
                values = {name.lower(): entry for name, entry in one.parameters.items()}
                defaults = {n.lower(): e["defaultValue"] for n, e in found.parameters.items() if "defaultValue" in e}
                around = Surrounding({**defaults, **values}, lambda _: None)
                given, unknown = _resolved(reference.parameters, around)
                yield Use(one, reference.reference_id, given, unknown)


def _resolved(parameters: Mapping[str, Any], around: Surrounding) -> tuple[dict[str, Any], tuple[str, ...]]:
    found: dict[str, Any] = {}
    unknown: list[str] = []
    for name, value in parameters.items():
        try:
            found[name] = evaluate(value, around)
        except UnknownError:
            unknown.append(name)
    return found, tuple(unknown)


def judge(
    policy: BuiltIn,
    prepared: Prepared | None,
    machine: Machine,
    ground: Ground,
    *,
    related: Mapping[str, Sequence[Mapping[str, Any]]],
    now: datetime,
) -> PolicyVerdict:
    """What a built-in does about a machine.

    Args:
        policy: the built-in.
        prepared: the definition as Azure answers it; None: it could not be read.
        machine: with its provider's document.
        ground: the assignments and exemptions of its subscription.
        related: as `selection.select` takes it.
        now: whether an exemption has expired, aware.
    """
    looked = (_judged(prepared, machine, use, ground, related, now) for use in ground.uses)
    found = [one for one in looked if one is not None]
    found.sort(key=lambda one: _ORDER.index(one[0].state))
    is_set = _is_set(policy, machine)
    if found:
        best, selection = found[0]
        state, reasons = best.state, best.reasons
    else:
        selection = _by_defaults(prepared, machine, related)
        state, reasons = PolicyState.NOT_ASSIGNED, selection.reasons if selection.selected is not True else ()
    if selection is not None and any(one.subject == "type" for one in selection.reasons):
        state = PolicyState.NOT_APPLICABLE
        reasons = tuple(one for one in selection.reasons if one.subject == "type")
    elif ground.problem and state is not PolicyState.COMPLIANT:
        state, reasons = PolicyState.UNKNOWN, (PolicyReason("unknown", ground.problem), *reasons)
    return PolicyVerdict(
        machine.id,
        policy,
        state,
        selection.selected if selection else None,
        is_set,
        reasons,
        tuple(one for one, _ in found),
        _counts_as_compliant(prepared, found, is_set=is_set),
        tuple(_notes(policy, machine, selection)),
    )


Judged = tuple[AssignmentVerdict, Selection | None]


def _judged(
    prepared: Prepared | None,
    machine: Machine,
    use: Use,
    ground: Ground,
    related: Mapping[str, Sequence[Mapping[str, Any]]],
    now: datetime,
) -> Judged | None:
    """What one assignment does; None: the machine is not in its scope."""
    assignment = use.assignment
    if not _is_below(machine, assignment.scope, is_given=True):
        return None
    left = next((one for one in assignment.not_scopes if _is_below(machine, one, above=ground.above)), None)
    if left is not None:
        reason = PolicyReason("not-scope", f"The assignment's notScopes leave out {_called(left)}.")
        return AssignmentVerdict(assignment, PolicyState.EXCLUDED, (reason,)), None
    if (chosen := _chosen(assignment.selectors, machine)) is not True:
        state = PolicyState.UNKNOWN if chosen is None else PolicyState.EXCLUDED
        return AssignmentVerdict(assignment, state, (PolicyReason("selector", _SELECTORS[chosen]),)), None
    if (exempt := _exemption(machine, use, ground.exemptions, now)) is not None:
        return AssignmentVerdict(assignment, *exempt), None
    if prepared is None:
        reason = PolicyReason("unknown", "The definition could not be read.")
        return AssignmentVerdict(assignment, PolicyState.UNKNOWN, (reason,)), None
    parameters = with_defaults(prepared.definition, use.parameters)
    for name in use.unknown:
        parameters.pop(name.lower(), None)
    selection = select(prepared, machine, parameters, related)
    return _evaluated(prepared.definition, use, parameters, selection), selection


def _evaluated(
    definition: PolicyDefinition, use: Use, parameters: Mapping[str, Any], selection: Selection
) -> AssignmentVerdict:
    assignment = use.assignment
    if (idle := _idle(definition, use, parameters)) is not None:
        return AssignmentVerdict(assignment, *idle)
    if selection.selected is False:
        return AssignmentVerdict(assignment, PolicyState.MISSED, selection.reasons)
    if selection.selected is None or selection.fulfilled is None:
        return AssignmentVerdict(assignment, PolicyState.UNKNOWN, selection.reasons)
    if selection.fulfilled:
        return AssignmentVerdict(assignment, PolicyState.COMPLIANT)
    return AssignmentVerdict(assignment, PolicyState.NON_COMPLIANT)


def _idle(
    definition: PolicyDefinition, use: Use, parameters: Mapping[str, Any]
) -> tuple[PolicyState, tuple[PolicyReason, ...]] | None:
    """Why an assignment changes nothing at all; None: it does."""
    assignment = use.assignment
    if assignment.enforcement.lower() == "donotenforce":
        told = "Its enforcement mode is DoNotEnforce: it shows compliance and changes nothing."
        return PolicyState.NOT_ENFORCED, (PolicyReason("enforcement", told),)
    if assignment.overrides:
        told = "It has overrides, which patchmode does not evaluate; they may change its effect."
        return PolicyState.UNKNOWN, (PolicyReason("unknown", told),)
    effect = effect_of(definition, parameters)
    if effect == "disabled":
        return PolicyState.NOT_ENFORCED, (PolicyReason("enforcement", "Its effect is Disabled."),)
    if effect not in ("deployifnotexists", MODIFY):
        told = f"Its effect is {effect}, which changes nothing." if effect else "Its effect is not known."
        return PolicyState.NOT_ENFORCED if effect else PolicyState.UNKNOWN, (PolicyReason("enforcement", told),)
    if assignment.identity_type.lower() == "none":
        told = "It has no managed identity, so it can change nothing."
        return PolicyState.NOT_ENFORCED, (PolicyReason("enforcement", told),)
    return None


def _by_defaults(
    prepared: Prepared | None, machine: Machine, related: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Selection:
    """Whether a new assignment for the machine's operating system, and without filters, would select it."""
    if prepared is None:
        return Selection(None, None, (PolicyReason("unknown", "The definition could not be read."),))
    parameters = with_defaults(prepared.definition, {})
    if "ostype" in parameters and machine.os is not None:
        parameters["ostype"] = str(machine.os)
    found = select(prepared, machine, parameters, related)
    return replace(found, reasons=found.reasons if found.selected is not True else ())


# ------------------------------------------------------------------------------------------------ scopes


def _is_below(machine: Machine, scope: str, *, above: Sequence[str] = (), is_given: bool = False) -> bool:
    """Whether a machine is at or below a scope.

    Args:
        machine: the machine.
        scope: of a management group, a subscription, a resource group or a resource.
        above: management groups that are known to hold its subscription.
        is_given: whether Azure named the scope as one that applies in the subscription, so that a management group
            holds it.
    """
    lowered = scope.lower().rstrip("/")
    if lowered.startswith(_MANAGEMENT_GROUP) or not lowered:
        return is_given or lowered in above
    return machine.id.key == lowered or machine.id.key.startswith(lowered + "/")


def _called(scope: str) -> str:
    """A place in words."""
    parts = scope.strip("/").split("/")
    kind = {"subscriptions": "subscription", "resourcegroups": "resource group", "managementgroups": "management group"}
    if len(parts) > 1 and parts[-2].lower() in kind:
        return f"{kind[parts[-2].lower()]} {parts[-1]}"
    return f"the resource {parts[-1]}"


_SELECTORS = {
    False: "The assignment's resource selectors do not choose it.",
    None: "The assignment's resource selectors have a kind that patchmode does not know.",
}
_SELECTED_BY = {"resourcelocation": "location", "resourcetype": "type"}


def _chosen(selectors: Sequence[Mapping[str, Any]], machine: Machine) -> bool | None:
    """Whether resource selectors choose a machine: one of them with each of its conditions. No selector chooses all.

    Source: "Azure Policy assignment structure": resourceLocation, resourceType, resourceWithoutLocation; in, notIn.
    """
    if not selectors:
        return True
    scene = Scene(
        {"location": machine.location, "type": f"{machine.id.namespace}/{machine.id.type}"},
        {},
        machine.id.resource_group,
    )
    found = [_meets(one, scene) for one in selectors]
    if True in found:
        return True
    return None if None in found else False


def _meets(selector: Mapping[str, Any], scene: Scene) -> bool | None:
    asked = [one for one in selector.get("selectors") or () if isinstance(one, Mapping)]
    found: list[bool | None] = []
    for one in asked:
        name = _SELECTED_BY.get(str(one.get("kind", "")).lower())
        given = {key: one[key] for key in ("in", "notIn") if one.get(key)}
        found.append(holds({"field": name, **given}, scene) if name and given else None)
    if False in found:
        return False
    return None if None in found else True


def _exemption(
    machine: Machine, use: Use, exemptions: Iterable[PolicyExemption], now: datetime
) -> tuple[PolicyState, tuple[PolicyReason, ...]] | None:
    for one in exemptions:
        if one.assignment_id.lower() != use.assignment.id.lower() or not _is_below(machine, one.scope, is_given=True):
            continue
        if one.reference_ids and (use.reference_id or "").lower() not in {name.lower() for name in one.reference_ids}:
            continue
        if one.expires_on is not None and one.expires_on <= now:
            continue
        chosen = _chosen(one.selectors, machine)
        if chosen is False:
            continue
        name = one.id.rsplit("/", 1)[-1]
        until = f", until {one.expires_on:%Y-%m-%d}" if one.expires_on else ""
        if chosen is None:
            return PolicyState.UNKNOWN, (PolicyReason("exemption", f"Exemption {name}: {_SELECTORS[None]}"),)
        told = f"Exemption {name} ({one.category}) at {_called(one.scope)}{until}."
        return PolicyState.EXEMPT, (PolicyReason("exemption", told),)
    return None


# ------------------------------------------------------------------------------------------------ the machine itself


def _is_set(policy: BuiltIn, machine: Machine) -> bool | None:
    settings = machine.settings
    if machine.kind is MachineKind.ARC:
        return None
    if policy is BuiltIn.PERIODIC_ASSESSMENT:
        if settings is not None and settings.is_odd("assessmentMode"):
            return None
        return same_value(settings.assessment_mode if settings else None, "AutomaticByPlatform")
    if settings is not None and settings.undecided:
        return None
    return machine.orchestration is Orchestration.CUSTOMER_MANAGED_SCHEDULES


def _counts_as_compliant(prepared: Prepared | None, found: Sequence[Judged], *, is_set: bool | None) -> bool:
    """Whether Azure counts a machine as compliant that is not set.

    Source: "What is applicability in Azure Policy?": with modify, only the conditions on type, name and kind say
    whether a definition applies, so a machine that another condition does not select counts as compliant; with
    deployIfNotExists it does not count at all. A condition of existence that looks at something else than the setting
    is met without it.
    """
    if is_set is not False or prepared is None:
        return False
    is_modify = any(_is_modify(prepared.definition, one.assignment) for one, _ in found)
    for one, selection in found:
        if one.state is PolicyState.COMPLIANT:
            return True
        if one.state is PolicyState.MISSED and is_modify and selection is not None:
            return not any(reason.subject == "type" for reason in selection.reasons)
    return False


def _is_modify(definition: PolicyDefinition, assignment: PolicyAssignment) -> bool:
    return effect_of(definition, with_defaults(definition, assignment.parameters)) == MODIFY


def _notes(policy: BuiltIn, machine: Machine, selection: Selection | None) -> Iterator[str]:
    """What the definition does not look at, where it would change the machine."""
    if selection is None or selection.selected is not True or selection.fulfilled is not False:
        return
    settings = machine.settings
    if policy is BuiltIn.PERIODIC_ASSESSMENT or settings is None:
        return
    if settings.hotpatch:
        yield "Hotpatch is on: the definition does not look at it, and what Azure answers is not confirmed."
    if settings.bypass is True and not same_value(settings.patch_mode, "AutomaticByPlatform"):
        yield "Only the bypass is set: the patch mode is still to be changed."
