"""Carrying a confirmed plan, or an interrupted run, out: journal, progress, result, exit code.

Must not: change the plan. Used by apply, rollback and runs resume.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from patchmode.cli import composition, exits
from patchmode.cli.output import emit, is_one_screen, paint_for, say, say_lines, tell
from patchmode.cli.pasting import completed, completed_report
from patchmode.cli.progress import watching
from patchmode.cli.results import run_result
from patchmode.cli.running import left_text, run_writing
from patchmode.cli.settings import Settings
from patchmode.errors import SignInError
from patchmode.model.attachment import AttachEnd
from patchmode.model.brakes import RunBrakes
from patchmode.model.outcome import RunReport
from patchmode.model.plan import Plan
from patchmode.model.resource_id import ResourceId
from patchmode.reports.left_alone import not_done_text
from patchmode.reports.plan_text import names_in
from patchmode.workflow.applying import apply_plan
from patchmode.workflow.ports import Azure, RunJournal
from patchmode.workflow.run_options import options_of
from patchmode.workflow.runs import make_report
from patchmode.workflow.wave_gate import LATER_WAVE


def carry_out(
    open_journal: Callable[[Azure], RunJournal],
    plan: Plan,
    brakes: RunBrakes,
    settings: Settings,
    *,
    is_shown: bool = False,
    rolled_back: Mapping[ResourceId, str] | None = None,
) -> exits.Exit:
    """Carry a plan out, tell the result on standard output, and return the exit code.

    Args:
        open_journal: begins or reopens the run, once the connection stands.
        plan: what the journal holds, for the progress.
        brakes: what holds the run back; the journal keeps them.
        settings: output and progress; the share is the run's, not theirs.
        is_shown: whether the whole plan was just shown, with the machines that it leaves alone.
        rolled_back: of a run that is taken up, as `apply_plan` has it.

    Raises:
        PatchmodeError: refused as a whole, or no connection. KeyboardInterrupt: it was to end before it began.
    """
    if not plan.has_work:
        return _nothing_to_do(plan, settings)
    journals: list[RunJournal] = []
    options = options_of(brakes)

    names = names_in(plan, paint=paint_for(sys.stderr, settings))
    with watching(settings, skipped=len(plan.skipped), called=names.short) as observer:

        async def work(stop: asyncio.Event) -> RunReport:
            async with composition.connected(
                replace(settings, share=brakes.share),
                read_only=False,
                concurrency=options.at_once(plan),
                throttle_patience_s=options.throttle_patience_s,
                remark=observer.remarked,
            ) as azure:
                journal = open_journal(azure)
                journals.append(journal)
                journal.keep_brakes(brakes)
                clock = composition.clock()
                return await apply_plan(
                    journal, azure, options, clock=clock, observer=observer, stop=stop, rolled_back=rolled_back
                )

        try:
            left = partial(left_text, journals, settings)
            report = run_writing(work, remark=observer.remarked, last_words=left)
        except SignInError:
            for journal in journals:
                _tell_resume(journal.run, settings)
            raise
    if report.state == "finished":
        # Whoever leaves while the result is printed has nothing to go on with.
        journals.clear()
    _tell(completed_report(report, settings), plan, settings, is_shown=is_shown)
    return exits.of_run(report)


def _nothing_to_do(plan: Plan, settings: Settings) -> exits.Exit:
    # An empty run would stand in the way of `latest`, and there is nothing to journal.
    report = make_report("", plan, state="finished", requests={}, results=())
    emit(run_result(report, plan.target), settings)
    if settings.format != "table" or not sys.stdout.isatty():
        _tell_not_done(report, settings)
    return exits.of_run(report)


def _tell(report: RunReport, plan: Plan, settings: Settings, *, is_shown: bool) -> None:
    """The result, then how to go on.

    On one screen what is not as asked is said once, after the hints, and the machines that the plan leaves alone are
    not named again where they stood above the question.
    """
    here = is_one_screen(settings)
    told_later = here and report.state != "interrupted"
    shown = run_result(report, plan.target, tells_not_done=not told_later, names_not_touched=not (here and is_shown))
    emit(shown, settings)
    if report.state == "interrupted":
        _tell_resume(report.run, settings)
    else:
        _tell_next(report, settings)


def _tell_resume(run: str, settings: Settings, options: str = "") -> None:
    command = completed(f"patchmode runs resume {run}{options}", settings)
    tell(f"The journal tells how far each change has come. Go on with: {command}")
    sys.stderr.flush()


def _tell_next(report: RunReport, settings: Settings) -> None:
    is_attached = any(one.result is AttachEnd.ATTACHED for one in report.attachments)
    if report.counts.not_sent or report.state == "stopped":
        later = any(halt.code == LATER_WAVE for halt in report.halts)
        last = report.brakes.last_wave if report.brakes is not None and later else None
        _tell_resume(report.run, settings, f" --last-wave {last + 1}" if last else "")
    if report.counts.applied:
        say_lines([f"Prove it again with: patchmode verify {report.run}"], settings)
    if is_attached:
        say_lines([f"After the window:    patchmode verify {report.run} --after-window"], settings)
    if report.counts.applied or is_attached:
        say_lines([f"Undo it with:        patchmode rollback {report.run}"], settings)
    _tell_not_done(report, settings)


def _tell_not_done(report: RunReport, settings: Settings) -> None:
    """The last line on the screen, where the hints before it might pass for the end of a job that is done."""
    if report.not_done:
        say(f"Not everything is as asked: {not_done_text(report.not_done, report.blocked)}.", settings)
