"""Debian's Chromium on a console that runs as a process of its own, on an emulator.

`make console-tests` installs what is needed; without it the suite is skipped and says so.
"""

import json
import shutil
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.console.process import Process

from arm_emulator.named_fleets import read_fleet
from arm_emulator.protocol.throttle import limits_from
from arm_emulator.testing import Running, running

CHROMIUM = shutil.which("chromium")
# As root it needs --no-sandbox; the rest keeps it from asking for anything but the pages.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder drives a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@dataclass
class Opened:
    """A console, and a browser that was let in."""

    process: Process
    served: Running
    browser: Any
    contexts: list[Any] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """What the pages logged, raised, asked of other hosts, or popped up."""

    @property
    def base(self) -> str:
        return self.process.url.partition("/enter")[0]

    def page(self, **options: Any) -> Any:
        """A page in a new browser profile, on the fleet."""
        context = self.browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        context.set_default_timeout(20_000)
        self.contexts.append(context)
        page = self.tab(context, self.process.url)
        self.process.next_url()
        return page

    def tab(self, context: Any, url: str = "") -> Any:
        """One more tab of a profile that was let in already."""
        page = context.new_page()
        page.on("console", self._logged)
        page.on("pageerror", lambda error: self.complaints.append(f"raised {error}"))
        page.on("request", self._requested)
        page.on("dialog", self._popped_up)
        page.goto(url or f"{self.base}/")
        page.locator("table.fleet, .empty").first.wait_for()
        return page

    def machine(self, name: str) -> dict[str, Any]:
        """A machine as the emulator has it."""
        context = ssl.create_default_context(cafile=str(self.served.ca))
        with urllib.request.urlopen(f"{self.served.endpoint}/_emulator/state", context=context) as answer:
            documents = json.load(answer)["resources"]
        found: dict[str, Any] = next(one for one in documents if one["id"].endswith(f"/virtualMachines/{name}"))
        return found

    def set_faults(self, *rules: dict[str, Any]) -> None:
        """From now on the emulator answers by these rules, and by no others."""
        context = ssl.create_default_context(cafile=str(self.served.ca))
        body = json.dumps({"rules": list(rules)}).encode()
        request = urllib.request.Request(f"{self.served.endpoint}/_emulator/faults", body, method="PUT")
        urllib.request.urlopen(request, context=context).close()

    def _logged(self, message: Any) -> None:
        # The browser's own line for an answer that is an error, which some tests want.
        if message.type in {"error", "warning"} and "the server responded with a status" not in message.text:
            self.complaints.append(f"logged {message.text}")

    def _requested(self, request: Any) -> None:
        if not request.url.startswith((self.base, "data:", "blob:")):
            self.complaints.append(f"asked for {request.url}")

    def _popped_up(self, dialog: Any) -> None:
        self.complaints.append(f"popped up {dialog.message}")
        dialog.dismiss()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """One browser for a file of tests, each with profiles of its own; it ends before a test of another file begins.

    As long as it stands, Playwright's event loop counts as running in this thread, and no asynchronous test can start.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


Open = Callable[..., Opened]


@pytest.fixture
def opened(chromium: Any, tmp_path: Path) -> Iterator[Open]:
    """Start a console on an emulator with a fleet; whatever a page complained of fails the test."""
    made: list[Opened] = []
    with ExitStack() as stack:

        def make(*options: str, fleet: Any = "schedules", **choices: Any) -> Opened:
            document = read_fleet(fleet) if isinstance(fleet, str) else fleet
            how = {"lro_seconds": 1, "limits": limits_from("off"), **choices}
            served = stack.enter_context(running(fleet=document, **how))
            process = Process(tmp_path / "state", served.env, *options)
            stack.callback(process.leave)
            made.append(Opened(process, served, chromium))
            return made[-1]

        yield make
        for one in made:
            for context in one.contexts:
                context.close()
    assert [complaint for one in made for complaint in one.complaints] == []
