"""Which published list names an image. Three lists that must not be mixed, and the images that can hotpatch.

The lists stand in `image_support.json`, each with its source. They lag behind the service (a public thread of the
Terraform provider, #26153, shows hotpatch images missing for months), so being absent from a list is never proof.

Must not: decide what that means for a machine.

Patterns compare without regard to case; `*` stands for any text. A pattern that begins with `LITERAL:` stands where the
built-in policy compares with `equals`, so that its `*` is an ordinary character and, in effect, never matches.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from patchmode.model.machine import ImageReference

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
