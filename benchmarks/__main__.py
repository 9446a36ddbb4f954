"""Run the benchmarks: `python -m benchmarks [--page] [name …]`; without a name those that take minutes, not hours.

With `--page` every benchmark runs (or those that are named), and its table on the page of the reference is written anew
as soon as it is there. One that fails leaves no figure on the page: the page says why.

Must not: measure. This is the registry, the order and the printing.
"""

import argparse
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from benchmarks import console, emulator, large_audit, page, peers, prediction, product, scale, structure, throttled
from benchmarks.rows import Benchmark, Row

BENCHMARKS: dict[str, Benchmark] = {
    "requests": Benchmark(product.requests_per_machine),
    "cpu": Benchmark(product.cpu_per_machine),
    "throttled": Benchmark(throttled.one_region),
    "throttled-budget": Benchmark(throttled.with_budget),
    "throttled-large": Benchmark(throttled.estate, is_long=True),
    "peers": Benchmark(peers.main, is_long=True),
    "audit": Benchmark(product.audit),
    "large-audit": Benchmark(large_audit.rows, is_long=True),
    "start": Benchmark(product.start),
    "structure": Benchmark(structure.rows),
    "prediction": Benchmark(prediction.rows),
    "scale": Benchmark(scale.rows, is_long=True),
    "console": Benchmark(console.rows, is_long=True),
    "emulator": Benchmark(emulator.rows, is_long=True),
}
"""Every benchmark; its table stands on the page under the same name, and a test holds the two together."""


def main(names: Sequence[str], *, to_page: bool) -> int:
    """Run and print.

    Args:
        names: of the registry; empty: all that are not long, or all of them for the page.
        to_page: write the tables.

    Returns:
        The exit code: 1 where a benchmark could not be carried out. A bound that is missed is a figure, and no failure.
    """
    # Before anything runs: the page itself changes meanwhile.
    circumstances = page.circumstances()
    print(circumstances)
    chosen = names or [name for name, one in BENCHMARKS.items() if to_page or not one.is_long]
    failed = 0
    for name in chosen:
        print(f"\n{name}", flush=True)
        rows, why = _carried_out(name)
        failed += not rows
        for row in rows:
            print(f"  {row.told()}", flush=True)
        if to_page:
            _write(name, rows, why, circumstances)
    return 1 if failed else 0


def _carried_out(name: str) -> tuple[Sequence[Row], str]:
    """A benchmark's rows, or none and why."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return BENCHMARKS[name].run(Path(folder)), ""
        except (Exception, SystemExit) as error:  # noqa: BLE001  the others still have something to say
            traceback.print_exc()
            return (), f"it failed with {type(error).__name__} (commands and paths are in its output)."


def _write(name: str, rows: Sequence[Row], why: str, circumstances: str) -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    new = page.with_table(text, name, rows, circumstances) if rows else page.without_table(text, name, why)
    page.PAGE.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run the benchmarks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--page", action="store_true", help="run all, and write docs/reference/performance.md")
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in BENCHMARKS]:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    sys.exit(main(given.names, to_page=given.page))
