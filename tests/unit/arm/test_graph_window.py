"""Resource Graph's quota as the governor keeps it, against a service with a quota of its own, in virtual time.

The service below is written from "Guidance for throttled requests" and the recorded headers: so many queries in a
window that begins with the first of them; what is left, and whole seconds, in every answer. It shares nothing with the
governor.
"""

import asyncio
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.unit.arm.virtual_time import VirtualClock, run_virtually

from patchmode.arm.failures import ServiceFault
from patchmode.arm.governor import Cost, Governor, Permit

QUERY = Cost(is_graph=True)
THROTTLED = ServiceFault("RateLimiting", "Client application has been throttled.")


@dataclass
class Service:
    """A quota behind a network; `latency` gives the seconds that one way takes."""

    latency: Callable[[], float]
    rounded: Callable[[float], int] = math.ceil
    queries: int = 15
    counts: bool = True
    """False: nothing is refused, and every answer says that one query was counted."""
    begun: float = -math.inf
    used: int = 0
    taken_at: list[float] = field(default_factory=list)
    refused_at: list[float] = field(default_factory=list)

    async def ask(self) -> tuple[dict[str, str], float | None]:
        """Headers, and the seconds to wait where the query was refused."""
        await asyncio.sleep(self.latency())
        now = asyncio.get_running_loop().time()
        if now - self.begun >= 5:
            self.begun, self.used = now, 0
        rest = self.begun + 5 - now
        is_refused = self.counts and self.used >= self.queries
        if is_refused:
            self.refused_at.append(now)
        else:
            self.taken_at.append(now)
            self.used = self.used + 1 if self.counts else 1
        headers = {
            "x-ms-user-quota-remaining": str(self.queries - self.used),
            "x-ms-user-quota-resets-after": f"00:00:{self.rounded(rest):02d}",
        }
        await asyncio.sleep(self.latency())
        return headers, (math.ceil(rest) if is_refused else None)


async def ask_all(service: Service, queries: int, *, share: float = 1.0, at_once: int = 1) -> list[float]:
    """When each query left, the refused ones included; each is repeated until it is taken."""
    clock = VirtualClock()
    governor = Governor(clock, share=share)
    times: list[float] = []
    left = iter(range(queries))

    async def worker() -> None:
        for _ in left:
            wait: float | None = 0.0
            while wait is not None:
                leave = await governor.acquire(QUERY)
                times.append(clock.monotonic())
                headers, wait = await service.ask()
                governor.answered(leave, headers)
                if wait is not None:
                    governor.refused(leave, THROTTLED, retry_after_s=wait)

    await asyncio.gather(*(worker() for _ in range(at_once)))
    return times


@settings(max_examples=examples(50), deadline=None)
@given(queries=st.integers(16, 200), slowest_s=st.floats(0.001, 0.1), seed=st.integers(0, 10_000))
def test_pages_leave_as_fast_as_the_quota_allows_and_none_is_refused(queries: int, slowest_s: float, seed: int) -> None:
    """Of a large audit's pages, each asked for when the last one came, 15 leave in 5 s: at most 5 % later than that."""
    chance = random.Random(seed)
    service = Service(lambda: chance.uniform(0.0005, slowest_s))
    times = run_virtually(ask_all(service, queries))
    allowed = (queries - 1) // 15 * 5
    # Within the last window they follow one another as fast as answers come.
    asking = ((queries - 1) % 15 + 1) * 2 * slowest_s
    assert times[-1] <= allowed * 1.05 + asking
    assert service.refused_at == []


@pytest.mark.parametrize("rounded", [math.ceil, round, math.floor], ids=["up", "to the nearest", "down"])
def test_no_rounding_of_the_seconds_has_a_query_refused(rounded: Callable[[float], int]) -> None:
    """How Azure rounds is not known; seconds rounded down would end every window too early."""
    service = Service(lambda: 0.125, rounded)
    run_virtually(ask_all(service, 100))
    assert service.refused_at == []
    assert len(service.taken_at) == 100


