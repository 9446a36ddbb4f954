"""`schedule delete` and `schedule update` as installed, against the emulator: shown, sent, read back, undone."""

import json
import shlex
from collections.abc import Callable
from typing import Any

import pytest
from tests.cli.conftest import Program, Start
from tests.cli.test_bad_input import sent
from tests.cli.test_schedule import CONFIGURATIONS, GROUP, NIGHTLY, document, stored, unlock

from arm_emulator.faults import faults_from

CONFIGURATION = "Microsoft.Maintenance/maintenanceConfigurations"
ASSIGNMENT = "Microsoft.Maintenance/configurationAssignments"


@pytest.fixture
def program(start: Start) -> Program:
    found = start("schedules")
    unlock(found)
    return found


def undo_lines(text: str) -> list[list[str]]:
    """The words of each command that a screen prints as the undo."""
    _, _, told = text.partition("To undo it")
    lines = told.splitlines()[1:]
    commands = [line.strip() for line in lines if line.startswith("  patchmode ")]
    assert commands, text
    return [shlex.split(line)[1:] for line in commands]


def named(program: Program, name: str) -> dict[str, Any]:
    """Every assignment and dynamic scope that names a configuration: by id in lower case."""
    found = stored(program, ASSIGNMENT)
    wanted = f"{CONFIGURATIONS}/{name}".lower()
    return {key: one for key, one in found.items() if one["properties"]["maintenanceConfigurationId"].lower() == wanted}


def set_profile(program: Program, **switches: str) -> None:
    emulator: Any = program.served.emulator  # type: ignore[attr-defined]
    emulator.profile = type(emulator.profile)(**switches)


@pytest.mark.parametrize("answer", ["leaves-assignments", "removes-assignments", "refused"])
def test_deleted_with_all_that_names_it_and_made_again_by_the_undo(start: Start, answer: str) -> None:
    """Whatever Azure does with assignments of a schedule that is deleted: none is left to it."""
    program = start("schedules")
    unlock(program)
    set_profile(program, configuration_delete=answer)
    before = stored(program, CONFIGURATION)[NIGHTLY.lower()]["properties"]
    scopes = {key: one["properties"]["filter"] for key, one in named(program, "mc-nightly").items() if "rings" in key}
    done = program("schedule", "delete", "mc-nightly", "--yes")
    assert done.code == 0, done.err
    assert "6 members, by 4 static assignments and 1 dynamic scope; all of these are detached first." in done.err
    assert "  patched by nobody until a schedule is attached (2)\n      rg-app/api-04, rg-app/web-04\n" in done.err
    asked = "Delete rg-app/mc-nightly, which 7 machines have (1 not seen); 3 are then patched by nobody."
    assert asked in " ".join(done.err.split())
    assert "5 assignments: 5 detached." in done.out
    assert named(program, "mc-nightly") == {}
    assert NIGHTLY.lower() not in stored(program, CONFIGURATION)
    assert sent(program) == ["DELETE"] * 6
    assert "3 machines that it reached are patched by nobody now." in done.out
    assert "2 detached machines would be refused by an attach" in done.err, "web-05, and one that does not exist"
    for words in undo_lines(program.ran_raw[-1]):
        undone = program(*words, "--yes")
        assert undone.code == 0, undone.err
    assert stored(program, CONFIGURATION)[NIGHTLY.lower()]["properties"] == {
        **before,
        "maintenanceWindow": {k: v for k, v in before["maintenanceWindow"].items() if k != "expirationDateTime"},
    }
    again = named(program, "mc-nightly")
    assert {key.rpartition("/providers/microsoft.maintenance/")[0].rpartition("/")[2] for key in again} == {
        "web-04",
        "api-04",
        "22222222-2222-2222-2222-222222222222",
    }
    assert {key: one["properties"]["filter"] for key, one in again.items() if "rings" in key} == scopes


