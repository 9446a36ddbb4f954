"""Every schedule that can be seen, what attaches it, found by id or name, and the records of its runs."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from patchmode.errors import RequestError, UsageError
from patchmode.model.machine import Machine
from patchmode.model.nearest import nearest, plain
from patchmode.model.resource_id import ResourceId, ResourceIdError
from patchmode.model.schedule import (
    Assessment,
    Assessments,
    ConfigurationAssignment,
    DynamicScope,
    Installation,
    MachineRun,
    MaintenanceConfiguration,
    NextWindow,
    ScheduleBook,
)
from patchmode.ports.azure import Azure, Clock, GraphScope
from patchmode.rules.guardrails.permissions import lacking
from patchmode.rules.schedules.history import RETENTION, with_reasons
from patchmode.rules.schedules.memberships import LONGEST_WAIT, LeftBehind, ScheduleIndex, left_behind
from patchmode.rules.schedules.recurrence import next_window
from patchmode.rules.schedules.window import window_text
from patchmode.workflow.inventory.bulk_reading import Unread, counted, parted

READ_ASSIGNMENTS = "Microsoft.Maintenance/configurationAssignments/read"
READ_CONFIGURATIONS = "Microsoft.Maintenance/maintenanceConfigurations/read"
AT_ONCE = 8
_NAMED = 3


async def read_schedules(azure: Azure, subscriptions: Iterable[str]) -> ScheduleBook:
    """Read the schedules of some subscriptions, as far as they can be seen.

    Args:
        azure: a connection; reading is enough.
        subscriptions: ids, any casing, of the subscriptions whose machines are of interest. Empty: an empty book.

    Returns:
        Assignments and dynamic scopes of those subscriptions, and configurations of every subscription that is seen,
        because a configuration may stand in another one. `covered` holds the subscriptions in which the principal may
        read every assignment. A subscription counts as `visible` when the principal sees it and, where something there
        is named and was not found, may read every configuration of it: who sees one resource group alone must not say
        that a configuration of another does not exist. Where Resource Graph does not answer, the book is empty, covers
        nothing and says why, so that a command can go on without schedules. A row that cannot be read
        leaves the subscription that its id names uncovered, or where it names none every one; of configurations none
        that was not found there is called missing.
    """
    wanted = tuple(sorted({entry.lower() for entry in subscriptions}))
    if not wanted:
        return ScheduleBook()
    seen, notes = await _seen(azure)
    hidden, nameless = Unread(), Unread()
    try:
        assignments, configurations = await asyncio.gather(
            _assignments(azure, GraphScope(wanted), hidden),
            _configurations(azure, GraphScope(tuple(sorted(seen))), nameless),
        )
    except RequestError as error:
        return ScheduleBook(notes=(*notes, f"Schedules were not looked up: {error.message}"))
    unfound = {entry.configuration for entry in assignments} - {entry.id for entry in configurations}
    doubtful = {entry.subscription_id for entry in unfound} & seen
    grants = await _grants(azure, {*wanted, *doubtful})
    covered = {entry for entry in wanted if _may(grants[entry], READ_ASSIGNMENTS)}
    visible = seen - {entry for entry in doubtful if not _may(grants[entry], READ_CONFIGURATIONS)}
    return ScheduleBook(
        configurations=tuple(sorted(configurations, key=lambda entry: entry.id.key)),
        assignments=tuple(entry for entry in assignments if isinstance(entry, ConfigurationAssignment)),
        dynamic_scopes=tuple(entry for entry in assignments if isinstance(entry, DynamicScope)),
        covered=_without(covered, hidden),
        visible=_without(visible, nameless),
        notes=(
            *notes,
            *counted(hidden, "assignments", "a machine may have a schedule that is not shown"),
            *counted(nameless, "configurations", "one that seems to be missing may be there"),
            *_uncovered(wanted, grants),
        ),
        unread=(*hidden.values(), *nameless.values()),
        owners=azure.target.names.owners,
    )


@dataclass(frozen=True, slots=True)
class OfferedSchedule:
    """A schedule that can be attached to machines, without those that have it."""

    configuration: MaintenanceConfiguration
    window_text: str
    next: NextWindow


async def offered_schedules(azure: Azure, *, clock: Clock) -> tuple[tuple[OfferedSchedule, ...], tuple[str, ...]]:
    """Every schedule that patches guests and is seen, by name, and what a reader must know of the others.

    Only the configurations are read: no machine and no assignment. One that was created a moment ago may be missing,
    since Resource Graph is behind.

    Args:
        azure: a connection; reading is enough.
        clock: their next windows are those after its time.

    Raises:
        RequestError: Resource Graph does not answer.
    """
    unread: Unread = {}
    now = clock.now()
    found = await _configurations(azure, GraphScope(), unread)
    guest = sorted((one for one in found if one.is_guest_patching), key=lambda one: (one.name.casefold(), one.id.key))
    offered = (OfferedSchedule(one, window_text(one.window), next_window(one.window, after=now)) for one in guest)
    return tuple(offered), tuple(counted(unread, "configurations", "they are not offered here"))


@dataclass(frozen=True, slots=True)
class _Grant:
    """What may be done on one subscription."""

    permissions: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """Identity's name → its permissions."""
    refusal: str = ""
    """Why it cannot be told; empty: it can."""


