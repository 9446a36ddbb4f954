"""Long-running operations: their URLs, how long they take, and what polling them answers.

The shapes are those of recorded exchanges of 2024: the poll answers 200 always, ``Retry-After`` comes with the first
InProgress answer only, and the signed URL is about 3 kB long and must be polled verbatim.
"""

import base64
import hashlib
import hmac
import itertools
import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs

from arm_emulator.protocol.http import ArmError, Request, Response
from arm_emulator.protocol.routing import Route

if TYPE_CHECKING:
    from arm_emulator.app import Emulator

Status = Literal["InProgress", "Succeeded", "Failed", "Canceled"]
Kind = Literal["patch", "put", "create", "delete", "power", "assess", "install"]

DURATIONS: Mapping[Kind, tuple[tuple[float, float], ...]] = {
    "patch": ((0.0, 0.6), (0.5, 4.8), (0.9, 10.8), (1.0, 89.0)),
    "put": ((0.0, 0.6), (0.5, 6.9), (0.9, 22.0), (1.0, 614.0)),
    "create": ((0.0, 20.0), (0.5, 79.0), (1.0, 240.0)),
    "delete": ((0.0, 10.0), (0.5, 32.0), (1.0, 120.0)),
    "power": ((0.0, 5.0), (0.5, 32.0), (1.0, 120.0)),
    "assess": ((0.0, 109.0), (1.0, 182.0)),
    "install": ((0.0, 136.0), (1.0, 1226.0)),
}
"""Quantile and seconds, from startTime and endTime of recorded operations. The ends of
``create``, ``delete`` and ``power``, and every lower end, are drawn by hand: only medians and maxima are recorded."""

FIRST_POLL_RETRY_AFTER = (30, 35, 36, 37, 50, 61, 70, 97)
"""Seconds; the values that recorded first InProgress polls carried."""


@dataclass(slots=True)
class Operation:
    """One operation that was started. ``status`` is what the clock had made of it when it was last looked at."""

    id: str
    subscription: str
    location: str
    target_id: str
    api_version: str
    started: datetime
    ends: datetime | None
    """None: never (a fault made it hang)."""
    outcome: Status = "Succeeded"
    """What ``status`` becomes at ``ends``."""
    error: dict[str, Any] | None = None
    output: object | None = None
    status: Status = "InProgress"
    retry_after_sent: bool = False
    namespace: str = "Microsoft.Compute"
    query: str = field(default="", repr=False)
    """The signed query of the Azure-AsyncOperation URL."""

    @property
    def is_over(self) -> bool:
        """Whether it has ended, well or not."""
        return self.status != "InProgress"

    def async_url(self, base_url: str) -> str:
        """The ``Azure-AsyncOperation`` URL."""
        return f"{base_url}{self._path()}?p={_partition(self.subscription)}&{self.query}"

    def location_url(self, base_url: str) -> str:
        """The ``Location`` URL: the same with ``monitor=true``."""
        return f"{base_url}{self._path()}?p={_partition(self.subscription)}&monitor=true&{self.query}"

    def _path(self) -> str:
        region = f"/subscriptions/{self.subscription}/providers/{self.namespace}/locations/{self.location}"
        return f"{region}/operations/{self.id}"


