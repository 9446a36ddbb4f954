"""`patchmode policy`: the group; each subcommand has a file in `cli/policy`. Must not: import one unasked."""

import click

from patchmode.cli.group import Group

SUBCOMMANDS = {
    "assign": "Assign a built-in with a managed identity, its roles and exemptions, and read it back.",
    "audit": "Which machines Azure Policy's built-ins cover, which they miss, and why.",
    "remediate": "Start a remediation task of an assignment, wait for it, and explain each failed machine.",
}


@click.group(cls=Group, name="policy", late=SUBCOMMANDS, rooms="patchmode.cli.policy", no_args_is_help=True)
def command() -> None:
    """Azure Policy's built-in definitions for patch settings: which machines they cover."""
