"""`patchmode iac check`: found in files, told by file and line, and edited only after a yes."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.cli.conftest import Program, clean_environment
from tests.cli.test_terminal import end, terminal  # noqa: F401  a fixture

from patchmode.documents import published
from patchmode.errors import UsageError
from patchmode.rules.iac import syntax

MAIN = 'resource "azurerm_linux_virtual_machine" "web" {\n  name = "web"\n}\n'
BYPASS = "bypass_platform_safety_checks_on_user_schedule_enabled"
GOOD = f'resource "azurerm_linux_virtual_machine" "a" {{\n  patch_mode = "AutomaticByPlatform"\n  {BYPASS} = true\n}}\n'
UNKNOWN = MAIN.replace('name = "web"', f"patch_mode = var.mode\n  {BYPASS} = true")
SARIF = Path(__file__).parents[1] / "data" / "sarif-2.1.0-rtm.5.json"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Without any Azure: nothing is asked of it."""
    (tmp_path / "infra").mkdir()
    return Program(tmp_path, {**clean_environment(), "HOME": str(tmp_path)})


def put(program: Program, text: str, name: str = "infra/main.tf") -> Path:
    path = program.folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_finding_is_told_by_file_and_line_with_the_lines_that_keep_the_settings(program: Program) -> None:
    put(program, MAIN)
    done = program("iac", "check", "infra")
    assert (done.code, done.err) == (10, "")
    assert done.out.splitlines()[0] == "infra/main.tf:1  azurerm_linux_virtual_machine.web"
    assert '          patch_mode                                             = "AutomaticByPlatform"\n' in done.out
    assert done.out.endswith("1 file read, 1 virtual machine declared; 1 with findings (1 error).\n")


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        (GOOD, (), 0),
        ("", (), 0),
        (MAIN, (), 10),
        (UNKNOWN, (), 10),
        (UNKNOWN, ("--accept-unknown",), 0),
        (MAIN + UNKNOWN.replace('"web"', '"b"'), ("--accept-unknown",), 10),
        ("resource {{{", (), 10),
        ("resource {{{", ("--accept-unknown",), 10),
        (MAIN, ("--fix", "--yes"), 0),
        (UNKNOWN, ("--fix", "--yes"), 10),
        (MAIN, ("--yes",), 2),
        (MAIN, ("--fix",), 2),
        (MAIN, ("-o", "sarif", "--query", "x"), 2),
    ],
)
def test_the_exit_code_says_whether_anything_was_found(
    program: Program, text: str, options: tuple[str, ...], code: int
) -> None:
    put(program, text)
    assert program("iac", "check", "infra", *options).code == code


def test_no_file_is_no_clean_result(program: Program) -> None:
    """A mistyped folder of a pipeline must not look like a checked one."""
    assert program("iac", "check", "infra").code == 3
    missing = program("iac", "check", "infar")
    assert (missing.code, "There is no file or folder infar." in missing.err) == (2, True)


def test_the_documents_are_as_published(program: Program) -> None:
    put(program, MAIN + UNKNOWN.replace('"web"', '"b"'))
    put(program, "resource {{{", "infra/bad.tf")
    document = json.loads(program("iac", "check", "infra", "-o", "json").out)
    jsonschema.validate(document, json.loads((published.FOLDER / "iac-check-v1.json").read_text(encoding="utf-8")))
    assert document["counts"] == {
        "files": 2,
        "machines": 2,
        "findings": 2,
        "error": 1,
        "warning": 1,
        "note": 0,
        "unread": 1,
        "modulesElsewhere": 0,
    }
    log = json.loads(program("iac", "check", "infra", "-o", "sarif").out)
    jsonschema.validate(log, json.loads(SARIF.read_text(encoding="utf-8")))
    (run,) = log["runs"]
    places = [one["locations"][0]["physicalLocation"] for one in run["results"]]
    assert [(one["artifactLocation"]["uri"], one["region"]["startLine"]) for one in places] == [
        ("infra/main.tf", 1),
        ("infra/main.tf", 5),
    ]
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == {"iac-sets-mode-back", "iac-not-known"}
    assert run["invocations"][0]["executionSuccessful"] is False


def test_fix_shows_the_diff_asks_and_edits(program: Program, terminal: Any) -> None:  # noqa: F811
    path = put(program, MAIN)
    path.chmod(0o640)
    child = terminal(program, "iac", "check", "infra", "--fix", "--no-color")
    child.expect_exact("Edit 1 file? [y/N]")
    assert f"+  {BYPASS} = true" in child.before
    child.sendline("n")
    said, code = end(child)
    assert (code, path.read_text(encoding="utf-8")) == (12, MAIN)
    assert "No file was edited." in said
    child = terminal(program, "iac", "check", "infra", "--fix")
    child.expect_exact("Edit 1 file? [y/N]")
    child.sendline("y")
    said, code = end(child)
    assert (code, "Edited 1 file: infra/main.tf." in said) == (0, True)
    assert (program("iac", "check", "infra").code, path.stat().st_mode & 0o777) == (0, 0o640)


