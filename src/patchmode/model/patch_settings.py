"""Patch settings of one machine, by Azure's names, and the portal's names for their combinations.

Must not: resolve defaults. What a machine's model does not say is absent here, because the service and the portal treat
an absent setting differently from any value.

Source of the values: azure-mgmt-compute `PatchSettings` and `LinuxPatchSettings`; of the portal's names: Microsoft's
"Manage update configuration settings" and the portal's own Resource Graph query.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class PatchMode(StrEnum):
    """`patchSettings.patchMode`, the members spelled as on the wire."""

    AUTOMATIC_BY_PLATFORM = "AutomaticByPlatform"
    AUTOMATIC_BY_OS = "AutomaticByOS"
    MANUAL = "Manual"
    IMAGE_DEFAULT = "ImageDefault"


class AssessmentMode(StrEnum):
    """`patchSettings.assessmentMode`: AutomaticByPlatform is what the portal calls periodic assessment."""

    AUTOMATIC_BY_PLATFORM = "AutomaticByPlatform"
    IMAGE_DEFAULT = "ImageDefault"


class RebootSetting(StrEnum):
    """`automaticByPlatformSettings.rebootSetting`; on a machine it overrides its schedule's reboot setting."""

    UNKNOWN = "Unknown"
    IF_REQUIRED = "IfRequired"
    NEVER = "Never"
    ALWAYS = "Always"


class OperatingSystem(StrEnum):
    """`storageProfile.osDisk.osType` (Azure) or `properties.osType` (Arc)."""

    WINDOWS = "Windows"
    LINUX = "Linux"

    @property
    def configuration(self) -> str:
        """The member of `osProfile` that holds this system's patch settings."""
        return "windowsConfiguration" if self is OperatingSystem.WINDOWS else "linuxConfiguration"


class Orchestration(StrEnum):
    """What the portal's "Patch orchestration" column shows, and the values of `orchestration` in our JSON."""

    CUSTOMER_MANAGED_SCHEDULES = "CustomerManagedSchedules"
    AZURE_MANAGED = "AzureManaged"
    AUTOMATIC_BY_OS = "AutomaticByOS"
    MANUAL = "Manual"
    IMAGE_DEFAULT = "ImageDefault"
    NOT_SET = "NotSet"
    """The model has no patch mode; the portal shows "N/A" and does not resolve the default."""
    NOT_APPLICABLE = "NotApplicable"
    """Azure Arc: there is no patch mode to set."""

    @property
    def option(self) -> str:
        """The value of `--to` for this orchestration, for example `customer-managed-schedules`."""
        return _OPTIONS[self]

    @property
    def portal_name(self) -> str:
        """The words of the portal, for people."""
        return _PORTAL_NAMES[self]

    @property
    def leaves(self) -> str:
        """Which settings of a machine's model the portal calls so, by Azure's names."""
        return _LEAVES[self]


MODE_OF_ORCHESTRATION = {
    Orchestration.CUSTOMER_MANAGED_SCHEDULES: PatchMode.AUTOMATIC_BY_PLATFORM,
    Orchestration.AZURE_MANAGED: PatchMode.AUTOMATIC_BY_PLATFORM,
    Orchestration.AUTOMATIC_BY_OS: PatchMode.AUTOMATIC_BY_OS,
    Orchestration.MANUAL: PatchMode.MANUAL,
    Orchestration.IMAGE_DEFAULT: PatchMode.IMAGE_DEFAULT,
}
"""The patch mode that each one is written as; none for what has no mode of its own."""


_OPTIONS = {
    Orchestration.CUSTOMER_MANAGED_SCHEDULES: "customer-managed-schedules",
    Orchestration.AZURE_MANAGED: "azure-managed",
    Orchestration.AUTOMATIC_BY_OS: "automatic-by-os",
    Orchestration.MANUAL: "manual",
    Orchestration.IMAGE_DEFAULT: "image-default",
    Orchestration.NOT_SET: "not-set",
    Orchestration.NOT_APPLICABLE: "not-applicable",
}
_PORTAL_NAMES = {
    Orchestration.CUSTOMER_MANAGED_SCHEDULES: "Customer Managed Schedules",
    Orchestration.AZURE_MANAGED: "Azure Managed - Safe Deployment",
    Orchestration.AUTOMATIC_BY_OS: "Windows automatic updates",
    Orchestration.MANUAL: "Manual updates",
    Orchestration.IMAGE_DEFAULT: "Image Default",
    Orchestration.NOT_SET: "N/A (not set)",
    Orchestration.NOT_APPLICABLE: "N/A",
}


