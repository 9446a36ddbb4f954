"""The manual page: every command and option is there, and the readers of such pages find no fault in it."""

import shutil
import subprocess
import tomllib

import click
import pytest
from tests.cli.test_help import COMMANDS
from tests.docs.manual_page import PAGE
from tests.docs.pages import ROOT, read

TEXT = read(PAGE)
PLAIN = TEXT.replace("\\-", "-")


def test_every_command_and_option_is_there() -> None:
    for path, (command, context) in COMMANDS.items():
        assert not path or f'.SS "patchmode {path}"' in PLAIN, path
        for param in command.get_params(context):
            record = param.get_help_record(context)
            if isinstance(param, click.Option) and record and not {"--help", "--version"} & set(param.opts):
                assert f"\n\\fB{record[0].split(',')[0].split()[0]}" in PLAIN or param.opts[-1] in PLAIN, (path, param)


def test_nothing_in_it_is_a_request_by_accident() -> None:
    """A text that begins with a full stop would be one, and be lost; other letters than ASCII are not shown alike."""
    assert TEXT.isascii()
    requests = {line.split()[0] for line in TEXT.splitlines() if line.startswith((".", "'"))}
    assert requests == {'.\\"', ".TH", ".SH", ".SS", ".PP", ".TP", ".B", ".BR", ".RS", ".RE", ".nf", ".fi"}


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")
def test_mandoc_finds_no_fault() -> None:
    """But for the date, which a page that is made anew at each change does not have."""
    command = ["mandoc", "-Tlint", "-Wwarning", PAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    found = [line for line in done.stdout.splitlines() if 'missing date, using ""' not in line]
    assert (found, done.stderr) == ([], "")


def test_an_installation_has_it_where_man_looks() -> None:
    """What the wheel holds is tested with the other packages."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert shared == {"docs/man/patchmode.1": "share/man/man1/patchmode.1"}
