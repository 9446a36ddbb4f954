"""One request to Resource Manager and its answer: what the readers and the writer of this room are written on.

Documents leave here decoded and otherwise as they came.

This module loads azure-core when it is imported, so only `session` imports it, and inside a function.
"""

import logging
import os
import platform
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar
from urllib.parse import quote
from uuid import uuid4

import msgspec
from azure.core.pipeline import AsyncPipeline
from azure.core.rest import AsyncHttpResponse, HttpRequest

from patchmode.arm.connections import host_of, is_below, path_of
from patchmode.arm.failures import Attempt, lost_advice, read_fault, rejection
from patchmode.arm.governor import Cost, GovernedTurn, Governor
from patchmode.arm.pipeline import Order, held_error
from patchmode.arm.rate_limits import HeldTooLongError, said_wait_s
from patchmode.arm.wire import ShapeError, decode
from patchmode.errors import MaybeAppliedError, NotSentError, RejectedError, RequestError
from patchmode.ports.azure import Clock, Turn
from patchmode.version import __version__

_LOG = logging.getLogger(__name__)
_PATH_SAFE = "/-._~!$&'()*+,;=:@"
_PAGES_AT_MOST = 100_000
_EMPTY_AT_MOST = 1_000
"""Pages without an entry in a row, each of which promises another. Azure's filters leave some empty."""
Document = dict[str, Any]
"""A JSON object as it came."""
_MAYBE = Document | None
"""The answer to a write, which may have none."""
T = TypeVar("T")


class ListPage(msgspec.Struct, Generic[T], rename="camel"):
    """A page of a list, as every provider of Resource Manager answers it."""

    value: list[T]
    next_link: str | None = None


class Trail:
    """Where the pages of one list have led so far: a service that never ends is not followed for ever.

    Args:
        asked: the request, as messages name it.
    """

    def __init__(self, asked: str) -> None:
        self._asked = asked
        self._seen: set[str] = set()
        self._empty = 0

    def follow(self, mark: str | None, *, is_empty: bool) -> None:
        """Note what leads to the next page.

        Args:
            mark: its link or token; None or empty: there is none.
            is_empty: whether the page that names it has no entry.

        Raises:
            RejectedError: it was named before, or pages come without end.
        """
        if not mark:
            return
        self._empty = self._empty + 1 if is_empty else 0
        if mark in self._seen or len(self._seen) >= _PAGES_AT_MOST:
            self.break_off("the link to its next page points back to a page that was already read")
        if self._empty >= _EMPTY_AT_MOST:
            self.break_off(f"{self._empty:,} pages in a row are empty, and each names a next one")
        self._seen.add(mark)

    def break_off(self, why: str) -> NoReturn:
        """Give the list up.

        Raises:
            RejectedError: always.
        """
        advice = "Nothing was changed. A proxy may have changed the answer; try again later."
        raise RejectedError(f"{self._asked}: {why}", code="UnusableAnswer", status=200, advice=advice)


class Answer(NamedTuple):
    """A successful answer."""

    status: int
    headers: Mapping[str, str]
    """Names in any case; a repeated one joined by commas."""
    document: Any
    """The body, decoded into the shape that was asked for; None where a write was answered without one."""
    was_lost: bool = False
    """An earlier try of the same request got no usable answer, so it may have been what changed the resource."""
    identity: int = 0
    """Who asked, by its number in the roster; what follows from an answer is asked by the same."""
    retry_after_s: float | None = None
    """Seconds that the answer asks to wait; None: it does not ask."""

    @property
    def request_id(self) -> str | None:
        """`x-ms-request-id`, for a support case."""
        return self.headers.get("x-ms-request-id")

    @property
    def correlation_id(self) -> str | None:
        """`x-ms-correlation-request-id`, for a support case."""
        return self.headers.get("x-ms-correlation-request-id")


