"""A small Azure in memory that fulfils the reading ports, counts requests and refuses what it is told to refuse."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from tests.unit.workflow.maintenance_double import MaintenanceDouble

from patchmode.errors import ForbiddenError, RejectedError, UnsafeError
from patchmode.model.access import Principals
from patchmode.model.drift import ResourceChange
from patchmode.model.machine import Lock, Machine, MachineKind, ReadFrom, Subscription, Surroundings
from patchmode.model.maintenance_events import SystemTopic
from patchmode.model.patch_settings import OperatingSystem, PatchSettings
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import (
    Assessment,
    ConfigurationAssignment,
    DynamicScope,
    Installation,
    MachineRun,
    MaintenanceConfiguration,
)
from patchmode.model.target import Target
from patchmode.ports.azure import GraphScope, ResourceGroup

ALPHA = "11111111-1111-1111-1111-111111111111"
BETA = "22222222-2222-2222-2222-222222222222"
GONE = "33333333-3333-3333-3333-333333333333"
TARGET = Target("AzureCloud", "https://management.azure.com", "99999999-9999-9999-9999-999999999999")


def machine_id(name: str, *, group: str = "rg", subscription: str = ALPHA, arc: bool = False) -> ResourceId:
    kind = "Microsoft.HybridCompute/machines" if arc else "Microsoft.Compute/virtualMachines"
    return ResourceId.parse(f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{kind}/{name}")


def machine(name: str, *, group: str = "rg", subscription: str = ALPHA, arc: bool = False, **facts: Any) -> Machine:
    mode = facts.pop("mode", "ImageDefault")
    power = facts.pop("power", "running")
    settings = None if arc else PatchSettings(patch_mode=mode, bypass=facts.pop("bypass", None))
    leaves: dict[str, Any] = {"patchMode": mode}
    if settings and settings.bypass is not None:
        leaves["automaticByPlatformSettings"] = {"bypassPlatformSafetyChecksOnUserSchedule": settings.bypass}
    system = facts.pop("os", OperatingSystem.LINUX)
    known = Machine(
        id=machine_id(name, group=group, subscription=subscription, arc=arc),
        kind=MachineKind.ARC if arc else MachineKind.VM,
        location=facts.pop("location", "westeurope"),
        os=system,
        settings=settings,
        has_os_profile=not arc,
        provision_vm_agent=True,
        provisioning_state="Succeeded",
        etag='"1"',
        surroundings=Surroundings(power_state=power),
        document={
            "id": str(machine_id(name, group=group, subscription=subscription, arc=arc)),
            "properties": {"osProfile": {system.configuration: {"patchSettings": leaves}}},
        },
    )
    return replace(known, **facts)


@dataclass
class FixedClock:
    """A clock that stands still."""

    moment: datetime = datetime(2030, 1, 31, 22, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here may wait")


@dataclass
class AzureDouble:
    """Machines by source; what Resource Graph shows may differ from what the provider holds."""

    machines: Sequence[Machine] = ()
    graph_machines: Sequence[Machine] | None = None
    known: Sequence[Subscription] = (Subscription(ALPHA, "Alpha", TARGET.tenant_id),)
    lock_list: Sequence[Lock] = ()
    managed: Sequence[ResourceGroup] = ()
    under: Mapping[str, Sequence[str]] = field(default_factory=dict)
    queries: Mapping[str, Sequence[str]] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()
    """`graph`, `locks`, `list:{subscription}`, `group:{name}`, `get:{name}`, `permissions:{scope}`, `assigned:{scope}`,
    `subscriptions`."""
    requests: Counter[str] = field(default_factory=Counter)
    page: int = 2
    permission_list: Sequence[Mapping[str, Any]] = ({"actions": ["*"], "notActions": []},)
    granted: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """Identity's name → permissions, where there are several."""
    granted_at: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """Scope → permissions there, inherited ones included; a scope that is left out has `permission_list`."""
    assigned: Sequence[str] | None = ()
    """Scopes with a role of their own, in lower case; None: not known."""
    registrations: Mapping[str, str] = field(default_factory=dict)
    schedules: MaintenanceDouble = field(default_factory=MaintenanceDouble)
    """Set its lists; requests about schedules are counted as `graph` and `maintenance`."""
    changes: Sequence[ResourceChange] = ()
    """What Resource Graph records of who changed what; `changes` in `refused` refuses it."""
    views: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Machine's name → its instance view, where that is another than of a machine that was deallocated."""
    deployments: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Deployment's id → its operations as ARM answers them."""
    is_writable: bool = False
    """Whether schedules and assignments may be written; machines never."""

    def __post_init__(self) -> None:
        self.schedules.arrive = self.arrive

    async def arrive(self, method: str, what: str) -> None:
        """Count a request about schedules."""
        self.check("graph" if what.startswith("graph") else "maintenance")

    @property
    def target(self) -> Target:
        return TARGET

    @property
    def graph(self) -> "_GraphDouble":
        return _GraphDouble(self)

    @property
    def provider(self) -> "_ProviderDouble":
        return _ProviderDouble(self)

    @property
    def maintenance(self) -> MaintenanceDouble:
        return self.schedules

    @property
    def authorization(self) -> "AzureDouble":
        return self

    @property
    def writer(self) -> Any:
        raise AssertionError("reading must not write")

    @property
    def maintenance_writer(self) -> MaintenanceDouble:
        if not self.is_writable:
            raise UnsafeError("the connection was opened for reading only")
        return self.schedules

    @property
    def ledger(self) -> Any:
        raise AssertionError("not needed")

    def check(self, what: str) -> None:
        self.requests[what.partition(":")[0]] += 1
        if what in self.refused:
            raise ForbiddenError(f"{what} is refused", code="AuthorizationFailed", status=403)

    async def pages(self, what: str, found: Sequence[Any]) -> AsyncIterator[Sequence[Any]]:
        for start in range(0, max(len(found), 1), self.page):
            self.check(what)
            yield found[start : start + self.page]

    def machines_of(self, scope: GraphScope, groups: Sequence[str], ids: Sequence[str]) -> list[Machine]:
        source = self.machines if self.graph_machines is None else self.graph_machines
        wanted = {text.casefold() for text in ids}
        names = {name.casefold() for name in groups}
        return [
            replace(entry, document=None, etag=None, read_from=ReadFrom.GRAPH)
            for entry in source
            if (not scope.subscriptions or entry.id.subscription_id in scope.subscriptions)
            and (not names or entry.id.resource_group.casefold() in names)
            and (not wanted or entry.id.key in wanted)
        ]

    nameless = 0

    async def tenant_name(self) -> str:
        return ""

    async def subscriptions(self) -> Sequence[Subscription]:
        if "subscriptions" in self.refused:
            raise ForbiddenError("subscriptions are refused", code="AuthorizationFailed", status=403)
        return self.known

    async def locks(self, subscription_id: str) -> Sequence[Lock]:
        self.check("locks")
        return [lock for lock in self.lock_list if subscription_id in lock.scope]

    async def permissions(self, scope: str) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        self.check(f"permissions:{scope}")
        return self.granted or {"": self.granted_at.get(scope, self.permission_list)}

    async def assigned_scopes(self, scope: str) -> Sequence[str] | None:
        self.check(f"assigned:{scope}")
        return self.assigned

    async def provider_registration(self, subscription_id: str, namespace: str) -> str:
        return self.registrations.get(namespace, "Registered")

    async def principals(self) -> Principals:
        one = {"appid": "44444444-4444-4444-4444-444444444444", "tid": TARGET.tenant_id}
        return dict.fromkeys(self.granted or ("",), one)


