"""The governor against a service with buckets of its own, in virtual time.

The service below is written from the published description of a token bucket and shares nothing with the governor.
"""

import asyncio
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.unit.arm.virtual_time import VirtualClock, run_virtually

from patchmode.arm.failures import ServiceFault
from patchmode.arm.governor import (
    Cost,
    Governor,
    Policy,
    Verb,
    arm_remaining,
    compute_remaining,
    graph_remaining,
    graph_resets_after,
)
from patchmode.arm.rate_limits import Bucket, Limit

WRITES = Cost("11111111-1111-1111-1111-111111111111", Verb.WRITES)
THROTTLED = ServiceFault("SubscriptionRequestsThrottled", "Please try again after '1' seconds.")


@dataclass
class Service:
    """One bucket behind a network: a request arrives after half of its latency and is answered after the other half."""

    burst: float
    per_second: float
    slowest_s: float
    seed: int = 0
    others_per_second: float = 0.0
    says_remaining: bool = True
    refused_at: list[float] = field(default_factory=list)
    tokens: float = field(init=False)
    at: float = 0.0

    def __post_init__(self) -> None:
        self.tokens = self.burst
        self.chance = random.Random(self.seed)

    async def ask(self) -> tuple[dict[str, str], float | None]:
        """Headers, and the seconds to wait where the request was refused."""
        await asyncio.sleep(self.chance.uniform(0.01, self.slowest_s) / 2)
        now = asyncio.get_running_loop().time()
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.per_second)
        self.tokens = max(0.0, self.tokens - (now - self.at) * self.others_per_second)
        self.at = now
        is_refused = self.tokens < 1
        if is_refused:
            self.refused_at.append(now)
        else:
            self.tokens -= 1
        await asyncio.sleep(self.chance.uniform(0.01, self.slowest_s) / 2)
        if is_refused:
            return {}, 1.0
        said = {"x-ms-ratelimit-remaining-subscription-writes": str(int(self.tokens))}
        return (said if self.says_remaining else {}), None


async def send_all(service: Service, requests: int, concurrency: int, *, share: float = 1.0) -> float:
    """Seconds until every request was accepted, each repeated until it is."""
    clock = VirtualClock()
    governor = Governor(clock, share=share)
    left = iter(range(requests))

    async def worker() -> None:
        for _ in left:
            while True:
                leave = await governor.acquire(WRITES)
                headers, wait = await service.ask()
                governor.answered(leave, headers)
                if wait is None:
                    break
                governor.refused(leave, THROTTLED, retry_after_s=wait)
                await clock.sleep(wait)

    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return clock.monotonic()


@settings(max_examples=examples(15, 200), deadline=None)
@given(
    concurrency=st.integers(1, 256),
    slowest_s=st.floats(0.02, 3.0),
    seed=st.integers(0, 10_000),
    says_remaining=st.booleans(),
)
def test_alone_it_takes_what_the_bucket_gives_and_is_never_refused(
    concurrency: int, slowest_s: float, seed: int, says_remaining: bool
) -> None:
    """2,000 writes at 200 + 10/s need 180 s: at most 5 % more and two round trips, or what senders cannot overlap."""
    service = Service(200, 10, slowest_s, seed, says_remaining=says_remaining)
    took = run_virtually(send_all(service, 2_000, concurrency))
    one_sender = 2_000 * slowest_s / concurrency
    assert took <= max(180 * 1.05, one_sender) + 2 * slowest_s
    # The first burst is on its way before the first answer says anything; after it, nothing may be refused.
    steady = [at for at in service.refused_at if at > slowest_s * 2]
    assert steady == []


@settings(max_examples=examples(15, 200), deadline=None)
@given(others=st.floats(1.0, 6.0), slowest_s=st.floats(0.02, 1.0), seed=st.integers(0, 10_000))
def test_beside_others_it_backs_off(others: float, slowest_s: float, seed: int) -> None:
    """Fewer than one write in fifty is refused, and the rest of the bucket is used to nine tenths."""
    service = Service(200, 10, slowest_s, seed, others_per_second=others)
    took = run_virtually(send_all(service, 1_000, 64))
    assert len(service.refused_at) <= 20
    assert took <= 800 / (10 - others) / 0.9 + slowest_s


def test_a_bucket_that_is_always_full_holds_nothing_up() -> None:
    """An endpoint that throttles nobody says so in every answer; 5,000 writes then take their latency."""
    service = Service(1e9, 1e9, 0.02)

    async def always_full() -> tuple[dict[str, str], None]:
        await asyncio.sleep(0.01)
        return {"x-ms-ratelimit-remaining-subscription-writes": "199"}, None

    service.ask = always_full  # type: ignore[method-assign]
    assert run_virtually(send_all(service, 5_000, 64)) < 2.0


def test_a_share_leaves_the_rest_to_others() -> None:
    """Half of 200 + 10/s is 100 + 5/s: 600 writes take 100 s and the service always keeps its other half."""
    service = Service(200, 10, 0.02)
    took = run_virtually(send_all(service, 600, 32, share=0.5))
    assert 99 <= took <= 110
    assert service.tokens > 90


@pytest.mark.parametrize("share", [0, -1, 1.01])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        Governor(VirtualClock(), share=share)


