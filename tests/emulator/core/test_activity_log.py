"""The activity log: who wrote what, through which call, and how it ended.

Source of the expected members: "Activity Logs - List" of the public REST reference.
"""

from typing import Any

import pytest
from tests.emulator.core.conftest import START, SUBSCRIPTION, Client, Start, machine

from arm_emulator.directory import DEFAULT_CLIENT
from arm_emulator.profile import Profile

SUB = f"/subscriptions/{SUBSCRIPTION}"
VERSION = "?api-version=2024-07-01"
LOG = f"{SUB}/providers/Microsoft.Insights/eventtypes/management/values?api-version=2015-04-01"
SINCE = "eventTimestamp ge '2030-01-01T00:00:00.1234567Z'"
ASSESSED = {"properties": {"osProfile": {"linuxConfiguration": {"patchSettings": {"assessmentMode": "ImageDefault"}}}}}


def log(client: Client, where: str = SINCE, extra: str = "") -> list[dict[str, Any]]:
    found = client("GET", f"{LOG}&%24filter={where.replace(' ', '%20')}{extra}")
    assert found.status == 200, found.body
    entries: list[dict[str, Any]] = found.json["value"]
    return entries


def told(entries: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(entry["operationName"]["value"], entry["status"]["value"]) for entry in entries]


def test_a_write_says_who_wrote_and_how_its_operation_ended(start: Start) -> None:
    """Newest first; reads leave no event, and a machine's PATCH is accepted before it has succeeded."""
    vm = machine("a")
    vm["properties"]["osProfile"] = {"computerName": "a", "linuxConfiguration": {"provisionVMAgent": True}}
    client = start({"resources": [vm]}, lro_seconds=30)
    client("GET", f"{vm['id']}{VERSION}")
    # A query that comes by POST is a read as well.
    client("POST", f"{SUB}/providers/Microsoft.PolicyInsights/policyStates/latest/queryResults{VERSION}")
    assert log(client) == []
    patched = client("PATCH", f"{vm['id']}{VERSION}", ASSESSED)
    assert patched.status == 200
    write = "Microsoft.Compute/virtualMachines/write"
    assert told(log(client)) == [(write, "Accepted"), (write, "Started")]
    client("POST", "/_emulator/clock", {"advance": "PT1M"})
    ended, accepted, started = log(client)
    assert told([ended, accepted, started]) == [(write, "Succeeded"), (write, "Accepted"), (write, "Started")]
    assert ended["caller"] == DEFAULT_CLIENT
    assert ended["authorization"] == {"action": write, "scope": vm["id"]}
    assert ended["resourceId"] == vm["id"]
    assert (ended["resourceGroupName"], ended["resourceProviderName"]["value"]) == ("rg-app", "Microsoft.Compute")
    assert ended["resourceType"]["value"] == "microsoft.compute/virtualmachines"
    assert ended["correlationId"] == patched.headers["x-ms-correlation-request-id"]
    assert ended["httpRequest"]["method"] == "PATCH"
    assert (ended["level"], ended["subStatus"]["value"], ended["eventName"]["value"]) == (
        "Informational",
        "OK",
        "EndRequest",
    )
    assert started["eventName"]["value"] == "BeginRequest"
    assert ended["eventTimestamp"].startswith(f"{START:%Y-%m-%dT%H:%M}:30")
    assert len({entry["eventDataId"] for entry in (ended, accepted, started)}) == 3


def test_what_a_provider_refuses_has_failed_and_what_never_reached_it_is_not_there(start: Start) -> None:
    """400 is an event; a call without a sign-in, or one that is not emulated, is none."""
    vm = machine("a")
    client = start({"resources": [vm]}, lro_seconds=0)
    assert client("PATCH", f"{vm['id']}{VERSION}", {"tags": 5}).status == 400
    assert client("POST", f"{vm['id']}/runCommand{VERSION}", {}).status == 501
    failed, started = log(client)
    assert (failed["status"]["value"], failed["level"]) == ("Failed", "Error")
    assert (failed["subStatus"]["value"], failed["properties"]["statusCode"]) == ("BadRequest", "BadRequest")
    assert started["status"]["value"] == "Started"


