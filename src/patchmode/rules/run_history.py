"""Scheduled runs as Azure recorded them: which machine's last run failed and why, and the same told run by run.

Must not: read anything, or take a reason for certain that the record does not name.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from patchmode.model.resource_id import ResourceId
from patchmode.model.run_history import FailedMachines, ScheduleRun
from patchmode.model.schedule import FailureKind, Installation, MachineRun, MaintenanceConfiguration
from patchmode.model.since import Since
from patchmode.rules.run_remedies import WORDS, remedy_for
from patchmode.rules.time_zones import zone_of

RETENTION = timedelta(days=30)
"""How long Resource Graph keeps runs and installations. Source: Microsoft, "Overview of query logs in Azure Update
Manager"."""
_ENDED_WELL = frozenset({"succeeded", "completed", "completedwithwarnings"})
_LONGEST_RUN = timedelta(hours=4)
"""A window is at most 03:55 long (Microsoft, "Managing VM updates with Maintenance Configurations")."""
_EARLIEST = datetime.min.replace(tzinfo=UTC)


def has_ended(run: MachineRun) -> bool:
    """Whether a run on a machine has come to an end, good or bad, as far as its record tells."""
    return run.failure is not None or run.status.casefold() in _ENDED_WELL


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
                recovered=well,
                words=WORDS[kind],
                advice=remedy.advice,
                command=remedy.command,
            )
        )
    return tuple(sorted(groups, key=lambda entry: (-len(entry.machines), entry.kind)))
