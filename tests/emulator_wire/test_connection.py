"""The wire against the emulator, over TLS: sign-in, discovery, lists, PATCH, operations, throttling, faults."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.unit.workflow.run_doubles import temporary_store

from arm_emulator.clock import Clock
from arm_emulator.faults import Action, BendOperation, FaultPlan, Matcher, Respond, Rule
from arm_emulator.testing import Running, running
from patchmode.arm.session import connect
from patchmode.errors import (
    CloudError,
    MaybeAppliedError,
    NotSentError,
    PreconditionError,
    RejectedError,
    SignInError,
    UnsafeError,
)
from patchmode.model.machine import Machine, MachineKind, ReadFrom
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.resource_id import ResourceId
from patchmode.model.scope import Scope
from patchmode.ports.azure import Azure, GraphScope, OperationState
from patchmode.timing import SystemClock
from patchmode.workflow.inventory.planning import make_plan
from patchmode.workflow.run.applying import apply_plan
from patchmode.workflow.run.options import ApplyOptions

SUBSCRIPTION = "22222222-2222-2222-2222-222222222222"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Web"
TENANT = "11111111-1111-1111-1111-111111111111"
BODY = {
    "properties": {
        "osProfile": {
            "linuxConfiguration": {
                "patchSettings": {
                    "patchMode": "AutomaticByPlatform",
                    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
                }
            }
        }
    }
}

WANTED = WantedSettings(orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES)


def machine(number: int, **properties: Any) -> dict[str, Any]:
    return {
        "id": f"{GROUP}/providers/Microsoft.Compute/virtualMachines/web-{number:03}",
        "name": f"web-{number:03}",
        "type": "Microsoft.Compute/virtualMachines",
        "location": "westeurope",
        "tags": {"owner": "o'brien"},
        "properties": {
            "vmId": "33333333-3333-3333-3333-333333333333",
            "hardwareProfile": {"vmSize": "Standard_B1s"},
            "provisioningState": "Succeeded",
            "storageProfile": {
                "imageReference": {
                    "publisher": "Canonical",
                    "offer": "0001-com-ubuntu-server-jammy",
                    "sku": "22_04-lts-gen2",
                    "version": "latest",
                },
                "osDisk": {"osType": "Linux", "createOption": "FromImage", "name": "disk"},
            },
            "osProfile": {
                "computerName": "web",
                "linuxConfiguration": {
                    "patchSettings": {"patchMode": "ImageDefault", "assessmentMode": "ImageDefault"},
                    "provisionVMAgent": True,
                },
                "allowExtensionOperations": True,
            },
            **properties,
        },
        "etag": '"1"',
    }


def fleet(count: int) -> dict[str, Any]:
    return {
        "subscriptions": [{"subscriptionId": SUBSCRIPTION, "displayName": "Prod", "tenantId": TENANT}],
        "resources": [machine(number) for number in range(count)],
    }


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No credential and no proxy but those a test gives."""
    for name in ("AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@contextmanager
def emulated(environment: pytest.MonkeyPatch, *rules: Rule, count: int = 3, **options: Any) -> Iterator[Running]:
    options.setdefault("lro_seconds", 0)
    with running(fleet=fleet(count), faults=FaultPlan(rules=list(rules)), **options) as run:
        for name, value in run.env.items():
            environment.setenv(name, value)
        yield run


async def first(azure: Azure) -> Machine:
    pages = azure.provider.list_subscription(SUBSCRIPTION, MachineKind.VM)
    return next(iter([found async for page in pages for found in page]))


async def set_mode(azure: Azure, target: Machine, *, etag: str | None = None) -> Any:
    return await azure.writer.patch(target.id, target.kind, target.location, BODY, etag=etag or target.etag)


async def test_signing_in_tells_target_and_principal(environment: pytest.MonkeyPatch) -> None:
    with emulated(environment) as run:
        async with connect(run.endpoint, read_only=True) as azure:
            assert (azure.target.endpoint, azure.target.tenant_id) == (run.endpoint, TENANT)
            assert (await azure.authorization.principals())[""]["tid"] == TENANT
            subscriptions = await azure.authorization.subscriptions()
            assert [(one.id, one.name, one.tenant_id) for one in subscriptions] == [(SUBSCRIPTION, "Prod", TENANT)]


async def test_a_wrong_secret_is_said_so(environment: pytest.MonkeyPatch) -> None:
    refusal = {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."}
    rule = Rule(do=Action(respond=Respond(401, json=refusal)), match=Matcher(path="*/oauth2/v2.0/token"))
    with emulated(environment, rule) as run, pytest.raises(SignInError) as caught:
        async with connect(run.endpoint, read_only=True):
            pass
    assert "EnvironmentCredential" in caught.value.message
    assert "AADSTS7000215" in caught.value.message


async def test_a_certificate_that_is_not_trusted_is_refused(environment: pytest.MonkeyPatch) -> None:
    with emulated(environment) as run:
        environment.delenv("SSL_CERT_FILE")
        environment.delenv("REQUESTS_CA_BUNDLE")
        with pytest.raises(CloudError) as caught:
            async with connect(run.endpoint, read_only=True):
                pass
        assert "SSL_CERT_FILE" in caught.value.advice


async def test_resource_graph_reads_by_the_page(environment: pytest.MonkeyPatch) -> None:
    with emulated(environment, count=2_100) as run:
        async with connect(run.endpoint, read_only=True) as azure:
            pages = [page async for page in azure.graph.machines(GraphScope())]
            machines = [found for page in pages for found in page]
            assert [len(page) for page in pages] == [1000, 1000, 100]
            assert [found.id for found in machines] == sorted(found.id for found in machines)
            one = machines[0]
            assert (one.orchestration, one.read_from, one.document) == (
                Orchestration.IMAGE_DEFAULT,
                ReadFrom.GRAPH,
                None,
            )
            assert one.tags == {"owner": "o'brien"}
            assert one.surroundings.power_state == "running"
            wanted = [str(machines[5].id).upper()]
            assert [len(page) async for page in azure.graph.machines(GraphScope(), ids=wanted) if page] == [1]
            assert [
                len(page) async for page in azure.graph.machines(GraphScope(), resource_groups=["none"]) if page
            ] == []


async def test_the_users_query_is_sent_as_written(environment: pytest.MonkeyPatch) -> None:
    with emulated(environment) as run:
        async with connect(run.endpoint, read_only=True) as azure:
            query = "Resources | where name == 'web-001' | project id"
            ids = [text async for page in azure.graph.machine_ids(query, GraphScope()) for text in page]
            assert [text.rsplit("/", 1)[-1] for text in ids] == ["web-001"]
            with pytest.raises(RejectedError, match="without an `id`"):
                _ = [page async for page in azure.graph.machine_ids("resources | project name", GraphScope())]
            with pytest.raises(RejectedError, match="answered 400"):
                _ = [page async for page in azure.graph.machine_ids("resources | where where", GraphScope())]
        bodies = [entry.body for entry in run.emulator.ledger.entries if entry.path.endswith("/resources")]
        assert query in [json.loads(body)["query"] for body in bodies]


async def test_uneven_pages_are_followed_to_the_end(environment: pytest.MonkeyPatch) -> None:
    with emulated(environment, count=500) as run:
        async with connect(run.endpoint, read_only=True) as azure:
            pages = [page async for page in azure.provider.list_subscription(SUBSCRIPTION, MachineKind.VM)]
            assert sum(map(len, pages)) == 500
            assert len(pages) > 1
            grouped = [page async for page in azure.provider.list_group(SUBSCRIPTION, "web", MachineKind.VM)]
            assert sum(map(len, grouped)) == 500
            assert all(found.document and found.etag == '"1"' for page in pages for found in page)


async def test_a_write_and_its_operation(environment: pytest.MonkeyPatch) -> None:
    with emulated(environment) as run:
        async with connect(run.endpoint, read_only=False) as azure:
            target = await first(azure)
            answer = await set_mode(azure, target)
            assert answer.machine.orchestration is Orchestration.CUSTOMER_MANAGED_SCHEDULES
            assert answer.machine.etag == '"2"'
            assert answer.request_id
            assert answer.operation_url is not None
            assert (await azure.writer.operation(answer.operation_url)).state is OperationState.SUCCEEDED
            again = await azure.provider.get(target.id, target.kind)
            assert again.orchestration is Orchestration.CUSTOMER_MANAGED_SCHEDULES
            assert azure.ledger.by_method() == {"GET": 3, "PATCH": 1}


async def test_an_operation_still_running_says_when_to_ask(environment: pytest.MonkeyPatch) -> None:
    with emulated(environment, lro_seconds=60) as run:
        async with connect(run.endpoint, read_only=False) as azure:
            answer = await set_mode(azure, await first(azure))
            assert answer.operation_url is not None
            status = await azure.writer.operation(answer.operation_url)
            assert status.state is OperationState.IN_PROGRESS
            assert status.retry_after_s is not None
            assert status.retry_after_s > 0


async def test_a_failed_operation_carries_its_error(environment: pytest.MonkeyPatch) -> None:
    error = {"code": "VMAgentStatusCommunicationError", "message": "the agent is silent"}
    rule = Rule(do=Action(operation=BendOperation("failed", error=error)), match=Matcher(method="PATCH"))
    with emulated(environment, rule) as run:
        async with connect(run.endpoint, read_only=False) as azure:
            answer = await set_mode(azure, await first(azure))
            assert answer.operation_url is not None
            status = await azure.writer.operation(answer.operation_url)
            assert (status.state, status.error_code) == (OperationState.FAILED, "VMAgentStatusCommunicationError")


async def test_a_stale_etag_is_refused(environment: pytest.MonkeyPatch) -> None:
    with emulated(environment) as run:
        async with connect(run.endpoint, read_only=False) as azure:
            with pytest.raises(PreconditionError) as caught:
                await set_mode(azure, await first(azure), etag='"99"')
            assert (caught.value.code, caught.value.status) == ("PreconditionFailed", 412)


async def test_a_missing_machine_is_said_so(environment: pytest.MonkeyPatch) -> None:
    with emulated(environment) as run:
        async with connect(run.endpoint, read_only=True) as azure:
            target = await first(azure)
            gone = ResourceId.parse(str(target.id).replace("web-0", "none-0"))
            with pytest.raises(RejectedError) as caught:
                await azure.provider.get(gone, MachineKind.VM)
            assert (caught.value.code, caught.value.status) == ("ResourceNotFound", 404)


async def test_reading_cannot_write(environment: pytest.MonkeyPatch) -> None:
    with emulated(environment) as run:
        async with connect(run.endpoint, read_only=True) as azure:
            with pytest.raises(UnsafeError):
                _ = azure.writer


@pytest.mark.parametrize(
    ("action", "sent"),
    [
        (Action(respond=Respond(429, headers={"Retry-After": "1"})), 2),
        (Action(respond=Respond(503, html="<html>busy</html>")), 2),
        (
            Action(
                respond=Respond(409, json={"error": {"code": "ConflictingConcurrentWriteNotAllowed", "message": "x"}})
            ),
            2,
        ),
        (Action(expire_tokens=True), 2),
    ],
)
async def test_a_passing_fault_is_overcome(environment: pytest.MonkeyPatch, action: Action, sent: int) -> None:
    with emulated(environment, Rule(do=action, match=Matcher(method="PATCH"), count=1)) as run:
        async with connect(run.endpoint, read_only=False) as azure:
            answer = await set_mode(azure, await first(azure))
            assert answer.machine.orchestration is Orchestration.CUSTOMER_MANAGED_SCHEDULES
            assert azure.ledger.by_method()["PATCH"] == sent


@pytest.mark.parametrize(
    "action",
    [
        Action(reset="connection", commit=True),
        Action(reset="mid-body", commit=True),
        Action(respond=Respond(504), commit=True),
    ],
)
async def test_a_lost_answer_is_never_asked_for_again(environment: pytest.MonkeyPatch, action: Action) -> None:
    """The write took effect and nobody said so: one PATCH, and an error that says it may have been applied."""
    with emulated(environment, Rule(do=action, match=Matcher(method="PATCH"), count=1)) as run:
        async with connect(run.endpoint, read_only=False) as azure:
            target = await first(azure)
            with pytest.raises(MaybeAppliedError):
                await set_mode(azure, target)
            assert azure.ledger.by_method()["PATCH"] == 1
            again = await azure.provider.get(target.id, target.kind)
            assert again.orchestration is Orchestration.CUSTOMER_MANAGED_SCHEDULES


async def test_a_next_link_that_fails_is_read_again(environment: pytest.MonkeyPatch) -> None:
    """502 on a next link was reported from the field."""
    rule = Rule(do=Action(respond=Respond(502)), match=Matcher(method="GET", path="*/virtualmachines"), nth=2)
    with emulated(environment, rule, count=500) as run:
        async with connect(run.endpoint, read_only=True) as azure:
            pages = [page async for page in azure.provider.list_subscription(SUBSCRIPTION, MachineKind.VM)]
            assert sum(map(len, pages)) == 500


async def test_an_operation_of_another_host_gets_no_token(environment: pytest.MonkeyPatch) -> None:
    with emulated(environment) as run:
        async with connect(run.endpoint, read_only=False) as azure:
            with pytest.raises(NotSentError):
                await azure.writer.operation("https://127.0.0.1:9/subscriptions/x?api-version=1")


async def test_surroundings_of_a_subscription(environment: pytest.MonkeyPatch) -> None:
    with emulated(environment) as run:
        async with connect(run.endpoint, read_only=True) as azure:
            assert await azure.authorization.locks(SUBSCRIPTION) == []
            permissions = await azure.authorization.permissions(f"/subscriptions/{SUBSCRIPTION}")
            assert permissions[""][0]["actions"]
            registration = await azure.authorization.provider_registration(SUBSCRIPTION, "Microsoft.Maintenance")
            assert registration == "Registered"
            view = await azure.provider.get_instance_view((await first(azure)).id)
            assert "statuses" in view


async def test_a_run_reports_each_request_that_it_sent_and_no_other(environment: pytest.MonkeyPatch) -> None:
    """As the emulator counted them: tries that were refused among them, sign-in, planning and permissions not."""
    busy = {"error": {"code": "ServerBusy", "message": "Busy."}}
    rules = [
        Rule(
            do=Action(respond=Respond(429, headers={"Retry-After": "1"}, json=busy)),
            match=Matcher(method="PATCH"),
            nth=2,
        ),
        Rule(
            do=Action(respond=Respond(503, headers={"Retry-After": "1"}, json=busy)),
            match=Matcher(method="GET", path="*/virtualMachines/web-001"),
            nth=1,
        ),
    ]
    with emulated(environment, *rules, lro_seconds=4, clock=Clock(speed=20)) as run, temporary_store() as store:
        clock = SystemClock()
        async with connect(run.endpoint, read_only=False) as azure:
            plan = await make_plan(azure, Scope(everything=True), WANTED, clock=clock)
            before = len(run.emulator.ledger.as_json()["requests"])
            done = await apply_plan(store.create(plan), azure, ApplyOptions(), clock=clock)
        later = run.emulator.ledger.as_json()["requests"][before:]
    sent = [entry for entry in later if not entry["path"].endswith("/permissions")]
    assert len(later) == len(sent) + 1
    assert done.counts.applied == 3
    assert done.requests == Counter(entry["method"] for entry in sent)
    assert (done.requests["PATCH"], {entry["status"] for entry in sent}) == (4, {200, 429, 503})
