"""`patchmode/run/v1` and `patchmode/runs/v1`: a run's report and the list of runs; what a journal's rows hold.

Must not: print; the command line does.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal, cast

import msgspec

from patchmode.documents.base import (
    BlockedMachineRow,
    DifferenceRow,
    Edge,
    ErrorRow,
    PatchedByNobodyRow,
    Subscriptions,
    TargetRow,
    UnreadableRow,
    difference_rows,
    error_row,
    nobody_row,
    subscription_rows,
    target_row,
    unreadable_rows,
)
from patchmode.model.guardrails import Halt, typed_values
from patchmode.model.run import ChangeResult, Result, RunCounts, RunReport, RunSummary, Verification, undone_by
from patchmode.model.schedule import AttachEnd, AttachResult
from patchmode.model.target import Target

RUN_FORMAT = "patchmode/run/v1"
RunState = Literal["running", "interrupted", "stopped", "finished", "unreadable"]


class RunCountsRow(Edge, frozen=True):
    """`verified` and `blocked` are counted beside the others, which add up to `scope`."""

    scope: int
    applied: int
    failed: int
    unknown: int
    stale: int
    not_sent: int
    unchanged: int
    skipped: int
    unreadable: int
    verified: int
    blocked: int | msgspec.UnsetType = msgspec.UNSET
    """Those of `skipped` of which something was asked that is not so; left out where nothing was skipped."""


class VerificationRow(Edge, frozen=True):
    """What the provider showed after the change."""

    verified: bool
    differences: tuple[DifferenceRow, ...]
    unreadable_because: str | None


class ResultRow(Edge, frozen=True):
    """One change's end."""

    id: str
    result: Result
    error: ErrorRow | None
    request_id: str | None
    correlation_id: str | None
    started_at: datetime | None
    ended_at: datetime | None
    verification: VerificationRow | None
    changed_since_plan: tuple[DifferenceRow, ...] | msgspec.UnsetType = msgspec.UNSET
    """What had changed on the machine when its PATCH left, in nothing the plan depends on: `expected` is the plan's
    value, `found` the one before the write. Left out where nothing had."""


class AttachmentRow(Edge, frozen=True):
    """What became of attaching the schedule to one machine, or of taking it off."""

    id: str
    result: AttachEnd
    assignment: str | None
    """The assignment's name."""
    rule: str | None
    """With `refused`: the rule that says so."""
    error: ErrorRow | None
    ended_at: datetime | None


class WaveCountsRow(Edge, frozen=True):
    """What became of one wave's changes; the others add up to `changes`."""

    name: str
    changes: int
    applied: int
    failed: int
    unknown: int
    stale: int
    not_sent: int


class RunPartRow(Edge, frozen=True):
    """One of the runs that a report unites."""

    source: str
    """Where it was read."""
    run: str
    """Empty where the shard had nothing to do."""
    shard: str | None
    state: Literal["running", "interrupted", "stopped", "finished"]
    counts: RunCountsRow


class HaltRow(Edge, frozen=True):
    """What held a run back that was stopped."""

    code: str
    because: str
    """Goes on from "it was still to come when"."""
    region: str | None
    """null: the whole run."""


