"""`schedule failures`: the history of scheduled runs, with reasons and the command that fixes each.

Must not: decide what a failure means; the rules do.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from patchmode.errors import RequestError
from patchmode.model.resource_id import ResourceId
from patchmode.model.run_history import FailureReport
from patchmode.model.schedule import MachineRun, MaintenanceConfiguration
from patchmode.model.scope import Scope
from patchmode.model.since import Since
from patchmode.rules.run_history import by_run
from patchmode.workflow.configurations import named_configuration
from patchmode.workflow.inventory import take_inventory
from patchmode.workflow.ports import Azure, Clock, GraphScope
from patchmode.workflow.run_records import read_history, retention_note
from patchmode.workflow.scoping import resolve
from patchmode.workflow.unread import Unread, counted, parted

Configurations = Mapping[ResourceId, MaintenanceConfiguration]
Belongs = Callable[[MachineRun], bool]


async def failures(azure: Azure, scope: Scope, since: Since, *, clock: Clock) -> FailureReport:
    """Tell what became of scheduled runs.

    Steps:
        1. read the configurations that can be seen, for names and local times;
        2. find the machines in scope, where a scope is given;
        3. read the records of runs, and of what was installed;
        4. group them by run.

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
    readable = (await resolve(azure, Scope())).readable
    configurations = await _configurations(azure, readable, notes)
    belongs, places = await _choice(azure, scope, configurations, notes, now)
    history = await read_history(azure, readable if places is None else places, since=since.moment(now))
    rows = [run for run in history.runs if belongs(run)]
    return FailureReport(
        target=azure.target,
        scope=scope.describe(),
        since=since,
        runs=by_run(rows, configurations, since=since),
        notes=(*notes, *history.notes),
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
    azure: Azure, scope: Scope, configurations: Configurations, notes: list[str], now: datetime
) -> tuple[Belongs, tuple[str, ...] | None]:
    """Which records are in scope, and in which subscriptions to look; None: in all."""
    chosen = {named_configuration(text, configurations.values()) for text in scope.schedules}
    rest = scope.without_schedules
    by_selector = await _ids(azure, rest, notes, now) if rest.has_selector else None
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
