"""Machines as observed: the facts that the rules use, the etag, and the whole document where the provider gave one.

Must not: judge. Whether a fact is good or bad news is the rules' business.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from patchmode.model.patch_extension import PatchExtension
from patchmode.model.patch_settings import Oddity, OperatingSystem, Orchestration, PatchSettings, orchestration_of
from patchmode.model.resource_id import ResourceId


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
