"""Inventory: every machine in scope, each once, with what surrounds it; and what could not be read, by name.

Must not: judge machines. Called by audit, plan, verify and explain.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain

from patchmode.errors import EmptyScopeError, ForbiddenError, NotSentError, RejectedError, RequestError, UsageError
from patchmode.model.left_alone import Skipped, Unreadable
from patchmode.model.machine import Lock, Machine, MachineKind, Surroundings
from patchmode.model.resource_id import ResourceId, subscription_of
from patchmode.model.scope import Scope, Since
from patchmode.ports.azure import Azure, GraphScope
from patchmode.timing import SystemClock
from patchmode.workflow.inventory.bulk_reading import (
    AT_ONCE,
    Documents,
    Extent,
    Unread,
    counted,
    parted,
    read_documents,
    with_surroundings_of,
)
from patchmode.workflow.inventory.scoping import Selection, machine_ids, narrow, resolve
from patchmode.workflow.inventory.selector_lookup import SelectorMatches, look_up_selectors
from patchmode.workflow.inventory.suggestions import MissingGroups, filter_slips, missing_groups, with_near_names

LISTED_KINDS = (MachineKind.VM, MachineKind.ARC)
"""The kinds that providers list; a list of virtual machines also brings scale-set members."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """The machines of a scope. Each machine stands in exactly one of the three tuples, ordered by id."""

    machines: tuple[Machine, ...]
    skipped: tuple[Skipped, ...] = ()
    """Left out by a filter, with the filter as reason."""
    unreadable: tuple[Unreadable, ...] = ()
    notes: tuple[str, ...] = ()
    """What the reader of a report must know about how it was read: one sentence each."""
    swallowed_groups: tuple[str, ...] = ()
    """Groups given by name in a subscription that is selected as a whole: they select nothing more. A note says so."""
    swallowed_texts: tuple[str, ...] = ()
    """The same of pasted texts and files of names, all of whose machines are in what is selected as a whole."""

    def check_swallowed(self, *, is_reviewed: bool) -> None:
        """Refuse a command that writes what nobody reads first.

        SAFETY: who narrows `--subscription Prod` with `--resource-group web` would otherwise change all of Prod.

        Raises:
            UsageError: there is such a group or text, and nobody looks at a plan.
        """
        if is_reviewed:
            return
        for message, advice in _swallowed_told(self.swallowed_groups, self.swallowed_texts):
            raise UsageError(message, advice=advice)

    @property
    def subscription_ids(self) -> Iterator[str]:
        """Of each machine, and of each subscription that could not be read; repeated as often as it has any."""
        for part in (self.machines, self.skipped):
            yield from (entry.id.subscription_id for entry in part)
        yield from filter(None, (subscription_of(entry.id) for entry in self.unreadable))


@dataclass(slots=True)
class _Found:
    machines: dict[ResourceId, Machine] = field(default_factory=dict)
    named: dict[ResourceId, None] = field(default_factory=dict)
    """Ids that the user gave or whose query yielded them: read from the provider whatever Resource Graph says."""
    whole_groups: set[tuple[str, str]] = field(default_factory=set)
    unreadable: dict[str, Unreadable] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    is_listed: bool = False
    """Whether the providers' lists were read, because Resource Graph was refused."""

    def add(self, machines: Iterable[Machine]) -> None:
        for machine in machines:
            self.machines.setdefault(machine.id, machine)


