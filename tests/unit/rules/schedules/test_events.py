"""What a pre-event changes of what is said: nothing is concluded from what could not be read."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.rules.builders import vm
from tests.unit.rules.schedules.builders import NOW

from patchmode.model.machine import MachineKind, Surroundings
from patchmode.model.maintenance_events import (
    NO_EVENTS,
    EventKind,
    EventSubscription,
    ScheduleEvents,
    pre_event_names,
)
from patchmode.model.schedule import RunForecast
from patchmode.rules.schedules.events import away, too_close

PRE = EventSubscription("/pre", "start-web", (EventKind.PRE,), "WebHook", "hooks.example")
BOTH = EventSubscription("/both", "tell-all", tuple(EventKind), "AzureFunction", "/f")
POST = EventSubscription("/post", "stop-web", (EventKind.POST,), "AzureFunction", "/f")
HIDDEN = ScheduleEvents(refusal="Microsoft.EventGrid/systemTopics/read is not granted in its subscription")
OFF = replace(vm(), surroundings=Surroundings(power_state="deallocated"))
ARC = replace(vm(), kind=MachineKind.ARC, surroundings=Surroundings(arc_status="Disconnected"))


MISSED = "it is deallocated now and would be missed, unless it runs 15 minutes before"
NONE = f"{MISSED}; no pre-event of the schedule would start it, because it has none"
UNREAD = f"{MISSED}; whether a pre-event of the schedule would start it could not be read"
STARTED = "it is deallocated now, and the pre-event 'start-web' of the schedule may start it before the window"
CONNECTED = "it is disconnected now, and the pre-event 'start-web' and 1 more of the schedule may connect it before "


@pytest.mark.parametrize(
    ("machine", "events", "result", "reason"),
    [
        (OFF, None, RunForecast.MISSED, MISSED),
        (OFF, NO_EVENTS, RunForecast.MISSED, NONE),
        (OFF, ScheduleEvents((POST,)), RunForecast.MISSED, NONE),
        (OFF, HIDDEN, RunForecast.MISSED, UNREAD),
        (OFF, ScheduleEvents((PRE, POST), refusal="one list could not be read"), RunForecast.UNKNOWN, STARTED),
        (ARC, ScheduleEvents((PRE, BOTH)), RunForecast.UNKNOWN, f"{CONNECTED}the window"),
    ],
)
def test_a_machine_that_is_off(
    machine: object, events: ScheduleEvents | None, result: RunForecast, reason: str
) -> None:
    found = away(machine, events)  # type: ignore[arg-type]
    assert found is not None
    assert (found.result, found.reason, found.rule) == (result, reason, "off-at-window")


def test_a_machine_that_runs_needs_no_pre_event() -> None:
    assert away(vm(), NO_EVENTS) is None
    assert pre_event_names(ScheduleEvents((POST,))) == ""


WITH = (
    "39 minutes, and it has a pre-event ('start-web'), for which Azure needs 40 minutes: other machines or dynamic "
    "scopes count only from the window after it, and if the schedule itself is changed now, Azure cancels the run in "
    "this window"
)
PERHAPS = "with one, Azure needs 40 minutes: a change now would not count for this window, or cancel it"


@pytest.mark.parametrize(
    ("minutes", "events", "told"),
    [
        (1, NO_EVENTS, "1 minute: a change now may not count for it"),
        (14, ScheduleEvents((POST,)), "14 minutes: a change now may not count for it"),
        (14, HIDDEN, "14 minutes: a change now may not count for it"),
        (15, NO_EVENTS, None),
        (39, ScheduleEvents((PRE,)), WITH),
        (39, HIDDEN, f"39 minutes. Whether it has a pre-event could not be read; {PERHAPS}"),
        (15, None, f"15 minutes. Whether it has a pre-event was not looked up; {PERHAPS}"),
        (40, ScheduleEvents((PRE,)), None),
    ],
)
def test_a_window_that_is_near(minutes: int, events: ScheduleEvents | None, told: str | None) -> None:
    assert too_close(NOW + timedelta(minutes=minutes), NOW, events) == told
