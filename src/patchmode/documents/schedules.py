"""`patchmode/schedule-list/v1`, `-show`, `-next` and `-check`: schedules as published JSON documents.

Must not: change what a published version means; a change of meaning is a new version.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from patchmode.documents.assessments import PendingRow, pending_row
from patchmode.documents.base import Edge, Subscriptions, TargetRow, target_row, with_subscriptions
from patchmode.documents.maintenance_events import EventsRow, events_row
from patchmode.model.finding import Severity
from patchmode.model.report import (
    Calendar,
    CalendarEntry,
    CheckReport,
    LastRun,
    Member,
    ScheduleDetail,
    ScheduleFinding,
    ScheduleList,
    ScheduleView,
    forecast_counts,
)
from patchmode.model.schedule import DynamicScope, FailureKind, NextWindow, RunForecast, Timing, Via, Window


class WindowRow(Edge, frozen=True):
    """One maintenance window."""

    starts_at: datetime
    ends_at: datetime
    local_start: datetime
    """With the offset of the configuration's own zone."""


class ForecastCounts(Edge, frozen=True):
    """How many machines will end how; those in doubt are unknown."""

    runs: int
    fails: int
    missed: int
    no_window: int
    unknown: int


class ScheduleFindingRow(Edge, frozen=True):
    """One rule's verdict on a schedule."""

    rule: str
    severity: Severity
    message: str
    fix: str
    configuration: str | None
    subjects: tuple[str, ...]
    evidence: str


class DynamicScopeRow(Edge, frozen=True):
    """One dynamic scope; an empty list does not narrow."""

    id: str
    name: str
    place: str
    resource_types: tuple[str, ...]
    resource_groups: tuple[str, ...]
    os_types: tuple[str, ...]
    locations: tuple[str, ...]
    tags: dict[str, tuple[str, ...]]
    any_tag: bool
    unknown_members: tuple[str, ...]
    """Members of the filter that are set and cannot be evaluated."""


class MemberCounts(Edge, frozen=True):
    """How many machines it reaches; those in doubt stand beside the others."""

    static: int
    dynamic: int
    in_doubt: int


class ScheduleRow(Edge, frozen=True):
    """One configuration."""

    id: str
    name: str
    subscription_id: str
    resource_group: str
    location: str
    window: str
    """In words."""
    start: str | None
    expiration: str | None
    duration: str | None
    time_zone: str | None
    recur_every: str | None
    reboot_setting: str | None
    timing: Timing
    next_window: WindowRow | None
    because: str
    """Why there is no next window, or why it cannot be told; empty where there is one."""
    members: MemberCounts
    forecast: ForecastCounts
    dynamic_scopes: tuple[DynamicScopeRow, ...]
    findings: tuple[ScheduleFindingRow, ...]


class MemberRow(Edge, frozen=True):
    """One machine that a configuration reaches."""

    id: str
    via: Via
    clause: str
    also: tuple[str, ...]
    doubt: str | None
    result: RunForecast
    reason: str
    rule: str | None


class StaticAssignmentRow(Edge, frozen=True):
    """One static assignment."""

    name: str
    machine: str


class FailedMemberRow(Edge, frozen=True):
    """One machine of a past run that was not patched."""

    id: str
    kind: FailureKind
    message: str
    next: RunForecast | None
    """What becomes of it in the next window; null: it is no member now."""


class LastRunRow(Edge, frozen=True):
    """The last recorded run."""

    correlation_id: str | None
    started_at: datetime | None
    statuses: dict[str, int]
    came: tuple[str, ...]
    went: tuple[str, ...]
    failed: tuple[FailedMemberRow, ...]


class ScheduleListDocument(Edge, frozen=True):
    """`schedule list -o json`."""

    format: Literal["patchmode/schedule-list/v1"]
    target: TargetRow
    created_at: datetime
    other_scopes: int
    schedules: tuple[ScheduleRow, ...]
    notes: tuple[str, ...]
    subscriptions: Subscriptions = msgspec.UNSET
    """What its subscriptions are called; left out where no name is known."""


class ScheduleShowDocument(Edge, frozen=True):
    """`schedule show -o json`."""

    format: Literal["patchmode/schedule-show/v1"]
    target: TargetRow
    created_at: datetime
    schedule: ScheduleRow
    properties: dict[str, Any]
    """As Resource Graph shows them."""
    windows: tuple[WindowRow, ...]
    assignments: tuple[StaticAssignmentRow, ...]
    members: tuple[MemberRow, ...]
    last_run: LastRunRow | None
    notes: tuple[str, ...]
    pending: tuple[PendingRow, ...] | None = None
    """Of each member; null: the assessments could not be read."""
    events: EventsRow | None = None
    """Who is told by Event Grid before and after its runs; null: written by a version that did not look."""
    subscriptions: Subscriptions = msgspec.UNSET
    """What its subscriptions are called; left out where no name is known."""


