"""Carries a fault's action out around one call: before it, instead of its answer, or on the answer's way back."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from arm_emulator.faults import Action, Meanwhile, Modification
from arm_emulator.protocol.http import Response
from arm_emulator.protocol.paging import Snapshots
from arm_emulator.protocol.wire import Answer
from arm_emulator.providers.resource_graph.index import GraphIndex

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud


def disturbed(
    cloud: "Cloud",
    action: Action,
    *,
    path: str,
    request_id: str,
    proper: Callable[[], Answer],
    written: Callable[[Response], Answer],
) -> Answer:
    """The answer to a call that a fault struck.

    Args:
        cloud: whom the action changes.
        action: what happens.
        path: the call's, decoded.
        request_id: the call's.
        proper: handles the call as if nothing were wrong; called unless the action hides the call from the provider.
        written: puts the common headers on a made-up response.
    """
    _before(cloud, action, path, request_id)
    is_hidden = action.respond is not None or action.reset == "connection" or action.silence
    answer = proper() if action.commit or not is_hidden else Answer(0)
    if action.respond is not None:
        given = action.respond
        body = given.html if given.html is not None else given.json
        answer = written(Response(given.status, body, dict(given.headers)))
    if action.silence:
        answer.disposition = "silence"
    elif action.reset is not None:
        answer.disposition = "reset" if action.reset == "connection" else "reset-mid-body"
    answer.delay_s = action.delay_seconds
    return answer


def modified(body: bytes, operations: Sequence[Modification]) -> bytes:
    """The body of a call as a policy with the modify effect leaves it; as it is where it is not a JSON object.

    Args:
        body: as it arrived.
        operations: carried out in order; empty: nothing is done.
    """
    if not operations:
        return body
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body
    if not isinstance(document, dict):
        return body
    for one in operations:
        _modify(document, one)
    return msgspec.json.encode(document)


def _modify(document: dict[str, Any], one: Modification) -> None:
    *above, last = one.field.split(".")
    place = document
    for name in above:
        below = place.get(name)
        if not isinstance(below, dict):
            if one.operation == "remove":
                return
            below = place[name] = {}
        place = below
    if one.operation == "remove":
        place.pop(last, None)
    else:
        place[last] = one.value


def _before(cloud: "Cloud", action: Action, path: str, request_id: str) -> None:
    if action.expire_tokens:
        cloud.tokens.expire_all()
    if action.throttle_storm:
        cloud.throttle.drain()
    if action.stale_graph_seconds is not None:
        cloud.parts[GraphIndex].lag_s = action.stale_graph_seconds
    if action.operation is not None:
        cloud.faults.will_bend(request_id, action.operation)
    if action.disable_subscription:
        segments = path.strip("/").split("/")
        found = cloud.directory.subscription(segments[1]) if len(segments) > 1 else None
        if found is not None:
            found.state = "Disabled"
    if action.meanwhile is not None:
        _meanwhile(cloud, action.meanwhile)
    if action.shift_pages:
        cloud.parts[Snapshots].shift(action.shift_pages)


def _meanwhile(cloud: "Cloud", done: Meanwhile) -> None:
    for document in done.put:
        cloud.state.load(document)
    for resource_id in done.delete:
        cloud.state.delete(resource_id)
