"""Microsoft's Python SDKs, told only the endpoint: a program of the clients' own environment that prints what it saw.

Imports nothing of this project.
"""

import json
import os
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.identity import ClientSecretCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.hybridcompute import HybridComputeManagementClient
from azure.mgmt.maintenance import MaintenanceManagementClient
from azure.mgmt.resourcegraph import ResourceGraphClient

SUBSCRIPTION, ENDPOINT = os.environ["SUBSCRIPTION"], os.environ["ENDPOINT"]
SETTINGS = json.loads(os.environ["SETTINGS"])
PACKAGES = ("azure-mgmt-compute", "azure-mgmt-maintenance", "azure-mgmt-resourcegraph", "azure-mgmt-hybridcompute")
ASSIGNMENT = ("rg-app", "Microsoft.Compute", "virtualMachines", "api-01", "weekly")


def client(kind: Any, **more: Any) -> Any:
    """An SDK's client at the endpoint."""
    names = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
    credential = ClientSecretCredential(
        *(os.environ[name] for name in names),
        authority=os.environ["AZURE_AUTHORITY_HOST"],
        disable_instance_discovery=True,
    )
    return kind(credential, base_url=ENDPOINT, credential_scopes=[f"{ENDPOINT}/.default"], polling_interval=1, **more)


def code_of(call: Callable[[], object]) -> str:
    """The code of a refusal, as the SDK's error tells it; empty where nothing was refused."""
    try:
        call()
    except HttpResponseError as error:
        return str(error.error.code if error.error else error.message)
    return ""


def update(machines: Any, group: str, name: str, block: str = "linuxConfiguration", **guard: Any) -> Any:
    """Change a machine's patch settings and wait for the end."""
    body = {"properties": {"osProfile": {block: {"patchSettings": SETTINGS}}}}
    return machines.begin_update(group, name, body, **guard).result()


def main() -> None:
    """Each step once."""
    machines = client(ComputeManagementClient, subscription_id=SUBSCRIPTION).virtual_machines
    assignments = client(MaintenanceManagementClient, subscription_id=SUBSCRIPTION).configuration_assignments
    graph = client(ResourceGraphClient)
    arc = client(HybridComputeManagementClient, subscription_id=SUBSCRIPTION).machines
    body = {"location": "westeurope", "properties": {"maintenanceConfigurationId": os.environ["CONFIGURATION"]}}
    before = machines.get("rg-app", "api-01").as_dict()
    seen: dict[str, Any] = {
        "version": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        "listed": len(list(machines.list_all())),
        "read": before["properties"]["osProfile"]["linuxConfiguration"]["patchSettings"]["patchMode"],
        "power": [status.code for status in machines.instance_view("rg-app", "api-01").statuses],
        "early": code_of(lambda: assignments.create_or_update(*ASSIGNMENT, body)),
    }
    after = update(machines, "rg-app", "api-01", etag=before["etag"], match_condition=MatchConditions.IfNotModified)
    seen["changed"] = after.as_dict()["properties"]["osProfile"]["linuxConfiguration"]["patchSettings"]["patchMode"]
    stale = {"etag": before["etag"], "match_condition": MatchConditions.IfNotModified}
    seen |= {
        "stale": code_of(lambda: update(machines, "rg-app", "api-01", **stale)),
        "locked": code_of(lambda: update(machines, "rg-locked", "frozen-01", "windowsConfiguration")),
        "missing": code_of(lambda: machines.get("rg-app", "nobody")),
        "failed": code_of(lambda: update(machines, "rg-app", "api-03")),
        "queried": graph.resources({"query": os.environ["QUERY"], "subscriptions": [SUBSCRIPTION]}).data,
        "arc": sorted(one.name for one in arc.list_by_subscription()),
    }
    assignments.create_or_update(*ASSIGNMENT, body)
    listed = assignments.list(*ASSIGNMENT[:4])
    seen["attached"] = [one.maintenance_configuration_id for one in listed]
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
