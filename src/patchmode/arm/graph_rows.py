"""Resource Graph rows: the fixed queries, and how their rows become machines.

Must not: hold anything that a user typed. What narrows a query travels beside it, as subscriptions and management
groups, or is compared after reading.

Source of the paths: azure-mgmt-compute `VirtualMachine`, azure-mgmt-hybridcompute `Machine`, and the portal's own
Update Manager query for the power state.
Columns are bare paths without conversions: each keeps its JSON type, and absent members come as null.
"""

import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from patchmode.arm.wire import image_reference, operating_system, power_state
from patchmode.model.machine import Machine, MachineKind, ReadFrom, Surroundings
from patchmode.model.patch_settings import OperatingSystem, PatchSettings
from patchmode.model.resource_id import ResourceId

MACHINES = """\
resources
| where type =~ 'microsoft.compute/virtualmachines' or type =~ 'microsoft.hybridcompute/machines'
| project id, type, location, tags, managedBy,
    provisioningState = properties.provisioningState,
    vmId = properties.vmId,
    diskOs = properties.storageProfile.osDisk.osType,
    arcOs = properties.osType,
    osDiskCreateOption = properties.storageProfile.osDisk.createOption,
    image = properties.storageProfile.imageReference,
    licenseType = properties.licenseType,
    scaleSet = properties.virtualMachineScaleSet.id,
    osProfile = isnotnull(properties.osProfile),
    allowExtensions = properties.osProfile.allowExtensionOperations,
    windows = properties.osProfile.windowsConfiguration.patchSettings,
    windowsAgent = properties.osProfile.windowsConfiguration.provisionVMAgent,
    windowsUpdates = properties.osProfile.windowsConfiguration.enableAutomaticUpdates,
    linux = properties.osProfile.linuxConfiguration.patchSettings,
    linuxAgent = properties.osProfile.linuxConfiguration.provisionVMAgent,
    power = properties.extended.instanceView.powerState,
    arcStatus = properties.status,
    arcEdition = properties.osSku
| order by id asc"""

UNSUPPORTED = """\
patchassessmentresources
| where type =~ 'microsoft.compute/virtualmachines/patchassessmentresults'
| extend support = tostring(properties.configurationStatus.vmGuestPatchReadiness.detectedVMGuestPatchSupportState)
| where isnotempty(support) and support !~ 'Supported'
| project id, support
| order by id asc"""
"""Only what is not supported is asked for: one page as a rule. A row for each machine would cost as much again."""

MANAGED_GROUPS = """\
resourcecontainers
| where type =~ 'microsoft.resources/subscriptions/resourcegroups' and isnotempty(managedBy)
| project id, name, subscriptionId, managedBy
| order by id asc"""

SUBSCRIPTIONS = """\
resourcecontainers
| where type =~ 'microsoft.resources/subscriptions'
| project id, subscriptionId
| order by id asc"""


class Row(msgspec.Struct, gc=False, rename="camel"):
    """One row of `MACHINES`. Everything may be null; the graph scrubs what it likes."""

    id: str
    type: str
    location: str | None = None
    tags: dict[str, str | None] | None = None
    managed_by: str | None = None
    provisioning_state: str | None = None
    vm_id: str | None = None
    disk_os: str | None = None
    arc_os: str | None = None
    os_disk_create_option: str | None = None
    image: dict[str, Any] | None = None
    license_type: str | None = None
    scale_set: str | None = None
    os_profile: bool | int | None = None
    allow_extensions: bool | None = None
    windows: dict[str, Any] | None = None
    windows_agent: bool | None = None
    windows_updates: bool | None = None
    linux: dict[str, Any] | None = None
    linux_agent: bool | None = None
    power: dict[str, Any] | None = None
    arc_status: Any = None
    arc_edition: Any = None


def machine_from_row(row: Row) -> Machine:
    """Read one row.

    Raises:
        ResourceIdError: the row's id is not that of a resource in a group.
    """
    is_arc = row.type.casefold() == "microsoft.hybridcompute/machines"
    os = operating_system(row.arc_os if is_arc else row.disk_os) or _os_by_settings(row)
    is_windows = os is OperatingSystem.WINDOWS
    power = row.power or {}
    return Machine(
        id=ResourceId.parse(row.id),
        kind=MachineKind.ARC if is_arc else MachineKind.VMSS_FLEX if row.scale_set else MachineKind.VM,
        location=_shared(row.location) or "",
        os=os,
        settings=PatchSettings.from_document(row.windows if is_windows else row.linux if os else None),
        has_os_profile=bool(row.os_profile),
        enable_automatic_updates=row.windows_updates if is_windows else None,
        provision_vm_agent=row.windows_agent if is_windows else row.linux_agent,
        allow_extension_operations=row.allow_extensions,
        image=image_reference(row.image or {}),
        os_disk_create_option=_shared(row.os_disk_create_option),
        license_type=_shared(row.license_type),
        os_edition=_shared(row.arc_edition) if is_arc and isinstance(row.arc_edition, str) else None,
        scale_set_id=row.scale_set or None,
        managed_by=row.managed_by or None,
        provisioning_state=_shared(row.provisioning_state),
        vm_id=row.vm_id,
        tags={key: value or "" for key, value in (row.tags or {}).items()},
        surroundings=Surroundings(
            power_state=_shared(power_state(power.get("code"), power.get("displayStatus"))),
            arc_status=_shared(row.arc_status) if is_arc and isinstance(row.arc_status, str) else None,
        ),
        read_from=ReadFrom.GRAPH,
    )


def _os_by_settings(row: Row) -> OperatingSystem | None:
    """A system that no disk names, by the one configuration that is there."""
    if (row.windows is None) == (row.linux is None):
        return None
    return OperatingSystem.WINDOWS if row.windows is not None else OperatingSystem.LINUX


def _shared(text: str | None) -> str | None:
    """One copy of a text that thousands of machines share."""
    return None if text is None else sys.intern(text)


def support_of(row: Mapping[str, Any]) -> tuple[str, str] | None:
    """The machine and the state of a row of `UNSUPPORTED`; None: the row is of another shape.

    An assessment is a child of its machine, `{machine}/patchAssessmentResults/latest`.
    """
    text, state = row.get("id"), row.get("support")
    if not isinstance(text, str) or not isinstance(state, str):
        return None
    at = text.casefold().rfind("/patchassessmentresults/")
    return (text[:at].casefold(), state) if at > 0 else None
