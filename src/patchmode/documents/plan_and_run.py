"""The JSON that outlives a process: the plan file and the run report, member by member.

These structs are the published contract (`schemas/*.json` are made from them), so that the model may change without
changing what other programs read. A version never changes once published; a change of meaning is a new version.

Must not: read or write files, or check anything beyond shape.
"""

from datetime import datetime
from typing import Any, Literal

import msgspec

from patchmode.documents.base import Edge, Subscriptions
from patchmode.model.machine import MachineKind
from patchmode.model.outcome import OutcomeKind
from patchmode.model.patch_settings import OperatingSystem, Orchestration, RebootSetting
from patchmode.model.run import Result
from patchmode.model.schedule import AttachEnd

PLAN_FORMAT = "patchmode/plan/v1"
RUN_FORMAT = "patchmode/run/v1"


class TargetRow(Edge, frozen=True):
    """Where the document belongs."""

    cloud: str
    endpoint: str
    tenant_id: str


class WantedRow(Edge, frozen=True):
    """What the user asked for by name; null and false mean "leave alone"."""

    orchestration: Orchestration | None
    periodic_assessment: bool | None
    reboot: RebootSetting | None
    hotpatch_off: bool
    include_scale_set_members: bool


class ChangeRow(Edge, frozen=True):
    """One PATCH of one machine, with all that apply, verify and rollback need."""

    id: str
    kind: MachineKind
    os: OperatingSystem
    location: str
    etag: str | None
    body: dict[str, Any]
    """The request body, complete and verbatim."""
    before: dict[str, Any] | None
    """The machine's `patchSettings` as read; null: absent."""
    after: dict[str, Any]
    outcome_before: OutcomeKind
    outcome_before_reason: str
    outcome_after: OutcomeKind
    outcome_after_reason: str
    reversible: bool
    irreversible_because: str | None
    tolerated: tuple[str, ...]
    document: dict[str, Any]
    """The provider's whole document that the plan was made from."""


class UnchangedRow(Edge, frozen=True):
    """A machine that already is as wanted."""

    id: str
    kind: MachineKind
    outcome: OutcomeKind
    outcome_reason: str
    outcome_after: OutcomeKind | msgspec.UnsetType = msgspec.UNSET
    """Left out, with its reason, where attaching or taking off a schedule makes no difference."""
    outcome_after_reason: str | msgspec.UnsetType = msgspec.UNSET


class SkippedRow(Edge, frozen=True):
    """A machine that is left alone, and the rule that says so."""

    id: str
    rule: str
    reason: str
    fix: str | None
    outcome: OutcomeKind | None
    outcome_reason: str | None


class UnreadableRow(Edge, frozen=True):
    """A machine or a subscription that could not be read."""

    id: str
    reason: str


class KeptByRow(Edge, frozen=True):
    """A lock under which the schedule cannot be taken off again."""

    lock: str
    scope: str
    machines: int


class ThenAttachRow(Edge, frozen=True):
    """The schedule to attach to each machine once its settings were verified."""

    configuration: str
    name: str
    """Of the assignment."""
    kept_by: tuple[KeptByRow, ...] | msgspec.UnsetType = msgspec.UNSET
    """`CanNotDelete` locks; left out where there are none."""


class DetachmentRow(Edge, frozen=True):
    """An assignment to delete before the machine's settings are touched."""

    id: str
    kind: MachineKind
    configuration: str
    name: str


class WaveRow(Edge, frozen=True):
    """Machines that are carried out together: the next ones of `changes`, and with `thenAttach` of `unchanged`."""

    name: str
    changes: int
    unchanged: int


class PlanCountsRow(Edge, frozen=True):
    """`scope` is the sum of the others."""

    scope: int
    changes: int
    unchanged: int
    skipped: int
    unreadable: int


class PlanDocument(Edge, frozen=True):
    """The plan file."""

    format: Literal["patchmode/plan/v1"]
    tool_version: str
    created_at: datetime | None
    target: TargetRow
    scope: tuple[str, ...]
    wanted: WantedRow
    rollback_of: str | None
    counts: PlanCountsRow
    changes: tuple[ChangeRow, ...]
    unchanged: tuple[UnchangedRow, ...]
    skipped: tuple[SkippedRow, ...]
    unreadable: tuple[UnreadableRow, ...]
    then_attach: ThenAttachRow | msgspec.UnsetType = msgspec.UNSET
    """Left out where nothing is attached: versions before 0.2 refuse a plan with members that they do not know."""
    first_detach: tuple[DetachmentRow, ...] | msgspec.UnsetType = msgspec.UNSET
    """Left out where nothing is detached; only in the plan of a rollback."""
    waves: tuple[WaveRow, ...] | msgspec.UnsetType = msgspec.UNSET
    """In the order in which they are carried out; left out where everything is carried out at once."""
    subscriptions: Subscriptions = msgspec.UNSET
    """Names of the subscriptions in it, and of others that bear one of these; left out where none is known."""
    digest: str | msgspec.UnsetType = msgspec.UNSET
    """SHA-256, in hex, over this document's canonical text: keys sorted, no white space, without this member."""


