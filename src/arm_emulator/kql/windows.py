"""The functions that look at the rows around: `row_number`, `row_cumsum`, the ranks, `prev` and `next`.

Each gets the arguments of all rows, in order, and gives one value a row. They need rows that have an order: behind
`order by`, `top` or `serialize`.

Source: Kusto documentation of each function ("window functions").
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from arm_emulator.kql.types import INTEGERS, NUMBERS, TIMES, Type
from arm_emulator.kql.values import Value, wrap_long

Rows = list[tuple[Value, ...]]


@dataclass(frozen=True, slots=True)
class Window:
    """One function: how many arguments it takes, its type by that of its first, and what it computes."""

    least: int
    most: int
    type_of: Callable[[Type | None], Type | None]
    """None: the first argument cannot be of that type."""
    function: Callable[[Rows], Iterable[Value]]


def _row_number(rows: Rows) -> Iterator[Value]:
    number = 0
    for at, row in enumerate(rows):
        start = row[0] if row else 1
        if at == 0 or (len(row) > 1 and row[1] is True):
            number = int(start) if isinstance(start, int) else 1
        else:
            number += 1
        yield number


def _row_cumsum(rows: Rows) -> Iterator[Value]:
    total: Value = 0
    for row in rows:
        if len(row) > 1 and row[1] is True:
            total = 0
        if row[0] is not None:
            total = total + row[0]
            total = wrap_long(total) if isinstance(total, int) else total
        yield total


def _row_rank_dense(rows: Rows) -> Iterator[Value]:
    rank = 0
    for at, row in enumerate(rows):
        if at == 0 or (len(row) > 1 and row[1] is True):
            rank = 1
        elif row[0] != rows[at - 1][0]:
            rank += 1
        yield rank


def _row_rank_min(rows: Rows) -> Iterator[Value]:
    rank = place = 0
    for at, row in enumerate(rows):
        if at == 0 or (len(row) > 1 and row[1] is True):
            rank = place = 1
        else:
            place += 1
            rank = rank if row[0] == rows[at - 1][0] else place
        yield rank


def _beside(step: int) -> Callable[[Rows], Iterator[Value]]:
    def look(rows: Rows) -> Iterator[Value]:
        for at, row in enumerate(rows):
            offset = row[1] if len(row) > 1 and isinstance(row[1], int) else 1
            other = at + step * offset
            default = row[2] if len(row) > 2 else None
            yield rows[other][0] if 0 <= other < len(rows) else default

    return look


def _long(given: Type | None) -> Type | None:
    return Type.LONG if given is None or given in INTEGERS else None


def _ranked(given: Type | None) -> Type | None:
    return None if given in {None, Type.DYNAMIC} else Type.LONG


def _summed(given: Type | None) -> Type | None:
    if given in INTEGERS:
        return Type.LONG
    return given if given in NUMBERS | TIMES and given is not Type.DATETIME else None


def _same(given: Type | None) -> Type | None:
    return given


WINDOWS: dict[str, Window] = {
    "row_number": Window(0, 2, _long, _row_number),
    "row_cumsum": Window(1, 2, _summed, _row_cumsum),
    "row_rank_dense": Window(1, 2, _ranked, _row_rank_dense),
    "row_rank_min": Window(1, 2, _ranked, _row_rank_min),
    "prev": Window(1, 3, _same, _beside(-1)),
    "next": Window(1, 3, _same, _beside(1)),
}
OF_A_COLUMN = frozenset({"prev", "next"})
"""These look at a column, not at an expression."""
