"""Commands that run when they are pasted: with the global options that this invocation was given by option.

What stands in the environment stands there still; what was typed would be missing.

Must not: change what a command does.
"""

import re
from dataclasses import replace
from shlex import quote
from typing import TypeVar

from patchmode.cli.settings import Settings
from patchmode.model.attachment import AttachResult
from patchmode.model.outcome import ChangeResult, RunReport

End = TypeVar("End", ChangeResult, AttachResult)
_COMMAND = re.compile(r"patchmode (?:runs (?:resume|show)|verify|rollback) \d{8}T\d{9}Z-[0-9a-f]{6}")
PLACES = ("cloud", "identity_file", "state_dir")
"""Global options without which a command would look elsewhere, or sign in as somebody else."""


def completed(text: str, settings: Settings) -> str:
    """A text whose commands about a run name the places that were typed."""
    typed = [(name, getattr(settings, name)) for name in PLACES if name in settings.typed]
    if not typed:
        return text
    options = "".join(f" --{name.replace('_', '-')} {quote(str(value))}" for name, value in typed)
    return _COMMAND.sub(lambda match: match[0] + options, text)


def completed_report(report: RunReport, settings: Settings) -> RunReport:
    """A run's report whose advice names the places that were typed."""
    if settings.typed.isdisjoint(PLACES):
        return report
    return replace(
        report,
        results=tuple(_completed(one, settings) for one in report.results),
        attachments=tuple(_completed(one, settings) for one in report.attachments),
    )


def _completed(end: End, settings: Settings) -> End:
    if end.error is None:
        return end
    return replace(end, error=replace(end.error, advice=completed(end.error.advice, settings)))
