"""`patchmode plan`. Must not: change anything in Azure."""

from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from patchmode.cli import exits
from patchmode.cli.group import Command
from patchmode.cli.options import scope_options, settings_options, summary_option
from patchmode.cli.run_options import attachment_from, then_attach_options, wave_options, waves_from
from patchmode.cli.settings import Settings, settings_of

if TYPE_CHECKING:
    from patchmode.model.plan import Plan


@click.command(cls=Command)
@scope_options
@settings_options
@then_attach_options
@wave_options
@summary_option
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Write the plan file.")
@click.pass_context
def command(context: click.Context, /, out: Path | None, summary: str | None, **options: Any) -> exits.Exit:
    """The exact changes, as a diff and as a file.

    The command reads every machine in scope from its provider and shows the smallest request that makes it compliant.
    Nothing is changed.
    """
    from patchmode.cli import composition
    from patchmode.cli.output import emit, is_one_screen, say
    from patchmode.cli.results import plan_result
    from patchmode.cli.running import run_reading
    from patchmode.cli.scoping import require_selector, scope_from, wanted_from
    from patchmode.model.plan import Plan
    from patchmode.reports.text.summary import SummaryBy
    from patchmode.store.plan_file import write_plan
    from patchmode.version import __version__
    from patchmode.workflow.inventory.planning import make_plan

    settings = settings_of(context)
    schedule, assignment_name = attachment_from(options)
    waves = waves_from(options)
    wanted = wanted_from(options)
    scope = scope_from(options)
    require_selector(scope, "plan")

    async def work() -> Plan:
        async with composition.connected(settings, read_only=True) as azure:
            return await make_plan(
                azure,
                scope,
                wanted,
                clock=composition.clock(),
                tool_version=__version__,
                remark=lambda note: say(f"Note: {note}", settings),
                then_attach=schedule,
                assignment_name=assignment_name,
                **waves,
            )

    plan = run_reading(work)
    if out is not None:
        plan = write_plan(plan, out)
    emit(plan_result(plan, SummaryBy.of(summary), again=settings.again()), settings)
    for line in _next_step(plan, out, settings, is_said=is_one_screen(settings)).splitlines():
        say(line, settings)
    return exits.of_plan(plan)


def _next_step(plan: "Plan", out: Path | None, settings: Settings, *, is_said: bool) -> str:
    """What to do with the plan.

    Args:
        plan: the plan, as it was just told.
        out: where it was written.
        settings: have the command line.
        is_said: whether what the plan leaves undone stands right above.
    """
    from patchmode.reports.text.layout import no_change_text
    from patchmode.reports.text.next_steps import command as command_of

    if not plan.has_work:
        text = no_change_text(blocked=len(plan.blocked), unreadable=len(plan.unreadable))
        if is_said and plan.not_done:
            text = "No change is planned."
        return text + (f" Written to {out}." if out else "")
    if out is not None:
        return f"Nothing was changed. Written to {out}; apply it with: {command_of('apply', str(out))}"
    names = chain(("plan.json",), (f"plan-{number}.json" for number in count(2)))
    name = next(text for text in names if not Path(text).exists())
    again = settings.again("--out", name)
    if again is None:
        return "Nothing was changed, and the plan was not kept. Repeat the command with --out and a file's name."
    keep, apply = command_of(*again), command_of("apply", name)
    return f"Nothing was changed, and the plan was not kept. Keep it, then apply it:\n  {keep}\n  {apply}"
