"""Microsoft.Resources: tenants, subscriptions, locations, resource groups, resource lists, deployments to read.

Shapes follow the public REST reference (Resources, Subscriptions) and what Microsoft's clients read of it.
"""

import re
from typing import TYPE_CHECKING, Any

from arm_emulator.fleets import GROUP_TYPE, group_document
from arm_emulator.protocol.http import ArmError, Request, Response
from arm_emulator.protocol.paging import list_page
from arm_emulator.protocol.routing import Route
from arm_emulator.providers.odata import Filter, parse_filter
from arm_emulator.providers.regions import REGIONS
from arm_emulator.state import Document, Stored

if TYPE_CHECKING:
    from arm_emulator.directory import Subscription
    from arm_emulator.protocol.cloud import Cloud

_GROUPS = "/subscriptions/{subscription}/resourceGroups"
_GROUP = _GROUPS + "/{group}"
_GROUP_ACTION = "Microsoft.Resources/subscriptions/resourceGroups"
_UNLISTED = (
    "microsoft.authorization/",
    "microsoft.policyinsights/",
    "microsoft.resources/subscriptions",
    "microsoft.resources/deployments",
)
_DEPLOYMENT = "providers/Microsoft.Resources/deployments/{deployment}"
_DEPLOYMENT_TYPE = "Microsoft.Resources/deployments"
_BY_STATE = re.compile(r"\s*provisioningState\s+eq\s+'([^']*)'\s*", re.IGNORECASE)


def _tenants(cloud: "Cloud", request: Request, __: dict[str, str]) -> Response:
    tenant = request.principal.tenant_id
    entry = {
        "id": f"/tenants/{tenant}",
        "tenantId": tenant,
        "countryCode": "DE",
        "displayName": cloud.directory.tenant_names.get(tenant.lower()) or "Emulated directory",
        "domains": ["emulated.example"],
        "tenantCategory": "Home",
        "defaultDomain": "emulated.example",
        "tenantType": "AAD",
    }
    return Response(200, {"value": [entry]})


def _subscriptions(cloud: "Cloud", request: Request, _: dict[str, str]) -> Response:
    seen = [
        _subscription_body(entry)
        for entry in cloud.directory.subscriptions.values()
        if cloud.authorization.can_see(request.principal, f"/subscriptions/{entry.id}")
    ]
    return Response(200, {"value": seen, "count": {"type": "Total", "value": len(seen)}})


def _subscription(cloud: "Cloud", _: Request, params: dict[str, str]) -> Response:
    found = cloud.directory.subscription(params["subscription"])
    if found is None:
        raise ArmError(404, "SubscriptionNotFound", f"The subscription '{params['subscription']}' could not be found.")
    return Response(200, _subscription_body(found))


def _subscription_body(entry: "Subscription") -> Document:
    return {
        "id": f"/subscriptions/{entry.id}",
        "authorizationSource": "RoleBased",
        "managedByTenants": entry.managed_by_tenants(),
        "subscriptionId": entry.id,
        "tenantId": entry.tenant_id,
        "displayName": entry.display_name,
        "state": entry.state,
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    }


def _locations(_: "Cloud", __: Request, params: dict[str, str]) -> Response:
    subscription = params["subscription"]
    value = [
        {
            "id": f"/subscriptions/{subscription}/locations/{name}",
            "name": name,
            "type": "Region",
            "displayName": display,
            "regionalDisplayName": f"({area}) {display}",
            "metadata": {"regionType": "Physical", "regionCategory": "Recommended", "geographyGroup": area},
        }
        for name, display, area in REGIONS
    ]
    return Response(200, {"value": value})


