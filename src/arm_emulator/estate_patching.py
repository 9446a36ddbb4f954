"""The schedules of an estate, and what fails when they run.

The sentences and codes are Azure's, each with its source; that a machine fails with one of them, and how often, is
chosen.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from arm_emulator.fleet_documents import Json, group_id
from arm_emulator.fleets import group_document
from arm_emulator.schedules_fleet import assignment_document, configuration_document, dynamic_document
from arm_emulator.state import Document

OWNER = 'O\'Brien "ops"'
_WEEKLY = ("Week Saturday", "Week Sunday", "Week Tuesday,Thursday")
_RECURRENCES = (
    "Week Saturday", "Week Wednesday", "2Weeks Saturday", "Month Second Tuesday Offset4",
    "Month Third Saturday", "Month day15",
)  # fmt: skip
_ZONES: Mapping[str, str] = {
    "westeurope": "W. Europe Standard Time",
    "northeurope": "GMT Standard Time",
    "eastus2": "Eastern Standard Time",
    "southeastasia": "Singapore Standard Time",
    "australiaeast": "AUS Eastern Standard Time",
    "brazilsouth": "E. South America Standard Time",
}
"""Region → the Windows name of its time zone. The first of an estate has some in UTC as well."""
_DURATIONS = ("03:00", "03:55", "02:00", "01:30")
_CLASSES = ("Critical", "Security")

PECULIAR: Mapping[str, Json] = {
    "expired": {"starts": "2023-01-07 02:00", "expires": "2024-06-30 00:00", "recur_every": "Week Saturday"},
    "never-comes": {"starts": "2024-02-10 02:00", "recur_every": "12Months day31"},
    "windows-only": {"recur_every": "Week Sunday", "only": "windows"},
    "everything": {"recur_every": "Week Saturday", "only": ""},
    "platform-mode": {"recur_every": "Week Sunday", "mode": "Platform"},
    "host": {"recur_every": "Month Third Sunday", "scope": "Host"},
}
"""What some schedules are: past their end, on a day that no year has, for one system only, without a choice of updates,
in the mode of Azure's own, and of another scope (which takes no machine of ours)."""


