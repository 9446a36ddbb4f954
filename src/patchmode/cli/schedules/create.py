"""`patchmode schedule create`. Must not: write over a schedule unless told to."""

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from patchmode.cli import exits
from patchmode.cli.choices import GROUP, SUBSCRIPTION, Fixed
from patchmode.cli.group import Command
from patchmode.cli.schedules.options import REBOOTS, linux_classifications_option, windows_classifications_option
from patchmode.cli.settings import settings_of

if TYPE_CHECKING:
    from patchmode.ports.azure import Azure
    from patchmode.workflow.schedules.creating import ConfigurationDraft

_NO_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"


@click.command(cls=Command, name="create")
@click.argument("name", metavar="NAME")
@click.option(
    "-s", "--subscription", "place", required=True, type=SUBSCRIPTION, metavar="ID|NAME", help="Its subscription."
)
@click.option("-g", "--resource-group", "group", required=True, type=GROUP, metavar="NAME", help="Its resource group.")
@click.option(
    "--location",
    "region",
    required=True,
    metavar="REGION",
    help="Its region; its machines may be in any.",
)
@click.option("--start", required=True, metavar="'YYYY-MM-DD hh:mm'", help="Its first day, and the time of day.")
@click.option("--duration", required=True, metavar="HH:mm", help="01:30 to 03:55.")
@click.option("--time-zone", required=True, metavar="NAME", help="Windows' name: 'W. Europe Standard Time', UTC.")
@click.option("--recur", required=True, metavar="RULE", help="For example 'Month Second Tuesday Offset4'.")
@click.option("--expires", metavar="'YYYY-MM-DD hh:mm'", help="No window starts afterwards (default: never).")
@click.option(
    "--reboot",
    "restart",
    type=Fixed(REBOOTS),
    default="IfRequired",
    show_default=True,
    help="Whether machines restart.",
)
@click.option(
    "--classifications",
    multiple=True,
    metavar="LIST",
    help="Updates to install, separated by commas (default: Critical,Security); each applies to the operating systems "
    "that have it.",
)
@windows_classifications_option
@linux_classifications_option
@click.option("--kb-include", multiple=True, metavar="LIST", help="Windows: updates to install, separated by commas.")
@click.option("--kb-exclude", multiple=True, metavar="LIST", help="Windows: updates to exclude.")
@click.option("--package-include", multiple=True, metavar="LIST", help="Linux: package name masks to install.")
@click.option("--package-exclude", multiple=True, metavar="LIST", help="Linux: package name masks to exclude.")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag of the schedule itself.")
@click.option("--replace", is_flag=True, help="Replace an existing schedule of that name; its assignments stay.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def command(context: click.Context, /, replace: bool, yes: bool, place: str, **options: Any) -> exits.Exit:
    """Create a schedule, checked before and read back after.

    The command shows what will be sent and the first three windows, and asks. An existing schedule of that name that is
    already as asked is not changed. One that differs is refused without --replace; with it the difference is shown.
    """
    from patchmode.cli.confirming import tell_banner
    from patchmode.cli.output import Result, emit, say
    from patchmode.cli.schedules.attaching import ask, drafted_lines, previewed, show, written
    from patchmode.cli.schedules.wishes import wish_from
    from patchmode.documents.attachments import create_document
    from patchmode.reports.names import MachineNames
    from patchmode.reports.text.attachments import create_lines
    from patchmode.workflow.schedules.creating import check_wish, create

    settings = settings_of(context)
    check_wish(wish_from(options, _NO_SUBSCRIPTION))  # a slip is told before anything is read
    drafted, principals, target = previewed(lambda azure: _drafted(azure, options, place, replace=replace), settings)
    tell_banner(principals, target, settings)
    if not drafted.is_unchanged:
        show(lambda paint: drafted_lines(drafted, target, paint=paint), settings)
        if drafted.lost_windows:
            say(f"! {drafted.lost_windows}", settings)
        verb = "Create" if drafted.standing is None else "Replace"
        names = MachineNames.of(target, [drafted.wish.id])
        ask(f"{verb} {drafted.wish.id.name} in {names.place}?", yes=yes)
    # The draft's connection listed the subscriptions; another need not do so again.
    report = written(lambda azure: create(azure, drafted), settings, is_unchanged=drafted.is_unchanged)
    report = dataclasses.replace(report, target=target)
    document = create_document(report)
    emit(
        Result(
            document=document,
            lines=lambda paint: create_lines(report, paint=paint),
            rows=lambda: [document],
            columns=("id", "result", "windows", "differences"),
        ),
        settings,
    )
    return exits.of_comparison(len(report.differences))


async def _drafted(azure: "Azure", options: dict[str, Any], place: str, *, replace: bool) -> "ConfigurationDraft":
    from patchmode.cli import composition
    from patchmode.cli.schedules.wishes import subscription_id, wish_from
    from patchmode.workflow.schedules.creating import draft

    wish = wish_from(options, await subscription_id(azure, place))
    return await draft(azure, wish, replace=replace, clock=composition.clock())
