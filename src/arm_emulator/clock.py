"""The emulator's clock: real time, from a settable start, at a settable speed, that can be pushed forward.

Everything that depends on time asks this clock, so a test moves hours in no time and a throttled benchmark runs faster
by one stated factor. It never sleeps and starts no thread: what fell due runs when somebody asks.
"""

import heapq
import itertools
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta


class Clock:
    """Time as the emulated service sees it.

    Args:
        start: the first instant, aware; None for the real time.
        speed: how many emulated seconds pass in a real one, > 0.
        monotonic: seconds, never falling; tests hand in their own.
    """

    def __init__(
        self, start: datetime | None = None, *, speed: float = 1.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        if speed <= 0:
            raise ValueError(f"a clock's speed is above 0, not {speed}")
        self.speed = speed
        self._monotonic = monotonic
        self._base = start or datetime.now(UTC)
        self._origin = monotonic()
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._standing: datetime | None = None

    def now(self) -> datetime:
        """The present instant, aware, in UTC. Inside a callback: the instant for which it was due."""
        if self._standing is not None:
            return self._standing
        return self._base + timedelta(seconds=(self._monotonic() - self._origin) * self.speed)

    def seconds(self) -> float:
        """The present instant as seconds since 1970, for arithmetic."""
        return self.now().timestamp()

    def client_seconds(self, seconds: float) -> float:
        """How long a client must wait in its own, real seconds until ``seconds`` of this clock have passed."""
        return seconds / self.speed

    def retry_after(self, seconds: float) -> str:
        """A ``Retry-After`` value: whole seconds of the client's own time, at least 1 (SDKs take 0 for absent)."""
        return str(max(1, math.ceil(self.client_seconds(seconds))))

    def advance(self, by: timedelta) -> None:
        """Push the clock forward and run everything that fell due, in order.

        Raises:
            ValueError: when ``by`` is negative; time does not run backwards.
        """
        if by < timedelta(0):
            raise ValueError("the clock only goes forward")
        self._base += by
        self.run_due()

    def call_at(self, when: datetime, callback: Callable[[], None]) -> None:
        """Have ``callback`` run once the clock reaches ``when``; those due at one instant run in the order given."""
        heapq.heappush(self._due, (when, next(self._order), callback))

    def run_due(self) -> None:
        """Run the callbacks whose time has come. Called before every request; safe to call at any time."""
        if not self._due or self._standing is not None:
            return
        now = self.now()
        try:
            while self._due and self._due[0][0] <= now:
                when, _, callback = heapq.heappop(self._due)
                self._standing = when
                callback()
        finally:
            self._standing = None

    @contextmanager
    def standing(self, at: datetime) -> Iterator[None]:
        """Let the clock stand at an instant for the length of a ``with`` block; then it goes on as if nothing were.

        What is due before the present when the block ends runs at the next ``run_due``, each at its own instant.
        """
        before, self._standing = self._standing, at
        try:
            yield
        finally:
            self._standing = before

    def forget(self) -> None:
        """Drop every callback that has not run (a reset does)."""
        self._due.clear()
