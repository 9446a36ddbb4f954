"""Runs that do not end as planned: stale machines, a spent budget, a lock that came later, two applies at once."""

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from tests.cli.conftest import Done, Program, Start, wait_for_words

from arm_emulator.faults import Action, FaultPlan, Matcher, Respond, Rule
from arm_emulator.named_fleets import read_fleet
from arm_emulator.profile import Profile

if TYPE_CHECKING:
    import subprocess

VM = (
    "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-app/providers/Microsoft.Compute"
    "/virtualMachines"
)


def begun(program: Program, *args: str, is_installed: bool = False) -> "subprocess.Popen[str]":
    """A program that runs on beside the test, once it says that it is applying."""
    process = program.beside(*args, is_installed=is_installed)
    wait_for_words("Applying", process)
    return process


def runs_of(program: Program) -> list[str]:
    """The ids of the runs in its state folder, oldest first."""
    return sorted(path.stem for path in (program.folder / "state" / "runs").glob("*.sqlite"))


def loaded(done: Done) -> Any:
    return json.loads(done.out)


def test_a_machine_that_moved_since_the_plan_is_refused_by_name(start: Start) -> None:
    """And the others are changed all the same."""
    program = start("small")
    assert program("plan", "--all", "--out", "plan.json").code == 10
    assert program("apply", "--ids", f"{VM}/web-01", "--to", "azure-managed", "--yes", "-q").code == 0
    done = program("apply", "plan.json", "--yes", "--no-progress")
    assert done.code == 11
    assert "Stale: the machine changed since the plan, nothing was changed (1):" in done.out
    assert "rg-app/web-01" in done.out
    assert "patchMode" in done.out
    assert "2 applied, 1 stale, 1 unchanged; 4 in scope, 2 verified." in done.out
    assert program("runs", "show").code == 11


def test_a_machine_changed_after_the_run_fails_its_verification(start: Start) -> None:
    """What was proven yesterday is proven again, or it is not."""
    program = start("small")
    assert program("apply", "--all", "--yes", "-q").code == 0
    (run,) = (path.stem for path in (program.folder / "state" / "runs").glob("*.sqlite"))
    assert program("apply", "--ids", f"{VM}/db-01", "--to", "image-default", "--yes", "-q").code == 0
    done = program("verify", run, "-o", "json")
    assert done.code == 13
    assert loaded(done)["counts"] == {"scope": 3, "verified": 2, "differing": 1, "unreadable": 0}
    wrong = [entry for entry in loaded(done)["results"] if not entry["verified"]]
    assert [entry["id"].rsplit("/", 1)[1] for entry in wrong] == ["db-01"]
    settings = "properties.osProfile.linuxConfiguration.patchSettings"
    found = {one.pop("path").removeprefix(settings): one for one in wrong[0]["differences"]}
    assert found[".patchMode"] == {"expected": "AutomaticByPlatform", "found": "ImageDefault"}
    bypass = ".automaticByPlatformSettings.bypassPlatformSafetyChecksOnUserSchedule"
    assert found[bypass]["expected"] is True
    shown = loaded(program("runs", "show", run, "-o", "json"))["results"]
    assert [one["verification"]["differences"][0]["found"] for one in shown if not one["verification"]["verified"]] == [
        wrong[0]["differences"][0]["found"]
    ]


def test_two_applies_of_one_plan_at_once(start: Start) -> None:
    """The second is told who holds it, and sends nothing."""
    program = start("small", lro_seconds=4)
    assert program("plan", "--all", "--out", "plan.json").code == 10
    first = begun(program, "apply", "plan.json", "--yes")
    second = program("apply", "plan.json", "--yes")
    assert first.wait(60) == 0
    first.communicate()
    assert second.code == 12
    assert "is applying this plan" in second.err
    entries = program.served.emulator.ledger.entries  # type: ignore[attr-defined]
    assert sum(entry.method == "PATCH" for entry in entries) == 3


def test_an_operation_that_never_ends_is_given_up_when_asked_to(start: Start) -> None:
    """Apply, resume and rollback all take the patience from the command line, and name the operation."""
    program = start("small", lro_seconds=600)
    done = program("apply", "--all", "--yes", "--operation-timeout", "2", "-o", "json")
    assert done.code == 11
    counts = loaded(done)["counts"]
    assert (counts["unknown"], counts["applied"]) == (3, 0)
    for result in loaded(done)["results"]:
        assert (result["error"]["code"], result["error"]["mayHaveBeenApplied"]) == ("StillRunning", True)
        assert "Its operation: https://" in result["error"]["advice"]
    assert "Prove it again" not in done.err, "nothing was applied"
    assert program("runs", "resume", "latest", "-q").code == 11
    assert program("apply", "--all", "--operation-timeout", "0").code == 2


def test_a_sign_in_that_is_refused_for_good_stops_the_run(start: Start) -> None:
    """The token is renewed once; then no other machine would fare better, and nothing more is sent."""
    refusal = {"error": {"code": "InvalidAuthenticationToken", "message": "The access token is invalid."}}
    rule = Rule(do=Action(respond=Respond(401, json=refusal)), match=Matcher(method="PATCH"), nth=[2, 3])
    program = start("small", faults=FaultPlan([rule]))
    done = program("apply", "--all", "--yes", "--concurrency", "1", "--no-progress")
    assert done.code == 1
    assert "was answered 401 InvalidAuthenticationToken" in done.err
    assert "patchmode runs resume" in done.err
    entries = program.served.emulator.ledger.entries  # type: ignore[attr-defined]
    assert sum(entry.method == "PATCH" for entry in entries) == 3, "one, and one that was refused and renewed"
    report = loaded(program("runs", "show", "-o", "json"))
    assert (report["state"], report["counts"]["failed"]) == ("interrupted", 0)
    assert report["counts"]["notSent"] == 2
    resumed = program("runs", "resume", "-q", "-o", "json")
    assert (resumed.code, loaded(resumed)["counts"]["verified"]) == (0, 3)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that a program can catch")
