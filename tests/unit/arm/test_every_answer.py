"""Every call of `azure.Azure` against every shape of a wrong answer: a value or an error of ours, and nothing else.

The shapes are made from a good answer of each call: each member of another type, absent or null, the body cut off,
nested without end, empty, in another encoding, of another kind. Whoever adds a call adds it here: the list is held
against the ports.
"""

import inspect
import json
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from multidict import CIMultiDict
from tests.unit.arm.scripted import ENDPOINT, Scripted, Wire, wire
from tests.unit.arm.wrong_answers import BODIES, NEXT_LINKS, WRONG, changed, paths_in

from patchmode.arm.authorization import Directory
from patchmode.arm.session import Connection, _connection, _only_tenant
from patchmode.errors import MaybeAppliedError, PatchmodeError
from patchmode.model.machine import MachineKind
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import ScopeFilter
from patchmode.model.target import Target
from patchmode.ports import azure
from patchmode.ports.azure import GraphScope

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/web"
VM = ResourceId.parse(f"{GROUP}/providers/Microsoft.Compute/virtualMachines/web-1")
ARC = ResourceId.parse(f"{GROUP}/providers/Microsoft.HybridCompute/machines/arc-1")
CONFIGURATION = ResourceId.parse(f"{GROUP}/providers/Microsoft.Maintenance/maintenanceConfigurations/weekly")
TOPIC = ResourceId.parse(f"{GROUP}/providers/Microsoft.EventGrid/systemTopics/weekly-events")
EVENT = {
    "id": f"{TOPIC}/eventSubscriptions/start",
    "name": "start",
    "properties": {
        "destination": {"endpointType": "WebHook", "properties": {"endpointBaseUrl": "https://hooks.example/x"}},
        "filter": {"includedEventTypes": ["Microsoft.Maintenance.PreMaintenanceEvent"]},
    },
}
ASSIGNMENTS = "providers/Microsoft.Maintenance/configurationAssignments"
SCOPE = GraphScope((SUBSCRIPTION,))
SINCE = datetime(2026, 11, 1, tzinfo=UTC)
EXTENSION = "microsoft.compute/virtualmachines/extensions"
SETTINGS = {
    "patchMode": "AutomaticByPlatform",
    "assessmentMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"rebootSetting": "IfRequired", "bypassPlatformSafetyChecksOnUserSchedule": True},
}
VM_DOCUMENT: dict[str, Any] = {
    "id": str(VM),
    "name": "web-1",
    "type": "Microsoft.Compute/virtualMachines",
    "location": "westeurope",
    "etag": '"1"',
    "managedBy": "/subscriptions/x",
    "tags": {"owner": "ops"},
    "properties": {
        "vmId": "22222222-2222-2222-2222-222222222222",
        "provisioningState": "Succeeded",
        "licenseType": "Windows_Server",
        "virtualMachineScaleSet": {"id": f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/s"},
        "storageProfile": {
            "imageReference": {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2022"},
            "osDisk": {"osType": "Windows", "createOption": "FromImage"},
        },
        "osProfile": {
            "allowExtensionOperations": True,
            "windowsConfiguration": {
                "provisionVMAgent": True,
                "enableAutomaticUpdates": True,
                "patchSettings": SETTINGS,
            },
        },
        "instanceView": {
            "vmAgent": {"statuses": [{"code": "ProvisioningState/succeeded", "displayStatus": "Ready"}]},
            "statuses": [{"code": "PowerState/running", "displayStatus": "VM running"}],
        },
    },
}
ARC_DOCUMENT: dict[str, Any] = {
    "id": str(ARC),
    "name": "arc-1",
    "location": "westeurope",
    "tags": {"owner": "ops"},
    "properties": {
        "osType": "linux",
        "osSku": "Ubuntu 22.04",
        "status": "Connected",
        "vmId": "22222222-2222-2222-2222-222222222222",
        "provisioningState": "Succeeded",
        "osProfile": {"linuxConfiguration": {"patchSettings": SETTINGS}},
    },
}
CONFIGURATION_DOCUMENT: dict[str, Any] = {
    "id": str(CONFIGURATION),
    "name": "weekly",
    "location": "westeurope",
    "tags": {"owner": "ops"},
    "properties": {
        "maintenanceScope": "InGuestPatch",
        "extensionProperties": {"InGuestPatchMode": "User"},
        "maintenanceWindow": {
            "startDateTime": "2026-12-01 22:00",
            "expirationDateTime": None,
            "duration": "02:00",
            "timeZone": "UTC",
            "recurEvery": "Week Saturday",
        },
        "installPatches": {
            "rebootSetting": "IfRequired",
            "windowsParameters": {"classificationsToInclude": ["Critical"]},
        },
    },
}
STATIC: dict[str, Any] = {
    "id": f"{VM}/{ASSIGNMENTS}/weekly",
    "name": "weekly",
    "properties": {"maintenanceConfigurationId": str(CONFIGURATION), "resourceId": str(VM)},
}
DYNAMIC: dict[str, Any] = {
    "id": f"/subscriptions/{SUBSCRIPTION}/{ASSIGNMENTS}/weekly",
    "name": "weekly",
    "properties": {
        "maintenanceConfigurationId": str(CONFIGURATION),
        "filter": {
            "locations": ["westeurope"],
            "osTypes": ["Windows"],
            "resourceGroups": [],
            "resourceTypes": None,
            "tagSettings": {"tags": {"owner": ["ops"]}, "filterOperator": "All"},
        },
    },
}
ROW: dict[str, Any] = {
    "id": str(VM),
    "type": "microsoft.compute/virtualmachines",
    "location": "westeurope",
    "tags": {"owner": "ops"},
    "managedBy": "",
    "provisioningState": "Succeeded",
    "vmId": "x",
    "diskOs": "Windows",
    "arcOs": None,
    "osDiskCreateOption": "FromImage",
    "image": {"publisher": "p", "offer": "o", "sku": "s"},
    "licenseType": None,
    "scaleSet": None,
    "osProfile": True,
    "allowExtensions": True,
    "windows": SETTINGS,
    "windowsAgent": True,
    "windowsUpdates": True,
    "power": {"code": "PowerState/running", "displayStatus": "VM running"},
    "arcStatus": None,
}
RUN: dict[str, Any] = {
    "id": f"{VM}/providers/Microsoft.Maintenance/applyUpdates/20261105220000",
    "properties": {
        "startDateTime": "2026-11-05T22:00:00Z",
        "endDateTime": "2026-11-05T23:00:00Z",
        "maintenanceScope": "InGuestPatch",
        "maintenanceConfigurationId": str(CONFIGURATION),
        "correlationId": "c",
        "status": "Failed",
        "errorDetails": {"code": "X", "message": '{"error": {"details": [{"message": "shutdown"}]}}'},
    },
}
ASSESSMENT: dict[str, Any] = {
    "id": f"{VM}/patchAssessmentResults/latest",
    "properties": {
        "status": "Succeeded",
        "lastModifiedDateTime": "2026-11-05T23:00:00Z",
        "rebootPending": False,
        "availablePatchCountByClassification": {"critical": 1, "security": 2, "other": 3},
    },
}
INSTALLATION: dict[str, Any] = {
    "id": f"{VM}/patchInstallationResults/1",
    "properties": {
        "startDateTime": "2026-11-05T22:00:00Z",
        "lastModifiedDateTime": "2026-11-05T23:00:00Z",
        "status": "Failed",
        "startedBy": "Platform",
        "maintenanceRunId": "r",
        "installedPatchCount": 3,
        "failedPatchCount": "1",
        "maintenanceWindowExceeded": False,
        "rebootStatus": "NotNeeded",
        "errorDetails": {"details": [{"code": "a", "message": "b"}]},
    },
}
CHANGE: dict[str, Any] = {
    "id": f"{VM}/providers/Microsoft.Resources/changes/1",
    "properties": {
        "targetResourceId": str(VM),
        "changeType": "Update",
        "changeAttributes": {
            "timestamp": "2026-11-05T22:00:00.1234567Z",
            "changedBy": "ops@contoso.com",
            "changedByType": "User",
            "clientType": "Portal",
            "operation": "x/write",
            "correlationId": "c",
        },
        "changes": {"properties.tags": {"previousValue": "a", "newValue": "b"}},
    },
}


def listed(*entries: Any) -> dict[str, Any]:
    return {"value": list(entries), "nextLink": None}


def rows(*entries: Any) -> dict[str, Any]:
    return {"totalRecords": len(entries), "count": len(entries), "data": list(entries), "resultTruncated": "false"}


async def drained(pages: AsyncIterator[Any]) -> list[Any]:
    return [page async for page in pages]


REFUSED = {"error": {"code": "BadRequest", "message": "no"}}
"""An answer with status 400: each table is asked for by itself then."""


async def together(azure: Connection) -> list[Any]:
    """What one query brings, each part as it is asked for."""
    parts = (azure.graph.machines, azure.graph.resource_groups, azure.graph.maintenance_configurations)
    return [await drained(part(SCOPE)) for part in parts]


async def runs_and_assignments(azure: Connection) -> list[Any]:
    """What another one brings."""
    runs = await drained(azure.graph.machine_runs(SCOPE, since=SINCE))
    return [runs, await drained(azure.graph.configuration_assignments(SCOPE))]


@dataclass(frozen=True)
class Call:
    """One call and its good answer."""

    ask: Callable[[Connection], Awaitable[Any]]
    document: dict[str, Any]
    before: tuple[dict[str, Any], ...] = ()
    """Answers that come first."""
    after: tuple[dict[str, Any], ...] = ()
    """Answers that come when the good one was read."""
    port: str = ""
    """Method of the ports that it stands for, where the name says more."""
    writes: bool = False


def graph(ask: Callable[[Any], AsyncIterator[Any]], *entries: Any, **more: Any) -> Call:
    return Call(lambda azure: drained(ask(azure.graph)), rows(*entries), **more)


DEPLOYMENT = f"{GROUP}/providers/Microsoft.Resources/deployments/main"
CALLS: dict[str, Call] = {
    "get": Call(lambda azure: azure.provider.get(VM, MachineKind.VM), VM_DOCUMENT),
    "get an Arc machine": Call(lambda azure: azure.provider.get(ARC, MachineKind.ARC), ARC_DOCUMENT, port="get"),
    "get_instance_view": Call(
        lambda azure: azure.provider.get_instance_view(VM), VM_DOCUMENT["properties"]["instanceView"]
    ),
    "list_subscription": Call(
        lambda azure: drained(azure.provider.list_subscription(SUBSCRIPTION, MachineKind.VM)), listed(VM_DOCUMENT)
    ),
    "list_group": Call(
        lambda azure: drained(azure.provider.list_group(SUBSCRIPTION, "web", MachineKind.ARC)), listed(ARC_DOCUMENT)
    ),
    "deployment_operations": Call(
        lambda azure: drained(azure.provider.deployment_operations(DEPLOYMENT)),
        listed({"id": "x", "properties": {"provisioningState": "Failed", "targetResource": {"id": str(VM)}}}),
    ),
    "patch": Call(
        lambda azure: azure.writer.patch(VM, MachineKind.VM, "westeurope", {}, etag='"1"'), VM_DOCUMENT, writes=True
    ),
    "operation": Call(
        lambda azure: azure.writer.operation(f"{ENDPOINT}/operations/1?t=1"),
        {"name": "1", "status": "Failed", "error": {"code": "X", "message": "y", "details": [{"code": "z"}]}},
    ),
    "configuration": Call(lambda azure: azure.maintenance.configuration(CONFIGURATION), CONFIGURATION_DOCUMENT),
    "assignments_on": Call(lambda azure: azure.maintenance.assignments_on(VM), listed(STATIC)),
    "events_of": Call(lambda azure: azure.maintenance.events_of(TOPIC), listed(EVENT)),
    "dynamic_scope": Call(lambda azure: azure.maintenance.dynamic_scope(SUBSCRIPTION, None, "weekly"), DYNAMIC),
    "put_configuration": Call(
        lambda azure: azure.maintenance_writer.put_configuration(CONFIGURATION, "westeurope", {}, {}),
        CONFIGURATION_DOCUMENT,
        writes=True,
    ),
    "attach": Call(
        lambda azure: azure.maintenance_writer.attach(VM, "westeurope", "weekly", CONFIGURATION), STATIC, writes=True
    ),
    "delete_configuration": Call(
        lambda azure: azure.maintenance_writer.delete_configuration(CONFIGURATION), CONFIGURATION_DOCUMENT, writes=True
    ),
    "detach": Call(lambda azure: azure.maintenance_writer.detach(VM, "weekly"), STATIC, writes=True),
    "attach_scope": Call(
        lambda azure: azure.maintenance_writer.attach_scope(SUBSCRIPTION, None, "weekly", CONFIGURATION, ScopeFilter()),
        DYNAMIC,
        writes=True,
    ),
    "detach_scope": Call(
        lambda azure: azure.maintenance_writer.detach_scope(SUBSCRIPTION, None, "weekly"), DYNAMIC, writes=True
    ),
    "machines": graph(lambda it: it.machines(SCOPE), ROW),
    "machines and what surrounds them": Call(
        together,
        rows(
            {"rank": 0, "id": GROUP, "name": "web", "subscriptionId": SUBSCRIPTION, "managedBy": "x"},
            {"rank": 1, "id": f"{VM}/extensions/e", "name": "e", "type": EXTENSION, "properties": {"type": "x"}},
            {"rank": 2, **ROW, "support": "NotSupported"},
            {"rank": 3, **CONFIGURATION_DOCUMENT},
        ),
        port="machines",
    ),
    "runs and assignments": Call(
        runs_and_assignments,
        rows(
            {**RUN, "isAssignment": False},
            {"id": DYNAMIC["id"], "isAssignment": 1, "configuration": str(CONFIGURATION), "filter": None},
        ),
        port="machine_runs",
    ),
    "machines alone": graph(lambda it: it.machines(SCOPE), ROW, port="machines", before=(REFUSED, rows(), rows())),
    "runs alone": graph(lambda it: it.machine_runs(SCOPE, since=SINCE), RUN, port="machine_runs", before=(REFUSED,)),
    "what is not supported": graph(
        lambda it: it.machines(SCOPE),
        {"id": f"{VM}/patchAssessmentResults/latest", "support": "NotSupported"},
        port="machines",
        before=(REFUSED,),
        after=(rows(),),
    ),
    "machine_ids": graph(lambda it: it.machine_ids("resources", SCOPE), {"id": str(VM)}),
    "machines_named": graph(lambda it: it.machines_named(["web"], SCOPE), {"id": str(VM)}),
    "all_resource_groups": graph(
        lambda it: it.all_resource_groups(SCOPE), {"id": GROUP, "name": "web", "subscriptionId": SUBSCRIPTION}
    ),
    "resource_groups": graph(
        lambda it: it.resource_groups(SCOPE),
        {"id": GROUP, "name": "web", "subscriptionId": SUBSCRIPTION, "managedBy": "x"},
    ),
    "subscriptions_under": Call(
        lambda azure: azure.graph.subscriptions_under("root"), rows({"id": "x", "subscriptionId": SUBSCRIPTION})
    ),
    "maintenance_configurations": graph(lambda it: it.maintenance_configurations(SCOPE), CONFIGURATION_DOCUMENT),
    "configuration_assignments": graph(
        lambda it: it.configuration_assignments(SCOPE),
        {
            "id": DYNAMIC["id"],
            "name": "weekly",
            "configuration": str(CONFIGURATION),
            "filter": DYNAMIC["properties"]["filter"],
        },
    ),
    "system_topics": graph(
        lambda it: it.system_topics(SCOPE), {"id": str(TOPIC), "properties": {"source": str(CONFIGURATION)}}
    ),
    "machine_runs": graph(lambda it: it.machine_runs(SCOPE, since=SINCE), RUN),
    "installations": graph(lambda it: it.installations(SCOPE, since=SINCE), INSTALLATION),
    "assessments": graph(lambda it: it.assessments(SCOPE, [VM]), ASSESSMENT),
    "resource_changes": graph(lambda it: it.resource_changes(SCOPE, since=SINCE), CHANGE),
    "subscriptions": Call(
        lambda azure: azure.authorization.subscriptions(),
        listed(
            {
                "id": f"/subscriptions/{SUBSCRIPTION}",
                "subscriptionId": SUBSCRIPTION,
                "displayName": "Prod",
                "tenantId": "t",
                "state": "Enabled",
            }
        ),
    ),
    "tenant_name": Call(
        lambda azure: azure.authorization.tenant_name(),
        listed({"id": f"/tenants/{SUBSCRIPTION}", "tenantId": SUBSCRIPTION, "displayName": "Contoso"}),
    ),
    "locks": Call(
        lambda azure: azure.authorization.locks(SUBSCRIPTION),
        listed(
            {
                "id": f"{GROUP}/providers/Microsoft.Authorization/locks/keep",
                "name": "keep",
                "properties": {"level": "ReadOnly", "notes": "x"},
            }
        ),
    ),
    "permissions": Call(
        lambda azure: azure.authorization.permissions(GROUP),
        listed({"actions": ["*"], "notActions": [], "dataActions": None, "notDataActions": None}),
    ),
    "assigned_scopes": Call(
        lambda azure: azure.authorization.assigned_scopes(f"/subscriptions/{SUBSCRIPTION}"),
        listed({"id": "x", "properties": {"scope": GROUP, "principalId": "p"}}),
    ),
    "provider_registration": Call(
        lambda azure: azure.authorization.provider_registration(SUBSCRIPTION, "Microsoft.Compute"),
        {"id": "x", "registrationState": "Registered"},
    ),
}
UNASKED = {"turn", "principals", "by_method", "forget"}
"""Methods of the ports that send nothing."""
PORTS = (
    azure.Provider,
    azure.Writer,
    azure.Maintenance,
    azure.MaintenanceWriter,
    azure.Graph,
    azure.Authorization,
    azure.RequestLedger,
)
HEADERS = ("x", "", "-5", "9" * 5_000, "NaN", "1e400", "\x00", "Fri, 99 Foo 2026 99:99:99 GMT", ",,,", "٣", "a;b;c")
WAITED_FOR = {"retry-after", "retry-after-ms", "date"}
HEADER_NAMES = (
    "azure-asyncoperation",
    "location",
    "retry-after",
    "retry-after-ms",
    "date",
    "content-type",
    "x-ms-request-id",
    "x-ms-ratelimit-remaining-resource",
    "x-ms-ratelimit-remaining-subscription-reads",
    "x-ms-ratelimit-remaining-subscription-writes",
    "x-ms-user-quota-remaining",
    "x-ms-user-quota-resets-after",
    "x-ms-tenant-subscription-limit-hit",
)


def connected(*script: Scripted | BaseException) -> tuple[Connection, Wire]:
    made = wire(*script)
    directory = Directory(made.channel, made.roster, lambda: {"": {"oid": SUBSCRIPTION}})
    target = Target("Example", ENDPOINT, "tenant")
    return _connection(target, made.channel, made.ledger, directory, made.roster, read_only=False), made


def reply(body: bytes, status: int = 200, **headers: str) -> Scripted:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Scripted(status, body, CIMultiDict(named))


async def outcome(call: Call, bad: Scripted | BaseException) -> Any:
    """What comes of a call whose last answer is this one: a value, or an error of ours."""
    before, after = (
        [reply(json.dumps(one).encode(), 400 if "error" in one else 200) for one in some]
        for some in (call.before, call.after)
    )
    azure, _ = connected(*before, bad, *after)
    try:
        return await call.ask(azure)
    except PatchmodeError as error:
        return error


@pytest.fixture(params=CALLS)
def call(request: pytest.FixtureRequest) -> Call:
    return CALLS[request.param]


def test_every_call_of_the_ports_is_here() -> None:
    named = {call.port or name for name, call in CALLS.items()}
    there = {name for port in PORTS for name, _ in inspect.getmembers(port, inspect.isfunction) if name[0] != "_"}
    assert there - UNASKED == named


async def test_the_good_answer_is_read(call: Call) -> None:
    found = await outcome(call, reply(json.dumps(call.document).encode()))
    assert not isinstance(found, Exception)
    assert found == await outcome(call, reply(b"\xef\xbb\xbf" + json.dumps(call.document).encode(), content_type="a/b"))


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_body_of_another_kind(call: Call, body: bytes, status: int) -> None:
    await outcome(call, reply(body, status, content_type="text/html"))


async def test_a_body_that_was_cut_off(call: Call) -> None:
    whole = json.dumps(call.document).encode()
    for end in range(1, len(whole), max(1, len(whole) // 60)):
        found = await outcome(call, reply(whole[:end]))
        # What is not supported is an extra to the machines: without it they are told all the same.
        if not call.after:
            assert isinstance(found, MaybeAppliedError if call.writes else PatchmodeError), whole[:end]


async def test_each_member_of_another_type(call: Call) -> None:
    for path in paths_in(call.document):
        for value in (..., *WRONG):
            await outcome(call, reply(changed(call.document, path, value)))


@pytest.mark.parametrize("link", NEXT_LINKS)
async def test_a_next_link_that_leads_nowhere(call: Call, link: Any) -> None:
    """Also one that leads back: such lists were read for ever."""
    document = {**call.document, "nextLink": link, "$skipToken": link}
    found = await outcome(call, reply(json.dumps(document).encode()))
    is_odd = link not in ([], {}) and isinstance(link, str)
    if "value" in call.document or ("data" in call.document and is_odd and not call.after):
        assert isinstance(found, PatchmodeError)


@pytest.mark.parametrize("name", HEADER_NAMES)
async def test_headers_of_another_form(call: Call, name: str) -> None:
    body = json.dumps(call.document).encode()
    for value in HEADERS:
        for status in (200, 429, 503) if name in WAITED_FOR else (200,):
            found = await outcome(call, reply(body, status, **{name: value, "retry-after-x": "1"}))
            assert not (status == 200 and isinstance(found, PatchmodeError)) or call.writes or "limit-hit" in name


async def test_an_encoding_that_cannot_be_undone_is_a_lost_answer(call: Call) -> None:
    """It ended the run with a traceback, also over a PATCH that had been carried out."""
    found = await outcome(call, zlib.error("Error -3 while decompressing data: incorrect header check"))
    assert isinstance(found, MaybeAppliedError) or call.port == "machines"


@pytest.mark.parametrize("error", [ConnectionResetError(104, "reset"), TimeoutError(), BrokenPipeError(32, "pipe")])
async def test_a_socket_that_breaks_below_the_client(call: Call, error: OSError) -> None:
    await outcome(call, error)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_the_list_of_tenants(body: bytes) -> None:
    made = wire(reply(body))
    with pytest.raises(PatchmodeError):
        await _only_tenant(made.channel, 0)


@pytest.mark.parametrize("value", WRONG)
async def test_a_tenant_of_another_type(value: Any) -> None:
    if isinstance(value, str) and value:
        return
    made = wire(reply(json.dumps({"value": [{"tenantId": value}]}).encode()))
    with pytest.raises(PatchmodeError):
        await _only_tenant(made.channel, 0)
