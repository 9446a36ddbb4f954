"""`patchmode demo`. Must not: reach anything but the server that it starts."""

import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from patchmode.cli import exits
from patchmode.cli.group import Command
from patchmode.cli.settings import settings_of

SERVER_OPTIONS = ("--fleet", "schedules", "--lro-seconds", "1", "--throttle", "azure")
BEGINS_BEFORE = timedelta(hours=25)
"""The emulated service's clock starts so long ago: every nightly window has opened since."""


@click.command(cls=Command)
@click.pass_context
def command(context: click.Context) -> exits.Exit:
    """The whole story on a local emulator; no Azure needed.

    Starts a local Azure Resource Manager with a small fleet in every state that matters, and shows what a user would
    see: a maintenance window that fails, exactly the machines that failed fixed, the next window that succeeds, a
    schedule attached, the whole fleet set, drift found, and a rollback. Takes about half a minute and leaves nothing
    behind.
    """
    from patchmode.cli.demonstration.server import serving
    from patchmode.cli.demonstration.story import Story, StoryError
    from patchmode.cli.output import paint_for

    settings = settings_of(context)
    paint = paint_for(sys.stdout, settings)
    options = ["--no-color"] if settings.no_color else []
    begins = datetime.now(UTC) - BEGINS_BEFORE
    server_options = (*SERVER_OPTIONS, "--clock", begins.isoformat())
    with tempfile.TemporaryDirectory(prefix="patchmode-demo-") as name, serving(Path(name), server_options) as server:
        click.echo(f"A local Azure Resource Manager is running at {server.endpoint}.")
        click.echo("Everything below is the real program against it; nothing reaches Azure.")
        try:
            Story(server, Path(name), paint, options).tell()
        except StoryError as error:
            sys.stdout.flush()
            click.echo(f"patchmode: The demo failed: {error}.", err=True)
            return exits.of_error(error)
    return exits.of_listing()
