"""Which configurations reach a machine: static assignments and dynamic scopes united, each configuration once."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from patchmode.model.machine import Machine
from patchmode.model.patch_settings import OperatingSystem
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import (
    NOT_LOOKED_UP,
    ConfigurationAssignment,
    DynamicScope,
    MachineSchedules,
    MaintenanceConfiguration,
    NextWindow,
    ScheduleBook,
    ScheduleHit,
    Timing,
    Via,
    Window,
)
from patchmode.rules.rule import NOTES, REFUSES, WARNS, Rule
from patchmode.rules.schedules.dynamic_scope import Facts, Handle, Match, PreparedScope, prepared
from patchmode.rules.schedules.limits import DYNAMIC_SCOPE_LIMIT, Limits
from patchmode.rules.schedules.recurrence import WINDOW_TOO_SHORT, next_window, windows_between
from patchmode.rules.schedules.window import duration_of, names_nothing_for

LeftBehind = Mapping[ResourceId, tuple[ConfigurationAssignment, ...]]
"""Machine → the assignments of one other place that name a machine like it."""


def left_behind(
    machines: Sequence[Machine],
    assignments: Sequence[ConfigurationAssignment],
    *,
    standing: Collection[ResourceId] = (),
) -> LeftBehind:
    """Where exactly one place that holds no machine has assignments for the name of exactly one machine without any.

    Args:
        machines: that were read.
        assignments: every static one that can be seen.
        standing: further ids at which machines stand.
    """
    attached = {entry.machine for entry in assignments}
    there = {machine.id for machine in machines}
    bare: dict[tuple[str, str], list[ResourceId]] = defaultdict(list)
    for machine in machines:
        if machine.id not in attached:
            bare[_likeness(machine.id)].append(machine.id)
    orphans: dict[tuple[str, str], dict[ResourceId, list[ConfigurationAssignment]]] = {}
    for entry in assignments:
        if entry.machine not in there and entry.machine not in standing and _likeness(entry.machine) in bare:
            orphans.setdefault(_likeness(entry.machine), {}).setdefault(entry.machine, []).append(entry)
    return {
        bare[likeness][0]: tuple(next(iter(places.values())))
        for likeness, places in orphans.items()
        if len(places) == 1 and len(bare[likeness]) == 1
    }


def _likeness(machine_id: ResourceId) -> tuple[str, str]:
    return machine_id.full_type, machine_id.name.casefold()


_CROWDED = (
    f"the dynamic scope matches more than {Limits().scope_machines:,} machines, and which of them Azure takes is "
    "not documented"
)
SHORTEST_RUN = timedelta(minutes=25)
"""A run needs 15 minutes and 10 for a reboot. Source: Microsoft's "Troubleshoot issues with Azure Update Manager"."""
LONGEST_WAIT = timedelta(days=45)
"""Microsoft releases updates monthly: a machine without a window for longer than that, and two weeks of grace, misses
a month's. Ours, no limit of Azure."""
HORIZON = timedelta(days=92)
"""How far ahead windows of several schedules on one machine are compared."""


@dataclass(frozen=True, slots=True)
class _Clause:
    """One way in which a configuration reaches a machine."""

    configuration: ResourceId
    via: Via
    name: str
    words: str
    doubt: str | None = None
    doubt_rule: str | None = None


@dataclass(frozen=True, slots=True)
class Clash:
    """Windows of two configurations that meet."""

    first: Window
    second: Window
    same_trigger: bool
    """Both start at the same instant and install the same: Azure runs only one of them."""


