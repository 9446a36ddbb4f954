"""Rollback: from a run's journal to the plan that undoes it, as far as the platform allows it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from patchmode.errors import RequestError
from patchmode.model.left_alone import Skipped, Unreadable
from patchmode.model.machine import Machine
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.plain_text import printable
from patchmode.model.plan import Change, Detachment, Plan, Unchanged
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import AttachAction, AttachEnd
from patchmode.model.target import Target
from patchmode.ports.azure import Azure, Clock, GraphScope
from patchmode.ports.run import AttachmentEntry, JournalEntry, RunJournal, Step
from patchmode.rules.schedules.after_plan import (
    Decided,
    book_after_detaching,
    delete_locks,
    lock_warning,
    patched_by_nobody,
    retold,
)
from patchmode.rules.schedules.forecast import predict
from patchmode.rules.schedules.memberships import ScheduleIndex
from patchmode.rules.settings.rollback import MACHINE_REPLACED, NOT_CHANGED_BY_RUN, plan_rollback_of
from patchmode.workflow.inventory.bulk_reading import BulkReader, BulkReading, Wanted, packing, with_surroundings_of
from patchmode.workflow.inventory.inventory import with_locks
from patchmode.workflow.run.attach import detach_obstacle
from patchmode.workflow.run.state import may_have_changed
from patchmode.workflow.schedules.reading import look_up


async def renamed(azure: Azure, plan: Plan, *, remark: Callable[[str], None]) -> Target:
    """A plan's target with the names that its subscriptions have now.

    Args:
        azure: a connection to that target; one list is read.
        plan: may hold names.
        remark: is told, one sentence each, of every subscription that is called otherwise now.

    Returns:
        With the plan's own names where the subscriptions cannot be listed, and for those that are not in the list.
    """
    try:
        await azure.authorization.subscriptions()
    except RequestError:
        return replace(azure.target, names=plan.target.names)
    before, now = plan.target.names, azure.target.names
    target = replace(azure.target, names=now.joined(before)).with_names_of(plan.subscription_ids)
    known = dict(target.names.pairs)
    for subscription_id, was in before.pairs:
        found = known.get(subscription_id, was)
        if found != was:
            remark(f"{subscription_id} is named '{printable(found)}' now, and was '{printable(was)}' in the plan.")
    return target


End = Change | Unchanged | Skipped | Unreadable
_ATTACHED = frozenset({AttachEnd.ATTACHED, AttachEnd.UNKNOWN, AttachEnd.MISMATCH})
"""What a rollback takes off again; what was attached before the run stays."""


@dataclass(frozen=True, slots=True)
class _Undone:
    """What becomes of each machine of a run, before the schedules that reach it are known."""

    ends: tuple[End, ...]
    detachments: tuple[Detachment, ...]
    machines: Mapping[ResourceId, Machine]
    """As their providers show them now; those that could not be read are not among them."""


async def make_rollback_plan(
    azure: Azure,
    journal: RunJournal,
    *,
    allow_azure_managed: bool,
    clock: Clock,
    tool_version: str = "",
    remark: Callable[[str], None] | None = None,
    warn: Callable[[str], None] | None = None,
    only: Collection[ResourceId] = (),
) -> Plan:
    """Plan the inverse of what a run did, for the machines as they stand now.

    Steps:
        1. take every change that the run applied, or may have applied;
        2. read those machines again from their providers, by the page where that is cheaper;
        3. ask the rules for the inverse of each; what cannot be undone is skipped with the rule that says so;
        4. name the assignments that the run made: they come off first, but for machines that Azure would then patch at
           will, and for those that keep the run's settings: without the schedule nobody may patch these;
        5. look up the schedules that reach the machines, and tell each machine's outcomes with those assignments and
           without them. Where they cannot be looked up the outcomes say so, and the plan is as good.

    Args:
        azure: a connection to the run's target; reading is enough.
        journal: the run; it stays open. Open it for writing: then no other process is still carrying it out.
        allow_azure_managed: whether machines may come back to where Azure patches and reboots them at will.
        clock: for the plan's time.
        tool_version: stands in the plan file.
        remark: is told, one sentence each, what a reader must know about how schedules were read, and of subscriptions
            that are named otherwise now.
        warn: is told instead of `remark`, one sentence or two each, which locks keep schedules on that the plan takes
            off.
        only: the machines to which the plan will be narrowed, whose locks are told; empty: those of all.

    Returns:
        A plan whose scope is the run's changes, and the machines that it only attached: each ends as change, unchanged,
        skipped or unreadable.

    Raises:
        StorageError: the journal cannot be read.
    """
    undone = await _undone(azure, journal, allow_azure_managed=allow_azure_managed)
    await _tell_locks(azure, undone, remark, warn or remark, only)
    plan = Plan(
        target=await renamed(azure, journal.plan, remark=remark or (lambda _: None)),
        scope=(f"--run {journal.run}",),
        wanted=_wanted(allow_azure_managed=allow_azure_managed),
        changes=tuple(end for end in undone.ends if isinstance(end, Change)),
        unchanged=tuple(end for end in undone.ends if isinstance(end, Unchanged)),
        skipped=tuple(end for end in undone.ends if isinstance(end, Skipped)),
        unreadable=tuple(end for end in undone.ends if isinstance(end, Unreadable)),
        created_at=clock.now(),
        tool_version=tool_version,
        rollback_of=journal.run,
        first_detach=undone.detachments,
    )
    return await _with_outcomes(azure, plan, undone.machines, clock.now(), remark)


async def _undone(azure: Azure, journal: RunJournal, *, allow_azure_managed: bool) -> _Undone:
    entries = journal.entries()
    undoable = [entry for entry in entries if may_have_changed(entry)]
    readings = await _read(azure, undoable, journal.plan)
    ends = [
        _undo(entry, reading, allow_azure_managed=allow_azure_managed)
        for entry, reading in zip(undoable, readings, strict=True)
    ]
    machines = {entry.change.id: one.machine for entry, one in zip(undoable, readings, strict=True) if one.machine}
    wanted = _wanted(allow_azure_managed=allow_azure_managed)
    detachments, kept = await _detachments(azure, journal, wanted, machines)
    changed = {str(entry.change.id) for entry in entries}
    schedules_kept = {end.id: end for end in kept if isinstance(end, Skipped)}
    ends = [schedules_kept.get(end.id, end) if isinstance(end, Unchanged) else end for end in ends]
    ends += [end for end in kept if str(end.id) not in changed]
    ends, detachments = _kept_together(ends, detachments, machines)
    untouched = (_left_alone(entry) for entry in entries if not may_have_changed(entry))
    return _Undone((*ends, *untouched), tuple(detachments), machines)


async def _tell_locks(
    azure: Azure,
    undone: _Undone,
    remark: Callable[[str], None] | None,
    warn: Callable[[str], None] | None,
    only: Collection[ResourceId],
) -> None:
    """Say which locks keep a schedule on that the plan takes off first: there no setting will be touched either."""
    detached = [undone.machines[one.id] for one in undone.detachments if not only or one.id in only]
    if warn is None or not detached:
        return
    machines, notes = await with_locks(azure, detached)
    for note in notes:
        (remark or warn)(note)
    for kept in delete_locks(machines):
        warn(lock_warning(kept))


def _wanted(*, allow_azure_managed: bool) -> WantedSettings:
    return WantedSettings(orchestration=Orchestration.AZURE_MANAGED if allow_azure_managed else None)


async def _with_outcomes(
    azure: Azure,
    plan: Plan,
    machines: Mapping[ResourceId, Machine],
    now: datetime,
    remark: Callable[[str], None] | None,
) -> Plan:
    """The plan with what the schedules make of its machines, before and after the detachments."""
    index = await look_up(azure, machines.values(), now=now)
    if remark is not None:
        for note in index.book.notes:
            remark(note)
    later = ScheduleIndex(book_after_detaching(index.book, plan.first_detach), now=now, crowded=index.crowded)
    described = await _described(azure, machines)

    def told(entry: Decided) -> Decided:
        machine = described.get(entry.id)
        if machine is None:
            return entry
        return retold(entry, machine, index.schedules_of(machine), later.schedules_of(machine))

    entries = [told(one) for group in (plan.changes, plan.unchanged, plan.skipped) for one in group]
    known = [(described[one.id], one) for one in entries if one.id in described]
    return replace(
        plan,
        changes=tuple(one for one in entries if isinstance(one, Change)),
        unchanged=tuple(one for one in entries if isinstance(one, Unchanged)),
        skipped=tuple(one for one in entries if isinstance(one, Skipped)),
        nobody=patched_by_nobody(known, later, attaches=False),
    )


async def _described(azure: Azure, machines: Mapping[ResourceId, Machine]) -> dict[ResourceId, Machine]:
    """The machines with the power state and image support that only Resource Graph knows; as they are without it."""
    found: dict[ResourceId, Machine] = {}
    if not machines:
        return found
    places = GraphScope(tuple(sorted({one.subscription_id for one in machines})))
    try:
        async for page in azure.graph.machines(places, ids=[str(one) for one in machines]):
            found.update((one.id, one) for one in page if isinstance(one, Machine))
    except RequestError:
        found.clear()
    return {key: replace(with_surroundings_of(one, found.get(key)), id=key) for key, one in machines.items()}


async def _detachments(
    azure: Azure, journal: RunJournal, wanted: WantedSettings, machines: dict[ResourceId, Machine]
) -> tuple[list[Detachment], list[Unchanged | Skipped | Unreadable]]:
    """The assignments to take off again, and what becomes of the settings of those machines: as a rule nothing.

    A machine that Azure would patch at will without its schedule keeps it, and is skipped for that reason. What was
    read is put into `machines`.
    """
    entries = [entry for entry in journal.attachments() if _may_be_attached(entry)]
    sweeper = BulkReader(azure.provider, (entry.id for entry in entries))
    readings = await sweeper.read([Wanted(entry.id, entry.kind) for entry in entries], packing())
    detachments: list[Detachment] = []
    ends: list[Unchanged | Skipped | Unreadable] = []
    for entry in entries:
        machine = readings[entry.id].machine
        if machine is None:
            ends.append(_unreadable(entry.id, readings[entry.id]))
            continue
        machine = machines[entry.id] = replace(machine, id=entry.id)
        obstacle = detach_obstacle(machine, wanted)
        outcome = predict(machine.settings, machine)
        if obstacle is not None:
            ends.append(Skipped(entry.id, obstacle.rule, obstacle.message, obstacle.fix, outcome))
            continue
        ends.append(Unchanged(entry.id, entry.kind, outcome))
        name = entry.result.assignment if entry.result and entry.result.assignment else entry.name
        detachments.append(Detachment(entry.id, entry.kind, entry.configuration, name))
    return detachments, ends


def _kept_together(
    ends: Sequence[End], detachments: Sequence[Detachment], machines: Mapping[ResourceId, Machine]
) -> tuple[list[End], list[Detachment]]:
    """The ends and the detachments without those of machines that are left alone and keep the run's schedule.

    These are a machine that was made anew, whose schedule is none of ours, and one that keeps the run's settings:
    without a schedule nobody might patch it.
    """
    left = {end.id: end for end in ends if isinstance(end, Skipped)}
    kept = {one.id for one in detachments if one.id in left and _keeps_schedule(left[one.id], machines[one.id])}
    told = [_with_schedule(end) if isinstance(end, Skipped) and end.id in kept else end for end in ends]
    return told, [one for one in detachments if one.id not in kept]


def _keeps_schedule(left: Skipped, machine: Machine) -> bool:
    is_prepared = machine.orchestration is Orchestration.CUSTOMER_MANAGED_SCHEDULES
    return left.rule == MACHINE_REPLACED.id or is_prepared or bool(machine.settings and machine.settings.undecided)


def _with_schedule(left: Skipped) -> Skipped:
    if left.rule == MACHINE_REPLACED.id:
        return left
    return replace(left, reason=f"{left.reason} It keeps the run's schedule, which may be all that patches it.")


def _may_be_attached(entry: AttachmentEntry) -> bool:
    if entry.action is not AttachAction.ATTACH:
        return False
    if entry.step is Step.INTENDED:
        return True
    return entry.result is not None and entry.result.result in _ATTACHED


async def _read(azure: Azure, entries: Sequence[JournalEntry], plan: Plan) -> list[BulkReading]:
    sweeper = BulkReader(azure.provider, (one.id for group in (plan.changes, plan.unchanged) for one in group))
    wanted = [Wanted(entry.change.id, entry.change.kind) for entry in entries]
    found = await sweeper.read(wanted, packing())
    return [found[one.id] for one in wanted]


def _undo(
    entry: JournalEntry, reading: BulkReading, *, allow_azure_managed: bool
) -> Change | Unchanged | Skipped | Unreadable:
    if reading.machine is None:
        return _unreadable(entry.change.id, reading)
    return plan_rollback_of(entry.change, reading.machine, allow_azure_managed=allow_azure_managed)


def _unreadable(machine_id: ResourceId, reading: BulkReading) -> Unreadable:
    reason = reading.error.message if reading.error else "Azure Resource Manager did not answer"
    return Unreadable(str(machine_id), reason)


def _left_alone(entry: JournalEntry) -> Skipped:
    result = entry.result.result.value if entry.result else "pending"
    return Skipped(
        entry.change.id, NOT_CHANGED_BY_RUN.id, f"The run did not change this machine (its result is {result})."
    )
