"""The schedule that a plan shall attach: looked up, checked as a whole, and written into the plan.

Must not: write to Azure. What concerns one machine alone is not judged here; it ends as that machine's result.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from patchmode.errors import RefusedError, RejectedError, UsageError
from patchmode.model.patch_settings import Orchestration
from patchmode.model.plan import Plan, ThenAttach
from patchmode.model.resource_id import ResourceId, ResourceIdError
from patchmode.model.schedule import ConfigurationAssignment, MaintenanceConfiguration, Timing
from patchmode.rules.recurrence import next_window
from patchmode.rules.schedule_wish import scope_obstacle
from patchmode.workflow.ports import Azure, Clock, GraphScope
from patchmode.workflow.refusals import is_gone

CONFIGURATION = "microsoft.maintenance/maintenanceconfigurations"
MOST_MACHINES = 3000
"""Resources associated with one configuration. Source: the limits in Microsoft's "Maintenance configurations"."""
NOTICE = timedelta(minutes=15)
"""A change that is younger when a window opens may not count for it. Source: the same article."""
_LIST = "`patchmode schedule list` shows those you can see."
Remark = Callable[[str], None]


async def with_attachment(
    azure: Azure, plan: Plan, wanted: str, *, name: str | None, clock: Clock, remark: Remark
) -> Plan:
    """The plan with the wish to attach a schedule to its changed machines and to those that are as wanted.

    Args:
        azure: a connection; reading is enough.
        plan: as it was made.
        wanted: the configuration's id, or a name that only one has.
        name: of the assignments; None: the configuration's.
        clock: for how soon the next window is.
        remark: is told, one sentence each, what a reader must know.

    Raises:
        UsageError: the plan's orchestration is one that schedules do not run on, or several have that name.
        RefusedError: the configuration does not exist, patches no guests, or would have too many machines.
    """
    if plan.wanted.orchestration not in {None, Orchestration.CUSTOMER_MANAGED_SCHEDULES}:
        raise UsageError(
            "Azure runs schedules only on Customer Managed Schedules, so --then-attach excludes every other --to.",
            advice="Leave --to out, or give --to customer-managed-schedules.",
        )
    identifier = await _identified(azure, wanted)
    wish = ThenAttach(identifier, name or identifier.name)
    plan = replace(plan, then_attach=wish)
    await check_attachable(azure, plan, clock=clock, remark=remark)
    return plan


async def check_attachable(azure: Azure, plan: Plan, *, clock: Clock, remark: Remark) -> None:
    """Refuse, before anything is sent, a plan whose schedule cannot be attached at all; nothing where it has none.

    Raises:
        RefusedError: the configuration does not exist, patches no guests, or would have too many machines.
        RequestError: it cannot be read.
    """
    if plan.then_attach is None:
        return
    configuration = await _read(azure, plan.then_attach.configuration)
    obstacle = scope_obstacle(configuration)
    if obstacle is not None:
        raise RefusedError(f"--then-attach: {obstacle.message}", advice=obstacle.fix)
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
    async for page in azure.graph.maintenance_configurations(GraphScope()):
        named += [one.id for one in page if one.name.casefold() == name.casefold()]
    if not named:
        raise RefusedError(f"--then-attach: you see no maintenance configuration named {name!r}.", advice=_LIST)
    if len(named) > 1:
        ids = ", ".join(map(str, named))
        raise UsageError(
            f"--then-attach: {len(named)} configurations are named {name!r}: {ids}.", advice="Give the id."
        )
    return named[0]


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
    async for page in azure.graph.configuration_assignments(GraphScope()):
        attached |= _attached_in(page, configuration.id)
    together = len(attached | machines)
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
