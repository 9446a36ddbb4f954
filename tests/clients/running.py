"""An emulator as a program, what a client is to do with its demonstration fleet, and what was sent and is so then."""

import json
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

SUBSCRIPTION = "22222222-2222-2222-2222-222222222222"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-app"
LOCKED = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-locked"
COMPUTE = "providers/Microsoft.Compute/virtualMachines"
MACHINES = 40
"""Virtual machines of the subscription."""
ARC = {"onprem-win-01", "onprem-lin-01"}
CONFIGURATION = f"{GROUP}/providers/Microsoft.Maintenance/maintenanceConfigurations/mc-weekly"
ASSIGNMENTS = "providers/Microsoft.Maintenance/configurationAssignments"
PAIR: dict[str, Any] = {
    "patchMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
}
QUERY = (
    "resources | where type =~ 'microsoft.compute/virtualmachines' and name == 'api-01' "
    "| project name, mode = tostring(properties.osProfile.linuxConfiguration.patchSettings.patchMode)"
)
FAILS = "VMExtensionProvisioningError"
FAILING = {
    "rules": [
        {
            "match": {"method": ["PATCH", "PUT"], "path": "*/virtualMachines/api-03"},
            "do": {"operation": {"result": "failed", "error": {"code": FAILS, "message": "The extension failed."}}},
        }
    ]
}
"""The machine `api-03` fails after its change was accepted."""


class Running:
    """One `arm-emulator serve`.

    Args:
        ready: its ready line.
    """

    def __init__(self, ready: dict[str, Any]) -> None:
        self.ready = ready
        self.endpoint: str = ready["endpoint"]
        self._context = ssl.create_default_context(cafile=ready["caBundle"])

    def requests(self) -> list[dict[str, Any]]:
        """Every call that arrived, with what it was answered."""
        found: list[dict[str, Any]] = self._asked("GET", "requests")["requests"]
        return found

    def polls(self) -> int:
        """How often a client asked how an operation stands."""
        return sum("/operations/" in one["path"] for one in self.requests())

    def pages(self) -> int:
        """How many pages of the subscription's list of machines were read."""
        place = f"/subscriptions/{SUBSCRIPTION}/{COMPUTE}".lower()
        return sum(one["path"].lower() == place for one in self.requests())

    def settings(self, name: str) -> dict[str, Any]:
        """The patch settings of a machine, as they are now."""
        found = self.resource(name)["properties"]["osProfile"]
        block: dict[str, Any] = found.get("linuxConfiguration") or found["windowsConfiguration"]
        return dict(block["patchSettings"])

    def resource(self, name: str) -> dict[str, Any]:
        """A resource of the fleet by its name."""
        return next(one for one in self._asked("GET", "state")["resources"] if one["name"] == name)

    def sent(self, method: str, name: str) -> dict[str, Any]:
        """The body of the first accepted write of a machine."""
        place = f"/{COMPUTE}/{name}".lower()
        asked = (one for one in self.requests() if one["method"] == method and one["path"].lower().endswith(place))
        body: dict[str, Any] = next(one["requestBody"] for one in asked if one["status"] < 400)
        return body

    def fail(self, faults: dict[str, Any]) -> None:
        """Arm faults."""
        self._asked("PUT", "faults", faults)

    def _asked(self, method: str, what: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint}/_emulator/{what}", data, method=method)
        with urllib.request.urlopen(request, context=self._context, timeout=60) as answer:
            return json.load(answer)


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Running]:
    """An emulator with the demonstration fleet: operations take a second, lists have pages of 15."""
    program, ready = str(Path(sys.executable).with_name("arm-emulator")), folder / "ready.json"
    command = [program, "serve", "--fleet", "demo", "--ready-file", str(ready), "--throttle", "off"]
    command += ["--lro-seconds", "1", "--profile", str(Path(__file__).with_name("profile.json")), *options]
    with (folder / "emulator.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield Running(_when_ready(ready, process))
        finally:
            process.terminate()


def _when_ready(ready: Path, process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        text = ready.read_text(encoding="utf-8") if ready.exists() else ""
        if text.endswith("\n"):
            answer: dict[str, Any] = json.loads(text)
            return answer
        time.sleep(0.05)
    pytest.fail(f"the emulator did not become ready: {ready.with_name('emulator.log').read_text(encoding='utf-8')}")
