"""The one stream of a run: the journal reads first, and whatever keeps count agrees with it at every moment."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from tests.unit.workflow import run_doubles as runs
from tests.unit.workflow.fleet_double import fleet_of, machine_id
from tests.unit.workflow.run.test_rollback_resumed import undoing
from tests.unit.workflow.run.test_then_attach import fleet
from tests.unit.workflow.run.test_waves import in_waves

from patchmode.errors import StorageError
from patchmode.model.run import ChangeResult, Result
from patchmode.ports.run import Progress, Step
from patchmode.workflow.run.events import Ended, Event, RunEvents
from patchmode.workflow.run.options import ApplyOptions


class FullDisk:
    """A journal that takes nothing."""

    def __getattr__(self, name: str) -> Any:
        async def refuse(*_args: Any, **_options: Any) -> None:
            raise StorageError("The disk is full.", advice="")

        return refuse


def test_nobody_hears_of_an_end_that_could_not_be_committed() -> None:
    """Whoever acted on it would act on what a resume does not know."""
    heard: list[Event] = []
    events = RunEvents(FullDisk())  # type: ignore[arg-type]  # only what is called
    events.read_by(heard.append)
    with pytest.raises(StorageError):
        asyncio.run(events.commit_ends([ChangeResult(machine_id("a"), Result.APPLIED)]))
    assert heard == []


def test_readers_hear_of_each_event_in_their_order() -> None:
    """The state has an end before the gate counts it, and the gate has counted before a place is free."""
    heard: list[str] = []
    with runs.temporary_store() as store:
        journal = store.create(fleet_of(2).plan())
        events = RunEvents(journal)
        events.read_by(lambda event: heard.append(f"state {name(event)}"), lambda event: heard.append(name(event)))
        ends = [ChangeResult(change.id, Result.STALE) for change in journal.plan.changes]
        asyncio.run(events.commit_ends(ends))
        assert [one.result.result for one in journal.entries() if one.result] == [Result.STALE] * 2
        journal.release()
    first, second = (end.id.name for end in ends)
    assert heard == [f"state {first}", first, f"state {second}", second]


def name(event: Event) -> str:
    assert isinstance(event, Ended)
    return event.result.id.name


@pytest.mark.parametrize("options", [ApplyOptions(), ApplyOptions(concurrency=3)])
def test_what_has_begun_is_never_told_as_not_started_again(options: ApplyOptions) -> None:
    """Many changes end in one look, and each is told alone: those still to be told are waiting, and not back again."""
    azure = fleet_of(30, duration_s=20.0)
    seen = runs.Watcher()
    runs.apply_all(azure, plan=in_waves(azure.plan(), 5, 25), options=options, observer=seen)
    told = [one.not_started for one in seen.progress]
    assert (told[0], told[-1]) == (30, 0)
    assert all(later <= earlier for earlier, later in pairwise(told))


@pytest.mark.parametrize("after", [1, 5, 9])
def test_a_run_that_is_taken_up_tells_at_once_what_waits(after: int) -> None:
    azure = fleet_of(6, duration_s=30.0)
    with runs.temporary_store() as store:
        runs.apply_until(store, azure, plan=azure.plan(), at=after, committed=True)
        journal = store.open()
        # What was intended may have been sent: nobody may read it as not sent yet.
        started = sum(entry.step in {"intended", "started"} for entry in journal.entries())
        journal.release()
        seen = runs.Watcher()
        runs.apply_in(store, azure, observer=seen)
    first: Progress = seen.progress[0]
    assert (first.waiting, first.not_started) == (started, 6 - first.done - started)


def test_what_is_only_looked_at_is_no_pace() -> None:
    """Changes that an earlier process had sent end here too, and this process did not change them."""
    azure = fleet_of(6, duration_s=30.0)
    with runs.temporary_store() as store:
        runs.apply_until(store, azure, plan=azure.plan(), at=4, committed=True)
        journal = store.open()
        before = sum(entry.step is Step.STARTED for entry in journal.entries())
        journal.release()
        seen = runs.Watcher()
        runs.apply_in(store, azure, observer=seen)
    assert before == 3
    assert seen.progress[0].ended_here == 0
    last = seen.progress[-1]
    assert (last.done, last.ended_here) == (6, 3)


def test_what_is_about_to_leave_is_told_as_under_way() -> None:
    """Before its PATCH is answered too: a change on its way is not one that was not sent yet."""
    azure = fleet_of(3)
    seen = runs.Watcher()
    with runs.temporary_store() as store:
        runs.apply_in(store, azure, plan=azure.plan(), observer=seen)
    sums = {one.done + one.failed + one.waiting + one.not_started for one in seen.progress}
    assert sums == {3}
    assert max(one.waiting for one in seen.progress) == 3


def test_a_machine_that_keeps_its_schedule_takes_no_turn_from_the_others() -> None:
    """A rollback knows which settings it may not touch before it sends any: these wait for no rate limit."""
    azure = fleet("app", "web")
    happened: list[str] = []

    def told(progress: Progress) -> None:
        latest = progress.latest
        if latest is not None and latest.error is not None:
            happened.append(f"{latest.id.name} {latest.error.code}")

    with runs.temporary_store() as store:
        plan = undoing(store, azure)
        azure.schedules.faults["weekly"].append("ScopeLocked:409")
        azure.before_patch = lambda machine: happened.append(f"{machine.name} sent")
        runs.apply_in(store, azure, plan=plan, observer=runs.Watcher(at_progress=told))
    (kept,) = (one for one in happened if one.endswith("StillAttached"))
    assert happened[0] == kept
    assert len(happened) == 2
