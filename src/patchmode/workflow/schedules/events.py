"""Pre and post events of schedules: looked up only of those of which something depends on them.

Must not: decide what an event changes.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from datetime import datetime

from patchmode.errors import ForbiddenError, RejectedError, RequestError
from patchmode.model.left_alone import Unreadable
from patchmode.model.machine import Machine
from patchmode.model.maintenance_events import EventSubscription, ScheduleEvents
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import ScheduleBook, Window
from patchmode.ports.azure import Azure, GraphScope
from patchmode.rules.guardrails.permissions import lacking
from patchmode.rules.schedules.events import TOO_CLOSE_FOR_PRE_EVENT, away
from patchmode.rules.schedules.memberships import ScheduleIndex
from patchmode.workflow.schedules.reading import AT_ONCE

READ_TOPICS = "Microsoft.EventGrid/systemTopics/read"
READ_OF_TOPIC = "Microsoft.EventGrid/systemTopics/eventSubscriptions/read"
READ_ON_SCHEDULE = "Microsoft.EventGrid/eventSubscriptions/read"
_UNREGISTERED = frozenset({"missingsubscriptionregistration", "subscriptionnotregistered"})
"""Azure's codes where nobody has registered Microsoft.EventGrid: then there is no event subscription either."""


async def read_events(azure: Azure, configurations: Iterable[ResourceId]) -> Mapping[ResourceId, ScheduleEvents]:
    """The pre and post events of some configurations; a refusal is told, and never raised.

    Args:
        azure: a connection; reading is enough.
        configurations: in any order; empty: nothing is read.

    Returns:
        One entry for each. Event subscriptions are not in Resource Graph (Microsoft, "Azure Resource Graph table and
        resource type reference"), their system topics are: one query for all of these, then one list for each topic and
        one for each configuration, on which a subscription may stand by itself. Resource Graph leaves out topics that
        may not be read, so where a configuration has none it is asked what may be read in its subscription.
    """
    wanted = frozenset(configurations)
    if not wanted:
        return {}
    topics, refusal = await _topics(azure, wanted)
    bare = {one.subscription_id for one in wanted if not topics[one]}
    hidden = {} if refusal else await _hidden(azure, bare)
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(configuration: ResourceId) -> tuple[ResourceId, ScheduleEvents]:
        own = topics[configuration]
        # A configuration has one system topic at most (Microsoft, "System topics in Azure Event Grid").
        why = refusal if own else refusal or hidden.get(configuration.subscription_id, "")
        async with slots:
            return configuration, await _events(azure, (*own, configuration), why)

    return dict(await asyncio.gather(*map(one, sorted(wanted))))


async def _topics(azure: Azure, wanted: Set[ResourceId]) -> tuple[Mapping[ResourceId, list[ResourceId]], str]:
    """The system topics of each configuration, and why there may be others; empty: there are none."""
    topics: dict[ResourceId, list[ResourceId]] = defaultdict(list)
    refusal = ""
    try:
        async for page in azure.graph.system_topics(GraphScope()):
            for topic in page:
                if isinstance(topic, Unreadable):
                    refusal = f"a system topic could not be read: {topic.reason}"
                elif topic.source in wanted:
                    topics[topic.source].append(topic.id)
    except RequestError as error:
        refusal = f"system topics could not be read: {error.message.rstrip('.')}"
    return topics, refusal


async def _events(azure: Azure, places: Iterable[ResourceId], why: str) -> ScheduleEvents:
    """The event subscriptions of some places; `why`: there may be other places that are not shown, or empty."""
    found: dict[str, EventSubscription] = {}
    reasons = [why]
    for place in places:
        try:
            entries = await azure.maintenance.events_of(place)
        except RequestError as error:
            reasons.append(_reason(error, place))
            continue
        for entry in entries:
            if isinstance(entry, Unreadable):
                reasons.append(f"an event subscription of {place.name} could not be read: {entry.reason}")
            else:
                found[entry.id.casefold()] = entry
    ordered = sorted(found.values(), key=lambda entry: (entry.name.casefold(), entry.id))
    return ScheduleEvents(tuple(ordered), "; ".join(dict.fromkeys(filter(None, reasons))))


def depends_on_events(book: ScheduleBook, index: ScheduleIndex, machines: Iterable[Machine]) -> frozenset[ResourceId]:
    """The configurations whose pre-events change what is said of them.

    Args:
        book: every configuration that can be seen.
        index: the same, looked up by machine.
        machines: those that count as members.

    Returns:
        Those that reach a machine that is off, and those whose next window starts soon.
    """
    off = (machine for machine in machines if away(machine, None) is not None)
    found = {hit.configuration for machine in off for hit in index.schedules_of(machine).hits}
    for one in book.configurations:
        following = index.next_of(one.id)
        window = following.window if one.is_guest_patching else None
        if window is not None and window.starts_at - index.now < TOO_CLOSE_FOR_PRE_EVENT:
            found.add(one.id)
    return frozenset(found & {one.id for one in book.configurations})


async def events_soon(
    azure: Azure, configuration: ResourceId, window: Window | None, now: datetime
) -> ScheduleEvents | None:
    """The events of a schedule with a window so soon that they matter; None: it is later, or there is none."""
    if window is None or window.starts_at - now >= TOO_CLOSE_FOR_PRE_EVENT:
        return None
    return (await read_events(azure, [configuration]))[configuration]


async def _hidden(azure: Azure, subscriptions: Iterable[str]) -> Mapping[str, str]:
    """The subscriptions in which there may be system topics that are not shown, each with why."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(subscription_id: str) -> tuple[str, str]:
        async with slots:
            try:
                granted = await azure.authorization.permissions(f"/subscriptions/{subscription_id}")
            except RequestError as error:
                return subscription_id, f"permissions could not be read there: {error.message.rstrip('.')}"
        missing = lacking(READ_TOPICS, granted)
        return subscription_id, f"{READ_TOPICS} is not granted in its subscription" if missing else ""

    return dict(await asyncio.gather(*map(one, sorted(subscriptions))))


def _reason(error: RequestError, place: ResourceId) -> str:
    if isinstance(error, RejectedError) and error.code.casefold() in _UNREGISTERED:
        return ""
    if isinstance(error, ForbiddenError):
        action = READ_OF_TOPIC if place.type.casefold() == "systemtopics" else READ_ON_SCHEDULE
        return f"the event subscriptions of {place.name} were refused ({error.code}), which needs {action}"
    return error.message.rstrip(".")
