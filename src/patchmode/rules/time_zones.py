"""Windows time-zone names, which maintenance configurations use, to zones with rules.

The table is Unicode CLDR's `windowsZones`, as `tzlocal` carries it; this is the one place that uses it.

Must not: guess. A name that the table lacks has no zone, although Windows may once have known it.
"""

from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tzlocal.windows_tz import win_tz

_UTC = "UTC"


@cache
def _windows_names() -> dict[str, str]:
    return {name.casefold(): zone for name, zone in win_tz.items()}


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
    stripped = name.strip()
    if stripped.casefold() == _UTC.casefold():
        return ZoneInfo(_UTC)
    known = _windows_names().get(stripped.casefold())
    if known is not None:
        return ZoneInfo(known)
    # Only Area/Place: a bare word such as `localtime` would name whatever file this machine happens to have.
    if "/" not in stripped:
        return None
    try:
        return ZoneInfo(stripped)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None  # no such zone, no allowed key, or a directory such as `America/Indiana`
