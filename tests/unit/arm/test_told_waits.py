"""Waits for Azure's limits: each is told with its reason and length, and what is left is known to the next process."""

import asyncio
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.unit.arm.scripted import answer, wire
from tests.unit.arm.virtual_time import VirtualClock, run_virtually

from patchmode.arm.failures import ServiceFault
from patchmode.arm.governor import Cost, Governor, Policy, Verb
from patchmode.ports.azure import GraphQuota

QUERY = Cost(is_graph=True)
SUBSCRIPTION = "22222222-2222-2222-2222-222222222222"
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
"""The virtual clock's first moment."""
GRAPH = "Azure Resource Graph, which grants 15 queries in 5 s"


@dataclass
class Kept:
    """Fulfils `ports.GraphQuotas` in memory."""

    entries: dict[str, GraphQuota] = field(default_factory=dict)

    def read(self, identity: str) -> GraphQuota | None:
        return self.entries.get(identity)

    def write(self, identity: str, quota: GraphQuota) -> None:
        self.entries[identity] = quota


def headers(remaining: int, resets_after_s: int) -> dict[str, str]:
    return {
        "x-ms-user-quota-remaining": str(remaining),
        "x-ms-user-quota-resets-after": f"00:00:{resets_after_s:02d}",
    }


async def ask(governor: Governor, said: dict[str, str] | None = None) -> None:
    leave = await governor.acquire(QUERY)
    governor.answered(leave, said)


def told_while(spend: Cost, count: int, **options: Any) -> tuple[list[str], float]:
    """What is said while so many requests of one kind are made at once, and how long that takes."""
    remarks: list[str] = []

    async def main() -> float:
        governor = Governor(VirtualClock(), remark=remarks.append, **options)

        async def one() -> None:
            governor.answered(await governor.acquire(spend), None)

        await asyncio.gather(*(one() for _ in range(count)))
        return asyncio.get_running_loop().time()

    return remarks, run_virtually(main())


# ------------------------------------------------------------------------------------------------ told


def test_a_window_of_resource_graph_that_is_waited_for_is_told_once() -> None:
    assert told_while(QUERY, 15) == ([], 0.0)
    assert told_while(QUERY, 20) == ([f"Waiting 5 s for {GRAPH}."], 5.0)


def test_the_windows_of_a_long_reading_are_told_every_half_minute() -> None:
    remarks, took = told_while(QUERY, 15 * 13)
    assert took == 60.0
    assert remarks == [f"Waiting 5 s for {GRAPH}."] * 2


@pytest.mark.parametrize(
    ("spend", "count", "text"),
    [
        (Cost(SUBSCRIPTION), 249 + 25, None),
        (
            Cost(SUBSCRIPTION),
            249 + 100,
            f"Waiting 4 s for Azure Resource Manager's limit on reads (subscription {SUBSCRIPTION}).",
        ),
        (
            Cost(SUBSCRIPTION, Verb.WRITES, Policy.UPDATE_VM, "westeurope"),
            199 + 50,
            f"Waiting 5 s for Azure Resource Manager's limit on writes (subscription {SUBSCRIPTION}).",
        ),
    ],
)
def test_a_line_at_a_bucket_is_told_by_its_length(spend: Cost, count: int, text: str | None) -> None:
    """By how long its last one waits; a second is not worth a word."""
    remarks, took = told_while(spend, count)
    assert remarks == ([] if text is None else [text])
    assert took > 1.0 or text is None


def test_a_bucket_of_compute_is_told_by_region() -> None:
    """A hundredth of the limits: one list of a subscription's VMs every 20 s."""
    spend = Cost(SUBSCRIPTION, Verb.READS, Policy.HIGH_COST_GET, "westeurope")
    remarks, _ = told_while(spend, 12, share=0.01)
    limit = f"Azure's limit on lists of VMs in westeurope (subscription {SUBSCRIPTION})"
    assert f"Waiting 80 s for {limit}, of which this process uses 1%." in remarks


def test_a_wait_that_a_refusal_asks_for_is_told_by_the_refused_request_alone() -> None:
    remarks: list[str] = []

    async def main() -> None:
        governor = Governor(VirtualClock(), remark=remarks.append)
        leave = await governor.acquire(QUERY)
        governor.answered(leave, {})
        governor.refused(leave, ServiceFault("RateLimiting", ""), retry_after_s=20)
        await governor.acquire(QUERY)
        read = await governor.acquire(Cost(SUBSCRIPTION))
        governor.refused(read, ServiceFault("TooManyRequests", ""), retry_after_s=20)
        await governor.acquire(Cost(SUBSCRIPTION))

    run_virtually(main())
    assert remarks == []


