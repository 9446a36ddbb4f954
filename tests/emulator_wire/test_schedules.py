"""Schedules over the wire against the emulator, over TLS: written, attached, read in bulk, run, detached."""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.request import Request, urlopen

import pytest
from tests.emulator_wire.test_connection import GROUP, SUBSCRIPTION, TENANT, machine

from arm_emulator.clock import Clock
from arm_emulator.faults import Action, FaultPlan, Matcher, Respond, Rule
from arm_emulator.profile import Profile
from arm_emulator.testing import Running, running
from patchmode.arm.session import connect
from patchmode.errors import RejectedError, UnsafeError
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import FailureKind, ScopeFilter, WindowRule
from patchmode.ports.azure import Azure, GraphScope
from patchmode.workflow.schedules.reading import read_schedules

START = datetime(2030, 1, 6, 12, 0, tzinfo=UTC)
NIGHT = ResourceId.parse(f"{GROUP}/providers/Microsoft.Maintenance/maintenanceConfigurations/Night")
PREPARED, UNPREPARED, ARC = (
    ResourceId.parse(f"{GROUP}/providers/{name}")
    for name in (
        "Microsoft.Compute/virtualMachines/web-001",
        "Microsoft.Compute/virtualMachines/web-002",
        "Microsoft.HybridCompute/machines/arc-1",
    )
)
PROPERTIES = {
    "maintenanceScope": "InGuestPatch",
    "extensionProperties": {"InGuestPatchMode": "User"},
    "maintenanceWindow": {
        "startDateTime": "2030-01-07 03:00",
        "duration": "02:00",
        "timeZone": "W. Europe Standard Time",
        "recurEvery": "Day",
    },
    "installPatches": {
        "rebootSetting": "IfRequired",
        "linuxParameters": {"classificationsToInclude": ["Critical", "Security"]},
    },
}


def fleet() -> dict[str, Any]:
    prepared = machine(1)
    prepared["properties"]["osProfile"]["linuxConfiguration"]["patchSettings"] = {
        "patchMode": "AutomaticByPlatform",
        "assessmentMode": "ImageDefault",
        "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
    }
    arc = {
        "id": str(ARC),
        "name": "arc-1",
        "type": "Microsoft.HybridCompute/machines",
        "location": "westeurope",
        "properties": {"osType": "linux", "status": "Disconnected", "provisioningState": "Succeeded"},
    }
    return {
        "subscriptions": [{"subscriptionId": SUBSCRIPTION, "displayName": "Prod", "tenantId": TENANT}],
        "resources": [prepared, machine(2), arc],
    }


@contextmanager
def emulated(patched: pytest.MonkeyPatch, *rules: Rule, **more: Any) -> Iterator[Running]:
    for name in ("AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE", "HTTPS_PROXY", "https_proxy"):
        patched.delenv(name, raising=False)
    options: dict[str, Any] = {"lro_seconds": 0, "clock": Clock(START), **more}
    with running(faults=FaultPlan(rules=list(rules)), **{"fleet": fleet(), **options}) as run:
        for name, value in run.env.items():
            patched.setenv(name, value)
        yield run


def advance(run: Running, by: timedelta) -> None:
    """Move the emulator's clock, as everybody does."""
    body = json.dumps({"to": (START + by).isoformat()}).encode()
    request = Request(f"{run.endpoint}/_emulator/clock", body, {"Content-Type": "application/json"}, method="POST")
    with urlopen(request, context=ssl.create_default_context(cafile=str(run.ca))) as answer:
        assert answer.status == 200


async def night(azure: Azure) -> None:
    await azure.maintenance_writer.put_configuration(NIGHT, "westeurope", PROPERTIES, {"team": "web"})


