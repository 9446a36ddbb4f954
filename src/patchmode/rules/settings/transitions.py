"""Which patch mode can follow which, what can be undone, and what the settings wanted mean for one machine.

Invariant: nothing newly lands where Azure patches and reboots at a time it chooses, unless asked for by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from patchmode.model.machine import Machine, MachineKind
from patchmode.model.patch_settings import (
    MODE_OF_ORCHESTRATION,
    AssessmentMode,
    OperatingSystem,
    Orchestration,
    PatchMode,
    PatchSettings,
    WantedSettings,
    orchestration_of,
    same_value,
)
from patchmode.model.plan import Change
from patchmode.rules.settings.patch import (
    ASSESSMENT,
    BYPASS,
    HOTPATCH,
    MODE,
    PLATFORM,
    REBOOT,
    is_platform_mode,
    merged,
)

_MODES_OF = {
    OperatingSystem.WINDOWS: (PatchMode.AUTOMATIC_BY_PLATFORM, PatchMode.AUTOMATIC_BY_OS, PatchMode.MANUAL),
    OperatingSystem.LINUX: (PatchMode.AUTOMATIC_BY_PLATFORM, PatchMode.IMAGE_DEFAULT),
}
_MODE_OF_TEXT = {mode.casefold(): mode for mode in PatchMode}
"""Lower case: Azure compares modes without regard to case."""
_NEEDS_AUTOMATIC_UPDATES = {PatchMode.AUTOMATIC_BY_OS: True, PatchMode.MANUAL: False}


@dataclass(frozen=True, slots=True)
class TransitionRefusal:
    """Why one patch mode cannot follow another."""

    rule: str
    because: str
    """One sentence, without the machine's name."""


def mode_for(orchestration: Orchestration) -> PatchMode:
    """The patch mode behind an orchestration that can be asked for.

    Raises:
        ValueError: for NotSet and NotApplicable, which describe machines and cannot be set.
    """
    if orchestration not in MODE_OF_ORCHESTRATION:
        msg = f"{orchestration.value} describes a machine; it is not an orchestration that can be set"
        raise ValueError(msg)
    return MODE_OF_ORCHESTRATION[orchestration]


def known_mode(mode: str | None) -> PatchMode | None:
    """The patch mode that a text names, in any casing; None for an absent or unknown one."""
    return None if mode is None else _MODE_OF_TEXT.get(mode.casefold())


def fits_system(mode: PatchMode, system: OperatingSystem) -> bool:
    """Whether the mode exists on the system: Manual and AutomaticByOS are Windows only, ImageDefault Linux only."""
    return mode in _MODES_OF[system]


def obstacle(
    now: str | None, wanted: PatchMode, system: OperatingSystem, *, automatic_updates: bool | None
) -> TransitionRefusal | None:
    """Why `wanted` cannot follow `now` on a machine, or None where it can.

    Args:
        now: the patch mode that the model states; None: none.
        wanted: the mode that should follow.
        system: the machine's operating system.
        automatic_updates: Windows `enableAutomaticUpdates`; None: the model does not say, and then only
            AutomaticByPlatform can be known to be reachable.
    """
    if not fits_system(wanted, system):
        return TransitionRefusal("mode-os-mismatch", f"{wanted.value} does not exist on {system.value}.")
    current = known_mode(now)
    if current is wanted or wanted not in _NEEDS_AUTOMATIC_UPDATES:
        return None
    if current in _NEEDS_AUTOMATIC_UPDATES:
        return TransitionRefusal("automatic-by-os-manual", f"Azure never lets {wanted.value} follow {current}.")
    needed = _NEEDS_AUTOMATIC_UPDATES[wanted]
    if automatic_updates is needed:
        return None
    stated = "is not stated" if automatic_updates is None else f"is {str(automatic_updates).lower()}"
    return TransitionRefusal(
        "automatic-updates-fixed",
        f"{wanted.value} needs enableAutomaticUpdates {str(needed).lower()}, which {stated} on this machine "
        "and cannot be changed after its creation.",
    )


