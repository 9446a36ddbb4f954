"""The next few windows of a configuration, however far ahead they lie.

Must not: tell which of two readings of a recurrence is right; the default one counts, as for the calendar.
"""

from datetime import datetime, timedelta

from patchmode.model.schedule import Window, WindowRule
from patchmode.rules.recurrence import windows_between

_YEARS = (1, 4, 16, 64)
"""How far to look, further only where nothing was found: most rules come within a year."""


def upcoming(rule: WindowRule, *, after: datetime, count: int) -> tuple[Window, ...]:
    """The first windows that start at `after` or later.

    Args:
        rule: as the configuration states it.
        after: aware.
        count: how many, > 0.

    Returns:
        Fewer where fewer come within 64 years; empty also for a rule that cannot be read.
    """
    found: tuple[Window, ...] = ()
    for years in _YEARS:
        found = windows_between(rule, start=after, end=after + timedelta(days=366 * years))[:count]
        if len(found) == count:
            break
    return found
