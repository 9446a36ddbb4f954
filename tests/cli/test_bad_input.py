"""Bad input: one clear sentence, what to do, the right exit code, nothing sent and nothing half-written."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Program, Start

GROUP = "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-app"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines"


def sent(program: Program) -> list[str]:
    """Methods of what reached the server and could have changed something."""
    entries = program.served.emulator.ledger.entries  # type: ignore[attr-defined]
    return [entry.method for entry in entries if entry.method in {"PATCH", "PUT", "DELETE"}]


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        (["audit", "--cloud", "AzureGermany"], 1, "AzureGermany"),
        (["audit", "--cloud", "http://localhost"], 1, "http"),
        (["audit", "--os", "solaris"], 2, "'solaris' is not an operating system here"),
        (["audit", "--tag", "=x"], 2, "'=x' is not a tag filter"),
        (["audit", "--query", "machines["], 2, "--query 'machines[' is not JMESPath"),
        (["audit", "-o", "xml"], 2, "'xml' is not one of"),
        (["audit", "--scheduled", "x"], 2, "No such option"),
        (["plan"], 2, "plan needs to know which machines"),
        (["plan", "--os", "linux"], 2, "plan needs to know which machines"),
        (["plan", "--to", "windows-update", "--all"], 2, "'windows-update' is not one of"),
        (["apply"], 2, "apply needs to know which machines"),
        (["apply", "--all", "--auto-approve"], 2, "No such option '--auto-approve'. Here that is --yes.\n"),
        (["apply", "--all", "--dry-run"], 2, "'--dry-run'. Here that is `patchmode plan`, which shows the changes and"),
        (["rollback", "--what-if"], 2, "'--what-if'. Here that is `patchmode plan`, which shows the changes and"),
        (["plan", "--all", "--what-if"], 2, "Here that is `patchmode plan`, which changes nothing and asks nothing."),
        (["plan", "--all", "--yes"], 2, "'--yes'. This command never asks. It changes nothing in Azure.\n"),
        (["plan", "--all", "-y"], 2, "'-y'. This command never asks. It changes nothing in Azure.\n"),
        (["audit", "--scope-of-all"], 2, "No such option '--scope-of-all'.\n"),
        (["audit", "--locaton", "x"], 2, "No such option '--locaton'. Did you mean --location?\n"),
        (
            ["show"],
            2,
            "is `patchmode explain MACHINE`, `patchmode schedule show NAME`, or `patchmode runs list` for runs.",
        ),
        (
            ["list"],
            2,
            "is `patchmode audit` for machines, `patchmode runs list`, or `patchmode schedule list`.",
        ),
        (["destroy"], 2, "Here that is rollback, which restores what a run changed."),
        (
            ["validate"],
            2,
            "is `patchmode plan`, which shows the changes and sends nothing, or `patchmode doctor`",
        ),
        (["apply", "plan.json", "--all"], 2, "A plan file holds its own machines"),
        (["apply", "nowhere.json", "--yes"], 2, "could not read the plan nowhere.json: No such file or directory"),
        (["apply", ".", "--yes"], 2, "could not read the plan .: Is a directory"),
        (["verify", "nowhere.json"], 2, "could not read the plan nowhere.json: No such file or directory"),
        (["apply", "--all", "--max-failures", "few"], 2, "'few' is not a failure budget"),
        (["apply", "--all", "--max-failures", "0"], 2, "'0' is not a failure budget"),
        (["apply", "--all", "--concurrency", "0"], 2, "0 is not in the range"),
        (["verify", "plan.json", "--all"], 2, "A run or a file holds its own machines"),
        (["verify"], 2, "there are no runs yet in the state folder"),
        (["rollback", "20300101"], 2, "there is no run '20300101'"),
        (["runs", "show"], 2, "there are no runs yet in the state folder"),
        (["runs", "resume", "x"], 2, "there is no run 'x'"),
        (["explain"], 2, "Missing argument 'MACHINE'"),
        (["plan", "--ids-file", "nowhere.txt"], 2, "nowhere.txt could not be read: No such file or directory"),
        (["plan", "--ids-file", "."], 2, ". could not be read: Is a directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_command_lines(offline: Program, args: list[str], code: int, told: str) -> None:
    """Told before anything is read or sent; nothing on standard output."""
    done = offline(*args)
    assert done.code == code, done.err
    assert told in done.err
    assert "free space" not in done.err
    assert done.out == ""


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "holds no resource id"),
        (b"# only a comment\n\n", "holds no resource id"),
        (b"[1, 2]", "an entry without an id"),
        (b'["/subscriptions/', "begins like JSON but is not"),
        (b"\xff\xfe\x00", "is not a resource id"),
        (b"vm1 and vm2\n", "'vm1 and vm2' is not a resource id"),
        (b'[{"name": "vm1"}]', "an entry without an id"),
        (
            b"PK\x03\x04 [Content_Types].xml xl/workbook.xml",
            "ids.txt is an Excel workbook, which is not read.\n  What to do: Save it as CSV",
        ),
        (b"PK\x03\x04 readme.txt", "ids.txt is a zip archive or an Office document, no text."),
        (b"Box;Crate\nvm1;rg\n", "is not a list of machines: 'Box;Crate' is not a resource id, nor one name."),
    ],
)
def test_wrong_files_of_ids(start: Start, content: bytes, told: str) -> None:
    """The file's name stands in the sentence, because several may be given."""
    program = start()
    (program.folder / "ids.txt").write_bytes(content)
    done = program("plan", "--ids-file", "ids.txt")
    assert (done.code, done.out) == (2, "")
    assert told in done.err


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        (["audit", "-s", "Contoso Produktion"], 2, "the nearest of those that you can see is 'Contoso Production'"),
        (["plan", "--ids", "web-01"], 2, "'web-01' is not a resource id"),
        (["plan", "--ids", '"/subscriptions/x"'], 2, "--ids: '/subscriptions/x' is not a resource id"),
        (["plan", "--ids", "web-01"], 2, "`az vm list --query '[].id' -o tsv`"),
        (
            ["plan", "--ids", VM.replace("virtualMachines", "disks") + "/d"],
            2,
            "a Microsoft.Compute/disks, not a machine",
        ),
        (["plan", "--ids", f"{VM}/o'brien\" or 1==1"], 10, "ResourceNotFound"),
        (["plan", "-g", "rg-app' | union resources //"], 3, "The scope holds no machine"),
        (["plan", "--failed-since", "7d"], 3, "`patchmode schedule failures --since 7d`"),
        (["audit", "--graph-query", "resources | frobnicate"], 2, "frobnicate"),
        (["audit", "--graph-query", "resources | project name"], 2, "id"),
        (["audit", "--all", "--name", "nothing-*"], 3, "The filters left out every machine in scope"),
        (["plan", "--all", "--tag", "owner=O'Brien"], 3, "The filters left out every machine"),
        (["plan", "-s", "33333333-3333-3333-3333-333333333333"], 10, "does not exist, or you cannot see it"),
        (["explain", "web-99"], 3, "You see no machine named 'web-99'"),
        (["plan", "-s", "Contoso Production", "-g", "rg-app"], 10, "--resource-group rg-app adds nothing"),
        (["apply", "-s", "Contoso Production", "-g", "rg-app", "--yes"], 2, "--resource-group rg-app adds nothing"),
        (["audit", "-s", "Contoso Production", "-g", "rg-app"], 10, "--resource-group rg-app adds nothing"),
        (["verify", "-s", "Contoso Production", "-g", "rg-app"], 13, "--resource-group rg-app adds nothing"),
        (["watch", "-s", "Contoso Production", "-g", "rg-app", "--count", "1"], 0, "rg-app adds nothing"),
        (["verify", "--after-window", "-s", "Contoso Production", "-g", "rg-app"], 10, "rg-app adds nothing"),
        (["plan", "-s", "Contoso Production", "-g", "rg-app"], 10, "rg-app (united: all machines of each)"),
        (["verify", "-s", "Contoso Production", "-g", "rg-app"], 13, "rg-app (united: all machines of each)"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_scopes(start: Start, args: list[str], code: int, told: str) -> None:
    """Names and queries are looked up and answered for, never pasted into a query."""
    program = start()
    done = program(*args)
    assert told in done.out + done.err
    assert done.code == code
    assert sent(program) == []


def planned(program: Program) -> Path:
    """A plan of everything."""
    assert program("plan", "--all", "--out", "plan.json").code == 10
    return program.folder / "plan.json"


def edited(content: str) -> str:
    return content.replace('"Contoso', '"Fabrikam').replace("rg-app", "rg-other")


def newer(content: str) -> str:
    return content.replace("patchmode/plan/v1", "patchmode/plan/v7")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda content: content[: len(content) // 2], "is cut short"),
        (lambda content: "", "is empty"),
        (edited, "was changed after it was written"),
        (newer, "has the format patchmode/plan/v7"),
        (lambda content: "{}", "not a plan"),
        (lambda content: "plan: yes", "is not JSON"),
    ],
    ids=["cut", "empty", "edited", "newer", "other", "yaml"],
)
def test_a_plan_that_is_not_what_was_reviewed_is_refused(start: Start, change: Any, told: str) -> None:
    """As a whole, before anything is sent."""
    program = start()
    path = planned(program)
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    done = program("apply", "plan.json", "--yes")
    assert (done.code, done.out) == (12, "")
    assert told in done.err
    assert sent(program) == []


