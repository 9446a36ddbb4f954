"""`patchmode schedule`: the group; each subcommand has a file in `cli/schedules`. Must not: import one unasked."""

import click

from patchmode.cli.group import Group

SUBCOMMANDS: dict[str, str] = {}


@click.group(cls=Group, name="schedule", late=SUBCOMMANDS, rooms="patchmode.cli.schedules", no_args_is_help=True)
def command() -> None:
    """Maintenance configurations: who is hit, when, and will it work."""
