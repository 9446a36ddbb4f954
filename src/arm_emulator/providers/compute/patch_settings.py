"""Patch settings: what the service accepts, and what leaving AutomaticByPlatform does to their block.

The wording of every refusal is the service's own where a public report quotes it; where none does, the sentence takes
the shape of the nearest quoted one (said at the function). What no source settles is a switch of the profile.
"""

from dataclasses import dataclass
from typing import Any

from arm_emulator.profile import Profile
from arm_emulator.protocol.http import ArmError
from arm_emulator.providers.compute.errors import invalid_parameter, property_change
from arm_emulator.providers.compute.images import takes_assessment, takes_automatic_patching
from arm_emulator.providers.compute.members import Json

PLATFORM = "AutomaticByPlatform"
BLOCK = "automaticByPlatformSettings"
BYPASS = "bypassPlatformSafetyChecksOnUserSchedule"
_MODES = {
    "windowsConfiguration": ("AutomaticByOS", "Manual", PLATFORM),
    "linuxConfiguration": ("ImageDefault", PLATFORM),
}
_ASSESSMENT = ("ImageDefault", PLATFORM)
_REBOOT = ("Unknown", "IfRequired", "Never", "Always")
UNSUPPORTED_IMAGE = "The selected VM image is not supported for VM Guest patch operations."
NEEDS_MODE = "AutomaticByPlatformSettings cannot be set if the PatchMode is not 'AutomaticByPlatform'."
HOTPATCH = (
    "Hotpatch updates require platform safety checks. The 'BypassPlatformSafetyChecksOnUserSchedule' flag must "
    "be set to false to enable hotpatching."
)


@dataclass(frozen=True, slots=True)
class PatchWrite:
    """One configuration block (``windowsConfiguration`` or ``linuxConfiguration``) in a write."""

    system: str
    stored: Json
    """The block before, ``{}`` where there was none."""
    sent: Json
    """The block of the request, names in their proper spelling as far as needed."""
    after: Json
    """The block as the merge left it."""
    machine: Json
    """The whole machine after the merge."""
    is_create: bool

    @property
    def settings(self) -> Json:
        """``patchSettings`` after the merge, ``{}`` where absent."""
        return _object(self.after.get("patchSettings"))

    @property
    def sent_settings(self) -> Json:
        """``patchSettings`` of the request."""
        return _object(_get(self.sent, "patchSettings"))

    @property
    def stored_mode(self) -> str:
        """The patch mode before, ``''`` where absent."""
        return str(_object(self.stored.get("patchSettings")).get("patchMode") or "")

    @property
    def mode(self) -> str:
        """The patch mode after the merge, ``''`` where absent."""
        return str(self.settings.get("patchMode") or "")

    def target(self, name: str) -> str:
        """A member of the patch settings as error targets name it."""
        return f"{self.system}.patchSettings.{name}"


def spelled(settings: Json, system: str) -> Json:
    """Patch settings with the service's spelling of the enumerated values; others come back as they are."""
    result = dict(settings)
    for name, known in (("patchMode", _MODES[system]), ("assessmentMode", _ASSESSMENT)):
        if name in result:
            result[name] = _spelled(result[name], known)
    block = result.get(BLOCK)
    if isinstance(block, dict) and "rebootSetting" in block:
        result[BLOCK] = {**block, "rebootSetting": _spelled(block["rebootSetting"], _REBOOT)}
    return result


def _spelled(value: object, known: tuple[str, ...]) -> object:
    return next((word for word in known if isinstance(value, str) and word.lower() == value.lower()), value)


def check(write: PatchWrite, profile: Profile) -> None:
    """Refuse what the service refuses; nothing happens where the request does not name ``patchSettings``.

    Raises:
        ArmError: 400 or 409, in the order in which the checks stand here; the order among several faults is a guess.
    """
    if not write.sent_settings:
        return
    _check_values(write)
    _check_block(write, profile)
    _check_coupling(write, profile)
    _check_hotpatch(write, profile)
    _check_image(write, profile)


def _check_values(write: PatchWrite) -> None:
    """Wording: recorded for another parameter (``The value of parameter imageReference.publisher is invalid.``)."""
    block = _object(write.settings.get(BLOCK))
    for value, name, known in (
        (write.settings.get("patchMode"), "patchMode", _MODES[write.system]),
        (write.settings.get("assessmentMode"), "assessmentMode", _ASSESSMENT),
        (block.get("rebootSetting"), f"{BLOCK}.rebootSetting", _REBOOT),
    ):
        if value is not None and _spelled(value, known) not in known:
            target = write.target(name)
            raise invalid_parameter(f"The value of parameter {target} is invalid.", target)


def _check_block(write: PatchWrite, profile: Profile) -> None:
    """Source: a bicep-registry-modules issue quotes the sentence; it is why reverting has an order."""
    if _same(write.mode, PLATFORM) or BLOCK not in write.settings:
        return
    is_sent = _get(write.sent_settings, BLOCK) is not None
    if is_sent and profile.platform_settings_outside_mode == "refused":
        raise invalid_parameter(NEEDS_MODE, write.target(BLOCK))
    if not is_sent and profile.leaving_automatic_by_platform == "refused":
        raise invalid_parameter(NEEDS_MODE, write.target(BLOCK))


