"""Who is signed in, what may be done where, and what prevents it: subscriptions, locks, permissions, providers."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypedDict, TypeVar

import msgspec

from patchmode.arm.channel import Channel
from patchmode.arm.governor import Cost, Identities
from patchmode.arm.wire import text_of
from patchmode.model.access import Principals
from patchmode.model.machine import Lock, Subscription
from patchmode.model.target import SubscriptionNames

SUBSCRIPTIONS_API = "2022-12-01"
LOCKS_API = "2020-05-01"
PERMISSIONS_API = "2022-04-01"
PROVIDERS_API = "2021-04-01"
ROLE_ASSIGNMENTS_API = "2022-04-01"


T = TypeVar("T")
_LOG = logging.getLogger(__name__)


class SubscriptionEntry(msgspec.Struct, rename="camel"):
    """One entry of `GET /subscriptions`; `tenantId` is absent for some logins.

    Source: azure-mgmt-resource `Subscription`; recorded lists.
    """

    id: str | None = None
    subscription_id: str | None = None
    display_name: str | None = None
    tenant_id: str | None = None
    state: str | None = None


class TenantEntry(msgspec.Struct, rename="camel"):
    """One entry of `GET /tenants`. Source: azure-mgmt-resource `TenantIdDescription`."""

    tenant_id: str | None = None
    display_name: str | None = None
    """Absent for some logins."""


class LockProperties(msgspec.Struct):
    """What a lock forbids."""

    level: str | None = None


class LockEntry(msgspec.Struct):
    """A management lock. Source: azure-mgmt-resource `ManagementLockObject`."""

    id: str
    name: str | None = None
    properties: LockProperties | None = None


class Permission(TypedDict, total=False):
    """What one role assignment allows at a scope. Source: azure-mgmt-authorization `Permission`."""

    actions: list[str] | None
    notActions: list[str] | None
    dataActions: list[str] | None
    notDataActions: list[str] | None


class RoleAssignmentProperties(msgspec.Struct):
    """Where a role is assigned."""

    scope: str | None = None


class RoleAssignment(msgspec.Struct):
    """One role assignment. Source: azure-mgmt-authorization `RoleAssignment`."""

    properties: RoleAssignmentProperties | None = None


class Registration(msgspec.Struct, rename="camel"):
    """A resource provider in a subscription."""

    registration_state: str | None = None


class Directory:
    """Fulfils `ports.Authorization`."""

    def __init__(
        self, channel: Channel, roster: Identities, principals: Callable[[], Principals], tenant_id: str = ""
    ) -> None:
        """Ask through a channel.

        Args:
            channel: of a connection.
            roster: its identities.
            principals: tells who they are, once they are signed in.
            tenant_id: the one that they signed in to; empty: not known, and no subscription counts as delegated.
        """
        self._tenant_id = tenant_id.lower()
        self._channel = channel
        self._roster = roster
        self._principals = principals
        self.names = SubscriptionNames()
        """Of the subscriptions, as they were listed last."""
        self.nameless = 0
        """Entries of that list which name no id; see `ports.Authorization.nameless`."""

    async def subscriptions(self) -> Sequence[Subscription]:
        """Every subscription that an identity can see. See `ports.Authorization.subscriptions`."""
        found: dict[str, Subscription] = {}
        self.nameless = 0
        for seen in await self.seen():
            found.update({entry.id: entry for entry in seen if entry.id not in found})
        self.names = SubscriptionNames.of(
            ((entry.id, entry.name) for entry in found.values()),
            ((entry.id, entry.tenant_id) for entry in found.values() if self._is_delegated(entry)),
        )
        return list(found.values())

    def _is_delegated(self, entry: Subscription) -> bool:
        """Whether it belongs to another tenant than the one signed in to. See `SubscriptionNames.delegated`."""
        return bool(self._tenant_id and entry.tenant_id) and entry.tenant_id.lower() != self._tenant_id

    async def seen(self) -> Sequence[Sequence[Subscription]]:
        """The subscriptions that each identity can see, in the order of the roster."""
        return await asyncio.gather(*map(self._seen_by, self._roster.numbers))

    async def _seen_by(self, identity: int) -> Sequence[Subscription]:
        pages = self._channel.pages(
            self._channel.url("/subscriptions", SUBSCRIPTIONS_API), Cost(identity=identity), Any
        )
        entries = [one async for page in pages for one in page]
        # One of another shape counts like one without an id: something is in it, and nobody knows what.
        listed = [subscription_of(_read(one, SubscriptionEntry) or SubscriptionEntry()) for one in entries]
        self.nameless += sum(not one.id for one in listed)
        return [one for one in listed if one.id]

    async def tenant_name(self) -> str:
        """The display name of the tenant signed in to. See `ports.Authorization.tenant_name`."""
        pages = self._channel.pages(self._channel.url("/tenants", SUBSCRIPTIONS_API), Cost(), Any)
        entries = [_read(one, TenantEntry) async for page in pages for one in page]
        named = (one for one in entries if one and (one.tenant_id or "").lower() == self._tenant_id)
        return next((one.display_name for one in named if one.display_name), "")

    async def locks(self, subscription_id: str) -> Sequence[Lock]:
        """Every lock at or below the subscription. See `ports.Authorization.locks`."""
        path = f"/subscriptions/{subscription_id}/providers/Microsoft.Authorization/locks"
        url = self._channel.url(path, LOCKS_API)
        pages = self._channel.pages(url, Cost(subscription_id), Any)
        place = f"/subscriptions/{subscription_id}"
        return [lock_of(_read(one, LockEntry), one, place) async for page in pages for one in page]

    async def permissions(self, scope: str) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Actions and notActions at a scope, for each identity. See `ports.Authorization.permissions`."""
        path = f"{scope.rstrip('/')}/providers/Microsoft.Authorization/permissions"
        url, subscription_id = self._channel.url(path, PERMISSIONS_API), _subscription_of(scope)
        return {
            self._roster.names[identity]: await self._all(url, Cost(subscription_id, identity=identity), Permission)
            for identity in self._roster.serving(subscription_id or "")
        }

    async def assigned_scopes(self, scope: str) -> Collection[str] | None:
        """Where below a scope a role is assigned to an identity. See `ports.Authorization.assigned_scopes`.

        Source: Microsoft, "List Azure role assignments using the REST API": `assignedTo` lists those of a user or
        service principal, those of its groups included, above and below the scope too.
        """
        subscription_id = _subscription_of(scope)
        principals = self._principals()
        below = scope.rstrip("/").lower() + "/"
        found: set[str] = set()
        for identity in self._roster.serving(subscription_id or ""):
            object_id = principals.get(self._roster.names[identity], {}).get("oid")
            if not object_id:
                return None
            path = f"{scope.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments"
            url = self._channel.url(path, ROLE_ASSIGNMENTS_API, _filter=f"assignedTo('{object_id}')")
            spend = Cost(subscription_id, identity=identity)
            assigned = map(_assigned_scope, await self._all(url, spend, RoleAssignment))
            found.update(one for one in assigned if one.startswith(below))
        return found

    async def provider_registration(self, subscription_id: str, namespace: str) -> str:
        """The registration state, as Azure words it. See `ports.Authorization.provider_registration`."""
        url = self._channel.url(f"/subscriptions/{subscription_id}/providers/{namespace}", PROVIDERS_API)
        found = (await self._channel.get(url, Cost(subscription_id), shape=Registration)).document
        return found.registration_state or "Unknown"

    async def principals(self) -> Principals:
        """The tokens' claims on who is signed in; empty where a token is opaque."""
        return self._principals()

    async def _all(self, url: str, spend: Cost, entry: type[T]) -> list[T]:
        """A list without its entries that cannot be read: each costs itself, and is told.

        A permission or a role that is left out allows nothing; see `lock_of` for a lock.
        """
        pages = self._channel.pages(url, spend, Any)
        found = [_read(one, entry) async for page in pages for one in page]
        odd = sum(one is None for one in found)
        if odd:
            _LOG.warning(
                "%s of %s entries of %s cannot be read and are left out", odd, len(found), url.partition("?")[0]
            )
        return [one for one in found if one is not None]


