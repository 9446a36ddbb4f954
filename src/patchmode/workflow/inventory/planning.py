"""Plan: the exact change of every machine in scope, or why there is none, and the schedule that it shall attach."""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from patchmode.errors import RefusedError, RejectedError, RequestError, UnsafeError, UsageError
from patchmode.model.left_alone import Skipped
from patchmode.model.machine import Machine, MachineKind
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.plan import Change, Plan, ThenAttach, Unchanged, WaveRule
from patchmode.model.resource_id import ResourceId, ResourceIdError
from patchmode.model.schedule import ConfigurationAssignment, MaintenanceConfiguration, ScheduleBook
from patchmode.model.scope import Scope
from patchmode.model.target import Target
from patchmode.ports.azure import Azure, Clock, GraphScope
from patchmode.rules.guardrails.waves import in_waves, unheard_of
from patchmode.rules.schedules.after_plan import (
    Decided,
    attachable,
    book_after_attaching,
    foreseen,
    kept_by,
    patched_by_nobody,
    standing_in,
)
from patchmode.rules.schedules.attaching import scope_obstacle, tenant_obstacle
from patchmode.rules.schedules.events import too_close
from patchmode.rules.schedules.limits import limits_of
from patchmode.rules.schedules.memberships import ScheduleIndex
from patchmode.rules.schedules.recurrence import next_window
from patchmode.rules.settings.planning import plan_machine
from patchmode.rules.settings.transitions import wanted_of
from patchmode.workflow.inventory.bulk_reading import Unread, counted, parted
from patchmode.workflow.inventory.inventory import Inventory, take_inventory
from patchmode.workflow.run.refusals import is_gone
from patchmode.workflow.schedules.events import events_soon
from patchmode.workflow.schedules.reading import look_up, near_schedule

CONFIGURATION = "microsoft.maintenance/maintenanceconfigurations"
_LIST = "`patchmode schedule list` shows those you can see."
Remark = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class AttachRequest:
    """A schedule to attach, looked up."""

    then_attach: ThenAttach
    configuration: MaintenanceConfiguration
    """As Microsoft.Maintenance answered it."""


@dataclass(frozen=True, slots=True)
class _Attached:
    """What has a configuration now."""

    machines: Set[ResourceId]
    unread: int
    """Rows that cannot be read."""


async def look_up_attach_request(
    azure: Azure, wanted: str, *, name: str | None, settings: WantedSettings
) -> AttachRequest:
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
    check_takes_schedule(settings)
    identifier = await _identified(azure, wanted)
    return AttachRequest(ThenAttach(identifier, name or identifier.name), await _attachable(azure, identifier))


def check_takes_schedule(settings: WantedSettings) -> None:
    """Check that schedules run on what is wanted, where the same plan attaches one.

    Raises:
        UsageError: the orchestration is another one.
    """
    if settings.orchestration not in {None, Orchestration.CUSTOMER_MANAGED_SCHEDULES}:
        raise UsageError(
            "Azure runs schedules only on Customer Managed Schedules, so --then-attach excludes every other --to.",
            advice="Leave --to out, or give --to customer-managed-schedules.",
        )


def planned_with(
    wish: AttachRequest, decided: Sequence[tuple[Machine, Decided]], index: ScheduleIndex
) -> list[Decided]:
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


def with_locks(wish: AttachRequest, machines: Iterable[Machine], book: ScheduleBook) -> ThenAttach:
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
    wish = AttachRequest(plan.then_attach, await _attachable(azure, plan.then_attach.configuration))
    await _check_attachment(azure, plan, wish, await _attached_to(azure, wish), clock=clock, remark=remark)


def _check_tenants(plan: Plan, configuration: ResourceId, target: Target) -> None:
    """Refuse a plan that would attach a schedule to machines of another tenant.

    Raises:
        RefusedError: it would; how many they are.
    """
    machines = [*(entry.id for entry in plan.changes), *(entry.id for entry in plan.unchanged)]
    found = [tenant_obstacle(one.subscription_id, configuration, target) for one in machines]
    foreign = [one for one in found if one is not None]
    if foreign:
        count = f"{len(foreign):,} of the plan's {len(machines):,} machines"
        raise RefusedError(
            f"--then-attach cannot be used for {count}: {foreign[0].message} ({foreign[0].rule})",
            advice=f"Plan the subscriptions of each tenant by themselves (--subscription). {foreign[0].fix}",
        )


