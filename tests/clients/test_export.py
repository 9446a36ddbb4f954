"""A script that `patchmode export` writes, run with an unmodified az of both versions."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.clients.conftest import Tried
from tests.clients.environments import AZ, AZ_BEFORE, Client
from tests.clients.running import COMPUTE, GROUP, PAIR, Running
from tests.clients.test_az import Az

pytestmark = [pytest.mark.clients, pytest.mark.parametrize("client", [AZ, AZ_BEFORE], ids=["new", "old"])]
PATCHMODE = str(Path(sys.executable).with_name("patchmode"))


def test_az_runs_an_exported_plan(
    client: Client, emulator: Running, environment: dict[str, str], tmp_path: Path
) -> None:
    """The requests of the plan, the comparison after each, the second run, and the precondition."""
    if why_not := client.why_not():
        pytest.skip(f"{client.told}: {why_not}")
    az = Az(Tried(client), emulator, environment, tmp_path)
    around = {**environment, "PATCHMODE_STATE_DIR": str(tmp_path / "state")}

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(words, env=around, cwd=tmp_path, capture_output=True, text=True, check=False)

    def script(name: str) -> "subprocess.CompletedProcess[str]":
        path = f"{client.program('az').parent}{os.pathsep}{os.environ['PATH']}"
        own = {**az.environment, "PATH": path, "WAIT_S": "1"}
        return subprocess.run(["sh", name], env=own, cwd=tmp_path, capture_output=True, text=True, check=False)

    def patches() -> int:
        return sum(one["method"] == "PATCH" for one in emulator.requests())

    assert run(PATCHMODE, "plan", "-g", "rg-app", "--name", "api-0[12]", "--out", "plan.json").returncode == 10
    assert run(PATCHMODE, "plan", "-g", "rg-app", "--name", "api-03", "--out", "late.json").returncode == 10
    assert run(PATCHMODE, "export", "plan.json", "--out", "change.sh").returncode == 0
    assert run(PATCHMODE, "export", "late.json", "--out", "late.sh").returncode == 0
    assert patches() == 0

    done = script("change.sh")
    assert done.returncode == 0, done.stderr[-2000:]
    assert [line.rpartition(" ")[2] for line in done.stdout.splitlines()[:2]] == ["compared", "compared"]
    for name in ("api-01", "api-02"):
        assert emulator.settings(name) == {**PAIR, "assessmentMode": "ImageDefault"}
        assert emulator.sent("PATCH", name) == {
            "properties": {"osProfile": {"linuxConfiguration": {"patchSettings": PAIR}}}
        }
    assert run(PATCHMODE, "verify", "-g", "rg-app", "--name", "api-0[12]").returncode == 0

    again = script("change.sh")
    assert (again.returncode, patches()) == (0, 2), again.stderr[-2000:]
    assert again.stdout.count("already has the settings, nothing was sent") == 2

    before = emulator.settings("api-03")
    az(*az.rest("patch", f"{GROUP}/{COMPUTE}/api-03", {"tags": {"later": "1"}}, version="2024-07-01"))
    refused = script("late.sh")
    assert refused.returncode == 1
    assert "Precondition Failed" in refused.stderr
    assert emulator.settings("api-03") == before
