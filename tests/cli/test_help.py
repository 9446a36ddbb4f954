"""The help of every command: three examples before the options, each of which is run here, and rare options last."""

import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.request import Request, urlopen

import click
import pytest
from click.testing import CliRunner
from tests.cli.conftest import clean_environment, unmeasured
from tests.cli.forked import shell_environment

from arm_emulator.cli import main as emulator
from arm_emulator.cli_help import EXAMPLES as EMULATED
from arm_emulator.named_fleets import read_fleet
from arm_emulator.protocol.throttle import limits_from
from arm_emulator.testing import Running, running
from patchmode.cli.examples import EXAMPLES, Example
from patchmode.cli.group import ADVANCED
from patchmode.cli.main import program
from patchmode.cli.options import RARE_NAMES

SECTIONS = ["Scope:", "Settings:", "Options:", "Global options:", f"{ADVANCED}:"]


def commands() -> Iterator[tuple[str, click.Command, click.Context]]:
    """The program, every group and every command, by path."""
    waiting: list[tuple[str, click.Command, click.Context]] = [
        ("", program, click.Context(program, info_name="patchmode"))
    ]
    while waiting:
        path, command, context = waiting.pop()
        yield path, command, context
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found is not None
                below = click.Context(found, parent=context, info_name=name, max_content_width=80, terminal_width=80)
                waiting.append((f"{path} {name}".strip(), found, below))


COMMANDS = {path: (command, context) for path, command, context in commands()}


@cache
def help_of(path: str) -> str:
    """A command's help, made once for all that look at it."""
    command, context = COMMANDS[path]
    return command.get_help(context)


def test_every_command_and_group_has_three_examples_and_nothing_else_has() -> None:
    assert set(EXAMPLES) == set(COMMANDS)
    for path, examples in EXAMPLES.items():
        assert len({example.line for example in examples}) == len(examples) == 3, path
        for example in examples:
            assert example.line.startswith(f"patchmode {path}".strip()), path
            assert example.text.endswith("."), example


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path or "patchmode")
def test_the_help_shows_them_before_the_options(path: str) -> None:
    """Whole lines that fit a terminal of 80 columns, so that they can be pasted."""
    text = help_of(path)
    head, _, rest = text.partition("\nExamples:\n")
    assert "Options:" not in head
    shown = re.split(r"\n\n(?=[A-Z][\w ]*:\n)", rest)[0]
    told = [f"# {example.text}\n{example.line}" for example in EXAMPLES[path]]
    assert [line.removeprefix("  ") for line in shown.splitlines() if line] == "\n".join(told).splitlines()
    assert all(len(line) <= 80 for line in shown.splitlines())


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path or "patchmode")
def test_where_machines_are_selected_the_help_says_how_selectors_go_together(path: str) -> None:
    command, _ = COMMANDS[path]
    text = " ".join(help_of(path).split())
    has_filters = any(param.name == "only_name" for param in command.params)
    assert ("Scope: Selectors are united: -s A -g B takes all machines of both. Filters such as" in text) is has_filters


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path or "patchmode")
def test_options_that_most_people_never_need_are_shown_last(path: str) -> None:
    command, context = COMMANDS[path]
    text = help_of(path)
    titles = re.findall(r"^[A-Z][\w ]*:$", text, re.MULTILINE)
    assert [title for title in titles if title in SECTIONS] == [title for title in SECTIONS if title in titles]
    last = text.partition(f"\n{ADVANCED}:\n")[2].partition("\n\n")[0]
    rare = {one.opts[-1] for one in command.get_params(context) if one.name in RARE_NAMES}
    assert set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", last, re.MULTILINE)) == rare
    assert "--identity-file" in rare


def test_every_rare_option_exists() -> None:
    """A renamed one would silently go back among the others."""
    assert not RARE_NAMES - {param.name for command, _ in COMMANDS.values() for param in command.params}


# ------------------------------------------------------------------------------------------------ each is run

WEB = "patchmode apply -g rg-app --name 'web-*' --exclude-name web-03 --exclude-name web-07 --yes -q"
"""None that Azure patches already: what a rollback of those needs is told on its own page."""
ONE = "patchmode apply -g rg-app --name web-05 --yes -q"
SAVED = "patchmode audit -o json > base.json"
PACKED = f"{ONE}; patchmode evidence pack --out evidence.zip; patchmode evidence pack --out evidence"
VMS = (
    "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-app"
    "/providers/Microsoft.Compute/virtualMachines"
)
PARTS = (
    f"for n in 1 2; do patchmode apply --ids {VMS}/web-0$n --yes -q -o json > shard-$n.json; done;"
    f"mkdir shards; cp shard-*.json shards; patchmode apply --ids {VMS}/web-05 --yes -q"
)
OLD = (
    "patchmode schedule create mc-old -s 'Contoso Development' -g rg-dev --location westeurope "
    "--start '2030-01-05 03:00' --duration 02:00 --time-zone UTC --recur '1Week Saturday' --yes"
)
VM = 'resource "azurerm_linux_virtual_machine" "web" {\n  name = "web"\n}\n'
PLANNED = (
    '{"format_version":"1.2","resource_changes":[{"address":"azurerm_linux_virtual_machine.web",'
    '"type":"azurerm_linux_virtual_machine","change":{"actions":["create"],"after":{"patch_mode":"ImageDefault"}}}]}'
)
DECLARED = f"mkdir infra; printf '{VM}' > infra/main.tf; echo '{PLANNED}' > tfplan.json".replace("\n", "\\n")
ASSIGNED = (
    "patchmode policy assign prerequisite -s 'Contoso Production' -g rg-app --location westeurope --yes -q > assigned;"
    " arm-emulator clock --advance PT1H"
)
BEFORE = {
    "apply": "patchmode plan -g rg-app --name 'web-*' --out plan.json",
    "verify": ONE,
    "watch": SAVED,
    "rollback": ONE,
    "runs": f"{WEB} --canary 1 --last-wave 1",
    "runs list": f"{ONE} --state-dir state",
    "runs show": ONE,
    "runs resume": f"{WEB} --canary 1 --last-wave 1",
    "runs merge": PARTS,
    "policy remediate": ASSIGNED,
    "schedule attach": f"echo {VMS}/web-08 > machines.txt",
    "schedule delete": OLD,
    "schedule detach": f"echo {VMS.replace('rg-app', 'rg-data-prod')}/sql-01 > machines.txt",
    "report": f"{SAVED}; {ONE}",
    "export": "patchmode plan -g rg-app --name 'web-*' --out plan.json",
    "iac": DECLARED,
    "iac check": DECLARED,
    "evidence": f"{ONE}; patchmode evidence pack --out old.zip",
    "evidence pack": ONE,
    "evidence check": PACKED,
}
"""What is there when the examples of a command are run; each gets a folder of its own, and the fleet as it was."""


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    with running(fleet=read_fleet("schedules"), lro_seconds=0, limits=limits_from("off")) as one:
        yield one


