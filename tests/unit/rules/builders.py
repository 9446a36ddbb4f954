"""Machines and documents for the tests of the rules, and a service that applies a PATCH in each way Azure may.

The parser from document to machine is the wire's; this small one reads only what the rules look at, so that a fault in
the wire cannot hide one here.
"""

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from patchmode.model.machine import ImageReference, Machine, MachineKind, ReadFrom
from patchmode.model.patch_settings import OperatingSystem, PatchSettings
from patchmode.model.resource_id import ResourceId

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
VM_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-web/providers/Microsoft.Compute/virtualMachines/web-1"
ARC_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-hq/providers/Microsoft.HybridCompute/machines/hq-1"
WINDOWS_2022 = {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2022-datacenter-g2"}
UBUNTU_2204 = {"publisher": "Canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-lts-gen2"}

Leaving = Literal["clear", "keep", "refuse"]
Merging = Literal["deep", "shallow"]


class RefusedError(Exception):
    """The service refuses the PATCH."""


def configuration(system: str) -> str:
    """The member of osProfile for a system."""
    return OperatingSystem(system).configuration


def vm_document(
    system: str = "Windows",
    patch_settings: Mapping[str, Any] | None = None,
    *,
    automatic_updates: bool | None = True,
    os_profile: bool = True,
    image: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A virtual machine as a GET with api-version 2024-07-01 answers it, members in the service's order."""
    guest: dict[str, Any] = {"provisionVMAgent": True}
    if system == "Windows" and automatic_updates is not None:
        guest["enableAutomaticUpdates"] = automatic_updates
    if patch_settings is not None:
        guest["patchSettings"] = copy.deepcopy(dict(patch_settings))
    profile = {
        "computerName": "web-1",
        "adminUsername": "azureuser",
        configuration(system): guest,
        "secrets": [],
        "allowExtensionOperations": True,
        "requireGuestProvisionSignal": True,
    }
    properties: dict[str, Any] = {
        "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
        "provisioningState": "Succeeded",
        "vmId": "22222222-2222-2222-2222-222222222222",
        "storageProfile": {
            "imageReference": dict((WINDOWS_2022 if system == "Windows" else UBUNTU_2204) if image is None else image),
            "osDisk": {"osType": system, "createOption": "FromImage" if os_profile else "Attach", "diskSizeGB": 127},
            "dataDisks": [{"lun": 0, "name": "data-0"}, {"lun": 1, "name": "data-1"}],
        },
        "networkProfile": {
            "networkInterfaces": [
                {
                    "id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-web/providers/Microsoft.Network"
                    "/networkInterfaces/web-1"
                }
            ]
        },
        "timeCreated": "2024-05-13T10:26:03.1508188+00:00",
    }
    if os_profile:
        properties["osProfile"] = profile
    return {
        "name": "web-1",
        "id": VM_ID,
        "type": "Microsoft.Compute/virtualMachines",
        "location": "westeurope",
        "tags": {"env": "test"},
        "properties": properties,
        "etag": '"2"',
    }


def arc_document(system: str = "Linux", patch_settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An Arc server as a GET answers it."""
    profile: dict[str, Any] = {"computerName": "hq-1"}
    if patch_settings is not None:
        profile[configuration(system)] = {"patchSettings": copy.deepcopy(dict(patch_settings))}
    return {
        "name": "hq-1",
        "id": ARC_ID,
        "type": "Microsoft.HybridCompute/machines",
        "location": "westeurope",
        "tags": {},
        "properties": {
            "provisioningState": "Succeeded",
            "status": "Connected",
            "lastStatusChange": "2024-02-29T04:59:24.2759849Z",
            "osType": system.lower(),
            "osProfile": profile,
            "vmId": "33333333-3333-3333-3333-333333333333",
        },
    }


def machine_from(document: Mapping[str, Any], **changes: Any) -> Machine:
    """The machine that a document describes, with some members replaced."""
    properties = document["properties"]
    kind = MachineKind.ARC if document["type"].lower() == "microsoft.hybridcompute/machines" else MachineKind.VM
    storage = properties.get("storageProfile", {})
    disk, image = storage.get("osDisk", {}), storage.get("imageReference", {})
    system = OperatingSystem((disk.get("osType") or properties["osType"]).capitalize())
    guest = (properties.get("osProfile") or {}).get(system.configuration, {})
    machine = Machine(
        id=ResourceId.parse(document["id"]),
        kind=kind,
        location=document["location"],
        os=system,
        settings=PatchSettings.from_document(guest.get("patchSettings")),
        has_os_profile="osProfile" in properties,
        enable_automatic_updates=guest.get("enableAutomaticUpdates"),
        provision_vm_agent=guest.get("provisionVMAgent"),
        allow_extension_operations=(properties.get("osProfile") or {}).get("allowExtensionOperations"),
        image=ImageReference(image.get("publisher"), image.get("offer"), image.get("sku"), image.get("id")),
        os_disk_create_option=disk.get("createOption"),
        license_type=properties.get("licenseType"),
        scale_set_id=properties.get("virtualMachineScaleSet", {}).get("id"),
        provisioning_state=properties.get("provisioningState"),
        vm_id=properties.get("vmId"),
        tags=document.get("tags", {}),
        etag=document.get("etag"),
        read_from=ReadFrom.PROVIDER,
        document=document,
    )
    return replace(machine, **changes)


def vm(system: str = "Windows", patch_settings: Mapping[str, Any] | None = None, **changes: Any) -> Machine:
    """A virtual machine with these patch settings; the members of `vm_document` may be given by name too."""
    names = ("automatic_updates", "os_profile", "image")
    document = vm_document(system, patch_settings, **{name: changes.pop(name) for name in names if name in changes})
    return machine_from(document, **changes)


def served(
    document: Mapping[str, Any],
    body: Mapping[str, Any],
    *,
    leaving: Leaving = "keep",
    merging: Merging = "deep",
) -> dict[str, Any]:
    """The document after the service took the PATCH.

    Args:
        document: never changed.
        body: of the PATCH.
        leaving: what becomes of `automaticByPlatformSettings` when patch mode is no longer AutomaticByPlatform.
        merging: `shallow` replaces `automaticByPlatformSettings` as a whole.

    Raises:
        RefusedError: for `refuse`, when such a block stands in the model.
    """
    after = copy.deepcopy(dict(document))
    _merge(after, body, merging)
    after["etag"] = f'"{int(after.get("etag", chr(34) + "1" + chr(34)).strip(chr(34))) + 1}"'
    ((guest, patch),) = body["properties"]["osProfile"].items()
    settings = after["properties"]["osProfile"][guest]["patchSettings"]
    leaves = patch["patchSettings"].get("patchMode", "AutomaticByPlatform") != "AutomaticByPlatform"
    if leaves and "automaticByPlatformSettings" in settings:
        if leaving == "refuse":
            raise RefusedError
        if leaving == "clear":
            del settings["automaticByPlatformSettings"]
    return after


def _merge(target: dict[str, Any], patch: Mapping[str, Any], merging: Merging) -> None:
    for key, value in patch.items():
        whole = merging == "shallow" and key == "automaticByPlatformSettings"
        if isinstance(value, Mapping) and isinstance(target.get(key), dict) and not whole:
            _merge(target[key], value, merging)
        else:
            target[key] = copy.deepcopy(value)
