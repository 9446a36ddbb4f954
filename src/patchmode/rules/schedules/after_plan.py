"""What a plan's schedules will make of its machines: the book as it stands once the plan has attached or taken off.

Must not: read anything, or say that a machine gets a schedule which would be refused to it.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from patchmode.model.left_alone import Skipped
from patchmode.model.machine import Lock, Machine, MachineKind
from patchmode.model.outcome import Outcome, OutcomeKind, PatchedByNobody
from patchmode.model.patch_settings import Orchestration, PatchSettings, WantedSettings, orchestration_of
from patchmode.model.plan import Change, Detachment, KeptBy, ThenAttach, Unchanged
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import (
    ConfigurationAssignment,
    MachineSchedules,
    MaintenanceConfiguration,
    ScheduleBook,
    Timing,
)
from patchmode.rules.eligibility.owner_checks import check_locks
from patchmode.rules.schedules.attaching import attach_obstacle, home_of, name_obstacle
from patchmode.rules.schedules.forecast import predict
from patchmode.rules.schedules.memberships import ScheduleIndex

USABLE_NAMED = 3
"""So many schedules are kept, to name one and to tell that there are others."""
_WEEKLY, _SATURDAY = "patch-weekly", 5
NO_DELETE, NO_WRITE = "cannotdelete", "readonly"
_NOTHING = WantedSettings()
Decided = Change | Unchanged | Skipped
Standing = Mapping[ResourceId, Sequence[ConfigurationAssignment]]


def attachable(
    machine: Machine,
    entry: Decided,
    configuration: MaintenanceConfiguration,
    standing: Sequence[ConfigurationAssignment],
) -> Decided:
    """What the plan does with a machine once it also attaches: one that is as wanted may be one that gets no schedule.

    Args:
        machine: as its provider showed it.
        entry: what the rules for its settings say.
        configuration: to be attached; it patches guests.
        standing: the machine's static assignments; where the configuration is among them nothing has to be written.

    Returns:
        The entry, or `Skipped` with the rule for which the assignment would be refused. A read-only lock is one: it
        refuses every write, and an assignment is one.
    """
    if not isinstance(entry, Unchanged):
        return entry
    obstacle = attach_obstacle(machine, configuration)
    if obstacle is not None:
        return Skipped(machine.id, obstacle.rule, obstacle.message, obstacle.fix, entry.outcome)
    locked = next(check_locks(machine, _NOTHING), None)
    if locked is not None and not any(one.configuration == configuration.id for one in standing):
        return Skipped(machine.id, locked.rule, locked.message, locked.fix, entry.outcome)
    return entry


def book_after_attaching(
    book: ScheduleBook, wish: ThenAttach, configuration: MaintenanceConfiguration, machines: Iterable[ResourceId]
) -> ScheduleBook:
    """The book with the configuration on each of the machines.

    Args:
        book: as it was read.
        wish: the assignment's name.
        configuration: as its provider shows it; Resource Graph may not have it yet.
        machines: those that the plan attaches to. One that has the configuration already, or an assignment of that name
            for another one, gets none.
    """
    standing = standing_in(book)
    others = tuple(one for one in book.configurations if one.id != configuration.id)
    made = tuple(
        ConfigurationAssignment(wish.name, machine, configuration.id)
        for machine in machines
        if _gets_it(standing.get(machine, ()), wish)
    )
    return replace(book, configurations=(*others, configuration), assignments=(*book.assignments, *made))


def book_after_detaching(book: ScheduleBook, detachments: Collection[Detachment]) -> ScheduleBook:
    """The book without the assignments that are taken off."""
    gone = {(one.id, one.configuration, one.name.casefold()) for one in detachments}
    stays = (one for one in book.assignments if (one.machine, one.configuration, one.name.casefold()) not in gone)
    return replace(book, assignments=tuple(stays))


def foreseen(entry: Decided, machine: Machine, later: MachineSchedules) -> Decided:
    """An entry with the outcome that the schedules of the day after give it; one that is skipped stays as it is.

    Args:
        entry: its outcomes were predicted with the schedules of now.
        machine: as it was read.
        later: what reaches it once the plan was carried out.
    """
    if isinstance(entry, Change):
        after = PatchSettings.from_document(entry.after)
        return replace(entry, outcome_after=predict(after, machine, later))
    if isinstance(entry, Unchanged):
        outcome = predict(machine.settings, machine, later)
        return replace(entry, outcome_after=None if outcome == entry.outcome else outcome)
    return entry


def retold(entry: Decided, machine: Machine, now: MachineSchedules, later: MachineSchedules) -> Decided:
    """An entry whose outcomes were predicted without schedules, with those that they give it, now and afterwards.

    Args:
        entry: of a machine that was read.
        machine: as it was read, with what is known of its surroundings.
        now: what reaches it as things stand.
        later: what reaches it once the plan was carried out.
    """
    if isinstance(entry, Change):
        before = predict(PatchSettings.from_document(entry.before), machine, now)
        return foreseen(replace(entry, outcome_before=before), machine, later)
    return foreseen(replace(entry, outcome=predict(machine.settings, machine, now)), machine, later)


def patched_by_nobody(
    decided: Iterable[tuple[Machine, Decided]], index: ScheduleIndex, *, attaches: bool
) -> PatchedByNobody | None:
    """The machines that a plan leaves prepared for schedules without any, and the schedules that could be attached.

    Args:
        decided: each machine with what becomes of it; its outcomes are told.
        index: the schedules by which they were told.
        attaches: whether the plan itself attaches one: of no machine that gets it the schedules are unknown then.

    Returns:
        None: it leaves none so, and of each it is known.
    """
    told = ((machine, _in_the_end(entry), _settings_of(machine, entry)) for machine, entry in decided)
    return nobody_among(((one, end, settings) for one, end, settings in told if end), index, attaches=attaches)


def nobody_among(
    found: Iterable[tuple[Machine, Outcome, PatchSettings | None]], index: ScheduleIndex, *, attaches: bool = False
) -> PatchedByNobody | None:
    """The same of machines with an outcome and the settings that it was told for."""
    parked: list[Machine] = []
    unseen: dict[str, int] = {}
    for machine, outcome, settings in found:
        if outcome.kind is OutcomeKind.PARKED:
            parked.append(machine)
        elif outcome.kind is OutcomeKind.UNKNOWN and not attaches and _is_prepared(machine, settings):
            schedules = index.schedules_of(machine)
            if not schedules.looked_up:
                unseen[schedules.why_not] = unseen.get(schedules.why_not, 0) + 1
    if not parked and not unseen:
        return None
    because = "; ".join(unseen)
    places = {machine.id.subscription_id for machine in parked}
    tenants = {home_of(one, index.book.owners) for one in places}
    usable = usable_schedules(index, places) if len(tenants) < 2 else ()
    elsewhere = bool(usable) and usable[0].startswith("/") and ResourceId.parse(usable[0]).subscription_id not in places
    looked = bool(index.book.configurations or index.book.visible)
    create = _creation(parked, index) if parked and looked and not usable and len(tenants) < 2 else ()
    return PatchedByNobody(
        len(parked),
        sum(unseen.values()),
        because,
        usable[:USABLE_NAMED],
        elsewhere,
        looked,
        create,
        across_tenants=len(tenants) > 1,
    )


def _creation(machines: Sequence[Machine], index: ScheduleIndex) -> tuple[str, ...]:
    """Words of a command that creates a weekly schedule where most of the machines are, under a name that is free."""
    places = Counter((one.id.subscription_id, one.id.resource_group, one.location) for one in machines)
    (subscription, group, region), _ = places.most_common(1)[0]
    taken = {one.name.casefold() for one in index.book.configurations}
    name = next(text for text in (_WEEKLY, *(f"{_WEEKLY}-{n}" for n in range(2, len(taken) + 3))) if text not in taken)
    # A day at least ahead, so that nobody is hurried.
    days = (_SATURDAY - index.now.weekday() - 1) % 7 + 1
    start = f"{index.now + timedelta(days=days):%Y-%m-%d} 22:00"
    where = ("--subscription", subscription, "--resource-group", group, "--location", region)
    when = ("--start", start, "--duration", "03:00", "--time-zone", "UTC", "--recur", "Week Saturday")
    return ("schedule", "create", name, *where, *when)


def usable_schedules(index: ScheduleIndex, near: Collection[str]) -> tuple[str, ...]:
    """Schedules that could be attached to machines that wait for one, as a command takes them.

    Args:
        index: the schedules as they are.
        near: subscription ids in lower case, of one tenant: schedules in one of them come first, then those that run
            first; those of other tenants are left out.

    Returns:
        The name of each, or its id where it is not in one of these, or where another has the name or may have it.
        Empty: none patches guests and has a window to come.
    """
    names = Counter(one.name.casefold() for one in index.book.configurations)
    tenants = {home_of(one, index.book.owners) for one in near}
    found = []
    for one in index.book.configurations:
        if tenants and home_of(one.id.subscription_id, index.book.owners) not in tenants:
            continue
        coming = index.next_of(one.id)
        is_users = (one.patch_mode or "user").casefold() == "user"
        if one.is_guest_patching and is_users and coming.timing is Timing.COMING and coming.window is not None:
            is_far = one.id.subscription_id not in near
            alone = names[one.name.casefold()] == 1 and not index.book.unread and not is_far
            order = is_far, coming.window.starts_at, one.id.key
            found.append((order, one.name if alone else str(one.id)))
    return tuple(text for _, text in sorted(found))


def _in_the_end(entry: Decided) -> Outcome | None:
    match entry:
        case Change():
            return entry.outcome_after
        case Unchanged():
            return entry.outcome_in_the_end
        case Skipped():
            return None


def _settings_of(machine: Machine, entry: Decided) -> PatchSettings | None:
    return PatchSettings.from_document(entry.after) if isinstance(entry, Change) else machine.settings


def _is_prepared(machine: Machine, settings: PatchSettings | None) -> bool:
    is_vm = machine.kind is not MachineKind.ARC
    return is_vm and orchestration_of(settings) is Orchestration.CUSTOMER_MANAGED_SCHEDULES


def kept_by(book: ScheduleBook, wish: ThenAttach, machines: Iterable[Machine]) -> tuple[KeptBy, ...]:
    """The locks under which a rollback cannot take the schedule off again, each with its machines.

    Args:
        book: as it was read: what is attached already is not this plan's.
        wish: what is attached.
        machines: those that the plan attaches to.

    Source: a `CanNotDelete` lock refuses every DELETE below its scope, and an assignment stands below its machine
    (Microsoft, "Lock your resources to protect your infrastructure").
    """
    standing = standing_in(book)
    return _keeping((one for one in machines if _gets_it(standing.get(one.id, ()), wish)), {NO_DELETE})


def delete_locks(machines: Iterable[Machine]) -> tuple[KeptBy, ...]:
    """The locks under which the schedules of machines cannot be taken off now, each with its machines.

    Args:
        machines: whose assignments are to be deleted, with their locks.

    Source: as for `kept_by`; a `ReadOnly` lock refuses every DELETE too.
    """
    return _keeping(machines, {NO_DELETE, NO_WRITE})


def lock_warning(kept: KeptBy) -> str:
    """What a person must know before they detach under a lock, one sentence or two."""
    whose = "1 machine keeps its schedule" if kept.machines == 1 else f"{kept.machines:,} machines keep their schedule"
    return (
        f"{whose}: the lock '{kept.lock}' on {kept.scope} refuses to delete it. Have its owner remove the lock for the "
        "change."
    )


def attach_warning(kept: KeptBy) -> str:
    """What a person must know before they attach under a lock, one sentence."""
    whose = "1 machine" if kept.machines == 1 else f"{kept.machines:,} machines"
    return f"{whose} cannot be detached again while the lock '{kept.lock}' is on {kept.scope}."


def _keeping(machines: Iterable[Machine], levels: Collection[str]) -> tuple[KeptBy, ...]:
    counted: Counter[Lock] = Counter(
        lock
        for machine in machines
        for lock in dict.fromkeys(machine.surroundings.locks)
        if lock.level.casefold() in levels
    )
    return tuple(KeptBy(lock.name, lock.scope, count) for lock, count in counted.items())


def standing_in(book: ScheduleBook) -> Standing:
    """The static assignments of each machine."""
    found: dict[ResourceId, list[ConfigurationAssignment]] = defaultdict(list)
    for one in book.assignments:
        found[one.machine].append(one)
    return found


def _gets_it(standing: Sequence[ConfigurationAssignment], wish: ThenAttach) -> bool:
    has_it = any(one.configuration == wish.configuration for one in standing)
    return not has_it and name_obstacle(standing, wish.name) is None
