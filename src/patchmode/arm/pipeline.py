"""Our policy list on azure-core's asynchronous pipeline: retry, throttle, authentication, guard, ledger, in this order.

Must not: repeat a write that may have been applied, send a token to another host, or register a resource provider
(azure-mgmt-core's default list does that in answer to a refused GET, so a read could write; it is not used here).

The order is a safety property. The guard stands last, after everything that can send a request of its own (retry, and
authentication when it answers a claims challenge), so nothing reaches the network past it. SDK's own retry policy is
absent: it has no jitter, waits inside a held slot for as long as it is told, and does not repeat a PATCH on a bare 429.

This module loads azure-core when it is imported, so only `session` imports it, and inside a function.
"""

import asyncio
import logging
import math
import random
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from azure.core.exceptions import AzureError, ServiceRequestError
from azure.core.pipeline import AsyncPipeline, PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy, DistributedTracingPolicy
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.core.settings import settings
from azure.mgmt.core.policies import AsyncARMChallengeAuthenticationPolicy

from patchmode.arm import wire_log
from patchmode.arm.connections import host_of, is_below, is_distrust, path_of, told_of, was_not_sent
from patchmode.arm.credentials import SignIn
from patchmode.arm.exchanges import exchange_of
from patchmode.arm.failures import HELD, Attempt, lost_advice, read_fault
from patchmode.arm.governor import Cost, Governor, Permit
from patchmode.arm.rate_limits import NOTICED_S, HeldTooLongError, asked_wait_s, held_text, span_text
from patchmode.errors import MaybeAppliedError, NotSentError, RequestError, ThrottledError, UnsafeError
from patchmode.model.exchange import Exchange
from patchmode.ports.azure import Clock, Turn

GRAPH_PATH = "/providers/Microsoft.ResourceGraph/resources"

_LOG = logging.getLogger(__name__)
_READ_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_WRITE_AGAIN = frozenset({429, 503})
_LONG_S = 20.0
"""A shorter wait needs no time of day."""


class Order(NamedTuple):
    """What the policies have to know of a request beside the request itself."""

    attempt: Attempt
    spend: Cost
    may_send: Callable[[], bool] | None = None
    """Asked when the buckets have granted the request; None: it may always leave."""
    turn: Turn | None = None
    """Taken before; the first try leaves with it. None: it waits for the buckets here."""
    is_single: bool = False
    """Sent once: its first answer comes back, whatever it is."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a request is repeated before its last answer is handed on."""

    tries: int = 6
    """Requests at most, the first included, where the service neither throttles nor names a time."""
    throttled_s: float = 900.0
    """Seconds from the first 429, or 503 that names a time, in which it is sent again. A wait that would end later is
    not begun."""
    first_pause_s: float = 0.5
    longest_pause_s: float = 30.0


