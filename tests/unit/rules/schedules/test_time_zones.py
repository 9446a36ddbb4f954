"""Windows names to zones."""

from zoneinfo import ZoneInfo

import pytest

from patchmode.rules.schedules.recurrence_grammar import zone_of


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("Pacific Standard Time", "America/Los_Angeles"),
        ("pacific standard time ", "America/Los_Angeles"),
        ("India Standard Time", "Asia/Calcutta"),
        ("UTC", "UTC"),
        ("utc", "UTC"),
        ("UTC-02", "Etc/GMT+2"),
        ("Europe/Berlin", "Europe/Berlin"),
    ],
)
def test_names(name: str, zone: str) -> None:
    """As CLDR maps them for the whole world."""
    assert zone_of(name) == ZoneInfo(zone)


@pytest.mark.parametrize(
    "name", ["", "Berlin", "localtime", "/etc/passwd", "../x", "America/Indiana", "a/\0", "a/" * 300]
)
def test_other_texts_name_no_zone(name: str) -> None:
    """Neither a file of this machine nor a folder of the database is a zone."""
    assert zone_of(name) is None
