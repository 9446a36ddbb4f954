"""Who is sent next: a queue for each subscription and region behind its rate limit, and what is in progress."""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from patchmode.model.resource_id import ResourceId
from patchmode.ports.azure import Turn
from patchmode.ports.run import JournalEntry, Step
from patchmode.rules.guardrails.limits import most_under_way, pace_text
from patchmode.timing import all_of
from patchmode.workflow.run.events import Ended, Event, Halted, LeftOpen, Succeeded
from patchmode.workflow.run.guardrails import FailureCount


class _Waiting(NamedTuple):
    """Who may not begin yet."""

    machine_id: ResourceId
    region: str | None
    admitted: "asyncio.Future[None]"


class InProgress:
    """Changes and schedules alike: whatever may still fail has a place here until its end was counted.

    A reader of the run's events, after the gate, which counts.

    Args:
        asked: how many there may be, asked for by name; None: as a slow start and the budgets allow.
        begins_slowly: whether it begins with one.
        failures: those so far. They must be counted before the machine leaves.
    """

    def __init__(self, *, asked: int | None, begins_slowly: bool, failures: FailureCount) -> None:
        self._asked = asked
        self._begins_slowly = begins_slowly
        self._failures = failures
        self._succeeded = 0
        self._regions: dict[ResourceId, str | None] = {}
        """Each machine under way, and where it is."""
        self._in_region: Counter[str | None] = Counter()
        self._waiting: deque[_Waiting] = deque()
        self._open: set[str | None] = set()
        self._told = ""

        self.in_flight = 0
        """Requests that were sent for a change and not answered yet."""
        self.queues = 0
        """Queues that have somebody to send."""

    def __len__(self) -> int:
        return len(self._regions)

    def __contains__(self, machine_id: ResourceId) -> bool:
        return machine_id in self._regions

    @property
    def is_waited_for(self) -> bool:
        """Whether a machine could begin if only another one ended."""
        return bool(self._waiting)

    @property
    def waits_for_ends(self) -> bool:
        """Whether nothing more is sent before the end of a machine that is in progress is known."""
        return not self.in_flight and (self.is_waited_for or not self.queues)

    def read(self, event: Event) -> None:
        """Make room where a machine came to its end, and hold nobody up once there is nothing to wait for."""
        match event:
            case Ended(result):
                self.leave(result.id)
            case LeftOpen(machine_id):
                self.leave(machine_id)
            case Succeeded():
                self._succeeded += 1
                self._admit()
            case Halted(region):
                # Nothing more is sent there, so nobody needs to wait to hear that.
                self._open.add(region)
                self._admit()
            case _:
                pass

    def pace_text(self, machines: int) -> str:
        """One sentence on how fast it goes and how much may fail; empty: nothing is special, or nothing new.

        Args:
            machines: how many have still to be touched before this is told again.
        """
        left = self._failures.narrowest()
        text = pace_text(self._asked, begins_slowly=self._begins_slowly, left=left, machines=machines)
        if text == self._told:
            return ""
        self._told = text
        return text

    async def enter(self, machine_id: ResourceId, region: str | None) -> None:
        """Wait until a machine may begin; it is under way from then on. At once where it is already.

        First come, first served; whoever waits because its region has no failure left to spare holds up no other.

        Args:
            machine_id: the machine.
            region: where it is, in lower case; None: not known, so that no region's budget holds it.
        """
        if machine_id in self._regions:
            return
        if not self._waiting and self._has_room(region):
            self.take(machine_id, region)
            return
        one = _Waiting(machine_id, region, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        self._admit()
        try:
            await one.admitted
        except asyncio.CancelledError:
            if one in self._waiting:
                self._waiting.remove(one)
            else:
                self.leave(machine_id)
            raise

    def take(self, machine_id: ResourceId, region: str | None) -> None:
        """A machine is under way already, because an earlier process sent its request."""
        if machine_id not in self._regions:
            self._regions[machine_id] = region
            self._in_region[region] += 1

    def leave(self, machine_id: ResourceId) -> None:
        """A machine's end is known and counted, or nothing was sent to it after all. Safe to repeat."""
        if machine_id in self._regions:
            self._in_region[self._regions.pop(machine_id)] -= 1
            self._admit()

    def _most(self) -> int | None:
        left = self._failures.left()
        return most_under_way(self._asked, begins_slowly=self._begins_slowly, succeeded=self._succeeded, left=left)

    def _has_room(self, region: str | None) -> bool:
        if self._open and not self._open.isdisjoint({None, region}):
            return True
        most = self._most()
        return (most is None or len(self._regions) < most) and self._has_room_in(region)

    def _has_room_in(self, region: str | None) -> bool:
        if self._asked is not None or region is None:
            return True
        left = self._failures.left_in(region)
        return left is None or self._in_region[region] < left

    def _admit(self) -> None:
        most = self._most() if self._waiting else None
        for one in list(self._waiting):
            if not self._open and most is not None and len(self._regions) >= most:
                return
            if self._has_room(one.region):
                self._waiting.remove(one)
                self.take(one.machine_id, one.region)
                if not one.admitted.done():
                    one.admitted.set_result(None)


class QueueKey(NamedTuple):
    """What shares a throttle of its own."""

    subscription_id: str
    region: str
    """In lower case."""


class Sends(Protocol):
    """The stage after the queues."""

    async def turn(self, entry: JournalEntry) -> Turn | None:
        """Wait for the rate limits of a change; None: it has no turn, and its queue goes on with the next one."""
        ...

    async def send(self, entry: JournalEntry, turn: Turn) -> None:
        """Bring one change to "accepted", or to its end. The turn is its own to use; what it leaves is given back."""
        ...


class SubscriptionQueues:
    """Sends changes, a queue for each subscription and region, some at a time. A reader of the run's events.

    Args:
        sender: the next stage.
        in_progress: lets each change in, until its end.
        may_send: whether a change still may have its turn when its place has come.
        at_once: requests in flight at a time, >= 1.
    """

    def __init__(
        self, sender: Sends, in_progress: InProgress, may_send: Callable[[ResourceId], bool], *, at_once: int
    ) -> None:
        self._sender = sender
        self._in_progress = in_progress
        self._may_send = may_send
        self._places = asyncio.Semaphore(at_once)
        self._open: dict[QueueKey, asyncio.Task[None]] = {}
        self._halted: set[str | None] = set()

    def read(self, event: Event) -> None:
        """Once a region is halted, or all, nothing more gets a place there, now or later; what has one keeps it."""
        if isinstance(event, Halted):
            self._halted.add(event.region)
            for key, queue in self._open.items():
                if event.region in {None, key.region}:
                    queue.cancel()

    async def run(self, entries: Iterable[JournalEntry]) -> None:
        """Send changes, and return when each was accepted, has ended, or had no turn because its queue was halted.

        Args:
            entries: in plan order. Those whose fate an earlier process left open come first in their queue: it is the
                most urgent thing to know.

        Raises:
            Exception: whatever the sender raised first; the others are cancelled.
        """
        queues: dict[QueueKey, deque[JournalEntry]] = defaultdict(deque)
        for entry in sorted(entries, key=lambda one: one.step is not Step.INTENDED):
            queues[queue_key_of(entry)].append(entry)
        await all_of(self._empty(key, queue) for key, queue in queues.items())

    def _is_halted(self, key: QueueKey) -> bool:
        return None in self._halted or key.region in self._halted

    async def _empty(self, key: QueueKey, queue: deque[JournalEntry]) -> None:
        """One queue. Halting ends its waiting; what it has begun outlives it."""
        async with asyncio.TaskGroup() as begun:
            waiting = self._open[key] = begun.create_task(self._work(key, queue, begun))
            self._in_progress.queues = len(self._open)
            waiting.add_done_callback(lambda _: self._close(key, queue))

    def _close(self, key: QueueKey, left: Iterable[JournalEntry]) -> None:
        """Also after a queue that was halted before its first step."""
        del self._open[key]
        self._in_progress.queues = len(self._open)
        for entry in left:
            # One whose fate an earlier process left open was in progress until now, and has no turn to be looked into.
            self._in_progress.leave(entry.change.id)

    async def _work(self, key: QueueKey, queue: deque[JournalEntry], begun: asyncio.TaskGroup) -> None:
        while queue and not self._is_halted(key):
            turn = await self._sender.turn(queue[0])
            if turn is None:
                self._in_progress.leave(queue.popleft().change.id)
                continue
            await self._let_in(queue[0], key, turn)
            self._in_progress.in_flight += 1
            begun.create_task(self._begin(queue.popleft(), turn))
            if len(self._open) > 1:
                # Or this queue would ask for its next place before the others have asked for their first.
                await asyncio.sleep(0)

    async def _let_in(self, entry: JournalEntry, key: QueueKey, turn: Turn) -> None:
        try:
            await self._in_progress.enter(entry.change.id, key.region)
            await self._places.acquire()
        except BaseException:
            # Whoever was let in and got no place is among those left when the queue closes.
            turn.give_back()
            raise

    async def _begin(self, entry: JournalEntry, turn: Turn) -> None:
        try:
            if self._may_send(entry.change.id):
                await self._sender.send(entry, turn)
            else:
                self._in_progress.leave(entry.change.id)
        finally:
            turn.give_back()
            self._in_progress.in_flight -= 1
            self._places.release()


def queue_key_of(entry: JournalEntry) -> QueueKey:
    """The queue of a change."""
    return QueueKey(entry.change.id.subscription_id, entry.change.location.casefold())
