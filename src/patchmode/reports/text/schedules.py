"""Schedules for people: the list, one in full, the calendar, and what is wrong.

Must not: leave a configuration out, or call a machine a member that may be none.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from shlex import quote

from patchmode.model.finding import Severity
from patchmode.model.patch_settings import Orchestration
from patchmode.model.report import (
    Calendar,
    CalendarEntry,
    CheckReport,
    LastRun,
    Member,
    ScheduleDetail,
    ScheduleFinding,
    ScheduleList,
    ScheduleView,
    forecast_counts,
)
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import NextWindow, RunForecast, Timing, Via, Window, WindowRule, local_text, offset_text
from patchmode.model.scope import scope_text
from patchmode.model.target import Target
from patchmode.reports.names import MachineNames
from patchmode.reports.text.layout import (
    Cell,
    Paint,
    TableColumn,
    blocks,
    name_lines,
    note_lines,
    plural,
    sectioned,
    target_text,
    way_out,
    wrapped,
)
from patchmode.reports.text.maintenance_events import event_lines
from patchmode.reports.text.pending import NO_RECORD, assessed_text, kept_note, total_text
from patchmode.reports.text.summary import Counted, SummaryBy, Tally, summary_lines

_MEANING = {
    RunForecast.RUNS: "good",
    RunForecast.FAILS: "bad",
    RunForecast.MISSED: "warn",
    RunForecast.NO_WINDOW: "warn",
    RunForecast.UNKNOWN: "warn",
}
_SEVERITY = {Severity.BLOCKS: "bad", Severity.WARNS: "warn", Severity.NOTES: "dim"}
_TITLES = {
    Severity.BLOCKS: "Must be corrected",
    Severity.WARNS: "Problems",
    Severity.NOTES: "Worth knowing",
}
_WORDS = {
    Timing.OVER: "expired",
    Timing.NEVER: "never",
    Timing.UNREADABLE: "unreadable",
    Timing.MISSING: "missing",
    Timing.UNSEEN: "not seen",
    Timing.COMING: "one of two days",
}
_LIST = (
    TableColumn("SCHEDULE", 8, is_name=True),
    TableColumn("NEXT, LOCAL", 16),
    TableColumn("UTC"),
    TableColumn("STATIC"),
    TableColumn("DYNAMIC"),
    TableColumn("FINDINGS"),
)
_CALENDAR = (
    TableColumn("LOCAL", 14),
    TableColumn("UTC"),
    TableColumn("SCHEDULE", 8, is_name=True),
    TableColumn("RUN"),
    TableColumn("FAIL"),
    TableColumn("MISSED"),
    TableColumn("UNKNOWN"),
)
_MEMBERS = (
    TableColumn("MACHINE", 8, is_name=True),
    TableColumn("NEXT"),
    TableColumn("VIA"),
    TableColumn("CLAUSE OR REASON", 12),
)
_PENDING = (
    TableColumn("MACHINE", 8, is_name=True),
    TableColumn("CRITICAL"),
    TableColumn("SECURITY"),
    TableColumn("OTHER"),
    TableColumn("ASSESSED", 16),
)
_LEAF = "  "
_NO_RUN = {Timing.OVER, Timing.NEVER, Timing.MISSING}


def list_lines(found: ScheduleList, *, paint: Paint) -> Iterator[str]:
    """The lines of `schedule list`, without line feeds."""
    names = _names_of(found.target, found.schedules)
    if found.schedules:
        rows = [(view.configuration.id, _list_row(view)) for view in found.schedules]
        yield from _by_subscription(_LIST, rows, names, paint)
        yield ""
        for view in found.schedules:
            yield from wrapped(f"{names.short(view.configuration.id)}: {view.window_text}", paint=paint, hang=4)
            yield from _rules_of(view, paint)
        yield ""
    reached = {member.machine.id for view in found.schedules for member in view.members if member.is_certain}
    where = MachineNames.of(found.target, reached).place
    text = (
        f"{plural(len(found.schedules), 'schedule')} on "
        f"{target_text(found.target, names.subscriptions)}, reaching "
        f"{plural(len(reached), 'machine')}{f' in {where}' if where else ''}."
    )
    yield from wrapped(text, paint=paint, hang=4)
    if found.other_scopes:
        text = f"{plural(found.other_scopes, 'configuration')} of other maintenance scopes patch no guests and are not "
        yield from note_lines([f"{text}listed."], paint=paint)
    yield from note_lines(map(names.named, found.notes), paint=paint)


_TALLIES = (
    Tally(RunForecast.RUNS, "RUN"),
    Tally(RunForecast.FAILS, "FAIL"),
    Tally(RunForecast.MISSED, "MISSED"),
    Tally(RunForecast.NO_WINDOW, "NO WINDOW"),
    Tally(RunForecast.UNKNOWN, "UNKNOWN"),
)


def detail_lines(detail: ScheduleDetail, *, paint: Paint, by: SummaryBy | None = None) -> Iterator[str]:
    """The lines of `schedule show`, without line feeds.

    Args:
        detail: the schedule.
        paint: colours, width and height.
        by: what the summary of its members counts by; None: as `summary_lines` says.
    """
    view = detail.schedule
    one = view.configuration
    names = _names_of(detail.target, (view,), *(detail.last_run.went if detail.last_run else ()))
    yield paint("strong", names.short(one.id))
    yield from _fact("In", f"subscription {names.subscription(one.id.subscription_id)}", paint)
    yield f"{_LEAF}{'Id':<11} {one.id}"
    began = _zoned(one.window.start, one.window.time_zone)
    facts = [
        ("Runs", view.window_text),
        (
            "Recurrence",
            f"{one.window.recur_every or '(absent)'}, from {began}",
        ),
        ("Expires", _expiry(one.window)),
        ("Restarts", one.reboot_setting or "(absent)"),
        *_updates(detail),
    ]
    for name, text in facts:
        yield from _fact(name, text, paint)
    yield ""
    yield from _windows(detail.windows, view.next, paint)
    yield from _attached(view, names, paint)
    yield ""
    if detail.events is not None:
        yield from event_lines(detail.events, paint=paint)
        yield ""
    yield from _members(view, names, by, paint)
    if view.members:
        yield ""
        yield from _pending(detail, names, paint)
    if detail.last_run is not None:
        yield ""
        yield from _last_run(detail.last_run, names, paint)
    if view.findings:
        yield ""
        yield from finding_lines(view.findings, names, paint=paint)
    if detail.notes:
        yield ""
        yield from note_lines(map(names.named, detail.notes), paint=paint)


def _example(entries: Sequence[CalendarEntry], names: MachineNames) -> str:
    """The first schedule of which a machine fails or is unknown, else the first, as a command takes it."""
    odd = {RunForecast.FAILS, RunForecast.UNKNOWN}
    found = next((one for one in entries if any(member.result in odd for member in one.members)), entries[0])
    identifier = found.configuration.id
    return quote(str(identifier) if names.are_several else f"{identifier.resource_group}/{identifier.name}")


def calendar_lines(calendar: Calendar, *, paint: Paint) -> Iterator[str]:
    """The lines of `schedule next`, without line feeds."""
    ids = [entry.configuration.id for entry in calendar.entries]
    ids += [member.machine.id for entry in calendar.entries for member in entry.members]
    names = _names_of(calendar.target, calendar.silent, *ids)
    if calendar.entries:
        yield from _calendar(calendar.entries, names, paint)
        text = "Numbers are machines. MISSED: they are off, so that the window passes without them. FAIL and UNKNOWN: "
        text += f"`patchmode schedule show {_example(calendar.entries, names)}` says why."
        yield from (paint("dim", line) for line in wrapped(text, paint=paint, hang=2))
        yield ""
    span = f"from {calendar.start:%Y-%m-%d %H:%M} to {calendar.end:%Y-%m-%d %H:%M} UTC"
    scope = f", machines of {scope_text(calendar.scope)}" if calendar.scope else ""
    where = f", in {names.place}" if names.place else ""
    yield from wrapped(f"{plural(len(calendar.entries), 'window')} {span}{scope}{where}.", paint=paint, hang=4)
    failing = {
        member.machine.id
        for entry in calendar.entries
        for member in entry.members
        if member.is_certain and member.forecast.result is RunForecast.FAILS
    }
    if failing:
        before = f"{plural(len(failing), 'machine')} will fail in the current state: "
        called = [names.short(one) for one in sorted(failing)]
        yield from (paint("bad", line) for line in name_lines(called, paint=paint, before=before, after=".", hang=4))
    for view in calendar.silent:
        when = "it will not run again" if view.next.never_again else "its next window is not known"
        name = names.short(view.configuration.id)
        text = f"{name} reaches {plural(len(view.members), 'machine')}, and {when}: {view.next.because}."
        yield from wrapped(text, paint=paint, hang=4, whole=(name,))
    yield from note_lines(map(names.named, calendar.notes), paint=paint)


def check_lines(report: CheckReport, *, paint: Paint) -> Iterator[str]:
    """The lines of `schedule check`, without line feeds."""
    subjects = [one for finding in report.findings for one in finding.subjects]
    ids = [*subjects, *(one.configuration for one in report.findings if one.configuration)]
    names = _names_of(report.target, report.checked, *ids)
    yield from finding_lines(report.findings, names, paint=paint)
    if report.findings:
        yield ""
    tally = {severity: sum(one.severity is severity for one in report.findings) for severity in Severity}
    words = {Severity.BLOCKS: "to correct", Severity.WARNS: "problems", Severity.NOTES: "worth knowing"}
    parts = ", ".join(f"{count:,} {words[severity]}" for severity, count in tally.items() if count)
    told = f"{plural(len(report.findings), 'finding')} ({parts})" if parts else "nothing is wrong"
    told += " in what could be read" if report.notes and not parts else ""
    told += f"; {report.unreadable:,} could not be read" if report.unreadable else ""
    where = f" in {names.place}," if names.place else ""
    on = target_text(report.target, names.subscriptions)
    text = f"{plural(len(report.checked), 'schedule')} checked{where} on {on}: {told}."
    for line in wrapped(text, paint=paint, hang=4):
        yield paint("good" if report.is_clean else "warn", line)
    yield from note_lines(map(names.named, report.notes), paint=paint)


def finding_lines(findings: Iterable[ScheduleFinding], names: MachineNames, *, paint: Paint) -> Iterator[str]:
    """Findings by severity: rule, configuration, message, subjects, way out."""
    by_severity: dict[Severity, list[ScheduleFinding]] = defaultdict(list)
    for finding in findings:
        by_severity[finding.severity].append(finding)
    for severity in Severity:
        if by_severity[severity]:
            yield paint(_SEVERITY[severity], f"{_TITLES[severity]}:")
            for finding in by_severity[severity]:
                yield from _finding(finding, names, paint)


def window_words(window: Window) -> str:
    """One window: `Wed 2026-12-09 02:00-05:00 +01:00  =  2026-12-09 01:00 UTC`."""
    zone = window.local_start.tzinfo
    local_end = window.ends_at.astimezone(zone)
    return (
        f"{window.local_start:%a %Y-%m-%d %H:%M}-{local_end:%H:%M} {offset_text(window.local_start)}  =  "
        f"{window.starts_at:%Y-%m-%d %H:%M} UTC"
    )


def _names_of(target: Target, views: Iterable[ScheduleView], *others: ResourceId | str) -> MachineNames:
    """What schedules, their members and `others` are called in one output."""
    ids: list[ResourceId | str] = [*others]
    for view in views:
        ids += [view.configuration.id, *(member.machine.id for member in view.members)]
        ids += [one.machine for one in view.assignments]
        ids += [one.subscription_id for one in view.dynamic_scopes]
    return MachineNames.of(target, ids)


def _by_subscription(
    columns: Sequence[TableColumn],
    rows: Sequence[tuple[ResourceId, Sequence[Cell | str]]],
    names: MachineNames,
    paint: Paint,
) -> Iterator[str]:
    headings = ("SUBSCRIPTION", "GROUP") if names.are_several else ("GROUP",)
    sections = names.sections((one for one, _ in rows), is_short=not names.are_several)
    table = [(section, row) for section, (_, row) in zip(sections, rows, strict=True)]
    yield from sectioned(columns, table, headings, paint=paint)


def _rules_of(view: ScheduleView, paint: Paint) -> Iterator[str]:
    """What is wrong with a schedule, a line for each rule: every orphan is a finding of its own."""
    subjects: dict[tuple[str, Severity], list[str]] = defaultdict(list)
    for finding in view.findings:
        subjects[finding.rule, finding.severity] += finding.subjects
    members = {str(member.machine.id) for member in view.members}
    for (rule, severity), ids in subjects.items():
        whose = f"{len(ids):,} of its machines" if members.issuperset(ids) else plural(len(ids), "machine")
        yield f"{_LEAF}{paint(_SEVERITY[severity], rule)}{f' ({whose})' if ids else ''}"


def _list_row(view: ScheduleView) -> Sequence[Cell | str]:
    window = view.next.window
    worst = min(view.findings, key=lambda one: tuple(Severity).index(one.severity), default=None)
    static, dynamic = _reached(view)
    return [
        Cell(view.configuration.name, "strong"),
        local_text(window.local_start) if window else Cell(_WORDS[view.next.timing], "warn"),
        f"{window.starts_at:%m-%d %H:%M}" if window else "",
        static,
        dynamic,
        Cell(f"{len(view.findings):,}", _SEVERITY[worst.severity]) if worst else "",
    ]


def _reached(view: ScheduleView) -> tuple[str, str]:
    """How many machines it reaches by assignments, and by dynamic scopes with those in doubt: one count everywhere."""
    doubt = f"+{view.in_doubt:,}?" if view.in_doubt else ""
    return f"{view.via[Via.STATIC]:,}", f"{view.via[Via.DYNAMIC]:,}{doubt}"


def _fact(name: str, text: str, paint: Paint) -> Iterator[str]:
    # The name's blanks must not be taken for the gaps between words.
    for number, line in enumerate(wrapped(text, paint=paint, indent=14)):
        yield f"{_LEAF}{name:<11} {line[14:]}" if number == 0 else line


def _updates(detail: ScheduleDetail) -> Iterator[tuple[str, str]]:
    patches = detail.schedule.configuration.properties.get("installPatches") or {}
    for title, name, included, excluded in (
        ("On Windows", "windowsParameters", "kbNumbersToInclude", "kbNumbersToExclude"),
        ("On Linux", "linuxParameters", "packageNameMasksToInclude", "packageNameMasksToExclude"),
    ):
        chosen = patches.get(name) or {}
        parts = [", ".join(map(str, chosen.get("classificationsToInclude") or ())) or "no classification"]
        parts += [f"with {', '.join(map(str, chosen[included]))}"] if chosen.get(included) else []
        parts += [f"without {', '.join(map(str, chosen[excluded]))}"] if chosen.get(excluded) else []
        yield title, f"installs {'; '.join(parts)}"


def _zoned(text: str | None, zone: str | None) -> str:
    """A time as the configuration has it, with its zone."""
    return f"{text} {zone or '(no time zone)'}" if text else "(absent)"


def _expiry(rule: WindowRule) -> str:
    """The service writes the end of the calendar where a schedule has no end."""
    text = rule.expiration
    return "never" if not text or text.startswith("9999-12-31") else _zoned(text, rule.time_zone)


def _windows(windows: Sequence[Window], following: NextWindow, paint: Paint) -> Iterator[str]:
    if not windows:
        yield from wrapped(f"No next window: {following.because}.", paint=paint, hang=4)
        return
    yield "Next windows:"
    if following.window is None:
        yield from wrapped(f"Not certain: {following.because}.", paint=paint, indent=2, hang=4)
    for window in windows:
        yield f"{_LEAF}{window_words(window)}"


def _attached(view: ScheduleView, names: MachineNames, paint: Paint) -> Iterator[str]:
    yield ""
    assignments, scopes = plural(len(view.assignments), "assignment"), plural(len(view.dynamic_scopes), "dynamic scope")
    unseen = frozenset(view.unseen)
    away = sum(one.machine in unseen for one in view.assignments)
    whose = f" ({away:,} of them to machines that you do not see)" if away else ""
    yield from wrapped(f"Attached by {assignments}{whose} and {scopes}.", paint=paint, hang=4)
    for scope, text in zip(view.dynamic_scopes, view.scope_texts, strict=True):
        place = f" (subscription {scope.subscription_id})" if scope.resource_group and names.are_several else ""
        yield from wrapped(names.named(f"{scope.name}{place} on {text}"), paint=paint, indent=2, hang=4)
    if unseen:
        called = [names.short(one) for one in view.unseen]
        before = "assigned, and not among the machines that you see: "
        yield from name_lines(called, paint=paint, before=before, indent=2, hang=4)


def _members(view: ScheduleView, names: MachineNames, by: SummaryBy | None, paint: Paint) -> Iterator[str]:
    counts = forecast_counts(view.members)
    told = ", ".join(f"{count:,} {_verb(kind)}" for kind, count in counts.items() if count)
    if view.members and view.next.timing in _NO_RUN:
        told = "no window will come for them"
    static, dynamic = _reached(view)
    via = f" ({static} static, {dynamic} dynamic)" if view.members else ""
    yield from wrapped(f"Members now: {len(view.members):,}{via}{f': {told}' if told else ''}.", paint=paint, hang=4)
    if view.members:
        counted = (Counted(member.machine.id, (member.result,)) for member in view.members)
        many = len(view.members)
        yield from summary_lines(counted, _TALLIES, names, whole="MEMBERS", by=by, rows=many, paint=paint)
        rows = [(member.machine.id, _member_row(member)) for member in view.members]
        yield from _by_subscription(_MEMBERS, rows, names, paint)


def _pending(detail: ScheduleDetail, names: MachineNames, paint: Paint) -> Iterator[str]:
    """What the last assessment of each member found, whatever of it the schedule installs."""
    members, pending = detail.schedule.members, detail.pending
    yield from wrapped(f"Pending updates, as last assessed: {total_text(pending, len(members))}.", paint=paint, hang=4)
    if pending.refusal:
        return
    rows: list[tuple[ResourceId, Sequence[Cell | str]]] = []
    for member in members:
        found = pending.found.get(member.machine.id)
        counts = ("", "", "") if found is None or found.counts is None else tuple(f"{one:,}" for one in found.counts)
        when = NO_RECORD if found is None else assessed_text(found, detail.created_at).removeprefix("assessed ")
        rows.append((member.machine.id, [member.machine.name, *counts, when]))
    yield from _by_subscription(_PENDING, rows, names, paint)
    yield from note_lines(kept_note(pending, len(members)), paint=paint)


def _verb(kind: RunForecast) -> str:
    verbs = {
        RunForecast.RUNS: "will run",
        RunForecast.FAILS: "will fail",
        RunForecast.MISSED: "will be missed",
        RunForecast.NO_WINDOW: "no window will come",
        RunForecast.UNKNOWN: "not known",
    }
    return verbs[kind]


def _member_row(member: Member) -> Sequence[Cell | str]:
    result = member.result
    return [
        member.machine.name,
        Cell(result.value, _MEANING[result]),
        member.hit.via.value,
        member.hit.doubt or (member.hit.clause if result is RunForecast.RUNS else _what_is_missing(member)),
    ]


def _what_is_missing(member: Member) -> str:
    """The reason without what all machines of its rule share, which a narrow terminal would show alone."""
    reason = member.forecast.reason.removeprefix("the prerequisite is not met: ")
    return reason.removesuffix(f" instead of {Orchestration.CUSTOMER_MANAGED_SCHEDULES.portal_name}")


def _last_run(run: LastRun, names: MachineNames, paint: Paint) -> Iterator[str]:
    when = f" of {run.started_at:%Y-%m-%d %H:%M} UTC" if run.started_at else ""
    told = ", ".join(f"{count:,} {status}" for status, count in sorted(run.statuses.items()))
    yield from wrapped(f"Last run{when}: {told}.", paint=paint, hang=4)
    for title, ids in (("Members now that were not in it", run.came), ("In it then, and no members now", run.went)):
        if ids:
            members = [names.short(one) for one in ids]
            yield from name_lines(members, paint=paint, before=f"{title} ({len(ids):,}): ", indent=2, hang=4)
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for one in run.failed:
        following = f"next time: {one.forecast.result}" if one.forecast else "no members now"
        groups[one.words, one.message, following].append(names.short(one.machine))
    for (words, message, following), failed in groups.items():
        text = f"Failed on {len(failed):,}, {words}; {following}: "
        yield from name_lines(failed, paint=paint, before=text, indent=2, hang=4)
        if message:
            yield from wrapped(message, paint=paint, indent=6)


def _calendar(entries: Sequence[CalendarEntry], names: MachineNames, paint: Paint) -> Iterator[str]:
    """By time, so not in sections; on a terminal a line more says which of the schedules of one name it is."""
    is_long = names.are_several and paint.width is None
    texts = [names.short(one.configuration.id) if is_long else one.configuration.name for one in entries]
    table = blocks(_CALENDAR, map(_calendar_row, entries, texts), paint=paint)
    yield from next(table)
    for entry, block in zip(entries, table, strict=True):
        yield from block
        if names.are_several and not is_long:
            yield paint("dim", f"  {names.short(entry.configuration.id)}")


def _calendar_row(entry: CalendarEntry, name: str) -> Sequence[Cell | str]:
    counts = forecast_counts(entry.members)
    return [
        f"{entry.window.local_start:%a} {local_text(entry.window.local_start)}",
        f"{entry.window.starts_at:%m-%d %H:%M}",
        Cell(name, "strong"),
        *(_count(counts[kind], _MEANING[kind]) for kind in _ORDER),
    ]


_ORDER = (RunForecast.RUNS, RunForecast.FAILS, RunForecast.MISSED, RunForecast.UNKNOWN)


def _count(number: int, meaning: str) -> Cell:
    return Cell(f"{number:,}", meaning if number else "dim")


def _finding(finding: ScheduleFinding, names: MachineNames, paint: Paint) -> Iterator[str]:
    name = f"  {names.short(finding.configuration)}" if finding.configuration else ""
    count = f" ({len(finding.subjects):,})" if len(finding.subjects) > 1 else ""
    yield f"  {paint(_SEVERITY[finding.severity], finding.rule)}{paint('strong', name)}{count}"
    yield from wrapped(names.named(finding.message), paint=paint, indent=6)
    if finding.subjects:
        yield from name_lines([names.short(one) for one in finding.subjects], paint=paint, indent=6)
    if finding.fix:
        yield from way_out(finding.fix, paint=paint)
