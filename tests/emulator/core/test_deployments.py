"""Deployments and their operations, as the REST reference lists them."""

from typing import Any

import pytest
from tests.emulator.core.conftest import Start

SUB = "/subscriptions/22222222-2222-2222-2222-222222222222"
GROUP = f"{SUB}/resourceGroups/rg-app"
ABOVE = "/providers/Microsoft.Management/managementGroups/corp"
KIND = "providers/Microsoft.Resources/deployments"
V = "?api-version=2021-04-01"


@pytest.fixture
def with_deployments(fleet: dict[str, Any]) -> dict[str, Any]:
    """The fleet with a deployment in a group, in its subscription and above it, of two operations each."""
    documents = []
    for scope in (GROUP, SUB, ABOVE):
        deployment = f"{scope}/{KIND}/main"
        documents.append({"id": deployment, "properties": {"provisioningState": "Failed"}})
        documents += [
            {
                "id": f"{deployment}/operations/{number}",
                "properties": {"provisioningState": state, "targetResource": {"id": f"{GROUP}/x"}},
            }
            for number, state in enumerate(("Failed", "Succeeded"))
        ]
    return {**fleet, "resources": [*fleet["resources"], *documents]}


@pytest.mark.parametrize("path", [f"{GROUP}/{KIND}", f"{SUB}/{KIND}", f"{ABOVE}/{KIND}", f"{GROUP}/deployments"])
def test_operations_are_listed_at_every_scope(start: Start, with_deployments: dict[str, Any], path: str) -> None:
    """A group's also without the provider's name, in any casing."""
    client = start(with_deployments)
    for asked in (path, path.upper()):
        answer = client("GET", f"{asked}/main/operations{V}")
        assert answer.status == 200
        assert [sorted(one) for one in answer.json["value"]] == [["id", "operationId", "properties"]] * 2
        assert [one["operationId"] for one in answer.json["value"]] == ["0", "1"]
    gone = client("GET", f"{path}/gone/operations{V}")
    assert (gone.status, gone.json["error"]) == (
        404,
        {"code": "DeploymentNotFound", "message": "Deployment 'gone' could not be found."},
    )


def test_a_deployment_is_read_and_not_made(start: Start, with_deployments: dict[str, Any]) -> None:
    """What is not emulated says so; lists and queries of resources hold no deployments."""
    client = start(with_deployments)
    assert client("GET", f"{GROUP}/{KIND}/main{V}").json["properties"] == {"provisioningState": "Failed"}
    assert client("PUT", f"{GROUP}/{KIND}/new{V}", {"properties": {}}).status == 501
    listed = client("GET", f"{SUB}/resources{V}").json["value"]
    assert all("deployments" not in one["id"] for one in listed)


@pytest.mark.parametrize("scope", [GROUP, SUB, ABOVE])
def test_the_deployments_of_a_scope_are_listed(start: Start, with_deployments: dict[str, Any], scope: str) -> None:
    """`az deployment group|sub|mg list`: those of the scope itself, by their state, or an empty page."""
    client = start(with_deployments)
    listed = f"{scope}/{KIND}{V}"
    # az ends the path with a slash.
    for target in (listed, f"{scope}/{KIND}/{V}", f"{listed}&%24filter=provisioningState%20eq%20%27Failed%27"):
        assert [one["id"] for one in client("GET", target).json["value"]] == [f"{scope}/{KIND}/main"]
    assert client("GET", f"{listed}&%24filter=provisioningState%20eq%20%27Succeeded%27").json == {"value": []}
    assert client("GET", f"{listed}&%24filter=name%20eq%20%27x%27").code == "NotEmulated"
