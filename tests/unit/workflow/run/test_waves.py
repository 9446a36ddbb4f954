"""Waves: one after the other, none after failures unless allowed for, each resumable; and budgets by region."""

import asyncio
from collections import defaultdict
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.unit.workflow import run_doubles as runs
from tests.unit.workflow.fleet_double import (
    FleetDouble,
    VirtualLoop,
    fleet_of,
    machine_id,
    run_virtually,
    settings_of,
    vm,
)
from tests.unit.workflow.run.test_then_attach import ASSIGNMENT, WEEKLY, fleet, plan_of

from patchmode.errors import RefusedError
from patchmode.model.guardrails import Freeze, RunGuardrails
from patchmode.model.machine import MachineKind
from patchmode.model.plan import Plan, Wave
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import Result, RunReport, WaveCounts
from patchmode.model.schedule import AttachAction, AttachEnd, AttachResult
from patchmode.ports.run import AttachmentEntry, Step
from patchmode.rules.guardrails.freezes import freezes_from
from patchmode.workflow.run.gate import WaveHistory
from patchmode.workflow.run.guardrails import Budgets, MaxFailures
from patchmode.workflow.run.options import ApplyOptions
from patchmode.workflow.run.waves import WaveRules, WaveWork


def in_waves(plan: Plan, *sizes: int) -> Plan:
    """The plan with so many changes in each wave: `w1`, `w2`, …"""
    return replace(plan, waves=tuple(Wave(f"w{place}", size, 0) for place, size in enumerate(sizes, start=1)))


def failing(azure: FleetDouble, *names: str) -> FleetDouble:
    for name in names:
        azure.machines[machine_id(name)].faults.extend(["ScopeLocked:409"] * 9)
    return azure


def codes(report: RunReport) -> dict[str, str]:
    """Machine → why nothing was sent."""
    return {one.id.name: runs.error_of(one).code for one in report.results if one.result is Result.NOT_SENT}


class Timeline(runs.Watcher):
    """When each machine was written, and when it ended."""

    def __init__(self, azure: FleetDouble) -> None:
        super().__init__()
        self.written: dict[ResourceId, float] = {}
        self.ended: dict[ResourceId, float] = {}
        azure.after_write = lambda one: self.written.setdefault(one, VirtualLoop.elapsed()) and None

    def progressed(self, progress: runs.Progress) -> None:
        super().progressed(progress)
        if progress.latest is not None:
            self.ended[progress.latest.id] = VirtualLoop.elapsed()


def test_a_wave_begins_when_the_one_before_has_ended() -> None:
    azure = fleet_of(9, duration_s=30.0)
    plan = in_waves(azure.plan(), 1, 3, 5)
    seen = Timeline(azure)
    report = runs.apply_all(azure, plan=plan, observer=seen)
    assert report.counts.verified == 9
    groups = [[change.id for change in plan.changes_of(number)] for number in range(3)]
    for before, after in pairwise(groups):
        assert max(seen.ended[one] for one in before) <= min(seen.written[one] for one in after)
    assert [text for text in seen.remarks if text.startswith("Starting")] == [
        "Starting wave 1 of 3, w1: 1 machine.",
        "Starting wave 2 of 3, w2: 3 machines.",
        "Starting wave 3 of 3, w3: 5 machines.",
    ]
    assert [one.wave for one in seen.progress if one.latest] == [1, 2, 2, 2, 3, 3, 3, 3, 3]


def test_after_failures_the_next_wave_is_not_begun_before_somebody_says_yes() -> None:
    azure = failing(fleet_of(6), "vm-0001")
    with runs.temporary_store() as store:
        report = runs.apply_in(store, azure, plan=in_waves(azure.plan(), 3, 3))
        # The wave itself is carried to its end.
        assert (report.counts.applied, report.counts.failed, report.state) == (2, 1, "stopped")
        assert codes(report) == dict.fromkeys(["vm-0003", "vm-0004", "vm-0005"], "WaveHadFailures")
        assert report.waves == (
            WaveCounts("w1", 3, applied=2, failed=1),
            WaveCounts("w2", 3, not_sent=3),
        )
        unasked = runs.resume(store, azure)
        assert (unasked.counts, codes(unasked)) == (report.counts, codes(report))
        again = runs.resume(store, azure, is_agreed=True)
    assert (again.counts.applied, again.counts.failed, again.state) == (5, 1, "finished")


