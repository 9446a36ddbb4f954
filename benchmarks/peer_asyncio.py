"""A peer: the script that a competent engineer would write: Microsoft's asynchronous SDK, PATCH, a hundred at once.

Arguments: endpoint, subscription.
"""

import asyncio
import sys

from azure.identity.aio import EnvironmentCredential
from azure.mgmt.compute.aio import ComputeManagementClient

PAIR = {
    "patchMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
}
BODY = {"properties": {"osProfile": {"linuxConfiguration": {"patchSettings": PAIR}}}}


async def main(endpoint: str, subscription: str) -> None:
    waiting = asyncio.Semaphore(100)
    scopes = [f"{endpoint}/.default"]
    async with (
        EnvironmentCredential(disable_instance_discovery=True) as credential,
        ComputeManagementClient(credential, subscription, base_url=endpoint, credential_scopes=scopes) as client,
    ):

        async def change(group: str, name: str) -> None:
            async with waiting:
                await (await client.virtual_machines.begin_update(group, name, BODY)).result()

        machines = [(one.id.split("/")[4], one.name) async for one in client.virtual_machines.list_all()]
        await asyncio.gather(*(change(group, name) for group, name in machines))


asyncio.run(main(sys.argv[1], sys.argv[2]))
