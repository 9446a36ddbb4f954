"""What must stand in a machine's document after a change, and where an observed document differs from it.

Only leaves that the service writes by itself are left out, and each is named here with its reason. Everything else of
the document, siblings of the patch settings included, must be what it was.

Must not: read anything, nor decide what a difference means for a run.

Values compare as JSON: `1` and `1.0` are one number, and neither is `true`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from patchmode.model.machine import MachineKind
from patchmode.model.outcome import Difference
from patchmode.model.patch_settings import OperatingSystem, same_value
from patchmode.model.plan import Change
from patchmode.rules.comparison import ABSENT, Leaf, Path, dotted, leaf_differences, same_json, shown
from patchmode.rules.settings_patch import merged

_VOLATILE_TOP = frozenset({"etag", "resources"})
"""`etag` counts writes. `resources` are the extension children: policies and the platform add and refresh them at any
time (the platform pushes its own patch extension on the first operation), each with a provisioning state of its own."""
_VOLATILE_VM = frozenset({"provisioningState", "instanceView"})
"""The state of the last operation, and what the guest and the fabric report."""
_VOLATILE_ARC = _VOLATILE_VM | frozenset(
    {
        "status",
        "lastStatusChange",
        "errorDetails",
        "agentVersion",
        "agentConfiguration",
        "agentUpgrade",
        "serviceStatuses",
        "detectedProperties",
        "networkProfile",
        "hardwareProfile",
        "storageProfile",
        "firmwareProfile",
        "osVersion",
        "osSku",
        "osEdition",
    }
)
"""What the Connected Machine agent reports with each heartbeat (HybridCompute: read-only members of a machine)."""
_VOLATILE_SYSTEM = frozenset({"lastModifiedAt", "lastModifiedBy", "lastModifiedByType"})
"""Our own write changes them. `timeCreated` and `createdAt` stay in: they tell a machine made anew."""

_CONFIGURATIONS = tuple(system.configuration for system in OperatingSystem)
_PARENTS = frozenset(
    {"properties", "properties.osProfile", *(f"properties.osProfile.{name}" for name in _CONFIGURATIONS)}
)
_FILLED_IN_PROFILE: Mapping[str, tuple[Any, ...]] = {
    "secrets": ([],),
    "allowExtensionOperations": (True,),
    "requireGuestProvisionSignal": (True,),
}
_FILLED_IN_CONFIGURATION: Mapping[str, tuple[Any, ...]] = {
    "provisionVMAgent": (True,),
    "enableAutomaticUpdates": (True,),
    "enableVMAgentPlatformUpdates": (True, False),
    "disablePasswordAuthentication": (False,),
}
_FILLED_IN_SETTINGS: Mapping[str, tuple[Any, ...]] = {
    "assessmentMode": ("ImageDefault",),
    "patchMode": ("AutomaticByOS", "Manual", "ImageDefault"),
}
"""Defaults that the service may state where their parent object was absent before, with the values recorded as
defaults. Source: recorded exchanges (`secrets`, `allowExtensionOperations`, `requireGuestProvisionSignal` and
`enableVMAgentPlatformUpdates` are filled in by the service), one public report of a machine whose osProfile afterwards
held only linuxConfiguration and secrets, and azure-mgmt-compute's documented defaults. Any other value, and any other
member, is a difference: AutomaticByPlatform is never a default."""


def expected_document(change: Change) -> dict[str, Any]:
    """The machine's document as it must be after the change: the one planned from, with the body merged in.

    Shares what the change does not touch with `change.document`; nothing may be changed in it.
    """
    return merged(change.document, change.body)


def differences(change: Change, observed: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Where a machine is not as the change must have left it: empty means verified.

    Args:
        change: with the document it was planned from.
        observed: the provider's document now.
    """
    return tuple(
        difference_of(leaf)
        for leaf in _compared(change, expected_document(change), observed)
        if not _tolerated(change, leaf) and not _filled_in(change.document, leaf)
    )