def no_way_back(
    before: PatchSettings | None,
    patch: Mapping[str, Any],
    system: OperatingSystem,
    *,
    automatic_updates: bool | None,
) -> str | None:
    """What of a change cannot be undone, in one sentence; None where all of it can.

    A leaf that was absent cannot be restored: a PATCH merges, and no source shows that one can take a member away.
    An absent bypass counts as false everywhere, so `false` restores it.

    Args:
        before: what the model states before the change.
        patch: the `patchSettings` object that the change sends.
        system: the machine's operating system.
        automatic_updates: Windows `enableAutomaticUpdates`; None: the model does not say.
    """
    if before is None:
        return "The model has no patchSettings before, and a PATCH cannot take them away again."
    odd = next((entry for entry in before.odd if entry.name in _touched_by(patch)), None)
    if odd is not None:
        return f"The model states {odd} before, which is not as Azure writes it and is therefore never sent."
    mode_changes = MODE in patch and not same_value(patch[MODE], before.patch_mode)
    if mode_changes and (reason := _mode_stays(before, system, automatic_updates=automatic_updates)):
        return reason
    if ASSESSMENT in patch and before.assessment_mode is None:
        return "The model states no assessment mode before, and a PATCH cannot take one away again."
    adds_reboot = REBOOT in patch.get(PLATFORM, {}) and before.reboot_setting is None
    if adds_reboot and is_platform_mode(before.patch_mode):
        return "The model states no reboot setting before, and a PATCH cannot take one away again."
    return None


def _touched_by(patch: Mapping[str, Any]) -> set[str]:
    """The names of the members that a patch sends."""
    names = {name for name in (MODE, ASSESSMENT, HOTPATCH, PLATFORM) if name in patch}
    return names | {name for name in (BYPASS, REBOOT) if name in patch.get(PLATFORM, {})}


def _mode_stays(before: PatchSettings, system: OperatingSystem, *, automatic_updates: bool | None) -> str | None:
    if before.patch_mode is None:
        return "The model states no patch mode before, and a PATCH cannot take one away again."
    mode = known_mode(before.patch_mode)
    if mode is None:
        return f"The patch mode {before.patch_mode!r} is unknown to this version, which therefore never sends it."
    blocked = obstacle(PatchMode.AUTOMATIC_BY_PLATFORM, mode, system, automatic_updates=automatic_updates)
    return f"The mode cannot return to {mode.value}: {blocked.because}" if blocked else None


def newly_autopatched(before: PatchSettings | None, after: PatchSettings | None) -> bool:
    """Whether a step would hand the machine to "Azure patches and reboots it at will" that was not there before."""
    return (
        orchestration_of(after) is Orchestration.AZURE_MANAGED
        and orchestration_of(before) is not Orchestration.AZURE_MANAGED
    )


def hands_over(change: Change) -> bool:
    """Whether a change as it would be sent newly lets Azure patch and reboot its machine at will."""
    before = change.before or {}
    sent = change.body["properties"]["osProfile"][change.os.configuration]["patchSettings"]
    return newly_autopatched(PatchSettings.from_document(before), PatchSettings.from_document(merged(before, sent)))


def wanted_mode(wanted: WantedSettings) -> PatchMode | None:
    """The patch mode asked for; None: leave it alone.

    Raises:
        ValueError: the orchestration asked for cannot be set.
    """
    return None if wanted.orchestration is None else mode_for(wanted.orchestration)


def target_settings(wanted: WantedSettings) -> PatchSettings:
    """The leaves that the wish names; None in a member means "leave alone".

    Raises:
        ValueError: the orchestration asked for cannot be set.
    """
    mode = wanted_mode(wanted)
    assessment = None
    if wanted.periodic_assessment is not None:
        assessment = (
            AssessmentMode.AUTOMATIC_BY_PLATFORM if wanted.periodic_assessment else AssessmentMode.IMAGE_DEFAULT
        )
    return PatchSettings(
        patch_mode=mode.value if mode else None,
        assessment_mode=assessment.value if assessment else None,
        bypass=wanted.orchestration is Orchestration.CUSTOMER_MANAGED_SCHEDULES if is_platform_mode(mode) else None,
        reboot_setting=wanted.reboot.value if wanted.reboot else None,
        hotpatch=False if wanted.hotpatch_off else None,
    )


def needs_platform(wanted: WantedSettings) -> bool:
    """Whether the wish needs the platform to reach into the guest: AutomaticByPlatform in either mode."""
    return is_platform_mode(wanted_mode(wanted)) or wanted.periodic_assessment is True


def wanted_of(machine: Machine | Change, wanted: WantedSettings, *, attaches: bool = False) -> WantedSettings:
    """What of the wish concerns a machine: of an Arc machine no orchestration, where something else was asked for too.

    The command line always names an orchestration. Everything else stays in the wish, so that the rules say what of it
    cannot be set there.

    Args:
        machine: of any kind, or the change that was planned for one.
        wanted: the whole wish.
        attaches: whether a schedule is attached as well, which serves an Arc server without any setting.
    """
    if machine.kind is MachineKind.ARC and (attaches or wanted.concerns_arc):
        return replace(wanted, orchestration=None)
    return wanted