def test_a_plan_of_another_server_is_refused(start: Start) -> None:
    """The target is in the plan; a cloud with the same machines is not the same cloud."""
    planned(start())
    other = start()
    done = other("apply", "plan.json", "--yes")
    assert (done.code, done.out) == (12, "")
    assert "The plan was made for tenant" in done.err
    assert sent(other) == []


def test_a_plan_is_carried_out_once(start: Start) -> None:
    """A second apply of the same file is a mistake and not a second run."""
    program = start()
    planned(program)
    assert program("apply", "plan.json", "--yes").code == 0
    before = len(sent(program))
    for yes in ((), ("--yes",)):
        done = program("apply", "plan.json", *yes)
        assert (done.code, done.out) == (12, "")
        assert "already applied, by run RUN" in done.err
        assert "Signed in as" not in done.err  # nothing is shown for review that cannot be carried out
    assert len(sent(program)) == before


def test_without_a_terminal_nobody_can_agree(start: Start) -> None:
    """A pipe must not count as yes."""
    program = start()
    planned(program)
    done = program("apply", "plan.json", stdin="y\n")
    assert (done.code, done.out) == (2, "")
    assert "add --yes:\npatchmode apply plan.json --yes" in done.err
    assert "Plan for" not in done.err  # refused before anything is shown for review
    done = program("apply", "--all")
    assert (done.code, done.out) == (2, "")
    assert "add --yes:\npatchmode apply FOLDER/state/plans/PLAN.json --yes\n" in done.err
    assert "Plan for" not in done.err
    assert sent(program) == []


