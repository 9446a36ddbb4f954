"""Our windows against python-dateutil's: rrule for the days and hours, its own zone rules for the clocks.

The judge shares no code with us, and is told the rules in its own terms: no text of the grammar reaches it.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from dateutil import rrule, tz
from tests.examples import examples

from patchmode.model.schedule import Timing, WindowRule
from patchmode.rules.schedules.recurrence import next_window, windows_between

CASES = examples(3_000, 17_000)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ORDINALS = {"First": 1, "Second": 2, "Third": 3, "Fourth": 4, "Last": -1}
ZONES = {
    "Pacific Standard Time": "America/Los_Angeles",
    "Eastern Standard Time": "America/New_York",
    "Newfoundland Standard Time": "America/St_Johns",
    "W. Europe Standard Time": "Europe/Berlin",
    "GMT Standard Time": "Europe/London",
    "AUS Eastern Standard Time": "Australia/Sydney",
    "Cen. Australia Standard Time": "Australia/Adelaide",
    "Lord Howe Standard Time": "Australia/Lord_Howe",
    "New Zealand Standard Time": "Pacific/Auckland",
    "India Standard Time": "Asia/Kolkata",
    "Nepal Standard Time": "Asia/Kathmandu",
    "Tokyo Standard Time": "Asia/Tokyo",
    "UTC": "UTC",
}
CHANGES = {  # Local nights of clock changes, those of 2026 and one of 2025, as published.
    "Pacific Standard Time": ("2026-03-08", "2026-11-01"),
    "Eastern Standard Time": ("2026-03-08", "2026-11-01"),
    "Newfoundland Standard Time": ("2026-03-08", "2026-11-01"),
    "W. Europe Standard Time": ("2026-03-29", "2026-10-25"),
    "GMT Standard Time": ("2026-03-29", "2025-10-26"),
    "AUS Eastern Standard Time": ("2026-10-04", "2026-04-05"),
    "Cen. Australia Standard Time": ("2026-10-04", "2026-04-05"),
    "Lord Howe Standard Time": ("2026-10-04", "2026-04-05"),
    "New Zealand Standard Time": ("2026-09-27", "2026-04-05"),
}
Days = Callable[[int, bool], Iterator[datetime]]
"""(first day of a week as rrule counts, whether any month counts) → naive local starts, ascending."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A rule in both languages."""

    text: str
    kind: str
    start: datetime
    days: Days
    readings: int
    hours: int = 0
    """Every so many hours; 0: it names days."""


class Case(NamedTuple):
    rule: WindowRule
    drawn: Drawn
    zone: Any
    expires: datetime | None
    after: datetime


def rule_from(dice: random.Random, start: datetime) -> Drawn:
    """Any form of the grammar, spelled in one of its ways."""
    every = dice.choice((1, 1, 1, 2, 2, 3, 4, 5, 6, 7, 12))
    number = str(every) if every > 1 else dice.choice(("", "1"))
    plural = dice.choice(("", "s"))
    form = dice.choice((_hourly, _daily, _weekly, _weekly, _month_days, _month_weekday, _month_weekday, _month_lists))
    drawn = form(dice, start, every, number, plural)
    return Drawn(dice.choice((drawn.text, drawn.text.lower(), f" {drawn.text} ")), drawn.kind, start, *drawn[2:])


class _Form(NamedTuple):
    text: str
    kind: str
    days: Days
    readings: int
    hours: int = 0


def _hourly(dice: random.Random, start: datetime, _every: int, _number: str, plural: str) -> _Form:
    every = dice.choice((1, 2, 3, 5, 6, 6, 7, 8, 8, 9, 12, 24, 36))
    days = rrule.rrule(rrule.HOURLY, interval=every, dtstart=start)
    number = str(every) if every > 1 else dice.choice(("", "1"))
    return _Form(f"{number}Hour{plural}", "hours", lambda _first, _any: iter(days), 2, every)


def _daily(_dice: random.Random, start: datetime, every: int, number: str, plural: str) -> _Form:
    days = rrule.rrule(rrule.DAILY, interval=every, dtstart=start)
    return _Form(f"{number}Day{plural}", "days", lambda _first, _any: iter(days), 1)


def _weekly(dice: random.Random, start: datetime, every: int, number: str, plural: str) -> _Form:
    chosen = dice.sample(range(7), dice.choice((0, 1, 1, 2, 3, 7)))
    names = dice.choice((",", ", ")).join(WEEKDAYS[day] for day in chosen)

    def days(first: int, _any: bool) -> Iterator[datetime]:
        by = chosen or [start.weekday()]
        return iter(rrule.rrule(rrule.WEEKLY, interval=every, dtstart=start, byweekday=by, wkst=first))

    kind = "weeks" if every == 1 or not chosen else "n weeks on weekdays"
    return _Form(f"{number}Week{plural} {names}".rstrip(), kind, days, 2 if every > 1 and chosen else 1)


