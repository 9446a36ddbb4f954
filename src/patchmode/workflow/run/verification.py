"""Verify: machines read again from their providers and compared with what the plan promised; evidence of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from patchmode.errors import RequestError, RunBusyError
from patchmode.model.evidence import AfterFrom, Evidence, MachineEvidence
from patchmode.model.left_alone import Skipped, Unreadable
from patchmode.model.machine import Machine
from patchmode.model.patch_settings import WantedSettings
from patchmode.model.plan import Change, Plan, Unchanged
from patchmode.model.report import VerifyReport
from patchmode.model.resource_id import ResourceId, ResourceIdError
from patchmode.model.run import ChangeResult, Result, Verification
from patchmode.model.scope import Scope, scope_text
from patchmode.ports.azure import Azure, Clock, GraphScope
from patchmode.ports.run import JournalEntry, RunJournal
from patchmode.rules.settings.planning import plan_machine
from patchmode.rules.settings.transitions import wanted_of
from patchmode.rules.settings.verification import differences, told_apart, with_authors
from patchmode.timing import all_of
from patchmode.workflow.inventory.bulk_reading import BulkReader, BulkReading, Wanted, packing
from patchmode.workflow.inventory.inventory import take_inventory
from patchmode.workflow.inventory.planning import check_wanted
from patchmode.workflow.run.state import result_of

T = TypeVar("T")


async def verify_run(azure: Azure, journal: RunJournal, *, record: bool) -> tuple[Verification, ...]:
    """Verify the machines that a run applied.

    Args:
        azure: a connection to the run's target; reading is enough.
        journal: the run; it stays open.
        record: write what was found into the journal, which must be open for writing then.

    Returns:
        One verification for each applied change, in plan order; empty when nothing was applied. What the run itself had
        verified, and what differs now outside the patch settings, was changed later: it is told as that, with its
        author where Azure's record of changes names one, and is no mismatch.

    Raises:
        StorageError: the journal cannot be read or written.
    """
    applied = _applied(journal)
    seen = await verify_changes(azure, [entry.change for entry in applied], known=journal.plan)
    apart = [told_apart(one, entry.verification_at_end) for entry, one in zip(applied, seen, strict=True)]
    ends = [entry.result.ended_at for entry in applied if entry.result and entry.result.ended_at]
    found = await _with_authors(azure, apart, since=min(ends, default=None))
    if record:
        await all_of(
            journal.verified(_with(entry.result, verification))
            for entry, verification in zip(applied, found, strict=True)
        )
    return found


def _applied(journal: RunJournal) -> list[JournalEntry]:
    entries = journal.entries()
    return [entry for entry in entries if entry.result is not None and entry.result.result is Result.APPLIED]


async def _with_authors(
    azure: Azure, found: Sequence[Verification], *, since: datetime | None
) -> tuple[Verification, ...]:
    """Verifications with Azure's records of the later changes; without them where they cannot be had."""
    touched = {one.id.subscription_id for one in found if one.changed_later}
    if not touched or since is None:
        return tuple(found)
    scope = GraphScope(tuple(sorted(touched)))
    try:
        changes = [one async for page in azure.graph.resource_changes(scope, since=since) for one in page]
    except RequestError:
        return tuple(found)
    return tuple(with_authors(one, changes) if one.changed_later else one for one in found)


async def verify_plan(azure: Azure, plan: Plan, *, run: RunJournal | None = None) -> tuple[Verification, ...]:
    """Verify every change of a plan, whoever carried it out.

    Args:
        azure: a connection to the plan's target; reading is enough.
        plan: what its changes order is compared as `verify_run` compares it.
        run: the journal of a run that applied this plan, which stays open: what differed when the run ended is not
            told as changed later. None: no run is known.

    Returns:
        One verification for each change, in plan order. What differs outside the patch settings was changed since the
        plan: it is told as that, as `verify_run` tells it, and is no mismatch.
    """
    seen = await verify_changes(azure, plan.changes, known=plan)
    at_end = {} if run is None else {entry.change.id: entry.verification_at_end for entry in _applied(run)}
    apart = [told_apart(one, at_end.get(one.id, Verification(one.id, verified=True))) for one in seen]
    return await _with_authors(azure, apart, since=plan.created_at)


