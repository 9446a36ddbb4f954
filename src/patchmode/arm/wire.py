"""JSON to model: what Resource Manager answers becomes the model's values, field by field, each with its source.

Must not: send anything, judge anything, or change a document it was given: `Machine.document` is the very object that
was decoded, because plans compare it leaf by leaf and must see members that this version does not know.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from patchmode.model.machine import (
    ImageReference,
    Lock,
    Machine,
    MachineKind,
    ReadFrom,
    Subscription,
    Surroundings,
)
from patchmode.model.patch_settings import OperatingSystem, PatchSettings
from patchmode.model.resource_id import ResourceId
from patchmode.workflow.ports import OperationState, OperationStatus

_EMPTY: Mapping[str, Any] = {}


def decode(body: bytes, shape: Any = Any) -> Any:
    """Decode a JSON answer.

    Args:
        body: UTF-8; a byte order mark and surrounding white space are allowed, as recorded answers carry both.
        shape: a msgspec type to decode into; booleans and numbers may then stand in quotes, as recorded ones do.

    Returns:
        The value; None for an empty body.

    Raises:
        ValueError: the body is not JSON (an HTML page of a gateway, or cut short), or not of the shape.
    """
    text = body.removeprefix(b"\xef\xbb\xbf").strip()
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=shape, strict=False)
    except msgspec.DecodeError as error:
        msg = f"the answer cannot be read: {error}"
        raise ValueError(msg) from error


def member(holder: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """The object at a path, or an empty one where a member is absent, null or no object.

    Args:
        holder: any JSON object.
        path: member names, spelled as on the wire.
    """
    found: Any = holder
    for name in path:
        found = found.get(name)
        if not isinstance(found, Mapping):
            return _EMPTY
    return found  # type: ignore[no-any-return]  # narrowed by the loop, or the holder itself


def operating_system(value: object) -> OperatingSystem | None:
    """`osType` without regard to case: Compute writes `Windows`, HybridCompute also `windows`. None: neither."""
    if not isinstance(value, str):
        return None
    return {"windows": OperatingSystem.WINDOWS, "linux": OperatingSystem.LINUX}.get(value.casefold())


def machine_from_document(
    document: Mapping[str, Any], kind: MachineKind, read_from: ReadFrom = ReadFrom.PROVIDER
) -> Machine:
    """Read a whole machine document, as a GET, a list or the answer to a PATCH gives it.

    Args:
        document: the decoded JSON object; it is kept as `Machine.document`, not copied and not changed.
        kind: what was asked for. A `VM` that belongs to a scale set comes back as `VMSS_FLEX`.
        read_from: who answered.

    Returns:
        The machine. An absent member and a null one both read as None.

    Raises:
        ValueError: no id, or an id of another form (`ResourceIdError` is one).

    Source: azure-mgmt-compute `VirtualMachine`, azure-mgmt-hybridcompute `Machine`; recorded GETs and lists.
    """
    text = document.get("id")
    if not text or not isinstance(text, str):
        msg = "the document has no id, so it is not a resource of Resource Manager"
        raise ValueError(msg)
    facts = _arc_facts(document) if kind is MachineKind.ARC else _vm_facts(document)
    etag = document.get("etag")
    return Machine(
        id=ResourceId.parse(text),
        kind=_kind_of(kind, facts["scale_set_id"]),
        location=document.get("location") or "",
        managed_by=document.get("managedBy") or None,
        tags=document.get("tags") or {},
        etag=etag if isinstance(etag, str) and etag else None,
        read_from=read_from,
        document=document,
        **facts,
    )


def _kind_of(asked: MachineKind, scale_set_id: str | None) -> MachineKind:
    """Flexible members are ordinary virtual machines that name their scale set (recorded lists)."""
    return MachineKind.VMSS_FLEX if asked is MachineKind.VM and scale_set_id else asked


def _vm_facts(document: Mapping[str, Any]) -> dict[str, Any]:
    properties = member(document, "properties")
    storage = member(properties, "storageProfile")
    os_disk = member(storage, "osDisk")
    os = operating_system(os_disk.get("osType")) or _os_by_configuration(member(properties, "osProfile"))
    view = member(properties, "instanceView")
    return {
        **_os_profile_facts(properties, os),
        "image": image_reference(member(storage, "imageReference")),
        "os_disk_create_option": os_disk.get("createOption"),
        "license_type": properties.get("licenseType") or None,
        "scale_set_id": member(properties, "virtualMachineScaleSet").get("id") or None,
        "provisioning_state": properties.get("provisioningState"),
        "vm_id": properties.get("vmId"),
        "surroundings": surroundings_of(view) if view else Surroundings(),
    }


def _arc_facts(document: Mapping[str, Any]) -> dict[str, Any]:
    """Arc names the system in `properties.osType`; older agents only in `osName`, which is too free a text to read."""
    properties = member(document, "properties")
    status, edition = properties.get("status"), properties.get("osSku")
    os = operating_system(properties.get("osType")) or _os_by_configuration(member(properties, "osProfile"))
    return {
        **_os_profile_facts(properties, os),
        "os_edition": edition if isinstance(edition, str) and edition else None,
        "scale_set_id": None,
        "provisioning_state": properties.get("provisioningState"),
        "vm_id": properties.get("vmId"),
        "surroundings": Surroundings(arc_status=status if isinstance(status, str) and status else None),
    }


def _os_profile_facts(properties: Mapping[str, Any], os: OperatingSystem | None) -> dict[str, Any]:
    profile = properties.get("osProfile")
    configuration = member(properties, "osProfile", os.configuration) if os else _EMPTY
    return {
        "os": os,
        "settings": PatchSettings.from_document(configuration.get("patchSettings")),
        "has_os_profile": profile is not None,
        "enable_automatic_updates": configuration.get("enableAutomaticUpdates"),
        "provision_vm_agent": configuration.get("provisionVMAgent"),
        "allow_extension_operations": member(properties, "osProfile").get("allowExtensionOperations"),
    }


def _os_by_configuration(profile: Mapping[str, Any]) -> OperatingSystem | None:
    """Where the disk does not say, the one configuration that is there does."""
    there = [os for os in OperatingSystem if profile.get(os.configuration) is not None]
    return there[0] if len(there) == 1 else None


def image_reference(reference: Mapping[str, Any]) -> ImageReference:
    """The image a machine names: marketplace triple, or the id of a gallery, shared, community or managed image.

    Source: azure-mgmt-compute `ImageReference`.
    """
    return ImageReference(
        publisher=reference.get("publisher") or None,
        offer=reference.get("offer") or None,
        sku=reference.get("sku") or None,
        id=reference.get("id")
        or reference.get("sharedGalleryImageId")
        or reference.get("communityGalleryImageId")
        or None,
    )


def surroundings_of(instance_view: Mapping[str, Any]) -> Surroundings:
    """Power state and agent status of an instance view.

    Source: `statuses[].code` such as `PowerState/running`; `vmAgent.statuses[].displayStatus` such as `Ready`, and
    `ProvisioningState/Unavailable` with `Not Ready` where the agent is silent (recorded instance views).
    """
    agent = member(instance_view, "vmAgent").get("statuses") or ()
    return Surroundings(
        power_state=next(filter(None, map(_power_of, instance_view.get("statuses") or ())), None),
        agent_status=next((status.get("displayStatus") for status in agent), None),
    )


def _power_of(status: Mapping[str, Any]) -> str | None:
    return power_state(status.get("code"), None)


def power_state(code: object, display: object) -> str | None:
    """The part after `PowerState/`, in lower case, or the display text (`VM running`) without its first word."""
    if isinstance(code, str) and code.lower().startswith("powerstate/"):
        return code.split("/", 1)[1].lower()
    if isinstance(display, str) and display.lower().startswith("vm "):
        return display.split(" ", 1)[1].lower()
    return None


def subscription_from_document(document: Mapping[str, Any]) -> Subscription:
    """One entry of `GET /subscriptions`; `tenantId` is absent for some logins and then empty here.

    Source: azure-mgmt-resource `Subscription`.
    """
    subscription_id = document.get("subscriptionId") or str(document.get("id", "")).rsplit("/", 1)[-1]
    return Subscription(
        id=str(subscription_id).lower(),
        name=document.get("displayName") or "",
        tenant_id=document.get("tenantId") or "",
        state=document.get("state") or "Enabled",
    )


def lock_from_document(document: Mapping[str, Any]) -> Lock:
    """One management lock; its scope is the id up to the lock itself.

    Source: azure-mgmt-resource `ManagementLockObject`.
    """
    text = str(document.get("id", ""))
    at = text.lower().rfind("/providers/microsoft.authorization/locks/")
    return Lock(
        scope=text[:at] if at >= 0 else text,
        name=document.get("name") or text.rsplit("/", 1)[-1],
        level=member(document, "properties").get("level") or "",
    )


def operation_from_document(document: Mapping[str, Any], retry_after_s: float | None) -> OperationStatus:
    """One answer of an operation's URL.

    Args:
        document: `{"startTime", "status", "name"[, "endTime"][, "error"]}`; HTTP 200 also where the operation failed.
        retry_after_s: what the answer's headers asked for; None: nothing.

    Returns:
        Any status but the three ends counts as in progress, because services invent names for what still runs.

    Source: recorded operation polls; the ends are Resource Manager's, for all providers.
    """
    status = str(document.get("status") or "").casefold()
    ends = (OperationState.SUCCEEDED, OperationState.FAILED, OperationState.CANCELED)
    state = next((end for end in ends if end.value.casefold() == status), OperationState.IN_PROGRESS)
    error = member(document, "error")
    return OperationStatus(
        state=OperationState.CANCELED if status == "cancelled" else state,
        error_code=error.get("code"),
        error_message=error.get("message"),
        retry_after_s=retry_after_s,
    )
