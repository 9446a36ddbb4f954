"""A compiled query, and the answer it gives.

`compile_query` and what it returns is all that the rest of the emulator uses of this package. Must not know HTTP,
paging or where rows come from.
"""

import math
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from arm_emulator.kql import (
    functions_core,
    functions_dynamic,
    functions_hash,
    functions_math,
    functions_network,
    functions_text,
    functions_time,
)
from arm_emulator.kql.binder_queries import Facts, QueryBinder
from arm_emulator.kql.code import Namespace
from arm_emulator.kql.datetimes import format_datetime, format_timespan
from arm_emulator.kql.errors import Code, KqlError
from arm_emulator.kql.parser import parse
from arm_emulator.kql.plan import RowSource, Runner
from arm_emulator.kql.together import check_together
from arm_emulator.kql.types import Column, Type
from arm_emulator.kql.values import Value, decimal_text, real_text

# Importing these fills the registry of functions.
FUNCTION_ROOMS = (
    functions_core,
    functions_dynamic,
    functions_hash,
    functions_math,
    functions_network,
    functions_text,
    functions_time,
)


@dataclass(frozen=True, slots=True)
class ResultTable:
    """The answer of a query: its columns in order, and rows of values that JSON can write.

    Datetimes and timespans are their texts, and numbers that JSON cannot write too. Values inside a dynamic column are
    those of the caller's rows and must not be changed.
    """

    columns: list[Column]
    rows: list[tuple[Value, ...]]

    def as_objects(self) -> list[dict[str, Value]]:
        """Return one dictionary for each row; nulls and empty strings are written out, as Resource Graph does."""
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]


class CompiledQuery:
    """A query that was accepted; it can be run any number of times, on one thread at a time."""

    def __init__(self, columns: list[Column], runner: Runner, space: Namespace, facts: Facts) -> None:
        self.columns = columns
        self._runner = runner
        self._space = space
        self._facts = facts

    @property
    def tables(self) -> frozenset[str]:
        """The names, in lower case, of the tables that are read."""
        return frozenset(self._facts.types)

    @property
    def has_limit(self) -> bool:
        """Whether the query itself cuts its answer with take, limit or top; there is then no paging by token."""
        return self._facts.has_limit

    @property
    def projects_id(self) -> bool:
        """Whether the answer has a column named id, which Resource Graph needs for paging by token."""
        return any(column.name == "id" for column in self.columns)

    def type_filter(self, table: str) -> frozenset[str] | None:
        """Return the resource types, in lower case, outside of which no row of `table` matters; None for no limit."""
        return self._facts.types.get(table.lower())

    def run(self, source: RowSource) -> ResultTable:
        """Answer the query from the rows that `source` gives for a table's name in lower case.

        A row is a dictionary by column; a missing key counts as null. Raises `KqlError` where the values drive the
        answer out of what can be held.
        """
        for name, runner, whole in self._facts.late:
            rows = list(runner(source))
            first = rows[0][0] if rows else None
            self._space.names[name] = [row[0] for row in rows] if whole else first
        try:
            found = list(self._runner(source))
        except (RecursionError, OverflowError, MemoryError) as error:
            raise KqlError("The query is too complex to run.", Code.SEMANTICS, 1, 0, "") from error
        return ResultTable(self.columns, written(self.columns, found))


def written(columns: list[Column], rows: list[tuple[Value, ...]]) -> list[tuple[Value, ...]]:
    """Return rows in which every value is one that JSON writes."""
    writers = {index: _WRITERS[column.type] for index, column in enumerate(columns) if column.type in _WRITERS}
    if not writers:
        return rows
    changed: list[tuple[Value, ...]] = []
    for row in rows:
        values = list(row)
        for index, write in writers.items():
            if values[index] is not None:
                values[index] = write(values[index])
        changed.append(tuple(values))
    return changed


def _real(value: float) -> Value:
    return value if math.isfinite(value) else real_text(value)


_WRITERS: dict[Type, Callable[[Value], Value]] = {
    Type.DATETIME: format_datetime,
    Type.TIMESPAN: format_timespan,
    Type.REAL: _real,
    Type.DECIMAL: decimal_text,
}


# A text with one of these functions means another query at each moment; any other text always means the same one.
_ASKS_FOR_THE_MOMENT: Final = re.compile(r"\b(?:now|ago)\s*\(", re.IGNORECASE)
_ANY_MOMENT: Final = datetime(2000, 1, 1, tzinfo=UTC)
# Clients send the same few texts over and over; long ones are lists of ids, of which no two are alike.
_KEPT_TEXTS: Final = 256
_KEPT_LENGTH: Final = 20_000


def compile_query(text: str, *, now: datetime, checks_tables: bool = False, listed_only: bool = False) -> CompiledQuery:
    """Compile the text of a query; `now` is the aware moment that `now()` and `ago()` count from.

    With `checks_tables` a query that brings more tables together than is documented is refused, with `listed_only` one
    with an operator that the documentation does not list. A text that does not depend on the moment is compiled once
    for each thread.

    Raises `KqlError`, and nothing else, for a query that Resource Graph refuses or that is not carried out here.
    """
    if len(text) > _KEPT_LENGTH or _ASKS_FOR_THE_MOMENT.search(text):
        return _compiled(text, now, checks_tables, listed_only)
    return _KEPT.compiled(text, _ANY_MOMENT, checks_tables, listed_only)


def _compiled(text: str, now: datetime, checks_tables: bool, listed_only: bool) -> CompiledQuery:
    try:
        binder = QueryBinder(now)
        program = parse(text, listed_only=listed_only)
        if checks_tables:
            check_together(program)
        relation = binder.program(program)
        runner = relation.node().prepare(relation.row.slots)
    except (RecursionError, MemoryError, SyntaxError) as error:
        raise KqlError("The query is nested too deeply.", Code.SEMANTICS, 1, 0, text[:20]) from error
    columns = [Column(slot.name, slot.type) for slot in relation.row.slots]
    return CompiledQuery(columns, runner, binder.space, binder.facts)


class _Kept(threading.local):
    """The compiled queries of one thread, since a query may run on one thread at a time."""

    def __init__(self) -> None:
        self.compiled = lru_cache(_KEPT_TEXTS)(_compiled)


_KEPT: Final = _Kept()
