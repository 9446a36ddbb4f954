"""Time, as everything in the workflow takes it: the system's, or one that runs faster.

Must not: be bypassed. Whoever waits or measures does it through a clock, so that benchmarks can speed time up.
"""

import asyncio
import time
import warnings
from datetime import UTC, datetime, timedelta
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
