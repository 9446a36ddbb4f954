"""What an experiment is, and what all of them read and send.

An experiment is a value: what it sends, in a sentence; on which machines it can be asked; its requests; and a pure
function from what was answered and read back to answers of switches.
Must not: send, wait or write; `workflow/live_check` does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from patchmode.model.live_check import Answered, Asked, Decision, Observed
from patchmode.model.machine import Lock, Machine
from patchmode.model.patch_settings import OperatingSystem, PatchMode, PatchSettings
from patchmode.rules.eligibility.images import automatic_guest_patching
from patchmode.rules.settings.patch import BYPASS, MODE, PLATFORM, configuration_in, is_platform_mode, settings_in

COMPUTE_API = "2024-07-01"
MAINTENANCE_API = "2023-04-01"
GRAPH_API = "2021-03-01"
"""The api-versions that every command uses (`arm`), so that what is measured is what patchmode meets."""
NOBODY = "00000000-0000-4000-8000-0123456789ab"
"""A subscription id of our own making: version 4, and all but impossible to have been given to anybody."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The machine as it is when an experiment begins, and what surrounds it."""

    machine: Machine
    document: Mapping[str, Any]
    """Of a GET with the api-version above."""
    check: str
    """The live check's id: what it creates is named after it."""
    begun_at: str
    """When the live check began, ISO 8601 with Z: records before it are nobody's business."""
    group: str | None = None
    """Id of the resource group in which maintenance configurations may be created; None: none was given."""
    group_location: str = ""
    power: str = ""
    """`running`, `deallocated`, …; empty: not known."""
    is_home_platform: bool = False
    """Whether the machine was in AutomaticByPlatform when the live check began, and has to return to it."""
    first_etag: str | None = None
    """The machine's etag when the live check began; None: it had none."""
    locks: tuple[Lock, ...] = ()
    """That cover the machine or the group; `ReadOnly` ones refuse the check."""
    may_delete: bool = True
    """Whether what is created can be deleted again: no lock forbids it, and the locks could be read."""
    unregistered: tuple[str, ...] = ()
    """Namespaces with machines or configurations that the subscription is not registered for."""
    known: Mapping[str, str] = field(default_factory=dict)
    """Switch → its answer, as far as earlier experiments decided it."""
    throttled: tuple[Answered, ...] = ()
    """The answers 429 that came on the way."""

    @property
    def settings(self) -> PatchSettings:
        """The patch settings; of a machine without, empty ones."""
        return self.machine.settings or PatchSettings()

    @property
    def os(self) -> OperatingSystem:
        """Its operating system; a machine without a known one is not asked."""
        return self.machine.os or OperatingSystem.LINUX

    @property
    def system(self) -> str:
        """The member of `osProfile` with the patch settings."""
        return self.os.configuration

    @property
    def configuration(self) -> Mapping[str, Any]:
        """That member; empty where there is none."""
        return configuration_in(self.document, self.os)

    @property
    def is_windows(self) -> bool:
        """Whether the system is Windows."""
        return self.machine.os is OperatingSystem.WINDOWS

    @property
    def is_in_platform_mode(self) -> bool:
        """Whether the patch mode is AutomaticByPlatform."""
        return is_platform_mode(self.settings.patch_mode)

    @property
    def is_prepared(self) -> bool:
        """Whether mode and bypass are those of Customer Managed Schedules."""
        return self.is_in_platform_mode and self.settings.bypass is True

    @property
    def other_mode(self) -> str:
        """The mode besides AutomaticByPlatform that the machine can have.

        Source: Microsoft, "Automatic VM guest patching": from AutomaticByPlatform to Manual where
        `enableAutomaticUpdates` is false, and to AutomaticByOS where it is true.
        """
        if not self.is_windows:
            return PatchMode.IMAGE_DEFAULT.value
        is_manual = self.machine.enable_automatic_updates is False
        return (PatchMode.MANUAL if is_manual else PatchMode.AUTOMATIC_BY_OS).value

    @property
    def same(self) -> Mapping[str, Any]:
        """Patch settings that the machine has, so that a PATCH of them changes nothing; only where it has a mode."""
        settings = self.settings
        if self.is_in_platform_mode and settings.bypass is not None:
            return {MODE: settings.patch_mode, PLATFORM: {BYPASS: settings.bypass}}
        return {MODE: settings.patch_mode}

    @property
    def why_not_leave(self) -> str | None:
        """Why it must not be taken out of AutomaticByPlatform, a clause; None: it may be, or is in another mode.

        Azure looks at the image where the mode is turned on.
        """
        if not (self.is_in_platform_mode and self.is_home_platform) or automatic_guest_patching().names(
            self.machine.image
        ):
            return None
        return "the VM is in AutomaticByPlatform, and Azure may refuse to turn that on again for its image"

    def patch(self, settings: Mapping[str, Any], *, etag: str | None = None) -> Asked:
        """A PATCH of these members of `patchSettings`."""
        return self.patch_configuration({"patchSettings": dict(settings)}, etag=etag)

    def patch_configuration(self, members: Mapping[str, Any], *, etag: str | None = None) -> Asked:
        """A PATCH of these members of the system's configuration."""
        return self.patch_properties({"osProfile": {self.system: dict(members)}}, etag=etag)

    def patch_properties(self, members: Mapping[str, Any], *, etag: str | None = None) -> Asked:
        """A PATCH of these members of `properties`."""
        return Asked("PATCH", str(self.machine.id), COMPUTE_API, {"properties": dict(members)}, etag)

    @property
    def prepare(self) -> Asked:
        """The PATCH that makes the machine ready for schedules: mode and bypass in one request."""
        return self.patch(PREPARED)

    @property
    def leave(self) -> Asked:
        """The PATCH that leaves AutomaticByPlatform."""
        return self.patch({MODE: self.other_mode})


