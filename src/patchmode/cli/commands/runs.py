"""`patchmode runs`: list, show, resume. Must not: send anything that a run's plan does not hold."""

from typing import Any

import click

from patchmode.cli import exits
from patchmode.cli.group import Command, Group
from patchmode.cli.options import resume_options
from patchmode.cli.run_merging import merge
from patchmode.cli.settings import Settings, settings_of


@click.group(cls=Group, name="runs", no_args_is_help=False, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> exits.Exit | None:
    """List, show, resume and merge runs."""
    return _list(settings_of(context)) if context.invoked_subcommand is None else None


@command.command("list", cls=Command)
@click.pass_context
def list_runs(context: click.Context) -> exits.Exit:
    """Every run in the state folder, newest first."""
    return _list(settings_of(context))


def _list(settings: Settings) -> exits.Exit:
    from patchmode.cli import composition
    from patchmode.cli.output import emit, say
    from patchmode.cli.results import runs_result

    runs = composition.run_store(settings).list()
    emit(runs_result(runs), settings)
    if not runs:
        say(f"No run in {composition.state_folder(settings)}.", settings)
    return exits.of_listing()


@command.command("show", cls=Command)
@click.argument("run", default="latest")
@click.pass_context
def show(context: click.Context, run: str) -> exits.Exit:
    """One run's report; RUN is its id, its beginning, or latest."""
    from patchmode.cli import composition
    from patchmode.cli.output import emit, say, say_lines
    from patchmode.cli.pasting import completed_report
    from patchmode.cli.results import run_result
    from patchmode.cli.resuming import UNFINISHED, in_part_text
    from patchmode.workflow.resuming import rolled_back_in_part, rolled_back_whole
    from patchmode.workflow.runs import report_of

    settings = settings_of(context)
    journal = composition.run_store(settings).open(run)
    report = report_of(journal)
    emit(run_result(completed_report(report, settings), journal.plan.target), settings)
    runs = composition.run_store(settings).list()
    back, in_part = rolled_back_whole(runs, report.run), rolled_back_in_part(runs, report.run)
    if in_part:
        say(in_part_text(in_part, journal.plan, settings), settings)
    if back:
        say(f"It was rolled back by run {back}.", settings)
    elif report.state in UNFINISHED:
        say_lines([f"Go on with: patchmode runs resume {report.run}"], settings)
    return exits.of_shown_run(report)


@command.command("resume", cls=Command)
@click.argument("run", required=False)
@resume_options
@click.pass_context
def resume(context: click.Context, /, run: str | None, yes: bool, **options: Any) -> exits.Exit:
    """Take up a run that was interrupted or stopped; what is done stays done.

    RUN is its id, its beginning, or latest; without it the one run that is open is taken. What held the run back when
    it began holds it back still: budgets, waves, freezes, concurrency, patience, share and strictness. An option given
    here changes it from now on, none lifts it (--no-strict for --strict); the environment only adds. Failures count for
    the whole run.

    The plan was confirmed when the run began, so nothing is asked. A run that a failure budget stopped asks first, and
    names what failed; where nobody can be asked it needs --yes and a budget that allows more.
    """
    from patchmode.cli import composition
    from patchmode.cli.resuming import go_on, open_run

    settings = settings_of(context)
    store = composition.run_store(settings)
    found = run or open_run(store, settings)
    return exits.of_listing() if found is None else go_on(store, found, context, options, settings, yes=yes)


command.add_command(merge)
