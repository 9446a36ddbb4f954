"""What a machine's document says, read in one place, from the provider's answer and from a Resource Graph row alike.

A row of `graph_rows.MACHINES` and a document differ only in where a member stands. `MachineFacts` holds the members as
they came, whatever their types; the graph fills it by its projection, `facts_in` by walking the same paths, and
`machine_of` alone says what they mean. So audit, which reads rows, and plan, which reads documents, cannot read one
machine in two ways.

Must not: judge anything, or change a document it was given: `Machine.document` is the very object that was decoded,
because plans compare it leaf by leaf and must see members that this version does not know.

A member of another type than Azure's never ends a command: it counts as not known and is named in `Machine.oddities`.
Member names count as Azure spells them; whether Azure would take another spelling is not known.

Source: azure-mgmt-compute `VirtualMachine`, azure-mgmt-hybridcompute `Machine`; recorded GETs and lists.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from patchmode.arm.wire import member, operating_system
from patchmode.model.machine import (
    ImageReference,
    Machine,
    MachineKind,
    PatchExtension,
    ReadFrom,
    Surroundings,
    power_state,
    surroundings_of,
    worse,
)
from patchmode.model.patch_settings import Oddity, OperatingSystem, PatchSettings
from patchmode.model.resource_id import ResourceId

_TYPES = {
    MachineKind.VM: "microsoft.compute/virtualmachines",
    MachineKind.VMSS_FLEX: "microsoft.compute/virtualmachines",
    MachineKind.ARC: "microsoft.hybridcompute/machines",
}
_NOTHING = Surroundings()


class MachineFacts(msgspec.Struct, gc=False, rename="camel"):
    """The members of one machine's document as they came. Everything may be null or of any type."""

    id: Any = None
    type: Any = None
    location: Any = None
    tags: Any = None
    managed_by: Any = None
    provisioning_state: Any = None
    vm_id: Any = None
    disk_os: Any = None
    arc_os: Any = None
    os_disk_create_option: Any = None
    image: Any = None
    plan: Any = None
    license_type: Any = None
    scale_set: Any = None
    os_profile: Any = None
    """Whether there is one; Resource Graph writes 1 and 0."""
    allow_extensions: Any = None
    windows_configuration: Any = None
    """Whether there is one."""
    windows: Any = None
    """`patchSettings`."""
    windows_agent: Any = None
    windows_updates: Any = None
    linux_configuration: Any = None
    """Whether there is one."""
    linux: Any = None
    """`patchSettings`."""
    linux_agent: Any = None
    power: Any = None
    """Of a row only: `properties.extended.instanceView.powerState`."""
    os_name: Any = None
    """Of a row only, as is the next: `properties.extended.instanceView.osName`."""
    os_version: Any = None
    extensions: Any = None
    """Of a document only: its `resources`. Resource Graph has rows of their own for them."""
    arc_status: Any = None
    arc_edition: Any = None


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
        ValueError: no id, or not the id of a machine of this kind (`ResourceIdError` is one).
    """
    etag = document.get("etag")
    view = member(document, "properties", "instanceView")
    return machine_of(
        facts_in(document, kind),
        read_from=read_from,
        surroundings=surroundings_of(view) if view and kind is not MachineKind.ARC else None,
        etag=etag if isinstance(etag, str) and etag else None,
        document=document,
    )


def facts_in(document: Mapping[str, Any], kind: MachineKind) -> MachineFacts:
    """The members of a document, from where `graph_rows.MACHINES` takes them.

    Args:
        document: any JSON object.
        kind: what was asked for; the document's own `type` is not looked at.
    """
    properties = member(document, "properties")
    storage = member(properties, "storageProfile")
    disk, profile = member(storage, "osDisk"), member(properties, "osProfile")
    windows, linux = (member(profile, system.configuration) for system in OperatingSystem)
    return MachineFacts(
        id=document.get("id"),
        type=_TYPES[kind],
        location=document.get("location"),
        tags=document.get("tags"),
        managed_by=document.get("managedBy"),
        provisioning_state=properties.get("provisioningState"),
        vm_id=properties.get("vmId"),
        disk_os=disk.get("osType"),
        arc_os=properties.get("osType"),
        os_disk_create_option=disk.get("createOption"),
        image=storage.get("imageReference"),
        plan=document.get("plan"),
        license_type=properties.get("licenseType"),
        scale_set=member(properties, "virtualMachineScaleSet").get("id"),
        os_profile=properties.get("osProfile") is not None,
        allow_extensions=profile.get("allowExtensionOperations"),
        windows_configuration=profile.get("windowsConfiguration") is not None,
        windows=windows.get("patchSettings"),
        windows_agent=windows.get("provisionVMAgent"),
        windows_updates=windows.get("enableAutomaticUpdates"),
        linux_configuration=profile.get("linuxConfiguration") is not None,
        linux=linux.get("patchSettings"),
        linux_agent=linux.get("provisionVMAgent"),
        extensions=document.get("resources"),
        arc_status=properties.get("status"),
        arc_edition=properties.get("osSku"),
    )


def machine_of(
    facts: MachineFacts,
    *,
    read_from: ReadFrom,
    surroundings: Surroundings | None = None,
    etag: str | None = None,
    document: Mapping[str, Any] | None = None,
) -> Machine:
    """What the members of a machine's document mean.

    Args:
        facts: as they came.
        read_from: who answered.
        surroundings: power, agent and more, where an instance view tells; None: what the facts tell.
        etag: with its quotes.
        document: the whole document, where there is one.

    Raises:
        ValueError: the id is not that of a machine of the facts' type: nothing of this can be said to be any machine's.
    """
    machine_id, is_arc = _identity(facts)
    take = _Taking()
    system = _system_of(facts, take, is_arc=is_arc)
    is_windows = system is OperatingSystem.WINDOWS
    scale_set = None if is_arc else take.owner("properties.virtualMachineScaleSet.id", facts.scale_set)
    configuration = f"properties.osProfile.{system.configuration}" if system else ""
    stated = (facts.windows if is_windows else facts.linux) if system else None
    agent = (facts.windows_agent if is_windows else facts.linux_agent) if system else None
    if stated is not None and not isinstance(stated, Mapping):
        take.odd(f"{configuration}.patchSettings", stated)
    return Machine(
        id=machine_id,
        kind=MachineKind.ARC if is_arc else MachineKind.VMSS_FLEX if scale_set else MachineKind.VM,
        location=take.text("location", facts.location) or "",
        os=system,
        settings=PatchSettings.from_document(stated),
        has_os_profile=bool(facts.os_profile),
        enable_automatic_updates=take.flag(f"{configuration}.enableAutomaticUpdates", facts.windows_updates)
        if is_windows
        else None,
        provision_vm_agent=take.flag(f"{configuration}.provisionVMAgent", agent),
        allow_extension_operations=take.flag("properties.osProfile.allowExtensionOperations", facts.allow_extensions),
        image=_image(facts.image, take),
        plan=_plan(facts.plan, take),
        os_disk_create_option=take.text("properties.storageProfile.osDisk.createOption", facts.os_disk_create_option),
        license_type=take.text("properties.licenseType", facts.license_type),
        os_edition=take.text("properties.osSku", facts.arc_edition) if is_arc else None,
        scale_set_id=scale_set,
        managed_by=take.owner("managedBy", facts.managed_by),
        provisioning_state=take.text("properties.provisioningState", facts.provisioning_state),
        vm_id=take.text("properties.vmId", facts.vm_id, shared=False),
        tags=_tags(facts.tags, take),
        etag=etag,
        surroundings=_with_extension(surroundings or _surroundings(facts, take, is_arc=is_arc), facts, is_arc=is_arc),
        read_from=read_from,
        oddities=take.oddities,
        document=document,
    )


class _Taking:
    """Takes members of the type that Azure gives them, and remembers what was found instead of it."""

    __slots__ = ("oddities",)

    def __init__(self) -> None:
        self.oddities: tuple[Oddity, ...] = ()

    def odd(self, path: str, value: object) -> None:
        self.oddities = (*self.oddities, Oddity.of(path, value))

    def text(self, path: str, value: object, *, shared: bool = True) -> str | None:
        """A text, one copy for the thousands of machines that share it; None: none, an empty one, or another type."""
        if isinstance(value, str):
            return (sys.intern(value) if shared else value) or None
        if value is not None:
            self.odd(path, value)
        return None

    def flag(self, path: str, value: object) -> bool | None:
        """JSON's own true or false; None: neither."""
        if value is None or isinstance(value, bool):
            return value
        self.odd(path, value)
        return None

    def owner(self, path: str, value: object) -> str | None:
        """The id of what the machine belongs to. SAFETY: one that cannot be read counts as an owner too."""
        if isinstance(value, str):
            return value or None
        if value is not None:
            self.odd(path, value)
        return json.dumps(value) if value else None


