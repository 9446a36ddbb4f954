"""What every report begins or ends with: the target, and machines that were not read or not touched.

Must not: hold what belongs to one report.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from patchmode.model.plan import Skipped, Unreadable
from patchmode.model.resource_id import ResourceId
from patchmode.model.target import Target
from patchmode.reports.columns import wrapped
from patchmode.reports.paint import Paint, printable

NAMES_SHOWN = 5


def target_text(target: Target) -> str:
    """Cloud, endpoint and tenant in one line."""
    return f"{target.cloud} ({target.endpoint}), tenant {target.tenant_id}"


def short(machine_id: ResourceId) -> str:
    """Resource group and name: what a person calls a machine."""
    return f"{machine_id.resource_group}/{machine_id.name}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 machine`, `2 machines`, `1,234 machines`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def some(names: Sequence[str], shown: int = NAMES_SHOWN) -> str:
    """The first names, and how many more there are."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more:,} more" if more > 0 else "")


def skipped_lines(skipped: Iterable[Skipped], *, paint: Paint) -> Iterator[str]:
    """Skipped machines by rule: reason, machines, way out."""
    by_rule: dict[tuple[str, str, str | None], list[str]] = defaultdict(list)
    for entry in skipped:
        by_rule[entry.rule, entry.reason, entry.fix].append(short(entry.id))
    for (rule, reason, fix), names in sorted(by_rule.items(), key=lambda item: (-len(item[1]), item[0][0])):
        yield f"  {paint('warn', rule)} ({len(names):,})"
        yield from wrapped(some(names), paint=paint, indent=6)
        yield from wrapped(reason, paint=paint, indent=6)
        if fix:
            yield from wrapped(f"→ {fix}", paint=paint, indent=6, hang=8)


def no_change_text(*, blocked: int, unreadable: int, where: str = "") -> str:
    """What to say of a plan without a change: that nothing has to be changed only where that is known.

    Args:
        blocked: machines that need a change and are kept from it.
        unreadable: machines, rows and places that could not be read.
        where: ` on AzureCloud (…)`, or nothing.
    """
    if not blocked and not unreadable:
        return f"Nothing has to be changed{where}."
    parts = [f"{plural(blocked, 'machine is', 'machines are')} blocked"] if blocked else []
    if unreadable:
        parts.append(f"{unreadable:,} could not be read, so whether anything has to be changed there is not known")
    return f"No change is planned{where}, but {' and '.join(parts)}."


def unreadable_lines(unreadable: Iterable[Unreadable], *, paint: Paint) -> Iterator[str]:
    """What could not be read, and why."""
    for entry in unreadable:
        yield f"  {paint('bad', printable(entry.id))}"
        yield from wrapped(entry.reason, paint=paint, indent=6)


def note_lines(notes: Iterable[str], *, paint: Paint) -> Iterator[str]:
    """What a reader must know about how this was read."""
    for note in notes:
        yield from wrapped(f"Note: {note}", paint=paint, hang=6)
