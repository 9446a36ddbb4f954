"""Doctor: who is signed in, where, and what is missing to do the job; and the role that would be enough.

Must not: write, register providers or assign roles; it says who may.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from patchmode.errors import RequestError
from patchmode.model.access import AccessCheck, MissingAction
from patchmode.model.machine import Lock, Machine, MachineKind, Subscription
from patchmode.model.report import Diagnosis, SubscriptionCheck
from patchmode.model.scope import Scope
from patchmode.ports.azure import Azure, GraphScope
from patchmode.rules.guardrails.permissions import Needs, lacking
from patchmode.workflow.inventory.access import check_access, owner_of
from patchmode.workflow.inventory.inventory import take_inventory
from patchmode.workflow.inventory.scoping import Selection, resolve

if TYPE_CHECKING:
    from patchmode.model.left_alone import Unreadable


ACTIONS: Mapping[str, str] = {
    "Microsoft.Compute/virtualMachines/read": "audit, plan, verify",
    "Microsoft.Compute/virtualMachines/write": "apply, rollback",
    "Microsoft.Compute/virtualMachines/instanceView/read": "explain",
    "Microsoft.Compute/virtualMachines/patchAssessmentResults/read": "audit: whether the image can be patched",
    "Microsoft.Compute/virtualMachines/patchInstallationResults/read": "verify --after-window",
    "Microsoft.Compute/locations/operations/read": "apply: following an operation to its end",
    "Microsoft.HybridCompute/machines/read": "audit of Arc machines",
    "Microsoft.HybridCompute/machines/write": "periodic assessment of Arc machines",
    "Microsoft.Maintenance/maintenanceConfigurations/read": "audit, plan, schedule: when schedules run",
    "Microsoft.Maintenance/maintenanceConfigurations/write": "schedule create, schedule update",
    "Microsoft.Maintenance/maintenanceConfigurations/delete": "schedule delete",
    "Microsoft.Maintenance/configurationAssignments/read": "audit, plan, schedule: which schedules reach a machine",
    "Microsoft.Maintenance/configurationAssignments/write": "schedule attach, apply --then-attach",
    "Microsoft.Maintenance/configurationAssignments/delete": "schedule detach, schedule delete",
    "Microsoft.Maintenance/applyUpdates/read": "schedule failures, verify --after-window",
    "Microsoft.EventGrid/systemTopics/read": "schedule: whether a schedule has pre and post events",
    "Microsoft.EventGrid/systemTopics/eventSubscriptions/read": "schedule: which pre and post events a schedule has",
    "Microsoft.EventGrid/eventSubscriptions/read": "schedule: pre and post events on the schedule itself",
    "Microsoft.Resources/subscriptions/resourceGroups/read": "audit: managed resource groups",
    "Microsoft.Authorization/locks/read": "audit, plan: read-only locks",
    "Microsoft.Authorization/permissions/read": "doctor; audit, plan, schedule: whether schedules were seen whole",
}
"""Every action that patchmode uses, and for what.

