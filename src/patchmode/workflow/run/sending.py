"""One change from the plan to "accepted": precondition, intent, PATCH, and what its answer, or the lack of one, means.

Must not: compute what is sent. The body goes out as it stands in the plan, to a machine that in all the plan touches
and depends on is as the plan saw it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from patchmode.errors import MaybeAppliedError, NotSentError, PreconditionError, RequestError, ThrottledError
from patchmode.model.left_alone import MachineError
from patchmode.model.patch_settings import Orchestration
from patchmode.model.plan import Change, Plan
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import ChangeResult, Difference, Result
from patchmode.ports.azure import Azure, Clock, PatchAnswer, Turn
from patchmode.ports.run import JournalEntry, Observed, Step
from patchmode.rules.settings.patch import settings_in, turns_bypass_off
from patchmode.rules.settings.planning import sendable_etag
from patchmode.rules.settings.precondition import SincePlan, rebased, since_plan, summed
from patchmode.rules.settings.verification import differences, touches_settings
from patchmode.workflow.run.events import Accepted, Intended, LeftOpen, RunEvents
from patchmode.workflow.run.pending import PendingOperation
from patchmode.workflow.run.polling import Poller
from patchmode.workflow.run.refusals import (
    already_set_error,
    is_concurrent,
    is_signed_out,
    machine_error,
    restless_error,
    signed_out,
    stale_error,
)

TRIES = 4
"""PATCHes of one machine in one run at most: Azure allows 12 in a burst and 4 a minute."""
LOST_ANSWERS = 1
"""So many answers may be lost before a change is left as unknown."""
CALLED_OFF = "Stopped"
"""The code of a PATCH that `may_send` held back at the last moment."""
_PAUSE_S = 1.0


@dataclass(slots=True)
class _Attempt:
    """How one change fares."""

    change: Change
    """On the document that was read last, where one was read."""
    turn: Turn
    is_uncertain: bool
    """A PATCH was sent, now or by an earlier process, whose fate is not known."""
    document_in_journal: Mapping[str, Any]
    """What the journal will take for the machine before our write: the plan's, or that of the latest intent."""
    changed_since_plan: tuple[Difference, ...] = ()
    """In nothing that the plan depends on."""
    tries: int = 0
    lost: int = 0
    last_error: RequestError | None = None