def _check_coupling(write: PatchWrite, profile: Profile) -> None:
    """Wording: quoted for AutomaticByOS; the other two take its shape."""
    if _get(write.sent_settings, "patchMode") is None:
        return
    automatic = write.after.get("enableAutomaticUpdates")
    agent = write.after.get("provisionVMAgent")
    needs_agent = _same(write.mode, PLATFORM) and profile.agentless_automatic_by_platform == "refused"
    if needs_agent and agent is False:
        raise _coupled(write, "provisionVMAgent", "true")
    if write.system != "windowsConfiguration":
        return
    needs_updates = _same(write.mode, "AutomaticByOS") or (
        _same(write.mode, PLATFORM) and profile.automatic_by_platform_without_automatic_updates == "refused"
    )
    if needs_updates and automatic is False:
        raise _coupled(write, "enableAutomaticUpdates", "true")
    if _same(write.mode, "Manual") and automatic is True:
        raise _coupled(write, "enableAutomaticUpdates", "false")


def _coupled(write: PatchWrite, name: str, value: str) -> ArmError:
    message = (
        f"The patchMode '{write.mode}' is invalid. "
        f"For patchMode '{write.mode}', the property '{name}' must be set to {value}."
    )
    return invalid_parameter(message, write.target("patchMode"))


def _check_hotpatch(write: PatchWrite, profile: Profile) -> None:
    """Source: claranet/terraform-azurerm-windows-vm, one report, on a create; that PATCH answers so too is inferred."""
    if write.settings.get("enableHotpatching") is not True:
        return
    bypass = _object(write.settings.get(BLOCK)).get(BYPASS)
    if bypass is True and (write.is_create or profile.hotpatch_with_bypass_on_update == "refused"):
        raise invalid_parameter(HOTPATCH)
    if not _same(write.mode, PLATFORM) and profile.hotpatch_outside_automatic_by_platform == "refused":
        raise _coupled(write, "enableHotpatching", "false")


def _check_image(write: PatchWrite, profile: Profile) -> None:
    """Source: four independent projects quote the sentence for patchMode alone, one for assessmentMode."""
    turns_on = _same(write.mode, PLATFORM) and not _same(write.stored_mode, PLATFORM)
    if turns_on and not takes_automatic_patching(write.machine):
        bypass = _get(_object(_get(write.sent_settings, BLOCK)), BYPASS)
        both = bypass is True and _get(write.sent_settings, "patchMode") is not None
        if not (both and profile.image_check_with_bypass == "skipped"):
            raise invalid_parameter(UNSUPPORTED_IMAGE)
    before = str(_object(write.stored.get("patchSettings")).get("assessmentMode") or "")
    assessed = _same(str(write.settings.get("assessmentMode") or ""), PLATFORM) and not _same(before, PLATFORM)
    if assessed and not takes_assessment(write.machine):
        raise invalid_parameter(UNSUPPORTED_IMAGE)


def settled(write: PatchWrite, profile: Profile) -> Json:
    """The patch settings to store: leaving AutomaticByPlatform clears its block, or keeps it, as the profile says."""
    settings = write.settings
    if _same(write.mode, PLATFORM) or BLOCK not in settings or profile.leaving_automatic_by_platform != "cleared":
        return settings
    if _get(write.sent_settings, BLOCK) is not None:
        return settings
    return {name: value for name, value in settings.items() if name != BLOCK}


def check_automatic_updates(write: PatchWrite, profile: Profile) -> None:
    """``enableAutomaticUpdates`` is set at creation only.

    Source: azure-docs issue 112633: 409 for the documented body; that the machine had another value is inferred.
    """
    sent = _get(write.sent, "enableAutomaticUpdates")
    if write.is_create or sent is None or not write.stored:
        return
    changes = str(sent).lower() != str(write.stored.get("enableAutomaticUpdates", True)).lower()
    if changes or profile.resent_automatic_updates == "refused":
        raise property_change("windowsConfiguration.enableAutomaticUpdates")


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _get(value: Json, name: str) -> Any:
    """A member in any casing; None where absent."""
    if name in value:
        return value[name]
    return next((item for key, item in value.items() if key.lower() == name.lower()), None)


def _same(left: str, right: str) -> bool:
    return left.lower() == right.lower()


def defaults(system: str, block: Json) -> Json:
    """The patch settings of a machine that was given none. Source: recorded creates."""
    if system == "linuxConfiguration":
        mode = "ImageDefault"
    else:
        mode = "Manual" if block.get("enableAutomaticUpdates") is False else "AutomaticByOS"
    return {"patchMode": mode, "assessmentMode": "ImageDefault"}


def with_defaults(document: Json) -> Json:
    """A machine as a read shows it whose configuration holds no patch settings: with their defaults."""
    profile = _object(_get(document, "properties")).get("osProfile")
    for system in ("windowsConfiguration", "linuxConfiguration"):
        block = profile.get(system) if isinstance(profile, dict) else None
        if isinstance(profile, dict) and isinstance(block, dict) and "patchSettings" not in block:
            filled = {**profile, system: {**block, "patchSettings": defaults(system, block)}}
            return {**document, "properties": {**document["properties"], "osProfile": filled}}
    return document


def check_creatable(body: Json) -> None:
    """Refuse a new machine whose osProfile lacks the administrator.

    Raises:
        ArmError: 400 InvalidParameter with the recorded sentence of 2017.
    """
    profile = _get(_object(_get(body, "properties")), "osProfile")
    if isinstance(profile, dict) and _get(profile, "adminUsername") is None:
        raise invalid_parameter("Required parameter 'adminUsername' is missing (null).", "adminUsername")
