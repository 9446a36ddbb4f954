"""Over a real socket: TLS, sign-in by Microsoft's own libraries, faults that only a connection can show."""

import http.client
import json
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import ClientSecretCredential
from azure.mgmt.resourcegraph import ResourceGraphClient
from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions

from arm_emulator.app import Emulator
from arm_emulator.demo_fleet import PRODUCTION, demo_fleet
from arm_emulator.fleet_generator import fleet_document
from arm_emulator.testing import Running, running
from arm_emulator.tls import PUBLIC_NAMES, temporary_certificates


@pytest.fixture
def emulator() -> Iterator[Running]:
    with running(fleet=demo_fleet(), lro_seconds=0) as found:
        yield found


def handed_out(found: Running) -> str:
    """The body of a sign-in with what the emulator hands out."""
    return urlencode(
        {
            "client_id": found.env["AZURE_CLIENT_ID"],
            "client_secret": found.env["AZURE_CLIENT_SECRET"],
            "grant_type": "client_credentials",
            "scope": f"{found.endpoint}/.default",
        }
    )


class Raw:
    """One connection, kept alive."""

    def __init__(self, found: Running, name: str = "localhost") -> None:
        context = ssl.create_default_context(cafile=str(found.ca))
        port = int(found.endpoint.rsplit(":", 1)[1])
        self.connection = http.client.HTTPSConnection(name, port, context=context, timeout=60)
        self.token = ""
        form = handed_out(found)
        self.token = json.loads(self("POST", "/adfs/oauth2/token", form)[1])["access_token"]

    def __call__(self, method: str, target: str, body: Any = None) -> tuple[int, bytes, http.client.HTTPMessage]:
        content = body if isinstance(body, str) or body is None else json.dumps(body)
        self.connection.request(method, target, content, {"Authorization": f"Bearer {self.token}"})
        response = self.connection.getresponse()
        return response.status, response.read(), response.headers


@pytest.fixture
def raw(emulator: Running) -> Iterator[Raw]:
    made = Raw(emulator)
    yield made
    made.connection.close()


def credential(found: Running) -> ClientSecretCredential:
    env = found.env
    return ClientSecretCredential(
        env["AZURE_TENANT_ID"],
        env["AZURE_CLIENT_ID"],
        env["AZURE_CLIENT_SECRET"],
        authority=found.endpoint,
        disable_instance_discovery=True,
        connection_verify=str(found.ca),
    )


def graph(found: Running) -> ResourceGraphClient:
    return ResourceGraphClient(
        credential(found),
        base_url=found.endpoint,
        credential_scopes=[f"{found.endpoint}/.default"],
        connection_verify=str(found.ca),
        retry_total=0,
    )


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_every_loopback_name_is_certified(emulator: Running, name: str) -> None:
    """And URLs are built from the name that the client used."""
    made = Raw(emulator, name)
    body = json.loads(made("GET", "//metadata/endpoints?api-version=2022-09-01")[1])
    assert body["authentication"]["loginEndpoint"].startswith(f"https://{name}:")
    made.connection.close()


def test_another_ca_is_not_trusted(emulator: Running) -> None:
    """The system's store does not know this CA, so a client that was not told fails."""
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(emulator.endpoint, context=ssl.create_default_context())


