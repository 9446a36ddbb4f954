"""`patchmode schedule detach`. Must not: hand a machine to Azure's own patching unless told to."""

from typing import TYPE_CHECKING, Any

import click

from patchmode.cli.choices import SCHEDULE
from patchmode.cli.exits import Exit
from patchmode.cli.group import Command
from patchmode.cli.options import scope_options
from patchmode.cli.settings import Settings, settings_of

if TYPE_CHECKING:
    from patchmode.model.scope import Scope
    from patchmode.ports.azure import Azure
    from patchmode.workflow.schedules.dynamic_scopes import ScopePreview

_NO_FILTERS: dict[str, Any] = {
    "filter_tag": (),
    "any_tag": False,
    "filter_os": (),
    "filter_location": (),
    "filter_group": (),
    "filter_type": (),
}


@click.command(cls=Command, name="detach")
@click.argument("config", type=SCHEDULE, metavar="CONFIG")
@scope_options
@click.option("--dynamic", metavar="NAME", help="The dynamic scope of this name, on --subscription/--resource-group.")
@click.option(
    "--allow-azure-managed",
    is_flag=True,
    help="Also where Azure would then patch and restart machines at a time it chooses.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def command(
    context: click.Context,
    /,
    config: str,
    dynamic: str | None,
    allow_azure_managed: bool,
    yes: bool,
    **options: Any,
) -> Exit:
    """Detach a schedule from machines, or delete a dynamic scope.

    CONFIG is its id, its name, or GROUP/NAME; the id also works for a schedule that was deleted, and --ids
    also for machines that were deleted. Azure Managed machines keep their last schedule, because without one Azure
    patches them at a time it chooses; --allow-azure-managed detaches it too.
    """
    from patchmode.cli.scoping import require_selector, scope_from

    settings = settings_of(context)
    scope = scope_from(options)
    if dynamic is not None:
        return _detach_scope(config, dynamic, scope, settings, allow_azure_managed=allow_azure_managed, yes=yes)
    require_selector(scope, "schedule detach")
    return _detach_machines(config, scope, settings, allow_azure_managed=allow_azure_managed, yes=yes)


def _detach_machines(config: str, scope: "Scope", settings: Settings, *, allow_azure_managed: bool, yes: bool) -> Exit:
    from patchmode.cli import composition
    from patchmode.cli.schedules.attaching import previewed, write_machines
    from patchmode.workflow.schedules.attach_many import preview_detach

    preview, principals, target = previewed(
        lambda azure: preview_detach(
            azure, config, scope, clock=composition.clock(), allow_azure_managed=allow_azure_managed
        ),
        settings,
    )
    return write_machines(preview, principals, target, settings, name=None, yes=yes)


def _detach_scope(
    config: str, name: str, scope: "Scope", settings: Settings, *, allow_azure_managed: bool, yes: bool
) -> Exit:
    from patchmode.cli import composition
    from patchmode.cli.schedules.attaching import previewed, write_scope
    from patchmode.cli.schedules.wishes import check_place, dynamic_scope_from, subscription_id
    from patchmode.workflow.schedules.dynamic_scopes import preview_detach_scope

    check_place(scope)

    async def look(azure: "Azure") -> "ScopePreview":
        wanted = dynamic_scope_from(_NO_FILTERS, name, scope, await subscription_id(azure, scope.subscriptions[0]))
        clock = composition.clock()
        return await preview_detach_scope(azure, config, wanted, clock=clock, allow_azure_managed=allow_azure_managed)

    preview, principals, target = previewed(look, settings)
    return write_scope(preview, principals, target, settings, yes=yes)
