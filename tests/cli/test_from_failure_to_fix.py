"""From the error to the fix: a window fails, and exactly the machines that failed for this reason are set."""

import json
import re
import ssl
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener
from zoneinfo import ZoneInfo

import pytest
from tests.cli.conftest import Program, Start

from arm_emulator.named_fleets import read_fleet
from arm_emulator.profile import Profile
from patchmode.cli.texts import decoded

SUBSCRIPTION = "/subscriptions/22222222-2222-2222-2222-222222222222"
GROUP = f"{SUBSCRIPTION}/resourceGroups/rg-app"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines"
CONFIGURATION = f"{GROUP}/providers/Microsoft.Maintenance/maintenanceConfigurations/nightly"
NOT_PREPARED = (
    '"Patch orchestration mode is not set to AutomaticByPlatform",The prerequisites to patch your machine were not met.'
)


def advance(program: Program, by: str) -> None:
    """Let the server's clock pass some time; windows that fall due are run."""
    served = program.served  # type: ignore[attr-defined]
    opener = build_opener(ProxyHandler({}), HTTPSHandler(context=ssl.create_default_context(cafile=served.ca)))
    request = Request(f"{served.endpoint}/_emulator/clock", data=json.dumps({"advance": by}).encode(), method="POST")
    with opener.open(request, timeout=60) as answer:
        assert answer.status == 200


def a_night_later(program: Program) -> None:
    """A day on; and where a run of 03:00 has just begun then, on until it has ended: a machine may still be patched."""
    advance(program, "P1D")
    if datetime.now(ZoneInfo("Europe/Berlin")).hour in (3, 4):
        advance(program, "PT2H")


def loaded(text: str) -> Any:
    return json.loads(text)


def machine_names(document: Any, part: str = "machines") -> list[str]:
    return sorted(entry["id"].rsplit("/", 1)[1] for entry in document[part])


def scheduled(start: Start, tmp_path: Path, **options: Any) -> Program:
    """The small fleet with a nightly schedule that a dynamic scope gives to every Linux machine."""
    fleet = read_fleet("small")
    fleet["resources"] += [
        {
            "id": CONFIGURATION,
            "name": "nightly",
            "type": "Microsoft.Maintenance/maintenanceConfigurations",
            "location": "westeurope",
            "properties": {
                "maintenanceScope": "InGuestPatch",
                "extensionProperties": {"InGuestPatchMode": "User"},
                "maintenanceWindow": {
                    "startDateTime": "2024-01-01 03:00",
                    "duration": "02:00",
                    "timeZone": "W. Europe Standard Time",
                    "recurEvery": "Day",
                },
                "installPatches": {"rebootSetting": "IfRequired"},
            },
        },
        {
            "id": f"{SUBSCRIPTION}/providers/Microsoft.Maintenance/configurationAssignments/linux",
            "name": "linux",
            "type": "Microsoft.Maintenance/configurationAssignments",
            "properties": {
                "maintenanceConfigurationId": CONFIGURATION,
                "resourceId": SUBSCRIPTION,
                "filter": {"osTypes": ["Linux"]},
            },
        },
    ]
    path = tmp_path / "fleet.json"
    path.write_text(json.dumps(fleet), encoding="utf-8")
    return start(str(path), **options)


@pytest.fixture
def program(start: Start, tmp_path: Path) -> Program:
    """The program beside that fleet."""
    return scheduled(start, tmp_path)


@pytest.mark.parametrize("shape", ["error-text", "absent"])
def test_in_whatever_shape_azure_records_the_reason(
    start: Start, tmp_path: Path, shape: Literal["error-text", "absent"]
) -> None:
    """The shape is not documented; where there is no reason at all, the machine itself tells, and a note says so."""
    program = scheduled(start, tmp_path, profile=Profile(run_error_shape=shape))
    advance(program, "P1D")
    (run,) = loaded(program("schedule", "failures", "-o", "json").out)["runs"]
    planned = program("plan", "--failed-since", "7d", "-o", "json")
    failed = [name for group in run["failures"] for name in group["machines"] if group["reason"] != "off"]
    assert machine_names(loaded(planned.out), "changes") == sorted(name.rsplit("/", 1)[1] for name in failed)
    told = {"error-text": ["prerequisite"], "absent": ["not-told"]}[shape]
    assert [group["reason"] for group in run["failures"] if group["reason"] != "off"] == told
    assert ("is inferred" in planned.err) is (shape == "absent")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_text_is_read_in_the_encodings_that_shells_write(encoding: str) -> None:
    """PowerShell's `>` writes UTF-16, with a mark or without; a stray byte must not hide the rest."""
    assert decoded(f"{VM}/zürich-01".encode(encoding)) == f"{VM}/zürich-01"
    assert decoded(b"\xff" + VM.encode()) == f"\ufffd{VM}"


