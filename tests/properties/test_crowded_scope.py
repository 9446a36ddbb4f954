"""A dynamic scope that matches more machines than Azure lets it take, under both answers of the emulator."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from tests.properties.scheduled_fleets import HERE, Fleet
from tests.properties.test_prediction_against_emulator import emulated
from tests.properties.within import Product

from arm_emulator.profile import Profile
from patchmode.model.outcome import OutcomeKind
from patchmode.rules.schedules.forecast import predict
from patchmode.rules.schedules.memberships import ScheduleIndex

NOW = datetime(2026, 3, 5, 10, 7, tzinfo=UTC)
GROUP = f"/subscriptions/{HERE}/resourceGroups/rg-web/providers"
CONFIGURATION = f"{GROUP}/Microsoft.Maintenance/maintenanceConfigurations/nightly"


def _server(number: int) -> dict[str, Any]:
    name = f"srv-{number:04}"
    return {
        "id": f"{GROUP}/Microsoft.HybridCompute/machines/{name}",
        "name": name,
        "type": "Microsoft.HybridCompute/machines",
        "location": "westeurope",
        "tags": {},
        "properties": {"provisioningState": "Succeeded", "status": "Connected", "osType": "linux"},
    }


def _schedule() -> list[dict[str, Any]]:
    window = {
        "startDateTime": "2026-03-01 22:00",
        "duration": "02:00",
        "timeZone": "UTC",
        "recurEvery": "Day",
    }
    return [
        {
            "id": CONFIGURATION,
            "name": "nightly",
            "type": "Microsoft.Maintenance/maintenanceConfigurations",
            "location": "westeurope",
            "properties": {
                "maintenanceScope": "InGuestPatch",
                "extensionProperties": {"InGuestPatchMode": "User"},
                "maintenanceWindow": window,
                "visibility": "Custom",
                "installPatches": {"rebootSetting": "IfRequired"},
            },
        },
        {
            "id": f"/subscriptions/{HERE}/providers/microsoft.maintenance/configurationassignments/all",
            "name": "all",
            "type": "microsoft.maintenance/configurationassignments",
            "location": "global",
            "properties": {
                "maintenanceConfigurationId": CONFIGURATION,
                "resourceId": f"/subscriptions/{HERE}",
                "filter": {"osTypes": ["Linux"]},
            },
        },
    ]


@pytest.mark.parametrize(
    ("count", "answer", "ran"), [(1000, "first-thousand", 1000), (1005, "first-thousand", 1000), (1005, "all", 1005)]
)
def test_nobody_is_promised_a_run_beyond_the_limit(
    count: int, answer: Literal["first-thousand", "all"], ran: int
) -> None:
    """Up to 1,000 all are certain and run; beyond, which of them run is the cloud's secret."""
    resources = (*map(_server, range(count)), *_schedule())
    fleet = Fleet(resources, NOW, Profile(dynamic_scope_over_limit=answer), {}, {}, {})
    emulator = emulated(fleet)
    product = Product(emulator)
    machines = product.machines()
    assert len(machines) == count
    index = ScheduleIndex(product.book((HERE,)), now=NOW, machines=machines)
    told = [predict(machine.settings, machine, index.schedules_of(machine)) for machine in machines]
    rules = {hit.doubt_rule for machine in machines for hit in index.schedules_of(machine).hits}
    if count > 1000:
        assert {outcome.kind for outcome in told} == {OutcomeKind.UNKNOWN}
        assert rules == {"dynamic-scope-limit"}
    else:
        assert {outcome.kind for outcome in told} == {OutcomeKind.SCHEDULED}
        assert rules == {None}
    emulator.clock.advance(timedelta(days=1))
    runs, _ = product.recorded(NOW)
    assert len({run.machine for run in runs}) == ran
