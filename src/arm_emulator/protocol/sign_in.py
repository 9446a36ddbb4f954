"""What a client asks before it has a token: the metadata document, OpenID discovery, and the token itself.

Every URL is built from the Host header, so one emulator serves under ``localhost``, ``127.0.0.1`` and, behind a proxy,
the public names alike. The sign-in URL ends in ``/adfs`` because MSAL then skips instance discovery.
"""

import hmac
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from arm_emulator.protocol import assertions, managed_identity
from arm_emulator.protocol.azure_clouds import cloud_of
from arm_emulator.protocol.http import ArmError, Response, SignInRefusedError
from arm_emulator.protocol.tokens import is_arm, is_microsoft_graph, unknown_resource
from arm_emulator.protocol.wire import Call, new_id

if TYPE_CHECKING:
    from arm_emulator.directory import Account
    from arm_emulator.protocol.cloud import Cloud

ADFS = "adfs"
_ANY_TENANT = ("common", "organizations", "consumers")
_OPENID = frozenset({"openid", "profile", "email", "offline_access"})

LIST_FROM = "2019-05-01"
LIST_VERSIONS = frozenset({"2019-05-01", "2020-06-01"})
"""These api-versions answer a list of clouds (``ARM_CLOUD_METADATA_URL`` wants one), the others a single object."""

_DISCOVERY = re.compile(r"^/(?P<tenant>[^/]+)(?P<version>/v2\.0)?/\.well-known/openid-configuration$", re.IGNORECASE)
_TOKEN = re.compile(r"^/(?P<tenant>[^/]+)/oauth2/(?:v2\.0/)?token$", re.IGNORECASE)


def answer(cloud: "Cloud", call: Call, path: str, query: Mapping[str, str], base: str) -> Response | None:
    """The answer to a call that needs no token, or None where the path is none of these.

    Args:
        cloud: whose directory signs in.
        call: as it came.
        path: decoded, double slashes collapsed.
        query: keys lower-cased.
        base: ``https://host:port``.
    """
    method, lowered = call.method, path.lower()
    if method == "GET" and lowered == "/metadata/endpoints":
        return Response(200, metadata(base, query.get("api-version", "")))
    if method == "GET" and lowered == "/common/discovery/instance":
        return Response(200, _instance_discovery(base))
    if method == "GET" and (found := _DISCOVERY.match(path)):
        return _discovered(cloud, found["tenant"], found["version"] or "", base)
    if method == "POST" and (found := _TOKEN.match(path)):
        form = {name: values[-1] for name, values in parse_qs(call.body.decode("utf-8", "replace")).items()}
        return _token(cloud, form, found["tenant"], base)
    azure = cloud_of(base)
    if azure is None:
        return managed_identity.answer(cloud, method, path, query, call.headers, base)
    if base.lower() in azure.logins:
        # Under Entra's own names, through a proxy, there is nothing else.
        return ArmError(501, "NotEmulated", f"The emulator does not emulate {method} {path} of Entra.").response()
    return None


def authority(base: str, tenant: str) -> str:
    """The sign-in URL of a tenant for who called ``base``: that of its cloud where a name of Azure was called."""
    azure = cloud_of(base)
    return f"{azure.logins[0] if azure else base}/{tenant}"


def metadata(base: str, api_version: str) -> object:
    """The metadata document in the form of an api-version: a list for 2019-05-01, else one object.

    Who called a name of Azure is told that cloud's own names, of which those that are emulated lead here as well.
    """
    azure = cloud_of(base)
    if azure is not None:
        return [azure.metadata()] if api_version in LIST_VERSIONS else azure.metadata()
    cloud: dict[str, Any] = {
        # az gives a cloud of the name AzureCloud the public sign-in, whatever its document says.
        "name": "arm-emulator",
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
    if api_version.startswith("2015"):
        cloud["graphEndpoint"] = cloud["graph"]
        cloud["galleryEndpoint"] = cloud["gallery"]
        cloud["portalEndpoint"] = cloud["portal"]
    return cloud


def _discovered(cloud: "Cloud", place: str, version: str, base: str) -> Response:
    is_named = place.lower() not in (ADFS, *_ANY_TENANT)
    tenant = cloud.directory.tenant(place) if is_named else cloud.directory.tenant_id
    if tenant is None:
        return SignInRefusedError("invalid_tenant", 90002, _no_tenant(place)).response(
            cloud.clock.now(), new_id(), new_id()
        )
    return Response(200, _openid(base, place, version, tenant))


def _refused(cloud: "Cloud", refused: SignInRefusedError) -> Response:
    return refused.response(cloud.clock.now(), new_id(), new_id())


def _no_tenant(name: str) -> str:
    return (
        f"Tenant '{name}' not found. Check to make sure you have the correct tenant ID and are signing into the "
        "correct cloud. Check with your subscription administrator, this may happen if there are no active "
        "subscriptions for the tenant."
    )


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
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
        "tenant_region_scope": "EU",
    }


