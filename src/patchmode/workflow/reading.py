"""Whole documents from the providers, with as few requests as the scope allows.

Must not: trust Resource Graph for a document or an etag. A machine that was named and that its provider no longer shows
ends as unreadable, with what the provider answered.

Cost: a list page brings many machines for one request, a GET one. The pages of Compute's lists are uneven (recorded: 48
to 299 machines), so a page is taken to hold `PAGE`; a subscription or group is listed where that is estimated to take
fewer requests than single GETs.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil

from patchmode.errors import ForbiddenError, NotSentError, RequestError
from patchmode.model.machine import Machine, MachineKind
from patchmode.model.plan import Unreadable
from patchmode.model.resource_id import ResourceId
from patchmode.packing import Packer
from patchmode.workflow.ports import Azure, Provider
from patchmode.workflow.scoping import KINDS
from patchmode.workflow.unread import Unread, parted

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
