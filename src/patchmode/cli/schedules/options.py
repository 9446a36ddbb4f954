"""Options that several commands about schedules take. Must not: import what `--help` does not need."""

import click

REBOOTS = ("IfRequired", "Never", "Always")

windows_classifications_option = click.option(
    "--windows-classifications",
    multiple=True,
    metavar="LIST",
    help="Those for Windows, where Linux gets others; 'none' for no classification.",
)
linux_classifications_option = click.option(
    "--linux-classifications",
    multiple=True,
    metavar="LIST",
    help="Those for Linux, where Windows gets others; 'none' for no classification.",
)
