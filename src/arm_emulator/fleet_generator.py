"""Fleets of any size, mixed as real ones are, the same for the same seed. Written as a stream: memory does not grow."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from arm_emulator.demo_fleet import BY_PLATFORM, SCHEDULED
from arm_emulator.directory import DEFAULT_TENANT
from arm_emulator.fleet_documents import IMAGES, Json, Machine, group_id, machine_document
from arm_emulator.fleets import group_document
from arm_emulator.state import Document

MACHINES_PER_GROUP = 40
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


def subscription_ids(count: int) -> list[str]:
    """Obviously made-up subscription ids."""
    return [f"a0000000-0000-4000-8000-{number:012d}" for number in range(1, count + 1)]


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


def fleet_document(*, machines: int, subscriptions: int, seed: int, plain: bool = False) -> dict[str, Any]:
    """The whole fleet in memory, for tests and benchmarks; arguments as for ``documents``."""
    made = documents(machines=machines, subscriptions=subscriptions, seed=seed, plain=plain)
    return {"subscriptions": _subscriptions(subscriptions), "resources": list(made)}


def write_fleet(path: Path, *, machines: int, subscriptions: int, seed: int) -> None:
    """Write a fleet file.

    Raises:
        OSError: when it cannot be written; nothing is left at ``path`` then.
    """
    partial = path.with_name(path.name + ".partial")
    encoder = msgspec.json.Encoder()
    with partial.open("wb") as out:
        out.write(b'{"subscriptions":' + encoder.encode(_subscriptions(subscriptions)) + b',"resources":[\n')
        for number, document in enumerate(documents(machines=machines, subscriptions=subscriptions, seed=seed)):
            out.write((b",\n" if number else b"") + encoder.encode(document))
        out.write(b"\n]}\n")
    partial.replace(path)


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
    given["extensions"] = (f"AzureMonitor{system}Agent", f"MDE.{system}") if draw.random() < 0.8 else ()
    return Machine(subscription, group, f"vm-{number:06d}", **given)


def _oddities(odd: str, subscription: str, group: str) -> dict[str, Any]:
    scale_set = f"{group_id(subscription, group)}/providers/Microsoft.Compute/virtualMachineScaleSets/flex"
    known: dict[str, dict[str, Any]] = {
        "plain": {},
        "deallocated": {"power": "deallocated"},
        "specialised": {"image": "", "os": "Windows", "is_attached": True, "has_os_profile": False, "patch": None},
        "hotpatch": {"image": "ws2022-hotpatch", "patch": _HOTPATCH},
        "failed": {"provisioning": "Failed"},
        "no-agent": {"agent": "", "image": "debian12", "patch": None},
        "no-extensions": {"extensions_allowed": False},
        "flex": {"properties": {"virtualMachineScaleSet": {"id": scale_set}, "platformFaultDomain": 0}},
        "unsupported": {"image": "appliance", "patch": None},
    }
    return known[odd]
