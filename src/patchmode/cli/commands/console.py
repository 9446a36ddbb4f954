"""`patchmode console`. Must not: open a browser by itself, or listen beyond this computer unasked."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from patchmode.cli import exits
from patchmode.cli.group import Command
from patchmode.cli.options import freeze_option, scope_options
from patchmode.cli.settings import Settings, settings_of

if TYPE_CHECKING:
    import asyncio

    from patchmode.console.server import ConsoleServer

BEYOND = (
    "Warning: {host} can be reached from other computers, over plain http. Whoever reads the traffic, or has the "
    "address below, may do here what you may do. Better: leave --host out and come through an SSH tunnel."
)


@click.command(cls=Command)
@scope_options
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Port (default: any free one).")
@click.option(
    "--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address to listen on, with a warning."
)
@freeze_option
@click.option("--allow-writes", is_flag=True, help="Also change things; without it the console only reads.")
@click.pass_context
def command(
    context: click.Context, /, port: int, host: str, freeze: tuple[str, ...], allow_writes: bool, **options: Any
) -> exits.Exit:
    """The web console on loopback: fleet, schedules, changes, runs.

    Prints one address that lets a browser in, and serves until Ctrl-C. Without a selector: everything that the
    signed-in principal can see. A change made in it is an ordinary run: the command line lists it, resumes it and rolls
    it back. Ctrl-C while a run is under way sends nothing more and follows it to its end; a second one leaves at once.
    """
    from patchmode.cli.brake_options import brakes_from
    from patchmode.cli.console_rooms import rooms_for
    from patchmode.cli.running import left_text, run_writing
    from patchmode.cli.scoping import scope_from
    from patchmode.console.rooms import ConsoleOptions
    from patchmode.console.server import ConsoleServer

    settings = settings_of(context)
    brakes = brakes_from(context, {"freeze": freeze}, settings.share)
    scope = scope_from(options)
    if not scope.has_selector:
        scope = replace(scope, everything=True)
    how = ConsoleOptions(host=host, port=port, allow_writes=allow_writes, scope=scope, brakes=brakes)

    servers: list[ConsoleServer] = []

    async def work(stop: "asyncio.Event") -> None:
        servers.append(ConsoleServer(rooms_for(settings), how))
        await _serve(servers[0], settings, stop)

    def left() -> str:
        return left_text((run for server in servers for run in server.under_way), settings)

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
