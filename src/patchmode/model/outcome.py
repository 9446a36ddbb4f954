"""Who patches a machine, what became of a change, and what a verification found.

Must not: predict or compare; these are the answers, not the questions.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from patchmode.model.brakes import Halt, RunBrakes
from patchmode.model.drift import ResourceChange
from patchmode.model.resource_id import ResourceId
from patchmode.model.run_parts import RunPart
from patchmode.model.shard import Shard
from patchmode.model.target import Target

if TYPE_CHECKING:
    from patchmode.model.attachment import AttachResult
    from patchmode.model.plan import Skipped, Unreadable


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


class Result(StrEnum):
    """What became of one change. The values stand in our JSON as `result`."""

    APPLIED = "applied"
    """This run set it: the provider shows the planned settings and the operation at its end."""
    FAILED = "failed"
    """Azure refused the change, or its operation failed; `error` says whether the settings may stand in the model."""
    UNKNOWN = "unknown"
    """Sent, and the answer never came: it may have been applied."""
    STALE = "stale"
    """Not sent, or refused by If-Match: the machine changed since the plan in what the plan depends on, be it to what
    was planned; the error says which field."""
    NOT_SENT = "notSent"
    """Nothing was sent: stopped, budget spent, or the machine could not be read first."""


HANDED_OVER = "AzureManagedNow"
"""The code of a machine that a change left where Azure patches it at a time of its own choice. Ours, not Azure's."""


@dataclass(frozen=True, slots=True)
class MachineError:
    """Why a change did not end as planned, for the person at 3 a.m."""

    code: str
    """Azure's error code, or ours in CamelCase where Azure gave none."""
    message: str
    """What was attempted and what Azure answered, in one or two sentences."""
    may_have_been_applied: bool
    advice: str
    """What to do next."""
    http_status: int | None = None


ABSENT_TEXT = "(absent)"
"""How a missing leaf is told; no JSON text reads so."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One leaf that is not what it should be."""

    path: str
    """Dotted path from the document's root: `properties.osProfile.windowsConfiguration.patchSettings.patchMode`."""
    expected: str
    """JSON text; `(absent)` where there should be nothing."""
    found: str

    def members(self) -> dict[str, Any]:
        """As JSON values: `path`, `expected` and `found`, the last two only where they are not absent.

        Raises:
            ValueError: a text is neither JSON nor `(absent)`.
        """
        told = {"expected": self.expected, "found": self.found}
        values = {name: json.loads(text) for name, text in told.items() if text != ABSENT_TEXT}
        return {"path": self.path, **values}


@dataclass(frozen=True, slots=True)
class LaterChange:
    """One leaf outside the patch settings that was changed after the run, or of a plan file since the plan."""

    difference: Difference
    author: ResourceChange | None = None
    """Azure's own record of who changed it; None: it does not tell (yet)."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What the provider showed for one machine after the change."""

    id: ResourceId
    verified: bool
    differences: tuple[Difference, ...] = ()
    unreadable_because: str | None = None
    blocked_by: "Skipped | None" = None
    """Why the machine is not as wanted and cannot be changed either; only where a scope was verified."""
    changed_later: tuple[LaterChange, ...] = ()
    """Outside the patch settings, what was changed after the run or since the plan: told, and no mismatch."""


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """One change's end."""

    id: ResourceId
    result: Result
    error: MachineError | None = None
    request_id: str | None = None
    correlation_id: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    verification: Verification | None = None
    """None: not looked at since (verify does)."""
    changed_since_plan: tuple[Difference, ...] = ()
    """What had changed on the machine when its PATCH left, in nothing the plan depends on."""


@dataclass(frozen=True, slots=True)
class RunCounts:
    """The tally of a run. `verified` and `blocked` are counted beside the others, which add up to `scope`."""

    scope: int
    applied: int = 0
    failed: int = 0
    unknown: int = 0
    stale: int = 0
    not_sent: int = 0
    unchanged: int = 0
    skipped: int = 0
    unreadable: int = 0
    verified: int = 0
    blocked: int = 0
    """Those of `skipped` of which something was asked that is not so; the others a filter left out, or were no part."""


