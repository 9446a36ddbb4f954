"""An audit's document as a record, for every report format.

Must not: look at anything but the document, so that a saved audit makes the same report as a live one.
"""

from collections.abc import Iterator, Mapping

from patchmode.json_edge import subscription_names
from patchmode.model.finding import Severity
from patchmode.model.outcome import OutcomeKind
from patchmode.model.patch_settings import Orchestration
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
from patchmode.model.scope import scope_text
from patchmode.model.target import Target
from patchmode.reports.audit_document import AuditDocument, AuditMachine, AuditSchedule, AuditWanted
from patchmode.reports.audit_metrics import audit_metrics
from patchmode.reports.headings import plural
from patchmode.reports.own_findings import NOT_AS_WANTED, OWN_RULES
from patchmode.reports.recorded import left_out, named, subscriptions_fact, target_facts, unreadable, when

_LEVELS = {Severity.BLOCKS: Level.ERROR, Severity.WARNS: Level.WARNING, Severity.NOTES: Level.NOTE}
OUTCOMES: Mapping[OutcomeKind, tuple[str, Meaning]] = {
    OutcomeKind.SCHEDULED: ("patched by its schedule", Meaning.GOOD),
    OutcomeKind.SCHEDULE_FAILS: ("patched by nobody: a schedule is attached and its runs fail", Meaning.BAD),
    OutcomeKind.AUTOPATCHED: ("patched and rebooted by Azure at times of its choosing", Meaning.BAD),
    OutcomeKind.PARKED: ("patched by nobody: it waits for a schedule", Meaning.WARN),
    OutcomeKind.NOT_PATCHED: ("patched by nobody", Meaning.WARN),
    OutcomeKind.GUEST_MANAGED: ("left to what runs inside the guest", Meaning.DIM),
    OutcomeKind.INELIGIBLE: ("out of Update Manager's reach", Meaning.DIM),
    OutcomeKind.UNKNOWN: ("not known; the reason says why", Meaning.WARN),
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
    Column("asWanted", "As wanted"),
    Column("eligible", "Eligible"),
    Column("nextWindow", "Next window (UTC)", is_shown=True),
    Column("schedules", "Schedules"),
    Column("findings", "Findings", is_shown=True),
    Column("patchMode", "Patch mode"),
    Column("bypass", "Bypass"),
    Column("assessmentMode", "Assessment mode"),
    Column("rebootSetting", "Reboot setting"),
    Column("hotpatch", "Hotpatch"),
    Column("id", "Resource id"),
    Column("subscriptionName", "Subscription name"),
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
        else f"All {counts['machines']:,} machines are as wanted."
        if counts["machines"] != 1
        else "The machine is as wanted."
    )
    return Record(
        kind="audit",
        title="Patch orchestration audit",
        verdict=verdict,
        meaning=Meaning.BAD if findings else Meaning.GOOD,
        target=target,
        taken_at=document.created_at,
        facts=(
            *target_facts(target),
            ("Scope", scope_text(document.scope) or "(none)"),
            subscriptions_fact(machines),
            ("Measured against", wanted),
            ("Audited", when(document.created_at)),
        ),
        figures=_figures(document),
        charts=_charts(document),
        columns=_COLUMNS,
        machines=machines,
        rules={**rules, **OWN_RULES},
        metrics=audit_metrics(document),
        document=document,
        glossary=tuple((kind.value, text) for kind, (text, _) in OUTCOMES.items()),
        notes=document.notes,
    )


def _wanted_text(wanted: AuditWanted) -> str:
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


def _figures(document: AuditDocument) -> tuple[Figure, ...]:
    counts = document.counts

    def bad(name: str, label: str) -> Figure:
        return Figure(counts[name], label, Meaning.BAD if counts[name] else Meaning.DIM)

    return (
        Figure(counts["machines"], "machines audited", Meaning.DIM),
        Figure(counts["asWanted"], "as wanted", Meaning.GOOD if counts["asWanted"] else Meaning.DIM),
        bad("failsAtNextWindow", "fail at their next window"),
        bad("rebootedByAzure", "rebooted by Azure without a window"),
        bad("patchedByNobody", "patched by nobody"),
        bad("unreadable", "not readable"),
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
            Bar(one.value, one.portal_name, document.orchestrations[one], _set_meaning(one, wanted))
            for one in Orchestration
            if document.orchestrations.get(one)
        ),
    )
    return outcomes, orchestrations


def _set_meaning(one: Orchestration, wanted: Orchestration | None) -> Meaning:
    if one is wanted:
        return Meaning.GOOD
    return Meaning.BAD if one is Orchestration.AZURE_MANAGED else Meaning.DIM


def _machine(row: AuditMachine, wanted: str) -> RecordedMachine:
    findings = tuple(_findings(row, wanted))
    next_window = min((one.next_window for one in row.schedules if one.next_window), default=None)
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
        "outcome": row.outcome.value,
        "outcomeReason": row.outcome_reason,
        "asWanted": row.as_wanted,
        "eligible": row.eligible,
        "nextWindow": next_window,
        "schedules": "; ".join(map(_schedule, row.schedules)),
        "findings": "; ".join(finding.rule for finding in findings),
        "patchMode": row.patch_mode,
        "bypass": row.bypass,
        "assessmentMode": row.assessment_mode,
        "rebootSetting": row.reboot_setting,
        "hotpatch": row.hotpatch,
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


def _standing(row: AuditMachine) -> Standing:
    if not row.as_wanted:
        return Standing.FINDING
    # An Arc server has no patch mode: where nothing else was wanted, nothing was judged.
    return Standing.SKIPPED if row.orchestration is Orchestration.NOT_APPLICABLE else Standing.FINE


def _findings(row: AuditMachine, wanted: str) -> Iterator[RecordedFinding]:
    if not row.as_wanted:
        yield RecordedFinding(
            NOT_AS_WANTED.id,
            NOT_AS_WANTED.level,
            f"The settings are not as wanted ({wanted}); the orchestration is {row.orchestration.portal_name}.",
            next((one.evidence for one in row.reasons if one.rule == "odd-settings"), None)
            or f"patchMode {row.patch_mode or '(absent)'}, bypass {_told(row.bypass)}",
            NOT_AS_WANTED.fix if row.eligible else "First see to what stands in the way of the change.",
        )
    for reason in row.reasons:
        # What blocks a change blocks nothing where there is nothing to change.
        level = _LEVELS[reason.severity] if not row.as_wanted else Level.NOTE
        if reason.severity is Severity.WARNS:
            level = Level.WARNING
        yield RecordedFinding(reason.rule, level, reason.message, reason.evidence, reason.fix)


def _told(value: bool | None) -> str:
    return "(absent)" if value is None else str(value).lower()


def _schedule(schedule: AuditSchedule) -> str:
    start = when(schedule.next_window) if schedule.next_window else schedule.because or schedule.timing.value
    return f"{schedule.name} ({schedule.via}): {start}"
