"""A run as its page shows it: the tally while it goes, what did not end as planned first once it is over.

Must not: call a change done that is not known to be.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from patchmode.console.operation import Operation, finished
from patchmode.console.past_runs import RunPage
from patchmode.model.outcome import ChangeResult, Result, Verification
from patchmode.model.plain_text import printable
from patchmode.reports.brakes_text import brakes_text
from patchmode.reports.left_alone import not_done_text
from patchmode.reports.machine_names import MachineNames
from patchmode.reports.paint import Paint
from patchmode.reports.plan_text import names_in
from patchmode.reports.run_text import requests_text
from patchmode.workflow.ports import Progress

SECONDS_BEFORE_RATE = 2.0
SHOWN = 200
"""So many machines of one kind are listed; the report holds all."""
_BAD_ORDER = (Result.FAILED, Result.UNKNOWN, Result.STALE, Result.NOT_SENT)


@dataclass(frozen=True, slots=True)
class RunView:
    """One run, laid out."""

    page: RunPage
    troubles: Sequence[tuple[Result, Sequence[ChangeResult]]]
    """By result, the worst first; only those that there are."""
    mismatches: Sequence[Verification]
    applied: Sequence[ChangeResult]
    aside: Mapping[str, int]
    """What the plan leaves aside, in words → machines."""
    not_done: str
    """What was asked for and is not so, in words; empty: all of it is."""

    @property
    def requests(self) -> str:
        """How many requests the run sent; empty: none known."""
        return requests_text(self.page.report)

    @property
    def in_force(self) -> str:
        """What would hold the run back if it were taken up; empty: nothing."""
        return brakes_text(self.page.brakes)

    @property
    def may_resume(self) -> bool:
        """Whether taking it up would do something."""
        return self.page.report.state != "running" and self.page.left > 0

    @property
    def may_roll_back(self) -> bool:
        """Whether there is anything that may be undone."""
        counts = self.page.report.counts
        has_attached = any(one.is_fine for one in self.page.report.attachments)
        return self.page.report.state != "running" and bool(counts.applied or counts.unknown or has_attached)


def view_of(found: RunPage) -> RunView:
    """Lay a run out."""
    results = found.report.results
    by_result = {result: [one for one in results if one.result is result] for result in _BAD_ORDER}
    seen = [one.verification for one in results if one.verification is not None]
    counts = found.report.counts
    return RunView(
        page=found,
        troubles=[(result, entries) for result, entries in by_result.items() if entries],
        mismatches=[one for one in seen if not one.verified],
        applied=[one for one in results if one.result is Result.APPLIED],
        aside={
            name: count
            for name, count in (
                ("already as wanted", counts.unchanged),
                ("left alone", counts.skipped - counts.blocked),
                ("blocked", counts.blocked),
                ("not readable", counts.unreadable),
            )
            if count
        },
        not_done=not_done_text(found.report.not_done, found.report.blocked),
    )


def live_values(operation: Operation) -> dict[str, Any]:
    """What the page of a run under way shows, as JSON values."""
    progress = operation.progress or _untouched(len(operation.plan.changes))
    ended = finished(progress)
    failures = list(operation.failures)[::-1]
    # A large plan is gone through only where there is something to name.
    names = names_in(operation.plan, paint=Paint()) if failures else None
    return {
        "state": "stopping" if operation.is_stopping else "running",
        "total": progress.total,
        "finished": ended,
        "applied": progress.done,
        "failed": progress.failed,
        "unknown": progress.unknown,
        "stale": progress.stale,
        "notSent": progress.not_sent,
        "waiting": progress.waiting,
        "notStarted": progress.not_started,
        "attached": progress.attached,
        "toAttach": progress.to_attach,
        "pace": _pace(operation, ended, progress),
        "remarks": [printable(text) for text in operation.remarks][::-1],
        "failures": [_failure(one, names) for one in failures] if names else [],
    }


def _untouched(total: int) -> Progress:
    return Progress(total=total, not_started=total)


def _pace(operation: Operation, ended: int, progress: Progress) -> str:
    elapsed_s = time.monotonic() - operation.began
    done = ended - (operation.finished_before or 0)
    told = f"{_span(elapsed_s)} so far"
    if elapsed_s < SECONDS_BEFORE_RATE or not done:
        return told
    rate = done / elapsed_s
    left = progress.total - ended
    return f"{told}, {rate:.1f} machines/s" + (f", about {_span(left / rate)} left" if left else "")


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _failure(result: ChangeResult, names: MachineNames) -> dict[str, str]:
    error = result.error
    return {
        "id": str(result.id),
        "name": names.short(result.id),
        "result": result.result.value,
        "message": printable(error.message) if error else "",
        "advice": printable(error.advice) if error else "",
    }
