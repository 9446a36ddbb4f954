"""Before anything is written: the plan file read, who, where, what, and a question."""

import sys
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from patchmode.cli import composition
from patchmode.cli.output import paint_for, say, say_lines
from patchmode.cli.running import run_reading
from patchmode.cli.settings import Settings
from patchmode.cli.terminal import require_answers, said_yes, typed_the_number
from patchmode.errors import RefusedError, UsageError
from patchmode.model.access import AccessCheck, Principals
from patchmode.model.guardrails import RunGuardrails
from patchmode.model.plan import Change, Plan
from patchmode.model.resource_id import ResourceId
from patchmode.model.target import Target
from patchmode.ports.azure import Azure
from patchmode.ports.run import RunJournal
from patchmode.reports.names import MachineNames
from patchmode.reports.text.doctor import access_lines, delegations, grants, identities
from patchmode.reports.text.layout import plural, target_text, wrapped
from patchmode.reports.text.left_alone import held_lines
from patchmode.reports.text.next_steps import command, nobody_lines
from patchmode.reports.text.plan import irreversible_lines, plan_lines, summary_lines
from patchmode.reports.text.run import begun_lines, question_for, wish_lines
from patchmode.rules.settings.plan_derivation import check_derived
from patchmode.store.plan_file import read_plan
from patchmode.workflow.inventory.access import check_plan_access, nothing_allowed
from patchmode.workflow.inventory.planning import check_attachable
from patchmode.workflow.run.applying import check_applicable
from patchmode.workflow.run.guardrails import check_not_frozen as not_frozen
from patchmode.workflow.run.not_begun import check_run_access
from patchmode.workflow.run.options import options_of
from patchmode.workflow.run.resuming import machines_held
from patchmode.workflow.run.rollback import renamed

TYPE_THE_COUNT_FROM = 25
"""From so many changes on, the answer is the number of machines and not a letter."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is signed in, and what of a plan they may do."""

    principals: Principals
    access: AccessCheck
    target: Target
    """The plan's, with the names that its subscriptions have now."""


def signed_in_for(plan: Plan, settings: Settings, *, journal: RunJournal | None = None) -> SignedIn:
    """Who is signed in to a plan's target, and what of the plan they may do.

    Args:
        plan: the plan.
        settings: cloud and quiet are looked at.
        journal: of the run that is taken up; None: nothing of the plan was sent yet, so it may still be refused because
            its schedule cannot be attached at all.

    Raises:
        WrongTargetError: the plan is for another target. UnsafeError: it breaks an invariant. RefusedError: its
            schedule cannot be attached. All before anybody is asked anything.
    """

    async def work() -> SignedIn:
        async with composition.connected(settings, read_only=True) as azure:
            check_applicable(plan, azure, is_new=journal is None)
            if journal is None:
                clock = composition.clock()
                await check_attachable(azure, plan, clock=clock, remark=lambda note: say(f"Note: {note}", settings))
            target = await renamed(azure, plan, remark=lambda note: say(f"Note: {note}", settings))
            return replace(await signed_in(azure, plan, journal=journal), target=target)

    return run_reading(work)


async def signed_in(azure: Azure, plan: Plan, *, journal: RunJournal | None = None) -> SignedIn:
    """Who a connection is signed in as, and what of a plan, or of what a run has left of it, they may do."""
    access = await (check_plan_access(azure, plan) if journal is None else check_run_access(azure, journal))
    return SignedIn(await azure.authorization.principals(), access, plan.target)


def tell_banner(
    principals: Principals, target: Target, settings: Settings, *, touched: Mapping[str, int] | None = None
) -> None:
    """Who is signed in, where, and what is written to there, on standard error.

    Args:
        principals: everybody who is signed in.
        target: where, with the names of its subscriptions.
        settings: quiet says nothing.
        touched: subscription id in lower case → machines that will be written to; None or empty: not told here.
    """
    say(f"Signed in as {identities(principals)}", settings, hang=13)
    say(f"Writing to   {target_text(target, touched or None)}", settings, hang=13)
    if touched:
        names = MachineNames.of(target, touched)
        say(f"Machines     {names.counted(touched)}", settings, hang=13)


def check_may_write(who: SignedIn, settings: Settings) -> None:
    """Refuse what whoever is signed in may do on none of its machines.

    Args:
        who: is signed in.
        settings: has the command line, which is to be repeated once the right was granted.

    Raises:
        RefusedError: with the command that grants it.
    """
    refused = nothing_allowed(who.access)
    if refused:
        commands = "\n".join(grants(who.access.missing, who.principals))
        asked = "\n".join(delegations(who.access.missing, who.principals))
        advice = [f"Have this run by whoever may grant roles:\n{commands}"] if commands else []
        advice += [asked] if asked else []
        again = settings.again()
        then = "try again." if again is None else f"repeat:\n{command(*again)}"
        raise RefusedError(
            f"Nothing was sent: {refused}.",
            advice="\n".join((*advice, f"Then {then}")),
        )


def tell_access(who: SignedIn, settings: Settings) -> None:
    """Say which machines of a plan whoever is signed in may not write, and what grants it; nothing where all may be."""
    paint = paint_for(sys.stderr, settings)
    say_lines(access_lines(who.access, who.principals, paint=paint), settings)


def check_not_frozen(brakes: RunGuardrails) -> None:
    """Refuse to begin or to go on during a freeze.

    Raises:
        RefusedError: one holds now.
    """
    not_frozen(options_of(brakes).freezes, composition.clock())


