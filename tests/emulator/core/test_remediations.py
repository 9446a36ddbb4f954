"""Remediation tasks as the published specification has them: started, carried out as the identity, refused, listed."""

from datetime import timedelta
from typing import Any

import pytest
from tests.emulator.core.conftest import Client

from arm_emulator.app import Emulator
from arm_emulator.demo_fleet import PRODUCTION
from arm_emulator.policies_fleet import policies_fleet
from arm_emulator.profile import Profile
from arm_emulator.protocol.throttle import Limits

SUBSCRIPTION = f"/subscriptions/{PRODUCTION}"
ASSIGNMENT = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/policyAssignments/aum-prerequisite"
ASSESSMENT = ASSIGNMENT.replace("aum-prerequisite", "aum-assessment")
NIGHTLY = f"{SUBSCRIPTION}/resourceGroups/rg-app/providers/Microsoft.Authorization/policyAssignments/aum-nightly"
TASK = f"{SUBSCRIPTION}/providers/Microsoft.PolicyInsights/remediations/now"
API = "api-version=2021-10-01"


def emulator(*, has_role: bool = True, **switches: Any) -> Client:
    """The fleet with assignments, whose identity has its role."""
    made = Client(
        Emulator(fleet=policies_fleet(), limits=Limits(is_off=True), lro_seconds=0, profile=Profile(**switches))
    )
    if not has_role:
        for one in list(made.emulator.state.of_type("microsoft.authorization/roleassignments")):
            made.emulator.state.delete(one.id)
    return made


@pytest.fixture
def client() -> Client:
    """An emulator that answers as documented first."""
    return emulator()


def start(client: Client, assignment: str = ASSIGNMENT, **settings: Any) -> Any:
    """Start a task."""
    return client("PUT", f"{TASK}?{API}", {"properties": {"policyAssignmentId": assignment, **settings}})


def ended(client: Client, seconds: int = 60) -> dict[str, Any]:
    """The task after some time."""
    client.emulator.clock.advance(timedelta(seconds=seconds))
    properties: dict[str, Any] = client("GET", f"{TASK}?{API}").json["properties"]
    return properties


def deployments(client: Client) -> dict[str, Any]:
    """What it did about each machine, by name."""
    listed = client("POST", f"{TASK}/listDeployments?{API}").json["value"]
    return {one["remediatedResourceId"].rsplit("/", 1)[-1]: one for one in listed}


def patch_mode(client: Client, group: str, name: str) -> str:
    """Of a Windows or Linux machine."""
    path = f"{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}"
    profile = client("GET", f"{path}?api-version=2024-07-01").json["properties"]["osProfile"]
    block = profile.get("windowsConfiguration") or profile["linuxConfiguration"]
    return str(block["patchSettings"]["patchMode"])


def test_it_changes_the_machines_that_the_definition_selects(client: Client) -> None:
    """By the definition's own change, and no other machine: the exempt, the excluded and the ready ones stay."""
    begun = start(client)
    assert (begun.status, begun.json["properties"]["provisioningState"]) == (201, "Accepted")
    assert begun.json["properties"]["resourceCount"] == 500
    assert patch_mode(client, "rg-app", "web-01") != "AutomaticByPlatform"
    done = ended(client)
    told = deployments(client)
    assert done["deploymentStatus"]["totalDeployments"] == len(told)
    assert told["web-01"]["status"] == "Succeeded"
    assert patch_mode(client, "rg-app", "web-01") == "AutomaticByPlatform"
    assert not {"SQL-01", "web-04", "firewall-01", "frozen-01", "frozen-02"} & set(told)


def test_an_identity_without_a_role_changes_nothing() -> None:
    """Azure's identity has no more rights than anybody."""
    client = emulator(has_role=False)
    start(client, failureThreshold={"percentage": 0.0}, parallelDeployments=1)
    done = ended(client)
    told = deployments(client)
    assert (done["provisioningState"], len(told)) == ("Failed", 1)
    (entry,) = told.values()
    assert entry["error"]["code"] == "DeploymentFailed"
    assert entry["error"]["details"][0]["code"] == "AuthorizationFailed"
    assert patch_mode(client, "rg-app", "web-01") != "AutomaticByPlatform"


