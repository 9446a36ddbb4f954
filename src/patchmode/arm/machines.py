"""Machines of Microsoft.Compute and Microsoft.HybridCompute: read whole, changed by PATCH, and their operations."""

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import msgspec

from patchmode.arm.channel import Channel
from patchmode.arm.failures import READ_AGAIN
from patchmode.arm.governor import Cost, Policy, Verb
from patchmode.arm.machine_reading import machine_from_document
from patchmode.arm.wire import text_of
from patchmode.errors import MaybeAppliedError, RejectedError
from patchmode.model.left_alone import Unreadable
from patchmode.model.machine import Machine, MachineKind, ReadFrom
from patchmode.model.resource_id import ResourceId, subscription_of
from patchmode.ports.azure import OperationState, OperationStatus, PatchAnswer, Turn

COMPUTE_API = "2024-07-01"
"""Etags and If-Match came with 2023-09-01 and stand in answers from 2024-03-01; the patch settings are unchanged up to
the newest version (azure-mgmt-compute, recorded exchanges). An older one would hide members that a plan must see."""
HYBRID_COMPUTE_API = "2024-07-10"
"""A stable version in which `osProfile.*.patchSettings` stands (azure-mgmt-hybridcompute)."""

DEPLOYMENTS_API = "2021-04-01"
"""Of the REST reference, "Deployment Operations"; by id it is the same call at every scope ("List At Scope")."""

_COMPUTE_TYPE = "providers/Microsoft.Compute/virtualMachines"
_HYBRID_TYPE = "providers/Microsoft.HybridCompute/machines"


class MachineReader:
    """Fulfils `ports.Provider`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def get(self, machine_id: ResourceId, kind: MachineKind) -> Machine:
        """Read one machine. See `ports.Provider.get`."""
        url = self._channel.url(str(machine_id), api_version(kind))
        answer = await self._channel.get(url, _spend(machine_id.subscription_id, kind, Policy.LOW_COST_GET))
        return _machine(machine_id, answer.document, kind)

    async def get_instance_view(self, machine_id: ResourceId) -> Mapping[str, Any]:
        """Power, agent and patch status of a virtual machine. See `ports.Provider.get_instance_view`."""
        url = self._channel.url(f"{machine_id}/instanceView", COMPUTE_API)
        spend = _spend(machine_id.subscription_id, MachineKind.VM, Policy.LOW_COST_GET)
        return (await self._channel.get(url, spend)).document  # type: ignore[no-any-return]  # `Document`

    def list_subscription(
        self, subscription_id: str, kind: MachineKind
    ) -> AsyncIterator[Sequence[Machine | Unreadable]]:
        """Every machine of a subscription. See `ports.Provider.list_subscription`."""
        return self._list(subscription_id, f"/subscriptions/{subscription_id}", kind)

    def list_group(
        self, subscription_id: str, resource_group: str, kind: MachineKind
    ) -> AsyncIterator[Sequence[Machine | Unreadable]]:
        """Every machine of a resource group. See `ports.Provider.list_group`."""
        return self._list(subscription_id, f"/subscriptions/{subscription_id}/resourceGroups/{resource_group}", kind)

    async def deployment_operations(self, deployment_id: str) -> AsyncIterator[Sequence[Any]]:
        """The operations of a deployment. See `ports.Provider.deployment_operations`."""
        url = self._channel.url(f"{deployment_id}/operations", DEPLOYMENTS_API)
        async for page in self._channel.pages(url, Cost(subscription_of(deployment_id)), Any):
            yield page

    async def _list(
        self, subscription_id: str, scope: str, kind: MachineKind
    ) -> AsyncIterator[Sequence[Machine | Unreadable]]:
        listed = _HYBRID_TYPE if kind is MachineKind.ARC else _COMPUTE_TYPE
        url = self._channel.url(f"{scope}/{listed}", api_version(kind))
        before = 0
        async for page in self._channel.pages(url, _spend(subscription_id, kind, Policy.HIGH_COST_GET), Any):
            yield [
                _listed(document, kind, scope, f"entry {number} of the list {scope}/{listed}")
                for number, document in enumerate(page, before + 1)
            ]
            before += len(page)
            del page  # as in `Channel.pages`


class MachineWriter:
    """The PATCH of `ports.Writer`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def turn(self, machine_id: ResourceId, kind: MachineKind, location: str) -> Turn:
        """Wait until a PATCH of this machine may leave. See `ports.Writer.turn`."""
        url = self._channel.url(str(machine_id), api_version(kind))
        return await self._channel.turn("PATCH", url, _spend_of_update(machine_id, kind, location))

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
        """Send one PATCH. See `ports.Writer.patch`.

        Compute answers 200 with the new values and `Updating`, and with `Azure-AsyncOperation` where the host has to be
        told (recorded: 771 of 771 updates); HybridCompute answers 200 at once by its specification, 202 is allowed for.
        """
        spend = _spend_of_update(machine_id, kind, location)
        url = self._channel.url(str(machine_id), api_version(kind))
        answer = await self._channel.patch(url, body, spend, etag=etag, may_send=may_send, turn=turn)
        try:
            machine = _accepted(machine_id, kind, location, answer.document)
        except ValueError as error:
            raise MaybeAppliedError(
                f"PATCH {machine_id} was answered {answer.status}, but {error}",
                code="UnusableAnswer",
                status=answer.status,
                request_id=answer.request_id,
                correlation_id=answer.correlation_id,
                advice=READ_AGAIN,
            ) from error
        return PatchAnswer(
            machine=machine,
            operation_url=self._channel.own(
                answer.headers.get("azure-asyncoperation") or _location(answer.status, answer.headers)
            ),
            request_id=answer.request_id,
            correlation_id=answer.correlation_id,
        )


