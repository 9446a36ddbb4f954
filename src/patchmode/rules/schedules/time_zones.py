"""The names of time zones: Windows' as Azure writes them, IANA's as people type them, and what was perhaps meant.

The pairs are CLDR's `windowsZones`, as tzlocal carries them (regenerated from Unicode's release, MIT licence).
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from tzlocal.windows_tz import tz_win, win_tz

_UTC = "UTC"
_MOST = 8
"""More names than this are no help."""
_OFFSET = re.compile(r"(?:UTC|GMT)?\s*([+-])\s*(\d{1,2})(?::?([0-5]\d))?", re.ASCII | re.IGNORECASE)
_SHOWN_OFFSET = re.compile(r"\(UTC\s*(?:([+-])(\d\d):(\d\d))?\)", re.ASCII)
"""What the portal and Windows' settings put before the cities of a zone: `(UTC+01:00) Amsterdam, Berlin, …`."""
_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
_SEASONS = tuple(_YEAR + timedelta(weeks=week) for week in range(0, 52, 13))


@cache
def zone_of(name: str) -> ZoneInfo | None:
    """The zone of a `timeZone` member.

    Args:
        name: a Windows name (`W. Europe Standard Time`), compared without case as Windows compares them, or an IANA
            name of a place (`Europe/Berlin`), in IANA's own casing. Blanks around it do not count.

    Returns:
        None: the name is neither. Windows names that CLDR maps to no place, such as `Kamchatka Standard Time`, are
        among them.
    """
    windows = as_windows_writes(name)
    if windows is not None:
        return ZoneInfo(_windows()[windows])
    # Only Area/Place: a bare word such as `localtime` would name whatever file this machine happens to have.
    return _iana(name.strip()) if "/" in name else None


def as_windows_writes(name: str) -> str | None:
    """A Windows name in Windows' own spelling; None: the text is no Windows name. Case and blanks around do not count.

    Args:
        name: for example `w. europe standard time`; `UTC` is a Windows name too.
    """
    return _casefolded().get(name.strip().casefold())


def every_windows_name() -> tuple[str, ...]:
    """Every Windows zone that is a place, by name."""
    return tuple(sorted(_windows()))


def windows_names(text: str) -> tuple[str, ...]:
    """The Windows zones that a text perhaps means, the likeliest first.

    Args:
        text: anything: an IANA name in any casing, a city, an abbreviation such as `CET`, an offset, a slip of a
            Windows name, a line of the portal's list of zones.

    Returns:
        Exactly one where the text is an IANA name that CLDR maps. Several: the text is ambiguous, and nobody but the
        user can tell. Empty: nothing is near; also where more zones than a person would read are.
    """
    shown = _SHOWN_OFFSET.match(text.strip())
    stripped = text.strip()[shown.end() if shown else 0 :].strip()
    one = as_windows_writes(stripped) or _of_iana(stripped)
    if one is not None:
        return (one,)
    for reading in (_cities, _abbreviation, _offset, _same_clock, _near):
        found = dict.fromkeys(reading(stripped))
        if shown:
            wanted = _signed(shown[1], shown[2], shown[3])
            found = {name: None for name in found if _standard_offset(name) == wanted}
        if found:
            return tuple(found) if len(found) <= _MOST else ()
    return ()


def place_names(text: str) -> tuple[str, ...]:
    """The IANA zones that a text perhaps means, as `windows_names` finds Windows zones; a place keeps its name."""
    plain = text.strip().casefold().replace(" ", "_")
    places = {place.casefold(): place for place in tz_win if "/" in place and not place.startswith("Etc/")}
    named = [places[one] for one in places if plain and plain in (one, one.rpartition("/")[2])]
    return tuple(named or dict.fromkeys(_windows()[name] for name in windows_names(text)))


def meant(names: Sequence[str]) -> str:
    """What a refused zone perhaps means, as half a sentence; empty for no names.

    Args:
        names: from `windows_names` or `place_names`, as they are to be typed.
    """
    quoted = [f"'{name}'" for name in names]
    if len(quoted) <= 1:
        return f"use {quoted[0]}" if quoted else ""
    return f"it may mean {', '.join(quoted[:-1])} or {quoted[-1]}"


