# ruff: noqa: E501, PERF401 - queries and rows read better on one line
"""What each published query must answer, computed from the rows in plain Python, without the evaluator.

One function a query, named like it; each takes the tables and gives the rows as tuples, in order where the query orders.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from tests.emulator.kql.estate import Row, Tables

Answer = list[tuple[object, ...]]
VM = "microsoft.compute/virtualmachines"
ARC = "microsoft.hybridcompute/machines"


def dig(value: object, path: str) -> object:
    """Follow a dotted path; what is not there is None."""
    for key in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def text(value: object) -> str:
    """Write a JSON value as tostring() does."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def vms(tables: Tables) -> list[Row]:
    return [row for row in tables["resources"] if row["type"] == VM]


def subscriptions(tables: Tables) -> list[Row]:
    return [row for row in tables["resourcecontainers"] if row["type"] == "microsoft.resources/subscriptions"]


def os_type(row: Row) -> str:
    return text(dig(row, "properties.storageProfile.osDisk.osType"))


def mode_of(row: Row) -> str:
    for conf in ("windowsConfiguration", "linuxConfiguration"):
        if found := text(dig(row, f"properties.osProfile.{conf}.patchSettings.patchMode")):
            return found
    return ""


def q01(t: Tables) -> Answer:
    keys = ("id", "name", "location", "subscriptionId", "resourceGroup")
    return sorted(tuple(row[key] for key in keys) for row in vms(t))


def q02(t: Tables) -> Answer:
    path = "properties.osProfile.windowsConfiguration.patchSettings.patchMode"
    return sorted((row["id"], row["name"], text(dig(row, path))) for row in vms(t) if dig(row, path))


def q03(t: Tables) -> Answer:
    counts = Counter(mode_of(row) or "unset" for row in vms(t))
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


def q04(t: Tables) -> Answer:
    found = []
    for row in vms(t):
        conf = "windowsConfiguration" if os_type(row) == "Windows" else "linuxConfiguration"
        settings = dig(row, f"properties.osProfile.{conf}.patchSettings")
        bypass = dig(settings, "automaticByPlatformSettings.bypassPlatformSafetyChecksOnUserSchedule")
        if dig(settings, "patchMode") == "AutomaticByPlatform" and bypass is True:
            found.append((row["name"], os_type(row), True))
    return found


def q05(t: Tables) -> Answer:
    verdicts = {
        "AutomaticByPlatform": "ready",
        "": "unknown",
        "Manual": "windows-managed",
        "AutomaticByOS": "windows-managed",
    }
    counts = Counter((verdicts.get(mode_of(row), "image-default"), row["location"]) for row in vms(t))
    return [(*key, number) for key, number in counts.items()]


def q06(t: Tables) -> Answer:
    return [(*key, number) for key, number in Counter((row["subscriptionId"], os_type(row)) for row in vms(t)).items()]


def q07(t: Tables) -> Answer:
    groups = defaultdict(list)
    for row in vms(t):
        groups[row["subscriptionId"]].append(row)
    found = []
    for subscription, rows in groups.items():
        ready = sum(mode_of(row) == "AutomaticByPlatform" for row in rows)
        pct = int(100.0 * ready / len(rows) * 100 + 0.5) / 100
        found.append((subscription, len(rows), ready, len({row["location"] for row in rows}), pct))
    return sorted(found, key=lambda each: (-each[4], each[0]))


def q08(t: Tables) -> Answer:
    configs = defaultdict(list)
    for row in t["maintenanceresources"]:
        configs[str(dig(row, "properties.resourceId")).lower()].append(
            str(dig(row, "properties.maintenanceConfigurationId")).lower()
        )
    return sorted((row["name"], config) for row in vms(t) for config in configs.get(str(row["id"]).lower()) or [""])


def q09(t: Tables) -> Answer:
    hits = defaultdict(set)
    for row in t["maintenanceresources"]:
        hits[str(dig(row, "properties.maintenanceConfigurationId")).lower()].add(dig(row, "properties.resourceId"))
    return sorted(
        (row["name"], dig(row, "properties.maintenanceScope"), dig(row, "properties.maintenanceWindow.recurEvery"), len(hits[str(row["id"]).lower()]))
        for row in t["resources"]
        if row["type"] == "microsoft.maintenance/maintenanceconfigurations" and str(row["id"]).lower() in hits
    )  # fmt: skip


def q10(t: Tables) -> Answer:
    names = {row["subscriptionId"]: row["name"] for row in subscriptions(t)}
    return sorted(Counter(names.get(row["subscriptionId"], "") for row in vms(t)).items())


