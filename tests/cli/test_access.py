"""What whoever is signed in may do, asked at the scope of the machines and told before anything is sent."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Done, Program, clean_environment
from tests.emulator_wire.principals import BLUE, CONTRIBUTOR, ONE, READER, SECRETS, fleet_for
from tests.unit.workflow.fleet_double import vm

from arm_emulator.faults import faults_from
from arm_emulator.protocol.throttle import limits_from
from arm_emulator.testing import Running, running

VM_CONTRIBUTOR = "9980e02c-c2be-4d73-94e8-173b1dc7cf3c"
"""Microsoft's public role id."""
RG_A, RG_B = f"{ONE}/resourceGroups/rg-a", f"{ONE}/resourceGroups/rg-b"
SCHEDULE = f"{RG_A}/providers/Microsoft.Maintenance/maintenanceConfigurations/nightly"
GRANT_B = f"az role assignment create --assignee {BLUE} --role 'Virtual Machine Contributor' --scope {RG_B}"
Roles = list[tuple[str, str]]


def machine(name: str, group: str) -> dict[str, Any]:
    document = vm(name)
    document["id"] = f"{ONE}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}"
    return document


def schedule() -> dict[str, Any]:
    return {
        "id": SCHEDULE,
        "name": "nightly",
        "type": "Microsoft.Maintenance/maintenanceConfigurations",
        "location": "westeurope",
        "properties": {
            "maintenanceScope": "InGuestPatch",
            "extensionProperties": {"InGuestPatchMode": "User"},
            "maintenanceWindow": {
                "startDateTime": "2024-01-01 03:00",
                "duration": "02:00",
                "timeZone": "UTC",
                "recurEvery": "Day",
            },
            "installPatches": {"rebootSetting": "IfRequired"},
        },
    }


class Signed:
    """The program signed in as `blue`, who has these roles, and what its server was asked."""

    def __init__(self, program: Program, served: Running) -> None:
        self.program, self.served = program, served

    def __call__(self, *args: str, **environment: str) -> Done:
        return self.program(*args, COLUMNS="400", **environment)

    def writes(self) -> list[tuple[str, str]]:
        """Method and the machine's name of every write that reached the server."""
        entries = self.served.emulator.ledger.entries
        return [(one.method, one.path.split("/virtualMachines/")[-1].split("/")[0]) for one in entries if _writes(one)]

    def grant(self, scope: str, role: str) -> None:
        name = f"late-{len(scope)}"
        self.served.emulator.state.load(
            {
                "id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}",
                "name": name,
                "type": "Microsoft.Authorization/roleAssignments",
                "properties": {
                    "principalId": BLUE,
                    "scope": scope,
                    "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{role}",
                },
            }
        )


def _writes(entry: Any) -> bool:
    return entry.method in {"PATCH", "PUT", "DELETE"}


Begin = Callable[[Roles], Signed]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    opened: list[Any] = []

    def make(roles: Roles) -> Signed:
        machines = [machine("a1", "rg-a"), machine("a2", "rg-a"), machine("b1", "rg-b"), schedule()]
        context = running(fleet=fleet_for({"blue": roles}, machines=machines), lro_seconds=0, limits=limits_from("off"))
        served = context.__enter__()
        opened.append(context)
        environment = {
            **clean_environment(),
            **served.env,
            "AZURE_CLIENT_ID": BLUE,
            "AZURE_CLIENT_SECRET": SECRETS["BLUE_SECRET"],
            "PATCHMODE_STATE_DIR": str(tmp_path / "state"),
        }
        return Signed(Program(tmp_path, environment, served.endpoint), served)

    yield make
    for context in reversed(opened):
        context.__exit__(None, None, None)


def test_a_reader_is_refused_before_the_question_and_told_what_to_grant(begin: Begin) -> None:
    """One that is refused machine by machine by Azure has sent a fleet's worth of requests for nothing."""
    blue = begin([(ONE, READER)])
    assert blue("plan", "-s", "Prod", "--out", "plan.json").code == 10
    for args in (("apply", "-s", "Prod"), ("apply", "plan.json"), ("apply", "plan.json", "--yes")):
        done = blue(*args)
        assert done.code == 12, done.err
        told = "no role of yours allows Microsoft.Compute/virtualMachines/write on any of the plan's 3 machines"
        assert told in done.err
        assert GRANT_B in done.err
    assert blue.writes() == []
    assert "No run in" in blue("runs", "list").err


