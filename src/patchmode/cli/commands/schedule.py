"""`patchmode schedule`: the group; each subcommand has a file in `cli/schedules`. Must not: import one unasked."""

import click

from patchmode.cli.group import Group

SUBCOMMANDS = {
    "list": "Every schedule that patches guests: when it runs, which machines it reaches.",
    "show": "One schedule in full, with its members and its last run.",
    "next": "Coming windows: how many machines run, fail or are missed.",
    "create": "Create a schedule, checked before and read back after.",
    "update": "Change a schedule's window, or what it installs.",
    "delete": "Delete a schedule, after it was detached from every member.",
    "attach": "Attach a schedule to machines, or to a dynamic scope.",
    "detach": "Detach a schedule from machines, or delete a dynamic scope.",
    "check": "Problems of schedules, assignments and members.",
    "failures": "How scheduled runs ended, why they failed, and what fixes it.",
}


@click.group(cls=Group, name="schedule", late=SUBCOMMANDS, rooms="patchmode.cli.schedules", no_args_is_help=True)
def command() -> None:
    """Maintenance configurations: members, windows, and whether they will work."""