async def test_a_request_that_is_repeated_after_a_while_says_so() -> None:
    """Half a second is not told; two, four and eight are, each with its reason."""
    made = wire(*[answer(503)] * 2, ConnectionResetError("reset"), answer(500), answer(200), chance=lambda: 1.0)
    await made.channel.get(made.channel.url("/subscriptions/s/x", "1"), Cost())
    asked = "GET /subscriptions/s/x"
    assert made.remarks == [
        f"{asked} got no answer: reset; next try in 2 s",
        f"{asked} was answered 500; next try in 4 s",
    ]
    assert made.clock.slept == [0.5, 1.0, 2.0, 4.0]


# ------------------------------------------------------------------------------------------------ the next process


def test_what_is_left_is_told_to_the_next_process() -> None:
    """Three commands of five queries each leave nothing; the fourth waits until the quota is whole, and says so."""
    kept, remarks = Kept(), list[str]()

    async def command(left: int) -> None:
        governor = Governor(VirtualClock(), quotas=kept, keys=["me"], remark=remarks.append)
        for number in range(1, 6):
            await ask(governor, headers(left - number, 4))

    async def main() -> float:
        for left in (15, 10, 5):
            await command(left)
        assert kept.entries["me"] == GraphQuota(0, BEGUN, BEGUN + timedelta(seconds=5))
        assert remarks == []
        await command(15)
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == 5.0
    assert remarks == [f"Waiting 5 s for {GRAPH}."]


def test_each_identity_has_its_own() -> None:
    kept = Kept({"other": GraphQuota(0, BEGUN, BEGUN + timedelta(seconds=5))})

    async def main() -> float:
        await ask(Governor(VirtualClock(), quotas=kept, keys=["me"]), headers(14, 5))
        await ask(Governor(VirtualClock(), quotas=kept, keys=[""]), headers(14, 5))
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == 0.0
    assert kept.entries["me"].remaining == 14
    assert set(kept.entries) == {"me", "other"}


def test_a_refusal_is_told_to_the_next_process_too() -> None:
    """Which waits for one window, and then asks: nothing in a file keeps a command from asking Azure."""
    kept = Kept()

    async def main() -> float:
        governor = Governor(VirtualClock(), quotas=kept, keys=["me"])
        leave = await governor.acquire(QUERY)
        governor.answered(leave, headers(0, 5))
        governor.refused(leave, ServiceFault("RateLimiting", ""), retry_after_s=9)
        await ask(Governor(VirtualClock(), quotas=kept, keys=["me"]))
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == 5.0
    assert kept.entries["me"] == GraphQuota(0, BEGUN, BEGUN + timedelta(seconds=9))


def test_queries_on_their_way_count_as_spent() -> None:
    """The process may end before they are answered."""
    kept = Kept()

    async def main() -> None:
        governor = Governor(VirtualClock(), quotas=kept, keys=["me"])
        first, *_ = [await governor.acquire(QUERY) for _ in range(4)]
        governor.answered(first, headers(14, 5))

    run_virtually(main())
    assert kept.entries["me"].remaining == 11


@pytest.mark.parametrize(
    "quota",
    [
        GraphQuota(0, BEGUN - timedelta(hours=1), BEGUN - timedelta(hours=1, seconds=-5)),
        GraphQuota(0, BEGUN + timedelta(hours=1), BEGUN + timedelta(hours=1, seconds=5)),
        GraphQuota(0, BEGUN, BEGUN + timedelta(hours=1)),
        GraphQuota(0, BEGUN + timedelta(seconds=0.5), BEGUN),
        GraphQuota(math.nan, BEGUN, BEGUN + timedelta(seconds=5)),
    ],
    ids=["over", "noted in the future", "for too long", "over before it was noted", "no number"],
)
def test_what_another_clock_noted_counts_for_nothing(quota: GraphQuota) -> None:
    """A clock that was set, or a file that somebody wrote, must not hold a command up."""

    async def main() -> float:
        await ask(Governor(VirtualClock(), quotas=Kept({"me": quota}), keys=["me"]))
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == 0.0


def test_the_first_answer_says_better_what_is_left() -> None:
    """What was noted is too little where the quota was made whole meanwhile: nothing is waited for then."""

    async def main() -> float:
        kept = Kept({"me": GraphQuota(1, BEGUN, BEGUN + timedelta(seconds=5))})
        governor = Governor(VirtualClock(), quotas=kept, keys=["me"])
        await ask(governor, headers(14, 5))
        for left in range(13, 3, -1):
            await ask(governor, headers(left, 5))
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == 0.0