async def test_a_schedule_from_its_making_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with emulated(monkeypatch) as run:
        async with connect(run.endpoint, read_only=False) as azure:
            writer = azure.maintenance_writer
            await night(azure)
            found = await azure.maintenance.configuration(NIGHT)
            assert found.window == WindowRule(
                "2030-01-07 03:00", found.window.expiration, "02:00", "W. Europe Standard Time", "Day"
            )
            assert (found.is_guest_patching, found.patch_mode, found.tags) == (True, "User", {"team": "web"})

            made = await writer.attach(PREPARED, "westeurope", "nightly", NIGHT)
            assert (made.name, made.machine, made.configuration) == ("nightly", PREPARED, NIGHT)
            assert list(await azure.maintenance.assignments_on(PREPARED)) == [made]
            wanted = ScopeFilter(os_types=("Linux",), tags={"owner": ("o'brien",)}, any_tag=True)
            whole = await writer.attach_scope(SUBSCRIPTION, None, "linux", NIGHT, wanted)
            part = await writer.attach_scope(SUBSCRIPTION, "Web", "web", NIGHT, ScopeFilter(locations=("westeurope",)))
            assert await azure.maintenance.dynamic_scope(SUBSCRIPTION, None, "linux") == whole
            assert (whole.filter, whole.place.casefold()) == (wanted, f"/subscriptions/{SUBSCRIPTION}")
            assert part.place.casefold() == GROUP.casefold()

            book = await read_schedules(azure, [SUBSCRIPTION])
            assert [one.id for one in book.configurations] == [NIGHT]
            assert [(one.machine, one.configuration) for one in book.assignments] == [(PREPARED, NIGHT)]
            scopes = {one.name: one.filter for one in book.dynamic_scopes}
            assert scopes == {"linux": wanted, "web": ScopeFilter(locations=("westeurope",))}
            assert (book.covered, book.visible, book.notes) == ({SUBSCRIPTION}, {SUBSCRIPTION}, ())

            assert await writer.detach(PREPARED, "nightly") is True
            assert await writer.detach(PREPARED, "nightly") is False
            assert await writer.detach_scope(SUBSCRIPTION, None, "linux") is True
            assert await writer.detach_scope(SUBSCRIPTION, "Web", "web") is True
            book = await read_schedules(azure, [SUBSCRIPTION])
            assert (book.assignments, book.dynamic_scopes) == ((), ())


async def test_what_a_window_did_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with emulated(monkeypatch) as run:
        async with connect(run.endpoint, read_only=False) as azure:
            await night(azure)
            await azure.maintenance_writer.attach_scope(
                SUBSCRIPTION, None, "all", NIGHT, ScopeFilter(locations=("westeurope",))
            )
            advance(run, timedelta(days=1))
            since = START + timedelta(hours=1)
            scope = GraphScope((SUBSCRIPTION,))
            runs = [one async for page in azure.graph.machine_runs(scope, since=since) for one in page]
            assert {one.machine: one.failure for one in runs} == {
                PREPARED: None,
                UNPREPARED: FailureKind.PREREQUISITE,
                ARC: FailureKind.OFF,
            }
            assert {one.configuration for one in runs} == {NIGHT}
            assert len({one.correlation_id for one in runs}) == 1
            assert {one.started_at for one in runs} == {datetime(2030, 1, 7, 2, 0, tzinfo=UTC)}
            assert all(one.message for one in runs if one.failure)
            results = [one async for page in azure.graph.installations(scope, since=since) for one in page]
            assert [(one.machine, one.status) for one in results] == [(PREPARED, "Succeeded")]
            later = START + timedelta(days=2)
            assert [page async for page in azure.graph.machine_runs(scope, since=later) if page] == []


@pytest.mark.parametrize("shape", ["error-object", "error-text", "absent"])
async def test_the_reason_is_found_in_each_shape_that_azure_may_use(
    monkeypatch: pytest.MonkeyPatch, shape: Literal["error-object", "error-text", "absent"]
) -> None:
    """Nobody has published a row; where it names no reason, none is made up."""
    with emulated(monkeypatch, profile=Profile(run_error_shape=shape)) as run:
        async with connect(run.endpoint, read_only=False) as azure:
            await night(azure)
            wanted = ScopeFilter(locations=("westeurope",))
            await azure.maintenance_writer.attach_scope(SUBSCRIPTION, None, "all", NIGHT, wanted)
            advance(run, timedelta(days=1))
            pages = azure.graph.machine_runs(GraphScope((SUBSCRIPTION,)), since=START)
            found = {one.machine: one.failure async for page in pages for one in page}
    is_told = shape != "absent"
    assert found == {
        PREPARED: None,
        UNPREPARED: FailureKind.PREREQUISITE if is_told else FailureKind.NOT_TOLD,
        ARC: FailureKind.OFF if is_told else FailureKind.NOT_TOLD,
    }


