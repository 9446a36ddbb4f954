"""Connections on which no whole request comes: they are closed, so that nobody holds the server with open ones.

aiohttp has a limit for a connection that waits for its next request, and none for one that waits for its first, or for
the rest of one. Source: aiohttp 3.14, `web_protocol.RequestHandler`.

Must not: know what is asked for.
"""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from aiohttp import web

PATIENCE_S = 10.0
"""So long a request may take to arrive, from the connection on or from its latest byte on."""
IDLE_S = 75.0
"""So long a connection is kept after an answer: browsers send the next request on it."""


class Connections:
    """What is known of the connections of one server.

    Args:
        patience_s: seconds, > 0; as `PATIENCE_S`.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._asked: dict[Any, web.BaseRequest] = {}
        self._served: set[Any] = set()
        self._waiting: dict[Any, tuple[int, float]] = {}
        """Connection → bytes of its request that are there, and since when there are no more."""

    def began(self, request: web.BaseRequest) -> None:
        """The head of a request is there."""
        self._asked[request.protocol] = request
        self._waiting.pop(request.protocol, None)

    def ended(self, request: web.BaseRequest) -> None:
        """It was answered."""
        self._asked.pop(request.protocol, None)
        self._waiting.pop(request.protocol, None)
        self._served.add(request.protocol)

    def overdue(self, connections: Iterable[Any], now: float) -> list[Any]:
        """Those to be closed.

        Args:
            connections: all that are open.
            now: seconds, of a clock that only goes forward.
        """
        there = list(connections)
        self._served.intersection_update(there)
        waiting, found = {}, []
        for one in there:
            request = self._asked.get(one)
            if request is not None and request.content.is_eof():
                continue
            count = -1 if request is None else request.content.total_bytes
            known = self._waiting.get(one)
            since = known[1] if known is not None and known[0] == count else now
            waiting[one] = count, since
            limit = IDLE_S if request is None and one in self._served else self._patience_s
            if now - since >= limit:
                found.append(one)
        self._waiting = waiting
        return found

    async def watch(self, server: web.Server) -> None:
        """Close what is overdue, until cancelled."""
        while True:
            await asyncio.sleep(min(1.0, self._patience_s / 4))
            for one in self.overdue(server.connections, time.monotonic()):
                one.force_close()


CONNECTIONS = web.AppKey("connections", Connections)