Source: Microsoft, "Roles and permissions in Azure Update Manager".
"""

OPTIONAL = frozenset({"Microsoft.Authorization/permissions/read"})
"""Granted by Azure to everybody who may read the scope; never told as missing."""

WHOLE_SUBSCRIPTION = frozenset(
    {
        "Microsoft.Compute/locations/operations/read",
        "Microsoft.Maintenance/configurationAssignments/read",
        "Microsoft.Authorization/locks/read",
    }
)
"""Asked for at the subscription itself, so a role on a resource group is not enough: operations stand there (Microsoft,
"Roles and permissions in Azure Update Manager"), dynamic scopes may, and locks are listed there."""

NAMESPACES = ("Microsoft.Compute", "Microsoft.Maintenance", "Microsoft.HybridCompute", "Microsoft.ResourceGraph")
_ARC = "Microsoft.HybridCompute"
AT_ONCE = 8
_READ = "Microsoft.Compute/virtualMachines/read"
_BLOCKING = "readonly"


async def examine(azure: Azure, scope: Scope) -> Diagnosis:
    """Look at everything that an apply in this scope would need.

    Args:
        azure: a connection; reading is enough.
        scope: only its subscriptions, machines and groups are spoken of; without a selector, every subscription.

    Raises:
        SignInError: nobody is signed in. UsageError: a selector is wrong. RequestError: subscriptions cannot be listed.
        EmptyScopeError: the scope has to be looked up, and holds no machine.
    """
    principals = await azure.authorization.principals()
    known = {entry.id.lower(): entry for entry in await azure.authorization.subscriptions()}
    chosen = sorted(known)
    unreadable: tuple[Unreadable, ...] = ()
    selection: Selection | None = None
    looked_up: tuple[Machine, ...] | None = None
    notes: tuple[str, ...] = ()
    if scope.has_selector and not scope.everything:
        selection = await resolve(azure, scope)
        wanted = {*selection.subscriptions, *(group[0] for group in selection.groups)}
        wanted |= {entry.subscription_id for entry in selection.ids}
        unreadable = selection.unreadable
        if selection.group_names or scope.leads_anywhere or scope.logs or scope.has_filter:
            # Where these lead shows only when they are looked up.
            inventory = await take_inventory(azure, scope, documents=False)
            looked_up, unreadable, notes = inventory.machines, inventory.unreadable, inventory.notes
            wanted |= {one.id.subscription_id for one in looked_up}
        chosen = [entry for entry in chosen if entry in wanted]
    chosen = [entry for entry in chosen if scope.takes(entry)]
    chosen_ones = [known[entry] for entry in chosen]
    checks = await _subscriptions(azure, chosen_ones, selection, looked_up)
    graph = await _graph(azure, chosen)
    told = scope.describe() if scope.has_selector and not scope.everything else ()
    return Diagnosis(azure.target, principals, graph, checks, unreadable, scope=told, notes=notes)


Granted = Mapping[str, Sequence[Mapping[str, Any]]] | RequestError
"""What may be done on a subscription by whom, or why that is not known."""


async def _subscriptions(
    azure: Azure, chosen: Sequence[Subscription], selection: Selection | None, looked_up: Sequence[Machine] | None
) -> tuple[SubscriptionCheck, ...]:
    """What is found in each; `looked_up`: the machines of the scope, where they had to be looked up."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def ask(subscription: Subscription) -> Granted:
        async with slots:
            try:
                return await azure.authorization.permissions(f"/subscriptions/{subscription.id}")
            except RequestError as error:
                return error

    granted = await asyncio.gather(*map(ask, chosen))
    whole = [looked_up is None and _is_asked_whole(selection, one) for one in chosen]
    places = [
        one.id.lower()
        for one, may, is_whole in zip(chosen, granted, whole, strict=True)
        if looked_up is None and not (is_whole and _is_enough(may))
    ]
    # One question about all of them: Resource Graph counts questions.
    machines = await _machines(azure, places) if looked_up is None else _by_place(looked_up)

    async def one(subscription: Subscription, may: Granted, *, is_whole: bool) -> SubscriptionCheck:
        async with slots:
            found = machines.get(subscription.id.lower(), [])
            part = tuple(found) if looked_up is not None else _in_scope(found, subscription, selection)
            return await _subscription(azure, subscription, may, part, is_whole=is_whole)

    parts = zip(chosen, granted, whole, strict=True)
    return tuple(await asyncio.gather(*(one(each, may, is_whole=is_whole) for each, may, is_whole in parts)))


def _is_enough(granted: Granted) -> bool:
    """Whether the subscription's own roles allow all, or nobody can tell: its machines are not asked for then."""
    needed = (one for one in ACTIONS if one not in OPTIONAL)
    return isinstance(granted, RequestError) or not any(lacking(one, granted) for one in needed)


async def _graph(azure: Azure, subscriptions: Sequence[str]) -> str:
    try:
        async for _ in azure.graph.resource_groups(GraphScope(tuple(subscriptions[:1]))):
            break
    except RequestError as error:
        return f"{error.code}: {error.message}"
    return "answers"