async def take_inventory(azure: Azure, scope: Scope, *, documents: bool, now: datetime | None = None) -> Inventory:
    """Read every machine in scope.

    Steps:
        1. resolve the selectors, and look up what schedules, failed runs and pasted text point at;
        2. discover machines through Resource Graph, or through the providers' lists where Resource Graph is refused;
        3. leave out what the filters leave out;
        4. read documents from the providers: of all machines when `documents`, of those named by id in any case;
        5. join locks and managed groups.

    Args:
        azure: a connection; reading is enough.
        scope: must have a selector.
        documents: whether every machine must carry its provider's document (and etag, where there is one).
        now: what `--failed-since 7d` counts from, aware; None: the system's time.

    Returns:
        A machine of which it is not certain whether a named schedule reaches it is skipped with the rule of the doubt,
        unless another selector takes it.

    Raises:
        UsageError: a selector is wrong. EmptyScopeError: nothing is in scope, nothing was unreadable, and the scope is
            not narrowed to a shard.
        RequestError: discovery failed as a whole.
    """
    if not scope.has_selector:
        raise UsageError(
            "No machines were named.",
            advice="Give --subscription, --resource-group, --ids, --schedule, --failed-since, --from-log, … or --all.",
        )
    selection = await resolve(azure, scope)
    pointed = await look_up_selectors(azure, scope, selection, now=now or SystemClock().now())
    found = await _discover(azure, scope, selection, pointed)
    candidates, skipped = narrow(found.machines.values(), scope)
    slips = filter_slips(scope, found.machines.values()) if scope.has_filter else ()
    skipped += _doubtful(pointed, found, scope)
    out = {entry.id for entry in skipped}
    ids = [entry.id for entry in candidates] if documents else []
    ids += [entry for entry in found.named if entry not in found.machines or not documents]
    wanted = [entry for entry in dict.fromkeys(ids) if entry not in out]
    read = await read_documents(azure, wanted, extent=_extent(found, selection))
    missing = await _missing_groups(azure, scope, selection, found)
    await _name_near(azure, selection, read)
    machines, late = narrow(_joined(candidates, found, read, documents=documents), scope)
    machines, notes = await _with_surroundings(azure, machines)
    unreadable = {**found.unreadable, **read.entries, **{str(entry.id): entry for entry in read.unreadable.values()}}
    swallowed, texts = _swallowed(found, selection), _swallowed_texts(found, selection, pointed)
    said = [" ".join(told) for told in _swallowed_told(swallowed, texts)]
    inventory = Inventory(
        machines=tuple(sorted(machines, key=lambda machine: machine.id.key)),
        skipped=tuple(sorted((*skipped, *late), key=lambda entry: entry.id.key)),
        unreadable=tuple(sorted((*selection.unreadable, *unreadable.values()), key=lambda entry: entry.id.casefold())),
        notes=tuple(dict.fromkeys((*said, *selection.notes, *found.notes, *missing.notes, *slips, *notes))),
        swallowed_groups=swallowed,
        swallowed_texts=texts,
    )
    if scope.shard is None:
        # A shard without machines is nobody's mistake: there may be more shards than subscriptions.
        _refuse_empty(inventory, missing.unknown, slips, scope.failed_since)
    return replace(inventory, unreadable=(*inventory.unreadable, *missing.unknown)) if missing.unknown else inventory


async def _missing_groups(azure: Azure, scope: Scope, selection: Selection, found: _Found) -> MissingGroups:
    """What to say of groups in which no machine was found."""
    named = {group for _, group in found.whole_groups}
    unread = any(one.id.casefold().startswith("/subscriptions/") for one in found.unreadable.values())
    if unread or found.is_listed:
        return MissingGroups()  # what could not be read may be in them
    return await missing_groups(
        azure,
        scope,
        names=[name for name in selection.group_names if name.casefold() not in named],
        ids=[one for one in selection.groups if (one[0], one[1].casefold()) not in found.whole_groups],
        visible=selection.visible,
        readable=selection.readable,
    )


async def _name_near(azure: Azure, selection: Selection, read: Documents) -> None:
    for text, near in (await with_near_names(azure, read.gone, selection.ids)).items():
        machine_id = ResourceId.parse(text)
        entry = read.unreadable[machine_id]
        read.unreadable[machine_id] = replace(entry, reason=f"{near} {entry.reason}")


def _doubtful(pointed: SelectorMatches, found: _Found, scope: Scope) -> list[Skipped]:
    """Machines that only a doubtful schedule names, as skipped; a filter that leaves one out is the better reason."""
    left = {
        machine_id: entry
        for machine_id, entry in pointed.doubtful.items()
        if machine_id not in found.machines and machine_id not in found.named
    }
    kept, filtered = narrow((machine for machine, _ in left.values()), scope)
    return [*filtered, *(left[machine.id][1] for machine in kept)]


