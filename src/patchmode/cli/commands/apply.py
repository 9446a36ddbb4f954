"""`patchmode apply`. Must not: send anything that is not in the plan file."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from patchmode.cli.choices import PlanFile
from patchmode.cli.exits import Exit
from patchmode.cli.group import Command
from patchmode.cli.notifying import notice_options
from patchmode.cli.options import apply_options, scope_options, settings_options
from patchmode.cli.run_options import (
    Waves,
    attachment_from,
    brake,
    brakes_from,
    then_attach_options,
    wave_options,
    waves_from,
)
from patchmode.cli.settings import Settings, settings_of

if TYPE_CHECKING:
    from patchmode.cli.confirming import SignedIn
    from patchmode.model.patch_settings import WantedSettings
    from patchmode.model.plan import Plan
    from patchmode.model.scope import Scope


@click.command(cls=Command)
@click.argument("file", required=False, metavar="[FILE]", type=PlanFile(path_type=Path))
@scope_options
@settings_options
@then_attach_options
@wave_options
@apply_options
@notice_options
@click.pass_context
def command(
    context: click.Context,
    /,
    file: Path | None,
    yes: bool,
    **options: Any,
) -> Exit:
    """Apply a plan file, or plan and apply a scope.

    With a scope instead of FILE, the command plans the scope, writes the plan file into the state folder, shows it,
    asks, and applies that file. A machine is skipped if anything that the plan depends on has changed since. Each
    change is in the journal before its request is sent. With --then-attach each machine gets the schedule once its
    settings were verified, and never before.
    """
    from patchmode.cli import composition
    from patchmode.cli.carrying_out import carry_out
    from patchmode.cli.confirming import (
        check_may_write,
        check_not_frozen,
        confirm,
        reviewed_plan,
        signed_in_for,
        tell_banner,
        tell_brakes,
        tell_open_runs,
    )
    from patchmode.cli.scoping import refuse_beside, require_selector, scope_from, wanted_from

    settings = settings_of(context)
    brakes = brakes_from(context, options, settings.share)
    check_not_frozen(brakes)
    if file is not None:
        refuse_beside(
            context,
            options,
            "A plan file holds its own machines, settings and waves",
            "--shard and PATCHMODE_SHARD divide a scope, not a file: plan each shard by itself."
            if options["shard"]
            else "Give FILE alone, or make a new plan with these options.",
        )
    attaching, waves = attachment_from(options), waves_from(options)
    wanted = wanted_from(options)
    scope = scope_from(options)
    if file is None:
        require_selector(scope, "apply")
        plan, who, path = _planned(scope, wanted, attaching, waves, settings)
    else:
        path, plan = file, reviewed_plan(file, settings)
        composition.run_store(settings).check_not_begun(plan)
        who = signed_in_for(plan, settings)
    tell_banner(who.principals, who.target, settings, touched=plan.touched_in)
    tell_brakes(brakes, settings)
    tell_open_runs(plan, settings)
    brake(plan, brakes.max_changes, is_watched=file is not None or not yes)
    check_may_write(who, settings)
    shown = replace(plan, target=who.target)  # with the names of now; what is carried out is the plan of the file
    is_shown = confirm(shown, who, settings, yes=yes, is_new=file is None, file=path)
    create = composition.run_store(settings).create
    return carry_out(lambda _: create(plan, brakes=brakes), plan, brakes, settings, is_shown=is_shown)


def _planned(
    scope: "Scope",
    wanted: "WantedSettings",
    attaching: tuple[str | None, str | None],
    waves: Waves,
    settings: Settings,
) -> "tuple[Plan, SignedIn, Path]":
    """Plan a scope and write the plan into the state folder; what is applied is read back from that file."""
    from patchmode.cli import composition
    from patchmode.cli.confirming import signed_in
    from patchmode.cli.output import say
    from patchmode.cli.running import run_reading
    from patchmode.store.plan_file import read_plan
    from patchmode.version import __version__
    from patchmode.workflow.inventory.planning import make_plan

    clock = composition.clock()

    async def work() -> "tuple[Plan, SignedIn]":
        async with composition.connected(settings, read_only=True) as azure:
            plan = await make_plan(
                azure,
                scope,
                wanted,
                clock=clock,
                tool_version=__version__,
                remark=lambda note: say(f"Note: {note}", settings),
                is_reviewed=False,
                then_attach=attaching[0],
                assignment_name=attaching[1],
                **waves,
            )
            return plan, await signed_in(azure, plan)

    plan, who = run_reading(work)
    path = composition.keep_plan(plan, settings)
    say(f"Plan file    {path}", settings)
    return read_plan(path), who, path