async def _subscription(
    azure: Azure, subscription: Subscription, granted: Granted, part: tuple[Machine, ...], *, is_whole: bool
) -> SubscriptionCheck:
    """What is found in a subscription.

    Args:
        granted: on the subscription itself.
        part: its machines in scope, as far as they are needed.
        is_whole: whether the scope is the whole subscription; where not, only `part` counts.
    """
    notes: list[str] = []
    if subscription.state.casefold() in {"disabled", "deleted"}:
        notes.append(f"The subscription is {subscription.state}: nothing in it can be changed.")
    registrations = {}
    for namespace in NAMESPACES:
        try:
            registrations[namespace] = await azure.authorization.provider_registration(subscription.id, namespace)
        except RequestError as error:
            registrations[namespace] = f"not known ({error.code})"
    # Where the provider is not registered there can be no Arc machine, so nothing is needed for one.
    has_arc = registrations[_ARC].casefold() != "notregistered"
    actions = [one for one in ACTIONS if one not in OPTIONAL and (has_arc or not one.startswith(_ARC))]
    access = await _access(azure, subscription, granted, part, actions, notes, is_whole=is_whole)
    locks = [one for one in await _locks(azure, subscription.id, notes) if is_whole or _covers(one, part)]
    return SubscriptionCheck(
        subscription,
        registrations,
        access.missing,
        locks=tuple(lock for lock in locks if lock.level.casefold() == _BLOCKING),
        notes=tuple(notes),
        harmless_locks=tuple(lock for lock in locks if lock.level.casefold() != _BLOCKING),
        identities=access.identities,
        machines=access.machines,
        owner=owner_of(azure, f"/subscriptions/{subscription.id}"),
    )


@dataclass(frozen=True, slots=True)
class _Access:
    """What may be done in one subscription."""

    missing: tuple[MissingAction, ...] = ()
    identities: tuple[str, ...] = ()
    machines: tuple[Machine, ...] = ()
    """Those at whose scope it was asked; none where what the subscription's own roles allow is enough."""


def _covers(lock: Lock, machines: Iterable[Machine]) -> bool:
    """Whether a lock is on one of the machines, or on what is above it."""
    above = lock.scope.rstrip("/").casefold()
    return any(one.id.key == above or one.id.key.startswith(f"{above}/") for one in machines)


async def _access(
    azure: Azure,
    subscription: Subscription,
    granted: Granted,
    machines: tuple[Machine, ...],
    actions: Sequence[str],
    notes: list[str],
    *,
    is_whole: bool,
) -> _Access:
    """What is missing, at the scope where the work is: a role on a resource group is enough for its machines."""
    if isinstance(granted, RequestError):
        notes.append(f"Permissions could not be read: {granted.message}")
        return _Access()
    scope = f"/subscriptions/{subscription.id}"
    identities = tuple(filter(None, granted))
    on_subscription = [
        MissingAction(scope, action, ACTIONS[action], identity, owner=owner_of(azure, scope))
        for action in actions
        for identity in lacking(action, granted)
    ]
    if not machines or not on_subscription:
        return _Access(tuple(on_subscription), identities)
    whole = [one for one in on_subscription if _counts_at_subscription(one)]
    below = [one for one in on_subscription if not _counts_at_subscription(one)]
    needs = {one.action: [entry.id for entry in machines if _is_for(one.action, entry)] for one in below}
    check = await check_access(azure, needs, uses=ACTIONS)
    notes += [f"Permissions on {one.scope} could not be read: {one.reason}" for one in check.unknown]
    if is_whole:
        notes += _partly_seen(below, machines)
        return _Access((*whole, *_gathered(below, check, needs)), identities, machines)
    return _Access((*whole, *check.missing), identities, machines)


def _counts_at_subscription(lack: MissingAction) -> bool:
    """Whether a role below the subscription is not enough.

    Of several identities each must read all of it: Resource Graph is asked about a subscription as one of them.
    """
    return lack.action in WHOLE_SUBSCRIPTION or (bool(lack.identity) and lack.action.endswith("/read"))