def q11(t: Tables) -> Answer:
    found = {row["subscriptionId"]: row for row in subscriptions(t)}
    # The default of the left side's properties is the disk's, so properties1 is the subscription's.
    return sorted(
        (row["id"], found[row["subscriptionId"]]["name"], "Enabled")
        for row in t["resources"]
        if row["type"] == "microsoft.compute/disks"
    )


def q12(t: Tables) -> Answer:
    found = []
    for row in vms(t):
        for disk in dig(row, "properties.storageProfile.dataDisks") or []:
            found.append((row["name"], disk["lun"], disk["name"], disk["diskSizeGB"]))
    return sorted(found)


def q13(t: Tables) -> Answer:
    return list(Counter(zone for row in vms(t) for zone in ([""] if row["zones"] is None else row["zones"])).items())


def q14(t: Tables) -> Answer:
    counts = Counter(key for row in vms(t) if row["tags"] is not None for key in row["tags"])
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


def q15(t: Tables) -> Answer:
    counts = Counter(
        (row["type"], row["location"])
        for row in t["resources"]
        if row["type"] in {VM, ARC} and row["location"] == "northeurope"
    )
    return [(*key, number) for key, number in counts.items()]


def q16(t: Tables) -> Answer:
    return sorted(
        (row["name"],)
        for row in vms(t)
        if "sql" in str(row["name"]) and row["resourceGroup"] == "rg-app1" and not str(row["name"]).endswith("-sqlx")
    )


def q17(t: Tables) -> Answer:
    return sorted(
        (row["name"],)
        for row in vms(t)
        if row["resourceGroup"] in {"rg-app0", "rg-app2"} and re.match(r"vm\d{3}00\d", str(row["name"]))
    )


def q18(t: Tables) -> Answer:
    return [(*key, n) for key, n in Counter((row["subscriptionId"], row["resourceGroup"]) for row in vms(t)).items()]


def q19(t: Tables) -> Answer:
    metas = [json.loads(row["tags"]["meta"]) for row in vms(t) if dig(row, "tags.meta")]
    return [(*key, number) for key, number in Counter((meta["app"], meta["tier"]) for meta in metas).items()]


def q20(t: Tables) -> Answer:
    days = [str(dig(row, "properties.timeCreated"))[:10] for row in vms(t)]
    counts = Counter(day for day in days if "2024-06-01" <= day < "2024-09-01")
    return sorted((f"{day}T00:00:00.0000000Z", number) for day, number in counts.items())


def q21(t: Tables) -> Answer:
    path = "properties.osProfile.windowsConfiguration.enableAutomaticUpdates"
    return sorted((row["name"],) for row in vms(t) if os_type(row) == "Windows" and dig(row, path) is False)


def q22(t: Tables) -> Answer:
    path = "properties.osProfile.windowsConfiguration.patchSettings.patchMode"
    return [(sum(dig(row, path) != "AutomaticByPlatform" for row in vms(t)),)]


def q23(t: Tables) -> Answer:
    return sorted(
        (row["name"],)
        for row in vms(t)
        if not any(dig(row, f"properties.osProfile.{conf}") for conf in ("windowsConfiguration", "linuxConfiguration"))
    )


def q24(t: Tables) -> Answer:
    found = []
    for row in vms(t):
        if ring := (row["tags"] or {}).get("Patch Group"):
            nics = dig(row, "properties.networkProfile.networkInterfaces") or [{"id": ""}]
            found.append((row["name"], ring, dig(row, "properties.hardwareProfile.vmSize"), nics[0]["id"]))
    return sorted(found)


def q25(t: Tables) -> Answer:
    return sorted(Counter(len(dig(row, "properties.storageProfile.dataDisks")) for row in vms(t)).items())


def q26(t: Tables) -> Answer:
    return sorted({(row["type"],) for row in t["resources"]})


def q27(t: Tables) -> Answer:
    counts = "properties.availablePatchCountByClassification"
    scored = [
        (row["id"], 10 * dig(row, f"{counts}.critical") + dig(row, f"{counts}.security"))
        for row in t["patchassessmentresources"]
    ]
    return sorted(scored, key=lambda each: (-each[1], each[0]))[:10]


def q27b(t: Tables) -> Answer:
    return [(name,) for name in sorted((row["name"] for row in vms(t)), reverse=True)[:5]]


