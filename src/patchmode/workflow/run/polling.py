"""From "accepted" to "the provider shows it": watching changes whose PATCH was answered, many at a time.

A read of the machine tells both whether its operation has ended (`provisioningState`) and whether it is as planned, so
it is the end of the watch and the verification at once. Operations are polled only where that is not enough: for slow
machines, at the times that the service names, and for the words of a failure.

Must not: send anything but reads, or count as verified what a provider did not answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import timedelta

from patchmode.errors import RejectedError, RequestError, ThrottledError
from patchmode.model.left_alone import MachineError
from patchmode.model.machine import Machine
from patchmode.model.patch_settings import PatchSettings
from patchmode.model.plan import Change
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import ChangeResult, Result, Verification
from patchmode.ports.azure import Azure, Clock, OperationState, OperationStatus
from patchmode.ports.run import JournalEntry
from patchmode.rules.settings.transitions import newly_autopatched
from patchmode.rules.settings.verification import differences, touches_settings
from patchmode.timing import all_of
from patchmode.workflow.inventory.bulk_reading import BulkReader, BulkReading
from patchmode.workflow.run.pending import (
    PATIENT_LOOKS,
    Part,
    PendingOperation,
    PendingOperations,
    PollInterval,
    waiting_text,
)
from patchmode.workflow.run.refusals import (
    VERIFY,
    advice_for,
    handed_over_error,
    is_gone,
    is_signed_out,
    machine_error,
    signed_out,
)

TICK_S = 0.25
POLL_S = 15.0
"""Between polls of a slow operation when the service names no time (only the first poll's answer does)."""
REMARK_EVERY_S = 60.0
"""When no change has ended for so long, the machines waited for are named."""
CLOSING_HASTE = 3.0
"""At the end somebody waits for the last machines, so a long list gives way to up to three times as many GETs."""
_FAILED = frozenset({"failed", "canceled"})
_DONE = "succeeded"
_PREEMPTED = "operationpreempted"
"""A newer operation replaced ours: what the machine shows after it decides."""


def _is_handed_over(change: Change, shown: PatchSettings | None) -> bool:
    """Whether Azure newly patches a machine when it chooses, though the change would not have had it so."""
    wanted = PatchSettings.from_document(change.after)
    return newly_autopatched(wanted, shown) and newly_autopatched(PatchSettings.from_document(change.before), shown)


class _Doubt:
    """A read that shows a failure or a difference, which takes more than a glance."""


_DOUBT = _Doubt()
Landed = Callable[[Sequence[ChangeResult]], Awaitable[None]]


class Poller:
    """Watches accepted changes until each has ended.

    Args:
        azure: a connection.
        landed: called with the results of changes that have ended, many at a time; awaited.
        run: its id, for the commands that are told.
        clock: the time.
        known: every machine in scope, for the cost of lists.
        patience_s: after so long a change ends as unknown.
        remark: one line for whoever watches.
        is_awaited: whether nothing is sent until a change ends.
    """

    def __init__(
        self,
        azure: Azure,
        landed: Landed,
        *,
        run: str,
        clock: Clock,
        known: Iterable[ResourceId],
        patience_s: float,
        remark: Callable[[str], None],
        is_awaited: Callable[[], bool],
    ) -> None:
        self._azure = azure
        self._landed = landed
        self._run = run
        self._clock = clock
        self._patience_s = patience_s
        self._remark = remark
        self._sweeper = BulkReader(azure.provider, known)
        self._board = PendingOperations(self._sweeper, is_awaited)
        self._looking: set[Part] = set()
        """Parts of the board that are being looked at."""
        self._pace = PollInterval()
        self._stirred = asyncio.Event()
        """A look has ended, or nothing more will be sent: there may be something to do before the next look is due."""
        self._told_at = clock.monotonic()
        """When the last change ended, or the watcher was last told who is waited for."""

    @property
    def waiting(self) -> int:
        """How many changes have been accepted and not ended."""
        return len(self._board)

    def follow(self, flight: PendingOperation) -> None:
        """Watch a change that was just accepted."""
        flight.is_scout = self._pace.enlist()
        flight.due = flight.since + self._pace.first_look_s(is_scout=flight.is_scout)
        self._board.add(flight)

    def take_up(self, entry: JournalEntry) -> None:
        """Watch a change that an earlier process sent; it is looked at at once."""
        now = self._clock.monotonic()
        started = entry.started_at or self._clock.now()
        age_s = max(0.0, (self._clock.now() - started) / timedelta(seconds=1))
        flight = PendingOperation(
            entry.change,
            started,
            since=now - min(age_s, self._patience_s / 2),
            due=now,
            operation_url=entry.operation_url,
            request_id=entry.request_id,
            correlation_id=entry.correlation_id,
            changed_since_plan=entry.changed_since_plan,
        )
        self._board.add(flight)

    async def settle(self, flight: PendingOperation, machine: Machine) -> None:
        """Watch a change that the provider already shows as made; it may end at once.

        Args:
            machine: as just read with a GET.
        """
        flight.operation_ended = flight.operation_url is None
        result = await self._conclude(flight, BulkReading(machine))
        if result is None:
            self.follow(flight)
        else:
            await self._landed([result])

    def finish(self) -> None:
        """Nothing more will be sent: `run` returns once every change has ended."""
        self._board.more_coming = False
        self._sweeper.haste = CLOSING_HASTE
        self._stirred.set()

    async def run(self) -> None:
        """Watch until `finish` was called and every change has ended.

        Raises:
            PatchmodeError: what is no matter of one machine: the journal cannot be written, nobody is signed in.
        """
        # Each subscription is looked at by itself: one whose list is long, or throttled, keeps no other waiting.
        async with asyncio.TaskGroup() as looks:
            while len(self._board) or self._board.more_coming:
                now = self._clock.monotonic()
                self._tell_waiting(now)
                for part, due, others in list(self._board.overdue(now, looking=self._looking)):
                    self._looking.add(part)
                    looks.create_task(self._look_at(part, due, others))
                await self._pause(now)

    async def _look_at(self, part: Part, due: Sequence[PendingOperation], others: Sequence[PendingOperation]) -> None:
        try:
            await self._look(due, others)
        finally:
            self._looking.discard(part)
            self._stirred.set()

    def _tell_waiting(self, now: float) -> None:
        """Name the machines waited for when nothing has ended for a while: otherwise a log would just fall silent."""
        if not len(self._board):
            self._told_at = now
        elif now - self._told_at >= REMARK_EVERY_S:
            self._told_at = now
            self._remark(waiting_text(self._board.oldest_first(), now))

    async def _pause(self, now: float) -> None:
        next_due = self._board.next_due(looking=self._looking)
        wait_s = 2 * TICK_S if next_due is None else max(TICK_S, min(next_due - now, 4 * TICK_S))
        self._stirred.clear()
        sleeping = asyncio.ensure_future(self._clock.sleep(wait_s))
        stirring = asyncio.ensure_future(self._stirred.wait())
        try:
            await asyncio.wait({sleeping, stirring}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            stirring.cancel()

    # -------------------------------------------------------------------------------------------- one look

    async def _look(self, due: Sequence[PendingOperation], others: Sequence[PendingOperation]) -> None:
        """Look at machines of one subscription that are due; a list shows others too, which costs nothing more."""
        now = self._clock.monotonic()
        # Where a list shows many at once, asking each of their operations would cost more and tell less.
        by_list = self._sweeper.cost([flight.wanted for flight in due]) < len(due)
        asked = [] if by_list else [flight for flight in due if flight.asks_operation(now)]
        read = [flight for flight in due if flight not in asked]
        results = await all_of(self._poll(flight) for flight in asked)
        if read:
            results += await self._sweep(read, others)
        ended = [result for result in results if result is not None]
        if ended:
            await self._land(ended)

    async def _sweep(
        self, due: Sequence[PendingOperation], others: Sequence[PendingOperation]
    ) -> list[ChangeResult | None]:
        flights = {flight.change.id: flight for flight in (*due, *others)}

        def glance(machine_id: ResourceId, reading: BulkReading) -> ChangeResult | BulkReading | None:
            # Nearly all end here; only of those that take more than a glance the machine is kept.
            end = self._glance(flights[machine_id], reading)
            return reading if isinstance(end, _Doubt) else end

        wanted = [flight.wanted for flight in due]
        seen = await self._sweeper.read(wanted, glance, besides=[flight.change.id for flight in others])
        ends = await self._cleared(flights, seen)
        now = self._clock.monotonic()
        # Only prompt first looks tell how long operations take: late ones find all done, further ones only slow ones.
        prompt = 1.5 * self._pace.typical_s
        first = [ends[one.change.id] is not None for one in due if not one.looks and now - one.since <= prompt]
        self._pace.sweep_done(len(first), sum(first))
        for flight in due:
            if ends[flight.change.id] is None:
                self._put_off(flight)
            elif flight.is_scout and self._pace.scout_done(now - flight.since):
                self._board.look_by(self._pace.typical_s)
        late = [flight for flight in due if ends[flight.change.id] is None and self._is_late(flight)]
        last = await all_of(self._give_up(flight) for flight in late)
        return [*ends.values(), *last]

    async def _cleared(
        self,
        flights: Mapping[ResourceId, PendingOperation],
        seen: Mapping[ResourceId, ChangeResult | BulkReading | None],
    ) -> dict[ResourceId, ChangeResult | None]:
        """The ends, once the readings that take more than a glance were looked into."""
        doubtful = {one: reading for one, reading in seen.items() if isinstance(reading, BulkReading)}
        cleared = await all_of(self._clear_up(flights[one], reading) for one, reading in doubtful.items())
        ends = {one: end for one, end in seen.items() if not isinstance(end, BulkReading)}
        return ends | dict(zip(doubtful, cleared, strict=True))

    def _put_off(self, flight: PendingOperation) -> None:
        flight.looks += 1
        now = self._clock.monotonic()
        flight.due = now + self._pace.next_look_s(now - flight.since, is_scout=flight.is_scout)
        if flight.looks >= PATIENT_LOOKS:
            flight.is_scout = False

    async def _land(self, results: Sequence[ChangeResult]) -> None:
        for result in results:
            self._board.forget(result.id)
        self._told_at = self._clock.monotonic()
        await self._landed(results)

    def _is_late(self, flight: PendingOperation) -> bool:
        return self._clock.monotonic() - flight.since >= self._patience_s

    async def _give_up(self, flight: PendingOperation) -> ChangeResult:
        """The end of a change that was waited for long enough: the machine itself has the last word.

        What was asked in vain until now may have been a list, or an operation.
        """
        result = await self._conclude(flight, await self._sweeper.read_one(flight.wanted))
        if result is not None:
            return result
        age_s = self._clock.monotonic() - flight.since
        where = f" Its operation: {flight.operation_url}" if flight.operation_url else ""
        message = f"{flight.change.id.name} accepted the PATCH and had not ended it after {age_s:.0f} s."
        error = MachineError("StillRunning", message, True, f"{VERIFY}{where}")
        return flight.ended(Result.UNKNOWN, at=self._clock.now(), error=error)

    # -------------------------------------------------------------------------------------------- what a read tells

    async def _conclude(self, flight: PendingOperation, reading: BulkReading) -> ChangeResult | None:
        """The change's end as a read tells it; None: not yet."""
        end = self._glance(flight, reading)
        return await self._clear_up(flight, reading) if isinstance(end, _Doubt) else end

    def _glance(self, flight: PendingOperation, reading: BulkReading) -> "ChangeResult | _Doubt | None":
        """The change's end where the read alone tells it."""
        machine = reading.machine
        if machine is None:
            return self._unread(flight, reading.error)
        state = (machine.provisioning_state or _DONE).casefold()
        if state in _FAILED:
            return _DOUBT
        if state != _DONE:
            return None
        if differences(flight.change, machine.document or {}):
            return _DOUBT
        verification = Verification(flight.change.id, verified=True)
        return flight.ended(Result.APPLIED, at=self._clock.now(), verification=verification)

    async def _clear_up(self, flight: PendingOperation, reading: BulkReading) -> ChangeResult | None:
        """The change's end where a failure or a difference was seen."""
        if reading.by_list:
            # Lists may lag or leave members out: only a read of the machine itself can say that it is not as planned.
            return await self._conclude(flight, await self._sweeper.read_one(flight.wanted))
        machine = reading.machine
        if machine is None:
            return self._unread(flight, reading.error)
        if (machine.provisioning_state or "").casefold() in _FAILED:
            status = await self._ask(flight)
            is_running = status is not None and status.state is OperationState.IN_PROGRESS
            return None if is_running else self._failed(flight, machine, status)
        if not await self._operation_has_ended(flight):
            return None
        return self._differs(flight, machine)

    def _unread(self, flight: PendingOperation, error: RequestError | None) -> ChangeResult | None:
        if error is None or not is_gone(error):
            return None
        problem = machine_error(error, may_have_been_applied=True)
        return flight.ended(Result.FAILED, at=self._clock.now(), error=problem)

    async def _operation_has_ended(self, flight: PendingOperation) -> bool:
        if flight.operation_ended or flight.operation_url is None:
            return True
        if self._clock.monotonic() < flight.ask_at:
            return False
        status = await self._ask(flight)
        flight.operation_ended = flight.operation_url is None or (
            status is not None and status.state is not OperationState.IN_PROGRESS
        )
        return flight.operation_ended

    def _differs(self, flight: PendingOperation, machine: Machine) -> ChangeResult:
        found = differences(flight.change, machine.document or {})
        verification = Verification(flight.change.id, verified=False, differences=found)
        wrong = [one for one in found if touches_settings(one)]
        if not wrong:
            return flight.ended(Result.APPLIED, at=self._clock.now(), verification=verification)
        first = wrong[0]
        message = (
            f"{flight.change.id.name} accepted the PATCH, but shows {first.path} as {first.found} "
            f"instead of {first.expected}."
        )
        advice = "Look at the machine's activity log for another write, then make a new plan."
        error = MachineError("NotAsPlanned", message, may_have_been_applied=True, advice=advice)
        if _is_handed_over(flight.change, machine.settings):
            error = handed_over_error(flight.change, wrong, run=self._run)
        return flight.ended(Result.FAILED, at=self._clock.now(), error=error, verification=verification)

    def _failed(self, flight: PendingOperation, machine: Machine, status: OperationStatus | None) -> ChangeResult:
        """The machine's last operation failed: say why, and whether the settings stand all the same."""
        found = differences(flight.change, machine.document or {})
        wrong = [one for one in found if touches_settings(one)]
        stands = not wrong
        code = (status and status.error_code) or "ProvisioningFailed"
        words = (status and status.error_message) or "Azure gives no reason"
        state = "the settings stand in its model" if stands else "the settings do not stand in its model"
        message = f"PATCH {flight.change.id} was accepted, then its operation failed with {code}: {words} ({state})."
        error = MachineError(
            code, message, may_have_been_applied=True, advice=advice_for(code, words, otherwise=VERIFY)
        )
        if _is_handed_over(flight.change, machine.settings):
            error = handed_over_error(flight.change, wrong, run=self._run, after=message)
        verification = Verification(flight.change.id, verified=not found, differences=found)
        return flight.ended(Result.FAILED, at=self._clock.now(), error=error, verification=verification)

    # -------------------------------------------------------------------------------------------- slow machines

    async def _poll(self, flight: PendingOperation) -> ChangeResult | None:
        """Ask a slow machine's operation. Its machine goes on being read meanwhile, by the page where others are."""
        status = await self._ask(flight)
        result = None
        if status is None:
            # A throttle that starves the polls of an operation must not hide that its machine is done.
            result = await self._conclude(flight, await self._sweeper.read_one(flight.wanted))
        elif status.state is not OperationState.IN_PROGRESS:
            flight.operation_ended = True
            result = await self._conclude_ended(flight, status)
        if result is None:
            self._put_off(flight)
        return await self._give_up(flight) if result is None and self._is_late(flight) else result

    async def _conclude_ended(self, flight: PendingOperation, status: OperationStatus) -> ChangeResult | None:
        reading = await self._sweeper.read_one(flight.wanted)
        was_replaced = (status.error_code or "").casefold() == _PREEMPTED
        if status.state is OperationState.SUCCEEDED or was_replaced or reading.machine is None:
            return await self._conclude(flight, reading)
        return self._failed(flight, reading.machine, status)

    async def _ask(self, flight: PendingOperation) -> OperationStatus | None:
        """Ask the operation once; None: it cannot be asked (now)."""
        if flight.operation_url is None:
            return None
        try:
            status = await self._azure.writer.operation(flight.operation_url)
        except RequestError as error:
            if is_signed_out(error):
                raise signed_out(error) from error
            is_final = isinstance(error, RejectedError) and not isinstance(error, ThrottledError)
            if is_final or error.code == "ForeignHost":
                how, flight.operation_url = "cannot be asked", None
            else:
                how, flight.ask_at = "did not answer", self._clock.monotonic() + POLL_S
            self._remark(f"{flight.change.id.name}: its operation {how} ({error.code}); going on with reads.")
        else:
            flight.ask_at = self._clock.monotonic() + (status.retry_after_s or POLL_S)
            return status
        return None
