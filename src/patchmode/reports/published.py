"""The published JSON of verify, runs, doctor and explain, member by member; audit, plan and run have theirs elsewhere.

`python -m patchmode.reports.published` writes the schemas anew, the audit's too.

Must not: be needed at run time; the schemas are what others read, and tests hold the reports to them.
"""

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from patchmode.documents.attachments import AttachDocument, CreateDocument
from patchmode.documents.audit import AuditDocument, AuditMachine, AuditTarget, AuditUnreadable
from patchmode.documents.base import Edge, Subscriptions, schema_text, write_schemas
from patchmode.documents.history import DriftDocument, FailuresDocument
from patchmode.documents.schedules import (
    ScheduleCheckDocument,
    ScheduleListDocument,
    ScheduleNextDocument,
    ScheduleShowDocument,
)
from patchmode.reports.text.history import AfterWindowDocument
from patchmode.reports.text.verification import EvidenceCheckDocument

FOLDER = Path(__file__).parent / "schemas"


class DifferenceRow(Edge, frozen=True):
    """One leaf that is not what it should be; a member that is left out means that the leaf is absent."""

    path: str
    expected: Any = msgspec.UNSET
    found: Any = msgspec.UNSET


class BlockedRow(Edge, frozen=True):
    """Why a machine cannot be set, by the first rule that blocks."""

    rule: str
    message: str
    fix: str | None


class LaterRow(Edge, frozen=True):
    """One leaf that was changed after the run had verified it; what is left out is absent."""

    path: str
    changed_by: str | None
    """By Azure's record of changes; null where it does not tell."""
    client_type: str | None
    timestamp: str | None
    expected: Any = msgspec.UNSET
    found: Any = msgspec.UNSET


class VerifiedRow(Edge, frozen=True):
    """What the provider showed for one machine; or a subscription that could not be read, under its own id."""

    id: str
    verified: bool
    differences: tuple[DifferenceRow, ...]
    unreadable_because: str | None
    changed_later: tuple[LaterRow, ...] | msgspec.UnsetType = msgspec.UNSET
    """Of a run or a plan file, and no mismatch: what was changed after the run, or since the plan, outside the patch
    settings."""
    reason: BlockedRow | msgspec.UnsetType = msgspec.UNSET
    """Only of a scope: the machine is not as wanted, and a rule does not let it be changed."""


class VerifyCounts(Edge, frozen=True):
    """`scope` is the sum of the others; the last three are left out where a run or a file was verified."""

    scope: int
    verified: int
    differing: int
    unreadable: int
    blocked: int | msgspec.UnsetType = msgspec.UNSET
    not_applicable: int | msgspec.UnsetType = msgspec.UNSET
    """Of which nothing was asked: Arc servers have no patch mode."""
    filtered_out: int | msgspec.UnsetType = msgspec.UNSET


class NotAskedRow(Edge, frozen=True):
    """A machine in scope of which nothing was asked."""

    id: str
    rule: str
    reason: str


class VerifyDocument(Edge, frozen=True):
    """`verify -o json`."""

    format: Literal["patchmode/verify/v1"]
    run: str | None
    """Null where a file or a scope was verified."""
    target: AuditTarget
    counts: VerifyCounts
    results: tuple[VerifiedRow, ...]
    not_applicable: tuple[NotAskedRow, ...] | msgspec.UnsetType = msgspec.UNSET
    filtered_out: tuple[NotAskedRow, ...] | msgspec.UnsetType = msgspec.UNSET
    not_done: dict[str, int] | msgspec.UnsetType = msgspec.UNSET
    """What else of the run or the plan is not as asked and was not compared: the kind → machines; left out: nothing."""
    notes: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """What a reader must know about how a scope was read; left out: nothing."""
    subscriptions: Subscriptions = msgspec.UNSET
    """What its subscriptions are called; left out where no name is known."""