async def _check_attachment(
    azure: Azure, plan: Plan, wish: AttachRequest | None, attached: _Attached | None, *, clock: Clock, remark: Remark
) -> None:
    """Refuse a plan whose schedule is of another tenant or would get too many machines; remark on a window too near."""
    if wish is None or attached is None:
        return
    # A plan file has the names of its machines' subscriptions, also where nothing was listed in this command.
    names = azure.target.names.joined(plan.target.names)
    _check_tenants(plan, wish.configuration.id, replace(azure.target, names=names))
    _check_room(plan, wish.configuration, attached)
    coming = next_window(wish.configuration.window, after=clock.now())
    events = await events_soon(azure, wish.configuration.id, coming.window, clock.now())
    soon = too_close(coming.window.starts_at, clock.now(), events) if coming.window is not None else None
    if soon is not None:
        remark(f"The next window of {wish.configuration.name} starts in {soon} (window-too-close).")


async def _identified(azure: Azure, wanted: str) -> ResourceId:
    if not wanted.strip().startswith("/"):
        return await _by_name(azure, wanted.strip())
    try:
        identifier = ResourceId.parse(wanted)
    except ResourceIdError as error:
        raise UsageError(f"--then-attach: {error}.", advice=_LIST) from error
    if identifier.full_type != CONFIGURATION:
        raise UsageError(f"--then-attach: {identifier} is not a maintenance configuration.", advice=_LIST)
    return identifier


async def _by_name(azure: Azure, name: str) -> ResourceId:
    unread: Unread = {}
    known = await _visible(azure, unread)
    named = [one.id for one in known if one.name.casefold() == name.casefold()]
    if unread:
        # One that cannot be read may have the name too.
        told = " ".join(counted(unread, "configurations", "several configurations may have this name"))
        raise RefusedError(f"--then-attach: {told}", advice="Give the configuration's id.")
    if not named:
        advice = near_schedule(name, known)
        raise RefusedError(f"--then-attach: you see no maintenance configuration named {name!r}.", advice=advice)
    if len(named) > 1:
        ids = ", ".join(map(str, named))
        raise UsageError(
            f"--then-attach: {len(named)} configurations are named {name!r}: {ids}.", advice="Give the id."
        )
    return named[0]


async def _visible(azure: Azure, unread: Unread) -> list[MaintenanceConfiguration]:
    pages = azure.graph.maintenance_configurations(GraphScope())
    return [one async for page in pages for one in parted(page, unread)]


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
        known: list[MaintenanceConfiguration] = []
        with suppress(RequestError):
            known = await _visible(azure, {})
        advice = near_schedule(identifier.name, known, place=identifier.subscription_id)
        what = f"--then-attach: there is not a maintenance configuration {identifier}."
        raise RefusedError(what, advice=advice) from error


async def _attached_to(azure: Azure, wish: AttachRequest | None) -> _Attached | None:
    """What has the schedule now, wherever it stands; None: there is none to attach.

    It is asked for before the schedules of a scope: these are a part of it, and are not asked for again then.
    """
    if wish is None:
        return None
    attached: set[ResourceId] = set()
    unread: Unread = {}
    seen = GraphScope(tuple(sorted(one.id.lower() for one in await azure.authorization.subscriptions())))
    async for page in azure.graph.configuration_assignments(seen):
        attached |= _already_attached(parted(page, unread), wish.configuration.id)
    return _Attached(attached, len(unread))


def _check_room(plan: Plan, configuration: MaintenanceConfiguration, attached: _Attached) -> None:
    machines = {one.id for one in plan.changes} | {one.id for one in plan.unchanged}
    # SAFETY: a row that cannot be read may be one more machine of this configuration.
    together, most = len(attached.machines | machines) + attached.unread, limits_of(plan.target.cloud).machines
    if together > most:
        raise RefusedError(
            f"{configuration.name} would have {together:,} machines ({len(attached.machines):,} have it now), and "
            f"Azure allows {most:,} for one configuration.",
            advice="Divide the machines among several configurations, each with a plan of its own.",
        )


def _already_attached(page: Sequence[object], configuration: ResourceId) -> set[ResourceId]:
    return {
        one.machine for one in page if isinstance(one, ConfigurationAssignment) and one.configuration == configuration
    }


