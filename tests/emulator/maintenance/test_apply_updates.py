"""Apply updates, pending updates, the cancellation of a run, and public configurations."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.emulator.compute.caller import GROUP, PATH, SUBSCRIPTION, Answer, Caller, machine

from arm_emulator.app import Emulator
from arm_emulator.clock import Clock

VERSION = "2023-04-01"
CANCEL = "2023-09-01-preview"
LOWER = GROUP.replace("/resourceGroups/", "/resourcegroups/")
CONFIGURATION = f"{LOWER}/providers/Microsoft.Maintenance/maintenanceConfigurations/Weekly"
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
START = "20260302130000"
APPLY = "providers/Microsoft.Maintenance/applyUpdates"
PREPARED = {
    "patchMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
}


def _configuration(**changes: Any) -> dict[str, Any]:
    window = {
        "startDateTime": "2026-03-01 13:00",
        "duration": "02:00",
        "timeZone": "UTC",
        "recurEvery": "Day",
    }
    properties = {
        "maintenanceScope": "InGuestPatch",
        "extensionProperties": {"InGuestPatchMode": "User"},
        "maintenanceWindow": window,
        **changes,
    }
    return {"id": CONFIGURATION, "location": "westeurope", "properties": properties}


def _caller(*documents: dict[str, Any], **switches: Any) -> Caller:
    """An emulator whose clock stands at noon, an hour before the next run."""
    made = Caller.of(**switches)
    clock = Clock(NOW, monotonic=lambda: 0.0)
    fleet = {"subscriptions": [{"subscriptionId": SUBSCRIPTION, "displayName": "tests", "tenantId": SUBSCRIPTION}]}
    group = {"id": GROUP, "location": "westeurope", "properties": {}}
    emulator = Emulator(clock=clock, profile=made.emulator.profile, fleet={**fleet, "resources": [group, *documents]})
    emulator.tokens = made.emulator.tokens
    return Caller(emulator, made.token)


def _cancel(caller: Caller, stamp: str = START, *, version: str = CANCEL, status: str = "Cancel") -> Answer:
    return caller.put(f"{CONFIGURATION}/{APPLY}/{stamp}", {"properties": {"status": status}}, version=version)


class TestApplyUpdates:
    """Nothing is ever pending."""

    def test_a_put_answers_null(self) -> None:
        answer = _caller(machine()).put(f"{PATH}/{APPLY}/default", None, version=VERSION)
        assert (answer.status, answer.body, answer.headers["content-type"]) == (
            200,
            None,
            "application/json; charset=utf-8",
        )

    def test_a_get_answers_the_year_one(self) -> None:
        assert _caller(machine()).get(f"{PATH}/{APPLY}/default", version=VERSION).body == {
            "properties": {"status": "Completed", "resourceId": PATH, "lastUpdateTime": "0001-01-01T00:00:00"},
            "id": f"{PATH}/{APPLY}/default",
            "name": "default",
            "type": "Microsoft.Maintenance/applyUpdates",
        }

    def test_pending_updates_are_none(self) -> None:
        path = f"{PATH}/providers/Microsoft.Maintenance/updates"
        assert _caller(machine()).get(path, version=VERSION).body == {"value": []}

    def test_a_machine_that_is_not_there(self) -> None:
        caller = _caller()
        for method, path in (("PUT", f"{APPLY}/default"), ("GET", f"{APPLY}/default"), ("GET", "providers/x/updates")):
            place = path.replace("providers/x", "providers/Microsoft.Maintenance")
            assert caller.call(method, f"{PATH}/{place}", version=VERSION).code == "ResourceNotFound"
        assert _caller(machine()).get(f"{PATH}/{APPLY}/other", version=VERSION).code == "ResourceNotFound"

    @pytest.mark.parametrize(("switch", "status"), [("not-implemented", 501), ("listed", 200)])
    def test_the_list_of_a_subscription(self, switch: str, status: int) -> None:
        caller = _caller(apply_updates_list=switch)
        for scope in (f"/subscriptions/{SUBSCRIPTION}", GROUP):
            answer = caller.get(f"{scope}/{APPLY}", version=VERSION)
            assert answer.status == status
            assert answer.body == {"value": []} or status == 501


class TestRunsThatTookPlace:
    """A machine's runs are apply updates of it too."""

    def test_they_are_found_by_list_and_by_name(self) -> None:
        assignment = {
            "id": f"{PATH}/providers/Microsoft.Maintenance/configurationAssignments/a",
            "properties": {"maintenanceConfigurationId": CONFIGURATION.lower(), "resourceId": PATH.lower()},
        }
        caller = _caller(_configuration(), machine(settings=PREPARED), assignment, apply_updates_list="listed")
        caller.emulator.clock.advance(timedelta(hours=4))
        listed = caller.get(f"/subscriptions/{SUBSCRIPTION}/{APPLY}", version=VERSION).body["value"]
        assert [row["properties"]["status"] for row in listed] == ["Completed"]
        assert caller.get(listed[0]["id"], version=VERSION).body == listed[0]
        assert caller.get(f"{GROUP}/{APPLY}", version=VERSION).body["value"] == listed


