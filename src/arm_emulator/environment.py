"""The environment variables that make unmodified clients talk to an emulator."""

import os
from collections.abc import Mapping
from pathlib import Path

from arm_emulator.directory import Directory
from arm_emulator.proofs import VARIABLES

_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
ELSEWHERE = ("AZURE_AUTHORITY_HOST", "ARM_CLOUD_METADATA_URL")
"""What leads clients to another cloud than the public one; with a proxy they must not be set at all."""


def environment(
    endpoint: str,
    ca: Path,
    directory: Directory,
    proxy: str = "",
    az: Path | None = None,
    proof: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Every variable that ``patchmode``, the Azure SDKs and az need.

    az reads the cloud from ``ARM_CLOUD_METADATA_URL`` (by urllib, so through ``SSL_CERT_FILE``) and everything else by
    requests (``REQUESTS_CA_BUNDLE``); the metadata's sign-in URL ends in ``/adfs``, so MSAL asks no public cloud.

    Args:
        endpoint: of the emulator.
        ca: the certificate to trust.
        directory: who signs in.
        proxy: the URL of a CONNECT proxy in front of it: clients are then left in the public cloud, whose names lead
            through the proxy, and plain http goes nowhere. ``''``: clients are told the endpoint.
        az: a folder for az's profile, which need not exist; None: az keeps what it has.
        proof: the variables of another sign-in than by secret (`proofs.give`); None: by secret.
    """
    found = _told(endpoint, ca, directory) | (_az_profile(az) if az is not None else {})
    if proof is not None:
        found = {name: value for name, value in found.items() if name not in VARIABLES} | dict(proof)
    if proxy:
        found |= dict.fromkeys(_PROXIES, proxy)
        for name in ELSEWHERE:
            del found[name]
    return found


def _az_profile(folder: Path) -> dict[str, str]:
    """Where az keeps sign-ins and clouds: never in the user's own profile, whose sign-ins are of Azure.

    az keeps what ``ARM_CLOUD_METADATA_URL`` answered in ``cloudEndpoints.json`` of its profile and asks no more, so the
    next emulator, on another port, would not be found either (azure-cli-core 2.91, ``cloud.py``). The extensions that
    the user has installed are no part of a profile.
    """
    own = Path(os.environ.get("AZURE_CONFIG_DIR") or "~/.azure").expanduser()
    extensions = Path(os.environ.get("AZURE_EXTENSION_DIR") or own / "cliextensions")
    known = {"AZURE_EXTENSION_DIR": str(extensions)} if extensions.is_dir() else {}
    return {"AZURE_CONFIG_DIR": str(folder), **known}


def _told(endpoint: str, ca: Path, directory: Directory) -> dict[str, str]:
    account = directory.default_account()
    return {
        "PATCHMODE_CLOUD": endpoint,
        # A user's own defaults, sign-ins among them, are not for an emulator.
        "PATCHMODE_CONFIG": os.devnull,
        "AZURE_TENANT_ID": account.principal.tenant_id,
        "AZURE_CLIENT_ID": account.principal.client_id,
        "AZURE_CLIENT_SECRET": account.secret,
        # Ansible's names of the same.
        "AZURE_TENANT": account.principal.tenant_id,
        "AZURE_SECRET": account.secret,
        "AZURE_AUTHORITY_HOST": endpoint,
        "ARM_CLOUD_METADATA_URL": f"{endpoint}/metadata/endpoints?api-version=2019-05-01",
        "SSL_CERT_FILE": str(ca),
        "REQUESTS_CA_BUNDLE": str(ca),
        "CURL_CA_BUNDLE": str(ca),
        "NODE_EXTRA_CA_CERTS": str(ca),
        "AZURE_CORE_COLLECT_TELEMETRY": "no",
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "AZURE_CORE_DISABLE_CONCURRENT_IDS": "true",
        "NO_PROXY": "localhost,127.0.0.1,::1",
        "no_proxy": "localhost,127.0.0.1,::1",
    }


def ready_line(
    endpoint: str,
    ca: Path,
    directory: Directory,
    proxy: str = "",
    az: Path | None = None,
    proof: Mapping[str, str] | None = None,
) -> dict[str, object]:
    """What ``--ready-file`` says, as one JSON line; ``proxy`` only where there is one."""
    account = directory.default_account()
    return {
        "endpoint": endpoint,
        **({"proxy": proxy} if proxy else {}),
        "caBundle": str(ca),
        "tenantId": account.principal.tenant_id,
        "clientId": account.principal.client_id,
        "clientSecret": account.secret,
        "env": environment(endpoint, ca, directory, proxy, az, proof),
    }
