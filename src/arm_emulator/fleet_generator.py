"""Fleets of any size, mixed as real ones are, the same for the same seed. Written as a stream: memory does not grow."""

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from arm_emulator.demo_fleet import BY_PLATFORM, SCHEDULED
from arm_emulator.directory import DEFAULT_TENANT
from arm_emulator.estates import EstateFleet, subscription_ids
from arm_emulator.fleet_documents import IMAGES, Json, Machine, group_id, machine_document
from arm_emulator.fleets import group_document
from arm_emulator.schedules_fleet import assignment_document, configuration_document, dynamic_document
from arm_emulator.state import Document

MACHINES_PER_GROUP = 40
_ASSIGNED_SHARE = 0.3
_REGIONS = ("westeurope", "northeurope", "eastus2")
_IMAGES = ("ws2022", "ws2019", "sql2022", "ubuntu2204", "ubuntu2404", "rhel9", "sles15", "debian12")
_IMAGE_WEIGHTS = (30, 12, 6, 25, 6, 12, 5, 4)
_ODD = ("plain", "deallocated", "specialised", "hotpatch", "failed", "no-agent", "no-extensions", "flex", "unsupported")
_ODD_WEIGHTS = (850, 60, 20, 20, 8, 10, 6, 16, 10)
_PATCHES: tuple[Json | None, ...] = (None, BY_PLATFORM, SCHEDULED)
_PATCH_WEIGHTS = (70, 18, 12)
_HOTPATCH: Json = {
    "patchMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": False},
    "assessmentMode": "ImageDefault",
    "enableHotpatching": True,
}


_RECURRENCES = ("Day", "Week Saturday", "Week Sunday", "2Weeks Saturday", "Month Second Tuesday Offset4", "Month day15")
_ZONES = ("UTC", "W. Europe Standard Time", "Pacific Standard Time")


