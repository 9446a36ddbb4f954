"""Every schedule that can be seen with the machines that it reaches, read once for all of `patchmode schedule`.

Cost: a few Resource Graph queries, whose pages grow with rows; never one per machine or per schedule.

Must not: write, or conclude anything of subscriptions that were not read.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from patchmode.errors import EmptyScopeError, RejectedError, UsageError
from patchmode.model.machine import Lock, Machine
from patchmode.model.patch_settings import PatchSettings
from patchmode.model.resource_id import ResourceId, ResourceIdError
from patchmode.model.schedule import (
    ConfigurationAssignment,
    DynamicScope,
    MaintenanceConfiguration,
    ScheduleBook,
)
from patchmode.model.schedule_view import Member, ScheduleView
from patchmode.model.scope import Scope
from patchmode.rules.memberships import LONGEST_WAIT, ScheduleIndex
from patchmode.rules.prediction import forecast
from patchmode.rules.schedule_words import scope_text, window_text
from patchmode.workflow.configurations import is_named, nearest, raise_if_named_only
from patchmode.workflow.inventory import Inventory, locks_in, take_inventory
from patchmode.workflow.ports import Azure, Clock, GraphScope
from patchmode.workflow.schedules import read_schedules

CONFIGURATION_TYPE = "microsoft.maintenance/maintenanceconfigurations"
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
    book = await _read_book(azure, [one.id.lower() for one in subscriptions])
    is_whole = scope == EVERYTHING
    try:
        inventory = await take_inventory(azure, scope, documents=False)
    except EmptyScopeError:
        if not is_whole:
            raise
        inventory = Inventory(machines=())
    unread = {entry.id.casefold() for entry in inventory.unreadable}
    seen = (one.id.lower() for one in subscriptions if f"/subscriptions/{one.id}".casefold() not in unread)
    now = clock.now()
    unread_notes = (f"Not read: {entry.id}: {entry.reason}" for entry in inventory.unreadable)
    locks, unknown = await locks_in(azure, _of_orphans(book, inventory.machines) if is_whole else ())
    return Estate(
        book,
        ScheduleIndex(book, now=now, machines=inventory.machines, longest_wait=longest_wait),
        inventory.machines,
        frozenset(seen) if is_whole else frozenset(),
        now,
        tuple(dict.fromkeys((*book.notes, *inventory.notes, *unread_notes, *unknown))),
        len(book.unread) + len(inventory.unreadable),
        locks,
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
        for hit in estate.index.schedules_of(machine).hits:
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
        )
        for one in (estate.guest if wanted is None else wanted)
    )


def find_configuration(text: str, book: ScheduleBook) -> MaintenanceConfiguration:
    """The configuration that a user means.

    Args:
        text: its id, its name where only one has it, or `group/name`.
        book: every configuration that can be seen.

    Raises:
        UsageError: none has it, or several; the message names the nearest, or all.
    """
    matching = [one for one in book.configurations if _names(text, one)]
    # A host configuration of the same name must not stand in the way of the one that patches guests.
    matching = [one for one in matching if one.is_guest_patching] or matching
    if len(matching) == 1:
        return matching[0]
    if matching:
        places = {(one.id.resource_group.casefold(), one.id.name.casefold()) for one in matching}
        raise UsageError(
            f"{len(matching)} configurations are named {text!r}: {', '.join(str(one.id) for one in matching)}.",
            advice="Give the id, or GROUP/NAME." if len(places) == len(matching) else "Give the id.",
        )
    raise_if_named_only(text, book)
    advice = nearest(text.rpartition("/")[2], book.configurations)
    raise UsageError(f"You see no maintenance configuration {text!r}.", advice=advice)


def configuration_id(text: str) -> ResourceId | None:
    """The id that a text is; None: it is no id, but perhaps a name.

    Raises:
        UsageError: it begins like an id and is none, or is the id of something else.
    """
    if not text.strip().startswith("/"):
        return None
    try:
        parsed = ResourceId.parse(text)
    except ResourceIdError as error:
        raise UsageError(f"{error}.", advice="`patchmode schedule list -o json` shows the ids.") from error
    if parsed.full_type != CONFIGURATION_TYPE:
        raise UsageError(
            f"{parsed} is a {parsed.namespace}/{parsed.type}, not a maintenance configuration.",
            advice="Give the id of a Microsoft.Maintenance/maintenanceConfigurations.",
        )
    return parsed


async def read_configuration(azure: Azure, text: str) -> MaintenanceConfiguration:
    """The configuration that a user means, as Microsoft.Maintenance answers it now.

    Args:
        azure: a connection; reading is enough.
        text: its id, which is read without looking around, or a name as for `find_configuration`.

    Raises:
        UsageError: there is none. RequestError: it cannot be read.
    """
    identifier = configuration_id(text)
    if identifier is None:
        subscriptions = await azure.authorization.subscriptions()
        book = await read_schedules(azure, [one.id.lower() for one in subscriptions])
        identifier = find_configuration(text, book).id
    try:
        return await azure.maintenance.configuration(identifier)
    except RejectedError as error:
        if error.status != 404:
            raise
        raise UsageError(
            f"There is no maintenance configuration {identifier}.",
            advice="`patchmode schedule list` shows those that you can see.",
        ) from error


def _names(text: str, configuration: MaintenanceConfiguration) -> bool:
    return is_named(text, configuration.id)
