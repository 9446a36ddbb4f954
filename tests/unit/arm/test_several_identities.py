"""Several identities on one wire: who sends, whose buckets pay, and what stays with whom."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.unit.arm.scripted import Wire, answer, wire
from tests.unit.arm.virtual_time import VirtualClock, run_virtually

from patchmode.arm.authorization import Directory
from patchmode.arm.failures import ServiceFault
from patchmode.arm.governor import Cost, Governor, Identities, Policy, Verb
from patchmode.arm.graph_queries import merged
from patchmode.arm.resource_graph import ResourceGraph
from patchmode.errors import ForbiddenError, RejectedError
from patchmode.ports.azure import GraphScope

SHARED, BLUES = "aaaaaaaa-0000-0000-0000-000000000001", "aaaaaaaa-0000-0000-0000-000000000002"
WRITES = Cost(SHARED, Verb.WRITES)
UPDATES = Cost(SHARED, Verb.WRITES, Policy.UPDATE_VM, "westeurope")
THROTTLED = ServiceFault("SubscriptionRequestsThrottled", "try again")
NAMES = ("blue", "green")


def both() -> Identities:
    """Two identities that see `SHARED`; the first sees `BLUES` too."""
    roster = Identities(NAMES)
    roster.learn([[SHARED, BLUES], [SHARED]])
    return roster


def sent(spend: Cost, count: int) -> Counter[int]:
    """Who sends so many requests through buckets that are full."""

    async def story() -> Counter[int]:
        return await senders(Governor(VirtualClock(), roster=both()), spend, count)

    return run_virtually(story())


async def senders(governor: Governor, spend: Cost, count: int) -> Counter[int]:
    """Who sends so many requests, none of which is answered."""
    return Counter([(await governor.acquire(spend)).identity for _ in range(count)])


# ------------------------------------------------------------------------------------------------ choice and buckets


def test_equals_take_turns() -> None:
    assert sent(WRITES, 100) == {0: 50, 1: 50}


def test_only_who_sees_a_subscription_is_sent_there() -> None:
    assert sent(WRITES._replace(subscription_id=BLUES), 10) == {0: 10}
    assert sent(WRITES._replace(subscription_id="elsewhere"), 10) == {0: 10}


def test_a_request_that_must_stay_with_one_does() -> None:
    assert sent(WRITES._replace(identity=1), 10) == {1: 10}


def test_who_is_frozen_is_passed_over() -> None:
    """The first was told to wait five minutes; all that follows leaves at once as the second."""

    async def story() -> tuple[Counter[int], float]:
        clock = VirtualClock()
        governor = Governor(clock, roster=both())
        leave = await governor.acquire(WRITES._replace(identity=0))
        governor.answered(leave, {})
        governor.refused(leave, THROTTLED, retry_after_s=300)
        return await senders(governor, WRITES, 150), clock.monotonic()

    assert run_virtually(story()) == ({1: 150}, 0.0)


def test_resource_managers_buckets_add_up() -> None:
    """One identity writes 199 at once and 10 a second; two write 398 at once and 20 a second: 600 take 10.1 s."""

    async def story() -> float:
        clock = VirtualClock()
        await senders(Governor(clock, roster=both()), WRITES, 600)
        return clock.monotonic()

    assert run_virtually(story()) == pytest.approx(10.1, abs=0.11)


def test_a_line_that_has_formed_counts() -> None:
    """Of 600 that ask in one moment each takes the line that is shorter in time, so both lines end together."""

    async def story() -> tuple[Counter[int], float]:
        clock = VirtualClock()
        governor = Governor(clock, roster=both())
        passes = await asyncio.gather(*(governor.acquire(WRITES) for _ in range(600)))
        return Counter(one.identity for one in passes), clock.monotonic()

    who, took = run_virtually(story())
    assert who == {0: 300, 1: 300}
    assert took == pytest.approx(10.1, abs=0.11)


def test_computes_bucket_is_one_for_all() -> None:
    """Compute counts by subscription and region whoever asks: 1,499 at once, then 25 in 3 s, and not twice that."""

    async def story() -> tuple[float, int]:
        clock = VirtualClock()
        roster = Identities([str(number) for number in range(8)])
        roster.learn([[SHARED]] * 8)
        governor = Governor(clock, roster=roster)
        passes = [await governor.acquire(UPDATES) for _ in range(1_524)]
        return clock.monotonic(), len({id(one.tickets[0][0]) for one in passes})

    took, buckets = run_virtually(story())
    assert (took, buckets) == (pytest.approx(3.0, abs=0.13), 1)


def test_what_one_learns_of_compute_holds_for_all() -> None:
    """A 429 of the region, met by the first, holds up the second as well."""

    async def story() -> float:
        clock = VirtualClock()
        governor = Governor(clock, roster=both())
        leave = await governor.acquire(UPDATES._replace(identity=0))
        governor.answered(leave, {})
        governor.refused(leave, ServiceFault("OperationNotAllowed", "too many"), retry_after_s=60)
        await governor.acquire(UPDATES._replace(identity=1))
        return clock.monotonic()

    assert run_virtually(story()) == pytest.approx(60)


def test_graph_windows_are_each_ones_own() -> None:
    """15 in 5 s for each: 30 leave at once when two ask, and the thirty-first of one waits for its window alone."""

    async def story() -> list[float]:
        clock = VirtualClock()
        governor = Governor(clock, roster=both())
        times = []
        for identity in (0, 1):
            for _ in range(15):
                governor.answered(await governor.acquire(Cost(is_graph=True, identity=identity)), {})
            times.append(clock.monotonic())
        await governor.acquire(Cost(is_graph=True, identity=0))
        return [*times, clock.monotonic()]

    assert run_virtually(story()) == [0, 0, pytest.approx(5)]


@pytest.mark.parametrize(("share", "seconds"), [(1.0, 10), (0.5, 20), (0.02, 165)])
def test_a_share_holds_for_the_graph(share: float, seconds: float) -> None:
    """31 queries: 15 a window; 7 a window; and at 2 % one in 16.7 s, of which ten are waited for."""

    async def story() -> float:
        clock = VirtualClock()
        governor = Governor(clock, share=share)
        for _ in range(31 if share > 0.1 else 11):
            governor.answered(await governor.acquire(Cost(is_graph=True)), {})
        return clock.monotonic()

    assert run_virtually(story()) == pytest.approx(seconds, rel=0.02)


# ------------------------------------------------------------------------------------------------ the wire


def two(*script: Any) -> Wire:
    made = wire(*script, names=NAMES)
    made.roster.learn([[SHARED, BLUES], [SHARED]])
    return made


def signed(made: Wire) -> list[str]:
    """Whose token each request carried."""
    return [
        headers["Authorization"].removeprefix("Bearer ").split("token")[0] for _, _, headers, _ in made.transport.asked
    ]


async def test_a_throttled_request_goes_on_as_another() -> None:
    """That is why who sends is chosen for each try, and not once for a request."""
    refusal = b'{"error": {"code": "SubscriptionRequestsThrottled", "message": "later"}}'
    made = two(answer(429, refusal, Retry_After="17"), answer(200))
    got = await made.channel.get("https://arm.example/x", Cost(SHARED))
    assert (signed(made), got.identity) == (["blue", "green"], 1)


async def test_following_pages_stay_with_who_read_the_first() -> None:
    first = b'{"value": [1], "nextLink": "https://arm.example/x?page=2"}'
    made = two(answer(200, first), answer(200, b'{"value": [2]}'))
    spend = Cost(SHARED)
    await made.channel.get("https://arm.example/before", spend)
    made.transport.script = [answer(200, first), answer(200, b'{"value": [2]}')]
    assert [page async for page in made.channel.pages("https://arm.example/x", spend, Any)] == [[1], [2]]
    assert signed(made) == ["blue", "green", "green"]


async def test_each_identity_renews_its_own_token() -> None:
    """A 401 is answered by the one whose token was refused, and the other's is left alone."""
    made = two(answer(401), answer(200))
    await made.channel.get("https://arm.example/x", Cost(SHARED))
    assert [headers["Authorization"] for _, _, headers, _ in made.transport.asked] == [
        "Bearer bluetoken-1",
        "Bearer bluetoken-2",
    ]


