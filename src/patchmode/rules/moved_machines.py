"""Machines that were perhaps moved: an assignment of the same name was left behind at another place.

Must not: read anything, or conclude that two machines are one; a name is a hint, no more.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from patchmode.model.machine import Machine
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import ConfigurationAssignment

LeftBehind = Mapping[ResourceId, tuple[ConfigurationAssignment, ...]]
"""Machine → the assignments of one other place that name a machine like it."""


def left_behind(
    machines: Sequence[Machine],
    assignments: Sequence[ConfigurationAssignment],
    *,
    standing: Collection[ResourceId] = (),
) -> LeftBehind:
    """Where exactly one place that holds no machine has assignments for the name of exactly one machine without any.

    Args:
        machines: that were read.
        assignments: every static one that can be seen.
        standing: further ids at which machines stand.
    """
    attached = {entry.machine for entry in assignments}
    there = {machine.id for machine in machines}
    bare: dict[tuple[str, str], list[ResourceId]] = defaultdict(list)
    for machine in machines:
        if machine.id not in attached:
            bare[_likeness(machine.id)].append(machine.id)
    orphans: dict[tuple[str, str], dict[ResourceId, list[ConfigurationAssignment]]] = {}
    for entry in assignments:
        if entry.machine not in there and entry.machine not in standing and _likeness(entry.machine) in bare:
            orphans.setdefault(_likeness(entry.machine), {}).setdefault(entry.machine, []).append(entry)
    return {
        bare[likeness][0]: tuple(next(iter(places.values())))
        for likeness, places in orphans.items()
        if len(places) == 1 and len(bare[likeness]) == 1
    }


def _likeness(machine_id: ResourceId) -> tuple[str, str]:
    return machine_id.full_type, machine_id.name.casefold()
