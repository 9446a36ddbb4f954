"""A run's report as its published JSON document.

Must not: print; the command line does.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from patchmode.documents.base import subscription_rows
from patchmode.documents.plan_and_run import (
    AttachmentRow,
    BlockedMachineRow,
    DifferenceRow,
    HaltRow,
    ResultRow,
    RunCountsRow,
    RunDocument,
    UnreadableRow,
    VerificationRow,
    WaveCountsRow,
)
from patchmode.model.guardrails import Halt, typed_values
from patchmode.model.run import ChangeResult, RunCounts, RunReport, Verification
from patchmode.model.schedule import AttachEnd, AttachResult
from patchmode.model.target import Target
from patchmode.store.journal_rows import error_row
from patchmode.store.plan_documents import target_row


def encode_run(report: RunReport, target: Target) -> bytes:
    """`patchmode/run/v1` as compact JSON, members in the published order."""
    return msgspec.json.encode(run_to_document(report, target))


def run_to_document(report: RunReport, target: Target) -> RunDocument:
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
        "blocked": tuple(BlockedMachineRow(str(one.id), one.rule, one.reason, one.fix) for one in report.blocked),
        "unreadable": tuple(UnreadableRow(one.id, one.reason) for one in report.unread),
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
        error=None if one.error is None else error_row(one.error),
        ended_at=one.ended_at,
    )


def _result_row(result: ChangeResult) -> ResultRow:
    return ResultRow(
        id=str(result.id),
        result=result.result,
        error=None if result.error is None else error_row(result.error),
        request_id=result.request_id,
        correlation_id=result.correlation_id,
        started_at=result.started_at,
        ended_at=result.ended_at,
        verification=None if result.verification is None else _verification_row(result.verification),
        changed_since_plan=tuple(DifferenceRow(**one.members()) for one in result.changed_since_plan) or msgspec.UNSET,
    )


def _verification_row(verification: Verification) -> VerificationRow:
    return VerificationRow(
        verified=verification.verified,
        differences=tuple(DifferenceRow(**one.members()) for one in verification.differences),
        unreadable_because=verification.unreadable_because,
    )
