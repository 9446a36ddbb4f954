"""The nodes of a compiled query: each asks the one below for the columns it needs and hands tuples upwards.

`prepare(needed)` compiles a node for exactly the columns that are read above it, so a query never carries what nobody
looks at. Rows of a table are dictionaries and are never changed. Must not know KQL's text.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import Protocol

from arm_emulator.kql.code import Namespace
from arm_emulator.kql.types import Slot, Type
from arm_emulator.kql.values import Value

TableRow = Mapping[str, Value]
RowSource = Callable[[str], Iterable[TableRow]]
Tuples = Iterable[tuple[Value, ...]]
Runner = Callable[[RowSource], Tuples]
WindowFunction = Callable[[list[tuple[Value, ...]]], Iterable[Value]]


class Node(Protocol):
    """Something that gives rows."""

    def prepare(self, needed: tuple[Slot, ...]) -> Runner:
        """Return what yields tuples of exactly these columns, in this order."""


@dataclass(frozen=True, slots=True)
class Compute:
    """A step: one more column."""

    slot: Slot
    text: str
    uses: frozenset[Slot]


@dataclass(frozen=True, slots=True)
class Filter:
    """A step: rows go on only where the condition is true."""

    text: str
    uses: frozenset[Slot]


@dataclass(frozen=True, slots=True)
class Expand:
    """A step: for each row as many as `text` gives tuples for `slots`."""

    slots: tuple[Slot, ...]
    text: str
    uses: frozenset[Slot]


@dataclass(frozen=True, slots=True)
class Unpack:
    """A step: several columns from one tuple; where it gives None and `required` is set, the row goes."""

    slots: tuple[Slot, ...]
    text: str
    uses: frozenset[Slot]
    required: bool


Step = Compute | Filter | Expand | Unpack


class Scan:
    """All rows of one table."""

    def __init__(self, table: str, slots: tuple[Slot, ...], space: Namespace) -> None:
        self.table = table
        self.slots = slots
        self.space = space

    def prepare(self, needed: tuple[Slot, ...]) -> Runner:
        """Read the columns straight from the table's rows."""
        return Pipe(self, (), self.space).prepare(needed)


class Given:
    """Rows that the query itself brings."""

    def __init__(self, slots: tuple[Slot, ...], rows: tuple[tuple[Value, ...], ...]) -> None:
        self._slots = slots
        self._rows = rows

    def prepare(self, needed: tuple[Slot, ...]) -> Runner:
        """Take the columns out of the rows."""
        arrange = picker([self._slots.index(slot) for slot in needed])
        return lambda _: [arrange(row) for row in self._rows]


class Numbered:
    """A column whose value depends on the rows around: `function` gets all rows' values of `reads`, in order."""

    def __init__(
        self,
        source: Node,
        slot: Slot,
        reads: tuple[Slot, ...],
        function: WindowFunction,
    ) -> None:
        self._source = source
        self._slot = slot
        self._reads = reads
        self._function = function

    def prepare(self, needed: tuple[Slot, ...]) -> Runner:
        """Read what the function needs besides the columns that are passed on."""
        if self._slot not in needed:
            return self._source.prepare(needed)
        below = tuple(dict.fromkeys([slot for slot in needed if slot is not self._slot] + list(self._reads)))
        runner = self._source.prepare(below)
        read = picker([below.index(slot) for slot in self._reads])
        arrange = picker([len(below) if slot is self._slot else below.index(slot) for slot in needed])

        def run(rows: RowSource) -> Iterator[tuple[Value, ...]]:
            found = list(runner(rows))
            for row, value in zip(found, self._function([read(row) for row in found]), strict=True):
                yield arrange((*row, value))

        return run


class Pipe:
    """A run of steps over the rows of `source`, compiled into one loop."""

    def __init__(self, source: Node, steps: tuple[Step, ...], space: Namespace) -> None:
        self.source = source
        self.steps = steps
        self._space = space

    def prepare(self, needed: tuple[Slot, ...]) -> Runner:
        """Compile the loop, leaving out every step whose columns nobody reads."""
        kept, live = self._living(needed)
        if isinstance(self.source, Scan):
            loop = self._compile(kept, needed, _Header.over_table(self.source))
            table = self.source.table
            return lambda rows: loop(rows(table))
        below = tuple(live)
        runner = self.source.prepare(below)
        loop = self._compile(kept, needed, _Header.over_tuples(below))
        return lambda rows: loop(runner(rows))

    def _living(self, needed: tuple[Slot, ...]) -> tuple[list[Step], dict[Slot, None]]:
        """Return the steps that matter, in order, and the columns that they read from below."""
        live: dict[Slot, None] = dict.fromkeys(needed)
        kept: list[Step] = []
        for step in reversed(self.steps):
            made = _made(step)
            if isinstance(step, Compute | Unpack) and not (any(slot in live for slot in made) or _drops_rows(step)):
                continue
            for slot in made:
                live.pop(slot, None)
            live.update(dict.fromkeys(sorted(step.uses, key=lambda slot: slot.variable)))
            kept.append(step)
        return kept[::-1], live

    def _compile(
        self, steps: list[Step], needed: tuple[Slot, ...], header: "_Header"
    ) -> Callable[[Iterable[Value]], Tuples]:
        writer = _Writer(header)
        for step in steps:
            writer.step(step)
        writer.finish(needed)
        names = self._space.names
        exec(compile(writer.text, "<kql>", "exec"), names)  # noqa: S102 - see code.py: no text of the query is in it
        loop: Callable[[Iterable[Value]], Tuples] = names.pop("run")
        return loop


