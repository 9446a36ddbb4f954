"""`patchmode schedule show`. Must not: write anything anywhere."""

import click

from patchmode.cli import exits
from patchmode.cli.choices import SCHEDULE
from patchmode.cli.group import Command
from patchmode.cli.options import summary_option
from patchmode.cli.settings import settings_of


@click.command(cls=Command, name="show")
@click.argument("config", type=SCHEDULE, metavar="CONFIG")
@summary_option
@click.pass_context
def command(context: click.Context, /, config: str, summary: str | None) -> exits.Exit:
    """One schedule in full, with its members and its last run.

    CONFIG is its id, its name, or GROUP/NAME. Each member is shown with the clause that makes it one and with
    the expected result of its next window. Members that are new, or no longer members, since the last
    recorded run are named.
    """
    from patchmode.cli import composition
    from patchmode.cli.output import Result, emit
    from patchmode.cli.running import run_reading
    from patchmode.documents.schedules import SHOW_COLUMNS, member_row, show_document
    from patchmode.model.report import ScheduleDetail
    from patchmode.reports.text.schedules import detail_lines
    from patchmode.reports.text.summary import SummaryBy
    from patchmode.workflow.schedules.views import show_schedule

    settings = settings_of(context)

    async def work() -> ScheduleDetail:
        async with composition.connected(settings, read_only=True) as azure:
            return await show_schedule(azure, config, clock=composition.clock())

    detail = run_reading(work)
    emit(
        Result(
            document=show_document(detail),
            lines=lambda paint: detail_lines(detail, paint=paint, by=SummaryBy.of(summary)),
            rows=lambda: map(member_row, detail.schedule.members),
            columns=SHOW_COLUMNS,
        ),
        settings,
    )
    return exits.of_listing()
