"""From each workflow's value to a `Result`: document, table, rows.

Must not: decide exit codes; the commands do.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from patchmode.cli.output import Result, as_values
from patchmode.model.live_check import LiveCheckReport
from patchmode.model.plan import Plan
from patchmode.model.report import AuditReport, Diagnosis, Explanation, VerifyReport
from patchmode.model.run import RunReport, RunSummary
from patchmode.model.target import Target

if TYPE_CHECKING:
    from patchmode.reports.text.summary import SummaryBy

_RUN_COLUMNS = (
    "id",
    "result",
    "code",
    "message",
    "advice",
    "verified",
    "requestId",
    "correlationId",
    "startedAt",
    "endedAt",
)
_PLAN_COLUMNS = ("end", "id", "rule", "reason", "outcomeBefore", "outcomeAfter", "reversible", "body")


def audit_result(report: AuditReport, by: "SummaryBy | None" = None, *, again: Sequence[str] | None = None) -> Result:
    """An audit; `by`: what its summary counts by; `again`: words of the command, None where it cannot be pasted."""
    from patchmode.documents.audit import CSV_COLUMNS, audit_document, machine_rows
    from patchmode.reports.text.audit import audit_lines

    return Result(
        document=lambda: audit_document(report),
        lines=lambda paint: audit_lines(report, paint=paint, by=by, again=again),
        rows=lambda: machine_rows(report),
        columns=CSV_COLUMNS,
    )


def plan_result(plan: Plan, by: "SummaryBy | None" = None, *, again: Sequence[str] | None = None) -> Result:
    """A plan.

    Args:
        plan: the plan.
        by: what its summary counts by; None: as the terminal has room.
        again: words of the command that makes it once more; None: there is none that could be pasted.

    Raises:
        BrokenPlanError: it holds what no plan may hold.
    """
    import msgspec

    from patchmode.reports.text.plan import plan_lines
    from patchmode.reports.text.run import wish_lines
    from patchmode.store.plan_file import check_plan, encode_plan, plan_pieces

    check_plan(plan, name="the new plan", counts=None)
    # What is printed is what would be written, digest included, so that it can be kept and applied.
    return Result(
        document=lambda: msgspec.json.decode(encode_plan(plan)[0]),
        lines=lambda paint: chain(plan_lines(plan, paint=paint, by=by, again=again), wish_lines(plan, paint=paint)),
        rows=lambda: _plan_rows(plan),
        columns=_PLAN_COLUMNS,
        text=lambda: plan_pieces(plan),
    )


def _plan_rows(plan: Plan) -> Iterable[dict[str, Any]]:
    import msgspec

    from patchmode.documents.plan import change_row, plan_document

    def values(document: Any) -> Any:
        return msgspec.json.decode(msgspec.json.encode(document, order="sorted"))

    for change in plan.changes:
        yield {"end": "change", **values(change_row(change))}
    rest = values(plan_document(plan, with_changes=False))
    for end in ("unchanged", "skipped", "unreadable"):
        for row in rest[end]:
            yield {"end": end, **row}


def run_result(
    report: RunReport,
    target: Target,
    *,
    tells_not_done: bool = True,
    names_not_touched: bool = True,
    is_past: bool = False,
) -> Result:
    """A run.

    Args:
        report: the run.
        target: where it was carried out.
        tells_not_done: whether its text ends with what is not as asked; the caller says it later otherwise.
        names_not_touched: whether its text names the machines that the run never was to change, with the reason.
        is_past: it had ended before this command, which did nothing to it; its text begins with that.
    """
    from patchmode.documents.run import run_document
    from patchmode.reports.text.run import past_lines, run_lines

    return Result(
        document=lambda: run_document(report, target),
        lines=lambda paint: chain(
            past_lines(report, paint=paint) if is_past else (),
            run_lines(report, target, paint=paint, tells_not_done=tells_not_done, names_not_touched=names_not_touched),
        ),
        rows=lambda: _run_rows(report, target),
        columns=_RUN_COLUMNS,
    )


def verification_result(report: VerifyReport, by: "SummaryBy | None" = None) -> Result:
    """A verification; `by`: what its summary counts by."""
    from patchmode.documents.verification import verify_document
    from patchmode.reports.text.verification import CSV_COLUMNS, csv_rows, verification_lines

    return Result(
        document=lambda: verify_document(report),
        lines=lambda paint: verification_lines(report, paint=paint, by=by),
        rows=lambda: csv_rows(report),
        columns=CSV_COLUMNS,
    )


def _run_rows(report: RunReport, target: Target) -> Iterable[dict[str, Any]]:
    from patchmode.documents.run import run_document

    for row in map(as_values, run_document(report, target).results):
        error, verification = row["error"] or {}, row["verification"] or {}
        told = {name: error.get(name) for name in ("code", "message", "advice")}
        yield {**row, **told, "verified": verification.get("verified")}


def live_check_result(report: LiveCheckReport) -> Result:
    """A live check."""
    from patchmode.documents.live_check import live_check_document
    from patchmode.reports.text.live_check import CSV_COLUMNS, live_check_lines

    document = live_check_document(report)
    return Result(
        document=document,
        lines=lambda paint: live_check_lines(report, paint=paint),
        rows=lambda: document.switches,
        columns=CSV_COLUMNS,
    )


def runs_result(runs: tuple[RunSummary, ...]) -> Result:
    """The list of runs, the oldest first as the store has them; told newest first in every format."""
    from patchmode.documents.run import runs_document
    from patchmode.reports.text.run import runs_lines

    newest_first = runs[::-1]
    document = runs_document(newest_first)
    return Result(
        document=document,
        lines=lambda paint: runs_lines(newest_first, paint=paint),
        rows=lambda: document.runs,
        columns=(
            "run",
            "state",
            "createdAt",
            "changes",
            "ended",
            "rollbackOf",
            "endpoint",
            "tenantId",
            "problem",
            "undoneBy",
            "notSent",
        ),
    )


def explanation_result(explanation: Explanation) -> Result:
    """One machine in full."""
    from patchmode.documents.audit import CSV_COLUMNS, explain_document
    from patchmode.reports.text.audit import explanation_lines

    document = explain_document(explanation)
    return Result(
        document=document,
        lines=lambda paint: explanation_lines(explanation, paint=paint),
        rows=lambda: (document.machine,),
        columns=CSV_COLUMNS,
    )


def diagnosis_result(diagnosis: Diagnosis) -> Result:
    """Doctor's answer."""
    from patchmode.documents.access import doctor_document
    from patchmode.reports.text.doctor import diagnosis_lines

    document = doctor_document(diagnosis)
    return Result(
        document=document,
        lines=lambda paint: diagnosis_lines(diagnosis, paint=paint),
        rows=lambda: document.subscriptions,
        columns=("id", "name", "state", "missingActions", "readOnlyLocks", "otherLocks", "notes"),
    )
