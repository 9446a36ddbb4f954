"""Dynamic scopes: whom one would hit now, and attaching and detaching it.

Must not: write over a dynamic scope that differs, unless told to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from dataclasses import replace as replaced

from patchmode.errors import EmptyScopeError, RefusedError, RejectedError, UnsafeError
from patchmode.model.access import ATTACH, DETACH
from patchmode.model.nearest import nearest
from patchmode.model.outcome import OutcomeKind
from patchmode.model.patch_settings import PatchSettings
from patchmode.model.report import Member
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import (
    AttachAction,
    AttachEnd,
    AttachReport,
    AttachResult,
    DynamicScope,
    MaintenanceConfiguration,
    NextWindow,
    ScheduleBook,
    ScheduleHit,
    ScopeFilter,
    Via,
)
from patchmode.model.scope import Scope
from patchmode.ports.azure import Azure, Clock
from patchmode.rules.schedules.attaching import AttachObstacle, delete_lock, tenant_obstacle, write_lock
from patchmode.rules.schedules.dynamic_scope import match
from patchmode.rules.schedules.forecast import forecast
from patchmode.rules.schedules.limits import filter_excess, limits_of
from patchmode.rules.schedules.memberships import ScheduleIndex
from patchmode.rules.schedules.recurrence import next_window
from patchmode.rules.schedules.window import scope_text
from patchmode.workflow.inventory.access import check_scope_access
from patchmode.workflow.inventory.inventory import Inventory, locks_in, take_inventory
from patchmode.workflow.schedules.attach_many import (
    check_name,
    check_scope,
    find_for_detach,
    harm,
    left_without,
    read_all_schedules,
    timing_warnings,
)
from patchmode.workflow.schedules.attachment import refused, written
from patchmode.workflow.schedules.events import events_soon
from patchmode.workflow.schedules.views import read_configuration

NAMED = 5
"""So many machines are named in a sentence."""


@dataclass(frozen=True, slots=True)
class ScopePreview:
    """What attaching or detaching a dynamic scope would do."""

    action: AttachAction
    configuration: ResourceId
    scope: DynamicScope
    """As it is to be; for a detach, as it stands (or would stand)."""
    text: str
    """The scope in words."""
    standing: DynamicScope | None
    """The one of that name and place as it is now; None: there is none."""
    members: tuple[Member, ...]
    """The machines that it hits now, those in doubt among them."""
    obstacle: AttachObstacle | None = None
    """Why it is refused."""
    following: NextWindow | None = None
    left: Mapping[OutcomeKind, tuple[ResourceId, ...]] = field(default_factory=dict)
    """Of a detach: who patches the members afterwards."""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_unchanged(self) -> bool:
        """Whether it already is as wanted."""
        if self.action is AttachAction.DETACH:
            return self.standing is None
        return self.standing is not None and same_scope(self.standing, self.scope)


def make_dynamic_scope(
    name: str, subscription: str, group: str | None, configuration: ResourceId, kept: ScopeFilter
) -> DynamicScope:
    """A dynamic scope that somebody wants.

    Args:
        name: of it.
        subscription: the id of the subscription that it is on.
        group: the name of one of its resource groups; None: the scope is the whole subscription.
        configuration: that it attaches.
        kept: which machines it matches.

    Raises:
        UsageError: Azure takes no such name.
    """
    check_name(name)
    return DynamicScope(name, subscription.lower(), group, configuration, kept)


async def preview_attach_scope(
    azure: Azure, text: str, wanted: DynamicScope, *, replace: bool, clock: Clock
) -> ScopePreview:
    """Whom a new dynamic scope would hit now.

    Args:
        azure: a connection; reading is enough.
        text: the configuration's id, name, or `group/name`.
        wanted: place, name and filter; its configuration is not looked at.
        replace: whether one of that name that differs may be written over.
        clock: for the next window.

    Raises:
        UsageError: the configuration does not exist. RefusedError: it patches no guests, or another dynamic scope has
            that name. UnsafeError: a limit of Azure. RequestError: it could not be looked up.
    """
    configuration = await read_configuration(azure, text)
    check_scope(configuration)
    scope = replaced(wanted, configuration=configuration.id)
    standing = await _standing(azure, scope)
    if standing is not None and not same_scope(standing, scope) and not replace:
        raise RefusedError(
            f"A dynamic scope {scope.name} exists on {scope.place} already, and differs: it attaches "
            f"{standing.configuration.name} to {scope_text(standing)}.",
            advice="Give another name, or --replace to overwrite it.",
        )
    await check_allowed(azure, scope.place, ATTACH)
    book = await read_all_schedules(azure)
    foreign = tenant_obstacle(scope.subscription_id, configuration.id, azure.target, "the dynamic scope")
    if foreign is not None:
        raise RefusedError(f"{foreign.message} ({foreign.rule})", advice=foreign.fix)
    if standing is None:
        _check_room(book, scope, azure.target.cloud)
    inventory = await _machines_of(azure, scope)
    following = next_window(configuration.window, after=clock.now())
    events = await events_soon(azure, configuration.id, following.window, clock.now())
    members = _members(scope, configuration, inventory, following)
    _check_members(members, scope, azure.target.cloud)
    locks, unknown = await locks_in(azure, [scope.subscription_id])
    is_standing = standing is not None and same_scope(standing, scope)
    obstacle = None if is_standing else write_lock(locks, scope.place)
    if obstacle is None and standing is not None and not is_standing:
        # Whom the standing one attached and the new one does not, loses a schedule as by a detach.
        others = tuple(one for one in book.dynamic_scopes if _key(one) != _key(standing))
        later = replaced(book, dynamic_scopes=(*others, scope))
        after = ScheduleIndex(later, now=clock.now(), machines=inventory.machines)
        obstacle = _harmful(standing, inventory, after)
    return ScopePreview(
        AttachAction.ATTACH,
        configuration.id,
        scope,
        scope_text(scope),
        standing,
        members,
        obstacle,
        following=following,
        warnings=(*timing_warnings(following, clock.now(), events), *_place_warnings(scope, members), *unknown),
        notes=(*inventory.notes, *book.notes),
    )


async def preview_detach_scope(
    azure: Azure, text: str, wanted: DynamicScope, *, clock: Clock, allow_azure_managed: bool
) -> ScopePreview:
    """Whom a dynamic scope would no longer hit.

    Args:
        azure: a connection; reading is enough.
        text: the configuration's id, name, or `group/name`.
        wanted: place and name; the rest is not looked at.
        clock: for the windows of what stays attached.
        allow_azure_managed: also detach where Azure would then patch members when it likes.

    Raises:
        UsageError: no such configuration. RefusedError: the scope attaches another one. RequestError.
    """
    configuration, identifier = await find_for_detach(azure, text)
    standing = await _standing(azure, wanted)
    if standing is None:
        notes = (await _not_there(azure, wanted),)
        return ScopePreview(AttachAction.DETACH, identifier, wanted, scope_text(wanted), None, (), notes=notes)
    if standing.configuration != identifier:
        raise RefusedError(
            f"The dynamic scope {wanted.name} on {wanted.place} attaches {standing.configuration}, not {identifier}.",
            advice="Name the configuration that it attaches.",
        )
    await check_allowed(azure, standing.place, DETACH)
    inventory = await _machines_of(azure, standing)
    book = await read_all_schedules(azure)
    kept = tuple(one for one in book.dynamic_scopes if _key(one) != _key(standing))
    after = ScheduleIndex(replaced(book, dynamic_scopes=kept), now=clock.now(), machines=inventory.machines)
    members: tuple[Member, ...] = ()
    if configuration is not None:
        upcoming = next_window(configuration.window, after=clock.now())
        members = _members(standing, configuration, inventory, upcoming)
    locks, warnings = await locks_in(azure, [standing.subscription_id])
    obstacle = delete_lock(locks, standing.place)
    if obstacle is None and not allow_azure_managed:
        obstacle = _harmful(standing, inventory, after)
    return ScopePreview(
        AttachAction.DETACH,
        identifier,
        standing,
        scope_text(standing),
        standing,
        members,
        obstacle,
        left=left_without((one.machine for one in members), after),
        warnings=tuple(warnings),
        notes=(*inventory.notes, *book.notes),
    )


async def check_allowed(azure: Azure, place: str, action: str) -> None:
    """Refuse what no role allows, before anybody is asked.

    Raises:
        RefusedError: with the role that is missing.
    """
    for lack in (await check_scope_access(azure, place, action)).missing:
        raise RefusedError(
            f"Nothing was sent: no role of {lack.identity or 'yours'} allows {action} on {place}.",
            advice=f"Have {lack.role} granted there, then repeat the command.",
        )


async def carry_out_scope(azure: Azure, preview: ScopePreview, *, clock: Clock) -> AttachReport:
    """Do what a preview said, and read it back.

    Args:
        azure: a connection that may write.
        preview: as made just now.
        clock: for the time of its end.

    Raises:
        SignInError: the service no longer knows who asks.
    """
    result = (await _carried_out(azure, preview)).at(clock.now())
    return AttachReport(
        preview.action,
        azure.target,
        preview.configuration,
        "finished",
        (result,),
        dynamic=True,
        notes=preview.notes,
        requests=azure.ledger.by_method(),
    )


async def _carried_out(azure: Azure, preview: ScopePreview) -> AttachResult:
    scope = preview.scope
    identifier = scope.id
    if preview.obstacle is not None:
        return refused(identifier, preview.obstacle)
    if preview.is_unchanged:
        return AttachResult(identifier, AttachEnd.UNCHANGED, assignment=scope.name)
    place = scope.subscription_id, scope.resource_group, scope.name

    async def attach() -> str | None:
        return (await azure.maintenance_writer.attach_scope(*place, scope.configuration, scope.filter)).request_id

    async def detach() -> None:
        await azure.maintenance_writer.detach_scope(*place)

    async def stands() -> bool:
        found = await _standing(azure, scope)
        return found is not None and same_scope(found, scope)

    async def gone() -> bool:
        return await _standing(azure, scope) is None

    if preview.action is AttachAction.ATTACH:
        return await written(identifier, scope.name, AttachEnd.ATTACHED, attach, stands)
    return await written(identifier, scope.name, AttachEnd.DETACHED, detach, gone)


def _harmful(standing: DynamicScope, inventory: Inventory, after: ScheduleIndex) -> AttachObstacle | None:
    """Why a dynamic scope must not go: members would be handed to Azure's own patching, by the schedules afterwards."""
    members = [machine for machine in inventory.machines if match(standing, machine) is not None]
    harmed = [machine for machine in members if harm(machine, after, standing.configuration) is not None]
    if not harmed:
        return None
    names = ", ".join(machine.name for machine in harmed[:NAMED])
    more = f" and {len(harmed) - NAMED} more" if len(harmed) > NAMED else ""
    return AttachObstacle(
        "last-schedule",
        f"Azure would, or might, then patch and reboot {len(harmed)} of its members at a time it chooses: "
        f"{names}{more}.",
        "Set them to Customer Managed Schedules first, or allow it with schedule detach --allow-azure-managed.",
    )


