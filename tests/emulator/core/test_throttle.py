"""Token buckets: never more than burst plus refill, headers that fall, and the recorded refusals."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.emulator.core.conftest import START, StandingTime, Start

from arm_emulator.clock import Clock
from arm_emulator.profile import Profile
from arm_emulator.protocol.http import ArmError, Principal, Request
from arm_emulator.protocol.routing import Route
from arm_emulator.protocol.throttle import (
    ARM_LIMITS,
    COMPUTE_LIMITS,
    Limit,
    Limits,
    Throttle,
    ThrottleError,
    limits_from,
)

SUB = "/subscriptions/22222222-2222-2222-2222-222222222222"
VM = f"{SUB}/resourceGroups/rg-app/providers/Microsoft.Compute/virtualMachines/a"
V = "?api-version=2024-07-01"
UPDATE = Route(
    "PATCH", "/subscriptions/{s}/providers/Microsoft.Compute/x/{n}", lambda *_: None, throttle=("UpdateVMResource",)
)  # type: ignore[arg-type,return-value]


def request(method: str = "PATCH", who: str = "p") -> Request:
    return Request(method, VM, {}, {}, None, "", Principal(who, who, "t"), "r", "c", "")


@given(
    burst=st.integers(1, 20),
    per_second=st.floats(0.1, 10),
    gaps=st.lists(st.floats(0, 3), min_size=1, max_size=120),
)
def test_a_bucket_never_gives_more_than_burst_and_refill(burst: int, per_second: float, gaps: list[float]) -> None:
    """Whatever the arrival pattern, the calls let through in time t are at most burst + rate * t."""
    time = StandingTime()
    limits = Limits(arm={**ARM_LIMITS, "writes": Limit(burst, per_second)})
    throttle = Throttle(Clock(START, monotonic=time), limits)
    passed = 0
    for gap in gaps:
        time.value += gap
        with suppress(ArmError):
            throttle.spend_arm(request(), "s")
            passed += 1
        # Datetimes count microseconds, so a bucket's time is exact to one of them for each call.
        assert passed <= burst + per_second * (time.value + 1e-6 * len(gaps)) + 1e-6


@given(wait_after=st.integers(0, 40))
def test_retry_after_is_enough(wait_after: int) -> None:
    """A client that waits as long as it is told gets through."""
    time = StandingTime()
    throttle = Throttle(Clock(START, monotonic=time), Limits())
    for _ in range(200):
        throttle.spend_arm(request(), "s")
    time.value += wait_after / 1000
    with pytest.raises(ArmError) as refused:
        throttle.spend_arm(request(), "s")
    time.value += int(refused.value.headers["Retry-After"])
    throttle.spend_arm(request(), "s")


@pytest.mark.parametrize(
    ("name", "burst", "per_minute"),
    [
        ("UpdateVMResource", 12, 4),
        ("UpdateVMSubscriptionMaximum", 1500, 500),
        ("PutVMResource", 12, 4),
        ("PutVMSubscriptionMaximum", 1500, 500),
        ("DeleteVMSubscriptionMaximum", 1500, 500),
        ("LowCostGetResource", 36, 12),
        ("LowCostGetSubscriptionMaximum", 24000, 8000),
        ("HighCostGetSubscriptionMaximum", 900, 300),
        ("GetOperationSubscriptionMaximum", 15000, 5000),
        ("VMGuestPatchOperationResource", 6, 2),
    ],
)
def test_compute_figures_are_the_published_ones(name: str, burst: int, per_minute: float) -> None:
    """The figures of Microsoft's "Compute throttling limits" page."""
    assert (COMPUTE_LIMITS[name].burst, round(COMPUTE_LIMITS[name].per_second * 60, 6)) == (burst, per_minute)


def test_twelve_updates_of_one_machine_then_a_refusal(start: Start, fleet: dict[str, Any], time: StandingTime) -> None:
    """The header counts down, the thirteenth call is refused with the bucket's name, and 15 s later one passes."""
    client = start(fleet, lro_seconds=0)
    left = []
    for _ in range(12):
        seen = client("PATCH", f"{VM}{V}", {"tags": {"n": str(_)}})
        assert seen.status == 200
        left.append(seen.headers["x-ms-ratelimit-remaining-resource"].split("UpdateVMResource;")[1])
    assert left == ["11", "10", "9", "8", "7", "6", "5", "4", "3", "2", "1", "0"]
    refused = client("PATCH", f"{VM}{V}", {"tags": {}})
    assert (refused.status, refused.code) == (429, "OperationNotAllowed")
    assert refused.headers["Retry-After"] == "15"
    error = refused.json["error"]
    assert error["innererror"] == {"internalErrorCode": "TooManyRequestsReceived"}
    assert (error["details"][0]["code"], error["details"][0]["target"]) == ("TooManyRequests", "UpdateVMResource")
    assert json.loads(error["details"][0]["message"])["operationGroup"] == "UpdateVMResource"
    assert b"\r\n" in refused.body
    assert client("PATCH", f"{VM[:-1]}b{V}", {"tags": {}}).status == 200
    time.value += 15
    assert client("PATCH", f"{VM}{V}", {"tags": {}}).status == 200


