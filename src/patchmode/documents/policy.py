"""`patchmode/policy-audit/v1`, `policy-assign/v1`, `policy-remediate/v1`: what built-ins do, assigning, remediating.

Must not: change what a published version means; a change of meaning is a new version.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Literal

import msgspec

from patchmode.documents.base import (
    DifferenceRow,
    Edge,
    LeftOutRow,
    Subscriptions,
    TargetRow,
    UnreadableRow,
    difference_rows,
    left_out_rows,
    target_row,
    unreadable_rows,
    with_subscriptions,
)
from patchmode.model.policy import (
    AssignResult,
    BuiltIn,
    ExemptMachine,
    PolicyAssignment,
    PolicyAssignReport,
    PolicyAudit,
    PolicyLook,
    PolicyReason,
    PolicyState,
    PolicyVerdict,
    RemediatedMachine,
    RemediationEnd,
    RemediationReport,
)

POLICY_AUDIT_COLUMNS = (
    "policy",
    "id",
    "state",
    "isSet",
    "selected",
    "countsAsCompliant",
    "why",
    "assignments",
)


class PolicyAssignmentRow(Edge, frozen=True):
    """An assignment of the definition, alone or in a set."""

    id: str
    name: str
    scope: str
    definition_id: str
    """The definition, or the set that holds it."""
    enforcement: str
    """`Default` or `DoNotEnforce`."""
    parameters: dict[str, Any]
    """As they were given to the assignment."""
    not_scopes: tuple[str, ...]
    identity: str
    """`SystemAssigned`, `UserAssigned` or `None`."""


class PolicyMachineAssignmentRow(Edge, frozen=True):
    """What one assignment does about one machine."""

    id: str
    state: PolicyState
    reasons: tuple[PolicyReason, ...]


class PolicyMachineRow(Edge, frozen=True):
    """One machine; `selected` and `isSet` are null where it is not known."""

    id: str
    state: PolicyState
    """Of the assignment that does most."""
    selected: bool | None
    """Whether the definition selects it, with that assignment's parameters, or with the defaults without one."""
    is_set: bool | None
    """Whether the machine has what the definition is for."""
    counts_as_compliant: bool
    """Whether Azure counts it as compliant although it is not set, by the documented rules."""
    reasons: tuple[PolicyReason, ...]
    notes: tuple[str, ...]
    assignments: tuple[PolicyMachineAssignmentRow, ...]


class PolicyLookRow(Edge, frozen=True):
    """One built-in."""

    policy: BuiltIn
    definition_id: str
    version: str | None
    """As Azure answered it; null: it states none, or the definition could not be read."""
    problem: str
    """Why the definition could not be read; empty: it could."""
    states: dict[PolicyState, int]
    assignments: tuple[PolicyAssignmentRow, ...]
    machines: tuple[PolicyMachineRow, ...]


class PolicyAuditDocument(Edge, frozen=True):
    """The whole audit of policies."""

    format: Literal["patchmode/policy-audit/v1"]
    created_at: datetime | None
    target: TargetRow
    scope: tuple[str, ...]
    counts: dict[str, int]
    """`scope` = `machines` + `skipped` + `unreadable`; `findings` counts machines, and what could not be read."""
    policies: tuple[PolicyLookRow, ...]
    skipped: tuple[LeftOutRow, ...]
    unreadable: tuple[UnreadableRow, ...]
    unread_subscriptions: tuple[UnreadableRow, ...]
    """Subscriptions whose assignments or exemptions are not all known."""
    notes: tuple[str, ...]
    subscriptions: Subscriptions = msgspec.UNSET


class PolicyAssignDocument(Edge, frozen=True):
    """`policy assign -o json`."""

    format: Literal["patchmode/policy-assign/v1"]
    target: TargetRow
    id: str
    """Of the assignment."""
    result: AssignResult
    """`completed`: only roles or exemptions were missing."""
    principal_id: str | None
    """Of its managed identity; null: it has none."""
    roles: tuple[str, ...]
    """Guids of the roles that the identity has at the scope."""
    exempt: tuple[LeftOutRow, ...]
    not_exempt: tuple[LeftOutRow, ...]
    """Asked to be exempt, and a lock or a deny assignment refuses every write there."""
    changed_later: int
    """Machines in scope that a remediation task would change."""
    differences: tuple[DifferenceRow, ...]
    """Where a read afterwards shows something else than was sent."""
    undo: tuple[str, ...]
    """Commands that undo what was written, in their order."""
    subscriptions: Subscriptions = msgspec.UNSET


POLICY_ASSIGN_COLUMNS = ("id", "result", "principalId", "roles", "changedLater", "differences")


def policy_assign_document(report: PolicyAssignReport) -> PolicyAssignDocument:
    """The document of an assignment."""
    made = PolicyAssignDocument(
        format="patchmode/policy-assign/v1",
        target=target_row(report.target),
        id=report.id,
        result=report.result,
        principal_id=report.principal_id,
        roles=report.roles,
        exempt=_exempt_rows(report.exempt),
        not_exempt=_exempt_rows(report.not_exempt),
        changed_later=report.changed_later,
        differences=difference_rows(report.differences),
        undo=report.undo,
    )
    return with_subscriptions(made, report.target.names)


