"""Selectors and filters: what was asked for, as subscriptions, groups and ids that can be read, and who is left out."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from patchmode.errors import RejectedError, UsageError
from patchmode.model.left_alone import Skipped, Unreadable
from patchmode.model.machine import Machine, MachineKind, Subscription
from patchmode.model.plan import plain_region
from patchmode.model.resource_id import ResourceId, ResourceIdError
from patchmode.model.scope import Filters, Scope, Shard
from patchmode.ports.azure import Azure
from patchmode.workflow.inventory.suggestions import no_such_subscription

GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_GROUP_ID = re.compile(r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<name>[^/]+)/?", re.IGNORECASE)
_DISABLED = frozenset({"disabled", "deleted"})
"""States of a subscription that nothing can be changed in. Source: Microsoft, "Azure subscription states"."""

KINDS = {
    "microsoft.compute/virtualmachines": MachineKind.VM,
    "microsoft.hybridcompute/machines": MachineKind.ARC,
}


@dataclass(frozen=True, slots=True)
class Selection:
    """A scope's selectors, resolved. All subscription ids are in lower case."""

    readable: tuple[str, ...]
    """Every subscription of the principal in which machines can be read and changed."""
    subscriptions: tuple[str, ...]
    """Selected as a whole."""
    group_names: tuple[str, ...]
    """Resource groups by name; a name counts in every readable subscription."""
    groups: tuple[tuple[str, str], ...]
    """(subscription, resource group) of groups given by id."""
    ids: tuple[ResourceId, ...]
    unreadable: tuple[Unreadable, ...] = ()
    visible: tuple[str, ...] = ()
    """As `readable`, those of other shards too: what a name or a schedule means must not depend on who looks."""
    known: tuple[Subscription, ...] = ()
    """Every subscription that the principal sees, in every state."""
    given: tuple[str, ...] = ()
    """As `subscriptions`, those of other shards too: within what is selected as a whole, names are looked for."""
    given_groups: tuple[tuple[str, str], ...] = ()
    """(subscription, empty for any; group in lower case) of every selected group."""
    notes: tuple[str, ...] = ()
    """How many subscriptions the shard took, in a sentence; none without a shard."""


async def resolve(azure: Azure, scope: Scope) -> Selection:
    """Turn a scope's selectors into what can be read.

    Args:
        azure: a connection; subscriptions and management groups are looked up through it.
        scope: selectors are united; filters and `graph_queries` are not looked at here.

    Returns:
        Narrowed to the scope's shard, where it has one. A management group that cannot be read is told by one shard.

    Raises:
        UsageError: a subscription name that is unknown or not unique, or a text that is not the id it should be; the
            message names the nearest known name.
    """
    known = await azure.authorization.subscriptions()
    unreadable: dict[str, Unreadable] = {}
    wanted = [_subscription_id(text, known) for text in scope.subscriptions]
    for group in scope.management_groups:
        wanted += await _below(azure, group, unreadable)
    if scope.everything:
        wanted += [subscription.id for subscription in known]
        if nameless := azure.authorization.nameless:
            which = f"{nameless} {'entry' if nameless == 1 else 'entries'} of the list of subscriptions"
            unreadable["nameless"] = Unreadable(which, "No subscription id is named.")
    groups = [_group_by_id(text) for text in scope.resource_groups if text.startswith("/")]
    names = [text for text in scope.resource_groups if not text.startswith("/")]
    ids = machine_ids(scope.ids, source="--ids")
    readable = tuple(entry.id.lower() for entry in known if entry.state.casefold() not in _DISABLED)
    asked = dict.fromkeys([*wanted, *(group[0] for group in groups)])
    for subscription_id in asked:
        reason = _why_not(subscription_id, known)
        if reason:
            unreadable[subscription_id] = Unreadable(f"/subscriptions/{subscription_id}", reason)
    chosen = tuple(dict.fromkeys(entry.lower() for entry in wanted if entry not in unreadable))
    whole = Selection(
        readable=readable,
        subscriptions=chosen,
        group_names=tuple(dict.fromkeys(names)),
        groups=tuple(dict.fromkeys(group for group in groups if group[0] not in unreadable)),
        ids=ids,
        unreadable=tuple(unreadable.values()),
        visible=readable,
        known=tuple(known),
        given=chosen,
        given_groups=(*(("", name.casefold()) for name in names), *((one, name.casefold()) for one, name in groups)),
    )
    return whole if scope.shard is None else _in_shard(whole, scope, scope.shard)