def test_retry_after_can_be_missing(start: Start, fleet: dict[str, Any]) -> None:
    """Users report Compute 429s without the header."""
    client = start(fleet, lro_seconds=0, profile=Profile(throttled_retry_after="absent"))
    for _ in range(12):
        client("PATCH", f"{VM}{V}", {"tags": {}})
    assert "Retry-After" not in client("PATCH", f"{VM}{V}", {"tags": {}}).headers


def test_front_door_refusal_has_the_recorded_wording(start: Start, fleet: dict[str, Any]) -> None:
    """The seconds are in the text as well as in the header."""
    client = start(fleet)
    for _ in range(250):
        assert client("GET", f"{SUB}/resourcegroups{V}").status == 200
    seen = client("GET", f"{SUB}/resourcegroups{V}")
    assert seen.json["error"] == {
        "code": "SubscriptionRequestsThrottled",
        "message": "Number of requests for subscription '22222222-2222-2222-2222-222222222222' and operation "
        "'GET/SUBSCRIPTIONS/RESOURCEGROUPS/' exceeded the backend storage limit. Please try again after '1' seconds.",
    }
    assert seen.headers["Retry-After"] == "1"


def test_waits_are_told_in_the_clients_seconds(start: Start, fleet: dict[str, Any]) -> None:
    """With the clock at tenfold speed a wait of 15 emulated seconds is 2 real ones."""
    client = start(fleet, speed=10, lro_seconds=0)
    for _ in range(12):
        client("PATCH", f"{VM}{V}", {"tags": {}})
    assert client("PATCH", f"{VM}{V}", {"tags": {}}).headers["Retry-After"] == "2"


def test_buckets_are_apart(start: Start) -> None:
    """Reads do not spend writes, nor one principal another's, nor one subscription another's."""
    throttle = Throttle(Clock(START, monotonic=StandingTime()), Limits())
    for _ in range(200):
        throttle.spend_arm(request(), "s")
    throttle.spend_arm(request("GET"), "s")
    throttle.spend_arm(request(who="q"), "s")
    throttle.spend_arm(request(), "other")
    with pytest.raises(ArmError):
        throttle.spend_arm(request(), "s")


def test_graph_quota_is_fifteen_in_five_seconds(start: Start, fleet: dict[str, Any], time: StandingTime) -> None:
    """The quota headers are on every answer, refused queries too; the window opens again."""
    client = start(fleet)
    seen = [client.graph("resources | count") for _ in range(15)]
    assert [int(one.headers["x-ms-user-quota-remaining"]) for one in seen] == list(range(14, -1, -1))
    assert seen[0].headers["x-ms-user-quota-resets-after"] == "00:00:05"
    time.value += 3
    refused = client.graph("resources | count")
    assert (refused.status, refused.headers["Retry-After"]) == (429, "2")
    assert refused.headers["x-ms-user-quota-remaining"] == "0"
    time.value += 2
    assert client.graph("resources | count").status == 200


def test_off_refuses_nothing(start: Start, fleet: dict[str, Any]) -> None:
    """Headers stay, at a full bucket."""
    client = start(fleet, limits=Limits(is_off=True), lro_seconds=0)
    seen = [client("PATCH", f"{VM}{V}", {"tags": {}}) for _ in range(30)]
    assert {one.status for one in seen} == {200}
    assert seen[-1].headers["x-ms-ratelimit-remaining-subscription-writes"] == "199"


def test_a_throttle_file_overlays_azure(tmp_path: Path) -> None:
    """What it leaves out stays Azure's."""
    path = tmp_path / "throttle.json"
    path.write_text('{"arm": {"writes": {"burst": 3}}, "providers": {"UpdateVMResource": {"perMinute": 60}}}')
    limits = limits_from(str(path))
    assert limits.arm["writes"] == Limit(3, 10)
    assert limits.providers["UpdateVMResource"] == Limit(12, 1)
    assert limits.arm["reads"] == ARM_LIMITS["reads"]


@pytest.mark.parametrize("text", ["{", '{"arms": {}}', '{"providers": {"UpdateVM": {}}}', "[]"])
def test_a_wrong_throttle_file_is_refused(tmp_path: Path, text: str) -> None:
    """A typing error must not pass for a setting."""
    path = tmp_path / "throttle.json"
    path.write_text(text)
    with pytest.raises(ThrottleError):
        limits_from(str(path))


def test_a_storm_empties_the_buckets(start: Start, fleet: dict[str, Any], make_machine: Callable[..., Any]) -> None:
    """The fault `throttleStorm` makes the very call that struck it fail."""
    client = start(fleet)
    client("GET", f"{SUB}/resourcegroups{V}")
    rules = {"rules": [{"match": {"path": "*/resourcegroups"}, "count": 1, "do": {"throttleStorm": True}}]}
    assert client("PUT", "/_emulator/faults", rules).status == 200
    assert client("GET", f"{SUB}/resourcegroups{V}").status == 429
