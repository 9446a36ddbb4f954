"""The request and response that providers see, and the one exception by which they refuse.

This module must not know aiohttp: a provider is a function from a request to a response.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling, as the bearer token names them."""

    object_id: str
    display_name: str
    tenant_id: str
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One call on the control plane, decoded."""

    method: str
    """Upper case."""
    path: str
    """Decoded, double slashes collapsed, the caller's casing."""
    query: Mapping[str, str]
    """Decoded values; keys lower-cased (``$expand``, ``api-version``)."""
    headers: Mapping[str, str]
    """Keys lower-cased."""
    body: object | None
    """Decoded JSON, or None where there was none."""
    base_url: str
    """``https://host:port`` from the Host header, no trailing slash."""
    principal: Principal
    request_id: str
    correlation_id: str
    api_version: str
    """The ``api-version`` of the query, or ``''``."""
    raw_query: str = ""
    """The query string as it stood on the wire (operation URLs are compared verbatim)."""


@dataclass(slots=True)
class Response:
    """One answer. ``body``: dict or list becomes JSON; str and bytes go out as they are; None is an empty body."""

    status: int = 200
    body: object | None = None
    headers: dict[str, str] = field(default_factory=dict)
    crlf: bool = False
    """Compute answers pretty-printed JSON with CRLF; the front door and Resource Graph answer compact JSON."""


class ArmError(Exception):
    """A refusal, with everything its body and headers need.

    Args:
        status: HTTP status.
        code: the service's error code, e.g. ``ResourceNotFound``.
        message: the service's own wording.
        target: what the error is about; absent from the body where None.
        details: further ``{"code", "message", ...}`` members; absent where empty.
        headers: extra response headers, e.g. ``{"Retry-After": "6"}``.
        crlf: Compute's pretty-printed form.
        gateway: the front door refused; adds ``x-ms-failure-cause: gateway``.
        body: replaces the usual ``{"error": {...}}`` envelope (Microsoft.Maintenance, Resource Graph, HTML).
        innererror: Compute's ``innererror`` member; absent where None.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        target: str | None = None,
        details: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
        crlf: bool = False,
        gateway: bool = False,
        body: object | None = None,
        innererror: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.details = tuple(details)
        self.headers = dict(headers or {})
        self.crlf = crlf
        self.gateway = gateway
        self.body = body
        self.innererror = innererror

    def response(self) -> Response:
        """The answer this refusal becomes on the wire."""
        headers = dict(self.headers)
        if self.gateway:
            headers["x-ms-failure-cause"] = "gateway"
        if self.body is not None:
            return Response(self.status, self.body, headers, self.crlf)
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.target is not None:
            error["target"] = self.target
        if self.details:
            error["details"] = [dict(detail) for detail in self.details]
        if self.innererror is not None:
            error["innererror"] = dict(self.innererror)
        return Response(self.status, {"error": error}, headers, self.crlf)


class SignInRefusedError(Exception):
    """A sign-in that Entra refuses, by OAuth's error code and its own number.

    Args:
        code: OAuth's, e.g. ``invalid_client``.
        number: Entra's, without ``AADSTS``.
        text: Entra's wording, without ids and time.
        status: HTTP status.
    """

    def __init__(self, code: str, number: int, text: str, *, status: int = 400) -> None:
        super().__init__(text)
        self._code, self._number, self._text, self._status = code, number, text, status

    def response(self, moment: datetime, trace: str, correlation: str) -> Response:
        """The answer this refusal becomes on the wire; the ids are made for it."""
        stamp = f"{moment:%Y-%m-%d %H:%M:%SZ}"
        ends = f"Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"
        body = {
            "error": self._code,
            "error_description": f"AADSTS{self._number}: {self._text} {ends}",
            "error_codes": [self._number],
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
        }
        return Response(self._status, body, {"Cache-Control": "no-store"})