def _joined(candidates: Sequence[Machine], found: _Found, read: Documents, *, documents: bool) -> Iterable[Machine]:
    for machine in candidates:
        if machine.id in read.machines:
            yield with_surroundings_of(read.machines[machine.id], machine)
        elif machine.id not in read.unreadable and not documents:
            yield machine
    yield from (read.machines[entry] for entry in found.named if entry in read.machines and entry not in found.machines)
    yield from (machine for machine in read.newcomers.values() if machine.id not in found.machines)


def _refuse_empty(
    inventory: Inventory, unknown: Sequence[Unreadable], slips: Sequence[str], since: Since | None
) -> None:
    if inventory.machines or inventory.unreadable:
        return
    if inventory.skipped:
        count = len(inventory.skipped)
        doubts = [entry for entry in inventory.skipped if not entry.is_filtered_out]
        if doubts:
            raise EmptyScopeError(
                f"No machine in scope is certain ({count} left out; {doubts[0].rule}: {doubts[0].reason})",
                advice="`patchmode schedule show` shows the members; to include a machine anyway, name it with --ids.",
            )
        rules = ", ".join(f"{rule} {number}" for rule, number in Counter(e.rule for e in inventory.skipped).items())
        raise EmptyScopeError(
            f"The filters left out every machine in scope ({count}: {rules}).",
            advice=" ".join(slips) or "Remove a filter, or make it wider.",
        )
    if unknown:
        raise EmptyScopeError(
            "The scope holds no machine.",
            advice=" ".join(f"{one.id[:1].upper()}{one.id[1:]}: {one.reason}" for one in unknown),
        )
    raise EmptyScopeError(
        " ".join(("The scope holds no machine.", *inventory.notes)),
        advice="Check the names, and with `patchmode doctor` which subscriptions you can see."
        if since is None
        else f"Runs that failed for other reasons: `patchmode schedule failures --since {since.text}`.",
    )


# ------------------------------------------------------------------------------------------------ discovery


async def _discover(azure: Azure, scope: Scope, selection: Selection, pointed: SelectorMatches) -> _Found:
    found = _Found(
        machines=dict(pointed.machines),
        named=dict.fromkeys((*selection.ids, *pointed.named)),
        unreadable=dict(pointed.unreadable),
        notes=list(pointed.notes),
    )
    for query in scope.graph_queries:
        await _ask(azure, query, scope, found)
    try:
        await _discover_in_graph(azure, selection, found)
    except ForbiddenError as error:
        found.notes.append(
            f"The Resource Graph query was refused ({error.code}), so the machines were listed from their resource "
            "providers instead: power states, the detected image support and managed resource groups are not known."
        )
        found.machines = dict(pointed.machines)
        found.whole_groups.clear()
        found.is_listed = True
        await _discover_in_lists(azure, selection, found)
    return found


async def _ask(azure: Azure, query: str, scope: Scope, found: _Found) -> None:
    """Run the user's query as it is; what it yields for other shards is left to them."""
    try:
        async for page in azure.graph.machine_ids(query, GraphScope()):
            ids = machine_ids(page, source="--graph-query")
            found.named.update(dict.fromkeys(entry for entry in ids if scope.takes(entry.subscription_id)))
    except RejectedError as error:
        if isinstance(error, ForbiddenError) or error.status not in {None, 200, 400}:
            raise
        raise UsageError(
            f"--graph-query cannot be used: {error.message}",
            advice=error.advice or "Try it in the portal's Resource Graph Explorer; it must yield a column named id.",
        ) from error


async def _discover_in_graph(azure: Azure, selection: Selection, found: _Found) -> None:
    if selection.subscriptions:
        await _collect(azure.graph.machines(GraphScope(selection.subscriptions)), found)
    if selection.group_names and selection.readable:
        scope = GraphScope(selection.readable)
        await _collect(azure.graph.machines(scope, resource_groups=selection.group_names), found, groups=True)
    by_subscription: dict[str, list[str]] = defaultdict(list)
    for subscription_id, group in selection.groups:
        by_subscription[subscription_id].append(group)
    for subscription_id, groups in by_subscription.items():
        pages = azure.graph.machines(GraphScope((subscription_id,)), resource_groups=groups)
        await _collect(pages, found, groups=True)
    missing = [entry for entry in found.named if entry not in found.machines]
    if missing:
        places = tuple(dict.fromkeys(entry.subscription_id for entry in missing))
        pages = azure.graph.machines(GraphScope(places), ids=[str(entry) for entry in missing])
        try:
            await _collect(pages, found)
        except RejectedError as error:
            # The provider is asked for these machines anyway; Resource Graph only adds power and image support.
            found.notes.append(f"Resource Graph did not describe the machines named by id: {error.message}")


