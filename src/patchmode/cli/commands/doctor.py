"""`patchmode doctor`. Must not: register providers or assign roles."""

from typing import Any

import click

from patchmode.cli import exits
from patchmode.cli.group import Command
from patchmode.cli.options import scope_options
from patchmode.cli.settings import settings_of


@click.command(cls=Command)
@scope_options
@click.option("--role-json", is_flag=True, help="Print the least-privilege custom role, for az role definition create.")
@click.pass_context
def command(context: click.Context, /, role_json: bool, **options: Any) -> exits.Exit:
    """Check sign-in, subscriptions and permissions.

    The command checks the scope, or every subscription that you can see. It also shows where each default comes from:
    command line, environment, config file.
    """
    from dataclasses import replace

    from patchmode.cli import composition
    from patchmode.cli.configuring import az_choice, config_path, values_in_force
    from patchmode.cli.output import Result, emit
    from patchmode.cli.results import diagnosis_result
    from patchmode.cli.running import run_reading
    from patchmode.cli.scoping import scope_from
    from patchmode.model.report import Diagnosis
    from patchmode.reports.text.layout import Paint
    from patchmode.workflow.inventory.doctor import examine, least_privilege_role

    settings = settings_of(context)
    scope = scope_from(options)

    async def work() -> Diagnosis:
        async with composition.connected(settings, read_only=True) as azure:
            return await examine(azure, scope)

    diagnosis = run_reading(work)
    if role_json:
        import json

        role = least_privilege_role([check.subscription.id for check in diagnosis.subscriptions])

        def lines(_: Paint) -> list[str]:
            return [json.dumps(role, indent=2)]

        emit(Result(document=role, lines=lines, rows=lambda: [role], columns=tuple(role)), settings)
        return exits.of_listing()
    path, chosen = config_path(), az_choice(settings)
    diagnosis = replace(
        diagnosis,
        settings=values_in_force(settings),
        network=composition.network_in_force(diagnosis.target.endpoint),
        config_file=str(path) if path.exists() else f"{path} (not there)",
        az_subscription=chosen[1] if chosen else "",
    )
    emit(diagnosis_result(diagnosis), settings)
    return exits.of_diagnosis(diagnosis)
