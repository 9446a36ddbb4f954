"""What is under way at once: as many machines as asked for, or so few that no failure budget is overrun."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.unit.workflow import run_doubles as runs
from tests.unit.workflow.fleet_double import FleetDouble, VirtualLoop, fleet_of, machine_id, run_virtually, vm
from tests.unit.workflow.run.test_then_attach import fleet, plan_of
from tests.unit.workflow.run.test_waves import in_waves

from patchmode.model.plan import Plan, Wave
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import Result, RunReport
from patchmode.model.schedule import AttachEnd
from patchmode.ports.run import Progress, Step
from patchmode.workflow.run.events import Halted
from patchmode.workflow.run.guardrails import Budgets, FailureCount, MaxFailures
from patchmode.workflow.run.options import ApplyOptions
from patchmode.workflow.run.queue import InProgress

REGIONS = ("westeurope", "northeurope", "uksouth")
BAD = ("OperationFailed", "the disk is full")


class Width(runs.Watcher):
    """How many machines are under way: their PATCH was sent, and the run does not know their end."""

    def __init__(self, azure: FleetDouble) -> None:
        super().__init__()
        self.now: set[ResourceId] = set()
        self.most = 0
        self.at_sending: list[int] = []
        """With each machine sent, how many were under way."""
        azure.before_patch = self._sent

    def _sent(self, machine: ResourceId) -> None:
        self.now.add(machine)
        self.most = max(self.most, len(self.now))
        self.at_sending.append(len(self.now))

    def progressed(self, progress: Progress) -> None:
        super().progressed(progress)
        if progress.latest is not None:
            self.now.discard(progress.latest.id)


def all_failing(azure: FleetDouble) -> FleetDouble:
    azure.failing_operations = dict.fromkeys(azure.machines, BAD)
    return azure


# ------------------------------------------------------------------------------------------------ as asked


@pytest.mark.parametrize("budget", [None, MaxFailures(count=1), MaxFailures(percent=5)])
@pytest.mark.parametrize("asked", [1, 4, 9])
def test_no_more_are_under_way_than_were_asked_for_with_and_without_a_budget(
    asked: int, budget: MaxFailures | None
) -> None:
    """Not only while their requests last: with operations of 20 s all would be begun in no time."""
    azure = fleet_of(14, duration_s=20.0)
    seen = Width(azure)
    report = runs.apply_all(azure, options=ApplyOptions(concurrency=asked, max_failures=budget), observer=seen)
    assert report.counts.verified == 14
    assert seen.most == asked


def test_a_stop_leaves_what_had_no_place_yet() -> None:
    """Ctrl-C after 9 s with `--concurrency 1` and operations of 20 s."""
    azure = fleet_of(14, duration_s=20.0)
    stop = asyncio.Event()
    azure.after_write = lambda _: asyncio.get_running_loop().call_later(9.0, stop.set) and None
    report = runs.apply_all(azure, options=ApplyOptions(concurrency=1), stop=stop)
    assert (report.state, report.counts.applied, report.counts.not_sent) == ("interrupted", 1, 13)


def test_without_a_budget_the_default_bounds_no_operations() -> None:
    """As fast as the buckets allow: Azure works on thousands at once."""
    azure = fleet_of(300, duration_s=600.0)
    seen = Width(azure)
    began = VirtualLoop.elapsed()
    assert runs.apply_all(azure, observer=seen).counts.verified == 300
    assert seen.most == 300
    assert VirtualLoop.elapsed() - began < 2 * 600
    assert seen.remarks == [one for one in seen.remarks if one.startswith("Still waiting")]


def test_schedules_are_under_way_too() -> None:
    azure = fleet(*(f"web-{number}" for number in range(4)), right=tuple(f"db-{number}" for number in range(4)))
    under_way: Counter[str] = Counter()
    most = 0

    async def arrive(method: str, what: str) -> None:
        nonlocal most
        under_way[what] += 1
        most = max(most, under_way.total())
        await asyncio.sleep(3.0)
        await arrived(method, what)
        under_way[what] -= 1

    arrived, azure.schedules.arrive = azure.schedules.arrive, arrive
    plan = plan_of(azure, right=tuple(f"db-{number}" for number in range(4)))
    report = runs.apply_all(azure, plan=plan, options=ApplyOptions(concurrency=1))
    assert {one.result for one in report.attachments} == {AttachEnd.ATTACHED}
    assert most == 1


# ------------------------------------------------------------------------------------------------ a slow start


def test_with_a_budget_a_run_begins_with_one_and_doubles_as_they_succeed() -> None:
    azure = fleet_of(127)
    seen = Width(azure)
    options = ApplyOptions(max_failures=MaxFailures(percent=100))
    assert runs.apply_all(azure, options=options, observer=seen).counts.verified == 127
    first = [seen.at_sending[place] for place in (0, 1, 2)]
    assert first == [1, 1, 2]
    assert max(seen.at_sending[:15]) <= 8
    assert 16 <= seen.most <= 64
    assert "Starting with 1 machine under way; each that succeeds adds 1, up to the 127 that may fail." in seen.remarks


def test_canaries_begin_slowly_and_what_follows_goes_on_as_fast_as_it_has_become() -> None:
    azure = fleet_of(200, duration_s=60.0)
    seen = Width(azure)
    plan = replace(azure.plan(), waves=(Wave("canary", 3, 0), Wave("rest", 197, 0)))
    assert runs.apply_all(azure, plan=plan, observer=seen).counts.verified == 200
    assert seen.at_sending[:2] == [1, 1]
    assert max(seen.at_sending[:7]) <= 4
    assert seen.most > 64


def test_waves_without_canaries_or_a_budget_do_not() -> None:
    azure = fleet_of(20)
    seen = Width(azure)
    runs.apply_all(azure, plan=in_waves(azure.plan(), 10, 10), observer=seen)
    assert seen.most == 10


@pytest.mark.parametrize(
    ("budget", "failed"),
    [
        ({"max_failures": MaxFailures(count=1)}, 1),
        ({"max_failures": MaxFailures(count=3)}, 3),
        ({"max_failures": MaxFailures(percent=5)}, 1),
        ({"max_failures": MaxFailures(percent=10)}, 3),
        ({"max_failures_per_wave": MaxFailures(count=2)}, 2),
        ({"max_failures_per_region": MaxFailures(percent=5)}, 1),
    ],
)
def test_when_every_operation_fails_the_budget_is_all_that_fails(budget: dict[str, MaxFailures], failed: int) -> None:
    """30 of 30 were sent, because all of them were under way when the first failure was seen."""
    azure = all_failing(fleet_of(30, duration_s=2.0))
    report = runs.apply_all(azure, options=ApplyOptions(**budget))
    assert (report.counts.failed, report.counts.not_sent) == (failed, 30 - failed)
    assert azure.count("PATCH") == failed


def test_a_budget_of_one_is_told_to_go_one_by_one_and_goes_one_by_one() -> None:
    azure = fleet_of(12)
    seen = Width(azure)
    runs.apply_all(azure, options=ApplyOptions(max_failures=MaxFailures(count=1)), observer=seen)
    assert seen.most == 1
    assert [text for text in seen.remarks if "--concurrency" in text] == [
        (
            "One machine at a time, because the failure budget allows 1 failure. "
            "--concurrency N goes faster, and then more may fail."
        )
    ]


def test_asking_for_more_than_the_budget_allows_is_done_and_told() -> None:
    azure = all_failing(fleet_of(30, duration_s=2.0))
    seen = Width(azure)
    options = ApplyOptions(concurrency=8, max_failures=MaxFailures(count=2))
    report = runs.apply_all(azure, options=options, observer=seen)
    assert 2 <= report.counts.failed <= 2 - 1 + 8
    assert any(text.startswith("--concurrency 8: ") and "up to 9 may fail" in text for text in seen.remarks)


@settings(max_examples=examples(40), deadline=None)
@given(
    regions=st.lists(st.sampled_from(REGIONS), min_size=1, max_size=24),
    wave_sizes=st.lists(st.integers(1, 12), max_size=3),
    bad=st.sets(st.integers(0, 23)),
    refused=st.sets(st.integers(0, 23), max_size=4),
    durations=st.lists(st.floats(0.5, 60), min_size=1, max_size=7),
    run=st.none() | st.integers(1, 6),
    run_percent=st.none() | st.sampled_from([5.0, 20.0, 50.0]),
    wave=st.none() | st.integers(1, 4),
    region=st.none() | st.integers(1, 3),
)
def test_no_budget_is_overrun_whatever_fails_and_in_whatever_order(
    regions: list[str],
    wave_sizes: list[int],
    bad: set[int],
    refused: set[int],
    durations: list[float],
    run: int | None,
    run_percent: float | None,
    wave: int | None,
    region: int | None,
) -> None:
    azure = FleetDouble(
        [vm(f"vm-{number:04}", location=place) for number, place in enumerate(regions)],
        duration_s=lambda number: durations[number % len(durations)],
    )
    for number in bad & set(range(len(regions))):
        azure.failing_operations[machine_id(f"vm-{number:04}")] = BAD
    for number in refused & set(range(len(regions))):
        azure.machines[machine_id(f"vm-{number:04}")].faults.extend(["ScopeLocked:409"] * 9)
    plan = azure.plan()
    if wave_sizes and sum(wave_sizes) < len(regions):
        plan = in_waves(plan, *wave_sizes, len(regions) - sum(wave_sizes))
    options = ApplyOptions(
        max_failures=MaxFailures(count=run) if run else MaxFailures(percent=run_percent) if run_percent else None,
        max_failures_per_wave=wave and MaxFailures(count=wave),
        max_failures_per_region=region and MaxFailures(count=region),
    )
    report = runs.apply_all(azure, plan=plan, options=options)
    check_budgets(plan, options, report)
    if not (bad | refused) & set(range(len(regions))):
        assert report.counts.verified == len(regions)


def check_budgets(plan: Plan, options: ApplyOptions, report: RunReport) -> None:
    failed = {one.id for one in report.results if one.result in {Result.FAILED, Result.UNKNOWN}}
    changes = plan.changes
    if options.max_failures:
        assert len(failed) <= options.max_failures.allowed(len(changes))
    if options.max_failures_per_wave:
        for number in range(len(plan.waves)):
            ours = [change.id for change in plan.changes_of(number)]
            assert len(failed.intersection(ours)) <= options.max_failures_per_wave.allowed(len(ours))
    if options.max_failures_per_region:
        for place in REGIONS:
            ours = [change.id for change in changes if change.location == place]
            assert len(failed.intersection(ours)) <= options.max_failures_per_region.allowed(len(ours))


@settings(max_examples=examples(30), deadline=None)
@given(bad=st.sets(st.integers(0, 14)), unattachable=st.sets(st.integers(0, 14)), budget=st.integers(1, 5))
def test_settings_and_schedules_count_against_one_budget(bad: set[int], unattachable: set[int], budget: int) -> None:
    """Some machines fail, others take their settings and refuse the schedule."""
    azure = fleet(*(f"web-{number}" for number in range(10)), right=tuple(f"web-{number}" for number in range(10, 15)))
    azure.failing_operations = {machine_id(f"web-{number}"): BAD for number in bad if number < 10}
    refused = {machine_id(f"web-{number}") for number in unattachable}
    arrived = azure.schedules.arrive

    async def arrive(method: str, what: str) -> None:
        await arrived(method, what)
        if method == "PUT" and any(str(one) in what for one in refused):
            azure.schedules.faults["weekly"].appendleft("AuthorizationFailed:403")

    azure.schedules.arrive = arrive
    plan = plan_of(azure, right=tuple(f"web-{number}" for number in range(10, 15)))
    report = runs.apply_all(azure, plan=plan, options=ApplyOptions(max_failures=MaxFailures(count=budget)))
    unattached = sum(one.result in {AttachEnd.FAILED, AttachEnd.UNKNOWN} for one in report.attachments)
    assert report.counts.failed + report.counts.unknown + unattached <= budget


# ------------------------------------------------------------------------------------------------ taken up


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("step", range(24))
def test_killed_at_any_step_what_was_sent_is_under_way_when_the_run_is_taken_up(step: int, committed: bool) -> None:
    """Three were under way when it died; with one allowed, the next is sent when those have ended."""
    azure = fleet_of(8, duration_s=30.0)
    with runs.temporary_store() as store:
        runs.apply_until(store, azure, plan=azure.plan(), at=step, committed=committed)
        journal = store.open()
        left_open = {one.change.id for one in journal.entries() if one.step in {Step.INTENDED, Step.STARTED}}
        journal.release()
        seen = Width(azure)
        seen.now |= left_open
        options = ApplyOptions(max_failures=MaxFailures(count=1))
        report = runs.apply_in(store, azure, options=options, observer=seen)
    assert report.counts.verified == 8
    assert seen.most <= max(1, len(left_open))


def test_one_left_open_in_a_region_that_is_given_up_holds_no_place_for_the_others() -> None:
    """Or the run would wait for ever for something that nobody will look into."""
    azure = FleetDouble(
        [vm(f"w{number}") for number in range(3)] + [vm(f"n{number}", location="northeurope") for number in range(3)]
    )
    azure.failing_operations = {machine_id(f"w{number}"): BAD for number in range(3)}
    azure.lane_waits[next(iter(azure.machines)).subscription_id, "westeurope"] = 5.0
    with runs.temporary_store() as store:
        assert runs.apply_until(store, azure, plan=azure.plan(), at=2, committed=True)
        options = ApplyOptions(max_failures_per_region=MaxFailures(count=1))
        report = runs.apply_in(store, azure, options=options)
    assert sum(one.result is Result.APPLIED and one.id.name.startswith("n") for one in report.results) == 3


# ------------------------------------------------------------------------------------------------ the part itself


def test_whom_a_region_holds_back_holds_up_no_other() -> None:
    tally = FailureCount(Budgets(region=MaxFailures(count=1)), machines=9, regions=["west"] * 5 + ["north"] * 4)
    under_way = InProgress(asked=None, begins_slowly=False, failures=tally)
    entered: list[str] = []

    async def enter(name: str, region: str) -> None:
        await under_way.enter(machine_id(name), region)
        entered.append(name)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for name, region in (("w1", "west"), ("w2", "west"), ("w3", "west"), ("n1", "north")):
                group.create_task(enter(name, region))
            await asyncio.sleep(1)
            assert entered == ["w1", "n1"]
            under_way.leave(machine_id("w1"))
            await asyncio.sleep(1)
            assert entered == ["w1", "n1", "w2"]
            assert under_way.is_waited_for
            under_way.read(Halted("west"))

    run_virtually(main())
    assert entered == ["w1", "n1", "w2", "w3"]
    assert not under_way.is_waited_for


@pytest.mark.parametrize("admitted_first", [False, True])
def test_whoever_stops_waiting_leaves_no_trace(admitted_first: bool) -> None:
    """Also where it was let in just before it heard that it is to stop."""
    under_way = InProgress(asked=1, begins_slowly=False, failures=FailureCount(Budgets(), machines=9, regions=()))

    async def main() -> None:
        await under_way.enter(machine_id("a"), None)
        waiting = asyncio.create_task(under_way.enter(machine_id("b"), None))
        await asyncio.sleep(1)
        if admitted_first:
            under_way.leave(machine_id("a"))
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        under_way.leave(machine_id("a"))
        await asyncio.wait_for(under_way.enter(machine_id("c"), None), 1)

    run_virtually(main())
    assert (len(under_way), under_way.is_waited_for) == (1, False)
