"""`patchmode/plan/v1`: the plan file, member by member, from a plan and back.

Must not: read or write files, or check anything beyond shape.
"""

from datetime import datetime
from typing import Any, Literal, cast

import msgspec
from msgspec import UNSET, Raw

from patchmode.documents.base import (
    BlockedMachineRow,
    Edge,
    PatchedByNobodyRow,
    Subscriptions,
    TargetRow,
    UnreadableRow,
    WantedRow,
    nobody_of,
    nobody_row,
    subscription_rows,
    target_of,
    target_row,
    unreadable_rows,
    wanted_row,
)
from patchmode.model.left_alone import Skipped, Unreadable
from patchmode.model.machine import MachineKind
from patchmode.model.outcome import Outcome, OutcomeKind
from patchmode.model.patch_settings import OperatingSystem, WantedSettings
from patchmode.model.plan import Change, Detachment, KeptBy, Plan, ThenAttach, Unchanged, Wave
from patchmode.model.resource_id import ResourceId
from patchmode.packing import PackedDocument

PLAN_FORMAT = "patchmode/plan/v1"


class ChangeRow(Edge, frozen=True):
    """One PATCH of one machine, with all that apply, verify and rollback need."""

    id: str
    kind: MachineKind
    os: OperatingSystem
    location: str
    etag: str | None
    body: dict[str, Any]
    """The request body, complete and verbatim."""
    before: dict[str, Any] | None
    """The machine's `patchSettings` as read; null: absent."""
    after: dict[str, Any]
    outcome_before: OutcomeKind
    outcome_before_reason: str
    outcome_after: OutcomeKind
    outcome_after_reason: str
    reversible: bool
    irreversible_because: str | None
    tolerated: tuple[str, ...]
    document: dict[str, Any]
    """The provider's whole document that the plan was made from."""


class UnchangedRow(Edge, frozen=True):
    """A machine that already is as wanted."""

    id: str
    kind: MachineKind
    outcome: OutcomeKind
    outcome_reason: str
    outcome_after: OutcomeKind | msgspec.UnsetType = msgspec.UNSET
    """Left out, with its reason, where attaching or taking off a schedule makes no difference."""
    outcome_after_reason: str | msgspec.UnsetType = msgspec.UNSET


class SkippedRow(BlockedMachineRow, frozen=True):
    """A machine that is left alone, and the rule that says so."""

    outcome: OutcomeKind | None
    outcome_reason: str | None


class KeptByRow(Edge, frozen=True):
    """A lock under which the schedule cannot be taken off again."""

    lock: str
    scope: str
    machines: int


class ThenAttachRow(Edge, frozen=True):
    """The schedule to attach to each machine once its settings were verified."""

    configuration: str
    name: str
    """Of the assignment."""
    kept_by: tuple[KeptByRow, ...] | msgspec.UnsetType = msgspec.UNSET
    """`CanNotDelete` locks; left out where there are none."""


class DetachmentRow(Edge, frozen=True):
    """An assignment to delete before the machine's settings are touched."""

    id: str
    kind: MachineKind
    configuration: str
    name: str


class WaveRow(Edge, frozen=True):
    """Machines that are carried out together: the next ones of `changes`, and with `thenAttach` of `unchanged`."""

    name: str
    changes: int
    unchanged: int


class PlanCountsRow(Edge, frozen=True):
    """`scope` is the sum of the others."""

    scope: int
    changes: int
    unchanged: int
    skipped: int
    unreadable: int


class PlanDocument(Edge, frozen=True):
    """The plan file."""

    format: Literal["patchmode/plan/v1"]
    tool_version: str
    created_at: datetime | None
    target: TargetRow
    scope: tuple[str, ...]
    wanted: WantedRow
    rollback_of: str | None
    counts: PlanCountsRow
    changes: tuple[ChangeRow, ...]
    unchanged: tuple[UnchangedRow, ...]
    skipped: tuple[SkippedRow, ...]
    unreadable: tuple[UnreadableRow, ...]
    then_attach: ThenAttachRow | msgspec.UnsetType = msgspec.UNSET
    """Left out where nothing is attached: versions before 0.2 refuse a plan with members that they do not know."""
    first_detach: tuple[DetachmentRow, ...] | msgspec.UnsetType = msgspec.UNSET
    """Left out where nothing is detached; only in the plan of a rollback."""
    waves: tuple[WaveRow, ...] | msgspec.UnsetType = msgspec.UNSET
    """In the order in which they are carried out; left out where everything is carried out at once."""
    subscriptions: Subscriptions = msgspec.UNSET
    """Names of the subscriptions in it, and of others that bear one of these; left out where none is known."""
    patched_by_nobody: PatchedByNobodyRow | msgspec.UnsetType = msgspec.UNSET
    """Where it leaves machines prepared for schedules and without any, or may; left out where it leaves none so."""
    digest: str | msgspec.UnsetType = msgspec.UNSET
    """SHA-256, in hex, over this document's canonical text: keys sorted, no white space, without this member."""


def plan_document(plan: Plan, *, with_changes: bool = True) -> PlanDocument:
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
        wanted=wanted_row(plan.wanted),
        rollback_of=plan.rollback_of,
        counts=PlanCountsRow(**plan.counts),
        changes=tuple(map(change_row, plan.changes)) if with_changes else (),
        unchanged=tuple(map(_unchanged_row, plan.unchanged)),
        skipped=tuple(map(_skipped_row, plan.skipped)),
        unreadable=unreadable_rows(plan.unreadable),
        then_attach=UNSET if plan.then_attach is None else _then_attach_row(plan.then_attach),
        first_detach=tuple(map(_detachment_row, plan.first_detach)) or UNSET,
        waves=tuple(map(_wave_row, plan.waves)) or UNSET,
        subscriptions=subscription_rows(plan.target.names),
        patched_by_nobody=nobody_row(plan.nobody),
    )


def plan_of(document: PlanDocument, *, digest: str) -> Plan:
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
        nobody=nobody_of(document.patched_by_nobody),
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
