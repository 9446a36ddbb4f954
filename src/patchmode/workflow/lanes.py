"""Who is sent next: one lane for each subscription and region, each at the pace that its throttle allows.

A lane takes its changes in plan order. Its first one waits for the throttling buckets of its subscription and region,
and only then to be let in among the machines under way and for a place among the requests in flight, so that a lane
that has run dry, or that Azure has frozen for minutes, holds up no other. Both are given first come, first served, and
a lane asks for one at a time: a subscription with many machines gets no more of them than one with few.

Must not: send, or know how a change fares; whoever is called with a change does.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

from patchmode.workflow.ports import JournalEntry, Step, Turn
from patchmode.workflow.together import all_of
from patchmode.workflow.under_way import UnderWay


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
        send: carries one change to "accepted"; the turn is its own to use or give back, its place is free when it
            returns. Until its end it stays under way.
        under_way: lets each change in.
        at_once: requests in flight at a time, >= 1.
    """

    def __init__(self, take_turn: TakeTurn, send: Send, under_way: UnderWay, *, at_once: int) -> None:
        self._take_turn = take_turn
        self._send = send
        self._under_way = under_way
        self._places = asyncio.Semaphore(at_once)
        self._open: dict[Place, asyncio.Task[None]] = {}
        self._halted: set[str | None] = set()
        self._in_flight = 0

    @property
    def is_waiting_for_ends(self) -> bool:
        """Whether nothing more is sent before the end of a machine that is under way is known."""
        return not self._in_flight and (self._under_way.is_waited_for or not self._open)

    async def run(self, entries: Iterable[JournalEntry]) -> None:
        """Carry changes out, and return when each was accepted, has ended, or had no turn because its lane was halted.

        Args:
            entries: in plan order. Those whose fate an earlier process left open come first in their lane: it is the
                most urgent thing to know.

        Raises:
            Exception: whatever `send` raised first; the others are cancelled.
        """
        queues: dict[Place, deque[JournalEntry]] = defaultdict(deque)
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

    async def _carry(self, place: Place, queue: deque[JournalEntry]) -> None:
        """One lane. Halting ends its waiting; what it has begun outlives it."""
        async with asyncio.TaskGroup() as begun:
            lane = self._open[place] = begun.create_task(self._lane(place, queue, begun))
            lane.add_done_callback(lambda _: self._close(place, queue))

    def _close(self, place: Place, left: Iterable[JournalEntry]) -> None:
        """Also after a lane that was halted before its first step."""
        del self._open[place]
        for entry in left:
            # One whose fate an earlier process left open was under way until now, and has no turn to be looked into.
            self._under_way.leave(entry.change.id)

    async def _lane(self, place: Place, queue: deque[JournalEntry], begun: asyncio.TaskGroup) -> None:
        while queue and not self._is_halted(place):
            turn = await self._take_turn(queue[0])
            if turn is None:
                self._under_way.leave(queue.popleft().change.id)
                continue
            await self._let_in(queue[0], place, turn)
            self._in_flight += 1
            begun.create_task(self._begin(queue.popleft(), turn))
            if len(self._open) > 1:
                # Or this lane would ask for its next place before the others have asked for their first.
                await asyncio.sleep(0)

    async def _let_in(self, entry: JournalEntry, place: Place, turn: Turn) -> None:
        try:
            await self._under_way.enter(entry.change.id, place.region)
            await self._places.acquire()
        except BaseException:
            # Whoever was let in and got no place is among those left when the lane closes.
            turn.give_back()
            raise

    async def _begin(self, entry: JournalEntry, turn: Turn) -> None:
        try:
            await self._send(entry, turn)
        finally:
            turn.give_back()
            self._in_flight -= 1
            self._places.release()


def place_of(entry: JournalEntry) -> Place:
    """The lane of a change."""
    return Place(entry.change.id.subscription_id, entry.change.location.casefold())
