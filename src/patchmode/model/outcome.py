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

    @property
    def words(self) -> str:
        """What the value means, for people who meet it in a table."""
        return _WORDS[self]


_WORDS = {
    OutcomeKind.SCHEDULED: "patched by its schedule",
    OutcomeKind.SCHEDULE_FAILS: "patched by nobody: a schedule is attached and its runs fail",
    OutcomeKind.PARKED: "patched by nobody until a schedule is attached",
    OutcomeKind.AUTOPATCHED: "patched and rebooted by Azure at a time it chooses",
    OutcomeKind.GUEST_MANAGED: "updated by its own operating system",
    OutcomeKind.NOT_PATCHED: "patched by nobody",
    OutcomeKind.INELIGIBLE: "not supported by Update Manager",
    OutcomeKind.UNKNOWN: "not known; the reason says why",
}


BY_NOBODY = frozenset({OutcomeKind.PARKED, OutcomeKind.NOT_PATCHED, OutcomeKind.SCHEDULE_FAILS})
"""Outcomes of machines that nobody patches."""


class Readiness(StrEnum):
    """Whether a machine is ready for a maintenance schedule, and has one. The values stand in our JSON as `readiness`.

    Each machine has one: over a fleet the numbers add up to its machines.
    """

    READY_SCHEDULED = "ready-scheduled"
    """Its next run is expected to succeed."""
    READY_UNSCHEDULED = "ready-unscheduled"
    """It is prepared, as far as it has to be, and no schedule reaches it that will run."""
    WILL_FAIL = "will-fail"
    """A schedule reaches it and its next run will not patch it: not prepared, off, or not supported."""
    NOT_READY = "not-ready"
    """It can be prepared, and is not; also where its own system, Azure or nobody patches it."""
    CANNOT = "cannot-be-made-ready"
    """A rule blocks it, or says that no run on it succeeds."""
    UNKNOWN = "unknown"

    @property
    def words(self) -> str:
        """What every face calls it."""
        return _READINESS_WORDS[self]


_READINESS_WORDS = {
    Readiness.READY_SCHEDULED: "ready and scheduled",
    Readiness.READY_UNSCHEDULED: "ready, no schedule",
    Readiness.WILL_FAIL: "not ready and scheduled: will fail",
    Readiness.NOT_READY: "not ready",
    Readiness.CANNOT: "cannot be made ready",
    Readiness.UNKNOWN: "unknown",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One outcome with the reason in one sentence."""

    kind: OutcomeKind
    reason: str


@dataclass(frozen=True, slots=True)
class PatchedByNobody:
    """Machines that are prepared for schedules and that none reaches, and how they can be given one."""

    machines: int
    """So many are `parked`."""
    not_known: int = 0
    """Further machines of which it is not known whether any schedule reaches them."""
    because: str = ""
    """Why that is not known, half a sentence; empty where it is."""
    usable: tuple[str, ...] = ()
    """Schedules that can be attached, the most fitting first: a name where only one is called so, else an id. Each
    patches guests and has a window to come. Empty: none was seen, or nobody looked."""
    elsewhere: bool = False
    """Whether the first of them is in a subscription in which none of the machines is; it is told by its id then."""
    looked: bool = True
    """Whether schedules were looked for, so that an empty `usable` says that there is none."""
    create: tuple[str, ...] = ()
    """Words of a command that creates one where the machines are; empty where one is usable, or where nobody looked."""
    across_tenants: bool = False
    """Whether they belong to several tenants, so that no schedule can be attached to all of them."""


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
