"""The protocols of a run: the journal that `store/` keeps of it, and whoever watches it. `ports` has their names too.

Must not: contain behaviour.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from patchmode.model.guardrails import Halt, RunGuardrails
from patchmode.model.left_alone import MachineError
from patchmode.model.machine import MachineKind
from patchmode.model.plan import Change, Plan
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import ChangeResult, Difference, Verification
from patchmode.model.schedule import AttachAction, AttachResult

if TYPE_CHECKING:
    from patchmode.ports.azure import PatchAnswer


class Step(StrEnum):
    """How far one change of a run has come, in order. A kill leaves each change at the last step that was committed."""

    PENDING = "pending"
    INTENDED = "intended"
    """Committed before the PATCH leaves: from here on it may have been applied."""
    STARTED = "started"
    """The service accepted it; the operation's URL is kept."""
    ENDED = "ended"
    """The result is final."""


@dataclass(frozen=True, slots=True)
class Observed:
    """A machine as it was read before its PATCH, where it had changed since the plan in nothing the plan depends on."""

    document: Mapping[str, Any]
    """The provider's whole document: from here on the proof that siblings stayed, in place of the plan's."""
    changes: tuple[Difference, ...]
    """Since the plan; empty: what an earlier intent told of came back."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One change of a run as the journal knows it."""

    change: Change
    """As planned; where the machine was read again before its PATCH, on the document that was read then."""
    step: Step
    attempts: int = 0
    """How many times a PATCH was intended."""
    operation_url: str | None = None
    request_id: str | None = None
    correlation_id: str | None = None
    intended_at: datetime | None = None
    started_at: datetime | None = None
    result: ChangeResult | None = None
    changed_since_plan: tuple[Difference, ...] = ()
    """What had changed on the machine when its PATCH left, in nothing the plan depends on."""
    verification_at_end: Verification | None = None
    """What the run itself found when the change ended; `result` has the latest verification."""


@dataclass(frozen=True, slots=True)
class AttachmentEntry:
    """One attachment, or one detachment, of a run as the journal knows it."""

    id: ResourceId
    """The machine."""
    kind: MachineKind
    action: AttachAction
    configuration: ResourceId
    name: str
    """Of the assignment."""
    change: Change | None = None
    """What must stand before it is attached; None: the machine was as wanted when the plan was made."""
    step: Step = Step.PENDING
    """`INTENDED`: the request may have been sent. There is no `STARTED`: Azure does it while the request lasts."""
    result: AttachResult | None = None


class RunJournal(Protocol):
    """One run's journal, open for writing by one process, committed before each method returns."""

    @property
    def run(self) -> str:
        """The run's id."""
        ...

    @property
    def plan(self) -> Plan:
        """The plan the run carries out."""
        ...

    @property
    def state(self) -> str:
        """`running`, `interrupted`, `stopped` or `finished`, as last committed."""
        ...

    @property
    def brakes(self) -> RunGuardrails | None:
        """What holds the run back; None: an earlier version began it, which did not write that down."""
        ...

    @property
    def halts(self) -> Sequence[Halt]:
        """What held the run back when it was last closed; empty: nothing did."""
        ...

    def keep_brakes(self, brakes: RunGuardrails) -> None:
        """Commit what is in force from now on."""
        ...

    def keep_halts(self, halts: Sequence[Halt]) -> None:
        """Commit what held the run back."""
        ...

    def entries(self) -> Sequence[JournalEntry]:
        """Every change, in plan order."""
        ...

    def begin_session(self, sent: Callable[[], Mapping[str, int]]) -> None:
        """Commit that a session begins. `sent`: HTTP method → requests it has sent so far; each commit tells it."""
        ...

    def requests(self) -> Mapping[str, int]:
        """HTTP method → requests that earlier sessions of this run sent, as far as they were committed."""
        ...

    @property
    def tells_all_requests(self) -> bool:
        """Whether each of those sessions told all that it sent before it ended."""
        ...

    async def intend(
        self, machine_id: ResourceId, *, etag: str | None, at: datetime, observed: Observed | None = None
    ) -> None:
        """Commit that a PATCH is about to leave. `observed`: where its document is not the one that the journal has."""
        ...

    async def start(self, machine_id: ResourceId, answer: "PatchAnswer", *, at: datetime) -> None:
        """Commit that the service accepted the PATCH."""
        ...

    async def end(self, result: ChangeResult) -> None:
        """Commit a change's final result."""
        ...

    async def end_all(self, results: Sequence[ChangeResult]) -> None:
        """Commit many final results at once."""
        ...

    async def verified(self, result: ChangeResult) -> None:
        """Commit what a verification found for a change that has ended."""
        ...

    def attachments(self) -> Sequence[AttachmentEntry]:
        """Every attachment or detachment of the plan, in plan order."""
        ...

    async def intend_attachment(self, machine_id: ResourceId, *, at: datetime) -> None:
        """Commit that the request to attach or to detach is about to leave."""
        ...

    async def end_attachment(self, result: AttachResult) -> None:
        """Commit an attachment's or detachment's final result."""
        ...

    def close(self, *, state: str) -> None:
        """Commit the run's state (`finished`, `interrupted`, `stopped`) and release the lock. Safe to repeat."""
        ...


# ------------------------------------------------------------------------------------------------ watching


@dataclass(frozen=True, slots=True)
class Progress:
    """A run's tally at one moment; the parts add up to `total`."""

    total: int
    done: int = 0
    failed: int = 0
    """Refused by Azure, or its operation failed."""
    unknown: int = 0
    """Sent, and how it ended was not learned."""
    stale: int = 0
    """The machine changed since the plan, in what the plan depends on."""
    not_sent: int = 0
    """It had its turn, and nothing could be sent."""
    waiting: int = 0
    """Sent, or about to leave, and the end of the operation not read."""
    not_started: int = 0
    attached: int = 0
    """Machines whose attachment, or detachment, has come to an end."""
    to_attach: int = 0
    """Nought where the plan attaches and detaches nothing."""
    wave: int = 0
    """The one under way, counted from 1; 0: none has begun, or the plan has none."""
    waves: tuple[str, ...] = ()
    """The names of the plan's waves; empty: it has none."""
    ended_here: int = 0
    """Changes that this process sent and whose end Azure told, counted above too: its pace is told by these. What it
    only looked at, because an earlier process had sent it, or could not send, is none."""
    is_halted: bool = False
    """Nothing more is sent, in any region: stopped, frozen, a budget spent, or a wave after which none begins."""
    latest: ChangeResult | None = None
    errors: Mapping[str, MachineError] = field(default_factory=dict)


class Observer(Protocol):
    """Whoever wants to watch; every method may be ignored and none may raise."""

    def progressed(self, progress: Progress) -> None:
        """Called after each change of the tally."""
        ...

    def remarked(self, text: str) -> None:
        """One line for the person watching: a throttle pause, a retry, a stop."""
        ...
