"""The protocols that `arm/` and `store/` implement and the composition root in `cli/` hands in.

Must not: contain behaviour.
"""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from patchmode.model.access import Principals
from patchmode.model.drift import ResourceChange
from patchmode.model.left_alone import Unreadable
from patchmode.model.machine import Lock, Machine, MachineKind, Subscription
from patchmode.model.maintenance_events import SystemTopic
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import (
    Assessment,
    ConfigurationAssignment,
    DynamicScope,
    Installation,
    MachineRun,
    MaintenanceConfiguration,
)
from patchmode.model.target import Target
from patchmode.ports.maintenance import Maintenance, MaintenanceWriter


class Clock(Protocol):
    """Time, handed in so that tests and benchmarks can move it."""

    def now(self) -> datetime:
        """The wall clock, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, for measuring durations."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait. Zero yields to other tasks."""
        ...


@dataclass(frozen=True, slots=True)
class GraphQuota:
    """What Resource Graph granted an identity, as its latest answer said. Instants are aware, of the wall clock."""

    remaining: float
    """Queries left until the quota is whole again, >= 0."""
    noted_at: datetime
    resets_at: datetime
    """When the quota is whole again."""


class GraphQuotas(Protocol):
    """Where processes tell each other what Resource Graph still grants. Neither method ever fails or waits."""

    def read(self, identity: str) -> GraphQuota | None:
        """What was noted last; None: nothing, or it cannot be read.

        Args:
            identity: the text that `write` was given.
        """
        ...

    def write(self, identity: str, quota: GraphQuota) -> None:
        """Note what an answer said, as far as that can be done.

        Args:
            identity: endpoint, tenant and principal in one text, which is kept as a digest only.
            quota: what is left.
        """
        ...


# ------------------------------------------------------------------------------------------------ reading


@dataclass(frozen=True, slots=True)
class GraphScope:
    """Where a Resource Graph query looks. Both empty: every subscription that the connection's identities see."""

    subscriptions: tuple[str, ...] = ()
    management_groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResourceGroup:
    """A resource group's facts that bear on its machines."""

    subscription_id: str
    name: str
    managed_by: str | None = None


class Graph(Protocol):
    """Azure Resource Graph: bulk discovery. It lags behind the provider and is never used to verify.

    A row that cannot be read as what was asked for is an `Unreadable` in its page, never an error and never left out:
    whoever reads pages counts it (`workflow/inventory/bulk_reading.py`, docs/decisions/0017).
    """

    def forget(self) -> None:
        """Ask anew from here on: what was kept for a command's next question is dropped."""

    def machines(
        self, scope: GraphScope, *, resource_groups: Sequence[str] = (), ids: Sequence[str] = ()
    ) -> AsyncIterator[Sequence[Machine | Unreadable]]:
        """Virtual machines and Arc machines, page by page in no order, the total checked against what was read.

        Args:
            scope: where to look.
            resource_groups: names; empty: all.
            ids: resource ids; empty: all.

        Raises:
            ForbiddenError: Resource Graph is refused to this principal.
            RequestError: any other failure, or fewer rows than the total that the service stated.
        """
        ...

    def machine_ids(self, query: str, scope: GraphScope) -> AsyncIterator[Sequence[str]]:
        """The `id` column of the user's own query, page by page, exactly as the user wrote the query.

        Where a connection has several identities, each asks it of its part of the subscriptions: what the query counts
        or cuts off counts for each part.

        Raises:
            RejectedError: the query is wrong (the service's message and position are in the text) or yields no `id`.
        """
        ...

    def machines_named(
        self, names: Sequence[str], scope: GraphScope
    ) -> AsyncIterator[Sequence[ResourceId | Unreadable]]:
        """The ids of all machines that have one of some names, page by page, by one query for all names.

        Args:
            names: compared without regard to case; more than a thousand are asked for in several queries.
            scope: where to look.

        Raises:
            ForbiddenError: Resource Graph is refused to this principal. RequestError: any other failure.
        """
        ...

    def resource_groups(self, scope: GraphScope) -> AsyncIterator[Sequence[ResourceGroup | Unreadable]]:
        """The resource groups that something manages (`managedBy` is set), page by page."""

    def all_resource_groups(self, scope: GraphScope) -> AsyncIterator[Sequence[ResourceGroup | Unreadable]]:
        """Every resource group that the principal can see, page by page; asked only where a name was not found."""

    async def subscriptions_under(self, management_group: str) -> Sequence[str]:
        """Ids of the subscriptions below a management group, at any depth, that the principal can read."""
        ...

    def maintenance_configurations(
        self, scope: GraphScope
    ) -> AsyncIterator[Sequence[MaintenanceConfiguration | Unreadable]]:
        """Maintenance configurations of every maintenance scope, page by page in no order."""
        ...

    def configuration_assignments(
        self, scope: GraphScope
    ) -> AsyncIterator[Sequence[ConfigurationAssignment | DynamicScope | Unreadable]]:
        """Static assignments on machines, and dynamic scopes, page by page. Assignments on anything else are left out.

        A dynamic scope whose filter has unknown members names them in `ScopeFilter.unknown`.
        """
        ...

    def system_topics(self, scope: GraphScope) -> AsyncIterator[Sequence[SystemTopic | Unreadable]]:
        """System topics of maintenance configurations, page by page; without those that may not be read."""
        ...

    def machine_runs(self, scope: GraphScope, *, since: datetime) -> AsyncIterator[Sequence[MachineRun | Unreadable]]:
        """What became of each machine in each scheduled run that began at or after `since`, page by page."""
        ...

    def installations(
        self, scope: GraphScope, *, since: datetime
    ) -> AsyncIterator[Sequence[Installation | Unreadable]]:
        """Results of installing updates that began at or after `since`, page by page."""
        ...

    def assessments(
        self, scope: GraphScope, machines: Sequence[ResourceId] = ()
    ) -> AsyncIterator[Sequence[Assessment | Unreadable]]:
        """The last assessment of each machine that has one on record, page by page.

        Args:
            scope: its subscriptions.
            machines: those that are of interest, where they are few; others may be among what is found.
        """
        ...

    def resource_changes(self, scope: GraphScope, *, since: datetime) -> AsyncIterator[Sequence[ResourceChange]]:
        """Who changed machines and their assignments at or after `since`, page by page, as far as Azure tells."""
        ...