class CalendarRow(Edge, frozen=True):
    """One coming window."""

    configuration: str
    name: str
    starts_at: datetime
    ends_at: datetime
    local_start: datetime
    counts: ForecastCounts
    machines: tuple[MemberRow, ...]


class SilentRow(Edge, frozen=True):
    """A configuration that reaches machines and of which no window can be told."""

    configuration: str
    timing: Timing
    because: str
    machines: int


class ScheduleNextDocument(Edge, frozen=True):
    """`schedule next -o json`."""

    format: Literal["patchmode/schedule-next/v1"]
    target: TargetRow
    scope: tuple[str, ...]
    start: datetime
    end: datetime
    windows: tuple[CalendarRow, ...]
    silent: tuple[SilentRow, ...]
    notes: tuple[str, ...]
    subscriptions: Subscriptions = msgspec.UNSET
    """What its subscriptions are called; left out where no name is known."""


class SeverityCounts(Edge, frozen=True):
    """How many findings have each severity."""

    blocks: int
    warns: int
    notes: int


class ScheduleCheckDocument(Edge, frozen=True):
    """`schedule check -o json`."""

    format: Literal["patchmode/schedule-check/v1"]
    target: TargetRow
    created_at: datetime
    checked: tuple[str, ...]
    counts: SeverityCounts
    findings: tuple[ScheduleFindingRow, ...]
    notes: tuple[str, ...]
    unreadable: int = 0
    """Rows, machines and subscriptions that could not be read; `notes` names them."""
    subscriptions: Subscriptions = msgspec.UNSET
    """What its subscriptions are called; left out where no name is known."""


LIST_COLUMNS = (
    "id",
    "name",
    "window",
    "timing",
    "nextWindow",
    "localStart",
    "static",
    "dynamic",
    "inDoubt",
    "findings",
)
NEXT_COLUMNS = ("startsAt", "endsAt", "localStart", "name", "configuration", "runs", "fails", "missed", "unknown")
SHOW_COLUMNS = ("id", "via", "clause", "doubt", "result", "rule", "reason")
CHECK_COLUMNS = ("severity", "rule", "configuration", "message", "fix", "subjects", "evidence")


def list_document(found: ScheduleList) -> ScheduleListDocument:
    """`schedule list` as it is published."""
    document = ScheduleListDocument(
        format="patchmode/schedule-list/v1",
        target=target_row(found.target),
        created_at=found.created_at,
        other_scopes=found.other_scopes,
        schedules=tuple(map(schedule_row, found.schedules)),
        notes=found.notes,
    )
    return with_subscriptions(document, found.target.names)


def list_rows(found: ScheduleList) -> Iterable[Mapping[str, Any]]:
    """One flat row a configuration, for CSV."""
    for view in found.schedules:
        window, row = view.next.window, schedule_row(view)
        yield {
            "id": row.id,
            "name": row.name,
            "window": row.window,
            "timing": row.timing,
            "nextWindow": window.starts_at if window else None,
            "localStart": window.local_start if window else None,
            "static": row.members.static,
            "dynamic": row.members.dynamic,
            "inDoubt": row.members.in_doubt,
            "findings": [finding.rule for finding in row.findings],
        }


def show_document(detail: ScheduleDetail) -> ScheduleShowDocument:
    """`schedule show` as it is published."""
    view = detail.schedule
    document = ScheduleShowDocument(
        format="patchmode/schedule-show/v1",
        target=target_row(detail.target),
        created_at=detail.created_at,
        schedule=schedule_row(view),
        properties=dict(view.configuration.properties),
        windows=tuple(map(window_row, detail.windows)),
        assignments=tuple(StaticAssignmentRow(name=one.name, machine=str(one.machine)) for one in view.assignments),
        members=tuple(map(member_row, view.members)),
        last_run=_last_run_row(detail.last_run) if detail.last_run else None,
        notes=detail.notes,
        pending=None
        if detail.pending.refusal
        else tuple(pending_row(one.machine.id, detail.pending.found.get(one.machine.id)) for one in view.members),
        events=None if detail.events is None else events_row(detail.events),
    )
    return with_subscriptions(document, detail.target.names)


def next_document(calendar: Calendar) -> ScheduleNextDocument:
    """`schedule next` as it is published."""
    document = ScheduleNextDocument(
        format="patchmode/schedule-next/v1",
        target=target_row(calendar.target),
        scope=calendar.scope,
        start=calendar.start,
        end=calendar.end,
        windows=tuple(map(calendar_row, calendar.entries)),
        silent=tuple(
            SilentRow(
                configuration=str(view.configuration.id),
                timing=view.next.timing,
                because=view.next.because,
                machines=len(view.members),
            )
            for view in calendar.silent
        ),
        notes=calendar.notes,
    )
    return with_subscriptions(document, calendar.target.names)


