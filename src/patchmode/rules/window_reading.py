"""The members of a maintenance window, understood: start, duration, zone, recurrence and expiration.

Must not: find windows; `recurrence.py` does.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from patchmode.model.schedule import NextWindow, Timing, WindowRule
from patchmode.rules.recurrence_grammar import Recurrence, parse
from patchmode.rules.time_zones import zone_of

UNREADABLE = "unreadable-recurrence"
UNKNOWN_ZONE = "unknown-time-zone"

_MOMENT = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?", re.ASCII)
_DURATION = re.compile(r"([0-9]{1,2}):([0-5][0-9])", re.ASCII)
_BARE_MONTH = re.compile(r"[0-9]{0,12}[ ]?months?", re.IGNORECASE | re.ASCII)
"""Source: the service answers such a one with InvalidMaintenanceWindow (Terraform's Azure provider, issue 29738)."""
_FOREVER = 9999
"""The year of an expiration that means: never."""


@dataclass(frozen=True, slots=True)
class ReadableRule:
    """A window rule of which every member could be read."""

    start: datetime
    """Local, naive."""
    duration: timedelta
    zone: ZoneInfo
    recurrence: Recurrence
    expires: datetime | None
    """UTC; None: never."""


@lru_cache(maxsize=4096)
def read(rule: WindowRule) -> ReadableRule | NextWindow:
    """The rule with its texts understood, or `UNREADABLE` with the reason and the rule id. Cached.

    An absent duration is unreadable: Azure then takes a default that depends on the scope and is written nowhere.
    """
    start = moment(rule.start)
    if start is None:
        return _unreadable(_misses("start", rule.start, "YYYY-MM-DD hh:mm"))
    duration = duration_of(rule.duration)
    if duration is None:
        return _unreadable(_misses("duration", rule.duration, "HH:mm"))
    expiration = moment(rule.expiration)
    if expiration is None and has_expiration(rule):
        return _unreadable(_misses("expiration", rule.expiration, "YYYY-MM-DD hh:mm"))
    zone = zone_of(rule.time_zone or "")
    if zone is None:
        return NextWindow(Timing.UNREADABLE, because=_no_such_zone(rule.time_zone), rule=UNKNOWN_ZONE)
    recurrence = parse(rule.recur_every or "")
    if recurrence is None:
        return _unreadable(_no_such_recurrence(rule.recur_every))
    expires = None if expiration is None or expiration.year >= _FOREVER else instant(expiration, zone)
    return ReadableRule(start, duration, zone, recurrence, expires)


def unread_members(rule: WindowRule) -> tuple[tuple[str, str], ...]:
    """Every member that cannot be read, as rule id and half a sentence; empty: `read` gives a readable rule."""
    found: list[tuple[str, str]] = []
    if moment(rule.start) is None:
        found.append((UNREADABLE, _misses("start", rule.start, "YYYY-MM-DD hh:mm")))
    if duration_of(rule.duration) is None:
        found.append((UNREADABLE, _misses("duration", rule.duration, "HH:mm")))
    if has_expiration(rule) and moment(rule.expiration) is None:
        found.append((UNREADABLE, _misses("expiration", rule.expiration, "YYYY-MM-DD hh:mm")))
    if zone_of(rule.time_zone or "") is None:
        found.append((UNKNOWN_ZONE, _no_such_zone(rule.time_zone)))
    if parse(rule.recur_every or "") is None:
        found.append((UNREADABLE, _no_such_recurrence(rule.recur_every)))
    return tuple(found)


def has_expiration(rule: WindowRule) -> bool:
    """Whether an expiration is stated. An empty text is read as none, which no source confirms."""
    return rule.expiration is not None and bool(rule.expiration.strip())


def moment(text: str | None) -> datetime | None:
    """A local `YYYY-MM-DD hh:mm`, with or without seconds, naive; None: absent, in another form, or no such time."""
    match = _MOMENT.fullmatch(text.strip()) if text else None
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
    try:
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 # local time; its zone comes later
    except ValueError:
        return None


def duration_of(text: str | None) -> timedelta | None:
    """An `HH:mm`; None: absent or in another form."""
    match = _DURATION.fullmatch(text.strip()) if text else None
    return None if match is None else timedelta(hours=int(match[1]), minutes=int(match[2]))


def instant(local: datetime, zone: tzinfo) -> datetime:
    """A naive local time as UTC. One that the clock skips counts as if the clock stood as before; of two, the first.

    That is what Python's `fold` of 0 means.
    """
    return local.replace(tzinfo=zone).astimezone(UTC)


def quoted(text: str | None) -> str:
    """A member's text within a sentence."""
    return "(none)" if text is None else f"'{text}'"


def _misses(member: str, text: str | None, form: str) -> str:
    return f"its {member} {quoted(text)} is not of the form {form}"


def _no_such_zone(text: str | None) -> str:
    return f"no table names its time zone {quoted(text)}, so it cannot be told when it runs"


def _no_such_recurrence(text: str | None) -> str:
    if text is None or not text.strip():
        return "it has no recurrence, so it cannot be told whether it ever runs"
    if _BARE_MONTH.fullmatch(text.strip()):
        return (
            f"its recurrence {quoted(text)} names no day of the month: Azure wants it as in 'Month day15' or "
            "'Month Third Sunday', and refuses it so"
        )
    return f"its recurrence {quoted(text)} is in no form that Azure documents or was seen to answer"


def _unreadable(because: str) -> NextWindow:
    return NextWindow(Timing.UNREADABLE, because=because, rule=UNREADABLE)