async def test_a_filter_that_nobody_here_knows_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    documents = fleet()
    documents["resources"].append(
        {
            "id": f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Maintenance/configurationAssignments/zones",
            "name": "zones",
            "type": "Microsoft.Maintenance/configurationAssignments",
            "location": "global",
            "properties": {
                "maintenanceConfigurationId": str(NIGHT),
                "resourceId": f"/subscriptions/{SUBSCRIPTION}",
                "filter": {"osTypes": ["Linux"], "availabilityZones": ["1"], "resourceIds": None},
            },
        }
    )
    with emulated(monkeypatch, fleet=documents) as run:
        async with connect(run.endpoint, read_only=True) as azure:
            book = await read_schedules(azure, [SUBSCRIPTION])
    assert [one.filter for one in book.dynamic_scopes] == [
        ScopeFilter(os_types=("Linux",), unknown=("availabilityZones",))
    ]
    assert book.visible == {SUBSCRIPTION}
    assert book.configurations == ()


async def test_an_answer_that_is_lost_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The assignment is gone after the first try; that the second finds none does not mean that there was none."""
    action = Action(reset="connection", commit=True)
    rule = Rule(do=action, match=Matcher(method="DELETE", path="*/configurationAssignments/*"), count=1)
    with emulated(monkeypatch, rule) as run:
        async with connect(run.endpoint, read_only=False) as azure:
            await night(azure)
            await azure.maintenance_writer.attach(PREPARED, "westeurope", "nightly", NIGHT)
            assert await azure.maintenance_writer.detach(PREPARED, "nightly") is True
            assert list(await azure.maintenance.assignments_on(PREPARED)) == []
            assert azure.ledger.by_method()["DELETE"] == 2


async def test_an_unprepared_machine_is_refused_in_azure_s_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    with emulated(monkeypatch) as run:
        async with connect(run.endpoint, read_only=False) as azure:
            await night(azure)
            with pytest.raises(RejectedError, match="prerequisites to patch your machine were not met") as caught:
                await azure.maintenance_writer.attach(UNPREPARED, "westeurope", "nightly", NIGHT)
            assert (caught.value.code, caught.value.status) == ("UnsupportedResourceOperation", 400)
            assert "patchmode apply" in caught.value.advice


async def test_what_is_not_there_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with emulated(monkeypatch) as run:
        async with connect(run.endpoint, read_only=True) as azure:
            with pytest.raises(RejectedError) as caught:
                await azure.maintenance.configuration(NIGHT)
            assert caught.value.status == 404
            with pytest.raises(RejectedError):
                await azure.maintenance.dynamic_scope(SUBSCRIPTION, None, "none")
            assert list(await azure.maintenance.assignments_on(PREPARED)) == []


async def test_a_connection_for_reading_has_no_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    with emulated(monkeypatch) as run:
        async with connect(run.endpoint, read_only=True) as azure:
            with pytest.raises(UnsafeError):
                _ = azure.maintenance_writer
            assert set(azure.ledger.by_method()) <= {"GET"}


@pytest.mark.parametrize("status", [500, 504])
async def test_a_write_is_repeated_after_a_wrong_answer(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    respond = Respond(status, json={"Message": "An error has occurred."})
    rule = Rule(do=Action(respond=respond), match=Matcher(method="PUT", path="*/configurationAssignments/*"), count=2)
    with emulated(monkeypatch, rule) as run:
        async with connect(run.endpoint, read_only=False) as azure:
            await night(azure)
            made = await azure.maintenance_writer.attach(PREPARED, "westeurope", "nightly", NIGHT)
            assert list(await azure.maintenance.assignments_on(PREPARED)) == [made]
            assert azure.ledger.by_method()["PUT"] == 4
