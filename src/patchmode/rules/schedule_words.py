"""A configuration's window and a dynamic scope's filter, in words.

Must not: say more than the texts say; what cannot be read is shown as it stands.
"""

import re

from patchmode.model.schedule import DynamicScope, WindowRule
from patchmode.rules.recurrence_grammar import ORDINALS, WEEKDAYS, parse
from patchmode.rules.window_reading import duration_of, moment

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