class TestCancelling:
    """One coming run of a configuration, by its start."""

    def test_the_answer_names_the_configuration(self) -> None:
        caller = _caller(_configuration())
        expected = {
            "properties": {"status": "Cancelled", "resourceId": CONFIGURATION},
            "id": f"{LOWER}/providers/microsoft.maintenance/maintenanceconfigurations/weekly"
            f"/providers/microsoft.maintenance/applyupdates/{START}",
            "name": "Weekly",
            "type": "Microsoft.Maintenance/applyUpdates",
        }
        answer = _cancel(caller)
        assert (answer.status, answer.body) == (200, expected)
        assert caller.get(f"{CONFIGURATION}/{APPLY}/{START}", version=CANCEL).body == expected

    def test_resource_graph_shows_it_as_a_run_of_the_configuration(self) -> None:
        caller = _caller(_configuration())
        _cancel(caller)
        query = {"query": "maintenanceresources | project type, name, status = tostring(properties.status)"}
        answer = caller.call("POST", "/providers/Microsoft.ResourceGraph/resources", query, version="2021-03-01")
        assert answer.body["data"] == [
            {
                "type": "microsoft.maintenance/maintenanceconfigurations/applyupdates",
                "name": START,
                "status": "Cancelled",
            }
        ]

    def test_the_run_does_not_touch_its_machines(self) -> None:
        assignment = {
            "id": f"{PATH}/providers/Microsoft.Maintenance/configurationAssignments/a",
            "properties": {"maintenanceConfigurationId": CONFIGURATION.lower(), "resourceId": PATH.lower()},
        }
        caller = _caller(_configuration(), machine(settings=PREPARED), assignment)
        _cancel(caller)
        caller.emulator.clock.advance(timedelta(days=2))
        query = {"query": "patchinstallationresources | where type endswith 'results' | summarize n = count()"}
        answer = caller.call("POST", "/providers/Microsoft.ResourceGraph/resources", query, version="2021-03-01")
        assert answer.body["data"] == [{"n": 1}]

    @pytest.mark.parametrize(
        "stamp", ["20260302130001", "20260302120000", "20260301130000", "2026030213", "20261302130000", "default"]
    )
    def test_what_is_no_coming_run(self, stamp: str) -> None:
        caller = _caller(_configuration())
        answer = _cancel(caller, stamp)
        assert (answer.status, answer.body["Error"]["Code"]) == (400, "InvalidRequestContent")
        assert caller.get(f"{CONFIGURATION}/{APPLY}/{stamp}", version=CANCEL).status == 404

    @pytest.mark.parametrize(
        ("minutes", "switch", "status"),
        [
            (50, "refused", 200),
            (51, "refused", 400),
            (51, "accepted", 200),
            (59, "accepted", 200),
            (60, "accepted", 400),
        ],
    )
    def test_the_last_ten_minutes(self, minutes: int, switch: str, status: int) -> None:
        """Recorded as accepted seven and a half minutes ahead; the documentation says ten."""
        caller = _caller(_configuration(), late_cancel=switch)
        caller.emulator.clock.advance(timedelta(minutes=minutes))
        assert _cancel(caller).status == status

    def test_other_words_versions_and_scopes(self) -> None:
        assert _cancel(_caller(_configuration()), status="Pending").status == 400
        assert _cancel(_caller(_configuration()), version=VERSION).status == 400
        assert _cancel(_caller()).status == 404
        host = _cancel(_caller(_configuration(maintenanceScope="Host")))
        assert (host.status, host.code) == (400, "UnsupportedResourceOperation")


class TestPublicConfigurations:
    """Offered to every subscription, below whose id they show."""

    def test_get_and_list(self) -> None:
        base = "providers/Microsoft.Maintenance/publicMaintenanceConfigurations"
        elsewhere = "/subscriptions/22222222-2222-2222-2222-222222222222"
        properties = {"maintenanceScope": "SQLDB", "visibility": "Public"}
        caller = _caller({"id": f"{elsewhere}/{base}/sql3", "location": "eastus", "properties": properties})
        mine = f"/subscriptions/{SUBSCRIPTION}/{base}"
        shown = caller.get(f"{mine}/SQL3", version=VERSION).body
        assert shown == {
            "id": f"{mine}/sql3",
            "name": "sql3",
            "type": "Microsoft.Maintenance/publicMaintenanceConfigurations",
            "location": "eastus",
            "properties": properties,
        }
        assert caller.get(mine, version=VERSION).body == {"value": [shown]}
        assert caller.get(f"{mine}/none", version=VERSION).code == "ResourceNotFound"
