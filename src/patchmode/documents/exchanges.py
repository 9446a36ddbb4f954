"""Scrubbed exchanges as the JSON of recorded ones, which the contract suite replays."""

from collections.abc import Mapping, Sequence

import msgspec

from patchmode.documents.base import Edge
from patchmode.model.exchange import Exchange

NOTES = "Retry-After kept; names, ids and secrets replaced; headers that may identify the sender left out"
"""What a judge of the recording has to know of it; `tests/contract/comparing.py` looks for the first two words."""
_NONE = msgspec.Raw(b"null")


class RequestRow(Edge, frozen=True):
    """What was asked."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: msgspec.Raw
    """JSON; null: there was none."""


class ResponseRow(Edge, frozen=True):
    """What was answered."""

    status: int
    headers: Mapping[str, str]
    body: msgspec.Raw
    """JSON; null: there was none."""


class ExchangeRow(Edge, frozen=True):
    """One exchange, as every recording has it."""

    source: str
    """What was recorded, and after `#` where in it this stands, from 0."""
    notes: str
    request: RequestRow
    response: ResponseRow


def exchange_rows(exchanges: Sequence[Exchange], source: str) -> tuple[ExchangeRow, ...]:
    """The rows of a session.

    Args:
        exchanges: scrubbed, in the order of their answers; each body is JSON or empty.
        source: what they were recorded from: a program and its version, never whose machine it was.
    """
    return tuple(_row(exchange, f"{source}#{position}") for position, exchange in enumerate(exchanges))


def _row(exchange: Exchange, source: str) -> ExchangeRow:
    return ExchangeRow(
        source=source,
        notes=NOTES,
        request=RequestRow(
            method=exchange.method,
            url=exchange.url,
            headers=exchange.request_headers,
            body=_json(exchange.request_body),
        ),
        response=ResponseRow(
            status=exchange.status,
            headers=exchange.response_headers,
            body=_json(exchange.response_body),
        ),
    )


def _json(body: bytes) -> msgspec.Raw:
    return msgspec.Raw(body) if body else _NONE
