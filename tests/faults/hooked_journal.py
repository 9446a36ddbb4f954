"""A run's journal that calls somebody before and after each step: the disk, a signal, another writer strikes there."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NoReturn

from tests.unit.workflow.dying_journal import DyingJournal

from patchmode.model.resource_id import ResourceId
from patchmode.model.run import ChangeResult
from patchmode.model.schedule import AttachResult
from patchmode.ports.azure import Azure, PatchAnswer
from patchmode.ports.run import Observed
from patchmode.store.journal import Journal


@dataclass(frozen=True, slots=True)
class JournalStep:
    """One step of a run's journal, about to be written or just written."""

    number: int
    """From 0."""
    kind: str
    """The journal's method."""
    machines: frozenset[str]
    committed: bool
    """Whether it is on the disk by now."""
    azure: Azure


Hook = Callable[[JournalStep], Awaitable[None]]
"""Called before and after each step of the journal."""


class HookedJournal(DyingJournal):
    """A journal with a hook before and after each of its steps; an exception out of the hook ends the run there."""

    def __init__(self, journal: Journal, hook: Hook, azure: Azure) -> None:
        super().__init__(journal, at=-1, committed=False, die=_never)
        self._hook, self._azure = hook, azure

    async def intend(
        self, machine_id: ResourceId, *, etag: str | None, at: datetime, observed: Observed | None = None
    ) -> None:
        async with self._between("intend", machine_id):
            await self._journal.intend(machine_id, etag=etag, at=at, observed=observed)

    async def start(self, machine_id: ResourceId, answer: PatchAnswer, *, at: datetime) -> None:
        async with self._between("start", machine_id):
            await self._journal.start(machine_id, answer, at=at)

    async def end_all(self, results: Sequence[ChangeResult]) -> None:
        async with self._between("end", *(one.id for one in results)):
            await self._journal.end_all(results)

    async def intend_attachment(self, machine_id: ResourceId, *, at: datetime) -> None:
        async with self._between("intend_attachment", machine_id):
            await self._journal.intend_attachment(machine_id, at=at)

    async def end_attachment(self, result: AttachResult) -> None:
        async with self._between("end_attachment", ResourceId.parse(result.id)):
            await self._journal.end_attachment(result)

    @asynccontextmanager
    async def _between(self, kind: str, *machines: ResourceId) -> AsyncIterator[None]:
        step = JournalStep(self.steps, kind, frozenset(one.name for one in machines), False, self._azure)
        self.steps += 1
        await self._hook(step)
        yield
        await self._hook(replace(step, committed=True))


def _never() -> NoReturn:
    raise AssertionError("this journal does not die")
