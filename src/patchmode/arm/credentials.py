"""Signing in: which credentials are tried, for which tenant, with how many identities, and what is told on failure."""

import asyncio
import base64
import logging
import math
import os
import re
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, assert_never

import msgspec

from patchmode.arm.clouds import PUBLIC_CLOUD, Cloud
from patchmode.arm.sign_in_codes import identity_advice, sign_in_advice
from patchmode.errors import SignInError, UsageError
from patchmode.model.access import (
    CertificateFile,
    FederatedTokenFile,
    ManagedIdentity,
    SecretFile,
    SecretVariable,
    ServicePrincipal,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azure.core.credentials import AccessTokenInfo, TokenRequestOptions

    from patchmode.arm.connections import SignInTransport


_TOKEN = re.compile(r"[\x21-\x7e]+")
"""What may stand after `Bearer`. Source: RFC 6750; a line end would begin a header of its own."""
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ODD_ANSWER = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, zlib.error)
"""What azure-identity raises over an answer of another form than it expects, besides its own exceptions."""
_TAIL = "To mitigate this issue"
_HEADINGS = ("ChainedTokenCredential failed to retrieve", "DefaultAzureCredential failed to retrieve")
_LEFT_OUT = (*_HEADINGS, "Attempted credentials", "Content: {", "Visit https://aka.ms/", "Code: ", "Message: ")
"""A heading of azure-identity's and its own pages, and what repeats the service's words: the raw body, and parts."""
_GUIDE = re.compile(r" See the troubleshooting guide for more information: https://aka\.ms/\S+")
_CLAIMS = ("oid", "appid", "azp", "tid", "upn", "preferred_username", "unique_name", "name", "idtyp", "sub")


class Credential(Protocol):
    """What `connect(credential=…)` takes: any asynchronous credential of azure-identity, or one like it."""

    async def get_token_info(self, *scopes: str, options: "TokenRequestOptions | None" = None) -> "AccessTokenInfo":
        """An access token for the scopes."""
        ...

    async def close(self) -> None:
        """Release what the credential holds."""
        ...


def default_chain(
    cloud: Cloud, transport: "SignInTransport", *, tenant_id: str | None, interactive: bool
) -> Credential:
    """The credentials to try, in this order: environment, workload identity, managed identity, az login, browser.

    Args:
        cloud: whose sign-in to use.
        transport: connections for sign-in, with the trust that was set up; it is not closed by the credential.
        tenant_id: the tenant to sign in to; None: the credential's own.
        interactive: also offer the browser, last.

    Raises:
        SignInError: the environment's variables cannot be a credential.
    """
    from azure.identity.aio import ChainedTokenCredential, DefaultAzureCredential

    keep_quiet()
    try:
        standard = DefaultAzureCredential(
            authority=cloud.authority,
            exclude_shared_token_cache_credential=True,
            exclude_visual_studio_code_credential=True,
            exclude_powershell_credential=True,
            exclude_developer_cli_credential=True,
            additionally_allowed_tenants=["*"],
            process_timeout=30,
            transport=transport,
        )
    except (OSError, ValueError, TypeError) as error:
        # An empty or malformed variable is refused before anything is tried, and a certificate is read now.
        raise _unusable(error) from error
    found = [_at_home(one, cloud, transport) for one in standard.credentials]
    # One flat chain: a chain within a chain fails for good, and the browser would never be offered.
    chain: Credential = ChainedTokenCredential(*found, *([_Browser(cloud, tenant_id)] if interactive else ()))
    return chain


def _unusable(error: Exception) -> SignInError:
    """What is wrong with the variables of a sign-in, of which azure-identity tells a certificate's without its file."""
    file = os.environ.get("AZURE_CLIENT_CERTIFICATE_PATH")
    if not file or os.environ.get("AZURE_CLIENT_SECRET") is not None:
        msg = f"the credential in the environment cannot be used: {error}"
        return SignInError(msg, advice="Correct or unset the AZURE_… variables of the sign-in.")
    why = _why(error).removeprefix(f"{file} ")
    return SignInError(
        f"AZURE_CLIENT_CERTIFICATE_PATH names {file!r}, which cannot be used to sign in: {why}",
        advice="Name a PEM or PKCS12 file that holds the certificate and its RSA key, and where the key is encrypted "
        "set AZURE_CLIENT_CERTIFICATE_PASSWORD.",
    )


def _at_home(found: Any, cloud: Cloud, transport: "SignInTransport") -> Any:
    """The credential, a workload identity with this cloud's sign-in.

    `DefaultAzureCredential` hands the authority to no workload identity (azure-identity 1.27), which then asks the one
    of `AZURE_AUTHORITY_HOST`, or without it the public cloud: the federated token would go there.
    """
    from azure.identity.aio import WorkloadIdentityCredential

    if not isinstance(found, WorkloadIdentityCredential):
        return found
    return WorkloadIdentityCredential(
        authority=cloud.authority, additionally_allowed_tenants=["*"], transport=transport
    )


