"""Whether a machine's window after some moment succeeded, judged by what Azure recorded and by its schedules.

Must not: call a machine patched without a record that says so.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from patchmode.model.after_window import WindowEnd, WindowResult
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import FailureKind, Installation, MachineRun, MachineSchedules, ScheduleHit, Timing
from patchmode.rules.run_history import has_ended
from patchmode.rules.run_remedies import WORDS

RECORD_LAG = timedelta(minutes=15)
"""So long after a window's end a record may be missing. How far Resource Graph lags is documented without a figure."""
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_WORST_FIRST = (WindowEnd.FAILED, WindowEnd.MISSED, WindowEnd.NOT_YET, WindowEnd.SUCCEEDED)
_INSTALLED = frozenset({"succeeded", "completed", "completedwithwarnings"})


def judge(
    machine_id: ResourceId,
    *,
    runs: Iterable[MachineRun],
    installations: Iterable[Installation],
    schedules: MachineSchedules,
    now: datetime,
) -> WindowResult:
    """What became of one machine.

    Args:
        machine_id: the machine.
        runs: its records since the moment asked for, of whatever configuration. Of each configuration the last counts,
            and of several configurations the worst.
        installations: its installations since that moment; they speak where no run of the machine is recorded.
        schedules: what reaches it, with windows that start at that moment or later.
        now: aware.
    """
    recorded = _latest_of_each([*runs]) or _runs_in(installations)
    if recorded:
        written = {hit.configuration: hit.configuration for hit in schedules.hits}
        ends = [_end_of(machine_id, run, written) for run in recorded]
        return min(ends, key=lambda end: _WORST_FIRST.index(end.result))
    return _without_record(machine_id, schedules, now)


def _latest_of_each(runs: Sequence[MachineRun]) -> list[MachineRun]:
    latest: dict[str, MachineRun] = {}
    for run in sorted(runs, key=lambda run: run.started_at or _EARLIEST):
        latest[run.configuration.key if run.configuration else ""] = run
    return list(latest.values())


def _runs_in(installations: Iterable[Installation]) -> list[MachineRun]:
    """The last installation that a schedule started, as a run; empty where there is none."""
    found = [one for one in installations if one.maintenance_run is not None]
    if not found:
        return []
    last = max(found, key=lambda one: one.started_at or _EARLIEST)
    failed = last.status.casefold() in {"failed", "cancelled", "canceled"}
    kind = FailureKind.WINDOW_EXCEEDED if last.window_exceeded else FailureKind.OTHER if failed else None
    status = "Succeeded" if kind is None and last.status.casefold() in _INSTALLED else last.status
    return [MachineRun(last.machine, None, None, status, last.started_at, last.ended_at, kind, last.message)]


def _end_of(machine_id: ResourceId, run: MachineRun, written: Mapping[ResourceId, ResourceId]) -> WindowResult:
    # Records are in lower case; people know the casing of the configuration itself.
    configuration = None if run.configuration is None else written.get(run.configuration, run.configuration)
    name = f"'{configuration.name}'" if configuration else "a schedule"
    at = f"{run.started_at.astimezone(UTC):%Y-%m-%d %H:%MZ}" if run.started_at else "an unknown time"
    fix = None
    if run.failure is not None:
        end = WindowEnd.MISSED if run.failure is FailureKind.OFF else WindowEnd.FAILED
        said = f": {run.message}" if run.message else ""
        reason = f"its run of {name} at {at} failed, {WORDS[run.failure]}{said}"
        fix = fix_for(machine_id, run.failure)
    elif has_ended(run):
        end, reason = WindowEnd.SUCCEEDED, f"its run of {name} at {at} succeeded"
    else:
        end, reason = WindowEnd.NOT_YET, f"its run of {name}, begun at {at}, has not ended ({run.status})"
    return WindowResult(
        machine_id,
        end,
        reason,
        fix,
        configuration=str(configuration) if configuration else None,
        run_started_at=run.started_at,
    )


def fix_for(machine_id: ResourceId, failure: FailureKind) -> str:
    """The command, or the step, that clears the way for a machine whose run failed."""
    match failure:
        case FailureKind.PREREQUISITE:
            return f"patchmode apply --ids {machine_id}"
        case FailureKind.OFF:
            return "Start the machine before its next window."
        case FailureKind.WINDOW_EXCEEDED:
            return "Lengthen the window, 03:55 at most."
        case FailureKind.CANCELLED:
            return "Its configuration's activity log says who cancelled it; the next window runs as usual."
        case _:
            return f"patchmode explain {machine_id}"


def _without_record(machine_id: ResourceId, schedules: MachineSchedules, now: datetime) -> WindowResult:
    coming = [hit for hit in schedules.certain if hit.next.timing is Timing.COMING and hit.next.window is not None]
    if coming:
        return _awaited(machine_id, min(coming, key=_start), now)
    if not schedules.looked_up:
        reason = f"no run is recorded, and its schedules are not known: {schedules.why_not}"
        return WindowResult(machine_id, WindowEnd.UNKNOWN, reason)
    unsure = [hit for hit in schedules.hits if _is_unsure(hit)]
    if unsure:
        reason = f"no run is recorded, and its schedule is not certain: {unsure[0].doubt or unsure[0].next.because}"
        return WindowResult(machine_id, WindowEnd.UNKNOWN, reason, configuration=str(unsure[0].configuration))
    idle = next(iter(schedules.hits), None)
    if idle is not None:
        reason = f"its schedule '{idle.configuration.name}' never runs: {idle.next.because}"
        return WindowResult(machine_id, WindowEnd.NO_SCHEDULE, reason, configuration=str(idle.configuration))
    fix = f"patchmode schedule attach CONFIGURATION --ids {machine_id}"
    return WindowResult(machine_id, WindowEnd.NO_SCHEDULE, "it is a member of no schedule", fix)


def _is_unsure(hit: ScheduleHit) -> bool:
    return hit.doubt is not None or hit.next.timing in {Timing.COMING, Timing.UNREADABLE, Timing.UNSEEN}


def _start(hit: ScheduleHit) -> datetime:
    assert hit.next.window is not None  # noqa: S101 - only such hits are compared, for the type checker
    return hit.next.window.starts_at


def _awaited(machine_id: ResourceId, hit: ScheduleHit, now: datetime) -> WindowResult:
    window, name = hit.next.window, hit.configuration.name
    assert window is not None  # noqa: S101 - the caller looked, for the type checker
    local = f"{window.local_start:%Y-%m-%d %H:%M %Z}"
    end, ends_at = WindowEnd.NOT_YET, window.ends_at
    if now < window.starts_at:
        reason = f"next window of '{name}' at {local}"
    elif now < window.ends_at + RECORD_LAG:
        reason = f"the window of '{name}' at {local} has no record yet"
    else:
        end = WindowEnd.UNKNOWN
        reason = f"the window of '{name}' at {local} is over, and Resource Graph has no record of a run on the machine"
    fix = None if end is WindowEnd.NOT_YET else f"patchmode schedule show {hit.configuration}"
    return WindowResult(machine_id, end, reason, fix, configuration=str(hit.configuration), window_ends_at=ends_at)
