"""The built-in fleets: ``demo`` has a machine in every state that matters to patch orchestration, ``small`` four."""

from typing import Any

from arm_emulator.directory import DEFAULT_TENANT
from arm_emulator.fleet_documents import (
    Json,
    Machine,
    arc_document,
    deny_document,
    group_id,
    lock_document,
    machine_document,
    scale_set_document,
)
from arm_emulator.fleets import group_document
from arm_emulator.state import Document

PRODUCTION = "22222222-2222-2222-2222-222222222222"
DEVELOPMENT = "55555555-5555-5555-5555-555555555555"
SANDBOX = "66666666-6666-6666-6666-666666666666"

BY_PLATFORM: Json = {"patchMode": "AutomaticByPlatform", "assessmentMode": "ImageDefault"}
SCHEDULED: Json = {
    "patchMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
    "assessmentMode": "AutomaticByPlatform",
}
_SCHEDULED_KEEPING_REBOOT: Json = {
    "patchMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"rebootSetting": "Never", "bypassPlatformSafetyChecksOnUserSchedule": True},
    "assessmentMode": "ImageDefault",
}
_PLATFORM_WITH_REBOOT: Json = {
    "patchMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"rebootSetting": "IfRequired"},
    "assessmentMode": "ImageDefault",
}
_HOTPATCH: Json = {
    "patchMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": False},
    "assessmentMode": "ImageDefault",
    "enableHotpatching": True,
}
_ASSESSED: Json = {"patchMode": "AutomaticByOS", "assessmentMode": "AutomaticByPlatform"}
_AKS_GROUP = "MC_aks-prod_westeurope"
_DATABRICKS_GROUP = "databricks-rg-analytics"
_SERVER = "Windows Server 2022 Datacenter"
_GALLERY = f"{group_id(PRODUCTION, 'rg-images')}/providers/Microsoft.Compute/galleries/corp/images"


def small_fleet() -> dict[str, Any]:
    """One subscription with four machines: Windows and Linux, prepared and not."""
    group = "rg-app"
    machines = (
        Machine(PRODUCTION, group, "web-01", "ws2022"),
        Machine(PRODUCTION, group, "web-02", "ws2022", patch=SCHEDULED),
        Machine(PRODUCTION, group, "db-01", "ubuntu2204"),
        Machine(PRODUCTION, group, "db-02", "rhel9", patch=BY_PLATFORM),
    )
    return {
        "subscriptions": [_subscription(PRODUCTION, "Contoso Production")],
        "resources": [
            group_document(group_id(PRODUCTION, group), group, "westeurope"),
            *map(machine_document, machines),
        ],
    }


def demo_fleet() -> dict[str, Any]:
    """About forty machines in three subscriptions; one subscription is not registered for Microsoft.Maintenance."""
    machines = (*_plain(), *_peculiar(), *_managed(), *_other_subscriptions())
    return {
        "subscriptions": [
            _subscription(PRODUCTION, "Contoso Production", managementGroup="mg-landing-zones"),
            _subscription(DEVELOPMENT, "Contoso Development", managementGroup="mg-landing-zones"),
            _subscription(SANDBOX, "Contoso Sandbox", unregisteredProviders=["Microsoft.Maintenance"]),
        ],
        "managementGroups": [
            {"name": "mg-contoso", "displayName": "Contoso"},
            {"name": "mg-landing-zones", "displayName": "Landing zones", "parent": "mg-contoso"},
        ],
        "resources": [
            *_groups(),
            *map(machine_document, machines),
            *_arc(),
            scale_set_document(PRODUCTION, "rg-app", "flex", "Flexible", "westeurope"),
            _maintenance_configuration(),
        ],
        "locks": [
            lock_document(group_id(PRODUCTION, "rg-locked"), "frozen", "ReadOnly", "Audit in progress."),
            lock_document(group_id(PRODUCTION, "rg-app"), "keep", "CanNotDelete", "Production."),
        ],
        "denyAssignments": [
            deny_document(
                group_id(PRODUCTION, _AKS_GROUP), "System deny assignment created by Azure Kubernetes Service"
            ),
            deny_document(
                group_id(PRODUCTION, _DATABRICKS_GROUP),
                "System deny assignment created by managed application "
                f"{group_id(PRODUCTION, 'rg-app')}/providers/Microsoft.Databricks/workspaces/analytics",
            ),
        ],
    }


