"""Clock, routes, ids, profile, fleets, filters, control plane: one table each."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.emulator.core.conftest import START, SUBSCRIPTION, StandingTime, Start, machine

from arm_emulator.app import Emulator
from arm_emulator.clock import Clock
from arm_emulator.demo_fleet import demo_fleet, small_fleet
from arm_emulator.durations import iso_duration
from arm_emulator.fleet_generator import fleet_document, write_fleet
from arm_emulator.fleets import FleetError, checked
from arm_emulator.named_fleets import read_fleet
from arm_emulator.profile import Profile, ProfileError, describe, load_profile, profile_from
from arm_emulator.protocol.front_door import authorization_scope
from arm_emulator.protocol.http import ArmError
from arm_emulator.protocol.routing import Route, Router
from arm_emulator.providers.odata import parse_filter
from arm_emulator.resource_id import parse_id
from arm_emulator.state import State


def test_callbacks_run_in_order_and_see_their_own_moment() -> None:
    """Also those that a callback adds, as long as they fall due before the new time."""
    clock, seen = Clock(START, monotonic=StandingTime()), []

    def note(name: str) -> None:
        seen.append((name, (clock.now() - START).total_seconds()))
        if name == "one":
            clock.call_at(START + timedelta(seconds=15), lambda: note("between"))

    clock.call_at(START + timedelta(seconds=20), lambda: note("two"))
    clock.call_at(START + timedelta(seconds=10), lambda: note("one"))
    clock.call_at(START + timedelta(seconds=99), lambda: note("late"))
    clock.advance(timedelta(seconds=30))
    assert seen == [("one", 10.0), ("between", 15.0), ("two", 20.0)]
    assert clock.now() == START + timedelta(seconds=30)


def test_time_flows_at_its_speed_and_not_backwards() -> None:
    """Ten emulated seconds in a real one."""
    time = StandingTime()
    clock = Clock(START, speed=10, monotonic=time)
    time.value = 3
    assert clock.now() == START + timedelta(seconds=30)
    assert clock.client_seconds(30) == 3
    with pytest.raises(ValueError, match="forward"):
        clock.advance(timedelta(seconds=-1))


@pytest.mark.parametrize(
    ("text", "seconds"), [("PT2H", 7200), ("P1DT30M", 88200), ("PT1.5S", 1.5), ("P1W", 604800), ("PT1H1M1S", 3661)]
)
def test_durations(text: str, seconds: float) -> None:
    """ISO 8601, as the clock takes them."""
    assert iso_duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "P", "PT", "2H", "P1M", "P1Y", "-PT1H", "PT1H "])
def test_no_durations(text: str) -> None:
    """Months and years have no fixed length."""
    with pytest.raises(ValueError, match="duration"):
        iso_duration(text)


def _route(method: str, pattern: str) -> Route:
    return Route(method, pattern, lambda *_: None)  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize(
    ("path", "pattern", "params"),
    [
        ("/subscriptions", "/subscriptions", {}),
        ("/SUBSCRIPTIONS/S1", "/subscriptions/{s}", {"s": "S1"}),
        ("/subscriptions/S1/providers/X.Y/", "/subscriptions/{s}/providers/{n}", {"s": "S1", "n": "X.Y"}),
        ("/subscriptions/S1/providers/x.y/Locks", "/{scope+}/providers/X.Y/locks", {"scope": "subscriptions/S1"}),
        ("/a/b/providers/q/r/providers/X.Y/locks", "/{scope+}/providers/X.Y/locks", {"scope": "a/b/providers/q/r"}),
        ("/providers/X.Y/locks", "", {}),
        ("/", "", {}),
        ("/subscriptions/S1/other", "", {}),
    ],
)
def test_routes(path: str, pattern: str, params: dict[str, str]) -> None:
    """Literals in any casing, one segment, several segments; values keep the caller's casing."""
    patterns = (
        "/subscriptions",
        "/subscriptions/{s}",
        "/subscriptions/{s}/providers/{n}",
        "/{scope+}/providers/X.Y/locks",
    )
    found = Router([_route("GET", one) for one in patterns]).find(path)
    assert (found.methods["GET"].pattern if found else "") == pattern
    assert (found.params if found else {}) == params


