"""Which published lists name a machine's image (three that must not be mixed), the checks on them, and appliances.

Absence from a list only warns: the lists lag behind the service, and its sources contradict each other. Only two things
block: the service's own assessment of this very machine, and an exclusion that no other list contradicts.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from patchmode.model.finding import Reason
from patchmode.model.machine import ImageReference, Machine, MachineKind
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.rules.rule import BLOCKS, NOTES, WARNS, Rule
from patchmode.rules.settings.transitions import needs_platform

_LITERAL = "LITERAL:"
_UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class _Row:
    offers: re.Pattern[str]
    skus: re.Pattern[str]
    not_offers: re.Pattern[str]
    not_skus: re.Pattern[str]

    def matches(self, offer: str, sku: str) -> bool:
        return bool(
            self.offers.fullmatch(offer)
            and self.skus.fullmatch(sku)
            and not self.not_offers.fullmatch(offer)
            and not self.not_skus.fullmatch(sku)
        )


@dataclass(frozen=True, slots=True)
class ImageList:
    """One published list of marketplace images."""

    source: str
    key: str
    """Its name in the document of all lists."""

    def names(self, image: ImageReference) -> bool:
        """Whether the list names the image; false for an image that is not from the marketplace."""
        if image.publisher is None or image.offer is None or image.sku is None:
            return False
        offer, sku = image.offer, image.sku
        return any(row.matches(offer, sku) for row in _rows(self.key, image.publisher.lower()))

    def evidence(self, image: ImageReference) -> str:
        """The image, and the list that was asked."""
        return f"image {image.publisher}/{image.offer}/{image.sku}; list: {self.source}"


def schedule_patching() -> ImageList:
    """Images for which Microsoft's built-in policy sets the prerequisite of scheduled patching."""
    return _list("schedule_patching_marketplace")


def schedule_patching_excluded() -> ImageList:
    """Images that the support matrix of Update Manager names as unsupported."""
    return _list("schedule_patching_explicitly_unsupported")


def automatic_guest_patching() -> ImageList:
    """Images that Azure itself patches (Azure Managed - Safe Deployment)."""
    return _list("automatic_guest_patching")


def hotpatch_capable() -> ImageList:
    """Images whose machines can hotpatch."""
    return _list("hotpatch_capable")


def appliances() -> ImageList:
    """Images of firewalls, other network appliances and systems that Update Manager does not patch."""
    return _list("appliances")


def custom_image_systems() -> tuple[str, ...]:
    """Operating systems that schedules can patch on custom images, in the words of the support matrix."""
    entry = _document()["custom_image_os"]
    return (*entry["windows"], *entry["linux"])


@cache
def _document() -> Mapping[str, Any]:
    text = resources.files("patchmode.rules").joinpath("image_support.json").read_text(encoding="utf-8")
    document: Mapping[str, Any] = json.loads(text)
    return document


@cache
def _list(key: str) -> ImageList:
    return ImageList(_document()[key]["source"], key)


@lru_cache(maxsize=1024)
def _rows(key: str, publisher: str) -> tuple[_Row, ...]:
    """The rows of a publisher (in lower case) in a list.

    Compiled when the publisher is met first: a fleet's images are from few, and all of them took a tenth of a second.
    """
    return tuple(_row(row) for row in _document()[key]["rows"] if row["publisher"].lower() == publisher)


def _row(row: Mapping[str, Sequence[str]]) -> _Row:
    return _Row(*(_any_of(row.get(key, ())) for key in ("offer", "sku", "not_offer", "not_sku")))


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """One expression for several patterns; none of them matches nothing, not even the empty text."""
    alternatives = [_expression(pattern) for pattern in patterns] or [r"(?!)"]
    return re.compile("|".join(alternatives), re.IGNORECASE)


def _expression(pattern: str) -> str:
    if pattern.startswith(_LITERAL):
        return re.escape(pattern.removeprefix(_LITERAL))
    return ".*".join(re.escape(part) for part in pattern.split("*"))


_OTHER_SYSTEM = re.compile(r"(?<![a-z])(?:free|open|net)bsd", re.IGNORECASE)
"""Source: the documentation of Update Manager's support names Windows Server and Linux distributions, no BSD."""