async def make_plan(
    azure: Azure,
    scope: Scope,
    wanted: WantedSettings,
    *,
    clock: Clock,
    tool_version: str = "",
    remark: Callable[[str], None] | None = None,
    is_reviewed: bool = True,
    then_attach: str | None = None,
    assignment_name: str | None = None,
    waves: Sequence[WaveRule] = (),
    canary: int = 0,
) -> Plan:
    """Plan the wanted settings for every machine in scope.

    Steps:
        1. look up the schedule that is to be attached, where there is one;
        2. take the inventory, with each machine's document and etag from its provider;
        3. look up the schedules that reach them, for the outcomes before and after;
        4. ask the rules for each machine's change, and for what the attached schedule makes of it;
        5. check that every machine ended as exactly one of the four;
        6. put what is carried out into waves, where any are wanted.

    Args:
        azure: a connection; reading is enough.
        scope: must have a selector: a plan leads to writing, so nothing is taken by default.
        wanted: what to set; at least one setting must be named.
        clock: for the plan's time, and for what counts as the next window.
        tool_version: stands in the plan file.
        remark: is told, one sentence each, what a reader must know about how the machines were read.
        is_reviewed: whether a person looks at the plan before anything is applied; where not, a selector without
            effect is refused instead of remarked.
        then_attach: a maintenance configuration, by its id or a name that only one has, to attach to each machine that
            is as wanted, now or once its change was verified, and to Arc servers, which need no orchestration.
        assignment_name: of the assignments; None: the configuration's name.
        waves: how to divide what is carried out; each rule divides what those before it made.
        canary: so many machines go before all others, taken in turn from subscriptions, regions and systems.

    Raises:
        UsageError: nothing is wanted, a selector is wrong or has no effect, or schedules do not run on what is wanted.
        RefusedError: the configuration does not exist, patches no guests, or would have too many machines.
        EmptyScopeError, RequestError: as `inventory.take_inventory`.
        UnsafeError: the counts do not add up, which is a defect of patchmode; nothing may be applied then.
    """
    check_wanted(wanted)
    tell = remark or _nobody
    azure.graph.forget()
    ask = partial(_wish, azure, then_attach, assignment_name, wanted)
    wish, inventory = await _wish_and_inventory(azure, scope, ask, now=clock.now())
    inventory.check_swallowed(is_reviewed=is_reviewed)
    attached = await _attached_to(azure, wish)
    index = await look_up(azure, inventory.machines, now=clock.now())
    target = azure.target.with_names_of(inventory.subscription_ids)
    empty = Plan(target, scope.describe(), wanted, (), created_at=index.now, tool_version=tool_version)
    plan = _waved(_with_ends(empty, inventory, wish, index), inventory, waves, canary)
    for note in (*inventory.notes, *index.book.notes, *_arc_note(plan), *_unheard(inventory, waves)):
        tell(note)
    await _check_attachment(azure, plan, wish, attached, clock=clock, remark=tell)
    return plan


async def _wish_and_inventory(
    azure: Azure, scope: Scope, ask: Callable[[], Awaitable[AttachRequest | None]], *, now: datetime
) -> tuple[AttachRequest | None, Inventory]:
    """The schedule first, so that a wrong name is told before anything is read.

    Where failed runs are looked up, the same queries bring the schedules, and it comes last.
    """
    if scope.failed_since is None:
        wish = await ask()
        return wish, await take_inventory(azure, scope, documents=True, now=now)
    inventory = await take_inventory(azure, scope, documents=True, now=now)
    return await ask(), inventory


async def _wish(
    azure: Azure, configuration: str | None, name: str | None, settings: WantedSettings
) -> AttachRequest | None:
    return (
        None
        if configuration is None
        else await look_up_attach_request(azure, configuration, name=name, settings=settings)
    )


def _with_ends(plan: Plan, inventory: Inventory, wish: AttachRequest | None, index: ScheduleIndex) -> Plan:
    """The plan with what becomes of each machine of an inventory."""
    decided = _decided(inventory, plan.wanted, wish, index)
    plan = replace(
        plan,
        changes=tuple(entry for entry in decided if isinstance(entry, Change)),
        unchanged=tuple(entry for entry in decided if isinstance(entry, Unchanged)),
        skipped=(*inventory.skipped, *(entry for entry in decided if isinstance(entry, Skipped))),
        unreadable=inventory.unreadable,
        nobody=patched_by_nobody(zip(inventory.machines, decided, strict=True), index, attaches=wish is not None),
    )
    check_plan_adds_up(plan, inventory)
    if wish is None:
        return plan
    return replace(plan, then_attach=with_locks(wish, _attached_in(plan, inventory), index.book))


def _decided(
    inventory: Inventory, wanted: WantedSettings, wish: AttachRequest | None, index: ScheduleIndex
) -> list[Decided]:
    decided: list[tuple[Machine, Decided]] = [
        (machine, plan_machine(machine, wanted_of(machine, wanted, attaches=wish is not None), schedules))
        for machine, schedules in ((one, index.schedules_of(one)) for one in inventory.machines)
    ]
    return [entry for _, entry in decided] if wish is None else planned_with(wish, decided, index)


