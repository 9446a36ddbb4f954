"""Machines counted by subscription or by group, before a table that is longer than the screen.

Must not: count anything that the table does not have; the numbers of a line add up to its first one.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from patchmode.model.resource_id import ResourceId, ResourceIdError, subscription_of
from patchmode.reports.names import MachineNames
from patchmode.reports.text.layout import GAP, Cell, Paint, Section, TableColumn, lines, sectioned, wrapped

_NO_PLACE = "(not known where)"


class SummaryBy(StrEnum):
    """What a summary counts by; the values of `--summary`."""

    SUBSCRIPTION = "subscription"
    GROUP = "group"
    NONE = "none"

    @classmethod
    def of(cls, text: str | None) -> "SummaryBy | None":
        """As it was typed; None: it was not."""
        return None if text is None else cls(text)


@dataclass(frozen=True, slots=True)
class Tally:
    """One column of numbers."""

    key: str
    """The state that it counts."""
    heading: str
    is_part: bool = True
    """Whether it is a part of the line's first number; else it says something more of the same machines."""


@dataclass(frozen=True, slots=True)
class Counted:
    """One machine, or one place that could not be read as a whole, with the states that it is counted under."""

    id: ResourceId | str
    states: Sequence[str]


def summary_lines(
    found: Iterable[Counted],
    tallies: Sequence[Tally],
    names: MachineNames,
    *,
    whole: str,
    by: SummaryBy | None,
    rows: int,
    paint: Paint,
) -> Iterator[str]:
    """A summary as lines, followed by an empty one; nothing where none is asked for and the rows fit on the screen.

    Args:
        found: everything that is counted.
        tallies: the columns in order; one that counts nothing is left out.
        names: of the whole output.
        whole: heading of each line's sum: `MACHINES`.
        by: as it was asked for; None: by subscription, or by group within one, where the rows need more than a screen.
        rows: how many the table has that follows.
        paint: gives width and height; in a pipe nothing is longer than the screen.
    """
    if by is SummaryBy.NONE or (by is None and (paint.height is None or rows <= paint.height)):
        return
    counts = _counts(found, is_by_group=by is SummaryBy.GROUP or (by is None and not names.are_several))
    if by is None and len(counts) == 1:
        # The sentences below the table have the same numbers.
        return
    total = sum(counts.values(), Counter[str]())
    parts = [one.key for one in tallies if one.is_part]
    biggest = {place: -_sum(of_place, parts) for place, of_place in counts.items()}
    order = sorted(counts, key=lambda place: (biggest[place], names.subscription(place[0]), place[1] or ""))
    every = [one for one in tallies if total[one.key]]
    shown = every if _fits(every, whole, total, paint) else [one for one in every if one.is_part]

    def numbers(one: Mapping[str, int]) -> list[Cell | str]:
        return [f"{_sum(one, parts):,}", *(f"{one[tally.key]:,}" for tally in shown)]

    columns = [
        TableColumn(heading, least=len(f"{_sum(total, parts):,}"))
        for heading in (whole, *(one.heading for one in shown))
    ]
    yield from _table(order, [numbers(counts[place]) for place in order], numbers(total), columns, names, paint)
    yield from (paint("dim", line) for line in wrapped(_legend(shown, whole), paint=paint, hang=2))
    yield ""


def _fits(tallies: Sequence[Tally], whole: str, total: Mapping[str, int], paint: Paint) -> bool:
    """Whether all columns find room beside the first; what is no part of the sum is left out where they do not."""
    least = len(f"{sum(total[one.key] for one in tallies if one.is_part):,}")
    words = [max(map(len, heading.split())) for heading in (whole, *(one.heading for one in tallies))]
    needed = len("SUBSCRIPTION") + sum(GAP + max(least, word) for word in words)
    return paint.width is None or needed <= paint.width


def _legend(shown: Sequence[Tally], whole: str) -> str:
    text = f"{whole} = {' + '.join(one.heading for one in shown if one.is_part)}."
    more = [one.heading for one in shown if not one.is_part]
    return f"{text} {', '.join(more)}: how the same machines are patched now." if more else text


def _table(
    order: Sequence[tuple[str, str | None]],
    rows: Sequence[list[Cell | str]],
    total: list[Cell | str],
    columns: Sequence[TableColumn],
    names: MachineNames,
    paint: Paint,
) -> Iterator[str]:
    last: list[list[Cell | str]] = [["all", *total]] if len(rows) > 1 else []
    if all(group is None for _, group in order):
        named: list[list[Cell | str]] = [
            [names.subscription(place) or _NO_PLACE, *row] for (place, _), row in zip(order, rows, strict=True)
        ]
        yield from lines((TableColumn("SUBSCRIPTION", 12, is_name=True), *columns), [*named, *last], paint=paint)
        return
    sections = [
        (_section(names, place), [group or "(whole subscription)", *row])
        for (place, group), row in zip(order, rows, strict=True)
    ]
    sections += [(Section(("",), "all subscriptions"), row) for row in last]
    yield from sectioned((TableColumn("GROUP", 8, is_name=True), *columns), sections, ("SUBSCRIPTION",), paint=paint)


def _section(names: MachineNames, place: str) -> Section:
    label = names.subscription(place) or _NO_PLACE
    return Section((label,), f"subscription {label}")


def _counts(found: Iterable[Counted], *, is_by_group: bool) -> dict[tuple[str, str | None], Counter[str]]:
    """Subscription in lower case and group, in the casing first met → how many are in which state."""
    counts: dict[tuple[str, str | None], Counter[str]] = defaultdict(Counter)
    spelled: dict[tuple[str, str], str] = {}
    for one in found:
        place, group = _place(one.id)
        if not is_by_group:
            group = None
        elif group is not None:
            group = spelled.setdefault((place, group.casefold()), group)
        counts[place, group].update(one.states)
    return dict(counts)


def _place(any_id: ResourceId | str) -> tuple[str, str | None]:
    try:
        one = any_id if isinstance(any_id, ResourceId) else ResourceId.parse(any_id)
    except ResourceIdError:
        # A subscription that could not be read as a whole; or words that name none.
        return (subscription_of(str(any_id)) or "").lower(), None
    return one.subscription_id.lower(), one.resource_group


def _sum(counts: Mapping[str, int], keys: Iterable[str]) -> int:
    return sum(counts[key] for key in keys)
