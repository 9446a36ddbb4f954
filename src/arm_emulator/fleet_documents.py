"""Documents of made-up resources, in the shapes that recorded answers have. Identifiers come from the name alone.

Everything is obviously fake: guids are digests of a resource's id, addresses are private, names say what the thing is.
"""

import hashlib
import uuid
from dataclasses import dataclass, field
from typing import Any

from arm_emulator.state import Document

Json = dict[str, Any]

IMAGES: dict[str, tuple[str, str, str, str, str]] = {
    "ws2022": ("MicrosoftWindowsServer", "WindowsServer", "2022-datacenter-g2", "20348.2582.240703", "Windows"),
    "ws2019": ("MicrosoftWindowsServer", "WindowsServer", "2019-datacenter-gensecond", "17763.6054.240703", "Windows"),
    "ws2022-hotpatch": (
        "MicrosoftWindowsServer", "WindowsServer", "2022-datacenter-azure-edition-core", "20348.2582.240703", "Windows",
    ),
    "sql2022": ("MicrosoftSQLServer", "sql2022-ws2022", "standard-gen2", "16.0.240715", "Windows"),
    "win11": ("MicrosoftWindowsDesktop", "windows-11", "win11-23h2-pro", "22631.3880.240703", "Windows"),
    "ubuntu2204": ("Canonical", "0001-com-ubuntu-server-jammy", "22_04-lts-gen2", "22.04.202407300", "Linux"),
    "ubuntu2404": ("Canonical", "ubuntu-24_04-lts", "server", "24.04.202407160", "Linux"),
    "rhel9": ("RedHat", "RHEL", "9-lvm-gen2", "9.4.2024081212", "Linux"),
    "sles15": ("SUSE", "sles-15-sp5", "gen2", "2024.07.18", "Linux"),
    "debian12": ("Debian", "debian-12", "12-gen2", "0.20240717.1811", "Linux"),
    "centos-hpc": ("OpenLogic", "CentOS-HPC", "7_9-gen2", "7.9.2023111400", "Linux"),
    "palo-alto": ("paloaltonetworks", "vmseries-flex", "byol", "10.2.901", "Linux"),
    "appliance": ("contoso-networks", "next-firewall", "byol", "10.1.0", "Linux"),
}  # fmt: skip
"""Key → publisher, offer, sku, exact version, OS. The last three are on no list that Update Manager supports."""

EXTENSIONS: dict[str, tuple[str, str, str]] = {
    "AzureMonitorWindowsAgent": ("Microsoft.Azure.Monitor", "AzureMonitorWindowsAgent", "1.10"),
    "AzureMonitorLinuxAgent": ("Microsoft.Azure.Monitor", "AzureMonitorLinuxAgent", "1.27"),
    "MDE.Windows": ("Microsoft.Azure.AzureDefenderForServers", "MDE.Windows", "1.0"),
    "WindowsPatchExtension": ("Microsoft.CPlat.Core", "WindowsPatchExtension", "1.5"),
    "LinuxPatchExtension": ("Microsoft.CPlat.Core", "LinuxPatchExtension", "1.6"),
    "MDE.Linux": ("Microsoft.Azure.AzureDefenderForServers", "MDE.Linux", "1.0"),
}
"""Name → publisher, type, version."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What a made-up virtual machine is to be. Only what differs from a plain running one needs saying."""

    subscription: str
    group: str
    name: str
    image: str = "ws2022"
    """A key of ``IMAGES``, or the id of a gallery image with ``os`` given."""
    os: str = ""
    location: str = "westeurope"
    patch: Json | None = None
    """``patchSettings``; None: what the service fills in for that OS; ``{}``: none at all."""
    power: str = "running"
    agent: str = "Ready"
    """``Ready``, ``Not Ready``, or ``''`` for no agent."""
    automatic_updates: bool = True
    has_os_profile: bool = True
    is_attached: bool = False
    """The OS disk was attached (a specialised machine)."""
    os_name: str = ""
    """What the agent reports that runs, such as ``Windows Server 2022 Datacenter``; ``''``: nothing."""
    extensions_allowed: bool = True
    provisioning: str = "Succeeded"
    etag: int | None = 2
    """None: the document carries none, as some recorded ones do."""
    tags: dict[str, str] = field(default_factory=dict)
    zone: str = ""
    size: str = "Standard_D2s_v5"
    extensions: tuple[tuple[str, str], ...] = ()
    """Keys of ``EXTENSIONS`` with the provisioning state of each: they are in the machine's ``resources``."""
    properties: Json = field(default_factory=dict)
    """Further members of ``properties``."""

    @property
    def id(self) -> str:
        """The resource id."""
        return f"{group_id(self.subscription, self.group)}/providers/Microsoft.Compute/virtualMachines/{self.name}"

    @property
    def os_type(self) -> str:
        """``Windows`` or ``Linux``."""
        return self.os or IMAGES[self.image][4]


