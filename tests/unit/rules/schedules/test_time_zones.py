"""Windows names to zones."""

from zoneinfo import ZoneInfo

import pytest
from tzlocal.windows_tz import tz_win, win_tz

from patchmode.rules.schedules.time_zones import as_windows_writes, meant, place_names, windows_names, zone_of


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


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("W. Europe Standard Time", "W. Europe Standard Time"),
        (" w. europe standard time", "W. Europe Standard Time"),
        ("utc", "UTC"),
        ("Europe/Berlin", None),
        ("Berlin", None),
    ],
)
def test_what_is_a_windows_name_and_how_windows_writes_it(text: str, written: str | None) -> None:
    """An IANA name is none, though it is read where Azure answers one."""
    assert as_windows_writes(text) == written


CENTRAL_EUROPE = (
    "Central Europe Standard Time",
    "Central European Standard Time",
    "Romance Standard Time",
    "W. Europe Standard Time",
)
EASTERN = (
    "Eastern Standard Time",
    "Haiti Standard Time",
    "Turks And Caicos Standard Time",
    "US Eastern Standard Time",
)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        # IANA names, in any casing, links of old among them.
        ("Europe/Berlin", ("W. Europe Standard Time",)),
        ("europe/berlin", ("W. Europe Standard Time",)),
        ("america/new york", ("Eastern Standard Time",)),
        ("Asia/Kolkata", ("India Standard Time",)),
        ("Etc/UTC", ("UTC",)),
        ("EST5EDT", EASTERN),
        ("Europe/Uzhgorod", ("FLE Standard Time", "GTB Standard Time")),
        # Cities, and the lines of the portal's list.
        ("Berlin", ("W. Europe Standard Time",)),
        ("New York", ("Eastern Standard Time",)),
        ("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", ("W. Europe Standard Time",)),
        ("(UTC) Dublin, Edinburgh, Lisbon, London", ("GMT Standard Time",)),
        ("(UTC+10:00) Canberra, Melbourne, Sydney", ("AUS Eastern Standard Time",)),
        ("(UTC-05:00) Eastern Time (US & Canada)", ("Eastern Standard Time", "Eastern Standard Time (Mexico)")),
        # Abbreviations mean several zones.
        ("CET", CENTRAL_EUROPE),
        ("cest", CENTRAL_EUROPE),
        ("IST", ("India Standard Time", "Israel Standard Time")),
        ("EDT", EASTERN),
        ("BST", ("GMT Standard Time",)),
        # So do offsets.
        ("+05:30", ("India Standard Time", "Sri Lanka Standard Time")),
        ("UTC+5:45", ("Nepal Standard Time",)),
        # Slips, other seasons, beginnings.
        ("W Europe Standard Time", ("W. Europe Standard Time",)),
        ("W. Europe Daylight Time", ("W. Europe Standard Time",)),
        ("W. Europe", ("W. Europe Standard Time",)),
        ("GMT Standrad Time", ("GMT Standard Time",)),
        ("Pacific", ("British Columbia Standard Time", "Pacific Standard Time")),
        ("Europe/Berlim", ("W. Europe Standard Time",)),
        # Nothing is near. The last is a name of Windows that CLDR does not map; Atlantic is two hours away.
        ("", ()),
        ("Mars", ()),
        ("Middle-earth Standard Time", ()),
        ("localtime", ()),
        ("Nowhere/City", ()),
        ("UTC+99", ()),
        ("Mid-Atlantic Standard Time", ()),
    ],
)
def test_the_windows_zones_that_a_text_may_mean(text: str, names: tuple[str, ...]) -> None:
    """Where it may mean several, all are named and none is chosen."""
    assert windows_names(text) == names


def test_every_iana_name_that_cldr_maps_has_its_windows_name() -> None:
    """What tzlocal carries of CLDR has not shrunk: 142 Windows names, and nearly every place."""
    assert len(win_tz) >= 142
    places = [place for place in tz_win if "/" in place]
    assert len(places) > 500
    assert {place: windows_names(place) for place in places} == {place: (tz_win[place],) for place in places}
    assert {name: as_windows_writes(name.upper()) for name in win_tz} == {name: name for name in win_tz}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Berlin", ("Europe/Berlin",)),
        ("europe/rome", ("Europe/Rome",)),
        ("Rome", ("Europe/Rome",)),
        ("CET", ("Europe/Budapest", "Europe/Warsaw", "Europe/Paris", "Europe/Berlin")),
        ("W Europe Standard Time", ("Europe/Berlin",)),
        ("Mars", ()),
    ],
)
def test_the_places_that_a_text_may_mean(text: str, names: tuple[str, ...]) -> None:
    """A freeze is written with the name of a place."""
    assert place_names(text) == names
    assert all(zone_of(name) is not None for name in names)


def test_how_the_names_are_told() -> None:
    """One is to be used; of several nobody but the user can tell."""
    assert meant(()) == ""
    assert meant(("A",)) == "use 'A'"
    assert meant(("A", "B", "C")) == "it may mean 'A', 'B' or 'C'"
