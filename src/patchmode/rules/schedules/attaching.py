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
from patchmode.model.target import Target
from patchmode.rules.eligibility.owner_checks import READ_ONLY_LOCK, out_of_reach
from patchmode.rules.rule import BLOCKS, REFUSES, Rule


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
        return AttachObstacle(workload.rule.id, f"{workload.because}.", workload.rule.fix)
    if machine.kind is MachineKind.ARC or machine.orchestration is Orchestration.CUSTOMER_MANAGED_SCHEDULES:
        return None
    return AttachObstacle(
        PREREQUISITE_MISSING.id,
        f"The machine is not prepared: its patch orchestration is {machine.orchestration.portal_name}, and Azure runs "
        "schedules only on Customer Managed Schedules.",
        f"patchmode apply --ids {quote(str(machine.id))} --then-attach {quote(str(configuration.id))}",
    )


def home_of(subscription_id: str, owners: Iterable[tuple[str, str]]) -> str:
    """The tenant that a subscription belongs to, in lower case; empty: the one signed in to.

    Args:
        subscription_id: any case.
        owners: (id in lower case, tenant) of those of other tenants, as `SubscriptionNames.owners` and a schedule book
            have them.
    """
    return next((tenant.lower() for one, tenant in owners if one == subscription_id.lower()), "")


def tenant_obstacle(
    subscription_id: str, configuration: ResourceId, target: Target, what: str = "the machine"
) -> AttachObstacle | None:
    """Why a configuration is not attached to what belongs to another tenant: nobody has said that it would run.

    Args:
        subscription_id: of the machine, or of the place of a dynamic scope.
        configuration: to be attached.
        target: with the names of the subscriptions of both.
        what: is attached to, as the message names it.
    """
    here, there = (
        target.names.owner_of(one) or target.tenant_id for one in (subscription_id, configuration.subscription_id)
    )
    if here.lower() == there.lower():
        return None
    return AttachObstacle(
        OTHER_TENANT.id,
        f"{configuration.name} belongs to tenant {there}, and {what} to tenant {here}; whether Azure attaches a "
        "schedule across tenants, and runs it, is not confirmed.",
        f"Attach a schedule of tenant {here}; `patchmode schedule list` shows those that you see.",
    )


def scope_obstacle(configuration: MaintenanceConfiguration) -> AttachObstacle | None:
    """A configuration that patches no guests can be attached to none."""
    if configuration.is_guest_patching:
        return None
    return AttachObstacle(
        WRONG_MAINTENANCE_SCOPE.id,
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
        ASSIGNMENT_NAME_TAKEN.id,
        f"An assignment named {other.name} already attaches another configuration, {other.configuration}, to it.",
        "Give the assignment another name with --assignment-name.",
    )


def delete_lock(locks: Iterable[Lock], place: str, what: str = "the assignment") -> AttachObstacle | None:
    """Why an assignment cannot be deleted: a lock above it refuses every DELETE.

    Args:
        locks: in any order; those of other places are not looked at.
        place: the id of the machine, group or subscription that the assignment is on, or of the schedule itself.
        what: is to be deleted, as the message names it.

    Source: `CanNotDelete` and `ReadOnly` locks refuse every DELETE at and below their scope (Microsoft, "Lock your
    resources to protect your infrastructure").
    """
    lock = next(_covering(locks, place, {"cannotdelete", "readonly"}), None)
    if lock is None:
        return None
    return AttachObstacle(
        DELETE_LOCK.id,
        f"The {lock.level} lock '{lock.name}' on {lock.scope} refuses to delete {what} (ScopeLocked).",
        DELETE_LOCK.fix,
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
        READ_ONLY_LOCK.id,
        f"The ReadOnly lock '{lock.name}' on {lock.scope} refuses every write (ScopeLocked).",
        DELETE_LOCK.fix,
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
        LAST_SCHEDULE.id,
        f"The machine is Azure Managed. Without {configuration.name}: {outcome.reason.rstrip('.')}.",
        "Repeat with --allow-azure-managed if Azure may patch it, or first set it to Customer Managed Schedules:\n"
        f"patchmode apply --ids {quote(str(machine.id))}",
    )


# ------------------------------------------------------------------------------------------------ rules

