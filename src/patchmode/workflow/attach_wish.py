"""The schedule that a plan shall attach: looked up, checked as a whole, and written into the plan.

Must not: write to Azure. What concerns one machine alone is not judged here; it ends as that machine's result.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from patchmode.errors import RefusedError, RejectedError, UsageError
from patchmode.model.machine import Machine
from patchmode.model.patch_settings import Orchestration
from patchmode.model.plan import Plan, Skipped, ThenAttach, WantedSettings
from patchmode.model.resource_id import ResourceId, ResourceIdError
from patchmode.model.schedule import ConfigurationAssignment, MaintenanceConfiguration, ScheduleBook, Timing
from patchmode.rules.later_schedules import Decided, attachable, book_after_attaching, foreseen, kept_by, standing_in
from patchmode.rules.memberships import ScheduleIndex
from patchmode.rules.recurrence import next_window
from patchmode.rules.schedule_wish import scope_obstacle
from patchmode.workflow.ports import Azure, Clock, GraphScope
from patchmode.workflow.refusals import is_gone
from patchmode.workflow.unread import Unread, counted, parted

CONFIGURATION = "microsoft.maintenance/maintenanceconfigurations"
MOST_MACHINES = 3000
"""Resources associated with one configuration. Source: the limits in Microsoft's "Maintenance configurations"."""
NOTICE = timedelta(minutes=15)
"""A change that is younger when a window opens may not count for it. Source: the same article."""
_LIST = "`patchmode schedule list` shows those you can see."
Remark = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """A schedule to attach, looked up."""

    then_attach: ThenAttach
    configuration: MaintenanceConfiguration
    """As Microsoft.Maintenance answered it."""


async def look_up_wish(azure: Azure, wanted: str, *, name: str | None, settings: WantedSettings) -> Wish:
    """The wish to attach a schedule to the changed machines of a plan, and to those that are as wanted.

    Args:
        azure: a connection; reading is enough.
        wanted: the configuration's id, or a name that only one has.
        name: of the assignments; None: the configuration's.
        settings: what the same plan sets.

    Raises:
        UsageError: the plan's orchestration is one that schedules do not run on, or several have that name.
        RefusedError: the configuration does not exist, or patches no guests.
        RequestError: it cannot be read.
    """
    if settings.orchestration not in {None, Orchestration.CUSTOMER_MANAGED_SCHEDULES}:
        raise UsageError(
            "Azure runs schedules only on Customer Managed Schedules, so --then-attach excludes every other --to.",
            advice="Leave --to out, or give --to customer-managed-schedules.",
        )
    identifier = await _identified(azure, wanted)
    return Wish(ThenAttach(identifier, name or identifier.name), await _attachable(azure, identifier))


def planned_with(wish: Wish, decided: Sequence[tuple[Machine, Decided]], index: ScheduleIndex) -> list[Decided]:
    """What becomes of each machine of a plan that also attaches, with the outcome that the schedule then gives it.

    Args:
        wish: what is attached.
        decided: each machine, and what the rules for its settings say.
        index: the schedules as they stand.

    Returns:
        One entry for each machine, in the order given.
    """
    configuration, standing = wish.configuration, standing_in(index.book)
    entries = [
        (machine, attachable(machine, entry, configuration, standing.get(machine.id, ()))) for machine, entry in decided
    ]
    named = [machine.id for machine, entry in entries if not isinstance(entry, Skipped)]
    book = book_after_attaching(index.book, wish.then_attach, configuration, named)
    later = ScheduleIndex(book, now=index.now, crowded=index.crowded)
    return [foreseen(entry, machine, later.schedules_of(machine)) for machine, entry in entries]


def with_locks(wish: Wish, machines: Iterable[Machine], book: ScheduleBook) -> ThenAttach:
    """The wish as it stands in the plan: with the locks under which a rollback cannot take the schedule off again."""
    return replace(wish.then_attach, kept_by=kept_by(book, wish.then_attach, machines))


async def check_attachable(azure: Azure, plan: Plan, *, clock: Clock, remark: Remark) -> None:
    """Refuse, before anything is sent, a plan whose schedule cannot be attached at all; nothing where it has none.

    Raises:
        RefusedError: the configuration does not exist, patches no guests, or would have too many machines.
        RequestError: it cannot be read.
    """
    if plan.then_attach is None:
        return
    await check_room(azure, plan, await _attachable(azure, plan.then_attach.configuration), clock=clock, remark=remark)


