"""Answers of Resource Graph that hold a whole table of a small fleet, kept for the rest of one command.

A command asks about the same tables several times, for the scope, for schedules and for outcomes, and one query may
bring several tables. Resource Graph lags its providers by seconds to minutes anyway, so an answer is good for some
seconds, until this connection has sent anything that may change something: from then on nothing is kept, since when a
change shows in Resource Graph is not known.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from patchmode.ports.azure import GraphScope

AT_MOST = 1_000
"""Rows of a table: one page. A larger table is read again, since keeping it would cost a fleet's memory."""
KEPT_S = 10.0


class Table(Enum):
    """What is asked for as a whole."""

    MACHINES = auto()
    GROUPS = auto()
    CONFIGURATIONS = auto()
    TOPICS = auto()
    ASSIGNMENTS = auto()


@dataclass(frozen=True, slots=True)
class _Answer:
    subscriptions: frozenset[str]
    """In lower case; empty: all that are seen."""
    rows: Sequence[Any]
    at: float


class Answers:
    """The last whole answer for each table.

    Args:
        now: seconds of a clock.
        writes: how many requests that may change something have left so far.
    """

    def __init__(self, now: Callable[[], float], writes: Callable[[], int]) -> None:
        self._now = now
        self._writes = writes
        self._kept: dict[Table, _Answer] = {}

    def forget(self) -> None:
        """Find nothing of what was kept so far."""
        self._kept.clear()

    def keep(self, table: Table, scope: GraphScope, rows: Sequence[Any]) -> None:
        """Remember every row of a table in a scope, where they are few."""
        if scope.management_groups or len(rows) > AT_MOST or self._writes():
            return
        subscriptions = frozenset(one.lower() for one in scope.subscriptions)
        self._kept[table] = _Answer(subscriptions, tuple(rows), self._now())

    def find(self, table: Table, scope: GraphScope, place: Callable[[Any], str | None]) -> Sequence[Any] | None:
        """The rows of a table in a scope; None: they have to be asked for.

        Args:
            table: what is asked for.
            scope: where.
            place: a row's subscription in lower case; a row that names none belongs to every scope.
        """
        kept = self._kept.get(table)
        if kept is None or scope.management_groups or self._writes():
            return None
        if self._now() - kept.at > KEPT_S:
            return None
        wanted = frozenset(one.lower() for one in scope.subscriptions)
        if kept.subscriptions and (not wanted or not wanted <= kept.subscriptions):
            return None
        if not wanted:
            return kept.rows
        return [row for row in kept.rows if (where := place(row)) is None or where in wanted]
