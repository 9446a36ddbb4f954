"""What every benchmark needs: a fleet file, an emulator as a program on a core of its own, what a command takes."""

import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

BIN = Path(sys.executable).parent
CLIENT_CORE, SERVER_CORE = 0, 1
_FINE = frozenset({0, 4, 10, 11})
"""Exit codes of a command that did its work, whatever it found."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One command, as its parent saw it."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    """Largest resident set in 10⁶ bytes, what is mapped from files included."""
    code: int
    told: str
    """The end of what it wrote to standard error."""


def pin(core: int) -> None:
    """Stay on one core, where the system has such a call and so many cores."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > core:
        os.sched_setaffinity(0, {core})


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Let this process stay on one core for the length of a `with` block."""
    if not hasattr(os, "sched_getaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    pin(core)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def uniform_fleet(
    folder: Path, machines: int, *, subscriptions: int = 1, regions: Sequence[str] = ("westeurope",)
) -> Path:
    """A fleet whose every machine has an etag and needs the change.

    Args:
        folder: where the file goes.
        machines: how many, spread evenly over the subscriptions, and in each over the regions.
        subscriptions: how many.
        regions: their names, at least one.
    """
    path = folder / f"uniform-{machines}.json"
    generate(path, machines, subscriptions)
    fleet = msgspec.json.decode(path.read_bytes())
    found = [r for r in fleet["resources"] if r["type"].lower() == "microsoft.compute/virtualmachines"]
    kept = [_unready(document, regions[number % len(regions)]) for number, document in enumerate(found)]
    others = [r for r in fleet["resources"] if r["type"].lower() == "microsoft.resources/resourcegroups"]
    fleet["resources"] = others + kept
    for name in ("locks", "denyAssignments"):
        fleet.pop(name, None)
    path.write_bytes(msgspec.json.encode(fleet))
    return path


def _unready(document: dict[str, Any], region: str) -> dict[str, Any]:
    properties = document["properties"]
    properties.pop("virtualMachineScaleSet", None)
    properties["provisioningState"] = "Succeeded"
    properties["storageProfile"]["osDisk"].update(osType="Linux", createOption="FromImage")
    properties["storageProfile"]["imageReference"] = {
        "publisher": "Canonical",
        "offer": "0001-com-ubuntu-server-jammy",
        "sku": "22_04-lts-gen2",
        "version": "latest",
        "exactVersion": "22.04.202407010",
    }
    properties["osProfile"] = {
        "computerName": document["name"],
        "adminUsername": "azureuser",
        "linuxConfiguration": {
            "disablePasswordAuthentication": True,
            "provisionVMAgent": True,
            "patchSettings": {"patchMode": "ImageDefault", "assessmentMode": "ImageDefault"},
        },
        "secrets": [],
        "allowExtensionOperations": True,
        "requireGuestProvisionSignal": True,
    }
    return document | {"location": region, "etag": '"1"'}


def generate(path: Path, machines: int, subscriptions: int) -> None:
    """Let the emulator's own generator write a mixed fleet."""
    arguments = ["--machines", str(machines), "--subscriptions", str(subscriptions), "--seed", "1", "-o", str(path)]
    subprocess.run([BIN / "arm-emulator", "fleet", *arguments], check=True, capture_output=True)


@contextmanager
def emulator(fleet: Path, *options: str) -> Iterator[dict[str, Any]]:
    """A running emulator; yields its ready line. Stopped at the end, by its own process id."""
    with served([BIN / "arm-emulator", "serve", "--fleet", fleet, *options]) as ready:
        yield ready


@contextmanager
def served(program: Sequence[str | Path]) -> Iterator[dict[str, Any]]:
    """A program that takes `--ready-file` and serves until it is stopped; yields its ready line."""
    with tempfile.TemporaryDirectory() as folder:
        ready, said = Path(folder) / "ready.json", Path(folder) / "stderr"
        command = [*program, "--ready-file", ready]
        with (
            said.open("wb") as errors,
            subprocess.Popen(command, preexec_fn=lambda: pin(SERVER_CORE), stdout=errors, stderr=errors) as process,
        ):
            try:
                while not (ready.exists() and ready.read_text(encoding="utf-8").endswith("\n")):
                    if process.poll() is not None:
                        raise SystemExit(f"the emulator did not start: {said.read_text(encoding='utf-8')[-2000:]}")
                    time.sleep(0.02)
                yield json.loads(ready.read_text(encoding="utf-8"))
            finally:
                process.terminate()


def control(ready: dict[str, Any], path: str) -> Any:
    """Read the emulator's control plane."""
    trust = ssl.create_default_context(cafile=ready["caBundle"])
    with urllib.request.urlopen(f"{ready['endpoint']}/_emulator/{path}", context=trust) as answer:
        return msgspec.json.decode(answer.read())


def is_as_wanted(machine: Mapping[str, Any]) -> bool:
    """Whether a machine of the emulator's state has both fields of Customer Managed Schedules."""
    settings = machine["properties"]["osProfile"]["linuxConfiguration"].get("patchSettings") or {}
    by_platform = settings.get("automaticByPlatformSettings") or {}
    is_bypassed = by_platform.get("bypassPlatformSafetyChecksOnUserSchedule") is True
    return settings.get("patchMode") == "AutomaticByPlatform" and is_bypassed


def machines_of(ready: dict[str, Any]) -> list[dict[str, Any]]:
    """Every machine's document, as the emulator holds it."""
    resources = control(ready, "state")["resources"]
    return [one for one in resources if one["type"].lower() == "microsoft.compute/virtualmachines"]


def measure(command: Sequence[str | Path], environment: Mapping[str, str], *, fine: frozenset[int] = _FINE) -> Measured:
    """Run one command to its end on the client's core; its output goes nowhere.

    Args:
        command: program and arguments.
        environment: all of it.
        fine: exit codes that count as done.

    Raises:
        SystemExit: it ended otherwise.
    """
    launcher = [sys.executable, str(Path(__file__).with_name("launch.py")), str(CLIENT_CORE)]
    words = [str(word) for word in command]
    ran = subprocess.run([*launcher, *words], env=dict(environment), stdout=subprocess.PIPE, check=True)
    found = Measured(**json.loads(ran.stdout))
    if found.code not in fine:
        raise SystemExit(f"{' '.join(words)[:500]} ended with {found.code}: {found.told}")
    return found


def client(
    ready: dict[str, Any], *command: str | Path, stdin: bytes | None = None
) -> "subprocess.CompletedProcess[bytes]":
    """Run a client on its own core with the environment that the emulator hands out.

    Raises:
        SystemExit: it failed.
    """
    ran = subprocess.run(
        list(command),
        env=os.environ | ready["env"],
        input=stdin,
        capture_output=True,
        check=False,
        preexec_fn=lambda: pin(CLIENT_CORE),
    )
    if ran.returncode:
        told = ran.stderr.decode(errors="replace")[-2000:]
        raise SystemExit(f"{' '.join(map(str, command))[:500]} ended with {ran.returncode}: {told}")
    return ran
