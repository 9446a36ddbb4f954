"""Machines as observed: what one source told of each, its instance view and its patch extension.

Must not: judge. Documents and views stay as the service answered them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from patchmode.model.patch_settings import Oddity, OperatingSystem, Orchestration, PatchSettings, orchestration_of
from patchmode.model.resource_id import ResourceId

_TYPES = frozenset(
    {
        "microsoft.cplat.core.windowspatchextension",
        "microsoft.cplat.core.linuxpatchextension",
    }
)
_ARC_TYPES = frozenset(
    {
        "microsoft.softwareupdatemanagement.windowsosupdateextension",
        "microsoft.softwareupdatemanagement.linuxosupdateextension",
    }
)
_FAILED = frozenset({"failed", "canceled"})
_LONGEST_MESSAGE = 600
"""Characters; some extensions answer with a whole log."""


@dataclass(frozen=True, slots=True)
class PatchExtension:
    """One patch extension in the state that was last told."""

    name: str
    """Of the resource, by which it is deleted."""
    state: str
    """`provisioningState`, or what an instance view makes of it: `Succeeded`, `Failed`, `Updating`, …"""
    message: str | None = None
    """What the extension itself says of its state; None: the source does not tell."""

    @property
    def has_failed(self) -> bool:
        """Whether it ended without success; one that is still being installed has not."""
        return self.state.casefold() in _FAILED

    @classmethod
    def of_resource(cls, resource: Mapping[str, Any], *, is_arc: bool) -> "PatchExtension | None":
        """The extension that a document or a row of Resource Graph describes; None: it is another one.

        Args:
            resource: `name` and `properties` with `publisher`, `type`, `provisioningState` and perhaps `instanceView`.
            is_arc: whether it stands on an Arc server, where another extension carries out schedules.
        """
        properties = _object(resource.get("properties"))
        kind = f"{_text(properties.get('publisher'))}.{_text(properties.get('type'))}"
        if kind.casefold() not in (_ARC_TYPES if is_arc else _TYPES):
            return None
        view = _object(properties.get("instanceView"))
        statuses = [*_list(view.get("statuses")), view.get("status")]
        state, message = _read(statuses)
        told = _text(properties.get("provisioningState")) or state
        name = _text(resource.get("name")) or _text(properties.get("type"))
        return _worst(cls(name, told, message), cls(name, state, message))

    @classmethod
    def of_resources(cls, resources: object, *, is_arc: bool = False) -> "PatchExtension | None":
        """The patch extension among the children of a machine's document; None: none is shown.

        Lists show nothing but the ids of extensions, so that nothing is known from them.
        """
        found = (cls.of_resource(_object(child), is_arc=is_arc) for child in _list(resources))
        return next((extension for extension in found if extension is not None and extension.state), None)

    @classmethod
    def of_view(cls, view: Mapping[str, Any]) -> "PatchExtension | None":
        """The patch extension of a virtual machine's instance view; None: it shows none."""
        for entry in map(_object, _list(view.get("extensions"))):
            if _text(entry.get("type")).casefold() in _TYPES:
                state, message = _read(_list(entry.get("statuses")))
                return cls(_text(entry.get("name")) or _text(entry["type"]).rpartition(".")[2], state, message)
        return None

    def with_message_of(self, other: "PatchExtension | None") -> "PatchExtension":
        """The same; where no message is known, with the one that another source tells of the same state."""
        if self.message is not None or other is None or self.has_failed != other.has_failed:
            return self
        return replace(self, message=other.message)


def worse(one: PatchExtension | None, other: PatchExtension | None) -> PatchExtension | None:
    """Of two sources of one moment the one that tells of a failure, with what the other adds to it."""
    if one is None or other is None:
        return one or other
    return _worst(one.with_message_of(other), other.with_message_of(one))


def _worst(one: PatchExtension, other: PatchExtension) -> PatchExtension:
    return other if other.has_failed and not one.has_failed else one