def keep_quiet() -> None:
    """Let azure-identity's warnings go to no one: the failure is told once already.

    Without a handler Python prints warnings of libraries to standard error.
    """
    logging.getLogger("azure.identity").addHandler(logging.NullHandler())


class _Browser:
    """The browser, which azure-identity has for threads only."""

    def __init__(self, cloud: Cloud, tenant_id: str | None) -> None:
        from azure.identity import InteractiveBrowserCredential

        self._inner = InteractiveBrowserCredential(
            authority=cloud.authority,
            disable_instance_discovery=cloud.is_custom,
            **({"tenant_id": tenant_id} if tenant_id else {}),
        )

    async def get_token_info(self, *scopes: str, options: "TokenRequestOptions | None" = None) -> "AccessTokenInfo":
        return await asyncio.to_thread(self._inner.get_token_info, *scopes, options=options)

    async def close(self) -> None:
        await asyncio.to_thread(self._inner.close)

    async def __aenter__(self) -> "_Browser":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class SignIn:
    """One principal in one tenant: tokens when they are needed, and who that is.

    It is itself what azure-core calls a credential, so that the tenant goes into every token request and a failure
    comes out as `SignInError` wherever in the pipeline it happens.
    """

    def __init__(
        self,
        make: Callable[[], Credential],
        cloud: Cloud,
        tenant_id: str | None,
        *,
        name: str = "",
        is_ours: bool = True,
        transport: "SignInTransport | None" = None,
    ) -> None:
        """Prepare to sign in; nothing is asked yet.

        Args:
            make: gives the credential; it is called again where a fresh one, without cached tokens, is needed.
            cloud: whose sign-in it is, for messages.
            tenant_id: the tenant to ask tokens for; None: the credential's own.
            name: what messages call this identity among several; empty: there is but one.
            is_ours: whether the credential is closed here; else that is its maker's to do.
            transport: the credential's connections, which know what to do about one that failed; None: the caller's.
        """
        self._transport = transport
        self.name = name
        self._is_ours = is_ours
        self._make = make
        self._inner = make()
        self._cloud = cloud
        self._tenant_id = tenant_id
        self._claims: Mapping[str, Any] = {}
        self._kept: AccessTokenInfo | None = None
        self._renewing = asyncio.Lock()

    async def get_token_info(self, *scopes: str, options: "TokenRequestOptions | None" = None) -> "AccessTokenInfo":
        """A token, the one at hand while it lasts: az, for one, is asked anew each time and takes half a second.

        Raises:
            SignInError: none could be had; the message lists what was tried.
        """
        from azure.core.exceptions import AzureError

        wanted: TokenRequestOptions = {**(options or {})}
        if self._kept is not None and not wanted.get("claims") and _lasts(self._kept):
            return self._kept
        if self._tenant_id and "tenant_id" not in wanted:
            wanted["tenant_id"] = self._tenant_id
        try:
            token = await self._inner.get_token_info(*scopes, options=wanted)
            check_token(token)
        except (AzureError, OSError, *_ODD_ANSWER) as error:
            unreached = self._transport.advice if self._transport else ""
            raise sign_in_failure(error, self._cloud, self.name, unreached) from error
        self._kept, self._claims = token, claims_of(token.token)
        return token

    async def renew(self, refused: str) -> None:
        """Forget a token that the service refused although it is not over, with whatever cached it.

        Args:
            refused: the token; nothing happens if another one has taken its place since.
        """
        async with self._renewing:
            if self._kept is not None and refused == self._kept.token:
                fresh = self._make()
                if fresh is not self._inner:
                    await self._inner.close()
                self._inner, self._kept = fresh, None

    async def close(self) -> None:
        """Release what the credential holds, if it is ours."""
        if self._is_ours:
            await self._inner.close()

    async def __aenter__(self) -> "SignIn":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def get_token(self, *scopes: str, **kwargs: Any) -> Any:
        """The older form of the same, which azure-core's types ask for and its policies then do not call."""
        return await self.get_token_info(*scopes, options=kwargs or None)  # type: ignore[arg-type]  # same keys

    def check_tenant(self) -> None:
        """Refuse a token of another tenant than the one that was asked for: what follows would happen there.

        A managed identity and some credentials of a caller's own have one tenant and do not look at the wish.

        Raises:
            SignInError: it is of another one. Not where the wish is a domain, or the token does not say.
        """
        found, wanted = str(self._claims.get("tid") or ""), self._tenant_id or ""
        if found and _GUID.fullmatch(wanted) and found.lower() != wanted.lower():
            whose = f"identity {self.name!r}" if self.name else "the sign-in"
            raise SignInError(
                f"{whose} gave a token of tenant {found}, and tenant {wanted} was asked for",
                advice=f"Give {found} as its tenant, or sign in to {wanted} with another credential.",
            )

    @property
    def principal(self) -> Mapping[str, str]:
        """The claims that say who is signed in; empty before the first token and for opaque tokens."""
        return {name: str(self._claims[name]) for name in _CLAIMS if self._claims.get(name)}

    @property
    def tenant_id(self) -> str | None:
        """The tenant of the token, else the one asked for, else the environment's; None: nothing says."""
        return str(self._claims.get("tid") or self._tenant_id or os.environ.get("AZURE_TENANT_ID") or "") or None


