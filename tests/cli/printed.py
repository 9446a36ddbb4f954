"""Commands that the program prints: found in its output, read by its own parser, and held to what is really there."""

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from tests.cli import forked
from tests.cli.conftest import PROGRAM, Program, installed

from patchmode.cli.main import program as root
from patchmode.store.runs import RunStore
from patchmode.workflow.run.report import machines_of

_BEGINS = re.compile(r"(?:^|→ |: +|`|\$ )(?P<command>(?:patchmode|az) [^`]*)")
_PLACEHOLDER = re.compile(
    r"(?:^|[=:<])(?:ID|NAME|FILE|RUN|MACHINE|CONFIGURATION|CONFIG|SUBSCRIPTION|GROUP|N)(?:$|[:>])"
)
_RUN = re.compile(r"\d{8}T\d{9}Z-[0-9a-f]{6}")
_NAMES_ALONE = {"rollback", "verify", "runs resume", "runs show", "evidence check", "explain"}
"""Commands that a sentence may name without telling what of: what they are called, and nothing to paste."""


def output(program: Program, *args: str, stdin: str = "") -> str:
    """Everything that a command says, as it says it."""
    run = forked.run if forked.IS_POSSIBLE else installed
    done = run(PROGRAM, args, cwd=program.folder, env=program.environment, stdin=stdin, timeout_s=program.timeout_s)
    assert "Traceback" not in done.stderr, done.stderr
    return f"{done.stdout}\n{done.stderr}"


def commands_in(text: str) -> Iterator[str]:
    """Every command in an output, as it would be copied: to the end of its line, or of its code span."""
    for line in text.splitlines():
        for found in _BEGINS.finditer(line.strip()):
            command = found["command"].strip()
            is_span = found.group().startswith("`")
            if not (is_span and command.removeprefix("patchmode ") in _NAMES_ALONE):
                # A sentence may go on behind a command's name; one of prose has no option and no id.
                yield command


def parsed(words: Sequence[str]) -> click.Context:
    """The context of a command line, as the program's own parser reads it.

    Raises:
        click.UsageError: it does not take it.
    """
    context = root.make_context("patchmode", list(words))
    while isinstance(context.command, click.Group):
        rest = [*context._protected_args, *context.args]
        if not rest:
            return context
        name, command, args = context.command.resolve_command(context, rest)
        assert command is not None
        context = command.make_context(name, args, parent=context)
    return context


class Held:
    """What exists: the fleet's resources, the runs of the state folder, the files of the working folder."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._made: set[str] = set()

    def check(self, command: str) -> None:
        """Hold a printed command to the parser and to what exists.

        Raises:
            AssertionError: it would not run as it is pasted; the message says why.
        """
        words = shlex.split(command)
        assert "…" not in command, f"{command!r} is cut short"
        assert not [one for one in words if _PLACEHOLDER.search(one)], f"{command!r} holds a placeholder"
        if words[0] != "patchmode" or words[-1] == "--help":
            return
        if ">" in words:
            self._made.add(words[words.index(">") + 1])
            words = words[: words.index(">")]
        try:
            context = parsed(words[1:])
        except click.UsageError as error:
            raise AssertionError(f"{command!r} is not taken: {error.format_message()}") from error
        self._made.update(str(context.params[name]) for name in ("out", "baseline") if context.params.get(name))
        # What is detached may be all that is left of a machine or a schedule that is gone.
        is_detach = words[1:3] == ["schedule", "detach"]
        for word in () if is_detach else words:
            if word.lower().startswith("/subscriptions/"):
                assert self._is_known(word), f"{command!r}: there is no {word}"
        self._check_runs(command, context.params.get("state_dir"))
        for name in context.params.get("ids_file", ()):
            assert self._is_file(name), f"{command!r}: there is no file {name}"
        file = context.params.get("file")
        assert file is None or self._is_file(str(file)), f"{command!r}: there is no file {file}"
        configuration = context.params.get("config") or context.params.get("then_attach")
        assert configuration is None or is_detach or self._is_schedule(configuration), (
            f"{command!r}: no schedule {configuration}"
        )

    def _check_runs(self, command: str, state_dir: str | None) -> None:
        folder = state_dir or self._program.environment["PATCHMODE_STATE_DIR"]
        store = RunStore(self._program.folder / folder)
        for run in _RUN.findall(command):
            journal = store.open(run)
            journal.release()
        for run, ends in re.findall(r"--from-run (\S+?):(\S+)", command):
            journal = store.open(run)
            assert machines_of(journal, ends.split(",")), f"{command!r} takes no machine"
            journal.release()

    def _is_file(self, name: str) -> bool:
        return name in self._made or (self._program.folder / name).exists() or Path(name).exists()

    def _resources(self) -> Iterator[Any]:
        yield from self._program.served.emulator.state  # type: ignore[attr-defined]

    def _is_known(self, identifier: str) -> bool:
        wanted = identifier.lower()
        ids = [entry.id.lower() for entry in self._resources()]
        return any(one == wanted or one.startswith(f"{wanted}/") for one in ids)

    def _is_schedule(self, name: str) -> bool:
        kind = "/microsoft.maintenance/maintenanceconfigurations/"
        ids = [entry.id.lower() for entry in self._resources() if kind in entry.id.lower()]
        of_groups = ("/".join((one.split("/")[4], one.rpartition("/")[2])) for one in ids)
        known = {*ids, *of_groups, *(one.rpartition("/")[2] for one in ids)}
        return name in self._made or name.lower() in known
