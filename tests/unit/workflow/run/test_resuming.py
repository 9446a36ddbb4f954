"""A kill at any instant leaves a journal from which the run ends as if nothing had happened."""

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.examples import examples
from tests.unit.workflow import run_doubles as runs
from tests.unit.workflow.fleet_double import FleetDouble, LoopClock, machine_id, run_virtually, settings_of, vm

from patchmode.errors import BrokenPlanError, RefusedError
from patchmode.model.plan import Plan
from patchmode.model.run import Result, RunReport, RunSummary
from patchmode.ports.run import Step
from patchmode.workflow.inventory.planning import narrowed
from patchmode.workflow.run.applying import apply_plan
from patchmode.workflow.run.report import report_of
from patchmode.workflow.run.resuming import Interrupted, check_not_rolled_back, rolled_back_in_part
from patchmode.workflow.run.rollback import make_rollback_plan

SET = {
    "patchMode": "AutomaticByPlatform",
    "assessmentMode": "ImageDefault",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
}
STEPS = 15
"""What an undisturbed run writes down, three machines at a time."""
NAMES = ["plain", "no-etag", "lost-after", "lost-before", "refused", "failing"]


def mixed_fleet() -> FleetDouble:
    """One machine of each kind of trouble, the trouble the same in each run."""
    azure = FleetDouble([vm(name, etag=name != "no-etag") for name in NAMES], page=2)
    for name in ("lost-after", "lost-before"):
        azure.machines[machine_id(name)].faults.append(name)
    azure.machines[machine_id("refused")].faults.extend(["ScopeLocked:409"] * 9)
    azure.failing_operations[machine_id("failing")] = ("VMExtensionProvisioningError", "the extension failed")
    return azure


def undisturbed() -> tuple[FleetDouble, RunReport]:
    azure = mixed_fleet()
    return azure, runs.apply_all(azure)


def ends(report: RunReport) -> dict[str, Result]:
    return {result.id.name: result.result for result in report.results}


def test_undisturbed_run_ends_as_each_machine_allows() -> None:
    azure, report = undisturbed()
    assert ends(report) == {
        "plain": Result.APPLIED,
        "no-etag": Result.APPLIED,
        "lost-after": Result.APPLIED,
        "lost-before": Result.APPLIED,
        "refused": Result.FAILED,
        "failing": Result.FAILED,
    }
    assert azure.writes() == {name: int(name != "refused") for name in NAMES}


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("step", range(STEPS))
def test_killed_at_any_step_and_resumed_ends_the_same(step: int, committed: bool) -> None:
    expected, report = undisturbed()
    azure = mixed_fleet()
    with runs.temporary_store() as store:
        assert runs.apply_until(store, azure, plan=azure.plan(), at=step, committed=committed)
        resumed = runs.apply_in(store, azure)
    assert azure.fleet() == expected.fleet()
    assert ends(resumed) == ends(report)
    assert azure.writes() == expected.writes()


def test_the_steps_above_are_all_there_are() -> None:
    azure = mixed_fleet()
    with runs.temporary_store() as store:
        assert not runs.apply_until(store, azure, plan=azure.plan(), at=STEPS, committed=False)


@settings(max_examples=examples(30, 500), deadline=None)
@given(kills=st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=2, max_size=5))
def test_killed_again_and_again_ends_the_same(kills: list[tuple[int, bool]]) -> None:
    expected, report = undisturbed()
    azure = mixed_fleet()
    with runs.temporary_store() as store:
        plan = azure.plan()
        is_killed = False
        for number, (step, committed) in enumerate(kills):
            is_killed |= runs.apply_until(store, azure, plan=None if number else plan, at=step, committed=committed)
        resumed = runs.apply_in(store, azure)
        journal = store.open()
        told = report_of(journal)
        assert (told.results, told.requests) == (resumed.results, resumed.requests)
        journal.release()
    assert told.requests_at_least == resumed.requests_at_least == is_killed
    everything = azure.ledger.by_method()
    assert all(count <= everything[method] for method, count in told.requests.items())
    assert is_killed or told.requests["PATCH"] == everything["PATCH"]
    assert azure.fleet() == expected.fleet()
    assert ends(resumed) == ends(report)
    assert azure.writes() == expected.writes()


def test_resuming_a_finished_run_sends_nothing() -> None:
    azure = mixed_fleet()
    with runs.temporary_store() as store:
        first = runs.apply_in(store, azure, plan=azure.plan())
        sent = list(azure.log)
        again = runs.apply_in(store, azure)
    assert azure.log == sent
    assert (again.results, again.requests) == (first.results, first.requests)


