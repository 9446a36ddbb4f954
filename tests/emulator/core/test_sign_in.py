"""Signing in is as strict as Entra, and a token opens only the tenant and the resource that it was issued for."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.emulator.core.conftest import SUBSCRIPTION, Seen, Start, machine, sign_in_form

from arm_emulator.app import Emulator
from arm_emulator.environment import environment, ready_line
from arm_emulator.protocol.wire import Call
from arm_emulator.store import Store

TENANT = "11111111-1111-1111-1111-111111111111"
SECOND = "55555555-5555-5555-5555-555555555555"
UNKNOWN = "99999999-9999-9999-9999-999999999999"
ELSEWHERE = "66666666-6666-6666-6666-666666666666"
EVE = "77777777-7777-7777-7777-777777777777"
HERE = "https://localhost:1"
BASE = {"host": "localhost:1"}
SUBSCRIPTIONS = "/subscriptions?api-version=2022-12-01"
TENANTS = "/tenants?api-version=2022-12-01"


def two_tenants(**more: Any) -> dict[str, Any]:
    """A subscription with one machine in each of two tenants."""
    return {
        "subscriptions": [
            {"subscriptionId": SUBSCRIPTION, "tenantId": TENANT},
            {"subscriptionId": ELSEWHERE, "tenantId": SECOND},
        ],
        "resources": [machine("a"), machine("b", subscription=ELSEWHERE)],
        **more,
    }


def asked(emulator: Emulator, form: str, path: str = f"/{TENANT}/oauth2/v2.0/token") -> tuple[int, dict[str, Any]]:
    """What the token endpoint answers."""
    answer = emulator.serve(Call("POST", path, BASE, form.encode()))
    return answer.status, json.loads(answer.body)


def called(emulator: Emulator, token: str, target: str, **body: Any) -> Seen:
    """What Resource Manager answers to a token."""
    headers = {**BASE, "authorization": f"Bearer {token}"}
    method = "POST" if body else "GET"
    answer = emulator.serve(Call(method, target, headers, json.dumps(body).encode() if body else b""))
    return Seen(answer.status, answer.headers, answer.body, answer)


def token(emulator: Emulator, form: str = "", path: str = f"/{TENANT}/oauth2/v2.0/token") -> str:
    status, body = asked(emulator, form or sign_in_form(), path)
    assert status == 200, body
    return str(body["access_token"])


REFUSED = [
    ("a wrong secret", sign_in_form(secret="s"), TENANT, 401, "invalid_client", 7000215),
    ("no secret", "client_id=33333333-3333-3333-3333-333333333333&grant_type=client_credentials", TENANT,
     401, "invalid_client", 7000218),
    ("an assertion", "client_id=33333333-3333-3333-3333-333333333333&grant_type=client_credentials&client_assertion=x",
     TENANT, 400, "invalid_request", 900144),
    ("an unknown client", sign_in_form("any"), TENANT, 400, "unauthorized_client", 700016),
    ("an unknown tenant", sign_in_form(), UNKNOWN, 400, "invalid_request", 90002),
    ("no tenant", sign_in_form(), "common", 400, "invalid_request", 50059),
    ("a foreign scope", sign_in_form(scope="https://vault.azure.net/.default"), TENANT, 400, "invalid_scope", 500011),
    ("another port", sign_in_form(scope="https://localhost:2/.default"), TENANT, 400, "invalid_scope", 500011),
    ("no scope suffix", sign_in_form(scope=HERE), TENANT, 400, "invalid_scope", 1002012),
    ("openid alone", sign_in_form(scope="openid"), TENANT, 400, "invalid_scope", 1002012),
    ("a foreign resource", sign_in_form().replace("scope=", "resource=https://vault.azure.net&x="), TENANT,
     400, "invalid_resource", 500011),
    ("no scope", sign_in_form().replace("scope=", "x="), TENANT, 400, "invalid_request", 90014),
    ("another grant", "grant_type=password", TENANT, 400, "unsupported_grant_type", 70003),
]  # fmt: skip


@pytest.mark.parametrize(("form", "tenant", "status", "error", "number"), [case[1:] for case in REFUSED],
                         ids=[case[0] for case in REFUSED])  # fmt: skip
def test_what_entra_refuses(start: Start, form: str, tenant: str, status: int, error: str, number: int) -> None:
    """By OAuth's code, Entra's number, and in its body."""
    emulator = start().emulator
    answered, body = asked(emulator, form, f"/{tenant}/oauth2/v2.0/token")
    assert (answered, body["error"], body["error_codes"]) == (status, error, [number])
    assert body["error_description"].startswith(f"AADSTS{number}: ")
    assert set(body) == {"error", "error_description", "error_codes", "timestamp", "trace_id", "correlation_id"}


@pytest.mark.parametrize(
    "scope",
    [
        f"{HERE}/.default",
        f"{HERE}//.default",
        "https://127.0.0.1:1/.default",
        "https://management.azure.com/.default",
        "https://management.azure.com//.default",
        "https://management.core.windows.net//.default",
        f"{HERE}//.default openid profile offline_access",
    ],
)
@pytest.mark.parametrize("path", [f"/{TENANT}/oauth2/v2.0/token", f"/{TENANT}/oauth2/token", "/adfs/oauth2/token"])
def test_every_way_to_ask_for_resource_manager(start: Start, scope: str, path: str) -> None:
    """Clients write slashes and names as they like."""
    emulator = start().emulator
    given = token(emulator, sign_in_form(scope=scope), path)
    assert called(emulator, given, SUBSCRIPTIONS).status == 200
    resource = sign_in_form().replace("scope=", f"resource={scope.partition('.default')[0]}&x=")
    assert called(emulator, token(emulator, resource, path), SUBSCRIPTIONS).status == 200


class TestMicrosoftGraph:
    """`az role assignment list` asks for the principals behind the ids; nothing else is answered."""

    EVE_ID = "88888888-8888-8888-8888-888888888888"

    def _emulator(self) -> Emulator:
        eve = {"clientId": EVE, "objectId": self.EVE_ID, "displayName": "eve", "tenantId": TENANT}
        elsewhere = {"clientId": UNKNOWN, "objectId": UNKNOWN, "displayName": "bob", "tenantId": SECOND}
        return Emulator(fleet=two_tenants(principals=[eve, elsewhere]))

    def _call(self, method: str, path: str, body: object = None, scope: str = f"{HERE}/graph/.default") -> Any:
        emulator = self._emulator()
        given = token(emulator, sign_in_form(scope=scope), f"/{TENANT}/oauth2/v2.0/token")
        headers = {**BASE, "authorization": f"Bearer {given}"}
        content = b"" if body is None else json.dumps(body).encode()
        answer = emulator.serve(Call(method, f"/graph/v1.0/{path}", headers, content))
        return answer.status, json.loads(answer.body)

    def test_ids_become_names(self) -> None:
        status, body = self._call("POST", "directoryObjects/getByIds", {"ids": [self.EVE_ID.upper(), UNKNOWN]})
        assert status == 200
        assert [(one["id"], one["displayName"], one["appId"]) for one in body["value"]] == [(self.EVE_ID, "eve", EVE)]
        assert body["value"][0]["@odata.type"] == "#microsoft.graph.servicePrincipal"

    @pytest.mark.parametrize(
        "clause", [f"servicePrincipalNames/any(c:c eq '{EVE}')", f"appId eq '{EVE}'", "displayName eq 'eve'"]
    )
    def test_names_become_ids(self, clause: str) -> None:
        _, body = self._call("GET", f"servicePrincipals?$filter={quote(clause)}")
        assert [one["id"] for one in body["value"]] == [self.EVE_ID]
        assert self._call("GET", f"servicePrincipals/{self.EVE_ID}")[1]["appId"] == EVE

    def test_there_are_no_users_and_no_groups(self) -> None:
        assert self._call("GET", "users?$filter=userPrincipalName%20eq%20'x'") == (200, {"value": []})
        assert self._call("GET", "groups") == (200, {"value": []})

    def test_what_is_not_emulated_and_what_is_not_there(self) -> None:
        assert self._call("GET", "applications")[0] == 501
        assert self._call("GET", "servicePrincipals?$filter=startswith(displayName,'e')")[0] == 501
        assert self._call("GET", f"servicePrincipals/{UNKNOWN}")[1]["error"]["code"] == "Request_ResourceNotFound"
        assert self._call("POST", "directoryObjects/getByIds", [])[0] == 400

    def test_a_token_for_resource_manager_does_not_open_it(self) -> None:
        status, body = self._call("GET", "servicePrincipals", scope=f"{HERE}/.default")
        assert (status, body["error"]["code"]) == (401, "InvalidAuthenticationTokenAudience")


def test_a_token_for_graph_does_not_open_resource_manager(start: Start) -> None:
    """401 in Azure's shape, with the challenge."""
    emulator = start().emulator
    given = token(emulator, sign_in_form(scope="https://graph.microsoft.com/.default"))
    seen = called(emulator, given, SUBSCRIPTIONS)
    assert (seen.status, seen.code) == (401, "InvalidAuthenticationTokenAudience")
    assert "wrong audience or resource 'https://graph.microsoft.com'" in seen.json["error"]["message"]
    assert seen.headers["WWW-Authenticate"].startswith(f'Bearer authorization_uri="{HERE}/{TENANT}"')


