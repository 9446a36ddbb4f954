"""Checks on what a machine is or belongs to: clients, appliances, AKS, Databricks, managed groups, scale sets, locks.

Must not: look at patch settings.

Source: "Unsupported workloads" of Microsoft's Update Manager documentation (Windows client: use Intune; AKS nodes: use
the cluster's own node upgrade); the portal's own query, to which a marketplace image that it does not list is
unsupported; public threads on deny assignments in managed resource groups.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from patchmode.model.finding import Reason, Severity
from patchmode.model.machine import Machine, MachineKind
from patchmode.model.patch_settings import WantedSettings
from patchmode.rules.eligibility.images import appliance_evidence
from patchmode.rules.eligibility.windows_edition import Edition, edition_of
from patchmode.rules.rule import BLOCKS, NOTES, WARNS, Rule
from patchmode.rules.settings.transitions import needs_platform

_AKS_TYPE = "/microsoft.containerservice/managedclusters/"
_DATABRICKS_TYPE = "/microsoft.databricks/workspaces/"
_AKS_TAG = "aks-managed-"
_DATABRICKS_TAG = ("vendor", "databricks")


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload that Update Manager does not reach, or somebody else's machine."""

    rule: Rule
    because: str
    """Half a sentence, without a full stop."""
    evidence: str

    def reason(self, severity: Severity) -> Reason:
        """The verdict on the machine."""
        message = self.because[0].upper() + self.because[1:] + "."
        return Reason(self.rule.id, severity, message, self.evidence, self.rule.fix)


def out_of_reach(machine: Machine) -> Workload | None:
    """The workload that Update Manager never patches, whatever the settings; None for any other machine."""
    return _client_system(machine) or _appliance(machine) or _aks(machine) or _databricks(machine)


