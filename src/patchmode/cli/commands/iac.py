"""`patchmode iac`: files of other tools that declare machines. Must not: sign in, or read Azure."""

import sys
from typing import TYPE_CHECKING

import click

from patchmode.cli import exits
from patchmode.cli.group import Command, Group
from patchmode.cli.options import FORMATS
from patchmode.cli.settings import Settings, settings_of
from patchmode.errors import EmptyScopeError, RefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from patchmode.cli.output import Result
    from patchmode.model.iac import IacFinding, IacReport, SourceFile, UnreadSource

SARIF = "sarif"
_FLAT = ("csv", "csv-excel", "tsv")


@click.group(cls=Group, name="iac")
def command() -> None:
    """Terraform, Bicep, ARM, Ansible and Pulumi files that would set machines back.

    Nobody is signed in, and nothing is read from Azure.
    """


@command.command("check", cls=Command, formats=(*FORMATS, SARIF))
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--fix", is_flag=True, help="Add or correct both settings where an edit of one block is safe: shows a diff, asks."
)
@click.option("--yes", is_flag=True, help="With --fix: edit without asking.")
@click.option("--accept-unknown", is_flag=True, help="Do not end with 10 because of values that the files do not show.")
@click.pass_context
def check(context: click.Context, /, paths: tuple[str, ...], fix: bool, yes: bool, accept_unknown: bool) -> exits.Exit:
    """Which lines would set a machine back, replace it, or create it unprepared.

    PATH is a file or a folder. Read are Terraform's configuration, and its plans and states as JSON (`terraform show
    -json`); Bicep files and ARM templates; tasks of Ansible; Pulumi YAML and exported stacks. A value that is a
    variable or a parameter is looked up in defaults, files of values and calls of modules; what they do not show is
    not known, and never guessed. Give all folders of a configuration at once.
    """
    from patchmode.cli.output import emit
    from patchmode.cli.terminal import require_answers
    from patchmode.rules.iac.findings import NOT_KNOWN

    settings = settings_of(context)
    if yes and not fix:
        raise UsageError("--yes answers the question of --fix, which was not given.", advice="Omit --yes.")
    if fix and not yes:
        require_answers("Give --yes to edit without being asked, or omit --fix.")
    report, contents = _checked(paths)
    if settings.output == SARIF:
        _write_sarif(report, settings)
    else:
        emit(_result(report, is_flat=settings.output in _FLAT), settings)
    left: Sequence[IacFinding] = report.findings
    if fix:
        left = _fixed(report, contents, settings, yes=yes)
    counted = [one for one in left if not (accept_unknown and one.rule == NOT_KNOWN.id)]
    return exits.of_findings(bool(counted) or bool(report.unread))


def _checked(paths: "Sequence[str]") -> "tuple[IacReport, Mapping[str, bytes]]":
    """The report, and the content of each file that may be edited.

    Raises:
        UsageError: a path does not exist, or the parsers are not installed. EmptyScopeError: there is no file to read.
    """
    from patchmode.rules.iac.reading import ENDINGS, HCL_ENDINGS, report_of
    from patchmode.rules.iac.syntax import check_parsers
    from patchmode.store.source_files import source_files

    check_parsers()
    unread: list[UnreadSource] = []
    contents: dict[str, bytes] = {}

    def kept(file: "SourceFile") -> "SourceFile":
        if file.path.endswith(HCL_ENDINGS):
            contents[file.path] = file.content
        return file

    report = report_of(paths, map(kept, source_files(paths, ENDINGS, unread)), unread)
    if not report.files and not report.unread:
        msg = f"There is no file to read below {', '.join(paths)}."
        raise EmptyScopeError(msg, advice=f"Name files or folders with {', '.join(ENDINGS)}.")
    return report, contents


def _result(report: "IacReport", *, is_flat: bool) -> "Result":
    """The result; `is_flat` where a row has no member but its columns, so that the lines to write are part of `fix`."""
    import msgspec

    from patchmode.cli.output import Result
    from patchmode.documents.iac import IAC_COLUMNS, iac_document
    from patchmode.reports.text.iac import iac_lines

    document = iac_document(report)
    flat = [msgspec.structs.replace(one, fix="\n".join((one.fix, *one.keep))) for one in document.findings]
    return Result(
        document=document,
        lines=lambda paint: iac_lines(report, paint=paint),
        rows=lambda: flat if is_flat else document.findings,
        columns=IAC_COLUMNS,
    )


def _write_sarif(report: "IacReport", settings: Settings) -> None:
    """SARIF on standard output.

    Raises:
        UsageError: `--query` is given, which is about the JSON result.
    """
    from patchmode.reports.formats import structured
    from patchmode.reports.formats.sarif import sarif_of_files
    from patchmode.rules.registry import rule_texts

    if settings.query:
        raise UsageError("--query selects from the JSON result, and SARIF is written whole.", advice="Give -o json.")
    structured.write_json(sarif_of_files(report, rule_texts()), sys.stdout)
    sys.stdout.flush()


def _fixed(
    report: "IacReport", contents: "Mapping[str, bytes]", settings: Settings, *, yes: bool
) -> "Sequence[IacFinding]":
    """Edit the files, after a question unless `yes`.

    Returns:
        The findings that are left.

    Raises:
        RefusedError: answered no. StorageError: a file cannot be written.
    """
    from patchmode.cli.output import paint_for, say
    from patchmode.cli.terminal import said_yes
    from patchmode.reports.text.iac import diff_lines, fixed_text
    from patchmode.reports.text.layout import plural
    from patchmode.rules.iac.keeping import safe_edits
    from patchmode.store.source_files import edited, write_edited

    edits, left = safe_edits(report.findings)
    if not edits:
        if report.findings:
            say("No file was edited: no edit of one block solves any of these findings.", settings)
        return left
    after = {path: edited(contents[path], of_file) for path, of_file in edits.items()}
    if not (yes and settings.quiet):
        paint = paint_for(sys.stderr, settings)
        for path, text in after.items():
            for line in diff_lines(path, contents[path], text, paint=paint):
                click.echo(line, err=True)
    if not yes and not said_yes(f"Edit {plural(len(after), 'file')}?"):
        raise RefusedError("No file was edited.")
    for path, text in after.items():
        write_edited(path, contents[path], text)
    say(fixed_text(tuple(after), len(left)), settings)
    return left
