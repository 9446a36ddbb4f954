"""What every benchmark needs: a fleet file, an emulator as a program on a core of its own, the control plane."""

import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
CLIENT_CORE, SERVER_CORE = 0, 1


def pin(core: int) -> None:
    """Stay on one core, where the system has such a call and so many cores."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > core:
        os.sched_setaffinity(0, {core})


def uniform_fleet(folder: Path, machines: int, *, subscriptions: int = 1) -> Path:
    """A fleet in one region whose every machine has an etag and needs the change."""
    path = folder / f"uniform-{machines}.json"
    generate(path, machines, subscriptions)
    fleet = json.loads(path.read_text(encoding="utf-8"))
    kept = [_unready(r) for r in fleet["resources"] if r["type"].lower() == "microsoft.compute/virtualmachines"]
    others = [r for r in fleet["resources"] if r["type"].lower() == "microsoft.resources/resourcegroups"]
    fleet["resources"] = others + kept
    for name in ("locks", "denyAssignments"):
        fleet.pop(name, None)
    path.write_text(json.dumps(fleet), encoding="utf-8")
    return path


def _unready(document: dict[str, Any]) -> dict[str, Any]:
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
    return document | {"location": "westeurope", "etag": '"1"'}


def generate(path: Path, machines: int, subscriptions: int) -> None:
    """Let the emulator's own generator write a mixed fleet."""
    arguments = ["--machines", str(machines), "--subscriptions", str(subscriptions), "--seed", "1", "-o", str(path)]
    subprocess.run([BIN / "arm-emulator", "fleet", *arguments], check=True, stdout=subprocess.DEVNULL)


@contextmanager
def emulator(fleet: Path, *options: str) -> Iterator[dict[str, Any]]:
    """A running emulator; yields its ready line. Stopped at the end, by its own process id."""
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.json"
        command = [BIN / "arm-emulator", "serve", "--fleet", fleet, "--ready-file", ready, *options]
        with subprocess.Popen(command, preexec_fn=lambda: pin(SERVER_CORE), stdout=subprocess.DEVNULL) as process:
            try:
                while not (ready.exists() and ready.read_text(encoding="utf-8").endswith("\n")):
                    if process.poll() is not None:
                        raise SystemExit("the emulator did not start")
                    time.sleep(0.02)
                yield json.loads(ready.read_text(encoding="utf-8"))
            finally:
                process.terminate()


def control(ready: dict[str, Any], path: str) -> Any:
    """Read the emulator's control plane."""
    trust = ssl.create_default_context(cafile=ready["caBundle"])
    with urllib.request.urlopen(f"{ready['endpoint']}/_emulator/{path}", context=trust) as answer:
        return json.load(answer)


def client(
    ready: dict[str, Any], *command: str | Path, stdin: bytes | None = None
) -> "subprocess.CompletedProcess[bytes]":
    """Run a client on its own core with the environment that the emulator hands out."""
    return subprocess.run(
        list(command),
        env=os.environ | ready["env"],
        input=stdin,
        capture_output=True,
        check=True,
        preexec_fn=lambda: pin(CLIENT_CORE),
    )
