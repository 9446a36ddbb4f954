"""Provider registration: which namespaces a subscription may use, and the api-versions of their types."""

from datetime import timedelta
from typing import TYPE_CHECKING

from arm_emulator.protocol.http import ArmError, Request, Response
from arm_emulator.protocol.routing import Route
from arm_emulator.providers.fleet_reads import TYPES
from arm_emulator.state import Document

if TYPE_CHECKING:
    from arm_emulator.directory import Subscription
    from arm_emulator.protocol.cloud import Cloud

REGISTRATION_S = 30.0
"""How long a registration stays ``Registering``, unless ``--lro-seconds`` says otherwise. Drawn by hand."""

_COMPUTE = (
    "2026-04-01", "2026-03-01", "2025-11-01", "2025-04-01", "2024-11-01", "2024-07-01", "2024-03-01", "2023-09-01",
    "2023-07-01", "2023-03-01", "2022-11-01", "2022-08-01", "2022-03-01", "2021-11-01", "2021-07-01", "2021-04-01",
    "2021-03-01", "2020-12-01", "2020-06-01", "2019-12-01", "2019-07-01", "2019-03-01", "2018-10-01", "2018-06-01",
    "2018-04-01", "2017-12-01", "2017-03-30",
)  # fmt: skip
_MAINTENANCE = ("2023-10-01-preview", "2023-09-01-preview", "2023-04-01", "2022-11-01-preview", "2021-09-01-preview")
_HYBRID = ("2026-07-15", "2025-01-13", "2024-07-10", "2023-10-03-preview", "2022-12-27")
_EVENTS = ("2025-02-15", "2022-06-15", "2021-12-01")
_RESOURCES = ("2024-11-01", "2024-03-01", "2023-07-01", "2022-09-01", "2021-04-01", "2020-06-01", "2019-05-01")

PROVIDERS: dict[str, dict[str, tuple[str, ...]]] = {
    "Microsoft.Compute": {
        "virtualMachines": _COMPUTE,
        "virtualMachines/extensions": _COMPUTE,
        "virtualMachineScaleSets": _COMPUTE,
        "locations/operations": _COMPUTE,
    },
    "Microsoft.HybridCompute": {"machines": _HYBRID, "machines/extensions": _HYBRID},
    "Microsoft.Maintenance": {
        "maintenanceConfigurations": _MAINTENANCE,
        "configurationAssignments": _MAINTENANCE,
        "applyUpdates": _MAINTENANCE,
        "updates": _MAINTENANCE,
    },
    "Microsoft.EventGrid": {
        "systemTopics": _EVENTS,
        "systemTopics/eventSubscriptions": _EVENTS,
        "eventSubscriptions": _EVENTS,
    },
    "Microsoft.Network": {"networkInterfaces": ("2024-05-01", "2023-09-01", "2022-01-01")},
    "Microsoft.Resources": {"subscriptions": _RESOURCES, "resourceGroups": _RESOURCES, "tags": _RESOURCES},
    "Microsoft.Authorization": {
        "locks": ("2020-05-01", "2016-09-01"),
        "roleAssignments": ("2022-04-01", "2020-10-01-preview", "2015-07-01"),
        "roleDefinitions": ("2022-04-01", "2018-07-01", "2015-07-01"),
        "denyAssignments": ("2022-04-01", "2018-07-01-preview"),
        "permissions": ("2022-04-01", "2018-07-01", "2015-07-01"),
    },
    "Microsoft.Management": {"managementGroups": ("2023-04-01", "2021-04-01", "2020-05-01")},
    "Microsoft.ResourceGraph": {"resources": ("2024-04-01", "2022-10-01", "2021-03-01", "2019-04-01")},
}
"""What is emulated, with the api-versions that clients may find listed (newest first; az takes the first)."""
_OF_FLEETS = {
    "Microsoft.Compute": _COMPUTE,
    "Microsoft.ManagedIdentity": ("2023-01-31", "2018-11-30"),
    "Microsoft.Network": ("2024-05-01", "2023-09-01", "2022-01-01"),
}
for _type in TYPES:
    _namespace = _type.partition("/")[0]
    PROVIDERS.setdefault(_namespace, {}).setdefault(_type.partition("/")[2], _OF_FLEETS[_namespace])


