"""Arc machines: read as loaded, periodic assessment set, everything else refused by name."""

from datetime import timedelta
from typing import Any

import pytest
from tests.emulator.compute.caller import GROUP, HOST, SUBSCRIPTION, Caller

MACHINES = "/providers/Microsoft.HybridCompute/machines"
PATH = f"{GROUP}{MACHINES}/arc1"
ARC: dict[str, Any] = {
    "id": PATH,
    "name": "arc1",
    "location": "westeurope",
    "tags": {},
    "type": "Microsoft.HybridCompute/machines",
    "properties": {
        "status": "Connected",
        "osType": "windows",
        "osProfile": {
            "windowsConfiguration": {"patchSettings": {"patchMode": "Manual", "assessmentMode": "ImageDefault"}}
        },
    },
}


def _assessment(mode: str, system: str = "windowsConfiguration") -> dict[str, Any]:
    return {"properties": {"osProfile": {system: {"patchSettings": {"assessmentMode": mode}}}}}


def test_it_is_read_and_listed_as_loaded() -> None:
    """Both lists give the document itself."""
    caller = Caller.of(ARC)
    assert caller.get(PATH).body == ARC
    for path in (f"{GROUP}{MACHINES}", f"/subscriptions/{SUBSCRIPTION}{MACHINES}"):
        assert caller.get(path).body == {"value": [ARC]}
    assert caller.get(f"{PATH}x").code == "ResourceNotFound"


def test_the_assessment_mode_is_set_at_once() -> None:
    """200, synchronous, the patch mode beside it untouched."""
    caller = Caller.of(ARC)
    answer = caller.patch(PATH, _assessment("automaticbyplatform"))
    assert (answer.status, "azure-asyncoperation" in answer.headers) == (200, False)
    settings = caller.get(PATH).body["properties"]["osProfile"]["windowsConfiguration"]["patchSettings"]
    assert settings == {"patchMode": "Manual", "assessmentMode": "AutomaticByPlatform"}


def test_a_machine_without_settings_gets_them() -> None:
    """Arc machines that nobody configured have an empty osProfile."""
    bare = {**ARC, "properties": {"osProfile": {}}}
    answer = Caller.of(bare).patch(PATH, _assessment("ImageDefault", "linuxConfiguration"))
    assert answer.body["properties"]["osProfile"] == {
        "linuxConfiguration": {"patchSettings": {"assessmentMode": "ImageDefault"}}
    }


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (
            {"properties": {"osProfile": {"windowsConfiguration": {"patchSettings": {"patchMode": "X"}}}}},
            501,
            "NotEmulated",
        ),
        ({"properties": {"osProfile": {"computerName": "x"}}}, 501, "NotEmulated"),
        ({"properties": {"agentUpgrade": "1.50"}}, 501, "NotEmulated"),
        ({"identity": {"type": "UserAssigned"}}, 501, "NotEmulated"),
        (_assessment("Sometimes"), 400, "InvalidParameter"),
        ([], 400, "InvalidRequestContent"),
    ],
)
def test_any_other_write_is_refused_and_changes_nothing(body: Any, status: int, code: str) -> None:
    """Never a plausible guess."""
    caller = Caller.of(ARC)
    answer = caller.patch(PATH, body)
    assert (answer.status, answer.code) == (status, code)
    assert caller.get(PATH).body == ARC


def test_tags_are_replaced() -> None:
    """The other thing that a PATCH of an Arc machine is used for."""
    assert Caller.of(ARC).patch(PATH, {"tags": {"a": "b"}}).body["tags"] == {"a": "b"}


def test_its_extensions_are_those_of_the_fleet() -> None:
    """`az connectedmachine extension list`: an honest empty page where there is none."""
    extension = {
        "id": f"{PATH}/extensions/AzureMonitorWindowsAgent",
        "name": "AzureMonitorWindowsAgent",
        "type": "Microsoft.HybridCompute/machines/extensions",
        "location": "westeurope",
        "properties": {"type": "AzureMonitorWindowsAgent", "provisioningState": "Succeeded"},
    }
    other = {**extension, "id": extension["id"].replace("arc1", "arc2")}
    caller = Caller.of(ARC, extension, other)
    assert caller.get(f"{PATH}/extensions").body == {"value": [extension]}
    assert caller.get(f"{PATH}/extensions/azuremonitorwindowsagent").body == extension
    assert caller.get(f"{PATH}/extensions/none").code == "ResourceNotFound"
    assert caller.get(f"{PATH}x/extensions").code == "ResourceNotFound"
    assert Caller.of(ARC).get(f"{PATH}/extensions").body == {"value": []}


