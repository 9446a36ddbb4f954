"""Attaching a configuration to many machines and taking it off: what would happen, and then doing it.

Each face shows the preview and asks; carrying out reads every machine's assignments anew and trusts none of the preview
but the refusals.

Must not: attach what would fail, or leave a machine newly to Azure's own patching unless told to.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from patchmode.errors import RefusedError, RequestError, UnsafeError, UsageError
from patchmode.model.access import ATTACH, DETACH, AccessCheck, MissingAction
from patchmode.model.left_alone import MachineError, Skipped, Unreadable
from patchmode.model.machine import Machine
from patchmode.model.maintenance_events import ScheduleEvents
from patchmode.model.outcome import OutcomeKind
from patchmode.model.plan import KeptBy
from patchmode.model.resource_id import ResourceId, ResourceIdError
from patchmode.model.schedule import (
    AttachAction,
    AttachEnd,
    AttachReport,
    AttachResult,
    ConfigurationAssignment,
    MaintenanceConfiguration,
    NextWindow,
    ScheduleBook,
    ScheduleHit,
    Timing,
)
from patchmode.model.scope import Scope
from patchmode.ports.azure import Azure, Clock
from patchmode.rules.schedules.after_plan import attach_warning, delete_locks
from patchmode.rules.schedules.attaching import (
    AttachObstacle,
    attach_obstacle,
    delete_lock,
    last_schedule_obstacle,
    scope_obstacle,
    tenant_obstacle,
    write_lock,
)
from patchmode.rules.schedules.creation import is_name
from patchmode.rules.schedules.events import too_close
from patchmode.rules.schedules.forecast import predict
from patchmode.rules.schedules.limits import limits_of
from patchmode.rules.schedules.memberships import PLATFORM_MODE_SCHEDULE, ScheduleIndex
from patchmode.rules.schedules.recurrence import next_window
from patchmode.timing import all_of
from patchmode.workflow.inventory.access import NOT_AUTHORIZED, check_attachment_access
from patchmode.workflow.inventory.inventory import Inventory, locks_in, take_inventory
from patchmode.workflow.inventory.scoping import KINDS
from patchmode.workflow.schedules.attachment import AT_ONCE, Keeps, attach_one, detach_one, each, refused
from patchmode.workflow.schedules.events import events_soon
from patchmode.workflow.schedules.reading import read_schedules
from patchmode.workflow.schedules.views import configuration_id, read_configuration

_NAMED = 5
_HARMFUL = {OutcomeKind.AUTOPATCHED, OutcomeKind.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Preview:
    """What an attach or detach would do."""

    action: AttachAction
    configuration: ResourceId
    found: MaintenanceConfiguration | None
    """The configuration itself; None: it does not exist, which only a detach allows."""
    machines: tuple[Machine, ...]
    """Those that will be looked at again and written."""
    gone: tuple[ResourceId, ...] = ()
    """Machines that are not there any more, whose assignments a detach still deletes."""
    unchanged: tuple[AttachResult, ...] = ()
    """Machines that already are as wanted, as Microsoft.Maintenance itself says."""
    refused: tuple[AttachResult, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    following: NextWindow | None = None
    """The configuration's next window."""
    warnings: tuple[str, ...] = ()
    kept_by: tuple[KeptBy, ...] = ()
    """Of an attach: locks that refuse to take back what it does."""
    notes: tuple[str, ...] = ()
    access: AccessCheck = field(default_factory=AccessCheck)
    """What whoever is signed in may not do; those machines are among `refused`."""
    after: ScheduleIndex | None = None
    """With a detach that leaves no machine to Azure's own patching: the schedules as they would be."""
    left: Mapping[OutcomeKind, tuple[ResourceId, ...]] = field(default_factory=dict)
    """Of a detach: who patches `machines` afterwards."""

    @property
    def writes(self) -> int:
        """How many machines may be written."""
        return len(self.machines) + len(self.gone)


