"""Freezes as people write them.

    2026-12-20/2027-01-03                            whole days, the last one included
    2026-12-20T18:00/2027-01-03T06:00+01:00          from and until a time, with or without an offset
    Fri 16:00-Mon 06:00                              once a week
    Mon-Fri 08:00-18:00    Sat,Sun 00:00-24:00       on some days
    22:00-06:00                                      every day, here over midnight

Each may end with its time zone: `Europe/Berlin`, `UTC`, or a name that Windows has for one.

Must not: decide whether a freeze holds (`freeze.py` does).
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from patchmode.errors import UsageError
from patchmode.model.freeze import Freeze, Once, Weekly
from patchmode.rules.freeze import earliest, latest
from patchmode.rules.time_zones import zone_of

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
    msg = f"{text!r} is no time for a freeze"
    raise FreezeError(msg)


def _zone(match: re.Match[str], text: str, standard: ZoneInfo | None) -> ZoneInfo:
    if match["zone"] is None:
        if standard is None:
            msg = f"{text!r} names no time zone, and this computer's is not known"
            raise FreezeError(msg)
        return standard
    zone = zone_of(match["zone"])
    if zone is None:
        msg = f"{match['zone']!r} is no time zone: give one such as Europe/Berlin or UTC"
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
        msg = f"{text!r} is no date and no ISO 8601 time"
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
            msg = f"{part!r} is no range of days"
            raise FreezeError(msg)
        first, last = _weekday(names[0]), _weekday(names[-1])
        days |= {(first + step) % 7 for step in range((last - first) % 7 + 1)}
    return frozenset(days)


def _weekday(text: str) -> int:
    name = text.casefold()
    found = [number for number, full in enumerate(_NAMES) if name in {full, full[:3]}]
    if not found:
        msg = f"{text!r} is no day of the week"
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
        msg = f"{text!r} is no time of day"
        raise FreezeError(msg)
    return time