def group_id(subscription: str, group: str) -> str:
    """The id of a resource group."""
    return f"/subscriptions/{subscription}/resourceGroups/{group}"


def fake_guid(text: str) -> str:
    """A guid that is a digest of a text: the same for the same text, and nobody's."""
    return str(uuid.UUID(bytes=hashlib.sha256(text.lower().encode()).digest()[:16], version=4))


def machine_document(machine: Machine) -> Document:
    """The machine as a GET of the newest api-version answers it."""
    document: Document = {
        "name": machine.name,
        "id": machine.id,
        "type": "Microsoft.Compute/virtualMachines",
        "location": machine.location,
        "tags": machine.tags,
    }
    if machine.zone:
        document["zones"] = [machine.zone]
    properties: Json = {
        "hardwareProfile": {"vmSize": machine.size},
        "provisioningState": machine.provisioning,
        "vmId": fake_guid(machine.id),
        "storageProfile": _storage(machine),
    }
    if machine.has_os_profile:
        properties["osProfile"] = _os_profile(machine)
    interface = f"{group_id(machine.subscription, machine.group)}/providers/Microsoft.Network/networkInterfaces"
    properties.update(
        securityProfile={
            "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True},
            "securityType": "TrustedLaunch",
        },
        networkProfile={"networkInterfaces": [{"id": f"{interface}/{machine.name}-nic"}]},
        diagnosticsProfile={"bootDiagnostics": {"enabled": True}},
        timeCreated="2024-08-26T05:56:03.6189452+00:00",
        **machine.properties,
    )
    if machine.power != "running" or machine.agent != "Ready" or machine.os_name:
        properties["instanceView"] = _instance_view(machine)
    document["properties"] = properties
    if machine.extensions:
        document["resources"] = [_extension(machine, *one) for one in machine.extensions]
    if machine.etag is not None:
        document["etag"] = f'"{machine.etag}"'
    return document


def _extension(machine: Machine, name: str, state: str) -> Json:
    publisher, type_, version = EXTENSIONS[name]
    return {
        "name": name,
        "id": f"{machine.id}/extensions/{name}",
        "type": "Microsoft.Compute/virtualMachines/extensions",
        "location": machine.location,
        "properties": {
            "autoUpgradeMinorVersion": True,
            "enableAutomaticUpgrade": True,
            "provisioningState": state,
            "publisher": publisher,
            "type": type_,
            "typeHandlerVersion": version,
            "settings": {"authentication": {"managedIdentity": {"identifier-name": "mi_res_id"}}},
        },
    }


