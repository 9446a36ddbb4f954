"""The product on the clock that is shared with the emulator: one plan into a file, or one apply of that file.

Each is a process of its own, so that its peak of memory is its own. Prints its figures as one JSON line.
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from tests.faults.one_clock import OneClock

from benchmarks.shared_clock import SharedTime, on_the_wire, run_on, signed_in
from patchmode.arm.session import CONNECTIONS, connect
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.plan import Plan
from patchmode.model.scope import Scope
from patchmode.store.plan_file import read_plan, write_plan
from patchmode.store.runs import RunStore
from patchmode.workflow.inventory.planning import make_plan
from patchmode.workflow.run.applying import apply_plan
from patchmode.workflow.run.guardrails import MaxFailures
from patchmode.workflow.run.options import ApplyOptions

WANTED = WantedSettings(orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES)
REFILL_S = 120.0
"""What passes between plan and apply: the service's buckets are full again, as the product takes them to be."""


async def plan(given: argparse.Namespace) -> dict[str, Any]:
    clock = OneClock()
    async with signed_in(connect(given.endpoint, read_only=True, clock=clock)) as azure:
        started = clock.monotonic()
        made = await make_plan(azure, Scope(everything=True), WANTED, clock=clock)
        took = clock.monotonic() - started
    write_plan(made, given.plan)
    return {"clock_s": took, "changes": len(made.changes)}


async def apply(given: argparse.Namespace, wanted: Plan, how: ApplyOptions) -> dict[str, Any]:
    clock, at_once = OneClock(), how.at_once(wanted)
    opening = connect(given.endpoint, read_only=False, clock=clock, connections=max(CONNECTIONS, at_once))
    async with signed_in(opening) as azure:
        journal = RunStore(given.state).create(wanted)
        started = clock.monotonic()
        report = await apply_plan(journal, azure, how, clock=clock)
        took = clock.monotonic() - started
    return {
        "clock_s": took,
        "started_s": started,
        "concurrency": at_once,
        "changes": len(wanted.changes),
        "applied": report.counts.applied,
        "verified": report.counts.verified,
        "requests": dict(report.requests),
    }


def peak_mb() -> float:
    """This process's own peak of memory in 10⁶ bytes; getrusage's would hold that of whoever started it."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def main(given: argparse.Namespace) -> None:
    shared = SharedTime(given.time_file)
    begun = time.process_time(), time.perf_counter()
    if given.what == "plan":
        with on_the_wire(given.latency, CONNECTIONS):
            figures = run_on(shared, lambda: plan(given), after_s=REFILL_S)
    else:
        wanted = read_plan(given.plan)
        budget = None if given.max_failures is None else MaxFailures.parse(given.max_failures)
        how = ApplyOptions(concurrency=given.concurrency, max_failures=budget)
        # As many sockets as the command line opens.
        with on_the_wire(given.latency, max(CONNECTIONS, how.at_once(wanted))):
            figures = run_on(shared, lambda: apply(given, wanted, how), after_s=REFILL_S)
    figures |= {"cpu_s": time.process_time() - begun[0], "wall_s": time.perf_counter() - begun[1]}
    print(json.dumps(figures | {"peak_mb": peak_mb()}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("plan", "apply"))
    parser.add_argument("--endpoint", required=True)
    for name in ("--time-file", "--plan", "--state"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--concurrency", type=int)
    parser.add_argument("--max-failures")
    parser.add_argument("--latency", type=float, required=True)
    main(parser.parse_args())
