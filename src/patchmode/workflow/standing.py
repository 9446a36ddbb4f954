"""How a run stands while it is carried out: what has ended and how, for its progress and for its report.

Must not: decide anything, or write.
"""

from collections import Counter
from collections.abc import Sequence

from patchmode.model.attachment import AttachResult
from patchmode.model.outcome import ChangeResult, MachineError, Result
from patchmode.workflow.ports import JournalEntry, Progress, Step


class Standing:
    """The results of one call of `apply_plan`, those of earlier sessions among them.

    Args:
        entries: every change of the run, as the journal has it at the beginning.
    """

    def __init__(self, entries: Sequence[JournalEntry]) -> None:
        self._total = len(entries)
        self.results = {entry.change.id: entry.result for entry in entries if entry.result and is_over(entry)}
        """What has ended for good, or ended in this session."""
        self._ends = Counter(result.result for result in self.results.values())
        self._errors: dict[str, MachineError] = {}
        self.wave = 0
        """Counted from 1; 0: none has begun, or the plan has none."""

    def ended(self, result: ChangeResult) -> None:
        """A change has ended."""
        self.results[result.id] = result
        self._ends[result.result] += 1
        if result.error is not None:
            self._errors[str(result.id)] = result.error

    def attachment_ended(self, result: AttachResult) -> None:
        """A schedule was attached or taken off, or was not."""
        if result.error is not None:
            self._errors[result.id] = result.error

    def progress(
        self, latest: ChangeResult | None, *, waiting: int, attached: int, to_attach: int, waves: Sequence[str]
    ) -> Progress:
        """The tally at this moment.

        Args:
            latest: the change that just ended.
            waiting: changes that were accepted and have not ended.
            attached: machines whose schedule has come to an end.
            to_attach: machines with a schedule to attach or take off.
            waves: the names of the plan's waves; empty: it has none.
        """
        return Progress(
            total=self._total,
            done=self._ends[Result.APPLIED],
            failed=self._ends[Result.FAILED],
            unknown=self._ends[Result.UNKNOWN],
            stale=self._ends[Result.STALE],
            not_sent=self._ends[Result.NOT_SENT],
            waiting=waiting,
            not_started=self._total - len(self.results) - waiting,
            attached=attached,
            to_attach=to_attach,
            wave=self.wave,
            waves=tuple(waves),
            latest=latest,
            errors=self._errors,
        )


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


def is_over(entry: JournalEntry) -> bool:
    """Whether a change has ended for good: what was never sent has its turn when the run is taken up."""
    return entry.step is Step.ENDED and entry.result is not None and entry.result.result is not Result.NOT_SENT