class _GraphDouble:
    def __init__(self, azure: AzureDouble) -> None:
        self.azure = azure

    async def machines(
        self, scope: GraphScope, *, resource_groups: Sequence[str] = (), ids: Sequence[str] = ()
    ) -> AsyncIterator[Sequence[Machine]]:
        async for page in self.azure.pages("graph", self.azure.machines_of(scope, resource_groups, ids)):
            yield page

    async def subscriptions_under(self, management_group: str) -> Sequence[str]:
        self.azure.check("graph")
        return self.azure.under.get(management_group, ())

    async def machines_named(self, names: Sequence[str], scope: GraphScope) -> AsyncIterator[Sequence[ResourceId]]:
        wanted = {name.casefold() for name in names}
        self.azure.requests["names"] += 1
        found = [one.id for one in self.azure.machines_of(scope, (), ()) if one.name.casefold() in wanted]
        async for page in self.azure.pages("graph", found):
            yield page

    def forget(self) -> None:
        """Nothing is kept."""

    async def machine_ids(self, query: str, scope: GraphScope) -> AsyncIterator[Sequence[str]]:
        async for page in self.azure.pages("graph", list(self.azure.queries[query])):
            yield page

    async def resource_groups(self, scope: GraphScope) -> AsyncIterator[Sequence[ResourceGroup]]:
        async for page in self.azure.pages("graph", list(self.azure.managed)):
            yield page

    async def all_resource_groups(self, scope: GraphScope) -> AsyncIterator[Sequence[ResourceGroup]]:
        self.azure.check("graph")
        found = self.azure.machines_of(scope, (), ())
        yield [ResourceGroup(one.id.subscription_id, one.id.resource_group) for one in found]

    def maintenance_configurations(self, scope: GraphScope) -> AsyncIterator[Sequence[MaintenanceConfiguration]]:
        return self.azure.schedules.maintenance_configurations(scope)

    def configuration_assignments(
        self, scope: GraphScope
    ) -> AsyncIterator[Sequence[ConfigurationAssignment | DynamicScope]]:
        return self.azure.schedules.configuration_assignments(scope)

    def system_topics(self, scope: GraphScope) -> AsyncIterator[Sequence[SystemTopic]]:
        return self.azure.schedules.system_topics(scope)

    def machine_runs(self, scope: GraphScope, *, since: datetime) -> AsyncIterator[Sequence[MachineRun]]:
        return self.azure.schedules.machine_runs(scope, since=since)

    def assessments(
        self, scope: GraphScope, machines: Sequence[ResourceId] = ()
    ) -> AsyncIterator[Sequence[Assessment]]:
        return self.azure.schedules.assessments(scope, machines)

    def installations(self, scope: GraphScope, *, since: datetime) -> AsyncIterator[Sequence[Installation]]:
        return self.azure.schedules.installations(scope, since=since)

    async def resource_changes(self, scope: GraphScope, *, since: datetime) -> AsyncIterator[Sequence[ResourceChange]]:
        recent = [one for one in self.azure.changes if one.at is None or one.at >= since]
        async for page in self.azure.pages("changes", recent):
            yield page


