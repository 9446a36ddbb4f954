"""What the product takes on a fleet of ordinary size: requests, CPU, an audit, a start. Ratios within one run."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.rows import Row, at_most
from benchmarks.stage import BIN, client, control, emulator, generate, measure, uniform_fleet

HERE = Path(__file__).parent
CONCURRENCY = 64
ROUNDS = 5
AUDITS = 3
STARTS = 11


def applied(ready: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Plan and apply with the product; figures of the apply."""
    with tempfile.TemporaryDirectory(dir=folder) as state:
        output = Path(state) / "figures.json"
        script = HERE / "product_run.py"
        client(ready, sys.executable, script, ready["endpoint"], state, str(CONCURRENCY), str(output))
        figures: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
        return figures


def requests_per_machine(folder: Path) -> Sequence[Row]:
    """Requests per changed machine, discovery and verification included, at 1,000 machines."""
    fleet = uniform_fleet(folder, 1000)
    rows = []
    for label, seconds in (("operations over at once", ["--lro-seconds", "0"]), ("operations as recorded", [])):
        with emulator(fleet, "--throttle", "off", *seconds) as ready:
            figures = applied(ready, folder)
            sent = [entry for entry in control(ready, "requests")["requests"] if _is_resource_manager(entry["path"])]
        per_change = len(sent) / figures["changes"]
        more = f"{len(sent):,} for {figures['changes']:,} changed, {figures['verified']:,} verified"
        rows.append(at_most(f"requests per changed machine, {label}", per_change, 2.2, digits=2, more=more))
    return rows


def _is_resource_manager(path: str) -> bool:
    """Whether a request counts: metadata and sign-in happen once a session, whatever the fleet's size."""
    return "/subscriptions" in path.lower() or "resourcegraph" in path.lower()


def cpu_per_machine(folder: Path) -> Sequence[Row]:
    """CPU of an apply of 1,000 machines against scripts that send the same requests."""
    fleet = uniform_fleet(folder, 1000)
    cpu: dict[str, list[float]] = {"patchmode": [], "azure_core": [], "aiohttp": []}
    for _ in range(ROUNDS):
        with emulator(fleet, "--throttle", "off", "--lro-seconds", "0") as ready:
            figures = applied(ready, folder)
            ledger = control(ready, "requests")["requests"]
        cpu["patchmode"].append(figures["cpu"])
        requests = _same_requests(figures, ledger)
        for name in ("azure_core", "aiohttp"):
            with emulator(fleet, "--throttle", "off", "--lro-seconds", "0") as ready:
                cpu[name].append(_scripted(ready, f"{name}_script.py", requests)["cpu"])
    each = {name: f"{statistics.median(taken) / figures['changes'] * 1e6:.0f} µs" for name, taken in cpu.items()}
    by_core, by_aiohttp = (_ratio(cpu["patchmode"], cpu[name]) for name in ("azure_core", "aiohttp"))
    what = "CPU per changed machine, journal included, to that of 30 lines on azure-core's pipeline, same requests"
    return [
        at_most(what, by_core, 2, digits=2, more=f"{each['patchmode']} to {each['azure_core']}, medians of {ROUNDS}"),
        Row("the same to a bare aiohttp loop", "", f"{by_aiohttp:.2f} ({each['patchmode']} to {each['aiohttp']})"),
    ]


def _ratio(mine: list[float], theirs: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(mine, theirs, strict=True))


def _scripted(ready: dict[str, Any], name: str, requests: list[dict[str, Any]]) -> dict[str, float]:
    """Send the same requests with one of the yardstick scripts."""
    arguments = [sys.executable, HERE / name, ready["endpoint"], str(CONCURRENCY)]
    figures: dict[str, float] = json.loads(client(ready, *arguments, stdin=json.dumps(requests).encode()).stdout)
    return figures


def _same_requests(figures: dict[str, Any], ledger: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The PATCHes of the plan, then the list GETs that the apply sent after the first PATCH."""
    version = "?api-version=2024-07-01"
    writes = [{"method": "PATCH", **c, "url": c["url"] + version} for c in figures["changesSent"]]
    first = next(index for index, entry in enumerate(ledger) if entry["method"] == "PATCH")
    reads = [entry["path"] for entry in ledger[first:] if entry["method"] == "GET"]
    return writes + [{"method": "GET", "url": _full(path), "body": None, "etag": None} for path in reads]


def _full(path: str) -> str:
    return path if "api-version" in path else f"{path}{'&' if '?' in path else '?'}api-version=2024-07-01"


def audit(folder: Path) -> Sequence[Row]:
    """Audit of 10,000 machines: wall time and peak memory of the whole program."""
    fleet = folder / "mixed-10000.json"
    generate(fleet, 10_000, 10)
    with emulator(fleet, "--throttle", "off") as ready:
        command = [BIN / "patchmode", "--cloud", ready["endpoint"], "audit", "--all", "-o", "json"]
        found = [measure(command, os.environ | ready["env"]) for _ in range(AUDITS)]
    wall, peak = (statistics.median(getattr(one, name) for one in found) for name in ("wall_s", "peak_mb"))
    return [
        at_most("audit of 10,000 machines, time", wall, 5, unit="s", digits=1),
        at_most("audit of 10,000 machines, memory at its peak", peak, 300, unit="MB"),
    ]


def start(_folder: Path) -> Sequence[Row]:
    """`patchmode --help` as a whole process, beside a bare interpreter."""
    helps, bare = _start_ms([BIN / "patchmode", "--help"]), _start_ms([sys.executable, "-c", "pass"])
    more = f"a bare interpreter: {bare:.0f} ms"
    return [at_most("`patchmode --help`, time", helps, 200, unit="ms", more=more)]


def _start_ms(command: list[str | Path]) -> float:
    taken = []
    for _ in range(STARTS):
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1000