async def preview_attach(azure: Azure, text: str, scope: Scope, *, clock: Clock) -> Preview:
    """What attaching a configuration to the machines of a scope would do.

    Args:
        azure: a connection; reading is enough.
        text: the configuration's id, name, or `group/name`.
        scope: must have a selector.
        clock: for the next window.

    Raises:
        UsageError: the configuration does not exist. RefusedError: it patches no guests. UnsafeError: a limit of Azure.
        EmptyScopeError, RequestError: as `inventory.take_inventory`.
    """
    if scope.failed_since is not None:
        # What failed runs lead to brings the schedules too; elsewhere a wrong name is told before anything is read.
        inventory = await take_inventory(azure, scope, documents=True)
    configuration = await read_configuration(azure, text)
    check_scope(configuration)
    if scope.failed_since is None:
        inventory = await take_inventory(azure, scope, documents=True)
    inventory.check_swallowed(is_reviewed=False)
    book = await read_all_schedules(azure)
    attached = _attached(book, configuration.id)
    fit: list[Machine] = []
    results: list[AttachResult] = []
    for machine in inventory.machines:
        obstacle = tenant_obstacle(machine.id.subscription_id, configuration.id, azure.target)
        obstacle = obstacle or attach_obstacle(machine, configuration)
        if obstacle is None and machine.id not in attached:
            obstacle = write_lock(machine.surroundings.locks, str(machine.id))
        if obstacle is None:
            fit.append(machine)
        else:
            results.append(refused(str(machine.id), obstacle))
    _check_room(len(attached), [one for one in fit if one.id not in attached], configuration, azure.target.cloud)
    following = next_window(configuration.window, after=clock.now())
    events = await events_soon(azure, configuration.id, following.window, clock.now())
    unchanged = await _confirmed(azure, [one.id for one in fit if one.id in attached], configuration.id, is_there=True)
    written = tuple(one for one in fit if one.id not in unchanged)
    kept_by = delete_locks(written)
    preview = Preview(
        AttachAction.ATTACH,
        configuration.id,
        configuration,
        written,
        unchanged=tuple(unchanged.values()),
        refused=tuple(results),
        skipped=inventory.skipped,
        unreadable=inventory.unreadable,
        following=following,
        warnings=(*timing_warnings(following, clock.now(), events), *map(attach_warning, kept_by)),
        kept_by=kept_by,
        notes=(*inventory.notes, *book.notes),
    )
    return await _as_allowed(azure, preview, ATTACH)


async def preview_detach(
    azure: Azure, text: str, scope: Scope, *, clock: Clock, allow_azure_managed: bool = False
) -> Preview:
    """What taking a configuration off the machines of a scope would do.

    Args:
        azure: a connection; reading is enough.
        text: the configuration's id, name, or `group/name`; by its id also where it does not exist any more.
        scope: must have a selector; a machine named by id need not exist any more.
        clock: for the windows of what stays attached.
        allow_azure_managed: also detach where Azure would then patch the machine when it likes.

    Raises:
        UsageError: no such configuration. EmptyScopeError, RequestError: as `inventory.take_inventory`.
    """
    if scope.failed_since is not None:
        inventory = await take_inventory(azure, scope, documents=True)  # see `preview_attach`
    configuration, identifier = await find_for_detach(azure, text)
    if scope.failed_since is None:
        inventory = await take_inventory(azure, scope, documents=True)
    inventory.check_swallowed(is_reviewed=False)
    gone, unreadable = await _gone(azure, inventory, identifier)
    gone, kept, unknown_locks = await _deletable(azure, gone)
    book = await read_all_schedules(azure)
    after = ScheduleIndex(_without(book, identifier, inventory), now=clock.now(), machines=inventory.machines)
    attached = _attached(book, identifier)
    without = [one.id for one in inventory.machines if one.id not in attached]
    unchanged = await _confirmed(azure, without, identifier, is_there=False)
    fit: list[Machine] = []
    results: list[AttachResult] = list(kept)
    for machine in inventory.machines:
        if machine.id in unchanged:
            continue
        obstacle = delete_lock(machine.surroundings.locks, str(machine.id))
        if obstacle is None and not allow_azure_managed:
            obstacle = harm(machine, after, identifier)
        if obstacle is None:
            fit.append(machine)
        else:
            results.append(refused(str(machine.id), obstacle))
    staying = _staying(inventory.machines, after, identifier)
    preview = Preview(
        AttachAction.DETACH,
        identifier,
        configuration,
        tuple(fit),
        gone=gone,
        unchanged=tuple(unchanged.values()),
        refused=tuple(results),
        skipped=inventory.skipped,
        unreadable=unreadable,
        warnings=staying,
        notes=(*inventory.notes, *book.notes, *unknown_locks, *staying),
        after=None if allow_azure_managed else after,
    )
    allowed = await _as_allowed(azure, preview, DETACH)
    return replace(allowed, left=left_without(allowed.machines, after))