def _may(grant: _Grant, action: str) -> bool:
    return not grant.refusal and not lacking(action, grant.permissions)


async def _seen(azure: Azure) -> tuple[frozenset[str], tuple[str, ...]]:
    """The subscriptions that are seen; none where they cannot be listed, with a note that says so."""
    try:
        return frozenset(entry.id.lower() for entry in await azure.authorization.subscriptions()), ()
    except RequestError as error:
        return frozenset(), (
            f"Subscriptions could not be listed, so no schedule can be called missing: {error.message}",
        )


async def _assignments(azure: Azure, scope: GraphScope, unread: Unread) -> list[ConfigurationAssignment | DynamicScope]:
    found: list[ConfigurationAssignment | DynamicScope] = []
    async for page in azure.graph.configuration_assignments(scope):
        found += parted(page, unread)
    return found


async def _configurations(azure: Azure, scope: GraphScope, unread: Unread) -> list[MaintenanceConfiguration]:
    found: dict[str, MaintenanceConfiguration] = {}
    async for page in azure.graph.maintenance_configurations(scope):
        found.update((entry.id.key, entry) for entry in parted(page, unread))
    return list(found.values())


async def _grants(azure: Azure, subscriptions: Iterable[str]) -> dict[str, _Grant]:
    """What may be done on each subscription; one request each."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(subscription_id: str) -> tuple[str, _Grant]:
        async with slots:
            try:
                found = await azure.authorization.permissions(f"/subscriptions/{subscription_id}")
            except RequestError as error:
                return subscription_id, _Grant(refusal=error.code)
            return subscription_id, _Grant(found)

    return dict(await asyncio.gather(*map(one, sorted(subscriptions))))


def _without(subscriptions: Set[str], unread: Unread) -> frozenset[str]:
    """Those in which no row that could not be read may belong."""
    places = {entry.subscription for entry in unread.values()}
    return frozenset() if None in places else frozenset(subscriptions - places)


def _uncovered(wanted: Sequence[str], grants: Mapping[str, _Grant]) -> list[str]:
    """What a reader must know of the subscriptions that are not covered: one sentence for each reason."""
    notes = []
    may = {entry for entry in wanted if _may(grants[entry], READ_ASSIGNMENTS)}
    missing = [entry for entry in wanted if entry not in may and not grants[entry].refusal]
    if missing:
        notes.append(f"Schedules may be hidden in {_named(missing)}: {READ_ASSIGNMENTS} is not granted there.")
    silent = [entry for entry in wanted if grants[entry].refusal]
    if silent:
        codes = ", ".join(sorted({grants[entry].refusal for entry in silent}))
        notes.append(f"Schedules may be hidden in {_named(silent)}: permissions could not be read there ({codes}).")
    return notes


def _named(subscriptions: Sequence[str]) -> str:
    word = "subscription" if len(subscriptions) == 1 else "subscriptions"
    more = len(subscriptions) - _NAMED
    return f"{word} {', '.join(subscriptions[:_NAMED])}" + (f" and {more} more" if more > 0 else "")


async def look_up(
    azure: Azure, machines: Iterable[Machine], *, now: datetime, longest_wait: timedelta = LONGEST_WAIT
) -> ScheduleIndex:
    """Read what reaches the machines' subscriptions.

    Args:
        azure: a connection; reading is enough.
        machines: in any order; empty: nothing is read.
        now: aware; windows from then on are coming.
        longest_wait: a next window that is farther away is told.

    Returns:
        An index that knows, and whose book's notes say, what could not be looked up. It never fails for that.
    """
    read = tuple(machines)
    subscriptions = {machine.id.subscription_id for machine in read}
    book = await read_schedules(azure, subscriptions)
    left = await _left_behind(azure, read, book)
    return ScheduleIndex(book, now=now, machines=read, left_behind=left, longest_wait=longest_wait)


async def _left_behind(azure: Azure, machines: Sequence[Machine], book: ScheduleBook) -> LeftBehind:
    """Machines that were perhaps moved; what stands outside the scope is asked for by its id, and only such."""
    suspects = left_behind(machines, book.assignments)
    places = {entry.machine for left in suspects.values() for entry in left}
    if not places:
        return suspects
    scope = GraphScope(tuple(sorted({place.subscription_id for place in places})))
    try:
        pages = azure.graph.machines(scope, ids=sorted(map(str, places)))
        standing = {machine.id async for page in pages for machine in page if isinstance(machine, Machine)}
    except RequestError:
        return {}  # A hint only: whoever cannot look there says nothing of it.
    return left_behind(machines, book.assignments, standing=standing)


TYPE = "microsoft.maintenance/maintenanceconfigurations"
_LIST = "`patchmode schedule list` shows those you can see."


def named_configuration(text: str, known: Iterable[MaintenanceConfiguration]) -> ResourceId:
    """The id that a text names; an id need not be known, a name must be.

    Args:
        text: an id, or a name, without regard to case.
        known: the configurations that can be seen, of any maintenance scope.

    Raises:
        UsageError: the id is not a configuration's; no known one or several have the name, and then all candidates are
            named; or it is known and patches no guests.
    """
    known = tuple(known)
    if not text.startswith("/"):
        return checked(_by_name(text, known)).id
    try:
        wanted = ResourceId.parse(text)
    except ResourceIdError as error:
        raise UsageError(f"--schedule: {error}.", advice=_LIST) from error
    if wanted.full_type != TYPE:
        raise UsageError(
            f"--schedule: {wanted} is a {wanted.namespace}/{wanted.type}, not a maintenance configuration.",
            advice=_LIST,
        )
    found = next((entry for entry in known if entry.id == wanted), None)
    return wanted if found is None else checked(found).id


def checked(found: MaintenanceConfiguration) -> MaintenanceConfiguration:
    """The same configuration, where it patches guests.

    Raises:
        UsageError: it is of another maintenance scope.
    """
    if found.is_guest_patching:
        return found
    raise UsageError(
        f"{found.name} has the maintenance scope {found.scope or 'none'}, not InGuestPatch: it patches no guests.",
        advice=_LIST,
    )


def near_schedule(name: str, known: Iterable[MaintenanceConfiguration], *, place: str | None = None) -> str:
    """Advice for a schedule that is not there: the nearest name, or where to look.

    Args:
        name: as it was given.
        known: the configurations that can be seen.
        place: the subscription (lower case) of an id that was given: one of another subscription is told as such.
    """
    guests = [entry for entry in known if entry.is_guest_patching]
    same = {plain(entry.name): entry for entry in guests if place in {None, entry.id.subscription_id}}
    near = nearest(name, {key: key for key in same})
    if near is not None:
        return f"Did you mean {same[near].name!r}?"
    others = {plain(entry.name): entry for entry in guests}
    other = nearest(name, {key: key for key in others})
    if other is None:
        return _LIST
    return (
        f"{_LIST} It may be in the subscription that you named, and this sign-in cannot see it. One of a like name is "
        f"in another subscription: {others[other].id}."
    )


def raise_if_named_only(text: str, book: ScheduleBook) -> None:
    """Say what is left of a configuration that is gone, or out of sight: the assignments that name it.

    Args:
        text: as a user gave it.
        book: with every assignment that can be seen, and no configuration that the text means.

    Raises:
        UsageError: assignments or dynamic scopes name it.
    """
    attached = [one.configuration for one in book.assignments]
    attached += [one.configuration for one in book.dynamic_scopes]
    named = [one for one in attached if is_named(text, one)]
    if not named:
        return
    still = "One assignment still names it" if len(named) == 1 else f"{len(named):,} assignments still name it"
    raise UsageError(
        f"You see no maintenance configuration {named[0]}: it does not exist, or you cannot read it. {still}.",
        advice="`patchmode schedule check` shows where, and how to detach them.",
    )


def is_named(text: str, identifier: ResourceId) -> bool:
    """Whether a text is the id of a configuration, its name, or `group/name`."""
    wanted = text.strip().rstrip("/").casefold()
    return wanted in {
        identifier.key,
        identifier.name.casefold(),
        f"{identifier.resource_group}/{identifier.name}".casefold(),
    }


def _by_name(name: str, known: tuple[MaintenanceConfiguration, ...]) -> MaintenanceConfiguration:
    named = [entry for entry in known if entry.name.casefold() == name.casefold()]
    if len(named) == 1:
        return named[0]
    if named:
        ids = "\n    ".join(str(entry.id) for entry in named)
        raise UsageError(
            f"{len(named)} maintenance configurations are named {name!r}:\n    {ids}", advice="Give the id instead."
        )
    raise UsageError(f"You see no maintenance configuration named {name!r}.", advice=near_schedule(name, known))


@dataclass(frozen=True, slots=True)
class History:
    """What Resource Graph keeps of scheduled runs."""

    runs: tuple[MachineRun, ...]
    """One for each machine and run, with its reason as far as one is recorded."""
    notes: tuple[str, ...] = ()


async def read_history(azure: Azure, subscriptions: Sequence[str], *, since: datetime) -> History:
    """Read what became of every machine in every scheduled run.

    Args:
        azure: a connection; reading is enough.
        subscriptions: whose machines; empty: none.
        since: aware; runs that began earlier are left out.

    Raises:
        RequestError: Resource Graph is refused or fails; runs have no other source.
    """
    if not subscriptions:
        return History(())
    scope = GraphScope(tuple(subscriptions))
    runs: list[MachineRun] = []
    unread: Unread = {}
    async for page in azure.graph.machine_runs(scope, since=since):
        runs += parted(page, unread)
    installations: list[Installation] = []
    notes: tuple[str, ...] = ()
    if any(run.failure is not None for run in runs):
        try:
            async for found in azure.graph.installations(scope, since=since):
                installations += parted(found, unread)
        except RequestError as error:
            notes = (f"What was installed could not be read, so some failures have no reason: {error.message}",)
    return History(with_reasons(runs, installations), (*notes, *unread_records(unread)))


@dataclass(frozen=True, slots=True)
class RecordedRuns:
    """What Resource Graph recorded of every configuration's runs."""

    rows: Sequence[MachineRun]
    unread: Unread = field(default_factory=dict)
    refusal: str = ""
    """Why there are none; empty: they were read."""


