"""Time as everything in the workflow takes it, and several coroutines that end together."""

import asyncio
import time
import warnings
from collections.abc import Coroutine, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo


class SystemClock:
    """The machine's own time; fulfils `ports.Clock`."""

    def now(self) -> datetime:
        """The wall clock, aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds from an arbitrary start."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait. Zero yields to other tasks; less counts as zero."""
        await asyncio.sleep(max(0.0, seconds))


class ScaledClock:
    """A clock that runs `factor` times as fast as the system's, from the moment it is made.

    Args:
        factor: > 0; 10 makes a wait of 60 seconds take 6.

    Raises:
        ValueError: `factor` is not positive.
    """

    def __init__(self, factor: float) -> None:
        if factor <= 0:
            msg = f"a clock cannot run {factor} times as fast as the system's"
            raise ValueError(msg)
        self.factor = factor
        self._wall = datetime.now(UTC)
        self._start = time.monotonic()

    def now(self) -> datetime:
        """The wall clock of this clock's own time, aware, UTC."""
        return self._wall + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Seconds of this clock's own time since it was made."""
        return (time.monotonic() - self._start) * self.factor

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds of this clock's own time."""
        await asyncio.sleep(max(0.0, seconds) / self.factor)


def local_zone() -> ZoneInfo | None:
    """The time zone that this computer is set to (`TZ`, or the system's setting); None: it cannot be told."""
    from tzlocal import get_localzone

    try:
        with warnings.catch_warnings():
            # It warns where nothing is set, and takes UTC; whoever uses the zone names it.
            warnings.simplefilter("ignore")
            zone = get_localzone()
    except (OSError, ValueError, KeyError):
        return None  # settings that contradict each other, or name no zone
    return zone if isinstance(zone, ZoneInfo) else ZoneInfo("UTC")


T = TypeVar("T")


async def all_of(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run coroutines at once and wait for all of them.

    Returns:
        Their results, in the order given.

    Raises:
        Exception: whatever the first of them raised, not wrapped in a group; the others are cancelled and awaited.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in coroutines]
    except BaseExceptionGroup as failures:
        raise _first(failures) from failures
    return [task.result() for task in tasks]


async def unless(asking: Coroutine[Any, Any, T], event: asyncio.Event, *, otherwise: T) -> T:
    """What a coroutine answers, or `otherwise` where an event comes first; the coroutine is then cancelled.

    Raises:
        Exception: whatever the coroutine raised.
    """
    answering, coming = asyncio.ensure_future(asking), asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({answering, coming}, return_when=asyncio.FIRST_COMPLETED)
        return answering.result() if answering.done() else otherwise
    finally:
        answering.cancel()
        coming.cancel()


def _first(failure: BaseException) -> BaseException:
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