def _storage(machine: Machine) -> Json:
    disk = f"{machine.name}_OsDisk_1_{fake_guid(machine.id).replace('-', '')}"
    group = group_id(machine.subscription, machine.group)
    os_disk = {
        "osType": machine.os_type,
        "name": disk,
        "createOption": "Attach" if machine.is_attached else "FromImage",
        "caching": "ReadWrite",
        "managedDisk": {
            "storageAccountType": "Premium_LRS",
            "id": f"{group}/providers/Microsoft.Compute/disks/{disk}",
        },
        "deleteOption": "Detach",
        "diskSizeGB": 127 if machine.os_type == "Windows" else 30,
    }
    storage: Json = {"osDisk": os_disk, "dataDisks": [], "diskControllerType": "SCSI"}
    if not machine.is_attached:
        storage = {"imageReference": _image(machine.image), **storage}
    return storage


def _image(image: str) -> Json:
    if image not in IMAGES:
        return {"id": image, "exactVersion": "1.0.0"}
    publisher, offer, sku, version, _ = IMAGES[image]
    return {"publisher": publisher, "offer": offer, "sku": sku, "version": "latest", "exactVersion": version}


def _os_profile(machine: Machine) -> Json:
    profile: Json = {"computerName": machine.name[:15], "adminUsername": "localadmin"}
    if machine.os_type == "Windows":
        profile["windowsConfiguration"] = _configuration(
            machine,
            {"provisionVMAgent": machine.agent != "", "enableAutomaticUpdates": machine.automatic_updates},
            "AutomaticByOS" if machine.automatic_updates else "Manual",
        )
        profile["windowsConfiguration"]["enableVMAgentPlatformUpdates"] = False
    else:
        profile["linuxConfiguration"] = _configuration(
            machine,
            {"disablePasswordAuthentication": True, "provisionVMAgent": machine.agent != ""},
            "ImageDefault",
        )
    profile.update(secrets=[], allowExtensionOperations=machine.extensions_allowed, requireGuestProvisionSignal=True)
    return profile


def _configuration(machine: Machine, base: Json, default_mode: str) -> Json:
    patch = {"patchMode": default_mode, "assessmentMode": "ImageDefault"} if machine.patch is None else machine.patch
    return {**base, "patchSettings": patch} if patch else base


def _instance_view(machine: Machine) -> Json:
    is_on = machine.power == "running"
    view: Json = {"osName": machine.os_name} if machine.os_name and is_on else {}
    if machine.agent == "Ready" and is_on:
        view["vmAgent"] = _agent("ProvisioningState/succeeded", "Info", "Ready", "Guest Agent is running")
    elif machine.agent and is_on:
        silent = "VM status blob is found but not yet populated."
        view["vmAgent"] = _agent("ProvisioningState/Unavailable", "Warning", "Not Ready", silent)
    view["hyperVGeneration"] = "V2"
    view["statuses"] = [
        {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded",
         "time": "2024-08-26T05:56:15.7127566+00:00"},
        {"code": f"PowerState/{machine.power}", "level": "Info", "displayStatus": f"VM {machine.power}"},
    ]  # fmt: skip
    return view


def _agent(code: str, level: str, display: str, message: str) -> Json:
    status = {
        "code": code,
        "level": level,
        "displayStatus": display,
        "message": message,
        "time": "2024-08-26T05:56:28+00:00",
    }
    return {"vmAgentVersion": "2.7.41491.1131" if display == "Ready" else "Unknown", "statuses": [status]}


def arc_document(
    subscription: str,
    group: str,
    name: str,
    *,
    os: str,
    assessment: str = "ImageDefault",
    status: str = "Connected",
    location: str = "westeurope",
    tags: dict[str, str] | None = None,
) -> Document:
    """An Azure Arc server. ``status``: ``Connected``, ``Disconnected`` or ``Expired``; ``os``: in lower case."""
    configuration = {"patchSettings": {"assessmentMode": assessment, "patchMode": _arc_mode(os)}}
    return {
        "id": f"{group_id(subscription, group)}/providers/Microsoft.HybridCompute/machines/{name}",
        "name": name,
        "type": "Microsoft.HybridCompute/machines",
        "location": location,
        "tags": tags or {},
        "identity": {"type": "SystemAssigned", "principalId": fake_guid(name + "p"), "tenantId": fake_guid("tenant")},
        "properties": {
            "provisioningState": "Succeeded",
            "status": status,
            "osType": os,
            "osName": os,
            "osSku": "Windows Server 2019 Datacenter" if os == "windows" else "Ubuntu 22.04.4 LTS",
            "agentVersion": "1.44.02748.1700",
            "vmId": fake_guid(name),
            "machineFqdn": f"{name}.corp.example",
            "osProfile": {"computerName": name, f"{os}Configuration": configuration},
            "lastStatusChange": "2024-08-26T05:56:28.0000000Z",
        },
    }


