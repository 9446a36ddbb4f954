"""SIGTERM at each step of the journal: what is under way is followed to its end, nothing new is sent, resume ends it.

The signal is a real one, and what catches it is what catches it for every command that writes.
"""

import asyncio
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.faults.hooked_journal import HookedJournal, JournalStep
from tests.faults.one_clock import environment_of
from tests.faults.stage import ends_of, fleet_of
from tests.faults.test_sigkill import CONFIGURATION, SCHEDULE_STEPS, WITH_SCHEDULE, patches_of

from arm_emulator.testing import Running, running
from patchmode.arm.session import connect
from patchmode.cli.running import STOPPING, run_writing
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.run import RunReport
from patchmode.model.scope import Scope
from patchmode.store.runs import RunStore
from patchmode.timing import ScaledClock
from patchmode.workflow.inventory.planning import make_plan
from patchmode.workflow.run.applying import apply_plan
from patchmode.workflow.run.options import ApplyOptions

WANTED = WantedSettings(orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES)


@dataclass(slots=True)
class Terminal:
    """Who runs the command and is told what it remarks."""

    emulator: Running
    state: Path
    remarks: list[str] = field(default_factory=list)

    def carry_out(self, *, at: int = -1, committed: bool = False) -> RunReport:
        """Apply, or take up the latest run; the signal comes at a step."""

        async def strike(step: JournalStep) -> None:
            if (step.number, step.committed) == (at, committed):
                os.kill(os.getpid(), signal.SIGTERM)

        async def work(stop: asyncio.Event) -> RunReport:
            store, clock = RunStore(self.state), ScaledClock(50)
            async with connect(self.emulator.endpoint, read_only=False, clock=clock) as azure:
                if store.latest() is None:
                    scope = Scope(everything=True)
                    journal = store.create(
                        await make_plan(azure, scope, WANTED, clock=clock, then_attach=CONFIGURATION)
                    )
                else:
                    journal = store.open(for_writing=True)
                struck = HookedJournal(journal, strike, azure)
                return await apply_plan(struck, azure, ApplyOptions(concurrency=1), clock=clock, stop=stop)

        with environment_of(self.emulator.env):
            return run_writing(work, remark=self.remarks.append)


def outcome_of(emulator: Running) -> Any:
    """The fleet, etags included, what is attached, and the PATCHes that were sent."""
    return (*fleet_of(emulator.emulator), patches_of(emulator))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What becomes of the fleet when nobody disturbs the run."""
    with running(fleet=WITH_SCHEDULE, lro_seconds=0) as emulator:
        terminal = Terminal(emulator, tmp_path_factory.mktemp("state"))
        assert terminal.carry_out().state == "finished"
        assert terminal.remarks == []
        return outcome_of(emulator)


@pytest.mark.parametrize("committed", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(SCHEDULE_STEPS))
def test_stopped_at_a_step_and_resumed(undisturbed: Any, tmp_path: Path, step: int, committed: bool) -> None:
    with running(fleet=WITH_SCHEDULE, lro_seconds=0) as emulator:
        terminal = Terminal(emulator, tmp_path)
        stopped = terminal.carry_out(at=step, committed=committed)
        assert terminal.remarks == [STOPPING]
        changes, schedules = ends_of(stopped)
        assert set(changes.values()) <= {"applied", "notSent Stopped"}
        assert set(schedules.values()) <= {"attached", "notSent Stopped"}
        left = {*changes.values(), *schedules.values()} - {"applied", "attached"}
        assert stopped.state == ("interrupted" if left else "finished")
        assert ends_of(terminal.carry_out()) == ({"web": "applied"}, {"web": "attached", "right": "attached"})
        assert outcome_of(emulator) == undisturbed