class Channel:
    """Requests to one endpoint."""

    def __init__(
        self, pipeline: AsyncPipeline[HttpRequest, AsyncHttpResponse], endpoint: str, governor: Governor
    ) -> None:
        self._pipeline = pipeline
        self._governor = governor
        self._endpoint = endpoint
        self.writes = 0
        """Requests so far that may change something."""
        extra = os.environ.get("AZURE_HTTP_USER_AGENT")
        agent = f"patchmode/{__version__} Python/{platform.python_version()} ({platform.system()})"
        self._headers = {
            "User-Agent": f"{agent} {extra}" if extra else agent,
            "Accept": "application/json",
            # What azure-core can undo; aiohttp would also offer what happens to be installed.
            "Accept-Encoding": "gzip, deflate",
        }

    @property
    def clock(self) -> Clock:
        """The time by which its requests wait."""
        return self._governor.clock

    def url(self, path: str, api_version: str, **query: str) -> str:
        """The URL of a path.

        Args:
            path: as an id has it, unescaped, with its leading slash; names may hold any character.
            api_version: dated.
            query: further parameters, unescaped; a leading `$` is written as `_`, since Python names have none.
        """
        further = "".join(f"&{name.replace('_', '$')}={quote(value, safe='')}" for name, value in query.items())
        return f"{self._endpoint}{quote(path, safe=_PATH_SAFE)}?api-version={api_version}{further}"

    def own(self, url: str | None) -> str | None:
        """An address that the service named, where it may be asked on this connection; None: it may not, or is none."""
        if url is not None and not is_below(url, self._endpoint):
            _LOG.warning("an address outside %s is not followed: %.80r", self._endpoint, url)
            return None
        return url

    async def turn(self, method: str, url: str, spend: Cost) -> Turn:
        """Wait for the buckets of a request that is still to be made, and take its tokens.

        Raises:
            ThrottledError: Azure has closed a bucket for longer than the patience.
        """
        try:
            return GovernedTurn(self._governor, await self._governor.acquire(spend))
        except HeldTooLongError as held:
            raise held_error(_attempt(method, url), held.wait_s, self._governor.patience_s) from held

    async def get(self, url: str, spend: Cost, *, shape: Any = Document, may_be_empty: bool = False) -> Answer:
        """GET a URL, verbatim.

        Args:
            url: of this connection's endpoint.
            spend: its buckets.
            shape: the msgspec type that `Answer.document` shall be of.
            may_be_empty: whether an answer without a body is one too; its document is None.

        Raises:
            RejectedError: the answer is none of the shape. RequestError: no success.
        """
        order = Order(_attempt("GET", url, is_read=True), spend)
        return await self._send(order, url, shape=shape, may_be_empty=may_be_empty)

    async def query(self, url: str, body: Mapping[str, Any], spend: Cost, *, shape: Any = Document) -> Answer:
        """POST a query that changes nothing.

        Args:
            url: of the query.
            body: sent as it stands.
            spend: its buckets.
            shape: the msgspec type that `Answer.document` shall be of.

        Raises:
            RejectedError: the answer is none of the shape. RequestError: no success.
        """
        order = Order(_attempt("POST", url, is_read=True), spend)
        return await self._send(order, url, body=body, shape=shape, may_be_empty=False)

    async def patch(
        self,
        url: str,
        body: Mapping[str, Any],
        spend: Cost,
        *,
        etag: str | None,
        may_send: Callable[[], bool] | None = None,
        turn: Turn | None = None,
    ) -> Answer:
        """PATCH a resource.

        Args:
            url: of the resource.
            body: sent as it stands.
            spend: its buckets.
            etag: sent as `If-Match`, with its quotes; None: unconditional.
            may_send: see `ports.Writer.patch`.
            turn: of `turn`, for the same `spend`; None: the request waits for its buckets by itself.

        Raises:
            RequestError: no success; the class says whether it may have been applied.
        """
        order = Order(_attempt("PATCH", url), spend, may_send, turn)
        if etag is not None and not (etag.isascii() and etag.isprintable()):
            # A line end would begin a header of its own.
            raise NotSentError(
                f"{order.attempt} was not sent: the machine's etag has a letter in it that no header may have",
                code="NotSent",
                advice="A proxy may have changed the machine's document: make a new plan.",
            )
        return await self._send(order, url, body=body, etag=etag)

    async def put(
        self, url: str, body: Mapping[str, Any], spend: Cost, *, may_send: Callable[[], bool] | None = None
    ) -> Answer:
        """PUT a resource that nothing else depends on: it is repeated until there is an answer.

        Args:
            url: of the resource.
            body: sent as it stands.
            spend: its buckets.
            may_send: see `ports.Writer.patch`.

        Raises:
            RequestError: no success; the class says whether it may have been applied.
        """
        return await self._send(Order(_attempt("PUT", url, is_repeatable=True), spend, may_send), url, body=body)

    async def delete(self, url: str, spend: Cost, *, may_send: Callable[[], bool] | None = None) -> Answer:
        """DELETE a resource, repeated until there is an answer. `may_send`: see `ports.Writer.patch`.

        Raises:
            RequestError: no success; the class says whether it may have been applied.
        """
        return await self._send(Order(_attempt("DELETE", url, is_repeatable=True), spend, may_send), url)

    async def once(
        self,
        method: str,
        url: str,
        spend: Cost,
        *,
        body: Mapping[str, Any] | None = None,
        etag: str | None = None,
        is_read: bool,
    ) -> AsyncHttpResponse:
        """Send one request once; its answer comes back as it is, whatever its status.

        Args:
            method: of the request.
            url: of this connection's endpoint.
            spend: its buckets.
            body: sent as it stands; None: none.
            etag: sent as `If-Match`.
            is_read: whether it cannot change anything.

        Raises:
            NotSentError: the service did not receive it. MaybeAppliedError: there is no answer.
        """
        order = Order(_attempt(method, url, is_read=is_read), spend, is_single=True)
        self.writes += not is_read
        request = HttpRequest(method, url, headers=self._headers_for(body, etag), content=_encoded(body))
        return (await self._pipeline.run(request, order=order)).http_response

    async def pages(self, url: str, spend: Cost, entry: type[T]) -> AsyncIterator[list[T]]:
        """The `value` of every page of a list, next links followed verbatim.

        Args:
            url: of the first page.
            spend: the buckets of each.
            entry: the msgspec type of each entry; `Any`: whoever reads the entries judges them one by one.

        Raises:
            RejectedError: an answer is no page of such entries, or a next link leads in a circle, or out of this cloud.
            RequestError: a page could not be read.
        """
        trail = Trail(f"GET {path_of(url)}")
        trail.follow(url, is_empty=False)
        next_url: str | None = url
        while next_url:
            answer = await self.get(next_url, spend, shape=ListPage[entry])  # type: ignore[valid-type]
            values, next_url = answer.document.value, answer.document.next_link
            trail.follow(next_url, is_empty=not values)
            if next_url and not is_below(next_url, self._endpoint):
                trail.break_off(f"its next link points to {host_of(next_url)!r}, outside {self._endpoint}")
            spend = spend._replace(identity=answer.identity)
            del answer
            yield values
            del values  # a page is large, and many lists are read at once: none is held while its next is awaited

    async def _send(
        self,
        order: Order,
        url: str,
        *,
        body: Mapping[str, Any] | None = None,
        etag: str | None = None,
        shape: Any = _MAYBE,
        may_be_empty: bool = True,
    ) -> Answer:
        attempt = order.attempt
        self.writes += not attempt.is_read
        request = HttpRequest(attempt.method, url, headers=self._headers_for(body, etag), content=_encoded(body))
        ran = await self._pipeline.run(request, order=order)
        answer = ran.http_response
        was_lost = bool(ran.context.get("was_lost"))
        if not 200 <= answer.status_code < 300:
            fault = read_fault(answer.content)
            held = ran.context.get("held", "")
            raise rejection(attempt, answer.status_code, fault, answer.headers, lost_before=was_lost, held=held)
        document = _document(attempt, answer, shape, may_be_empty=may_be_empty)
        wait_s = said_wait_s(answer.headers, self._governor.clock.now())
        return Answer(answer.status_code, answer.headers, document, was_lost, ran.context["identity"], wait_s)

    def _headers_for(self, body: Mapping[str, Any] | None, etag: str | None) -> dict[str, str]:
        headers = {**self._headers, "x-ms-client-request-id": str(uuid4())}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if etag is not None:
            headers["If-Match"] = etag
        return headers


