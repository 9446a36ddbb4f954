"""Doctor: who is signed in, where, and what is missing to do the job; and the role that would be enough.

Must not: write, register providers or assign roles; it says who may.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from patchmode.errors import RequestError
from patchmode.model.machine import Lock, Subscription
from patchmode.model.report import Diagnosis, MissingAction, SubscriptionCheck
from patchmode.model.scope import Scope
from patchmode.workflow.permissions import lacking
from patchmode.workflow.ports import Azure, GraphScope
from patchmode.workflow.scoping import resolve

if TYPE_CHECKING:
    from patchmode.model.plan import Unreadable

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
    "Microsoft.Maintenance/maintenanceConfigurations/write": "schedule create",
    "Microsoft.Maintenance/configurationAssignments/read": "audit, plan, schedule: which schedules reach a machine",
    "Microsoft.Maintenance/configurationAssignments/write": "schedule attach, apply --then-attach",
    "Microsoft.Maintenance/configurationAssignments/delete": "schedule detach",
    "Microsoft.Maintenance/applyUpdates/read": "schedule failures, verify --after-window",
    "Microsoft.Resources/subscriptions/resourceGroups/read": "audit: managed resource groups",
    "Microsoft.Authorization/locks/read": "audit, plan: read-only locks",
    "Microsoft.Authorization/permissions/read": "doctor; audit, plan, schedule: whether schedules were seen whole",
}
"""Every action that patchmode uses, and for what.

Source: Microsoft, "Roles and permissions in Azure Update Manager".
"""

OPTIONAL = frozenset({"Microsoft.Authorization/permissions/read"})
"""Granted by Azure to everybody who may read the scope; never told as missing."""

NAMESPACES = ("Microsoft.Compute", "Microsoft.Maintenance", "Microsoft.HybridCompute", "Microsoft.ResourceGraph")
_ARC = "Microsoft.HybridCompute"
AT_ONCE = 8
_BLOCKING = "readonly"


async def examine(azure: Azure, scope: Scope) -> Diagnosis:
    """Look at everything that an apply in this scope would need.

    Args:
        azure: a connection; reading is enough.
        scope: subscriptions and management groups are looked at; without a selector, every subscription.

    Raises:
        SignInError: nobody is signed in. UsageError: a selector is wrong. RequestError: subscriptions cannot be listed.
    """
    principals = await azure.authorization.principals()
    known = {entry.id.lower(): entry for entry in await azure.authorization.subscriptions()}
    chosen = sorted(known)
    unreadable: tuple[Unreadable, ...] = ()
    if scope.has_selector and not scope.everything:
        selection = await resolve(azure, scope)
        wanted = {*selection.subscriptions, *(group[0] for group in selection.groups)}
        wanted |= {entry.subscription_id for entry in selection.ids}
        wanted |= {entry.id.subscription_id for reading in scope.logs for entry in reading.machines}
        if selection.group_names or scope.leads_anywhere:
            wanted |= set(selection.readable)
        unreadable = selection.unreadable
        chosen = [entry for entry in chosen if entry in wanted]
    chosen = [entry for entry in chosen if scope.takes(entry)]
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(subscription: Subscription) -> SubscriptionCheck:
        async with slots:
            return await _subscription(azure, subscription)

    checks = await asyncio.gather(*(one(known[entry]) for entry in chosen))
    return Diagnosis(azure.target, principals, await _graph(azure, chosen), tuple(checks), unreadable)


async def _graph(azure: Azure, subscriptions: Sequence[str]) -> str:
    try:
        async for _ in azure.graph.resource_groups(GraphScope(tuple(subscriptions[:1]))):
            break
    except RequestError as error:
        return f"{error.code}: {error.message}"
    return "answers"


async def _subscription(azure: Azure, subscription: Subscription) -> SubscriptionCheck:
    notes: list[str] = []
    scope = f"/subscriptions/{subscription.id}"
    if subscription.state.casefold() in {"disabled", "deleted"}:
        notes.append(f"The subscription is {subscription.state}: nothing in it can be changed.")
    registrations = {}
    for namespace in NAMESPACES:
        try:
            registrations[namespace] = await azure.authorization.provider_registration(subscription.id, namespace)
        except RequestError as error:
            registrations[namespace] = f"not known ({error.code})"
    has_arc = registrations[_ARC].casefold() != "notregistered"
    missing: list[MissingAction] = []
    identities: tuple[str, ...] = ()
    try:
        permissions = await azure.authorization.permissions(scope)
        identities = tuple(filter(None, permissions))
        missing = [
            MissingAction(scope, action, use, identity)
            for action, use in ACTIONS.items()
            for identity in lacking(action, permissions)
            if action not in OPTIONAL
            # Where the provider is not registered there can be no Arc machine, so nothing is needed for one.
            and (has_arc or not action.startswith(_ARC))
        ]
    except RequestError as error:
        notes.append(f"Permissions could not be read: {error.message}")
    locks = await _locks(azure, subscription.id, notes)
    return SubscriptionCheck(
        subscription,
        registrations,
        tuple(missing),
        locks=tuple(lock for lock in locks if lock.level.casefold() == _BLOCKING),
        notes=tuple(notes),
        harmless_locks=tuple(lock for lock in locks if lock.level.casefold() != _BLOCKING),
        identities=identities,
    )


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
