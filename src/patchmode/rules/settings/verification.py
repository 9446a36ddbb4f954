"""What must be present in a document after a change, where an observed one differs, and what was changed later."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import Enum
from itertools import zip_longest
from typing import Any, Final, NamedTuple

from patchmode.model.drift import ResourceChange
from patchmode.model.machine import MachineKind
from patchmode.model.patch_settings import OperatingSystem, same_value
from patchmode.model.plan import Change
from patchmode.model.run import ABSENT_TEXT, Difference, LaterChange, Verification
from patchmode.rules.settings.patch import merged

Path = tuple[str | int, ...]


class _Absent(Enum):
    """The value of a leaf that is not there; null is a value."""

    ABSENT = ABSENT_TEXT


ABSENT: Final = _Absent.ABSENT


class Leaf(NamedTuple):
    """One leaf where two documents differ; an empty object or array counts as a leaf."""

    path: Path
    expected: Any
    found: Any


def leaf_differences(expected: Any, found: Any, path: Path = ()) -> Iterator[Leaf]:
    """Every leaf that differs, in the order of the expected document, then of the found one.

    Args:
        expected: a JSON value, or ABSENT.
        found: likewise.
        path: where the two stand.
    """
    if expected is not ABSENT and found is not ABSENT and same_json(expected, found):
        return
    if _both(Mapping, expected, found):
        yield from _members(expected, found, path)
    elif _both(list, expected, found):
        for index, (left, right) in enumerate(zip_longest(_or_empty(expected), _or_empty(found), fillvalue=ABSENT)):
            yield from leaf_differences(left, right, (*path, index))
    elif not _same_id(expected, found):
        yield Leaf(path, expected, found)


def same_json(left: Any, right: Any) -> bool:
    """Whether two JSON values are the same: as in Python, but `true` is not `1`."""
    return bool(left == right) and not _mixes(left, right)


def _mixes(left: Any, right: Any) -> bool:
    """Whether two values that are equal in Python hold a boolean where the other holds a number."""
    if isinstance(left, Mapping):
        return any(_mixes(value, right[key]) for key, value in left.items())
    if isinstance(left, list):
        return any(map(_mixes, left, right))
    return isinstance(left, bool) is not isinstance(right, bool)


def _both(kind: type, expected: Any, found: Any) -> bool:
    """Whether to descend: both are containers, or one is a filled container and the other is absent."""
    sides = [side for side in (expected, found) if side is not ABSENT]
    if not all(isinstance(side, kind) for side in sides):
        return False
    return len(sides) == 2 or any(len(side) for side in sides)


def _or_empty(value: Any) -> Sequence[Any]:
    return () if value is ABSENT else value


def _members(expected: Any, found: Any, path: Path) -> Iterator[Leaf]:
    left: Mapping[str, Any] = {} if expected is ABSENT else expected
    right: Mapping[str, Any] = {} if found is ABSENT else found
    by_folded = {_fold(key): key for key in right}
    for key, value in left.items():
        other = by_folded.pop(_fold(key), None)
        yield from leaf_differences(value, ABSENT if other is None else right[other], (*path, key))
    for key in by_folded.values():
        yield from leaf_differences(ABSENT, right[key], (*path, key))


def _same_id(expected: Any, found: Any) -> bool:
    return isinstance(expected, str) and isinstance(found, str) and _is_id(expected) and _fold(expected) == _fold(found)


def _is_id(text: str) -> bool:
    return text[:15].lower() == "/subscriptions/"


def _fold(text: str) -> str:
    return text.casefold() if _is_id(text) else text


def dotted(path: Path) -> str:
    """A path for people: `properties.storageProfile.dataDisks[0].lun`; a member with a dot in its name is quoted."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.replace("_", "").isalnum():
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text


def shown(value: Any) -> str:
    """A leaf's value as JSON text, or `(absent)`."""
    return str(ABSENT.value) if value is ABSENT else json.dumps(value, ensure_ascii=False)


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


