"""`runs resume` as the command line has it: what held the run back still does, and a spent budget asks."""

import json
import re
import shlex
from pathlib import Path
from typing import NoReturn

import pytest
from tests.cli.conftest import Done, Program, Start

from arm_emulator.faults import Action, FaultPlan, Matcher, Respond, Rule
from patchmode.cli import composition
from patchmode.cli.main import run as run_program
from patchmode.cli.settings import Settings
from patchmode.errors import SignInError
from patchmode.model.guardrails import RunGuardrails
from patchmode.store.plan_file import read_plan
from patchmode.store.runs import RunStore

PATCHES = Matcher(method="PATCH")
LOCKED = Respond(409, json={"error": {"code": "ScopeLocked", "message": "The scope is locked."}})
REFUSED_TOKEN = Respond(401, json={"error": {"code": "InvalidAuthenticationToken", "message": "No."}})
SIGNED_OUT_ONCE = FaultPlan([Rule(do=Action(respond=REFUSED_TOKEN), match=PATCHES, nth=[1, 2])])
"""The first run ends before anything is changed; whoever takes it up meets nothing."""
ALL_LOCKED_BUT_ONE = FaultPlan([Rule(do=Action(respond=LOCKED), match=PATCHES, nth=[2, 3, 4, 5, 6, 7, 8, 9])])
ALL_LOCKED = FaultPlan([Rule(do=Action(respond=LOCKED), match=PATCHES)])


def patches(program: Program) -> int:
    entries = program.served.emulator.ledger.entries  # type: ignore[attr-defined]
    return sum(entry.method == "PATCH" for entry in entries)


def the_run(program: Program) -> str:
    (run,) = (path.stem for path in (program.folder / "state" / "runs").glob("*.sqlite"))
    return run


def begun(program: Program, brakes: RunGuardrails | None = None) -> str:
    """A run that a process began and died before it sent anything: its id."""
    assert program("plan", "--all", "--out", "plan.json").code == 10
    journal = RunStore(program.folder / "state").create(read_plan(program.folder / "plan.json"), brakes=brakes)
    journal.release()
    return journal.run


def in_force(done: Done) -> str:
    lines = done.err.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("Run options"))
    return "\n".join(lines[start : start + 2])


def test_everything_that_held_a_run_back_is_told_when_it_begins_and_when_it_is_taken_up(start: Start) -> None:
    """The run ends at once, since nobody is signed in any more; the next shell has another environment."""
    program = start("small", faults=SIGNED_OUT_ONCE)
    options = ("--max-failures", "2", "--max-failures-per-wave", "50%", "--max-failures-per-region", "2")
    options += ("--concurrency", "1", "--operation-timeout", "12", "--wave-pause", "90m", "--last-wave", "1")
    options += ("--throttle-patience", "30m")
    around = {
        "PATCHMODE_FREEZE": "2031-01-01/2031-01-02 Europe/Berlin",
        "PATCHMODE_SHARE": "50%",
        "PATCHMODE_MAX_CHANGES": "100%",
    }
    begun = program("apply", "--all", "--yes", *options, **around)
    assert begun.code == 1
    told = (
        "Run options  --max-failures 2, --max-failures-per-wave 50%, --max-failures-per-region 2, --concurrency 1, "
        "--operation-timeout 12, --throttle-patience 30m, --wave-pause 90m, --last-wave 1, "
        "--freeze '2031-01-01/2031-01-02 Europe/Berlin' (from PATCHMODE_FREEZE), --share 50% (from PATCHMODE_SHARE), "
        "--max-changes 100% (from PATCHMODE_MAX_CHANGES)"
    )
    assert told in begun.err
    resumed = program("runs", "resume")
    assert (
        in_force(resumed) == f"{told}\n             Unchanged since the run began; an option given here changes them."
    )
    assert resumed.code == 0


def test_an_option_on_resume_changes_what_is_kept_and_is_told_and_kept_in_turn(start: Start) -> None:
    rule = Rule(do=Action(respond=REFUSED_TOKEN), match=PATCHES, nth=[1, 2, 3, 4])
    program = start("small", faults=FaultPlan([rule]))
    first = ("--max-failures", "2", "--operation-timeout", "12", "--concurrency", "1")
    assert program("apply", "--all", "--yes", *first).code == 1
    changed = program("runs", "resume", "--operation-timeout", "1800", "--max-failures", "none", "--wave-pause", "1h")
    assert changed.code == 1
    assert in_force(changed) == (
        "Run options  --concurrency 1, --operation-timeout 1800, --wave-pause 1h\n"
        "             Changed now: --max-failures none (was 2), --operation-timeout 1800 (was 12), "
        "--wave-pause 1h (was not given)."
    )
    again = program("runs", "resume")
    assert in_force(again) == (
        "Run options  --concurrency 1, --operation-timeout 1800, --wave-pause 1h\n"
        "             Unchanged since the run began; an option given here changes them."
    )
    assert again.code == 0


