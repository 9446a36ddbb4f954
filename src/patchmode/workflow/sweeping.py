"""Reading many machines from their providers again, with as few requests as can be.

A list brings a page of machines for one request, a GET brings one. Which is cheaper depends on how many machines are
asked for and how many pages the subscription or group takes, which is learned from the first list of it. A list that
turns out longer than it is worth is given up, so that no sweep costs more than about twice the cheapest way.

Must not: use Resource Graph (only what a provider answered counts as verified), or judge what it read.
"""

import asyncio
import math
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence, Set
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from patchmode.errors import ForbiddenError, RequestError
from patchmode.model.machine import Machine, MachineKind
from patchmode.model.plan import Unreadable
from patchmode.model.resource_id import ResourceId
from patchmode.packing import Packer
from patchmode.workflow.ports import Provider
from patchmode.workflow.refusals import is_signed_out, signed_out
from patchmode.workflow.together import all_of

T = TypeVar("T")
PAGE = 50
"""Machines that a page is taken to hold until the list was read once. Recorded pages held 48 to 299."""
AT_ONCE = 16
"""Reads of one subscription under way at the same time; each subscription has a throttle of its own to spend."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A machine to read."""

    id: ResourceId
    kind: MachineKind


@dataclass(frozen=True, slots=True)
class Reading:
    """What the provider answered for one machine."""

    machine: Machine | None
    error: RequestError | None = None
    by_list: bool = False
    """A list may lag or leave members out, so a surprise in one is confirmed with a GET."""


@dataclass(frozen=True, slots=True)
class _Place:
    """What one list covers. An empty group: the whole subscription."""

    subscription: str
    group: str
    family: MachineKind
    """VM stands for scale-set members too: one list brings both."""


class _Sweep(Generic[T]):
    """One call of `Sweeper.read`."""

    def __init__(self, besides: Iterable[ResourceId], take: Callable[[ResourceId, Reading], T]) -> None:
        self.besides = frozenset(besides)
        self.found: dict[ResourceId, T] = {}
        self._take = take

    def add(self, machine_id: ResourceId, reading: Reading) -> None:
        """A machine was read."""
        self.found[machine_id] = self._take(machine_id, reading)


