"""Resource Graph over a scripted transport: what is asked, and that a part never passes for the whole."""

import json
from typing import Any

import pytest
from tests.unit.arm.scripted import Scripted, Wire, answer, wire

from patchmode.arm.governor import Identities
from patchmode.arm.machine_rows import (
    FAILED_PATCH_EXTENSIONS,
    MACHINES,
    MANAGED_GROUPS,
    SUBSCRIPTIONS,
    UNSUPPORTED,
    inventory_query,
)
from patchmode.arm.pipeline import Patience
from patchmode.arm.resource_graph import ResourceGraph
from patchmode.errors import ForbiddenError, RejectedError, ThrottledError
from patchmode.model.machine import PatchExtension
from patchmode.model.resource_id import ResourceId
from patchmode.ports.azure import GraphScope, ResourceGroup

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
EMPTY = answer(200, b'{"totalRecords":0,"count":0,"data":[],"resultTruncated":"false"}')
REFUSED = answer(400, b'{"error":{"code":"BadRequest","message":"no"}}')


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
    made = wire(page(row("a"), total=2, token="next"), page(row("b"), total=2))
    assert await names(made) == ["a", "b"]
    first, second = bodies(made)
    assert first == {"query": inventory_query(), "options": {"$top": 1000, "resultFormat": "objectArray"}}
    assert second["options"]["$skipToken"] == "next"


@pytest.mark.parametrize("last", [page(row("b"), total=3), page(row("b"), total=2, truncated="true")])
async def test_missing_rows_are_an_error(last: Scripted) -> None:
    made = wire(page(row("a"), total=2, token="next"), last)
    with pytest.raises(RejectedError, match="no token for the rest"):
        await names(made)


async def test_what_the_user_typed_stands_in_no_query() -> None:
    """A group named like code narrows the answer, and is never sent."""
    trap = "x' or '1'=='1"
    made = wire(REFUSED, EMPTY, EMPTY, page(row("a")))
    assert await names(made, GraphScope(subscriptions=(SUBSCRIPTION,)), resource_groups=[trap]) == []
    assert all(trap not in json.dumps(body) for body in bodies(made))
    queries = {inventory_query([SUBSCRIPTION]), MACHINES, UNSUPPORTED, FAILED_PATCH_EXTENSIONS}
    assert {body["query"] for body in bodies(made)} == queries


async def test_nothing_but_a_guid_stands_in_a_query() -> None:
    """A subscription that is named otherwise is one of the request's own list."""
    made = wire(page(row("a")))
    assert await names(made, GraphScope(subscriptions=(SUBSCRIPTION, "x') or ('1'=='1"))) == ["a"]
    (body,) = bodies(made)
    assert body["query"] == inventory_query()
    assert body["subscriptions"] == [SUBSCRIPTION, "x') or ('1'=='1"]


async def test_names_are_asked_for_by_one_query_and_can_end_no_text_of_it() -> None:
    """A server of Arc may have an apostrophe in its name; one name is asked for once, however it is cased."""
    made = wire(page(row("web"), row("o'hara")))
    graph = ResourceGraph(made.channel, Identities())
    wanted = ["Web", "WEB", "o'hara", "x\\"]
    found = [one async for some in graph.machines_named(wanted, GraphScope((SUBSCRIPTION,))) for one in some]
    assert [one.name for one in found if isinstance(one, ResourceId)] == ["web", "o'hara"]
    (body,) = bodies(made)
    assert "| where name in~ ('o\\'hara', 'web', 'x\\\\')\n| project id" in body["query"]
    assert body["subscriptions"] == [SUBSCRIPTION]


async def test_ids_look_through_their_own_subscriptions_only() -> None:
    """Configurations, which one query brings as well, are looked for everywhere: a machine's may be in another one."""
    made = wire(page(row("a"), row("b")))
    wanted = row("B")["id"].upper()
    assert await names(made, ids=[wanted]) == ["b"]
    (body,) = bodies(made)
    assert body["query"] == inventory_query([SUBSCRIPTION])
    assert f"subscriptionId in~ ('{SUBSCRIPTION}')" in body["query"]
    assert "subscriptions" not in body
    made = wire(REFUSED, EMPTY, EMPTY, page(row("a"), row("b")))
    assert await names(made, ids=[wanted]) == ["b"]
    assert [body["subscriptions"] for body in bodies(made)[1:]] == [[SUBSCRIPTION]] * 3


async def test_subscriptions_and_management_groups_are_asked_for_in_turn() -> None:
    """One query takes one of them; a machine that both hold comes once."""
    made = wire(page(row("a")), page(row("A"), row("b")))
    assert await names(made, GraphScope((SUBSCRIPTION,), ("root",))) == ["a", "b"]
    scopes = [{key: body[key] for key in body if key not in ("query", "options")} for body in bodies(made)]
    assert scopes == [{"subscriptions": [SUBSCRIPTION]}, {"managementGroups": ["root"]}]


