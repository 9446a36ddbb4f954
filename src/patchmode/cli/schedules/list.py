"""`patchmode schedule list`. Must not: write anything anywhere."""

import click

from patchmode.cli import exits
from patchmode.cli.choices import SUBSCRIPTION
from patchmode.cli.group import Command
from patchmode.cli.settings import settings_of


@click.command(cls=Command, name="list")
@click.option(
    "-s",
    "--subscription",
    multiple=True,
    type=SUBSCRIPTION,
    metavar="ID|NAME",
    help="Only schedules of this subscription.",
)
@click.pass_context
def command(context: click.Context, /, subscription: tuple[str, ...]) -> exits.Exit:
    """Every schedule that patches guests: when it runs, which machines it reaches.

    Members are counted in every subscription that can be read: static ones, dynamic ones, and with a question mark
    those in doubt. The last column counts findings, named below; `patchmode schedule check` shows them in full.
    """
    from patchmode.cli import composition
    from patchmode.cli.output import Result, emit
    from patchmode.cli.running import run_reading
    from patchmode.documents.schedules import LIST_COLUMNS, list_document, list_rows
    from patchmode.model.report import ScheduleList
    from patchmode.reports.text.schedules import list_lines
    from patchmode.workflow.schedules.views import list_schedules

    settings = settings_of(context)

    async def work() -> ScheduleList:
        async with composition.connected(settings, read_only=True) as azure:
            return await list_schedules(azure, clock=composition.clock(), subscriptions=subscription)

    found = run_reading(work)
    rows = list_rows if settings.is_flat else lambda one: list_document(one).schedules
    emit(
        Result(
            document=list_document(found),
            lines=lambda paint: list_lines(found, paint=paint),
            rows=lambda: rows(found),
            columns=LIST_COLUMNS,
        ),
        settings,
    )
    return exits.of_listing()
