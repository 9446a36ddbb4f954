"""Machines that run an appliance, or a system that is neither Windows nor a Linux distribution Update Manager knows.

The names stand in `image_support.json`, with their source. They are offers, not whole publishers: some vendors sell
plain servers as well.

Must not: take an image that Microsoft's own list of schedulable images names; nor decide what follows.
"""

import re
from functools import lru_cache

from patchmode.model.machine import ImageReference, Machine, MachineKind
from patchmode.rules.images import appliances, schedule_patching

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
