"""What a machine's guest runs, as far as a fleet file tells: a Windows client, an appliance, or anything else.

The emulator must decide, where Azure would look into the guest: what an instance view says that runs is true; without
it licence and names decide, and a machine of which nothing tells is a server.
"""

from fnmatch import fnmatchcase
from typing import Any

from arm_emulator.providers.compute.images import is_scheduled
from arm_emulator.providers.compute.members import Json

_CLIENT_LICENSE = "windows_client"
"""``licenseType`` of Windows 10 and 11 under multi-tenant hosting rights, whatever image they were made from."""
_CLIENT_NAMES = tuple(
    pattern
    for number in ("7", "8", "10", "11")
    for name in (f"win{number}", f"windows{number}", f"win-{number}", f"windows-{number}")
    for pattern in (name, f"{name}-*", f"*-{name}", f"*-{name}-*")
)
_SERVER_NAMES = ("*server*", "*datacenter*", "*ws20*")
_APPLIANCES = {
    "paloaltonetworks": "vmseries*",
    "fortinet": "forti*",
    "checkpoint": "check-point*",
    "thefreebsdfoundation": "freebsd*",
}
"""Publisher → offers, of what is deployed most; enough for fleets to hold some."""


def is_client(machine: Json) -> bool:
    """Whether the machine runs a desktop edition of Windows, which Update Manager does not support."""
    properties = machine.get("properties") or {}
    view = properties.get("instanceView")
    running = " ".join(
        str(holder.get(name) or "").lower()
        for holder, names in ((view, ("osName",)), (properties, ("osSku", "osName")))
        if isinstance(holder, dict)
        for name in names
    )
    if "windows" in running and any(character.isdigit() for character in running):
        return "server" not in running and any(f"windows {number}" in running for number in ("7", "8", "10", "11"))
    if str(properties.get("licenseType") or "").lower() == _CLIENT_LICENSE:
        return True
    publisher, offer, sku = _names(properties)
    if publisher.startswith("microsoftwindows"):
        return publisher == "microsoftwindowsdesktop"
    if any(fnmatchcase(name, pattern) for name in (offer, sku) for pattern in _SERVER_NAMES):
        return False
    return any(fnmatchcase(name, pattern) for name in (offer, sku) for pattern in _CLIENT_NAMES)


def is_appliance(machine: Json) -> bool:
    """Whether the machine runs a network appliance or FreeBSD, by its image or its marketplace plan."""
    properties = machine.get("properties") or {}
    view = properties.get("instanceView")
    if isinstance(view, dict) and str(view.get("osName") or "").lower().startswith("freebsd"):
        return True
    plan = machine.get("plan")
    plan = plan if isinstance(plan, dict) else {}
    bought = (str(plan.get("publisher") or "").lower(), str(plan.get("product") or "").lower())
    named = not is_scheduled(machine) and _offers_appliance(*_names(properties)[:2])
    return named or _offers_appliance(*bought)


def _offers_appliance(publisher: str, offer: str) -> bool:
    return publisher in _APPLIANCES and fnmatchcase(offer, _APPLIANCES[publisher])


def _names(properties: dict[str, Any]) -> tuple[str, str, str]:
    image = (properties.get("storageProfile") or {}).get("imageReference")
    image = image if isinstance(image, dict) else {}
    publisher, offer, sku = (str(image.get(name) or "").lower() for name in ("publisher", "offer", "sku"))
    return publisher, offer, sku
