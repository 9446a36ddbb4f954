"""Azure Policy as far as it concerns patch settings: definitions, assignments, exemptions, and what they do.

Must not: judge.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from patchmode.model.left_alone import Skipped, Unreadable
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import Difference
from patchmode.model.target import Target

DEFINITIONS = "/providers/Microsoft.Authorization/policyDefinitions"


class BuiltIn(StrEnum):
    """The built-in definitions that change patch settings, by our names for them.

    Source: Azure/azure-policy, "built-in-policies/policyDefinitions/Azure Update Manager".
    """

    PREREQUISITE = "prerequisite"
    """Sets Customer Managed Schedules."""
    PERIODIC_ASSESSMENT = "periodic-assessment"
    """Sets the assessment mode; one operating system in each assignment."""
    RECURRING_UPDATES = "recurring-updates"
    """Attaches one maintenance configuration, and sets Customer Managed Schedules while it does."""

    @property
    def guid(self) -> str:
        """The definition's name."""
        return _GUIDS[self]

    @property
    def definition_id(self) -> str:
        """The definition's id, the same in every tenant."""
        return f"{DEFINITIONS}/{self.guid}"

    @classmethod
    def of(cls, definition_id: str) -> "BuiltIn | None":
        """The one of an id, in any casing; None: it is another definition."""
        lowered = definition_id.lower().rstrip("/")
        return next((one for one in cls if one.definition_id.lower() == lowered), None)


_GUIDS = {
    BuiltIn.PREREQUISITE: "9905ca54-1471-49c6-8291-7582c04cd4d4",
    BuiltIn.PERIODIC_ASSESSMENT: "59efceea-0c96-497e-a4a1-4eb2290dac15",
    BuiltIn.RECURRING_UPDATES: "ba0df93e-e4ac-479a-aac2-134bbae39a1a",
}


@dataclass(frozen=True, slots=True)
class PolicyDefinition:
    """A definition as the service answers it."""

    id: str
    display_name: str
    version: str | None
    """None: the answer has none."""
    parameters: Mapping[str, Mapping[str, Any]]
    """Name → its type, allowed values and default."""
    rule: Mapping[str, Any]
    """`policyRule`, with `if` and `then`."""


@dataclass(frozen=True, slots=True)
class PolicyReference:
    """One definition of a set (an initiative)."""

    definition_id: str
    reference_id: str
    parameters: Mapping[str, Any]
    """Name → value, which may be an expression over the set's parameters."""


@dataclass(frozen=True, slots=True)
class PolicySet:
    """A set of definitions."""

    id: str
    parameters: Mapping[str, Mapping[str, Any]]
    references: tuple[PolicyReference, ...]


@dataclass(frozen=True, slots=True)
class PolicyAssignment:
    """An assignment of a definition or a set at a scope."""

    id: str
    name: str
    """The display name; the last part of the id where it has none."""
    scope: str
    definition_id: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Name → value, as they were given."""
    not_scopes: tuple[str, ...] = ()
    enforcement: str = "Default"
    """`DoNotEnforce`: compliance is told, and nothing is changed."""
    selectors: tuple[Mapping[str, Any], ...] = ()
    """`resourceSelectors`."""
    overrides: tuple[Mapping[str, Any], ...] = ()
    principal_id: str | None = None
    """Of its system-assigned identity; None: it has none."""
    identity_type: str = "None"
    """`SystemAssigned`, `UserAssigned` or `None`: without an identity nothing can be changed."""
    location: str | None = None
    """Of the identity."""


@dataclass(frozen=True, slots=True)
class PolicyExemption:
    """A place that an assignment does not evaluate."""

    id: str
    scope: str
    assignment_id: str
    reference_ids: tuple[str, ...] = ()
    """Of a set: only these of its definitions; empty: all."""
    category: str = "Waiver"
    """`Waiver` or `Mitigated`."""
    expires_on: datetime | None = None
    selectors: tuple[Mapping[str, Any], ...] = ()


class PolicyState(StrEnum):
    """What a built-in does about a machine."""

    COMPLIANT = "compliant"
    """An assignment evaluates it, and the definition's condition is met."""
    NON_COMPLIANT = "non-compliant"
    """An assignment evaluates it, and the condition is not met: a remediation task would change it."""
    MISSED = "missed"
    """An assignment covers its scope, and the definition does not select it."""
    NOT_ENFORCED = "not-enforced"
    """The assignment changes nothing: DoNotEnforce, effect Disabled, or no identity to change anything with."""
    EXEMPT = "exempt"
    EXCLUDED = "excluded"
    """Below one of the assignment's notScopes, or not chosen by its resource selectors."""
    NOT_ASSIGNED = "not-assigned"
    """No assignment of the definition covers it."""
    NOT_APPLICABLE = "not-applicable"
    """The definition is not for machines of its type."""
    UNKNOWN = "unknown"


