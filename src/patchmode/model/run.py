"""What became of a run: its changes, what verifications found, its counts, and runs that share one scope."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from patchmode.model.drift import ResourceChange
from patchmode.model.guardrails import Halt, RunGuardrails
from patchmode.model.left_alone import MachineError
from patchmode.model.resource_id import ResourceId
from patchmode.model.scope import Shard
from patchmode.model.target import Target

if TYPE_CHECKING:
    from patchmode.model.left_alone import Skipped, Unreadable
    from patchmode.model.outcome import PatchedByNobody
    from patchmode.model.schedule import AttachResult


@dataclass(frozen=True, slots=True)
class RunPart:
    """One run of several, in the report that unites them."""

    source: str
    """Where it was read: a file, or the run's id."""
    run: str
    """Its id; empty where the shard had nothing to do, so that no run was made."""
    state: str
    """`running`, `interrupted`, `stopped`, `finished`."""
    counts: "RunCounts"
    shard: Shard | None = None
    """None: the run took a scope of its own."""


@dataclass(frozen=True, slots=True)
class ToldRun:
    """A run's report as it was found somewhere."""

    source: str
    """The file, or the run's id, for messages."""
    report: "RunReport"
    """Its `target` stands."""
    others: tuple[str, ...] = ()
    """Ids of what the run left alone or could not read; a report in JSON does not say them, a journal does."""
    is_journal: bool = False


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

    @property
    def text(self) -> str:
        """The leaf in one sentence, for people."""
        return f"{self.path}: expected {self.expected}, found {self.found}"

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
    brakes: RunGuardrails | None = None
    """What holds it back as it stands; None: that was not written down, or it tells of several."""
    blocked: tuple["Skipped", ...] = ()
    """Machines of which something was asked that is not so, and that a rule left alone; `counts` has their number,
    also where a report of an earlier version does not name them."""
    requests_at_least: bool = False
    """Whether `requests` are not all: a process of the run was killed, or has not ended yet."""
    unread: tuple["Unreadable", ...] = ()
    """Machines and subscriptions of the scope that could not be read; `counts` has their number."""
    nobody: "PatchedByNobody | None" = None
    """Applied and compliant machines that no schedule reached when the run was planned; None: none is known."""
    options: tuple[str, ...] = ()
    """What the plan sets and attaches, as `apply` takes it, to take its machines up again with. Empty also where
    a report of an earlier version does not say it."""
    rollback_of: str | None = None
    """The run that it undoes; None: it undoes none, or that is not known."""
    again: tuple[str, ...] = ()
    """Words of the command where it sent nothing, so that there is no run to take up; empty: it cannot be repeated."""

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
    """How many changes have a result; `not_sent` are among them."""
    sent: int = 0
    """How many changes and schedules were sent, or may have been; one that was refused before does not count."""
    rollback_of: str | None = None
    only: tuple[ResourceId, ...] = ()
    """Of a rollback: the machines that it was narrowed to; empty: it undoes the whole run."""
    digest: str = ""
    """The plan's."""
    problem: str | None = None
    """Why the file could not be read; None: it was."""
    not_sent: int = 0
    """How many changes have ended as not sent: nothing was sent for them, and `runs resume` takes them up."""
    not_begun: int = 0
    """How many changes have no step yet: with `not_sent` these are what the run's report counts as not sent."""


def undone_by(run: RunSummary, runs: Iterable[RunSummary]) -> Sequence[RunSummary]:
    """The rollbacks of a run that sent anything, in the order given."""
    return [one for one in runs if one.rollback_of == run.run and one.sent]


@dataclass(frozen=True, slots=True)
class HeldMachines:
    """A run that has not ended and holds machines that another plan touches as well."""

    run: str
    state: str
    """`running`, `interrupted` or `stopped`."""
    machines: int
    """Of the other plan, those that the run has not done with."""


ANY_RUN = "RUN"
"""Where advice is about several runs, or none is known."""
_WITHOUT_ID = re.compile(r"`patchmode (runs resume|runs show|verify|rollback)`")


def with_run(text: str, run: str) -> str:
    """Advice with the run's id in each command that is about it.

    Args:
        text: sentences; commands stand between backticks.
        run: the id; empty: none is known.
    """
    return _WITHOUT_ID.sub(rf"`patchmode \1 {run or ANY_RUN}`", text)


def unsigned_address(url: str) -> str:
    """An operation's address with its path and api-version only.

    The rest of its query is a signature with which anybody can ask the operation: it is kept where the operation is
    followed, and not in what is shown or handed on.
    """
    place, _, query = url.partition("?")
    kept = [one for one in query.split("&") if one.lower().startswith("api-version=")]
    return "?".join([place, *kept])