# ---------------------------------------------------------------------------------------------------- hostile files

ESCAPE = "\x1b]0;owned\x07\u202e"


def test_a_row_of_csv_and_tsv_holds_the_lines_that_its_fix_announces(program: Program) -> None:
    put(program, MAIN)
    (row,) = csv.DictReader(io.StringIO(program("iac", "check", "infra", "-o", "csv").out))
    assert row["fix"].splitlines()[1:] == [f'{"patch_mode":<{len(BYPASS)}} = "AutomaticByPlatform"', f"{BYPASS} = true"]
    assert program("iac", "check", "infra", "-o", "tsv").out.rstrip("\n").endswith(f"{BYPASS} = true")
    (json_row,) = json.loads(program("iac", "check", "infra", "-o", "json").out)["findings"]
    assert json_row["fix"].endswith(" these lines:")


def test_a_file_that_could_not_be_read_is_not_counted_as_read(program: Program) -> None:
    put(program, "resource {{{")
    done = program("iac", "check", "infra")
    assert done.out.splitlines() == [
        "infra/main.tf:1  could not be read: a syntax error, or a form of the language that is newer than this check.",
        "1 file opened, 0 virtual machines declared; 1 could not be read, or only in part.",
    ]


@pytest.mark.skipif(os.name == "nt", reason="no such names there")
@pytest.mark.parametrize("form", ["table", "json", "sarif", "csv", "yaml"])
def test_nothing_in_a_file_steers_the_terminal(program: Program, form: str) -> None:
    """Names of files and folders, addresses, values and expressions are whatever somebody committed."""
    (program.folder / f"infra/{ESCAPE}").mkdir()
    put(program, MAIN.replace('"web" {', f'"w{ESCAPE}" {{'), f"infra/{ESCAPE}/a{ESCAPE}.tf")
    put(program, MAIN.replace("name =", f'patch_mode = "{ESCAPE}"\n x ='), "infra/b.tf")
    put(program, MAIN.replace("name =", f'patch_mode = f("{ESCAPE}")\n {BYPASS} = true\n x ='), "infra/c.tf")
    put(program, f'module "x" {{\n  source = "{ESCAPE}"\n}}\n', "infra/d.tf")
    put(program, f"{ESCAPE}{{", f"infra/e{ESCAPE}.tf")
    done = program("iac", "check", "infra", "-o", form)
    fixed = program("iac", "check", "infra", "--fix", "--yes")
    assert (done.code, fixed.code) == (10, 10)
    for text in (done.out, done.err, fixed.out, fixed.err):
        assert not set(text) & set("\x1b\x07\u202e")


@pytest.mark.skipif(os.name == "nt", reason="links and pipes as POSIX has them")
def test_what_cannot_be_read_is_told_and_ends_in_no_fault(program: Program) -> None:
    infra = program.folder / "infra"
    put(program, MAIN)
    (infra / "loop").symlink_to(infra)
    (infra / "again.tf").symlink_to(infra / "main.tf")
    (infra / "gone.tf").symlink_to(infra / "nothing")
    (infra / "self.tf").symlink_to(infra / "self.tf")
    os.mkfifo(infra / "pipe.tf")
    (infra / "folder.tf").mkdir()
    (infra / "latin.tf").write_bytes(b"# caf\xe9\n")
    (infra / "large.tf").touch()
    os.truncate(infra / "large.tf", 33 << 20)
    put(program, "x", "infra/notes.txt")
    document = json.loads(program("iac", "check", "infra", "infra/notes.txt", "-o", "json").out)
    assert document["counts"]["machines"] == 1
    told = {one["path"]: (one["line"], one["reason"]) for one in document["unread"]}
    assert told == {
        "infra/gone.tf": (None, "it cannot be read: No such file or directory"),
        "infra/large.tf": (None, "it is larger than 32 MiB"),
        "infra/latin.tf": (1, "it is not UTF-8"),
        "infra/notes.txt": (None, told["infra/notes.txt"][1]),
        "infra/pipe.tf": (None, "it is not a regular file"),
        "infra/self.tf": (None, "it cannot be read: Too many levels of symbolic links"),
    }
    assert told["infra/notes.txt"][1].startswith("its ending is none of .tf")


def test_the_bare_program_says_how_the_parsers_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are an extra, so that the bare program stays small."""
    monkeypatch.setitem(sys.modules, "tree_sitter_hcl", None)
    syntax._parser.cache_clear()
    with pytest.raises(UsageError) as raised:
        syntax.check_parsers()
    assert "tree_sitter_hcl is missing" in raised.value.message
    assert "pip install '.[iac]'" in raised.value.advice


def test_the_other_commands_do_not_import_the_parsers() -> None:
    """The program starts as fast as without them."""
    imported = "import sys, patchmode.cli.main, patchmode.rules.registry"
    code = f"{imported}; print([name for name in sys.modules if 'tree_sitter' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
