"""The grammar of `recurEvery`, and the dates that each form names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import lru_cache
from math import gcd
from typing import Protocol

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ORDINALS = ("first", "second", "third", "fourth", "last")
LAST_DATE = date(9998, 12, 31).toordinal()
"""No recurrence is followed beyond; a year before the calendar ends, so that a time zone cannot push it out."""

_LAST_MONTH = 9998 * 12 + 11
_GREGORIAN_MONTHS = 4800
"""The calendar repeats after 400 years."""


class RecurrenceReading(Enum):
    """How a rule is understood where no source says."""

    PLAIN = "read as written"
    SUNDAY = "a week begins on Sunday"
    MONDAY = "a week begins on Monday"
    FROM_START = "months count from the start's own"
    MONTH_BEFORE = "the month before the start's counts too"
    ELAPSED = "hours are counted as they elapse"
    BY_CLOCK = "hours are counted on the local clock"


class DatedRecurrence(Protocol):
    """A form of the grammar that names dates; the time of day is the start's."""

    @property
    def readings(self) -> tuple[RecurrenceReading, ...]:
        """The ways to read it, the one we take by default first; more than one where they can differ."""
        ...

    def dates(self, start: int, since: int, reading: RecurrenceReading, /) -> Iterator[int]:
        """Its dates from `since` on, ascending; `since` is not before `start`, the date from which it counts."""
        ...


@dataclass(frozen=True, slots=True)
class EveryHours:
    """`8Hours`; the one form that names no dates."""

    every: int

    @property
    def readings(self) -> tuple[RecurrenceReading, ...]:
        """A clock that is changed parts the hours that elapsed from those that it shows."""
        return (RecurrenceReading.ELAPSED, RecurrenceReading.BY_CLOCK)


Recurrence = EveryHours | DatedRecurrence


@dataclass(frozen=True, slots=True)
class EveryDays:
    """`3Days`."""

    every: int

    @property
    def readings(self) -> tuple[RecurrenceReading, ...]:
        """One only."""
        return (RecurrenceReading.PLAIN,)

    def dates(self, start: int, since: int, _reading: RecurrenceReading) -> Iterator[int]:
        """Every n days from the start."""
        return iter(range(_align(start, since, self.every), LAST_DATE + 1, self.every))


