"""Showing what a schedule command is about to do, and asking.

Must not: be skipped by anything but `--yes`.
"""

import sys
from collections.abc import Callable, Iterable

from patchmode.cli.output import paint_for, say_lines
from patchmode.cli.questions import said_yes, typed_the_number
from patchmode.cli.settings import Settings
from patchmode.cli.streams import is_answered, require_answers
from patchmode.errors import RefusedError
from patchmode.reports.paint import Paint


def show(lines: Callable[[Paint], Iterable[str]], settings: Settings) -> None:
    """Show a preview on standard error; nothing when quiet."""
    say_lines(lines(paint_for(sys.stderr, settings)), settings)


def ask(question: str, *, yes: bool) -> None:
    """Ask whether to go on.

    Args:
        question: ends in a question mark.
        yes: do not ask.

    Raises:
        UsageError: there is nobody to ask. RefusedError: the answer was not yes.
    """
    if yes:
        return
    require_answers("Review what is shown above and add --yes.")
    if not said_yes(question):
        raise RefusedError("Not confirmed: nothing was sent.", advice="Nothing is lost; the command asks again.")


def ask_for_count(question: str, count: int, what: str, *, yes: bool) -> None:
    """Ask with a letter, or from 25 machines on by typing their number.

    Raises:
        UsageError: there is nobody to ask. RefusedError: the answer was not yes.
    """
    from patchmode.cli.confirming import TYPE_THE_COUNT_FROM

    if yes or count < TYPE_THE_COUNT_FROM or not is_answered():
        ask(question, yes=yes)
        return
    if not typed_the_number(f"This {what}. Type the number to go on", count):
        raise RefusedError("Not confirmed: nothing was sent.", advice="Nothing is lost; the command asks again.")
