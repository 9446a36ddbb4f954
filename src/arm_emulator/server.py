"""Carries calls from a TLS socket on loopback to an emulator, and its answers back. Only this module knows aiohttp."""

import asyncio
import contextlib
import socket
import ssl

from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage

from arm_emulator.app import Emulator
from arm_emulator.protocol.wire import Answer, Call

MAX_BODY = 4 * 1024 * 1024
"""Bytes that a call to Azure Resource Manager may carry; the control plane takes whole fleets."""
MAX_CONTROL_BODY = 1024 * 1024 * 1024


class Server:
    """One emulator on one port.

    Args:
        emulator: who answers.
        context: the TLS context; plain http does not exist.
        port: 0 lets the system choose.
    """

    def __init__(self, emulator: Emulator, context: ssl.SSLContext, port: int = 0) -> None:
        self._emulator = emulator
        self._context = context
        self._wanted_port = port
        self._runner: web.ServerRunner | None = None
        self._server: web.Server | None = None
        self._silent: set[asyncio.Future[None]] = set()
        self.port = 0

    @property
    def endpoint(self) -> str:
        """``https://localhost:PORT``, once started."""
        return f"https://localhost:{self.port}"

    async def start(self) -> None:
        """Listen on 127.0.0.1, and on ::1 where the machine has it.

        Raises:
            OSError: when the port is taken.
        """
        # The low-level server: no middleware, no routing of aiohttp's own; the emulator routes.
        # URLs of long-running operations are about 3.2 kB; aiohttp's limit on a request line is 8 kB.
        self._server = web.Server(self._handle, request_factory=_request, access_log=None, keepalive_timeout=75.0)
        self._runner = web.ServerRunner(self._server, handle_signals=False, shutdown_timeout=0.0)
        await self._runner.setup()
        listener = _listener(socket.AF_INET, ("127.0.0.1", self._wanted_port))
        self.port = listener.getsockname()[1]
        await web.SockSite(self._runner, listener, ssl_context=self._context).start()
        with contextlib.suppress(OSError):
            twin = _listener(socket.AF_INET6, ("::1", self.port))
            await web.SockSite(self._runner, twin, ssl_context=self._context).start()

    async def stop(self) -> None:
        """Stop at once; calls under way are cut off."""
        for waiting in self._silent:
            waiting.cancel()
        if self._runner is None or self._server is None:
            return
        for site in list(self._runner.sites):
            await site.stop()
        for connection in list(self._server.connections):
            # close() would wait for the client's half of TLS's farewell.
            if connection.transport is not None:
                connection.transport.abort()
        # An aborted transport frees its socket in the loop's next turns.
        for _ in range(3):
            await asyncio.sleep(0)
        await self._runner.cleanup()
        self._runner = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read() if request.body_exists else b""
        if len(body) > MAX_BODY and not request.path.startswith("/_emulator/"):
            return web.Response(status=413)
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer = self._emulator.serve(Call(request.method, request.raw_path, headers, body))
        if answer.delay_s > 0:
            await asyncio.sleep(answer.delay_s)
        if answer.disposition != "send":
            await self._misbehave(request, answer)
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    async def _misbehave(self, request: web.BaseRequest, answer: Answer) -> None:
        if answer.disposition == "silence":
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._silent.add(waiting)
            try:
                await waiting
            finally:
                self._silent.discard(waiting)
        if answer.disposition == "reset-mid-body":
            half = answer.body[: len(answer.body) // 2]
            response = web.StreamResponse(status=answer.status, headers=answer.headers)
            response.content_length = len(answer.body) or 1
            await response.prepare(request)
            await response.write(half)
        if request.transport is not None:
            request.transport.abort()
        raise asyncio.CancelledError


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: web.RequestHandler,
    writer: AbstractStreamWriter,
    task: "asyncio.Task[None]",
) -> web.BaseRequest:
    """A request whose body may be as large as a fleet file; aiohttp's own limit is 1 MiB."""
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_CONTROL_BODY)


def _listener(family: int, address: tuple[str, int]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
