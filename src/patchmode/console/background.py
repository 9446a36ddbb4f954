"""Work beside the server: a thread with an event loop of its own, and a value that is read there and kept.

Auditing a large fleet computes for seconds; on a thread of its own it delays no page.

Must not: know what is read.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Generic, TypeVar

from patchmode.console.rooms import Rooms
from patchmode.errors import ForbiddenError, PatchmodeError, SignInError
from patchmode.ports.azure import Azure, Clock

T = TypeVar("T")
_FAREWELL_S = 0.05
"""A TLS connection that was closed is gone only after a round trip. Source: aiohttp, "Graceful shutdown"."""
_log = logging.getLogger(__name__)


class SideLoop:
    """An event loop in a daemon thread: whoever leaves the program does not wait for it."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Await a coroutine that runs there."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def call(self, what: Callable[[], object]) -> None:
        """Call something there, soon."""
        self._loop.call_soon_threadsafe(what)

    async def cancel_all(self) -> None:
        """Cancel what runs there, and wait for it."""
        await self.run(_cancel_others())

    async def stop(self) -> None:
        """End the loop and its thread."""
        await self.run(asyncio.sleep(_FAREWELL_S))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Reader:
    """One read-only connection, opened when it is first needed and kept: a sign-in may take seconds."""

    def __init__(self, rooms: Rooms, name: str) -> None:
        self._rooms = rooms
        self._side = SideLoop(name)
        self._stack = AsyncExitStack()
        self._azure: Azure | None = None
        self._opening = asyncio.Lock()

    async def run(self, work: Callable[[Azure], Awaitable[T]]) -> T:
        """What `work` makes of the connection.

        Raises:
            PatchmodeError: as the work and as connecting. After a refused sign-in the next call connects anew.
        """
        return await self._side.run(self._run(work))

    async def close(self) -> None:
        """Give up what is being read, and close the connection and the thread."""
        await self._side.cancel_all()
        await self._side.run(self._drop())
        await self._side.stop()

    async def _run(self, work: Callable[[Azure], Awaitable[T]]) -> T:
        async with self._opening:
            if self._azure is None:
                connection = self._rooms.connect(read_only=True, remark=lambda text: _log.info("%s", text))
                self._azure = await self._stack.enter_async_context(connection)
            azure = self._azure
        try:
            return await work(azure)
        except (SignInError, ForbiddenError) as error:
            if getattr(error, "status", HTTPStatus.UNAUTHORIZED) == HTTPStatus.UNAUTHORIZED:
                await self._drop()
            raise

    async def _drop(self) -> None:
        self._azure = None
        stack, self._stack = self._stack, AsyncExitStack()
        await stack.aclose()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class Loading(Generic[T]):
    """A value that is read in the background and kept until the next reading has succeeded.

    Args:
        read: reads it anew.
        clock: for the times that are shown.
    """

    def __init__(self, read: Callable[[], Awaitable[T]], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self.value: T | None = None
        self.read_at: datetime | None = None
        """When the reading that gave the value began: nothing in it is newer."""
        self.error: PatchmodeError | None = None
        """Why the latest reading failed; None: it did not."""
        self.since: datetime | None = None
        """When the reading under way began; None: none is."""
        self.every: timedelta | None = None
        """How often it is read again by itself; None: only when somebody asks."""
        self._repeating: asyncio.Task[None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a reading is under way."""
        return self.since is not None

    def refresh(self) -> None:
        """Begin a reading, unless one is under way."""
        if self.since is None:
            self.since = self._clock.now()
            self._task = asyncio.create_task(self._load(self.since))

    def repeat(self, every: timedelta | None) -> None:
        """From now on read again at an interval; None: only when somebody asks."""
        if self._repeating is not None:
            self._repeating.cancel()
        self.every = every
        self._repeating = None if every is None else asyncio.create_task(self._read_every(every))

    async def _read_every(self, every: timedelta) -> None:
        while True:
            await self._clock.sleep(every.total_seconds())
            self.refresh()

    async def settled(self) -> None:
        """Wait for the reading under way, if any."""
        if self._task is not None:
            await self._task

    async def fresh(self, oldest: timedelta, patience_s: float) -> None:
        """Begin a reading where the value is older than `oldest`, and wait for it, at most so many seconds."""
        is_old = self.read_at is None or self._clock.now() - self.read_at > oldest
        if is_old or self.error is not None:
            self.refresh()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=patience_s)

    async def _load(self, began: datetime) -> None:
        try:
            self.value, self.read_at, self.error = await self._read(), began, None
        except PatchmodeError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - a defect must show on the page, not leave it loading for ever
            _log.exception("reading in the background failed")
            message = f"A defect of patchmode stopped the reading: {type(error).__name__}: {error}"
            self.error = PatchmodeError(message, advice="Please report it, with the output of the terminal.")
        finally:
            self.since = None
