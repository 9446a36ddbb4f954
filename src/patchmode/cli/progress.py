"""Watching a run: a bar with a tally on a terminal, a plain line every few seconds elsewhere.

Must not: influence the run; every method may be ignored.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import click

from patchmode.cli import logs
from patchmode.cli.output import tell
from patchmode.cli.settings import Settings
from patchmode.errors import OUR_CODES
from patchmode.model.plain_text import printable
from patchmode.model.resource_id import ResourceId, subscription_of
from patchmode.model.run import ChangeResult, Result
from patchmode.model.schedule import AttachResult
from patchmode.ports.run import Observer, Progress

SECONDS_BETWEEN_LINES = 5.0
SECONDS_BEFORE_RATE = 1.0
_BAD = {Result.FAILED, Result.UNKNOWN, Result.STALE}


@contextmanager
def watching(
    settings: Settings, *, skipped: int, called: Callable[[ResourceId], str], doing: str = "Applying"
) -> Iterator[Observer]:
    """An observer that fits the terminal.

    Args:
        settings: quiet and no_progress are honoured.
        skipped: as the report counts them: left out by a filter or blocked; not those that are as wanted already.
        called: what a machine that failed is called.
        doing: the word before the bar.
    """
    if (log := logs.stream()) is not None:
        yield Records(settings, log)
    elif settings.quiet or settings.no_progress:
        yield Remarks(settings)
    elif sys.stderr.isatty():
        with _bar(settings, skipped=skipped, called=called, doing=doing) as observer:
            yield observer
    else:
        yield Lines(settings, skipped=skipped, doing=doing)


class Remarks:
    """Tells remarks and failures only."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def progressed(self, progress: Progress) -> None:
        """Say nothing of the tally."""

    def remarked(self, text: str) -> None:
        """Pass one line on."""
        if not self.settings.quiet:
            tell(text)


class Records(Remarks):
    """A line of the log for each change that failed; with `-v` for each that ended."""

    def __init__(self, settings: Settings, log: logs.LogStream) -> None:
        super().__init__(settings)
        self._log = log
        self._latest: ChangeResult | None = None

    def progressed(self, progress: Progress) -> None:
        """Write the change that ended last, once."""
        latest = progress.latest
        if latest is None or latest is self._latest:
            return
        self._latest = latest
        is_bad = latest.result in _BAD
        if is_bad or self.settings.verbose:
            _record(self._log, latest, is_bad=is_bad)


def record_attachments(ends: Iterable[AttachResult]) -> None:
    """Write a line of the log for each attachment that did not end as wanted; nothing where text was chosen."""
    if (log := logs.stream()) is not None:
        for end in ends:
            if not end.is_fine:
                _record(log, end, is_bad=True)


def _record(log: logs.LogStream, end: ChangeResult | AttachResult, *, is_bad: bool) -> None:
    error = end.error
    log.put(
        "error" if is_bad else "debug",
        error.message if error else str(end.result),
        "machine",
        machine=str(end.id),
        subscription=subscription_of(str(end.id)),
        result=str(end.result),
        code=error.code if error else None,
        status=error.http_status if error else None,
        advice=(error.advice or None) if error else None,
        request_id=end.request_id,
        correlation_id=end.correlation_id,
    )


class Lines(Remarks):
    """A line at most every few seconds, and one at the end."""

    def __init__(self, settings: Settings, *, skipped: int, doing: str) -> None:
        super().__init__(settings)
        self.skipped = skipped
        self.doing = doing
        self.began = time.monotonic()
        self.told = float("-inf")
        self.line = ""

    def progressed(self, progress: Progress) -> None:
        """Tell the tally when it is time, and at the end."""
        now = time.monotonic()
        if finished(progress) < progress.total and now - self.told < SECONDS_BETWEEN_LINES:
            return
        self.told = now
        tally = tally_text(progress, skipped=self.skipped, elapsed_s=now - self.began)
        line = f"{self.doing}: {finished(progress):,}/{progress.total:,}  {tally}"
        if line != self.line:
            self.line = line
            click.echo(line, err=True)


def finished(progress: Progress) -> int:
    """Changes that have come to an end."""
    return progress.total - progress.waiting - progress.not_started


def tally_text(progress: Progress, *, skipped: int, elapsed_s: float, gap: str = "  ") -> str:
    """Wave, done, each other end, skipped, under way, not sent yet, machines per second, time left; nought is left out.

    Args:
        progress: the run's.
        skipped: machines left out by a filter or blocked.
        elapsed_s: since this process began; a rate is told after the first second only, earlier it means nothing.
        gap: between the parts.
    """
    counted = {
        "failed": progress.failed,
        "unknown": progress.unknown,
        "stale": progress.stale,
        "not sent": progress.not_sent,
        "skipped": skipped,
        "under way": progress.waiting,
        "not sent yet": progress.not_started,
    }
    attached = [f"{progress.attached:,}/{progress.to_attach:,} schedules"] if progress.to_attach else []
    wave = [f"wave {progress.wave}/{len(progress.waves)}"] if progress.wave else []
    parts = [
        *wave,
        f"{progress.done:,} done",
        *attached,
        *(f"{count:,} {what}" for what, count in counted.items() if count),
    ]
    ended = finished(progress)
    if progress.ended_here and elapsed_s >= SECONDS_BEFORE_RATE:
        rate = progress.ended_here / elapsed_s
        parts.append(f"{rate:.1f} VMs/s")
        if ended < progress.total:
            parts.append(f"{duration_text((progress.total - ended) / rate)} left")
    return gap.join(parts)


def duration_text(seconds: float) -> str:
    """`7 s`, `1:05`, `2:03:04`."""
    whole = max(1, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}" if minutes else f"{rest} s"


def failure_text(result: ChangeResult, machine: str) -> str:
    """One line for a change that did not end as planned; `machine`: what it is called."""
    error = result.error
    reason = str(result.result)
    if error is not None:
        # The message names request and machine once more; what Azure said comes after its code.
        said = error.message.partition(f"{error.code}: ")[2] or error.message
        reason = said if error.code in OUR_CODES else f"{error.code}: {said}"
    return printable(f"✗ {machine}  {reason}")


@contextmanager
def _bar(settings: Settings, *, skipped: int, called: Callable[[ResourceId], str], doing: str) -> Iterator[Observer]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bars
    from rich.text import Text

    console = Console(file=sys.stderr, no_color=settings.no_color or None, highlight=False)
    # The tally matters more than the bar: at 80 columns the bar gives way.
    columns = (BarColumn(bar_width=max(4, min(30, console.width - 74))), TextColumn("{task.description}"))
    began = time.monotonic()
    with Bars(*columns, console=console, refresh_per_second=5) as bars:
        task = bars.add_task(doing, total=None)

        class Bar(Remarks):
            """Moves the bar; tells each failure once, above it."""

            def progressed(self, progress: Progress) -> None:
                elapsed_s = time.monotonic() - began
                tally = tally_text(progress, skipped=skipped, elapsed_s=elapsed_s, gap=" ")
                text = f"{finished(progress)}/{progress.total} {tally}"
                bars.update(task, total=progress.total, completed=finished(progress), description=text)
                latest = progress.latest
                if latest is not None and latest.result in _BAD:
                    console.print(Text(failure_text(latest, called(latest.id)), style="red"))

            def remarked(self, text: str) -> None:
                console.print(Text(text, style="yellow"))

        yield Bar(settings)
