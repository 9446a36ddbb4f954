"""`patchmode policy assign`: reviewed, written in an order in which nothing acts too early, read back, undone."""

import json
from typing import Any

import pytest
from tests.cli.conftest import Program, Start

from arm_emulator.faults import faults_from

PRODUCTION = "22222222-2222-2222-2222-222222222222"
SUBSCRIPTION = f"/subscriptions/{PRODUCTION}"
GROUP = f"{SUBSCRIPTION}/resourceGroups/rg-app"
BASE = "providers/Microsoft.Authorization"
NAME = "patchmode-prerequisite"
ASSIGNMENT = f"{GROUP}/{BASE}/policyAssignments/{NAME}"
HERE = ("prerequisite", "-s", "Contoso Production", "-g", "rg-app", "--location", "westeurope")


@pytest.fixture
def program(start: Start) -> Program:
    """A fleet without assignments."""
    return start("schedules")


def assign(program: Program, *args: str) -> Any:
    """Assign without a question."""
    return program("policy", "assign", *(args or HERE), "--yes")


def stored(program: Program, identifier: str) -> dict[str, Any] | None:
    """A document of the server, by its id."""
    found = program.served.emulator.state.get(identifier)  # type: ignore[attr-defined]
    return None if found is None else found.document


def roles(program: Program) -> list[tuple[str, str]]:
    """Scope and role of every role assignment that the command made."""
    rows = program.served.emulator.state.of_type("microsoft.authorization/roleassignments")  # type: ignore[attr-defined]
    return [
        (one.document["properties"]["scope"], one.document["properties"]["roleDefinitionId"].rsplit("/", 1)[-1])
        for one in rows
    ]


def test_it_is_assigned_with_an_identity_and_its_role(program: Program) -> None:
    """What a read afterwards shows; and an audit then finds it."""
    done = assign(program)
    assert done.code == 0
    document = stored(program, ASSIGNMENT)
    assert document is not None
    assert document["identity"]["type"] == "SystemAssigned"
    assert document["properties"]["enforcementMode"] == "Default"
    assert roles(program) == [(GROUP, "9980e02c-c2be-4d73-94e8-173b1dc7cf3c")]
    assert "a read afterwards shows what was sent" in done.out
    assert f"patchmode policy remediate {ASSIGNMENT}" in done.out
    audited = json.loads(program("policy", "audit", "-g", "rg-app", "--name", "web-04", "-o", "json").out)
    assert audited["policies"][0]["machines"][0]["state"] == "compliant"


def test_another_region_is_told_where_the_assignment_is_left_as_it_is(program: Program) -> None:
    """It is no difference, and "as asked" alone would be untrue."""
    told = "! The assignment is in westeurope, and not in northeurope; it is left there."
    assert told not in assign(program).err
    elsewhere = [{"westeurope": "northeurope"}.get(word, word) for word in HERE]
    done = assign(program, *elsewhere)
    assert (done.code, told in done.err) == (0, True), done.err
    assert told not in assign(program).err


def test_the_review_says_what_it_would_do(program: Program) -> None:
    """By machines, before anything is sent; and nobody is asked who cannot answer."""
    done = program("policy", "assign", *HERE)
    assert done.code == 2
    assert "managed identity: system-assigned, in westeurope" in done.err
    assert "role of the identity there: Virtual Machine Contributor" in done.err
    assert "changed by a remediation task, or at the next write to the machine, unless refused" in " ".join(
        done.err.split()
    )
    assert "rg-app/firewall-01" in done.err
    assert stored(program, ASSIGNMENT) is None


def test_a_second_time_nothing_is_sent(program: Program) -> None:
    """Safe to repeat; and what is missing of it is completed alone."""
    assign(program)
    again = assign(program)
    assert (again.code, "Already as asked, nothing was sent" in again.out) == (0, True)
    assert "To undo it" not in again.err
    state = program.served.emulator.state  # type: ignore[attr-defined]
    for one in list(state.of_type("microsoft.authorization/roleassignments")):
        state.delete(one.id)
    completed = assign(program)
    assert completed.out.startswith("Completed ")
    assert len(roles(program)) == 1
    assert "az role assignment delete" in completed.err
    assert f"az rest --method delete --url '{ASSIGNMENT}" not in completed.err


