"""Several identities: what `connect(identities=…)` takes, and the credential that each signs in with.

Must not: keep, log or repeat a secret. It is read when a credential is made, and again when a refused token asks for a
new one, so that a secret which was renewed in its file is found.

azure-identity is imported inside functions only: it costs a third of a second.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

from patchmode.arm.clouds import Cloud
from patchmode.arm.credentials import Credential, SignIn, keep_quiet
from patchmode.errors import SignInError, UsageError
from patchmode.model.identity import (
    CertificateFile,
    FederatedTokenFile,
    ManagedIdentity,
    SecretFile,
    SecretVariable,
    ServicePrincipal,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azure.core.pipeline.transport import AioHttpTransport


@dataclass(frozen=True, slots=True)
class NamedCredential:
    """One of several identities: a credential of the caller's own, which stays theirs to close."""

    name: str
    """What messages call it."""
    credential: Credential


def sign_in_of(
    identity: ServicePrincipal | NamedCredential, cloud: Cloud, transport: "AioHttpTransport", tenant_id: str | None
) -> SignIn:
    """The sign-in of one identity; nothing is asked yet.

    Args:
        identity: whose.
        cloud: whose sign-in to use.
        transport: connections for sign-in; it is not closed by the credential.
        tenant_id: the tenant of a credential of the caller's own; None: the credential's.

    Raises:
        SignInError: the proof cannot be read.
    """
    if isinstance(identity, NamedCredential):
        return SignIn(lambda: identity.credential, cloud, tenant_id, name=identity.name, is_ours=False)
    return SignIn(lambda: credential_of(identity, cloud, transport), cloud, identity.tenant_id, name=identity.name)


def credential_of(principal: ServicePrincipal, cloud: Cloud, transport: "AioHttpTransport") -> Credential:
    """The credential of azure-identity for a service principal.

    Raises:
        SignInError: its secret, certificate or token cannot be read; the message names the identity and the place.
    """
    try:
        return _made(principal, {"authority": cloud.authority, "transport": transport})
    except (OSError, ValueError) as error:
        raise SignInError(
            f"identity {principal.name!r} cannot sign in: {_why(error)}", advice="Correct it in the identity file."
        ) from error


def _made(principal: ServicePrincipal, common: dict[str, Any]) -> Credential:
    from azure.identity import aio

    keep_quiet()
    tenant, client = principal.tenant_id, principal.client_id
    match principal.proof:
        case SecretFile(path):
            return aio.ClientSecretCredential(tenant, client, _secret_in(path), **common)
        case SecretVariable(variable):
            return aio.ClientSecretCredential(tenant, client, _variable(variable), **common)
        case CertificateFile(path, variable):
            password = None if variable is None else _variable(variable)
            return aio.CertificateCredential(tenant, client, str(path), password=password, **common)
        case FederatedTokenFile(path):
            path.read_bytes()  # Now, so that a missing file is told by its name and not in the middle of a run.
            return aio.WorkloadIdentityCredential(
                tenant_id=tenant, client_id=client, token_file_path=str(path), **common
            )
        case ManagedIdentity():
            return aio.ManagedIdentityCredential(client_id=client or None, transport=common["transport"])
        case _:
            assert_never(principal.proof)


def _secret_in(path: Path) -> str:
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        # Without its cause: that one holds the bytes.
        msg = f"{path} is not a text file"
        raise ValueError(msg) from None
    if not secret:
        msg = f"{path} is empty"
        raise ValueError(msg)
    return secret


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        msg = f"the environment variable {name} is not set"
        raise ValueError(msg)
    return value


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return f"{error.filename} could not be read: {error.strerror or error}"
    return str(error)


def check_names(identities: "Sequence[ServicePrincipal | NamedCredential]", credential: Credential | None) -> None:
    """Refuse identities that messages could not tell apart, and identities beside a single credential.

    Raises:
        UsageError: a name is empty or stands twice, or `credential` is given too.
    """
    if credential is not None and identities:
        msg = "a credential and identities were given; a connection works as the one or as the others"
        raise UsageError(msg)
    names = [identity.name for identity in identities]
    if not all(names) or len(set(names)) < len(names):
        msg = f"identities need names of their own, and these are {', '.join(map(repr, names))}"
        raise UsageError(msg)


def check_distinct(sign_ins: "Sequence[SignIn]") -> None:
    """Refuse a principal that is signed in twice: its limits would be counted twice.

    Raises:
        UsageError: two tokens name the same object.
    """
    known: dict[str, str] = {}
    for sign_in in sign_ins:
        object_id = sign_in.principal.get("oid")
        other = known.setdefault(object_id, sign_in.name) if object_id else sign_in.name
        if other != sign_in.name:
            raise UsageError(
                f"Identities {other!r} and {sign_in.name!r} are the same principal (object id {object_id}).",
                advice="Leave one out: the limits of one principal do not double.",
            )


def check_one_tenant(tenants: "Sequence[tuple[str, str]]") -> str:
    """The tenant of all identities.

    Args:
        tenants: (identity's name, tenant id), at least one.

    Raises:
        UsageError: there are two; the message names an identity of each.
    """
    first, tenant_id = tenants[0]
    for name, other in tenants[1:]:
        if other.lower() != tenant_id.lower():
            raise UsageError(
                f"Identity {first!r} signed in to tenant {tenant_id} and {name!r} to tenant {other}.",
                advice="A run belongs to one tenant: use a file for each.",
            )
    return tenant_id
