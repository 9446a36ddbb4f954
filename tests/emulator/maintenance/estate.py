"""Small estates with schedules, and ways to move the clock and to ask Resource Graph."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.emulator.compute.caller import GROUP, SUBSCRIPTION, Caller, machine

from arm_emulator.app import Emulator
from arm_emulator.clock import Clock
from arm_emulator.profile import Profile
from arm_emulator.protocol.throttle import Limits

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""A Monday."""
GRAPH = "/providers/Microsoft.ResourceGraph/resources"
PREPARED: dict[str, Any] = {
    "patchMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
}
MANAGED: dict[str, Any] = {"patchMode": "AutomaticByPlatform"}
RUNS = "microsoft.maintenance/maintenanceconfigurations/applyupdates"
MACHINE_RUNS = "microsoft.maintenance/applyupdates"


def vm_id(name: str) -> str:
    """The id of a machine."""
    return f"{GROUP}/providers/Microsoft.Compute/virtualMachines/{name}"


def configuration(name: str = "nightly", **changes: Any) -> dict[str, Any]:
    """A configuration with a daily window of three hours at 20:00 UTC; ``window`` and ``properties`` change it."""
    window = {
        "startDateTime": "2026-01-01 20:00",
        "expirationDateTime": "9999-12-31 00:00",
        "duration": "03:00",
        "timeZone": "UTC",
        "recurEvery": "Day",
        **changes.pop("window", {}),
    }
    properties = {
        "maintenanceScope": "InGuestPatch",
        "extensionProperties": {"InGuestPatchMode": "User"},
        "maintenanceWindow": {key: value for key, value in window.items() if value is not None},
        "installPatches": {"rebootSetting": "IfRequired"},
        **changes,
    }
    id_ = f"{GROUP}/providers/Microsoft.Maintenance/maintenanceConfigurations/{name}"
    return {"id": id_, "name": name, "location": "westeurope", "properties": properties}


def assigned(machine_id: str, name: str = "nightly", **properties: Any) -> dict[str, Any]:
    """A static assignment to the configuration of a name."""
    id_ = f"{machine_id.lower()}/providers/Microsoft.Maintenance/configurationAssignments/{name}"
    return {"id": id_, "properties": {"maintenanceConfigurationId": configuration(name)["id"].lower(), **properties}}


def scoped(name: str = "nightly", *, scope: str = f"/subscriptions/{SUBSCRIPTION}", **narrowed: Any) -> dict[str, Any]:
    """A dynamic scope of the configuration of a name, with a filter."""
    id_ = f"{scope}/providers/microsoft.maintenance/configurationassignments/dynamic"
    properties = {"maintenanceConfigurationId": configuration(name)["id"], "resourceId": scope, "filter": narrowed}
    return {"id": id_, "properties": properties}


def arc(name: str = "arc1", **properties: Any) -> dict[str, Any]:
    """An Arc server that is connected."""
    id_ = f"{GROUP}/providers/Microsoft.HybridCompute/machines/{name}"
    return {"id": id_, "location": "westeurope", "properties": {"osType": "linux", "status": "Connected", **properties}}


def with_members(*machines: dict[str, Any], **changes: Any) -> list[dict[str, Any]]:
    """Machines, all assigned to one nightly configuration."""
    return [configuration(**changes), *machines, *(assigned(one["id"]) for one in machines)]


class Estate:
    """An emulator at a known time, signed in to."""

    def __init__(
        self,
        *documents: dict[str, Any],
        at: datetime = NOW,
        guests: Sequence[dict[str, Any]] = (),
        past_days: int = 0,
        **switches: Any,
    ) -> None:
        self.clock = Clock(at, monotonic=lambda: 0.0)
        self.emulator = Emulator(
            clock=self.clock,
            fleet={
                "subscriptions": [{"subscriptionId": SUBSCRIPTION, "displayName": "t", "tenantId": SUBSCRIPTION}],
                "resources": list(documents),
                "guests": list(guests),
                "pastDays": past_days,
            },
            limits=Limits(is_off=True),
            lro_seconds=0,
            profile=Profile(**switches),
        )
        self.caller = Caller.signed_in(self.emulator)

    def advance(self, **by: float) -> "Estate":
        """Move the clock."""
        self.clock.advance(timedelta(**by))
        return self

    def ask(self, query: str) -> list[dict[str, Any]]:
        """The rows that a query answers."""
        answer = self.caller.call("POST", GRAPH, {"query": query, "options": {"$top": 1000}}, version="2021-03-01")
        assert answer.status == 200, answer.body
        rows: list[dict[str, Any]] = answer.body["data"]
        return rows

    def runs(self) -> list[dict[str, Any]]:
        """The properties of the runs, oldest first."""
        found = self.ask(f"maintenanceresources | where type == '{RUNS}' | order by name asc, id asc")
        return [row["properties"] for row in found]

    def parts(self) -> list[dict[str, Any]]:
        """The properties of the machines' rows."""
        found = self.ask(f"maintenanceresources | where type == '{MACHINE_RUNS}' | order by id asc")
        return [row["properties"] for row in found]

    def installs(self) -> list[dict[str, Any]]:
        """The properties of the installations."""
        query = "patchinstallationresources | where type !has 'softwarepatches' | order by id asc"
        return [{**row["properties"], "machine": row["id"].split("/")[8]} for row in self.ask(query)]

    def assessments(self) -> dict[str, dict[str, Any]]:
        """The properties of the newest assessments, by the machine's name."""
        query = "patchassessmentresources | where type !has 'softwarepatches'"
        return {row["id"].split("/")[8]: row["properties"] for row in self.ask(query)}

    def outcomes(self) -> dict[str, str]:
        """Machine → how its one run ended: ``Succeeded``, or the error's code."""
        parts = self.parts()
        found = {
            one["resourceId"].rsplit("/", 1)[-1]: one.get("errorDetails", {}).get("code", one["status"])
            for one in parts
        }
        assert len(found) == len(parts), "a machine has several rows"
        return found


def prepared(name: str = "vm1", system: str = "Windows", **changes: Any) -> dict[str, Any]:
    """A machine that a schedule can patch."""
    return machine(name, system, **{"settings": PREPARED, **changes})
