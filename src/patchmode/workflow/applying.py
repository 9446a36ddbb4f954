"""Carrying a plan out: every change sent as it stands, followed to its end and verified, each step journalled.

What apply does is described entirely by the plan's changes and the journal; how the plan was made has no influence.

Must not: compute a setting, or send anything that is not in the plan.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from patchmode.errors import UnsafeError, UsageError, WrongTargetError
from patchmode.model.attachment import AttachEnd, AttachResult
from patchmode.model.outcome import ChangeResult, MachineError, Result, RunReport
from patchmode.model.patch_settings import Orchestration, PatchSettings
from patchmode.model.plan import Change, Plan
from patchmode.model.resource_id import ResourceId
from patchmode.rules.settings_patch import merged
from patchmode.rules.transitions import newly_autopatched
from patchmode.workflow.following import Follower
from patchmode.workflow.lanes import Lanes
from patchmode.workflow.ports import Azure, Clock, JournalEntry, Observer, Progress, RunJournal, Step, Turn
from patchmode.workflow.runs import add_requests, make_report, not_sent, result_of
from patchmode.workflow.sending import Sender
from patchmode.workflow.then_attaching import (
    Attacher,
    is_settled,
    may_be_attached,
    result_of_attachment,
    still_attached,
)
from patchmode.workflow.together import all_of

FINISHED, INTERRUPTED = "finished", "interrupted"


@dataclass(frozen=True, slots=True)
class MaxFailures:
    """A failure budget: once it is spent, nothing more is sent, neither settings nor schedules."""

    count: int | None = None
    """>= 1."""
    percent: float | None = None
    """> 0, of the machines that the plan changes, gives a schedule or takes one off."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `N` or `P%`.

        Raises:
            UsageError: it is neither, or not above zero.
        """
        stripped = text.strip()
        try:
            budget = cls(percent=float(stripped[:-1])) if stripped.endswith("%") else cls(count=int(stripped))
        except ValueError:
            budget = cls()
        if not 0 < (budget.count or budget.percent or 0) < float("inf"):
            msg = f"{text!r} is not a failure budget."
            raise UsageError(msg, advice="Give a number above 0, or a percentage such as 5%.")
        return budget

    def is_spent(self, failures: int, machines: int) -> bool:
        """Whether so many failures among so many machines use the budget up."""
        if not failures:
            return False
        by_count = self.count is not None and failures >= self.count
        return by_count or (self.percent is not None and failures * 100 >= self.percent * machines)


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """How a plan is carried out; what is carried out stands in the plan."""

    concurrency: int = 64
    """PATCHes under way at once, >= 1. Their rate is bounded by the wire's throttle."""
    max_failures: MaxFailures | None = None
    """Of this call. No more than `concurrency` changes and 8 schedules are under way at a time then, so it is overrun
    by no more."""
    operation_timeout_s: float = 1800.0
    """After so long an operation that has not ended is given up as unknown."""


async def apply_plan(
    journal: RunJournal,
    azure: Azure,
    options: ApplyOptions,
    *,
    clock: Clock,
    observer: Observer | None = None,
    stop: asyncio.Event | None = None,
) -> RunReport:
    """Carry a plan out, or take up a run that was interrupted: whatever the journal says is done stays done.

    Steps:
        1. refuse a plan for another target, or one that would newly hand a machine to Azure's own patching unasked;
        2. look first after what an earlier process sent;
        3. send the rest: each subscription and region in plan order, at the pace that its own throttle allows;
        4. watch each to its end; the read that shows the end verifies it;
        5. attach the schedule that the plan names to each machine whose settings stand and were verified. A rollback
           takes such schedules off again before it touches any setting.

    Args:
        journal: open for writing; closed when this returns or raises.
        azure: a connection that may write.
        options: concurrency, failure budget, patience.
        clock: the time.
        observer: told about each change of the tally.
        stop: when set, nothing more is sent, and what is under way is followed to its end. To end at once, cancel the
            call: the journal then tells truthfully how far each change had come.

    Returns:
        The report; its counts add up to the scope.

    Raises:
        WrongTargetError: the plan is for another target. UnsafeError: it breaks an invariant, or `azure` only reads.
        StorageError: the journal could not be written; nothing was sent that it does not know of.
        SignInError: nobody is signed in any more; what was sent stands in the journal.
    """
    state = INTERRUPTED
    try:
        check_applicable(journal.plan, azure)
        application = _Application(journal, azure, options, clock, observer, stop or asyncio.Event())
        await application.carry_out()
        report = application.report()
        state = report.state
    finally:
        journal.close(state=state)
    return report


