"""`patchmode explain`. Must not: write anything anywhere."""

from typing import Any

import click

from patchmode.cli import exits
from patchmode.cli.choices import MACHINE
from patchmode.cli.group import Command
from patchmode.cli.options import longest_wait_option, settings_options
from patchmode.cli.settings import settings_of


@click.command(cls=Command)
@click.argument("machine", type=MACHINE, metavar="MACHINE")
@settings_options
@longest_wait_option
@click.pass_context
def command(context: click.Context, /, machine: str, longest_wait: str, **options: Any) -> exits.Exit:
    """One machine in full: settings, rules, schedules, outcome, JSON.

    MACHINE is a resource id, a name that only one machine you can see has, GROUP/NAME, or SUBSCRIPTION/GROUP/NAME.
    """
    from patchmode.cli import composition
    from patchmode.cli.output import emit
    from patchmode.cli.results import explanation_result
    from patchmode.cli.running import run_reading
    from patchmode.cli.scoping import wait_from, wanted_from
    from patchmode.model.report import Explanation
    from patchmode.workflow.inventory.audit import explain

    settings = settings_of(context)
    wait = wait_from(longest_wait)
    wanted = wanted_from(options)

    async def work() -> Explanation:
        async with composition.connected(settings, read_only=True) as azure:
            return await explain(azure, machine, wanted=wanted, clock=composition.clock(), longest_wait=wait)

    explanation = run_reading(work)
    emit(explanation_result(explanation), settings)
    return exits.of_explanation(explanation)