def appliance_evidence(machine: Machine) -> str | None:
    """The leaf that tells that the machine runs an appliance or such a system; None: nothing does.

    A machine made from a restored or a generalised disk names no marketplace image but keeps its plan.
    """
    if machine.kind is MachineKind.ARC:
        return None
    system = machine.surroundings.os_name
    if system is not None and _OTHER_SYSTEM.match(system):
        return f"instanceView.osName = {system}"
    for leaf, image in (("image", machine.image), ("plan", machine.plan)):
        if image is not None and _is_appliance(image):
            return f"{leaf} {image.publisher}/{image.offer}/{image.sku}"
    return None


@lru_cache(maxsize=4096)  # fleets are made from few images
def _is_appliance(image: ImageReference) -> bool:
    if schedule_patching().names(image):
        return False
    names = f"{image.offer or ''}/{image.sku or ''}"
    return appliances().names(image) or _OTHER_SYSTEM.search(names) is not None


# ------------------------------------------------------------------------------------------------ checks


def check_detected(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """What the last assessment said of this machine.

    Source: the portal's own query of Update Manager's machines treats this state as unsupported.
    """
    state = machine.surroundings.detected_support
    if state is not None and state.lower() == _UNSUPPORTED and needs_platform(wanted):
        yield DETECTED_UNSUPPORTED.blocks(
            "Azure's last assessment of this machine found its image unsupported.",
            f"vmGuestPatchReadiness.detectedVMGuestPatchSupportState = {state}",
        )


DETECTED_UNSUPPORTED = Rule(
    "detected-unsupported",
    "the last assessment found the image unsupported",
    BLOCKS,
    """
    What: The last assessment of this machine found its image unsupported.
    Severity: Blocks platform settings.
    Why: This is the service's own finding, not a list.
    Evidence: `vmGuestPatchReadiness.detectedVMGuestPatchSupportState` is `Unsupported`. `Unknown` and
    `UnableToDetermine` decide nothing.
    Fix: Run an assessment again if the system was upgraded since; otherwise patch it without Update Manager.
    Source: The portal's own Resource Graph query of Update Manager's machines; Azure's documentation of customized
    images.
    """,
    check=check_detected,
)


def check_schedule_lists(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """An exclusion counts for periodic assessment too, absence for schedules only."""
    by_schedule = wanted.orchestration is Orchestration.CUSTOMER_MANAGED_SCHEDULES
    if not (by_schedule or wanted.periodic_assessment is True) or not _from_marketplace(machine):
        return
    if appliance_evidence(machine) is not None:
        return  # `appliance` says more than that no list names it
    image, listed = machine.image, schedule_patching().names(machine.image)
    if schedule_patching_excluded().names(image):
        told, evidence = (
            "Update Manager's support matrix names the image as unsupported",
            schedule_patching_excluded().evidence(image),
        )
        if listed:
            yield IMAGE_EXCLUDED.warns(f"{told}, although the built-in policy takes it.", evidence)
        else:
            yield IMAGE_EXCLUDED.blocks(f"{told}.", evidence)
    elif by_schedule and not listed:
        yield IMAGE_NOT_IN_SCHEDULE_LIST.warns(
            "The built-in policy's list of images for scheduled patching does not name the image; the list lags "
            "behind, so the service may patch it nevertheless.",
            schedule_patching().evidence(image),
        )


IMAGE_EXCLUDED = Rule(
    "image-excluded",
    "the support matrix names the image as unsupported",
    (*BLOCKS, *WARNS),
    """
    What: Update Manager's support matrix names the image as unsupported.
    Severity: Blocks Customer Managed Schedules and periodic assessment; warns where the built-in policy's list names
    the same image, because then the sources contradict each other (CentOS 8).
    Why: A schedule would be accepted and its runs would fail, and what Update Manager does not support it does not
    assess either.
    Evidence: Publisher, offer and sku, and the list.
    Fix: Patch it without Update Manager, or recreate it from a supported image.
    Source: Azure's documentation "Support matrix for Azure Update Manager", unsupported images.
    """,
    check=check_schedule_lists,
)

IMAGE_NOT_IN_SCHEDULE_LIST = Rule(
    "image-not-in-schedule-list",
    "no list of images for scheduled patching names the image",
    WARNS,
    """
    What: The list of images for scheduled patching does not name the marketplace image.
    Severity: Warns, for Customer Managed Schedules only.
    Why: The list is the built-in policy's; it says what that policy changes, lags behind the service and contains
    errors (two patterns with a wildcard are compared literally), so absence proves nothing.
    Evidence: Publisher, offer and sku, and the list.
    Fix: Run an assessment and read what it detected before you rely on a schedule.
    Source: Built-in policy 9905ca54-1471-49c6-8291-7582c04cd4d4, version 1.3.0; hashicorp/terraform-provider-azurerm
    issue 26153 on lagging lists.
    """,
    machine_fix="Run an assessment (assessPatches) and read what it detected before you rely on a schedule.",
)


def check_autopatch_list(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """Azure itself patches the images of its list only."""
    if wanted.orchestration is not Orchestration.AZURE_MANAGED or not _from_marketplace(machine):
        return
    if not automatic_guest_patching().names(machine.image):
        yield IMAGE_NOT_IN_AUTOPATCH_LIST.warns(
            "The list of images that Azure patches itself does not name the image: the service may refuse the mode, "
            "or take it and patch nothing.",
            automatic_guest_patching().evidence(machine.image),
        )


IMAGE_NOT_IN_AUTOPATCH_LIST = Rule(
    "image-not-in-autopatch-list",
    "the list of images that Azure patches does not name the image",
    WARNS,
    """
    What: The list of images that Azure patches itself does not name the marketplace image.
    Severity: Warns, for Azure Managed - Safe Deployment only.
    Why: Automatic guest patching requires the exact publisher, offer and sku: for others the service may refuse the
    mode ("The selected VM image is not supported for VM Guest patch operations."), or accept it and patch nothing.
    Evidence: Publisher, offer and sku, and the list.
    Fix: Prefer Customer Managed Schedules with a schedule for this machine.
    Source: Azure's documentation "Automatic guest patching for Azure virtual machines", supported images.
    """,
    check=check_autopatch_list,
)


def check_custom_image(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """Fine for schedules on the systems listed, never patched by Azure itself."""
    if machine.image.id is None or machine.image.is_marketplace or machine.kind is MachineKind.ARC:
        return
    evidence = f"storageProfile.imageReference.id = {machine.image.id}"
    if wanted.orchestration is Orchestration.AZURE_MANAGED:
        yield CUSTOM_IMAGE.warns(
            "Azure does not patch machines created from custom images: the mode would be set and nothing would happen, "
            "or the service refuses it.",
            evidence,
            "Prefer Customer Managed Schedules with a schedule for this machine.",
        )
        return
    yield CUSTOM_IMAGE.notes(
        f"Schedules patch custom images of these systems: {', '.join(custom_image_systems())}.",
        evidence,
        "Run an assessment (assessPatches) to learn whether Azure supports this one.",
    )


CUSTOM_IMAGE = Rule(
    "custom-image",
    "the machine was created from a custom image",
    (*WARNS, *NOTES),
    """
    What: The machine was created from a gallery image or a managed image.
    Severity: Notes; warns for Azure Managed - Safe Deployment.
    Why: Schedules patch custom images of a list of systems. Azure itself never patches them, although the mode may be
    set.
    Evidence: `storageProfile.imageReference.id`.
    Fix: Run an assessment to learn whether Azure supports this one; prefer Customer Managed Schedules.
    Source: Azure's documentation "Support matrix for Azure Update Manager" and "Manage updates for customized images".
    """,
    check=check_custom_image,
)


def _from_marketplace(machine: Machine) -> bool:
    return machine.kind is not MachineKind.ARC and machine.image.is_marketplace


RULES = (
    DETECTED_UNSUPPORTED,
    IMAGE_EXCLUDED,
    IMAGE_NOT_IN_SCHEDULE_LIST,
    IMAGE_NOT_IN_AUTOPATCH_LIST,
    CUSTOM_IMAGE,
)
