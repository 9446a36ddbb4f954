"""An audit's document as a record, for every report format, and as gauges."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import msgspec

from patchmode.documents.audit import AuditDocument, AuditMachine, AuditSchedule, TenantRow
from patchmode.documents.base import WantedRow, subscription_names
from patchmode.model.finding import Severity
from patchmode.model.outcome import OutcomeKind, Readiness
from patchmode.model.patch_settings import Orchestration
from patchmode.model.plain_text import printable
from patchmode.model.record import (
    LEVELS,
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
from patchmode.model.schedule import local_text
from patchmode.model.scope import scope_text
from patchmode.model.target import Target
from patchmode.reports.formats.recorded import (
    NOT_AS_WANTED,
    OWN_RULES,
    left_out,
    named,
    subscriptions_fact,
    target_facts,
    unreadable,
    when,
)
from patchmode.reports.text.layout import plural

_COUNTS = {
    "scope": ("patchmode_audit_scope_machines", "Machines in scope: audited, left out or unreadable."),
    "skipped": ("patchmode_audit_skipped_machines", "Machines that a filter left out."),
    "unreadable": ("patchmode_audit_unreadable", "Machines and subscriptions in scope that could not be read."),
    "asWanted": ("patchmode_audit_as_wanted_machines", "Machines that have the settings they are measured against."),
    "findings": ("patchmode_audit_finding_machines", "Machines that are not compliant or could not be read."),
    "failsAtNextWindow": ("patchmode_audit_fails_at_next_window_machines", "Machines whose next window will fail."),
    "rebootedByAzure": ("patchmode_audit_rebooted_by_azure_machines", "Machines that Azure reboots without a window."),
    "patchedByNobody": ("patchmode_audit_patched_by_nobody_machines", "Machines that nobody patches."),
}


def audit_metrics(document: AuditDocument) -> tuple[Metric, ...]:
    """Every gauge of an audit."""
    machines = Counter((one.subscription_id, one.orchestration.value, one.outcome.value) for one in document.machines)
    called = dict(subscription_names(document.subscriptions).pairs)
    # A rule counts once a machine, whatever it says of its several schedules.
    reasons = Counter(
        pair for one in document.machines for pair in {(reason.rule, reason.severity) for reason in one.reasons}
    )
    order = tuple(Severity)
    target = document.target
    tenants = [one.tenant_id for one in _tenants(document)] or [target.tenant_id]
    info = [{"cloud": target.cloud, "endpoint": target.endpoint, "tenant": one} for one in tenants]
    made = document.created_at
    return (
        Metric("patchmode_audit_info", "What was audited; always 1.", tuple((one, 1) for one in info)),
        Metric(
            "patchmode_audit_timestamp_seconds",
            "When the audit was made, in Unix time.",
            () if made is None else (({}, made.timestamp()),),
        ),
        Metric(
            "patchmode_audit_machines",
            "Machines by subscription, orchestration and outcome.",
            tuple((_labels(key, called), count) for key, count in sorted(machines.items())),
        ),
        Metric(
            "patchmode_audit_rule_machines",
            "Machines of which a rule has something to say.",
            tuple(
                ({"rule": rule, "severity": severity.value}, count)
                for (rule, severity), count in sorted(
                    reasons.items(), key=lambda item: (item[0][0], order.index(item[0][1]))
                )
            ),
        ),
        *_readiness_metric(document),
        *(Metric(name, text, (({}, document.counts[member]),)) for member, (name, text) in _COUNTS.items()),
    )


def _tenants(document: AuditDocument) -> tuple[TenantRow, ...]:
    """Where several tenants were read, each of them; else none."""
    return () if document.tenants is msgspec.UNSET else document.tenants


def _tenant_facts(document: AuditDocument) -> Iterator[tuple[str, str]]:
    """Of each tenant of several its figures, or why it was not read."""
    for one in _tenants(document):
        told = one.error or ""
        if one.counts is not None:
            told = f"{plural(one.counts['machines'], 'machine')}, {one.counts['findings']:,} with findings"
        yield "Tenant", f"{f'{one.display_name} ({one.tenant_id})' if one.display_name else one.tenant_id}: {told}"


def _readiness_metric(document: AuditDocument) -> Iterator[Metric]:
    if document.readiness is not msgspec.UNSET:
        name, text = (
            "patchmode_audit_readiness_machines",
            "Machines by their readiness for a schedule.",
        )
        yield Metric(name, text, tuple(({"readiness": kind}, count) for kind, count in document.readiness.items()))


def _labels(key: tuple[str, str, str], called: Mapping[str, str]) -> Mapping[str, str]:
    """The name beside the id, which no other subscription has; none where it is not known."""
    subscription, orchestration, outcome = key
    name = called.get(subscription)
    named = {} if name is None else {"subscription_name": printable(name)}
    return {"subscription": subscription, "orchestration": orchestration, "outcome": outcome, **named}


_MEANINGS = {
    OutcomeKind.SCHEDULED: Meaning.GOOD,
    OutcomeKind.SCHEDULE_FAILS: Meaning.BAD,
    OutcomeKind.AUTOPATCHED: Meaning.BAD,
    OutcomeKind.PARKED: Meaning.WARN,
    OutcomeKind.NOT_PATCHED: Meaning.WARN,
    OutcomeKind.GUEST_MANAGED: Meaning.WARN,
    OutcomeKind.INELIGIBLE: Meaning.DIM,
    OutcomeKind.UNKNOWN: Meaning.WARN,
}
OUTCOMES: Mapping[OutcomeKind, tuple[str, Meaning]] = {
    kind: (kind.words, meaning) for kind, meaning in _MEANINGS.items()
}
"""Each outcome in words, in the order of charts."""
_COLUMNS = (
    Column("name", "Machine", is_shown=True),
    Column("resourceGroup", "Resource group", is_shown=True),
    Column("subscriptionId", "Subscription id"),
    Column("location", "Location", is_shown=True),
    Column("os", "OS", is_shown=True),
    Column("kind", "Kind"),
    Column("powerState", "Power"),
    Column("orchestration", "Orchestration", is_shown=True),
    Column("outcome", "Outcome", is_shown=True),
    Column("outcomeReason", "Why"),
    Column("asWanted", "Compliant"),
    Column("eligible", "Eligible"),
    Column("nextWindow", "Next window (UTC)", is_shown=True),
    Column("nextWindowLocal", "In its schedule's time", is_shown=True),
    Column("schedules", "Schedules"),
    Column("findings", "Findings", is_shown=True),
    Column("patchMode", "Patch mode"),
    Column("bypass", "Bypass"),
    Column("assessmentMode", "Assessment mode"),
    Column("rebootSetting", "Reboot setting"),
    Column("hotpatch", "Hotpatch"),
    Column("id", "Resource id"),
    Column("subscriptionName", "Subscription name"),
    # New columns are last: a program may read CSV by position.
    Column("readiness", "Readiness"),
)


def audit_record(document: AuditDocument, rules: Mapping[str, RuleText]) -> Record:
    """The record of an audit.

    Args:
        document: made now, or read from a saved audit.
        rules: the words of every rule.
    """
    place, names = document.target, subscription_names(document.subscriptions)
    target = Target(place.cloud, place.endpoint, place.tenant_id, names)
    counts = document.counts
    wanted = _wanted_text(document.wanted)
    findings = counts["findings"]
    machines = named(
        (
            *(_machine(row, wanted) for row in document.machines),
            *(left_out(one.id, one.rule, one.reason) for one in document.skipped),
            *(unreadable(one.id, one.reason) for one in document.unreadable),
        ),
        target,
    )
    verdict = (
        f"{findings:,} of {plural(counts['scope'], 'machine')} in scope need attention."
        if findings
        else f"All {counts['machines']:,} machines are compliant."
        if counts["machines"] != 1
        else "The machine is compliant."
    )
    return Record(
        kind="audit",
        title="Patch orchestration audit",
        verdict=verdict,
        meaning=Meaning.BAD if findings else Meaning.GOOD,
        target=target,
        taken_at=document.created_at,
        facts=(
            *(one for one in target_facts(target) if not (_tenants(document) and one[0] == "Tenant")),
            *_tenant_facts(document),
            ("Scope", scope_text(document.scope) or "(none)"),
            subscriptions_fact(machines),
            ("Measured against", wanted),
            ("Audited", when(document.created_at)),
        ),
        figures=_figures(document),
        charts=_charts(document),
        columns=(*_COLUMNS, Column("tenantId", "Tenant id", is_shown=True)) if _tenants(document) else _COLUMNS,
        machines=machines,
        rules={**rules, **OWN_RULES},
        metrics=audit_metrics(document),
        document=document,
        glossary=tuple((kind.value, text) for kind, (text, _) in OUTCOMES.items()),
        notes=document.notes,
    )


def _wanted_text(wanted: WantedRow) -> str:
    parts = []
    if wanted.orchestration is not None:
        parts.append(wanted.orchestration.portal_name)
    if wanted.periodic_assessment is not None:
        parts.append(f"periodic assessment {'on' if wanted.periodic_assessment else 'off'}")
    if wanted.reboot is not None:
        parts.append(f"reboot {wanted.reboot}")
    if wanted.hotpatch_off:
        parts.append("hotpatch off")
    return ", ".join(parts) or "nothing"


READINESS: Mapping[Readiness, Meaning] = {
    Readiness.READY_SCHEDULED: Meaning.GOOD,
    Readiness.READY_UNSCHEDULED: Meaning.WARN,
    Readiness.WILL_FAIL: Meaning.BAD,
    Readiness.NOT_READY: Meaning.WARN,
    Readiness.CANNOT: Meaning.WARN,
    Readiness.UNKNOWN: Meaning.WARN,
}


def _figures(document: AuditDocument) -> tuple[Figure, ...]:
    """How many are ready for a schedule, in numbers that add up; what the audit could not read, and what is urgent."""
    counts, ready = document.counts, document.readiness

    def bad(name: str, label: str) -> Figure:
        return Figure(counts[name], label, Meaning.BAD if counts[name] else Meaning.DIM)

    if ready is not msgspec.UNSET:
        return (
            Figure(counts["machines"], "machines audited", Meaning.DIM),
            *(
                Figure(ready.get(kind, 0), kind.words, meaning if ready.get(kind) else Meaning.DIM)
                for kind, meaning in READINESS.items()
            ),
            bad("rebootedByAzure", "rebooted by Azure without a window"),
            bad("unreadable", "unreadable"),
        )
    return (
        Figure(counts["machines"], "machines audited", Meaning.DIM),
        Figure(counts["asWanted"], "compliant", Meaning.GOOD if counts["asWanted"] else Meaning.DIM),
        bad("failsAtNextWindow", "fail at their next window"),
        bad("rebootedByAzure", "rebooted by Azure without a window"),
        bad("patchedByNobody", "patched by nobody"),
        bad("unreadable", "unreadable"),
    )


def _charts(document: AuditDocument) -> tuple[Chart, ...]:
    outcomes = Chart(
        "Who patches them",
        "Outcome",
        tuple(
            Bar(kind.value, text, document.outcomes.get(kind, 0), meaning)
            for kind, (text, meaning) in OUTCOMES.items()
            if document.outcomes.get(kind)
        ),
    )
    wanted = document.wanted.orchestration
    orchestrations = Chart(
        "How they are set",
        "Orchestration",
        tuple(
            Bar(one.portal_name, one.leaves, document.orchestrations[one], _set_meaning(one, wanted))
            for one in Orchestration
            if document.orchestrations.get(one)
        ),
    )
    if document.readiness is msgspec.UNSET:
        return outcomes, orchestrations
    counted = document.readiness
    bars = (Bar(one.value, one.words, counted.get(one, 0), READINESS[one]) for one in Readiness if counted.get(one))
    return Chart("Ready for a schedule", "Readiness", tuple(bars)), outcomes, orchestrations


def _set_meaning(one: Orchestration, wanted: Orchestration | None) -> Meaning:
    if one is wanted:
        return Meaning.GOOD
    return Meaning.BAD if one is Orchestration.AZURE_MANAGED else Meaning.DIM


_LATEST = datetime.max.replace(tzinfo=UTC)


def _machine(row: AuditMachine, wanted: str) -> RecordedMachine:
    findings = tuple(_findings(row, wanted))
    coming = [one for one in row.schedules if one.next_window]
    first = min(coming, key=lambda one: one.next_window or _LATEST, default=None)
    values = {
        "id": row.id,
        "name": row.name,
        "resourceGroup": row.resource_group,
        "subscriptionId": row.subscription_id,
        "location": row.location,
        "os": row.os and row.os.value,
        "kind": row.kind.value,
        "powerState": row.power_state,
        "orchestration": row.orchestration.value,
        "readiness": None if row.readiness is msgspec.UNSET else row.readiness.words,
        "outcome": row.outcome.value,
        "outcomeReason": row.outcome_reason,
        "asWanted": row.as_wanted,
        "eligible": row.eligible,
        "nextWindow": first.next_window if first else None,
        "nextWindowLocal": local_text(datetime.fromisoformat(first.local_start))
        if first and first.local_start
        else None,
        "schedules": "; ".join(map(_schedule, row.schedules)),
        "findings": "; ".join(finding.rule for finding in findings),
        "patchMode": row.patch_mode,
        "bypass": row.bypass,
        "assessmentMode": row.assessment_mode,
        "rebootSetting": row.reboot_setting,
        "hotpatch": row.hotpatch,
        "tenantId": None if row.tenant_id is msgspec.UNSET else row.tenant_id,
    }
    return RecordedMachine(
        id=row.id,
        name=row.name,
        group=row.resource_group,
        subscription=row.subscription_id,
        standing=_standing(row),
        end=row.outcome.value,
        meaning=OUTCOMES[row.outcome][1],
        because=row.outcome_reason,
        values=values,
        findings=findings,
    )


def _standing(row: AuditMachine) -> RecordState:
    if not row.as_wanted:
        return RecordState.FINDING
    # An Arc server has no patch mode: where nothing else was wanted, nothing was judged.
    return RecordState.SKIPPED if row.orchestration is Orchestration.NOT_APPLICABLE else RecordState.FINE


def _findings(row: AuditMachine, wanted: str) -> Iterator[RecordedFinding]:
    if not row.as_wanted:
        yield RecordedFinding(
            NOT_AS_WANTED.id,
            NOT_AS_WANTED.level,
            f"The settings are not the wanted ones ({wanted}); the orchestration is {row.orchestration.portal_name}.",
            next((one.evidence for one in row.reasons if one.rule == "odd-settings"), None)
            or f"patchMode {row.patch_mode or '(absent)'}, bypass {_told(row.bypass)}",
            NOT_AS_WANTED.fix if row.eligible else "First clear what blocks the change.",
        )
    for reason in row.reasons:
        # What blocks a change blocks nothing where there is nothing to change.
        level = LEVELS[reason.severity] if not row.as_wanted else Level.NOTE
        if reason.severity is Severity.WARNS:
            level = Level.WARNING
        yield RecordedFinding(reason.rule, level, reason.message, reason.evidence, reason.fix)


def _told(value: bool | None) -> str:
    return "(absent)" if value is None else str(value).lower()


def _schedule(schedule: AuditSchedule) -> str:
    start = when(schedule.next_window) if schedule.next_window else schedule.because or schedule.timing.value
    return f"{schedule.name} ({schedule.via}): {start}"