class _ProviderDouble:
    def __init__(self, azure: AzureDouble) -> None:
        self.azure = azure

    def shown(self, kind: MachineKind) -> list[Machine]:
        arc = kind is MachineKind.ARC
        return [
            replace(entry, read_from=ReadFrom.PROVIDER, surroundings=Surroundings())
            for entry in self.azure.machines
            if (entry.kind is MachineKind.ARC) == arc
        ]

    async def get(self, machine_id: ResourceId, kind: MachineKind) -> Machine:
        self.azure.check(f"get:{machine_id.name}")
        for entry in self.shown(kind):
            if entry.id == machine_id:
                return entry
        raise RejectedError(f"GET {machine_id}: not found", code="ResourceNotFound", status=404)

    async def get_instance_view(self, machine_id: ResourceId) -> Mapping[str, Any]:
        self.azure.check(f"view:{machine_id.name}")
        return self.azure.views.get(machine_id.name) or {
            "vmAgent": {"statuses": [{"displayStatus": "Ready"}]},
            "statuses": [{"code": "ProvisioningState/succeeded"}, {"code": "PowerState/deallocated"}],
        }

    async def deployment_operations(self, deployment_id: str) -> AsyncIterator[Sequence[Any]]:
        self.azure.check(f"deployment:{deployment_id}")
        if deployment_id not in self.azure.deployments:
            raise RejectedError(f"GET {deployment_id}: not found", code="DeploymentNotFound", status=404)
        async for page in self.azure.pages("operations", self.azure.deployments[deployment_id]):
            yield page

    async def list_subscription(self, subscription_id: str, kind: MachineKind) -> AsyncIterator[Sequence[Machine]]:
        found = [entry for entry in self.shown(kind) if entry.id.subscription_id == subscription_id]
        async for page in self.azure.pages(f"list:{subscription_id}", found):
            yield page

    async def list_group(
        self, subscription_id: str, resource_group: str, kind: MachineKind
    ) -> AsyncIterator[Sequence[Machine]]:
        found = [
            entry
            for entry in self.shown(kind)
            if entry.id.subscription_id == subscription_id
            and entry.id.resource_group.casefold() == resource_group.casefold()
        ]
        if not found:
            raise RejectedError("no such group", code="ResourceGroupNotFound", status=404)
        async for page in self.azure.pages(f"group:{resource_group.casefold()}", found):
            yield page
