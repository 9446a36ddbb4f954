"""The order of the front door's checks, and the exact refusals."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.emulator.core.conftest import SUBSCRIPTION, Client, Start, machine

from arm_emulator.demo_fleet import PRODUCTION, demo_fleet
from arm_emulator.profile import Profile
from arm_emulator.protocol.wire import Call
from arm_emulator.providers.fleet_reads import TYPES
from arm_emulator.routes import routes

SUB = "/subscriptions/22222222-2222-2222-2222-222222222222"
VM = f"{SUB}/resourceGroups/rg-app/providers/Microsoft.Compute/virtualMachines"
V = "?api-version=2024-07-01"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
"""Microsoft's public role ids."""
EVE = "77777777-7777-7777-7777-777777777777"


def role(scope: str, definition: str, principal: str = EVE) -> dict[str, Any]:
    return {
        "id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/8888-{len(scope)}",
        "properties": {
            "principalId": principal,
            "scope": scope or "/",
            "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{definition}",
        },
    }


@pytest.fixture
def eve(start: Start, fleet: dict[str, Any]) -> Callable[..., Client]:
    """A second principal with the roles given."""

    def make(*assignments: dict[str, Any], **more: Any) -> Client:
        principals = [{"clientId": EVE, "objectId": EVE, "displayName": "Eve"}]
        own = start({**fleet, "principals": principals, "roleAssignments": list(assignments), **more})
        return Client(own.emulator, EVE)

    return make


@pytest.mark.parametrize(
    ("method", "target", "status", "code"),
    [
        ("GET", f"{VM}/a", 400, "MissingApiVersionParameter"),
        ("GET", f"{VM}/a?api-version=now", 400, "InvalidApiVersionParameter"),
        ("GET", f"{VM}/a?api-version=2024-07-99", 400, "InvalidApiVersionParameter"),
        ("GET", f"{VM}/a?api-version=2023-02-29", 400, "InvalidApiVersionParameter"),
        ("GET", f"{VM}/a?api-version=2024-07-01-gamma", 400, "InvalidApiVersionParameter"),
        ("GET", f"{VM}/a?api-version=2099-01-01", 400, "NoRegisteredProviderFound"),
        ("GET", f"{VM}/a?api-version=2099-01-01-preview", 400, "NoRegisteredProviderFound"),
        ("GET", f"/subscriptions/99999999-9999-9999-9999-999999999999/resourcegroups{V}", 404, "SubscriptionNotFound"),
        ("GET", f"{VM.replace('rg-app', 'gone')}/a{V}", 404, "ResourceGroupNotFound"),
        ("GET", f"{VM}/gone{V}", 404, "ResourceNotFound"),
        ("GET", f"{SUB}/resourceGroups/gone{V}", 404, "ResourceGroupNotFound"),
        ("GET", f"{SUB}/providers/Microsoft.Storage/storageAccounts{V}", 501, "NotEmulated"),
        ("PUT", f"{SUB}/providers/Microsoft.Compute/virtualMachines{V}", 501, "NotEmulated"),
        ("GET", f"/nowhere{V}", 501, "NotEmulated"),
    ],
)
def test_each_refusal_has_its_own_code(
    start: Start, fleet: dict[str, Any], method: str, target: str, status: int, code: str
) -> None:
    """A client tells these apart by code, so none may stand for another."""
    seen = start(fleet)(method, target)
    assert (seen.status, seen.code) == (status, code)


def test_wording_of_a_missing_machine(start: Start, fleet: dict[str, Any]) -> None:
    """The recorded sentence, and the mark that the front door refused."""
    seen = start(fleet)("GET", f"{VM}/gone{V}")
    assert seen.json["error"]["message"] == (
        "The Resource 'Microsoft.Compute/virtualMachines/gone' under resource group 'rg-app' was not found. For more "
        "details please go to https://aka.ms/ARMResourceNotFoundFix"
    )
    assert seen.headers["x-ms-failure-cause"] == "gateway"


def test_missing_subscription_may_be_forbidden(start: Start, fleet: dict[str, Any]) -> None:
    """Which of the two Azure answers is unconfirmed, so both are there."""
    client = start(fleet, profile=Profile(missing_subscription="forbidden"))
    assert client("GET", f"/subscriptions/99999999-9999-9999-9999-999999999999/resourcegroups{V}").status == 403


