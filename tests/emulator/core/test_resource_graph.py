"""Resource Graph's endpoint: scopes, options, tokens, formats, lag, refusals. The language has its own tests."""

from typing import Any

import pytest
from tests.emulator.core.conftest import SUBSCRIPTION, Client, Seen, Start, machine

from arm_emulator.app import Emulator
from arm_emulator.demo_fleet import DEVELOPMENT, PRODUCTION, SANDBOX, demo_fleet
from arm_emulator.profile import Profile

GRAPH = "/providers/Microsoft.ResourceGraph/resources"
MACHINES = "resources | where type =~ 'Microsoft.Compute/virtualMachines'"
VM = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-app/providers/Microsoft.Compute/virtualMachines/a"


@pytest.fixture
def demo(start: Start) -> Client:
    return start(demo_fleet())


def count(seen: Seen) -> int:
    return int(seen.json["data"][0]["Count"])


def test_a_row_has_the_recorded_members_in_order(start: Start, fleet: dict[str, Any]) -> None:
    """Explicit nulls and empty strings, lower-case type, the group's own casing whatever the id's."""
    fleet["resources"].append(machine("d", "RG-DATA"))
    row = start(fleet).graph(f"{MACHINES} | where name == 'd'").json["data"][0]
    assert list(row) == [
        "id", "name", "type", "tenantId", "kind", "location", "resourceGroup", "subscriptionId", "managedBy", "sku",
        "plan", "properties", "tags", "identity", "zones", "extendedLocation",
    ]  # fmt: skip
    assert row["id"].endswith("/resourceGroups/RG-Data/providers/Microsoft.Compute/virtualMachines/d")
    assert row["resourceGroup"] == "RG-Data"
    assert row["type"] == "microsoft.compute/virtualmachines"
    assert (row["kind"], row["managedBy"], row["sku"], row["zones"]) == ("", "", None, None)
    power = row["properties"]["extended"]["instanceView"]["powerState"]
    assert (power["code"], power["displayStatus"]) == ("PowerState/running", "VM running")


def test_power_state_of_a_deallocated_machine(demo: Client) -> None:
    """The portal's filter reads this."""
    power = "properties.extended.instanceView.powerState.displayStatus"
    query = f"{MACHINES} | where name == 'parked-01' | project p = {power}"
    assert demo.graph(query).json["data"] == [{"p": "VM deallocated"}]


def test_the_running_system_beside_the_power_state(start: Start, fleet: dict[str, Any]) -> None:
    """Public queries read it there; it is there where an agent reports."""
    told = machine("told")
    told["properties"]["instanceView"] = {"osName": "Windows 11 Pro", "osVersion": "10.0.22631.1", "vmAgent": {}}
    fleet["resources"] += [told, machine("silent")]
    view = "properties.extended.instanceView"
    query = f"{MACHINES} | where name in ('told', 'silent') | project name, n = {view}.osName, v = {view}.osVersion"
    rows = start(fleet).graph(f"{query} | order by name asc").json["data"]
    assert rows == [
        {"name": "silent", "n": None, "v": None},
        {"name": "told", "n": "Windows 11 Pro", "v": "10.0.22631.1"},
    ]


def test_extensions_have_rows_of_their_own(start: Start, fleet: dict[str, Any]) -> None:
    """Those inside a machine's document and those stored apart, each once."""
    holder = machine("holder")
    inside = {"name": "LinuxPatchExtension", "properties": {"provisioningState": "Failed"}}
    both = {"name": "MDE.Linux", "properties": {"provisioningState": "Succeeded"}}
    holder["resources"] = [inside, both, {"id": "without a name"}]
    type_ = "Microsoft.Compute/virtualMachines/extensions"
    fleet["resources"] += [holder, {**both, "id": f"{holder['id']}/extensions/MDE.Linux", "type": type_}]
    query = f"resources | where type =~ '{type_}' | project id, type, state = properties.provisioningState"
    rows = start(fleet).graph(f"{query} | order by id asc").json["data"]
    kind = type_.lower()
    assert [(row["id"].rsplit("/", 2)[1:], row["type"], row["state"]) for row in rows] == [
        (["extensions", "LinuxPatchExtension"], kind, "Failed"),
        (["extensions", "MDE.Linux"], kind, "Succeeded"),
    ]


