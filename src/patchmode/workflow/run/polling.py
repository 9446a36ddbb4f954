"""From "accepted" to "the provider shows it": watching changes whose PATCH was answered, many at a time.

A read of the machine tells both whether its operation has ended (`provisioningState`) and whether it is as planned, so
it is the end of the watch and the verification at once. Operations are polled only where that is not enough: for slow
machines, at the times that the service names, and for the words of a failure.

Must not: send anything but reads, or count as verified what a provider did not answer.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from patchmode.errors import RejectedError, RequestError, ThrottledError
from patchmode.model.left_alone import MachineError
from patchmode.model.machine import Machine
from patchmode.model.patch_settings import PatchSettings
from patchmode.model.plan import Change
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import ChangeResult, Result, Verification, unsigned_address
from patchmode.ports.azure import Azure, Clock, OperationState, OperationStatus
from patchmode.ports.run import JournalEntry
from patchmode.rules.settings.transitions import newly_autopatched
from patchmode.rules.settings.verification import differences, touches_settings
from patchmode.timing import all_of
from patchmode.workflow.inventory.bulk_reading import BulkReader, BulkReading
from patchmode.workflow.run.events import Followed, RunEvents
from patchmode.workflow.run.pending import (
    PATIENT_LOOKS,
    Part,
    PendingOperation,
    PendingOperations,
    PollInterval,
    waiting_text,
)
from patchmode.workflow.run.queue import InProgress
from patchmode.workflow.run.refusals import (
    VERIFY,
    advice_for,
    handed_over_error,
    is_gone,
    is_signed_out,
    machine_error,
    signed_out,
)
from patchmode.workflow.run.state import may_be_attached

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


class Attaches(Protocol):
    """The stage after the poller."""

    def verified(self, machine_id: ResourceId) -> None:
        """A machine's settings were seen to be as planned."""
        ...


