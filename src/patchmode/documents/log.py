"""`patchmode/log/v1`: one line of what `--log-format json` writes to standard error."""

from datetime import datetime
from typing import Literal

import msgspec

from patchmode.documents.base import Edge

Level = Literal["debug", "info", "warning", "error"]
Event = Literal["log", "said", "machine", "error", "end"]


class LogDocument(Edge, frozen=True, omit_defaults=True):
    """One line; a member that has nothing to say is left out."""

    format: Literal["patchmode/log/v1"]
    time: datetime
    """In UTC."""
    level: Level
    event: Event
    """`log`: what `-v` and `--debug` add, and warnings of libraries; `said`: what the command says to a person;
    `machine`: the end of one change; `error`: what ended the command; `end`: the last line, with the exit code."""
    logger: str
    """The module that wrote a `log`; else `patchmode`."""
    message: str
    """For people. The words may change; programs read the other members."""
    command: str | None = None
    """Of `end`: the command without its options."""
    exit_code: int | None = None
    """Of `end`."""
    run: str | None = None
    """The run that is carried out; left out before it has begun."""
    machine: str | None = None
    """The resource id of the one machine that the line is about."""
    subscription: str | None = None
    """The id of the one subscription that the line is about."""
    result: str | None = None
    """Of `machine`: as in the run's report."""
    advice: str | None = None
    """What to do next."""
    code: str | None = None
    """Azure's error code, or one of patchmode where Azure named none."""
    status: int | None = None
    """HTTP status."""
    method: str | None = None
    path: str | None = None
    """Of the request, without its parameters."""
    duration_ms: int | None = None
    request_id: str | None = None
    """`x-ms-request-id`, for a support case."""
    correlation_id: str | None = None
    """`x-ms-correlation-request-id`."""
    client_request_id: str | None = None
    """`x-ms-client-request-id`: the same in each line about one request and its answer."""
    exception: str | None = None
    """A traceback: a defect of patchmode or of a library."""


def log_text(document: LogDocument) -> str:
    """The line's JSON, without a line feed."""
    return msgspec.json.encode(document).decode()