def test_a_refusal_freezes_its_bucket_for_as_long_as_it_asks() -> None:
    async def story() -> float:
        clock = VirtualClock()
        governor = Governor(clock)
        leave = await governor.acquire(WRITES)
        governor.answered(leave, {})
        governor.refused(leave, THROTTLED, retry_after_s=42)
        await governor.acquire(WRITES)
        return clock.monotonic()

    assert run_virtually(story()) == pytest.approx(42)


def test_one_region_runs_dry_and_another_does_not_notice() -> None:
    """Compute counts by region; Resource Manager's own bucket is not the one that refused."""

    async def story() -> float:
        clock = VirtualClock()
        governor = Governor(clock)
        west, east = (WRITES._replace(policy=Policy.UPDATE_VM, region=region) for region in ("westeurope", "eastus"))
        leave = await governor.acquire(west)
        governor.refused(leave, ServiceFault("OperationNotAllowed", "too many"), retry_after_s=300)
        await governor.acquire(east)
        return clock.monotonic()

    assert run_virtually(story()) == 0


def test_one_machines_own_limit_slows_no_other() -> None:
    async def story() -> float:
        clock = VirtualClock()
        governor = Governor(clock)
        spend = WRITES._replace(policy=Policy.UPDATE_VM, region="westeurope")
        leave = await governor.acquire(spend)
        fault = ServiceFault("OperationNotAllowed", "too many", targets=("UpdateVMResource",))
        governor.refused(leave, fault, retry_after_s=60)
        await governor.acquire(spend)
        return clock.monotonic()

    assert run_virtually(story()) == 0


def test_a_request_given_up_while_it_waits_is_not_counted_as_on_its_way() -> None:
    """Ctrl-C between two buckets must not shrink the first one for the rest of the run."""

    async def story() -> float:
        clock = VirtualClock()
        governor = Governor(clock)
        spend = WRITES._replace(policy=Policy.UPDATE_VM, region="westeurope")
        leave = await governor.acquire(WRITES)
        governor.refused(leave, THROTTLED, retry_after_s=1_000)
        waiting = [asyncio.create_task(governor.acquire(spend)) for _ in range(1_000)]
        await clock.sleep(1)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await clock.sleep(1_000)
        leave = await governor.acquire(spend)
        governor.answered(
            leave, {"x-ms-ratelimit-remaining-resource": "Microsoft.Compute/UpdateVMSubscriptionMaximum;500"}
        )
        bucket, _ = leave.tickets[0]
        return bucket.level(clock.monotonic())

    assert run_virtually(story()) == pytest.approx(499)


def test_graph_queries_wait_for_their_window() -> None:
    """15 in 5 s: the sixteenth leaves when the window is over, the thirty-first after the next."""

    async def story() -> list[float]:
        clock = VirtualClock()
        governor = Governor(clock)
        times = []
        for _ in range(31):
            leave = await governor.acquire(Cost(is_graph=True))
            governor.answered(leave, {})
            times.append(clock.monotonic())
        return times

    times = run_virtually(story())
    assert times[14] == 0
    assert times[15] == pytest.approx(5)
    assert times[30] == pytest.approx(10)


def test_a_spent_graph_quota_is_waited_for_as_the_service_says() -> None:
    async def story() -> float:
        clock = VirtualClock()
        governor = Governor(clock)
        leave = await governor.acquire(Cost(is_graph=True))
        governor.answered(leave, {"x-ms-user-quota-remaining": "0", "x-ms-user-quota-resets-after": "00:00:09"})
        await governor.acquire(Cost(is_graph=True))
        return clock.monotonic()

    assert run_virtually(story()) == pytest.approx(9)


def test_a_larger_bucket_than_published_is_noticed() -> None:
    """Some tenants answer 799 writes left where 200 are published (recorded)."""
    bucket = Bucket(Limit(200, 10), 0.0)
    ticket = bucket.try_spend(0.0)
    assert ticket is not None
    bucket.answered(ticket, 0.1, remaining=799)
    assert bucket.level(0.1) > 700


RECORDED = "Microsoft.Compute/UpdateVMSubscriptionMaximum;1499,Microsoft.Compute/UpdateVMResource;11"


def test_headers_are_read_as_recorded() -> None:
    headers = {
        "x-ms-ratelimit-remaining-resource": RECORDED,
        "x-ms-ratelimit-remaining-subscription-writes": "199",
        "x-ms-ratelimit-remaining-subscription-global-writes": "2999",
        "x-ms-user-quota-remaining": "14",
        "x-ms-user-quota-resets-after": "00:00:05",
    }
    assert compute_remaining(headers, Policy.UPDATE_VM) == 1499
    assert compute_remaining(headers, Policy.LOW_COST_GET) is None
    assert arm_remaining(headers, Verb.WRITES) == 199
    assert arm_remaining(headers, Verb.READS) is None
    assert graph_remaining(headers) == 14
    assert graph_resets_after(headers) == 5


@given(st.text(max_size=30))
def test_no_header_text_stops_a_run(text: str) -> None:
    headers = {
        "x-ms-ratelimit-remaining-resource": text,
        "x-ms-ratelimit-remaining-subscription-reads": text,
        "x-ms-user-quota-remaining": text,
        "x-ms-user-quota-resets-after": text,
    }
    for value in (
        compute_remaining(headers, Policy.UPDATE_VM),
        arm_remaining(headers, Verb.READS),
        graph_remaining(headers),
        graph_resets_after(headers),
    ):
        assert value is None or value >= 0