def same_scope(left: DynamicScope, right: DynamicScope) -> bool:
    """Whether two dynamic scopes of one place attach the same configuration to the same machines."""
    return left.configuration == right.configuration and _filter_key(left) == _filter_key(right)


def _filter_key(scope: DynamicScope) -> object:
    wanted = scope.filter
    lists = (wanted.resource_types, wanted.resource_groups, wanted.os_types, wanted.locations)
    plain = [frozenset(text.replace(" ", "").casefold() for text in values) for values in lists]
    tags = {key: frozenset(values) for key, values in wanted.tags.items()}
    # With one key, any and all are the same.
    return plain, tags, wanted.any_tag and len(tags) > 1, sorted(wanted.unknown)


def _key(scope: DynamicScope) -> str:
    return scope.id.casefold()


async def _not_there(azure: Azure, wanted: DynamicScope) -> str:
    """That there is no such scope, with the nearest name on the same subscription."""
    book = await read_all_schedules(azure)
    same = [one for one in book.dynamic_scopes if one.subscription_id == wanted.subscription_id]
    near = nearest(wanted.name, (one.name for one in same))
    hint = f" Did you mean {near!r}?" if near else ""
    return f"There is no dynamic scope {wanted.name!r} on {wanted.place}.{hint}"


async def _standing(azure: Azure, scope: DynamicScope) -> DynamicScope | None:
    try:
        return await azure.maintenance.dynamic_scope(scope.subscription_id, scope.resource_group, scope.name)
    except RejectedError as error:
        if error.status == 404:
            return None
        raise


