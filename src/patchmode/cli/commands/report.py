"""`patchmode report`: where the record comes from, and where the report goes."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from patchmode.cli import exits
from patchmode.cli.choices import FILE, RUN
from patchmode.cli.group import Command
from patchmode.cli.options import FORMATS, REPORT_FORMATS, longest_wait_option, scope_options, settings_options
from patchmode.cli.settings import Settings, settings_of
from patchmode.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from patchmode.cli.output import Result
    from patchmode.model.patch_settings import WantedSettings
    from patchmode.model.plan import Plan
    from patchmode.model.record import Record
    from patchmode.model.run import RunReport
    from patchmode.model.scope import Scope
    from patchmode.model.target import Target


@click.command(cls=Command, formats=(*FORMATS, *REPORT_FORMATS))
@scope_options
@settings_options
@longest_wait_option
@click.option(
    "--run", type=RUN, metavar="RUN", help="What a run did, by its journal: its id, its beginning, or latest."
)
@click.option(
    "--from",
    "source",
    type=FILE,
    metavar="FILE|-",
    help="What `audit -o json` or `apply -o json` printed; - reads stdin.",
)
@click.option(
    "--out", type=FILE, metavar="FILE", help="Where to write it; without -o the name's ending gives the format."
)
@click.option("--exit-zero", is_flag=True, help="Exit with 0 once the report is written, whatever it shows.")
@click.pass_context
def command(
    context: click.Context,
    /,
    run: str | None,
    source: str | None,
    out: str | None,
    exit_zero: bool,
    longest_wait: str,
    **options: Any,
) -> exits.Exit:
    """One audit or run as HTML, Excel, Markdown, JUnit, SARIF, metrics, CSV or JSON.

    The report shows an audit of the current state of a scope (without a scope: everything that you can see), what a run
    changed and verified (--run), or a document that was saved earlier (--from), which needs no sign-in. Every format
    holds the same machines and findings. The file is written completely or not at all.
    """
    from patchmode.cli.scoping import scope_from, set_ambient_shard_aside, wait_from, wanted_from
    from patchmode.errors import UsageError

    settings = settings_of(context)
    if run is not None or source is not None:
        set_ambient_shard_aside(context, options)
        if any(options.values()) or (run is not None and source is not None):
            raise UsageError(
                "--run and --from hold their own machines and settings, so neither can be combined with the other, a "
                "scope, a filter or a setting.",
                advice="Give a scope, --run or --from.",
            )
    form = format_asked(settings, out)
    if run is not None:
        told = of_run(run, settings)
    elif source is not None:
        told = of_file(source)
    else:
        wanted = wanted_from(options)
        told = of_scope(scope_from(options), wanted, settings, longest_wait=wait_from(longest_wait))
    tell(told, form, out, settings)
    return exits.of_listing() if exit_zero else told.code


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
    from patchmode.documents.audit import audit_document
    from patchmode.reports.formats.audit_record import audit_record
    from patchmode.rules.registry import rule_texts

    if not scope.has_selector:
        scope = replace(scope, everything=True)

    report = run_reading(lambda: composition.audited(settings, scope, wanted=wanted, longest_wait=longest_wait))
    record = audit_record(audit_document(report), rule_texts())
    return Told(record, exits.of_audit(report.counts), audit_result(report, again=_audited_again(settings)))


def _audited_again(settings: Settings) -> "Sequence[str] | None":
    """Words of the audit that the report tells; None: they cannot be pasted, or the report has options of its own."""
    words = settings.again(instead_of="report", by="audit") or ()
    own = ("--out", "--exit-zero", "--from")
    return None if not words or any(word.split("=")[0] in own for word in words) else words


def of_run(run: str, settings: Settings) -> Told:
    """A run's journal.

    Raises:
        PatchmodeError: as `runs show`.
    """
    from patchmode.cli import composition
    from patchmode.workflow.run.report import report_of

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
    from patchmode.documents.audit import AUDIT_FORMAT
    from patchmode.documents.run import RUN_FORMAT
    from patchmode.reports.formats.audit_record import audit_record
    from patchmode.reports.formats.registry import read_audit
    from patchmode.rules.registry import rule_texts
    from patchmode.store.runs import decode_report, format_of

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
    what = f"is {found}" if found else "is not a JSON document of patchmode"
    msg = f"{source} {what}; a report is made of {AUDIT_FORMAT} or {RUN_FORMAT}."
    raise RefusedError(msg, advice="`patchmode audit -o json` and `patchmode runs show RUN -o json` print them.")


def run_told(report: "RunReport", target: "Target", plan: "Plan | None") -> Told:
    """A run's report; `plan` where it is at hand."""
    from patchmode.cli.results import run_result
    from patchmode.documents.run import run_document
    from patchmode.reports.formats.run_record import run_record
    from patchmode.rules.registry import rule_texts

    record = run_record(report, target, rule_texts(), document=run_document(report, target), plan=plan)
    return Told(record, exits.of_shown_run(report), run_result(report, target))


def format_asked(settings: Settings, out: str | None) -> str:
    """The report's format: `-o`, else what the file's name asks for, else a table.

    Raises:
        UsageError: it cannot go where it would.
    """
    from patchmode.reports.formats.registry import format_of

    form = settings.output or (out and format_of(out)) or settings.format
    if out is None and form == BINARY and sys.stdout.isatty():
        raise UsageError("An Excel workbook cannot be shown on a terminal.", advice="Name a file: --out report.xlsx")
    if settings.query and (out is not None or form not in FORMATS):
        msg = "--query selects from the JSON for standard output, and a report is written whole."
        raise UsageError(msg, advice="Omit --query, or omit --out and the report's format.")
    if out is not None and form in {"table", "jsonl"}:
        raise UsageError(
            f"--out {out} does not say which format it is to have.",
            advice=f"Give -o {', '.join(REPORT_FORMATS)}, csv, tsv, yaml or json, or a name with such an ending.",
        )
    return form


def tell(told: Told, form: str, out: str | None, settings: Settings) -> None:
    """Write a report to its file, whole or not at all, or to standard output.

    Raises:
        StorageError: the file cannot be written. UsageError: a saved audit has no table.
    """
    from patchmode.cli.output import Result, emit, say
    from patchmode.reports.formats.registry import pieces
    from patchmode.store.files import PRIVATE_FILE, READABLE_FILE, buffered, write_named

    if out is not None:
        # The collector that picks up metrics is another user's program; they name no machine.
        mode = READABLE_FILE if form == "prometheus" else PRIVATE_FILE
        write_named(Path(out), buffered(pieces(told.record, form)), mode=mode)
        say(f"Report: {out} ({form})", settings)
    elif settings.query:
        emit(Result(told.record.document, lambda _: (), lambda: (), ()), settings)
    elif form in {"table", "jsonl"}:
        if told.result is None:
            raise UsageError(
                "A saved audit cannot be shown as a table or as lines.",
                advice="Give another format, such as -o markdown.",
            )
        emit(told.result, settings)
    else:
        for piece in pieces(told.record, form):
            sys.stdout.buffer.write(piece)
        sys.stdout.flush()


def _content(name: str) -> bytes:
    from patchmode.cli.texts import decoded

    try:
        # PowerShell's `>` writes UTF-16.
        return decoded(sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()).encode()
    except OSError as error:
        from patchmode.store.files import meant

        what = f"could not read {name}: {error.strerror or error}."
        raise UsageError(what, advice=f"{meant(Path(name))}Check the path.") from error
