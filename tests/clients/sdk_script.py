"""The article's loop with Microsoft's own Python SDK: list, PATCH each machine that lacks the pair, read back.

Run as a program in the environment that `arm-emulator` hands out; prints one JSON line of counts.
"""

import json
import os

from azure.core import MatchConditions
from azure.identity import ClientSecretCredential
from azure.mgmt.compute import ComputeManagementClient

PAIR = {
    "patchMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
}


def is_ready(profile: dict) -> bool:
    """Whether both fields of Customer Managed Schedules stand in the model."""
    settings = next((profile[key].get("patchSettings", {}) for key in profile if key.endswith("Configuration")), {})
    platform = settings.get("automaticByPlatformSettings", {})
    return settings.get("patchMode") == "AutomaticByPlatform" and bool(
        platform.get("bypassPlatformSafetyChecksOnUserSchedule")
    )


def main() -> None:
    """Convert every machine that has an osProfile."""
    endpoint = os.environ["ENDPOINT"]
    credential = ClientSecretCredential(
        os.environ["AZURE_TENANT_ID"],
        os.environ["AZURE_CLIENT_ID"],
        os.environ["AZURE_CLIENT_SECRET"],
        authority=os.environ["AZURE_AUTHORITY_HOST"],
        disable_instance_discovery=True,
    )
    client = ComputeManagementClient(
        credential,
        os.environ["SUBSCRIPTION"],
        base_url=endpoint,
        credential_scopes=[f"{endpoint}/.default"],
        polling_interval=1,
    )
    counts = {"seen": 0, "changed": 0, "refused": 0, "ready": 0}
    for machine in client.virtual_machines.list_all():
        counts["seen"] += 1
        group, name = machine.id.split("/")[4], machine.name
        before = machine.as_dict()
        profile = before.get("properties", {}).get("osProfile")
        if profile is None or is_ready(profile):
            continue
        block = "windowsConfiguration" if "windowsConfiguration" in profile else "linuxConfiguration"
        etag = before.get("etag")
        guard = {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
        try:
            body = {"properties": {"osProfile": {block: {"patchSettings": PAIR}}}}
            client.virtual_machines.begin_update(group, name, body, **guard).result()
        except Exception as error:  # noqa: BLE001  a refusal is a result here; its code is printed
            counts["refused"] += 1
            counts.setdefault("codes", []).append(getattr(getattr(error, "error", None), "code", type(error).__name__))
            continue
        counts["changed"] += 1
        after = client.virtual_machines.get(group, name).as_dict()["properties"]["osProfile"]
        counts["ready"] += is_ready(after)
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
