"""What is known of the machines of a run: of one change or schedule, whatever step it has come to; and of all, now.

`RunState` is begun from the journal and kept up by the run's events.

Must not: read or send anything.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import cached_property

from patchmode.model.guardrails import Halt
from patchmode.model.left_alone import MachineError
from patchmode.model.plan import Plan
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import ChangeResult, Result
from patchmode.model.schedule import AttachAction, AttachEnd, AttachResult
from patchmode.ports.run import AttachmentEntry, JournalEntry, Progress, Step
from patchmode.workflow.run.events import AttachmentEnded, Ended, Event, Followed, Halted, Intended, LeftOpen, WaveBegan
from patchmode.workflow.run.guardrails import RESUME, STOPPED, is_failure, next_step
from patchmode.workflow.run.queue import queue_key_of
from patchmode.workflow.run.waves import LATER_WAVE, WaveWork, asked_for, waves_of

_TOLD_BY_AZURE = frozenset({Result.APPLIED, Result.FAILED})
NOT_VERIFIED = "SettingsNotVerified"
"""The code of a schedule that was not sent because its machine's settings were not seen to be as planned."""


def was_sent(entry: JournalEntry) -> bool:
    """Whether a PATCH of it left, or may have left, in this session or an earlier one."""
    return entry.step in {Step.INTENDED, Step.STARTED} or is_over(entry)


def may_have_changed(entry: JournalEntry) -> bool:
    """Whether the run changed the machine, or may have: what there is to roll back."""
    result = entry.result
    if entry.step is not Step.ENDED or result is None:
        return entry.step in {Step.INTENDED, Step.STARTED}
    if result.result is Result.APPLIED:
        return True
    return result.error is not None and result.error.may_have_been_applied


def is_over(entry: JournalEntry | AttachmentEntry) -> bool:
    """Whether it has ended for good.

    What was never sent has its turn when the run is taken up, and what still has to be detached has it again.
    """
    result = entry.result
    match result:
        case None:
            return False
        case ChangeResult():
            return entry.step is Step.ENDED and result.result is not Result.NOT_SENT
        case AttachResult():
            is_detached_later = isinstance(entry, AttachmentEntry) and entry.action is AttachAction.DETACH
            return result.is_fine if is_detached_later else result.result is not AttachEnd.NOT_SENT


def result_of(entry: JournalEntry, *, halt: Halt | None = None) -> ChangeResult:
    """What is known of one change, whatever step it has come to.

    Args:
        entry: as the journal has it.
        halt: what held the run back, where the change has not had its turn; None: that is not known.
    """
    if entry.step is Step.ENDED and entry.result is not None:
        return entry.result
    if entry.step is Step.PENDING and halt is not None:
        return not_sent(entry, halt.code, f"was still to come when {halt.because}.")
    if entry.step is Step.PENDING:
        return not_sent(entry, "Pending", "was not reached in this run.")
    how = "was sent" if entry.step is Step.STARTED else "may have been sent"
    message = f"PATCH {entry.change.id} {how}, and its end was not read."
    error = MachineError("Interrupted", message, True, "`patchmode runs resume` reads it.")
    return ChangeResult(
        entry.change.id,
        Result.UNKNOWN,
        error,
        entry.request_id,
        entry.correlation_id,
        entry.started_at or entry.intended_at,
    )


def not_sent(entry: JournalEntry, code: str, because: str) -> ChangeResult:
    """The result of a change that had no turn; `because` goes on from the machine's name."""
    error = MachineError(
        code,
        f"Nothing was sent to {entry.change.id}: it {because}",
        may_have_been_applied=False,
        advice=next_step(code),
    )
    return ChangeResult(entry.change.id, Result.NOT_SENT, error)


def attached_so_far(entries: Iterable[AttachmentEntry]) -> Iterator[tuple[ResourceId, AttachResult]]:
    """Each machine's end, those that have their turn again included: a budget counts what failed until it is done."""
    return ((one.id, one.result) for one in entries if one.step is Step.ENDED and one.result is not None)


