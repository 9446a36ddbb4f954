"""Freezes: times during which nothing may be changed.

Must not: read texts or know what time it is; `rules/freeze_grammar.py` and `rules/freeze.py` do.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Once:
    """One span of time, UTC, without its end."""

    starts: datetime
    ends: datetime
    """After `starts`."""


@dataclass(frozen=True, slots=True)
class Weekly:
    """The same hours on some days of every week, by the clock on the wall."""

    days: frozenset[int]
    """On which it starts; Monday is 0."""
    start: timedelta
    """After midnight, below 24 hours."""
    length: timedelta
    """By the clock on the wall, which may be put forward or back meanwhile; above 0, at most 7 days."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """A time during which nothing may be changed, once or every week."""

    text: str
    """As it was written, without its time zone."""
    zone: ZoneInfo
    span: Once | Weekly

    @property
    def zone_name(self) -> str:
        """As messages name it; a zone that is only known from a file of this computer has no name of its own."""
        return self.zone.key if self.zone.key and self.zone.key != "local" else "local time"

    def __str__(self) -> str:
        return f"{self.text} ({self.zone_name})"
