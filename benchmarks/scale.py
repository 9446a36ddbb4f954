"""A large fleet in one process: time, CPU and peak memory of each command as a whole program.

Run it with `python -m benchmarks scale`, or at another size by `python -m benchmarks.scale [machines] [subscriptions]`.
The fleet is the emulator's own mixed one, in several regions; the throttle is off and operations are over at once, so
that what is left is the client's work. The emulator shares the machine, so its core bounds the time of what reads much.

Must not: be part of what runs where no benchmark is named: at 100,000 machines it takes a quarter of an hour.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.stage import BIN, CLIENT_CORE, emulator, generate, pin

MACHINES = 100_000
SUBSCRIPTIONS = 100
_FINE = frozenset({0, 4, 10, 11})
"""Exit codes of a command that did its work, whatever it found."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One command, as its parent saw it."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    """Largest resident set, what is mapped from files included."""
    code: int


def measure(command: Sequence[str | Path], environment: Mapping[str, str]) -> Measured:
    """Run one command to its end on the client's core; its output goes nowhere."""
    started = time.perf_counter()
    process = subprocess.Popen(
        list(command),
        env=dict(environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: pin(CLIENT_CORE),
    )
    told = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in _FINE:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {process.returncode}: {told.decode()[-2000:]}")
    wall = time.perf_counter() - started
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode)


def run(folder: Path, machines: int, subscriptions: int) -> None:
    """Audit, plan, apply, and the finished run shown and resumed; one printed row each."""
    fleet = folder / f"mixed-{machines}.json"
    generate(fleet, machines, subscriptions)
    plan, state = folder / "plan.json", folder / "state"
    steps: dict[str, list[str | Path]] = {
        "audit -o json": ["audit", "--all", "-o", "json"],
        "plan": ["plan", "--all", "--out", plan],
        "apply": ["apply", plan, "--yes"],
        "runs show -o json": ["runs", "show", "-o", "json"],
        "runs resume, nothing left": ["runs", "resume"],
    }
    print(f"{machines:,} machines in {subscriptions} subscriptions")
    with emulator(fleet, "--throttle", "off", "--lro-seconds", "0") as ready:
        environment = os.environ | ready["env"] | {"PATCHMODE_STATE_DIR": str(state)}
        for name, arguments in steps.items():
            _tell(name, measure([BIN / "patchmode", *_where(name, ready), *arguments], environment))
    print(f"plan file {plan.stat().st_size / 2**20:.0f} MiB")


def _where(name: str, ready: Mapping[str, Any]) -> list[str]:
    # A run knows its own target.
    return [] if name.startswith("runs show") else ["--cloud", ready["endpoint"]]


def _tell(name: str, found: Measured) -> None:
    print(
        f"{name}: {found.wall_s:.1f} s, CPU {found.cpu_s:.1f} s, peak {found.peak_mib:.0f} MiB (exit {found.code})",
        flush=True,
    )


def main(machines: int = MACHINES, subscriptions: int = SUBSCRIPTIONS) -> None:
    """Measure in a temporary folder that holds the fleet, the plan and the run; at 100,000 machines about 2 GB."""
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), machines, subscriptions)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
