"""`python -m tests.faults.dying_apply STATE_DIR AT COMMITTED [SCHEDULE]`: apply, or resume the latest run, and die.

It dies by SIGKILL. With SCHEDULE, the id of a maintenance configuration, the plan attaches it.

AT is the number of the journal's step at which this process kills itself, before (COMMITTED 0) or after (1) that step
is on the disk; -1: never. The target and the credential come from the environment, as for `patchmode` itself.
"""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from tests.unit.workflow.dying_journal import DyingJournal

from patchmode.arm.session import connect
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.schedule import AttachEnd
from patchmode.model.scope import Scope
from patchmode.store.runs import RunStore
from patchmode.timing import ScaledClock
from patchmode.workflow.inventory.planning import make_plan
from patchmode.workflow.run.applying import apply_plan
from patchmode.workflow.run.options import ApplyOptions


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    while True:  # the signal is on its way
        time.sleep(1)


async def main(state_dir: Path, at: int, committed: bool, schedule: str | None) -> None:
    store, clock = RunStore(state_dir), ScaledClock(10)
    wanted = WantedSettings(orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES)
    async with connect(os.environ["PATCHMODE_CLOUD"], read_only=False, clock=clock) as azure:
        if store.latest() is None:
            plan = await make_plan(azure, Scope(everything=True), wanted, clock=clock, then_attach=schedule)
            journal = store.create(plan)
        else:
            journal = store.open(for_writing=True)
        dying = DyingJournal(journal, at=at, committed=committed, die=die)
        report = await apply_plan(dying, azure, ApplyOptions(concurrency=1), clock=clock)
        attached = sum(one.result is AttachEnd.ATTACHED for one in report.attachments)
        told = (dying.steps, report.state, report.counts.applied, report.counts.verified, attached)
        sys.stdout.write(" ".join(map(str, told)) + "\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "1", (*sys.argv[4:], None)[0]))