def test_accepted_change_that_somebody_undid_meanwhile_is_no_success() -> None:
    azure = FleetDouble([vm("web")])
    with runs.temporary_store() as store:
        assert runs.apply_until(store, azure, plan=azure.plan(), at=1, committed=True)
        settings_of(azure.machines[machine_id("web")].document)["patchMode"] = "Manual"
        (end,) = runs.apply_in(store, azure).results
    error = runs.error_of(end)
    assert (end.result, error.code, error.may_have_been_applied) == (Result.FAILED, "NotAsPlanned", True)
    assert 'patchMode as "Manual" instead of "AutomaticByPlatform"' in error.message


def test_sibling_that_somebody_changed_meanwhile_is_a_verification_mismatch() -> None:
    azure = FleetDouble([vm("web")])
    with runs.temporary_store() as store:
        assert runs.apply_until(store, azure, plan=azure.plan(), at=1, committed=False)
        azure.edit(machine_id("web"), tag="db")
        report = runs.apply_in(store, azure)
    assert (report.counts.applied, report.counts.verified) == (1, 0)
    (end,) = report.results
    assert end.verification is not None
    assert [one.path for one in end.verification.differences] == ["tags.owner"]


class Operator(RuleBasedStateMachine):
    """A fleet, an operator whose process dies, and colleagues who edit machines meanwhile."""

    @initialize(etags=st.lists(st.booleans(), min_size=1, max_size=5))
    def begin(self, etags: list[bool]) -> None:
        self.context = runs.temporary_store()
        self.store = self.context.__enter__()
        self.names = [f"vm-{number}" for number in range(len(etags))]
        self.azure = FleetDouble([vm(name, etag=etag) for name, etag in zip(self.names, etags, strict=True)], page=2)
        self.before = copy.deepcopy(self.azure.fleet())
        self.plan: Any = self.azure.plan()
        self.begun = False
        self.edits: dict[str, str] = {}

    def teardown(self) -> None:
        if hasattr(self, "context"):
            self.finish()
            self.context.__exit__(None, None, None)

    def _name(self, number: int) -> str:
        return self.names[number % len(self.names)]

    @rule(number=st.integers(0, 9), tag=st.sampled_from(["a", "b"]))
    def colleague_edits(self, number: int, tag: str) -> None:
        name = self._name(number)
        self.azure.edit(machine_id(name), tag=tag)
        self.edits[name] = tag

    @rule(number=st.integers(0, 9))
    def agent_works(self, number: int) -> None:
        self.azure.touch(machine_id(self._name(number)))

    @rule(number=st.integers(0, 9), fault=st.sampled_from(["lost-before", "lost-after", "not-sent", "ScopeLocked:409"]))
    def trouble_ahead(self, number: int, fault: str) -> None:
        self.azure.machines[machine_id(self._name(number))].faults.append(fault)

    @rule(step=st.integers(0, 10), committed=st.booleans())
    def process_dies(self, step: int, committed: bool) -> None:
        runs.apply_until(self.store, self.azure, plan=None if self.begun else self.plan, at=step, committed=committed)
        self.begun = self.store.latest() is not None

    @precondition(lambda self: self.begun)
    @rule()
    def resumed(self) -> None:
        self._check(runs.apply_in(self.store, self.azure))

    @invariant()
    def nothing_but_the_plan_is_written(self) -> None:
        if not hasattr(self, "azure"):
            return
        for name in self.names:
            document = self.azure.fleet()[str(machine_id(name))]
            expected = copy.deepcopy(self.before[str(machine_id(name))])
            expected["tags"]["owner"] = self.edits.get(name, "web")
            if self.azure.writes()[name]:
                settings_of(expected).update(SET)
            assert document == expected
            assert self.azure.writes()[name] <= 1

    def finish(self) -> None:
        for stored in self.azure.machines.values():
            stored.faults.clear()
        self._check(runs.apply_in(self.store, self.azure, plan=None if self.begun else self.plan))

    def _check(self, report: RunReport) -> None:
        for result in report.results:
            written = self.azure.writes()[result.id.name] == 1
            match result.result:
                case Result.APPLIED:
                    assert written
                case Result.STALE | Result.NOT_SENT:
                    assert not written
                    assert result.error is not None
                case _:
                    assert result.error is not None
                    assert result.error.may_have_been_applied or not written


Operator.TestCase.settings = settings(max_examples=examples(25, 500), stateful_step_count=12, deadline=None)
TestOperator = Operator.TestCase


# ------------------------------------------------------------------- a run of a version with other rules


def another_versions(plan: Plan) -> Plan:
    """A plan as a version made it that tolerated something else after each change."""
    return replace(plan, changes=tuple(replace(one, tolerated=("somethingElse",)) for one in plan.changes))