def test_the_machines_that_failed_are_found_fixed_and_succeed(program: Program) -> None:
    """The whole way, each number from the run before."""
    assert program("schedule", "failures").code == 0
    nothing = program("plan", "--failed-since", "7d")
    assert nothing.code == 3
    assert "No machine's last scheduled run in the last 7 days failed on the prerequisite." in nothing.err
    members = machine_names(loaded(program("audit", "--schedule", "nightly", "-o", "json").out))

    a_night_later(program)
    history = program("schedule", "failures", "-o", "json")
    assert history.code == 10, history.err
    (run,) = loaded(history.out)["runs"]
    assert (run["name"], run["members"]) == ("nightly", len(members))
    (group,) = [entry for entry in run["failures"] if entry["reason"] == "prerequisite"]
    failed = sorted(identifier.rsplit("/", 1)[1] for identifier in group["machines"])
    assert failed
    assert set(failed) <= set(members)
    assert group["command"] == "patchmode plan --failed-since 7d --out fix.json"
    text = program("schedule", "failures")
    assert "not prepared for schedules (the prerequisite)" in text.out
    assert re.search(r" 03:00 \+0[12]:00 \(\S+ 0[12]:00 UTC\)", text.out)

    rows = program("schedule", "failures", "-o", "csv").out.splitlines()
    assert len(rows) == 1 + run["failed"]
    assert rows[0].startswith("startedAt,name,configuration,machine,reason")

    command = group["command"].removeprefix("patchmode ").split()
    planned = program(*command, "-o", "json")
    assert planned.code == 10, planned.err
    assert machine_names(loaded(planned.out), "changes") == failed
    assert program("apply", "fix.json", "--yes", "-q").code == 0

    a_night_later(program)
    newest, oldest = loaded(program("schedule", "failures", "-o", "json").out)["runs"]
    assert "prerequisite" not in [entry["reason"] for entry in newest["failures"]]
    (over,) = [entry for entry in oldest["failures"] if entry["reason"] == "prerequisite"]
    assert over["recovered"] == len(failed)
    assert over["command"] is None
    assert program("plan", "--failed-since", "7d").code == 3


def test_machines_of_pasted_text_are_planned(program: Program) -> None:
    """From a file as PowerShell writes it, from a pipe, and united with what else is named."""
    error = (
        f"\x1b[31mError: {VM}/web-01/providers/Microsoft.Maintenance/x (UnsupportedResourceOperation) {NOT_PREPARED}"
    )
    (program.folder / "error.txt").write_text(error, encoding="utf-16")
    done = program("plan", "--from-log", "error.txt", "--out", "fix.json")
    assert done.code == 10, done.err
    assert "error.txt names 1 machine: 1 failed because the prerequisites to patch it were not met." in done.err
    assert machine_names(json.loads((program.folder / "fix.json").read_text()), "changes") == ["web-01"]
    piped = program("plan", "--from-log", "-", "-o", "json", stdin="Failed to update virtual machine 'DB-01'.")
    assert machine_names(loaded(piped.out), "changes") == ["db-01"]
    assert loaded(piped.out)["scope"] == ["--from-log -"]
    united = program("plan", "--from-log", "error.txt", "--ids", f"{VM}/db-01", "-o", "json")
    assert machine_names(loaded(united.out), "changes") == ["db-01", "web-01"]


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--from-log", "empty.txt"], "empty.txt names no machine. Looked for: resource ids of Microsoft.Compute"),
        (["--from-log", "-"], "standard input names no machine"),
        (["--from-log", "table.csv"], "no heading of it is known to hold names of machines: 'Box', 'Crate'."),
        (["--from-log", "cut.txt"], "1 name in it is cut short"),
        (["--from-log", "nowhere.txt"], "nowhere.txt could not be read: No such file or directory"),
        (["--from-log", "."], ". could not be read: Is a directory"),
        (["--failed-since", "yesterday"], "--failed-since: 'yesterday' is not a point in the past"),
        (["--schedule", "nightlie"], "You see no maintenance configuration named 'nightlie'"),
        (["--schedule", f"{VM}/web-01"], "not a maintenance configuration"),
        (["--schedule", f"{CONFIGURATION}-2"], "There is not a maintenance configuration"),
    ],
)
def test_selectors_that_mean_nothing_are_usage_errors(program: Program, args: list[str], told: str) -> None:
    """Nothing on standard output, exit 2, and what was looked for."""
    (program.folder / "empty.txt").write_bytes(b"\x00\xffnothing")
    (program.folder / "table.csv").write_text("Box;Crate\nvm 1;rg\n", encoding="utf-8")
    (program.folder / "cut.txt").write_text(f"{VM}/web-…", encoding="utf-8")
    done = program("plan", *args)
    assert (done.code, done.out) == (2, "")
    assert told in " ".join(done.err.split())


def test_an_unreadable_since_of_the_history_is_a_usage_error(offline: Program) -> None:
    """Told before anything is asked."""
    done = offline("schedule", "failures", "--since", "soon")
    assert done.code == 2
    assert "--since: 'soon' is not a point in the past" in done.err