@pytest.fixture(scope="module")
def shell(served: Running, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    own = shell_environment(tmp_path_factory.mktemp("programs") / "bin")
    around = {name: text for name, text in clean_environment().items() if not name.startswith("XDG_")}
    return {**unmeasured(around), **served.env, **own}


def begin(served: Running, environment: dict[str, str], folder: Path, before: str) -> dict[str, str]:
    """The fleet as it was, after a night in which the windows ran."""
    trusted = ssl.create_default_context(cafile=str(served.ca))
    for path, body in (("reset", b""), ("clock", b'{"advance": "P1D"}')):
        asked = Request(f"{served.endpoint}/_emulator/{path}", data=body, method="POST")
        urlopen(asked, context=trusted).close()
    environment = {**environment, "PATCHMODE_STATE_DIR": str(folder / "own"), "HOME": str(folder)}
    type_in(before or ":", folder, environment)
    return environment


def type_in(line: str, folder: Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", "-c", line],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(shutil.which("sh") is None, reason="the examples are for a POSIX shell")
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path or "patchmode")
def test_each_example_does_what_it_says(
    served: Running, shell: dict[str, str], tmp_path_factory: pytest.TempPathFactory, path: str
) -> None:
    wrong, is_as_it_was = [], False
    for example in EXAMPLES[path]:
        if not is_as_it_was:
            folder = tmp_path_factory.mktemp("example")
            environment = begin(served, shell, folder, BEFORE.get(path, ""))
        is_as_it_was = not example.asks and not path.startswith(("apply", "runs resume"))
        if example.lasts:
            assert starts(example, folder, environment), example.line
            continue
        if example.asks and example is next(one for one in EXAMPLES[path] if one.asks):
            unanswered = type_in(example.line, folder, environment)
            assert (unanswered.returncode, "--yes" in unanswered.stderr) == (2, True), unanswered.stderr[-1500:]
        done = type_in(f"{example.line} --yes" if example.asks else example.line, folder, environment)
        assert "Traceback" not in done.stderr
        if done.returncode != example.code:
            wrong.append(f"{example.line} ended with {done.returncode}:\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", EMULATED, ids=lambda path: path or "arm-emulator")
def test_the_emulators_help_shows_examples_too(path: str) -> None:
    command = emulator.commands[path] if path else emulator  # type: ignore[attr-defined]
    context = click.Context(command, info_name=path, parent=click.Context(emulator)) if path else click.Context(command)
    context.info_name = path or "arm-emulator"
    if context.parent is not None:
        context.parent.info_name = "arm-emulator"
    text = command.get_help(context)
    for told, line in EMULATED[path]:
        assert f"  # {told}\n" in text.partition("Options:")[0]
        assert all(len(one) <= 78 and f"  {one}\n" in text for one in line.splitlines())
    assert set(EMULATED) == {"", *emulator.commands}  # type: ignore[attr-defined]
    assert len(EMULATED[path]) == 3


@pytest.mark.parametrize("path", [path for path in EMULATED if path])
def test_the_emulators_examples_do_what_they_say(
    served: Running, shell: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Those of the program itself are among its commands'."""
    assert {line for _, line in EMULATED[""]} <= {line for own, lines in EMULATED.items() if own for _, line in lines}
    monkeypatch.chdir(tmp_path)
    for _, line in EMULATED[path]:
        if path == "serve":
            assert "https://localhost:" in starts(Example("", line.replace("8443", "0")), tmp_path, shell)
        elif path == "exec":
            done = type_in(line, tmp_path, {**shell, "PATCHMODE_STATE_DIR": str(tmp_path / "own")})
            # A shell without a terminal ends at once.
            assert done.returncode == (0 if "-- bash" in line else 10), done.stderr[-1500:]
        else:
            words = line.replace("\\\n", "").replace("2000", "20").split()[1:]
            result = CliRunner().invoke(emulator, words, env=shell)
            assert result.exit_code == 0, result.output


def starts(example: Example, folder: Path, environment: dict[str, str]) -> str:
    """What a program that lasts says first; it is ended then."""
    command = example.line.partition(" > ")[0].partition(" | ")[0]
    process = subprocess.Popen(
        ["sh", "-c", f"exec {command}"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    process.terminate()
    process.communicate(timeout=60)
    return said