def may_be_attached(result: ChangeResult) -> bool:
    """Whether a change ended so that its machine may be given the schedule: this run set it, and it was verified."""
    return result.result is Result.APPLIED and result.verification is not None and result.verification.verified


def is_settled(result: AttachResult) -> bool:
    """Whether nothing was sent because of what became of the machine's settings: a resume finds nothing to do there."""
    return result.error is not None and result.error.code == NOT_VERIFIED


def result_of_attachment(
    entry: AttachmentEntry, settled: ChangeResult | None, *, halt: Halt | None = None
) -> AttachResult:
    """What is known of one attachment, whatever step it has come to.

    Args:
        entry: as the journal has it.
        settled: what became of the machine's change, or how far it is known to have come; None: it has none.
        halt: why it had no turn; None: it is not known here.
    """
    if entry.step is Step.ENDED and entry.result is not None:
        return entry.result
    doing = "attached to" if entry.action is AttachAction.ATTACH else "detached from"
    if entry.step is Step.INTENDED:
        message = f"The schedule may have been {doing} {entry.id}; its end was not recorded."
        error = MachineError("Interrupted", message, may_have_been_applied=True, advice=RESUME)
        return AttachResult(str(entry.id), AttachEnd.UNKNOWN, assignment=entry.name, error=error)
    if settled is not None and _has_ended(settled) and not may_be_attached(settled):
        return not_verified(entry, f"its settings were not verified (the change's result is {settled.result.value})")
    code, why = "Pending", "was not reached"
    if entry.action is AttachAction.ATTACH and settled is not None and settled.result is Result.NOT_SENT:
        code = settled.error.code if settled.error is not None else code
        why = "waits for the settings of its machine, and those were not sent"
    elif halt is not None:
        code, why = halt.code, halt.told
    return attachment_not_sent(entry, code, why)


def _has_ended(change: ChangeResult) -> bool:
    """Whether a resume has nothing to do: what has no end yet goes on then, and what was not sent begins."""
    is_under_way = change.result is Result.UNKNOWN and change.ended_at is None
    return change.result is not Result.NOT_SENT and not is_under_way


def not_verified(entry: AttachmentEntry, because: str) -> AttachResult:
    """The result of a machine that does not get the schedule because its settings were not seen to stand."""
    error = MachineError(
        NOT_VERIFIED,
        f"The schedule was not attached to {entry.id}: {because}.",
        may_have_been_applied=False,
        advice="Make a new plan with --then-attach once the machine is right.",
    )
    return AttachResult(str(entry.id), AttachEnd.NOT_SENT, error=error)


def attachment_not_sent(entry: AttachmentEntry, code: str, why: str) -> AttachResult:
    """The result of a schedule that had no turn; `why` goes on from the machine's name."""
    message = f"Nothing was sent: the schedule of {entry.id} {why}."
    error = MachineError(code, message, may_have_been_applied=False, advice=next_step(code))
    return AttachResult(str(entry.id), AttachEnd.NOT_SENT, error=error)


def still_attached(entry: AttachmentEntry, result: AttachResult | None) -> ChangeResult:
    """The result of a change that has to wait because its machine's schedule was not taken off."""
    because = f" ({result.error.code})" if result is not None and result.error is not None else ""
    error = MachineError(
        "StillAttached",
        f"Nothing was sent to {entry.id}: its schedule must be detached first, and was not{because}.",
        may_have_been_applied=False,
        advice=RESUME,
    )
    return ChangeResult(entry.id, Result.NOT_SENT, error)


# ------------------------------------------------------------------------------------------------ all machines of a run

HeldBy = Callable[[ResourceId], Halt | None]
"""What kept a machine from having its turn; None: nothing is known to."""


