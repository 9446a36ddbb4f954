"""Scheduled runs as Azure recorded them: whose last run failed, why, what to do, and what a later window did."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from shlex import quote

from patchmode.model.resource_id import ResourceId
from patchmode.model.run_history import FailedMachines, ScheduleRun, WindowEnd, WindowResult
from patchmode.model.schedule import (
    ENDED_WELL,
    FailureKind,
    Installation,
    MachineRun,
    MachineSchedules,
    MaintenanceConfiguration,
    ScheduleHit,
    Timing,
    local_text,
)
from patchmode.model.scope import Since
from patchmode.rules.schedules.time_zones import zone_of

WORDS: dict[FailureKind, str] = {
    FailureKind.PREREQUISITE: "not prepared for schedules (the prerequisite)",
    FailureKind.OFF: "off, or its agent did not answer",
    FailureKind.TIMED_OUT: "timed out",
    FailureKind.WINDOW_EXCEEDED: "the window was too short",
    FailureKind.CANCELLED: "cancelled",
    FailureKind.UNSUPPORTED: "image or system not supported",
    FailureKind.OTHER: "another reason",
    FailureKind.NOT_TOLD: "no reason recorded",
}
"""Each reason as a person would say it."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do about failed machines."""

    advice: str
    command: str | None = None


def remedy_for(kind: FailureKind, *, since: Since, configuration: ResourceId | None, is_over: bool) -> Remedy:
    """What to do about machines that failed for one reason.

    Args:
        kind: the reason.
        since: how far back the failures were asked for; the suggested command asks for the same.
        configuration: whose run it was; None: not known, then commands do not name it.
        is_over: whether the last run of all of them succeeded.

    Source: Microsoft, "Troubleshoot issues with Azure Update Manager", for what the reasons mean.
    """
    if is_over:
        return Remedy("Nothing is left to do: their last run succeeded.")
    # A resource group's name may hold blanks and brackets, and the command is there to be copied.
    named = quote(str(configuration))
    schedule = f" --schedule {named}" if configuration else " --all"
    show = f"patchmode schedule show {named}" if configuration else "patchmode schedule list"
    fix = f"patchmode plan --failed-since {quote(str(since))} --out fix.json"
    audit = f"patchmode audit{schedule}"
    remedies = {
        FailureKind.PREREQUISITE: Remedy("To fix every machine that last failed for this reason, plan and apply:", fix),
        FailureKind.OFF: Remedy(
            "Start them before the window, or repair their agent; those that are off now:",
            f"{audit} --power deallocated --power stopped",
        ),
        FailureKind.TIMED_OUT: Remedy(
            "Something else was updating the machine, or it was recreated. See its current state:",
            audit,
        ),
        FailureKind.WINDOW_EXCEEDED: Remedy("Lengthen the window, 03:55 at most:", show),
        FailureKind.CANCELLED: Remedy(
            "A person, an event handler or the platform cancelled it: the activity log of the configuration says who."
        ),
        FailureKind.UNSUPPORTED: Remedy("Schedules cannot patch these; the audit names the rule:", audit),
        FailureKind.OTHER: Remedy(
            "Where an update or the package manager failed, repair it on the machine; what Azure shows of each:", audit
        ),
        FailureKind.NOT_TOLD: Remedy("This takes those among them that are not prepared now:", fix),
    }
    return remedies[kind]


RETENTION = timedelta(days=30)
"""How long Resource Graph keeps runs and installations. Source: Microsoft, "Overview of query logs in Azure Update
Manager"."""
_LONGEST_RUN = timedelta(hours=4)
"""A window is at most 03:55 long (Microsoft, "Managing VM updates with Maintenance Configurations")."""
_EARLIEST = datetime.min.replace(tzinfo=UTC)


def has_ended(run: MachineRun) -> bool:
    """Whether a run on a machine has come to an end, good or bad, as far as its record tells."""
    return run.failure is not None or run.status.casefold() in ENDED_WELL


def with_reasons(runs: Iterable[MachineRun], installations: Iterable[Installation]) -> tuple[MachineRun, ...]:
    """Runs with the reason that their installation of updates gives, where their own record is silent or vague.

    A result belongs to a run when it names it (by correlation id or by the time in its name) or, naming another form of
    id, began on the same machine while the run lasted.

    Args:
        runs: any number, any order; the order is kept.
        installations: any number, any order.
    """
    by_machine: dict[ResourceId, list[Installation]] = defaultdict(list)
    for installation in installations:
        if installation.maintenance_run is not None:
            by_machine[installation.machine].append(installation)
    return tuple(_with_reason(run, by_machine.get(run.machine, ())) for run in runs)


