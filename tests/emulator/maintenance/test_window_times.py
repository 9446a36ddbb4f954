"""When windows open: the grammar, daylight saving, expiry, and a second opinion on every rule."""

import calendar
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.emulator.maintenance.estate import Estate, configuration, prepared, with_members

from arm_emulator.providers.maintenance.recurrence import WEEKDAYS, RecurrenceError, parse, zone_of
from arm_emulator.providers.maintenance.windows import read_window


def _openings(recur: str, start: str, count: int = 3, *, zone: str = "UTC", **switches: str) -> list[str]:
    rule = read_window({"startDateTime": start, "timeZone": zone, "recurEvery": recur, "duration": "02:00"})
    assert rule is not None
    chosen = {"week_start": "sunday", "offset_month": "from-start-month", **switches}
    found: list[str] = []
    after = datetime(2020, 1, 1, tzinfo=UTC)
    while len(found) < count:
        opening = rule.next_start(after, is_strict=True, **chosen)  # type: ignore[arg-type]  # two literals
        if opening is None:
            break
        found.append(f"{opening:%Y-%m-%d %H:%M}")
        after = opening
    return found


@pytest.mark.parametrize(
    ("recur", "start", "openings"),
    [
        ("Day", "2026-03-02 08:00", ["2026-03-02 08:00", "2026-03-03 08:00", "2026-03-04 08:00"]),
        ("3days", "2026-03-02 08:00", ["2026-03-02 08:00", "2026-03-05 08:00", "2026-03-08 08:00"]),
        ("Week", "2026-03-02 08:00", ["2026-03-02 08:00", "2026-03-09 08:00", "2026-03-16 08:00"]),
        ("2 Weeks", "2026-03-02 08:00", ["2026-03-02 08:00", "2026-03-16 08:00", "2026-03-30 08:00"]),
        ("1Week Saturday, SUNDAY", "2026-03-02 08:00", ["2026-03-07 08:00", "2026-03-08 08:00", "2026-03-14 08:00"]),
        ("Month day31", "2026-01-31 08:00", ["2026-01-31 08:00", "2026-03-31 08:00", "2026-05-31 08:00"]),
        ("2Months day1,day15", "2026-01-10 08:00", ["2026-01-15 08:00", "2026-03-01 08:00", "2026-03-15 08:00"]),
        (
            "Month Second Tuesday Offset4",
            "2026-03-01 08:00",
            ["2026-03-14 08:00", "2026-04-18 08:00", "2026-05-16 08:00"],
        ),
        ("Month Last Friday", "2026-03-01 08:00", ["2026-03-27 08:00", "2026-04-24 08:00", "2026-05-29 08:00"]),
        (
            "month third sunday Offset -3",
            "2026-03-01 08:00",
            ["2026-03-12 08:00", "2026-04-16 08:00", "2026-05-14 08:00"],
        ),
        ("12Months day29", "2023-02-28 08:00", ["2024-02-29 08:00", "2028-02-29 08:00", "2032-02-29 08:00"]),
        ("12Months day31", "2026-04-01 08:00", []),
    ],
)
def test_a_rule_opens_at(recur: str, start: str, openings: list[str]) -> None:
    """Worked out by hand on a calendar."""
    assert _openings(recur, start) == openings


@pytest.mark.parametrize(
    ("switch", "openings"),
    [
        ("sunday", ["2026-03-02 08:00", "2026-03-15 08:00", "2026-03-16 08:00"]),
        ("monday", ["2026-03-02 08:00", "2026-03-08 08:00", "2026-03-16 08:00"]),
    ],
)
def test_the_first_day_of_a_week_is_a_switch(switch: str, openings: list[str]) -> None:
    """It matters for every second week that holds a Sunday."""
    assert _openings("2Weeks Monday,Sunday", "2026-03-02 08:00", week_start=switch) == openings


@pytest.mark.parametrize(
    ("switch", "first"), [("from-start-month", "2026-04-02 08:00"), ("any-month", "2026-03-05 08:00")]
)
def test_the_month_of_an_offset_is_a_switch(switch: str, first: str) -> None:
    """February's last Friday is the 27th; six days on it lies in the start's month."""
    assert _openings("Month Last Friday Offset6", "2026-03-03 08:00", 1, offset_month=switch) == [first]


@pytest.mark.parametrize(
    ("zone", "start", "instant"),
    [
        ("Pacific Standard Time", "2026-03-07 02:30", "2026-03-07 10:30"),
        ("Pacific Standard Time", "2026-03-08 02:30", "2026-03-08 10:30"),
        ("Pacific Standard Time", "2026-03-09 02:30", "2026-03-09 09:30"),
        ("Pacific Standard Time", "2026-11-01 01:30", "2026-11-01 08:30"),
        ("Pacific Standard Time", "2026-11-02 01:30", "2026-11-02 09:30"),
        ("W. Europe Standard Time", "2026-03-29 02:30", "2026-03-29 01:30"),
        ("W. Europe Standard Time", "2026-10-25 02:30", "2026-10-25 00:30"),
        ("India Standard Time", "2026-03-08 02:30", "2026-03-07 21:00"),
        ("Lord Howe Standard Time", "2026-10-04 02:15", "2026-10-03 15:45"),
        ("utc", "2026-03-08 02:30", "2026-03-08 02:30"),
    ],
)
def test_daylight_saving(zone: str, start: str, instant: str) -> None:
    """A time in the gap moves forward by the gap; one that comes twice is the first."""
    assert _openings("Day", start, 1, zone=zone) == [instant]


