"""The history of scheduled runs for people: run by run, each reason with its machines and what to do.

Must not: hide a run; who wants fewer lines narrows the scope or the time.
"""

from collections.abc import Iterator

from patchmode.model.resource_id import ResourceId
from patchmode.model.run_history import FailedMachines, FailureReport, ScheduleRun
from patchmode.reports.columns import shortened, wrapped
from patchmode.reports.headings import note_lines, plural, some, target_text
from patchmode.reports.machine_names import MachineNames
from patchmode.reports.paint import Paint

_MESSAGE_WIDTH = 300


def failure_lines(report: FailureReport, *, paint: Paint) -> Iterator[str]:
    """The lines of a history, without line feeds."""
    names = MachineNames.of(report.target, _ids(report), paint=paint)
    for run in report.runs:
        yield from _run(run, names, paint)
        yield ""
    counts = report.counts
    where = f" in {names.place}," if names.place else ""
    text = f"{plural(counts['runs'], 'run')} {report.since.words}{where} on {target_text(report.target)}"
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


def _run(run: ScheduleRun, names: MachineNames, paint: Paint) -> Iterator[str]:
    name = names.schedule(run.configuration) if run.configuration else "a configuration that the record does not name"
    for line in wrapped(f"{name}  {_times(run)}", paint=paint, hang=4):
        yield paint("strong", line)
    parts = [f"{len(run.succeeded):,} succeeded", f"{run.failed:,} failed"]
    if run.unfinished:
        parts.append(f"{len(run.unfinished):,} not ended")
    yield f"  {plural(run.members, 'machine')}: {', '.join(parts)}"
    for entry in run.failures:
        yield from _failed(entry, names, paint)


def _times(run: ScheduleRun) -> str:
    if run.started_at is None:
        return "at a time that the record does not tell"
    utc = f"{run.started_at:%Y-%m-%d %H:%M} UTC"
    if run.local_start is None:
        return utc
    local = f"{run.local_start:%a %Y-%m-%d %H:%M} {run.time_zone}"
    return local if run.time_zone == "UTC" else f"{local} ({utc})"


def _failed(entry: FailedMachines, names: MachineNames, paint: Paint) -> Iterator[str]:
    is_over = entry.recovered == len(entry.machines)
    since = "" if is_over or not entry.recovered else f", {entry.recovered:,} of them have succeeded since"
    for line in wrapped(f"{entry.words} ({len(entry.machines):,}{since})", paint=paint, indent=4):
        yield paint("dim" if is_over else "bad", line)
    yield from wrapped(some([names.short(machine) for machine in entry.machines]), paint=paint, indent=6)
    if entry.messages:
        more = f" (and {len(entry.messages) - 1:,} other texts)" if len(entry.messages) > 1 else ""
        yield from wrapped(f"“{shortened(entry.messages[0], _MESSAGE_WIDTH)}”{more}", paint=paint, indent=6)
    yield from wrapped(f"→ {entry.advice}", paint=paint, indent=6, hang=8)
    if entry.command:
        yield f"        {entry.command}"