class RunRow(Edge, frozen=True):
    """One run of the state folder; most is null where it cannot be read, and `problem` says why."""

    run: str
    state: Literal["running", "interrupted", "stopped", "finished", "unreadable"]
    created_at: datetime | None
    changes: int
    ended: int
    rollback_of: str | None
    endpoint: str | None
    tenant_id: str | None
    plan_digest: str | None
    problem: str | None
    undone_by: str | None
    """The newest rollback of it that sent anything."""
    undone_in_part: bool
    """Only some of its machines were rolled back."""


class RunsDocument(Edge, frozen=True):
    """`runs list -o json`, newest first."""

    format: Literal["patchmode/runs/v1"]
    runs: tuple[RunRow, ...]


class MissingActionRow(Edge, frozen=True):
    """An action that an identity lacks."""

    scope: str
    action: str
    needed_for: str
    identity: str | msgspec.UnsetType = msgspec.UNSET
    """Left out without an identity file, as every member about identities."""
    machines: int | msgspec.UnsetType = msgspec.UNSET
    """How many machines of the scope it is missing on; left out where it was asked of the subscription alone."""
    role: str | msgspec.UnsetType = msgspec.UNSET
    """A built-in role that has it; left out where none is named."""


class ReadOnlyLockRow(Edge, frozen=True):
    """A lock that stops writes."""

    name: str
    scope: str


class OtherLockRow(Edge, frozen=True):
    """A lock that stops no PATCH."""

    name: str
    scope: str
    level: str


class SubscriptionRow(Edge, frozen=True):
    """What doctor found in one subscription."""

    id: str
    name: str
    state: str
    registrations: dict[str, str]
    missing_actions: tuple[MissingActionRow, ...]
    read_only_locks: tuple[ReadOnlyLockRow, ...]
    other_locks: tuple[OtherLockRow, ...]
    notes: tuple[str, ...]
    identities: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """Who sees it, and so may be sent there."""


class DoctorDocument(Edge, frozen=True):
    """`doctor -o json`."""

    format: Literal["patchmode/doctor/v1"]
    target: AuditTarget
    principal: dict[str, str]
    """The token's claims that identify who is signed in; of several identities, the first."""
    resource_graph: str
    """`answers`, or why it does not."""
    subscriptions: tuple[SubscriptionRow, ...]
    unreadable: tuple[AuditUnreadable, ...]
    identities: dict[str, dict[str, str]] | msgspec.UnsetType = msgspec.UNSET
    """Name in the identity file → claims."""


class ExplainDocument(Edge, frozen=True):
    """`explain -o json`."""

    format: Literal["patchmode/explain/v1"]
    target: AuditTarget
    machine: AuditMachine
    document: dict[str, Any] | None
    """The machine as its provider answered it."""
    instance_view: dict[str, Any] | None
    notes: tuple[str, ...]
    subscriptions: Subscriptions = msgspec.UNSET
    """What its subscriptions are called; left out where no name is known."""


DOCUMENTS: dict[str, type[msgspec.Struct]] = {
    "audit": AuditDocument,
    "verify": VerifyDocument,
    "runs": RunsDocument,
    "doctor": DoctorDocument,
    "explain": ExplainDocument,
    "evidence-check": EvidenceCheckDocument,
    "drift": DriftDocument,
    "after-window": AfterWindowDocument,
    "schedule-failures": FailuresDocument,
    "schedule-list": ScheduleListDocument,
    "schedule-show": ScheduleShowDocument,
    "schedule-next": ScheduleNextDocument,
    "schedule-check": ScheduleCheckDocument,
    "schedule-attach": AttachDocument,
    "schedule-create": CreateDocument,
}
"""Command → the struct of its document. Plan and run have theirs in the store, which writes and reads them."""


def render_schemas() -> dict[str, str]:
    """File name → the JSON Schema's text."""
    return {f"{name}-v1.json": schema_text(struct) for name, struct in DOCUMENTS.items()}


if __name__ == "__main__":
    write_schemas(FOLDER, render_schemas())