async def recorded_runs(azure: Azure, since: datetime) -> RecordedRuns:
    """Read the records of every configuration's runs since a moment, aware; a refusal is told, and never raised."""
    rows: list[MachineRun] = []
    unread: Unread = {}
    try:
        async for page in azure.graph.machine_runs(GraphScope(), since=since):
            rows += parted(page, unread)
    except RequestError as error:
        return RecordedRuns((), refusal=error.message)
    return RecordedRuns(rows, unread)


def unread_records(unread: Unread) -> tuple[str, ...]:
    """The sentence about records of runs that could not be read; none where all could be."""
    return counted(unread, "runs", "the result of a machine may be missing here")


def retention_note(since: datetime, now: datetime) -> tuple[str, ...]:
    """What to say where somebody asks for more than Azure keeps; empty: nothing."""
    if since >= now - RETENTION:
        return ()
    text = (
        f"Azure keeps the record of runs for {RETENTION.days} days. Nothing before {now - RETENTION:%Y-%m-%d} is known."
    )
    return (text,)


async def read_assessments(azure: Azure, machines: Iterable[ResourceId]) -> Assessments:
    """What the last assessment of each machine found pending; a refusal is told, and never raised.

    Args:
        azure: a connection; reading is enough.
        machines: in any order; empty: nothing is read.
    """
    wanted = frozenset(machines)
    if not wanted:
        return Assessments()
    scope = GraphScope(tuple(sorted({one.subscription_id for one in wanted})))
    found: dict[ResourceId, Assessment] = {}
    unread: Unread = {}
    try:
        async for page in azure.graph.assessments(scope, tuple(sorted(wanted))):
            for one in parted(page, unread):
                before = found.get(one.machine)
                if one.machine in wanted and (before is None or _time(before) <= _time(one)):
                    found[one.machine] = one
    except RequestError as error:
        return Assessments(refusal=error.message)
    notes = counted(unread, "assessments", "a machine without one may have been assessed")
    return Assessments(found, notes=notes)


def _time(assessment: Assessment) -> float:
    return assessment.assessed_at.timestamp() if assessment.assessed_at else 0.0
