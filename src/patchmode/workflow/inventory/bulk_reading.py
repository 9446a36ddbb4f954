"""Many machines read from their providers, with as few requests as the scope allows.

Must not: use Resource Graph (only what a provider answered counts as verified), or judge what it read.
"""

import asyncio
import math
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence, Set
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from math import ceil
from typing import Generic, TypeVar

from patchmode.errors import ForbiddenError, NotSentError, RejectedError, RequestError
from patchmode.model.left_alone import Unreadable
from patchmode.model.machine import Machine, MachineKind
from patchmode.model.resource_id import ResourceId
from patchmode.packing import Packer
from patchmode.ports.azure import Azure, Provider
from patchmode.timing import all_of
from patchmode.workflow.inventory.scoping import KINDS
from patchmode.workflow.run.refusals import is_signed_out, signed_out

T = TypeVar("T")
Unread = dict[str, Unreadable]
"""What could not be read, by its id, so that what two queries both bring counts once."""
_SHOWN = 3


def parted(page: Iterable[T | Unreadable], unread: Unread) -> list[T]:
    """What could be read of a page; the rest is put into `unread`."""
    read: list[T] = []
    for entry in page:
        if isinstance(entry, Unreadable):
            unread.setdefault(entry.id, entry)
        else:
            read.append(entry)
    return read


def counted(unread: Mapping[str, Unreadable], what: str, so: str) -> tuple[str, ...]:
    """The sentence about rows that could not be read; none where all could be.

    Args:
        unread: the rows.
        what: they are about: `schedules`.
        so: what the reader must not conclude, as half a sentence.
    """
    if not unread:
        return ()
    rows = "1 row" if len(unread) == 1 else f"{len(unread):,} rows"
    told = [f"{entry.id}: {entry.reason}" for entry in unread.values()]
    more = f"; and {len(told) - _SHOWN:,} more" if len(told) > _SHOWN else ""
    return (f"{rows} about {what} could not be read, so {so}: {'; '.join(told[:_SHOWN])}{more}.",)


PAGE = 50
"""Machines that one page of a list is taken to hold when costs are compared."""
AT_ONCE = 32
"""Reads under way at the same time; the wire's own throttle bounds their rate."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How many machines were discovered in places that are in scope as a whole. Keys in lower case."""

    subscriptions: Mapping[tuple[str, MachineKind], int] = field(default_factory=dict)
    groups: Mapping[tuple[str, str, MachineKind], int] = field(default_factory=dict)


@dataclass(slots=True)
class Documents:
    """What the providers showed."""

    machines: dict[ResourceId, Machine] = field(default_factory=dict)
    unreadable: dict[ResourceId, Unreadable] = field(default_factory=dict)
    gone: list[ResourceId] = field(default_factory=list)
    """Those of `unreadable` that do not exist."""
    entries: Unread = field(default_factory=dict)
    """Entries of lists that are no machine of the place; of places that are in scope as a whole."""
    newcomers: dict[ResourceId, Machine] = field(default_factory=dict)
    """Machines in a place that is in scope as a whole, which discovery had not named (it lags)."""


async def read_documents(azure: Azure, wanted: Iterable[ResourceId], *, extent: Extent) -> Documents:
    """Read the wanted machines from their providers.

    Args:
        azure: a connection.
        wanted: ids of machines, each once.
        extent: what is in scope as a whole; elsewhere a listed machine that was not wanted is left aside.

    Returns:
        Each wanted id stands in exactly one of `machines` and `unreadable`.

    Raises:
        NotSentError: no connection; then nothing is known of any machine.
    """
    ids = list(wanted)
    # One machine's document alone saves nothing, and may be shown as it came.
    reader = _Reader(azure.provider, extent, packer=Packer() if len(ids) > 1 else None)
    parts: dict[tuple[str, MachineKind], list[ResourceId]] = defaultdict(list)
    for machine_id in ids:
        parts[machine_id.subscription_id, KINDS[machine_id.full_type]].append(machine_id)
    await asyncio.gather(*(reader.subscription(*key, members) for key, members in parts.items()))
    return reader.found


