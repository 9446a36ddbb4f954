"""Running a command's coroutine, and what the first signal does to it: it ends reading, and stops writing cleanly.

Must not: know what is run. What the second signal does stands in `signals`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from patchmode.cli.output import completed
from patchmode.cli.settings import Settings
from patchmode.cli.signals import Signals, listening

Outcome = TypeVar("Outcome")
STOPPING = "Stopping: changes under way are followed to their end, no new one is sent. Ctrl-C again stops immediately."


def run_reading(work: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """Run work that only reads; Ctrl-C ends it.

    Raises:
        KeyboardInterrupt: it was interrupted.
    """

    async def whole(heard: Signals) -> Outcome:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that runs is a task, for the type checker
        with _asked(heard, task.cancel):
            return await work()

    with listening() as heard:
        outcome = _run(heard, whole)
        # Also where the work had just ended: whoever asked for the end does not wait for a report.
        if outcome is None or heard.is_asked:
            raise KeyboardInterrupt
        return outcome[0]


def run_writing(
    work: Callable[[asyncio.Event], Awaitable[Outcome]],
    *,
    remark: Callable[[str], None],
    last_words: Callable[[], str] = lambda: "",
) -> Outcome:
    """Run work that writes; the first Ctrl-C sets its event, the second leaves the process at once.

    Args:
        work: is given the event, and returns when it has stopped cleanly.
        remark: is told the one line about the stop.
        last_words: what is told when the process leaves at once, also after this has returned: how to go on.

    Raises:
        KeyboardInterrupt: it was asked to end before it began.
    """

    async def whole(heard: Signals) -> Outcome:
        stop = asyncio.Event()

        def gently() -> None:
            stop.set()
            remark(STOPPING)

        with _asked(heard, gently):
            return await work(stop)

    with listening() as heard:
        heard.last_words = last_words
        outcome = _run(heard, whole)
        if outcome is None:
            raise KeyboardInterrupt
        return outcome[0]


def run_at_the_end(work: Callable[[], Awaitable[str]]) -> str:
    """Run what is still to be told when a command has ended; a signal ends it.

    Args:
        work: returns why it could not be told; empty: it could.

    Returns:
        The same; also where a signal ended it.
    """

    async def whole(heard: Signals) -> str:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that runs is a task, for the type checker
        loop = asyncio.get_running_loop()
        # Not at once where the end was asked for before: a run that was interrupted is told of, too.
        heard.when_asked = lambda: loop.call_soon_threadsafe(task.cancel)
        return await work()

    with listening() as heard:
        outcome = _run(heard, whole)
    return "it was interrupted" if outcome is None else outcome[0]


class HasRun(Protocol):
    """What a run is known by: its journal, or the operation that carries it out."""

    @property
    def run(self) -> str | None:
        """Its id; None: it has not begun."""


def left_at_once_text(runs: Iterable[HasRun], settings: Settings) -> str:
    """What is told when the process leaves runs at once; empty: none had begun.

    Args:
        runs: those that are carried out.
        settings: the command that is told names the places that were typed.
    """
    told = (
        f"Stopped immediately: what was sent continues in Azure. Continue with: patchmode runs resume {one.run}"
        for one in runs
        if one.run
    )
    return completed("\n".join(told), settings)


def _run(heard: Signals, work: Callable[[Signals], Awaitable[Outcome]]) -> tuple[Outcome] | None:
    """What came of the work; None: it was cancelled.

    Until it returns, a signal raises nothing: an exception in the middle of the event loop, of its end or of a callback
    would come out as a traceback of asyncio, and leave work undone that nobody knows of.
    """
    outcomes: list[Outcome] = []

    async def main() -> None:
        # Not returned: when asyncio looks at the signal handlers at its end, Python writes out the main task, result
        # included, as text that nobody sees; a fleet's plan takes half a gigabyte of it.
        outcomes.append(await work(heard))

    before, heard.when_asked = heard.when_asked, _nothing
    try:
        # Its own handler of SIGINT stays away, because there is one already.
        asyncio.run(main())
    except asyncio.CancelledError:
        return None
    finally:
        heard.when_asked = before
    return (outcomes[0],)


def _nothing() -> None:
    """It is noted that the end was asked for; whoever begins or ends looks at that."""


@contextmanager
def _asked(heard: Signals, act: Callable[[], object]) -> Iterator[None]:
    """Call `act` in this loop when the end is asked for; at once where it was asked for before."""
    loop = asyncio.get_running_loop()
    before, heard.when_asked = heard.when_asked, lambda: loop.call_soon_threadsafe(act)
    if heard.is_asked:
        act()
    try:
        yield
    finally:
        heard.when_asked = before
