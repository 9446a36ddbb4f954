"""`patchmode runs`: list, show, resume, merge."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from patchmode.cli import exits
from patchmode.cli.choices import RUN, RUN_OR_FILE
from patchmode.cli.group import Command, Group, prepare
from patchmode.cli.notifying import notice_options
from patchmode.cli.options import resume_options
from patchmode.cli.settings import Settings, settings_of, state_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from patchmode.model.run import ToldRun
    from patchmode.store.journal import Journal


@click.command("merge", cls=Command)
@click.argument("sources", type=RUN_OR_FILE, nargs=-1, required=True, metavar="RUN|FILE|DIR…")
@click.pass_context
def merge(context: click.Context, sources: tuple[str, ...]) -> exits.Exit:
    """One report of several runs, such as the shards of one scope.

    FILE is a journal, or a run's report that `-o json` printed. DIR means every such file below it, and RUN a run of
    the state folder. Nothing is sent. A machine or a shard that is given twice is refused by name, and so are runs of
    different targets.
    """
    from patchmode.cli.output import emit
    from patchmode.cli.results import run_result
    from patchmode.errors import EmptyScopeError
    from patchmode.rules.run_merging import merge_runs

    settings = settings_of(context)
    told = [run for source in sources for run in _told_by(source, settings)]
    if not told:
        raise EmptyScopeError(
            f"No run is reported in {', '.join(sources)}.",
            advice="`patchmode runs show latest -o json` prints a report.",
        )
    report = merge_runs(told)
    assert report.target is not None  # noqa: S101 - merge_runs refuses parts without a target
    emit(run_result(report, report.target), settings)
    return exits.of_shown_run(report)


def _told_by(source: str, settings: Settings) -> "Iterator[ToldRun]":
    from patchmode.cli import composition
    from patchmode.store.runs import files_in

    path = Path(source)
    if path.is_dir():
        for found in files_in(path):
            yield _in_file(found)
    elif path.is_file() or path.suffix or "/" in source or "\\" in source:
        yield _in_file(path)
    else:
        yield _in_journal(composition.run_store(settings).open(source), source)


def _in_file(path: Path) -> "ToldRun":
    from patchmode.store.runs import JOURNAL, open_journal, read_report

    return _in_journal(open_journal(path), str(path)) if path.suffix == JOURNAL else read_report(path)


def _in_journal(journal: "Journal", source: str) -> "ToldRun":
    from patchmode.model.run import ToldRun
    from patchmode.workflow.run.report import report_of

    try:
        plan = journal.plan
        alone = [str(one.id) for group in (plan.unchanged, plan.skipped, plan.unreadable) for one in group]
        return ToldRun(source, report_of(journal), tuple(alone), is_journal=True)
    finally:
        journal.release()


@click.group(cls=Group, name="runs", no_args_is_help=False, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> exits.Exit | None:
    """List, show, resume and merge runs."""
    if context.invoked_subcommand is not None:
        return None
    settings = settings_of(context)
    prepare(settings)
    return _list(settings)


@command.command("list", cls=Command)
@click.pass_context
def list_runs(context: click.Context) -> exits.Exit:
    """Every run in the state folder, newest first.

    ENDED counts the changes that have a result, of all in the run's plan. Where for some of them nothing was sent, NOT
    SENT counts these; they are not under ENDED.
    """
    return _list(settings_of(context))


def _list(settings: Settings) -> exits.Exit:
    from patchmode.cli import composition
    from patchmode.cli.output import emit, say
    from patchmode.cli.results import runs_result

    runs = composition.run_store(settings).list()
    emit(runs_result(runs), settings)
    if not runs:
        say(f"No run in {state_folder(settings)}.", settings)
    return exits.of_listing()


@command.command("show", cls=Command)
@click.argument("run", type=RUN, default="latest")
@click.pass_context
def show(context: click.Context, run: str) -> exits.Exit:
    """One run's report; RUN is its id, its beginning, or latest."""
    from patchmode.cli import composition
    from patchmode.cli.carrying_out import UNFINISHED, in_part_text
    from patchmode.cli.output import completed_report, emit, say, say_lines
    from patchmode.cli.results import run_result
    from patchmode.workflow.run.report import report_of
    from patchmode.workflow.run.resuming import rolled_back_in_part, rolled_back_whole

    settings = settings_of(context)
    journal = composition.run_store(settings).open(run)
    report = report_of(journal)
    emit(run_result(completed_report(report, settings), journal.plan.target), settings)
    runs = composition.run_store(settings).list()
    back, in_part = rolled_back_whole(runs, report.run), rolled_back_in_part(runs, report.run)
    if in_part:
        say(in_part_text(in_part, journal.plan), settings)
    if back:
        say(f"It was rolled back by run {back}.", settings)
    elif report.state in UNFINISHED:
        say_lines([f"Continue with: patchmode runs resume {report.run}"], settings)
    return exits.of_shown_run(report)


@command.command("resume", cls=Command)
@click.argument("run", type=RUN, required=False)
@resume_options
@notice_options
@click.pass_context
def resume(context: click.Context, /, run: str | None, yes: bool, **options: Any) -> exits.Exit:
    """Resume a run that was interrupted or stopped.

    RUN is the run's id, its beginning, or latest. Without RUN the command resumes the one run that is open. Finished
    changes are not repeated. The run keeps the limits that it was started with: budgets, waves, freezes, concurrency,
    patience, share and strictness. An option given here changes the limit from now on; none removes it (--no-strict
    for --strict). The environment only adds limits. Failures count for the whole run.

    The plan was confirmed when the run began, so the command does not ask. If a failure budget stopped the run, it
    names what failed and asks first; where nobody can be asked, give --yes and a budget that allows more.
    """
    from patchmode.cli import composition
    from patchmode.cli.carrying_out import go_on, open_run

    settings = settings_of(context)
    store = composition.run_store(settings)
    found = run or open_run(store, settings)
    return exits.of_listing() if found is None else go_on(store, found, context, options, settings, yes=yes)


command.add_command(merge)