class Retry(AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Repeats what is safe to repeat, with jitter, at the pace the service asks for.

    Reads, and writes that are safe to repeat: every answer and failure that may pass. Other writes: 429, 503, 409 for a
    concurrent write, and what certainly was not received. With If-Match a write that was applied after all meets a 412
    the second time; `was_lost` in the request's context tells the caller that an earlier try may have been applied.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        patience: Patience,
        remark: Callable[[str], None],
        chance: Callable[[], float] = random.random,
    ) -> None:
        super().__init__()
        self._clock = clock
        self._patience = patience
        self._remark = remark
        self._chance = chance
        self._busy: set[str] = set()
        """What another operation holds, as told already; it is told again once it was answered otherwise."""
        self._told_until = -math.inf

    async def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        """Send, and again where that is safe; the last answer comes back whatever its status.

        Raises:
            NotSentError, MaybeAppliedError: there was no last answer.
        """
        order: Order = request.context.options.pop("order")
        request.context["order"] = order
        tries = 1
        while True:
            try:
                response = await self.next.send(request)
            except _UNANSWERED as error:
                failure = _no_answer(order.attempt, error, request.http_request.url)
                if order.is_single or tries >= self._patience.tries or not _may_try_again(order.attempt, failure):
                    raise failure from error
                if isinstance(failure, MaybeAppliedError):
                    request.context["was_lost"] = True
                pause = self._backoff(tries)
                self._tell_pause(failure.message, pause)
            else:
                if order.is_single:
                    return response
                wait = self._wait_after(order, request.context, response.http_response, tries)
                if wait is None:
                    return response
                pause = wait
                if response.http_response.status_code >= 500:
                    request.context["was_lost"] = True
            request.context["retry_count"] = tries  # azure-core's span has it
            tries += 1
            await self._clock.sleep(pause)

    def _wait_after(self, order: Order, context: dict[str, Any], answer: AsyncHttpResponse, tries: int) -> float | None:
        """Seconds to wait before the next try; None: this answer is the last.

        A service that refuses again and again is asked ever less often, and never sooner than it says. The context
        learns since when the request is held back, and at the end why that was not waited for.
        """
        status = answer.status_code
        self._tell_conflict(order.attempt, status, answer)
        if status < 400 or not _may_repeat(order.attempt, status, answer):
            return None
        asked = asked_wait_s(status, answer.headers, answer.content, self._clock.now())
        # Up to a second later than asked, by chance: all that was refused together would come together again.
        pause = self._backoff(tries) if asked is None else max(self._backoff(tries), asked + self._chance())
        if not _is_held(status, asked):
            if tries >= self._patience.tries or pause > self._patience.throttled_s:
                return None
            if status != 409:
                self._tell_pause(f"{order.attempt} was answered {status}", pause)
            return pause
        now = self._clock.monotonic()
        left = self._patience.throttled_s - (now - context.setdefault("held_since", now))
        if (pause if asked is None else asked) > left:
            context["held"] = held_text(asked, self._patience.throttled_s)
            return None
        self._remark(_remark_on(order, status, pause, left, self._clock))
        return pause

    def _tell_conflict(self, attempt: Attempt, status: int, answer: AsyncHttpResponse) -> None:
        """Say once that a write waits for another one: it is repeated here, and by whoever sent it, for a minute."""
        if attempt.is_read:
            return
        if status == 409 and read_fault(answer.content).is_concurrent:
            if attempt.resource not in self._busy:
                self._busy.add(attempt.resource)
                what = "the VM" if "/virtualmachines/" in attempt.resource.casefold() else "it"
                text = f"{attempt} is waiting: another operation holds {what} (409); it is repeated for up to a minute"
                _LOG.info("%s", text)
                self._remark(text)
        else:
            self._busy.discard(attempt.resource)

    def _tell_pause(self, why: str, pause: float) -> None:
        """Say that a request is repeated after a while; of many that wait at the same time, one says so."""
        now = self._clock.monotonic()
        if pause > NOTICED_S and now >= self._told_until:
            self._told_until = now + pause
            self._remark(f"{why}; next try in {span_text(pause)}")

    def _backoff(self, tries: int) -> float:
        """Between half and all of an exponentially growing pause, so that a fleet does not come back in step."""
        whole = min(self._patience.longest_pause_s, self._patience.first_pause_s * 2.0 ** (tries - 1))
        return whole * (0.5 + self._chance() / 2)


def _may_try_again(attempt: Attempt, failure: RequestError) -> bool:
    """An address that is not https, or whose certificate is not trusted, will not be better in a second."""
    is_safe = attempt.is_read or attempt.is_repeatable or isinstance(failure, NotSentError)
    return is_safe and failure.code not in ("NotTrusted", "NotSecure")


def _may_repeat(attempt: Attempt, status: int, answer: AsyncHttpResponse) -> bool:
    if attempt.is_read:
        return status in _READ_AGAIN
    again = _READ_AGAIN if attempt.is_repeatable else _WRITE_AGAIN
    return status in again or (status == 409 and read_fault(answer.content).is_concurrent)