def _made(step: Step) -> tuple[Slot, ...]:
    match step:
        case Compute():
            return (step.slot,)
        case Filter():
            return ()
    return step.slots


def _drops_rows(step: Step) -> bool:
    return isinstance(step, Unpack) and step.required


@dataclass(frozen=True, slots=True)
class _Header:
    """How a loop reads its rows: dictionaries of a table, each column when first needed, or tuples all at once."""

    line: str
    columns: dict[Slot, str]

    @staticmethod
    def over_table(scan: Scan) -> "_Header":
        loads = {
            slot: f"row.get({slot.name!r}) or ''" if slot.type is Type.STRING else f"row.get({slot.name!r})"
            for slot in scan.slots
        }
        return _Header("for row in rows:", loads)

    @staticmethod
    def over_tuples(slots: tuple[Slot, ...]) -> "_Header":
        names = "".join(f"{slot.variable}, " for slot in slots)
        return _Header(f"for ({names}) in rows:" if names else "for _ in rows:", {})


class _Writer:
    """Writes the text of one loop."""

    def __init__(self, header: _Header) -> None:
        self._lines = ["def run(rows):", f"    {header.line}"]
        self._indent = " " * 8
        self._pending = dict(header.columns)

    @property
    def text(self) -> str:
        return "\n".join(self._lines)

    def _put(self, line: str) -> None:
        self._lines.append(self._indent + line)

    def _load(self, slots: Iterable[Slot]) -> None:
        for slot in sorted(slots, key=lambda each: each.variable):
            if load := self._pending.pop(slot, None):
                self._put(f"{slot.variable} = {load}")

    def step(self, step: Step) -> None:
        self._load(step.uses)
        match step:
            case Compute():
                self._put(f"{step.slot.variable} = {step.text}")
            case Filter():
                self._put(f"if not {step.text}: continue")
            case Expand():
                names = "".join(f"{slot.variable}, " for slot in step.slots)
                self._put(f"for ({names}) in {step.text}:")
                self._indent += "    "
            case Unpack():
                self._unpack(step)

    def _unpack(self, step: Unpack) -> None:
        names = "".join(f"{slot.variable}, " for slot in step.slots)
        self._put(f"found = {step.text}")
        if step.required:
            self._put("if found is None: continue")
        if names:
            self._put(f"({names}) = found")

    def finish(self, needed: tuple[Slot, ...]) -> None:
        self._load(set(needed))
        names = "".join(f"{slot.variable}, " for slot in needed)
        self._put(f"yield ({names})")


@dataclass(frozen=True, slots=True)
class SortColumn:
    """One key of a sort."""

    slot: Slot
    descending: bool
    nulls_first: bool


class Sort:
    """Rows in order; equal rows keep the order they came in. `limit` cuts the answer off."""

    def __init__(self, source: Node, keys: tuple[SortColumn, ...], limit: int | None = None) -> None:
        self._source = source
        self._keys = keys
        self._limit = limit

    def prepare(self, needed: tuple[Slot, ...]) -> Runner:
        """Ask below for the keys too, sort by the last key first, and leave the keys out that nobody reads."""
        extra = tuple(dict.fromkeys(key.slot for key in self._keys if key.slot not in needed))
        layout = needed + extra
        runner = self._source.prepare(layout)
        orders = [(_sort_key(key, layout.index(key.slot)), key.descending) for key in reversed(self._keys)]
        width, limit = len(needed), self._limit

        def run(rows: RowSource) -> Tuples:
            found = list(runner(rows))
            for order, descending in orders:
                found.sort(key=order, reverse=descending)
            cut = found if limit is None else found[:limit]
            return [row[:width] for row in cut] if extra else cut

        return run


def _sort_key(key: SortColumn, index: int) -> Callable[[tuple[Value, ...]], Value]:
    if key.slot.type is Type.STRING:
        return itemgetter(index)
    rank = 1 if key.nulls_first == key.descending else -1
    empty = (rank, 0)

    def order(row: tuple[Value, ...]) -> tuple[int, Value]:
        value = row[index]
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return empty
        return (0, value)

    return order


