"""`patchmode/verify/v1`, `evidence/v1` and `evidence-check/v1`: what was compared, packed as evidence, and checked.

Must not: read or write files.
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Literal, cast

import msgspec

from patchmode.documents.base import (
    DifferenceRow,
    Edge,
    LeftOutRow,
    Subscriptions,
    TargetRow,
    difference_rows,
    left_out_rows,
    target_row,
    with_subscriptions,
)
from patchmode.model.evidence import AfterFrom, Evidence, EvidenceCheck, EvidenceProblem, MachineEvidence
from patchmode.model.plan import Plan
from patchmode.model.report import VerifyReport
from patchmode.model.run import LaterChange, Result


class BlockedRow(Edge, frozen=True):
    """Why a machine cannot be set, by the first rule that blocks."""

    rule: str
    message: str
    fix: str | None


class LaterRow(DifferenceRow, frozen=True, kw_only=True):
    """One leaf that was changed after the run had verified it; what is left out is absent."""

    changed_by: str | None
    """By Azure's record of changes; null where it does not tell."""
    client_type: str | None
    timestamp: str | None


class VerifiedRow(Edge, frozen=True):
    """What the provider showed for one machine; or a subscription that could not be read, under its own id."""

    id: str
    verified: bool
    differences: tuple[DifferenceRow, ...]
    unreadable_because: str | None
    changed_later: tuple[LaterRow, ...] | msgspec.UnsetType = msgspec.UNSET
    """Of a run or a plan file, and no mismatch: what was changed after the run, or since the plan, outside the patch
    settings."""
    reason: BlockedRow | msgspec.UnsetType = msgspec.UNSET
    """Only of a scope: the machine is not as wanted, and a rule does not let it be changed."""


class VerifyCounts(Edge, frozen=True):
    """`scope` is the sum of the others; the last three are left out where a run or a file was verified."""

    scope: int
    verified: int
    differing: int
    unreadable: int
    blocked: int | msgspec.UnsetType = msgspec.UNSET
    not_applicable: int | msgspec.UnsetType = msgspec.UNSET
    """Of which nothing was asked: Arc servers have no patch mode."""
    filtered_out: int | msgspec.UnsetType = msgspec.UNSET


class VerifyDocument(Edge, frozen=True):
    """`verify -o json`."""

    format: Literal["patchmode/verify/v1"]
    run: str | None
    """Null where a file or a scope was verified."""
    target: TargetRow
    counts: VerifyCounts
    results: tuple[VerifiedRow, ...]
    not_applicable: tuple[LeftOutRow, ...] | msgspec.UnsetType = msgspec.UNSET
    filtered_out: tuple[LeftOutRow, ...] | msgspec.UnsetType = msgspec.UNSET
    not_done: dict[str, int] | msgspec.UnsetType = msgspec.UNSET
    """What else of the run or the plan is not as asked and was not compared: the kind → machines; left out: nothing."""
    notes: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """What a reader must know about how a scope was read; left out: nothing."""
    subscriptions: Subscriptions = msgspec.UNSET
    """What its subscriptions are called; left out where no name is known."""


def verify_counts(report: VerifyReport) -> VerifyCounts:
    """The tally of a verification."""
    verified = sum(entry.verified for entry in report.found)
    blocked = sum(entry.blocked_by is not None for entry in report.found)
    unreadable = sum(entry.unreadable_because is not None for entry in report.found)
    aside = (blocked, len(report.not_applicable), len(report.filtered_out)) if report.is_scope else ()
    return VerifyCounts(
        scope=len(report.found) + len(report.unread) + sum(aside[1:]),
        verified=verified,
        differing=len(report.found) - verified - blocked - unreadable,
        unreadable=unreadable + len(report.unread),
        **dict(zip(("blocked", "not_applicable", "filtered_out"), aside, strict=False)),
    )


def verify_document(report: VerifyReport) -> VerifyDocument:
    """A verification as it is published; `run` is null where a file or a scope was verified."""
    document = VerifyDocument(
        format="patchmode/verify/v1",
        run=report.run,
        target=target_row(report.target),
        counts=verify_counts(report),
        results=tuple(verified_rows(report)),
        not_applicable=left_out_rows(report.not_applicable) if report.is_scope else msgspec.UNSET,
        filtered_out=left_out_rows(report.filtered_out) if report.is_scope else msgspec.UNSET,
        not_done=dict(report.not_done) or msgspec.UNSET,
        notes=report.notes or msgspec.UNSET,
    )
    return with_subscriptions(document, report.target.names)


