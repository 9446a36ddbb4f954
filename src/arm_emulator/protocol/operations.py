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
from typing import Any, Literal, Protocol

from arm_emulator.clock import Clock
from arm_emulator.protocol.http import Request
from arm_emulator.state import State

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


_APART = frozenset({"Microsoft.HybridCompute"})
"""Namespaces whose status and result have a path each (recorded in 2024)."""


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
        if self.namespace in _APART:
            return f"{base_url}{self._path('operationstatus')}?{self.query}"
        return f"{base_url}{self._path('operations')}?p={_partition(self.subscription)}&{self.query}"

    def location_url(self, base_url: str) -> str:
        """The ``Location`` URL: the same with ``monitor=true``, or of a path of its own."""
        if self.namespace in _APART:
            return f"{base_url}{self._path('operationresults')}?{self.query}"
        return f"{base_url}{self._path('operations')}?p={_partition(self.subscription)}&monitor=true&{self.query}"

    def _path(self, kind: str) -> str:
        region = f"/subscriptions/{self.subscription}/providers/{self.namespace}/locations/{self.location}"
        return f"{region}/{kind}/{self.id}"


class Around(Protocol):
    """What else an operation meets: faults that bend it, a store that remembers it."""

    def bend(self, operation: Operation, request: Request) -> None:
        """Change how an operation that is being started ends."""

    def keep(self, operation: Operation) -> None:
        """Remember an operation beyond this process."""


class Operations:
    """All operations of one emulator.

    Args:
        clock: ends them.
        state: where their targets are.
        around: what else they meet.
        seconds: how long each takes; None draws from the recorded durations.
        draw: the seeded source of the drawn ones.
    """

    def __init__(
        self, clock: Clock, state: State, around: Around, *, seconds: float | None, draw: random.Random
    ) -> None:
        self._clock = clock
        self._state = state
        self._around = around
        self.seconds = seconds
        self._draw = draw
        self._known: dict[str, Operation] = {}
        self._by_target: dict[str, list[Operation]] = {}
        self._secret = draw.randbytes(32)
        self._certificate = _blob(draw.randbytes(1931))

    def told(self, recorded: float) -> float:
        """How long a client is told to wait, in seconds: as recorded, but no longer than ``--lro-seconds``."""
        return recorded if self.seconds is None else min(recorded, self.seconds)

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
        request: Request,
        *,
        location: str,
        target_id: str,
        kind: Kind = "patch",
        seconds: float | None = None,
        on_done: Callable[[Operation], None] | None = None,
        error: dict[str, Any] | None = None,
        output: object | None = None,
        namespace: str = "Microsoft.Compute",
    ) -> Operation:
        """Start an operation; its guid is the request's id, as recorded.

        Args:
            request: the accepted call.
            location: the region in canonical spelling.
            target_id: the resource it works on.
            kind: whose recorded durations apply.
            seconds: how long it takes; None: ``--lro-seconds``, or drawn. 0 is over at the first poll.
            on_done: called once at its end, by the clock. None: ``properties.provisioningState`` of the target becomes
                Succeeded, Failed or Canceled (the only effect that survives a restart of the emulator).
            error: ``{"code", "message"}``: it ends Failed with this.
            output: what ``properties.output`` and the ``monitor=true`` URL answer at its end; None for an empty body.
            namespace: of the provider, in whose URLs it is polled.
        """
        length = seconds if seconds is not None else self.seconds if self.seconds is not None else self._drawn(kind)
        started = self._clock.now()
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
            namespace=namespace,
        )
        self._around.bend(operation, request)
        operation.query = self._signed(operation)
        self._known[operation.id] = operation
        self.schedule(operation, on_done)
        return operation

    def schedule(self, operation: Operation, on_done: Callable[[Operation], None] | None = None) -> None:
        """Have the clock end an operation (again, after a restart)."""
        self._around.keep(operation)
        self._by_target.setdefault(operation.target_id.rstrip("/").lower(), []).append(operation)
        if operation.ends is None:
            return

        def end() -> None:
            if self._known.get(operation.id) is not operation:
                return
            operation.status = operation.outcome
            self._around.keep(operation)
            (on_done or self.settle)(operation)

        self._clock.call_at(operation.ends, end)

    def restore(self, operation: Operation) -> None:
        """Take up an operation that a stored state remembers."""
        operation.query = operation.query or self._signed(operation)
        self._known[operation.id] = operation
        if not operation.is_over:
            self.schedule(operation)

    def settle(self, operation: Operation) -> None:
        """The default end of an operation: the target's ``provisioningState`` becomes its outcome, or it is gone.

        Operations that a store remembered end here, whatever their provider had planned: a delete must still delete.
        """
        stored = self._state.get(operation.target_id)
        if stored is None:
            return
        if (
            operation.outcome == "Succeeded"
            and stored.document.get("properties", {}).get("provisioningState") == "Deleting"
        ):
            self._state.delete(operation.target_id)
        else:
            document = self._state.with_properties(stored, provisioningState=operation.outcome)
            self._state.put_quietly(stored, document)

    def _drawn(self, kind: Kind) -> float:
        return quantile(DURATIONS[kind], self._draw.random())

    def _signed(self, operation: Operation) -> str:
        ticks = int(operation.started.timestamp() * 10_000_000) + 621_355_968_000_000_000
        text = f"{operation.id}{ticks}".encode()
        signature = _blob(b"".join(hmac.digest(self._secret + bytes([part]), text, "sha256") for part in range(8)))
        proof = _blob(hmac.digest(self._secret, signature.encode(), "sha256"))
        return f"api-version={operation.api_version}&t={ticks}&c={self._certificate}&s={signature}&h={proof}"


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
