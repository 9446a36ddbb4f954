"""A peer: GET, PUT, wait, one machine after the other, with Microsoft's SDK, as PowerShell's Get-AzVM, Update-AzVM do.

Arguments: endpoint, subscription, how many machines.
"""

import sys
from itertools import islice

from azure.identity import EnvironmentCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.compute.models import LinuxVMGuestPatchAutomaticByPlatformSettings as ByPlatform


def main(endpoint: str, subscription: str, count: int) -> None:
    credential = EnvironmentCredential(disable_instance_discovery=True)
    scopes = [f"{endpoint}/.default"]
    with ComputeManagementClient(credential, subscription, base_url=endpoint, credential_scopes=scopes) as client:
        names = [(one.id.split("/")[4], one.name) for one in islice(client.virtual_machines.list_all(), count)]
        for group, name in names:
            machine = client.virtual_machines.get(group, name)
            settings = machine.os_profile.linux_configuration.patch_settings
            settings.patch_mode = "AutomaticByPlatform"
            settings.automatic_by_platform_settings = ByPlatform(bypass_platform_safety_checks_on_user_schedule=True)
            client.virtual_machines.begin_create_or_update(group, name, machine).result()


main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
