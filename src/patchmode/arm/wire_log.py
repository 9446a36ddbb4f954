"""What `--debug` shows: each request and its answer, as az shows them, without anything that opens a door.

Must not: write a token, a password, or a signed address. What is not known to be harmless in an address is left out.
"""

import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from patchmode.model.plain_text import json_escaped

LOG = logging.getLogger("patchmode-wire")
"""Apart from the others, which `-v` shows: bodies are long."""
HIDDEN = "*****"
_PLAIN_PARAMETERS = frozenset({"api-version", "$filter", "$expand", "$top", "$select", "statusonly", "recurse"})
"""Others may be a signature or a paging token: an operation's address carries both."""
_SECRET_HEADERS = re.compile(r"authorization|cookie|token|secret|signature|-key\b", re.IGNORECASE)
_SECRET_MEMBERS = re.compile(
    r"password|secret|token|credential|custom_?data|user_?data|protected_?settings|connection_?string|"
    r"account_?key|access_?key|sas_?uri|signature",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"(?<=Bearer )\S+|(?<=[?&]sig=)[^&\s]+|(?P<word>[\w.-]+)", re.IGNORECASE)
_JWT_BEGINS = "eyj"
"""How every JSON Web Token begins, in lower case: base64 of `{"`."""
_TOKEN_IN_WORDS = re.compile(r"(?<=Bearer )\S{20,}|(?<=[?&]sig=)[^&\s]+|(?<![\w-])eyJ[\w-]{10,}\.[\w.-]{10,}")
"""What can be nothing else: of a message for people everything else is to be told."""
_ADDRESS = re.compile(r"https?://[^\s\"'<>\\]+", re.IGNORECASE)
_LONGEST = 1 << 20
"""A longer body is told by its length: nobody reads a page of a thousand machines here."""


def is_wanted() -> bool:
    """Whether anybody asked for it."""
    return LOG.isEnabledFor(logging.DEBUG)


def members_of(headers: Mapping[str, str]) -> dict[str, Any]:
    """What a log in JSON says of a request beside its text: the id by which its lines belong together.

    Args:
        headers: of the request.
    """
    return {"client_request_id": headers.get("x-ms-client-request-id")}


def log_request(method: str, url: str, headers: Mapping[str, str], body: object) -> None:
    """One request, as it leaves.

    Args:
        method: of HTTP.
        url: whole.
        headers: as they are sent.
        body: JSON values, text or bytes; None: it has none.
    """
    lines = [f"Request URL: '{shown_url(url)}'", f"Request method: '{method}'"]
    lines += ["Request headers:", *_header_lines(headers), "Request body:"]
    _log([*lines, "This request has no body" if body is None else shown_body(body)], headers)


def log_answer(status: int, headers: Mapping[str, str], body: bytes, *, asked: Mapping[str, str]) -> None:
    """Its answer; `asked`: the headers of the request."""
    lines = [f"Response status: {status}", "Response headers:", *_header_lines(headers), "Response content:"]
    _log([*lines, shown_body(body) if body else "(empty)"], asked)


def _log(lines: Iterable[str], asked: Mapping[str, str]) -> None:
    for line in lines:
        LOG.debug("%s", line, extra={"members": members_of(asked)})


def _header_lines(headers: Mapping[str, str]) -> Iterator[str]:
    for name, value in headers.items():
        yield f"    '{name}': '{HIDDEN if _SECRET_HEADERS.search(name) else _without_secrets(value)}'"


def shown_url(url: str) -> str:
    """An address whose parameters are hidden unless they are known to be harmless."""
    try:
        parts = urlsplit(url)
        given = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return HIDDEN
    told = "&".join(
        f"{quote(name, safe='$-')}={quote(value, safe='') if name.casefold() in _PLAIN_PARAMETERS else HIDDEN}"
        for name, value in given
    )
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, told, ""))


def shown_body(body: object) -> str:
    """A body as JSON in lines; what is no JSON, or very long, by its length."""
    if not isinstance(body, bytes | str):
        return _laid_out(body) or "(not shown: it is nested too deeply)"
    if len(body) > _LONGEST:
        return f"({len(body):,} characters)"
    try:
        told = _laid_out(json.loads(body))
    except (ValueError, RecursionError):
        told = None
    return told or f"({len(body):,} characters that are not JSON)"


def _laid_out(values: object) -> str | None:
    try:
        return json_escaped(json.dumps(_cleaned(values), indent=2, ensure_ascii=False, default=str))
    except (ValueError, RecursionError):
        return None


def _cleaned(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            str(name): HIDDEN if _SECRET_MEMBERS.search(str(name)) and _holds_text(one) else _cleaned(one)
            for name, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [_cleaned(one) for one in value]
    return _without_secrets(value) if isinstance(value, str) else value


def _holds_text(value: Any) -> bool:
    """Numbers, truth values and absence tell nothing secret, and a reader may need them."""
    return not (value is None or isinstance(value, bool | int | float))


def without_tokens(text: str) -> str:
    """A message of a service without the tokens and signatures that it repeats; its names and addresses stay."""
    return _TOKEN_IN_WORDS.sub(HIDDEN, text)


def _without_secrets(text: str) -> str:
    whole = _ADDRESS.sub(lambda found: shown_url(found[0]) if "?" in found[0] else found[0], text)
    return _TOKEN.sub(_without_token, whole)


def _without_token(found: re.Match[str]) -> str:
    word = found["word"]
    if word is None:
        return HIDDEN
    at = word.lower().find(_JWT_BEGINS)
    is_token = at >= 0 and "." in word[at:]
    return word[:at] + HIDDEN if is_token else word