def check_token(token: "AccessTokenInfo") -> None:
    """See that a token can be sent, and that its end can be told.

    Raises:
        ValueError: it cannot; what came is not told, since most of it may be a secret.
    """
    if not isinstance(token.token, str) or _TOKEN.fullmatch(token.token) is None:
        msg = "the sign-in answered with a token that cannot be sent: it has a line end or a space in it"
        raise ValueError(msg)
    times = (token.expires_on, 0 if token.refresh_on is None else token.refresh_on)
    if not all(isinstance(time_s, int | float) and math.isfinite(time_s) for time_s in times):
        msg = "the sign-in answered with a token that does not say when it ends"
        raise ValueError(msg)


def _lasts(token: "AccessTokenInfo") -> bool:
    """Whether azure-core would go on using it: five minutes are left, and the time to renew it has not come."""
    now = time.time()
    return token.expires_on - now > 300 and (token.refresh_on is None or token.refresh_on > now)


def claims_of(token: str) -> Mapping[str, Any]:
    """The payload of a JWT, unverified: it is shown to the user and decides nothing.

    Returns:
        Empty for an opaque token.
    """
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        payload = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, msgspec.DecodeError, RecursionError):
        return {}
    return payload if isinstance(payload, dict) else {}


def sign_in_failure(error: Exception, cloud: Cloud, name: str = "", unreached: str = "") -> SignInError:
    """The error that says what was tried, one credential a line, without azure-identity's pointer to its own pages.

    What Entra refused is advised on by its number, and otherwise how to sign in at all.

    Args:
        error: azure-identity's.
        cloud: where it was tried.
        name: of the identity that failed, where there are several.
        unreached: what to do about a sign-in service that could not be reached; empty: it was.
    """
    said = str(getattr(error, "message", error))
    if not hasattr(error, "message") and not isinstance(error, ValueError):
        said = f"the sign-in service's answer could not be read ({type(error).__name__}: {said})"
    lines = [_GUIDE.sub("", line).strip() for line in said.split(_TAIL)[0].splitlines()]
    tried = "\n".join(f"  {line}" for line in lines if line and not line.startswith(_LEFT_OUT))
    advice = sign_in_advice(said, cloud.authority) or unreached
    if name:
        advice = advice or identity_advice(said)
        where = "Correct it where it is defined, or leave it out; nothing was done as another identity instead."
        return SignInError(
            f"identity {name!r} cannot sign in to {cloud.name} ({cloud.authority}):\n{tried}",
            advice=f"{advice}\n{where}" if advice else where,
        )
    return SignInError(
        f"no credential gave a token for {cloud.name} ({cloud.authority}):\n{tried}",
        advice=advice or f"{identity_advice(said)}\n{how_to_sign_in(cloud)}".strip(),
    )


def how_to_sign_in(cloud: Cloud) -> str:
    """What somebody does who is not signed in: in az first the cloud is chosen, since its sign-in is of one cloud.

    Source: Microsoft, "Manage clouds with the Azure CLI": `az cloud set`, and `az cloud register` for other clouds.
    """
    variables = "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
    if cloud.is_custom:
        return f"{variables[0].upper()}{variables[1:]}, or sign in with az login in az's own cloud of that endpoint."
    if cloud.name == PUBLIC_CLOUD:
        return f"Sign in with az login, or {variables}."
    return f"Sign in in az, or {variables}:\naz cloud set --name {cloud.name} && az login"


@dataclass(frozen=True, slots=True)
class NamedCredential:
    """One of several identities: a credential of the caller's own, which stays theirs to close."""

    name: str
    """What messages call it."""
    credential: Credential


def sign_in_of(
    identity: ServicePrincipal | NamedCredential, cloud: Cloud, transport: "SignInTransport", tenant_id: str | None
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
    return SignIn(
        lambda: credential_of(identity, cloud, transport),
        cloud,
        identity.tenant_id,
        name=identity.name,
        transport=transport,
    )


def credential_of(principal: ServicePrincipal, cloud: Cloud, transport: "SignInTransport") -> Credential:
    """The credential of azure-identity for a service principal.

    Raises:
        SignInError: its secret, certificate or token cannot be read; the message names the identity and the place.
    """
    try:
        return _made(principal, {"authority": cloud.authority, "transport": transport})
    except (OSError, ValueError, TypeError) as error:
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
            # It is a workload identity where a pod's variables are set, which must sign in to this cloud.
            return aio.ManagedIdentityCredential(client_id=client or None, **common)
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


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename} could not be read: {error.strerror or error}"
    text = str(error)
    return f"{text[:1].lower()}{text[1:]}"


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
