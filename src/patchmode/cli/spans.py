"""Spans of time as options give them: 15m, 1h, 1d, 1w.

Must not: know what time it is.
"""

from datetime import timedelta

from patchmode.errors import UsageError
from patchmode.model.since import Since, SinceError


def seconds_from(text: str, option: str) -> float:
    """A span of time in seconds, > 0.

    Args:
        text: a number of minutes, hours, days or weeks.
        option: as messages call it.

    Raises:
        UsageError: it is none.
    """
    try:
        span = Since.parse(text).ago
    except SinceError:
        span = None
    if span is None:
        raise UsageError(
            f"{option}: {text!r} is no span of time.",
            advice="A number of minutes, hours, days or weeks: 15m, 1h, 1d, 1w.",
        )
    return span / timedelta(seconds=1)


def wait_from(text: str) -> timedelta:
    """What `--longest-wait` says.

    Raises:
        UsageError: it is no span of time.
    """
    return timedelta(seconds=seconds_from(text, "--longest-wait"))
