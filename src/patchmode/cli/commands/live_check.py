"""`patchmode live-check`. Must not: send anything to a VM that does not carry the tag, or to any other."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from patchmode.cli import exits
from patchmode.cli.group import Command
from patchmode.cli.settings import Settings, settings_of

if TYPE_CHECKING:
    from patchmode.model.live_check import ExperimentResult, LiveCheckReport
    from patchmode.model.resource_id import ResourceId
    from patchmode.rules.live_check.experiment import Experiment
    from patchmode.store.live_checks import FileJournal, LiveCheckStore
    from patchmode.workflow.live_check.preparing import Surrounded


@click.command(cls=Command)
@click.option("--vm", required=True, metavar="ID", help="The throw-away VM, by its resource id.")
@click.option(
    "--maintenance-group",
    metavar="GROUP",
    help="Resource group in which maintenance configurations may be created and deleted; without it none is.",
)
@click.option(
    "--allow-lasting",
    is_flag=True,
    help="Also give a VM without patchSettings some, which Azure may not let be removed.",
)
@click.option("--undo", is_flag=True, help="Only restore the VM after a live check that did not end.")
@click.option(
    "--profile-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.toml",
    help="Write what was decided as a profile for arm-emulator.",
)
@click.option(
    "--exchanges",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.json",
    help="Write every request and answer, with names, ids and addresses replaced, to give to others.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def command(
    context: click.Context,
    /,
    vm: str,
    maintenance_group: str | None,
    allow_lasting: bool,
    undo: bool,
    profile_file: Path | None,
    exchanges: Path | None,
    yes: bool,
) -> exits.Exit:
    """Settle, on one throw-away VM, what nobody could confirm about Azure.

    The VM must have the tag patchmode-live-check=yes. The command runs a fixed list of experiments: each sends a few
    requests, reads the VM back, and restores it before the next one begins. Everything is in a journal before it is
    sent: after a crash, the same command undoes what was left and continues, and --undo only undoes.
    """
    from patchmode.cli import composition
    from patchmode.workflow.live_check.preparing import group_id, machine_id

    settings = settings_of(context)
    machine = machine_id(vm)
    store = composition.live_checks(settings)
    lock = store.lock(machine)
    try:
        journal = store.open_for(machine)
        if undo:
            return _undo(journal, machine, settings)
        if journal is None:
            around = _surrounded(machine, group_id(maintenance_group, machine), settings)
            _confirm(around, settings, yes=yes, allow_lasting=allow_lasting)
            journal = _begin(store, around, settings, allow_lasting=allow_lasting)
            report = _run(store, journal, around, settings, records=exchanges is not None)
        else:
            _tell_resumed(journal, settings)
            _ask(machine, settings, yes=yes)
            report = _run(store, journal, None, settings, records=exchanges is not None)
    finally:
        lock.release()
    _tell(report, settings, profile_file)
    if exchanges is not None:
        _hand_out(store, report, exchanges, settings)
    return exits.of_live_check(report)


def _undo(journal: "FileJournal | None", machine: "ResourceId", settings: Settings) -> exits.Exit:
    from patchmode.cli import composition
    from patchmode.cli.output import say
    from patchmode.cli.running import run_writing
    from patchmode.workflow.live_check.running import LiveCheck

    if journal is None:
        say(f"Nothing to undo: no live check of {machine} in this state folder is open.", settings)
        return exits.of_listing()
    watching = _Watching(settings)

    async def work(_: asyncio.Event) -> "LiveCheckReport":
        async with composition.connected(settings, read_only=False) as azure:
            composition.check_same_target(journal.recorded.begun.target, azure)
            # An undo that is asked to stop goes on: it is what stopping would lead to.
            check = LiveCheck(azure, journal, None, clock=composition.clock(), observer=watching, stop=asyncio.Event())
            return await check.undo()

    report = run_writing(
        work, remark=lambda _: watching.remarked(_UNDOING), last_words=lambda: _again(machine, settings)
    )
    _tell(report, settings, None)
    return exits.of_live_check(report)


def _surrounded(machine: "ResourceId", group: str | None, settings: Settings) -> "Surrounded":
    """Look at the VM, and say who is signed in and where it is."""
    from patchmode.cli import composition
    from patchmode.cli.confirming import tell_banner
    from patchmode.cli.running import run_reading
    from patchmode.workflow.live_check.preparing import surrounded

    async def work() -> "Surrounded":
        async with composition.connected(settings, read_only=True) as azure:
            await azure.authorization.subscriptions()
            found = await surrounded(azure, machine, group, clock=composition.clock())
            principals = await azure.authorization.principals()
            tell_banner(principals, azure.target, settings, touched={machine.subscription_id: 1})
            return found

    return run_reading(work)


def _confirm(around: "Surrounded", settings: Settings, *, yes: bool, allow_lasting: bool) -> None:
    """Show what will be sent, and ask.

    Raises:
        UsageError: there is nobody to ask. RefusedError: the answer was not the VM's name.
    """
    import sys

    from patchmode.cli.output import paint_for, say, say_lines
    from patchmode.reports.text.live_check import planned_lines
    from patchmode.workflow.live_check.preparing import planned

    machine = around.machine
    portal = machine.orchestration.portal_name
    say(f"VM           {machine.id} ({machine.os}, {machine.location}, {portal})", settings, hang=13)
    if machine.may_be_azure_managed:
        say(
            "! Azure patches and reboots the VM at a time it chooses, as it did before, also during the check.",
            settings,
        )
    chosen, skipped, patches = planned(around, allow_lasting=allow_lasting)
    told = [(one.name, one.sends) for one in chosen]
    say_lines(planned_lines(told, skipped, patches=patches, paint=paint_for(sys.stderr, settings)), settings)
    _ask(machine.id, settings, yes=yes)


def _ask(machine: "ResourceId", settings: Settings, *, yes: bool) -> None:
    from patchmode.cli.terminal import require_answers, typed_the_name
    from patchmode.errors import RefusedError
    from patchmode.reports.text.next_steps import command as command_text

    if yes:
        return
    words = settings.again("--yes") or ("live-check", "--vm", str(machine), "--yes")
    require_answers(f"Look at the list above, then add --yes:\n{command_text(*words)}")
    if not typed_the_name("Type the VM's name to continue", machine.name):
        raise RefusedError("Not confirmed: nothing was sent.")


def _begin(store: "LiveCheckStore", around: "Surrounded", settings: Settings, *, allow_lasting: bool) -> "FileJournal":
    from patchmode.cli import composition
    from patchmode.cli.output import say
    from patchmode.ports.live_check import Begun

    now = composition.clock().now()
    check = store.new_id(now)
    begun = Begun(
        check=check,
        target=around.target,
        machine=around.machine.id,
        document=around.machine.document or {},
        at=f"{around.at:%Y-%m-%dT%H:%M:%SZ}",
        group=around.group,
        group_location=around.group_location,
        allow_lasting=allow_lasting,
    )
    journal = store.create(begun)
    say(f"Journal      {journal.path}", settings, hang=13)
    return journal


def _run(
    store: "LiveCheckStore",
    journal: "FileJournal",
    around: "Surrounded | None",
    settings: Settings,
    *,
    records: bool,
) -> "LiveCheckReport":
    from patchmode.cli import composition
    from patchmode.cli.running import run_writing
    from patchmode.workflow.live_check.running import carried_out

    watching = _Watching(settings)
    machine = journal.recorded.begun.machine
    keep = store.exchanges_of(journal.recorded.begun.check).append if records else None

    async def work(stop: asyncio.Event) -> "LiveCheckReport":
        async with composition.connected(settings, read_only=False, remark=watching.remarked, exchanges=keep) as azure:
            composition.check_same_target(journal.recorded.begun.target, azure)
            return await carried_out(azure, journal, around, clock=composition.clock(), observer=watching, stop=stop)

    try:
        return run_writing(
            work, remark=lambda _: watching.remarked(_STOPPING), last_words=lambda: _again(machine, settings)
        )
    except BaseException:
        if journal.recorded.has_sent:
            watching.remarked(_again(machine, settings))
        raise


_UNDOING = "The undo continues to its end. Ctrl-C again stops immediately."
_STOPPING = "Stopping: the VM is restored first. Ctrl-C again stops immediately, and leaves it as it is."


def _again(machine: "ResourceId", settings: Settings) -> str:
    from patchmode.cli.output import completed

    told = f"The VM may not be as it was. To undo what was sent: patchmode live-check --vm '{machine}' --undo"
    return completed(told, settings)


def _tell_resumed(journal: "FileJournal", settings: Settings) -> None:
    from patchmode.cli.output import say, say_lines

    begun, done = journal.recorded.begun, len(journal.recorded.results)
    if journal.recorded.state == "begun":
        say(
            f"The live check {begun.check} of this VM did not end: {done} experiments are recorded. What it left is "
            "undone first, then it continues, with the options that it began with.",
            settings,
        )
        return
    say(f"After the live check {begun.check} the VM was not as before: only the undo is tried again.", settings)
    say_lines(
        ["To start a new one with the VM as it is now, remove this file from the state folder:", f"  {journal.path}"],
        settings,
    )


def _tell(report: "LiveCheckReport", settings: Settings, profile_file: Path | None) -> None:
    from patchmode.cli import composition
    from patchmode.cli.output import emit, say, say_lines
    from patchmode.cli.results import live_check_result
    from patchmode.reports.formats.measured_profile import profile_text
    from patchmode.store.files import READABLE_FILE, write_named

    emit(live_check_result(report), settings)
    if not report.is_restored:
        say_lines([f"To try the undo again: patchmode live-check --vm '{report.machine}' --undo"], settings)
        say("Deleting this throw-away VM leaves nothing of it but what is named as not deleted.", settings)
    elif report.state == "interrupted":
        say_lines([f"To continue: patchmode live-check --vm '{report.machine}'"], settings)
    if profile_file is not None and report.decided:
        text = profile_text(report, decided_on=f"{composition.clock().now():%Y-%m-%d}")
        write_named(profile_file, text.encode(), mode=READABLE_FILE)
        say(f"Profile      {profile_file}", settings, hang=13)
        say_lines([f"Rehearse on it: arm-emulator exec --profile {profile_file} -- sh"], settings)


def _hand_out(store: "LiveCheckStore", report: "LiveCheckReport", path: Path, settings: Settings) -> None:
    """Write what was recorded, scrubbed; what it was scrubbed from is deleted."""
    from patchmode.cli.output import say
    from patchmode.rules.scrubbing.exchanges import scrub
    from patchmode.store.exchange_file import write_exchanges
    from patchmode.version import __version__

    log = store.exchanges_of(report.check)
    write_exchanges(path, scrub(log.read()), f"patchmode {__version__} live-check")
    if report.state != "interrupted":
        log.remove()
    say(
        f"Exchanges    {path} (names, ids and addresses are replaced: read it before you give it to others)",
        settings,
        hang=13,
    )


class _Watching:
    """A line for each experiment, on standard error."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def begins(self, experiment: "Experiment", number: int, total: int) -> None:
        """Say what is about to be sent."""
        self._say(f"{number}/{total} {experiment.name}: {experiment.sends}")

    def ended(self, result: "ExperimentResult") -> None:
        """Say what came of it, once something was sent."""
        from patchmode.model.live_check import Outcome

        if result.outcome in {Outcome.NOT_APPLICABLE, Outcome.NOT_RUN}:
            return
        answers = ", ".join(f"{one.switch} = {one.answer}" for one in result.decisions if one.answer is not None)
        self._say(f"{result.because}{f': {answers}' if answers else ''}", indent=4)

    def remarked(self, text: str) -> None:
        """Pass one line on."""
        from patchmode.cli.output import say

        say(text, self._settings)

    def _say(self, text: str, indent: int = 0) -> None:
        import sys

        from patchmode.cli.output import paint_for, say_lines
        from patchmode.reports.text.layout import wrapped

        if not self._settings.no_progress:
            paint = paint_for(sys.stderr, self._settings)
            say_lines(wrapped(text, paint=paint, indent=indent, hang=indent + 4), self._settings)
