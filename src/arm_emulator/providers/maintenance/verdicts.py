"""What a window would do to one machine: run, or the reason why its deployment fails.

Pure but for the state it is handed. First match wins; the order matters for the recorded reason, not for success.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from arm_emulator.providers.compute.guest_systems import is_appliance, is_client
from arm_emulator.providers.compute.images import is_excluded
from arm_emulator.providers.compute.instance_view import known_power
from arm_emulator.providers.maintenance.assignments import is_prepared
from arm_emulator.providers.maintenance.errors import NOT_PREPARED
from arm_emulator.providers.maintenance.membership import ARC_MACHINE
from arm_emulator.state import Document, Stored

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

OFF_STATES = frozenset({"stopped", "stopping", "deallocated", "deallocating"})
_PATCH_EXTENSIONS = frozenset(
    {"microsoft.cplat.core.windowspatchextension", "microsoft.cplat.core.linuxpatchextension"}
)
_ARC_PATCH_EXTENSIONS = frozenset(
    f"microsoft.softwareupdatemanagement.{name}" for name in ("windowsosupdateextension", "linuxosupdateextension")
)
"""What carries out scheduled patching. Source: "VM extensions" of Azure Update Manager's documentation."""
_SYSTEMS = ("windowsConfiguration", "linuxConfiguration")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a machine's deployment fails."""

    code: str
    message: str


UNSUPPORTED_IMAGE = Failure("Unsupported", "The selected VM image is not supported for VM Guest patch operations.")
"""The sentence is Compute's own for such an image; the code is ours, none is known for a run."""
UNSUPPORTED_CLIENT = Failure(
    "Unsupported", "The operating system of the machine is not supported by Azure Update Manager."
)
UNSUPPORTED_MEMBER = Failure(
    "Unsupported", "Members of a virtual machine scale set are not supported by Azure Update Manager."
)
UNPREPARED = Failure("UnsupportedResourceOperation", NOT_PREPARED)
NO_EXTENSIONS = Failure(
    "OperationNotAllowed",
    "This operation cannot be performed when extension operations are disallowed. To allow, please ensure VM Agent is "
    "installed on the VM and the osProfile.allowExtensionOperations property is true.",
)
OFF = Failure("ShutdownOrUnresponsive", "The machine is shut down or unresponsive.")
"""Code: "Troubleshoot issues with Azure Update Manager"; the sentence is ours."""


def failure_of(cloud: "Cloud", machine: Stored) -> Failure | None:
    """Why a scheduled deployment to this machine fails as it stands; None where updates will be installed.

    Source: the prerequisites' article (scenarios 3, 5 and 7), the list of unsupported workloads, and "Troubleshoot
    issues with Azure Update Manager" (machines that are off, extensions that cannot run or have failed).
    """
    document = machine.document
    unsupported = unsupported_reason(cloud, machine)
    if unsupported is not None:
        return unsupported
    if machine.type != ARC_MACHINE:
        if "virtualMachineScaleSet" in (document.get("properties") or {}) and (
            cloud.profile.schedule_on_flexible_member == "unsupported"
        ):
            return UNSUPPORTED_MEMBER
        if not is_prepared(document):
            return UNPREPARED
        if not takes_extensions(document):
            return NO_EXTENSIONS
    return OFF if is_off(machine) else broken_extension(cloud, machine)


def unsupported_reason(cloud: "Cloud", machine: Stored) -> Failure | None:
    """Why Update Manager does not patch a machine of this image at all; None where it does."""
    document = machine.document
    if is_client(document):
        return UNSUPPORTED_CLIENT
    if is_excluded(document) or is_appliance(document) or _is_assessed_unsupported(cloud, machine):
        return UNSUPPORTED_IMAGE
    return None


def broken_extension(cloud: "Cloud", machine: Stored) -> Failure | None:
    """What a failed patch extension makes of an installation: a switch; None where it does not matter.

    Source of the code: recorded operations that failed of an extension.
    """
    if cloud.profile.failed_patch_extension != "fails":
        return None
    wanted = _ARC_PATCH_EXTENSIONS if machine.type == ARC_MACHINE else _PATCH_EXTENSIONS
    apart = cloud.state.of_type(f"{machine.type}/extensions", parent=machine.id)
    inside = machine.document.get("resources")
    for child in [*(inside if isinstance(inside, list) else ()), *(one.document for one in apart)]:
        properties = child.get("properties") if isinstance(child, dict) else None
        properties = properties if isinstance(properties, dict) else {}
        kind = f"{properties.get('publisher')}.{properties.get('type')}".lower()
        if kind in wanted and str(properties.get("provisioningState")).lower() in {"failed", "canceled"}:
            return Failure("VMExtensionProvisioningError", f"The extension '{properties['type']}' has failed.")
    return None


def _is_assessed_unsupported(cloud: "Cloud", machine: Stored) -> bool:
    """Whether an assessment that the fleet file holds found the image unsupported."""
    return support_state(cloud, machine) == "unsupported"


def support_state(cloud: "Cloud", machine: Stored) -> str:
    """What the last assessment in the state says of the image, in lower case; ``''`` where it says nothing.

    Source: "Manage updates for customized images": ``detectedVMGuestPatchSupportState``.
    """
    kept = cloud.state.get(f"{machine.key}/patchassessmentresults/latest")
    value: Any = (kept.document.get("properties") or {}) if kept is not None else {}
    for name in ("configurationStatus", "vmGuestPatchReadiness", "detectedVMGuestPatchSupportState"):
        value = value.get(name) if isinstance(value, dict) else None
    return str(value or "").lower()


def takes_extensions(document: Document) -> bool:
    """Whether a virtual machine has an agent and may run extensions; absent members count as yes."""
    profile = (document.get("properties") or {}).get("osProfile")
    profile = profile if isinstance(profile, dict) else {}
    blocks = [profile.get(system) for system in _SYSTEMS]
    has_agent = not any(isinstance(block, dict) and block.get("provisionVMAgent") is False for block in blocks)
    return has_agent and profile.get("allowExtensionOperations") is not False


def is_off(machine: Stored) -> bool:
    """Whether nothing on the machine would answer: powered off, an agent that is not ready, an Arc server away."""
    properties = machine.document.get("properties") or {}
    if machine.type == ARC_MACHINE:
        return str(properties.get("status") or "").lower() in {"disconnected", "expired"}
    if known_power(machine.document) in OFF_STATES:
        return True
    view = properties.get("instanceView")
    agent = view.get("vmAgent") if isinstance(view, dict) else None
    statuses = agent.get("statuses") if isinstance(agent, dict) else None
    return any(
        isinstance(status, dict) and str(status.get("displayStatus") or "").lower() == "not ready"
        for status in (statuses if isinstance(statuses, list) else ())
    )