def test_common_headers(start: Start, fleet: dict[str, Any]) -> None:
    """Every answer carries what every recorded answer carries."""
    headers = start(fleet)("GET", f"{SUB}/resourcegroups{V}").headers
    assert headers["Cache-Control"] == "no-cache"
    assert headers["Pragma"] == "no-cache"
    assert headers["Expires"] == "-1"
    assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["x-ms-routing-request-id"].startswith("WESTEUROPE:20300107T120000Z:")
    assert headers["Date"] == "Mon, 07 Jan 2030 12:00:00 GMT"
    assert headers["x-ms-ratelimit-remaining-subscription-reads"] == "249"
    assert headers["x-ms-ratelimit-remaining-subscription-global-reads"] == "3749"


@pytest.mark.parametrize(("asked", "echoed"), [("true", True), ("false", False), ("", False)])
def test_client_request_id_is_echoed_on_request_only(
    start: Start, fleet: dict[str, Any], asked: str, echoed: bool
) -> None:
    """The echo is opt-in."""
    given = {"x-ms-client-request-id": "abc", "x-ms-return-client-request-id": asked}
    seen = start(fleet)("GET", f"{SUB}/resourcegroups{V}", headers=given)
    assert ("x-ms-client-request-id" in seen.headers) is echoed


def test_paths_are_taken_in_any_casing_and_with_double_slashes(start: Start, fleet: dict[str, Any]) -> None:
    """Clients write resourcegroups, resourceGroups and worse."""
    client = start(fleet)
    shouting = f"/{VM.upper().replace('SUBSCRIPTIONS', 'Subscriptions')}/A{V}"
    assert client("GET", shouting).status == 200


def test_a_principal_without_a_role_sees_no_subscription(eve: Callable[..., Client]) -> None:
    """Lists hide it, a direct call is refused."""
    client = eve()
    assert client("GET", f"/subscriptions{V}").json["value"] == []
    assert client("GET", f"{VM}/a{V}").code == "AuthorizationFailed"


def test_a_reader_may_read_and_not_write(eve: Callable[..., Client]) -> None:
    """The refusal names client, action and scope, word for word."""
    client = eve(role(SUB, READER))
    assert client("GET", f"{VM}/a{V}").status == 200
    seen = client("PATCH", f"{VM}/a{V}", {"tags": {}})
    assert seen.status == 403
    assert seen.json["error"]["message"] == (
        f"The client '{EVE}' with object id '{EVE}' does not have authorization to perform action "
        f"'Microsoft.Compute/virtualMachines/write' over scope '{VM}/a' or the scope is invalid. If access was "
        "recently granted, please refresh your credentials."
    )


def test_a_role_on_a_group_does_not_reach_the_operations_of_its_subscription(eve: Callable[..., Client]) -> None:
    """locations/operations/read is a subscription's action: such a principal must poll the machine."""
    client = eve(role(f"{SUB}/resourceGroups/rg-app", OWNER))
    changed = client("PATCH", f"{VM}/a{V}", {"properties": {"licenseType": "RHEL_BYOS"}})
    assert changed.status == 200
    assert client("GET", changed.headers["Azure-AsyncOperation"]).code == "AuthorizationFailed"
    assert client("GET", f"{VM.replace('rg-app', 'RG-Data')}/c{V}").code == "AuthorizationFailed"


def test_a_role_on_a_management_group_reaches_its_subscriptions(
    eve: Callable[..., Client], fleet: dict[str, Any]
) -> None:
    """Inheritance goes through the groups above."""
    above = "/providers/Microsoft.Management/managementGroups/mg-top"
    fleet["subscriptions"][0]["managementGroup"] = "mg-low"
    groups = [{"name": "mg-top"}, {"name": "mg-low", "parent": "mg-top"}]
    client = eve(role(above, READER), managementGroups=groups)
    assert client("GET", f"{VM}/a{V}").status == 200


