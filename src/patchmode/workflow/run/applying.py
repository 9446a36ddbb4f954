"""Carrying a plan out: every change sent as it stands, followed to its end and verified, each step journalled.

What apply does is described entirely by the plan's changes and the journal; how the plan was made has no influence.
The line that a change travels is put together here: docs/explanation/architecture.md, "A run".

Must not: compute a setting, or send anything that is not in the plan.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from patchmode.errors import PatchmodeError, UnsafeError, WrongTargetError
from patchmode.model.access import AccessCheck
from patchmode.model.guardrails import RunGuardrails
from patchmode.model.patch_settings import Orchestration
from patchmode.model.plan import Plan
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import RunReport, with_run
from patchmode.ports.azure import Azure, Clock
from patchmode.ports.run import JournalEntry, Observer, RunJournal, Step
from patchmode.rules.settings.plan_derivation import check_derived
from patchmode.rules.settings.transitions import hands_over
from patchmode.timing import all_of, unless
from patchmode.workflow.run.attach import Attacher
from patchmode.workflow.run.events import Began, RunEvents
from patchmode.workflow.run.gate import Gate
from patchmode.workflow.run.guardrails import FailureCount, check_not_frozen
from patchmode.workflow.run.not_begun import check_run_access, left_alone, without_rolled_back
from patchmode.workflow.run.options import ApplyOptions, brakes_of, options_of
from patchmode.workflow.run.polling import Poller
from patchmode.workflow.run.queue import InProgress, SubscriptionQueues, queue_key_of
from patchmode.workflow.run.report import add_requests, make_report, told_to
from patchmode.workflow.run.sending import Sender
from patchmode.workflow.run.state import RunState, may_be_attached, not_sent, still_attached, was_sent
from patchmode.workflow.run.waves import WaveWork, waves_of

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
        line = _Line(journal, entries, azure, options, access, clock=clock, observer=observer, stop=stop)
        await line.run()
        report = line.report()
        state = report.state
        journal.keep_halts(report.halts)
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
    check_asked_for(plan)


def check_asked_for(plan: Plan) -> None:
    """Refuse a plan with a change that would newly let Azure patch and reboot a machine at will, unless asked by name.

    Raises:
        UnsafeError: the message names the machine.
    """
    if plan.wanted.orchestration is Orchestration.AZURE_MANAGED:
        return
    for change in plan.changes:
        if hands_over(change):
            msg = (
                f"The plan would let Azure patch and reboot {change.id} at a time it chooses, "
                "and that orchestration was not requested by name."
            )
            raise UnsafeError(msg, advice="Make the plan again; `--to azure-managed` asks for it.")


class _Line:
    """One call of `apply_plan`: gate → queues → sender → poller → attacher. Each is given the next one.

    What goes back, ends and failures and halts, is read from the run's events by whoever needs it.
    """

    def __init__(
        self,
        journal: RunJournal,
        entries: Sequence[JournalEntry],
        azure: Azure,
        options: ApplyOptions,
        access: AccessCheck,
        *,
        clock: Clock,
        observer: Observer | None,
        stop: asyncio.Event,
    ) -> None:
        plan = journal.plan
        self._journal = journal
        self._azure = azure
        self._sent_before = azure.ledger.by_method()
        self._stop = stop
        self._refused = left_alone(plan, entries, access)
        """Machines that are not begun."""
        self._events = events = RunEvents(journal)
        self._state = state = RunState(plan, entries, journal.attachments(), last_wave=options.waves.last)
        failures = _failures(state, options)
        self._gate = gate = Gate(state, options, failures, self._refused, events, stop=stop, clock=clock)
        slowly = options.begins_slowly(plan)
        self._in_progress = InProgress(asked=options.concurrency, begins_slowly=slowly, failures=failures)
        self._attacher = Attacher(state, events, azure, self._in_progress, clock=clock, may_send=gate.may_send)
        self._poller = Poller(
            azure,
            events,
            self._attacher,
            self._in_progress,
            run=journal.run,
            clock=clock,
            known=_machines_of(plan),
            patience_s=options.operation_timeout_s,
        )
        sender = Sender(
            plan, events, azure, self._poller, clock=clock, may_send=gate.may_send, is_strict=options.strict
        )
        self._queues = SubscriptionQueues(sender, self._in_progress, gate.may_send, at_once=options.at_once(plan))
        watcher = [] if observer is None else [told_to(observer, state)]
        events.read_by(state.read, gate.read, *watcher, self._queues.read, self._in_progress.read)

    async def run(self) -> None:
        """Send and follow until every change that may be sent has ended."""
        self._journal.begin_session(self.sent)
        self._gate.check_budgets(set(self._state.regions.values()))
        for entry in self._state.entries:
            if entry.step is Step.STARTED:
                self._take(entry)
                self._poller.take_up(entry)
        self._events.tell(Began())
        await self._end_refused()
        stopping = asyncio.ensure_future(self._gate.halt_when_stopped())
        try:
            if self._journal.plan.first_detach:
                await all_of([self._detach_then_send(), self._poller.run()])
            else:
                await all_of([self._send_then_attach(), self._attacher.run()])
        finally:
            stopping.cancel()

    def _take(self, entry: JournalEntry) -> None:
        self._in_progress.take(entry.change.id, queue_key_of(entry).region)

    async def _end_refused(self) -> None:
        """Write down what the signed-in principal may not write; a resume asks again.

        What an earlier process may have sent is no part of it: that is still to be looked at.
        """
        todo = [one for one in self._state.entries if one.change.id not in self._state.ends]
        unsent = [one for one in todo if one.step not in {Step.INTENDED, Step.STARTED}]
        halts = ((one, self._refused.get(one.change.id)) for one in unsent)
        await self._events.commit_ends([not_sent(one, halt.code, f"{halt.told}.") for one, halt in halts if halt])
        await self._attacher.refuse(self._refused)

    async def _detach_then_send(self) -> None:
        """No setting is touched before every schedule that this plan takes off is off, or known not to be.

        What an earlier session had begun is followed meanwhile: a machine may have to wait for its end.
        """
        self._attacher.offer(self._state.attachments)
        self._attacher.close()
        await self._attacher.run()
        unsent = (one.change.id for one in self._state.entries if one.step is not Step.STARTED)
        attached = [self._state.attachments[one] for one in unsent if self._is_still_attached(one)]
        await self._events.commit_ends([still_attached(one, self._state.attached.get(one.id)) for one in attached])
        await self._send_all()

    def _is_still_attached(self, machine_id: ResourceId) -> bool:
        """Whether a machine's schedule should have come off and did not, though its settings might be sent."""
        if machine_id in self._state.ends or machine_id not in self._state.attachments:
            return False
        end = self._state.attached.get(machine_id)
        return (end is None or not end.is_fine) and self._gate.may_send(machine_id)

    async def _send_then_attach(self) -> None:
        await all_of([self._send_all(), self._poller.run()])
        self._attacher.close()

    async def _send_all(self) -> None:
        for wave in waves_of(self._journal.plan, self._state.entries, self._state.attachments):
            if await self._gate.opens(wave):
                await self._carry(wave)
            self._gate.passed(wave)
        self._poller.finish()

    async def _carry(self, wave: WaveWork) -> None:
        ends = self._state.ends
        if not self._journal.plan.first_detach:
            ended = (ends[one.change.id] for one in wave.entries if one.change.id in ends)
            self._attacher.offer([*(end.id for end in ended if may_be_attached(end)), *wave.unchanged])
        todo = [entry for entry in wave.entries if entry.change.id not in ends]
        self._events.remark(self._in_progress.pace_text(len(todo) + len(wave.unchanged)))
        for entry in todo:
            if entry.step is Step.INTENDED:
                self._take(entry)
        await self._queues.run(entry for entry in todo if entry.step is not Step.STARTED)
        if not wave.is_last:
            await self._poller.drained()
            await self._attacher.drained()

    # -------------------------------------------------------------------------------------------- told

    def sent(self) -> Mapping[str, int]:
        """HTTP method → requests sent by this call so far."""
        return Counter(self._azure.ledger.by_method()) - Counter(self._sent_before)

    def report(self) -> RunReport:
        """The run's report as it stands now."""
        results = self._state.results(self._gate.held)
        attachments = self._state.attachment_results(results, self._gate.held)
        is_done = self._state.is_done(attachments)
        report = make_report(
            self._journal.run,
            self._journal.plan,
            # Also without a halt: what Azure's limits or the network held back is for `runs resume`, which has to find
            # it.
            state=FINISHED if is_done else INTERRUPTED if self._stop.is_set() else STOPPED_BY_BRAKE,
            requests=add_requests(self._journal.requests(), self.sent()),
            results=results,
            attachments=attachments,
        )
        halts = () if is_done else tuple(self._gate.halts)
        at_least = not self._journal.tells_all_requests
        return replace(report, halts=halts, brakes=self._journal.brakes, requests_at_least=at_least)


def _failures(state: RunState, options: ApplyOptions) -> FailureCount:
    """The failures of a run's earlier sessions, counted."""
    regions = state.regions
    earlier = [regions.get(one) for one in state.failed_before]
    return FailureCount(options.budgets, machines=len(state.machines), regions=regions.values(), earlier=earlier)


def _machines_of(plan: Plan) -> Iterator[ResourceId]:
    for group in (plan.changes, plan.unchanged, plan.skipped):
        yield from (one.id for one in group)
