"""`patchmode runs`: list, show, resume. Must not: send anything that a run's plan does not hold."""

from typing import TYPE_CHECKING, Any

import click

from patchmode.cli import exits
from patchmode.cli.group import Command, Group
from patchmode.cli.options import carrying_options, wave_gate_options
from patchmode.cli.run_merging import merge
from patchmode.cli.settings import Settings, settings_of

if TYPE_CHECKING:
    from patchmode.workflow.ports import JournalEntry


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
    from patchmode.cli.output import emit
    from patchmode.cli.results import run_result
    from patchmode.workflow.runs import report_of

    settings = settings_of(context)
    journal = composition.run_store(settings).open(run)
    report = report_of(journal)
    emit(run_result(report, journal.plan.target), settings)
    return exits.of_shown_run(report)


@command.command("resume", cls=Command)
@click.argument("run", default="latest")
@carrying_options
@wave_gate_options
@click.pass_context
def resume(context: click.Context, /, run: str, **carrying: Any) -> exits.Exit:
    """Take up a run that was interrupted; what is done stays done.

    The plan was confirmed when the run began, so nothing is asked.
    """
    from patchmode.cli import composition
    from patchmode.cli.carrying_out import carry_out, options_from
    from patchmode.cli.confirming import check_may_write, signed_in_for, tell_access, tell_banner
    from patchmode.cli.output import say
    from patchmode.reports.run_text import left_text
    from patchmode.workflow.then_attaching import is_over

    settings = settings_of(context)
    how = options_from(carrying)
    store = composition.run_store(settings)
    journal = store.open(run)
    plan = journal.plan
    left = sum(map(is_left, journal.entries()))
    say(f"Run {journal.run}: {left_text(left, len(plan.changes))}.", settings)
    schedules = journal.attachments()
    if schedules:
        undone = sum(not is_over(entry) for entry in schedules)
        say(f"Of its {len(schedules):,} schedules {undone:,} have not ended.", settings)
    who = signed_in_for(plan, settings, is_new=False)
    tell_banner(who.principals, plan.target, settings)
    check_may_write(plan, who)
    tell_access(plan, who, settings)
    return carry_out(lambda _: store.open(journal.run, for_writing=True, plan=plan), plan, how, settings)


command.add_command(merge)


def is_left(entry: "JournalEntry") -> bool:
    """Whether a resume takes a change up: it has not ended, or ended without having been sent."""
    from patchmode.model.outcome import Result
    from patchmode.workflow.ports import Step

    result = entry.result
    return entry.step is not Step.ENDED or result is None or result.result is Result.NOT_SENT