class ScheduleIndex:
    """A book of schedules, indexed for questions about machines."""

    def __init__(
        self,
        book: ScheduleBook,
        *,
        now: datetime,
        machines: Sequence[Machine] = (),
        crowded: frozenset[str] = frozenset(),
        left_behind: LeftBehind | None = None,
        longest_wait: timedelta = LONGEST_WAIT,
    ) -> None:
        """Index a book.

        Args:
            book: configurations of every maintenance scope; only those that patch guests count.
            now: aware; windows that start at this instant or later are coming.
            machines: all that were read, by which dynamic scopes are counted: of one that takes in more than 1,000 it
                is stated nowhere which machines Azure takes, so the membership of each is in doubt. Empty: not counted.
            crowded: dynamic scopes that are known to be such, by their keys (`crowded` of another index).
            left_behind: machines that were perhaps moved, with what was left behind; None: nobody looked.
            longest_wait: a next window that is farther away is told so.
        """
        self.book = book
        self.now = now
        self.longest_wait = longest_wait
        self.left_behind: LeftBehind = left_behind or {}
        self._configurations = {entry.id: entry for entry in book.configurations}
        self._next: dict[ResourceId, NextWindow] = {}
        self._idle: dict[ResourceId, Mapping[OperatingSystem, str]] = {}
        self._windows: dict[ResourceId, tuple[Window, ...]] = {}
        self._clashes: dict[tuple[str, str], Clash | None] = {}
        self.crowded = crowded | _crowded(book.dynamic_scopes, machines)
        """Dynamic scopes that take in more machines than Azure lets them, by their keys."""
        self._all = _Clauses(book.assignments, book.dynamic_scopes, self.crowded)
        self._by_configuration: dict[ResourceId, _Clauses] | None = None
        self._hits: dict[_Clause, ScheduleHit] = {}

    def configuration(self, configuration_id: ResourceId) -> MaintenanceConfiguration | None:
        """The configuration of that id, of whatever maintenance scope; None: the book has none."""
        return self._configurations.get(configuration_id)

    def next_of(self, configuration_id: ResourceId) -> NextWindow:
        """When a configuration runs next, worked out once."""
        found = self._next.get(configuration_id)
        if found is None:
            found = self._next[configuration_id] = self._work_out(configuration_id)
        return found

    def schedules_of(
        self, machine: Machine, *, assigned: Iterable[ConfigurationAssignment] | None = None
    ) -> MachineSchedules:
        """Every guest-patching configuration that reaches a machine.

        Args:
            machine: with its tags and place.
            assigned: its static assignments as Microsoft.Maintenance shows them now, instead of the book's; None: the
                book's.

        Returns:
            `looked_up` is false where the book does not cover the machine's subscription; hits that were seen all the
            same are there.
        """
        static = None if assigned is None else [_static(entry) for entry in assigned]
        hits = sorted(self._hits_in(self._all.of(machine, static)), key=_order) if self._all or static else []
        if machine.id.subscription_id in self.book.covered:
            return MachineSchedules(looked_up=True, hits=tuple(hits)) if hits else _NONE
        why = f"schedules of subscription {machine.id.subscription_id} could not be looked up as a whole"
        was_read = self.book.covered or self.book.notes
        return MachineSchedules(looked_up=False, hits=tuple(hits), why_not=why if was_read else _NOT_AT_ALL)

    def hits_of(self, configuration_id: ResourceId, machine: Machine) -> ScheduleHit | None:
        """How one configuration reaches a machine; None: it does not, or it patches no guests."""
        if self._by_configuration is None:
            self._by_configuration = self._split()
        clauses = self._by_configuration.get(configuration_id)
        return None if clauses is None else next(iter(self._hits_in(clauses.of(machine))), None)

    def windows_of(self, configuration_id: ResourceId) -> tuple[Window, ...]:
        """The windows of the next 92 days, in order; empty where there is no such configuration or it is unreadable."""
        found = self._windows.get(configuration_id)
        if found is None:
            known = self._configurations.get(configuration_id)
            coming = known is not None and self.next_of(configuration_id).timing is Timing.COMING
            found = windows_between(known.window, start=self.now, end=self.now + HORIZON) if known and coming else ()
            self._windows[configuration_id] = found
        return found

    def clash(self, one: ResourceId, other: ResourceId) -> Clash | None:
        """The first windows of two configurations that meet within the next 92 days; None: none do.

        Source: of several configurations with the same trigger and settings only one fires (Microsoft, "Troubleshoot
        maintenance configurations"); others that overlap run one after the other (its Update Manager's counterpart).
        """
        first, second = sorted((one, other))
        key = (first.key, second.key)
        if key not in self._clashes:
            self._clashes[key] = self._find_clash(first, second)
        return self._clashes[key]

    def _find_clash(self, one: ResourceId, other: ResourceId) -> Clash | None:
        met = _meeting(self.windows_of(one), self.windows_of(other))
        if met is None:
            return None
        same_instant = met[0].starts_at == met[1].starts_at
        return Clash(*met, same_trigger=same_instant and self._installs(one) == self._installs(other))

    def _installs(self, configuration_id: ResourceId) -> object:
        known = self._configurations.get(configuration_id)
        return None if known is None else known.properties.get("installPatches")

    def _work_out(self, configuration_id: ResourceId) -> NextWindow:
        known = self._configurations.get(configuration_id)
        if known is None and configuration_id.subscription_id in self.book.visible:
            because = f"the configuration {configuration_id.name} does not exist"
            return NextWindow(Timing.MISSING, because=because, rule=CONFIGURATION_MISSING.id)
        if known is None:
            because = f"the configuration {configuration_id.name} is where you cannot read"
            return NextWindow(Timing.UNSEEN, because=because, rule=CONFIGURATION_UNSEEN.id)
        found = next_window(known.window, after=self.now)
        if found.timing is Timing.COMING and (known.patch_mode or "User").casefold() != "user":
            mode = known.patch_mode or ""
            is_platform = mode.casefold() == "platform"
            which = "belongs to hotpatching, where Azure chooses the updates" if is_platform else "is not User"
            because = (
                f"InGuestPatchMode of {known.name} is {mode}, which {which}; what such a schedule does to a machine on "
                "Customer Managed Schedules is not documented"
            )
            return replace(found, because=because, rule=PLATFORM_MODE_SCHEDULE.id)
        if found.timing is Timing.COMING and found.window is None and _is_too_short(known):
            because = "its window is shorter than a run needs (25 minutes)"
            return replace(found, because=because, rule=WINDOW_TOO_SHORT.id)
        return self._with_wait(found, known)

    def _with_wait(self, found: NextWindow, known: MaintenanceConfiguration) -> NextWindow:
        """The next window, marked where it is far away."""
        if found.window is None or found.window.starts_at - self.now <= self.longest_wait:
            return found
        start = found.window.starts_at
        second = next_window(known.window, after=start + timedelta(minutes=1)).window
        begins_late = second is not None and second.starts_at - start <= self.longest_wait
        return replace(found, wait_days=(start - self.now).days, begins_late=begins_late)

    def _hits_in(self, clauses: Iterable[_Clause]) -> Iterable[ScheduleHit]:
        by_configuration: dict[ResourceId, list[_Clause]] = {}
        for clause in clauses:
            known = self._configurations.get(clause.configuration)
            if known is None or known.is_guest_patching:
                by_configuration.setdefault(clause.configuration, []).append(clause)
        for entries in by_configuration.values():
            yield self._hit(entries[0]) if len(entries) == 1 else self._united(entries)

    def _hit(self, clause: _Clause) -> ScheduleHit:
        """Machines that one clause of a dynamic scope takes in share one value."""
        found = self._hits.get(clause) if clause.via is Via.DYNAMIC else None
        if found is None:
            known = self._configurations.get(clause.configuration)
            found = ScheduleHit(
                configuration=clause.configuration if known is None else known.id,
                via=clause.via,
                clause=clause.words,
                assignment=clause.name,
                next=self.next_of(clause.configuration),
                doubt=clause.doubt,
                doubt_rule=clause.doubt_rule,
                idle_on=self._idle_on(clause.configuration),
            )
            if clause.via is Via.DYNAMIC:
                self._hits[clause] = found
        return found

    def _idle_on(self, configuration_id: ResourceId) -> Mapping[OperatingSystem, str]:
        idle = self._idle.get(configuration_id)
        if idle is None:
            known = self._configurations.get(configuration_id)
            idle = self._idle[configuration_id] = {} if known is None else names_nothing_for(known.properties)
        return idle

    def _united(self, clauses: list[_Clause]) -> ScheduleHit:
        """Static before dynamic, certain before doubtful: the first one tells how the machine is reached."""
        first, *others = sorted(clauses, key=lambda one: (one.doubt is not None, one.via is Via.DYNAMIC))
        return replace(self._hit(first), also=tuple(one.words for one in others))

    def _split(self) -> "dict[ResourceId, _Clauses]":
        assignments: dict[ResourceId, list[ConfigurationAssignment]] = defaultdict(list)
        scopes: dict[ResourceId, list[DynamicScope]] = defaultdict(list)
        for assignment in self.book.assignments:
            assignments[assignment.configuration].append(assignment)
        for scope in self.book.dynamic_scopes:
            scopes[scope.configuration].append(scope)
        return {one: _Clauses(assignments[one], scopes[one], self.crowded) for one in {*assignments, *scopes}}


