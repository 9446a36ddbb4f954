"""A rollback that is taken up again: it comes to an end, and its failure budget holds over all its sessions."""

import asyncio
from typing import Any

import pytest
from tests.unit.workflow import run_doubles as runs
from tests.unit.workflow.fleet_double import FleetDouble, LoopClock, machine_id, run_virtually
from tests.unit.workflow.run.test_then_attach import ASSIGNMENT, WEEKLY, attached, ends, fleet, plan_of

from patchmode.model.guardrails import RunGuardrails
from patchmode.model.machine import MachineKind
from patchmode.model.plan import Plan
from patchmode.model.run import Result, RunReport
from patchmode.model.schedule import AttachAction, AttachEnd
from patchmode.ports.run import AttachmentEntry, Step
from patchmode.store.journal import Journal
from patchmode.store.runs import RunStore
from patchmode.workflow.run.applying import apply_plan
from patchmode.workflow.run.guardrails import MaxFailures
from patchmode.workflow.run.not_begun import rolled_back_schedules
from patchmode.workflow.run.options import ApplyOptions
from patchmode.workflow.run.resuming import Interrupted
from patchmode.workflow.run.rollback import make_rollback_plan

LONG_S = 100_000.0
"""Of virtual time: whatever has not ended by then hangs."""


def undoing(store: RunStore, azure: FleetDouble) -> Plan:
    """The plan of machines' settings and schedules applied, and then that of taking both back."""
    runs.apply_in(store, azure, plan=plan_of(azure))

    async def main() -> Plan:
        journal = store.open()
        plan = await make_rollback_plan(azure, journal, allow_azure_managed=False, clock=LoopClock())
        journal.release()
        return plan

    return run_virtually(main())


class DiesOnceAccepted:
    """A journal whose process dies right after a PATCH's acceptance was committed."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    async def start(self, *args: Any, **options: Any) -> None:
        await self._journal.start(*args, **options)
        self._journal.release()
        raise runs.Killed

    def close(self, *, state: str) -> None:
        """A dead process writes nothing more."""


def half_undone(store: RunStore, azure: FleetDouble, options: ApplyOptions) -> None:
    """A rollback of which `web` kept its schedule and `app` lost it, killed while `app` was under way."""
    plan = undoing(store, azure)
    azure.schedules.faults["weekly"].append("ScopeLocked:409")

    async def main() -> None:
        await apply_plan(DiesOnceAccepted(store.create(plan)), azure, options, clock=LoopClock())

    with pytest.raises(runs.Killed):
        run_virtually(main())


async def taken_up(store: RunStore, azure: FleetDouble, *, stop_after_s: float | None = None) -> RunReport:
    stop = asyncio.Event()
    if stop_after_s is not None:
        asyncio.get_running_loop().call_later(stop_after_s, stop.set)
    journal = store.open(for_writing=True)
    async with asyncio.timeout(LONG_S):
        return await apply_plan(journal, azure, clock=LoopClock(), stop=stop)


@pytest.mark.parametrize(
    "options", [ApplyOptions(concurrency=1), ApplyOptions(max_failures=MaxFailures(count=3)), ApplyOptions()]
)
def test_what_was_accepted_is_followed_while_schedules_come_off(options: ApplyOptions) -> None:
    """Its end is what the next machine waits for, where only one may be under way."""
    azure = fleet("web", "app")
    with runs.temporary_store() as store:
        half_undone(store, azure, options)
        report = run_virtually(taken_up(store, azure))
    assert ends(report) == {"web": AttachEnd.DETACHED, "app": AttachEnd.DETACHED}
    assert (report.state, report.counts.applied, attached(azure)) == ("finished", 2, set())


def test_a_stop_ends_the_wait_for_a_schedule_to_come_off() -> None:
    """Ctrl-C while `web` waits for the end of `app`: nothing more is sent, and `app` is followed to its end."""
    azure = fleet("web", "app")
    azure.duration_s = 600.0
    with runs.temporary_store() as store:
        half_undone(store, azure, ApplyOptions(concurrency=1))
        detached = azure.count("DELETE")
        report = run_virtually(taken_up(store, azure, stop_after_s=5.0))
    assert azure.count("DELETE") == detached
    assert report.state == "interrupted"
    assert {one.id.name: one.result for one in report.results} == {"web": Result.NOT_SENT, "app": Result.APPLIED}


# ------------------------------------------------------------------------------------------------ the failure budget


def refusing(azure: FleetDouble, times: int) -> None:
    azure.schedules.faults["weekly"].extend(["ScopeLocked:409"] * times)


def test_a_failure_budget_holds_over_all_sessions_that_take_schedules_off() -> None:
    """A schedule that did not come off is tried again, and has failed all the same."""
    azure = fleet("a", "b", "c", "d")
    with runs.temporary_store() as store:
        plan = undoing(store, azure)
        refusing(azure, 20)
        runs.apply_in(store, azure, plan=plan, options=ApplyOptions(max_failures=MaxFailures(count=1)))
        for _ in range(3):
            assert [(one.name, end.result) for one, end in standing(store).failures] == [("a", AttachEnd.FAILED)]
            report = runs.resume(store, azure)
        (objection,) = standing(store).needs_yes(RunGuardrails(max_failures="1"))
    assert azure.count("DELETE") == 1
    assert (report.state, [one.code for one in report.halts]) == ("stopped", ["FailureBudgetSpent"])
    assert objection.because == "The failure budget is spent: 1 failed, and --max-failures is 1."
    assert objection.raised == "2"


def test_a_schedule_that_is_tried_again_counts_once() -> None:
    """Agreed to, the budget of 1 becomes 2: `a` fails again, and that leaves one failure for `b`."""
    azure = fleet("a", "b", "c", "d")
    with runs.temporary_store() as store:
        plan = undoing(store, azure)
        refusing(azure, 3)
        runs.apply_in(store, azure, plan=plan, options=ApplyOptions(max_failures=MaxFailures(count=1)))
        report = runs.resume(store, azure, is_agreed=True)
        assert [end.result for _, end in standing(store).failures] == [AttachEnd.FAILED] * 2
        assert list(ends(report).values()) == [AttachEnd.FAILED] * 2 + [AttachEnd.NOT_SENT] * 2
        done = runs.resume(store, azure, is_agreed=True)
        assert standing(store).failures == []
    assert (done.state, done.counts.applied, attached(azure)) == ("finished", 4, set())


def standing(store: RunStore) -> Interrupted:
    journal = store.open()
    try:
        return Interrupted(journal)
    finally:
        journal.release()


@pytest.mark.parametrize(("action", "left"), [(AttachAction.ATTACH, [AttachEnd.UNKNOWN]), (AttachAction.DETACH, [])])
def test_only_a_schedule_that_is_put_on_is_left_to_the_rollback(action: AttachAction, left: list[AttachEnd]) -> None:
    """One that a run takes off goes on: what rolled the machine back did not put it on."""
    web = machine_id("web")
    entry = AttachmentEntry(web, MachineKind.VM, action, WEEKLY, ASSIGNMENT, step=Step.INTENDED)
    assert [one.result for one in rolled_back_schedules([entry], [], {web: "a run"})] == left
