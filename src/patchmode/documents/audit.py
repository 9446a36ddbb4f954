"""`patchmode/audit/v1` and `patchmode/explain/v1`: machines as they are, as published JSON documents.

Must not: change what a published version means; a change of meaning is a new version.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Literal

import msgspec

from patchmode.documents.assessments import PendingRow, pending_row
from patchmode.documents.base import (
    Edge,
    LeftOutRow,
    Subscriptions,
    TargetRow,
    UnreadableRow,
    WantedRow,
    left_out_rows,
    subscription_rows,
    target_row,
    unreadable_rows,
    wanted_row,
    with_subscriptions,
)
from patchmode.model.finding import MachineAudit, Severity
from patchmode.model.machine import MachineKind
from patchmode.model.outcome import OutcomeKind, Readiness
from patchmode.model.patch_settings import OperatingSystem, Orchestration, PatchSettings
from patchmode.model.report import AuditReport, Explanation, TenantAudit
from patchmode.model.schedule import ScheduleHit, Timing
from patchmode.model.target import SubscriptionNames

AUDIT_FORMAT = "patchmode/audit/v1"


class AuditReason(Edge, frozen=True):
    """One rule's verdict."""

    rule: str
    severity: Severity
    message: str
    evidence: str
    fix: str


class AuditSchedule(Edge, frozen=True):
    """A maintenance configuration that reaches the machine."""

    id: str
    name: str
    via: Literal["static", "dynamic"]
    clause: str | None
    """What made it match, in words."""
    also: tuple[str, ...]
    """Further clauses that name the same configuration: it still runs once."""
    next_window: datetime | None
    """UTC; null where none is known to come."""
    local_start: str | None
    """The same instant in the configuration's own time zone, with its offset."""
    timing: Timing
    because: str | None
    """Why there is no next window, or what is not certain about it."""
    doubt: str | None
    """Why it is not certain that the machine is a member; null: it is certain."""


class AuditMachine(Edge, frozen=True):
    """One machine; null means that the machine's model does not say."""

    id: str
    name: str
    subscription_id: str
    resource_group: str
    location: str
    os: OperatingSystem | None
    kind: MachineKind
    orchestration: Orchestration
    patch_mode: str | None
    bypass: bool | None
    assessment_mode: str | None
    reboot_setting: str | None
    hotpatch: bool | None
    power_state: str | None
    eligible: bool
    reasons: tuple[AuditReason, ...]
    schedules: tuple[AuditSchedule, ...]
    outcome: OutcomeKind
    outcome_reason: str
    schedules_known: bool
    """False: schedules could not be looked up as a whole, and nothing may be concluded from one that is not there."""
    as_wanted: bool
    """Whether it has every setting of `wanted`."""
    subscription_name: str | msgspec.UnsetType = msgspec.UNSET
    """As Azure gave it: not unique, and whatever its owner typed; left out where it is not known."""
    readiness: Readiness | msgspec.UnsetType = msgspec.UNSET
    """Whether it is ready for a schedule, and has one; left out where an earlier version wrote it."""
    tenant_id: str | msgspec.UnsetType = msgspec.UNSET
    """The tenant through which it was read, where the audit is of several; else `target` has it."""


class TenantRow(Edge, frozen=True):
    """One tenant of an audit of several."""

    tenant_id: str
    display_name: str | None
    """null: Azure did not say."""
    counts: dict[str, int] | None
    """As `counts` of the document, of what counts as its own; null: nothing of it was read."""
    error: str | None
    """Why nothing was; null where something was."""


class AuditDocument(Edge, frozen=True):
    """The whole audit."""

    format: Literal["patchmode/audit/v1"]
    created_at: datetime | None
    target: TargetRow
    scope: tuple[str, ...]
    wanted: WantedRow
    counts: dict[str, int]
    """`scope` = `machines` + `skipped` + `unreadable`; the others are counted among the machines."""
    orchestrations: dict[Orchestration, int]
    outcomes: dict[OutcomeKind, int]
    machines: tuple[AuditMachine, ...]
    skipped: tuple[LeftOutRow, ...]
    unreadable: tuple[UnreadableRow, ...]
    notes: tuple[str, ...]
    subscriptions: Subscriptions = msgspec.UNSET
    """Names of the subscriptions in it, and of others that bear one of these; left out where none is known."""
    readiness: dict[Readiness, int] | msgspec.UnsetType = msgspec.UNSET
    """How many machines are ready for a schedule, and have one: every kind, and they add up to `counts.machines`; left
    out where an earlier version wrote it."""
    tenants: tuple[TenantRow, ...] | msgspec.UnsetType = msgspec.UNSET
    """Where several tenants were read, each of them; `target.tenantId` is empty then. Left out of an audit of one."""


CSV_COLUMNS = AuditMachine.__struct_encode_fields__
"""One row a machine, in the order of the JSON; reasons by their rule ids."""


