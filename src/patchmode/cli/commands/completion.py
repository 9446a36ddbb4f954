"""`patchmode completion`. Must not: edit a file that somebody else wrote, such as a shell's own start-up file."""

import os
from pathlib import Path

import click

from patchmode.cli import exits
from patchmode.cli.choices import Fixed
from patchmode.cli.group import Command
from patchmode.cli.settings import settings_of

_BY_HAND = {
    "zsh": (
        "zsh has no folder of completions that is read without a change to ~/.zshrc.",
        """\
Run this once:
    mkdir -p ~/.zfunc && patchmode completion zsh > ~/.zfunc/_patchmode
  and put these two lines into ~/.zshrc, in place of its compinit:
    fpath+=~/.zfunc
    autoload -Uz compinit && compinit""",
    ),
    "powershell": (
        "PowerShell reads completions from its profile only.",
        """\
Add this line to the file that $PROFILE names:
    patchmode completion powershell | Out-String | Invoke-Expression""",
    ),
}
"""Shells whose start-up file has to be changed → why it is not done, and what to do."""
_BASH_COMPLETION = (
    "/usr/share/bash-completion/bash_completion",
    "/etc/bash_completion",
    "/usr/local/etc/profile.d/bash_completion.sh",
    "/opt/homebrew/etc/profile.d/bash_completion.sh",
)
"""Where the package bash-completion is, which reads a user's own folder."""


@click.command(cls=Command)
@click.argument("shell", metavar="SHELL", type=Fixed(("bash", "zsh", "fish", "powershell")))
@click.option("--install", is_flag=True, help="bash and fish: write the script where the shell looks for it.")
@click.pass_context
def command(context: click.Context, /, shell: str, install: bool) -> exits.Exit:
    """Print the script that completes commands, options and names.

    SHELL is bash, zsh, fish or powershell. The script completes commands, options, fixed values, subscriptions,
    resource groups, schedules, runs and plan files. Names from Azure are kept for five minutes in the state folder.
    If they cannot be read within three seconds, or nobody is signed in, nothing is completed and no message is shown.
    """
    from patchmode.cli.completing import script
    from patchmode.errors import UsageError

    text = script(context.find_root().command, shell)
    if not install:
        click.echo(text, nl=False)
        return exits.of_listing()
    if shell in _BY_HAND:
        message, advice = _BY_HAND[shell]
        raise UsageError(f"{message} Nothing was changed.", advice=advice)
    _install(shell, text, context)
    return exits.of_listing()


def _install(shell: str, text: str, context: click.Context) -> None:
    from patchmode.cli.completing import VARIABLE
    from patchmode.cli.output import say_lines
    from patchmode.errors import RefusedError
    from patchmode.store.files import READABLE_FILE, make_private_folder, write_named

    settings = settings_of(context)
    path = _place(shell)
    before = path.read_text(encoding="utf-8", errors="replace") if path.exists() else None
    if before is not None and VARIABLE not in before:
        raise RefusedError(
            f"{path} exists, and is not patchmode's. Nothing was changed.",
            advice="Rename that file, then repeat the command.",
        )
    if before == text:
        say_lines([f"Nothing to change: {path} is current."], settings)
    else:
        make_private_folder(path.parent)
        write_named(path, text.encode(), mode=READABLE_FILE)
        say_lines([f"{'Wrote' if before is None else 'Replaced'} {path}; nothing else was changed."], settings)
    if shell == "bash" and not any(Path(one).exists() for one in _BASH_COMPLETION):
        told = [
            "The package bash-completion, which reads that file, was not found here.",
            f"Without it, add this line to ~/.bashrc: source {path}",
        ]
        say_lines(told, settings)
    say_lines([f"A new {shell} completes patchmode. To undo it, delete that file."], settings)


def _place(shell: str) -> Path:
    """Where the shell looks for a user's own completion of a program.

    Source: bash-completion's README ("user's completions"), and fish's documentation ("Where to put completions").
    """
    home = Path.home()
    if shell == "fish":
        base = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
        return base / "fish" / "completions" / "patchmode.fish"
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    own = os.environ.get("BASH_COMPLETION_USER_DIR")
    return (Path(own) if own else data / "bash-completion") / "completions" / "patchmode"
