"""How a story is told: numbered steps, each command as it is typed, what it shows cut to what the step is about.

Must not: know the stories, or show a command that does not run when it is typed in `arm-emulator exec`.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import click

from patchmode.cli.demonstration.server import PROGRAM, Server, program
from patchmode.cli.exits import Exit
from patchmode.cli.terminal import entered, is_one_place, width_of
from patchmode.reports.text.layout import Paint, plural, wrapped
from patchmode.store.files import write_whole


class StoryError(Exception):
    """A step did not end as it should; the message names the step."""


class Catch(Enum):
    """What of a command's output is handed back instead of being shown."""

    NOTHING = "nothing"
    OUTPUT = "standard output"
    SCREEN = "all that somebody at a terminal would see"


Part = tuple[str, str | None]
"""What a part's first line begins with, and the first line after it, as regular expressions; there "" is a blank line,
and None the end of all."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

Start = Callable[[Sequence[str], Path, Mapping[str, str], Catch], tuple[int, str]]
"""Runs a command (a program's path and its arguments) in a folder and environment; its exit code and what was caught.
"""


@dataclass(slots=True)
class Telling:
    """One telling of a story."""

    server: Server
    folder: Path
    paint: Paint
    options: Sequence[str] = ()
    """Global options to hand on to every command; they change no result."""
    is_paused: bool = False
    """Whether Enter is waited for before each step."""
    pause: Callable[[str], None] = entered
    start: Start = field(default_factory=lambda: started)
    number: int = 0
    title: str = ""
    is_fresh: bool = True
    """Whether nothing was shown since the step's title."""

    def step(self, title: str) -> None:
        """Begin the next step.

        Raises:
            UnansweredError: nobody answered the pause.
        """
        self.number, self.title = self.number + 1, title
        if self.is_paused:
            click.echo(err=True)
            sys.stdout.flush()
            self.pause(f"Press Enter for step {self.number} ({title}), or Ctrl-C to end:")
        click.echo()
        click.echo(self.paint("strong", f"── {self.number}. {title}"))
        self.is_fresh = True

    def say(self, text: str) -> None:
        """Say one paragraph."""
        for line in wrapped(text, paint=self.paint):
            click.echo(line)
        self.is_fresh = False

    def show(
        self,
        *words: str,
        expected: Exit | Sequence[Exit] = Exit.DONE,
        parts: Sequence[Part] = (),
        into: str | None = None,
    ) -> None:
        """Show a command as it is typed, run it in a process of its own, and show what it says.

        Args:
            words: the program's name and its arguments.
            expected: the exit codes that it may end with.
            parts: of what it says, the only ones shown; how many lines are left out is shown too. Empty: all.
            into: a file that standard output goes to, as `> FILE` has it.

        Raises:
            StoryError: it ended with another exit code; what it said was shown.
        """
        if not self.is_fresh:
            click.echo()
        self.is_fresh = False
        typed = shlex.join(words) + (f" > {into}" if into else "")
        click.echo(self.paint("strong", f"$ {typed}"))
        sys.stdout.flush()
        catch = Catch.OUTPUT if into else Catch.SCREEN if parts else Catch.NOTHING
        code, text = self._run(words, catch, quiet=("--no-progress",) if parts else ())
        if into:
            write_whole(self.folder / into, text.encode())
        elif parts:
            # Whoever has to see why it failed sees all of it.
            shown = cut(text, parts, self.paint) if code in _codes(expected) else text.splitlines()
            for line in shown:
                click.echo(line)
        self._check(words, code, expected)

    def json(self, *words: str, expected: Exit | Sequence[Exit] = Exit.DONE) -> Any:
        """What a command of patchmode answers as JSON; it is not shown.

        Raises:
            StoryError: it ended with another exit code.
        """
        code, text = self._run((*words, "-q", "-o", "json"), Catch.OUTPUT)
        self._check(words, code, expected)
        return json.loads(text)

    def end(self, *, shown: str, service: str) -> None:
        """End the story, after the last step.

        Args:
            shown: the sentences behind "Shown:".
            service: what the emulated Azure was like, to go behind its name.
        """
        click.echo()
        click.echo(self.paint("good", f"All {self.number} steps succeeded."))
        self.say(f"Shown: {shown}")
        self.say(f"It was an emulated Azure{service}. Nothing left this computer, and nothing of it is kept.")

    def fail(self, text: str) -> StoryError:
        """The error that ends a story, with its step."""
        return StoryError(f"step {self.number} ({self.title}): {text}")

    def _check(self, words: Sequence[str], code: int, expected: Exit | Sequence[Exit]) -> None:
        codes = _codes(expected)
        if code not in codes:
            should = " or ".join(str(int(one)) for one in codes)
            raise self.fail(f"`{shlex.join(words)}` ended with {code} instead of {should}")

    def _run(self, words: Sequence[str], catch: Catch, quiet: Sequence[str] = ()) -> tuple[int, str]:
        environment = {**self.server.environment, "PATCHMODE_STATE_DIR": str(self.folder / "state")}
        if words[0] == PROGRAM:
            return self.start([program(), *words[1:]], self.folder, environment, catch)
        own = [sys.executable, "-m", "patchmode"]
        return self.start([*own, *words[1:], *self.options, *quiet], self.folder, environment, catch)


def cut(text: str, parts: Sequence[Part], paint: Paint) -> Iterator[str]:
    """The parts of what a command said, and how many lines are left out between.

    Args:
        text: with or without colours; blank lines at its ends do not count.
        parts: in their order. Where one is not found, everything from there on is shown: nothing is hidden by accident.
        paint: for the lines that count.
    """
    lines = text.strip("\n").splitlines()
    plain = [_COLOUR.sub("", line) for line in lines]
    place = 0
    for first, end in parts:
        found = (number for number in range(place, len(lines)) if re.match(first, plain[number]))
        begin = next(found, place)
        stop = (
            len(lines) if end is None else next((n for n in range(begin + 1, len(lines)) if _ends(plain[n], end)), -1)
        )
        if begin > place:
            yield _left_out(begin - place, paint)
        place = stop if stop > 0 else len(lines)
        yield from lines[begin:place]
    if any(line.strip() for line in plain[place:]):
        yield _left_out(len(lines) - place, paint)


def _ends(line: str, end: str) -> bool:
    return bool(re.match(end, line)) if end else not line.strip()


def _left_out(count: int, paint: Paint) -> str:
    return paint("dim", f"  … {plural(count, 'line')} left out")


def started(command: Sequence[str], folder: Path, environment: Mapping[str, str], catch: Catch) -> tuple[int, str]:
    """Run a command as a process of its own; see `Start`.

    At a terminal a caught screen is a terminal too, of the same width, so that it has colours and is broken as it would
    be; elsewhere it is what goes to standard output, and to standard error where both of ours go to one place.
    """
    if catch is Catch.SCREEN and sys.stdout.isatty() and os.name != "nt":
        return _at_a_terminal(command, folder, environment)
    done = subprocess.run(  # noqa: S603 - our own programs with our own arguments
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=None if catch is Catch.NOTHING else subprocess.PIPE,
        stderr=subprocess.STDOUT if catch is Catch.SCREEN and is_one_place(sys.stdout, sys.stderr) else None,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return done.returncode, done.stdout or ""


def _at_a_terminal(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    import pty
    import termios

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, width_of(sys.stdout)))
    with subprocess.Popen(  # noqa: S603 - as above
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        pieces = []
        try:
            while piece := os.read(ours, 1 << 16):
                pieces.append(piece)
        except OSError:
            pass  # so Linux tells that nobody writes any more
        finally:
            os.close(ours)
    return process.returncode, b"".join(pieces).decode(errors="replace").replace("\r\n", "\n")


def _codes(expected: Exit | Sequence[Exit]) -> Sequence[Exit]:
    return (expected,) if isinstance(expected, Exit) else expected
