# ruff: noqa: E501, PERF401 - queries and rows read better on one line
"""A generated estate for the query tests: rows of every table the queries read, shaped as Resource Graph gives them.

Deterministic, and rich enough that nearly every query has an answer: machines of both kinds with every patch mode, with
missing profiles, tags in several spellings, data disks, zones, assignments, assessments, management groups.
"""

import json
import random

TENANT = "11111111-1111-1111-1111-111111111111"
SUBSCRIPTIONS = [f"{digit * 8}-{digit * 4}-{digit * 4}-{digit * 4}-{digit * 12}" for digit in "234"]
LOCATIONS = ["eastus", "westeurope", "northeurope"]

Row = dict[str, object]
Tables = dict[str, list[Row]]


def row(
    identifier: str, name: str, kind: str, subscription: str, group: str = "", location: str = "", **more: object
) -> Row:
    """A row with all common columns; what is not given is '' for a text and None for a dynamic."""
    base: Row = {
        "id": identifier, "name": name, "type": kind, "tenantId": TENANT, "kind": "", "location": location,
        "resourceGroup": group, "subscriptionId": subscription, "managedBy": "", "sku": None, "plan": None,
        "properties": {}, "tags": None, "identity": None, "zones": None, "extendedLocation": None,
    }  # fmt: skip
    return base | more


def _machine(random_: random.Random, number: int) -> Row:
    windows = random_.random() < 0.5
    subscription = SUBSCRIPTIONS[number % 3]
    group = f"rg-app{number % 4}"
    name = f"{random_.choice(['vm', 'VM'])}{number:06d}{random_.choice(['', '-sql', '-sqlx', '-oracle'])}"
    mode = random_.choice(
        ["AutomaticByPlatform", "AutomaticByOS", "Manual", None]
        if windows
        else ["AutomaticByPlatform", "ImageDefault", None]
    )
    settings: Row = {}
    if mode:
        settings["patchMode"] = mode
        settings["assessmentMode"] = random_.choice(["ImageDefault", "AutomaticByPlatform"])
    if mode == "AutomaticByPlatform":
        settings["automaticByPlatformSettings"] = {"bypassPlatformSafetyChecksOnUserSchedule": random_.random() < 0.6}
    conf: Row = {"provisionVMAgent": True, "patchSettings": settings} if settings else {"provisionVMAgent": True}
    if windows:
        conf["enableAutomaticUpdates"] = random_.random() < 0.5
    profile: Row | None = {"computerName": name, ("windowsConfiguration" if windows else "linuxConfiguration"): conf}
    if random_.random() < 0.1:
        profile = random_.choice([None, {"computerName": name}])
    properties: Row = {
        "timeCreated": f"2024-{random_.randint(1, 12):02d}-{random_.randint(1, 28):02d}T{random_.randint(0, 23):02d}:05:06.{random_.randint(0, 9999999):07d}Z",
        "hardwareProfile": {"vmSize": random_.choice(["Standard_D2s_v5", "Standard_B2ms"])},
        "storageProfile": {
            "osDisk": {"osType": "Windows" if windows else "Linux"},
            "dataDisks": [
                {"lun": lun, "name": f"{name}-d{lun}", "diskSizeGB": random_.choice([32, 64, 128])}
                for lun in range(random_.randint(0, 3))
            ],
        },
        "networkProfile": {"networkInterfaces": [{"id": f"/nics/{name}"}]} if random_.random() < 0.9 else {},
        "extended": {
            "instanceView": {
                "powerState": {"code": f"PowerState/{random_.choice(['running', 'deallocated', 'stopped'])}"}
            }
        },
    }
    if profile is not None:
        properties["osProfile"] = profile
    tags: Row | None = random_.choice(
        [None, {}, {"env": "prod"}, {"env": "Prod", "Patch Group": "ring1"}, {"env": "dev", "Patch Group": "ring2"},
         {"meta": json.dumps({"app": "shop", "tier": random_.randint(1, 2)})}]
    )  # fmt: skip
    identifier = (
        f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}"
    )
    zones = random_.choice([None, ["1"], ["2"], [], ["1", "2"]])
    return row(
        identifier, name, "microsoft.compute/virtualmachines", subscription, group, random_.choice(LOCATIONS),
        properties=properties, tags=tags, zones=zones,
    )  # fmt: skip


