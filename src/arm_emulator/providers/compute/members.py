"""Which members a virtual machine has, from which api-version on, and in which order they stand.

The table beside this module (``vm_members.json``) was read from the public type tables of the Azure SDK for Python (one
per api-version up to 2024-07-01, then the newest) and lowered where a recorded exchange shows a member earlier, as with
Linux ``patchSettings`` at 2020-06-01. Pure functions; nothing here knows what a value means.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import msgspec

Json = dict[str, Any]
_DATE_LENGTH = 10


class _Table(msgspec.Struct):
    """The data file: free-form members, recorded orders, and first api-version with type name per path.

    ``shown`` names the members that the type tables have earlier than any recorded answer shows them, with the
    api-version from which on every one does.
    """

    free: list[str]
    order: dict[str, list[str]]
    shown: dict[str, str]
    members: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class UnknownMember:
    """A member that the api-version of a request does not have."""

    name: str
    path: str
    """``properties.osProfile.windowsConfiguration.patchSettings``; array positions as ``[0]``."""
    type_name: str
    """The type on which it was looked for, e.g. ``WindowsConfiguration``."""


@dataclass(frozen=True, slots=True)
class MisplacedValue:
    """A value of a kind that its member does not take."""

    path: str
    type_name: str
    """What the member takes."""
    value: object


@lru_cache(maxsize=1)
def _table() -> _Table:
    content = files("arm_emulator.providers.compute").joinpath("vm_members.json").read_bytes()
    return msgspec.json.decode(content, type=_Table)


@lru_cache(maxsize=1)
def _spellings() -> dict[str, dict[str, str]]:
    """Parent path → lower-cased member name → its proper spelling."""
    found: dict[str, dict[str, str]] = {}
    for path in _table().members:
        parent, _, name = path.rpartition(".")
        found.setdefault(parent, {})[name.lower()] = name
    return found


def is_at_least(api_version: str, first: str) -> bool:
    """Whether an api-version is ``first`` or younger; previews count as their date."""
    return api_version[:_DATE_LENGTH] >= first[:_DATE_LENGTH]


def first_version(path: str) -> str | None:
    """The api-version with which a member appeared, or None where the table does not know it.

    Args:
        path: dotted, without array positions, e.g. ``properties.osProfile.linuxConfiguration``.
    """
    row = _table().members.get(path)
    return row[0] if row else None


def shown_from(path: str) -> str | None:
    """The api-version from which on an answer shows a member, or None where the table does not know it.

    It may be later than the one from which on a request may carry it.
    """
    return _table().shown.get(path) or first_version(path)


def proper_name(parent: str, name: str) -> str:
    """A member's own spelling; a name that the table does not know comes back as it is."""
    return _spellings().get(parent, {}).get(name.lower(), name)


def is_boolean(path: str) -> bool:
    """Whether a member holds true or false."""
    row = _table().members.get(path)
    return row is not None and row[-1] == "bool"


def is_free(path: str) -> bool:
    """Whether a member holds names of the caller's choice (tags, extension settings) that no table can know."""
    return path in _free()


@lru_cache(maxsize=1)
def _free() -> frozenset[str]:
    return frozenset(_table().free)


@lru_cache(maxsize=256)
def younger_members(api_version: str) -> Mapping[str, Any]:
    """The members that an api-version does not show yet, as a tree: name → None (hide it) or a subtree to look into."""
    tree: dict[str, Any] = {}
    later = _table().shown
    for path, row in _table().members.items():
        if not is_at_least(api_version, later.get(path, row[0])):
            _plant(tree, path.split("."))
    return tree


def _plant(tree: dict[str, Any], names: list[str]) -> None:
    for name in names[:-1]:
        below = tree.setdefault(name, {})
        if below is None:
            return
        tree = below
    tree[names[-1]] = None


def ordered(parent: str, names: Iterable[str]) -> list[str]:
    """Member names in the order in which recorded bodies have them; names without a known place keep their own.

    Args:
        parent: dotted path of the object, ``''`` for the machine itself.
        names: as they stand now, the newest last.
    """
    wanted = {name: rank for rank, name in enumerate(_table().order.get(parent, ()))}
    result: list[str] = []
    for name in names:
        rank = wanted.get(name)
        at = len(result)
        if rank is not None:
            at = next((i for i, other in enumerate(result) if wanted.get(other, -1) > rank), at)
        result.insert(at, name)
    return result