async def _as_allowed(azure: Azure, preview: Preview, action: str) -> Preview:
    """The preview without machines that whoever is signed in may not write: they are refused before they are asked."""
    access = await check_attachment_access(azure, [one.id for one in preview.machines], action)
    lacks = access.refused
    errors = {one: _not_authorized(one, lack) for one, lack in lacks.items()}
    return replace(
        preview,
        machines=tuple(one for one in preview.machines if one.id not in lacks),
        refused=(
            *preview.refused,
            *(AttachResult(str(one), AttachEnd.REFUSED, error=error) for one, error in errors.items()),
        ),
        access=access,
    )


def _not_authorized(machine_id: ResourceId, lack: MissingAction) -> MachineError:
    message = f"Nothing was sent to {machine_id}: no role of yours allows {lack.action} on {lack.scope}."
    advice = f"Have {lack.role} granted there, then repeat the command."
    return MachineError(NOT_AUTHORIZED, message, may_have_been_applied=False, advice=advice)


async def carry_out(
    azure: Azure,
    preview: Preview,
    *,
    name: str | None,
    clock: Clock,
    stop: asyncio.Event,
    progressed: Callable[[AttachResult], None],
) -> AttachReport:
    """Do what a preview said, machine by machine, each looked at anew.

    Args:
        azure: a connection that may write.
        preview: as made just now.
        name: of new assignments; None: the configuration's.
        clock: for the time of each end.
        stop: set: what is under way is brought to its end, nothing new begins.
        progressed: told of each end.

    Raises:
        SignInError: the service no longer knows who asks.
    """
    calls = []
    ids = []
    for machine in preview.machines:
        ids.append(str(machine.id))
        if preview.action is AttachAction.ATTACH and preview.found is not None:
            calls.append(partial(attach_one, azure, machine, preview.found, name=name))
        else:
            keeps = _guard(preview)
            calls.append(partial(detach_one, azure, machine.id, preview.configuration, keeps=keeps))
    for machine_id in preview.gone:
        ids.append(str(machine_id))
        calls.append(partial(detach_one, azure, machine_id, preview.configuration))
    results = await each(calls, ids, clock=clock, stop=stop, progressed=progressed)
    is_cut_off = any(entry.result is AttachEnd.NOT_SENT for entry in results) and stop.is_set()
    return AttachReport(
        preview.action,
        azure.target,
        preview.configuration,
        "interrupted" if is_cut_off else "finished",
        tuple(sorted((*results, *preview.unchanged, *preview.refused), key=lambda entry: entry.id.casefold())),
        skipped=preview.skipped,
        unreadable=preview.unreadable,
        notes=preview.notes,
        requests=azure.ledger.by_method(),
    )


# ------------------------------------------------------------------------------------------------ shared with scopes


def check_name(text: str) -> None:
    """Refuse a name of a schedule, an assignment or a dynamic scope that Azure does not take.

    Raises:
        UsageError: it is one.
    """
    if not is_name(text):
        raise UsageError(
            f"{text!r} is not a name that Azure takes.",
            advice="Use letters, digits, '-', '_' and '.', fewer than 128, a letter or digit first.",
        )


