"""`patchmode schedule` as installed, against the emulator: what is read, what is written, how it ends."""

import json
import re
import shlex
from typing import Any

import pytest
from tests.cli.conftest import Program, Start
from tests.cli.test_bad_input import sent

SUBSCRIPTION = "22222222-2222-2222-2222-222222222222"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-app"
CONFIGURATIONS = f"{GROUP}/providers/Microsoft.Maintenance/maintenanceConfigurations"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines"
NIGHTLY = f"{CONFIGURATIONS}/mc-nightly"
WHEN = (
    *("--start", "2030-12-01 02:00", "--duration", "03:00", "--time-zone", "W. Europe Standard Time"),
    *("--recur", "Month Second Tuesday Offset4"),
)
PLACE = ("-s", SUBSCRIPTION, "-g", "rg-app")


def document(program: Program, *args: str, code: int = 0) -> dict[str, Any]:
    done = program(*args, "-o", "json")
    assert done.code == code, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def stored(program: Program, kind: str) -> dict[str, dict[str, Any]]:
    """What the server holds, by id in lower case."""
    state = program.served.emulator.state  # type: ignore[attr-defined]
    return {entry.id.lower(): entry.document for entry in state.of_type(kind)}


def assignments(program: Program) -> set[str]:
    found = stored(program, "Microsoft.Maintenance/configurationAssignments")
    return {identifier.partition("/providers/microsoft.compute/")[2] for identifier in found}


@pytest.fixture
def program(start: Start) -> Program:
    """A fleet with two schedules, a dynamic scope, an orphaned assignment and one to a configuration that is gone."""
    return start("schedules")


def unlock(program: Program) -> None:
    """Take the group's CanNotDelete lock away: it stops a detach (recorded for nothing, inferred from its meaning)."""
    state = program.served.emulator.state  # type: ignore[attr-defined]
    for entry in list(state.of_type("Microsoft.Authorization/locks")):
        state.delete(entry.id)


def test_list_and_next_agree_with_show(program: Program) -> None:
    """Three views of the same members, and none of them writes.

    Within 40 minutes before 22:00 in Berlin there is one more finding, and rightly so.
    """
    listed = {entry["name"]: entry for entry in document(program, "schedule", "list")["schedules"]}
    assert listed["mc-nightly"]["members"] == {"static": 3, "dynamic": 3, "inDoubt": 0}
    assert listed["mc-nightly"]["window"] == "every day 22:00-01:00 W. Europe"
    shown = document(program, "schedule", "show", "mc-nightly")
    assert len(shown["members"]) == 6
    assert len(shown["windows"]) == 5
    assert shown["schedule"] == listed["mc-nightly"]
    found = [one["rule"] for one in listed["mc-nightly"]["findings"] if one["rule"] != "window-too-close"]
    assert found == ["prerequisite-missing", "assignment-orphaned"]
    calendar = document(program, "schedule", "next", "--days", "1")
    nightly = next(entry for entry in calendar["windows"] if entry["name"] == "mc-nightly")
    assert nightly["counts"] == listed["mc-nightly"]["forecast"]
    assert nightly["machines"] == shown["members"]
    assert sent(program) == []


def test_check_finds_what_the_fleet_was_made_with(program: Program) -> None:
    found = document(program, "schedule", "check", code=10)
    rules = {finding["rule"] for finding in found["findings"]}
    assert {"assignment-orphaned", "configuration-missing", "prerequisite-missing"} <= rules
    assert program("schedule", "check", "mc-nightly", "-q").code == 10


def test_tables_and_csv(program: Program) -> None:
    table = program("schedule", "list")
    assert table.out.startswith("GROUP   SCHEDULE    NEXT, LOCAL")
    assert program("schedule", "list", "-o", "csv").out.startswith("id,name,window,timing,nextWindow")
    assert program("schedule", "next", "-o", "csv").out.startswith("startsAt,endsAt,localStart,name")
    rows = program("schedule", "show", "mc-weekly", "-o", "jsonl").out.splitlines()
    assert [set(json.loads(row)) >= {"id", "via", "clause", "result"} for row in rows] == [True] * 3


