"""The environment variables that make unmodified clients talk to an emulator."""

import os
from pathlib import Path

from arm_emulator.directory import Directory


def environment(endpoint: str, ca: Path, directory: Directory) -> dict[str, str]:
    """Every variable that ``patchmode``, the Azure SDKs and az need.

    az reads the cloud from ``ARM_CLOUD_METADATA_URL`` (by urllib, so through ``SSL_CERT_FILE``) and everything else by
    requests (``REQUESTS_CA_BUNDLE``); the metadata's sign-in URL ends in ``/adfs``, so MSAL asks no public cloud.
    """
    account = directory.default_account()
    return {
        "PATCHMODE_CLOUD": endpoint,
        # A user's own defaults, sign-ins among them, are not for an emulator.
        "PATCHMODE_CONFIG": os.devnull,
        "AZURE_TENANT_ID": account.principal.tenant_id,
        "AZURE_CLIENT_ID": account.principal.client_id,
        "AZURE_CLIENT_SECRET": account.secret,
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


def ready_line(endpoint: str, ca: Path, directory: Directory) -> dict[str, object]:
    """What ``--ready-file`` says, as one JSON line."""
    account = directory.default_account()
    return {
        "endpoint": endpoint,
        "caBundle": str(ca),
        "tenantId": account.principal.tenant_id,
        "clientId": account.principal.client_id,
        "clientSecret": account.secret,
        "env": environment(endpoint, ca, directory),
    }
