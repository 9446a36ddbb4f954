"""The next few windows, near and far."""

from datetime import UTC, datetime

import pytest

from patchmode.model.schedule import WindowRule
from patchmode.rules.schedules.recurrence import upcoming

NOW = datetime(2026, 11, 22, 22, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "recurrence", "told"),
    [
        ("2026-01-01 03:00", "Day", ["2026-11-23", "2026-11-24"]),
        ("2030-12-01 02:00", "Month Second Tuesday Offset4", ["2030-12-14", "2031-01-18"]),
        ("2028-02-29 02:00", "12Months day29", ["2028-02-29", "2032-02-29"]),
        ("2026-11-01 02:00", "12Months day31", []),
        ("2026-01-01 03:00", "Month Fifth Sunday", []),
    ],
)
def test_windows(start: str, recurrence: str, told: list[str]) -> None:
    """29 February of every year comes every fourth year; 31 November never."""
    rule = WindowRule(start, None, "02:00", "UTC", recurrence)
    assert [f"{window.starts_at:%Y-%m-%d}" for window in upcoming(rule, after=NOW, count=2)] == told


def test_a_schedule_that_expires_has_fewer() -> None:
    rule = WindowRule("2026-01-01 03:00", "2026-11-24 00:00", "02:00", "UTC", "Day")
    assert len(upcoming(rule, after=NOW, count=3)) == 1
