"""An Azure in memory that can be written to, with etags, operations that take time, and scripted faults.

Time is the event loop's own, and the loop jumps over every wait (`run_virtually`), so nothing here sleeps.
"""

import asyncio
import copy
import selectors
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from tests.unit.workflow.maintenance_double import MaintenanceDouble

from patchmode.arm.machine_reading import machine_from_document
from patchmode.errors import (
    ForbiddenError,
    MaybeAppliedError,
    NotSentError,
    PreconditionError,
    RejectedError,
    RequestError,
    SignInError,
    ThrottledError,
    UnsafeError,
)
from patchmode.model.machine import Lock, Machine, MachineKind, Subscription
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.plan import Change, Plan
from patchmode.model.resource_id import ResourceId
from patchmode.model.target import Target
from patchmode.ports.azure import GraphScope, OperationState, OperationStatus, PatchAnswer
from patchmode.rules.settings.planning import plan_machine

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
OTHER_SUBSCRIPTION = "22222222-2222-2222-2222-222222222222"
TARGET = Target("AzureCloud", "https://management.azure.com", "99999999-9999-9999-9999-999999999999")
TO_CMS = WantedSettings(orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES)
T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Instead of waiting for time to pass, moves it on; for all loops, so that time goes on from one to the next."""

    elapsed = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is not None and timeout > 0:
            _JumpingSelector.elapsed += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on which waits take no time."""

    def __init__(self) -> None:
        super().__init__(_JumpingSelector())

    def time(self) -> float:
        return self.elapsed()

    @staticmethod
    def elapsed() -> float:
        """Seconds that have passed on all such loops, for measuring from outside of one."""
        return _JumpingSelector.elapsed


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