def test_two_routes_for_one_call_are_a_mistake() -> None:
    """Found at start, not at the first call."""
    with pytest.raises(ValueError, match="two routes"):
        Router([_route("GET", "/a/{x}"), _route("GET", "/A/{y}")])


@pytest.mark.parametrize(
    ("resource_id", "type_", "group", "parent"),
    [
        ("/subscriptions/s", "microsoft.resources/subscriptions", "", ""),
        ("/subscriptions/s/resourceGroups/G", "microsoft.resources/subscriptions/resourcegroups", "g", ""),
        ("/subscriptions/s/resourceGroups/G/providers/A.B/c/d", "a.b/c", "g", ""),
        ("/subscriptions/s/resourceGroups/G/providers/A.B/c/d/e/f", "a.b/c/e", "g",
         "/subscriptions/s/resourcegroups/g/providers/a.b/c/d"),
        ("/subscriptions/s/resourceGroups/G/providers/A.B/c/d/providers/E.F/g/h", "e.f/g", "g",
         "/subscriptions/s/resourcegroups/g/providers/a.b/c/d"),
        ("/subscriptions/s/providers/Microsoft.Authorization/locks/l", "microsoft.authorization/locks", "",
         "/subscriptions/s"),
        ("/providers/Microsoft.Authorization/roleAssignments/r", "microsoft.authorization/roleassignments", "", ""),
        ("/subscriptions/s/providers/A.B/c/d", "a.b/c", "", ""),
    ],
)  # fmt: skip
def test_ids(resource_id: str, type_: str, group: str, parent: str) -> None:
    """Type, group and parent, lower case."""
    parts = parse_id(resource_id)
    assert (parts.type, parts.group, parts.parent) == (type_, group, parent)


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/subscriptions/s/resourceGroups/g/providers/A.B/c/d", "/subscriptions/s/resourceGroups/g/providers/A.B/c/d"),
        ("/subscriptions/s/resourceGroups/g/providers/A.B/c", "/subscriptions/s/resourceGroups/g/providers/A.B"),
        (
            "/subscriptions/s/resourceGroups/g/PROVIDERS/A.B/c/d/act",
            "/subscriptions/s/resourceGroups/g/PROVIDERS/A.B/c/d",
        ),
        ("/subscriptions/s/resourceGroups/g", "/subscriptions/s/resourceGroups/g"),
        ("/subscriptions/s/resourceGroups", "/subscriptions/s"),
    ],
)
def test_the_scope_of_an_action(path: str, scope: str) -> None:
    """A list is checked where it stands, an action at its resource."""
    assert authorization_scope(path) == scope


@given(st.lists(st.tuples(st.sampled_from("abcABC"), st.booleans()), max_size=30))
def test_the_state_is_a_dictionary_by_id_in_any_casing(steps: list[tuple[str, bool]]) -> None:
    """Insertions keep their place, deletes take their children, every index agrees."""
    state, model = State(), {}
    for name, is_put in steps:
        document = machine(name)
        if is_put:
            state.put(document, etag=1)
            model[name.lower()] = name
        else:
            state.delete(document["id"])
            model.pop(name.lower(), None)
    for found in (
        state.of_type("Microsoft.Compute/virtualMachines"),
        state.of_type("Microsoft.Compute/virtualMachines", subscription=SUBSCRIPTION.upper()),
        state.of_type("Microsoft.Compute/virtualMachines", subscription=SUBSCRIPTION, group="RG-APP"),
    ):
        assert [stored.document["name"] for stored in found] == list(model.values())
    assert len(state) == len(model)


