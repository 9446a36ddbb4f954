"""The table of what may follow what, and the never-create-autopatch rule."""

import pytest

from patchmode.model.patch_settings import OperatingSystem, Orchestration, PatchMode, PatchSettings
from patchmode.rules.settings.transitions import mode_for, newly_autopatched, no_way_back, obstacle

WINDOWS, LINUX = OperatingSystem.WINDOWS, OperatingSystem.LINUX
PLATFORM, BY_OS, MANUAL, IMAGE = (
    PatchMode.AUTOMATIC_BY_PLATFORM,
    PatchMode.AUTOMATIC_BY_OS,
    PatchMode.MANUAL,
    PatchMode.IMAGE_DEFAULT,
)


@pytest.mark.parametrize(
    ("now", "wanted", "system", "updates", "rule"),
    [
        ("AutomaticByPlatform", MANUAL, WINDOWS, False, None),
        ("AutomaticByPlatform", MANUAL, WINDOWS, True, "automatic-updates-fixed"),
        ("AutomaticByPlatform", MANUAL, WINDOWS, None, "automatic-updates-fixed"),
        ("AutomaticByPlatform", BY_OS, WINDOWS, True, None),
        ("AutomaticByPlatform", BY_OS, WINDOWS, False, "automatic-updates-fixed"),
        ("AutomaticByPlatform", BY_OS, WINDOWS, None, "automatic-updates-fixed"),
        ("Manual", PLATFORM, WINDOWS, False, None),
        ("AutomaticByOS", PLATFORM, WINDOWS, True, None),
        (None, PLATFORM, WINDOWS, None, None),
        ("Unheard", PLATFORM, WINDOWS, None, None),
        ("AutomaticByOS", MANUAL, WINDOWS, True, "automatic-by-os-manual"),
        ("AutomaticByOS", MANUAL, WINDOWS, False, "automatic-by-os-manual"),
        ("Manual", BY_OS, WINDOWS, True, "automatic-by-os-manual"),
        ("manual", MANUAL, WINDOWS, True, None),
        (None, MANUAL, WINDOWS, False, None),
        ("ImageDefault", PLATFORM, LINUX, None, None),
        ("AutomaticByPlatform", IMAGE, LINUX, None, None),
        (None, IMAGE, LINUX, None, None),
        ("ImageDefault", MANUAL, LINUX, None, "mode-os-mismatch"),
        ("ImageDefault", BY_OS, LINUX, None, "mode-os-mismatch"),
        ("AutomaticByOS", IMAGE, WINDOWS, True, "mode-os-mismatch"),
    ],
)
def test_what_may_follow_what(
    now: str | None, wanted: PatchMode, system: OperatingSystem, updates: bool | None, rule: str | None
) -> None:
    """The documented table, and what it leaves open counts as not allowed."""
    found = obstacle(now, wanted, system, automatic_updates=updates)
    assert (found.rule if found else None) == rule


def test_the_modes_behind_the_names() -> None:
    """Two of the portal's names share one mode."""
    assert mode_for(Orchestration.CUSTOMER_MANAGED_SCHEDULES) is PLATFORM
    assert mode_for(Orchestration.AZURE_MANAGED) is PLATFORM
    assert mode_for(Orchestration.IMAGE_DEFAULT) is IMAGE


@pytest.mark.parametrize(
    ("before", "after", "newly"),
    [
        (PatchSettings("Manual"), PatchSettings("AutomaticByPlatform"), True),
        (None, PatchSettings("AutomaticByPlatform", bypass=False), True),
        (PatchSettings("AutomaticByPlatform", bypass=True), PatchSettings("automaticbyplatform"), True),
        (PatchSettings("AutomaticByPlatform"), PatchSettings("AutomaticByPlatform", bypass=False), False),
        (PatchSettings("Manual"), PatchSettings("AutomaticByPlatform", bypass=True), False),
        (PatchSettings("AutomaticByPlatform"), None, False),
    ],
)
def test_newly_autopatched(before: PatchSettings | None, after: PatchSettings | None, newly: bool) -> None:
    """Absent bypass counts as false on both sides."""
    assert newly_autopatched(before, after) is newly


def test_what_is_sent_again_unchanged_needs_no_way_back() -> None:
    """The pair is sent whole although only one of it changes."""
    before = PatchSettings("AutomaticByPlatform", bypass=False, reboot_setting="Never")
    patch = {
        "patchMode": "AutomaticByPlatform",
        "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True, "rebootSetting": "Never"},
    }
    assert no_way_back(before, patch, WINDOWS, automatic_updates=None) is None