def test_a_run_stopped_by_its_budget_is_stopped_everywhere_and_goes_on_after_a_yes_alone(start: Start) -> None:
    """What was printed as the way on sent everything that was left, unasked."""
    program = start("demo", faults=ALL_LOCKED)
    done = program("apply", "-g", "rg-app", "--max-failures", "3", "--concurrency", "1", "--yes", "-o", "json")
    report = json.loads(done.out)
    assert (done.code, report["state"], report["counts"]["failed"], report["counts"]["notSent"]) == (
        11,
        "stopped",
        3,
        12,
    )
    assert report["stoppedBy"] == [
        {"code": "FailureBudgetSpent", "because": "the failure budget was spent", "region": None}
    ]
    assert report["brakes"] == {"--max-failures": "3", "--concurrency": "1"}
    run = the_run(program)
    shown = program("runs", "show")
    assert "stopped.\n  Reason: the failure budget was spent.\n" in shown.out
    assert "FailureBudgetSpent" in shown.out
    assert [one["state"] for one in json.loads(program("runs", "list", "-o", "json").out)["runs"]] == ["stopped"]
    for options in ((), ("--yes",), ("--max-failures", "9"), ("--yes", "--max-failures", "3")):
        refused = program("runs", "resume", *options)
        assert (refused.code, refused.out, patches(program)) == (12, "", 3), options
        assert "Failed so far (3):" in refused.err
        assert "rg-app/agent-silent-01, rg-app/api-01, rg-app/api-02  ScopeLocked" in refused.err
        assert (
            "patchmode: The failure budget is spent: 3 failed, and --max-failures is 3. Nothing was sent."
            in refused.err
        )
        assert "--yes --max-failures 6`." in refused.err
    # The command that the refusal prints is one that runs.
    again = program("runs", "resume", run, "--yes", "--max-failures", "6", "-o", "json")
    assert (again.code, patches(program)) == (11, 6)
    assert json.loads(again.out)["counts"]["failed"] == 6


def test_a_run_of_an_earlier_version_says_what_it_did_not_write_down(start: Start) -> None:
    program = start("small")
    run = begun(program)
    _forget_brakes(program.folder / "state" / "runs" / f"{run}.sqlite")
    resumed = program("runs", "resume", "--max-failures", "2")
    assert (
        "Run options  an earlier version began this run and did not record its limits; options now: --max-failures 2"
    ) in resumed.err
    assert resumed.code == 0


def _forget_brakes(path: Path) -> None:
    import sqlite3

    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM about WHERE name = 'brakes'")
        connection.execute("PRAGMA user_version=1")
    connection.close()


def test_max_changes_is_in_force_on_resume(start: Start) -> None:
    """Nothing of the plan can grow; whoever lowers the limit on resume means it."""
    program = start("small")
    run = begun(program, RunGuardrails(max_changes="1"))
    done = program("runs", "resume", run)
    assert (done.code, patches(program)) == (12, 0)
    assert "The plan would change 3 of 4 machines in scope (75 %), and the limit is 1." in done.err
    assert program("runs", "resume", run, "--max-changes", "none", PATCHMODE_MAX_CHANGES="1").code == 0