async def _collect(
    pages: AsyncIterator[Sequence[Machine | Unreadable]], found: _Found, *, groups: bool = False
) -> None:
    async for page in pages:
        machines = parted(page, found.unreadable)
        found.add(machines)
        if groups:
            found.whole_groups.update((m.id.subscription_id, m.id.resource_group.casefold()) for m in machines)


async def _discover_in_lists(azure: Azure, selection: Selection, found: _Found) -> None:
    slots = asyncio.Semaphore(AT_ONCE)
    names = [(subscription_id, name) for subscription_id in selection.readable for name in selection.group_names]
    named = {(subscription_id, name.casefold()) for subscription_id, name in names}

    async def read(place: tuple[str, str | None], kind: MachineKind) -> None:
        subscription_id, group = place
        listed = (
            azure.provider.list_subscription(subscription_id, kind)
            if group is None
            else azure.provider.list_group(subscription_id, group, kind)
        )
        try:
            async with slots:
                await _collect(listed, found, groups=group is not None)
        except NotSentError:
            raise  # no connection: then nothing is known of any place
        except RequestError as error:
            # A group given by name need not exist in every subscription.
            is_gone = isinstance(error, RejectedError) and error.status == 404
            absent = is_gone and group is not None and (subscription_id, group.casefold()) in named
            if not absent:
                text = f"/subscriptions/{subscription_id}" + (f"/resourceGroups/{group}" if group else "")
                found.unreadable[text] = Unreadable(text, error.message)

    places: list[tuple[str, str | None]] = [(entry, None) for entry in selection.subscriptions]
    places += [*selection.groups, *names]
    await asyncio.gather(*(read(place, kind) for place in places for kind in LISTED_KINDS))


def _extent(found: _Found, selection: Selection) -> Extent:
    """How many machines stand in each place that is in scope as a whole."""
    subscriptions: Counter[tuple[str, MachineKind]] = Counter()
    groups: Counter[tuple[str, str, MachineKind]] = Counter()
    whole = set(selection.subscriptions)
    for machine_id, machine in found.machines.items():
        kind = MachineKind.ARC if machine.kind is MachineKind.ARC else MachineKind.VM
        group = machine_id.resource_group.casefold()
        if machine_id.subscription_id in whole:
            subscriptions[machine_id.subscription_id, kind] += 1
        if machine_id.subscription_id in whole or (machine_id.subscription_id, group) in found.whole_groups:
            groups[machine_id.subscription_id, group, kind] += 1
    return Extent(subscriptions, groups)


def _swallowed(found: _Found, selection: Selection) -> tuple[str, ...]:
    whole = set(selection.subscriptions)
    inside = {group for subscription_id, group in found.whole_groups if subscription_id in whole}
    return tuple(name for name in selection.group_names if name.casefold() in inside)


def _swallowed_texts(found: _Found, selection: Selection, pointed: SelectorMatches) -> tuple[str, ...]:
    whole = set(selection.subscriptions)

    def is_inside(one: ResourceId) -> bool:
        place = one.subscription_id, one.resource_group.casefold()
        return one.subscription_id in whole or place in found.whole_groups

    return tuple(text for text, ids in pointed.by_text.items() if ids and all(map(is_inside, ids)))


