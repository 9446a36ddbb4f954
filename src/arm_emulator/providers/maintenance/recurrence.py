"""``recurEvery`` and ``timeZone`` of a maintenance window: the grammar, and the dates that a rule names.

Pure: no state, no clock. Times of day, daylight saving and expiry belong to ``windows``, and so do rules in hours; this
module deals in dates.

Source: the documentation of ``MaintenanceWindow.recurEvery`` and ``timeZone`` in azure-mgmt-maintenance 2.1; that a
bare ``Month`` is refused: hashicorp/terraform-provider-azurerm issue 29738. Rules in hours (``8Hours``) and lists in
monthly rules (``1Month Third,Fourth Monday,Tuesday``) stand in recorded answers only; what they mean is read off the
documented forms.
"""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal, assert_never
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tzlocal.windows_tz import win_tz

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""In the order of ``date.weekday()``."""
ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
WeekStart = Literal["sunday", "monday"]
OffsetMonth = Literal["from-start-month", "any-month"]

_RULE = re.compile(r"^(?P<every>\d+)?\s*(?P<unit>hour|day|week|month)s?(?:\s+(?P<rest>\S.*))?$", re.IGNORECASE)
_MONTH_DAY = re.compile(r"^day\s*(?P<day>\d{1,2})$", re.IGNORECASE)
_NTH = re.compile(
    r"^(?P<ordinals>[a-z]+(?:\s*,\s*[a-z]+)*)\s+(?P<weekdays>[a-z]+(?:\s*,\s*[a-z]+)*)"
    r"(?:\s+offset\s*(?P<offset>[+-]?\s*\d+))?$",
    re.IGNORECASE,
)
_LARGEST_OFFSET = 6
_LONGEST_MONTH = 31
_LONGEST_STEP = 100_000
"""No calendar is longer: a larger step could never come a second time."""


class RecurrenceError(ValueError):
    """A ``recurEvery`` that the grammar does not have. Its text is a whole sentence."""


@dataclass(frozen=True, slots=True)
class Hourly:
    """Every n hours from the start; it names no dates."""

    every: int


@dataclass(frozen=True, slots=True)
class Daily:
    """Every n days from the start date."""

    every: int


@dataclass(frozen=True, slots=True)
class Weekly:
    """In every n-th week from the start's week."""

    every: int
    weekdays: frozenset[int]
    """As ``date.weekday()`` counts; empty: the start date's own."""


@dataclass(frozen=True, slots=True)
class MonthlyByDay:
    """On some days of every n-th month from the start's month; days that a month lacks are left out."""

    every: int
    days: tuple[int, ...]
    """Ascending, 1 to 31."""


@dataclass(frozen=True, slots=True)
class MonthlyByWeekday:
    """On the nth weekdays of every n-th month from the start's month, moved by some days."""

    every: int
    ordinals: frozenset[int]
    """1 to 4; -1 for the last."""
    weekdays: frozenset[int]
    """Each of them as often as there are ordinals."""
    offset: int
    """Days, -6 to 6; the result may lie in another month."""


DatedRecurrence = Daily | Weekly | MonthlyByDay | MonthlyByWeekday
Recurrence = Hourly | DatedRecurrence


def parse(recur_every: str) -> Recurrence:
    """What a ``recurEvery`` says; case does not matter and blanks are tolerated.

    Args:
        recur_every: e.g. ``8Hours``, ``Day``, ``3Days``, ``2Weeks Saturday,Sunday``, ``Month day1,day15``,
            ``Month Second Tuesday Offset4``, ``Month First,Third Monday,Tuesday``.

    Raises:
        RecurrenceError: for anything else, a bare ``Month`` included.
    """
    text = recur_every.strip() if isinstance(recur_every, str) else ""
    match = _RULE.match(text)
    if match is None:
        raise RecurrenceError(f"The recurrence '{recur_every}' is neither hourly nor daily nor weekly nor monthly.")
    every = int(match["every"] or 1)
    if not 1 <= every <= _LONGEST_STEP:
        raise RecurrenceError(f"The recurrence '{recur_every}' repeats every {every} times; it must be at least 1.")
    rest = (match["rest"] or "").strip()
    unit = match["unit"].lower()
    if unit in ("hour", "day"):
        if rest:
            raise RecurrenceError(f"A recurrence in {unit}s takes nothing after it, not '{rest}'.")
        return Hourly(every) if unit == "hour" else Daily(every)
    if unit == "week":
        return Weekly(every, frozenset(_weekday(name) for name in rest.split(",")) if rest else frozenset())
    return _monthly(every, rest)


def _weekday(name: str) -> int:
    wanted = name.strip().lower()
    if wanted not in WEEKDAYS:
        raise RecurrenceError(f"'{name.strip()}' is not a weekday.")
    return WEEKDAYS.index(wanted)


