"""Run the benchmarks: `python -m benchmarks [name …]`. Medians of several runs; ratios within one run."""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import emulator as emulator_benchmark
from benchmarks import large_audit
from benchmarks import prediction as prediction_benchmark
from benchmarks import scale as scale_benchmark
from benchmarks.stage import BIN, client, control, emulator, generate, uniform_fleet

HERE = Path(__file__).parent
CONCURRENCY = 64
ROUNDS = 5
FACTOR = 5.0
"""How much faster time runs, on both sides, in the throttled benchmark."""


def product(ready: dict[str, Any], folder: Path, factor: float = 0.0, concurrency: int = CONCURRENCY) -> dict[str, Any]:
    """Plan and apply with the product; figures of the apply."""
    with tempfile.TemporaryDirectory(dir=folder) as state:
        output = Path(state) / "figures.json"
        script = HERE / "product_run.py"
        client(ready, sys.executable, script, ready["endpoint"], state, str(concurrency), str(factor), str(output))
        figures: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
        return figures


def script(ready: dict[str, Any], name: str, requests: list[dict[str, Any]]) -> dict[str, float]:
    """Send the same requests with one of the yardstick scripts."""
    arguments = [sys.executable, HERE / name, ready["endpoint"], str(CONCURRENCY)]
    figures: dict[str, float] = json.loads(client(ready, *arguments, stdin=json.dumps(requests).encode()).stdout)
    return figures


def requests_per_machine(folder: Path) -> None:
    """Requests per changed machine, discovery and verification included, at 1,000 machines."""
    fleet = uniform_fleet(folder, 1000)
    for label, seconds in (("operations over at once", ["--lro-seconds", "0"]), ("recorded durations", [])):
        with emulator(fleet, "--throttle", "off", *seconds) as ready:
            figures = product(ready, folder)
            sent = [entry for entry in control(ready, "requests")["requests"] if _is_resource_manager(entry["path"])]
            print(
                f"requests per changed machine, {label}: {len(sent) / figures['changes']:.3f} "
                f"({len(sent)} for {figures['changes']} changed, {figures['verified']} verified; bound 2.2) "
                f"by method {figures['allRequests']}"
            )


def _is_resource_manager(path: str) -> bool:
    """Whether a request counts: metadata and sign-in happen once a session, whatever the fleet's size."""
    return "/subscriptions" in path.lower() or "resourcegraph" in path.lower()


def cpu_per_machine(folder: Path) -> None:
    """CPU of an apply of 1,000 machines against scripts that send the same requests."""
    fleet = uniform_fleet(folder, 1000)
    rows: dict[str, list[float]] = {"patchmode": [], "azure-core script": [], "aiohttp script": []}
    for _ in range(ROUNDS):
        with emulator(fleet, "--throttle", "off", "--lro-seconds", "0") as ready:
            figures = product(ready, folder)
            ledger = control(ready, "requests")["requests"]
        rows["patchmode"].append(figures["cpu"])
        requests = _same_requests(figures, ledger)
        for name, file in (("azure-core script", "azure_core_script.py"), ("aiohttp script", "aiohttp_script.py")):
            with emulator(fleet, "--throttle", "off", "--lro-seconds", "0") as ready:
                rows[name].append(script(ready, file, requests)["cpu"])
    changes = figures["changes"]
    for name, values in rows.items():
        print(f"CPU per machine, {name}: {statistics.median(values) / changes * 1e6:.0f} µs (median of {ROUNDS})")
    for name in ("azure-core script", "aiohttp script"):
        bound = " (bound 2)" if name.startswith("azure") else ""
        pairs = [mine / theirs for mine, theirs in zip(rows["patchmode"], rows[name], strict=True)]
        print(f"ratio patchmode / {name}: {statistics.median(pairs):.2f}{bound}")


