"""What stands against attaching a configuration to a machine, and what taking it off would let Azure do.

Must not: read anything; the values come from the providers.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from shlex import quote

from patchmode.model.machine import Lock, Machine, MachineKind
from patchmode.model.outcome import Outcome
from patchmode.model.patch_settings import Orchestration
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import ConfigurationAssignment, MaintenanceConfiguration
from patchmode.rules.eligibility.workload import out_of_reach


@dataclass(frozen=True, slots=True)
class AttachObstacle:
    """Why something is not done, by rule, with the way out."""

    rule: str
    message: str
    fix: str


def attach_obstacle(machine: Machine, configuration: MaintenanceConfiguration) -> AttachObstacle | None:
    """Why a configuration must not be attached to a machine: its runs there would fail, or Azure would refuse.

    Args:
        machine: as its provider shows it now.
        configuration: as Microsoft.Maintenance shows it now.

    Source: Azure refuses the assignment with UnsupportedResourceOperation unless patchMode is AutomaticByPlatform and
    bypassPlatformSafetyChecksOnUserSchedule is true (public reports); Arc servers need no such settings (Microsoft's
    prerequisites for scheduled patching).
    """
    obstacle = scope_obstacle(configuration)
    if obstacle is not None:
        return obstacle
    workload = out_of_reach(machine)
    if workload is not None:
        return AttachObstacle(workload.rule, f"{workload.because}.", workload.fix)
    if machine.kind is MachineKind.ARC or machine.orchestration is Orchestration.CUSTOMER_MANAGED_SCHEDULES:
        return None
    return AttachObstacle(
        "prerequisite-missing",
        f"The machine is not prepared: its patch orchestration is {machine.orchestration.portal_name}, and Azure runs "
        "schedules only on Customer Managed Schedules.",
        f"patchmode apply --ids {quote(str(machine.id))} --then-attach {quote(str(configuration.id))}",
    )


def scope_obstacle(configuration: MaintenanceConfiguration) -> AttachObstacle | None:
    """A configuration that patches no guests can be attached to none."""
    if configuration.is_guest_patching:
        return None
    return AttachObstacle(
        "wrong-maintenance-scope",
        f"{configuration.name} has the maintenance scope {configuration.scope or '(absent)'}, which patches no guests.",
        "Give a configuration with the maintenance scope InGuestPatch; `patchmode schedule list` shows them.",
    )


def name_obstacle(standing: Iterable[ConfigurationAssignment], name: str) -> AttachObstacle | None:
    """An assignment of that name that holds another configuration: writing it would take that one off.

    Args:
        standing: every static assignment on the machine.
        name: of the assignment to be written, which no assignment of the wanted configuration has.
    """
    other = next((entry for entry in standing if entry.name.casefold() == name.casefold()), None)
    if other is None:
        return None
    return AttachObstacle(
        "assignment-name-taken",
        f"An assignment named {other.name} already attaches another configuration, {other.configuration}, to it.",
        "Give the assignment another name with --assignment-name.",
    )


def delete_lock(locks: Iterable[Lock], place: str) -> AttachObstacle | None:
    """Why an assignment cannot be deleted: a lock above it refuses every DELETE.

    Args:
        locks: in any order; those of other places are not looked at.
        place: the id of the machine, group or subscription that the assignment is on.

    Source: `CanNotDelete` and `ReadOnly` locks refuse every DELETE at and below their scope (Microsoft, "Lock your
    resources to protect your infrastructure").
    """
    lock = next(_covering(locks, place, {"cannotdelete", "readonly"}), None)
    if lock is None:
        return None
    return AttachObstacle(
        "delete-lock",
        f"The {lock.level} lock '{lock.name}' on {lock.scope} refuses to delete the assignment (ScopeLocked).",
        "Have the lock's owner remove it for the change, then repeat the command.",
    )


def write_lock(locks: Iterable[Lock], place: str) -> AttachObstacle | None:
    """Why an assignment cannot be written: a `ReadOnly` lock refuses every write at and below its scope.

    Args:
        locks, place: as for `delete_lock`.
    """
    lock = next(_covering(locks, place, {"readonly"}), None)
    if lock is None:
        return None
    return AttachObstacle(
        "read-only-lock",
        f"The ReadOnly lock '{lock.name}' on {lock.scope} refuses every write (ScopeLocked).",
        "Have the lock's owner remove it for the change, then repeat the command.",
    )


def _covering(locks: Iterable[Lock], place: str, levels: set[str]) -> Iterator[Lock]:
    here = f"{place.casefold()}/"
    for lock in locks:
        if lock.level.casefold() in levels and here.startswith(f"{lock.scope.rstrip('/').casefold()}/"):
            yield lock


def last_schedule_obstacle(machine: Machine, configuration: ResourceId, outcome: Outcome) -> AttachObstacle:
    """Why a machine keeps its last schedule, although its runs there fail.

    Args:
        machine: Azure Managed.
        configuration: what was to be taken off.
        outcome: what would become of the machine.
    """
    return AttachObstacle(
        "last-schedule",
        f"The machine is Azure Managed. Without {configuration.name}: {outcome.reason.rstrip('.')}.",
        "Repeat with --allow-azure-managed if Azure may patch it, or first set it to Customer Managed Schedules:\n"
        f"patchmode apply --ids {quote(str(machine.id))}",
    )