def test_a_token_shows_its_own_tenant_only(start: Start) -> None:
    """Subscriptions, Resource Graph, tenants and management groups."""
    emulator = start(two_tenants()).emulator
    query = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"
    groups = "/providers/Microsoft.Management/managementGroups?api-version=2020-05-01"
    for tenant, mine, name, number in ((TENANT, SUBSCRIPTION, "a", 1), (SECOND, ELSEWHERE, "b", 0)):
        given = token(emulator, path=f"/{tenant}/oauth2/v2.0/token")
        assert [one["subscriptionId"] for one in called(emulator, given, SUBSCRIPTIONS).json["value"]] == [mine]
        rows = called(emulator, given, query, query="resources | project name").json["data"]
        assert rows == [{"name": name}]
        assert [one["tenantId"] for one in called(emulator, given, TENANTS).json["value"]] == [tenant]
        assert len(called(emulator, given, groups).json["value"]) == number


def test_a_subscription_of_another_tenant_is_named_as_such(start: Start) -> None:
    """401, saying where to sign in."""
    emulator = start(two_tenants()).emulator
    seen = called(emulator, token(emulator), f"/subscriptions/{ELSEWHERE}/resourceGroups?api-version=2021-04-01")
    assert (seen.status, seen.code) == (401, "InvalidAuthenticationTokenTenant")
    assert f"wrong issuer '{HERE}/{TENANT}/'" in seen.json["error"]["message"]
    assert seen.headers["WWW-Authenticate"].startswith(f'Bearer authorization_uri="{HERE}/{SECOND}"')