def _in_shard(whole: Selection, scope: Scope, shard: Shard) -> Selection:
    places = {*whole.subscriptions, *(group[0] for group in whole.groups)}
    places |= {entry.subscription_id for entry in whole.ids}
    if whole.group_names or scope.leads_anywhere:
        places |= set(whole.readable)
    count, taken = len(places), sum(map(shard.takes, places))
    subscriptions = "subscription" if count == 1 else "subscriptions"
    return replace(
        whole,
        readable=tuple(filter(shard.takes, whole.readable)),
        subscriptions=tuple(filter(shard.takes, whole.subscriptions)),
        groups=tuple(group for group in whole.groups if shard.takes(group[0])),
        ids=tuple(entry for entry in whole.ids if shard.takes(entry.subscription_id)),
        unreadable=tuple(entry for entry in whole.unreadable if shard.takes(entry.id.rsplit("/", 1)[-1])),
        notes=(f"Shard {shard} selects {taken:,} of {count:,} {subscriptions}. The other shards select the rest.",),
    )


def machine_ids(texts: Iterable[str], *, source: str) -> tuple[ResourceId, ...]:
    """Parse ids of machines, each once however it is cased, in the order given.

    Raises:
        UsageError: a text is not a resource id, or not the id of a machine that patchmode knows; `source` says whose.
    """
    found: dict[ResourceId, None] = {}
    for text in texts:
        try:
            parsed = ResourceId.parse(text)
        except ResourceIdError as error:
            raise UsageError(
                f"{source}: {error}.", advice="Copy the id from `az vm list --query '[].id' -o tsv`."
            ) from error
        if parsed.full_type not in KINDS:
            raise UsageError(
                f"{source}: {parsed} is a {parsed.namespace}/{parsed.type}, not a machine.",
                advice="Give ids of Microsoft.Compute/virtualMachines or Microsoft.HybridCompute/machines.",
            )
        found.setdefault(parsed)
    return tuple(found)


def _subscription_id(text: str, known: Sequence[Subscription]) -> str:
    if GUID.fullmatch(text):
        return text.lower()
    named = [entry for entry in known if entry.name.casefold() == text.casefold()]
    if len(named) == 1:
        return named[0].id.lower()
    if named:
        ids = ", ".join(entry.id for entry in named)
        raise UsageError(f"{len(named)} subscriptions are named {text!r}: {ids}.", advice="Give the id instead.")
    raise no_such_subscription(text, known)


async def _below(azure: Azure, group: str, unreadable: dict[str, Unreadable]) -> list[str]:
    name = group.rstrip("/").rsplit("/", 1)[-1]
    try:
        found = [entry.lower() for entry in await azure.graph.subscriptions_under(name)]
    except RejectedError as error:
        reason, found = f"Its subscriptions could not be read: {error.message}", []
    else:
        reason = "It does not exist, or you can read no subscription below it."
    if not found:
        identifier = f"/providers/Microsoft.Management/managementGroups/{name}"
        unreadable[identifier] = Unreadable(identifier, reason)
    return found


def _group_by_id(text: str) -> tuple[str, str]:
    match = _GROUP_ID.fullmatch(text)
    if match is None or not GUID.fullmatch(match["subscription"]):
        raise UsageError(
            f"{text!r} is not the id of a resource group.",
            advice="Give its name, or /subscriptions/{guid}/resourceGroups/{name}.",
        )
    return match["subscription"].lower(), match["name"]