def test_create_is_read_back_and_safe_to_repeat(program: Program) -> None:
    """Created, unchanged, refused, replaced; the body is what was shown."""
    made = document(program, "schedule", "create", "mc-new", *PLACE, "--location", "westeurope", *WHEN, "--yes")
    assert (made["result"], made["differences"]) == ("created", [])
    assert made["windows"][0]["startsAt"] == "2030-12-14T01:00:00Z"
    key = f"{CONFIGURATIONS}/mc-new".lower()
    held = stored(program, "Microsoft.Maintenance/maintenanceConfigurations")[key]["properties"]
    assert held["extensionProperties"] == {"InGuestPatchMode": "User"}
    assert held["maintenanceWindow"] == made["properties"]["maintenanceWindow"]
    writes = len(sent(program))
    args = ("schedule", "create", "mc-new", *PLACE, "--location", "westeurope", *WHEN)
    assert document(program, *args)["result"] == "unchanged"
    assert len(sent(program)) == writes
    refused = program(*args, "--reboot", "Always", "--yes")
    assert (refused.code, len(sent(program))) == (12, writes)
    assert 'rebootSetting is "IfRequired", not "Always"' in refused.err
    replaced = document(program, *args, "--reboot", "Always", "--replace", "--yes")
    assert (replaced["result"], replaced["differences"]) == ("replaced", [])
    assert [entry["path"] for entry in replaced["before"]] == ["properties.installPatches.rebootSetting"]


@pytest.mark.parametrize(
    ("args", "told", "code"),
    [
        (["--duration", "01:29"], ["window-too-short"], 12),
        (["--recur", "5Hours"], ["recurs-too-often"], 12),
        (["--expires", "2020-01-01 00:00", "--duration", "04:00"], ["schedule-expired", "window-too-long"], 12),
        (["--recur", "Month"], ["unreadable-recurrence"], 2),
        (["--time-zone", "Middle-earth"], ["unknown-time-zone"], 2),
        (["--time-zone", "Middle-earth", "--recur", "5Hours"], ["unknown-time-zone", "recurs-too-often"], 2),
        (["--start", "2030-12-01"], ["unreadable-recurrence"], 2),
        (["--classifications", "Urgent"], ["'Urgent' is not a classification"], 2),
        (["--tag", "novalue"], ["not of the form KEY=VALUE"], 2),
    ],
)
def test_a_wish_that_cannot_be_is_refused_before_anything_is_read(
    offline: Program, args: list[str], told: list[str], code: int
) -> None:
    """What cannot be read is a mistake of the command line, what Azure does not take is refused."""
    done = offline("schedule", "create", "mc", *PLACE, "--location", "westeurope", *WHEN, *args, "--yes")
    assert done.code == code
    assert all(text in done.err for text in told)
    assert done.out == ""


def test_attach_refuses_what_would_fail_and_does_the_rest(program: Program) -> None:
    """web-04 and api-04 are prepared, web-01 is not; a second time nothing is sent."""
    ids = [f"{VM}/{name}" for name in ("web-04", "web-01", "nowhere")]
    args = ("schedule", "attach", "mc-weekly", "--ids", *ids)
    asked = program(*args)
    assert (asked.code, sent(program)) == (2, [])
    assert "nobody can be asked" in asked.err
    assert "  prerequisite-missing (1)\n      rg-app/web-01\n" in asked.err
    found = document(program, *args, "--yes", code=11)
    ends = {entry["id"].rpartition("/")[2]: entry for entry in found["results"]}
    assert {name: entry["result"] for name, entry in ends.items()} == {"web-04": "attached", "web-01": "refused"}
    assert ends["web-04"]["requestId"]
    fix = f"patchmode apply --ids {VM}/web-01 --then-attach {CONFIGURATIONS}/mc-weekly"
    assert ends["web-04"]["requestId"]
    fix = f"patchmode apply --ids {VM}/web-01 --then-attach {CONFIGURATIONS}/mc-weekly"
    assert ends["web-01"]["fix"].casefold() == fix.casefold()
    assert [entry["id"].rpartition("/")[2] for entry in found["unreadable"]] == ["nowhere"]
    counts = found["counts"]
    assert counts.pop("scope") == sum(counts.values()) == 3
    assert sent(program) == ["PUT"]
    assert "virtualmachines/web-04/providers/microsoft.maintenance/configurationassignments/mc-weekly" in assignments(
        program
    )
    again = document(program, "schedule", "attach", "mc-weekly", "--ids", ids[0])
    assert again["counts"]["unchanged"] == 1
    assert sent(program) == ["PUT"]


def undo_of(text: str) -> list[str]:
    """The words of the command that a screen prints as the undo."""
    assert text.count("To undo it:\n  patchmode ") == 1, text
    return shlex.split(text.partition("To undo it:\n  patchmode ")[2].partition("\n")[0])