def _is_held(status: int, asked: float | None) -> bool:
    """Whether the service asks to come later: it throttles, or it is away and names the time."""
    return status == 429 or (status == 503 and asked is not None)


def _remark_on(order: Order, status: int, pause: float, left: float, clock: Clock) -> str:
    """The line for whoever watches; a wait that one notices also says until when, and when patience ends."""
    why = "was throttled" if status == 429 else f"was answered {status}, with a request to retry later"
    text = f"{order.attempt} {why}; next try in {span_text(pause)}"
    if pause < _LONG_S:
        return text
    until = clock.now() + timedelta(seconds=pause)
    return f"{text}, at {until:%H:%M:%S} UTC (throttle patience left: {span_text(left)})"


_UNANSWERED = (AzureError, OSError, zlib.error)
"""What ends a request without a usable answer: azure-core's own exceptions; those of a socket that pass it by; and an
answer whose Content-Encoding cannot be undone, which azure-core undoes while it reads."""


def _no_answer(attempt: Attempt, error: AzureError | OSError | zlib.error, url: str) -> RequestError:
    """Whether the service can have received it is told by the exception beneath azure-core's own."""
    advice = "Nothing was changed; run it again." if attempt.is_read else lost_advice(attempt)
    if isinstance(error, zlib.error):
        why = f"the answer's Content-Encoding cannot be undone ({error}); a proxy may have changed it"
        return MaybeAppliedError(f"{attempt} got no usable answer: {why}", code="NoAnswer", advice=advice)
    cause = error.inner_exception if isinstance(error, AzureError) else error
    if cause is None and isinstance(error, ServiceRequestError):
        # azure-core itself refused to send: the address is not https.
        return NotSentError(f"{attempt} was not sent: {error.message}", code="NotSecure")
    cause = cause or error
    said, to_do = told_of(cause, url)
    if was_not_sent(cause):
        code = "NotTrusted" if is_distrust(cause) else "NotSent"
        return NotSentError(f"{attempt} was not sent: {said}", code=code, advice=to_do)
    return MaybeAppliedError(f"{attempt} got no answer: {said}", code="NoAnswer", advice=advice)


