"""A point in the past as people write it: `7d`, `36h`, `2026-11-01`.

Must not: know what time it is; whoever needs the moment hands in the present.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

_AGO = re.compile(r"(?P<count>[0-9]{1,5})(?P<unit>[mhdw])", re.IGNORECASE)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_NAMES = {"m": "minute", "h": "hour", "d": "day", "w": "week"}


class SinceError(ValueError):
    """The text names no point in the past; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Since:
    """A point in the past, either so long ago or a date. Exactly one of `ago` and `at` is set."""

    text: str
    """As it was written, for plans, reports and suggested commands."""
    ago: timedelta | None = None
    at: datetime | None = None
    """UTC, aware."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a number with a unit (`90m`, `36h`, `7d`, `2w`), a date, or an ISO 8601 time; without a zone it is UTC.

        Raises:
            SinceError: the text has none of these forms, or the span is nothing.
        """
        stripped = text.strip()
        match = _AGO.fullmatch(stripped)
        if match is not None and int(match["count"]):
            return cls(stripped, ago=int(match["count"]) * _UNITS[match["unit"].lower()])
        try:
            at = datetime.fromisoformat(stripped)
        except ValueError:
            msg = f"{text!r} is no point in the past: expected 7d, 36h, 2w, 2026-11-01 or 2026-11-01T06:00Z"
            raise SinceError(msg) from None
        return cls(stripped, at=at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC))

    def moment(self, now: datetime) -> datetime:
        """The moment itself, UTC.

        Args:
            now: aware; only what was written as so long ago depends on it.
        """
        if self.at is not None:
            return self.at
        assert self.ago is not None  # noqa: S101 - `parse` sets one of the two
        return now.astimezone(UTC) - self.ago

    @property
    def words(self) -> str:
        """As a sentence has it: `in the last 7 days`, `since 2026-11-01`."""
        if self.ago is None:
            return f"since {self.text}"
        number, unit = int(self.text[:-1]), _NAMES[self.text[-1].lower()]
        return f"in the last {number:,} {unit}s" if number > 1 else f"in the last {unit}"

    def __str__(self) -> str:
        return self.text