def test_attach_and_detach_name_their_machines_and_print_the_opposite(program: Program) -> None:
    """Before the question; a lock that forbids the way back is told there, too; the undo is pasted, there and back."""
    ids = [f"{VM}/{name}" for name in ("web-04", "api-04")]
    asked = program("schedule", "attach", "mc-weekly", "--ids", *ids)
    assert asked.code == 2
    assert "To be attached (2):\n      rg-app/api-04, rg-app/web-04\n" in asked.err
    told = "! 2 machines cannot be detached again while the lock 'keep' is on"
    assert told in asked.err
    before = assignments(program)
    locked = program("schedule", "attach", "mc-weekly", "--ids", *ids, "--yes")
    assert "! First have the lock 'keep' on" in locked.err, "the undo that is printed would be refused"
    unlock(program)
    assert program(*undo_of(locked.err), "--yes").code == 0
    assert assignments(program) == before
    done = program("schedule", "attach", "mc-weekly", "--ids", *ids, "--yes")
    assert "cannot be detached again" not in done.err
    undone = program(*undo_of(done.err), "--yes")
    assert "To be detached (2):" in undone.err
    assert assignments(program) == before
    assert program(*undo_of(undone.err), "--yes").code == 0
    assert len(assignments(program) - before) == 2
    # Nothing was written: there is nothing to undo.
    assert "To undo" not in program("schedule", "attach", "mc-weekly", "--ids", *ids, "--yes").err


def test_the_undo_of_many_machines_names_them_in_a_file(start: Start) -> None:
    program = start("demo")
    listed = program("audit", "--all", "--query", "machines[?outcome=='parked'].id", "-o", "tsv").out.split()
    assert len(listed) == 5
    unlock(program)
    schedule = document(program, "schedule", "list")["schedules"][0]["id"]
    (program.folder / "parked.txt").write_text("\n".join(listed))
    done = program("schedule", "attach", schedule, "--ids-file", "parked.txt", "--yes")
    words = undo_of(program.ran_raw[-1])
    assert words[:2] == ["schedule", "detach"]
    assert "--ids-file" in words
    undone = program(*words, "--yes")
    attached = int(re.search(r"(\d+) attached", done.out)[1])  # type: ignore[index]
    assert f"{attached} detached" in undone.out


def test_the_undo_of_a_dynamic_scope(program: Program) -> None:
    """Attached, detached, and written over: each opposite makes the filter that was there before."""
    unlock(program)
    some = ("--filter-os", "linux", "--filter-location", "westeurope", "--filter-tag", "ring=1,2", "--any-tag")
    args = ("schedule", "attach", "mc-weekly", "--dynamic", "linux", *PLACE)
    made = program(*args, *some, "--yes")
    kind, key = "Microsoft.Maintenance/configurationAssignments", f"{GROUP}/providers/microsoft.maintenance/"
    key = f"{key}configurationassignments/linux".lower()
    before = stored(program, kind)[key]["properties"]["filter"]
    detach = (*undo_of(made.err), "--allow-azure-managed", "--yes")
    gone = program(*detach)
    assert key not in stored(program, kind)
    assert program(*undo_of(gone.err), "--yes").code == 0
    assert stored(program, kind)[key]["properties"]["filter"] == before
    over = program(*args, *some, "--filter-location", "norwayeast", "--replace", "--yes")
    assert over.code == 0, over.err
    assert stored(program, kind)[key]["properties"]["filter"] != before
    assert program(*undo_of(over.err), "--yes").code == 0
    assert stored(program, kind)[key]["properties"]["filter"] == before


def test_detach_keeps_locks_and_says_so(program: Program) -> None:
    """A CanNotDelete lock stops the deletion of an assignment; without it, it goes, and repeating changes nothing."""
    args = ("schedule", "detach", "mc-nightly", "--ids", f"{VM}/web-04", "--yes")
    locked = program(*args)
    assert locked.code == 11
    assert "delete-lock" in locked.out
    assert sent(program) == []
    unlock(program)
    assert document(program, *args)["counts"]["detached"] == 1
    assert document(program, *args)["counts"]["unchanged"] == 1
    told = "Nothing will be detached: no machine loses rg-app/mc-nightly. 1 machine has no assignment of it."
    assert told in program(*args).err


def test_an_orphan_is_detached_as_check_says(program: Program) -> None:
    """The fix that check prints, word for word."""
    unlock(program)
    found = document(program, "schedule", "check", "mc-nightly", code=10)["findings"]
    fix = next(finding["fix"] for finding in found if finding["rule"] == "assignment-orphaned")
    assert document(program, *fix.split()[1:], "--yes")["counts"]["detached"] == 1
    after = document(program, "schedule", "check", "mc-nightly", code=10)["findings"]
    assert "assignment-orphaned" not in {finding["rule"] for finding in after}


