"""`patchmode schedule attach`. Must not: attach what would fail."""

from typing import TYPE_CHECKING, Any

import click

from patchmode.cli.choices import GROUP, SCHEDULE, Words
from patchmode.cli.exits import Exit
from patchmode.cli.group import Command
from patchmode.cli.options import scope_options
from patchmode.cli.settings import Settings, settings_of

if TYPE_CHECKING:
    from patchmode.model.scope import Scope
    from patchmode.ports.azure import Azure
    from patchmode.workflow.schedules.dynamic_scopes import ScopePreview

_FILTERS = ("filter_tag", "any_tag", "filter_os", "filter_location", "filter_group", "filter_type")


@click.command(cls=Command, name="attach")
@click.argument("config", type=SCHEDULE, metavar="CONFIG")
@scope_options
@click.option("--assignment-name", metavar="NAME", help="Name of the assignment (default: the schedule's).")
@click.option("--dynamic", metavar="NAME", help="A dynamic scope of this name, on --subscription or --resource-group.")
@click.option("--filter-tag", multiple=True, metavar="KEY=V1,V2", help="Dynamic: one of these values.")
@click.option("--any-tag", is_flag=True, help="Dynamic: one of the tags is enough (default: all).")
@click.option(
    "--filter-os", multiple=True, type=Words("windows", "linux"), metavar="OS", help="Dynamic: windows or linux."
)
@click.option("--filter-location", multiple=True, metavar="REGION", help="Dynamic: one of these regions.")
@click.option(
    "--filter-group", multiple=True, type=GROUP, metavar="NAME", help="Dynamic: one of these resource groups."
)
@click.option(
    "--filter-type", multiple=True, type=Words("vm", "arc"), metavar="vm|arc", help="Dynamic: Azure or Arc machines."
)
@click.option("--replace", is_flag=True, help="Dynamic: replace an existing scope of that name that differs.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def command(
    context: click.Context,
    /,
    config: str,
    assignment_name: str | None,
    dynamic: str | None,
    replace: bool,
    yes: bool,
    **options: Any,
) -> Exit:
    """Attach a schedule to machines, or to a dynamic scope.

    CONFIG is its id, its name, or GROUP/NAME. A machine that is not prepared is refused, because its runs would fail,
    and the command that prepares it is shown. With --dynamic the machines that the filter matches now are shown first,
    whether prepared or not. Every result is read back. Repeating the command attaches what is left.
    """
    from patchmode.cli.scoping import require_selector, scope_from
    from patchmode.errors import UsageError

    settings = settings_of(context)
    filters = {name: options.pop(name) for name in _FILTERS}
    scope = scope_from(options)
    if dynamic is not None:
        if assignment_name is not None:
            raise UsageError(
                "The name of a dynamic scope is given with --dynamic.", advice="Leave --assignment-name out."
            )
        return _attach_scope(config, dynamic, scope, filters, settings, replace=replace, yes=yes)
    if any(filters.values()) or replace:
        raise UsageError("--filter-…, --any-tag and --replace belong to --dynamic.", advice="Give --dynamic NAME.")
    require_selector(scope, "schedule attach")
    return _attach_machines(config, scope, assignment_name, settings, yes=yes)


def _attach_machines(config: str, scope: "Scope", name: str | None, settings: Settings, *, yes: bool) -> Exit:
    from patchmode.cli import composition
    from patchmode.cli.schedules.attaching import previewed, write_machines
    from patchmode.cli.schedules.wishes import assignment_name
    from patchmode.workflow.schedules.attach_many import preview_attach

    checked = assignment_name(name)
    preview, principals, target = previewed(
        lambda azure: preview_attach(azure, config, scope, clock=composition.clock()), settings
    )
    return write_machines(preview, principals, target, settings, name=checked, yes=yes)


def _attach_scope(
    config: str, name: str, scope: "Scope", filters: dict[str, Any], settings: Settings, *, replace: bool, yes: bool
) -> Exit:
    from patchmode.cli import composition
    from patchmode.cli.schedules.attaching import previewed, write_scope
    from patchmode.cli.schedules.wishes import check_place, dynamic_scope_from, subscription_id
    from patchmode.workflow.schedules.dynamic_scopes import preview_attach_scope

    check_place(scope)

    async def look(azure: "Azure") -> "ScopePreview":
        wanted = dynamic_scope_from(filters, name, scope, await subscription_id(azure, scope.subscriptions[0]))
        return await preview_attach_scope(azure, config, wanted, replace=replace, clock=composition.clock())

    preview, principals, target = previewed(look, settings)
    return write_scope(preview, principals, target, settings, yes=yes)
