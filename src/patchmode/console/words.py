"""The words and tones of the pages for the model's values. Must not: know HTML."""

from collections.abc import Mapping
from typing import NamedTuple

from patchmode.model.finding import Severity
from patchmode.model.outcome import OutcomeKind, Readiness
from patchmode.model.patch_settings import Orchestration
from patchmode.model.run import Result
from patchmode.model.schedule import RunForecast
from patchmode.reports.text.plan import AZURE_AGAIN

__all__ = ["AZURE_AGAIN"]


class Word(NamedTuple):
    """A value in words, and its tone: `good`, `bad`, `warn`, `plain`."""

    text: str
    tone: str


OUTCOMES: Mapping[str, Word] = {
    OutcomeKind.SCHEDULED: Word("Runs on its schedule", "good"),
    OutcomeKind.SCHEDULE_FAILS: Word("Fails at its next window", "bad"),
    OutcomeKind.PARKED: Word("Parked, patched by nobody", "warn"),
    OutcomeKind.AUTOPATCHED: Word("Rebooted by Azure without a window", "bad"),
    OutcomeKind.GUEST_MANAGED: Word("Patched by its own system", "warn"),
    OutcomeKind.NOT_PATCHED: Word("Patched by nobody", "warn"),
    OutcomeKind.INELIGIBLE: Word("Not supported by Update Manager", "plain"),
    OutcomeKind.UNKNOWN: Word("Not known", "warn"),
}
READINESS: Mapping[str, Word] = {
    Readiness.READY_SCHEDULED: Word(Readiness.READY_SCHEDULED.words, "good"),
    Readiness.READY_UNSCHEDULED: Word(Readiness.READY_UNSCHEDULED.words, "warn"),
    Readiness.WILL_FAIL: Word(Readiness.WILL_FAIL.words, "bad"),
    Readiness.NOT_READY: Word(Readiness.NOT_READY.words, "warn"),
    Readiness.CANNOT: Word(Readiness.CANNOT.words, "warn"),
    Readiness.UNKNOWN: Word(Readiness.UNKNOWN.words, "warn"),
}
ORCHESTRATIONS: Mapping[str, Word] = {
    one: Word(one.portal_name, "good" if one is Orchestration.CUSTOMER_MANAGED_SCHEDULES else "plain")
    for one in Orchestration
}
RESULTS: Mapping[str, Word] = {
    Result.APPLIED: Word("Applied", "good"),
    Result.FAILED: Word("Failed", "bad"),
    Result.UNKNOWN: Word("Unknown: sent, and no answer was received", "bad"),
    Result.STALE: Word("Stale: it changed since the plan", "bad"),
    Result.NOT_SENT: Word("Not sent", "warn"),
}
STATES: Mapping[str, Word] = {
    "finished": Word("Finished", "good"),
    "running": Word("Running", "plain"),
    "interrupted": Word("Interrupted", "warn"),
    "stopped": Word("Stopped", "bad"),
    "unreadable": Word("Unreadable", "bad"),
}
FORECASTS: Mapping[str, Word] = {
    RunForecast.RUNS: Word("run", "good"),
    RunForecast.FAILS: Word("fail", "bad"),
    RunForecast.MISSED: Word("missed", "warn"),
    RunForecast.NO_WINDOW: Word("no window", "plain"),
    RunForecast.UNKNOWN: Word("unknown", "warn"),
}
SEVERITIES: Mapping[str, Word] = {
    Severity.BLOCKS: Word("Blocks", "bad"),
    Severity.WARNS: Word("Warns", "warn"),
    Severity.NOTES: Word("Note", "plain"),
}