class Sweeper:
    """Reads machines again and again, remembering what lists cost.

    Args:
        provider: the resource providers.
        known: every machine in scope: without a list read so far, their number tells how long one may be.
    """

    def __init__(self, provider: Provider, known: Iterable[ResourceId] = ()) -> None:
        self.haste = 1.0
        """How many GETs, which run side by side, are taken to be worth one page, which must wait for the one before."""
        self._provider = provider
        self._slots: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE))
        self._pages: dict[_Place, float] = {}
        self._known: dict[tuple[str, str], int] = defaultdict(int)
        for one in known:
            self._known[one.subscription_id, ""] += 1
            self._known[one.subscription_id, one.resource_group.casefold()] += 1

    def cost(self, wanted: Sequence[Wanted]) -> float:
        """Requests that reading these would take, as far as is known; all of one subscription and family."""
        return min(self._cost_of_whole(wanted), self._cost_of_parts(_by_group(wanted)))

    async def read(
        self,
        wanted: Sequence[Wanted],
        take: Callable[[ResourceId, Reading], T],
        *,
        besides: Iterable[ResourceId] = (),
    ) -> dict[ResourceId, T]:
        """Read machines, each in the cheapest way known.

        Args:
            wanted: the machines to read.
            take: what to keep of a reading; it is called as soon as there is one, so that the documents of many
                machines are never held together.
            besides: machines that are welcome where a list shows them anyway; nothing is spent on them.

        Returns:
            What was kept of each machine wanted, and of each of the others that a list showed.

        Raises:
            PatchmodeError: what is no matter of one request (sign-in).
        """
        parts: dict[tuple[str, MachineKind], list[Wanted]] = defaultdict(list)
        for one in wanted:
            parts[one.id.subscription_id, family_of(one.kind)].append(one)
        sweep = _Sweep(besides, take)
        await all_of(self._read_subscription(part, sweep) for part in parts.values())
        return sweep.found

    async def read_one(self, wanted: Wanted) -> Reading:
        """Read one machine with a GET.

        Raises:
            PatchmodeError: what is no matter of one request (sign-in).
        """
        async with self._slots[wanted.id.subscription_id]:
            try:
                return Reading(await self._provider.get(wanted.id, wanted.kind))
            except RequestError as error:
                if is_signed_out(error):
                    raise signed_out(error) from error
                return Reading(None, error)

    async def _read_subscription(self, wanted: Sequence[Wanted], sweep: _Sweep[T]) -> None:
        groups = _by_group(wanted)
        if self._cost_of_whole(wanted) < self._cost_of_parts(groups):
            await self._read_place(_whole(wanted), wanted, sweep)
        else:
            await all_of(self._read_group(place, members, sweep) for place, members in groups.items())

    async def _read_group(self, place: _Place, wanted: Sequence[Wanted], sweep: _Sweep[T]) -> None:
        if self._price(place) < len(wanted):
            await self._read_place(place, wanted, sweep)
        else:
            await self._read_singly(wanted, sweep)

    async def _read_singly(self, wanted: Iterable[Wanted], sweep: _Sweep[T]) -> None:
        async def read(one: Wanted) -> None:
            sweep.add(one.id, await self.read_one(one))

        await all_of(read(one) for one in wanted if one.id not in sweep.found)

    async def _read_place(self, place: _Place, wanted: Sequence[Wanted], sweep: _Sweep[T]) -> None:
        try:
            async with self._slots[place.subscription]:
                await self._read_list(place, wanted, sweep)
        except ForbiddenError as error:
            if is_signed_out(error):
                raise signed_out(error) from error
            # A role on single machines or groups may still allow the narrower reads.
            self._note(place, math.inf)
        except RequestError as error:
            # A list that does not answer hides all its machines. A few of them are read singly each time: no more, so
            # that a service in trouble is not given many requests for one.
            missing = [one for one in wanted if one.id not in sweep.found]
            for one in missing[AT_ONCE:]:
                sweep.add(one.id, Reading(None, error))
        await self._read_singly(wanted, sweep)

    async def _read_list(self, place: _Place, wanted: Sequence[Wanted], sweep: _Sweep[T]) -> None:
        missing = {one.id for one in wanted}
        read = 0
        async with aclosing(self._list(place, wanted[0].id)) as pages:
            async for page in pages:
                read += 1
                missing -= self._taken(page, missing, sweep)
                # Pages of documents are large, and many lists are read at once: none is held while its next is awaited.
                del page
                if not missing or read > max(self._estimate(place), len(missing)):
                    # Either all are found, or GETs are the cheaper way to those that are left.
                    self._note(place, max(read, self._pages.get(place, 0)))
                    return
        self._note(place, max(1, read))

    def _taken(
        self, page: Sequence[Machine | Unreadable], missing: Set[ResourceId], sweep: _Sweep[T]
    ) -> set[ResourceId]:
        """Which machines of a page were waited for; all that are welcome are kept."""
        # An entry that is no machine leaves one missing, and what is missing is read singly.
        machines = [entry for entry in page if isinstance(entry, Machine)]
        for machine in machines:
            if machine.id in missing or machine.id in sweep.besides:
                sweep.add(machine.id, Reading(machine, by_list=True))
        return {machine.id for machine in machines if machine.id in missing}

    def _note(self, place: _Place, pages: float) -> None:
        self._pages[place] = pages
        if place.group:
            # A subscription's list is no shorter than that of one of its groups, and no less forbidden.
            whole = replace(place, group="")
            self._pages[whole] = max(pages, self._estimate(whole))

    def _list(self, place: _Place, sample: ResourceId) -> AsyncGenerator[Sequence[Machine | Unreadable], None]:
        if place.group:
            return _pages(self._provider.list_group(place.subscription, sample.resource_group, place.family))
        return _pages(self._provider.list_subscription(place.subscription, place.family))

    def _cost_of_whole(self, wanted: Sequence[Wanted]) -> float:
        return self._price(_whole(wanted))

    def _cost_of_parts(self, groups: dict[_Place, list[Wanted]]) -> float:
        return sum(min(len(members), self._price(place)) for place, members in groups.items())

    def _price(self, place: _Place) -> float:
        return self._estimate(place) * self.haste

    def _estimate(self, place: _Place) -> float:
        return self._pages.get(place) or math.ceil(max(1, self._known[place.subscription, place.group]) / PAGE)


def packing() -> Callable[[ResourceId, Reading], Reading]:
    """For `Sweeper.read`: keeps whole readings, their documents packed, for whoever needs those of a fleet at once."""
    packer = Packer()

    def packed(_: ResourceId, reading: Reading) -> Reading:
        machine = reading.machine
        if machine is None or machine.document is None:
            return reading
        return replace(reading, machine=replace(machine, document=packer.pack(machine.document)))

    return packed


def family_of(kind: MachineKind) -> MachineKind:
    """Which list a kind of machine stands in."""
    return MachineKind.ARC if kind is MachineKind.ARC else MachineKind.VM


def _whole(wanted: Sequence[Wanted]) -> _Place:
    return _Place(wanted[0].id.subscription_id, "", family_of(wanted[0].kind))


def _by_group(wanted: Sequence[Wanted]) -> dict[_Place, list[Wanted]]:
    groups: dict[_Place, list[Wanted]] = defaultdict(list)
    for one in wanted:
        place = _Place(one.id.subscription_id, one.id.resource_group.casefold(), family_of(one.kind))
        groups[place].append(one)
    return groups


async def _pages(
    pages: AsyncIterator[Sequence[Machine | Unreadable]],
) -> AsyncGenerator[Sequence[Machine | Unreadable], None]:
    """The same pages, closed with their source when the reader has had enough."""
    try:
        async for page in pages:
            yield page
            del page
    finally:
        if isinstance(pages, AsyncGenerator):
            await pages.aclose()
