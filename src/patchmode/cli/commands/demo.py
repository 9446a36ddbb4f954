"""`patchmode demo`. Must not: reach anything but the server that it starts."""

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import click

from patchmode.cli import exits
from patchmode.cli.group import Command
from patchmode.cli.settings import settings_of


@click.command(cls=Command)
@click.option("--step", "is_paused", is_flag=True, help="Wait for Enter before each step.")
@click.option("--full", "is_whole", is_flag=True, help="The whole story with complete output; it takes half a minute.")
@click.pass_context
def command(context: click.Context, is_paused: bool, is_whole: bool) -> exits.Exit:
    """A short story on a local emulator; no Azure needed.

    The demo starts a local Azure Resource Manager with a fleet of 48 machines, and shows what a user would see: a
    window that fails, the fix of exactly the machines that failed, a window that succeeds, a schedule
    attached and detached. It takes about ten seconds and keeps nothing. Every command that it shows runs when it is
    typed in `arm-emulator exec --fleet schedules -- bash`.
    """
    from patchmode.cli.demonstration import short_story, whole_story
    from patchmode.cli.demonstration.server import serving
    from patchmode.cli.demonstration.telling import StoryError, Telling
    from patchmode.cli.output import paint_for
    from patchmode.cli.terminal import require_answers

    settings = settings_of(context)
    if is_paused:
        require_answers("Leave --step out.")
    paint = paint_for(sys.stdout, settings)
    options = ["--no-color"] if settings.no_color else []
    story = whole_story if is_whole else short_story
    server_options = (*story.SERVER_OPTIONS, "--clock", short_story.begins(datetime.now(UTC)).isoformat())
    with tempfile.TemporaryDirectory(prefix="patchmode-demo-") as name, serving(Path(name), server_options) as server:
        telling = Telling(server, Path(name), paint, options, is_paused=is_paused)
        telling.say(f"A local Azure Resource Manager is running at {server.endpoint}.")
        telling.say("Everything below is the real program against it; nothing reaches Azure.")
        try:
            story.tell(telling)
        except StoryError as error:
            sys.stdout.flush()
            click.echo(f"patchmode: The demo failed in {error}.", err=True)
            return exits.of_error(error)
    return exits.of_listing()
