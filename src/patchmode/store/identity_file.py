"""The identity file: the service principals of one run, and where each one's secret is to be had.

Must not: hold, read or repeat a secret. A file with one in it is refused, so that it need not be protected.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from patchmode.documents.access import IdentitiesDocument, IdentityRow
from patchmode.errors import UsageError
from patchmode.model.access import (
    CertificateFile,
    FederatedTokenFile,
    ManagedIdentity,
    Proof,
    SecretFile,
    SecretVariable,
    ServicePrincipal,
)
from patchmode.store.files import meant

FORMAT = "patchmode/identities/v1"
_FAMILY = "patchmode/identities/"
_PAGE = "docs/how-to/several-identities.md shows one."
_SECRETS = frozenset({"clientsecret", "secret", "password", "certificatepassword", "clientassertion"})
_PROOFS = ("clientSecretFile", "clientSecretEnv", "certificateFile", "federatedTokenFile", "managedIdentity")


def read_identities(path: Path) -> tuple[ServicePrincipal, ...]:
    """Read an identity file.

    Args:
        path: of a JSON document `patchmode/identities/v1`; the files that it names are relative to its folder, and are
            not opened here.

    Returns:
        In the order of the file; at least one, no name twice, and no application twice in a tenant. They may be of
        several tenants: a connection is made with those of one, as `by_tenant` of `model/access.py` divides them.

    Raises:
        UsageError: there is no such file, it is not what it should be, or a secret stands in it.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        msg = f"could not read the identity file {path}: {error.strerror or error}."
        raise UsageError(msg, advice=f"{meant(path)}{_PAGE}") from error
    try:
        raw = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong(path, f"it is not JSON ({error})") from error
    _check_format(raw, path)
    _check_no_secret(raw, path)
    try:
        document = msgspec.convert(raw, IdentitiesDocument)
    except msgspec.ValidationError as error:
        raise _wrong(path, f"{error}") from error
    found = tuple(_principal(row, path) for row in document.identities)
    _check_together(found, path)
    return found


def _wrong(path: Path, why: str, *, advice: str = _PAGE) -> UsageError:
    return UsageError(f"The identity file {path} cannot be used: {why}.", advice=advice)


def _check_format(raw: Any, path: Path) -> None:
    stated = raw.get("format") if isinstance(raw, dict) else None
    if stated == FORMAT:
        return
    if isinstance(stated, str) and stated.startswith(_FAMILY):
        raise _wrong(path, f"it has the format {stated}, and this version reads {FORMAT}")
    raise _wrong(path, f"it has no member format: {FORMAT}")


def _check_no_secret(raw: dict[str, Any], path: Path) -> None:
    """Say so before anything else is found wrong; what stands there is not repeated."""
    listed = raw.get("identities")
    for number, row in enumerate(listed if isinstance(listed, list) else [], 1):
        member = next((name for name in row if name.casefold() in _SECRETS), None) if isinstance(row, dict) else None
        if member is not None:
            raise _wrong(
                path,
                f"identity {number} has a member {member}, and no secret may be in this file",
                advice="Put it into a file of its own (clientSecretFile) or into a variable (clientSecretEnv).",
            )


def _principal(row: IdentityRow, path: Path) -> ServicePrincipal:
    named = [name for name, value in msgspec.to_builtins(row).items() if name in _PROOFS and value]
    if len(named) != 1:
        what = f"has {' and '.join(named)}" if named else "does not say how it signs in"
        raise _wrong(path, f"identity {row.name!r} {what}; give exactly one of {', '.join(_PROOFS)}")
    if row.certificate_password_env is not msgspec.UNSET and row.certificate_file is msgspec.UNSET:
        raise _wrong(path, f"identity {row.name!r} has certificatePasswordEnv without certificateFile")
    if row.client_id is msgspec.UNSET and row.managed_identity is msgspec.UNSET:
        raise _wrong(path, f"identity {row.name!r} has no clientId")
    client = "" if row.client_id is msgspec.UNSET else row.client_id
    return ServicePrincipal(row.name, row.tenant_id, client, _proof(row, path.parent))


def _proof(row: IdentityRow, folder: Path) -> Proof:
    """The one that stands in the row."""
    if row.client_secret_file is not msgspec.UNSET:
        return SecretFile(folder / row.client_secret_file)
    if row.client_secret_env is not msgspec.UNSET:
        return SecretVariable(row.client_secret_env)
    if row.certificate_file is not msgspec.UNSET:
        password = row.certificate_password_env
        return CertificateFile(folder / row.certificate_file, None if password is msgspec.UNSET else password)
    if row.federated_token_file is not msgspec.UNSET:
        return FederatedTokenFile(folder / row.federated_token_file)
    return ManagedIdentity()


def _check_together(found: Sequence[ServicePrincipal], path: Path) -> None:
    """Nobody twice: the limits of one application do not double in a tenant by being named twice."""
    names: set[str] = set()
    clients: dict[tuple[str, str], str] = {}
    for one in found:
        if one.name.casefold() in names:
            raise _wrong(path, f"two identities are called {one.name!r}")
        other = clients.setdefault((one.tenant_id.lower(), one.client_id.lower()), one.name)
        if other != one.name:
            raise _wrong(path, f"identities {other!r} and {one.name!r} are the same application in the same tenant")
        names.add(one.name.casefold())
