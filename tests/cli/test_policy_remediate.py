"""`patchmode policy remediate`: reviewed, started, waited for; each failed machine with Azure's error."""

import json
import signal
from typing import Any

import pytest
from tests.cli.conftest import Program, Start, wait_until

from arm_emulator.faults import faults_from

PRODUCTION = "22222222-2222-2222-2222-222222222222"
SUBSCRIPTION = f"/subscriptions/{PRODUCTION}"
BASE = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/policyAssignments"
PREREQUISITE = f"{BASE}/aum-prerequisite"
WEB = f"{SUBSCRIPTION}/resourceGroups/rg-app/providers/Microsoft.Compute/virtualMachines/web-01"
TASK = f"{SUBSCRIPTION}/providers/Microsoft.PolicyInsights/remediations/now"


@pytest.fixture
def program(start: Start) -> Program:
    """The fleet with assignments."""
    return start("policies")


def remediate(program: Program, *args: str, assignment: str = PREREQUISITE) -> Any:
    """Start a task of a known name without a question."""
    return program("policy", "remediate", assignment, "--name", "now", "--yes", *args)


def stored(program: Program, identifier: str) -> dict[str, Any] | None:
    """A document of the server, by its id."""
    found = program.served.emulator.state.get(identifier)  # type: ignore[attr-defined]
    return None if found is None else found.document


def mode(program: Program) -> str:
    """The patch mode of web-01."""
    document = stored(program, WEB)
    assert document is not None
    return str(document["properties"]["osProfile"]["windowsConfiguration"]["patchSettings"]["patchMode"])


def test_it_is_shown_before_anything_is_sent(program: Program) -> None:
    """Which machines, how many at most, when Azure stops, how old its evaluation may be; nobody is asked in a pipe."""
    done = program("policy", "remediate", PREREQUISITE, "--name", "now")
    assert done.code == 2
    assert "+ at most 27 machines, 10 at a time; Azure stops it when more than 10 % of them failed" in done.err
    assert "    27  would be changed\n" in done.err
    assert "     1  exempt\n" in done.err
    assert "! Azure takes the machines that its own last evaluation found not compliant." in done.err
    assert "! There is no undo" in done.err
    assert stored(program, TASK) is None


def test_it_changes_what_the_review_named_and_explains_each_failure(program: Program) -> None:
    """Our evaluation of the definition and the emulator's, written out by hand from it, name the same machines."""
    done = remediate(program, "--failure-threshold", "100", "-o", "json")
    told = json.loads(done.out)
    assert done.code == 11
    assert sorted(one["id"].lower() for one in told["machines"]) == sorted(one.lower() for one in told["expected"])
    failed = {one["id"].rsplit("/", 1)[-1]: one["code"] for one in told["machines"] if one["status"] == "Failed"}
    assert failed == dict.fromkeys(("agentless-01", "hotpatch-01", "hotpatch-02"), "InvalidParameter")
    assert told["counts"] == {"total": 27, "succeeded": 24, "failed": 3}
    assert (told["result"], told["state"], told["notTaken"], told["problem"]) == ("stopped", "Failed", [], "")
    assert mode(program) == "AutomaticByPlatform"


@pytest.mark.parametrize("policy", ["aum-prerequisite", "aum-assessment"])
def test_afterwards_none_of_the_changed_machines_needs_it(program: Program, policy: str) -> None:
    """A second task has only what the first failed with; the body is what the review showed."""
    first = json.loads(
        remediate(program, "--failure-threshold", "100", "-o", "json", assignment=f"{BASE}/{policy}").out
    )
    failed = {one["id"].lower() for one in first["machines"] if one["status"] == "Failed"}
    again = program("policy", "remediate", f"{BASE}/{policy}", "--yes", "--no-wait", "-o", "json")
    assert {one.lower() for one in json.loads(again.out)["expected"]} == failed
    document = stored(program, TASK)
    assert document is not None
    assert document["properties"]["resourceCount"] == len(first["expected"])
    assert document["properties"]["failureThreshold"] == {"percentage": 1.0}
    assert document["properties"]["resourceDiscoveryMode"] == "ExistingNonCompliant"


