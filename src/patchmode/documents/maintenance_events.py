"""Pre and post events of a schedule, as a member of published JSON documents."""

from patchmode.documents.base import Edge
from patchmode.model.maintenance_events import EventKind, ScheduleEvents


class EventSubscriptionRow(Edge, frozen=True):
    """One receiver of the configuration's pre or post events."""

    id: str
    name: str
    kinds: tuple[EventKind, ...]
    destination: str
    """As Azure words it: `WebHook`, `AzureFunction`, …"""
    receiver: str
    """Its resource id, or a webhook's host; never a webhook's path or query."""


class EventsRow(Edge, frozen=True):
    """Pre and post events."""

    subscriptions: tuple[EventSubscriptionRow, ...]
    is_complete: bool
    """False: there may be others, which could not be read."""
    because: str
    """Why not all could be read; empty: they could."""


def events_row(events: ScheduleEvents) -> EventsRow:
    """Pre and post events as they are published."""
    rows = (
        EventSubscriptionRow(
            id=one.id, name=one.name, kinds=one.kinds, destination=one.destination, receiver=one.receiver
        )
        for one in events.found
    )
    return EventsRow(subscriptions=tuple(rows), is_complete=not events.refusal, because=events.refusal)
