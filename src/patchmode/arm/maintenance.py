"""Microsoft.Maintenance: configurations and assignments, read one by one and written; who receives their events.

Must not: look for anything in bulk; listing assignments of a subscription is not implemented by the service, so that is
Resource Graph's part.

Source: recorded exchanges and azure-mgmt-maintenance 2.1. Everything is synchronous: PUT answers 200 (201 by the
specification), DELETE 200 without a body, or by the specification 204 where there was nothing. There are no etags.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from patchmode.arm.channel import Answer, Channel, Document
from patchmode.arm.event_rows import EVENTS_API, event_subscription_of, subscriptions_path
from patchmode.arm.failures import RUN_AGAIN
from patchmode.arm.governor import Cost, Verb
from patchmode.arm.schedule_rows import (
    UnreadableRowError,
    assignment_of,
    assignment_row,
    configuration_of,
    filter_document,
    rows_read,
)
from patchmode.errors import MaybeAppliedError, RejectedError
from patchmode.model.left_alone import Unreadable
from patchmode.model.maintenance_events import EventSubscription
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import ConfigurationAssignment, DynamicScope, MaintenanceConfiguration, ScopeFilter

API = "2023-04-01"
"""The stable version of azure-mgmt-maintenance 2.1, Terraform and az; recorded."""

_CHILDREN = "providers/Microsoft.Maintenance/configurationAssignments"
_GLOBAL = "global"
"""The location of a dynamic scope on a subscription (recorded)."""
_SEGMENT = re.compile(r"(?!\.\.?$)[^/\\?#%&\x00-\x1f]{1,260}")
T = TypeVar("T")


class MaintenanceReader:
    """Fulfils `ports.Maintenance`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def configuration(self, configuration_id: ResourceId) -> MaintenanceConfiguration:
        """Read one configuration. See `ports.Maintenance.configuration`."""
        answer = await self._get(str(configuration_id), configuration_id.subscription_id)
        return _read(f"GET {configuration_id}", configuration_of, answer.document)

    async def assignments_on(self, machine_id: ResourceId) -> Sequence[ConfigurationAssignment]:
        """Every static assignment on one machine. See `ports.Maintenance.assignments_on`."""
        path = f"{machine_id}/{_CHILDREN}"
        pages = self._channel.pages(self._channel.url(path, API), Cost(machine_id.subscription_id), Document)
        found = [_read(f"GET {path}", _assignment, document) async for page in pages for document in page]
        return [one for one in found if isinstance(one, ConfigurationAssignment)]

    async def events_of(self, place: ResourceId) -> Sequence[EventSubscription | Unreadable]:
        """Who receives the pre or post events of a place. See `ports.Maintenance.events_of`."""
        path = subscriptions_path(place)
        pages = self._channel.pages(self._channel.url(path, EVENTS_API), Cost(place.subscription_id), Any)
        entries = [document async for page in pages for document in page]
        found = rows_read(event_subscription_of, dict, entries, before=0, what=f"event subscriptions of {place.name}")
        return [one for one in found if isinstance(one, Unreadable) or one.kinds]

    async def dynamic_scope(self, subscription_id: str, resource_group: str | None, name: str) -> DynamicScope:
        """Read one dynamic scope. See `ports.Maintenance.dynamic_scope`."""
        path = _scope_path(subscription_id, resource_group, name)
        found = _read(f"GET {path}", _assignment, (await self._get(path, subscription_id)).document)
        if not isinstance(found, DynamicScope):
            raise _unusable(f"GET {path}", "it is the assignment of a single resource")
        return found

    async def _get(self, path: str, subscription_id: str) -> Answer:
        return await self._channel.get(self._channel.url(path, API), Cost(subscription_id.lower()))


