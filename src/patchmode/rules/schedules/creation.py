"""A configuration that somebody wants: what is wrong with the wish, the request body, and whether Azure stored it so.

Must not: send anything.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from patchmode.model.finding import Severity
from patchmode.model.plan import plain_region
from patchmode.model.report import ScheduleFinding, ScheduleWish
from patchmode.model.run import ABSENT_TEXT, Difference
from patchmode.model.schedule import GUEST_SCOPE, MaintenanceConfiguration, Window, WindowRule, local_text
from patchmode.rules.schedules.events import TOO_CLOSE, WINDOW_TOO_CLOSE
from patchmode.rules.schedules.limits import SCHEDULE_LIMIT, Limits
from patchmode.rules.schedules.recurrence import (
    RECURRENCE_UNCONFIRMED,
    START_BEFORE_MIDNIGHT,
    check_window_rule,
    upcoming,
)
from patchmode.rules.schedules.window import UNKNOWN_TIME_ZONE, UNREADABLE_RECURRENCE

WINDOWS_CLASSIFICATIONS = (
    "Critical",
    "Security",
    "UpdateRollUp",
    "FeaturePack",
    "ServicePack",
    "Definition",
    "Tools",
    "Updates",
)
LINUX_CLASSIFICATIONS = ("Critical", "Security", "Other")
"""Source of both lists: azure-mgmt-maintenance and Microsoft's article on programming against Update Manager."""
DEFAULT_CLASSIFICATIONS = ("Critical", "Security")
_MALFORMED = frozenset({UNREADABLE_RECURRENCE.id, UNKNOWN_TIME_ZONE.id})
LONGEST_NAME = 127
"""Source: Microsoft's article on maintenance configurations: fewer than 128 characters, for the group's name too."""
_ADVICE_ONLY = frozenset({START_BEFORE_MIDNIGHT.id, RECURRENCE_UNCONFIRMED.id})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*")
REBOOT_SETTINGS = ("IfRequired", "Never", "Always")
_SET_BY_THE_SERVICE = frozenset({"configurationtype", "provisioningstate"})
"""Top members of recorded answers that nobody sets."""
_SYNONYMS = {"alwaysreboot": "always", "neverreboot": "never"}
"""What comes back for what was sent (recorded as a pair for Always; recorded lists have no other word for Never)."""

_OF_THE_SERVICE = frozenset({"neweventdrivenscheduler", "neweventdrivescheduler"})
"""Members of `extensionProperties` in recorded answers of several scopes that no document has a caller set."""


def is_malformed(problems: Iterable[ScheduleFinding]) -> bool:
    """Whether a wish could not even be read; one that is only refused is well-formed."""
    return any(one.rule in _MALFORMED for one in problems)


def wish_problems(wish: ScheduleWish) -> Iterator[ScheduleFinding]:
    """What stands against a wish (`blocks`), and what is worth a thought (`warns`)."""
    identifier = str(wish.id)
    for what, text in (("name", wish.id.name), ("resource group's name", wish.id.resource_group)):
        if len(text) > LONGEST_NAME:
            message = f"The {what} has {len(text)} characters; Azure takes {LONGEST_NAME}."
            yield ScheduleFinding(SCHEDULE_LIMIT.id, Severity.BLOCKS, message, "Shorten it.", identifier)
    for rule, message in check_window_rule(wish.window):
        severity = Severity.WARNS if rule in _ADVICE_ONLY else Severity.BLOCKS
        yield ScheduleFinding(rule, severity, message, "", identifier)


def timing_problems(wish: ScheduleWish, windows: Sequence[Window], now: datetime) -> Iterator[ScheduleFinding]:
    """A first window that comes too soon for a new configuration, which has no pre-event, to count."""
    if windows and windows[0].starts_at - now < TOO_CLOSE:
        message = "Its first window starts in less than 15 minutes, and it may not run then."
        yield ScheduleFinding(WINDOW_TOO_CLOSE.id, Severity.WARNS, message, "Choose a later start.", str(wish.id))


def lost_windows_text(before: WindowRule, windows: Sequence[Window], now: datetime) -> str:
    """Which windows do not come any more before the first one of a changed rule.

    Args:
        before: the rule as it is.
        windows: the first ones with the change.
        now: aware.

    Returns:
        Empty where fewer than two windows would be left out: at another time of day, one may.
    """
    coming = upcoming(before, after=now, count=2)
    if len(coming) < 2 or (windows and windows[0].starts_at <= coming[1].starts_at):
        return ""
    starts = " and ".join(local_text(one.local_start) for one in coming)
    begin = f"before {local_text(windows[0].local_start)}" if windows else "any more"
    return f"With the change no window starts {begin}, and nothing is installed; now the next two start {starts}."