async def test_many_subscriptions_are_asked_for_in_batches() -> None:
    made = wire(EMPTY)
    await names(made, GraphScope(tuple(str(number) for number in range(1_001))))
    assert [len(body["subscriptions"]) for body in bodies(made)] == [1_000, 1]


async def test_the_last_assessment_is_joined() -> None:
    assessment = {"id": row("a")["id"].lower() + "/patchAssessmentResults/latest", "support": "Unsupported"}
    apart = wire(REFUSED, page(assessment), EMPTY, page(row("a"), row("b")))
    for made in (apart, wire(page(row("a", rank=2, support="Unsupported"), row("b", rank=2, support="")))):
        pages = ResourceGraph(made.channel, Identities()).machines(GraphScope())
        found = [machine.surroundings.detected_support async for some in pages for machine in some]
        assert found == ["Unsupported", None]


async def test_assessments_that_cannot_be_had_leave_the_state_unknown() -> None:
    made = wire(
        REFUSED, answer(400, b'{"error":{"code":"BadRequest","message":"no such table"}}'), EMPTY, page(row("a"))
    )
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
    apart = wire(REFUSED, EMPTY, page(*rows), page(*map(row, "abcde")))
    first, *others = rows
    ranked = [{**one, "rank": 1} for one in others], [row(name, rank=2) for name in "abcde"]
    together = wire(page({**first, "rank": 1}, total=10, token="next"), page(*ranked[0], *ranked[1], total=10))
    for made in (apart, together):
        pages = ResourceGraph(made.channel, Identities()).machines(GraphScope())
        found = {one.name: one.surroundings.patch_extension async for some in pages for one in some}
        assert found == {
            "a": PatchExtension("LinuxPatchExtension", "Failed", "apt-get: no disk space"),
            "b": PatchExtension("WindowsPatchExtension", "Failed", "apt-get: no disk space"),
            "c": None,
            "d": PatchExtension("linuxpatchextension", "Failed"),
            "e": None,
        }
    assert (len(bodies(apart)), len(bodies(together))) == (4, 2)


async def test_patch_extensions_that_cannot_be_had_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """Their absence would hide a failure."""
    made = wire(REFUSED, EMPTY, REFUSED, page(row("a")))
    assert await names(made) == ["a"]
    assert "whether patch extensions have failed is not known" in caplog.text


async def test_a_refused_graph_is_said_so() -> None:
    made = wire(answer(403, b'{"error":{"code":"AuthorizationFailed","message":"no"}}'))
    with pytest.raises(ForbiddenError):
        await names(made)


async def test_a_member_of_another_type_is_the_machine_s_own_affair() -> None:
    """Issue 10: one odd member of one row ended the command for the fleet."""
    made = wire(page({**row("a"), "tags": 3}, row("b")))
    pages = ResourceGraph(made.channel, Identities()).machines(GraphScope())
    found = [machine async for some in pages for machine in some]
    assert [(one.name, one.tags, [str(odd) for odd in one.oddities]) for one in found] == [
        ("a", {}, ["tags = 3"]),
        ("b", {}, []),
    ]


async def test_more_subscriptions_than_the_graph_looks_at() -> None:
    first = page(row("a"))
    first.headers["x-ms-tenant-subscription-limit-hit"] = "true"
    made = wire(first, EMPTY, EMPTY, first)
    with pytest.raises(RejectedError, match="10,000 subscriptions"):
        await names(made)
    # Named ones are fewer: only the query that looks everywhere for configurations goes too far.
    assert await names(wire(first, EMPTY, EMPTY, page(row("a"))), GraphScope((SUBSCRIPTION,))) == ["a"]


async def test_managed_groups_and_subscriptions() -> None:
    group = {"id": "/x", "name": "MC_aks", "subscriptionId": SUBSCRIPTION.upper(), "managedBy": "/aks"}
    made = wire(page(group), page({"id": "/y", "subscriptionId": SUBSCRIPTION}))
    graph = ResourceGraph(made.channel, Identities())
    groups = [one async for some in graph.resource_groups(GraphScope()) for one in some]
    assert groups == [ResourceGroup(SUBSCRIPTION, "MC_aks", "/aks")]
    assert await graph.subscriptions_under("root") == [SUBSCRIPTION]
    assert [body["query"] for body in bodies(made)] == [MANAGED_GROUPS, SUBSCRIPTIONS]
    assert bodies(made)[1]["managementGroups"] == ["root"]


