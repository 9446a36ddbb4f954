"""What is under way: the machines whose request may have left and whose end is not known, and who may join them.

Must not: send, or decide how many there may be; `rules/concurrency.py` does.
"""

import asyncio
from collections import Counter, deque
from typing import NamedTuple

from patchmode.model.resource_id import ResourceId
from patchmode.rules.concurrency import most_under_way, pace_text
from patchmode.workflow.budgets import Tally


class _Waiting(NamedTuple):
    """Who may not begin yet."""

    machine_id: ResourceId
    region: str | None
    admitted: "asyncio.Future[None]"


class UnderWay:
    """Changes and schedules alike: whatever may still fail has a place here until its end was counted.

    Args:
        asked: how many there may be, asked for by name; None: as a slow start and the budgets allow.
        begins_slowly: whether it begins with one.
        tally: the failures so far. They must be counted before the machine leaves.
    """

    def __init__(self, *, asked: int | None, begins_slowly: bool, tally: Tally) -> None:
        self._asked = asked
        self._begins_slowly = begins_slowly
        self._tally = tally
        self._succeeded = 0
        self._regions: dict[ResourceId, str | None] = {}
        """Each machine under way, and where it is."""
        self._in_region: Counter[str | None] = Counter()
        self._waiting: deque[_Waiting] = deque()
        self._open: set[str | None] = set()
        self._told = ""

    def __len__(self) -> int:
        return len(self._regions)

    @property
    def is_waited_for(self) -> bool:
        """Whether a machine could begin if only another one ended."""
        return bool(self._waiting)

    def pace_text(self, machines: int) -> str:
        """One sentence on how fast it goes and how much may fail; empty: nothing is special, or nothing new.

        Args:
            machines: how many have still to be touched before this is told again.
        """
        left = self._tally.narrowest()
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

    def succeeded(self) -> None:
        """A machine came to its verified end: one more may be under way."""
        self._succeeded += 1
        self._admit()

    def open(self, region: str | None) -> None:
        """Nothing more is sent to a region (None: anywhere), so nobody needs to wait to hear that."""
        self._open.add(region)
        self._admit()

    def _most(self) -> int | None:
        left = self._tally.left()
        return most_under_way(self._asked, begins_slowly=self._begins_slowly, succeeded=self._succeeded, left=left)

    def _has_room(self, region: str | None) -> bool:
        if self._open and not self._open.isdisjoint({None, region}):
            return True
        most = self._most()
        return (most is None or len(self._regions) < most) and self._has_room_in(region)

    def _has_room_in(self, region: str | None) -> bool:
        if self._asked is not None or region is None:
            return True
        left = self._tally.left_in(region)
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
