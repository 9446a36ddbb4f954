"""The calendar of coming windows by month, week or day: what a view shows, what it folds, and where it leads.

Must not: know HTML, or what a schedule is beyond its coming windows.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from patchmode.console.schedule_pages import Coming, Day
from patchmode.model.schedule import RunForecast

VIEWS = ("month", "week", "day")
SHOWN = 3
"""Windows named in one cell of the month; the day's own view has all."""
AMISS = (RunForecast.FAILS, RunForecast.MISSED, RunForecast.UNKNOWN)
OPEN = 8
"""Up to so many windows of a day are shown unfolded in the week."""


@dataclass(frozen=True, slots=True)
class Span:
    """One day with windows, or several days without."""

    first: date
    last: date
    windows: Sequence[Coming]
    """Empty: there is none on any of these days."""

    @property
    def counts(self) -> Mapping[RunForecast, int]:
        """What becomes of the machines, added up over the windows; a machine counts once for each window."""
        found: Counter[RunForecast] = Counter()
        for one in self.windows:
            found.update(one.counts)
        return {kind: found[kind] for kind in RunForecast}

    @property
    def named(self) -> Sequence[Coming]:
        """The few that a cell of the month names: those that do not patch a machine before the others, then by time."""
        worst = sorted(self.windows, key=lambda one: (not any(map(one.counts.get, AMISS)), not one.members))[:SHOWN]
        return sorted(worst, key=lambda one: one.starts_at)


@dataclass(frozen=True, slots=True)
class CalendarView:
    """What one view shows."""

    kind: str
    first: date
    last: date
    rows: Sequence[Sequence[Span]]
    """Month: a row is a week, with seven days, or with one span where none has a window. Else: one row of spans."""
    before: date | None
    """A day of the view before; None: nothing was read of it."""
    after: date | None

    @property
    def windows(self) -> int:
        """How many windows it shows."""
        return sum(len(span.windows) for row in self.rows for span in row)


def view_of(weeks: Sequence[Sequence[Day]], kind: str, day: date) -> CalendarView:
    """One view of the days that were read.

    Args:
        weeks: whole weeks from Monday on, at least one.
        kind: of `VIEWS`; what is none is the month.
        day: one that the view shows; outside the days that were read: the nearest.
    """
    days = [one for week in weeks for one in week]
    day = min(max(day, days[0].date), days[-1].date)
    if kind == "day":
        shown = [one for one in days if one.date == day]
        rows: Sequence[Sequence[Span]] = [folded(shown)]
    elif kind == "week":
        shown = list(next(week for week in weeks if week[0].date <= day <= week[-1].date))
        rows = [folded(shown)]
    else:
        kind, shown = "month", days
        rows = [_week(week) for week in weeks]
    first, last = shown[0].date, shown[-1].date
    before, after = first - timedelta(days=1), last + timedelta(days=1)
    return CalendarView(
        kind,
        first,
        last,
        rows,
        before if before >= days[0].date else None,
        after if after <= days[-1].date else None,
    )


def folded(days: Sequence[Day]) -> Sequence[Span]:
    """Days in order, those without a window that follow each other as one."""
    spans: list[Span] = []
    for day in days:
        if not day.windows and spans and not spans[-1].windows:
            spans[-1] = Span(spans[-1].first, day.date, ())
        else:
            spans.append(Span(day.date, day.date, day.windows))
    return spans


def _week(week: Sequence[Day]) -> Sequence[Span]:
    if any(day.windows for day in week):
        return [Span(day.date, day.date, day.windows) for day in week]
    return folded(week)


@dataclass(frozen=True, slots=True)
class Bar:
    """Where a window is on the line of its day, in thousandths of the line."""

    x: float
    width: float


def bars(windows: Sequence[Coming]) -> Sequence[Bar]:
    """The windows of one day on one line from the first start to the last end; in their order."""
    if not windows:
        return ()
    begin = min(one.starts_at for one in windows)
    whole = (max(one.ends_at for one in windows) - begin).total_seconds() or 1.0
    return [
        Bar(
            round(1000 * (one.starts_at - begin).total_seconds() / whole, 1),
            max(6.0, round(1000 * (one.ends_at - one.starts_at).total_seconds() / whole, 1)),
        )
        for one in windows
    ]