class _Reader:
    def __init__(self, provider: Provider, extent: Extent, *, packer: Packer | None) -> None:
        self.provider = provider
        self.extent = extent
        self.found = Documents()
        self.slots = asyncio.Semaphore(AT_ONCE)
        self.packer = packer

    async def subscription(self, subscription_id: str, kind: MachineKind, ids: Sequence[ResourceId]) -> None:
        """Read machines of one subscription and kind, by the cheapest of list, lists of groups, and GETs."""
        groups: dict[str, list[ResourceId]] = defaultdict(list)
        for machine_id in ids:
            groups[machine_id.resource_group.casefold()].append(machine_id)
        total = self.extent.subscriptions.get((subscription_id, kind))
        cost = sum(min(len(members), self._pages(subscription_id, group, kind)) for group, members in groups.items())
        if total is not None and ceil(total / PAGE) <= cost:
            pages = self.provider.list_subscription(subscription_id, kind)
            if await self._list(pages, ids, whole=True):
                return
        await asyncio.gather(*(self._group(subscription_id, group, kind, members) for group, members in groups.items()))

    def _pages(self, subscription_id: str, group: str, kind: MachineKind) -> int:
        known = self.extent.groups.get((subscription_id, group, kind))
        if known is None:
            total = self.extent.subscriptions.get((subscription_id, kind))
            known = 4 * PAGE if total is None else min(total, 4 * PAGE)  # a group of unknown size may be large
        return max(1, ceil(known / PAGE))

    async def _group(self, subscription_id: str, group: str, kind: MachineKind, ids: Sequence[ResourceId]) -> None:
        whole = (subscription_id, group, kind) in self.extent.groups
        if self._pages(subscription_id, group, kind) <= len(ids) and len(ids) > 1:
            pages = self.provider.list_group(subscription_id, ids[0].resource_group, kind)
            if await self._list(pages, ids, whole=whole):
                return
        await asyncio.gather(*(self._single(machine_id, kind) for machine_id in ids))

    async def _list(
        self, pages: AsyncIterator[Sequence[Machine | Unreadable]], ids: Sequence[ResourceId], *, whole: bool
    ) -> bool:
        """Read a list to its end; False where a narrower read is to be tried."""
        missing = set(ids)
        try:
            async with self.slots:
                async for page in pages:
                    self._keep_all(parted(page, self.found.entries if whole else {}), missing, whole=whole)
                    # Many lists are read at once: no page of documents is held while the next one is waited for.
                    del page
        except NotSentError:
            raise
        except ForbiddenError:
            # A role on single groups or machines may still allow the narrower reads.
            return False
        except RequestError as error:
            for machine_id in missing:
                self.found.unreadable[machine_id] = Unreadable(str(machine_id), error.message)
            return True
        await asyncio.gather(*(self._single(entry, KINDS[entry.full_type]) for entry in sorted(missing)))
        return True

    def _keep_all(self, page: Sequence[Machine], missing: set[ResourceId], *, whole: bool) -> None:
        for machine in page:
            self._keep(machine, missing, whole=whole)

    def _keep(self, machine: Machine, missing: set[ResourceId], *, whole: bool) -> None:
        if machine.id in missing:
            missing.discard(machine.id)
            self.found.machines[machine.id] = self._packed(machine)
        elif whole and machine.id not in self.found.machines:
            self.found.newcomers[machine.id] = self._packed(machine)

    def _packed(self, machine: Machine) -> Machine:
        # Documents are kept for all machines in scope at once, until the plan is written.
        if self.packer is None or machine.document is None:
            return machine
        return replace(machine, document=self.packer.pack(machine.document))

    async def _single(self, machine_id: ResourceId, kind: MachineKind) -> None:
        if machine_id in self.found.machines:
            return
        try:
            async with self.slots:
                machine = await self.provider.get(machine_id, kind)
                self.found.machines[machine_id] = self._packed(machine)
        except NotSentError:
            raise
        except RequestError as error:
            self.found.unreadable[machine_id] = Unreadable(str(machine_id), error.message)
            if isinstance(error, RejectedError) and error.status == HTTPStatus.NOT_FOUND:
                self.found.gone.append(machine_id)


def with_surroundings_of(document: Machine, discovered: Machine | None) -> Machine:
    """The provider's machine with what only Resource Graph knows about it.

    That is power, running system, detected image support, and the id's own casing: a list of the subscription
    upper-cases the resource group (recorded exchanges). Of the patch extension a GET tells the state itself, a list
    nothing.
    """
    if discovered is None:
        return document
    shown, known = document.surroundings.patch_extension, discovered.surroundings.patch_extension
    extension = known if shown is None else shown.with_message_of(known)
    around = replace(discovered.surroundings, patch_extension=extension)
    return replace(document, id=discovered.id, surroundings=around)


