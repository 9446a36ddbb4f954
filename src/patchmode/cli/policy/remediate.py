"""`patchmode policy remediate`. Must not: start a task that was not shown."""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from patchmode.cli import exits
from patchmode.cli.group import Command
from patchmode.cli.settings import Settings, settings_of

if TYPE_CHECKING:
    from patchmode.model.access import Principals
    from patchmode.model.policy import RemediationDraft, RemediationReport, RemediationTask, RemediationWish


@click.command(cls=Command, name="remediate")
@click.argument("assignment", metavar="ASSIGNMENT-ID")
@click.option(
    "--count",
    type=click.IntRange(1, 50_000),
    metavar="N",
    help="Change at most N machines (default: as many as the review finds).",
)
@click.option(
    "--parallel",
    type=click.IntRange(1, 30),
    default=10,
    show_default=True,
    metavar="N",
    help="Machines that Azure changes at the same time.",
)
@click.option(
    "--failure-threshold",
    "threshold",
    type=click.IntRange(0, 100),
    default=10,
    show_default=True,
    metavar="PERCENT",
    help="Azure stops when more machines than that failed; 100: it does not stop.",
)
@click.option(
    "--re-evaluate", is_flag=True, help="Azure evaluates the machines again first; not at a management group."
)
@click.option("--name", metavar="NAME", help="Of the task (default: of the assignment, and the time).")
@click.option("--no-wait", is_flag=True, help="Do not wait for its end.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def command(context: click.Context, /, *, yes: bool, no_wait: bool, **options: Any) -> exits.Exit:
    """Start a remediation task of an assignment, wait for it, and explain each failed machine.

    The command shows which machines the definition would change, by its own evaluation of the machines as they are now,
    and asks. Azure chooses the machines by an evaluation of its own, which may be a day old. A task has no undo.
    """
    from patchmode.cli import composition
    from patchmode.cli.confirming import tell_banner
    from patchmode.cli.output import Result, emit, say_lines
    from patchmode.cli.schedules.attaching import ask_for_count, show
    from patchmode.documents.policy import (
        POLICY_REMEDIATE_COLUMNS,
        policy_remediate_document,
    )
    from patchmode.model.policy import RemediationReport, RemediationWish
    from patchmode.reports.text.layout import plural
    from patchmode.reports.text.policy_remediating import (
        remediation_draft_lines,
        remediation_lines,
        remediation_next_lines,
    )

    settings = settings_of(context)
    assignment = options["assignment"].rstrip("/")
    wish = RemediationWish(
        assignment_id=assignment,
        name=options["name"] or _name(assignment, composition.clock().now()),
        count=options["count"],
        parallel=options["parallel"],
        threshold=options["threshold"],
        re_evaluate=options["re_evaluate"],
    )
    drafted, principals = _drafted(wish, settings)
    tell_banner(principals, drafted.target, settings)
    show(lambda paint: remediation_draft_lines(drafted, paint=paint), settings)
    report = RemediationReport(drafted, "nothing")
    if drafted.count:
        up_to = f"up to {plural(drafted.count, 'machine')}"
        question = f"Start a remediation task that changes {up_to}?"
        ask_for_count(question, drafted.count, f"lets Azure change {up_to}", yes=yes)
        report = _remediated(drafted, settings, waits=not no_wait)
    emit(
        Result(
            document=lambda: policy_remediate_document(report),
            lines=lambda paint: remediation_lines(report, paint=paint),
            rows=lambda: report.machines,
            columns=POLICY_REMEDIATE_COLUMNS,
        ),
        settings,
    )
    if not settings.quiet:
        say_lines(list(remediation_next_lines(report)), settings)
    return exits.of_remediation(report)


def _name(assignment: str, now: datetime) -> str:
    """The assignment's name and the time, to the millisecond as a run's id has it."""
    return f"{assignment.rsplit('/', 1)[-1]}-{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03}Z"


def _drafted(wish: "RemediationWish", settings: Settings) -> "tuple[RemediationDraft, Principals]":
    from patchmode.cli import composition
    from patchmode.cli.running import run_reading
    from patchmode.workflow.policy.remediating import draft_remediation

    async def work() -> "tuple[RemediationDraft, Principals]":
        async with composition.connected(settings, read_only=True) as azure:
            drafted = await draft_remediation(azure, wish, clock=composition.clock())
            return drafted, await azure.authorization.principals()

    return run_reading(work)


def _remediated(drafted: "RemediationDraft", settings: Settings, *, waits: bool) -> "RemediationReport":
    from patchmode.cli import composition
    from patchmode.cli.output import say
    from patchmode.cli.running import run_writing
    from patchmode.reports.text.policy_remediating import task_text
    from patchmode.workflow.policy.remediating import remediate

    def progressed(task: "RemediationTask") -> None:
        if not settings.no_progress and not settings.quiet:
            say(task_text(task), settings)

    async def work(stop: asyncio.Event) -> "RemediationReport":
        async with composition.connected(settings, read_only=False) as azure:
            return await remediate(
                azure, drafted, waits=waits, clock=composition.clock(), stop=stop, progressed=progressed
            )

    words = "Stopping to wait: the task continues in Azure. Ctrl-C again leaves immediately."
    return run_writing(work, remark=lambda _: say(words, settings), last_words=lambda: _left(drafted))


def _left(drafted: "RemediationDraft") -> str:
    from patchmode.reports.text.policy_remediating import az_place

    where = az_place(drafted.wish.scope)
    told = f"az policy remediation show --name '{drafted.wish.name}'{where}"
    return f"Stopped immediately: where the task was started, it continues in Azure. See how far it is: {told}"