def test_every_switch_is_described_and_documented() -> None:
    """Name, answers, default, sentence."""
    for name, answers, default, sentence in describe():
        assert default in answers or answers in ("int", "float"), name
        assert sentence.endswith("."), name


@pytest.mark.parametrize("content", [{"nothing": 1}, {"missing_subscription": "maybe"}, {"list_page_size": "5"}, []])
def test_a_wrong_profile_is_refused(content: Any) -> None:
    """Unknown names and answers."""
    with pytest.raises(ProfileError):
        profile_from(content)


@pytest.mark.parametrize(
    ("name", "text"),
    [("p.json", '{"missing_subscription": "forbidden"}'), ("p.toml", 'missing_subscription = "forbidden"')],
)
def test_profiles_are_json_or_toml(tmp_path: Path, name: str, text: str) -> None:
    """By the file's name."""
    (tmp_path / name).write_text(text)
    assert load_profile(tmp_path / name) == Profile(missing_subscription="forbidden")


def test_the_demo_has_every_state_that_matters() -> None:
    """About forty machines; the rest is counted by what it is there for."""
    emulator = Emulator(fleet=demo_fleet())
    machines = [stored.document for stored in emulator.state.of_type("Microsoft.Compute/virtualMachines")]
    properties = [document["properties"] for document in machines]
    assert 38 <= len(machines) <= 48
    assert len(emulator.directory.subscriptions) == 3
    assert sum("osProfile" not in one for one in properties) == 2
    assert sum("virtualMachineScaleSet" in one for one in properties) == 1
    assert sum(one["provisioningState"] == "Failed" for one in properties) == 1
    assert sum("etag" not in document and stored.etag is None for document, stored in zip(
        machines, emulator.state.of_type("Microsoft.Compute/virtualMachines"), strict=True)) == 2  # fmt: skip
    assert len(list(emulator.state.of_type("Microsoft.HybridCompute/machines"))) == 3
    assert len(list(emulator.state.of_type("Microsoft.Authorization/denyAssignments"))) == 2
    assert len(list(emulator.state.of_type("Microsoft.Maintenance/maintenanceConfigurations"))) == 1
    assert emulator.directory.subscriptions["66666666-6666-6666-6666-666666666666"].unregistered == {
        "microsoft.maintenance"
    }


def test_generated_fleets_repeat_and_load(tmp_path: Path) -> None:
    """The same seed the same bytes; as many machines and subscriptions as asked for."""
    for name in ("one.json", "two.json"):
        write_fleet(tmp_path / name, machines=203, subscriptions=3, seed=7)
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    emulator = Emulator(fleet=read_fleet(str(tmp_path / "one.json")))
    counts = [
        len(list(emulator.state.of_type("Microsoft.Compute/virtualMachines", subscription=id_)))
        for id_ in emulator.directory.subscriptions
    ]
    assert (len(counts), sum(counts), max(counts) - min(counts)) == (3, 203, 1)
    assert fleet_document(machines=203, subscriptions=3, seed=8) != read_fleet(str(tmp_path / "one.json"))


@pytest.mark.parametrize(
    "fleet",
    [{"machines": []}, {"resources": {}}, {"resources": [{"name": "x"}]}, {"subscriptions": [{}]}, {"resources": [1]}],
)
def test_what_is_no_fleet_is_refused(start: Start, fleet: dict[str, Any]) -> None:
    """And a reset with it forgets nothing."""
    with pytest.raises(FleetError):
        checked(fleet)
    client = start(small_fleet())
    before = client("GET", "/_emulator/state").json
    assert client("POST", "/_emulator/reset", fleet).code == "InvalidFleet"
    assert client("GET", "/_emulator/state").json == before


