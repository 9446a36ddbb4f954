"""The console's pages, and a terminal's, as pictures for the documentation: `make screenshots`.

Each page in the light and the dark theme and on a narrow screen, of the fleet `schedules` of the emulator, with a night
behind it so that past runs are there.
"""

import json
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.console.browser.conftest import CHROMIUM, FLAGS, Opened
from tests.console.browser.driving import choose_group, plan_assessment
from tests.console.process import Process
from tests.docs import pictures

from arm_emulator.clock import Clock
from arm_emulator.named_fleets import read_fleet
from arm_emulator.protocol.throttle import limits_from
from arm_emulator.testing import Running, running

IMAGES = Path(__file__).parents[2] / "docs" / "images"
LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1200, "height": 760}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1200, "height": 760}},
    "narrow": {"color_scheme": "light", "viewport": {"width": 390, "height": 760}},
}
MACHINE = (
    "/machine?id=/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-app/providers/"
    "Microsoft.Compute/virtualMachines/web-05"
)


def shots(console: Opened, page: Any) -> Iterator[str]:
    """Open one page after the other; the name of each when it can be seen."""
    base = console.base
    yield "fleet"
    for name, path, wait in (("schedules", "/schedules", ".calendar"), ("machine", MACHINE, "pre.json")):
        page.goto(base + path)
        page.locator(wait).first.wait_for()
        yield name
    choose_group(page, base)
    yield "settings"
    plan_assessment(page)
    yield "review"
    page.locator("#count").fill(page.locator(".tally dd").first.inner_text())
    page.get_by_role("button", name="these machines").click()
    page.locator("[data-live=pace]", has_text="2 s so far").wait_for()
    yield "running"
    page.locator("#next-title").wait_for(timeout=60_000)
    yield "run"
    page.get_by_role("button", name="Plan a rollback").click()
    page.locator("#confirm-title").wait_for()
    page.locator("#count").fill(page.locator(".tally dd").first.inner_text())
    page.get_by_role("button", name="these machines").click()
    page.locator("#next-title").wait_for(timeout=60_000)
    page.goto(f"{base}/runs")
    yield "runs"
    # Each run is followed by a reading; the chart begins with the second.
    page.goto(f"{base}/readiness")
    page.locator(".places").wait_for()
    yield "readiness"


def night(served: Running) -> None:
    """Let one night pass."""
    context = ssl.create_default_context(cafile=str(served.ca))
    body = json.dumps({"advance": "P1D"}).encode()
    request = urllib.request.Request(f"{served.endpoint}/_emulator/clock", body, method="POST")
    urllib.request.urlopen(request, context=context).close()


def squeeze() -> None:
    """Keep 64 colours: a third of the bytes, and nobody sees it."""
    pictures = [str(path) for path in sorted(IMAGES.glob("console-*.png"))]
    command = ["pngquant", "--force", "--ext", ".png", "--strip", "--nofs", "64", *pictures]
    subprocess.run(command, check=True)


def main() -> None:
    """Take them all."""
    pictures.write()
    from playwright.sync_api import sync_playwright

    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for look, options in LOOKS.items():
            clock = Clock(datetime.now(UTC) - timedelta(hours=25))
            serving = running(fleet=read_fleet("schedules"), lro_seconds=4, limits=limits_from("off"), clock=clock)
            with tempfile.TemporaryDirectory() as state, serving as served:
                night(served)
                console = Opened(Process(Path(state), served.env, "--allow-writes"), served, browser)
                page = console.page(**options)
                for name in shots(console, page):
                    page.screenshot(path=IMAGES / f"console-{name}-{look}.png")
                console.process.leave()
        browser.close()
    squeeze()
    total = sum(path.stat().st_size for path in IMAGES.glob("console-*.png"))
    sys.stdout.write(f"{len(list(IMAGES.glob('console-*.png')))} pictures, {total / 1024:.0f} KiB\n")


if __name__ == "__main__":
    main()
