"""Answers: a page, or the one shape in which an error is told.

To whoever asks for HTML an error is a page. To everybody else it is JSON, always of this shape:

    {"error": {"code": "RunBusy", "message": "what was attempted and what happened", "advice": "what to do next"}}

Must not: hide what an error says.
"""

import logging
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from patchmode.console.rendering import render
from patchmode.console.state import KEY, Console
from patchmode.errors import (
    CloudError,
    EmptyScopeError,
    ForbiddenError,
    MaybeAppliedError,
    NotSentError,
    PatchmodeError,
    RefusedError,
    RequestError,
    RunBusyError,
    SignInError,
    UsageError,
)
from patchmode.model.plain_text import json_escaped
from patchmode.model.target import Target, labels

_log = logging.getLogger(__name__)
_STATUS: tuple[tuple[type[PatchmodeError], HTTPStatus], ...] = (
    (UsageError, HTTPStatus.BAD_REQUEST),
    (EmptyScopeError, HTTPStatus.NOT_FOUND),
    (RefusedError, HTTPStatus.CONFLICT),
    (RunBusyError, HTTPStatus.CONFLICT),
    (SignInError, HTTPStatus.BAD_GATEWAY),
    (ForbiddenError, HTTPStatus.BAD_GATEWAY),
    (MaybeAppliedError, HTTPStatus.GATEWAY_TIMEOUT),
    (NotSentError, HTTPStatus.GATEWAY_TIMEOUT),
    (RequestError, HTTPStatus.BAD_GATEWAY),
    (CloudError, HTTPStatus.BAD_GATEWAY),
)
_TITLES = {
    HTTPStatus.BAD_REQUEST: "This cannot be done as asked",
    HTTPStatus.CONFLICT: "Refused",
    HTTPStatus.BAD_GATEWAY: "Azure refused or failed",
    HTTPStatus.GATEWAY_TIMEOUT: "Azure did not answer",
    HTTPStatus.INTERNAL_SERVER_ERROR: "This page failed",
}
_AGAIN = "Open the page again. `patchmode doctor` checks the sign-in, the network and the permissions."

_ADVICE = {
    HTTPStatus.NOT_FOUND: "Use one of the pages above.",
    HTTPStatus.METHOD_NOT_ALLOWED: "Use one of the pages above.",
    HTTPStatus.FORBIDDEN: "Open the address that the terminal shows.",
}


def page(
    request: web.Request, template: str, *, status: int = HTTPStatus.OK, target: Target | None = None, **values: Any
) -> web.Response:
    """A page in the frame that all pages share.

    Args:
        request: as it came.
        template: its name.
        status: of the answer.
        target: of a plan or run, whose names tell a subscription that is not among those read with the fleet.
        values: of this page alone.
    """
    console = request.app[KEY]
    loaded = console.fleet.value
    called = dict(labels(target.names)) if target else {}
    called |= loaded.fleet.subscriptions if loaded else {}
    everywhere = {
        "called": lambda subscription_id: called.get(subscription_id.lower(), subscription_id),
        "here": request.path,
        "fleet": loaded.fleet if loaded else None,
        "loading": console.fleet,
        "now": console.rooms.clock.now(),
        "allow_writes": console.options.allow_writes,
        "around": console.options.brakes,
        "operation": console.operations.current,
    }
    text = render(console.templates, template, {**everywhere, **values})
    return web.Response(text=text, content_type="text/html", status=status)


def json_answer(value: Any, *, status: int = HTTPStatus.OK) -> web.Response:
    """A JSON answer."""
    body = json_escaped(msgspec.json.encode(value).decode()).encode()
    return web.Response(body=body, content_type="application/json", status=status)


def see(location: str) -> web.Response:
    """Go on with a GET, so that a reload never sends a form again.

    Raises:
        UsageError: somebody put a line break into the address, which would begin a header of its own.
    """
    if not location.isprintable():
        raise UsageError("The address of the next page has a line break in it.", advice="Use one of the pages above.")
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": location})


def attached(body: bytes, name: str, kind: str = "application/json") -> web.Response:
    """A file that the browser saves."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return web.Response(body=body, content_type=kind, headers=headers, status=HTTPStatus.OK)


def wants_page(request: web.Request) -> bool:
    """Whether a browser asks, and not a program."""
    return "text/html" in request.headers.get("Accept", "")


def fault(request: web.Request, code: str, message: str, advice: str, status: int) -> web.Response:
    """An error as a page or as JSON, whichever the request asks for."""
    if not wants_page(request):
        return json_answer({"error": {"code": code, "message": message, "advice": advice}}, status=status)
    return page(request, "fault.html", status=status, code=code, message=message, advice=advice, title=_title(status))


def fault_of(request: web.Request, error: PatchmodeError) -> web.Response:
    """What patchmode raised, told whole."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
    code = error.code if isinstance(error, RequestError) else type(error).__name__.removesuffix("Error")
    advice = error.advice or (_AGAIN if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "")
    return fault(request, code, error.message, advice, status)


def http_fault(request: web.Request, error: web.HTTPException) -> web.Response:
    """A page that does not exist, a method that it does not take, a body that is too large."""
    status = HTTPStatus(error.status)
    message = error.text if error.text and not error.text.startswith(f"{error.status}:") else f"{status.phrase}."
    return fault(request, status.name.title().replace("_", ""), message, _ADVICE.get(status, ""), status)


def defect(request: web.Request, error: Exception) -> web.Response:
    """What nobody foresaw; the traceback stands in the terminal."""
    _log.error("%s %s failed", request.method, request.path, exc_info=error)
    message = f"A defect of patchmode stopped this page: {type(error).__name__}."
    advice = "Please report it, with the output of the terminal. Runs are safe: their journals hold how far they are."
    return fault(request, "Defect", message, advice, HTTPStatus.INTERNAL_SERVER_ERROR)


def require_writes(console: Console) -> None:
    """Refuse what changes something where the console was started for reading.

    Raises:
        RefusedError: it was.
    """
    if not console.options.allow_writes:
        raise RefusedError(
            "This console was started for reading only, so nothing can be changed here.",
            advice="Stop it and start it again as: patchmode console --allow-writes",
        )


def _title(status: int) -> str:
    found = HTTPStatus(status)
    return _TITLES.get(found, found.phrase)
