"""What a plan's schedules will make of its machines: the book as it stands once the plan has attached or taken off.

Must not: read anything, or say that a machine gets a schedule which would be refused to it.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from patchmode.model.left_alone import Skipped
from patchmode.model.machine import Lock, Machine
from patchmode.model.patch_settings import PatchSettings, WantedSettings
from patchmode.model.plan import Change, Detachment, KeptBy, ThenAttach, Unchanged
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import ConfigurationAssignment, MachineSchedules, MaintenanceConfiguration, ScheduleBook
from patchmode.rules.eligibility.owner_checks import check_locks
from patchmode.rules.schedules.attaching import attach_obstacle, name_obstacle
from patchmode.rules.schedules.forecast import predict

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
