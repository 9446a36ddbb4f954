"""The words and tones of the pages for the model's values. Must not: know HTML."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from patchmode.model.finding import Severity
from patchmode.model.outcome import OutcomeKind, Readiness
from patchmode.model.patch_settings import Orchestration
from patchmode.model.run import Result
from patchmode.model.schedule import RunForecast
from patchmode.reports.text.plan import AZURE_AGAIN

__all__ = ["AZURE_AGAIN", "on_the_page"]


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
    "finished": Word("Finished", "plain"),
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


_ON_THE_PAGE = {
    "--ids: ": "",
    "--waves: ": "Waves: ",
    "--then-attach:": "",
    "--then-attach excludes every other --to": "it cannot be combined with another patch orchestration",
    "Leave --to out, or give --to customer-managed-schedules": "Choose Customer Managed Schedules, or no schedule",
    ", or give --freeze none if this change may break it": "",
    "with --then-attach": "with the schedule",
    "Repeat with --allow-azure-managed if Azure may patch it": "Allow it below if Azure may patch it",
    "allow it with schedule detach --allow-azure-managed": "allow it below",
    ", or --replace to overwrite it; its assignments stay": "",
    ", or --replace to overwrite it": "",
    "repeat the command": "begin again",
    "Correct it: the command's `--help` shows the forms": "Correct it in the form",
    "--hotpatch off": "“Turn hotpatch off where it blocks the wanted mode”",
    "--include-scale-set-members": "“Also change members of Flexible scale sets”",
    "--allow-azure-managed": "“Also restore machines to a mode in which Azure patches and reboots them”",
    "--freeze: ": "Freeze: ",
    "for example --freeze": "for example",
    "--wave-pause: ": "Pause between waves: ",
    "Give --share a percentage": "Give a percentage",
    "--freeze": "the freeze",
    "--wave-pause": "the pause between waves",
    "--last-wave": "the last wave",
    "--share": "the share of the rate limits",
    "--concurrency": "“Machines at a time”",
    "--max-failures-per-region": "the failure budget of a region",
    "--max-failures-per-wave": "the failure budget of a wave",
    "--max-failures": "the failure budget",
}
"""What the command line calls by an option → what the pages call so."""
_PROSE = re.compile(
    r"(?P<command>`[^`]*`|\b(?:patchmode|az) [a-z][^\n]*)"
    rf"|(?P<known>{'|'.join(map(re.escape, _ON_THE_PAGE))})(?![\w-])"
    r"|(?<![\w-])--(?P<name>[a-z][a-z-]+)"
)


def on_the_page(text: str) -> str:
    """A text without the options of the command line, which nobody can type on a page; whole commands are kept.

    Args:
        text: a message, an advice or a fix, one command a line or between backticks.
    """
    told = _PROSE.sub(_shown, text)
    if not told.startswith(" "):
        return told
    # The option that stood first is left out: what follows it is a sentence now.
    return told[1:2].upper() + told[2:]


def _shown(found: re.Match[str]) -> str:
    if found["command"]:
        return found["command"]
    return _ON_THE_PAGE[found["known"]] if found["known"] else f"the command line's option “{found['name']}”"