class Operations:
    """All operations of one emulator.

    Args:
        seconds: how long each takes; None draws from the recorded durations.
        draw: the seeded source of the drawn ones.
    """

    def __init__(self, *, seconds: float | None, draw: random.Random) -> None:
        self.seconds = seconds
        self._draw = draw
        self._known: dict[str, Operation] = {}
        self._by_target: dict[str, list[Operation]] = {}
        self._secret = draw.randbytes(32)
        self._certificate = _blob(draw.randbytes(1931))

    def get(self, operation_id: str) -> Operation | None:
        """The operation of a guid, or None."""
        return self._known.get(operation_id.lower())

    def of_target(self, resource_id: str) -> list[Operation]:
        """The operations that still run on a resource, the oldest first."""
        key = resource_id.rstrip("/").lower()
        running = [operation for operation in self._by_target.pop(key, []) if not operation.is_over]
        if running:
            self._by_target[key] = running
        return list(running)

    def __len__(self) -> int:
        return len(self._known)

    def forget(self) -> None:
        """Drop every operation (a reset does)."""
        self._known.clear()
        self._by_target.clear()

    def start(
        self,
        emulator: "Emulator",
        request: Request,
        *,
        location: str,
        target_id: str,
        kind: Kind = "patch",
        seconds: float | None = None,
        on_done: Callable[[Operation], None] | None = None,
        error: dict[str, Any] | None = None,
        output: object | None = None,
    ) -> Operation:
        """Start an operation; its guid is the request's id, as recorded.

        Args:
            emulator: whose clock ends it.
            request: the accepted call.
            location: the region in canonical spelling.
            target_id: the resource it works on.
            kind: whose recorded durations apply.
            seconds: how long it takes; None: ``--lro-seconds``, or drawn. 0 is over at the first poll.
            on_done: called once at its end, by the clock. None: ``properties.provisioningState`` of the target becomes
                Succeeded, Failed or Canceled (the only effect that survives a restart of the emulator).
            error: ``{"code", "message"}``: it ends Failed with this.
            output: what ``properties.output`` and the ``monitor=true`` URL answer at its end; None for an empty body.
        """
        length = seconds if seconds is not None else self.seconds if self.seconds is not None else self._drawn(kind)
        started = emulator.clock.now()
        operation = Operation(
            id=request.request_id,
            subscription=_subscription_of(request.path),
            location=location,
            target_id=target_id,
            api_version=request.api_version,
            started=started,
            ends=started + timedelta(seconds=length),
            outcome="Failed" if error else "Succeeded",
            error=error,
            output=output,
        )
        emulator.faults.bend(operation, request)
        operation.query = self._signed(operation)
        self._known[operation.id] = operation
        self.schedule(emulator, operation, on_done)
        return operation

    def schedule(
        self, emulator: "Emulator", operation: Operation, on_done: Callable[[Operation], None] | None = None
    ) -> None:
        """Have the clock end an operation (again, after a restart)."""
        emulator.keep_operation(operation)
        self._by_target.setdefault(operation.target_id.rstrip("/").lower(), []).append(operation)
        if operation.ends is None:
            return

        def end() -> None:
            if self._known.get(operation.id) is not operation:
                return
            operation.status = operation.outcome
            emulator.keep_operation(operation)
            (on_done or emulator.settle)(operation)

        emulator.clock.call_at(operation.ends, end)

    def restore(self, emulator: "Emulator", operation: Operation) -> None:
        """Take up an operation that a stored state remembers."""
        operation.query = operation.query or self._signed(operation)
        self._known[operation.id] = operation
        if not operation.is_over:
            self.schedule(emulator, operation)

    def _drawn(self, kind: Kind) -> float:
        return quantile(DURATIONS[kind], self._draw.random())

    def _signed(self, operation: Operation) -> str:
        ticks = int(operation.started.timestamp() * 10_000_000) + 621_355_968_000_000_000
        text = f"{operation.id}{ticks}".encode()
        signature = _blob(b"".join(hmac.digest(self._secret + bytes([part]), text, "sha256") for part in range(8)))
        proof = _blob(hmac.digest(self._secret, signature.encode(), "sha256"))
        return f"api-version={operation.api_version}&t={ticks}&c={self._certificate}&s={signature}&h={proof}"


def poll(emulator: "Emulator", request: Request, params: dict[str, str]) -> Response:
    """``GET .../locations/{location}/operations/{operation}``: both the status form and the ``monitor=true`` form.

    Raises:
        ArmError: 404 where no such operation is known in that location, or the signed query is not the one given out.
    """
    operation = emulator.operations.get(params["operation"])
    if operation is None or operation.location != params["location"].lower() or not _is_verbatim(operation, request):
        raise ArmError(404, "NotFound", "The entity was not found in this Azure location.", crlf=True)
    emulator.clock.run_due()
    if request.query.get("monitor", "").lower() == "true":
        return _monitor(emulator, request, operation)
    body: dict[str, Any] = {"startTime": wire_time(operation.started)}
    headers: dict[str, str] = {}
    if operation.is_over and operation.ends is not None:
        body["endTime"] = wire_time(operation.ends)
    elif not operation.retry_after_sent:
        operation.retry_after_sent = True
        headers["Retry-After"] = emulator.retry_after(emulator.random.choice(FIRST_POLL_RETRY_AFTER))
    body["status"] = operation.status
    if operation.is_over and operation.output is not None:
        body["properties"] = {"output": operation.output}
    if operation.is_over and operation.error is not None:
        body["error"] = operation.error
    body["name"] = operation.id
    return Response(200, body, headers, crlf=True)


def _monitor(emulator: "Emulator", request: Request, operation: Operation) -> Response:
    if operation.is_over:
        return Response(200, operation.output, crlf=True)
    headers = {"Location": operation.location_url(request.base_url)}
    if not operation.retry_after_sent:
        operation.retry_after_sent = True
        headers["Retry-After"] = emulator.retry_after(emulator.random.choice(FIRST_POLL_RETRY_AFTER))
    return Response(202, None, headers)


def _is_verbatim(operation: Operation, request: Request) -> bool:
    given, made = parse_qs(request.raw_query), parse_qs(operation.query)
    return all(given.get(name) == made.get(name) for name in ("t", "c", "s", "h"))


def wire_time(moment: datetime) -> str:
    """Compute's spelling of a time: fraction without trailing zeros, ``+00:00``."""
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}+00:00"


def quantile(table: tuple[tuple[float, float], ...], at: float) -> float:
    """The value at a quantile of a table of (quantile, value), growing evenly by ratio between: long tails are thin."""
    for (low, value), (high, following) in itertools.pairwise(table):
        if at <= high:
            return float(value * (following / value) ** ((at - low) / (high - low)))
    return table[-1][1]


def _subscription_of(path: str) -> str:
    segments = path.strip("/").split("/")
    return segments[1] if len(segments) > 1 else ""


def _partition(subscription: str) -> str:
    return str(uuid.UUID(bytes=hashlib.sha256(subscription.lower().encode()).digest()[:16]))


def _blob(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/operations/{operation}",
        poll,
        "Microsoft.Compute/locations/operations/read",
        throttle=("GetOperationResource", "GetOperationSubscriptionMaximum"),
    ),
)
