"""Microsoft.Network, as far as ``az vm list -d`` needs it: GET of a network interface.

An interface that a machine names and the fleet does not list is made from that machine, the same at every call.
"""

import hashlib
from typing import TYPE_CHECKING

from arm_emulator.protocol.http import ArmError, Request, Response
from arm_emulator.protocol.routing import Route
from arm_emulator.state import Document, State, Stored

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

TYPE = "Microsoft.Network/networkInterfaces"


class Interfaces:
    """Finds the machine that names an interface; the fleet is looked through once after a change, not at every call."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._seen = -1
        self._machines: dict[str, str] = {}

    def machine(self, interface_id: str) -> Stored | None:
        """The first machine that names an interface, in any casing; None: no machine does."""
        if self._seen != self._state.changes:
            self._machines = {}
            for machine in self._state.of_type("Microsoft.Compute/virtualMachines"):
                for named in _interfaces(machine):
                    self._machines.setdefault(named, machine.key)
            self._seen = self._state.changes
        key = self._machines.get(interface_id.rstrip("/").lower())
        return self._state.get(key) if key is not None else None


def _get(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    stored = cloud.state.get(request.path)
    if stored is not None:
        return Response(200, stored.document)
    machine = cloud.parts[Interfaces].machine(request.path)
    if machine is not None:
        return Response(200, _interface(request.path, params["name"], machine))
    message = (
        f"The Resource '{TYPE}/{params['name']}' under resource group '{params['group']}' was not found. For more "
        "details please go to https://aka.ms/ARMResourceNotFoundFix"
    )
    raise ArmError(404, "ResourceNotFound", message, gateway=True)


def _interfaces(machine: Stored) -> set[str]:
    profile = machine.document.get("properties", {}).get("networkProfile") or {}
    return {str(entry.get("id", "")).lower() for entry in profile.get("networkInterfaces", ())}


def _interface(interface_id: str, name: str, machine: Stored) -> Document:
    digest = hashlib.sha256(interface_id.lower().encode()).digest()
    address = f"10.{digest[0]}.{digest[1]}.{digest[2] % 250 + 4}"
    configuration = {
        "name": "ipconfig1",
        "id": f"{interface_id}/ipConfigurations/ipconfig1",
        "properties": {
            "provisioningState": "Succeeded",
            "privateIPAddress": address,
            "privateIPAllocationMethod": "Dynamic",
            "primary": True,
            "privateIPAddressVersion": "IPv4",
        },
    }
    return {
        "name": name,
        "id": interface_id,
        "location": machine.document.get("location"),
        "properties": {
            "provisioningState": "Succeeded",
            "ipConfigurations": [configuration],
            "dnsSettings": {"dnsServers": [], "appliedDnsServers": []},
            "macAddress": "-".join(f"{byte:02X}" for byte in (2, *digest[3:8])),
            "primary": True,
            "virtualMachine": {"id": machine.id},
        },
        "type": TYPE,
    }


ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        "/subscriptions/{subscription}/resourceGroups/{group}/providers/" + TYPE + "/{name}",
        _get,
        f"{TYPE}/read",
    ),
)
