"""The members of a configuration understood: its window, what a run would install, and both in words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from patchmode.model.patch_settings import OperatingSystem
from patchmode.model.schedule import DynamicScope, NextWindow, Timing, WindowRule
from patchmode.rules.rule import REFUSES, WARNS, Rule
from patchmode.rules.schedules.recurrence_grammar import ORDINALS, WEEKDAYS, Recurrence, parse
from patchmode.rules.schedules.time_zones import as_windows_writes, meant, windows_names, zone_of

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
        return NextWindow(Timing.UNREADABLE, because=_no_such_zone(rule.time_zone), rule=UNKNOWN_TIME_ZONE.id)
    recurrence = parse(rule.recur_every or "")
    if recurrence is None:
        return _unreadable(_no_such_recurrence(rule.recur_every))
    expires = None if expiration is None or expiration.year >= _FOREVER else instant(expiration, zone)
    return ReadableRule(start, duration, zone, recurrence, expires)


def unread_members(rule: WindowRule) -> tuple[tuple[str, str], ...]:
    """Every member that cannot be read, or that nobody should write so, as rule id and half a sentence.

    Returns:
        Empty: `read` gives a readable rule, and its time zone is a Windows name. An IANA name is read where Azure
        answers one, and is not to be sent.
    """
    found: list[tuple[str, str]] = []
    if moment(rule.start) is None:
        found.append((UNREADABLE_RECURRENCE.id, _misses("start", rule.start, "YYYY-MM-DD hh:mm")))
    if duration_of(rule.duration) is None:
        found.append((UNREADABLE_RECURRENCE.id, _misses("duration", rule.duration, "HH:mm")))
    if has_expiration(rule) and moment(rule.expiration) is None:
        found.append((UNREADABLE_RECURRENCE.id, _misses("expiration", rule.expiration, "YYYY-MM-DD hh:mm")))
    if as_windows_writes(rule.time_zone or "") is None:
        found.append((UNKNOWN_TIME_ZONE.id, _no_windows_zone(rule.time_zone)))
    if parse(rule.recur_every or "") is None:
        found.append((UNREADABLE_RECURRENCE.id, _no_such_recurrence(rule.recur_every)))
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
    return f"no table names its time zone {quoted(text)}, so it is not known when it runs"


def _no_windows_zone(text: str | None) -> str:
    """Azure documents the names that Windows has; whether it takes any other is recorded nowhere."""
    name = text or ""
    kind = "an IANA name, and Azure documents Windows names only" if zone_of(name) else "not the name of a Windows zone"
    known = meant(windows_names(name)) or "`[TimeZoneInfo]::GetSystemTimeZones().Id` in PowerShell lists them"
    return f"its time zone {quoted(text)} is {kind}: {known}"


def _no_such_recurrence(text: str | None) -> str:
    if text is None or not text.strip():
        return "it has no recurrence, so it is not known whether it ever runs"
    if _BARE_MONTH.fullmatch(text.strip()):
        return (
            f"its recurrence {quoted(text)} names no day of the month: Azure wants it as in 'Month day15' or "
            "'Month Third Sunday', and refuses it so"
        )
    return f"its recurrence {quoted(text)} has no form that Azure documents or returns"


def _unreadable(because: str) -> NextWindow:
    return NextWindow(Timing.UNREADABLE, because=because, rule=UNREADABLE_RECURRENCE.id)


_STANDARD = " Standard Time"
_FORM = re.compile(r"(\d*)\s*(hour|day|week|month)s?\s*(.*)", re.IGNORECASE | re.ASCII)


def window_text(rule: WindowRule) -> str:
    """When a window rule runs: `Third Sunday +3 days 02:00-05:55 W. Europe`, `every 8 hours from 22:00 for 02:00 UTC`.

    Returns:
        Never empty. A recurrence in no known form is shown as it stands, in quotes.
    """
    parts = [recurrence_text(rule), _hours(rule), (rule.time_zone or "").removesuffix(_STANDARD)]
    return " ".join(part for part in parts if part)


def recurrence_text(rule: WindowRule) -> str:
    """On which days it runs: `every Tuesday`, `day 15, 31 of every 2 months`."""
    text = (rule.recur_every or "").strip()
    form = _FORM.fullmatch(text)
    if form is None or parse(text) is None:
        return f"'{text}'" if text else "(no recurrence)"
    every, unit, rest = int(form[1] or 1), form[2].lower(), form[3].lower()
    if unit == "week":
        return _weeks(rule, every, rest)
    if unit == "month":
        return _months(every, rest)
    told = f"every {unit}" if every == 1 else f"every {every} {unit}s"
    start = moment(rule.start)
    # An hourly rule has an origin instead of a time of day.
    return f"{told} from {start:%H:%M}" if unit == "hour" and start is not None else told


def scope_text(scope: DynamicScope) -> str:
    """Which machines a dynamic scope takes in: `group rg-web: Linux, tag env=prod or test`."""
    wanted = scope.filter
    kinds = [text.rpartition("/")[2] for text in wanted.resource_types]
    tags = [f"tag {key}={' or '.join(values)}" for key, values in wanted.tags.items()]
    joined = (" or " if wanted.any_tag else " and ").join(tags)
    parts = [
        " or ".join(kinds),
        " or ".join(wanted.os_types),
        "in " + " or ".join(wanted.locations) if wanted.locations else "",
        "of group " + " or ".join(wanted.resource_groups) if wanted.resource_groups else "",
        joined,
        f"with {', '.join(wanted.unknown)}, which cannot be evaluated" if wanted.unknown else "",
    ]
    told = ", ".join(part for part in parts if part) or "every machine"
    place = f"subscription {scope.subscription_id}" if scope.resource_group is None else f"group {scope.resource_group}"
    return f"{place}: {told}"


def _hours(rule: WindowRule) -> str:
    start, duration = moment(rule.start), duration_of(rule.duration)
    if start is None:
        return ""
    if "hour" in (rule.recur_every or "").lower():
        return "" if duration is None else f"for {rule.duration}"
    if duration is None:
        return f"{start:%H:%M}"
    return f"{start:%H:%M}-{start + duration:%H:%M}"


def _weeks(rule: WindowRule, every: int, rest: str) -> str:
    start = moment(rule.start)
    days = [day for day in WEEKDAYS if day in rest] or ([WEEKDAYS[start.weekday()]] if start else [])
    named = _listed(days)
    if every == 1:
        return f"every {named or 'week'}"
    return f"{named} of every {every} weeks" if named else f"every {every} weeks"


def _months(every: int, rest: str) -> str:
    of = "every month" if every == 1 else f"every {every} months"
    numbers = re.findall(r"day\s*(\d+)", rest)
    if numbers:
        return f"day {', '.join(numbers)} of {of}"
    offset = re.search(r"offset\s*(?:(-)\s*)?(\d)", rest)
    shift = int(f"{offset[1] or ''}{offset[2]}") if offset else 0
    told = f" {shift:+d} {'day' if abs(shift) == 1 else 'days'}" if shift else ""
    weeks = _listed([name for name in ORDINALS if name in rest]).capitalize()
    named = f"{weeks} {', '.join(day.capitalize() for day in WEEKDAYS if day in rest)}"
    return f"{named}{told}" if every == 1 else f"{named}{told} of {of}"


def _listed(names: list[str]) -> str:
    words = [name.capitalize() for name in names]
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


_PARAMETERS = {
    OperatingSystem.WINDOWS: ("windowsParameters", "kbNumbersToInclude", "kbNumbersToExclude"),
    OperatingSystem.LINUX: ("linuxParameters", "packageNameMasksToInclude", "packageNameMasksToExclude"),
}
_EVERYTHING = "*"


def names_nothing_for(properties: Mapping[str, Any]) -> Mapping[OperatingSystem, str]:
    """The systems on which a configuration names nothing to install, each with why.

    Args:
        properties: of the configuration, as Azure answered it.

    Returns:
        Why is half a sentence that begins with "it". Empty where each system has updates named, and where
        `installPatches` is absent altogether: then neither system is told from the other.
    """
    patches = properties.get("installPatches")
    if not isinstance(patches, Mapping) or not any(patches.get(member) for member, _, _ in _PARAMETERS.values()):
        return {}
    found = {system: _why(system, patches) for system in _PARAMETERS}
    return {system: why for system, why in found.items() if why}


def _why(system: OperatingSystem, patches: Mapping[str, Any]) -> str:
    member, included, excluded = _PARAMETERS[system]
    parameters = patches.get(member)
    if not parameters:
        return f"it names no updates for {system}"
    if not isinstance(parameters, Mapping):
        return f"its {member} is in no form that this version knows"
    if _EVERYTHING in _texts(parameters.get(excluded)):
        return f"it excludes every update for {system}"
    if not _texts(parameters.get("classificationsToInclude")) and not _texts(parameters.get(included)):
        return f"it names neither a classification nor a single update for {system}"
    return ""


def _texts(value: object) -> frozenset[str]:
    return frozenset(str(one).strip() for one in value) if isinstance(value, list | tuple) else frozenset()


# ------------------------------------------------------------------------------------------------ rules

UNKNOWN_TIME_ZONE = Rule(
    "unknown-time-zone",
    "this version does not know the schedule's time zone",
    REFUSES,
    """
    What: The configuration's `timeZone` is neither a Windows time-zone name of Unicode's table, nor `UTC`, nor an IANA
    name of a place. `schedule create` accepts Windows names and `UTC` only, and names the one to give.
    Severity: Warns in `audit` and `explain`; `schedule create` refuses it (exit code 2, as it cannot be read; with
    every other rule 12).
    Why: It is not known when its windows start, so the outcome is `unknown` unless another schedule decides.
    Evidence: `maintenanceWindow.timeZone`.
    Fix: Give the configuration the name of a Windows time zone, such as `W. Europe Standard Time`.
    Source: Azure REST API of maintenance configurations; Unicode CLDR, `windowsZones`.
    """,
)

UNREADABLE_RECURRENCE = Rule(
    "unreadable-recurrence",
    "the schedule's window is in a form that this version does not know",
    REFUSES,
    """
    What: The recurrence, the start, the expiration or the duration is in a form that this version does not know.
    Severity: Warns in `audit` and `explain`; `schedule create` refuses it (exit code 2, as it cannot be read; with
    every other rule 12).
    Why: It is not known when its windows start, so the outcome is `unknown` unless another schedule decides.
    Evidence: The members of `maintenanceWindow`.
    Fix: Write it as Microsoft documents it: `Day`, `3Days`, `2Weeks Saturday,Sunday`, `Month day23`, `Month Third
    Sunday Offset-3`. Two further forms are read: hours (`8Hours`), and several weeks and weekdays of a month (`Month
    Third,Fourth Monday,Tuesday`).
    Source: The documentation of `recurEvery` in azure-mgmt-maintenance; for the two further forms recorded exchanges,
    in which the service answers them.
    """,
    machine_fix="Write its window as Microsoft documents it: Day, 2Weeks Saturday, Month Third Sunday.",
)

RULES = (UNKNOWN_TIME_ZONE, UNREADABLE_RECURRENCE)

SCHEDULE_INSTALLS_NOTHING = Rule(
    "schedule-installs-nothing",
    "the schedule names no updates for the machine's system",
    WARNS,
    """
    What: The schedule's `installPatches` names no updates for the machine's system: only the other system's parameters,
    neither a classification nor a single update or package, or a mask that excludes everything.
    Severity: Warns; the outcome is `unknown` unless another schedule decides.
    Why: The run takes place and may install nothing. What Azure installs on a system of which nothing is named is not
    documented; `installPatches` that is absent altogether is not reported.
    Evidence: `properties.installPatches` of the configuration.
    Fix: Name classifications for that system, or attach its machines to a schedule that does.
    Source: The members of `InputPatchConfiguration` in Microsoft's client for Maintenance. Of 2,251 recorded guest
    configurations 2,014 name updates for both systems, 18 for one alone and one for none; what their runs installed is
    not recorded. The emulator's switch `unnamed_updates` has both answers.
    """,
)
"""Of a schedule, and of its members, for whose system it names no update, or excludes every one."""
