"""Every route of every provider under odd requests: refused or answered, and never an error of the emulator itself."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.emulator.core.conftest import Client

from arm_emulator.app import Emulator
from arm_emulator.demo_fleet import PRODUCTION
from arm_emulator.protocol.routing import Route
from arm_emulator.protocol.throttle import Limits
from arm_emulator.routes import routes
from arm_emulator.schedules_fleet import schedules_fleet

VERSION = "2023-04-01"
VALUES = {
    "subscription": PRODUCTION,
    "group": "rg-app",
    "scope": f"subscriptions/{PRODUCTION}/resourceGroups/rg-app/providers/Microsoft.Compute/virtualMachines/web-02",
    "namespace": "Microsoft.Compute",
    "location": "westeurope",
}
"""Of what the path names; a name is that of a machine and one that there is not, anything else is `x`."""
ODD: tuple[Any, ...] = (None, [], {}, "x", 5, True)
MEMBERS = (
    *("properties", "tags", "identity", "location", "zones", "plan", "query", "subscriptions", "options", "operation"),
    *("properties.osProfile", "properties.osProfile.linuxConfiguration", "properties.storageProfile"),
    *("properties.osProfile.windowsConfiguration.patchSettings", "properties.storageProfile.dataDisks"),
    *("properties.osProfile.linuxConfiguration.patchSettings.patchMode", "properties.networkProfile"),
    *("properties.availabilitySet", "properties.availabilitySet.id", "properties.applicationProfile"),
    *("properties.applicationProfile.galleryApplications", "properties.agentUpgrade", "properties.locationData"),
    *("properties.agentUpgrade.desiredVersion", "properties.maintenanceWindow", "properties.maintenanceScope"),
    *("properties.maintenanceConfigurationId", "properties.filter", "properties.filter.tagSettings"),
    *("properties.level", "properties.principalId", "properties.tags", "identity.type", "options.$top"),
    *("identity.userAssignedIdentities", "properties.installPatches", "properties.extensionProperties"),
)
QUERIES = ("", "&%24filter=x", "&%24top=x", "&%24skiptoken=zz", "&%24expand=x")


def bodies() -> Iterator[Any]:
    """Odd values by themselves and as each member that some provider reads; the location is there, so that more is."""
    yield from ODD
    for member in MEMBERS:
        for value in (None, "x", 5, [None], {"x": None}):
            body: Any = value
            for name in reversed(member.split(".")):
                body = {name: body}
            yield {"location": "westeurope", **body}


def paths(route: Route) -> Iterator[str]:
    """A route's path with a machine's name, and with one that there is not."""
    for name in ("web-01", "new-1"):
        values = {**VALUES, "name": name}
        yield re.sub(r"{(\w+)\+?}", lambda found: values.get(found[1], "x"), route.pattern)  # noqa: B023  used at once


@pytest.mark.parametrize("route", routes(), ids=lambda route: f"{route.method} {route.pattern}")
def test_no_request_makes_the_emulator_fail(route: Route) -> None:
    """What a provider answers with 500 by itself is in its words; an error of ours has the code of our own."""
    client = Client(Emulator(fleet=schedules_fleet(), limits=Limits(is_off=True), lro_seconds=5))
    for path in paths(route):
        asked: Iterator[tuple[str, Any]] = (
            ((query, None) for query in QUERIES) if route.method == "GET" else (("", body) for body in bodies())
        )
        for query, body in asked:
            seen = client(route.method, f"{path}?api-version={VERSION}{query}", body)
            assert b'"InternalServerError"' not in seen.body, (path, query, body)
