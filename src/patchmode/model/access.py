"""Who is signed in, by which identities, and what they may do where, as far as Azure tells."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from patchmode.model.resource_id import ResourceId

WRITE_VM = "Microsoft.Compute/virtualMachines/write"
WRITE_ARC = "Microsoft.HybridCompute/machines/write"
ATTACH = "Microsoft.Maintenance/configurationAssignments/write"
DETACH = "Microsoft.Maintenance/configurationAssignments/delete"
WRITE_SCHEDULE = "Microsoft.Maintenance/maintenanceConfigurations/write"
DELETE_SCHEDULE = "Microsoft.Maintenance/maintenanceConfigurations/delete"
SETTINGS_ACTIONS = frozenset({WRITE_VM, WRITE_ARC})
"""What changing a machine's settings needs."""


@dataclass(frozen=True, slots=True)
class MissingAction:
    """An action that an identity lacks at a scope."""

    scope: str
    """Where it is lacking: a subscription, a resource group or a machine. Granted there, it is enough."""
    action: str
    needed_for: str
    """The command that needs it and why, a few words."""
    identity: str = ""
    """Who lacks it; empty where there is but one."""
    machines: tuple[ResourceId, ...] = ()
    """Those at the scope on which it is needed; empty: the question was not about machines."""
    role: str = ""
    """A built-in role that has it; empty: none is named."""
    owner: str = ""
    """The tenant that delegates the subscription to the one signed in to, and alone can give more; empty: none does."""


@dataclass(frozen=True, slots=True)
class UnknownAccess:
    """A scope whose permissions Azure did not tell."""

    scope: str
    reason: str
    machines: tuple[ResourceId, ...]
    """Those at the scope that an action is needed on."""


@dataclass(frozen=True, slots=True)
class AccessCheck:
    """Whether whoever is signed in may do what is needed on each of some machines, by the roles that Azure tells.

    A role that allows an action is no promise: a deny assignment, a lock or a policy may still refuse it.
    """

    missing: tuple[MissingAction, ...] = ()
    unknown: tuple[UnknownAccess, ...] = ()
    """What could not be asked counts as allowed: Azure itself then answers."""
    machines: int = 0
    """How many were asked about."""

    @property
    def refused(self) -> Mapping[ResourceId, MissingAction]:
        """Each machine on which something needed is lacking, with the first such action."""
        found: dict[ResourceId, MissingAction] = {}
        for lack in self.missing:
            for machine_id in lack.machines:
                found.setdefault(machine_id, lack)
        return found


Principals = Mapping[str, Mapping[str, str]]
"""Identity's name → the token's claims that say who that is (`oid`, `appid`, `tid`, `upn`), as far as present.

A connection without an identity file has one identity, whose name is empty.
"""


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A client secret in a file, with or without a line feed at its end."""

    path: Path


@dataclass(frozen=True, slots=True)
class SecretVariable:
    """A client secret in an environment variable."""

    variable: str


@dataclass(frozen=True, slots=True)
class CertificateFile:
    """A certificate with its private key, as PEM or PKCS12."""

    path: Path
    password_variable: str | None = None
    """The environment variable with the key's password; None: it has none."""


@dataclass(frozen=True, slots=True)
class FederatedTokenFile:
    """A token of another issuer, such as a Kubernetes service account's; read anew when it is renewed."""

    path: Path


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    """The identity of the computer itself."""


Proof = SecretFile | SecretVariable | CertificateFile | FederatedTokenFile | ManagedIdentity


@dataclass(frozen=True, slots=True)
class ServicePrincipal:
    """One of several identities, and by what it proves who it is."""

    name: str
    """What messages call it; unique in its file."""
    tenant_id: str
    client_id: str
    """The application's id, or that of a user-assigned managed identity; empty: the system-assigned one."""
    proof: Proof


def by_tenant(identities: Iterable[ServicePrincipal]) -> Mapping[str, tuple[ServicePrincipal, ...]]:
    """Tenant id in lower case → its principals, in the order of the identities; tenants in that of their first."""
    found: dict[str, tuple[ServicePrincipal, ...]] = {}
    for one in identities:
        tenant_id = one.tenant_id.lower()
        found[tenant_id] = (*found.get(tenant_id, ()), one)
    return found
