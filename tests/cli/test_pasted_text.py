"""Text that names machines: each command tells what the text says of them before anything is asked of Azure."""

import json
import os
import select
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from tests.cli.conftest import Program, Start
from tests.cli.test_from_failure_to_fix import GROUP, VM, loaded, machine_names
from tests.cli.test_signals import on_a_terminal

from arm_emulator.named_fleets import read_fleet
from patchmode.cli.main import program as root

SENTENCE = "The prerequisites to patch your machine were not met."
ENTRIES = (
    f"{VM}/web-01 Failed (UnsupportedResourceOperation) {SENTENCE}\n{VM}/db-01 (Conflict) busy\n{VM}/web-02 Succeeded\n"
)
TOLD = (
    "error.txt names 3 machines: 1 failed because the prerequisites to patch it were not met, 1 failed for another "
    "reason, 1 did not fail. Failed for another reason: rg-app/db-01 (Conflict). Did not fail: rg-app/web-02. These 2 "
    "are in scope too. To leave them out, add: --exclude-name db-01 --exclude-name web-02"
)
SEED = (
    '"code": "UnsupportedResourceOperation",\n'
    f'"message": "\\"Patch orchestration mode is not set to AutomaticByPlatform\\",{SENTENCE} Please set …"\n'
)
BESIDE = {
    "apply": ["--yes"],
    "report": ["-o", "markdown"],
    "schedule attach": ["mc"],
    "schedule detach": ["mc"],
    "console": ["--host", "203.0.113.1"],
    "watch": ["--count", "1"],
}
"""What else a command needs to end by itself: an address that is not this computer's, one look."""


def takers(command: click.Command, name: str = "") -> Iterator[str]:
    """Every command that takes pasted text."""
    if isinstance(command, click.Group):
        for part in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), part)
            if found is not None:
                yield from takers(found, f"{name} {part}".strip())
    elif any(parameter.name == "from_log" for parameter in command.params):
        yield name


COMMANDS = sorted(set(takers(root)))


def test_they_are_found() -> None:
    assert {"audit", "plan", "apply", "verify", "watch", "doctor", "console", "report"} <= set(COMMANDS)
    assert {"schedule attach", "schedule detach", "schedule next", "schedule failures"} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_entries_that_did_not_fail_are_told_by_every_command_before_anything_is_asked(
    name: str, offline: Program
) -> None:
    """Nothing answers here, so what is told was told first."""
    (offline.folder / "error.txt").write_text(ENTRIES, encoding="utf-8")
    done = offline(
        *name.split(), *BESIDE.get(name, []), "--from-log", "error.txt", PATCHMODE_CLOUD="https://localhost:1"
    )
    assert done.code != 0
    told = " ".join(done.err.split())
    assert told.startswith(TOLD), told
    assert done.out == ""


def test_quiet_is_quiet(offline: Program) -> None:
    """As every other remark."""
    (offline.folder / "error.txt").write_text(ENTRIES, encoding="utf-8")
    done = offline("plan", "--from-log", "error.txt", "-q", PATCHMODE_CLOUD="https://localhost:1")
    assert "names 3 machines" not in done.err


@pytest.mark.parametrize("name", COMMANDS)
def test_the_error_that_names_no_machine_is_recognised_by_every_command(name: str, offline: Program) -> None:
    """The article's own: with the commands that find the machines."""
    (offline.folder / "seed.txt").write_text(SEED, encoding="utf-8")
    done = offline(*name.split(), *BESIDE.get(name, []), "--from-log", "seed.txt")
    assert (done.code, done.out) == (2, "")
    assert "It is the error of Azure Update Manager that the prerequisites to patch a machine are not met" in done.err


def test_the_commands_that_find_the_machines_run(start: Start) -> None:
    """Pasted as they are printed."""
    program = start("schedules")
    configuration = (
        "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-app/providers/Microsoft.Maintenance/"
        "maintenanceConfigurations/mc-nightly"
    )
    texts = [SEED, f"{SEED} of {configuration}"]
    printed = []
    for text in texts:
        lines = program("plan", "--from-log", "-", stdin=text).err.splitlines()
        printed += [line.strip() for line in lines if line.startswith("    patchmode ")]
    assert sorted({line.split(" ", 3)[1] for line in printed}) == ["audit", "plan", "schedule"]
    assert f"patchmode schedule show '{configuration}'" in printed
    for line in dict.fromkeys(printed[1:]):
        done = program(*[word.strip("'") for word in line.split()[1:]])
        assert done.code in {0, 3, 10}, (line, done.err)


