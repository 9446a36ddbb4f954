"""Schedules in memory: what Resource Graph shows of them, Microsoft.Maintenance itself, and its writing side.

Everything a test needs to set is a public list or mapping. Resource Graph here does not lag unless `graph_book` is set.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from patchmode.errors import ForbiddenError, MaybeAppliedError, NotSentError, RejectedError
from patchmode.model.drift import ResourceChange
from patchmode.model.left_alone import Unreadable
from patchmode.model.maintenance_events import EventSubscription, SystemTopic
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import (
    GUEST_SCOPE,
    Assessment,
    ConfigurationAssignment,
    DynamicScope,
    Installation,
    MachineRun,
    MaintenanceConfiguration,
    ScheduleBook,
    ScopeFilter,
    WindowRule,
)
from patchmode.ports.azure import GraphScope

DAILY = WindowRule("2024-01-01 03:00", None, "02:00", "UTC", "Day")


def configuration_id(name: str, *, group: str = "rg", subscription: str) -> ResourceId:
    kind = "Microsoft.Maintenance/maintenanceConfigurations"
    return ResourceId.parse(f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{kind}/{name}")


def configuration(identity: ResourceId, window: WindowRule = DAILY, **facts: Any) -> MaintenanceConfiguration:
    """A guest-patching configuration that runs every night unless told otherwise."""
    facts = {
        "scope": GUEST_SCOPE,
        "patch_mode": "User",
        "location": "westeurope",
        "reboot_setting": "IfRequired",
    } | facts
    return MaintenanceConfiguration(identity, window=window, **facts)


async def _nothing(method: str, what: str) -> None:
    """Nobody counts."""


@dataclass
class MaintenanceDouble:
    """Fulfils `ports.Maintenance`, `ports.MaintenanceWriter`, and the part of `ports.Graph` that is about schedules."""

    configurations: list[MaintenanceConfiguration] = field(default_factory=list)
    assignments: list[ConfigurationAssignment] = field(default_factory=list)
    dynamic_scopes: list[DynamicScope] = field(default_factory=list)
    runs: list[MachineRun] = field(default_factory=list)
    found_installations: list[Installation] = field(default_factory=list)
    found_assessments: list[Assessment] = field(default_factory=list)
    changes: Sequence[ResourceChange] = ()
    """What Resource Graph records of who changed what."""
    topics: Sequence[SystemTopic] = ()
    events: Mapping[ResourceId, Sequence[EventSubscription]] = field(default_factory=dict)
    """A system topic or a configuration → the event subscriptions on it."""
    graph_book: ScheduleBook | None = None
    """What Resource Graph shows where it lags behind; None: what there is."""
    refused: frozenset[str] = frozenset()
    """What Resource Graph refuses: `configurations`, `assignments`, `runs`, `installations`, `assessments`,
    `topics`; or Event Grid: `events`."""
    faults: defaultdict[str, deque[str]] = field(default_factory=lambda: defaultdict(deque))
    """Assignment or configuration name → what the next writes of it meet, one each: `not-sent`, `lost-before` (no
    answer, not applied), `lost-after` (applied), `code:status` (refused)."""
    before_attach: Callable[[ResourceId], None] = lambda _: None
    """Called with the machine before an assignment is written; it may raise what Azure would answer."""
    arrive: Callable[[str, str], Awaitable[None]] = _nothing
    """Told of each request: its method and what it is about."""
    queue_s: float = 0.0
    """So long each write waits for its buckets before it may leave."""
    page: int = 2
    bodies: list[tuple[ResourceId, Mapping[str, Any]]] = field(default_factory=list)
    """Configurations that were put: id and properties."""

    # ports.Graph, the part about schedules

    def maintenance_configurations(self, scope: GraphScope) -> AsyncIterator[Sequence[MaintenanceConfiguration]]:
        shown = self.configurations if self.graph_book is None else self.graph_book.configurations
        return self._pages("configurations", [one for one in shown if _is_in(one.id.subscription_id, scope)])

    def configuration_assignments(
        self, scope: GraphScope
    ) -> AsyncIterator[Sequence[ConfigurationAssignment | DynamicScope]]:
        book: Any = self.graph_book or self
        static = [one for one in book.assignments if _is_in(one.machine.subscription_id, scope)]
        dynamic = [one for one in book.dynamic_scopes if _is_in(one.subscription_id, scope)]
        return self._pages("assignments", [*static, *dynamic])

    def system_topics(self, scope: GraphScope) -> AsyncIterator[Sequence[SystemTopic]]:
        return self._pages("topics", list(self.topics))

    def machine_runs(self, scope: GraphScope, *, since: datetime) -> AsyncIterator[Sequence[MachineRun]]:
        return self._pages("runs", self._recent(self.runs, scope, since))

    def installations(self, scope: GraphScope, *, since: datetime) -> AsyncIterator[Sequence[Installation]]:
        return self._pages("installations", self._recent(self.found_installations, scope, since))

    def assessments(
        self, scope: GraphScope, machines: Sequence[ResourceId] = ()
    ) -> AsyncIterator[Sequence[Assessment]]:
        return self._pages("assessments", list(self.found_assessments))

    def resource_changes(self, scope: GraphScope, *, since: datetime) -> AsyncIterator[Sequence[ResourceChange]]:
        recent = [one for one in self.changes if one.at is None or one.at >= since]
        return self._pages("changes", recent)

    @staticmethod
    def _recent(rows: Sequence[Any], scope: GraphScope, since: datetime) -> list[Any]:
        return [
            one
            for one in rows
            if _is_in(one.machine.subscription_id, scope) and one.started_at is not None and one.started_at >= since
        ]

    async def _pages(self, what: str, found: Sequence[Any]) -> AsyncIterator[Sequence[Any]]:
        for start in range(0, max(len(found), 1), self.page):
            await self.arrive("POST", f"graph {what}")
            if what in self.refused:
                raise ForbiddenError(f"{what} are refused", code="AuthorizationFailed", status=403)
            yield found[start : start + self.page]

    # ports.Maintenance

    async def configuration(self, configuration_id: ResourceId) -> MaintenanceConfiguration:
        await self.arrive("GET", str(configuration_id))
        for one in self.configurations:
            if one.id == configuration_id:
                return one
        raise RejectedError(f"GET {configuration_id}: not found", code="ResourceNotFound", status=404)

    async def assignments_on(self, machine_id: ResourceId) -> Sequence[ConfigurationAssignment]:
        await self.arrive("GET", f"assignments of {machine_id}")
        return [one for one in self.assignments if one.machine == machine_id]

    async def events_of(self, place: ResourceId) -> Sequence[EventSubscription | Unreadable]:
        await self.arrive("GET", f"events of {place}")
        if "events" in self.refused:
            raise ForbiddenError(f"GET {place}: refused", code="AuthorizationFailed", status=403)
        return self.events.get(place, ())

    async def dynamic_scope(self, subscription_id: str, resource_group: str | None, name: str) -> DynamicScope:
        await self.arrive("GET", f"dynamic scope {name}")
        for one in self.dynamic_scopes:
            if _key(one) == _scope_key(subscription_id, resource_group, name):
                return one
        raise RejectedError(f"GET {name}: not found", code="NotFound", status=404)

    # ports.MaintenanceWriter

    async def put_configuration(
        self, configuration_id: ResourceId, location: str, properties: Mapping[str, Any], tags: Mapping[str, str]
    ) -> MaintenanceConfiguration:
        ending = await self._write("PUT", str(configuration_id), configuration_id.name)
        window = properties.get("maintenanceWindow") or {}
        made = MaintenanceConfiguration(
            configuration_id,
            location,
            str(properties.get("maintenanceScope")),
            (properties.get("extensionProperties") or {}).get("InGuestPatchMode"),
            WindowRule(
                window.get("startDateTime"),
                window.get("expirationDateTime"),
                window.get("duration"),
                window.get("timeZone"),
                window.get("recurEvery"),
            ),
            (properties.get("installPatches") or {}).get("rebootSetting"),
            properties,
            tags,
        )
        self.bodies.append((configuration_id, properties))
        self.configurations = [one for one in self.configurations if one.id != configuration_id] + [made]
        ending()
        return made

    async def delete_configuration(self, configuration_id: ResourceId) -> bool:
        ending = await self._write("DELETE", str(configuration_id), configuration_id.name)
        kept = [one for one in self.configurations if one.id != configuration_id]
        was_there, self.configurations = len(kept) < len(self.configurations), kept
        ending()
        return was_there

    async def attach(
        self,
        machine_id: ResourceId,
        location: str,
        name: str,
        configuration_id: ResourceId,
        *,
        may_send: Callable[[], bool] | None = None,
    ) -> ConfigurationAssignment:
        ending = await self._write("PUT", f"{name} on {machine_id}", name, may_send)
        self.before_attach(machine_id)
        made = ConfigurationAssignment(name, machine_id, configuration_id)
        self.assignments = [one for one in self.assignments if not _is(one, machine_id, name)] + [made]
        ending()
        return made

    async def detach(self, machine_id: ResourceId, name: str, *, may_send: Callable[[], bool] | None = None) -> bool:
        ending = await self._write("DELETE", f"{name} on {machine_id}", name, may_send)
        kept = [one for one in self.assignments if not _is(one, machine_id, name)]
        was_there, self.assignments = len(kept) < len(self.assignments), kept
        ending()
        return was_there

    async def attach_scope(
        self,
        subscription_id: str,
        resource_group: str | None,
        name: str,
        configuration_id: ResourceId,
        wanted: ScopeFilter,
    ) -> DynamicScope:
        if wanted.unknown:
            raise ValueError("members that this version does not know")
        ending = await self._write("PUT", f"dynamic scope {name}", name)
        made = DynamicScope(name, subscription_id.lower(), resource_group, configuration_id, wanted)
        self.dynamic_scopes = [one for one in self.dynamic_scopes if _key(one) != _key(made)] + [made]
        ending()
        return made

    async def detach_scope(self, subscription_id: str, resource_group: str | None, name: str) -> bool:
        ending = await self._write("DELETE", f"dynamic scope {name}", name)
        key = _scope_key(subscription_id, resource_group, name)
        kept = [one for one in self.dynamic_scopes if _key(one) != key]
        was_there, self.dynamic_scopes = len(kept) < len(self.dynamic_scopes), kept
        ending()
        return was_there

    async def _write(
        self, method: str, what: str, name: str, may_send: Callable[[], bool] | None = None
    ) -> Callable[[], None]:
        """Meet the next fault of this name; what is returned is called when the write has been applied."""
        waiting = self.faults[name]
        fault = waiting.popleft() if waiting else ""
        if fault == "not-sent":
            raise NotSentError(f"{method} {what} was not sent: connection refused", code="NotSent")
        if self.queue_s:
            await asyncio.sleep(self.queue_s)
        if may_send is not None and not may_send():
            raise NotSentError(f"{method} {what} was not sent: it was canceled while it waited", code="Stopped")
        await self.arrive(method, what)
        if fault == "lost-before":
            raise MaybeAppliedError(f"{method} {what} got no answer", code="NoAnswer")
        if ":" in fault:
            code, _, status = fault.partition(":")
            raise RejectedError(f"{method} {what} was answered {status} {code}", code=code, status=int(status))

        def ending() -> None:
            if fault == "lost-after":
                raise MaybeAppliedError(f"{method} {what} got no answer", code="NoAnswer")

        return ending


def _is_in(subscription_id: str, scope: GraphScope) -> bool:
    return not scope.subscriptions or subscription_id in scope.subscriptions


def _is(one: ConfigurationAssignment, machine_id: ResourceId, name: str) -> bool:
    return one.machine == machine_id and one.name.casefold() == name.casefold()


def _scope_key(subscription_id: str, resource_group: str | None, name: str) -> tuple[str, str, str]:
    return subscription_id.casefold(), (resource_group or "").casefold(), name.casefold()


def _key(one: DynamicScope) -> tuple[str, str, str]:
    return _scope_key(one.subscription_id, one.resource_group, one.name)
