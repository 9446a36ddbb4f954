"""Estates to rehearse on: generated fleets that hold what real ones do, in stated shares, with some days behind them.

Every count is exact and not drawn: of so many machines so many are of each kind, at least one of every kind that the
estate has; the seed only says which. Everything is made as a stream, so memory grows by some bytes a machine.

The shares are chosen, not measured: no public figures say how common these states are. What a machine is like and what
fails on it, with which code, has the source that is named beside it.
"""

import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from arm_emulator.directory import DEFAULT_TENANT
from arm_emulator.estate_patching import OWNER, Schedules, troubles_of
from arm_emulator.fleet_documents import (
    IMAGES,
    Json,
    Machine,
    arc_document,
    arc_extension_document,
    deny_document,
    group_id,
    lock_document,
    machine_document,
    scale_set_document,
    support_document,
)
from arm_emulator.fleets import group_document
from arm_emulator.state import Document

MACHINES_PER_GROUP = 20
_SERVER = "Windows Server 2022 Datacenter"
_ROLES = ("web", "app", "api", "sql", "file", "batch")
_ENVIRONMENTS = ("prod", "prod", "test", "dev")


@dataclass(frozen=True, slots=True)
class Estate:
    """What one estate has. Shares are of a thousand; what they leave is plain servers with default settings."""

    holds: str
    """In a few words."""
    machines: int
    subscriptions: int
    regions: tuple[str, ...]
    """The first has most machines."""
    windows: int
    """Of a thousand servers from a public image."""
    schedules: int
    scopes: int
    past_days: int
    column: int
    """Its column in the tables of shares."""


ESTATES: Mapping[str, Estate] = {
    "small": Estate(
        "one subscription of a small firm in one region: mostly Windows, a handful of schedules",
        60, 1, ("westeurope",), 700, 8, 1, 14, 0,
    ),
    "mixed": Estate(
        "four subscriptions in three regions, Windows and Linux alike, scale sets, AKS, Arc servers",
        400, 4, ("westeurope", "northeurope", "eastus2"), 500, 24, 5, 14, 1,
    ),
    "enterprise": Estate(
        "twenty subscriptions under management groups on four continents, one of them disabled",
        5000, 20, ("westeurope", "eastus2", "northeurope", "southeastasia", "australiaeast", "brazilsouth"),
        450, 80, 20, 14, 2,
    ),
}  # fmt: skip

KINDS: Mapping[str, tuple[int, int, int]] = {
    "deallocated": (50, 60, 60),
    "stopped": (17, 10, 10),
    "agent-silent": (17, 10, 8),
    "no-agent": (0, 8, 4),
    "no-extensions": (0, 6, 4),
    "specialised-windows": (17, 12, 12),
    "specialised-linux": (17, 10, 10),
    "hotpatch": (17, 12, 15),
    "client": (34, 12, 10),
    "appliance": (17, 10, 8),
    "excluded-image": (0, 8, 5),
    "gallery-image": (0, 30, 60),
    "found-unsupported": (0, 6, 4),
    "flexible-member": (0, 30, 40),
    "aks-node": (0, 15, 20),
    "databricks-node": (0, 8, 8),
    "provisioning-failed": (17, 8, 5),
    "updating": (0, 5, 3),
    "broken-patch-extension": (17, 10, 8),
    "arc-connected": (50, 90, 80),
    "arc-disconnected": (17, 15, 20),
    "arc-expired": (0, 8, 10),
}
"""Kind of machine → its share in ``small``, ``mixed`` and ``enterprise``."""

MODES: Mapping[str, tuple[int, int, int]] = {
    "manual": (60, 60, 70),
    "platform": (90, 110, 110),
    "platform-bypass-false": (17, 20, 20),
    "platform-reboot": (17, 30, 30),
    "platform-empty-block": (0, 8, 5),
    "scheduled": (330, 290, 360),
    "scheduled-never-reboot": (17, 30, 30),
    "scheduled-always-reboot": (0, 10, 10),
    "bypass-alone": (0, 5, 5),
    "unset": (34, 20, 15),
}
"""How patches are orchestrated → its share; what is left has its system's default (AutomaticByOS, ImageDefault)."""

