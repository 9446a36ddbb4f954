"""Azure Policy for people: whom each built-in covers, and why not."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from patchmode.model.plain_text import printable
from patchmode.model.policy import BuiltIn, PolicyAssignment, PolicyAudit, PolicyLook, PolicyState, PolicyVerdict
from patchmode.reports.names import MachineNames
from patchmode.reports.text.layout import (
    Cell,
    Paint,
    TableColumn,
    note_lines,
    plural,
    sectioned,
    target_text,
    wrapped,
)
from patchmode.reports.text.left_alone import skipped_lines, unreadable_lines

if TYPE_CHECKING:
    from patchmode.model.resource_id import ResourceId

_COLUMNS = (
    TableColumn("MACHINE", 8, is_name=True),
    TableColumn("SET"),
    TableColumn("STATE"),
    TableColumn("WHY", 24),
)
TITLES: Mapping[BuiltIn, str] = {
    BuiltIn.PREREQUISITE: "sets Customer Managed Schedules",
    BuiltIn.PERIODIC_ASSESSMENT: "turns periodic assessment on",
    BuiltIn.RECURRING_UPDATES: "attaches a schedule, and sets Customer Managed Schedules when it does",
}
_PREPARED = "whether the machine has Customer Managed Schedules"
_SETTINGS: Mapping[BuiltIn, str] = {
    BuiltIn.PREREQUISITE: _PREPARED,
    BuiltIn.PERIODIC_ASSESSMENT: "whether its periodic assessment is on",
    BuiltIn.RECURRING_UPDATES: _PREPARED,
}
_MEANINGS: Mapping[PolicyState, tuple[str, str | None]] = {
    PolicyState.COMPLIANT: ("an assignment evaluates it, and its condition is met", "good"),
    PolicyState.NON_COMPLIANT: ("an assignment evaluates it; a remediation task would change it", "warn"),
    PolicyState.MISSED: ("in an assignment's scope, and the definition does not select it", "bad"),
    PolicyState.NOT_ENFORCED: ("in the scope of an assignment that changes nothing", "warn"),
    PolicyState.EXEMPT: ("an exemption leaves it out", None),
    PolicyState.EXCLUDED: ("the assignment leaves it out", None),
    PolicyState.NOT_ASSIGNED: ("no assignment covers it", "warn"),
    PolicyState.NOT_APPLICABLE: ("the definition is not for machines of this type", None),
    PolicyState.UNKNOWN: ("not known; WHY says what is missing", "warn"),
}
_IF_ASSIGNED = {
    True: "An assignment for its operating system, without filters, would select it.",
    False: "An assignment would not select it either:",
    None: "Whether an assignment would select it is not known:",
}
_SET = {True: "yes", False: "no", None: "-"}


def policy_audit_lines(audit: PolicyAudit, *, paint: Paint) -> Iterator[str]:
    """The lines of `policy audit`, without line feeds."""
    told: list[ResourceId | str] = [one.id for look in audit.looks[:1] for one in look.verdicts]
    told += [*(one.id for one in audit.skipped), *(one.id for one in audit.unreadable)]
    names = MachineNames.of(audit.target, told)
    for look in audit.looks:
        yield from _look(look, names, paint)
        yield ""
    for title, skipped in (
        ("Filtered out", [one for one in audit.skipped if one.is_filtered_out]),
        ("Not known whether in scope", [one for one in audit.skipped if not one.is_filtered_out]),
    ):
        if skipped:
            yield f"{title} ({len(skipped):,}):"
            yield from skipped_lines(skipped, names, paint=paint)
            yield ""
    if audit.unreadable:
        yield f"Could not be read ({len(audit.unreadable):,}):"
        yield from unreadable_lines(audit.unreadable, names, paint=paint)
        yield ""
    if audit.unread:
        yield "Policies not known:"
        yield from unreadable_lines(audit.unread, names, paint=paint)
        yield ""
    yield from note_lines(audit.notes, paint=paint)
    yield from wrapped(f"{target_text(audit.target)}.", paint=paint)
    yield from wrapped(_counts(audit.counts), paint=paint)
    yield from wrapped(
        "The states are worked out here from the definition, assignments and exemptions as they are now; Azure's own "
        "evaluation is repeated about once a day.",
        paint=paint,
    )


def _counts(counts: Mapping[str, int]) -> str:
    told = f"{plural(counts['machines'], 'machine')}, {counts['findings']:,} with a finding"
    return f"{told}; {counts['skipped']:,} left out of the scope, {counts['unreadable']:,} unreadable."


def _look(look: PolicyLook, names: MachineNames, paint: Paint) -> Iterator[str]:
    version = look.definition.version if look.definition else None
    told = f"version {version}" if version else "version not known"
    title = f"{look.policy.value}: {TITLES[look.policy]} (built-in {look.policy.guid}, {told})"
    for line in wrapped(title, paint=paint, hang=2):
        yield paint("strong", line)
    if look.problem:
        yield from wrapped(f"The definition could not be read: {look.problem}", paint=paint, indent=2)
    yield from _assignments(look.assignments, names, paint)
    if look.verdicts:
        yield ""
        rows = [_row(one) for one in look.verdicts]
        sections = list(names.sections(one.id for one in look.verdicts))
        pairs = list(zip(sections, rows, strict=True))
        yield from sectioned(_COLUMNS, pairs, ("SUBSCRIPTION", "GROUP"), paint=paint)
        yield from _legend(look, paint)
    yield from _summary(look, paint)


def _assignments(assignments: Iterable[PolicyAssignment], names: MachineNames, paint: Paint) -> Iterator[str]:
    found = list(assignments)
    if not found:
        yield "  No assignment of it was found."
    for one in found:
        given = ", ".join(f"{name}={_value(value)}" for name, value in one.parameters.items()) or "no parameters"
        idle = "" if one.enforcement.lower() == "default" else f"; enforcement {one.enforcement}"
        without = f"; {plural(len(one.not_scopes), 'notScope')}" if one.not_scopes else ""
        nobody = "; no managed identity" if one.identity_type.lower() == "none" else ""
        told = f"Assigned as {printable(one.name)} at {place_text(one.scope, names)}: {given}{without}{idle}{nobody}"
        yield from wrapped(told, paint=paint, indent=2, hang=4)


def place_text(scope: str, names: MachineNames) -> str:
    """The place of an assignment, in words."""
    parts = scope.strip("/").split("/")
    match [part.lower() for part in parts]:
        case ["subscriptions", _]:
            return f"subscription {names.subscription(parts[1])}"
        case ["subscriptions", _, "resourcegroups", _]:
            return f"group {printable(parts[3])} of subscription {names.subscription(parts[1])}"
        case ["providers", "microsoft.management", "managementgroups", _]:
            return f"management group {printable(parts[3])}"
    return names.named(scope)


def _value(value: object) -> str:
    if isinstance(value, Mapping) and set(value) == {"key", "value"}:
        return f"{value['key']}={value['value']}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return printable(str(value))


def _row(one: PolicyVerdict) -> list[Cell | str]:
    _, meaning = _MEANINGS[one.state]
    set_meaning = {True: "good", False: "warn", None: None}[one.is_set]
    return [one.id.name, Cell(_SET[one.is_set], set_meaning), Cell(one.state.value, meaning), _why(one)]


def _why(one: PolicyVerdict) -> str:
    parts = [reason.message for reason in one.reasons]
    if one.counts_as_compliant:
        parts.insert(0, "By Azure's rules it counts as compliant.")
    if one.state is PolicyState.NOT_ASSIGNED:
        parts.insert(0, _IF_ASSIGNED[one.selected])
    return " ".join((*parts, *one.notes))


def _legend(look: PolicyLook, paint: Paint) -> Iterator[str]:
    told = "; ".join(f"{state.value} = {_MEANINGS[state][0]}" for state in _MEANINGS if look.states.get(state))
    yield from wrapped(f"SET: {_SETTINGS[look.policy]}. STATE: {told}.", paint=paint, hang=2)


def _summary(look: PolicyLook, paint: Paint) -> Iterator[str]:
    """The numbers that a reader takes away: who is kept by policy, and who is not."""
    parts = [f"{look.states[state]:,} {state.value}" for state in _MEANINGS if look.states.get(state)]
    yield from wrapped(f"{plural(len(look.verdicts), 'machine')}: {', '.join(parts) or 'none'}.", paint=paint)
    never = Counter(
        reason.subject
        for one in look.verdicts
        if one.selected is False and not _other_type(one)
        for reason in one.reasons
    )
    if never:
        told = ", ".join(f"{subject} {count:,}" for subject, count in sorted(never.items()))
        yield from wrapped(f"Not selected by the definition, by reason: {told}.", paint=paint)
    falsely = sum(one.counts_as_compliant for one in look.verdicts)
    if falsely:
        yield from wrapped(
            f"{plural(falsely, 'machine counts', 'machines count')} as compliant by Azure's rules and "
            f"{'does' if falsely == 1 else 'do'} not have the setting.",
            paint=paint,
        )


def _other_type(one: PolicyVerdict) -> bool:
    return one.state is PolicyState.NOT_APPLICABLE
