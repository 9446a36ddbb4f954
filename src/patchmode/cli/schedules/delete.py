"""`patchmode schedule delete`. Must not: delete a schedule that still reaches a machine, or hand machines to Azure."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from patchmode.cli import exits
from patchmode.cli.choices import SCHEDULE
from patchmode.cli.group import Command
from patchmode.cli.settings import Settings, settings_of

if TYPE_CHECKING:
    from patchmode.model.report import DeleteReport
    from patchmode.model.target import Target
    from patchmode.reports.names import MachineNames
    from patchmode.workflow.schedules.deleting import Deletion


@click.command(cls=Command, name="delete")
@click.argument("config", type=SCHEDULE, metavar="CONFIG")
@click.option(
    "--allow-azure-managed",
    is_flag=True,
    help="Also where Azure would then patch and restart members at a time it chooses.",
)
@click.option(
    "--allow-unseen",
    is_flag=True,
    help="Also where members in some subscriptions cannot be seen, and so are not counted.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def command(
    context: click.Context, /, config: str, allow_azure_managed: bool, allow_unseen: bool, yes: bool
) -> exits.Exit:
    """Delete a schedule, after it was detached from every member.

    CONFIG is its id, its name, or GROUP/NAME. The command shows who patches each member without it, and asks. It
    detaches the schedule from machines and deletes its dynamic scopes; only when nothing names it any more it deletes
    the schedule itself, reads that back, and prints the commands that undo it.
    """
    from patchmode.cli import composition
    from patchmode.cli.confirming import tell_banner
    from patchmode.cli.output import say
    from patchmode.cli.running import run_writing
    from patchmode.cli.schedules.attaching import LEFT, ask_for_count, previewed, progress, show
    from patchmode.cli.schedules.undoing import tell_delete_undo
    from patchmode.cli.terminal import is_answered
    from patchmode.reports.names import MachineNames
    from patchmode.reports.text.attachments import deletion_lines
    from patchmode.rules.schedules.creation import not_said
    from patchmode.workflow.schedules.deleting import carry_out_delete, preview_delete

    settings = settings_of(context)
    deletion, principals, target = previewed(
        lambda azure: preview_delete(
            azure,
            config,
            clock=composition.clock(),
            allow_azure_managed=allow_azure_managed,
            allow_unseen=allow_unseen,
        ),
        settings,
    )
    view = deletion.view
    tell_banner(principals, target, settings)
    ids = [view.configuration.id, *(one.machine.id for one in view.members), *view.unseen]
    names = MachineNames.of(target, ids)
    lost = not_said(deletion.found)
    show(lambda paint: deletion_lines(view, deletion.left, names, lost=lost, paint=paint), settings)
    for warning in deletion.warnings:
        say(names.named(f"! {warning}"), settings)
    _tell_elsewhere(deletion, names, settings)
    question, what = _asked(deletion, names)
    if yes or not is_answered():
        # Where a question follows, it says what will be done.
        say(f"{question}.", settings)
    ask_for_count(f"{question}?", deletion.touched, what, yes=yes)

    async def work(stop: asyncio.Event) -> "DeleteReport":
        async with composition.connected(settings, read_only=False) as azure:
            told = progress(deletion.machines.writes, settings)
            return await carry_out_delete(azure, deletion, clock=composition.clock(), stop=stop, progressed=told)

    report = run_writing(work, remark=lambda text: say(text, settings), last_words=lambda: LEFT)
    code = _told(report, target, settings)
    tell_delete_undo(deletion, report, settings)
    return code


def _tell_elsewhere(deletion: "Deletion", names: "MachineNames", settings: Settings) -> None:
    """What attaches the members to another schedule first; nothing where none is left without one."""
    from patchmode.cli.output import say, say_lines
    from patchmode.reports.text.next_steps import command as typed

    if not deletion.nobody:
        return
    if not deletion.others:
        say("There is no other schedule with a window to come that you can see; to create one first:", settings)
        say_lines([f"  {typed('schedule', 'create', '--help')}"], settings)
        return
    other = deletion.others[0].id
    say(f"To attach its members to another schedule first, for example {names.short(other)}:", settings)
    words = ("schedule", "attach", str(other), "--schedule", str(deletion.found.id))
    say_lines([f"  {typed(*words)}"], settings)


def _asked(deletion: "Deletion", names: "MachineNames") -> tuple[str, str]:
    """The question, and what typing the number of members says yes to."""
    from patchmode.model.outcome import OutcomeKind
    from patchmode.reports.text.layout import plural

    name, count, nobody = names.short(deletion.found.id), deletion.touched, len(deletion.nobody)
    if not count:
        return f"Delete {name}, which reaches no machine", f"deletes {name}"
    unseen = len(deletion.view.unseen)
    told = f"{name}, which {plural(count, 'machine has', 'machines have')}{f' ({unseen:,} not seen)' if unseen else ''}"
    azure = len(deletion.left.get(OutcomeKind.AUTOPATCHED, ()))
    parts = [f"{nobody:,} {'is' if nobody == 1 else 'are'} then patched by nobody"] if nobody else []
    parts += [f"{azure:,} by Azure at a time it chooses"] if azure else []
    told += f"; {', '.join(parts)}" if parts else ""
    return f"Delete {told}", f"deletes {told}"


def _told(report: "DeleteReport", target: "Target", settings: Settings) -> exits.Exit:
    from patchmode.cli.output import Result, emit
    from patchmode.documents.attachments import delete_document
    from patchmode.reports.text.attachments import delete_lines

    # The preview listed the subscriptions; another connection need not do so again.
    report = replace(report, target=target)
    document = delete_document(report)
    emit(
        Result(
            document=document,
            lines=lambda paint: delete_lines(report, paint=paint, again=settings.again()),
            rows=lambda: [document],
            columns=("id", "result", "state", "left", "unseen", "error"),
        ),
        settings,
    )
    return exits.of_delete(report)
