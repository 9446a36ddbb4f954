"""Bytes to calls and answers to bytes: what a server hands in and gets back. Knows JSON and headers, no provider."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from urllib.parse import parse_qsl, unquote

import msgspec

from arm_emulator.protocol.http import Response

Disposition = Literal["send", "reset", "reset-mid-body", "silence"]

_JSON = "application/json; charset=utf-8"
_FIXED = {
    "Cache-Control": "no-cache",
    "Pragma": "no-cache",
    "Expires": "-1",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Cache": "CONFIG_NOCACHE",
    "Server": "arm-emulator",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request as a server read it."""

    method: str
    target: str
    """Path and query exactly as on the request line."""
    headers: dict[str, str]
    """Keys lower-cased."""
    body: bytes = b""


@dataclass(slots=True)
class Answer:
    """One HTTP response as a server is to write it."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay_s: float = 0.0
    """Real seconds to wait before answering."""
    disposition: Disposition = "send"


@dataclass(frozen=True, slots=True)
class Target:
    """A request line's target, taken apart."""

    path: str
    query: dict[str, str]
    raw_query: str


def split_target(target: str) -> Target:
    """Path (decoded, double slashes collapsed) and query (keys lower-cased, the last of a repeated one wins)."""
    raw_path, _, raw_query = target.partition("?")
    path = unquote(raw_path) if "%" in raw_path else raw_path
    while "//" in path:
        path = path.replace("//", "/")
    query = {name.lower(): value for name, value in parse_qsl(raw_query, keep_blank_values=True)} if raw_query else {}
    return Target(path, query, raw_query)


def encode(response: Response, *, head: bool = False) -> tuple[bytes, str]:
    """The body's bytes and content type; ``''`` for an empty body. A HEAD answer has none."""
    body = response.body
    if body is None or head:
        return b"", ""
    if isinstance(body, bytes):
        return body, "application/octet-stream"
    if isinstance(body, str):
        return body.encode(), "text/html" if body.lstrip().startswith("<") else "text/plain; charset=utf-8"
    compact = msgspec.json.encode(body)
    if response.crlf:
        # Newlines inside strings are escaped in JSON, so every bare one is the formatter's.
        return msgspec.json.format(compact, indent=2).replace(b"\n", b"\r\n"), _JSON
    return compact, _JSON


def common_headers(request_id: str, correlation_id: str, region: str, now: datetime) -> dict[str, str]:
    """The headers that every answer of Azure Resource Manager carries."""
    return {
        **_FIXED,
        "x-ms-request-id": request_id,
        "x-ms-correlation-request-id": correlation_id,
        "x-ms-routing-request-id": f"{region}:{now:%Y%m%dT%H%M%SZ}:{correlation_id}",
        "Date": _http_date(now),
    }


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _http_date(now: datetime) -> str:
    # strftime would follow the process's locale.
    day, month = _DAYS[now.weekday()], _MONTHS[now.month - 1]
    return f"{day}, {now.day:02d} {month} {now.year} {now:%H:%M:%S} GMT"


def new_id() -> str:
    """A fresh guid for a request."""
    return str(uuid.uuid4())
