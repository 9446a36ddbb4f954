"""The window of a maintenance configuration as instants: when it opens next, and for how long.

Pure. Source: the documentation of ``MaintenanceWindow`` in azure-mgmt-maintenance 2.1 (forms, defaults, "local" times)
and "Troubleshoot issues with maintenance configurations" (the first run is the first recurrence on or after the start).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from arm_emulator.providers.maintenance.recurrence import (
    Hourly,
    OffsetMonth,
    Recurrence,
    RecurrenceError,
    WeekStart,
    dates,
    parse,
    zone_of,
)

DEFAULT_DURATION = timedelta(hours=2)
"""What the service takes where no ``duration`` is given (documentation of ``MaintenanceWindow.duration``)."""
_FORMS = ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S")
_DURATION = re.compile(r"^(\d{1,3}):([0-5]\d)$")
_NEVER_ENDS = 9999
HourlyCount = Literal["elapsed", "local"]


@dataclass(frozen=True, slots=True)
class WindowRule:
    """A window that can be computed."""

    recurrence: Recurrence
    starts: datetime
    """Local and naive: the first date that counts, and the time of day at which every window opens."""
    zone: ZoneInfo
    expires: datetime | None
    """Aware, UTC: no window opens after it. None: never."""
    duration: timedelta
    """Elapsed time, whatever the clocks on the wall do meanwhile."""

    def next_start(
        self,
        after: datetime,
        *,
        week_start: WeekStart,
        offset_month: OffsetMonth,
        hourly_count: HourlyCount,
        is_strict: bool = False,
    ) -> datetime | None:
        """The first opening at or after an instant, aware, UTC; None where there is none any more.

        A time of day that daylight saving leaves out moves forward by the gap; one that comes twice is the first.

        Args:
            after: aware.
            week_start: see ``recurrence.dates``.
            offset_month: see ``recurrence.dates``.
            hourly_count: whether the hours of an hourly rule are those that elapse, or those that the clock on the wall
                shows. UNCONFIRMED, hence a switch; without daylight saving it is the same.
            is_strict: an opening at ``after`` itself does not count.
        """
        # Earlier, because a local date may lie on either side of the UTC one.
        first = (after - timedelta(days=2)).date()
        openings: Iterator[datetime | None]
        if isinstance(self.recurrence, Hourly):
            openings = self._hours(self.recurrence.every, first, hourly_count)
        else:
            days = dates(self.recurrence, self.starts.date(), first, week_start=week_start, offset_month=offset_month)
            openings = (_instant(datetime.combine(day, self.starts.time()), self.zone) for day in days)
        for opening in openings:
            if opening is None or (self.expires is not None and opening > self.expires):
                return None
            if opening > after or (opening == after and not is_strict):
                return opening
        return None

    def _hours(self, every: int, first: date, count: HourlyCount) -> Iterator[datetime | None]:
        """Every n hours from the start, beginning on a day or shortly before it; None beyond the calendar's end."""
        origin = self.starts if count == "local" else _instant(self.starts, self.zone)
        if origin is None:
            return
        begin = datetime.combine(first, datetime.min.time(), origin.tzinfo)
        elapsed_h = max(0, int((begin - origin) / timedelta(hours=1)))
        hour = elapsed_h - elapsed_h % every
        while True:
            try:
                at = origin + timedelta(hours=hour)
            except OverflowError:
                return
            yield at if count == "elapsed" else _instant(at, self.zone)
            hour += every


def _instant(local: datetime, zone: ZoneInfo) -> datetime | None:
    """The instant of a local time; None beyond the end of the calendar. ``fold`` 0 is what moves over a gap."""
    try:
        return local.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:
        return None


def read_window(window: Any) -> WindowRule | None:
    """The rule of a ``maintenanceWindow``; None where anything in it cannot be read, so that it never opens.

    Args:
        window: as stored, whatever it is: a fleet file may hold anything.
    """
    if not isinstance(window, dict):
        return None
    named = window.get("timeZone")
    zone = zone_of(named) if isinstance(named, str) else None
    starts = local_time(window.get("startDateTime"))
    duration = window_duration(window.get("duration"))
    if zone is None or starts is None or duration is None:
        return None
    try:
        recurrence = parse(window.get("recurEvery") or "")
    except RecurrenceError:
        return None
    given = window.get("expirationDateTime")
    expires = local_time(given)
    if given and expires is None:
        return None
    is_open = expires is None or expires.year >= _NEVER_ENDS
    return WindowRule(
        recurrence, starts, zone, None if is_open or expires is None else _instant(expires, zone), duration
    )


def local_time(text: Any) -> datetime | None:
    """A ``YYYY-MM-DD HH:mm`` or ``YYYY-MM-DD HH:mm:ss`` as a naive time; None for anything else."""
    for form in _FORMS if isinstance(text, str) else ():
        try:
            return datetime.strptime(text.strip(), form)  # noqa: DTZ007  local on purpose
        except ValueError:
            continue
    return None


def window_duration(text: Any) -> timedelta | None:
    """An ``HH:mm`` as a length, two hours where it is absent; None for anything else."""
    if text is None or text == "":
        return DEFAULT_DURATION
    match = _DURATION.match(text.strip()) if isinstance(text, str) else None
    return timedelta(hours=int(match[1]), minutes=int(match[2])) if match else None