def test_the_command_that_attaches_its_members_elsewhere_runs(program: Program) -> None:
    """Printed before the question; after it nobody is left without a schedule who had one that ran."""
    asked = program("schedule", "delete", "mc-nightly")
    assert (asked.code, sent(program)) == (2, [])
    line = next(one for one in asked.err.splitlines() if one.startswith("  patchmode schedule attach "))
    assert program(*shlex.split(line)[1:], "--yes").code == 11  # four members are not prepared
    assert {"web-04", "api-04"} <= {key.split("/")[8] for key in named(program, "mc-weekly")}
    told = program("schedule", "delete", "mc-nightly").err
    assert "  patched by another schedule (2)\n      rg-app/api-04, rg-app/web-04\n" in told


def test_a_deletion_as_json(program: Program) -> None:
    found = document(program, "schedule", "delete", "mc-weekly", "--allow-azure-managed", "--yes")
    assert (found["format"], found["result"], found["state"]) == ("patchmode/schedule-delete/v1", "deleted", "finished")
    assert found["left"] == {"autopatched": 1, "guest-managed": 2}
    assert found["properties"]["maintenanceWindow"]["recurEvery"] == "Week Saturday"
    assert [one["result"] for one in found["results"]] == ["detached"] * 3
    assert found["requests"]["DELETE"] == 4


def _lock(program: Program) -> None:
    state = program.served.emulator.state  # type: ignore[attr-defined]
    lock = f"{GROUP}/providers/Microsoft.Authorization/locks/all"
    document = {"id": lock, "name": "all", "type": "Microsoft.Authorization/locks", "properties": {"level": "ReadOnly"}}
    state.put(document, etag=None)


def _host(program: Program) -> None:
    state = program.served.emulator.state  # type: ignore[attr-defined]
    found = state.get(NIGHTLY).document
    state.put({**found, "properties": {**found["properties"], "maintenanceScope": "Host"}}, etag=None)


def _nothing(program: Program) -> None:
    del program


@pytest.mark.parametrize(
    ("prepare", "name", "told"),
    [
        (_lock, "mc-nightly", "ReadOnly lock 'all'"),
        (_host, "mc-nightly", "has the maintenance scope Host, which patches no guests."),
        (_nothing, "mc-weekly", "Azure would, or might, then patch and reboot 1 of its members"),
    ],
)
def test_a_deletion_that_is_refused_sends_nothing(
    program: Program, prepare: Callable[[Program], None], name: str, told: str
) -> None:
    prepare(program)
    done = program("schedule", "delete", name, "--yes")
    assert (done.code, done.out, sent(program)) == (12, "", [])
    assert told in " ".join(done.err.split())


def test_an_assignment_that_stays_keeps_the_schedule(program: Program) -> None:
    rule = {
        "match": {"method": "DELETE", "path": "*web-04*"},
        "do": {"respond": {"status": 409, "json": {"error": {"code": "Conflict", "message": "busy"}}}},
    }
    program.served.emulator.faults.arm(faults_from(json.dumps({"rules": [rule]}).encode()))  # type: ignore[attr-defined]
    done = program("schedule", "delete", "mc-nightly", "--yes")
    assert done.code == 11
    assert "The schedule was not deleted: 2 of its 5 assignments are still there." in " ".join(done.out.split())
    assert NIGHTLY.lower() in stored(program, CONFIGURATION)
    assert json.dumps(undo_lines(program.ran_raw[-1])).count("schedule") == 1, "what was detached can be attached again"


def changed(program: Program) -> dict[str, Any]:
    found: dict[str, Any] = stored(program, CONFIGURATION)[NIGHTLY.lower()]["properties"]
    return found


@pytest.mark.parametrize(
    "options",
    [
        ("--start", "2030-01-01 23:00", "--duration", "02:00", "--time-zone", "utc", "--recur", "Week Sunday"),
        ("--expires", "2040-01-01 00:00", "--reboot", "Always"),
        ("--classifications", "Security,Updates,Other"),
        ("--windows-classifications", "none", "--kb-include", "5034439,5034440"),
        ("--linux-classifications", "other", "--package-exclude", "kernel*", "--package-exclude", "*grub*"),
    ],
)
def test_an_update_is_read_back_and_the_undo_gives_back_what_was(program: Program, options: tuple[str, ...]) -> None:
    before = changed(program)
    done = program("schedule", "update", "mc-nightly", *options, "--yes")
    assert done.code == 0, done.err
    assert "; a read afterwards shows what was sent." in " ".join(done.out.split())
    assert ("! With the change no window starts before 2030-" in done.err) is ("--start" in options)
    assert changed(program) != before
    (words,) = undo_lines(program.ran_raw[-1])
    undone = program(*words, "--yes")
    assert undone.code == 0, undone.err
    assert normal(changed(program)) == normal(before)
    assert sent(program) == ["PUT", "PUT"]
    assert len(named(program, "mc-nightly")) == 5, "its assignments stay"