class Provider(Protocol):
    """Microsoft.Compute and Microsoft.HybridCompute themselves: the source of truth."""

    async def get(self, machine_id: ResourceId, kind: MachineKind) -> Machine:
        """Read one machine with its whole document.

        Raises:
            RejectedError: with code `ResourceNotFound` and the like; RequestError otherwise.
        """
        ...

    async def get_instance_view(self, machine_id: ResourceId) -> Mapping[str, Any]:
        """The instance view of a virtual machine: power, agent, patch status, as the service answers it."""
        ...

    def list_subscription(
        self, subscription_id: str, kind: MachineKind
    ) -> AsyncIterator[Sequence[Machine | Unreadable]]:
        """Every machine of a subscription with its document, page by page. `kind` VM also yields scale-set members.

        An entry that is no machine of the place is an `Unreadable`.
        """
        ...

    def deployment_operations(self, deployment_id: str) -> AsyncIterator[Sequence[Any]]:
        """The operations of a deployment of Microsoft.Resources, page by page, as the service answers them.

        Args:
            deployment_id: of a deployment to a resource group, a subscription or a management group.

        Raises:
            RejectedError: there is no such deployment any more, or it may not be read; RequestError otherwise.
        """
        ...

    def list_group(
        self, subscription_id: str, resource_group: str, kind: MachineKind
    ) -> AsyncIterator[Sequence[Machine | Unreadable]]:
        """Every machine of one resource group with its document, page by page; as `list_subscription`."""
        ...


class Authorization(Protocol):
    """Who may do what, and what stands in the way."""

    nameless: int
    """Entries of the list of subscriptions, as it was read last, that name no id: nobody knows what is in them."""

    async def subscriptions(self) -> Sequence[Subscription]:
        """Every subscription that an identity of the connection can see, each once, in every state."""
        ...

    async def tenant_name(self) -> str:
        """The display name of the tenant signed in to; empty: Azure does not say.

        Source: Azure Resource Manager, "Tenants - List": `displayName`.
        """
        ...

    async def locks(self, subscription_id: str) -> Sequence[Lock]:
        """Every management lock in the subscription, at any level.

        Raises:
            ForbiddenError: the principal may not read locks; then nothing is known about them.
        """
        ...

    async def permissions(self, scope: str) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """`Microsoft.Authorization/permissions` at a scope: objects with actions and notActions.

        Returns:
            Identity's name → what it may do, of every identity that may be sent to the scope's subscription; at least
            one. What is to be done there must be allowed to each of them.
        """
        ...

    async def assigned_scopes(self, scope: str) -> Collection[str] | None:
        """The scopes below one, in lower case, on which a role is assigned to an identity of the connection.

        Assignments to groups that it is a member of count.

        Returns:
            None where it is not known: the token does not tell whose it is.
        """
        ...

    async def provider_registration(self, subscription_id: str, namespace: str) -> str:
        """The registration state as Azure words it: `Registered`, `NotRegistered`, `Registering`."""
        ...

    async def principals(self) -> Principals:
        """Everybody who is signed in, in the order of the identity file."""
        ...


