"""Errors in every shape that Azure uses, read leniently and turned into the tree of `patchmode.errors`.

Must not: retry, log, or guess a code: where an answer carries none, the code is ours and says what was seen.

Source: recorded error answers: `{"error": …}`, the same capitalised (`{"Error": {"Code", "Message"}}`, as
Microsoft.Maintenance has it), a bare `{"Message": …}`, XML, HTML pages of a gateway, an empty body; `details` and
`innererror` at any depth; and Compute's 429, whose code is `OperationNotAllowed` and whose inner message is JSON text.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from patchmode.arm.wire import ShapeError, decode
from patchmode.arm.wire_log import without_tokens
from patchmode.errors import (
    OUR_CODES,
    ForbiddenError,
    MaybeAppliedError,
    PreconditionError,
    RejectedError,
    RequestError,
    ThrottledError,
)

_EXCERPT = 200
_POLICIES = 4
"""So many policies are named at most."""
_LOOKED_AT = 64 * 1024
"""Characters of an error answer that are looked at. Recorded ones have 40 kB at most."""
_PAGE = 4 * 1024
"""Characters of a page's text of which words are looked for."""
_MESSAGE = re.compile(r"\s{0,80}<Message>([^<]{0,4000})</Message>", re.IGNORECASE)
_SECONDS = re.compile(
    r"(?:try again (?:after|in)|retry after)\s{0,4}'?([0-9]{1,12}(?:\.[0-9]{1,9})?)'?\s{0,4}seconds?", re.IGNORECASE
)
_CONCURRENT_CODES = frozenset({"conflictingconcurrentwritenotallowed", "retryableerror", "anotheroperationinprogress"})
_CONCURRENT_TEXTS = ("concurrent request", "conflicting concurrent write")


class Attempt(NamedTuple):
    """What was asked of the service, as an error names it."""

    method: str
    resource: str
    """An id or a path, without the query."""
    is_read: bool
    """Nothing can have been changed by it, whatever became of it."""
    is_repeatable: bool = False
    """A write that leaves the same behind however often it arrives."""

    def __str__(self) -> str:
        return f"{self.method} {self.resource}"


@dataclass(frozen=True, slots=True)
class ServiceFault:
    """What an error answer says, from whatever shape."""

    code: str
    """Azure's code as written; where there is none `NoErrorBody`, `GatewayPage`, `UnreadableBody` or `UnnamedError`."""
    message: str
    target: str | None = None
    codes: tuple[str, ...] = ()
    """Every code in the answer, outermost first, details and inner errors included."""
    targets: tuple[str, ...] = ()
    retry_in_s: float | None = None
    """Seconds that the text names (`Please try again after '6' seconds.`); None: it names none."""

    @property
    def is_concurrent(self) -> bool:
        """Another write on the same resource was under way: this one was refused and may be repeated."""
        lowered = self.message.casefold()
        return self.code.casefold() in _CONCURRENT_CODES or any(text in lowered for text in _CONCURRENT_TEXTS)

    @property
    def is_one_resource(self) -> bool:
        """A throttle that is one machine's own (`UpdateVMResource`), not its subscription's or region's."""
        return any(target.endswith("Resource") for target in self.targets)


def read_fault(body: bytes) -> ServiceFault:
    """Read an error answer.

    Args:
        body: any bytes, also none.

    Returns:
        Always a fault; the message is never empty, and has no token that the service repeats: it is kept and printed.
    """
    fault = _read(body)
    return replace(fault, message=without_tokens(fault.message))


def _read(body: bytes) -> ServiceFault:
    text = body[:_LOOKED_AT].decode("utf-8-sig", "replace").strip()
    if not text:
        return ServiceFault("NoErrorBody", "the answer had no body")
    if text.startswith("<"):
        return _from_markup(text)
    try:
        document = decode(body)
    except ShapeError as error:
        return ServiceFault("UnreadableBody", f"the answer was no error that can be read: {error}")
    except ValueError:
        return ServiceFault(
            "UnreadableBody", f"the answer was not JSON: {_excerpt(text)}", retry_in_s=_seconds_in(text)
        )
    return _from_json(document, text)


def _from_markup(text: str) -> ServiceFault:
    if found := _xml_error(text):
        code, message = found
        return ServiceFault(code, message or code, codes=(code,))
    words = " ".join(_words_of(text))
    return ServiceFault(
        "GatewayPage",
        f"a gateway answered with a page instead of JSON: {_excerpt(words)}",
        retry_in_s=_seconds_in(words),
    )


def _xml_error(text: str) -> tuple[str, str] | None:
    """`<Code>` and `<Message>` of an error in XML; None: it is none."""
    lowered = text.lower()
    begins = lowered.find("<code>") + len("<code>")
    ends = lowered.find("</code>", begins)
    code = text[begins:ends]
    if begins < len("<code>") or ends <= begins or "<" in code:
        return None
    message = _MESSAGE.match(text, ends + len("</code>"))
    return code, message[1].strip() if message else ""