def test_sigterm_stops_as_cleanly_as_ctrl_c(start: Start) -> None:
    """A job that is cancelled by its runner follows what it sent to its end, and can be taken up."""
    program = start("demo", lro_seconds=2)
    applying = begun(program, "apply", "--all", "--yes", "--concurrency", "1", "--max-failures", "1")
    applying.send_signal(signal.SIGTERM)
    _, said = applying.communicate(timeout=60)
    assert applying.returncode == 130
    assert "Stopping: changes under way are followed to their end" in said
    assert "Continue with: patchmode runs resume" in said
    counts = loaded(program("runs", "show", "-o", "json"))["counts"]
    assert counts["unknown"] == 0
    assert counts["applied"] + counts["notSent"] == 30
    assert counts["notSent"] > 0


def test_a_run_that_another_process_carries_out_is_not_rolled_back(start: Start) -> None:
    """What it will have changed is not known yet, so there is no honest way back to plan."""
    program = start("small", lro_seconds=600)
    command = ("apply", "--all", "--yes", "--operation-timeout", "60")
    applying = begun(program, *command, is_installed=True)  # its number is told, and it is killed
    done = program("rollback", "latest", "--yes")
    applying.kill()
    applying.communicate()
    assert done.code == 12
    assert f"is held by process {applying.pid}" in done.err
    # Nobody holds it any more; its machines are left alone only for as long as their operations run.
    after = program("rollback", "latest", "--yes")
    assert after.code == 10
    assert "when the operation has ended" in after.out


def test_rollback_leaves_what_it_may_not_restore_and_says_why(start: Start) -> None:
    """Handing a machine back to Azure's own patching needs a word of its own."""
    program = start("small")
    assert program("apply", "--all", "--yes", "-q").code == 0
    done = program("rollback", "latest", "--yes", "-q", "-o", "json")
    assert done.code == 10
    assert loaded(done)["counts"]["applied"] == 2
    assert loaded(done)["counts"]["skipped"] == loaded(done)["counts"]["blocked"] == 1
    assert [entry["rule"] for entry in loaded(done)["blocked"]] == ["would-autopatch"]
    modes = {row["name"]: row["orchestration"] for row in loaded(program("audit", "-o", "json"))["machines"]}
    assert modes == {
        "db-01": "ImageDefault",
        "db-02": "CustomerManagedSchedules",
        "web-01": "AutomaticByOS",
        "web-02": "CustomerManagedSchedules",
    }
    again = program("rollback", runs_of(program)[0], "--yes", "-q", "--allow-azure-managed")
    assert again.code == 0, again.err


def test_latest_does_not_undo_an_undo_where_nobody_is_asked(start: Start) -> None:
    """A repeated command would send again what the first took back; named by its id it is carried out, and said."""
    program = start("small")
    assert program("apply", "--all", "--yes", "-q").code == 0
    assert program("rollback", "latest", "--yes", "-q").code == 10
    run, back = runs_of(program)
    done = program("rollback", "latest", "--yes", "--no-progress")
    assert (done.code, done.out) == (2, "")
    told = program.ran_raw[-1]
    redoes = f"Run {back} is itself the rollback of run {run}: to undo it makes the changes of run {run} again."
    assert f"Nothing was sent: {redoes}" in " ".join(told.split())
    assert f"\npatchmode rollback {back} --yes\n" in told
    assert runs_of(program) == [run, back]
    assert program("rollback", back, "--yes", "--no-progress", COLUMNS="300").code == 0
    assert f"\n! {redoes}\n" in program.ran_raw[-1]


def test_a_plan_without_changes_says_so_and_is_written_all_the_same(start: Start) -> None:
    """A file that appears without a word leaves its reader wondering what it is for."""
    program = start("small")
    assert program("apply", "--all", "--yes").code in {0, 10}
    done = program("plan", "--all", "--out", "empty.json")
    assert done.code == 0
    assert "Nothing has to be changed. Written to empty.json." in done.err
    assert (program.folder / "empty.json").is_file()
    assert "Written" not in program("plan", "--all").err


@pytest.mark.parametrize("empty", ["stored", "dropped"])
@pytest.mark.parametrize("older", ["absent", "defaults"])
def test_what_the_service_keeps_or_shows_of_its_own_accord_is_no_damage(start: Start, empty: str, older: str) -> None:
    """Empty objects of another client may go with our write; defaults of a machine made long ago may be shown."""
    program = start("small", profile=Profile(empty_objects=empty, settings_of_older_machines=older))  # type: ignore[arg-type]
    fleet = read_fleet("small")
    for one in fleet["resources"]:
        properties = one.get("properties", {})
        if "storageProfile" in properties:
            properties["storageProfile"]["osDisk"]["vhd"] = {}
            for block in properties["osProfile"].values():
                if isinstance(block, dict):
                    block.pop("patchSettings", None)
    program.served.emulator.reset(fleet)  # type: ignore[attr-defined]
    applied = program("apply", "--all", "--yes", "-q", "-o", "json")
    counts = json.loads(applied.out)["counts"]
    assert (applied.code, counts["applied"], counts["verified"], counts["stale"]) == (0, 4, 4, 0), applied.out
    assert program("verify").code == 0
