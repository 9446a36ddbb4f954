"""The join of two nodes by equal keys.

A null key matches a null key, as in Kusto (and unlike SQL). Columns without a partner are null,
which for a string is ''. Must not know KQL's text.

Source: Kusto documentation of the join kinds; innerunique keeps one row of the left side for each key (which one is not
said; here it is the first).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from arm_emulator.kql.plan import Node, RowSource, Runner, Tuples, picker
from arm_emulator.kql.types import Slot, Type
from arm_emulator.kql.values import Value

Rows = list[tuple[Value, ...]]


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a join: its rows, its key columns, and which output column stands for which of its own."""

    node: Node
    keys: tuple[Slot, ...]
    columns: dict[Slot, Slot]


class HashJoin:
    """Joins `left` and `right`; `kind` is inner, innerunique, leftouter or fullouter."""

    def __init__(self, kind: str, left: Side, right: Side) -> None:
        self._kind = kind
        self._left = left
        self._right = right

    def prepare(self, needed: tuple[Slot, ...]) -> Runner:
        """Ask each side for its keys and for those of its columns that are read above."""
        left_out = [slot for slot in needed if slot in self._left.columns]
        right_out = [slot for slot in needed if slot not in self._left.columns]
        left_run = _side_runner(self._left, left_out)
        right_run = _side_runner(self._right, right_out)
        made = left_out + right_out
        arrange = None if made == list(needed) else picker([made.index(slot) for slot in needed])
        merge = _Merge(self._kind, len(self._left.keys), _blanks(left_out), _blanks(right_out))

        def run(rows: RowSource) -> Tuples:
            joined = merge(left_run(rows), right_run(rows))
            return joined if arrange is None else map(arrange, joined)

        return run


def _side_runner(side: Side, out: list[Slot]) -> Runner:
    """Return what gives a side's keys and then its columns; the node below is asked for each column once."""
    wanted = (*side.keys, *(side.columns[slot] for slot in out))
    unique = tuple(dict.fromkeys(wanted))
    runner = side.node.prepare(unique)
    if unique == wanted:
        return runner
    pick = picker([unique.index(slot) for slot in wanted])
    return lambda rows: map(pick, runner(rows))


def _blanks(slots: list[Slot]) -> tuple[Value, ...]:
    return tuple("" if slot.type is Type.STRING else None for slot in slots)


class _Merge:
    """Puts the rows of both sides together; a row is its keys, then its columns."""

    def __init__(self, kind: str, width: int, left_blank: tuple[Value, ...], right_blank: tuple[Value, ...]) -> None:
        self._kind = kind
        self._width = width
        self._left_blank = left_blank
        self._right_blank = right_blank

    def __call__(self, left: Tuples, right: Tuples) -> Iterator[tuple[Value, ...]]:
        width, kind = self._width, self._kind
        index: dict[tuple[Value, ...], Rows] = {}
        right_rows = list(right)
        for row in right_rows:
            index.setdefault(row[:width], []).append(row[width:])
        seen: set[tuple[Value, ...]] = set()
        for row in left:
            key = row[:width]
            partners = index.get(key)
            if kind == "innerunique" and key in seen:
                continue
            seen.add(key)
            if partners:
                mine = row[width:]
                for partner in partners:
                    yield mine + partner
            elif kind in {"leftouter", "fullouter"}:
                yield row[width:] + self._right_blank
        if kind == "fullouter":
            yield from self._unmatched(right_rows, seen)

    def _unmatched(self, right_rows: Rows, seen: set[tuple[Value, ...]]) -> Iterator[tuple[Value, ...]]:
        for row in right_rows:
            key = row[: self._width]
            if key not in seen:
                yield self._left_blank + row[self._width :]
