"""Tenants, subscriptions, management groups and principals: what a fleet says of the cloud beside its resources.

Roles, locks and deny assignments are ordinary resources in the state; this module only knows who and where.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from arm_emulator.protocol.http import Principal

DEFAULT_TENANT = "11111111-1111-1111-1111-111111111111"
DEFAULT_CLIENT = "33333333-3333-3333-3333-333333333333"
DEFAULT_OBJECT = "44444444-4444-4444-4444-444444444444"
DEFAULT_SECRET = "not-a-secret"  # noqa: S105  the emulated principal's; it opens nothing

EXCHANGE = "api://AzureADTokenExchange"
"""The audience of federated tokens. Source: Microsoft, "Workload identity federation"; recommended there."""


@dataclass(frozen=True, slots=True)
class Delegation:
    """What a subscription's owner lets principals of another tenant do there, through Azure Lighthouse."""

    managed_by: str
    """The tenant of those principals."""
    authorizations: tuple[tuple[str, str], ...]
    """(object id in lower case, guid of a built-in role)."""
    resource_group: str = ""
    """The group that it is limited to, in lower case; ``''``: the whole subscription."""

    @classmethod
    def of(cls, entry: dict[str, Any]) -> "Delegation":
        """From a fleet document, where it has the names of ``Microsoft.ManagedServices``."""
        given = ((one["principalId"].lower(), one["roleDefinitionId"]) for one in entry["authorizations"])
        return cls(entry["managedByTenantId"], tuple(given), entry.get("resourceGroup", "").lower())

    def as_json(self) -> dict[str, Any]:
        """As a fleet document has it."""
        given = [{"principalId": one, "roleDefinitionId": role} for one, role in self.authorizations]
        limited = {"resourceGroup": self.resource_group} if self.resource_group else {}
        return {"managedByTenantId": self.managed_by, "authorizations": given, **limited}


@dataclass(slots=True)
class Subscription:
    """One subscription."""

    id: str
    display_name: str
    tenant_id: str
    state: str = "Enabled"
    management_group: str = ""
    """The name of its parent group; ``''`` for the tenant's root group."""
    unregistered: set[str] = field(default_factory=set)
    """Provider namespaces in lower case that it is not registered for."""
    registering: set[str] = field(default_factory=set)
    """Those among them whose registration is under way."""
    delegations: tuple[Delegation, ...] = ()
    """To tenants that manage it, or groups of it."""

    def managed_by_tenants(self) -> list[dict[str, str]]:
        """The tenants that manage it, each once, as ``GET /subscriptions`` and Resource Graph show them."""
        return [{"tenantId": tenant} for tenant in dict.fromkeys(one.managed_by for one in self.delegations)]

    def is_open_to(self, tenant_id: str) -> bool:
        """Whether a token of a tenant is let in: the owner's, and that of a tenant that manages something in it."""
        known = (self.tenant_id, *(one.managed_by for one in self.delegations))
        return tenant_id.lower() in {tenant.lower() for tenant in known}


@dataclass(frozen=True, slots=True)
class ManagementGroup:
    """One management group."""

    name: str
    display_name: str
    parent: str
    """The parent's name; ``''`` for the root group, whose name is the tenant's id."""


@dataclass(frozen=True, slots=True)
class FederatedCredential:
    """An issuer of tokens that an application trusts for one subject (Entra's federated identity credential)."""

    issuer: str
    subject: str
    audiences: tuple[str, ...]
    keys: tuple[Mapping[str, str], ...]
    """The issuer's signing keys (JSON Web Keys), which Entra reads from the issuer; here nothing is fetched."""


@dataclass(frozen=True, slots=True)
class Account:
    """A principal that may sign in."""

    principal: Principal
    secret: str = DEFAULT_SECRET
    is_everywhere: bool = False
    """Whether it signs in to every tenant, not only to its own: the default account, unless the fleet places it."""
    certificates: tuple[str, ...] = ()
    """Registered for it: PEM."""
    federated: tuple[FederatedCredential, ...] = ()
    managed: str = ""
    """``system`` or ``user``: a managed identity of the computer on which clients run, without a secret."""


