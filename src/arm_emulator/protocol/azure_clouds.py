"""Azure's own clouds by the names of their hosts, for clients that reach the emulator under them through a proxy.

Each is kept apart as Azure keeps them: a host tells of its own cloud only, and takes tokens for that cloud only.

Source: endpoints, names and portals as azure-cli-core 2.91 has them built in; audiences as the metadata of each cloud
names them and Terraform's go-azure-sdk lists them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class AzureCloud:
    """One cloud; addresses without a slash at their end."""

    name: str
    manager: str
    logins: tuple[str, ...]
    """The first is the one that its metadata names."""
    audiences: tuple[str, ...]
    """What a token for Resource Manager may be for."""
    portal: str
    microsoft_graph: str

    def metadata(self) -> Mapping[str, Any]:
        """Its metadata document; of hosts alone."""
        return {
            "name": self.name,
            "portal": self.portal,
            "authentication": {
                "loginEndpoint": self.logins[0],
                "audiences": [f"{audience}/" for audience in self.audiences],
                "tenant": "common",
                "identityProvider": "AAD",
            },
            "graph": "https://graph.windows.net/",
            "graphAudience": "https://graph.windows.net/",
            "microsoftGraphResourceId": f"{self.microsoft_graph}/",
            "suffixes": {},
            "resourceManager": f"{self.manager}/",
        }


PUBLIC = AzureCloud(
    "AzureCloud",
    "https://management.azure.com",
    ("https://login.microsoftonline.com", "https://login.windows.net"),
    ("https://management.core.windows.net", "https://management.azure.com"),
    "https://portal.azure.com",
    "https://graph.microsoft.com",
)
CLOUDS = (
    PUBLIC,
    AzureCloud(
        "AzureUSGovernment",
        "https://management.usgovcloudapi.net",
        ("https://login.microsoftonline.us",),
        ("https://management.core.usgovcloudapi.net", "https://management.usgovcloudapi.net"),
        "https://portal.azure.us",
        "https://graph.microsoft.us",
    ),
    AzureCloud(
        "AzureChinaCloud",
        "https://management.chinacloudapi.cn",
        ("https://login.chinacloudapi.cn",),
        ("https://management.core.chinacloudapi.cn", "https://management.chinacloudapi.cn"),
        "https://portal.azure.cn",
        "https://microsoftgraph.chinacloudapi.cn",
    ),
)
_BY_HOST = {host: cloud for cloud in CLOUDS for host in (cloud.manager, *cloud.logins, cloud.microsoft_graph)}


def cloud_of(base: str) -> AzureCloud | None:
    """The cloud of which a host is one; None: it is the emulator's own address, or another.

    Args:
        base: ``https://host``, as the caller wrote it; with a port it is none of Azure's.
    """
    return _BY_HOST.get(base.lower())
