"""The audit holds every machine once and measures it against what is wanted."""

import pytest
from tests.unit.workflow.azure_double import AzureDouble, FixedClock, machine

from patchmode.model.patch_settings import Orchestration
from patchmode.model.plan import WantedSettings
from patchmode.model.scope import Filters, Scope
from patchmode.workflow.auditing import audit

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
        (WantedSettings(periodic_assessment=False), ["arc", "azure", "default", "ours"]),
    ],
)
async def test_as_wanted_counts_every_setting_that_was_named(wanted: WantedSettings, as_wanted: list[str]) -> None:
    """An Arc machine has no orchestration to set, but it can be assessed."""
    report = await audit(AzureDouble(FLEET), Scope(everything=True), wanted=wanted, clock=FixedClock())
    assert sorted(entry.machine.name for entry in report.machines if report.is_as_wanted(entry)) == as_wanted