@pytest.mark.parametrize(
    ("scope", "machines"),
    [
        ({}, 45),
        ({"subscriptions": [PRODUCTION]}, 40),
        ({"subscriptions": [DEVELOPMENT.upper(), SANDBOX]}, 5),
        ({"managementGroups": ["mg-landing-zones"]}, 43),
        ({"managementGroups": ["mg-contoso"]}, 43),
        ({"managementGroups": ["11111111-1111-1111-1111-111111111111"]}, 45),
        ({"subscriptions": ["99999999-9999-9999-9999-999999999999"]}, 0),
    ],
)
def test_scopes(demo: Client, scope: dict[str, Any], machines: int) -> None:
    """Subscriptions, management groups at any depth, or all that can be read."""
    assert count(demo.graph(f"{MACHINES} | count", **scope)) == machines


def test_what_cannot_be_read_is_not_there(fleet: dict[str, Any]) -> None:
    """A principal with a role on one group sees that group's rows only."""
    scope = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/RG-Data"
    reader = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
    assignment = {
        "id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/x",
        "properties": {"principalId": "eve", "roleDefinitionId": f"/x/{reader}", "scope": scope},
    }
    fleet |= {"principals": [{"clientId": "eve"}], "roleAssignments": [assignment]}
    client = Client(Emulator(fleet=fleet), "eve")
    assert client.graph(f"{MACHINES} | project name").json["data"] == [{"name": "c"}]


def test_pages_by_token_over_a_snapshot(demo: Client) -> None:
    """Every row once, although a machine goes between the pages; the total is the whole's."""
    seen = demo.graph(f"{MACHINES} | project id, name | order by name asc", options={"$top": 20})
    names = [row["name"] for row in seen.json["data"]]
    assert (seen.json["totalRecords"], seen.json["count"], seen.json["resultTruncated"]) == (45, 20, "false")
    gone = next(stored for stored in demo.emulator.state if stored.key.endswith("/web-08"))
    demo.emulator.state.delete(gone.id)
    while "$skipToken" in seen.json:
        seen = demo.graph("resources", options={"$skipToken": seen.json["$skipToken"]})
        assert seen.json["totalRecords"] == 45
        names += [row["name"] for row in seen.json["data"]]
    assert len(names) == len(set(names)) == 45
    assert "web-08" in names


@pytest.mark.parametrize("query", [f"{MACHINES} | project name", f"{MACHINES} | project id | limit 40"])
def test_no_token_without_id_or_with_a_limit(demo: Client, query: str) -> None:
    """Then the answer says that it is cut off."""
    body = demo.graph(query, options={"$top": 10}).json
    assert "$skipToken" not in body
    assert (body["count"], body["resultTruncated"]) == (10, "true")


def test_skip_and_the_default_page(start: Start) -> None:
    """100 rows where $top is not given; $skip leaves out the first."""
    rows = [machine(f"m{number:03d}") for number in range(150)]
    client = start({"resources": rows})
    assert client.graph(f"{MACHINES} | project id").json["count"] == 100
    seen = client.graph(f"{MACHINES} | project id, name | order by name asc", options={"$skip": 149})
    assert [row["name"] for row in seen.json["data"]] == ["m149"]


@pytest.mark.parametrize(
    "options", [{"$top": 0}, {"$top": 1001}, {"$skip": -1}, {"resultFormat": "xml"}, {"$skipToken": "x"}]
)
def test_bad_options_are_refused(demo: Client, options: dict[str, Any]) -> None:
    """400 in Resource Graph's own body."""
    seen = demo.graph(MACHINES, options=options)
    assert (seen.status, seen.code) == (400, "BadRequest")


@pytest.mark.parametrize(("answer", "is_table"), [("objects", False), ("table", True)])
def test_the_format_between_the_two_is_a_switch(start: Start, answer: Any, is_table: bool) -> None:
    """Cloud Custodian asks at this version, names no format and no table, and reads columns and rows."""
    client = start(demo_fleet(), profile=Profile(graph_preview_format=answer))
    body = {"query": "where type =~ 'microsoft.compute/virtualmachines'"}
    target = f"{GRAPH}?api-version=2020-04-01-preview"
    found = client("POST", target, body).json
    assert isinstance(found["data"], dict) is is_table
    assert found["totalRecords"] == 45
    if is_table:
        names = [column["name"] for column in found["data"]["columns"]]
        assert dict(zip(names, found["data"]["rows"][0], strict=True))["type"] == "microsoft.compute/virtualmachines"
    asked = client("POST", target, {**body, "options": {"resultFormat": "objectArray"}}).json
    assert isinstance(asked["data"], list)