def test_share_is_in_force_on_resume(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of everything that is sent; what the environment says can only make it smaller."""
    program = start("small")
    begun(program, RunGuardrails(share="40%"))
    shares = []

    def connected(settings: Settings, **_: object) -> NoReturn:
        shares.append(settings.share)
        raise SignInError("enough")

    monkeypatch.setattr(composition, "connected", connected)
    state = ("--state-dir", str(program.folder / "state"))
    run_program(["runs", "resume", *state])
    for around in ("60%", "20%"):
        monkeypatch.setenv("PATCHMODE_SHARE", around)
        run_program(["runs", "resume", *state])
    run_program(["runs", "resume", *state, "--share", "90%"])
    assert shares == ["40%", "40%", "20%", "90%"]


def test_the_last_wave_asked_for_is_the_last_until_more_are_asked_for(start: Start) -> None:
    program = start("demo")
    first = program("apply", "-g", "rg-app", "--canary", "3", "--last-wave", "1", "--yes")
    assert first.code == 10
    again = program("runs", "resume")
    assert (again.code, "3 applied, 12 not sent" in again.out) == (10, True)
    run = the_run(program)
    assert f"patchmode runs resume {run} --last-wave 2" in program.ran_raw[-1]
    assert program("runs", "resume", "--last-wave", "2").code == 10  # all is sent; the blocked ones stay


# ------------------------------------------------------------------------------------------------ which run


def printed_commands(text: str) -> list[list[str]]:
    """Every command about a run that a text prints, as words, without the program's name."""
    found = re.findall(r"patchmode ((?:runs resume|runs show|verify|rollback) \d{8}T[^`\n]*?)(?=`|\n|$|\s{4})", text)
    return [shlex.split(command) for command in found]


def test_without_an_id_the_open_run_is_taken_and_not_the_newest(start: Start) -> None:
    """The newest one may have ended long ago, while the one that was interrupted waits."""
    program = start("small", faults=SIGNED_OUT_ONCE)
    assert program("apply", "--ids", machine("db-01"), "--yes", "--concurrency", "1").code == 1
    interrupted = the_run(program)
    assert program("apply", "--ids", machine("web-01"), "--yes").code == 0
    done = program("runs", "resume")
    assert (done.code, "1 applied" in done.out) == (0, True)
    assert interrupted in program.ran_raw[-1]
    nothing = program("runs", "resume")
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "No run is open: nothing is left to resume.\n")
    assert program("runs", "resume", "--state-dir", "elsewhere").code == 2


def test_where_several_runs_are_open_one_must_be_named(start: Start) -> None:
    program = start("small")
    first = begun(program)
    assert program("plan", "--ids", machine("db-01"), "--out", "one.json").code == 10
    journal = RunStore(program.folder / "state").create(read_plan(program.folder / "one.json"))
    journal.release()
    done = program("runs", "resume")
    assert (done.code, done.out, patches(program)) == (2, "", 0)
    said = program.ran_raw[-1]
    assert "patchmode: 2 runs are open, so one must be named." in said
    assert f"  interrupted, 0 of 1 change ended:\n    patchmode runs resume {journal.run}\n" in said
    assert f"  interrupted, 0 of 3 changes ended:\n    patchmode runs resume {first}\n" in said
    (newest, oldest) = printed_commands(said)
    assert program(*oldest).code == 0
    assert program(*newest).code in {0, 11}


def test_a_new_apply_says_which_open_run_holds_its_machines(start: Start) -> None:
    """Before the question: whoever goes on with the other run needs no new one."""
    program = start("small")
    run = begun(program)
    assert program("apply", "--ids", machine("web-01"), "--yes").code == 0
    said = program.ran_raw[-1]
    assert f"! Run {run} was interrupted and holds 1 machine of this plan that it has not finished.\n" in said
    assert f"  Continue it:       patchmode runs resume {run}\n" in said
    assert said.index("! Run ") < said.index("Applying")
    done = program("rollback", "latest", "--yes")
    assert f"! Run {run} was interrupted and holds 1 machine of this plan" in program.ran_raw[-1]
    assert done.code == 0
    assert program("runs", "resume", run, "-q").code in {0, 11}
    assert program("apply", "--all", "--yes", "--to", "azure-managed").code == 0
    assert "! Run " not in program.ran_raw[-1]


def test_verify_and_rollback_take_the_latest_run_that_sent_anything(start: Start) -> None:
    """One that ended before it sent anything has nothing to verify, and would be called verified."""
    program = start("small", faults=FaultPlan([Rule(do=Action(respond=REFUSED_TOKEN), match=PATCHES, nth=[4, 5])]))
    assert program("apply", "--all", "--yes").code == 0
    sent = the_run(program)
    assert program("plan", "--all", "--to", "azure-managed", "--out", "plan.json").code == 10
    RunStore(program.folder / "state").create(read_plan(program.folder / "plan.json")).release()
    verified = program("verify", "-o", "json")
    assert json.loads(verified.out)["run"] == "RUN"
    assert sent in program.ran_raw[-1] or json.loads(verified.out)["counts"]["verified"] == 3
    back = program("rollback", "latest", "--yes")
    assert f"Rolling back run {sent}." in program.ran_raw[-1]
    assert back.code in {10, 11}  # one machine may not go back to Azure's own patching unasked


