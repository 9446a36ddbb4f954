"""Drift, the history of scheduled runs, and what became of machines in their windows, for people."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC
from itertools import repeat
from shlex import quote
from typing import Any

from patchmode.model.drift import Drift, DriftKind, ResourceChange
from patchmode.model.outcome import OutcomeKind
from patchmode.model.patch_settings import Orchestration
from patchmode.model.plain_text import printable
from patchmode.model.resource_id import ResourceId
from patchmode.model.run_history import (
    AfterWindowReport,
    FailedMachines,
    FailureReport,
    ScheduleRun,
    WindowEnd,
    WindowResult,
)
from patchmode.model.schedule import FailureKind, local_text
from patchmode.reports.names import MachineNames
from patchmode.reports.text.layout import Paint, name_lines, note_lines, plural, target_text, way_out, wrapped
from patchmode.reports.text.left_alone import ANY_ID, NAMED_ON_A_LINE, not_done_text
from patchmode.reports.text.next_steps import command

NOT_TOLD = "not reported by Azure"
_NO_CLIENT = frozenset({"", "unknown", "unspecified"})
"""What Azure writes where it does not know the client."""
_MARKS = {DriftKind.CHANGED: ("~", "change"), DriftKind.CAME: ("+", "add"), DriftKind.WENT: ("-", "remove")}
_BAD = frozenset({OutcomeKind.AUTOPATCHED, OutcomeKind.SCHEDULE_FAILS, OutcomeKind.PARKED, OutcomeKind.NOT_PATCHED})


def drift_lines(drift: Drift, names: MachineNames, *, paint: Paint) -> Iterator[str]:
    """One machine's drift as lines, without line feeds.

    Args:
        drift: of one machine.
        names: of everything that was looked at.
        paint: colours and width.
    """
    mark, meaning = _MARKS[drift.kind]
    said = {
        DriftKind.CHANGED: "",
        DriftKind.CAME: "  is new in the scope",
        DriftKind.WENT: "  is no longer in the scope",
    }
    yield f"{paint(meaning, mark)} {paint('strong', names.short(drift.id))}{said[drift.kind]}"
    for move in drift.moves:
        told = _orchestration if move.field == "orchestration" else _text
        yield from wrapped(f"{move.field}: {told(move.before)} -> {told(move.after)}", paint=paint, indent=4, hang=6)
    if drift.is_outcome_change:
        yield from _outcome(drift, paint)
    for what, ids in (("gained", drift.schedules_gained), ("lost", drift.schedules_lost)):
        for text in ids:
            yield from wrapped(
                f"schedule {what}: {names.schedule(ResourceId.parse(text))}", paint=paint, indent=4, hang=6
            )
    if drift.because:
        yield from wrapped(drift.because, paint=paint, indent=4)
    yield from wrapped(f"by: {author_text(drift.author)}", paint=paint, indent=4, hang=8)


def _outcome(drift: Drift, paint: Paint) -> Iterator[str]:
    before, after = drift.outcome_before or "(not there)", drift.outcome_after or "(gone)"
    is_bad = drift.outcome_after in _BAD
    for line in wrapped(f"outcome: {before} -> {after}", paint=paint, indent=4, hang=6):
        yield paint("bad" if is_bad else "strong", paint("strong", line) if is_bad else line)
    if drift.kind is not DriftKind.WENT:
        yield from wrapped(drift.outcome_reason, paint=paint, indent=6)


def author_text(author: ResourceChange | None) -> str:
    """Who did it, in Azure's own words; what it leaves out is left out."""
    if author is None:
        return NOT_TOLD
    who = author.changed_by or "(who: not reported)"
    kind = f" ({author.changed_by_type})" if author.changed_by_type else ""
    client = f" with {author.client_type}" if (author.client_type or "").casefold() not in _NO_CLIENT else ""
    operation = f", {author.operation}" if author.operation else ""
    at = f", {author.at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}" if author.at else ""
    return f"{who}{kind}{client}{operation}{at}"


def _orchestration(value: Any) -> str:
    return _text(None) if value is None else Orchestration(value).portal_name


def _text(value: Any) -> str:
    return "(absent)" if value is None else printable(json.dumps(value, ensure_ascii=False))


_TEXTS_SHOWN = 5
"""Texts of machines that failed in one run for one reason."""


