"""After the window: one answer a machine, asked for no more often than something new can be there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.unit.workflow.azure_double import ALPHA, AzureDouble, machine
from tests.unit.workflow.maintenance_double import MaintenanceDouble, configuration, configuration_id

from patchmode.errors import RequestError
from patchmode.model.run_history import AfterWindowReport, WindowEnd
from patchmode.model.schedule import ConfigurationAssignment, FailureKind, MachineRun
from patchmode.model.scope import Scope
from patchmode.workflow.inventory.history import POLL, SOURCE, after_window, after_window_waiting

WEB = machine("web", mode="AutomaticByPlatform", bypass=True)
DB = machine("db", mode="AutomaticByPlatform", bypass=True)
NIGHTLY = configuration_id("nightly", subscription=ALPHA)
BEGIN = datetime(2030, 1, 31, 22, 0, tzinfo=UTC)
WINDOW = datetime(2030, 2, 1, 3, 0, tzinfo=UTC)
"""The double's schedule: every day 03:00 to 05:00 UTC."""


class Night:
    """A clock that only moves when somebody waits; the window's record is there once it is late enough."""

    def __init__(self, azure: AzureDouble, *, recorded_at: datetime, runs: list[MachineRun]) -> None:
        self.azure = azure
        self.recorded_at = recorded_at
        self.runs = runs
        self.moment = BEGIN
        self.waits: list[float] = []

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return (self.moment - BEGIN) / timedelta(seconds=1)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.moment += timedelta(seconds=seconds)
        if self.moment >= self.recorded_at:
            self.azure.schedules.runs = self.runs


def estate(*attached: Any, **facts: Any) -> AzureDouble:
    schedules = MaintenanceDouble(
        configurations=[configuration(NIGHTLY)],
        assignments=[ConfigurationAssignment("nightly", one.id, NIGHTLY) for one in attached],
    )
    return AzureDouble((WEB, DB), schedules=schedules, **facts)


def run(who: Any, **facts: Any) -> MachineRun:
    facts = {"status": "Succeeded", "started_at": WINDOW, "ended_at": WINDOW + timedelta(hours=1), **facts}
    return MachineRun(who.id, NIGHTLY, "correlation", **facts)


def connecting(azure: AzureDouble, *, fails_at: frozenset[int] = frozenset()) -> Any:
    attempts = iter(range(1, 99))

    @asynccontextmanager
    async def connect() -> AsyncIterator[Any]:
        if next(attempts) in fails_at:
            raise RequestError("the network is unreachable", code="NotSent")
        yield azure

    return connect


def ends(report: AfterWindowReport) -> dict[str, WindowEnd]:
    return {entry.id.name: entry.result for entry in report.results}


async def asked(azure: AzureDouble, *, since: datetime = BEGIN, now: datetime = BEGIN) -> AfterWindowReport:
    clock = Night(azure, recorded_at=WINDOW, runs=[])
    clock.moment = now
    return await after_window(connecting(azure), (WEB.id, DB.id), since=since, clock=clock)


async def test_before_the_window_nothing_is_known_and_the_window_is_named() -> None:
    report = await asked(estate(WEB))
    assert ends(report) == {"web": WindowEnd.NOT_YET, "db": WindowEnd.NO_SCHEDULE}
    assert report.counts == {
        "scope": 2,
        "succeeded": 0,
        "failed": 0,
        "missed": 0,
        "notYet": 1,
        "noSchedule": 1,
        "unknown": 0,
    }
    assert report.notes[0] == SOURCE


async def test_runs_before_the_moment_do_not_count() -> None:
    azure = estate(WEB, DB)
    azure.schedules.runs = [run(WEB), run(DB, started_at=BEGIN - timedelta(hours=19))]
    report = await asked(azure, now=WINDOW + timedelta(hours=1))
    assert ends(report) == {"web": WindowEnd.SUCCEEDED, "db": WindowEnd.NOT_YET}


async def test_machine_that_resource_graph_does_not_know_is_not_lost() -> None:
    azure = estate(WEB, DB, graph_machines=(WEB,))
    report = await asked(azure)
    assert ends(report) == {"web": WindowEnd.NOT_YET, "db": WindowEnd.UNKNOWN}


async def test_scope_takes_its_machines_from_the_inventory() -> None:
    azure = estate(WEB)
    clock = Night(azure, recorded_at=WINDOW, runs=[])
    report = await after_window(connecting(azure), Scope(everything=True), since=BEGIN, clock=clock)
    assert sorted(ends(report)) == ["db", "web"]


