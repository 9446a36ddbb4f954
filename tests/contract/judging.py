"""Judges a case: replays it and says where the emulator's answers differ from the recorded ones."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from tests.contract.cases import Case, cases
from tests.contract.comparing import Answer, differences
from tests.contract.recordings import Exchange
from tests.contract.replay import Replay

from arm_emulator.profile import Profile
from arm_emulator.protocol.operations import Operation

_GUID = re.compile(r"/operation(?:s|status)/([0-9a-f-]{36})", re.IGNORECASE)
_ANY_SERVER = "/resourceGroups/judge/providers/Microsoft.HybridCompute/machines/judge"
_SEED_HIDES = ("header azure-asyncoperation", "header azure-asyncnotification")
"""Where a write starts from its own answer nothing is left to change: whether it needs an operation cannot be seen."""
_ANY_MACHINE = "/resourceGroups/judge/providers/Microsoft.Compute/virtualMachines/judge"


@lru_cache(maxsize=32)
def verdicts(group: str) -> dict[str, list[str]]:
    """Every judged case of a group by file name, with its differences; empty where it agrees."""
    return {case.name: judged(case) for case in cases(group) if not case.left_out}


def judged(case: Case, profile: Profile | None = None) -> list[str]:
    """The differences of one case.

    Args:
        case: not one that is left out.
        profile: how the service answered where that is not known to all; None: the emulator's defaults.
    """
    first = case.first
    if first.method == "GET" and _is_poll(first):
        return _polled(first)
    replay = Replay(case.start.documents, first, profile)
    found = differences(first, answer := replay.send(first))
    if case.start.origin == "answer" and first.method in ("PUT", "PATCH"):
        found = [line for line in found if not line.startswith(_SEED_HIDES)]
    if len(case.flow) > 1 and answer.status < 300:
        found += _followed(first, _one_operation(first, case.flow[1:]), replay, answer)
    return [line for line in found if not _is_of_the_image(line)] if first.status == 201 else found


def _is_poll(exchange: Exchange) -> bool:
    return "/operations/" in exchange.path.lower() or "/operationstatus/" in exchange.path.lower()


def _is_of_the_image(line: str) -> bool:
    """A create's model depends on the image, the disks and the policies of a subscription that no recording holds."""
    place = re.sub(r"^\[\d+\] ", "", line)
    return place.startswith(("properties/", "tags", "etag", "header etag"))


def _one_operation(first: Exchange, rest: tuple[Exchange, ...]) -> list[Exchange]:
    """A flow up to where another operation begins: recorders that blank every guid mixed the polls of several.

    What was answered before the flow's first call is no part of it, wherever the file has it.
    """
    kept: list[Exchange] = []
    has_ended = False
    for exchange in rest:
        is_poll = "/operations/" in exchange.path.lower()
        if is_poll and has_ended and not _is_end(exchange):
            break
        if exchange.status < 500 and exchange.is_after(first):
            kept.append(exchange)
            has_ended = has_ended or (is_poll and _is_end(exchange))
    return kept


def _followed(first: Exchange, rest: list[Exchange], replay: Replay, answer: Answer) -> list[str]:
    """The rest of a flow: each recorded poll against ours, the clock moved where the recording saw the end."""
    operation = _operation(replay, answer)
    if operation is not None:
        _end_as_recorded(operation, rest)
    found: list[str] = []
    for at, exchange in enumerate(rest, start=1):
        is_poll = "/operations/" in exchange.path.lower()
        if is_poll and operation is None:
            return [*found, f"[{at}] no operation to poll"]
        if not is_poll or _is_end(exchange):
            replay.finish()
        if not is_poll:
            replay.wait(seconds_after_end([first, *rest[: at - 1]], exchange))
        if is_poll:
            target = answer.headers["location" if "monitor=true" in exchange.url.lower() else "azure-asyncoperation"]
            got = replay.call("GET", target.partition("8443")[2], {}, None)
        else:
            got = replay.send(exchange)
        found.extend(f"[{at}] {line}" for line in differences(exchange, got))
    return found


