"""The built-in roles a patching fleet meets, with their real ids; only what decides about emulated actions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Permission:
    """One entry of a role definition's ``permissions``."""

    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "Permission":
        """From the wire form."""
        return cls(tuple(entry.get("actions", ())), tuple(entry.get("notActions", ())))

    def as_json(self) -> dict[str, Any]:
        """The wire form, as ``Microsoft.Authorization/permissions`` answers it."""
        return {
            "actions": list(self.actions),
            "notActions": list(self.not_actions),
            "dataActions": [],
            "notDataActions": [],
        }


@dataclass(frozen=True, slots=True)
class Role:
    """A role definition."""

    name: str
    permissions: tuple[Permission, ...]


_CONTRIBUTOR = Permission(
    ("*",),
    (
        "Microsoft.Authorization/*/Delete",
        "Microsoft.Authorization/*/Write",
        "Microsoft.Authorization/elevateAccess/Action",
        "Microsoft.Blueprint/blueprintAssignments/write",
        "Microsoft.Blueprint/blueprintAssignments/delete",
        "Microsoft.Compute/galleries/share/action",
    ),
)
_VM_CONTRIBUTOR = Permission(
    (
        "Microsoft.Authorization/*/read",
        "Microsoft.Compute/availabilitySets/*",
        "Microsoft.Compute/locations/*",
        "Microsoft.Compute/virtualMachines/*",
        "Microsoft.Compute/virtualMachineScaleSets/*",
        "Microsoft.Compute/disks/write",
        "Microsoft.Compute/disks/read",
        "Microsoft.Compute/disks/delete",
        "Microsoft.Network/networkInterfaces/*",
        "Microsoft.Resources/deployments/*",
        "Microsoft.Resources/subscriptions/resourceGroups/read",
    )
)
_SCOPED = "/maintenanceScope/InGuestPatch"
_SCHEDULED_PATCHING = Permission(
    tuple(
        f"Microsoft.Maintenance/{type_}{scope}/{verb}"
        for type_ in ("maintenanceConfigurations", "configurationAssignments")
        for scope in ("", _SCOPED)
        for verb in ("read", "write", "delete")
    )
)

BUILT_IN_ROLES: Mapping[str, Role] = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": Role("Owner", (Permission(("*",)),)),
    "b24988ac-6180-42a0-ab88-20f7382dd24c": Role("Contributor", (_CONTRIBUTOR,)),
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": Role("Reader", (Permission(("*/read",)),)),
    "9980e02c-c2be-4d73-94e8-173b1dc7cf3c": Role("Virtual Machine Contributor", (_VM_CONTRIBUTOR,)),
    "cd08ab90-6b14-449c-ad9a-8f8e549482c6": Role("Scheduled Patching Contributor", (_SCHEDULED_PATCHING,)),
}
"""By role definition id. The ids are the public ones of Microsoft's built-in roles."""
