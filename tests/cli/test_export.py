"""`patchmode export`: a plan file in another form, offline, refused where `apply` refuses it."""

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Program, Start

from patchmode.cli.commands.export import EXPORT_FORMS

PLAN = ("-g", "rg-app", "--name", "web-0[56]", "--out", "plan.json")


@pytest.fixture
def planned(start: Start) -> Program:
    program = start("schedules")
    assert program("plan", *PLAN).code == 10
    return program


def in_folder(program: Program) -> set[str]:
    return {path.name for path in program.folder.iterdir()}


@pytest.mark.parametrize("form", EXPORT_FORMS)
def test_nothing_is_asked_of_azure_and_nothing_else_is_written(planned: Program, form: str) -> None:
    """Whoever exports need not be who may sign in."""
    before = len(planned.served.emulator.ledger.entries), in_folder(planned)  # type: ignore[attr-defined]
    planned.environment["AZURE_CLIENT_SECRET"] = "wrong"
    printed = planned("export", "plan.json", "--as", form)
    written = planned("export", "plan.json", "--as", form, "--out", "made")
    assert (printed.code, written.code, written.out) == (0, 0, "")
    assert planned.plain((planned.folder / "made").read_text(encoding="utf-8")) == printed.out
    assert "web-05" in printed.out
    assert "web-01" not in printed.out
    assert f"Exported as {form}: 2 machines. Nothing was sent." in printed.err
    assert "Written to made." in written.err
    assert len(planned.served.emulator.ledger.entries) == before[0]  # type: ignore[attr-defined]
    assert in_folder(planned) == before[1] | {"made"}


@pytest.mark.parametrize("form", EXPORT_FORMS)
def test_a_file_that_is_no_export_is_not_written_over(planned: Program, form: str) -> None:
    """A configuration that somebody wrote by hand has the same name; an earlier export and an empty file have not."""
    path = planned.folder / "made"
    path.write_text("# mine\n", encoding="utf-8")
    done = planned("export", "plan.json", "--as", form, "--out", "made")
    assert (done.code, done.out) == (2, "")
    assert "--out made exists already and is not an export of patchmode" in " ".join(done.err.split())
    assert path.read_text(encoding="utf-8") == "# mine\n"
    path.write_text("", encoding="utf-8")
    assert [planned("export", "plan.json", "--as", form, "--out", "made").code for _ in range(2)] == [0, 0]


@pytest.mark.parametrize("form", EXPORT_FORMS)
def test_a_changed_plan_is_refused_as_apply_refuses_it(planned: Program, form: str) -> None:
    """An export of an edited plan would carry the edit past the digest."""
    path = planned.folder / "plan.json"
    edited = path.read_text(encoding="utf-8").replace("rg-app/providers", "rg-other/providers", 1)
    path.write_text(edited, encoding="utf-8")
    refused = planned("apply", "plan.json", "--yes")
    done = planned("export", "plan.json", "--as", form, "--out", "made")
    assert (refused.code, done.code, done.out) == (12, 12, "")
    assert done.err == refused.err
    assert "made" not in in_folder(planned)


def test_a_plan_that_lets_azure_patch_says_so(planned: Program) -> None:
    """Only who asks for that orchestration by name gets such a plan, and its export names what follows."""
    assert planned("plan", *PLAN[:-1], "azure.json", "--to", "azure-managed").code == 10
    text = planned("export", "azure.json", "--as", "markdown").out
    assert "- Afterwards 1 machine is patched and rebooted by Azure at a time it chooses.\n" in text