def test_public_names_on_request() -> None:
    """For clients that cannot be told an endpoint."""
    from cryptography import x509

    made = temporary_certificates(public_names=True)
    leaf = x509.load_pem_x509_certificate(made.chain.read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(PUBLIC_NAMES) <= set(names.get_values_for_type(x509.DNSName))
    ca = x509.load_pem_x509_certificate(made.ca.read_bytes())
    assert ca.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    assert leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier is not None


def test_metadata_is_a_list_or_an_object(raw: Raw) -> None:
    """az wants a list from ARM_CLOUD_METADATA_URL and an object at cloud register.

    A cloud that calls itself AzureCloud is given the public sign-in by az (2.78 and 2.91, cloud.py).
    """
    listed = json.loads(raw("GET", "/metadata/endpoints?api-version=2019-05-01")[1])
    single = json.loads(raw("GET", "/metadata/endpoints?api-version=2022-09-01")[1])
    assert [cloud["name"] for cloud in listed] == [single["name"]] == ["arm-emulator"]
    assert single["suffixes"] == {}
    assert single["authentication"]["loginEndpoint"].endswith("/adfs")


@pytest.mark.parametrize(
    ("path", "token"),
    [
        ("/adfs/.well-known/openid-configuration", "/adfs/oauth2/token"),
        ("/11111111-1111-1111-1111-111111111111/v2.0/.well-known/openid-configuration",
         "/11111111-1111-1111-1111-111111111111/oauth2/v2.0/token"),
    ],
)  # fmt: skip
def test_discovery_leads_to_the_token_endpoint(emulator: Running, raw: Raw, path: str, token: str) -> None:
    """Both the ADFS and the Entra form."""
    found = json.loads(raw("GET", path)[1])
    assert found["token_endpoint"] == f"{emulator.endpoint}{token}"
    assert json.loads(raw("POST", token, handed_out(emulator))[1])["token_type"] == "Bearer"


def test_azure_identity_and_the_graph_sdk(emulator: Running) -> None:
    """Microsoft's own client reads a page, follows the token, and understands a refusal."""
    with graph(emulator) as client:
        query = "resources | where type =~ 'microsoft.compute/virtualmachines' | project id, name | order by name asc"
        first = client.resources(
            QueryRequest(subscriptions=[PRODUCTION], query=query, options=QueryRequestOptions(top=25))
        )
        assert (first.total_records, first.count, first.result_truncated) == (40, 25, "false")
        options = QueryRequestOptions(skip_token=first.skip_token)
        second = client.resources(QueryRequest(subscriptions=[PRODUCTION], query=query, options=options))
        assert second.count == 15
        assert second.skip_token is None
        with pytest.raises(HttpResponseError) as refused:
            client.resources(QueryRequest(query="resources | where"))
    assert refused.value.status_code == 400
    assert refused.value.error is not None
    assert refused.value.error.code == "BadRequest"


def test_a_wrong_secret_is_refused_by_azure_identity(emulator: Running) -> None:
    """It reads Entra's number out of the refusal."""
    emulator.env["AZURE_CLIENT_SECRET"] = "wrong"
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        credential(emulator).get_token(f"{emulator.endpoint}/.default")


@pytest.mark.parametrize("authorization", ["", "Basic x", "Bearer x", "Bearer a.b.c"])
def test_no_token_no_answer(raw: Raw, authorization: str) -> None:
    """401 with a challenge that names the sign-in URL."""
    raw.connection.request("GET", "/subscriptions?api-version=2022-12-01", headers={"Authorization": authorization})
    response = raw.connection.getresponse()
    response.read()
    assert response.status == 401
    assert 'authorization_uri="https://localhost:' in response.headers["WWW-Authenticate"]


def test_an_expired_token_can_be_renewed(emulator: Running, raw: Raw) -> None:
    """The fault refuses what was issued before, and nothing issued after."""
    rules = {"rules": [{"match": {"path": "/subscriptions"}, "count": 1, "do": {"expireTokens": True}}]}
    raw("PUT", "/_emulator/faults", rules)
    target = "/subscriptions?api-version=2022-12-01"
    status, body, _ = raw("GET", target)
    assert (status, json.loads(body)["error"]["code"]) == (401, "ExpiredAuthenticationToken")
    assert raw("GET", target)[0] == 401
    renewed = Raw(emulator)
    assert renewed("GET", target)[0] == 200
    renewed.connection.close()


TARGET = f"/subscriptions/{PRODUCTION}/resourceGroups/made?api-version=2021-04-01"


@pytest.mark.parametrize("commit", [False, True])
def test_a_reset_before_and_after_the_effect(emulator: Running, raw: Raw, commit: bool) -> None:
    """The client cannot tell which; the state can."""
    rules = {"rules": [{"match": {"method": "PUT"}, "count": 1, "do": {"reset": "connection", "commit": commit}}]}
    raw("PUT", "/_emulator/faults", {"rules": []})
    assert raw("PUT", "/_emulator/faults", rules)[0] == 200
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError, ssl.SSLError)):
        raw("PUT", TARGET, {"location": "westeurope"})
    again = Raw(emulator)
    assert again("GET", TARGET)[0] == (200 if commit else 404)
    entries = json.loads(again("GET", "/_emulator/requests")[1])["requests"]
    assert [entry["status"] for entry in entries if entry["method"] == "PUT"] == [0]
    again.connection.close()


def test_a_reset_in_mid_body(emulator: Running, raw: Raw) -> None:
    """Half an answer is no answer."""
    raw("PUT", "/_emulator/faults", {"rules": [{"match": {"path": "/tenants"}, "do": {"reset": "mid-body"}}]})
    with pytest.raises((http.client.IncompleteRead, ConnectionError, ssl.SSLError)):
        raw("GET", "/tenants?api-version=2022-12-01")


def test_silence_ends_with_the_server() -> None:
    """A call that is never answered does not keep the emulator from stopping."""
    with running(faults=None) as found:
        made = Raw(found)
        made("PUT", "/_emulator/faults", {"rules": [{"match": {"path": "/tenants"}, "do": {"silence": True}}]})
        ended: list[Exception] = []

        def ask() -> None:
            try:
                made("GET", "/tenants?api-version=2022-12-01")
            except (http.client.HTTPException, OSError) as error:
                ended.append(error)

        waiting = threading.Thread(target=ask)
        waiting.start()
        seen = Raw(found)
        while not any(
            entry["path"] == "/tenants" for entry in json.loads(seen("GET", "/_emulator/requests")[1])["requests"]
        ):
            pass
        assert waiting.is_alive()
        seen.connection.close()
    waiting.join(20)
    made.connection.close()
    assert len(ended) == 1


def test_starting_and_stopping_is_cheap() -> None:
    """Each test may have its own; nothing is left behind."""
    before = threading.active_count()
    for _ in range(50):
        with running() as found:
            assert found.endpoint.startswith("https://localhost:")
    assert threading.active_count() == before


def test_the_object_given_is_the_one_served() -> None:
    """So a test can look inside."""
    made = Emulator(fleet=demo_fleet())
    with running(made) as found:
        assert found.emulator is made


def test_a_whole_fleet_goes_through_the_control_plane_and_no_other_call(emulator: Running, raw: Raw) -> None:
    """A reset takes 6 MB; Resource Manager's own calls end at 4 MB, as Azure's do."""
    fleet = fleet_document(machines=2500, subscriptions=1, seed=1)
    assert len(json.dumps(fleet)) > 5_000_000
    assert raw("POST", "/_emulator/reset", fleet)[0] == 200
    assert len(list(emulator.emulator.state.of_type("Microsoft.Compute/virtualMachines"))) == 2500
    assert raw("PUT", TARGET, fleet)[0] == 413
