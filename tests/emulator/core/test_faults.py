"""Which call a fault strikes, and what it does. Connection faults are tested over a socket."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.emulator.core.conftest import Start

from arm_emulator.faults import Action, FaultError, FaultPlan, Faults, Matcher, Rule, faults_from
from arm_emulator.profile import Profile

SUB = "/subscriptions/22222222-2222-2222-2222-222222222222"
VM = f"{SUB}/resourceGroups/rg-app/providers/Microsoft.Compute/virtualMachines"
V = "?api-version=2024-07-01"


def struck(rule: Rule, calls: int, *, seed: int = 0) -> list[int]:
    faults = Faults(FaultPlan(rules=[rule], seed=seed))
    return [number for number in range(1, calls + 1) if faults.strike("GET", "/a") is not None]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule(do=Action()), [1, 2, 3, 4, 5]),
        (Rule(do=Action(), nth=3), [3]),
        (Rule(do=Action(), nth=[2, 4]), [2, 4]),
        (Rule(do=Action(), count=2), [1, 2]),
        (Rule(do=Action(), probability=0.0), []),
        (Rule(do=Action(), match=Matcher(method="PATCH")), []),
        (Rule(do=Action(), match=Matcher(method=["get", "put"])), [1, 2, 3, 4, 5]),
        (Rule(do=Action(), match=Matcher(path="/A")), [1, 2, 3, 4, 5]),
        (Rule(do=Action(), match=Matcher(path="/b*")), []),
    ],
)
def test_which_calls_are_struck(rule: Rule, expected: list[int]) -> None:
    """Counted from one, among those that match."""
    assert struck(rule, 5) == expected


@given(seed=st.integers(0, 1000), probability=st.floats(0.1, 0.9))
def test_chance_is_repeatable(seed: int, probability: float) -> None:
    """The same seed strikes the same calls."""
    rule = Rule(do=Action(), probability=probability)
    assert struck(rule, 50, seed=seed) == struck(rule, 50, seed=seed)


def test_the_first_rule_that_strikes_is_the_only_one() -> None:
    """A rule behind it does not even count the call."""
    faults = Faults(FaultPlan(rules=[Rule(do=Action(), name="one", nth=1), Rule(do=Action(), name="two", nth=1)]))
    names = [rule.name for rule in (faults.strike("GET", "/x"), faults.strike("GET", "/x")) if rule is not None]
    assert names == ["one", "two"]


@pytest.mark.parametrize(
    ("respond", "status", "body", "kind"),
    [
        ({"status": 503}, 503, b"", ""),
        ({"status": 503, "html": "<html>busy</html>"}, 503, b"<html>busy</html>", "text/html"),
        ({"status": 409, "json": {"error": {"code": "Conflict"}}}, 409, b'{"error":{"code":"Conflict"}}',
         "application/json; charset=utf-8"),
    ],
)  # fmt: skip
def test_made_up_answers(
    start: Start, fleet: dict[str, Any], respond: dict[str, Any], status: int, body: bytes, kind: str
) -> None:
    """JSON, HTML or nothing, and the call has no effect."""
    client = start(fleet)
    given_headers = {**respond, "headers": {"Retry-After": "7"}}
    rules = {"rules": [{"name": "busy", "match": {"method": "PATCH"}, "nth": 1, "do": {"respond": given_headers}}]}
    client("PUT", "/_emulator/faults", rules)
    seen = client("PATCH", f"{VM}/a{V}", {"tags": {"x": "y"}})
    assert (seen.status, seen.body, seen.headers.get("Content-Type", "")) == (status, body, kind)
    assert seen.headers["Retry-After"] == "7"
    assert "x-ms-request-id" in seen.headers
    assert client("GET", f"{VM}/a{V}").json["etag"] == '"2"'
    entry = client("GET", "/_emulator/requests").json["requests"][-2]
    assert (entry["status"], entry["fault"]) == (status, "busy")
    assert client("GET", "/_emulator/faults").json["rules"][0]["struck"] == 1


def test_a_made_up_answer_after_the_effect(start: Start, fleet: dict[str, Any]) -> None:
    """A 504 whose write was applied all the same."""
    client = start(fleet, lro_seconds=0)
    do = {"respond": {"status": 504, "json": {"error": {"code": "GatewayTimeout", "message": "m"}}}, "commit": True}
    client("PUT", "/_emulator/faults", {"rules": [{"match": {"method": "PATCH"}, "do": do}]})
    assert client("PATCH", f"{VM}/a{V}", {"tags": {"x": "y"}}).status == 504
    assert client("GET", f"{VM}/a{V}").json["etag"] == '"3"'


def test_a_delay_is_the_servers_business(start: Start, fleet: dict[str, Any]) -> None:
    """The answer carries it; nothing sleeps in here."""
    client = start(fleet)
    client("PUT", "/_emulator/faults", {"rules": [{"do": {"delaySeconds": 1.5}}]})
    assert client("GET", f"{VM}/a{V}").answer.delay_s == 1.5


def test_a_subscription_can_be_disabled(start: Start, fleet: dict[str, Any]) -> None:
    """From the very call that is struck."""
    client = start(fleet)
    client("PUT", "/_emulator/faults", {"rules": [{"match": {"method": "PATCH"}, "do": {"disableSubscription": True}}]})
    assert client("PATCH", f"{VM}/a{V}", {}).code == "ReadOnlyDisabledSubscription"
    assert client("GET", f"{SUB}{V}").json["state"] == "Disabled"


def test_resource_graph_can_go_stale(start: Start, fleet: dict[str, Any]) -> None:
    """From the struck call on."""
    client = start(fleet, lro_seconds=0)
    client("PUT", "/_emulator/faults", {"rules": [{"match": {"method": "PATCH"}, "do": {"staleGraphSeconds": 60}}]})
    client("PATCH", f"{VM}/a{V}", {"properties": {"licenseType": "RHEL_BYOS"}})
    query = "resources | where name == 'a' | project l = tostring(properties.licenseType)"
    assert client.graph(query).json["data"] == [{"l": ""}]
    client("POST", "/_emulator/clock", {"advance": "PT60S"})
    assert client.graph(query).json["data"] == [{"l": "RHEL_BYOS"}]


def test_somebody_else_changes_the_fleet(start: Start, fleet: dict[str, Any]) -> None:
    """Before the struck call is handled; Resource Graph follows at its own pace."""
    client = start(fleet)
    put = {**client("GET", f"{VM}/a{V}").json, "id": f"{VM}/new", "name": "new", "etag": '"7"'}
    do = {"meanwhile": {"put": [put], "delete": [f"{VM}/a"]}, "staleGraphSeconds": 60}
    client("PUT", "/_emulator/faults", {"rules": [{"nth": 1, "do": do}]})
    assert client("GET", f"{VM}/a{V}").status == 404
    assert client("GET", f"{VM}/new{V}").json["etag"] == '"7"'
    query = "resources | where name in ('a', 'new') | project name"
    assert client.graph(query).json["data"] == [{"name": "a"}]


def test_a_policy_modifies_a_body_on_its_way(start: Start, fleet: dict[str, Any]) -> None:
    """The provider and its answer know the modified body; the ledger what was sent. A body that is no object stays."""
    client = start(fleet, lro_seconds=0)
    do = {
        "modify": [
            {"operation": "remove", "field": "tags.x"},
            {"operation": "remove", "field": "absent.member"},
            {"operation": "addOrReplace", "field": "tags.cost", "value": "7"},
        ]
    }
    client("PUT", "/_emulator/faults", {"rules": [{"match": {"method": "PATCH"}, "do": do}]})
    assert client("PATCH", f"{VM}/a{V}", {"tags": {"x": "y", "z": "w"}}).json["tags"] == {"z": "w", "cost": "7"}
    entry = client("GET", "/_emulator/requests").json["requests"][-1]
    assert entry["requestBody"] == {"tags": {"x": "y", "z": "w"}}
    assert client("PATCH", f"{VM}/a{V}", []).status == 400


@pytest.mark.parametrize(("by", "expected"), [(0, "abcdef"), (1, "abdef"), (2, "abef"), (-1, "abbcdef"), (9, "ab")])
def test_pages_to_come_are_shifted(start: Start, fleet: dict[str, Any], by: int, expected: str) -> None:
    """Members are left out or shown twice; the pages that were read already stay as they were."""
    client = start(fleet, profile=Profile(list_page_size=2))
    machine = {name: value for name, value in client("GET", f"{VM}/a{V}").json.items() if name != "etag"}
    named = [{**machine, "id": f"{VM}/{name}", "name": name} for name in "abcdef"]
    reset = {**fleet, "resources": [one for one in fleet["resources"] if "/virtualMachines/" not in one["id"]] + named}
    client("POST", "/_emulator/reset", reset)
    client("PUT", "/_emulator/faults", {"rules": [{"nth": 2, "do": {"shiftPages": by}}]})
    seen, link = "", f"{VM}{V}"
    while link:
        page = client("GET", link).json
        seen += "".join(one["name"] for one in page["value"])
        link = page.get("nextLink", "").partition("localhost")[2].lstrip(":0123456789")
    assert seen == expected


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b'{"rules": [{"do": {"meanwhile": {"put": [{"name": "web"}]}}}]}',
        b'{"rule": []}',
        b'{"rules": [{}]}',
        b'{"rules": [{"do": {"respnd": {}}}]}',
        b'{"rules": [{"do": {"reset": "x"}}]}',
    ],
)
def test_a_wrong_plan_is_refused(start: Start, text: bytes) -> None:
    """A fault that is misspelled must not pass for none."""
    with pytest.raises(FaultError):
        faults_from(text)


def test_a_bare_list_is_its_rules() -> None:
    """The short form."""
    assert faults_from(b'[{"do": {"silence": true}}]').rules[0].do.silence
