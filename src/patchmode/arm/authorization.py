"""Who is signed in, what may be done where, and what stands in the way: subscriptions, locks, permissions, providers.

Must not: judge permissions; what a command needs is the workflow's knowledge.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from patchmode.arm.channel import Channel
from patchmode.arm.governor import Spend
from patchmode.arm.wire import lock_from_document, subscription_from_document
from patchmode.model.machine import Lock, Subscription

SUBSCRIPTIONS_API = "2022-12-01"
LOCKS_API = "2020-05-01"
PERMISSIONS_API = "2022-04-01"
PROVIDERS_API = "2021-04-01"


class Directory:
    """Fulfils `ports.Authorization`."""

    def __init__(self, channel: Channel, principal: Callable[[], Mapping[str, str]]) -> None:
        self._channel = channel
        self._principal = principal

    async def subscriptions(self) -> Sequence[Subscription]:
        """Every subscription the principal can see. See `ports.Authorization.subscriptions`."""
        url = self._channel.url("/subscriptions", SUBSCRIPTIONS_API)
        return [subscription_from_document(document) for document in await self._all(url, Spend())]

    async def locks(self, subscription_id: str) -> Sequence[Lock]:
        """Every lock at or below the subscription. See `ports.Authorization.locks`."""
        path = f"/subscriptions/{subscription_id}/providers/Microsoft.Authorization/locks"
        url = self._channel.url(path, LOCKS_API)
        return [lock_from_document(document) for document in await self._all(url, Spend(subscription_id))]

    async def permissions(self, scope: str) -> Sequence[Mapping[str, Any]]:
        """Actions and notActions at a scope. See `ports.Authorization.permissions`."""
        path = f"{scope.rstrip('/')}/providers/Microsoft.Authorization/permissions"
        return await self._all(self._channel.url(path, PERMISSIONS_API), Spend(_subscription_of(scope)))

    async def provider_registration(self, subscription_id: str, namespace: str) -> str:
        """The registration state, as Azure words it. See `ports.Authorization.provider_registration`."""
        url = self._channel.url(f"/subscriptions/{subscription_id}/providers/{namespace}", PROVIDERS_API)
        document = (await self._channel.get(url, Spend(subscription_id))).document
        state = document.get("registrationState") if isinstance(document, Mapping) else None
        return str(state or "Unknown")

    async def principal(self) -> Mapping[str, str]:
        """The token's claims on who is signed in; empty where the token is opaque."""
        return self._principal()

    async def _all(self, url: str, spend: Spend) -> list[Mapping[str, Any]]:
        return [document async for page in self._channel.pages(url, spend) for document in page]


def _subscription_of(scope: str) -> str | None:
    parts = scope.strip("/").split("/")
    return parts[1].lower() if len(parts) > 1 and parts[0].casefold() == "subscriptions" else None