class MaintenanceWriter:
    """Fulfils `ports.MaintenanceWriter`. Each request is repeated until there is an answer."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def put_configuration(
        self, configuration_id: ResourceId, location: str, properties: Mapping[str, Any], tags: Mapping[str, str]
    ) -> MaintenanceConfiguration:
        """Create or replace a configuration. See `ports.MaintenanceWriter.put_configuration`."""
        body = {"location": location, "tags": dict(tags), "properties": dict(properties)}
        asked = {**body, "id": str(configuration_id)}
        place = configuration_id.subscription_id
        return (await self._put(str(configuration_id), place, body, configuration_of, asked))[0]

    async def delete_configuration(self, configuration_id: ResourceId) -> bool:
        """Delete a configuration (recorded: 200 without a body). See `ports.MaintenanceWriter.delete_configuration`."""
        return await self._delete(str(configuration_id), configuration_id.subscription_id)

    async def attach(
        self,
        machine_id: ResourceId,
        location: str,
        name: str,
        configuration_id: ResourceId,
        *,
        may_send: Callable[[], bool] | None = None,
    ) -> ConfigurationAssignment:
        """Assign a configuration to a machine. See `ports.MaintenanceWriter.attach`.

        Raises:
            ValueError: the name cannot stand in an id.
        """
        path = f"{machine_id}/{_CHILDREN}/{_segment(name)}"
        body = {"location": location, "properties": {"maintenanceConfigurationId": str(configuration_id)}}
        asked = {**body, "id": path}
        found, request_id = await self._put(
            path, machine_id.subscription_id, body, _assignment, asked, may_send=may_send
        )
        if not isinstance(found, ConfigurationAssignment):
            raise _lost(f"PUT {path}", "the answer is not the assignment of a machine")
        return replace(found, request_id=request_id)

    async def detach(self, machine_id: ResourceId, name: str, *, may_send: Callable[[], bool] | None = None) -> bool:
        """Delete a static assignment. See `ports.MaintenanceWriter.detach`.

        Raises:
            ValueError: the name cannot stand in an id.
        """
        path = f"{machine_id}/{_CHILDREN}/{_segment(name)}"
        return await self._delete(path, machine_id.subscription_id, may_send=may_send)

    async def attach_scope(
        self,
        subscription_id: str,
        resource_group: str | None,
        name: str,
        configuration_id: ResourceId,
        wanted: ScopeFilter,
    ) -> DynamicScope:
        """Create a dynamic scope. See `ports.MaintenanceWriter.attach_scope`.

        The filter is always sent: without one the service has answered 500 (reported in public threads).

        Raises:
            ValueError: `wanted.unknown` is not empty, or a name cannot stand in an id.
        """
        path = _scope_path(subscription_id, resource_group, name)
        body = {
            "location": _GLOBAL if resource_group is None else next(iter(wanted.locations), _GLOBAL),
            "properties": {"maintenanceConfigurationId": str(configuration_id), "filter": filter_document(wanted)},
        }
        found, request_id = await self._put(path, subscription_id, body, _assignment, {**body, "id": path})
        if not isinstance(found, DynamicScope):
            raise _lost(f"PUT {path}", "the answer is not a dynamic scope")
        return replace(found, request_id=request_id)

    async def detach_scope(self, subscription_id: str, resource_group: str | None, name: str) -> bool:
        """Delete a dynamic scope. See `ports.MaintenanceWriter.detach_scope`.

        Raises:
            ValueError: a name cannot stand in an id.
        """
        return await self._delete(_scope_path(subscription_id, resource_group, name), subscription_id)

    async def _put(
        self,
        path: str,
        subscription_id: str,
        body: Mapping[str, Any],
        read: Callable[[Mapping[str, Any]], T],
        asked: Mapping[str, Any],
        *,
        may_send: Callable[[], bool] | None = None,
    ) -> tuple[T, str | None]:
        """Send; what the answer shows, and its request id.

        An answer without a body (recorded for `applyUpdates`) says that it was accepted.

        Raises:
            MaybeAppliedError: it was accepted, and what was answered cannot be read.
        """
        spend = Cost(subscription_id.lower(), Verb.WRITES)
        answer = await self._channel.put(self._channel.url(path, API), body, spend, may_send=may_send)
        try:
            return read(asked if answer.document is None else _object(answer.document)), answer.request_id
        except UnreadableRowError as error:
            raise _lost(f"PUT {path}", str(error), answer) from error

    async def _delete(self, path: str, subscription_id: str, *, may_send: Callable[[], bool] | None = None) -> bool:
        """Whether there was something to delete; after a lost answer it may have been this very request's doing."""
        try:
            url = self._channel.url(path, API)
            spend = Cost(subscription_id.lower(), Verb.DELETES)
            answer = await self._channel.delete(url, spend, may_send=may_send)
        except RejectedError as error:
            if error.status == 404:
                return False
            raise
        return answer.status != 204 or answer.was_lost


def _segment(text: str) -> str:
    """A name that becomes part of a path.

    Raises:
        ValueError: it would lead to another resource.
    """
    if not _SEGMENT.fullmatch(text):
        msg = f"{text!r} cannot be part of a resource id: it is empty, too long, or has one of / \\ ? # % & in it"
        raise ValueError(msg)
    return text


def _scope_path(subscription_id: str, resource_group: str | None, name: str) -> str:
    group = "" if resource_group is None else f"/resourceGroups/{_segment(resource_group)}"
    return f"/subscriptions/{_segment(subscription_id)}{group}/{_CHILDREN}/{_segment(name)}"


def _assignment(document: Mapping[str, Any]) -> ConfigurationAssignment | DynamicScope | None:
    return assignment_of(assignment_row(document))


def _object(document: object) -> Mapping[str, Any]:
    if not isinstance(document, Mapping):
        msg = "the answer is not a JSON object"
        raise UnreadableRowError(msg)
    return document


def _read(request: str, read: Callable[[Mapping[str, Any]], T], document: object) -> T:
    """A document of a read answer.

    Raises:
        RejectedError: it is not what was asked for.
    """
    try:
        return read(_object(document))
    except UnreadableRowError as error:
        raise _unusable(request, str(error)) from error


def _unusable(request: str, why: str) -> RejectedError:
    return RejectedError(f"{request}: {why}", code="UnusableAnswer", status=200)


def _lost(request: str, why: str, answer: Answer | None = None) -> MaybeAppliedError:
    return MaybeAppliedError(
        f"{request} was accepted, but {why}",
        code="UnusableAnswer",
        status=None if answer is None else answer.status,
        request_id=None if answer is None else answer.request_id,
        correlation_id=None if answer is None else answer.correlation_id,
        advice=RUN_AGAIN,
    )