async def _machines_of(azure: Azure, scope: DynamicScope) -> Inventory:
    place = (
        Scope(subscriptions=(scope.subscription_id,))
        if scope.resource_group is None
        else Scope(resource_groups=(scope.place,))
    )
    try:
        return await take_inventory(azure, place, documents=False)
    except EmptyScopeError:
        return Inventory(machines=())


def _members(
    scope: DynamicScope,
    configuration: MaintenanceConfiguration,
    inventory: Inventory,
    upcoming: NextWindow,
) -> tuple[Member, ...]:
    found: list[Member] = []
    for machine in inventory.machines:
        matched = match(scope, machine)
        if matched is None:
            continue
        hit = ScheduleHit(
            configuration.id,
            Via.DYNAMIC,
            matched.clause,
            scope.name,
            upcoming,
            matched.doubt,
            matched.doubt_rule,
        )
        settings = machine.settings if machine.settings is not None else PatchSettings()
        found.append(Member(machine, hit, forecast(settings, machine, hit)))
    return tuple(found)


def _place_warnings(scope: DynamicScope, members: tuple[Member, ...]) -> tuple[str, ...]:
    warnings = []
    if scope.resource_group is not None and not scope.filter.locations:
        # Source: Microsoft's troubleshooting article on maintenance configurations.
        warnings.append("Microsoft advises to name the locations of a dynamic scope on a resource group.")
    if not members:
        warnings.append("It has no member now (schedule-hits-nothing).")
    return tuple(warnings)


