"""Access checks: may whoever is signed in do what is needed, asked at the scope of the machines.

Must not: write, or call something lacking that Azure did not say is.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from patchmode.errors import RequestError
from patchmode.model.access import (
    ATTACH,
    DELETE_SCHEDULE,
    DETACH,
    WRITE_ARC,
    WRITE_SCHEDULE,
    WRITE_VM,
    AccessCheck,
    MissingAction,
    UnknownAccess,
)
from patchmode.model.plan import Plan
from patchmode.model.resource_id import ResourceId, subscription_of
from patchmode.ports.azure import Azure
from patchmode.rules.guardrails.permissions import ROLES, Needs, lacking, needs_of
from patchmode.timing import all_of

NOT_AUTHORIZED = "NotAuthorized"
"""The code of machines that whoever is signed in may not write. Ours: Azure was not asked to write them."""
AT_ONCE = 32
MOST_MACHINES_ASKED = 200
"""So many machines of one check are asked one by one where nothing cheaper tells; of the rest it is not known."""
USES: Mapping[str, str] = {
    WRITE_VM: "to change its settings",
    WRITE_ARC: "to change its settings",
    ATTACH: "to attach the schedule",
    DETACH: "to detach the schedule",
    WRITE_SCHEDULE: "to change the schedule",
    DELETE_SCHEDULE: "to delete the schedule",
}
Granted = Mapping[str, Sequence[Mapping[str, Any]]]


def nothing_allowed(access: AccessCheck) -> str:
    """That whoever is signed in may do what a plan does on none of its machines, half a sentence; empty: they may.

    Args:
        access: of the plan.
    """
    if not access.machines or len(access.refused) < access.machines:
        return ""
    actions = ", ".join(dict.fromkeys(lack.action for lack in access.missing))
    where = "the plan's machine" if access.machines == 1 else f"any of the plan's {access.machines:,} machines"
    return f"no role of yours allows {actions} on {where}"


async def check_plan_access(azure: Azure, plan: Plan) -> AccessCheck:
    """Whether what a plan does may be done, machine by machine.

    Args:
        azure: a connection; reading is enough.
        plan: one request a subscription where a role covers it whole; else one a resource group with machines.
    """
    return await check_access(azure, needs_of(plan), uses=USES)


async def check_scope_access(azure: Azure, scope: str, action: str) -> AccessCheck:
    """Whether an action is allowed at a scope itself, for what is written there and not on machines."""
    try:
        granted = await azure.authorization.permissions(scope)
    except RequestError as error:
        return AccessCheck(unknown=(UnknownAccess(scope, error.message, ()),))
    owner = owner_of(azure, scope)
    missing = (
        MissingAction(scope, action, USES[action], who, (), ROLES[action], owner) for who in lacking(action, granted)
    )
    return AccessCheck(tuple(missing))


def owner_of(azure: Azure, scope: str) -> str:
    """The tenant that delegates the subscription of a scope to the one signed in to; empty: none does."""
    return azure.target.names.owner_of(subscription_of(scope) or "")


async def check_attachment_access(azure: Azure, machines: Sequence[ResourceId], action: str) -> AccessCheck:
    """Whether schedules may be attached to machines, or taken off them.

    Args:
        azure: a connection; reading is enough.
        machines: in any order; empty: nothing is asked.
        action: `ATTACH` or `DETACH` of `model/access.py`.
    """
    return await check_access(azure, {action: machines}, uses=USES)


async def check_access(azure: Azure, needs: Needs, *, uses: Mapping[str, str]) -> AccessCheck:
    """Whether actions are allowed on machines.

    Steps, for each subscription:
        1. ask at the subscription: roles are inherited, so what is allowed there is allowed on each of its machines;
        2. what is lacking there is asked at each resource group with such machines;
        3. and what is lacking there too at each machine, but only where a role is assigned on single machines.

    Args:
        azure: a connection; reading is enough.
        needs: action → machines.
        uses: action → what for, a few words.

    Source: Microsoft.Authorization, "Permissions - List For Resource Group" and "- List For Resource". That of a
    subscription has no page of its own, so where it is refused the groups are asked.
    """
    by_subscription: dict[str, dict[str, list[ResourceId]]] = defaultdict(dict)
    for action, ids in needs.items():
        for machine_id in ids:
            by_subscription[machine_id.subscription_id].setdefault(action, []).append(machine_id)
    slots, left = asyncio.Semaphore(AT_ONCE), _Left(MOST_MACHINES_ASKED)
    checks = [_Subscription(azure, entry, uses, slots, left) for entry in by_subscription]
    found = await all_of(check.look(wanted) for check, wanted in zip(checks, by_subscription.values(), strict=True))
    missing = (one for check in found for one in check.missing)
    return AccessCheck(
        tuple(replace(one, owner=owner_of(azure, one.scope)) for one in missing),
        tuple(one for check in found for one in check.unknown),
        machines=len(_machines(needs)),
    )


@dataclass(slots=True)
class _Left:
    """How many machines may still be asked one by one, in the whole check."""

    count: int

    def take(self, count: int) -> bool:
        """Whether so many may be; they are then taken off."""
        if count > self.count:
            return False
        self.count -= count
        return True


class _Subscription:
    """One subscription's part of an access check."""

    def __init__(
        self, azure: Azure, subscription_id: str, uses: Mapping[str, str], slots: asyncio.Semaphore, left: _Left
    ) -> None:
        self._azure = azure
        self._left = left
        self._id = subscription_id
        self._scope = f"/subscriptions/{subscription_id}"
        self._uses = uses
        self._slots = slots
        self._missing: list[MissingAction] = []
        self._unknown: list[UnknownAccess] = []

    async def look(self, needs: Needs) -> AccessCheck:
        granted = await self._ask(self._scope)
        left = needs if isinstance(granted, RequestError) else _left(needs, granted)
        groups: dict[str, dict[str, list[ResourceId]]] = defaultdict(dict)
        names: dict[str, str] = {}
        for action, ids in left.items():
            for machine_id in ids:
                name = names.setdefault(machine_id.resource_group.casefold(), machine_id.resource_group)
                groups[name].setdefault(action, []).append(machine_id)
        await all_of(self._group(f"{self._scope}/resourceGroups/{name}", wanted) for name, wanted in groups.items())
        # Groups are asked at once, so their answers come in any order.
        missing = sorted(self._missing, key=lambda one: (one.scope.casefold(), one.action))
        return AccessCheck(tuple(missing), tuple(sorted(self._unknown, key=lambda one: one.scope.casefold())))

    async def _group(self, scope: str, needs: Needs) -> None:
        granted = await self._ask(scope)
        if isinstance(granted, RequestError):
            self._unknown.append(UnknownAccess(scope, granted.message, _machines(needs)))
            return
        left = _left(needs, granted)
        if not left:
            return
        single = await self._assigned_below(scope)
        asked = [one for one in _machines(left) if single is None or one.key in single]
        if not self._left.take(len(asked)):
            reason = "no role allows it on the group, and more machines than are asked may have a role of their own"
            self._unknown.append(UnknownAccess(scope, reason, _machines(left)))
            return
        allowed: dict[str, set[ResourceId]] = defaultdict(set)
        for machine_id, at_machine in zip(asked, await all_of(map(self._ask, map(str, asked))), strict=True):
            if isinstance(at_machine, RequestError):
                self._unknown.append(UnknownAccess(str(machine_id), at_machine.message, (machine_id,)))
            for action in left:
                if isinstance(at_machine, RequestError) or not lacking(action, at_machine):
                    allowed[action].add(machine_id)
        for action, ids in left.items():
            denied = tuple(one for one in ids if one not in allowed[action])
            self._missing += [
                MissingAction(scope, action, self._uses[action], identity, denied, ROLES.get(action, ""))
                for identity in lacking(action, granted)
                if denied
            ]

    async def _ask(self, scope: str) -> Granted | RequestError:
        async with self._slots:
            try:
                return await self._azure.authorization.permissions(scope)
            except RequestError as error:
                return error

    async def _assigned_below(self, scope: str) -> Collection[str] | None:
        """The ids below a scope, in lower case, on which whoever is signed in has a role; None: not known."""
        async with self._slots:
            try:
                return await self._azure.authorization.assigned_scopes(scope)
            except RequestError:
                return None


def _left(needs: Needs, granted: Granted) -> Needs:
    return {action: ids for action, ids in needs.items() if lacking(action, granted)}


def _machines(needs: Needs) -> tuple[ResourceId, ...]:
    return tuple(dict.fromkeys(one for ids in needs.values() for one in ids))
