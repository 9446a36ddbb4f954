"""Where a report's record comes from, and where the report goes.

Must not: tell anything itself; the reports do.
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from patchmode.cli import exits
from patchmode.cli.options import FORMATS
from patchmode.cli.settings import Settings
from patchmode.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from datetime import timedelta

    from patchmode.cli.output import Result
    from patchmode.model.outcome import RunReport
    from patchmode.model.plan import Plan, WantedSettings
    from patchmode.model.record import Record
    from patchmode.model.report import AuditReport
    from patchmode.model.scope import Scope
    from patchmode.model.target import Target

BINARY = "xlsx"


@dataclass(frozen=True, slots=True)
class Told:
    """A record, and what it says besides."""

    record: "Record"
    code: exits.Exit
    """The exit code of the command that made it."""
    result: "Result | None"
    """For `table` and `jsonl`; None: the record was read from a saved audit, which has only its document."""


def of_scope(scope: "Scope", wanted: "WantedSettings", settings: Settings, *, longest_wait: "timedelta") -> Told:
    """A live audit.

    Raises:
        PatchmodeError: as `audit`.
    """
    from patchmode.cli import composition
    from patchmode.cli.results import audit_result
    from patchmode.cli.running import run_reading
    from patchmode.reports.audit_document import audit_document
    from patchmode.reports.audit_record import audit_record
    from patchmode.rules.rule_texts import rule_texts
    from patchmode.workflow.auditing import audit

    if not scope.has_selector:
        scope = replace(scope, everything=True)

    async def work() -> "AuditReport":
        async with composition.connected(settings, read_only=True) as azure:
            return await audit(azure, scope, wanted=wanted, clock=composition.clock(), longest_wait=longest_wait)

    report = run_reading(work)
    record = audit_record(audit_document(report), rule_texts())
    return Told(record, exits.of_audit(report.counts), audit_result(report))


def of_run(run: str, settings: Settings) -> Told:
    """A run's journal.

    Raises:
        PatchmodeError: as `runs show`.
    """
    from patchmode.cli import composition
    from patchmode.workflow.runs import report_of

    journal = composition.run_store(settings).open(run)
    try:
        return run_told(report_of(journal), journal.plan.target, journal.plan)
    finally:
        journal.release()


def of_file(name: str) -> Told:
    """What `audit -o json` or a command that carries a plan out printed.

    Raises:
        UsageError: the file cannot be read. RefusedError: it is neither, or of a version not known here.
    """
    from patchmode.reports.audit_record import audit_record
    from patchmode.reports.saved import AUDIT_FORMAT, read_audit
    from patchmode.rules.rule_texts import rule_texts
    from patchmode.store.formats import RUN_FORMAT
    from patchmode.store.run_parts import decode_report, format_of

    content = _content(name)
    source = "standard input" if name == "-" else name
    found = format_of(content)
    if found == AUDIT_FORMAT:
        document = read_audit(content, name=source)
        return Told(audit_record(document, rule_texts()), exits.of_audit(document.counts), None)
    if found == RUN_FORMAT:
        report = decode_report(content, name=source).report
        assert report.target is not None  # noqa: S101 - a report that was read names its target
        return run_told(report, report.target, None)
    what = f"is {found}" if found else "is no JSON document of patchmode"
    msg = f"{source} {what}; a report is made of {AUDIT_FORMAT} or {RUN_FORMAT}."
    raise RefusedError(msg, advice="`patchmode audit -o json` and `patchmode runs show RUN -o json` print them.")


def run_told(report: "RunReport", target: "Target", plan: "Plan | None") -> Told:
    """A run's report; `plan` where it is at hand."""
    from patchmode.cli.results import run_result
    from patchmode.reports.run_record import run_record
    from patchmode.rules.rule_texts import rule_texts
    from patchmode.store.run_rows import run_to_document

    record = run_record(report, target, rule_texts(), document=run_to_document(report, target), plan=plan)
    return Told(record, exits.of_shown_run(report), run_result(report, target))


def format_asked(settings: Settings, out: str | None) -> str:
    """The report's format: `-o`, else what the file's name asks for, else a table.

    Raises:
        UsageError: it cannot go where it would.
    """
    from patchmode.reports.formats import format_of

    form = settings.output or (out and format_of(out)) or settings.format
    if out is None and form == BINARY and sys.stdout.isatty():
        raise UsageError("A workbook is no text for a terminal.", advice="Name a file: --out report.xlsx")
    if settings.query and (out is not None or form not in FORMATS):
        msg = "--query selects from the JSON for standard output, and a report is told whole."
        raise UsageError(msg, advice="Leave --query away, or --out and the report's format.")
    if out is not None and form in {"table", "jsonl"}:
        raise UsageError(
            f"--out {out} does not say which format it is to have.",
            advice="Give -o html, markdown, xlsx, junit, sarif, prometheus, csv or json, or a name that ends so.",
        )
    return form


def tell(told: Told, form: str, out: str | None, settings: Settings) -> None:
    """Write a report to its file, whole or not at all, or to standard output.

    Raises:
        StorageError: the file cannot be written. UsageError: a saved audit has no table.
    """
    from patchmode.cli.output import Result, emit, say
    from patchmode.reports.formats import pieces
    from patchmode.store.atomic import PRIVATE_FILE, READABLE_FILE, buffered, write_whole

    if out is not None:
        # The collector that picks up metrics is another user's program; they name no machine.
        mode = READABLE_FILE if form == "prometheus" else PRIVATE_FILE
        write_whole(Path(out), buffered(pieces(told.record, form)), mode=mode)
        say(f"Report: {out} ({form})", settings)
    elif settings.query:
        emit(Result(told.record.document, lambda _: (), lambda: (), ()), settings)
    elif form in {"table", "jsonl"}:
        if told.result is None:
            raise UsageError("A saved audit has no table and no lines.", advice="Give another -o, such as markdown.")
        emit(told.result, settings)
    else:
        for piece in pieces(told.record, form):
            sys.stdout.buffer.write(piece)
        sys.stdout.flush()


def _content(name: str) -> bytes:
    from patchmode.cli.scoping import decoded

    try:
        # PowerShell's `>` writes UTF-16.
        return decoded(sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()).encode()
    except OSError as error:
        raise UsageError(f"could not read {name}: {error.strerror or error}.", advice="Check the path.") from error