async def check_room(
    azure: Azure, plan: Plan, configuration: MaintenanceConfiguration, *, clock: Clock, remark: Remark
) -> None:
    """Refuse a plan that would give a configuration too many machines, and remark on a window that is too near.

    Raises:
        RefusedError: it would have more machines than Azure allows.
        RequestError: its assignments cannot be read.
    """
    await _check_room(azure, plan, configuration)
    warning = too_close(configuration, clock=clock)
    if warning:
        remark(warning)


def too_close(configuration: MaintenanceConfiguration, *, clock: Clock) -> str | None:
    """One sentence where a configuration's next window is so near that changes may not count for it; None otherwise."""
    now = clock.now()
    coming = next_window(configuration.window, after=now)
    if coming.timing is not Timing.COMING or coming.window is None or coming.window.starts_at - now >= NOTICE:
        return None
    minutes = max(0, round((coming.window.starts_at - now) / timedelta(minutes=1)))
    return (
        f"The next window of {configuration.name} starts in {minutes} min: Azure asks for 15 minutes, so changes may "
        "count for the window after it only (window-too-close)."
    )


async def _identified(azure: Azure, wanted: str) -> ResourceId:
    if not wanted.strip().startswith("/"):
        return await _by_name(azure, wanted.strip())
    try:
        identifier = ResourceId.parse(wanted)
    except ResourceIdError as error:
        raise UsageError(f"--then-attach: {error}.", advice=_LIST) from error
    if identifier.full_type != CONFIGURATION:
        raise UsageError(f"--then-attach: {identifier} is no maintenance configuration.", advice=_LIST)
    return identifier


async def _by_name(azure: Azure, name: str) -> ResourceId:
    named: list[ResourceId] = []
    unread: Unread = {}
    async for page in azure.graph.maintenance_configurations(GraphScope()):
        named += [one.id for one in parted(page, unread) if one.name.casefold() == name.casefold()]
    if unread:
        # One that cannot be read may have the name too.
        told = " ".join(counted(unread, "configurations", "a name may be that of several"))
        raise RefusedError(f"--then-attach: {told}", advice="Give the configuration's id.")
    if not named:
        raise RefusedError(f"--then-attach: you see no maintenance configuration named {name!r}.", advice=_LIST)
    if len(named) > 1:
        ids = ", ".join(map(str, named))
        raise UsageError(
            f"--then-attach: {len(named)} configurations are named {name!r}: {ids}.", advice="Give the id."
        )
    return named[0]


async def _attachable(azure: Azure, identifier: ResourceId) -> MaintenanceConfiguration:
    configuration = await _read(azure, identifier)
    obstacle = scope_obstacle(configuration)
    if obstacle is not None:
        raise RefusedError(f"--then-attach: {obstacle.message}", advice=obstacle.fix)
    return configuration


async def _read(azure: Azure, identifier: ResourceId) -> MaintenanceConfiguration:
    try:
        return await azure.maintenance.configuration(identifier)
    except RejectedError as error:
        if not is_gone(error):
            raise
        raise RefusedError(
            f"--then-attach: there is no maintenance configuration {identifier}.", advice=_LIST
        ) from error


async def _check_room(azure: Azure, plan: Plan, configuration: MaintenanceConfiguration) -> None:
    machines = {one.id for one in plan.changes} | {one.id for one in plan.unchanged}
    attached: set[ResourceId] = set()
    unread: Unread = {}
    async for page in azure.graph.configuration_assignments(GraphScope()):
        attached |= _attached_in(parted(page, unread), configuration.id)
    # SAFETY: a row that cannot be read may be one more machine of this configuration.
    together = len(attached | machines) + len(unread)
    if together > MOST_MACHINES:
        raise RefusedError(
            f"{configuration.name} would have {together:,} machines ({len(attached):,} have it now), and Azure allows "
            f"{MOST_MACHINES:,} of one configuration.",
            advice="Divide the machines among several configurations, each with a plan of its own.",
        )


def _attached_in(page: Sequence[object], configuration: ResourceId) -> set[ResourceId]:
    return {
        one.machine for one in page if isinstance(one, ConfigurationAssignment) and one.configuration == configuration
    }