def test_lists_and_exports_are_files_of_machines(start: Start) -> None:
    """Names, az's JSON without ids, the portal's CSV in German; what is no machine is refused."""
    program = start("small")
    names = program("plan", "--ids-file", "-", "-o", "json", stdin="WEB-01\nrg-app/db-01\n")
    assert machine_names(loaded(names.out), "changes") == ["db-01", "web-01"]
    assert loaded(names.out)["scope"] == ["--ids-file -"]
    rows = json.dumps([{"name": "web-01", "resourceGroup": "rg-app"}])
    assert machine_names(loaded(program("plan", "--ids-file", "-", "-o", "json", stdin=rows).out), "changes") == [
        "web-01"
    ]
    table = "Ressourcengruppe;Name;Abonnement\nrg-app;web-01;Contoso Production\n"
    (program.folder / "export.csv").write_text(table, encoding="utf-16")
    exported = program("plan", "--ids-file", "export.csv", "-o", "json")
    assert machine_names(loaded(exported.out), "changes") == ["web-01"]
    for form in ("csv", "json", "jsonl", "tsv"):
        own = program("audit", "--ids", f"{VM}/web-01", "-o", form).out
        for option in ("--ids-file", "--from-log"):
            planned = program("plan", option, "-", "-o", "json", stdin=own)
            assert machine_names(loaded(planned.out), "changes") == ["web-01"], (form, option, planned.err)
    disk = program("plan", "--ids-file", "-", stdin="name,type\nd,Microsoft.Compute/disks\n")
    assert disk.code == 2
    assert "holds entries that name no machine: row 2: 'd Microsoft.Compute/disks'" in disk.err
    twice = program("plan", "--ids-file", "-", "--from-log", "-", stdin="web-01")
    assert (twice.code, "Standard input can be read only once." in twice.err) == (2, True)


def test_a_name_that_is_found_nowhere_is_reported_and_ends_with_10(start: Start) -> None:
    """The others are planned."""
    program = start("small")
    done = program("audit", "--from-log", "-", "-o", "json", stdin="web-01\nweb-99\n")
    document = loaded(done.out)
    assert machine_names(document, "machines") == ["web-01"]
    (entry,) = document["unreadable"]
    assert entry["id"] == "web-99"
    assert "no machine of that name was found. Searched: Resource Graph" in entry["reason"]
    assert done.code == 10


@pytest.mark.skipif(sys.platform == "win32", reason="it has no terminals of this kind")
def test_a_terminal_is_told_that_the_text_is_waited_for(offline: Program) -> None:
    """And how to end it; who types `-` by mistake must not wait for the program."""
    process, ours = on_a_terminal(offline, "plan", "--from-log", "-")
    said = b""
    while b"Ctrl-D" not in said:
        assert select.select([ours], [], [], 60)[0], said
        said += os.read(ours, 1 << 12)
    assert b"Reading standard input: paste the text, then press Enter and Ctrl-D" in b" ".join(said.split())
    os.write(ours, b"nothing here\n\x04")
    while b"names no machine" not in said:
        if select.select([ours], [], [], 5)[0]:
            said += os.read(ours, 1 << 12)
        else:
            os.write(ours, b"\x04")  # a slow machine may take the end for that of the line before it
    os.close(ours)
    process.wait(30)


def test_a_pipe_is_not_told_to_end_anything(offline: Program) -> None:
    """Nobody waits there."""
    assert "Ctrl-D" not in offline("plan", "--from-log", "-", stdin="nothing here").err


def test_a_name_that_no_machine_has_is_no_subscription_in_any_report(start: Start) -> None:
    """It is unreadable, and nothing is said to be in it."""
    program = start("small")
    verified = program("verify", "--from-log", "-", stdin="web-01\nweb-99\n")
    assert "Could not be read (1):\n  web-99\n" in verified.out
    assert "1 other entry of the scope unreadable" in verified.out
    report = program("report", "--from-log", "-", "-o", "markdown", stdin="web-01\nweb-99\n")
    assert "not known: 1 machine" in report.out
    assert "web-99: 1 machine" not in report.out


def test_the_portal_s_deployment_leads_to_the_machines_that_failed(start: Start, tmp_path: Path) -> None:
    """Its JSON names the deployment only; the operations are read, and what succeeded is left alone."""
    deployment = f"{GROUP}/providers/Microsoft.Resources/deployments/weekly"
    fleet = read_fleet("small")
    fleet["resources"].append({"id": deployment, "properties": {"provisioningState": "Failed"}})
    for number, (name, state) in enumerate((("web-01", "Failed"), ("db-01", "Succeeded"))):
        target = {"id": f"{VM}/{name}/providers/Microsoft.Maintenance/configurationAssignments/weekly"}
        error = {"statusMessage": {"error": {"code": "UnsupportedResourceOperation", "message": SENTENCE}}}
        properties = {"provisioningState": state, "targetResource": target, **(error if state == "Failed" else {})}
        fleet["resources"].append({"id": f"{deployment}/operations/{number}", "properties": properties})
    (tmp_path / "fleet.json").write_text(json.dumps(fleet), encoding="utf-8")
    program = start(str(tmp_path / "fleet.json"))
    text = json.dumps({"code": "DeploymentFailed", "target": deployment, "message": "At least one … failed."})
    done = program("plan", "--from-log", "-", "-o", "json", stdin=text)
    assert machine_names(loaded(done.out), "changes") == ["web-01"]
    assert "standard input names no machine, but deployment weekly" in done.err
    assert (
        "Of its 2 operations those that failed name 1 machine: 1 because the prerequisites to patch it were not met."
        in " ".join(done.err.split())
    )
    gone = program("plan", "--from-log", "-", stdin=f"failed: {deployment}-2")
    assert "DeploymentNotFound" in gone.out + gone.err
    assert gone.code == 10
