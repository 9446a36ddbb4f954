"""`patchmode schedule failures`. Must not: write anything anywhere."""

from typing import Any

import click

from patchmode.cli import exits
from patchmode.cli.group import Command
from patchmode.cli.options import scope_options
from patchmode.cli.settings import settings_of


@click.command(cls=Command, name="failures")
@click.option("--since", metavar="7d|DATE", default="7d", show_default=True, help="Runs that began since then.")
@scope_options
@click.pass_context
def command(context: click.Context, /, since: str, **options: Any) -> exits.Exit:
    """How scheduled runs ended, why they failed, and what fixes it.

    The command shows the runs, newest first: the members, how many succeeded and failed, and each reason with its
    machines and the command that fixes it. Azure keeps the record for 30 days. Without a selector the command shows
    every machine that has a record; with --schedule, the runs of that configuration.
    """
    from patchmode.cli import composition
    from patchmode.cli.output import Result, emit
    from patchmode.cli.running import run_reading
    from patchmode.cli.scoping import scope_from, since_from
    from patchmode.documents.history import FAILURE_COLUMNS, failure_rows, failures_document
    from patchmode.model.run_history import FailureReport
    from patchmode.reports.text.history import failure_lines
    from patchmode.workflow.inventory.history import failures

    settings = settings_of(context)
    scope = scope_from(options)
    begin = since_from(since, "--since")

    async def work() -> FailureReport:
        async with composition.connected(settings, read_only=True) as azure:
            return await failures(azure, scope, begin, clock=composition.clock())

    report = run_reading(work)
    result = Result(
        document=failures_document(report),
        lines=lambda paint: failure_lines(report, paint=paint),
        rows=lambda: failure_rows(report),
        columns=FAILURE_COLUMNS,
    )
    emit(result, settings)
    return exits.of_findings(report.counts["failed"])
