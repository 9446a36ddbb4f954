"""An emulator and a connection to it in one event loop with one clock, which leaps over every wait: nothing sleeps.

Real sockets, real TLS, real sign-in; only the waiting is left out. A client that waits two minutes for an answer waits
as long on the loop's clock, and that takes a millisecond.
"""

import asyncio
import os
import selectors
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from arm_emulator.app import Emulator
from arm_emulator.clock import Clock
from arm_emulator.environment import environment
from arm_emulator.server import Server
from arm_emulator.tls import temporary_certificates

T = TypeVar("T")
_GRACE_S = 0.001
"""What the kernel gets to carry bytes from one end of a loopback socket to the other."""
START = datetime(2030, 1, 31, 22, 0, tzinfo=UTC)


class _Leaping(selectors.DefaultSelector):
    """Waits only for sockets that have something to say; other waits are added to the loop's time."""

    def __init__(self, start: float, leapt: Callable[[float], object], grace_s: float) -> None:
        super().__init__()
        self.elapsed = start
        self.held = 0
        """For how many things the clock stands still: a thread that somebody waits for, a request under way."""
        self._leapt = leapt
        self._grace_s = grace_s

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self.held or timeout is None:
            return super().select(None)
        ready = super().select(self._grace_s)
        if not ready:
            self.elapsed += timeout
            self._leapt(self.elapsed)
        return ready


class LeapingLoop(asyncio.SelectorEventLoop):
    """An event loop on which waits take no time.

    Args:
        start: where its time begins, in seconds.
        leapt: told the new time after each leap.
        grace_s: how long to wait for bytes before a leap; 0: whoever has a request under way says so by `held`.
    """

    def __init__(
        self, start: float = 0.0, leapt: Callable[[float], object] = lambda _: None, *, grace_s: float = _GRACE_S
    ) -> None:
        self._leaping = _Leaping(start, leapt, grace_s)
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.elapsed

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let time stand still for the length of a `with` block, however often it is entered at once."""
        self._leaping.held += 1
        try:
            yield
        finally:
            self._leaping.held -= 1

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        future = super().run_in_executor(executor, func, *args)
        self._leaping.held += 1
        future.add_done_callback(self._returned)
        return future

    async def shutdown_default_executor(self, *_: Any) -> None:
        """Without the limit that Python 3.12 brought: the clock would leap over it while the threads end."""
        await super().shutdown_default_executor()

    def _returned(self, _: object) -> None:
        self._leaping.held -= 1


class OneClock:
    """The running loop's time as the product's clock, with a wall clock that can be set."""

    def __init__(self) -> None:
        self.set_by = timedelta(0)
        """How far the wall clock was set forward (or back) since."""

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic()) + self.set_by

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


def run_leaping(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        return runner.run(main)


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[tuple[Emulator, str]]:
    """An emulator on the running loop and on its clock, and its endpoint; the environment is as clients need it.

    Args:
        options: the arguments of `Emulator`.
    """
    clock = Clock(START, monotonic=asyncio.get_running_loop().time)
    emulator = Emulator(clock=clock, **options)
    certificates = temporary_certificates()
    server = Server(emulator, certificates.server_context())
    await server.start()
    # By number: a name would be looked up in a thread, for which no virtual time passes.
    endpoint = f"https://127.0.0.1:{server.port}"
    try:
        with environment_of(environment(endpoint, certificates.ca, emulator.directory)):
            yield emulator, endpoint
    finally:
        await server.stop()


@contextmanager
def environment_of(variables: dict[str, str]) -> Iterator[None]:
    """Set these variables of this process for the length of a `with` block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
