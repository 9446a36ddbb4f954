"""A CONNECT proxy on loopback, for clients that cannot be told another endpoint than the public one.

Whatever public name of Azure a client asks for, it is connected to the emulator; every other host is refused. So a
client with ``HTTPS_PROXY`` cannot reach the outside through it, and none of its calls leaves the machine.

Source of the form: RFC 9110, section 9.3.6. Must not: open a connection to anything but the emulator's own port.
"""

import asyncio
import contextlib
from collections.abc import Callable

from arm_emulator.tls import LOOPBACK_NAMES, PUBLIC_NAMES

HOST = "127.0.0.1"
_HEAD_LIMIT = 64 * 1024
_CHUNK = 64 * 1024
_CONNECTED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class ConnectProxy:
    """One proxy in front of one emulator.

    Args:
        port: the emulator's, on loopback.
        refused: called with ``host:port`` the first time that a client asks for a host that is not served.
    """

    def __init__(self, port: int, refused: Callable[[str], None] | None = None) -> None:
        self._target = port
        self._refused = refused or (lambda _: None)
        self._told: set[str] = set()
        self._open: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``, once started: what ``HTTPS_PROXY`` is to hold."""
        return f"http://{HOST}:{self.port}"

    async def start(self) -> None:
        """Listen on any free port of 127.0.0.1.

        Raises:
            OSError: when none can be had.
        """
        self._server = await asyncio.start_server(self._serve, HOST, 0, limit=_HEAD_LIMIT)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop at once; connections under way are cut off."""
        if self._server is None:
            return
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.gather(*self._serving, return_exceptions=True)
        self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        self._open.add(writer)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, _, rest = head.partition("\r\n")[0].partition(" ")
            place = rest.partition(" ")[0].partition("?")[0]
            if method.upper() != "CONNECT" or not self._is_served(place):
                await self._refuse(writer, method, place)
                return
            await self._joined(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # it has gone away, or speaks no HTTP
        finally:
            self._open.discard(writer)
            writer.close()

    def _is_served(self, place: str) -> bool:
        host, _, port = place.rpartition(":")
        name = host.strip("[]").lower().rstrip(".")
        # Clients that heed no NO_PROXY ask for the emulator by its own name, too.
        return (name in PUBLIC_NAMES and port == "443") or (name in LOOPBACK_NAMES and port == str(self._target))

    async def _refuse(self, writer: asyncio.StreamWriter, method: str, place: str) -> None:
        if place not in self._told:
            self._told.add(place)
            self._refused(place)
        text = (
            f"arm-emulator does not pass on {method} {place}. This proxy serves CONNECT to "
            f"{', '.join(f'{name}:443' for name in PUBLIC_NAMES)} and no other host.\n"
        ).encode()
        head = f"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n"
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + text)
        await writer.drain()

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection(HOST, self._target)
        self._open.add(ours)
        try:
            writer.write(_CONNECTED)
            await asyncio.gather(_carry(reader, ours), _carry(theirs, writer))
        finally:
            self._open.discard(ours)
            ours.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hand on what arrives until it ends, and then the end; a connection that breaks ends as well."""
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()
