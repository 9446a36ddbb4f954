"""Identities: the principals that one connection works as, as a file names them and as Azure knows them.

Must not: hold a secret; it says where one is to be had.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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
