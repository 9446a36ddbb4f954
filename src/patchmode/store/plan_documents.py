"""Plans as the plan file's structs and back, change by change: a fleet's plan is never held as one text."""

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar, cast

import msgspec
from msgspec import UNSET, Raw, UnsetType

from patchmode.documents.base import SubscriptionRow, subscription_names, subscription_rows
from patchmode.documents.plan_and_run import (
    ChangeRow,
    DetachmentRow,
    KeptByRow,
    PlanCountsRow,
    PlanDocument,
    SkippedRow,
    TargetRow,
    ThenAttachRow,
    UnchangedRow,
    UnreadableRow,
    WantedRow,
    WaveRow,
)
from patchmode.model.left_alone import Skipped, Unreadable
from patchmode.model.outcome import Outcome
from patchmode.model.patch_settings import WantedSettings
from patchmode.model.plan import Change, Detachment, KeptBy, Plan, ThenAttach, Unchanged, Wave
from patchmode.model.resource_id import ResourceId, ResourceIdError
from patchmode.model.target import Target
from patchmode.packing import PackedDocument, Packer


def plan_to_document(plan: Plan, *, with_changes: bool = True) -> PlanDocument:
    """The plan file's struct for a plan, the digest left out.

    Args:
        plan: any plan.
        with_changes: False: its changes are left to whoever writes them one by one; the counts stay those of the plan.
    """
    return PlanDocument(
        format="patchmode/plan/v1",
        tool_version=plan.tool_version,
        created_at=plan.created_at,
        target=target_row(plan.target),
        scope=plan.scope,
        wanted=WantedRow(
            orchestration=plan.wanted.orchestration,
            periodic_assessment=plan.wanted.periodic_assessment,
            reboot=plan.wanted.reboot,
            hotpatch_off=plan.wanted.hotpatch_off,
            include_scale_set_members=plan.wanted.include_scale_set_members,
        ),
        rollback_of=plan.rollback_of,
        counts=PlanCountsRow(**plan.counts),
        changes=tuple(map(change_row, plan.changes)) if with_changes else (),
        unchanged=tuple(map(_unchanged_row, plan.unchanged)),
        skipped=tuple(map(_skipped_row, plan.skipped)),
        unreadable=tuple(UnreadableRow(id=one.id, reason=one.reason) for one in plan.unreadable),
        then_attach=UNSET if plan.then_attach is None else _then_attach_row(plan.then_attach),
        first_detach=tuple(map(_detachment_row, plan.first_detach)) or UNSET,
        waves=tuple(map(_wave_row, plan.waves)) or UNSET,
        subscriptions=subscription_rows(plan.target.names),
    )


def plan_from_document(document: PlanDocument, *, digest: str) -> Plan:
    """The plan in a plan file's struct.

    Raises:
        ResourceIdError: an id is not one.
    """
    wanted = document.wanted
    return Plan(
        target=target_of(document.target, document.subscriptions),
        scope=document.scope,
        wanted=WantedSettings(
            orchestration=wanted.orchestration,
            periodic_assessment=wanted.periodic_assessment,
            reboot=wanted.reboot,
            hotpatch_off=wanted.hotpatch_off,
            include_scale_set_members=wanted.include_scale_set_members,
        ),
        changes=tuple(map(_change, document.changes)),
        unchanged=tuple(map(_unchanged, document.unchanged)),
        skipped=tuple(map(_skipped, document.skipped)),
        unreadable=tuple(Unreadable(row.id, row.reason) for row in document.unreadable),
        created_at=document.created_at,
        tool_version=document.tool_version,
        rollback_of=document.rollback_of,
        then_attach=None if document.then_attach is UNSET else _then_attach(document.then_attach),
        first_detach=() if document.first_detach is UNSET else tuple(map(_detachment, document.first_detach)),
        waves=() if document.waves is UNSET else tuple(map(_wave, document.waves)),
        digest=digest,
    )


def _unchanged_row(one: Unchanged) -> UnchangedRow:
    after = one.outcome_after
    return UnchangedRow(
        id=str(one.id),
        kind=one.kind,
        outcome=one.outcome.kind,
        outcome_reason=one.outcome.reason,
        outcome_after=UNSET if after is None else after.kind,
        outcome_after_reason=UNSET if after is None else after.reason,
    )


def _unchanged(row: UnchangedRow) -> Unchanged:
    after = None
    if row.outcome_after is not UNSET:
        after = Outcome(row.outcome_after, "" if row.outcome_after_reason is UNSET else row.outcome_after_reason)
    return Unchanged(ResourceId.parse(row.id), row.kind, Outcome(row.outcome, row.outcome_reason), after)


