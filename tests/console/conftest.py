"""A console without a socket, on an emulator: requests go straight into its application."""

import asyncio
import json
import os
import re
import ssl
import urllib.request
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from html import unescape
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from urllib.parse import urlencode

import pytest
from aiohttp import StreamReader, web
from aiohttp.test_utils import make_mocked_request

from arm_emulator.named_fleets import read_fleet
from arm_emulator.protocol.throttle import limits_from
from arm_emulator.testing import Running, running
from patchmode.cli.commands.console import rooms_for
from patchmode.cli.settings import Settings
from patchmode.console.access import cookie_name
from patchmode.console.rooms import ConsoleOptions
from patchmode.console.server import make_app
from patchmode.console.state import Console, make_console
from patchmode.model.guardrails import RunGuardrails
from patchmode.model.scope import Scope

HOST = "127.0.0.1:8000"
ORIGIN = f"http://{HOST}"
HTML = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}
PRODUCTION = "22222222-2222-2222-2222-222222222222"


@dataclass(frozen=True)
class Told:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def words(self) -> str:
        """The page's text as a reader sees it, on one line."""
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", self.text)).split())

    @property
    def location(self) -> str:
        return self.headers["Location"]


@dataclass
class Asker:
    """Somebody with the session's cookie, on a page of the console."""

    console: Console
    app: web.Application
    served: Running
    state: Path
    headers: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, headers: Mapping[str, str] = HTML) -> Told:
        """A GET, as a browser sends it when a link is followed."""
        return await self.ask("GET", path, {"Sec-Fetch-Site": "same-origin", **headers})

    async def post(self, path: str, form: Any = (), headers: Mapping[str, str] = HTML) -> Told:
        """A form of one of the console's own pages."""
        return await self.ask("POST", path, {"Sec-Fetch-Site": "same-origin", **headers}, urlencode(form, doseq=True))

    async def send_file(self, path: str, content: str, name: str = "plan.json") -> Told:
        """A form with one file."""
        disposition = f'Content-Disposition: form-data; name="file"; filename="{name}"'
        body = f"--b\r\n{disposition}\r\nContent-Type: application/json\r\n\r\n{content}\r\n--b--\r\n"
        headers = {"Sec-Fetch-Site": "same-origin", **HTML}
        return await self.ask("POST", path, headers, body, kind="multipart/form-data; boundary=b")

    async def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: str = "",
        *,
        cookie: bool = True,
        kind: str = "application/x-www-form-urlencoded",
    ) -> Told:
        """Any request."""
        sent = {"Host": HOST, **self.headers, **headers}
        if cookie:
            sent["Cookie"] = f"{self.console.cookie}={self.console.session.cookie}"
        if body:
            sent |= {"Content-Type": kind, "Content-Length": str(len(body))}
        payload = StreamReader(Mock(_reading_paused=False), 2**16, loop=asyncio.get_running_loop())
        payload.feed_data(body.encode())
        payload.feed_eof()
        written = bytearray()
        request = make_mocked_request(
            method, path, headers=sent, app=self.app, payload=payload, writer=_writer(written)
        )
        answer = await self.app._handle(request)
        await answer.prepare(request)
        if isinstance(answer, web.Response) and answer.body is not None:
            written += answer.body
        return Told(answer.status, dict(answer.headers), bytes(written))

    async def control(self, method: str, path: str, body: Any) -> None:
        """Tell the emulator something: faults, or that time passes."""
        context = ssl.create_default_context(cafile=str(self.served.ca))
        url = f"{self.served.endpoint}/_emulator/{path}"
        request = urllib.request.Request(url, json.dumps(body).encode(), method=method)
        await asyncio.to_thread(lambda: urllib.request.urlopen(request, context=context).close())

    async def ready(self) -> None:
        """Wait until the fleet was read."""
        if self.console.fleet.value is None:
            self.console.fleet.refresh()
        await self.console.fleet.settled()
        assert self.console.fleet.value is not None, self.console.fleet.error

    async def planned(self, form: Any, settings: Any = (("orchestration", "CustomerManagedSchedules"),)) -> str:
        """Choose machines and settings; the path of the change, once its plan stands."""
        path = (await self.post("/changes", form)).location
        await self.post(f"{path}/plan", settings)
        planning = self.console.changes.get(path.rpartition("/")[2]).planning
        assert planning is not None
        await planning.settled()
        return path

    async def applied(self, form: Any, count: int) -> str:
        """Carry a change out to its end; the path of its run."""
        path = await self.planned(form)
        begun = await self.post(f"{path}/apply", [("count", str(count))])
        assert begun.status == 303, begun.words
        await self.ended()
        return begun.location

    async def ended(self) -> None:
        """Wait until the operation under way is over, and the reading that follows it."""
        assert self.console.operations.current is not None
        await self.console.operations.current.over.wait()
        await self.console.fleet.settled()


def _writer(written: bytearray) -> Any:
    async def write(piece: bytes, **_: Any) -> None:
        written.extend(piece)

    async def nothing(*_: Any, **__: Any) -> None:
        return None

    writer = Mock()
    writer.write, writer.write_headers, writer.write_eof, writer.drain = write, nothing, nothing, nothing
    writer.transport = None
    return writer


def machine_id(name: str, group: str = "rg-app") -> str:
    """The id of a machine of the built-in fleets."""
    return f"/subscriptions/{PRODUCTION}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}"


Open = Callable[..., Coroutine[Any, Any, Asker]]


@pytest.fixture
async def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Open]:
    """Open a console on an emulator with a fleet."""
    async with AsyncExitStack() as stack:

        async def make(
            fleet: Any = "small",
            *,
            allow_writes: bool = False,
            brakes: RunGuardrails | None = None,
            read: bool = True,
            scope: Scope | None = None,
            **options: Any,
        ) -> Asker:
            document = read_fleet(fleet) if isinstance(fleet, str) else fleet
            serving = running(fleet=document, **{"lro_seconds": 0, "limits": limits_from("off"), **options})
            served = stack.enter_context(serving)
            for name, value in served.env.items():
                monkeypatch.setitem(os.environ, name, value)
            settings = Settings(cloud=served.endpoint, state_dir=str(tmp_path / "state"))
            how = ConsoleOptions(allow_writes=allow_writes, brakes=brakes or RunGuardrails())
            how = how if scope is None else replace(how, scope=scope)
            console = make_console(rooms_for(settings), how)
            stack.push_async_callback(console.close)
            console.hosts, console.cookie = frozenset({HOST}), cookie_name(8000)
            app = make_app(console)
            app.freeze()
            asker = Asker(console, app, served, tmp_path / "state")
            if read:
                await asker.ready()
            return asker

        yield make
