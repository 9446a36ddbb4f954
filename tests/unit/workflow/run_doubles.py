"""Runs of plans on the fleet double: with a real journal in a temporary folder, and with one that dies on demand."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from tests.unit.workflow.dying_journal import DyingJournal
from tests.unit.workflow.fleet_double import FleetDouble, LoopClock, run_virtually

from patchmode.errors import StorageError
from patchmode.model.guardrails import NAMES, RunGuardrails
from patchmode.model.left_alone import MachineError
from patchmode.model.plan import Plan
from patchmode.model.run import ChangeResult, RunReport
from patchmode.ports.run import Progress
from patchmode.store.runs import RunStore
from patchmode.workflow.run.applying import apply_plan
from patchmode.workflow.run.options import ApplyOptions
from patchmode.workflow.run.resuming import Interrupted, agreed, in_force


class Killed(BaseException):
    """Stands for the end of the process."""


class Watcher:
    """An observer that remembers."""

    def __init__(self, *, at_progress: Callable[[Progress], None] = lambda _: None) -> None:
        self.progress: list[Progress] = []
        self.remarks: list[str] = []
        self._at_progress = at_progress

    def progressed(self, progress: Progress) -> None:
        self.progress.append(progress)
        self._at_progress(progress)

    def remarked(self, text: str) -> None:
        self.remarks.append(text)


@contextmanager
def temporary_store() -> Iterator[RunStore]:
    # Thousands of runs are made here, and a flush to a real disk takes milliseconds: kept in memory where possible.
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield RunStore(Path(folder))


def apply_all(
    azure: FleetDouble,
    *,
    plan: Plan | None = None,
    options: ApplyOptions | None = None,
    observer: Watcher | None = None,
    stop: asyncio.Event | None = None,
) -> RunReport:
    """Plan the whole fleet, carry it out and give the report."""
    with temporary_store() as store:
        return apply_in(store, azure, plan=plan or azure.plan(), options=options, observer=observer, stop=stop)


def apply_in(
    store: RunStore,
    azure: FleetDouble,
    *,
    plan: Plan | None = None,
    options: ApplyOptions | None = None,
    observer: Watcher | None = None,
    stop: asyncio.Event | None = None,
) -> RunReport:
    """Carry a plan out; without one: take up the latest run."""

    async def main() -> RunReport:
        journal = store.open(for_writing=True) if plan is None else store.create(plan)
        return await apply_plan(
            journal, azure, options or ApplyOptions(), clock=LoopClock(), observer=observer, stop=stop
        )

    return run_virtually(main())


def resume(
    store: RunStore,
    azure: FleetDouble,
    *,
    is_agreed: bool = False,
    given: RunGuardrails | None = None,
    observer: Watcher | None = None,
) -> RunReport:
    """Take the latest run up with the brakes that it keeps.

    Args:
        is_agreed: somebody was told what failed and said yes.
        given: the fields that are set replace what is kept.
    """

    async def main() -> RunReport:
        journal = store.open(for_writing=True)
        found = Interrupted(journal)
        names = [name for name in NAMES if given is not None and getattr(given, name)]
        brakes = in_force(found.kept, given or RunGuardrails(), names, RunGuardrails())
        journal.keep_brakes(agreed(brakes, found) if is_agreed else brakes)
        return await apply_plan(journal, azure, clock=LoopClock(), observer=observer)

    return run_virtually(main())


def apply_until(
    store: RunStore,
    azure: FleetDouble,
    *,
    plan: Plan | None,
    at: int,
    committed: bool,
    end: BaseException | None = None,
) -> bool:
    """Carry a plan out (None: the latest run) until its journal ends (by default: its process dies).

    Returns:
        False where the run was over before.
    """

    def die() -> NoReturn:
        raise end or Killed

    async def main() -> None:
        journal = store.open(for_writing=True) if plan is None else store.create(plan)
        dying = DyingJournal(journal, at=at, committed=committed, die=die)
        await apply_plan(dying, azure, ApplyOptions(concurrency=3), clock=LoopClock())

    try:
        run_virtually(main())
    except (Killed, StorageError):
        return True
    return False


def error_of(result: ChangeResult) -> MachineError:
    assert result.error is not None
    return result.error