def test_permissions_are_those_of_the_roles(eve: Callable[..., Client]) -> None:
    """The doctor reads this to say what is missing."""
    client = eve(role(f"{SUB}/resourceGroups/rg-app", READER))
    at_group = client("GET", f"{SUB}/resourceGroups/rg-app/providers/Microsoft.Authorization/permissions{V}").json
    at_subscription = client("GET", f"{SUB}/providers/Microsoft.Authorization/permissions{V}").json
    assert [entry["actions"] for entry in at_group["value"]] == [["*/read"]]
    assert at_subscription["value"] == []


@pytest.mark.parametrize(
    ("level", "patch", "delete"), [("ReadOnly", "ScopeLocked", "ScopeLocked"), ("CanNotDelete", "", "ScopeLocked")]
)
@pytest.mark.parametrize("scope", [SUB, f"{SUB}/resourceGroups/rg-app", f"{VM}/a"])
def test_locks_hold_at_and_below_their_scope(
    start: Start, fleet: dict[str, Any], level: str, patch: str, delete: str, scope: str
) -> None:
    """A CanNotDelete lock does not block a PATCH; a ReadOnly one does, wherever it stands above."""
    client = start(fleet)
    lock = f"{scope}/providers/Microsoft.Authorization/locks/l{V}"
    assert client("PUT", lock, {"properties": {"level": level}}).status == 201
    patched = client("PATCH", f"{VM}/a{V}", {"tags": {"x": "y"}})
    assert (patched.code if patched.status >= 400 else "") == patch
    deleted = client("DELETE", f"{VM}/a{V}")
    assert (deleted.status, deleted.code) == (409, delete)
    assert client("DELETE", lock).status == 200
    assert client("PATCH", f"{VM}/a{V}", {"tags": {"x": "z"}}).status == 200


def test_a_lock_elsewhere_holds_nothing(start: Start, fleet: dict[str, Any]) -> None:
    """Neither a sibling machine's lock nor another group's."""
    client = start(fleet)
    client("PUT", f"{VM}/b/providers/Microsoft.Authorization/locks/l{V}", {"properties": {"level": "ReadOnly"}})
    assert client("PATCH", f"{VM}/a{V}", {"tags": {}}).status == 200


def test_deny_assignments_refuse_what_a_role_allows(start: Start) -> None:
    """AKS and Databricks groups refuse writes to their owner too, and reads go through."""
    client = start(demo_fleet())
    node = f"{SUB}/resourceGroups/MC_aks-prod_westeurope/providers/Microsoft.Compute/virtualMachines/aks-pool1-0{V}"
    assert client("GET", node).status == 200
    seen = client("PATCH", node, {"tags": {}})
    assert (seen.status, seen.code) == (403, "DenyAssignmentAuthorizationFailed")
    assert (
        "because of the deny assignment with name 'System deny assignment created by" in seen.json["error"]["message"]
    )


def test_an_unregistered_provider_refuses_writes(start: Start) -> None:
    """MissingSubscriptionRegistration names the namespace; registering cures it after a while."""
    client = start(demo_fleet())
    sandbox = "/subscriptions/66666666-6666-6666-6666-666666666666"
    group = f"{sandbox}/resourceGroups/rg-sandbox"
    target = f"{group}/providers/Microsoft.Maintenance/maintenanceConfigurations/m?api-version=2023-04-01"
    seen = client("PUT", target, {})
    assert (seen.status, seen.code) == (409, "MissingSubscriptionRegistration")
    assert seen.json["error"]["details"][0]["target"] == "Microsoft.Maintenance"
    provider = f"{sandbox}/providers/Microsoft.Maintenance"
    assert client("POST", f"{provider}/register{V}").json["registrationState"] == "Registering"
    client("POST", "/_emulator/clock", {"advance": "PT1M"})
    assert client("GET", f"{provider}{V}").json["registrationState"] == "Registered"
    assert "MissingSubscriptionRegistration" not in client("PUT", target, {}).body.decode()