def seconds_after_end(flow: Sequence[Exchange], exchange: Exchange) -> float:
    """How long after its operation's end a call of a flow came: by its time, else by the waits it was told; >= 0.

    Args:
        flow: the calls before it, from the operation's first on.
        exchange: the call.

    Returns:
        A minute where the recording does not tell when the operation ended.
    """
    ended = [poll.answer for poll in flow if isinstance(poll.answer, dict) and "endTime" in poll.answer]
    if not ended or not isinstance(ended[-1].get("startTime"), str):
        return 60.0
    began, end = (_moment(ended[-1][name]) for name in ("startTime", "endTime"))
    at = exchange.moment
    if at is None:
        waits = (int(call.answer_headers.get("retry-after", "0")) for call in flow)
        at = began + timedelta(seconds=sum(waits))
    return max(0.0, (at - end).total_seconds())


def _moment(text: str) -> datetime:
    """A time of a poll's body, whose fraction has up to seven digits."""
    return datetime.fromisoformat(re.sub(r"\.\d+", "", text))


def _operation(replay: Replay, answer: Answer) -> Operation | None:
    match = _GUID.search(answer.headers.get("azure-asyncoperation", ""))
    return replay.emulator.operations.get(match[1]) if match else None


def _is_end(exchange: Exchange) -> bool:
    if "monitor=true" in exchange.url.lower():
        return exchange.status != 202
    return isinstance(exchange.answer, dict) and exchange.answer.get("status") not in ("InProgress", "Queued")


def _end_as_recorded(operation: Operation, polls: list[Exchange]) -> None:
    """What only the real machine can know (an extension's failure, a patch result) is taken from the recording."""
    for poll in polls:
        body: Any = poll.answer
        if "/operations/" not in poll.path.lower() or not isinstance(body, dict):
            continue
        if body.get("status") in ("Failed", "Canceled") and "error" in body:
            operation.outcome, operation.error = body["status"], body["error"]
        if "monitor=true" in poll.url.lower() and poll.status == 200:
            operation.output = body
        elif "output" in (body.get("properties") or {}):
            operation.output = body["properties"]["output"]


def _polled(exchange: Exchange) -> list[str]:
    """A recorded poll by itself: an operation like it is started, brought to where it stood, and polled the "
    "same way."""
    subscription = "/".join(exchange.path.split("/")[:3])
    location = exchange.path.split("/")[6]
    is_hybrid = "/operationstatus/" in exchange.path.lower()
    machine = {
        "id": subscription + (_ANY_SERVER if is_hybrid else _ANY_MACHINE),
        "location": location,
        "properties": {"provisioningState": "Succeeded"},
    }
    replay = Replay((machine,), exchange)
    version = exchange.api_version or "2024-07-01"
    action = "assessPatches" if is_hybrid else "deallocate"
    started = replay.call("POST", f"{machine['id']}/{action}?api-version={version}", {}, None)
    operation = _operation(replay, started)
    if operation is None:
        return [f"no operation: {started}"]
    if is_hybrid:
        _as_recorded(operation, exchange, replay)
    is_monitor = "monitor=true" in exchange.url.lower() or not _is_status(exchange)
    if is_monitor and exchange.status == 200:
        operation.output = exchange.answer
    _end_as_recorded(operation, [exchange])
    if _is_end(exchange) or (is_monitor and exchange.status == 200):
        replay.finish()
    target = started.headers["location" if is_monitor else "azure-asyncoperation"].partition("8443")[2]
    if "retry-after" not in exchange.answer_headers:
        replay.call("GET", target, {}, None)  # only the first poll names a Retry-After, so this is a later one
    return differences(exchange, replay.call("GET", target, {}, None))


def _as_recorded(operation: Operation, exchange: Exchange, replay: Replay) -> None:
    """Bring an operation of Microsoft.HybridCompute to the moment of a recorded poll, and to its result."""
    operation.output = exchange.answer.get("properties")
    at = exchange.moment
    if at is not None and exchange.answer["status"] != "Succeeded":
        began = datetime.fromisoformat(re.sub(r"\.\d+", "", exchange.answer["startTime"]))
        replay.wait((at - began).total_seconds())


def _is_status(exchange: Exchange) -> bool:
    return isinstance(exchange.answer, dict) and "status" in exchange.answer and "name" in exchange.answer