def _monthly(every: int, rest: str) -> Recurrence:
    if not rest:
        raise RecurrenceError("Monthly maintenance window is missing day of month or week of month.")
    parts = [_MONTH_DAY.match(part.strip()) for part in rest.split(",")]
    if any(parts):
        days = sorted({int(part["day"]) if part else 0 for part in parts})
        if not all(1 <= day <= _LONGEST_MONTH for day in days):
            raise RecurrenceError(f"'{rest}' names a day that no month has.")
        return MonthlyByDay(every, tuple(days))
    match = _NTH.match(rest)
    weeks = [name.strip().lower() for name in match["ordinals"].split(",")] if match else []
    if match is None or not ORDINALS.keys() >= set(weeks):
        raise RecurrenceError(f"'{rest}' is neither days of a month nor the first to fourth or last of a weekday.")
    offset = int((match["offset"] or "0").replace(" ", ""))
    if abs(offset) > _LARGEST_OFFSET:
        raise RecurrenceError(f"The offset {offset} is not between -{_LARGEST_OFFSET} and {_LARGEST_OFFSET}.")
    weekdays = frozenset(_weekday(name) for name in match["weekdays"].split(","))
    return MonthlyByWeekday(every, frozenset(ORDINALS[week] for week in weeks), weekdays, offset)


def dates(
    rule: DatedRecurrence, start: date, first: date, *, week_start: WeekStart, offset_month: OffsetMonth
) -> Iterator[date]:
    """The dates of a rule, ascending, to the end of the calendar; none for a rule that never comes.

    Args:
        rule: what repeats.
        start: the date from which is counted; nothing before it is given.
        first: nothing before it is given either; it is reached in one step, not by counting.
        week_start: the day on which a week begins, for every n-th week. UNCONFIRMED, hence a switch.
        offset_month: whether a monthly rule with n = 1 and an offset may count from the month before the start's.
            UNCONFIRMED, hence a switch.
    """
    lower = max(start, first)
    match rule:
        case Daily():
            found = _days(rule, start, lower)
        case Weekly():
            found = _weeks(rule, start, lower, week_start)
        case MonthlyByDay() | MonthlyByWeekday():
            found = _months(rule, start, lower, is_open=offset_month == "any-month" and rule.every == 1)
        case _:
            assert_never(rule)
    return (day for day in found if day >= lower)


def _days(rule: Daily, start: date, lower: date) -> Iterator[date]:
    ordinal = start.toordinal() + -(-(lower - start).days // rule.every) * rule.every
    while ordinal <= date.max.toordinal():
        yield date.fromordinal(ordinal)
        ordinal += rule.every


def _weeks(rule: Weekly, start: date, lower: date, week_start: WeekStart) -> Iterator[date]:
    shift = 1 if week_start == "sunday" else 0
    begin = start.toordinal() - (start.weekday() + shift) % 7
    days = sorted((day + shift) % 7 for day in rule.weekdays or {start.weekday()})
    step = 7 * rule.every
    monday = begin + max(0, (lower.toordinal() - begin) // step) * step
    while monday <= date.max.toordinal():
        for day in days:
            if 1 <= monday + day <= date.max.toordinal():
                yield date.fromordinal(monday + day)
        monday += step


def _months(rule: MonthlyByDay | MonthlyByWeekday, start: date, lower: date, *, is_open: bool) -> Iterator[date]:
    origin = _month_number(start)
    # An offset moves a date by less than a month, so one step back is far enough.
    steps = (_month_number(lower) - 1 - origin) // rule.every
    month = origin + max(-1 if is_open else 0, steps) * rule.every
    while month <= _month_number(date.max):
        if month >= _month_number(date.min):
            yield from _in_month(rule, *divmod(month, 12))
        month += rule.every


def _month_number(day: date) -> int:
    return day.year * 12 + day.month - 1


def _in_month(rule: MonthlyByDay | MonthlyByWeekday, year: int, month_before: int) -> Iterator[date]:
    month = month_before + 1
    first_weekday, length = calendar.monthrange(year, month)
    if isinstance(rule, MonthlyByDay):
        yield from (date(year, month, day) for day in rule.days if day <= length)
        return
    chosen: set[int] = set()
    for weekday in rule.weekdays:
        all_of_them = range(1 + (weekday - first_weekday) % 7, length + 1, 7)
        chosen.update(all_of_them[at - 1 if at > 0 else -1] for at in rule.ordinals)
    for day in sorted(chosen):
        try:
            yield date(year, month, day) + timedelta(days=rule.offset)
        except OverflowError:
            return


@lru_cache(maxsize=1)
def _windows_names() -> dict[str, str]:
    return {"utc": "UTC"} | {name.lower(): zone for name, zone in win_tz.items()}


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo | None:
    """The zone of a Windows time-zone name in any casing, or of ``UTC``; None where there is none.

    Args:
        name: e.g. ``W. Europe Standard Time``. The names of the IANA database are not taken: the service's
            documentation lists the names that ``System.TimeZoneInfo`` of .NET has.
    """
    zone = _windows_names().get(name.strip().lower()) if isinstance(name, str) else None
    if zone is None:
        return None
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, OSError):
        return None
