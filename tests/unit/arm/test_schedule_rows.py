"""Schedules on the wire: what is read, what is refused, and that nothing unknown is taken for nothing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchmode.arm.schedule_rows import (
    AssignmentRow,
    UnreadableRowError,
    assignment_of,
    configuration_of,
    filter_document,
    filter_of,
    rows_read,
)
from patchmode.model.left_alone import Unreadable
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import ConfigurationAssignment, DynamicScope, ScopeFilter, WindowRule

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/web"
CONFIGURATION = f"{GROUP}/providers/microsoft.maintenance/maintenanceconfigurations/night"
CHILD = "providers/Microsoft.Maintenance/configurationAssignments"
VM = f"{GROUP}/providers/microsoft.compute/virtualmachines/web-1"
SECTIONS = {"resourceTypes", "resourceGroups", "osTypes", "locations", "tagSettings"}

texts = st.lists(st.text(min_size=1, max_size=8), max_size=3).map(tuple)
filters = st.builds(
    ScopeFilter,
    resource_types=texts,
    resource_groups=texts,
    os_types=texts,
    locations=texts,
    tags=st.dictionaries(st.text(min_size=1, max_size=8), texts.filter(bool), min_size=1, max_size=3),
    any_tag=st.booleans(),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def row(holder: str, *, configuration: Any = CONFIGURATION, wanted: Any = None) -> AssignmentRow:
    return AssignmentRow(f"{holder}/{CHILD}/nightly", "nightly", configuration, wanted)


def document(**properties: Any) -> dict[str, Any]:
    return {"id": CONFIGURATION, "location": "westeurope", "tags": {"team": "web"}, "properties": properties}


@given(filters)
def test_a_filter_that_is_written_reads_back(wanted: ScopeFilter) -> None:
    assert filter_of(filter_document(wanted)) == wanted


@given(json_values)
def test_any_json_is_a_filter_and_what_is_not_known_is_named(value: Any) -> None:
    """Whatever stands there, it either narrows as documented, or is told as unknown, or is empty."""
    found = filter_of(value)
    is_set = value not in (None, "", [], {})
    if not isinstance(value, dict):
        assert bool(found.unknown) is is_set
    else:
        strange = {name for name, inner in value.items() if inner not in (None, "", [], {}) and name not in SECTIONS}
        assert strange <= set(found.unknown)


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        ({"locations": ["westeurope"]}, ScopeFilter(locations=("westeurope",))),
        ({"Locations": ["westeurope"]}, ScopeFilter(locations=("westeurope",))),
        ({"osTypes": "Windows"}, ScopeFilter(unknown=("osTypes",))),
        ({"osTypes": ["Windows", 3]}, ScopeFilter(unknown=("osTypes",))),
        ({"resourceIds": None, "availabilityZones": None}, ScopeFilter()),
        ({"resourceIds": [], "availabilityZones": ["1"]}, ScopeFilter(unknown=("availabilityZones",))),
        ({"somethingNew": {"a": 1}}, ScopeFilter(unknown=("somethingNew",))),
        ({"somethingNew": False}, ScopeFilter(unknown=("somethingNew",))),
        ({"tagSettings": {"tags": {"env": ["prod", "test"]}}}, ScopeFilter(tags={"env": ("prod", "test")})),
        (
            {"tagSettings": {"tags": {"env": ["prod"]}, "filterOperator": "any"}},
            ScopeFilter(tags={"env": ("prod",)}, any_tag=True),
        ),
        ({"tagSettings": {"tags": {"env": "prod"}}}, ScopeFilter(unknown=("tagSettings.tags",))),
        (
            {"tagSettings": {"tags": {"env": ["prod"]}, "filterOperator": "None"}},
            ScopeFilter(tags={"env": ("prod",)}, unknown=("tagSettings.filterOperator",)),
        ),
        ({"tagSettings": {"tags": {}, "keys": ["a"]}}, ScopeFilter(unknown=("tagSettings.keys",))),
        ({"tagSettings": "env=prod"}, ScopeFilter(unknown=("tagSettings",))),
    ],
)
def test_filter_members(member: dict[str, Any], expected: ScopeFilter) -> None:
    assert filter_of(member) == expected


def test_what_is_not_known_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="availabilityZones"):
        filter_document(ScopeFilter(locations=("westeurope",), unknown=("availabilityZones",)))


@pytest.mark.parametrize("holder", [VM, VM.upper(), f"{GROUP}/providers/Microsoft.HybridCompute/machines/arc-1"])
def test_an_assignment_on_a_machine(holder: str) -> None:
    found = assignment_of(row(holder, configuration=CONFIGURATION.upper()))
    assert found == ConfigurationAssignment("nightly", ResourceId.parse(holder), ResourceId.parse(CONFIGURATION))


@pytest.mark.parametrize("name", [None, 3, ""])
def test_a_name_that_the_row_does_not_say_stands_in_its_id(name: Any) -> None:
    found = assignment_of(AssignmentRow(f"{VM}/{CHILD.lower()}/From-Id", name, CONFIGURATION))
    assert found is not None
    assert found.name == "From-Id"


@pytest.mark.parametrize(
    ("place", "group"), [(f"/subscriptions/{SUBSCRIPTION.upper()}", None), (GROUP, "web"), (GROUP.upper(), "WEB")]
)
def test_a_dynamic_scope(place: str, group: str | None) -> None:
    found = assignment_of(row(place, wanted={"osTypes": ["linux"], "locations": None}))
    assert found == DynamicScope(
        "nightly", SUBSCRIPTION, group, ResourceId.parse(CONFIGURATION), ScopeFilter(os_types=("linux",))
    )


@pytest.mark.parametrize(
    "holder",
    [
        f"{GROUP}/providers/Microsoft.Compute/hostGroups/g/hosts/h",
        f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/s",
        f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/c",
    ],
)
def test_what_no_guest_runs_on_is_left_out_without_a_word(holder: str) -> None:
    """Public configurations of clusters have no resource group in their ids; nobody here has to read them."""
    assert assignment_of(row(holder, configuration="/subscriptions/x/providers/Microsoft.Maintenance/public/y")) is None


@pytest.mark.parametrize(
    "strange",
    [
        AssignmentRow(),
        AssignmentRow(3),
        AssignmentRow(f"/{CHILD}/n", "n", CONFIGURATION),
        AssignmentRow(VM, "n", CONFIGURATION),
        row("/providers/Microsoft.Management/managementGroups/root"),
        row(VM, configuration=None),
        row(VM, configuration=7),
        row(VM, configuration={"id": CONFIGURATION}),
        row(VM, configuration="night"),
        row(GROUP, configuration="night"),
    ],
)
def test_a_row_that_cannot_be_read_stands_in_its_place(strange: AssignmentRow) -> None:
    rows = [row(VM), strange, row(GROUP)]
    found = rows_read(assignment_of, AssignmentRow, rows, before=1_000, what="assignments")
    assert [type(one) for one in found] == [ConfigurationAssignment, Unreadable, DynamicScope]
    assert found[1].id == "row 1,002 of Resource Graph's assignments"


def test_a_configuration_is_read_as_it_stands() -> None:
    window = {
        "startDateTime": "2024-04-30 08:00",
        "expirationDateTime": "9999-12-31 00:00",
        "duration": "02:00",
        "timeZone": "Pacific Standard Time",
        "recurEvery": "Month Third Sunday Offset-3",
    }
    properties = {
        "maintenanceScope": "InGuestPatch",
        "extensionProperties": {"inGuestPatchMode": "User"},
        "maintenanceWindow": window,
        "installPatches": {"rebootSetting": "AlwaysReboot"},
        "visibility": "Custom",
    }
    found = configuration_of(document(**properties))
    assert (found.id, found.name, found.location) == (ResourceId.parse(CONFIGURATION), "night", "westeurope")
    assert (found.is_guest_patching, found.patch_mode, found.reboot_setting) == (True, "User", "AlwaysReboot")
    assert found.window == WindowRule(
        "2024-04-30 08:00", "9999-12-31 00:00", "02:00", "Pacific Standard Time", "Month Third Sunday Offset-3"
    )
    assert (found.properties, found.tags) == (properties, {"team": "web"})


@pytest.mark.parametrize(
    ("name", "shown"), [("Night", "Night"), ("other", "night"), (None, "night"), ("night", "night")]
)
def test_a_name_is_shown_as_its_creator_spelled_it(name: Any, shown: str) -> None:
    found = configuration_of({**document(maintenanceScope="InGuestPatch"), "name": name})
    assert (found.name, found.id) == (shown, ResourceId.parse(CONFIGURATION))


def test_absent_is_none_and_another_type_is_kept_as_what_nobody_can_read() -> None:
    """An absent start means another thing than one that is a number."""
    found = configuration_of(document(maintenanceScope="InGuestPatch", maintenanceWindow={"duration": 90, "x": 1}))
    assert found.window == WindowRule(duration="90")
    assert (found.patch_mode, found.reboot_setting) == (None, None)
    assert configuration_of(document(maintenanceScope="Host", maintenanceWindow=None)).is_guest_patching is False


@pytest.mark.parametrize(
    "strange", [{}, {"id": CONFIGURATION}, {"id": 3, "properties": {}}, {"id": "x", "properties": {}}]
)
def test_a_document_that_is_no_configuration(strange: dict[str, Any]) -> None:
    with pytest.raises(UnreadableRowError):
        configuration_of(strange)
