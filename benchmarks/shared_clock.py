"""One virtual clock for two processes: the product's, which leaps over every wait, and the emulator's, which reads it.

The product runs on an event loop whose time stands still while anything is under way (a request on its socket, a thread
that somebody waits for) and leaps to the next timer when nothing is. Each leap is written into a small mapped file, and
the emulator takes its time from there. So hours of waiting for a throttle cost no wall time, and no work of either
process costs any of the clock's.

What a request would take on a real network is added on the product's side of the wire, as virtual time: half of it
before the service sees the request, half after its answer. It holds a socket for all of that, of as many as there are.

Must not: be imported by anything but the benchmarks. The product is not changed: `on_the_wire` puts one more policy at
the end of its pipeline, behind everything that could wait, repeat or refuse.
"""

import asyncio
import mmap
import resource
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy
from tests.faults.one_clock import LeapingLoop

from patchmode.arm import pipeline

T = TypeVar("T")
_BYTES = 8


class SharedTime:
    """Seconds in a file that several processes map. One of them writes.

    Args:
        path: the file; made with the time 0 where it is missing.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_BYTES))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _BYTES)
        # One aligned store or load of eight bytes; nobody reads while a request of the writer's is under way anyhow.
        self._seconds = memoryview(self._map).cast("d")

    def read(self) -> float:
        """The present time."""
        return self._seconds[0]

    def write(self, seconds: float) -> None:
        """Set the time, which must not fall."""
        self._seconds[0] = seconds


class OnTheWire(AsyncHTTPPolicy[Any, Any]):
    """The last policy of a pipeline: time stands still while a request is on its socket, and passes as on a network."""

    def __init__(self, loop: LeapingLoop, latency_s: float, sockets: int) -> None:
        super().__init__()
        self._loop = loop
        self._latency_s = latency_s
        self._sockets = asyncio.Semaphore(sockets)

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send, with a socket held for the time that the network takes."""
        async with self._sockets:
            await asyncio.sleep(self._latency_s / 2)
            with self._loop.held():
                # The transport reads the whole body before it returns, so the socket is silent afterwards.
                response = await self.next.send(request)
            await asyncio.sleep(self._latency_s / 2)
            return response


@contextmanager
def on_the_wire(latency_s: float, sockets: int) -> Iterator[None]:
    """Let every connection that is opened within a `with` block send through `OnTheWire`; on a `LeapingLoop`."""
    build = pipeline.build

    def built(transport: Any, *policies: Any) -> Any:
        return build(transport, *policies, OnTheWire(_loop(), latency_s, sockets))

    pipeline.build = built
    try:
        yield
    finally:
        pipeline.build = build


def allow_sockets(count: int = 2_500) -> None:
    """Let this process have so many files open, where the system allows it: many give a process 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@asynccontextmanager
async def signed_in(connection: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
    """Open a connection while time stands still: sign-in does not go through the pipeline and would be leapt over."""
    async with AsyncExitStack() as stack:
        with _loop().held():
            opened = await stack.enter_async_context(connection)
        yield opened


def _loop() -> LeapingLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, LeapingLoop)
    return loop


def run_on(time: SharedTime, main: Callable[[], Coroutine[Any, Any, T]], *, after_s: float = 0.0) -> T:
    """Run a coroutine on a leaping loop that begins where the shared time stands, and writes it.

    Args:
        time: shared with the emulator.
        main: makes the coroutine.
        after_s: let so much time pass first, so that the service's buckets are full again.
    """
    time.write(time.read() + after_s)
    with asyncio.Runner(loop_factory=lambda: LeapingLoop(time.read(), time.write, grace_s=0.0)) as runner:
        return runner.run(main())
