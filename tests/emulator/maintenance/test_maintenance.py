"""Maintenance configurations, assignments, dynamic scopes, and the refusal of an unprepared machine."""

from typing import Any

import pytest
from tests.emulator.compute.caller import GROUP, PATH, SUBSCRIPTION, TARGET, Caller, machine, patch_body

VERSION = "2023-04-01"
LOWER = GROUP.replace("/resourceGroups/", "/resourcegroups/")
CONFIGURATION = f"{LOWER}/providers/Microsoft.Maintenance/maintenanceConfigurations/Weekly"
ASSIGNMENT = f"{PATH}/providers/Microsoft.Maintenance/configurationAssignments/weekly"
SCOPE = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Maintenance/configurationAssignments/all"
PREPARED = machine(
    settings={
        "patchMode": "AutomaticByPlatform",
        "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
    }
)
WINDOW = {
    "startDateTime": "2024-04-30 08:00",
    "expirationDateTime": "9999-12-31 00:00",
    "duration": "02:00",
    "timeZone": "Pacific Standard Time",
    "recurEvery": "Week Saturday",
}
BODY: dict[str, Any] = {
    "location": "westeurope",
    "properties": {
        "maintenanceScope": "InGuestPatch",
        "extensionProperties": {"InGuestPatchMode": "User"},
        "maintenanceWindow": WINDOW,
        "installPatches": {"rebootSetting": "Always", "linuxParameters": {"classificationsToInclude": ["Other"]}},
    },
}
NOT_PREPARED = (
    '"Patch orchestration mode is not set to AutomaticByPlatform",'
    "The prerequisites to patch your machine were not met. "
    "Please set the patchMode to AutomaticByPlatform and bypassPlatformChecksOnUserSchedule as true."
)


PATCH_MODE = (
    "Extension properties must contain Patch mode. e.g. InGuestPatchMode = 'User' or InGuestPatchMode = 'Platform'"
)
BAD_MONTH = "Invalid maintenance window. Error: Monthly maintenance window is missing day of month or week of month."


def _caller(*documents: dict[str, Any], **switches: Any) -> Caller:
    caller = Caller.of(*documents, **switches)
    assert caller.put(CONFIGURATION, BODY, version=VERSION).status == 200
    return caller


def _assigned(configuration: str = CONFIGURATION) -> dict[str, Any]:
    return {"location": "westeurope", "properties": {"maintenanceConfigurationId": configuration}}


class TestConfigurations:
    """Synchronous, 200 always, and odd."""

    def test_a_put_answers_what_it_added(self) -> None:
        answer = Caller.of().put(CONFIGURATION, BODY, version=VERSION)
        assert answer.status == 200
        assert answer.body == {
            "location": "westeurope",
            "tags": {},
            "properties": {
                "extensionProperties": {"InGuestPatchMode": "User"},
                "maintenanceScope": "InGuestPatch",
                "maintenanceWindow": WINDOW,
                "visibility": "Custom",
                "installPatches": {
                    "rebootSetting": "AlwaysReboot",
                    "linuxParameters": {"classificationsToInclude": ["Other"]},
                },
                "configurationType": "Regular",
            },
            "id": CONFIGURATION,
            "name": "Weekly",
            "type": "Microsoft.Maintenance/maintenanceConfigurations",
        }

    def test_a_get_answers_the_providers_part_in_lower_case(self) -> None:
        answer = _caller().get(CONFIGURATION, version=VERSION)
        assert answer.body["id"] == f"{LOWER}/providers/microsoft.maintenance/maintenanceconfigurations/Weekly"

    def test_a_list_answers_the_providers_part_as_written(self) -> None:
        path = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Maintenance/maintenanceConfigurations"
        assert [item["id"] for item in _caller().get(path, version=VERSION).body["value"]] == [CONFIGURATION]

    def test_a_patch_keeps_what_it_leaves_out(self) -> None:
        caller = _caller()
        body = {"tags": {"a": "b"}, "properties": {"maintenanceWindow": {**WINDOW, "duration": "03:00"}}}
        answer = caller.patch(CONFIGURATION, body, version=VERSION).body
        assert (answer["tags"], answer["properties"]["maintenanceWindow"]["duration"]) == ({"a": "b"}, "03:00")
        assert answer["properties"]["installPatches"]["rebootSetting"] == "AlwaysReboot"

    def test_it_is_deleted_at_once(self) -> None:
        caller = _caller()
        assert [caller.call("DELETE", CONFIGURATION, version=VERSION).status for _ in range(2)] == [200, 204]
        assert caller.get(CONFIGURATION, version=VERSION).code == "ResourceNotFound"

    @pytest.mark.parametrize(
        ("change", "code", "message"),
        [
            (
                {"extensionProperties": {}},
                "InvalidRequestContent",
                PATCH_MODE,
            ),
            (
                {"maintenanceWindow": {**WINDOW, "recurEvery": "Month"}},
                "InvalidMaintenanceWindow",
                BAD_MONTH,
            ),
        ],
    )
    def test_a_refusal_has_capital_keys(self, change: dict[str, Any], code: str, message: str) -> None:
        body = {**BODY, "properties": {**BODY["properties"], **change}}
        answer = Caller.of().put(CONFIGURATION, body, version=VERSION)
        assert (answer.status, answer.body) == (400, {"Error": {"Code": code, "Message": message}})


