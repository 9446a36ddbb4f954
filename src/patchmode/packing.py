"""Machine documents kept small: what a whole fleet's documents need in memory must not bound its size.

The documents of one fleet resemble each other, so the first one packed serves as the dictionary of all others: a
document of 2.7 KB, 10 KB and more as Python's own objects, takes 0.3 KB. It is unpacked when it is looked at.

Must not: change a document, or write one to disk; a packed document stands for the JSON object it was made from.
"""

import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

_LEVEL = 3
_canonical = msgspec.json.Encoder(order="sorted").encode
_load = msgspec.json.Decoder(dict[str, Any]).decode


class _Shelf:
    """What the documents of one packer share: the dictionary, and the document that was looked at last."""

    __slots__ = ("dictionary", "latest")

    def __init__(self, dictionary: bytes) -> None:
        self.dictionary = dictionary
        self.latest: tuple[object, dict[str, Any]] = (None, {})


class PackedDocument(Mapping[str, Any]):
    """A JSON object that is kept compressed; equal to the dict it stands for. Made by a `Packer`."""

    __slots__ = ("_packed", "_shelf")
    __hash__ = None  # type: ignore[assignment]  # as a dict

    def __init__(self, packed: bytes, shelf: _Shelf) -> None:
        self._packed = packed
        self._shelf = shelf

    def text(self) -> bytes:
        """The canonical JSON text: keys sorted, no white space."""
        return zlib.decompressobj(zdict=self._shelf.dictionary).decompress(self._packed)

    def unpacked(self) -> dict[str, Any]:
        """The object itself; nothing may be changed in it, for whoever looks next may get the same."""
        document, value = self._shelf.latest
        if document is not self:
            value = _load(self.text())
            # One assignment, so that no other thread sees half of it.
            self._shelf.latest = (self, value)
        return value

    def __getitem__(self, key: str) -> Any:
        return self.unpacked()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.unpacked())

    def __len__(self) -> int:
        return len(self.unpacked())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PackedDocument):
            return self is other or self.unpacked() == _load(other.text())
        return self.unpacked() == other

    def __repr__(self) -> str:
        return f"PackedDocument({self.unpacked()!r})"


class Packer:
    """Packs the documents of one fleet."""

    def __init__(self) -> None:
        self._shelf: _Shelf | None = None

    def pack(self, document: Mapping[str, Any]) -> PackedDocument:
        """Pack a JSON object.

        Raises:
            TypeError, OverflowError, ValueError: it holds something that JSON cannot carry.
        """
        return self.pack_text(canonical_text(document))

    def pack_text(self, canonical: bytes) -> PackedDocument:
        """Pack a JSON object that is text already.

        Args:
            canonical: keys sorted, no white space.
        """
        if self._shelf is None:
            self._shelf = _Shelf(canonical)
        squeezer = zlib.compressobj(_LEVEL, zdict=self._shelf.dictionary)
        return PackedDocument(squeezer.compress(canonical) + squeezer.flush(), self._shelf)


def canonical_text(document: Mapping[str, Any]) -> bytes:
    """The canonical JSON text of an object: keys sorted, no white space.

    Raises:
        TypeError, OverflowError, ValueError: it holds something that JSON cannot carry.
    """
    if isinstance(document, PackedDocument):
        return document.text()
    return _canonical(dict(document))
