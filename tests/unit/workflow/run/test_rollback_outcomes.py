"""The plan of a rollback says what becomes of its machines without the schedules that it takes off."""

from dataclasses import replace

import pytest
from tests.unit.workflow import run_doubles as runs
from tests.unit.workflow.fleet_double import SUBSCRIPTION, FleetDouble, LoopClock, machine_id, run_virtually
from tests.unit.workflow.maintenance_double import configuration, configuration_id
from tests.unit.workflow.run.test_then_attach import fleet, plan_of

from patchmode.model.machine import MachineKind, Surroundings
from patchmode.model.outcome import OutcomeKind
from patchmode.model.plan import Plan
from patchmode.model.schedule import ConfigurationAssignment
from patchmode.reports.text.layout import Paint
from patchmode.reports.text.plan import plan_lines
from patchmode.store.runs import RunStore
from patchmode.workflow.inventory.planning import narrowed
from patchmode.workflow.run.rollback import make_rollback_plan

OTHER = configuration_id("other", subscription=SUBSCRIPTION)
Told = dict[str, tuple[OutcomeKind, OutcomeKind]]


def way_back(store: RunStore, azure: FleetDouble) -> tuple[Plan, list[str]]:
    notes: list[str] = []

    async def main() -> Plan:
        journal = store.open()
        try:
            return await make_rollback_plan(
                azure, journal, allow_azure_managed=False, clock=LoopClock(), remark=notes.append
            )
        finally:
            journal.release()

    return run_virtually(main()), notes


def planned_back(azure: FleetDouble, *, right: tuple[str, ...] = ()) -> tuple[Plan, list[str]]:
    with runs.temporary_store() as store:
        runs.apply_in(store, azure, plan=plan_of(azure, right=right))
        return way_back(store, azure)


def outcomes(plan: Plan) -> Told:
    changed = {one.id.name: (one.outcome_before.kind, one.outcome_after.kind) for one in plan.changes}
    right = {one.id.name: (one.outcome.kind, (one.outcome_after or one.outcome).kind) for one in plan.unchanged}
    return changed | right


def test_outcomes_are_those_with_the_schedule_and_without_it() -> None:
    """Not `unknown -> guest-managed`: the way there was looked up too."""
    plan, notes = planned_back(fleet("web", right=("db",)), right=("db",))
    assert outcomes(plan) == {
        "web": (OutcomeKind.SCHEDULED, OutcomeKind.GUEST_MANAGED),
        "db": (OutcomeKind.SCHEDULED, OutcomeKind.PARKED),
    }
    assert notes == []
    told = "\n".join(plan_lines(plan, paint=Paint()))
    assert "0 -> 1  patched by nobody" in told


def test_schedule_that_stays_still_counts() -> None:
    azure = fleet(right=("db",))
    azure.schedules.assignments = [ConfigurationAssignment("by-hand", machine_id("db"), OTHER)]
    plan, _ = planned_back(azure, right=("db",))
    (entry,) = plan.unchanged
    assert (entry.outcome.kind, entry.outcome_after) == (OutcomeKind.SCHEDULED, None)
    assert "'other'" in entry.outcome.reason


def test_machine_that_is_off_fails_as_long_as_it_has_the_schedule() -> None:
    """Its power is known to Resource Graph alone."""
    azure = fleet(right=("db",))
    observed = run_virtually(azure.get(machine_id("db"), MachineKind.VM))
    azure.shown = [replace(observed, surroundings=Surroundings(power_state="deallocated"))]
    plan, _ = planned_back(azure, right=("db",))
    assert outcomes(plan) == {"db": (OutcomeKind.SCHEDULE_FAILS, OutcomeKind.PARKED)}


@pytest.mark.parametrize("refused", ["assignments", "configurations"])
def test_where_schedules_cannot_be_looked_up_the_plan_says_so_and_is_as_good(refused: str) -> None:
    azure = fleet("web", right=("db",))
    azure.schedules.refused = frozenset({refused})
    plan, notes = planned_back(azure, right=("db",))
    assert {one.id.name for one in plan.first_detach} == {"web", "db"}
    assert outcomes(plan) == {
        "web": (OutcomeKind.UNKNOWN, OutcomeKind.GUEST_MANAGED),
        "db": (OutcomeKind.UNKNOWN, OutcomeKind.UNKNOWN),
    }
    assert notes == [f"Schedules were not looked up: {refused} are refused"]


def test_where_resource_graph_shows_no_machines_the_schedules_still_count() -> None:
    azure = fleet("web")
    azure.schedules.refused = frozenset({"machines"})
    plan, _ = planned_back(azure)
    assert outcomes(plan) == {"web": (OutcomeKind.SCHEDULED, OutcomeKind.GUEST_MANAGED)}


def test_machine_left_out_keeps_its_schedule_and_its_outcome() -> None:
    azure = fleet(right=("db", "app"))
    plan, _ = planned_back(azure, right=("db", "app"))
    some = narrowed(plan, (machine_id("db"),))
    assert outcomes(some) == {
        "db": (OutcomeKind.SCHEDULED, OutcomeKind.PARKED),
        "app": (OutcomeKind.SCHEDULED, OutcomeKind.SCHEDULED),
    }


def test_schedules_are_looked_up_once_however_many_machines() -> None:
    azure = fleet(*(f"web-{number}" for number in range(40)))
    azure.schedules.page = 1000
    with runs.temporary_store() as store:
        runs.apply_in(store, azure, plan=plan_of(azure))
        sent = len(azure.log)
        way_back(store, azure)
    asked = [what for method, what in azure.log[sent:] if method == "POST"]
    assert sorted(asked) == ["graph assignments", "graph configurations", "graph machines"]


def test_run_that_changed_nothing_asks_nothing() -> None:
    azure = fleet()
    azure.schedules.configurations = [configuration(OTHER)]
    with runs.temporary_store() as store:
        runs.apply_in(store, azure, plan=replace(plan_of(azure), then_attach=None))
        sent = len(azure.log)
        plan, _ = way_back(store, azure)
    assert (plan.counts["scope"], azure.log[sent:]) == (0, [])
