"""Bearer tokens: issue, read, expire. Signed, so that a made-up one is refused; not secret.

Expiry goes by real time, not by the emulator's clock: a client caches its token by its own clock, which does not jump.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from functools import lru_cache

import msgspec

from arm_emulator.directory import Account, Directory
from arm_emulator.protocol.azure_clouds import PUBLIC, cloud_of
from arm_emulator.protocol.http import ArmError, Principal

LIFETIME_S = 3599
_ENCODED_HEADER = base64.urlsafe_b64encode(b'{"typ":"JWT","alg":"HS256"}').rstrip(b"=").decode()


class Tokens:
    """Issues and reads the tokens of one emulator.

    Args:
        directory: who may sign in.
        wall: seconds since 1970 by the real clock; tests hand in their own.
    """

    def __init__(self, directory: Directory, *, wall: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._wall = wall
        self._key = hashlib.sha256(b"arm-emulator token signature").digest()
        self._read: dict[str, tuple[Principal, float, str]] = {}
        self._refused_before = 0.0
        self._count = 0

    def expire_all(self) -> None:
        """Refuse every token issued until now (the fault ``expire tokens``)."""
        self._refused_before = float(self._count + 1)
        self._read.clear()

    def now_s(self) -> float:
        """Seconds since 1970 by the clock that tokens expire by."""
        return self._wall()

    def issue(
        self, account: Account, *, audience: str, issuer: str, tenant: str = "", lifetime_s: int = LIFETIME_S
    ) -> str:
        """A token for an account; a JWT, because some clients look inside.

        Args:
            account: who signs in.
            audience: the resource that it is for, as the client wrote it.
            issuer: the sign-in URL.
            tenant: the tenant that it acts in; ``''``: the account's own.
            lifetime_s: seconds until it expires.
        """
        now = int(self._wall())
        self._count += 1
        principal = account.principal
        claims = {
            "aud": audience,
            "iss": issuer,
            "iat": now,
            "nbf": now,
            "exp": now + lifetime_s,
            "appid": principal.client_id,
            "oid": principal.object_id,
            "sub": principal.object_id,
            "tid": tenant or principal.tenant_id,
            "name": principal.display_name,
            "jti": str(self._count),
            "ver": "1.0",
        }
        text = f"{_ENCODED_HEADER}.{_base64(msgspec.json.encode(claims))}"
        return f"{text}.{self._signature(text)}"

    def read(
        self,
        authorization: str | None,
        authority: str,
        base: str,
        *,
        accepts: Callable[[str, str], bool] | None = None,
    ) -> Principal:
        """The principal of an ``Authorization`` header.

        Args:
            authorization: the header's value, or None.
            authority: the sign-in URL that the challenge names.
            base: ``https://host:port`` that was called; the token must be for it.
            accepts: whether an audience is the resource that is called; None: Resource Manager.

        Raises:
            ArmError: 401 with ``WWW-Authenticate`` where the token is missing, not ours, expired or for another
                resource.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            message = "Authentication failed. The 'Authorization' header is missing."
            raise refusal("AuthenticationFailed", message, authority)
        known = self._read.get(token)
        if known is None:
            known = self._read[token] = self._verified(token, authority)
        principal, expiry, audience = known
        if expiry <= self._wall():
            moment = f"{time.strftime('%m/%d/%Y %H:%M:%S', time.gmtime(expiry))}"
            message = f"The access token expiry UTC time '{moment}' is earlier than current UTC time."
            raise refusal("ExpiredAuthenticationToken", message, authority)
        if not (accepts or is_arm)(audience, base):
            names = (base, *_audiences(base))
            allowed = ",".join(f"'{resource}'" for resource in (*(f"{name}/" for name in names), *names))
            message = (
                f"The access token has been obtained for wrong audience or resource '{audience}'. It should exactly "
                f"match with one of the allowed audiences {allowed}."
            )
            raise refusal("InvalidAuthenticationTokenAudience", message, authority)
        return principal

    def _verified(self, token: str, authority: str) -> tuple[Principal, float, str]:
        text, _, signature = token.rpartition(".")
        message = "The access token is invalid."
        if not hmac.compare_digest(signature.encode(), self._signature(text).encode()):
            raise refusal("InvalidAuthenticationToken", message, authority)
        try:
            payload = text.split(".")[1]
            claims = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            expiry = float(claims["exp"])
            if float(claims["jti"]) < self._refused_before:
                expiry = min(expiry, self._wall() - 1)
            principal = Principal(claims["oid"], claims["name"], claims["tid"], claims["appid"])
            audience = str(claims["aud"])
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise refusal("InvalidAuthenticationToken", message, authority) from error
        return principal, expiry, audience

    def _signature(self, text: str) -> str:
        return _base64(hmac.digest(self._key, text.encode(), "sha256"))


@lru_cache(maxsize=256)
def is_arm(resource: str, base: str) -> bool:
    """Whether a resource (an audience) is the Resource Manager that is called at ``base``.

    Args:
        resource: e.g. ``https://management.azure.com/`` or the endpoint, with or without slashes at its end.
        base: ``https://host:port``.
    """
    if cloud_of(base) is not None:
        return resource.rstrip("/").lower() in _audiences(base)
    port = base.removeprefix("https://").rpartition(":")[2]
    loopback = (f"https://{host}:{port}" for host in ("localhost", "127.0.0.1", "[::1]")) if port.isdigit() else ()
    return resource.rstrip("/").lower() in {base.lower(), *_audiences(base), *loopback}


def _audiences(base: str) -> tuple[str, ...]:
    """What Resource Manager is called in the cloud of a host; at an address of the emulator's, in the public one."""
    return (cloud_of(base) or PUBLIC).audiences


def unknown_resource(resource: str, tenant: str) -> str:
    """Entra's words (AADSTS500011) on a token for a resource that a tenant does not have."""
    return (
        f"The resource principal named {resource} was not found in the tenant named {tenant}. This can happen if the "
        "application has not been installed by the administrator of the tenant or consented to by any user in the "
        "tenant. You might have sent your authentication request to the wrong tenant."
    )


def is_microsoft_graph(resource: str, base: str) -> bool:
    """Whether a resource (an audience) is Microsoft Graph, under its name in that cloud or at ``base``."""
    return resource.rstrip("/").lower() in {f"{base}/graph".lower(), (cloud_of(base) or PUBLIC).microsoft_graph}


def refusal(code: str, message: str, authority: str) -> ArmError:
    """401 in Azure's error shape, with the challenge that says where to sign in."""
    challenge = f'Bearer authorization_uri="{authority}", error="invalid_token", error_description="{message}"'
    return ArmError(401, code, message, headers={"WWW-Authenticate": challenge}, gateway=True)


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