def test_a_role_on_one_group_changes_its_machines_and_leaves_the_others_for_a_resume(begin: Begin) -> None:
    blue = begin([(ONE, READER), (RG_A, VM_CONTRIBUTOR)])
    done = blue("apply", "-s", "Prod", "--yes")
    assert done.code == 11
    assert "You may apply it to 2 of 3 machines" in done.err
    assert "Microsoft.Compute/virtualMachines/write, to change its settings, in rg-b (1 machine)" in done.err
    assert GRANT_B in done.err
    assert "2 applied, 1 not sent; 3 in scope, 2 verified" in done.out
    assert f"no role of yours allows Microsoft.Compute/virtualMachines/write on {RG_B}" in done.out
    assert sorted(blue.writes()) == [("PATCH", "a1"), ("PATCH", "a2")]

    blue.grant(RG_B, VM_CONTRIBUTOR)
    assert blue("runs", "resume", "latest").code == 0
    assert sorted(blue.writes()) == [("PATCH", "a1"), ("PATCH", "a2"), ("PATCH", "b1")]


def test_no_machine_is_left_with_settings_and_without_the_schedule_for_want_of_a_role(begin: Begin) -> None:
    """Prepared without a schedule means patched by nobody."""
    blue = begin([(ONE, READER), (ONE, VM_CONTRIBUTOR)])
    done = blue("apply", "-s", "Prod", "--then-attach", "nightly", "--yes")
    assert done.code == 12
    assert "no role of yours allows Microsoft.Maintenance/configurationAssignments/write" in done.err
    assert "--role 'Scheduled Patching Contributor'" in done.err
    assert blue.writes() == []


def test_attach_and_detach_ask_too(begin: Begin) -> None:
    owner = begin([(ONE, CONTRIBUTOR)])
    assert owner("apply", "-s", "Prod", "--then-attach", "nightly", "--yes").code == 0
    before = len(owner.writes())
    state = owner.served.emulator.state
    for assignment in list(state.of_type("microsoft.authorization/roleassignments")):
        state.delete(assignment.id)
    owner.grant(ONE, READER)
    done = owner("schedule", "detach", "nightly", "-s", "Prod", "--yes")
    assert done.code == 11
    assert "You may apply it to 0 of 3 machines" in done.err
    assert "Microsoft.Maintenance/configurationAssignments/delete, to detach the schedule" in done.err
    assert len(owner.writes()) == before
    place = ("-s", "Prod", "--dynamic", "all")
    refused = owner("schedule", "attach", "nightly", *place, "--yes")
    assert (refused.code, f"configurationAssignments/write on {ONE}" in refused.err) == (12, True)
    assert len(owner.writes()) == before


def test_doctor_asks_at_the_groups_of_the_scope(begin: Begin) -> None:
    """Who may write in the group is not told of sixteen missing actions."""
    blue = begin([(RG_A, CONTRIBUTOR)])
    document = json.loads(blue("doctor", "-g", "rg-a", "-o", "json").out)
    (check,) = document["subscriptions"]
    assert {one["action"]: one["scope"] for one in check["missingActions"]} == {
        "Microsoft.Compute/locations/operations/read": ONE,
        "Microsoft.Maintenance/configurationAssignments/read": ONE,
        "Microsoft.Authorization/locks/read": ONE,
    }
    told = blue("doctor", "-g", "rg-a").out
    assert "you may change the settings of 2 of 2 machines here" in told
    whole = blue("doctor").out
    assert "You can read machines in 1 resource group only" in whole


def test_doctor_names_the_group_in_which_an_action_is_missing(begin: Begin) -> None:
    blue = begin([(ONE, READER), (RG_A, CONTRIBUTOR)])
    told = blue("doctor", "-s", "Prod").out
    assert "you may change the settings of 2 of 3 machines here" in told
    assert "missing in rg-b (1 machine): Microsoft.Compute/virtualMachines/write - apply, rollback" in told
    assert f"→ {GRANT_B}" in told
    row = next(
        one
        for one in json.loads(blue("doctor", "-s", "Prod", "-o", "json").out)["subscriptions"][0]["missingActions"]
        if one["action"].endswith("virtualMachines/write")
    )
    assert row == {
        "scope": RG_B,
        "action": "Microsoft.Compute/virtualMachines/write",
        "neededFor": "apply, rollback",
        "machines": 1,
        "role": "Virtual Machine Contributor",
    }


