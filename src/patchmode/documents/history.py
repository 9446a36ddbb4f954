"""`patchmode/drift/v1`, `schedule-failures/v1` and `after-window/v1`: changes between readings, and scheduled runs."""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

import msgspec

from patchmode.documents.base import Edge, Subscriptions, TargetRow, target_row, with_subscriptions
from patchmode.model.drift import Drift, DriftKind, Move, ResourceChange
from patchmode.model.run_history import AfterWindowReport, FailureReport, ScheduleRun, WindowEnd, WindowResult
from patchmode.model.schedule import FailureKind


class AuthorRow(Edge, frozen=True):
    """Azure's own record of the change; null: the record does not say."""

    changed_by: str | None
    changed_by_type: str | None
    client_type: str | None
    operation: str | None
    timestamp: datetime | None
    correlation_id: str | None


class DriftDocument(Edge, frozen=True):
    """One line of `watch -o jsonl`."""

    format: Literal["patchmode/drift/v1"]
    seen_at: datetime
    """When the look that shows it was taken."""
    id: str
    change: DriftKind
    fields: tuple[Move, ...]
    outcome_before: str | None
    outcome_after: str | None
    outcome_reason: str
    schedules_gained: tuple[str, ...]
    schedules_lost: tuple[str, ...]
    because: str
    """Why it went, where that is known."""
    author: AuthorRow | None
    """Null: Azure did not tell."""


def drift_document(drift: Drift, *, seen_at: datetime) -> DriftDocument:
    """The published struct for one machine's drift."""
    return DriftDocument(
        format="patchmode/drift/v1",
        seen_at=seen_at,
        id=str(drift.id),
        change=drift.kind,
        fields=drift.moves,
        outcome_before=drift.outcome_before,
        outcome_after=drift.outcome_after,
        outcome_reason=drift.outcome_reason,
        schedules_gained=drift.schedules_gained,
        schedules_lost=drift.schedules_lost,
        because=drift.because,
        author=None if drift.author is None else _author_row(drift.author),
    )


def _author_row(author: ResourceChange) -> AuthorRow:
    return AuthorRow(
        changed_by=author.changed_by,
        changed_by_type=author.changed_by_type,
        client_type=author.client_type,
        operation=author.operation,
        timestamp=author.at,
        correlation_id=author.correlation_id,
    )


class FailedMachinesRow(Edge, frozen=True):
    """The machines of one run that failed for one reason."""

    reason: FailureKind
    words: str
    machines: tuple[str, ...]
    recovered: int
    """How many of them succeeded in their last run."""
    messages: tuple[str, ...]
    advice: str
    command: str | None
    texts: tuple[str, ...] = ()
    """What Azure recorded of each machine, in their order; empty where it recorded nothing."""


class ScheduleRunRow(Edge, frozen=True):
    """One run; `members` is the sum of `succeeded`, `failed` and what is `unfinished`."""

    configuration: str | None
    name: str | None
    correlation_id: str | None
    started_at: datetime | None
    local_start: datetime | None
    time_zone: str | None
    members: int
    succeeded: int
    failed: int
    unfinished: tuple[str, ...]
    failures: tuple[FailedMachinesRow, ...]


class FailuresDocument(Edge, frozen=True):
    """`schedule failures -o json`."""

    format: Literal["patchmode/schedule-failures/v1"]
    created_at: datetime | None
    target: TargetRow
    scope: tuple[str, ...]
    since: str
    counts: dict[str, int]
    runs: tuple[ScheduleRunRow, ...]
    """Newest first."""
    notes: tuple[str, ...]
    subscriptions: Subscriptions = msgspec.UNSET
    """What its subscriptions are called; left out where no name is known."""


FAILURE_COLUMNS = ("startedAt", "name", "configuration", "machine", "reason", "words", "messages", "advice", "command")
"""One row for each machine that failed in a run."""


def failures_document(report: FailureReport) -> FailuresDocument:
    """The published struct for a history."""
    target = report.target
    document = FailuresDocument(
        format="patchmode/schedule-failures/v1",
        created_at=report.created_at,
        target=target_row(target),
        scope=report.scope,
        since=str(report.since),
        counts=report.counts,
        runs=tuple(_run(entry) for entry in report.runs),
        notes=report.notes,
    )
    return with_subscriptions(document, target.names)


def _run(run: ScheduleRun) -> ScheduleRunRow:
    return ScheduleRunRow(
        configuration=str(run.configuration) if run.configuration else None,
        name=run.configuration.name if run.configuration else None,
        correlation_id=run.correlation_id,
        started_at=run.started_at,
        local_start=run.local_start,
        time_zone=run.time_zone,
        members=run.members,
        succeeded=len(run.succeeded),
        failed=run.failed,
        unfinished=tuple(map(str, run.unfinished)),
        failures=tuple(
            FailedMachinesRow(
                reason=entry.kind,
                words=entry.words,
                machines=tuple(map(str, entry.machines)),
                recovered=entry.recovered,
                messages=entry.messages,
                advice=entry.advice,
                command=entry.command,
                texts=entry.texts,
            )
            for entry in run.failures
        ),
    )


def failure_rows(report: FailureReport) -> Iterator[dict[str, object]]:
    """One mapping for each machine that failed in a run, for csv and jsonl."""
    for run in failures_document(report).runs:
        for entry in run.failures:
            for number, machine in enumerate(entry.machines):
                yield {
                    "startedAt": run.started_at,
                    "name": run.name,
                    "configuration": run.configuration,
                    "machine": machine,
                    "reason": entry.reason,
                    "words": entry.words,
                    "messages": entry.texts[number : number + 1],
                    "advice": entry.advice,
                    "command": entry.command,
                }


class WindowResultRow(Edge, frozen=True):
    """One machine."""

    id: str
    result: WindowEnd
    reason: str
    fix: str | None
    configuration: str | None
    run_started_at: datetime | None
    window_ends_at: datetime | None


class AfterWindowDocument(Edge, frozen=True):
    """`verify --after-window -o json`."""

    format: Literal["patchmode/after-window/v1"]
    source: Literal["resource-graph"]
    run: str | None
    """Null where a file or a scope was asked for."""
    target: TargetRow
    since: datetime
    looked_at: datetime
    counts: dict[str, int]
    """`scope` is the sum of the others."""
    results: tuple[WindowResultRow, ...]
    notes: tuple[str, ...]
    not_done: dict[str, int] | msgspec.UnsetType = msgspec.UNSET
    """What of the run or the plan was not done, so that no window was looked for; left out: nothing."""
    subscriptions: Subscriptions = msgspec.UNSET
    """What its subscriptions are called; left out where no name is known."""


AFTER_WINDOW_COLUMNS = WindowResultRow.__struct_encode_fields__


def after_window_document(report: AfterWindowReport, *, run: str | None) -> AfterWindowDocument:
    """The published struct."""
    target = report.target
    document = AfterWindowDocument(
        format="patchmode/after-window/v1",
        source="resource-graph",
        run=run,
        target=target_row(target),
        since=report.since,
        looked_at=report.looked_at,
        counts=report.counts,
        results=tuple(map(window_result_row, report.results)),
        notes=report.notes,
        not_done=dict(report.not_done) or msgspec.UNSET,
    )
    return with_subscriptions(document, target.names)


def window_result_row(entry: WindowResult) -> WindowResultRow:
    """One machine as it stands in `results`."""
    return WindowResultRow(
        id=str(entry.id),
        result=entry.result,
        reason=entry.reason,
        fix=entry.fix,
        configuration=entry.configuration,
        run_started_at=entry.run_started_at,
        window_ends_at=entry.window_ends_at,
    )