def _month_days(dice: random.Random, start: datetime, every: int, number: str, plural: str) -> _Form:
    chosen = dice.sample((1, 2, 14, 15, 27, 28, 29, 30, 31), dice.choice((1, 1, 2, 3)))
    days = rrule.rrule(rrule.MONTHLY, interval=every, dtstart=start, bymonthday=chosen)
    text = f"{number}Month{plural} " + ",".join(f"day{day}" for day in chosen)
    return _Form(text, "month days 29 to 31" if min(chosen) > 28 else "month days", lambda _first, _any: iter(days), 1)


def _month_weekday(dice: random.Random, start: datetime, every: int, number: str, plural: str) -> _Form:
    ordinal, weekday = dice.choice(list(ORDINALS)), dice.randrange(7)
    return _nth_weekdays(dice, start, every, f"{number}Month{plural}", [ordinal], [weekday])


def _month_lists(dice: random.Random, start: datetime, every: int, number: str, plural: str) -> _Form:
    ordinals = dice.sample(list(ORDINALS), dice.choice((1, 2, 2, 3, 5)))
    weekdays = dice.sample(range(7), dice.choice((1, 2, 3, 5)))
    return _nth_weekdays(dice, start, every, f"{number}Month{plural}", ordinals, weekdays)


def _nth_weekdays(
    dice: random.Random, start: datetime, every: int, month_text: str, ordinals: list[str], weekdays: list[int]
) -> _Form:
    """rrule takes each pair as one of its weekdays, such as TU(+2), and gives a day once that two of them name."""
    offset = dice.randint(-6, 6)
    offset = dice.choice((0, offset, offset))
    shift = f" Offset{dice.choice(('', ' '))}{offset}" if offset else dice.choice(("", " Offset0"))
    by = [rrule.weekday(weekday, ORDINALS[ordinal]) for ordinal in ordinals for weekday in weekdays]

    def days(_first: int, any_month: bool) -> Iterator[datetime]:
        month = start.replace(day=1)
        if any_month and every == 1:
            month = (month - timedelta(days=1)).replace(day=1)
        for day in rrule.rrule(rrule.MONTHLY, interval=every, dtstart=month, byweekday=by):
            if day + timedelta(days=offset) >= start:
                yield day + timedelta(days=offset)

    comma = dice.choice((",", ", "))
    text = f"{month_text} {comma.join(ordinals)} {comma.join(WEEKDAYS[weekday] for weekday in weekdays)}{shift}"
    kind = "lists" if len(by) > 1 else "last weekday" if ordinals == ["Last"] else "nth weekday"
    return _Form(text, f"{kind} with offset" if offset else kind, days, 2 if every == 1 and offset > 0 else 1)


def case_from(dice: random.Random, oldest_days: int = 500) -> Case:
    """A rule with its zone, and an instant; often near a clock change, at an hour that it skips or repeats."""
    name = dice.choice(list(ZONES))
    near = dice.choice((*CHANGES.get(name, ()), None)) if dice.random() < 0.6 else None
    after = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=dice.randrange(60 * 24 * 365 * 6))
    clock = (dice.randrange(24), dice.choice((0, 15, 30, 45, 59)))
    if near is not None:
        after = datetime.fromisoformat(near).replace(tzinfo=UTC) - timedelta(minutes=dice.randrange(60 * 24 * 3))
        clock = (dice.choice((0, 1, 1, 2, 2, 3)), clock[1])
    start = (after - timedelta(days=dice.randint(-60, oldest_days))).replace(
        tzinfo=None, hour=clock[0], minute=clock[1]
    )
    if near is not None and dice.random() < 0.5:
        night = datetime.fromisoformat(near)
        start = start.replace(year=night.year, month=night.month, day=night.day)
    start = start.replace(second=0, microsecond=0)
    drawn = rule_from(dice, start)
    expires = None
    if dice.random() < 0.1:
        expires = (after + timedelta(days=dice.randint(-30, 200))).replace(tzinfo=None, second=0)
    rule = WindowRule(
        start=f"{start:%Y-%m-%d %H:%M}",
        expiration=None if expires is None else f"{expires:%Y-%m-%d %H:%M}",
        duration="02:00",
        time_zone=name,
        recur_every=drawn.text,
    )
    return Case(rule, drawn, tz.gettz(ZONES[name]), expires, after)


def instant_of(local: datetime, zone: Any) -> datetime:
    """dateutil's answer to a local time that is skipped or repeated."""
    moved = tz.resolve_imaginary(local.replace(tzinfo=zone, fold=0))
    utc: datetime = moved.astimezone(tz.UTC)
    return utc.replace(tzinfo=UTC)


def by_days(case: Case, is_default: bool) -> Iterator[datetime]:
    """The judge's instants of a rule that names days, from shortly before `after` on."""
    horizon = case.after.replace(tzinfo=None) - timedelta(days=2)
    first_day = (rrule.SU if is_default else rrule.MO).weekday
    for local in case.drawn.days(first_day, not is_default):
        if local >= horizon:
            yield instant_of(local, case.zone)