class Sender:
    """Sends changes, one call each; calls may run at once.

    Args:
        plan: what was asked for by name.
        events: nothing is sent before its intent is committed there.
        azure: a connection that may write.
        poller: the next stage; follows what was accepted.
        clock: the time.
        may_send: asked at the last moment before a change's PATCH leaves, which may be long after its turn came.
        is_strict: a machine that changed since the plan in anything is refused, not only in what the plan depends on.
    """

    def __init__(
        self,
        plan: Plan,
        events: RunEvents,
        azure: Azure,
        poller: Poller,
        *,
        clock: Clock,
        may_send: Callable[[ResourceId], bool],
        is_strict: bool = False,
    ) -> None:
        self._may_turn_bypass_off = plan.wanted.orchestration is Orchestration.AZURE_MANAGED
        self._events = events
        self._provider = azure.provider
        self._writer = azure.writer
        self._poller = poller
        self._clock = clock
        self._may_send = may_send
        self._is_strict = is_strict

    async def turn(self, entry: JournalEntry) -> Turn | None:
        """Wait until the throttle grants a change its first PATCH.

        Returns:
            None: Azure's limits hold it back for longer than the throttle patience, so it has no turn in this session.
            A change of which nothing was sent has then ended as not sent; another keeps the step that it has come to.
        """
        change = entry.change
        try:
            return await self._writer.turn(change.id, change.kind, change.location)
        except ThrottledError as error:
            if entry.step is not Step.INTENDED:
                problem = machine_error(error, may_have_been_applied=False)
                end = ChangeResult(change.id, Result.NOT_SENT, problem, ended_at=self._clock.now())
                await self._events.commit_ends([end])
            return None

    async def send(self, entry: JournalEntry, turn: Turn) -> None:
        """Bring one change to "accepted", or to its end where it ends before.

        One that is called off after a PATCH of which nobody knows what became, and whose machine does not show it, is
        left open: it stays intended, for a resume to look again.

        Args:
            entry: as the journal has it.
            turn: of `turn`; its first PATCH leaves with it. Where none is sent the turn is left for the caller to give
                back.

        Steps:
            1. where the service gave no etag, an earlier attempt's fate is unknown, or the body turns bypass off and
               nobody asked for that by name: read the machine and decide. What the plan depends on must be as the plan
               saw it; whatever else changed is told, and the PATCH leaves under the etag just read;
            2. commit the intent, with the document that was read where it is not the one that the journal has;
            3. send the PATCH, under If-Match where there is an etag;
            4. accepted: commit that and hand it to the poller. Refused or lost: read, decide, and perhaps again.

        Raises:
            PatchmodeError: what is no matter of one machine: the journal cannot be written, nobody is signed in.
        """
        is_uncertain = entry.step is Step.INTENDED
        attempt = _Attempt(entry.change, turn, is_uncertain, entry.change.document, entry.changed_since_plan)
        must_read = is_uncertain or entry.change.etag is None or self._must_be_seen(entry.change)
        while not must_read or await self._is_as_planned(attempt):
            answer = await self._patch(attempt)
            if isinstance(answer, PatchAnswer):
                await self._accepted(attempt, answer)
                return
            if not await self._may_try_again(attempt, answer):
                return
            must_read = True

    def _must_be_seen(self, change: Change) -> bool:
        """Whether the service's own document must be looked at first, because bypass is sent as false unasked.

        SAFETY: that Azure does not newly patch the machine at will is judged by a document, and a made-up plan may
        state any.
        """
        return not self._may_turn_bypass_off and turns_bypass_off(settings_in(change.body, change.os) or {})

    async def _patch(self, attempt: _Attempt) -> PatchAnswer | RequestError:
        change = attempt.change
        attempt.tries += 1
        is_known = change.document is attempt.document_in_journal
        observed = None if is_known else Observed(change.document, attempt.changed_since_plan)
        await self._events.commit(Intended(change, self._clock.now(), observed))
        attempt.document_in_journal = change.document
        try:
            return await self._writer.patch(
                change.id,
                change.kind,
                change.location,
                change.body,
                etag=change.etag,
                may_send=lambda: self._may_send(change.id),
                turn=attempt.turn,
            )
        except RequestError as error:
            return error

    async def _accepted(self, attempt: _Attempt, answer: PatchAnswer) -> None:
        now = self._clock.now()
        await self._events.commit(Accepted(attempt.change.id, answer, now))
        since = self._clock.monotonic()
        told = answer.operation_url, answer.request_id, answer.correlation_id
        changed = attempt.changed_since_plan
        self._poller.follow(PendingOperation(attempt.change, now, since, since, *told, changed_since_plan=changed))

    # -------------------------------------------------------------------------------------------- after a refusal

    async def _may_try_again(self, attempt: _Attempt, error: RequestError) -> bool:
        """Whether to read the machine and decide again; otherwise the change has been ended here."""
        attempt.last_error = error
        match error:
            case PreconditionError():
                return True
            case MaybeAppliedError():
                attempt.is_uncertain = True
                attempt.lost += 1
                await self._clock.sleep(_PAUSE_S)
                return True
            case NotSentError() if attempt.is_uncertain and error.code == CALLED_OFF:
                self._events.tell(LeftOpen(attempt.change.id))
                return False
            case NotSentError() | ThrottledError():
                result = Result.UNKNOWN if attempt.is_uncertain else Result.NOT_SENT
            case _ if is_concurrent(error) and attempt.tries < TRIES:
                await self._clock.sleep(_PAUSE_S * 2**attempt.tries)
                return True
            case _ if is_signed_out(error):
                await self._end_signed_out(attempt, error)
            case _:
                result = Result.FAILED
        await self._end(attempt, result, machine_error(error, may_have_been_applied=attempt.is_uncertain))
        return False

    async def _end_signed_out(self, attempt: _Attempt, error: RequestError) -> NoReturn:
        """End the run; the change goes on at resume, from "intended" where an earlier attempt's fate is not known."""
        if not attempt.is_uncertain:
            await self._end(attempt, Result.NOT_SENT, machine_error(error, may_have_been_applied=False))
        raise signed_out(error) from error

    async def _is_as_planned(self, attempt: _Attempt) -> bool:
        """Read the machine and decide: whether the PATCH may be sent; where not, the change was settled here."""
        change = attempt.change
        try:
            machine = await self._provider.get(change.id, change.kind)
        except RequestError as error:
            if is_signed_out(error):
                await self._end_signed_out(attempt, error)
            await self._end_unread(attempt, error)
            return False
        document = machine.document or {}
        stands = not any(map(touches_settings, differences(change, document)))
        if stands and attempt.is_uncertain:
            # Made by an attempt of ours whose answer was lost, or as good as: nobody can tell any more.
            await self._poller.settle(self._lost(attempt), machine)
            return False
        found = since_plan(change, document)
        if found.depended_on or (self._is_strict and found.others):
            await self._end_changed(attempt, found, stands=stands)
            return False
        if attempt.lost > LOST_ANSWERS or attempt.tries >= TRIES:
            await self._end_exhausted(attempt)
            return False
        attempt.change = rebased(change, machine) if found.others else replace(change, etag=sendable_etag(machine.etag))
        attempt.changed_since_plan = summed(attempt.changed_since_plan, found.others)
        return True

    async def _end_changed(self, attempt: _Attempt, found: SincePlan, *, stands: bool) -> None:
        if stands and found.depended_on:
            # Another writer's change is not this run's: it is not reported as applied, so no rollback undoes it.
            await self._end(attempt, Result.STALE, already_set_error(attempt.change, found.all))
            return
        result = Result.UNKNOWN if attempt.is_uncertain and attempt.lost else Result.STALE
        error = stale_error(attempt.change, found, may_have_been_applied=attempt.is_uncertain)
        await self._end(attempt, result, error)

    async def _end_unread(self, attempt: _Attempt, error: RequestError) -> None:
        problem = machine_error(error, may_have_been_applied=attempt.is_uncertain)
        if attempt.is_uncertain:
            result = Result.UNKNOWN
        elif isinstance(attempt.last_error, PreconditionError):
            result = Result.STALE
        else:
            result = Result.NOT_SENT
        await self._end(attempt, result, problem)

    async def _end_exhausted(self, attempt: _Attempt) -> None:
        error = attempt.last_error
        if error is None or isinstance(error, PreconditionError):
            result = Result.UNKNOWN if attempt.is_uncertain and attempt.lost else Result.STALE
            problem = restless_error(attempt.change, attempt.tries, may_have_been_applied=attempt.is_uncertain)
            await self._end(attempt, result, problem)
            return
        result = Result.UNKNOWN if attempt.is_uncertain else Result.FAILED
        await self._end(attempt, result, machine_error(error, may_have_been_applied=attempt.is_uncertain))

    async def _end(self, attempt: _Attempt, result: Result, error: MachineError) -> None:
        cause = attempt.last_error
        end = ChangeResult(
            attempt.change.id,
            result,
            error,
            request_id=cause.request_id if cause else None,
            correlation_id=cause.correlation_id if cause else None,
            ended_at=self._clock.now(),
            changed_since_plan=attempt.changed_since_plan if attempt.tries else (),
        )
        await self._events.commit_ends([end])

    def _lost(self, attempt: _Attempt) -> PendingOperation:
        """An operation of which the answer was lost: there is no address to ask."""
        cause = attempt.last_error
        since = self._clock.monotonic()
        return PendingOperation(
            attempt.change,
            self._clock.now(),
            since,
            since,
            request_id=cause.request_id if cause else None,
            correlation_id=cause.correlation_id if cause else None,
            changed_since_plan=attempt.changed_since_plan,
        )
