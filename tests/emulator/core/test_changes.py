"""Resource Graph's ``resourcechanges``: one row for each write that changed a machine's patch settings."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.emulator.compute.caller import GROUP, PATH, SUBSCRIPTION, Caller, machine, patch_body

BLOCK = "properties.osProfile.windowsConfiguration.patchSettings"
BYPASS = f"{BLOCK}.automaticByPlatformSettings.bypassPlatformSafetyChecksOnUserSchedule"
TARGET: dict[str, Any] = {
    "patchMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
}
GRAPH = "/providers/Microsoft.ResourceGraph/resources"


def _rows(caller: Caller, query: str = "resourcechanges") -> list[dict[str, Any]]:
    answer = caller.call("POST", GRAPH, {"query": query}, version="2021-03-01")
    rows: list[dict[str, Any]] = answer.body["data"]
    return rows


def _changed(**switches: Any) -> Caller:
    caller = Caller.of(machine(), **switches)
    headers = {"user_agent": "HashiCorp Terraform/1.9", "x_ms_correlation_request_id": "c" * 8}
    assert caller.patch(PATH, patch_body(**TARGET), **headers).status == 200
    return caller


class TestRows:
    """Who, when, from what to what."""

    def test_a_write_leaves_a_row_as_documented(self) -> None:
        caller = _changed()
        row = _rows(caller)[0]
        attributes = row["properties"]["changeAttributes"]
        principal = caller.emulator.directory.default_account().principal
        assert row["type"] == "microsoft.resources/changes"
        assert row["id"] == f"{PATH}/providers/Microsoft.Resources/changes/{row['name']}"
        assert (row["subscriptionId"], row["resourceGroup"], row["location"]) == (SUBSCRIPTION, "rg", "westeurope")
        assert row["properties"]["targetResourceId"] == PATH
        assert row["properties"]["targetResourceType"] == "microsoft.compute/virtualmachines"
        assert row["properties"]["changeType"] == "Update"
        assert row["properties"]["changes"] == {
            f"{BLOCK}.patchMode": {
                "previousValue": "AutomaticByOS",
                "newValue": "AutomaticByPlatform",
                "changeCategory": "User",
                "propertyChangeType": "Update",
            },
            BYPASS: {
                "previousValue": "null",
                "newValue": "true",
                "changeCategory": "User",
                "propertyChangeType": "Insert",
            },
        }
        expected = {
            "changedBy": principal.client_id,
            "changedByType": "Application",
            "clientType": "Terraform",
            "operation": "microsoft.compute/virtualmachines/write",
            "correlationId": "c" * 8,
            "changesCount": 2,
        }
        assert {name: attributes[name] for name in expected} == expected
        assert attributes["timestamp"].endswith("Z")
        assert attributes["previousResourceSnapshotId"] != attributes["newResourceSnapshotId"]

    def test_the_same_row_is_told_each_time(self) -> None:
        caller = _changed()
        assert _rows(caller) == _rows(caller)

    def test_the_documentations_query_finds_it(self) -> None:
        query = (
            "resourcechanges | extend changeTime = todatetime(properties.changeAttributes.timestamp), "
            "targetResourceId = tostring(properties.targetResourceId), "
            "changedBy = tostring(properties.changeAttributes.changedBy) "
            f"| extend mode = properties.changes['{BLOCK}.patchMode'] | where isnotempty(mode) "
            "| where changeTime > ago(1d) | project targetResourceId, before = tostring(mode.previousValue)"
        )
        assert _rows(_changed(), query) == [{"targetResourceId": PATH, "before": "AutomaticByOS"}]

    def test_values_as_json_are_a_switch(self) -> None:
        change = _rows(_changed(change_values="json"))[0]["properties"]["changes"][BYPASS]
        assert (change["previousValue"], change["newValue"]) == (None, True)

    def test_naming_clients_is_a_switch(self) -> None:
        row = _rows(_changed(change_client_type="unknown"))[0]
        assert row["properties"]["changeAttributes"]["clientType"] == "Unknown"

    def test_what_went_is_removed(self) -> None:
        caller = _changed()
        caller.patch(PATH, patch_body(patchMode="AutomaticByOS"))
        changes = _rows(caller)[-1]["properties"]["changes"]
        assert (changes[BYPASS]["propertyChangeType"], changes[BYPASS]["newValue"]) == ("Remove", "null")


class TestWhichWrites:
    """Patch settings and tags only, accepted writes only, fourteen days only."""

    def test_other_and_refused_writes_leave_none(self) -> None:
        caller = Caller.of(machine())
        assert caller.patch(PATH, {"properties": {"licenseType": "Windows_Server"}}).status == 200
        assert caller.patch(PATH, patch_body(patchMode="ImageDefault")).status == 400
        assert caller.patch(PATH, patch_body(patchMode="AutomaticByOS")).status == 200
        assert _rows(caller) == []

    @pytest.mark.parametrize(("answer", "path"), [("tag", "tags.a"), ("tags", "tags")])
    def test_a_tag_leaves_one(self, answer: str, path: str) -> None:
        caller = Caller.of(machine(), change_tag_path=answer)
        assert caller.patch(PATH, {"tags": {"a": "b"}}).status == 200
        (row,) = _rows(caller)
        assert list(row["properties"]["changes"]) == [path]

    def test_they_are_kept_for_fourteen_days_and_until_a_reset(self) -> None:
        caller = _changed()
        caller.emulator.clock.advance(timedelta(days=13, hours=23))
        assert len(_rows(caller)) == 1
        caller.emulator.clock.advance(timedelta(hours=1))
        assert _rows(caller) == []
        again = _changed()
        again.emulator.reset()
        assert _rows(again) == []

    def test_they_lag_as_the_rest_of_resource_graph(self) -> None:
        caller = Caller.of(machine())
        caller.emulator.graph.lag_s = 60.0
        caller.patch(PATH, patch_body(**TARGET))
        assert _rows(caller) == []
        caller.emulator.clock.advance(timedelta(seconds=61))
        assert len(_rows(caller)) == 1

    def test_they_are_no_resources(self) -> None:
        """A comparison of two states must not see who asked when."""
        caller = _changed()
        assert {stored.type for stored in caller.emulator.state} == {
            "microsoft.compute/virtualmachines",
            "microsoft.resources/subscriptions",
            "microsoft.resources/subscriptions/resourcegroups",
        }

    @pytest.mark.parametrize(("scope", "count"), [(GROUP, 1), (f"{GROUP}x", 0)])
    def test_who_cannot_read_the_machine_cannot_read_its_changes(self, scope: str, count: int) -> None:
        reader = "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
        caller = _changed()
        principal = caller.emulator.directory.default_account().principal.object_id
        assignment = {
            "id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/55555555-5555-5555-5555-555555555555",
            "properties": {"principalId": principal, "roleDefinitionId": reader, "scope": scope},
        }
        caller.emulator.state.load({"name": "r", "type": "Microsoft.Authorization/roleAssignments", **assignment})
        assert len(_rows(caller)) == count


_settings = st.fixed_dictionaries(
    {},
    optional={
        "patchMode": st.sampled_from(["AutomaticByOS", "AutomaticByPlatform", "Manual"]),
        "assessmentMode": st.sampled_from(["ImageDefault", "AutomaticByPlatform"]),
        "automaticByPlatformSettings": st.fixed_dictionaries(
            {},
            optional={
                "rebootSetting": st.sampled_from(["IfRequired", "Never", "Always"]),
                "bypassPlatformSafetyChecksOnUserSchedule": st.booleans(),
            },
        ),
    },
)


def _leaves(value: Any, path: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return {key: leaf for name, part in value.items() for key, leaf in _leaves(part, f"{path}.{name}").items()}
    return {path: value}


def _shown(caller: Caller) -> dict[str, Any]:
    block = caller.get(PATH).body["properties"]["osProfile"]["windowsConfiguration"]
    return _leaves(block["patchSettings"], BLOCK)


@given(writes=st.lists(_settings, max_size=8))
def test_the_rows_lead_from_the_first_settings_to_the_last(writes: list[dict[str, Any]]) -> None:
    """Accepted or refused, quiet or not: replaying the rows over the first settings gives the last."""
    caller = Caller.of(machine(), change_values="json")
    settings = _shown(caller)
    for wanted in writes:
        block = {"properties": {"osProfile": {"windowsConfiguration": {"patchSettings": wanted}}}}
        assert caller.patch(PATH, block).status in (200, 400, 409)
    for row in _rows(caller):
        assert row["properties"]["changes"]
        for path, change in row["properties"]["changes"].items():
            assert settings.get(path) == change["previousValue"]
            if change["propertyChangeType"] == "Remove":
                del settings[path]
            else:
                settings[path] = change["newValue"]
    assert settings == _shown(caller)