class RunState:
    """Every machine of a run: what the journal says of it, and what has happened since. A reader of the run's events.

    Args:
        plan: the run's.
        entries: every change, as the journal has it at the beginning.
        attachments: every schedule that the plan attaches or detaches, likewise.
        last_wave: the last one asked for, counted from 1; None: all are.
    """

    def __init__(
        self,
        plan: Plan,
        entries: Sequence[JournalEntry],
        attachments: Iterable[AttachmentEntry],
        *,
        last_wave: int | None = None,
    ) -> None:
        self.plan = plan
        self._last_wave = last_wave
        self.entries = entries
        self.attachments = {entry.id: entry for entry in attachments}
        """By machine, as they were when this session began."""
        self.ends = {one.change.id: one.result for one in entries if one.result and is_over(one)}
        """What has ended for good, or ended in this session."""
        self.attached = {one.id: one.result for one in self.attachments.values() if one.result and is_over(one)}
        """The same of schedules."""
        self.retried = {one: end for one, end in attached_so_far(self.attachments.values()) if is_failure(end)}
        """Schedules that had failed when this session began, be they tried again."""
        self.regions = {entry.change.id: queue_key_of(entry).region for entry in entries}
        """The region of each machine that is changed, in lower case."""
        self._waiting = {entry.change.id for entry in entries if entry.step in {Step.INTENDED, Step.STARTED}}
        """Sent, or about to be, and not ended."""
        self._left_open: set[ResourceId] = set()
        self._sent_here: set[ResourceId] = set()
        """Sent by this session, or about to be, and not ended."""
        self._ended_here = 0
        self._counts = Counter(result.result for result in self.ends.values())
        self._errors: dict[str, MachineError] = {}
        self._wave = 0
        self._is_halted = False

    def read(self, event: Event) -> None:
        """Take in what happened."""
        match event:
            case Ended(result):
                self.ends[result.id] = result
                self._waiting.discard(result.id)
                self._counts[result.result] += 1
                self._ended_here += result.id in self._sent_here and result.result in _TOLD_BY_AZURE
                self._sent_here.discard(result.id)
                self._note(str(result.id), result.error)
            case AttachmentEnded(machine_id, end):
                self.attached[machine_id] = end
                self._note(end.id, end.error)
            case Intended(change):
                self._waiting.add(change.id)
                self._sent_here.add(change.id)
            case Followed(machine_id):
                self._waiting.add(machine_id)
            case LeftOpen(machine_id):
                self._left_open.add(machine_id)
            case WaveBegan(number):
                self._wave = number
            case Halted(None):
                self._is_halted = True
            case _:
                pass

    def _note(self, machine_id: str, error: MachineError | None) -> None:
        if error is not None:
            self._errors[machine_id] = error

    # -------------------------------------------------------------------------------------------- what is left

    @property
    def machines(self) -> Set[ResourceId]:
        """Every machine that the plan changes, gives a schedule or takes one off."""
        return self.regions.keys() | self.attachments.keys()

    @property
    def failed_before(self) -> Sequence[ResourceId]:
        """The machine of each failure that earlier sessions of the run met."""
        return [*(one for one, end in self.ends.items() if is_failure(end)), *self.retried]

    def is_to_attach(self, machine_id: ResourceId) -> bool:
        """Whether a machine's schedule has still to be attached or detached, as far as is known of its change."""
        if machine_id not in self.attachments or machine_id in self.attached:
            return False
        end = self.ends.get(machine_id)
        detaches = self.attachments[machine_id].action is AttachAction.DETACH
        return detaches or machine_id not in self.regions or end is None or may_be_attached(end)

    def is_left(self, wave: WaveWork) -> bool:
        """Whether a wave has anything to do; what an earlier session ended is not begun again."""
        changes = [entry.change.id for entry in wave.entries]
        return any(one not in self.ends for one in changes) or any(map(self.is_to_attach, (*changes, *wave.unchanged)))

    def unsent(self, wave: WaveWork, halted: HeldBy) -> int:
        """Machines that had their turn and were not sent: no connection, no role, held back by Azure for too long.

        Args:
            wave: has come to its end.
            halted: what gave a machine no turn.
        """
        changing = [entry.change.id for entry in wave.entries]
        changes = sum(self._is_unsent(one, halted) for one in changing)
        return changes + sum(map(self._is_schedule_unsent, (*changing, *wave.unchanged)))

    def _is_unsent(self, machine_id: ResourceId, halted: HeldBy) -> bool:
        end = self.ends.get(machine_id)
        if end is not None:
            return end.result is Result.NOT_SENT
        # Without a halt it had its turn and came to no end: an earlier process may have sent it, and nobody could look.
        return machine_id in self._left_open or halted(machine_id) is None

    def _is_schedule_unsent(self, machine_id: ResourceId) -> bool:
        end = self.attached.get(machine_id)
        return end is not None and end.result is AttachEnd.NOT_SENT and not is_settled(end)

    # -------------------------------------------------------------------------------------------- told

    def held_by(self, machine_id: ResourceId, halts: Sequence[Halt]) -> Halt | None:
        """The first halt that is about a machine; None: none is, or none is known.

        Args:
            machine_id: had no turn.
            halts: of the run.
        """
        region = self.regions.get(machine_id)
        about = (one for one in halts if one.region in {None, region})
        # Whatever held back a machine of a wave that was asked for, the end of that wave did not.
        return next((one for one in about if one.code != LATER_WAVE or machine_id not in self._asked_for), None)

    @cached_property
    def _asked_for(self) -> Set[ResourceId]:
        return asked_for(self._last_wave, waves_of(self.plan, self.entries, self.attachments))

    def progress(self, latest: ChangeResult | None) -> Progress:
        """The tally at this moment.

        Args:
            latest: the change that just ended; None: something else happened.
        """
        counts, waiting = self._counts, len(self._waiting)
        return Progress(
            total=len(self.entries),
            done=counts[Result.APPLIED],
            failed=counts[Result.FAILED],
            unknown=counts[Result.UNKNOWN],
            stale=counts[Result.STALE],
            not_sent=counts[Result.NOT_SENT],
            waiting=waiting,
            not_started=len(self.entries) - len(self.ends) - waiting,
            attached=len(self.attached),
            to_attach=len(self.attachments),
            wave=self._wave,
            waves=self._wave_names,
            ended_here=self._ended_here,
            is_halted=self._is_halted,
            latest=latest,
            errors=self._errors,
        )

    @cached_property
    def _wave_names(self) -> tuple[str, ...]:
        return tuple(wave.name for wave in self.plan.waves)

    def results(self, held: HeldBy) -> list[ChangeResult]:
        """The end of each change, in plan order, or how far it is known to have come.

        Args:
            held: what gave a machine no turn.
        """
        return [self.ends.get(one.change.id) or self._without_end(one, held) for one in self.entries]

    def _without_end(self, entry: JournalEntry, held: HeldBy) -> ChangeResult:
        if entry.change.id in self._left_open:
            return result_of(replace(entry, step=Step.INTENDED, result=None))
        if entry.step in {Step.INTENDED, Step.STARTED}:
            return result_of(entry)
        halt = held(entry.change.id) or STOPPED
        return not_sent(entry, halt.code, f"{halt.told}.")

    def attachment_results(self, results: Sequence[ChangeResult], held: HeldBy) -> list[AttachResult]:
        """The end of each schedule, in plan order, or how far it is known to have come.

        Args:
            results: of `results`.
            held: what gave a machine no turn.
        """
        settled: Mapping[ResourceId, ChangeResult] = {one.id: one for one in results}
        return [
            self.attached.get(one) or result_of_attachment(entry, settled.get(one), halt=held(one))
            for one, entry in self.attachments.items()
        ]

    def is_done(self, attachments: Sequence[AttachResult]) -> bool:
        """Whether a resume would have nothing to do.

        Args:
            attachments: of `attachment_results`.
        """
        ends = (self.ends.get(entry.change.id) for entry in self.entries)
        return all(end is not None and end.result is not Result.NOT_SENT for end in ends) and not any(
            one.result is AttachEnd.NOT_SENT and not is_settled(one) for one in attachments
        )