def test_what_was_handed_out_opens_every_later_fleet(start: Start) -> None:
    """Whoever resets the emulator to a fleet of another tenant keeps the token and the environment of the start."""
    emulator = start().emulator
    given = token(emulator)
    emulator.reset({"subscriptions": [{"subscriptionId": ELSEWHERE, "tenantId": SECOND}], "resources": []})
    again = token(emulator, path=f"/{TENANT}/oauth2/v2.0/token")
    at_home = token(emulator, path=f"/{SECOND}/oauth2/v2.0/token")
    for held in (given, again, at_home):
        (seen,) = called(emulator, held, SUBSCRIPTIONS).json["value"]
        assert (seen["subscriptionId"], seen["tenantId"]) == (ELSEWHERE, SECOND)
    assert asked(emulator, sign_in_form(), f"/{UNKNOWN}/oauth2/v2.0/token")[1]["error_codes"] == [90002]


def test_a_principal_of_the_fleet_signs_in_at_home(start: Start) -> None:
    """With its own secret; where the fleet gives none, with the one handed out."""
    principals = [{"clientId": EVE, "tenantId": SECOND}, {"clientId": UNKNOWN, "clientSecret": "own"}]
    emulator = start(two_tenants(principals=principals)).emulator
    assert asked(emulator, sign_in_form(EVE), f"/{SECOND}/oauth2/v2.0/token")[0] == 200
    assert asked(emulator, sign_in_form(EVE), f"/{TENANT}/oauth2/v2.0/token")[1]["error"] == "unauthorized_client"
    assert asked(emulator, sign_in_form(UNKNOWN, "own"))[0] == 200
    assert asked(emulator, sign_in_form(UNKNOWN))[0] == 401