def normal(properties: dict[str, Any]) -> dict[str, Any]:
    """Without what says the same: an end of the calendar that is not given, and empty lists."""
    window = {k: v for k, v in properties["maintenanceWindow"].items() if k != "expirationDateTime"}
    patches = {
        name: {k: v for k, v in one.items() if v} if isinstance(one, dict) else one
        for name, one in properties["installPatches"].items()
    }
    return {**properties, "maintenanceWindow": window, "installPatches": patches}


def test_an_update_sends_what_it_does_not_change_as_it_was_read(program: Program) -> None:
    """Members that no option can say stay; `Always` is sent as Azure documents it, not as Azure answers it."""
    state = program.served.emulator.state  # type: ignore[attr-defined]
    found = state.get(NIGHTLY).document
    patches = {**found["properties"]["installPatches"], "rebootSetting": "AlwaysReboot"}
    patches["windowsParameters"] = {**patches["windowsParameters"], "excludeKbsRequiringReboot": True}
    more = {**found["properties"], "namespace": "Microsoft.Maintenance", "installPatches": patches}
    state.put({**found, "tags": {"a=b": "c"}, "properties": more}, etag=None)
    assert program("schedule", "update", "mc-nightly", "--duration", "02:00", "--yes").code == 0
    entries = program.served.emulator.ledger.entries  # type: ignore[attr-defined]
    body = next(json.loads(entry.body) for entry in entries if entry.method == "PUT")
    assert body["tags"] == {"a=b": "c"}
    assert body["properties"]["namespace"] == "Microsoft.Maintenance"
    assert body["properties"]["installPatches"]["windowsParameters"]["excludeKbsRequiringReboot"] is True
    assert body["properties"]["installPatches"]["rebootSetting"] == "Always"
    assert "configurationType" not in body["properties"]


def test_what_an_update_shows_before_it_asks(program: Program) -> None:
    asked = program("schedule", "update", "mc-nightly", "--linux-classifications", "none")
    assert (asked.code, sent(program)) == (2, [])
    told = '    ~ installPatches.linuxParameters.classificationsToInclude: ["Critical", "Security"] -> (absent)'
    assert told in asked.err
    assert "It reaches 6 machines, and 1 machine that is not seen." in asked.err
    assert "Next window: 2 run, 4 fail; after the change: 1 run, 4 fail, 1 are not known." in asked.err
    assert "Change rg-app/mc-nightly, which 7 machines have." in asked.err
    again = document(program, "schedule", "update", "mc-nightly", "--duration", "03:00")
    assert (again["result"], again["members"], sent(program)) == ("unchanged", 6, [])


@pytest.mark.parametrize(
    ("prepare", "options", "code", "told"),
    [
        (_lock, ("--duration", "02:00"), 12, "ReadOnly lock 'all'"),
        (_host, ("--duration", "02:00"), 12, "has the maintenance scope Host, which patches no guests."),
        (_nothing, ("--duration", "04:00"), 12, "window-too-long"),
        (_nothing, ("--recur", "Fortnight"), 2, "unreadable-recurrence"),
        (_nothing, ("--classifications", "Urgent"), 2, "'Urgent' is not a classification"),
        (_nothing, (), 2, "Nothing to change is named."),
    ],
)
def test_an_update_that_is_refused_sends_nothing(
    program: Program, prepare: Callable[[Program], None], options: tuple[str, ...], code: int, told: str
) -> None:
    prepare(program)
    done = program("schedule", "update", "mc-nightly", *options, "--yes")
    assert (done.code, done.out, sent(program)) == (code, "", [])
    assert told in " ".join(done.err.split())