def failure_lines(report: FailureReport, *, paint: Paint) -> Iterator[str]:
    """The lines of a history, without line feeds."""
    names = MachineNames.of(report.target, _ids(report))
    told: set[tuple[str, str | None]] = set()
    for run in report.runs:
        yield from _run(run, names, told, paint)
        yield ""
    counts = report.counts
    where = f" in {names.place}," if names.place else ""
    on = target_text(report.target, names.subscriptions)
    text = f"{plural(counts['runs'], 'run')} {report.since.words}{where} on {on}"
    yield from wrapped(text, paint=paint)
    if report.runs:
        yield from wrapped(
            f"{counts['members']:,} machine runs: {counts['succeeded']:,} succeeded, {counts['failed']:,} failed, "
            f"{counts['unfinished']:,} not ended.",
            paint=paint,
            indent=2,
        )
        if not counts["failed"]:
            yield paint("good", "No run failed.")
        elif counts["runsWithFailures"] > 1:
            reasons = (f"{words} {count:,}" for words, count in report.failed_by_reason.most_common())
            yield from wrapped(f"Failed: {', '.join(reasons)}.", paint=paint, indent=2)
            fixes = (one for run in report.runs for one in run.failures if one.kind is FailureKind.PREREQUISITE)
            fix = next((one.command for one in fixes if one.command), None)
            if fix:
                yield "  → To fix those that last failed on the prerequisite, plan and apply:"
                yield f"    {fix}"
    else:
        yield from wrapped("Azure has no record of a scheduled run in that time.", paint=paint)
    if report.notes:
        yield ""
        yield from note_lines(map(names.named, report.notes), paint=paint)


def _ids(report: FailureReport) -> Iterator[ResourceId]:
    for run in report.runs:
        if run.configuration is not None:
            yield run.configuration
        yield from (*run.succeeded, *run.unfinished, *(one for entry in run.failures for one in entry.machines))


def _run(run: ScheduleRun, names: MachineNames, told: set[tuple[str, str | None]], paint: Paint) -> Iterator[str]:
    name = names.schedule(run.configuration) if run.configuration else "a configuration that the record does not name"
    for line in wrapped(f"{name}  {_times(run)}", paint=paint, hang=4):
        yield paint("strong", line)
    parts = [f"{len(run.succeeded):,} succeeded", f"{run.failed:,} failed"]
    if run.unfinished:
        parts.append(f"{len(run.unfinished):,} not ended")
    yield f"  {plural(run.members, 'machine')}: {', '.join(parts)}"
    for entry in run.failures:
        yield from _failed(entry, names, told, paint)


def _times(run: ScheduleRun) -> str:
    if run.started_at is None:
        return "at a time that the record does not hold"
    utc = f"{run.started_at:%Y-%m-%d %H:%M} UTC"
    if run.local_start is None:
        return utc
    local = f"{run.local_start:%a} {local_text(run.local_start)}"
    return local if local.endswith("UTC") else f"{local} ({utc})"


def _failed(
    entry: FailedMachines, names: MachineNames, told: set[tuple[str, str | None]], paint: Paint
) -> Iterator[str]:
    """One reason of a run; what fixes it is told with the newest run that has it, and not again with each before."""
    is_over = entry.recovered == len(entry.machines)
    since = "" if is_over or not entry.recovered else f", {entry.recovered:,} of them have succeeded since"
    for line in wrapped(f"{entry.words} ({len(entry.machines):,}{since})", paint=paint, indent=4):
        yield paint("dim" if is_over else "bad", line)
    found = _by_text(entry)
    for text, machines in found[:_TEXTS_SHOWN]:
        yield from name_lines([names.short(machine) for machine in machines], paint=paint, indent=6)
        if text:
            yield from wrapped(f"“{text}”", paint=paint, indent=6)
    rest = sum(len(machines) for _, machines in found[_TEXTS_SHOWN:])
    if rest:
        yield f"      and {plural(rest, 'more machine')} with other texts; `-o json` has all"
    fix = entry.advice, entry.command
    if fix in told:
        return
    told.add(fix)
    yield from wrapped(f"→ {entry.advice}", paint=paint, indent=6, hang=8)
    if entry.command:
        yield f"        {entry.command}"


def _by_text(entry: FailedMachines) -> Sequence[tuple[str, list[ResourceId]]]:
    """What Azure recorded with the machines of which it did, the most frequent text first and none last."""
    found: dict[str, list[ResourceId]] = {text: [] for text in entry.messages}
    for machine, text in zip(entry.machines, entry.texts or repeat(""), strict=False):
        found.setdefault(text, []).append(machine)
    return sorted(((text, machines) for text, machines in found.items() if machines), key=lambda one: not one[0])


