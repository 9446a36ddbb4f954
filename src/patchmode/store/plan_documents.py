"""Plans as the plan file's structs and back, change by change: a fleet's plan is never held as one text."""

import hashlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import msgspec

from patchmode.documents.plan import ChangeRow, PlanCountsRow, PlanDocument, change_row, plan_document, plan_of
from patchmode.model.outcome import Outcome
from patchmode.model.plain_text import json_escaped
from patchmode.model.plan import Change, Plan
from patchmode.model.resource_id import ResourceId, ResourceIdError
from patchmode.packing import PackedDocument, Packer

_CHUNK = 1 << 20
_NO_CHANGES = b'{"changes":[]'
"""How a plan's canonical text begins where it has none: no other member comes before this one."""
_encode = msgspec.json.Encoder(order="sorted").encode
_load = msgspec.json.Decoder(dict[str, Any]).decode
T = TypeVar("T")


class Readable(Protocol):
    """A binary file, or a value in a database that is read piece by piece."""

    def read(self, length: int = -1, /) -> bytes:
        """The next bytes, at most so many; empty at the end."""
        ...


# ------------------------------------------------------------------------------------------------ writing


def canonical_pieces(plan: Plan) -> Iterator[bytes]:
    """A plan's canonical text (keys sorted, no white space, no digest).

    Raises:
        TypeError, OverflowError, ValueError: a document holds something that JSON cannot carry.
    """
    rest = _encode(plan_document(plan, with_changes=False)).removeprefix(_NO_CHANGES)
    yield b'{"changes":['
    for place, change in enumerate(plan.changes):
        yield b"," + _text_of(change) if place else _text_of(change)
    yield b"]" + rest


def sealed_pieces(plan: Plan, digest: str) -> Iterator[bytes]:
    """The same with its digest, which comes first, where a reader looks for it."""
    pieces = canonical_pieces(plan)
    yield b'{"digest":"%s",' % digest.encode() + next(pieces)[1:]
    yield from pieces


def indented_pieces(plan: Plan, digest: str) -> Iterator[bytes]:
    """The same laid out for reading: the content of a plan file."""
    rest = _encode(plan_document(plan, with_changes=False)).removeprefix(_NO_CHANGES + b",")
    yield b'{\n  "digest": "%s",\n  "changes": [' % digest.encode()
    for place, change in enumerate(plan.changes):
        text = _laid_out(_text_of(change)).replace(b"\n", b"\n    ")
        yield (b",\n    " if place else b"\n    ") + text
    yield (b"\n  ]," if plan.changes else b"],") + _laid_out(b"{" + rest)[1:] + b"\n"


def _laid_out(text: bytes) -> bytes:
    """A JSON text for reading: nothing in it steers the terminal on which a plan is reviewed."""
    laid_out = msgspec.json.format(text, indent=2)
    return laid_out if laid_out.isascii() and b"\x7f" not in laid_out else json_escaped(laid_out.decode()).encode()


def _text_of(change: Change) -> bytes:
    return _encode(change_row(change))


# ------------------------------------------------------------------------------------------------ reading


class _PackedRow(ChangeRow, frozen=True):
    """A change's row whose objects are left as text: the few that are alike in a fleet are read once."""

    body: msgspec.Raw  # type: ignore[assignment]
    before: msgspec.Raw  # type: ignore[assignment]
    after: msgspec.Raw  # type: ignore[assignment]
    document: msgspec.Raw  # type: ignore[assignment]


_row = msgspec.json.Decoder(_PackedRow).decode


@dataclass(frozen=True, slots=True)
class _Layout:
    """How one of the two layouts separates what `changes` holds.

    No mark can stand inside a text, nor between the rows of another part, whose first member is not `after`.
    """

    opening: bytes
    """Before and after the digest's 64 digits."""
    first: bytes
    between: bytes
    end: bytes
    kept: int
    """How many bytes of `between` and `end` belong to the row before."""
    is_canonical: bool


_COMPACT = _Layout(b'{"digest":"', b'","changes":[', b'},{"after":', b'}],"counts":', 1, is_canonical=True)
_INDENTED = _Layout(
    b'{\n  "digest": "',
    b'",\n  "changes": [\n    ',
    b'\n    },\n    {\n      "after": ',
    b'\n    }\n  ],\n  "counts":',
    6,
    is_canonical=False,
)
_DIGEST = 64


