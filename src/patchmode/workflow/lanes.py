"""Who is sent next: one lane for each subscription and region, each at the pace that its throttle allows.

A lane takes its changes in plan order. Its first one waits for the throttling buckets of its subscription and region,
and only then for a place among the changes under way, so that a lane that has run dry, or that Azure has frozen for
minutes, holds up no other. Places are given first come, first served, and a lane asks for one at a time: a subscription
with many machines gets no more of them than one with few.

Must not: send, or know how a change fares; whoever is called with a change does.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

from patchmode.workflow.ports import JournalEntry, Step, Turn
from patchmode.workflow.together import all_of


class Place(NamedTuple):
    """What shares a throttle of its own."""

    subscription_id: str
    region: str
    """In lower case."""


TakeTurn = Callable[[JournalEntry], Awaitable[Turn | None]]
Send = Callable[[JournalEntry, Turn], Awaitable[None]]


class Lanes:
    """Carries changes out, lane by lane, some at a time.

    Args:
        take_turn: waits for a change's buckets; None: it has no turn, and the lane goes on with the next one.
        send: carries one change out; the turn is its own to use or give back, its place is free when it returns.
        at_once: changes under way at a time, >= 1.
    """

    def __init__(self, take_turn: TakeTurn, send: Send, *, at_once: int) -> None:
        self._take_turn = take_turn
        self._send = send
        self._at_once = at_once
        self._places = asyncio.Semaphore(at_once)
        self._open: dict[Place, asyncio.Task[None]] = {}
        self._halted: set[str | None] = set()
        self.under_way = 0
        """Changes that have a place."""

    @property
    def is_waiting_for_ends(self) -> bool:
        """Whether nothing more is sent before a change that is under way leaves its place."""
        return self.under_way == self._at_once or not self._open

    async def run(self, entries: Iterable[JournalEntry]) -> None:
        """Carry changes out, and return when each has left its place or had none because its lane was halted.

        Args:
            entries: in plan order. Those whose fate an earlier process left open come first in their lane: it is the
                most urgent thing to know.

        Raises:
            Exception: whatever `send` raised first; the others are cancelled.
        """
        queues: dict[Place, list[JournalEntry]] = defaultdict(list)
        for entry in sorted(entries, key=lambda one: one.step is not Step.INTENDED):
            queues[place_of(entry)].append(entry)
        await all_of(self._carry(place, queue) for place, queue in queues.items())

    def halt(self, region: str | None = None) -> None:
        """Nothing more gets a place, now or in a later `run`; what has one keeps it.

        Args:
            region: in lower case: only what stands there. None: everything.
        """
        self._halted.add(region)
        for place, lane in self._open.items():
            if region in {None, place.region}:
                lane.cancel()

    def _is_halted(self, place: Place) -> bool:
        return None in self._halted or place.region in self._halted

    async def _carry(self, place: Place, queue: Sequence[JournalEntry]) -> None:
        """One lane. Halting ends its waiting; what it has begun outlives it."""
        async with asyncio.TaskGroup() as begun:
            self._open[place] = begun.create_task(self._lane(place, queue, begun))

    async def _lane(self, place: Place, queue: Sequence[JournalEntry], begun: asyncio.TaskGroup) -> None:
        try:
            for entry in queue:
                if self._is_halted(place):
                    return
                turn = await self._take_turn(entry)
                if turn is None:
                    continue
                await self._place_for(turn)
                self.under_way += 1
                begun.create_task(self._begin(entry, turn))
                if len(self._open) > 1:
                    # Or this lane would ask for its next place before the others have asked for their first.
                    await asyncio.sleep(0)
        finally:
            del self._open[place]

    async def _place_for(self, turn: Turn) -> None:
        try:
            await self._places.acquire()
        except BaseException:
            turn.give_back()
            raise

    async def _begin(self, entry: JournalEntry, turn: Turn) -> None:
        try:
            await self._send(entry, turn)
        finally:
            turn.give_back()
            self.under_way -= 1
            self._places.release()


def place_of(entry: JournalEntry) -> Place:
    """The lane of a change."""
    return Place(entry.change.id.subscription_id, entry.change.location.casefold())