# ------------------------------------------------------------------------------------------------ writing


@dataclass(frozen=True, slots=True)
class PatchAnswer:
    """The service accepted a PATCH: the new values stand in the model, the operation may still run."""

    machine: Machine
    """The body of the answer."""
    operation_url: str | None
    """`Azure-AsyncOperation`, to be used verbatim; None when nothing has to reach the host."""
    request_id: str | None = None
    correlation_id: str | None = None


class OperationState(StrEnum):
    """The end of a long-running operation, or that it still runs."""

    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Canceled"


@dataclass(frozen=True, slots=True)
class OperationStatus:
    """One answer of an operation's URL."""

    state: OperationState
    error_code: str | None = None
    error_message: str | None = None
    retry_after_s: float | None = None
    """When the service wants to be asked again; None: it does not say."""


class Turn(Protocol):
    """Leave to send one PATCH: its tokens are taken from the throttling buckets already."""

    def take(self) -> Any:
        """The tokens, for the writer that gave the turn; None the second time: a repeat waits like any other."""
        ...

    def give_back(self) -> None:
        """It will not be used. Safe to repeat, and after use: nothing happens then."""
        ...


class Writer(Protocol):
    """The only way to change anything in Azure."""

    async def turn(self, machine_id: ResourceId, kind: MachineKind, location: str) -> Turn:
        """Wait until the throttling buckets of the machine's subscription and region grant one PATCH, and take it.

        First come, first served. Whoever waits here holds nothing else: neither a place among the changes under way,
        nor an intent in the journal that is long older than its request.

        Raises:
            ThrottledError: Azure asks all to wait there for longer than the throttle patience.
        """
        ...

    async def patch(
        self,
        machine_id: ResourceId,
        kind: MachineKind,
        location: str,
        body: Mapping[str, Any],
        *,
        etag: str | None,
        may_send: Callable[[], bool] | None = None,
        turn: Turn | None = None,
    ) -> PatchAnswer:
        """Send one PATCH, spending from the throttling buckets of the machine's subscription and region first.

        Retries only what is certainly safe to repeat (429, and with `etag` or not: connection refused, 503 and 409
        "concurrent" answers); a repeat after a lost answer is the caller's decision.

        Args:
            etag: sent as `If-Match` when given.
            may_send: asked once the buckets have granted the request, which can be long after the call; where it says
                no, nothing (more) leaves and the error has the code `Stopped`: NotSentError, or MaybeAppliedError where
                an earlier try of this call has left whose fate is not known.
            turn: this machine's, of `turn`; what is sent first leaves with it. None: it waits for the buckets itself.

        Raises:
            PreconditionError: 412. RejectedError: any other refusal. MaybeAppliedError: sent, no usable answer.
            NotSentError: not received by the service.
        """
        ...

    async def operation(self, url: str) -> OperationStatus:
        """Ask a long-running operation how it stands, once.

        Raises:
            RejectedError: for example the operation is not found or may not be read; RequestError otherwise.
        """
        ...


class RequestLedger(Protocol):
    """What was sent, for the run report and for benchmarks."""

    def by_method(self) -> dict[str, int]:
        """HTTP method → number of requests sent so far, retries included, sign-in not."""
        ...

    @property
    def unanswered_since(self) -> datetime | None:
        """Since when what was sent has had no answer at all, be it an error; None: the latest had one, or was none."""


class Azure(Protocol):
    """One signed-in connection to one target."""

    @property
    def target(self) -> Target:
        """Cloud, endpoint and tenant, with the names of the subscriptions that this connection listed last."""

    @property
    def graph(self) -> Graph:
        """Resource Graph, for discovery."""

    @property
    def provider(self) -> Provider:
        """The resource providers, for truth."""

    @property
    def maintenance(self) -> Maintenance:
        """Schedules and assignments, for truth."""

    @property
    def authorization(self) -> Authorization:
        """Subscriptions, locks, permissions."""

    @property
    def writer(self) -> Writer:
        """The writing side.

        Raises:
            UnsafeError: when the connection was opened for reading only.
        """
        ...

    @property
    def maintenance_writer(self) -> MaintenanceWriter:
        """The same for schedules and assignments, with the same error."""
        ...

    @property
    def ledger(self) -> RequestLedger:
        """Requests sent so far on this connection."""
        ...