def _federated(entry: Mapping[str, Any]) -> FederatedCredential:
    audiences = tuple(entry.get("audiences", (EXCHANGE,)))
    return FederatedCredential(entry["issuer"], entry["subject"], audiences, tuple(entry["keys"]))


class Directory:
    """Who and where. Filled by ``load``, empty lookups give None."""

    def __init__(self) -> None:
        self.subscriptions: dict[str, Subscription] = {}
        self.groups: dict[str, ManagementGroup] = {}
        self.accounts: dict[str, Account] = {}
        self.tenant_names: dict[str, str] = {}
        """Tenant id in lower case → display name; those without one are called as any emulated directory."""
        self.tenant_id = DEFAULT_TENANT
        self._handed_out = ""
        """The tenant of the first fleet, which the ready file names."""
        self._proofs: dict[str, Any] = {}
        """What the default account signs in with besides its secret."""
        self.clear()

    def clear(self) -> None:
        """Forget everything but the default tenant and principal."""
        self.subscriptions, self.groups, self.accounts, self.tenant_names = {}, {}, {}, {}
        self.tenant_id = DEFAULT_TENANT
        self._add_default()

    def made_default(self) -> Account:
        """The default account as it is while the fleet does not name it."""
        principal = Principal(DEFAULT_OBJECT, "arm-emulator operator", self.tenant_id, DEFAULT_CLIENT)
        return Account(principal, is_everywhere=True, **self._proofs)

    def give_default(
        self, *, certificates: tuple[str, ...] = (), federated: tuple[FederatedCredential, ...] = (), managed: str = ""
    ) -> None:
        """Let the default account sign in with these as well, in this fleet and in every later one."""
        self._proofs = {"certificates": certificates, "federated": federated, "managed": managed}
        self.accounts[DEFAULT_CLIENT] = replace(self.accounts[DEFAULT_CLIENT], **self._proofs)

    def _add_default(self) -> None:
        self.accounts[DEFAULT_CLIENT] = self.made_default()

    def load(self, fleet: dict[str, Any]) -> None:
        """Take in ``tenants``, ``subscriptions``, ``managementGroups`` and ``principals`` of a fleet document.

        Raises:
            KeyError: when a member that must be there is missing.
        """
        for entry in fleet.get("tenants", ()):
            self.tenant_names[entry["tenantId"].lower()] = entry.get("displayName", "")
        listed: Iterable[dict[str, Any]] = fleet.get("subscriptions", ())
        for entry in listed:
            self.tenant_id = entry.get("tenantId", self.tenant_id) if not self.subscriptions else self.tenant_id
            self.add_subscription(
                entry["subscriptionId"],
                display_name=entry.get("displayName", entry["subscriptionId"]),
                tenant_id=entry.get("tenantId", self.tenant_id),
                state=entry.get("state", "Enabled"),
                management_group=entry.get("managementGroup", ""),
                unregistered=entry.get("unregisteredProviders", ()),
                delegations=map(Delegation.of, entry.get("delegations", ())),
            )
        self._add_default()
        for entry in fleet.get("managementGroups", ()):
            group = ManagementGroup(entry["name"], entry.get("displayName", entry["name"]), entry.get("parent", ""))
            self.groups[group.name.lower()] = group
        for entry in fleet.get("principals", ()):
            self._add_principal(entry)
        self._handed_out = self._handed_out or self.tenant_id

    def _add_principal(self, entry: dict[str, Any]) -> None:
        client = entry["clientId"]
        principal = Principal(
            entry.get("objectId", client),
            entry.get("displayName", client),
            entry.get("tenantId", self.tenant_id),
            client,
        )
        is_default = client.lower() == DEFAULT_CLIENT
        proofs: dict[str, Any] = {
            "certificates": tuple(entry.get("certificates", ())),
            "federated": tuple(map(_federated, entry.get("federatedCredentials", ()))),
            "managed": entry.get("managedIdentity", ""),
        }
        if is_default:
            proofs = {name: value or self._proofs.get(name, value) for name, value in proofs.items()}
        secret = entry.get("clientSecret", DEFAULT_SECRET)
        is_everywhere = is_default and "tenantId" not in entry
        self.accounts[client.lower()] = Account(principal, secret, is_everywhere, **proofs)

    def add_subscription(
        self,
        subscription_id: str,
        *,
        display_name: str = "",
        tenant_id: str = "",
        state: str = "Enabled",
        management_group: str = "",
        unregistered: Iterable[str] = (),
        delegations: Iterable[Delegation] = (),
    ) -> Subscription:
        """Add or replace a subscription."""
        made = Subscription(
            subscription_id,
            display_name or f"Subscription {subscription_id}",
            tenant_id or self.tenant_id,
            state,
            management_group,
            {namespace.lower() for namespace in unregistered},
            delegations=tuple(delegations),
        )
        self.subscriptions[subscription_id.lower()] = made
        return made

    def subscription(self, subscription_id: str) -> Subscription | None:
        """The subscription of an id in any casing, or None."""
        return self.subscriptions.get(subscription_id.lower())

    def account(self, client_id: str) -> Account | None:
        """The account of a client id in any casing, or None."""
        return self.accounts.get(client_id.lower())

    def default_account(self) -> Account:
        """The account of the ready file: Owner of everything unless the fleet gives it narrower roles."""
        return self.accounts[DEFAULT_CLIENT]

    def tenant(self, name: str) -> str | None:
        """The id of a tenant that the fleet knows, as the fleet writes it; ``name`` in any casing. None: unknown.

        The tenant of the ready file stands for the first one of a fleet that was loaded later and does not name it.
        """
        theirs = (account.principal.tenant_id for account in self.accounts.values())
        known = (self.tenant_id, *(entry.tenant_id for entry in self.subscriptions.values()), *theirs)
        found = next((tenant for tenant in known if tenant.lower() == name.lower()), None)
        was_handed_out = name.lower() == self._handed_out.lower()
        return self.tenant_id if found is None and was_handed_out else found

    def as_of_now(self, principal: Principal) -> Principal:
        """Who a token's principal is since the last reset.

        What the ready file handed out opens every later fleet too: where the new one does not know that tenant, its
        first tenant takes the place.
        """
        tenant = self.tenant(principal.tenant_id)
        return principal if tenant in (None, principal.tenant_id) else replace(principal, tenant_id=tenant)

    def root_group(self) -> ManagementGroup:
        """The tenant's root management group."""
        return self.groups.get(self.tenant_id.lower()) or ManagementGroup(self.tenant_id, "Tenant Root Group", "")

    def group(self, name: str) -> ManagementGroup | None:
        """The management group of a name in any casing (the root's name is the tenant's id), or None."""
        root = self.root_group()
        return root if name.lower() == root.name.lower() else self.groups.get(name.lower())

    def all_groups(self) -> list[ManagementGroup]:
        """The root group and every other, in order of declaration."""
        root = self.root_group()
        return [root, *(group for group in self.groups.values() if group.name.lower() != root.name.lower())]

    def ancestors(self, name: str) -> list[ManagementGroup]:
        """The groups from the one named (``''``: the root) up to the root, nearest first."""
        chain: list[ManagementGroup] = []
        current: ManagementGroup | None = self.group(name) if name else self.root_group()
        while current is not None and current not in chain:
            chain.append(current)
            is_root = current.name.lower() == self.tenant_id.lower()
            current = None if is_root else self.group(current.parent) if current.parent else self.root_group()
        return chain

    def groups_above(self, subscription: Subscription) -> list[ManagementGroup]:
        """The management groups above a subscription, nearest first; the fleet has those of its first tenant only."""
        is_ours = subscription.tenant_id.lower() == self.tenant_id.lower()
        return self.ancestors(subscription.management_group) if is_ours else []

    def subscriptions_under(self, name: str) -> Iterator[Subscription]:
        """The subscriptions below a management group, at any depth."""
        wanted = name.lower()
        for subscription in self.subscriptions.values():
            if any(group.name.lower() == wanted for group in self.groups_above(subscription)):
                yield subscription
