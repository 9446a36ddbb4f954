"""`patchmode/schedule-attach/v1` and `patchmode/schedule-create/v1`: what was written, as published JSON documents.

Must not: change what a published version means; a change of meaning is a new version.
"""

from datetime import datetime
from typing import Any, Literal

import msgspec

from patchmode.documents.audit import AuditTarget
from patchmode.documents.base import Edge, Subscriptions, with_subscriptions
from patchmode.documents.schedules import ScheduleFindingRow, WindowRow, finding_row, target_row, window_row
from patchmode.model.report import CreateReport
from patchmode.model.schedule import AttachAction, AttachEnd, AttachReport, AttachResult

ATTACH_COLUMNS = (
    "id",
    "result",
    "assignment",
    "rule",
    "code",
    "message",
    "fix",
    "requestId",
    "correlationId",
    "endedAt",
)


class AttachError(Edge, frozen=True):
    """Why it did not end as wanted."""

    code: str
    message: str
    may_have_been_applied: bool
    advice: str
    http_status: int | None


class AttachRow(Edge, frozen=True):
    """One machine's, or one dynamic scope's, end."""

    id: str
    result: AttachEnd
    assignment: str | None
    rule: str | None
    error: AttachError | None
    fix: str | None
    request_id: str | None
    correlation_id: str | None
    ended_at: datetime | None


class AttachSkipped(Edge, frozen=True):
    """A machine that a filter left out."""

    id: str
    rule: str
    reason: str


class AttachUnreadable(Edge, frozen=True):
    """What could not be read."""

    id: str
    reason: str


class AttachCounts(Edge, frozen=True):
    """`scope` is the sum of the others."""

    scope: int
    attached: int
    detached: int
    unchanged: int
    refused: int
    failed: int
    unknown: int
    mismatch: int
    not_sent: int
    skipped: int
    unreadable: int


class AttachDocument(Edge, frozen=True):
    """`schedule attach -o json` and `schedule detach -o json`."""

    format: Literal["patchmode/schedule-attach/v1"]
    action: AttachAction
    target: AuditTarget
    configuration: str
    dynamic: bool
    state: Literal["finished", "interrupted"]
    counts: AttachCounts
    requests: dict[str, int]
    results: tuple[AttachRow, ...]
    skipped: tuple[AttachSkipped, ...]
    unreadable: tuple[AttachUnreadable, ...]
    notes: tuple[str, ...]
    subscriptions: Subscriptions = msgspec.UNSET
    """What its subscriptions are called; left out where no name is known."""


class CreateDifference(Edge, frozen=True):
    """One leaf that differs; a member that is left out means that the leaf is absent."""

    path: str
    expected: Any = msgspec.UNSET
    found: Any = msgspec.UNSET


class CreateDocument(Edge, frozen=True):
    """`schedule create -o json`."""

    format: Literal["patchmode/schedule-create/v1"]
    target: AuditTarget
    id: str
    result: Literal["created", "replaced", "unchanged"]
    properties: dict[str, Any]
    windows: tuple[WindowRow, ...]
    before: tuple[CreateDifference, ...]
    """Where what stood there differed from the wish."""
    differences: tuple[CreateDifference, ...]
    """Where a read afterwards differs from what was sent."""
    findings: tuple[ScheduleFindingRow, ...]
    subscriptions: Subscriptions = msgspec.UNSET
    """What its subscriptions are called; left out where no name is known."""


def attach_document(report: AttachReport) -> AttachDocument:
    """An attach or detach as it is published."""
    counts = report.counts
    document = AttachDocument(
        format="patchmode/schedule-attach/v1",
        action=report.action,
        target=target_row(report.target),
        configuration=str(report.configuration),
        dynamic=report.dynamic,
        state="interrupted" if report.state == "interrupted" else "finished",
        counts=AttachCounts(
            scope=counts["scope"],
            not_sent=counts[AttachEnd.NOT_SENT.value],
            **{name: number for name, number in counts.items() if name not in {"scope", AttachEnd.NOT_SENT.value}},
        ),
        requests=dict(report.requests or {}),
        results=tuple(map(attach_row, report.results)),
        skipped=tuple(AttachSkipped(id=str(one.id), rule=one.rule, reason=one.reason) for one in report.skipped),
        unreadable=tuple(AttachUnreadable(id=one.id, reason=one.reason) for one in report.unreadable),
        notes=report.notes,
    )
    return with_subscriptions(document, report.target.names)


def attach_row(result: AttachResult) -> AttachRow:
    """One machine's end."""
    error = result.error
    return AttachRow(
        id=result.id,
        result=result.result,
        assignment=result.assignment,
        rule=result.rule,
        error=None
        if error is None
        else AttachError(
            code=error.code,
            message=error.message,
            may_have_been_applied=error.may_have_been_applied,
            advice=error.advice,
            http_status=error.http_status,
        ),
        fix=result.fix,
        request_id=result.request_id,
        correlation_id=result.correlation_id,
        ended_at=result.ended_at,
    )


def flat_row(result: AttachResult) -> dict[str, Any]:
    """One machine's end without nesting, for CSV."""
    error = result.error
    return {
        "id": result.id,
        "result": result.result,
        "assignment": result.assignment,
        "rule": result.rule,
        "code": error.code if error else None,
        "message": error.message if error else None,
        "fix": result.fix or (error.advice if error else None),
        "requestId": result.request_id,
        "correlationId": result.correlation_id,
        "endedAt": result.ended_at,
    }


def create_document(report: CreateReport) -> CreateDocument:
    """A creation as it is published."""
    document = CreateDocument(
        format="patchmode/schedule-create/v1",
        target=target_row(report.target),
        id=str(report.id),
        result="created" if report.result == "created" else "replaced" if report.result == "replaced" else "unchanged",
        properties=dict(report.properties),
        windows=tuple(map(window_row, report.windows)),
        before=tuple(CreateDifference(**one.members()) for one in report.before),
        differences=tuple(CreateDifference(**one.members()) for one in report.differences),
        findings=tuple(map(finding_row, report.warnings)),
    )
    return with_subscriptions(document, report.target.names)
