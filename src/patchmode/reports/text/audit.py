"""The audit for people: one line a machine, then counts and what needs attention; and one machine in full."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from patchmode.model.finding import MachineAudit, Reason, Severity
from patchmode.model.left_alone import Skipped
from patchmode.model.machine import Machine, MachineKind
from patchmode.model.outcome import Headline, OutcomeKind, Readiness
from patchmode.model.patch_settings import Orchestration, PatchSettings
from patchmode.model.plain_text import json_escaped, printable
from patchmode.model.report import AuditReport, Explanation
from patchmode.model.schedule import MachineSchedules, ScheduleHit, local_text
from patchmode.model.target import Target
from patchmode.reports.names import MachineNames
from patchmode.reports.text.layout import (
    Cell,
    Paint,
    TableColumn,
    name_lines,
    note_lines,
    phrases,
    plural,
    sectioned,
    target_text,
    way_out,
    wrapped,
)
from patchmode.reports.text.left_alone import skipped_lines, unreadable_lines
from patchmode.reports.text.next_steps import command, nobody_now_lines
from patchmode.reports.text.pending import kept_note, pending_text
from patchmode.reports.text.summary import Counted, SummaryBy, Tally, summary_lines
from patchmode.reports.text.tenants import audited_text, in_tenants, tenant_lines

if TYPE_CHECKING:
    from patchmode.model.resource_id import ResourceId


_MEMBERS = (
    ("fails_at_next_window", "fails at its next window", "fail at their next window"),
    ("rebooted_by_azure", "rebooted by Azure without a window", "rebooted by Azure without a window"),
    ("patched_by_nobody", "patched by nobody", "patched by nobody"),
    ("unknown", "not known: its reason says why", "not known: their reasons say why"),
)


def headline_lines(headline: Headline, *, paint: Paint) -> Iterator[str]:
    """The numbers as the machines stand; those of which nobody knows stand there only where there are any."""
    for member, one, many in _MEMBERS:
        count: int = getattr(headline, member)
        if count or member != "unknown":
            yield from _line(f"{count:>6,}", count, one, many, paint)


def change_lines(before: Headline, after: Headline, *, paint: Paint) -> Iterator[str]:
    """The numbers before and after a plan."""
    width = max(len(f"{getattr(after, member):,}") for member, _, _ in _MEMBERS)
    for member, one, many in _MEMBERS:
        was: int = getattr(before, member)
        count: int = getattr(after, member)
        if was or count or member != "unknown":
            yield from _line(f"{was:>6,} -> {count:<{width},}", count, one, many, paint)


def _line(numbers: str, count: int, one: str, many: str, paint: Paint) -> Iterator[str]:
    text = f"{numbers.lstrip()}  {one if count == 1 else many}"
    for line in wrapped(text, paint=paint, indent=2 + len(numbers) - len(numbers.lstrip()), hang=10):
        yield paint("warn", line) if count else line


_COLUMNS = (
    TableColumn("MACHINE", 8, is_name=True),
    TableColumn("OS"),
    TableColumn("ORCHESTRATION", 13),
    TableColumn("OUTCOME"),
    TableColumn("FINDING", 10),
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


_TALLIES = (
    Tally("compliant", "COMPLIANT"),
    Tally("change", "NEEDS CHANGE"),
    Tally("blocked", "BLOCKED"),
    Tally("arc", "ARC"),
    Tally(OutcomeKind.SCHEDULE_FAILS, "FAIL NEXT", is_part=False),
    Tally(OutcomeKind.AUTOPATCHED, "BY AZURE", is_part=False),
    Tally("nobody", "BY NOBODY", is_part=False),
    Tally(OutcomeKind.UNKNOWN, "UNKNOWN", is_part=False),
)
"""Columns of a summary: what is to be done adds up to the machines; beside it what the lines of the headline say."""


def audit_lines(
    report: AuditReport, *, paint: Paint, by: SummaryBy | None = None, again: Sequence[str] | None = None
) -> Iterator[str]:
    """The lines of an audit, without line feeds.

    Args:
        report: the audit.
        paint: colours, width and height.
        by: what its summary counts by; None: as `summary_lines` says.
        again: words of this command; None: it cannot be pasted.
    """
    ids: list[ResourceId | str] = [entry.machine.id for entry in report.machines]
    ids += [*(entry.id for entry in report.skipped), *(entry.id for entry in report.unreadable)]
    names = MachineNames.of(report.target, ids)
    if report.machines:
        counted = (Counted(entry.machine.id, _states(entry, report)) for entry in report.machines)
        rows = len(report.machines)
        yield from summary_lines(counted, _TALLIES, names, whole="MACHINES", by=by, rows=rows, paint=paint)
        yield from _table(report, names, paint)
        yield from legend_lines({entry.outcome.kind for entry in report.machines}, paint=paint)
        yield ""
    yield from _headline(report, names, paint)
    waiting = [entry.machine.id for entry in report.machines if entry.outcome.kind is OutcomeKind.PARKED]
    yield from nobody_now_lines(waiting, report.nobody, again=again, paint=paint)
    yield from tenant_lines(report, again=again, paint=paint)
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


def _states(entry: MachineAudit, report: AuditReport) -> tuple[str, str]:
    """What a machine is counted under: what is to be done with it, and who patches it now."""
    nobody = (OutcomeKind.PARKED, OutcomeKind.NOT_PATCHED)
    now = "nobody" if entry.outcome.kind in nobody else entry.outcome.kind
    if entry.as_wanted:
        return "arc" if _is_aside(entry, report) else "compliant", now
    return "change" if entry.eligible else "blocked", now


def _is_aside(entry: MachineAudit, report: AuditReport) -> bool:
    """Whether nothing is asked of it: an Arc server has no patch mode."""
    return entry.machine.kind is MachineKind.ARC and entry.as_wanted and not report.wanted.concerns_arc


def _table(report: AuditReport, names: MachineNames, paint: Paint) -> Iterator[str]:
    """One table in a pipe; on a terminal in sections by resource group, so that a line has room for what matters."""
    sections = names.sections(entry.machine.id for entry in report.machines)
    headings: tuple[str, ...] = ("SUBSCRIPTION", "GROUP")
    if report.tenants:
        sections, headings = in_tenants(report, sections), ("TENANT", *headings)
    rows = [(section, _row(entry)) for section, entry in zip(sections, report.machines, strict=True)]
    yield from sectioned(_COLUMNS, rows, headings, paint=paint)


def legend_lines(met: Collection[OutcomeKind], *, paint: Paint) -> Iterator[str]:
    """What the outcomes of an output mean: words of ours that nobody has met before."""
    text = "; ".join(f"{kind} = {kind.words}" for kind in OutcomeKind if kind in met)
    for line in wrapped(f"OUTCOME: {text}.", paint=paint, hang=2):
        yield paint("dim", line)


def _row(entry: MachineAudit) -> list[Cell | str]:
    machine = entry.machine
    return [
        machine.name,
        machine.os or "?",
        machine.orchestration.portal_name,
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
    text = "compliant" if as_wanted else "needs change"
    if warning:
        return Cell(f"{text}, {', '.join(warning)}", "warn")
    return Cell(text, "good" if as_wanted else "change")


def _headline(report: AuditReport, names: MachineNames, paint: Paint) -> Iterator[str]:
    counts = report.counts
    where = f" in {names.place}" if names.place else ""
    text = f"Audit of {plural(counts['machines'], 'machine')}{where}, on {audited_text(report)}"
    yield from wrapped(text, paint=paint)
    if report.machines:
        yield from readiness_lines(report.readiness, paint=paint)
    wanted = report.wanted.orchestration
    for orchestration in sorted(report.orchestrations, key=lambda entry: (entry is not wanted, entry.portal_name)):
        count = report.orchestrations[orchestration]
        remark, meaning = _REMARKS.get(orchestration, ("", None))
        if orchestration is wanted:
            # A machine that nothing will ever patch is not as wanted for being prepared.
            those = [entry for entry in report.machines if entry.machine.orchestration is wanted]
            as_wanted = sum(entry.as_wanted for entry in those)
            remark, meaning = ("compliant", "good") if as_wanted == len(those) else (f"{as_wanted:,} compliant", "warn")
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


_READINESS = {
    Readiness.READY_SCHEDULED: "good",
    Readiness.WILL_FAIL: "bad",
}


def readiness_lines(counted: Mapping[Readiness, int], *, paint: Paint) -> Iterator[str]:
    """How many machines are ready for a schedule, and have one: every kind, so that the numbers add up.

    Args:
        counted: of a fleet.
        paint: colours and width.
    """
    begin = [("", word, "") for word in ["Ready", "for", "a", "schedule:"]]
    parts = [
        (_READINESS.get(kind, "warn") if counted[kind] else "", f"{counted[kind]:,} {kind.words}", ";")
        for kind in Readiness
    ]
    *rest, (meaning, text, _) = parts
    yield from phrases([*begin, *rest, (meaning, text, ".")], paint=paint, hang=2)


def _ends(report: AuditReport, paint: Paint) -> Iterator[str]:
    """What may be done about the scope, in one sentence whose numbers add up to it; nothing without an orchestration.

    `asWanted` of the JSON counts the Arc servers of which nothing is asked; here they stand beside.
    """
    counts, wanted = report.counts, report.wanted.orchestration
    if wanted is not None:
        ready = sum(entry.eligible and not entry.as_wanted for entry in report.machines)
        blocked = sum(not entry.eligible and not entry.as_wanted for entry in report.machines)
        arc = sum(_is_aside(one, report) for one in report.machines)
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
        yield from name_lines(members, paint=paint, before=f"{len(members):,}: ", indent=2, hang=4)
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


_MEANINGS = {Severity.BLOCKS: "bad", Severity.WARNS: "warn", Severity.NOTES: "dim"}


def explanation_lines(explanation: Explanation, *, paint: Paint) -> Iterator[str]:
    """The lines of one machine's explanation, without line feeds."""
    entry = explanation.audit
    machine = entry.machine
    names = MachineNames.of(explanation.target, [machine.id])
    yield paint("strong", printable(machine.name))
    yield from wrapped(f"in {names.place}", paint=paint, indent=2)
    yield from wrapped(str(machine.id), paint=paint, indent=2)
    yield from wrapped(f"on {target_text(explanation.target, [machine.id.subscription_id])}", paint=paint, indent=2)
    yield ""
    for name, value in _facts(machine):
        yield f"  {name:<22}{printable(value)}"
    yield ""
    yield f"Orchestration: {paint('strong', machine.orchestration.portal_name)}"
    for name, value in _settings(machine.settings):
        yield f"  {name:<22}{printable(value)}"
    yield ""
    yield from wrapped(names.named(f"Outcome: {entry.outcome.kind} - {entry.outcome.reason}"), paint=paint)
    yield ""
    yield from _schedules(entry.schedules, explanation.target, machine, paint)
    if explanation.pending is not None:
        pending = explanation.pending
        yield ""
        text = pending_text(pending.found.get(machine.id), pending, explanation.created_at)
        yield from wrapped(f"Pending updates: {text}", paint=paint, hang=2)
        for note in kept_note(pending, 1):
            yield from wrapped(note, paint=paint, indent=2)
    yield ""
    yield _eligibility(entry, paint)
    for reason in entry.reasons:
        yield from _reason(reason, paint)
    if explanation.notes:
        yield ""
        yield from note_lines(map(names.named, explanation.notes), paint=paint)
    yield ""
    yield "JSON view:"
    yield json_escaped(json.dumps(explanation.document, indent=2, ensure_ascii=False, default=str))


