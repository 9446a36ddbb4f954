"""The audit of 100,000 machines in 100 subscriptions: as a whole program without a throttle, and under Azure's quota.

Run it with `python -m benchmarks large-audit`. Under the quota, client and emulator share one clock that leaps over
every wait, so what is measured is the pace alone: when the last Resource Graph query leaves, against when 15 queries in
5 s let the last of so many leave. That part is a process of its own, which holds the emulator's fleet too: a program
that is started from a large process would be charged with that one's memory.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from tests.faults.one_clock import OneClock, run_leaping, serving

from arm_emulator.fleets import read_fleet
from arm_emulator.ledger import Entry
from benchmarks.scale import MACHINES, SUBSCRIPTIONS, Measured, measure
from benchmarks.stage import BIN, emulator, generate
from patchmode.arm.session import connect
from patchmode.model.scope import Scope
from patchmode.workflow.auditing import audit

ROUNDS = 3
BOUND_S, BOUND_MB = 30.0, 500.0
PACE_BOUND = 1.05
QUERIES, WINDOW_S = 15, 5.0
"""Resource Graph's published quota, "Guidance for throttled requests"."""


@dataclass(frozen=True, slots=True)
class Paced:
    """An audit under the quota, in seconds of the one clock since its first query left."""

    machines: int
    queries: int
    """Resource Graph queries that were sent, refused ones included."""
    refused: int
    """Of these, answered 429."""
    last_s: float
    """When the last one left."""
    allowed_s: float
    """When the quota lets the last of so many leave."""
    cpu_s: float
    """Of client and emulator together, the loading of the fleet left out."""
    wall_s: float

    @property
    def ratio(self) -> float:
        """The pace, as a share of the bound; 1: as fast as the quota allows."""
        return self.last_s / self.allowed_s if self.allowed_s else 1.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What a table needs."""

    unthrottled: Measured
    """Medians of the whole program."""
    paced: Paced


def unthrottled(fleet: Path) -> Measured:
    """The whole program, from start to exit, throttle off; medians."""
    with emulator(fleet, "--throttle", "off") as ready:
        command = [BIN / "patchmode", "--cloud", ready["endpoint"], "audit", "--all", "-o", "json"]
        found = [measure(command, os.environ | ready["env"]) for _ in range(ROUNDS)]
    return Measured(
        wall_s=statistics.median(entry.wall_s for entry in found),
        cpu_s=statistics.median(entry.cpu_s for entry in found),
        peak_mib=statistics.median(entry.peak_mib for entry in found),
        code=found[0].code,
    )


def allowed_s(queries: int) -> float:
    """Seconds after the first query at which the last of so many may leave: a window's queries all at its start."""
    return max(0, queries - 1) // QUERIES * WINDOW_S


async def paced(fleet: Path) -> Paced:
    """One audit on the leaping loop's clock, under the published quota."""
    async with serving(fleet=read_fleet(str(fleet)), lro_seconds=0) as (cloud, endpoint):
        started = time.process_time(), time.perf_counter()
        clock = OneClock()
        async with connect(endpoint, read_only=True, clock=clock) as azure:
            report = await audit(azure, Scope(everything=True), clock=clock)
        spent = time.process_time() - started[0], time.perf_counter() - started[1]
        asked = list(_queries(cloud.ledger.entries))
    left = [datetime.fromisoformat(entry.at) for entry in asked]
    return Paced(
        machines=len(report.machines),
        queries=len(asked),
        refused=sum(entry.status == 429 for entry in asked),
        last_s=(left[-1] - left[0]).total_seconds(),
        allowed_s=allowed_s(len(asked)),
        cpu_s=spent[0],
        wall_s=spent[1],
    )


def _queries(entries: Iterable[Entry]) -> Iterable[Entry]:
    return (entry for entry in entries if entry.path.lower() == "/providers/microsoft.resourcegraph/resources")


def _paced_apart(fleet: Path) -> Paced:
    command = [sys.executable, "-m", "benchmarks.large_audit", fleet]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return Paced(**json.loads(done.stdout))


def main(folder: Path, machines: int = MACHINES, subscriptions: int = SUBSCRIPTIONS) -> Figures:
    """Measure both, print a line each, and return the figures. Takes about two minutes."""
    fleet = folder / f"mixed-{machines}.json"
    generate(fleet, machines, subscriptions)
    found = Figures(unthrottled(fleet), _paced_apart(fleet))
    alone, pace = found.unthrottled, found.paced
    print(
        f"audit of {machines:,} machines in {subscriptions} subscriptions, throttle off: {alone.wall_s:.1f} s "
        f"(bound {BOUND_S:.0f}), CPU {alone.cpu_s:.1f} s, peak {alone.peak_mib:.0f} MiB (bound {BOUND_MB:.0f} MB); "
        f"medians of {ROUNDS}"
    )
    print(
        f"the same under the quota, one clock: {pace.queries} queries, the last after {pace.last_s:.1f} s; "
        f"{QUERIES} in {WINDOW_S:.0f} s allow {pace.allowed_s:.1f} s; ratio {pace.ratio:.3f} (bound {PACE_BOUND}); "
        f"429s: {pace.refused}; CPU of both sides {pace.cpu_s:.1f} s, wall {pace.wall_s:.1f} s"
    )
    return found


if __name__ == "__main__":
    print(json.dumps(asdict(run_leaping(paced(Path(sys.argv[1]))))))