def test_a_budget_for_waves_lets_the_next_one_begin_until_it_is_spent() -> None:
    azure = failing(fleet_of(12), "vm-0001", "vm-0005", "vm-0006")
    options = ApplyOptions(concurrency=1, max_failures_per_wave=MaxFailures(count=2))
    report = runs.apply_all(azure, plan=in_waves(azure.plan(), 4, 4, 4), options=options)
    assert [(one.applied, one.failed, one.not_sent) for one in report.waves] == [(3, 1, 0), (1, 2, 1), (0, 0, 4)]
    assert set(codes(report).values()) == {"WaveBudgetSpent"}


def test_a_percentage_for_waves_is_of_the_wave() -> None:
    azure = failing(fleet_of(12), "vm-0000")
    options = ApplyOptions(concurrency=1, max_failures_per_wave=MaxFailures(percent=50))
    report = runs.apply_all(azure, plan=in_waves(azure.plan(), 2, 10), options=options)
    assert [(one.applied, one.failed, one.not_sent) for one in report.waves] == [(0, 1, 1), (0, 0, 10)]


def test_the_last_wave_asked_for_ends_the_session_and_a_resume_goes_on() -> None:
    azure = fleet_of(6)
    with runs.temporary_store() as store:
        options = ApplyOptions(waves=WaveRules(last=2))
        report = runs.apply_in(store, azure, plan=in_waves(azure.plan(), 1, 2, 3), options=options)
        assert codes(report) == dict.fromkeys(["vm-0003", "vm-0004", "vm-0005"], "LaterWave")
        assert runs.apply_in(store, azure).counts.verified == 6
    assert set(azure.writes().values()) == {1}


def test_a_pause_is_kept_and_does_not_come_before_the_first_wave() -> None:
    azure = fleet_of(4)
    plan = in_waves(azure.plan(), 1, 1, 2)
    seen = Timeline(azure)
    began = VirtualLoop.elapsed()
    runs.apply_all(azure, plan=plan, options=ApplyOptions(waves=WaveRules(pause_s=600)), observer=seen)
    times = [seen.written[change.id] for change in plan.changes]
    assert times[0] - began < 60
    assert min(after - before for before, after in pairwise(times[:3])) >= 600


def test_a_stop_ends_a_pause() -> None:
    azure = fleet_of(2)
    stop = asyncio.Event()
    watcher = runs.Watcher(at_progress=lambda one: stop.set() if one.done else None)
    began = VirtualLoop.elapsed()
    options = ApplyOptions(waves=WaveRules(pause_s=86_400))
    report = runs.apply_all(azure, plan=in_waves(azure.plan(), 1, 1), options=options, observer=watcher, stop=stop)
    assert (report.state, report.counts.applied, report.counts.not_sent) == ("interrupted", 1, 1)
    assert VirtualLoop.elapsed() - began < 60


@pytest.mark.parametrize(("away_s", "least_s", "most_s"), [(0, 3_500, 3_700), (3_000, 500, 700), (9_000, 0, 60)])
def test_a_pause_goes_on_from_the_end_of_the_wave_before_whoever_carried_it_out(
    away_s: float, least_s: float, most_s: float
) -> None:
    azure = fleet_of(3)
    with runs.temporary_store() as store:
        plan = in_waves(azure.plan(), 1, 1, 1)
        options = ApplyOptions(waves=WaveRules(last=1, pause_s=3_600))
        runs.apply_in(store, azure, plan=plan, options=options)
        run_virtually(asyncio.sleep(away_s))
        began = VirtualLoop.elapsed()
        report = runs.resume(store, azure, given=RunGuardrails(last_wave=2))
        assert (report.counts.applied, report.state) == (2, "stopped")
    assert least_s <= VirtualLoop.elapsed() - began <= most_s