def _eligibility(entry: MachineAudit, paint: Paint) -> str:
    """Whether the wanted settings may be sent, for a machine that has them already too."""
    if entry.as_wanted:
        return paint("good", "Already compliant.")
    return paint("good", "Eligible.") if entry.eligible else paint("bad", "Blocked.")


def _facts(machine: Machine) -> Iterator[tuple[str, str]]:
    image = machine.image
    marketplace = ":".join(part for part in (image.publisher, image.offer, image.sku) if part)
    yield "kind", str(machine.kind)
    yield "operating system", str(machine.os or "not known")
    yield "region", machine.location
    yield "image", image.id or marketplace or "none (attached or specialised disk)"
    if machine.plan is not None:
        plan = machine.plan
        yield "plan", ":".join(part for part in (plan.publisher, plan.offer, plan.sku) if part)
    yield "running system", machine.surroundings.os_name or machine.os_edition or "not known"
    yield "power", machine.surroundings.power_state or "not known"
    yield "VM agent", machine.surroundings.agent_status or "not known"
    if machine.surroundings.patch_extension is not None:
        yield (
            "patch extension",
            f"{machine.surroundings.patch_extension.name}: {machine.surroundings.patch_extension.state}",
        )
    yield "provisioning", machine.provisioning_state or "not known"
    yield "etag", machine.etag or "none"
    for lock in machine.surroundings.locks:
        yield "lock", f"{lock.level} {lock.name!r} at {lock.scope}"
    if machine.surroundings.group_managed_by:
        yield "group managed by", machine.surroundings.group_managed_by


