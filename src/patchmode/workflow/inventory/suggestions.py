"""What was perhaps meant by a name that nothing has, looked up only where something was not found.

A name that is merely alike in another subscription is never offered as the one that was asked for: it is told that it
is another, and that the first may be there and be invisible to whoever is signed in.
Must not: raise for a look that fails; the user was told of the first fault already.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from patchmode.errors import RequestError, UsageError
from patchmode.model.left_alone import Unreadable
from patchmode.model.machine import Machine, Subscription
from patchmode.model.nearest import nearest, plain
from patchmode.model.resource_id import ResourceId
from patchmode.model.scope import Filters, Scope
from patchmode.model.target import SubscriptionNames, labels
from patchmode.ports.azure import Azure, GraphScope, ResourceGroup

LIST_SUBSCRIPTIONS = "`patchmode doctor` lists the subscriptions that you can see."
_MOST_LOOKED_UP = 5
"""Missing machines for which a nearest name is looked up; of more, the list that they come from is at fault."""


def no_such_subscription(text: str, known: Sequence[Subscription]) -> UsageError:
    """The error for a name that no visible subscription has.

    Args:
        text: as it was given.
        known: every subscription that the principal can see.
    """
    named = {plain(one.name): one.name for one in known}
    near = nearest(text, named)
    hint = f" If you meant another: the nearest of those that you can see is {near!r}." if near else ""
    return UsageError(
        f"You see no subscription named {text!r}: there is none, or this sign-in cannot see it.",
        advice=f"Check the tenant that you are signed in to, and your roles: {LIST_SUBSCRIPTIONS}{hint}",
    )


@dataclass(slots=True)
class MissingGroups:
    """Resource groups that were asked for and hold no machine."""

    unknown: list[Unreadable] = field(default_factory=list)
    """Those that cannot be seen at all."""
    notes: list[str] = field(default_factory=list)
    """Those that are there and empty, or of which nothing is known; a sentence each."""


async def why_no_group(azure: Azure, subscription_id: str, name: str) -> str:
    """Why a resource group is none that is seen, with the nearest name in its subscription; empty: it is seen."""
    ids, places = [(subscription_id, name)], [subscription_id]
    missing = await missing_groups(azure, Scope(), names=(), ids=ids, visible=places, readable=places)
    return " ".join(one.reason for one in missing.unknown)


async def missing_groups(
    azure: Azure,
    scope: Scope,
    *,
    names: Iterable[str],
    ids: Iterable[tuple[str, str]],
    visible: Sequence[str],
    readable: Collection[str],
) -> MissingGroups:
    """Tell apart groups that hold no machine and groups that nobody sees, with the nearest name.

    Args:
        azure: a connection; reading is enough.
        scope: its shard decides who tells of a group that no shard sees.
        names: of groups in which no machine was found.
        ids: (subscription, name) of such groups that were given by id.
        visible: every subscription to look in, lower case.
        readable: those of this shard.
    """
    names, ids, missing = tuple(names), tuple(ids), MissingGroups()
    if not names and not ids:
        return missing
    told = ", ".join((*names, *(name for _, name in ids)))
    try:
        known = [
            one
            async for page in azure.graph.all_resource_groups(GraphScope(tuple(visible)))
            for one in page
            if isinstance(one, ResourceGroup)
        ]
    except RequestError as error:
        missing.notes.append(f"No machine is in {told}; whether there is such a group is not known: {error.message}")
        return missing
    called = _labels(azure)
    for name in names:
        there = [one for one in known if one.name.casefold() == name.casefold()]
        if any(one.subscription_id in readable for one in there):
            missing.notes.append(f"Resource group {name} holds no machine that you can see.")
        elif not there and scope.takes(name):
            count = "the enabled subscription" if len(visible) == 1 else f"the {len(visible):,} enabled subscriptions"
            reason = f"Resource Graph shows no resource group of that name in {count} that you can see."
            reason = f"{reason} {_near(name, known, called)}"
            missing.unknown.append(Unreadable(f"resource group {name}", reason.strip()))
    for place, name in ids:
        _by_id(place, name, known, called, missing)
    return missing


def _by_id(
    place: str, name: str, known: Sequence[ResourceGroup], called: "dict[str, str]", missing: MissingGroups
) -> None:
    same = [one for one in known if one.subscription_id == place]
    if any(one.name.casefold() == name.casefold() for one in same):
        missing.notes.append(f"Resource group {name} in {called.get(place, place)} holds no machine that you can see.")
        return
    near = _near(name, same, called)
    elsewhere = next((one for one in known if one.name.casefold() == name.casefold()), None)
    if not near and elsewhere is not None:
        other = called.get(elsewhere.subscription_id, elsewhere.subscription_id)
        near = f"A group of that name is in {other}, which is not the subscription that you named."
    what = f"Resource Graph shows no such group in {called.get(place, place)}"
    reason = f"{what}: there is none, or this sign-in cannot see it. {near}"
    missing.unknown.append(Unreadable(f"/subscriptions/{place}/resourceGroups/{name}", reason.strip()))


def _near(name: str, known: Iterable[ResourceGroup], called: "dict[str, str]") -> str:
    by_name = {plain(one.name): one for one in known}
    near = nearest(name, {key: key for key in by_name})
    if near is None:
        return ""
    found = by_name[near]
    return f"The nearest is {found.name!r} in {called.get(found.subscription_id, found.subscription_id)}."


async def near_machine(
    azure: Azure, name: str, subscriptions: Sequence[str], *, resource_groups: Sequence[str] = ()
) -> str:
    """The sentence about the machine that was perhaps meant; empty: none is near, or nobody may look.

    Args:
        azure: a connection; reading is enough.
        name: as it was given.
        subscriptions: where to look, lower case.
        resource_groups: names; empty: all of them.
    """
    if not subscriptions:
        return ""
    try:
        machines = [
            one
            async for page in azure.graph.machines(GraphScope(tuple(subscriptions)), resource_groups=resource_groups)
            for one in page
            if isinstance(one, Machine)
        ]
    except RequestError:
        return ""
    by_name = {plain(one.name): one for one in machines}
    near = nearest(name, {key: key for key in by_name})
    if near is None:
        return ""
    found = by_name[near].id
    place = _labels(azure).get(found.subscription_id, found.subscription_id)
    return f"The nearest name is {found.name!r}, in {found.resource_group} of {place}."


async def with_near_names(azure: Azure, gone: Iterable[ResourceId], asked: Collection[ResourceId]) -> dict[str, str]:
    """For ids of machines that do not exist: the nearest name in the same resource group, as a sentence.

    Args:
        azure: a connection; reading is enough.
        gone: ids that the provider does not know.
        asked: those that were given by hand; of others nobody mistyped the name.

    Returns:
        Id → sentence, of those for which there is one.
    """
    found = {}
    for one in [entry for entry in gone if entry in asked][:_MOST_LOOKED_UP]:
        near = await near_machine(azure, one.name, (one.subscription_id,), resource_groups=(one.resource_group,))
        if near:
            found[str(one)] = near
    return found


def filter_slips(scope: Scope, machines: Collection[Machine]) -> tuple[str, ...]:
    """Filters that match no machine, while another value is near: `--location westeurop`.

    Args:
        scope: its filters of both kinds are looked at.
        machines: every machine that the selectors take.

    Returns:
        A sentence each. A pattern is not looked at: it may well match nothing.
    """
    told: list[str] = []
    for prefix, filters in (("--", scope.include), ("--exclude-", scope.exclude)):
        for option, given, there in _values(filters, machines):
            values = {plain(one): one for one in there if one}
            if given.casefold() in {one.casefold() for one in values.values()} or plain(given) in values:
                continue
            near = nearest(given, values)
            if near and not set(given) & set("*?["):
                told.append(f"{prefix}{option} {given} matches no machine. Did you mean {near}?")
    return tuple(told)


def _values(filters: Filters, machines: Collection[Machine]) -> Iterable[tuple[str, str, Iterable[str]]]:
    for text in filters.locations:
        yield "location", text, (one.location for one in machines)
    for key, _ in filters.tags:
        yield "tag", key, (name for one in machines for name in one.tags)
    for text in filters.names:
        yield "name", text, (one.name for one in machines)
    for text in filters.power:
        yield "power", text, (one.surroundings.power_state or "" for one in machines)


def _labels(azure: Azure) -> dict[str, str]:
    names: SubscriptionNames = azure.target.names
    return dict(labels(names))
