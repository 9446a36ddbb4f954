"""What becomes of a question that is not answered: Ctrl-C, the end of the input, a terminal that is gone.

Must not: import anything heavy, or decide what is asked.
"""

from collections.abc import Callable
from typing import TypeVar

import click

Answer = TypeVar("Answer")


class UnansweredError(click.Abort):
    """The command was interrupted at its question, before anything was sent."""


def answered(ask: Callable[[], Answer]) -> Answer:
    """Ask, before anything is sent.

    Args:
        ask: one of click's prompts, on standard error.

    Raises:
        UnansweredError: there was no answer.
    """
    try:
        return ask()
    except (click.Abort, KeyboardInterrupt) as error:
        # The question's line has no end.
        click.echo(err=True)
        raise UnansweredError from error
