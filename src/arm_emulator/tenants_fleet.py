"""The built-in fleet ``tenants``: two tenants, and a subscription of the second that the first manages by Lighthouse.

The principal of the ready file belongs to Contoso, and to no other tenant. Fabrikam has a service principal of its own.
"""

from typing import Any

from arm_emulator.demo_fleet import BY_PLATFORM, PRODUCTION, SCHEDULED
from arm_emulator.directory import DEFAULT_CLIENT, DEFAULT_OBJECT, DEFAULT_TENANT
from arm_emulator.fleet_documents import Json, Machine, group_id, machine_document
from arm_emulator.fleets import group_document
from arm_emulator.schedules_fleet import assignment_document, configuration_document
from arm_emulator.state import Document

CONTOSO = DEFAULT_TENANT
FABRIKAM = "12121212-1212-1212-1212-121212121212"
FABRIKAM_CLIENT = "34343434-3434-3434-3434-343434343434"
FABRIKAM_OBJECT = "45454545-4545-4545-4545-454545454545"
FACTORY = "56565656-5656-5656-5656-565656565656"
"""Fabrikam's own subscription, which Contoso does not see."""
SHOP = "67676767-6767-6767-6767-676767676767"
"""Fabrikam's subscription that is delegated to Contoso."""
_CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
"""Microsoft's public id of the built-in role."""
_GROUPS = {PRODUCTION: "rg-app", FACTORY: "rg-factory", SHOP: "rg-shop"}
_CONFIGURATIONS = "providers/Microsoft.Maintenance/maintenanceConfigurations"
CONTOSO_WEEKLY = f"{group_id(PRODUCTION, 'rg-app')}/{_CONFIGURATIONS}/contoso-weekly"
SHOP_WEEKLY = f"{group_id(SHOP, 'rg-shop')}/{_CONFIGURATIONS}/shop-weekly"


def tenants_fleet() -> dict[str, Any]:
    """Two machines in each of three subscriptions; a weekly schedule in Contoso's, and one in the delegated one."""
    machines = (
        Machine(PRODUCTION, "rg-app", "web-01", "ws2022"),
        Machine(PRODUCTION, "rg-app", "web-02", "ws2022", patch=SCHEDULED),
        Machine(FACTORY, "rg-factory", "mes-01", "ubuntu2204"),
        Machine(FACTORY, "rg-factory", "mes-02", "rhel9", patch=BY_PLATFORM),
        Machine(SHOP, "rg-shop", "shop-01", "ws2022"),
        Machine(SHOP, "rg-shop", "shop-02", "ubuntu2204", patch=SCHEDULED),
    )
    return {
        "tenants": [
            {"tenantId": CONTOSO, "displayName": "Contoso"},
            {"tenantId": FABRIKAM, "displayName": "Fabrikam"},
        ],
        "subscriptions": [
            {"subscriptionId": PRODUCTION, "displayName": "Contoso Production", "tenantId": CONTOSO},
            {"subscriptionId": FACTORY, "displayName": "Fabrikam Factory", "tenantId": FABRIKAM},
            {
                "subscriptionId": SHOP,
                "displayName": "Fabrikam Shop",
                "tenantId": FABRIKAM,
                "delegations": [
                    {
                        "managedByTenantId": CONTOSO,
                        "authorizations": [{"principalId": DEFAULT_OBJECT, "roleDefinitionId": _CONTRIBUTOR}],
                    }
                ],
            },
        ],
        "principals": [
            {
                "clientId": DEFAULT_CLIENT,
                "objectId": DEFAULT_OBJECT,
                "displayName": "contoso-patching",
                "tenantId": CONTOSO,
            },
            {
                "clientId": FABRIKAM_CLIENT,
                "objectId": FABRIKAM_OBJECT,
                "displayName": "fabrikam-patching",
                "tenantId": FABRIKAM,
            },
        ],
        "roleAssignments": [_contributor(FACTORY), _contributor(SHOP)],
        "resources": [
            *(group_document(group_id(place, name), name, "westeurope") for place, name in _GROUPS.items()),
            *map(machine_document, machines),
            *_schedules(),
        ],
    }


def _schedules() -> list[Document]:
    member = f"{group_id(SHOP, 'rg-shop')}/providers/Microsoft.Compute/virtualMachines/shop-02"
    return [
        configuration_document(CONTOSO_WEEKLY, recur_every="Week Saturday"),
        configuration_document(SHOP_WEEKLY, recur_every="Week Saturday"),
        assignment_document(member, "weekly", SHOP_WEEKLY),
    ]


def _contributor(subscription: str) -> Json:
    scope = f"/subscriptions/{subscription}"
    authorization = f"{scope}/providers/Microsoft.Authorization"
    return {
        "id": f"{authorization}/roleAssignments/78787878-7878-7878-7878-{subscription[-12:]}",
        "type": "Microsoft.Authorization/roleAssignments",
        "name": f"78787878-7878-7878-7878-{subscription[-12:]}",
        "properties": {
            "roleDefinitionId": f"{authorization}/roleDefinitions/{_CONTRIBUTOR}",
            "principalId": FABRIKAM_OBJECT,
            "principalType": "ServicePrincipal",
            "scope": scope,
        },
    }
