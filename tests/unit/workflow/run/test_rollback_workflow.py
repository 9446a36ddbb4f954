"""A rollback is an ordinary plan made from the journal: what the run changed goes back, and nothing else."""

import copy

from tests.unit.workflow import run_doubles as runs
from tests.unit.workflow.fleet_double import (
    FleetDouble,
    LoopClock,
    fleet_of,
    machine_id,
    run_virtually,
    settings_of,
    vm,
)

from patchmode.model.patch_settings import Orchestration
from patchmode.model.plan import Plan
from patchmode.model.run import RunCounts
from patchmode.store.runs import RunStore
from patchmode.workflow.run.rollback import make_rollback_plan


def rollback_plan(store: RunStore, azure: FleetDouble, *, allow_azure_managed: bool = False) -> Plan:
    async def main() -> Plan:
        journal = store.open()
        try:
            return await make_rollback_plan(
                azure, journal, allow_azure_managed=allow_azure_managed, clock=LoopClock(), tool_version="0.1.0"
            )
        finally:
            journal.release()

    return run_virtually(main())


def modes(azure: FleetDouble) -> list[tuple[str, object]]:
    return [
        (
            settings_of(kept.document)["patchMode"],
            settings_of(kept.document)
            .get("automaticByPlatformSettings", {})
            .get("bypassPlatformSafetyChecksOnUserSchedule"),
        )
        for kept in azure.machines.values()
    ]


def test_what_a_run_changed_goes_back() -> None:
    azure = fleet_of(60)
    before = copy.deepcopy(azure.fleet())
    with runs.temporary_store() as store:
        first = runs.apply_in(store, azure, plan=azure.plan())
        plan = rollback_plan(store, azure)
        assert (plan.rollback_of, plan.scope) == (first.run, (f"--run {first.run}",))
        assert plan.counts == {"scope": 60, "changes": 60, "unchanged": 0, "skipped": 0, "unreadable": 0}
        report = runs.apply_in(store, azure, plan=plan)
        assert report.counts == RunCounts(scope=60, applied=60, verified=60)
        assert store.list()[-1].rollback_of == first.run
    for machine, document in azure.fleet().items():
        assert settings_of(document)["patchMode"] == "AutomaticByOS"
        document["properties"]["osProfile"] = before[machine]["properties"]["osProfile"]
        assert document == before[machine]


def test_machines_that_the_run_did_not_change_are_left_alone() -> None:
    azure = FleetDouble([vm("applied"), vm("refused"), vm("gone")])
    azure.machines[machine_id("refused")].faults.append("ScopeLocked:409")
    with runs.temporary_store() as store:
        runs.apply_in(store, azure, plan=azure.plan())
        azure.machines[machine_id("gone")].gone = True
        plan = rollback_plan(store, azure)
    assert [change.id.name for change in plan.changes] == ["applied"]
    assert [(one.id.name, one.rule) for one in plan.skipped] == [("refused", "not-changed-by-run")]
    assert "its result is failed" in plan.skipped[0].reason
    assert [one.id.rpartition("/")[2] for one in plan.unreadable] == ["gone"]


def test_what_somebody_else_set_is_not_undone() -> None:
    azure = fleet_of(3)
    with runs.temporary_store() as store, runs.temporary_store() as elsewhere:
        plan = azure.plan()
        runs.apply_in(elsewhere, azure, plan=plan)
        runs.apply_in(store, azure, plan=plan)
        undoing = rollback_plan(store, azure)
    assert undoing.changes == ()
    assert [one.rule for one in undoing.skipped] == ["not-changed-by-run"] * 3


def test_machine_that_may_have_been_changed_is_looked_at() -> None:
    """Killed between the answer and the journal: nobody wrote down that the PATCH was accepted."""
    azure = fleet_of(2, duration_s=0.0)
    with runs.temporary_store() as store:
        assert runs.apply_until(store, azure, plan=azure.plan(), at=3, committed=False)
        plan = rollback_plan(store, azure)
    written = {name for name, writes in azure.writes().items() if writes}
    assert {change.id.name for change in plan.changes} == written != set()
    assert {one.id.name for one in plan.unchanged} == {"vm-0000", "vm-0001"} - written


def test_nothing_is_handed_back_to_azure_unasked() -> None:
    azure = fleet_of(2)
    for kept in azure.machines.values():
        settings_of(kept.document)["patchMode"] = "AutomaticByPlatform"
    with runs.temporary_store() as store:
        runs.apply_in(store, azure, plan=azure.plan())
        assert [one.rule for one in rollback_plan(store, azure).skipped] == ["would-autopatch"] * 2
        asked = rollback_plan(store, azure, allow_azure_managed=True)
        assert asked.wanted.orchestration is Orchestration.AZURE_MANAGED
        runs.apply_in(store, azure, plan=asked)
    assert modes(azure) == [("AutomaticByPlatform", False)] * 2
