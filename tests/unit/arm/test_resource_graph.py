"""Resource Graph over a scripted transport: what is asked, and that a part never passes for the whole."""

import json
from typing import Any

import pytest
from tests.unit.arm.scripted import Scripted, Wire, answer, wire

from patchmode.arm.governor import Identities
from patchmode.arm.machine_rows import FAILED_PATCH_EXTENSIONS, MACHINES, MANAGED_GROUPS, SUBSCRIPTIONS, UNSUPPORTED
from patchmode.arm.resource_graph import ResourceGraph
from patchmode.errors import ForbiddenError, RejectedError
from patchmode.model.machine import PatchExtension
from patchmode.ports.azure import GraphScope, ResourceGroup

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
EMPTY = answer(200, b'{"totalRecords":0,"count":0,"data":[],"resultTruncated":"false"}')


def row(name: str, **more: Any) -> dict[str, Any]:
    machine = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Web/providers/Microsoft.Compute/virtualMachines/{name}"
    return {"id": machine, "type": "microsoft.compute/virtualmachines", "location": "westeurope", **more}


def page(
    *rows: dict[str, Any], total: int | None = None, token: str | None = None, truncated: str = "false"
) -> Scripted:
    body = {"totalRecords": len(rows) if total is None else total, "count": len(rows), "data": rows}
    body |= {"facets": [], "resultTruncated": truncated}
    return answer(200, json.dumps({**body, **({"$skipToken": token} if token else {})}).encode())


def bodies(made: Wire) -> list[dict[str, Any]]:
    return [json.loads(content) for *_, content in made.transport.asked]


async def names(made: Wire, scope: GraphScope | None = None, **narrowing: Any) -> list[str]:
    pages = ResourceGraph(made.channel, Identities()).machines(scope or GraphScope(), **narrowing)
    return [machine.name async for found in pages for machine in found]


async def test_pages_are_followed_by_their_token() -> None:
    made = wire(EMPTY, EMPTY, page(row("a"), total=2, token="next"), page(row("b"), total=2))
    assert await names(made) == ["a", "b"]
    first, second = bodies(made)[2:]
    assert first == {"query": MACHINES, "options": {"$top": 1000, "resultFormat": "objectArray"}}
    assert second["options"]["$skipToken"] == "next"


@pytest.mark.parametrize("last", [page(row("b"), total=3), page(row("b"), total=2, truncated="true")])
async def test_missing_rows_are_an_error(last: Scripted) -> None:
    made = wire(EMPTY, EMPTY, page(row("a"), total=2, token="next"), last)
    with pytest.raises(RejectedError, match="no token for the rest"):
        await names(made)


async def test_what_the_user_typed_stands_in_no_query() -> None:
    """A group named like code narrows the answer, and is never sent."""
    trap = "x' or '1'=='1"
    made = wire(EMPTY, EMPTY, page(row("a")))
    assert await names(made, GraphScope(subscriptions=(SUBSCRIPTION,)), resource_groups=[trap]) == []
    assert all(trap not in json.dumps(body) for body in bodies(made))
    assert {body["query"] for body in bodies(made)} == {MACHINES, UNSUPPORTED, FAILED_PATCH_EXTENSIONS}


async def test_ids_look_through_their_own_subscriptions_only() -> None:
    made = wire(EMPTY, EMPTY, page(row("a"), row("b")))
    wanted = row("B")["id"].upper()
    assert await names(made, ids=[wanted]) == ["b"]
    assert [body["subscriptions"] for body in bodies(made)] == [[SUBSCRIPTION]] * 3


async def test_subscriptions_and_management_groups_are_asked_for_in_turn() -> None:
    """One query takes one of them; a machine that both hold comes once."""
    made = wire(EMPTY, EMPTY, EMPTY, EMPTY, page(row("a")), page(row("A"), row("b")))
    assert await names(made, GraphScope((SUBSCRIPTION,), ("root",))) == ["a", "b"]
    scopes = [{key: body[key] for key in body if key not in ("query", "options")} for body in bodies(made)]
    assert scopes == [{"subscriptions": [SUBSCRIPTION]}, {"managementGroups": ["root"]}] * 3


async def test_many_subscriptions_are_asked_for_in_batches() -> None:
    made = wire(EMPTY)
    await names(made, GraphScope(tuple(str(number) for number in range(1_001))))
    assert [len(body["subscriptions"]) for body in bodies(made)] == [1_000, 1] * 3