def _identity(facts: MachineFacts) -> tuple[ResourceId, bool]:
    """The machine's id, and whether it is an Arc server."""
    if not facts.id or not isinstance(facts.id, str):
        msg = "the document has no id, so it is not a resource of Resource Manager"
        raise ValueError(msg)
    machine_id = ResourceId.parse(facts.id)
    kind = facts.type.casefold() if isinstance(facts.type, str) else machine_id.full_type
    if kind != machine_id.full_type or kind not in _TYPES.values():
        msg = f"{facts.id!r} is not the id of a machine ({kind} was expected)"
        raise ValueError(msg)
    return machine_id, kind == _TYPES[MachineKind.ARC]


def _system_of(facts: MachineFacts, take: _Taking, *, is_arc: bool) -> OperatingSystem | None:
    """What the disk says (Arc: the server); where it does not, the one configuration that is there does.

    Older Arc agents tell the system only in `osName`, which is too free a text to read.
    """
    stated = facts.arc_os if is_arc else facts.disk_os
    system = operating_system(stated)
    if system is not None:
        return system
    if stated is not None:
        take.odd("properties.osType" if is_arc else "properties.storageProfile.osDisk.osType", stated)
    if bool(facts.windows_configuration) == bool(facts.linux_configuration):
        return None
    return OperatingSystem.WINDOWS if facts.windows_configuration else OperatingSystem.LINUX


