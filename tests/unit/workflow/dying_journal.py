"""A run's journal whose process dies at a chosen step. The crash point is the port: the product knows nothing of it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

from patchmode.model.guardrails import Halt, RunGuardrails
from patchmode.model.plan import Plan
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import ChangeResult
from patchmode.model.schedule import AttachResult
from patchmode.ports.azure import PatchAnswer
from patchmode.ports.run import AttachmentEntry, JournalEntry, Observed
from patchmode.store.journal import Journal


class DyingJournal:
    """A journal that ends at the n-th step it writes down (from 0), before or after that step is committed.

    Args:
        die: what ends it: raises, or kills this very process.
    """

    def __init__(self, journal: Journal, *, at: int, committed: bool, die: Callable[[], NoReturn]) -> None:
        self._die = die
        self._journal = journal
        self._at = at
        self._committed = committed
        self._dead = False
        self.steps = 0

    @property
    def run(self) -> str:
        return self._journal.run

    @property
    def plan(self) -> Plan:
        return self._journal.plan

    @property
    def state(self) -> str:
        return self._journal.state

    @property
    def brakes(self) -> RunGuardrails | None:
        return self._journal.brakes

    @property
    def halts(self) -> Sequence[Halt]:
        return self._journal.halts

    def keep_brakes(self, brakes: RunGuardrails) -> None:
        self._journal.keep_brakes(brakes)

    def keep_halts(self, halts: Sequence[Halt]) -> None:
        self._journal.keep_halts(halts)

    def entries(self) -> Sequence[JournalEntry]:
        return self._journal.entries()

    def begin_session(self, sent: Callable[[], Mapping[str, int]]) -> None:
        self._journal.begin_session(sent)

    @property
    def tells_all_requests(self) -> bool:
        return self._journal.tells_all_requests

    def requests(self) -> Mapping[str, int]:
        return self._journal.requests()

    async def intend(
        self, machine_id: ResourceId, *, etag: str | None, at: datetime, observed: Observed | None = None
    ) -> None:
        await self._step(lambda: self._journal.intend(machine_id, etag=etag, at=at, observed=observed))

    async def start(self, machine_id: ResourceId, answer: PatchAnswer, *, at: datetime) -> None:
        await self._step(lambda: self._journal.start(machine_id, answer, at=at))

    async def end(self, result: ChangeResult) -> None:
        await self._step(lambda: self._journal.end(result))

    async def end_all(self, results: Sequence[ChangeResult]) -> None:
        await self._step(lambda: self._journal.end_all(results))

    async def verified(self, result: ChangeResult) -> None:
        await self._step(lambda: self._journal.verified(result))

    def attachments(self) -> Sequence[AttachmentEntry]:
        return self._journal.attachments()

    async def intend_attachment(self, machine_id: ResourceId, *, at: datetime) -> None:
        await self._step(lambda: self._journal.intend_attachment(machine_id, at=at))

    async def end_attachment(self, result: AttachResult) -> None:
        await self._step(lambda: self._journal.end_attachment(result))

    def close(self, *, state: str) -> None:
        # A dead process commits nothing more.
        if self._dead:
            self._journal.release()
        else:
            self._journal.close(state=state)

    async def _step(self, write: Callable[[], Any]) -> None:
        number = self.steps
        self.steps += 1
        dies = number == self._at
        if self._dead or (dies and not self._committed):
            self._dead = True
            self._die()
        await write()
        if dies:
            self._dead = True
            self._die()
