"""The program in a process of its own, against a local Azure Resource Manager."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.cli import forked

from arm_emulator.named_fleets import read_fleet
from arm_emulator.protocol.throttle import limits_from
from arm_emulator.testing import Running, running

PROGRAM = Path(sys.executable).with_name("patchmode")
_FOREIGN = ("AZURE_", "PATCHMODE_", "ARM_", "NO_COLOR", "COLUMNS", "LINES", "TERM")


@dataclass(frozen=True)
class Done:
    """How the program ended."""

    code: int
    out: str
    err: str


@dataclass
class Program:
    """The program with an environment of its own."""

    folder: Path
    environment: dict[str, str]
    endpoint: str = "https://localhost:1"
    timeout_s: float = 60.0
    ran: list[Done] = field(default_factory=list)
    ran_raw: list[str] = field(default_factory=list)
    """Standard error of each, as it was said."""

    def __call__(self, *args: str, stdin: str = "", **environment: str) -> Done:
        """Run it to its end, in a pipe."""
        run = forked.run if forked.IS_POSSIBLE else installed
        done = run(
            PROGRAM,
            args,
            cwd=self.folder,
            env={**self.environment, **environment},
            stdin=stdin,
            timeout_s=self.timeout_s,
        )
        assert "Traceback" not in done.stderr, done.stderr
        self.ran_raw.append(done.stderr)
        self.ran.append(Done(done.returncode, self.plain(done.stdout), self.plain(done.stderr)))
        return self.ran[-1]

    def command(self, *, is_installed: bool = False) -> tuple[list[str], dict[str, str]]:
        """With what a process of the program begins, and its environment."""
        if is_installed:
            return [str(PROGRAM)], unmeasured(self.environment)
        return forked.begun(PROGRAM, self.environment)

    def beside(self, *args: str, is_installed: bool = False, **how: Any) -> "subprocess.Popen[str]":
        """Begin it beside the test, with pipes to read from unless `how` says otherwise.

        Args:
            is_installed: begin the installed program, from the interpreter's start on.
        """
        begin, environment = self.command(is_installed=is_installed)
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([*begin, *args], cwd=self.folder, env=environment, **{**streams, **how})

    def plain(self, text: str) -> str:
        """The text with what differs from run to run replaced."""
        text = text.replace(self.endpoint, "https://ENDPOINT").replace(str(self.folder), "FOLDER")
        text = re.sub(r"[^\s\"']*arm-emulator-tls-\w+\W", "TLS/", text)
        text = re.sub(r"\d{8}T\d{6,9}Z-[0-9a-f]{6}", "RUN", text)
        text = re.sub(r"\d{8}T\d{6}\.\d+Z\.json", "PLAN.json", text)
        text = re.sub(r"\d+\.\d VMs/s", "N VMs/s", text)
        text = re.sub(r"--start '\d{4}-\d\d-\d\d ", "--start 'DATE ", text)
        # How often a machine is looked at depends on how fast this computer is.
        text = re.sub(r"\d+ requests to apply and verify: \d+ GET", "N requests to apply and verify: N GET", text)
        return re.sub(r"correlation id [0-9a-f-]{36}", "correlation id GUID", text)


def installed(
    program: Path, args: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdin: str, timeout_s: float
) -> "subprocess.CompletedProcess[str]":
    """Run the program as its users do, from the interpreter's start to its end."""
    return subprocess.run(
        [program, *args],
        cwd=cwd,
        env=env,
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout_s,
        check=False,
    )


def unmeasured(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what lets coverage measure a new process: it doubles the time that a start takes.

    What is forked is measured all the same, since it goes on with what its parent measured with.
    """
    return {name: value for name, value in environment.items() if not name.startswith("COVERAGE_")}


def clean_environment() -> dict[str, str]:
    """This process's environment without what would steer the program."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return {
        **own,
        "LC_ALL": "C.UTF-8",
        "PYTHONUTF8": "1",
        "PATCHMODE_CONFIG": os.devnull,
        "AZURE_CONFIG_DIR": os.devnull,
    }


Start = Callable[..., Program]


def wait_until(is_so: Callable[[], bool], process: "subprocess.Popen[Any]") -> None:
    """Look again and again, while a program beside the test goes on; a look without a pause would take its processor.

    Raises:
        AssertionError: it ended before.
    """
    while not is_so():
        assert process.poll() is None
        time.sleep(0.005)


def wait_for_words(words: str, process: "subprocess.Popen[str]") -> None:
    """Read what a program beside the test says on standard error up to the line with these words.

    Raises:
        AssertionError: it ended without.
    """
    assert process.stderr is not None
    while words not in (line := process.stderr.readline()):
        assert line, f"{process.args!r} ended without saying {words!r}"


@pytest.fixture
def offline(tmp_path: Path) -> Program:
    """The program where nothing answers: no cloud is named, nobody is signed in."""
    environment = {**clean_environment(), "PATCHMODE_STATE_DIR": str(tmp_path / "state")}
    return Program(tmp_path, environment, timeout_s=60.0)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a server with a fleet and give the program that is signed in to it."""
    opened: list[Any] = []

    def make(fleet: str = "small", **options: Any) -> Program:
        context = running(fleet=read_fleet(fleet), **{"lro_seconds": 0, "limits": limits_from("off"), **options})
        served: Running = context.__enter__()
        opened.append(context)
        environment = {**clean_environment(), **served.env, "PATCHMODE_STATE_DIR": str(tmp_path / "state")}
        program = Program(tmp_path, environment, served.endpoint)
        program.served = served  # type: ignore[attr-defined]
        return program

    yield make
    for context in reversed(opened):
        context.__exit__(None, None, None)