def _image(reference: object, take: _Taking) -> ImageReference:
    """The image a machine names: marketplace triple, or the id of a gallery, shared, community or managed image.

    Source: azure-mgmt-compute `ImageReference`.
    """
    path = "properties.storageProfile.imageReference"
    if not isinstance(reference, Mapping):
        if reference is not None:
            take.odd(path, reference)
        return ImageReference()
    ids = (
        take.text(f"{path}.{name}", reference.get(name))
        for name in ("id", "sharedGalleryImageId", "communityGalleryImageId")
    )
    return ImageReference(
        publisher=take.text(f"{path}.publisher", reference.get("publisher")),
        offer=take.text(f"{path}.offer", reference.get("offer")),
        sku=take.text(f"{path}.sku", reference.get("sku")),
        id=next(filter(None, ids), None),
    )


def _plan(plan: object, take: _Taking) -> ImageReference | None:
    """The marketplace plan as the image that it names; None: the machine has none.

    Source: azure-mgmt-compute `Plan`, whose product is the offer and whose name is the sku of the image (recorded).
    """
    if not isinstance(plan, Mapping):
        if plan is not None:
            take.odd("plan", plan)
        return None
    names = (take.text(f"plan.{name}", plan.get(name)) for name in ("publisher", "product", "name"))
    publisher, product, name = names
    return ImageReference(publisher, product, name) if publisher or product else None


def _tags(tags: object, take: _Taking) -> Mapping[str, str]:
    """Names and values; a null value is an empty one, and one of another type its JSON."""
    if not isinstance(tags, Mapping):
        if tags is not None:
            take.odd("tags", tags)
        return {}
    if all(isinstance(value, str) for value in tags.values()):
        return tags
    for name, value in tags.items():
        if value is not None and not isinstance(value, str):
            take.odd(f"tags.{name}", value)
    return {
        name: value if isinstance(value, str) else "" if value is None else json.dumps(value)
        for name, value in tags.items()
    }


def _surroundings(facts: MachineFacts, take: _Taking, *, is_arc: bool) -> Surroundings:
    if is_arc:
        status = take.text("properties.status", facts.arc_status)
        return Surroundings(arc_status=status) if status else _NOTHING
    name, version = _shared_text(facts.os_name), _shared_text(facts.os_version)
    if facts.power is not None and not isinstance(facts.power, Mapping):
        take.odd("properties.extended.instanceView.powerState", facts.power)
    power = facts.power if isinstance(facts.power, Mapping) else {}
    state = _shared_text(power_state(power.get("code"), power.get("displayStatus")))
    told = any((state, name, version))
    return Surroundings(power_state=state, os_name=name, os_version=version) if told else _NOTHING


def _shared_text(value: object) -> str | None:
    """A text of the runtime side, one copy for all; anything else is not known there, and no oddity of the model."""
    return sys.intern(value) if isinstance(value, str) and value else None


def _with_extension(around: Surroundings, facts: MachineFacts, *, is_arc: bool) -> Surroundings:
    """With the state of the patch extension that a GET shows among the machine's children."""
    extension = None if is_arc else PatchExtension.of_resources(facts.extensions)
    if extension is None:
        return around
    return replace(around, patch_extension=worse(extension, around.patch_extension))
