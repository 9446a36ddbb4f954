"""Schedules for the tests of the rules: configurations, hits and books, at a moment that stands still."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.unit.rules.builders import SUBSCRIPTION

from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import (
    ConfigurationAssignment,
    DynamicScope,
    MachineSchedules,
    MaintenanceConfiguration,
    NextWindow,
    ScheduleBook,
    ScheduleHit,
    ScopeFilter,
    Timing,
    Via,
    Window,
    WindowRule,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAILY = WindowRule("2026-01-01 22:00", None, "02:00", "W. Europe Standard Time", "Day")


def configuration_id(name: str = "weekly", subscription: str = SUBSCRIPTION) -> ResourceId:
    return ResourceId.parse(
        f"/subscriptions/{subscription}/resourceGroups/rg-schedules/providers"
        f"/Microsoft.Maintenance/maintenanceConfigurations/{name}"
    )


def configuration(name: str = "weekly", window: WindowRule = DAILY, **members: Any) -> MaintenanceConfiguration:
    plain = MaintenanceConfiguration(configuration_id(name), "westeurope", "InGuestPatch", "User", window)
    return replace(plain, **members)


def window(days: float = 1, *, minutes: int = 120) -> Window:
    """A window so many days after `NOW`."""
    start = NOW + timedelta(days=days)
    return Window(start, start + timedelta(minutes=minutes), start.astimezone(ZoneInfo("Europe/Berlin")))


def coming(days: float = 1, *, minutes: int = 120) -> NextWindow:
    return NextWindow(Timing.COMING, window(days, minutes=minutes))


def hit(name: str = "weekly", following: NextWindow | None = None, **members: Any) -> ScheduleHit:
    plain = ScheduleHit(configuration_id(name), Via.STATIC, f"assignment '{name}'", name, following or coming())
    return replace(plain, **members)


def attached(*hits: ScheduleHit) -> MachineSchedules:
    """Looked up, with these hits; a machine with one coming window where none is given."""
    return MachineSchedules(looked_up=True, hits=hits or (hit(),))


def scope_of(
    name: str = "prod",
    *,
    group: str | None = None,
    subscription: str = SUBSCRIPTION,
    to: str = "weekly",
    **members: Any,
) -> DynamicScope:
    return DynamicScope(name, subscription, group, configuration_id(to), ScopeFilter(**members))


def assignment(machine: ResourceId, to: str = "weekly", name: str = "by-hand") -> ConfigurationAssignment:
    return ConfigurationAssignment(name, machine, configuration_id(to))


def book(
    configurations: Sequence[MaintenanceConfiguration] = (),
    assignments: Sequence[ConfigurationAssignment] = (),
    scopes: Sequence[DynamicScope] = (),
    **members: Any,
) -> ScheduleBook:
    """A book that covers the one subscription."""
    seen = frozenset({SUBSCRIPTION})
    plain = ScheduleBook(tuple(configurations), tuple(assignments), tuple(scopes), covered=seen, visible=seen)
    return replace(plain, **members)