def _read(statuses: Iterable[object]) -> tuple[str, str | None]:
    """State and message of an instance view's statuses: the first error, or the first that there is."""
    entries = [entry for entry in map(_object, statuses) if entry]
    broken = next((entry for entry in entries if _is_error(entry)), None)
    entry = broken or (entries[0] if entries else {})
    code = _text(entry.get("code"))
    state = "Failed" if broken else code.partition("/")[2].partition("/")[0].capitalize()
    return state, _message(entry)


def _is_error(status: Mapping[str, Any]) -> bool:
    failed = _text(status.get("code")).casefold().startswith("provisioningstate/failed")
    return failed or _text(status.get("level")).casefold() == "error"


def _message(status: Mapping[str, Any]) -> str | None:
    words = " ".join(_text(status.get("message")).split())
    if len(words) > _LONGEST_MESSAGE:
        words = words[:_LONGEST_MESSAGE].rstrip() + " …"
    return words or None


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


class MachineKind(StrEnum):
    """What sort of machine it is; the values stand in our JSON as `kind`."""

    VM = "vm"
    VMSS_FLEX = "vmss-flex"
    """A virtual machine that belongs to a Flexible scale set."""
    ARC = "arc"
    """A server outside Azure, Microsoft.HybridCompute/machines."""


class ReadFrom(StrEnum):
    """Who answered: what is counted as verified must have been answered by the provider."""

    PROVIDER = "provider"
    GRAPH = "graph"


@dataclass(frozen=True, slots=True)
class ImageReference:
    """The image a machine was made from. All None: none named (an attached, specialised disk)."""

    publisher: str | None = None
    offer: str | None = None
    sku: str | None = None
    id: str | None = None
    """A gallery or managed image."""

    @property
    def is_marketplace(self) -> bool:
        """Publisher, offer and sku are all named."""
        return bool(self.publisher and self.offer and self.sku)