class Throttle(AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Lets a request leave when its buckets allow it, and tells them what the answer says."""

    def __init__(self, governor: Governor) -> None:
        super().__init__()
        self._governor = governor

    async def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        """Wait for the buckets, send, learn.

        Raises:
            NotSentError: whoever asked for it no longer wants it sent. MaybeAppliedError: the same, and an earlier try
                has left whose fate is not known. Both have the code `Stopped`.
        """
        order: Order = request.context["order"]
        taken: Permit | None = order.turn.take() if order.turn else None
        leave = taken or await self._acquire(request, order)
        request.context["identity"] = leave.identity
        if order.may_send is not None and not order.may_send():
            self._governor.returned(leave)
            raise _called_off(order.attempt, is_lost=bool(request.context.get("was_lost")))
        try:
            response = await self.next.send(request)
        except BaseException:
            self._governor.answered(leave, None)
            raise
        answer = response.http_response
        self._governor.answered(leave, answer.headers)
        if answer.status_code == 429:
            asked = asked_wait_s(429, answer.headers, answer.content, self._governor.clock.now())
            self._governor.refused(leave, read_fault(answer.content), retry_after_s=asked)
        return response

    async def _acquire(self, request: PipelineRequest[HttpRequest], order: Order) -> Permit:
        since: float | None = request.context.get("held_since")
        patience = self._governor.patience_s
        if since is not None:
            patience = max(0.0, patience - (self._governor.clock.monotonic() - since))
        try:
            return await self._governor.acquire(order.spend, patience_s=patience)
        except HeldTooLongError as held:
            is_lost = bool(request.context.get("was_lost")) and not order.attempt.is_read
            raise held_error(order.attempt, held.wait_s, self._governor.patience_s, is_lost=is_lost) from held


def _called_off(attempt: Attempt, *, is_lost: bool) -> RequestError:
    why = "it was canceled while it waited"
    if is_lost:
        text = f"{attempt} got no usable answer and was not repeated: {why}"
        return MaybeAppliedError(text, code="Stopped", advice=lost_advice(attempt))
    return NotSentError(f"{attempt} was not sent: {why}", code="Stopped")


def held_error(attempt: Attempt, wait_s: float, patience_s: float, *, is_lost: bool = False) -> RequestError:
    """What becomes of a request whose bucket Azure has closed for longer than the patience.

    Args:
        attempt: what was to be sent.
        wait_s: how long Azure asks to wait.
        patience_s: how long one would wait.
        is_lost: an earlier try of the same write may have been applied.
    """
    why = held_text(wait_s, patience_s)
    if is_lost:
        return MaybeAppliedError(
            f"{attempt} got no usable answer and was not repeated: {why}", code="Throttled", advice=lost_advice(attempt)
        )
    return ThrottledError(f"{attempt} was not sent: {why}", code="Throttled", advice=HELD)


class Authenticate(AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Lets the identity whose buckets granted a request sign it, and answer for its token.

    One pipeline for all identities, and not one for each: who sends is chosen anew for each try, so that a request
    which one identity's bucket refused can go on as another.
    """

    def __init__(self, sign_ins: Sequence[SignIn], scope: str) -> None:
        super().__init__()
        self._signing = [_Bearer(sign_in, scope) for sign_in in sign_ins]

    async def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        """Hand the request to its identity's own policy."""
        policy = self._signing[request.context["identity"]]
        policy.next = self.next  # azure-core joins policies when the pipeline is built, and knows only this one.
        response: PipelineResponse[HttpRequest, AsyncHttpResponse] = await policy.send(request)
        return response


class _Bearer(AsyncARMChallengeAuthenticationPolicy):
    """Bearer tokens as azure-mgmt-core sends them, claims challenges included; a refused token is renewed once."""

    def __init__(self, sign_in: SignIn, scope: str) -> None:
        super().__init__(sign_in, scope, enable_cae=True)
        self._sign_in = sign_in

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send with a token; on 401 (it expired in mid-run, or was revoked) once more with a new one."""
        response = await super().send(request)
        if response.http_response.status_code != 401 or request.context.get("renewed") is self:
            return response
        request.context["renewed"] = self
        await self._sign_in.renew(request.http_request.headers.get("Authorization", "").removeprefix("Bearer "))
        self._token = None
        return await super().send(request)


class Guard(AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Nothing leaves for another host, and on a connection for reading nothing leaves that could write."""

    def __init__(self, endpoint: str, *, read_only: bool) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._graph = f"{endpoint}{GRAPH_PATH}?"
        self._read_only = read_only

    async def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        """Pass the request on, or refuse it.

        Raises:
            NotSentError: it would take the token to another host.
            UnsafeError: it is neither GET nor HEAD nor the one query POST, on a connection for reading.
        """
        method, url = request.http_request.method, request.http_request.url
        if not is_below(url, self._endpoint):
            raise NotSentError(
                f"{method} to {host_of(url)!r} was refused: this connection's tokens are for {self._endpoint}/",
                code="ForeignHost",
                advice="The service, or a file of an earlier run, named an address outside its own cloud.",
            )
        if self._read_only and method not in ("GET", "HEAD") and not self._is_query(method, url):
            msg = f"{method} {path_of(url)} was refused: this connection is for reading only"
            raise UnsafeError(msg, advice="This is a defect of patchmode; nothing was sent.")
        return await self.next.send(request)

    def _is_query(self, method: str, url: str) -> bool:
        return method == "POST" and url.startswith(self._graph)


class Ledger(AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Counts what is sent, retries included, and logs it when debugging: no headers, no bodies, no signed queries.

    `--debug` shows these too, without what is secret: `wire_log`.

    Args:
        clock: by which answers are timed.
        exchanges: told each request with its answer, tries and polls included; None: nobody keeps them.
    """

    def __init__(self, clock: Clock, exchanges: Callable[[Exchange], None] | None = None) -> None:
        super().__init__()
        self._clock = clock
        self._exchanges = exchanges
        self._sent: Counter[str] = Counter()
        self._under_way = 0
        self._unanswered_since: datetime | None = None

    @property
    def unanswered_since(self) -> datetime | None:
        """See `ports.RequestLedger.unanswered_since`."""
        return self._unanswered_since

    def by_method(self) -> dict[str, int]:
        """HTTP method → requests sent so far."""
        return dict(self._sent)

    async def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        """Count, and pass on."""
        method = request.http_request.method
        self._sent[method] += 1
        if wire_log.is_wanted():
            sent = request.http_request
            wire_log.log_request(method, sent.url, sent.headers, sent.content)
        if not _LOG.isEnabledFor(logging.DEBUG):
            response = await self._answered(request)
            self._tell(request, response)
            return response
        path = path_of(request.http_request.url)
        begun = self._clock.monotonic()
        response = await self._answered(request)
        self._tell(request, response)
        answer = response.http_response
        took_ms = (self._clock.monotonic() - begun) * 1000
        request_id = answer.headers.get("x-ms-request-id")
        if wire_log.is_wanted():
            wire_log.log_answer(answer.status_code, answer.headers, answer.content, asked=request.http_request.headers)
        members = wire_log.members_of(request.http_request.headers) | {
            "method": method,
            "path": path,
            "status": answer.status_code,
            "duration_ms": round(took_ms),
            "request_id": request_id,
            "correlation_id": answer.headers.get("x-ms-correlation-request-id"),
        }
        text = "%s %s: %s in %.0f ms, request id %s"
        _LOG.debug(text, method, path, answer.status_code, took_ms, request_id, extra={"members": members})
        return response

    async def _answered(
        self, request: PipelineRequest[HttpRequest]
    ) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        """Pass on, and note since when nothing has been answered: a failure leaves it, a request given up ends it."""
        self._unanswered_since = self._unanswered_since or self._clock.now()
        self._under_way += 1
        try:
            response = await self.next.send(request)
        except asyncio.CancelledError:
            if self._under_way == 1:
                self._unanswered_since = None
            raise
        finally:
            self._under_way -= 1
        self._unanswered_since = self._clock.now() if self._under_way else None
        return response

    def _tell(
        self, request: PipelineRequest[HttpRequest], response: PipelineResponse[HttpRequest, AsyncHttpResponse]
    ) -> None:
        if self._exchanges is not None:
            self._exchanges(exchange_of(request.http_request, response.http_response, self._clock.now()))


class Traced(DistributedTracingPolicy[Any, Any]):
    """azure-core's span of a request, tries and waits included; of a failure it has the kind and not the text.

    Its addresses have no parameter but `api-version` (azure-core replaces the others), so no signature.
    """

    def on_exception(self, request: PipelineRequest[HttpRequest]) -> None:
        """End the span. A message or a traceback in it could repeat an address or what Azure answered."""
        span, error = request.context.get(self.TRACING_CONTEXT), sys.exc_info()[1]
        if span is None or not hasattr(span, "set_status"):  # of a plugin, which the application chose
            super().on_exception(request)
            return
        from opentelemetry.trace import Status, StatusCode

        span.set_attribute("error.type", getattr(error, "code", type(error).__qualname__))
        span.set_status(Status(StatusCode.ERROR))
        self.end_span(request)


def build(
    transport: AsyncHttpTransport[HttpRequest, AsyncHttpResponse],
    *policies: AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse],
) -> AsyncPipeline[HttpRequest, AsyncHttpResponse]:
    """The pipeline; azure-core's tracing is put in front where the application has switched it on."""
    traced: list[Any] = [Traced()] if _is_traced() else []
    return AsyncPipeline(transport, [*traced, *policies])


def _is_traced() -> bool:
    return bool(settings.tracing_enabled() or settings.tracing_implementation())
