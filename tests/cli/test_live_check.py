"""`live-check` as one types it: what is asked first, what is printed, what is left after a kill."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from tests.cli import forked
from tests.cli.conftest import PROGRAM, Start
from tests.contract.judging import judged
from tests.contract.sessions import profile_of, session_cases

from arm_emulator.faults import Action, FaultPlan, Matcher, Rule
from arm_emulator.profile import Profile, load_profile

VM = (
    "/subscriptions/55555555-5555-5555-5555-555555555555/resourceGroups/rg-dev"
    "/providers/Microsoft.Compute/virtualMachines/dev-01"
)
OTHER = VM.replace("dev-01", "dev-02")
LONG_S = 600


def document_of(program: object, machine: str) -> object:
    served = program.served  # type: ignore[attr-defined]
    return served.emulator.state.get(machine).document


def test_without_the_tag_it_is_refused_with_the_command_that_sets_it(start: Start) -> None:
    program = start("schedules")
    done = program("live-check", "--vm", OTHER, "--yes")
    assert (done.code, done.out) == (12, "")
    assert f"Nothing was sent to {OTHER}: it does not have the tag patchmode-live-check=yes." in done.err
    advice = f"az tag update --operation Merge --resource-id '{OTHER}' --tags patchmode-live-check=yes"
    assert advice in done.err.splitlines()


def test_where_nobody_can_be_asked_everything_is_shown_and_nothing_sent(start: Start) -> None:
    program = start("schedules")
    before = document_of(program, VM)
    done = program("live-check", "--vm", VM)
    assert done.code == 2
    assert "prepare              PATCH patchMode AutomaticByPlatform and bypass true, in one request." in done.err
    assert f"patchmode live-check --vm {VM} --yes" in done.err
    assert document_of(program, VM) == before


def test_its_result_in_each_form(start: Start) -> None:
    program = start("schedules", lro_seconds=0.05)
    done = program("live-check", "--vm", VM, "--yes", "-o", "json", "--profile-file", "measured.toml")
    document = json.loads(done.out)
    assert (document["format"], document["restored"], document["remaining"]) == ("patchmode/live-check/v1", True, [])
    found = {one["name"]: one["answer"] for one in document["switches"] if one["answer"] is not None}
    assert found["leaving_automatic_by_platform"] == "cleared"
    assert all(one["because"] for one in document["switches"])
    profile = load_profile(program.folder / "measured.toml")
    assert {name: getattr(profile, name) for name in found} == found
    text = (program.folder / "measured.toml").read_text()
    assert "# leave: 200; automaticByPlatformSettings is now absent (as assumed)\n" in text
    assert "dev-01" not in text
    assert "55555555" not in text
    assert "Nothing to undo" in program("live-check", "--vm", VM, "--undo").err


def test_at_80_columns_no_line_is_longer_and_no_name_is_cut(start: Start) -> None:
    program = start("schedules")
    done = forked.on_terminal(
        PROGRAM,
        ("live-check", "--vm", VM, "--yes", "--no-color"),
        cwd=program.folder,
        env=program.environment,
        columns=80,
    )
    assert done.returncode == 10, done.stderr
    assert [line for line in done.stdout.splitlines() if len(line) > 80] == []
    for name in ("platform_settings_outside_mode", "automatic_by_platform_without_automatic_updates"):
        assert name in done.stdout
    assert "rg-dev/dev-01 is as it was: every property was read back and compared." in done.stdout


def test_an_answer_that_is_not_assumed_is_said_and_ends_with_ten(start: Start) -> None:
    program = start("schedules", profile=Profile(platform_settings_merge="shallow"), lro_seconds=0.05)
    done = program("live-check", "--vm", VM, "--yes")
    assert done.code == 10
    assert "Not as patchmode assumes (1):\n  platform_settings_merge: Azure shallow, assumed deep\n" in done.out


def test_a_machine_that_azure_does_not_let_back_is_named_property_by_property(start: Start) -> None:
    program = start("schedules", profile=Profile(leaving_automatic_by_platform="refused"))
    done = program("live-check", "--vm", VM, "--yes")
    assert done.code == 13
    path = "properties.osProfile.windowsConfiguration.patchSettings"
    assert f'  {path}.patchMode: was "AutomaticByOS", is "AutomaticByPlatform"\n' in done.out
    bypass = f"{path}.automaticByPlatformSettings.bypassPlatformSafetyChecksOnUserSchedule"
    assert f"  {bypass}: was (absent), is true\n" in done.out
    assert f"To try the undo again: patchmode live-check --vm '{VM}' --undo" in done.err
    again = program("live-check", "--vm", VM, "--undo")
    assert again.code == 13
    more = program("live-check", "--vm", VM, "--yes")
    assert more.code == 13
    assert "only the undo is tried again" in more.err
    (path,) = (program.folder / "state" / "live-checks").glob("*.jsonl")
    assert f"remove this file from the state folder:\n  FOLDER/state/live-checks/{path.name.partition('-')[0][:8]}" in (
        more.err.replace("RUN", path.stem)
    )


def test_killed_in_the_middle_and_undone(start: Start) -> None:
    """The process itself, by SIGKILL, while a PATCH that took effect is not answered."""
    program = start("schedules")
    emulator = program.served.emulator  # type: ignore[attr-defined]
    before = document_of(program, VM)
    rule = Rule(do=Action(silence=True, commit=True), match=Matcher(method="PATCH"), nth=9)
    emulator.faults.arm(FaultPlan(rules=[rule]))
    args = [str(PROGRAM), "live-check", "--vm", VM, "--yes", "-q"]
    with subprocess.Popen(args, cwd=program.folder, env=program.environment, stdout=subprocess.DEVNULL) as running:
        until = time.monotonic() + LONG_S
        while not emulator.faults.as_json()["rules"][0]["struck"] and time.monotonic() < until:
            assert running.poll() is None
            time.sleep(0.05)  # until it has happened; nothing is measured
        os.kill(running.pid, signal.SIGKILL)
    emulator.faults.arm(FaultPlan())
    assert document_of(program, VM) != before
    done = program("live-check", "--vm", VM, "--undo")
    assert done.code in {0, 10}, done.err
    assert "rg-dev/dev-01 is as it was" in done.out
    assert document_of(program, VM) == before
    assert "Nothing to undo" in program("live-check", "--vm", VM, "--undo").err


def test_its_exchanges_name_nobody_and_are_replayed_under_its_profile(start: Start) -> None:
    """Both files as they are given to others: the contract suite finds the emulator to answer as was recorded."""
    program = start("schedules", lro_seconds=0.05, profile=Profile(platform_settings_merge="shallow"))
    file = program.folder / "measured.json"
    args = ("--profile-file", str(file.with_suffix(".toml")), "--exchanges", str(file), "--maintenance-group", "rg-dev")
    assert program("live-check", "--vm", VM, "--yes", "-q", *args).code == 10
    text = file.read_text(encoding="utf-8").lower()
    for name in ("dev-01", "rg-dev", "55555555-5555", "bearer", "eyj"):
        assert name not in text, name
    assert not list((program.folder / "state" / "live-checks").glob("*.exchanges")), "what was scrubbed is deleted"
    cases = [case for case in session_cases(file) if not case.left_out]
    found = {case.first.case: lines for case in cases if (lines := judged(case, profile_of(file)))}
    assert len(cases) > 50
    assert found == {}


def test_the_journal_is_named_and_holds_no_signed_address(start: Start) -> None:
    program = start("schedules", lro_seconds=0.05)
    done = program("live-check", "--vm", VM, "--yes")
    found = re.search(r"Journal +(FOLDER\S+)", done.err)
    assert found, done.err
    (path,) = (Path(program.folder) / "state" / "live-checks").glob("*.jsonl")
    assert "&s=" not in path.read_text(encoding="utf-8")