def test_the_handed_out_secret_is_the_one_that_the_fleet_gives() -> None:
    """Where the fleet names the default principal itself."""
    principals = [{"clientId": "33333333-3333-3333-3333-333333333333", "clientSecret": "own", "tenantId": SECOND}]
    directory = Emulator(fleet=two_tenants(principals=principals)).directory
    ready = ready_line(HERE, Path("ca.pem"), directory)
    assert (ready["clientSecret"], ready["tenantId"]) == ("own", SECOND)
    env = environment(HERE, Path("ca.pem"), directory)
    assert (env["AZURE_CLIENT_SECRET"], env["AZURE_TENANT_ID"]) == ("own", SECOND)


def test_who_may_sign_in_outlives_the_process(tmp_path: Path) -> None:
    """The default account stays everyone's, a principal its tenant's."""
    principals = [{"clientId": EVE, "tenantId": SECOND, "clientSecret": "own"}]
    first = Emulator(fleet=two_tenants(principals=principals), store=Store(tmp_path / "s.db"))
    assert first.store is not None
    first.store.close()
    again = Emulator(store=Store(tmp_path / "s.db"))
    assert again.directory.accounts == first.directory.accounts
    assert again.store is not None
    again.store.close()


def test_discovery_of_an_unknown_tenant_is_refused(start: Start) -> None:
    """As Entra does: clients ask this first."""
    emulator = start().emulator
    answer = emulator.serve(Call("GET", f"/{UNKNOWN}/v2.0/.well-known/openid-configuration", BASE, b""))
    assert (answer.status, json.loads(answer.body)["error"]) == (400, "invalid_tenant")


@pytest.mark.parametrize(
    ("host", "login", "mine", "others"),
    [
        ("management.usgovcloudapi.net", "login.microsoftonline.us",
         ("https://management.core.usgovcloudapi.net/", "https://management.usgovcloudapi.net"),
         ("https://management.azure.com", "https://management.chinacloudapi.cn", "https://management.core.windows.net/")),
        ("management.chinacloudapi.cn", "login.chinacloudapi.cn",
         ("https://management.core.chinacloudapi.cn/", "https://management.chinacloudapi.cn"),
         ("https://management.azure.com", "https://management.usgovcloudapi.net")),
        ("management.azure.com", "login.microsoftonline.com",
         ("https://management.azure.com", "https://management.core.windows.net/"),
         ("https://management.usgovcloudapi.net", "https://management.chinacloudapi.cn")),
    ],
)  # fmt: skip
def test_each_cloud_of_azure_has_its_own_audiences_and_tokens(
    start: Start, host: str, login: str, mine: tuple[str, ...], others: tuple[str, ...]
) -> None:
    """By the host that was called: metadata, authority, and what a token must be for."""
    emulator = start().emulator

    def call(name: str, method: str, target: str, body: str = "", **headers: str) -> Seen:
        answer = emulator.serve(Call(method, target, {"host": name, **headers}, body.encode()))
        return Seen(answer.status, answer.headers, answer.body, answer)

    document = call(host, "GET", "/metadata/endpoints?api-version=2022-09-01").json
    assert (document["resourceManager"], document["authentication"]["loginEndpoint"]) == (
        f"https://{host}/",
        f"https://{login}",
    )
    path = f"/{TENANT}/oauth2/v2.0/token"
    for resource in mine:
        given = call(login, "POST", path, sign_in_form(scope=f"{resource}/.default"))
        assert given.status == 200
        bearer = {"authorization": f"Bearer {given.json['access_token']}"}
        assert call(host, "GET", SUBSCRIPTIONS, **bearer).status == 200
        elsewhere = call(others[0].removeprefix("https://"), "GET", SUBSCRIPTIONS, **bearer)
        assert elsewhere.code == "InvalidAuthenticationTokenAudience"
        assert f"https://{login}" not in elsewhere.headers["WWW-Authenticate"]
    for resource in others:
        refused = call(login, "POST", path, sign_in_form(scope=f"{resource}/.default"))
        assert (refused.status, refused.json["error_codes"]) == (400, [500011])


def test_patchmode_is_refused_under_every_name_of_azure(start: Start) -> None:
    """Its plans and runs would name Azure as their target."""
    emulator = start().emulator
    for host in ("management.azure.com", "management.usgovcloudapi.net", "management.chinacloudapi.cn"):
        answer = emulator.serve(Call("GET", SUBSCRIPTIONS, {"host": host, "user-agent": "patchmode/1"}, b""))
        assert json.loads(answer.body)["error"]["code"] == "EmulatorUnderPublicName"
