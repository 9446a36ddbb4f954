"""Foreign clients: an emulator as a program, and the environment in which `az` talks to it.

These tests are marked `clients` and run by `make clients`, which installs what they need in an environment of its own.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ROOT / ".venv-clients"


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A running `arm-emulator serve` with a small mixed fleet; yields its ready line."""
    program = str(Path(sys.executable).with_name("arm-emulator"))
    fleet, ready = tmp_path / "fleet.json", tmp_path / "ready.json"
    subprocess.run(
        [program, "fleet", "--machines", "60", "--subscriptions", "1", "--seed", "7", "-o", str(fleet)], check=True
    )
    options = ["--fleet", str(fleet), "--ready-file", str(ready), "--throttle", "off", "--lro-seconds", "0"]
    with subprocess.Popen([program, "serve", *options], stdout=subprocess.DEVNULL) as process:
        try:
            yield _wait_until_ready(ready, process)
        finally:
            process.terminate()


def _wait_until_ready(ready: Path, process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        text = ready.read_text(encoding="utf-8") if ready.exists() else ""
        if text.endswith("\n"):
            answer: dict[str, Any] = json.loads(text)
            return answer
        time.sleep(0.05)
    pytest.fail("the emulator did not become ready")


@pytest.fixture
def client_environment(emulator: dict[str, Any]) -> dict[str, str]:
    """This process's environment with what the emulator says that Azure's clients need."""
    return {**os.environ, **emulator["env"]}


@pytest.fixture(scope="module")
def az_program() -> str:
    """The unmodified Azure CLI of the clients' own environment."""
    program = CLIENTS / "bin" / "az"
    if not program.exists():
        pytest.skip("az is not installed here: run `make clients`, which installs it in .venv-clients")
    return str(program)
