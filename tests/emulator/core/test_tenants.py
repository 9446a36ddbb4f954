"""Several tenants, and a subscription that one manages for another: what a token shows, changes and is refused."""

from typing import Any

import pytest
from tests.emulator.core.conftest import Client, Start

from arm_emulator.demo_fleet import PRODUCTION
from arm_emulator.directory import DEFAULT_OBJECT
from arm_emulator.fleet_documents import group_id, lock_document
from arm_emulator.fleets import FleetError, checked
from arm_emulator.profile import Profile
from arm_emulator.tenants_fleet import (
    CONTOSO,
    CONTOSO_WEEKLY,
    FABRIKAM,
    FABRIKAM_CLIENT,
    FACTORY,
    SHOP,
    SHOP_WEEKLY,
    tenants_fleet,
)

LIST = "/subscriptions?api-version=2022-12-01"
V = "?api-version=2024-07-01"
MACHINES = "providers/Microsoft.Compute/virtualMachines"
SHOP_VM = f"{group_id(SHOP, 'rg-shop')}/{MACHINES}/shop-01"
PREPARED = f"{group_id(SHOP, 'rg-shop')}/{MACHINES}/shop-02"
CONTRIBUTOR, OWNER = "b24988ac-6180-42a0-ab88-20f7382dd24c", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"


def with_delegation(**changed: Any) -> dict[str, Any]:
    """The fleet with something else delegated."""
    fleet = tenants_fleet()
    fleet["subscriptions"][2]["delegations"][0].update(changed)
    return fleet


def test_each_tenant_lists_its_own_and_what_it_manages(start: Start) -> None:
    """`tenantId` is the owner's; azure-cli calls it homeTenantId, and takes the token's for its own tenantId."""
    contoso = start(tenants_fleet())
    fabrikam = Client(contoso.emulator, FABRIKAM_CLIENT)
    managed = [{"tenantId": CONTOSO}]
    seen = [
        (one["subscriptionId"], one["tenantId"], one["managedByTenants"]) for one in contoso("GET", LIST).json["value"]
    ]
    assert seen == [(PRODUCTION, CONTOSO, []), (SHOP, FABRIKAM, managed)]
    seen = [(one["subscriptionId"], one["managedByTenants"]) for one in fabrikam("GET", LIST).json["value"]]
    assert seen == [(FACTORY, []), (SHOP, managed)]


def test_resource_graph_names_the_owner_and_no_group_above(start: Start) -> None:
    """The documentation of Lighthouse says that the tenant id is in the results."""
    contoso = start(tenants_fleet())
    rows = contoso.graph("resources | where type =~ 'microsoft.compute/virtualmachines' | project name, tenantId").json
    assert {one["name"]: one["tenantId"] for one in rows["data"]} == {
        "web-01": CONTOSO, "web-02": CONTOSO, "shop-01": FABRIKAM, "shop-02": FABRIKAM,
    }  # fmt: skip
    query = "resourcecontainers | where subscriptionId == '{}' and type == 'microsoft.resources/subscriptions'"
    (row,) = contoso.graph(query.format(SHOP)).json["data"]
    assert row["properties"]["managedByTenants"] == [{"tenantId": CONTOSO}]
    assert row["properties"]["managementGroupAncestorsChain"] == []
    below = contoso.graph("resources | project name", managementGroups=[CONTOSO]).json["data"]
    assert not {"shop-01", "mes-01"} & {one["name"] for one in below}


def test_the_wrong_tenant_is_refused_as_azure_does(start: Start) -> None:
    """Azure/azure-sdk-for-net issue 49391 and others have the code and the sentence."""
    answer = start(tenants_fleet())("GET", f"/subscriptions/{FACTORY}/resourcegroups{V}")
    assert (answer.status, answer.code) == (401, "InvalidAuthenticationTokenTenant")
    assert f"It must match the tenant 'https://localhost:1/{FABRIKAM}/'" in answer.json["error"]["message"]
    headers = {name.lower(): value for name, value in answer.headers.items()}
    assert f'authorization_uri="https://localhost:1/{FABRIKAM}"' in headers["www-authenticate"]


