"""A rollback leaves no machine to nobody: what keeps the run's settings keeps the run's schedule."""

import pytest
from tests.unit.workflow import run_doubles as runs
from tests.unit.workflow.fleet_double import FleetDouble, LoopClock, machine_id, run_virtually, settings_of
from tests.unit.workflow.run.test_then_attach import fleet, plan_of

from patchmode.model.plan import Plan
from patchmode.workflow.run.rollback import make_rollback_plan


def way_back(azure: FleetDouble, *, allow_azure_managed: bool) -> Plan:
    """The plan back from a run that set "web" from Azure Managed and gave it a schedule."""
    with runs.temporary_store() as store:
        runs.apply_in(store, azure, plan=plan_of(azure))

        async def main() -> Plan:
            journal = store.open()
            try:
                return await make_rollback_plan(
                    azure, journal, allow_azure_managed=allow_azure_managed, clock=LoopClock()
                )
            finally:
                journal.release()

        return run_virtually(main())


@pytest.fixture
def azure() -> FleetDouble:
    """One machine in Azure's hands."""
    double = fleet("web")
    settings_of(double.machines[machine_id("web")].document).update(patchMode="AutomaticByPlatform")
    return double


def test_machine_that_is_not_handed_back_keeps_its_schedule(azure: FleetDouble) -> None:
    """Settings of the run without its schedule: nobody would patch it."""
    plan = way_back(azure, allow_azure_managed=False)
    assert [(one.id.name, one.rule) for one in plan.skipped] == [("web", "would-autopatch")]
    assert plan.first_detach == ()
    assert "keeps the run's schedule" in plan.skipped[0].reason


def test_machine_that_is_handed_back_loses_it(azure: FleetDouble) -> None:
    plan = way_back(azure, allow_azure_managed=True)
    assert [one.id.name for one in plan.changes] == ["web"]
    assert [one.id.name for one in plan.first_detach] == ["web"]
