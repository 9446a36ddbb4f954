"""Sizes and skus of machines: those that the fleet has, in the regions where it has them.

What Azure offers beyond that is not known here, and neither are cores and memory of a size, so neither is made up.
Members: "Resource Skus - List" and "Virtual Machine Sizes - List" of the public REST reference.
"""

import re
from typing import TYPE_CHECKING

from arm_emulator.protocol.http import ArmError, Request, Response
from arm_emulator.protocol.routing import Route
from arm_emulator.providers.compute.reads import require_machine
from arm_emulator.providers.compute.routes import LOW_COST_GET
from arm_emulator.state import Document

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

_LOCATION = re.compile(r"\s*location\s+eq\s+'([^']*)'\s*", re.IGNORECASE)
_SUBSCRIPTION = "/subscriptions/{subscription}/providers/Microsoft.Compute"


def _skus(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    text = request.query.get("$filter", "")
    match = _LOCATION.fullmatch(text)
    if text and match is None:
        # The reference: "Only location filter is supported currently."
        raise ArmError(501, "NotEmulated", f"The emulator does not emulate this filter of skus: {text}")
    found = _in_use(cloud, params["subscription"], match[1] if match else "")
    return Response(200, {"value": [_sku(name, location, zones) for (name, location), zones in found.items()]})


def _sizes(cloud: "Cloud", _: Request, params: dict[str, str]) -> Response:
    names = dict.fromkeys(name for name, _ in _in_use(cloud, params["subscription"], params["location"]))
    return Response(200, {"value": [{"name": name} for name in names]})


def _sizes_of_machine(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """To which sizes a machine can be resized: those of its region that are known here, its own among them."""
    where = {**params, "location": require_machine(cloud, params).location}
    return _sizes(cloud, request, where)


def _in_use(cloud: "Cloud", subscription: str, location: str) -> dict[tuple[str, str], set[str]]:
    """Each size and region of a subscription's machines → the zones that they are in; one region only, if named."""
    wanted = location.replace(" ", "").lower()
    found: dict[tuple[str, str], set[str]] = {}
    for stored in cloud.state.of_type("Microsoft.Compute/virtualMachines", subscription=subscription):
        size = (stored.document.get("properties", {}).get("hardwareProfile") or {}).get("vmSize")
        if isinstance(size, str) and wanted in ("", stored.location):
            found.setdefault((size, stored.location), set()).update(stored.document.get("zones") or ())
    return found


def _sku(name: str, location: str, zones: set[str]) -> Document:
    tier, _, size = name.partition("_")
    return {
        "resourceType": "virtualMachines",
        "name": name,
        "tier": tier,
        "size": size,
        "locations": [location],
        "locationInfo": [{"location": location, "zones": sorted(zones), "zoneDetails": []}],
        "capabilities": [],
        "restrictions": [],
    }


ROUTES: tuple[Route, ...] = (
    Route("GET", f"{_SUBSCRIPTION}/skus", _skus, "Microsoft.Compute/skus/read"),
    Route("GET", f"{_SUBSCRIPTION}/locations/{{location}}/vmSizes", _sizes, "Microsoft.Compute/locations/vmSizes/read"),
    Route(
        "GET",
        "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}/vmSizes",
        _sizes_of_machine,
        "Microsoft.Compute/virtualMachines/vmSizes/read",
        throttle=LOW_COST_GET,
    ),
)
