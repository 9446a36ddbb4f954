"""An emulator in a thread of this process, for tests: starts on a free port in milliseconds and stops at once."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arm_emulator.app import Emulator
from arm_emulator.environment import environment
from arm_emulator.server import Server
from arm_emulator.tls import temporary_certificates


@dataclass(frozen=True, slots=True)
class Running:
    """An emulator that serves."""

    emulator: Emulator
    """The object itself. Its thread uses it too: read it between calls, and change it only through ``/_emulator/``."""
    endpoint: str
    """``https://localhost:PORT``."""
    ca: Path
    """The CA certificate to trust."""
    env: dict[str, str]
    """The environment that ``patchmode``, the SDKs and az need."""


@contextmanager
def running(emulator: Emulator | None = None, *, port: int = 0, **options: Any) -> Iterator[Running]:
    """Serve an emulator for the length of a ``with`` block.

    Args:
        emulator: the one to serve; None makes one of ``options`` (the arguments of ``Emulator``).
        port: 0 lets the system choose.
        options: e.g. ``fleet={...}``, ``lro_seconds=0``.

    Raises:
        OSError: when the port is taken.
    """
    served = emulator or Emulator(**options)
    certificates = temporary_certificates()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="arm-emulator", daemon=True)
    thread.start()

    async def begin() -> Server:
        """Start inside the loop that serves."""
        # aiohttp's server belongs to the loop that runs while it is made.
        server = Server(served, certificates.server_context(), port)
        await server.start()
        return server

    try:
        server = asyncio.run_coroutine_threadsafe(begin(), loop).result()
    except BaseException:
        _end(loop, thread)
        raise
    try:
        env = environment(server.endpoint, certificates.ca, served.directory)
        yield Running(served, server.endpoint, certificates.ca, env)
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
        _end(loop, thread)


def _end(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