class Poller:
    """Watches accepted changes until each has ended.

    Args:
        azure: a connection.
        events: is told of each end, many at a time.
        attacher: the next stage, for whatever was verified.
        in_progress: tells whether nothing is sent until a change ends.
        run: its id, for the commands that are told.
        clock: the time.
        known: every machine in scope, for the cost of lists.
        patience_s: after so long a change ends as unknown.
    """

    def __init__(
        self,
        azure: Azure,
        events: RunEvents,
        attacher: Attaches,
        in_progress: InProgress,
        *,
        run: str,
        clock: Clock,
        known: Iterable[ResourceId],
        patience_s: float,
    ) -> None:
        self._azure = azure
        self._events = events
        self._attacher = attacher
        self._run = run
        self._clock = clock
        self._patience_s = patience_s
        self._reader = BulkReader(azure.provider, known)
        self._pending = PendingOperations(self._reader, in_progress)
        self._looking: set[Part] = set()
        """Parts of what is pending that are being looked at."""
        self._interval = PollInterval()
        self._stirred = asyncio.Event()
        """A look has ended, or nothing more will be sent: there may be something to do before the next look is due."""
        self._is_drained = asyncio.Event()
        """Nothing is pending."""
        self._is_drained.set()
        self._told_at = clock.monotonic()
        """When the last change ended, or the watcher was last told who is waited for."""

    def follow(self, operation: PendingOperation) -> None:
        """Watch a change that was just accepted."""
        operation.is_probe = self._interval.next_is_probe()
        operation.due = operation.since + self._interval.first_look_s(is_probe=operation.is_probe)
        self._add(operation)
        self._events.tell(Followed(operation.change.id))

    def _add(self, operation: PendingOperation) -> None:
        self._pending.add(operation)
        self._is_drained.clear()

    def take_up(self, entry: JournalEntry) -> None:
        """Watch a change that an earlier process sent; it is looked at at once."""
        now = self._clock.monotonic()
        started = entry.started_at or self._clock.now()
        age_s = max(0.0, (self._clock.now() - started) / timedelta(seconds=1))
        operation = PendingOperation(
            entry.change,
            started,
            since=now - min(age_s, self._patience_s / 2),
            due=now,
            url=entry.operation_url,
            request_id=entry.request_id,
            correlation_id=entry.correlation_id,
            changed_since_plan=entry.changed_since_plan,
        )
        self._add(operation)

    async def settle(self, operation: PendingOperation, machine: Machine) -> None:
        """Watch a change that the provider already shows as made; it may end at once.

        Args:
            machine: as just read with a GET.
        """
        operation.is_over = operation.url is None
        result = await self._conclude(operation, BulkReading(machine))
        if result is None:
            self.follow(operation)
        else:
            await self._land([result])

    async def drained(self) -> None:
        """Return once every change followed so far has ended, and what was verified was handed on."""
        await self._is_drained.wait()

    def finish(self) -> None:
        """Nothing more will be sent: `run` returns once every change has ended."""
        self._pending.more_coming = False
        self._reader.haste = CLOSING_HASTE
        self._stirred.set()

    async def run(self) -> None:
        """Watch until `finish` was called and every change has ended.

        Raises:
            PatchmodeError: what is no matter of one machine: the journal cannot be written, nobody is signed in.
        """
        # Each subscription is looked at by itself: one whose list is long, or throttled, keeps no other waiting.
        async with asyncio.TaskGroup() as looks:
            while len(self._pending) or self._pending.more_coming:
                now = self._clock.monotonic()
                self._tell_waiting(now)
                for part, due, others in list(self._pending.overdue(now, looking=self._looking)):
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
        if not len(self._pending):
            self._told_at = now
        elif now - self._told_at >= REMARK_EVERY_S:
            self._told_at = now
            self._events.remark(waiting_text(self._pending.oldest_first(), now))

    async def _pause(self, now: float) -> None:
        next_due = self._pending.next_due(looking=self._looking)
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
        by_list = self._reader.cost([operation.wanted for operation in due]) < len(due)
        asked = [] if by_list else [operation for operation in due if operation.may_be_asked(now)]
        read = [operation for operation in due if operation not in asked]
        results = await all_of(self._poll(operation) for operation in asked)
        if read:
            results += await self._read(read, others)
        ended = [result for result in results if result is not None]
        if ended:
            await self._land(ended)

    async def _read(
        self, due: Sequence[PendingOperation], others: Sequence[PendingOperation]
    ) -> list[ChangeResult | None]:
        operations = {operation.change.id: operation for operation in (*due, *others)}

        def glance(machine_id: ResourceId, reading: BulkReading) -> ChangeResult | BulkReading | None:
            # Nearly all end here; only of those that take more than a glance the machine is kept.
            end = self._glance(operations[machine_id], reading)
            return reading if isinstance(end, _Doubt) else end

        wanted = [operation.wanted for operation in due]
        seen = await self._reader.read(wanted, glance, besides=[operation.change.id for operation in others])
        ends = await self._cleared(operations, seen)
        now = self._clock.monotonic()
        # Only prompt first looks tell how long operations take: late ones find all done, further ones only slow ones.
        prompt = 1.5 * self._interval.typical_s
        first = [ends[one.change.id] is not None for one in due if not one.looks and now - one.since <= prompt]
        self._interval.list_read(len(first), sum(first))
        for operation in due:
            if ends[operation.change.id] is None:
                self._put_off(operation)
            elif operation.is_probe and self._interval.probe_done(now - operation.since):
                self._pending.look_by(self._interval.typical_s)
        late = [operation for operation in due if ends[operation.change.id] is None and self._is_late(operation)]
        last = await all_of(self._give_up(operation) for operation in late)
        return [*ends.values(), *last]

    async def _cleared(
        self,
        operations: Mapping[ResourceId, PendingOperation],
        seen: Mapping[ResourceId, ChangeResult | BulkReading | None],
    ) -> dict[ResourceId, ChangeResult | None]:
        """The ends, once the readings that take more than a glance were looked into."""
        doubtful = {one: reading for one, reading in seen.items() if isinstance(reading, BulkReading)}
        cleared = await all_of(self._clear_up(operations[one], reading) for one, reading in doubtful.items())
        ends = {one: end for one, end in seen.items() if not isinstance(end, BulkReading)}
        return ends | dict(zip(doubtful, cleared, strict=True))

    def _put_off(self, operation: PendingOperation) -> None:
        operation.looks += 1
        now = self._clock.monotonic()
        operation.due = now + self._interval.next_look_s(now - operation.since, is_probe=operation.is_probe)
        if operation.looks >= PATIENT_LOOKS:
            operation.is_probe = False

    async def _land(self, results: Sequence[ChangeResult]) -> None:
        self._told_at = self._clock.monotonic()
        await self._events.commit_ends(results)
        for result in results:
            self._pending.forget(result.id)
            if may_be_attached(result):
                self._attacher.verified(result.id)
        if not len(self._pending):
            self._is_drained.set()

    def _is_late(self, operation: PendingOperation) -> bool:
        return self._clock.monotonic() - operation.since >= self._patience_s

    async def _give_up(self, operation: PendingOperation) -> ChangeResult:
        """The end of a change that was waited for long enough: the machine itself has the last word.

        What was asked in vain until now may have been a list, or an operation.
        """
        result = await self._conclude(operation, await self._reader.read_one(operation.wanted))
        if result is not None:
            return result
        age_s = self._clock.monotonic() - operation.since
        where = f" Its operation: {unsigned_address(operation.url)}" if operation.url else ""
        message = f"{operation.change.id.name} accepted the PATCH and had not ended it after {age_s:.0f} s."
        error = MachineError("StillRunning", message, True, f"{VERIFY}{where}")
        return operation.ended(Result.UNKNOWN, at=self._clock.now(), error=error)

    # -------------------------------------------------------------------------------------------- what a read tells

    async def _conclude(self, operation: PendingOperation, reading: BulkReading) -> ChangeResult | None:
        """The change's end as a read tells it; None: not yet."""
        end = self._glance(operation, reading)
        return await self._clear_up(operation, reading) if isinstance(end, _Doubt) else end

    def _glance(self, operation: PendingOperation, reading: BulkReading) -> "ChangeResult | _Doubt | None":
        """The change's end where the read alone tells it."""
        machine = reading.machine
        if machine is None:
            return self._unread(operation, reading.error)
        state = (machine.provisioning_state or _DONE).casefold()
        if state in _FAILED:
            return _DOUBT
        if state != _DONE:
            return None
        if differences(operation.change, machine.document or {}):
            return _DOUBT
        verification = Verification(operation.change.id, verified=True)
        return operation.ended(Result.APPLIED, at=self._clock.now(), verification=verification)

    async def _clear_up(self, operation: PendingOperation, reading: BulkReading) -> ChangeResult | None:
        """The change's end where a failure or a difference was seen."""
        if reading.by_list:
            # Lists may lag or leave members out: only a read of the machine itself can say that it is not as planned.
            return await self._conclude(operation, await self._reader.read_one(operation.wanted))
        machine = reading.machine
        if machine is None:
            return self._unread(operation, reading.error)
        if (machine.provisioning_state or "").casefold() in _FAILED:
            status = await self._ask(operation)
            is_running = status is not None and status.state is OperationState.IN_PROGRESS
            return None if is_running else self._failed(operation, machine, status)
        if not await self._operation_has_ended(operation):
            return None
        return self._differs(operation, machine)

    def _unread(self, operation: PendingOperation, error: RequestError | None) -> ChangeResult | None:
        if error is None or not is_gone(error):
            return None
        problem = machine_error(error, may_have_been_applied=True)
        return operation.ended(Result.FAILED, at=self._clock.now(), error=problem)

    async def _operation_has_ended(self, operation: PendingOperation) -> bool:
        if operation.is_over or operation.url is None:
            return True
        if self._clock.monotonic() < operation.ask_at:
            return False
        status = await self._ask(operation)
        operation.is_over = operation.url is None or (
            status is not None and status.state is not OperationState.IN_PROGRESS
        )
        return operation.is_over

    def _differs(self, operation: PendingOperation, machine: Machine) -> ChangeResult:
        found = differences(operation.change, machine.document or {})
        verification = Verification(operation.change.id, verified=False, differences=found)
        wrong = [one for one in found if touches_settings(one)]
        if not wrong:
            return operation.ended(Result.APPLIED, at=self._clock.now(), verification=verification)
        first = wrong[0]
        message = (
            f"{operation.change.id.name} accepted the PATCH, but shows {first.path} as {first.found} "
            f"instead of {first.expected}."
        )
        advice = "Look at the machine's activity log for another write, then make a new plan."
        error = MachineError("NotAsPlanned", message, may_have_been_applied=True, advice=advice)
        if _is_handed_over(operation.change, machine.settings):
            error = handed_over_error(operation.change, wrong, run=self._run)
        return operation.ended(Result.FAILED, at=self._clock.now(), error=error, verification=verification)

    def _failed(self, operation: PendingOperation, machine: Machine, status: OperationStatus | None) -> ChangeResult:
        """The machine's last operation failed: say why, and whether the settings stand all the same."""
        found = differences(operation.change, machine.document or {})
        wrong = [one for one in found if touches_settings(one)]
        stands = not wrong
        code = (status and status.error_code) or "ProvisioningFailed"
        words = (status and status.error_message) or "Azure gives no reason"
        state = "its model shows the settings" if stands else "its model does not show the settings"
        message = f"PATCH {operation.change.id} was accepted, then its operation failed with {code}: {words} ({state})."
        error = MachineError(
            code, message, may_have_been_applied=True, advice=advice_for(code, words, otherwise=VERIFY)
        )
        if _is_handed_over(operation.change, machine.settings):
            error = handed_over_error(operation.change, wrong, run=self._run, after=message)
        verification = Verification(operation.change.id, verified=not found, differences=found)
        return operation.ended(Result.FAILED, at=self._clock.now(), error=error, verification=verification)

    # -------------------------------------------------------------------------------------------- slow machines

    async def _poll(self, operation: PendingOperation) -> ChangeResult | None:
        """Ask a slow machine's operation. Its machine goes on being read meanwhile, by the page where others are."""
        status = await self._ask(operation)
        result = None
        if status is None:
            # A throttle that starves the polls of an operation must not hide that its machine is done.
            result = await self._conclude(operation, await self._reader.read_one(operation.wanted))
        elif status.state is not OperationState.IN_PROGRESS:
            operation.is_over = True
            result = await self._conclude_ended(operation, status)
        if result is None:
            self._put_off(operation)
        return await self._give_up(operation) if result is None and self._is_late(operation) else result

    async def _conclude_ended(self, operation: PendingOperation, status: OperationStatus) -> ChangeResult | None:
        reading = await self._reader.read_one(operation.wanted)
        was_replaced = (status.error_code or "").casefold() == _PREEMPTED
        if status.state is OperationState.SUCCEEDED or was_replaced or reading.machine is None:
            return await self._conclude(operation, reading)
        return self._failed(operation, reading.machine, status)

    async def _ask(self, operation: PendingOperation) -> OperationStatus | None:
        """Ask the operation once; None: it cannot be asked (now)."""
        if operation.url is None:
            return None
        try:
            status = await self._azure.writer.operation(operation.url)
        except RequestError as error:
            if is_signed_out(error):
                raise signed_out(error) from error
            is_final = isinstance(error, RejectedError) and not isinstance(error, ThrottledError)
            if is_final or error.code == "ForeignHost":
                how, operation.url = "can no longer be read", None
            else:
                how, operation.ask_at = "did not answer", self._clock.monotonic() + POLL_S
            self._events.remark(
                f"{operation.change.id.name}: its operation {how} ({error.code}); reading the machine instead."
            )
        else:
            operation.ask_at = self._clock.monotonic() + (status.retry_after_s or POLL_S)
            return status
        return None
