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
    chosen = {"week_start": "sunday", "offset_month": "from-start-month", "hourly_count": "elapsed", **switches}
    found: list[str] = []
    after = datetime(2020, 1, 1, tzinfo=UTC)
    while len(found) < count:
        opening = rule.next_start(after, is_strict=True, **chosen)  # type: ignore[arg-type]  # literals
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
        ("8Hours", "2026-03-02 22:00", ["2026-03-02 22:00", "2026-03-03 06:00", "2026-03-03 14:00"]),
        ("6Hour", "2026-02-28 20:10", ["2026-02-28 20:10", "2026-03-01 02:10", "2026-03-01 08:10"]),
        ("hour", "2026-03-02 22:00", ["2026-03-02 22:00", "2026-03-02 23:00", "2026-03-03 00:00"]),
        (
            "1Month Third,Fourth Monday,Tuesday",
            "2026-03-17 08:00",
            ["2026-03-17 08:00", "2026-03-23 08:00", "2026-03-24 08:00", "2026-04-20 08:00", "2026-04-21 08:00"],
        ),
        (
            "1Month Last Thursday,Friday",
            "2026-03-01 08:00",
            ["2026-03-26 08:00", "2026-03-27 08:00", "2026-04-24 08:00"],
        ),
        # The fourth Sunday of April 2026 is its last; May has a fifth.
        (
            "Month last, fourth sunday",
            "2026-04-01 08:00",
            ["2026-04-26 08:00", "2026-05-24 08:00", "2026-05-31 08:00"],
        ),
        (
            "Month First Monday,Wednesday Offset-1",
            "2026-03-31 08:00",
            ["2026-03-31 08:00", "2026-04-05 08:00", "2026-05-03 08:00"],
        ),
    ],
)
def test_a_rule_opens_at(recur: str, start: str, openings: list[str]) -> None:
    """Worked out by hand on a calendar."""
    assert _openings(recur, start, max(3, len(openings))) == openings


@pytest.mark.parametrize(
    ("zone", "switch", "openings"),
    [
        # 20:00 PST, then either six real hours (03:00 PDT), or 02:00, which is left out and moves to 03:00 PDT.
        ("Pacific Standard Time", "elapsed", ["2026-03-08 04:00", "2026-03-08 10:00", "2026-03-08 16:00"]),
        ("Pacific Standard Time", "local", ["2026-03-08 04:00", "2026-03-08 10:00", "2026-03-08 15:00"]),
        ("India Standard Time", "elapsed", ["2026-03-07 14:30", "2026-03-07 20:30", "2026-03-08 02:30"]),
        ("India Standard Time", "local", ["2026-03-07 14:30", "2026-03-07 20:30", "2026-03-08 02:30"]),
    ],
)
def test_what_an_hour_is_is_a_switch(zone: str, switch: str, openings: list[str]) -> None:
    """It matters once a clock was changed since the start."""
    assert _openings("6Hours", "2026-03-07 20:00", zone=zone, hourly_count=switch) == openings


def test_an_hour_that_the_clock_leaves_out_gives_no_second_window() -> None:
    """02:30 does not exist that night in the Pacific zone and falls on 03:30."""
    rule = read_window({"startDateTime": "2026-03-07 23:30", "timeZone": "Pacific Standard Time", "recurEvery": "Hour"})
    assert rule is not None
    found, after = [], datetime(2026, 3, 8, 9, tzinfo=UTC)
    for _ in range(3):
        opening = rule.next_start(
            after, week_start="sunday", offset_month="from-start-month", hourly_count="local", is_strict=True
        )
        assert opening is not None
        found.append(f"{opening:%H:%M}")
        after = opening
    assert found == ["09:30", "10:30", "11:30"]


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
    ["", "Month", "2Months", "0Hours", "Hour 3", "6Hourss", "0Days", "Day Monday", "Week Funday", "Week day1",
     "Month day0", "Month day32", "Month Fifth Monday", "Month First Monday Offset7", "Month First,Fifth Monday",
     "Month First Monday,Funday", "Month First,,Third Monday", "Month First Monday,", "Month Third Monday Tuesday",
     "Month day1,First Monday", "-1Day", "Year"],
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


