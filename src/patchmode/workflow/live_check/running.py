"""The experiments, one after the other, each undone before the next begins.

For each: the intent is in the journal, with the machine as it was; the request leaves; the operation is followed; the
machine is read back; the answer is in the journal; the machine is restored, and read once more.
Must not: leave a machine at AutomaticByPlatform without bypass that was not so before; send anything to another one.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Protocol

from patchmode.errors import MaybeAppliedError, NotSentError, RejectedError, RequestError, UnsafeError
from patchmode.model.live_check import Answered, Asked, ExperimentResult, LiveCheckReport, Observed
from patchmode.model.machine import Machine, MachineKind
from patchmode.model.patch_settings import OperatingSystem
from patchmode.model.run import Difference
from patchmode.ports.azure import Clock, OperationState, OperationStatus
from patchmode.ports.live_check import LiveCheckJournal, ProbingAzure
from patchmode.rules.live_check import catalogue, restoration
from patchmode.rules.live_check.experiment import MAINTENANCE_API, Experiment, Step, Subject
from patchmode.workflow.live_check.preparing import Surrounded, subject_of, surrounded

OPERATION_PATIENCE_S = 900.0
"""How long an operation may take. The longest recorded update took 614 seconds."""
RECORDS_PATIENCE_S = 180.0
"""How long Resource Graph and the activity log are asked for what was just done."""
THROTTLE_PATIENCE_S = 900.0
_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 15.0
_RECORDS_PAUSE_S = 5.0
_TRIES = 3
_RESTORE = "restore"
_AT_REST = "Succeeded"
_BUSY = frozenset({"updating", "creating", "deleting"})


class Observer(Protocol):
    """Whoever watches."""

    def begins(self, experiment: Experiment, number: int, total: int) -> None:
        """An experiment is about to send its first request."""
        ...

    def ended(self, result: ExperimentResult) -> None:
        """An experiment ended, and the machine was restored as far as Azure allowed it."""
        ...

    def remarked(self, text: str) -> None:
        """Something that takes time, or that somebody should know."""
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited, in seconds."""

    operation_s: float = OPERATION_PATIENCE_S
    records_s: float = RECORDS_PATIENCE_S
    throttled_s: float = THROTTLE_PATIENCE_S


