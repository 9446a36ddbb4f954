"""Long-running operations: one look at a journalled URL, verbatim, and what it says.

Must not: wait or loop. When to ask again is the run's decision; a killed run takes the URL up again from its journal.
"""

import re
from collections.abc import Mapping

from patchmode.arm.channel import Channel
from patchmode.arm.compute import MachineWriter
from patchmode.arm.governor import Policy, Spend
from patchmode.arm.wire import operation_from_document
from patchmode.workflow.ports import OperationState, OperationStatus

_PLACE = re.compile(
    r"/subscriptions/(?P<subscription>[0-9a-f-]{36})/providers/(?P<namespace>[^/]+)(?:/locations/(?P<region>[^/?]+))?",
    re.IGNORECASE,
)


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
        answer = await self._operations.get(url, spend_of(url))
        if answer.status == 202:
            return OperationStatus(OperationState.IN_PROGRESS, retry_after_s=answer.retry_after_s)
        document = answer.document
        if not isinstance(document, Mapping) or not document.get("status"):
            return OperationStatus(OperationState.SUCCEEDED)
        return operation_from_document(document, answer.retry_after_s)


def spend_of(url: str) -> Spend:
    """The buckets of a poll, read from the operation's address."""
    place = _PLACE.search(url)
    if place is None:
        return Spend()
    is_compute = place["namespace"].casefold() == "microsoft.compute"
    policy = Policy.GET_OPERATION if is_compute else None
    return Spend(place["subscription"].lower(), policy=policy, region=(place["region"] or "").casefold())