class RunDocument(Edge, frozen=True):
    """`apply -o json`, `runs show -o json` and `runs merge -o json`."""

    format: Literal["patchmode/run/v1"]
    run: str
    state: Literal["running", "interrupted", "stopped", "finished"]
    target: TargetRow
    counts: RunCountsRow
    requests: dict[str, int]
    """HTTP method → requests sent by this run to apply and verify; sign-in, planning and permission checks not
    counted."""
    results: tuple[ResultRow, ...]
    attachments: tuple[AttachmentRow, ...] | msgspec.UnsetType = msgspec.UNSET
    """Left out where the plan attaches and detaches nothing."""
    attach_counts: dict[AttachEnd, int] | msgspec.UnsetType = msgspec.UNSET
    """Result of `attachments` → how many; those of none are left out."""
    waves: tuple[WaveCountsRow, ...] | msgspec.UnsetType = msgspec.UNSET
    """In the order in which they are carried out; left out where the plan has none."""
    shard: str | msgspec.UnsetType = msgspec.UNSET
    """`2/8`; left out where the run took its whole scope."""
    runs: tuple[RunPartRow, ...] | msgspec.UnsetType = msgspec.UNSET
    """The runs that the report unites; left out in the report of one run."""
    missing_shards: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """Beside `runs`: shards of their division of which nothing is told."""
    stopped_by: tuple[HaltRow, ...] | msgspec.UnsetType = msgspec.UNSET
    """Left out where nothing held the run back, and where that is not known."""
    brakes: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    """Option → value, of what holds the run back; left out where it was not written down."""
    subscriptions: Subscriptions = msgspec.UNSET
    """Names of the subscriptions in it, and of others that bear one of these; left out where none is known."""
    blocked: tuple[BlockedMachineRow, ...] | msgspec.UnsetType = msgspec.UNSET
    """Left out where there is none."""
    requests_at_least: bool | msgspec.UnsetType = msgspec.UNSET
    """true: the run sent `requests` and perhaps more, since a process of it was killed or has not ended yet, or an
    earlier version carried it out; left out where `requests` are all."""
    patched_by_nobody: PatchedByNobodyRow | msgspec.UnsetType = msgspec.UNSET
    """Applied and compliant machines that no schedule reached when the run was planned; left out where there is
    none."""
    unreadable: tuple[UnreadableRow, ...] | msgspec.UnsetType = msgspec.UNSET
    """Machines and subscriptions that could not be read when it was planned; left out where there is none."""


class RunRow(Edge, frozen=True):
    """One run of the state folder; most is null where it cannot be read, and `problem` says why."""

    run: str
    state: RunState
    created_at: datetime | None
    changes: int
    ended: int
    rollback_of: str | None
    endpoint: str | None
    tenant_id: str | None
    plan_digest: str | None
    problem: str | None
    undone_by: str | None
    """The newest rollback of it that sent anything."""
    undone_in_part: bool
    """Only some of its machines were rolled back."""
    not_sent: int
    """So many of `ended` ended as not sent: nothing was sent for them."""
    not_begun: int
    """So many had no turn: with `notSent` these are what the run's own report counts as not sent."""


class RunsDocument(Edge, frozen=True):
    """`runs list -o json`, newest first."""

    format: Literal["patchmode/runs/v1"]
    runs: tuple[RunRow, ...]