_NONE = MachineSchedules(looked_up=True)
_NOT_AT_ALL = NOT_LOOKED_UP.why_not


class _Clauses:
    """Assignments by machine, and dynamic scopes by what a machine must have to be taken in."""

    def __init__(
        self,
        assignments: Iterable[ConfigurationAssignment],
        scopes: Iterable[DynamicScope],
        crowded: frozenset[str] = frozenset(),
    ) -> None:
        self.crowded = crowded
        self.by_machine: dict[ResourceId, list[_Clause]] = defaultdict(list)
        for assignment in assignments:
            self.by_machine[assignment.machine].append(_static(assignment))
        self.by_handle: dict[Handle, list[tuple[int, PreparedScope]]] = defaultdict(list)
        self.known: dict[tuple[int, int], _Clause] = {}
        """(number of the scope, identity of its match, which the prepared scope keeps) → clause."""
        for number, scope in enumerate(scopes):
            ready = prepared(scope)
            for handle in dict.fromkeys(ready.handles()):
                self.by_handle[handle].append((number, ready))

    def __bool__(self) -> bool:
        return bool(self.by_machine or self.by_handle)

    def of(self, machine: Machine, static: Iterable[_Clause] | None = None) -> Iterable[_Clause]:
        """Every clause that reaches the machine, or may; `static`: instead of the book's assignments."""
        yield from self.by_machine.get(machine.id, ()) if static is None else static
        for number, scope, found in self.matches(machine):
            key = (number, id(found))
            clause = self.known.get(key)
            if clause is None:
                clause = self.known[key] = self._clause(scope, found)
            yield clause

    def matches(self, machine: Machine) -> Iterator[tuple[int, DynamicScope, Match]]:
        """Every dynamic scope that takes the machine in, or may, with its number."""
        if not self.by_handle:
            return
        facts = Facts(machine)
        candidates: dict[int, PreparedScope] = {}
        for handle in facts.handles():
            candidates.update(self.by_handle.get(handle, ()))
        for number, ready in candidates.items():
            found = ready.match(facts)
            if found is not None:
                yield number, ready.scope, found

    def _clause(self, scope: DynamicScope, found: Match) -> _Clause:
        doubt, rule = found.doubt, found.doubt_rule
        if doubt is None and _scope_key(scope) in self.crowded:
            doubt, rule = _CROWDED, DYNAMIC_SCOPE_LIMIT.id
        return _Clause(scope.configuration, Via.DYNAMIC, scope.name, found.clause, doubt, rule)