def _waved(plan: Plan, inventory: Inventory, rules: Sequence[WaveRule], canary: int) -> Plan:
    """The plan in waves; machines that are as wanted belong to one only where they get a schedule."""
    if not rules and not canary:
        return plan
    same = plan.unchanged if plan.then_attach is not None else ()
    division = in_waves(plan.changes, same, inventory.machines, rules, canary=canary)
    unchanged = division.unchanged if plan.then_attach is not None else plan.unchanged
    return replace(plan, changes=division.changes, unchanged=unchanged, waves=division.waves)


def _unheard(inventory: Inventory, rules: Sequence[WaveRule]) -> tuple[str, ...]:
    names = unheard_of(inventory.machines, rules)
    return (f"--waves: no machine in scope has {' or '.join(names)}.",) if names else ()


def _attached_in(plan: Plan, inventory: Inventory) -> Iterator[Machine]:
    """The machines of a plan that get its schedule."""
    named = {one.id for group in (plan.changes, plan.unchanged) for one in group}
    return (machine for machine in inventory.machines if machine.id in named)


def check_wanted(wanted: WantedSettings) -> None:
    """Check that a wish names a setting at all.

    Raises:
        UsageError: it names none, so that every machine would be as wanted.
    """
    if wanted == WantedSettings(include_scale_set_members=wanted.include_scale_set_members):
        raise UsageError("No setting was named.", advice="Give --to or another setting.")


def _nobody(note: str) -> None:
    """Nobody is told."""


def _arc_note(plan: Plan) -> tuple[str, ...]:
    count = sum(change.kind is MachineKind.ARC for change in plan.changes)
    if not count or plan.wanted.orchestration is None:
        return ()
    who, have = ("Arc server", "it has") if count == 1 else ("Arc servers", "they have")
    return (f"Of {count:,} {who} only periodic assessment is planned: {have} no orchestration to set.",)


def narrowed(plan: Plan, ids: Collection[ResourceId]) -> Plan:
    """The plan with only these machines' changes; the others are skipped, with the option as their reason.

    Raises:
        UsageError: an id does not stand in the plan at all.
    """
    parts = (plan.changes, plan.unchanged, plan.skipped)
    # What could not be read may be a whole subscription or management group, which is no resource id.
    known = {entry.id.key for part in parts for entry in part} | {entry.id.casefold() for entry in plan.unreadable}
    strange = next((machine_id for machine_id in ids if machine_id.key not in known), None)
    if strange is not None:
        raise UsageError(
            f"--ids: {strange} is not among the machines of this run.", advice="Check it with `runs show`."
        )
    left_out = (change for change in plan.changes if change.id not in ids)
    skips = (
        Skipped(change.id, "filter-ids", "Left out by --ids.", outcome=change.outcome_before) for change in left_out
    )
    kept = (
        replace(wave, changes=sum(change.id in ids for change in plan.changes_of(place)))
        for place, wave in enumerate(plan.waves)
    )
    kept_plan = replace(
        plan,
        scope=(*plan.scope, *(f"--ids {machine_id}" for machine_id in ids)),
        changes=tuple(change for change in plan.changes if change.id in ids),
        unchanged=tuple(one if one.id in ids else replace(one, outcome_after=None) for one in plan.unchanged),
        skipped=(*plan.skipped, *skips),
        first_detach=tuple(one for one in plan.first_detach if one.id in ids),
        waves=tuple(wave for wave in kept if wave.changes or wave.unchanged),
    )
    # What was seen of schedules stays true; how many machines it concerns is another number now.
    machines = len(kept_plan.patched_by_nobody)
    return replace(kept_plan, nobody=kept_plan.nobody and replace(kept_plan.nobody, machines=machines, not_known=0))


def check_plan_adds_up(plan: Plan, inventory: Inventory) -> None:
    """Check that a plan accounts for every machine of an inventory exactly once.

    Raises:
        UnsafeError: a machine is missing, or stands in the plan twice.
    """
    ends = [entry.id.key for part in (plan.changes, plan.unchanged, plan.skipped) for entry in part]
    ends += [entry.id.casefold() for entry in plan.unreadable]
    scope = {machine.id.key for machine in inventory.machines} | {entry.id.key for entry in inventory.skipped}
    scope |= {entry.id.casefold() for entry in inventory.unreadable}
    twice = sorted(key for key, count in Counter(ends).items() if count > 1)
    odd = twice or sorted(scope ^ set(ends))
    if odd:
        raise UnsafeError(
            f"The plan does not account for its scope: {odd[0]} {'is in it twice' if twice else 'is missing from it'} "
            f"({len(odd)} in all).",
            advice="This is a defect of patchmode; report it with the output of --verbose. Nothing was written.",
        )
