"""The web console on a large fleet: reading it, first paint of its page in Chromium, and what a filter takes.

Chromium and Playwright (`make console-tests` installs them) give the paints; without them the requests alone are timed.
"""

import http.client
import importlib.util
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.rows import Row, at_most
from benchmarks.stage import BIN, emulator, generate

MACHINES = 10_000
ROUNDS = 9
PAINT_MS, FILTER_MS = 1_000.0, 150.0
FILTERS = (
    "/?q=vm",
    "/?q=a%201",
    "/?outcome=autopatched",
    "/?outcome=guest-managed&outcome=not-patched&sort=-name",
    "/?orchestration=ImageDefault&sort=group",
    "/?os=Linux&sort=location",
    "/?tag=env",
    "/?tag=env=prod&os=Windows",
    "/?reason=prerequisite-missing&sort=outcome",
    "/?sort=window&page=40&size=200",
    "/?q=nothing-at-all",
)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


_FIRST_PAINT = """() => new Promise((done) => new PerformanceObserver((list) => {
    for (const one of list.getEntries()) if (one.name === 'first-contentful-paint') done(one.startTime);
}).observe({type: 'paint', buffered: true}))"""
"""Milliseconds from the navigation's begin."""


def rows(folder: Path, machines: int = MACHINES) -> Sequence[Row]:
    """Read the fleet, then time its page and its filters."""
    fleet = folder / f"console-{machines}.json"
    generate(fleet, machines, 10)
    with emulator(fleet, "--throttle", "off") as ready, tempfile.TemporaryDirectory() as state:
        command = [BIN / "patchmode", "console", "--all", "--quiet"]
        environment = os.environ | ready["env"] | {"PATCHMODE_STATE_DIR": state}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        try:
            return _measured(process, machines)
        finally:
            process.terminate()
            process.wait()


def _measured(process: "subprocess.Popen[str]", machines: int) -> list[Row]:
    assert process.stdout is not None
    started = time.perf_counter()
    url = process.stdout.readline().strip()
    address = urlsplit(url)
    cookie = _ask(url, f"{address.path}?{address.query}")[1]["Set-Cookie"].split(";")[0]
    while b"data-poll" in _ask(url, "/", cookie)[0]:
        time.sleep(0.05)
    read_s = time.perf_counter() - started
    pages = [_timed(url, "/", cookie) for _ in range(ROUNDS)]
    kilobytes = len(_ask(url, "/", cookie)[0]) / 1e3
    found = {path: statistics.median(_timed(url, path, cookie) for _ in range(ROUNDS)) for path in FILTERS}
    slowest = max(found, key=lambda path: found[path])
    middle = statistics.median(found.values())
    return [
        Row(f"{machines:,} machines read, from the program's start", "", f"{read_s:.1f} s"),
        Row("the page of the fleet, from the server", "", f"{statistics.median(pages):.0f} ms, {kilobytes:.0f} kB"),
        at_most(
            "the slowest of eleven filters, from the server",
            found[slowest],
            FILTER_MS,
            unit="ms",
            more=f"median of all {middle:.0f} ms; `{slowest}`",
        ),
        Row("resident memory", "", f"{_resident_mb(process.pid):.0f} MB"),
        *_in_chromium(url),
    ]


def _ask(url: str, path: str, cookie: str = "") -> tuple[bytes, dict[str, str]]:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port or 0, timeout=120)
    connection.request("GET", path, headers={"Accept": "text/html", "Cookie": cookie})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return body, dict(answer.getheaders())


def _timed(url: str, path: str, cookie: str) -> float:
    started = time.perf_counter()
    _ask(url, path, cookie)
    return (time.perf_counter() - started) * 1000


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return float("nan")
    line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024 / 1e6


def _in_chromium(url: str) -> list[Row]:
    chromium = shutil.which("chromium")
    if chromium is None or importlib.util.find_spec("playwright") is None:
        return []
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        page.goto(url)
        page.locator("table.fleet").wait_for()
        paints, filters = [], []
        for _ in range(ROUNDS):
            page.goto(f"{url.partition('/enter')[0]}/")
            page.locator("table.fleet").wait_for()
            paints.append(page.evaluate(_FIRST_PAINT))
            filters.append(_filtered(page))
        browser.close()
    return [
        at_most("first paint of the fleet in Chromium", statistics.median(paints), PAINT_MS, unit="ms"),
        at_most("a bar clicked, until the table is in the page", statistics.median(filters), FILTER_MS, unit="ms"),
    ]


def _filtered(page: Any) -> float:
    """Milliseconds from a click on a bar until the answer is in the page, as the page itself sees it."""
    took: float = page.evaluate(
        """() => new Promise((done) => {
        const began = performance.now();
        new MutationObserver(() => requestAnimationFrame(() => done(performance.now() - began)))
            .observe(document.querySelector('.split'), {childList: true});
        document.querySelector('#facets a').click();
        })"""
    )
    return took
