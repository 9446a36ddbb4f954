"""A fleet of two subscriptions with two service principals, and how they sign in."""

from collections.abc import Iterable, Mapping
from typing import Any

from tests.unit.workflow.fleet_double import OTHER_SUBSCRIPTION, SUBSCRIPTION, vm

from patchmode.model.access import SecretVariable, ServicePrincipal

TENANT = "99999999-9999-9999-9999-999999999999"
BLUE, GREEN = "bbbbbbbb-0000-0000-0000-000000000001", "bbbbbbbb-0000-0000-0000-000000000002"
CLIENTS = {"blue": BLUE, "green": GREEN}
CONTRIBUTOR, READER = "b24988ac-6180-42a0-ab88-20f7382dd24c", "acdd72a7-3385-48ef-bd42-f606fba81ae7"
"""Microsoft's public role ids."""
ONE, TWO = f"/subscriptions/{SUBSCRIPTION}", f"/subscriptions/{OTHER_SUBSCRIPTION}"
EACH_ITS_OWN: Mapping[str, Iterable[tuple[str, str]]] = {
    "blue": [(ONE, CONTRIBUTOR)],
    "green": [(TWO, CONTRIBUTOR)],
}
BOTH_EVERYTHING: Mapping[str, Iterable[tuple[str, str]]] = {
    name: [(ONE, CONTRIBUTOR), (TWO, CONTRIBUTOR)] for name in CLIENTS
}
SECRETS = {f"{name.upper()}_SECRET": f"{name}-not-a-secret" for name in CLIENTS}
"""What the environment must hold."""


def fleet_for(
    roles: Mapping[str, Iterable[tuple[str, str]]], *, machines: Iterable[dict[str, Any]] = ()
) -> dict[str, Any]:
    """A fleet in which principals have roles.

    Args:
        roles: principal's name → (scope, role) of its assignments.
        machines: documents; none: `app`, `db` and `web` in the first subscription, `old` and `new` in the other.
    """
    assignments = [
        {
            "id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}-{number}",
            "properties": {
                "principalId": CLIENTS[name],
                "scope": scope,
                "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{role}",
            },
        }
        for name, granted in roles.items()
        for number, (scope, role) in enumerate(granted)
    ]
    standard = [*map(vm, ("app", "db", "web")), *(vm(name, subscription=OTHER_SUBSCRIPTION) for name in ("new", "old"))]
    return {
        "subscriptions": [
            {"subscriptionId": SUBSCRIPTION, "displayName": "Prod", "tenantId": TENANT, "managementGroup": "top"},
            {"subscriptionId": OTHER_SUBSCRIPTION, "displayName": "Test", "tenantId": TENANT, "managementGroup": "top"},
        ],
        "managementGroups": [{"name": "top"}],
        "principals": [
            {
                "clientId": client,
                "displayName": name,
                "tenantId": TENANT,
                "clientSecret": SECRETS[f"{name.upper()}_SECRET"],
            }
            for name, client in CLIENTS.items()
        ],
        "roleAssignments": assignments,
        "resources": list(machines) or standard,
    }


def principals(*names: str) -> list[ServicePrincipal]:
    """Both, or those named, with their secrets in the environment."""
    return [
        ServicePrincipal(name, TENANT, CLIENTS[name], SecretVariable(f"{name.upper()}_SECRET"))
        for name in names or CLIENTS
    ]