async def test_permissions_are_asked_of_each_who_may_be_sent_there() -> None:
    made = two(answer(200, b'{"value": [{"actions": ["*"]}]}'), answer(200, b'{"value": []}'))
    directory = Directory(made.channel, made.roster, dict)
    assert await directory.permissions(f"/subscriptions/{SHARED}") == {"blue": [{"actions": ["*"]}], "green": []}
    assert set(await directory.permissions(f"/subscriptions/{BLUES}")) == {"blue"}


async def test_subscriptions_are_those_that_anybody_sees() -> None:
    lists = [[SHARED, BLUES], [SHARED.upper()]]
    pages = [json.dumps({"value": [{"subscriptionId": one} for one in seen]}).encode() for seen in lists]
    made = two(*(answer(200, page) for page in pages))
    directory = Directory(made.channel, made.roster, dict)
    assert [one.id for one in await directory.subscriptions()] == [SHARED, BLUES]


@pytest.mark.parametrize(
    ("owner", "signed_in_to", "delegated"),
    [("Fabrikam", "contoso", True), ("CONTOSO", "contoso", False), (None, "contoso", False), ("fabrikam", "", False)],
)
async def test_a_subscription_of_another_tenant_is_delegated(
    owner: str | None, signed_in_to: str, delegated: bool
) -> None:
    """The list says the owner in `tenantId`; without it, or without the own tenant, nothing is claimed."""
    entry = {"subscriptionId": SHARED, "tenantId": owner, "displayName": "Shop"}
    made = two(*(answer(200, json.dumps({"value": [entry]}).encode()) for _ in range(2)))
    directory = Directory(made.channel, made.roster, dict, signed_in_to)
    await directory.subscriptions()
    assert directory.names.owner_of(SHARED.upper()) == ("Fabrikam" if delegated else "")
    assert directory.names.delegated() == ({"Fabrikam": (SHARED,)} if delegated else {})


