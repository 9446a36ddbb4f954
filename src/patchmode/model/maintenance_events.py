"""Pre and post events of maintenance configurations: who is told by Event Grid before and after a run."""

from dataclasses import dataclass
from enum import StrEnum

from patchmode.model.resource_id import ResourceId


class EventKind(StrEnum):
    """What is told; the values stand in our JSON as `kinds`."""

    PRE = "pre"
    """`Microsoft.Maintenance.PreMaintenanceEvent`: a run is about to begin."""
    POST = "post"
    """`Microsoft.Maintenance.PostMaintenanceEvent`: a run has ended."""


@dataclass(frozen=True, slots=True)
class SystemTopic:
    """Where a maintenance configuration's events are published."""

    id: ResourceId
    source: ResourceId
    """The configuration."""


@dataclass(frozen=True, slots=True)
class EventSubscription:
    """One receiver of a configuration's events."""

    id: str
    name: str
    kinds: tuple[EventKind, ...]
    destination: str
    """The kind of receiver, as Azure words it: `WebHook`, `AzureFunction`, …; empty: it is not told."""
    receiver: str
    """The receiver's resource id, or a webhook's host; empty: neither is told. SAFETY: never a webhook's path or query,
    which may be the secret that starts it."""


@dataclass(frozen=True, slots=True)
class ScheduleEvents:
    """What is known of one configuration's pre and post events."""

    found: tuple[EventSubscription, ...] = ()
    """Ordered by name."""
    refusal: str = ""
    """Why there may be others that could not be read, half a sentence; empty: these are all."""

    def of(self, kind: EventKind) -> tuple[EventSubscription, ...]:
        """Those of a kind."""
        return tuple(one for one in self.found if kind in one.kinds)


NO_EVENTS = ScheduleEvents()


def pre_event_names(events: ScheduleEvents) -> str:
    """The pre-events by name: `'start-web'`, `'start-web' and 2 more`; empty: there is none."""
    names = [f"'{one.name}'" for one in events.of(EventKind.PRE)]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}" if names else ""
