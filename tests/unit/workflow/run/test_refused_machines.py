"""Machines that the signed-in principal may not write: left alone, written down as that, and gone on with later."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.workflow import run_doubles as runs
from tests.unit.workflow.fleet_double import FleetDouble, LoopClock, run_virtually, vm
from tests.unit.workflow.maintenance_double import configuration
from tests.unit.workflow.run.test_then_attach import WEEKLY, attached, ends, plan_of, prepared
from tests.unit.workflow.run.test_waves import codes, failing, in_waves

from patchmode.cli import exits
from patchmode.model.plan import Wave
from patchmode.model.run import Result, RunReport
from patchmode.model.schedule import AttachEnd
from patchmode.ports.run import Step
from patchmode.store.runs import RunStore
from patchmode.workflow.run.applying import apply_plan
from patchmode.workflow.run.guardrails import MaxFailures
from patchmode.workflow.run.options import ApplyOptions
from patchmode.workflow.run.report import report_of
from patchmode.workflow.run.waves import WaveRules


class GuardedFleet(FleetDouble):
    """A fleet of which some machines may only be read."""

    not_writable: Collection[str] = ()
    """Names."""

    async def permissions(self, scope: str) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        name = scope.rpartition("/")[2]
        is_machine = "/virtualmachines/" in scope.casefold()
        if not self.not_writable or (is_machine and name not in self.not_writable):
            return await super().permissions(scope)
        return {"": [{"actions": ["*/read"], "notActions": []}]}

    async def assigned_scopes(self, scope: str) -> Collection[str] | None:
        return {one.key for one in self.machines if one.name not in self.not_writable}


def guarded(count: int, *read_only: str) -> GuardedFleet:
    azure = GuardedFleet([vm(f"vm-{number:04}") for number in range(count)])
    azure.not_writable = read_only
    return azure


def shown(store: RunStore) -> RunReport:
    journal = store.open()
    try:
        return report_of(journal)
    finally:
        journal.release()


def told(report: RunReport) -> list[tuple[str, str, str]]:
    """Of each change and each schedule without a good end: machine, code and message."""
    errors = [(str(one.id), one.error) for one in report.results] + [(one.id, one.error) for one in report.attachments]
    return [(machine, error.code, error.message) for machine, error in errors if error is not None]


def test_a_refused_machine_is_shown_later_as_it_was_told() -> None:
    azure = guarded(3, "vm-0001")
    with runs.temporary_store() as store:
        report = runs.apply_in(store, azure, plan=azure.plan())
        assert codes(report) == {"vm-0001": "NotAuthorized"}
        assert (report.state, report.counts.applied) == ("stopped", 2)
        assert told(shown(store)) == told(report)
        assert (shown(store).state, exits.of_shown_run(shown(store))) == ("stopped", exits.of_run(report))


def test_a_resume_asks_again_and_goes_on_once_the_role_is_there() -> None:
    azure = guarded(3, "vm-0000", "vm-0001")
    with runs.temporary_store() as store:
        runs.apply_in(store, azure, plan=azure.plan())
        azure.not_writable = ("vm-0000",)
        assert codes(runs.resume(store, azure)) == {"vm-0000": "NotAuthorized"}
        azure.not_writable = ()
        report = runs.resume(store, azure)
    assert (report.state, report.counts.verified) == ("finished", 3)
    assert set(azure.writes().values()) == {1}


def test_a_refused_machine_of_the_wave_asked_for_is_not_left_to_a_later_one() -> None:
    """Otherwise the run ends with 10, which says that all that was asked for is done."""
    azure = guarded(6, "vm-0000")
    with runs.temporary_store() as store:
        plan = in_waves(azure.plan(), 3, 3)
        report = runs.apply_in(store, azure, plan=plan, options=ApplyOptions(waves=WaveRules(last=1)))
        assert (codes(report)["vm-0000"], exits.of_run(report)) == ("NotAuthorized", exits.Exit.PARTIAL)
        assert told(shown(store)) == told(report)
        assert exits.of_shown_run(shown(store)) == exits.Exit.PARTIAL


def test_what_its_region_held_back_is_not_left_to_a_later_wave() -> None:
    places = {"w0": "westeurope", "w1": "westeurope", "n1": "northeurope", "n2": "northeurope"}
    azure = failing(FleetDouble([vm(name, location=place) for name, place in places.items()]), "w0")
    plan = azure.plan()
    plan = in_waves(replace(plan, changes=tuple(sorted(plan.changes, key=lambda one: one.id.name[::-1]))), 3, 1)
    assert [one.id.name for one in plan.changes] == ["w0", "n1", "w1", "n2"]
    options = ApplyOptions(
        concurrency=1,
        max_failures_per_region=MaxFailures(count=1),
        max_failures_per_wave=MaxFailures(count=3),
        waves=WaveRules(last=1),
    )
    with runs.temporary_store() as store:
        report = runs.apply_in(store, azure, plan=plan, options=options)
        assert codes(report) == {"w1": "RegionBudgetSpent", "n2": "LaterWave"}
        assert told(shown(store)) == told(report)


def test_of_what_may_have_been_sent_the_end_stays_open() -> None:
    """It is refused by now, and was intended by a process that died: only a look can tell."""
    azure = guarded(2)
    with runs.temporary_store() as store:
        runs.apply_until(store, azure, plan=azure.plan(), at=0, committed=True)
        azure.not_writable = ("vm-0000",)
        journal = store.open(for_writing=True)
        before = {one.change.id.name: one.step for one in journal.entries()}
        run_virtually(apply_plan(journal, azure, clock=LoopClock()))
        after = {one.change.id.name: one for one in _entries(store)}
    assert before["vm-0000"] is Step.INTENDED
    end = after["vm-0000"]
    assert end.result is None or end.result.result is not Result.NOT_SENT


def _entries(store: RunStore) -> Sequence[Any]:
    journal = store.open()
    try:
        return journal.entries()
    finally:
        journal.release()


def test_a_refused_machine_does_not_begin_its_wave() -> None:
    """After failures the wave is asked for, whoever in it was refused before."""
    azure = guarded(4, "vm-0003")
    failing(azure, "vm-0000")
    with runs.temporary_store() as store:
        runs.apply_in(store, azure, plan=in_waves(azure.plan(), 2, 2))
        report = runs.resume(store, azure)
    assert codes(report) == {"vm-0002": "WaveHadFailures", "vm-0003": "NotAuthorized"}
    assert azure.writes()["vm-0002"] == 0


@pytest.mark.parametrize("name", ["web", "db"])
def test_the_schedule_of_a_refused_machine_is_shown_later_as_it_was_told(name: str) -> None:
    """Of one that needs its settings first (`web`), and of one that only gets the schedule (`db`)."""
    azure = GuardedFleet([vm("web"), prepared("db")])
    azure.schedules.configurations = [configuration(WEEKLY)]
    azure.not_writable = (name,)
    with runs.temporary_store() as store:
        report = runs.apply_in(store, azure, plan=plan_of(azure, right=("db",)))
        assert ends(report)[name] is AttachEnd.NOT_SENT
        assert {code for machine, code, _ in told(report) if machine.endswith(name)} == {"NotAuthorized"}
        assert told(shown(store)) == told(report)
        azure.not_writable = ()
        report = runs.resume(store, azure)
    assert report.state == "finished"
    assert {machine for machine, _, _ in attached(azure)} == {"web", "db"}


def test_after_a_canary_that_may_not_be_written_the_next_wave_is_not_begun() -> None:
    """It has shown nothing, and no pause was kept after it."""
    azure = guarded(6, "vm-0000")
    plan = in_waves(azure.plan(), 1, 5)
    options = ApplyOptions(max_failures=MaxFailures(count=1), waves=WaveRules(pause_s=3_600.0))
    with runs.temporary_store() as store:
        report = runs.apply_in(store, azure, plan=plan, options=options)
        assert azure.count("PATCH") == 0
        assert set(codes(report).values()) == {"NotAuthorized", "WaveNotSent"}
        assert told(shown(store)) == told(report)
        azure.not_writable = ()
        assert runs.resume(store, azure).counts.verified == 6


def test_after_a_canary_that_may_get_no_schedule_the_next_wave_is_not_begun() -> None:
    azure = GuardedFleet([vm("web"), prepared("db")])
    azure.schedules.configurations = [configuration(WEEKLY)]
    azure.not_writable = ("db",)
    plan = replace(plan_of(azure, right=("db",)), waves=(Wave("canary", 0, 1), Wave("rest", 1, 0)))
    plan = replace(plan, changes=tuple(one for one in plan.changes if one.id.name == "web"))
    with runs.temporary_store() as store:
        report = runs.apply_in(store, azure, plan=plan)
        assert (azure.count("PATCH"), codes(report)) == (0, {"web": "WaveNotSent"})
        azure.not_writable = ()
        report = runs.resume(store, azure)
    assert report.state == "finished"
    assert {machine for machine, _, _ in attached(azure)} == {"web", "db"}