class LiveCheck:
    """One live check, from its journal on.

    Args:
        azure: a connection that may write.
        journal: of this check, new or taken up after a crash.
        surrounded: the machine's surroundings; None: it is only undone.
        clock: for waits.
        observer: told of each step.
        stop: set from outside: nothing further is asked, and the machine is restored.
        patience: how long is waited.
    """

    def __init__(
        self,
        azure: ProbingAzure,
        journal: LiveCheckJournal,
        surrounded: Surrounded | None,
        *,
        clock: Clock,
        observer: Observer,
        stop: asyncio.Event,
        patience: Patience = Patience(),
    ) -> None:
        self._azure, self._journal, self._surrounded = azure, journal, surrounded
        self._clock, self._observer, self._stop, self._patience = clock, observer, stop, patience
        self._begun = journal.recorded.begun
        self._os = OperatingSystem.LINUX
        self._given_up: set[str] = set()
        """Ways of restoring that did not help, with what they should have changed."""
        self._results: list[ExperimentResult] = []

    async def run(self) -> LiveCheckReport:
        """Ask every experiment that applies and was not asked yet, restore the machine, and report.

        Raises:
            RequestError: the machine cannot be read, or Azure cannot be reached; the journal tells what to undo.
        """
        machine = await self._read()
        self._os = self._os_of(machine)
        machine = await self._restored(machine)
        done = {one.name: one for one in self._journal.recorded.results}
        total = len(catalogue.EXPERIMENTS)
        for number, experiment in enumerate(catalogue.EXPERIMENTS, 1):
            if self._stop.is_set():
                break
            if (before := done.get(experiment.name)) is not None:
                self._results.append(before)
                continue
            machine = await self._one(experiment, machine, number, total)
        return await self._closed("interrupted" if self._stop.is_set() else "finished")

    async def restore(self) -> None:
        """Restore the machine and delete what was created, as far as Azure allows it; the check goes on afterwards.

        Raises:
            RequestError: the machine cannot be read, or Azure cannot be reached.
        """
        machine = await self._read()
        self._os = self._os_of(machine)
        await self._restored(machine)

    async def undo(self) -> LiveCheckReport:
        """Restore the machine and delete what was created, and nothing else.

        Raises:
            RequestError: the machine cannot be read, or Azure cannot be reached.
        """
        self._results = list(self._journal.recorded.results)
        try:
            self._os = self._os_of(await self._read())
        except RejectedError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return await self._closed_without_machine()
        return await self._closed("undone")

    async def _closed_without_machine(self) -> LiveCheckReport:
        """Somebody deleted the machine: what was created elsewhere is deleted, and nothing is left to restore."""
        self._observer.remarked(f"{self._begun.machine} does not exist any more: only what was created is deleted.")
        await self._delete_created(self._begun.document, "")
        left = tuple(self._journal.recorded.created)
        self._journal.closed("undone", is_restored=not left)
        return self._report("undone", (), left)

    async def _closed(self, state: str) -> LiveCheckReport:
        self._given_up.clear()
        machine = await self._restored(await self._read())
        remaining = self._remaining(machine)
        left = tuple(self._journal.recorded.created)
        if state != "interrupted":
            self._journal.closed(state, is_restored=not remaining and not left)
        return self._report(state, remaining, left)

    def _report(self, state: str, remaining: tuple[Difference, ...], left: tuple[str, ...]) -> LiveCheckReport:
        return LiveCheckReport(
            check=self._begun.check,
            target=self._azure.target,
            machine=self._begun.machine,
            state=state,
            results=tuple(self._results),
            switches=catalogue.switch_results(self._results),
            remaining=remaining,
            left=left,
            requests=self._azure.ledger.by_method(),
        )

    # ---------------------------------------------------------------------------------------- one experiment

    async def _one(self, experiment: Experiment, machine: Machine, number: int, total: int) -> Machine:
        subject = self._subject(machine)
        reason = catalogue.why_not(experiment, subject, allow_lasting=self._begun.allow_lasting)
        if reason is not None:
            self._tell(catalogue.skipped(experiment, *reason))
            return machine
        self._observer.begins(experiment, number, total)
        seen = await self._asked(experiment, experiment.steps(subject), machine)
        if any(one.asked.is_write for one in seen):
            machine = await self._restored(await self._read())
        result = catalogue.conclude(experiment, replace(subject, throttled=self._throttled), seen)
        if self._stop.is_set():
            return machine
        self._journal.ended(result)
        self._tell(result)
        return machine

    def _tell(self, result: ExperimentResult) -> None:
        self._results.append(result)
        self._observer.ended(result)

    @property
    def _throttled(self) -> tuple[Answered, ...]:
        return tuple(self._journal.recorded.throttled)

    def _subject(self, machine: Machine) -> Subject:
        around, begun = self._surrounded, self._begun
        assert around is not None  # noqa: S101 - an undo asks nothing, for the type checker
        answers = {d.switch: d.answer for one in self._results for d in one.decisions if d.answer is not None}
        return subject_of(around, begun, machine, answers, self._throttled)

    async def _asked(self, experiment: Experiment, steps: Sequence[Step], machine: Machine) -> list[Observed]:
        seen: list[Observed] = []
        open_url = ""
        for number, step in enumerate(steps):
            if self._stop.is_set():
                break
            waited, answered = await self._answer_to(experiment, step, machine)
            one = Observed(step.asked, answered, waited_s=waited)
            if open_url:
                seen[number - 1] = await self._overlapping(seen[number - 1], open_url)
                open_url = ""
            if answered is not None and answered.is_success and self._is_write_to_machine(step.asked):
                url = answered.headers.get("azure-asyncoperation", "")
                if step.at_once:
                    open_url = url
                else:
                    machine, code = await self._settled(url)
                    one = replace(one, document=machine.document, operation_code=code)
            seen.append(one)
            if answered is None or ((step.is_setup or step.ends) and not answered.is_success):
                break
        return seen

    async def _answer_to(self, experiment: Experiment, step: Step, machine: Machine) -> tuple[float, Answered | None]:
        """The answer, and how long it was waited for where it was asked for again and again."""
        began = self._clock.monotonic()
        while True:
            answered = await self._send(experiment.name, step.asked, machine)
            waited = self._clock.monotonic() - began
            is_there = step.until is None or answered is None or not answered.is_success or step.until(answered)
            if is_there or waited >= self._patience.records_s or self._stop.is_set():
                return waited, answered
            await self._clock.sleep(_RECORDS_PAUSE_S)

    async def _overlapping(self, first: Observed, url: str) -> Observed:
        """A write whose operation may have run when the next one was answered, and how that operation ended."""
        status = await self._operation(url)
        overlapped = None if status is None else status.state is OperationState.IN_PROGRESS or bool(status.error_code)
        machine, code = await self._settled(url)
        return replace(first, document=machine.document, overlapped=overlapped, operation_code=code)

    def _is_write_to_machine(self, asked: Asked) -> bool:
        return asked.is_write and asked.path.casefold() == self._begun.machine.key

    # ---------------------------------------------------------------------------------------- one request

    async def _send(self, experiment: str, asked: Asked, machine: Machine) -> Answered | None:
        """Send one request; what is throttled is sent again. None: there is no usable answer.

        Raises:
            UnsafeError: it would put the machine into Azure's own patching. RequestError: Azure cannot be reached.
        """
        if asked.is_write:
            self._check_safe(asked, machine)
            self._journal.intended(experiment, asked, machine.document)
        answered = await self._patiently(asked, machine.location)
        if asked.is_write:
            self._journal.answered(asked, answered)
        return answered

    def _check_safe(self, asked: Asked, machine: Machine) -> None:
        is_write = self._is_write_to_machine(asked) and asked.body is not None
        if is_write and restoration.leaves_to_azure(
            self._begun.document, machine.document or {}, asked.body or {}, self._os
        ):
            msg = f"{asked} was not sent: it would let Azure patch and reboot the VM at a time it chooses"
            raise UnsafeError(msg, advice="This is a defect of patchmode. Undo the check with --undo.")

    async def _patiently(self, asked: Asked, location: str) -> Answered | None:
        began, tries = self._clock.monotonic(), 0
        while True:
            tries += 1
            try:
                answered = await self._azure.probe.send(asked, location=location)
            except MaybeAppliedError as error:
                self._observer.remarked(error.message)
                return None
            except NotSentError as error:
                if tries >= _TRIES:
                    raise
                self._observer.remarked(error.message)
                await self._clock.sleep(_PAUSE_S * 2**tries)
                continue
            if answered.status != 429:
                return answered
            self._journal.throttled(answered)
            pause = _asked_s(answered) or min(_LONGEST_PAUSE_S, _PAUSE_S * 2**tries)
            if self._clock.monotonic() - began + pause > self._patience.throttled_s:
                return answered
            self._observer.remarked(f"{asked} was answered 429; it is sent again in {pause:.0f} s")
            await self._clock.sleep(pause)

    async def _operation(self, url: str) -> OperationStatus | None:
        try:
            return await self._azure.writer.operation(url) if url else None
        except RequestError:
            return None  # who may not read operations reads the machine

    async def _settled(self, url: str) -> tuple[Machine, str]:
        """The machine once nothing is under way on it, and the error code of an operation, empty where it has none.

        Raises:
            NotSentError: patience is spent; what was sent may still be under way.
        """
        began, pause = self._clock.monotonic(), _PAUSE_S
        while True:
            machine = await self._read()
            if (machine.provisioning_state or "").casefold() not in _BUSY:
                break
            if self._clock.monotonic() - began > self._patience.operation_s:
                raise NotSentError(
                    f"An operation on {machine.id} has not ended after {self._patience.operation_s:.0f} seconds.",
                    code="Stopped",
                )
            await self._clock.sleep(pause)
            pause = min(_LONGEST_PAUSE_S, pause * 2)
        status = await self._operation(url)
        return machine, "" if status is None else status.error_code or ""

    async def _read(self) -> Machine:
        return await self._azure.provider.get(self._begun.machine, MachineKind.VM)

    # ---------------------------------------------------------------------------------------- the undo

    def _os_of(self, machine: Machine) -> OperatingSystem:
        return machine.os or OperatingSystem.LINUX

    def _remaining(self, machine: Machine) -> tuple[Difference, ...]:
        found = restoration.differences(self._begun.document, machine.document or {})
        state = machine.provisioning_state
        if state == _AT_REST:
            return found
        return (*found, Difference("properties.provisioningState", f'"{_AT_REST}"', f'"{state}"'))

    async def _restored(self, machine: Machine) -> Machine:
        """Bring the machine back, each way tried once, and delete what was created."""
        if (machine.provisioning_state or "").casefold() in _BUSY:
            machine, _ = await self._settled("")
        while (way := self._next_way(machine)) is not None:
            for asked in way:
                answered = await self._send(_RESTORE, asked, machine)
                if answered is None or not answered.is_success:
                    break
                machine, _ = await self._settled(answered.headers.get("azure-asyncoperation", ""))
        await self._delete_created(machine.document, machine.location)
        return machine

    async def _delete_created(self, document: Mapping[str, Any] | None, location: str) -> None:
        """Delete what was created, the last first: an assignment before the configuration that it names."""
        for path in reversed(tuple(self._journal.recorded.created)):
            asked = Asked("DELETE", path, MAINTENANCE_API)
            self._journal.intended(_RESTORE, asked, document)
            self._journal.answered(asked, await self._patiently(asked, location))

    def _next_way(self, machine: Machine) -> tuple[Asked, ...] | None:
        now = machine.document or {}
        told = str(self._remaining(machine))
        for way in restoration.ways(self._begun.document, now, self._os):
            key = f"{told}: {way}"
            if key not in self._given_up:
                self._given_up.add(key)
                return way
        return None


