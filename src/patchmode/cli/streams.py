"""Standard input, output and error, whatever the program was started with.

Must not: read or write anything.
"""

import io
import os
import sys
from pathlib import Path
from typing import TextIO

from patchmode.errors import UsageError


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
    return sys.stdin.isatty() and not _is_null(sys.stderr)


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
    raise UsageError(f"{why}, so nobody can be asked whether to go on.", advice=advice)


def _is_null(stream: TextIO) -> bool:
    return str(getattr(stream, "name", "")) == os.devnull