_BYPASS = "bypassPlatformSafetyChecksOnUserSchedule"
_LEAVES = {
    Orchestration.CUSTOMER_MANAGED_SCHEDULES: f"patchMode AutomaticByPlatform, {_BYPASS} true",
    Orchestration.AZURE_MANAGED: f"patchMode AutomaticByPlatform, {_BYPASS} false or absent",
    Orchestration.AUTOMATIC_BY_OS: "patchMode AutomaticByOS",
    Orchestration.MANUAL: "patchMode Manual",
    Orchestration.IMAGE_DEFAULT: "patchMode ImageDefault",
    Orchestration.NOT_SET: "no patchMode, or one that cannot be read",
    Orchestration.NOT_APPLICABLE: "Azure Arc has no patchMode",
}
OTHER_NAMES = {
    "Azure Managed": Orchestration.AZURE_MANAGED,
    "Azure-orchestrated": Orchestration.AZURE_MANAGED,
    "Windows Automatic Update": Orchestration.AUTOMATIC_BY_OS,
}
"""What the portal and Microsoft's pages called them at other times, or call them in other places.

Source: the portal's own Resource Graph query, and "Automatic VM Guest Patching" in Microsoft's documentation.
"""


_FOUND_AT_MOST = 80


@dataclass(frozen=True, slots=True)
class Oddity:
    """A member of a document that is not as Azure writes it, so that nobody can say what Azure makes of it."""

    path: str
    """Of the member as Azure spells it; below `patchSettings` where it is one of these, otherwise from the top."""
    found: str
    """What stands there instead, as JSON; cut short where it is long."""

    def __str__(self) -> str:
        return f"{self.path} = {self.found}"

    @property
    def name(self) -> str:
        """The member's own name."""
        return self.path.rpartition(".")[2]

    @classmethod
    def of(cls, path: str, value: object) -> "Oddity":
        """What was found at a path."""
        text = json.dumps(value, ensure_ascii=False)
        return cls(path, text if len(text) <= _FOUND_AT_MOST else f"{text[: _FOUND_AT_MOST - 1]}…")


@dataclass(frozen=True, slots=True)
class PatchSettings:
    """The patch settings that a machine's model states. `None` everywhere means "the model does not say".

    Modes are kept as the service wrote them, because new values may appear; compare with `same_value`.
    """

    patch_mode: str | None = None
    assessment_mode: str | None = None
    bypass: bool | None = None
    """`automaticByPlatformSettings.bypassPlatformSafetyChecksOnUserSchedule`; absent counts as false."""
    reboot_setting: str | None = None
    hotpatch: bool | None = None
    """`enableHotpatching`, Windows only."""
    odd: tuple[Oddity, ...] = ()
    """Members that are there and cannot be read: of another type than Azure's (None above), or under another spelling
    (whatever stands above beside it). None of them is ever as wanted."""

    @classmethod
    def from_document(cls, patch_settings: object) -> "PatchSettings | None":
        """Read a `patchSettings` object: the only place that does.

        Azure writes its members in one spelling, texts as texts and booleans as `true` and `false`. Whether it would
        take `"true"`, `1` or `PatchMode` for the same is not known, so such a member is not read but named in `odd`; a
        change then sends it as Azure spells it, and nothing is lost where it was set already.

        Args:
            patch_settings: what stands there, of any type; None where the model has none. A null member counts as
                absent.

        Returns:
            None where there is no object, which is not the same as an empty one.
        """
        if not isinstance(patch_settings, Mapping):
            return None
        reading = _Reading()
        platform = reading.member(patch_settings, "automaticByPlatformSettings", Mapping) or {}
        return cls(
            patch_mode=reading.member(patch_settings, "patchMode", str),
            assessment_mode=reading.member(patch_settings, "assessmentMode", str),
            bypass=reading.member(
                platform, "bypassPlatformSafetyChecksOnUserSchedule", bool, "automaticByPlatformSettings."
            ),
            reboot_setting=reading.member(platform, "rebootSetting", str, "automaticByPlatformSettings."),
            hotpatch=reading.member(patch_settings, "enableHotpatching", bool),
            odd=(*reading.odd, *_misspelled(patch_settings, platform)),
        )

    def is_odd(self, *names: str) -> bool:
        """Whether one of these members, by their own names, is there and cannot be read."""
        return any(entry.name in names for entry in self.odd)

    def found(self, name: str) -> str | None:
        """What stands where a member cannot be read, as JSON; None: it can be read, or is not there."""
        return next((entry.found for entry in self.odd if entry.name == name), None)

    @property
    def undecided(self) -> tuple[Oddity, ...]:
        """What keeps anybody from saying who patches the machine: patch mode or bypass cannot be read."""
        return tuple(entry for entry in self.odd if entry.name in _DECIDING)


