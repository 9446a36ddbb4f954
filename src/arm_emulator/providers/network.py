"""Microsoft.Network, as far as clients that list machines need it: network interfaces.

An interface that a machine names and the fleet does not list is made from that machine, the same at every call.
"""

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from arm_emulator.protocol.http import ArmError, Request, Response
from arm_emulator.protocol.paging import list_page
from arm_emulator.protocol.routing import Route
from arm_emulator.resource_id import IdParts, parse_id
from arm_emulator.state import Document, State, Stored

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

TYPE = "Microsoft.Network/networkInterfaces"


class Interfaces:
    """Finds the machine that names an interface; the fleet is looked through once after a change, not at every call."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._seen = -1
        self._machines: dict[str, tuple[str, str]] = {}
        """An interface's key → its id as the first machine names it, and that machine's key."""

    def machine(self, interface_id: str) -> Stored | None:
        """The first machine that names an interface, in any casing; None: no machine does."""
        self._look()
        found = self._machines.get(interface_id.rstrip("/").lower())
        return self._state.get(found[1]) if found is not None else None

    def named(self) -> Iterator[tuple[str, Stored]]:
        """Every interface that a machine names, as the first one names it, and that machine."""
        self._look()
        for named, key in self._machines.values():
            machine = self._state.get(key)
            if machine is not None:
                yield named, machine

    def _look(self) -> None:
        if self._seen != self._state.changes:
            self._machines = {}
            for machine in self._state.of_type("Microsoft.Compute/virtualMachines"):
                for named in _interfaces(machine):
                    self._machines.setdefault(named.lower(), (named, machine.key))
            self._seen = self._state.changes


def _list(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """The fleet's own, and those that its machines name."""

    def rows() -> list[Stored]:
        own = list(cloud.state.of_type(TYPE, subscription=params["subscription"], group=params.get("group")))
        there = {stored.key for stored in own}
        made = []
        for named, machine in cloud.parts[Interfaces].named():
            parts = parse_id(named)
            if parts.key not in there and _is_in(parts, params):
                document = _interface(named, named.rpartition("/")[2], machine)
                made.append(
                    Stored(named, parts.type, parts.subscription, parts.group, document, None, parts.key, parts.parent)
                )
        return [*own, *made]

    return Response(200, list_page(cloud, request, rows, lambda stored: stored.document))


def _is_in(parts: IdParts, params: dict[str, str]) -> bool:
    group = params.get("group", parts.group)
    return (parts.subscription, parts.group, parts.type) == (
        params["subscription"].lower(),
        group.lower(),
        TYPE.lower(),
    )


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


def _interfaces(machine: Stored) -> tuple[str, ...]:
    profile = machine.document.get("properties", {}).get("networkProfile") or {}
    ids = (str(entry.get("id") or "").rstrip("/") for entry in profile.get("networkInterfaces", ()))
    return tuple(dict.fromkeys(found for found in ids if found))


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
    Route("GET", "/subscriptions/{subscription}/resourceGroups/{group}/providers/" + TYPE, _list, f"{TYPE}/read"),
    Route("GET", "/subscriptions/{subscription}/providers/" + TYPE, _list, f"{TYPE}/read"),
)