EXTENSIONS: Mapping[str, tuple[int, int, int]] = {
    "Failed": (34, 20, 15),
    "Updating": (17, 10, 5),
    "Creating": (0, 5, 3),
    "Deleting": (0, 5, 2),
}
"""Provisioning state of the monitoring agent → its share; it has Succeeded on what is left.

Source: recorded extensions; ``Deleting`` is recorded of machines alone (and in "States and billing status of Azure
Virtual Machines"), that an extension shows it is supposed."""

ATTACHED: Mapping[str, float] = {
    "scheduled": 0.85,
    "platform": 0.05,
    "default": 0.06,
    "cannot-be-patched": 0.05,
    "arc": 0.5,
    "off": 0.2,
}
"""The share of machines with a schedule of their own, by how they are set: the second and third fail on the
prerequisite."""

TROUBLED = 0.12
"""The share of prepared machines with a schedule on which installing updates fails, always or now and then."""
_ASSESSED_ON_DEMAND = 0.1
"""The share of other machines that somebody had assessed, one to six days ago."""

_CANNOT_BE_PATCHED = frozenset(
    {"client", "appliance", "excluded-image", "found-unsupported", "aks-node", "databricks-node", "flexible-member",
     "no-agent", "no-extensions", "provisioning-failed", "updating", "broken-patch-extension", "hotpatch",
     "specialised-windows", "specialised-linux"}
)  # fmt: skip
_OFF = frozenset({"deallocated", "stopped", "agent-silent"})
_WINDOWS_IMAGES = ("ws2022", "ws2022", "ws2022", "ws2019", "sql2022")
_LINUX_IMAGES = ("ubuntu2204", "ubuntu2204", "ubuntu2404", "rhel9", "rhel9", "sles15", "debian12")
_BYPASS = "bypassPlatformSafetyChecksOnUserSchedule"


def estate_settings(mode: str, assessment: str) -> Json | None:
    """``patchSettings`` of a machine; None: what the service fills in for its system.

    Source: the variants in recorded machines, and the eight user scenarios of the prerequisites' article.
    """
    block: dict[str, Json | None] = {
        "platform": None,
        "platform-bypass-false": {_BYPASS: False},
        "platform-reboot": {"rebootSetting": "IfRequired"},
        "platform-empty-block": {},
        "scheduled": {_BYPASS: True},
        "scheduled-never-reboot": {"rebootSetting": "Never", _BYPASS: True},
        "scheduled-always-reboot": {"rebootSetting": "Always", _BYPASS: True},
    }
    if mode == "unset":
        return {}
    if mode not in block:
        return None
    settings: Json = {"patchMode": "AutomaticByPlatform"}
    if block[mode] is not None:
        settings["automaticByPlatformSettings"] = block[mode]
    return {**settings, "assessmentMode": assessment}


