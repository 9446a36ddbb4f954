"""`patchmode schedule`: the group; each subcommand has a file in `cli/schedules`. Must not: import one unasked."""

import click

from patchmode.cli.group import Group

SUBCOMMANDS = {
    "list": "Every schedule that patches guests: when it runs, whom it reaches.",
    "show": "One schedule in full, with its members and its last run.",
    "next": "A calendar of coming windows: who runs, fails, is missed.",
    "create": "Create a schedule, checked before and read back after.",
    "attach": "Attach a schedule to machines, or to a dynamic scope.",
    "detach": "Take a schedule off machines, or delete a dynamic scope.",
    "check": "What is wrong with schedules, assignments and members.",
    "failures": "What became of scheduled runs, why they failed, and what fixes it.",
}


@click.group(cls=Group, name="schedule", late=SUBCOMMANDS, rooms="patchmode.cli.schedules", no_args_is_help=True)
def command() -> None:
    """Maintenance configurations: who is hit, when, and will it work."""
