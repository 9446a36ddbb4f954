"""The program itself: serve, exec, fleet, and one clear sentence for each mistake."""

import json
import os
import signal
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from arm_emulator.cli import main

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


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["serve", "--fleet", "nowhere.json"], "is none of demo, small, empty and no file"),
        (["serve", "--throttle", "nowhere.json"], "throttle file nowhere.json"),
        (["serve", "--faults", "nowhere.json"], "faults nowhere.json"),
        (["serve", "--profile", "nowhere.json"], "profile nowhere.json"),
        (["serve", "--graph-lag-seconds", "soon"], "could not convert string to float: 'soon'"),
        (["serve", "--clock", "tomorrow"], "is no ISO 8601 time"),
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