def _with_reason(run: MachineRun, installations: Sequence[Installation]) -> MachineRun:
    if run.failure not in {FailureKind.NOT_TOLD, FailureKind.OTHER}:
        return run
    found = next((entry for entry in installations if _belongs(entry, run)), None)
    if found is None:
        return run
    message = run.message or found.message
    if found.window_exceeded:
        return replace(run, failure=FailureKind.WINDOW_EXCEEDED, message=message)
    if not message and found.failed:
        message = f"{found.failed:,} of {found.failed + found.installed:,} updates failed"
    return replace(run, failure=FailureKind.OTHER, message=message) if message else run


def _belongs(installation: Installation, run: MachineRun) -> bool:
    named = (installation.maintenance_run or "").rstrip("/").rsplit("/", 1)[-1].casefold()
    if run.correlation_id and named == run.correlation_id.casefold():
        return True
    if run.started_at is None:
        return False
    if named.startswith(f"{run.started_at:%Y%m%d%H%M%S}"):
        return True
    if installation.started_at is None:
        return False
    return run.started_at <= installation.started_at <= (run.ended_at or run.started_at + _LONGEST_RUN)


def last_ended(runs: Iterable[MachineRun]) -> dict[ResourceId, MachineRun]:
    """Each machine's last run that has ended, whatever its configuration.

    Of several that began at the same moment one that failed on the prerequisite counts.
    """
    last: dict[ResourceId, MachineRun] = {}
    for run in runs:
        if has_ended(run) and (run.machine not in last or _rank(run) > _rank(last[run.machine])):
            last[run.machine] = run
    return last


def _rank(run: MachineRun) -> tuple[datetime, bool, bool]:
    return run.started_at or _EARLIEST, run.failure is FailureKind.PREREQUISITE, run.failure is not None


def by_run(
    runs: Iterable[MachineRun], configurations: Mapping[ResourceId, MaintenanceConfiguration], *, since: Since
) -> tuple[ScheduleRun, ...]:
    """Group machines by run, the newest run first.

    Args:
        runs: any number, any order. Machines belong to one run when configuration and correlation id are the same, or,
            where the record has no such id, the start.
        configurations: those that can be seen, for names as they are written and for local times.
        since: how far back the records go, for the commands that are suggested.
    """
    runs = tuple(runs)
    recovered = {machine_id for machine_id, run in last_ended(runs).items() if run.failure is None}
    groups: dict[tuple[str, str], list[MachineRun]] = defaultdict(list)
    for run in runs:
        configuration = run.configuration.key if run.configuration else ""
        groups[configuration, run.correlation_id or str(run.started_at)].append(run)
    told = (_told(members, configurations, recovered, since) for members in groups.values())
    return tuple(sorted(told, key=_newest_first))


def _newest_first(run: ScheduleRun) -> tuple[timedelta, str]:
    return _EARLIEST - (run.started_at or _EARLIEST), run.configuration.key if run.configuration else ""


def _told(
    members: Sequence[MachineRun],
    configurations: Mapping[ResourceId, MaintenanceConfiguration],
    recovered: Set[ResourceId],
    since: Since,
) -> ScheduleRun:
    each = list(_latest_of_each(members))
    starts = [run.started_at for run in each if run.started_at is not None]
    started_at = min(starts) if starts else None
    named = members[0].configuration
    known = configurations.get(named) if named is not None else None
    zone_name = known.window.time_zone if known else None
    zone = zone_of(zone_name) if zone_name else None
    return ScheduleRun(
        configuration=known.id if known else named,
        correlation_id=members[0].correlation_id,
        started_at=started_at,
        local_start=started_at.astimezone(zone) if started_at is not None and zone is not None else None,
        time_zone=zone_name,
        succeeded=tuple(run.machine for run in each if has_ended(run) and run.failure is None),
        unfinished=tuple(run.machine for run in each if not has_ended(run)),
        failures=_failures(each, recovered, since),
    )


def _latest_of_each(members: Sequence[MachineRun]) -> list[MachineRun]:
    """One record a machine, ordered by id: a run that was tried again leaves several."""
    latest: dict[ResourceId, MachineRun] = {}
    for run in members:
        if run.machine not in latest or _rank(run) > _rank(latest[run.machine]):
            latest[run.machine] = run
    return [latest[machine_id] for machine_id in sorted(latest)]


