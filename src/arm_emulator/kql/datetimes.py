"""Points in time and spans as whole ticks of 100 ns, read from and written as Kusto does.

A datetime is the number of ticks since 0001-01-01T00:00:00Z, a timespan a signed number of ticks; both are plain
integers, so that comparing and adding cost nothing. Must not know time zones other than the offset written in a text.
"""

import calendar
import re
from datetime import UTC, date, datetime, timedelta

SECOND = 10_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
LAST_TICK = 3_155_378_975_999_999_999  # 9999-12-31T23:59:59.9999999Z

_UNITS = {
    "d": DAY, "day": DAY, "h": HOUR, "hour": HOUR, "hr": HOUR, "m": MINUTE, "min": MINUTE, "minute": MINUTE,
    "s": SECOND, "sec": SECOND, "second": SECOND, "ms": 10_000, "millisecond": 10_000, "microsecond": 10, "tick": 1,
}  # fmt: skip
_DATE = re.compile(
    r"\s*(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:(?:[T ]|\s+)(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?(?:\s*(Z|z|[+-]\d{2}:?\d{2}))?\s*"
)
_MONTH_FIRST = re.compile(
    r"\s*(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?:\s+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,7}))?)?(?:\s*([AaPp][Mm]))?)?\s*"
)
_MONTH = re.compile(r"\s*(\d{4})(?:-(\d{1,2}))?\s*")
_COMPACT = re.compile(r"\s*(\d{4})(\d{2})(\d{2})\s*")
_RFC = re.compile(
    r"\s*(?:\w{3},\s+)?(\d{1,2})\s+([A-Za-z]{3})\s+(\d{4})\s+(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.(\d{1,7}))?"
    r"(?:\s*(?:GMT|Z|UTC))?\s*"
)
_SPAN = re.compile(r"\s*(-?)(?:(\d+)\.)?(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,7}))?)?\s*")
_UNIT_SPAN = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*([a-z]+)\s*")
_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}


def unit_ticks(unit: str) -> int:
    """Return the ticks in one `unit` as a time span literal spells it; singular and plural are the same."""
    return _UNITS.get(unit) or _UNITS[unit.rstrip("s")]


