"""How long the evaluator takes: ms per query at 1,000, 10,000 and 100,000 rows of `resources`, medians of five.

Run with `python benchmarks/kql.py [rows ...]`. The rows are the tests' generated estate; compiling is timed apart.
"""

import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from tests.emulator.kql.estate import estate
from tests.emulator.kql.published import QUERIES

from arm_emulator.kql import compile_query

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def milliseconds(work: Callable[[], object], repeats: int = 5) -> float:
    """The median of `repeats` runs."""
    found = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        found.append((time.perf_counter() - started) * 1000)
    return statistics.median(found)


def main(sizes: list[int]) -> None:
    tables = {size: estate(size) for size in sizes}
    print(f"{'query':32}{'compile':>9}" + "".join(f"{size:>10,}" for size in sizes))
    columns: dict[int, list[float]] = {size: [] for size in sizes}
    for name, (_, text) in QUERIES.items():
        plan = compile_query(text, now=NOW)
        line = f"{name:32}{milliseconds(lambda text=text: compile_query(text, now=NOW)):>9.2f}"
        for size in sizes:
            taken = milliseconds(lambda plan=plan, size=size: plan.run(lambda table: tables[size][table]))
            columns[size].append(taken)
            line += f"{taken:>10.2f}"
        print(line)
    print(f"{'median':32}{'':9}" + "".join(f"{statistics.median(columns[size]):>10.2f}" for size in sizes))


if __name__ == "__main__":
    main([int(each) for each in sys.argv[1:]] or [1_000, 10_000, 100_000])