def test_a_dynamic_scope_from_attach_to_detach(program: Program) -> None:
    unlock(program)
    args = ("schedule", "attach", "mc-weekly", "--dynamic", "linux", *PLACE)
    some = ("--filter-os", "linux", "--filter-location", "West Europe", "--filter-tag", "ring=1,2")
    made = document(program, *args, *some, "--yes")
    assert (made["dynamic"], made["counts"]["attached"]) == (True, 1)
    scope = f"{GROUP}/providers/microsoft.maintenance/configurationassignments/linux".lower()
    held = stored(program, "Microsoft.Maintenance/configurationAssignments")[scope]["properties"]["filter"]
    assert held["osTypes"] == ["Linux"]
    assert held["locations"] == ["westeurope"]
    assert held["tagSettings"] == {"tags": {"ring": ["1", "2"]}, "filterOperator": "All"}
    assert document(program, *args, *some)["counts"]["unchanged"] == 1
    assert program(*args, "--filter-os", "windows", "--yes").code == 12
    shown = document(program, "schedule", "show", "mc-weekly")
    assert {member["via"] for member in shown["members"]} >= {"static"}
    off = ("schedule", "detach", "mc-weekly", "--dynamic", "linux", *PLACE, "--allow-azure-managed", "--yes")
    assert document(program, *off)["counts"]["detached"] == 1
    assert document(program, *off)["counts"]["unchanged"] == 1


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        (["schedule", "attach", "mc-nightly"], 2, "schedule attach needs to know which machines"),
        (["schedule", "detach", "mc-nightly"], 2, "schedule detach needs to know which machines"),
        (["schedule", "attach", "x", "--all", "--filter-os", "linux"], 2, "belong to --dynamic"),
        (["schedule", "attach", "x", "--dynamic", "d", "--all"], 2, "is on one subscription"),
        (["schedule", "attach", "x", "--dynamic", "d", "-s", "a", "-s", "b"], 2, "is on one subscription"),
        (["schedule", "attach", "x", "--all", "--assignment-name", "a/b"], 2, "not a name that Azure takes"),
        (["schedule", "next", "--days", "0"], 2, "0 is not in the range"),
        (["schedule", "show"], 2, "Missing argument 'CONFIG'"),
        (["schedule", "shwo"], 2, "No such command 'shwo'"),
    ],
)
def test_wrong_command_lines(offline: Program, args: list[str], code: int, told: str) -> None:
    done = offline(*args)
    assert (done.code, done.out) == (code, "")
    assert told in done.err


@pytest.mark.parametrize(
    "name", ["list", "show", "next", "create", "update", "delete", "attach", "detach", "check", "failures"]
)
def test_the_list_of_subcommands_tells_what_each_tells(offline: Program, name: str) -> None:
    """The list is written by hand so that help imports no subcommand; it must not drift."""
    from patchmode.cli.commands.schedule import SUBCOMMANDS, command

    found = command.get_command(None, name)  # type: ignore[arg-type]
    assert found is not None
    assert (found.help or "").split("\n")[0] == SUBCOMMANDS[name]


def test_names_that_nobody_has(program: Program) -> None:
    done = program("schedule", "show", "mc-nightyl")
    assert done.code == 2
    assert "Did you mean 'mc-nightly'?" in done.err
    assert program("schedule", "next", "--ids", f"{VM}/nowhere", "--exclude-name", "*").code in {0, 3}


def test_list_of_a_subscription_that_is_not_seen_is_not_the_list_of_all(program: Program) -> None:
    done = program("schedule", "list", "-s", "99999999-9999-9999-9999-999999999999")
    assert (done.code, done.out) == (2, "")
    assert "99999999-9999-9999-9999-999999999999" in done.err


def test_ways_out_are_whole_lines(program: Program) -> None:
    """A command that a terminal's width had broken would be two when it is copied."""
    told = program("schedule", "check").out.splitlines()
    commands = [line.strip().removeprefix("→ ") for line in told if "patchmode " in line]
    assert f"patchmode apply --schedule {NIGHTLY}" in commands
    retired = f"{CONFIGURATIONS}/mc-retired".lower()
    assert any(line.startswith(f"patchmode schedule detach {retired} --ids ") for line in map(str.lower, commands))


def test_the_requests_of_an_attachment_are_those_that_attach_and_read_back(program: Program) -> None:
    """As its page says: the server received more, for the sign-in, the plan and the permissions."""
    found = document(program, "schedule", "attach", "mc-weekly", "--ids", f"{VM}/web-04", "--yes")
    received = program.served.emulator.ledger.entries  # type: ignore[attr-defined]
    at = next(place for place, entry in enumerate(received) if entry.method == "PUT")
    around = [entry.method for entry in received[at - 1 : at + 2]]
    assert around == ["GET", "PUT", "GET"]
    assert all("/configurationAssignments" in entry.path for entry in received[at - 1 : at + 2])
    assert found["requests"] == {"GET": 2, "PUT": 1}