def test_failures_are_told_once_with_their_machines(program: Program) -> None:
    """And Azure stops at the threshold: the others were not taken."""
    done = remediate(program, "--parallel", "1")
    assert done.code == 11
    assert "    InvalidParameter: The patchMode 'AutomaticByPlatform' is invalid." in done.out
    assert "rg-app/agentless-01" in done.out
    assert "The failure threshold of the remediation was exceeded." in done.out
    assert "Not taken, though the definition would change them" in done.out
    assert f"  patchmode verify -s {PRODUCTION}" in done.err


def test_an_identity_without_rights_is_explained(program: Program) -> None:
    """Azure's error, once for all machines of a group, and what gives the roles."""
    state = program.served.emulator.state  # type: ignore[attr-defined]
    for one in list(state.of_type("microsoft.authorization/roleassignments")):
        state.delete(one.id)
    done = remediate(program)
    assert done.code == 11
    assert "AuthorizationFailed: The client" in done.out
    assert "→ The assignment's managed identity lacks a role there. `patchmode policy assign`" in done.out
    assert mode(program) != "AutomaticByPlatform"


def test_fewer_machines_are_taken_where_that_is_asked_for(program: Program) -> None:
    """That the others are left is a finding: the command was to say what is not done."""
    done = remediate(program, "--count", "1")
    assert done.code == 10
    assert "The task takes no more than 1 machine (--count)." in done.out
    assert "1 machine changed, 0 failed, by Azure's own count" in done.out


def test_without_waiting_the_commands_that_follow_and_cancel_it_are_told(start: Start) -> None:
    """It is under way: pending, and neither done nor failed."""
    program = start("policies", lro_seconds=60)
    done = remediate(program, "--no-wait", "--count", "1")
    assert done.code == 10
    assert f"Started {TASK} on " in done.out
    assert f"  az policy remediation cancel --name 'now' --subscription {PRODUCTION}" in done.err
    assert f"  az policy remediation show --name 'now' --subscription {PRODUCTION}" in done.err
    again = remediate(program)
    assert (again.code, "exists already, and its settings are fixed" in again.err) == (12, True)


def test_to_stop_waiting_stops_nothing_in_azure(start: Start) -> None:
    """And says so, with the command that does."""
    program = start("policies", lro_seconds=60)
    waiting = program.beside("policy", "remediate", PREREQUISITE, "--name", "now", "--yes", "--count", "1")
    wait_until(lambda: stored(program, TASK) is not None, waiting)
    waiting.send_signal(signal.SIGINT)
    out, err = waiting.communicate(timeout=30)
    assert waiting.returncode == 130
    assert "Stopping to wait: the task continues in Azure." in err
    assert "The task continues in Azure: Accepted: 0 of 1 machine done." in out
    assert "az policy remediation cancel" in err


def test_where_azure_has_not_evaluated_the_assignment(program: Program) -> None:
    """Nothing is changed, and that is no success; with --re-evaluate it is."""
    group = f"{SUBSCRIPTION}/resourceGroups/rg-app"
    place = ("-g", group, "--location", "westeurope", "--name", "fresh")
    assert program("policy", "assign", "prerequisite", *place, "--yes").code == 0
    fresh = f"{group}/providers/Microsoft.Authorization/policyAssignments/fresh"
    done = program("policy", "remediate", fresh, "--yes")
    assert done.code == 10
    assert "Azure's last evaluation did not find them" in done.out
    assert mode(program) != "AutomaticByPlatform"
    again = program("policy", "remediate", fresh, "--yes", "--re-evaluate", "--failure-threshold", "100")
    assert again.code == 11
    assert mode(program) == "AutomaticByPlatform"


def test_with_nothing_to_change_nothing_is_sent(program: Program) -> None:
    """Neither a question nor a task."""
    group = f"{SUBSCRIPTION}/resourceGroups/rg-app"
    args = ("--param", 'tagValues=[{"key": "none", "value": "x"}]', "--location", "westeurope", "--name", "idle")
    assert program("policy", "assign", "prerequisite", "-g", group, *args, "--yes").code == 0
    idle = f"{group}/providers/Microsoft.Authorization/policyAssignments/idle"
    done = program("policy", "remediate", idle)
    assert (done.code, "No machine would be changed, nothing was sent" in done.out) == (0, True)