def test_another_one_of_that_name_is_not_written_over(program: Program) -> None:
    """Only with --replace, whose undo puts back what was there."""
    assign(program)
    other = (*HERE, "--param", "operatingSystemTypes=Linux")
    refused = assign(program, *other)
    assert refused.code == 12
    assert 'parameters.operatingSystemTypes is (absent), not ["Linux"]' in refused.err
    replaced = assign(program, *other, "--replace")
    assert (replaced.code, replaced.out.startswith("Replaced ")) == (0, True)
    assert f"az rest --method put --url '{ASSIGNMENT}?api-version=2023-04-01' --body " in replaced.err


def test_machines_are_left_out_before_it_acts(program: Program) -> None:
    """The assignment changes nothing until its exemptions are there."""
    machine = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/web-01"
    requests: list[tuple[str, str]] = []
    state = program.served.emulator.state  # type: ignore[attr-defined]
    put = state.put

    def watched(document: dict[str, Any], **options: Any) -> Any:
        mode = document.get("properties", {}).get("enforcementMode", "")
        requests.append((document["type"].rsplit("/", 1)[-1], mode))
        return put(document, **options)

    state.put = watched
    done = assign(program, *HERE, "--exempt", machine)
    assert done.code == 0
    assert requests == [
        ("policyAssignments", "DoNotEnforce"),
        ("policyExemptions", ""),
        ("policyAssignments", "Default"),
        ("roleAssignments", ""),
    ]
    exemption = stored(program, f"{machine}/{BASE}/policyExemptions/{NAME}")
    assert exemption is not None
    assert exemption["properties"]["policyAssignmentId"] == ASSIGNMENT
    assert done.err.index("policyExemptions") < done.err.index("az role assignment delete")
    row = json.loads(program("policy", "audit", "--ids", machine, "-o", "json").out)["policies"][0]["machines"][0]
    assert row["state"] == "exempt"


def test_blocked_machines_are_left_out_with_their_rule(program: Program) -> None:
    """The policy would change what patchmode leaves alone, such as a machine with hotpatch."""
    done = assign(program, *HERE, "--exempt-blocked", "-o", "json")
    left = {one["id"].rsplit("/", 1)[-1]: one["rule"] for one in json.loads(done.out)["exempt"]}
    assert left["hotpatch-01"] == "hotpatch-on"
    assert not {"web-01", "desktop-01", "onprem-win-01"} & set(left), "it would not change these in any case"


def test_a_schedule_outside_the_scope_gets_the_role_too(program: Program) -> None:
    """The definition says so of its parameter (assignPermissions): the identity reads the configuration there."""
    schedule = f"{GROUP}/providers/Microsoft.Maintenance/maintenanceConfigurations/mc-nightly"
    param = ("--param", f"maintenanceConfigurationResourceId={schedule}")
    place = ("-s", "Contoso Production", "-g", "RG-DATA-PROD", "--location", "westeurope")
    done = assign(program, "recurring-updates", *place, *param)
    assert done.code == 0, done.err
    data = f"{SUBSCRIPTION}/resourceGroups/RG-DATA-PROD"
    assert roles(program) == [
        (data, "9980e02c-c2be-4d73-94e8-173b1dc7cf3c"),
        (data, "cd08ab90-6b14-449c-ad9a-8f8e549482c6"),
        (schedule, "cd08ab90-6b14-449c-ad9a-8f8e549482c6"),
    ]
    assert "role of the identity at rg-app/mc-nightly: Scheduled Patching Contributor" in done.err
    assert f"--role cd08ab90-6b14-449c-ad9a-8f8e549482c6 --scope '{schedule}'" in done.err
    assert "nothing was sent" in assign(program, "recurring-updates", *place, *param).out


def test_a_machine_that_refuses_every_write_gets_no_exemption(program: Program) -> None:
    """A lock and a deny assignment refuse an exemption as they refuse the policy's change."""
    done = assign(program, "prerequisite", "-s", "Contoso Production", "--location", "westeurope", "--exempt-blocked")
    assert done.code == 10, done.err
    assert "a lock or a deny assignment refuses every write there: databricks-rg-analytics/dbx-worker-0, " in done.out
    assert "MC_aks-prod_westeurope/aks-pool1-0." in done.out
    assert "rg-locked/frozen-01 refuses the change and an exemption alike (read-only-lock)" in done.err
    assert "dbx-worker-0 refuses the change and an exemption alike (databricks-managed)" in done.err