def _accepted(machine_id: ResourceId, kind: MachineKind, location: str, document: object) -> Machine:
    """The machine in the answer to a PATCH; an answer without a body says nothing but that it was accepted."""
    if document is None:
        return Machine(id=machine_id, kind=kind, location=location, os=None, settings=None, has_os_profile=False)
    return _same(machine_id, _described(document, kind))


def _location(status: int, headers: Mapping[str, str]) -> str | None:
    """`Location` names an operation with 202 only; with 200 it may name the resource."""
    return headers.get("location") if status == 202 else None


def api_version(kind: MachineKind) -> str:
    """The api version with which machines of a kind are read and changed."""
    return HYBRID_COMPUTE_API if kind is MachineKind.ARC else COMPUTE_API


def _spend(
    subscription_id: str, kind: MachineKind, policy: Policy, *, region: str = "", verb: Verb = Verb.READS
) -> Cost:
    """Compute's policies bound virtual machines; of HybridCompute no limits are published, so Resource Manager's do."""
    return Cost(subscription_id, verb, None if kind is MachineKind.ARC else policy, region.casefold())


def _spend_of_update(machine_id: ResourceId, kind: MachineKind, location: str) -> Cost:
    return _spend(machine_id.subscription_id, kind, Policy.UPDATE_VM, region=location, verb=Verb.WRITES)


def _machine(machine_id: ResourceId, document: object, kind: MachineKind) -> Machine:
    """A machine of a read answer.

    Raises:
        RejectedError: what was answered is no machine, or another one.
    """
    try:
        return _same(machine_id, _described(document, kind))
    except ValueError as error:
        raise RejectedError(f"GET {machine_id}: {error}", code="UnusableAnswer", status=200) from error


def _same(asked: ResourceId, found: Machine) -> Machine:
    if found.id != asked:
        msg = f"the answer is about another machine, {found.id}"
        raise ValueError(msg)
    return found


def _listed(document: object, kind: MachineKind, scope: str, entry: str) -> Machine | Unreadable:
    """A machine of a list. SAFETY: one that is not of the place would bring what nobody selected into a plan."""
    try:
        found = _described(document, kind)
    except ValueError as error:
        return Unreadable(entry, f"{error}")
    if not found.id.key.startswith(f"{scope.casefold()}/"):
        return Unreadable(entry, f"it is outside the scope that was listed: {found.id}")
    return found


def _described(document: object, kind: MachineKind) -> Machine:
    if not isinstance(document, Mapping):
        msg = "the answer is not a JSON object"
        raise ValueError(msg)  # noqa: TRY004  a wrong answer, not a wrong call
    return machine_from_document(document, kind, ReadFrom.PROVIDER)


_PLACE = re.compile(
    r"/subscriptions/(?P<subscription>[0-9a-f-]{36})/providers/(?P<namespace>[^/]+)(?:/locations/(?P<region>[^/?]+))?",
    re.IGNORECASE,
)


class OperationAnswer(msgspec.Struct):
    """`{"startTime", "status", "name"[, "endTime"][, "error"]}`; a `Location` URL may answer the resource itself."""

    status: str | None = None
    error: Any = None
    """What it holds is read leniently: it describes a failure, whatever it looks like."""


class Writer(MachineWriter):
    """Fulfils `ports.Writer`."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel)
        self._operations = channel

    async def operation(self, url: str) -> OperationStatus:
        """Ask an operation how it stands, once. See `ports.Writer.operation`.

        A `Location` URL answers 202 while the work goes on and 200 without a status when it is done; an
        `Azure-AsyncOperation` URL always answers 200 with one (recorded polls).
        """
        answer = await self._operations.get(url, spend_of(url), shape=OperationAnswer | None, may_be_empty=True)
        if answer.status == 202:
            return OperationStatus(OperationState.IN_PROGRESS, retry_after_s=answer.retry_after_s)
        found: OperationAnswer | None = answer.document
        if found is None or not found.status:
            return OperationStatus(OperationState.SUCCEEDED)
        return status_of(found, answer.retry_after_s)


def status_of(operation: OperationAnswer, retry_after_s: float | None) -> OperationStatus:
    """One answer of an operation's URL.

    Args:
        operation: as answered; HTTP 200 also where the operation failed.
        retry_after_s: what the answer's headers asked for; None: nothing.

    Returns:
        Any status but the three ends counts as in progress, because services invent names for what still runs.

    Source: recorded operation polls; the ends are Resource Manager's, for all providers.
    """
    word = (operation.status or "").casefold()
    ends = (OperationState.SUCCEEDED, OperationState.FAILED, OperationState.CANCELED)
    state = next((end for end in ends if end.value.casefold() == word), OperationState.IN_PROGRESS)
    error = operation.error if isinstance(operation.error, Mapping) else {}
    return OperationStatus(
        state=OperationState.CANCELED if word == "cancelled" else state,
        error_code=text_of(error.get("code")),
        error_message=text_of(error.get("message")),
        retry_after_s=retry_after_s,
    )


def spend_of(url: str) -> Cost:
    """The buckets of a poll, read from the operation's address."""
    place = _PLACE.search(url)
    if place is None:
        return Cost()
    is_compute = place["namespace"].casefold() == "microsoft.compute"
    policy = Policy.GET_OPERATION if is_compute else None
    return Cost(place["subscription"].lower(), policy=policy, region=(place["region"] or "").casefold())