def test_a_credential_that_cannot_be_one(start: Start) -> None:
    """A variable left empty by a pipeline is the usual case."""
    program = start()
    done = program("audit", AZURE_CLIENT_SECRET="")
    assert (done.code, done.out) == (1, "")
    assert "What to do:" in done.err


def test_a_server_that_is_not_trusted(start: Start) -> None:
    """There is no switch that turns the check off."""
    program = start()
    done = program("audit", SSL_CERT_FILE="", REQUESTS_CA_BUNDLE="")
    assert (done.code, done.out) == (1, "")
    assert "certificate" in done.err.lower()


def test_nothing_listens(start: Start) -> None:
    """A wrong address is told as such."""
    done = start()("audit", PATCHMODE_CLOUD="https://localhost:9")
    assert (done.code, done.out) == (1, "")
    assert "localhost:9" in done.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_standard_output(start: Start) -> None:
    """The result is lost, and that is said."""
    program = start()
    import subprocess

    from tests.cli.conftest import PROGRAM

    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [PROGRAM, "audit", "--all", "-o", "json"],
            env=program.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_left_early_is_no_fault_of_ours(start: Start) -> None:
    """`patchmode audit | head -1` must not end in a traceback."""
    import subprocess

    from tests.cli.conftest import PROGRAM

    program = start("demo")
    pipe = subprocess.Popen(
        [PROGRAM, "audit", "--all", "-o", "jsonl"],
        env=program.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert pipe.stdout is not None
    pipe.stdout.close()
    assert pipe.stderr is not None
    told = pipe.stderr.read()
    pipe.stderr.close()
    assert pipe.wait(60) in {1, 10}
    assert told == ""


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root may write everywhere")
def test_a_state_folder_that_cannot_be_written(start: Start) -> None:
    """Without a journal nothing may be sent."""
    program = start()
    locked = program.folder / "locked"
    locked.mkdir(mode=0o500)
    done = program("apply", "--all", "--yes", "--state-dir", str(locked))
    assert done.code == 1
    assert sent(program) == []


def test_a_plan_file_that_cannot_be_written_leaves_nothing(start: Start) -> None:
    """Neither half a file nor a wrong promise."""
    program = start()
    done = program("plan", "--all", "--out", "nowhere/plan.json")
    assert done.code == 1
    assert "could not write nowhere/plan.json" in done.err
    assert done.out == ""


def test_json_of_the_plan_is_the_plan_file(start: Start) -> None:
    """What is printed can be kept and applied; there is one format and not two."""
    program = start()
    printed = program("plan", "--all", "-o", "json")
    (program.folder / "kept.json").write_text(printed.out.replace("https://ENDPOINT", program.endpoint))
    assert json.loads(printed.out)["format"] == "patchmode/plan/v1"
    assert program("apply", "kept.json", "--yes").code == 0