def _crowded(scopes: Sequence[DynamicScope], machines: Sequence[Machine]) -> frozenset[str]:
    """Only subscriptions that hold more machines than a dynamic scope may take in are looked at."""
    most = Limits().scope_machines
    per_place = Counter(machine.id.subscription_id for machine in machines)
    wide = [scope for scope in scopes if per_place[scope.subscription_id] > most]
    if not wide:
        return frozenset()
    places = {scope.subscription_id for scope in wide}
    clauses = _Clauses((), wide)
    taken = Counter(
        number
        for machine in machines
        if machine.id.subscription_id in places
        for number, _, _ in clauses.matches(machine)
    )
    return frozenset(_scope_key(wide[number]) for number, count in taken.items() if count > most)


def _scope_key(scope: DynamicScope) -> str:
    return f"{scope.place}/{scope.name}".casefold()


def _static(assignment: ConfigurationAssignment) -> _Clause:
    return _Clause(assignment.configuration, Via.STATIC, assignment.name, f"assignment '{assignment.name}'")


def _order(hit: ScheduleHit) -> tuple[bool, bool, float, str]:
    """The next to run first; what never runs, or nobody knows when, last."""
    window = hit.next.window
    coming = hit.next.timing is Timing.COMING
    return not coming, window is None, window.starts_at.timestamp() if window else 0.0, hit.configuration.key


