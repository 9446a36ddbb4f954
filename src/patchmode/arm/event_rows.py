"""Event Grid on the wire: the query for system topics, and how documents become event subscriptions.

Source: azure-mgmt-eventgrid 10.4 and the public REST specification of Microsoft.EventGrid 2022-06-15: shapes, and that
`includedEventTypes` null or absent means every type (examples of 2018-01-01 write it as `All`). A read tells the
`endpointBaseUrl` of a webhook, without its query; a path may be a secret too, so that only the host leaves this module.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from patchmode.arm.schedule_rows import UnreadableRowError
from patchmode.arm.wire import member
from patchmode.model.maintenance_events import EventKind, EventSubscription, SystemTopic
from patchmode.model.resource_id import ResourceId, ResourceIdError

EVENTS_API = "2022-06-15"
"""The version in Microsoft's article on pre and post events."""

TOPIC_TYPE = "microsoft.eventgrid/systemtopics"
IS_TOPIC = f"""\
(type =~ '{TOPIC_TYPE}'
    and tostring(properties.topicType) =~ 'microsoft.maintenance.maintenanceconfigurations')"""
SYSTEM_TOPICS = f"""\
resources
| where {IS_TOPIC}
| project id, type, properties
| order by id asc"""

_TYPES = {
    "microsoft.maintenance.premaintenanceevent": EventKind.PRE,
    "microsoft.maintenance.postmaintenanceevent": EventKind.POST,
}


def topic_of(row: Mapping[str, Any]) -> SystemTopic:
    """Read a row of `SYSTEM_TOPICS`, or of a query that brings them besides.

    Raises:
        UnreadableRowError: an id is none of a resource.
    """
    try:
        source = member(row, "properties").get("source")
        return SystemTopic(ResourceId.parse(str(row.get("id"))), ResourceId.parse(str(source)))
    except ResourceIdError as error:
        raise UnreadableRowError(str(error)) from error


def subscriptions_path(place: ResourceId) -> str:
    """The path of the list of a system topic's event subscriptions, or of those on any other resource."""
    is_topic = place.full_type == TOPIC_TYPE
    return f"{place}/eventSubscriptions" if is_topic else f"{place}/providers/Microsoft.EventGrid/eventSubscriptions"


def event_subscription_of(document: Mapping[str, Any]) -> EventSubscription:
    """Read one event subscription; one that receives neither event has no kind.

    Raises:
        UnreadableRowError: it has no id.
    """
    identifier = document.get("id")
    if not isinstance(identifier, str) or not identifier.strip("/"):
        msg = f"{identifier!r} is not the id of an event subscription"
        raise UnreadableRowError(msg)
    properties = member(document, "properties")
    destination = member(properties, "destination") or member(
        member(properties, "deliveryWithResourceIdentity"), "destination"
    )
    to = member(destination, "properties")
    name = document.get("name")
    return EventSubscription(
        id=identifier,
        name=name if isinstance(name, str) and name else identifier.rsplit("/", 1)[-1],
        kinds=_kinds(member(properties, "filter").get("includedEventTypes")),
        destination=_text(destination.get("endpointType")),
        receiver=_text(to.get("resourceId")) or _host(_text(to.get("endpointBaseUrl")) or _text(to.get("endpointUrl"))),
    )


def _kinds(types: object) -> tuple[EventKind, ...]:
    named = {one.casefold() for one in types if isinstance(one, str)} if isinstance(types, list) else {"all"}
    if "all" in named:
        return tuple(EventKind)
    return tuple(kind for name, kind in _TYPES.items() if name in named)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
