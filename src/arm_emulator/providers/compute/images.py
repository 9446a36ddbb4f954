"""Which images guest patching takes, as Microsoft's public lists have it.

``images.json`` holds three of them, restated: *automatic* (exact publisher, offer and sku; "Automatic VM guest
patching", 2024-07), *scheduled* (patterns; built-in policy 9905ca54, version 1.3.0) and *excluded* (Update Manager's
support matrix, 2025-02). Pure functions; whether the service looks at all is the caller's question.
"""

from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files

import msgspec

from arm_emulator.providers.compute.members import Json

_Row = tuple[str, list[str], list[str]]


class _Lists(msgspec.Struct):
    automatic: list[_Row]
    scheduled: list[_Row]
    excluded: list[_Row]


@lru_cache(maxsize=1)
def _lists() -> _Lists:
    content = files("arm_emulator.providers.compute").joinpath("images.json").read_bytes()
    return msgspec.json.decode(content, type=_Lists)


def takes_automatic_patching(machine: Json) -> bool:
    """Whether the platform patches machines of this image by itself: marketplace images of the exact list only."""
    return _is_in(_lists().automatic, _marketplace(machine))


def takes_assessment(machine: Json) -> bool:
    """Whether periodic assessment takes the image: listed marketplace images, and custom ones of any kind."""
    image = _marketplace(machine)
    if image is None:
        return True
    lists = _lists()
    return (_is_in(lists.automatic, image) or _is_in(lists.scheduled, image)) and not _is_in(lists.excluded, image)


def is_scheduled(machine: Json) -> bool:
    """Whether the built-in policy sets the prerequisite of scheduled patching for the image."""
    return _is_in(_lists().scheduled, _marketplace(machine))


def scheduled_rows() -> list[_Row]:
    """The built-in policy's list: publisher, patterns of offers and of skus, in lower case."""
    return _lists().scheduled


def is_excluded(machine: Json) -> bool:
    """Whether Update Manager's support matrix names the image as not supported."""
    return _is_in(_lists().excluded, _marketplace(machine))


def is_marketplace(machine: Json) -> bool:
    """Whether the machine's image comes from the marketplace: publisher, offer and sku are all named."""
    return _marketplace(machine) is not None


def _marketplace(machine: Json) -> tuple[str, str, str] | None:
    """Publisher, offer and sku in lower case; None for custom images, galleries and attached disks."""
    image = machine.get("properties", {}).get("storageProfile", {}).get("imageReference")
    if not isinstance(image, dict):
        return None
    names = tuple(str(image.get(name) or "").lower() for name in ("publisher", "offer", "sku"))
    return (names[0], names[1], names[2]) if all(names) else None


def _is_in(rows: list[_Row], image: tuple[str, str, str] | None) -> bool:
    if image is None:
        return False
    publisher, offer, sku = image
    return any(
        publisher == row_publisher
        and any(fnmatchcase(offer, pattern) for pattern in offers)
        and any(fnmatchcase(sku, pattern) for pattern in skus)
        for row_publisher, offers, skus in rows
    )
