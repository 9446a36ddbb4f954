"""A run as Prometheus gauges. No series names a machine.

Must not: print; `prometheus` does.
"""

from patchmode.model.outcome import Result, RunReport
from patchmode.model.record import Metric
from patchmode.model.target import Target

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
            "Machines of the scope by what became of them.",
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
            "Requests that the run is known to have sent to apply and verify, by HTTP method.",
            tuple(({"method": method}, count) for method, count in sorted(report.requests.items())),
        ),
    )