def audit_document(report: AuditReport) -> AuditDocument:
    """The published struct for an audit."""
    outcomes: dict[OutcomeKind, int] = {}
    for entry in report.machines:
        outcomes[entry.outcome.kind] = outcomes.get(entry.outcome.kind, 0) + 1
    return AuditDocument(
        format="patchmode/audit/v1",
        created_at=report.created_at,
        target=target_row(report.target),
        scope=report.scope,
        wanted=wanted_row(report.wanted),
        counts=report.counts,
        orchestrations=dict(report.orchestrations),
        outcomes=outcomes,
        machines=tuple(machine_rows(report)),
        skipped=left_out_rows(report.skipped),
        unreadable=unreadable_rows(report.unreadable),
        notes=report.notes,
        subscriptions=subscription_rows(report.target.names),
        readiness=dict(report.readiness),
        tenants=tuple(map(_tenant_row, report.tenants)) or msgspec.UNSET,
    )


def _tenant_row(part: TenantAudit) -> TenantRow:
    return TenantRow(
        tenant_id=part.tenant_id,
        display_name=part.name or None,
        counts=None if part.report is None else part.report.counts,
        error=part.failure or None,
    )


def machine_rows(report: AuditReport) -> Iterator[AuditMachine]:
    """The machines of an audit as they stand in `machines`, with their tenant where it is of several."""
    read_in = {one.machine.id: part.tenant_id for part in report.tenants if part.report for one in part.report.machines}
    rows = audit_machine_rows(report.machines, report.target.names)
    if not read_in:
        yield from rows
        return
    for entry, row in zip(report.machines, rows, strict=True):
        yield msgspec.structs.replace(row, tenant_id=read_in[entry.machine.id])


def audit_machine_rows(entries: Iterable[MachineAudit], names: SubscriptionNames) -> Iterator[AuditMachine]:
    """Machines as they stand in `machines`."""
    known = dict(names.pairs)
    for entry in entries:
        name = known.get(entry.machine.id.subscription_id, msgspec.UNSET)
        yield audit_machine_row(entry, subscription_name=name)


def audit_machine_row(
    entry: MachineAudit, *, subscription_name: str | msgspec.UnsetType = msgspec.UNSET
) -> AuditMachine:
    """One machine as it stands in `machines`; UNSET: its subscription's name is not known."""
    machine = entry.machine
    settings = machine.settings or PatchSettings()
    return AuditMachine(
        id=str(machine.id),
        name=machine.name,
        subscription_id=machine.id.subscription_id,
        resource_group=machine.id.resource_group,
        location=machine.location,
        os=machine.os,
        kind=machine.kind,
        orchestration=machine.orchestration,
        patch_mode=settings.patch_mode,
        bypass=settings.bypass,
        assessment_mode=settings.assessment_mode,
        reboot_setting=settings.reboot_setting,
        hotpatch=settings.hotpatch,
        power_state=machine.surroundings.power_state,
        eligible=entry.eligible,
        reasons=tuple(
            AuditReason(
                rule=reason.rule,
                severity=reason.severity,
                message=reason.message,
                evidence=reason.evidence,
                fix=reason.fix,
            )
            for reason in entry.reasons
        ),
        schedules=tuple(map(_schedule, entry.schedules.hits)),
        outcome=entry.outcome.kind,
        outcome_reason=entry.outcome.reason,
        schedules_known=entry.schedules.looked_up,
        as_wanted=entry.as_wanted,
        subscription_name=subscription_name,
        readiness=entry.readiness,
    )


def _schedule(hit: ScheduleHit) -> AuditSchedule:
    window = hit.next.window
    return AuditSchedule(
        id=str(hit.configuration),
        name=hit.configuration.name,
        via=hit.via.value,
        clause=hit.clause,
        also=hit.also,
        next_window=None if window is None else window.starts_at,
        local_start=None if window is None else window.local_start.isoformat(),
        timing=hit.next.timing,
        because=hit.next.because or None,
        doubt=hit.doubt,
    )


class ExplainDocument(Edge, frozen=True):
    """`explain -o json`."""

    format: Literal["patchmode/explain/v1"]
    target: TargetRow
    machine: AuditMachine
    document: dict[str, Any] | None
    """The machine as its provider answered it."""
    instance_view: dict[str, Any] | None
    notes: tuple[str, ...]
    pending: PendingRow | None = None
    """What its last assessment found; null: the assessments could not be read."""
    subscriptions: Subscriptions = msgspec.UNSET
    """What its subscriptions are called; left out where no name is known."""


def explain_document(explanation: Explanation) -> ExplainDocument:
    """One machine in full as it is published."""
    target, view, pending = explanation.target, explanation.instance_view, explanation.pending
    (machine,) = audit_machine_rows([explanation.audit], target.names)
    document = ExplainDocument(
        format="patchmode/explain/v1",
        target=target_row(target),
        machine=machine,
        document=dict(explanation.document),
        instance_view=None if view is None else dict(view),
        notes=explanation.notes,
        pending=None
        if pending is None or pending.refusal
        else pending_row(explanation.audit.machine.id, pending.found.get(explanation.audit.machine.id)),
    )
    return with_subscriptions(document, target.names)