def ranked(rank: int, name: str) -> dict[str, Any]:
    """A managed group, or a maintenance configuration, as the query of several tables brings it."""
    place = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}"
    if rank == 0:
        return {"rank": 0, "id": place, "name": name, "subscriptionId": SUBSCRIPTION, "managedBy": "/aks"}
    place += f"/providers/Microsoft.Maintenance/maintenanceConfigurations/{name}"
    return {"rank": 3, "id": place, "name": name, "properties": {"maintenanceScope": "InGuestPatch"}}


async def test_what_one_query_brought_is_not_asked_for_again() -> None:
    """Managed groups and configurations of a small fleet, and the machines themselves."""
    made = wire(page(ranked(0, "mc_aks"), row("a", rank=2), row("b", rank=2), ranked(3, "weekly")))
    graph = ResourceGraph(made.channel, Identities())
    scope = GraphScope((SUBSCRIPTION,))
    assert [one.name async for some in graph.machines(scope) for one in some] == ["a", "b"]
    assert [one.name async for some in graph.machines(scope, ids=[row("b")["id"]]) for one in some] == ["b"]
    groups = [one async for some in graph.resource_groups(scope) for one in some]
    assert groups == [ResourceGroup(SUBSCRIPTION, "mc_aks", "/aks")]
    for everywhere in (GraphScope(), scope):
        found = [one.id.name async for some in graph.maintenance_configurations(everywhere) for one in some]
        assert found == ["weekly"]
    assert len(bodies(made)) == 1


async def test_what_was_read_is_asked_for_again_elsewhere_later_and_after_a_change() -> None:
    """Groups were read in one subscription only, ten seconds pass, or something was written."""
    other = GraphScope(("22222222-2222-2222-2222-222222222222",))
    scope = GraphScope((SUBSCRIPTION,))
    made = wire(page(row("a", rank=2)), EMPTY)
    graph = ResourceGraph(made.channel, Identities())

    async def asked(place: GraphScope) -> int:
        before = len(bodies(made))
        async for _ in graph.resource_groups(place):
            pass
        return len(bodies(made)) - before

    async for _ in graph.machines(scope):
        pass
    assert [await asked(scope), await asked(other), await asked(other), await asked(GraphScope())] == [0, 1, 0, 1]
    assert await asked(scope) == 0
    await made.clock.sleep(11)
    assert [await asked(scope), await asked(scope)] == [1, 0]
    graph.forget()
    assert [await asked(scope), await asked(scope)] == [1, 0]
    made.channel.writes += 1
    assert [await asked(scope), await asked(scope)] == [1, 1], "when a change shows is not known"


async def test_no_page_is_read_for_configurations_alone() -> None:
    """A large fleet costs no more pages than its machines have: what comes after them is left, and not kept."""
    made = wire(
        page(row("a", rank=2), total=4, token="next"),
        page(row("b", rank=2), ranked(3, "one"), total=4, token="more"),
        page(ranked(3, "one"), ranked(3, "two")),
    )
    graph = ResourceGraph(made.channel, Identities())
    assert [one.name async for some in graph.machines(GraphScope()) for one in some] == ["a", "b"]
    found = [one.id.name async for some in graph.maintenance_configurations(GraphScope()) for one in some]
    assert found == ["one", "two"]
    assert len(bodies(made)) == 3


@pytest.mark.parametrize("status", [400, 403, 404, 413, 500])
async def test_tables_that_are_refused_together_are_asked_for_one_by_one(status: int) -> None:
    """And not together again on the same connection: the machines, and each of the others, do without."""
    error = answer(status, b'{"error":{"code":"X","message":"no"}}')
    tries = 1 if status < 500 else Patience().tries
    made = wire(*[error] * tries, EMPTY, EMPTY, page(row("a")), EMPTY, EMPTY, page(row("a")), page(ranked(0, "mc_aks")))
    graph = ResourceGraph(made.channel, Identities())
    for _ in range(2):
        assert [one.name async for some in graph.machines(GraphScope()) for one in some] == ["a"]
    groups = [one async for some in graph.resource_groups(GraphScope()) for one in some]
    assert groups == [ResourceGroup(SUBSCRIPTION, "mc_aks", "/aks")]
    sent = [body["query"] for body in bodies(made)]
    one_by_one = [UNSUPPORTED, FAILED_PATCH_EXTENSIONS, MACHINES]
    assert sent[sent.count(inventory_query()) :] == [*one_by_one, *one_by_one, MANAGED_GROUPS]


async def test_a_throttled_query_is_not_sent_in_pieces() -> None:
    """Four queries instead of one are no remedy for too many."""
    made = wire(answer(429, b'{"error":{"code":"RateLimiting","message":"no"}}', retry_after="5000"))
    with pytest.raises(ThrottledError):
        await names(made)
    assert len(bodies(made)) == 1
