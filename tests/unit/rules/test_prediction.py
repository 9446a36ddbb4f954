"""Who patches a machine: the documented decision table, row by row, and honesty without schedule knowledge."""

from typing import Any

import pytest
from tests.unit.rules.builders import SUBSCRIPTION, arc_document, machine_from, vm

from patchmode.model.machine import Machine
from patchmode.model.outcome import OutcomeKind
from patchmode.model.patch_settings import PatchSettings
from patchmode.rules.prediction import Schedules, predict

KIND = OutcomeKind
PLATFORM, MANUAL, BY_OS = "AutomaticByPlatform", "Manual", "AutomaticByOS"
SKU = {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2019-Datacenter"}
WINDOWS = vm("Windows", image=SKU)
CUSTOM = vm(
    "Windows", image={"id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/images/i"}
)
UNLISTED = vm("Windows", image={"publisher": "contoso", "offer": "appliance", "sku": "v1"})
ARC = machine_from(arc_document())
NODE = vm("Linux", tags={"aks-managed-poolName": "p"})


# Columns as in the documentation: patch mode, bypass, schedule attached, result.
TABLE = [
    (PLATFORM, True, Schedules.ATTACHED, KIND.SCHEDULED),
    (PLATFORM, True, Schedules.NONE, KIND.PARKED),
    (PLATFORM, False, Schedules.ATTACHED, KIND.SCHEDULE_FAILS),
    (PLATFORM, None, Schedules.ATTACHED, KIND.SCHEDULE_FAILS),
    (PLATFORM, False, Schedules.NONE, KIND.AUTOPATCHED),
    (PLATFORM, None, Schedules.NONE, KIND.AUTOPATCHED),
    (MANUAL, True, Schedules.ATTACHED, KIND.SCHEDULE_FAILS),
    (MANUAL, True, Schedules.NONE, KIND.NOT_PATCHED),
    (MANUAL, False, Schedules.ATTACHED, KIND.SCHEDULE_FAILS),
    (MANUAL, False, Schedules.NONE, KIND.NOT_PATCHED),
    (BY_OS, False, Schedules.NONE, KIND.GUEST_MANAGED),
    (BY_OS, False, Schedules.ATTACHED, KIND.SCHEDULE_FAILS),
    ("ImageDefault", None, Schedules.NONE, KIND.GUEST_MANAGED),
    (None, None, Schedules.ATTACHED, KIND.SCHEDULE_FAILS),
    (None, None, Schedules.NONE, KIND.UNKNOWN),
    ("AutomaticByFuture", True, Schedules.NONE, KIND.UNKNOWN),
    (PLATFORM, True, Schedules.UNKNOWN, KIND.UNKNOWN),
    (PLATFORM, None, Schedules.UNKNOWN, KIND.AUTOPATCHED),
    (MANUAL, None, Schedules.UNKNOWN, KIND.NOT_PATCHED),
    (BY_OS, None, Schedules.UNKNOWN, KIND.GUEST_MANAGED),
]


@pytest.mark.parametrize(("mode", "bypass", "schedules", "kind"), TABLE)
def test_the_documented_table(mode: str | None, bypass: bool | None, schedules: Schedules, kind: OutcomeKind) -> None:
    """Each row as documented; without schedule knowledge the reason says so."""
    outcome = predict(PatchSettings(patch_mode=mode, bypass=bypass), WINDOWS, schedules=schedules)
    assert outcome.kind is kind
    assert ("no schedule was looked up" in outcome.reason) is (schedules is Schedules.UNKNOWN)


@pytest.mark.parametrize(
    ("machine", "schedules", "kind", "part"),
    [
        (CUSTOM, Schedules.NONE, KIND.NOT_PATCHED, "custom images"),
        (CUSTOM, Schedules.UNKNOWN, KIND.NOT_PATCHED, "and one would fail"),
        (UNLISTED, Schedules.NONE, KIND.AUTOPATCHED, "the published list does not name it"),
        (UNLISTED, Schedules.ATTACHED, KIND.SCHEDULE_FAILS, "prerequisite"),
        (vm("Windows", os_profile=False, image={}), Schedules.NONE, KIND.AUTOPATCHED, "reboots it as needed"),
        (NODE, Schedules.NONE, KIND.INELIGIBLE, "AKS"),
        (ARC, Schedules.UNKNOWN, KIND.UNKNOWN, "no schedule was looked up"),
        (ARC, Schedules.NONE, KIND.GUEST_MANAGED, "own configuration"),
        (ARC, Schedules.ATTACHED, KIND.SCHEDULED, "needs no patch mode"),
    ],
)
def test_azure_managed_on_other_machines(machine: Machine, schedules: Schedules, kind: OutcomeKind, part: str) -> None:
    """Image and workload can outweigh the settings."""
    outcome = predict(PatchSettings(patch_mode=PLATFORM), machine, schedules=schedules)
    assert outcome.kind is kind
    assert part in outcome.reason


def test_a_machine_without_an_image_is_on_no_list_and_off_none() -> None:
    """An attached disk names no image, so no list can say that its image is unsupported."""
    attached = vm("Windows", os_profile=False, image={})
    outcome = predict(PatchSettings(patch_mode=PLATFORM), attached, schedules=Schedules.NONE)
    assert outcome.reason == "Azure patches it outside peak hours and reboots it as needed"


@pytest.mark.parametrize("settings", [None, PatchSettings()])
def test_no_patch_mode_is_not_resolved(settings: Any) -> None:
    """The portal does not resolve the default either."""
    outcome = predict(settings, WINDOWS)
    assert (outcome.kind, outcome.reason[:32]) == (KIND.UNKNOWN, "the model states no patch mode t")
