"""The calendar's views: every window once, blank days folded, and what a cell of the month names."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from patchmode.console.calendar import Bar, Span, bars, view_of
from patchmode.console.schedule_pages import Coming, weeks_of
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import RunForecast

START = datetime(2026, 12, 1, 8, tzinfo=UTC)
"""A Tuesday."""
END = START + timedelta(days=35)


def window(hours: int, *, fails: int = 0, name: str = "nightly") -> Coming:
    """A window of three hours, so many hours after the start."""
    at = START + timedelta(hours=hours)
    identifier = ResourceId.parse(
        f"/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg/providers/Microsoft.Maintenance/"
        f"maintenanceConfigurations/{name}"
    )
    counts = dict.fromkeys(RunForecast, 0) | {RunForecast.RUNS: 2, RunForecast.FAILS: fails}
    return Coming(identifier, at, at + timedelta(hours=3), at, counts, 2 + fails, ())


@given(st.lists(st.integers(0, 34 * 24), max_size=40))
def test_every_view_has_each_of_its_windows_once(hours: list[int]) -> None:
    windows = [window(one) for one in hours]
    weeks = weeks_of(windows, START, END)
    days = [day.date for week in weeks for day in week]
    assert view_of(weeks, "month", START.date()).windows == len(windows)
    assert sum(view_of(weeks, "week", week[0].date).windows for week in weeks) == len(windows)
    assert sum(view_of(weeks, "day", day).windows for day in days) == len(windows)


def test_blank_days_are_folded() -> None:
    weeks = weeks_of([window(0), window(24 * 4)], START, END)
    week = view_of(weeks, "week", date(2026, 12, 1))
    assert [(one.first.day, one.last.day, len(one.windows)) for one in week.rows[0]] == [
        (30, 30, 0),
        (1, 1, 1),
        (2, 4, 0),
        (5, 5, 1),
        (6, 6, 0),
    ]
    month = view_of(weeks, "month", date(2026, 12, 1))
    assert [len(row) for row in month.rows] == [7, 1, 1, 1, 1, 1]
    assert month.rows[1] == [Span(date(2026, 12, 7), date(2026, 12, 13), ())]


def test_views_lead_to_what_was_read_and_no_further() -> None:
    weeks = weeks_of([], START, END)
    first = view_of(weeks, "week", date(1999, 1, 1))
    assert (first.first, first.before, first.after) == (date(2026, 11, 30), None, date(2026, 12, 7))
    last = view_of(weeks, "day", date(2999, 1, 1))
    assert (last.first, last.before, last.after) == (date(2027, 1, 10), date(2027, 1, 9), None)
    assert view_of(weeks, "year", START.date()).kind == "month"


def test_a_cell_names_what_fails_before_what_is_fine() -> None:
    """With 20 windows in a day, the one that fails at 22:00 was hidden behind those that begin earlier."""
    early = [window(one, name=f"early-{one}") for one in range(6)]
    late = window(14, fails=3, name="late")
    span = Span(START.date(), START.date(), [*early, late])
    assert [one.configuration.name for one in span.named] == ["early-0", "early-1", "late"]
    assert span.counts[RunForecast.FAILS] == 3
    assert span.counts[RunForecast.RUNS] == 14


def test_windows_of_a_day_are_on_one_line() -> None:
    assert bars([window(0), window(3), window(7)]) == [Bar(0, 300), Bar(300, 300), Bar(700, 300)]
    assert bars([]) == ()