def check_scope(configuration: MaintenanceConfiguration) -> None:
    """Refuse a configuration that patches no guests.

    Raises:
        RefusedError: its maintenance scope is another.
    """
    obstacle = scope_obstacle(configuration)
    if obstacle is not None:
        raise RefusedError(f"{obstacle.message} ({obstacle.rule})", advice=obstacle.fix)


async def read_all_schedules(azure: Azure) -> ScheduleBook:
    """Every schedule that can be seen."""
    subscriptions = await azure.authorization.subscriptions()
    return await read_schedules(azure, [one.id.lower() for one in subscriptions])


async def find_for_detach(azure: Azure, text: str) -> tuple[MaintenanceConfiguration | None, ResourceId]:
    """The configuration that a user means, which by its id need not exist any more.

    Raises:
        UsageError: a name that none has.
    """
    identifier = configuration_id(text)
    try:
        found = await read_configuration(azure, text)
    except UsageError:
        if identifier is None:
            raise
        return None, identifier
    return found, found.id


def left_without(machines: Iterable[Machine], after: ScheduleIndex) -> dict[OutcomeKind, tuple[ResourceId, ...]]:
    """Who patches machines by the schedules as they would be, in the order of the outcomes."""
    found: dict[OutcomeKind, list[ResourceId]] = defaultdict(list)
    for machine in machines:
        found[predict(machine.settings, machine, schedules=after.schedules_of(machine)).kind].append(machine.id)
    return {kind: tuple(sorted(found[kind])) for kind in OutcomeKind if kind in found}


def harm(
    machine: Machine,
    after: ScheduleIndex,
    configuration: ResourceId,
    *,
    assigned: Iterable[ConfigurationAssignment] | None = None,
) -> AttachObstacle | None:
    """Why a machine must not lose a schedule: Azure would, or might, then patch and reboot it when it likes.

    Args:
        machine: as it is.
        after: the schedules as they would be.
        configuration: what is to be taken off.
        assigned: the machine's static assignments as they would be; None: as `after` has them.
    """
    if not machine.may_be_azure_managed:
        return None
    schedules = after.schedules_of(machine, assigned=assigned)
    outcome = predict(machine.settings, machine, schedules=schedules)
    if any(_surely_runs(hit) for hit in schedules.certain) or outcome.kind not in _HARMFUL:
        return None
    return last_schedule_obstacle(machine, configuration, outcome)


def _guard(preview: Preview) -> Keeps | None:
    """`harm`, of what stands on a machine right before the request; dynamic scopes are those of the preview."""
    after = preview.after
    if after is None:
        return None

    def keeps(machine: Machine, standing: Sequence[ConfigurationAssignment]) -> AttachObstacle | None:
        rest = [entry for entry in standing if entry.configuration != preview.configuration]
        return harm(machine, after, preview.configuration, assigned=rest)

    return keeps


def _staying(machines: Sequence[Machine], after: ScheduleIndex, configuration: ResourceId) -> tuple[str, ...]:
    """What a person must know who thinks that a detached machine is out of the next window."""
    hits = {str(one.id): after.hits_of(configuration, one) for one in machines}
    held = {name: hit for name, hit in hits.items() if hit is not None}
    if not held:
        return ()
    names = list(held)
    count = "1 machine" if len(names) == 1 else f"{len(names):,} machines"
    stay = "may stay" if any(hit.doubt is not None for hit in held.values()) else "will stay"
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    text = f"{count} {stay} in {configuration.name} by dynamic scopes, which a detach from machines does not change: "
    return (f"{text}{', '.join(names[:_NAMED])}{more}. Change the scope's filter, or the machine's tags.",)


def _surely_runs(hit: ScheduleHit) -> bool:
    """Whether a schedule keeps Azure away: of one that may never run again it is stated nowhere."""
    return hit.next.timing is Timing.COMING and hit.next.rule != PLATFORM_MODE_SCHEDULE.id