class LoopClock:
    """The running loop's time as a clock."""

    def now(self) -> datetime:
        return datetime(2030, 1, 31, 22, 0, tzinfo=UTC) + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def machine_id(name: str, *, group: str = "web", subscription: str = SUBSCRIPTION, arc: bool = False) -> ResourceId:
    kind = "Microsoft.HybridCompute/machines" if arc else "Microsoft.Compute/virtualMachines"
    return ResourceId.parse(f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{kind}/{name}")


def vm(name: str, *, etag: bool = True, location: str = "westeurope", **place: Any) -> dict[str, Any]:
    """A Windows machine as a GET answers it, patched by Windows itself."""
    document = {
        "name": name,
        "id": str(machine_id(name, **place)),
        "type": "Microsoft.Compute/virtualMachines",
        "location": location,
        "tags": {"owner": "web"},
        "properties": {
            "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
            "provisioningState": "Succeeded",
            "vmId": "33333333-3333-3333-3333-333333333333",
            "storageProfile": {
                "imageReference": {
                    "publisher": "MicrosoftWindowsServer",
                    "offer": "WindowsServer",
                    "sku": "2022-datacenter-g2",
                },
                "osDisk": {"osType": "Windows", "createOption": "FromImage"},
            },
            "osProfile": {
                "computerName": name,
                "windowsConfiguration": {
                    "provisionVMAgent": True,
                    "enableAutomaticUpdates": True,
                    "patchSettings": {"patchMode": "AutomaticByOS", "assessmentMode": "ImageDefault"},
                },
            },
        },
    }
    return {**document, "etag": '"1"'} if etag else document


@dataclass
class Operation:
    """A PATCH's operation: when it ends, and how."""

    ends: float
    error: tuple[str, str] | None = None
    polls: int = 0


@dataclass
class Stored:
    """One machine as the fake keeps it."""

    document: dict[str, Any]
    operation: Operation | None = None
    writes: int = 0
    """PATCHes that changed it."""
    faults: deque[str] = field(default_factory=deque)
    """What the next PATCHes meet, one each: see `FleetDouble.patch`."""
    reads_refused: int = 0
    """So many GETs fail."""
    gone: bool = False


def settings_of(document: Mapping[str, Any]) -> Any:
    return document["properties"]["osProfile"]["windowsConfiguration"]["patchSettings"]


@dataclass
class TurnDouble:
    """Fulfils ports.Turn."""

    azure: "FleetDouble"
    is_open: bool = True

    def take(self) -> "TurnDouble | None":
        was_open, self.is_open = self.is_open, False
        return self if was_open else None

    def give_back(self) -> None:
        if self.take() is not None:
            self.azure.turns -= 1


class FleetDouble:
    """Fulfils ports.Azure, ports.Provider, ports.Writer and ports.RequestLedger."""

    def __init__(self, documents: Iterable[Mapping[str, Any]], *, duration_s: float = 5.0, page: int = 50) -> None:
        self.machines = {
            ResourceId.parse(document["id"]): Stored(copy.deepcopy(dict(document))) for document in documents
        }
        self.duration_s: float | Callable[[int], float] = duration_s
        self.page = page
        self.operations: dict[str, ResourceId] = {}
        self.log: list[tuple[str, str]] = []
        """(method, what) in order of arrival."""
        self.queue_s = 0.0
        """So long each PATCH waits for its buckets before it may leave."""
        self.lists_forbidden: set[str] = set()
        self.lists_break = False
        self.lock_list: Sequence[Lock] = ()
        """After its first page a list is answered 502."""
        self.before_patch: Callable[[ResourceId], None] = lambda _: None
        self.after_write: Callable[[ResourceId], None] = lambda _: None
        self.as_listed: Callable[[Any], None] = lambda _: None
        """Changes a document before a list shows it."""
        self.failing_operations: dict[ResourceId, tuple[str, str]] = {}
        self.operations_unknown = False
        self.operations_silent = 0
        """So many polls are answered 500."""
        self.while_running: Callable[[dict[str, Any], bool], None] | None = None
        """Changes what a read shows of a machine with an operation; told whether it still runs."""
        self.no_operation_url = False
        self.signed_out = False
        self.is_refusing = False
        """Every request is answered 401, as after a token was revoked and the new one is refused as well."""
        self.read_only = False
        self.target = TARGET
        self.schedules = MaintenanceDouble(arrive=self._arrive)
        """Set its lists; its requests stand in `log` among the others."""
        self.shown: list[Machine] = []
        """The machines that Resource Graph shows; `machines` in the `refused` of `schedules` refuses them."""
        self.under_way = 0
        self.most_under_way = 0
        self.lane_waits: dict[tuple[str, str], float] = {}
        self.closed_lanes: set[tuple[str, str]] = set()
        """Subscriptions and regions that a refusal has closed for longer than the throttle patience."""
        """(subscription, region) → how long each turn there is waited for."""
        self.turns = 0
        """Turns taken and not given back."""

    # ports.Azure

    @property
    def provider(self) -> "FleetDouble":
        return self

    @property
    def writer(self) -> "FleetDouble":
        if self.read_only:
            raise UnsafeError("the connection was opened for reading only")
        return self

    @property
    def ledger(self) -> "FleetDouble":
        return self

    @property
    def unanswered_since(self) -> None:
        """It answers at once."""

    @property
    def graph(self) -> Any:
        """What became of runs is known to Resource Graph alone; it is never used to verify, so of machines it shows
        those of `shown` only.
        """
        return _FleetGraph(self)

    @property
    def maintenance(self) -> MaintenanceDouble:
        return self.schedules

    @property
    def maintenance_writer(self) -> MaintenanceDouble:
        if self.read_only:
            raise UnsafeError("the connection was opened for reading only")
        return self.schedules

    @property
    def authorization(self) -> Any:
        return self

    # ports.Authorization, as far as reading schedules needs it

    nameless = 0

    async def subscriptions(self) -> Sequence[Subscription]:
        return [
            Subscription(one, one, TARGET.tenant_id) for one in sorted({one.subscription_id for one in self.machines})
        ]

    async def locks(self, subscription_id: str) -> Sequence[Lock]:
        return [lock for lock in self.lock_list if subscription_id in lock.scope]

    async def permissions(self, scope: str) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        return {"": [{"actions": ["*"], "notActions": []}]}

    def by_method(self) -> dict[str, int]:
        return dict(Counter(method for method, _ in self.log))

    # ports.Provider

    async def get(self, machine_id: ResourceId, kind: MachineKind) -> Machine:
        await self._arrive("GET", str(machine_id))
        stored = self.machines[machine_id]
        if stored.gone:
            raise RejectedError(f"GET {machine_id} was answered 404", code="ResourceNotFound", status=404)
        if stored.reads_refused:
            stored.reads_refused -= 1
            raise RequestError(f"GET {machine_id} was answered 500", code="InternalServerError", status=500)
        return self._observed(machine_id, kind)

    async def get_instance_view(self, machine_id: ResourceId) -> Mapping[str, Any]:
        raise AssertionError("nothing here needs an instance view")

    def deployment_operations(self, deployment_id: str) -> AsyncIterator[Sequence[Any]]:
        raise AssertionError("nothing here was deployed")

    def list_subscription(self, subscription_id: str, kind: MachineKind) -> AsyncIterator[Sequence[Machine]]:
        return self._list(lambda one: one.subscription_id == subscription_id, subscription_id, kind)

    def list_group(
        self, subscription_id: str, resource_group: str, kind: MachineKind
    ) -> AsyncIterator[Sequence[Machine]]:
        where = (subscription_id, resource_group.casefold())
        return self._list(
            lambda one: (one.subscription_id, one.resource_group.casefold()) == where, resource_group, kind
        )

    async def _list(
        self, covers: Callable[[ResourceId], bool], name: str, kind: MachineKind
    ) -> AsyncIterator[Sequence[Machine]]:
        family = "microsoft.hybridcompute/machines" if kind is MachineKind.ARC else "microsoft.compute/virtualmachines"
        ids = [one for one, kept in self.machines.items() if covers(one) and one.full_type == family and not kept.gone]
        for start in range(0, max(1, len(ids)), self.page):
            await self._arrive("GET", f"list {name}")
            if name in self.lists_forbidden:
                raise ForbiddenError(f"GET {name} was answered 403", code="AuthorizationFailed", status=403)
            if self.lists_break and start:
                raise RequestError(f"GET {name} was answered 502", code="ProviderError", status=502)
            page = [self._observed(one, kind) for one in ids[start : start + self.page]]
            for machine in page:
                self.as_listed(machine.document)
            yield page

    def _observed(self, machine_id: ResourceId, kind: MachineKind) -> Machine:
        stored = self.machines[machine_id]
        self._let_time_act(stored)
        shown = copy.deepcopy(stored.document)
        if self.while_running is not None and stored.operation is not None:
            self.while_running(shown, asyncio.get_running_loop().time() < stored.operation.ends)
        return machine_from_document(shown, kind=kind)

    def _let_time_act(self, stored: Stored) -> None:
        operation = stored.operation
        if operation is not None:
            ended = asyncio.get_running_loop().time() >= operation.ends
            done = "Failed" if operation.error else "Succeeded"
            stored.document["properties"]["provisioningState"] = done if ended else "Updating"

    # ports.Writer

    async def turn(self, machine_id: ResourceId, kind: MachineKind, location: str) -> "TurnDouble":
        """Granted when `lane_waits` says so; what is given back is counted."""
        if (machine_id.subscription_id, location) in self.closed_lanes:
            raise ThrottledError(f"PATCH {machine_id} was not sent: Azure asks to wait another 2 h", code="Throttled")
        wait_s = self.lane_waits.get((machine_id.subscription_id, location), 0.0)
        if wait_s:
            await asyncio.sleep(wait_s)
        self.turns += 1
        return TurnDouble(self)

    async def patch(
        self,
        machine_id: ResourceId,
        kind: MachineKind,
        location: str,
        body: Mapping[str, Any],
        *,
        etag: str | None,
        may_send: Callable[[], bool] | None = None,
        turn: "TurnDouble | None" = None,
    ) -> PatchAnswer:
        """Faults: `lost-before` (no answer, not applied), `lost-after` (applied), `not-sent`, `touched` (something else
        writes the machine first), `code:status` (refused)."""
        if turn is not None:
            turn.take()
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if self.queue_s:
                await asyncio.sleep(self.queue_s)
            if may_send is not None and not may_send():
                raise NotSentError(f"PATCH {machine_id} was not sent: it was called off", code="Stopped")
            return await self._patch(machine_id, kind, body, etag)
        finally:
            self.under_way -= 1

    async def _patch(
        self, machine_id: ResourceId, kind: MachineKind, body: Mapping[str, Any], etag: str | None
    ) -> PatchAnswer:
        self.before_patch(machine_id)
        stored = self.machines[machine_id]
        fault = stored.faults.popleft() if stored.faults else ""
        if fault == "not-sent":
            raise NotSentError(f"PATCH {machine_id} was not sent: connection refused", code="NotConnected")
        await self._arrive("PATCH", str(machine_id))
        if fault == "lost-before":
            raise MaybeAppliedError(f"PATCH {machine_id} got no answer", code="NoAnswer")
        if fault == "touched":
            self.touch(machine_id)
        elif ":" in fault:
            code, _, status = fault.partition(":")
            kind_of = ThrottledError if status == "429" else RejectedError
            raise kind_of(f"PATCH {machine_id} was answered {status} {code}", code=code, status=int(status))
        if etag is not None and etag != stored.document.get("etag", '"1"'):
            raise PreconditionError(f"PATCH {machine_id} was answered 412", code="PreconditionFailed", status=412)
        url = self._write(machine_id, body)
        if fault == "lost-after":
            raise MaybeAppliedError(f"PATCH {machine_id} got no answer", code="NoAnswer")
        return PatchAnswer(self._observed(machine_id, kind), url, f"request-{machine_id.name}", "correlation")

    def _write(self, machine_id: ResourceId, body: Mapping[str, Any]) -> str | None:
        stored = self.machines[machine_id]
        _merge(stored.document, body)
        stored.writes += 1
        self.touch(machine_id)
        self.after_write(machine_id)
        count = sum(one.writes for one in self.machines.values())
        duration = self.duration_s(count) if callable(self.duration_s) else self.duration_s
        ends = asyncio.get_running_loop().time() + duration
        stored.operation = Operation(ends, self.failing_operations.get(machine_id))
        if self.no_operation_url:
            return None
        url = f"https://management.azure.com/operations/{count}?t=1"
        self.operations[url] = machine_id
        return url

    async def operation(self, url: str) -> OperationStatus:
        await self._arrive("GET", "operation")
        if self.operations_silent:
            self.operations_silent -= 1
            raise RequestError("GET operation was answered 500", code="InternalServerError", status=500)
        if self.operations_unknown:
            raise RejectedError("GET operation was answered 404", code="NotFound", status=404)
        operation = self.machines[self.operations[url]].operation
        assert operation is not None
        operation.polls += 1
        if asyncio.get_running_loop().time() < operation.ends:
            return OperationStatus(OperationState.IN_PROGRESS, retry_after_s=37.0 if operation.polls == 1 else None)
        if operation.error:
            return OperationStatus(OperationState.FAILED, *operation.error)
        return OperationStatus(OperationState.SUCCEEDED)

    async def _arrive(self, method: str, what: str) -> None:
        if self.signed_out:
            raise SignInError("the token has expired and no credential gives another")
        self.log.append((method, what))
        await asyncio.sleep(0)
        if self.is_refusing:
            code = "InvalidAuthenticationToken"
            raise ForbiddenError(f"{method} {what} was answered 401 {code}", code=code, status=401)

    # what others do

    def touch(self, machine_id: ResourceId) -> None:
        """A write that moves the etag and nothing else: extension or agent work."""
        document = self.machines[machine_id].document
        document["etag"] = f'"{int(document.get("etag", chr(34) + "1" + chr(34)).strip(chr(34))) + 1}"'

    def edit(self, machine_id: ResourceId, *, tag: str) -> None:
        """Somebody changes a sibling of the patch settings."""
        self.machines[machine_id].document["tags"]["owner"] = tag
        self.touch(machine_id)

    def edit_settings(self, machine_id: ResourceId, **settings: Any) -> None:
        settings_of(self.machines[machine_id].document).update(settings)
        self.touch(machine_id)

    # what tests ask

    def fleet(self) -> dict[str, Any]:
        """Every machine's document as it stands, without what counts writes and what depends on the moment."""
        return {str(one): _steady(kept.document) for one, kept in self.machines.items()}

    def writes(self) -> dict[str, int]:
        return {one.name: kept.writes for one, kept in self.machines.items()}

    def count(self, method: str) -> int:
        return self.by_method().get(method, 0)

    def plan(self, wanted: WantedSettings = TO_CMS, *, names: Iterable[str] | None = None) -> Plan:
        """The plan as the rules make it."""
        chosen = None if names is None else set(names)
        changes = [
            plan_machine(machine_from_document(copy.deepcopy(kept.document), kind=MachineKind.VM), wanted)
            for one, kept in self.machines.items()
            if chosen is None or one.name in chosen
        ]
        return Plan(
            target=TARGET,
            scope=("--all",),
            wanted=wanted,
            changes=tuple(change for change in changes if isinstance(change, Change)),
            tool_version="0.1.0",
        )


class _FleetGraph:
    """The schedules' part of Resource Graph, and machines of which a test says what it shows."""

    def __init__(self, fleet: FleetDouble) -> None:
        self._fleet = fleet

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fleet.schedules, name)

    async def machines(
        self, scope: GraphScope, *, resource_groups: Sequence[str] = (), ids: Sequence[str] = ()
    ) -> AsyncIterator[Sequence[Machine]]:
        await self._fleet.schedules.arrive("POST", "graph machines")
        if "machines" in self._fleet.schedules.refused:
            raise ForbiddenError("machines are refused", code="AuthorizationFailed", status=403)
        wanted = {text.casefold() for text in ids}
        yield [one for one in self._fleet.shown if one.id.key in wanted]


def fleet_of(count: int, **options: Any) -> FleetDouble:
    return FleetDouble([vm(f"vm-{number:04}") for number in range(count)], **options)


def _merge(target: dict[str, Any], patch: Mapping[str, Any]) -> None:
    for name, value in patch.items():
        if isinstance(value, Mapping) and isinstance(target.get(name), dict):
            _merge(target[name], value)
        else:
            target[name] = copy.deepcopy(value)


def _steady(document: Mapping[str, Any]) -> dict[str, Any]:
    steady = {name: value for name, value in copy.deepcopy(dict(document)).items() if name != "etag"}
    steady["properties"].pop("provisioningState")
    return steady
