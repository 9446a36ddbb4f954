"""What an api-version shows of a stored machine.

A stored document is the machine in full; an older api-version leaves out what it does not know, and every one leaves
out what must be asked for (``instanceView``, ``userData``). Documents are never changed here: what is handed out
shares the unchanged parts with the state, so a caller that wants to change one copies it first.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from arm_emulator.providers.compute.members import Json, is_at_least, younger_members

ETAG_SINCE = "2024-03-01"
"""First api-version whose recorded bodies carry ``etag``; the type tables have it from 2023-09-01."""
CONDITIONS_SINCE = "2023-09-01"
"""First api-version whose PUT and PATCH take If-Match and If-None-Match."""
DETACHING_SINCE = "2019-03-01"
"""Before this api-version a disk that is being detached is gone from the answer at once; since, it says so."""
ON_REQUEST = {"instanceview": "instanceView", "userdata": "userData"}
"""``$expand`` value in lower case → the member of ``properties`` that is shown only then."""

_GROUP = re.compile(r"(?i)(?<=/resourceGroups/)[^/]+")


def machine_view(document: Json, etag: int | None, api_version: str, expand: Collection[str] = ()) -> Json:
    """A machine as a GET with this api-version answers it.

    Args:
        document: as stored.
        etag: None where the machine has none.
        api_version: of the request.
        expand: the lower-cased words of ``$expand``.
    """
    if not is_at_least(api_version, DETACHING_SINCE) and isinstance(document.get("properties"), dict):
        document = _without_leaving_disks(document)
    shown: Json = _without(document, younger_members(api_version))
    properties = shown.get("properties")
    if isinstance(properties, dict):
        hidden = [name for word, name in ON_REQUEST.items() if word not in expand and name in properties]
        if hidden:
            shown = {**shown, "properties": {name: value for name, value in properties.items() if name not in hidden}}
    if etag is not None and is_at_least(api_version, ETAG_SINCE):
        shown = _with_etag(shown, quoted(etag))
    return shown


def _without_leaving_disks(document: Json) -> Json:
    storage = document["properties"].get("storageProfile")
    disks = storage.get("dataDisks") if isinstance(storage, dict) else None
    if not isinstance(disks, list) or not any(isinstance(disk, dict) and disk.get("toBeDetached") for disk in disks):
        return document
    staying = [disk for disk in disks if not (isinstance(disk, dict) and disk.get("toBeDetached"))]
    return {**document, "properties": {**document["properties"], "storageProfile": {**storage, "dataDisks": staying}}}


def quoted(etag: int) -> str:
    """An etag as it stands in bodies and headers: ``"2"`` with its quotes."""
    return f'"{etag}"'


def _with_etag(document: Json, etag: str) -> Json:
    """The document with ``etag`` right behind ``properties``, where recorded bodies have it."""
    shown: Json = {}
    for name, value in document.items():
        shown[name] = value
        if name == "properties":
            shown["etag"] = etag
    shown.setdefault("etag", etag)
    return shown


def _without(value: Any, younger: Mapping[str, Any]) -> Any:
    """``value`` without the members that ``younger`` names; shares what it does not change."""
    if not younger or not value:
        return value
    if isinstance(value, list):
        return [_without(item, younger) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys().isdisjoint(younger):
        return value
    return {
        name: item if (below := younger.get(name)) is None else _without(item, below)
        for name, item in value.items()
        if not (name in younger and younger[name] is None)
    }


def expand_words(query: Mapping[str, str]) -> frozenset[str]:
    """The words of ``$expand``, lower-cased; the service takes any casing."""
    return frozenset(word.strip().lower() for word in query.get("$expand", "").split(",") if word.strip())


def with_extension_ids(document: Json) -> Json:
    """The document as lists show it: of each extension nothing but its id.

    Recorded: all 23 extensions in recorded lists, of a subscription, a location or a group, while a GET shows them
    whole.
    """
    children = document.get("resources")
    if not isinstance(children, list):
        return document
    ids = [{"id": child["id"]} for child in children if isinstance(child, dict) and "id" in child]
    return {**document, "resources": ids}


def with_callers_group(document: Json, group: str) -> Json:
    """The document with the caller's casing of the resource group in its ``id`` and in those of its extensions.

    Recorded: GET, PUT and PATCH echo the group of the request path, in all 6,314 comparable exchanges.
    """
    return _with_group(document, group)


def upper_group(name: str) -> str:
    """A resource group's name in upper case as .NET's invariant culture has it: character by character, `ß` stays."""
    return "".join(upper if len(upper := char.upper()) == 1 else char for char in name)


def with_upper_group(document: Json) -> Json:
    """The document as a subscription-wide or filtered list shows it: the group of ``id`` in upper case."""
    identifier = document.get("id")
    found = _GROUP.search(identifier) if isinstance(identifier, str) else None
    return _with_group(document, upper_group(found.group())) if found else document


def _with_group(document: Json, group: str) -> Json:
    identifier = document.get("id")
    if not isinstance(identifier, str):
        return document
    changed = {**document, "id": _GROUP.sub(group.replace("\\", "\\\\"), identifier, count=1)}
    if isinstance(document.get("resources"), list):
        changed["resources"] = [
            _with_group(child, group) if isinstance(child, dict) else child for child in document["resources"]
        ]
    return changed