def test_it_is_assessed_on_demand() -> None:
    """202, a status and a result with a path each, the counts by classification.

    Recorded of this provider: queued in the first second, URLs in every answer until the end, and then the result
    itself as ``properties``, without an end time.
    """
    caller = Caller.of(ARC, lro_seconds=60)
    accepted = caller.call("POST", f"{PATH}/assessPatches", {})
    assert accepted.status == 202
    status, result = (accepted.headers[name].partition(HOST)[2] for name in ("azure-asyncoperation", "location"))
    assert "/providers/Microsoft.HybridCompute/locations/westeurope/operationstatus/" in status
    assert "/providers/Microsoft.HybridCompute/locations/westeurope/operationresults/" in result
    assert caller.get(status).body["status"] == "Queued"
    caller.emulator.clock.advance(timedelta(seconds=2))
    running = caller.get(status)
    assert list(running.body) == ["name", "status", "startTime"]
    assert (running.body["status"], running.body["startTime"][-1]) == ("InProgress", "Z")
    assert {"azure-asyncoperation", "location"} <= set(running.headers)
    assert caller.get(result).status == 202
    caller.finish()
    ended = caller.get(status)
    assert list(ended.body) == ["name", "status", "startTime", "properties"]
    assert (ended.body["status"], "location" in ended.headers) == ("Succeeded", False)
    found = caller.get(result).body
    assert found == ended.body["properties"]
    assert (found["status"], found["osType"], found["patchServiceUsed"]) == ("Succeeded", "Windows", "WU")
    assert set(found["availablePatchCountByClassification"]) <= {"critical", "security", "updateRollup", "updates"}


@pytest.mark.parametrize(("machine", "code"), [(f"{PATH}x", "ResourceNotFound"), (PATH, "OperationNotAllowed")])
def test_a_machine_that_is_not_there_or_not_connected_is_not_assessed(machine: str, code: str) -> None:
    gone = {**ARC, "properties": {**ARC["properties"], "status": "Disconnected"}}
    assert Caller.of(gone).call("POST", f"{machine}/assessPatches", {}).code == code


def test_an_update_as_az_sends_it() -> None:
    """`az connectedmachine update`: where it stands and its links are kept as sent, its identity is its own."""
    held = {"type": "SystemAssigned", "principalId": "p", "tenantId": "t"}
    caller = Caller.of({**ARC, "identity": held})
    place = {"name": "Rack 7", "city": "Zürich", "countryOrRegion": "CH"}
    scope = f"{GROUP}/providers/Microsoft.HybridCompute/privateLinkScopes/s"
    sent = {"LocationData": place, "privateLinkScopeResourceId": scope}
    answer = caller.patch(PATH, {"identity": {"type": "SystemAssigned"}, "properties": sent})
    assert answer.status == 200
    found = caller.get(PATH).body
    assert (found["properties"]["locationData"], found["properties"]["privateLinkScopeResourceId"]) == (place, scope)
    assert found["identity"] == held
    assert caller.patch(PATH, {"identity": {"type": "None"}}).code == "NotEmulated"


def test_a_change_says_updating_and_the_next_read_that_it_is_over() -> None:
    """Recorded of a PATCH that gave a machine its identity: no operation, no ``resources`` in the answer."""
    stood = {
        **ARC,
        "identity": {"type": "None", "tenantId": "t"},
        "properties": {**ARC["properties"], "provisioningState": "Succeeded"},
        "resources": [],
    }
    caller = Caller.of(stood)
    answer = caller.patch(PATH, {"identity": {"type": "SystemAssigned"}})
    assert (answer.status, "azure-asyncoperation" in answer.headers, "resources" in answer.body) == (200, False, False)
    assert answer.body["properties"]["provisioningState"] == "Updating"
    found = caller.get(PATH).body
    assert found["properties"] == stood["properties"]
    assert (found["identity"]["type"], found["identity"]["tenantId"], found["resources"]) == ("SystemAssigned", "t", [])
    assert found["identity"] == answer.body["identity"]
    assert found["identity"]["principalId"]


def test_a_machine_is_deleted_with_its_extensions() -> None:
    """Recorded: 200 without a body, at once."""
    extension = {"id": f"{PATH}/extensions/e", "name": "e", "location": "westeurope", "properties": {}}
    caller = Caller.of(ARC, extension)
    assert caller.call("DELETE", PATH, None).status == 200
    assert caller.get(PATH).code == "ResourceNotFound"
    assert caller.get(f"{GROUP}{MACHINES}").body == {"value": []}
    assert not list(caller.emulator.state.of_type("Microsoft.HybridCompute/machines/extensions"))
    assert caller.call("DELETE", PATH, None).status == 204


def test_the_wanted_version_of_the_agent_is_kept_and_nothing_is_upgraded() -> None:
    """`az connectedmachine update --agent-upgrade`: three members may be written, the others are the agent's."""
    last = {"lastAttemptStatus": "Success", "lastAttemptDesiredVersion": "1.47"}
    before = {**ARC, "properties": {**ARC["properties"], "agentVersion": "1.47", "agentUpgrade": last}}
    sent = {"desiredVersion": "1.50", "enableAutomaticUpgrade": False, "lastAttemptStatus": "Failed"}
    caller = Caller.of(before)
    answer = caller.patch(PATH, {"properties": {"agentUpgrade": sent, "cloudMetadata": {"provider": "x"}}})
    found = caller.get(PATH).body
    assert (answer.status, answer.body) == (200, found)
    assert found["properties"] == {
        **before["properties"],
        "agentUpgrade": {**last, "desiredVersion": "1.50", "enableAutomaticUpgrade": False},
    }
