"""A live check against an emulator in this process: no socket, and a clock that moves only when somebody waits."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from tests.properties.within import HOST, TARGET, WithinProcess
from tests.unit.workflow.fleet_double import vm

from arm_emulator.app import Emulator
from arm_emulator.clock import Clock
from arm_emulator.profile import Profile
from arm_emulator.protocol import wire
from arm_emulator.protocol.http import Response
from arm_emulator.protocol.throttle import Limits
from patchmode.arm.authorization import Directory
from patchmode.arm.failures import read_fault, rejection
from patchmode.arm.governor import Cost, Identities
from patchmode.arm.machines import MachineReader, Writer
from patchmode.arm.maintenance import MaintenanceReader
from patchmode.arm.pipeline import Order
from patchmode.arm.probing import SingleRequests
from patchmode.arm.resource_graph import ResourceGraph
from patchmode.model.live_check import TAG, TAG_VALUE, LiveCheckReport
from patchmode.model.resource_id import ResourceId
from patchmode.ports.live_check import Begun, ProbingAzure
from patchmode.store.live_checks import LiveCheckStore
from patchmode.workflow.live_check.preparing import surrounded
from patchmode.workflow.live_check.running import LiveCheck, Patience, carried_out

START = datetime(2030, 1, 31, 22, 0, tzinfo=UTC)
SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/web"
OPERATION_S = 2.0
RETRY_AFTER_S = 37
PATIENCE = Patience(records_s=10.0)


class KilledError(BaseException):
    """The process is gone: nothing of it runs any more."""


class PushedClock:
    """Time for both sides; a wait moves it on."""

    def __init__(self) -> None:
        self.elapsed = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    async def sleep(self, seconds: float) -> None:
        self.elapsed += seconds


class Wire(WithinProcess):
    """The product's requests, with refusals, preconditions and a death at a chosen write."""

    def __init__(self, emulator: Emulator) -> None:
        super().__init__(emulator)
        self.writes_left: int | None = None
        """Writes until the process dies; None: it lives."""
        self.dies_after = False
        """Whether the last write still reaches the service."""
        self.dies_at = ""
        """A part of an address: the process dies once a write to such a one has reached the service; empty: of none."""
        self.throttled_at: int | None = None
        """Of which write the first try is answered 429; None: of none."""
        self.is_unattended: Callable[[], bool] = lambda: False
        self.was_unattended = False
        """Whether the machine was left to Azure's own patching at any moment."""
        self.sent: Counter[str] = Counter()

    def _handled(self, method: str, url: str, body: object, etag: str | None) -> Response:
        self.sent[method] += 1
        self._emulator.clock.run_due()
        is_write = method not in {"GET", "POST"}
        if is_write and self.writes_left is not None:
            self.writes_left -= 1
            if self.writes_left < 0 and not self.dies_after:
                raise KilledError
        response = self.answered(method, url, body, {} if etag is None else {"if-match": etag})
        self.was_unattended = self.was_unattended or self.is_unattended()
        is_over = self.writes_left is not None and self.writes_left < 0
        if is_write and (is_over or (self.dies_at and self.dies_at in url)):
            raise KilledError
        return response

    async def _send(
        self,
        order: Order,
        url: str,
        *,
        body: object = None,
        etag: str | None = None,
        shape: Any = Any,
        may_be_empty: bool = True,
    ) -> Any:
        response = self._handled(order.attempt.method, url, body, etag)
        if not 200 <= response.status < 300:
            content = wire.encode(response)[0]
            raise rejection(order.attempt, response.status, read_fault(content), response.headers)
        return self.read(response, shape)

    async def once(
        self,
        method: str,
        url: str,
        spend: Cost,
        *,
        body: Mapping[str, Any] | None = None,
        etag: str | None = None,
        is_read: bool,
    ) -> Any:
        if not is_read and self.throttled_at is not None:
            self.throttled_at -= 1
            if self.throttled_at == 0:
                content = json.dumps({"error": {"code": "OperationNotAllowed", "message": "Too many requests."}})
                headers = {"Retry-After": f"{RETRY_AFTER_S}"}
                return SimpleNamespace(status_code=429, headers=headers, content=content.encode())
        response = self._handled(method, url, body, etag)
        return SimpleNamespace(status_code=response.status, headers=response.headers, content=wire.encode(response)[0])


@dataclass
class Watching:
    """What whoever watches is told."""

    lines: list[str] = field(default_factory=list)

    def begins(self, experiment: Any, number: int, total: int) -> None:
        self.lines.append(f"{number}/{total} {experiment.name}")

    def ended(self, result: Any) -> None:
        self.lines.append(f"{result.name}: {result.outcome}")

    def remarked(self, text: str) -> None:
        self.lines.append(text)


