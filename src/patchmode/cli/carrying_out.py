"""Carrying a confirmed plan, or an interrupted run, out: journal, progress, result, exit code.

Must not: change the plan. Used by apply, rollback and runs resume.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import click

from patchmode.cli import composition, exits
from patchmode.cli.output import emit, say
from patchmode.cli.progress import watching
from patchmode.cli.results import run_result
from patchmode.cli.running import run_writing
from patchmode.cli.settings import Settings
from patchmode.cli.spans import seconds_from
from patchmode.errors import SignInError
from patchmode.model.attachment import AttachEnd
from patchmode.model.outcome import RunReport
from patchmode.model.plan import Plan
from patchmode.rules.freeze_grammar import freezes_from
from patchmode.workflow.applying import ApplyOptions, apply_plan
from patchmode.workflow.brakes import check_not_frozen
from patchmode.workflow.budgets import MaxFailures
from patchmode.workflow.clock import local_zone
from patchmode.workflow.ports import Azure, RunJournal
from patchmode.workflow.runs import make_report
from patchmode.workflow.wave_gate import WaveRules


def options_from(options: dict[str, Any]) -> ApplyOptions:
    """The options of `apply_plan`, taken out of a command's options.

    Args:
        options: a command's keyword arguments; those of `carrying_options` and `wave_gate_options` are removed from it.

    Raises:
        UsageError: a budget, a span of time or a freeze cannot be understood.
        RefusedError: a freeze holds now.
    """
    pause, last = options.pop("wave_pause", None), options.pop("last_wave", None)
    how = ApplyOptions(
        concurrency=options.pop("concurrency"),
        max_failures=_budget(options.pop("max_failures")),
        max_failures_per_wave=_budget(options.pop("max_failures_per_wave", None)),
        max_failures_per_region=_budget(options.pop("max_failures_per_region")),
        operation_timeout_s=options.pop("operation_timeout"),
        throttle_patience_s=seconds_from(options.pop("throttle_patience"), "--throttle-patience"),
        waves=WaveRules(pause_s=0.0 if pause is None else seconds_from(pause, "--wave-pause"), last=last),
        freezes=freezes_from(options.pop("freeze"), local_zone()),
        strict=options.pop("strict"),
    )
    check_not_frozen(how.freezes, composition.clock())
    return how


def _budget(text: str | None) -> MaxFailures | None:
    return None if text is None else MaxFailures.parse(text)


def carry_out(
    open_journal: Callable[[Azure], RunJournal], plan: Plan, options: ApplyOptions, settings: Settings
) -> exits.Exit:
    """Carry a plan out, tell the result on standard output, and return the exit code.

    Args:
        open_journal: begins or reopens the run, once the connection stands.
        plan: what the journal holds, for the progress.
        options: concurrency and failure budget.
        settings: output and progress.

    Raises:
        PatchmodeError: refused as a whole, or no connection. KeyboardInterrupt: interrupted twice.
    """
    if not plan.has_work:
        # An empty run would stand in the way of `latest`, and there is nothing to journal.
        report = make_report("", plan, state="finished", requests={}, results=())
        emit(run_result(report, plan.target), settings)
        return exits.of_run(report)
    journals: list[RunJournal] = []

    with watching(settings, skipped=len(plan.skipped) + len(plan.unchanged)) as observer:

        async def work(stop: asyncio.Event) -> RunReport:
            async with composition.connected(
                settings,
                read_only=False,
                concurrency=options.at_once(plan),
                throttle_patience_s=options.throttle_patience_s,
                remark=observer.remarked,
            ) as azure:
                journal = open_journal(azure)
                journals.append(journal)
                clock = composition.clock()
                return await apply_plan(journal, azure, options, clock=clock, observer=observer, stop=stop)

        try:
            report = run_writing(work, remark=observer.remarked)
        except KeyboardInterrupt:
            for journal in journals:
                journal.close(state="interrupted")
                _tell_resume(journal.run)
            raise
        except SignInError:
            for journal in journals:
                _tell_resume(journal.run)
            raise
    emit(run_result(report, plan.target), settings)
    if report.state == "interrupted":
        _tell_resume(report.run)
    else:
        _tell_next(report, settings)
    return exits.of_run(report)


def _tell_resume(run: str) -> None:
    click.echo(f"The journal tells how far each change has come. Go on with: patchmode runs resume {run}", err=True)
    sys.stderr.flush()


def _tell_next(report: RunReport, settings: Settings) -> None:
    is_attached = any(one.result is AttachEnd.ATTACHED for one in report.attachments)
    if report.counts.not_sent:
        _tell_resume(report.run)
    if report.counts.applied:
        say(f"Prove it again with: patchmode verify {report.run}", settings)
    if is_attached:
        say(f"After the window:    patchmode verify {report.run} --after-window", settings)
    if report.counts.applied or is_attached:
        say(f"Undo it with:        patchmode rollback {report.run}", settings)