class EstateFleet:
    """One estate, made when it is read: first ``head``, then every one of ``resources``, then ``tail``.

    Args:
        name: a key of ``ESTATES``.
        machines: how many; None: as many as the estate has by default.
        subscriptions: over how many; None: as the estate has.
        seed: the same seed makes the same fleet.
    """

    def __init__(
        self, name: str, *, machines: int | None = None, subscriptions: int | None = None, seed: int = 0
    ) -> None:
        self.estate = estate = ESTATES[name]
        self.machines = estate.machines if machines is None else machines
        self.ids = subscription_ids(subscriptions or estate.subscriptions)
        self._draw = random.Random(f"{name} {seed}")  # noqa: S311  repeatable on purpose, no secret
        self._kinds = dealt(self._draw, self.machines, KINDS, estate.column, "server")
        self._modes = dealt(self._draw, self.machines, MODES, estate.column, "default")
        self._extensions = dealt(self._draw, self.machines, EXTENSIONS, estate.column, "Succeeded")
        self._schedules = Schedules(
            self._draw,
            self.ids,
            count=max(estate.schedules, self.machines // 400),
            scopes=estate.scopes,
            regions=estate.regions,
        )
        self._counts: Counter[str] = Counter()
        self._guests: list[Json] = []
        self._locks: list[Document] = []
        self._denied: list[Document] = []

    def head(self) -> Json:
        """Subscriptions, management groups, and how many days are past."""
        subscriptions: list[Json] = []
        is_large = len(self.ids) > 2
        for number, id_ in enumerate(self.ids, 1):
            entry = {"subscriptionId": id_, "displayName": f"Contoso {number:02d}", "tenantId": DEFAULT_TENANT}
            if is_large:
                entry["managementGroup"] = ("mg-production", "mg-development")[number % 3 == 0]
            subscriptions.append(entry)
        if is_large:
            subscriptions[-1]["unregisteredProviders"] = ["Microsoft.Maintenance"]
        if len(self.ids) > 10:
            subscriptions[-2]["state"] = "Disabled"
        groups: list[Json] = [
            {"name": "mg-contoso", "displayName": "Contoso"},
            {"name": "mg-production", "displayName": "Production", "parent": "mg-contoso"},
            {"name": "mg-development", "displayName": "Development", "parent": "mg-contoso"},
        ]
        return {
            "subscriptions": subscriptions,
            "managementGroups": groups if is_large else [],
            "pastDays": self.estate.past_days,
        }

    def resources(self) -> Iterator[Document]:
        """Schedules, then the groups with their machines, each followed by what belongs to it."""
        yield from self._schedules.configurations()
        known: set[str] = set()
        for number in range(self.machines):
            subscription = self.ids[number * len(self.ids) // self.machines]
            plain = _group_name(number // MACHINES_PER_GROUP)
            kind = self._kinds[number]
            group = {"aks-node": f"MC_{plain}_aks", "databricks-node": f"databricks-{plain}"}.get(kind, plain)
            place = group_id(subscription, group)
            if place not in known:
                known.add(place)
                yield self._group(place, subscription, plain, group)
            yield from self._machine(number, kind, subscription, group, known)
        yield from self._schedules.rest()

    def tail(self) -> Json:
        """Locks, deny assignments and what happens inside machines: known once the resources are made."""
        return {"locks": self._locks, "denyAssignments": self._denied, "guests": self._guests}

    def _group(self, place: str, subscription: str, plain: str, name: str) -> Document:
        document = group_document(place, name, self.estate.regions[0], {"env": "prod"})
        if name == plain:
            number = self._counts["groups"]
            self._counts["groups"] += 1
            if number % 40 == 1:
                self._locks.append(lock_document(place, "keep", "CanNotDelete", "Production."))
            if number % 40 == 3:
                self._locks.append(lock_document(place, "frozen", "ReadOnly", "Audit in progress."))
            return document
        owner = "Microsoft.Databricks/workspaces/analytics"
        title = f"System deny assignment created by managed application {group_id(subscription, plain)}"
        if name.startswith("MC_"):
            owner = "Microsoft.ContainerService/managedClusters/aks"
            title = "System deny assignment created by Azure Kubernetes Service"
        document["managedBy"] = f"{group_id(subscription, plain)}/providers/{owner}"
        self._denied.append(deny_document(place, title))
        return document

    def _machine(self, number: int, kind: str, subscription: str, group: str, known: set[str]) -> Iterator[Document]:
        draw = self._draw
        region = draw.choices(self.estate.regions, [8, *(2 for _ in self.estate.regions[1:])])[0]
        tags = {"env": draw.choice(_ENVIRONMENTS), "ring": str(draw.randint(1, 4))}
        if draw.random() < 0.1:
            tags = draw.choice(({}, {"Env": "Prod"}, {**tags, "owner": OWNER}))
        mode = self._modes[number]
        if kind.startswith("arc-"):
            name = f"onprem-{number:06d}"
            is_windows = draw.randrange(1000) < self.estate.windows
            yield from self._arc(kind, subscription, group, name, is_windows=is_windows, region=region, tags=tags)
            return
        made = _Draft(kind, mode, subscription, group, number, region, tags, self._extensions[number])
        machine = made.machine(draw, self.estate.windows)
        if number == self.machines // 3:
            self._locks.append(lock_document(machine.id, "frozen", "ReadOnly", "Audit in progress."))
        yield from self._around(machine, kind, known)
        yield machine_document(machine)
        if kind == "found-unsupported":
            yield support_document(machine.id, "Unsupported")
        yield from self._attached(machine, kind, mode)

    def _around(self, machine: Machine, kind: str, known: set[str]) -> Iterator[Document]:
        """The scale sets of a group: the one that a member names, and a Uniform one beside it."""
        if kind != "flexible-member":
            return
        for name, orchestration in (("flex", "Flexible"), ("uniform", "Uniform")):
            document = scale_set_document(machine.subscription, machine.group, name, orchestration, machine.location)
            if document["id"] not in known:
                known.add(document["id"])
                yield document

    def _arc(
        self,
        kind: str,
        subscription: str,
        group: str,
        name: str,
        *,
        is_windows: bool,
        region: str,
        tags: dict[str, str],
    ) -> Iterator[Document]:
        os = "windows" if is_windows else "linux"
        status = kind.removeprefix("arc-").capitalize()
        assessment = self._draw.choice(("ImageDefault", "AutomaticByPlatform"))
        document = arc_document(
            subscription, group, name, os=os, assessment=assessment, status=status, location=region, tags=tags
        )
        yield document
        if self._takes("arc-extension", 0.8):
            state = "Failed" if self._takes("arc-extension-failed", 0.05) else "Succeeded"
            yield arc_extension_document(document["id"], os, region, state)
        is_on = status == "Connected"
        if self._takes(kind, ATTACHED["arc" if is_on else "off"]):
            yield self._assigned(document["id"], ("windows" if is_windows else "ubuntu2204") if is_on else "")

    def _attached(self, machine: Machine, kind: str, mode: str) -> Iterator[Document]:
        setting = mode.partition("-")[0]
        word = "cannot-be-patched" if kind in _CANNOT_BE_PATCHED else "off" if kind in _OFF else ""
        word = word or (setting if setting in ATTACHED else "default")
        if self._takes(f"{word} {mode}" if word == setting else word, ATTACHED[word]):
            system = machine.image if machine.os_type == "Linux" else "windows"
            yield self._assigned(machine.id, system if word == "scheduled" else "")
        elif word != "cannot-be-patched" and self._takes("assessed", _ASSESSED_ON_DEMAND):
            self._guests.append({"id": machine.id, "assessedDaysAgo": self._draw.randint(1, 6)})

    def _assigned(self, machine_id: str, system: str) -> Document:
        """A schedule for a machine, on which something goes wrong now and then.

        Args:
            machine_id: which.
            system: as ``troubles_of`` takes it; ``''``: it is not ready to be patched, so nothing gets that far.
        """
        is_troubled = bool(system) and self._takes("trouble", TROUBLED)
        if is_troubled:
            known = troubles_of(system)
            kind = "windows" if system == "windows" else "linux"
            self._guests.append({"id": machine_id, **known[self._counts[f"trouble {kind}"] % len(known)]})
            self._counts[f"trouble {kind}"] += 1
        return self._schedules.assignment(machine_id, is_weekly=is_troubled)

    def _takes(self, what: str, share: float) -> bool:
        """Whether the next one of a sort is taken: the first always, then so many that the share holds."""
        count = self._counts[what]
        self._counts[what] += 1
        return math.ceil(share * (count + 1)) > math.ceil(share * count)


def estate_document(name: str, **size: Any) -> dict[str, Any]:
    """The whole fleet document of an estate in memory; arguments as for ``EstateFleet``."""
    fleet = EstateFleet(name, **size)
    return {**fleet.head(), "resources": list(fleet.resources()), **fleet.tail()}


def subscription_ids(count: int) -> list[str]:
    """Obviously made-up subscription ids."""
    return [f"a0000000-0000-4000-8000-{number:012d}" for number in range(1, count + 1)]


def dealt(
    draw: random.Random, count: int, shares: Mapping[str, tuple[int, int, int]], column: int, rest: str
) -> list[str]:
    """So many words, each as often as its share of a thousand says and at least once, in drawn order.

    Fewer machines than words: the first words, so that the order of a table says what matters most.
    """
    found: list[str] = []
    for word, columns in shares.items():
        if columns[column]:
            found += [word] * max(1, round(columns[column] * count / 1000))
    found = found[:count] + [rest] * (count - len(found))
    draw.shuffle(found)
    return found


def _group_name(number: int) -> str:
    name = f"rg-{_ROLES[number % len(_ROLES)]}-{number:04d}"
    return name.upper() if number % 7 == 3 else name


@dataclass(frozen=True, slots=True)
class _Draft:
    """What is known of a virtual machine before it is made."""

    kind: str
    mode: str
    subscription: str
    group: str
    number: int
    region: str
    tags: dict[str, str] = field(default_factory=dict)
    extension: str = "Succeeded"

    def machine(self, draw: random.Random, windows: int) -> Machine:
        """The machine, with what its kind changes of a plain server."""
        is_windows = draw.randrange(1000) < windows
        given: dict[str, Any] = {
            "image": draw.choice(_WINDOWS_IMAGES if is_windows else _LINUX_IMAGES),
            "patch": estate_settings(self.mode, draw.choice(("ImageDefault", "AutomaticByPlatform"))),
            "etag": draw.choice((None, *range(1, 10))),
            "automatic_updates": self.mode != "manual",
            **self._of_kind(),
        }
        system = given.get("os") or IMAGES[given["image"]][4]
        given["patch"] = self._with_bypass_alone(given["patch"], system)
        extensions = [(f"AzureMonitor{system}Agent", self.extension)]
        if draw.random() < 0.7:
            extensions.append((f"MDE.{system}", "Succeeded"))
        if self.kind == "broken-patch-extension":
            extensions.append((f"{system}PatchExtension", "Failed"))
        elif self.mode.startswith(("platform", "scheduled")) and self.kind not in ("no-agent", "no-extensions"):
            extensions.append((f"{system}PatchExtension", "Succeeded"))
        if self.kind in ("no-agent", "no-extensions"):
            extensions = []
        name = f"{_ROLES[self.number // MACHINES_PER_GROUP % len(_ROLES)]}-{self.number:06d}"
        given = {"tags": self.tags, **given}
        place = (self.subscription, self.group, name)
        return Machine(*place, location=self.region, extensions=tuple(extensions), **given)

    def _with_bypass_alone(self, patch: Json | None, system: str) -> Json | None:
        """The flag beside another mode: the article's scenarios 5 to 8; whether a write of it is taken is a switch."""
        if self.mode != "bypass-alone" or patch is not None or self.kind == "hotpatch":
            return patch
        mode = "AutomaticByOS" if system == "Windows" else "ImageDefault"
        return {"patchMode": mode, "automaticByPlatformSettings": {_BYPASS: True}, "assessmentMode": "ImageDefault"}

    def _of_kind(self) -> dict[str, Any]:
        if self.kind == "server":
            return {}
        unset = {"patch": None, "automatic_updates": True}
        specialised = {"image": "", "is_attached": True, "has_os_profile": False, **unset}
        hotpatch = {**estate_settings("platform-bypass-false", "ImageDefault"), "enableHotpatching": True}  # type: ignore[dict-item]  # never None
        gallery = f"{group_id(self.subscription, 'rg-images')}/providers/Microsoft.Compute/galleries/corp/images/golden"
        scale_set = (
            f"{group_id(self.subscription, self.group)}/providers/Microsoft.Compute/virtualMachineScaleSets/flex"
        )
        known: Mapping[str, dict[str, Any]] = {
            "deallocated": {"power": "deallocated"},
            "stopped": {"power": "stopped"},
            "agent-silent": {"agent": "Not Ready"},
            "no-agent": {"agent": "", "image": "debian12", **unset},
            "no-extensions": {"extensions_allowed": False},
            "specialised-windows": {**specialised, "os": "Windows", "os_name": _SERVER},
            "specialised-linux": {**specialised, "os": "Linux"},
            "hotpatch": {"image": "ws2022-hotpatch", "patch": hotpatch, "automatic_updates": True},
            "client": {"image": "win11", **unset},
            "appliance": {"image": "palo-alto", **unset},
            "excluded-image": {"image": "centos-hpc", **unset},
            "gallery-image": {"image": f"{gallery}-windows", "os": "Windows", "os_name": _SERVER}
            if self.number % 2
            else {"image": f"{gallery}-linux", "os": "Linux", "os_name": "Ubuntu"},
            "flexible-member": {"properties": {"virtualMachineScaleSet": {"id": scale_set}, "platformFaultDomain": 0}},
            "aks-node": {"image": "ubuntu2204", **unset, "tags": {"aks-managed-poolName": "pool1"}},
            "databricks-node": {"image": "ubuntu2204", **unset, "tags": {"Vendor": "Databricks"}},
            "provisioning-failed": {"provisioning": "Failed"},
            "updating": {"provisioning": "Updating"},
        }
        return known.get(self.kind, {})
