"""Runs as their journals tell them: the list, one report, and what was done to one machine.

A journal is opened, read and put away on one thread, beside the server.

Must not: write to a journal.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from patchmode.console.rooms import Rooms
from patchmode.errors import PatchmodeError
from patchmode.model.brakes import RunBrakes
from patchmode.model.outcome import ChangeResult, HeldMachines, Result, RunReport, RunSummary
from patchmode.model.plan import Plan
from patchmode.reports.plan_text import LeafChange, leaf_changes
from patchmode.workflow.ports import JournalEntry
from patchmode.workflow.resuming import Interrupted, Objection, in_force, machines_held, rolled_back_in_part
from patchmode.workflow.runs import report_of, result_of

LOOKED_AT = 50
"""The newest runs that a machine's history comes from."""


@dataclass(frozen=True, slots=True)
class RunPage:
    """One run."""

    report: RunReport
    plan: Plan
    standing: Interrupted
    """What is left of it, and what failed."""
    brakes: RunBrakes
    """What would hold it back if it were taken up here now."""
    objections: Sequence[Objection]
    """Why somebody must say yes before it goes on; empty: nobody must."""

    @property
    def left(self) -> int:
        """Changes and schedules that have not ended: what taking the run up has to do."""
        return self.standing.left + self.standing.schedules_left


@dataclass(frozen=True, slots=True)
class Done:
    """What one run did to one machine."""

    run: str
    created_at: datetime | None
    result: Result
    error: str
    leaves: Sequence[LeafChange]
    rollback_of: str | None
    is_verified: bool | None


class PastRuns:
    """The runs of the state folder.

    Args:
        rooms: what the journals are reached through.
        around: what is added to the brakes of a run that is taken up here.
    """

    def __init__(self, rooms: Rooms, around: RunBrakes) -> None:
        self._rooms = rooms
        self._around = around
        self._known: dict[str, tuple[str, Mapping[str, Done]]] = {}
        """Run → (state and number of ended changes, machine in lower case → what was done)."""

    async def list(self) -> Sequence[RunSummary]:
        """Every run, the newest first."""
        return await asyncio.to_thread(lambda: tuple(self._rooms.runs.list())[::-1])

    async def read(self, run: str) -> RunPage:
        """One run in full.

        Raises:
            UsageError: there is none. RefusedError, StorageError: it cannot be read.
        """
        return await asyncio.to_thread(self._read, run)

    async def holding(self, plan: Plan) -> Sequence[HeldMachines]:
        """The runs that have not ended and hold machines of a plan."""
        runs = self._rooms.runs
        return await asyncio.to_thread(lambda: machines_held(plan, runs.list(), runs.open))

    async def history(self, machine_id: str) -> Sequence[Done]:
        """What was done to a machine, the newest first; a run that cannot be read is left out, the list names it."""
        return await asyncio.to_thread(self._history, machine_id.casefold())

    def _read(self, run: str) -> RunPage:
        journal = self._rooms.runs.open(run)
        try:
            standing = Interrupted(journal, rolled_back_in_part(self._rooms.runs.list(), journal.run))
            brakes = in_force(standing.kept, RunBrakes(), (), self._around)
            return RunPage(report_of(journal), journal.plan, standing, brakes, standing.needs_yes(brakes))
        finally:
            journal.release()

    def _history(self, key: str) -> Sequence[Done]:
        found = []
        for summary in tuple(self._rooms.runs.list())[: -LOOKED_AT - 1 : -1]:
            done = self._of(summary).get(key)
            if done is not None:
                found.append(done)
        return found

    def _of(self, summary: RunSummary) -> Mapping[str, Done]:
        mark = f"{summary.state} {summary.ended} {summary.sent}"
        known = self._known.get(summary.run)
        if known is not None and known[0] == mark:
            return known[1]
        try:
            journal = self._rooms.runs.open(summary.run)
        except PatchmodeError:
            return {}
        try:
            done = {str(one.change.id).casefold(): _done(one, summary) for one in journal.entries()}
        except PatchmodeError:
            return {}
        finally:
            journal.release()
        self._known[summary.run] = mark, done
        return done


def _done(entry: JournalEntry, summary: RunSummary) -> Done:
    result: ChangeResult = result_of(entry)
    seen = result.verification
    return Done(
        run=summary.run,
        created_at=summary.created_at,
        result=result.result,
        error=result.error.message if result.error else "",
        leaves=leaf_changes(entry.change),
        rollback_of=summary.rollback_of,
        is_verified=None if seen is None else seen.verified,
    )
