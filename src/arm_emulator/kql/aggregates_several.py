"""The aggregates of summarize that give several columns: `arg_max` and its kin, `take_any`, `percentiles`.

Source: Kusto documentation of each aggregate; names of columns as Microsoft's language service gives them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from arm_emulator.kql.aggregates import Group, Reducer, Site, percent_name, percent_of, present, rank_of, ranked
from arm_emulator.kql.code import Bound
from arm_emulator.kql.types import Type
from arm_emulator.kql.values import Value


@dataclass(frozen=True, slots=True)
class Several:
    """A bound aggregate of one or more columns."""

    columns: tuple[tuple[str, Type], ...]
    arguments: list[Bound]
    function: Reducer


SEVERAL: dict[str, Callable[[Site, list[Bound]], Several]] = {}


def _several(*names: str) -> Callable[[Callable[[Site, list[Bound]], Several]], Callable[[Site, list[Bound]], Several]]:
    def add(maker: Callable[[Site, list[Bound]], Several]) -> Callable[[Site, list[Bound]], Several]:
        for name in names:
            SEVERAL[name] = maker
        return maker

    return add


@_several("take_any", "any")
def _take_any(site: Site, bounds: list[Bound]) -> Several:
    if not bounds:
        raise site.refusal("an argument is expected.")
    older = site.tree.name == "any"
    names = [
        (f"any_{bound.name}" if older else bound.name) if bound.name or (older and len(bounds) == 1) else f"any_arg{at}"
        for at, bound in enumerate(bounds)
    ]
    columns = tuple((name, bound.type) for name, bound in zip(names, bounds, strict=True))
    blanks = tuple("" if bound.type is Type.STRING else None for bound in bounds)

    def reduce(rows: Group) -> Value:
        row = rows[0] if rows else blanks
        return row if len(bounds) > 1 else row[0]

    return Several(columns, list(bounds), reduce)


@_several("arg_max", "arg_min", "argmax", "argmin")
def _arg_extreme(site: Site, bounds: list[Bound]) -> Several:
    if not bounds:
        raise site.refusal("an argument is expected.")
    kind = bounds[0].type
    if kind is Type.DYNAMIC or kind is Type.GUID:
        raise site.refusal(f"a value that has an order is expected, not a {kind}.")
    largest = "max" in site.tree.name
    first = bounds[0].name or ("max_" if largest else "min_")
    stem = f"{'max' if largest else 'min'}_{bounds[0].name}"
    older = site.tree.name.startswith("argm")
    if older:
        first = stem
    names = [
        (f"{stem}_{bound.name}" if older else bound.name) if bound.name else f"{stem}_arg{at}"
        for at, bound in enumerate(bounds[1:], start=1)
    ]
    columns = ((first, kind), *((name, bound.type) for name, bound in zip(names, bounds[1:], strict=True)))
    blanks = tuple("" if bound.type is Type.STRING else None for bound in bounds)

    def reduce(rows: Group) -> Value:
        found = [row for row in rows if row[0] is not None] or rows[:1]
        best = (
            (max if largest else min)(found, key=lambda row: row[0])
            if len(found) > 1
            else found[0]
            if found
            else blanks
        )
        return best if len(bounds) > 1 else best[0]

    return Several(columns, list(bounds), reduce)


@_several("percentiles")
def _percentiles(site: Site, bounds: list[Bound]) -> Several:
    if len(bounds) < 2:
        raise site.refusal("a percentile is expected.")
    kind, bounds = ranked(site, bounds)
    percents = [percent_of(site, bound) for bound in bounds[1:]]
    columns = tuple((f"percentile_{bounds[0].name}_{percent_name(percent)}", kind) for percent in percents)

    def reduce(rows: Group) -> Value:
        found = sorted(present(rows))
        ranks = tuple(rank_of(found, percent) if found else None for percent in percents)
        return ranks if len(percents) > 1 else ranks[0]

    return Several(columns, [bounds[0]], reduce)