def throw_away(**settings: Any) -> dict[str, Any]:
    """A machine that carries the tag."""
    document = vm("web", **settings)
    document["tags"] = {"owner": "web", TAG: TAG_VALUE}
    return document


def cloud(
    *resources: dict[str, Any], profile: Profile | None = None, **subscription: Any
) -> tuple[Emulator, PushedClock]:
    """An emulator with these resources, and the clock that both sides go by."""
    clock = PushedClock()
    fleet = {
        "subscriptions": [
            {
                "subscriptionId": SUBSCRIPTION,
                "displayName": "Prod",
                "tenantId": "99999999-9999-9999-9999-999999999999",
                **subscription,
            }
        ],
        "resources": list(resources),
    }
    emulator = Emulator(
        clock=Clock(START, monotonic=clock.monotonic),
        profile=profile,
        limits=Limits(is_off=True),
        lro_seconds=OPERATION_S,
        fleet=fleet,
    )
    return emulator, clock


class Bench:
    """One machine, its emulator and a state folder: checks can be run, killed, taken up and undone."""

    def __init__(self, emulator: Emulator, clock: PushedClock, folder: Path, machine: str) -> None:
        self.emulator, self.clock = emulator, clock
        self.store = LiveCheckStore(folder)
        self.machine = ResourceId.parse(machine)
        self.watching = Watching()
        self.wire = Wire(emulator)
        self.before = self.shown()
        self.wire.is_unattended = self.unattended

    def shown(self) -> dict[str, Any]:
        """Every stored document but for the etag, which counts writes; the machine's as a GET shows it."""
        stored = {one.key: one.document for one in self.emulator.state}
        response = self.wire.answered("GET", f"{HOST}{self.machine}?api-version=2024-07-01", None, {})
        document = json.loads(wire.encode(response)[0])
        return {**stored, self.machine.key: {**document, "etag": None}}

    def unattended(self) -> bool:
        """Whether Azure itself patches the machine now."""
        document = self.emulator.state.get(str(self.machine))
        if document is None:
            return False
        for system in ("windowsConfiguration", "linuxConfiguration"):
            block = ((document.document["properties"].get("osProfile") or {}).get(system) or {}).get("patchSettings")
            settings = block or {}
            if str(settings.get("patchMode", "")).lower() == "automaticbyplatform":
                flag = (settings.get("automaticByPlatformSettings") or {}).get(
                    "bypassPlatformSafetyChecksOnUserSchedule"
                )
                return flag is not True
        return False

    @property
    def azure(self) -> ProbingAzure:
        directory = Directory(self.wire, Identities(), dict)
        found = SimpleNamespace(
            graph=ResourceGraph(self.wire, Identities()),
            provider=MachineReader(self.wire),
            maintenance=MaintenanceReader(self.wire),
            authorization=directory,
            target=TARGET,
            writer=Writer(self.wire),
            probe=SingleRequests(self.wire),
            ledger=SimpleNamespace(by_method=lambda: dict(self.wire.sent)),
        )
        return cast("ProbingAzure", found)

    def run(self, *, group: str | None = None, lasting: bool = False) -> LiveCheckReport:
        """Begin, or take up what a death left behind, and go on to the end."""
        return asyncio.run(self._run(group, lasting=lasting))

    async def _run(self, group: str | None, *, lasting: bool) -> LiveCheckReport:
        journal, around = self.store.open_for(self.machine), None
        if journal is None:
            around = await surrounded(self.azure, self.machine, group, clock=self.clock)
            begun = Begun(
                check=self.store.new_id(self.clock.now()),
                target=TARGET,
                machine=self.machine,
                document=around.machine.document or {},
                at=f"{around.at:%Y-%m-%dT%H:%M:%SZ}",
                group=group,
                group_location=around.group_location,
                allow_lasting=lasting,
            )
            journal = self.store.create(begun)
        return await carried_out(
            self.azure,
            journal,
            around,
            clock=self.clock,
            observer=self.watching,
            stop=asyncio.Event(),
            patience=PATIENCE,
        )

    def undo(self) -> LiveCheckReport | None:
        """Undo what a death left behind; None: there is nothing."""
        journal = self.store.open_for(self.machine)
        if journal is None:
            return None
        check = LiveCheck(
            self.azure, journal, None, clock=self.clock, observer=self.watching, stop=asyncio.Event(), patience=PATIENCE
        )
        return asyncio.run(check.undo())
