"""What a client signs in with instead of a secret: an assertion of its own certificate, or an issuer's federated token.

An assertion whose issuer is the client itself is signed with a certificate of the application; any other is a token of
an issuer that one of the application's federated identity credentials must name. Both are checked as Entra checks them:
signature, thumbprint, audience, time, and of a federated token issuer, subject and audience, all in their casing.

Source of the texts, all public (read 2026-11), issues of GitHub but for two:
700027 AzureAD/microsoft-authentication-library-for-js#8339, its reasons Azure/azure-sdk-for-java#25109 and Microsoft,
"Microsoft Entra Connect Health agent troubleshooting"; 700021 and 700023 "Troubleshoot Azure Identity authentication
issues"; 700024 AzureAD/microsoft-authentication-library-for-dotnet#4951; 50027 its #124, and panva/openid-client#348;
700211 and 700213 Azure/azure-workload-identity#1200, of which 700212 is the same text in tests of other clients;
7002138 Azure/login#515; 7000272 Azure/azure-workload-identity#1232.
The form of a certificate's assertion: Microsoft, "Microsoft identity platform application authentication certificate
credentials". Not confirmed: which mistake is told where an assertion has several, and a federated signature that does
not fit its key.
"""

import base64
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from arm_emulator.protocol.http import SignInRefusedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.x509 import Certificate

    from arm_emulator.directory import Account, FederatedCredential

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_CERTIFICATES_PAGE = "https://learn.microsoft.com/entra/identity-platform/certificate-credentials"
_FEDERATION_PAGE = "https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
_CHECK = "Check your federated identity credential Subject, Audience and Issuer against the presented assertion."
_MALFORMED = "JWT token is invalid or malformed."
_BASE64 = re.compile(r"[A-Za-z0-9_-]+={0,2}")


@dataclass(frozen=True, slots=True)
class _Token:
    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signed: bytes
    signature: bytes

    def text(self, claim: str) -> str:
        value = self.claims.get(claim)
        return value if isinstance(value, str) else ""

    def is_signed_by(self, key: "RSAPublicKey") -> bool:
        """Whether the signature is that key's, by the algorithm of the header; only RS256 and PS256 are."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        hashed = hashes.SHA256()
        pss = padding.PSS(padding.MGF1(hashed), padding.PSS.DIGEST_LENGTH)
        scheme = {"RS256": padding.PKCS1v15(), "PS256": pss}.get(str(self.header.get("alg")))
        if scheme is None:
            _refuse(50027, _MALFORMED, error="invalid_request", status=400)
        try:
            key.verify(self.signature, self.signed, scheme, hashed)
        except InvalidSignature:
            return False
        return True


def check(account: "Account", assertion: str, audiences: Collection[str], now_s: float) -> None:
    """See that an assertion proves to be an account.

    Args:
        account: whose certificates and federated credentials count.
        assertion: the form's ``client_assertion``.
        audiences: what a certificate's assertion may be addressed to.
        now_s: seconds since 1970, of the real clock.

    Raises:
        SignInRefusedError: it does not.
    """
    token = _read(assertion)
    if token.text("iss").lower() == account.principal.client_id.lower():
        _check_certificate(account, token, audiences)
    else:
        _check_federated(account, token)
    _check_time(token, now_s)


def _read(assertion: str) -> _Token:
    parts = assertion.split(".")
    if len(parts) != 3 or not all(map(_BASE64.fullmatch, parts)):
        _refuse(50027, _MALFORMED, error="invalid_request", status=400)
    try:
        # azure-identity leaves the padding on, which the standard leaves off; Entra takes both.
        header, claims, signature = (base64.urlsafe_b64decode(part.rstrip("=") + "==") for part in parts)
        decoded = [msgspec.json.decode(part, type=dict[str, Any]) for part in (header, claims)]
    except (ValueError, msgspec.DecodeError):
        _refuse(50027, _MALFORMED, error="invalid_request", status=400)
    return _Token(decoded[0], decoded[1], f"{parts[0]}.{parts[1]}".encode(), signature)


def _check_certificate(account: "Account", token: _Token, audiences: Collection[str]) -> None:
    from cryptography.x509 import load_pem_x509_certificate

    client = account.principal.client_id
    if token.text("sub").lower() != client.lower():
        text = "Client assertion application identifier doesn't match 'client_id' parameter."
        _refuse(700021, f"{text} Review the documentation at {_CERTIFICATES_PAGE} .")
    named = str(token.header.get("x5t#S256") or token.header.get("x5t") or "").rstrip("=")
    if not named:
        text = "Invalid JWT token. No certificate thumbprint specified in token header."
        _refuse(50027, text, error="invalid_request", status=400)
    known = {name: found for found in map(_as_bytes, account.certificates) for name in _thumbprints(found)}
    if named not in known:
        _refuse_key("is not registered on application", "The key was not found.", named, client)
    certificate = load_pem_x509_certificate(known[named])
    if not token.is_signed_by(_key_of(certificate)):
        reason = "The provided signature value did not match the expected signature value."
        _refuse_key("is not registered on application", reason, named, client, certificate)
    if certificate.not_valid_after_utc < datetime.now(UTC):
        _refuse_key("is expired on application", "The key used is expired.", named, client, certificate)
    if token.text("aud") not in audiences:
        text = "Client assertion audience claim does not match Realm issuer."
        _refuse(700023, f"{text} Review the documentation at {_CERTIFICATES_PAGE} .")


def _as_bytes(pem: str) -> bytes:
    return pem.encode()


def _thumbprints(pem: bytes) -> tuple[str, str]:
    """SHA-256 and SHA-1, as the header has them."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509 import load_pem_x509_certificate

    certificate = load_pem_x509_certificate(pem)
    made = (certificate.fingerprint(hashes.SHA256()), certificate.fingerprint(hashes.SHA1()))  # noqa: S303  a name
    return base64_of(made[0]), base64_of(made[1])