class TestAttaching:
    """The refusal that this project exists for."""

    @pytest.mark.parametrize(
        "settings",
        [
            {"patchMode": "AutomaticByOS"},
            {"patchMode": "AutomaticByPlatform"},
            {
                "patchMode": "AutomaticByPlatform",
                "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": False},
            },
        ],
    )
    def test_an_unprepared_machine_is_refused_word_for_word(self, settings: dict[str, Any]) -> None:
        caller = _caller(machine(settings=settings))
        answer = caller.put(ASSIGNMENT, _assigned(), version=VERSION)
        assert answer.status == 400
        assert answer.body == {"error": {"code": "UnsupportedResourceOperation", "message": NOT_PREPARED}}
        assert caller.get(ASSIGNMENT, version=VERSION).status == 404

    def test_the_envelope_is_a_switch(self) -> None:
        caller = _caller(machine(), assignment_error_envelope="Error")
        answer = caller.put(ASSIGNMENT, _assigned(), version=VERSION)
        assert answer.body == {"Error": {"Code": "UnsupportedResourceOperation", "Message": NOT_PREPARED}}

    def test_the_strictness_is_a_switch(self) -> None:
        caller = _caller(machine(), assignment_prerequisites="unchecked")
        assert caller.put(ASSIGNMENT, _assigned(), version=VERSION).status == 200

    def test_after_the_one_patch_it_is_accepted(self) -> None:
        caller = _caller(machine())
        caller.patch(PATH, patch_body(**TARGET))
        assert caller.put(ASSIGNMENT, _assigned(), version=VERSION).status == 200

    @pytest.mark.parametrize("prerequisites", ["checked", "unchecked"])
    @pytest.mark.parametrize(("switch", "status"), [("accepted", 200), ("refused", 400)])
    def test_a_member_of_a_flexible_scale_set(self, switch: str, status: int, prerequisites: str) -> None:
        """Whatever becomes of machines that are not prepared: this one is."""
        document = {**PREPARED, "properties": {**PREPARED["properties"], "virtualMachineScaleSet": {"id": "/sets/s"}}}
        caller = _caller(document, assignment_to_flexible_member=switch, assignment_prerequisites=prerequisites)
        assert caller.put(ASSIGNMENT, _assigned(), version=VERSION).status == status

    def test_an_arc_machine_needs_no_preparation(self) -> None:
        path = f"{GROUP}/providers/Microsoft.HybridCompute/machines/arc1"
        caller = _caller({"id": path, "location": "westeurope", "properties": {}})
        assignment = f"{path}/providers/Microsoft.Maintenance/configurationAssignments/weekly"
        assert caller.put(assignment, _assigned(), version=VERSION).status == 200

    def test_a_configuration_of_another_scope_is_refused(self) -> None:
        caller = _caller(PREPARED)
        host = CONFIGURATION.replace("Weekly", "Host")
        caller.put(host, {"location": "westeurope", "properties": {"maintenanceScope": "Host"}}, version=VERSION)
        answer = caller.put(ASSIGNMENT, _assigned(host), version=VERSION)
        assert (answer.status, answer.code) == (400, "UnsupportedResourceOperation")
        assert answer.message != NOT_PREPARED

    def test_what_is_not_there_is_not_found(self) -> None:
        caller = _caller()
        assert caller.put(ASSIGNMENT, _assigned(), version=VERSION).status == 404
        assert _caller(PREPARED).put(ASSIGNMENT, _assigned(f"{CONFIGURATION}x"), version=VERSION).status == 404


