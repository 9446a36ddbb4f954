"""Windows, written out: what each form of the grammar names, and what clocks, ends and unreadable texts do to it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from patchmode.model.schedule import Timing, WindowRule
from patchmode.rules.schedules.recurrence import check_window_rule, next_window, windows_between

PACIFIC = "Pacific Standard Time"
BERLIN = "W. Europe Standard Time"
LONG_AGO = datetime(1990, 1, 1, tzinfo=UTC)


def rule(
    recur: str | None,
    start: str | None = "2026-01-01 02:00",
    zone: str | None = "UTC",
    duration: str | None = "02:00",
    expiration: str | None = None,
) -> WindowRule:
    return WindowRule(start=start, expiration=expiration, duration=duration, time_zone=zone, recur_every=recur)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def starts(window_rule: WindowRule, count: int, after: datetime = LONG_AGO) -> list[str]:
    """The UTC starts of the next windows; `*` for one that two readings put on different days."""
    found: list[str] = []
    for _ in range(count):
        coming = next_window(window_rule, after=after)
        if coming.window is None:
            return [*found, "*" if coming.timing is Timing.COMING else coming.timing.value]
        found.append(f"{coming.window.starts_at:%Y-%m-%d %H:%M}")
        after = coming.window.starts_at + timedelta(minutes=1)
    return found


@pytest.mark.parametrize(
    ("recur", "start", "expected"),
    [
        ("Day", "2026-01-01 02:00", ["2026-01-01 02:00", "2026-01-02 02:00"]),
        ("1Day", "2024-02-28 02:00", ["2024-02-28 02:00", "2024-02-29 02:00", "2024-03-01 02:00"]),
        ("3Days", "2026-01-30 02:00", ["2026-01-30 02:00", "2026-02-02 02:00", "2026-02-05 02:00"]),
        # 2026-01-01 is a Thursday.
        ("Week", "2026-01-01 02:00", ["2026-01-01 02:00", "2026-01-08 02:00"]),
        ("3Weeks", "2026-01-01 02:00", ["2026-01-01 02:00", "2026-01-22 02:00"]),
        ("Week Saturday,Sunday", "2026-01-01 02:00", ["2026-01-03 02:00", "2026-01-04 02:00", "2026-01-10 02:00"]),
        ("1Week Monday", "2026-01-01 02:00", ["2026-01-05 02:00", "2026-01-12 02:00"]),
        ("week  sunday , SATURDAY", "2026-01-01 02:00", ["2026-01-03 02:00", "2026-01-04 02:00"]),
        ("2Weeks Monday,Friday", "2026-01-01 02:00", ["2026-01-02 02:00", "2026-01-12 02:00", "2026-01-16 02:00"]),
        ("Month day15,day31", "2026-01-16 02:00", ["2026-01-31 02:00", "2026-02-15 02:00", "2026-03-15 02:00"]),
        ("2Months day31", "2026-01-01 02:00", ["2026-01-31 02:00", "2026-03-31 02:00", "2026-05-31 02:00"]),
        ("12Months day29", "2026-02-01 02:00", ["2028-02-29 02:00", "2032-02-29 02:00"]),
        ("35Month day1", "2026-01-01 02:00", ["2026-01-01 02:00", "2028-12-01 02:00"]),
        ("Month Third Sunday", "2026-01-01 02:00", ["2026-01-18 02:00", "2026-02-15 02:00"]),
        ("Month Last Sunday Offset-3", "2026-01-01 02:00", ["2026-01-22 02:00", "2026-02-19 02:00"]),
        ("Month Last Saturday", "2026-01-01 02:00", ["2026-01-31 02:00", "2026-02-28 02:00", "2026-03-28 02:00"]),
        # The first Saturday after Patch Tuesday, and the same with blanks.
        ("Month Second Tuesday Offset4", "2026-01-01 02:00", ["2026-01-17 02:00", "2026-02-14 02:00"]),
        ("month second tuesday offset 4", "2026-01-01 02:00", ["2026-01-17 02:00", "2026-02-14 02:00"]),
        # An offset may leave the month on either side: Thursday 1 October − 6, Saturday 31 January + 6.
        ("3Months First Thursday Offset-6", "2026-07-01 02:00", ["2026-09-25 02:00", "2027-01-01 02:00"]),
        ("2Months Last Saturday Offset6", "2026-01-10 02:00", ["2026-02-06 02:00", "2026-04-03 02:00"]),
        # Recorded: hours in either number, and lists of weeks and weekdays.
        ("8Hours", "2026-01-01 22:00", ["2026-01-01 22:00", "2026-01-02 06:00", "2026-01-02 14:00"]),
        ("7Hours", "2026-02-28 20:30", ["2026-02-28 20:30", "2026-03-01 03:30", "2026-03-01 10:30"]),
        ("12Hour", "2026-01-01 02:00", ["2026-01-01 02:00", "2026-01-01 14:00", "2026-01-02 02:00"]),
        ("hour", "2026-01-01 02:00", ["2026-01-01 02:00", "2026-01-01 03:00"]),
        ("36 Hours", "2026-01-01 02:00", ["2026-01-01 02:00", "2026-01-02 14:00", "2026-01-04 02:00"]),
        (
            "1Month Third,Fourth Monday,Tuesday",
            "2026-01-01 02:00",
            # January 2026: Mondays on 5, 12, 19, 26, Tuesdays on 6, 13, 20, 27; February: 2 … 23, 3 … 24.
            ["2026-01-19 02:00", "2026-01-20 02:00", "2026-01-26 02:00", "2026-01-27 02:00", "2026-02-16 02:00"],
        ),
        (
            "1Month Last Thursday,Friday",
            "2026-01-30 02:00",
            ["2026-01-30 02:00", "2026-02-26 02:00", "2026-02-27 02:00"],
        ),
        # In February 2026 the fourth Friday is the last; in May it is not.
        (
            "3Months Fourth, Last friday",
            "2026-02-01 02:00",
            ["2026-02-27 02:00", "2026-05-22 02:00", "2026-05-29 02:00"],
        ),
        ("Month Last,First Sunday", "2026-01-01 02:00", ["2026-01-04 02:00", "2026-01-25 02:00", "2026-02-01 02:00"]),
        (
            "1Month First Sunday,Thursday Offset-3",
            "2026-01-01 02:00",
            ["2026-01-01 02:00", "2026-01-29 02:00", "2026-02-02 02:00", "2026-02-26 02:00"],
        ),
    ],
)
def test_each_form_of_the_grammar(recur: str, start: str, expected: list[str]) -> None:
    """Counted on a calendar by hand."""
    assert starts(rule(recur, start), len(expected)) == expected


@pytest.mark.parametrize(
    ("recur", "start", "zone", "after", "expected"),
    [
        # 02:30 does not exist on 2026-03-08 in the Pacific zone: the window starts as the clock shows 03:30.
        (
            "Day",
            "2026-01-01 02:30",
            PACIFIC,
            "2026-03-07",
            ["2026-03-07 10:30", "2026-03-08 10:30", "2026-03-09 09:30"],
        ),
        # 01:30 comes twice on 2026-11-01: the first of the two.
        ("Day", "2026-01-01 01:30", PACIFIC, "2026-11-01", ["2026-11-01 08:30", "2026-11-02 09:30"]),
        ("Day", "2026-01-01 02:30", BERLIN, "2026-03-28", ["2026-03-28 01:30", "2026-03-29 01:30", "2026-03-30 00:30"]),
        ("Week Sunday", "2026-01-01 02:30", BERLIN, "2026-10-24", ["2026-10-25 00:30", "2026-11-01 01:30"]),
        # The southern hemisphere: Sydney's clocks go back on 2026-04-05 and forward on 2026-10-04.
        (
            "Day",
            "2026-01-01 12:00",
            "AUS Eastern Standard Time",
            "2026-04-04",
            ["2026-04-04 01:00", "2026-04-05 02:00"],
        ),
        (
            "Day",
            "2026-01-01 02:30",
            "AUS Eastern Standard Time",
            "2026-10-03",
            ["2026-10-03 16:30", "2026-10-04 15:30"],
        ),
        # Lord Howe changes by half an hour: 02:15 becomes 02:45 on 2026-10-04.
        ("Day", "2026-01-01 02:15", "Lord Howe Standard Time", "2026-10-03", ["2026-10-03 15:45", "2026-10-04 15:15"]),
        ("Day", "2026-01-01 02:00", "India Standard Time", "2026-05-01", ["2026-05-01 20:30", "2026-05-02 20:30"]),
        ("Day", "2026-01-01 02:00", "Nepal Standard Time", "2026-05-01", ["2026-05-01 20:15"]),
        ("Day", "2026-01-01 02:00", "UTC-08", "2026-07-01", ["2026-07-01 10:00"]),
        ("Day", "2026-01-01 02:00", "UTC+12", "2026-07-01", ["2026-07-01 14:00"]),
        ("Day", "2026-01-01 02:00", "Line Islands Standard Time", "2026-07-01", ["2026-07-01 12:00"]),
    ],
)
def test_clocks(recur: str, start: str, zone: str, after: str, expected: list[str]) -> None:
    """The instants, from the published changes of each zone."""
    assert starts(rule(recur, start, zone), len(expected), utc(after)) == expected


@pytest.mark.parametrize(
    ("recur", "start", "zone", "after", "expected"),
    [
        # A zone whose clocks are never changed.
        ("8Hours", "2016-07-01 22:00", "India Standard Time", "2026-03-08", ["2026-03-08 00:30", "2026-03-08 08:30"]),
        # The start's half of the year, ten years on: both counts show the same clock again.
        ("8Hours", "2016-07-01 22:00", BERLIN, "2026-07-01", ["2026-07-01 04:00", "2026-07-01 12:00"]),
        # Between, every 8 hours of the clock lie an hour later than every 8 hours elapsed.
        ("8Hours", "2016-07-01 22:00", BERLIN, "2026-12-01", ["*"]),
        ("6Hour", "2026-03-07 20:00", PACIFIC, "2026-03-08", ["2026-03-08 04:00", "2026-03-08 10:00", "*"]),
        # A full hour's shift is no shift for what comes every hour.
        ("1Hours", "2026-01-01 02:30", PACIFIC, "2026-03-08 09:31", ["2026-03-08 10:30", "2026-03-08 11:30"]),
        ("1Hours", "2026-01-01 02:30", PACIFIC, "2026-11-01 08:00", ["2026-11-01 08:30", "*"]),
    ],
)
def test_hours_are_certain_while_the_clock_stands_as_at_the_start(
    recur: str, start: str, zone: str, after: str, expected: list[str]
) -> None:
    """Whether hours are counted as they elapse or on the clock is written nowhere."""
    assert starts(rule(recur, start, zone), len(expected), utc(after)) == expected


def test_both_counts_of_hours_are_named() -> None:
    """22:00 on 1 July in Berlin is 20:00 in UTC; in December that is 21:00 there."""
    coming = next_window(rule("24Hours", "2026-07-01 22:00", BERLIN), after=utc("2026-12-01"))
    assert (coming.timing, coming.window, coming.rule) == (Timing.COMING, None, "recurrence-unconfirmed")
    assert coming.because == (
        "no document says how '24Hours' is counted: if hours are counted as they elapse, it runs on 2026-12-01 21:00 "
        "+01:00; if hours are counted on the local clock, it runs on 2026-12-01 22:00 +01:00"
    )


def test_a_calendar_of_hours_counts_those_that_elapse() -> None:
    """Over the night of 8 March 2026, whose clock shows one hour less."""
    found = windows_between(rule("6Hours", "2026-03-07 20:00", PACIFIC), start=utc("2026-03-08"), end=utc("2026-03-09"))
    assert [f"{window.starts_at:%H:%M} {window.local_start:%H:%M}" for window in found] == [
        *("04:00 20:00", "10:00 03:00", "16:00 09:00", "22:00 15:00")
    ]


def test_a_window_over_a_change_lasts_its_duration() -> None:
    """A run has so many minutes, whatever the clocks on the wall do."""
    window = next_window(rule("Day", "2026-01-01 01:00", PACIFIC, "03:00"), after=utc("2026-03-08")).window
    assert window is not None
    assert (window.starts_at, window.ends_at) == (utc("2026-03-08 09:00"), utc("2026-03-08 12:00"))
    assert window.local_start.isoformat() == "2026-03-08T01:00:00-08:00"
    assert window.local_start.tzinfo == ZoneInfo("America/Los_Angeles")


def test_a_day_that_a_zone_left_out_gives_no_second_window() -> None:
    """Samoa had no 30 December 2011; that day's window would be the next day's."""
    samoa = rule("Day", "2011-12-01 10:00", "Samoa Standard Time")
    days = [
        f"{window.local_start:%m-%d}"
        for window in windows_between(samoa, start=utc("2011-12-29"), end=utc("2012-01-02"))
    ]
    assert days == ["12-29", "12-31", "01-01", "01-02"]


def test_the_instant_itself_counts() -> None:
    """`after` is the earliest start, so that a calendar can be cut anywhere without loss."""
    daily = rule("Day", "2026-01-01 02:00")
    assert starts(daily, 1, utc("2026-05-05 02:00")) == ["2026-05-05 02:00"]
    assert starts(daily, 1, utc("2026-05-05 02:00:01")) == ["2026-05-06 02:00"]


def test_the_first_run_is_the_first_recurrence_from_the_start() -> None:
    """The start itself is a window only where the recurrence names its day."""
    assert starts(rule("Week Monday", "2026-01-01 02:00"), 1) == ["2026-01-05 02:00"]
    assert starts(rule("Month First Thursday", "2026-01-02 02:00"), 1) == ["2026-02-05 02:00"]


@pytest.mark.parametrize(
    ("recur", "start", "said"),
    [
        # Sunday 4 January belongs to the start's week only where weeks begin on Monday.
        ("2Weeks Sunday", "2026-01-01 02:00", ("2026-01-11", "2026-01-04")),
        # A start on Sunday is the first day of its week, or the last.
        ("2Weeks Monday", "2026-01-04 02:00", ("2026-01-05", "2026-01-12")),
        # The last Saturday of January + 6 is 6 February.
        ("Month Last Saturday Offset6", "2026-02-01 02:00", ("2026-03-06", "2026-02-06")),
    ],
)
def test_readings_that_differ_are_both_named(recur: str, start: str, said: tuple[str, str]) -> None:
    """Where no document decides, no day is told."""
    coming = next_window(rule(recur, start), after=utc("2026-01-01"))
    assert (coming.timing, coming.window, coming.rule) == (Timing.COMING, None, "recurrence-unconfirmed")
    assert recur in coming.because
    assert all(day in coming.because for day in said)
    assert coming.because.index(said[0]) < coming.because.index(said[1])


def test_readings_that_agree_on_the_next_window_say_nothing() -> None:
    """With an offset, only the very first window can differ."""
    shifted = rule("Month Last Saturday Offset6", "2026-02-01 02:00")
    assert starts(shifted, 2, utc("2026-02-07")) == ["2026-03-06 02:00", "2026-04-03 02:00"]


def test_one_reading_that_has_ended_leaves_all_open() -> None:
    """Then it is not even known that a window comes, so COMING would be a guess."""
    ending = rule("2Weeks Sunday", "2026-01-01 02:00", expiration="2026-01-05 00:00")
    coming = next_window(ending, after=utc("2026-01-01"))
    assert (coming.timing, coming.rule) == (Timing.UNREADABLE, "recurrence-unconfirmed")
    assert "it never runs again" in coming.because


def test_a_calendar_takes_the_default_reading() -> None:
    """Weeks begin on Sunday and months with the start's own, as Azure's own tools show weeks."""
    between = {"start": utc("2026-01-01"), "end": utc("2026-02-10")}
    sundays = windows_between(rule("2Weeks Sunday"), **between)
    assert [f"{window.starts_at:%m-%d}" for window in sundays] == ["01-11", "01-25", "02-08"]
    saturdays = windows_between(rule("Month Last Saturday Offset6", "2026-02-01 02:00"), **between)
    assert saturdays == ()


@pytest.mark.parametrize(
    ("expiration", "after", "expected"),
    [
        ("2026-01-03 02:00", "2026-01-01", ["2026-01-01 02:00", "2026-01-02 02:00", "2026-01-03 02:00", "over"]),
        ("2026-01-03 01:59", "2026-01-03", ["over"]),
        ("2025-06-01 00:00", "2026-01-01", ["over"]),
        ("9999-12-31 23:59:59", "2035-01-01", ["2035-01-01 02:00"]),
        (None, "2035-01-01", ["2035-01-01 02:00"]),
    ],
)
def test_no_window_starts_after_the_expiration(expiration: str | None, after: str, expected: list[str]) -> None:
    """One that starts on the minute still runs."""
    assert starts(rule("Day", expiration=expiration), len(expected), utc(after)) == expected


def test_an_expiration_is_local_time() -> None:
    """02:00 in Tokyo is 17:00 of the day before in UTC."""
    tokyo = rule("Day", zone="Tokyo Standard Time", expiration="2026-01-03 02:00")
    assert starts(tokyo, 2, utc("2026-01-02 17:00")) == ["2026-01-02 17:00", "over"]


def test_what_has_expired_says_when() -> None:
    """The one fact that a tired person needs."""
    over = next_window(rule("Day", zone=BERLIN, expiration="2026-01-03 02:00"), after=utc("2026-05-01"))
    assert (over.timing, over.rule) == (Timing.OVER, "schedule-expired")
    assert over.because == "it expired on 2026-01-03 02:00 (W. Europe Standard Time)"
    soon = next_window(rule("Week", expiration="2026-01-03 02:00"), after=utc("2026-01-02"))
    assert soon.because == "it expires on 2026-01-03 02:00 (UTC), before another window comes"


@pytest.mark.parametrize(
    ("recur", "start"),
    [
        ("12Months day31", "2026-02-01 02:00"),
        ("12Months day30,day31", "2026-02-01 02:00"),
        ("24Months day29", "2027-02-01 02:00"),
        ("12Months day31", "2026-04-30 02:00"),
        ("999999999999999Days", "2020-01-01 02:00"),
        ("999999999999999Hours", "2020-01-01 02:00"),
    ],
)
def test_windows_that_never_come(recur: str, start: str) -> None:
    """31 February and its kind."""
    never = next_window(rule(recur, start), after=utc("2026-01-01") if "9999" not in recur else utc("2021-01-01"))
    assert (never.timing, never.window, never.rule) == (Timing.NEVER, None, "window-never-comes")
    assert recur in never.because


def test_a_year_that_is_always_leap_comes() -> None:
    """Every second year from an even one holds 29 February every fourth."""
    assert starts(rule("24Months day29", "2026-02-01 02:00"), 2) == ["2028-02-29 02:00", "2032-02-29 02:00"]


@pytest.mark.parametrize(
    "recur",
    [
        *(
            "0Hours",
            "Hour Monday",
            "6Hourss",
            "Month",
            "2Months",
            "",
            " ",
            "Year",
            "0Days",
            "-1Day",
            "1.5Days",
            "Days 3",
            "Week Mon",
        ),
        *("Week Saturday Sunday", "Week ,", "Week Funday", "Month day0", "Month day32", "Month day1 day2", "Month 5"),
        *("Month Fifth Sunday", "Month Third", "Month Third Sunday Offset7", "Month Third Sunday Offset", "Day Monday"),
        *(
            "Month First,Fifth Sunday",
            "Month First, Sunday",
            "Month Last Sunday,",
            "Month Last Sunday Monday",
            "Month First Third Sunday",
            "Month Last Sunday,Monday Offset7",
            "Month Third Sunday Offset+-1",
            "Month day+5",
            "٣Days",
        ),
        "Month day1,Third Sunday",
        None,
    ],
)
def test_what_is_in_no_documented_form(recur: str | None) -> None:
    """Unreadable, never something near it."""
    unread = next_window(rule(recur), after=LONG_AGO)
    assert (unread.timing, unread.window, unread.rule) == (Timing.UNREADABLE, None, "unreadable-recurrence")
    assert unread.because
    assert windows_between(rule(recur), start=LONG_AGO, end=utc("2030-01-01")) == ()


@pytest.mark.parametrize(
    ("member", "text"),
    [
        *(("start", text) for text in (None, "", "2026-02-30 02:00", "2026-01-01T02:00", "2026-1-1 02:00", "soon")),
        *(("start", text) for text in ("2026-01-01 24:00", "2026-01-01", "01/02/2026 02:00")),
        *(("duration", text) for text in (None, "", "2", "02:60", "2 hours", "PT2H", "-1:00")),
        *(("expiration", text) for text in ("never", "2026-13-01 00:00")),
    ],
)
def test_other_members_that_cannot_be_read(member: str, text: str | None) -> None:
    """The sentence names the member and quotes its text."""
    texts = {"start": "2026-01-01 02:00", "duration": "02:00", "expiration": None, member: text}
    unread = next_window(rule("Day", **texts), after=LONG_AGO)
    assert (unread.timing, unread.rule) == (Timing.UNREADABLE, "unreadable-recurrence")
    assert member in unread.because
    assert ("(none)" if text is None else f"'{text}'") in unread.because


@pytest.mark.parametrize(
    "zone", ["Mars Standard Time", "", None, "Kamchatka Standard Time", "../UTC", "CEST", "America/"]
)
def test_a_time_zone_that_nobody_knows(zone: str | None) -> None:
    """It runs at a time that cannot be told, so nothing is said of it."""
    unread = next_window(rule("Day", zone=zone), after=LONG_AGO)
    assert (unread.timing, unread.rule) == (Timing.UNREADABLE, "unknown-time-zone")


@pytest.mark.parametrize(
    ("changes", "ids"),
    [
        ({}, []),
        ({"duration": "01:30"}, []),
        ({"duration": "03:55"}, []),
        ({"duration": "01:29"}, ["window-too-short"]),
        ({"duration": "00:00"}, ["window-too-short"]),
        ({"duration": "03:56"}, ["window-too-long"]),
        ({"start": "2026-01-01 23:44"}, []),
        ({"start": "2026-01-01 23:45"}, ["start-before-midnight"]),
        ({"start": "2026-01-01 23:59"}, ["start-before-midnight"]),
        ({"start": "2026-01-01 00:00"}, []),
        ({"start": "2026-01-01T02:00"}, ["unreadable-recurrence"]),
        ({"expiration": "soon"}, ["unreadable-recurrence"]),
        ({"expiration": "2025-12-31 02:00"}, ["schedule-expired"]),
        ({"recur": "Week Monday", "expiration": "2026-01-02 02:00"}, ["schedule-expired"]),
        ({"expiration": "9999-12-31 23:59"}, []),
        ({"zone": "Mars"}, ["unknown-time-zone"]),
        ({"zone": "Europe/Berlin"}, ["unknown-time-zone"]),
        ({"zone": "utc"}, []),
        ({"recur": "Hour"}, ["recurs-too-often"]),
        ({"recur": "5Hours"}, ["recurs-too-often"]),
        ({"recur": "6Hours"}, []),
        ({"recur": "6Hours", "zone": "India Standard Time"}, []),
        ({"recur": "6Hours", "zone": BERLIN}, ["recurrence-unconfirmed"]),
        ({"recur": "1Month Third,Fourth Monday,Tuesday"}, []),
        ({"recur": "Month"}, ["unreadable-recurrence"]),
        ({"recur": "12Months day31", "start": "2026-02-01 02:00"}, ["window-never-comes"]),
        ({"recur": "2Weeks Sunday"}, ["recurrence-unconfirmed"]),
        ({"recur": "2Weeks Saturday,Sunday"}, ["recurrence-unconfirmed"]),
        ({"recur": "2Weeks Monday,Friday"}, []),
        ({"recur": "Month Last Saturday Offset6", "start": "2026-02-01 02:00"}, ["recurrence-unconfirmed"]),
        ({"recur": "5Hours", "zone": "Mars"}, ["unknown-time-zone", "recurs-too-often"]),
        ({"recur": "5Hours", "start": "soon"}, ["unreadable-recurrence", "recurs-too-often"]),
        ({"zone": "Mars", "expiration": "2025-12-31 02:00"}, ["unknown-time-zone", "schedule-expired"]),
        (
            {"recur": "12Months day31", "start": "2026-02-01 02:00", "zone": "Mars"},
            ["unknown-time-zone", "window-never-comes"],
        ),
        (
            {"recur": "x", "zone": "y", "start": "2026-01-01 23:50", "duration": "04:00"},
            ["unknown-time-zone", "unreadable-recurrence", "window-too-long", "start-before-midnight"],
        ),
    ],
)
def test_what_create_refuses_or_advises_against(changes: dict[str, str], ids: list[str]) -> None:
    """Every member is judged at once."""
    found = check_window_rule(rule(**{"recur": "Day", **changes}))
    assert [rule_id for rule_id, _ in found] == ids
    assert all(message for _, message in found)


def test_starts_of_any_age_are_followed() -> None:
    """A first day of the calendar, or its last, is no reason to fail."""
    assert starts(rule("Day", "0001-01-01 00:00", "Tokyo Standard Time"), 1, utc("2026-01-01")) == ["2026-01-01 15:00"]
    assert check_window_rule(rule("Day", "0001-01-01 00:00", "Tokyo Standard Time")) == ()
    assert starts(rule("Month Last Friday Offset6", "9999-12-31 23:00", PACIFIC), 1) == ["never"]
    assert starts(rule("Day", "9998-12-31 01:00", PACIFIC), 2) == ["9998-12-31 09:00", "never"]
    assert starts(rule("8Hours", "0001-01-01 00:00"), 1, utc("2026-01-01")) == ["2026-01-01 00:00"]
    assert check_window_rule(rule("8Hours", "0001-01-01 00:00", "Tokyo Standard Time"))[1:] == ()
    assert starts(rule("8Hours", "9999-12-31 23:00", PACIFIC), 1) == ["never"]
