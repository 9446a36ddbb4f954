"""Freezes against a judge that only reads the clock on the wall, minute by minute, also while clocks are changed."""

from datetime import UTC, datetime, timedelta
from itertools import count, takewhile
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

from patchmode.model.guardrails import Freeze, Weekly
from patchmode.rules.guardrails.freezes import FreezeError, ends_at, frozen_by, parse_freeze

WEEK = 7 * 24 * 60
"""Minutes."""
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
CHANGES = {
    "UTC": "2026-03-29T01:00",
    "Europe/Berlin": "2026-03-29T01:00",
    "America/New_York": "2026-11-01T06:00",
    "Australia/Lord_Howe": "2026-04-04T15:00",
    "America/Santiago": "2026-04-05T03:00",
    "Africa/Cairo": "2026-10-29T21:00",
    "Asia/Kolkata": "2026-06-15T12:00",
}
"""Zone → about when its clocks are changed: by half an hour on Lord Howe, at midnight in Santiago and Cairo."""


def times(most: int = 23) -> st.SearchStrategy[str]:
    return st.builds("{:02}:{:02}".format, st.integers(0, most), st.sampled_from((0, 0, 1, 30, 59)))


@st.composite
def weekly(draw: st.DrawFn, zones: tuple[str, ...] = tuple(CHANGES)) -> Freeze:
    start, end = draw(st.tuples(times(), times()).filter(lambda pair: pair[0] != pair[1]))
    first, last = draw(st.sampled_from(DAYS)), draw(st.sampled_from(DAYS))
    form = draw(st.sampled_from(("{first} {start}-{last} {end}", "{first}-{last} {start}-{end}", "{start}-{end}")))
    text = form.format(first=first, last=last, start=start, end=end)
    return parse_freeze(f"{text} {draw(st.sampled_from(zones))}", None)


@st.composite
def moments(draw: st.DrawFn, zone: str | None = None) -> datetime:
    """Whole minutes within two days of a change of clocks."""
    about = CHANGES[zone or draw(st.sampled_from(tuple(CHANGES)))]
    return datetime.fromisoformat(about).replace(tzinfo=UTC) + draw(st.integers(-2880, 2880)) * MINUTE


def is_on_the_wall(freeze: Freeze, moment: datetime) -> bool:
    """Whether the clock on the wall shows a time of the freeze: minutes of an endless week, and no dates at all."""
    assert isinstance(freeze.span, Weekly)
    wall = moment.astimezone(freeze.zone)
    now = wall.weekday() * 1440 + wall.hour * 60 + wall.minute
    start, length = freeze.span.start // MINUTE, freeze.span.length // MINUTE
    return any((now - day * 1440 - start) % WEEK < length for day in freeze.span.days)


def is_near_a_change(zone: ZoneInfo, moment: datetime) -> bool:
    return len({(moment + step * HOUR / 2).astimezone(zone).utcoffset() for step in range(-2, 3)}) > 1


@settings(max_examples=examples(60))
@given(st.data())
def test_a_freeze_holds_when_the_wall_says_so(data: st.DataObject) -> None:
    """Where clocks are changed it may hold for longer than the wall says, and never for less."""
    freeze = data.draw(weekly())
    start = data.draw(moments(freeze.zone.key))
    for minute in range(0, 240, 3):
        moment = start + minute * MINUTE
        holds, shown = frozen_by([freeze], moment) is not None, is_on_the_wall(freeze, moment)
        assert holds or not shown, moment
        assert holds == shown or is_near_a_change(freeze.zone, moment), moment


@settings(max_examples=examples(40))
@given(st.lists(weekly(), max_size=3), moments())
def test_it_goes_on_at_the_first_minute_at_which_nothing_holds(freezes: list[Freeze], now: datetime) -> None:
    """Too early breaks the freeze, too late keeps people waiting; a week is walked through minute by minute."""
    until = ends_at(freezes, now)
    walked = (now + step * MINUTE for step in takewhile(lambda step: step < WEEK, count()))
    thawed = next((moment for moment in walked if frozen_by(freezes, moment) is None), None)
    assert until == thawed if thawed else until is None or until >= now + WEEK * MINUTE


@given(weekly(), moments(), st.timedeltas(timedelta(), timedelta(days=8)))
def test_one_freeze_always_ends_within_a_week(freeze: Freeze, now: datetime, later: timedelta) -> None:
    until = ends_at([freeze], now + later)
    assert until is not None or freeze.span.length > timedelta(days=6, hours=22)  # type: ignore[union-attr]
    assert until is None or until - now - later <= timedelta(days=7, hours=3)


@given(st.text(max_size=30) | st.from_regex(r"[A-Z][a-z]{2}[ ,-][0-9:]{4,5}-[A-Za-z0-9: /+-]{5,20}", fullmatch=True))
def test_no_text_breaks_the_reader(text: str) -> None:
    """It is read, or refused by name."""
    try:
        parsed = parse_freeze(text, ZoneInfo("UTC"))
    except FreezeError:
        return
    assert frozen_by([parsed], datetime(2026, 11, 28, tzinfo=UTC)) in {None, parsed}