class TestAssignments:
    """Recorded: what is lower-cased, what is missing, and since when."""

    def test_a_put_answers_lower_case_and_the_location(self) -> None:
        answer = _caller(PREPARED).put(ASSIGNMENT, _assigned(), version=VERSION)
        assert answer.body == {
            "location": "westeurope",
            "properties": {"maintenanceConfigurationId": CONFIGURATION.lower(), "resourceId": PATH.lower()},
            "id": f"{PATH.lower()}/providers/Microsoft.Maintenance/configurationAssignments/weekly",
            "name": "weekly",
            "type": "Microsoft.Maintenance/configurationAssignments",
        }

    def test_get_and_list_answer_the_callers_casing_and_no_location(self) -> None:
        caller = _caller(PREPARED)
        caller.put(ASSIGNMENT, _assigned(), version=VERSION)
        answer = caller.get(ASSIGNMENT, version=VERSION).body
        assert "location" not in answer
        assert answer["id"] == ASSIGNMENT
        assert caller.get(ASSIGNMENT.rpartition("/")[0], version=VERSION).body == {"value": [answer]}

    def test_the_old_preview_kept_the_casing_and_hid_the_resource(self) -> None:
        caller = _caller(PREPARED)
        put = caller.put(ASSIGNMENT, _assigned(), version="2021-09-01-preview").body
        assert put["properties"]["maintenanceConfigurationId"] == CONFIGURATION
        got = caller.get(ASSIGNMENT, version="2021-09-01-preview").body
        assert got["properties"] == {"maintenanceConfigurationId": CONFIGURATION}

    def test_it_is_stored_as_a_resource_and_goes_with_its_machine(self) -> None:
        caller = _caller(PREPARED)
        caller.put(ASSIGNMENT, _assigned(), version=VERSION)
        rows = list(caller.emulator.state.of_type("Microsoft.Maintenance/configurationAssignments"))
        assert [row.document["properties"]["resourceId"] for row in rows] == [PATH.lower()]
        caller.call("DELETE", PATH)
        caller.finish()
        assert not list(caller.emulator.state.of_type("Microsoft.Maintenance/configurationAssignments"))

    def test_deleting_answers_200_then_204(self) -> None:
        caller = _caller(PREPARED)
        caller.put(ASSIGNMENT, _assigned(), version=VERSION)
        assert [caller.call("DELETE", ASSIGNMENT, version=VERSION).status for _ in range(2)] == [200, 204]


DYNAMIC: dict[str, Any] = {
    "location": "global",
    "properties": {"maintenanceConfigurationId": CONFIGURATION, "filter": {"osTypes": ["windows"]}},
}


