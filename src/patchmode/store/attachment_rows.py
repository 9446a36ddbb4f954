"""What the journal writes down of attaching and detaching, as rows beside the steps of the changes, and back.

The place of a row counts on from the plan's changes, so that no number stands for a change and an attachment.

Must not: read or write; `journal` does.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import msgspec

from patchmode.model.attachment import AttachAction, AttachEnd, AttachResult
from patchmode.model.plan import Plan
from patchmode.model.resource_id import ResourceId
from patchmode.store.formats import ErrorRow
from patchmode.store.journal_rows import StepRow, error_of, error_row
from patchmode.workflow.ports import AttachmentEntry, Step

INTENDED, ENDED = "attachIntended", "attachEnded"
STEPS = (INTENDED, ENDED)


class AttachEndedDetail(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """The end of an attachment; members that a newer version of v1 may add are ignored."""

    result: AttachEnd
    assignment: str | None = None
    rule: str | None = None
    error: ErrorRow | None = None
    fix: str | None = None
    request_id: str | None = None
    correlation_id: str | None = None


_encode = msgspec.json.Encoder().encode
_ended = msgspec.json.Decoder(AttachEndedDetail).decode


def intended_row(place: int, *, at: datetime) -> StepRow:
    """The row for `RunJournal.intend_attachment`."""
    return place, INTENDED, at.timestamp(), b"{}"


def ended_row(place: int, result: AttachResult, *, at: datetime) -> StepRow:
    """The row for `RunJournal.end_attachment`."""
    detail = AttachEndedDetail(
        result=result.result,
        assignment=result.assignment,
        rule=result.rule,
        error=None if result.error is None else error_row(result.error),
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
            result = _result(entry, _ended(detail), datetime.fromtimestamp(at, UTC))
            entries[at_index] = replace(entry, step=Step.ENDED, result=result)
    return tuple(entries)


def _result(entry: AttachmentEntry, detail: AttachEndedDetail, at: datetime) -> AttachResult:
    return AttachResult(
        str(entry.id),
        detail.result,
        assignment=detail.assignment,
        rule=detail.rule,
        error=None if detail.error is None else error_of(detail.error),
        fix=detail.fix,
        request_id=detail.request_id,
        correlation_id=detail.correlation_id,
        ended_at=at,
    )