def test_the_order_of_the_checks(eve: Callable[..., Client]) -> None:
    """RBAC stands before locks, and both before the resource group is looked for."""
    client = eve(role(f"{SUB}/resourceGroups/rg-app", OWNER))
    lock = f"{SUB}/resourceGroups/rg-app/providers/Microsoft.Authorization/locks/l{V}"
    client("PUT", lock, {"properties": {"level": "ReadOnly"}})
    assert client("PATCH", f"{VM}/gone{V}", {}).code == "ScopeLocked"
    assert client("PATCH", f"{VM.replace('rg-app', 'gone')}/a{V}", {}).code == "AuthorizationFailed"


def test_a_disabled_subscription_is_read_only(start: Start, fleet: dict[str, Any]) -> None:
    """Reads go on, writes are refused."""
    fleet["subscriptions"][0]["state"] = "Disabled"
    client = start(fleet)
    assert client("GET", f"{VM}/a{V}").status == 200
    assert client("PATCH", f"{VM}/a{V}", {}).code == "ReadOnlyDisabledSubscription"


def test_broken_json_is_refused(start: Start, fleet: dict[str, Any]) -> None:
    """And nothing is stored."""
    client = start(fleet)
    seen = client("PATCH", f"{VM}/a{V}", "x")
    assert seen.status == 400


@pytest.mark.parametrize(("method", "action"), [("PUT", ""), ("POST", "/validate"), ("POST", "/whatIf")])
@pytest.mark.parametrize("scope", [SUB, f"{SUB}/resourceGroups/rg-app", "/providers/Microsoft.Management/x"])
def test_what_is_not_emulated_is_refused_as_that_whatever_its_body_is(
    start: Start, fleet: dict[str, Any], scope: str, method: str, action: str
) -> None:
    """az splices a template into its request with comments and trailing commas: no JSON, and no fault of the user."""
    client = start(fleet)
    target = f"{scope}/providers/Microsoft.Resources/deployments/d{action}{V}"
    headers = {"host": "localhost:1", "authorization": f"Bearer {client.token}"}
    answer = client.emulator.serve(Call(method, target, headers, b'{"properties": {"template": {,} /* x */}}'))
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (501, "NotEmulated")


@pytest.mark.parametrize(
    "type_", ["Microsoft.Compute/disks", "Microsoft.Compute/availabilitySets", "Microsoft.Network/publicIPAddresses"]
)
def test_what_only_the_fleet_knows_is_read_and_never_made_up(start: Start, type_: str) -> None:
    """Clients list it beside machines: as the fleet has it, an empty page, or a 404; a write is not emulated."""
    place = f"{SUB}/resourceGroups/rg-app/providers/{type_}"
    held = {"id": f"{place}/One", "location": "westeurope", "properties": {"diskSizeGB": 30}}
    client = start({"subscriptions": [{"subscriptionId": SUBSCRIPTION}], "resources": [machine("a"), held]})
    assert client("GET", f"{place}/one{V}").json["properties"] == held["properties"]
    for listed in (f"{place}{V}", f"{SUB}/providers/{type_}{V}"):
        assert [one["id"] for one in client("GET", listed).json["value"]] == [held["id"]]
    assert client("GET", f"{place}/two{V}").code == "ResourceNotFound"
    assert client("PUT", f"{place}/two{V}", {}).code == "NotEmulated"
    assert start({"subscriptions": [{"subscriptionId": SUBSCRIPTION}]})("GET", f"{SUB}/providers/{type_}{V}").json == {
        "value": []
    }


def test_an_interface_in_a_group_of_its_own_can_be_read(start: Start) -> None:
    """`az vm list -d` and Ansible read every interface; networks often have a resource group of their own."""
    made = machine("a")
    nic = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-network/providers/Microsoft.Network/networkInterfaces/nic"
    elsewhere = nic.replace(SUBSCRIPTION, "99999999-9999-9999-9999-999999999999")
    made["properties"]["networkProfile"] = {"networkInterfaces": [{"id": nic}, {"id": elsewhere}, {}]}
    client = start({"subscriptions": [{"subscriptionId": SUBSCRIPTION}], "resources": [made]})
    assert client("GET", f"{nic}{V}").json["properties"]["virtualMachine"]["id"] == made["id"]
    assert client("GET", f"{SUB}/resourceGroups/rg-network{V}").status == 200
    assert client("GET", f"{elsewhere}{V}").code == "SubscriptionNotFound"


