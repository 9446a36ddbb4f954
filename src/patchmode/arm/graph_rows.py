"""Resource Graph rows: the fixed queries about machines; what a row means stands in `machine_reading`.

Must not: hold anything that a user typed. What narrows a query travels beside it, as subscriptions and management
groups, or is compared after reading.

Source of the paths: azure-mgmt-compute `VirtualMachine`, azure-mgmt-hybridcompute `Machine`, and the portal's own
Update Manager query for the power state.
Columns are bare paths without conversions: each keeps its JSON type, and absent members come as null. Their names are
those of `MachineFacts`, and `facts_in` walks the same paths in a document.
"""

from collections.abc import Mapping
from typing import Any

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
    windowsConfiguration = isnotnull(properties.osProfile.windowsConfiguration),
    windows = properties.osProfile.windowsConfiguration.patchSettings,
    windowsAgent = properties.osProfile.windowsConfiguration.provisionVMAgent,
    windowsUpdates = properties.osProfile.windowsConfiguration.enableAutomaticUpdates,
    linuxConfiguration = isnotnull(properties.osProfile.linuxConfiguration),
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


def support_of(row: Mapping[str, Any]) -> tuple[str, str] | None:
    """The machine and the state of a row of `UNSUPPORTED`; None: the row is of another shape.

    An assessment is a child of its machine, `{machine}/patchAssessmentResults/latest`.
    """
    text, state = row.get("id"), row.get("support")
    if not isinstance(text, str) or not isinstance(state, str):
        return None
    at = text.casefold().rfind("/patchassessmentresults/")
    return (text[:at].casefold(), state) if at > 0 else None
