"""Taking a run up: which one, what is in force, and the question where a failure budget was spent.

Must not: decide who must be asked; `workflow/resuming.py` does.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from patchmode.cli.brake_options import asked_on_resume, brake
from patchmode.cli.carrying_out import carry_out
from patchmode.cli.confirming import check_may_write, check_not_frozen, signed_in_for, tell_access, tell_banner
from patchmode.cli.exits import Exit, of_run
from patchmode.cli.output import emit, paint_for, say, say_lines
from patchmode.cli.pasting import completed_report
from patchmode.cli.questions import said_yes
from patchmode.cli.results import run_result
from patchmode.cli.settings import Settings
from patchmode.cli.streams import is_answered
from patchmode.errors import RefusedError, UsageError
from patchmode.model.brakes import RunBrakes, option_name
from patchmode.model.outcome import RunSummary
from patchmode.model.plan import Plan
from patchmode.model.resource_id import ResourceId
from patchmode.reports.brakes_text import resumed_lines
from patchmode.reports.failed_machines import FailedMachine, failed_lines
from patchmode.reports.headings import plural, some
from patchmode.reports.machine_names import MachineNames
from patchmode.reports.plan_text import names_in
from patchmode.reports.run_text import left_text, past_text
from patchmode.store.journal import FINISHED, INTERRUPTED, RUNNING, STOPPED, Journal
from patchmode.store.runs import UNREADABLE, RunStore
from patchmode.workflow.resuming import (
    Interrupted,
    Objection,
    agreed,
    check_not_rolled_back,
    in_force,
    rolled_back_in_part,
    rolled_back_whole,
)
from patchmode.workflow.runs import report_of

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
            say(f"Run {one.run} is {one.state}, and was rolled back by run {backs[one.run]}: not taken up.", settings)
    if len(found) == 1:
        return found[0].run
    if found:
        each = "".join(f"\n    patchmode runs resume {one.run}    {_state_text(one)}" for one in found[::-1])
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
    try:
        runs = store.list()
        check_not_rolled_back(runs, journal.run)
        rolled_back = rolled_back_in_part(runs, journal.run)
        plan, found = journal.plan, Interrupted(journal, rolled_back)
        if not found.has_work and not found.left_alone:
            return _nothing_left(store, journal, settings)
        brakes = in_force(found.kept, given, names, around)
        settings = replace(settings, share=brakes.share)
        _tell(journal, found, brakes, settings)
        check_not_frozen(brakes)
        who = signed_in_for(plan, settings, journal=journal)
        tell_banner(who.principals, who.target, settings, touched=found.left_in)
        if not found.under_way:
            check_may_write(who)
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
    report = report_of(journal)
    journal.release()
    emit(run_result(completed_report(report, settings), journal.plan.target, is_past=True), settings)
    if settings.format != "table":
        say(past_text(report), settings)
    _tell_others(store, journal.run, settings)
    return of_run(report)


def _tell(journal: Journal, found: Interrupted, brakes: RunBrakes, settings: Settings) -> None:
    left = left_text(found.left, len(journal.plan.changes), under_way=found.under_way)
    say(f"Run {journal.run}: {left}.", settings)
    schedules = journal.attachments()
    if schedules:
        say(f"Of its {len(schedules):,} schedules {found.schedules_left:,} have not ended.", settings)
    _tell_left_alone(found, journal.plan, settings)
    say_lines(resumed_lines(brakes, found.kept, paint=paint_for(sys.stderr, settings)), settings)


def in_part_text(rolled_back: Mapping[ResourceId, str], plan: Plan, settings: Settings) -> str:
    """Which machines of a run were rolled back alone, and by which runs."""
    names = names_in(plan, paint=paint_for(sys.stderr, settings))
    machines = some([names.short(one) for one in rolled_back])
    by = ", ".join(dict.fromkeys(rolled_back.values()))
    return f"Rolled back alone: {machines} (by run {by}). A resume sets nothing again there."


def _tell_left_alone(found: Interrupted, plan: Plan, settings: Settings) -> None:
    if found.left_alone:
        names = names_in(plan, paint=paint_for(sys.stderr, settings))
        told = some([names.short(one) for one in found.left_alone])
        say(f"Left alone, since they were rolled back: {told}.", settings)


def _tell_others(store: RunStore, run: str, settings: Settings) -> None:
    for one in store.list():
        if one.state in UNFINISHED and one.run != run:
            say_lines([f"Another run is open. Go on with it: patchmode runs resume {one.run}"], settings)


def _allowed(
    run: str, plan: Plan, found: Interrupted, brakes: RunBrakes, settings: Settings, *, yes: bool, is_raised: bool
) -> RunBrakes:
    """The brakes to go on with, once whoever must be asked has said yes; `is_raised`: a budget is given here."""
    objections = found.needs_yes(brakes)
    if not objections:
        return brakes
    # Also with --quiet: whoever says yes, or wonders why it was refused, must have seen what failed.
    names = names_in(plan, paint=paint_for(sys.stderr, settings))
    for line in _failed(found, names, settings):
        click.echo(line, err=True)
    still = found.objections(brakes)
    if yes or not is_answered():
        if not (yes and is_raised) or still:
            advice = f"Look at what failed; then go on with `{_command(run, still or objections)}`."
            raise RefusedError(f"{_because(objections)} Nothing was sent.", advice=advice)
        return agreed(brakes, found)
    click.echo(_because(objections), err=True)
    if not said_yes(_question(found, names, brakes, still)):
        raise RefusedError("Not confirmed: nothing was sent.", advice="Nothing is lost; runs resume asks again.")
    return agreed(brakes, found)


_BUDGETS = frozenset({"max_failures", "max_failures_per_wave", "max_failures_per_region"})


def _because(objections: Sequence[Objection]) -> str:
    return " ".join(one.because for one in objections)


def _failed(found: Interrupted, names: MachineNames, settings: Settings) -> Sequence[str]:
    paint = paint_for(sys.stderr, settings)
    machines = [FailedMachine(machine_id, end.error) for machine_id, end in found.failures]
    return [f"Failed so far ({len(machines):,}):", *failed_lines(machines, names, paint=paint)]


def _question(found: Interrupted, names: MachineNames, brakes: RunBrakes, still: Sequence[Objection]) -> str:
    raised = [f"{option_name(one.option)} {one.raised}" for one in still if one.option and getattr(brakes, one.option)]
    left = plural(found.left, "change") if found.left else plural(found.schedules_left, "schedule")
    to = f" with {', '.join(raised)}" if raised else ""
    return f"Go on{to}, and send the {left} left{names.spread(found.left_in)}?"


def _command(run: str, objections: Sequence[Objection]) -> str:
    raised = [f"{option_name(one.option)} {one.raised}" for one in objections if one.option]
    return " ".join([f"patchmode runs resume {run} --yes", *(raised or ["--max-failures N"])])
