"""What a command prints last: said once, and the next command that runs as it is printed."""

import json
import re
import shlex
import subprocess

from tests.cli.conftest import Program, Start
from tests.cli.printed import Held, commands_in, output
from tests.docs.reference_pages import leaf_commands

from arm_emulator.faults import Action, FaultPlan, Matcher, Respond, Rule
from patchmode.cli.output import completed
from patchmode.cli.settings import Settings

FROZEN = (
    "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-locked/providers/Microsoft.Compute"
    "/virtualMachines/frozen-01"
)


def test_every_command_that_reaches_azure_names_the_places_that_were_typed() -> None:
    """Without them a pasted command would go to another cloud or another state folder: a new command fails here."""
    settings = Settings(cloud="AzureChinaCloud", typed=frozenset({"cloud"}))
    at = " 20301231T120000000Z-1a2b3c"
    printed = {path: f"patchmode {path}{at if path in OF_A_RUN else ''}" for path, _ in leaf_commands()}
    without = {path for path, line in printed.items() if completed(line, settings) == line}
    assert without == OFFLINE


OF_A_RUN = {"rollback", "runs resume", "runs show"}
OFFLINE = {"completion", "demo", "iac check", "mcp", "schema"}
"""They read no Azure; `mcp` is started by a client and printed nowhere."""