def _meeting(left: tuple[Window, ...], right: tuple[Window, ...]) -> tuple[Window, Window] | None:
    """The first pair of windows that overlap, both in order of time."""
    here = there = 0
    while here < len(left) and there < len(right):
        one, other = left[here], right[there]
        if one.starts_at < other.ends_at and other.starts_at < one.ends_at:
            return one, other
        if one.ends_at <= other.ends_at:
            here += 1
        else:
            there += 1
    return None


def _is_too_short(configuration: MaintenanceConfiguration) -> bool:
    duration = duration_of(configuration.window.duration)
    return duration is not None and duration < SHORTEST_RUN


# ------------------------------------------------------------------------------------------------ rules

CONFIGURATION_MISSING = Rule(
    "configuration-missing",
    "the assignment names a configuration that does not exist",
    REFUSES,
    """
    What: An assignment or dynamic scope names a configuration that does not exist.
    Severity: Warns in `audit` and `explain`; blocks `schedule attach`.
    Why: It never runs. Whether it still prevents Azure's own patching is unconfirmed.
    Evidence: The configuration's id, which is in a subscription where you can read configurations.
    Fix: Detach it, or recreate the configuration under the same id.
    Source: None needed for the fact itself. A configuration that is a few seconds old may not be in Resource Graph yet.
    """,
)

CONFIGURATION_UNSEEN = Rule(
    "configuration-unseen",
    "you cannot read the configuration",
    NOTES,
    """
    What: An assignment or dynamic scope names a configuration that you cannot read.
    Severity: Notes; the outcome is `unknown` unless another schedule decides.
    Why: Schedules may be in another subscription than the machine, and without reading it, it is not known when it
    runs.
    Evidence: The configuration's id.
    Fix: Ask for Reader on the configuration, or use an account that has it.
    Source: The rule is patchmode's own: what cannot be read is not guessed.
    """,
)

RULES = (CONFIGURATION_MISSING, CONFIGURATION_UNSEEN)

_LEAVE_IT = (
    "Use it for hotpatched machines only; attach those on Customer Managed Schedules to another one with "
    "InGuestPatchMode User, as `schedule create` makes it."
)
PLATFORM_MODE_SCHEDULE = Rule(
    "platform-mode-schedule",
    "the schedule's InGuestPatchMode is not User",
    WARNS,
    """
    What: `extensionProperties.InGuestPatchMode` of the schedule is `Platform`, or another value than `User`.
    Severity: Warns; the outcome is `unknown` unless another schedule decides.
    Why: `Platform` belongs to hotpatching, where Azure chooses the updates. What such a schedule does to a machine on
    Customer Managed Schedules, and whether it counts as attached, is unconfirmed.
    Evidence: The members of `maintenanceWindow`; `schedule show` has the whole configuration.
    Fix: Use it for hotpatched machines only; attach those on Customer Managed Schedules to another one with
    `InGuestPatchMode` `User`.
    Source: The value is in an error message of the service (Azure/bicep issue 8959). Of 2,251 recorded guest
    configurations 216 have it, and none of these has `installPatches`.
    """,
    machine_fix=_LEAVE_IT,
    schedule_fix=_LEAVE_IT,
)