def from_datetime(moment: datetime) -> int:
    """Return the ticks of an aware datetime."""
    since = moment.astimezone(UTC) - datetime(1, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds * 10


def ticks_of(year: int, month: int, day: int, ticks_of_day: int = 0) -> int | None:
    """Return the ticks of a day plus `ticks_of_day`, or None for a day the calendar does not have."""
    try:
        total = (date(year, month, day).toordinal() - 1) * DAY + ticks_of_day
    except (ValueError, OverflowError):
        return None
    return total if 0 <= total <= LAST_TICK else None


def _fraction(digits: str | None) -> int:
    return int((digits or "0")[:7].ljust(7, "0"))


def _clock(hour: str | None, minute: str | None, second: str | None, fraction: str | None) -> int | None:
    hours, minutes, seconds = int(hour or 0), int(minute or 0), int(second or 0)
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    return hours * HOUR + minutes * MINUTE + seconds * SECOND + _fraction(fraction)


def _offset(text: str | None) -> int:
    if not text or text in "Zz":
        return 0
    digits = text[1:].replace(":", "")
    ticks = int(digits[:2]) * HOUR + int(digits[2:]) * MINUTE
    return -ticks if text[0] == "-" else ticks


def parse_datetime(text: str) -> int | None:
    """Return the ticks that `text` names, or None where it is no datetime; a text without offset is UTC."""
    if match := _DATE.fullmatch(text):
        year, month, day, hour, minute, second, fraction, offset = match.groups()
        clock = _clock(hour, minute, second, fraction)
        whole = None if clock is None else ticks_of(int(year), int(month), int(day), clock)
        moved = None if whole is None else whole - _offset(offset)
        return moved if moved is not None and 0 <= moved <= LAST_TICK else None
    if match := _MONTH_FIRST.fullmatch(text):
        return _month_first(match)
    if match := _COMPACT.fullmatch(text):
        return ticks_of(int(match[1]), int(match[2]), int(match[3]))
    if match := _RFC.fullmatch(text):
        clock = _clock(match[4], match[5], match[6], match[7])
        month_number = _MONTHS.get(match[2].lower())
        if clock is not None and month_number:
            return ticks_of(int(match[3]), month_number, int(match[1]), clock)
    return None


def literal_datetime(text: str) -> int | None:
    """Return the ticks inside a `datetime(...)` literal, which may also be a year or a month."""
    if match := _MONTH.fullmatch(text):
        return ticks_of(int(match[1]), int(match[2] or 1), 1)
    return parse_datetime(text)


def _month_first(match: re.Match[str]) -> int | None:
    month, day, year, hour, minute, second, fraction, half = match.groups()
    clock = _clock(hour, minute, second, fraction)
    if clock is None:
        return None
    if half:
        if not 1 <= int(hour) <= 12:
            return None
        clock += (int(hour) % 12 - int(hour)) * HOUR + (12 * HOUR if half.lower() == "pm" else 0)
    return ticks_of(int(year), int(month), int(day), clock)


def parse_timespan(text: str) -> int | None:
    """Return the ticks of `d.hh:mm:ss.fffffff` or `hh:mm[:ss]`; None for any other text, `3h` and `5` among them."""
    if match := _SPAN.fullmatch(text):
        sign, days, hour, minute, second, fraction = match.groups()
        clock = _clock(hour, minute, second, fraction)
        if clock is None:
            return None
        ticks = int(days or 0) * DAY + clock
        return -ticks if sign else ticks
    return None


def literal_timespan(text: str) -> int | None:
    """Return the ticks inside a `timespan(...)` literal, which may also be `3h` or a bare number of days."""
    if match := _UNIT_SPAN.fullmatch(text):
        unit = match[2]
        size = _UNITS.get(unit) or _UNITS.get(unit.rstrip("s"))
        return None if size is None else round(float(match[1]) * size)
    if re.fullmatch(r"\s*-?\d+\s*", text):
        return int(text) * DAY
    return parse_timespan(text)


def calendar_of(ticks: int) -> date:
    """Return the calendar day of a datetime in ticks."""
    return date.fromordinal(ticks // DAY + 1)


def format_datetime(ticks: int) -> str:
    """Return `2024-06-01T00:00:00.0000000Z`: seven digits always, as recorded answers have them."""
    day, rest = divmod(ticks, DAY)
    seconds, fraction = divmod(rest, SECOND)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{date.fromordinal(day + 1).isoformat()}T{hour:02}:{minute:02}:{second:02}.{fraction:07}Z"


def format_timespan(ticks: int) -> str:
    """Return `[-][d.]hh:mm:ss[.fffffff]`, the constant form of .NET that Kusto prints."""
    sign = "-" if ticks < 0 else ""
    days, rest = divmod(abs(ticks), DAY)
    seconds, fraction = divmod(rest, SECOND)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return (
        sign
        + (f"{days}." if days else "")
        + f"{hour:02}:{minute:02}:{second:02}"
        + (f".{fraction:07}" if fraction else "")
    )


def add_months(ticks: int, months: int) -> int | None:
    """Move a datetime by whole months, keeping the day where the month has it and its last day where not."""
    day = calendar_of(ticks)
    total = day.year * 12 + day.month - 1 + months
    year, month = divmod(total, 12)
    if not 1 <= year <= 9999:
        return None
    last = calendar.monthrange(year, month + 1)[1]
    return ticks_of(year, month + 1, min(day.day, last), ticks % DAY)


def start_of(ticks: int, part: str, offset: int = 0) -> int | None:
    """Return the first tick of the day, week (from Sunday), month or year of `ticks`, moved by `offset` of them."""
    day = calendar_of(ticks)
    match part:
        case "day":
            moved = ticks // DAY * DAY + offset * DAY
        case "week":
            sunday = day - timedelta(days=(day.weekday() + 1) % 7) if day.toordinal() > 7 else date.min
            moved = (sunday.toordinal() - 1) * DAY + offset * 7 * DAY
        case "month":
            first = ticks_of(day.year, day.month, 1)
            return None if first is None else add_months(first, offset)
        case _:
            first = ticks_of(day.year, 1, 1)
            return None if first is None else add_months(first, offset * 12)
    return moved if 0 <= moved <= LAST_TICK else None