@dataclass(frozen=True, slots=True)
class WaveCounts:
    """What became of one wave's changes; the parts add up to `changes`."""

    name: str
    changes: int
    applied: int = 0
    failed: int = 0
    unknown: int = 0
    stale: int = 0
    not_sent: int = 0


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run as it stands: finished, or as far as it got."""

    run: str
    state: str
    """`running`, `interrupted`, `stopped`, `finished`."""
    counts: RunCounts
    requests: dict[str, int] = field(default_factory=dict)
    """HTTP method → requests sent by this run to apply and verify; sign-in, planning and permission checks not
    counted."""
    results: tuple[ChangeResult, ...] = ()
    target: Target | None = None
    """None only in reports made by hand."""
    attachments: tuple["AttachResult", ...] = ()
    """What the run attached or took off, in plan order; empty where its plan does neither."""
    waves: tuple[WaveCounts, ...] = ()
    """In the order in which they are carried out; empty where the plan has none."""
    shard: Shard | None = None
    """The part of a scope that the run was; None: it took the whole."""
    parts: tuple[RunPart, ...] = ()
    """The runs that this report unites; empty: it tells of one."""
    missing: tuple[Shard, ...] = ()
    """Shards of the united runs' division of which nothing is told."""
    halts: tuple[Halt, ...] = ()
    """What held the run back; empty: nothing did, or it is not known."""
    brakes: RunBrakes | None = None
    """What holds it back as it stands; None: that was not written down, or it tells of several."""
    blocked: tuple["Skipped", ...] = ()
    """Machines of which something was asked that is not so, and that a rule left alone; `counts` has their number,
    also where a report of an earlier version does not name them."""
    requests_at_least: bool = False
    """Whether `requests` are not all: a process of the run was killed, or has not ended yet."""
    unread: tuple["Unreadable", ...] = ()
    """Machines and subscriptions of the scope that could not be read; `counts` has their number."""

    @property
    def not_set(self) -> dict[str, int]:
        """`not_done` without what a verification of the applied machines answers for itself."""
        return {kind: count for kind, count in self.not_done.items() if kind != "notAsPlanned"}

    @property
    def not_done(self) -> dict[str, int]:
        """What was asked for and is not so: the kind → how many machines, kinds of none left out. Empty: all is so.

        Each machine is of the first kind that it belongs to, so that the numbers add up to machines.
        """
        counts = self.counts
        applied = [one for one in self.results if one.result is Result.APPLIED]
        differing = {one.id for one in applied if one.verification is not None and not one.verification.verified}
        told = differing | {one.id for one in self.results if one.result is not Result.APPLIED}
        unattached = (ResourceId.parse(one.id) for one in self.attachments if not one.is_fine)
        kinds = {
            "failed": counts.failed,
            "unknown": counts.unknown,
            "stale": counts.stale,
            "notSent": counts.not_sent,
            "notAsPlanned": len(differing),
            "notAttached": sum(one not in told for one in unattached),
            "blocked": counts.blocked,
            "unreadable": counts.unreadable,
        }
        return {kind: count for kind, count in kinds.items() if count}


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One line of `runs list`: what a run's file says without reading its plan."""

    run: str
    state: str
    """`running` (a process holds it), `interrupted` (by somebody, or its process died), `stopped` (by a brake of its
    own: a failure budget, a freeze, the last wave asked for), `finished`, or `unreadable`."""
    created_at: datetime | None = None
    target: Target | None = None
    changes: int = 0
    ended: int = 0
    """How many changes have a result."""
    sent: int = 0
    """How many changes and schedules were sent, or may have been; one that was refused before does not count."""
    rollback_of: str | None = None
    only: tuple[ResourceId, ...] = ()
    """Of a rollback: the machines that it was narrowed to; empty: it undoes the whole run."""
    digest: str = ""
    """The plan's."""
    problem: str | None = None
    """Why the file could not be read; None: it was."""


@dataclass(frozen=True, slots=True)
class HeldMachines:
    """A run that has not ended and holds machines that another plan touches as well."""

    run: str
    state: str
    """`running`, `interrupted` or `stopped`."""
    machines: int
    """Of the other plan, those that the run has not done with."""
