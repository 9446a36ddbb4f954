"""The audit for people: one line a machine, then the counts, then what needs attention.

Must not: hide a machine; who wants fewer lines narrows the scope.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from patchmode.model.finding import MachineAudit, Reason, Severity
from patchmode.model.machine import MachineKind
from patchmode.model.outcome import OutcomeKind
from patchmode.model.patch_settings import Orchestration
from patchmode.model.plain_text import printable
from patchmode.model.plan import Skipped
from patchmode.model.report import AuditReport
from patchmode.reports.columns import Cell, Column, lines, way_out, wrapped
from patchmode.reports.headings import note_lines, plural, some, target_text
from patchmode.reports.headline import headline_lines
from patchmode.reports.left_alone import skipped_lines, unreadable_lines
from patchmode.reports.machine_names import MachineNames
from patchmode.reports.paint import Paint

if TYPE_CHECKING:
    from patchmode.model.resource_id import ResourceId

_COLUMNS = (
    Column("SUBSCRIPTION"),
    Column("GROUP"),
    Column("MACHINE", 8),
    Column("OS", 3),
    Column("ORCHESTRATION", 14),
    Column("OUTCOME"),
    Column("FINDING", 12),
)
_REMARKS: dict[Orchestration, tuple[str, str | None]] = {
    Orchestration.AZURE_MANAGED: ("without a schedule, Azure patches and reboots these at a time it chooses", "bad"),
    Orchestration.NOT_APPLICABLE: ("Arc, no patch mode to set", None),
}
_REASONS_SHOWN = 10
_OUTCOME_MEANING = {
    OutcomeKind.SCHEDULED: "good",
    OutcomeKind.SCHEDULE_FAILS: "bad",
    OutcomeKind.PARKED: "warn",
    OutcomeKind.AUTOPATCHED: "bad",
    OutcomeKind.NOT_PATCHED: "warn",
    OutcomeKind.INELIGIBLE: "warn",
}


def audit_lines(report: AuditReport, *, paint: Paint) -> Iterator[str]:
    """The lines of an audit, without line feeds."""
    ids: list[ResourceId | str] = [entry.machine.id for entry in report.machines]
    ids += [*(entry.id for entry in report.skipped), *(entry.id for entry in report.unreadable)]
    names = MachineNames.of(report.target, ids, paint=paint)
    if report.machines:
        yield from _table(report, names, paint)
        yield ""
    yield from _headline(report, names, paint)
    obstacles = [
        reason
        for entry in report.machines
        if not entry.as_wanted
        for reason in entry.reasons
        if reason.severity is Severity.BLOCKS
    ]
    if obstacles:
        yield ""
        yield "Blocked:"
        yield from _rules(obstacles, paint)
    yield from _unknown(report.machines, names, paint)
    filtered, doubtful = _apart(report.skipped)
    for title, skipped in (("Filtered out", filtered), ("Not known whether in scope", doubtful)):
        if skipped:
            yield ""
            yield f"{title} ({len(skipped):,}):"
            yield from skipped_lines(skipped, names, paint=paint)
    if report.unreadable:
        yield ""
        yield f"Could not be read ({len(report.unreadable):,}):"
        yield from unreadable_lines(report.unreadable, names, paint=paint)
    if report.notes:
        yield ""
        yield from note_lines(map(names.named, report.notes), paint=paint)


def _table(report: AuditReport, names: MachineNames, paint: Paint) -> Iterator[str]:
    """One table in a pipe; on a terminal one per resource group, so that a line has room for what matters."""
    if paint.width is None:
        yield from lines(_COLUMNS, (_row(entry, names) for entry in report.machines), paint=paint)
        return
    groups: dict[tuple[str, str], list[MachineAudit]] = defaultdict(list)
    for entry in report.machines:
        machine_id = entry.machine.id
        groups[machine_id.subscription_id, machine_id.resource_group.casefold()].append(entry)
    # All tables share their widths, so that the eye can run down the columns.
    texts = [_row(entry, names)[2:] for members in groups.values() for entry in members]
    table = lines(_COLUMNS[2:], texts, paint=paint)
    yield next(table)
    for members in groups.values():
        machine_id = members[0].machine.id
        label = names.subscription(machine_id.subscription_id)
        yield paint("dim", f"{printable(machine_id.resource_group)}  (subscription {label})")
        yield from islice(table, len(members))


def _row(entry: MachineAudit, names: MachineNames) -> list[Cell | str]:
    machine = entry.machine
    return [
        names.subscription(machine.id.subscription_id),
        machine.id.resource_group,
        machine.name,
        machine.os or "?",
        str(machine.orchestration),
        Cell(str(entry.outcome.kind), _OUTCOME_MEANING.get(entry.outcome.kind)),
        _finding(entry),
    ]


def _finding(entry: MachineAudit) -> Cell:
    as_wanted = entry.as_wanted
    blocking = [] if as_wanted else [reason.rule for reason in entry.reasons if reason.severity is Severity.BLOCKS]
    warning = [reason.rule for reason in entry.reasons if reason.severity is Severity.WARNS]
    if entry.machine.kind is MachineKind.ARC and as_wanted:
        return Cell("Arc: no patch mode to set", "dim")
    if blocking:
        return Cell(", ".join(blocking), "bad")
    text = "as wanted" if as_wanted else "to be set"
    if warning:
        return Cell(f"{text}, {', '.join(warning)}", "warn")
    return Cell(text, "good" if as_wanted else "change")


def _headline(report: AuditReport, names: MachineNames, paint: Paint) -> Iterator[str]:
    counts = report.counts
    where = f" in {names.place}" if names.place else ""
    text = f"Audit of {plural(counts['machines'], 'machine')}{where}, on {target_text(report.target)}"
    yield from wrapped(text, paint=paint)
    wanted = report.wanted.orchestration
    for orchestration in sorted(report.orchestrations, key=lambda entry: (entry is not wanted, entry.portal_name)):
        count = report.orchestrations[orchestration]
        remark, meaning = _REMARKS.get(orchestration, ("", None))
        if orchestration is wanted:
            # A machine that nothing will ever patch is not as wanted for being prepared.
            those = [entry for entry in report.machines if entry.machine.orchestration is wanted]
            as_wanted = sum(entry.as_wanted for entry in those)
            remark, meaning = ("as wanted", "good") if as_wanted == len(those) else (f"{as_wanted:,} as wanted", "warn")
        if orchestration is Orchestration.NOT_SET and (odd := sum(map(_is_undecided, report.machines))):
            remark, meaning = f"{odd:,} of them with settings that cannot be read (odd-settings)", "warn"
        number = f"{count:,}"
        text = f"{number}  {orchestration.portal_name}" + (f": {remark}" if remark else "")
        for line in wrapped(text, paint=paint, indent=8 - len(number), hang=10):
            yield paint(meaning, line) if meaning else line
    if report.machines:
        yield "Current state:"
        yield from headline_lines(report.headline, paint=paint)
    yield from _ends(report, paint)


def _ends(report: AuditReport, paint: Paint) -> Iterator[str]:
    """What may be done about the scope, in one sentence whose numbers add up to it; nothing without an orchestration.

    `asWanted` of the JSON counts the Arc servers of which nothing is asked; here they stand beside.
    """
    counts, wanted = report.counts, report.wanted.orchestration
    if wanted is not None:
        ready = sum(entry.eligible and not entry.as_wanted for entry in report.machines)
        blocked = sum(not entry.eligible and not entry.as_wanted for entry in report.machines)
        is_aside = not report.wanted.concerns_arc
        arc = sum(one.machine.kind is MachineKind.ARC and one.as_wanted and is_aside for one in report.machines)
        filtered, doubtful = map(len, _apart(report.skipped))
        in_doubt = f"{doubtful:,} not known to be in scope, " if doubtful else ""
        yield from wrapped(
            f"{counts['asWanted'] - arc:,} compliant, {ready:,} eligible for {wanted.portal_name}, "
            f"{blocked:,} blocked, {filtered:,} filtered out, {in_doubt}{counts['unreadable']:,} unreadable"
            + (f"; {plural(arc, 'Arc server')} without a patch mode to set." if arc else "."),
            paint=paint,
        )


def _apart(skipped: Sequence[Skipped]) -> tuple[list[Skipped], list[Skipped]]:
    """What a filter left out, and what may or may not be in scope."""
    filtered = [one for one in skipped if one.is_filtered_out]
    return filtered, [one for one in skipped if not one.is_filtered_out]


def _unknown(machines: Sequence[MachineAudit], names: MachineNames, paint: Paint) -> Iterator[str]:
    """Why the outcome of machines is not known, by reason, the most machines first; nothing where all are known."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for entry in machines:
        if entry.outcome.kind is OutcomeKind.UNKNOWN:
            by_reason[entry.outcome.reason].append(names.short(entry.machine.id))
    if not by_reason:
        return
    yield ""
    yield f"Outcome not known ({sum(map(len, by_reason.values())):,}):"
    order = sorted(by_reason.items(), key=lambda item: -len(item[1]))
    for reason, members in order[:_REASONS_SHOWN]:
        yield from wrapped(f"{len(members):,}: {some(members)}", paint=paint, indent=2, hang=4)
        yield from wrapped(names.named(reason), paint=paint, indent=6)
    if len(order) > _REASONS_SHOWN:
        rest = sum(len(members) for _, members in order[_REASONS_SHOWN:])
        yield f"  and {plural(rest, 'more machine')}; `-o json` has all, as outcomeReason"


def _is_undecided(entry: MachineAudit) -> bool:
    settings = entry.machine.settings
    return entry.machine.kind is not MachineKind.ARC and settings is not None and bool(settings.undecided)


def _rules(obstacles: Sequence[Reason], paint: Paint) -> Iterator[str]:
    for rule, count in Counter(reason.rule for reason in obstacles).most_common():
        reasons = [reason for reason in obstacles if reason.rule == rule]
        yield f"  {paint('warn', rule)} ({count:,})"
        if len({reason.message for reason in reasons}) == 1:
            yield from wrapped(reasons[0].message, paint=paint, indent=6)
        for fix in dict.fromkeys(reason.fix for reason in reasons if reason.fix):
            yield from way_out(fix, paint=paint)
