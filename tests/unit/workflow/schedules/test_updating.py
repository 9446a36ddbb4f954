"""Changing a schedule: nothing is written over that was not shown, and a window that is near is told."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.unit.workflow.azure_double import FixedClock
from tests.unit.workflow.maintenance_double import DAILY, configuration
from tests.unit.workflow.schedule_doubles import WritableAzure, assigned, azure, ready, schedule_id

from patchmode.errors import MaybeAppliedError, RefusedError, UnsafeError
from patchmode.model.maintenance_events import EventKind, EventSubscription
from patchmode.model.report import ScheduleWish
from patchmode.model.schedule import WindowRule
from patchmode.workflow.schedules.creating import Update, create, draft, draft_update
from patchmode.workflow.schedules.deleting import preview_delete

CLOCK = FixedClock()
GUEST = {"maintenanceScope": "InGuestPatch", "extensionProperties": {"InGuestPatchMode": "User"}}


def double(start: str = "2024-01-01 03:00") -> WritableAzure:
    one = ready("one")
    found = azure(one, assignments=[assigned(one)])
    window = WindowRule(start, None, "02:00", "UTC", "Day")
    properties = {
        **GUEST,
        "maintenanceWindow": {"startDateTime": start, "duration": "02:00", "timeZone": "UTC", "recurEvery": "Day"},
        "installPatches": {"rebootSetting": "IfRequired"},
    }
    found.schedules.configurations = [configuration(schedule_id(), window, properties=properties)]
    return found


def longer(wish: ScheduleWish) -> tuple[ScheduleWish, Collection[str]]:
    return replace(wish, window=replace(wish.window, duration="03:00")), ["maintenanceWindow.duration"]


async def drafted(azure_: WritableAzure) -> Update:
    return await draft_update(azure_, "nightly", longer, clock=CLOCK)


async def test_it_is_changed_and_read_back() -> None:
    there = double()
    update = await drafted(there)
    assert [(one.path, one.found, one.expected) for one in update.drafted.before] == [
        ("properties.maintenanceWindow.duration", '"02:00"', '"03:00"')
    ]
    report = await create(there, update.drafted, is_update=True)
    assert (report.result, report.differences) == ("updated", ())


async def test_what_somebody_changed_since_it_was_shown_is_not_written_over() -> None:
    """Azure has no etag for it, so the whole of it is compared right before the PUT."""
    there = double()
    update = await drafted(there)
    there.schedules.configurations = [replace(there.schedules.configurations[0], tags={"owner": "other"})]
    with pytest.raises(RefusedError, match="somebody changed"):
        await create(there, update.drafted, is_update=True)
    assert there.schedules.bodies == []
    there.schedules.configurations = []
    with pytest.raises(RefusedError, match="somebody changed"):
        await create(there, update.drafted, is_update=True)


async def test_a_lost_answer_is_called_done_only_where_it_is() -> None:
    there = double()
    update = await drafted(there)
    there.schedules.faults["nightly"].append("lost-before")
    with pytest.raises(MaybeAppliedError):
        await create(there, update.drafted, is_update=True)
    there.schedules.faults["nightly"].append("lost-after")
    report = await create(there, update.drafted, is_update=True)
    assert (report.result, report.differences) == ("updated", ())


@pytest.mark.parametrize(
    ("minutes", "has_pre_event", "is_told"),
    [(0, False, True), (14, False, True), (15, False, False), (39, True, True), (40, True, False), (200, True, False)],
)
async def test_a_window_that_is_near_may_pass_without_the_change(
    minutes: int, has_pre_event: bool, is_told: bool
) -> None:
    """15 minutes by Microsoft's article, 40 where the schedule has a pre-event, and the run is cancelled then."""
    now = CLOCK.now()
    at = now.timestamp() + minutes * 60
    there = double(f"2024-01-01 {datetime.fromtimestamp(at, UTC):%H:%M}")
    if has_pre_event:
        pre = EventSubscription("/e", "start-web", (EventKind.PRE,), "WebHook", "hooks.example")
        there.schedules.events = {schedule_id(): [pre]}
    update = await drafted(there)
    begins = f"Its next window starts in {minutes} minutes"
    assert [text[: len(begins)] for text in update.warnings] == ([begins] if is_told else [])
    assert all(("Azure cancels the run" in text) == has_pre_event for text in update.warnings)
    assert update.drafted.warnings == (), "what is said of one window is said once"