def test_a_made_interface_follows_its_machine(start: Start) -> None:
    """In any casing; after a write and after a delete it is looked for anew."""
    nics = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-app/providers/Microsoft.Network/networkInterfaces"

    def with_interface(name: str, nic: str) -> dict[str, Any]:
        made = machine(name)
        made["properties"]["networkProfile"] = {"networkInterfaces": [{"id": f"{nics}/{nic}"}]}
        return made

    client = start({"resources": [with_interface("a", "NIC-a"), with_interface("b", "nic-b")]}, lro_seconds=0)
    version = "?api-version=2024-05-01"
    for _ in range(2):
        seen = client("GET", f"{nics}/nic-A{version}").json
        assert seen["properties"]["virtualMachine"]["id"].endswith("/virtualMachines/a")
        assert client("GET", f"{nics}/nic-c{version}").code == "ResourceNotFound"
    wanted = {"properties": {"networkProfile": {"networkInterfaces": [{"id": f"{nics}/nic-c"}]}}}
    client.emulator.state.put({**machine("b"), **wanted}, etag=3)
    assert client("GET", f"{nics}/nic-c{version}").json["properties"]["virtualMachine"]["id"].endswith("/b")
    assert client("GET", f"{nics}/nic-b{version}").status == 404
    client.emulator.state.delete(machine("a")["id"])
    assert client("GET", f"{nics}/nic-a{version}").status == 404


def test_interfaces_are_listed_as_the_fleet_and_its_machines_name_them(start: Start) -> None:
    """`az network nic list`: the fleet's own, then those that machines name, each once, in the casing of the first."""
    nics = f"{SUB}/resourceGroups/rg-app/providers/Microsoft.Network/networkInterfaces"
    apart = f"{SUB}/resourceGroups/rg-network/providers/Microsoft.Network/networkInterfaces/Nic-C"
    own = {"id": f"{nics}/nic-a", "name": "nic-a", "type": "Microsoft.Network/networkInterfaces", "location": "x"}
    one, two = machine("a"), machine("b")
    one["properties"]["networkProfile"] = {"networkInterfaces": [{"id": f"{nics}/NIC-A"}, {"id": f"{nics}/Nic-B"}]}
    two["properties"]["networkProfile"] = {"networkInterfaces": [{"id": f"{nics}/nic-b"}, {"id": apart}, {"id": None}]}
    client = start({"subscriptions": [{"subscriptionId": SUBSCRIPTION}], "resources": [own, one, two]})

    def listed(path: str) -> list[str]:
        return [entry["id"] for entry in client("GET", f"{path}?api-version=2024-05-01").json["value"]]

    everywhere = f"{SUB}/providers/Microsoft.Network/networkInterfaces"
    assert listed(everywhere) == [f"{nics}/nic-a", f"{nics}/Nic-B", apart]
    assert listed(nics) == [f"{nics}/nic-a", f"{nics}/Nic-B"]
    made = client("GET", f"{everywhere}?api-version=2024-05-01").json["value"][1]
    assert made["properties"]["virtualMachine"]["id"] == one["id"]
    assert made == client("GET", f"{nics}/Nic-B?api-version=2024-05-01").json


