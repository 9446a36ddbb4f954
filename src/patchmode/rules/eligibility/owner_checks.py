"""Checks on who else has a say: other tools of clients and appliances, clusters, scale sets, managed groups, locks.

Must not: look at patch settings.
"""

from collections.abc import Iterator

from patchmode.model.finding import Reason, Severity
from patchmode.model.machine import Machine
from patchmode.model.patch_settings import OperatingSystem, WantedSettings
from patchmode.rules.eligibility.windows_edition import Edition, edition_of
from patchmode.rules.eligibility.workload import (
    Workload,
    appliance,
    client_system,
    is_scale_set_member,
    managed_by_others,
)
from patchmode.rules.settings.transitions import needs_platform


def check_client(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`client-os`: blocks what only Update Manager could use; going back to the guest's own means is allowed."""
    found = client_system(machine)
    if found is not None:
        yield _reason(found, Severity.BLOCKS if needs_platform(wanted) else Severity.NOTES)


def check_appliance(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`appliance`: blocks what only Update Manager could use, as for clients."""
    found = appliance(machine)
    if found is not None:
        yield _reason(found, Severity.BLOCKS if needs_platform(wanted) else Severity.NOTES)


def check_edition(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`edition-not-known`: a Windows of which nothing tells whether it is a client; it stays eligible.

    A server that is left out stays unpatched unseen; a client that is prepared costs one change without effect.
    """
    told = edition_of(machine)
    if machine.os is OperatingSystem.WINDOWS and told.edition is Edition.NOT_KNOWN and needs_platform(wanted):
        yield Reason(
            "edition-not-known",
            Severity.WARNS,
            "Nothing that was read tells whether the machine runs Windows Server or a Windows client, which Azure "
            "Update Manager does not support. It stays eligible.",
            told.evidence,
            "Start it, or repair its VM agent, and audit again: a running system reports its name. Exclude it if it "
            "is a client.",
        )


def check_owner(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`aks-managed`, `databricks-managed` and `managed-group`; one reason, of the most specific rule."""
    del wanted
    found = managed_by_others(machine)
    if found is not None:
        yield _reason(found, Severity.BLOCKS)


def check_scale_set(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`scale-set-member`: blocks unless members are asked for.

    Source: Update Manager's list of unsupported workloads names scale sets without distinction, while automatic guest
    patching supports Flexible ones; whether a schedule runs on their members is unconfirmed.
    """
    if not is_scale_set_member(machine):
        return
    yield Reason(
        "scale-set-member",
        Severity.WARNS if wanted.include_scale_set_members else Severity.BLOCKS,
        "The machine belongs to a Flexible scale set, and whether schedules run on its members is not confirmed.",
        f"virtualMachineScaleSet.id = {machine.scale_set_id or '(not read)'}",
        "Ask for scale-set members by name if you know that schedules serve yours.",
    )


def check_locks(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`read-only-lock`: a CanNotDelete lock does not stop a PATCH."""
    del wanted
    for lock in machine.surroundings.locks:
        if lock.level.lower() == "readonly":
            yield Reason(
                "read-only-lock",
                Severity.BLOCKS,
                f"The ReadOnly lock {lock.name!r} refuses every write.",
                f"lock {lock.name} at {lock.scope}",
                "Have the lock's owner remove it for the change, then plan again.",
            )


def _reason(found: Workload, severity: Severity) -> Reason:
    message = found.because[0].upper() + found.because[1:] + "."
    return Reason(found.rule, severity, message, found.evidence, found.fix)
