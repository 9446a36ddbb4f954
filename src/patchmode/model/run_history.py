"""What became of scheduled runs: each run of a configuration with its members, and why some of them failed.

Must not: judge or format.
"""

from dataclasses import dataclass
from datetime import datetime

from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import FailureKind
from patchmode.model.since import Since
from patchmode.model.target import Target


@dataclass(frozen=True, slots=True)
class FailedMachines:
    """The machines of one run that failed for one reason."""

    kind: FailureKind
    machines: tuple[ResourceId, ...]
    """Ordered by id, at least one."""
    messages: tuple[str, ...] = ()
    """What Azure recorded, each text once, the most frequent first; empty where it recorded none."""
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
