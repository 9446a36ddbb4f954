"""Lists in a machine whose entries have an identity: disks by lun, network interfaces by id, applications by package.

A request replaces such a list as a whole; an entry that stays keeps the members which the request leaves out. A data
disk that the request no longer names stays visible with ``toBeDetached: true`` until the operation is over (recorded
from api-version 2019-07-01 on).
"""

from collections.abc import Callable
from typing import Any

from arm_emulator.providers.compute.members import Json

DATA_DISKS = "properties.storageProfile.dataDisks"
_KEYS = {
    DATA_DISKS: "lun",
    "properties.networkProfile.networkInterfaces": "id",
    "properties.applicationProfile.galleryApplications": "packageReferenceId",
}


def merged_list(stored: Any, wanted: list[Any], path: str, merge: Callable[[Any, Any], Any]) -> list[Any]:
    """The list after a write.

    Args:
        stored: the list as it stands, or None.
        wanted: the request's.
        path: dotted path of the list.
        merge: merges one entry of the request into one that stands (None where it is new).
    """
    key = _KEYS.get(path)
    if key is None:
        return [merge(None, item) for item in wanted]
    known = {_identity(item, key): item for item in stored or () if isinstance(item, dict)}
    merged = [merge(_same_thing(known, item, key), item) for item in wanted]
    if path != DATA_DISKS:
        return merged
    named = {_identity(item, key) for item in wanted if isinstance(item, dict)}
    return _with_leaving(list(known.values()), merged, named)


def _same_thing(known: dict[Any, Json], item: Any, key: str) -> Json | None:
    return known.get(_identity(item, key)) if isinstance(item, dict) else None


def _identity(item: Json, key: str) -> Any:
    value = item.get(key)
    return value.lower() if isinstance(value, str) else value


def _with_leaving(stored: list[Json], merged: list[Any], named: set[Any]) -> list[Any]:
    """The disks of the request, those that leave among them at the place they had."""
    result = list(merged)
    for position, disk in enumerate(stored):
        if _identity(disk, "lun") not in named:
            result.insert(min(position, len(result)), {**disk, "toBeDetached": True})
    return result