def lock(level: str, scope: str) -> dict[str, Any]:
    return {
        "id": f"{scope}/providers/Microsoft.Authorization/locks/keep",
        "name": "keep",
        "type": "Microsoft.Authorization/locks",
        "properties": {"level": level},
    }


def test_a_lock_that_keeps_the_schedule_is_told_before_detach_and_rollback(begin: Begin) -> None:
    """A CanNotDelete lock lets the settings be written and the schedule not be taken off."""
    owner = begin([(ONE, CONTRIBUTOR)])
    assert owner("apply", "-s", "Prod", "--then-attach", "nightly", "--yes").code == 0
    owner.served.emulator.state.load(lock("CanNotDelete", RG_A))
    refused = owner("schedule", "detach", "nightly", "-s", "Prod").err
    assert "Will be refused, nothing is sent for these (2):\n  delete-lock (2)" in refused
    assert f"The CanNotDelete lock 'keep' on {RG_A} refuses to delete the assignment" in refused
    assert "from 1 machine" in refused
    nothing = owner("schedule", "detach", "nightly", "-g", f"{RG_A}")
    assert nothing.code == 11  # refused by name, nobody is asked
    assert "Nothing will be detached: no machine loses rg-a/nightly." in nothing.err
    assert "nobody can be asked" not in nothing.err
    told = f"2 machines keep their schedule: the lock 'keep' on {RG_A} refuses to delete it."
    err = owner("rollback", "latest", "--yes").err
    assert f"\n! {told}" in err
    assert err.index("\nPlan: ") < err.index(told)  # last of all, where the question would stand


def test_who_attaches_under_a_lock_is_told_to_lift_it_before_the_undo(begin: Begin) -> None:
    """Without that the printed undo detaches nothing and restores nothing."""
    owner = begin([(ONE, CONTRIBUTOR)])
    owner.served.emulator.state.load(lock("CanNotDelete", RG_A))
    done = owner("apply", "-s", "Prod", "--then-attach", "nightly", "--yes")
    before, undo, _ = done.err.partition("Undo it with:")
    assert undo
    assert before.splitlines()[-1].startswith(f"! First have the lock 'keep' on {RG_A} removed: ")
    alone = owner("rollback", "latest", "--yes", "--ids", f"{RG_B}/providers/Microsoft.Compute/virtualMachines/b1")
    assert "refuses to delete" not in alone.err  # the lock is on the other group


def test_a_policy_that_takes_bypass_away_is_told_with_its_consequence_first(begin: Begin) -> None:
    """The machine is now Azure's to restart; the printed command restores it."""
    owner = begin([(ONE, CONTRIBUTOR)])
    field = "properties.osProfile.windowsConfiguration.patchSettings.automaticByPlatformSettings"
    rule = {
        "match": {"method": "PATCH", "path": "*/virtualMachines/a*"},
        "do": {"modify": [{"operation": "remove", "field": field}]},
    }
    owner.served.emulator.faults.arm(faults_from(json.dumps([rule]).encode()))
    done = owner("apply", "-s", "Prod", "--yes")
    assert done.code == 11
    assert done.out.startswith("Failed (2):")
    assert (
        "Azure now patches and restarts the machine at a time it chooses, unless a schedule is attached, whose runs "
        "fail" in done.out
    )
    assert "Azure patches and restarts it at a time it chooses" in owner("verify", "-s", "Prod").out
    command = next(line for line in done.out.splitlines() if "patchmode rollback" in line)
    words = command.split("patchmode rollback ", 1)[1].split("`", 1)[0].split()
    words[0] = "latest"  # the run's id is replaced in what the fixture gives
    assert len(words) == 4  # the run, --ids and both machines
    assert owner("rollback", *words, "--yes").code == 0
    audited = json.loads(owner("audit", "-s", "Prod", "-o", "json").out)["machines"]
    assert {one["name"]: one["orchestration"] for one in audited} == {
        "a1": "AutomaticByOS",
        "a2": "AutomaticByOS",
        "b1": "CustomerManagedSchedules",
    }
