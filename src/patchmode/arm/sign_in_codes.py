"""Microsoft Entra's error numbers of a refused sign-in: what is wrong, and what to do about it.

Nothing is decided by a number: it gives advice beside the service's own message, which is shown whole.

Source: Microsoft, "Microsoft Entra authentication and authorization error codes",
https://learn.microsoft.com/entra/identity-platform/reference-error-codes, and "Troubleshoot Azure authentication via
service principal", https://learn.microsoft.com/azure/developer/java/sdk/troubleshooting-authentication-service-principal
(both read 2026-11). The first says that numbers may change, so an unknown one is named with the page that explains it.
"""

import re
from collections.abc import Iterator, Mapping

_NUMBER = re.compile(r"AADSTS(\d{4,8})\b")
_LOOK_UP = "https://login.microsoftonline.com/error?code="

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
_ASSERTION = (
    "The certificate or the federated token does not fit the app. Upload the certificate to the app registration and "
    "check AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_CERTIFICATE_PATH."
)
_FEDERATED = (
    "No federated identity credential of the app fits the token. Compare its issuer, subject and audience with those "
    "in the message, in the app registration."
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
    "700023": _ASSERTION,
    "700024": "The certificate's assertion or the federated token is not valid now. Check this computer's clock, and "
    "that the token file is renewed before it expires.",
    "70021": _FEDERATED,
    "700211": _FEDERATED,
    "700212": _FEDERATED,
    "700213": _FEDERATED,
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
"""Number → advice. Those of assertions beyond 700027 are of the second page."""


def entra_advice(said: str) -> str:
    """What to do about a refused sign-in, by the numbers in the service's words.

    Args:
        said: the message, of one credential or several.

    Returns:
        A sentence or two for each number; empty where there is none, so that nobody was refused by Entra.
    """
    return " ".join(dict.fromkeys(_told(said)))


def _told(said: str) -> Iterator[str]:
    for number in _NUMBER.findall(said):
        yield _ADVICE.get(number) or (
            f"Entra refused it with AADSTS{number}: {_LOOK_UP}{number} explains it. The tenant's administrator finds "
            "the sign-in by the trace id, correlation id and time of the message."
        )