def test_a_region_whose_budget_is_spent_is_left_alone_and_the_others_go_on() -> None:
    west = [vm(f"w{number}") for number in range(6)]
    north = [vm(f"n{number}", location="NorthEurope") for number in range(6)]
    azure = failing(FleetDouble([*west, *north]), "w0", "w1")
    plan = in_waves(azure.plan(), 4, 8)
    options = ApplyOptions(
        concurrency=1, max_failures_per_region=MaxFailures(count=2), max_failures_per_wave=MaxFailures(percent=90)
    )
    watcher = runs.Watcher()
    with runs.temporary_store() as store:
        report = runs.apply_in(store, azure, plan=plan, options=options, observer=watcher)
        assert (report.counts.applied, report.counts.failed) == (6, 2)
        assert codes(report) == dict.fromkeys(["w2", "w3", "w4", "w5"], "RegionBudgetSpent")
        told = "The failure budget of westeurope is spent (2 failed): nothing more is sent there."
        assert watcher.remarks.count(told) == 1
        assert runs.apply_in(store, azure).counts.applied == 10


def test_a_percentage_for_regions_is_of_the_region() -> None:
    azure = failing(FleetDouble([vm("w0"), *(vm(f"n{n}", location="northeurope") for n in range(9))]), "w0", "n0")
    options = ApplyOptions(concurrency=1, max_failures_per_region=MaxFailures(percent=50))
    report = runs.apply_all(azure, options=options)
    assert (report.counts.applied, report.counts.failed, report.counts.not_sent) == (8, 2, 0)


# ------------------------------------------------------------------------------------------------ with schedules


def test_schedules_are_attached_within_their_wave() -> None:
    """Also those of machines that need no setting: a ring that is not begun gets none."""
    azure = failing(fleet("web-1", "web-2", right=("db-1", "db-2")), "web-1")
    plan = plan_of(azure, right=("db-1", "db-2"))
    azure.machines[machine_id("web-1")].faults.clear()
    azure.schedules.faults["weekly"].append("AuthorizationFailed:403")
    plan = replace(plan, changes=tuple(one for one in plan.changes if one.id.name.startswith("web")))
    plan = replace(plan, waves=(Wave("w1", 1, 1), Wave("w2", 1, 1)))
    with runs.temporary_store() as store:
        report = runs.apply_in(store, azure, plan=plan)
        by_name = {ResourceId.parse(one.id).name: one for one in report.attachments}
        assert sorted(by_name[name].result for name in ("web-1", "db-1")) == [AttachEnd.ATTACHED, AttachEnd.FAILED]
        for name in ("web-2", "db-2"):
            assert by_name[name].result is AttachEnd.NOT_SENT
            error = by_name[name].error
            assert error is not None
            assert error.code == "WaveHadFailures"
        assert azure.count("PATCH") == 1
        attachments = runs.resume(store, azure, is_agreed=True).attachments
        again = {ResourceId.parse(one.id).name: one.result for one in attachments}
    assert [again[name] for name in ("web-2", "db-2")] == [AttachEnd.ATTACHED] * 2


def test_a_wave_has_not_ended_before_its_schedules_are_attached() -> None:
    azure = fleet("web-1", "web-2")
    plan = replace(plan_of(azure), waves=(Wave("w1", 1, 0), Wave("w2", 1, 0)))
    runs.apply_all(azure, plan=plan)
    sent = [(method, what) for method, what in azure.log if method in {"PATCH", "PUT"}]
    assert [method for method, _ in sent] == ["PATCH", "PUT", "PATCH", "PUT"]
    assert {one.name for one in azure.schedules.assignments} == {ASSIGNMENT}
    assert {one.configuration for one in azure.schedules.assignments} == {WEEKLY}


# ------------------------------------------------------------------------------------------------ whatever happens


