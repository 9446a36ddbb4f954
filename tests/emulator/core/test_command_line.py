"""The program itself: serve, exec, fleet, and one clear sentence for each mistake."""

import gc
import json
import os
import shlex
import signal
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from arm_emulator.cli import main
from arm_emulator.named_fleets import NAMED

PROGRAM = [sys.executable, "-m", "arm_emulator.cli"]
ASK = (
    "import os, ssl, urllib.request as u;"
    "c = ssl.create_default_context(cafile=os.environ['SSL_CERT_FILE']);"
    "print(u.urlopen(os.environ['PATCHMODE_CLOUD'] + '/_emulator/clock', context=c).status)"
)


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *arguments], check=False, capture_output=True, text=True, timeout=60)


def test_exec_runs_a_command_against_it_and_exits_as_it_did() -> None:
    """The environment leads to the emulator; the exit code is the command's."""
    code = f"{ASK}; raise SystemExit(7)"
    done = ran("exec", "--fleet", "small", "--", sys.executable, "-c", code)
    assert (done.returncode, done.stdout) == (7, "200\n")


def test_exec_of_a_missing_command_is_127() -> None:
    """As shells have it, with one sentence."""
    done = ran("exec", "--", "no-such-program")
    assert done.returncode == 127
    assert "no-such-program could not be run" in done.stderr


def test_exec_finds_the_programs_beside_it_after_those_of_the_user(tmp_path: Path) -> None:
    """Nobody has to activate an environment first; a program of the user's own goes first."""
    environment = {**os.environ, "PATH": os.pathsep.join((str(tmp_path), os.defpath))}
    command = [*PROGRAM, "exec", "--fleet", "empty", "--", "sh", "-c", "command -v patchmode"]
    for expected in (Path(sys.executable).with_name("patchmode"), tmp_path / "patchmode"):
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60)
        assert done.stdout == f"{expected}\n"
        (tmp_path / "patchmode").touch(mode=0o755)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that a program can catch")
def test_serve_says_when_it_is_ready_and_stops_on_sigterm(tmp_path: Path) -> None:
    """The ready file holds all that a client needs; state and CA survive the restart."""
    seen = []
    for _ in range(2):
        fifo = tmp_path / "ready"
        fifo.unlink(missing_ok=True)
        arguments = ["serve", "--fleet", "small", "--state", str(tmp_path / "s.db"), "--ready-file", str(fifo)]
        with subprocess.Popen([*PROGRAM, *arguments], stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            line = process.stderr.readline()
            assert line.startswith("arm-emulator: https://localhost:")
            ready = json.loads(fifo.read_text())
            context = ssl.create_default_context(cafile=ready["caBundle"])
            state = json.loads(urllib.request.urlopen(f"{ready['endpoint']}/_emulator/state", context=context).read())
            seen.append((Path(ready["caBundle"]).read_bytes(), state))
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        assert set(ready) == {"endpoint", "caBundle", "tenantId", "clientId", "clientSecret", "env"}
        assert ready["env"]["PATCHMODE_CLOUD"] == ready["endpoint"]
    assert seen[0] == seen[1]


def test_the_help_names_every_fleet() -> None:
    """Otherwise nobody finds a new one."""
    done = CliRunner().invoke(main, ["exec", "--help"])
    assert ", ".join([*NAMED, "or a file."]) in " ".join(done.output.replace("-\n", "-").split()).replace("- ", "-")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["serve", "--fleet", "nowhere.json"],
            f"is not one of {', '.join(NAMED)} and not a file",
        ),
        (["serve", "--throttle", "nowhere.json"], "throttle file nowhere.json"),
        (["serve", "--faults", "nowhere.json"], "faults nowhere.json"),
        (["serve", "--profile", "nowhere.json"], "profile nowhere.json"),
        (["serve", "--graph-lag-seconds", "soon"], "'soon' is neither a number of seconds nor azure"),
        (["serve", "--graph-lag-seconds", "-3"], "'-3' is not a number of seconds, 0 or more"),
        (["serve", "--graph-lag-seconds", "nan"], "'nan' is not a number of seconds, 0 or more"),
        (["serve", "--port", "99999"], "0<=x<=65535"),
        (["serve", "--ready-file", "nowhere/x", "--fleet", "empty"], "ready file nowhere/x could not be written"),
        (["serve", "--clock", "tomorrow"], "is not an ISO 8601 time"),
        (["serve", "--clock-speed", "0"], "x>0"),
        (["serve", "--lro-seconds", "-1"], "x>=0"),
        (["fleet", "--machines", "3", "-o", "nowhere/f.json"], "could not be written"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], sentence: str) -> None:
    """No traceback, exit code not 0."""
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code in (1, 2)
    assert sentence in done.output
    assert "Traceback" not in done.output