def timing_warnings(following: NextWindow, now: datetime, events: ScheduleEvents | None) -> tuple[str, ...]:
    """What is worth knowing of a configuration's next window before anything about it is changed.

    Args:
        following: its next window, before the change.
        now: aware.
        events: of the configuration; None: they were not looked up.
    """
    if following.window is None:
        return (f"No next window is known: {following.because}.",) if following.because else ()
    soon = too_close(following.window.starts_at, now, events)
    return () if soon is None else (f"Its next window starts in {soon} (window-too-close).",)


def _attached(book: ScheduleBook, configuration: ResourceId) -> set[ResourceId]:
    return {one.machine for one in book.assignments if one.configuration == configuration}


async def _confirmed(
    azure: Azure, ids: Sequence[ResourceId], configuration: ResourceId, *, is_there: bool
) -> dict[ResourceId, AttachResult]:
    """Of machines that Resource Graph shows as wanted, those that Microsoft.Maintenance shows so too.

    What cannot be read is left to the carrying out, which tells why.
    """
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(machine_id: ResourceId) -> AttachResult | None:
        async with slots:
            try:
                standing = await azure.maintenance.assignments_on(machine_id)
            except RequestError:
                return None
        names = [entry.name for entry in standing if entry.configuration == configuration]
        if bool(names) is not is_there:
            return None
        return AttachResult(str(machine_id), AttachEnd.UNCHANGED, assignment=names[0] if names else None)

    found = await all_of(one(machine_id) for machine_id in ids)
    return {machine_id: result for machine_id, result in zip(ids, found, strict=True) if result is not None}


def _check_room(attached: int, newcomers: list[Machine], configuration: MaintenanceConfiguration, cloud: str) -> None:
    limit = limits_of(cloud).machines
    if newcomers and attached + len(newcomers) > limit:
        raise UnsafeError(
            f"{configuration.name} has {attached:,} machines, and {len(newcomers):,} more would exceed the {limit:,} "
            "that Azure allows (schedule-limit).",
            advice="Divide the machines among several configurations.",
        )


async def _gone(
    azure: Azure, inventory: Inventory, configuration: ResourceId
) -> tuple[tuple[ResourceId, ...], tuple[Unreadable, ...]]:
    """Machines named by id that are not there but still have the assignment, and the rest of what could not be read.

    One that has none either is as likely a slip of the pen, so it stays among what could not be read.
    """
    gone: dict[ResourceId, Unreadable] = {}
    rest: list[Unreadable] = []
    for entry in inventory.unreadable:
        try:
            parsed = ResourceId.parse(entry.id)
        except ResourceIdError:
            rest.append(entry)
            continue
        is_missing = parsed.full_type in KINDS and "notfound" in entry.reason.replace(" ", "").casefold()
        if is_missing:
            gone[parsed] = entry
        else:
            rest.append(entry)
    without = await _confirmed(azure, list(gone), configuration, is_there=False)
    rest += [gone[machine_id] for machine_id in without]
    return tuple(machine_id for machine_id in gone if machine_id not in without), tuple(rest)


async def _deletable(
    azure: Azure, gone: Sequence[ResourceId]
) -> tuple[tuple[ResourceId, ...], list[AttachResult], list[str]]:
    """Of machines that are not there: those whose assignments can be deleted, those kept by a lock, and notes."""
    locks, notes = await locks_in(azure, (one.subscription_id for one in gone))
    kept = {one: obstacle for one in gone if (obstacle := delete_lock(locks, str(one))) is not None}
    return (
        tuple(one for one in gone if one not in kept),
        [refused(str(one), obstacle) for one, obstacle in kept.items()],
        notes,
    )


def _without(book: ScheduleBook, configuration: ResourceId, inventory: Inventory) -> ScheduleBook:
    """The book as it would be after the static assignments of these machines are gone."""
    machines = {machine.id for machine in inventory.machines}
    kept = [one for one in book.assignments if one.configuration != configuration or one.machine not in machines]
    return replace(book, assignments=tuple(kept))