def test_every_command_that_is_printed_runs_when_it_is_pasted(start: Start) -> None:
    """With the folder and the cloud that were typed, and nothing in the environment but who signs in."""
    program = start("demo", faults=ALL_LOCKED_BUT_ONE)
    cloud = program.environment.pop("PATCHMODE_CLOUD")
    program.environment["PATCHMODE_STATE_DIR"] = str(program.folder / "nothing here")
    places = ("--state-dir", str(program.folder / "my state"), "--cloud", cloud)
    budget = ("--max-failures", "2", "--concurrency", "1")
    program("apply", "-g", "rg-app", *budget, "--yes", *places, "-o", "json")
    told = [program.ran_raw[-1]]
    told += [program(*command, *places).out for command in (("runs", "show"), ("runs", "list"))]
    program("runs", "resume", *places)
    told.append(program.ran_raw[-1])
    raw = "\n".join(told)
    commands = {tuple(command) for command in printed_commands(raw)}
    assert {command[:2] for command in commands} >= {("runs", "resume"), ("verify", the_run_in(program))}
    for command in sorted(commands, key=lambda one: (one[0] == "rollback", one)):
        assert "--state-dir" in command, command
        done = program(*command, "--yes") if command[0] == "rollback" else program(*command)
        assert done.code in {0, 10, 11, 12, 13}, (command, done)
        assert "there is no run" not in done.err
        assert done.code != 12 or "failure budget is spent" in done.err, (command, done.err)


def the_run_in(program: Program) -> str:
    (run,) = {path.stem for path in (program.folder / "my state" / "runs").glob("*.sqlite")}
    return run


def machine(name: str) -> str:
    return (
        "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-app/providers/Microsoft.Compute"
        f"/virtualMachines/{name}"
    )


def test_a_run_that_has_ended_is_not_told_as_if_it_had_just_been_carried_out(start: Start) -> None:
    """Nobody has to be signed in: nothing is sent."""
    program = start("demo", faults=ALL_LOCKED_BUT_ONE)
    first = program("apply", "-g", "rg-app", "--yes")
    run, sent = the_run(program), len(program.served.emulator.ledger.entries)  # type: ignore[attr-defined]
    for name in ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        program.environment.pop(name)
    done = program("runs", "resume", run)
    told = "nothing was left to do, and nothing was sent now. This is how it ended."
    assert (done.code, done.out.splitlines()[0].endswith(told)) == (first.code, True)
    assert done.out.startswith("Run RUN had ended at ")
    assert first.out in done.out
    assert "Undo it with" not in done.err
    in_json = program("runs", "resume", run, "-o", "json")
    assert json.loads(in_json.out) == json.loads(program("runs", "show", run, "-o", "json").out)
    assert told in in_json.err
    assert len(program.served.emulator.ledger.entries) == sent  # type: ignore[attr-defined]


def test_machines_rolled_back_alone_leave_the_run_open_for_the_others(start: Start) -> None:
    program = start("small", faults=SIGNED_OUT_ONCE)
    assert program("apply", "--all", "--yes", "--concurrency", "1").code == 1
    run = the_run(program)
    program.served.emulator.faults.arm(FaultPlan([Rule(do=Action(respond=REFUSED_TOKEN), match=PATCHES, nth=[2, 3])]))  # type: ignore[attr-defined]
    assert program("runs", "resume", run).code == 1
    names = {one["result"]: one["id"] for one in json.loads(program("runs", "show", run, "-o", "json").out)["results"]}
    back = program("rollback", run, "--ids", names["applied"], "--yes")
    assert back.code == 0, back.err
    assert "! It is interrupted: a resume skips these machines; it continues with the others." in back.err
    shown = program("runs", "show", run)
    assert "Rolled back separately: " in shown.err
    assert "Continue with: patchmode runs resume RUN" in shown.err
    before = patches(program)
    done = program("runs", "resume", run, "-o", "json")
    report = json.loads(done.out)
    assert (done.code, report["state"], patches(program) > before) == (0, "finished", True)
    assert "Note: Rolled back separately: " in program("verify", run).err


def test_a_run_that_was_rolled_back_is_not_taken_up(start: Start) -> None:
    """It would set again what somebody just took back, and call it verified."""
    program = start("demo", faults=ALL_LOCKED_BUT_ONE)
    program("apply", "-g", "rg-app", "--max-failures", "2", "--concurrency", "1", "--yes")
    run = the_run(program)
    assert "Continue with: patchmode runs resume" in program("runs", "show").err
    program.served.emulator.faults.arm(FaultPlan())  # type: ignore[attr-defined]
    back = program("rollback", "latest", "--yes")
    assert "once rolled back it cannot be resumed" in back.err
    sent = patches(program)
    for args in (("runs", "resume", run), ("runs", "resume", run, "--yes", "--max-failures", "99")):
        done = program(*args)
        assert (done.code, "was rolled back by run" in done.err) == (12, True)
    assert "not resumed" in program("runs", "resume").err
    assert "It was rolled back by run" in program("runs", "show", run).err
    assert "was rolled back by run" in program("verify", run).err
    assert patches(program) == sent
