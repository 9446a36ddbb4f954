"""What holds a run back, as the command line has it: waves asked for, budgets, freezes."""

import json
from pathlib import Path
from typing import NoReturn

import pytest
from tests.cli.conftest import Start
from tests.unit.store import plans
from tests.unit.workflow.run.test_brakes_kept import EVERYTHING

from patchmode.cli import composition
from patchmode.cli.main import run as run_program
from patchmode.errors import SignInError
from patchmode.model.guardrails import NAMES, option_name
from patchmode.store.runs import RunStore

ALL_DAY = "00:00-12:00 UTC;12:00-24:00 UTC"


def test_the_first_wave_then_the_others(start: Start) -> None:
    """Ends with "changes pending", since nothing went wrong; the same run goes on."""
    program = start("demo")
    program("plan", "-g", "rg-app", "--canary", "3", "--out", "plan.json")
    first = program("apply", "plan.json", "--yes", "--last-wave", "1", "-o", "json")
    assert first.code == 10
    assert [(one["name"], one["applied"], one["notSent"]) for one in json.loads(first.out)["waves"]] == [
        ("canary", 3, 0),
        ("rest", 0, 12),
    ]
    assert {one["error"]["code"] for one in json.loads(first.out)["results"] if one["error"]} == {"LaterWave"}
    assert "Continue with: patchmode runs resume" in first.err
    shown = program("runs", "show")
    assert (shown.code, "stopped.\n  Reason: wave 1 had ended, the last one asked for.\n" in shown.out) == (10, True)
    assert "canary  3        3        0       0        0      0" in shown.out
    rest = program("runs", "resume", "latest", "--last-wave", "2")
    # Nine machines of the group were left alone, and that is told to the end.
    assert (rest.code, "15 applied" in rest.out) == (10, True)


def test_nothing_begins_during_a_freeze_of_the_house(start: Start) -> None:
    program = start("small")
    assert program("apply", "--all", "--yes").code == 0
    # Of the run that has ended nothing is left to hold back, and nothing is sent.
    assert program("runs", "resume", "latest", PATCHMODE_FREEZE=ALL_DAY).code == 0
    for command in (("apply", "--all", "--yes"), ("rollback", "latest", "--yes")):
        refused = program(*command, PATCHMODE_FREEZE=ALL_DAY)
        assert (refused.code, refused.out) == (12, "")
        assert "patchmode: Nothing was sent: frozen, " in refused.err
        assert "give --freeze none" in refused.err
        lifted = program(*command, "--freeze", "none", PATCHMODE_FREEZE=ALL_DAY)
        # What Azure patched at will before is not handed back, so that the rollback leaves a machine alone.
        assert lifted.code == (10 if command[0] == "rollback" else 0), lifted.err
    # Reading goes on.
    assert program("audit", "--all", PATCHMODE_FREEZE=ALL_DAY).code in {0, 10}


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--freeze", "Fri", "--freeze: "),
        ("--max-failures-per-wave", "few", "'few' is not a failure budget."),
        ("--max-failures-per-region", "0", "'0' is not a failure budget."),
        ("--wave-pause", "soon", "--wave-pause: 'soon' is not a duration."),
        ("--last-wave", "0", "0 is not in the range x>=1."),
        ("--concurrency", "0", "0 is not in the range 1<=x<=1000."),
    ],
)
def test_what_cannot_be_understood_is_refused_before_anything_is_read(
    start: Start, option: str, value: str, told: str
) -> None:
    done = start("small")("apply", "--all", "--yes", option, value)
    assert (done.code, done.out) == (2, "")
    assert told in done.err


@pytest.mark.parametrize("name", NAMES)
def test_every_brake_that_a_run_keeps_is_lifted_by_its_own_option(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--strict` could not be, nor could `--concurrency` and `--last-wave`: a run that kept them kept them for ever."""

    def connected(*_: object, **__: object) -> NoReturn:
        raise SignInError("enough")

    monkeypatch.setattr(composition, "connected", connected)
    RunStore(tmp_path).create(plans.plan(), brakes=EVERYTHING).release()
    lifting = ("--no-strict",) if name == "strict" else (option_name(name), "none")
    assert run_program(["runs", "resume", *lifting, "--state-dir", str(tmp_path)]) in {1, 12}
    told = " ".join(capsys.readouterr().err.split())
    assert f"Changed now: {' '.join(lifting)} (was " in told
    in_force = told.partition("Run options")[2].partition("Changed now")[0]
    assert f"{option_name(name)} " not in f"{in_force},".replace(",", " ")
