"""What attach and detach share: preview, question, carrying out, exit code."""

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from patchmode.cli import composition, exits
from patchmode.cli.confirming import tell_banner
from patchmode.cli.output import Result, emit, paint_for, say, say_lines
from patchmode.cli.running import run_reading, run_writing
from patchmode.cli.schedules.undoing import tell_scope_undo, tell_undo
from patchmode.cli.settings import Settings
from patchmode.cli.terminal import is_answered, require_answers, said_yes, typed_the_number
from patchmode.documents.attachments import ATTACH_COLUMNS, attach_document, attach_row, flat_row
from patchmode.errors import RefusedError
from patchmode.model.access import Principals
from patchmode.model.schedule import AttachAction, AttachReport, AttachResult
from patchmode.model.target import Target
from patchmode.reports.names import MachineNames
from patchmode.reports.text.attachments import attach_lines, draft_lines, member_lines, refused_lines, written_lines
from patchmode.reports.text.doctor import access_lines
from patchmode.reports.text.layout import Paint, plural
from patchmode.reports.text.next_steps import command
from patchmode.rules.schedules.window import window_text
from patchmode.workflow.schedules.attach_many import Preview, carry_out
from patchmode.workflow.schedules.dynamic_scopes import ScopePreview, carry_out_scope

if TYPE_CHECKING:
    from typing import TypeVar

    from patchmode.model.resource_id import ResourceId
    from patchmode.ports.policy import PolicyAzure
    from patchmode.workflow.schedules.creating import ConfigurationDraft

    Found = TypeVar("Found")


def show(lines: Callable[[Paint], Iterable[str]], settings: Settings) -> None:
    """Show a preview on standard error; nothing when quiet."""
    say_lines(lines(paint_for(sys.stderr, settings)), settings)


def ask(question: str, *, yes: bool) -> None:
    """Ask whether to go on.

    Args:
        question: ends in a question mark.
        yes: do not ask.

    Raises:
        UsageError: there is nobody to ask. RefusedError: the answer was not yes.
    """
    if yes:
        return
    require_answers("Review what is shown above and add --yes.")
    if not said_yes(question):
        raise RefusedError("Not confirmed: nothing was sent.", advice="Nothing is lost; the command asks again.")


def ask_for_count(question: str, count: int, what: str, *, yes: bool) -> None:
    """Ask with a letter, or from 25 machines on by typing their number.

    Raises:
        UsageError: there is nobody to ask. RefusedError: the answer was not yes.
    """
    from patchmode.cli.confirming import TYPE_THE_COUNT_FROM

    if yes or count < TYPE_THE_COUNT_FROM or not is_answered():
        ask(question, yes=yes)
        return
    if not typed_the_number(f"This {what}. Type the number to continue", count):
        raise RefusedError("Not confirmed: nothing was sent.", advice="Nothing is lost; the command asks again.")


STEP = 100
"""After so many machines a line tells how far it has come."""


def previewed(
    look: "Callable[[PolicyAzure], Awaitable[Found]]", settings: Settings
) -> "tuple[Found, Principals, Target]":
    """Look, on a connection that cannot write; with who is signed in, and where."""

    async def work() -> "tuple[Found, Principals, Target]":
        async with composition.connected(settings, read_only=True) as azure:
            return await look(azure), await azure.authorization.principals(), azure.target

    return run_reading(work)


def written(write: "Callable[[PolicyAzure], Awaitable[Found]]", settings: Settings, *, is_unchanged: bool) -> "Found":
    """Write one thing that was previewed, and read it back.

    Args:
        write: does both.
        settings: how to connect.
        is_unchanged: there is nothing to write: it is read again on a connection that cannot write.
    """

    async def work() -> "Found":
        async with composition.connected(settings, read_only=is_unchanged) as azure:
            return await write(azure)

    return run_reading(work)


def drafted_lines(drafted: "ConfigurationDraft", target: Target, *, paint: Paint) -> Iterator[str]:
    """What a draft would create or write over."""
    return draft_lines(
        drafted.wish.id,
        drafted.properties,
        drafted.before,
        drafted.windows,
        drafted.warnings,
        MachineNames.of(target, [drafted.wish.id]),
        text=window_text(drafted.wish.window),
        replaces=drafted.standing is not None,
        paint=paint,
    )


