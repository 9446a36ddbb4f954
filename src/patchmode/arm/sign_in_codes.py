"""Microsoft Entra's error numbers of a refused sign-in: what is wrong, and what to do about it.

Nothing is decided by a number: it gives advice beside the service's own message, which is shown whole.

Source: Microsoft, "Microsoft Entra authentication and authorization error codes",
https://learn.microsoft.com/entra/identity-platform/reference-error-codes, and "Troubleshoot Azure authentication via
service principal", https://learn.microsoft.com/azure/developer/java/sdk/troubleshooting-authentication-service-principal
(both read 2026-11). The first says that numbers may change, so an unknown one is named with the page that explains it.
"""

import os
import re
from collections.abc import Iterator, Mapping

_NUMBER = re.compile(r"AADSTS(\d{4,8})\b")
_LOOK_UP = "/error?code="
_LOOKED_UP_AT = frozenset({"https://login.microsoftonline.com", "https://login.microsoftonline.us"})
"""Authorities that are known to have a page of their numbers. Source: `error_uri` in their answers."""

_NEW_ONE = "Create a new one in the app registration (Certificates & secrets) and set AZURE_CLIENT_SECRET to its value."
_APP = "Check AZURE_CLIENT_ID (the application's id, not its object id) and AZURE_TENANT_ID"
_TENANT = "Check AZURE_TENANT_ID, and that --cloud names the cloud of that tenant."
_AGAIN = "Sign in again with az login"
_MULTIFACTOR = (
    f"The tenant asks for multifactor authentication. {_AGAIN} --tenant TENANT in a browser, or use a service "
    "principal."
)
_CONDITIONAL = (
    "A Conditional Access policy of the tenant refused this sign-in. Its administrator sees which one in the sign-in "
    "logs; sign in from a place or a device that it allows."
)
_NO_USER = (
    "The account does not exist in that tenant. Check the account's name and the tenant (az login --tenant TENANT); a "
    "guest has to be invited first."
)
_PATH = '"$AZURE_CLIENT_CERTIFICATE_PATH"'
_FITS_NOT = (
    "The certificate does not fit the application: its thumbprint must be among those of the app registration "
    "(Certificates & secrets). Check AZURE_CLIENT_ID and AZURE_TENANT_ID too."
)
_CHAIN = (
    " AZURE_CLIENT_SEND_CERTIFICATE_CHAIN has no effect here: a certificate must be registered itself, not only its "
    "subject name and issuer."
)
_THUMBPRINT = f" The thumbprint is shown by:\nopenssl x509 -in {_PATH} -noout -fingerprint -sha256"
_ASSERTION = f"{_FITS_NOT}{_THUMBPRINT}"
_EXPIRED = (
    "The certificate has expired. Register a new one in the app registration (Certificates & secrets) and name its "
    "file in AZURE_CLIENT_CERTIFICATE_PATH."
)
_FEDERATED = (
    "No federated identity credential of the application fits the token. Its issuer, subject and audience must be "
    "those of the token, in the same casing. They are listed by the first of these, of a managed identity by the "
    'second:\naz ad app federated-credential list --id "$AZURE_CLIENT_ID"\n'
    "az identity federated-credential list --identity-name NAME --resource-group GROUP"
)
_EXCHANGE = (
    "The token has another audience than the federated identity credential. It is api://AzureADTokenExchange in "
    "AzureCloud, api://AzureADTokenExchangeUSGov in AzureUSGovernment and api://AzureADTokenExchangeChina in "
    "AzureChinaCloud; both the credential and the token must have it."
)
_ISSUER_KEY = (
    "Entra could not check the token's signature with the keys that its issuer publishes. Check that the issuer's "
    "/.well-known/openid-configuration can be reached from the internet and lists the key; a key just rotated takes a "
    "while."
)
_BUSY = "The sign-in service is not available at the moment. Repeat the command in a few minutes."