def unknown_member(body: object, api_version: str, stored: object = None) -> UnknownMember | None:
    """The first member of a request body that its api-version does not have, or None.

    Args:
        body: the decoded request.
        api_version: of the request.
        stored: the machine as it stands: members of it that no table knows may be sent back.

    Source: a report of 2023 quotes ``Could not find member 'patchSettings' on object of type 'WindowsConfiguration'``.
    """
    return next(_unknown(body, "", "", "VirtualMachine", api_version, stored), None)


def _unknown(
    value: object, path: str, shown: str, type_name: str, api_version: str, stored: object
) -> Iterator[UnknownMember]:
    if isinstance(value, list):
        for position, item in enumerate(value):
            known = stored[position] if isinstance(stored, list) and position < len(stored) else None
            yield from _unknown(item, path, f"{shown}[{position}]", type_name, api_version, known)
    if not isinstance(value, dict) or is_free(path):
        return
    for name, item in value.items():
        proper = proper_name(path, name)
        below = f"{path}.{proper}" if path else proper
        here = f"{shown}.{name}" if shown else name
        row = _table().members.get(below)
        kept = stored.get(proper) if isinstance(stored, dict) else None
        if row is None:
            if kept is None and not is_free(below):
                yield UnknownMember(name, here, type_name)
            continue
        if not is_at_least(api_version, row[0]) and not _is_older_spelling(below):
            yield UnknownMember(name, here, type_name)
            continue
        inner = row[1].strip("[]{}") if len(row) > 1 else type_name
        yield from _unknown(item, below, here, inner, api_version, kept)


def misplaced_value(body: object) -> MisplacedValue | None:
    """The first value of a request body that cannot be what its member is (text for an object, say), or None."""
    return next(_misplaced(body, "", ""), None)


def _misplaced(value: object, path: str, shown: str) -> Iterator[MisplacedValue]:
    if isinstance(value, list):
        for position, item in enumerate(value):
            yield from _misplaced(item, path, f"{shown}[{position}]")
    if not isinstance(value, dict):
        return
    for name, item in value.items():
        proper = proper_name(path, name)
        below = f"{path}.{proper}" if path else proper
        here = f"{shown}.{name}" if shown else name
        row = _table().members.get(below)
        if row is None or item is None:
            continue
        kind = row[1] if len(row) > 1 else ""
        if not _fits(item, kind):
            yield MisplacedValue(here, kind.strip("[]{}") or "String", item)
        elif not is_free(below):
            yield from _misplaced(item, below, here)


def _fits(value: object, kind: str) -> bool:
    if kind.startswith("["):
        is_object_list = kind[1:-1] not in _PRIMITIVE
        return isinstance(value, list) and all(isinstance(item, dict) == is_object_list for item in value)
    if kind == "bool":
        return isinstance(value, bool) or (isinstance(value, str) and value.lower() in {"true", "false"})
    return isinstance(value, dict) == bool(kind) and not isinstance(value, list)


_PRIMITIVE = frozenset({"", "str", "int", "float", "bool"})


def _is_older_spelling(path: str) -> bool:
    """Read-only members are skipped by the service whatever the api-version, so sending them back is no error."""
    return path in READ_ONLY


READ_ONLY = frozenset(
    {
        "id",
        "name",
        "type",
        "etag",
        "managedBy",
        "systemData",
        "resources",
        "identity.principalId",
        "identity.tenantId",
        "properties.provisioningState",
        "properties.instanceView",
        "properties.vmId",
        "properties.timeCreated",
        "properties.storageProfile.imageReference.exactVersion",
    }
)
"""Members that a request may carry and the service ignores (recorded: SDKs and az send several of them back)."""
WRITE_ONLY = frozenset({"properties.osProfile.adminPassword", "properties.osProfile.customData"})
"""Members that a request may carry and no answer ever shows."""
_WORDS = {
    "createOption": ("FromImage", "Empty", "Attach", "Copy", "Restore"),
    "caching": ("None", "ReadOnly", "ReadWrite"),
    "deleteOption": ("Delete", "Detach"),
    "osType": ("Windows", "Linux"),
    "storageAccountType": (
        "Standard_LRS",
        "Premium_LRS",
        "StandardSSD_LRS",
        "UltraSSD_LRS",
        "Premium_ZRS",
        "StandardSSD_ZRS",
        "PremiumV2_LRS",
    ),
    "priority": ("Regular", "Low", "Spot"),
    "evictionPolicy": ("Deallocate", "Delete"),
}
"""Enumerated members whose values the service answers in its own spelling (recorded: sent in lower case)."""


def proper_value(name: str, value: str) -> str:
    """A value of an enumerated member in the service's spelling; any other comes back as it is."""
    return next((word for word in _WORDS.get(name, ()) if word.lower() == value.lower()), value)
