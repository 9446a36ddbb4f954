"""The machines of a run as a record tells them: what became of each change, and of whoever was left alone.

Must not: call a machine changed that is not known to be.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from patchmode.model.outcome import ChangeResult, Result, RunReport
from patchmode.model.plan import Change, Plan, Skipped, Unchanged
from patchmode.model.record import Level, Meaning, RecordedFinding, RecordedMachine, RuleText, Standing
from patchmode.model.resource_id import ResourceId
from patchmode.reports.own_findings import (
    CHANGE_FAILED,
    CHANGE_NOT_SENT,
    CHANGE_STALE,
    CHANGE_UNKNOWN,
    NOT_AS_PLANNED,
    SCHEDULE_NOT_AS_PLANNED,
)
from patchmode.reports.plan_text import LeafChange, leaf_changes
from patchmode.reports.recorded import left_out, unreadable, where

ENDS: Mapping[Result, tuple[str, Meaning, RuleText | None]] = {
    Result.APPLIED: ("set by this run", Meaning.GOOD, None),
    Result.FAILED: ("refused by Azure, or its operation failed", Meaning.BAD, CHANGE_FAILED),
    Result.UNKNOWN: ("sent, and how it ended is not known", Meaning.BAD, CHANGE_UNKNOWN),
    Result.STALE: ("changed since the plan, nothing was changed by the run", Meaning.BAD, CHANGE_STALE),
    Result.NOT_SENT: ("nothing was sent", Meaning.WARN, CHANGE_NOT_SENT),
}
"""Each result in words, with the finding that it is."""


def run_machines(report: RunReport, plan: Plan | None) -> Iterator[RecordedMachine]:
    """Every machine of a run: its changes in plan order, then those left alone, which only the plan knows."""
    changes = {change.id: change for change in plan.changes} if plan else {}
    attachments = {ResourceId.parse(one.id): one for one in report.attachments if not one.is_fine}
    schedules = {ResourceId.parse(one.id): one.result.value for one in report.attachments}

    def attached(machine_id: ResourceId) -> tuple[RecordedFinding, ...]:
        one = attachments.get(machine_id)
        if one is None:
            return ()
        message = one.error.message if one.error else f"The schedule ended as {one.result.value}."
        advice = one.error.advice if one.error else one.fix
        evidence = one.rule or (one.error.code if one.error else "")
        rule = SCHEDULE_NOT_AS_PLANNED
        return (RecordedFinding(rule.id, rule.level, message, evidence, advice or rule.fix),)

    for result in report.results:
        yield _changed(result, changes.get(result.id), attached(result.id), schedules.get(result.id))
    if plan is not None:
        for one in plan.unchanged:
            yield _unchanged(one, attached(one.id), schedules.get(one.id))
        blocked = {one.id for one in plan.blocked}
        yield from (_skipped(one, is_asked_for=one.id in blocked) for one in plan.skipped)
    else:
        yield from (_skipped(one, is_asked_for=True) for one in report.blocked)
    yield from (unreadable(one.id, one.reason) for one in report.unread)


def _changed(
    result: ChangeResult, change: Change | None, attached: tuple[RecordedFinding, ...], schedule: str | None
) -> RecordedMachine:
    _, meaning, _ = ENDS[result.result]
    findings = (*_findings(result), *attached)
    error, seen = result.error, result.verification
    because = error.message if error else ENDS[result.result][0]
    values = {
        **where(str(result.id)),
        "result": result.result.value,
        "verified": None if seen is None else seen.verified,
        "startedAt": result.started_at,
        "endedAt": result.ended_at,
        "code": error and error.code,
        "advice": error and error.advice,
        "outcomeReason": because,
        "schedule": schedule,
        "findings": "; ".join(finding.rule for finding in findings),
        "requestId": result.request_id,
        "correlationId": result.correlation_id,
        **(_planned(change) if change else {}),
    }
    return RecordedMachine(
        id=str(result.id),
        name=result.id.name,
        group=result.id.resource_group,
        subscription=result.id.subscription_id,
        standing=_standing(result, findings),
        end=result.result.value,
        meaning=Meaning.BAD if findings and meaning is Meaning.GOOD else meaning,
        because=because,
        values=values,
        findings=findings,
    )


def _planned(change: Change) -> dict[str, Any]:
    return {
        "location": change.location,
        "os": change.os.value,
        "changed": "; ".join(map(_leaf, leaf_changes(change))),
        "outcomeBefore": change.outcome_before.kind.value,
        "outcomeAfter": change.outcome_after.kind.value,
        "reversible": change.reversible,
    }


def _leaf(one: LeafChange) -> str:
    # The last name tells which setting it is: no two leaves of patchSettings share one.
    name = one.path.rpartition(".")[2]
    return f"{name}: {one.before or '(absent)'} → {one.after or '(absent)'}"


def _standing(result: ChangeResult, findings: tuple[RecordedFinding, ...]) -> Standing:
    if result.result is Result.UNKNOWN:
        return Standing.UNREADABLE
    return Standing.FINDING if findings else Standing.FINE


def _findings(result: ChangeResult) -> Iterator[RecordedFinding]:
    rule, error, seen = ENDS[result.result][2], result.error, result.verification
    if rule is not None:
        message = error.message if error else rule.title
        advice = error.advice if error and error.advice else rule.fix
        yield RecordedFinding(rule.id, rule.level, message, error.code if error else "", advice)
    if result.result is Result.APPLIED and seen is not None and not seen.verified:
        because = seen.unreadable_because
        message = (
            f"It could not be read afterwards: {because}" if because else "Azure Resource Manager shows other values."
        )
        evidence = "; ".join(f"{one.path}: expected {one.expected}, found {one.found}" for one in seen.differences)
        yield RecordedFinding(NOT_AS_PLANNED.id, NOT_AS_PLANNED.level, message, evidence, NOT_AS_PLANNED.fix)


def _unchanged(one: Unchanged, attached: tuple[RecordedFinding, ...], schedule: str | None) -> RecordedMachine:
    after = one.outcome_after or one.outcome
    values = {
        **where(str(one.id)),
        "result": "unchanged",
        "outcomeBefore": one.outcome.kind.value,
        "outcomeAfter": after.kind.value,
        "outcomeReason": after.reason,
        "schedule": schedule,
        "findings": "; ".join(finding.rule for finding in attached),
    }
    return RecordedMachine(
        id=str(one.id),
        name=one.id.name,
        group=one.id.resource_group,
        subscription=one.id.subscription_id,
        standing=Standing.FINDING if attached else Standing.FINE,
        end="unchanged",
        meaning=Meaning.BAD if attached else Meaning.DIM,
        because="already as wanted",
        values=values,
        findings=attached,
    )


def _skipped(one: Skipped, *, is_asked_for: bool) -> RecordedMachine:
    """A machine left alone; one of which something was asked that is not so is a finding like any other."""
    level = Level.WARNING if is_asked_for else Level.NOTE
    finding = RecordedFinding(one.rule, level, one.reason, "", one.fix or "")
    machine = left_out(str(one.id), one.rule, one.reason, () if one.is_filtered_out else (finding,))
    told = {"result": "skipped", "findings": "" if one.is_filtered_out else one.rule}
    machine = replace(machine, values={**machine.values, **told})
    return replace(machine, standing=Standing.FINDING, meaning=Meaning.WARN) if is_asked_for else machine
