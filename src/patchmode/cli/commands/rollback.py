"""`patchmode rollback`. Must not: send anything that is not in the plan it shows."""

from typing import TYPE_CHECKING, Any

import click

from patchmode.cli.choices import RUN, RUN_ENDS
from patchmode.cli.exits import Exit
from patchmode.cli.group import Command
from patchmode.cli.notifying import notice_options
from patchmode.cli.options import carrying_options
from patchmode.cli.run_options import brakes_from
from patchmode.cli.settings import Settings, settings_of

if TYPE_CHECKING:
    from patchmode.cli.confirming import SignedIn
    from patchmode.model.plan import Plan
    from patchmode.store.journal import Journal


@click.command(cls=Command)
@click.argument("run", type=RUN)
@click.option("--ids", multiple=True, metavar="ID…", help="Only these machines of the run; several may follow.")
@click.option(
    "--from-run",
    multiple=True,
    type=RUN_ENDS,
    metavar="RUN:END,…",
    help="Only machines that ended so, as `apply --from-run` takes them: failed, unknown, notAsPlanned, …",
)
@click.option(
    "--allow-azure-managed",
    is_flag=True,
    help="Also restore machines to a mode in which Azure patches and reboots them at a time it chooses.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@carrying_options
@notice_options
@click.pass_context
def command(
    context: click.Context,
    /,
    run: str,
    ids: tuple[str, ...],
    from_run: tuple[str, ...],
    allow_azure_managed: bool,
    yes: bool,
    **carrying: Any,
) -> Exit:
    """Restore what a run changed, where Azure allows it.

    RUN is a run's id, its beginning, or latest (the latest that sent anything). The rollback is an ordinary plan: it is
    written into the state folder, shown, confirmed, applied and verified. A machine that cannot be restored is named
    and skipped.
    """
    from patchmode.cli import composition
    from patchmode.cli.carrying_out import UNFINISHED, carry_out
    from patchmode.cli.confirming import (
        check_may_write,
        check_not_frozen,
        confirm,
        tell_banner,
        tell_brakes,
        tell_open_runs,
    )
    from patchmode.cli.output import say, say_lines
    from patchmode.cli.scoping import ids_of_run
    from patchmode.store.plan_file import read_plan

    settings = settings_of(context)
    ids = (*ids, *(one for text in from_run for one in ids_of_run(text)))
    brakes = brakes_from(context, carrying, settings.share)
    check_not_frozen(brakes)
    # Held while it is planned from: a run that another process carries out has not changed yet what it will change.
    runs = {one.run: one for one in composition.run_store(settings).list()}
    journal = composition.open_sent(run, settings, for_writing=True)
    _check_not_a_redo(journal, run, settings, yes=yes)
    say(f"Rolling back run {journal.run}.", settings)
    if (found := runs.get(journal.run)) is not None and found.state in UNFINISHED:
        rest = "a resume skips these machines; it continues with the others."
        closes = rest if ids else "once rolled back it cannot be resumed."
        say(f"! It is {found.state}: {closes}", settings)
        say_lines([f"  To finish it instead: patchmode runs resume {journal.run}"], settings)
    warnings = [_redone(journal)] if journal.plan.rollback_of else []
    try:
        plan, who = _planned(journal, settings, warnings, ids=ids, allow_azure_managed=allow_azure_managed)
    finally:
        journal.release()
    path = composition.keep_plan(plan, settings)
    say(f"Plan file    {path}", settings)
    plan = read_plan(path)
    tell_banner(who.principals, plan.target, settings, touched=plan.touched_in)
    tell_brakes(brakes, settings)
    tell_open_runs(plan, settings)
    check_may_write(who, settings)
    is_shown = confirm(plan, who, settings, yes=yes, is_new=True, file=path, warnings=warnings)
    create = composition.run_store(settings).create
    return carry_out(lambda _: create(plan, brakes=brakes), plan, brakes, settings, is_shown=is_shown)


_LATEST = "latest"


def _redone(journal: "Journal") -> str:
    back = journal.plan.rollback_of
    return f"Run {journal.run} is itself the rollback of run {back}: to undo it makes the changes of run {back} again."


def _check_not_a_redo(journal: "Journal", run: str, settings: Settings, *, yes: bool) -> None:
    """Refuse `latest` where nobody is asked and the latest run is itself a rollback: it must be named."""
    from patchmode.errors import UsageError
    from patchmode.reports.text.next_steps import command as command_text

    if not yes or run != _LATEST or not journal.plan.rollback_of:
        return
    words = settings.again(instead_of=_LATEST, by=journal.run) or ("rollback", journal.run, "--yes")
    told = _redone(journal)
    journal.release()
    raise UsageError(f"Nothing was sent: {told}", advice=f"If that is what you want, name it:\n{command_text(*words)}")


def _planned(
    journal: "Journal", settings: Settings, warnings: list[str], *, ids: tuple[str, ...], allow_azure_managed: bool
) -> "tuple[Plan, SignedIn]":
    from patchmode.cli import composition
    from patchmode.cli.confirming import signed_in
    from patchmode.cli.output import say
    from patchmode.cli.running import run_reading
    from patchmode.version import __version__
    from patchmode.workflow.inventory.planning import narrowed
    from patchmode.workflow.inventory.scoping import machine_ids
    from patchmode.workflow.run.rollback import make_rollback_plan

    only = machine_ids(ids, source="--ids")

    async def work() -> "tuple[Plan, SignedIn]":
        async with composition.connected(settings, read_only=True) as azure:
            composition.check_target(journal.plan, azure)
            plan = await make_rollback_plan(
                azure,
                journal,
                allow_azure_managed=allow_azure_managed,
                clock=composition.clock(),
                tool_version=__version__,
                remark=lambda note: say(f"Note: {note}", settings),
                warn=warnings.append,
                only=only,
            )
            plan = narrowed(plan, only) if only else plan
            return plan, await signed_in(azure, plan)

    return run_reading(work)
