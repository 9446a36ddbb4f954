"""`patchmode console`, and what it is handed."""

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from patchmode.cli import composition, exits
from patchmode.cli.commands.evidence import pack
from patchmode.cli.confirming import check_reviewed
from patchmode.cli.group import Command
from patchmode.cli.options import freeze_option, scope_options
from patchmode.cli.settings import Settings, settings_of, state_folder
from patchmode.console.rooms import Rooms
from patchmode.documents.run import run_document
from patchmode.model.evidence import Evidence
from patchmode.model.guardrails import RunGuardrails
from patchmode.model.plan import Plan
from patchmode.model.report import AuditReport
from patchmode.model.run import RunReport
from patchmode.ports.azure import Azure
from patchmode.store.plan_file import decode_plan, plan_pieces, read_plan
from patchmode.store.readings import keep_reading

if TYPE_CHECKING:
    import asyncio

    from patchmode.console.server import ConsoleServer


BEYOND = (
    "Warning: {host} can be reached from other computers, over plain http. Anyone who reads the traffic or has "
    "the address below can do here what you can do. Safer: omit --host and use an SSH tunnel."
)


@click.command(cls=Command)
@scope_options
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Port (default: any free one).")
@click.option(
    "--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address to listen on, with a warning."
)
@freeze_option
@click.option("--allow-writes", is_flag=True, help="Allow changes; without it the console only reads.")
@click.pass_context
def command(
    context: click.Context, /, port: int, host: str, freeze: tuple[str, ...], allow_writes: bool, **options: Any
) -> exits.Exit:
    """The web console on loopback: fleet, schedules, changes, runs.

    The command prints one address for the browser, and serves until Ctrl-C. The address works once; when a browser has
    opened it, the next one is printed. Without a selector the console shows
    everything that the signed-in principal can see. A change that is made in the console is an ordinary run: the
    command line lists it, resumes it and rolls it back. After Ctrl-C a run sends nothing more and is followed to its
    end; a second Ctrl-C stops immediately.
    """
    from patchmode.cli.run_options import brakes_from
    from patchmode.cli.running import left_at_once_text, run_writing
    from patchmode.cli.scoping import scope_from
    from patchmode.console.rooms import ConsoleOptions
    from patchmode.console.server import ConsoleServer

    settings = settings_of(context)
    composition.identities(settings)  # before a page is opened that could read nothing
    brakes = brakes_from(context, {"freeze": freeze}, settings.share)
    scope = scope_from(options)
    if not scope.has_selector:
        scope = replace(scope, everything=True)
    how = ConsoleOptions(host=host, port=port, allow_writes=allow_writes, scope=scope, brakes=brakes)

    servers: list[ConsoleServer] = []

    async def work(stop: "asyncio.Event") -> None:
        servers.append(ConsoleServer(rooms_for(settings), how, entered=lambda url: _tell_next(url, settings)))
        await _serve(servers[0], settings, stop)

    def left() -> str:
        return left_at_once_text((run for server in servers for run in server.under_way), settings)

    run_writing(work, remark=lambda _: None, last_words=left)
    return exits.of_listing()


async def _serve(server: "ConsoleServer", settings: Settings, stop: "asyncio.Event") -> None:
    from patchmode.cli.output import say
    from patchmode.console.access import is_loopback

    options = server.console.options
    url = await server.start()
    if not is_loopback(options.host):
        say(BEYOND.format(host=options.host), settings)
    mode = "may change machines" if options.allow_writes else "only reads; --allow-writes lets it change machines"
    say(f"The console {mode}. Ctrl-C ends it. Open:", settings)
    # The one result: also with --quiet, and on standard output, so that a script can take it.
    click.echo(url)
    await stop.wait()
    await server.stop(remark=lambda text: say(text, settings))


def _tell_next(url: str, settings: Settings) -> None:
    from patchmode.cli.output import say

    say("A browser has opened it; that address works no more. For another browser:", settings)
    click.echo(url)


def _audit_file(report: AuditReport, form: str) -> bytes:
    from patchmode.documents.audit import audit_document
    from patchmode.reports.formats.audit_record import audit_record
    from patchmode.reports.formats.registry import pieces
    from patchmode.rules.registry import rule_texts

    return b"".join(pieces(audit_record(audit_document(report), rule_texts()), form))


def _run_file(report: RunReport, plan: Plan, form: str) -> bytes:
    from patchmode.cli.commands.report import run_told
    from patchmode.reports.formats.registry import pieces

    return b"".join(pieces(run_told(report, plan.target, plan).record, form))


def _evidence_zip(settings: Settings, run: str, evidence: Evidence) -> bytes:
    journal = composition.run_store(settings).open(run)
    try:
        with TemporaryDirectory(prefix="patchmode-") as folder:
            path = Path(folder) / "evidence.zip"
            pack(journal, evidence, path)
            return path.read_bytes()
    finally:
        journal.release()


def rooms_for(settings: Settings) -> Rooms:
    """The rooms of one console.

    Args:
        settings: cloud and state folder are looked at.
    """
    clock = composition.clock()

    def connect(
        *,
        read_only: bool,
        concurrency: int = 0,
        brakes: RunGuardrails | None = None,
        remark: Callable[[str], None],
    ) -> AbstractAsyncContextManager[Azure]:
        own = settings if brakes is None else replace(settings, share=brakes.share)
        patience_s = None if brakes is None else brakes.throttle_patience
        return composition.connected(
            own, read_only=read_only, concurrency=concurrency, throttle_patience_s=patience_s, remark=remark
        )

    def keep_plan(plan: Plan) -> tuple[Path, Plan]:
        path = composition.keep_plan(plan, settings)
        return path, read_plan(path)

    def plan_from(content: bytes, name: str, remark: Callable[[str], None]) -> Plan:
        plan = decode_plan(content, name=name)
        check_reviewed(plan, settings, name=name, remark=remark)
        return plan

    def journal_pieces(run: str) -> Iterator[bytes]:
        journal = composition.run_store(settings).open(run)
        try:
            yield from journal.snapshot()
        finally:
            journal.release()

    return Rooms(
        connect=connect,
        clock=clock,
        runs=composition.run_store(settings),
        keep_plan=keep_plan,
        plan_pieces=plan_pieces,
        plan_from=plan_from,
        run_document=run_document,
        journal_pieces=journal_pieces,
        keep_reading=partial(keep_reading, state_folder(settings)),
        audit_file=_audit_file,
        run_file=_run_file,
        evidence_zip=partial(_evidence_zip, settings),
    )
