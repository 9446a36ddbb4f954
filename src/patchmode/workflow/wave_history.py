"""What is known of a run's waves when the next one may begin: failures, and when the ones before came to an end.

Sessions do not count here: what an earlier process ended stands beside what this one did.

Must not: decide whether a wave begins; `wave_gate` does.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from patchmode.model.attachment import AttachEnd, AttachResult
from patchmode.model.outcome import ChangeResult, Result
from patchmode.model.resource_id import ResourceId
from patchmode.workflow.budgets import Budgets, is_failure
from patchmode.workflow.ports import AttachmentEntry, JournalEntry, Step
from patchmode.workflow.refusals import ALREADY_SET
from patchmode.workflow.then_attaching import is_settled
from patchmode.workflow.wave_work import WaveWork


@dataclass(frozen=True, slots=True)
class Before:
    """What stands when a wave may begin."""

    failures: int = 0
    """In the wave itself, from an earlier session."""
    failures_before: int = 0
    """In the waves before it."""
    is_spent_before: bool = False
    """Whether one of those used its failure budget up."""
    left_alone_before: int = 0
    """Machines that were stale or refused, in waves before it in which none was applied."""
    is_begun: bool = False
    """Whether an earlier session sent something of the wave."""
    ended_at: datetime | None = None
    """When the waves before it came to an end; None: there is none, or nothing of them was done."""


class WaveHistory:
    """Adds up, wave by wave in their order.

    Args:
        budgets: the wave's is looked at.
        changes: what has ended, as it stands at any time.
        attachments: machine → its attachment, as it was when this session began.
        attached: what of attaching has ended, as it stands at any time.
    """

    def __init__(
        self,
        budgets: Budgets,
        changes: Mapping[ResourceId, ChangeResult],
        attachments: Mapping[ResourceId, AttachmentEntry],
        attached: Mapping[ResourceId, AttachResult],
    ) -> None:
        self._budget = budgets.wave
        self._changes = changes
        self._attachments = attachments
        self._attached = attached
        self._failures = 0
        self._is_spent = False
        self._left_alone = 0
        self._ended_at: datetime | None = None

    def before(self, wave: WaveWork) -> Before:
        """What stands now; every wave before was passed."""
        failures = sum(map(is_failure, self._ends(wave)))
        attachments = (self._attachments[one] for one in wave.unchanged if one in self._attachments)
        is_begun = any(map(_had_its_turn, wave.entries)) or any(map(_had_its_turn, attachments))
        return Before(failures, self._failures, self._is_spent, self._left_alone, is_begun, self._ended_at)

    def passed(self, wave: WaveWork) -> None:
        """Add a wave up that was carried out, or had been before."""
        ends = list(self._ends(wave))
        failures = sum(map(is_failure, ends))
        self._failures += failures
        self._is_spent |= self._budget is not None and self._budget.is_spent(failures, wave.machines)
        if not any(map(_is_applied, ends)):
            self._left_alone += sum(map(_was_left_alone, ends))
        times = [one.ended_at for one in ends if one.ended_at is not None]
        self._ended_at = max([*times, *([self._ended_at] if self._ended_at else [])], default=None)

    def _ends(self, wave: WaveWork) -> Iterator[ChangeResult | AttachResult]:
        for machine_id in (*(entry.change.id for entry in wave.entries), *wave.unchanged):
            if machine_id in self._changes:
                yield self._changes[machine_id]
            if machine_id in self._attached:
                yield self._attached[machine_id]


def _had_its_turn(entry: JournalEntry | AttachmentEntry) -> bool:
    """Whether a machine was touched or looked at; to one that ended as not sent it happens only now."""
    is_unsent = entry.result is not None and entry.result.result in {Result.NOT_SENT, AttachEnd.NOT_SENT}
    return entry.step is not Step.PENDING and not is_unsent


def _is_applied(end: ChangeResult | AttachResult) -> bool:
    return end.is_fine if isinstance(end, AttachResult) else end.result is Result.APPLIED


def _was_left_alone(end: ChangeResult | AttachResult) -> bool:
    """Whether a machine is not as wanted though nothing failed, and no resume of the run would touch it."""
    if isinstance(end, AttachResult):
        return end.result is AttachEnd.REFUSED or is_settled(end)
    return end.result is Result.STALE and not (end.error is not None and end.error.code == ALREADY_SET)