def _key_of(certificate: "Certificate") -> "RSAPublicKey":
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise TypeError("a fleet's certificate has an RSA key")
    return key


def _refuse_key(what: str, reason: str, named: str, client: str, found: "Certificate | None" = None) -> NoReturn:
    thumbprint = base64.urlsafe_b64decode(named + "==").hex().upper()
    key = ""
    if found is not None:
        span = (f"{moment:%m/%d/%Y %H:%M:%S}" for moment in (found.not_valid_before_utc, found.not_valid_after_utc))
        key = " Found key 'Start={}, End={}',".format(*span)
    text = (
        f"The certificate with identifier used to sign the client assertion {what}. [Reason - {reason}, Thumbprint of "
        f"key used by client: '{thumbprint}',{key} Please visit the Azure Portal, Graph Explorer or directly use MS "
        f"Graph to see configured keys for app Id '{client}'.]"
    )
    _refuse(700027, text)


def _check_federated(account: "Account", token: _Token) -> None:
    issuer, subject, audience = token.text("iss"), token.text("sub"), token.text("aud")
    of_issuer = [one for one in account.federated if one.issuer == issuer]
    if not of_issuer:
        _refuse(700211, _no_record("issuer", issuer))
    of_subject = [one for one in of_issuer if one.subject == subject]
    if not of_subject and any(one.subject.lower() == subject.lower() for one in of_issuer):
        text = (
            f"No matching federated identity record found for presented assertion subject '{subject}'. The subject "
            f"matches with case-insensitive comparison, but not with case-sensitive comparison. {_CHECK}"
        )
        _refuse(7002138, text)
    if not of_subject:
        _refuse(700213, _no_record("subject", subject))
    fitting = [one for one in of_subject if audience in one.audiences]
    if not fitting:
        _refuse(700212, _no_record("audience", audience))
    _check_issuer_key(fitting, token, issuer)


def _no_record(part: str, value: str) -> str:
    return (
        f"No matching federated identity record found for presented assertion {part} '{value}'. {_CHECK} "
        f"{_FEDERATION_PAGE}"
    )


def _check_issuer_key(fitting: "Collection[FederatedCredential]", token: _Token, issuer: str) -> None:
    kid = str(token.header.get("kid") or token.header.get("x5t") or "")
    keys = [key for one in fitting for key in one.keys if key.get("kid") == kid]
    if not keys:
        text = (
            f"The certificate with identifier {kid} used to sign the federated credential could not be found in the "
            f"metadata of identity provider {issuer}. Please validate that your Identity Provider's metadata exposes "
            "the key used to sign the incoming token."
        )
        _refuse(7000272, text)
    if not any(token.is_signed_by(_public_key(key)) for key in keys):
        _refuse(50013, "Assertion failed signature validation.")


def _public_key(key: Mapping[str, Any]) -> "RSAPublicKey":
    """The key of a JSON Web Key. Source: RFC 7518, section 6.3.1."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

    modulus, exponent = (int.from_bytes(base64.urlsafe_b64decode(str(key[name]) + "==")) for name in ("n", "e"))
    return RSAPublicNumbers(exponent, modulus).public_key()


def _check_time(token: _Token, now_s: float) -> None:
    begins, ends = token.claims.get("nbf", 0), token.claims.get("exp")
    if not isinstance(ends, int | float) or not isinstance(begins, int | float):
        _refuse(50027, _MALFORMED, error="invalid_request", status=400)
    # Five minutes either way, as the clocks of two computers differ.
    if not begins - 300 <= now_s < ends + 300:
        current, valid_from, expiry = (
            f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%S}.0000000Z" for moment in (now_s, begins, ends)
        )
        text = (
            f"Client assertion is not within its valid time range. Current time: {current}, assertion valid from "
            f"{valid_from}, expiry time of assertion {expiry}. Review the documentation at {_CERTIFICATES_PAGE} ."
        )
        _refuse(700024, text)


def _refuse(number: int, text: str, *, error: str = "invalid_client", status: int = 401) -> NoReturn:
    raise SignInRefusedError(error, number, text, status=status)


def base64_of(content: bytes) -> str:
    """Base64 for URLs without padding, as JSON Web Tokens have it."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
