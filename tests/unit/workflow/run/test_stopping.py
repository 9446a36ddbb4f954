"""A run that is stopped, by its budget, by hand, by a lost sign-in or a full disk: truthful, and taken up by resume."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.unit.workflow import run_doubles as runs
from tests.unit.workflow.fleet_double import FleetDouble, LoopClock, fleet_of, machine_id, run_virtually, vm

from patchmode.errors import SignInError, StorageError, UsageError
from patchmode.model.guardrails import RunGuardrails
from patchmode.model.run import Result, RunCounts, RunReport
from patchmode.ports.run import Step
from patchmode.store.runs import RunStore
from patchmode.workflow.run.applying import apply_plan
from patchmode.workflow.run.guardrails import MaxFailures
from patchmode.workflow.run.options import ApplyOptions
from patchmode.workflow.run.report import report_of

# ------------------------------------------------------------------------------------------------ on purpose


@pytest.mark.parametrize(
    ("text", "changes", "spent_at"),
    [
        ("1", 100, 1),
        ("3", 100, 3),
        ("5%", 100, 5),
        ("0.5%", 100, 1),
        ("50%", 3, 1),
        ("5%", 30, 1),
        ("5%", 40, 2),
        ("2.3%", 3000, 69),
    ],
)
def test_budget_is_spent_at(text: str, changes: int, spent_at: int) -> None:
    budget = MaxFailures.parse(text)
    assert next(failures for failures in range(changes + 1) if budget.is_spent(failures, changes)) == spent_at


@pytest.mark.parametrize("text", ["", "0", "-1", "x", "0%", "%", "nan%", "inf%", "1.5"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a failure budget"):
        MaxFailures.parse(text)


def test_spent_budget_stops_sending_and_resume_goes_on() -> None:
    azure = fleet_of(60)
    for number in range(10):
        azure.machines[machine_id(f"vm-{number:04}")].faults.append("ScopeLocked:409")
    watcher = runs.Watcher()
    options = ApplyOptions(concurrency=4, max_failures=MaxFailures(count=3))
    with runs.temporary_store() as store:
        report = runs.apply_in(store, azure, plan=azure.plan(), options=options, observer=watcher)
        counts = report.counts
        assert (report.state, counts.failed + counts.not_sent + counts.applied) == ("stopped", 60)
        assert 3 <= counts.failed <= 3 + 4
        assert azure.count("PATCH") <= 3 + 4
        assert runs.error_of(report.results[-1]).code == "FailureBudgetSpent"
        assert any("failure budget is spent" in remark for remark in watcher.remarks)
        # Failures count for the run: the budget is spent for the next session too, and nothing is sent.
        unasked = runs.resume(store, azure)
        assert (unasked.state, unasked.counts, azure.count("PATCH")) == ("stopped", counts, report.requests["PATCH"])
        again = runs.resume(store, azure, given=RunGuardrails(max_failures="90%"))
    assert again.counts.not_sent == 0
    assert again.counts.applied + again.counts.failed == 60
    assert again.requests["PATCH"] == 60


def test_stop_sends_nothing_more_and_follows_what_is_under_way() -> None:
    azure = fleet_of(50)
    stop = asyncio.Event()

    azure.before_patch = lambda machine: stop.set() if machine.name == "vm-0011" else None
    with runs.temporary_store() as store:
        report = runs.apply_in(store, azure, plan=azure.plan(), options=ApplyOptions(concurrency=4), stop=stop)
        assert report.state == "interrupted"
        assert report.counts.applied == report.counts.verified == azure.count("PATCH") <= 16
        assert report.counts.not_sent == 50 - report.counts.applied
        assert runs.error_of(report.results[-1]).code == "Stopped"
        assert store.list()[0].state == "interrupted"
        again = runs.apply_in(store, azure)
    assert again.counts == RunCounts(scope=50, applied=50, verified=50)
    assert set(azure.writes().values()) == {1}


def test_stop_with_nothing_left_to_send_is_a_finished_run() -> None:
    stop = asyncio.Event()
    azure = fleet_of(5)
    azure.before_patch = lambda machine: stop.set() if machine.name == "vm-0004" else None
    assert runs.apply_all(azure, stop=stop).state == "finished"


@pytest.mark.parametrize(("fault", "is_made"), [("lost-before", False), ("lost-after", True)])
def test_a_stop_leaves_a_lost_answer_open_where_the_machine_does_not_show_it(fault: str, is_made: bool) -> None:
    """It is not sent again, and a resume must look again: nobody knows what the first PATCH may still do."""
    azure = FleetDouble([vm("web")])
    azure.machines[machine_id("web")].faults.append(fault)
    stop = asyncio.Event()
    azure.before_patch = lambda _: stop.set()
    with runs.temporary_store() as store:
        report = runs.apply_in(store, azure, plan=azure.plan(), stop=stop)
        (result,) = report.results
        assert (result.result, report.state) == (
            (Result.APPLIED, "finished") if is_made else (Result.UNKNOWN, "interrupted")
        )
        assert azure.count("PATCH") == 1
        if not is_made:
            error = runs.error_of(result)
            assert (error.code, error.may_have_been_applied) == ("Interrupted", True)
            journal = store.open()
            assert [entry.step for entry in journal.entries()] == [Step.INTENDED]
            journal.release()
        again = runs.apply_in(store, azure)
    assert again.counts == RunCounts(scope=1, applied=1, verified=1)
    assert azure.writes() == {"web": 1}


def test_stop_calls_off_what_still_waits_for_its_buckets() -> None:
    """A throttled PATCH can wait for seconds: whoever presses Ctrl-C means that one too."""
    azure = fleet_of(20)
    azure.queue_s = 10.0
    stop = asyncio.Event()

    async def stop_soon() -> None:
        await asyncio.sleep(1)
        stop.set()

    async def main(store: RunStore) -> RunReport:
        asking = asyncio.create_task(stop_soon())
        apply = apply_plan(store.create(azure.plan()), azure, ApplyOptions(), clock=LoopClock(), stop=stop)
        report = await apply
        await asking
        return report

    with runs.temporary_store() as store:
        report = run_virtually(main(store))
        assert (report.state, report.counts.not_sent, azure.count("PATCH")) == ("interrupted", 20, 0)
        assert {runs.error_of(result).code for result in report.results} == {"Stopped"}
        azure.queue_s = 0.0
        again = runs.apply_in(store, azure)
    assert again.counts == RunCounts(scope=20, applied=20, verified=20)
    assert set(azure.writes().values()) == {1}


def test_cancelling_returns_at_once_and_leaves_a_truthful_journal() -> None:
    azure = fleet_of(20, duration_s=1e6)

    async def main() -> None:
        with runs.temporary_store() as store:
            apply = apply_plan(store.create(azure.plan()), azure, ApplyOptions(), clock=LoopClock())
            task = asyncio.create_task(apply)
            await asyncio.sleep(2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            journal = store.open()
            report = report_of(journal)
            journal.release()
            assert (report.state, report.counts.unknown) == ("interrupted", 20)
            assert "runs resume" in runs.error_of(report.results[0]).advice

    run_virtually(main())


def test_stop_before_the_first_change_of_a_resumed_run_leaves_sent_ones_unknown() -> None:
    azure = fleet_of(3)
    stop = asyncio.Event()
    stop.set()
    with runs.temporary_store() as store:
        assert runs.apply_until(store, azure, plan=azure.plan(), at=2, committed=True)
        report = runs.apply_in(store, azure, stop=stop)
    assert report.counts == RunCounts(scope=3, unknown=3)


# ------------------------------------------------------------------------------------------------ unable to go on


def test_expired_sign_in_ends_the_run_and_resume_finishes_it() -> None:
    azure = fleet_of(30)

    def expire(machine: object) -> None:
        azure.signed_out = azure.count("PATCH") >= 10

    azure.before_patch = expire
    with runs.temporary_store() as store:
        with pytest.raises(SignInError):
            runs.apply_in(store, azure, plan=azure.plan(), options=ApplyOptions(concurrency=4))
        assert store.list()[0].state == "interrupted"
        azure.before_patch, azure.signed_out = (lambda _: None), False
        assert runs.apply_in(store, azure).counts == RunCounts(scope=30, applied=30, verified=30)
    assert set(azure.writes().values()) == {1}


@pytest.mark.parametrize("etag", [True, False])
def test_token_that_is_refused_for_good_ends_the_run_and_fails_no_machine(etag: bool) -> None:
    azure = FleetDouble([vm(f"vm-{number}", etag=etag) for number in range(30)])

    def revoke(machine: object) -> None:
        azure.is_refusing = azure.count("PATCH") >= 10

    azure.before_patch = revoke
    with runs.temporary_store() as store:
        with pytest.raises(SignInError, match="was answered 401 InvalidAuthenticationToken") as caught:
            runs.apply_in(store, azure, plan=azure.plan(), options=ApplyOptions(concurrency=4))
        assert "runs resume" in caught.value.advice
        assert azure.count("PATCH") <= 14
        journal = store.open()
        report = report_of(journal)
        journal.release()
        assert (report.state, report.counts.failed, report.counts.stale) == ("interrupted", 0, 0)
        written = {name for name, writes in azure.writes().items() if writes}
        assert {one.id.name for one in report.results if one.result is Result.NOT_SENT}.isdisjoint(written)
        azure.before_patch, azure.is_refusing = (lambda _: None), False
        assert runs.apply_in(store, azure).counts == RunCounts(scope=30, applied=30, verified=30)
    assert set(azure.writes().values()) == {1}


@pytest.mark.parametrize(("duration_s", "after_s"), [(5.0, 3.0), (300.0, 3.0), (300.0, 100.0)])
def test_token_that_is_refused_while_ends_are_awaited_ends_the_run(duration_s: float, after_s: float) -> None:
    azure = fleet_of(3, duration_s=duration_s)

    async def main(store: RunStore) -> None:
        apply = asyncio.create_task(apply_plan(store.create(azure.plan()), azure, ApplyOptions(), clock=LoopClock()))
        await asyncio.sleep(after_s)
        azure.is_refusing = True
        await apply

    with runs.temporary_store() as store:
        with pytest.raises(SignInError):
            run_virtually(main(store))
        azure.is_refusing = False
        assert runs.apply_in(store, azure).counts == RunCounts(scope=3, applied=3, verified=3)
    assert set(azure.writes().values()) == {1}


def test_token_that_is_refused_after_a_lost_answer_leaves_it_unknown() -> None:
    azure = fleet_of(1)
    azure.machines[machine_id("vm-0000")].faults.append("lost-after")
    azure.after_write = lambda _: setattr(azure, "is_refusing", True)
    with runs.temporary_store() as store:
        with pytest.raises(SignInError):
            runs.apply_in(store, azure, plan=azure.plan())
        journal = store.open()
        assert report_of(journal).counts == RunCounts(scope=1, unknown=1)
        journal.release()
        azure.is_refusing = False
        assert runs.apply_in(store, azure).counts == RunCounts(scope=1, applied=1, verified=1)


@settings(max_examples=examples(50), deadline=None)
@given(step=st.integers(0, 30), committed=st.booleans())
def test_full_disk_sends_nothing_that_is_not_written_down(step: int, committed: bool) -> None:
    """Whatever write fails: each machine that was written is at least "intended" in the journal, and resume ends it."""
    azure = fleet_of(12)
    full = StorageError("could not write the journal: database or disk is full.")
    with runs.temporary_store() as store:
        if runs.apply_until(store, azure, plan=azure.plan(), at=step, committed=committed, end=full):
            journal = store.open()
            intended = {entry.change.id.name for entry in journal.entries() if entry.step is not Step.PENDING}
            journal.release()
            assert {name for name, writes in azure.writes().items() if writes} <= intended
            assert runs.apply_in(store, azure).counts.verified == 12
    assert set(azure.writes().values()) == {1}
