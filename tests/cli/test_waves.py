"""Waves from the plan to the run, and the brake before anything is sent."""

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Start

from arm_emulator.fleet_generator import write_fleet

WAVES = ("--waves", "tag:ring=1|2|next", "--waves", "region", "--canary", "3")


def test_a_plan_in_waves_is_shown_written_and_carried_out(start: Start) -> None:
    """What a person reviewed is what is carried out, so the table, the file and the run speak of the same waves."""
    program = start("demo")
    shown = program("plan", "-g", "rg-app", *WAVES)
    assert shown.code == 10
    table = shown.out[shown.out.index("3 waves, one after the other:") :]
    assert table.splitlines()[1:5] == [
        "   WAVE                              CHANGE  SYSTEMS             REGIONS",
        "1  canary                            3       2 Windows, 1 Linux  3 westeurope",
        "2  no tag ring / region northeurope  1       1 Linux             1 northeurope",
        "3  no tag ring / region westeurope   11      7 Windows, 4 Linux  11 westeurope",
    ]
    assert "Note: --waves: no machine in scope has ring=next." in shown.err
    written = json.loads(program("plan", "-g", "rg-app", *WAVES, "--out", "plan.json", "-o", "json").out)
    assert [wave["changes"] for wave in written["waves"]] == [3, 1, 11]
    applied = json.loads(program("apply", "plan.json", "--yes", "-o", "json").out)
    assert applied["counts"]["applied"] == applied["counts"]["verified"] == 15
    again = json.loads(program("plan", "-g", "rg-app", *WAVES, "-o", "json").out)
    assert "waves" not in again


def test_a_scope_is_applied_in_waves(start: Start) -> None:
    done = start("small")("apply", "--all", "--canary", "1", "--yes")
    assert done.code == 0
    assert "2 waves, one after the other:" in done.err


def test_waves_that_say_no_way_are_refused_with_an_example(start: Start) -> None:
    done = start("small")("plan", "--all", "--waves", "ring")
    assert (done.code, done.out) == (2, "")
    assert "--waves: 'ring' is not a way to divide machines" in done.err
    assert "For example: --waves 'tag:ring=canary|broad' --waves zone" in done.err


@pytest.fixture
def large(tmp_path: Path) -> str:
    """A fleet of which more than 500 machines would change."""
    write_fleet(tmp_path / "large.json", machines=620, subscriptions=2, seed=0)
    return str(tmp_path / "large.json")


def test_a_scope_that_nobody_looks_at_may_not_change_most_of_a_large_fleet(start: Start, large: str) -> None:
    """A wrong selector in a pipeline must not change a whole estate before anybody sees it."""
    program = start(large)
    done = program("apply", "--all", "--yes")
    assert (done.code, done.out) == (12, "")
    assert "The plan would change 527 of 620 machines in scope (85 %), and the limit is 50 %." in done.err
    assert "give --max-changes 85%." in done.err
    entries = program.served.emulator.ledger.entries  # type: ignore[attr-defined]
    assert {entry.method for entry in entries} <= {"GET", "POST"}
    assert program("runs", "list", "-o", "json", "--query", "runs").out.strip() == "[]"
    # Whoever is asked sees the number; here nobody can be asked, and that is what stops it.
    assert program("apply", "--all").code == 2
    planned = program("plan", "--all", "--out", "plan.json", "-q", "-o", "json", "--query", "counts.changes")
    assert planned.out.strip() == "527"
    assert program("apply", "plan.json", "--yes", "--max-changes", "500").code == 12
    assert program("apply", "plan.json", "--yes", PATCHMODE_MAX_CHANGES="84%").code == 12


@pytest.mark.parametrize("how", [["--max-changes", "85%"], ["--max-changes", "527"]], ids=lambda how: how[1])
def test_the_value_of_the_advice_lets_it_pass(start: Start, large: str, how: list[str]) -> None:
    done = start(large)("apply", "--all", "--yes", "-q", *how, "-o", "json", "--query", "counts.applied")
    assert done.out.strip() == "527"


def test_a_reviewed_file_has_no_limit_of_its_own(start: Start, large: str) -> None:
    program = start(large)
    program("plan", "--all", "--out", "plan.json", "-q")
    done = program("apply", "plan.json", "--yes", "-q", "-o", "json", "--query", "counts.applied")
    assert done.out.strip() == "527"


def test_a_limit_that_is_none_is_refused_before_anything_is_read(start: Start) -> None:
    done = start("small")("apply", "--all", "--yes", "--max-changes", "half")
    assert (done.code, done.out) == (2, "")
    assert "--max-changes: 'half' is not a limit." in done.err