Item = TypeVar("Item")
PAGE_GUESSED = 50
"""Machines that a page is taken to hold until the list was read once. Recorded pages held 48 to 299."""
SWEPT_AT_ONCE = 16
"""Reads of one subscription under way at the same time; each subscription has a throttle of its own to spend."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A machine to read."""

    id: ResourceId
    kind: MachineKind


@dataclass(frozen=True, slots=True)
class BulkReading:
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


class _BulkRead(Generic[Item]):
    """One call of `BulkReader.read`."""

    def __init__(self, besides: Iterable[ResourceId], take: Callable[[ResourceId, BulkReading], Item]) -> None:
        self.besides = frozenset(besides)
        self.found: dict[ResourceId, Item] = {}
        self._take = take

    def add(self, machine_id: ResourceId, reading: BulkReading) -> None:
        """A machine was read."""
        self.found[machine_id] = self._take(machine_id, reading)


class BulkReader:
    """Reads machines again and again, remembering what lists cost.

    Args:
        provider: the resource providers.
        known: every machine in scope: without a list read so far, their number tells how long one may be.
    """

    def __init__(self, provider: Provider, known: Iterable[ResourceId] = ()) -> None:
        self.haste = 1.0
        """How many GETs, which run side by side, are taken to be worth one page, which must wait for the one before."""
        self._provider = provider
        self._slots: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(SWEPT_AT_ONCE))
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
        take: Callable[[ResourceId, BulkReading], Item],
        *,
        besides: Iterable[ResourceId] = (),
    ) -> dict[ResourceId, Item]:
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
        sweep = _BulkRead(besides, take)
        await all_of(self._read_subscription(part, sweep) for part in parts.values())
        return sweep.found

    async def read_one(self, wanted: Wanted) -> BulkReading:
        """Read one machine with a GET.

        Raises:
            PatchmodeError: what is no matter of one request (sign-in).
        """
        async with self._slots[wanted.id.subscription_id]:
            try:
                return BulkReading(await self._provider.get(wanted.id, wanted.kind))
            except RequestError as error:
                if is_signed_out(error):
                    raise signed_out(error) from error
                return BulkReading(None, error)

    async def _read_subscription(self, wanted: Sequence[Wanted], sweep: _BulkRead[Item]) -> None:
        groups = _by_group(wanted)
        if self._cost_of_whole(wanted) < self._cost_of_parts(groups):
            await self._read_place(_whole(wanted), wanted, sweep)
        else:
            await all_of(self._read_group(place, members, sweep) for place, members in groups.items())

    async def _read_group(self, place: _Place, wanted: Sequence[Wanted], sweep: _BulkRead[Item]) -> None:
        if self._price(place) < len(wanted):
            await self._read_place(place, wanted, sweep)
        else:
            await self._read_singly(wanted, sweep)

    async def _read_singly(self, wanted: Iterable[Wanted], sweep: _BulkRead[Item]) -> None:
        async def read(one: Wanted) -> None:
            sweep.add(one.id, await self.read_one(one))

        await all_of(read(one) for one in wanted if one.id not in sweep.found)

    async def _read_place(self, place: _Place, wanted: Sequence[Wanted], sweep: _BulkRead[Item]) -> None:
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
            for one in missing[SWEPT_AT_ONCE:]:
                sweep.add(one.id, BulkReading(None, error))
        await self._read_singly(wanted, sweep)

    async def _read_list(self, place: _Place, wanted: Sequence[Wanted], sweep: _BulkRead[Item]) -> None:
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
        self, page: Sequence[Machine | Unreadable], missing: Set[ResourceId], sweep: _BulkRead[Item]
    ) -> set[ResourceId]:
        """Which machines of a page were waited for; all that are welcome are kept."""
        # An entry that is no machine leaves one missing, and what is missing is read singly.
        machines = [entry for entry in page if isinstance(entry, Machine)]
        for machine in machines:
            if machine.id in missing or machine.id in sweep.besides:
                sweep.add(machine.id, BulkReading(machine, by_list=True))
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
        return self._pages.get(place) or math.ceil(max(1, self._known[place.subscription, place.group]) / PAGE_GUESSED)


def packing() -> Callable[[ResourceId, BulkReading], BulkReading]:
    """For `BulkReader.read`: keeps whole readings with their documents packed, where those of a fleet are needed."""
    packer = Packer()

    def packed(_: ResourceId, reading: BulkReading) -> BulkReading:
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
