"""The built-in fleet ``policies``: the fleet ``schedules`` with assignments of Azure Policy's built-ins.

They are as one meets them: narrowed by tags, for one operating system only, with a notScope and an exemption.
"""

from typing import Any

from arm_emulator.demo_fleet import PRODUCTION
from arm_emulator.fleet_documents import Json, group_id
from arm_emulator.providers.policy_definitions import PERIODIC_ASSESSMENT, PREREQUISITE, RECURRING_UPDATES
from arm_emulator.schedules_fleet import NIGHTLY, schedules_fleet
from arm_emulator.state import Document

_AUTHORIZATION = "providers/Microsoft.Authorization"
_IDENTITY = "99999999-9999-9999-9999-999999999999"
_APP = group_id(PRODUCTION, "rg-app")
_SUBSCRIPTION = f"/subscriptions/{PRODUCTION}"


def policies_fleet() -> dict[str, Any]:
    """The fleet ``schedules`` with assignments.

    - ``aum-prerequisite`` at the production subscription: the resource groups rg-app and RG-DATA-PROD, without the
      locked group (notScope); the resource group of the databases has an exemption for SQL-01.
    - ``aum-assessment`` at the same place, for Windows: nobody made one for Linux.
    The identity of all of them is Contributor of the subscription.

    - ``aum-nightly`` at rg-app: attaches mc-nightly to machines with the tag ``ring=1``.
    """
    fleet = schedules_fleet()
    policies = [
        assignment_document(
            _SUBSCRIPTION,
            "aum-prerequisite",
            PREREQUISITE,
            "Update Manager: prerequisite",
            {"resourceGroups": ["rg-app", "RG-DATA-PROD", "rg-locked"]},
            not_scopes=[group_id(PRODUCTION, "rg-locked")],
        ),
        assignment_document(
            _SUBSCRIPTION, "aum-assessment", PERIODIC_ASSESSMENT, "Update Manager: assessment", {"osType": "Windows"}
        ),
        assignment_document(
            _APP,
            "aum-nightly",
            RECURRING_UPDATES,
            "Update Manager: nightly",
            {"maintenanceConfigurationResourceId": NIGHTLY, "tagValues": [{"key": "ring", "value": "1"}]},
        ),
        exemption_document(
            f"{group_id(PRODUCTION, 'RG-DATA-PROD')}/providers/Microsoft.Compute/virtualMachines/SQL-01",
            "cluster-updates-itself",
            f"{_SUBSCRIPTION}/{_AUTHORIZATION}/policyAssignments/aum-prerequisite",
        ),
    ]
    return {**fleet, "resources": [*fleet["resources"], *policies, _role()]}


def _role() -> Document:
    """Contributor for the identity of the assignments, as the definitions name it and the portal gives it."""
    contributor = "b24988ac-6180-42a0-ab88-20f7382dd24c"
    return {
        "id": f"{_SUBSCRIPTION}/{_AUTHORIZATION}/roleAssignments/77777777-7777-7777-7777-777777777777",
        "type": "Microsoft.Authorization/roleAssignments",
        "name": "77777777-7777-7777-7777-777777777777",
        "properties": {
            "roleDefinitionId": f"{_SUBSCRIPTION}/{_AUTHORIZATION}/roleDefinitions/{contributor}",
            "principalId": _IDENTITY,
            "principalType": "ServicePrincipal",
            "scope": _SUBSCRIPTION,
        },
    }


def assignment_document(
    scope: str, name: str, definition: str, title: str, parameters: Json, *, not_scopes: list[str] | None = None
) -> Document:
    """An assignment with a system-assigned identity, as a GET with api-version 2023-04-01 answers it.

    Args:
        scope: the id of a management group, a subscription, a resource group or a resource.
        name: the last part of its id.
        definition: the guid of a built-in definition.
        title: its display name.
        parameters: name → value.
        not_scopes: ids below the scope.
    """
    return {
        "id": f"{scope}/{_AUTHORIZATION}/policyAssignments/{name}",
        "type": "Microsoft.Authorization/policyAssignments",
        "name": name,
        "location": "westeurope",
        "identity": {
            "type": "SystemAssigned",
            "principalId": _IDENTITY,
            "tenantId": "11111111-1111-1111-1111-111111111111",
        },
        "properties": {
            "displayName": title,
            "policyDefinitionId": f"/{_AUTHORIZATION}/policyDefinitions/{definition}",
            "scope": scope,
            "notScopes": not_scopes or [],
            "parameters": {key: {"value": value} for key, value in parameters.items()},
            "enforcementMode": "Default",
        },
    }


def exemption_document(scope: str, name: str, assignment_id: str) -> Document:
    """An exemption without an end, as a GET with api-version 2022-07-01-preview answers it."""
    return {
        "id": f"{scope}/{_AUTHORIZATION}/policyExemptions/{name}",
        "type": "Microsoft.Authorization/policyExemptions",
        "name": name,
        "properties": {
            "policyAssignmentId": assignment_id,
            "policyDefinitionReferenceIds": [],
            "exemptionCategory": "Waiver",
            "displayName": name,
        },
    }