def test_a_lone_document_brings_its_group_and_subscription() -> None:
    """Recorded documents load as they are."""
    emulator = Emulator(fleet={"resources": [machine("a")]})
    assert emulator.directory.subscription(SUBSCRIPTION) is not None
    assert emulator.state.get(f"/subscriptions/{SUBSCRIPTION}/resourcegroups/RG-APP") is not None


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("", True),
        ("resourceType eq 'Microsoft.Compute/virtualMachines'", True),
        ("resourceType eq 'microsoft.storage/storageaccounts' or name eq 'A'", True),
        ("name ne 'a'", False),
        ("tagName eq 'Env' and tagValue eq 'prod'", True),
        ("tagName eq 'env' and tagValue eq 'Prod'", False),
        ("startswith(tagName, 'x')", None),
        ("startswith(name, 'A') and location eq 'WestEurope'", True),
        ("substringof('z', name)", False),
        ("name eq 'it''s'", False),
        ("name gt 'a'", None),
    ],
)
def test_filters(text: str, fits: bool | None) -> None:
    """What is not understood is refused, not ignored."""
    document = machine("a", tags={"env": "prod"})
    if fits is None:
        with pytest.raises(ArmError, match="NotEmulated"):
            parse_filter(text)
    else:
        assert parse_filter(text).fits(document) is fits


@pytest.mark.parametrize(
    "body", [{}, {"advance": "2h"}, {"to": "x"}, {"advance": "PT1H", "to": "2031-01-01"}, {"to": "2029-01-01"}]
)
def test_a_wrong_clock_call_moves_nothing(start: Start, body: dict[str, str]) -> None:
    """400, and the time is what it was."""
    client = start()
    assert client("POST", "/_emulator/clock", body).code == "InvalidClock"
    assert client("GET", "/_emulator/clock").json["now"] == "2030-01-07T12:00:00+00:00"


def test_the_clock_can_be_set(start: Start) -> None:
    """Forward, to a moment; one without an offset is UTC."""
    client = start()
    assert client("POST", "/_emulator/clock", {"to": "2030-01-08T00:00:00"}).json["now"] == "2030-01-08T00:00:00+00:00"


def test_the_ledger_leaves_out_control_calls_and_secrets(start: Start, fleet: dict[str, Any]) -> None:
    """In order of arrival, bodies decoded, a sign-in form never shown."""
    client = start(fleet)
    client("PUT", f"/subscriptions/{SUBSCRIPTION}/resourceGroups/x?api-version=2021-04-01", {"location": "westeurope"})
    client("GET", "/nowhere")
    entries = client("GET", "/_emulator/requests").json["requests"]
    assert [(entry["method"], entry["status"], entry["apiVersion"]) for entry in entries] == [
        ("POST", 200, ""), ("PUT", 201, "2021-04-01"), ("GET", 400, ""),
    ]  # fmt: skip
    assert entries[1]["requestBody"] == {"location": "westeurope"}
    assert "client_secret" not in str(entries[0])


def test_an_unknown_control_call_names_the_known_ones(start: Start) -> None:
    """404 with the list."""
    assert "GET state" in start()("GET", "/_emulator/nothing").json["error"]["message"]


@pytest.mark.parametrize("body", [None, {}])
def test_reset_without_a_fleet_restores_the_one_of_the_start(
    start: Start, fleet: dict[str, Any], body: dict[str, Any] | None
) -> None:
    """As it was loaded: what was written since is gone, what was deleted is back."""
    client = start(fleet, lro_seconds=0)
    before = client("GET", "/_emulator/state").json
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups"
    assert client("PUT", f"{group}/new?api-version=2021-04-01", {"location": "westeurope"}).status == 201
    tags = {"tags": {"a": "b"}}
    vm = f"{group}/rg-app/providers/Microsoft.Compute/virtualMachines/a?api-version=2024-07-01"
    assert client("PATCH", vm, tags).status == 200
    assert client("GET", "/_emulator/state").json != before
    assert client("POST", "/_emulator/reset", body).json == {"resources": 6, "subscriptions": 1}
    assert client("GET", "/_emulator/state").json == before
    assert client("POST", "/_emulator/reset", {"resources": []}).json == {"resources": 0, "subscriptions": 0}