def check_client(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """Blocks what only Update Manager could use; going back to the guest's own means is allowed."""
    found = _client_system(machine)
    if found is not None:
        yield found.reason(Severity.BLOCKS if needs_platform(wanted) else Severity.NOTES)


def _client_system(machine: Machine) -> Workload | None:
    told = edition_of(machine)
    if told.edition is not Edition.CLIENT:
        return None
    return Workload(CLIENT_OS, "Windows client systems are not supported by Azure Update Manager", told.evidence)


CLIENT_OS = Rule(
    "client-os",
    "Update Manager does not support Windows client systems",
    (*BLOCKS, *NOTES),
    """
    What: The machine runs a desktop edition of Windows.
    Severity: Blocks platform settings; notes otherwise, so that a machine can be changed back to a mode in which the
    guest updates itself.
    Why: Azure Update Manager does not support Windows client systems.
    Evidence: The first of these that says something: the running system (`instanceView.osName`, which Resource Graph
    has as `extended.instanceView.osName`; an Arc server's `osSku`; a build in `osVersion` that only one of the two
    has), `licenseType` `Windows_Client`, the publishers `MicrosoftWindowsDesktop` and `MicrosoftWindowsServer`, sku and
    offer of any other publisher (`win11`, `windows-10`, against `server`, `datacenter`, `ws2022`, `win-2019`),
    `licenseType` `Windows_Server`, Microsoft's own list of images for schedules. A year or a `win` in a name does not
    make it a client; a name with signs of both, or one that looks like a version (`windows-10-2-1`), decides nothing.
    Where nothing decides, see [`edition-not-known`](#edition-not-known).
    Fix: Manage its updates with Intune, or exclude it.
    Source: Azure's documentation "Unsupported workloads" of Update Manager; `osName`, publishers and skus of recorded
    machines; public queries for the paths in Resource Graph.
    """,
    check=check_client,
)


def check_appliance(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """Blocks what only Update Manager could use, as for clients."""
    found = _appliance(machine)
    if found is not None:
        yield found.reason(Severity.BLOCKS if needs_platform(wanted) else Severity.NOTES)


def _appliance(machine: Machine) -> Workload | None:
    """A firewall or another network appliance, or a system that is neither Windows nor a Linux distribution."""
    evidence = appliance_evidence(machine)
    if evidence is None:
        return None
    because = (
        "Azure Update Manager does not patch appliances and systems such as FreeBSD; prepared for a schedule, it is "
        "patched by nobody"
    )
    return Workload(APPLIANCE, because, evidence)


APPLIANCE = Rule(
    "appliance",
    "Update Manager does not patch the appliance or system that it runs",
    (*BLOCKS, *NOTES),
    """
    What: The machine runs a network appliance (a firewall, a router, a load balancer), or a system that is neither
    Windows nor a Linux distribution, such as FreeBSD.
    Severity: Blocks platform settings; notes otherwise.
    Why: Update Manager does not patch it: prepared for schedules, it would look as if it were patched, and no schedule
    would patch it. Only its vendor's own updates do.
    Evidence: Publisher and offer of the image, or of the marketplace `plan`, which stays with a machine whose disk was
    restored; `freebsd`, `openbsd` or `netbsd` in offer, sku or `instanceView.osName`. An image that Microsoft's list
    for schedules names never counts as an appliance. That no list names a marketplace image does not make it one
    either: see [`image-not-in-schedule-list`](#image-not-in-schedule-list).
    Fix: Update it as its vendor documents, and exclude it.
    Source: No list of Update Manager's support matrix or of the built-in policy names these offers, and the portal
    counts a marketplace image that is not on its list as unsupported; a refusal on an appliance image ("The selected VM
    image is not supported for VM Guest patch operations.") is reported publicly. The offers are those that public
    Terraform, Bicep and PowerShell templates deploy; the table is not complete.
    """,
    check=check_appliance,
)


def check_owner(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """A machine in a resource group that some service manages; one reason, of the most specific rule."""
    del wanted
    found = _aks(machine) or _databricks(machine) or _managed_group(machine)
    if found is not None:
        yield found.reason(Severity.BLOCKS)


def names_owner(tag: str) -> bool:
    """Whether a tag of this name may tell that a machine belongs to AKS or Databricks."""
    return tag.lower().startswith(_AKS_TAG) or tag.lower() == _DATABRICKS_TAG[0]


def _owner_of(machine: Machine, type_part: str) -> str | None:
    owners = {"managedBy of the resource group": machine.surroundings.group_managed_by, "managedBy": machine.managed_by}
    return next((f"{name} = {owner}" for name, owner in owners.items() if owner and type_part in owner.lower()), None)


def _aks(machine: Machine) -> Workload | None:
    tag = next((f"tag {key}" for key in machine.tags if key.lower().startswith(_AKS_TAG)), None)
    evidence = _owner_of(machine, _AKS_TYPE) or tag
    if evidence is None:
        return None
    because = "the node belongs to an AKS cluster, which Azure Update Manager does not patch"
    return Workload(AKS_MANAGED, because, evidence)


def _databricks(machine: Machine) -> Workload | None:
    tag = next(
        (
            f"tag {key} = {value}"
            for key, value in machine.tags.items()
            if (key.lower(), value.lower()) == _DATABRICKS_TAG
        ),
        None,
    )
    evidence = _owner_of(machine, _DATABRICKS_TYPE) or tag
    if evidence is None:
        return None
    because = "the machine belongs to a Databricks workspace, whose deny assignment refuses changes from outside"
    return Workload(DATABRICKS_MANAGED, because, evidence)


def _managed_group(machine: Machine) -> Workload | None:
    owner = machine.surroundings.group_managed_by
    if not owner:
        return None
    because = "its resource group is managed by another resource, which usually comes with a deny assignment"
    return Workload(MANAGED_GROUP, because, f"managedBy of the resource group = {owner}")


AKS_MANAGED = Rule(
    "aks-managed",
    "the machine is a node of an AKS cluster",
    BLOCKS,
    """
    What: The machine is a node of an AKS cluster.
    Severity: Blocks.
    Why: Update Manager does not patch AKS nodes; the cluster replaces them with newer images.
    Evidence: `managedBy` of the resource group or the machine names a `managedClusters` resource, or a tag begins with
    `aks-managed-`.
    Fix: Upgrade the cluster's node images instead, and exclude the node resource group.
    Source: Azure's documentation "Unsupported workloads" of Update Manager.
    """,
    check=check_owner,
)

DATABRICKS_MANAGED = Rule(
    "databricks-managed",
    "the machine belongs to a Databricks workspace",
    BLOCKS,
    """
    What: The machine belongs to a Databricks workspace.
    Severity: Blocks.
    Why: The managed resource group has a deny assignment: writes by others are refused with
    `DenyAssignmentAuthorizationFailed`.
    Evidence: `managedBy` of the resource group names a `Microsoft.Databricks/workspaces` resource, or the tag `Vendor`
    is `Databricks`.
    Fix: Leave it to Databricks: exclude the managed resource group.
    Source: MicrosoftDocs/azure-docs issue 51173; Azure/migAz issue 266.
    """,
)

MANAGED_GROUP = Rule(
    "managed-group",
    "another resource manages the resource group",
    BLOCKS,
    """
    What: Another resource manages the machine's resource group, a managed application for example.
    Severity: Blocks.
    Why: Such groups usually have a deny assignment, and what is in them belongs to the resource that manages them.
    Evidence: `managedBy` of the resource group.
    Fix: Change it through the resource that manages the group, or exclude the group.
    Source: Azure Resource Manager, `managedBy` of a resource group; Azure's documentation of managed applications.
    """,
)


def is_scale_set_member(machine: Machine) -> bool:
    """Whether the machine belongs to a Flexible scale set."""
    return machine.kind is MachineKind.VMSS_FLEX or machine.scale_set_id is not None


def check_scale_set(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """Blocks unless members are asked for."""
    if is_scale_set_member(machine):
        message = (
            "The machine belongs to a Flexible scale set, and whether schedules run on its members is not confirmed."
        )
        evidence = f"virtualMachineScaleSet.id = {machine.scale_set_id or '(not read)'}"
        if wanted.include_scale_set_members:
            yield SCALE_SET_MEMBER.warns(message, evidence, "Check after its next window whether its run succeeded.")
        else:
            yield SCALE_SET_MEMBER.blocks(message, evidence)


SCALE_SET_MEMBER = Rule(
    "scale-set-member",
    "the machine belongs to a Flexible scale set",
    (*BLOCKS, *WARNS),
    """
    What: The machine belongs to a Flexible scale set.
    Severity: Blocks; warns with `--include-scale-set-members`. To name a member with `--ids` is not enough.
    Why: Update Manager's documentation names scale sets as unsupported without distinction, while automatic guest
    patching supports Flexible ones. Whether a schedule runs on their members is unconfirmed.
    Evidence: `virtualMachineScaleSet.id`.
    Fix: Add `--include-scale-set-members` if you know that schedules run on yours.
    Source: Azure's documentation "Unsupported workloads" and "Automatic guest patching for Azure virtual machines".
    """,
    check=check_scale_set,
)


def check_locks(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """A CanNotDelete lock does not stop a PATCH."""
    del wanted
    for lock in machine.surroundings.locks:
        if lock.level.lower() == "readonly":
            yield READ_ONLY_LOCK.blocks(
                f"The ReadOnly lock {lock.name!r} refuses every write.", f"lock {lock.name} at {lock.scope}"
            )


READ_ONLY_LOCK = Rule(
    "read-only-lock",
    "a ReadOnly lock covers the machine",
    BLOCKS,
    """
    What: A management lock of level `ReadOnly` covers the machine.
    Severity: Blocks.
    Why: It refuses every write with `ScopeLocked`. A `CanNotDelete` lock does not stop a PATCH.
    Evidence: The lock's name and scope.
    Fix: Have the lock's owner remove it for the change, then plan again.
    Source: Azure's documentation of resource locks.
    """,
    check=check_locks,
)

RULES = (
    CLIENT_OS,
    APPLIANCE,
    AKS_MANAGED,
    DATABRICKS_MANAGED,
    MANAGED_GROUP,
    SCALE_SET_MEMBER,
    READ_ONLY_LOCK,
)
