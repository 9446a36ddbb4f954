"""`patchmode mcp`, and what its server is handed."""

import os
import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import click

from patchmode.cli import exits, output
from patchmode.cli.group import Command
from patchmode.cli.settings import Settings, settings_of, state_folder
from patchmode.errors import PatchmodeError, UsageError

if TYPE_CHECKING:
    from patchmode.cli.assistant.server import Reviewed

_NAMED = 20
"""Machines that the question names; the plan file names all."""


@click.command(cls=Command)
@click.option(
    "--allow-writes", is_flag=True, help="Offer the tool that applies a plan file; the client's user is asked."
)
@click.pass_context
def command(context: click.Context, /, allow_writes: bool) -> exits.Exit:
    """The tools of patchmode for assistants, over the Model Context Protocol.

    The command serves one client on standard input and output, as clients start it. Its tools are the commands that
    read (audit, explain, plan, verify, runs, schedule, doctor), with the same documents. With --allow-writes there is
    also apply: the client asks its user for the number of machines before anything is sent.
    """
    import asyncio

    try:
        from patchmode.cli.assistant.server import Handed, serve
    except ImportError as error:
        raise UsageError(
            "The protocol's library is not installed.",
            advice=f"Install it beside patchmode: {sys.executable} -m pip install 'mcp>=2.3,<3'",
        ) from error
    from patchmode.version import __version__

    settings = settings_of(context)
    if sys.stdin.isatty():
        output.tell("Serving the Model Context Protocol on standard input: clients start this command. Ctrl-C ends it.")
    folder = files("patchmode.documents") / "schemas"
    schemas = {one.name.removesuffix("-v1.json"): one.read_text(encoding="utf-8") for one in folder.iterdir()}
    handed = Handed(
        program=[sys.executable, "-m", "patchmode", "--log-format=text", *_session_options(settings)],
        with_writes=allow_writes,
        meanings={int(code): meaning for code, meaning in exits.MEANINGS.items()},
        answers=frozenset(map(int, exits.WITH_RESULT)),
        schemas=schemas,
        plan_file=lambda: _plan_file(settings),
        review=lambda path: _review(path, settings),
        version=__version__,
    )
    try:
        asyncio.run(serve(handed))
    except KeyboardInterrupt as error:
        # The protocol's library reads standard input in a thread, which ends with the next line only, and the
        # interpreter would wait for it.
        output.tell("patchmode: interrupted.")
        os._exit(exits.of_error(error))
    return exits.of_listing()


def _plan_file(settings: Settings) -> str:
    """A path in the state folder, beside the plans that `apply` makes: an assistant names no file that is written."""
    from patchmode.cli.composition import clock
    from patchmode.store.files import make_private_folder

    folder = state_folder(settings) / "plans"
    make_private_folder(folder)
    return str(folder / f"{clock().now():%Y%m%dT%H%M%S.%fZ}.json")


def _review(path: str, settings: Settings) -> "Reviewed":
    """Read a plan file, keep a copy that nobody else writes, and say what it does.

    Raises:
        ValueError: it is no plan, or changes nothing.
    """
    from patchmode.cli.assistant.server import Reviewed
    from patchmode.cli.composition import keep_plan
    from patchmode.cli.confirming import reviewed_plan
    from patchmode.model.plain_text import marked
    from patchmode.reports.text.layout import Paint, target_text
    from patchmode.reports.text.next_steps import nobody_lines
    from patchmode.reports.text.plan import irreversible_lines, summary_lines
    from patchmode.reports.text.run import question_for

    try:
        plan = reviewed_plan(Path(path), settings)
        if not plan.has_work:
            raise UsageError(f"The plan {path} changes nothing.")
        kept = keep_plan(plan, settings)
    except PatchmodeError as error:
        raise ValueError(" ".join([error.message, error.advice or ""]).strip()) from error
    paint, names = Paint(), sorted(f"{one.id.resource_group}/{one.id.name}" for one in plan.changes)
    more = len(names) - _NAMED
    lines = [
        f"{question_for(plan)}?",
        f"Writing to {target_text(plan.target)}",
        *names[:_NAMED],
        *([f"and {more:,} more, which the plan file names"] if more > 0 else []),
        *irreversible_lines(plan, paint=paint),
        *nobody_lines(plan, again=None, paint=paint),
        *summary_lines(plan, paint=paint),
    ]
    return Reviewed(str(kept), plan.digest, plan.touched, "\n".join(marked(line) for line in lines))


def _session_options(settings: Settings) -> list[str]:
    """The global options that were given to this command, for each command of the session."""
    given = {
        "--cloud": settings.cloud,
        "--identity-file": settings.identity_file,
        "--tenant": settings.tenant,
        "--share": settings.share,
        "--state-dir": settings.state_dir,
    }
    return [f"{option}={value}" for option, value in given.items() if value is not None]
