"""What a client asks before it has a token: the metadata document, OpenID discovery, and the token itself.

Every URL is built from the Host header, so one emulator serves under ``localhost``, ``127.0.0.1`` and, behind a proxy,
the public names alike. The sign-in URL ends in ``/adfs`` because MSAL then skips instance discovery.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from arm_emulator.protocol.http import Response

if TYPE_CHECKING:
    from arm_emulator.app import Emulator

LIST_FROM = "2019-05-01"
LIST_VERSIONS = frozenset({"2019-05-01", "2020-06-01"})
"""These api-versions answer a list of clouds (``ARM_CLOUD_METADATA_URL`` wants one), the others a single object."""

_DISCOVERY = re.compile(r"^/(?P<tenant>[^/]+)(?P<version>/v2\.0)?/\.well-known/openid-configuration$", re.IGNORECASE)
_TOKEN = re.compile(r"^/(?P<tenant>[^/]+)/oauth2/(?:v2\.0/)?token$", re.IGNORECASE)


def answer(
    emulator: "Emulator", method: str, path: str, query: Mapping[str, str], body: bytes, base: str
) -> Response | None:
    """The answer to a call that needs no token, or None where the path is none of these.

    Args:
        emulator: whose directory signs in.
        method: upper case.
        path: decoded, double slashes collapsed.
        query: keys lower-cased.
        body: as it came.
        base: ``https://host:port``.
    """
    lowered = path.lower()
    if method == "GET" and lowered == "/metadata/endpoints":
        return Response(200, metadata(base, query.get("api-version", "")))
    if method == "GET" and lowered == "/common/discovery/instance":
        return Response(200, _instance_discovery(base))
    if method == "GET" and (found := _DISCOVERY.match(path)):
        return Response(200, _openid(base, found["tenant"], found["version"] or "", emulator.directory.tenant_id))
    if method == "POST" and (found := _TOKEN.match(path)):
        return _token(emulator, body, base)
    return None


def metadata(base: str, api_version: str) -> object:
    """The metadata document in the form of an api-version: a list for 2019-05-01, else one object."""
    cloud: dict[str, Any] = {
        "name": "AzureCloud",
        "portal": f"{base}/portal",
        "authentication": {
            "loginEndpoint": f"{base}/adfs",
            "audiences": [f"{base}/"],
            "tenant": "adfs",
            "identityProvider": "ADFS",
        },
        "graph": f"{base}/graph",
        "graphAudience": f"{base}/graph",
        "gallery": f"{base}/gallery",
        "media": f"{base}/media",
        "batch": f"{base}/batch",
        "sqlManagement": f"{base}/sql",
        "vmImageAliasDoc": f"{base}/aliases.json",
        "activeDirectoryDataLake": f"{base}/datalake",
        "microsoftGraphResourceId": f"{base}/graph/",
        "suffixes": {},
        "resourceManager": f"{base}/",
    }
    if api_version in LIST_VERSIONS:
        return [cloud]
    # An object is registered under a name of the caller's own (az cloud register), so its name is the emulator's.
    cloud["name"] = "arm-emulator"
    if api_version.startswith("2015"):
        cloud["graphEndpoint"] = cloud["graph"]
        cloud["galleryEndpoint"] = cloud["gallery"]
        cloud["portalEndpoint"] = cloud["portal"]
    return cloud


def _openid(base: str, tenant: str, version: str, tenant_id: str) -> dict[str, Any]:
    is_adfs = tenant.lower() == "adfs"
    oauth = f"{base}/{tenant}/oauth2" + ("" if is_adfs or not version else "/v2.0")
    return {
        "issuer": f"{base}/adfs" if is_adfs else f"{base}/{tenant_id}{version}",
        "authorization_endpoint": f"{oauth}/authorize",
        "token_endpoint": f"{oauth}/token",
        "device_authorization_endpoint": f"{oauth}/devicecode",
        "jwks_uri": f"{base}/{tenant}/discovery/keys",
        "response_types_supported": ["code", "id_token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["HS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "tenant_region_scope": "EU",
    }


def _instance_discovery(base: str) -> dict[str, Any]:
    host = base.removeprefix("https://")
    return {
        "tenant_discovery_endpoint": f"{base}/common/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }


def _token(emulator: "Emulator", body: bytes, base: str) -> Response:
    form = {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
    grant = form.get("grant_type", "")
    if grant != "client_credentials":
        return _oauth_error("unsupported_grant_type", f"AADSTS70003: The grant type '{grant}' is not emulated.")
    client = form.get("client_id", "")
    account = emulator.directory.account(client)
    if account is None:
        return _oauth_error(
            "unauthorized_client",
            f"AADSTS700016: Application with identifier '{client}' was not found in the directory.",
        )
    has_proof = "client_secret" in form or "client_assertion" in form
    if not has_proof or (account.secret is not None and form.get("client_secret") != account.secret):
        return _oauth_error("invalid_client", "AADSTS7000215: Invalid client secret provided.", status=401)
    audience = form.get("scope", form.get("resource", base)).removesuffix("/.default")
    lifetime = emulator.token_seconds
    token = emulator.tokens.issue(account, audience=audience, issuer=f"{base}/adfs", lifetime_s=lifetime)
    return Response(
        200,
        {"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime, "access_token": token},
        {"Cache-Control": "no-store"},
    )


def _oauth_error(code: str, description: str, *, status: int = 400) -> Response:
    return Response(status, {"error": code, "error_description": description, "error_codes": []})
