"""`patchmode schedule next`. Must not: write anything anywhere."""

from typing import Any

import click

from patchmode.cli import exits
from patchmode.cli.group import Command
from patchmode.cli.options import scope_options
from patchmode.cli.settings import settings_of


@click.command(cls=Command, name="next")
@click.option("--days", type=click.IntRange(1, 366), default=14, show_default=True, metavar="N", help="How far ahead.")
@scope_options
@click.pass_context
def command(context: click.Context, /, days: int, **options: Any) -> exits.Exit:
    """Coming windows: how many machines run, fail or are missed.

    Every window counts its current members. With a scope only its machines are counted, and only schedules that reach
    one of them are shown; with --schedule only its own windows. Filters alone narrow all machines.
    """
    from dataclasses import replace

    from patchmode.cli import composition
    from patchmode.cli.output import Result, emit
    from patchmode.cli.running import run_reading
    from patchmode.cli.scoping import scope_from
    from patchmode.documents.schedules import NEXT_COLUMNS, calendar_row, next_document, next_rows
    from patchmode.model.report import Calendar
    from patchmode.reports.text.schedules import calendar_lines
    from patchmode.workflow.schedules.views import next_windows

    settings = settings_of(context)
    is_scoped = any(options.values())
    scope = scope_from(options)
    if is_scoped and not scope.has_selector:
        scope = replace(scope, everything=True)

    async def work() -> Calendar:
        async with composition.connected(settings, read_only=True) as azure:
            clock = composition.clock()
            return await next_windows(azure, clock=clock, days=days, scope=scope if is_scoped else None)

    calendar = run_reading(work)
    emit(
        Result(
            document=next_document(calendar),
            lines=lambda paint: calendar_lines(calendar, paint=paint),
            rows=lambda: next_rows(calendar) if settings.is_flat else map(calendar_row, calendar.entries),
            columns=NEXT_COLUMNS,
        ),
        settings,
    )
    return exits.of_listing()
