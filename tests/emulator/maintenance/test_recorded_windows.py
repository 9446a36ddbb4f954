"""Every recorded maintenance window, of every scope: the emulator reads it, whether or not it patches guests."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.contract.recordings import ABSENT, exchanges, is_here

from arm_emulator.providers.maintenance.recurrence import RecurrenceError, parse, zone_of
from arm_emulator.providers.maintenance.windows import read_window

pytestmark = pytest.mark.skipif(not is_here(), reason=ABSENT)

WITHOUT_RECURRENCE = 4
"""Recorded windows of hosts that state none."""


def _windows(answer: Any) -> Iterator[dict[str, Any]]:
    """The objects under ``maintenanceWindow``, wherever they stand in an answer."""
    if isinstance(answer, list):
        for item in answer:
            yield from _windows(item)
    elif isinstance(answer, dict):
        for name, value in answer.items():
            if name == "maintenanceWindow" and isinstance(value, dict):
                yield value
            else:
                yield from _windows(value)


def _recorded() -> list[dict[str, Any]]:
    groups = ("maintenance", "maintenance_powershell")
    return [window for group in groups for one in exchanges(group) for window in _windows(one.answer)]


def _is_readable(text: str) -> bool:
    try:
        parse(text)
    except RecurrenceError:
        return False
    return True


def test_every_recurrence_is_read() -> None:
    """Documented or not; a window without one never opens."""
    texts = [window.get("recurEvery") for window in _recorded()]
    assert len(texts) >= 2_500
    assert {text for text in texts if text is not None and not _is_readable(text)} == set()
    assert texts.count(None) <= WITHOUT_RECURRENCE
    assert {"6Hour", "7Hours", "9Hours", "1Month Last Thursday,Friday"} <= set(texts)


def test_every_time_zone_is_known() -> None:
    """All are names of Windows."""
    names = {window.get("timeZone") for window in _recorded()}
    assert len(names) >= 25
    assert {name for name in names if name is None or zone_of(name) is None} == set()


def test_every_window_with_a_recurrence_can_open() -> None:
    """Start, end and duration are read as well."""
    unread = [window for window in _recorded() if read_window(window) is None]
    assert [window for window in unread if window.get("recurEvery") is not None] == []
