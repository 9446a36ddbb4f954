"""One request to Resource Manager and its answer: what the readers and the writer of this room are written on.

Must not: know what a machine is. Documents leave here decoded and otherwise as they came.

This module loads azure-core when it is imported, so only `session` imports it, and inside a function.
"""

import os
import platform
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit
from uuid import uuid4

import msgspec
from azure.core.pipeline import AsyncPipeline
from azure.core.rest import AsyncHttpResponse, HttpRequest

from patchmode.arm.failures import Attempt, read_fault, rejection
from patchmode.arm.governor import GovernedTurn, Governor, Spend
from patchmode.arm.pipeline import Order, held_error
from patchmode.arm.retry_after import said_wait_s
from patchmode.arm.throttle import HeldTooLongError
from patchmode.arm.wire import decode
from patchmode.errors import MaybeAppliedError, RejectedError, RequestError
from patchmode.version import __version__
from patchmode.workflow.ports import Turn

_PATH_SAFE = "/-._~!$&'()*+,;=:@"
_PAGES_AT_MOST = 100_000


class Answer(NamedTuple):
    """A successful answer."""

    status: int
    headers: Mapping[str, str]
    """Names in any case; a repeated one joined by commas."""
    document: Any
    """The decoded body; None where there was none."""
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
        extra = os.environ.get("AZURE_HTTP_USER_AGENT")
        agent = f"patchmode/{__version__} Python/{platform.python_version()} ({platform.system()})"
        self._headers = {
            "User-Agent": f"{agent} {extra}" if extra else agent,
            "Accept": "application/json",
            # What azure-core can undo; aiohttp would also offer what happens to be installed.
            "Accept-Encoding": "gzip, deflate",
        }

    def url(self, path: str, api_version: str, **query: str) -> str:
        """The URL of a path.

        Args:
            path: as an id has it, unescaped, with its leading slash; names may hold any character.
            api_version: dated.
            query: further parameters, unescaped; a leading `$` is written as `_`, since Python names have none.
        """
        further = "".join(f"&{name.replace('_', '$')}={quote(value, safe='')}" for name, value in query.items())
        return f"{self._endpoint}{quote(path, safe=_PATH_SAFE)}?api-version={api_version}{further}"

    async def turn(self, method: str, url: str, spend: Spend) -> Turn:
        """Wait for the buckets of a request that is still to be made, and take its tokens.

        Raises:
            ThrottledError: Azure has closed a bucket for longer than the patience.
        """
        try:
            return GovernedTurn(self._governor, await self._governor.acquire(spend))
        except HeldTooLongError as held:
            raise held_error(_attempt(method, url), held.wait_s, self._governor.patience_s) from held

    async def get(self, url: str, spend: Spend) -> Answer:
        """GET a URL, verbatim.

        Raises:
            RequestError: no success.
        """
        return await self._send(Order(_attempt("GET", url, is_read=True), spend), url)

    async def query(self, url: str, body: Mapping[str, Any], spend: Spend, *, shape: Any = Any) -> Answer:
        """POST a query that changes nothing.

        Args:
            url: of the query.
            body: sent as it stands.
            spend: its buckets.
            shape: the msgspec type that `Answer.document` shall be of.

        Raises:
            RequestError: no success.
        """
        return await self._send(Order(_attempt("POST", url, is_read=True), spend), url, body=body, shape=shape)

    async def patch(
        self,
        url: str,
        body: Mapping[str, Any],
        spend: Spend,
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
        return await self._send(order, url, body=body, etag=etag)

    async def put(self, url: str, body: Mapping[str, Any], spend: Spend) -> Answer:
        """PUT a resource that nothing else depends on: it is repeated until there is an answer.

        Args:
            url: of the resource.
            body: sent as it stands.
            spend: its buckets.

        Raises:
            RequestError: no success; the class says whether it may have been applied.
        """
        return await self._send(Order(_attempt("PUT", url, is_repeatable=True), spend), url, body=body)

    async def delete(self, url: str, spend: Spend) -> Answer:
        """DELETE a resource, repeated until there is an answer.

        Raises:
            RequestError: no success; the class says whether it may have been applied.
        """
        return await self._send(Order(_attempt("DELETE", url, is_repeatable=True), spend), url)

    async def pages(self, url: str, spend: Spend) -> AsyncIterator[list[Mapping[str, Any]]]:
        """The `value` of every page of a list, next links followed verbatim.

        Raises:
            RequestError: a page could not be read, is no page, or the links lead in a circle.
        """
        seen: set[str] = set()
        next_url: str | None = url
        while next_url:
            if next_url in seen or len(seen) > _PAGES_AT_MOST:
                raise _unusable("GET", url, "its next link leads back to a page already read")
            seen.add(next_url)
            answer = await self.get(next_url, spend)
            values, next_url = _page_in(answer, url)
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
        shape: Any = Any,
    ) -> Answer:
        attempt = order.attempt
        request = HttpRequest(attempt.method, url, headers=self._headers_for(body, etag), content=_encoded(body))
        ran = await self._pipeline.run(request, order=order)
        answer = ran.http_response
        was_lost = bool(ran.context.get("was_lost"))
        if not 200 <= answer.status_code < 300:
            fault = read_fault(answer.content)
            held = ran.context.get("held", "")
            raise rejection(attempt, answer.status_code, fault, answer.headers, lost_before=was_lost, held=held)
        document = _document(attempt, answer, shape)
        wait_s = said_wait_s(answer.headers, self._governor.clock.now())
        return Answer(answer.status_code, answer.headers, document, was_lost, ran.context["identity"], wait_s)

    def _headers_for(self, body: Mapping[str, Any] | None, etag: str | None) -> dict[str, str]:
        headers = {**self._headers, "x-ms-client-request-id": str(uuid4())}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if etag is not None:
            headers["If-Match"] = etag
        return headers


def _page_in(answer: Answer, url: str) -> tuple[list[Mapping[str, Any]], str | None]:
    """A page's values, and where the next one is.

    Raises:
        RejectedError: the answer is no page.
    """
    page = answer.document
    values = page.get("value") if isinstance(page, Mapping) else None
    if not isinstance(values, list):
        raise _unusable("GET", url, "the answer is not a page of a list: it has no `value`")
    return values, page.get("nextLink") or None


def _attempt(method: str, url: str, *, is_read: bool = False, is_repeatable: bool = False) -> Attempt:
    return Attempt(method, urlsplit(url).path, is_read, is_repeatable)


def _encoded(body: Mapping[str, Any] | None) -> bytes | None:
    return None if body is None else msgspec.json.encode(body)


def _document(attempt: Attempt, answer: AsyncHttpResponse, shape: Any) -> Any:
    """The decoded body of a success. A write whose answer cannot be read was applied all the same, or may have been."""
    try:
        return decode(answer.content, shape)
    except ValueError as error:
        kind: type[RequestError] = RejectedError if attempt.is_read else MaybeAppliedError
        raise kind(
            f"{attempt} was answered {answer.status_code}, but {error}",
            code="UnreadableBody",
            status=answer.status_code,
            advice="A proxy may have answered instead of the service; try again.",
        ) from error


def _unusable(method: str, url: str, why: str) -> RequestError:
    attempt = _attempt(method, url, is_read=True)
    return RejectedError(f"{attempt}: {why}", code="UnusableAnswer", status=200, advice="Try again later.")