@dataclass(frozen=True, slots=True)
class EveryWeeks:
    """`2Weeks Monday,Thursday`."""

    every: int
    weekdays: tuple[int, ...]
    """Monday is 0, ascending. Empty: the start's own weekday."""

    @property
    def readings(self) -> tuple[RecurrenceReading, ...]:
        """With every n-th week it matters which day a week begins on."""
        if self.every == 1 or not self.weekdays:
            return (RecurrenceReading.PLAIN,)
        return (RecurrenceReading.SUNDAY, RecurrenceReading.MONDAY)

    def dates(self, start: int, since: int, reading: RecurrenceReading) -> Iterator[int]:
        """The weekdays of every n-th week from the start's."""
        first = 1 if reading is RecurrenceReading.MONDAY else 0  # day 1 of the calendar was a Monday
        weekdays = self.weekdays or ((start - 1) % 7,)
        places = sorted((weekday + 1 - first) % 7 for weekday in weekdays)
        week = _align((start - first) // 7, (since - first) // 7, self.every)
        while week * 7 + 7 <= LAST_DATE:
            for place in places:
                day = week * 7 + first + place
                if day >= since:
                    yield day
            week += self.every


@dataclass(frozen=True, slots=True)
class MonthDays:
    """`Month day15,day31`."""

    every: int
    days: tuple[int, ...]
    """1 to 31, ascending."""

    @property
    def readings(self) -> tuple[RecurrenceReading, ...]:
        """One only."""
        return (RecurrenceReading.PLAIN,)

    def dates(self, start: int, since: int, _reading: RecurrenceReading) -> Iterator[int]:
        """The days of every n-th month from the start's, as far as the months have them."""
        month = _align(_month_of(start), _month_of(since), self.every)
        barren = 0
        while month <= _LAST_MONTH and barren <= _GREGORIAN_MONTHS // gcd(self.every, _GREGORIAN_MONTHS):
            first, length = _month(month)
            barren = barren + 1 if self.days[0] > length else 0
            for number in self.days:
                if number <= length and first + number - 1 >= since:
                    yield first + number - 1
            month += self.every


@dataclass(frozen=True, slots=True)
class MonthWeekday:
    """`Month Second Tuesday Offset4`, `Month Third,Fourth Monday,Tuesday`."""

    every: int
    ordinals: tuple[int, ...]
    """0 to 3, and 4 for the last; ascending."""
    weekdays: tuple[int, ...]
    """Monday is 0; ascending. Each of them in each of the weeks."""
    offset: int = 0
    """Days added to each, −6 to 6; they may lead into a neighbouring month."""

    @property
    def readings(self) -> tuple[RecurrenceReading, ...]:
        """A day that the month before the start's pushed over the start may count or not."""
        if self.every == 1 and self.offset > 0:
            return (RecurrenceReading.FROM_START, RecurrenceReading.MONTH_BEFORE)
        return (RecurrenceReading.PLAIN,)

    def dates(self, start: int, since: int, reading: RecurrenceReading) -> Iterator[int]:
        """The weekdays of every n-th month from the start's, shifted."""
        origin = _month_of(start) - (reading is RecurrenceReading.MONTH_BEFORE)
        month = _align(origin, _month_of(since) - 1, self.every)
        while month <= _LAST_MONTH:
            first, length = _month(month)
            # A set: in a month with four Mondays the fourth is the last.
            for day in sorted({_nth(n, weekday, first, length) for n in self.ordinals for weekday in self.weekdays}):
                if day + self.offset >= since:
                    yield day + self.offset
            month += self.every


def _nth(ordinal: int, weekday: int, first: int, length: int) -> int:
    """The nth such weekday of the month that begins on `first`."""
    day = first + (weekday - (first - 1)) % 7 + 7 * min(ordinal, 3)
    return day + 7 if ordinal == len(ORDINALS) - 1 and day + 7 < first + length else day


def _align(origin: int, since: int, step: int) -> int:
    """The first of origin, origin + step, … that is not before `since`."""
    return origin + -(-max(since - origin, 0) // step) * step


def _month_of(ordinal: int) -> int:
    day = date.fromordinal(ordinal)
    return day.year * 12 + day.month - 1


def _month(month: int) -> tuple[int, int]:
    """The ordinal of a month's first day, and its number of days."""
    first = date(month // 12, month % 12 + 1, 1).toordinal()
    month += 1
    return first, date(month // 12, month % 12 + 1, 1).toordinal() - first


_WEEKDAY = "(?:" + "|".join(WEEKDAYS) + ")"
_ORDINAL = "(?:" + "|".join(ORDINALS) + ")"
_FLAGS = re.IGNORECASE | re.ASCII
_DAYS = re.compile(r"([0-9]*)\s*days?", _FLAGS)
_WEEKS = re.compile(rf"([0-9]*)\s*weeks?(?:\s+({_WEEKDAY}(?:\s*,\s*{_WEEKDAY})*))?", _FLAGS)
_MONTH_DAYS = re.compile(r"([0-9]*)\s*months?\s+(day\s*[0-9]+(?:\s*,\s*day\s*[0-9]+)*)", _FLAGS)
_MONTH_WEEKDAY = re.compile(
    rf"([0-9]*)\s*months?\s+({_ORDINAL}(?:\s*,\s*{_ORDINAL})*)\s+({_WEEKDAY}(?:\s*,\s*{_WEEKDAY})*)"
    r"(?:\s+offset\s*(-?)\s*([0-6]))?",
    _FLAGS,
)
_HOURS = re.compile(r"([0-9]*)\s*hours?", _FLAGS)


@lru_cache(maxsize=4096)
def parse(text: str) -> Recurrence | None:
    """The recurrence that a `recurEvery` states; None: it is in none of the forms."""
    stripped = text.strip()
    if match := _DAYS.fullmatch(stripped):
        every = _count(match[1])
        return EveryDays(every) if every else None
    if match := _WEEKS.fullmatch(stripped):
        every = _count(match[1])
        return EveryWeeks(every, _places(match[2] or "", WEEKDAYS)) if every else None
    if match := _MONTH_DAYS.fullmatch(stripped):
        return _month_days(_count(match[1]), match[2])
    if match := _MONTH_WEEKDAY.fullmatch(stripped):
        every, offset = _count(match[1]), int(match[5] or 0)
        ordinals, weekdays = _places(match[2], ORDINALS), _places(match[3], WEEKDAYS)
        return MonthWeekday(every, ordinals, weekdays, -offset if match[4] else offset) if every else None
    if match := _HOURS.fullmatch(stripped):
        every = _count(match[1], 24 * LAST_DATE)
        return EveryHours(every) if every else None
    return None


def _places(text: str, names: tuple[str, ...]) -> tuple[int, ...]:
    """Where the words of a comma list stand among the names, ascending, each once."""
    return tuple(sorted({names.index(word.strip().lower()) for word in text.split(",") if word.strip()}))


def _month_days(every: int, text: str) -> Recurrence | None:
    days = sorted({_count(number) for number in re.findall(r"[0-9]+", text)})
    return MonthDays(every, tuple(days)) if every and days[0] >= 1 and days[-1] <= 31 else None


def _count(text: str, most: int = LAST_DATE) -> int:
    """The leading number; 1 where there is none. Beyond the calendar's days it makes no difference how large."""
    return min(int(text.lstrip("0")[:12] or 0), most) if text else 1