@pytest.mark.parametrize(
    ("assignment", "args", "code", "words"),
    [
        (f"{PREREQUISITE}-none", (), 12, "There is no assignment"),
        (WEB, (), 2, "is not the id of an assignment"),
        (
            "/providers/Microsoft.Management/managementGroups/x/providers/Microsoft.Authorization/policyAssignments/y",
            ("--re-evaluate",),
            2,
            "Azure does not evaluate again at a management group",
        ),
    ],
)
def test_what_is_refused(program: Program, assignment: str, args: tuple[str, ...], code: int, words: str) -> None:
    """Before anything is sent."""
    done = remediate(program, *args, assignment=assignment)
    assert (done.code, words in done.err) == (code, True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"properties": {"enforcementMode": "DoNotEnforce"}}, "has the enforcement mode DoNotEnforce"),
        ({"identity": {"type": "None"}}, "has no managed identity"),
        ({"properties": {"policyDefinitionId": "/providers/x/policySetDefinitions/y"}}, "assigns none of the three"),
    ],
)
def test_an_assignment_that_does_not_act_is_refused(program: Program, change: dict[str, Any], words: str) -> None:
    """No task is started for what was not looked at."""
    document = stored(program, PREREQUISITE)
    assert document is not None
    changed = {**document, **change, "properties": {**document["properties"], **change.get("properties", {})}}
    program.served.emulator.state.put(changed, etag=None)  # type: ignore[attr-defined]
    done = remediate(program)
    assert (done.code, words in done.err, stored(program, TASK)) == (12, True, None)


def faulty(program: Program, rule: dict[str, Any]) -> None:
    """Arm one fault."""
    plan = faults_from(json.dumps({"rules": [rule]}).encode())
    program.served.emulator.faults.arm(plan)  # type: ignore[attr-defined]


def test_a_started_task_whose_machines_cannot_be_listed_is_not_called_done(program: Program) -> None:
    """Nothing is known of each machine, and the exit code says so."""
    answer = {"status": 403, "json": {"error": {"code": "AuthorizationFailed", "message": "No."}}}
    faulty(program, {"match": {"method": "POST", "path": "*/listDeployments"}, "do": {"respond": answer}})
    done = remediate(program, "--count", "1")
    assert done.code == 11
    assert "! What came of it is not known: " in done.out


def test_a_task_that_azure_refuses_was_not_started(program: Program) -> None:
    """With Azure's words."""
    answer = {"status": 400, "json": {"error": {"code": "InvalidCreateRemediationRequest", "message": "Not this one."}}}
    faulty(program, {"match": {"method": "PUT", "path": "*/remediations/*"}, "do": {"respond": answer}})
    done = remediate(program)
    assert (done.code, "Not this one." in done.err) == (1, True)


def test_an_assignment_that_azures_lists_do_not_show_is_not_taken_for_one_without_work(program: Program) -> None:
    """Its machines are not known, and 0 would say that none needs change."""
    empty = {"status": 200, "json": {"value": []}}
    faulty(program, {"match": {"method": "GET", "path": "*/policyAssignments"}, "do": {"respond": empty}})
    done = program("policy", "remediate", PREREQUISITE)
    assert done.code == 2
    assert "    42  not known\n" in done.err
    assert "+ at most 42 machines" in done.err


def test_at_a_management_group_the_machines_below_it_are_looked_at(program: Program) -> None:
    """Azure's list of a subscription has what it inherits."""
    group = "/providers/Microsoft.Management/managementgroups/11111111-1111-1111-1111-111111111111"
    place = ("-m", group.rsplit("/", 1)[-1], "--location", "westeurope", "--name", "above")
    assert program("policy", "assign", "prerequisite", *place, "--yes").code == 0
    above = f"{group}/providers/Microsoft.Authorization/policyAssignments/above"
    done = program("policy", "remediate", above, "--yes", "--count", "1")
    assert done.code == 10
    assert "at management group 11111111-1111-1111-1111-111111111111" in done.err
    assert "  would be changed\n" in done.err
    assert "Azure's last evaluation did not find them" in done.out
    assert "--re-evaluate" not in done.err
