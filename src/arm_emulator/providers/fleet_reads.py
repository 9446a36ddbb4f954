"""Resources of which the emulator knows only what the fleet holds: read and listed as they are, never written.

Clients list these beside machines (Ansible, Cloud Custodian, ``az disk list``). A fleet that holds none has none: the
disks that a machine names are not made up. No policy is evaluated here, so there is no state of one either.
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
    "Microsoft.Compute/capacityReservationGroups",
    "Microsoft.Compute/diskEncryptionSets",
    "Microsoft.Compute/disks",
    "Microsoft.Compute/galleries",
    "Microsoft.Compute/hostGroups",
    "Microsoft.Compute/images",
    "Microsoft.Compute/proximityPlacementGroups",
    "Microsoft.Compute/snapshots",
    "Microsoft.Compute/sshPublicKeys",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
    "Microsoft.Network/loadBalancers",
    "Microsoft.Network/natGateways",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Network/publicIPAddresses",
    "Microsoft.Network/routeTables",
    "Microsoft.Network/virtualNetworks",
)
_ACTION = "Microsoft.PolicyInsights/policyStates"
_STATES = f"providers/{_ACTION}"
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


def _states(_: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``POST .../policyStates/{latest|default}/queryResults``: no state.

    Source of the form: "Policy States - List Query Results For Subscription" of the public REST reference.
    """
    return Response(200, {**_context(request, params), "@odata.count": 0, "value": []})


def _summary(_: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``POST .../policyStates/latest/summarize``: nothing was evaluated."""
    nothing = {"nonCompliantResources": 0, "nonCompliantPolicies": 0, "resourceDetails": [], "policyDetails": []}
    value = [{"results": nothing, "policyAssignments": []}]
    return Response(200, {**_context(request, params), "@odata.count": 1, "value": value})


def _context(request: Request, params: dict[str, str]) -> dict[str, str]:
    metadata = f"{request.base_url}/{params['scope']}/{_STATES}/$metadata#{params['states']}"
    return {"@odata.context": metadata}


ROUTES: tuple[Route, ...] = (
    *(
        route
        for type_ in TYPES
        for route in (
            Route("GET", f"{_SUBSCRIPTION}/providers/{type_}", _list(type_), f"{type_}/read"),
            Route("GET", f"{_GROUP}/providers/{type_}", _list(type_), f"{type_}/read"),
            Route("GET", f"{_GROUP}/providers/{type_}/{{name}}", _get(type_), f"{type_}/read"),
        )
    ),
    *(
        Route(
            "POST",
            f"/{{scope+}}/{_STATES}/{{states}}/{name}",
            handler,
            f"Microsoft.PolicyInsights/policyStates/{name}/read",
        )
        for name, handler in (("queryResults", _states), ("summarize", _summary))
    ),
)