def check_applicable(plan: Plan, azure: Azure) -> None:
    """Refuse a plan as a whole before anything is sent.

    Raises:
        WrongTargetError: it was made for another target.
        UnsafeError: a change would newly let Azure patch and reboot a machine at will, which nobody asked for by name.
    """
    if not plan.target.same_as(azure.target):
        msg = (
            f"The plan was made for tenant {plan.target.tenant_id} on {plan.target.endpoint}, "
            f"and this is tenant {azure.target.tenant_id} on {azure.target.endpoint}."
        )
        raise WrongTargetError(msg, advice="Sign in to the plan's target (--cloud), or make a plan for this one.")
    if plan.wanted.orchestration is Orchestration.AZURE_MANAGED:
        return
    for change in plan.changes:
        if _hands_over(change):
            msg = f"The plan would let Azure patch and reboot {change.id} at will, and nobody asked for that by name."
            raise UnsafeError(msg, advice="Make the plan again; `--to azure-managed` asks for it.")


def _hands_over(change: Change) -> bool:
    before = change.before or {}
    sent = change.body["properties"]["osProfile"][change.os.configuration]["patchSettings"]
    after = merged(before, sent)
    return newly_autopatched(PatchSettings.from_document(before), PatchSettings.from_document(after))


class _Application:
    """One call of `apply_plan`."""

    def __init__(
        self,
        journal: RunJournal,
        azure: Azure,
        options: ApplyOptions,
        clock: Clock,
        observer: Observer | None,
        stop: asyncio.Event,
    ) -> None:
        self._journal = journal
        self._azure = azure
        self._options = options
        self._observer = observer
        self._stop = stop
        self._budget_is_spent = False
        self._entries = journal.entries()
        self._results = {entry.change.id: entry.result for entry in self._entries if entry.result and _is_over(entry)}
        self._ends = Counter(result.result for result in self._results.values())
        self._failures = 0
        self._errors: dict[str, MachineError] = {}
        self._sent_before = azure.ledger.by_method()
        self._settled: dict[ResourceId, asyncio.Event] = {}
        self._settling = 0
        """How many changes keep their place until they end."""
        self._follower = Follower(
            azure,
            self._landed,
            clock=clock,
            known=_machines_of(journal.plan),
            patience_s=options.operation_timeout_s,
            remark=self._remark,
            is_awaited=self._is_waiting_for_ends,
        )
        self._attacher = Attacher(journal, azure, clock=clock, may_send=self._may_send, ended=self._attachment_ended)
        self._machines = len({entry.change.id for entry in self._entries} | self._attacher.entries.keys())
        self._sender = Sender(journal, azure, self._follower, self._landed, clock=clock, may_send=self._may_send)
        self._lanes = Lanes(self._sender.turn, self._carry_one, at_once=options.concurrency)

    async def carry_out(self) -> None:
        """Send and follow until every change that may be sent has ended."""
        todo = [entry for entry in self._entries if entry.change.id not in self._results]
        for entry in todo:
            if entry.step is Step.STARTED:
                self._follower.take_up(entry)
        unsent = [entry for entry in todo if entry.step is not Step.STARTED]
        self._tell(None)
        if self._journal.plan.first_detach:
            await self._detach_first()
            await all_of([self._send_all(unsent), self._follower.run()])
        else:
            await all_of([self._send_then_close(unsent), self._attacher.run()])

    async def _detach_first(self) -> None:
        """No setting is touched before every schedule that this plan takes off is off, or known not to be."""
        self._attacher.offer(self._attacher.entries)
        self._attacher.close()
        await self._attacher.run()

    async def _send_then_close(self, unsent: Sequence[JournalEntry]) -> None:
        changed = {entry.change.id for entry in self._entries}
        ready = (machine_id for machine_id, result in self._results.items() if may_be_attached(result))
        self._attacher.offer([*ready, *(one for one in self._attacher.entries if one not in changed)])
        await all_of([self._send_all(unsent), self._follower.run()])
        self._attacher.close()

    def report(self) -> RunReport:
        """The run's report as it stands now."""
        results = [self._result(entry) for entry in self._entries]
        attachments = self._attachment_results(results)
        unsent = any(result.result is Result.NOT_SENT for result in results) or any(
            one.result is AttachEnd.NOT_SENT and not is_settled(one) for one in attachments
        )
        return make_report(
            self._journal.run,
            self._journal.plan,
            state=INTERRUPTED if unsent and self._stop.is_set() else FINISHED,
            requests=add_requests(self._journal.requests(), self._sent()),
            results=results,
            attachments=attachments,
        )

    def _attachment_results(self, results: Sequence[ChangeResult]) -> list[AttachResult]:
        settled = {one.id: one for one in results}
        known = self._attacher.results
        return [
            known.get(machine_id)
            or result_of_attachment(entry, settled.get(machine_id), is_budget_spent=self._budget_is_spent)
            for machine_id, entry in self._attacher.entries.items()
        ]

    async def _send_all(self, unsent: Sequence[JournalEntry]) -> None:
        if self._stop.is_set():
            self._lanes.halt()
        halting = asyncio.ensure_future(self._halt_when_stopped())
        try:
            await self._lanes.run(unsent)
        finally:
            halting.cancel()
        self._follower.finish()

    async def _halt_when_stopped(self) -> None:
        await self._stop.wait()
        self._lanes.halt()

    async def _carry_one(self, entry: JournalEntry, turn: Turn) -> None:
        """One change, from its place among those under way to "accepted"; with a failure budget, to its end."""
        if not self._may_send():
            return
        if self._must_wait(entry.change.id):
            attachment = self._attacher.entries[entry.change.id]
            await self._landed([still_attached(attachment, self._attacher.results.get(entry.change.id))])
            return
        if self._options.max_failures is None:
            await self._sender.carry_out(entry, turn)
            self._tell(None)
            return
        settled = self._settled[entry.change.id] = asyncio.Event()
        await self._sender.carry_out(entry, turn)
        self._tell(None)
        self._settling += 1
        await settled.wait()
        self._settling -= 1

    def _must_wait(self, machine_id: ResourceId) -> bool:
        """Whether a machine's schedule should have come off first and did not."""
        if not self._journal.plan.first_detach or machine_id not in self._attacher.entries:
            return False
        result = self._attacher.results.get(machine_id)
        return result is None or not result.is_fine

    def _is_waiting_for_ends(self) -> bool:
        """Whether the ends of changes under way are what everything waits for."""
        return self._settling == self._lanes.under_way and self._lanes.is_waiting_for_ends

    def _may_send(self) -> bool:
        return not (self._stop.is_set() or self._budget_is_spent)

    async def _landed(self, results: Sequence[ChangeResult]) -> None:
        await self._journal.end_all(results, requests=self._sent())
        for result in results:
            self._results[result.id] = result
            if result.error is not None:
                self._errors[str(result.id)] = result.error
            self._failures += _is_failure(result)
            self._ends[result.result] += 1
            self._tell(result)
            if settled := self._settled.pop(result.id, None):
                settled.set()
            if may_be_attached(result) and not self._journal.plan.first_detach:
                self._attacher.offer([result.id])
        self._spend()

    async def _attachment_ended(self, result: AttachResult) -> None:
        await self._journal.end_attachment(result, requests=self._sent())
        self._failures += result.result in _BAD_ENDS
        if result.error is not None:
            self._errors[result.id] = result.error
        self._tell(None)
        self._spend()

    def _spend(self) -> None:
        budget = self._options.max_failures
        if budget is not None and not self._budget_is_spent:
            self._budget_is_spent = budget.is_spent(self._failures, self._machines)
            if self._budget_is_spent:
                self._lanes.halt()
                self._remark(f"The failure budget is spent ({self._failures} failed): nothing more is sent.")

    def _result(self, entry: JournalEntry) -> ChangeResult:
        known = self._results.get(entry.change.id)
        if known is not None:
            return known
        if entry.step in {Step.INTENDED, Step.STARTED}:
            return result_of(entry)
        if self._budget_is_spent:
            return not_sent(entry, "FailureBudgetSpent", "was still to come when the failure budget was spent.")
        return not_sent(entry, "Stopped", "was still to come when the run was stopped.")

    def _sent(self) -> Mapping[str, int]:
        return Counter(self._azure.ledger.by_method()) - Counter(self._sent_before)

    def _tell(self, latest: ChangeResult | None) -> None:
        if self._observer is None:
            return
        total, ended, waiting = len(self._entries), len(self._results), self._follower.waiting
        self._observer.progressed(
            Progress(
                total=total,
                done=self._ends[Result.APPLIED],
                failed=self._ends[Result.FAILED],
                unknown=self._ends[Result.UNKNOWN],
                stale=self._ends[Result.STALE],
                not_sent=self._ends[Result.NOT_SENT],
                waiting=waiting,
                not_started=total - ended - waiting,
                attached=len(self._attacher.results),
                to_attach=len(self._attacher.entries),
                latest=latest,
                errors=self._errors,
            )
        )

    def _remark(self, text: str) -> None:
        if self._observer is not None:
            self._observer.remarked(text)


_BAD_ENDS = frozenset({AttachEnd.FAILED, AttachEnd.UNKNOWN, AttachEnd.MISMATCH})
"""What of attaching counts against a failure budget."""


def _is_over(entry: JournalEntry) -> bool:
    """What was never sent has its turn when the run is taken up."""
    return entry.step is Step.ENDED and entry.result is not None and entry.result.result is not Result.NOT_SENT


def _is_failure(result: ChangeResult) -> bool:
    """What a failure budget counts: a stale machine is a plan that aged, not an operation that fails."""
    return result.result in {Result.FAILED, Result.UNKNOWN}


def _machines_of(plan: Plan) -> Iterator[ResourceId]:
    for group in (plan.changes, plan.unchanged, plan.skipped):
        yield from (one.id for one in group)
