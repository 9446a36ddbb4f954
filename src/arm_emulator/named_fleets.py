"""The fleets that have a name, and what ``--fleet`` may say."""

import copy
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from arm_emulator.demo_fleet import demo_fleet, small_fleet
from arm_emulator.estates import ESTATES, estate_document
from arm_emulator.fleets import FleetError, fleet_file
from arm_emulator.policies_fleet import policies_fleet
from arm_emulator.schedules_fleet import schedules_fleet
from arm_emulator.tenants_fleet import tenants_fleet

NAMED: Mapping[str, Callable[[], dict[str, Any]]] = {
    "demo": demo_fleet,
    "schedules": schedules_fleet,
    "policies": policies_fleet,
    "tenants": tenants_fleet,
    "small": small_fleet,
    "empty": dict,
    **{f"{name}-estate": partial(estate_document, name) for name in ESTATES},
}


def read_fleet(choice: str) -> dict[str, Any]:
    """The fleet document of a ``--fleet`` choice: a name of the table, or a file.

    Raises:
        FleetError: when it is neither, or no fleet document.
    """
    if choice in NAMED:
        return copy.copy(NAMED[choice]())
    path = Path(choice)
    if not path.exists():
        raise FleetError(f"fleet {choice!r} is not one of {', '.join(NAMED)} and not a file")
    return fleet_file(path)
