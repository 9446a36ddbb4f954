"""One plan and one apply of the product, as a program: prints figures and the requests that the apply sent, as JSON.

Arguments: endpoint, state folder, concurrency, file for the report.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from patchmode.arm.session import connect
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.scope import Scope
from patchmode.store.runs import RunStore
from patchmode.timing import SystemClock
from patchmode.workflow.inventory.planning import make_plan
from patchmode.workflow.run.applying import apply_plan
from patchmode.workflow.run.options import ApplyOptions

WANTED = WantedSettings(orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES)


async def main(endpoint: str, state: str, concurrency: int, output: str) -> None:
    clock = SystemClock()
    async with connect(endpoint, read_only=False, clock=clock, connections=concurrency) as azure:
        plan = await make_plan(azure, Scope(everything=True), WANTED, clock=clock)
        planned = azure.ledger.by_method()
        journal = RunStore(Path(state)).create(plan)
        started = time.process_time(), time.perf_counter()
        report = await apply_plan(journal, azure, ApplyOptions(), clock=clock)
        figures = {
            "cpu": time.process_time() - started[0],
            "wall": time.perf_counter() - started[1],
            "changes": len(plan.changes),
            "applied": report.counts.applied,
            "verified": report.counts.verified,
            "planRequests": planned,
            "applyRequests": report.requests,
            "allRequests": azure.ledger.by_method(),
            "changesSent": [{"url": str(c.id), "body": c.body, "etag": c.etag} for c in plan.changes],
        }
    Path(output).write_text(json.dumps(figures), encoding="utf-8")


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))