BROKEN = [
    ("--fleet", "{", "is not JSON"),
    ("--fleet", "[]", "is not a JSON object"),
    ("--fleet", '{"resources": [{"id": 5}]}', "resources[0] has no id"),
    ("--fleet", '{"resources": [{"id": "x"}]}', "resources[0]: 'x' is not a resource id"),
    ("--fleet", '{"resources": [{"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute"}]}',
     "is not a resource id"),
    ("--fleet", '{"resources": [{"id": "/subscriptions//resourceGroups/g"}]}', "is not a resource id"),
    ("--fleet", '{"resources": [{"id": "/subscriptions/s/resourceGroups/g", "properties": 1}]}',
     "properties is not an object"),
    ("--fleet", '{"roleAssignments": [{"id": "/providers/Microsoft.Authorization/roleAssignments/a"}]}',
     "roleAssignments[0]: properties is not an object"),
    ("--fleet", '{"subscriptions": [{"subscriptionId": "a/b"}]}', "subscriptions[0]: 'a/b' is not a subscriptionId"),
    ("--fleet", '{"subscriptions": [{"subscriptionId": "a", "tenantId": 5}]}', "tenantId is not a text"),
    ("--faults", "{", "faults"),
    ("--faults", '{"rules": 5}', "faults"),
    ("--profile", "{", "profile"),
    ("--profile", "[]", "a profile is an object"),
    ("--throttle", "{", "throttle file"),
    ("--throttle", '{"arm": {"subscription_reads": 5}}', "throttle file"),
    ("--throttle", '{"providers": {"UpdateVMResource": 5}}', "UpdateVMResource is not an object of numbers"),
    ("--throttle", '{"providers": {"UpdateVMResource": {"burst": []}}}', "is not an object of numbers"),
    ("--throttle", '{"resourceGraph": {"queries": []}}', "resourceGraph is not an object of numbers"),
]  # fmt: skip


@pytest.mark.parametrize(("option", "content", "sentence"), BROKEN)
def test_a_broken_file_is_one_sentence(tmp_path: Path, option: str, content: str, sentence: str) -> None:
    """Whatever is wrong in it."""
    path = tmp_path / "broken.json"
    path.write_text(content)
    done = CliRunner().invoke(main, ["serve", option, str(path)])
    assert (done.exit_code, isinstance(done.exception, SystemExit)) == (1, True)
    assert sentence in done.output
    assert len(done.output.splitlines()) == 1


def test_a_taken_port_is_one_sentence() -> None:
    """Naming the port."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = CliRunner().invoke(main, ["serve", "--port", str(port), "--fleet", "empty"])
    assert done.exit_code == 1
    assert f"port {port} on loopback cannot be used" in done.output


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["exec", "--fleet", "small", "--", sys.executable, "-c", "pass"], 0),
        (["exec", "--fleet", "nowhere.json", "--", sys.executable, "-c", "pass"], 1),
        (["serve", "--fleet", "empty", "--ready-file", "nowhere/x"], 1),
    ],
    ids=["served", "not loaded", "not served"],
)
def test_the_collector_works_again_afterwards(arguments: list[str], code: int) -> None:
    """A fleet is kept from it while it is loaded and served; a process that goes on must not leak its cycles."""
    assert CliRunner().invoke(main, arguments).exit_code == code
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_fleet_writes_a_file_that_serve_takes(tmp_path: Path) -> None:
    """As many machines as asked for."""
    path = tmp_path / "fleet.json"
    done = CliRunner().invoke(
        main, ["fleet", "--machines", "50", "--subscriptions", "2", "--seed", "3", "-o", str(path)]
    )
    assert done.exit_code == 0
    made = json.loads(path.read_text())
    machines = [one for one in made["resources"] if one["type"] == "Microsoft.Compute/virtualMachines"]
    assert (len(machines), len(made["subscriptions"])) == (50, 2)


def test_the_clock_of_the_emulator_that_exec_serves_is_shown_and_moved() -> None:
    """So that a night passes in a shell, without a client of one's own."""
    clock = shlex.join([*PROGRAM, "clock"])
    line = f"{clock}; {clock} --advance P1D; {clock} --to 2030-02-01T00:00:30Z; {clock} --advance soon"
    done = ran("exec", "--fleet", "empty", "--clock", "2030-01-08T12:00:00Z", "--", "sh", "-c", line)
    assert done.stdout.splitlines() == [
        "Tue 2030-01-08 12:00 UTC",
        "Wed 2030-01-09 12:00 UTC",
        "Fri 2030-02-01 00:00 UTC",
    ]
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: The clock was not advanced: ")


@pytest.mark.parametrize(
    ("cloud", "arguments", "sentence"),
    [
        ("", [], "this shell names no emulator. Run this in a shell of `arm-emulator exec -- bash`."),
        ("https://management.azure.com", [], "this shell names no emulator."),
        ("https://localhost:1", [], "no emulator answers at https://localhost:1: "),
        ("https://localhost:1", ["--advance", "P1D", "--to", "2030-01-01"], "Give --advance or --to."),
    ],
)
def test_a_clock_that_is_not_there_is_one_sentence(
    cloud: str, arguments: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing but an emulator on this computer is ever asked."""
    monkeypatch.setenv("PATCHMODE_CLOUD", cloud)
    done = CliRunner().invoke(main, ["clock", *arguments])
    assert done.exit_code in (1, 2)
    assert sentence in done.output
