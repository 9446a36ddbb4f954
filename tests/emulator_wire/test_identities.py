"""Several service principals in one run against the emulator: together they see and change all, each machine once."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from azure.core.credentials import AccessTokenInfo
from tests import proofs
from tests.emulator_wire.principals import (
    BLUE,
    BOTH_EVERYTHING,
    CLIENTS,
    CONTRIBUTOR,
    EACH_ITS_OWN,
    GREEN,
    ONE,
    READER,
    SECRETS,
    TENANT,
    TWO,
    fleet_for,
    principals,
)
from tests.unit.workflow.fleet_double import OTHER_SUBSCRIPTION, SUBSCRIPTION
from tests.unit.workflow.run_doubles import temporary_store

from arm_emulator.testing import Running, running
from patchmode.arm.credentials import NamedCredential
from patchmode.arm.session import connect
from patchmode.errors import SignInError, UsageError
from patchmode.model.access import (
    CertificateFile,
    FederatedTokenFile,
    ManagedIdentity,
    SecretFile,
    SecretVariable,
    ServicePrincipal,
)
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.scope import Scope
from patchmode.ports.azure import Azure, GraphScope
from patchmode.timing import SystemClock
from patchmode.workflow.inventory.audit import audit
from patchmode.workflow.inventory.doctor import examine
from patchmode.workflow.inventory.planning import make_plan
from patchmode.workflow.run.applying import apply_plan
from patchmode.workflow.run.options import ApplyOptions

WANTED = WantedSettings(orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES)
EVERYTHING = Scope(everything=True)
ALL = ["app", "db", "web", "new", "old"]
"""By id: those of the first subscription stand first."""


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The secrets, and no proxy."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    return monkeypatch


@contextmanager
def emulated(environment: pytest.MonkeyPatch, roles: Mapping[str, Any], **options: Any) -> Iterator[Running]:
    with running(fleet=fleet_for(roles), **{"lro_seconds": 0, **options}) as run:
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NO_PROXY"):
            environment.setenv(name, run.env[name])
        yield run


@asynccontextmanager
async def connected(run: Running, *names: str, read_only: bool = True) -> AsyncIterator[Azure]:
    async with connect(run.endpoint, read_only=read_only, identities=principals(*names)) as azure:
        yield azure


def callers(run: Running, method: str) -> dict[str, Counter[str]]:
    """Who sent requests of a method, and to which subscription each."""
    names = {client: name for name, client in CLIENTS.items()}
    found: dict[str, Counter[str]] = {}
    for entry in run.emulator.ledger.entries:
        if entry.method == method and entry.path.startswith("/subscriptions/"):
            place = entry.path.split("/")[2]
            found.setdefault(names[entry.principal], Counter())[place] += 1
    return found


async def test_two_who_see_different_subscriptions_audit_and_apply_the_union(environment: pytest.MonkeyPatch) -> None:
    """Each machine once, each by the one who sees it, and the report counts the requests of both."""
    with emulated(environment, EACH_ITS_OWN) as run, temporary_store() as store:
        clock = SystemClock()
        async with connected(run, read_only=False) as azure:
            report = await audit(azure, EVERYTHING, clock=clock)
            assert [entry.machine.name for entry in report.machines] == ALL
            plan = await make_plan(azure, EVERYTHING, WANTED, clock=clock)
            before = azure.ledger.by_method()
            done = await apply_plan(store.create(plan), azure, ApplyOptions(), clock=clock)
            sent = Counter(azure.ledger.by_method())
            sent.subtract(before)
        assert (done.counts.applied, done.counts.verified, done.counts.scope) == (5, 5, 5)
        assert callers(run, "PATCH") == {"blue": {SUBSCRIPTION: 3}, "green": {OTHER_SUBSCRIPTION: 2}}
        assert sent["PATCH"] == 5
        assert done.requests["PATCH"] == 5


async def test_two_who_see_the_same_tell_nothing_twice_and_share_the_work(environment: pytest.MonkeyPatch) -> None:
    with emulated(environment, BOTH_EVERYTHING) as run, temporary_store() as store:
        clock = SystemClock()
        async with connected(run, read_only=False) as azure:
            graph = azure.graph
            told = [machine.name async for page in graph.machines(GraphScope()) for machine in page]
            assert sorted(told) == sorted(ALL)
            assert [one.name for one in await azure.authorization.subscriptions()] == ["Prod", "Test"]
            plan = await make_plan(azure, EVERYTHING, WANTED, clock=clock)
            done = await apply_plan(store.create(plan), azure, ApplyOptions(), clock=clock)
        assert (done.counts.applied, done.counts.verified) == (5, 5)
        sent = callers(run, "PATCH")
        assert {name: sum(places.values()) for name, places in sent.items()} in (
            {"blue": 3, "green": 2},
            {"blue": 2, "green": 3},
        )


@pytest.mark.parametrize("roles", [EACH_ITS_OWN, BOTH_EVERYTHING], ids=["each its own", "both everything"])
async def test_a_management_group_is_what_they_see_of_it_together(
    environment: pytest.MonkeyPatch, roles: Mapping[str, Any]
) -> None:
    """Asked by the group itself, what both see would be told twice."""
    with emulated(environment, roles) as run:
        async with connected(run) as azure:
            assert sorted(await azure.graph.subscriptions_under("top")) == [SUBSCRIPTION, OTHER_SUBSCRIPTION]
            scope = GraphScope(management_groups=("top",))
            told = [machine.name async for page in azure.graph.machines(scope) for machine in page]
            assert sorted(told) == sorted(ALL)
            report = await audit(azure, Scope(management_groups=("top",)), clock=SystemClock())
            assert [entry.machine.name for entry in report.machines] == ALL


async def test_the_users_query_is_asked_by_each_about_its_part(environment: pytest.MonkeyPatch) -> None:
    """As documented: what it cuts off counts for each part."""
    with emulated(environment, BOTH_EVERYTHING) as run:
        async with connected(run) as azure:
            query = (
                "resources | where type =~ 'microsoft.compute/virtualmachines' | project id | order by id asc | take 1"
            )
            ids = [text async for page in azure.graph.machine_ids(query, GraphScope()) for text in page]
            assert sorted(text.rsplit("/", 1)[-1] for text in ids) == ["app", "new"]


async def test_a_subscription_that_nobody_sees_is_said_so(environment: pytest.MonkeyPatch) -> None:
    with emulated(environment, {"blue": [(ONE, CONTRIBUTOR)], "green": [(ONE, CONTRIBUTOR)]}) as run:
        async with connected(run) as azure:
            scope = Scope(subscriptions=(OTHER_SUBSCRIPTION,))
            report = await audit(azure, scope, clock=SystemClock())
            assert [(one.id, "you cannot see it" in one.reason) for one in report.unreadable] == [(TWO, True)]


async def test_doctor_names_who_lacks_what_where(environment: pytest.MonkeyPatch) -> None:
    """A write is refused only when it is green's turn; so it must be known before."""
    roles = {"blue": [(ONE, CONTRIBUTOR)], "green": [(ONE, READER), (TWO, CONTRIBUTOR)]}
    with emulated(environment, roles) as run:
        async with connected(run) as azure:
            diagnosis = await examine(azure, Scope())
    assert {name: claims["appid"] for name, claims in diagnosis.principals.items()} == {"blue": BLUE, "green": GREEN}
    prod, test = diagnosis.subscriptions
    assert (prod.identities, test.identities) == (("blue", "green"), ("green",))
    assert {(one.identity, one.scope) for one in prod.missing} == {("green", ONE)}
    assert "Microsoft.Compute/virtualMachines/write" in {one.action for one in prod.missing}
    assert test.missing == ()


