"""Machines that were not touched or not read, and what else was asked for and is not so, for people.

Must not: name a machine without its subscription where that is not plain.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from patchmode.model.plain_text import printable
from patchmode.model.plan import Skipped, Unreadable
from patchmode.model.resource_id import subscription_of
from patchmode.reports.columns import way_out, wrapped
from patchmode.reports.headings import some
from patchmode.reports.machine_names import MachineNames
from patchmode.reports.paint import Paint

_NOT_DONE = {
    "failed": "failed",
    "unknown": "unknown",
    "stale": "stale",
    "notSent": "not sent",
    "notAsPlanned": "not as planned",
    "notAttached": "without the schedule as asked",
    "blocked": "blocked",
    "unreadable": "unreadable",
}


def not_done_text(not_done: Mapping[str, int], blocked: Iterable[Skipped]) -> str:
    """What was asked for and is not so, in a few words: `1 failed, 2 blocked (client-os 1, read-only-lock 1)`.

    Args:
        not_done: as `RunReport.not_done` and `Plan.not_done` have it; empty: an empty text.
        blocked: the machines that a rule left alone, for the names of the rules.
    """
    rules = ", ".join(f"{rule} {count:,}" for rule, count in sorted(Counter(one.rule for one in blocked).items()))
    parts = []
    for kind, count in not_done.items():
        by_rule = f" ({rules})" if kind == "blocked" and rules else ""
        parts.append(f"{count:,} {_NOT_DONE[kind]}{by_rule}")
    return ", ".join(parts)


def skipped_lines(skipped: Iterable[Skipped], names: MachineNames, *, paint: Paint) -> Iterator[str]:
    """Skipped machines by rule: reason, machines, way out."""
    by_rule: dict[tuple[str, str, str | None], list[str]] = defaultdict(list)
    for entry in skipped:
        by_rule[entry.rule, entry.reason, entry.fix].append(names.short(entry.id))
    for (rule, reason, fix), members in sorted(by_rule.items(), key=lambda item: (-len(item[1]), item[0][0])):
        yield f"  {paint('warn', rule)} ({len(members):,})"
        yield from wrapped(some(members), paint=paint, indent=6)
        yield from wrapped(reason, paint=paint, indent=6)
        if fix:
            yield from way_out(fix, paint=paint)


def unreadable_lines(unreadable: Iterable[Unreadable], names: MachineNames, *, paint: Paint) -> Iterator[str]:
    """What could not be read, and why."""
    for entry in unreadable:
        place = subscription_of(entry.id)
        label = names.subscription(place) if place else ""
        whose = f"  (subscription {label})" if label and label != place else ""
        yield f"  {paint('bad', printable(entry.id))}{whose}"
        yield from wrapped(entry.reason, paint=paint, indent=6)