def next_rows(calendar: Calendar) -> Iterable[Mapping[str, Any]]:
    """One flat row a window, for CSV."""
    for entry in calendar.entries:
        counts = {str(kind): number for kind, number in forecast_counts(entry.members).items()}
        del counts[RunForecast.NO_WINDOW]
        yield {
            "startsAt": entry.window.starts_at,
            "endsAt": entry.window.ends_at,
            "localStart": entry.window.local_start,
            "name": entry.configuration.name,
            "configuration": str(entry.configuration.id),
            **counts,
        }


def check_document(report: CheckReport) -> ScheduleCheckDocument:
    """`schedule check` as it is published."""
    tally = {severity: sum(one.severity is severity for one in report.findings) for severity in Severity}
    document = ScheduleCheckDocument(
        format="patchmode/schedule-check/v1",
        target=target_row(report.target),
        created_at=report.created_at,
        checked=tuple(str(view.configuration.id) for view in report.checked),
        counts=SeverityCounts(**{severity.value: number for severity, number in tally.items()}),
        findings=tuple(map(finding_row, report.findings)),
        notes=report.notes,
        unreadable=report.unreadable,
    )
    return with_subscriptions(document, report.target.names)


def window_row(window: Window) -> WindowRow:
    """One window."""
    return WindowRow(starts_at=window.starts_at, ends_at=window.ends_at, local_start=window.local_start)


def finding_row(finding: ScheduleFinding) -> ScheduleFindingRow:
    """One finding."""
    return ScheduleFindingRow(
        rule=finding.rule,
        severity=finding.severity,
        message=finding.message,
        fix=finding.fix,
        configuration=finding.configuration,
        subjects=finding.subjects,
        evidence=finding.evidence,
    )


def schedule_row(view: ScheduleView) -> ScheduleRow:
    """One configuration."""
    one, rule = view.configuration, view.configuration.window
    return ScheduleRow(
        id=str(one.id),
        name=one.name,
        subscription_id=one.id.subscription_id,
        resource_group=one.id.resource_group,
        location=one.location,
        window=view.window_text,
        start=rule.start,
        expiration=rule.expiration,
        duration=rule.duration,
        time_zone=rule.time_zone,
        recur_every=rule.recur_every,
        reboot_setting=one.reboot_setting,
        timing=view.next.timing,
        next_window=_next_row(view.next),
        because=view.next.because,
        members=MemberCounts(static=view.via[Via.STATIC], dynamic=view.via[Via.DYNAMIC], in_doubt=view.in_doubt),
        forecast=_counts(view.members),
        dynamic_scopes=tuple(map(_scope_row, view.dynamic_scopes)),
        findings=tuple(map(finding_row, view.findings)),
    )


def member_row(member: Member) -> MemberRow:
    """One member."""
    return MemberRow(
        id=str(member.machine.id),
        via=member.hit.via,
        clause=member.hit.clause,
        also=member.hit.also,
        doubt=member.hit.doubt,
        result=member.forecast.result,
        reason=member.forecast.reason,
        rule=member.forecast.rule,
    )


def calendar_row(entry: CalendarEntry) -> CalendarRow:
    """One window of the calendar."""
    return CalendarRow(
        configuration=str(entry.configuration.id),
        name=entry.configuration.name,
        starts_at=entry.window.starts_at,
        ends_at=entry.window.ends_at,
        local_start=entry.window.local_start,
        counts=_counts(entry.members),
        machines=tuple(map(member_row, entry.members)),
    )


def _next_row(following: NextWindow) -> WindowRow | None:
    return window_row(following.window) if following.window else None


def _counts(members: tuple[Member, ...]) -> ForecastCounts:
    return ForecastCounts(**{kind.name.lower(): number for kind, number in forecast_counts(members).items()})


def _scope_row(scope: DynamicScope) -> DynamicScopeRow:
    wanted = scope.filter
    return DynamicScopeRow(
        id=scope.id,
        name=scope.name,
        place=scope.place,
        resource_types=wanted.resource_types,
        resource_groups=wanted.resource_groups,
        os_types=wanted.os_types,
        locations=wanted.locations,
        tags={key: tuple(values) for key, values in wanted.tags.items()},
        any_tag=wanted.any_tag,
        unknown_members=wanted.unknown,
    )


def _last_run_row(run: LastRun) -> LastRunRow:
    return LastRunRow(
        correlation_id=run.correlation_id,
        started_at=run.started_at,
        statuses=dict(run.statuses),
        came=run.came,
        went=run.went,
        failed=tuple(
            FailedMemberRow(
                id=str(one.machine),
                kind=one.kind,
                message=one.message,
                next=one.forecast.result if one.forecast else None,
            )
            for one in run.failed
        ),
    )