def arc_extension_document(machine_id: str, os: str, location: str, state: str) -> Document:
    """The extension through which Update Manager patches an Arc server, in a provisioning state."""
    name = "WindowsOsUpdateExtension" if os == "windows" else "LinuxOsUpdateExtension"
    return {
        "id": f"{machine_id}/extensions/{name}",
        "name": name,
        "type": "Microsoft.HybridCompute/machines/extensions",
        "location": location,
        "properties": {
            "publisher": "Microsoft.SoftwareUpdateManagement",
            "type": name,
            "autoUpgradeMinorVersion": True,
            "enableAutomaticUpgrade": True,
            "provisioningState": state,
        },
    }


def support_document(machine_id: str, state: str) -> Document:
    """The last assessment of a machine, which says whether its image can be patched.

    Source: "Manage updates for customized images", ``detectedVMGuestPatchSupportState``.
    """
    return {
        "id": f"{machine_id}/patchAssessmentResults/latest",
        "name": "latest",
        "type": "Microsoft.Compute/virtualMachines/patchAssessmentResults",
        "properties": {
            "status": "Succeeded",
            "configurationStatus": {"vmGuestPatchReadiness": {"detectedVMGuestPatchSupportState": state}},
        },
    }


def scale_set_document(subscription: str, group: str, name: str, orchestration: str, location: str) -> Document:
    """A scale set. ``orchestration``: ``Flexible``, or ``Uniform``, whose instances are no machines of their own."""
    return {
        "name": name,
        "id": f"{group_id(subscription, group)}/providers/Microsoft.Compute/virtualMachineScaleSets/{name}",
        "type": "Microsoft.Compute/virtualMachineScaleSets",
        "location": location,
        "tags": {},
        "sku": {"name": "Standard_D2s_v5", "tier": "Standard", "capacity": 1},
        "properties": {
            "orchestrationMode": orchestration,
            "platformFaultDomainCount": 1,
            "provisioningState": "Succeeded",
        },
    }


def _arc_mode(os: str) -> str:
    return "Manual" if os == "windows" else "ImageDefault"


def lock_document(scope: str, name: str, level: str, notes: str = "") -> Document:
    """A management lock. ``level``: ``ReadOnly`` or ``CanNotDelete``."""
    return {
        "id": f"{scope}/providers/Microsoft.Authorization/locks/{name}",
        "type": "Microsoft.Authorization/locks",
        "name": name,
        "properties": {"level": level, "notes": notes},
    }


def deny_document(scope: str, name: str) -> Document:
    """A system deny assignment such as managed applications put on their resource group: reads only for everybody."""
    guid = fake_guid(scope + name)
    return {
        "id": f"{scope}/providers/Microsoft.Authorization/denyAssignments/{guid}",
        "type": "Microsoft.Authorization/denyAssignments",
        "name": guid,
        "properties": {
            "denyAssignmentName": name,
            "description": "Managed by the platform.",
            "permissions": [{"actions": ["*"], "notActions": ["*/read"], "dataActions": [], "notDataActions": []}],
            "scope": scope,
            "doNotApplyToChildScopes": False,
            "principals": [
                {"id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined", "displayName": "All Principals"}
            ],
            "excludePrincipals": [],
            "isSystemProtected": True,
        },
    }