def by_hours(case: Case, is_default: bool, near: timedelta = timedelta(days=20)) -> Iterator[datetime]:
    """The judge's instants of an hourly rule: as they elapse, or read off the local clock.

    rrule counts hour by hour, which is slow: of an old start only the hours of the last days are counted by it.
    """
    start = case.drawn.start
    naive = instant_of(start, case.zone).replace(tzinfo=None) if is_default else start
    hours = int((case.after.replace(tzinfo=None) - near - naive).total_seconds()) // 3600
    begin = naive + timedelta(hours=max(hours - hours % case.drawn.hours, 0))
    for moment in rrule.rrule(rrule.HOURLY, interval=case.drawn.hours, dtstart=begin):
        yield moment.replace(tzinfo=UTC) if is_default else instant_of(moment, case.zone)


def judged(case: Case, is_default: bool = True) -> Iterator[datetime]:
    """The judge's windows at `after` or later, in order, each once."""
    last = None if case.expires is None else instant_of(case.expires, case.zone)
    previous = None
    for starts_at in (by_hours if case.drawn.hours else by_days)(case, is_default):
        if last is not None and starts_at > last:
            return
        if starts_at >= case.after and starts_at != previous:
            yield starts_at
        previous = starts_at


def judged_next(case: Case) -> set[datetime | None]:
    """The next window by each reading that no document settles."""
    readings = {next(judged(case), None)}
    if case.drawn.readings > 1:
        readings.add(next(judged(case, is_default=False), None))
    return readings


def agree(case: Case) -> str:
    """Compare one case; returns what it was, for the count of what was covered."""
    found, readings = next_window(case.rule, after=case.after), judged_next(case)
    if readings == {None}:
        comes_at_all = next(judged(case._replace(expires=None)), None) is not None
        assert found.timing is (Timing.OVER if comes_at_all else Timing.NEVER), (case, found)
        return found.timing.value
    if len(readings) > 1:
        expected = Timing.UNREADABLE if None in readings else Timing.COMING
        assert (found.timing, found.window, found.rule) == (expected, None, "recurrence-unconfirmed"), (case, found)
        return "two readings of hours" if case.drawn.hours else "two readings"
    (expected_start,) = readings
    assert found.window is not None, (case, found)
    assert found.window.starts_at == expected_start, (case, found, expected_start)
    assert found.window.ends_at - found.window.starts_at == timedelta(hours=2)
    if case.drawn.hours:
        return "hours"
    local = found.window.local_start.replace(tzinfo=None)
    skipped = (local.hour, local.minute) != (case.drawn.start.hour, case.drawn.start.minute)
    repeated = tz.datetime_ambiguous(local, case.zone)
    return "skipped hour" if skipped else "repeated hour" if repeated else case.drawn.kind


def test_the_next_window_is_dateutils() -> None:
    """Thousands of rules, each at an instant of its own, clock changes of both hemispheres among them."""
    dice = random.Random(20260308)
    covered = Counter(agree(case_from(dice)) for _ in range(CASES))
    assert covered.total() == CASES
    kinds = {"days", "weeks", "n weeks on weekdays", "month days", "month days 29 to 31", "nth weekday", "last weekday"}
    kinds |= {"nth weekday with offset", "last weekday with offset", "skipped hour", "repeated hour", "two readings"}
    kinds |= {"over", "hours", "two readings of hours", "lists", "lists with offset"}
    assert {kind for kind, count in covered.items() if count >= CASES / 200} >= kinds, covered


def test_a_calendar_is_dateutils() -> None:
    """Every window of a stretch of up to half a year, in order, none twice."""
    dice = random.Random(20261101)
    compared = 0
    for _ in range(400):
        case = case_from(dice)
        end = case.after + timedelta(days=dice.randint(1, 180))
        expected: list[datetime] = []
        for starts_at in judged(case):
            if starts_at >= end:
                break
            expected.append(starts_at)
        windows = windows_between(case.rule, start=case.after, end=end)
        assert [window.starts_at for window in windows] == expected, case
        compared += len(expected)
    assert compared >= 3_000


def test_old_starts_are_counted_from() -> None:
    """A schedule of ten years ago still repeats every n weeks from its own start."""
    dice = random.Random(10)
    covered = Counter(agree(case_from(dice, oldest_days=3650)) for _ in range(300))
    assert covered.total() == 300


def test_hours_of_old_starts_are_counted_through() -> None:
    """rrule counts them one by one over ten years, in a zone whose clocks are changed and in one without."""
    after = datetime(2026, 12, 1, 3, 7, tzinfo=UTC)
    start = datetime(2016, 7, 1, 22, 0)  # noqa: DTZ001 # local time
    for name, hours in (("W. Europe Standard Time", 7), ("India Standard Time", 9), ("Pacific Standard Time", 36)):
        drawn = Drawn(f"{hours}Hours", "hours", start, lambda _first, _any: iter(()), 2, hours)
        rule = WindowRule("2016-07-01 22:00", None, "02:00", name, drawn.text)
        case = Case(rule, drawn, tz.gettz(ZONES[name]), None, after)
        for is_default in (True, False):
            counted = by_hours(case, is_default, near=timedelta(days=5000))
            assert next(each for each in counted if each >= after) == next(judged(case, is_default))
        assert agree(case) == ("hours" if name.startswith("India") else "two readings of hours")
