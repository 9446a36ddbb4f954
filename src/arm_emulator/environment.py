"""The environment variables that make unmodified clients talk to an emulator."""

import os
from collections.abc import Mapping
from pathlib import Path

from arm_emulator.directory import Directory

_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
ELSEWHERE = ("AZURE_AUTHORITY_HOST", "ARM_CLOUD_METADATA_URL")
"""What leads clients to another cloud than the public one; with a proxy they must not be set at all."""


def environment(endpoint: str, ca: Path, directory: Directory, proxy: str = "") -> dict[str, str]:
    """Every variable that ``patchmode``, the Azure SDKs and az need.

    az reads the cloud from ``ARM_CLOUD_METADATA_URL`` (by urllib, so through ``SSL_CERT_FILE``) and everything else by
    requests (``REQUESTS_CA_BUNDLE``); the metadata's sign-in URL ends in ``/adfs``, so MSAL asks no public cloud.

    Args:
        endpoint: of the emulator.
        ca: the certificate to trust.
        directory: who signs in.
        proxy: the URL of a CONNECT proxy in front of it: clients are then left in the public cloud, whose names lead
            through the proxy, and plain http goes nowhere. ``''``: clients are told the endpoint.
    """
    found = _told(endpoint, ca, directory)
    if proxy:
        found |= dict.fromkeys(_PROXIES, proxy)
        for name in ELSEWHERE:
            del found[name]
    return found


def az_profile(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Where az keeps sign-ins while the public cloud is played: not in the user's own profile, which is of that cloud.

    Args:
        environment: the user's own; where it says where az's files are, they are there.
        folder: lasts as long as the command.
    """
    extensions = Path("~/.azure/cliextensions").expanduser()
    known = {"AZURE_EXTENSION_DIR": str(extensions)} if extensions.is_dir() else {}
    return {} if "AZURE_CONFIG_DIR" in environment else {"AZURE_CONFIG_DIR": str(folder / "azure"), **known}


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


def ready_line(endpoint: str, ca: Path, directory: Directory, proxy: str = "") -> dict[str, object]:
    """What ``--ready-file`` says, as one JSON line; ``proxy`` only where there is one."""
    account = directory.default_account()
    return {
        "endpoint": endpoint,
        **({"proxy": proxy} if proxy else {}),
        "caBundle": str(ca),
        "tenantId": account.principal.tenant_id,
        "clientId": account.principal.client_id,
        "clientSecret": account.secret,
        "env": environment(endpoint, ca, directory, proxy),
    }