def test_skus_and_sizes_are_those_of_the_fleet(start: Start) -> None:
    """What Azure offers beyond them is not known here: nothing is made up, no capability and no number of cores."""
    one, two, three = machine("a"), machine("b"), machine("c")
    for made, size, location, zones in [
        (one, "Standard_D2s_v5", "westeurope", ["2"]),
        (two, "Standard_D2s_v5", "West Europe", ["1"]),
        (three, "Standard_B1s", "northeurope", []),
    ]:
        made["properties"]["hardwareProfile"] = {"vmSize": size}
        made.update(location=location, zones=zones)
    client = start({"resources": [one, two, three, machine("without")]})
    compute = f"{SUB}/providers/Microsoft.Compute"
    skus = client("GET", f"{compute}/skus?api-version=2021-07-01").json["value"]
    assert [(entry["name"], entry["locations"]) for entry in skus if entry["name"] != "Standard_D2s_v3"] == [
        ("Standard_D2s_v5", ["westeurope"]),
        ("Standard_B1s", ["northeurope"]),
    ]
    assert skus[0] == {
        "resourceType": "virtualMachines",
        "name": "Standard_D2s_v5",
        "tier": "Standard",
        "size": "D2s_v5",
        "locations": ["westeurope"],
        "locationInfo": [{"location": "westeurope", "zones": ["1", "2"], "zoneDetails": []}],
        "capabilities": [],
        "restrictions": [],
    }
    north = f"{compute}/skus?api-version=2021-07-01&%24filter=location%20eq%20%27NorthEurope%27"
    assert [entry["name"] for entry in client("GET", north).json["value"]] == ["Standard_B1s"]
    assert client("GET", f"{compute}/skus?api-version=2021-07-01&%24filter=name%20eq%20%27x%27").code == "NotEmulated"
    sizes = client("GET", f"{compute}/locations/northeurope/vmSizes?api-version=2024-07-01").json
    assert sizes == {"value": [{"name": "Standard_B1s"}]}
    assert client("GET", f"{compute}/locations/eastus/vmSizes?api-version=2024-07-01").json == {"value": []}
    resize = client("GET", f"{one['id']}/vmSizes?api-version=2024-07-01").json
    assert resize == {"value": [{"name": "Standard_D2s_v5"}]}
    assert client("GET", f"{one['id']}x/vmSizes?api-version=2024-07-01").code == "ResourceNotFound"


def test_tags_in_use_are_counted_over_the_whole_subscription(start: Start) -> None:
    """`az tag list`: names in any casing are one, values are apart."""
    one, two, other = machine("a"), machine("b"), machine("c")
    one["tags"], two["tags"], other["tags"] = {"Env": "prod", "ring": "1"}, {"env": "prod"}, {"env": "test"}
    client = start({"resources": [one, two, other]})
    place = f"{SUB}/tagNames"
    found = client("GET", f"{place}?api-version=2021-04-01").json["value"]
    assert found[0] == {
        "id": f"{place}/Env",
        "tagName": "Env",
        "count": {"type": "Total", "value": 3},
        "values": [
            {"id": f"{place}/Env/tagValues/prod", "tagValue": "prod", "count": {"type": "Total", "value": 2}},
            {"id": f"{place}/Env/tagValues/test", "tagValue": "test", "count": {"type": "Total", "value": 1}},
        ],
    }
    assert [entry["tagName"] for entry in found] == ["Env", "ring"]
    assert start({"subscriptions": [{"subscriptionId": SUBSCRIPTION}]})("GET", f"{place}{V}").json == {"value": []}


@pytest.mark.parametrize("path", ["features", "providers/Microsoft.Compute/features"])
def test_no_preview_feature_is_registered_or_offered(path: str, start: Start) -> None:
    """An empty page, which is what is true here."""
    client = start({"subscriptions": [{"subscriptionId": SUBSCRIPTION}]})
    found = client("GET", f"{SUB}/providers/Microsoft.Features/{path}?api-version=2021-07-01")
    assert (found.status, found.json) == (200, {"value": []})


POLICIES = "providers/Microsoft.Authorization"


def test_policies_are_those_of_the_fleet_and_none_is_evaluated(start: Start) -> None:
    """`az policy assignment list`, `az policy state list` and `summarize`: what the fleet holds, and no state."""
    held = {
        "id": f"{SUB}/{POLICIES}/policyAssignments/recurring",
        "name": "recurring",
        "properties": {"scope": SUB, "policyDefinitionId": "/providers/Microsoft.Authorization/policyDefinitions/x"},
    }
    client = start({"subscriptions": [{"subscriptionId": SUBSCRIPTION}], "resources": [machine("a"), held]})
    listed = f"{POLICIES}/policyAssignments?api-version=2023-04-01"
    for scope in (SUB, f"{SUB}/resourceGroups/rg-app"):
        assert [one["name"] for one in client("GET", f"{scope}/{listed}").json["value"]] == ["recurring"]
    named = f"{SUB}/{POLICIES}/policyAssignments"
    assert client("GET", f"{named}/recurring?api-version=2023-04-01").json["properties"] == held["properties"]
    assert client("GET", f"{named}/other?api-version=2023-04-01").code == "PolicyAssignmentNotFound"
    assert client("PUT", f"{named}/other?api-version=2023-04-01", {}).code == "InvalidRequestContent"
    for kind in ("policyDefinitions", "policySetDefinitions", "policyExemptions"):
        assert client("GET", f"{SUB}/{POLICIES}/{kind}?api-version=2023-04-01").json == {"value": []}
    states = f"{SUB}/providers/Microsoft.PolicyInsights/policyStates/latest"
    found = client("POST", f"{states}/queryResults?api-version=2024-10-01").json
    assert (found["@odata.count"], found["value"]) == (0, [])
    assert found["@odata.context"].endswith(f"{states.rpartition('/')[0]}/$metadata#latest")
    summary = client("POST", f"{states}/summarize?api-version=2024-10-01").json["value"]
    assert [one["results"]["nonCompliantResources"] for one in summary] == [0]


