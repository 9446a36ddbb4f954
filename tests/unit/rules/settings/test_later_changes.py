"""What `verify RUN` excuses as somebody's later change: nothing at, in or above the patch settings."""

import copy
from typing import Any

import pytest
from tests.unit.rules.builders import machine_from, vm_document

from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.plan import Change
from patchmode.model.run import Verification
from patchmode.rules.settings.planning import plan_machine
from patchmode.rules.settings.verification import differences, expected_document, told_apart

TO_CMS = WantedSettings(Orchestration.CUSTOMER_MANAGED_SCHEDULES)
_ABSENT: Any = object()
CONFIGURATIONS = {"Windows": "windowsConfiguration", "Linux": "linuxConfiguration"}


def planned(system: str) -> Change:
    document = vm_document(system, {"patchMode": "AutomaticByOS" if system == "Windows" else "ImageDefault"})
    change = plan_machine(machine_from(document), TO_CMS)
    assert isinstance(change, Change)
    return change


def found_later(change: Change, path: tuple[str, ...], value: Any) -> Verification:
    """What a verification makes of a machine that was as asked when the run ended, and is this now."""
    document: Any = copy.deepcopy(expected_document(change))
    holder = document
    for step in path[:-1]:
        holder = holder[step]
    if value is _ABSENT:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    different = differences(change, document)
    assert different != ()
    now = Verification(change.id, verified=False, differences=different)
    return told_apart(now, Verification(change.id, verified=True))


@pytest.mark.parametrize("system", CONFIGURATIONS)
@pytest.mark.parametrize("depth", range(1, 7))
@pytest.mark.parametrize("value", [None, _ABSENT, "else", 7, [], {}], ids=["null", "absent", "text", "1", "[]", "{}"])
def test_settings_that_are_gone_are_a_mismatch_whatever_took_them_along(system: str, depth: int, value: Any) -> None:
    """Each object above the settings, the settings and their leaves: null, absent or of another type."""
    path = (
        "properties",
        "osProfile",
        CONFIGURATIONS[system],
        "patchSettings",
        "automaticByPlatformSettings",
        "bypassPlatformSafetyChecksOnUserSchedule",
    )
    found = found_later(planned(system), path[:depth], value)
    assert not found.verified
    assert found.differences != ()


@pytest.mark.parametrize("path", ["vmId", "timeCreated"])
def test_a_machine_made_anew_is_a_mismatch(path: str) -> None:
    """It is another machine under the same id, so nothing was verified of it."""
    assert not found_later(planned("Windows"), ("properties", path), "another").verified


@pytest.mark.parametrize(
    ("path", "value"),
    [(("tags",), {"owner": "db"}), (("properties", "hardwareProfile"), {"vmSize": "Standard_D4s_v5"})],
)
def test_what_stands_beside_the_settings_is_told_and_excused(path: tuple[str, ...], value: Any) -> None:
    """The run had verified it; somebody changed it afterwards."""
    found = found_later(planned("Linux"), path, value)
    assert (found.verified, found.differences) == (True, ())
    assert found.changed_later != ()
