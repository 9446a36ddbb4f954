"""Schedules with the machines that they reach: read once, and looked at by the commands from many sides."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from patchmode.errors import EmptyScopeError
from patchmode.model.machine import Lock, Machine
from patchmode.model.maintenance_events import ScheduleEvents
from patchmode.model.patch_settings import PatchSettings
from patchmode.model.report import Member, ScheduleView
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import ConfigurationAssignment, DynamicScope, MaintenanceConfiguration, ScheduleBook
from patchmode.model.scope import Scope
from patchmode.ports.azure import Azure, Clock, GraphScope
from patchmode.rules.schedules.forecast import forecast
from patchmode.rules.schedules.memberships import LONGEST_WAIT, ScheduleIndex
from patchmode.rules.schedules.window import scope_text, window_text
from patchmode.workflow.inventory.inventory import Inventory, locks_in, take_inventory
from patchmode.workflow.schedules.events import depends_on_events, read_events
from patchmode.workflow.schedules.reading import read_schedules

EVERYTHING = Scope(everything=True)


@dataclass(frozen=True, slots=True)
class Estate:
    """Schedules, and the machines that were asked for."""

    book: ScheduleBook
    index: ScheduleIndex
    machines: tuple[Machine, ...]
    seen: frozenset[str]
    """Subscriptions (lower case) whose machines were read whole."""
    now: datetime
    notes: tuple[str, ...] = ()
    unreadable: int = 0
    """Rows, machines and subscriptions that could not be read."""
    locks: tuple[Lock, ...] = ()
    """Those in the subscriptions of assignments whose machine or configuration is not there."""
    events: Mapping[ResourceId, ScheduleEvents] = field(default_factory=dict)
    """The pre and post events of those configurations of which something depends on them."""

    @property
    def guest(self) -> tuple[MaintenanceConfiguration, ...]:
        """The configurations that patch guests, ordered by id."""
        found = (one for one in self.book.configurations if one.is_guest_patching)
        return tuple(sorted(found, key=lambda one: one.id.key))

    @property
    def other_scopes(self) -> int:
        """How many configurations maintain something else."""
        return len(self.book.configurations) - len(self.guest)


async def read_estate(
    azure: Azure, *, clock: Clock, scope: Scope = EVERYTHING, longest_wait: timedelta = LONGEST_WAIT
) -> Estate:
    """Read schedules in every subscription, and the machines of a scope.

    Args:
        azure: a connection; reading is enough.
        clock: windows are looked for from its time on.
        scope: which machines count as members; without a selector: all that can be seen.
        longest_wait: a next window that is farther away is told.

    Raises:
        UsageError, RequestError: as `inventory.take_inventory`. EmptyScopeError: a scope was given and is empty.
    """
    subscriptions = await azure.authorization.subscriptions()
    is_whole = scope == EVERYTHING
    try:
        inventory = await take_inventory(azure, scope, documents=False)
    except EmptyScopeError:
        if not is_whole:
            raise
        inventory = Inventory(machines=())
    # After the machines: the query that brings them brings the configurations too.
    book = await _read_book(azure, [one.id.lower() for one in subscriptions])
    unread = {entry.id.casefold() for entry in inventory.unreadable}
    seen = (one.id.lower() for one in subscriptions if f"/subscriptions/{one.id}".casefold() not in unread)
    now = clock.now()
    unread_notes = (f"Not read: {entry.id}: {entry.reason}" for entry in inventory.unreadable)
    locks, unknown = await locks_in(azure, _of_orphans(book, inventory.machines) if is_whole else ())
    index = ScheduleIndex(book, now=now, machines=inventory.machines, longest_wait=longest_wait)
    return Estate(
        book,
        index,
        inventory.machines,
        frozenset(seen) if is_whole else frozenset(),
        now,
        tuple(dict.fromkeys((*book.notes, *inventory.notes, *unread_notes, *unknown))),
        len(book.unread) + len(inventory.unreadable),
        locks,
        await read_events(azure, depends_on_events(book, index, inventory.machines)),
    )


def _of_orphans(book: ScheduleBook, machines: Iterable[Machine]) -> Iterator[str]:
    """The subscriptions in which something is advised to be detached."""
    there = {machine.id for machine in machines}
    known = {one.id for one in book.configurations}
    for assignment in book.assignments:
        if assignment.machine not in there or assignment.configuration not in known:
            yield assignment.machine.subscription_id
    yield from (scope.subscription_id for scope in book.dynamic_scopes if scope.configuration not in known)


async def _read_book(azure: Azure, subscriptions: Sequence[str]) -> ScheduleBook:
    """Every schedule; where nothing at all was read, ask once more, so that a refusal is not taken for having none.

    Raises:
        RequestError: Resource Graph does not answer.
    """
    book = await read_schedules(azure, subscriptions)
    if not subscriptions or book != ScheduleBook(notes=book.notes):
        return book
    for pages in (azure.graph.configuration_assignments, azure.graph.maintenance_configurations):
        async for _ in pages(GraphScope(tuple(subscriptions))):
            break
    return await read_schedules(azure, subscriptions)


def views_of(estate: Estate, wanted: Iterable[MaintenanceConfiguration] | None = None) -> tuple[ScheduleView, ...]:
    """Configurations with their members, in the order given; linear in machines.

    Args:
        estate: as read.
        wanted: the configurations; None: every one that patches guests.
    """
    members: dict[ResourceId, list[Member]] = defaultdict(list)
    for machine in estate.machines:
        settings = machine.settings if machine.settings is not None else PatchSettings()
        for found in estate.index.schedules_of(machine).hits:
            hit = replace(found, events=estate.events.get(found.configuration)) if estate.events else found
            members[hit.configuration].append(Member(machine, hit, forecast(settings, machine, hit)))
    static: dict[ResourceId, list[ConfigurationAssignment]] = defaultdict(list)
    dynamic: dict[ResourceId, list[DynamicScope]] = defaultdict(list)
    for assignment in estate.book.assignments:
        static[assignment.configuration].append(assignment)
    for scope in estate.book.dynamic_scopes:
        dynamic[scope.configuration].append(scope)
    return tuple(
        ScheduleView(
            one,
            window_text(one.window),
            estate.index.next_of(one.id),
            tuple(members[one.id]),
            tuple(static[one.id]),
            tuple(dynamic[one.id]),
            tuple(map(scope_text, dynamic[one.id])),
            events=estate.events.get(one.id),
        )
        for one in (estate.guest if wanted is None else wanted)
    )
