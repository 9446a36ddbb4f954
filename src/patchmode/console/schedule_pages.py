"""The schedules as their page shows them: coming windows by day, configurations, and what became of past runs.

Only counts and the machines in trouble are kept: members of every window would be a fleet for each of them.

Must not: predict.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice

from patchmode.errors import RequestError
from patchmode.model.report import CalendarEntry, Member, ScheduleFinding, ScheduleView, forecast_counts
from patchmode.model.resource_id import ResourceId
from patchmode.model.run_history import ScheduleRun
from patchmode.model.schedule import LOST, DynamicScope, NextWindow, RunForecast
from patchmode.model.scope import Scope, Since
from patchmode.ports.azure import Azure, Clock
from patchmode.workflow.inventory.history import failures
from patchmode.workflow.schedules.reading import OfferedSchedule, offered_schedules
from patchmode.workflow.schedules.views import overview

DAYS = 35
PAST = "7d"
NAMED = 25
"""So many machines in trouble are named for a window."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One machine that a window will not patch."""

    id: ResourceId
    result: RunForecast
    reason: str


@dataclass(frozen=True, slots=True)
class Coming:
    """One coming window."""

    configuration: ResourceId
    starts_at: datetime
    ends_at: datetime
    local_start: datetime
    counts: Mapping[RunForecast, int]
    members: int
    trouble: Sequence[Trouble]
    """The first of those that fail or are missed."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the calendar, by the schedules' own local time."""

    date: date
    windows: Sequence[Coming]


@dataclass(frozen=True, slots=True)
class Configuration:
    """One maintenance configuration."""

    id: ResourceId
    window_text: str
    next: NextWindow
    members: int
    in_doubt: int
    counts: Mapping[RunForecast, int]
    scope_texts: Sequence[str]
    scopes: Sequence[DynamicScope]
    """In the order of these texts."""
    static: int
    findings: Sequence[ScheduleFinding]


@dataclass(frozen=True, slots=True)
class SchedulePages:
    """What one reading of the schedules gives."""

    weeks: Sequence[Sequence[Day]]
    """Whole weeks from Monday on, that cover the days read."""
    start: datetime
    end: datetime
    windows: int
    configurations: Sequence[Configuration]
    silent: Sequence[Configuration]
    """Those that reach machines, and of which no window can be told."""
    past: Sequence[ScheduleRun]
    """Runs of the last days, the newest first."""
    notes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Offers:
    """The schedules that a form offers."""

    schedules: Sequence[OfferedSchedule]
    """By name."""
    notes: Sequence[str]

    def get(self, identifier: str) -> OfferedSchedule | None:
        """The one of an id, in any case; None: it is not among them."""
        return next((one for one in self.schedules if one.configuration.id.key == identifier.casefold()), None)

    @property
    def by_subscription(self) -> Mapping[str, Sequence[OfferedSchedule]]:
        """Those of each subscription, by its id in lower case."""
        found: dict[str, list[OfferedSchedule]] = defaultdict(list)
        for one in self.schedules:
            found[one.configuration.id.subscription_id.lower()].append(one)
        return found


async def read_offers(azure: Azure, *, clock: Clock) -> Offers:
    """Read them; no machine is read.

    Raises:
        RequestError: Resource Graph does not answer.
    """
    return Offers(*await offered_schedules(azure, clock=clock))


async def read_schedule_pages(azure: Azure, *, clock: Clock) -> SchedulePages:
    """Read the schedules, the coming windows and the past runs.

    Raises:
        RequestError: Resource Graph does not answer. Past runs that cannot be read are noted.
    """
    listed, calendar = await overview(azure, clock=clock, days=DAYS)
    notes = list(dict.fromkeys((*listed.notes, *calendar.notes)))
    past: Sequence[ScheduleRun] = ()
    try:
        report = await failures(azure, Scope(), Since.parse(PAST), clock=clock)
        past, notes = report.runs, [*notes, *report.notes]
    except RequestError as error:
        notes.append(f"Past runs could not be read: {error.message}")
    entries = _coming(calendar.entries)
    return SchedulePages(
        weeks=weeks_of(entries, calendar.start, calendar.end),
        start=calendar.start,
        end=calendar.end,
        windows=len(entries),
        configurations=tuple(map(_configuration, listed.schedules)),
        silent=tuple(map(_configuration, calendar.silent)),
        past=past,
        notes=notes,
    )


def weeks_of(entries: Sequence[Coming], start: datetime, end: datetime) -> Sequence[Sequence[Day]]:
    """Whole weeks, from the Monday before the first day to the Sunday after the last.

    Args:
        entries: each stands on the day on which it begins in its own zone, which may lie a day beside UTC's.
        start: aware; the first day that is told of.
        end: aware.
    """
    by_day: dict[date, list[Coming]] = defaultdict(list)
    for entry in entries:
        by_day[entry.local_start.date()].append(entry)
    first = min([start.date(), *by_day])
    last = max([end.date(), *by_day])
    monday = first - timedelta(days=first.weekday())
    count = (last - monday).days // 7 + 1
    days = [monday + timedelta(days=offset) for offset in range(7 * count)]
    made = [Day(day, tuple(sorted(by_day[day], key=lambda one: one.starts_at))) for day in days]
    return [made[place : place + 7] for place in range(0, len(made), 7)]


def _coming(entries: Sequence[CalendarEntry]) -> Sequence[Coming]:
    """The windows; the members of one configuration are counted once, and not for each of its windows."""
    counted: dict[ResourceId, tuple[Mapping[RunForecast, int], Sequence[Trouble]]] = {}
    made = []
    for entry in entries:
        key = entry.configuration.id
        if key not in counted:
            counted[key] = forecast_counts(entry.members), _trouble(entry.members)
        counts, trouble = counted[key]
        window = entry.window
        made.append(
            Coming(key, window.starts_at, window.ends_at, window.local_start, counts, len(entry.members), trouble)
        )
    return made


def _trouble(members: Sequence[Member]) -> Sequence[Trouble]:
    lost = (one for one in members if one.result in LOST)
    return [Trouble(one.machine.id, one.result, one.forecast.reason) for one in islice(lost, NAMED)]


def _configuration(view: ScheduleView) -> Configuration:
    return Configuration(
        id=view.configuration.id,
        window_text=view.window_text,
        next=view.next,
        members=len(view.members),
        in_doubt=view.in_doubt,
        counts=view.forecasts,
        scope_texts=view.scope_texts,
        scopes=view.dynamic_scopes,
        static=len(view.assignments),
        findings=view.findings,
    )