def _list(cloud: "Cloud", _: Request, params: dict[str, str]) -> Response:
    found = _subscription(cloud, params)
    return Response(200, {"value": [_provider(name, found) for name in PROVIDERS]})


def _get(cloud: "Cloud", _: Request, params: dict[str, str]) -> Response:
    return Response(200, _provider(_name(params), _subscription(cloud, params)))


def _register(cloud: "Cloud", _: Request, params: dict[str, str]) -> Response:
    name, found = _name(params), _subscription(cloud, params)
    namespace = name.lower()
    if found is not None and namespace in found.unregistered and namespace not in found.registering:
        found.registering.add(namespace)
        length = REGISTRATION_S if cloud.operations.seconds is None else cloud.operations.seconds

        def done() -> None:
            found.registering.discard(namespace)
            found.unregistered.discard(namespace)
            cloud.keep_directory()

        cloud.clock.call_at(cloud.clock.now() + timedelta(seconds=length), done)
    return Response(200, _provider(name, found))


def _unregister(cloud: "Cloud", _: Request, params: dict[str, str]) -> Response:
    name, found = _name(params), _subscription(cloud, params)
    if found is not None:
        found.unregistered.add(name.lower())
        cloud.keep_directory()
    return Response(200, _provider(name, found))


def _subscription(cloud: "Cloud", params: dict[str, str]) -> "Subscription | None":
    return cloud.directory.subscription(params["subscription"]) if "subscription" in params else None


def _name(params: dict[str, str]) -> str:
    wanted = params["namespace"].lower()
    for name in PROVIDERS:
        if name.lower() == wanted:
            return name
    message = f"The emulator does not emulate the resource namespace '{params['namespace']}'."
    raise ArmError(501, "NotEmulated", message)


def _provider(name: str, subscription: "Subscription | None") -> Document:
    body: Document = {
        "namespace": name,
        "resourceTypes": [
            {"resourceType": type_, "locations": [], "apiVersions": list(versions), "capabilities": "None"}
            for type_, versions in PROVIDERS[name].items()
        ],
    }
    if subscription is not None:
        body["id"] = f"/subscriptions/{subscription.id}/providers/{name}"
        body["registrationState"] = _state(name.lower(), subscription)
        body["registrationPolicy"] = "RegistrationRequired"
    return body


def _state(namespace: str, subscription: "Subscription") -> str:
    if namespace in subscription.registering:
        return "Registering"
    return "NotRegistered" if namespace in subscription.unregistered else "Registered"


def _features(_: "Cloud", __: Request, ___: dict[str, str]) -> Response:
    """Preview features: a subscription here has registered none, and none is offered."""
    return Response(200, {"value": []})


_FEATURES = "/subscriptions/{subscription}/providers/Microsoft.Features"
_ONE = "/subscriptions/{subscription}/providers/{namespace}"
ROUTES: tuple[Route, ...] = (
    Route("GET", "/providers", _list),
    Route("GET", "/providers/{namespace}", _get),
    Route("GET", "/subscriptions/{subscription}/providers", _list),
    Route("GET", _ONE, _get),
    Route("GET", f"{_FEATURES}/features", _features, "Microsoft.Features/features/read"),
    Route("GET", f"{_FEATURES}/providers/{{namespace}}/features", _features, "Microsoft.Features/features/read"),
    Route("POST", f"{_ONE}/register", _register, "{namespace}/register/action"),
    Route("POST", f"{_ONE}/unregister", _unregister, "{namespace}/unregister/action"),
)