FINE = frozenset(
    {PolicyState.COMPLIANT, PolicyState.EXEMPT, PolicyState.EXCLUDED, PolicyState.NOT_APPLICABLE},
)
"""States that nobody has to do anything about: what is left out was left out by somebody."""


@dataclass(frozen=True, slots=True)
class PolicyReason:
    """Why a machine is not selected or is left out, or why that is not known."""

    subject: str
    """`image`, `os`, `region`, `resource-group`, `tags`, `type`, `not-scope`, `selector`, `exemption`, `enforcement`,
    `other` or `unknown`."""
    message: str


@dataclass(frozen=True, slots=True)
class AssignmentVerdict:
    """What one assignment does about one machine."""

    assignment: PolicyAssignment
    state: PolicyState
    reasons: tuple[PolicyReason, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyVerdict:
    """What one built-in does about one machine."""

    id: ResourceId
    policy: BuiltIn
    state: PolicyState
    """Of the assignment that does most."""
    selected: bool | None
    """Whether the definition selects it: with that assignment's parameters, or with the defaults where there is none.
    None: not known."""
    is_set: bool | None
    """Whether the machine has what the definition is for, whatever Azure Policy says; None: it cannot be told."""
    reasons: tuple[PolicyReason, ...]
    assignments: tuple[AssignmentVerdict, ...]
    counts_as_compliant: bool
    """Whether Azure's compliance page counts it as compliant although it is not set, by the documented rules."""
    notes: tuple[str, ...] = ()

    @property
    def is_finding(self) -> bool:
        """Whether somebody should look at it."""
        return self.state not in FINE or self.counts_as_compliant


@dataclass(frozen=True, slots=True)
class PolicyLook:
    """One built-in as an audit saw it."""

    policy: BuiltIn
    definition: PolicyDefinition | None
    """None: it could not be read, for the reason in `problem`."""
    problem: str
    assignments: tuple[PolicyAssignment, ...]
    """Every assignment of it, alone or in a set, that was seen in the subscriptions of the machines."""
    verdicts: tuple[PolicyVerdict, ...]
    """One for each machine that was read, ordered by id."""

    @property
    def states(self) -> Mapping[PolicyState, int]:
        """How many machines have each state; those that none has are left out."""
        return Counter(one.state for one in self.verdicts)


@dataclass(frozen=True, slots=True)
class PolicyAudit:
    """`policy audit`: every machine of the scope is in each look, in `skipped` or in `unreadable`."""

    target: Target
    scope: tuple[str, ...]
    looks: tuple[PolicyLook, ...]
    machines: int
    skipped: tuple[Skipped, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    unread: tuple[Unreadable, ...] = ()
    """Subscriptions whose assignments or exemptions could not be read: their machines are `unknown`."""
    notes: tuple[str, ...] = ()
    created_at: datetime | None = None

    @property
    def counts(self) -> dict[str, int]:
        """`scope` is the sum of `machines`, `skipped` and `unreadable`; `findings` counts machines, not verdicts."""
        found = {one.id for look in self.looks for one in look.verdicts if one.is_finding}
        in_doubt = sum(not entry.is_filtered_out for entry in self.skipped)
        return {
            "scope": self.machines + len(self.skipped) + len(self.unreadable),
            "machines": self.machines,
            "skipped": len(self.skipped),
            "unreadable": len(self.unreadable),
            "findings": len(found) + len(self.unreadable) + in_doubt,
        }


# ------------------------------------------------------------------------------------------------ assigning


@dataclass(frozen=True, slots=True)
class PolicyWish:
    """An assignment as a person asks for it."""

    policy: BuiltIn
    scope: str
    """Id of a management group, a subscription or a resource group."""
    name: str
    location: str
    """Of its managed identity."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Name → text, as it was typed."""
    roles: tuple[str, ...] = ()
    """Guids of the roles that its identity gets."""
    exempt: tuple[str, ...] = ()
    """Machines that it shall leave out, by id."""
    exempt_blocked: bool = False
    """Also those that a rule of patchmode blocks."""
    replace: bool = False
    """Whether an assignment of that name that differs may be written over."""

    @property
    def id(self) -> str:
        """The assignment's."""
        return f"{self.scope}/providers/Microsoft.Authorization/policyAssignments/{self.name}"


@dataclass(frozen=True, slots=True)
class ExemptMachine:
    """A machine that an assignment leaves out, and why."""

    id: ResourceId
    rule: str
    """Of patchmode, which blocks it; `named`: by hand."""
    reason: str
    is_there: bool
    """Whether the exemption exists already."""


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """A role that the managed identity needs somewhere."""

    scope: str
    role: str
    """Its guid."""


@dataclass(frozen=True, slots=True)
class AssignDraft:
    """What would be written, with everything that a person should see before."""

    wish: PolicyWish
    definition: PolicyDefinition
    body: Mapping[str, Any]
    standing: Mapping[str, Any] | None
    """The assignment of that id; None: there is none."""
    before: tuple[Difference, ...]
    """How it differs."""
    missing_roles: tuple[RoleGrant, ...]
    """What its identity lacks; all that it needs where the identity is still to be made."""
    verdicts: tuple[PolicyVerdict, ...]
    """What it would do about each machine in its scope, exemptions included."""
    exempt: tuple[ExemptMachine, ...]
    unwritable: tuple[ExemptMachine, ...]
    """Blocked machines to which nobody writes: neither the policy's change nor an exemption is accepted there."""
    unreadable: int
    """Machines and places in its scope that could not be read."""

    @property
    def changed_later(self) -> int:
        """Machines that a remediation task would change."""
        return sum(one.state is PolicyState.NON_COMPLIANT for one in self.verdicts)

    @property
    def is_unchanged(self) -> bool:
        """Whether all of it is there already."""
        is_there = self.standing is not None and not self.before
        return is_there and not self.missing_roles and all(one.is_there for one in self.exempt)


AssignResult = Literal["created", "replaced", "completed", "unchanged"]


@dataclass(frozen=True, slots=True)
class PolicyAssignReport:
    """`policy assign`: what was written, and what a read afterwards shows."""

    target: Target
    id: str
    result: AssignResult
    """`completed` (only its roles or exemptions were missing) or `unchanged`."""
    principal_id: str | None
    """Of its managed identity."""
    roles: tuple[str, ...]
    """Guids of the roles that the identity has at the scope, as they were read."""
    exempt: tuple[ExemptMachine, ...]
    not_exempt: tuple[ExemptMachine, ...]
    """Machines that should have been exempt and where a lock or a deny assignment refuses every write."""
    changed_later: int
    """Machines in scope that a remediation task would change."""
    differences: tuple[Difference, ...] = ()
    """Where a read afterwards shows something else than was sent."""
    undo: tuple[str, ...] = ()
    """Commands that undo what was written, in their order; empty: nothing was."""


# ---------------------------------------------------------------------------------------------- remediating


@dataclass(frozen=True, slots=True)
class RemediationWish:
    """A remediation task as a person asks for it."""

    assignment_id: str
    name: str
    count: int | None
    """Machines that it takes at most; None: as many as the review finds."""
    parallel: int
    """Machines that Azure changes at the same time."""
    threshold: int
    """Percent of failed machines above which Azure starts no further one, 0 to 100."""
    re_evaluate: bool
    """Whether Azure evaluates the machines again before it starts."""

    @property
    def scope(self) -> str:
        """Where the assignment is, and the task too."""
        at = self.assignment_id.lower().rfind("/providers/microsoft.authorization/policyassignments/")
        return self.assignment_id[:at]

    @property
    def id(self) -> str:
        """The task's."""
        return f"{self.scope}/providers/Microsoft.PolicyInsights/remediations/{self.name}"


@dataclass(frozen=True, slots=True)
class RemediationDraft:
    """What would be started, and what the definition says of each machine now."""

    wish: RemediationWish
    policy: BuiltIn
    states: Mapping[ResourceId, PolicyState]
    """What the assignment does about each machine in its scope, by our own evaluation."""
    unreadable: int
    """Machines and places in its scope that could not be read."""
    target: Target

    @property
    def expected(self) -> tuple[ResourceId, ...]:
        """The machines that a task would change."""
        return tuple(one for one, state in self.states.items() if state is PolicyState.NON_COMPLIANT)

    @property
    def unknown(self) -> int:
        """Machines of which that is not known."""
        return self.unreadable + sum(state is PolicyState.UNKNOWN for state in self.states.values())

    @property
    def count(self) -> int:
        """How many machines the task takes at most; 0: there is nothing to do."""
        found = len(self.expected) + self.unknown
        return min(found if self.wish.count is None else self.wish.count, REMEDIATED_AT_MOST) if found else 0


REMEDIATED_AT_MOST = 50_000
"""By one task. Source: Microsoft, "Azure Policy remediation task structure"."""


@dataclass(frozen=True, slots=True)
class RemediationTask:
    """A task as Azure answers it."""

    id: str
    state: str
    """`provisioningState`."""
    total: int
    succeeded: int
    failed: int
    message: str = ""
    """`statusMessage`."""

    @property
    def is_over(self) -> bool:
        """Whether it has ended. Any other state counts as running: the specification lists none."""
        return self.state.lower() in {"succeeded", "failed", "canceled", "cancelled", "complete"}


@dataclass(frozen=True, slots=True)
class RemediatedMachine:
    """What a task did about one machine."""

    id: str
    status: str
    code: str
    """Azure's error; empty: none was named."""
    message: str

    @property
    def is_failed(self) -> bool:
        """Whether the machine was not changed."""
        return self.status.lower() in {"failed", "canceled", "cancelled"}


RemediationEnd = Literal["nothing", "started", "finished", "stopped", "interrupted"]


@dataclass(frozen=True, slots=True)
class RemediationReport:
    """`policy remediate`: what was started, and what came of each machine."""

    draft: RemediationDraft
    result: RemediationEnd
    """`nothing` (no machine would be changed, nothing was sent), `started` (its end was not awaited), `finished`,
    `stopped` (Azure ended it as failed or canceled) or `interrupted` (the waiting was; the task continues)."""
    task: RemediationTask | None = None
    machines: tuple[RemediatedMachine, ...] = ()
    problem: str = ""
    """Why it is not known what came of the task or its machines; empty: it is."""

    @property
    def failed(self) -> tuple[RemediatedMachine, ...]:
        """The machines that were not changed."""
        return tuple(one for one in self.machines if one.is_failed)

    @property
    def unended(self) -> tuple[RemediatedMachine, ...]:
        """The machines with which the task began and of which it does not say how they ended, although it is over."""
        return tuple(one for one in self.machines if not one.is_failed and one.status.lower() != "succeeded")

    @property
    def left(self) -> tuple[ResourceId, ...]:
        """The machines that the definition would change and the task did not take; empty while it is not over."""
        if self.result not in ("finished", "stopped") or self.problem:
            return ()
        taken = {one.id.casefold() for one in self.machines}
        return tuple(one for one in self.draft.expected if one.key not in taken)
