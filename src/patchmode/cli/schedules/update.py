"""`patchmode schedule update`. Must not: send anything that was not shown."""

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from patchmode.cli import exits
from patchmode.cli.choices import SCHEDULE, Fixed
from patchmode.cli.group import Command
from patchmode.cli.schedules.options import REBOOTS, linux_classifications_option, windows_classifications_option
from patchmode.cli.settings import Settings, settings_of

if TYPE_CHECKING:
    from patchmode.model.report import CreateReport
    from patchmode.model.target import Target
    from patchmode.workflow.schedules.creating import Update


@click.command(cls=Command, name="update")
@click.argument("config", type=SCHEDULE, metavar="CONFIG")
@click.option(
    "--start", metavar="'YYYY-MM-DD hh:mm'", help="Its first day, and the time of day; no window starts before."
)
@click.option("--duration", metavar="HH:mm", help="01:30 to 03:55.")
@click.option("--time-zone", metavar="NAME", help="Windows' name: 'W. Europe Standard Time', UTC.")
@click.option("--recur", metavar="RULE", help="For example 'Month Second Tuesday Offset4'.")
@click.option("--expires", metavar="'YYYY-MM-DD hh:mm'", help="No window starts afterwards; 'never' for no end.")
@click.option("--reboot", "restart", type=Fixed(REBOOTS), help="Whether machines restart.")
@click.option(
    "--classifications",
    multiple=True,
    metavar="LIST",
    help="Updates to install, separated by commas; each applies to the operating systems that have it.",
)
@windows_classifications_option
@linux_classifications_option
@click.option("--kb-include", multiple=True, metavar="LIST", help="Windows: updates to install; 'none' for no list.")
@click.option("--kb-exclude", multiple=True, metavar="LIST", help="Windows: updates to exclude; 'none' for no list.")
@click.option("--package-include", multiple=True, metavar="LIST", help="Linux: masks to install; 'none' for no list.")
@click.option("--package-exclude", multiple=True, metavar="LIST", help="Linux: masks to exclude; 'none' for no list.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def command(context: click.Context, /, config: str, yes: bool, **options: Any) -> exits.Exit:
    """Change a schedule's window, or what it installs.

    CONFIG is its id, its name, or GROUP/NAME. What no option names stays as it is; a list that is given replaces the
    one that is there. The command shows the difference and how many machines have the schedule, asks, changes it,
    reads it back, and prints the command that undoes it.
    """
    from patchmode.cli import composition
    from patchmode.cli.confirming import tell_banner
    from patchmode.cli.output import say
    from patchmode.cli.schedules.attaching import ask_for_count, previewed, show, written
    from patchmode.cli.schedules.undoing import tell_update_undo
    from patchmode.cli.schedules.wishes import changed_by, nothing_wished
    from patchmode.cli.terminal import is_answered
    from patchmode.reports.names import MachineNames
    from patchmode.reports.text.layout import plural
    from patchmode.workflow.schedules.creating import check_forms, create, draft_update

    settings = settings_of(context)
    check_forms(changed_by(options, nothing_wished())[0])  # a slip is told before anything is read
    update, principals, target = previewed(
        lambda azure: draft_update(azure, config, lambda wish: changed_by(options, wish), clock=composition.clock()),
        settings,
    )
    drafted = update.drafted
    tell_banner(principals, target, settings)
    if not drafted.is_unchanged:
        show(lambda paint: _preview(update, target, paint), settings)
        names = MachineNames.of(target, [drafted.wish.id])
        for warning in filter(None, (drafted.lost_windows, *update.warnings)):
            say(names.named(f"! {warning}"), settings)
        what = f"{names.short(drafted.wish.id)}, which {plural(update.touched, 'machine has', 'machines have')}"
        if yes or not is_answered():
            say(f"Change {what}.", settings)
        ask_for_count(f"Change {what}?", update.touched, f"changes {what}", yes=yes)

    report = written(lambda azure: create(azure, drafted, is_update=True), settings, is_unchanged=drafted.is_unchanged)
    code = _told(dataclasses.replace(report, target=target), update, settings)
    tell_update_undo(drafted, settings)
    return code


def _preview(update: "Update", target: "Target", paint: Any) -> Any:
    from patchmode.cli.schedules.attaching import drafted_lines
    from patchmode.reports.text.attachments import reached_lines

    yield from drafted_lines(update.drafted, target, paint=paint)
    yield from reached_lines(update.now, update.then, paint=paint)


def _told(report: "CreateReport", update: "Update", settings: Settings) -> exits.Exit:
    from patchmode.cli.output import Result, emit
    from patchmode.documents.attachments import update_document
    from patchmode.reports.text.attachments import create_lines

    document = update_document(report, update.now, update.then, update.notes)
    emit(
        Result(
            document=document,
            lines=lambda paint: create_lines(report, paint=paint),
            rows=lambda: [document],
            columns=("id", "result", "members", "windows", "differences"),
        ),
        settings,
    )
    return exits.of_comparison(len(report.differences))
