"""`runs resume` as the command line has it: what held the run back still does, and a spent budget asks."""

import json
from pathlib import Path
from typing import NoReturn

import pytest
from tests.cli.conftest import Done, Program, Start

from arm_emulator.faults import Action, FaultPlan, Matcher, Respond, Rule
from patchmode.cli import composition
from patchmode.cli.main import run as run_program
from patchmode.cli.settings import Settings
from patchmode.errors import SignInError
from patchmode.model.brakes import RunBrakes
from patchmode.store.plan_file import read_plan
from patchmode.store.runs import RunStore

PATCHES = Matcher(method="PATCH")
LOCKED = Respond(409, json={"error": {"code": "ScopeLocked", "message": "The scope is locked."}})
REFUSED_TOKEN = Respond(401, json={"error": {"code": "InvalidAuthenticationToken", "message": "No."}})
SIGNED_OUT_ONCE = FaultPlan([Rule(do=Action(respond=REFUSED_TOKEN), match=PATCHES, nth=[1, 2])])
"""The first run ends before anything is changed; whoever takes it up meets nothing."""
ALL_LOCKED = FaultPlan([Rule(do=Action(respond=LOCKED), match=PATCHES)])


def patches(program: Program) -> int:
    entries = program.served.emulator.ledger.entries  # type: ignore[attr-defined]
    return sum(entry.method == "PATCH" for entry in entries)


def the_run(program: Program) -> str:
    (run,) = (path.stem for path in (program.folder / "state" / "runs").glob("*.sqlite"))
    return run


def begun(program: Program, brakes: RunBrakes | None = None) -> str:
    """A run that a process began and died before it sent anything: its id."""
    assert program("plan", "--all", "--out", "plan.json").code == 10
    journal = RunStore(program.folder / "state").create(read_plan(program.folder / "plan.json"), brakes=brakes)
    journal.release()
    return journal.run


def in_force(done: Done) -> str:
    lines = done.err.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("In force"))
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
        "In force     --max-failures 2, --max-failures-per-wave 50%, --max-failures-per-region 2, --concurrency 1, "
        "--operation-timeout 12, --throttle-patience 30m, --wave-pause 90m, --last-wave 1, "
        "--freeze '2031-01-01/2031-01-02 Europe/Berlin' (from PATCHMODE_FREEZE), --share 50% (from PATCHMODE_SHARE), "
        "--max-changes 100% (from PATCHMODE_MAX_CHANGES)"
    )
    assert told in begun.err
    resumed = program("runs", "resume")
    assert in_force(resumed) == f"{told}\n             As the run keeps them; an option given here changes them."
    assert resumed.code == 0


def test_an_option_on_resume_changes_what_is_kept_and_is_told_and_kept_in_turn(start: Start) -> None:
    rule = Rule(do=Action(respond=REFUSED_TOKEN), match=PATCHES, nth=[1, 2, 3, 4])
    program = start("small", faults=FaultPlan([rule]))
    first = ("--max-failures", "2", "--operation-timeout", "12", "--concurrency", "1")
    assert program("apply", "--all", "--yes", *first).code == 1
    changed = program("runs", "resume", "--operation-timeout", "1800", "--max-failures", "none", "--wave-pause", "1h")
    assert changed.code == 1
    assert in_force(changed) == (
        "In force     --concurrency 1, --operation-timeout 1800, --wave-pause 1h\n"
        "             Changed now: --max-failures none (was 2), --operation-timeout 1800 (was 12), "
        "--wave-pause 1h (was not given)."
    )
    again = program("runs", "resume")
    assert in_force(again) == (
        "In force     --concurrency 1, --operation-timeout 1800, --wave-pause 1h\n"
        "             As the run keeps them; an option given here changes them."
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
    assert "stopped.\n  Held back: the failure budget was spent.\n" in shown.out
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
        "In force     this run was begun by an earlier version that did not write its brakes down; options in force: "
        "--max-failures 2"
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
    run = begun(program, RunBrakes(max_changes="1"))
    done = program("runs", "resume", run)
    assert (done.code, patches(program)) == (12, 0)
    assert "The plan would change 3 of 4 machines in scope (75 %), and the limit is 1." in done.err
    assert program("runs", "resume", run, "--max-changes", "none", PATCHMODE_MAX_CHANGES="1").code == 0


def test_share_is_in_force_on_resume(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of everything that is sent; what the environment says can only make it smaller."""
    program = start("small")
    begun(program, RunBrakes(share="40%"))
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
    assert program("runs", "resume", "--last-wave", "2").code == 0
