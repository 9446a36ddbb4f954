"""Pre and post events as the commands of `schedule` tell them: read where they matter, and never none for unread."""

from dataclasses import replace

import pytest
from tests.unit.workflow.azure_double import ALPHA, FixedClock
from tests.unit.workflow.schedule_doubles import WritableAzure, assigned, azure, ready, schedule_id

from patchmode.documents.schedules import show_document
from patchmode.errors import RejectedError
from patchmode.model.finding import Severity
from patchmode.model.maintenance_events import EventKind, EventSubscription, ScheduleEvents, SystemTopic
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import RunForecast
from patchmode.reports.text.layout import Paint
from patchmode.reports.text.schedules import detail_lines
from patchmode.workflow.schedules.events import READ_TOPICS, read_events
from patchmode.workflow.schedules.views import check_schedules, list_schedules, next_windows, show_schedule

CLOCK = FixedClock()
NIGHTLY = schedule_id()
TOPIC = ResourceId.parse(f"/subscriptions/{ALPHA}/resourceGroups/rg/providers/Microsoft.EventGrid/systemTopics/t")
REFUSED = (
    "the event subscriptions of nightly were refused (AuthorizationFailed), which needs "
    "Microsoft.EventGrid/eventSubscriptions/read"
)
NO_TOPICS = "system topics could not be read: topics are refused"
PRE = EventSubscription(f"{TOPIC}/eventSubscriptions/a", "start-web", (EventKind.PRE,), "WebHook", "hooks.example")
POST = EventSubscription("/b", "stop-web", (EventKind.POST,), "AzureFunction", "/f")


def fleet(*, is_off: bool = True, **facts: object) -> WritableAzure:
    one = ready("one")
    off = replace(one, surroundings=replace(one.surroundings, power_state="deallocated" if is_off else "running"))
    double = azure(off, assignments=[assigned(off)])
    for name, value in facts.items():
        setattr(double.schedules, name, value)
    return double


def with_topic(*events: EventSubscription) -> WritableAzure:
    return fleet(topics=[SystemTopic(TOPIC, NIGHTLY)], events={TOPIC: events})


def blind() -> WritableAzure:
    """Resource Graph shows no topic to whom may not read them."""
    double = fleet()
    double.permission_list = [{"actions": ["*/read"], "notActions": [READ_TOPICS]}]
    return double


@pytest.mark.parametrize(
    ("double", "known"),
    [
        (fleet(), ScheduleEvents()),
        (with_topic(PRE, POST), ScheduleEvents((PRE, POST))),
        (fleet(events={NIGHTLY: [POST]}), ScheduleEvents((POST,))),
        (blind(), ScheduleEvents(refusal=f"{READ_TOPICS} is not granted in its subscription")),
        (fleet(refused=frozenset({"events"})), ScheduleEvents(refusal=REFUSED)),
        (fleet(refused=frozenset({"topics"})), ScheduleEvents(refusal=NO_TOPICS)),
    ],
    ids=["none", "topic", "on the schedule", "topics hidden", "lists refused", "query refused"],
)  # fmt: skip
async def test_what_is_known(double: WritableAzure, known: ScheduleEvents) -> None:
    assert await read_events(double, [NIGHTLY]) == {NIGHTLY: known}
    assert await read_events(double, []) == {}


async def test_where_event_grid_is_not_registered_there_is_none() -> None:
    double = fleet()

    async def unregistered(method: str, what: str) -> None:
        if what.startswith("events of"):
            raise RejectedError(f"{method} {what}", code="MissingSubscriptionRegistration", status=409)

    double.schedules.arrive = unregistered
    assert await read_events(double, [NIGHTLY]) == {NIGHTLY: ScheduleEvents()}


@pytest.mark.parametrize(
    ("double", "result", "severity", "part"),
    [
        (fleet(), RunForecast.MISSED, Severity.WARNS, "because it has none"),
        (with_topic(POST), RunForecast.MISSED, Severity.WARNS, "because it has none"),
        (with_topic(PRE), RunForecast.UNKNOWN, Severity.NOTES, "the pre-event 'start-web' of the schedule may start"),
        (blind(), RunForecast.MISSED, Severity.WARNS, "could not be read"),
    ],
    ids=["none", "post alone", "pre", "hidden"],
)
async def test_every_command_says_the_same_of_a_machine_that_is_off(
    double: WritableAzure, result: RunForecast, severity: Severity, part: str
) -> None:
    shown = await show_schedule(double, "nightly", clock=CLOCK)
    (listed,) = (await list_schedules(double, clock=CLOCK)).schedules
    (checked,) = (await check_schedules(double, (), clock=CLOCK)).findings
    calendar = await next_windows(double, clock=CLOCK, days=1)
    assert shown.schedule == listed
    assert shown.schedule.findings == (checked,)
    assert (checked.rule, checked.severity) == ("off-at-window", severity)
    assert part in checked.message
    assert [member.result for entry in calendar.entries for member in entry.members] == [result]


async def test_nothing_is_looked_up_where_nothing_depends_on_it() -> None:
    """Of a schedule whose members all run and whose window is far away; `schedule show` tells them anyway."""
    seen: list[str] = []
    double = fleet(is_off=False, topics=[SystemTopic(TOPIC, NIGHTLY)], events={TOPIC: [PRE]})

    async def arrive(_: str, what: str) -> None:
        seen.append(what)

    double.schedules.arrive = arrive
    await list_schedules(double, clock=CLOCK)
    assert not [one for one in seen if "topics" in one or one.startswith("events")]
    await show_schedule(double, "nightly", clock=CLOCK)
    told = [one for one in seen if "topics" in one or one.startswith("events")]
    assert told == ["graph topics", f"events of {TOPIC}", f"events of {NIGHTLY}"]


async def test_one_schedule_tells_them() -> None:
    shown = await show_schedule(with_topic(PRE, POST), "nightly", clock=CLOCK)
    text = "\n".join(detail_lines(shown, paint=Paint()))
    assert "Pre and post events: 1 pre-event, 1 post-event.\n" in text
    assert "\n  pre: start-web (WebHook, hooks.example)\n  post: stop-web (AzureFunction, /f)\n" in text
    events = show_document(shown).events
    assert events is not None
    assert [(one.name, one.kinds, one.receiver) for one in events.subscriptions] == [
        ("start-web", (EventKind.PRE,), "hooks.example"),
        ("stop-web", (EventKind.POST,), "/f"),
    ]
    assert (events.is_complete, events.because) == (True, "")


async def test_unread_is_not_none() -> None:
    shown = await show_schedule(blind(), "nightly", clock=CLOCK)
    text = " ".join(" ".join(detail_lines(shown, paint=Paint())).split())
    assert f"Pre and post events: not known. They could not be read: {READ_TOPICS} is not granted" in text
    events = show_document(shown).events
    assert events is not None
    assert (events.subscriptions, events.is_complete) == ((), False)
    none = await show_schedule(fleet(), "nightly", clock=CLOCK)
    assert "Pre and post events: none." in "\n".join(detail_lines(none, paint=Paint()))
