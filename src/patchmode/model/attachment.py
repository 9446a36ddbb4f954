"""What became of attaching schedules to machines, and of taking them off again.

Must not: decide or send; the rules and the workflow do.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from patchmode.model.outcome import MachineError
from patchmode.model.plan import Skipped, Unreadable
from patchmode.model.resource_id import ResourceId
from patchmode.model.target import Target


class AttachAction(StrEnum):
    """What was asked for. The values stand in our JSON as `action`."""

    ATTACH = "attach"
    DETACH = "detach"


class AttachEnd(StrEnum):
    """What became of one machine, or of one dynamic scope. The values stand in our JSON as `result`."""

    ATTACHED = "attached"
    """Azure accepted the assignment, and a read afterwards showed it."""
    DETACHED = "detached"
    """Azure deleted the assignment, and a read afterwards did not show it."""
    UNCHANGED = "unchanged"
    """It already was as wanted; nothing was sent."""
    REFUSED = "refused"
    """Nothing was sent, because a rule says that it would fail or do harm."""
    FAILED = "failed"
    """Azure refused it; nothing was changed."""
    UNKNOWN = "unknown"
    """Sent, and neither the answer nor a read afterwards tells: it may have been done."""
    MISMATCH = "mismatch"
    """Azure accepted it, and a read afterwards shows something else."""
    NOT_SENT = "notSent"
    """Nothing was sent: stopped before its turn, or the machine could not be read first."""


@dataclass(frozen=True, slots=True)
class AttachResult:
    """One machine's or dynamic scope's end."""

    id: str
    """The machine's id, or the dynamic scope's."""
    result: AttachEnd
    assignment: str | None = None
    """The name of the assignment that was written, found or deleted; None: there is none."""
    rule: str | None = None
    """With `refused`: the rule that says so."""
    error: MachineError | None = None
    """Why it did not end as wanted; None where it did."""
    fix: str | None = None
    """A command or step that clears the way."""
    request_id: str | None = None
    """Azure's id of the write, for a support case; None: nothing was sent, or the answer carried none."""
    correlation_id: str | None = None
    ended_at: datetime | None = None
    """UTC; None: it had no turn."""

    @property
    def is_fine(self) -> bool:
        """Whether it stands as wanted now, and was seen to."""
        return self.result in {AttachEnd.ATTACHED, AttachEnd.DETACHED, AttachEnd.UNCHANGED}

    def at(self, moment: datetime) -> "AttachResult":
        """The same with the time of its end."""
        return replace(self, ended_at=moment)


@dataclass(frozen=True, slots=True)
class AttachReport:
    """An attach or detach of one configuration; every machine of the scope stands in exactly one of the tuples."""

    action: AttachAction
    target: Target
    configuration: ResourceId
    state: str
    """`finished`, or `interrupted`: repeating the command does what is left."""
    results: tuple[AttachResult, ...] = ()
    """One per machine, ordered by id; or exactly one, of a dynamic scope."""
    dynamic: bool = False
    """Whether a dynamic scope was attached or detached."""
    skipped: tuple[Skipped, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    notes: tuple[str, ...] = ()
    requests: Mapping[str, int] | None = None
    """HTTP method → requests sent; None: not counted."""

    @property
    def counts(self) -> dict[str, int]:
        """`scope` is the sum of the others."""
        ends = Counter(entry.result for entry in self.results)
        parts = {end.value: ends[end] for end in AttachEnd}
        parts |= {"skipped": len(self.skipped), "unreadable": len(self.unreadable)}
        return {"scope": sum(parts.values()), **parts}
