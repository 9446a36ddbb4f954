"""The product's own reading side on an emulator in this process: no socket, no TLS, the same bytes.

Everything above the channel is the product's: queries, rows, ports, permissions. Only `Channel._send` is replaced.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from arm_emulator.app import Emulator
from arm_emulator.protocol import wire
from arm_emulator.protocol.http import Request, Response
from patchmode.arm.authorization import Directory
from patchmode.arm.channel import Answer, Channel
from patchmode.arm.governor import Governor, Identities
from patchmode.arm.machines import MachineReader
from patchmode.arm.maintenance import MaintenanceReader
from patchmode.arm.pipeline import Order
from patchmode.arm.resource_graph import ResourceGraph
from patchmode.arm.wire import decode
from patchmode.errors import RejectedError
from patchmode.model.machine import Machine, MachineKind, surroundings_of
from patchmode.model.schedule import Installation, MachineRun, ScheduleBook
from patchmode.model.target import Target
from patchmode.ports.azure import Azure, GraphScope
from patchmode.workflow.schedules.reading import read_schedules

HOST = "https://localhost"


class StandingClock:
    """No time passes."""

    def now(self) -> datetime:
        return datetime(2030, 1, 31, 22, 0, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here may wait")


class WithinProcess(Channel):
    """Requests that are handled where they are made."""

    def __init__(self, emulator: Emulator) -> None:
        # Nothing is throttled here; only a PATCH takes a turn, and its clock stands still.
        super().__init__(cast("Any", None), HOST, Governor(StandingClock()))
        self._emulator = emulator
        self._principal = emulator.directory.made_default().principal

    async def _send(
        self,
        order: Order,
        url: str,
        *,
        body: object = None,
        etag: str | None = None,
        shape: Any = Any,
        may_be_empty: bool = True,
    ) -> Answer:
        response = self.answered(order.attempt.method, url, body, {})
        if not 200 <= response.status < 300:
            raise self.refused(order, response)
        return self.read(response, shape)

    def refused(self, order: Order, response: Response) -> Exception:
        """What the product is told of a refusal; here nothing may be refused."""
        return AssertionError((order.attempt, response.body))

    def answered(self, method: str, url: str, body: object, headers: Mapping[str, str]) -> Response:
        """What the emulator answers, whatever it is; header names are in lower case."""
        split = urlsplit(url)
        query = {key.lower(): value for key, value in parse_qsl(split.query, keep_blank_values=True)}
        request = Request(
            method=method,
            path=unquote(split.path),
            query=query,
            headers=headers,
            body=json.loads(json.dumps(body)),
            base_url=HOST,
            principal=self._principal,
            request_id=wire.new_id(),
            correlation_id="c",
            api_version=query["api-version"],
            raw_query=split.query,
        )
        return self._emulator.handle(request)

    @staticmethod
    def read(response: Response, shape: Any) -> Answer:
        """An answer as the product reads it off the wire."""
        content = wire.encode(response)[0]
        return Answer(response.status, response.headers, decode(content, shape) if content else None)


class Refusing(WithinProcess):
    """Requests of which some may be refused."""

    def refused(self, order: Order, response: Response) -> Exception:
        return RejectedError(f"{order.attempt} was refused", code="Refused", status=response.status)


TARGET = Target("localhost", HOST, "99999999-9999-9999-9999-999999999999")


@dataclass(frozen=True, slots=True)
class _Connection:
    """As much of `ports.Azure` as reading takes."""

    graph: ResourceGraph
    provider: MachineReader
    maintenance: MaintenanceReader
    authorization: Directory
    target: Target = TARGET


def connection(channel: Channel) -> Azure:
    """The product's own reading side on a channel."""
    directory = Directory(channel, Identities(), dict)
    reading = _Connection(
        ResourceGraph(channel, Identities()), MachineReader(channel), MaintenanceReader(channel), directory
    )
    return cast("Azure", reading)


class Product:
    """What patchmode can find out, without sending anything anywhere."""

    def __init__(self, emulator: Emulator) -> None:
        channel = WithinProcess(emulator)
        self._graph = ResourceGraph(channel, Identities())
        self._reader = MachineReader(channel)
        self._azure = connection(channel)

    def machines(self) -> list[Machine]:
        """Every machine, with the power and agent states that `explain` would show."""
        return asyncio.run(self._machines())

    def shown(self, machine: Machine) -> Machine:
        """A machine as a GET of its provider shows it."""
        return asyncio.run(self._reader.get(machine.id, machine.kind))

    def listed(self, machine: Machine) -> Machine:
        """The same machine as the list of its resource group shows it."""
        return asyncio.run(self._listed(machine))

    def book(self, subscriptions: tuple[str, ...]) -> ScheduleBook:
        """The schedules of some subscriptions."""
        return asyncio.run(read_schedules(self._azure, subscriptions))

    def recorded(self, since: datetime) -> tuple[list[MachineRun], list[Installation]]:
        """Runs and installations that began since."""
        return asyncio.run(self._recorded(since))

    async def _listed(self, machine: Machine) -> Machine:
        kind = MachineKind.ARC if machine.kind is MachineKind.ARC else MachineKind.VM
        pages = self._reader.list_group(machine.id.subscription_id, machine.id.resource_group, kind)
        return next(iter([one async for page in pages for one in page if one.id == machine.id]))

    async def discovered(self) -> list[Machine]:
        """Every machine as Resource Graph alone describes it."""
        return [machine async for page in self._graph.machines(GraphScope()) for machine in page]

    async def _machines(self) -> list[Machine]:
        found = await self.discovered()
        return [machine if machine.kind is MachineKind.ARC else await self._looked_at(machine) for machine in found]

    async def _looked_at(self, machine: Machine) -> Machine:
        seen = surroundings_of(await self._reader.get_instance_view(machine.id))
        return replace(machine, surroundings=replace(machine.surroundings, agent_status=seen.agent_status))

    async def _recorded(self, since: datetime) -> tuple[list[MachineRun], list[Installation]]:
        scope = GraphScope()
        runs = [run async for page in self._graph.machine_runs(scope, since=since) for run in page if run is not None]
        installs = [
            install
            async for page in self._graph.installations(scope, since=since)
            for install in page
            if install is not None
        ]
        return runs, installs
