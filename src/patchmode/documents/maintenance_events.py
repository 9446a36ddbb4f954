"""Pre and post events of a schedule, as a member of published JSON documents."""

from patchmode.documents.base import Edge
from patchmode.model.maintenance_events import EventSubscription, ScheduleEvents


class EventsRow(Edge, frozen=True):
    """Pre and post events."""

    subscriptions: tuple[EventSubscription, ...]
    is_complete: bool
    """False: there may be others, which could not be read."""
    because: str
    """Why not all could be read; empty: they could."""


def events_row(events: ScheduleEvents) -> EventsRow:
    """Pre and post events as they are published."""
    return EventsRow(subscriptions=events.found, is_complete=not events.refusal, because=events.refusal)