def joined(program: Program, *args: str) -> str:
    """Both streams in one pipe, as `2>&1` joins them."""
    both = {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
    told, _ = program.beside(*args, **both).communicate(timeout=60)
    return told


def test_where_both_streams_are_one_pipe_what_is_not_as_asked_is_said_once_and_last(start: Start) -> None:
    """A log of CI has both: said twice it was counted twice."""
    program = start("demo")
    web = FROZEN.replace("rg-locked", "rg-app").replace("frozen-01", "web-01")
    for args in (("apply", "--ids", FROZEN, "--yes"), ("apply", "--ids", FROZEN, web, "--yes", "--no-progress")):
        told = joined(program, *args)
        assert told.count("Not everything is as asked: 1 blocked (read-only-lock 1).") == 1
        assert told.count("Have the lock's owner remove it") == 1
        assert told.rstrip().splitlines()[-1].startswith("Not everything is as asked")


def faulty(path: str, code: str = "OperationNotAllowed", status: int = 409) -> FaultPlan:
    """Every PATCH of machines at a path is refused."""
    error = {"error": {"code": code, "message": "Not in its present state."}}
    return FaultPlan([Rule(match=Matcher("PATCH", path), do=Action(respond=Respond(status, error)))])


def arm(program: Program, *rules: Rule) -> None:
    program.served.emulator.faults.arm(FaultPlan(list(rules)))  # type: ignore[attr-defined]


def walked(program: Program, *lines: str) -> dict[str, list[str]]:
    """Each command line with the commands that it prints, all of them held to the parser and to what exists."""
    held, found = Held(program), {}
    for line in lines:
        found[line] = list(dict.fromkeys(commands_in(output(program, *shlex.split(line)))))
        for command in found[line]:
            held.check(command)
    return found


DEMO = (
    "plan -g rg-app",
    "plan -g rg-app --out p.json",
    "plan -g rg-nowhere",
    "audit",
    "audit -g rg-app",
    "audit --all --to azure-managed",
    "explain web-01",
    "explain nobody-01",
    "doctor",
    "verify -g rg-app",
    "apply p.json --yes --no-progress",
    "apply p.json --yes",
    "apply -g rg-app --max-failures 1 --yes --no-progress",
    "runs",
    "runs show",
    "runs resume",
    "runs resume latest --yes",
    "verify",
    "verify p.json",
    "apply -g rg-sandbox --periodic-assessment on --then-attach mc-weekly --yes --no-progress",
    "runs show",
    "verify --after-window",
    "rollback latest --yes --no-progress",
    "schedule list",
    "schedule show mc-weekly",
    "schedule show mc-nowhere",
    "schedule next",
    "schedule check",
    "schedule failures",
    "schedule attach mc-weekly -g rg-app --yes",
    "schedule attach mc-weekly --ids {web-02} --yes",
    "schedule detach mc-weekly -g rg-app --yes",
    "apply -g rg-app",
    "apply",
    "watch --once",
    "plan -s Nowhere",
    "runs show 20300131T220000000Z-1a2b3c",
    "report --run latest -o markdown",
)


def test_every_command_that_is_printed_over_a_fleet_with_faults_runs_as_it_is_pasted(start: Start) -> None:
    """Parsed by the program itself; ids, schedules, runs and files in it exist, and nothing stands for a name."""
    program = start("demo", faults=faulty("*web-02"))
    ids = {name: FROZEN.replace("rg-locked", "rg-app").replace("frozen-01", name) for name in ("web-02",)}
    found = walked(program, *(line.replace("{web-02}", ids["web-02"]) for line in DEMO))
    told = {command for commands in found.values() for command in commands}
    assert len(told) > 25
    run = next(iter(re.findall(r"\d{8}T\d{9}Z-[0-9a-f]{6}", " ".join(told))))
    assert any(command.startswith("patchmode schedule attach mc-weekly --from-run ") for command in told), run


STOPPED = (
    "apply -g rg-app --max-failures 1 --yes --no-progress",
    "runs show",
    "runs resume --yes",
    "runs resume latest --yes",
    "rollback latest",
    "apply -g rg-app --yes --no-progress --last-wave 1 --waves region",
)


def test_every_command_that_is_printed_of_a_stopped_run_runs_as_it_is_pasted(start: Start) -> None:
    program = start("demo", faults=faulty("*web-0*"))
    found = walked(program, *STOPPED)
    assert any(one.startswith("patchmode runs resume 20") for one in found[STOPPED[0]])
    assert any(" --yes --max-failures " in one for one in found["runs resume latest --yes"])


SCHEDULES = (
    "schedule list",
    "schedule check",
    "schedule next --days 7",
    "schedule show mc-nightly",
    "schedule failures",
    "audit --all",
    "verify --after-window -g rg-app",
    "plan --failed-since 7d --out fix.json",
    "apply fix.json --yes --no-progress",
    "schedule detach mc-nightly --all --yes",
    "schedule attach mc-nightly --all --yes",
    "apply --all --hotpatch off --yes --no-progress --state-dir 'the state'",
    "runs show --state-dir 'the state'",
)


def test_every_command_that_is_printed_about_schedules_runs_as_it_is_pasted(start: Start) -> None:
    program = start("schedules")
    found = walked(program, *SCHEDULES)
    told = " ".join(found["runs show --state-dir 'the state'"])
    assert "--state-dir 'the state'" in told or not told


def test_what_is_printed_after_a_failure_takes_up_just_that_machine(start: Start) -> None:
    """The ids of a fleet do not fit on a line: the run names its machines."""
    program = start("demo", faults=faulty("*web-02"))
    filters = ("--name", "web-0*", "--periodic-assessment", "on", "--yes", "--no-progress")
    said = output(program, "apply", "-g", "rg-app", *filters)
    again = next(one for one in commands_in(said) if one.startswith("patchmode apply --from-run "))
    assert again.endswith(":failed --periodic-assessment on")
    arm(program)
    done = program(*shlex.split(again)[1:], "--yes", "--no-progress")
    assert done.code == 0
    assert "  1 applied; 1 in scope, 1 verified." in done.out


def test_a_stale_machine_is_taken_up_by_the_printed_command(start: Start) -> None:
    program = start("demo")
    web = FROZEN.replace("rg-locked", "rg-app").replace("frozen-01", "web-01")
    assert program("plan", "--ids", web, "--out", "p.json").code == 10
    assert program("apply", "--ids", web, "--to", "keep", "--periodic-assessment", "on", "--yes").code == 0
    said = output(program, "apply", "p.json", "--yes", "--no-progress")
    again = next(one for one in commands_in(said) if ":stale" in one)
    assert program(*shlex.split(again)[1:], "--yes", "--no-progress").code == 0


def test_the_printed_commands_end_what_nobody_patches(start: Start) -> None:
    """A prepared machine without a schedule is patched by nobody: plan, apply, runs show, verify, audit and JSON."""
    program = start("demo")
    planned = program("plan", "-g", "rg-app", "--out", "p.json")
    assert "! 18 machines will be patched by nobody:\n    18: waits for a schedule and none is attached" in planned.out
    assert "~ 5 machines  Windows  ! patched by nobody" in planned.out
    assert "\n        patchmode plan -g rg-app --out p.json --then-attach mc-weekly\n" in planned.out
    stated = json.loads((program.folder / "p.json").read_text())["patchedByNobody"]
    assert stated["machines"] == 18
    assert (stated["notKnown"], stated["because"], stated["usable"], stated["looked"]) == (0, "", ["mc-weekly"], True)
    done = program("apply", "p.json", "--yes", "--no-progress")
    for told in (done.out, done.err, program("runs", "show").out, program("verify").out):
        unless = "unless a schedule was attached since: none reached them when the run was planned."
        assert f"! 18 machines are patched by nobody {unless}" in told
        assert "patchmode schedule attach mc-weekly --from-run RUN:patchedByNobody" in told
    assert json.loads(program("runs", "show", "-o", "json").out)["patchedByNobody"]["machines"] == 18
    audited = output(program, "audit", "-g", "rg-app")
    assert "! 18 machines are patched by nobody: prepared for schedules, and no schedule reaches them." in audited
    said = output(program, "runs", "show")
    attach = next(one for one in commands_in(said) if one.startswith("patchmode schedule attach"))
    attached = program(*shlex.split(attach)[1:], "--yes")
    assert (attached.code, "18 attached" in attached.out) == (0, True)
    assert "patched by nobody:" not in program("audit", "-g", "rg-app").out


def test_where_there_is_no_schedule_the_command_that_creates_one_runs(start: Start) -> None:
    program = start("small")
    planned = output(program, "plan", "--all", "--out", "p.json")
    create, again = [one for one in commands_in(planned) if "create" in one or "then-attach" in one]
    assert "No schedule was seen that patches guests and has a window to come." in planned
    assert program(*shlex.split(create)[1:], "--yes").code == 0
    assert program(*shlex.split(again)[1:]).code == 10
    assert program("apply", "p.json", "--yes").code == 0
    assert "will be patched by nobody" not in program("plan", "--all").out


def test_where_schedules_cannot_be_read_it_is_said_and_not_counted(start: Start) -> None:
    """Nobody knows then whether a schedule reaches them: neither patched by nobody nor patched."""
    error = {"error": {"code": "Forbidden", "message": "No."}}
    matcher = Matcher("POST", "*/providers/Microsoft.ResourceGraph/resources")
    program = start("demo", faults=FaultPlan([Rule(match=matcher, do=Action(respond=Respond(403, error)))]))
    web = FROZEN.replace("rg-locked", "rg-app").replace("frozen-01", "web-01")
    planned = program("plan", "--ids", web, "-o", "json")
    stated = json.loads(planned.out)["patchedByNobody"]
    assert (stated["machines"], stated["looked"]) == (0, False)
    assert stated["notKnown"] == 1
    told = program("plan", "--ids", web).out
    assert "? Whether a schedule reaches 1 machine is not known, so perhaps nobody patches it: " in told
    assert "will be patched by nobody" not in told


def test_a_slip_in_the_machines_of_a_run_is_told_with_the_nearest(start: Start) -> None:
    program = start("small")
    assert program("apply", "--all", "--yes").code == 0
    for given, code, told in (
        ("latest:faild", 2, "'faild' is not an end of a machine"),
        ("latest:faild", 2, "Did you mean failed?"),
        ("lates:failed", 2, "Did you mean latest?"),
        ("latest:failed,stale", 3, "has no machine that is failed or stale"),
    ):
        done = program("plan", "--from-run", given)
        assert done.code == code
        assert told in done.err, done.err
    taken = program("audit", "--from-run", "latest:APPLIED", "-o", "json")
    assert len(json.loads(taken.out)["machines"]) == 3


def test_machines_of_a_run_elsewhere_are_not_taken(start: Start) -> None:
    """The state folder may hold runs of several clouds and tenants."""
    first, second = start("small"), start("small")
    assert first("apply", "--all", "--yes").code == 0
    for command in ("audit", "plan", "apply"):
        done = second(command, "--from-run", "latest", *(["--yes"] if command == "apply" else []))
        assert done.code == 12, done
        assert "What is asked about belongs to tenant " in done.err
        assert "Sign in to that target (--cloud, --tenant)." in done.err
