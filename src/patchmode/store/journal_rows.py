"""What the journal writes down: each step of a change, of an attachment, and what holds the run back; and back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from patchmode.documents.base import error_of, error_row
from patchmode.documents.run import (
    AttachEndedDetail,
    DifferenceDetail,
    EndedDetail,
    IntendedDetail,
    StartedDetail,
    VerificationDetail,
    VerifiedDetail,
)
from patchmode.errors import RefusedError, StorageError
from patchmode.model.guardrails import Halt, RunGuardrails
from patchmode.model.plan import Change, Plan
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import ChangeResult, Difference, Verification, unsigned_address
from patchmode.model.schedule import AttachAction, AttachResult
from patchmode.ports.azure import PatchAnswer
from patchmode.ports.run import AttachmentEntry, JournalEntry, Observed, Step

VERIFIED = "verified"
"""A row beside the steps: a verification after the end."""


_encode = msgspec.json.Encoder().encode
_intended = msgspec.json.Decoder(IntendedDetail).decode
_started = msgspec.json.Decoder(StartedDetail).decode
_ended = msgspec.json.Decoder(EndedDetail).decode
_verified = msgspec.json.Decoder(VerifiedDetail).decode

StepRow = tuple[int, str, float, bytes]
"""The change's place in the plan, the step, seconds since 1970, the detail."""


def intended_row(change: int, *, etag: str | None, at: datetime, observed: Observed | None = None) -> StepRow:
    """The row for `RunJournal.intend`."""
    detail = IntendedDetail(
        etag=etag,
        observed=None if observed is None else dict(observed.document),
        changed_since_plan=() if observed is None else _difference_details(observed.changes),
    )
    return change, Step.INTENDED.value, at.timestamp(), _encode(detail)


def started_row(change: int, answer: PatchAnswer, *, at: datetime) -> StepRow:
    """The row for `RunJournal.start`."""
    detail = StartedDetail(
        operation_url=answer.operation_url, request_id=answer.request_id, correlation_id=answer.correlation_id
    )
    return change, Step.STARTED.value, at.timestamp(), _encode(detail)


def unsigned(detail: bytes) -> bytes:
    """The detail of a `started` row whose operation's address has only its path and its api-version."""
    started = _started(detail)
    if started.operation_url is None:
        return detail
    return _encode(msgspec.structs.replace(started, operation_url=unsigned_address(started.operation_url)))


def ended_row(change: int, result: ChangeResult, *, at: datetime) -> StepRow:
    """The row for `RunJournal.end`."""
    detail = EndedDetail(
        result=result.result,
        error=error_row(result.error),
        request_id=result.request_id,
        correlation_id=result.correlation_id,
        started_at=None if result.started_at is None else result.started_at.timestamp(),
        verification=None if result.verification is None else verification_detail(result.verification),
    )
    return change, Step.ENDED.value, (result.ended_at or at).timestamp(), _encode(detail)


def verified_row(change: int, verification: Verification, *, at: datetime) -> StepRow:
    """The row for `RunJournal.verified`."""
    return change, VERIFIED, at.timestamp(), _encode(VerifiedDetail(verification=verification_detail(verification)))


def fold(changes: Iterable[Change], rows: Iterable[tuple[int, str, float, bytes]]) -> tuple[JournalEntry, ...]:
    """What a journal's rows, change by change and each change's in the order they were written, say of a plan.

    A change that was intended again after it had ended (taken up by a later resume) is at its latest step; what an
    earlier attempt ended with no longer counts.

    Raises:
        msgspec.DecodeError: a row is damaged. IndexError: it is of no change of the plan.
    """
    entries: list[JournalEntry] = []
    waiting = iter(rows)
    row = next(waiting, None)
    for place, change in enumerate(changes):
        one = _Fold(change)
        while row is not None and row[0] == place:
            one.take(row[1], datetime.fromtimestamp(row[2], UTC), row[3])
            row = next(waiting, None)
        entries.append(one.entry())
    if row is not None:
        msg = f"a step of change {row[0]}, and the plan has {len(entries)}"
        raise IndexError(msg)
    return tuple(entries)