async def verify_changes(azure: Azure, changes: Sequence[Change], *, known: Plan) -> tuple[Verification, ...]:
    """Read changed machines again, by the page where that is cheaper, and compare them.

    Args:
        azure: a connection; reading is enough.
        changes: what must stand; empty: nothing is read.
        known: the plan they come from: how many machines its scope holds tells what a list costs.

    Returns:
        One verification for each change, in the order given. A difference seen in a list was confirmed with a GET.
    """
    found = await read_and_compare(azure, changes, lambda _, __: None, known=known)
    return tuple(verification for _, verification in found)


async def read_and_compare(
    azure: Azure, changes: Sequence[Change], keep: Callable[[ResourceId, BulkReading], T], *, known: Plan
) -> tuple[tuple[T, Verification], ...]:
    """As `verify_changes`, with what is kept of the provider's answer for each machine beside what that means.

    Args:
        azure: a connection; reading is enough.
        changes: what must stand.
        keep: as `BulkReader.read` takes it.
        known: the plan they come from.
    """
    sweeper = BulkReader(azure.provider, (one.id for group in (known.changes, known.unchanged) for one in group))
    by_id = {change.id: change for change in changes}
    doubtful: list[Change] = []

    def compare(machine_id: ResourceId, reading: BulkReading) -> tuple[T, Verification]:
        found = _compare(by_id[machine_id], reading)
        if not found.verified and reading.by_list:
            doubtful.append(by_id[machine_id])
        return keep(machine_id, reading), found

    found = await sweeper.read([Wanted(change.id, change.kind) for change in changes], compare)
    again = await all_of(sweeper.read_one(Wanted(change.id, change.kind)) for change in doubtful)
    for change, reading in zip(doubtful, again, strict=True):
        found[change.id] = keep(change.id, reading), _compare(change, reading)
    return tuple(found[change.id] for change in changes)


async def verify_scope(azure: Azure, scope: Scope, wanted: WantedSettings) -> VerifyReport:
    """Whether every machine in a scope is set as wanted, without a plan or a run to compare with.

    Siblings of the patch settings have nothing to be compared with.

    Args:
        azure: a connection; reading is enough.
        scope: must have a selector.
        wanted: what its machines should be set to.

    Returns:
        Every machine in scope, each once: verified, differing, blocked by a rule, unreadable, of which nothing is
        asked, or filtered out. A machine of which it is not certain whether it is in scope counts as blocked, by the
        rule of the doubt.

    Raises:
        UsageError: nothing is wanted, so that there is nothing to verify; or a selector is wrong.
        EmptyScopeError, RequestError: as `inventory.take_inventory`.
    """
    check_wanted(wanted)
    inventory = await take_inventory(azure, scope, documents=True)
    ends = list(verify_machines(inventory.machines, wanted))
    doubtful = [one for one in inventory.skipped if not one.is_filtered_out]
    unreadable, unread = _unreadable(inventory.unreadable)
    found = (*ends, *(Verification(one.id, verified=False, blocked_by=one) for one in doubtful), *unreadable)
    aside = {one.id: one.blocked_by for one in found if one.blocked_by and not one.blocked_by.is_asked_for(wanted)}
    return VerifyReport(
        target=azure.target,
        what=scope_text(scope.describe()),
        found=tuple(sorted((one for one in found if one.id not in aside), key=lambda one: one.id.key)),
        unread=tuple(unread),
        not_applicable=tuple(aside.values()),
        filtered_out=tuple(one for one in inventory.skipped if one.is_filtered_out),
        is_scope=True,
        notes=inventory.notes,
    )