def _words_of(page: str) -> Iterator[str]:
    """The text of a page, without tags, scripts and styles; as much of it as is worth reading.

    By hand and not by an expression: one for whole scripts tries each place where one begins up to the page's end, so
    that a page of 192 kB kept the program busy for 41 s.
    """
    lowered, at, told = page.lower(), 0, 0
    while at >= 0 and told < _PAGE:
        begins = page.find("<", at)
        words = page[at : begins if begins >= 0 else len(page)].split()
        yield from words
        told += sum(map(len, words))
        if begins < 0:
            return
        hidden = next((name for name in ("script", "style") if lowered.startswith(name, begins + 1)), None)
        closes = lowered.find(f"</{hidden}", begins) if hidden else begins
        ends = page.find(">", closes) if closes >= 0 else -1
        at = ends + 1 if ends >= 0 else -1


def _from_json(document: Any, text: str) -> ServiceFault:
    nodes = list(_nodes(document))
    codes = tuple(code for node in nodes if (code := _text(node, "code", "internalErrorCode")))
    messages = [message + _position(node) for node in nodes if (message := _text(node, "message"))]
    if not codes and not messages:
        return ServiceFault("UnnamedError", f"the answer names no error: {_excerpt(text)}")
    return ServiceFault(
        code=codes[0] if codes else "UnnamedError",
        message=_with_policies(_joined(messages) if messages else codes[0], nodes),
        target=next((target for node in nodes if (target := _text(node, "target"))), None),
        codes=codes,
        targets=tuple(target for node in nodes if (target := _text(node, "target"))),
        retry_in_s=_seconds_in(text),
    )


def _nodes(document: Any) -> Iterator[Mapping[str, Any]]:
    """The error objects of an answer, outermost first, whatever their members' casing."""
    if isinstance(document, Mapping):
        yield from _below(_member(document, "error") or document)
    elif isinstance(document, Sequence) and not isinstance(document, str | bytes):
        for entry in document:
            yield from _nodes(entry)


def _below(node: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    if isinstance(node, str):
        yield {"message": node}
        return
    if not isinstance(node, Mapping) or depth > 8:
        return
    yield node
    for name in ("details", "errors"):
        entries = _member(node, name)
        for entry in entries if isinstance(entries, list) else ():
            yield from _below(entry, depth + 1)
    yield from _below(_member(node, "innererror"), depth + 1)


def _member(node: Mapping[str, Any], name: str) -> Any:
    """A member without regard to case; the spelling on the wire is usual, so it is tried first."""
    if name in node:
        return node[name]
    return next((value for key, value in node.items() if isinstance(key, str) and key.casefold() == name), None)


def _text(node: Mapping[str, Any], *names: str) -> str:
    for name in names:
        value = _member(node, name.casefold()) if name.casefold() == name else node.get(name)
        if isinstance(value, str) and value:
            return value
    return ""


def _position(node: Mapping[str, Any]) -> str:
    """Where Resource Graph's parser stopped. Source: recorded `ParserFailure`."""
    line, at, token = (node.get(name) for name in ("line", "characterPositionInLine", "token"))
    return f" (line {line}, position {at}, at {token!r})" if isinstance(line, int) else ""


def _joined(messages: Sequence[str]) -> str:
    """The outer message with what the details add: Resource Graph says there what is wrong with the query.

    Compute's inner 429 message is JSON text for machines; it is left out where anything else was said.
    """
    wanted = [message for message in dict.fromkeys(messages) if not message.lstrip().startswith("{")]
    return " ".join(wanted[:4]) or messages[0]


def _with_policies(message: str, nodes: Sequence[Mapping[str, Any]]) -> str:
    """The message, and the policies that refused the write, where only its additional members name them.

    Source: Resource Manager's common `ErrorAdditionalInfo`, of type `PolicyViolation`.
    """
    found = dict.fromkeys(names for node in nodes for names in _policies(_member(node, "additionalinfo")))
    new = [names for names in found if not all(name in message for name in names)]
    return " ".join([message, *(f"Policy: {', assigned as '.join(map(repr, names))}." for names in new[:_POLICIES])])


def _policies(entries: Any) -> Iterator[tuple[str, ...]]:
    """The names of each policy that was violated: its definition's, its assignment's."""
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, Mapping) or _text(entry, "type").casefold() != "policyviolation":
            continue
        violation = _member(entry, "info")
        if isinstance(violation, Mapping):
            definition = _text(violation, "policydefinitiondisplayname", "policydefinitionname")
            assignment = _text(violation, "policyassignmentdisplayname", "policyassignmentname")
            if names := tuple(name for name in (definition, assignment) if name):
                yield names


def _seconds_in(text: str) -> float | None:
    found = _SECONDS.search(text[:_LOOKED_AT])
    return float(found[1]) if found else None


def _excerpt(text: str) -> str:
    flat = " ".join(text[: 8 * _EXCERPT].split())
    return flat if len(flat) <= _EXCERPT else flat[:_EXCERPT] + "…"


