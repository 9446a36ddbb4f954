"""Verify believes the provider only, and says leaf by leaf what is not as promised."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.unit.workflow import run_doubles as runs
from tests.unit.workflow.fleet_double import FleetDouble, fleet_of, machine_id, run_virtually, settings_of

from patchmode.model.drift import ResourceChange
from patchmode.model.machine import MachineKind
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.run import Difference, Verification
from patchmode.store.runs import RunStore
from patchmode.workflow.run.verification import verify_changes, verify_machines, verify_plan, verify_run


def verify(store: RunStore, azure: FleetDouble, *, record: bool) -> tuple[Verification, ...]:
    async def main() -> tuple[Verification, ...]:
        journal = store.open(for_writing=record)
        try:
            return await verify_run(azure, journal, record=record)
        finally:
            journal.close(state=journal.state)

    return run_virtually(main())


def test_run_is_verified_by_the_page_and_the_journal_remembers() -> None:
    azure = fleet_of(100)
    azure.machines[machine_id("vm-0007")].faults.append("ScopeLocked:409")
    with runs.temporary_store() as store:
        runs.apply_in(store, azure, plan=azure.plan())
        azure.edit(machine_id("vm-0003"), tag="db")
        settings_of(azure.machines[machine_id("vm-0004")].document)["patchMode"] = "Manual"
        azure.log.clear()
        found = verify(store, azure, record=True)
        assert azure.count("GET") == 2 + 2
        journal = store.open()
        results = {entry.change.id.name: entry.result for entry in journal.entries()}
        assert journal.state == "finished"
        journal.release()
    wrong = {one.id.name: [(d.path, d.expected, d.found) for d in one.differences] for one in found if not one.verified}
    mode = "properties.osProfile.windowsConfiguration.patchSettings.patchMode"
    assert wrong == {"vm-0004": [(mode, '"AutomaticByPlatform"', '"Manual"')]}
    assert len(found) == 99
    remembered = results["vm-0003"]
    assert remembered is not None
    assert remembered.verification is not None
    assert remembered.verification.verified


def changed_afterwards(azure: FleetDouble, store: RunStore, who: str | None) -> None:
    runs.apply_in(store, azure, plan=replace(azure.plan(), created_at=datetime(2030, 1, 31, tzinfo=UTC)))
    azure.edit(machine_id("vm-0000"), tag="db")
    if who is not None:
        record = ResourceChange(
            str(machine_id("vm-0000")).upper(), None, "Update", who, "User", "Azure Portal", None, paths=("tags.Owner",)
        )
        azure.schedules.changes = (replace(record, resource_id=str(machine_id("vm-0001"))), record)


@pytest.mark.parametrize("who", [None, "ada@contoso.com"])
def test_a_tag_of_the_week_after_is_told_with_its_author_and_is_no_damage(who: str | None) -> None:
    """The run had verified that leaf; what is otherwise now somebody else did, and the settings still stand."""
    azure = fleet_of(2)
    with runs.temporary_store() as store:
        changed_afterwards(azure, store, who)
        (found, other) = verify(store, azure, record=True)
        again, _ = verify(store, azure, record=False)
    (later,) = found.changed_later
    assert (found.verified, found.differences, other.changed_later) == (True, (), ())
    assert later.difference == Difference("tags.owner", '"web"', '"db"')
    assert (later.author and later.author.changed_by) == who
    assert again == found


def test_damage_by_the_run_stays_damage_and_so_does_another_machine_under_the_id() -> None:
    """What differed when the run ended is the run's, however often it is verified afterwards."""
    azure = fleet_of(2)
    azure.after_write = lambda one: azure.machines[one].document["properties"].update(licenseType="Windows_Server")
    with runs.temporary_store() as store:
        runs.apply_in(store, azure, plan=azure.plan(names=["vm-0000"]))
        azure.edit(machine_id("vm-0000"), tag="db")
        azure.machines[machine_id("vm-0000")].document["properties"]["vmId"] = "another"
        for _ in range(2):
            (found,) = verify(store, azure, record=True)
            assert not found.verified
            assert {one.path for one in found.differences} == {"properties.licenseType", "properties.vmId"}
            assert [one.difference.path for one in found.changed_later] == ["tags.owner"]


