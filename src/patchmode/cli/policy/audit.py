"""`patchmode policy audit`. Must not: write anything anywhere."""

from dataclasses import replace
from typing import Any

import click

from patchmode.cli import exits
from patchmode.cli.choices import Fixed
from patchmode.cli.group import Command
from patchmode.cli.options import scope_options
from patchmode.cli.settings import settings_of
from patchmode.model.policy import BuiltIn

_ALL = "all"


@click.command(cls=Command, name="audit")
@scope_options
@click.option(
    "--policy",
    "names",
    multiple=True,
    type=Fixed((*(one.value for one in BuiltIn), _ALL)),
    help="The built-in definition; repeatable (default: prerequisite).",
)
@click.pass_context
def command(context: click.Context, /, names: tuple[str, ...], **options: Any) -> exits.Exit:
    """Which machines Azure Policy's built-ins cover, which they miss, and why.

    The command reads the definition, its assignments and exemptions from Azure, and evaluates the definition for each
    machine. Without a selector it looks at everything that the signed-in principal can see.
    """
    from patchmode.cli import composition
    from patchmode.cli.output import Result, emit
    from patchmode.cli.running import run_reading
    from patchmode.cli.scoping import scope_from
    from patchmode.documents.policy import POLICY_AUDIT_COLUMNS, policy_audit_document, policy_audit_rows
    from patchmode.model.policy import PolicyAudit
    from patchmode.reports.text.policy import policy_audit_lines
    from patchmode.workflow.policy.auditing import audit_policies

    settings = settings_of(context)
    scope = scope_from(options)
    if not scope.has_selector:
        scope = replace(scope, everything=True)
    wanted = tuple(one for one in BuiltIn if _ALL in names or one.value in names) or (BuiltIn.PREREQUISITE,)

    async def work() -> PolicyAudit:
        async with composition.connected(settings, read_only=True) as azure:
            return await audit_policies(azure, scope, wanted, clock=composition.clock())

    report = run_reading(work)
    emit(
        Result(
            document=lambda: policy_audit_document(report),
            lines=lambda paint: policy_audit_lines(report, paint=paint),
            rows=lambda: policy_audit_rows(report),
            columns=POLICY_AUDIT_COLUMNS,
        ),
        settings,
    )
    return exits.of_audit(report.counts)