async def carried_out(
    azure: ProbingAzure,
    journal: LiveCheckJournal,
    around: Surrounded | None,
    *,
    clock: Clock,
    observer: Observer,
    stop: asyncio.Event,
    patience: Patience = Patience(),
) -> LiveCheckReport:
    """Carry a live check out, from its beginning or from where a crash left it.

    1. undo what an earlier process left; 2. look at the machine, if nobody has; 3. run the experiments that are left.
    A check that was closed with the machine not as it was is only undone.

    Args:
        azure: a connection that may write.
        journal: of the check.
        around: the machine's surroundings; None: it is taken up, and they are looked at once it was undone.
        clock: for waits.
        observer: told of each step.
        stop: see `LiveCheck`.
        patience: how long is waited.

    Raises:
        RefusedError: the machine may not be asked any more. RequestError: Azure cannot be reached.
    """

    def check(around: Surrounded | None) -> LiveCheck:
        return LiveCheck(azure, journal, around, clock=clock, observer=observer, stop=stop, patience=patience)

    if journal.recorded.state != "begun":
        return await check(None).undo()
    if around is None:
        await check(None).restore()
        begun = journal.recorded.begun
        around = await surrounded(azure, begun.machine, begun.group, clock=clock)
    return await check(around).run()


def _asked_s(answered: Answered) -> float | None:
    """The seconds of a Retry-After; None: there is none that is a number."""
    text = answered.headers.get("retry-after", "")
    return float(text) if text.isdigit() else None