def test_an_action_is_on_the_machine_and_a_plain_write_succeeds_at_once(start: Start) -> None:
    """Started, and ended in the same call."""
    vm = machine("a")
    client = start({"resources": [vm]}, lro_seconds=0)
    assert client("POST", f"{vm['id']}/start{VERSION}", {}).status == 202
    assert (
        client("PUT", f"{SUB}/resourceGroups/rg-new?api-version=2021-04-01", {"location": "westeurope"}).status == 201
    )
    entries = log(client)
    assert told(entries)[:2] == [
        ("Microsoft.Resources/subscriptions/resourceGroups/write", "Succeeded"),
        ("Microsoft.Resources/subscriptions/resourceGroups/write", "Started"),
    ]
    assert entries[0]["resourceGroupName"] == "rg-new"
    assert {entry["resourceId"] for entry in entries[2:]} == {vm["id"]}
    assert {entry["operationName"]["value"] for entry in entries[2:]} == {
        "Microsoft.Compute/virtualMachines/start/action"
    }


def test_filters_and_select(start: Start) -> None:
    """The filters of the reference, and what az adds to each of its calls."""
    one, two = machine("a"), machine("b")
    client = start({"resources": [one, two]}, lro_seconds=0)
    answers = [client("PATCH", f"{vm['id']}{VERSION}", {"tags": {"a": "b"}}) for vm in (one, two)]
    correlation = answers[0].headers["x-ms-correlation-request-id"]
    for where, ids in [
        (f"{SINCE} and resourceGroupName eq 'RG-APP'", {one["id"], two["id"]}),
        (f"{SINCE} and resourceGroupName eq 'other'", set()),
        (f"{SINCE} and resourceUri eq '{one['id'].upper()}'", {one["id"]}),
        (f"{SINCE} and correlationId eq '{correlation}'", {one["id"]}),
        (f"{SINCE} and resourceProvider eq 'Microsoft.Compute'", {one["id"], two["id"]}),
        (f"{SINCE} and eventChannels eq 'Admin, Operation'", {one["id"], two["id"]}),
        (f"{SINCE} and status eq 'Failed'", set()),
        ("eventTimestamp ge 2030-01-01T00:00:00Z and eventTimestamp le 2030-01-02T00:00:00Z", set()),
        ("eventTimestamp ge 2031-01-01", set()),
    ]:
        assert {entry["resourceId"] for entry in log(client, where)} == ids, where
    assert [set(entry) for entry in log(client, SINCE, "&%24select=caller,%20EventTimestamp")] == [
        {"caller", "eventTimestamp"}
    ] * 4


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 400, "BadRequest"),
        ("&%24filter=eventTimestamp%20ge%20soon", 400, "BadRequest"),
        (f"&%24filter={SINCE.replace(' ', '%20')}%20or%20caller%20eq%20%27x%27", 501, "NotEmulated"),
        ("&%24filter=level%20eq%20%27Error%27", 501, "NotEmulated"),
    ],
)
def test_a_filter_that_is_missing_or_not_known_is_refused(query: str, status: int, code: str, start: Start) -> None:
    """A filter that is dropped lists too much."""
    seen = start({"resources": [machine("a")]})("GET", LOG + query)
    assert (seen.status, seen.code) == (status, code)


def test_pages_switch_reset_and_ninety_days(start: Start) -> None:
    """As other lists; the caller by either id; gone after a reset and after ninety days."""
    vm = machine("a")
    profile = Profile(list_page_size=4, activity_log_caller="object")
    client = start({"resources": [vm]}, lro_seconds=0, profile=profile)
    for number in range(3):
        client("PATCH", f"{vm['id']}{VERSION}", {"tags": {"a": str(number)}})
    first = client("GET", f"{LOG}&%24filter={SINCE.replace(' ', '%20')}").json
    assert len(first["value"]) == 4
    rest = client("GET", first["nextLink"]).json
    assert (len(rest["value"]), "nextLink" in rest) == (2, False)
    assert first["value"][0]["caller"] == "44444444-4444-4444-4444-444444444444"
    client("POST", "/_emulator/clock", {"advance": "P91D"})
    assert log(client) == []
    client("PATCH", f"{vm['id']}{VERSION}", {"tags": {}})
    assert log(client)
    client("POST", "/_emulator/reset")
    assert log(client) == []