class RunCountsRow(Edge, frozen=True):
    """`verified` and `blocked` are counted beside the others, which add up to `scope`."""

    scope: int
    applied: int
    failed: int
    unknown: int
    stale: int
    not_sent: int
    unchanged: int
    skipped: int
    unreadable: int
    verified: int
    blocked: int | msgspec.UnsetType = msgspec.UNSET
    """Those of `skipped` of which something was asked that is not so; left out where nothing was skipped."""


class BlockedMachineRow(Edge, frozen=True):
    """A machine of which something was asked that is not so, and the rule that left it alone."""

    id: str
    rule: str
    reason: str
    fix: str | None


class ErrorRow(Edge, frozen=True):
    """Why a change did not end as planned."""

    code: str
    message: str
    may_have_been_applied: bool
    advice: str
    http_status: int | None


class DifferenceRow(Edge, frozen=True):
    """One leaf that is not what it should be; a member that is left out means that the leaf is absent."""

    path: str
    expected: Any = msgspec.UNSET
    found: Any = msgspec.UNSET


class VerificationRow(Edge, frozen=True):
    """What the provider showed after the change."""

    verified: bool
    differences: tuple[DifferenceRow, ...]
    unreadable_because: str | None


class ResultRow(Edge, frozen=True):
    """One change's end."""

    id: str
    result: Result
    error: ErrorRow | None
    request_id: str | None
    correlation_id: str | None
    started_at: datetime | None
    ended_at: datetime | None
    verification: VerificationRow | None
    changed_since_plan: tuple[DifferenceRow, ...] | msgspec.UnsetType = msgspec.UNSET
    """What had changed on the machine when its PATCH left, in nothing the plan depends on: `expected` is the plan's
    value, `found` the one before the write. Left out where nothing had."""


class AttachmentRow(Edge, frozen=True):
    """What became of attaching the schedule to one machine, or of taking it off."""

    id: str
    result: AttachEnd
    assignment: str | None
    """The assignment's name."""
    rule: str | None
    """With `refused`: the rule that says so."""
    error: ErrorRow | None
    ended_at: datetime | None


class WaveCountsRow(Edge, frozen=True):
    """What became of one wave's changes; the others add up to `changes`."""

    name: str
    changes: int
    applied: int
    failed: int
    unknown: int
    stale: int
    not_sent: int


class RunPartRow(Edge, frozen=True):
    """One of the runs that a report unites."""

    source: str
    """Where it was read."""
    run: str
    """Empty where the shard had nothing to do."""
    shard: str | None
    state: Literal["running", "interrupted", "stopped", "finished"]
    counts: RunCountsRow


class HaltRow(Edge, frozen=True):
    """What held a run back that was stopped."""

    code: str
    because: str
    """Goes on from "it was still to come when"."""
    region: str | None
    """null: the whole run."""


class RunDocument(Edge, frozen=True):
    """`apply -o json`, `runs show -o json` and `runs merge -o json`."""

    format: Literal["patchmode/run/v1"]
    run: str
    state: Literal["running", "interrupted", "stopped", "finished"]
    target: TargetRow
    counts: RunCountsRow
    requests: dict[str, int]
    """HTTP method → requests sent by this run to apply and verify; sign-in, planning and permission checks not
    counted."""
    results: tuple[ResultRow, ...]
    attachments: tuple[AttachmentRow, ...] | msgspec.UnsetType = msgspec.UNSET
    """Left out where the plan attaches and detaches nothing."""
    attach_counts: dict[AttachEnd, int] | msgspec.UnsetType = msgspec.UNSET
    """Result of `attachments` → how many; those of none are left out."""
    waves: tuple[WaveCountsRow, ...] | msgspec.UnsetType = msgspec.UNSET
    """In the order in which they are carried out; left out where the plan has none."""
    shard: str | msgspec.UnsetType = msgspec.UNSET
    """`2/8`; left out where the run took its whole scope."""
    runs: tuple[RunPartRow, ...] | msgspec.UnsetType = msgspec.UNSET
    """The runs that the report unites; left out in the report of one run."""
    missing_shards: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """Beside `runs`: shards of their division of which nothing is told."""
    stopped_by: tuple[HaltRow, ...] | msgspec.UnsetType = msgspec.UNSET
    """Left out where nothing held the run back, and where that is not known."""
    brakes: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    """Option → value, of what holds the run back; left out where it was not written down."""
    subscriptions: Subscriptions = msgspec.UNSET
    """Names of the subscriptions in it, and of others that bear one of these; left out where none is known."""
    blocked: tuple[BlockedMachineRow, ...] | msgspec.UnsetType = msgspec.UNSET
    """Left out where there is none."""
    requests_at_least: bool | msgspec.UnsetType = msgspec.UNSET
    """true: the run sent `requests` and perhaps more, since a process of it was killed or has not ended yet, or an
    earlier version carried it out; left out where `requests` are all."""
    unreadable: tuple[UnreadableRow, ...] | msgspec.UnsetType = msgspec.UNSET
    """Machines and subscriptions that could not be read when it was planned; left out where there is none."""
