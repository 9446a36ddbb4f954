"""What a connection tells of each request and its answer to whoever wants to keep them.

Must not: tell a token, a cookie or a sign-in. What is told here is still the user's own: it has names, ids and signed
addresses. `rules/scrubbing` makes of it what may be handed on.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from patchmode.model.exchange import Exchange

REQUEST_HEADERS = ("accept", "content-type", "if-match", "if-none-match", "x-ms-client-request-id")
"""What bears on the answer. The others say who asks and from where, or only frame the message."""
_COOKIES = frozenset({"set-cookie", "set-cookie2"})


def exchange_of(request: Any, answer: Any, answered_at: datetime) -> Exchange:
    """A request and its answer, without what signs in.

    Args:
        request: azure-core's, as it leaves: `method`, `url`, `headers`, `content`.
        answer: azure-core's, read to its end: `status_code`, `headers`, `content`.
        answered_at: aware, UTC.
    """
    sent = _in_lower_case(request.headers)
    answered = _in_lower_case(answer.headers)
    return Exchange(
        method=request.method,
        url=request.url,
        request_headers={name: sent[name] for name in REQUEST_HEADERS if name in sent},
        request_body=_bytes_of(request.content),
        status=answer.status_code,
        response_headers={name: value for name, value in answered.items() if name not in _COOKIES},
        response_body=bytes(answer.content or b""),
        answered_at=answered_at,
    )


def _in_lower_case(headers: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers.items():
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return found


def _bytes_of(content: str | bytes | None) -> bytes:
    return content.encode() if isinstance(content, str) else bytes(content or b"")
