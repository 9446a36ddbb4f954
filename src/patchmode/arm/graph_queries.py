"""How Resource Graph is asked: page by page, as each identity of a connection, its totals checked."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from patchmode.arm.channel import Channel, Trail
from patchmode.arm.governor import Cost, Identities
from patchmode.arm.machine_rows import SUBSCRIPTIONS, subscription_in
from patchmode.arm.pipeline import GRAPH_PATH
from patchmode.errors import RejectedError
from patchmode.ports.azure import GraphScope

T2 = TypeVar("T2")


async def merged(streams: Sequence[AsyncIterator[T2]]) -> AsyncIterator[T2]:
    """The pages of all streams, each stream's in its order, and among the streams as they come.

    The next page of a stream is asked for before the present one is handed on, so that all go on at the same time. A
    single stream is handed through, and nothing is read ahead.

    Args:
        streams: read from here on by this function alone.

    Raises:
        Exception: whatever a stream raises; the others are ended then.
    """
    if len(streams) == 1:
        async for only in streams[0]:
            yield only
        return
    reading = {asyncio.create_task(_next(stream)): stream for stream in streams}
    try:
        while reading:
            done, _ = await asyncio.wait(reading, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                stream = reading.pop(task)
                page = task.result()
                if page is not None:
                    reading[asyncio.create_task(_next(stream))] = stream
                    yield page
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


async def _next(stream: AsyncIterator[T2]) -> T2 | None:
    """The next page; None: there is none."""
    return await anext(stream, None)


API = "2021-03-01"
"""What azure-mgmt-resourcegraph 8 and most recordings speak."""
PAGE = 1_000
SUBSCRIPTIONS_AT_ONCE = 1_000
GROUPS_AT_ONCE = 10
"""The most that one query takes, as documented for Search-AzGraph; more are asked for in turn."""

SUBSCRIPTION_LIMIT = "TenantSubscriptionLimit"
"""Our code for an answer about a part of the subscriptions."""
_LOG = logging.getLogger(__name__)
_NOT_THEIRS = frozenset({400, 403, 404})
"""How a management group may be refused to somebody who has no part in it."""
_ODD = bool | int | float | str | list[Any] | None
"""A row that is no object: it is the row's own affair, and must not spoil its page."""
T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], rename="camel"):
    """One answer. `resultTruncated` is a text on the wire."""

    data: list[T]
    total_records: int | None = None
    result_truncated: str | None = None
    skip_token: str | None = msgspec.field(default=None, name="$skipToken")


class Queries:
    """Queries on one connection.

    Args:
        channel: of the connection.
        roster: its identities; each is asked about a part of the scope, all at the same time.
    """

    def __init__(self, channel: Channel, roster: Identities) -> None:
        self._channel = channel
        self._roster = roster
        self._url = channel.url(GRAPH_PATH, API)

    async def pages(self, query: str, scope: GraphScope, row: type[T]) -> AsyncIterator[list[T]]:
        """The pages of a query in a scope, from every identity that has a part in it.

        Raises:
            RequestError: Resource Graph refuses or fails, or gives fewer rows than it says there are.
        """
        parts = await self.divided(scope)
        async for rows in merged([self.read(query, part, row, identity) for identity, part in parts]):
            yield rows

    async def divided(self, scope: GraphScope) -> list[tuple[int, GraphScope]]:
        """Which identity asks about what. No part: the management groups hold nothing that any of them sees."""
        if len(self._roster.names) == 1:
            return [(0, scope)]
        if scope.management_groups:
            # Asked by the group, two identities would both tell of the subscriptions that both see.
            below = [entry for group in scope.management_groups for entry in await self.subscriptions_under(group)]
            scope = GraphScope(tuple(dict.fromkeys((*map(str.lower, scope.subscriptions), *below))))
            if not scope.subscriptions:
                return []
        return [(identity, GraphScope(part)) for identity, part in self._roster.divided(scope.subscriptions)]

    async def read(
        self,
        query: str,
        scope: GraphScope,
        row: type[T],
        identity: int,
        enough: Callable[[Sequence[Any]], bool] = lambda _: False,
    ) -> AsyncIterator[list[T]]:
        """The pages of a query as one identity; `enough` tells of a page that has a next one whether that is left."""
        spend = Cost(is_graph=True, identity=identity)
        for part in _parts(scope):
            trail = Trail("a query of Resource Graph")
            token: str | None = None
            read = 0
            while True:
                page = await self._page(query, part, token, row, spend)
                read += len(page.data)
                if page.data:
                    yield page.data
                token = page.skip_token
                trail.follow(token, is_empty=not page.data)
                if not token:
                    _check_total(page, read)
                    break
                if enough(page.data):
                    break

    async def _page(self, query: str, part: dict[str, Any], token: str | None, row: type[T], spend: Cost) -> Page[T]:
        options: dict[str, Any] = {"$top": PAGE, "resultFormat": "objectArray"}
        if token:
            options["$skipToken"] = token
        body = {**part, "query": query, "options": options}
        answer = await self._channel.query(self._url, body, spend, shape=Page[row | _ODD])  # type: ignore[valid-type]
        if answer.headers.get("x-ms-tenant-subscription-limit-hit", "").casefold() == "true":
            raise RejectedError(
                "Resource Graph looked at the first 10,000 subscriptions only",
                code=SUBSCRIPTION_LIMIT,
                status=answer.status,
                advice="Name subscriptions or management groups.",
            )
        page: Page[T] = answer.document
        return page

    async def subscriptions_under(self, management_group: str) -> Sequence[str]:
        """Subscriptions below a management group. See `ports.Graph.subscriptions_under`.

        Each identity is asked, since each is told only of what it sees. One that is refused is passed over where
        another is answered: a group that is one identity's work need not be open to all.
        """
        scope = GraphScope(management_groups=(management_group,))
        found: dict[str, None] = {}
        refusals: list[RejectedError] = []
        for identity in self._roster.numbers:
            try:
                async for rows in self.read(SUBSCRIPTIONS, scope, dict[str, Any], identity):
                    found.update((subscription_in(row, management_group), None) for row in rows)
            except RejectedError as error:
                if error.status not in _NOT_THEIRS:
                    raise
                refusals.append(error)
        if len(refusals) == len(self._roster.names):
            raise refusals[0]
        for refusal in refusals:
            _LOG.warning("an identity may not look below management group %s: %s", management_group, refusal)
        return list(found)


def _parts(scope: GraphScope) -> Iterator[dict[str, Any]]:
    """The scope members of the bodies to send: subscriptions and management groups exclude each other in one query."""
    if not scope.subscriptions and not scope.management_groups:
        yield {}
    for at in range(0, len(scope.subscriptions), SUBSCRIPTIONS_AT_ONCE):
        yield {"subscriptions": list(scope.subscriptions[at : at + SUBSCRIPTIONS_AT_ONCE])}
    for at in range(0, len(scope.management_groups), GROUPS_AT_ONCE):
        yield {"managementGroups": list(scope.management_groups[at : at + GROUPS_AT_ONCE])}


def _check_total(last: Page[Any], read: int) -> None:
    """A fleet that was read in part must never pass for the whole.

    Raises:
        RejectedError: the service says that rows are missing.
    """
    is_short = last.total_records is not None and read < last.total_records
    if is_short or (last.result_truncated or "").casefold() == "true":
        raise RejectedError(
            f"Resource Graph gave {read} of {last.total_records} rows and no token for the rest",
            code="ResultTruncated",
            status=200,
            advice="Let the query project `id` and order its rows; drop `limit` and `take`; or run it again.",
        )
