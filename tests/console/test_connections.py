"""Connections on which no whole request comes are closed."""

import asyncio
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from tests.console.conftest import Open

from patchmode.console.connections import Connections
from patchmode.console.rooms import ConsoleOptions
from patchmode.console.server import ConsoleServer


@dataclass
class Body:
    """The body of a request, as far as it is there."""

    total_bytes: int = 0
    whole: bool = False

    def is_eof(self) -> bool:
        return self.whole


def asked(protocol: str, body: Body) -> Any:
    """A request on a connection."""
    return SimpleNamespace(protocol=protocol, content=body)


def test_a_connection_without_a_request_has_ten_seconds() -> None:
    connections = Connections()
    assert connections.overdue(["a"], 100.0) == []
    assert connections.overdue(["a", "b"], 109.9) == []
    assert connections.overdue(["a", "b"], 110.0) == ["a"]
    assert connections.overdue(["b"], 119.9) == ["b"]


def test_a_request_that_is_answered_slowly_is_left_alone() -> None:
    """Evidence of many machines takes minutes, and the events of a run are one answer as long as it lasts."""
    connections = Connections()
    connections.began(asked("a", Body(whole=True)))
    assert connections.overdue(["a"], 0.0) == []
    assert connections.overdue(["a"], 900.0) == []


def test_a_body_must_make_progress() -> None:
    connections, body = Connections(), Body()
    connections.began(asked("a", body))
    assert connections.overdue(["a"], 0.0) == []
    body.total_bytes = 5
    assert connections.overdue(["a"], 9.0) == []
    assert connections.overdue(["a"], 18.0) == []
    assert connections.overdue(["a"], 19.0) == ["a"]


def test_a_browser_may_send_its_next_request_on_the_same_connection() -> None:
    connections, request = Connections(), asked("a", Body(whole=True))
    connections.began(request)
    connections.ended(request)
    assert connections.overdue(["a"], 0.0) == []
    assert connections.overdue(["a"], 74.0) == []
    assert connections.overdue(["a"], 75.0) == ["a"]


async def test_the_server_closes_a_connection_that_sends_half_a_request(opened: Open) -> None:
    asker = await opened(read=False)
    server = ConsoleServer(asker.console.rooms, ConsoleOptions(), entered=str, connections=Connections(patience_s=0.1))
    await server.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost:")
        await writer.drain()
        assert await reader.read() == b""
        writer.close()
    finally:
        await server.stop(remark=lambda _: None)