def test_an_assignment_that_somebody_does_not_enforce_is_not_enforced_unasked(program: Program) -> None:
    """It differs from one that was stopped half way: that one is marked."""
    assign(program)
    state = program.served.emulator.state  # type: ignore[attr-defined]
    document = json.loads(json.dumps(stored(program, ASSIGNMENT)))
    document["properties"]["enforcementMode"] = "DoNotEnforce"
    state.put(document, etag=None)
    done = assign(program)
    assert (done.code, 'enforcementMode is "DoNotEnforce", not "Default"' in done.err) == (12, True)


def test_a_refusal_of_the_first_write_does_not_say_that_repeating_completes_it(program: Program) -> None:
    """Nothing was written: the same command would be refused again."""
    rule = {
        "match": {"method": "PUT", "path": "*/policyAssignments/*"},
        "do": {"respond": {"status": 400, "json": {"error": {"code": "InvalidRequestContent", "message": "No."}}}},
    }
    program.served.emulator.faults.arm(faults_from(json.dumps({"rules": [rule]}).encode()))  # type: ignore[attr-defined]
    done = assign(program)
    assert (done.code, "Written before" in done.err, "the same command" in done.err) == (1, False, False), done.err


def test_a_failure_half_way_leaves_an_assignment_that_changes_nothing(program: Program) -> None:
    """What was written is told, and the same command completes it."""
    rule = {
        "match": {"method": "PUT", "path": "*/policyExemptions/*"},
        "do": {"respond": {"status": 403, "json": {"error": {"code": "AuthorizationFailed", "message": "No."}}}},
    }
    faults = program.served.emulator.faults  # type: ignore[attr-defined]
    faults.arm(faults_from(json.dumps({"rules": [rule]}).encode()))
    machine = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/web-01"
    done = assign(program, *HERE, "--exempt", machine)
    assert done.code == 1
    assert "Written before: the assignment." in done.err
    assert "Then the same command completes it" in " ".join(done.err.split())
    document = stored(program, ASSIGNMENT)
    assert document is not None
    assert document["properties"]["enforcementMode"] == "DoNotEnforce"
    faults.arm(faults_from(b'{"rules": []}'))
    completed = assign(program, *HERE, "--exempt", machine)
    assert completed.code == 0, completed.err
    document = stored(program, ASSIGNMENT)
    assert document is not None
    assert document["properties"]["enforcementMode"] == "Default"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("prerequisite", "--location", "westeurope"), "Say where"),
        (("prerequisite", "-g", "rg-app", "--location", "westeurope"), "give its subscription with -s"),
        (("prerequisite", "-m", "x", "-s", "y", "--location", "westeurope"), "An assignment is at one place"),
        ((*HERE, "--param", "tagz=1"), "has no parameter tagz; it has resourceGroups"),
        ((*HERE, "--param", "tagOperator=Some"), "tagOperator takes All, Any, and not Some"),
        ((*HERE, "--param", "tagValues={}"), "tagValues is of type Array"),
        (("recurring-updates", *HERE[1:]), "maintenanceConfigurationResourceId has no default"),
        ((*HERE, "--role", "Boss"), "not a role that patchmode knows by name"),
        ((*HERE, "--name", "a/b"), "a character that Azure does not take"),
        ((*HERE, "--exempt", "/subscriptions/x"), "has no such machine"),
    ],
)
def test_mistakes_are_told_before_anything_is_sent(program: Program, args: tuple[str, ...], words: str) -> None:
    """With what would be right."""
    done = assign(program, *args)
    assert (done.code, words in done.err) == (2, True), done.err
    assert roles(program) == []


def test_a_place_that_cannot_be_read_gets_no_assignment(program: Program) -> None:
    """A typing error in the name of a management group is not a place without machines."""
    done = assign(program, "prerequisite", "-m", "nosuch", "--location", "westeurope")
    assert (done.code, "nosuch" in done.err) == (2, True)
    assert roles(program) == []


def test_at_a_management_group_the_name_is_shorter(start: Start) -> None:
    """Azure takes 24 characters there."""
    program = start("enterprise-estate")
    done = assign(program, "prerequisite", "-m", "x", "--location", "westeurope", "--name", "n" * 25)
    assert "Azure takes 1 to 24 there" in done.err