def _subscription(subscription: str, name: str, **more: Any) -> Json:
    return {"subscriptionId": subscription, "displayName": name, "tenantId": DEFAULT_TENANT, **more}


def _groups() -> list[Document]:
    plain = [
        (PRODUCTION, "rg-app"), (PRODUCTION, "RG-DATA-PROD"), (PRODUCTION, "rg-locked"), (PRODUCTION, "rg-images"),
        (PRODUCTION, "rg-Größe (EU)"), (DEVELOPMENT, "rg-dev"), (SANDBOX, "rg-sandbox"),
    ]  # fmt: skip
    groups = [group_document(group_id(sub, name), name, "westeurope", {"env": "prod"}) for sub, name in plain]
    containers = "providers/Microsoft.ContainerService/managedClusters/aks-prod"
    workspaces = "providers/Microsoft.Databricks/workspaces/analytics"
    for name, owner in ((_AKS_GROUP, containers), (_DATABRICKS_GROUP, workspaces)):
        group = group_document(group_id(PRODUCTION, name), name, "westeurope")
        group["managedBy"] = f"{group_id(PRODUCTION, 'rg-app')}/{owner}"
        groups.append(group)
    return groups


def _plain() -> tuple[Machine, ...]:
    """Every orchestration on Windows and Linux."""
    app, data = "rg-app", "RG-DATA-PROD"
    ring = {"ring": "1", "owner": 'O\'Brien "ops"'}
    return (
        Machine(PRODUCTION, app, "web-01", "ws2022", tags=ring),
        Machine(PRODUCTION, app, "web-02", "ws2022", tags=ring, zone="1"),
        Machine(PRODUCTION, app, "web-03", "ws2019", patch=BY_PLATFORM),
        Machine(PRODUCTION, app, "web-04", "ws2022", patch=SCHEDULED, etag=3),
        Machine(PRODUCTION, app, "web-05", "ws2022", automatic_updates=False),
        Machine(PRODUCTION, app, "web-06", "ws2022", patch=_ASSESSED),
        Machine(PRODUCTION, app, "web-07", "ws2019", patch=_PLATFORM_WITH_REBOOT),
        Machine(PRODUCTION, app, "web-08", "ws2022", patch=_SCHEDULED_KEEPING_REBOOT, etag=7),
        Machine(PRODUCTION, app, "api-01", "ubuntu2204", tags={"ring": "2"}),
        Machine(PRODUCTION, app, "api-02", "ubuntu2404", location="northeurope"),
        Machine(PRODUCTION, app, "api-03", "ubuntu2204", patch=BY_PLATFORM),
        Machine(PRODUCTION, app, "api-04", "ubuntu2204", patch=SCHEDULED),
        Machine(PRODUCTION, app, "api-05", "debian12", etag=None),
        Machine(PRODUCTION, data, "SQL-01", "sql2022", size="Standard_E8ds_v5"),
        Machine(PRODUCTION, data, "SQL-02", "sql2022", size="Standard_E8ds_v5", patch=BY_PLATFORM),
        Machine(PRODUCTION, data, "rhel-01", "rhel9", patch=_PLATFORM_WITH_REBOOT),
        Machine(PRODUCTION, data, "rhel-02", "rhel9", etag=None),
        Machine(PRODUCTION, data, "sles-01", "sles15"),
    )


