"""What a machine is or belongs to: client systems, appliances, AKS, Databricks and others' resource groups, scale sets.

Must not: look at patch settings.

Source: "Unsupported workloads" of Microsoft's Update Manager documentation (Windows client: use Intune; AKS nodes: use
the cluster's own node upgrade); the portal's own query, to which a marketplace image that it does not list is
unsupported; public threads on deny assignments in managed resource groups.
"""

from dataclasses import dataclass

from patchmode.model.machine import Machine, MachineKind
from patchmode.rules.eligibility.images import appliance_evidence
from patchmode.rules.eligibility.windows_edition import Edition, edition_of

_AKS_TYPE = "/microsoft.containerservice/managedclusters/"
_DATABRICKS_TYPE = "/microsoft.databricks/workspaces/"
_AKS_TAG = "aks-managed-"
_DATABRICKS_TAG = ("vendor", "databricks")


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload that Update Manager does not reach, or somebody else's machine."""

    rule: str
    because: str
    evidence: str
    fix: str


def out_of_reach(machine: Machine) -> Workload | None:
    """The workload that Update Manager never patches, whatever the settings; None for any other machine."""
    return client_system(machine) or appliance(machine) or _aks(machine) or _databricks(machine)


def client_system(machine: Machine) -> Workload | None:
    """A desktop edition of Windows, as `windows_edition` tells it."""
    told = edition_of(machine)
    if told.edition is not Edition.CLIENT:
        return None
    return Workload(
        "client-os",
        "Windows client systems are not supported by Azure Update Manager",
        told.evidence,
        "Manage its updates with Intune, or exclude it.",
    )


def appliance(machine: Machine) -> Workload | None:
    """A firewall or another network appliance, or a system that is neither Windows nor a Linux distribution."""
    evidence = appliance_evidence(machine)
    if evidence is None:
        return None
    return Workload(
        "appliance",
        "Azure Update Manager does not patch appliances and systems such as FreeBSD; prepared for a schedule, it is "
        "patched by nobody",
        evidence,
        "Update it as its vendor documents, and exclude it.",
    )


def managed_by_others(machine: Machine) -> Workload | None:
    """A machine in a resource group that some service manages: AKS, Databricks, a managed application."""
    return _aks(machine) or _databricks(machine) or _managed_group(machine)


def names_owner(tag: str) -> bool:
    """Whether a tag of this name may tell that a machine belongs to AKS or Databricks."""
    return tag.lower().startswith(_AKS_TAG) or tag.lower() == _DATABRICKS_TAG[0]


def is_scale_set_member(machine: Machine) -> bool:
    """Whether the machine belongs to a Flexible scale set."""
    return machine.kind is MachineKind.VMSS_FLEX or machine.scale_set_id is not None


def _owner_of(machine: Machine, type_part: str) -> str | None:
    owners = {"managedBy of the resource group": machine.surroundings.group_managed_by, "managedBy": machine.managed_by}
    return next((f"{name} = {owner}" for name, owner in owners.items() if owner and type_part in owner.lower()), None)


def _aks(machine: Machine) -> Workload | None:
    tag = next((f"tag {key}" for key in machine.tags if key.lower().startswith(_AKS_TAG)), None)
    evidence = _owner_of(machine, _AKS_TYPE) or tag
    if evidence is None:
        return None
    return Workload(
        "aks-managed",
        "the node belongs to an AKS cluster, which Azure Update Manager does not patch",
        evidence,
        "Upgrade the cluster's node images instead, and exclude the node resource group.",
    )


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
    return Workload(
        "databricks-managed",
        "the machine belongs to a Databricks workspace, whose deny assignment refuses changes from outside",
        evidence,
        "Leave it to Databricks: exclude the managed resource group.",
    )


def _managed_group(machine: Machine) -> Workload | None:
    owner = machine.surroundings.group_managed_by
    if not owner:
        return None
    return Workload(
        "managed-group",
        "its resource group is managed by another resource, which usually comes with a deny assignment",
        f"managedBy of the resource group = {owner}",
        "Change it through the resource that manages the group, or exclude the group.",
    )