@settings(max_examples=examples(40), deadline=None)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    bad=st.sets(st.integers(0, 15), max_size=4),
    wave_budget=st.none() | st.integers(1, 3),
    region_budget=st.none() | st.integers(1, 3),
    concurrency=st.integers(1, 4),
)
def test_no_wave_overtakes_another_and_everything_is_accounted_for(
    sizes: list[int], bad: set[int], wave_budget: int | None, region_budget: int | None, concurrency: int
) -> None:
    places = ("westeurope", "northeurope")
    azure = FleetDouble([vm(f"vm-{number:04}", location=places[number % 2]) for number in range(sum(sizes))])
    names = [f"vm-{number:04}" for number in sorted(bad) if number < sum(sizes)]
    failing(azure, *names)
    plan = in_waves(azure.plan(), *sizes)
    seen = Timeline(azure)
    options = ApplyOptions(
        concurrency=concurrency,
        max_failures_per_wave=wave_budget and MaxFailures(count=wave_budget),
        max_failures_per_region=region_budget and MaxFailures(count=region_budget),
    )
    with runs.temporary_store() as store:
        report = runs.apply_in(store, azure, plan=plan, options=options, observer=seen)
        _check_order(plan, seen, report)
        for _ in range(sum(sizes)):
            report = runs.resume(store, azure, is_agreed=True)
    assert report.state == "finished"
    assert {one.id.name for one in report.results if one.result is Result.FAILED} == set(names)
    assert report.counts.applied == sum(sizes) - len(names)
    assert {name: count for name, count in azure.writes().items() if count} == {
        change.id.name: 1 for change in plan.changes if change.id.name not in names
    }


def _check_order(plan: Plan, seen: Timeline, report: RunReport) -> None:
    ended_before = 0.0
    begun = defaultdict(bool)
    for number in range(len(plan.waves)):
        ids = [change.id for change in plan.changes_of(number)]
        written = [seen.written[one] for one in ids if one in seen.written]
        begun[number] = any(one in seen.ended for one in ids)
        assert not written or min(written) >= ended_before
        ended_before = max([ended_before, *(seen.ended[one] for one in ids if one in seen.ended)])
        assert not begun[number] or number == 0 or begun[number - 1]
    for wave in report.waves:
        parts = asdict(wave)
        assert parts.pop("changes") == sum(count for name, count in parts.items() if name != "name")


@pytest.mark.parametrize("at", range(1, 16))
def test_killed_between_and_within_waves_a_resume_ends_as_undisturbed(at: int) -> None:
    undisturbed, azure = fleet_of(4), fleet_of(4)
    runs.apply_all(undisturbed)
    with runs.temporary_store() as store:
        was_killed = runs.apply_until(store, azure, plan=in_waves(azure.plan(), 1, 1, 2), at=at, committed=at % 2 == 0)
        report = runs.apply_in(store, azure)
    assert report.counts.verified == 4
    assert azure.fleet() == undisturbed.fleet()
    assert set(azure.writes().values()) == {1}
    # Undisturbed it writes down: intent, start and end of each machine, the two ends of the last wave at once or not.
    assert was_killed is (at <= 10)


# ------------------------------------------------------------------------------------------------ freezes


def freeze_in(seconds: float, *, lasting: float = 3_600.0) -> tuple[Freeze, ...]:
    """A freeze that begins so many seconds from now, by the clock that the runs here go by."""
    now = datetime(2030, 1, 31, 22, 0, tzinfo=UTC) + timedelta(seconds=VirtualLoop.elapsed())
    starts = now + timedelta(seconds=seconds)
    return freezes_from([f"{starts.isoformat()}/{(starts + timedelta(seconds=lasting)).isoformat()}"], ZoneInfo("UTC"))


def test_a_run_does_not_begin_during_a_freeze() -> None:
    azure = fleet_of(2)
    with pytest.raises(RefusedError, match=r"^Nothing was sent: frozen, .* until .* UTC\.$") as refused:
        runs.apply_all(azure, options=ApplyOptions(freezes=freeze_in(-10)))
    assert "--freeze none" in refused.value.advice
    assert azure.log == []