def _exempt_rows(machines: Iterable[ExemptMachine]) -> tuple[LeftOutRow, ...]:
    return tuple(LeftOutRow(id=str(one.id), rule=one.rule, reason=one.reason) for one in machines)


class PolicyRemediateDocument(Edge, frozen=True):
    """`policy remediate -o json`."""

    format: Literal["patchmode/policy-remediate/v1"]
    target: TargetRow
    id: str
    """Of the remediation task."""
    assignment_id: str
    policy: BuiltIn
    result: RemediationEnd
    """`nothing` (nothing was sent), `started` (its end was not awaited), `finished`, `stopped` (Azure ended it as
    failed or canceled) or `interrupted` (the waiting was; the task continues)."""
    state: str | None
    """`provisioningState` as Azure answered it last; null: nothing was sent."""
    expected: tuple[str, ...]
    """Machines that the definition would have changed before, by patchmode's own evaluation."""
    unknown: int
    """Machines of which that was not known."""
    count: int
    """Machines that the task takes at most."""
    parallel: int
    threshold: int
    """Percent of failed machines above which Azure stops it; 100: never."""
    re_evaluate: bool
    counts: dict[str, int]
    """By Azure's count: `total`, `succeeded`, `failed`."""
    machines: tuple[RemediatedMachine, ...]
    """What came of each machine; empty while the task is not over, or where that could not be read."""
    not_taken: tuple[str, ...]
    """Machines of `expected` that the task did not take."""
    problem: str
    """Why it is not known what came of it; empty: it is."""
    subscriptions: Subscriptions = msgspec.UNSET


POLICY_REMEDIATE_COLUMNS = ("id", "status", "code", "message")


def policy_remediate_document(report: RemediationReport) -> PolicyRemediateDocument:
    """The document of a remediation task."""
    drafted, task = report.draft, report.task
    wish = drafted.wish
    made = PolicyRemediateDocument(
        format="patchmode/policy-remediate/v1",
        target=target_row(drafted.target),
        id=wish.id,
        assignment_id=wish.assignment_id,
        policy=drafted.policy,
        result=report.result,
        state=task.state if task else None,
        expected=tuple(map(str, drafted.expected)),
        unknown=drafted.unknown,
        count=drafted.count,
        parallel=wish.parallel,
        threshold=wish.threshold,
        re_evaluate=wish.re_evaluate,
        counts={
            "total": task.total if task else 0,
            "succeeded": task.succeeded if task else 0,
            "failed": task.failed if task else 0,
        },
        machines=report.machines,
        not_taken=tuple(map(str, report.left)),
        problem=report.problem,
    )
    return with_subscriptions(made, drafted.target.names)


def policy_audit_document(audit: PolicyAudit) -> PolicyAuditDocument:
    """The document of an audit."""
    made = PolicyAuditDocument(
        format="patchmode/policy-audit/v1",
        created_at=audit.created_at,
        target=target_row(audit.target),
        scope=audit.scope,
        counts=audit.counts,
        policies=tuple(map(_look_row, audit.looks)),
        skipped=left_out_rows(audit.skipped),
        unreadable=unreadable_rows(audit.unreadable),
        unread_subscriptions=unreadable_rows(audit.unread),
        notes=audit.notes,
    )
    return with_subscriptions(made, audit.target.names)


def policy_audit_rows(audit: PolicyAudit) -> Iterator[dict[str, Any]]:
    """One row for each machine and built-in, for JSON lines and CSV."""
    for look in audit.looks:
        for one in look.verdicts:
            yield {
                "policy": look.policy.value,
                "id": str(one.id),
                "state": one.state.value,
                "isSet": one.is_set,
                "selected": one.selected,
                "countsAsCompliant": one.counts_as_compliant,
                "why": " ".join((*(reason.message for reason in one.reasons), *one.notes)),
                "assignments": [entry.assignment.id for entry in one.assignments],
            }


def _look_row(look: PolicyLook) -> PolicyLookRow:
    return PolicyLookRow(
        policy=look.policy,
        definition_id=look.policy.definition_id,
        version=look.definition.version if look.definition else None,
        problem=look.problem,
        states=dict(look.states),
        assignments=tuple(map(assignment_row, look.assignments)),
        machines=tuple(map(_machine_row, look.verdicts)),
    )


def assignment_row(one: PolicyAssignment) -> PolicyAssignmentRow:
    """The struct for an assignment."""
    return PolicyAssignmentRow(
        id=one.id,
        name=one.name,
        scope=one.scope,
        definition_id=one.definition_id,
        enforcement=one.enforcement,
        parameters=dict(one.parameters),
        not_scopes=one.not_scopes,
        identity=one.identity_type,
    )


def _machine_row(one: PolicyVerdict) -> PolicyMachineRow:
    return PolicyMachineRow(
        id=str(one.id),
        state=one.state,
        selected=one.selected,
        is_set=one.is_set,
        counts_as_compliant=one.counts_as_compliant,
        reasons=one.reasons,
        notes=one.notes,
        assignments=tuple(
            PolicyMachineAssignmentRow(id=entry.assignment.id, state=entry.state, reasons=entry.reasons)
            for entry in one.assignments
        ),
    )
