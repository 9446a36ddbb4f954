"""Long-running operations as recorded: the poll's shape, its one Retry-After, the signed URL, how they end."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.emulator.core.conftest import Start

from arm_emulator.protocol.operation_polls import FIRST_POLL_RETRY_AFTER
from arm_emulator.protocol.operations import DURATIONS, quantile

VM = (
    "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-app/providers/Microsoft.Compute"
    "/virtualMachines/a"
)
V = "?api-version=2024-07-01"
CHANGE = {"properties": {"licenseType": "RHEL_BYOS"}}


def test_a_patch_from_start_to_end(start: Start, fleet: dict[str, Any]) -> None:
    """200 with the new values and Updating; InProgress with Retry-After once; Succeeded; the machine Succeeded."""
    client = start(fleet, lro_seconds=5)
    seen = client("PATCH", f"{VM}{V}", CHANGE)
    assert (seen.status, seen.json["properties"]["provisioningState"]) == (200, "Updating")
    assert seen.json["properties"]["licenseType"] == "RHEL_BYOS"
    assert seen.json["etag"] == '"3"'
    assert "Retry-After" not in seen.headers
    assert "Location" not in seen.headers
    url = seen.headers["Azure-AsyncOperation"]
    assert f"/operations/{seen.headers['x-ms-request-id']}?p=" in url
    assert len(url) > 3000
    first, second = client("GET", url), client("GET", url)
    assert (first.status, first.json["status"]) == (200, "InProgress")
    assert first.headers["Retry-After"] == "5"
    assert "Retry-After" not in second.headers
    assert list(first.json) == ["startTime", "status", "name"]
    client("POST", "/_emulator/clock", {"advance": "PT5S"})
    done = client("GET", url)
    assert list(done.json) == ["startTime", "endTime", "status", "name"]
    assert done.json == {
        "startTime": "2030-01-07T12:00:00+00:00",
        "endTime": "2030-01-07T12:00:05+00:00",
        "status": "Succeeded",
        "name": seen.headers["x-ms-request-id"],
    }
    after = client("GET", f"{VM}{V}").json
    assert (after["properties"]["provisioningState"], after["etag"]) == ("Succeeded", '"3"')


def test_the_first_poll_tells_a_recorded_wait(start: Start, fleet: dict[str, Any]) -> None:
    """Where the length of operations is drawn as recorded, so is the wait."""
    client = start(fleet)
    polled = client("GET", client("PATCH", f"{VM}{V}", CHANGE).headers["Azure-AsyncOperation"])
    assert int(polled.headers["Retry-After"]) in FIRST_POLL_RETRY_AFTER


@pytest.mark.parametrize(
    ("seconds", "speed", "told", "deleting"), [(1, 1, 1, 1), (7.2, 1, 8, 8), (20, 4, 5, 3), (0.1, 1, 1, 1)]
)
def test_no_client_is_told_to_wait_longer_than_operations_last(
    start: Start, fleet: dict[str, Any], seconds: float, speed: float, told: int, deleting: int
) -> None:
    """az and the SDKs sleep as the first poll says: half a minute for an operation that is over in a second."""
    client = start(fleet, lro_seconds=seconds, speed=speed)
    polled = client("GET", client("PATCH", f"{VM}{V}", CHANGE).headers["Azure-AsyncOperation"])
    assert (polled.json["status"], polled.headers["Retry-After"]) == ("InProgress", str(told))
    deleted = client("DELETE", f"{VM}{V}")
    assert deleted.headers["Retry-After"] == str(deleting)


def test_zero_seconds_succeed_at_the_first_poll(start: Start, fleet: dict[str, Any]) -> None:
    """For clients that would sleep 30 s otherwise."""
    client = start(fleet, lro_seconds=0)
    url = client("PATCH", f"{VM}{V}", CHANGE).headers["Azure-AsyncOperation"]
    polled = client("GET", url)
    assert polled.json["status"] == "Succeeded"
    assert "Retry-After" not in polled.headers


@pytest.mark.parametrize(
    ("bend", "status", "code"),
    [
        ({"result": "failed"}, "Failed", "InternalExecutionError"),
        ({"result": "failed", "error": {"code": "VMAgentStatusCommunicationError", "message": "m"}}, "Failed",
         "VMAgentStatusCommunicationError"),
        ({"result": "canceled"}, "Canceled", "OperationCanceled"),
    ],
)  # fmt: skip
def test_a_failure_is_still_http_200(
    start: Start, fleet: dict[str, Any], bend: dict[str, Any], status: str, code: str
) -> None:
    """The error stands in the operation's body; the machine is left in that state with the setting stored."""
    client = start(fleet, lro_seconds=5)
    rules = {"rules": [{"match": {"method": "PATCH"}, "do": {"operation": bend}}]}
    client("PUT", "/_emulator/faults", rules)
    url = client("PATCH", f"{VM}{V}", CHANGE).headers["Azure-AsyncOperation"]
    client("POST", "/_emulator/clock", {"advance": "PT5S"})
    polled = client("GET", url)
    assert (polled.status, polled.json["status"], polled.json["error"]["code"]) == (200, status, code)
    after = client("GET", f"{VM}{V}").json["properties"]
    assert (after["provisioningState"], after["licenseType"]) == (status, "RHEL_BYOS")