def test_a_delegation_gives_its_role_to_its_principals_only(start: Start) -> None:
    """A principal of the managing tenant that is not named sees nothing, and no role assignment is listed."""
    contoso = start(tenants_fleet())
    body = {"tags": {"changed": "yes"}}
    assert contoso("PATCH", f"{SHOP_VM}{V}", body).status == 200
    listed = contoso(
        "GET", f"/subscriptions/{SHOP}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01"
    )
    assert DEFAULT_OBJECT not in [one["properties"]["principalId"] for one in listed.json["value"]]
    other = [{"principalId": "99999999-9999-9999-9999-999999999999", "roleDefinitionId": CONTRIBUTOR}]
    stranger = start(with_delegation(authorizations=other))
    assert [one["subscriptionId"] for one in stranger("GET", LIST).json["value"]] == [PRODUCTION]
    assert stranger("GET", f"{SHOP_VM}{V}").code == "AuthorizationFailed"


def test_a_delegated_group_shows_the_subscription_and_no_other_group(start: Start) -> None:
    contoso = start(with_delegation(resourceGroup="rg-shop"))
    assert SHOP in [one["subscriptionId"] for one in contoso("GET", LIST).json["value"]]
    assert contoso("GET", f"{SHOP_VM}{V}").status == 200
    assert start(with_delegation(resourceGroup="rg-other"))("GET", f"{SHOP_VM}{V}").code == "AuthorizationFailed"


@pytest.mark.parametrize(("answer", "status"), [("ignored", 200), ("refused", 409)])
def test_a_lock_of_the_owner(start: Start, answer: Any, status: int) -> None:
    """Lighthouse's documentation says that locks do not stop who manages; the owner's own writes they do."""
    fleet = {**tenants_fleet(), "locks": [lock_document(group_id(SHOP, "rg-shop"), "frozen", "ReadOnly", "")]}
    contoso = start(fleet, profile=Profile(delegated_locks=answer))
    body = {"tags": {"changed": "yes"}}
    assert contoso("PATCH", f"{SHOP_VM}{V}", body).status == status
    assert Client(contoso.emulator, FABRIKAM_CLIENT)("PATCH", f"{SHOP_VM}{V}", body).status == 409


@pytest.mark.parametrize(("answer", "status"), [("refused", 403), ("accepted", 200)])
def test_a_schedule_of_another_tenant(start: Start, answer: Any, status: int) -> None:
    """Nobody has said what Azure answers; one of the machine's own tenant is attached in any case."""
    contoso = start(tenants_fleet(), profile=Profile(assignment_across_tenants=answer))
    assigned = f"{PREPARED}/providers/Microsoft.Maintenance/configurationAssignments"
    scoped = f"/subscriptions/{SHOP}/providers/Microsoft.Maintenance/configurationAssignments"
    api = "?api-version=2023-04-01"

    def attach(place: str, configuration: str, **more: Any) -> Any:
        properties = {"maintenanceConfigurationId": configuration, **more}
        return contoso("PUT", f"{place}/one{api}", {"location": "westeurope", "properties": properties})

    done = attach(assigned, CONTOSO_WEEKLY)
    assert done.status == status
    if status == 403:
        assert done.code == "LinkedAuthorizationFailed"
        assert f"the current tenant '{CONTOSO}' is not authorized" in done.json["error"]["message"]
    assert attach(scoped, CONTOSO_WEEKLY, filter={"osTypes": ["Windows"]}).status == status
    assert attach(assigned, SHOP_WEEKLY).status == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"authorizations": [{"principalId": DEFAULT_OBJECT, "roleDefinitionId": OWNER}]},
        {"authorizations": [{"principalId": DEFAULT_OBJECT, "roleDefinitionId": "custom"}]},
        {"authorizations": "all"},
        {"managedByTenantId": 1},
    ],
)
def test_what_lighthouse_does_not_have_is_no_fleet(changed: dict[str, Any]) -> None:
    with pytest.raises(FleetError, match=r"subscriptions\[2\]\.delegations\[0\]"):
        checked(with_delegation(**changed))


def test_a_delegation_survives_a_restart(start: Start) -> None:
    """What a store remembers is a fleet document."""
    from arm_emulator.fleets import directory_of

    document = checked(directory_of(start(tenants_fleet()).emulator.directory))
    assert document["subscriptions"][2]["delegations"] == tenants_fleet()["subscriptions"][2]["delegations"]