class _Fold:
    """One change's entry in the making."""

    def __init__(self, change: Change) -> None:
        self.change = change
        self.step = Step.PENDING
        self.attempts = 0
        self.changed_since_plan: tuple[Difference, ...] = ()
        self.members: dict[str, Any] = {}

    def take(self, step: str, at: datetime, detail: bytes) -> None:
        match step:
            case Step.INTENDED:
                self._intend(_intended(detail))
                self.step = Step.INTENDED
                self.attempts += 1
                self.members = {"intended_at": at}
            case Step.STARTED:
                started = _started(detail)
                self.step = Step.STARTED
                self.members |= {
                    "operation_url": started.operation_url,
                    "request_id": started.request_id,
                    "correlation_id": started.correlation_id,
                    "started_at": at,
                }
            case Step.ENDED:
                self.step = Step.ENDED
                result = self.members["result"] = self._result(_ended(detail), at)
                self.members["verification_at_end"] = result.verification
            case _:
                self._verify(_verified(detail))

    def _intend(self, intended: IntendedDetail) -> None:
        """Each attempt is made on the machine as it was read last; a row without it leaves what was known before."""
        if intended.observed is not None:
            self.change = replace(self.change, document=intended.observed)
            self.changed_since_plan = tuple(map(_difference_in, intended.changed_since_plan))

    def _result(self, ended: EndedDetail, at: datetime) -> ChangeResult:
        return ChangeResult(
            id=self.change.id,
            result=ended.result,
            error=error_of(ended.error),
            request_id=ended.request_id,
            correlation_id=ended.correlation_id,
            started_at=None if ended.started_at is None else datetime.fromtimestamp(ended.started_at, UTC),
            ended_at=at,
            verification=None if ended.verification is None else verification_of(self.change.id, ended.verification),
            changed_since_plan=self.changed_since_plan,
        )

    def _verify(self, verified: VerifiedDetail) -> None:
        result = self.members.get("result")
        if result is not None:
            found = verification_of(self.change.id, verified.verification)
            self.members["result"] = replace(result, verification=found)

    def entry(self) -> JournalEntry:
        return JournalEntry(
            self.change, self.step, self.attempts, changed_since_plan=self.changed_since_plan, **self.members
        )


def verification_detail(verification: Verification) -> VerificationDetail:
    """The struct for a verification."""
    return VerificationDetail(
        verified=verification.verified,
        differences=_difference_details(verification.differences),
        unreadable_because=verification.unreadable_because,
    )


def verification_of(machine_id: ResourceId, row: VerificationDetail) -> Verification:
    """The verification in its struct."""
    return Verification(machine_id, row.verified, tuple(map(_difference_in, row.differences)), row.unreadable_because)


def _difference_details(differences: Iterable[Difference]) -> tuple[DifferenceDetail, ...]:
    return tuple(DifferenceDetail(path=one.path, expected=one.expected, found=one.found) for one in differences)


def _difference_in(row: DifferenceDetail) -> Difference:
    return Difference(row.path, row.expected, row.found)


INTENDED, ENDED = "attachIntended", "attachEnded"
STEPS = (INTENDED, ENDED)


_attachment_ended = msgspec.json.Decoder(AttachEndedDetail).decode


def attachment_intended_row(place: int, *, at: datetime) -> StepRow:
    """The row for `RunJournal.intend_attachment`."""
    return place, INTENDED, at.timestamp(), b"{}"


def attachment_ended_row(place: int, result: AttachResult, *, at: datetime) -> StepRow:
    """The row for `RunJournal.end_attachment`."""
    detail = AttachEndedDetail(
        result=result.result,
        assignment=result.assignment,
        rule=result.rule,
        error=error_row(result.error),
        fix=result.fix,
        request_id=result.request_id,
        correlation_id=result.correlation_id,
    )
    return place, ENDED, (result.ended_at or at).timestamp(), _encode(detail)


