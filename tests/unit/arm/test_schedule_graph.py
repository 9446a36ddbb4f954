"""Resource Graph about schedules and runs, over a scripted transport: fixed queries, all pages, nothing lost unsaid."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.arm.scripted import Scripted, Wire, answer, wire

from patchmode.arm.governor import Identities
from patchmode.arm.resource_graph import ResourceGraph
from patchmode.arm.run_rows import installations_query, runs_and_assignments_query
from patchmode.arm.schedule_rows import ASSIGNMENTS, CONFIGURATIONS
from patchmode.errors import ForbiddenError, RejectedError
from patchmode.model.schedule import DynamicScope, ScopeFilter
from patchmode.ports.azure import GraphScope

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/web"
CONFIGURATION = f"{GROUP}/providers/microsoft.maintenance/maintenanceconfigurations/night"
SCOPE = GraphScope((SUBSCRIPTION,))
SINCE = datetime(2030, 1, 1, tzinfo=UTC)


def page(*rows: Any, total: int | None = None, token: str | None = None) -> Scripted:
    body: dict[str, Any] = {"totalRecords": len(rows) if total is None else total, "data": rows}
    return answer(200, json.dumps({**body, **({"$skipToken": token} if token else {})}).encode())


def vm(name: str) -> str:
    return f"{GROUP}/providers/microsoft.compute/virtualmachines/{name}"


def assigned(machine: str, **more: Any) -> dict[str, Any]:
    identity = f"{vm(machine)}/providers/microsoft.maintenance/configurationassignments/nightly"
    return {"id": identity, "name": "nightly", "configuration": CONFIGURATION, "filter": None, **more}


def queries(made: Wire) -> list[str]:
    return [json.loads(content)["query"] for *_, content in made.transport.asked]


async def everything(pages: Any) -> list[Any]:
    return [one async for found in pages for one in found]


async def test_assignments_and_dynamic_scopes_by_the_page() -> None:
    scope = assigned("x", id=f"{GROUP}/providers/microsoft.maintenance/configurationassignments/linux")
    scope |= {"name": "linux", "filter": {"osTypes": ["Linux"], "resourceIds": ["a"]}}
    made = wire(page(assigned("a"), total=2, token="next"), page(scope, total=2))
    first, second = await everything(ResourceGraph(made.channel, Identities()).configuration_assignments(SCOPE))
    assert (first.name, first.machine.name, first.configuration.name) == ("nightly", "a", "night")
    assert isinstance(second, DynamicScope)
    assert second.filter == ScopeFilter(os_types=("Linux",), unknown=("resourceIds",))
    assert queries(made) == [ASSIGNMENTS, ASSIGNMENTS]


async def test_a_strange_row_stands_in_its_place() -> None:
    """A hundred thousand assignments are not lost for one that a preview feature wrote, and it is counted."""
    strange = [{"id": 3}, assigned("b", configuration=None), assigned("c", name={"x": 1})]
    made = wire(page(assigned("a"), *strange))
    first, second, third, fourth = await everything(
        ResourceGraph(made.channel, Identities()).configuration_assignments(SCOPE)
    )
    assert (first.machine.name, fourth.machine.name) == ("a", "c")
    assert (second.id, second.subscription) == ("row 2 of Resource Graph's assignments", None)
    assert "names no maintenance configuration" in third.reason
    assert third.subscription == "11111111-1111-1111-1111-111111111111"


async def test_configurations_of_every_scope() -> None:
    rows = [
        {"id": CONFIGURATION, "location": "westeurope", "tags": None, "properties": {"maintenanceScope": scope}}
        for scope in ("InGuestPatch", "Host")
    ]
    made = wire(page(*rows, {"id": "x"}))
    found = await everything(ResourceGraph(made.channel, Identities()).maintenance_configurations(SCOPE))
    *read, odd = found
    assert [(one.scope, one.is_guest_patching) for one in read] == [("InGuestPatch", True), ("Host", False)]
    assert odd.id == "row 3 of Resource Graph's configurations"
    assert queries(made) == [CONFIGURATIONS]


async def test_runs_and_installations_since_a_moment() -> None:
    run = {"id": f"{vm('a')}/providers/microsoft.maintenance/applyupdates/20300105030000"}
    run["properties"] = {"status": "Failed", "startDateTime": "2030-01-05T03:00:00Z"}  # type: ignore[assignment]
    early = {**run, "properties": {"status": "Failed", "startDateTime": "2029-01-05T03:00:00Z"}}
    result = {"id": f"{vm('a')}/patchinstallationresults/1", "properties": {"status": "Failed", "failedPatchCount": 1}}
    made = wire(page(run, early), page(result, {"id": "x"}))
    graph = ResourceGraph(made.channel, Identities())
    (found,) = await everything(graph.machine_runs(SCOPE, since=SINCE))
    installed, odd = await everything(graph.installations(SCOPE, since=SINCE))
    assert odd.id == "row 2 of Resource Graph's installations"
    assert (found.machine.name, found.status) == ("a", "Failed")
    assert (installed.machine.name, installed.failed) == ("a", 1)
    assert queries(made) == [runs_and_assignments_query(SINCE), installations_query(SINCE)]


async def test_a_part_never_passes_for_the_whole() -> None:
    made = wire(page(assigned("a"), total=2))
    with pytest.raises(RejectedError, match="1 of 2 rows"):
        await everything(ResourceGraph(made.channel, Identities()).configuration_assignments(SCOPE))


async def test_a_refusal_is_said_so() -> None:
    made = wire(answer(403, b'{"error":{"code":"AuthorizationFailed","message":"no"}}'))
    with pytest.raises(ForbiddenError):
        await everything(ResourceGraph(made.channel, Identities()).machine_runs(SCOPE, since=SINCE))


@pytest.mark.parametrize(("status", "shown"), [("Disconnected", "Disconnected"), (None, None), (3, None)])
async def test_an_arc_server_s_connection_is_read(status: Any, shown: str | None) -> None:
    row = {"id": f"{GROUP}/providers/microsoft.hybridcompute/machines/arc", "type": "microsoft.hybridcompute/machines"}
    made = wire(page({**row, "arcStatus": status}))
    (found,) = await everything(ResourceGraph(made.channel, Identities()).machines(SCOPE))
    assert found.surroundings.arc_status == shown


@pytest.mark.parametrize(
    ("edition", "shown"), [("Windows 11 Enterprise", "Windows 11 Enterprise"), (None, None), (3, None)]
)
async def test_an_arc_server_s_edition_is_read(edition: Any, shown: str | None) -> None:
    row = {"id": f"{GROUP}/providers/microsoft.hybridcompute/machines/arc", "type": "microsoft.hybridcompute/machines"}
    made = wire(page({**row, "arcEdition": edition}))
    (found,) = await everything(ResourceGraph(made.channel, Identities()).machines(SCOPE))
    assert found.os_edition == shown
