"""What a schedule's run would install on each system, as far as its configuration names it.

Must not: guess what Azure installs where nothing is named.

Source: `InputPatchConfiguration` of Microsoft's client for Maintenance names the members. What a run installs on a
system of which they name nothing stands in no document and no recorded exchange.
"""

from collections.abc import Mapping
from typing import Any

from patchmode.model.patch_settings import OperatingSystem

INSTALLS_NOTHING = "schedule-installs-nothing"
"""The rule of a schedule, and of its members, for whose system it names no update, or excludes every one."""

_PARAMETERS = {
    OperatingSystem.WINDOWS: ("windowsParameters", "kbNumbersToInclude", "kbNumbersToExclude"),
    OperatingSystem.LINUX: ("linuxParameters", "packageNameMasksToInclude", "packageNameMasksToExclude"),
}
_EVERYTHING = "*"


def names_nothing_for(properties: Mapping[str, Any]) -> Mapping[OperatingSystem, str]:
    """The systems on which a configuration names nothing to install, each with why.

    Args:
        properties: of the configuration, as Azure answered it.

    Returns:
        Why is half a sentence that begins with "it". Empty where each system has updates named, and where
        `installPatches` is absent altogether: then neither system is told from the other.
    """
    patches = properties.get("installPatches")
    if not isinstance(patches, Mapping) or not any(patches.get(member) for member, _, _ in _PARAMETERS.values()):
        return {}
    found = {system: _why(system, patches) for system in _PARAMETERS}
    return {system: why for system, why in found.items() if why}


def _why(system: OperatingSystem, patches: Mapping[str, Any]) -> str:
    member, included, excluded = _PARAMETERS[system]
    parameters = patches.get(member)
    if not parameters:
        return f"it names no updates for {system}"
    if not isinstance(parameters, Mapping):
        return f"its {member} is in no form that this version knows"
    if _EVERYTHING in _texts(parameters.get(excluded)):
        return f"it excludes every update for {system}"
    if not _texts(parameters.get("classificationsToInclude")) and not _texts(parameters.get(included)):
        return f"it names neither a classification nor a single update for {system}"
    return ""


def _texts(value: object) -> frozenset[str]:
    return frozenset(str(one).strip() for one in value) if isinstance(value, list | tuple) else frozenset()
