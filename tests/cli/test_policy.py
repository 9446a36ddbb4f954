"""`patchmode policy`: the built-ins on a fleet with assignments as one meets them."""

import json
from typing import Any

import pytest
from tests.cli.conftest import Program, Start

from arm_emulator.faults import faults_from

PRODUCTION = "22222222-2222-2222-2222-222222222222"


@pytest.fixture
def program(start: Start) -> Program:
    """The fleet with assignments."""
    return start("policies")


def states(program: Program, *args: str) -> dict[str, dict[str, Any]]:
    """Name of the machine → its row; of one built-in."""
    done = program("policy", "audit", *args, "-o", "json")
    (policy,) = json.loads(done.out)["policies"]
    return {one["id"].rsplit("/", 1)[-1]: one for one in policy["machines"]}


def test_the_prerequisite(program: Program) -> None:
    """Set and evaluated, to be changed, missed by the image list, exempt, below a notScope, in no scope."""
    found = states(program)
    assert {
        name: found[name]["state"] for name in ("web-04", "web-01", "firewall-01", "SQL-01", "frozen-01", "dev-03")
    } == {
        "web-04": "compliant",
        "web-01": "non-compliant",
        "firewall-01": "missed",
        "SQL-01": "exempt",
        "frozen-01": "excluded",
        "dev-03": "not-assigned",
    }
    assert found["firewall-01"]["reasons"] == [
        {
            "subject": "image",
            "message": "The definition's image list does not name contoso-networks/next-firewall/byol.",
        }
    ]
    assert found["dev-03"]["isSet"] is True


def test_periodic_assessment_misses_the_system_that_it_is_not_for(program: Program) -> None:
    """Azure counts these machines as compliant."""
    row = states(program, "--policy", "periodic-assessment", "--name", "api-01")["api-01"]
    assert (row["state"], row["isSet"], row["countsAsCompliant"]) == ("missed", False, True)


def test_recurring_updates_says_compliant_of_an_unprepared_machine(start: Start) -> None:
    """Only the assignment is looked at. web-05 has the schedule, and was never prepared."""
    program = start("policies")
    state = program.served.emulator.state  # type: ignore[attr-defined]
    stored = state.get(
        f"/subscriptions/{PRODUCTION}/resourceGroups/rg-app/providers/Microsoft.Authorization/policyAssignments/aum-nightly"
    )
    document = json.loads(json.dumps(stored.document))
    document["properties"]["parameters"]["tagValues"] = {"value": []}
    state.put(document, etag=None)
    row = states(program, "--policy", "recurring-updates", "--name", "web-05")["web-05"]
    assert (row["state"], row["isSet"], row["countsAsCompliant"]) == ("compliant", False, True)


def test_what_the_screen_says(program: Program) -> None:
    """Who assigned what, each machine with its reason, and the numbers that a reader takes away."""
    done = program("policy", "audit", "-g", "rg-app", "--name", "web-04", "--name", "web-01", "--name", "firewall-01")
    assert done.code == 10
    assert "Assigned as Update Manager: prerequisite at " in done.out
    assert "3 machines: 1 compliant, 1 non-compliant, 1 missed." in done.out
    assert "Not selected by the definition, by reason: image 1." in done.out
    assert program("policy", "audit", "-g", "rg-app", "--name", "web-04").code == 0


def test_rights_that_are_missing_in_one_subscription_are_a_value(start: Start) -> None:
    """The others are judged all the same."""
    rule = {
        "match": {
            "method": "GET",
            "path": f"*/{PRODUCTION}/providers/Microsoft.Authorization/policyAssignments",
        },
        "do": {"respond": {"status": 403, "json": {"error": {"code": "AuthorizationFailed", "message": "No."}}}},
    }
    program = start("policies")
    program.served.emulator.faults.arm(faults_from(json.dumps({"rules": [rule]}).encode()))  # type: ignore[attr-defined]
    done = program("policy", "audit", "-o", "json")
    document = json.loads(done.out)
    rows = {one["id"].rsplit("/", 1)[-1]: one["state"] for one in document["policies"][0]["machines"]}
    assert (rows["web-04"], rows["dev-01"]) == ("unknown", "not-assigned")
    assert [one["id"] for one in document["unreadSubscriptions"]] == [f"/subscriptions/{PRODUCTION}"]
    assert done.code == 10
