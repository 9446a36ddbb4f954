"""Running a command's coroutine, and what Ctrl-C does to it.

Must not: know what is run. The first Ctrl-C (or SIGTERM) asks a writing command to stop cleanly and ends a reading one;
the second ends either at once, which is safe because every intent is journalled before it is carried out.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

import click

from patchmode.cli.exits import Exit

Outcome = TypeVar("Outcome")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
STOPPING = "Stopping: changes under way are followed to their end, no new one is sent. Ctrl-C again leaves at once."


def run_reading(work: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """Run work that only reads; Ctrl-C ends it.

    Raises:
        KeyboardInterrupt: it was interrupted.
    """

    async def whole() -> Outcome:
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()

        def pressed() -> None:
            if task is not None:
                loop.call_soon_threadsafe(task.cancel)

        with _pressed(pressed):
            return await work()

    return _run(whole)


def run_writing(work: Callable[[asyncio.Event], Awaitable[Outcome]], *, remark: Callable[[str], None]) -> Outcome:
    """Run work that writes; the first Ctrl-C sets its event, the second interrupts it.

    Args:
        work: is given the event, and returns when it has stopped cleanly.
        remark: is told the one line about the stop.

    Raises:
        KeyboardInterrupt: it was interrupted twice.
    """

    async def whole() -> Outcome:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def gently() -> None:
            stop.set()
            remark(STOPPING)

        with _pressed(lambda: loop.call_soon_threadsafe(gently)):
            return await work(stop)

    return _run(whole)


def _run(work: Callable[[], Awaitable[Outcome]]) -> Outcome:
    outcomes: list[Outcome] = []

    async def main() -> None:
        # Not returned: when asyncio looks at the signal handlers at its end, Python writes out the main task, result
        # included, as text that nobody sees; a fleet's plan takes half a gigabyte of it.
        outcomes.append(await work())

    try:
        asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    return outcomes[0]


@contextmanager
def _pressed(first: Callable[[], object]) -> Iterator[None]:
    """Call `first` at the first signal; raise KeyboardInterrupt at the second; leave the process at the third."""
    count = 0

    def handler(_number: int, _frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        if count == 1:
            first()
        elif count == 2:
            raise KeyboardInterrupt
        else:
            click.echo("patchmode: left at once.", err=True)
            sys.stderr.flush()
            os._exit(Exit.INTERRUPTED)

    before = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