class Schedules:
    """The maintenance configurations of an estate, whom they reach, and what is left of some that are gone.

    Args:
        draw: of everything drawn.
        subscriptions: of the estate.
        count: how many configurations.
        scopes: how many dynamic scopes.
        regions: of the estate, each in its own time zone.
    """

    def __init__(
        self, draw: random.Random, subscriptions: Sequence[str], *, count: int, scopes: int, regions: Sequence[str]
    ) -> None:
        self._draw = draw
        self._ids = subscriptions
        self._scopes = scopes
        self._regions = regions
        # Few schedules: what an operator meets first. As many as there are names, and a tenth of the others.
        peculiar = list(PECULIAR)[: max(2, min(len(PECULIAR), count // 4))]
        self._names = [
            *(f"mc-{name}" for name in peculiar),
            *(f"mc-{number:04d}" for number in range(len(peculiar), count)),
        ]
        self._usual = self._names[len(peculiar) :]
        # Every estate has one that runs each day; a third run each week, so that their windows are among the past days.
        self._weekly = self._usual[1::3] or self._usual
        self._reached = [f"mc-{name}" for name in peculiar if name != "host"]
        self._taken = 0

    def configurations(self) -> Iterator[Document]:
        """Every configuration, in a group of its own in each subscription that has one."""
        for number in range(min(len(self._ids), len(self._names))):
            place = group_id(self._ids[number], "rg-schedules")
            yield group_document(place, "rg-schedules", self._regions[0])
        for number, name in enumerate(self._names):
            region = self._regions[number % len(self._regions)]
            yield self._configuration(name, region)

    def _configuration(self, name: str, region: str) -> Document:
        draw = self._draw
        known = PECULIAR.get(name.removeprefix("mc-"), {})
        day, hour = draw.randint(1, 28), draw.choice((20, 21, 22, 1, 2, 3))
        zone = "UTC" if region == self._regions[0] and draw.random() < 0.3 else _ZONES[region]
        made = configuration_document(
            self._id_of(name),
            recur_every=self._recurrence(name, known),
            starts=known.get("starts") or f"2024-0{draw.randint(1, 9)}-{day:02d} {hour:02d}:00",
            zone=zone,
        )
        properties: Json = made["properties"]
        window = {"duration": draw.choice(_DURATIONS), "expirationDateTime": known.get("expires", "9999-12-31 23:59")}
        properties["maintenanceWindow"].update(window)
        classes = {"classificationsToInclude": list(_CLASSES)}
        if known.get("only") == "windows":
            properties["installPatches"] = {"rebootSetting": "IfRequired", "windowsParameters": classes}
        elif "only" in known:
            properties["installPatches"] = {"rebootSetting": draw.choice(("IfRequired", "Never"))}
        if "scope" in known:
            properties.update(maintenanceScope=known["scope"], extensionProperties={})
            del properties["installPatches"]
        if "mode" in known:
            properties["extensionProperties"] = {"InGuestPatchMode": known["mode"]}
        return {**made, "location": region}

    def _recurrence(self, name: str, known: Json) -> str:
        if name == self._usual[0]:
            return "Day"
        drawn = self._draw.choice(_WEEKLY if name in self._weekly else _RECURRENCES)
        return str(known.get("recur_every") or drawn)

    def _id_of(self, name: str) -> str:
        place = group_id(self._ids[self._names.index(name) % len(self._ids)], "rg-schedules")
        return f"{place}/providers/Microsoft.Maintenance/maintenanceConfigurations/{name}"

    def assignment(self, machine_id: str, *, is_weekly: bool) -> Document:
        """A static assignment of a machine: mostly to one of the usual schedules, each peculiar one early on.

        Args:
            machine_id: which.
            is_weekly: to one of the schedules that run every week.
        """
        if is_weekly:
            name = self._draw.choice(self._weekly)
            return assignment_document(machine_id, name.removeprefix("mc-"), self._id_of(name))
        number, self._taken = self._taken, self._taken + 1
        first, at = divmod(number - 2, 3)
        if 0 <= first < len(self._reached) and at == 0:
            name = self._reached[first]
        elif self._draw.random() < 0.03:
            name = self._draw.choice(self._reached)
        else:
            name = self._draw.choice(self._usual)
        return assignment_document(machine_id, name.removeprefix("mc-"), self._id_of(name))

    def rest(self) -> Iterator[Document]:
        """Dynamic scopes; then an assignment whose machine is gone and one whose configuration is."""
        for number in range(self._scopes):
            subscription = self._ids[number % len(self._ids)]
            filters = _filters(self._draw, self._regions)
            named = filters[number % len(filters)]
            yield dynamic_document(
                f"/subscriptions/{subscription}",
                f"scope-{number:04d}",
                self._id_of(self._draw.choice(self._usual)),
                named,
            )
        place = group_id(self._ids[0], "rg-schedules")
        machines = f"{place}/providers/Microsoft.Compute/virtualMachines"
        gone = f"{place}/providers/Microsoft.Maintenance/maintenanceConfigurations/mc-retired"
        yield assignment_document(f"{machines}/web-moved-away", "moved", self._id_of(self._usual[0]))
        yield assignment_document(f"{machines}/web-moved-away", "retired", gone)


def _filters(draw: random.Random, regions: Sequence[str]) -> list[Json]:
    ring = str(draw.randint(1, 4))
    return [
        {"tagSettings": {"tags": {"env": ["test"], "ring": [ring]}, "filterOperator": "All"}},
        {"tagSettings": {"tags": {"env": ["PROD"]}, "filterOperator": "All"}, "osTypes": ["Linux"]},
        {
            "tagSettings": {"tags": {"patching": ["night"], "owner": [OWNER]}, "filterOperator": "Any"},
            "osTypes": ["Windows"],
        },
        {"osTypes": ["Linux"], "locations": [regions[-1]], "tagSettings": {"tags": {"ring": ["1"]}}},
        {"resourceTypes": ["microsoft.hybridcompute/machines"]},
    ]


_FAILED = "Operation status was marked as failed because: [X] "
"""Of this, and of the codes in capitals, the source is Azure/LinuxPatchExtension: PatchInstaller.py, Constants.py."""
_REFUSED = "Customer environment error: Investigate and resolve unexpected return code ({}) from package manager on {}"
_COMMANDS = {
    "apt": (100, "command: sudo apt-get -q update"),
    "yum": (1, "command: sudo yum -q check-update"),
    "zypper": (6, "command: sudo zypper refresh"),
}
"""The package managers' commands there, each with a return code that means a failure."""
_MANAGERS = {"rhel9": "yum", "sles15": "zypper"}
_UNDER_WAY: Json = {
    "fails": "run",
    "code": "TimeOut",
    "message": "Schedule timeout, waiting for an ongoing update to complete the resource.",
    "share": 0.5,
}
"""Source: "Troubleshoot problems with Maintenance Configurations" for the code and for the sentence; that they come
together is supposed."""
_TRANSIENT: Json = {
    "fails": "all",
    "code": "OPERATION_FAILED",
    "message": "An internal execution error occurred. Please retry later. The operation did not return a response and "
    "should be retried. This result may be incomplete.",
    "share": 0.3,
}
"""Source: MicrosoftDocs/azure-docs pull request 126758 for the sentence; the code is supposed."""


def troubles_of(system: str) -> tuple[Json, ...]:
    """What may go wrong when a machine installs updates, as members of a fleet's ``guests``, the likely first.

    Args:
        system: ``windows``, or the key of a Linux image.
    """
    return _WINDOWS if system == "windows" else _linux(_MANAGERS.get(system, "apt"))


def _linux(manager: str) -> tuple[Json, ...]:
    code, command = _COMMANDS[manager]
    return (
        {"fails": "some", "code": "OPERATION_FAILED", "message": f"{_FAILED}a failure occurred during the operation"},
        {"fails": "all", "code": "PACKAGE_MANAGER_FAILURE", "message": _REFUSED.format(code, command)},
        _UNDER_WAY,
        {"fails": "window", "code": "OPERATION_FAILED", "message": f"{_FAILED}maintenance window exceeded"},
        {
            "fails": "none",
            "code": "PACKAGES_RETRY_SUCCEEDED",
            "message": "All requested package(s) are installed. Any patch errors marked are from previous attempts.",
        },
        _TRANSIENT,
    )


def _result(fails: str, code: str, sentence: str = "", **more: Any) -> Json:
    """A failure that Windows names by its HRESULT.

    Source: "Troubleshoot issues with Azure Update Manager" for the numbers and the form; that the number is the code
    is supposed.
    """
    told = f"{sentence} (Exception from HRESULT: {code})" if sentence else f"Exception from HRESULT: {code}"
    return {"fails": fails, "code": code, "message": told, **more}


_DISABLED = (
    "The service cannot be started, either because it is disabled or because it has no enabled devices associated "
    "with it."
)
_WINDOWS: tuple[Json, ...] = (
    _result("some", "0x80070005"),
    _result("all", "0x8024402C"),
    _UNDER_WAY,
    _result("all", "0x80070422", _DISABLED),
    {"fails": "window", "code": "OPERATION_FAILED", "message": f"{_FAILED}maintenance window exceeded"},
    _result("all", "0x80072EE2", share=0.6),
    _result("some", "0x8024001E", share=0.4),
    _TRANSIENT,
    _result("all", "0x8024002E"),
    _result("all", "0x8024401C", share=0.5),
)
"""Access denied; no connection; the update service disabled; a time-out; shut down meanwhile; and so on."""