_ADVICE: Mapping[str, str] = {
    "7000215": "The client secret is wrong. Set AZURE_CLIENT_SECRET to the secret's value, which is not its id; a lost "
    f"value cannot be shown again. {_NEW_ONE}",
    "70002": f"The client secret is wrong. {_NEW_ONE}",
    "7000222": f"The client secret has expired. {_NEW_ONE}",
    "7000218": "The request had neither a client secret nor a certificate. Set AZURE_CLIENT_SECRET or "
    "AZURE_CLIENT_CERTIFICATE_PATH.",
    "700016": f"There is no such application in that tenant. {_APP}; its administrator may have to add the app.",
    "700011": f"There is no such application in that tenant. {_APP}; its administrator may have to add the app.",
    "70001": "The application is disabled in that tenant. Ask its administrator to enable it, or use another one.",
    "7000112": "The application is disabled in that tenant. Ask its administrator to enable it, or use another one.",
    "700025": "The application is a public client, which has no secret. Unset AZURE_CLIENT_SECRET or use another app.",
    "700027": _ASSERTION,
    "700030": _ASSERTION,
    "50012": _ASSERTION,
    "700021": _ASSERTION,
    "700023": "The certificate's assertion is addressed to another cloud or tenant. Check that --cloud "
    "(PATCHMODE_CLOUD) names the cloud of AZURE_TENANT_ID.",
    "700024": "The certificate's assertion or the federated token is not valid now. Check this computer's clock, and "
    "that the token file is renewed before it expires. In a pipeline the token with which az signed in ends after "
    "minutes: sign in again there.",
    "70021": _FEDERATED,
    "700211": _FEDERATED,
    "700212": _EXCHANGE,
    "700213": _FEDERATED,
    "7002138": "The token's subject and that of the federated identity credential differ in their casing, which "
    "counts. Give the credential the subject of the message.",
    "7000272": _ISSUER_KEY,
    "50013": _ISSUER_KEY,
    "50027": "What was sent as a token is none. The file that AZURE_FEDERATED_TOKEN_FILE or federatedTokenFile names "
    "must hold the token alone.",
    "90002": f"There is no such tenant in this cloud. {_TENANT}",
    "900023": f"The tenant is neither an id nor a domain name. {_TENANT}",
    "90038": f"The tenant belongs to another cloud. {_TENANT}",
    "900432": f"The application signs in across clouds, which is not supported. {_TENANT}",
    "50059": "Nothing says which tenant to sign in to. Set AZURE_TENANT_ID.",
    "50128": "Nothing says which tenant to sign in to. Set AZURE_TENANT_ID.",
    "50194": "The application is not multitenant. Set AZURE_TENANT_ID to its own tenant.",
    "50034": _NO_USER,
    "50020": _NO_USER,
    "50014": _NO_USER,
    "51004": _NO_USER,
    "16000": _NO_USER,
    "50126": f"User name or password is wrong. {_AGAIN}; the password may have been changed.",
    "50055": "The password has expired. Change it, then sign in again with az login.",
    "50144": "The password has expired. Change it, then sign in again with az login.",
    "50053": "The account is locked after too many attempts, or the address is blocked. Wait, or ask an administrator; "
    "the sign-in logs say which.",
    "50057": "The account is disabled. Ask an administrator to enable it, or sign in as somebody else.",
    "50058": f"Nobody is signed in. {_AGAIN}.",
    "50173": f"The sign-in was revoked, for example by a new password. {_AGAIN}.",
    "50133": f"The sign-in was revoked, for example by a new password. {_AGAIN}.",
    "70008": f"The sign-in has expired. {_AGAIN}.",
    "700082": f"The sign-in has expired. {_AGAIN}.",
    "70043": f"The sign-in has expired by a policy of the tenant. {_AGAIN}.",
    "50072": _MULTIFACTOR,
    "50074": _MULTIFACTOR,
    "50076": _MULTIFACTOR,
    "50078": _MULTIFACTOR,
    "50079": _MULTIFACTOR,
    "50158": _MULTIFACTOR,
    "53000": _CONDITIONAL,
    "53001": _CONDITIONAL,
    "53003": _CONDITIONAL,
    "50131": _CONDITIONAL,
    "530035": "The tenant's security defaults refused this sign-in. Use az login in a browser or a service principal.",
    "50105": "The account is not assigned to the application. Have its administrator assign it.",
    "65001": "Nobody has consented to the application. Have an administrator of the tenant consent.",
    "500011": f"Azure Resource Manager of this cloud is not known in that tenant. {_TENANT}",
    "500021": "Tenant restrictions of your network refuse that tenant. Ask your network's administrator to allow it.",
    "500212": "Your tenant's cross-tenant policy refuses that tenant. Ask an administrator, or use a principal there.",
    "500213": "That tenant's cross-tenant policy refuses you. Ask its administrator, or use a principal there.",
    "90006": _BUSY,
    "90012": _BUSY,
    "90024": _BUSY,
    "90033": _BUSY,
    "50033": _BUSY,
    "90055": "Entra limits the tenant's sign-ins at the moment. Repeat the command in a few minutes.",
}
"""Number → advice. Those of assertions beyond 700027 are of the second page; audiences: Microsoft, "Configure an
application to trust a managed identity"; casing: "What's new for authentication", August 2024;
the token of a pipeline: GitHub, Azure/login#372."""

