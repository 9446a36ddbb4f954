"""Production and development with the same groups, machines, schedules and locks: the fleet on which names can mislead.

Run as a module it writes the fleet file.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from arm_emulator.named_fleets import read_fleet

PRODUCTION, DEVELOPMENT = "22222222-2222-2222-2222-222222222222", "55555555-5555-5555-5555-555555555555"
NAMES = {PRODUCTION: "Production", DEVELOPMENT: "Development"}


def twins(names: Mapping[str, str] = NAMES) -> dict[str, Any]:
    """The fleet `schedules`, whose first subscription is there once for each of `names`: id → display name."""
    fleet = read_fleet("schedules")
    (tenant,) = {entry["tenantId"] for entry in fleet["subscriptions"]}
    made: dict[str, Any] = {
        "subscriptions": [
            {"subscriptionId": one, "displayName": name, "tenantId": tenant} for one, name in names.items()
        ]
    }
    for part in ("resources", "locks", "denyAssignments"):
        own = [json.dumps(entry) for entry in fleet[part] if PRODUCTION in json.dumps(entry)]
        made[part] = [json.loads(text.replace(PRODUCTION, one)) for one in names for text in own]
    return made


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(twins(), indent=1), encoding="utf-8")
