"""Who patches a machine, and how many machines of a fleet fall to each."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class OutcomeKind(StrEnum):
    """Who patches this machine. The values stand in our JSON as `outcome`."""

    SCHEDULED = "scheduled"
    SCHEDULE_FAILS = "schedule-fails"
    PARKED = "parked"
    AUTOPATCHED = "autopatched"
    GUEST_MANAGED = "guest-managed"
    NOT_PATCHED = "not-patched"
    INELIGIBLE = "ineligible"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One outcome with the reason in one sentence."""

    kind: OutcomeKind
    reason: str


@dataclass(frozen=True, slots=True)
class Headline:
    """What a fleet's owner wants to know first, in numbers of machines."""

    fails_at_next_window: int = 0
    """`schedule-fails`."""
    rebooted_by_azure: int = 0
    """`autopatched`: Azure patches and reboots them without a window."""
    patched_by_nobody: int = 0
    """`parked` and `not-patched`."""
    unknown: int = 0

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> "Headline":
        """Count outcomes; every other kind is left out."""
        kinds = Counter(outcome.kind for outcome in outcomes)
        return cls(
            fails_at_next_window=kinds[OutcomeKind.SCHEDULE_FAILS],
            rebooted_by_azure=kinds[OutcomeKind.AUTOPATCHED],
            patched_by_nobody=kinds[OutcomeKind.PARKED] + kinds[OutcomeKind.NOT_PATCHED],
            unknown=kinds[OutcomeKind.UNKNOWN],
        )