@dataclass(frozen=True, slots=True)
class Lock:
    """A management lock that covers the machine. Source: only `ReadOnly` blocks a write; `CanNotDelete` does not."""

    scope: str
    name: str
    level: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What bears on a machine but does not stand in its document. None and empty mean "not known" only where said."""

    power_state: str | None = None
    """`running`, `stopped`, `deallocated`, … (the part after `PowerState/`); None: not known."""
    agent_status: str | None = None
    """`displayStatus` of the VM agent, for example `Ready`, `Not Ready`; None: not known (lists do not carry it)."""
    detected_support: str | None = None
    """`vmGuestPatchReadiness.detectedVMGuestPatchSupportState` of the last assessment; None: not known."""
    locks: tuple[Lock, ...] = ()
    group_managed_by: str | None = None
    """`managedBy` of the resource group: an AKS cluster, a Databricks workspace, a managed application."""
    arc_status: str | None = None
    """`properties.status` of an Arc server: `Connected`, `Disconnected`, `Expired`, …; None: not known, or no Arc."""
    os_name: str | None = None
    """`instanceView.osName`, what the guest says it runs: `Windows 10 Enterprise N`, `ubuntu`; None: not known. It is
    there only while the agent reports; Resource Graph has it as `extended.instanceView.osName`."""
    os_version: str | None = None
    """`instanceView.osVersion`, such as `10.0.19044.2486`; None: not known."""
    patch_extension: PatchExtension | None = None
    """The extension through which schedules patch the machine; None: not known, which is no news of a failure."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine in scope, as one source described it at one moment."""

    id: ResourceId
    kind: MachineKind
    location: str
    os: OperatingSystem | None
    """None: neither the disk nor the machine says."""
    settings: PatchSettings | None
    """None: no `patchSettings` object in the model."""
    has_os_profile: bool
    enable_automatic_updates: bool | None = None
    """Windows; can only be set at creation, so it is read and never sent."""
    provision_vm_agent: bool | None = None
    allow_extension_operations: bool | None = None
    image: ImageReference = field(default_factory=ImageReference)
    plan: ImageReference | None = None
    """The marketplace plan that the machine was bought with, as the image that it names: publisher, product as offer,
    name as sku. It stays on machines that no image is named of. Source: azure-mgmt-compute, `Plan` (product is "the
    same value as Offer under the imageReference element")."""
    os_disk_create_option: str | None = None
    license_type: str | None = None
    """`properties.licenseType`; `Windows_Client` tells a client system whatever the image is called."""
    os_edition: str | None = None
    """`properties.osSku` of an Arc server, such as `Windows Server 2019 Datacenter`; None: not known, or no Arc."""
    scale_set_id: str | None = None
    managed_by: str | None = None
    provisioning_state: str | None = None
    vm_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    etag: str | None = None
    """With its quotes, as `If-Match` takes it; None where the service gave none."""
    surroundings: Surroundings = field(default_factory=Surroundings)
    read_from: ReadFrom = ReadFrom.GRAPH
    oddities: tuple[Oddity, ...] = ()
    """Members outside the patch settings that are not as Azure writes them, and how each was taken is in their rule:
    a text of another type counts as not known, an owner of another type as an owner. See `PatchSettings.odd`."""
    document: Mapping[str, Any] | None = None
    """The provider's whole answer, never changed after reading; None when Resource Graph described the machine."""

    @property
    def name(self) -> str:
        """The machine's name, the last segment of its id."""
        return self.id.name

    @property
    def orchestration(self) -> Orchestration:
        """The portal's name for the machine's settings."""
        if self.kind is MachineKind.ARC:
            return Orchestration.NOT_APPLICABLE
        return orchestration_of(self.settings)

    @property
    def may_be_azure_managed(self) -> bool:
        """Whether Azure may patch and reboot the machine by itself without a schedule.

        Its mode says so, or mode and bypass are written in a way that nobody can be sure of.
        """
        if self.kind is MachineKind.ARC:
            return False
        return self.orchestration is Orchestration.AZURE_MANAGED or bool(self.settings and self.settings.undecided)


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription as the signed-in principal sees it."""

    id: str
    name: str
    tenant_id: str
    state: str = "Enabled"


def surroundings_of(instance_view: Mapping[str, Any]) -> Surroundings:
    """Power, agent, running system and patch extension of an instance view.

    What is of another type than Azure's tells nothing.

    Source: `statuses[].code` such as `PowerState/running`; `vmAgent.statuses[].displayStatus` such as `Ready`, and
    `ProvisioningState/Unavailable` with `Not Ready` where the agent is silent (recorded instance views).
    """
    powers = (power_state(status.get("code"), None) for status in _statuses(instance_view))
    said = (status.get("displayStatus") for status in _statuses(instance_view.get("vmAgent")))
    return Surroundings(
        power_state=next(filter(None, powers), None),
        agent_status=next((text for text in said if isinstance(text, str) and text), None),
        os_name=_text_or_none(instance_view.get("osName")),
        os_version=_text_or_none(instance_view.get("osVersion")),
        patch_extension=PatchExtension.of_view(instance_view),
    )


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _statuses(holder: object) -> Iterable[Mapping[str, Any]]:
    found = holder.get("statuses") if isinstance(holder, Mapping) else None
    entries = found if isinstance(found, Sequence) and not isinstance(found, str) else ()
    return (entry for entry in entries if isinstance(entry, Mapping))


def power_state(code: object, display: object) -> str | None:
    """The part after `PowerState/`, in lower case, or the display text (`VM running`) without its first word."""
    if isinstance(code, str) and code.lower().startswith("powerstate/"):
        return code.split("/", 1)[1].lower()
    if isinstance(display, str) and display.lower().startswith("vm "):
        return display.split(" ", 1)[1].lower()
    return None
