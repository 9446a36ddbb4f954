"""A terminal for the pages: their command lines run in one folder, against a local Azure Resource Manager."""

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.cli.conftest import clean_environment, unmeasured
from tests.cli.forked import shell_environment

from arm_emulator.clock import Clock
from arm_emulator.named_fleets import read_fleet
from arm_emulator.protocol.throttle import Limits
from arm_emulator.testing import running


@dataclass(frozen=True)
class Printed:
    """What a block of commands printed on the terminal, both streams together, and how its last command ended."""

    code: int
    text: str


@dataclass(frozen=True)
class Terminal:
    """A shell's folder and environment; each block starts a shell of its own, as the pages set no variables."""

    folder: Path
    environment: dict[str, str]
    endpoint: str

    def run(self, commands: str, *, last_code: int = 0) -> Printed:
        """Run a block; a command before the last that does not end with 0 ends it."""
        script = commands if last_code else f"set -e\n{commands}"
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        return Printed(done.returncode, done.stdout)


def plain(text: str) -> str:
    """The text with what differs from run to run made the same."""
    text = re.sub(r"https://localhost:\d+", "https://localhost:PORT", text)
    text = re.sub(r"\d{8}T\d{6,9}Z-[0-9a-f]{6}", "RUN", text)
    text = re.sub(r"\S*\d{8}T\d{6}\.?\d*Z\.json", "PLAN.json", text)
    return re.sub(r"\d+(\.\d+)? VMs/s", "N VMs/s", text)


def undated(text: str) -> str:
    """The text without weekdays, dates, times and what a zone is called at that time of the year."""
    text = re.sub(r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b", "DAY", text)
    text = re.sub(r"\b(\d{4}-)?\d\d-\d\d\b", "DATE", text)
    return re.sub(r"\b\d\d:\d\d(?:(?::\d\d)?Z| CES?T)?\b", "TIME", text)


def _ten_o_clock(now: datetime) -> datetime:
    """Today's, or tomorrow's once the nightly window has begun, 22:00 in Berlin.

    The hour is fixed: a clock that a page moves on must not land in the middle of a window. What a page does happens
    now, for the program; the next window must be after that for both.
    """
    there = now.astimezone(ZoneInfo("Europe/Berlin"))
    has_begun = there.hour >= 22 or there.date() > now.date()
    return now.replace(hour=10, minute=0) + timedelta(days=has_begun)


@pytest.fixture
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Terminal]]:
    """Open a terminal beside a server of one of the built-in fleets."""
    with ExitStack() as stack:

        def make(fleet: str) -> Terminal:
            # The limits are tested elsewhere; a page's commands follow each other faster than a reader types them.
            clock = Clock(_ten_o_clock(datetime.now(UTC)))
            served = stack.enter_context(
                running(fleet=read_fleet(fleet), lro_seconds=0, limits=Limits(is_off=True), clock=clock)
            )
            folder = tmp_path_factory.mktemp("terminal")
            environment = {
                **unmeasured(clean_environment()),
                **served.env,
                "PATCHMODE_STATE_DIR": str(folder / "state"),
                **shell_environment(tmp_path_factory.mktemp("programs") / "bin"),
                "COLUMNS": "400",
            }
            return Terminal(folder, environment, served.endpoint)

        yield make