def test_a_freeze_that_begins_in_mid_run_stops_it_and_a_resume_goes_on_afterwards() -> None:
    azure = fleet_of(40)
    azure.queue_s = 10.0
    watcher = runs.Watcher()
    with runs.temporary_store() as store:
        options = ApplyOptions(concurrency=4, freezes=freeze_in(45))
        report = runs.apply_in(store, azure, plan=azure.plan(), options=options, observer=watcher)
        # Four at a time, ten seconds until one leaves and five until it ends: what had left is followed to its end.
        assert report.counts.applied == report.counts.verified == azure.count("PATCH") == 12
        assert report.counts.not_sent == 28
        assert set(codes(report).values()) <= {"Frozen", "Stopped"}
        assert sum(text.startswith("Frozen: ") for text in watcher.remarks) == 1
        with pytest.raises(RefusedError):
            runs.apply_in(store, azure, options=options)
        azure.queue_s = 0.0
        assert runs.apply_in(store, azure, options=ApplyOptions(freezes=freeze_in(-7_200))).counts.verified == 40
    assert set(azure.writes().values()) == {1}


def test_a_pause_does_not_lead_into_a_freeze() -> None:
    azure = fleet_of(2)
    options = ApplyOptions(waves=WaveRules(pause_s=600), freezes=freeze_in(300))
    report = runs.apply_all(azure, plan=in_waves(azure.plan(), 1, 1), options=options)
    assert (report.counts.applied, codes(report)) == (1, {"vm-0001": "Frozen"})


def test_after_a_wave_that_could_not_be_sent_the_next_is_not_begun_and_a_resume_sends_both() -> None:
    """A canary that Azure held back has shown nothing."""
    azure = fleet_of(4)
    azure.machines[machine_id("vm-0001")].faults.append("TooManyRequests:429")
    with runs.temporary_store() as store:
        seen = runs.Watcher()
        report = runs.apply_in(store, azure, plan=in_waves(azure.plan(), 2, 2), observer=seen)
        assert codes(report) == {"vm-0001": "TooManyRequests", "vm-0002": "WaveNotSent", "vm-0003": "WaveNotSent"}
        assert report.counts.failed == 0
        assert "1 of this wave could not be sent or read: the next wave is not started." in seen.remarks
        assert runs.apply_in(store, azure).counts.verified == 4


def test_a_lane_that_azure_closes_for_too_long_leaves_its_machines_unsent_and_goes_on_at_resume() -> None:
    azure = fleet_of(3)
    azure.closed_lanes.add((machine_id("vm-0000").subscription_id, "westeurope"))
    with runs.temporary_store() as store:
        report = runs.apply_in(store, azure, plan=azure.plan())
        assert set(codes(report).values()) == {"Throttled"}
        assert all("patchmode runs resume" in runs.error_of(one).advice for one in report.results)
        azure.closed_lanes.clear()
        assert runs.apply_in(store, azure).counts.verified == 3


def test_after_a_canary_whose_fate_is_not_known_the_next_wave_is_not_begun() -> None:
    """A process died with its request on the way, and Azure's limits let nobody look at it."""
    places = {"vm-0000": "westeurope", "vm-0001": "northeurope", "vm-0002": "northeurope"}
    azure = FleetDouble([vm(name, location=place) for name, place in places.items()])
    lane = (machine_id("vm-0000").subscription_id, "westeurope")
    with runs.temporary_store() as store:
        runs.apply_until(store, azure, plan=in_waves(azure.plan(), 1, 2), at=0, committed=True)
        azure.closed_lanes.add(lane)
        report = runs.apply_in(store, azure)
        assert [one.result for one in report.results] == [Result.UNKNOWN, Result.NOT_SENT, Result.NOT_SENT]
        assert set(codes(report).values()) == {"WaveNotSent"}
        assert azure.count("PATCH") == 0
        azure.closed_lanes.clear()
        assert runs.apply_in(store, azure).counts.verified == 3


def test_after_a_machine_left_open_by_its_regions_budget_the_next_wave_is_not_begun() -> None:
    """Its answer was lost, and the budget that another machine spent meanwhile called the second try off."""
    places = {"vm-0000": "westeurope", "vm-0001": "westeurope", "vm-0002": "northeurope"}
    azure = FleetDouble([vm(name, location=place) for name, place in places.items()])
    azure.machines[machine_id("vm-0000")].faults.append("lost-before")
    failing(azure, "vm-0001")
    options = ApplyOptions(
        max_failures_per_wave=MaxFailures.parse("9"), max_failures_per_region=MaxFailures.parse("1"), concurrency=2
    )
    with runs.temporary_store() as store:
        report = runs.apply_in(store, azure, plan=in_waves(azure.plan(), 2, 1), options=options)
        assert [one.result for one in report.results] == [Result.UNKNOWN, Result.FAILED, Result.NOT_SENT]
        assert codes(report) == {"vm-0002": "WaveNotSent"}