READ_AGAIN = "The change may have been applied: read the machine again before deciding."
RUN_AGAIN = "The change may have been applied: it is safe to run this again."
_ADVICE = {
    400: "Retrying will not help. Correct the value named in the message.",
    401: "Sign in again (az login), or check that the credential belongs to this cloud and tenant.",
    403: "Have the missing action granted at this scope (`patchmode doctor` lists what is missing).",
    408: "Try again later.",
    409: "Look in the machine's activity log for the operation that blocks this one, then run this again.",
    412: "The machine changed since it was read: make a new plan.",
    429: "Wait a few minutes and run this again; other clients may be spending the same limits.",
}
_AFTER_LOST = frozenset({409, 412, 429})
_MISSING = "Check the id; the {} may have been deleted or moved since it was listed."
_MISSED_BY_PATH = (
    (r"/configurationassignments/[^/]+/?$", "assignment, or what it is on,"),
    (r"/maintenanceconfigurations/[^/]+/?$", "maintenance configuration"),
    (r"/(?:virtualmachines|microsoft\.hybridcompute/machines)/[^/]+(?:/|$)", "machine"),
    (r"^/subscriptions/[^/]+/resourcegroups/[^/]+(?:/?$|/providers/[^/]+/[^/]+/?$)", "resource group"),
)
"""The end of a path, or what is above it, and what a 404 there may be about."""
_ADVICE_BY_CODE = {
    "scopelocked": "Remove the ReadOnly lock that the message names, or take the machine out of scope.",
    "missingsubscriptionregistration": "Register the resource provider that the message names in this subscription.",
    "requestdisallowedbypolicy": "A deny policy refuses this write: ask its owner for an exemption.",
    "readonlydisabledsubscription": "The subscription is disabled and can only be read: have it enabled again first.",
    "unsupportedresourceoperation": "Where the message names a prerequisite, set Customer Managed Schedules on the "
    "machine first (`patchmode apply`); otherwise see whether the configuration's maintenanceScope is InGuestPatch.",
    "propertychangenotallowed": "The service does not allow this property to change on an existing machine.",
}


def rejection(
    attempt: Attempt,
    status: int,
    fault: ServiceFault,
    headers: Mapping[str, str],
    *,
    lost_before: bool = False,
    held: str = "",
) -> RequestError:
    """The error for an answer that is no success.

    Args:
        attempt: what was asked.
        status: HTTP status of the last answer.
        fault: what that answer says.
        headers: its headers.
        lost_before: an earlier attempt of the same write ended without a usable answer, so a 412 may be our own doing,
            a 409 its own shadow, and a 429 says nothing of it.
        held: why it was not waited for any longer, where the service asked to come later; empty: it did not.

    Returns:
        `MaybeAppliedError` for a write that the service may have carried out: any 5xx, a 408, and a 409, 412 or 429
        after a lost answer. 503 is among them although it is safe to repeat, because a recorded 503 is `ServerTimeout`:
        received, then given up.
    """
    is_lost = not attempt.is_read and (status >= 500 or status == 408 or (status in _AFTER_LOST and lost_before))
    kind: type[RequestError] = MaybeAppliedError if is_lost else _kind_of(status)
    told = _advice(attempt, status, fault)
    said = f"{fault.message.rstrip('.')}. {held}." if held else fault.message
    # A code of ours after the number would read as if the service had sent it.
    answer = f"{status}" if fault.code in OUR_CODES else f"{status} {fault.code}"
    return kind(
        f"{attempt} was answered {answer}: {said}",
        code=fault.code,
        status=status,
        target=fault.target,
        request_id=headers.get("x-ms-request-id"),
        correlation_id=headers.get("x-ms-correlation-request-id"),
        advice=lost_advice(attempt) if is_lost else HELD if held else told,
    )


def _kind_of(status: int) -> type[RejectedError]:
    kinds = {401: ForbiddenError, 403: ForbiddenError, 412: PreconditionError, 429: ThrottledError}
    return kinds.get(status, RejectedError)


def lost_advice(attempt: Attempt) -> str:
    """What to do about a write of which nobody knows whether it arrived."""
    return RUN_AGAIN if attempt.is_repeatable else READ_AGAIN


HELD = (
    "Nothing was changed. Try it again later, or let it wait longer with --throttle-patience: other clients may be "
    "spending the same limits."
)
"""What to do about a request that Azure held back for longer than the patience."""


def _advice(attempt: Attempt, status: int, fault: ServiceFault) -> str:
    if status >= 500:
        return "The service reports an internal error. Try again later."
    known = _ADVICE_BY_CODE.get(fault.code.casefold())
    if known is None and status == 404:
        return _advice_on_missing(attempt, fault)
    return known or _ADVICE.get(status, "")


def _advice_on_missing(attempt: Attempt, fault: ServiceFault) -> str:
    """What a 404 may mean, by what was asked for; Azure says so itself where a resource group above it is missing."""
    path = attempt.resource.casefold()
    if fault.code.casefold() == "resourcegroupnotfound":
        return _MISSING.format("resource group")
    if fault.code.casefold() == "subscriptionnotfound":
        return "Check the subscription's id, and that you have a role in it."
    what = next((words for mark, words in _MISSED_BY_PATH if re.search(mark, path)), "resource")
    return _MISSING.format(what)
