"""What a user's wish means for one machine: the target leaves, and questions that several rules ask of a wish.

Must not: judge.
"""

from dataclasses import replace

from patchmode.model.machine import Machine, MachineKind
from patchmode.model.patch_settings import AssessmentMode, Orchestration, PatchMode, PatchSettings
from patchmode.model.plan import Change, WantedSettings
from patchmode.rules.settings_patch import is_platform_mode
from patchmode.rules.transitions import mode_for


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
