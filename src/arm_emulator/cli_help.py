"""The help of ``arm-emulator``: three examples of every command before its options."""

from collections.abc import Mapping

import click

EXAMPLES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "": (
        ("Run one command on the demo fleet.", "arm-emulator exec -- patchmode audit --all"),
        ("Open a shell in which patchmode, az and curl use it.", "arm-emulator exec --fleet schedules -- bash"),
        (
            "Serve until Ctrl-C, for clients of your own.",
            "arm-emulator serve --fleet schedules --ready-file ready.json",
        ),
    ),
    "serve": (
        ("Serve the demo fleet on any free port.", "arm-emulator serve"),
        (
            "Write the address, the CA and every variable that clients need.",
            "arm-emulator serve --fleet schedules --ready-file ready.json",
        ),
        ("Keep the state, and the port, for the next time.", "arm-emulator serve --state fleet.sqlite --port 8443"),
    ),
    "exec": (
        ("Run one command, and exit with its code.", "arm-emulator exec -- patchmode audit --all"),
        ("Open a shell with schedules, members and failed windows.", "arm-emulator exec --fleet schedules -- bash"),
        (
            "Keep what a command changed, so that the next one sees it.",
            "arm-emulator exec --state fleet.sqlite --lro-seconds 0 -- \\\n  patchmode apply --all --yes",
        ),
    ),
    "fleet": (
        (
            "An estate of a large company, with failed runs behind it.",
            "arm-emulator fleet --estate enterprise -o big.json",
        ),
        ("2,000 machines in 10 subscriptions.", "arm-emulator fleet --machines 2000 --subscriptions 10 -o big.json"),
        (
            "With maintenance configurations and dynamic scopes.",
            "arm-emulator fleet --machines 500 --schedules 20 --dynamic-scopes 5 \\\n  -o fleet.json",
        ),
    ),
    "clock": (
        ("Show the emulated time, in a shell of exec.", "arm-emulator clock"),
        ("Advance by a day, and run its maintenance windows.", "arm-emulator clock --advance P1D"),
        ("Advance to a time.", "arm-emulator clock --to 2099-01-01T22:00:00Z"),
    ),
}
"""Command → (what it is for, the command line); the program itself is the empty path."""


class Command(click.Command):
    """A command whose help shows its examples."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what it does, and its examples."""
        super().format_help_text(ctx, formatter)
        _write_examples(ctx, formatter)


class Group(click.Group):
    """The program itself, whose help shows its examples."""

    command_class = Command

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what it is for, and its examples."""
        super().format_help_text(ctx, formatter)
        _write_examples(ctx, formatter)


def _write_examples(ctx: click.Context, formatter: click.HelpFormatter) -> None:
    with formatter.section("Examples"):
        for number, (text, line) in enumerate(EXAMPLES[ctx.command_path.partition(" ")[2]]):
            if number:
                formatter.write_paragraph()
            # A command is never broken, so that it can be pasted.
            for one in (f"# {text}", *line.splitlines()):
                formatter.write(f"{'':>{formatter.current_indent}}{one}\n")