def test_what_can_be_read_is_listed_with_its_api_versions(start: Start) -> None:
    """`az resource show` finds the api-version of a type there."""
    client = start({"subscriptions": [{"subscriptionId": SUBSCRIPTION}]})
    for type_ in TYPES:
        namespace, _, name = type_.partition("/")
        provider = client("GET", f"{SUB}/providers/{namespace}{V}").json
        versions = {entry["resourceType"]: entry["apiVersions"] for entry in provider["resourceTypes"]}
        assert client("GET", f"{SUB}/providers/{type_}?api-version={versions[name][0]}").json == {"value": []}


def test_who_is_owner_of_everything_is_listed_as_that(start: Start) -> None:
    """`az role assignment list` shows it, as long as the fleet gives the principal no role of its own."""
    listed = f"{SUB}/providers/Microsoft.Authorization/roleAssignments"
    version = "?api-version=2022-04-01"
    client = start({"subscriptions": [{"subscriptionId": SUBSCRIPTION}]})
    owner = "44444444-4444-4444-4444-444444444444"
    (found,) = client("GET", f"{listed}{version}").json["value"]
    assert (found["properties"]["principalId"], found["properties"]["scope"]) == (owner, "/")
    role = found["properties"]["roleDefinitionId"]
    assert client("GET", f"{role}{version}").json["properties"]["roleName"] == "Owner"
    for principal, count in ((owner, 1), ("55555555-5555-5555-5555-555555555555", 0)):
        filtered = client("GET", f"{listed}{version}&%24filter=assignedTo(%27{principal}%27)")
        assert len(filtered.json["value"]) == count
    own = {"properties": {"principalId": owner, "roleDefinitionId": role}}
    assert client("PUT", f"{listed}/r{version}", own).status == 201
    assert [one["properties"]["scope"] for one in client("GET", f"{listed}{version}").json["value"]] == [SUB]


LISTS = [
    route.pattern
    for route in routes()
    if route.method == "GET"
    and route.pattern.startswith("/subscriptions/{subscription}/")
    and not route.pattern.endswith("}")
    and set(re.findall(r"{(\w+)\+?}", route.pattern)) <= {"subscription", "group"}
]


@pytest.mark.parametrize("pattern", LISTS)
def test_every_list_is_a_page_of_what_the_fleet_holds(start: Start, pattern: str) -> None:
    """A client that lists what there is beside machines is never refused; where there is nothing the page is empty."""
    listed = Profile(assignments_of_subscription="listed", apply_updates_list="listed")
    group = f"/subscriptions/{PRODUCTION}/resourceGroups/rg-app"
    empty = {"resources": [{"id": group, "location": "westeurope", "properties": {}}]}
    since = "&%24filter=eventTimestamp%20ge%20%272030-01-01T00:00:00Z%27" if "eventtypes" in pattern else ""
    place = pattern.replace("{subscription}", PRODUCTION).replace("{group}", "rg-app")
    for fleet in (demo_fleet(), empty):
        seen = start(fleet, profile=listed)("GET", f"{place}?api-version=2023-04-01{since}")
        assert seen.status == 200, seen.json
        assert isinstance(seen.json["value"], list)
