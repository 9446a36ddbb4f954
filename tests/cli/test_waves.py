"""Waves from the plan to the run."""

import json

from tests.cli.conftest import Start

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
    assert "--waves: 'ring' is no way to divide machines" in done.err
    assert "For example: --waves 'tag:ring=canary|broad' --waves zone" in done.err