def _check_room(book: ScheduleBook, scope: DynamicScope, cloud: str) -> None:
    limits = limits_of(cloud)
    same = [one for one in book.dynamic_scopes if one.configuration == scope.configuration]
    here = [one for one in book.dynamic_scopes if one.place.casefold() == scope.place.casefold()]
    places = {one.subscription_id for one in same} | {scope.subscription_id}
    measures = (
        (len(same) + 1, limits.scopes, "dynamic scopes of one configuration"),
        (len(here) + 1, limits.scopes_in_place, f"dynamic scopes on {scope.place}"),
        (len(places), limits.subscriptions, "subscriptions in the dynamic scopes of one configuration"),
    )
    for count, limit, what in measures:
        if count > limit:
            raise _over(f"This would make {count:,} {what}; Azure allows {limit:,}")
    for message in filter_excess(scope.filter):
        raise _over(message)


def _check_members(members: tuple[Member, ...], scope: DynamicScope, cloud: str) -> None:
    count, limit = sum(member.is_certain for member in members), limits_of(cloud).scope_machines
    if count > limit:
        raise _over(f"{scope.name} would have {count:,} members; Azure allows {limit:,} in one dynamic scope")


def _over(message: str) -> UnsafeError:
    return UnsafeError(f"{message} (schedule-limit).", advice="Divide the machines among several scopes.")
