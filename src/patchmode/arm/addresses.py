"""Addresses that a service names: next links, operations. Whether one may be followed, and what to call it.

Must not: change an address. Recorded next links and operation URLs do not survive being normalised.
"""

import re
from urllib.parse import urlsplit

_PRINTABLE = re.compile(r"[\x21-\x7e]+")


def origin(url: str) -> tuple[str, str | None, int]:
    """Scheme, host and port of a URL, the default port filled in.

    Returns:
        What no endpoint has where it is no URL: an empty scheme, or port 0 for a port that is none.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", None, 0
    try:
        port = parts.port or 443
    except ValueError:
        port = 0
    return parts.scheme, parts.hostname, port


def is_below(url: str, endpoint: str) -> bool:
    """Whether a URL may be asked on a connection to this endpoint, whose token would go with it.

    Args:
        url: as a service or a file names it. Spaces, line ends and what is not ASCII stand in no URL: sent as they are
            they would end the request's first line.
        endpoint: an https URL without a trailing slash.
    """
    return _PRINTABLE.fullmatch(url) is not None and (url.startswith(f"{endpoint}/") or origin(url) == origin(endpoint))


def path_of(url: str) -> str:
    """The path of a URL, for messages; the beginning of the text where it is none."""
    try:
        return urlsplit(url).path
    except ValueError:
        return url[:80]


def host_of(url: str) -> str:
    """The host and port of a URL, for messages; the beginning of the text where it names none."""
    try:
        named = urlsplit(url).netloc
    except ValueError:
        named = ""
    return named or url[:80]
