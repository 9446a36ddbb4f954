"""`patchmode runs merge`. Must not: write anything, or speak to Azure."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from patchmode.cli import exits
from patchmode.cli.group import Command
from patchmode.cli.settings import Settings, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from patchmode.model.run_parts import ToldRun
    from patchmode.store.journal import Journal


@click.command("merge", cls=Command)
@click.argument("sources", nargs=-1, required=True, metavar="RUN|FILE|DIR…")
@click.pass_context
def merge(context: click.Context, sources: tuple[str, ...]) -> exits.Exit:
    """One report of several runs, such as the shards of one scope.

    FILE is a journal or what `-o json` printed of a run; DIR stands for every such file below it, and RUN for one of
    the state folder. Nothing is sent. A machine or a shard that is told twice is refused by name, and so are runs of
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
            f"No run is told in {', '.join(sources)}.", advice="`patchmode runs show RUN -o json` prints a report."
        )
    report = merge_runs(told)
    assert report.target is not None  # noqa: S101 - merge_runs refuses parts without a target
    emit(run_result(report, report.target), settings)
    return exits.of_shown_run(report)


def _told_by(source: str, settings: Settings) -> "Iterator[ToldRun]":
    from patchmode.cli import composition
    from patchmode.store.run_parts import files_in

    path = Path(source)
    if path.is_dir():
        for found in files_in(path):
            yield _in_file(found)
    elif path.is_file() or path.suffix or "/" in source or "\\" in source:
        yield _in_file(path)
    else:
        yield _in_journal(composition.run_store(settings).open(source), source)


def _in_file(path: Path) -> "ToldRun":
    from patchmode.store.run_parts import JOURNAL, open_journal, read_report

    return _in_journal(open_journal(path), str(path)) if path.suffix == JOURNAL else read_report(path)


def _in_journal(journal: "Journal", source: str) -> "ToldRun":
    from patchmode.model.run_parts import ToldRun
    from patchmode.workflow.runs import report_of

    try:
        plan = journal.plan
        alone = [str(one.id) for group in (plan.unchanged, plan.skipped, plan.unreadable) for one in group]
        return ToldRun(source, report_of(journal), tuple(alone), is_journal=True)
    finally:
        journal.release()
