"""The functions on datetimes and timespans.

Registers them; must not be called directly. `now()` is one moment for the whole query.

Source: Kusto documentation of each function.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from arm_emulator.kql.arithmetic import in_calendar, strict
from arm_emulator.kql.code import Bound
from arm_emulator.kql.conversions import applied
from arm_emulator.kql.datetimes import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    add_months,
    calendar_of,
    start_of,
    ticks_of,
)
from arm_emulator.kql.functions import Site, check, late_call, register, simple
from arm_emulator.kql.types import Type

_LONGEST_SPAN = 2**63 - 1
_UNIX_EPOCH = 719_162 * DAY
_PARTS = {
    "day": DAY, "hour": HOUR, "minute": MINUTE, "second": SECOND, "millisecond": 10_000, "microsecond": 10,
    "nanosecond": None,
}  # fmt: skip
_MONTH_PARTS = {"year": 12, "quarter": 3, "month": 1}


@register("now")
def _now(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "timespan?", arguments)
    moment = late_call(site, Type.DATETIME, lambda: site.now)
    if not bounds:
        return moment
    return applied(site.space, strict(lambda now, offset: in_calendar(now + offset)), Type.DATETIME, moment, bounds[0])


@register("ago")
def _ago(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "timespan", arguments)
    moment = site.now
    return applied(site.space, strict(lambda span: in_calendar(moment - span)), Type.DATETIME, bounds[0])


def _start(part: str) -> Callable[..., int | None]:
    return lambda ticks, offset=0: start_of(ticks, part, offset)


def _end(part: str) -> Callable[..., int | None]:
    def end(ticks: int, offset: int = 0) -> int | None:
        following = start_of(ticks, part, offset + 1)
        return None if following is None else following - 1

    return end


for _part in ("day", "week", "month", "year"):
    simple(f"startof{_part}", "datetime long?", Type.DATETIME, _start(_part), keeps_name=_part == "day")
    simple(f"endof{_part}", "datetime long?", Type.DATETIME, _end(_part))

simple("dayofweek", "datetime", Type.TIMESPAN, lambda ticks: (calendar_of(ticks).weekday() + 1) % 7 * DAY)
simple("dayofmonth", "datetime", Type.INT, lambda ticks: calendar_of(ticks).day)
simple("dayofyear", "datetime", Type.INT, lambda ticks: calendar_of(ticks).timetuple().tm_yday)
simple("weekofyear week_of_year", "datetime", Type.INT, lambda ticks: calendar_of(ticks).isocalendar().week)
simple("monthofyear getmonth", "datetime", Type.INT, lambda ticks: calendar_of(ticks).month)
simple("getyear", "datetime", Type.INT, lambda ticks: calendar_of(ticks).year)
simple("hourofday", "datetime", Type.INT, lambda ticks: ticks % DAY // HOUR)


def _part_name(site: Site, bound: Bound, known: tuple[str, ...]) -> str:
    name = str(site.constant(bound, "The part")).lower()
    if name not in known:
        raise site.refusal(f"the part {name!r} is not known.", bound.at)
    return name


_READ = {
    "year": lambda ticks: calendar_of(ticks).year,
    "quarter": lambda ticks: (calendar_of(ticks).month + 2) // 3,
    "month": lambda ticks: calendar_of(ticks).month,
    "week_of_year": lambda ticks: calendar_of(ticks).isocalendar().week,
    "day": lambda ticks: calendar_of(ticks).day,
    "dayofyear": lambda ticks: calendar_of(ticks).timetuple().tm_yday,
    "hour": lambda ticks: ticks % DAY // HOUR,
    "minute": lambda ticks: ticks % HOUR // MINUTE,
    "second": lambda ticks: ticks % MINUTE // SECOND,
    "millisecond": lambda ticks: ticks % SECOND // 10_000,
    "microsecond": lambda ticks: ticks % SECOND // 10,
    "nanosecond": lambda ticks: ticks % SECOND * 100,
}


@register("datetime_part", "datepart")
def _datetime_part(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "string datetime", arguments)
    part = _part_name(site, bounds[0], tuple(_READ))
    return applied(site.space, strict(_READ[part]), Type.INT, bounds[1])


@register("datetime_add")
def _datetime_add(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "string long datetime", arguments)
    part = _part_name(site, bounds[0], ("year", "quarter", "month", "week", "day", "hour", "minute", "second",
                                        "millisecond", "microsecond", "nanosecond"))  # fmt: skip
    if part in _MONTH_PARTS:
        months = _MONTH_PARTS[part]
        return applied(
            site.space, strict(lambda number, ticks: add_months(ticks, number * months)), Type.DATETIME, *bounds[1:]
        )
    if part == "nanosecond":
        return applied(
            site.space, strict(lambda number, ticks: in_calendar(ticks + number // 100)), Type.DATETIME, *bounds[1:]
        )
    size = 7 * DAY if part == "week" else _PARTS[part] or 1
    return applied(
        site.space, strict(lambda number, ticks: in_calendar(ticks + number * size)), Type.DATETIME, *bounds[1:]
    )


@register("datetime_diff")
def _datetime_diff(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "string datetime datetime", arguments)
    part = _part_name(site, bounds[0], (*_MONTH_PARTS, "week", *_PARTS))
    return applied(site.space, strict(_difference(part)), Type.LONG, *bounds[1:])


def _difference(part: str) -> Callable[[int, int], int]:
    """Return the function that counts how many borders of a part lie between two datetimes."""
    if part in _MONTH_PARTS:
        size = _MONTH_PARTS[part]
        return lambda left, right: _month_number(left) // size - _month_number(right) // size
    if part == "week":
        return lambda left, right: (left // DAY + 1) // 7 - (right // DAY + 1) // 7
    if part == "nanosecond":
        return lambda left, right: (left - right) * 100
    step = _PARTS[part] or 1
    return lambda left, right: left // step - right // step


def _month_number(ticks: int) -> int:
    day = calendar_of(ticks)
    return day.year * 12 + day.month - 1


def _make_datetime(*parts: float) -> int | None:
    """Year, month, day, hour and minute, fractions cut off, and the seconds."""
    if not all(math.isfinite(part) for part in parts):
        return None
    year, month, day, hour, minute = (int(part) for part in (*parts[:5], *[0] * (5 - len(parts))))
    second = parts[5] if len(parts) > 5 else 0.0
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60):
        return None
    return ticks_of(year, month, day, hour * HOUR + minute * MINUTE + round(second * SECOND))


def _make_timespan(hour: int, minute: int, second: float = 0.0) -> int | None:
    seconds = second * SECOND
    ticks = hour * HOUR + minute * MINUTE + round(seconds) if math.isfinite(seconds) else _LONGEST_SPAN + 1
    return ticks if abs(ticks) <= _LONGEST_SPAN else None


simple("make_datetime", "real real real real? real? real?", Type.DATETIME, _make_datetime)
simple(
    "make_timespan",
    "long long real?",
    Type.TIMESPAN,
    _make_timespan,
)


def _after_epoch(ticks: float) -> int | None:
    return in_calendar(_UNIX_EPOCH + round(ticks)) if math.isfinite(ticks) else None


for _unit, _size in (("seconds", 10_000_000), ("milliseconds", 10_000), ("microseconds", 10), ("nanoseconds", 0.01)):
    simple(
        f"unixtime_{_unit}_todatetime",
        "real",
        Type.DATETIME,
        lambda value, size=_size: _after_epoch(value * size),
    )

_FORMAT = re.compile(r"yyyy|yy|y|MM|M|dd|d|HH|H|hh|h|mm|m|ss|s|f{1,7}|F{1,7}|tt|[ /\-:,._\[\]]")
_SPAN_FORMAT = re.compile(r"d{1,8}|HH|H|hh|h|mm|m|ss|s|f{1,7}|F{1,7}|[ /\-:,._\[\]]")


def _pieces(site: Site, bound: Bound, known: re.Pattern[str]) -> list[str]:
    text = str(site.constant(bound, "The format"))
    pieces = known.findall(text)
    if "".join(pieces) != text:
        raise site.refusal(f"the format {text!r} holds what is not known.", bound.at)
    return pieces


@register("format_datetime")
def _format_datetime(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "datetime string", arguments)
    pieces = _pieces(site, bounds[1], _FORMAT)

    def write(ticks: int | None) -> str:
        return "" if ticks is None else "".join(_date_piece(ticks, piece) for piece in pieces)

    return applied(site.space, write, Type.STRING, bounds[0]).named(bounds[0].name)


def _date_piece(ticks: int, piece: str) -> str:
    day = calendar_of(ticks)
    match piece:
        case "yyyy":
            return f"{day.year:04}"
        case "yy":
            return f"{day.year % 100:02}"
        case "y":
            return str(day.year % 100)
        case "MM" | "M":
            return f"{day.month:0{len(piece)}}"
        case "dd" | "d":
            return f"{day.day:0{len(piece)}}"
        case "tt":
            return "AM" if ticks % DAY < 12 * HOUR else "PM"
    return _clock_piece(ticks, piece)


def _clock_piece(ticks: int, piece: str) -> str:
    width = len(piece)
    match piece[0]:
        case "H":
            return f"{ticks % DAY // HOUR:0{width}}"
        case "h":
            return f"{(ticks % DAY // HOUR + 11) % 12 + 1:0{width}}"
        case "m":
            return f"{ticks % HOUR // MINUTE:0{width}}"
        case "s":
            return f"{ticks % MINUTE // SECOND:0{width}}"
        case "f":
            return f"{ticks % SECOND:07}"[:width]
        case "F":
            return f"{ticks % SECOND:07}"[:width].rstrip("0")
    return piece


@register("format_timespan")
def _format_timespan(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "timespan string", arguments)
    pieces = _pieces(site, bounds[1], _SPAN_FORMAT)

    def write(ticks: int | None) -> str:
        return "" if ticks is None else "".join(_span_piece(abs(ticks), piece) for piece in pieces)

    return applied(site.space, write, Type.STRING, bounds[0]).named(bounds[0].name)


def _span_piece(ticks: int, piece: str) -> str:
    if piece[0] == "d":
        return f"{ticks // DAY:0{len(piece)}}"
    return _clock_piece(ticks, piece.replace("h", "H"))


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _elsewhere(*, to_utc: bool) -> Callable[[int, str], int | None]:
    """Return what moves a datetime between UTC and the clock of a place; an unknown place gives null."""

    def move(ticks: int, name: str) -> int | None:
        zone = _zone(name)
        if zone is None:
            return None
        whole = datetime(1, 1, 1) + timedelta(microseconds=ticks // 10)  # noqa: DTZ001 - the ticks of either clock
        try:
            offset = (whole.replace(tzinfo=zone) if to_utc else whole.replace(tzinfo=UTC).astimezone(zone)).utcoffset()
        except OverflowError:
            return None
        shift = int((offset or timedelta()).total_seconds()) * SECOND
        return in_calendar(ticks - shift if to_utc else ticks + shift)

    return move


simple("datetime_local_to_utc", "datetime string", Type.DATETIME, _elsewhere(to_utc=True))
simple("datetime_utc_to_local", "datetime string", Type.DATETIME, _elsewhere(to_utc=False))
simple("datetime_list_timezones", "", Type.DYNAMIC, lambda: sorted(available_timezones()))