def room_problems(
    wish: ScheduleWish, known: Sequence[MaintenanceConfiguration], limits: Limits
) -> Iterator[ScheduleFinding]:
    """A subscription whose region holds as many configurations as Azure allows."""
    region = plain_region(wish.location)
    there = [
        one
        for one in known
        if one.id.subscription_id == wish.id.subscription_id
        and plain_region(one.location) == region
        and one.id != wish.id
    ]
    if len(there) >= limits.configurations:
        message = f"The subscription holds {len(there):,} maintenance configurations in {wish.location}, all it can."
        fix = "Delete one that reaches nothing, or use another region: a configuration patches machines of any region."
        yield ScheduleFinding(SCHEDULE_LIMIT.id, Severity.BLOCKS, message, fix, str(wish.id))


def properties_of(wish: ScheduleWish) -> dict[str, Any]:
    """The `properties` of the request: everything that the wish says, and nothing else.

    `InGuestPatchMode` is always User: without it Azure refuses (public reports), and what Platform does is not known.
    """
    window = wish.window
    texts = {
        "startDateTime": window.start,
        "expirationDateTime": window.expiration,
        "duration": window.duration,
        "timeZone": window.time_zone,
        "recurEvery": window.recur_every,
    }
    windows = {
        "classificationsToInclude": list(wish.windows_classifications),
        "kbNumbersToInclude": list(wish.kb_include),
        "kbNumbersToExclude": list(wish.kb_exclude),
    }
    linux = {
        "classificationsToInclude": list(wish.linux_classifications),
        "packageNameMasksToInclude": list(wish.package_include),
        "packageNameMasksToExclude": list(wish.package_exclude),
    }
    patches = {
        "rebootSetting": wish.reboot_setting,
        "windowsParameters": {name: value for name, value in windows.items() if value},
        "linuxParameters": {name: value for name, value in linux.items() if value},
    }
    return {
        "maintenanceScope": GUEST_SCOPE,
        "extensionProperties": {"InGuestPatchMode": "User"},
        "maintenanceWindow": {name: text for name, text in texts.items() if text is not None},
        "installPatches": {name: value for name, value in patches.items() if value},
        "visibility": "Custom",
    }


def wish_of(found: MaintenanceConfiguration) -> ScheduleWish:
    """The wish that would make a configuration as it is, as far as the options of `schedule create` can say it.

    What they cannot is told by `not_said`.
    """
    patches = found.properties.get("installPatches") or {}
    windows, linux = patches.get("windowsParameters") or {}, patches.get("linuxParameters") or {}
    reboot = _SYNONYMS.get((found.reboot_setting or "").casefold(), found.reboot_setting or "IfRequired")
    expiration = found.window.expiration
    return ScheduleWish(
        found.id,
        found.location,
        replace(found.window, expiration=None if _is_never(expiration) else expiration),
        next((one for one in REBOOT_SETTINGS if one.casefold() == reboot.casefold()), reboot),
        _named(windows.get("classificationsToInclude"), WINDOWS_CLASSIFICATIONS),
        _named(linux.get("classificationsToInclude"), LINUX_CLASSIFICATIONS),
        _plain_texts(windows.get("kbNumbersToInclude")),
        _plain_texts(windows.get("kbNumbersToExclude")),
        _plain_texts(linux.get("packageNameMasksToInclude")),
        _plain_texts(linux.get("packageNameMasksToExclude")),
        {key: value for key, value in found.tags.items() if "=" not in key and key == key.strip()},
    )


def not_said(found: MaintenanceConfiguration) -> tuple[str, ...]:
    """What of a configuration `wish_of` leaves out: the names of its members; empty: it could be made again whole."""
    wish = wish_of(found)
    made = properties_of(wish)
    paths = [one.path.removeprefix("properties.") for one in unlike(made, found.properties)]
    known = {name.casefold() for name in made} | _SET_BY_THE_SERVICE
    paths += [name for name, value in found.properties.items() if value and name.casefold() not in known]
    return tuple(dict.fromkeys([*paths, *(("tags",) if len(wish.tags) < len(found.tags) else ())]))