def test_a_hanging_operation_never_ends(start: Start, fleet: dict[str, Any]) -> None:
    """Not after a month either."""
    client = start(fleet, lro_seconds=5)
    client("PUT", "/_emulator/faults", {"rules": [{"do": {"operation": {"result": "hang"}}}]})
    url = client("PATCH", f"{VM}{V}", CHANGE).headers["Azure-AsyncOperation"]
    client("POST", "/_emulator/clock", {"advance": "P30D"})
    assert client("GET", url).json["status"] == "InProgress"


@pytest.mark.parametrize("part", ["&t=", "&c=", "&s=", "&h="])
def test_the_url_must_be_polled_verbatim(start: Start, fleet: dict[str, Any], part: str) -> None:
    """A client that drops or re-encodes the signed query finds nothing."""
    client = start(fleet)
    url = client("PATCH", f"{VM}{V}", CHANGE).headers["Azure-AsyncOperation"]
    seen = client("GET", url.replace(part, part + "x"))
    assert (seen.status, seen.json["error"]["message"]) == (404, "The entity was not found in this Azure location.")


def test_another_location_does_not_know_it(start: Start, fleet: dict[str, Any]) -> None:
    """Operations are regional."""
    client = start(fleet)
    url = client("PATCH", f"{VM}{V}", CHANGE).headers["Azure-AsyncOperation"]
    assert client("GET", url.replace("/westeurope/", "/eastus/")).code == "NotFound"


def test_drawn_durations_follow_the_recorded_ones() -> None:
    """PATCH: median 4.8 s, 90th percentile 10.8 s, none above 89 s (153 recorded)."""
    assert [round(quantile(DURATIONS["patch"], at), 6) for at in (0.5, 0.9, 1.0)] == [4.8, 10.8, 89.0]


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_quantiles_never_fall(at: list[float]) -> None:
    """A higher quantile is never a shorter operation."""
    values = [quantile(DURATIONS["install"], one) for one in sorted(at)]
    assert values == sorted(values)


def test_a_deleted_group_goes_when_its_operation_ends(start: Start, fleet: dict[str, Any]) -> None:
    """202 with Location; everything in the group is gone afterwards, nothing before."""
    client = start(fleet, lro_seconds=5)
    group = VM.partition("/providers/")[0]
    seen = client("DELETE", f"{group}?api-version=2021-04-01")
    assert (seen.status, seen.body) == (202, b"")
    assert client("GET", seen.headers["Location"]).status == 202
    assert client("GET", f"{VM}{V}").status == 200
    client("POST", "/_emulator/clock", {"advance": "PT5S"})
    assert client("GET", seen.headers["Location"]).status == 200
    assert client("GET", f"{VM}{V}").code == "ResourceGroupNotFound"