@pytest.mark.parametrize(("version", "is_table"), [("2019-04-01", True), ("2021-03-01", False), ("2024-04-01", False)])
def test_the_default_format_goes_by_version(demo: Client, version: str, is_table: bool) -> None:
    """Tables were the default once; asking for one works in every version."""
    body = {"query": "resources | project name, tags, n = 1 | limit 1"}
    plain = demo("POST", f"{GRAPH}?api-version={version}", body).json
    assert isinstance(plain["data"], dict) is is_table
    asked = demo("POST", f"{GRAPH}?api-version={version}", {**body, "options": {"resultFormat": "table"}}).json
    assert asked["data"]["columns"] == [
        {"name": "name", "type": "string"}, {"name": "tags", "type": "object"}, {"name": "n", "type": "integer"},
    ]  # fmt: skip


def test_a_broken_query_has_the_recorded_refusal(demo: Client) -> None:
    """BadRequest, InvalidQuery, ParserFailure with its place; the quota is spent all the same."""
    seen = demo.graph("resources | where")
    error = seen.json["error"]
    assert (seen.status, error["code"]) == (400, "BadRequest")
    assert error["message"].startswith(
        "Please provide below info when asking for support: timestamp = 2030-01-07T12:00:00"
    )
    assert [detail["code"] for detail in error["details"]] == ["InvalidQuery", "ParserFailure"]
    assert (error["details"][1]["line"], error["details"][1]["token"]) == (1, "<EOF>")
    assert seen.headers["x-ms-user-quota-remaining"] == "14"


def test_containers_name_the_groups_above(demo: Client) -> None:
    """Nearest first, up to the tenant's root."""
    query = (
        "resourcecontainers | where type == 'microsoft.resources/subscriptions' and name == 'Contoso Production' "
        "| project chain = properties.managementGroupAncestorsChain"
    )
    chain = demo.graph(query).json["data"][0]["chain"]
    assert [entry["name"] for entry in chain] == [
        "mg-landing-zones", "mg-contoso", "11111111-1111-1111-1111-111111111111",
    ]  # fmt: skip


def mode(client: Client) -> Any:
    return client.graph(f"{MACHINES} | where name == 'a' | project t = properties.licenseType").json["data"][0]["t"]


def test_the_index_lags(start: Start, fleet: dict[str, Any]) -> None:
    """A change is visible at the provider at once and in Resource Graph after the lag; the loaded fleet at once."""
    client = start(fleet, graph_lag_s=30, lro_seconds=0)
    assert count(client.graph(f"{MACHINES} | count")) == 3
    client("PATCH", f"{VM}?api-version=2024-07-01", {"properties": {"licenseType": "RHEL_BYOS"}})
    assert client("GET", f"{VM}?api-version=2024-07-01").json["properties"]["licenseType"] == "RHEL_BYOS"
    client("POST", "/_emulator/clock", {"advance": "PT29S"})
    assert mode(client) is None
    client("POST", "/_emulator/clock", {"advance": "PT2S"})
    assert mode(client) == "RHEL_BYOS"


def test_azures_lag_keeps_the_order_of_one_resource(start: Start, fleet: dict[str, Any]) -> None:
    """However the lags are drawn, the last change is what stays."""
    client = start(fleet, graph_lag_s=None, lro_seconds=0, seed=5)
    for value in ("A", "B", "C", "D"):
        client("PATCH", f"{VM}?api-version=2024-07-01", {"properties": {"licenseType": value}})
        client("POST", "/_emulator/clock", {"advance": "PT1S"})
    client("POST", "/_emulator/clock", {"advance": "PT1H"})
    assert mode(client) == "D"


def test_a_deleted_machine_leaves_the_index(start: Start, fleet: dict[str, Any]) -> None:
    """Also with a lag."""
    client = start(fleet, graph_lag_s=10)
    client.emulator.state.delete(VM)
    assert count(client.graph(f"{MACHINES} | count")) == 3
    client("POST", "/_emulator/clock", {"advance": "PT10S"})
    assert count(client.graph(f"{MACHINES} | count")) == 2


def test_facets_are_not_guessed(demo: Client) -> None:
    """501 rather than an empty list."""
    assert demo.graph(MACHINES, facets=[{"expression": "location"}]).code == "NotEmulated"