def exact_leaves(before: Mapping[str, Any], observed: Mapping[str, Any]) -> Iterator[Leaf]:
    """Every leaf in which a virtual machine is not as it was, spelling included.

    Left out are what the service writes by itself, and empty objects outside of what patchmode writes.

    Args:
        before: the provider's document then.
        observed: the provider's document now.
    """
    left, right = _steady(before, MachineKind.VM), _steady(observed, MachineKind.VM)
    for leaf in leaf_differences(left, right):
        if leaf.path[1:2] == ("scheduledEventsProfile",) or not _says_nothing(leaf, left, right):
            yield leaf


def touches_settings(difference: Difference) -> bool:
    """Whether a difference is one of the patch settings: among them, or at a parent that is no object."""
    return ".patchSettings" in difference.path or difference.path in _PARENTS


def _compared(change: Change, expected: Mapping[str, Any], observed: Mapping[str, Any]) -> Iterator[Leaf]:
    left, right = _steady(expected, change.kind), _steady(observed, change.kind)
    if same_json(left, right):
        return
    for leaf in leaf_differences(left, right):
        if not _same_setting(leaf) and not _arc_status(change.kind, leaf.path) and not _says_nothing(leaf, left, right):
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


def _says_nothing(leaf: Leaf, *documents: Mapping[str, Any]) -> bool:
    """Whether all that differs is a member with an empty object, which one of the documents has.

    Clients send such (Ansible: `vhd: {}`), and what the service keeps of them is not confirmed. Among the patch
    settings it counts: there each member is what a change is about. So does an entry of a list, whatever it holds.
    """
    empty = leaf.found if leaf.expected is ABSENT else leaf.expected if leaf.found is ABSENT else None
    if not isinstance(empty, Mapping) or empty or "patchSettings" in leaf.path:
        return False
    entries = (leaf.path[: place + 1] for place, step in enumerate(leaf.path) if isinstance(step, int))
    return all(_has(document, entry) for entry in entries for document in documents)


def _has(document: Mapping[str, Any], path: Path) -> bool:
    found: Any = document
    for step in path:
        try:
            found = found[step]
        except (LookupError, TypeError):
            return False
    return True


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


_IDENTITY = frozenset({"properties.vmId", "properties.timeCreated"})
_EARLIEST = datetime.min.replace(tzinfo=UTC)


def told_apart(found: Verification, at_end: Verification | None) -> Verification:
    """A verification whose later changes are told beside its mismatches.

    Args:
        found: what differs now from what the change must leave.
        at_end: what the run itself found when the change ended; of a plan of which no run is known, a verification
            without differences. A leaf that differed then is the run's; with None, or where the machine could not be
            read then, nothing shows that it is not.
    """
    if at_end is None or at_end.unreadable_because is not None or found.unreadable_because is not None:
        return found
    then = {one.path for one in at_end.differences}
    later = [one for one in found.differences if one.path not in then and _is_beside_the_plan(one)]
    rest = tuple(one for one in found.differences if one not in later)
    return replace(found, verified=not rest, differences=rest, changed_later=tuple(map(LaterChange, later)))


def _is_beside_the_plan(one: Difference) -> bool:
    return not touches_settings(one) and one.path not in _IDENTITY


def with_authors(found: Verification, changes: Iterable[ResourceChange]) -> Verification:
    """The same with Azure's record of each later change where one names machine and leaf; of several the latest."""
    own = [one for one in changes if one.resource_id.casefold() == found.id.key]
    told = (replace(one, author=_author(one.difference.path, own)) for one in found.changed_later)
    return replace(found, changed_later=tuple(told))


def _author(path: str, changes: Sequence[ResourceChange]) -> ResourceChange | None:
    fitting = [one for one in changes if any(_names(stated, path) for stated in one.paths)]
    return max(fitting, key=lambda one: one.at or _EARLIEST, default=None)


def _names(stated: str, path: str) -> bool:
    """Whether a record's path is that of the leaf, or of an object that holds it."""
    left, right = stated.casefold(), path.casefold()
    return right == left or right.startswith((f"{left}.", f"{left}["))