_WORDS: Mapping[str, str] = {
    "Multiple user assigned identities exist": "This computer has several managed identities. Set AZURE_CLIENT_ID to "
    "the client id of the one to use.",
    "Identity not found": "This computer has no such managed identity. AZURE_CLIENT_ID, where it is set, must be the "
    "client id of a user-assigned identity of it; without AZURE_CLIENT_ID its system-assigned one is used. Assign one "
    "with az vm identity assign.",
    "No User Assigned or Delegated Managed Identity found": "The app has no such managed identity. AZURE_CLIENT_ID, "
    "where it is set, must be the client id of a user-assigned identity of it; without AZURE_CLIENT_ID its "
    "system-assigned one is used. Assign one to the app (Identity), then restart it.",
    "WorkloadIdentityCredential: [Errno": "The file that AZURE_FEDERATED_TOKEN_FILE names cannot be read. Correct or "
    "unset it; in Kubernetes check that the pod has the label azure.workload.identity/use and its service account.",
}
"""What a managed identity endpoint or azure-identity says → advice. Source: Microsoft, "Troubleshoot Azure Identity
authentication issues", and the issues of GitHub that show the first three."""


def sign_in_advice(said: str, authority: str) -> str:
    """What to do about a refused sign-in, by the numbers in the service's words.

    Args:
        said: the message, of one credential or several.
        authority: where it was refused.

    Returns:
        A sentence or two for each number; empty where there is none, so that nobody was refused by Entra.
    """
    told = "\n".join(dict.fromkeys(_told(said, authority)))
    return told if os.environ.get("AZURE_CLIENT_CERTIFICATE_PATH") else told.replace(_PATH, "FILE")


def identity_advice(said: str) -> str:
    """What to do about a managed identity or a federated token that is not there, by the words; empty: not known."""
    return " ".join(advice for words, advice in _WORDS.items() if words in said)


def _told(said: str, authority: str) -> Iterator[str]:
    for number in _NUMBER.findall(said):
        if number == "700027" and "key used is expired" in said:
            yield _EXPIRED
        elif number == "700027" and os.environ.get("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN"):
            yield f"{_FITS_NOT}{_CHAIN}{_THUMBPRINT}"
        else:
            yield _ADVICE.get(number) or _unknown(number, authority)


def _unknown(number: str, authority: str) -> str:
    where = f"{authority}{_LOOK_UP}{number}" if authority in _LOOKED_UP_AT else "Microsoft's page of its error codes"
    return (
        f"Entra refused it with AADSTS{number}: {where} explains it. The tenant's administrator finds the sign-in by "
        "the trace id, correlation id and time of the message."
    )