def test_the_ending_of_the_file_decides_where_no_form_is_given(planned: Program) -> None:
    heads = {}
    for name in ("a.sh", "a.ps1", "a.http", "a.tf", "a.bicep", "a.yml", "a.md"):
        assert planned("export", "plan.json", "--out", name).code == 0
        heads[name] = (planned.folder / name).read_text(encoding="utf-8").split("\n", 1)[0][:20]
    assert heads == {
        "a.sh": "#!/bin/sh",
        "a.ps1": "# Patch settings of ",
        "a.http": "# Patch settings of ",
        "a.tf": "# Patch settings of ",
        "a.bicep": "// Patch settings of",
        "a.yml": "# Patch settings of ",
        "a.md": "# Change request: pa",
    }


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ((), "Missing option '--as'."),
        (("--out", "plan.txt"), "--out plan.txt does not say which form it is to have."),
        (("--as", "pulumi"), "'pulumi' is not one of az, powershell, powershell-update-azvm, rest, terraform, bicep, "),
        (("--as", "az", "-o", "json"), "-o chooses what of a result is printed, and export has a form instead."),
        (("--as", "az", "--query", "x"), "--query chooses what of a result is printed"),
        (("--as", "az", "--out", "./plan.json"), "is the plan file itself."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_not_clear_is_refused(planned: Program, args: tuple[str, ...], told: str) -> None:
    before = (planned.folder / "plan.json").read_bytes()
    done = planned("export", "plan.json", *args)
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert (planned.folder / "plan.json").read_bytes() == before


def test_other_names_of_a_form_are_taken(planned: Program) -> None:
    """`--format` beside `--as`; the first name of the change request; what the cmdlet is called."""
    named = planned("export", "plan.json", "--format", "change-request")
    assert named.out == planned("export", "plan.json", "--as", "markdown").out
    assert named.out.startswith("# Change request")
    assert "Update-AzVM @with" in planned("export", "plan.json", "--as", "Update-AzVM").out


def test_only_the_form_for_bicep_says_that_it_changes_nothing(planned: Program) -> None:
    """What it needs besides is the reader's own template, and no script."""
    told = planned("export", "plan.json", "--as", "bicep").err
    assert "It changes nothing by itself: its first lines say what to merge where." in told
    assert "no journal" not in told
    assert "It has no journal" in planned("export", "plan.json", "--as", "terraform").err


def test_machines_that_the_plan_leaves_out_are_named_in_every_form(start: Start) -> None:
    """The command ends with 0: whoever has the file alone must see which machines it leaves as they are."""
    program = start("demo")
    assert program("plan", "--all", "--out", "plan.json").code == 10
    document = json.loads((program.folder / "plan.json").read_text(encoding="utf-8"))
    skipped = [one["id"].rpartition("/")[2] for one in document["skipped"]]
    assert len(skipped) == 13
    for form in EXPORT_FORMS:
        done = program("export", "plan.json", "--as", form)
        assert done.code == 0
        # Three are Arc servers, of which nothing was asked.
        assert "Asked for and not in it: 10 blocked (" in done.err
        assert [name for name in skipped if name not in done.out.replace("\\", "")] == []


def test_a_plan_without_changes_is_refused_and_says_what_is_blocked(start: Start) -> None:
    program = start("schedules")
    program("plan", "-g", "rg-locked", "--out", "plan.json")
    done = program("export", "plan.json", "--as", "az")
    assert (done.code, done.out) == (12, "")
    assert (
        "plan.json cannot be exported as az: it changes nothing (not in it, although asked for: 1 blocked" in done.err
    )


def test_the_schedule_that_is_not_attached_is_named(start: Start) -> None:
    program = start("schedules")
    planned = program("plan", "-g", "rg-app", "--name", "web-06", "--then-attach", "mc-nightly", "--out", "plan.json")
    assert planned.code == 10
    done = program("export", "plan.json", "--as", "az")
    assert "to 1 machine; this az export does not." in done.err
    assert "mc-nightly" in done.err


def test_the_bodies_are_those_of_the_plan_file(planned: Program) -> None:
    document = json.loads((planned.folder / "plan.json").read_text(encoding="utf-8"))
    text = planned("export", "plan.json", "--as", "rest").out
    for one in document["changes"]:
        assert json.dumps(one["body"], separators=(",", ":")) in text
        assert f"If-Match: {one['etag']}" in text


def test_a_missing_file_is_told(tmp_path: Path, offline: Program) -> None:
    done = offline("export", "none.json", "--as", "az")
    assert (done.code, done.out) == (2, "")
    assert "none.json" in done.err
    assert not [*tmp_path.glob("*.sh")]
