"""Certificates and federated tokens of tests: one key each, made once in a process, since making one takes a while."""

import datetime as dt
import time
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from arm_emulator.proofs import signed_token
from arm_emulator.protocol.assertions import base64_of

ISSUER, SUBJECT = "https://token.issuer.example/", "repo:contoso/patching:environment:production"
AUDIENCE = "api://AzureADTokenExchange"


@cache
def key(number: int) -> rsa.RSAPrivateKey:
    """The key of that number."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def certificate(number: int, *, days_left: int = 10) -> x509.Certificate:
    """A certificate of that key, signed by itself."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"patchmode {number}")])
    ends = dt.datetime.now(dt.UTC) + dt.timedelta(days=days_left)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key(number).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ends - dt.timedelta(days=100))
        .not_valid_after(ends)
        .sign(key(number), hashes.SHA256())
    )


def registered(number: int, **how: Any) -> str:
    """The certificate as it is uploaded to an app registration: PEM, without a key."""
    return certificate(number, **how).public_bytes(serialization.Encoding.PEM).decode()


def pem(number: int, password: str = "", **how: Any) -> bytes:
    """A PEM file with key and certificate."""
    hidden = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    private = key(number).private_bytes(serialization.Encoding.PEM, form, hidden)
    return private + registered(number, **how).encode()


def pfx(number: int, password: str) -> bytes:
    """A PKCS12 file with key and certificate."""
    hidden = serialization.BestAvailableEncryption(password.encode())
    return pkcs12.serialize_key_and_certificates(b"patchmode", key(number), certificate(number), None, hidden)


def public_key(number: int, kid: str) -> dict[str, str]:
    """The key as an issuer publishes it."""
    numbers = key(number).public_key().public_numbers()
    n, e = (base64_of(value.to_bytes((value.bit_length() + 7) // 8)) for value in (numbers.n, numbers.e))
    return {"kid": kid, "kty": "RSA", "n": n, "e": e}


def federated(number: int, **changed: Any) -> dict[str, Any]:
    """A federated identity credential of a fleet's principal, of the issuer whose key is `number`."""
    return {"issuer": ISSUER, "subject": SUBJECT, "audiences": [AUDIENCE], "keys": [public_key(number, "k")], **changed}


def federated_token(number: int, *, kid: str = "k", lasts_s: int = 600, **changed: Any) -> str:
    """A token of that issuer."""
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "nbf": now, "exp": now + lasts_s}
    return signed_token(key(number), {**claims, **changed}, kid)