PREREQUISITE_MISSING = Rule(
    "prerequisite-missing",
    "a schedule is attached and its runs fail: the machine is not prepared",
    REFUSES,
    """
    What: A schedule reaches the machine, and the machine is not prepared: every run on it fails.
    Severity: Warns in `audit` and `explain`; blocks `schedule attach`.
    Why: A schedule runs only on a virtual machine whose patch mode is AutomaticByPlatform with
    `bypassPlatformSafetyChecksOnUserSchedule` true. Azure refuses a static assignment to any other machine, and the run
    of a dynamic member fails.
    Evidence: The clause by which the schedule reaches it.
    Fix: Set it to Customer Managed Schedules: `plan`, then `apply`; with a new schedule `apply --then-attach`.
    Hotpatching has to be turned off for it.
    Source: Azure's documentation of the prerequisites for scheduled patching, "User scenarios".
    """,
    machine_fix="Set it to customer-managed-schedules: plan it, then apply the plan.",
)

WRONG_MAINTENANCE_SCOPE = Rule(
    "wrong-maintenance-scope",
    "the configuration does not patch guests",
    BLOCKS,
    """
    What: The configuration's `maintenanceScope` is not `InGuestPatch`.
    Severity: Blocks `schedule attach`, `schedule update` and `schedule delete`.
    Why: Other scopes maintain hosts, extensions, images and SQL, and never patch guests.
    Evidence: `maintenanceScope`.
    Fix: Name a configuration that patches guests, or create one.
    Source: Azure REST API of maintenance configurations.
    """,
)

ASSIGNMENT_NAME_TAKEN = Rule(
    "assignment-name-taken",
    "an assignment of that name attaches another configuration",
    BLOCKS,
    """
    What: An assignment of that name on that machine attaches another configuration.
    Severity: Blocks `schedule attach`.
    Why: Writing it would detach the other schedule.
    Evidence: The assignment and the configuration it names.
    Fix: Give the new assignment another name.
    Source: Azure REST API of configuration assignments: the name is the key.
    """,
)

DELETE_LOCK = Rule(
    "delete-lock",
    "a lock prevents the deletion of the assignment",
    BLOCKS,
    """
    What: A `CanNotDelete` or `ReadOnly` lock covers the machine, or the place of the dynamic scope, that a schedule is
    to be detached from, or the schedule that is to be deleted.
    Severity: Blocks `schedule detach` and `schedule delete`.
    Why: Such a lock prevents every DELETE at and below its scope, and an assignment is a resource on its machine.
    Evidence: The lock and its scope.
    Fix: Have the lock's owner remove it for the change, then repeat the command.
    Source: Microsoft, "Lock your resources to protect your infrastructure"; no recorded exchange shows the refusal of
    an assignment.
    """,
)

OTHER_TENANT = Rule(
    "schedule-of-other-tenant",
    "the schedule belongs to another tenant than the machine",
    BLOCKS,
    """
    What: The schedule is in a subscription of one tenant, and the machine, or the place of the dynamic scope, in one of
    another; Azure Lighthouse shows both to the same principal.
    Severity: Blocks `schedule attach` and a plan with `--then-attach`.
    Why: Update Manager's FAQ says that it does not support Azure Lighthouse, and no source says what Azure answers to
    such an assignment, or whether it would run. A machine whose schedule never runs is patched by nobody.
    Evidence: The tenants of the two subscriptions, as `GET /subscriptions` shows them.
    Fix: Attach a schedule that is in a subscription of the machine's own tenant, or create one there.
    Source: Microsoft, "Azure Update Manager frequently asked questions" (April 2025).
    """,
)

RULES = (WRONG_MAINTENANCE_SCOPE, ASSIGNMENT_NAME_TAKEN, DELETE_LOCK, OTHER_TENANT)

LAST_SCHEDULE = Rule(
    "last-schedule",
    "without its last schedule Azure would patch the machine at a time it chooses",
    BLOCKS,
    """
    What: The machine is in Azure Managed - Safe Deployment, and the schedule that would be detached is the last that
    will certainly run; one that has expired, never comes or is missing does not count.
    Severity: Blocks `schedule detach` and `schedule delete`, unless allowed by name. A machine's settings and
    assignments are read right before the request, and once more afterwards: Azure has no precondition for the deletion,
    so two detaches at the same time are reported (`mismatch`), not prevented.
    Why: Without a schedule Azure patches and reboots it at a time of its choosing.
    Evidence: The machine's settings and its schedules.
    Fix: Set the machine to Customer Managed Schedules first, or repeat with `--allow-azure-managed`.
    Source: Azure's documentation of the prerequisites for scheduled patching, "User scenarios", row 4.
    """,
)
