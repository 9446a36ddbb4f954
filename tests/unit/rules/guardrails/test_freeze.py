"""Freezes as they are written, and when they hold and end, with the instants written out."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from patchmode.errors import UsageError
from patchmode.model.guardrails import Freeze, Once, Weekly
from patchmode.rules.guardrails.freezes import FreezeError, ends_at, freeze_text, freezes_from, frozen_by, parse_freeze

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
EVERY_DAY = frozenset(range(7))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("2026-12-20/2027-01-03", Once(utc("2026-12-19T23:00"), utc("2027-01-03T23:00"))),
        ("2026-07-01/2026-07-01", Once(utc("2026-06-30T22:00"), utc("2026-07-01T22:00"))),
        ("2026-12-20T18:00/2027-01-03", Once(utc("2026-12-20T17:00"), utc("2027-01-03T23:00"))),
        ("2026-12-20T18:00-05:00/2027-01-03T06:00Z", Once(utc("2026-12-20T23:00"), utc("2027-01-03T06:00"))),
        ("Fri 16:00-Mon 06:00", Weekly(frozenset({4}), hours(16), hours(62))),
        ("friday 16:00 – Mon 6:00", Weekly(frozenset({4}), hours(16), hours(62))),
        ("Mon 08:00-Mon 07:00", Weekly(frozenset({0}), hours(8), hours(167))),
        ("08:00-18:00", Weekly(EVERY_DAY, hours(8), hours(10))),
        ("22:00-06:00", Weekly(EVERY_DAY, hours(22), hours(8))),
        ("Mon-Fri 08:00-18:30", Weekly(frozenset(range(5)), hours(8), hours(10.5))),
        ("Sat,Sun 00:00-24:00", Weekly(frozenset({5, 6}), hours(0), hours(24))),
        ("Fri-Mon,wed 22:00-06:00", Weekly(frozenset({4, 5, 6, 0, 2}), hours(22), hours(8))),
    ],
)
def test_every_form_is_read(text: str, span: Once | Weekly) -> None:
    assert parse_freeze(text, BERLIN).span == span


@pytest.mark.parametrize(
    ("text", "zone", "shown"),
    [
        ("Fri 16:00-Mon 06:00", NEW_YORK, "Fri 16:00-Mon 06:00 (America/New_York)"),
        ("Fri 16:00-Mon 06:00 Europe/Berlin", BERLIN, "Fri 16:00-Mon 06:00 (Europe/Berlin)"),
        ("08:00-18:00  utc", ZoneInfo("UTC"), "08:00-18:00 (UTC)"),
        ("Mon-Fri 08:00-18:00 W. Europe Standard Time", BERLIN, "Mon-Fri 08:00-18:00 (Europe/Berlin)"),
        ("2026-12-20/2027-01-03 America/New_York", NEW_YORK, "2026-12-20/2027-01-03 (America/New_York)"),
    ],
)
def test_a_zone_at_the_end_wins(text: str, zone: ZoneInfo, shown: str) -> None:
    freeze = parse_freeze(text, NEW_YORK)
    assert freeze.zone.utcoffset(datetime(2026, 7, 1)) == zone.utcoffset(datetime(2026, 7, 1))  # noqa: DTZ001
    assert str(freeze) == shown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tomorrow", "is not a time for a freeze"),
        ("Fri 16:00", "is not a time for a freeze"),
        ("Fri-Mon", "is not a time for a freeze"),
        ("2026-12-20", "is not a time for a freeze"),
        ("Fry 16:00-Mon 06:00", "'Fry' is not a day of the week"),
        ("Mon-Fri-Sun 08:00-18:00", "is not a range of days"),
        ("25:00-26:00", "'25:00' is not a time of day"),
        ("08:60-18:00", "'08:60' is not a time of day"),
        ("08:00-24:01", "'24:01' is not a time of day"),
        ("24:00-06:00", "begin at 00:00 of the next"),
        ("08:00-08:00", "is nothing: give 00:00-24:00"),
        ("00:00-24:00", "would never end"),
        ("Mon-Sun 00:00-24:00", "would never end"),
        ("Fri 16:00-Fri 16:00", "is nothing, or would never end"),
        ("Mon 00:00-Sun 24:00", "is nothing, or would never end"),
        ("08:00-18:00 Berlin", "'Berlin' is not a time zone: use 'Europe/Berlin'"),
        ("08:00-18:00 europe/rome", "'europe/rome' is not a time zone: use 'Europe/Rome'"),
        ("08:00-18:00 IST", "'IST' is not a time zone: it may mean 'Asia/Calcutta' or 'Asia/Jerusalem'"),
        ("08:00-18:00 Mars", "'Mars' is not a time zone: give one such as Europe/Berlin or UTC"),
        ("08:00-18:00 Europe/Nowhere", "'Europe/Nowhere' is not a time zone"),
        ("2026-12-32/2027-01-03", "'2026-12-32' is neither a date"),
        ("2026-12-20T25/2027-01-03", "'2026-12-20T25' is neither a date nor an ISO 8601 time"),
        ("2027-01-03/2026-12-20", "ends before it begins"),
        ("2026-12-20T18:00/2026-12-20T18:00", "ends before it begins"),
        ("2026-12-20/9999-12-31", "not between 2000 and 2999"),
    ],
)
def test_what_names_no_freeze_is_refused_with_the_reason(text: str, words: str) -> None:
    """A freeze that is misread is none, and nobody would notice before the day."""
    with pytest.raises(FreezeError, match=words):
        parse_freeze(text, BERLIN)


def test_several_are_separated_by_semicolons() -> None:
    found = freezes_from(["Fri 16:00-Mon 06:00; 2026-12-20/2027-01-03 UTC;", " ", "08:00-18:00"], BERLIN)
    assert [str(one) for one in found] == [
        "Fri 16:00-Mon 06:00 (Europe/Berlin)",
        "2026-12-20/2027-01-03 (UTC)",
        "08:00-18:00 (Europe/Berlin)",
    ]
    assert freezes_from([], None) == ()


def test_a_text_without_a_zone_needs_one_from_the_computer() -> None:
    assert [str(one) for one in freezes_from(["08:00-18:00 UTC"], None)] == ["08:00-18:00 (UTC)"]
    with pytest.raises(UsageError, match="names no time zone") as caught:
        freezes_from(["08:00-18:00"], None)
    assert "For example: 'Fri 16:00-Mon 06:00 Europe/Berlin'" in caught.value.advice


# ------------------------------------------------------------------------------------------------ when it holds


def weekend() -> Freeze:
    return parse_freeze("Fri 16:00-Mon 06:00", BERLIN)


@pytest.mark.parametrize(
    ("now", "is_frozen"),
    [
        ("2026-11-27T14:59:59", False),  # Friday 15:59:59 in Berlin
        ("2026-11-27T15:00", True),
        ("2026-11-29T12:00", True),
        ("2026-11-30T04:59:59", True),
        ("2026-11-30T05:00", False),
        ("2026-12-02T12:00", False),
    ],
)
def test_it_holds_from_its_beginning_until_just_before_its_end(now: str, is_frozen: bool) -> None:
    assert (frozen_by([weekend()], utc(now)) is not None) is is_frozen
    assert ends_at([weekend()], utc(now)) == (utc("2026-11-30T05:00") if is_frozen else utc(now))


@pytest.mark.parametrize(
    ("text", "now", "until"),
    [
        # Clocks in Berlin are put back on 2026-10-25 at 03:00 and forward on 2027-03-28 at 02:00.
        ("Fri 16:00-Mon 06:00", "2026-10-23T20:00", "2026-10-26T05:00"),
        ("Fri 16:00-Mon 06:00", "2027-03-27T20:00", "2027-03-29T04:00"),
        ("22:00-06:00", "2026-10-24T20:00", "2026-10-25T05:00"),
        ("22:00-06:00", "2027-03-27T21:00", "2027-03-28T04:00"),
        # 02:30 comes twice that night: the second one ends it, and the first one begins it.
        ("22:00-02:30", "2026-10-25T00:30", "2026-10-25T01:30"),
        ("02:30-04:00", "2026-10-25T00:30", "2026-10-25T03:00"),
        # There is no 02:30 that night.
        ("22:00-02:30", "2027-03-28T00:59", "2027-03-28T01:30"),
        ("02:30-04:00", "2027-03-28T00:30", "2027-03-28T02:00"),
    ],
)
def test_nights_on_which_the_clock_is_changed(text: str, now: str, until: str) -> None:
    freeze = parse_freeze(text, BERLIN)
    assert frozen_by([freeze], utc(now)) == freeze
    assert ends_at([freeze], utc(now)) == utc(until)


def test_freezes_that_overlap_or_touch_are_waited_out_together() -> None:
    freezes = freezes_from(["Fri 16:00-Mon 06:00", "Mon-Fri 06:00-18:00", "2026-12-01/2026-12-02 UTC"], BERLIN)
    now = utc("2026-11-28T12:00")
    assert frozen_by(freezes, now) == freezes[0]
    # The weekend ends as Monday's office hours begin; in the evening it may go on.
    assert ends_at(freezes, now) == utc("2026-11-30T17:00")
    # On Wednesday the absolute one goes on through the night, and Thursday's office hours begin only at 06:00.
    assert ends_at(freezes, utc("2026-12-01T08:00")) == utc("2026-12-03T00:00")


def test_freezes_that_leave_no_gap_never_end() -> None:
    freezes = freezes_from(["00:00-13:00", "12:00-24:00"], BERLIN)
    assert ends_at(freezes, utc("2026-11-28T12:00")) is None
    assert freeze_text(freezes[0], None) == "00:00-13:00 (Europe/Berlin), without an end"


def test_a_gap_that_only_summer_time_makes_is_found() -> None:
    """In winter midnight to noon in Berlin ends at 11:00 UTC, in summer at 10:00."""
    freezes = freezes_from(["00:00-12:00 Europe/Berlin", "11:00-23:00 UTC"], None)
    assert ends_at(freezes, utc("2026-11-28T12:00")) == utc("2027-03-28T10:00")


def test_a_long_absolute_freeze_ends_after_years() -> None:
    freezes = freezes_from(["2026-01-01/2030-12-31 UTC"], None)
    assert ends_at(freezes, utc("2026-06-01T00:00")) == utc("2031-01-01T00:00")


def test_the_message_names_the_freeze_its_zone_and_its_end() -> None:
    now = utc("2026-11-28T12:00")
    assert freeze_text(weekend(), ends_at([weekend()], now)) == (
        "Fri 16:00-Mon 06:00 (Europe/Berlin), until Mon 2026-11-30 05:00 UTC"
    )
    assert freeze_text(weekend(), utc("2026-11-30T05:00:00.000001")).endswith("until Mon 2026-11-30 05:01 UTC")


def test_moments_of_any_zone_are_understood() -> None:
    now = datetime(2026, 11, 27, 10, 0, tzinfo=NEW_YORK)
    assert frozen_by([weekend()], now) == weekend()
    assert ends_at([weekend()], now) == utc("2026-11-30T05:00")
