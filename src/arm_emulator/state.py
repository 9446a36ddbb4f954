"""Every stored resource, by id in any casing, indexed as the lists need them.

A stored document is never changed in place: a write puts a new one, so a snapshot (Resource Graph's lag, a page of a
list) stays what it was without copying. This module knows no resource type.
"""

import copy
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

from arm_emulator.resource_id import IdParts, parse_id

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """One resource. Replace it with ``State.put``; do not change ``document``."""

    id: str
    """As stored: the casing of its creation."""
    type: str
    """Lower case."""
    subscription: str
    group: str
    """``''`` for subscription-level things; both lower case."""
    document: Document
    """The newest api-version's full shape without ``etag``. Read only: hand out ``copy()`` or build a new one."""
    etag: int | None
    """None: loaded without one, served without one until its first accepted write, and counts as 1 for If-Match."""
    key: str
    parent: str

    @property
    def matching_etag(self) -> int:
        """The number an If-Match must name."""
        return 1 if self.etag is None else self.etag

    @property
    def location(self) -> str:
        """The region in canonical spelling (``westeurope``), ``''`` where the resource has none."""
        location = self.document.get("location")
        return location.replace(" ", "").lower() if isinstance(location, str) else ""

    def copy(self) -> Document:
        """The document, copied all the way down: free to change."""
        return copy.deepcopy(self.document)


class Persistence(Protocol):
    """Where the state outlives the process. ``arm_emulator.store`` implements it on SQLite."""

    def save(self, stored: Stored) -> None:
        """Insert or replace one resource."""

    def drop(self, key: str) -> None:
        """Remove one resource."""

    def drop_all(self) -> None:
        """Remove everything."""


Observer = Callable[[str, "Stored | None"], None]
"""Called after every change with the key and what stands there now (None: deleted)."""

_ETAG = re.compile(r'^(?:W/)?"?(\d+)"?$')


class State:
    """All resources of the emulated cloud."""

    def __init__(self, persistence: Persistence | None = None) -> None:
        self._by_key: dict[str, Stored] = {}
        self._by_type: dict[str, dict[str, Stored]] = {}
        self._by_place: dict[tuple[str, str, str], dict[str, Stored]] = {}
        self._by_parent: dict[tuple[str, str], dict[str, Stored]] = {}
        self._observers: list[Observer] = []
        self._persistence = persistence
        self.changes = 0
        """How many writes and deletes were made: a snapshot taken at one value is still true while it stands."""

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[Stored]:
        """Every resource, in order of insertion."""
        return iter(list(self._by_key.values()))

    def observe(self, observer: Observer) -> None:
        """Have ``observer`` called after every change."""
        self._observers.append(observer)

    def get(self, resource_id: str) -> Stored | None:
        """The resource of an id in any casing, or None."""
        return self._by_key.get(resource_id.rstrip("/").lower())

    def put(self, document: Document, *, etag: int | None) -> Stored:
        """Insert or replace the resource that ``document["id"]`` names, and tell the observers.

        ``document`` belongs to the state afterwards; an ``etag`` member is left out of what is stored. A replaced
        resource keeps its place in the order of lists.

        Raises:
            KeyError: when the document has no ``id``.
        """
        if "etag" in document and etag is not None:
            document = {name: value for name, value in document.items() if name != "etag"}
        parts = parse_id(document["id"])
        stored = Stored(
            document["id"], parts.type, parts.subscription, parts.group, document, etag, parts.key, parts.parent
        )
        self._index(stored, parts)
        if self._persistence is not None:
            self._persistence.save(stored)
        self._tell(stored.key, stored)
        return stored

    def load(self, document: Document) -> Stored:
        """Store a document as a GET answers it: a numeric ``etag`` member becomes the etag, other etags stay in it."""
        match = _ETAG.match(document["etag"]) if isinstance(document.get("etag"), str) else None
        return self.put(document, etag=int(match[1]) if match else None)

    def restore(self, kept: Iterable[tuple[Document, int | None]]) -> None:
        """Take in what the persistence already holds, without writing it again."""
        persistence, self._persistence = self._persistence, None
        try:
            for document, etag in kept:
                self.put(document, etag=etag)
        finally:
            self._persistence = persistence

    def put_quietly(self, stored: Stored, document: Document) -> Stored:
        """Replace a document without a new etag (a finished operation sets ``provisioningState`` so)."""
        return self.put(document, etag=stored.etag)

    def delete(self, resource_id: str) -> None:
        """Remove a resource; its children and the extension resources on it go with it. Absent ones are no error."""
        key = resource_id.rstrip("/").lower()
        below = [other for other in self._by_key if other.startswith(key + "/")]
        for gone in [*below, key]:
            stored = self._by_key.pop(gone, None)
            if stored is None:
                continue
            for index in self._indexes(stored, parse_id(stored.id)):
                index.pop(gone, None)
            if self._persistence is not None:
                self._persistence.drop(gone)
            self._tell(gone, None)

    def clear(self) -> None:
        """Remove everything; the observers are told of each."""
        gone = list(self._by_key)
        for index in (self._by_key, self._by_type, self._by_place, self._by_parent):
            index.clear()
        if self._persistence is not None:
            self._persistence.drop_all()
        for key in gone:
            self._tell(key, None)

    def of_type(
        self, type_: str, *, subscription: str | None = None, group: str | None = None, parent: str | None = None
    ) -> Iterator[Stored]:
        """The resources of a type, in order of insertion; arguments in any casing.

        Args:
            type_: e.g. ``Microsoft.Compute/virtualMachines``.
            subscription: only those of this subscription.
            group: only those of this resource group; needs ``subscription``.
            parent: only children of, or extension resources on, the resource or scope of this id.
        """
        wanted = type_.lower()
        if parent is not None:
            found = self._by_parent.get((wanted, parent.rstrip("/").lower()), {})
        elif subscription is not None:
            found = self._by_place.get((wanted, subscription.lower(), group.lower() if group else ""), {})
        else:
            found = self._by_type.get(wanted, {})
        return iter(list(found.values()))

    def with_properties(self, stored: Stored, **properties: object) -> Document:
        """The document with some members of ``properties`` set and the rest shared, not copied."""
        return {**stored.document, "properties": {**stored.document.get("properties", {}), **properties}}

    def _indexes(self, stored: Stored, parts: IdParts) -> list[dict[str, Stored]]:
        indexes = [
            self._by_type.setdefault(stored.type, {}),
            self._by_place.setdefault((stored.type, stored.subscription, ""), {}),
        ]
        if stored.group:
            indexes.append(self._by_place.setdefault((stored.type, stored.subscription, stored.group), {}))
        if parts.parent:
            indexes.append(self._by_parent.setdefault((stored.type, parts.parent), {}))
        return indexes

    def _index(self, stored: Stored, parts: IdParts) -> None:
        self._by_key[stored.key] = stored
        for index in self._indexes(stored, parts):
            index[stored.key] = stored

    def _tell(self, key: str, stored: Stored | None) -> None:
        self.changes += 1
        for observer in self._observers:
            observer(key, stored)


def renewed(stored: Stored, document: Document) -> Stored:
    """A copy of ``stored`` that holds another document (for views that are never stored)."""
    return replace(stored, document=document)
