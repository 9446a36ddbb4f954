"""`patchmode audit`. Must not: write anything anywhere."""

from dataclasses import replace
from typing import Any

import click

from patchmode.cli import exits
from patchmode.cli.group import Command
from patchmode.cli.options import longest_wait_option, scope_options, settings_options, summary_option
from patchmode.cli.settings import settings_of


@click.command(cls=Command)
@scope_options
@settings_options
@longest_wait_option
@summary_option
@click.pass_context
def command(context: click.Context, /, longest_wait: str, summary: str | None, **options: Any) -> exits.Exit:
    """Every machine: its orchestration, who patches it, and why.

    Without a selector the command reads everything that the signed-in principal can see. Machines are compared with
    --to (default: customer-managed-schedules). An identity file may name several tenants: each is read as its own
    principals, unless --tenant chooses one.
    """
    from patchmode.cli import composition
    from patchmode.cli.configuring import tell_az_choice
    from patchmode.cli.output import emit
    from patchmode.cli.results import audit_result
    from patchmode.cli.running import run_reading
    from patchmode.cli.scoping import scope_from, wait_from, wanted_from
    from patchmode.reports.text.summary import SummaryBy

    settings = settings_of(context)
    wait = wait_from(longest_wait)
    wanted = wanted_from(options)
    scope = scope_from(options)
    is_scoped = scope.has_selector
    if not is_scoped:
        scope = replace(scope, everything=True)

    report = run_reading(lambda: composition.audited(settings, scope, wanted=wanted, longest_wait=wait))
    emit(audit_result(report, SummaryBy.of(summary), again=settings.again()), settings)
    if not is_scoped and len({one.machine.id.subscription_id for one in report.machines}) > 1:
        tell_az_choice(settings)
    return exits.of_audit(report.counts)
