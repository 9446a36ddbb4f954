"""What was written of schedules, as published JSON documents: `patchmode/schedule-attach/v1` and others.

Must not: change what a published version means; a change of meaning is a new version.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from patchmode.documents.base import (
    DifferenceRow,
    Edge,
    ErrorRow,
    LeftOutRow,
    Subscriptions,
    TargetRow,
    UnreadableRow,
    difference_rows,
    error_row,
    left_out_rows,
    target_row,
    unreadable_rows,
    with_subscriptions,
)
from patchmode.documents.schedules import ScheduleFindingRow, WindowRow, finding_row, window_row
from patchmode.model.report import CreateReport, DeleteReport, ScheduleView
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


class AttachRow(Edge, frozen=True):
    """One machine's, or one dynamic scope's, end."""

    id: str
    result: AttachEnd
    assignment: str | None
    rule: str | None
    error: ErrorRow | None
    fix: str | None
    request_id: str | None
    correlation_id: str | None
    ended_at: datetime | None


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
    target: TargetRow
    configuration: str
    dynamic: bool
    state: Literal["finished", "interrupted"]
    counts: AttachCounts
    requests: dict[str, int]
    results: tuple[AttachRow, ...]
    skipped: tuple[LeftOutRow, ...]
    unreadable: tuple[UnreadableRow, ...]
    notes: tuple[str, ...]
    subscriptions: Subscriptions = msgspec.UNSET
    """What its subscriptions are called; left out where no name is known."""


class CreateDocument(Edge, frozen=True):
    """`schedule create -o json`."""

    format: Literal["patchmode/schedule-create/v1"]
    target: TargetRow
    id: str
    result: Literal["created", "replaced", "unchanged"]
    properties: dict[str, Any]
    windows: tuple[WindowRow, ...]
    before: tuple[DifferenceRow, ...]
    """Where what stood there differed from the wish."""
    differences: tuple[DifferenceRow, ...]
    """Where a read afterwards differs from what was sent."""
    findings: tuple[ScheduleFindingRow, ...]
    subscriptions: Subscriptions = msgspec.UNSET
    """What its subscriptions are called; left out where no name is known."""


class UpdateDocument(Edge, frozen=True):
    """`schedule update -o json`."""

    format: Literal["patchmode/schedule-update/v1"]
    target: TargetRow
    id: str
    result: Literal["updated", "unchanged"]
    properties: dict[str, Any]
    """What was sent."""
    windows: tuple[WindowRow, ...]
    before: tuple[DifferenceRow, ...]
    """What was changed: `expected` is the new value, `found` what stood there."""
    differences: tuple[DifferenceRow, ...]
    """Where a read afterwards differs from what was sent."""
    findings: tuple[ScheduleFindingRow, ...]
    members: int
    """Machines that it reaches, those in doubt among them."""
    unseen: int
    """Machines with an assignment that do not exist or are not seen."""
    forecast_before: dict[str, int]
    """How its next window would have ended for its members."""
    forecast_after: dict[str, int]
    notes: tuple[str, ...]
    subscriptions: Subscriptions = msgspec.UNSET
    """What its subscriptions are called; left out where no name is known."""


class DeleteDocument(Edge, frozen=True):
    """`schedule delete -o json`."""

    format: Literal["patchmode/schedule-delete/v1"]
    target: TargetRow
    id: str
    result: Literal["deleted", "failed", "unknown", "mismatch", "notSent"]
    """Of the schedule itself; `notSent`: one of its assignments is still there."""
    state: Literal["finished", "interrupted"]
    error: ErrorRow | None
    location: str
    tags: dict[str, str]
    properties: dict[str, Any]
    """The schedule as it was."""
    left: dict[str, int]
    """Who patches its members without it, as predicted before: outcome → machines."""
    unseen: int
    """Machines with an assignment that do not exist or are not seen."""
    requests: dict[str, int]
    results: tuple[AttachRow, ...]
    """Each machine and dynamic scope that it was detached from."""
    notes: tuple[str, ...]
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
        skipped=left_out_rows(report.skipped),
        unreadable=unreadable_rows(report.unreadable),
        notes=report.notes,
    )
    return with_subscriptions(document, report.target.names)


def attach_row(result: AttachResult) -> AttachRow:
    """One machine's end."""
    return AttachRow(
        id=result.id,
        result=result.result,
        assignment=result.assignment,
        rule=result.rule,
        error=error_row(result.error),
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
        before=difference_rows(report.before),
        differences=difference_rows(report.differences),
        findings=tuple(map(finding_row, report.warnings)),
    )
    return with_subscriptions(document, report.target.names)


_ENDS: Mapping[str, Literal["deleted", "failed", "unknown", "mismatch", "notSent"]] = {
    "deleted": "deleted",
    "failed": "failed",
    "unknown": "unknown",
    "mismatch": "mismatch",
    "notSent": "notSent",
}


def delete_document(report: DeleteReport) -> DeleteDocument:
    """A deletion as it is published."""
    found = report.configuration
    document = DeleteDocument(
        format="patchmode/schedule-delete/v1",
        target=target_row(report.target),
        id=str(found.id),
        result=_ENDS[report.result],
        state="interrupted" if report.state == "interrupted" else "finished",
        error=error_row(report.end.error),
        location=found.location,
        tags=dict(found.tags),
        properties=dict(found.properties),
        left={kind.value: count for kind, count in report.left.items()},
        unseen=report.unseen,
        requests=dict(report.requests or {}),
        results=tuple(map(attach_row, report.detached)),
        notes=report.notes,
    )
    return with_subscriptions(document, report.target.names)


def update_document(
    report: CreateReport, now: ScheduleView, then: ScheduleView, notes: tuple[str, ...]
) -> UpdateDocument:
    """A change as it is published, with the schedule before and after it."""
    document = UpdateDocument(
        format="patchmode/schedule-update/v1",
        target=target_row(report.target),
        id=str(report.id),
        result="updated" if report.result == "updated" else "unchanged",
        properties=dict(report.properties),
        windows=tuple(map(window_row, report.windows)),
        before=difference_rows(report.before),
        differences=difference_rows(report.differences),
        findings=tuple(map(finding_row, report.warnings)),
        members=len(now.members),
        unseen=len(now.unseen),
        forecast_before={kind.value: count for kind, count in now.forecasts.items()},
        forecast_after={kind.value: count for kind, count in then.forecasts.items()},
        notes=notes,
    )
    return with_subscriptions(document, report.target.names)
