"""The three numbers that a fleet's owner wants first: what fails, what Azure reboots, what nobody patches.

Must not: count; the model does.
"""

from collections.abc import Iterator

from patchmode.model.outcome import Headline
from patchmode.reports.columns import wrapped
from patchmode.reports.paint import Paint

_MEMBERS = (
    ("fails_at_next_window", "fails at its next window", "fail at their next window"),
    ("rebooted_by_azure", "rebooted by Azure without a window", "rebooted by Azure without a window"),
    ("patched_by_nobody", "patched by nobody", "patched by nobody"),
    ("unknown", "not known: its reason says why", "not known: their reasons say why"),
)


def headline_lines(headline: Headline, *, paint: Paint) -> Iterator[str]:
    """The numbers as the machines stand; those of which nobody knows stand there only where there are any."""
    for member, one, many in _MEMBERS:
        count: int = getattr(headline, member)
        if count or member != "unknown":
            yield from _line(f"{count:>6,}", count, one, many, paint)


def change_lines(before: Headline, after: Headline, *, paint: Paint) -> Iterator[str]:
    """The numbers before and after a plan."""
    width = max(len(f"{getattr(after, member):,}") for member, _, _ in _MEMBERS)
    for member, one, many in _MEMBERS:
        was: int = getattr(before, member)
        count: int = getattr(after, member)
        if was or count or member != "unknown":
            yield from _line(f"{was:>6,} -> {count:<{width},}", count, one, many, paint)


def _line(numbers: str, count: int, one: str, many: str, paint: Paint) -> Iterator[str]:
    text = f"{numbers.lstrip()}  {one if count == 1 else many}"
    for line in wrapped(text, paint=paint, indent=2 + len(numbers) - len(numbers.lstrip()), hang=10):
        yield paint("warn", line) if count else line
