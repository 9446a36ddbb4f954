"""Tokens of a managed identity, as a virtual machine and as App Service and Container Apps hand them out.

The computer on which clients run has every identity of the fleet with ``managedIdentity``. A virtual machine asks
169.254.169.254, where nobody here can listen, so that azure-identity must be told another host
(``AZURE_POD_IDENTITY_AUTHORITY_HOST``); App Service and Container Apps name theirs in ``IDENTITY_ENDPOINT``.

Source: Microsoft, "How to use managed identities for Azure resources on an Azure VM to acquire an access token"
(request, answer with texts for numbers, errors, and that the only user-assigned identity is taken where none is named)
and "How to use managed identities for App Service and Azure Functions" (the same of its endpoint, where the
system-assigned identity is used unless one is named). Texts, from issues of GitHub: ``Identity not found``
Azure/azure-sdk-for-net#37278; several identities Hexadite/acs-keyvault-agent#43; App Service
Azure-Samples/azure-search-openai-demo#2148; another resource Azure/azure-sdk-for-net#13481. Not confirmed: App
Service's answers to a wrong secret, and where it has no system-assigned identity and none is named.
"""

import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING

from arm_emulator.protocol.http import Response
from arm_emulator.protocol.tokens import is_arm, unknown_resource
from arm_emulator.protocol.wire import new_id

if TYPE_CHECKING:
    from arm_emulator.directory import Account
    from arm_emulator.protocol.cloud import Cloud

VM_PATH = "/metadata/identity/oauth2/token"
APP_PATH = "/msi/token"
APP_SECRET = "not-a-secret-header"  # noqa: S105  it opens nothing
_NO_APP_IDENTITY = "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."


def answer(
    cloud: "Cloud", method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], base: str
) -> Response | None:
    """The answer to a request for an identity's token, or None where the path is none of these.

    Args:
        cloud: whose directory has the identities.
        method: upper case.
        path: decoded.
        query: keys lower-cased.
        headers: keys lower-cased.
        base: ``https://host:port``.
    """
    lowered = path.lower().rstrip("/")
    if method != "GET" or lowered not in (VM_PATH, APP_PATH):
        return None
    return (_virtual_machine if lowered == VM_PATH else _app_service)(cloud, query, headers, base)


def _virtual_machine(cloud: "Cloud", query: Mapping[str, str], headers: Mapping[str, str], base: str) -> Response:
    if headers.get("metadata") != "true":
        return _bad_request("Required metadata header not specified")
    if not query.get("api-version") or not query.get("resource"):
        return _bad_request("Required query variables 'api-version' and 'resource' are missing")
    held = _identities(cloud)
    users = [one for one in held if one.managed == "user"]
    system = [one for one in held if one.managed == "system"]
    asked = query.get("client_id") or query.get("object_id") or query.get("msi_res_id") or ""
    if not asked and not system and len(users) > 1:
        text = "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity"
        return _bad_request(f"{text} in the token request")
    found = [one for one in users if _is(one, query)] if asked else (system or users)
    if not found:
        return _bad_request("Identity not found")
    if not is_arm(query["resource"], base):
        text = unknown_resource(query["resource"], found[0].principal.tenant_id)
        return _bad_request(f"AADSTS500011: {text}", "invalid_resource")
    return _issued(cloud, found[0], query["resource"], base, is_machine=True)


def _app_service(cloud: "Cloud", query: Mapping[str, str], headers: Mapping[str, str], base: str) -> Response:
    if not hmac.compare_digest(headers.get("x-identity-header", "").encode(), APP_SECRET.encode()):
        return Response(401, None)
    if query.get("api-version") != "2019-08-01" or not query.get("resource"):
        return _app_refusal("The api-version 2019-08-01 and a resource are needed.")
    is_named = any(query.get(name) for name in ("client_id", "principal_id", "object_id", "mi_res_id"))
    kind = "user" if is_named else "system"
    found = [one for one in _identities(cloud) if one.managed == kind and (not is_named or _is(one, query))]
    if not found:
        return _app_refusal(_NO_APP_IDENTITY)
    if not is_arm(query["resource"], base):
        text = unknown_resource(query["resource"], found[0].principal.tenant_id)
        return _app_refusal(f"AADSTS500011: {text}")
    return _issued(cloud, found[0], query["resource"], base, is_machine=False)


def _identities(cloud: "Cloud") -> "list[Account]":
    return [one for one in cloud.directory.accounts.values() if one.managed]


def _is(account: "Account", query: Mapping[str, str]) -> bool:
    client = query.get("client_id")
    known = account.principal.client_id if client else account.principal.object_id
    return known.lower() == (client or query.get("principal_id") or query.get("object_id") or "").lower()


def _issued(cloud: "Cloud", account: "Account", resource: str, base: str, *, is_machine: bool) -> Response:
    tenant, lifetime = account.principal.tenant_id, cloud.token_seconds
    token = cloud.tokens.issue(account, audience=resource, issuer=f"{base}/{tenant}", lifetime_s=lifetime)
    now = int(cloud.tokens.now_s())
    body = {
        "access_token": token,
        "client_id": account.principal.client_id,
        "expires_on": str(now + lifetime),
        "resource": resource,
        "token_type": "Bearer",
    }
    more = {"expires_in": str(lifetime), "ext_expires_in": str(lifetime), "not_before": str(now)}
    return Response(200, body | more if is_machine else body, {"Cache-Control": "no-store"})


def _bad_request(description: str, code: str = "invalid_request") -> Response:
    return Response(400, {"error": code, "error_description": description})


def _app_refusal(message: str) -> Response:
    return Response(400, {"statusCode": 400, "message": message, "correlationId": new_id()})
