"""Whether the maintenance window after a run really patched the machines, as Resource Graph recorded it.

Must not: judge; the rules do.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from patchmode.model.resource_id import ResourceId
from patchmode.model.target import Target


class WindowEnd(StrEnum):
    """What became of one machine in its window. The values stand in our JSON as `result`."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    MISSED = "missed"
    """It was off, or did not answer."""
    NOT_YET = "notYet"
    """Its window is still to come, goes on, or has ended so shortly ago that no record can be there."""
    NO_SCHEDULE = "noSchedule"
    """No schedule that will ever run reaches it."""
    UNKNOWN = "unknown"
    """A window is over without a record, or it cannot be told which schedules reach the machine."""


@dataclass(frozen=True, slots=True)
class WindowResult:
    """One machine's end."""

    id: ResourceId
    result: WindowEnd
    reason: str
    """One sentence."""
    fix: str | None = None
    """A command or step; None: nothing is to be done."""
    configuration: str | None = None
    """Id of the configuration whose run or window it is; None: not known."""
    run_started_at: datetime | None = None
    """UTC; None: there is no record of a run."""
    window_ends_at: datetime | None = None
    """UTC; with `notYet` alone, where the window is known."""


@dataclass(frozen=True, slots=True)
class AfterWindowReport:
    """What became of all machines, at one moment."""

    target: Target
    since: datetime
    """Runs that began earlier do not count; UTC."""
    looked_at: datetime
    results: tuple[WindowResult, ...]
    """One a machine, ordered by id."""
    notes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    """Subscriptions and the like that could not be read: how many machines are in them nobody knows. Notes say why."""
    not_done: Mapping[str, int] = field(default_factory=dict)
    """What of the run or the plan asked about was not done, so that no window was looked for: kind → machines."""

    @property
    def counts(self) -> dict[str, int]:
        """`scope` is the sum of the others."""
        tally = Counter(entry.result for entry in self.results)
        return {"scope": len(self.results), **{end.value: tally[end] for end in WindowEnd}}