class TestDynamicScopes:
    """Stored with explicit nulls, whoever its members are."""

    def test_a_put_answers_nulls_and_lower_case(self) -> None:
        caller = _caller(machine())
        answer = caller.put(SCOPE, DYNAMIC, version=VERSION).body
        assert answer == {
            "location": "global",
            "properties": {
                "maintenanceConfigurationId": CONFIGURATION,
                "resourceId": f"/subscriptions/{SUBSCRIPTION}",
                "filter": {
                    "tagSettings": None,
                    "resourceTypes": None,
                    "locations": None,
                    "resourceGroups": None,
                    "osTypes": ["windows"],
                    "resourceIds": None,
                    "availabilityZones": None,
                },
            },
            "id": SCOPE.replace(
                "Microsoft.Maintenance/configurationAssignments", "microsoft.maintenance/configurationassignments"
            ),
            "name": "all",
            "type": "microsoft.maintenance/configurationassignments",
        }
        assert caller.get(SCOPE, version=VERSION).body == answer

    def test_a_patch_keeps_the_rest(self) -> None:
        caller = _caller()
        caller.put(SCOPE, DYNAMIC, version=VERSION)
        answer = caller.patch(SCOPE, {"properties": {"filter": {"locations": ["eastus"]}}}, version=VERSION).body
        assert answer["properties"]["maintenanceConfigurationId"] == CONFIGURATION
        assert answer["properties"]["filter"]["locations"] == ["eastus"]

    def test_without_a_filter_it_is_the_bare_500(self) -> None:
        body = {"location": "global", "properties": {"maintenanceConfigurationId": CONFIGURATION}}
        answer = _caller().put(SCOPE, body, version=VERSION)
        assert (answer.status, answer.body) == (500, {"Message": "An error has occurred."})

    @pytest.mark.parametrize(("switch", "status"), [("not-implemented", 501), ("listed", 200)])
    def test_the_list_of_a_subscription(self, switch: str, status: int) -> None:
        caller = _caller(assignments_of_subscription=switch)
        caller.put(SCOPE, DYNAMIC, version=VERSION)
        assert caller.get(SCOPE.rpartition("/")[0], version=VERSION).status == status

    def test_deleting_answers_200_then_204(self) -> None:
        caller = _caller()
        caller.put(SCOPE, DYNAMIC, version=VERSION)
        assert [caller.call("DELETE", SCOPE, version=VERSION).status for _ in range(2)] == [200, 204]
        assert caller.get(SCOPE, version=VERSION).status == 404


class TestBadInput:
    """Bodies that are none, and things that are not there."""

    @pytest.mark.parametrize("path", [CONFIGURATION, ASSIGNMENT, SCOPE])
    def test_a_body_that_is_no_object_is_refused(self, path: str) -> None:
        answer = _caller(PREPARED).put(path, [], version=VERSION)
        assert (answer.status, answer.code) == (400, "InvalidRequestContent")

    def test_an_assignment_needs_a_configuration(self) -> None:
        answer = _caller(PREPARED).put(ASSIGNMENT, {"properties": {}}, version=VERSION)
        assert (answer.status, answer.body["Error"]["Code"]) == (400, "InvalidRequestContent")

    def test_a_dynamic_scope_needs_one_that_is_there(self) -> None:
        body = {**DYNAMIC, "properties": {**DYNAMIC["properties"], "maintenanceConfigurationId": f"{CONFIGURATION}x"}}
        assert _caller().put(SCOPE, body, version=VERSION).status == 404

    def test_a_specialised_machine_is_not_prepared(self) -> None:
        document = machine(settings={})
        del document["properties"]["osProfile"]
        assert _caller(document).put(ASSIGNMENT, _assigned(), version=VERSION).code == "UnsupportedResourceOperation"

    def test_guest_patching_of_what_is_no_machine_is_refused(self) -> None:
        path = f"{GROUP}/providers/Microsoft.Compute/hostGroups/h/hosts/x"
        assignment = f"{path}/providers/Microsoft.Maintenance/configurationAssignments/weekly"
        assert _caller().put(assignment, _assigned(), version=VERSION).code == "UnsupportedResourceOperation"

    def test_a_configuration_without_a_window_has_none(self) -> None:
        body = {"location": "westeurope", "properties": {"maintenanceScope": "Host", "maintenanceWindow": {}}}
        answer = Caller.of().put(CONFIGURATION, body, version="2021-09-01-preview").body
        assert answer["properties"] == {
            "extensionProperties": {},
            "maintenanceScope": "Host",
            "visibility": "Custom",
            "configurationType": "Regular",
        }