async def test_a_change_that_makes_a_window_near_is_told() -> None:
    there = double()
    there.schedules.events = {schedule_id(): [EventSubscription("/e", "x", (EventKind.PRE,), "WebHook", "h.example")]}
    soon = f"2024-01-01 {datetime.fromtimestamp(CLOCK.now().timestamp() + 1800, UTC):%H:%M}"

    def earlier(wish: ScheduleWish) -> tuple[ScheduleWish, Collection[str]]:
        return replace(wish, window=replace(wish.window, start=soon)), ["maintenanceWindow.startDateTime"]

    update = await draft_update(there, "nightly", earlier, clock=CLOCK)
    (told,) = update.warnings
    assert told.startswith("With the change its first window starts in 30 minutes, and it has a pre-event ('x')")


@pytest.mark.parametrize(
    ("start", "told"),
    [
        ("2024-01-01 04:00", ""),  # another time of day
        ("2030-02-02 03:00", ""),  # only the window of tomorrow is left out
        (
            "2035-01-01 03:00",
            (
                "With the change no window starts before 2035-01-01 03:00 UTC, and nothing is installed; now the next "
                "two start 2030-02-01 03:00 UTC and 2030-02-02 03:00 UTC."
            ),
        ),
    ],
)
async def test_a_start_far_ahead_says_which_windows_are_left_out(start: str, told: str) -> None:
    """Otherwise the forecast of the next window alone reads as if nothing was lost."""

    def later(wish: ScheduleWish) -> tuple[ScheduleWish, Collection[str]]:
        return replace(wish, window=replace(wish.window, start=start)), ["maintenanceWindow.startDateTime"]

    there = double()
    assert (await draft_update(there, "nightly", later, clock=CLOCK)).drafted.lost_windows == told
    wish = ScheduleWish(schedule_id(), "westeurope", WindowRule(start, None, "02:00", "UTC", "Day"))
    assert (await draft(there, wish, replace=True, clock=CLOCK)).lost_windows == told


@pytest.mark.parametrize(("there", "is_refused"), [(249, False), (250, True)])
async def test_a_region_takes_250_configurations_and_no_more(there: int, is_refused: bool) -> None:
    """Those of other maintenance scopes count, too; a region is one however it is written."""
    found = azure()
    scopes = ("InGuestPatch", "Host", "Extension")
    found.schedules.configurations = [
        configuration(schedule_id(f"c{at}"), scope=scopes[at % 3], location="West Europe" if at % 2 else "westeurope")
        for at in range(there)
    ]
    wish = ScheduleWish(schedule_id("new"), "westeurope", DAILY)
    if is_refused:
        with pytest.raises(UnsafeError, match="holds 250 maintenance configurations"):
            await draft(found, wish, replace=False, clock=CLOCK)
        elsewhere = await draft(found, replace(wish, location="northeurope"), replace=False, clock=CLOCK)
        assert elsewhere.standing is None
    else:
        assert (await draft(found, wish, replace=False, clock=CLOCK)).standing is None


async def test_3000_members_are_counted_before_a_deletion() -> None:
    machines = [ready(f"m{at}") for at in range(3000)]
    found = azure(*machines, assignments=[assigned(one) for one in machines], page=1000)
    deletion = await preview_delete(found, "nightly", clock=CLOCK)
    assert (deletion.touched, len(deletion.nobody)) == (3000, 3000)