@pytest.mark.parametrize(
    ("changes", "starts"),
    [
        (
            {"recurEvery": "8Hours", "startDateTime": "2016-01-01 22:00"},
            ["2026-03-02T14:00", "2026-03-02T22:00", "2026-03-03T06:00"],
        ),
        (
            {"recurEvery": "1Month First,Last Monday,Tuesday"},
            ["2026-03-02T20:00", "2026-03-03T20:00", "2026-03-30T20:00", "2026-03-31T20:00"],
        ),
    ],
)
def test_what_stands_in_recorded_exchanges_only_runs_too(changes: dict[str, str], starts: list[str]) -> None:
    """The clock is pushed past the last of them."""
    estate = Estate(*with_members(prepared(), window=changes))
    last = datetime.fromisoformat(starts[-1]).replace(tzinfo=UTC)
    estate.advance(seconds=(last - estate.clock.now()).total_seconds() + 3600)
    assert [run["startDateTime"] for run in estate.runs()] == [f"{start}:00Z" for start in starts]


@pytest.mark.parametrize(("switch", "start"), [("elapsed", "2026-03-30T05:00:00Z"), ("local", "2026-03-30T04:00:00Z")])
def test_the_clock_runs_hours_as_the_switch_counts_them(switch: str, start: str) -> None:
    """22:00 on 28 March in Berlin is 21:00 in UTC; the clocks go forward that night."""
    window = {"recurEvery": "8Hours", "startDateTime": "2026-03-28 22:00", "timeZone": "W. Europe Standard Time"}
    at = datetime(2026, 3, 30, 0, tzinfo=UTC)
    estate = Estate(*with_members(prepared(), window=window), at=at, hourly_count=switch).advance(hours=9)
    assert [run["startDateTime"] for run in estate.runs()] == [start]


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
            shift = timedelta(days=int(words[3].removeprefix("Offset")) if len(words) > 3 else 0)
            chosen = [day + shift for day in of_month if _is_named(day, length, words[1], words[2])]
        found += [day for day in chosen if start <= day < end]
    return found


def _is_named(day: date, length: int, weeks: str, weekdays: str) -> bool:
    """Whether a day of a month that long is one of those weekdays in one of those weeks."""
    own = {("First", "Second", "Third", "Fourth", "Fifth")[(day.day - 1) // 7], "Last" if day.day > length - 7 else ""}
    return calendar.day_name[day.weekday()] in weekdays.split(",") and not own.isdisjoint(weeks.split(","))


_NAMES = st.sampled_from([name.capitalize() for name in WEEKDAYS])
_WEEKS = st.sampled_from(["First", "Second", "Third", "Fourth", "Last"])
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
        st.lists(_WEEKS, min_size=1, max_size=5, unique=True).map(",".join),
        st.lists(_NAMES, min_size=1, max_size=4, unique=True).map(",".join),
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
        opening = rule.next_start(
            after, week_start="sunday", offset_month="from-start-month", hourly_count="elapsed", is_strict=True
        )
        assert opening is not None
        found.append(opening.date())
        after = opening
    wanted = [day for day in _judged(recur, start, date(2060, 1, 1)) if day >= start + timedelta(days=skipped)]
    assert found == wanted[:4]


@given(
    every=st.integers(1, 40),
    start=st.datetimes(datetime(2025, 1, 1), datetime(2026, 12, 31)),  # noqa: DTZ001  local
    after_h=st.integers(-100, 12_000),
    zone=st.sampled_from(["UTC", "W. Europe Standard Time", "Lord Howe Standard Time", "Pacific Standard Time"]),
    switch=st.sampled_from(["elapsed", "local"]),
)
def test_hours_agree_with_a_count_from_the_start(
    every: int, start: datetime, after_h: int, zone: str, switch: str
) -> None:
    """Hour by hour from the start, without the step that reaches a late day at once."""
    start = start.replace(second=0, microsecond=0)
    window = {"startDateTime": f"{start:%Y-%m-%d %H:%M}", "timeZone": zone, "recurEvery": f"{every}Hours"}
    rule, tz = read_window(window), zone_of(zone)
    assert rule is not None
    first = start.replace(tzinfo=tz).astimezone(UTC)
    after = first + timedelta(hours=after_h, minutes=7)
    at, local = first, start
    while at < after:
        at, local = at + timedelta(hours=every), local + timedelta(hours=every)
        if switch == "local":
            at = local.replace(tzinfo=tz).astimezone(UTC)
    chosen = {"week_start": "sunday", "offset_month": "from-start-month", "hourly_count": switch}
    assert rule.next_start(after, **chosen) == at  # type: ignore[arg-type]  # literals