def tell_brakes(brakes: RunGuardrails, settings: Settings) -> None:
    """What holds a new run back, and where each of it comes from, on standard error."""
    say_lines(begun_lines(brakes, paint=paint_for(sys.stderr, settings)), settings)


def tell_open_runs(plan: Plan, settings: Settings) -> None:
    """Say which runs that have not ended hold machines of a plan, on standard error; nothing where none does."""
    store = composition.run_store(settings)
    lines = held_lines(machines_held(plan, store.list(), store.open), paint=paint_for(sys.stderr, settings))
    say_lines(lines, settings)


def confirm(
    plan: Plan,
    who: SignedIn,
    settings: Settings,
    *,
    yes: bool,
    is_new: bool,
    file: Path,
    warnings: Sequence[str] = (),
) -> bool:
    """Show a plan on standard error and ask whether to carry it out.

    Args:
        plan: nothing is shown or asked where it would send nothing: the result says all of it.
        who: machines that they may not write are told, and not counted in what is asked.
        settings: quiet shows nothing, and still asks.
        yes: do not ask.
        is_new: the plan was made just now, so nobody has seen it; one from a file is shown in full only before asking.
        file: where the plan is written; the command that asks about it once more names it.
        warnings: what else must be known before the answer, one sentence or two each; said last.

    Returns:
        Whether the plan was shown in full, unless quiet.

    Raises:
        UsageError: there is nobody to ask. RefusedError: the answer was not yes.
    """
    if not plan.has_work:
        return False
    if not yes:
        # Before the plan is shown: whoever reads it must be able to answer.
        require_answers(f"Review the plan, then add --yes:\n{command('apply', str(file), '--yes')}")
    paint = paint_for(sys.stderr, settings)
    is_whole = is_new or not yes
    if is_whole:
        again = settings.again() if is_new else _planned_again(plan)
        say_lines(plan_lines(plan, paint=paint, again=again), settings)
    else:
        say_lines(irreversible_lines(plan, paint=paint), settings)
        say_lines(nobody_lines(plan, again=None, paint=paint, after_run=True), settings)
        say_lines(summary_lines(plan, paint=paint), settings)
    say_lines(wish_lines(plan, paint=paint), settings)
    tell_access(who, settings)
    for warning in warnings:
        say_lines((paint("warn", line) for line in wrapped(f"! {warning}", paint=paint, hang=4)), settings)
    if yes:
        return is_whole
    if not _agreed(plan, who.access.refused):
        again = command("apply", str(file))
        raise RefusedError("Not confirmed: nothing was sent.", advice=f"The plan is kept. To be asked again:\n{again}")
    return is_whole


def _planned_again(plan: Plan) -> Sequence[str] | None:
    """Words of the command that plans a file's scope once more; None: it is too long, or came from other files."""
    is_long = len(plan.scope) > _SCOPE_AT_MOST
    if plan.rollback_of is not None or is_long or any(text.startswith(_OTHER_TEXTS) for text in plan.scope):
        return None
    scope = (word for text in plan.scope for word in text.split(" ", 1))
    return ("plan", *scope, *plan.options)


_SCOPE_AT_MOST = 5
_OTHER_TEXTS = ("--from-log ", "--ids-file ", "--from-run ")
"""Told with what was found in them, and so not as they are typed."""


def _agreed(plan: Plan, refused: Collection[ResourceId]) -> bool:
    count = plan.touched - len(refused)
    question = question_for(plan)
    if refused:
        left = Counter(plan.touched_in) - Counter(one.subscription_id for one in refused)
        names = MachineNames.of(plan.target, left)
        question = f"Apply it to {count:,} of {plural(plan.touched, 'machine')}{names.spread(left)}"
    if count < TYPE_THE_COUNT_FROM:
        return said_yes(f"{question}?")
    is_plain = plan.then_attach is None and not plan.first_detach and not refused
    what = question.replace("Change", "This changes", 1) if is_plain else f"{question}: {count:,} machines"
    return typed_the_number(f"{what}. Type the number to continue", count)


def reviewed_plan(path: Path, settings: Settings) -> Plan:
    """The plan in a file, which is what its text tells and what the rules make of its documents.

    Args:
        path: of the file.
        settings: for the state folder, where the journal of a run that is undone may be.

    Raises:
        UsageError, BrokenPlanError: as `read_plan` and `check_derived`. StorageError: that journal is damaged.
    """
    plan = read_plan(path)
    check_reviewed(plan, settings, name=str(path), remark=lambda note: say(f"Note: {note}", settings))
    return plan


def check_reviewed(plan: Plan, settings: Settings, *, name: str, remark: Callable[[str], None]) -> None:
    """Refuse a plan of a file that is not what the rules make of its documents.

    Args:
        plan: as it was read.
        settings: for the state folder, where the journal of a run that is undone may be.
        name: how messages call the file.
        remark: is told where that journal is elsewhere.

    Raises:
        BrokenPlanError: as `check_derived`. StorageError: that journal is damaged.
    """
    check_derived(plan, name=name, recorded=_recorded(plan, settings, remark))


def _recorded(plan: Plan, settings: Settings, remark: Callable[[str], None]) -> Mapping[ResourceId, Change] | None:
    """What the journal of the run that a plan undoes recorded; None: it undoes none, or its journal is elsewhere."""
    if plan.rollback_of is None:
        return None
    try:
        journal = composition.run_store(settings).open(plan.rollback_of)
    except UsageError:
        remark(
            f"run {plan.rollback_of} is not in this state folder, so it cannot be checked that the plan restores "
            "what the run changed. The diff shows all that is sent."
        )
        return None
    try:
        return {entry.change.id: entry.change for entry in journal.entries()}
    finally:
        journal.release()
