"""A shell that `exec` starts says in its prompt that it speaks to the emulator, whatever the user's own files set.

A shell reads its files after its environment, so an environment variable alone does not hold: bash and zsh get start
files of ours that read the user's first, and a hook that looks at the prompt before it is shown; sh and ksh the file
that they read by `ENV`.

Must not: write to a file of the user's.
"""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MARK = "(arm-emulator)"
_VALUED = frozenset({"--rcfile", "--init-file", "-o", "+o", "-O", "+O"})
"""Options of the shells here whose value is the next word."""
_MARKED = f"""
__arm_emulator_prompt() {{ case "$PS1" in *'{MARK}'*) ;; *) PS1="{MARK} $PS1" ;; esac; }}
"""
_BASH = (
    _MARKED
    + """
if [[ "$(declare -p PROMPT_COMMAND 2>/dev/null)" == "declare -a"* ]]; then
  PROMPT_COMMAND+=(__arm_emulator_prompt)
else
  PROMPT_COMMAND="${PROMPT_COMMAND:+$PROMPT_COMMAND
}__arm_emulator_prompt"
fi
"""
)
_LOGIN = f"""case "$PS1" in *'{MARK}'*) ;; *) PS1="{MARK} $PS1" ;; esac"""
_ZSH = (
    _MARKED
    + """
autoload -Uz add-zsh-hook
add-zsh-hook precmd __arm_emulator_prompt
"""
)
_FISH = (
    "functions --copy fish_prompt __arm_emulator_own_prompt; "
    f"function fish_prompt; echo -n '{MARK} '; __arm_emulator_own_prompt; end"
)


@dataclass(frozen=True, slots=True)
class Shell:
    """A shell at a terminal, as it is to be started."""

    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Beside what every command gets."""


def shell_of(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, *, at_terminal: bool
) -> Shell | None:
    """The command with the mark in its prompt; None: it is no shell here that somebody will type into.

    Args:
        command: as it was typed.
        environment: of this process, for the files that the user's own shell reads.
        folder: for the start files; it lasts as long as the shell.
        at_terminal: whether standard input and standard error are terminals.
    """
    name = Path(command[0]).name.casefold().removesuffix(".exe").lstrip("-")
    made = _SHELLS.get(name)
    if made is None or not _waits_for_a_person(command[1:], at_terminal=at_terminal):
        return None
    return made(command, environment, folder)


def _waits_for_a_person(words: Sequence[str], *, at_terminal: bool) -> bool:
    """As the shells decide: no script and no `-c`, and a terminal unless `-i` is given."""
    waiting = iter(words)
    interactive = at_terminal
    for word in waiting:
        if word in _VALUED:
            next(waiting, None)
        elif word.startswith("-") and not word.startswith("--"):
            if "c" in word:
                return False
            interactive = interactive or "i" in word
        elif not word.startswith(("-", "+")) or word == "--":
            return False
    return interactive


def _bash(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Shell:
    if any(word in {"-l", "--login", "--posix"} for word in command):
        # A login shell reads no file that could be named here; the variable holds where its files leave it alone.
        own = environment.get("PROMPT_COMMAND")
        shell = _sh(command, environment, folder)
        hook = _LOGIN if own is None else f"{own}\n{_LOGIN}"
        return Shell(command, {**shell.environment, "PROMPT_COMMAND": hook})
    words, read = [], "~/.bashrc"
    given = iter(command[1:])
    for word in given:
        if word == "--norc":
            read = ""
        elif word in {"--rcfile", "--init-file"}:
            read = shlex.quote(next(given, ""))
        else:
            words.append(word)
    path = folder / "bashrc"
    _write(path, (f"[ -r {read} ] && . {read}\n" if read else "") + _BASH)
    return Shell([command[0], "--rcfile", str(path), *words])


def _zsh(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Shell:
    """Its files are read from `ZDOTDIR`: there ours stand, each of which reads the user's of the same name."""
    if "-f" in command or "--no-rcs" in command:
        return Shell(command, {"PS1": f"{MARK} %m%# "})
    own = shlex.quote(environment.get("ZDOTDIR") or environment.get("HOME") or "/")
    ours = shlex.quote(str(folder))
    _write(
        folder / ".zshenv",
        f"ZDOTDIR={own}\n[ -r $ZDOTDIR/.zshenv ] && . $ZDOTDIR/.zshenv\n__arm_emulator_own=$ZDOTDIR\nZDOTDIR={ours}\n",
    )
    read = "ZDOTDIR=$__arm_emulator_own\n[ -r $ZDOTDIR/{name} ] && . $ZDOTDIR/{name}\n"
    _write(folder / ".zprofile", f"{read.format(name='.zprofile')}ZDOTDIR={ours}\n")
    # A system's own file may have put the history beside ours, which do not last.
    history = f'[[ "$HISTFILE" == {ours}/* ]] && HISTFILE=$__arm_emulator_own/.zsh_history\n'
    _write(folder / ".zshrc", history + read.format(name=".zshrc") + _ZSH)
    return Shell(command, {"ZDOTDIR": str(folder)})


def _sh(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Shell:
    path, own = folder / "shrc", environment.get("ENV")
    read = f"[ -r {shlex.quote(own)} ] && . {shlex.quote(own)}\n" if own else ""
    _write(path, f"{read}{_MARKED}__arm_emulator_prompt\n")
    return Shell(command, {"ENV": str(path)})


def _fish(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Shell:
    del environment, folder
    return Shell([command[0], "--init-command", _FISH, *command[1:]])


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


_SHELLS = {
    "bash": _bash,
    "rbash": _bash,
    "zsh": _zsh,
    "sh": _sh,
    "dash": _sh,
    "ash": _sh,
    "ksh": _sh,
    "mksh": _sh,
    "fish": _fish,
}


def at_terminal() -> bool:
    """Whether somebody can type into what is started here, and reads what it says."""
    return os.isatty(0) and os.isatty(2)