_TITLES = {
    WindowEnd.FAILED: ("Failed in its window", "bad"),
    WindowEnd.MISSED: ("Missed its window: powered off or not responding", "bad"),
    WindowEnd.UNKNOWN: ("Not known", "warn"),
    WindowEnd.NO_SCHEDULE: ("No schedule", "warn"),
    WindowEnd.NOT_YET: ("Not yet", "change"),
}
_WORDS = {
    WindowEnd.SUCCEEDED: "succeeded",
    WindowEnd.FAILED: "failed",
    WindowEnd.MISSED: "missed",
    WindowEnd.NOT_YET: "not yet",
    WindowEnd.NO_SCHEDULE: "without a schedule",
    WindowEnd.UNKNOWN: "not known",
}


def after_window_lines(
    report: AfterWindowReport, *, what: str, paint: Paint, again: Sequence[str] | None = None
) -> Iterator[str]:
    """The lines for people: what did not succeed first, by reason, then the tally.

    Args:
        report: the report.
        what: the run, file or scope that was asked for.
        paint: colours and width.
        again: words of this command; None: it cannot be pasted.
    """
    ids: list[ResourceId | str] = [*(entry.id for entry in report.results), *report.unread]
    names = MachineNames.of(report.target, ids)
    for end, (title, meaning) in _TITLES.items():
        entries = [entry for entry in report.results if entry.result is end]
        if entries:
            yield paint(meaning, f"{title} ({len(entries):,}):")
            yield from _by_reason(entries, names, paint, again)
            yield ""
    counts = report.counts
    parts = [f"{counts[end.value]:,} {word}" for end, word in _WORDS.items() if counts[end.value]]
    since = f"{report.since.astimezone(UTC):%Y-%m-%d %H:%MZ}"
    text = f"After the window ({what}, since {since}): {', '.join(parts) or 'no machine'}; "
    fine = counts["succeeded"] == counts["scope"] and not report.unread
    missing = (
        f", without those in {plural(len(report.unread), 'place')} that could not be read" if report.unread else ""
    )
    where = f" in {names.place}" if names.place else ""
    for line in wrapped(f"{text}{plural(counts['scope'], 'machine')}{where}{missing}.", paint=paint, hang=4):
        yield paint("good" if fine else "bad", line)
    yield from note_lines(map(names.named, report.notes), paint=paint)
    if report.not_done:
        rest = not_done_text(report.not_done, ())
        text = f"Not everything of {what} is as asked: {rest}. No window of these machines was checked."
        yield from (paint("warn", line) for line in wrapped(text, paint=paint, hang=4))


def _by_reason(
    entries: Sequence[WindowResult], names: MachineNames, paint: Paint, again: Sequence[str] | None
) -> Iterator[str]:
    groups: dict[tuple[str, str | None], list[WindowResult]] = defaultdict(list)
    for entry in entries:
        # A fix that names its machine would make a group of each.
        fix = entry.fix.replace(quote(str(entry.id)), ANY_ID) if entry.fix else None
        groups[entry.reason, fix].append(entry)
    for (reason, fix), members in groups.items():
        machines = name_lines([names.short(entry.id) for entry in members], paint=paint, indent=2, hang=4)
        yield from (paint("strong", line) for line in machines)
        yield from wrapped(reason, paint=paint, indent=6)
        if fix:
            yield from way_out("\n".join(_fix_for(fix, members, again)), paint=paint)


def _fix_for(fix: str, members: Sequence[WindowResult], again: Sequence[str] | None) -> Sequence[str]:
    """One machine's remedy as all of them need it, in commands that run."""
    if f"--ids {ANY_ID}" not in fix:
        return (
            [fix.replace(ANY_ID, quote(str(one.id))) for one in members[:NAMED_ON_A_LINE]] if ANY_ID in fix else [fix]
        )
    if len(members) > NAMED_ON_A_LINE and again is not None:
        chosen = ("-o", "json", "--query", f"results[?result=='{members[0].result}'].id")
        return [f"{command(*again, *chosen)} > ids.json", fix.replace(f"--ids {ANY_ID}", "--ids-file ids.json")]
    return [fix.replace(ANY_ID, " ".join(quote(str(one.id)) for one in members))]