def _attempt(method: str, url: str, *, is_read: bool = False, is_repeatable: bool = False) -> Attempt:
    return Attempt(method, path_of(url), is_read, is_repeatable)


def _encoded(body: Mapping[str, Any] | None) -> bytes | None:
    return None if body is None else msgspec.json.encode(body)


def _document(attempt: Attempt, answer: AsyncHttpResponse, shape: Any, *, may_be_empty: bool) -> Any:
    """The decoded body of a success. A write whose answer cannot be read was applied all the same, or may have been.

    Raises:
        RejectedError, MaybeAppliedError: it is not what was asked for.
    """
    body = answer.content
    try:
        document = decode(body, shape)
        if document is None and not may_be_empty:
            raise ShapeError("it has no body")
    except ValueError as error:
        kind: type[RequestError] = RejectedError if attempt.is_read else MaybeAppliedError
        raise kind(
            f"{attempt} was answered {answer.status_code} with {_told(answer)}, but {error}",
            code="UnusableAnswer" if isinstance(error, ShapeError) else "UnreadableBody",
            status=answer.status_code,
            request_id=answer.headers.get("x-ms-request-id"),
            correlation_id=answer.headers.get("x-ms-correlation-request-id"),
            advice=_PROXY if attempt.is_read else lost_advice(attempt),
        ) from error
    return document


_PROXY = "Nothing was changed. A proxy may have answered instead of the service; try again."


def _told(answer: AsyncHttpResponse) -> str:
    """What came, by its type and size: `text/html (192 kB)`."""
    kind = (answer.headers.get("content-type") or "").partition(";")[0].strip()[:60] or "a body of no stated type"
    size = len(answer.content)
    return f"{kind} ({size} bytes)" if size < 10_000 else f"{kind} ({size // 1000} kB)"
