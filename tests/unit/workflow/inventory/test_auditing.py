"""The audit holds every machine once and measures it against what is wanted."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.workflow.azure_double import ALPHA, AzureDouble, FixedClock, machine
from tests.unit.workflow.maintenance_double import configuration, configuration_id

from patchmode.documents.audit import audit_machine_row
from patchmode.model.machine import ImageReference, Machine
from patchmode.model.outcome import OutcomeKind
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.schedule import DynamicScope
from patchmode.model.scope import Filters, Scope
from patchmode.workflow.inventory.audit import audit

UBUNTU = ImageReference("Canonical", "0001-com-ubuntu-server-jammy", "22_04-lts-gen2")

FLEET = (
    machine("default"),
    machine("azure", mode="AutomaticByPlatform", bypass=False),
    machine("ours", mode="automaticbyplatform", bypass=True),
    machine("arc", arc=True),
)


async def test_counts_and_orchestrations() -> None:
    """By the portal's names, whatever the casing of the service."""
    scope = Scope(everything=True, exclude=Filters(names=("default",)))
    report = await audit(AzureDouble(FLEET), scope, clock=FixedClock())
    assert report.counts == {
        "scope": 4,
        "machines": 3,
        "skipped": 1,
        "unreadable": 0,
        "asWanted": 2,
        "eligible": 2,
        "findings": 1,
        "failsAtNextWindow": 0,
        "rebootedByAzure": 0,
        "patchedByNobody": 1,
    }
    assert report.orchestrations == {
        Orchestration.AZURE_MANAGED: 1,
        Orchestration.CUSTOMER_MANAGED_SCHEDULES: 1,
        Orchestration.NOT_APPLICABLE: 1,
    }
    assert report.created_at == FixedClock().now()


@pytest.mark.parametrize(
    ("wanted", "as_wanted"),
    [
        (WantedSettings(orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES), ["arc", "ours"]),
        (WantedSettings(orchestration=Orchestration.IMAGE_DEFAULT), ["arc", "default"]),
        (WantedSettings(), ["arc", "azure", "default", "ours"]),
        (WantedSettings(periodic_assessment=True), []),
        # A mode that is not stated is not the one that was named: plan states it, so audit must not call it wanted.
        (WantedSettings(periodic_assessment=False), []),
    ],
)
async def test_as_wanted_counts_every_setting_that_was_named(wanted: WantedSettings, as_wanted: list[str]) -> None:
    """An Arc machine has no orchestration to set, but it can be assessed."""
    report = await audit(AzureDouble(FLEET), Scope(everything=True), wanted=wanted, clock=FixedClock())
    assert sorted(entry.machine.name for entry in report.machines if entry.as_wanted) == as_wanted


def scheduled(*machines: Machine, **facts: Any) -> AzureDouble:
    """A fleet in which every machine of group `rg` has the nightly schedule, by a dynamic scope."""
    azure = AzureDouble(machines, **facts)
    nightly = configuration(configuration_id("nightly", subscription=ALPHA))
    azure.schedules.configurations.append(nightly)
    azure.schedules.dynamic_scopes.append(DynamicScope("all-of-rg", ALPHA, "rg", nightly.id))
    return azure


async def test_schedules_are_read_once_and_decide_the_outcomes() -> None:
    """The headline is what the owner of the fleet asks for."""
    ready = machine("ready", mode="AutomaticByPlatform", bypass=True)
    fleet = [
        replace(ready, image=UBUNTU),
        machine("unprepared"),
        machine("elsewhere", group="other", mode="AutomaticByPlatform", bypass=True),
    ]
    azure = scheduled(*fleet)
    report = await audit(azure, Scope(everything=True), clock=FixedClock())
    assert {entry.machine.name: entry.outcome.kind for entry in report.machines} == {
        "ready": OutcomeKind.SCHEDULED,
        "unprepared": OutcomeKind.SCHEDULE_FAILS,
        "elsewhere": OutcomeKind.PARKED,
    }
    assert (report.counts["failsAtNextWindow"], report.counts["patchedByNobody"]) == (1, 1)
    by_name = {entry.machine.name: entry for entry in report.machines}
    (hit,) = by_name["ready"].schedules.hits
    assert hit.clause == f"dynamic scope 'all-of-rg' on resource group rg of subscription {ALPHA}: every machine"
    assert "prerequisite-missing" in [reason.rule for reason in by_name["unprepared"].reasons]
    row = audit_machine_row(by_name["ready"]).schedules[0]
    assert (row.name, row.via, row.next_window) == ("nightly", "dynamic", datetime(2030, 2, 1, 3, 0, tzinfo=UTC))
    assert row.local_start == "2030-02-01T03:00:00+00:00"


async def test_where_assignments_cannot_be_read_the_outcome_falls_back_and_a_note_says_so() -> None:
    """Not having seen a schedule is not the same as there being none."""
    azure = scheduled(machine("vm", group="other"), permission_list=())
    report = await audit(azure, Scope(everything=True), clock=FixedClock())
    (entry,) = report.machines
    assert not entry.schedules.looked_up
    assert "could not be looked up as a whole" in entry.outcome.reason or "no schedule was" in entry.outcome.reason
    assert any(note.startswith("Schedules may be hidden in subscription") for note in report.notes)