def _settings(settings: PatchSettings | None) -> Iterator[tuple[str, str]]:
    if settings is None:
        yield "patchSettings", "absent"
        return
    values = {
        "patchMode": (settings.patch_mode, "patchMode"),
        "bypass": (settings.bypass, "bypassPlatformSafetyChecksOnUserSchedule"),
        "assessmentMode": (settings.assessment_mode, "assessmentMode"),
        "rebootSetting": (settings.reboot_setting, "rebootSetting"),
        "enableHotpatching": (settings.hotpatch, "enableHotpatching"),
    }
    for name, (value, member) in values.items():
        found = settings.found(member)
        if found is not None:
            yield name, f"unreadable: {found}"
        else:
            yield name, "absent" if value is None else json.dumps(value).strip('"')


def _schedules(schedules: MachineSchedules, target: Target, machine: Machine, paint: Paint) -> Iterator[str]:
    """What reaches the machine, the next to run first; overlaps stand among the reasons."""
    if not schedules.looked_up:
        yield from wrapped(f"Schedules: not known, {schedules.why_not}", paint=paint)
    elif not schedules.hits:
        yield "Schedules: none"
        return
    else:
        yield f"Schedules ({len(schedules.hits):,}):"
    # One of the same name may stand in another subscription.
    names = MachineNames.of(target, [machine.id, *(hit.configuration for hit in schedules.hits)])
    for hit in schedules.hits:
        yield f"  {paint('strong', names.schedule(hit.configuration))}"
        for text in _hit(hit):
            yield from wrapped(names.named(text), paint=paint, indent=6, hang=8)
    if schedules.hits:
        yield "  Results of its runs, which are not read here:"
        yield f"    {command('schedule', 'failures', '--ids', str(machine.id), '--since', '30d')}"


def _hit(hit: ScheduleHit) -> Iterator[str]:
    yield f"by {hit.clause}"
    for clause in hit.also:
        yield f"also by {clause}"
    if hit.doubt is not None:
        yield f"not certain: {hit.doubt}"
    window = hit.next.window
    if window is not None:
        local, zone = local_text(window.local_start), window.local_start.tzinfo
        yield f"next window: {local}, {zone} ({window.starts_at:%Y-%m-%d %H:%M} to {window.ends_at:%H:%M} UTC)"
    if hit.next.because:
        without = "it will not run again" if hit.next.never_again else "next window not known"
        yield f"{'note' if window is not None else without}: {hit.next.because}"


def _reason(reason: Reason, paint: Paint) -> Iterator[str]:
    yield f"  {paint(_MEANINGS[reason.severity], f'{reason.severity} {reason.rule}')}"
    yield from wrapped(reason.message, paint=paint, indent=6)
    yield from wrapped(f"seen: {reason.evidence}", paint=paint, indent=6, hang=12)
    if reason.fix:
        yield from way_out(reason.fix, paint=paint)
