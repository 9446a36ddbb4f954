"""What a new configuration holds, and whether Azure stored it so."""

import copy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.rules.schedules.builders import NIGHTLY, NOW, configuration, configuration_id

from patchmode.model.finding import Severity
from patchmode.model.report import ScheduleWish
from patchmode.model.schedule import Window, WindowRule
from patchmode.rules.schedules.creation import (
    is_name,
    properties_of,
    room_problems,
    timing_problems,
    unlike,
    wish_problems,
)
from patchmode.rules.schedules.limits import Limits

WISH = ScheduleWish(
    configuration_id(),
    "westeurope",
    NIGHTLY,
    "Always",
    ("Critical", "Security"),
    ("Critical",),
    kb_exclude=("KB1", "KB2"),
    package_include=("kernel*",),
)
PROPERTIES: dict[str, Any] = {
    "maintenanceScope": "InGuestPatch",
    "extensionProperties": {"InGuestPatchMode": "User"},
    "maintenanceWindow": {
        "startDateTime": "2030-01-01 03:00",
        "duration": "02:00",
        "timeZone": "UTC",
        "recurEvery": "Day",
    },
    "installPatches": {
        "rebootSetting": "Always",
        "windowsParameters": {
            "classificationsToInclude": ["Critical", "Security"],
            "kbNumbersToExclude": ["KB1", "KB2"],
        },
        "linuxParameters": {"classificationsToInclude": ["Critical"], "packageNameMasksToInclude": ["kernel*"]},
    },
    "visibility": "Custom",
}


def test_the_request_says_what_was_wished_and_nothing_else() -> None:
    """InGuestPatchMode is always there: without it Azure refuses (public reports)."""
    assert properties_of(WISH) == PROPERTIES


def test_what_azure_adds_and_respells_is_no_difference() -> None:
    """Recorded: configurationType is added, Always comes back as AlwaysReboot, an expiration is filled in."""
    stored = copy.deepcopy(PROPERTIES)
    stored["configurationType"] = "Regular"
    stored["namespace"] = None
    stored["maintenanceWindow"]["expirationDateTime"] = "9999-12-31 00:00"
    stored["installPatches"]["rebootSetting"] = "AlwaysReboot"
    stored["installPatches"]["linuxParameters"]["packageNameMasksToExclude"] = []
    assert list(unlike(PROPERTIES, stored)) == []


@pytest.mark.parametrize(
    ("wished", "stored", "is_same"),
    [
        ("Always", "AlwaysReboot", True),
        ("Never", "NeverReboot", True),
        ("IfRequired", "IfRequired", True),
        ("Always", "always", True),
        ("Always", "NeverReboot", False),
        ("Never", "AlwaysReboot", False),
        ("IfRequired", "AlwaysReboot", False),
        ("Always", None, False),
    ],
)
def test_reboot_settings_as_azure_answers_them(wished: str, stored: str | None, is_same: bool) -> None:
    """Recorded answers say IfRequired, AlwaysReboot and NeverReboot, whatever was sent."""
    wanted = properties_of(replace(WISH, reboot_setting=wished))
    found = copy.deepcopy(wanted)
    found["installPatches"]["rebootSetting"] = stored
    told = [] if is_same else ["properties.installPatches.rebootSetting"]
    assert [one.path for one in unlike(wanted, found)] == told


def test_the_patch_mode_is_found_in_either_recorded_spelling() -> None:
    """Recorded lists have `inGuestPatchMode` as well; another value under that name still differs."""
    for value, told in (("User", []), ("Platform", [('"User"', '"Platform"')])):
        stored = {**PROPERTIES, "extensionProperties": {"inGuestPatchMode": value}}
        assert [(one.expected, one.found) for one in unlike(PROPERTIES, stored)] == told


def test_what_was_not_wished_is_found_in_any_spelling() -> None:
    """`neweventdrivenscheduler` is recorded beside the patch mode, and no document has a caller set it."""
    extension = {"inGuestPatchMode": "User", "neweventdrivenscheduler": "true", "another": "true"}
    stored = {**PROPERTIES, "extensionProperties": extension}
    assert [one.path for one in unlike(PROPERTIES, stored)] == ["properties.extensionProperties.another"]