class Detail(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """What the rows of a journal share; members that a newer version of v1 may add are ignored."""


class DifferenceDetail(Detail, frozen=True):
    """One leaf that is not what it should be, as the model has it: JSON text, or `(absent)`."""

    path: str
    expected: str
    found: str


class VerificationDetail(Detail, frozen=True):
    """What the provider showed after the change."""

    verified: bool
    differences: tuple[DifferenceDetail, ...]
    unreadable_because: str | None


class IntendedDetail(Detail, frozen=True):
    """A PATCH is about to leave."""

    etag: str | None = None
    observed: dict[str, Any] | None = None
    """The machine's document as read just before, where it is neither the plan's nor that of the latest intent; rows of
    older versions leave it out."""
    changed_since_plan: tuple[DifferenceDetail, ...] = ()
    """Beside `observed`: what had changed since the plan; empty: nothing any more."""


class StartedDetail(Detail, frozen=True):
    """The service accepted it."""

    operation_url: str | None = None
    request_id: str | None = None
    correlation_id: str | None = None


class EndedDetail(Detail, frozen=True):
    """The change's end."""

    result: Result
    error: ErrorRow | None = None
    request_id: str | None = None
    correlation_id: str | None = None
    started_at: float | None = None
    verification: VerificationDetail | None = None


class VerifiedDetail(Detail, frozen=True):
    """What a later verification found."""

    verification: VerificationDetail


class AttachEndedDetail(Detail, frozen=True):
    """The end of an attachment; members that a newer version of v1 may add are ignored."""

    result: AttachEnd
    assignment: str | None = None
    rule: str | None = None
    error: ErrorRow | None = None
    fix: str | None = None
    request_id: str | None = None
    correlation_id: str | None = None


def encode_run(report: RunReport, target: Target) -> bytes:
    """`patchmode/run/v1` as compact JSON, members in the published order."""
    return msgspec.json.encode(run_document(report, target))


def run_document(report: RunReport, target: Target) -> RunDocument:
    """The published struct for a run's report."""
    return msgspec.convert(
        {
            "format": "patchmode/run/v1",
            "run": report.run,
            "state": report.state,
            "target": target_row(target),
            "counts": _counts_row(report.counts),
            "requests": report.requests,
            "results": tuple(map(_result_row, report.results)),
            **_attachments(report.attachments),
            **({"waves": tuple(WaveCountsRow(**asdict(one)) for one in report.waves)} if report.waves else {}),
            **({"shard": str(report.shard)} if report.shard else {}),
            **_parts(report),
            **({"stoppedBy": tuple(map(_halt_row, report.halts))} if report.halts else {}),
            **({"requestsAtLeast": True} if report.requests_at_least else {}),
            **({} if report.brakes is None else {"brakes": typed_values(report.brakes)}),
            **({"subscriptions": subscription_rows(target.names)} if target.names.pairs else {}),
            **({} if report.nobody is None else {"patchedByNobody": nobody_row(report.nobody)}),
            **_rest(report),
        },
        RunDocument,
    )


def _halt_row(halt: Halt) -> HaltRow:
    return HaltRow(code=halt.code, because=halt.because, region=halt.region)


def _counts_row(counts: RunCounts) -> RunCountsRow:
    told = asdict(counts)
    if not counts.skipped:
        del told["blocked"]
    return RunCountsRow(**told)


def _rest(report: RunReport) -> dict[str, Any]:
    rows = {
        "blocked": tuple(
            BlockedMachineRow(id=str(one.id), rule=one.rule, reason=one.reason, fix=one.fix) for one in report.blocked
        ),
        "unreadable": unreadable_rows(report.unread),
    }
    return {name: value for name, value in rows.items() if value}


def _parts(report: RunReport) -> dict[str, Any]:
    if not report.parts:
        return {}
    rows = tuple(
        {
            "source": part.source,
            "run": part.run,
            "shard": None if part.shard is None else str(part.shard),
            "state": part.state,
            "counts": _counts_row(part.counts),
        }
        for part in report.parts
    )
    return {"runs": rows, "missingShards": tuple(map(str, report.missing))}


def _attachments(found: Sequence[AttachResult]) -> dict[str, Any]:
    if not found:
        return {}
    return {"attachments": tuple(map(_attachment_row, found)), "attachCounts": attach_counts(found)}


def attach_counts(found: Iterable[AttachResult]) -> dict[AttachEnd, int]:
    """How many attachments ended in which way, in the order of `AttachEnd`; what is nought is left out."""
    tally = Counter(one.result for one in found)
    return {end: tally[end] for end in AttachEnd if tally[end]}


def _attachment_row(one: AttachResult) -> AttachmentRow:
    return AttachmentRow(
        id=one.id,
        result=one.result,
        assignment=one.assignment,
        rule=one.rule,
        error=error_row(one.error),
        ended_at=one.ended_at,
    )


def _result_row(result: ChangeResult) -> ResultRow:
    return ResultRow(
        id=str(result.id),
        result=result.result,
        error=error_row(result.error),
        request_id=result.request_id,
        correlation_id=result.correlation_id,
        started_at=result.started_at,
        ended_at=result.ended_at,
        verification=None if result.verification is None else _verification_row(result.verification),
        changed_since_plan=difference_rows(result.changed_since_plan) or msgspec.UNSET,
    )


def _verification_row(verification: Verification) -> VerificationRow:
    return VerificationRow(
        verified=verification.verified,
        differences=difference_rows(verification.differences),
        unreadable_because=verification.unreadable_because,
    )


def runs_document(runs: Sequence[RunSummary]) -> RunsDocument:
    """The list of runs as it is published.

    Args:
        runs: every run of a state folder, newest first.
    """
    return RunsDocument(format="patchmode/runs/v1", runs=tuple(run_row(one, runs) for one in runs))


def run_row(run: RunSummary, runs: Sequence[RunSummary]) -> RunRow:
    """One run as it stands in `runs`, with those of the others that undid it."""
    undone = undone_by(run, runs)
    return RunRow(
        run=run.run,
        state=cast("RunState", run.state),
        created_at=run.created_at,
        changes=run.changes,
        ended=run.ended,
        rollback_of=run.rollback_of,
        endpoint=run.target.endpoint if run.target else None,
        tenant_id=run.target.tenant_id if run.target else None,
        plan_digest=run.digest,
        problem=run.problem,
        undone_by=undone[0].run if undone else None,
        undone_in_part=bool(undone) and all(one.only for one in undone),
        not_sent=run.not_sent,
        not_begun=run.not_begun,
    )
