"""A large fleet in one process: time, CPU and peak memory of each command as a whole program.

Run it with `python -m benchmarks scale`, or at another size by `python -m benchmarks.scale [machines] [subscriptions]`.
The fleet is the emulator's own mixed one, in several regions; the throttle is off and operations are over at once, so
that what is left is the client's work. The emulator shares the machine, so its core bounds the time of what reads much.

Must not: be part of what runs where no benchmark is named: at 100,000 machines it takes a quarter of an hour.
"""

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.rows import Row
from benchmarks.stage import BIN, Measured, emulator, generate, measure

MACHINES = 100_000
SUBSCRIPTIONS = 100
STEPS: tuple[tuple[str, tuple[str, ...], float | None, float | None], ...] = (
    ("plan, written to a file", ("plan", "--all", "--out", "PLAN"), None, None),
    ("apply of that file", ("apply", "PLAN", "--yes"), None, 600),
    ("`runs show`, as JSON", ("runs", "show", "-o", "json"), 60, None),
    ("`runs resume`, nothing left to do", ("runs", "resume"), 60, None),
)
"""What it is, the command, and its bounds: seconds, and 10⁶ bytes. `Seconds` are taken to be less than a minute."""


def run(folder: Path, machines: int, subscriptions: int) -> list[Row]:
    """Plan, apply, and the finished run shown and resumed."""
    fleet = folder / f"mixed-{machines}.json"
    generate(fleet, machines, subscriptions)
    plan = folder / "plan.json"
    found: list[Row] = []
    with emulator(fleet, "--throttle", "off", "--lro-seconds", "0") as ready:
        environment = os.environ | ready["env"] | {"PATCHMODE_STATE_DIR": str(folder / "state")}
        for what, words, seconds, memory in STEPS:
            arguments = [str(plan) if word == "PLAN" else word for word in words]
            measured = measure([BIN / "patchmode", *_where(arguments, ready), *arguments], environment)
            found += _told(what, measured, seconds, memory)
            print(f"  {what}: {measured.wall_s:.0f} s", file=sys.stderr, flush=True)
    found.append(Row("the plan file", "", f"{plan.stat().st_size / 1e6:,.0f} MB"))
    return found


def _where(arguments: Sequence[str], ready: Mapping[str, Any]) -> list[str]:
    # A run knows its own target.
    return [] if arguments[:2] == ["runs", "show"] else ["--cloud", ready["endpoint"]]


def _told(what: str, found: Measured, seconds: float | None, memory_mb: float | None) -> list[Row]:
    return [
        Row(
            f"{what}: memory at its peak",
            "" if memory_mb is None else f"{memory_mb:g} MB",
            f"{found.peak_mb:.0f} MB",
            None if memory_mb is None else found.peak_mb <= memory_mb,
        ),
        Row(
            f"{what}: time",
            "" if seconds is None else f"{seconds:g} s",
            f"{found.wall_s:.1f} s (CPU {found.cpu_s:.1f} s)",
            None if seconds is None else found.wall_s <= seconds,
        ),
    ]


def rows(folder: Path) -> Sequence[Row]:
    """100,000 machines in 100 subscriptions; the folder takes about 2 GB."""
    return run(folder, MACHINES, SUBSCRIPTIONS)


def main(machines: int = MACHINES, subscriptions: int = SUBSCRIPTIONS) -> None:
    """Print another size."""
    with tempfile.TemporaryDirectory() as folder:
        for row in run(Path(folder), machines, subscriptions):
            print(row.told())


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