def _peculiar() -> tuple[Machine, ...]:
    """Machines that cannot be set, or only with care."""
    app, data = "rg-app", "RG-DATA-PROD"
    specialised = {"image": "", "is_attached": True, "has_os_profile": False}
    return (
        Machine(PRODUCTION, app, "hotpatch-01", "ws2022-hotpatch", patch=_HOTPATCH),
        Machine(PRODUCTION, app, "hotpatch-02", "ws2022-hotpatch", patch=_HOTPATCH, etag=5),
        Machine(PRODUCTION, app, "migrated-01", os="Windows", os_name=_SERVER, **specialised),  # type: ignore[arg-type]  # shared flags
        Machine(PRODUCTION, app, "restored-01", os="Linux", **specialised),  # type: ignore[arg-type]  # shared flags
        Machine(PRODUCTION, app, "desktop-01", "win11"),
        Machine(PRODUCTION, app, "hpc-01", "centos-hpc"),
        Machine(PRODUCTION, app, "firewall-01", "appliance", tags={"appliance": "yes"}),
        Machine(PRODUCTION, app, "gallery-01", f"{_GALLERY}/ws2022-hardened", os="Windows", os_name=_SERVER),
        Machine(PRODUCTION, app, "agentless-01", "debian12", agent=""),
        Machine(PRODUCTION, app, "agent-silent-01", "ws2022", agent="Not Ready"),
        Machine(PRODUCTION, app, "noext-01", "ubuntu2204", extensions_allowed=False),
        Machine(PRODUCTION, data, "failed-01", "ws2022", provisioning="Failed", etag=4),
        Machine(PRODUCTION, data, "parked-01", "ws2022", power="deallocated"),
        Machine(PRODUCTION, data, "parked-02", "ubuntu2204", power="deallocated", patch=BY_PLATFORM),
        Machine(PRODUCTION, data, "off-01", "rhel9", power="stopped"),
        # No name of Azure's own has a quote in it; this one is here to show that ours would survive it.
        Machine(PRODUCTION, "rg-Größe (EU)", "o'hara-01", "ws2022"),
        Machine(PRODUCTION, "rg-Größe (EU)", "zürich-01", "ubuntu2204"),
        Machine(PRODUCTION, "rg-locked", "frozen-01", "ws2022"),
        Machine(PRODUCTION, "rg-locked", "frozen-02", "ubuntu2204", patch=SCHEDULED),
    )


def _managed() -> tuple[Machine, ...]:
    """Machines that another service owns."""
    member = {"virtualMachineScaleSet": {"id": _scale_set_id()}, "platformFaultDomain": 0}
    return (
        Machine(PRODUCTION, "rg-app", "flex_0a1b2c3d", "ubuntu2204", properties=member),
        Machine(PRODUCTION, _AKS_GROUP, "aks-pool1-0", "ubuntu2204", tags={"aks-managed-poolName": "pool1"}),
        Machine(PRODUCTION, _DATABRICKS_GROUP, "dbx-worker-0", "ubuntu2204", tags={"Vendor": "Databricks"}),
    )


def _other_subscriptions() -> tuple[Machine, ...]:
    return (
        Machine(
            DEVELOPMENT, "rg-dev", "dev-01", "ws2022", location="northeurope", tags={"patchmode-live-check": "yes"}
        ),
        Machine(DEVELOPMENT, "rg-dev", "dev-02", "ubuntu2404", location="northeurope"),
        Machine(DEVELOPMENT, "rg-dev", "dev-03", "ubuntu2204", patch=SCHEDULED),
        Machine(SANDBOX, "rg-sandbox", "box-01", "ws2022"),
        Machine(SANDBOX, "rg-sandbox", "box-02", "ubuntu2204"),
    )


def _arc() -> list[Document]:
    return [
        arc_document(PRODUCTION, "rg-app", "onprem-win-01", os="windows"),
        arc_document(PRODUCTION, "rg-app", "onprem-lin-01", os="linux", assessment="AutomaticByPlatform"),
        arc_document(DEVELOPMENT, "rg-dev", "onprem-lin-02", os="linux", status="Disconnected"),
    ]


def _scale_set_id() -> str:
    return f"{group_id(PRODUCTION, 'rg-app')}/providers/Microsoft.Compute/virtualMachineScaleSets/flex"


def _maintenance_configuration() -> Document:
    group = group_id(PRODUCTION, "rg-app")
    return {
        "location": "westeurope",
        "tags": {},
        "properties": {
            "extensionProperties": {"InGuestPatchMode": "User"},
            "maintenanceScope": "InGuestPatch",
            "maintenanceWindow": {
                "startDateTime": "2024-04-30 22:00",
                "expirationDateTime": "9999-12-31 00:00",
                "duration": "03:00",
                "timeZone": "W. Europe Standard Time",
                "recurEvery": "Week Saturday",
            },
            "installPatches": {
                "rebootSetting": "IfRequired",
                "windowsParameters": {"classificationsToInclude": ["Critical", "Security"]},
                "linuxParameters": {"classificationsToInclude": ["Critical", "Security"]},
            },
            "visibility": "Custom",
            "configurationType": "Regular",
        },
        "id": f"{group}/providers/Microsoft.Maintenance/maintenanceConfigurations/mc-weekly",
        "name": "mc-weekly",
        "type": "Microsoft.Maintenance/maintenanceConfigurations",
    }
