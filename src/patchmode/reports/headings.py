"""What every report begins or ends with: the target, counts and notes.

Must not: hold what belongs to one report.
"""

from collections.abc import Iterable, Iterator, Sequence

from patchmode.model.target import Target
from patchmode.reports.columns import wrapped
from patchmode.reports.paint import Paint

NAMES_SHOWN = 5


def target_text(target: Target) -> str:
    """Cloud, endpoint and tenant in one line."""
    return f"{target.cloud} ({target.endpoint}), tenant {target.tenant_id}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 machine`, `2 machines`, `1,234 machines`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def some(names: Sequence[str], shown: int = NAMES_SHOWN) -> str:
    """The first names, and how many more there are."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more:,} more" if more > 0 else "")


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


def note_lines(notes: Iterable[str], *, paint: Paint) -> Iterator[str]:
    """What a reader must know about how this was read."""
    for note in notes:
        yield from wrapped(f"Note: {note}", paint=paint, hang=6)
