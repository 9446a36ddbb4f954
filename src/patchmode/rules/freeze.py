"""Whether a freeze holds, and when nothing holds any more.

A clock that is put back shows some times twice, and one that is put forward leaves some out. Where a freeze begins or
ends at such a time, the reading counts that makes it longer: a freeze is never shorter than its text.

Must not: know what time it is, or wait.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from patchmode.model.freeze import Freeze, Once

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HORIZON = timedelta(days=400)
"""Weekly freezes of several zones can leave a gap that only summer time makes; what leaves none for so long never does.
"""
_Span = tuple[datetime, datetime]


def frozen_by(freezes: Sequence[Freeze], now: datetime) -> Freeze | None:
    """The first of the freezes that holds; None: none does.

    Args:
        freezes: any number.
        now: aware.
    """
    moment = now.astimezone(UTC)
    return next((one for one in freezes if any(_holding(one, moment))), None)


def ends_at(freezes: Sequence[Freeze], now: datetime) -> datetime | None:
    """The first instant from now on at which none of the freezes holds, UTC; now itself, where none does.

    Args:
        freezes: any number; where one begins before another has ended, both must have ended.
        now: aware.

    Returns:
        None: together they never end.
    """
    moment = now.astimezone(UTC)
    bound = max([moment, *(one.span.ends for one in freezes if isinstance(one.span, Once))]) + _HORIZON
    while moment <= bound:
        ends = [end for one in freezes for _, end in _holding(one, moment)]
        if not ends:
            return moment
        moment = max(ends)
    return None


def freeze_text(freeze: Freeze, until: datetime | None) -> str:
    """A freeze and when it may go on: `Fri 16:00-Mon 06:00 (Europe/Berlin), until Mon 2026-11-30 05:00 UTC`.

    Args:
        freeze: one that holds.
        until: from `ends_at`; None: never.
    """
    if until is None:
        return f"{freeze}, without an end"
    # A time is never told earlier than it is.
    minute = (until.astimezone(UTC) + timedelta(minutes=1, microseconds=-1)).replace(second=0, microsecond=0)
    return f"{freeze}, until {_DAYS[minute.weekday()]} {minute:%Y-%m-%d %H:%M} UTC"


def earliest(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first instant, UTC, that a time of the wall's clock may mean.

    Args:
        wall: without a zone; one with an offset means one instant only.
        zone: where the clock hangs.
    """
    return min(_readings(wall, zone))


def latest(wall: datetime, zone: ZoneInfo) -> datetime:
    """The last instant, UTC, that a time of the wall's clock may mean; arguments as for `earliest`."""
    return max(_readings(wall, zone))


def _readings(wall: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    for fold in (0, 1):
        yield (wall if wall.tzinfo else wall.replace(tzinfo=zone, fold=fold)).astimezone(UTC)


def _holding(freeze: Freeze, moment: datetime) -> Iterator[_Span]:
    """The spans of a freeze in which a moment lies."""
    return (span for span in _spans(freeze, moment) if span[0] <= moment < span[1])


def _spans(freeze: Freeze, moment: datetime) -> Iterator[_Span]:
    """The spans of a freeze that begin early enough, and late enough, to hold a moment."""
    if isinstance(freeze.span, Once):
        yield freeze.span.starts, freeze.span.ends
        return
    weekly, here = freeze.span, moment.astimezone(freeze.zone)
    midnight = datetime(here.year, here.month, here.day)  # noqa: DTZ001 - a time of the wall's clock
    # A day more on either side: a clock that is put back over midnight shows yesterday's times again.
    for back in range(-1, weekly.length.days + 3):
        day = midnight - timedelta(days=back)
        if day.weekday() in weekly.days:
            start = day + weekly.start
            yield earliest(start, freeze.zone), latest(start + weekly.length, freeze.zone)