def _instance_discovery(base: str) -> dict[str, Any]:
    host = base.removeprefix("https://")
    return {
        "tenant_discovery_endpoint": f"{base}/common/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }


def _token(cloud: "Cloud", form: Mapping[str, str], place: str, base: str) -> Response:
    try:
        account, tenant = _signed_in(cloud, form, place, base)
        audience = _resource(form, tenant, base)
    except SignInRefusedError as refused:
        return _refused(cloud, refused)
    issuer = f"{base}/adfs" if place.lower() == ADFS else f"{base}/{tenant}"
    lifetime = cloud.token_seconds
    token = cloud.tokens.issue(account, audience=audience, issuer=issuer, tenant=tenant, lifetime_s=lifetime)
    return Response(
        200,
        {"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime, "access_token": token},
        {"Cache-Control": "no-store"},
    )


def _signed_in(cloud: "Cloud", form: Mapping[str, str], place: str, base: str) -> "tuple[Account, str]":
    """The account that a form proves to be, and the tenant that it signs in to."""
    directory = cloud.directory
    grant, client = form.get("grant_type", ""), form.get("client_id", "")
    if grant != "client_credentials":
        raise SignInRefusedError("unsupported_grant_type", 70003, f"The grant type '{grant}' is not emulated.")
    if place.lower() in _ANY_TENANT:
        text = "No tenant-identifying information found in either the request or implied by any provided credentials."
        raise SignInRefusedError("invalid_request", 50059, text)
    account = directory.account(client)
    home = account.principal.tenant_id if account is not None else directory.tenant_id
    tenant = home if place.lower() == ADFS else directory.tenant(place)
    if tenant is None:
        raise SignInRefusedError("invalid_request", 90002, _no_tenant(place))
    if account is None or not (account.is_everywhere or tenant.lower() == home.lower()):
        text = (
            f"Application with identifier '{client}' was not found in the directory '{tenant}'. This can happen if the "
            "application has not been installed by the administrator of the tenant or consented to by any user in the "
            "tenant. You may have sent your authentication request to the wrong tenant."
        )
        raise SignInRefusedError("unauthorized_client", 700016, text)
    _check_proof(account, form, _audiences(base, place, tenant), cloud.tokens.now_s())
    return account, tenant


def _audiences(base: str, place: str, tenant: str) -> frozenset[str]:
    """What a certificate's assertion may be addressed to: the token endpoints of this tenant, and its issuer.

    Source: Microsoft, "Microsoft identity platform application authentication certificate credentials", names
    `https://login.microsoftonline.com/{tenantId}/v2.0`; azure-identity and MSAL send the token endpoint.
    """
    ends = ("oauth2/token", "oauth2/v2.0/token", "v2.0")
    return frozenset(f"{base}/{name}/{end}" for name in (place, tenant) for end in ends)


def _check_proof(account: "Account", form: Mapping[str, str], audiences: frozenset[str], now_s: float) -> None:
    if "client_secret" in form:
        is_right = hmac.compare_digest(form["client_secret"].encode(), account.secret.encode())
        if account.managed or not is_right:
            text = (
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
                f"value, not the client secret ID, for a secret added to app '{account.principal.client_id}'."
            )
            raise SignInRefusedError("invalid_client", 7000215, text, status=401)
    elif "client_assertion" in form:
        if form.get("client_assertion_type") != assertions.TYPE:
            text = "The request body must contain the following parameter: 'client_assertion_type'."
            raise SignInRefusedError("invalid_request", 900144, text)
        assertions.check(account, form["client_assertion"], audiences, now_s)
    else:
        text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
        raise SignInRefusedError("invalid_client", 7000218, text, status=401)


def _resource(form: Mapping[str, str], tenant: str, base: str) -> str:
    """The resource that a form asks for: ``resource`` of the older form, the ``/.default`` scope of the newer."""
    if "scope" not in form and "resource" not in form:
        text = "The required field 'scope' is missing from the credential."
        raise SignInRefusedError("invalid_request", 90014, text)
    if "scope" not in form:
        code, resource = "invalid_resource", form["resource"]
    else:
        wanted = [scope for scope in form["scope"].split() if scope.lower() not in _OPENID]
        code, resource = "invalid_scope", wanted[0].removesuffix("/.default") if wanted else form.get("resource", "")
        if len(wanted) != 1 or not wanted[0].endswith("/.default"):
            text = (
                f"The provided value for scope {form['scope']} is not valid. Client credential flows must have a scope "
                "value with /.default suffixed to the resource identifier (application ID URI)."
            )
            raise SignInRefusedError("invalid_scope", 1002012, text)
    if not is_arm(resource, base) and not is_microsoft_graph(resource, base):
        text = unknown_resource(resource, tenant)
        raise SignInRefusedError(code, 500011, text)
    return resource
