"""Certificates, federated tokens and managed identities, judged by azure-identity's own clients as they are.

What Entra and the managed identity endpoints refuse is refused here too, with their numbers and words.
"""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlencode

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CertificateCredential as BlockingCertificateCredential
from azure.identity import CredentialUnavailableError
from azure.identity.aio import (
    AzurePipelinesCredential,
    CertificateCredential,
    ClientAssertionCredential,
    DefaultAzureCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from tests import proofs
from tests.emulator.core.conftest import SUBSCRIPTION, machine

from arm_emulator.app import Emulator
from arm_emulator.fleets import FleetError
from arm_emulator.proofs import METHODS, VARIABLES
from arm_emulator.protocol.wire import Call
from arm_emulator.store import Store
from arm_emulator.testing import Running, running

TENANT = "11111111-1111-1111-1111-111111111111"
APP = "77777777-7777-7777-7777-777777777777"
BLUE = "88888888-8888-8888-8888-888888888888"
GREEN = "99999999-9999-9999-9999-999999999999"
HERE = "https://localhost:1"


def fleet(**app: Any) -> dict[str, Any]:
    """One machine, and an application with what it signs in by."""
    return {
        "subscriptions": [{"subscriptionId": SUBSCRIPTION, "tenantId": TENANT}],
        "resources": [machine("a")],
        "principals": [{"clientId": APP, "displayName": "app", **app}],
    }


def identities(**kinds: str) -> dict[str, Any]:
    """Managed identities of the computer: client id → kind."""
    return {**fleet(), "principals": [{"clientId": one, "managedIdentity": kind} for one, kind in kinds.items()]}


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No variable of a sign-in but those a test sets."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    with running(fleet=fleet(certificates=[proofs.registered(1)], federatedCredentials=[proofs.federated(2)])) as run:
        yield run


def how(run: Running) -> dict[str, Any]:
    return {"authority": run.endpoint, "connection_verify": str(run.ca)}


def claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


async def who(credential: Any, run: Running) -> str:
    """The application whose token a credential gets."""
    async with credential:
        return str(claims((await credential.get_token(f"{run.endpoint}/.default")).token)["appid"])


# ------------------------------------------------------------------------------------------------ certificates


@pytest.mark.parametrize(
    ("content", "password"),
    [(proofs.pem(1), None), (proofs.pem(1, "open"), "open"), (proofs.pfx(1, "open"), "open")],
    ids=["PEM", "PEM with a password", "PFX with a password"],
)
async def test_a_certificate_of_any_form_signs_in(
    served: Running, tmp_path: Path, content: bytes, password: str | None
) -> None:
    """azure-identity's assertion: PS256, `x5t#S256`, addressed to the token endpoint, its base64 padded."""
    path = tmp_path / "client"
    path.write_bytes(content)
    credential = CertificateCredential(TENANT, APP, str(path), password=password, **how(served))
    assert await who(credential, served) == APP


@pytest.mark.parametrize("sends_chain", [False, True])
def test_the_blocking_client_signs_in_by_msal(served: Running, tmp_path: Path, sends_chain: bool) -> None:
    """MSAL asks OpenID discovery first, and sends the chain where it is told to."""
    path = tmp_path / "client.pem"
    path.write_bytes(proofs.pem(1))
    with BlockingCertificateCredential(
        TENANT, APP, str(path), send_certificate_chain=sends_chain, disable_instance_discovery=True, **how(served)
    ) as credential:
        assert claims(credential.get_token(f"{served.endpoint}/.default").token)["appid"] == APP


async def test_the_environment_names_the_certificate(served: Running, tmp_path: Path, bare: pytest.MonkeyPatch) -> None:
    path = tmp_path / "client.pem"
    path.write_bytes(proofs.pem(1, "open"))
    for name, value in (("TENANT_ID", TENANT), ("CLIENT_ID", APP), ("CLIENT_CERTIFICATE_PATH", str(path))):
        bare.setenv(f"AZURE_{name}", value)
    bare.setenv("AZURE_CLIENT_CERTIFICATE_PASSWORD", "open")
    assert await who(DefaultAzureCredential(**how(served)), served) == APP


async def test_another_certificate_is_refused(served: Running, tmp_path: Path) -> None:
    path = tmp_path / "client.pem"
    path.write_bytes(proofs.pem(3))
    with pytest.raises(ClientAuthenticationError, match="is not registered on application"):
        await who(CertificateCredential(TENANT, APP, str(path), **how(served)), served)


# ------------------------------------------------------------------------------------------------ federated tokens


async def test_a_federated_token_signs_in_and_a_rotated_one_is_read(
    served: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """azure-identity reads the file again once it has held its content for ten minutes."""
    path, now = tmp_path / "token", time.time()
    path.write_text(proofs.federated_token(2, lasts_s=900), encoding="ascii")
    credential = WorkloadIdentityCredential(tenant_id=TENANT, client_id=APP, token_file_path=str(path), **how(served))
    async with credential:
        first = await credential.get_token(f"{served.endpoint}/.default", claims="{}")
        assert claims(first.token)["appid"] == APP
        path.write_text(proofs.federated_token(2, lasts_s=7200), encoding="ascii")
        monkeypatch.setattr(time, "time", lambda: now + 3000)
        monkeypatch.setattr(served.emulator.tokens, "_wall", lambda: now + 3000)
        second = await credential.get_token(f"{served.endpoint}/.default", claims="{}")
        assert claims(second.token)["iat"] >= int(now) + 3000


async def test_the_environment_names_the_federated_token(
    served: Running, tmp_path: Path, bare: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "token"
    path.write_text(proofs.federated_token(2), encoding="ascii")
    for name, value in (("TENANT_ID", TENANT), ("CLIENT_ID", APP), ("FEDERATED_TOKEN_FILE", str(path))):
        bare.setenv(f"AZURE_{name}", value)
    # azure-identity hands the authority that it is given to no workload identity.
    bare.setenv("AZURE_AUTHORITY_HOST", served.endpoint)
    assert await who(DefaultAzureCredential(**how(served)), served) == APP


async def test_any_program_may_bring_the_token(served: Running) -> None:
    """As pipelines do that hand out a token for the exchange."""
    credential = ClientAssertionCredential(TENANT, APP, lambda: proofs.federated_token(2), **how(served))
    assert await who(credential, served) == APP


async def test_a_service_connection_of_azure_pipelines(served: Running, bare: pytest.MonkeyPatch) -> None:
    """azure-identity asks the pipeline's own endpoint, which is one of the test here, for the issuer's token."""
    asked: list[tuple[str, str]] = []

    class Pipelines(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append((self.path, str(self.headers["Authorization"])))
            body = json.dumps({"oidcToken": proofs.federated_token(2)}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Pipelines) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        bare.setenv("SYSTEM_OIDCREQUESTURI", f"http://127.0.0.1:{server.server_port}/oidctoken")
        credential = AzurePipelinesCredential(
            tenant_id=TENANT, client_id=APP, service_connection_id="connection", system_access_token="t", **how(served)
        )
        assert await who(credential, served) == APP
        thread.join()
    assert asked == [("/oidctoken?api-version=7.1&serviceConnectionId=connection", "Bearer t")]


FEDERATED_REFUSALS = [
    ("issuer", {"iss": "https://token.issuer.example"}, 700211,
     "No matching federated identity record found for presented assertion issuer 'https://token.issuer.example'."),
    ("subject", {"sub": "repo:contoso/other:ref:refs/heads/main"}, 700213,
     "found for presented assertion subject 'repo:contoso/other:ref:refs/heads/main'."),
    ("casing of the subject", {"sub": proofs.SUBJECT.title()}, 7002138,
     "The subject matches with case-insensitive comparison, but not with case-sensitive comparison."),
    ("audience", {"aud": "api://AzureADTokenExchangeUSGov"}, 700212,
     "found for presented assertion audience 'api://AzureADTokenExchangeUSGov'."),
    ("time", {"nbf": 1_700_000_000, "exp": 1_700_003_600}, 700024,
     "assertion valid from 2023-11-14T22:13:20.0000000Z, expiry time of assertion 2023-11-14T23:13:20.0000000Z."),
    ("not yet valid", {"nbf": 4_000_000_000, "exp": 4_000_003_600}, 700024, "assertion valid from 2096-10-02"),
    ("key", {"kid": "other"}, 7000272,
     "could not be found in the metadata of identity provider https://token.issuer.example/."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "number", "words"),
    [case[1:] for case in FEDERATED_REFUSALS],
    ids=[case[0] for case in FEDERATED_REFUSALS],
)
async def test_what_of_a_federated_token_does_not_fit_is_named(
    served: Running, changed: dict[str, Any], number: int, words: str
) -> None:
    token = proofs.federated_token(2, **changed)
    credential = ClientAssertionCredential(TENANT, APP, lambda: token, **how(served))
    with pytest.raises(ClientAuthenticationError) as caught:
        await who(credential, served)
    assert f"AADSTS{number}: " in caught.value.message
    assert words in caught.value.message


async def test_a_token_signed_with_another_key_is_refused(served: Running) -> None:
    """Under the name of the issuer's own key."""
    credential = ClientAssertionCredential(TENANT, APP, lambda: proofs.federated_token(3), **how(served))
    with pytest.raises(ClientAuthenticationError, match="AADSTS50013"):
        await who(credential, served)


# ------------------------------------------------------------------------------------------------ assertions, by hand


def signed(number: int, header: dict[str, Any], **changed: Any) -> str:
    """A certificate's assertion as a client makes it, for `HERE`."""
    now = int(time.time())
    payload = {"aud": f"{HERE}/{TENANT}/oauth2/v2.0/token", "iss": APP, "sub": APP, "nbf": now, "exp": now + 600}
    parts = (header, {**payload, **changed})
    text = ".".join(proofs.base64_of(json.dumps(part).encode()) for part in parts)
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    return f"{text}.{proofs.base64_of(proofs.key(number).sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def named(number: int, **how: Any) -> dict[str, Any]:
    from cryptography.hazmat.primitives import hashes

    thumbprint = proofs.certificate(number, **how).fingerprint(hashes.SHA256())
    return {"alg": "RS256", "typ": "JWT", "x5t#S256": proofs.base64_of(thumbprint)}


ASSERTION_REFUSALS: list[tuple[str, Callable[[], str], int, str]] = [
    ("no token", lambda: "x", 50027, "JWT token is invalid or malformed."),
    ("not signed", lambda: signed(1, {**named(1), "alg": "none"}), 50027, "JWT token is invalid or malformed."),
    ("no thumbprint", lambda: signed(1, {"alg": "RS256"}), 50027, "No certificate thumbprint specified in token"),
    ("without an end", lambda: signed(1, named(1), exp=None), 50027, "JWT token is invalid or malformed."),
    ("other subject", lambda: signed(1, named(1), sub=TENANT), 700021, "doesn't match 'client_id' parameter."),
    ("other certificate", lambda: signed(3, named(3)), 700027, "on application. [Reason - The key was not found."),
    ("other key", lambda: signed(3, named(1)), 700027, "The provided signature value did not match the expected"),
    ("expired certificate", lambda: signed(4, named(4, days_left=-1)), 700027, "The key used is expired., Thumbprint"),
    ("other cloud", lambda: signed(1, named(1), aud=f"https://login.microsoftonline.com/{TENANT}/v2.0"), 700023,
     "Client assertion audience claim does not match Realm issuer."),
    ("other tenant", lambda: signed(1, named(1), aud=f"{HERE}/{GREEN}/v2.0"), 700023, "does not match Realm issuer."),
    ("over", lambda: signed(1, named(1), nbf=0, exp=3600), 700024, "expiry time of assertion 1970-01-01T01:00:00"),
]  # fmt: skip


@pytest.fixture(scope="module")
def emulator() -> Emulator:
    both = [proofs.registered(1), proofs.registered(4, days_left=-1)]
    return Emulator(fleet=fleet(certificates=both, federatedCredentials=[proofs.federated(2)]))


def asked(emulator: Emulator, assertion: str, **changed: str) -> tuple[int, dict[str, Any]]:
    form = {
        "client_id": APP,
        "grant_type": "client_credentials",
        "scope": f"{HERE}/.default",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion,
        **changed,
    }
    path = f"/{TENANT}/oauth2/v2.0/token"
    answer = emulator.serve(Call("POST", path, {"host": "localhost:1"}, urlencode(form).encode()))
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize(
    ("assertion", "number", "words"),
    [case[1:] for case in ASSERTION_REFUSALS],
    ids=[case[0] for case in ASSERTION_REFUSALS],
)
def test_what_of_an_assertion_does_not_fit_is_named(
    emulator: Emulator, assertion: Callable[[], str], number: int, words: str
) -> None:
    status, body = asked(emulator, assertion())
    assert body["error_codes"] == [number]
    assert words in body["error_description"]
    assert (status, body["error"]) == ((400, "invalid_request") if number == 50027 else (401, "invalid_client"))


@pytest.mark.parametrize("audience", [f"/{TENANT}/v2.0", f"/{TENANT}/oauth2/token", f"/{TENANT}/oauth2/v2.0/token"])
def test_an_assertion_is_addressed_to_the_tenant_or_to_its_token_endpoint(emulator: Emulator, audience: str) -> None:
    assert asked(emulator, signed(1, named(1), aud=HERE + audience))[0] == 200


def test_an_assertion_says_of_what_type_it_is(emulator: Emulator) -> None:
    status, body = asked(emulator, signed(1, named(1)), client_assertion_type="jwt")
    assert (status, body["error_codes"]) == (400, [900144])


def test_what_a_principal_signs_in_with_outlives_the_process(tmp_path: Path) -> None:
    app = {"certificates": [proofs.registered(1)], "federatedCredentials": [proofs.federated(2)]}
    first = Emulator(fleet=fleet(**app, managedIdentity="user"), store=Store(tmp_path / "s.db"))
    assert first.store is not None
    first.store.close()
    again = Emulator(store=Store(tmp_path / "s.db"))
    assert again.directory.accounts == first.directory.accounts
    assert again.directory.accounts[APP].managed == "user"
    assert again.store is not None
    again.store.close()


@pytest.mark.parametrize(
    ("app", "words"),
    [
        ({"certificates": ["x"]}, "certificates holds no PEM certificate with an RSA key"),
        ({"certificates": "x"}, "certificates is not a list"),
        ({"federatedCredentials": [{"issuer": "i"}]}, "missing required field `subject`"),
        ({"federatedCredentials": [{**proofs.federated(2), "secret": "s"}]}, "unknown field `secret`"),
        ({"managedIdentity": "both"}, "managedIdentity is neither system nor user"),
    ],
)
def test_a_fleet_whose_proofs_cannot_be_used_is_refused(app: dict[str, Any], words: str) -> None:
    with pytest.raises(FleetError, match=words):
        Emulator(fleet=fleet(**app))


# ------------------------------------------------------------------------------------------------ managed identities


def on_a_machine(bare: pytest.MonkeyPatch, run: Running) -> None:
    bare.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", run.endpoint)


def in_an_app(bare: pytest.MonkeyPatch, run: Running, header: str = "not-a-secret-header") -> None:
    bare.setenv("IDENTITY_ENDPOINT", f"{run.endpoint}/msi/token")
    bare.setenv("IDENTITY_HEADER", header)


@pytest.mark.parametrize("place", [on_a_machine, in_an_app])
async def test_a_managed_identity_signs_in(place: Callable[..., None], bare: pytest.MonkeyPatch) -> None:
    """The system-assigned one, and the user-assigned one that is named; one that the computer does not have is not."""
    with running(fleet=identities(**{BLUE: "system", GREEN: "user", APP: "user"})) as run:
        place(bare, run)
        verify = {"connection_verify": str(run.ca)}
        assert await who(ManagedIdentityCredential(**verify), run) == BLUE
        assert await who(ManagedIdentityCredential(client_id=GREEN, **verify), run) == GREEN
        with pytest.raises(ClientAuthenticationError) as caught:
            await who(ManagedIdentityCredential(client_id=TENANT, **verify), run)
        words = {
            on_a_machine: "Identity not found",
            in_an_app: "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId",
        }
        assert words[place] in caught.value.message
        assert isinstance(caught.value, CredentialUnavailableError) is (place is on_a_machine)


async def test_a_machine_takes_its_only_identity_and_asks_which_of_several(bare: pytest.MonkeyPatch) -> None:
    """App Service takes none unless it is named."""
    for kinds, words in (
        ({BLUE: "user"}, ""),
        ({BLUE: "user", GREEN: "user"}, "Multiple user assigned identities exist"),
    ):
        with running(fleet=identities(**kinds)) as run:
            verify = {"connection_verify": str(run.ca)}
            on_a_machine(bare, run)
            if words:
                with pytest.raises(CredentialUnavailableError, match=words):
                    await who(ManagedIdentityCredential(**verify), run)
            else:
                assert await who(ManagedIdentityCredential(**verify), run) == BLUE
            in_an_app(bare, run)
            with pytest.raises(ClientAuthenticationError, match="No User Assigned or Delegated"):
                await who(ManagedIdentityCredential(**verify), run)
            bare.delenv("IDENTITY_ENDPOINT")


async def test_a_computer_without_an_identity_and_another_resource(bare: pytest.MonkeyPatch) -> None:
    """azure-identity goes on to the next credential after the first, and says the second."""
    with running(fleet=identities(**{BLUE: "system"})) as run:
        on_a_machine(bare, run)
        async with ManagedIdentityCredential(connection_verify=str(run.ca)) as credential:
            with pytest.raises(CredentialUnavailableError, match="AADSTS500011"):
                await credential.get_token("https://vault.azure.net/.default")
        in_an_app(bare, run, header="wrong")
        with pytest.raises(ClientAuthenticationError):
            await who(ManagedIdentityCredential(connection_verify=str(run.ca)), run)
    with running(fleet=fleet()) as run:
        bare.delenv("IDENTITY_ENDPOINT")
        on_a_machine(bare, run)
        with pytest.raises(CredentialUnavailableError, match="Identity not found"):
            await who(ManagedIdentityCredential(connection_verify=str(run.ca)), run)


def test_a_machines_endpoint_needs_its_header() -> None:
    """It keeps requests away that a program was tricked into; a managed identity has no secret either."""
    emulator = Emulator(fleet=identities(**{BLUE: "system"}))
    target = f"/metadata/identity/oauth2/token?api-version=2018-02-01&resource={HERE}"
    bare = emulator.serve(Call("GET", target, {"host": "localhost:1"}, b""))
    assert (bare.status, json.loads(bare.body)["error_description"]) == (400, "Required metadata header not specified")
    given = emulator.serve(Call("GET", target, {"host": "localhost:1", "metadata": "true"}, b""))
    body = json.loads(given.body)
    assert set(body) == {"access_token", "client_id", "expires_in", "ext_expires_in", "expires_on", "not_before",
                         "resource", "token_type"}  # fmt: skip
    assert (body["resource"], body["token_type"], body["expires_in"]) == (HERE, "Bearer", "3599")
    form = {"client_id": BLUE, "client_secret": "not-a-secret", "grant_type": "client_credentials", "scope": HERE}
    path = f"/{TENANT}/oauth2/v2.0/token"
    refused = emulator.serve(Call("POST", path, {"host": "localhost:1"}, urlencode(form).encode()))
    assert json.loads(refused.body)["error_codes"] == [7000215]


@pytest.mark.parametrize("method", METHODS)
def test_what_is_handed_out_signs_in_with_every_method_and_no_other_variable(
    method: str, bare: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As the program starts it, in an environment with sign-ins of the user's own; after a reset of the fleet too."""
    bare.setenv("AZURE_CLIENT_SECRET", "the user's own")
    bare.setenv("IDENTITY_ENDPOINT", "https://localhost:9")
    code = (
        "import asyncio, os, sys, urllib.request\n"
        "from azure.identity.aio import DefaultAzureCredential\n"
        "from tests.emulator.core.test_sign_in_methods import claims\n"
        "async def main():\n"
        "    place = os.environ['PATCHMODE_CLOUD']\n"
        "    reset = urllib.request.Request(place + '/_emulator/reset', b'{}', method='POST')\n"
        "    urllib.request.urlopen(reset).close()\n"
        "    how = {'authority': place, 'connection_verify': os.environ['SSL_CERT_FILE']}\n"
        "    async with DefaultAzureCredential(exclude_cli_credential=True, **how) as credential:\n"
        "        print(claims((await credential.get_token(place + '/.default')).token)['name'])\n"
        "asyncio.run(main())\n"
    )
    (tmp_path / "client.py").write_text(code, encoding="utf-8")
    root = Path(__file__).resolve().parents[3]
    command = [Path(sys.executable).with_name("arm-emulator"), "exec", "--sign-in", method]
    own = {**os.environ, "PYTHONPATH": str(root)}
    run = subprocess.run(
        [*command, "--", sys.executable, str(tmp_path / "client.py")],
        env=own, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (run.returncode, run.stdout) == (0, "arm-emulator operator\n"), run.stderr
