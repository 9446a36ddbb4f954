"""Checks on the step from the settings that stand in the model to the wanted ones.

Must not: look at images or owners.
"""

from collections.abc import Iterator

from patchmode.model.finding import Reason, Severity
from patchmode.model.machine import Machine, MachineKind
from patchmode.model.patch_settings import OperatingSystem, Orchestration, PatchSettings, WantedSettings
from patchmode.rules.settings.patch import is_platform_mode, leaves_bypass_in_doubt
from patchmode.rules.settings.transitions import known_mode, obstacle, target_settings, wanted_mode

_NO_SETTINGS = PatchSettings()
_TRANSITION_FIXES = {
    "mode-os-mismatch": "Filter by --os, and give each system an orchestration of its own.",
    "automatic-by-os-manual": "Choose customer-managed-schedules, or make the machine anew with the wanted setting.",
    "automatic-updates-fixed": "Choose an orchestration that fits; the property is fixed when a machine is made.",
}


def check_transition(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`mode-os-mismatch`, `automatic-by-os-manual` and `automatic-updates-fixed`."""
    mode = wanted_mode(wanted)
    if mode is None or machine.os is None or machine.kind is MachineKind.ARC:
        return
    now = _settings(machine).patch_mode
    found = obstacle(now, mode, machine.os, automatic_updates=machine.enable_automatic_updates)
    if found is not None:
        updates = machine.enable_automatic_updates
        stated = "(absent)" if updates is None else str(updates).lower()
        yield Reason(
            found.rule,
            Severity.BLOCKS,
            found.because,
            f"patchMode = {now or '(absent)'}, enableAutomaticUpdates = {stated}, osType = {machine.os.value}",
            _TRANSITION_FIXES[found.rule],
        )


def check_reboot(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`reboot-needs-platform-mode`, and `reboot-setting-overrides` where one stands or will stand.

    Source: the service answers "AutomaticByPlatformSettings cannot be set if the PatchMode is not
    'AutomaticByPlatform'."; the machine's setting wins over the schedule's ("Automatic guest patching").
    """
    if machine.kind is MachineKind.ARC:
        return
    settings = _settings(machine)
    after = wanted_mode(wanted) or settings.patch_mode
    reboot = wanted.reboot or settings.reboot_setting
    if wanted.reboot is not None and not is_platform_mode(after):
        yield Reason(
            "reboot-needs-platform-mode",
            Severity.BLOCKS,
            "A reboot setting can only stand beside patch mode AutomaticByPlatform.",
            f"patchMode = {after or '(absent)'}",
            "Ask for customer-managed-schedules or azure-managed in the same plan, or leave the reboot setting out.",
        )
    elif reboot is not None and is_platform_mode(after):
        yield Reason(
            "reboot-setting-overrides",
            Severity.NOTES,
            f"The machine's own reboot setting ({reboot}) overrides the one of any schedule.",
            f"automaticByPlatformSettings.rebootSetting = {settings.reboot_setting or '(absent)'}",
            "Nothing to do if that is meant; otherwise set it with --reboot.",
        )


def check_hotpatch(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`hotpatch-on`: hotpatching needs AutomaticByPlatform without bypass.

    Source: the service's answer "Hotpatch updates require platform safety checks. The
    'BypassPlatformSafetyChecksOnUserSchedule' flag must be set to false to enable hotpatching."; azure-mgmt-compute's
    documentation of `enableHotpatching` (needs patchMode AutomaticByPlatform).
    """
    hotpatch = _settings(machine).hotpatch is True
    if not hotpatch or wanted.orchestration in (None, Orchestration.AZURE_MANAGED):
        return
    yield Reason(
        "hotpatch-on",
        Severity.NOTES if wanted.hotpatch_off else Severity.BLOCKS,
        "Hotpatching is turned off by the same change: updates that could have been installed without one will need "
        "reboots."
        if wanted.hotpatch_off
        else "Hotpatching is on, and the service accepts it only with Azure Managed - Safe Deployment.",
        "patchSettings.enableHotpatching = true",
        "Nothing to do." if wanted.hotpatch_off else "Add --hotpatch off if schedules matter more than hotpatching.",
    )


def check_known_mode(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`unknown-patch-mode`."""
    del wanted
    mode = _settings(machine).patch_mode
    if mode is not None and known_mode(mode) is None:
        yield Reason(
            "unknown-patch-mode",
            Severity.WARNS,
            "The machine states a patch mode that this version does not know; a change of it could not be undone.",
            f"patchSettings.patchMode = {mode}",
            "Look for a newer version of patchmode before you change this machine.",
        )


def check_odd_settings(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`odd-settings`: members of `patchSettings` that are there and cannot be read.

    It blocks only where a write beside an unreadable bypass would have to state it, and nobody asked for a value.
    """
    settings = _settings(machine)
    if not settings.odd:
        return
    is_stuck = machine.kind is not MachineKind.ARC and leaves_bypass_in_doubt(settings, target_settings(wanted))
    yield Reason(
        "odd-settings",
        Severity.BLOCKS if is_stuck else Severity.WARNS,
        "The reboot setting can only be sent together with bypass, whose value cannot be read."
        if is_stuck
        else "Patch settings are not as Azure writes them: they count as not set, and a plan sends them anew.",
        "; ".join(f"patchSettings.{entry}" for entry in settings.odd),
        "Name the orchestration as well (--to), so that bypass is sent as you want it."
        if is_stuck
        else "Plan and apply the wanted settings; then read the machine again.",
    )


def check_automatic_updates(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`automatic-updates-off`: AutomaticByPlatform on a Windows machine made with automatic updates off.

    Source: "Automatic guest patching" allows it, azure-mgmt-compute's documentation asks for true; not confirmed live.
    """
    off = machine.os is OperatingSystem.WINDOWS and machine.enable_automatic_updates is False
    entering = is_platform_mode(wanted_mode(wanted)) and not is_platform_mode(_settings(machine).patch_mode)
    if off and entering:
        yield Reason(
            "automatic-updates-off",
            Severity.NOTES,
            "The machine was made with automatic updates off. Microsoft's sources disagree on whether "
            "AutomaticByPlatform is then allowed; patchmode sends the mode alone and never the property.",
            "windowsConfiguration.enableAutomaticUpdates = false",
            "Try one such machine before a fleet of them.",
        )


def _settings(machine: Machine) -> PatchSettings:
    return machine.settings or _NO_SETTINGS
