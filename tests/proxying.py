"""A proxy on loopback for tests: tunnels or intercepts by a table of hosts; asks for a password, refuses, or dies."""

import asyncio
import base64
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from arm_emulator.tls import make_certificates

HOST = "127.0.0.1"


@dataclass
class Proxy:
    """What one proxy does, and what it saw."""

    routes: Mapping[str, int]
    """`host:port` → the port of loopback to which it leads; every other place is answered with 502."""
    upstream: Path | None = None
    """With it TLS is intercepted: the CA by which the proxy trusts what it leads to."""
    server: ssl.SSLContext | None = None
    """What it shows to clients then."""
    front: ssl.SSLContext | None = None
    """What it shows to clients that speak TLS with the proxy itself."""
    password: str = ""
    """`user:password` that it asks for; empty: nothing."""
    refuses: int = 0
    """The status with which it refuses everything; 0: it does not."""
    dies: bool = False
    """Whether it closes each connection once it has read what the client wants."""
    port: int = 0
    seen: list[str] = field(default_factory=list)
    """`CONNECT host:port`, or the method and the address, of each connection in order."""

    @property
    def url(self) -> str:
        return f"{'https' if self.front else 'http'}://{'localhost' if self.front else HOST}:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, *fields = head.splitlines()
            method, place, _ = line.split(" ")
            self.seen.append(f"{method} {place}")
            status = self._refusal(fields) or (502 if place not in self.routes or method != "CONNECT" else 0)
            if status:
                asks = "Proxy-Authenticate: Basic realm=proxy\r\n" if status == 407 else ""
                writer.write(
                    f"HTTP/1.1 {status} Refused\r\n{asks}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
                )
                await writer.drain()
            elif not self.dies:
                await self._joined(reader, writer, self.routes[place])
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # the client went away, or does not trust this proxy
        finally:
            writer.close()

    def _refusal(self, fields: list[str]) -> int:
        named = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in fields)}
        wanted = f"Basic {base64.b64encode(self.password.encode()).decode()}"
        if self.password and named.get("proxy-authorization") != wanted:
            return 407
        return self.refuses

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        context = None
        if self.server is not None:
            await writer.start_tls(self.server)
            context = ssl.create_default_context(cafile=self.upstream)
        theirs, ours = await asyncio.open_connection(
            HOST, port, ssl=context, server_hostname="localhost" if context else None
        )
        try:
            await asyncio.gather(_carry(reader, ours), _carry(theirs, writer))
        finally:
            ours.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, ssl.SSLError):
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
    writer.close()


@contextmanager
def proxying(proxy: Proxy) -> Iterator[Proxy]:
    """Serve a proxy in a thread of its own for the length of a `with` block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def begin() -> asyncio.Server:
        server = await asyncio.start_server(proxy.serve, HOST, 0, ssl=proxy.front)
        proxy.port = server.sockets[0].getsockname()[1]
        return server

    async def end(server: asyncio.Server) -> None:
        server.close()
        tasks = [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    server = asyncio.run_coroutine_threadsafe(begin(), loop).result()
    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(end(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def company(folder: Path, *names: str) -> tuple[Path, ssl.SSLContext]:
    """A company's own CA, and what a proxy of it shows for these names.

    Returns:
        The CA's file (PEM), and the context of the proxy's server side.
    """
    folder.mkdir()
    made = make_certificates(folder, public_names=False, more=names)
    return made.ca, made.server_context()