PREPARED: Mapping[str, Any] = {MODE: PatchMode.AUTOMATIC_BY_PLATFORM.value, PLATFORM: {BYPASS: True}}


@dataclass(frozen=True, slots=True)
class Step:
    """One request of an experiment."""

    asked: Asked
    is_setup: bool = False
    """It only makes the machine ready for the question: where it is refused, nothing more is sent."""
    ends: bool = False
    """Where it is refused, nothing more is sent, and that answer is read."""
    at_once: bool = False
    """The next request does not wait for its operation."""
    until: Callable[[Answered], object] | None = None
    """A read that is repeated until this is true, or patience ends; None: it is asked once."""


_Read = Callable[[Subject, Sequence[Observed]], Sequence[Decision]]


@dataclass(frozen=True, slots=True)
class Experiment:
    """One question to Azure."""

    name: str
    sends: str
    """What it will send, a sentence for people."""
    switches: tuple[str, ...]
    """What it can decide; empty: it only observes."""
    applies: Callable[[Subject], str | None]
    """Why this machine cannot answer it, a clause; None: it can."""
    steps: Callable[[Subject], Sequence[Step]]
    read: _Read
    tells: Callable[[Subject, Sequence[Observed]], str] = lambda _, seen: answered_text(seen)
    """What Azure answered, in a few words."""
    needs_group: bool = False
    """It creates a maintenance configuration, so that a resource group must have been given for it."""
    writes_settings: bool = False
    """It changes patch settings."""


def always(_: Subject) -> str | None:
    """It applies to every machine."""
    return None


def last_answer(seen: Sequence[Observed]) -> Answered:
    """The last answer; only where each request has one, which `conclude` looks at."""
    answered = seen[-1].answered
    assert answered is not None  # noqa: S101 - for the type checker
    return answered


def answered_text(seen: Sequence[Observed]) -> str:
    """What the last request was answered."""
    if not seen:
        return "nothing was sent"
    last = seen[-1].answered
    return "no usable answer" if last is None else last.told


def undecided(because: str, *switches: str) -> list[Decision]:
    """No answer, for a reason."""
    return [Decision(one, None, because) for one in switches]


def not_here(because: str, *switches: str) -> list[Decision]:
    """No answer, because the machine is not one that can decide it."""
    return [Decision(one, None, because, applies=False) for one in switches]


def decided(switch: str, answer: str, because: str) -> list[Decision]:
    """One answer."""
    return [Decision(switch, answer, because)]


def settings_of(document: Mapping[str, Any] | None, subject: Subject) -> Mapping[str, Any]:
    """The patch settings of a document; empty where there are none."""
    return settings_in(document or {}, subject.os) or {}


def block_of(document: Mapping[str, Any] | None, subject: Subject) -> Mapping[str, Any] | None:
    """`automaticByPlatformSettings` of a document; None: it is absent."""
    found = settings_of(document, subject).get(PLATFORM)
    return found if isinstance(found, Mapping) else None


def mode_of(document: Mapping[str, Any] | None, subject: Subject) -> str:
    """The patch mode of a document; empty where it is absent."""
    return str(settings_of(document, subject).get(MODE) or "")


def object_in(value: object) -> Mapping[str, Any]:
    """A JSON object; empty where it is anything else."""
    return value if isinstance(value, Mapping) else {}
