"""Deleting a maintenance configuration: who loses it, then every assignment detached, then the configuration deleted.

What Azure does with the assignments of a configuration that is deleted is not documented, so none is left to it.

Must not: delete a configuration that something still names, or leave a machine newly to Azure's own patching unless
told to.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from shlex import quote

from patchmode.errors import RefusedError, RejectedError, UnsafeError
from patchmode.model.access import DELETE_SCHEDULE, DETACH
from patchmode.model.left_alone import MachineError
from patchmode.model.machine import Machine
from patchmode.model.outcome import BY_NOBODY, OutcomeKind
from patchmode.model.report import DeleteReport, ScheduleView
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import (
    AttachAction,
    AttachEnd,
    AttachReport,
    AttachResult,
    ConfigurationAssignment,
    DynamicScope,
    MaintenanceConfiguration,
    ScheduleBook,
    Timing,
)
from patchmode.ports.azure import Azure, Clock, GraphScope
from patchmode.rules.schedules.attaching import delete_lock
from patchmode.rules.schedules.memberships import ScheduleIndex
from patchmode.rules.schedules.window import scope_text
from patchmode.workflow.inventory.access import check_attachment_access
from patchmode.workflow.inventory.bulk_reading import parted
from patchmode.workflow.inventory.inventory import locks_in
from patchmode.workflow.schedules.attach_many import (
    Preview,
    carry_out,
    check_scope,
    harm,
    left_without,
    timing_warnings,
)
from patchmode.workflow.schedules.attachment import written
from patchmode.workflow.schedules.dynamic_scopes import ScopePreview, carry_out_scope, check_allowed
from patchmode.workflow.schedules.estate import Estate, read_estate, views_of
from patchmode.workflow.schedules.views import configuration_id, find_configuration, read_configuration

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Deletion:
    """What deleting a configuration would do."""

    found: MaintenanceConfiguration
    view: ScheduleView
    """It with its members, assignments and dynamic scopes."""
    machines: Preview
    """The detach from every machine with a static assignment."""
    scopes: tuple[ScopePreview, ...]
    """The detach of each dynamic scope."""
    left: Mapping[OutcomeKind, tuple[ResourceId, ...]]
    """Who patches its members afterwards; those in doubt are among them."""
    others: tuple[MaintenanceConfiguration, ...] = ()
    """Other schedules with a window to come, the next first: what its members could be attached to."""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def nobody(self) -> tuple[ResourceId, ...]:
        """Members that are patched by nobody afterwards."""
        return tuple(one for kind, ids in self.left.items() if kind in BY_NOBODY for one in ids)

    @property
    def touched(self) -> int:
        """How many machines lose it, those that are not seen among them."""
        return len(self.view.members) + len(self.view.unseen)


async def preview_delete(
    azure: Azure, text: str, *, clock: Clock, allow_azure_managed: bool = False, allow_unseen: bool = False
) -> Deletion:
    """Who would lose a configuration, and who patches those machines afterwards.

    Args:
        azure: a connection; reading is enough.
        text: the configuration's id, name, or `group/name`.
        clock: for windows.
        allow_azure_managed: also where Azure would then patch members at a time it chooses.
        allow_unseen: also where members in some subscriptions cannot be seen.

    Raises:
        UsageError: there is none. RefusedError: it patches no guests, or a lock or a missing role is in the way.
        UnsafeError: members would be left to Azure, or cannot be seen. RequestError: it cannot be looked up.
    """
    configuration, estate = await read_whole(azure, text, clock=clock)
    (view,) = views_of(estate, [configuration])
    after = ScheduleIndex(_without(estate.book, configuration.id), now=estate.now, machines=estate.machines)
    unseen = await unseen_places(azure, estate)
    if unseen and not allow_unseen:
        raise _members_unseen(unseen, configuration)
    if not allow_azure_managed:
        _refuse_harm([one.machine for one in view.members], after, configuration)
    notes = await _check_locks(azure, view)
    await _check_access(azure, view)
    return Deletion(
        configuration,
        view,
        _detach(estate, view, None if allow_azure_managed else after),
        tuple(_scope_detach(view, number) for number in range(len(view.dynamic_scopes))),
        left_without((one.machine for one in view.members), after),
        _others(estate, configuration),
        (*not_counted(unseen), *timing_warnings(view.next, estate.now, view.events)),
        (*estate.notes, *notes),
    )


async def carry_out_delete(
    azure: Azure,
    deletion: Deletion,
    *,
    clock: Clock,
    stop: asyncio.Event,
    progressed: Callable[[AttachResult], None],
) -> DeleteReport:
    """Detach everything, then delete the configuration, and read it back.

    Steps:
        1. read the configuration and everything that names it again, and refuse where either changed since;
        2. detach it from each machine, then each dynamic scope;
        3. where all of that is gone, DELETE the configuration, and see that it is gone.

    Args:
        azure: a connection that may write.
        deletion: as previewed just now.
        clock: for the time of each end.
        stop: set: what is under way is brought to its end, nothing new begins.
        progressed: told of each machine's end.

    Raises:
        RefusedError: it changed, or something else names it, since it was shown; nothing was sent.
        SignInError: the service no longer knows who asks.
    """
    await _check_unchanged(azure, deletion)
    report = await carry_out(azure, deletion.machines, name=None, clock=clock, stop=stop, progressed=progressed)
    ends = list(report.results)
    for scope in deletion.scopes:
        if not stop.is_set() and all(one.is_fine for one in ends):
            ends += (await carry_out_scope(azure, scope, clock=clock)).results
    end = await _deleted(azure, deletion, ends, is_stopped=stop.is_set())
    return _reported(azure, deletion, report, ends, end.at(clock.now()))


def _reported(
    azure: Azure, deletion: Deletion, report: AttachReport, ends: list[AttachResult], end: AttachResult
) -> DeleteReport:
    is_cut_off = end.error is not None and end.error.code == "Stopped"
    return DeleteReport(
        azure.target,
        deletion.found,
        "interrupted" if is_cut_off else report.state,
        end,
        tuple(sorted(ends, key=lambda one: one.id.casefold())),
        {kind: len(ids) for kind, ids in deletion.left.items()},
        len(deletion.view.unseen),
        deletion.notes,
        azure.ledger.by_method(),
    )


async def _deleted(azure: Azure, deletion: Deletion, ends: list[AttachResult], *, is_stopped: bool) -> AttachResult:
    identifier = deletion.found.id
    planned = deletion.machines.writes + len(deletion.scopes)
    done = sum(one.is_fine for one in ends)
    if done < planned or is_stopped:
        left = planned - done
        code = "Stopped" if is_stopped else "StillAttached"
        message = f"The schedule was not deleted: {left:,} of its {planned:,} assignments are still there."
        if not left:
            message = "The schedule was not deleted: the command was stopped before."
        error = MachineError(code, message, False, "Repeat the command: what is already done is skipped.")
        return AttachResult(str(identifier), AttachEnd.NOT_SENT, error=error)

    async def delete() -> None:
        await azure.maintenance_writer.delete_configuration(identifier)

    async def gone() -> bool:
        try:
            await azure.maintenance.configuration(identifier)
        except RejectedError as error:
            if error.status == 404:
                return True
            raise
        return False

    return await written(str(identifier), identifier.name, AttachEnd.DETACHED, delete, gone)


async def _check_unchanged(azure: Azure, deletion: Deletion) -> None:
    """Azure has no precondition for these requests, so what was shown is compared right before them."""
    now = await read_configuration(azure, str(deletion.found.id))
    if is_changed(deletion.found, now):
        raise changed_since(deletion.found.id)
    scope = GraphScope(tuple(one.id.lower() for one in await azure.authorization.subscriptions()))
    more: list[ConfigurationAssignment | DynamicScope] = []
    async for page in azure.graph.configuration_assignments(scope):
        more += parted(page, {})
    more = [one for one in more if one.configuration == now.id]
    known = {(one.machine, one.name.casefold()) for one in deletion.view.assignments}
    statics = (one for one in more if isinstance(one, ConfigurationAssignment))
    news = [str(one.machine) for one in statics if (one.machine, one.name.casefold()) not in known]
    places = {one.id.casefold() for one in deletion.view.dynamic_scopes}
    scopes = (one.id for one in more if isinstance(one, DynamicScope))
    news += [one for one in scopes if one.casefold() not in places]
    if news:
        raise RefusedError(
            f"Nothing was sent: {now.name} was attached to more since it was shown: {_some(news)}.",
            advice="Repeat the command: it shows them, too.",
        )


async def read_whole(azure: Azure, text: str, *, clock: Clock) -> tuple[MaintenanceConfiguration, Estate]:
    """A configuration as Microsoft.Maintenance answers it now, and everything that may have it.

    Raises:
        UsageError: there is none. RefusedError: it patches no guests. RequestError: it cannot be looked up.
    """
    by_id = configuration_id(text)
    if by_id is not None:
        check_scope(await read_configuration(azure, text))  # before a whole fleet is read in vain
    estate = await read_estate(azure, clock=clock)
    # A name is looked for in what was read anyway: a query more, and the third command in a row would have to wait.
    identifier = find_configuration(text, estate.book).id if by_id is None else by_id
    configuration = await read_configuration(azure, str(identifier))
    check_scope(configuration)
    return configuration, estate


def is_changed(shown: MaintenanceConfiguration, now: MaintenanceConfiguration) -> bool:
    """Whether a configuration is another than the one that was shown; it has no etag to tell."""
    return (shown.properties, shown.tags, shown.location) != (now.properties, now.tags, now.location)


def changed_since(configuration: ResourceId) -> RefusedError:
    """The refusal of such a configuration."""
    return RefusedError(
        f"Nothing was sent: somebody changed {configuration} since it was shown.",
        advice="Repeat the command: it shows the schedule as it is now.",
    )


# ------------------------------------------------------------------------------------------------ what is in the way


async def unseen_places(azure: Azure, estate: Estate) -> list[str]:
    """Subscriptions whose assignments or machines could not be read whole."""
    listed = [one.id.lower() for one in await azure.authorization.subscriptions()]
    return [one for one in listed if one not in estate.book.covered or one not in estate.seen]


def _members_unseen(unseen: list[str], configuration: MaintenanceConfiguration) -> UnsafeError:
    return UnsafeError(
        f"Not all machines that would lose {configuration.name} can be seen: assignments or machines of subscription "
        f"{_some(unseen)} cannot be read.",
        advice="Have Reader granted there, or repeat with --allow-unseen if machines there may lose it, too.",
    )


def not_counted(unseen: list[str]) -> tuple[str, ...]:
    """What must be known of them before the number of members is believed; nothing where there are none."""
    text = f"Not counted: members in subscription {_some(unseen)}, which cannot be read whole."
    return (text,) if unseen else ()


def _refuse_harm(machines: Iterable[Machine], after: ScheduleIndex, configuration: MaintenanceConfiguration) -> None:
    harmed = [one for one in machines if harm(one, after, configuration.id) is not None]
    if harmed:
        ids = [str(one.id) for one in harmed]
        are_few = len(ids) <= _NAMED
        which = f"--ids {' '.join(map(quote, ids))}" if are_few else f"--schedule {quote(str(configuration.id))}"
        raise UnsafeError(
            f"Azure would, or might, then patch and reboot {len(harmed):,} of its members at a time it chooses: "
            f"{_some(ids)} (last-schedule).",
            advice="Repeat with --allow-azure-managed if Azure may patch them, or first set them to Customer Managed "
            f"Schedules:\npatchmode apply {which}",
        )


async def _check_locks(azure: Azure, view: ScheduleView) -> list[str]:
    """Refuse where a lock is in the way of any deletion; what could not be read of locks.

    Raises:
        RefusedError: with the first lock, and how many assignments locks keep.
    """
    places = [str(one.machine) for one in view.assignments] + [one.place for one in view.dynamic_scopes]
    subscriptions = {view.configuration.id.subscription_id, *(place.split("/")[2].lower() for place in places)}
    locks, notes = await locks_in(azure, sorted(subscriptions))
    own = delete_lock(locks, str(view.configuration.id), "the schedule")
    kept = {place: lock for place in places if (lock := delete_lock(locks, place)) is not None}
    if own is not None or kept:
        first = own or next(iter(kept.values()))
        which = f" Locks cover {len(kept):,} of its {len(places):,} assignments." if kept else ""
        raise RefusedError(f"Nothing was sent: {first.message}{which} ({first.rule})", advice=first.fix)
    return notes


async def _check_access(azure: Azure, view: ScheduleView) -> None:
    """Refuse what no role allows, before anything is detached.

    Raises:
        RefusedError: with the role that is missing.
    """
    await check_allowed(azure, str(view.configuration.id), DELETE_SCHEDULE)
    for place in dict.fromkeys(one.place for one in view.dynamic_scopes):
        await check_allowed(azure, place, DETACH)
    machines = tuple(dict.fromkeys(one.machine for one in view.assignments))
    refused = (await check_attachment_access(azure, machines, DETACH)).refused
    if refused:
        lack = next(iter(refused.values()))
        raise RefusedError(
            f"Nothing was sent: no role of yours allows {lack.action} on {len(refused):,} of the {len(machines):,} "
            f"machines that it is attached to: {_some([str(one) for one in refused])}.",
            advice=f"Have {lack.role} granted on {lack.scope}, then repeat the command.",
        )


# ------------------------------------------------------------------------------------------------ what is detached


def _detach(estate: Estate, view: ScheduleView, after: ScheduleIndex | None) -> Preview:
    ids = {one.machine for one in view.assignments}
    machines = tuple(one for one in estate.machines if one.id in ids)
    gone = tuple(sorted(ids - {one.id for one in machines}))
    identifier = view.configuration.id
    return Preview(AttachAction.DETACH, identifier, view.configuration, machines, gone=gone, after=after)


def _scope_detach(view: ScheduleView, number: int) -> ScopePreview:
    scope = view.dynamic_scopes[number]
    return ScopePreview(AttachAction.DETACH, view.configuration.id, scope, scope_text(scope), scope, ())


def _others(estate: Estate, configuration: MaintenanceConfiguration) -> tuple[MaintenanceConfiguration, ...]:
    coming = []
    for one in estate.guest:
        following = estate.index.next_of(one.id)
        if one.id != configuration.id and following.timing is Timing.COMING and following.window is not None:
            coming.append((following.window.starts_at, one.id.key, one))
    return tuple(one for _, _, one in sorted(coming, key=lambda entry: entry[:2]))


def _without(book: ScheduleBook, configuration: ResourceId) -> ScheduleBook:
    """The book as it would be without a configuration and all that names it."""
    return replace(
        book,
        configurations=tuple(one for one in book.configurations if one.id != configuration),
        assignments=tuple(one for one in book.assignments if one.configuration != configuration),
        dynamic_scopes=tuple(one for one in book.dynamic_scopes if one.configuration != configuration),
    )


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")