def test_after_a_wave_that_is_wholly_stale_the_next_is_not_begun() -> None:
    """It has shown nothing; a resume cannot change that, so a new plan is what is told."""
    azure = fleet_of(4)
    plan = in_waves(azure.plan(), 1, 3)
    azure.machines[machine_id("vm-0000")].document["properties"]["vmId"] = "another"
    azure.touch(machine_id("vm-0000"))
    with runs.temporary_store() as store:
        seen = runs.Watcher()
        report = runs.apply_in(store, azure, plan=plan, observer=seen)
        assert (report.state, report.counts.stale, azure.count("PATCH")) == ("stopped", 1, 1)
        assert codes(report) == dict.fromkeys(["vm-0001", "vm-0002", "vm-0003"], "WaveNotApplied")
        assert {runs.error_of(one).advice for one in report.results[1:]} == {
            "Make a new plan: it includes the machines that changed meanwhile."
        }
        told = "No machine of the wave was applied (1 stale or refused): the next wave is not started."
        assert told in seen.remarks
        assert codes(runs.resume(store, azure, is_agreed=True)) == codes(report)


def test_a_wave_that_somebody_else_set_meanwhile_holds_up_none() -> None:
    azure = fleet_of(2)
    plan = in_waves(azure.plan(), 1, 1)
    settings_of(azure.machines[machine_id("vm-0000")].document).update(
        plan.changes[0].body["properties"]["osProfile"][plan.changes[0].os.configuration]["patchSettings"]
    )
    azure.touch(machine_id("vm-0000"))
    report = runs.apply_all(azure, plan=plan)
    assert runs.error_of(report.results[0]).code == "AlreadySet"
    assert report.counts.applied == 1


def test_after_a_wave_that_is_stale_in_part_the_next_one_begins() -> None:
    azure = fleet_of(3)
    plan = in_waves(azure.plan(), 2, 1)
    azure.machines[machine_id("vm-0000")].document["properties"]["vmId"] = "another"
    azure.touch(machine_id("vm-0000"))
    report = runs.apply_all(azure, plan=plan)
    assert (report.state, report.counts.stale, report.counts.applied) == ("finished", 1, 2)


# ------------------------------------------------------------------------------------------------ what a wave has shown

ONE, OTHER = machine_id("one"), machine_id("other")


def history_of(*, step: Step = Step.PENDING, end: AttachEnd | None = None) -> WaveHistory:
    """Of a run that has nothing to do but to attach a schedule to a machine."""
    attachment = AttachmentEntry(ONE, MachineKind.VM, AttachAction.ATTACH, WEEKLY, ASSIGNMENT, step=step)
    ends = {} if end is None else {ONE: AttachResult(str(ONE), end)}
    state = SimpleNamespace(ends={}, attached=ends, attachments={ONE: attachment})
    return WaveHistory(Budgets(), state)  # type: ignore[arg-type]  # what it looks at


@pytest.mark.parametrize(("step", "is_begun"), [(Step.PENDING, False), (Step.INTENDED, True)])
def test_a_wave_is_begun_by_a_schedule_alone(step: Step, is_begun: bool) -> None:
    """So that a run which is taken up goes on with it."""
    assert history_of(step=step).before(WaveWork(1, 2, "w1", (), (ONE,))).is_begun is is_begun


@pytest.mark.parametrize(("end", "count"), [(AttachEnd.REFUSED, 1), (AttachEnd.UNCHANGED, 0), (AttachEnd.FAILED, 0)])
def test_a_schedule_that_was_refused_is_left_alone(end: AttachEnd, count: int) -> None:
    """No resume touches it, so that a wave of such has shown nothing."""
    history = history_of(end=end)
    history.passed(WaveWork(1, 2, "w1", (), (ONE,)))
    assert history.before(WaveWork(2, 2, "w2", (), (OTHER,))).left_alone_before == count