# ------------------------------------------------------------------------------------------------ Resource Graph


def asked_about(made: Wire) -> list[tuple[str, Any]]:
    """Who asked, and about what."""
    bodies = [json.loads(content) for _, _, _, content in made.transport.asked]
    return list(
        zip(signed(made), [body.get("subscriptions", body.get("managementGroups")) for body in bodies], strict=True)
    )


def page(*rows: dict[str, Any]) -> Any:
    return answer(200, json.dumps({"data": rows, "totalRecords": len(rows), "resultTruncated": "false"}).encode())


async def test_a_query_is_divided_among_the_identities() -> None:
    made = two(page())
    graph = ResourceGraph(made.channel, made.roster)
    scopes = (GraphScope((SHARED, BLUES)), GraphScope())
    for scope in scopes:
        made.transport.asked.clear()
        _ = [rows async for rows in graph.machine_ids("resources | project id", scope)]
        assert sorted(asked_about(made)) == [("blue", [BLUES]), ("green", [SHARED])]


async def test_a_management_group_is_asked_of_everybody_and_told_once() -> None:
    below = [page({"subscriptionId": SHARED}, {"subscriptionId": BLUES}), page({"subscriptionId": SHARED.upper()})]
    made = two(*below, page())
    graph = ResourceGraph(made.channel, made.roster)
    assert await graph.subscriptions_under("root") == [SHARED, BLUES]
    assert asked_about(made) == [("blue", ["root"]), ("green", ["root"])]

    made = two(*below, page())
    graph = ResourceGraph(made.channel, made.roster)
    _ = [rows async for rows in graph.machine_ids("resources", GraphScope(management_groups=("root",)))]
    assert sorted(asked_about(made)[2:]) == [("blue", [BLUES]), ("green", [SHARED])]


async def test_a_management_group_that_nobody_sees_into_is_not_taken_for_everything() -> None:
    """An empty scope means all that is seen; an empty group must not become one."""
    made = two(page())
    graph = ResourceGraph(made.channel, made.roster)
    assert [rows async for rows in graph.machine_ids("resources", GraphScope(management_groups=("empty",)))] == []
    assert asked_about(made) == [("blue", ["empty"]), ("green", ["empty"])]


REFUSED = b'{"error": {"code": "AuthorizationFailed", "message": "no"}}'


async def test_a_group_that_is_closed_to_one_is_the_others() -> None:
    made = two(answer(403, REFUSED), page({"subscriptionId": SHARED}))
    assert await ResourceGraph(made.channel, made.roster).subscriptions_under("greens") == [SHARED]


@pytest.mark.parametrize(("status", "error"), [(403, ForbiddenError), (409, RejectedError)])
async def test_a_group_that_is_closed_to_all_is_said_so(status: int, error: type[Exception]) -> None:
    made = two(answer(status, REFUSED))
    with pytest.raises(error):
        await ResourceGraph(made.channel, made.roster).subscriptions_under("closed")


# ------------------------------------------------------------------------------------------------ merging


class Stream:
    """Pages that come when they are let, and a count of how many were begun."""

    def __init__(self, *pages: int, last: Exception | None = None) -> None:
        self.pages, self.last, self.begun, self.closed = pages, last, 0, False

    async def read(self) -> AsyncIterator[int]:
        try:
            for number in self.pages:
                self.begun += 1
                await asyncio.sleep(0)
                yield number
            if self.last:
                raise self.last
        finally:
            self.closed = True


async def test_streams_are_read_at_the_same_time_each_in_its_order() -> None:
    one, other = Stream(1, 2, 3), Stream(10, 20)
    got = [number async for number in merged([one.read(), other.read()])]
    assert [number for number in got if number < 10] == [1, 2, 3]
    assert [number for number in got if number >= 10] == [10, 20]


async def test_no_more_than_one_page_of_a_stream_is_read_ahead() -> None:
    """A consumer that is slow must not fill memory with a fleet."""
    one, other = Stream(*range(50)), Stream(*range(50))
    got = 0
    async for _ in merged([one.read(), other.read()]):
        got += 1
        for _turn in range(20):
            await asyncio.sleep(0)
        assert one.begun + other.begun <= got + 2


async def test_what_one_stream_raises_ends_all() -> None:
    one, other = Stream(1, last=RuntimeError("lost")), Stream(*range(1_000))
    with pytest.raises(RuntimeError, match="lost"):
        _ = [number async for number in merged([one.read(), other.read()])]
    assert other.begun < 10


async def test_nothing_is_left_running_when_nobody_reads_on() -> None:
    before = asyncio.all_tasks()
    streams = merged([Stream(*range(9)).read(), Stream(*range(9)).read()])
    await anext(streams)
    await streams.aclose()  # type: ignore[attr-defined]
    assert asyncio.all_tasks() == before
