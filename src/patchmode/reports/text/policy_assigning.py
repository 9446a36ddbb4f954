"""An assignment for people: what would be written and what it would do, and what was written."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from patchmode.model.plain_text import printable
from patchmode.model.policy import AssignDraft, ExemptMachine, PolicyAssignReport, PolicyState
from patchmode.model.target import Target
from patchmode.reports.names import MachineNames
from patchmode.reports.text.attachments import difference_lines
from patchmode.reports.text.layout import Paint, name_lines, plural, target_text, wrapped
from patchmode.reports.text.next_steps import command
from patchmode.reports.text.policy import TITLES, place_text

_ROLES: Mapping[str, str] = {
    "9980e02c-c2be-4d73-94e8-173b1dc7cf3c": "Virtual Machine Contributor",
    "cd08ab90-6b14-449c-ad9a-8f8e549482c6": "Scheduled Patching Contributor",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
}
_CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
_EFFECTS: Mapping[PolicyState, str] = {
    PolicyState.NON_COMPLIANT: "changed by a remediation task, or at the next write to the machine, unless refused",
    PolicyState.COMPLIANT: "already as the definition asks",
    PolicyState.MISSED: "not selected by the definition",
    PolicyState.EXEMPT: "exempt",
    PolicyState.NOT_APPLICABLE: "of another type",
    PolicyState.UNKNOWN: "not known",
}


def draft_lines(drafted: AssignDraft, target: Target, *, paint: Paint) -> Iterator[str]:
    """What would be written, and what it would do about the machines that are there."""
    wish = drafted.wish
    names = MachineNames.of(target, [*(one.id for one in drafted.verdicts), wish.scope])
    is_new = drafted.standing is None
    mark, meaning = ("+", "add") if is_new else ("~", "change")
    title = f"{wish.name}  {wish.policy.value}: {TITLES[wish.policy]}"
    yield f"{paint(meaning, mark)} {paint('strong', title)}"
    version = f", version {drafted.definition.version}" if drafted.definition.version else ""
    yield from wrapped(
        f"at {place_text(wish.scope, names)}; built-in {wish.policy.guid}{version}", paint=paint, indent=4
    )
    if is_new:
        for name, value in _parameters(drafted.body):
            yield paint("add", f"    + {name}: {value}")
        yield paint("add", f"    + managed identity: system-assigned, in {printable(wish.location)}")
    for one in drafted.before:
        path = one.path.removeprefix("properties.")
        yield paint("change", f"    ~ {path}: {one.found} -> {one.expected}")
    for grant in drafted.missing_roles:
        where = "there" if grant.scope == wish.scope else f"at {names.short(grant.scope)}"
        yield paint("add", f"    + role of the identity {where}: {_role(grant.role)}")
    yield from _exempt(drafted.exempt, names, paint)
    yield ""
    yield from _effects(drafted, names, paint)
    if drafted.missing_roles and _CONTRIBUTOR not in wish.roles:
        yield from wrapped(
            "! The definition names Contributor. Without the right to read a gallery image, changes of its machines "
            "are refused (Microsoft, troubleshooting of Update Manager); --role Contributor gives it.",
            paint=paint,
            hang=2,
        )


def _parameters(body: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    properties = body.get("properties")
    found = properties.get("parameters") if isinstance(properties, Mapping) else None
    for name, one in found.items() if isinstance(found, Mapping) else ():
        yield name, json.dumps(one["value"], ensure_ascii=False)


def _exempt(exempt: Sequence[ExemptMachine], names: MachineNames, paint: Paint) -> Iterator[str]:
    """The exemptions that are still to be made, by their reason."""
    by_reason: dict[str, list[str]] = {}
    for one in exempt:
        if not one.is_there:
            by_reason.setdefault(f"{one.reason} ({one.rule})", []).append(names.short(one.id))
    for reason, members in by_reason.items():
        counted = plural(len(members), "exemption")
        yield from wrapped(f"+ {counted}: {reason}", paint=paint, indent=4, hang=6)
        yield from name_lines(members, paint=paint, indent=8)


def _effects(drafted: AssignDraft, names: MachineNames, paint: Paint) -> Iterator[str]:
    states = Counter(one.state for one in drafted.verdicts)
    if not drafted.verdicts:
        yield "No machine is there now; the assignment is for those that are created later."
    else:
        yield f"Machines in its scope now ({len(drafted.verdicts):,}):"
    for state, words in _EFFECTS.items():
        if states[state]:
            number = f"{states[state]:,}"
            yield from wrapped(f"{number}  {words}", paint=paint, indent=6 - len(number), hang=8)
            if state is not PolicyState.COMPLIANT:
                members = [names.short(one.id) for one in drafted.verdicts if one.state is state]
                yield from name_lines(members, paint=paint, indent=8)
    if drafted.unreadable:
        yield paint("warn", f"{drafted.unreadable:>6,}  could not be read")
    for one in drafted.unwritable:
        told = f"! {names.short(one.id)} refuses the change and an exemption alike ({one.rule}): {one.reason}"
        yield from wrapped(told, paint=paint, hang=2)
    noted = Counter(note for one in drafted.verdicts for note in one.notes)
    for note, count in noted.items():
        yield from wrapped(f"! {plural(count, 'machine')}: {note}", paint=paint, hang=2)


def _role(guid: str) -> str:
    return _ROLES.get(guid, guid)


def assign_lines(report: PolicyAssignReport, *, paint: Paint) -> Iterator[str]:
    """The lines of an assignment, without line feeds."""
    yield from difference_lines(report.differences, paint=paint)
    words = {
        "created": "Assigned",
        "replaced": "Replaced",
        "completed": "Completed",
        "unchanged": "Nothing was changed:" if report.not_exempt else "Already as asked, nothing was sent:",
    }
    fine = not report.differences
    checked = "; a read afterwards shows what was sent." if fine and report.result != "unchanged" else "."
    text = f"{words[report.result]} {report.id} on {target_text(report.target)}{checked}"
    for line in wrapped(text, paint=paint, hang=4):
        yield paint("good" if fine else "bad", line)
    roles = ", ".join(map(_role, report.roles)) or "none"
    yield from wrapped(f"Its identity {report.principal_id or '(none)'} has there: {roles}.", paint=paint, hang=4)
    if report.not_exempt:
        short = MachineNames.of(report.target, [one.id for one in report.not_exempt]).short
        told = ", ".join(short(one.id) for one in report.not_exempt)
        yield from wrapped(
            f"! Without an exemption, because a lock or a deny assignment refuses every write there: {told}.",
            paint=paint,
            hang=2,
        )
    if report.changed_later:
        counted = plural(report.changed_later, "machine in its scope is", "machines in its scope are")
        yield from wrapped(
            f"{counted} not changed by this. A remediation task changes them where nothing refuses it, once Azure has "
            "evaluated the assignment:",
            paint=paint,
            hang=4,
        )
        yield f"  {command('policy', 'remediate', report.id)}"
