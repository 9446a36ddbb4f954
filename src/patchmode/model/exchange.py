"""One request and its answer, as they went over the wire."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Exchange:
    """One try of a request that was answered; a retry is an exchange of its own.

    It tells whose machines these are: `rules/scrubbing` makes one of it that does not.
    """

    method: str
    url: str
    """Whole, as it was sent."""
    request_headers: Mapping[str, str]
    """Names in lower case; those that bear on the answer, and never one that signs in."""
    request_body: bytes
    """Empty: none."""
    status: int
    response_headers: Mapping[str, str]
    """Names in lower case; a repeated one joined by commas."""
    response_body: bytes
    """Decompressed. Empty: none."""
    answered_at: datetime
    """Aware, UTC, by the clock of the connection."""
