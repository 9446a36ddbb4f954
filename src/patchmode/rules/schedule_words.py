"""A configuration's window and a dynamic scope's filter, in words.

Must not: say more than the texts say; what cannot be read is shown as it stands.
"""

from collections.abc import Sequence

from patchmode.model.schedule import DynamicScope, WindowRule
from patchmode.rules.recurrence_grammar import (
    ORDINALS,
    WEEKDAYS,
    EveryDays,
    EveryHours,
    EveryWeeks,
    MonthDays,
    MonthWeekday,
    parse,
)
from patchmode.rules.window_reading import duration_of, moment

_STANDARD = " Standard Time"


def window_text(rule: WindowRule) -> str:
    """When a window rule runs: `Third Sunday +3 days 02:00-05:55 W. Europe`, `every 8 hours from 22:00, 02:00 long UTC`.

    Returns:
        Never empty. A recurrence in no known form is shown as it stands, in quotes.
    """
    parts = [recurrence_text(rule), _hours(rule), (rule.time_zone or "").removesuffix(_STANDARD)]
    return " ".join(part for part in parts if part)


def recurrence_text(rule: WindowRule) -> str:
    """How often or on which days it runs: `every 8 hours from 22:00`, `every Tuesday`, `day 15, 31 of every 2 months`."""
    match parse(rule.recur_every or ""):
        case EveryHours(every=every):
            start = moment(rule.start)
            origin = f" from {start:%H:%M}" if start else ""
            return f"every hour{origin}" if every == 1 else f"every {every} hours{origin}"
        case EveryDays(every=every):
            return "every day" if every == 1 else f"every {every} days"
        case EveryWeeks(every=every, weekdays=weekdays):
            start = moment(rule.start)
            days = weekdays or ((start.weekday(),) if start else ())
            named = _and([_weekday(day) for day in days])
            return f"every {named or 'week'}" if every == 1 else f"{named} of every {every} weeks".lstrip()
        case MonthDays(every=every, days=days):
            return f"day {', '.join(map(str, days))} of {_months(every)}"
        case MonthWeekday(every=every, ordinals=ordinals, weekdays=weekdays, offset=offset):
            shift = f" {offset:+d} {'day' if abs(offset) == 1 else 'days'}" if offset else ""
            weeks = _and([ORDINALS[ordinal] for ordinal in ordinals]).capitalize()
            named = f"{weeks} {', '.join(map(_weekday, weekdays))}{shift}"
            return named if every == 1 else f"{named} of {_months(every)}"
        case _:
            return f"'{rule.recur_every}'" if rule.recur_every else "(no recurrence)"


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
    if duration is None:
        return f"{start:%H:%M}"
    if isinstance(parse(rule.recur_every or ""), EveryHours):
        return f"{rule.duration} long"
    return f"{start:%H:%M}-{start + duration:%H:%M}"


def _and(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _weekday(number: int) -> str:
    return WEEKDAYS[number].capitalize()


def _months(every: int) -> str:
    return "every month" if every == 1 else f"every {every} months"
