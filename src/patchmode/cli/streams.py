"""Standard input, output and error, whatever the program was started with.

Must not: read or write anything.
"""

import io
import os
import sys
from pathlib import Path
from typing import TextIO

from patchmode.errors import UsageError


def prepare() -> None:
    """Make the three streams ones that can be used.

    A stream that was closed (`>&-`, a service without any) is opened on the null device: Python leaves None in its
    place, and, worse, the next file that is opened would take its number: what a child process writes to standard
    output would then end up in the run's journal.

    A pipe gets UTF-8 whatever the system's habit, since JSON is; a terminal that lacks a letter shows `?`.
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
