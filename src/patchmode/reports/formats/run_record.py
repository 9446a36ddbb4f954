"""A run's report as a record, for every report format, and as gauges."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from patchmode.model.left_alone import Skipped
from patchmode.model.plan import Change, Plan, Unchanged
from patchmode.model.record import (
    Bar,
    Chart,
    Column,
    Figure,
    Level,
    Meaning,
    Metric,
    Record,
    RecordedFinding,
    RecordedMachine,
    RecordState,
    RuleText,
)
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import ChangeResult, Result, RunReport, with_run
from patchmode.model.scope import scope_text
from patchmode.model.target import Target
from patchmode.reports.formats.audit_record import OUTCOMES
from patchmode.reports.formats.recorded import (
    CHANGE_FAILED,
    CHANGE_NOT_SENT,
    CHANGE_STALE,
    CHANGE_UNKNOWN,
    NOT_AS_PLANNED,
    OWN_RULES,
    SCHEDULE_NOT_AS_PLANNED,
    left_out,
    named,
    subscriptions_fact,
    target_facts,
    unreadable,
    when,
    where,
)
from patchmode.reports.text.layout import plural
from patchmode.reports.text.next_steps import NOBODY, attach_commands, nobody_text
from patchmode.reports.text.plan import LeafChange, leaf_changes
from patchmode.reports.text.run import requests_text

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


def _standing(result: ChangeResult, findings: tuple[RecordedFinding, ...]) -> RecordState:
    if result.result is Result.UNKNOWN:
        return RecordState.UNREADABLE
    return RecordState.FINDING if findings else RecordState.FINE


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
        evidence = "; ".join(one.text for one in seen.differences)
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
        standing=RecordState.FINDING if attached else RecordState.FINE,
        end="unchanged",
        meaning=Meaning.BAD if attached else Meaning.DIM,
        because="already compliant",
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
    return replace(machine, standing=RecordState.FINDING, meaning=Meaning.WARN) if is_asked_for else machine


_MEMBERS = {
    Result.APPLIED: "applied",
    Result.FAILED: "failed",
    Result.UNKNOWN: "unknown",
    Result.STALE: "stale",
    Result.NOT_SENT: "not_sent",
}
_STATES = ("running", "interrupted", "stopped", "finished")


def run_metrics(report: RunReport, target: Target) -> tuple[Metric, ...]:
    """Every gauge of a run; those of a result that no change had are nought, so that an alert can rest on them."""
    counts = report.counts
    info = {"cloud": target.cloud, "endpoint": target.endpoint, "tenant": target.tenant_id, "run": report.run}
    ended = max((one.ended_at for one in report.results if one.ended_at), default=None)
    results = tuple(({"result": one.value}, getattr(counts, member)) for one, member in _MEMBERS.items())
    others = {"unchanged": counts.unchanged, "skipped": counts.skipped, "unreadable": counts.unreadable}
    return (
        Metric("patchmode_run_info", "Which run this is; always 1.", ((info, 1),)),
        Metric(
            "patchmode_run_timestamp_seconds",
            "When the run's last change ended, in Unix time.",
            () if ended is None else (({}, ended.timestamp()),),
        ),
        Metric(
            "patchmode_run_state",
            "1 for the state that the run is in, else 0.",
            tuple(({"state": state}, float(state == report.state)) for state in _STATES),
        ),
        Metric("patchmode_run_scope_machines", "Machines in the scope of the run's plan.", (({}, counts.scope),)),
        Metric(
            "patchmode_run_machines",
            "Machines of the scope by their result.",
            (
                *results,
                *(({"result": name}, count) for name, count in others.items()),
            ),
        ),
        Metric(
            "patchmode_run_verified_machines",
            "Applied machines that a read afterwards confirmed.",
            (({}, counts.verified),),
        ),
        Metric(
            "patchmode_run_requests",
            "Requests that the run is known to have sent to apply and verify, by HTTP method; sign-in, planning and "
            "permission checks are not counted.",
            tuple(({"method": method}, count) for method, count in sorted(report.requests.items())),
        ),
    )


_COLUMNS = (
    Column("name", "Machine", is_shown=True),
    Column("resourceGroup", "Resource group", is_shown=True),
    Column("subscriptionId", "Subscription id"),
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
    Column("subscriptionName", "Subscription name"),
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
    machines = named(run_machines(report, plan), target)
    bad = sum(one.standing in {RecordState.FINDING, RecordState.UNREADABLE} for one in machines)
    ended = [one.ended_at for one in report.results if one.ended_at]
    return Record(
        kind="run",
        title="Rollback report" if plan and plan.rollback_of else "Change report",
        verdict=_verdict(report, bad),
        meaning=Meaning.GOOD if not bad and report.state == "finished" else Meaning.BAD,
        target=target,
        taken_at=max(ended, default=None),
        facts=tuple(_facts(report, target, plan, ended, subscriptions_fact(machines))),
        figures=_figures(report),
        charts=tuple(_charts(report, plan)),
        columns=_COLUMNS,
        machines=machines,
        rules={**rules, **{name: _named(rule, report.run) for name, rule in OWN_RULES.items()}},
        metrics=run_metrics(report, target),
        document=document,
        glossary=_glossary(),
        notes=tuple(_notes(report, plan)),
    )


def _notes(report: RunReport, plan: Plan | None) -> Iterator[str]:
    if plan is None:
        yield "Only the run's report was kept: the settings before and after are in its journal."
    seen = report.nobody
    if seen is not None and seen.machines:
        which = ("--from-run", f"{report.run}:patchedByNobody") if report.run else ()
        yield " ".join((nobody_text(seen), *(f"`{one}`" for one in attach_commands(seen, *which))))


def _named(rule: RuleText, run: str) -> RuleText:
    return replace(rule, fix=with_run(rule.fix, run))


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


def _facts(
    report: RunReport, target: Target, plan: Plan | None, ended: list[datetime], subscriptions: tuple[str, str]
) -> Iterator[tuple[str, str]]:
    yield "Run", report.run or "(several, or nothing to do)"
    yield "State", report.state
    yield from target_facts(target)
    yield subscriptions
    if plan is not None:
        yield "Scope", scope_text(plan.scope) or "(none)"
        yield "Plan made", when(plan.created_at)
        yield "Plan digest", plan.digest or "not known"
        if plan.rollback_of:
            yield "Undoes", plan.rollback_of
    if ended:
        yield "Last change ended", when(max(ended))
    requests = requests_text(report)
    if requests:
        yield "Requests", requests


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
        told(report.nobody.machines if report.nobody else 0, NOBODY, Meaning.WARN),
        told(counts.unreadable, "unreadable", Meaning.BAD),
    )


def _charts(report: RunReport, plan: Plan | None) -> Iterator[Chart]:
    counts = report.counts
    ends = {result: getattr(counts, name) for result, name in zip(ENDS, _COUNT_MEMBERS, strict=True)}
    bars = [Bar(one.value, ENDS[one][0], count, ENDS[one][1]) for one, count in ends.items() if count]
    rest = {"unchanged": counts.unchanged, "skipped": counts.skipped, "unreadable": counts.unreadable}
    texts = {
        "unchanged": ("already compliant", Meaning.DIM),
        "skipped": ("skipped by a rule or a filter", Meaning.DIM),
        "unreadable": ("could not be read", Meaning.BAD),
    }
    bars += [Bar(name, texts[name][0], count, texts[name][1]) for name, count in rest.items() if count]
    yield Chart("Results of the scope", "Result", tuple(bars))
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
