"""What became of scheduled runs: each run with its members, why some failed, and what a window after a change did."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import FailureKind
from patchmode.model.scope import Since
from patchmode.model.target import Target


@dataclass(frozen=True, slots=True)
class FailedMachines:
    """The machines of one run that failed for one reason."""

    kind: FailureKind
    machines: tuple[ResourceId, ...]
    """Ordered by id, at least one."""
    messages: tuple[str, ...] = ()
    """What Azure recorded, each text once, the most frequent first; empty where it recorded none."""
    texts: tuple[str, ...] = ()
    """What Azure recorded of each machine, in their order; empty where it recorded nothing."""
    recovered: int = 0
    """How many of them have succeeded in their last run, so that nothing is left to do."""
    words: str = ""
    """The reason in plain words."""
    advice: str = ""
    """What to do, one sentence."""
    command: str | None = None
    """The command that fixes it, or that shows what to fix; None: there is none."""


@dataclass(frozen=True, slots=True)
class ScheduleRun:
    """One run of one configuration. `members` = `succeeded` + failed + `unfinished`."""

    configuration: ResourceId | None
    """None: the record does not name it."""
    correlation_id: str | None
    started_at: datetime | None
    """UTC; None: the record does not say."""
    local_start: datetime | None
    """The same instant in the configuration's own zone; None: the configuration or its zone cannot be read."""
    time_zone: str | None
    """As the configuration names it."""
    succeeded: tuple[ResourceId, ...] = ()
    unfinished: tuple[ResourceId, ...] = ()
    """Under way, or their record tells of no end."""
    failures: tuple[FailedMachines, ...] = ()
    """By reason, most machines first."""

    @property
    def failed(self) -> int:
        """How many machines failed."""
        return sum(len(entry.machines) for entry in self.failures)

    @property
    def members(self) -> int:
        """How many machines the run had."""
        return len(self.succeeded) + len(self.unfinished) + self.failed


@dataclass(frozen=True, slots=True)
class FailureReport:
    """The history of scheduled runs, newest first."""

    target: Target
    scope: tuple[str, ...]
    """Selectors and filters as the user gave them; empty: every machine that can be seen."""
    since: Since
    runs: tuple[ScheduleRun, ...]
    notes: tuple[str, ...] = ()
    created_at: datetime | None = None
    """UTC."""

    @property
    def counts(self) -> dict[str, int]:
        """Runs; runs with failures; and of all their members together how each ended."""
        return {
            "runs": len(self.runs),
            "runsWithFailures": sum(bool(run.failures) for run in self.runs),
            "members": sum(run.members for run in self.runs),
            "succeeded": sum(len(run.succeeded) for run in self.runs),
            "failed": sum(run.failed for run in self.runs),
            "unfinished": sum(len(run.unfinished) for run in self.runs),
        }

    @property
    def failed_by_reason(self) -> Counter[str]:
        """Plain words of a reason → how many members of all runs failed for it."""
        found: Counter[str] = Counter()
        for run in self.runs:
            for entry in run.failures:
                found[entry.words] += len(entry.machines)
        return found


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
