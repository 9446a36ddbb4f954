"""Freezes: how people write them, whether one holds, and when nothing holds any more."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from patchmode.errors import UsageError
from patchmode.model.guardrails import Freeze, Once, Weekly
from patchmode.rules.schedules.time_zones import meant, place_names, zone_of

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


SEPARATOR = ";"
"""Between several freezes in one text."""
_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY, _TIME = r"[A-Za-z]{3,9}", r"\d{1,2}:\d{2}"
_ZONE = r"(?:\s+(?P<zone>\S.*))?"
_ABSOLUTE = re.compile(rf"(?P<starts>\d{{4}}-\d\d-[^\s/]+)/(?P<ends>\d{{4}}-\d\d-[^\s/]+){_ZONE}", re.ASCII)
_WEEKLY = re.compile(
    rf"(?P<day>{_DAY})\s+(?P<start>{_TIME})\s*-\s*(?P<last>{_DAY})\s+(?P<end>{_TIME}){_ZONE}", re.ASCII
)
_DAILY = re.compile(
    rf"(?:(?P<days>{_DAY}(?:[-,]{_DAY})*)\s+)?(?P<start>{_TIME})\s*-\s*(?P<end>{_TIME}){_ZONE}", re.ASCII
)
_WEEK, _WHOLE_DAY = timedelta(days=7), timedelta(days=1)
_YEARS = range(2000, 3000)
"""Beyond them nobody plans, and the calendar of computers ends not far away."""
_ADVICE = (
    "For example: 'Fri 16:00-Mon 06:00 Europe/Berlin', 'Mon-Fri 08:00-18:00', '2026-12-20/2027-01-03'; several are "
    f"separated by {SEPARATOR}."
)


class FreezeError(ValueError):
    """A text that names no freeze; the message says why and is no whole sentence."""


def freezes_from(texts: Iterable[str], zone: ZoneInfo | None) -> tuple[Freeze, ...]:
    """The freezes that options or an environment variable name.

    Args:
        texts: each one freeze, or several separated by `;`; blank ones do not count.
        zone: of freezes that name none; None: each must name its own.

    Raises:
        UsageError: one of them names no freeze.
    """
    parts = (part.strip() for text in texts for part in text.split(SEPARATOR))
    try:
        return tuple(parse_freeze(part, zone) for part in parts if part)
    except FreezeError as error:
        raise UsageError(f"--freeze: {error}.", advice=_ADVICE) from error


def parse_freeze(text: str, zone: ZoneInfo | None) -> Freeze:
    """Read one freeze.

    Args:
        text: in one of the forms above.
        zone: where the text names none; None: it must.

    Raises:
        FreezeError: it has none of these forms, names no time, day or zone that exists, or would never end.
    """
    plain = text.strip().replace("–", "-")
    for form, span_of in ((_ABSOLUTE, _once), (_WEEKLY, _weekly), (_DAILY, _daily)):
        match = form.fullmatch(plain)
        if match is not None:
            where = _zone(match, text, zone)
            return Freeze(
                plain[: match.start("zone")].strip() if match["zone"] else plain, where, span_of(match, where)
            )
    msg = f"{text!r} is not a time for a freeze"
    raise FreezeError(msg)


def _zone(match: re.Match[str], text: str, standard: ZoneInfo | None) -> ZoneInfo:
    if match["zone"] is None:
        if standard is None:
            msg = f"{text!r} names no time zone, and this computer's is not known"
            raise FreezeError(msg)
        return standard
    zone = zone_of(match["zone"])
    if zone is None:
        known = meant(place_names(match["zone"])) or "give one such as Europe/Berlin or UTC"
        msg = f"{match['zone']!r} is not a time zone: {known}"
        raise FreezeError(msg)
    return zone


def _once(match: re.Match[str], zone: ZoneInfo) -> Once:
    starts, _ = _wall(match["starts"])
    ends, is_day = _wall(match["ends"])
    span = Once(earliest(starts, zone), latest(ends + _WHOLE_DAY if is_day else ends, zone))
    if span.ends <= span.starts:
        msg = f"{match['starts']}/{match['ends']} ends before it begins"
        raise FreezeError(msg)
    return span


def _wall(text: str) -> tuple[datetime, bool]:
    """A date or an ISO 8601 time, and whether it is a date: whole days end with their midnight."""
    try:
        wall = datetime.fromisoformat(text)
    except ValueError:
        msg = f"{text!r} is neither a date nor an ISO 8601 time"
        raise FreezeError(msg) from None
    if wall.year not in _YEARS:
        msg = f"{text!r} is not between {_YEARS[0]} and {_YEARS[-1]}"
        raise FreezeError(msg)
    return wall, len(text) == len("2026-12-20")


def _weekly(match: re.Match[str], _: ZoneInfo) -> Weekly:
    first, last = _weekday(match["day"]), _weekday(match["last"])
    start = _start(match["start"])
    length = (timedelta(days=last - first) + _time(match["end"]) - start) % _WEEK
    if not length:
        msg = f"{match['day']} {match['start']}-{match['last']} {match['end']} is nothing, or would never end"
        raise FreezeError(msg)
    return Weekly(frozenset({first}), start, length)


def _daily(match: re.Match[str], _: ZoneInfo) -> Weekly:
    days = frozenset(range(7)) if match["days"] is None else _days(match["days"])
    start, end = _start(match["start"]), _time(match["end"])
    length = end - start if end > start else end - start + _WHOLE_DAY
    if end == start:
        msg = f"{match['start']}-{match['end']} is nothing: give 00:00-24:00 for whole days"
        raise FreezeError(msg)
    if length == _WHOLE_DAY and len(days) == len(_NAMES):
        msg = f"{match['start']}-{match['end']} on every day would never end"
        raise FreezeError(msg)
    return Weekly(days, start, length)


def _days(text: str) -> frozenset[int]:
    """`Mon-Fri`, `Sat,Sun`, `Fri-Mon,Wed`: a range may run over the end of the week."""
    days: set[int] = set()
    for part in text.split(","):
        names = part.split("-")
        if len(names) > 2:
            msg = f"{part!r} is not a range of days"
            raise FreezeError(msg)
        first, last = _weekday(names[0]), _weekday(names[-1])
        days |= {(first + step) % 7 for step in range((last - first) % 7 + 1)}
    return frozenset(days)


def _weekday(text: str) -> int:
    name = text.casefold()
    found = [number for number, full in enumerate(_NAMES) if name in {full, full[:3]}]
    if not found:
        msg = f"{text!r} is not a day of the week"
        raise FreezeError(msg)
    return found[0]


def _start(text: str) -> timedelta:
    start = _time(text)
    if start == _WHOLE_DAY:
        msg = f"{text!r} is where a day ends: begin at 00:00 of the next"
        raise FreezeError(msg)
    return start


def _time(text: str) -> timedelta:
    hours, minutes = map(int, text.split(":"))
    time = timedelta(hours=hours, minutes=minutes)
    if minutes > 59 or time > _WHOLE_DAY:
        msg = f"{text!r} is not a time of day"
        raise FreezeError(msg)
    return time