@pytest.mark.parametrize(
    "recur",
    ["", "Month", "2Months", "6Hours", "Hour", "0Days", "Day Monday", "Week Funday", "Week day1", "Month day0",
     "Month day32", "Month Fifth Monday", "Month First Monday Offset7", "Month day1,First Monday", "-1Day", "Year"],
)  # fmt: skip
def test_what_the_grammar_does_not_have(recur: str) -> None:
    """Each refusal is a sentence."""
    with pytest.raises(RecurrenceError, match=r"\.$"):
        parse(recur)


def test_time_zones() -> None:
    """Windows names in any casing and UTC; no names of the IANA database."""
    assert str(zone_of("w. europe standard time")) == "Europe/Berlin"
    assert str(zone_of("UTC")) in {"UTC", "Etc/UTC"}
    assert zone_of("Europe/Berlin") is None
    assert zone_of("Middle Earth Standard Time") is None


def test_no_window_opens_after_the_expiration() -> None:
    """One that opens at that very instant still does."""
    window = {"expirationDateTime": "2026-03-03 20:00"}
    estate = Estate(*with_members(prepared(), window=window)).advance(days=5)
    assert [run["startDateTime"] for run in estate.runs()] == ["2026-03-02T20:00:00Z", "2026-03-03T20:00:00Z"]


def test_a_window_that_is_open_already_is_not_run() -> None:
    """An emulator that starts in the middle waits for the next."""
    estate = Estate(*with_members(prepared()), at=datetime(2026, 3, 2, 20, 30, tzinfo=UTC))
    assert estate.advance(hours=3).runs() == []
    opening = estate.emulator.patching.runner.next_opening(configuration()["id"].lower())
    assert opening == datetime(2026, 3, 3, 20, tzinfo=UTC)


def _judged(recur: str, start: date, end: date) -> list[date]:
    """The dates of a rule by looking at every day in turn: slow, and written apart from the code under test."""
    words = recur.split()
    every = int("".join(filter(str.isdigit, words[0])) or 1)
    days = [start + timedelta(days=number) for number in range((end - start).days)]
    if "Day" in words[0]:
        return [day for day in days if (day - start).days % every == 0]
    if "Week" in words[0]:
        sunday = start - timedelta(days=(start.weekday() + 1) % 7)
        named = words[1].split(",")
        return [
            day for day in days if (day - sunday).days // 7 % every == 0 and calendar.day_name[day.weekday()] in named
        ]
    found = []
    for number in range(0, 12 * 60, every):
        year, month = divmod(start.year * 12 + start.month - 1 + number, 12)
        length = calendar.monthrange(year, month + 1)[1]
        of_month = [date(year, month + 1, day + 1) for day in range(length)]
        if words[1].startswith("day"):
            chosen = [day for day in of_month if f"day{day.day}" in words[1].split(",")]
        else:
            matching = [day for day in of_month if calendar.day_name[day.weekday()] == words[2]]
            nth = {"First": 0, "Second": 1, "Third": 2, "Fourth": 3, "Last": -1}[words[1]]
            chosen = [matching[nth] + timedelta(days=int(words[3].removeprefix("Offset")) if len(words) > 3 else 0)]
        found += [day for day in chosen if start <= day < end]
    return found


_NAMES = st.sampled_from([name.capitalize() for name in WEEKDAYS])
_EVERY = st.sampled_from(["", "1", "2", "3", "5", "13"])
_RULES = st.one_of(
    st.builds("{}Days".format, _EVERY),
    st.builds("{}Weeks {}".format, _EVERY, st.lists(_NAMES, min_size=1, max_size=4, unique=True).map(",".join)),
    st.builds(
        "{}Months {}".format,
        _EVERY,
        st.lists(st.integers(1, 31).map("day{}".format), min_size=1, max_size=4, unique=True).map(",".join),
    ),
    st.builds(
        "{}Months {} {}{}".format,
        _EVERY,
        st.sampled_from(["First", "Second", "Third", "Fourth", "Last"]),
        _NAMES,
        st.sampled_from(["", *(f" Offset{number}" for number in range(-6, 7))]),
    ),
)


@given(recur=_RULES, start=st.dates(date(2019, 1, 1), date(2027, 12, 31)), skipped=st.integers(0, 900))
def test_rules_agree_with_a_look_at_every_day(recur: str, start: date, skipped: int) -> None:
    """From any later day on as well, because openings are reached in one step."""
    rule = read_window({"startDateTime": f"{start} 06:00", "timeZone": "UTC", "recurEvery": recur})
    assert rule is not None
    after = datetime(start.year, start.month, start.day, tzinfo=UTC) + timedelta(days=skipped)
    found = []
    for _ in range(4):
        opening = rule.next_start(after, week_start="sunday", offset_month="from-start-month", is_strict=True)
        assert opening is not None
        found.append(opening.date())
        after = opening
    wanted = [day for day in _judged(recur, start, date(2060, 1, 1)) if day >= start + timedelta(days=skipped)]
    assert found == wanted[:4]