def _same_requests(figures: dict[str, Any], ledger: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The PATCHes of the plan, then the list GETs that the apply sent after the first PATCH."""
    version = "?api-version=2024-07-01"
    writes = [{"method": "PATCH", **c, "url": c["url"] + version} for c in figures["changesSent"]]
    first = next(index for index, entry in enumerate(ledger) if entry["method"] == "PATCH")
    reads = [entry["path"] for entry in ledger[first:] if entry["method"] == "GET"]
    return writes + [{"method": "GET", "url": _full(path), "body": None, "etag": None} for path in reads]


def _full(path: str) -> str:
    return path if "api-version" in path else f"{path}{'&' if '?' in path else '?'}api-version=2024-07-01"


def throttled(folder: Path) -> None:
    """2,000 machines in one subscription and region with the published buckets, time sped up on both sides."""
    fleet = uniform_fleet(folder, 2000)
    with emulator(fleet, "--throttle", "azure", "--clock-speed", str(FACTOR), "--lro-seconds", "5") as ready:
        figures = product(ready, folder, factor=FACTOR, concurrency=256)
        answers = [entry["status"] for entry in control(ready, "requests")["requests"]]
    writes = figures["changes"]
    allowed = max((writes - 200) / 10, (writes - 1500) / (500 / 60), 0) + 5
    print(
        f"throttled, {writes} machines, clock ×{FACTOR:g}: {figures['clock']:.1f} s of Azure's time; "
        f"the buckets and the last operation allow {allowed:.1f} s; ratio {figures['clock'] / allowed:.3f} "
        f"(bound 1.05); 429s: {answers.count(429)}; verified {figures['verified']}"
    )


def audit(folder: Path) -> None:
    """Audit of 10,000 machines: wall time and peak memory of the whole program."""
    fleet = folder / "mixed-10000.json"
    generate(fleet, 10_000, 10)
    walls, peaks = [], []
    with emulator(fleet, "--throttle", "off") as ready:
        for _ in range(3):
            started = time.perf_counter()
            command = [BIN / "patchmode", "--cloud", ready["endpoint"], "audit", "--all", "-o", "json"]
            process = subprocess.Popen(command, env=os.environ | ready["env"], stdout=subprocess.DEVNULL)
            _, _, usage = os.wait4(process.pid, 0)
            process.returncode = 0
            walls.append(time.perf_counter() - started)
            peaks.append(usage.ru_maxrss / 1024)
    print(
        f"audit of 10,000 machines: {statistics.median(walls):.2f} s (bound 5), "
        f"peak {statistics.median(peaks):.0f} MiB (bound 300)"
    )


def start(_folder: Path) -> None:
    """`patchmode --help` as a whole process, beside a bare interpreter."""

    def wall(command: list[str | Path]) -> float:
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started

    helps = [wall([BIN / "patchmode", "--help"]) for _ in range(11)]
    bare = [wall([sys.executable, "-c", "pass"]) for _ in range(11)]
    print(
        f"patchmode --help: {statistics.median(helps) * 1000:.0f} ms (bound 200); "
        f"a bare interpreter: {statistics.median(bare) * 1000:.0f} ms"
    )


def prediction(_folder: Path) -> None:
    """Who patches each of 1,000 to 100,000 machines, from 200 configurations and 500 dynamic scopes."""
    prediction_benchmark.main()


def emulator_alone(_folder: Path) -> None:
    """Requests per second that the emulator itself answers; not among those that run without a name."""
    emulator_benchmark.main(emulator_benchmark.MACHINES)


def scale(_folder: Path) -> None:
    """100,000 machines in one process; not among those that run without a name, for it takes a quarter of an hour."""
    scale_benchmark.main()


BENCHMARKS: dict[str, Callable[[Path], None]] = {
    "requests": requests_per_machine,
    "cpu": cpu_per_machine,
    "throttled": throttled,
    "audit": audit,
    "large-audit": large_audit.main,
    "start": start,
    "prediction": prediction,
    "emulator": emulator_alone,
    "scale": scale,
}
UNASKED = tuple(name for name in BENCHMARKS if name not in {"emulator", "large-audit", "scale"})
"""What runs where no name is given: the product's figures."""


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all."""
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        for name in names or UNASKED:
            BENCHMARKS[name](Path(folder))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"(the driver itself peaked at {peak:.0f} MiB)")


if __name__ == "__main__":
    main(sys.argv[1:])