@cache
def _windows() -> dict[str, str]:
    return {**win_tz, _UTC: _UTC}


@cache
def _casefolded() -> dict[str, str]:
    return {name.casefold(): name for name in _windows()}


@cache
def _places() -> dict[str, str]:
    """IANA names, casefolded → Windows names."""
    return {name.casefold(): windows for name, windows in tz_win.items()}


def _iana(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None  # no such zone, no allowed key, or a directory such as `America/Indiana`


def _of_iana(text: str) -> str | None:
    # A bare word is an abbreviation first: CLDR has `EST` of a place without summer time, and nobody means that.
    return _places().get(text.casefold().replace(" ", "_")) if "/" in text else None


def _cities(text: str) -> Iterator[str]:
    """`Berlin`, `New York`; of a list of cities the zone that most of them are in."""
    votes: dict[str, int] = {}
    for city in text.split(","):
        plain = city.strip().casefold().replace(" ", "_")
        for place, windows in _places().items():
            if plain and place.rpartition("/")[2] == plain and "/" in place and not place.startswith("etc/"):
                votes[windows] = votes.get(windows, 0) + 1
    most = max(votes.values(), default=0)
    yield from (windows for windows, count in votes.items() if count == most)


def _abbreviation(text: str) -> Iterator[str]:
    """`CET`, `EST`, `IST`: every zone whose clocks are called so at some time of the year."""
    if text.isalpha() and 3 <= len(text) <= 5:
        for windows in _windows():
            zone = ZoneInfo(_windows()[windows])
            if text.upper() in {moment.astimezone(zone).tzname() for moment in _SEASONS}:
                yield windows


def _offset(text: str) -> Iterator[str]:
    """`UTC+1`, `+05:30`."""
    match = _OFFSET.fullmatch(text)
    if match is not None:
        wanted = _signed(match[1], match[2], match[3])
        yield from (windows for windows in _windows() if _standard_offset(windows) == wanted)


def _same_clock(text: str) -> Iterator[str]:
    """Windows zones whose clocks show the same all year as those of an IANA zone that CLDR does not list."""
    zone = _iana(text) if "/" in text or text in available_timezones() - {"localtime", "Factory"} else None
    if zone is not None:
        hours = [_YEAR + timedelta(hours=hour) for hour in range(365 * 24)]
        clock = [hour.astimezone(zone).utcoffset() for hour in hours]
        for windows, place in _windows().items():
            other = ZoneInfo(place)
            if all(hour.astimezone(other).utcoffset() == shown for hour, shown in zip(hours, clock, strict=True)):
                yield windows


def _bare(name: str) -> str:
    """The name, casefolded, without the words that nearly all of them end with."""
    bare = name.casefold()
    if bare.endswith(")"):
        bare = bare.partition(" (")[0]
    bare = bare.removesuffix(" time")
    for kind in (" standard", " daylight", " summer"):
        bare = bare.removesuffix(kind)
    return bare


def _near(text: str) -> Iterator[str]:
    """A slip of a name, or its beginning; the words that nearly all of them end with tell none from another."""
    import difflib  # Only where somebody slipped.

    given, bare = text.casefold(), _bare(text)
    if not bare:
        return
    begun = [name for name in _windows() if name.casefold().startswith(bare)]
    named = [name for name in begun if _bare(name) == bare]
    slips = {_bare(name): name for name in _windows()} | _places()
    near = difflib.get_close_matches(bare, slips, n=3, cutoff=0.85)
    whole = difflib.get_close_matches(given, _casefolded(), n=1, cutoff=0.93)
    yield from begun if begun and not named else named
    if not begun:
        yield from (slips[name] for name in near)
        yield from (_casefolded()[name] for name in whole)


def _signed(sign: str | None, hours: str | None, minutes: str | None) -> timedelta:
    span = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    return -span if sign == "-" else span


@cache
def _standard_offset(windows: str) -> timedelta | None:
    """How far a zone's clocks are from UTC in winter, which is what Windows shows."""
    zone = ZoneInfo(_windows()[windows])
    return min(moment.astimezone(zone).utcoffset() or timedelta() for moment in _SEASONS)