def changed_leaves(change: Change, observed: Mapping[str, Any]) -> Iterator[Leaf]:
    """Every leaf in which a machine is not as it was when the change was planned.

    Args:
        change: `document` is what it was planned from.
        observed: the provider's document now.
    """
    return _compared(change, change.document, observed)


def touches_settings(difference: Difference) -> bool:
    """Whether a difference is one of the patch settings: among them, or at a parent that is no object."""
    return ".patchSettings" in difference.path or difference.path in _PARENTS


def _compared(change: Change, expected: Mapping[str, Any], observed: Mapping[str, Any]) -> Iterator[Leaf]:
    left, right = _steady(expected, change.kind), _steady(observed, change.kind)
    if same_json(left, right):
        return
    for leaf in leaf_differences(left, right):
        if not _same_setting(leaf) and not _arc_status(change.kind, leaf.path):
            yield leaf


def _steady(document: Mapping[str, Any], kind: MachineKind) -> dict[str, Any]:
    """The document without what the service writes by itself; only the levels that lose a member are copied."""
    volatile = _VOLATILE_ARC if kind is MachineKind.ARC else _VOLATILE_VM
    steady = {key: value for key, value in document.items() if key not in _VOLATILE_TOP}
    for parent, dropped in (("properties", volatile), ("systemData", _VOLATILE_SYSTEM)):
        members = steady.get(parent)
        if isinstance(members, Mapping):
            steady[parent] = {key: value for key, value in members.items() if key not in dropped}
    return steady


def _same_setting(leaf: Leaf) -> bool:
    """Patch settings are enumerations, which Azure compares without regard to case."""
    return (
        "patchSettings" in leaf.path
        and isinstance(leaf.expected, str)
        and isinstance(leaf.found, str)
        and same_value(leaf.expected, leaf.found)
    )


def _arc_status(kind: MachineKind, path: Path) -> bool:
    """Arc answers how the setting fared beside it: `patchSettings.status` (HybridCompute swagger, read-only)."""
    return kind is MachineKind.ARC and path[3:5] == ("patchSettings", "status")


def _tolerated(change: Change, leaf: Leaf) -> bool:
    """A leaf that the plan names as one that may go, and that is gone."""
    if leaf.found is not ABSENT or leaf.path[:4] != _settings_path(change.os):
        return False
    below = dotted(leaf.path[4:])
    return any(below == path or below.startswith(f"{path}.") for path in change.tolerated)


def _settings_path(system: OperatingSystem) -> Path:
    return ("properties", "osProfile", system.configuration, "patchSettings")


def _filled_in(document: Mapping[str, Any], leaf: Leaf) -> bool:
    if leaf.expected is not ABSENT or not _absent_in(document, leaf.path[:-1]):
        return False
    return any(leaf.found == value and type(leaf.found) is type(value) for value in _defaults_for(leaf.path))


def _absent_in(document: Mapping[str, Any], path: Path) -> bool:
    found: Any = document
    for step in path:
        found = found.get(step) if isinstance(found, Mapping) else None
    return found is None


def _defaults_for(path: Path) -> tuple[Any, ...]:
    name = str(path[-1])
    match path[:-1]:
        case ("properties", "osProfile"):
            return _FILLED_IN_PROFILE.get(name, ())
        case ("properties", "osProfile", configuration) if configuration in _CONFIGURATIONS:
            return _FILLED_IN_CONFIGURATION.get(name, ())
        case ("properties", "osProfile", configuration, "patchSettings") if configuration in _CONFIGURATIONS:
            return _FILLED_IN_SETTINGS.get(name, ())
    return ()


def difference_of(leaf: Leaf) -> Difference:
    """A leaf that differs, as it is told: its path dotted, its values as JSON texts."""
    return Difference(path=dotted(leaf.path), expected=shown(leaf.expected), found=shown(leaf.found))