async def test_doctor_tells_of_a_role_on_a_resource_group(environment: pytest.MonkeyPatch) -> None:
    """Such an identity sees the subscription, may be the one that is asked about it, and would not tell of the rest."""
    roles = {"blue": [(ONE, CONTRIBUTOR)], "green": [(f"{ONE}/resourceGroups/web", CONTRIBUTOR)]}
    with emulated(environment, roles) as run:
        async with connected(run) as azure:
            (prod,) = (await examine(azure, Scope())).subscriptions
    assert prod.identities == ("blue", "green")
    assert {one.identity for one in prod.missing} == {"green"}
    assert "Microsoft.Compute/virtualMachines/read" in {one.action for one in prod.missing}


# ------------------------------------------------------------------------------------------------ signing in


@contextmanager
def refused_sign_in(name: str, *told: str) -> Iterator[None]:
    with pytest.raises(SignInError) as caught:
        yield
    assert f"identity {name!r}" in caught.value.message
    for text in told:
        assert text in caught.value.message
    assert not any(secret in caught.value.message for secret in (*SECRETS.values(), "wrong-secret"))


async def test_one_that_cannot_sign_in_is_named_before_anything_is_read(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("GREEN_SECRET", "wrong-secret")
    with emulated(environment, EACH_ITS_OWN) as run:
        with refused_sign_in("green", "AADSTS7000215"):
            async with connected(run):
                pass
        assert callers(run, "GET") == {}


async def test_a_secret_in_a_file_signs_in(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "blue").write_text(SECRETS["BLUE_SECRET"] + "\n", encoding="utf-8")
    with emulated(environment, EACH_ITS_OWN) as run:
        blue = ServicePrincipal("blue", TENANT, BLUE, SecretFile(tmp_path / "blue"))
        async with connect(run.endpoint, read_only=True, identities=[blue]) as azure:
            assert (await azure.authorization.principals())["blue"]["appid"] == BLUE
            assert azure.target.tenant_id == TENANT


@asynccontextmanager
async def managed_identity_endpoint(run: Running) -> AsyncIterator[str]:
    """What App Service offers to its own computer: tokens of the managed identities, over plain http on loopback."""

    async def give(request: web.Request) -> web.Response:
        assert request.headers["X-IDENTITY-HEADER"] == "of-this-computer"
        account, resource = run.emulator.directory.accounts[request.query["client_id"]], request.query["resource"]
        token = run.emulator.tokens.issue(account, audience=resource, issuer="x")
        ends = {"expires_on": "4000000000", "token_type": "Bearer"}
        return web.json_response({"access_token": token, "resource": resource, **ends})

    app = web.Application()
    app.router.add_get("/token", give)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/token"
    finally:
        await runner.cleanup()


async def test_managed_identities_sign_in(environment: pytest.MonkeyPatch) -> None:
    """Two user-assigned ones of the same computer."""
    with emulated(environment, EACH_ITS_OWN) as run:
        async with managed_identity_endpoint(run) as endpoint:
            environment.setenv("IDENTITY_ENDPOINT", endpoint)
            environment.setenv("IDENTITY_HEADER", "of-this-computer")
            identities = [replace(one, proof=ManagedIdentity()) for one in principals()]
            async with connect(run.endpoint, read_only=True, identities=identities) as azure:
                claims = await azure.authorization.principals()
                assert {name: one["appid"] for name, one in claims.items()} == CLIENTS
                assert len(await azure.authorization.subscriptions()) == 2


PROOFS: list[tuple[Any, tuple[str, ...]]] = [
    (SecretVariable("NOT_SET"), ("the environment variable NOT_SET is not set",)),
    (SecretFile(Path("nowhere")), ("nowhere could not be read: No such file or directory",)),
    (SecretFile(Path("empty")), ("empty is empty",)),
    (SecretFile(Path("binary")), ("binary is not a text file",)),
    (CertificateFile(Path("nowhere.pem")), ("nowhere.pem could not be read: No such file or directory",)),
    (CertificateFile(Path("empty")), ("cannot sign in",)),
    (CertificateFile(Path("blue.pem"), "NOT_SET"), ("the environment variable NOT_SET is not set",)),
    (FederatedTokenFile(Path("nowhere")), ("nowhere could not be read: No such file or directory",)),
    (CertificateFile(Path("blue.pem")), ("AADSTS700027",)),
    (CertificateFile(Path("locked.pem")), ("password was not given but private key is encrypted",)),
    (FederatedTokenFile(Path("text")), ("AADSTS50027",)),
    (FederatedTokenFile(Path("token")), ("AADSTS700211",)),
]


async def test_a_certificate_a_federated_token_and_a_managed_identity_share_the_work(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where a pod's variables are set, a managed identity is a workload identity, and of this cloud too."""
    (tmp_path / "token").write_text(proofs.federated_token(2), encoding="utf-8")
    (tmp_path / "blue.pem").write_bytes(proofs.pem(1))
    fleet = fleet_for(BOTH_EVERYTHING)
    registered = {
        BLUE: {"certificates": [proofs.registered(1)]},
        GREEN: {"federatedCredentials": [proofs.federated(2)], "managedIdentity": "user"},
    }
    fleet["principals"] = [{**entry, **registered.get(entry["clientId"], {})} for entry in fleet["principals"]]
    blue = ServicePrincipal("blue", TENANT, BLUE, CertificateFile(tmp_path / "blue.pem"))
    for proof in (FederatedTokenFile(tmp_path / "token"), ManagedIdentity()):
        for is_pod in (False, True):
            with running(fleet=fleet, lro_seconds=0) as run:
                for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NO_PROXY"):
                    environment.setenv(name, run.env[name])
                environment.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", run.endpoint)
                pod = {"AZURE_AUTHORITY_HOST": "https://localhost:9", "AZURE_TENANT_ID": TENANT,
                       "AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "token")}  # fmt: skip
                for name, value in pod.items() if is_pod else ():
                    environment.setenv(name, value)
                identities = [blue, ServicePrincipal("green", TENANT, GREEN, proof)]
                async with connect(run.endpoint, read_only=True, identities=identities) as azure:
                    who = {name: one["appid"] for name, one in (await azure.authorization.principals()).items()}
                assert who == {"blue": BLUE, "green": GREEN}
                for name in pod:
                    environment.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("proof", "told"), PROOFS, ids=lambda value: repr(value) if not isinstance(value, tuple) else ""
)
async def test_a_proof_that_cannot_be_used_is_told_by_name(
    environment: pytest.MonkeyPatch, tmp_path: Path, proof: Any, told: tuple[str, ...]
) -> None:
    environment.chdir(tmp_path)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00secret")
    (tmp_path / "text").write_text("no-token", encoding="utf-8")
    (tmp_path / "token").write_text(proofs.federated_token(2), encoding="utf-8")
    (tmp_path / "blue.pem").write_bytes(proofs.pem(1))
    (tmp_path / "locked.pem").write_bytes(proofs.pem(1, "open"))
    with emulated(environment, EACH_ITS_OWN) as run, refused_sign_in("blue", *told):
        identities = [ServicePrincipal("blue", TENANT, BLUE, proof)]
        async with connect(run.endpoint, read_only=True, identities=identities):
            pass


class Lent:
    """A credential of the caller's own, which knows whether it was closed."""

    def __init__(self, run: Running, name: str) -> None:
        self.run, self.client, self.closed = run, CLIENTS[name], False

    async def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        audience = scopes[0].removesuffix("/.default")
        account = self.run.emulator.directory.accounts[self.client]
        return AccessTokenInfo(self.run.emulator.tokens.issue(account, audience=audience, issuer="x"), 4_000_000_000)

    async def close(self) -> None:
        self.closed = True


async def test_credentials_of_the_callers_own_stay_theirs(environment: pytest.MonkeyPatch) -> None:
    with emulated(environment, EACH_ITS_OWN) as run:
        own = {name: Lent(run, name) for name in CLIENTS}
        named = [NamedCredential(name, credential) for name, credential in own.items()]
        async with connect(run.endpoint, read_only=True, identities=named) as azure:
            assert len(await azure.authorization.subscriptions()) == 2
        assert not any(credential.closed for credential in own.values())


async def test_identities_that_do_not_go_together_are_refused(environment: pytest.MonkeyPatch) -> None:
    """The limits of one principal do not double, and a run belongs to one tenant."""
    with emulated(environment, EACH_ITS_OWN) as run:
        blue, green = principals()
        cases = [
            ([blue, replace(green, name="blue")], "names of their own"),
            ([blue, replace(green, name="")], "names of their own"),
            ([blue, replace(blue, name="again")], "'blue' and 'again' are the same principal"),
        ]
        for identities, told in cases:
            with pytest.raises(UsageError, match=told):
                async with connect(run.endpoint, read_only=True, identities=identities):
                    pass
        with pytest.raises(UsageError, match="a credential and identities"):
            async with connect(run.endpoint, read_only=True, identities=[blue], credential=Lent(run, "blue")):
                pass


async def test_tokens_of_two_tenants_are_refused(environment: pytest.MonkeyPatch) -> None:
    """A connection belongs to one tenant, whatever the file, or credentials of the caller's own, say."""
    other = "88888888-8888-8888-8888-888888888888"
    fleet = fleet_for(EACH_ITS_OWN)
    fleet["principals"][1]["tenantId"] = other
    with running(fleet=fleet) as run:
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NO_PROXY"):
            environment.setenv(name, run.env[name])
        blue, green = principals()
        with pytest.raises(UsageError) as caught:
            async with connect(run.endpoint, read_only=True, identities=[blue, replace(green, tenant_id=other)]):
                pass
    assert caught.value.message == f"Identity 'blue' signed in to tenant {TENANT} and 'green' to tenant {other}."