def _list_groups(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    wanted = parse_filter(request.query.get("$filter", ""))

    def rows() -> list[Stored]:
        found = cloud.state.of_type(GROUP_TYPE, subscription=params["subscription"])
        return [
            stored
            for stored in found
            if cloud.authorization.can_see(request.principal, stored.id) and wanted.fits(stored.document)
        ]

    return Response(200, list_page(cloud, request, rows, lambda stored: stored.document))


def _get_group(cloud: "Cloud", _: Request, params: dict[str, str]) -> Response:
    return Response(200, _group(cloud, params).document)


def _head_group(cloud: "Cloud", _: Request, params: dict[str, str]) -> Response:
    _group(cloud, params)
    return Response(204)


def _group(cloud: "Cloud", params: dict[str, str]) -> Stored:
    stored = cloud.state.get(f"/subscriptions/{params['subscription']}/resourceGroups/{params['group']}")
    if stored is None:
        message = f"Resource group '{params['group']}' could not be found."
        raise ArmError(404, "ResourceGroupNotFound", message, gateway=True)
    return stored


def _put_group(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    body = _object(request)
    location = body.get("location")
    if not isinstance(location, str) or not location:
        message = "The location property is required for this definition."
        raise ArmError(400, "LocationRequired", message, gateway=True)
    group_id = f"/subscriptions/{params['subscription']}/resourceGroups/{params['group']}"
    before = cloud.state.get(group_id)
    canonical = location.replace(" ", "").lower()
    if before is not None and before.location != canonical:
        there = f"The Resource group already exists in location '{before.location}'."
        message = f"Invalid resource group location '{location}'. {there}"
        raise ArmError(409, "InvalidResourceGroupLocation", message, gateway=True)
    document = group_document(before.id if before else group_id, params["group"], canonical, body.get("tags"))
    if "managedBy" in body:
        document["managedBy"] = body["managedBy"]
    stored = cloud.state.put(document, etag=None)
    return Response(200 if before else 201, stored.document)


def _patch_group(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    stored = _group(cloud, params)
    body = _object(request)
    document = {**stored.document, **({"tags": body["tags"]} if "tags" in body else {})}
    return Response(200, cloud.state.put(document, etag=None).document)


def _delete_group(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    stored = _group(cloud, params)
    cloud.state.put(cloud.state.with_properties(stored, provisioningState="Deleting"), etag=None)
    operation = cloud.operations.start(
        request,
        location="",
        target_id=stored.id,
        kind="delete",
        on_done=lambda done: cloud.state.delete(done.target_id) if done.outcome == "Succeeded" else None,
    )
    where = f"{request.base_url}/subscriptions/{params['subscription']}/operationresults/{operation.id}"
    headers = {
        "Location": f"{where}?api-version={request.api_version}",
        "Retry-After": cloud.clock.retry_after(cloud.operations.told(15)),
    }
    return Response(202, None, headers)


def _group_deletion(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    operation = cloud.operations.get(params["operation"])
    if operation is None:
        raise ArmError(404, "NotFound", "The operation result was not found.", gateway=True)
    if operation.is_over:
        return Response(200)
    where = f"{request.base_url}{request.path}?api-version={request.api_version}"
    return Response(202, None, {"Location": where, "Retry-After": cloud.clock.retry_after(cloud.operations.told(15))})


def _get_deployment(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    return Response(200, _deployment(cloud, request.path, params).document)


def _list_deployments(cloud: "Cloud", request: Request, _: dict[str, str]) -> Response:
    """The deployments of one scope, not those below it; `$filter` by their state, as the reference has it.

    Raises:
        ArmError: 501 for any other filter.
    """
    text = request.query.get("$filter", "")
    wanted = _BY_STATE.fullmatch(text)
    if text and wanted is None:
        raise ArmError(501, "NotEmulated", f"The emulator does not emulate this filter of deployments: {text}")
    scope = request.path.rstrip("/").rpartition("/providers/")[0].lower()

    def rows() -> list[Stored]:
        found = cloud.state.of_type(_DEPLOYMENT_TYPE)
        own = [stored for stored in found if stored.key.rpartition("/providers/")[0] == scope]
        return [stored for stored in own if wanted is None or _state_of(stored) == wanted[1].lower()]

    return Response(200, list_page(cloud, request, rows, lambda stored: stored.document))


def _state_of(stored: Stored) -> str:
    return str(stored.document.get("properties", {}).get("provisioningState", "")).lower()


def _list_operations(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """Operations as the fleet holds them, below their deployment: `id`, `operationId` and `properties`."""
    deployment = _deployment(cloud, request.path.rpartition("/")[0], params)

    def rows() -> list[Stored]:
        return list(cloud.state.of_type(f"{_DEPLOYMENT_TYPE}/operations", parent=deployment.id))

    return Response(200, list_page(cloud, request, rows, _operation))


def _operation(stored: Stored) -> Document:
    shown = {name: value for name, value in stored.document.items() if name not in ("name", "type")}
    return {"operationId": stored.id.rpartition("/")[2], **shown}


def _deployment(cloud: "Cloud", path: str, params: dict[str, str]) -> Stored:
    """The deployment of a path; the operations of a group's are also asked for without the provider's name."""
    scope, _, name = path.lower().rpartition("/deployments/")
    scope = scope.removesuffix("/providers/microsoft.resources")
    stored = cloud.state.get(f"{scope}/providers/{_DEPLOYMENT_TYPE}/{name}")
    if stored is None:
        message = f"Deployment '{params['deployment']}' could not be found."
        raise ArmError(404, "DeploymentNotFound", message, gateway=True)
    return stored


def _list_resources(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    wanted = parse_filter(request.query.get("$filter", ""))
    expand = frozenset(part.strip().lower() for part in request.query.get("$expand", "").split(",") if part.strip())

    def rows() -> list[Stored]:
        return [stored for stored in cloud.state if _is_listed(cloud, request, stored, params, wanted)]

    return Response(200, list_page(cloud, request, rows, lambda stored: _generic(stored, expand)))


def _is_listed(cloud: "Cloud", request: Request, stored: Stored, params: dict[str, str], wanted: Filter) -> bool:
    if stored.subscription != params["subscription"].lower() or "location" not in stored.document:
        return False
    if stored.type.startswith(_UNLISTED) or stored.group != params.get("group", stored.group).lower():
        return False
    return wanted.fits(stored.document) and cloud.authorization.allows(
        request.principal, f"{stored.type}/read", stored.id
    )


_GENERIC = ("id", "name", "type", "location", "tags", "kind", "managedBy", "sku", "plan", "identity", "zones")


def _generic(stored: Stored, expand: frozenset[str]) -> Document:
    shown: Document = {name: stored.document[name] for name in _GENERIC if name in stored.document}
    properties: dict[str, Any] = stored.document.get("properties", {})
    if "provisioningstate" in expand and "provisioningState" in properties:
        shown["provisioningState"] = properties["provisioningState"]
    created = properties.get("timeCreated")
    if created is not None:
        shown.update({name: created for name in ("createdTime", "changedTime") if name.lower() in expand})
    return shown


def _object(request: Request) -> dict[str, Any]:
    if not isinstance(request.body, dict):
        message = "The request content was invalid: a JSON object is required."
        raise ArmError(400, "InvalidRequestContent", message, gateway=True)
    return request.body


_DEPLOYMENT_SCOPES = (
    "/subscriptions/{subscription}",
    _GROUP,
    "/providers/Microsoft.Management/managementGroups/{above}",
)
"""Microsoft, "Deployments" and "Deployment Operations" (REST): the operations of a resource group's deployment are
listed at `resourcegroups/{group}/deployments/{name}/operations`, those of any scope with the provider's name."""

ROUTES: tuple[Route, ...] = (
    *(
        Route("GET", f"{scope}/providers/{_DEPLOYMENT_TYPE}", _list_deployments, f"{_DEPLOYMENT_TYPE}/read")
        for scope in _DEPLOYMENT_SCOPES
    ),
    *(
        Route("GET", f"{scope}/{_DEPLOYMENT}", _get_deployment, f"{_DEPLOYMENT_TYPE}/read")
        for scope in _DEPLOYMENT_SCOPES
    ),
    *(
        Route("GET", f"{scope}/{_DEPLOYMENT}/operations", _list_operations, f"{_DEPLOYMENT_TYPE}/operations/read")
        for scope in _DEPLOYMENT_SCOPES
    ),
    Route(
        "GET",
        f"{_GROUP}/deployments/{{deployment}}/operations",
        _list_operations,
        f"{_DEPLOYMENT_TYPE}/operations/read",
    ),
    Route("GET", "/tenants", _tenants),
    Route("GET", "/subscriptions", _subscriptions),
    Route("GET", "/subscriptions/{subscription}", _subscription),
    Route("GET", "/subscriptions/{subscription}/locations", _locations),
    Route("GET", "/subscriptions/{subscription}/resources", _list_resources),
    Route("GET", "/subscriptions/{subscription}/operationresults/{operation}", _group_deletion),
    Route("GET", _GROUPS, _list_groups),
    Route("GET", _GROUP, _get_group, f"{_GROUP_ACTION}/read"),
    Route("HEAD", _GROUP, _head_group, f"{_GROUP_ACTION}/read"),
    Route("PUT", _GROUP, _put_group, f"{_GROUP_ACTION}/write"),
    Route("PATCH", _GROUP, _patch_group, f"{_GROUP_ACTION}/write"),
    Route("DELETE", _GROUP, _delete_group, f"{_GROUP_ACTION}/delete"),
    Route("GET", f"{_GROUP}/resources", _list_resources, f"{_GROUP_ACTION}/resources/read"),
)