async def test_the_last_assessment_is_joined() -> None:
    assessment = {"id": row("a")["id"].lower() + "/patchAssessmentResults/latest", "support": "Unsupported"}
    made = wire(page(assessment), EMPTY, page(row("a"), row("b")))
    pages = ResourceGraph(made.channel, Identities()).machines(GraphScope())
    found = [machine.surroundings.detected_support async for some in pages for machine in some]
    assert found == ["Unsupported", None]


async def test_assessments_that_cannot_be_had_leave_the_state_unknown() -> None:
    made = wire(answer(400, b'{"error":{"code":"BadRequest","message":"no such table"}}'), EMPTY, page(row("a")))
    assert await names(made) == ["a"]


async def test_failed_patch_extensions_are_joined_by_one_query() -> None:
    """With what they say; one that another source calls well, and other extensions, are left aside."""

    def extension(machine: str, kind: str, **properties: Any) -> dict[str, Any]:
        place = row(machine)["id"].upper()
        given = {"publisher": "Microsoft.CPlat.Core", "type": kind, "provisioningState": "Failed", **properties}
        type_ = "microsoft.compute/virtualmachines/extensions"
        return {"id": f"{place}/extensions/{kind}", "name": kind, "type": type_, "properties": given}

    says = {
        "statuses": [{"code": "ProvisioningState/failed/7", "level": "Error", "message": "apt-get:\nno  disk space"}]
    }
    rows = (
        extension("a", "LinuxPatchExtension", instanceView=says),
        extension("b", "WindowsPatchExtension", provisioningState="Succeeded", instanceView=says),
        extension("c", "RunCommandLinux"),
        extension("d", "linuxpatchextension"),
        extension("e", "LinuxPatchExtension", provisioningState="Updating"),
    )
    made = wire(EMPTY, page(*rows), page(*map(row, "abcde")))
    pages = ResourceGraph(made.channel, Identities()).machines(GraphScope())
    found = {one.name: one.surroundings.patch_extension async for some in pages for one in some}
    assert found == {
        "a": PatchExtension("LinuxPatchExtension", "Failed", "apt-get: no disk space"),
        "b": PatchExtension("WindowsPatchExtension", "Failed", "apt-get: no disk space"),
        "c": None,
        "d": PatchExtension("linuxpatchextension", "Failed"),
        "e": None,
    }
    assert len(bodies(made)) == 3


async def test_patch_extensions_that_cannot_be_had_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """Their absence would hide a failure."""
    made = wire(EMPTY, answer(400, b'{"error":{"code":"BadRequest","message":"no"}}'), page(row("a")))
    assert await names(made) == ["a"]
    assert "whether patch extensions have failed is not known" in caplog.text


async def test_a_refused_graph_is_said_so() -> None:
    made = wire(answer(403, b'{"error":{"code":"AuthorizationFailed","message":"no"}}'))
    with pytest.raises(ForbiddenError):
        await names(made)


async def test_a_member_of_another_type_is_the_machine_s_own_affair() -> None:
    """Issue 10: one odd member of one row ended the command for the fleet."""
    made = wire(EMPTY, EMPTY, page({**row("a"), "tags": 3}, row("b")))
    pages = ResourceGraph(made.channel, Identities()).machines(GraphScope())
    found = [machine async for some in pages for machine in some]
    assert [(one.name, one.tags, [str(odd) for odd in one.oddities]) for one in found] == [
        ("a", {}, ["tags = 3"]),
        ("b", {}, []),
    ]


async def test_more_subscriptions_than_the_graph_looks_at() -> None:
    first = page(row("a"))
    first.headers["x-ms-tenant-subscription-limit-hit"] = "true"
    made = wire(EMPTY, EMPTY, first)
    with pytest.raises(RejectedError, match="10,000 subscriptions"):
        await names(made)


async def test_managed_groups_and_subscriptions() -> None:
    group = {"id": "/x", "name": "MC_aks", "subscriptionId": SUBSCRIPTION.upper(), "managedBy": "/aks"}
    made = wire(page(group), page({"id": "/y", "subscriptionId": SUBSCRIPTION}))
    graph = ResourceGraph(made.channel, Identities())
    groups = [one async for some in graph.resource_groups(GraphScope()) for one in some]
    assert groups == [ResourceGroup(SUBSCRIPTION, "MC_aks", "/aks")]
    assert await graph.subscriptions_under("root") == [SUBSCRIPTION]
    assert [body["query"] for body in bodies(made)] == [MANAGED_GROUPS, SUBSCRIPTIONS]
    assert bodies(made)[1]["managementGroups"] == ["root"]
