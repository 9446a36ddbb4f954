"""The protocols of Azure Policy: what is read, and what is written.

Must not: contain behaviour.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from patchmode.model.left_alone import Unreadable
from patchmode.model.policy import (
    PolicyAssignment,
    PolicyDefinition,
    PolicyExemption,
    PolicySet,
    RemediatedMachine,
    RemediationTask,
)
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

    async def assignment(self, assignment_id: str) -> Mapping[str, Any] | None:
        """The document of one assignment; None: there is none. Raises RequestError."""
        ...

    async def roles_of(self, scope: str, principal_id: str) -> Collection[str]:
        """The roles that are assigned to a principal at exactly this scope, by their guids in lower case.

        Raises:
            RequestError: they cannot be read.
        """
        ...

    async def remediation(self, remediation_id: str) -> RemediationTask | None:
        """One remediation task; None: there is none. Raises RequestError."""
        ...

    async def remediated(self, remediation_id: str) -> Sequence[RemediatedMachine]:
        """The machines that a task has begun with. Raises RequestError."""
        ...


class PolicyWriter(Protocol):
    """The only way to change policies and the roles of their identities. Every call is safe to repeat.

    All raise, as `Writer.patch`: RejectedError, MaybeAppliedError, NotSentError.
    """

    async def put_assignment(self, assignment_id: str, body: Mapping[str, Any]) -> None:
        """Create an assignment, or replace the one of that id."""
        ...

    async def put_exemption(self, exemption_id: str, body: Mapping[str, Any]) -> None:
        """Create an exemption, or replace the one of that id."""
        ...

    async def put_remediation(self, remediation_id: str, body: Mapping[str, Any]) -> None:
        """Start a remediation task; nothing happens where the same was started already."""
        ...

    async def grant(self, scope: str, role_id: str, principal_id: str) -> None:
        """Assign a role to a managed identity at a scope; nothing happens where it has it already.

        Args:
            scope: of the assignment of the role.
            role_id: the role's guid.
            principal_id: object id of the identity.
        """
        ...


class PolicyAzure(ProbingAzure, Protocol):
    """A connection that reads policies too."""

    @property
    def policies(self) -> Policies:
        """Definitions, assignments and exemptions."""
        ...

    @property
    def policy_writer(self) -> PolicyWriter:
        """The writing side.

        Raises:
            UnsafeError: the connection was opened for reading only.
        """
        ...