def test_machine_that_cannot_be_read_is_not_verified() -> None:
    azure = fleet_of(2)
    with runs.temporary_store() as store:
        runs.apply_in(store, azure, plan=azure.plan())
        azure.machines[machine_id("vm-0001")].gone = True
        first, second = verify(store, azure, record=False)
    assert (first.verified, second.verified) == (True, False)
    assert "404" in str(second.unreadable_because)


def test_run_that_applied_nothing_has_nothing_to_verify() -> None:
    azure = fleet_of(1)
    azure.machines[machine_id("vm-0000")].faults.append("ScopeLocked:409")
    with runs.temporary_store() as store:
        runs.apply_in(store, azure, plan=azure.plan())
        azure.log.clear()
        assert verify(store, azure, record=True) == ()
    assert azure.log == []


def test_plan_can_be_verified_whoever_carried_it_out() -> None:
    azure = fleet_of(3)
    plan = azure.plan()
    assert [one.verified for one in run_virtually(verify_plan(azure, plan))] == [False] * 3
    runs.apply_all(azure, plan=plan)
    assert [one.verified for one in run_virtually(verify_plan(azure, plan))] == [True] * 3


def verify_file(azure: FleetDouble, store: RunStore) -> tuple[Verification, ...]:
    """Verify a run's plan as a file of it is, with what the run's journal knows."""
    journal = store.open()
    try:
        return run_virtually(verify_plan(azure, journal.plan, run=journal))
    finally:
        journal.release()


@pytest.mark.parametrize("who", [None, "ada@contoso.com"])
def test_a_plan_tells_a_tag_changed_since_apart_as_the_run_does(who: str | None) -> None:
    """Also where no run of it is known: a plan orders patch settings, and a tag is no part of the order."""
    azure = fleet_of(2)
    with runs.temporary_store() as store:
        changed_afterwards(azure, store, who)
        by_run = verify(store, azure, record=False)
        plan = store.open().plan
        assert verify_file(azure, store) == run_virtually(verify_plan(azure, plan)) == by_run
    assert [len(one.changed_later) for one in by_run] == [1, 0]


def test_a_plan_whose_run_is_known_counts_what_the_run_damaged() -> None:
    azure = fleet_of(2)
    azure.after_write = lambda one: azure.machines[one].document["properties"].update(licenseType="Windows_Server")
    with runs.temporary_store() as store:
        runs.apply_in(store, azure, plan=azure.plan(names=["vm-0000"]))
        by_run = verify(store, azure, record=False)
        assert [one.verified for one in by_run] == [False]
        assert verify_file(azure, store) == by_run


def test_another_machine_under_the_id_is_not_as_planned_and_its_settings_neither() -> None:
    azure = fleet_of(2)
    plan = azure.plan()
    runs.apply_all(azure, plan=plan)
    azure.machines[machine_id("vm-0000")].document["properties"]["vmId"] = "another"
    settings_of(azure.machines[machine_id("vm-0001")].document)["patchMode"] = "Manual"
    found = run_virtually(verify_plan(azure, plan))
    assert [(one.verified, one.changed_later) for one in found] == [(False, ()), (False, ())]


def test_difference_in_a_list_is_confirmed_before_it_is_reported() -> None:
    azure = fleet_of(20)
    plan = azure.plan()
    runs.apply_all(azure, plan=plan)
    azure.as_listed = lambda document: document.update(tags={"owner": "as it was long ago"})
    assert all(one.verified for one in run_virtually(verify_changes(azure, plan.changes, known=plan)))


@pytest.mark.parametrize("is_set", [False, True])
def test_machines_without_a_plan_are_compared_with_what_is_wanted(is_set: bool) -> None:
    azure = fleet_of(1)
    if is_set:
        runs.apply_all(azure)

    async def main() -> list[Verification]:
        async for page in azure.list_group("11111111-1111-1111-1111-111111111111", "web", MachineKind.VM):
            return list(verify_machines(page, WantedSettings(orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES)))
        return []

    (found,) = run_virtually(main())
    assert found.verified is is_set
    paths = [one.path.rpartition("patchSettings.")[2] for one in found.differences]
    bypass = "automaticByPlatformSettings.bypassPlatformSafetyChecksOnUserSchedule"
    assert sorted(paths) == ([] if is_set else [bypass, "patchMode"])
