"""A run's report as a record, for every report format.

With the plan, which a journal holds, each machine's settings before and after are told, and whoever was left alone;
a saved report in JSON has only the results, and says so.

Must not: call a machine changed that is not known to be.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from patchmode.model.outcome import ChangeResult, Result, RunReport
from patchmode.model.plan import Change, Plan, Skipped, Unchanged
from patchmode.model.record import (
    Bar,
    Chart,
    Column,
    Figure,
    Level,
    Meaning,
    Record,
    RecordedFinding,
    RecordedMachine,
    RuleText,
    Standing,
)
from patchmode.model.resource_id import ResourceId
from patchmode.model.target import Target
from patchmode.reports.audit_record import OUTCOMES
from patchmode.reports.headings import plural
from patchmode.reports.own_findings import (
    CHANGE_FAILED,
    CHANGE_NOT_SENT,
    CHANGE_STALE,
    CHANGE_UNKNOWN,
    NOT_AS_PLANNED,
    OWN_RULES,
    SCHEDULE_NOT_AS_PLANNED,
)
from patchmode.reports.plan_text import LeafChange, leaf_changes
from patchmode.reports.recorded import left_out, target_facts, unreadable, when, where
from patchmode.reports.run_metrics import run_metrics

ENDS: Mapping[Result, tuple[str, Meaning, RuleText | None]] = {
    Result.APPLIED: ("set by this run", Meaning.GOOD, None),
    Result.FAILED: ("refused by Azure, or its operation failed", Meaning.BAD, CHANGE_FAILED),
    Result.UNKNOWN: ("sent, and how it ended is not known", Meaning.BAD, CHANGE_UNKNOWN),
    Result.STALE: ("moved since the plan, nothing was changed", Meaning.BAD, CHANGE_STALE),
    Result.NOT_SENT: ("nothing was sent", Meaning.WARN, CHANGE_NOT_SENT),
}
"""Each result in words, with the finding that it is."""
_COLUMNS = (
    Column("name", "Machine", is_shown=True),
    Column("resourceGroup", "Resource group", is_shown=True),
    Column("subscriptionId", "Subscription"),
    Column("location", "Location"),
    Column("os", "OS"),
    Column("result", "Result", is_shown=True),
    Column("verified", "Verified", is_shown=True),
    Column("changed", "Settings changed", is_shown=True),
    Column("outcomeBefore", "Outcome before", is_shown=True),
    Column("outcomeAfter", "Outcome after", is_shown=True),
    Column("reversible", "Reversible"),
    Column("endedAt", "Ended (UTC)"),
    Column("startedAt", "Started (UTC)"),
    Column("code", "Error code"),
    Column("outcomeReason", "Why"),
    Column("advice", "What to do"),
    Column("schedule", "Schedule"),
    Column("findings", "Findings", is_shown=True),
    Column("requestId", "Request id"),
    Column("correlationId", "Correlation id"),
    Column("id", "Resource id"),
)


def run_record(
    report: RunReport, target: Target, rules: Mapping[str, RuleText], *, document: Any, plan: Plan | None = None
) -> Record:
    """The record of a run.

    Args:
        report: finished, or as far as it got.
        target: where it ran.
        rules: the words of every rule.
        document: the report as `patchmode/run/v1`.
        plan: what it carried out; None: only the report was kept.
    """
    machines = tuple(_machines(report, plan))
    bad = sum(one.standing in {Standing.FINDING, Standing.UNREADABLE} for one in machines)
    ended = [one.ended_at for one in report.results if one.ended_at]
    return Record(
        kind="run",
        title="Rollback report" if plan and plan.rollback_of else "Change report",
        verdict=_verdict(report, bad),
        meaning=Meaning.GOOD if not bad and report.state == "finished" else Meaning.BAD,
        target=target,
        taken_at=max(ended, default=None),
        facts=tuple(_facts(report, target, plan, ended)),
        figures=_figures(report),
        charts=tuple(_charts(report, plan)),
        columns=_COLUMNS,
        machines=machines,
        rules={**rules, **OWN_RULES},
        metrics=run_metrics(report, target),
        document=document,
        glossary=_glossary(),
        notes=() if plan else ("Only the run's report was kept: settings before and after stand in its journal.",),
    )


def _glossary() -> tuple[tuple[str, str], ...]:
    """Results and outcomes; the word that both have stands once, with both meanings."""
    words = {result.value: text for result, (text, _, _) in ENDS.items()}
    for kind, (text, _) in OUTCOMES.items():
        before = words.get(kind.value)
        words[kind.value] = f"as a result: {before}; as an outcome: {text}" if before else text
    return tuple(words.items())


def _verdict(report: RunReport, bad: int) -> str:
    counts = report.counts
    text = f"{counts.applied:,} of {plural(len(report.results), 'change')} applied, {counts.verified:,} verified"
    if report.state != "finished":
        return f"{text}; the run is {report.state}."
    return f"{text}; {bad:,} need attention." if bad else f"{text}."


def _facts(report: RunReport, target: Target, plan: Plan | None, ended: list[datetime]) -> Iterator[tuple[str, str]]:
    yield "Run", report.run or "(several, or nothing to do)"
    yield "State", report.state
    yield from target_facts(target)
    if plan is not None:
        yield "Scope", " ".join(plan.scope) or "(none)"
        yield "Plan made", when(plan.created_at)
        yield "Plan digest", plan.digest or "not known"
        if plan.rollback_of:
            yield "Undoes", plan.rollback_of
    if ended:
        yield "Last change ended", when(max(ended))
    if report.requests:
        yield "Requests", ", ".join(f"{count:,} {method}" for method, count in sorted(report.requests.items()))


def _figures(report: RunReport) -> tuple[Figure, ...]:
    counts = report.counts

    def told(number: int, label: str, meaning: Meaning) -> Figure:
        return Figure(number, label, meaning if number else Meaning.DIM)

    return (
        told(counts.scope, "in scope", Meaning.DIM),
        told(counts.applied, "applied", Meaning.GOOD),
        told(counts.verified, "verified", Meaning.GOOD),
        told(counts.failed + counts.unknown + counts.stale, "failed, unknown or stale", Meaning.BAD),
        told(counts.not_sent, "not sent", Meaning.WARN),
        told(counts.unreadable, "not readable", Meaning.BAD),
    )


def _charts(report: RunReport, plan: Plan | None) -> Iterator[Chart]:
    counts = report.counts
    ends = {result: getattr(counts, name) for result, name in zip(ENDS, _COUNT_MEMBERS, strict=True)}
    bars = [Bar(one.value, ENDS[one][0], count, ENDS[one][1]) for one, count in ends.items() if count]
    rest = {"unchanged": counts.unchanged, "skipped": counts.skipped, "unreadable": counts.unreadable}
    texts = {
        "unchanged": ("already as wanted", Meaning.DIM),
        "skipped": ("left alone by a rule or a filter", Meaning.DIM),
        "unreadable": ("could not be read", Meaning.BAD),
    }
    bars += [Bar(name, texts[name][0], count, texts[name][1]) for name, count in rest.items() if count]
    yield Chart("What became of the scope", "Result", tuple(bars))
    if plan is None:
        return
    for title, member in _AROUND:
        kinds = [getattr(change, member).kind for change in plan.changes]
        yield Chart(
            title,
            "Outcome",
            tuple(
                Bar(kind.value, text, kinds.count(kind), meaning)
                for kind, (text, meaning) in OUTCOMES.items()
                if kind in kinds
            ),
        )


_AROUND = (
    ("Who patched the changed machines before", "outcome_before"),
    ("And afterwards, by the plan", "outcome_after"),
)
_COUNT_MEMBERS = ("applied", "failed", "unknown", "stale", "not_sent")


def _machines(report: RunReport, plan: Plan | None) -> Iterator[RecordedMachine]:
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
        yield from map(_skipped, plan.skipped)
        yield from (unreadable(one.id, one.reason) for one in plan.unreadable)


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
        message = f"It could not be read afterwards: {because}" if because else "The provider shows something else."
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


def _skipped(one: Skipped) -> RecordedMachine:
    is_filter = one.rule.startswith(("filter-", "exclude-"))
    finding = RecordedFinding(one.rule, Level.NOTE, one.reason, "", one.fix or "")
    machine = left_out(str(one.id), one.rule, one.reason, () if is_filter else (finding,))
    told = {"result": "skipped", "findings": "" if is_filter else one.rule}
    return replace(machine, values={**machine.values, **told})
