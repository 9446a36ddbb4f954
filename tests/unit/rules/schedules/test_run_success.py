"""Whether the window after a run succeeded: by the record, and where there is none by what is still to come."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.rules.schedules.builders import NIGHTLY, NOW, configuration_id, machine

from patchmode.model.run_history import WindowEnd, WindowResult
from patchmode.model.schedule import (
    FailureKind,
    Installation,
    MachineRun,
    MachineSchedules,
    NextWindow,
    ScheduleHit,
    Timing,
    Via,
    WindowRule,
)
from patchmode.rules.schedules.history import RECORD_LAG, judge
from patchmode.rules.schedules.recurrence import next_window

WEB = machine("web").id
NOTHING = MachineSchedules(looked_up=True)


def hit(name: str = "nightly", rule: WindowRule = NIGHTLY, **facts: Any) -> ScheduleHit:
    coming = facts.pop("next", None) or next_window(rule, after=NOW)
    return ScheduleHit(configuration_id(name), Via.STATIC, "attached to it", name, coming, **facts)


def run(status: str = "Succeeded", name: str = "nightly", *, hours: int = 1, **facts: Any) -> MachineRun:
    started = NOW + timedelta(hours=hours)
    return MachineRun(WEB, configuration_id(name), None, status, started, started + timedelta(hours=1), **facts)


def installation(status: str, **facts: Any) -> Installation:
    facts = {"maintenance_run": "run", **facts}
    return Installation(WEB, status, "User", NOW, NOW, **facts)


def judged(*records: MachineRun | Installation, hits: tuple[ScheduleHit, ...] = (), **facts: Any) -> WindowResult:
    return judge(
        WEB,
        runs=[one for one in records if isinstance(one, MachineRun)],
        installations=[one for one in records if isinstance(one, Installation)],
        schedules=facts.get("schedules", MachineSchedules(looked_up=True, hits=hits)),
        now=facts.get("now", NOW),
    )


def failed(kind: FailureKind, **facts: Any) -> MachineRun:
    return run("Failed", failure=kind, **facts)


@pytest.mark.parametrize(
    ("record", "end", "fix"),
    [
        (run(), WindowEnd.SUCCEEDED, None),
        (run("InProgress"), WindowEnd.NOT_YET, None),
        (failed(FailureKind.PREREQUISITE), WindowEnd.FAILED, f"patchmode apply --ids {WEB}"),
        (failed(FailureKind.OFF), WindowEnd.MISSED, "Start the machine before its next window."),
        (failed(FailureKind.WINDOW_EXCEEDED), WindowEnd.FAILED, "Lengthen the window, 03:55 at most."),
        (
            failed(FailureKind.CANCELLED),
            WindowEnd.FAILED,
            "Its configuration's activity log says who cancelled it; the next window runs as usual.",
        ),
        (failed(FailureKind.OTHER), WindowEnd.FAILED, f"patchmode explain {WEB}"),
        (failed(FailureKind.NOT_TOLD), WindowEnd.FAILED, f"patchmode explain {WEB}"),
    ],
)
def test_each_record(record: MachineRun, end: WindowEnd, fix: str | None) -> None:
    found = judged(record)
    assert (found.result, found.fix, found.id) == (end, fix, WEB)
    assert found.run_started_at == record.started_at


def test_words_of_a_failure_are_azures() -> None:
    found = judged(failed(FailureKind.PREREQUISITE, message="The prerequisites were not met."))
    assert found.reason == (
        "its run of 'nightly' at 2030-01-31 23:00Z failed, not prepared for schedules (the prerequisite): "
        "The prerequisites were not met."
    )


def test_last_run_of_a_configuration_counts() -> None:
    assert judged(run(hours=26), failed(FailureKind.PREREQUISITE, hours=2)).result is WindowEnd.SUCCEEDED
    assert judged(run(hours=2), failed(FailureKind.PREREQUISITE, hours=26)).result is WindowEnd.FAILED


def test_success_of_one_configuration_does_not_hide_the_failure_of_another() -> None:
    assert judged(run(hours=26), failed(FailureKind.OFF, name="weekly", hours=2)).result is WindowEnd.MISSED


@pytest.mark.parametrize(
    ("status", "facts", "end"),
    [
        ("Succeeded", {}, WindowEnd.SUCCEEDED),
        ("CompletedWithWarnings", {}, WindowEnd.SUCCEEDED),
        ("Failed", {"message": "an update failed"}, WindowEnd.FAILED),
        ("CompletedWithWarnings", {"window_exceeded": True}, WindowEnd.FAILED),
        ("InProgress", {}, WindowEnd.NOT_YET),
        ("Succeeded", {"maintenance_run": None}, WindowEnd.NO_SCHEDULE),
    ],
    ids=["good", "warnings", "bad", "too-long", "running", "by-hand"],
)
def test_installation_speaks_where_no_run_is_recorded(status: str, facts: dict[str, Any], end: WindowEnd) -> None:
    assert judged(installation(status, **facts)).result is end


def test_run_is_believed_before_an_installation() -> None:
    assert judged(failed(FailureKind.OFF), installation("Succeeded")).result is WindowEnd.MISSED


WINDOW = next_window(NIGHTLY, after=NOW).window
OVER = "the window of 'nightly' at 2030-02-01 03:00 UTC is over"


@pytest.mark.parametrize(
    ("after_end", "end", "words"),
    [
        (timedelta(hours=-3), WindowEnd.NOT_YET, "next window of 'nightly' at 2030-02-01 03:00 UTC"),
        (timedelta(hours=-1), WindowEnd.NOT_YET, "the window of 'nightly' at 2030-02-01 03:00 UTC has no record yet"),
        (RECORD_LAG / 2, WindowEnd.NOT_YET, "the window of 'nightly' at 2030-02-01 03:00 UTC has no record yet"),
        (
            RECORD_LAG,
            WindowEnd.UNKNOWN,
            f"{OVER}, and Resource Graph has no record of a run on the machine",
        ),
    ],
)
def test_without_a_record_the_window_tells(after_end: timedelta, end: WindowEnd, words: str) -> None:
    assert WINDOW is not None
    found = judged(hits=(hit(),), now=WINDOW.ends_at + after_end)
    assert (found.result, found.reason) == (end, words)
    assert found.window_ends_at == WINDOW.ends_at


@pytest.mark.parametrize(
    ("schedules", "end"),
    [
        (NOTHING, WindowEnd.NO_SCHEDULE),
        (MachineSchedules(looked_up=False, why_not="it is forbidden"), WindowEnd.UNKNOWN),
        (MachineSchedules(looked_up=True, hits=(hit(doubt="tags differ by case"),)), WindowEnd.UNKNOWN),
        (
            MachineSchedules(looked_up=True, hits=(hit(next=NextWindow(Timing.OVER, because="it has expired")),)),
            WindowEnd.NO_SCHEDULE,
        ),
        (
            MachineSchedules(looked_up=True, hits=(hit(next=NextWindow(Timing.UNREADABLE, because="?")),)),
            WindowEnd.UNKNOWN,
        ),
    ],
    ids=["none", "not-looked-up", "in-doubt", "expired", "unreadable"],
)
def test_without_a_record_and_a_window(schedules: MachineSchedules, end: WindowEnd) -> None:
    assert judged(schedules=schedules).result is end


def test_ids_are_told_as_they_are_written() -> None:
    lowered = replace(run(), configuration=type(WEB).parse(str(configuration_id()).lower()))
    assert judged(lowered, hits=(hit(),)).configuration == str(configuration_id())
