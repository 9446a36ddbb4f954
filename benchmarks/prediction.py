"""Predicting a whole fleet: 200 configurations, 500 dynamic scopes, 1,000 to 100,000 machines; time and its growth.

Run with `python -m benchmarks prediction`. Machines are made beforehand: what is timed is the index, the membership of
every machine, its windows and its outcome, as audit asks for them.
"""

import statistics
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.rows import Row
from patchmode.model.machine import ImageReference, Machine, MachineKind
from patchmode.model.patch_settings import OperatingSystem, PatchSettings
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import (
    ConfigurationAssignment,
    DynamicScope,
    MaintenanceConfiguration,
    ScheduleBook,
    ScopeFilter,
    WindowRule,
)
from patchmode.rules.schedules.forecast import predict
from patchmode.rules.schedules.memberships import ScheduleIndex

SIZES = (1_000, 10_000, 100_000)
CONFIGURATIONS, SCOPES, SUBSCRIPTIONS, GROUPS = 200, 500, 10, 40
BOUND_MACHINES, BOUND_S = 10_000, 3.0
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
REGIONS = ("westeurope", "northeurope", "eastus", "uksouth", "swedencentral")
ENVIRONMENTS = ("prod", "test", "dev", "stage")
RECURRENCES = ("Day", "3Days", "Week Saturday", "2Weeks Sunday", "Month Third Sunday Offset-3", "Month day15,day28")
ZONES = ("W. Europe Standard Time", "Pacific Standard Time", "UTC", "GMT Standard Time")
UBUNTU = ImageReference("Canonical", "0001-com-ubuntu-server-jammy", "22_04-lts-gen2")
SETTINGS = (
    PatchSettings(patch_mode="AutomaticByPlatform", bypass=True),
    PatchSettings(patch_mode="AutomaticByPlatform"),
    PatchSettings(patch_mode="ImageDefault"),
)


def subscription(number: int) -> str:
    """The id of one of the subscriptions."""
    return f"00000000-0000-0000-0000-{number % SUBSCRIPTIONS:012d}"


def fleet(size: int) -> list[Machine]:
    """Machines of ten subscriptions and forty groups each, in five regions, each with tags of its own."""
    return [_machine(number) for number in range(size)]


def _machine(number: int) -> Machine:
    place = f"/subscriptions/{subscription(number)}/resourceGroups/rg-{number // SUBSCRIPTIONS % GROUPS:02d}"
    return Machine(
        id=ResourceId.parse(f"{place}/providers/Microsoft.Compute/virtualMachines/vm-{number:06d}"),
        kind=MachineKind.VM,
        location=REGIONS[number % len(REGIONS)],
        os=OperatingSystem.LINUX,
        settings=SETTINGS[number % len(SETTINGS)],
        has_os_profile=True,
        image=UBUNTU,
        tags={"Env": ENVIRONMENTS[number // 3 % 4], "Ring": str(number // 7 % 10), "Owner": f"team-{number % 997}"},
    )


def book(machines: list[Machine]) -> ScheduleBook:
    """Two hundred configurations; half of them attached by hand to every hundredth machine; five hundred scopes."""
    configurations = [_configuration(number) for number in range(CONFIGURATIONS)]
    every = frozenset(subscription(number) for number in range(SUBSCRIPTIONS))
    return ScheduleBook(
        configurations=tuple(configurations),
        assignments=tuple(
            ConfigurationAssignment("by-hand", machine.id, configurations[number % 100].id)
            for number, machine in enumerate(machines)
            if number % 100 == 0
        ),
        dynamic_scopes=tuple(_scope(number, configurations) for number in range(SCOPES)),
        covered=every,
        visible=every,
    )


def _configuration(number: int) -> MaintenanceConfiguration:
    place = f"/subscriptions/{subscription(number)}/resourceGroups/rg-schedules/providers/Microsoft.Maintenance"
    return MaintenanceConfiguration(
        id=ResourceId.parse(f"{place}/maintenanceConfigurations/schedule-{number:03d}"),
        location="westeurope",
        scope="InGuestPatch",
        patch_mode="User",
        window=WindowRule(
            start=f"2025-0{1 + number % 9}-0{1 + number % 7} {number % 24:02d}:{number % 4 * 15:02d}",
            duration="02:00",
            time_zone=ZONES[number % len(ZONES)],
            recur_every=RECURRENCES[number % len(RECURRENCES)],
        ),
    )


def _scope(number: int, configurations: list[MaintenanceConfiguration]) -> DynamicScope:
    """A mixture: by tags, by region alone, by group, and by nothing but the system."""
    region = REGIONS[number % len(REGIONS)]
    filters = (
        ScopeFilter(tags={"Env": (ENVIRONMENTS[number % 4],), "Ring": (str(number % 10),)}, locations=(region,)),
        ScopeFilter(tags={"Owner": (f"team-{number}", f"team-{number + 1}")}),
        ScopeFilter(locations=(region,), os_types=("Windows",)),
        ScopeFilter(resource_groups=(f"rg-{number % GROUPS:02d}",), os_types=("Linux",)),
        ScopeFilter(locations=(region,), tags={"Ring": (str(number % 10),), "Owner": ("team-1",)}, any_tag=True),
    )
    group = f"rg-{number % GROUPS:02d}" if number % 11 == 0 else None
    chosen = filters[number // SUBSCRIPTIONS % len(filters)]
    return DynamicScope(
        f"scope-{number}", subscription(number), group, configurations[number % CONFIGURATIONS].id, chosen
    )


def predicted(machines: list[Machine], contents: ScheduleBook) -> tuple[float, Counter[str], float]:
    """Seconds, outcomes, and how many configurations reach a machine on average."""
    started = time.perf_counter()
    index = ScheduleIndex(contents, now=NOW)
    outcomes: Counter[str] = Counter()
    hits = 0
    for machine in machines:
        schedules = index.schedules_of(machine)
        hits += len(schedules.hits)
        outcomes[predict(machine.settings, machine, schedules).kind] += 1
    return time.perf_counter() - started, outcomes, hits / len(machines)


def rows(_folder: Path | None = None, sizes: tuple[int, ...] = SIZES) -> list[Row]:
    """The median of three runs for each size, and the growth of the time per machine."""
    per_machine: dict[int, float] = {}
    found: list[Row] = []
    for size in sizes:
        machines = fleet(size)
        contents = book(machines)
        runs = [predicted(machines, contents) for _ in range(3)]
        seconds = statistics.median(run[0] for run in runs)
        per_machine[size] = seconds / size
        what = f"who patches each of {size:,} machines, {CONFIGURATIONS} configurations, {SCOPES} dynamic scopes"
        figure = f"{seconds:.2f} s ({seconds / size * 1e6:.0f} µs a machine, {runs[0][2]:.1f} schedules each)"
        is_bound = size == BOUND_MACHINES
        found.append(Row(what, f"{BOUND_S:g} s" if is_bound else "", figure, seconds <= BOUND_S if is_bound else None))
    ratio = per_machine[sizes[-1]] / per_machine[sizes[0]]
    found.append(Row(f"time a machine, {sizes[-1]:,} to {sizes[0]:,} machines; 1 is linear", "", f"{ratio:.2f}"))
    return found


def main() -> None:
    """Print all."""
    for row in rows():
        print(row.told())


if __name__ == "__main__":
    main()
