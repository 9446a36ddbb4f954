"""A certificate authority of the emulator's own and a server certificate for loopback names.

The CA has keyUsage keyCertSign and the leaf an authorityKeyIdentifier, without which some TLS libraries refuse them.
The keys are made afresh and stay on this machine; nothing here may be used to protect anything.
"""

import atexit
import datetime as dt
import ipaddress
import shutil
import ssl
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
PUBLIC_NAMES = ("management.azure.com", "login.microsoftonline.com", "login.windows.net", "graph.microsoft.com")
"""For clients that cannot be told an endpoint and reach the emulator through a proxy or a hosts file."""
_VALID_DAYS = 825


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where the PEM files stand."""

    ca: Path
    chain: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """The TLS context of a server that shows the leaf."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context


@lru_cache(maxsize=4)
def temporary_certificates(*, public_names: bool = False) -> Certificates:
    """Certificates in a temporary folder that goes with the process; made once per process."""
    folder = Path(tempfile.mkdtemp(prefix="arm-emulator-tls-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return make_certificates(folder, public_names=public_names)


def kept_certificates(folder: Path, *, public_names: bool = False) -> Certificates:
    """The certificates of a folder, made there where they are missing (an emulator that restarts keeps its CA).

    Those that do not certify the names that are wanted now are made anew, with another CA: its key is not kept.
    """
    found = _files(folder)
    is_whole = all(path.exists() for path in (found.ca, found.chain, found.key))
    if is_whole and not (public_names and not _certifies_public_names(found.chain)):
        return found
    folder.mkdir(parents=True, exist_ok=True)
    return make_certificates(folder, public_names=public_names)


def _certifies_public_names(chain: Path) -> bool:
    from cryptography import x509

    leaf = x509.load_pem_x509_certificates(chain.read_bytes())[0]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(PUBLIC_NAMES) <= set(names.get_values_for_type(x509.DNSName))


def _files(folder: Path) -> Certificates:
    return Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")


def make_certificates(folder: Path, *, public_names: bool, more: Iterable[str] = ()) -> Certificates:
    """Write a new CA and a leaf for the loopback names (and the public ones on request, and more) into a folder."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    now, public = dt.datetime.now(dt.UTC), PUBLIC_NAMES if public_names else ()
    ca_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "arm-emulator local CA")])
    leaf_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])

    def builder(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=_VALID_DAYS))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )

    ca = (
        builder(ca_name, ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(is_ca=True), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    leaf = (
        builder(leaf_name, leaf_key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(is_ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .add_extension(x509.SubjectAlternativeName(_names(*public, *more)), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    files = _files(folder)
    pem = serialization.Encoding.PEM
    files.ca.write_bytes(ca.public_bytes(pem))
    files.chain.write_bytes(leaf.public_bytes(pem) + ca.public_bytes(pem))
    private = leaf_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files.key.touch(mode=0o600)
    files.key.write_bytes(private)
    return files


def _usage(*, is_ca: bool) -> "x509.KeyUsage":
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )


def _names(*more: str) -> "list[x509.GeneralName]":
    from cryptography import x509

    names: list[x509.GeneralName] = []
    for name in (*LOOPBACK_NAMES, *more):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            names.append(x509.DNSName(name))
    return names
