"""Who may do what where: role assignments, deny assignments and locks, read from the state at each call.

A principal with no role assignment may do nothing, except the default principal, which is Owner of everything until the
fleet gives it a role of its own.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from arm_emulator.directory import Delegation
from arm_emulator.protocol.http import ArmError, Principal
from arm_emulator.protocol.roles import BUILT_IN_ROLES, Permission
from arm_emulator.wildcards import wildcard

if TYPE_CHECKING:
    from arm_emulator.directory import Directory
    from arm_emulator.state import State, Stored

ASSIGNMENT = "microsoft.authorization/roleassignments"
DEFINITION = "microsoft.authorization/roledefinitions"
DENY = "microsoft.authorization/denyassignments"
LOCK = "microsoft.authorization/locks"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
"""Microsoft's public id of the built-in role."""
EVERYONE = "00000000-0000-0000-0000-000000000000"


class Authorization:
    """The checks of the front door that depend on who calls."""

    def __init__(self, state: "State", directory: "Directory") -> None:
        self._state = state
        self._directory = directory
        self._memory: dict[tuple[str, str, str], tuple[Permission, ...]] = {}
        self._has_denials = False
        self._has_locks = False
        self.refresh()

    def on_change(self, key: str) -> None:
        """The state changed: forget what was worked out, where the change is about authorization."""
        if "/providers/microsoft.authorization/" in key:
            self.refresh()

    def refresh(self) -> None:
        """Forget everything that was worked out (the directory or the state were loaded anew)."""
        self._memory.clear()
        self._has_denials = any(True for _ in self._state.of_type(DENY))
        self._has_locks = any(True for _ in self._state.of_type(LOCK))

    def permissions(self, principal: Principal, scope: str) -> tuple[Permission, ...]:
        """What the principal's roles allow at a scope, inherited ones included; empty: nothing."""
        place = (principal.object_id, principal.tenant_id, _role_scope(scope))
        known = self._memory.get(place)
        if known is None:
            known = self._memory[place] = tuple(self._gathered(principal, scope))
        return known

    def allows(self, principal: Principal, action: str, scope: str) -> bool:
        """Whether the principal's roles, deny assignments aside, allow an action at a scope."""
        return any(allowed(permission, action) for permission in self.permissions(principal, scope))

    def can_see(self, principal: Principal, scope: str) -> bool:
        """Whether the principal can read at a scope, or has any role below it (then Azure lists the scope too)."""
        if self.allows(principal, "Microsoft.Resources/subscriptions/resourceGroups/read", scope):
            return True
        if self.is_foreign(principal, scope):
            is_whole = len(scope.strip("/").split("/")) == 2
            return is_whole and any(True for _ in self._delegations(principal, scope))
        below = scope.lower().rstrip("/") + "/"
        return any(_assigned_scope(role).startswith(below) for role in self._roles_of(principal))

    def check_role(self, principal: Principal, action: str, scope: str) -> None:
        """Refuse what no role allows.

        Raises:
            ArmError: 403 AuthorizationFailed.
        """
        if action and not self.allows(principal, action, scope):
            raise ArmError(
                403,
                "AuthorizationFailed",
                f"{client(principal)} does not have authorization to perform action '{action}' over scope '{scope}' or "
                "the scope is invalid. If access was recently granted, please refresh your credentials.",
                gateway=True,
            )

    def check_denials(self, principal: Principal, action: str, scope: str) -> None:
        """Refuse what a deny assignment at the scope or above forbids.

        Raises:
            ArmError: 403 DenyAssignmentAuthorizationFailed.
        """
        if not self._has_denials or not action:
            return
        denial = next((found for found in self._denials(scope) if _denies(found.document, principal, action)), None)
        if denial is None:
            return
        properties = denial.document["properties"]
        name = properties.get("denyAssignmentName", denial.document.get("name", ""))
        guid = denial.document.get("name", "").replace("-", "")
        raise ArmError(
            403,
            "DenyAssignmentAuthorizationFailed",
            f"{client(principal)} has permission to perform action '{action}' on scope '{scope}'; however, the access "
            f"is denied because of the deny assignment with name '{name}' and Id '{guid}' at scope "
            f"'{properties.get('scope', denial.parent)}'.",
            gateway=True,
        )

    def check_locks(self, method: str, scope: str, *, posts_are_writes: bool) -> None:
        """Refuse a write under a ReadOnly lock and a delete under any lock.

        Raises:
            ArmError: 409 ScopeLocked.
        """
        is_write = method in ("PUT", "PATCH") or (method == "POST" and posts_are_writes)
        if not self._has_locks or not (is_write or method == "DELETE"):
            return
        if "/providers/microsoft.authorization/locks/" in scope.lower():
            return
        held = [lock for lock in self._locks(scope) if method == "DELETE" or _level(lock.document) == "readonly"]
        if not held:
            return
        verb = "delete" if method == "DELETE" else "write"
        scopes = ",".join(dict.fromkeys(lock.id.rsplit("/providers/", 1)[0] for lock in held))
        message = (
            f"The scope '{scope}' cannot perform {verb} operation because following scope(s) are locked: '{scopes}'. "
            "Please remove the lock and try again."
        )
        raise ArmError(409, "ScopeLocked", message, gateway=True)

    def _locks(self, scope: str) -> "Iterator[Stored]":
        for place in ancestry(scope):
            yield from self._state.of_type(LOCK, parent=place)

    def _denials(self, scope: str) -> "Iterator[Stored]":
        for place in ancestry(scope):
            for found in self._state.of_type(DENY, parent=place):
                stays = bool(found.document["properties"].get("doNotApplyToChildScopes"))
                if not stays or place == scope.lower().rstrip("/"):
                    yield found

    def _roles_of(self, principal: Principal) -> "Iterator[Stored]":
        for found in self._state.of_type(ASSIGNMENT):
            if found.document.get("properties", {}).get("principalId", "").lower() == principal.object_id.lower():
                yield found

    def owner_of_everything(self) -> Principal | None:
        """The default principal as long as the fleet gives it no role of its own; else None."""
        principal = self._directory.default_account().principal
        return principal if next(self._roles_of(principal), None) is None else None

    def _gathered(self, principal: Principal, scope: str) -> Iterator[Permission]:
        if self.is_foreign(principal, scope):
            for guid in self._delegated(principal, scope):
                yield from BUILT_IN_ROLES[guid].permissions
            return
        roles = list(self._roles_of(principal))
        owner = self.owner_of_everything()
        if not roles and owner is not None and principal.object_id == owner.object_id:
            yield from BUILT_IN_ROLES[OWNER].permissions
            return
        places = self._places(scope)
        for role in roles:
            if _assigned_scope(role) in places:
                yield from self._definition(role.document["properties"]["roleDefinitionId"])

    def is_foreign(self, principal: Principal, scope: str) -> bool:
        """Whether a scope belongs to another tenant than the one that the principal signed in to."""
        segments = scope.lower().strip("/").split("/")
        directory = self._directory
        owner = principal.tenant_id
        if segments[0] == "subscriptions" and len(segments) > 1:
            subscription = directory.subscription(segments[1])
            owner = subscription.tenant_id if subscription is not None else owner
        elif "managementgroups" in segments[:-1]:
            # The fleet's management groups are one tree, that of its first tenant.
            owner = directory.tenant_id
        return owner.lower() != principal.tenant_id.lower()

    def _delegations(self, principal: Principal, scope: str) -> Iterator[Delegation]:
        """What is delegated to the principal in the subscription of a scope, through Azure Lighthouse."""
        segments = scope.lower().strip("/").split("/")
        is_below = segments[0] == "subscriptions" and len(segments) > 1
        subscription = self._directory.subscription(segments[1]) if is_below else None
        for one in subscription.delegations if subscription is not None else ():
            given = tuple(pair for pair in one.authorizations if pair[0] == principal.object_id.lower())
            if one.managed_by.lower() == principal.tenant_id.lower() and given:
                yield replace(one, authorizations=given)

    def _delegated(self, principal: Principal, scope: str) -> Iterator[str]:
        """The roles that the principal has at a scope by delegation."""
        segments = scope.lower().strip("/").split("/")
        group = segments[3] if len(segments) > 3 and segments[2] == "resourcegroups" else ""
        for one in self._delegations(principal, scope):
            if not one.resource_group or one.resource_group == group:
                yield from (role for _, role in one.authorizations)

    def _places(self, scope: str) -> set[str]:
        places = {"", *ancestry(scope)}
        segments = scope.lower().strip("/").split("/")
        groups: list[str] = []
        if segments[0] == "subscriptions" and len(segments) > 1:
            subscription = self._directory.subscription(segments[1])
            above = self._directory.groups_above(subscription) if subscription else []
            groups = [group.name for group in above]
        elif "managementgroups" in segments[:-1]:
            name = segments[segments.index("managementgroups") + 1]
            groups = [group.name for group in self._directory.ancestors(name)]
        places.update(f"/providers/microsoft.management/managementgroups/{name.lower()}" for name in groups)
        return places

    def _definition(self, definition_id: str) -> tuple[Permission, ...]:
        guid = definition_id.rstrip("/").rsplit("/", 1)[-1].lower()
        if guid in BUILT_IN_ROLES:
            return BUILT_IN_ROLES[guid].permissions
        for found in self._state.of_type(DEFINITION):
            if found.key.endswith("/" + guid):
                return tuple(Permission.of(entry) for entry in found.document["properties"].get("permissions", ()))
        return ()