def _then_attach_row(wish: ThenAttach) -> ThenAttachRow:
    locks = (KeptByRow(lock=one.lock, scope=one.scope, machines=one.machines) for one in wish.kept_by)
    return ThenAttachRow(configuration=str(wish.configuration), name=wish.name, kept_by=tuple(locks) or UNSET)


def _then_attach(row: ThenAttachRow) -> ThenAttach:
    locks = () if row.kept_by is UNSET else row.kept_by
    kept_by = tuple(KeptBy(one.lock, one.scope, one.machines) for one in locks)
    return ThenAttach(ResourceId.parse(row.configuration), row.name, kept_by)


def _detachment_row(one: Detachment) -> DetachmentRow:
    return DetachmentRow(id=str(one.id), kind=one.kind, configuration=str(one.configuration), name=one.name)


def _detachment(row: DetachmentRow) -> Detachment:
    return Detachment(ResourceId.parse(row.id), row.kind, ResourceId.parse(row.configuration), row.name)


def _wave_row(wave: Wave) -> WaveRow:
    return WaveRow(name=wave.name, changes=wave.changes, unchanged=wave.unchanged)


def _wave(row: WaveRow) -> Wave:
    return Wave(row.name, row.changes, row.unchanged)


def target_row(target: Target) -> TargetRow:
    """The struct for a target."""
    return TargetRow(cloud=target.cloud, endpoint=target.endpoint, tenant_id=target.tenant_id)


def target_of(row: TargetRow, subscriptions: Iterable[SubscriptionRow] | UnsetType) -> Target:
    """The target in its struct, with the names that stand beside it."""
    names = subscription_names(subscriptions)
    return Target(cloud=row.cloud, endpoint=row.endpoint, tenant_id=row.tenant_id, names=names)


def change_row(change: Change) -> ChangeRow:
    """The struct for a change; a packed document goes in as the text that it is kept as."""
    # The mappings are copied one level deep only because the struct wants `dict`; nothing here changes them.
    return ChangeRow(
        id=str(change.id),
        kind=change.kind,
        os=change.os,
        location=change.location,
        etag=change.etag,
        body=dict(change.body),
        before=None if change.before is None else dict(change.before),
        after=dict(change.after),
        outcome_before=change.outcome_before.kind,
        outcome_before_reason=change.outcome_before.reason,
        outcome_after=change.outcome_after.kind,
        outcome_after_reason=change.outcome_after.reason,
        reversible=change.reversible,
        irreversible_because=change.irreversible_because,
        tolerated=change.tolerated,
        document=_document(change),
    )


def _document(change: Change) -> dict[str, Any]:
    if isinstance(change.document, PackedDocument):
        return cast("dict[str, Any]", Raw(change.document.text()))
    return dict(change.document)


def _change(row: ChangeRow) -> Change:
    return Change(
        id=ResourceId.parse(row.id),
        kind=row.kind,
        os=row.os,
        location=row.location,
        etag=row.etag,
        body=row.body,
        before=row.before,
        after=row.after,
        document=row.document,
        outcome_before=Outcome(row.outcome_before, row.outcome_before_reason),
        outcome_after=Outcome(row.outcome_after, row.outcome_after_reason),
        reversible=row.reversible,
        irreversible_because=row.irreversible_because,
        tolerated=row.tolerated,
    )


def _skipped_row(skipped: Skipped) -> SkippedRow:
    outcome = skipped.outcome
    return SkippedRow(
        id=str(skipped.id),
        rule=skipped.rule,
        reason=skipped.reason,
        fix=skipped.fix,
        outcome=outcome.kind if outcome else None,
        outcome_reason=outcome.reason if outcome else None,
    )


def _skipped(row: SkippedRow) -> Skipped:
    outcome = None if row.outcome is None else Outcome(row.outcome, row.outcome_reason or "")
    return Skipped(ResourceId.parse(row.id), row.rule, row.reason, row.fix, outcome)


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
    rest = _encode(plan_to_document(plan, with_changes=False)).removeprefix(_NO_CHANGES)
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
    rest = _encode(plan_to_document(plan, with_changes=False)).removeprefix(_NO_CHANGES + b",")
    yield b'{\n  "digest": "%s",\n  "changes": [' % digest.encode()
    for place, change in enumerate(plan.changes):
        text = msgspec.json.format(_text_of(change), indent=2).replace(b"\n", b"\n    ")
        yield (b",\n    " if place else b"\n    ") + text
    yield (b"\n  ]," if plan.changes else b"],") + msgspec.json.format(b"{" + rest, indent=2)[1:] + b"\n"


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
        return _Reading(source).plan()
    except (_NotOursError, msgspec.MsgspecError, ResourceIdError, UnicodeDecodeError, RecursionError, ValueError):
        return None


class _Reading:
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
        plan = plan_from_document(document, digest=self._stated)
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
