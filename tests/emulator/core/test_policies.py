"""Policy assignments and exemptions as the published specification has them: written, checked, listed, deleted."""

from typing import Any

import pytest
from tests.emulator.core.conftest import Client

from arm_emulator.app import Emulator
from arm_emulator.demo_fleet import PRODUCTION
from arm_emulator.policies_fleet import policies_fleet
from arm_emulator.protocol.throttle import Limits

BASE = f"/subscriptions/{PRODUCTION}/providers/Microsoft.Authorization"
API = "api-version=2023-04-01"
EXEMPTIONS = "api-version=2022-07-01-preview"
PREREQUISITE = "/providers/Microsoft.Authorization/policyDefinitions/9905ca54-1471-49c6-8291-7582c04cd4d4"
RECURRING = "/providers/Microsoft.Authorization/policyDefinitions/ba0df93e-e4ac-479a-aac2-134bbae39a1a"


@pytest.fixture
def client() -> Client:
    """The fleet with assignments."""
    return Client(Emulator(fleet=policies_fleet(), limits=Limits(is_off=True)))


def body(**properties: Any) -> dict[str, Any]:
    """An assignment of the prerequisite with an identity."""
    return {
        "location": "westeurope",
        "identity": {"type": "SystemAssigned"},
        "properties": {"policyDefinitionId": PREREQUISITE, **properties},
    }


def test_an_assignment_is_written_read_and_deleted(client: Client) -> None:
    """The object id of its identity stays when it is written again; the place of it is told."""
    target = f"{BASE}/policyAssignments/new?{API}"
    first = client("PUT", target, body(parameters={"locations": {"value": ["westeurope"]}}))
    assert first.status == 201
    again = client("PUT", target, body())
    assert again.json["identity"] == first.json["identity"]
    assert again.json["properties"]["scope"] == f"/subscriptions/{PRODUCTION}"
    assert again.json["properties"]["enforcementMode"] == "Default"
    assert client("GET", target).json["properties"] == again.json["properties"]
    assert client("DELETE", target).status == 200
    assert client("DELETE", target).status == 204
    assert client("GET", target).json["error"]["code"] == "PolicyAssignmentNotFound"


@pytest.mark.parametrize(
    ("document", "status", "code"),
    [
        ({}, 400, "InvalidRequestContent"),
        ({"properties": {"policyDefinitionId": "/x"}}, 404, "PolicyDefinitionNotFound"),
        (body(parameters={"odd": {"value": 1}}), 400, "UndefinedPolicyParameter"),
        (body(parameters={"locations": {"value": "westeurope"}}), 400, "InvalidPolicyParameterType"),
        (body(parameters={"tagOperator": {"value": "Some"}}), 400, "PolicyParameterValueNotAllowed"),
        (body(policyDefinitionId=RECURRING), 400, "MissingPolicyParameter"),
        ({**body(), "location": None}, 400, "LocationRequired"),
    ],
)
def test_what_is_refused(client: Client, document: Any, status: int, code: str) -> None:
    """What Azure would not store is not stored here."""
    seen = client("PUT", f"{BASE}/policyAssignments/new?{API}", document)
    assert (seen.status, seen.json["error"]["code"]) == (status, code)


def test_a_name_at_a_management_group_has_24_characters_at_most(client: Client) -> None:
    """Source: "Naming rules and restrictions for Azure resources"."""
    group = "/providers/Microsoft.Management/managementGroups/x/providers/Microsoft.Authorization"
    seen = client("PUT", f"{group}/policyAssignments/{'n' * 25}?{API}", body())
    assert seen.json["error"]["code"] == "InvalidPolicyAssignmentName"


def test_an_exemption_needs_its_assignment(client: Client) -> None:
    """And a category that there is."""
    target = f"{BASE}/policyExemptions/e?{EXEMPTIONS}"
    asked = {"properties": {"policyAssignmentId": f"{BASE}/policyAssignments/none", "exemptionCategory": "Waiver"}}
    assert client("PUT", target, asked).json["error"]["code"] == "PolicyAssignmentNotFound"
    asked["properties"]["policyAssignmentId"] = f"{BASE}/policyAssignments/aum-prerequisite"
    assert [client("PUT", target, asked).status for _ in range(2)] == [201, 200]
    asked["properties"]["exemptionCategory"] = "Other"
    assert client("PUT", target, asked).status == 400
    names = {one["name"] for one in client("GET", f"{BASE}/policyExemptions?{EXEMPTIONS}").json["value"]}
    assert names == {"e", "cluster-updates-itself"}


def test_the_built_in_definitions_are_there(client: Client) -> None:
    """At the tenant, by id; with their rule."""
    found = client("GET", f"{PREREQUISITE}?{API}").json
    assert found["properties"]["version"] == "1.3.0"
    assert found["properties"]["policyRule"]["then"]["details"]["type"] == "Microsoft.Compute/virtualMachines"
