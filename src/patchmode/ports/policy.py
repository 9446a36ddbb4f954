"""The protocol of Azure Policy's reading side.

Must not: contain behaviour.
"""

from collections.abc import Sequence
from typing import Protocol

from patchmode.model.left_alone import Unreadable
from patchmode.model.policy import PolicyAssignment, PolicyDefinition, PolicyExemption, PolicySet
from patchmode.ports.live_check import ProbingAzure


class Policies(Protocol):
    """Microsoft.Authorization's policies. An entry that cannot be read is an `Unreadable`, never left out."""

    async def assignments(self, subscription_id: str) -> Sequence[PolicyAssignment | Unreadable]:
        """Every assignment that applies in a subscription: inherited ones, its own, and those on what is in it.

        Raises:
            ForbiddenError: this principal may not read them. RequestError: any other failure.
        """
        ...

    async def exemptions(self, subscription_id: str) -> Sequence[PolicyExemption | Unreadable]:
        """Every exemption that applies in a subscription; errors as `assignments`."""
        ...

    async def definition(self, definition_id: str) -> PolicyDefinition:
        """One definition in its newest version.

        Raises:
            RejectedError: there is none, or it cannot be read; RequestError otherwise.
        """
        ...

    async def definition_set(self, set_id: str) -> PolicySet:
        """One set of definitions; errors as `definition`."""
        ...


class PolicyAzure(ProbingAzure, Protocol):
    """A connection that reads policies too."""

    @property
    def policies(self) -> Policies:
        """Definitions, assignments and exemptions."""
        ...