def test_it_takes_no_more_than_it_is_told(client: Client) -> None:
    """And those in the regions of its filter only."""
    start(client, resourceCount=1)
    assert ended(client)["deploymentStatus"] == {
        "totalDeployments": 1,
        "successfulDeployments": 1,
        "failedDeployments": 0,
    }


def test_a_modify_sets_one_property(client: Client) -> None:
    """No deployment stands behind it."""
    start(client, ASSESSMENT)
    ended(client)
    assert all("deploymentId" not in one for one in deployments(client).values())


def test_what_was_assigned_a_moment_ago_is_not_evaluated(client: Client) -> None:
    """Only a task that evaluates by itself finds its machines then."""
    document = client("GET", f"{ASSIGNMENT}?api-version=2023-04-01").json
    body = {name: document[name] for name in ("location", "identity", "properties")}
    fresh = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/policyAssignments/fresh"
    assert client("PUT", f"{fresh}?api-version=2023-04-01", body).status == 201
    assert start(client, fresh).json["properties"]["deploymentStatus"]["totalDeployments"] == 0
    assert ended(client)["provisioningState"] == "Succeeded"
    other = TASK.replace("/now", "/again")
    asked = {"properties": {"policyAssignmentId": fresh, "resourceDiscoveryMode": "ReEvaluateCompliance"}}
    seen = client("PUT", f"{other}?{API}", asked)
    assert seen.json["properties"]["deploymentStatus"]["totalDeployments"] > 0


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({"policyAssignmentId": f"{ASSIGNMENT}-none"}, 400),
        ({"resourceDiscoveryMode": "Other"}, 400),
        ({"resourceCount": 50_001}, 400),
        ({"parallelDeployments": 31}, 400),
        ({"failureThreshold": {"percentage": 10}}, 400),
        ({"policyAssignmentId": NIGHTLY}, 400),
    ],
)
def test_what_is_refused(client: Client, settings: dict[str, Any], status: int) -> None:
    """The last: its assignment is below the task's scope."""
    seen = client("PUT", f"{TASK}?{API}", {"properties": {"policyAssignmentId": ASSIGNMENT, **settings}})
    assert (seen.status, seen.json["error"]["code"]) == (status, "InvalidCreateRemediationRequest")


def test_the_attaching_built_in_is_not_emulated(client: Client) -> None:
    """No guess what it would change."""
    task = TASK.replace(SUBSCRIPTION, f"{SUBSCRIPTION}/resourceGroups/rg-app")
    assert client("PUT", f"{task}?{API}", {"properties": {"policyAssignmentId": NIGHTLY}}).status == 501


def test_at_a_management_group_nothing_is_evaluated_again(client: Client) -> None:
    """Source: "Azure Policy remediation task structure", resource discovery mode."""
    task = "/providers/Microsoft.Management/managementGroups/x/providers/Microsoft.PolicyInsights/remediations/now"
    asked = {"policyAssignmentId": ASSIGNMENT, "resourceDiscoveryMode": "ReEvaluateCompliance"}
    assert client("PUT", f"{task}?{API}", {"properties": asked}).status == 400


def test_its_settings_are_fixed_and_it_can_be_canceled(client: Client) -> None:
    """The same once more is no error, and a canceled one begins nothing more."""
    start(client, parallelDeployments=1)
    assert start(client).status == 200
    assert start(client, resourceCount=3).status == 400
    assert client("POST", f"{TASK}/cancel?{API}").json["properties"]["provisioningState"] == "Canceled"
    done = ended(client)
    assert done["provisioningState"] == "Canceled"
    assert len(deployments(client)) < done["deploymentStatus"]["totalDeployments"]
    assert not [one for one in deployments(client).values() if one["status"] == "Running"]
    assert client("POST", f"{TASK}/cancel?{API}").status == 400
    assert client("GET", f"{TASK}-none?{API}").status == 404


def test_its_end_with_failures_is_a_switch() -> None:
    """Nobody has confirmed which state it is."""
    for answer, state in (("failed", "Failed"), ("succeeded", "Succeeded")):
        client = emulator(has_role=False, remediation_with_failures=answer)
        start(client)
        done = ended(client)
        assert (done["provisioningState"], "error" in deployments(client)["web-01"]) == (state, True)