def client(principal: Principal) -> str:
    """How a refusal names its caller."""
    return f"The client '{principal.client_id or principal.object_id}' with object id '{principal.object_id}'"


def ancestry(scope: str) -> list[str]:
    """The scopes from a subscription down to the one named, in lower case: subscription, group, resource, child."""
    segments = scope.lower().strip("/").split("/")
    places = ["/" + "/".join(segments[:length]) for length in (2, 4) if len(segments) >= length]
    if segments[0] != "subscriptions":
        return ["/" + "/".join(segments)] if segments != [""] else []
    places.extend("/" + "/".join(segments[:length]) for length in range(8, len(segments) + 1, 2))
    return places


def allowed(permission: Permission, action: str) -> bool:
    """Whether one permission allows an action: named by ``actions`` and not by ``notActions``."""
    return _any_fits(permission.actions, action) and not _any_fits(permission.not_actions, action)


def _any_fits(patterns: tuple[str, ...], action: str) -> bool:
    return any(pattern == "*" or _pattern(pattern).fullmatch(action) is not None for pattern in patterns)


@lru_cache(maxsize=4096)
def _pattern(action: str) -> re.Pattern[str]:
    return wildcard(action, re.IGNORECASE)


def _denies(document: dict[str, Any], principal: Principal, action: str) -> bool:
    properties = document["properties"]
    if _names(properties.get("excludePrincipals", ()), principal):
        return False
    if not _names(properties.get("principals", ({"id": EVERYONE},)), principal):
        return False
    return any(allowed(Permission.of(entry), action) for entry in properties.get("permissions", ()))


def _names(principals: Any, principal: Principal) -> bool:
    return any(entry.get("id") in (EVERYONE, principal.object_id) for entry in principals)


def _level(document: dict[str, Any]) -> str:
    return str(document.get("properties", {}).get("level", "")).lower()


def _assigned_scope(role: "Stored") -> str:
    return str(role.document["properties"].get("scope", role.parent)).lower().rstrip("/")


def _role_scope(scope: str) -> str:
    return scope.lower().rstrip("/")