@pytest.mark.parametrize("at_once", [1, 4])
def test_a_service_that_grants_more_than_it_publishes_is_asked_for_more(at_once: int) -> None:
    """Published is "subject to change". Where every answer says that 14 are left, nothing is to be waited for."""
    service = Service(lambda: 0.01, counts=False)
    times = run_virtually(ask_all(service, 200, at_once=at_once))
    assert times[-1] == pytest.approx(199 // at_once * 0.02)


def test_a_larger_quota_is_used_whole() -> None:
    """50 in 5 s: the first answer says that 49 are left."""
    service = Service(lambda: 0.01, queries=50)
    times = run_virtually(ask_all(service, 101))
    assert times[49] < 1
    assert 5 <= times[50] < 5.1
    assert 10 <= times[100] < 10.2
    assert service.refused_at == []


def test_a_share_of_the_quota_leaves_the_rest_to_others_whatever_is_left() -> None:
    """Half of 15 are 7; the service goes on saying that more are left."""
    service = Service(lambda: 0.01)
    times = run_virtually(ask_all(service, 15, share=0.5))
    assert times[6] < 1
    assert 5 <= times[7] < 5.1
    assert 10 <= times[14] < 10.2


def headers(remaining: int, resets_after: int) -> dict[str, str]:
    return {
        "x-ms-user-quota-remaining": str(remaining),
        "x-ms-user-quota-resets-after": f"00:00:{resets_after:02d}",
    }


async def left_now(governor: Governor, clock: VirtualClock) -> list[Permit]:
    """Take every query that may leave at this moment."""
    begun, passes = clock.monotonic(), []
    while True:
        task = asyncio.ensure_future(governor.acquire(QUERY))
        await asyncio.sleep(0)
        if not task.done():
            task.cancel()
            return passes
        assert clock.monotonic() == begun
        passes.append(task.result())


def test_an_answer_of_an_earlier_window_says_nothing_of_the_present_one() -> None:
    """It left in the first window and is answered in the second: one second to go was said of the first."""

    async def story() -> tuple[int, int]:
        clock = VirtualClock()
        governor = Governor(clock)
        late = await governor.acquire(QUERY)
        await clock.sleep(5)
        first = await left_now(governor, clock)
        governor.answered(late, headers(0, 1))
        await clock.sleep(4)
        return len(first), len(await left_now(governor, clock))

    assert run_virtually(story()) == (15, 0)


@pytest.mark.parametrize("answered", [0, 4], ids=["the first", "the last"])
def test_what_is_on_its_way_is_not_counted_as_left(answered: int) -> None:
    """14 left after one of five: the others may not have been counted yet, so ten are certain and no more."""

    async def story() -> int:
        clock = VirtualClock()
        governor = Governor(clock)
        passes = [await governor.acquire(QUERY) for _ in range(5)]
        governor.answered(passes[answered], headers(14, 5))
        return len(await left_now(governor, clock))

    assert run_virtually(story()) == 10


def test_queries_of_others_are_counted() -> None:
    """Another client of the same user took ten."""

    async def story() -> int:
        clock = VirtualClock()
        governor = Governor(clock)
        governor.answered(await governor.acquire(QUERY), headers(4, 5))
        return len(await left_now(governor, clock))

    assert run_virtually(story()) == 4


def test_the_services_next_window_ends_later_than_this_one() -> None:
    """Another client had begun the window; at 3 s the service's next one begins, which ends at 8 s and not at 5."""

    async def story() -> tuple[int, int, int]:
        clock = VirtualClock()
        governor = Governor(clock)
        governor.answered(await governor.acquire(QUERY), headers(2, 3))
        await clock.sleep(3)
        governor.answered(await governor.acquire(QUERY), headers(14, 5))
        in_it = await left_now(governor, clock)
        await clock.sleep(4.5)
        before_its_end = await left_now(governor, clock)
        await clock.sleep(0.5)
        return len(in_it), len(before_its_end), len(await left_now(governor, clock))

    assert run_virtually(story()) == (14, 0, 15)


def test_after_a_refusal_nothing_leaves_before_the_time_asked_whatever_was_on_its_way() -> None:
    async def story() -> tuple[int, int]:
        clock = VirtualClock()
        governor = Governor(clock)
        slow, refused = await governor.acquire(QUERY), await governor.acquire(QUERY)
        governor.answered(refused, headers(0, 9))
        governor.refused(refused, THROTTLED, retry_after_s=9)
        governor.answered(slow, headers(13, 2))
        await clock.sleep(8.5)
        early = await left_now(governor, clock)
        await clock.sleep(0.5)
        return len(early), len(await left_now(governor, clock))

    assert run_virtually(story()) == (0, 15)
