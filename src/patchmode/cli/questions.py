"""Asking before anything is sent, and what becomes of a question that is not answered.

Ctrl-C, the end of the input and a terminal that is gone all end the command at its question.

Must not: import anything heavy, or decide what is asked.
"""

import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

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


def _answer(prompt: str) -> str:
    try:
        click.echo(prompt, nl=False, err=True)
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
