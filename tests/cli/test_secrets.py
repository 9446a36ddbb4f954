"""A whole change at the highest verbosity: nothing that was printed or written holds what opens a door."""

import pytest
from tests.cli import forked
from tests.cli.conftest import Program, Start
from tests.cli.test_live_check import VM
from tests.leaks import ECHOED, SIGNED, leaks, leaks_below, marks_of

from arm_emulator.faults import Action, FaultPlan, Matcher, Respond, Rule

LOUD = ("--debug", "-vv")
ENDINGS = ("html", "md", "json", "xml", "sarif", "csv")
REPEATED = Respond(
    status=409,
    json={"error": {"code": "Conflict", "message": f"The token {ECHOED} is known, see {SIGNED} (Bearer {ECHOED})."}},
)


def told(program: Program) -> list[str]:
    """What leaked, of all that the program said and left."""
    marks = marks_of(program.served)  # type: ignore[attr-defined]
    found = leaks_below(program.folder, marks)
    for number, (done, errors) in enumerate(zip(program.ran, program.ran_raw, strict=True)):
        found += leaks(f"{number} stdout", done.out.encode(), marks)
        found += leaks(f"{number} stderr", errors.encode(), marks)
    return found


def test_a_change_and_all_that_is_made_of_it(start: Start) -> None:
    """One machine is refused, in words that repeat a token and a signed address."""
    program = start("small", lro_seconds=0.05)
    refused = Rule(do=Action(respond=REPEATED), match=Matcher(method="PATCH", path="*/db-02"))
    program.served.emulator.faults.arm(FaultPlan(rules=[refused]))  # type: ignore[attr-defined]
    ends = [
        program(*command, *LOUD).code
        for command in (
            ("doctor",),
            ("audit", "--all", "-o", "json"),
            ("plan", "--all", "--out", "plan.json"),
            ("apply", "plan.json", "--yes"),
            ("runs", "show", "latest"),
            ("runs", "show", "latest", "-o", "json"),
            ("verify", "latest"),
            *(("report", "--run", "latest", "--out", f"report.{ending}") for ending in ENDINGS),
            ("evidence", "pack", "latest", "--out", "evidence"),
            ("evidence", "pack", "latest", "--out", "evidence.zip"),
            ("rollback", "latest", "--yes"),
        )
    ]
    assert ends[:4] == [0, 10, 10, 11]
    assert "Request method: 'PATCH'" in program.ran_raw[3]
    assert "Conflict" in program.ran[4].out
    assert not set(ends) & {1, 2, 3, 12}, ends
    assert told(program) == []


def test_a_run_that_is_not_over(start: Start) -> None:
    """Its journal follows an operation by its signed address: nothing else has one, and no copy of it."""
    program = start("small", lro_seconds=600)
    assert program("plan", "--all", "--name", "web-01", "--out", "plan.json", *LOUD).code == 10
    done = program("apply", "plan.json", "--yes", "--operation-timeout", "1", *LOUD)
    assert done.code == 11, done.err
    assert program("evidence", "pack", "latest", "--offline", "--out", "evidence.zip", *LOUD).code in {10, 11, 13}
    marks = marks_of(program.served)  # type: ignore[attr-defined]
    (journal,) = (program.folder / "state/runs").glob("*.sqlite")
    assert marks["signed address of an operation"] in journal.read_bytes()
    assert told(program) == []


def test_a_live_check_and_the_exchanges_that_it_hands_out(start: Start) -> None:
    """Every request and answer is recorded there."""
    program = start("schedules", lro_seconds=0.05)
    program(
        "live-check", "--vm", VM, "--yes", "--exchanges", "exchanges.json", "--profile-file", "measured.toml", *LOUD
    )
    assert (program.folder / "exchanges.json").stat().st_size > 10_000
    assert told(program) == []


@pytest.mark.skipif(not forked.IS_POSSIBLE, reason="the program is changed in a fork")
def test_a_defect_tells_where_it_is_and_nothing_else(start: Start) -> None:
    """A traceback has lines of the program and a message, no values."""
    program = start("schedules")
    done = forked.run_module(
        "tests.cli.crashing",
        ("live-check", "--vm", VM, "--yes", "--exchanges", str(program.folder / "exchanges.json"), *LOUD),
        env=program.environment,
        timeout_s=60,
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ZeroDivisionError" in done.stderr
    marks = marks_of(program.served)  # type: ignore[attr-defined]
    assert list(leaks("output", f"{done.stdout}{done.stderr}".encode(), marks)) == []
    assert leaks_below(program.folder, marks) == []