def write_machines(
    preview: Preview, principals: Principals, target: Target, settings: Settings, *, name: str | None, yes: bool
) -> exits.Exit:
    """Show a preview of machines, ask, carry it out, tell the result; the exit code."""
    tell_banner(principals, target, settings)
    is_asked = bool(preview.writes) and not yes
    if is_asked:
        # Whoever is not asked reads it in the result.
        show(lambda paint: refused_lines(preview.refused, _names(preview, target), paint=paint), settings)
    names = _names(preview, target)
    show(lambda paint: written_lines(preview.action, _written(preview), names, paint=paint), settings)
    for warning in preview.warnings if preview.writes else ():
        say(names.named(f"! {warning}"), settings)
    show(lambda paint: access_lines(preview.access, principals, paint=paint), settings)
    is_attach = preview.action is AttachAction.ATTACH
    count, there = preview.writes, len(preview.unchanged)
    where = names.short(preview.configuration)
    verb, preposition = ("Attach", "to") if is_attach else ("Detach", "from")
    state = "it already" if is_attach else "no assignment of it"
    already = f"{plural(there, 'machine')} {_have(there)} {state}." if there else ""
    nothing = "attached: no machine gets" if is_attach else "detached: no machine loses"
    places = Counter(one.subscription_id for one in _written(preview))
    told = names.spread(places)
    what = f"{where} {preposition} {plural(count, 'machine')}{told}"
    # Where a question follows, it says what will be done.
    something = "" if is_asked and is_answered() else f"{verb} {what}."
    say(" ".join(filter(None, (something if count else f"Nothing will be {nothing} {where}.", already))), settings)
    if count:
        ask_for_count(f"{verb} {what}?", count, f"{verb.lower()}es {what}", yes=yes)

    async def work(stop: asyncio.Event) -> AttachReport:
        async with composition.connected(settings, read_only=not count) as azure:
            told = progress(count, settings)
            return await carry_out(azure, preview, name=name, clock=composition.clock(), stop=stop, progressed=told)

    report = run_writing(work, remark=lambda text: say(text, settings), last_words=lambda: LEFT)
    # The preview listed the subscriptions; another connection need not do so again.
    code = _told(replace(report, target=target), settings)
    tell_undo(preview, report, settings)
    return code


def write_scope(
    preview: ScopePreview, principals: Principals, target: Target, settings: Settings, *, yes: bool
) -> exits.Exit:
    """Show a preview of a dynamic scope, ask, carry it out, tell the result; the exit code."""
    tell_banner(principals, target, settings)
    is_attach = preview.action is AttachAction.ATTACH
    if not preview.is_unchanged and preview.obstacle is None:
        verb = "Attach" if is_attach else "Detach"
        ids = [preview.configuration, *(one.machine.id for one in preview.members)]
        names = MachineNames.of(target, [*ids, preview.scope.subscription_id])
        place = names.subscription(preview.scope.subscription_id)
        text = f"dynamic scope {preview.scope.name} in subscription {place}, on {names.named(preview.text)}"
        what = f"{verb} {names.short(preview.configuration)}, {text}"
        if yes or not is_answered():
            say(f"{what}.", settings)
        if is_attach:
            show(lambda paint: member_lines(preview.members, names, paint=paint), settings)
        else:
            say(f"{plural(len(preview.members), 'machine')} {_have(len(preview.members))} it by this scope.", settings)
        for warning in preview.warnings:
            say(names.named(f"! {warning}"), settings)
        ask(f"{what}?", yes=yes)

    async def work(stop: asyncio.Event) -> AttachReport:
        del stop  # one write: there is nothing to stop between
        is_read_only = preview.is_unchanged or preview.obstacle is not None
        async with composition.connected(settings, read_only=is_read_only) as azure:
            return await carry_out_scope(azure, preview, clock=composition.clock())

    report = run_writing(work, remark=lambda text: say(text, settings), last_words=lambda: LEFT)
    code = _told(replace(report, target=target), settings)
    tell_scope_undo(preview, report, settings)
    return code


def _written(preview: Preview) -> "list[ResourceId]":
    return [*(one.id for one in preview.machines), *preview.gone]


def _names(preview: Preview, target: Target) -> MachineNames:
    """What the schedule and the machines of a preview are called."""
    ids: list[ResourceId | str] = [preview.configuration, *preview.gone]
    ids += [one.id for part in (preview.machines, preview.skipped) for one in part]
    ids += [one.id for part in (preview.refused, preview.unchanged, preview.unreadable) for one in part]
    return MachineNames.of(target, ids)


LEFT = "Stopped immediately: a request may have been applied. Repeat the command: what is already done is skipped."


def _told(report: AttachReport, settings: Settings) -> exits.Exit:
    is_flat = settings.is_flat
    emit(
        Result(
            document=attach_document(report),
            lines=lambda paint: attach_lines(report, paint=paint, again=settings.again()),
            rows=lambda: map(flat_row if is_flat else attach_row, report.results),
            columns=ATTACH_COLUMNS,
        ),
        settings,
    )
    again = settings.again()
    repeat = "the command." if again is None else f"with:\n  {command(*again)}"
    if report.state == "interrupted":
        say_lines(f"Stopped. Repeat {repeat}\nWhat is already done is skipped.".splitlines(), settings)
    elif not all(one.is_fine for one in report.results):
        say_lines(f"Once the cause is fixed, repeat {repeat}\nWhat is already done is skipped.".splitlines(), settings)
    return exits.of_attach(report)


def progress(total: int, settings: Settings) -> Callable[[AttachResult], None]:
    """What is told of each end: how far it has come, after every so many machines."""
    done = 0

    def told(_: AttachResult) -> None:
        nonlocal done
        done += 1
        if done % STEP == 0 and not settings.no_progress:
            say(f"{done:,} of {plural(total, 'machine')} done.", settings)

    return told


def _have(count: int) -> str:
    return "has" if count == 1 else "have"