def q28(t: Tables) -> Answer:
    arc = sum(row["type"] == ARC for row in t["resources"])
    return [(ARC, arc), ("microsoft.resources/subscriptions", len(subscriptions(t)))]


def q29(t: Tables) -> Answer:
    groups = defaultdict(list)
    for row in t["patchassessmentresources"]:
        groups[row["subscriptionId"]].append(row)
    return sorted(
        (key, max(dig(row, "properties.lastModifiedDateTime") for row in rows), len({dig(row, "properties.status") for row in rows}))
        for key, rows in groups.items()
    )  # fmt: skip


def q30(t: Tables) -> Answer:
    return [(len(vms(t)),)]


def q31(t: Tables) -> Answer:
    path = "properties.osProfile.windowsConfiguration.patchSettings.patchMode"
    return [(sum(dig(row, path) == "AutomaticByPlatform" for row in vms(t)),)]


def q32(t: Tables) -> Answer:
    path = "properties.osProfile.windowsConfiguration.patchSettings"
    rows = sorted(vms(t), key=lambda row: row["name"])
    return [(row["name"], dig(row, path), row["tags"]) for row in rows][:50]


def q33(t: Tables) -> Answer:
    groups: dict[object, list[int]] = defaultdict(lambda: [0, 0])
    for row in vms(t):
        running = dig(row, "properties.extended.instanceView.powerState.code") == "PowerState/running"
        groups[row["resourceGroup"]][not running] += 1
    return sorted((key, *counts) for key, counts in groups.items())


def q34(t: Tables) -> Answer:
    rows = [
        row
        for row in t["resourcecontainers"]
        if row["type"].endswith("/resourcegroups") and row["tags"]["env"] == "prod"
    ]
    keys = ("id", "name", "type", "location", "resourceGroup", "subscriptionId", "extendedLocation")
    return sorted(((*(row[key] for key in keys), "prod") for row in rows), key=lambda each: each[0])


def q35(t: Tables) -> Answer:
    return sorted(Counter(row["resourceGroup"] for row in vms(t)).items())


def q36(t: Tables) -> Answer:
    found = []
    for row in vms(t):
        terms = set(re.findall(r"[a-z0-9]+", str(row["name"]).lower()))
        if terms & {"sql", "oracle"}:
            meta = {"sub": row["subscriptionId"], "n": len(str(row["name"]))}
            found.append((f"{row['name']}@{str(row['location']).upper()}", meta))
    return sorted(found, key=lambda each: each[0])


def q37(t: Tables) -> Answer:
    return sorted(
        (row["subscriptionId"], group["displayName"])
        for row in subscriptions(t)
        for group in dig(row, "properties.managementGroupAncestorsChain")
        if group["name"].lower() == "corp"
    )


def q38(t: Tables) -> Answer:
    counts: Counter[tuple[object, ...]] = Counter()
    for row in t["resources"]:
        if row["type"] not in {VM, ARC}:
            continue
        system = os_type(row) if row["type"] == VM else text(dig(row, "properties.osType"))
        conf = "windowsConfiguration" if system.lower() == "windows" else "linuxConfiguration"
        counts[
            (row["type"], system.lower(), text(dig(row, f"properties.osProfile.{conf}.patchSettings.patchMode")))
        ] += 1
    return [(*key, number) for key, number in counts.items()]


def q39(t: Tables) -> Answer:
    counts = Counter(text(dig(row, "tags.env")).lower() for row in vms(t))
    return sorted((key, number, min(number, 3)) for key, number in counts.items())


def q40(t: Tables) -> Answer:
    assigned = {str(dig(row, "properties.resourceId")).lower() for row in t["maintenanceresources"]}
    critical = {
        str(row["id"]).split("/patchAssessmentResults/", maxsplit=1)[0].lower(): dig(row, "properties.availablePatchCountByClassification.critical")
        for row in t["patchassessmentresources"]
    }  # fmt: skip
    names = {row["subscriptionId"]: row["name"] for row in subscriptions(t)}
    groups: dict[tuple[object, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in vms(t):
        group = groups[(names[row["subscriptionId"]], mode_of(row))]
        group[0] += 1
        group[1] += str(row["id"]).lower() not in assigned
        group[2] += critical.get(str(row["id"]).lower()) or 0
    return sorted((*key, *counts) for key, counts in groups.items())


def all_oracles() -> Iterator[tuple[str, Callable[[Tables], Answer]]]:
    """Every oracle with the number of its query."""
    for name, value in globals().items():
        if re.fullmatch(r"q\d\d\w?", name):
            yield name, value
