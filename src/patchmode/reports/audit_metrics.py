"""An audit as Prometheus gauges.

No series names a machine: their number grows with subscriptions, and with nothing else that is not a closed set.

Must not: print; `prometheus` does.
"""

from collections import Counter
from collections.abc import Mapping

from patchmode.json_edge import subscription_names
from patchmode.model.finding import Severity
from patchmode.model.plain_text import printable
from patchmode.model.record import Metric
from patchmode.reports.audit_document import AuditDocument

_COUNTS = {
    "scope": ("patchmode_audit_scope_machines", "Machines in scope: audited, left out or not readable."),
    "skipped": ("patchmode_audit_skipped_machines", "Machines that a filter left out."),
    "unreadable": ("patchmode_audit_unreadable", "Machines and subscriptions in scope that could not be read."),
    "asWanted": ("patchmode_audit_as_wanted_machines", "Machines that have the settings they are measured against."),
    "findings": ("patchmode_audit_finding_machines", "Machines that are not as wanted or could not be read."),
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
    info = {"cloud": target.cloud, "endpoint": target.endpoint, "tenant": target.tenant_id}
    made = document.created_at
    return (
        Metric("patchmode_audit_info", "What was audited; always 1.", ((info, 1),)),
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
        *(Metric(name, text, (({}, document.counts[member]),)) for member, (name, text) in _COUNTS.items()),
    )


def _labels(key: tuple[str, str, str], called: Mapping[str, str]) -> Mapping[str, str]:
    """The name beside the id, which no other subscription has; none where it is not known."""
    subscription, orchestration, outcome = key
    name = called.get(subscription)
    named = {} if name is None else {"subscription_name": printable(name)}
    return {"subscription": subscription, "orchestration": orchestration, "outcome": outcome, **named}
