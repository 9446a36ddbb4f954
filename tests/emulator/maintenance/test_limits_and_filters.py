"""The documented limits on assignments, the forms of a dynamic scope's filter, and deleting what is assigned."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.emulator.compute.caller import GROUP, PATH, SUBSCRIPTION, Caller, machine

from arm_emulator.providers.maintenance.limits import Associations
from arm_emulator.state import State

VERSION = "2023-04-01"
CONFIGURATION = f"{GROUP}/providers/Microsoft.Maintenance/maintenanceConfigurations/weekly"
OTHER = CONFIGURATION.replace("weekly", "other")
GUEST = {"maintenanceScope": "InGuestPatch", "extensionProperties": {"InGuestPatchMode": "User"}}
PREPARED = {
    "patchMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
}
ASSIGNED = "providers/Microsoft.Maintenance/configurationAssignments"


def _configuration(identifier: str = CONFIGURATION) -> dict[str, Any]:
    return {"id": identifier, "location": "westeurope", "properties": GUEST}


def _body(configuration: str = CONFIGURATION, **filters: Any) -> dict[str, Any]:
    properties: dict[str, Any] = {"maintenanceConfigurationId": configuration}
    if filters:
        properties["filter"] = filters["chosen"]
    return {"location": "global", "properties": properties}


def _stored(place: str, name: str, configuration: str = CONFIGURATION) -> dict[str, Any]:
    """An assignment as a fleet file holds it."""
    properties = {"maintenanceConfigurationId": configuration.lower(), "resourceId": place, "filter": {}}
    return {"id": f"{place}/{ASSIGNED}/{name}", "location": "global", "properties": properties}


def _limited(answer: Any) -> bool:
    if answer.status == 200:
        return False
    assert (answer.status, answer.body["Error"]["Code"]) == (400, "LimitExceeded")
    return True


class TestLimits:
    """One more than is documented is refused; what a fleet file holds is not counted out."""

    def test_three_thousand_machines_of_a_configuration(self) -> None:
        hosts = [f"{GROUP}/providers/Microsoft.Compute/virtualMachines/m{at}" for at in range(3000)]
        caller = Caller.of(
            _configuration(), _configuration(OTHER), machine(settings=PREPARED), *(_stored(h, "a") for h in hosts)
        )
        one_more = f"{PATH}/{ASSIGNED}/weekly"
        assert _limited(caller.put(one_more, _body(), version=VERSION))
        assert not _limited(caller.put(one_more, _body(OTHER), version=VERSION))
        # Moving it to the full configuration is one more there.
        assert _limited(caller.put(one_more, _body(), version=VERSION))
        caller.call("DELETE", f"{hosts[0]}/{ASSIGNED}/a", version=VERSION)
        assert not _limited(caller.put(one_more, _body(), version=VERSION))
        assert not _limited(caller.put(one_more, _body(), version=VERSION))

    def test_250_dynamic_scopes_at_a_place_and_region(self) -> None:
        place = f"/subscriptions/{SUBSCRIPTION}"
        configurations = [_configuration(f"{CONFIGURATION}{at}") for at in range(251)]
        scopes = [_stored(place, f"s{at}", f"{CONFIGURATION}{at}") for at in range(250)]
        caller = Caller.of(*configurations, *scopes)
        body = _body(f"{CONFIGURATION}250", chosen={})
        assert _limited(caller.put(f"{place}/{ASSIGNED}/s250", body, version=VERSION))
        assert not _limited(caller.put(f"{place}/{ASSIGNED}/s0", body, version=VERSION))
        assert not _limited(caller.put(f"{GROUP}/{ASSIGNED}/s250", body, version=VERSION))
        assert not _limited(caller.put(f"{place}/{ASSIGNED}/x", {**body, "location": "eastus"}, version=VERSION))

    def test_200_dynamic_scopes_of_a_configuration(self) -> None:
        place = f"/subscriptions/{SUBSCRIPTION}"
        caller = Caller.of(_configuration(), *(_stored(place, f"s{at}") for at in range(200)))
        assert _limited(caller.put(f"{GROUP}/{ASSIGNED}/one", _body(chosen={}), version=VERSION))
        assert not _limited(caller.put(f"{place}/{ASSIGNED}/s7", _body(chosen={}), version=VERSION))

    @pytest.mark.parametrize(
        ("chosen", "is_over"),
        [
            ({"resourceGroups": [f"g{at}" for at in range(50)]}, False),
            ({"resourceGroups": [f"g{at}" for at in range(51)]}, True),
            ({"tagSettings": {"tags": {f"t{at}": ["x"] for at in range(50)}}}, False),
            ({"tagSettings": {"tags": {f"t{at}": ["x"] for at in range(51)}}}, True),
        ],
    )
    def test_fifty_groups_and_fifty_tags_of_a_filter(self, chosen: dict[str, Any], is_over: bool) -> None:
        answer = Caller.of(_configuration()).put(f"{GROUP}/{ASSIGNED}/s", _body(chosen=chosen), version=VERSION)
        assert _limited(answer) == is_over


class TestFilters:
    """Wrong forms are refused, unknown members are left out, a scope of another kind does not fit."""

    @pytest.mark.parametrize(
        ("chosen", "says"),
        [
            ({"osTypes": "Windows"}, "The filter's osTypes must be a list of texts."),
            ({"locations": ["eastus", 7]}, "The filter's locations must be a list of texts."),
            ({"tagSettings": []}, "The filter's tagSettings must be an object."),
            ({"tagSettings": {"filterOperator": "Some"}}, "The filter's filterOperator must be All or Any."),
            ({"tagSettings": {"tags": {"env": "prod"}}}, "The filter's tags must be an object of lists of texts."),
        ],
    )
    def test_wrong_types(self, chosen: dict[str, Any], says: str) -> None:
        answer = Caller.of(_configuration()).put(f"{GROUP}/{ASSIGNED}/s", _body(chosen=chosen), version=VERSION)
        assert (answer.status, answer.body) == (400, {"Error": {"Code": "InvalidRequestContent", "Message": says}})

    def test_seven_members_are_kept_and_others_are_not(self) -> None:
        chosen = {
            "resourceTypes": ["Microsoft.Compute/virtualMachines"],
            "resourceIds": ["/subscriptions/x"],
            "availabilityZones": ["1"],
            "moonPhases": ["full"],
        }
        answer = Caller.of(_configuration()).put(f"{GROUP}/{ASSIGNED}/s", _body(chosen=chosen), version=VERSION)
        assert answer.body["properties"]["filter"] == {
            "tagSettings": None,
            "resourceTypes": ["Microsoft.Compute/virtualMachines"],
            "locations": None,
            "resourceGroups": None,
            "osTypes": None,
            "resourceIds": ["/subscriptions/x"],
            "availabilityZones": ["1"],
        }

    def test_a_configuration_for_hosts_does_not_fit(self) -> None:
        host = {**_configuration(), "properties": {"maintenanceScope": "Host"}}
        answer = Caller.of(host).put(f"{GROUP}/{ASSIGNED}/s", _body(chosen={}), version=VERSION)
        assert (answer.status, answer.code) == (400, "UnsupportedResourceOperation")


class TestDeletingAConfiguration:
    """What becomes of the assignments is not known: a switch with three answers."""

    @pytest.mark.parametrize(
        ("switch", "status", "left"),
        [("leaves-assignments", 200, 2), ("removes-assignments", 200, 0), ("refused", 409, 2)],
    )
    def test_with_assignments(self, switch: str, status: int, left: int) -> None:
        documents = [_configuration(), machine(settings=PREPARED), _stored(PATH, "a"), _stored(GROUP, "b")]
        caller = Caller.of(*documents, configuration_delete=switch)
        assert caller.call("DELETE", CONFIGURATION, version=VERSION).status == status
        assert len(list(caller.emulator.state.of_type("Microsoft.Maintenance/configurationAssignments"))) == left
        assert caller.get(CONFIGURATION, version=VERSION).status == (200 if status == 409 else 404)

    @pytest.mark.parametrize("switch", ["leaves-assignments", "removes-assignments", "refused"])
    def test_without(self, switch: str) -> None:
        caller = Caller.of(_configuration(), _configuration(OTHER), _stored(GROUP, "b", OTHER))
        caller.emulator.profile = type(caller.emulator.profile)(configuration_delete=switch)  # type: ignore[arg-type]  # the cases above hold the literals
        assert caller.call("DELETE", CONFIGURATION, version=VERSION).status == 200
        assert len(list(caller.emulator.state.of_type("Microsoft.Maintenance/configurationAssignments"))) == 1


def _places() -> Iterator[str]:
    yield f"/subscriptions/{SUBSCRIPTION}"
    yield GROUP
    yield from (f"{GROUP}/providers/Microsoft.Compute/virtualMachines/m{at}" for at in range(2))


@given(
    steps=st.lists(
        st.tuples(
            st.booleans(),
            st.sampled_from(list(_places())),
            st.sampled_from(["a", "b"]),
            st.sampled_from([CONFIGURATION, OTHER]),
        ),
        max_size=30,
    )
)
def test_the_running_count_is_what_a_recount_finds(steps: list[tuple[bool, str, str, str]]) -> None:
    """However assignments are written, moved between configurations and deleted."""
    state, associations = State(), Associations()
    state.observe(associations.on_change)
    for is_put, place, name, configuration in steps:
        document = _stored(place, name, configuration)
        if is_put:
            state.put(document, etag=None)
        else:
            state.delete(document["id"])
    for configuration in (CONFIGURATION, OTHER):
        naming = [
            row.key
            for row in state.of_type("Microsoft.Maintenance/configurationAssignments")
            if row.document["properties"]["maintenanceConfigurationId"] == configuration.lower()
        ]
        assert sorted(associations.of_configuration(configuration)) == sorted(naming)
        assert associations.machines(configuration) == sum("virtualmachines" in key for key in naming)
        assert len(associations.scopes(configuration)) == sum("virtualmachines" not in key for key in naming)
