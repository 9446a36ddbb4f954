"""Before anything is written: who, where, what, and a question.

Must not: be skipped by anything but `--yes`.
"""

import sys

import click

from patchmode.cli import composition
from patchmode.cli.output import paint_for, say, say_lines
from patchmode.cli.running import run_reading
from patchmode.cli.settings import Settings
from patchmode.errors import RefusedError, UsageError
from patchmode.model.identity import Principals
from patchmode.model.plan import Plan
from patchmode.model.target import Target
from patchmode.reports.diagnosis import identities
from patchmode.reports.headings import plural, target_text
from patchmode.reports.plan_text import irreversible_lines, plan_lines, summary_lines
from patchmode.reports.then_attach_text import question_for, wish_lines
from patchmode.workflow.applying import check_applicable
from patchmode.workflow.attach_wish import check_attachable

TYPE_THE_COUNT_FROM = 25
"""From so many changes on, the answer is the number of machines and not a letter."""


def signed_in_for(plan: Plan, settings: Settings, *, is_new: bool) -> Principals:
    """Who is signed in to a plan's target.

    Args:
        plan: the plan.
        settings: cloud and quiet are looked at.
        is_new: nothing of it was sent yet, so it may still be refused because its schedule cannot be attached at all.

    Raises:
        WrongTargetError: the plan is for another target. UnsafeError: it breaks an invariant. RefusedError: its
            schedule cannot be attached. All before anybody is asked anything.
    """

    async def work() -> Principals:
        async with composition.connected(settings, read_only=True) as azure:
            check_applicable(plan, azure)
            if is_new:
                clock = composition.clock()
                await check_attachable(azure, plan, clock=clock, remark=lambda note: say(f"Note: {note}", settings))
            return await azure.authorization.principals()

    return run_reading(work)


def tell_banner(principals: Principals, target: Target, settings: Settings) -> None:
    """Who is signed in, and where, on standard error."""
    say(f"Signed in as {identities(principals)}", settings, hang=13)
    say(f"Writing to   {target_text(target)}", settings, hang=13)


def confirm(plan: Plan, settings: Settings, *, yes: bool, is_new: bool) -> None:
    """Show a plan on standard error and ask whether to carry it out.

    Args:
        plan: nothing is asked where it would send nothing.
        settings: quiet shows nothing, and still asks.
        yes: do not ask.
        is_new: the plan was made just now, so nobody has seen it; one from a file is shown in full only before asking.

    Raises:
        UsageError: there is nobody to ask. RefusedError: the answer was not yes.
    """
    paint = paint_for(sys.stderr, settings)
    if is_new or not yes:
        say_lines(plan_lines(plan, paint=paint), settings)
    else:
        say_lines(irreversible_lines(plan, paint=paint), settings)
        say_lines(summary_lines(plan, paint=paint), settings)
    say_lines(wish_lines(plan, paint=paint), settings)
    if yes or not plan.has_work:
        return
    if not sys.stdin.isatty():
        raise UsageError(
            "Standard input is not a terminal, so nobody can be asked whether to go on.",
            advice="Review the plan and add --yes.",
        )
    if not _agreed(plan):
        raise RefusedError("Not confirmed: nothing was sent.", advice="Nothing is lost; apply asks again.")


def _agreed(plan: Plan) -> bool:
    count = plan.touched
    if count < TYPE_THE_COUNT_FROM:
        return click.confirm(f"{question_for(plan)}?", default=False, err=True)
    is_plain = plan.then_attach is None and not plan.first_detach
    what = f"This changes {plural(count, 'machine')}" if is_plain else f"{question_for(plan)}: {count:,} machines"
    answer = click.prompt(f"{what}. Type the number to go on", default="", show_default=False, err=True)
    return str(answer).replace(",", "").strip() == str(count)
