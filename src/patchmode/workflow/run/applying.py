"""Carrying a plan out: every change sent as it stands, followed to its end and verified, each step journalled.

What apply does is described entirely by the plan's changes and the journal; how the plan was made has no influence.

Must not: compute a setting, or send anything that is not in the plan.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from patchmode.errors import PatchmodeError, UnsafeError, WrongTargetError
from patchmode.model.access import AccessCheck
from patchmode.model.guardrails import Halt, RunGuardrails
from patchmode.model.patch_settings import Orchestration
from patchmode.model.plan import Plan
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import ChangeResult, Result, RunReport, with_run
from patchmode.model.schedule import AttachEnd, AttachResult
from patchmode.ports.azure import Azure, Clock, Turn
from patchmode.ports.run import AttachmentEntry, JournalEntry, Observer, RunJournal, Step
from patchmode.rules.settings.plan_derivation import check_derived
from patchmode.rules.settings.transitions import hands_over
from patchmode.timing import all_of, unless
from patchmode.workflow.run.attach import Attacher, is_settled, may_be_attached, result_of_attachment, still_attached
from patchmode.workflow.run.guardrails import STOPPED, FailureCount, StopConditions, check_not_frozen, is_failure
from patchmode.workflow.run.not_begun import check_run_access, left_alone, without_rolled_back
from patchmode.workflow.run.options import ApplyOptions, brakes_of, options_of
from patchmode.workflow.run.polling import Poller
from patchmode.workflow.run.queue import InProgress, SubscriptionQueues, queue_key_of
from patchmode.workflow.run.report import Held, RunProgress, add_requests, make_report, not_sent, result_of, was_sent
from patchmode.workflow.run.sending import Sender
from patchmode.workflow.run.waves import WaveGate, WaveHistory, WaveWork, waves_of

FINISHED, INTERRUPTED, STOPPED_BY_BRAKE = "finished", "interrupted", "stopped"


async def apply_plan(
    journal: RunJournal,
    azure: Azure,
    options: ApplyOptions | None = None,
    *,
    clock: Clock,
    observer: Observer | None = None,
    stop: asyncio.Event | None = None,
    rolled_back: Mapping[ResourceId, str] | None = None,
) -> RunReport:
    """Carry a plan out, or take up a run that was interrupted: whatever the journal says is done stays done.

    Steps:
        1. refuse a plan for another target, or one that would newly hand a machine to Azure's own patching unasked;
           leave machines alone that whoever is signed in may not write;
        2. look first after what an earlier process sent;
        3. send the rest, wave by wave where the plan has waves: each subscription and region in plan order, at the pace
           that its own throttle allows. A wave begins when the one before has ended, and not after a wave in which
           something failed, unless a budget for waves allows it;
        4. watch each to its end; the read that shows the end verifies it;
        5. attach the plan's schedule to each machine that was verified; a rollback takes such off before all else.

    Args:
        journal: open for writing; closed when this returns or raises.
        azure: a connection that may write.
        options: the journal keeps them; None: those that it keeps already, as for a run that is taken up.
        clock: the time.
        observer: told about each change of the tally.
        stop: when set, nothing more is sent, and what is under way is followed to its end; to end at once, cancel.
        rolled_back: of a run that is taken up: machine → the run that rolled it back since; it is left alone.

    Returns:
        The report; its counts add up to the scope.

    Raises:
        WrongTargetError: the plan is for another target. BrokenPlanError: it is not what the rules make of its
            documents. UnsafeError: it breaks an invariant, or `azure` only reads. RefusedError: a freeze holds.
        StorageError: the journal could not be written; nothing was sent that it does not know of.
        SignInError: nobody is signed in any more; what was sent stands in the journal.
    """
    state, stop = INTERRUPTED, stop or asyncio.Event()
    try:
        entries = journal.entries()
        check_applicable(journal.plan, azure, is_new=not any(map(was_sent, entries)))
        options = options_of(journal.brakes or RunGuardrails()) if options is None else options
        check_not_frozen(options.freezes, clock)
        journal.keep_brakes(brakes_of(options, journal.brakes))
        entries = await without_rolled_back(journal, entries, rolled_back or {}, clock)
        access = await unless(check_run_access(azure, journal), stop, otherwise=AccessCheck())
        application = _Application(journal, entries, azure, options, access, clock, observer, stop)
        await application.carry_out()
        report = application.report()
        state = report.state
        journal.keep_halts(application.halts)
    except PatchmodeError as error:
        error.advice = with_run(error.advice, journal.run)
        raise
    finally:
        journal.close(state=state)
    return report


def check_applicable(plan: Plan, azure: Azure, *, is_new: bool = True) -> None:
    """Refuse a plan as a whole before anything is sent.

    Args:
        plan: the plan.
        azure: the connection that is to carry it out.
        is_new: nothing of it was sent yet. What was sent is followed to its end whatever the rules say of it by now,
            and only the changes that they do not make are left alone.

    Raises:
        BrokenPlanError: it is not what the rules make of its own documents.
        WrongTargetError: it was made for another target.
        UnsafeError: a change would newly let Azure patch and reboot a machine at will, which nobody asked for by name.
    """
    if not plan.target.same_as(azure.target):
        msg = (
            f"The plan was made for tenant {plan.target.tenant_id} on {plan.target.endpoint}, "
            f"and this is tenant {azure.target.tenant_id} on {azure.target.endpoint}."
        )
        raise WrongTargetError(msg, advice="Sign in to the plan's target (--cloud), or make a plan for this one.")
    check_derived(plan, name="The plan", is_new=is_new)
    if plan.wanted.orchestration is Orchestration.AZURE_MANAGED:
        return
    for change in plan.changes:
        if hands_over(change):
            msg = f"The plan would let Azure patch and reboot {change.id} at will, and nobody asked for that by name."
            raise UnsafeError(msg, advice="Make the plan again; `--to azure-managed` asks for it.")


class _Application:
    """One call of `apply_plan`."""

    def __init__(
        self,
        journal: RunJournal,
        entries: Sequence[JournalEntry],
        azure: Azure,
        options: ApplyOptions,
        access: AccessCheck,
        clock: Clock,
        observer: Observer | None,
        stop: asyncio.Event,
    ) -> None:
        self._journal = journal
        self._azure = azure
        self._options = options
        self._observer = observer
        self._stop = stop
        self._entries = entries
        self._refused = left_alone(journal.plan, entries, access)
        """Machines that are not begun."""
        self._standing = RunProgress(self._entries)
        self._sent_before = azure.ledger.by_method()
        self._attaching = 0
        """Machines that were offered to the attacher and have not had their turn."""
        self._left_open: set[ResourceId] = set()
        """Changes that were called off after a PATCH of which nobody knows what became."""
        self._is_quiet = asyncio.Event()
        self._follower = Poller(
            azure,
            self._landed,
            run=journal.run,
            clock=clock,
            known=_machines_of(journal.plan),
            patience_s=options.operation_timeout_s,
            remark=self._remark,
            is_awaited=lambda: self._lanes.is_waiting_for_ends,
        )
        self._attacher = Attacher(
            journal,
            azure,
            clock=clock,
            may_send=lambda entry: self._may_send(entry.id),
            ended=self._attachment_ended,
            under_way=self._attaching_under_way,
        )
        self._held = Held(journal.plan, self._entries, self._attacher.entries, last=options.waves.last)
        self._regions = self._held.regions
        self._sender = Sender(
            journal,
            azure,
            self._follower,
            self._landed,
            clock=clock,
            may_send=lambda change: self._may_send(change.id),
            is_strict=options.strict,
        )
        self._under_way, self._brakes, self._gate = self._restraints(clock)
        at_once = options.at_once(journal.plan)
        self._lanes = SubscriptionQueues(self._sender.turn, self._carry_one, self._under_way, at_once=at_once)

    def _restraints(self, clock: Clock) -> tuple[InProgress, StopConditions, WaveGate]:
        options = self._options
        machines = self._regions.keys() | self._attacher.entries.keys()
        earlier = [self._regions.get(one) for one in self._failed_before()]
        tally = FailureCount(options.budgets, machines=len(machines), regions=self._regions.values(), earlier=earlier)
        begins_slowly = options.begins_slowly(self._journal.plan)
        under_way = InProgress(asked=options.concurrency, begins_slowly=begins_slowly, tally=tally)
        brakes = StopConditions(self._stop, tally, freezes=options.freezes, clock=clock, braked=self._braked)
        may_fail = options.max_failures_per_wave is not None
        gate = WaveGate(
            options.waves, brakes, tally, may_fail=may_fail, clock=clock, stop=self._stop, remark=self._remark
        )
        return under_way, brakes, gate

    def _failed_before(self) -> Iterator[ResourceId]:
        """The machine of each failure that an earlier session of the run met."""
        yield from (one for one, end in self._standing.results.items() if is_failure(end))
        yield from self._attacher.failed_before

    @property
    def halts(self) -> Sequence[Halt]:
        """What held the run back; empty: nothing did, or nothing was left to hold back."""
        return self._brakes.halts if self._is_anything_left() else ()

    async def carry_out(self) -> None:
        """Send and follow until every change that may be sent has ended."""
        self._journal.begin_session(self.sent)
        self._brakes.check(set(self._regions.values()))
        for entry in self._entries:
            if entry.step is Step.STARTED:
                self._take(entry)
                self._follower.take_up(entry)
        self._tell(None)
        await self._end_refused()
        halting = asyncio.ensure_future(self._halt_when_stopped())
        try:
            if self._journal.plan.first_detach:
                await all_of([self._detach_then_send(), self._follower.run()])
            else:
                await all_of([self._send_then_close(), self._attacher.run()])
        finally:
            halting.cancel()

    async def _end_refused(self) -> None:
        """Write down what the signed-in principal may not write; a resume asks again.

        What an earlier process may have sent is no part of it: that is still to be looked at.
        """
        if not self._refused:
            return
        todo = [one for one in self._entries if one.change.id not in self._standing.results]
        unsent = [one for one in todo if one.step not in {Step.INTENDED, Step.STARTED}]
        halts = ((one, self._refused.get(one.change.id)) for one in unsent)
        await self._landed([not_sent(one, halt.code, f"{halt.told}.") for one, halt in halts if halt])
        await self._attacher.refuse(self._refused)

    async def _detach_then_send(self) -> None:
        """No setting is touched before every schedule that this plan takes off is off, or known not to be.

        What an earlier session had begun is followed meanwhile: a machine may have to wait for its end.
        """
        self._offer(self._attacher.entries)
        self._attacher.close()
        await self._attacher.run()
        await self._send_all()

    async def _send_then_close(self) -> None:
        await all_of([self._send_all(), self._follower.run()])
        self._attacher.close()

    # -------------------------------------------------------------------------------------------- wave by wave

    async def _send_all(self) -> None:
        attached = self._attacher.entries, self._attacher.results
        history = WaveHistory(self._options.budgets, self._standing.results, *attached)
        for wave in waves_of(self._journal.plan, self._entries, self._attacher.entries):
            if self._is_left(wave) and await self._gate.opens(wave, history.before(wave)):
                self._standing.wave = wave.number if wave.of > 1 else 0
                await self._carry(wave)
            self._gate.left_unsent(wave, self._unsent_of(wave))
            history.passed(wave)
        self._follower.finish()

    def _unsent_of(self, wave: WaveWork) -> int:
        """Machines that had their turn and were not sent: no connection, no role, held back by Azure for too long."""
        changing = [entry.change.id for entry in wave.entries]
        return sum(map(self._is_unsent, changing)) + sum(map(self._attacher.is_unsent, (*changing, *wave.unchanged)))

    def _is_unsent(self, machine_id: ResourceId) -> bool:
        end = self._standing.results.get(machine_id)
        if end is not None:
            return end.result is Result.NOT_SENT
        if machine_id in self._left_open:
            return True
        # It had its turn and came to no end: an earlier process may have sent it, and nobody could look.
        return self._brakes.why(self._regions[machine_id]) is None

    async def _halt_when_stopped(self) -> None:
        await self._stop.wait()
        self._halt(None)

    def _halt(self, region: str | None) -> None:
        self._lanes.halt(region)
        self._under_way.open(region)

    def _is_left(self, wave: WaveWork) -> bool:
        """Whether a wave has anything to do; what an earlier session ended is not begun again."""
        ended, attached = self._standing.results, self._attacher.results
        changes = [entry.change.id for entry in wave.entries]
        if wave.of == 1 or any(one not in ended for one in changes):
            return True
        ready = (one for one in changes if may_be_attached(ended[one]))
        return any(one in self._attacher.entries and one not in attached for one in (*ready, *wave.unchanged))

    async def _carry(self, wave: WaveWork) -> None:
        if not self._journal.plan.first_detach:
            ended = ((one.change.id, self._standing.results.get(one.change.id)) for one in wave.entries)
            self._offer([*(one for one, end in ended if end and may_be_attached(end)), *wave.unchanged])
        todo = [entry for entry in wave.entries if entry.change.id not in self._standing.results]
        self._remark(self._under_way.pace_text(len(todo) + len(wave.unchanged)))
        for entry in todo:
            if entry.step is Step.INTENDED:
                self._take(entry)
        await self._lanes.run(entry for entry in todo if entry.step is not Step.STARTED)
        if not wave.is_last:
            self._note_quiet()
            await self._is_quiet.wait()

    def _take(self, entry: JournalEntry) -> None:
        self._under_way.take(entry.change.id, queue_key_of(entry).region)

    def _offer(self, machine_ids: Iterable[ResourceId]) -> int:
        offered = self._attacher.offer(machine_ids)
        self._attaching += offered
        return offered

    def _note_quiet(self) -> None:
        """Whether all that was begun has ended."""
        if len(self._under_way) or self._attaching:
            self._is_quiet.clear()
        else:
            self._is_quiet.set()

    def report(self) -> RunReport:
        """The run's report as it stands now."""
        results = [self._result(entry) for entry in self._entries]
        report = make_report(
            self._journal.run,
            self._journal.plan,
            state=self._state(),
            requests=add_requests(self._journal.requests(), self.sent()),
            results=results,
            attachments=self._attachment_results(results),
        )
        at_least = not self._journal.tells_all_requests
        return replace(report, halts=tuple(self.halts), brakes=self._journal.brakes, requests_at_least=at_least)

    def _state(self) -> str:
        if not self._is_anything_left():
            return FINISHED
        # Also without a brake: what Azure's limits or the network held back is for `runs resume`, which has to find it.
        return INTERRUPTED if self._stop.is_set() else STOPPED_BY_BRAKE

    def _is_anything_left(self) -> bool:
        """Whether a resume would have anything to do."""
        results = [self._result(entry) for entry in self._entries]
        known = self._standing.results
        return any(one.id not in known or one.result is Result.NOT_SENT for one in results) or any(
            one.result is AttachEnd.NOT_SENT and not is_settled(one) for one in self._attachment_results(results)
        )

    def _attachment_results(self, results: Sequence[ChangeResult]) -> list[AttachResult]:
        settled = {one.id: one for one in results}
        known = self._attacher.results
        return [
            known.get(machine_id)
            or result_of_attachment(entry, settled.get(machine_id), halt=self._held_by(machine_id))
            for machine_id, entry in self._attacher.entries.items()
        ]

    def _held_by(self, machine_id: ResourceId) -> Halt | None:
        """Why a machine has had no turn, as it is told; None: nothing holds it back now."""
        held = self._refused.get(machine_id) or self._held.by(machine_id, self._brakes.halts)
        return STOPPED if held is None and self._brakes.is_stopped else held

    # -------------------------------------------------------------------------------------------- one change

    async def _carry_one(self, entry: JournalEntry, turn: Turn) -> None:
        """One change, from its place among the requests in flight to "accepted"; it is under way until its end."""
        machine_id = entry.change.id
        if not self._may_send(machine_id):
            self._under_way.leave(machine_id)
        elif self._must_wait(machine_id):
            attachment = self._attacher.entries[machine_id]
            await self._landed([still_attached(attachment, self._attacher.results.get(machine_id))])
        else:
            if not await self._sender.carry_out(entry, turn):
                self._left_open.add(machine_id)
                self._under_way.leave(machine_id)
            self._tell(None)

    def _must_wait(self, machine_id: ResourceId) -> bool:
        """Whether a machine's schedule should have come off first and did not."""
        if not self._journal.plan.first_detach or machine_id not in self._attacher.entries:
            return False
        result = self._attacher.results.get(machine_id)
        return result is None or not result.is_fine

    def _may_send(self, machine_id: ResourceId) -> bool:
        return self._why(machine_id) is None

    def _why(self, machine_id: ResourceId) -> Halt | None:
        """What keeps a machine from having its turn."""
        return self._refused.get(machine_id) or self._brakes.why(self._regions.get(machine_id))

    def _braked(self, region: str | None, told: str) -> None:
        self._halt(region)
        self._remark(told)

    async def _landed(self, results: Sequence[ChangeResult]) -> None:
        await self._journal.end_all(results)
        for result in results:
            self._standing.ended(result)
            if is_failure(result):
                self._brakes.failed(self._regions[result.id])
            self._tell(result)
            self._under_way.leave(result.id)
            is_fine = may_be_attached(result)
            # A machine that gets a schedule has succeeded once it has it.
            if is_fine and (self._journal.plan.first_detach or not self._offer([result.id])):
                self._under_way.succeeded()
        self._note_quiet()

    @asynccontextmanager
    async def _attaching_under_way(self, entry: AttachmentEntry) -> AsyncIterator[None]:
        await self._under_way.enter(entry.id, self._regions.get(entry.id))
        try:
            yield
        finally:
            self._under_way.leave(entry.id)
            self._attaching -= 1
            self._note_quiet()

    async def _attachment_ended(self, entry: AttachmentEntry, result: AttachResult | None) -> None:
        if result is not None:
            if entry.id in self._attacher.failed_before:
                self._brakes.tried_again(self._regions.get(entry.id))
            await self._journal.end_attachment(result)
            self._standing.attachment_ended(result)
            if is_failure(result):
                self._brakes.failed(self._regions.get(entry.id))
            elif result.is_fine:
                self._under_way.succeeded()
            self._tell(None)

    def _result(self, entry: JournalEntry) -> ChangeResult:
        known = self._standing.results.get(entry.change.id)
        if known is not None:
            return known
        if entry.change.id in self._left_open:
            return result_of(replace(entry, step=Step.INTENDED, result=None))
        if entry.step in {Step.INTENDED, Step.STARTED}:
            return result_of(entry)
        halt = self._held_by(entry.change.id) or STOPPED
        return not_sent(entry, halt.code, f"{halt.told}.")

    def sent(self) -> Mapping[str, int]:
        """HTTP method → requests sent by this call so far."""
        return Counter(self._azure.ledger.by_method()) - Counter(self._sent_before)

    def _tell(self, latest: ChangeResult | None) -> None:
        if self._observer is None:
            return
        self._observer.progressed(
            self._standing.progress(
                latest,
                waiting=self._follower.waiting,
                attached=len(self._attacher.results),
                to_attach=len(self._attacher.entries),
                waves=[wave.name for wave in self._journal.plan.waves],
            )
        )

    def _remark(self, text: str) -> None:
        if self._observer is not None and text:
            self._observer.remarked(text)


def _machines_of(plan: Plan) -> Iterator[ResourceId]:
    for group in (plan.changes, plan.unchanged, plan.skipped):
        yield from (one.id for one in group)
