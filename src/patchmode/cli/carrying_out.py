"""Carrying a confirmed plan, or a run that did not end, out: journal, progress, result, exit code."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import click

from patchmode.cli import composition, exits, logs, notifying
from patchmode.cli.confirming import check_may_write, check_not_frozen, signed_in_for, tell_access, tell_banner
from patchmode.cli.exits import Exit, of_run
from patchmode.cli.output import completed, completed_report, emit, is_one_screen, paint_for, say, say_lines, tell
from patchmode.cli.progress import record_attachments, watching
from patchmode.cli.results import run_result
from patchmode.cli.run_options import asked_on_resume, brake
from patchmode.cli.running import left_at_once_text, run_writing
from patchmode.cli.settings import Settings
from patchmode.cli.terminal import is_answered, said_yes
from patchmode.errors import RefusedError, SignInError, UsageError
from patchmode.model.guardrails import RunGuardrails, option_name
from patchmode.model.plan import Plan
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import RunReport, RunSummary
from patchmode.model.schedule import AttachEnd
from patchmode.ports.azure import Azure
from patchmode.ports.run import RunJournal
from patchmode.reports.names import MachineNames
from patchmode.reports.text.attachments import kept_lines
from patchmode.reports.text.layout import plural, some
from patchmode.reports.text.left_alone import FailedMachine, failed_lines, not_done_text
from patchmode.reports.text.next_steps import command, next_lines
from patchmode.reports.text.plan import names_in
from patchmode.reports.text.run import left_text, past_text, resumed_lines
from patchmode.store.journal import FINISHED, INTERRUPTED, RUNNING, STOPPED, Journal
from patchmode.store.runs import UNREADABLE, RunStore
from patchmode.workflow.run.applying import apply_plan
from patchmode.workflow.run.options import options_of
from patchmode.workflow.run.report import make_report, report_of
from patchmode.workflow.run.resuming import (
    Interrupted,
    Objection,
    agreed,
    check_not_rolled_back,
    in_force,
    rolled_back_in_part,
    rolled_back_whole,
)
from patchmode.workflow.run.waves import LATER_WAVE


def carry_out(
    open_journal: Callable[[Azure], RunJournal],
    plan: Plan,
    brakes: RunGuardrails,
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

    names = names_in(plan)
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
                _begun(journal.run, plan)
                journal.keep_brakes(brakes)
                clock = composition.clock()
                return await apply_plan(
                    journal, azure, options, clock=clock, observer=observer, stop=stop, rolled_back=rolled_back
                )

        try:
            left = partial(left_at_once_text, journals, settings)
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


def _begun(run: str, plan: Plan) -> None:
    """Name the run to whoever is told of it beside the screen: the log, and the notice at the end."""
    logs.about(run)
    known = notifying.known()
    known.run, known.target = run, plan.target


def _nothing_to_do(plan: Plan, settings: Settings) -> exits.Exit:
    # An empty run would stand in the way of `latest`, and there is nothing to journal.
    report = make_report("", plan, state="finished", requests={}, results=())
    notifying.known().report = report
    emit(run_result(replace(report, again=settings.again() or ()), plan.target), settings)
    if not is_one_screen(settings):
        _tell_not_done(report, settings)
    return exits.of_run(report)


def _tell(report: RunReport, plan: Plan, settings: Settings, *, is_shown: bool) -> None:
    """The result, then how to go on.

    On one screen what is not as asked is said once, after the hints, and the machines that the plan leaves alone are
    not named again where they stood above the question.
    """
    here = is_one_screen(settings)
    notifying.known().report = report
    record_attachments(report.attachments)
    told_later = here and report.state != "interrupted"
    shown = run_result(report, plan.target, tells_not_done=not told_later, names_not_touched=not (here and is_shown))
    emit(shown, settings)
    if report.state == "interrupted":
        _tell_resume(report.run, settings)
    else:
        _tell_next(report, plan, settings)


def _tell_resume(run: str, settings: Settings, options: str = "") -> None:
    command = completed(f"patchmode runs resume {run}{options}", settings)
    tell(f"The journal records how far each change is. Continue with: {command}")
    sys.stderr.flush()


def _tell_next(report: RunReport, plan: Plan, settings: Settings) -> None:
    paint = paint_for(sys.stderr, settings)
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
        locks = kept_lines(plan, paint=paint) if is_attached else ()
        say_lines([*locks, f"Undo it with:        patchmode rollback {report.run}"], settings)
    say_lines(next_lines(report, paint=paint), settings)
    _tell_not_done(report, settings)


def _tell_not_done(report: RunReport, settings: Settings) -> None:
    """The last line on the screen, where the hints before it might pass for the end of a job that is done."""
    if report.not_done:
        say(f"Not everything is as asked: {not_done_text(report.not_done, report.blocked)}.", settings)


UNFINISHED = frozenset({INTERRUPTED, STOPPED})
"""States of a run that may be taken up."""


def open_run(store: RunStore, settings: Settings) -> str | None:
    """The one run that is open: interrupted or stopped. None: none is, which is said.

    Raises:
        UsageError: several are, or there are no runs at all.
    """
    runs = store.list()
    unfinished = [one for one in runs if one.state in UNFINISHED]
    backs = {one.run: rolled_back_whole(runs, one.run) for one in unfinished}
    found = [one for one in unfinished if not backs[one.run]]
    for one in unfinished:
        if backs[one.run]:
            say(f"Run {one.run} is {one.state}, and was rolled back by run {backs[one.run]}: not resumed.", settings)
    if len(found) == 1:
        return found[0].run
    if found:
        each = "".join(f"\n  {_state_text(one)}:\n    patchmode runs resume {one.run}" for one in found[::-1])
        raise UsageError(f"{len(found)} runs are open, so one must be named.", advice=f"Choose one:{each}")
    store.latest_or_refuse()
    say("No run is open: nothing is left to resume.", settings)
    for one in runs:
        if one.state in {RUNNING, UNREADABLE}:
            say(f"Run {one.run} is {_IS[one.state]}.", settings)
    return None


_IS = {RUNNING: "under way in another process", UNREADABLE: "unreadable; `patchmode runs list` says why"}


def _state_text(one: RunSummary) -> str:
    return f"{one.state}, {one.ended:,} of {plural(one.changes, 'change')} ended"


def go_on(
    store: RunStore, run: str, context: click.Context, options: dict[str, Any], settings: Settings, *, yes: bool
) -> Exit:
    """Take a run up and carry it out.

    Args:
        store: the state folder's.
        run: id, beginning of one, or latest.
        context: of the command, for where its options come from.
        options: the command's, but for `yes`.
        settings: output and progress.
        yes: do not ask.

    Raises:
        RefusedError: a freeze holds, the answer was no, or nobody can be asked and no budget was raised.
        PatchmodeError: as `carry_out`.
    """
    given, names, around = asked_on_resume(context, options, settings.share)
    journal = store.open(run, for_writing=True)
    _begun(journal.run, journal.plan)
    try:
        runs = store.list()
        check_not_rolled_back(runs, journal.run)
        rolled_back = rolled_back_in_part(runs, journal.run)
        plan, found = journal.plan, Interrupted(journal, rolled_back)
        if not found.has_work and not found.left_alone:
            return _nothing_left(store, journal, settings)
        brakes = in_force(found.kept, given, names, around)
        settings = replace(settings, share=brakes.share)
        _tell_left(journal, found, brakes, settings)
        check_not_frozen(brakes)
        who = signed_in_for(plan, settings, journal=journal)
        tell_banner(who.principals, who.target, settings, touched=found.left_in)
        if not found.under_way:
            check_may_write(who, settings)
        # Told with the names of now; what is carried out stays the plan of the journal.
        shown = replace(plan, target=who.target)
        tell_access(who, settings)
        for limit in {brakes.max_changes, around.max_changes if "max_changes" not in names else None}:
            brake(plan, limit, is_watched=True)
        brakes = _allowed(
            journal.run, shown, found, brakes, settings, yes=yes, is_raised=not _BUDGETS.isdisjoint(names)
        )
    except BaseException:
        journal.release()
        raise
    return carry_out(lambda _: journal, plan, brakes, settings, rolled_back=rolled_back)


def _nothing_left(store: RunStore, journal: Journal, settings: Settings) -> Exit:
    """Say that nothing is left and nothing is sent, and how the run had ended; nobody has to be signed in."""
    if journal.state != FINISHED:
        # Its process died after the last end and before it could say so.
        journal.close(state=FINISHED)
        journal = store.open(journal.run)
    report = notifying.known().report = report_of(journal)
    journal.release()
    emit(run_result(completed_report(report, settings), journal.plan.target, is_past=True), settings)
    if settings.format != "table":
        say(past_text(report), settings)
    _tell_others(store, journal.run, settings)
    return of_run(report)


def _tell_left(journal: Journal, found: Interrupted, brakes: RunGuardrails, settings: Settings) -> None:
    left = left_text(found.left, len(journal.plan.changes), under_way=found.under_way)
    say(f"Run {journal.run}: {left}.", settings)
    schedules = journal.attachments()
    if schedules:
        say(f"Schedules: {found.schedules_left:,} of {len(schedules):,} still to be attached or detached.", settings)
    _tell_left_alone(found, journal.plan, settings)
    say_lines(resumed_lines(brakes, found.kept, paint=paint_for(sys.stderr, settings)), settings)


def in_part_text(rolled_back: Mapping[ResourceId, str], plan: Plan) -> str:
    """Which machines of a run were rolled back alone, and by which runs."""
    names = names_in(plan)
    machines = some([names.short(one) for one in rolled_back])
    by = ", ".join(dict.fromkeys(rolled_back.values()))
    return f"Rolled back separately: {machines} (by run {by}). A resume does not change them again."


def _tell_left_alone(found: Interrupted, plan: Plan, settings: Settings) -> None:
    if found.left_alone:
        names = names_in(plan)
        told = some([names.short(one) for one in found.left_alone])
        say(f"Skipped, because they were rolled back: {told}.", settings)


def _tell_others(store: RunStore, run: str, settings: Settings) -> None:
    for one in store.list():
        if one.state in UNFINISHED and one.run != run:
            say_lines([f"Another run is open. Continue it: patchmode runs resume {one.run}"], settings)


def _allowed(
    run: str, plan: Plan, found: Interrupted, brakes: RunGuardrails, settings: Settings, *, yes: bool, is_raised: bool
) -> RunGuardrails:
    """The brakes to go on with, once whoever must be asked has said yes; `is_raised`: a budget is given here."""
    objections = found.needs_yes(brakes)
    if not objections:
        return brakes
    # Also with --quiet: whoever says yes, or wonders why it was refused, must have seen what failed.
    names = names_in(plan)
    for line in _failed(found, names, settings):
        click.echo(line, err=True)
    still = found.objections(brakes)
    if yes or not is_answered():
        if not (yes and is_raised) or still:
            again = _command(run, still or objections, failures=len(found.failures))
            advice = f"Look at what failed; then continue with `{again}`."
            raise RefusedError(f"{_because(objections)} Nothing was sent.", advice=advice)
        return agreed(brakes, found)
    tell(_because(objections))
    if not said_yes(_question(found, names, brakes, still)):
        raise RefusedError(
            "Not confirmed: nothing was sent.", advice=f"To be asked again:\n{command('runs', 'resume', run)}"
        )
    return agreed(brakes, found)


_BUDGETS = frozenset({"max_failures", "max_failures_per_wave", "max_failures_per_region"})


def _because(objections: Sequence[Objection]) -> str:
    return " ".join(one.because for one in objections)


def _failed(found: Interrupted, names: MachineNames, settings: Settings) -> Sequence[str]:
    paint = paint_for(sys.stderr, settings)
    machines = [FailedMachine(machine_id, end.error) for machine_id, end in found.failures]
    return [f"Failed so far ({len(machines):,}):", *failed_lines(machines, names, paint=paint)]


def _question(found: Interrupted, names: MachineNames, brakes: RunGuardrails, still: Sequence[Objection]) -> str:
    raised = [f"{option_name(one.option)} {one.raised}" for one in still if one.option and getattr(brakes, one.option)]
    left = plural(found.left, "change") if found.left else plural(found.schedules_left, "schedule")
    to = f" with {', '.join(raised)}" if raised else ""
    return f"Continue{to}, and send the {left} left{names.spread(found.left_in)}?"


def _command(run: str, objections: Sequence[Objection], *, failures: int) -> str:
    raised = [f"{option_name(one.option)} {one.raised}" for one in objections if one.option]
    return " ".join([f"patchmode runs resume {run} --yes", *(raised or [f"--max-failures {failures + 1}"])])
