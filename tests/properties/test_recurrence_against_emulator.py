"""The product's next window of a configuration against the one that the emulator opens.

The two read the same texts with code of their own. What the product tells for certain must come whichever way the
emulator's unconfirmed answers are set; where it says that readings differ, they must.
"""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

from arm_emulator.providers.maintenance.windows import read_window
from patchmode.model.schedule import Timing, WindowRule
from patchmode.rules.schedules.recurrence import next_window

EXAMPLES = examples(800, 6_000)
READINGS = tuple(product(("sunday", "monday"), ("from-start-month", "any-month"), ("elapsed", "local")))
ZONES = (
    *("UTC", "India Standard Time", "W. Europe Standard Time", "Pacific Standard Time", "AUS Eastern Standard Time"),
    *("Lord Howe Standard Time", "UTC-08", "Nepal Standard Time"),
)
WEEKDAYS = ("Monday", "Tuesday", "wednesday", "Thursday", "FRIDAY", "Saturday", "Sunday")


def listed(words: tuple[str, ...] | list[str], most: int) -> st.SearchStrategy[str]:
    """A comma list of some of the words, in any order."""
    some = st.lists(st.sampled_from(words), min_size=1, max_size=most, unique=True)
    return st.builds(str.join, st.sampled_from((",", ", ")), some)


numbers = st.sampled_from(("", "1", "2", "3", "5", "12"))
recurrences = st.one_of(
    st.builds(
        "{}{}".format,
        st.sampled_from(("", "1", "2", "6", "7", "8", "9", "12", "36")),
        st.sampled_from(("Hour", "Hours")),
    ),
    st.builds("{}Days".format, numbers),
    st.builds("{}Weeks".format, numbers),
    st.builds("{}Week {}".format, numbers, listed(WEEKDAYS, 4)),
    st.builds("{}Months {}".format, numbers, listed([f"day{day}" for day in range(1, 32)], 4)),
    st.builds(
        "{}Month {} {}{}".format,
        numbers,
        listed(("First", "second", "Third", "Fourth", "Last"), 5),
        listed(WEEKDAYS, 4),
        st.sampled_from(("", " Offset0", " Offset5", " Offset 3", " Offset-6", " offset-1")),
    ),
)
starts = st.datetimes(datetime(2016, 1, 1), datetime(2027, 12, 31))  # noqa: DTZ001 # local times
rules = st.builds(
    lambda start, zone, recur: WindowRule(f"{start:%Y-%m-%d %H:%M}", None, "02:00", zone, recur),
    starts,
    st.sampled_from(ZONES),
    recurrences,
)
instants = st.integers(0, 730 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


def emulated(rule: WindowRule, after: datetime) -> set[datetime | None]:
    """When the emulator opens it, by every combination of its answers."""
    window = {
        "startDateTime": rule.start,
        "duration": rule.duration,
        "timeZone": rule.time_zone,
        "recurEvery": rule.recur_every,
        "expirationDateTime": rule.expiration,
    }
    read = read_window(window)
    assert read is not None, rule
    return {
        read.next_start(after, week_start=week, offset_month=month, hourly_count=hours)  # type: ignore[arg-type]
        for week, month, hours in READINGS
    }


def test_what_is_told_for_certain_is_what_opens() -> None:
    """Half of the rules end some days after the instant."""
    seen: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES)
    @given(rules, instants, st.none() | st.integers(-3, 40))
    def compare(rule: WindowRule, after: datetime, ends: int | None) -> None:
        if ends is not None:
            rule = replace(rule, expiration=f"{after + timedelta(days=ends):%Y-%m-%d %H:%M}")
        found, opened = next_window(rule, after=after), emulated(rule, after)
        if found.window is not None:
            assert opened == {found.window.starts_at}
        elif found.timing in (Timing.OVER, Timing.NEVER):
            assert opened == {None}
        else:
            assert found.rule == "recurrence-unconfirmed"
            assert len(opened) > 1
            assert (None in opened) is (found.timing is Timing.UNREADABLE)
        unit = next(unit for unit in ("Hour", "Day", "Week", "Month") if unit in str(rule.recur_every))
        seen[f"{unit} {found.timing.value} {found.window is not None}"] += 1

    compare()
    told = [f"{unit} coming True" for unit in ("Hour", "Day", "Week", "Month")]
    assert all(seen[kind] >= EXAMPLES / 240 for kind in (*told, "Hour coming False", "Week coming False")), seen