def _why_not(subscription_id: str, known: Sequence[Subscription]) -> str | None:
    entry = next((entry for entry in known if entry.id.lower() == subscription_id.lower()), None)
    if entry is None:
        return "The subscription does not exist, or you cannot see it: it is not in the list of your subscriptions."
    if entry.state.casefold() in _DISABLED:
        return (
            f"The subscription {entry.name!r} is {entry.state}, so its machines were not read: nothing in it can be "
            "changed until it is enabled."
        )
    return None


def narrow(machines: Iterable[Machine], scope: Scope) -> tuple[list[Machine], list[Skipped]]:
    """Divide machines into those that the filters let through and those that they leave out.

    Args:
        machines: any number, any order; the order is kept.
        scope: its `include` filters each narrow, its `exclude` filters each leave out; selectors are not looked at.

    Returns:
        Kept machines, and one `Skipped` for each other one, with rule `filter-os`, `exclude-tag`, … and the filter.
    """
    tests = [*_tests(scope.include, "filter"), *_tests(scope.exclude, "exclude")]
    kept: list[Machine] = []
    skipped: list[Skipped] = []
    for machine in machines:
        against = next((text for test in tests if (text := test.against(machine))), None)
        if against is None:
            kept.append(machine)
        else:
            skipped.append(Skipped(machine.id, against[0], against[1]))
    return kept, skipped


@dataclass(frozen=True, slots=True)
class _Test:
    member: str
    prefix: str
    wanted: Sequence[str] | Sequence[tuple[str, str | None]]

    def against(self, machine: Machine) -> tuple[str, str] | None:
        """(rule, reason) when the machine is to be left out.

        SAFETY: a machine whose tags cannot be read may have the very tag that leaves it out.
        """
        hit = next((value for value in self.wanted if _matches(self.member, value, machine)), None)
        option = f"--{self.member}" if self.prefix == "filter" else f"--exclude-{self.member}"
        rule = f"{self.prefix}-{self.member}"
        if self.member == "tag" and any(entry.path == "tags" for entry in machine.oddities):
            return rule, f"Left out by {option}: its tags cannot be read."
        if self.prefix == "exclude":
            return None if hit is None else (rule, f"Left out by {option} {_text(hit)}.")
        if hit is not None:
            return None
        wanted = " or ".join(_text(value) for value in self.wanted)
        return rule, f"Left out by {option} {wanted}: {_fact(self.member, machine)}."


def _tests(filters: Filters, prefix: str) -> list[_Test]:
    members: list[tuple[str, Sequence[str] | Sequence[tuple[str, str | None]]]] = [
        ("os", filters.os),
        ("location", filters.locations),
        ("tag", filters.tags),
        ("name", filters.names),
        ("power", filters.power),
    ]
    return [_Test(member, prefix, wanted) for member, wanted in members if wanted]


def _matches(member: str, value: str | tuple[str, str | None], machine: Machine) -> bool:
    if isinstance(value, tuple):
        return _has_tag(machine, *value)
    if member == "name":
        return fnmatchcase(machine.name.casefold(), value.casefold())
    if member == "location":
        return plain_region(machine.location) == plain_region(value)
    found = machine.os if member == "os" else machine.surroundings.power_state
    return found is not None and found.casefold() == value.casefold()


def _has_tag(machine: Machine, key: str, value: str | None) -> bool:
    # Azure compares tag names without regard to case, and values with it.
    return any(
        name.casefold() == key.casefold() and (value is None or value == found) for name, found in machine.tags.items()
    )


def _text(value: str | tuple[str, str | None]) -> str:
    if isinstance(value, str):
        return value
    key, wanted = value
    return key if wanted is None else f"{key}={wanted}"


def _fact(member: str, machine: Machine) -> str:
    if member == "tag":
        return "it has no such tag"
    if member == "name":
        # Each line of a report names its machine; a reason of its own would keep reports from telling them together.
        return "it has another name"
    facts = {"os": machine.os, "location": machine.location, "power": machine.surroundings.power_state}
    names = {"os": "operating system", "location": "region", "power": "power state"}
    return f"its {names[member]} is {facts[member] or 'not known'}"
