"""When a maintenance configuration runs: its windows in UTC and local time, or why that cannot be told."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, timezone

from patchmode.model.schedule import NextWindow, Timing, Window, WindowRule, local_text
from patchmode.rules.rule import BLOCKS, NOTES, REFUSES, WARNS, Rule
from patchmode.rules.schedules.recurrence_grammar import LAST_DATE, EveryHours, RecurrenceReading, parse
from patchmode.rules.schedules.window import (
    UNKNOWN_TIME_ZONE,
    ReadableRule,
    duration_of,
    instant,
    moment,
    quoted,
    read,
    unread_members,
)

SHORTEST = timedelta(hours=1, minutes=30)
LONGEST = timedelta(hours=3, minutes=55)
LEAST_HOURS_BETWEEN = 6
"""A guest schedule may repeat every 6 hours at most (Microsoft's article on maintenance configurations)."""
_ADVISED_UNTIL = time(23, 45)
_MONTHS_AHEAD = tuple(timedelta(days=30 * month) for month in range(1, 13))
"""Clocks that are changed differ for longer than that from what they were at the start."""
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_MARGIN = timedelta(days=2)
"""A date's window starts at most this far from the same date in UTC, also where a zone once left out a whole day."""


def next_window(rule: WindowRule, *, after: datetime) -> NextWindow:
    """The first window that starts at `after` or later.

    Args:
        rule: as the configuration states it.
        after: aware. Windows before 1970 are not looked for.

    Returns:
        `COMING` with the window, or without one where two readings of the rule name different days (rule id
        `recurrence-unconfirmed`). `OVER`, `NEVER` and `UNREADABLE` with the reason and the rule id; `UNREADABLE` also
        where it comes by one reading and never again by another.
    """
    readable = read(rule)
    if isinstance(readable, NextWindow):
        return readable
    readings = readable.recurrence.readings
    found = [_next(rule, readable, after, reading) for reading in readings]
    if all(each.timing is found[0].timing and each.window == found[0].window for each in found):
        return found[0]
    told = "; ".join(f"if {reading.value}, {_told(each)}" for reading, each in zip(readings, found, strict=True))
    timing = Timing.COMING if all(each.timing is Timing.COMING for each in found) else Timing.UNREADABLE
    because = f"no document says how {quoted(rule.recur_every)} is counted: {told}"
    return NextWindow(timing, because=because, rule=RECURRENCE_UNCONFIRMED.id)


def windows_between(rule: WindowRule, *, start: datetime, end: datetime) -> tuple[Window, ...]:
    """The windows that start at `start` or later and before `end`, in order.

    Where two readings of the rule differ, the default one counts: weeks begin on Sunday, months count from the start's,
    hours as they elapse.

    Args:
        rule: as the configuration states it.
        start: aware.
        end: aware. As many windows are answered as there are between; an hourly rule has up to 24 a day.

    Returns:
        Empty also for a rule that cannot be read.
    """
    readable = read(rule)
    if isinstance(readable, NextWindow):
        return ()
    windows: list[Window] = []
    for starts_at in _starts(readable, start, readable.recurrence.readings[0]):
        if starts_at >= end or (readable.expires is not None and starts_at > readable.expires):
            break
        windows.append(_window(readable, starts_at))
    return tuple(windows)


def check_window_rule(rule: WindowRule) -> tuple[tuple[str, str], ...]:
    """What stands against creating a configuration with this window, as rule id and half a sentence each.

    Every member is judged, so that a user can correct all at once. Whether its end already lies in the past is left to
    the caller, who knows the time.

    Returns:
        Empty: nothing. The ids `start-before-midnight` and `recurrence-unconfirmed` are advice; with any other Azure
        would refuse the configuration, or it would not run.
    """
    found = [*unread_members(rule), *_duration_limits(rule), *_advice_on_start(rule)]
    found += _repetition_limit(rule)
    readable = read(rule)
    if isinstance(readable, ReadableRule):
        found += _first_window(rule, readable)
    elif readable.rule == UNKNOWN_TIME_ZONE.id:
        found += _without_zone(rule)
    return tuple(found)


def _starts(rule: ReadableRule, after: datetime, reading: RecurrenceReading) -> Iterator[datetime]:
    """The instants at `after` or later at which it recurs, ascending, each once, whether or not it has expired."""
    after = max(after, _EARLIEST)
    previous: datetime | None = None
    for starts_at in _candidates(rule, after, reading):
        # Where a clock left out an hour or a zone a day, what fell into it comes with what follows.
        if starts_at >= after and (previous is None or starts_at > previous):
            yield starts_at
            previous = starts_at


def _candidates(rule: ReadableRule, after: datetime, reading: RecurrenceReading) -> Iterator[datetime]:
    """The instants at which it recurs, from somewhat before `after` on."""
    if isinstance(rule.recurrence, EveryHours):
        yield from _every_hours(rule, rule.recurrence, after, reading)
        return
    origin, clock = rule.start.toordinal(), rule.start.time()
    since = max((after.astimezone(rule.zone) - _MARGIN).toordinal(), origin)
    if since > LAST_DATE:
        return
    for day in rule.recurrence.dates(origin, since, reading):
        yield instant(datetime.combine(date.fromordinal(day), clock), rule.zone)


def _every_hours(
    rule: ReadableRule, hours: EveryHours, after: datetime, reading: RecurrenceReading
) -> Iterator[datetime]:
    """The start's multiples, read off the local clock or off one that stays as the local clock stood at the start."""
    at_start = rule.start.replace(tzinfo=rule.zone).utcoffset() or timedelta()
    clock = rule.zone if reading is RecurrenceReading.BY_CLOCK else timezone(at_start)
    step = timedelta(hours=hours.every)
    since = (after.astimezone(clock) - _MARGIN).replace(tzinfo=None)
    latest = datetime.combine(date.fromordinal(LAST_DATE), time())
    for number in range(max(-((rule.start - since) // step), 0), (latest - rule.start) // step + 1):
        yield instant(rule.start + number * step, clock)


def _next(rule: WindowRule, readable: ReadableRule, after: datetime, reading: RecurrenceReading) -> NextWindow:
    starts_at = next(_starts(readable, after, reading), None)
    if starts_at is None:
        because = f"its recurrence {quoted(rule.recur_every)}, counted from {rule.start}, names no day in the future"
        return NextWindow(Timing.NEVER, because=because, rule=WINDOW_NEVER_COMES.id)
    if readable.expires is not None and starts_at > readable.expires:
        zone = rule.time_zone or ""
        because = f"it expired on {rule.expiration} ({zone})"
        if readable.expires >= after:
            because = f"it expires on {rule.expiration} ({zone}), before another window comes"
        return NextWindow(Timing.OVER, because=because, rule=SCHEDULE_EXPIRED.id)
    return NextWindow(Timing.COMING, _window(readable, starts_at))


def _window(rule: ReadableRule, starts_at: datetime) -> Window:
    return Window(starts_at, starts_at + rule.duration, starts_at.astimezone(rule.zone))


def _told(found: NextWindow) -> str:
    return "it never runs again" if found.window is None else f"it runs on {local_text(found.window.local_start)}"


def _duration_limits(rule: WindowRule) -> Iterator[tuple[str, str]]:
    duration = duration_of(rule.duration)
    if duration is not None and duration < SHORTEST:
        told = f"its duration {quoted(rule.duration)} is shorter than 01:30, the least that Azure accepts"
        yield WINDOW_TOO_SHORT.id, told
    if duration is not None and duration > LONGEST:
        told = f"its duration {quoted(rule.duration)} is longer than 03:55, the most that Azure accepts"
        yield WINDOW_TOO_LONG.id, told


def _advice_on_start(rule: WindowRule) -> Iterator[tuple[str, str]]:
    start = moment(rule.start)
    if start is not None and start.time() >= _ADVISED_UNTIL:
        told = f"it starts at {start:%H:%M} of its time zone; Azure advises against starts between 23:45 and midnight"
        yield START_BEFORE_MIDNIGHT.id, told


def _repetition_limit(rule: WindowRule) -> Iterator[tuple[str, str]]:
    recurrence = parse(rule.recur_every or "")
    if isinstance(recurrence, EveryHours) and recurrence.every < LEAST_HOURS_BETWEEN:
        told = f"its recurrence {quoted(rule.recur_every)} repeats more often than every {LEAST_HOURS_BETWEEN} hours"
        yield RECURS_TOO_OFTEN.id, f"{told}, the most often that Azure accepts"


def _without_zone(rule: WindowRule) -> Iterator[tuple[str, str]]:
    """What is wrong with the dates whatever the zone: both ends stand in it, so one zone serves as well as another."""
    anywhere = replace(rule, time_zone="UTC")
    readable = read(anywhere)
    if isinstance(readable, ReadableRule):
        never_runs = {WINDOW_NEVER_COMES.id, SCHEDULE_EXPIRED.id}
        yield from (one for one in _first_window(anywhere, readable) if one[0] in never_runs)


def _first_window(rule: WindowRule, readable: ReadableRule) -> Iterator[tuple[str, str]]:
    """Whether the first window comes before the end, and whether readings of the rule differ within its first year."""
    start = instant(readable.start, readable.zone) if readable.start.year > 1 else _EARLIEST
    first = next_window(rule, after=start)
    if first.timing is Timing.NEVER:
        yield WINDOW_NEVER_COMES.id, first.because
    elif first.timing is Timing.OVER:
        yield SCHEDULE_EXPIRED.id, f"it expires on {rule.expiration}, before its first window"
    elif first.rule is not None:
        yield first.rule, first.because
    elif first.window is not None and len(readable.recurrence.readings) > 1:
        ahead = _MONTHS_AHEAD if isinstance(readable.recurrence, EveryHours) else (timedelta(minutes=1),)
        later = (next_window(rule, after=first.window.starts_at + passed) for passed in ahead)
        doubtful = (each for each in later if each.rule == RECURRENCE_UNCONFIRMED.id)
        yield from [(RECURRENCE_UNCONFIRMED.id, each.because) for each in doubtful][:1]


_YEARS = (1, 4, 16, 64)
"""How far to look, further only where nothing was found: most rules come within a year."""


def upcoming(rule: WindowRule, *, after: datetime, count: int) -> tuple[Window, ...]:
    """The first windows that start at `after` or later.

    Args:
        rule: as the configuration states it.
        after: aware.
        count: how many, > 0.

    Returns:
        Fewer where fewer come within 64 years; empty also for a rule that cannot be read.
    """
    found: tuple[Window, ...] = ()
    for years in _YEARS:
        found = windows_between(rule, start=after, end=after + timedelta(days=366 * years))[:count]
        if len(found) == count:
            break
    return found


# ------------------------------------------------------------------------------------------------ rules

WINDOW_NEVER_COMES = Rule(
    "window-never-comes",
    "the schedule's recurrence names no day that exists",
    REFUSES,
    """
    What: The recurrence names days that do not exist, such as day 31 of every February.
    Severity: Warns in `audit` and `explain`; `schedule create` refuses it.
    Why: Such a schedule never runs: a prepared machine is parked.
    Evidence: `recurEvery` and the start.
    Fix: Give it a recurrence that names days which exist.
    Source: The documentation of `recurEvery`: the months are counted from the start's.
    """,
    schedule_fix="Give it a recurrence that occurs with `schedule update --recur`.",
)

SCHEDULE_EXPIRED = Rule(
    "schedule-expired",
    "the schedule has expired, or expires before its first window",
    REFUSES,
    """
    What: The schedule's expiration has passed, or passes before its first window.
    Severity: Warns in `audit` and `explain`; `schedule create` refuses it.
    Why: It never runs again. Whether it still prevents Azure's own patching is unconfirmed, so a machine in Azure
    Managed - Safe Deployment is then `unknown`.
    Evidence: `expirationDateTime`, in the configuration's own time zone.
    Fix: Give it a later expiration, or detach it.
    Source: Azure REST API of maintenance configurations.
    """,
    schedule_fix="Give it a later expiration with `schedule update --expires`, or detach it.",
)

RECURRENCE_UNCONFIRMED = Rule(
    "recurrence-unconfirmed",
    "the recurrence can be understood in two ways",
    WARNS,
    """
    What: The recurrence can be understood in two ways that give different windows, for example because the first day of
    a week matters, or because a clock change lies between the start of an hourly schedule and its next window.
    Severity: Warns; the next window is then not shown.
    Why: No source says which one is Azure's.
    Evidence: The members of `maintenanceWindow`.
    Fix: Write it so that it can be understood in one way only, or check the next run in the portal.
    Source: None: no source states on which day a week begins, whether an offset in the month before the start can lead
    to a window after the start, or whether hours are counted as they elapse or on the local clock.
    """,
    schedule_fix="Write its recurrence so that it can be understood in one way only.",
)

WINDOW_TOO_SHORT = Rule(
    "window-too-short",
    "the schedule's window is too short",
    REFUSES,
    """
    What: A window is shorter than the 25 minutes that a run needs, or than the 01:30 that Azure accepts.
    Severity: Warns in `audit` below 25 minutes; `schedule create` refuses less than 01:30.
    Why: A run needs 15 minutes to install and 10 for a reboot; what does not fit fails with
    `maintenanceWindowExceeded`.
    Evidence: `maintenanceWindow.duration`.
    Fix: Give it 01:30 to 03:55.
    Source: "Troubleshoot issues with Azure Update Manager"; Azure's documentation of maintenance configurations.
    """,
    machine_fix="Give it at least 01:30, the least that Azure accepts.",
)

WINDOW_TOO_LONG = Rule(
    "window-too-long",
    "the window is longer than guest patching accepts",
    (*BLOCKS, *NOTES),
    """
    What: The window is longer than 03:55.
    Severity: Blocks `schedule create`; notes of a schedule that exists already.
    Why: Azure does not accept it for the guest scope. Older ones exist with more: three of 2,251 recorded guest
    configurations have 05:00, so only the next change of such a schedule is refused, not its runs.
    Evidence: `maintenanceWindow.duration`.
    Fix: Give it at most 03:55.
    Source: Azure's documentation of maintenance configurations.
    """,
    schedule_fix="It still runs; Azure refuses it at the next change, so give it 01:30 to 03:55 then.",
)

RECURS_TOO_OFTEN = Rule(
    "recurs-too-often",
    "the schedule repeats more often than guest patching accepts",
    BLOCKS,
    """
    What: The recurrence repeats more often than every 6 hours.
    Severity: Blocks `schedule create`.
    Why: Azure does not accept it for the guest scope. Recorded exchanges show older configurations that repeat every 1
    to 3 hours; those are read as written.
    Evidence: `maintenanceWindow.recurEvery`.
    Fix: Change it to every 6 hours or less often.
    Source: Azure's documentation of maintenance configurations.
    """,
)

START_BEFORE_MIDNIGHT = Rule(
    "start-before-midnight",
    "the window starts shortly before midnight",
    WARNS,
    """
    What: The window starts between 23:45 and midnight.
    Severity: Warns in `schedule create`.
    Why: Azure advises against it.
    Evidence: `maintenanceWindow.startDateTime`.
    Fix: Change the start to before 23:45 or to midnight.
    Source: Azure's documentation of maintenance configurations.
    """,
)

RULES = (
    WINDOW_NEVER_COMES,
    SCHEDULE_EXPIRED,
    RECURRENCE_UNCONFIRMED,
    WINDOW_TOO_SHORT,
    WINDOW_TOO_LONG,
    RECURS_TOO_OFTEN,
    START_BEFORE_MIDNIGHT,
)
