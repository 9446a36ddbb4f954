"""The smallest `patchSettings` that leads from one state to another, and how a merge patch applies.

Must not: decide whether the step is legal (transitions) or wise (eligibility).

Source of the wire names: azure-mgmt-compute `PatchSettings`, `LinuxPatchSettings` and
`WindowsVMGuestPatchAutomaticByPlatformSettings`.
"""

from collections.abc import Mapping
from typing import Any

from patchmode.model.patch_settings import OperatingSystem, PatchMode, PatchSettings, same_value

MODE = "patchMode"
ASSESSMENT = "assessmentMode"
HOTPATCH = "enableHotpatching"
PLATFORM = "automaticByPlatformSettings"
BYPASS = "bypassPlatformSafetyChecksOnUserSchedule"
REBOOT = "rebootSetting"


def is_platform_mode(mode: str | None) -> bool:
    """Whether a patch mode is AutomaticByPlatform, in any casing; None is not."""
    return same_value(mode, PatchMode.AUTOMATIC_BY_PLATFORM)


def turns_bypass_off(patch: Mapping[str, Any]) -> bool:
    """Whether a `patchSettings` object to send states bypass as false, newly or again."""
    return patch.get(PLATFORM, {}).get(BYPASS) is False


def smallest_patch(now: PatchSettings | None, target: PatchSettings) -> dict[str, Any]:
    """The `patchSettings` object to send so that the target's leaves stand in the model.

    Where AutomaticByPlatform is the resulting mode and anything of it changes, patch mode and bypass always go
    together, also when only one of them changes: a PATCH that carried one alone could leave the machine in the hands of
    Azure's own patching. A reboot setting that stands in the model is sent again beside them, because no
    source says that the service merges inside `automaticByPlatformSettings`.

    Args:
        now: what the model states; None: no `patchSettings`.
        target: the leaves wanted; a None member means "leave alone".

    Returns:
        Only the members that must be sent, as on the wire; empty when nothing has to change. A member that stands there
        and cannot be read (`PatchSettings.odd`) is never what is wanted, so it is sent.

    Raises:
        ValueError: bypass cannot be read, the target leaves it alone, and something beside it is to be written: it
            would have to be sent as well, and nobody knows as what.
    """
    current = now or PatchSettings()
    patch: dict[str, Any] = {}
    if is_platform_mode(target.patch_mode or current.patch_mode):
        patch.update(_platform_patch(current, target))
    elif target.patch_mode is not None and not _stands(target.patch_mode, current.patch_mode, current, MODE):
        patch[MODE] = target.patch_mode
    if target.assessment_mode is not None and not _stands(
        target.assessment_mode, current.assessment_mode, current, ASSESSMENT
    ):
        patch[ASSESSMENT] = target.assessment_mode
    if target.hotpatch is not None and (target.hotpatch is not bool(current.hotpatch) or current.is_odd(HOTPATCH)):
        patch[HOTPATCH] = target.hotpatch
    return patch


def _stands(wanted: str, found: str | None, current: PatchSettings, name: str) -> bool:
    return same_value(wanted, found) and not current.is_odd(name)


def leaves_bypass_in_doubt(current: PatchSettings, target: PatchSettings) -> bool:
    """Whether something is to be written beside a bypass that cannot be read and is to stay as it is."""
    writes_beside = target.reboot_setting is not None and target.bypass is None
    return writes_beside and current.is_odd(PLATFORM, BYPASS)


def _platform_patch(current: PatchSettings, target: PatchSettings) -> dict[str, Any]:
    if leaves_bypass_in_doubt(current, target):
        msg = "bypass cannot be read and was not named, and the write of the other setting would have to state it"
        raise ValueError(msg)
    bypass = bool(current.bypass) if target.bypass is None else target.bypass
    reboot = target.reboot_setting or current.reboot_setting
    is_named = target.patch_mode is not None or target.bypass is not None
    if (
        is_platform_mode(current.patch_mode)
        and bypass is bool(current.bypass)
        and same_value(reboot, current.reboot_setting)
        and not (is_named and current.undecided)
        and not (target.reboot_setting is not None and current.is_odd(REBOOT))
    ):
        return {}
    platform: dict[str, Any] = {BYPASS: bypass}
    if reboot is not None:
        platform[REBOOT] = str(reboot)
    return {MODE: PatchMode.AUTOMATIC_BY_PLATFORM.value, PLATFORM: platform}


def merged(document: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """A document after a merge patch (RFC 7396) without nulls; shares what the patch does not touch.

    Args:
        document: never changed.
        patch: objects merge member by member, anything else replaces. Our patches contain no null.
    """
    result = dict(document)
    for key, value in patch.items():
        present = result.get(key)
        if isinstance(value, Mapping):
            result[key] = merged(present if isinstance(present, Mapping) else {}, value)
        else:
            result[key] = value
    return result


def request_body(system: OperatingSystem, patch: Mapping[str, Any]) -> dict[str, Any]:
    """The whole request body around a `patchSettings` object; nothing but the path down to it is added."""
    return {"properties": {"osProfile": {system.configuration: {"patchSettings": dict(patch)}}}}


def settings_in(document: Mapping[str, Any], system: OperatingSystem) -> Mapping[str, Any] | None:
    """The `patchSettings` object in a machine's document; None where it or one of its parents is absent or null."""
    found = configuration_in(document, system).get("patchSettings")
    return found if isinstance(found, Mapping) else None


def configuration_in(document: Mapping[str, Any], system: OperatingSystem) -> Mapping[str, Any]:
    """The system's configuration in a machine's document; empty where it or one of its parents is absent or null."""
    found: Any = document
    for key in ("properties", "osProfile", system.configuration):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}