_MEMBERS = ("patchMode", "assessmentMode", "automaticByPlatformSettings", "enableHotpatching")
_PLATFORM_MEMBERS = ("bypassPlatformSafetyChecksOnUserSchedule", "rebootSetting")
_DECIDING = frozenset({"patchMode", "automaticByPlatformSettings", "bypassPlatformSafetyChecksOnUserSchedule"})


class _Reading:
    """Reads members of the type that Azure gives them, and remembers the others."""

    __slots__ = ("odd",)

    def __init__(self) -> None:
        self.odd: tuple[Oddity, ...] = ()

    def member(self, holder: Mapping[str, Any], name: str, kind: Any, parent: str = "") -> Any:
        value = holder.get(name)
        if value is None or isinstance(value, kind):
            return value
        self.odd = (*self.odd, Oddity.of(f"{parent}{name}", value))
        return None


def _misspelled(settings: Mapping[str, Any], platform: Mapping[str, Any]) -> Iterator[Oddity]:
    """Members under another spelling than Azure's, with a value, whether or not Azure's own stands beside them."""
    for holder, members, parent in (
        (settings, _MEMBERS, ""),
        (platform, _PLATFORM_MEMBERS, "automaticByPlatformSettings."),
    ):
        for key, value in holder.items():
            if key not in members and value is not None:
                meant = next((name for name in members if name.casefold() == key.casefold()), None)
                if meant is not None:
                    yield Oddity(f"{parent}{meant}", f"(as {key}) {Oddity.of(key, value).found}")


def same_value(left: str | None, right: str | None) -> bool:
    """Whether two enumeration values are the same for Azure, which compares them without regard to case."""
    return left == right or (left is not None and right is not None and left.casefold() == right.casefold())


_ORCHESTRATION_OF_MODE = {
    PatchMode.AUTOMATIC_BY_OS.casefold(): Orchestration.AUTOMATIC_BY_OS,
    PatchMode.MANUAL.casefold(): Orchestration.MANUAL,
    PatchMode.IMAGE_DEFAULT.casefold(): Orchestration.IMAGE_DEFAULT,
}
"""Where the mode alone says it; lower case."""


def orchestration_of(settings: PatchSettings | None) -> Orchestration:
    """The portal's name for what a machine's patch settings say.

    Args:
        settings: None where the model has no patchSettings.

    Returns:
        `NOT_SET` when there is no patch mode, or one that this version does not know, or where mode or bypass cannot be
        read: it is shown as "not set" rather than guessed; the raw value stays in `settings.patch_mode`.

    Source: an absent or false bypass counts as false in the portal's query and in built-in policy 9905ca54.
    """
    mode = settings.patch_mode if settings else None
    if settings is None or mode is None or settings.undecided:
        return Orchestration.NOT_SET
    if same_value(mode, PatchMode.AUTOMATIC_BY_PLATFORM):
        return Orchestration.CUSTOMER_MANAGED_SCHEDULES if settings.bypass is True else Orchestration.AZURE_MANAGED
    return _ORCHESTRATION_OF_MODE.get(mode.casefold(), Orchestration.NOT_SET)


@dataclass(frozen=True, slots=True)
class WantedSettings:
    """What the user asked for by name. None and False mean "leave alone"."""

    orchestration: Orchestration | None = None
    periodic_assessment: bool | None = None
    """True: `assessmentMode` AutomaticByPlatform; False: ImageDefault."""
    reboot: RebootSetting | None = None
    hotpatch_off: bool = False
    include_scale_set_members: bool = False
    """Whether schedules run on Flexible members is unconfirmed, so they are changed on request only."""

    @property
    def concerns_arc(self) -> bool:
        """Whether anything of it is asked of an Arc server: it has no patch mode, and periodic assessment is its own.

        Where it is, everything else that was named (a reboot setting, hotpatch) is asked of it too, and is not so.
        """
        return self.periodic_assessment is not None