def verify_machines(machines: Iterable[Machine], wanted: WantedSettings) -> Iterable[Verification]:
    """Whether machines are set as wanted: one verification each; what a rule blocks is not, and says the rule.

    Args:
        machines: as their providers described them: `document` is present.
        wanted: what they should be set to.
    """
    for machine in machines:
        match plan_machine(machine, wanted_of(machine, wanted)):
            case Unchanged():
                yield Verification(machine.id, verified=True)
            case Change() as change:
                found = differences(change, machine.document or {})
                yield Verification(machine.id, verified=False, differences=found)
            case Skipped() as skipped:
                yield Verification(machine.id, verified=False, blocked_by=skipped)


def _unreadable(entries: Iterable[Unreadable]) -> tuple[list[Verification], list[Unreadable]]:
    """Of machines their verifications; whole subscriptions as they came."""
    machines: list[Verification] = []
    places: list[Unreadable] = []
    for entry in entries:
        try:
            machine_id = ResourceId.parse(entry.id)
        except ResourceIdError:
            places.append(entry)
        else:
            machines.append(Verification(machine_id, verified=False, unreadable_because=entry.reason))
    return machines, places


def _compare(change: Change, reading: BulkReading) -> Verification:
    if reading.machine is None:
        because = reading.error.message if reading.error else "Azure Resource Manager did not answer"
        return Verification(change.id, verified=False, unreadable_because=because)
    found = differences(change, reading.machine.document or {})
    return Verification(change.id, verified=not found, differences=found)


def _with(result: ChangeResult | None, verification: Verification) -> ChangeResult:
    assert result is not None  # noqa: S101 - only applied changes come here, for the type checker
    return replace(result, verification=verification)


_OFFLINE = "nothing was read: the evidence was gathered offline, and a journal holds no document after the change"


async def gather(azure: Azure, journal: RunJournal, *, clock: Clock) -> Evidence:
    """Gather a run's evidence, reading each of its machines from the provider now.

    Args:
        azure: a connection to the run's target; reading is enough.
        journal: of a run that nobody carries out at the moment.
        clock: for the time at which the machines were read.

    Raises:
        RunBusyError: the run is under way. StorageError: the journal is damaged.
    """
    entries = _entries(journal)
    found = await read_and_compare(azure, [entry.change for entry in entries], packing(), known=journal.plan)
    machines, verifications = [], []
    for entry, (reading, verification) in zip(entries, found, strict=True):
        because = None if reading.machine else verification.unreadable_because
        after = reading.machine.document if reading.machine else None
        result = result_of(entry).result
        machines.append(MachineEvidence(entry.change.id, result.value, entry.change.document, after, because))
        if result is Result.APPLIED:
            verifications.append(told_apart(verification, entry.verification_at_end))
    return Evidence(AfterFrom.PROVIDER, clock.now(), tuple(machines), tuple(verifications))


def gather_offline(journal: RunJournal, *, clock: Clock) -> Evidence:
    """Gather what the journal alone holds: documents before, and what the run's own verifications found.

    Raises:
        RunBusyError, StorageError: as `gather`.
    """
    results = [(entry, result_of(entry)) for entry in _entries(journal)]
    return Evidence(
        AfterFrom.JOURNAL,
        clock.now(),
        tuple(
            MachineEvidence(entry.change.id, result.result.value, entry.change.document, None, _OFFLINE)
            for entry, result in results
        ),
        tuple(
            result.verification
            for _, result in results
            if result.verification is not None and result.result is Result.APPLIED
        ),
    )


def _entries(journal: RunJournal) -> list[JournalEntry]:
    if journal.state == "running":
        raise RunBusyError(
            f"run {journal.run} is under way, and evidence of it would be out of date at once.",
            advice=f"Wait until it ends; `patchmode runs show {journal.run}` shows how far it is.",
        )
    return list(journal.entries())