def updated(
    found: MaintenanceConfiguration, wish: ScheduleWish, changed: Collection[str]
) -> tuple[dict[str, Any], tuple[Difference, ...]]:
    """The `properties` of a configuration with some of its members changed, and where they differ then.

    Args:
        found: as it is; every member that is not changed is sent back as it was read, those that the options of
            `schedule create` cannot say among them.
        wish: has the new values.
        changed: paths below `properties` that are to be as in `wish`, such as `maintenanceWindow.duration`.
    """
    made, wanted = _copied(found.properties), properties_of(wish)
    made = {name: value for name, value in made.items() if name.casefold() not in _SET_BY_THE_SERVICE}
    patches = made.get("installPatches")
    if isinstance(patches, dict) and "installPatches.rebootSetting" not in changed and found.reboot_setting:
        # What the service answers for Always is not among the values that it documents.
        patches["rebootSetting"] = wish_of(found).reboot_setting
    before: list[Difference] = []
    for path in changed:
        value, old = _at(wanted, path), _at(found.properties, path)
        is_unset = path == EXPIRATION and value is None and _is_never(old)
        if is_unset or (not value and not old) or _same(value) == _same(old):
            continue
        _put(made, path, value)
        shown = ABSENT_TEXT if value is None else _text(value)
        before.append(Difference(f"properties.{path}", shown, ABSENT_TEXT if old is None else _text(old)))
    return made, tuple(before)


EXPIRATION = "maintenanceWindow.expirationDateTime"


def _is_never(expiration: str | None) -> bool:
    """Azure writes the end of the calendar where a schedule has no end."""
    return not expiration or expiration.startswith("9999-12-31")


def _named(values: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    given = {str(value).casefold() for value in values or ()}
    return tuple(name for name in names if name.casefold() in given)


def _plain_texts(values: Any) -> tuple[str, ...]:
    """Those that an option can hold."""
    texts = [str(value) for value in values or ()]
    return tuple(one for one in texts if one and "," not in one and one == one.strip() and one.casefold() != NO_VALUE)


NO_VALUE = "none"
"""What stands for an empty list in an option."""


def _copied(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _copied(entry) if isinstance(entry, Mapping) else entry for name, entry in value.items()}


def _at(value: Any, path: str) -> Any:
    """What stands at a path, whatever the case of its names; None: nothing."""
    for name in path.split("."):
        members = value if isinstance(value, Mapping) else {}
        value = next((entry for key, entry in members.items() if key.casefold() == name.casefold()), None)
    return value


def _put(value: dict[str, Any], path: str, new: Any) -> None:
    """Set what stands at a path, or take it away (None)."""
    *above, last = path.split(".")
    for name in above:
        key = next((one for one in value if one.casefold() == name.casefold()), name)
        if not isinstance(value.get(key), dict):
            value[key] = {}
        value = value[key]
    for key in [one for one in value if one.casefold() == last.casefold()]:
        del value[key]
    if new is not None:
        value[last] = new


def unlike(wanted: Mapping[str, Any], found: Mapping[str, Any], path: str = "properties") -> Iterator[Difference]:
    """Where a configuration is not as wanted, leaf by leaf.

    Args:
        wanted: as `properties_of` makes it.
        found: as Azure answered it; names of members compare without case (recorded: `inGuestPatchMode`). Members that
            were not wanted are looked at only beside those that were, because the service adds members of its own at
            the top.
        path: of both.
    """
    spelled = {name.casefold(): other for name, other in found.items()}
    for name, value in wanted.items():
        other = spelled.get(name.casefold())
        where = f"{path}.{name}".lstrip(".")
        if isinstance(value, Mapping):
            yield from unlike(value, other if isinstance(other, Mapping) else {}, where)
        elif _same(value) != _same(other):
            yield Difference(where, _text(value), ABSENT_TEXT if other is None else _text(other))
    if path == "properties":
        return
    known = {name.casefold() for name in wanted}
    for name, other in found.items():
        is_default = not other or (name == "expirationDateTime" and str(other).startswith("9999-12-31"))
        if name.casefold() not in known | _OF_THE_SERVICE and not is_default:
            yield Difference(f"{path}.{name}", ABSENT_TEXT, _text(other))


def is_name(text: str) -> bool:
    """Whether Azure takes a text as the name of a configuration or an assignment."""
    return bool(_NAME.fullmatch(text)) and len(text) <= LONGEST_NAME


def _same(value: Any) -> Any:
    """A leaf as it compares: Azure keeps neither the case nor the spelling of every text, nor the order of lists."""
    if isinstance(value, str):
        lowered = value.casefold().strip()
        return _SYNONYMS.get(lowered, lowered)
    if isinstance(value, list | tuple):
        return sorted(str(entry).casefold() for entry in value)
    return value


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
