"""Standard input, output and error, whatever the program was started with, and asking before anything is sent."""

import io
import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import click

from patchmode.errors import UsageError

LOG = "<log>"
"""The name of a standard error that a program reads."""


class _Steady(io.TextIOWrapper):
    """Standard error that outlives its reader: what cannot be written is dropped.

    After a lost connection a run still has to be brought to a clean end.
    """

    before: TextIO
    """Kept, because its end would close the buffer that both write to."""

    def write(self, text: str) -> int:
        """Write a text, or drop it."""
        try:
            return super().write(text)
        except OSError:
            forget_reader(self)
            return len(text)

    def flush(self) -> None:
        """Write what is held back, or drop it."""
        try:
            super().flush()
        except OSError:
            forget_reader(self)


def prepare() -> None:
    """Make the three streams ones that can be used.

    A stream that was closed (`>&-`, a service without any) is opened on the null device: Python leaves None in its
    place, and, worse, the next file that is opened would take its number: what a child process writes to standard
    output would then end up in the run's journal.

    A pipe gets UTF-8 whatever the system's habit, since JSON is; a terminal that lacks a letter shows `?`. A write to
    standard error raises nothing any more.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number and not _is_open(number):
                os.dup2(opened, number)
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115  open for good
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="replace")
    sys.stderr = _steady(sys.stderr)


def _steady(shown: TextIO) -> TextIO:
    if not isinstance(shown, io.TextIOWrapper):
        return shown
    steady = _Steady(shown.buffer, encoding=shown.encoding, errors="replace", line_buffering=True)
    steady.before = shown
    return steady


def forget_reader(stream: TextIO) -> None:
    """Whoever read this stream is gone: what is still written to it goes nowhere, also at the end of the process."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def is_answered() -> bool:
    """Whether somebody sees a question, on standard error, and can answer it."""
    return sys.stdin.isatty() and not _is_null(sys.stderr) and not _is_log(sys.stderr)


def require_answers(advice: str) -> None:
    """See that there is somebody to ask.

    Args:
        advice: what to do where there is nobody.

    Raises:
        UsageError: there is nobody.
    """
    if is_answered():
        return
    why = "Standard error is closed" if _is_null(sys.stderr) else "Standard input is not a terminal"
    if _is_log(sys.stderr):
        why = "Standard error is a log (--log-format json)"
    raise UsageError(f"{why}, so nobody can be asked whether to continue.", advice=advice)


def _is_null(stream: TextIO) -> bool:
    return str(getattr(stream, "name", "")) == os.devnull


def _is_log(stream: TextIO) -> bool:
    """Whether a program reads it, line by line (`logs.LogStream`)."""
    return str(getattr(stream, "name", "")) == LOG


def is_one_place(one: TextIO, other: TextIO) -> bool:
    """Whether two streams are read together: both a terminal, or one pipe or file, as `2>&1` makes it."""
    if one.isatty() and other.isatty():
        return True
    try:
        return os.path.sameopenfile(one.fileno(), other.fileno())
    except (OSError, ValueError):
        return False


_USUAL_WIDTH, _USUAL_HEIGHT = 80, 24
"""Of a terminal that does not say."""


def width_of(stream: TextIO) -> int:
    """The columns of a stream's own terminal: standard output may go elsewhere."""
    try:
        columns = int(os.environ.get("COLUMNS", "0")) or os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        columns = 0
    return columns if columns > 0 else _USUAL_WIDTH


def height_of(stream: TextIO) -> int:
    """The lines of a stream's own terminal."""
    try:
        lines = int(os.environ.get("LINES", "0")) or os.get_terminal_size(stream.fileno()).lines
    except (OSError, ValueError):
        lines = 0
    return lines if lines > 0 else _USUAL_HEIGHT


_YES = {"y", "yes"}
_NO = {"n", "no", ""}


class UnansweredError(click.Abort):
    """The command was interrupted at its question, before anything was sent."""


def said_yes(question: str) -> bool:
    """Ask for a yes, on standard error; an empty answer is a no, anything else is asked again.

    Args:
        question: ends in its question mark.

    Raises:
        UnansweredError: there was no answer.
    """
    while True:
        answer = _answer(f"{question} [y/N]: ").lower()
        if answer in _YES | _NO:
            return answer in _YES
        click.echo("Please answer y or n.", err=True)


def typed_the_number(question: str, number: int) -> bool:
    """Ask for a number to be typed, on standard error; separators of thousands may be typed with it.

    Args:
        question: without its end: what is done, and that the number is to be typed.
        number: the one that is expected.

    Raises:
        UnansweredError: there was no answer.
    """
    return _answer(f"{question}: ").replace(",", "") == str(number)


def typed_the_name(question: str, name: str) -> bool:
    """Ask for a name to be typed, on standard error; its case does not matter.

    Args:
        question: without its end: what is done, and that the name is to be typed.
        name: the one that is expected.

    Raises:
        UnansweredError: there was no answer.
    """
    return _answer(f"{question}: ").casefold() == name.casefold()


def entered(prompt: str) -> None:
    """Wait for Enter, whatever is typed before it.

    Args:
        prompt: shown on standard error; says what comes next.

    Raises:
        UnansweredError: the end of input came, or an interruption.
    """
    _answer(prompt)


def _broken(prompt: str) -> str:
    """A prompt, broken between words at the terminal's width."""
    from patchmode.reports.text.layout import Paint, wrapped

    return "\n".join(wrapped(prompt.rstrip(), paint=Paint(width=width_of(sys.stderr)), hang=4))


def _answer(prompt: str) -> str:
    try:
        click.echo(f"{_broken(prompt)} ", nl=False, err=True)
        _wait_for_input()
        line = sys.stdin.readline()
    except (KeyboardInterrupt, OSError) as error:  # OSError: the terminal is gone, and SIGHUP is ignored
        # The question's line has no end.
        click.echo(err=True)
        raise UnansweredError from error
    if not line:
        click.echo(err=True)
        raise UnansweredError
    return line.strip()


def _wait_for_input() -> None:
    """Wait until there is something to read, or a signal.

    A signal that comes when Python has looked for one and not yet begun to read would not end the read: it would be
    taken only after the answer.
    """
    # Windows cannot wait for a console in this way; its read is ended by Ctrl-C itself.
    if os.name == "nt" or not sys.stdin.isatty():
        return
    with _told_of_signals() as told:
        select.select([sys.stdin, told], [], [])


@contextmanager
def _told_of_signals() -> Iterator[int]:
    """A descriptor that can be read from as soon as a signal has come; its handler is called by Python itself."""
    told, teller = os.pipe()
    os.set_blocking(teller, False)
    before = signal.set_wakeup_fd(teller, warn_on_full_buffer=False)
    try:
        yield told
    finally:
        signal.set_wakeup_fd(before)
        for descriptor in (told, teller):
            with suppress(OSError):
                os.close(descriptor)
