"""Asking the evaluator in one call, for the tests."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from arm_emulator.kql import ResultTable, compile_query

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def ask(text: str, rows: Iterable[Mapping[str, object]], **tables: Iterable[Mapping[str, object]]) -> ResultTable:
    """The answer of `text`, `resources` being `rows` and every other table as given or empty."""
    return compile_query(text, now=NOW).run(lambda table: rows if table == "resources" else tables.get(table, []))
