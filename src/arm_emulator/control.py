"""The control plane under ``/_emulator/``: what tests and demonstrations look at and turn. No token is needed.

It is no part of Azure; its calls are left out of the ledger.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from arm_emulator import fleets
from arm_emulator.durations import iso_duration
from arm_emulator.faults import FaultError, faults_from
from arm_emulator.protocol.http import ArmError, Response
from arm_emulator.protocol.wire import Call, Target

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

Handler = Callable[["Cloud", bytes], Response]
Reset = Callable[[dict[str, Any] | None], None]


def answer(cloud: "Cloud", reset: Reset, call: Call, target: Target) -> Response:
    """The answer to a control call; refusals are 400 or 404 in the usual error body.

    Args:
        cloud: what is looked at and turned.
        reset: forgets everything and loads a fleet document; None: the one of the start.
        call: as it arrived.
        target: its URL, taken apart.
    """
    name = target.path.removeprefix("/_emulator").strip("/").lower()
    handlers: Mapping[tuple[str, str], Handler] = {**_HANDLERS, ("POST", "reset"): partial(_reset, reset)}
    handler = handlers.get((call.method, name))
    if handler is None:
        known = ", ".join(f"{method} {path}" for method, path in handlers)
        message = f"The control plane has no {call.method} {target.path}; it has {known}."
        return ArmError(404, "NotFound", message).response()
    try:
        return handler(cloud, call.body)
    except ArmError as error:
        return error.response()


def _state(cloud: "Cloud", _: bytes) -> Response:
    return Response(200, {"resources": [_shown(stored) for stored in cloud.state]})


def _shown(stored: Any) -> dict[str, Any]:
    return stored.document if stored.etag is None else {**stored.document, "etag": f'"{stored.etag}"'}


def _requests(cloud: "Cloud", _: bytes) -> Response:
    return Response(200, cloud.ledger.as_json())


def _faults(cloud: "Cloud", _: bytes) -> Response:
    return Response(200, cloud.faults.as_json())


def _put_faults(cloud: "Cloud", body: bytes) -> Response:
    try:
        cloud.faults.arm(faults_from(body or b"{}"))
    except FaultError as error:
        raise ArmError(400, "InvalidFaults", str(error)) from error
    return Response(200, cloud.faults.as_json())


def _clock(cloud: "Cloud", _: bytes) -> Response:
    return Response(200, {"now": cloud.clock.now().isoformat(), "speed": cloud.clock.speed})


def _post_clock(cloud: "Cloud", body: bytes) -> Response:
    try:
        cloud.clock.advance(_step(cloud, _object(body)))
    except (ValueError, TypeError) as error:
        raise ArmError(400, "InvalidClock", f"The clock was not advanced: {error}") from error
    return _clock(cloud, b"")


def _step(cloud: "Cloud", wanted: dict[str, Any]) -> timedelta:
    if set(wanted) == {"advance"}:
        return iso_duration(wanted["advance"])
    if set(wanted) != {"to"}:
        raise ValueError('the body is {"advance": "PT2H"} or {"to": "2030-01-01T00:00:00Z"}')
    by = _moment(wanted["to"]) - cloud.clock.now()
    # A moment that is just now has passed by microseconds when it is compared.
    return max(by, timedelta(0)) if by > timedelta(seconds=-1) else by


def _reset(reset: Reset, cloud: "Cloud", body: bytes) -> Response:
    try:
        reset(_object(body) or None)
    except fleets.FleetError as error:
        raise ArmError(400, "InvalidFleet", str(error)) from error
    return Response(200, {"resources": len(cloud.state), "subscriptions": len(cloud.directory.subscriptions)})


def _object(body: bytes) -> dict[str, Any]:
    try:
        decoded = msgspec.json.decode(body.strip() or b"{}")
    except msgspec.DecodeError as error:
        raise ArmError(400, "InvalidRequestContent", f"The body is not JSON: {error}") from error
    if not isinstance(decoded, dict):
        raise ArmError(400, "InvalidRequestContent", "The body is not a JSON object.")
    return decoded


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


_HANDLERS: Mapping[tuple[str, str], Handler] = {
    ("GET", "state"): _state,
    ("GET", "requests"): _requests,
    ("GET", "faults"): _faults,
    ("PUT", "faults"): _put_faults,
    ("GET", "clock"): _clock,
    ("POST", "clock"): _post_clock,
}
