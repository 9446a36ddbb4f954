"""Checks on the image a machine was made from, against three lists that must not be mixed, and hotpatch images.

Absence from a list only warns: the lists lag behind the service, and its sources contradict each other. Only two things
block: the service's own assessment of this very machine, and an exclusion that no other list contradicts.

Must not: hold the lists; `images` does.
"""

from collections.abc import Iterator

from patchmode.model.finding import Reason, Severity
from patchmode.model.machine import ImageReference, Machine, MachineKind
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.rules.eligibility.images import (
    ImageList,
    appliance_evidence,
    automatic_guest_patching,
    custom_image_systems,
    hotpatch_capable,
    schedule_patching,
    schedule_patching_excluded,
)
from patchmode.rules.settings.transitions import needs_platform

_UNSUPPORTED = "unsupported"


def check_detected(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`detected-unsupported`: what the last assessment said of this machine.

    Source: the portal's own query of Update Manager's machines treats this state as unsupported.
    """
    state = machine.surroundings.detected_support
    if state is not None and state.lower() == _UNSUPPORTED and needs_platform(wanted):
        yield Reason(
            "detected-unsupported",
            Severity.BLOCKS,
            "Azure's last assessment of this machine found its image unsupported.",
            f"vmGuestPatchReadiness.detectedVMGuestPatchSupportState = {state}",
            "Run an assessment again if the system was upgraded since; otherwise patch it by other means.",
        )


def check_schedule_lists(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`image-excluded`, also for periodic assessment, and `image-not-in-schedule-list`, for schedules only."""
    by_schedule = wanted.orchestration is Orchestration.CUSTOMER_MANAGED_SCHEDULES
    if not (by_schedule or wanted.periodic_assessment is True) or not _from_marketplace(machine):
        return
    if appliance_evidence(machine) is not None:
        return  # `appliance` says more than that no list names it
    image, listed = machine.image, schedule_patching().names(machine.image)
    if schedule_patching_excluded().names(image):
        yield Reason(
            "image-excluded",
            Severity.WARNS if listed else Severity.BLOCKS,
            "Update Manager's support matrix names the image as unsupported"
            + (", although the built-in policy takes it." if listed else "."),
            _evidence(image, schedule_patching_excluded()),
            "Patch it by other means, or move it to a supported image.",
        )
    elif by_schedule and not listed:
        yield Reason(
            "image-not-in-schedule-list",
            Severity.WARNS,
            "The built-in policy's list of images for scheduled patching does not name the image; the list lags "
            "behind, so the service may patch it all the same.",
            _evidence(image, schedule_patching()),
            "Run an assessment (assessPatches) and look at what it detected before relying on a schedule.",
        )


def check_autopatch_list(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`image-not-in-autopatch-list`, for Azure Managed only."""
    if wanted.orchestration is not Orchestration.AZURE_MANAGED or not _from_marketplace(machine):
        return
    if not automatic_guest_patching().names(machine.image):
        yield Reason(
            "image-not-in-autopatch-list",
            Severity.WARNS,
            "The list of images that Azure patches itself does not name the image: the service may refuse the mode, "
            "or take it and patch nothing.",
            _evidence(machine.image, automatic_guest_patching()),
            "Prefer Customer Managed Schedules with a schedule for this machine.",
        )


def check_custom_image(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`custom-image`: fine for schedules on the systems listed, never patched by Azure itself."""
    if machine.image.id is None or machine.image.is_marketplace or machine.kind is MachineKind.ARC:
        return
    evidence = f"storageProfile.imageReference.id = {machine.image.id}"
    if wanted.orchestration is Orchestration.AZURE_MANAGED:
        yield Reason(
            "custom-image",
            Severity.WARNS,
            "Azure does not patch machines made from custom images: the mode would be set and nothing would happen, "
            "or the service refuses it.",
            evidence,
            "Prefer Customer Managed Schedules with a schedule for this machine.",
        )
        return
    yield Reason(
        "custom-image",
        Severity.NOTES,
        f"Schedules patch custom images of these systems: {', '.join(custom_image_systems())}.",
        evidence,
        "Run an assessment (assessPatches) to learn whether Azure supports this one.",
    )


def check_hotpatch_image(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`hotpatch-image`: what a schedule gives up on an image that could hotpatch."""
    hotpatch = machine.settings is not None and machine.settings.hotpatch is True
    if wanted.orchestration is not Orchestration.CUSTOMER_MANAGED_SCHEDULES or hotpatch:
        return
    if hotpatch_capable().names(machine.image):
        yield Reason(
            "hotpatch-image",
            Severity.NOTES,
            "The image can hotpatch (fewer reboots), which excludes Customer Managed Schedules.",
            _evidence(machine.image, hotpatch_capable()),
            "Nothing to do unless you want hotpatching instead.",
        )


def _from_marketplace(machine: Machine) -> bool:
    return machine.kind is not MachineKind.ARC and machine.image.is_marketplace


def _evidence(image: ImageReference, source: ImageList) -> str:
    return f"image {image.publisher}/{image.offer}/{image.sku}; list: {source.source}"