def attachments_of(plan: Plan) -> tuple[AttachmentEntry, ...]:
    """Everything that a plan attaches or detaches, in plan order, as if nothing of it had begun."""
    detach, attach = AttachAction.DETACH, AttachAction.ATTACH
    detached = tuple(
        AttachmentEntry(one.id, one.kind, detach, one.configuration, one.name) for one in plan.first_detach
    )
    wish = plan.then_attach
    if wish is None:
        return detached
    where, name = wish.configuration, wish.name
    changed = (AttachmentEntry(one.id, one.kind, attach, where, name, one) for one in plan.changes)
    unchanged = (AttachmentEntry(one.id, one.kind, attach, where, name) for one in plan.unchanged)
    return (*changed, *unchanged, *detached)


def places_of(plan: Plan) -> Mapping[ResourceId, int]:
    """The number that stands for each machine in the rows of attachments; none of them is a change's."""
    return {one.id: len(plan.changes) + place for place, one in enumerate(attachments_of(plan))}


def fold_attachments(plan: Plan, rows: Iterable[tuple[int, str, float, bytes]]) -> Sequence[AttachmentEntry]:
    """What a journal's rows, in the order they were written, say of each attachment of the plan.

    Raises:
        msgspec.DecodeError: a row is damaged. IndexError: a row is of no attachment of this plan.
    """
    entries = list(attachments_of(plan))
    for place, step, at, detail in rows:
        at_index = place - len(plan.changes)
        if at_index < 0:
            msg = f"no attachment has the place {place}"
            raise IndexError(msg)
        entry = entries[at_index]
        if step == INTENDED:
            entries[at_index] = replace(entry, step=Step.INTENDED, result=None)
        else:
            result = _result(entry, _attachment_ended(detail), datetime.fromtimestamp(at, UTC))
            entries[at_index] = replace(entry, step=Step.ENDED, result=result)
    return tuple(entries)


def _result(entry: AttachmentEntry, detail: AttachEndedDetail, at: datetime) -> AttachResult:
    return AttachResult(
        str(entry.id),
        detail.result,
        assignment=detail.assignment,
        rule=detail.rule,
        error=error_of(detail.error),
        fix=detail.fix,
        request_id=detail.request_id,
        correlation_id=detail.correlation_id,
        ended_at=at,
    )


_MEMBERS = frozenset(one.name for one in fields(RunGuardrails))


def brakes_text(brakes: RunGuardrails) -> str:
    """The text for a run's brakes."""
    return msgspec.json.encode(brakes).decode()


def read_brakes(text: str, *, name: str) -> RunGuardrails:
    """A run's brakes from their text.

    Args:
        text: of `brakes_text`, by this version or another.
        name: where it was read, for messages.

    Raises:
        RefusedError: it holds a brake that this version does not know, and could not keep.
        StorageError: it is damaged.
    """
    try:
        unknown = sorted(msgspec.json.decode(text, type=dict[str, object]).keys() - _MEMBERS)
        if unknown:
            raise RefusedError(
                f"{name} keeps {', '.join(unknown)}, which this version of patchmode does not know.",
                advice="Use the version that wrote it.",
            )
        return msgspec.json.decode(text, type=RunGuardrails)
    except msgspec.MsgspecError as error:
        raise StorageError(f"{name} is damaged: {error}.", advice="Restore it from a backup.") from error


def halts_text(halts: Sequence[Halt]) -> str:
    """The text for what held a run back."""
    return msgspec.json.encode(halts).decode()


def read_halts(text: str) -> Sequence[Halt]:
    """What held a run back, from its text; one that cannot be read holds nothing that is needed to go on."""
    try:
        return msgspec.json.decode(text, type=tuple[Halt, ...])
    except msgspec.MsgspecError:
        return ()