def test_what_was_sent_is_followed_to_its_end_whatever_the_rules_say_now() -> None:
    """Only what was not sent yet is held against the rules: it is left alone, and told as that."""
    names = ["started", "intended", "to-come"]
    with runs.temporary_store() as store:
        azure = FleetDouble([vm(name) for name in names])
        plan = another_versions(azure.plan())

        async def begun() -> None:
            journal = store.create(plan)
            started, intended, _ = (entry.change for entry in journal.entries())
            for change in (started, intended):
                await journal.intend(change.id, etag=change.etag, at=LoopClock().now())
            answer = await azure.writer.patch(
                started.id, started.kind, started.location, started.body, etag=started.etag
            )
            await journal.start(started.id, answer, at=LoopClock().now())
            journal.release()

        run_virtually(begun())
        report = runs.apply_in(store, azure)
        journal = store.open()
        steps = {entry.change.id.name: entry.step for entry in journal.entries()}
        journal.release()
    assert ends(report) == {"started": Result.APPLIED, "intended": Result.APPLIED, "to-come": Result.NOT_SENT}
    assert azure.writes() == {"started": 1, "intended": 1, "to-come": 0}
    assert (steps["started"], report.state) == (Step.ENDED, "stopped")
    error = runs.error_of(report.results[-1])
    assert error.code == "PlanBroken"
    assert error.advice == "Make a new plan."
    assert "tolerated is ('somethingElse',)" in error.message


def test_a_run_of_which_nothing_was_sent_is_refused_as_a_whole() -> None:
    """Nothing is under way, so a new plan costs nothing."""
    with runs.temporary_store() as store:
        azure = FleetDouble([vm("web")])
        store.create(another_versions(azure.plan())).release()
        with pytest.raises(BrokenPlanError, match="tolerated is"):
            runs.apply_in(store, azure)
    assert azure.count("PATCH") == 0


def test_what_was_rolled_back_is_not_taken_up() -> None:
    """A rollback that sent nothing took nothing back."""
    open_run = RunSummary("R1", "stopped", changes=3, ended=1, sent=1)
    idle = RunSummary("R2", "finished", rollback_of="R1")
    back = RunSummary("R3", "interrupted", sent=1, rollback_of="R1")
    check_not_rolled_back([open_run, idle], "R1")
    check_not_rolled_back([open_run, back], "R3")
    with pytest.raises(RefusedError, match="R1 was rolled back by run R3"):
        check_not_rolled_back([open_run, idle, back], "R1")
    in_part = replace(back, only=(machine_id("vm-1"),))
    check_not_rolled_back([open_run, in_part], "R1")
    assert rolled_back_in_part([open_run, in_part, idle], "R1") == {machine_id("vm-1"): "R3"}


def shown(azure: FleetDouble, name: str) -> Any:
    """Without the bypass, which is left where a machine leaves AutomaticByPlatform."""
    return settings_of(azure.machines[machine_id(name)].document)["patchMode"]


@pytest.mark.parametrize("step", range(12))
@pytest.mark.parametrize("committed", [False, True])
def test_a_machine_rolled_back_alone_is_never_set_again_and_the_others_are(step: int, committed: bool) -> None:
    """Killed at any step; `rollback --ids` of one machine closed the whole run."""
    azure = FleetDouble([vm(name) for name in ("back", "other", "third")])
    before = shown(azure, "back")
    with runs.temporary_store() as store:
        runs.apply_until(store, azure, plan=azure.plan(), at=step, committed=committed)
        run = store.latest_or_refuse()

        async def undo() -> bool:
            await LoopClock().sleep(600)  # no rollback is planned over an operation under way
            journal = store.open(run)
            plan = await make_rollback_plan(azure, journal, allow_azure_managed=False, clock=LoopClock())
            journal.release()
            plan = narrowed(plan, [machine_id("back")])
            if plan.has_work:
                await apply_plan(store.create(plan), azure, clock=LoopClock())
            return plan.has_work

        is_undone = run_virtually(undo())
        assert shown(azure, "back") == before

        async def resume() -> RunReport:
            rolled_back = rolled_back_in_part(store.list(), run)
            assert bool(rolled_back) == is_undone
            journal = store.open(run, for_writing=True)
            assert Interrupted(journal, rolled_back).machines_left <= {one.id for one in journal.plan.changes}
            return await apply_plan(journal, azure, clock=LoopClock(), rolled_back=rolled_back)

        report = run_virtually(resume())
        assert report.state == "finished"
    assert [shown(azure, name) for name in ("other", "third")] == [SET["patchMode"]] * 2
    assert shown(azure, "back") == (before if is_undone else SET["patchMode"])
    codes = {one.id.name: one.error.code for one in report.results if one.error}
    assert codes in ({}, {"back": "RolledBack"})
