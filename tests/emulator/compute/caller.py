"""Speaks to an emulator in this process as a signed-in client would, and builds the machines that tests need."""

import copy
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from arm_emulator.app import Emulator
from arm_emulator.directory import DEFAULT_CLIENT, DEFAULT_SECRET
from arm_emulator.profile import Profile
from arm_emulator.protocol.throttle import Limits
from arm_emulator.protocol.wire import Call

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Rg"
VERSION = "2024-07-01"
HOST = "localhost:8443"

WINDOWS = {
    "publisher": "MicrosoftWindowsServer",
    "offer": "WindowsServer",
    "sku": "2022-datacenter-g2",
    "version": "latest",
}
UBUNTU = {
    "publisher": "Canonical",
    "offer": "0001-com-ubuntu-server-jammy",
    "sku": "22_04-lts-gen2",
    "version": "latest",
}
APPLIANCE = {"publisher": "contoso", "offer": "appliance", "sku": "one", "version": "latest"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the emulator said."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def code(self) -> str:
        """The error's code, ``''`` where there is no error."""
        return str(self.body["error"]["code"]) if isinstance(self.body, dict) and "error" in self.body else ""

    @property
    def message(self) -> str:
        """The error's message."""
        return str(self.body["error"]["message"])


@dataclass(slots=True)
class Caller:
    """One emulator, signed in to."""

    emulator: Emulator
    token: str = field(default="")

    @classmethod
    def of(cls, *documents: dict[str, Any], lro_seconds: float = 5.0, **switches: Any) -> "Caller":
        """An emulator with these documents, without throttle, and with these profile switches."""
        subscriptions = [{"subscriptionId": SUBSCRIPTION, "displayName": "tests", "tenantId": SUBSCRIPTION}]
        groups = [{"id": GROUP, "location": "westeurope", "properties": {}}]
        fleet = {"subscriptions": subscriptions, "resources": [*groups, *copy.deepcopy(documents)]}
        emulator = Emulator(
            fleet=fleet, limits=Limits(is_off=True), lro_seconds=lro_seconds, profile=Profile(**switches)
        )
        return cls.signed_in(emulator)

    @classmethod
    def signed_in(cls, emulator: Emulator) -> "Caller":
        """A caller of an emulator that stands already, with the default principal's token."""
        caller = cls(emulator)
        form = (
            f"grant_type=client_credentials&client_id={DEFAULT_CLIENT}&client_secret={DEFAULT_SECRET}"
            "&scope=https://management.azure.com/.default"
        )
        path = f"/{emulator.directory.tenant_id}/oauth2/v2.0/token"
        headers = {"host": HOST, "content-type": "application/x-www-form-urlencoded"}
        caller.token = json.loads(emulator.serve(Call("POST", path, headers, form.encode())).body)["access_token"]
        return caller

    def call(
        self, method: str, path: str, body: Any = None, *, version: str = VERSION, query: str = "", **headers: str
    ) -> Answer:
        """One call; header names with ``_`` for ``-``, e.g. ``if_match='"2"'``."""
        sent = {"host": HOST, "authorization": f"Bearer {self.token}", "content-type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        target = f"{path}?api-version={version}{query}" if "api-version=" not in path else path
        content = b"" if body is None else json.dumps(body).encode()
        answered = self.emulator.serve(Call(method, target, sent, content))
        names = {name.lower(): value for name, value in answered.headers.items()}
        decoded = json.loads(answered.body) if answered.body else None
        return Answer(answered.status, names, decoded)

    def get(self, path: str, *, version: str = VERSION, query: str = "") -> Answer:
        """GET."""
        return self.call("GET", path, version=version, query=query)

    def patch(self, path: str, body: Any, *, version: str = VERSION, **headers: str) -> Answer:
        """PATCH."""
        return self.call("PATCH", path, body, version=version, **headers)

    def put(self, path: str, body: Any, *, version: str = VERSION, **headers: str) -> Answer:
        """PUT."""
        return self.call("PUT", path, body, version=version, **headers)

    def finish(self) -> None:
        """Let every operation come to its end."""
        self.emulator.clock.advance(timedelta(hours=1))


def machine(name: str = "vm1", system: str = "Windows", **changes: Any) -> dict[str, Any]:
    """A machine as a GET shows it; ``settings``, ``block``, ``image``, ``etag``, ``power`` change parts of it.

    Args:
        name: of the machine.
        system: ``Windows`` or ``Linux``.
        changes: ``settings`` replaces patchSettings, ``block`` adds to the configuration block, ``image`` replaces the
            image reference (None: no image), ``etag`` sets one, ``power`` gives an instance view, anything else is
            merged into ``properties``.
    """
    is_windows = system == "Windows"
    settings = {"patchMode": "AutomaticByOS" if is_windows else "ImageDefault", "assessmentMode": "ImageDefault"}
    block: dict[str, Any] = {"provisionVMAgent": True, "patchSettings": changes.pop("settings", settings)}
    if is_windows:
        block["enableAutomaticUpdates"] = True
    block |= changes.pop("block", {})
    image = changes.pop("image", WINDOWS if is_windows else UBUNTU)
    power, etag = changes.pop("power", None), changes.pop("etag", None)
    properties: dict[str, Any] = {
        "vmId": "22222222-2222-2222-2222-222222222222",
        "hardwareProfile": {"vmSize": "Standard_D2s_v3"},
        "storageProfile": {
            "imageReference": image,
            "osDisk": {"osType": system, "name": f"{name}_OsDisk", "createOption": "FromImage", "caching": "ReadWrite"},
            "dataDisks": [],
        },
        "osProfile": {
            "computerName": name,
            "adminUsername": "operator",
            "windowsConfiguration" if is_windows else "linuxConfiguration": block,
            "secrets": [],
            "allowExtensionOperations": True,
        },
        "networkProfile": {"networkInterfaces": [{"id": f"{GROUP}/providers/Microsoft.Network/networkInterfaces/n"}]},
        "provisioningState": "Succeeded",
        **changes,
    }
    if image is None:
        del properties["storageProfile"]["imageReference"]
    if power is not None:
        properties["instanceView"] = {
            "statuses": [{"code": "ProvisioningState/succeeded"}, {"code": f"PowerState/{power}"}]
        }
    document = {
        "name": name,
        "id": f"{GROUP}/providers/Microsoft.Compute/virtualMachines/{name}",
        "type": "Microsoft.Compute/virtualMachines",
        "location": "westeurope",
        "tags": {},
        "properties": properties,
    }
    return document if etag is None else {**document, "etag": f'"{etag}"'}


def specialised(name: str = "vm1", system: str = "Linux", **changes: Any) -> dict[str, Any]:
    """A machine made from a specialised disk: no osProfile, no image."""
    document = machine(name, system, image=None, **changes)
    del document["properties"]["osProfile"]
    document["properties"]["storageProfile"]["osDisk"]["createOption"] = "Attach"
    return document


def patch_body(system: str = "Windows", **settings: Any) -> dict[str, Any]:
    """A PATCH body that sets these patch settings; ``bypass`` and ``reboot`` stand for the block's members."""
    block = {}
    if "bypass" in settings:
        block["bypassPlatformSafetyChecksOnUserSchedule"] = settings.pop("bypass")
    if "reboot" in settings:
        block["rebootSetting"] = settings.pop("reboot")
    if block:
        settings["automaticByPlatformSettings"] = block
    configuration = f"{system.lower()}Configuration"
    return {"properties": {"osProfile": {configuration: {"patchSettings": settings}}}}


def settings_of(document: dict[str, Any]) -> dict[str, Any]:
    """The patch settings of a machine as answered."""
    profile = document["properties"]["osProfile"]
    block = profile.get("windowsConfiguration") or profile["linuxConfiguration"]
    settings: dict[str, Any] = block["patchSettings"]
    return settings


PATH = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/vm1"
TARGET = {"patchMode": "AutomaticByPlatform", "bypass": True}