class Take:
    """The first rows, as they come."""

    def __init__(self, source: Node, limit: int) -> None:
        self._source = source
        self._limit = limit

    def prepare(self, needed: tuple[Slot, ...]) -> Runner:
        """Stop reading below once there are enough."""
        runner, limit = self._source.prepare(needed), self._limit
        return lambda rows: islice(runner(rows), limit)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One aggregate: what it reads, and the function from the group's rows (tuples of what it reads) to its values.

    It fills as many columns as `slots`; the function returns a tuple where there is more than one.
    """

    slots: tuple[Slot, ...]
    reads: tuple[Slot, ...]
    function: Callable[[list[tuple[Value, ...]]], Value]


class Group:
    """One row for each different combination of the keys, in the order in which they are first seen."""

    def __init__(
        self, source: Node, keys: tuple[tuple[Slot, Slot], ...], aggregates: tuple[Aggregate, ...], *, whole: bool
    ) -> None:
        self._source = source
        self._keys = keys
        self._aggregates = aggregates
        self._whole = whole

    def prepare(self, needed: tuple[Slot, ...]) -> Runner:
        """Compile for the aggregates that are read above; the keys are always grouped by."""
        used = [aggregate for aggregate in self._aggregates if any(slot in needed for slot in aggregate.slots)]
        layout = tuple(
            dict.fromkeys([below for _, below in self._keys] + [slot for each in used for slot in each.reads])
        )
        runner = self._source.prepare(layout)
        key_of = picker([layout.index(below) for _, below in self._keys])
        readers = [(_rows_of([layout.index(slot) for slot in each.reads]), each) for each in used]
        made = [slot for slot, _ in self._keys] + [slot for each in used for slot in each.slots]
        arrange = picker([made.index(slot) for slot in needed])
        whole = self._whole

        def run(rows: RowSource) -> Iterator[tuple[Value, ...]]:
            groups: dict[tuple[Value, ...], list[tuple[Value, ...]]] = {}
            for row in runner(rows):
                key = key_of(row)
                group = groups.get(key)
                if group is None:
                    groups[key] = [row]
                else:
                    group.append(row)
            if whole and not groups:
                groups[()] = []
            for key, group in groups.items():
                result = list(key)
                for reader, aggregate in readers:
                    value = aggregate.function(reader(group))
                    result.extend(value if len(aggregate.slots) > 1 else (value,))
                yield arrange(tuple(result))

        return run


def picker(indices: list[int]) -> Callable[[tuple[Value, ...]], tuple[Value, ...]]:
    """Return a function that takes these items out of a tuple, always as a tuple."""
    if not indices:
        return lambda _row: ()
    if len(indices) == 1:
        only = indices[0]
        return lambda row: (row[only],)
    return itemgetter(*indices)


def _rows_of(indices: list[int]) -> Callable[[list[tuple[Value, ...]]], list[tuple[Value, ...]]]:
    if not indices:
        return lambda rows: rows
    pick = picker(indices)
    return lambda rows: [pick(row) for row in rows]


class CountRows:
    """One row with the number of rows."""

    def __init__(self, source: Node) -> None:
        self._source = source

    def prepare(self, needed: tuple[Slot, ...]) -> Runner:
        """Ask below for no column at all."""
        runner, width = self._source.prepare(()), len(needed)
        return lambda rows: [(sum(1 for _ in runner(rows)),) * width]


class Concat:
    """The rows of several nodes, one after the other."""

    def __init__(self, legs: tuple[Node, ...]) -> None:
        self._legs = legs

    def prepare(self, needed: tuple[Slot, ...]) -> Runner:
        """Each leg gives the same columns."""
        runners = [leg.prepare(needed) for leg in self._legs]

        def run(rows: RowSource) -> Iterator[tuple[Value, ...]]:
            for runner in runners:
                yield from runner(rows)

        return run


class Tray:
    """The rows that one row expands to, while the operators of an mv-apply run over them."""

    def __init__(self, slots: tuple[Slot, ...]) -> None:
        self._slots = slots
        self.rows: list[tuple[Value, ...]] = []

    def prepare(self, needed: tuple[Slot, ...]) -> Runner:
        """Take the columns out of the rows that are there when it runs."""
        arrange = picker([self._slots.index(slot) for slot in needed])
        return lambda _: [arrange(row) for row in self.rows]


@dataclass(frozen=True, slots=True)
class Apply:
    """For each row of `source` what `inner` gives over the rows that `expand` makes of its `arrays`.

    A row that expands to none is left out, as an empty array is by mv-expand. `given` are the columns of `inner`; any
    other is one of `outer`, the row's own.
    """

    source: Node
    outer: tuple[Slot, ...]
    arrays: tuple[Slot, ...]
    expand: Callable[..., list[tuple[Value, ...]]]
    tray: Tray
    inner: Node
    given: frozenset[Slot]

    def prepare(self, needed: tuple[Slot, ...]) -> Runner:
        """Ask the operators for the columns that they give, and take the others from the row."""
        wanted = tuple(slot for slot in needed if slot in self.given)
        inner, runner = self.inner.prepare(wanted), self.source.prepare(self.outer + self.arrays)
        width, layout = len(self.outer), (*wanted, *self.outer)
        arrange = picker([layout.index(slot) for slot in needed])

        def run(rows: RowSource) -> Iterator[tuple[Value, ...]]:
            for row in runner(rows):
                own = row[:width]
                self.tray.rows = [(*own, *items) for items in self.expand(*row[width:])]
                if self.tray.rows:
                    yield from [arrange((*found, *own)) for found in inner(rows)]

        return run
