"""The server: every request passes the same guards, every answer carries the same headers.

Must not: know the pages beyond their routes.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from importlib.resources import files

from aiohttp import web

from patchmode.console import access
from patchmode.console.answers import defect, fault, fault_of, http_fault
from patchmode.console.connections import CONNECTIONS, Connections
from patchmode.console.operation import ConsoleOperation, ScheduleOperation
from patchmode.console.rooms import ConsoleOptions, Rooms
from patchmode.console.routes import changes, fleet, machine, readiness, runs, schedule_changes, schedules, starting
from patchmode.console.state import KEY, Console, make_console
from patchmode.errors import PatchmodeError, UsageError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LARGEST_FORM = 1024 * 1024
"""Bytes; the largest form of ours holds the ids of one page of machines."""
_ASSETS = {
    "console.css": "text/css",
    "console.js": "text/javascript",
    "htmx.min.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_GO_ON = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>patchmode</title><link rel="icon" href="/assets/icon.svg">
<meta http-equiv="refresh" content="0; url=/"></head>
<body><p><a href="/">Open the console</a></p></body></html>
"""


class ConsoleServer:
    """A console that listens.

    Args:
        rooms: what it reaches the world through.
        options: how it was started.
        entered: told, whenever a browser was let in, the URL that lets the next one in.
        connections: closes those on which no whole request comes.
    """

    def __init__(
        self,
        rooms: Rooms,
        options: ConsoleOptions,
        *,
        entered: Callable[[str], None],
        connections: Connections | None = None,
    ) -> None:
        self.console = make_console(rooms, options)
        self.console.entered = lambda: entered(self.url)
        self._connections = connections or Connections()
        app = make_app(self.console, self._connections)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        self._watch: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self) -> str:
        """Listen, and begin to read the fleet.

        Returns:
            The URL that lets a browser in; whoever has it may do what this console may do.

        Raises:
            UsageError: the address or the port cannot be listened on.
        """
        options = self.console.options
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, options.host, options.port).start()
        except OSError as error:
            await self._runner.cleanup()
            reason = error.strerror or str(error)
            raise UsageError(
                f"The console cannot listen on {options.host} port {options.port}: {reason}.",
                advice="Leave --port out to take any free one, or name another.",
            ) from error
        self.port = self._runner.addresses[0][1]
        names = (socket.gethostname(), socket.getfqdn()) if not access.is_loopback(options.host) else ()
        self.console.hosts = access.allowed_hosts(options.host, self.port, names)
        self.console.cookie = access.cookie_name(self.port)
        self.console.fleet.refresh()
        assert self._runner.server is not None  # noqa: S101 - `setup` made it
        self._watch = asyncio.create_task(self._connections.watch(self._runner.server))
        return self.url

    @property
    def url(self) -> str:
        """The URL that lets one more browser in; it holds a token that works once."""
        return f"http://{_shown(self.console.options.host)}:{self.port}/enter?token={self.console.session.token}"

    @property
    def under_way(self) -> tuple[ConsoleOperation | ScheduleOperation, ...]:
        """The operation that is carried out now, if any."""
        current = self.console.operations.current
        return (current,) if current is not None and current.is_under_way else ()

    async def stop(self, *, remark: Callable[[str], None]) -> None:
        """Let a run that is under way follow its changes to their end, then stop listening."""
        current = self.console.operations.current
        if current is not None and current.is_under_way:
            called = f"{current.called[:1].upper()}{current.called[1:]}"
            remark(f"{called} is under way: it sends nothing more and is followed to its end.")
            current.stop()
            await current.over.wait()
        if self._watch is not None:
            self._watch.cancel()
        await self._runner.cleanup()
        await self.console.close()


def make_app(console: Console, connections: Connections | None = None) -> web.Application:
    """The application, without a socket."""
    app = web.Application(middlewares=[_guarded], client_max_size=LARGEST_FORM)
    app[KEY] = console
    app[CONNECTIONS] = connections or Connections()
    app.on_response_prepare.append(_add_headers)
    app.router.add_get("/enter", _enter)
    app.router.add_get("/assets/{name}", _asset)
    for room in (fleet, readiness, machine, changes, runs, schedules, schedule_changes, starting):
        room.add_routes(app.router)
    return app


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    for name, value in access.HEADERS.items():
        response.headers.setdefault(name, value)


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    connections = request.app[CONNECTIONS]
    connections.began(request)
    try:
        return _refusal(request) or await handler(request)
    except PatchmodeError as error:
        return fault_of(request, error)
    except web.HTTPException as error:
        return http_fault(request, error)
    except (asyncio.CancelledError, ConnectionResetError):
        raise
    except Exception as error:  # noqa: BLE001 - a page must say that it failed, and how to go on
        return defect(request, error)
    finally:
        connections.ended(request)


def _refusal(request: web.Request) -> web.Response | None:
    """Why a request is not looked at; None: it is."""
    console = request.app[KEY]
    host = request.headers.get("Host", "")
    if not access.is_host_allowed(host, console.hosts, any_address=_is_any(console.options.host)):
        # Somebody made another name point here; whatever they show must not look like this console.
        return web.Response(status=HTTPStatus.MISDIRECTED_REQUEST, text="This is not the host that was asked for.\n")
    if request.path == "/enter":
        # It may be opened from anywhere, a web terminal for one: the token in it is the proof.
        return None
    if access.is_from_elsewhere(request.method, request.headers, origin=f"http://{host}"):
        return web.Response(status=HTTPStatus.FORBIDDEN, text="Another site sent this request, so it was refused.\n")
    if not console.session.takes_cookie(request.cookies.get(console.cookie, "")):
        return _without_session(request)
    return None


def _without_session(request: web.Request) -> web.Response:
    """Nothing of the fleet is shown before the cookie is there, the frame of the pages included."""
    message = "This browser has not opened the console's address yet, or the console was restarted."
    advice = "Open the address that the terminal shows; it holds the token."
    if "text/html" in request.headers.get("Accept", ""):
        return web.Response(status=HTTPStatus.UNAUTHORIZED, text=f"{message}\n{advice}\n")
    return fault(request, "NoSession", message, advice, HTTPStatus.UNAUTHORIZED)


async def _enter(request: web.Request) -> web.StreamResponse:
    """Exchange the token for the cookie, and take it out of the address; the token works once."""
    console = request.app[KEY]
    if console.session.takes_cookie(request.cookies.get(console.cookie, "")):
        # The same browser again, by its history or because it has loaded the page ahead of time.
        return web.Response(text=_GO_ON, content_type="text/html")
    # A HEAD is of whoever checks links, and no browser keeps what it answers.
    if request.method != "GET" or not console.session.use_token(request.query.get("token", "")):
        return web.Response(
            status=HTTPStatus.FORBIDDEN,
            text="The token in this address was used already, or is not this console's.\n"
            "Open the newest address that the terminal shows.\n",
        )
    console.entered()
    # Not a redirect: where another site led here, such as a web terminal, a browser would not send a Strict cookie on.
    answer = web.Response(text=_GO_ON, content_type="text/html")
    answer.set_cookie(console.cookie, console.session.cookie, httponly=True, samesite="Strict", path="/")
    return answer


async def _asset(request: web.Request) -> web.StreamResponse:
    name = request.match_info["name"]
    if name not in _ASSETS:
        raise web.HTTPNotFound(text=f"There is no asset {name!r}.")
    body = (files("patchmode.console") / "assets" / name).read_bytes()
    return web.Response(body=body, content_type=_ASSETS[name], charset="utf-8")


def _is_any(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return False


def _shown(host: str) -> str:
    if _is_any(host):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
