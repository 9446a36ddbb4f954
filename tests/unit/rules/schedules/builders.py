"""Schedules, members and views for the tests of what is said about them."""

from datetime import UTC, datetime
from typing import Any

from tests.unit.rules.builders import SUBSCRIPTION, vm

from patchmode.model.machine import Machine
from patchmode.model.report import Member, ScheduleView
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import (
    GUEST_SCOPE,
    Forecast,
    MaintenanceConfiguration,
    NextWindow,
    RunForecast,
    ScheduleHit,
    Timing,
    Via,
    WindowRule,
)
from patchmode.rules.schedules.recurrence import next_window

NOW = datetime(2030, 1, 31, 22, 0, tzinfo=UTC)
NIGHTLY = WindowRule("2030-01-01 03:00", None, "02:00", "UTC", "Day")
RUNS = Forecast(RunForecast.RUNS, "it is prepared")


def configuration_id(name: str = "nightly") -> ResourceId:
    return ResourceId.parse(
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Maintenance/maintenanceConfigurations/{name}"
    )


def configuration(name: str = "nightly", **facts: Any) -> MaintenanceConfiguration:
    window = facts.pop("window", NIGHTLY)
    return MaintenanceConfiguration(
        configuration_id(name),
        facts.pop("location", "westeurope"),
        facts.pop("scope", GUEST_SCOPE),
        window=window,
        **facts,
    )


def machine(name: str) -> Machine:
    place = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/{name}"
    return vm(id=ResourceId.parse(place))


def member(
    name: str, forecast: Forecast = RUNS, *, schedule: str = "nightly", doubt: str | None = None, via: Via = Via.STATIC
) -> Member:
    hit = ScheduleHit(
        configuration_id(schedule),
        via,
        "the clause",
        "ring",
        NextWindow(Timing.COMING),
        doubt,
        "tag-case" if doubt else None,
    )
    return Member(machine(name), hit, forecast)


def view(*members: Member, name: str = "nightly", **facts: Any) -> ScheduleView:
    parts = {key: facts.pop(key) for key in ("assignments", "dynamic_scopes", "events") if key in facts}
    one = configuration(name, **facts)
    return ScheduleView(one, "in words", next_window(one.window, after=NOW), members, **parts)
