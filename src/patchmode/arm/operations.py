"""Long-running operations: one look at a journalled URL, verbatim, and what it says.

Must not: wait or loop. When to ask again is the run's decision; a killed run takes the URL up again from its journal.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from patchmode.arm.channel import Channel
from patchmode.arm.compute import MachineWriter
from patchmode.arm.governor import Policy, Spend
from patchmode.arm.wire import text_of
from patchmode.workflow.ports import OperationState, OperationStatus

_PLACE = re.compile(
    r"/subscriptions/(?P<subscription>[0-9a-f-]{36})/providers/(?P<namespace>[^/]+)(?:/locations/(?P<region>[^/?]+))?",
    re.IGNORECASE,
)


class Operation(msgspec.Struct):
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
        answer = await self._operations.get(url, spend_of(url), shape=Operation | None, may_be_empty=True)
        if answer.status == 202:
            return OperationStatus(OperationState.IN_PROGRESS, retry_after_s=answer.retry_after_s)
        found: Operation | None = answer.document
        if found is None or not found.status:
            return OperationStatus(OperationState.SUCCEEDED)
        return status_of(found, answer.retry_after_s)


def status_of(operation: Operation, retry_after_s: float | None) -> OperationStatus:
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


def spend_of(url: str) -> Spend:
    """The buckets of a poll, read from the operation's address."""
    place = _PLACE.search(url)
    if place is None:
        return Spend()
    is_compute = place["namespace"].casefold() == "microsoft.compute"
    policy = Policy.GET_OPERATION if is_compute else None
    return Spend(place["subscription"].lower(), policy=policy, region=(place["region"] or "").casefold())
