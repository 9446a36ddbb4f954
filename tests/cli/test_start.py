"""Starting: what is loaded for help, where global options may stand, and that every command says what it does."""

import os
import re
import subprocess
import sys

import pytest
from click.testing import CliRunner
from tests.cli import forked
from tests.cli.conftest import PROGRAM, Program, Start, installed

from patchmode.cli.group import spread_ids
from patchmode.cli.main import COMMANDS, program

HEAVY = ("aiohttp", "azure", "rich", "msgspec", "jmespath", "sqlite3", "asyncio", "cryptography", "platformdirs")


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["--version"],
        ["plan", "--help"],
        ["runs", "--help"],
        ["schedule", "--help"],
        ["schedule", "attach", "--help"],
    ],
)
def test_help_loads_nothing_heavy(args: list[str]) -> None:
    """200 ms for help is kept by what is not imported; a time would depend on the machine."""
    code = (
        "import sys\n"
        "from patchmode.cli.main import run\n"
        f"assert run({args!r}) == 0\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "print(*loaded, file=sys.stderr)\n"
    )
    # Whoever measures coverage loads modules of its own into each process.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""


UNTAGGED = (
    "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-app/providers/Microsoft.Compute"
    "/virtualMachines/web-01"
)
STARTED = {
    ("audit", "--all"): 10,
    ("plan", "--all", "--out", "plan.json"): 10,
    ("export", "plan.json", "--as", "az"): 0,
    ("apply", "plan.json", "--yes", "-q"): 0,
    ("verify",): 0,
    ("runs", "show"): 0,
    ("rollback", "latest", "--yes", "-q"): 10,
    ("explain", "web-01"): 10,
    ("schedule", "list"): 0,
    ("policy", "audit"): 10,
    ("report", "--all", "--out", "base.json"): 10,
    ("evidence", "pack", "--out", "pack"): 10,
    ("watch", "--all", "--once", "--baseline", "base.json"): 0,
    ("doctor",): 0,
    ("live-check", "--vm", UNTAGGED, "--yes"): 12,
    ("iac", "check", "."): 0,
    ("completion", "bash"): 0,
    ("schema", "plan"): 0,
}
"""Each command but two, in an order in which it finds what it needs, and how it ends."""
STARTED_ELSEWHERE = {
    "console": "tests/console/process.py",
    "demo": "tests/cli/test_demo.py",
    "mcp": "tests/cli/test_mcp.py",
}


def test_the_installed_program_does_in_a_process_of_its_own_what_a_fork_does(start: Start) -> None:
    """All other tests of commands rest on this: what they start has its imports done (see `forked`)."""
    assert {args[0] for args in STARTED} | set(STARTED_ELSEWHERE) == set(COMMANDS)
    told = []
    for run in (installed, forked.run) if forked.IS_POSSIBLE else (installed,):
        program = start("small")
        folder = program.folder / run.__module__
        folder.mkdir()
        environment = {**program.environment, "PATCHMODE_STATE_DIR": str(folder / "state")}
        codes, texts = {}, []
        for args in STARTED:
            done = run(PROGRAM, args, cwd=folder, env=environment, stdin="", timeout_s=60)
            codes[args] = done.returncode
            texts += [program.plain(done.stdout), program.plain(done.stderr)]
        assert codes == STARTED, texts
        told.append(
            [
                re.sub(r"\d\d(:\d\d)+|[0-9a-f]{64}|\d+\.\d+ s|[\d,]+ bytes|FOLDER/tests\.cli\.\w+", "…", text)
                for text in texts
            ]
        )
    assert told[0] == told[-1]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_tells_what_each_command_tells(name: str) -> None:
    """The list is written by hand so that help imports no command; it must not drift."""
    command = program.get_command(None, name)  # type: ignore[arg-type]
    assert command is not None
    assert (command.help or "").split("\n")[0] == COMMANDS[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_the_global_options(name: str) -> None:
    """They may stand before or after the command, so both places must show them."""
    result = CliRunner().invoke(program, [name, "--help"])
    assert result.exit_code == 0
    assert "--cloud NAME|URL" in result.output


def test_global_options_after_the_command_win_over_those_before_it(offline: Program) -> None:
    """The nearer one is the one that was typed last."""
    before = offline("--cloud", "Nowhere", "audit")
    after = offline("--cloud", "AzureCloud", "audit", "--cloud", "Elsewhere")
    assert "Nowhere" in before.err
    assert "Elsewhere" in after.err


def test_the_command_line_wins_over_the_environment(offline: Program) -> None:
    """Also where the environment is read once more by the command itself."""
    assert "Typed" in offline("--cloud", "Typed", "audit", PATCHMODE_CLOUD="FromEnvironment").err


def test_several_ids_may_follow_one_option() -> None:
    """As az takes lists; a file name behind the list keeps its meaning."""
    ids = ["/subscriptions/a", "/Subscriptions/b"]
    assert spread_ids(["--ids", *ids, "-o", "json"]) == ["--ids", ids[0], "--ids", ids[1], "-o", "json"]
    assert spread_ids(["--ids", ids[0], "plan.json", ids[1]]) == ["--ids", ids[0], "plan.json", ids[1]]
    assert spread_ids([f"--ids={ids[0]}", ids[1]]) == [f"--ids={ids[0]}", "--ids", ids[1]]


def test_an_unknown_command_is_a_usage_error(offline: Program) -> None:
    """With a hint, and without a list of everything."""
    done = offline("plna")
    assert (done.code, done.out) == (2, "")
    assert "No such command 'plna'" in done.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_can_complete(offline: Program, shell: str) -> None:
    """As click gives it."""
    done = offline(_PATCHMODE_COMPLETE=f"{shell}_source")
    assert done.code == 0
    assert "_PATCHMODE_COMPLETE" in done.out
