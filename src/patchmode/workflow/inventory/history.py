"""The records that Azure keeps of scheduled runs: failures with their reasons, and what a window after a change did."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta

from patchmode.errors import CloudError, RequestError, SignInError
from patchmode.model.left_alone import Unreadable
from patchmode.model.machine import Machine
from patchmode.model.resource_id import ResourceId, ResourceIdError
from patchmode.model.run_history import AfterWindowReport, FailureReport, WindowEnd, WindowResult
from patchmode.model.schedule import Installation, MachineRun, MaintenanceConfiguration
from patchmode.model.scope import Scope, Since
from patchmode.ports.azure import Azure, Clock, GraphScope
from patchmode.rules.schedules.after_plan import usable_schedules
from patchmode.rules.schedules.events import regularly_off, regularly_off_texts
from patchmode.rules.schedules.history import RECORD_LAG, by_run, judge, with_reasons
from patchmode.rules.schedules.memberships import ScheduleIndex
from patchmode.workflow.inventory.bulk_reading import Unread, counted, parted
from patchmode.workflow.inventory.inventory import take_inventory
from patchmode.workflow.inventory.scoping import resolve
from patchmode.workflow.schedules.events import read_events
from patchmode.workflow.schedules.reading import (
    named_configuration,
    read_history,
    read_schedules,
    retention_note,
    unread_records,
)

POLL = timedelta(minutes=5)
"""Between looks while a window is over and its record is awaited."""
SOURCE = "This is what Azure Resource Graph recorded of the runs; the VMs themselves were not read."
Connect = Callable[[], AbstractAsyncContextManager[Azure]]
Subject = Scope | Sequence[ResourceId]
Remark = Callable[[str], None]


async def after_window(connect: Connect, subject: Subject, *, since: datetime, clock: Clock) -> AfterWindowReport:
    """What became of machines in their windows since a moment, as recorded by now.

    Args:
        connect: gives a connection; reading is enough.
        subject: a scope, or the machines themselves; empty: an empty report.
        since: aware; runs that began earlier do not count.
        clock: the time.

    Raises:
        EmptyScopeError, UsageError, RequestError: as `inventory.take_inventory`.
    """
    async with connect() as azure:
        machines, unseen, unread, remarks = await _machines(azure, subject)
        subscriptions = sorted({machine.id.subscription_id for machine in machines})
        records: Unread = {}
        # Runs first: the query that brings them may bring the assignments too.
        runs, installations = await _records(azure, subscriptions, since, records)
        book = await read_schedules(azure, subscriptions)
        index = ScheduleIndex(book, now=since, machines=machines)
        now = clock.now()
        usable = usable_schedules(ScheduleIndex(book, now=now), set(subscriptions))
        results = [
            judge(
                machine.id,
                runs=runs.get(machine.id, ()),
                installations=installations.get(machine.id, ()),
                schedules=index.schedules_of(machine),
                now=now,
                usable=usable,
            )
            for machine in machines
        ]
        results += unseen
        results.sort(key=lambda entry: entry.id)
        notes = (
            SOURCE,
            *remarks,
            *retention_note(since, now),
            *map(_note_on, unread),
            *unread_records(records),
            *book.notes,
        )
        places = tuple(entry.id for entry in unread)
        return AfterWindowReport(azure.target, since, now, tuple(results), notes, places)


async def after_window_waiting(
    connect: Connect, subject: Subject, *, since: datetime, clock: Clock, remark: Remark
) -> AfterWindowReport:
    """As `after_window`, once the machines' next windows are over and recorded.

    Machines of which no window is known to come are not waited for. A look that fails is told and repeated; the first
    one is raised.

    Args:
        remark: is told what is waited for, one line each time.
    """
    report = await after_window(connect, subject, since=since, clock=clock)
    while (until := next_look(report)) is not None:
        waiting = sum(entry.result is WindowEnd.NOT_YET for entry in report.results)
        remark(f"Waiting until {until:%Y-%m-%d %H:%M:%SZ} for {waiting:,} of {len(report.results):,} machines.")
        await clock.sleep(max(0.0, (until - clock.now()) / timedelta(seconds=1)))
        try:
            report = await after_window(connect, subject, since=since, clock=clock)
        except (RequestError, SignInError, CloudError) as error:
            remark(f"Azure's record could not be read, and is read again: {' '.join(error.message.split())}")
            await clock.sleep(POLL / timedelta(seconds=1))
    return report


def next_look(report: AfterWindowReport) -> datetime | None:
    """When something new may be recorded; None: nothing is waited for any more.

    The first window to end decides, its record not being there before; one that is over is asked for every few minutes.
    """
    awaited = [entry for entry in report.results if entry.result is WindowEnd.NOT_YET]
    if not awaited:
        return None
    ends = [entry.window_ends_at for entry in awaited]
    if any(end is None or end <= report.looked_at for end in ends):
        return report.looked_at + POLL
    return min(end for end in ends if end is not None) + RECORD_LAG / 3


async def _machines(
    azure: Azure, subject: Subject
) -> tuple[Sequence[Machine], Sequence[WindowResult], Sequence[Unreadable], Sequence[str]]:
    """The machines, the ends of those named ones that nobody could read, what else could not be read, and notes."""
    if isinstance(subject, Scope):
        inventory = await take_inventory(azure, subject, documents=False)
        ends, places = _unread(inventory.unreadable)
        doubtful = (one for one in inventory.skipped if not one.is_filtered_out)
        ends += (WindowResult(one.id, WindowEnd.UNKNOWN, one.reason, one.fix) for one in doubtful)
        return inventory.machines, ends, places, inventory.notes
    if not subject:
        return (), (), (), ()
    scope = GraphScope(tuple(sorted({machine_id.subscription_id for machine_id in subject})))
    found: list[Machine] = []
    async for page in azure.graph.machines(scope, ids=[str(machine_id) for machine_id in subject]):
        found += parted(page, {})  # by id, of which each that no row shows is told below
    known = {machine.id for machine in found}
    return found, [_unseen(machine_id) for machine_id in subject if machine_id not in known], (), ()


def _unread(entries: Iterable[Unreadable]) -> tuple[list[WindowResult], list[Unreadable]]:
    """Of machines their ends; whole subscriptions as they came."""
    ends: list[WindowResult] = []
    places: list[Unreadable] = []
    for entry in entries:
        try:
            ends.append(WindowResult(ResourceId.parse(entry.id), WindowEnd.UNKNOWN, entry.reason))
        except ResourceIdError:
            places.append(entry)
    return ends, places


def _note_on(entry: Unreadable) -> str:
    return f"{entry.id} could not be read, and its machines are not counted: {entry.reason}"


async def _records(
    azure: Azure, subscriptions: Iterable[str], since: datetime, unread: Unread
) -> tuple[dict[ResourceId, list[MachineRun]], dict[ResourceId, list[Installation]]]:
    scope = GraphScope(tuple(subscriptions))
    if not scope.subscriptions:
        return {}, {}
    recorded: list[MachineRun] = []
    async for runs in azure.graph.machine_runs(scope, since=since):
        recorded += parted(runs, unread)
    installed: list[Installation] = []
    async for page in azure.graph.installations(scope, since=since):
        installed += parted(page, unread)
    by_machine: dict[ResourceId, list[MachineRun]] = defaultdict(list)
    for run in with_reasons(recorded, installed):
        by_machine[run.machine].append(run)
    found: dict[ResourceId, list[Installation]] = defaultdict(list)
    for one in installed:
        found[one.machine].append(one)
    return by_machine, found


def _unseen(machine_id: ResourceId) -> WindowResult:
    reason = "Resource Graph does not list the machine: it was deleted or moved, or you may not read it"
    return WindowResult(machine_id, WindowEnd.UNKNOWN, reason)


Configurations = Mapping[ResourceId, MaintenanceConfiguration]
Belongs = Callable[[MachineRun], bool]


async def failures(azure: Azure, scope: Scope, since: Since, *, clock: Clock) -> FailureReport:
    """Tell what became of scheduled runs.

    Steps:
        1. find the machines in scope, where selectors name any: that may bring the configurations too;
        2. read the configurations that can be seen, for names and local times;
        3. read the records of runs, and of what was installed;
        4. group them by run;
        5. look up the pre-events of those schedules that have missed a machine in each of its last runs.

    Args:
        azure: a connection; reading is enough.
        scope: without a selector and a filter: every machine that has a record, also those that no longer exist.
            `schedules` means the runs of these configurations, also on machines that are no members any more.
        since: runs that began earlier are left out; Azure keeps 30 days.
        clock: what `7d` counts from.

    Returns:
        No runs where nothing is recorded.

    Raises:
        UsageError, EmptyScopeError: as `inventory.take_inventory`. RequestError: Resource Graph is refused or fails.
    """
    now = clock.now()
    notes = list(retention_note(since.moment(now), now))
    of_machines: list[str] = []
    readable = (await resolve(azure, Scope())).readable
    rest = scope.without_schedules
    by_selector = await _ids(azure, rest, of_machines, now) if rest.has_selector else None
    configurations = await _configurations(azure, readable, notes)
    belongs, places = await _choice(azure, scope, by_selector, configurations, of_machines, now)
    notes += of_machines
    history = await read_history(azure, readable if places is None else places, since=since.moment(now))
    rows = [run for run in history.runs if belongs(run)]
    events = await read_events(azure, regularly_off(rows).keys() & configurations.keys())
    return FailureReport(
        target=azure.target,
        scope=scope.describe(),
        since=since,
        runs=by_run(rows, configurations, since=since),
        notes=(*notes, *history.notes, *regularly_off_texts(rows, events)),
        created_at=now,
    )


async def _configurations(azure: Azure, readable: tuple[str, ...], notes: list[str]) -> Configurations:
    found: dict[ResourceId, MaintenanceConfiguration] = {}
    unread: Unread = {}
    if not readable:
        return found
    try:
        async for page in azure.graph.maintenance_configurations(GraphScope(readable)):
            found.update((entry.id, entry) for entry in parted(page, unread))
    except RequestError as error:
        notes.append(f"Configurations could not be read, so times are in UTC only: {error.message}")
    notes += counted(unread, "configurations", "some times are in UTC only")
    return found


async def _choice(
    azure: Azure,
    scope: Scope,
    by_selector: frozenset[ResourceId] | None,
    configurations: Configurations,
    notes: list[str],
    now: datetime,
) -> tuple[Belongs, tuple[str, ...] | None]:
    """Which records are in scope, and in which subscriptions to look; None: in all.

    Args:
        by_selector: the machines that selectors other than schedules name; None: there are no such selectors.
    """
    chosen = {named_configuration(text, configurations.values()) for text in scope.schedules}
    if chosen or by_selector is None:
        everything = Scope(everything=True, include=scope.include, exclude=scope.exclude, shard=scope.shard)
        let_through = await _ids(azure, everything, notes, now) if scope.has_filter else None
    else:
        let_through = None
    if by_selector is not None and not chosen:
        places = tuple(sorted({entry.subscription_id for entry in by_selector}))
    else:
        places = None

    def belongs(run: MachineRun) -> bool:
        if not scope.takes(run.machine.subscription_id):
            return False
        if by_selector is not None and run.machine in by_selector:
            return True
        if chosen and run.configuration not in chosen:
            return False
        return (bool(chosen) or by_selector is None) and (let_through is None or run.machine in let_through)

    return belongs, places


async def _ids(azure: Azure, scope: Scope, notes: list[str], now: datetime) -> frozenset[ResourceId]:
    inventory = await take_inventory(azure, scope, documents=False, now=now)
    notes += inventory.notes
    notes += [f"{entry.id} could not be read: {entry.reason}" for entry in inventory.unreadable]
    return frozenset(machine.id for machine in inventory.machines)
