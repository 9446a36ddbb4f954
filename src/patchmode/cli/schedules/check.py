"""`patchmode schedule check`. Must not: write anything anywhere."""

import click

from patchmode.cli import exits
from patchmode.cli.choices import SCHEDULE
from patchmode.cli.group import Command
from patchmode.cli.options import longest_wait_option
from patchmode.cli.settings import settings_of


@click.command(cls=Command, name="check")
@click.argument("config", type=SCHEDULE, nargs=-1, metavar="[CONFIG]...")
@longest_wait_option
@click.pass_context
def command(context: click.Context, /, config: tuple[str, ...], longest_wait: str) -> exits.Exit:
    """Problems of schedules, assignments and members.

    CONFIG is an id, a name, or GROUP/NAME; without it the command checks every schedule that you
    can see, and the limits of subscriptions.
    """
    from patchmode.cli import composition
    from patchmode.cli.output import Result, emit
    from patchmode.cli.running import run_reading
    from patchmode.cli.scoping import wait_from
    from patchmode.documents.schedules import CHECK_COLUMNS, check_document, finding_row
    from patchmode.model.report import CheckReport
    from patchmode.reports.text.schedules import check_lines
    from patchmode.workflow.schedules.views import check_schedules

    settings = settings_of(context)
    wait = wait_from(longest_wait)

    async def work() -> CheckReport:
        async with composition.connected(settings, read_only=True) as azure:
            return await check_schedules(azure, config, clock=composition.clock(), longest_wait=wait)

    report = run_reading(work)
    emit(
        Result(
            document=check_document(report),
            lines=lambda paint: check_lines(report, paint=paint),
            rows=lambda: map(finding_row, report.findings),
            columns=CHECK_COLUMNS,
        ),
        settings,
    )
    return exits.of_findings(not report.is_clean)
