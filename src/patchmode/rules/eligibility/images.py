"""Which published lists name a machine's image (three that must not be mixed), which can hotpatch, and appliances."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from patchmode.model.machine import ImageReference, Machine, MachineKind

_LITERAL = "LITERAL:"


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
    rows: Mapping[str, tuple[_Row, ...]]
    """Publisher in lower case → its rows."""

    def names(self, image: ImageReference) -> bool:
        """Whether the list names the image; false for an image that is not from the marketplace."""
        if image.publisher is None or image.offer is None or image.sku is None:
            return False
        offer, sku = image.offer, image.sku
        return any(row.matches(offer, sku) for row in self.rows.get(image.publisher.lower(), ()))


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
    entry = _document()[key]
    rows: dict[str, tuple[_Row, ...]] = {}
    for row in entry["rows"]:
        publisher = row["publisher"].lower()
        rows[publisher] = (*rows.get(publisher, ()), _row(row))
    return ImageList(source=entry["source"], rows=rows)


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
