"""What somebody may do where, as far as Azure tells: the answer of an access check.

Must not: judge; `rules/permissions.py` does.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from patchmode.model.resource_id import ResourceId

WRITE_VM = "Microsoft.Compute/virtualMachines/write"
WRITE_ARC = "Microsoft.HybridCompute/machines/write"
ATTACH = "Microsoft.Maintenance/configurationAssignments/write"
DETACH = "Microsoft.Maintenance/configurationAssignments/delete"
SETTINGS_ACTIONS = frozenset({WRITE_VM, WRITE_ARC})
"""What changing a machine's settings needs."""


@dataclass(frozen=True, slots=True)
class MissingAction:
    """An action that an identity lacks at a scope."""

    scope: str
    """Where it is lacking: a subscription, a resource group or a machine. Granted there, it is enough."""
    action: str
    needed_for: str
    """The command that needs it and why, a few words."""
    identity: str = ""
    """Who lacks it; empty where there is but one."""
    machines: tuple[ResourceId, ...] = ()
    """Those at the scope on which it is needed; empty: the question was not about machines."""
    role: str = ""
    """A built-in role that has it; empty: none is named."""


@dataclass(frozen=True, slots=True)
class UnknownAccess:
    """A scope whose permissions Azure did not tell."""

    scope: str
    reason: str
    machines: tuple[ResourceId, ...]
    """Those at the scope that an action is needed on."""


@dataclass(frozen=True, slots=True)
class AccessCheck:
    """Whether whoever is signed in may do what is needed on each of some machines, by the roles that Azure tells.

    A role that allows an action is no promise: a deny assignment, a lock or a policy may still refuse it.
    """

    missing: tuple[MissingAction, ...] = ()
    unknown: tuple[UnknownAccess, ...] = ()
    """What could not be asked counts as allowed: Azure itself then answers."""
    machines: int = 0
    """How many were asked about."""

    @property
    def refused(self) -> Mapping[ResourceId, MissingAction]:
        """Each machine on which something needed is lacking, with the first such action."""
        found: dict[ResourceId, MissingAction] = {}
        for lack in self.missing:
            for machine_id in lack.machines:
                found.setdefault(machine_id, lack)
        return found