def schedule_documents(
    *, machines: int, subscriptions: int, seed: int, schedules: int, scopes: int
) -> Iterator[Document]:
    """Maintenance configurations, static assignments and dynamic scopes for a fleet of ``documents``.

    Args:
        machines: how many the fleet has; about a third get a static assignment, whatever their settings are.
        subscriptions: over how many.
        seed: the same seed makes the same schedules.
        schedules: how many configurations, spread over the subscriptions; 0 makes nothing at all.
        scopes: how many dynamic scopes, at subscriptions and at resource groups, by tags, OS or region.
    """
    if not schedules:
        return
    draw = random.Random(seed + 1)  # noqa: S311  repeatable on purpose, no secret
    ids = subscription_ids(subscriptions)
    names = []
    for number in range(schedules):
        group = group_id(ids[number % subscriptions], "rg-schedules")
        names.append(f"{group}/providers/Microsoft.Maintenance/maintenanceConfigurations/mc-{number:04d}")
        starts = f"2024-0{draw.randint(1, 9)}-{draw.randint(1, 28):02d} {draw.randint(0, 23):02d}:00"
        yield configuration_document(
            names[-1], recur_every=draw.choice(_RECURRENCES), starts=starts, zone=draw.choice(_ZONES)
        )
    for number in range(machines):
        if draw.random() < _ASSIGNED_SHARE:
            group = group_id(ids[number * subscriptions // machines], f"rg-fleet-{number // MACHINES_PER_GROUP:04d}")
            machine = f"{group}/providers/Microsoft.Compute/virtualMachines/vm-{number:06d}"
            yield assignment_document(machine, "generated", draw.choice(names))
    for number in range(scopes):
        subscription = ids[number % subscriptions]
        first = -(-(number % subscriptions) * machines // subscriptions)
        place = f"/subscriptions/{subscription}"
        if machines and draw.random() < 0.5:
            group_number = draw.randint(first, max(first, first + machines // subscriptions - 1)) // MACHINES_PER_GROUP
            place = group_id(subscription, f"rg-fleet-{group_number:04d}")
        yield dynamic_document(place, f"scope-{number:04d}", draw.choice(names), draw.choice(_filters(draw)))


def _filters(draw: random.Random) -> list[Json]:
    return [
        {"tagSettings": {"tags": {"ring": [str(draw.randint(1, 4))]}, "filterOperator": "All"}},
        {"tagSettings": {"tags": {"env": ["prod"], "ring": ["1", "2"]}, "filterOperator": "Any"}},
        {"osTypes": ["Windows"], "locations": [_REGIONS[draw.randrange(len(_REGIONS))]]},
        {"resourceTypes": ["microsoft.compute/virtualmachines"], "osTypes": ["Linux"]},
    ]


def documents(*, machines: int, subscriptions: int, seed: int, plain: bool = False) -> Iterator[Document]:
    """The fleet's resources: each resource group just before its first machine.

    Args:
        machines: how many in all, spread evenly.
        subscriptions: over how many.
        seed: the same seed makes the same fleet.
        plain: only running machines that can be set (for benchmarks).
    """
    draw = random.Random(seed)  # noqa: S311  repeatable on purpose, no secret
    ids = subscription_ids(subscriptions)
    for number in range(machines):
        subscription = ids[number * subscriptions // machines]
        group = f"rg-fleet-{number // MACHINES_PER_GROUP:04d}"
        if number % MACHINES_PER_GROUP == 0 or subscription != ids[(number - 1) * subscriptions // machines]:
            yield group_document(group_id(subscription, group), group, "westeurope")
        yield machine_document(_machine(draw, subscription, group, number, plain=plain))


def fleet_document(
    *, machines: int, subscriptions: int, seed: int, plain: bool = False, schedules: int = 0, scopes: int = 0
) -> dict[str, Any]:
    """The whole fleet in memory, for tests and benchmarks; arguments as for the two functions above."""
    made = documents(machines=machines, subscriptions=subscriptions, seed=seed, plain=plain)
    more = schedule_documents(
        machines=machines, subscriptions=subscriptions, seed=seed, schedules=schedules, scopes=scopes
    )
    return {"subscriptions": _subscriptions(subscriptions), "resources": [*made, *more]}


def write_fleet(
    path: Path, *, machines: int, subscriptions: int, seed: int, schedules: int = 0, scopes: int = 0
) -> None:
    """Write a fleet file; arguments as for ``fleet_document``.

    Raises:
        OSError: when it cannot be written; nothing is left at ``path`` then.
    """
    made = documents(machines=machines, subscriptions=subscriptions, seed=seed)
    more = schedule_documents(
        machines=machines, subscriptions=subscriptions, seed=seed, schedules=schedules, scopes=scopes
    )
    _write(path, {"subscriptions": _subscriptions(subscriptions)}, chain(made, more), dict)


def write_estate(path: Path, fleet: EstateFleet) -> None:
    """Write the fleet file of an estate.

    Raises:
        OSError: when it cannot be written; nothing is left at ``path`` then.
    """
    _write(path, fleet.head(), fleet.resources(), fleet.tail)


def _write(path: Path, head: Json, resources: Iterable[Document], tail: Callable[[], Json]) -> None:
    """Write a fleet document, whose last members are asked for when the resources have been made."""
    partial = path.with_name(path.name + ".partial")
    encoder = msgspec.json.Encoder()
    with partial.open("wb") as out:
        out.write(b"{" + b"".join(_members(head)) + b'"resources":[\n')
        for number, document in enumerate(resources):
            out.write((b",\n" if number else b"") + encoder.encode(document))
        out.write(b"\n]" + b"".join(b"," + member.rstrip(b",") for member in _members(tail())) + b"}\n")
    partial.replace(path)


def _members(given: Json) -> Iterator[bytes]:
    for name, value in given.items():
        yield msgspec.json.encode(name) + b":" + msgspec.json.encode(value) + b","


def _subscriptions(count: int) -> list[Json]:
    return [
        {"subscriptionId": id_, "displayName": f"Fleet {number:02d}", "tenantId": DEFAULT_TENANT}
        for number, id_ in enumerate(subscription_ids(count), 1)
    ]


def _machine(draw: random.Random, subscription: str, group: str, number: int, *, plain: bool) -> Machine:
    image = draw.choices(_IMAGES, _IMAGE_WEIGHTS)[0]
    odd = "plain" if plain else draw.choices(_ODD, _ODD_WEIGHTS)[0]
    given: dict[str, Any] = {
        "image": image,
        "patch": draw.choices(_PATCHES, _PATCH_WEIGHTS)[0],
        "location": _REGIONS[0] if plain else draw.choices(_REGIONS, (70, 20, 10))[0],
        "etag": draw.randint(1, 9),
        "tags": {"env": draw.choice(("prod", "test", "dev")), "ring": str(draw.randint(1, 4))},
        **_oddities(odd, subscription, group),
    }
    system = given.get("os") or IMAGES[given["image"]][4]
    given["extensions"] = (
        tuple((name, "Succeeded") for name in (f"AzureMonitor{system}Agent", f"MDE.{system}"))
        if draw.random() < 0.8
        else ()
    )
    return Machine(subscription, group, f"vm-{number:06d}", **given)


def _oddities(odd: str, subscription: str, group: str) -> dict[str, Any]:
    scale_set = f"{group_id(subscription, group)}/providers/Microsoft.Compute/virtualMachineScaleSets/flex"
    known: dict[str, dict[str, Any]] = {
        "plain": {},
        "deallocated": {"power": "deallocated"},
        "specialised": {
            "image": "",
            "os": "Windows",
            "os_name": "Windows Server 2022 Datacenter",
            "is_attached": True,
            "has_os_profile": False,
            "patch": None,
        },
        "hotpatch": {"image": "ws2022-hotpatch", "patch": _HOTPATCH},
        "failed": {"provisioning": "Failed"},
        "no-agent": {"agent": "", "image": "debian12", "patch": None},
        "no-extensions": {"extensions_allowed": False},
        "flex": {"properties": {"virtualMachineScaleSet": {"id": scale_set}, "platformFaultDomain": 0}},
        "unsupported": {"image": "appliance", "patch": None},
    }
    return known[odd]
