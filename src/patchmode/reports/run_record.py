"""A run's report as a record, for every report format.

With the plan, which a journal holds, each machine's settings before and after are told, and whoever was left alone;
a saved report in JSON has only the results, and says so.

Must not: call a machine changed that is not known to be.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from patchmode.model.commands import with_run
from patchmode.model.outcome import RunReport
from patchmode.model.plan import Plan
from patchmode.model.record import (
    Bar,
    Chart,
    Column,
    Figure,
    Meaning,
    Record,
    RuleText,
    Standing,
)
from patchmode.model.scope import scope_text
from patchmode.model.target import Target
from patchmode.reports.audit_record import OUTCOMES
from patchmode.reports.headings import plural
from patchmode.reports.own_findings import OWN_RULES
from patchmode.reports.recorded import named, subscriptions_fact, target_facts, when
from patchmode.reports.run_machines import ENDS, run_machines
from patchmode.reports.run_metrics import run_metrics
from patchmode.reports.run_text import requests_text

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
    bad = sum(one.standing in {Standing.FINDING, Standing.UNREADABLE} for one in machines)
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
        notes=() if plan else ("Only the run's report was kept: settings before and after stand in its journal.",),
    )


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