def _others(machines: list[Row]) -> list[Row]:
    found: list[Row] = []
    for number, machine in enumerate(machines[:40]):
        subscription, group = str(machine["subscriptionId"]), str(machine["resourceGroup"])
        scope = f"/subscriptions/{subscription}/resourceGroups/{group}/providers"
        found.append(
            row(f"{scope}/Microsoft.Compute/disks/disk{number}", f"disk{number}", "microsoft.compute/disks", subscription,
                group, str(machine["location"]), sku={"name": "Premium_LRS"}, properties={"diskSizeGB": 64 + number})
        )  # fmt: skip
        if number % 2 == 0:
            arc: Row = {"osType": random.Random(number).choice(["windows", "linux"]), "status": "Connected"}
            conf = "windowsConfiguration" if arc["osType"] == "windows" else "linuxConfiguration"
            arc["osProfile"] = {conf: {"patchSettings": {"patchMode": "Manual", "assessmentMode": "ImageDefault"}}}
            found.append(
                row(f"{scope}/Microsoft.HybridCompute/machines/arc{number}", f"arc{number}",
                    "microsoft.hybridcompute/machines", subscription, group, LOCATIONS[number % 3], properties=arc)
            )  # fmt: skip
    for number in range(3):
        subscription = SUBSCRIPTIONS[number]
        found.append(
            row(f"/subscriptions/{subscription}/resourceGroups/rg-patch/providers/microsoft.maintenance/maintenanceconfigurations/mc{number}",
                f"mc{number}", "microsoft.maintenance/maintenanceconfigurations", subscription, "rg-patch", "eastus",
                properties={"maintenanceScope": "InGuestPatch", "maintenanceWindow": {"recurEvery": ["Day", "3Days", "Week Friday"][number]}})
        )  # fmt: skip
    return found


def _containers() -> list[Row]:
    found = []
    chains = [["corp", "root"], ["Corp", "Root"], ["sandbox"]]
    for number, subscription in enumerate(SUBSCRIPTIONS):
        chain = [{"name": name, "displayName": f"{name} group"} for name in chains[number]]
        found.append(
            row(f"/subscriptions/{subscription}", f"Subscription {number}", "microsoft.resources/subscriptions", subscription,
                properties={"state": "Enabled", "managementGroupAncestorsChain": chain})
        )  # fmt: skip
        for group in range(4):
            found.append(
                row(f"/subscriptions/{subscription}/resourceGroups/rg-app{group}", f"rg-app{group}",
                    "microsoft.resources/subscriptions/resourcegroups", subscription, f"rg-app{group}", "eastus",
                    tags={"env": ["prod", "dev"][group % 2]})
            )  # fmt: skip
    return found


def _assignments(machines: list[Row]) -> list[Row]:
    found = []
    for number, machine in enumerate(machines):
        if number % 5 not in {0, 2}:
            continue
        subscription = str(machine["subscriptionId"])
        target = f"/subscriptions/{subscription}/resourceGroups/rg-patch/providers/Microsoft.Maintenance/maintenanceConfigurations/mc{number % 3}"
        for extra in range(1 + (number % 10 == 0)):
            found.append(
                row(f"{str(machine['id']).lower()}/providers/Microsoft.Maintenance/configurationAssignments/a{number}-{extra}",
                    f"a{number}-{extra}", "microsoft.maintenance/configurationassignments", subscription,
                    properties={"resourceId": str(machine["id"]).lower(),
                                "maintenanceConfigurationId": target.lower() if not extra else target.replace("mc0", "mc1")})
            )  # fmt: skip
    return found


def _assessments(random_: random.Random, machines: list[Row]) -> list[Row]:
    found = []
    for number, machine in enumerate(machines):
        if number % 4 == 3:
            continue
        counts = {"critical": random_.randint(0, 3), "security": random_.randint(0, 9), "other": 1}
        found.append(
            row(f"{machine['id']}/patchAssessmentResults/latest", "latest",
                "microsoft.compute/virtualmachines/patchassessmentresults", str(machine["subscriptionId"]),
                properties={"status": random_.choice(["Succeeded", "Failed"]), "rebootPending": random_.random() < 0.3,
                            "lastModifiedDateTime": f"2026-11-{number % 28 + 1:02d}T04:{number % 60:02d}:07.1234567Z",
                            "availablePatchCountByClassification": counts})
        )  # fmt: skip
    return found


def estate(count: int = 120, seed: int = 7) -> Tables:
    """Every table, with `count` machines in `resources`."""
    random_ = random.Random(seed)
    machines = [_machine(random_, number) for number in range(count)]
    return {
        "resources": machines + _others(machines),
        "resourcecontainers": _containers(),
        "maintenanceresources": _assignments(machines),
        "patchassessmentresources": _assessments(random_, machines),
    }
