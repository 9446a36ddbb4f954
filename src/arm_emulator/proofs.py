"""What the default principal signs in with instead of its secret: made at the start, registered for it, and handed out.

So every way to sign in that an operator has can be rehearsed: a certificate, a federated token of an issuer that exists
here only, and a managed identity of a virtual machine or of App Service and Container Apps. The keys stay on this
machine and open nothing but this emulator.
"""

import datetime as dt
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from arm_emulator.directory import EXCHANGE, Directory, FederatedCredential
from arm_emulator.protocol import managed_identity
from arm_emulator.protocol.assertions import base64_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

METHODS = ("secret", "certificate", "workload-identity", "managed-identity", "app-service")
VARIABLES = frozenset(
    {
        "AZURE_TENANT_ID",
        "AZURE_CLIENT_ID",
        "AZURE_CLIENT_SECRET",
        "AZURE_TENANT",
        "AZURE_SECRET",
        "AZURE_CLIENT_CERTIFICATE_PATH",
        "AZURE_CLIENT_CERTIFICATE_PASSWORD",
        "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN",
        "AZURE_FEDERATED_TOKEN_FILE",
        "AZURE_POD_IDENTITY_AUTHORITY_HOST",
        "AZURE_TOKEN_CREDENTIALS",
        "AZURE_USERNAME",
        "AZURE_PASSWORD",
        "IDENTITY_ENDPOINT",
        "IDENTITY_HEADER",
        "IDENTITY_SERVER_THUMBPRINT",
        "IMDS_ENDPOINT",
        "MSI_ENDPOINT",
        "MSI_SECRET",
    }
)
"""Each steers a sign-in of azure-identity, or of Ansible: of a method that was not asked for none may be left."""
ISSUER = "https://issuer.emulator.example/"
SUBJECT = "system:serviceaccount:patching:patchmode"
_KID = "1"
_LASTS_S = 24 * 3600


def give(method: str, directory: Directory, folder: Path, endpoint: str) -> dict[str, str]:
    """Let the default principal sign in by a method, and return the variables of azure-identity for it.

    Args:
        method: one of `METHODS` but ``secret``.
        directory: of the emulator.
        folder: where a key or a token is written; it must exist.
        endpoint: of the emulator.
    """
    principal = directory.default_account().principal
    who = {"AZURE_TENANT_ID": principal.tenant_id, "AZURE_CLIENT_ID": principal.client_id}
    if method == "certificate":
        pem, certificate = _certificate(principal.client_id)
        directory.give_default(certificates=(certificate,))
        return {**who, "AZURE_CLIENT_CERTIFICATE_PATH": str(_written(folder / "client.pem", pem))}
    if method == "workload-identity":
        token, credential = _federated()
        directory.give_default(federated=(credential,))
        return {**who, "AZURE_FEDERATED_TOKEN_FILE": str(_written(folder / "token", token))}
    directory.give_default(managed="system")
    if method == "app-service":
        where = f"{endpoint}{managed_identity.APP_PATH}"
        return {"IDENTITY_ENDPOINT": where, "IDENTITY_HEADER": managed_identity.APP_SECRET}
    return {"AZURE_POD_IDENTITY_AUTHORITY_HOST": endpoint}


def _written(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text, encoding="ascii")
    return path


def _key() -> "RSAPrivateKey":
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _certificate(client: str) -> tuple[str, str]:
    """A key with its certificate, signed by itself, and the certificate alone; PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509.oid import NameOID

    key, now = _key(), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"arm-emulator {client}")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain).decode()
    public = certificate.public_bytes(encoding).decode()
    return private + public, public


def _federated() -> tuple[str, FederatedCredential]:
    """A token such as Kubernetes projects into a pod, and the credential that trusts its issuer."""
    key, now = _key(), int(time.time())
    claims = {"iss": ISSUER, "sub": SUBJECT, "aud": EXCHANGE, "iat": now, "nbf": now, "exp": now + _LASTS_S}
    numbers = key.public_key().public_numbers()
    public = {"kid": _KID, "kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
    return signed_token(key, claims, _KID), FederatedCredential(ISSUER, SUBJECT, (EXCHANGE,), (public,))


def _number(value: int) -> str:
    return base64_of(value.to_bytes((value.bit_length() + 7) // 8))


def signed_token(key: "RSAPrivateKey", claims: dict[str, Any], kid: str) -> str:
    """A JSON Web Token, RS256.

    Args:
        key: the issuer's.
        claims: the payload.
        kid: the key's name among those that the issuer publishes.
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    header = {"alg": "RS256", "typ": "JWT", "kid": kid}
    text = ".".join(base64_of(msgspec.json.encode(part)) for part in (header, claims))
    return f"{text}.{base64_of(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"