def _swallowed_told(groups: Sequence[str], texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What to say of the first group and of the first text that select nothing more, and the advice."""
    yield from map(_swallowed_text, groups[:1])
    for text in texts[:1]:
        message = (
            f"{text} adds nothing: selectors are united, and every machine that it names is in a subscription or group "
            "that is selected as a whole."
        )
        advice = (
            "For the machines of the text alone, leave the subscription or group out; for the whole of it, leave the "
            "text out."
        )
        yield message, advice


def _swallowed_text(name: str) -> tuple[str, str]:
    """What to say of a group that selects nothing more, and the advice."""
    message = (
        f"--resource-group {name} adds nothing: selectors are united, and the group's subscription is selected as "
        "a whole."
    )
    advice = (
        "For the group alone, leave the subscription out or give the group's id "
        f"(/subscriptions/{{guid}}/resourceGroups/{name}); for the whole subscription, leave the group out."
    )
    return message, advice


# ------------------------------------------------------------------------------------------------ surroundings


async def with_locks(azure: Azure, machines: Sequence[Machine]) -> tuple[list[Machine], list[str]]:
    """Machines with the locks above and on them, and what could not be read of these, one sentence each.

    Args:
        azure: a connection; one list a subscription is read.
        machines: in any order, which is kept.
    """
    notes: list[str] = []
    locks = await _locks(azure, tuple(dict.fromkeys(one.id.subscription_id for one in machines)), notes)
    return [_surrounded(machine, locks, {}) for machine in machines], notes


async def locks_in(azure: Azure, subscriptions: Iterable[str]) -> tuple[tuple[Lock, ...], list[str]]:
    """Every lock of some subscriptions, and what could not be read of these, one sentence each."""
    notes: list[str] = []
    by_scope = await _locks(azure, tuple(dict.fromkeys(subscriptions)), notes)
    return tuple(chain.from_iterable(by_scope.values())), notes


async def _with_surroundings(azure: Azure, machines: Sequence[Machine]) -> tuple[list[Machine], list[str]]:
    """Join locks and the resources that manage groups; say what could not be read."""
    subscriptions = tuple(dict.fromkeys(machine.id.subscription_id for machine in machines))
    notes: list[str] = []
    locks = await _locks(azure, subscriptions, notes)
    managed = await _managed_groups(azure, subscriptions, notes)
    if not locks and not managed:
        return list(machines), notes
    return [_surrounded(machine, locks, managed) for machine in machines], notes


def _surrounded(
    machine: Machine, locks: Mapping[str, Sequence[Lock]], managed: Mapping[tuple[str, str], str]
) -> Machine:
    subscription = f"/subscriptions/{machine.id.subscription_id}"
    group = f"{subscription}/resourcegroups/{machine.id.resource_group.casefold()}"
    covering = tuple(lock for place in (subscription, group, machine.id.key) for lock in locks.get(place, ()))
    manager = managed.get((machine.id.subscription_id, machine.id.resource_group.casefold()))
    if not covering and manager is None:
        return machine
    joined: Surroundings = replace(machine.surroundings, locks=covering, group_managed_by=manager)
    return replace(machine, surroundings=joined)


async def _locks(azure: Azure, subscriptions: Sequence[str], notes: list[str]) -> dict[str, list[Lock]]:
    slots = asyncio.Semaphore(AT_ONCE)
    by_scope: dict[str, list[Lock]] = defaultdict(list)

    async def read(subscription_id: str) -> None:
        try:
            async with slots:
                found = await azure.authorization.locks(subscription_id)
        except RequestError as error:
            notes.append(f"Locks in subscription {subscription_id} are not known: {error.message}")
            return
        for lock in found:
            by_scope[lock.scope.rstrip("/").casefold()].append(lock)

    await asyncio.gather(*(read(entry) for entry in subscriptions))
    return by_scope


async def _managed_groups(azure: Azure, subscriptions: Sequence[str], notes: list[str]) -> dict[tuple[str, str], str]:
    managed: dict[tuple[str, str], str] = {}
    if not subscriptions:
        return managed
    unread: Unread = {}
    try:
        async for page in azure.graph.resource_groups(GraphScope(tuple(subscriptions))):
            for group in parted(page, unread):
                if group.managed_by:
                    managed[group.subscription_id.lower(), group.name.casefold()] = group.managed_by
    except RequestError as error:
        notes.append(f"Managed resource groups are not known: {error.message}")
    notes += counted(unread, "managed resource groups", "a machine may belong to a service that is not named here")
    return managed