def _failures(runs: Iterable[MachineRun], recovered: Set[ResourceId], since: Since) -> tuple[FailedMachines, ...]:
    by_kind: dict[FailureKind, list[MachineRun]] = defaultdict(list)
    for run in runs:
        if run.failure is not None:
            by_kind[run.failure].append(run)
    groups = []
    for kind, failed in by_kind.items():
        texts = Counter(run.message for run in failed if run.message)
        messages = tuple(text for text, _ in sorted(texts.items(), key=lambda item: (-item[1], item[0])))
        well = sum(run.machine in recovered for run in failed)
        remedy = remedy_for(kind, since=since, configuration=failed[0].configuration, is_over=well == len(failed))
        groups.append(
            FailedMachines(
                kind=kind,
                machines=tuple(run.machine for run in failed),
                messages=messages,
                texts=tuple(run.message for run in failed) if messages else (),
                recovered=well,
                words=WORDS[kind],
                advice=remedy.advice,
                command=remedy.command,
            )
        )
    return tuple(sorted(groups, key=lambda entry: (-len(entry.machines), entry.kind)))


RECORD_LAG = timedelta(minutes=15)
"""So long after a window's end a record may be missing. How far Resource Graph lags is documented without a figure."""
_WORST_FIRST = (WindowEnd.FAILED, WindowEnd.MISSED, WindowEnd.NOT_YET, WindowEnd.SUCCEEDED)


def judge(
    machine_id: ResourceId,
    *,
    runs: Iterable[MachineRun],
    installations: Iterable[Installation],
    schedules: MachineSchedules,
    now: datetime,
    usable: Sequence[str] = (),
) -> WindowResult:
    """What became of one machine.

    Args:
        machine_id: the machine.
        runs: its records since the moment asked for, of whatever configuration. Of each configuration the last counts,
            and of several configurations the worst.
        installations: its installations since that moment; they speak where no run of the machine is recorded.
        schedules: what reaches it, with windows that start at that moment or later.
        now: aware.
        usable: schedules that could be attached, as a command takes them, the most fitting first; empty: none was seen.
    """
    recorded = _last_try_of_each([*runs]) or _runs_in(installations)
    if recorded:
        written = {hit.configuration: hit.configuration for hit in schedules.hits}
        ends = [_end_of(machine_id, run, written) for run in recorded]
        return min(ends, key=lambda end: _WORST_FIRST.index(end.result))
    return _without_record(machine_id, schedules, now, usable)


def _last_try_of_each(runs: Sequence[MachineRun]) -> list[MachineRun]:
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
    status = "Succeeded" if kind is None and last.status.casefold() in ENDED_WELL else last.status
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
            return f"patchmode apply --ids {quote(str(machine_id))}"
        case FailureKind.OFF:
            return "Start the machine before its next window."
        case FailureKind.WINDOW_EXCEEDED:
            return "Lengthen the window, 03:55 at most."
        case FailureKind.CANCELLED:
            return "Its configuration's activity log says who cancelled it; the next window runs as usual."
        case _:
            return f"patchmode explain {quote(str(machine_id))}"


def _without_record(
    machine_id: ResourceId, schedules: MachineSchedules, now: datetime, usable: Sequence[str]
) -> WindowResult:
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
    fix = "patchmode schedule list"
    if usable:
        fix = f"patchmode schedule attach {quote(usable[0])} --ids {quote(str(machine_id))}"
    return WindowResult(machine_id, WindowEnd.NO_SCHEDULE, "it is a member of no schedule", fix)


def _is_unsure(hit: ScheduleHit) -> bool:
    return hit.doubt is not None or hit.next.timing in {Timing.COMING, Timing.UNREADABLE, Timing.UNSEEN}


def _start(hit: ScheduleHit) -> datetime:
    assert hit.next.window is not None  # noqa: S101 - only such hits are compared, for the type checker
    return hit.next.window.starts_at


def _awaited(machine_id: ResourceId, hit: ScheduleHit, now: datetime) -> WindowResult:
    window, name = hit.next.window, hit.configuration.name
    assert window is not None  # noqa: S101 - the caller looked, for the type checker
    local = f"{local_text(window.local_start)}"
    end, ends_at = WindowEnd.NOT_YET, window.ends_at
    if now < window.starts_at:
        reason = f"next window of '{name}' at {local}"
    elif now < window.ends_at + RECORD_LAG:
        reason = f"the window of '{name}' at {local} has no record yet"
    else:
        end = WindowEnd.UNKNOWN
        reason = f"the window of '{name}' at {local} is over, and Resource Graph has no record of a run on the machine"
    fix = None if end is WindowEnd.NOT_YET else f"patchmode schedule show {quote(str(hit.configuration))}"
    return WindowResult(machine_id, end, reason, fix, configuration=str(hit.configuration), window_ends_at=ends_at)