class _NotOursError(Exception):
    """The text is not laid out as this module writes it."""


def read_pieces(source: Readable) -> tuple[Plan, PlanCountsRow] | None:
    """The plan in a text that is laid out as this module writes it, with the counts that it states.

    Returns:
        None: it is laid out otherwise, has no changes, was edited or is no plan: `plan_file.decode_plan` knows.
    """
    try:
        return _PlanReader(source).plan()
    except (_NotOursError, msgspec.MsgspecError, ResourceIdError, UnicodeDecodeError, RecursionError, ValueError):
        return None


class _PlanReader:
    """One plan in the making."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._buffer = source.read(_CHUNK)
        self._layout, self._stated = self._recognised()
        self._packer = Packer()
        self._known: dict[tuple[Any, ...], Any] = {}

    def plan(self) -> tuple[Plan, PlanCountsRow]:
        digest = hashlib.sha256(b'{"changes":[')
        changes: list[Change] = []
        for text in self._rows():
            change, canonical = self._change(text)
            digest.update(b"," + canonical if changes else canonical)
            changes.append(change)
        rest = msgspec.json.decode(b"{" + self._rest())
        digest.update(b"]," + _encode(rest)[1:])
        if digest.hexdigest() != self._stated:
            raise _NotOursError
        document = msgspec.convert({**rest, "changes": ()}, PlanDocument)
        plan = plan_of(document, digest=self._stated)
        return replace(plan, changes=tuple(changes)), document.counts

    def _recognised(self) -> tuple[_Layout, str]:
        for layout in (_COMPACT, _INDENTED):
            begin = len(layout.opening)
            after = begin + _DIGEST
            if self._buffer.startswith(layout.opening) and self._buffer.startswith(layout.first + b"{", after):
                stated = self._buffer[begin:after].decode()
                self._buffer = self._buffer[after + len(layout.first) :]
                return layout, stated
        raise _NotOursError

    def _rows(self) -> Iterator[bytes]:
        """The text of each change; afterwards the buffer begins with what follows them."""
        layout, at = self._layout, 0
        while True:
            found = self._buffer.find(layout.between, at)
            if found < 0:
                end = self._buffer.find(layout.end, at)
                if end >= 0:
                    yield self._buffer[at : end + layout.kept]
                    self._buffer = self._buffer[end + len(layout.end) - len(b'"counts":') :]
                    return
                more = self._source.read(_CHUNK)
                if not more:
                    raise _NotOursError
                self._buffer, at = self._buffer[at:] + more, 0
                continue
            yield self._buffer[at : found + layout.kept]
            # The next row begins with the brace that is the last byte of `between`, or with `{"after":`.
            at = found + layout.between.index(b"{")

    def _rest(self) -> bytes:
        pieces = [self._buffer]
        while more := self._source.read(_CHUNK):
            pieces.append(more)
        self._buffer = b""
        return b"".join(pieces)

    def _change(self, text: bytes) -> tuple[Change, bytes]:
        row = _row(text)
        packed = self._packed(bytes(row.document))
        outcome_before = self._shared(Outcome, row.outcome_before, row.outcome_before_reason)
        change = Change(
            id=ResourceId.parse(row.id),
            kind=row.kind,
            os=row.os,
            location=sys.intern(row.location),
            etag=row.etag,
            body=self._shared(_load, bytes(row.body)),
            before=None if bytes(row.before) == b"null" else self._shared(_load, bytes(row.before)),
            after=self._shared(_load, bytes(row.after)),
            document=packed,
            outcome_before=outcome_before,
            outcome_after=self._shared(Outcome, row.outcome_after, row.outcome_after_reason),
            reversible=row.reversible,
            irreversible_because=None if row.irreversible_because is None else sys.intern(row.irreversible_because),
            tolerated=self._shared(tuple, row.tolerated),
        )
        return change, text if self._layout.is_canonical else _text_of(change)

    def _packed(self, text: bytes) -> PackedDocument:
        if not self._layout.is_canonical:
            return self._packer.pack(_load(text))
        if not text.startswith(b"{"):
            raise _NotOursError
        return self._packer.pack_text(text)

    def _shared(self, make: Callable[..., T], *members: Any) -> T:
        """One value for all that are made of the same members; nothing changes what a plan holds."""
        key = (make, *members)
        found: T | None = self._known.get(key)
        if found is None:
            found = self._known[key] = make(*members)
        return found
