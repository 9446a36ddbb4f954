"""Resources of which the emulator knows only what the fleet holds: read and listed as they are, never written.

Clients list these beside machines (Ansible, Cloud Custodian, ``az disk list``). A fleet that holds none has none: the
disks that a machine names are not made up.
"""

from typing import TYPE_CHECKING

from arm_emulator.protocol.http import Request, Response
from arm_emulator.protocol.paging import list_page
from arm_emulator.protocol.routing import Handler, Route
from arm_emulator.providers.compute.errors import resource_not_found

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

TYPES = (
    "Microsoft.Compute/availabilitySets",
    "Microsoft.Compute/disks",
    "Microsoft.Compute/images",
    "Microsoft.Compute/snapshots",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Network/publicIPAddresses",
    "Microsoft.Network/virtualNetworks",
)
_SUBSCRIPTION = "/subscriptions/{subscription}"
_GROUP = f"{_SUBSCRIPTION}/resourceGroups/{{group}}"


def _list(type_: str) -> Handler:
    def handler(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
        rows = cloud.state.of_type(type_, subscription=params["subscription"], group=params.get("group"))
        return Response(200, list_page(cloud, request, lambda: list(rows), lambda stored: stored.document))

    return handler


def _get(type_: str) -> Handler:
    def handler(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
        stored = cloud.state.get(request.path)
        if stored is None:
            raise resource_not_found(type_, params["name"], params["group"])
        return Response(200, stored.document)

    return handler


ROUTES: tuple[Route, ...] = tuple(
    route
    for type_ in TYPES
    for route in (
        Route("GET", f"{_SUBSCRIPTION}/providers/{type_}", _list(type_), f"{type_}/read"),
        Route("GET", f"{_GROUP}/providers/{type_}", _list(type_), f"{type_}/read"),
        Route("GET", f"{_GROUP}/providers/{type_}/{{name}}", _get(type_), f"{type_}/read"),
    )
)
