"""Queues: who is sent next, fairly, and never behind somebody else's throttle."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.unit.workflow.fleet_double import (
    OTHER_SUBSCRIPTION,
    SUBSCRIPTION,
    FleetDouble,
    TurnDouble,
    run_virtually,
    vm,
)

from patchmode.ports.azure import Turn
from patchmode.ports.run import JournalEntry, Step
from patchmode.workflow.run.events import Halted
from patchmode.workflow.run.guardrails import Budgets, FailureCount
from patchmode.workflow.run.queue import InProgress, QueueKey, SubscriptionQueues, queue_key_of

WEST, NORTH = QueueKey(SUBSCRIPTION, "westeurope"), QueueKey(SUBSCRIPTION, "northeurope")
OTHER = QueueKey(OTHER_SUBSCRIPTION, "westeurope")


def entries_of(**machines: QueueKey) -> list[JournalEntry]:
    """One change for each name, in the order given."""
    documents = [
        vm(name, location=place.region, subscription=place.subscription_id) for name, place in machines.items()
    ]
    by_name = {change.id.name: change for change in FleetDouble(documents).plan().changes}
    return [JournalEntry(by_name[name], Step.PENDING) for name in machines]


class Stage:
    """Sends that take time, turns that are waited for."""

    def __init__(self, *, at_once: int = 100, send_s: float = 1.0, asked: int | None = None) -> None:
        self.fleet = FleetDouble([])
        self.under_way = InProgress(
            asked=asked, begins_slowly=False, failures=FailureCount(Budgets(), machines=0, regions=())
        )
        self.queues = SubscriptionQueues(self, self.under_way, lambda _: True, at_once=at_once)
        self.in_flight = 0
        self.send_s = send_s
        self.operation_s = 0.0
        self.waits: dict[QueueKey, float] = {}
        self.began: list[str] = []
        self.ended: list[str] = []
        self.most = 0
        self.failing = ""
        self.uses_turns = True

    async def turn(self, entry: JournalEntry) -> TurnDouble:
        place = queue_key_of(entry)
        return await self.fleet.turn(entry.change.id, entry.change.kind, place.region)

    async def send(self, entry: JournalEntry, turn: Turn) -> None:
        self.began.append(entry.change.id.name)
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        await asyncio.sleep(self.send_s)
        self.in_flight -= 1
        if entry.change.id.name == self.failing:
            raise RuntimeError(self.failing)
        if self.uses_turns:
            turn.take()
        asyncio.get_running_loop().call_later(self.operation_s, self.under_way.leave, entry.change.id)
        self.ended.append(entry.change.id.name)

    def wait(self, place: QueueKey, seconds: float) -> None:
        self.fleet.lane_waits[place.subscription_id, place.region] = seconds

    def halt(self) -> None:
        self.queues.read(Halted())
        self.under_way.read(Halted())

    def run(self, entries: Sequence[JournalEntry], *, halt_after_s: float | None = None) -> float:
        """Seconds that it took."""

        async def main() -> float:
            loop = asyncio.get_running_loop()
            begun = loop.time()
            if halt_after_s is not None:
                loop.call_later(halt_after_s, self.halt)
            await self.queues.run(entries)
            return loop.time() - begun

        return run_virtually(main())


def test_with_one_place_queues_take_turns() -> None:
    """A queue with many machines gets no more places than one with few."""
    stage = Stage(at_once=1)
    stage.run(entries_of(a1=WEST, a2=WEST, a3=WEST, b1=NORTH, c1=OTHER))
    assert stage.began == ["a1", "b1", "c1", "a2", "a3"]


def test_a_machine_that_was_accepted_is_under_way_until_its_end() -> None:
    """Its request is over after a second; the next one is sent when its operation has ended, ten seconds later."""
    stage = Stage(asked=1)
    stage.operation_s = 10.0
    assert stage.run(entries_of(a1=WEST, b1=NORTH, a2=WEST)) == pytest.approx(23.0)
    assert stage.most == 1


def test_whoever_has_no_turn_in_a_halted_queue_is_not_under_way() -> None:
    """Also one whose fate an earlier process left open, and a queue that is halted before its first step."""
    stage = Stage(asked=2, send_s=10.0)
    stage.wait(NORTH, 3_600.0)
    first, second = entries_of(a1=WEST, b1=NORTH)
    stage.under_way.take(second.change.id, "northeurope")
    stage.run([first, JournalEntry(second.change, Step.INTENDED)], halt_after_s=2.0)
    assert second.change.id not in stage.under_way
    assert stage.ended == ["a1"]


def test_a_queue_that_waits_for_its_throttle_takes_no_place() -> None:
    stage = Stage(at_once=1)
    stage.wait(WEST, 300.0)
    stage.run(entries_of(a1=WEST, a2=WEST, b1=NORTH, b2=NORTH))
    assert stage.began == ["b1", "b2", "a1", "a2"]


def test_what_an_earlier_process_left_open_comes_first_in_its_queue() -> None:
    first, second, third = entries_of(a1=WEST, a2=WEST, a3=WEST)
    stage = Stage(at_once=1)
    stage.run([first, second, JournalEntry(third.change, Step.INTENDED)])
    assert stage.began == ["a3", "a1", "a2"]


def test_halting_ends_the_waiting_and_not_what_has_begun() -> None:
    stage = Stage(send_s=10.0)
    stage.wait(NORTH, 3_600.0)
    took = stage.run(entries_of(a1=WEST, b1=NORTH), halt_after_s=2.0)
    assert (stage.ended, took) == (["a1"], pytest.approx(10.0))


def test_a_halted_queue_gives_back_the_turn_with_which_it_waited_for_a_place() -> None:
    stage = Stage(at_once=1, send_s=10.0)
    stage.run(entries_of(a1=WEST, b1=NORTH), halt_after_s=2.0)
    assert stage.ended == ["a1"]
    assert stage.fleet.turns == 1


def test_after_a_halt_nothing_begins_any_more() -> None:
    stage = Stage()
    stage.queues.read(Halted())
    stage.run(entries_of(a1=WEST))
    assert stage.began == []


def test_a_turn_that_its_change_did_not_need_is_given_back() -> None:
    """Of a machine that changed since the plan nothing is sent."""
    stage = Stage()
    stage.uses_turns = False
    stage.run(entries_of(a1=WEST, a2=WEST))
    assert stage.fleet.turns == 0


def test_the_first_failure_ends_every_queue() -> None:
    stage = Stage(at_once=2)
    stage.failing = "a1"
    with pytest.raises(RuntimeError, match="a1"):
        run_virtually(stage.queues.run(entries_of(a1=WEST, a2=WEST, b1=NORTH, b2=NORTH)))
    assert "b2" not in stage.ended


@settings(max_examples=examples(60))
@given(
    places=st.lists(st.sampled_from([WEST, NORTH, OTHER]), max_size=30),
    waits=st.lists(st.floats(0, 20), min_size=3, max_size=3),
    at_once=st.integers(1, 5),
    halt_after_s=st.none() | st.floats(0.1, 40),
)
def test_each_begins_once_in_plan_order_and_never_too_many(
    places: list[QueueKey], waits: list[float], at_once: int, halt_after_s: float | None
) -> None:
    numbers = count()
    entries = entries_of(**{f"m{next(numbers):02}": place for place in places})
    stage = Stage(at_once=at_once)
    for place, wait_s in zip((WEST, NORTH, OTHER), waits, strict=True):
        stage.wait(place, wait_s)
    stage.run(entries, halt_after_s=halt_after_s)
    assert stage.most <= at_once
    assert sorted(stage.began) == sorted(stage.ended)
    place_by_name = {one.change.id.name: queue_key_of(one) for one in entries}
    began = defaultdict(list)
    for name in stage.began:
        began[place_by_name[name]].append(name)
    for place in set(places):
        asked = [one.change.id.name for one in entries if queue_key_of(one) == place]
        assert began[place] == asked[: len(began[place])]
    if halt_after_s is None:
        assert len(stage.ended) == len(entries)
    assert stage.fleet.turns == len(stage.ended)
    assert stage.in_flight == 0