async def test_machine_of_a_scope_that_cannot_be_read_is_not_lost() -> None:
    """A machine that was named and does not exist must not end in success."""
    azure = estate(WEB)
    clock = Night(azure, recorded_at=WINDOW, runs=[])
    scope = Scope(ids=(str(WEB.id), str(WEB.id).replace("web", "gone")))
    report = await after_window(connecting(azure), scope, since=BEGIN, clock=clock)
    assert ends(report) == {"web": WindowEnd.NOT_YET, "gone": WindowEnd.UNKNOWN}


async def test_place_that_cannot_be_read_is_named() -> None:
    """Nobody knows how many machines are in it, and none of them may have been patched."""
    azure = estate(WEB)
    clock = Night(azure, recorded_at=WINDOW, runs=[])
    scope = Scope(ids=(str(WEB.id),), management_groups=("nowhere",))
    report = await after_window(connecting(azure), scope, since=BEGIN, clock=clock)
    (place,) = report.unread
    assert place.endswith("/managementGroups/nowhere")
    assert any(note.startswith(f"{place} could not be read, and its machines") for note in report.notes)


@pytest.mark.parametrize(("days", "notes"), [(29, 0), (31, 1)])
async def test_what_azure_no_longer_keeps_is_said(days: int, notes: int) -> None:
    """Without it, "no record" reads as if nothing had run."""
    azure = estate(WEB, DB)
    azure.schedules.runs = [run(WEB), run(DB)]
    report = await asked(azure, now=BEGIN + timedelta(days=days))
    assert sum("keeps the record of runs for 30 days" in note for note in report.notes) == notes


async def test_nothing_to_ask_about() -> None:
    azure = estate()
    report = await after_window(connecting(azure), (), since=BEGIN, clock=Night(azure, recorded_at=WINDOW, runs=[]))
    assert report.results == ()


async def waited(
    azure: AzureDouble, clock: Night, *, fails_at: frozenset[int] = frozenset()
) -> tuple[AfterWindowReport, list[str]]:
    told: list[str] = []
    connect = connecting(azure, fails_at=fails_at)
    report = await after_window_waiting(connect, (WEB.id, DB.id), since=BEGIN, clock=clock, remark=told.append)
    return report, told


async def test_waits_for_the_windows_end_and_then_asks_sparingly() -> None:
    azure = estate(WEB, DB)
    both = [run(WEB), run(DB, status="Failed", failure=FailureKind.OFF)]
    clock = Night(azure, recorded_at=WINDOW + timedelta(hours=2, minutes=9), runs=both)
    report, told = await waited(azure, clock)
    assert ends(report) == {"web": WindowEnd.SUCCEEDED, "db": WindowEnd.MISSED}
    assert clock.waits == [7 * 3600 + 300.0, 300.0]
    assert told[0] == "Waiting until 2030-02-01 05:05:00Z for 2 of 2 machines."


async def test_gives_up_when_the_record_never_comes() -> None:
    azure = estate(WEB, DB)
    clock = Night(azure, recorded_at=WINDOW + timedelta(days=9), runs=[])
    report, _ = await waited(azure, clock)
    assert ends(report) == {"web": WindowEnd.UNKNOWN, "db": WindowEnd.UNKNOWN}
    assert clock.now() == WINDOW + timedelta(hours=2, minutes=15)


async def test_does_not_wait_for_machines_without_a_schedule() -> None:
    azure = estate()
    clock = Night(azure, recorded_at=WINDOW, runs=[])
    report, told = await waited(azure, clock)
    assert ends(report) == {"web": WindowEnd.NO_SCHEDULE, "db": WindowEnd.NO_SCHEDULE}
    assert (clock.waits, told) == ([], [])


async def test_look_that_fails_while_waiting_is_told_and_repeated() -> None:
    azure = estate(WEB, DB)
    clock = Night(azure, recorded_at=WINDOW + timedelta(hours=2), runs=[run(WEB), run(DB)])
    report, told = await waited(azure, clock, fails_at=frozenset({2}))
    assert set(ends(report).values()) == {WindowEnd.SUCCEEDED}
    assert "Azure's record could not be read, and is read again: the network is unreachable" in told
    assert POLL / timedelta(seconds=1) in clock.waits


async def test_first_look_that_fails_is_raised() -> None:
    azure = estate(WEB)
    with pytest.raises(RequestError):
        await waited(azure, Night(azure, recorded_at=WINDOW, runs=[]), fails_at=frozenset({1}))


async def test_run_that_goes_on_is_waited_for() -> None:
    azure = estate(WEB, DB)
    azure.schedules.runs = [run(one, status="InProgress", ended_at=None) for one in (WEB, DB)]
    done = [run(WEB), replace(run(DB), started_at=WINDOW + timedelta(minutes=1))]
    clock = Night(azure, recorded_at=BEGIN + timedelta(minutes=12), runs=done)
    report, _ = await waited(azure, clock)
    assert set(ends(report).values()) == {WindowEnd.SUCCEEDED}
    assert clock.waits == [300.0, 300.0, 300.0]