LEAVES = [
    ("maintenanceWindow", "startDateTime"),
    ("maintenanceWindow", "duration"),
    ("maintenanceWindow", "recurEvery"),
    ("installPatches", "rebootSetting"),
    ("extensionProperties", "InGuestPatchMode"),
]


@given(st.sampled_from(LEAVES), st.none() | st.text(min_size=1, max_size=9))
def test_every_leaf_that_differs_is_found(leaf: tuple[str, str], value: str | None) -> None:
    """Whatever Azure made of it; None: it lost the leaf."""
    stored = copy.deepcopy(PROPERTIES)
    wanted = stored[leaf[0]].pop(leaf[1])
    if value is not None:
        stored[leaf[0]][leaf[1]] = value
    found = list(unlike(PROPERTIES, stored))
    is_same = value is not None and value.casefold().strip() == wanted.casefold()
    assert [one.path for one in found] == ([] if is_same else [f"properties.{leaf[0]}.{leaf[1]}"])


def test_what_stands_there_and_was_not_wished_is_a_difference() -> None:
    """Otherwise a replacement would silently keep, or lose, an exclusion."""
    stored = copy.deepcopy(PROPERTIES)
    stored["installPatches"]["windowsParameters"]["kbNumbersToInclude"] = ["KB9"]
    stored["maintenanceWindow"]["expirationDateTime"] = "2031-01-01 00:00"
    paths = {one.path: (one.expected, one.found) for one in unlike(PROPERTIES, stored)}
    assert paths == {
        "properties.installPatches.windowsParameters.kbNumbersToInclude": ("(absent)", '["KB9"]'),
        "properties.maintenanceWindow.expirationDateTime": ("(absent)", '"2031-01-01 00:00"'),
    }


@pytest.mark.parametrize(
    ("window", "rules"),
    [
        (NIGHTLY, {}),
        (WindowRule("2030-01-01 03:00", None, "01:29", "UTC", "Day"), {"window-too-short": Severity.BLOCKS}),
        (WindowRule("2030-01-01 03:00", None, "03:56", "UTC", "Day"), {"window-too-long": Severity.BLOCKS}),
        (WindowRule("2030-01-01 23:50", None, "02:00", "UTC", "Day"), {"start-before-midnight": Severity.WARNS}),
        (WindowRule("2030-01-01 03:00", None, "02:00", "UTC", "Month"), {"unreadable-recurrence": Severity.BLOCKS}),
        (WindowRule("2030-01-01 03:00", None, "02:00", "UTC", "5Hours"), {"recurs-too-often": Severity.BLOCKS}),
        (WindowRule("2030-01-01 03:00", None, "02:00", "UTC", "6Hours"), {}),
        (
            WindowRule("2030-01-01 03:00", None, "02:00", "W. Europe Standard Time", "6Hours"),
            {"recurrence-unconfirmed": Severity.WARNS},
        ),
        (WindowRule("2030-01-01 03:00", None, "02:00", "UTC", "Month First,Third Monday,Friday"), {}),
    ],
)
def test_windows_that_azure_does_not_take(window: WindowRule, rules: dict[str, Severity]) -> None:
    wish = ScheduleWish(configuration_id(), "westeurope", window)
    assert {one.rule: one.severity for one in wish_problems(wish)} == rules


def test_names_and_room() -> None:
    assert is_name("mc-prod_1.weekly")
    assert not any(map(is_name, ("", "-x", "a/b", "a b", "x" * 128)))
    long = ScheduleWish(configuration_id("x" * 128), "westeurope", NIGHTLY)
    assert [one.severity for one in wish_problems(long)] == [Severity.BLOCKS]
    limits = Limits(configurations=2)
    assert list(room_problems(WISH, [configuration("a"), configuration("b", location="eastus")], limits)) == []
    full = list(room_problems(WISH, [configuration("a"), configuration("b", location="West Europe")], limits))
    assert [one.rule for one in full] == ["schedule-limit"]


def test_a_first_window_that_comes_too_soon() -> None:
    def window(minute: int) -> Window:
        start = datetime(2030, 1, 31, 22, minute, tzinfo=UTC)
        return Window(start, start, start)

    assert [one.rule for one in timing_problems(WISH, [window(14)], NOW)] == ["window-too-close"]
    assert list(timing_problems(WISH, [window(15)], NOW)) == []
    assert list(timing_problems(WISH, [], NOW)) == []
