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
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from tests.faults.one_clock import OneClock, run_leaping, serving

from arm_emulator.ledger import Entry
from arm_emulator.named_fleets import read_fleet
from benchmarks.rows import Row, at_most
from benchmarks.scale import MACHINES, SUBSCRIPTIONS
from benchmarks.stage import BIN, Measured, emulator, generate, measure
from patchmode.arm.session import connect
from patchmode.model.scope import Scope
from patchmode.workflow.inventory.audit import audit

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


def unthrottled(fleet: Path) -> Measured:
    """The whole program, from start to exit, throttle off; medians."""
    with emulator(fleet, "--throttle", "off") as ready:
        command = [BIN / "patchmode", "--cloud", ready["endpoint"], "audit", "--all", "-o", "json"]
        found = [measure(command, os.environ | ready["env"]) for _ in range(ROUNDS)]
    return Measured(
        wall_s=statistics.median(entry.wall_s for entry in found),
        cpu_s=statistics.median(entry.cpu_s for entry in found),
        peak_mb=statistics.median(entry.peak_mb for entry in found),
        code=found[0].code,
        told=found[0].told,
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


def rows(folder: Path) -> Sequence[Row]:
    """Both, on the same fleet; about a minute on a quiet machine."""
    fleet = folder / f"mixed-{MACHINES}.json"
    generate(fleet, MACHINES, SUBSCRIPTIONS)
    alone, pace = unthrottled(fleet), _paced_apart(fleet)
    what = f"{MACHINES:,} machines in {SUBSCRIPTIONS} subscriptions"
    return [
        at_most(
            f"{what}, throttle off: time", alone.wall_s, BOUND_S, unit="s", digits=1, more=f"CPU {alone.cpu_s:.1f} s"
        ),
        at_most("the same: memory at its peak", alone.peak_mb, BOUND_MB, unit="MB"),
        at_most(
            "the same under the quota, on one clock: when the last query leaves, to when it may",
            pace.ratio,
            PACE_BOUND,
            digits=3,
            more=f"{pace.queries} queries, {pace.last_s:.1f} s to {pace.allowed_s:.1f} s; CPU of both sides "
            f"{pace.cpu_s:.0f} s, wall {pace.wall_s:.0f} s",
        ),
        at_most("429 answers", pace.refused, 0),
    ]


if __name__ == "__main__":
    print(json.dumps(asdict(run_leaping(paced(Path(sys.argv[1]))))))