def _read(entry: object, shape: type[T]) -> T | None:
    """One entry of a list; None: it is of another shape. A member of another type than a text counts as absent."""
    try:
        return msgspec.convert(entry, shape, strict=False)
    except msgspec.ValidationError:
        if not isinstance(entry, Mapping):
            return None
    try:
        return msgspec.convert({name: one for name, one in entry.items() if isinstance(one, str)}, shape)
    except msgspec.ValidationError:
        return None


def subscription_of(entry: SubscriptionEntry) -> Subscription:
    """A subscription; what the service does not say of it is empty."""
    subscription_id = entry.subscription_id or (entry.id or "").rsplit("/", 1)[-1]
    return Subscription(
        id=subscription_id.lower(),
        name=entry.display_name or "",
        tenant_id=entry.tenant_id or "",
        state=entry.state or "Enabled",
    )


def lock_of(entry: LockEntry | None, given: object = None, place: str = "") -> Lock:
    """A lock; its scope is the id up to the lock itself.

    One that cannot be read is taken for one that refuses every write, since the other reading would let a write
    through: at its scope where that can be told, and otherwise at the place that was asked about.
    """
    if entry is None or not (entry.properties and entry.properties.level):
        told = text_of(given.get("id")) if isinstance(given, Mapping) else None
        entry = LockEntry(
            told or f"{place}/providers/Microsoft.Authorization/locks/?", None, LockProperties("ReadOnly")
        )
        entry.name = f"{entry.id.rsplit('/', 1)[-1]} (its level cannot be read)"
    at = entry.id.lower().rfind("/providers/microsoft.authorization/locks/")
    return Lock(
        scope=entry.id[:at] if at >= 0 else entry.id,
        name=entry.name or entry.id.rsplit("/", 1)[-1],
        level=(entry.properties and entry.properties.level) or "",
    )


def _assigned_scope(assignment: RoleAssignment) -> str:
    scope = assignment.properties and assignment.properties.scope
    return (scope or "").rstrip("/").lower()


def _subscription_of(scope: str) -> str | None:
    parts = scope.strip("/").split("/")
    return parts[1].lower() if len(parts) > 1 and parts[0].casefold() == "subscriptions" else None