def verified_rows(report: VerifyReport) -> Iterator[VerifiedRow]:
    """Each machine that was asked about, and each place that could not be read, as it stands in `results`."""
    for entry in report.found:
        by = entry.blocked_by
        yield VerifiedRow(
            id=str(entry.id),
            verified=entry.verified,
            differences=difference_rows(entry.differences),
            unreadable_because=entry.unreadable_because,
            changed_later=tuple(map(_later_row, entry.changed_later)) or msgspec.UNSET,
            reason=msgspec.UNSET if by is None else BlockedRow(rule=by.rule, message=by.reason, fix=by.fix),
        )
    for place in report.unread:
        yield VerifiedRow(id=place.id, verified=False, differences=(), unreadable_because=place.reason)


def _later_row(one: LaterChange) -> LaterRow:
    author = one.author
    return LaterRow(
        **one.difference.members(),
        changed_by=author.changed_by if author else None,
        client_type=author.client_type if author else None,
        timestamp=author.at.isoformat() if author and author.at else None,
    )


_ODD = re.compile(r"[^A-Za-z0-9._-]")
_NAME_LENGTH = 40
EvidenceState = Literal["interrupted", "stopped", "finished"]
EVIDENCE_FORMAT = "patchmode/evidence/v1"
MANIFEST, SUMS = "manifest.json", "SHA256SUMS"


class EvidenceMachineRow(Edge, frozen=True):
    """One machine that the plan changes, and where its documents stand in the pack."""

    id: str
    result: Result
    before: str
    after: str | None
    after_missing: str | None
    """Why there is no document afterwards; null: there is one."""


class EvidenceFileRow(Edge, frozen=True):
    """One file of the pack."""

    path: str
    """With slashes, relative to the manifest."""
    sha256: str
    bytes: int


class ManifestDocument(Edge, frozen=True):
    """`manifest.json`."""

    format: Literal["patchmode/evidence/v1"]
    tool_version: str
    created_at: datetime
    """When the machines were read and the pack was made, UTC."""
    run: str
    state: EvidenceState
    target: TargetRow
    plan_digest: str
    after_from: AfterFrom
    machines: tuple[EvidenceMachineRow, ...]
    files: tuple[EvidenceFileRow, ...]
    """Every file but the manifest itself."""
    digest: str | msgspec.UnsetType = msgspec.UNSET
    """SHA-256, in hex, over this document's canonical text: keys sorted, no white space, without this member."""


def manifest_of(evidence: Evidence, *, run: str, state: str, plan: Plan, tool_version: str) -> ManifestDocument:
    """The manifest of a pack, its files and digest left out.

    Args:
        evidence: what goes into the pack.
        run: the run's id.
        state: of the run; one that says nothing of how it was ended early is `finished`.
        plan: the run's, sealed.
        tool_version: of whoever packs it.
    """
    ended_early = state in {"interrupted", "stopped"}
    return ManifestDocument(
        format="patchmode/evidence/v1",
        tool_version=tool_version,
        created_at=evidence.gathered_at,
        run=run,
        state=cast("EvidenceState", state) if ended_early else "finished",
        target=target_row(plan.target),
        plan_digest=plan.digest,
        after_from=evidence.after_from,
        machines=tuple(map(_machine_row, range(1, len(evidence.machines) + 1), evidence.machines)),
        files=(),
    )


def _machine_row(number: int, machine: MachineEvidence) -> EvidenceMachineRow:
    # The number makes it one of its kind; the name is for whoever looks through the folder.
    folder = f"machines/{number:06}-{_ODD.sub('_', machine.id.name)[:_NAME_LENGTH]}"
    return EvidenceMachineRow(
        id=str(machine.id),
        result=Result(machine.result),
        before=f"{folder}/before.json",
        after=None if machine.after is None else f"{folder}/after.json",
        after_missing=machine.after_missing,
    )


def digest_of(manifest: ManifestDocument) -> str:
    """The digest of a manifest, whatever digest it states."""
    bare = msgspec.structs.replace(manifest, digest=msgspec.UNSET)
    return hashlib.sha256(msgspec.json.encode(bare, order="sorted")).hexdigest()


class EvidenceCheckDocument(Edge, frozen=True):
    """`evidence check -o json`."""

    format: Literal["patchmode/evidence-check/v1"]
    path: str
    run: str
    whole: bool
    digest: str
    """Calculated from the manifest as it stands there."""
    tool_version: str
    files: int
    problems: tuple[EvidenceProblem, ...]


def check_document(check: EvidenceCheck) -> EvidenceCheckDocument:
    """What a check found, as it is published."""
    return EvidenceCheckDocument(
        format="patchmode/evidence-check/v1",
        path=check.path,
        run=check.run,
        whole=not check.problems,
        digest=check.digest,
        tool_version=check.tool_version,
        files=check.files,
        problems=check.problems,
    )