def _gathered(below: Sequence[MissingAction], check: AccessCheck, needs: Needs) -> list[MissingAction]:
    """What is missing, told of the subscription where it is missing on each of its machines."""
    found: list[MissingAction] = []
    for whole in below:
        parts = [one for one in check.missing if (one.action, one.identity) == (whole.action, whole.identity)]
        machines = tuple(machine_id for one in parts for machine_id in one.machines)
        everywhere = len(machines) == len(needs[whole.action]) and bool(machines)
        found += [replace(parts[0], scope=whole.scope, machines=machines)] if everywhere else parts
    return found


def _partly_seen(below: Sequence[MissingAction], machines: Sequence[Machine]) -> list[str]:
    if not any(one.action == _READ for one in below):
        return []
    groups = len({one.id.resource_group.casefold() for one in machines})
    where = "1 resource group" if groups == 1 else f"{groups:,} resource groups"
    return [f"You can read machines in {where} only: audit sees nothing of the rest of the subscription."]


def _is_for(action: str, machine: Machine) -> bool:
    if action.startswith("Microsoft.Compute/"):
        return machine.kind is not MachineKind.ARC
    return machine.kind is MachineKind.ARC if action.startswith(_ARC) else True


def _is_asked_whole(selection: Selection | None, subscription: Subscription) -> bool:
    """Whether the question was about the whole subscription."""
    return selection is None or subscription.id.lower() in selection.subscriptions


async def _machines(azure: Azure, places: Sequence[str]) -> Mapping[str, Sequence[Machine]]:
    """The machines of subscriptions, as far as Resource Graph shows them; none where it does not answer.

    A refusal may be about one of the subscriptions: each is asked about by itself then.
    """
    if not places:
        return {}
    found: list[Machine] = []
    try:
        async for page in azure.graph.machines(GraphScope(tuple(places))):
            found += (one for one in page if isinstance(one, Machine))
    except RequestError:
        if len(places) == 1:
            return {}
        parts = [await _machines(azure, [place]) for place in places]
        return {place: machines for part in parts for place, machines in part.items()}
    return _by_place(found)


def _by_place(machines: Iterable[Machine]) -> Mapping[str, Sequence[Machine]]:
    found: dict[str, list[Machine]] = defaultdict(list)
    for one in machines:
        found[one.id.subscription_id].append(one)
    return found


def _in_scope(
    machines: Sequence[Machine], subscription: Subscription, selection: Selection | None
) -> tuple[Machine, ...]:
    place = subscription.id.lower()
    if selection is None or place in selection.subscriptions:
        return tuple(machines)
    names = {name.casefold() for name in selection.group_names}
    names |= {name.casefold() for where, name in selection.groups if where == place}
    return tuple(one for one in machines if one.id in selection.ids or one.id.resource_group.casefold() in names)


async def _locks(azure: Azure, subscription_id: str, notes: list[str]) -> Sequence[Lock]:
    try:
        return await azure.authorization.locks(subscription_id)
    except RequestError as error:
        notes.append(f"Locks could not be read: {error.message}")
        return ()


def least_privilege_role(subscription_ids: Sequence[str]) -> dict[str, Any]:
    """A custom role that allows what patchmode does and nothing else, as `az role definition create` takes it.

    Args:
        subscription_ids: where the role may be assigned; empty: the placeholder `/subscriptions/{subscriptionId}`.

    `Microsoft.Compute/locations/operations/read` is asked for at the machine's subscription, so the role is assigned
    there and not on a resource group.
    """
    scopes = [f"/subscriptions/{entry}" for entry in subscription_ids] or ["/subscriptions/{subscriptionId}"]
    return {
        "Name": "Patch Orchestration Operator",
        "IsCustom": True,
        "Description": "Read machines, set their patch orchestration, periodic assessment and reboot setting, "
        "and attach schedules to them.",
        "Actions": sorted(ACTIONS),
        "NotActions": [],
        "DataActions": [],
        "NotDataActions": [],
        "AssignableScopes": scopes,
    }
