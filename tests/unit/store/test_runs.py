"""A run's journal survives a kill, a full disk, a second apply at once, and another version of the program."""

import asyncio
import json
import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import jsonschema
import pytest
from tests.unit.store import plans

from patchmode.documents import published
from patchmode.documents import run as run_documents
from patchmode.errors import RefusedError, RunBusyError, StorageError, UnsafeError, UsageError
from patchmode.model.left_alone import MachineError
from patchmode.model.machine import Machine, MachineKind
from patchmode.model.patch_settings import OperatingSystem
from patchmode.model.plan import Plan
from patchmode.model.run import ChangeResult, Difference, Result, RunCounts, RunReport, Verification
from patchmode.ports.azure import PatchAnswer
from patchmode.ports.run import Step
from patchmode.store import database, files
from patchmode.store.journal import Journal
from patchmode.store.runs import RunStore

EARLY = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
LATE = datetime(2026, 3, 1, 9, 45, 0, 250_000, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "state")


def answer() -> PatchAnswer:
    machine = Machine(
        plans.machine_id("vm-0"), MachineKind.VM, "westeurope", OperatingSystem.WINDOWS, None, has_os_profile=True
    )
    return PatchAnswer(machine, "https://management.azure.com/operations/1?t=2", "request-1", "correlation-1")


def applied(name: str = "vm-0", *, verified: bool = True) -> ChangeResult:
    differences = (
        ()
        if verified
        else (
            Difference("properties.tags.owner", '"a"', '"b"'),
            Difference("properties.added", "(absent)", "null"),
            Difference("properties.bypass", "true", "(absent)"),
        )
    )
    return ChangeResult(
        plans.machine_id(name),
        Result.APPLIED,
        request_id="request-1",
        correlation_id="correlation-1",
        started_at=EARLY,
        ended_at=LATE,
        verification=Verification(plans.machine_id(name), verified, differences),
    )


def failed(name: str) -> ChangeResult:
    error = MachineError("ScopeLocked", "PATCH was refused: locked.", False, "Remove the lock.", 409)
    return ChangeResult(plans.machine_id(name), Result.FAILED, error, started_at=EARLY, ended_at=LATE)


async def carry_out_one(journal: Journal) -> None:
    await journal.intend(plans.machine_id("vm-0"), etag='"1"', at=EARLY)
    await journal.start(plans.machine_id("vm-0"), answer(), at=LATE)
    await journal.end(applied())


def two_machines() -> Plan:
    return plans.plan(plans.change("vm-0"), plans.change("vm-1"))


async def test_journal_remembers_each_step_of_each_change(store: RunStore) -> None:
    journal = store.create(two_machines())
    journal.begin_session(lambda: {"GET": 2, "PATCH": 1})
    await carry_out_one(journal)
    await journal.end(failed("vm-1"))
    journal.close(state="finished")
    read = store.open(journal.run)
    first, second = read.entries()
    assert (first.step, first.attempts, first.operation_url) == (
        Step.ENDED,
        1,
        "https://management.azure.com/operations/1?t=2",
    )
    assert (first.intended_at, first.started_at, first.result) == (EARLY, LATE, applied())
    assert (second.step, second.attempts, second.result) == (Step.ENDED, 0, failed("vm-1"))
    assert (read.state, read.plan, read.requests()) == ("finished", two_machines(), {"GET": 2, "PATCH": 1})
    read.close(state="finished")


async def test_the_list_counts_what_ended_as_not_sent_until_it_is_taken_up(store: RunStore) -> None:
    """They are among those that have ended, and a message that reads like the journal's own text is none of them."""

    def counted() -> tuple[int, int, int]:
        (one,) = store.list()
        return one.ended, one.not_sent, one.not_begun

    journal = store.create(two_machines())
    assert counted() == (0, 0, 2)
    error = MachineError("Budget", 'It said "result":"notSent" and more.', False, "", None)
    await journal.end(ChangeResult(plans.machine_id("vm-0"), Result.FAILED, error))
    await journal.end(ChangeResult(plans.machine_id("vm-1"), Result.NOT_SENT, error))
    assert counted() == (2, 1, 0)
    await journal.intend(plans.machine_id("vm-1"), etag=None, at=EARLY)
    assert counted() == (2, 0, 0)
    journal.close(state="finished")


async def test_every_step_is_on_the_disk_before_the_call_returns(store: RunStore) -> None:
    """Another connection, as another process would have it, sees each step at once."""
    journal = store.create(two_machines())

    def seen() -> Step:
        reader = store.open(journal.run)
        step = reader.entries()[0].step
        reader.release()
        return step

    assert seen() is Step.PENDING
    await journal.intend(plans.machine_id("vm-0"), etag=None, at=EARLY)
    assert seen() is Step.INTENDED
    await journal.start(plans.machine_id("vm-0"), answer(), at=EARLY)
    assert seen() is Step.STARTED
    await journal.end(applied())
    assert seen() is Step.ENDED
    journal.close(state="finished")


async def test_what_is_written_in_one_turn_is_committed_together(store: RunStore) -> None:
    """The price of a durable commit is paid once for all tasks that wait for one."""
    changes = [plans.change(f"vm-{number}") for number in range(50)]
    journal = store.create(plans.plan(*changes))
    connection = journal._connection
    assert connection is not None
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    await asyncio.gather(*(journal.intend(change.id, etag=None, at=EARLY) for change in changes))
    assert statements.count("COMMIT") == 1
    assert [entry.step for entry in journal.entries()] == [Step.INTENDED] * 50
    journal.close(state="finished")


async def test_one_task_that_is_cancelled_does_not_cancel_the_others(store: RunStore) -> None:
    journal = store.create(two_machines())
    tasks = [
        asyncio.create_task(journal.intend(plans.machine_id(f"vm-{number}"), etag=None, at=EARLY)) for number in (0, 1)
    ]
    await asyncio.sleep(0)
    tasks[0].cancel()
    assert [type(end) for end in await asyncio.gather(*tasks, return_exceptions=True)] == [
        asyncio.CancelledError,
        type(None),
    ]
    assert [entry.step for entry in journal.entries()] == [Step.INTENDED, Step.INTENDED]
    journal.close(state="interrupted")


async def test_closing_commits_what_is_pending(store: RunStore) -> None:
    journal = store.create(two_machines())
    task = asyncio.create_task(journal.intend(plans.machine_id("vm-0"), etag=None, at=EARLY))
    await asyncio.sleep(0)
    journal.close(state="interrupted")
    await task
    journal.close(state="finished")
    read = store.open(journal.run)
    assert (read.state, read.entries()[0].step) == ("interrupted", Step.INTENDED)
    read.release()
    with pytest.raises(StorageError, match="is closed"):
        read.entries()


async def test_a_later_attempt_counts_and_the_earlier_end_does_not(store: RunStore) -> None:
    journal = store.create(two_machines())
    await carry_out_one(journal)
    await journal.intend(plans.machine_id("vm-0"), etag='"2"', at=LATE)
    entry = journal.entries()[0]
    assert (entry.step, entry.attempts, entry.operation_url, entry.result) == (Step.INTENDED, 2, None, None)
    journal.close(state="interrupted")


async def test_verification_replaces_the_one_before(store: RunStore) -> None:
    journal = store.create(two_machines())
    await carry_out_one(journal)
    await journal.verified(applied(verified=False))
    await journal.verified(ChangeResult(plans.machine_id("vm-0"), Result.APPLIED))
    await journal.verified(applied("vm-1"))
    first, second = journal.entries()
    assert first.result == applied(verified=False)
    assert second.result is None
    journal.close(state="finished")


async def test_requests_of_several_sessions_add_up(store: RunStore) -> None:
    journal = store.create(two_machines())
    journal.begin_session(lambda: {"GET": 2, "PATCH": 1})
    await journal.end(applied())
    journal.close(state="interrupted")
    again = store.open(journal.run, for_writing=True)
    assert (again.requests(), again.tells_all_requests) == ({"GET": 2, "PATCH": 1}, True)
    sent = {"GET": 5}
    again.begin_session(lambda: sent)
    await again.end_all([failed("vm-1")])
    sent["GET"] = 6
    again.close(state="finished")
    read = store.open(journal.run)
    assert (read.requests(), read.tells_all_requests) == ({"GET": 8, "PATCH": 1}, True)
    read.release()


def reopened(store: RunStore) -> Journal:
    """As the next process finds the latest run."""
    journal = store.open(for_writing=True)
    journal.release()
    return journal


async def test_a_session_that_was_killed_leaves_what_it_had_told_and_that_it_is_not_all(store: RunStore) -> None:
    """Its requests were missing without a word, or given to the next session's number and written over."""
    sent = {"PATCH": 1}
    killed = store.create(two_machines())
    killed.begin_session(lambda: sent)
    await killed.intend(plans.machine_id("vm-0"), etag=None, at=EARLY)
    sent["GET"] = 7
    killed.release()
    assert reopened(store).tells_all_requests is False
    silent = store.open(for_writing=True)
    assert silent.requests() == {"PATCH": 1}
    silent.begin_session(dict)
    silent.release()
    last = store.open(for_writing=True)
    last.begin_session(lambda: {"GET": 3})
    last.close(state="finished")
    read = store.open()
    assert (read.requests(), read.tells_all_requests) == ({"GET": 3, "PATCH": 1}, False)
    read.release()


def test_a_run_that_never_began_to_send_tells_all_and_one_of_an_earlier_version_does_not(store: RunStore) -> None:
    journal = store.create(two_machines())
    assert journal.tells_all_requests
    journal.close(state="interrupted")
    assert reopened(store).tells_all_requests
    with closing(sqlite3.connect(journal._path)) as connection, connection:
        connection.execute("DELETE FROM about WHERE name = 'sessions'")
    assert not reopened(store).tells_all_requests


async def test_a_change_that_was_refused_before_it_was_sent_does_not_count_as_sent(store: RunStore) -> None:
    """An `apply` whose every machine was refused for want of a role stood in the way of the next one."""
    journal = store.create(two_machines())
    refusal = MachineError("NotAuthorized", "No role allows it.", False, "Grant the role.")
    unsent = [ChangeResult(plans.machine_id(name), Result.NOT_SENT, refusal) for name in ("vm-0", "vm-1")]
    await journal.end_all(unsent)
    journal.close(state="stopped")
    assert (store.list()[0].ended, store.list()[0].sent) == (2, 0)
    again = store.create(two_machines())
    await again.intend(plans.machine_id("vm-0"), etag=None, at=EARLY)
    await again.end_all([applied(), unsent[1]])
    again.close(state="stopped")
    assert store.list()[1].sent == 1
    store.create(plans.full_plan()).close(state="interrupted")
    assert store.latest_sent() == again.run


async def test_reader_may_not_write(store: RunStore) -> None:
    store.create(two_machines()).close(state="finished")
    reader = store.open()
    with pytest.raises(UnsafeError, match="opened for reading only"):
        await reader.intend(plans.machine_id("vm-0"), etag=None, at=EARLY)
    reader.close(state="interrupted")
    assert store.list()[0].state == "finished"


# ------------------------------------------------------------------------------------------------ two at once


def test_two_applies_at_once_on_one_plan_are_refused(store: RunStore) -> None:
    journal = store.create(two_machines())
    with pytest.raises(RunBusyError, match=rf"run {journal.run} is applying .* held by process {os.getpid()} on "):
        store.create(two_machines())
    with pytest.raises(RunBusyError, match=rf"run {journal.run} is held by process {os.getpid()} on .* since 20"):
        store.open(journal.run, for_writing=True)
    store.create(plans.full_plan()).close(state="finished")
    journal.close(state="finished")


async def test_a_plan_that_was_carried_out_is_not_carried_out_again_unasked(store: RunStore) -> None:
    plan = plans.plan()
    journal = store.create(plan)
    await carry_out_one(journal)
    journal.close(state="finished")
    with pytest.raises(UnsafeError, match=f"already applied, by run {journal.run}") as caught:
        store.create(plan)
    assert "Make a new plan" in caught.value.advice
    store.create(plan, again=True).close(state="finished")


@pytest.mark.parametrize("state", ["interrupted", "finished"])
async def test_a_plan_that_was_begun_is_resumed_not_begun_again(store: RunStore, state: str) -> None:
    store.create(plans.plan()).close(state=state)
    journal = store.create(plans.plan())
    await journal.intend(plans.machine_id("vm-0"), etag=None, at=EARLY)
    journal.close(state=state)
    with pytest.raises(UnsafeError, match="did not finish") as caught:
        store.create(plans.plan())
    assert caught.value.advice == f"Resume it with `patchmode runs resume {journal.run}`."


HOLD = """
import sys
from pathlib import Path
from patchmode.store.runs import RunStore
journal = RunStore(Path(sys.argv[1])).open(sys.argv[2], for_writing=True)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_killed_process_leaves_no_lock_behind(store: RunStore, tmp_path: Path) -> None:
    journal = store.create(two_machines())
    journal.close(state="interrupted")
    command = [sys.executable, "-c", HOLD, str(tmp_path / "state"), journal.run]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert store.list()[0].state == "running"
        with pytest.raises(RunBusyError, match=f"held by process {process.pid} on "):
            store.open(journal.run, for_writing=True)
        process.kill()
    assert store.list()[0].state == "interrupted"
    store.open(journal.run, for_writing=True).close(state="finished")


def test_a_lock_file_without_a_signature_still_locks(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    assert not files.is_held(path)
    taken = files.FileLock(path, what="run x")
    path.write_text("")
    with pytest.raises(RunBusyError, match="run x is held by another process"):
        files.FileLock(path, what="run x")
    taken.release()
    taken.release()
    assert not files.is_held(path)
    with pytest.raises(StorageError, match="could not lock run y: No such file"):
        files.FileLock(tmp_path / "missing" / "a.lock", what="run y")


# ------------------------------------------------------------------------------------------------ bad disks and files


async def test_full_disk_stops_before_anything_is_sent_and_loses_nothing(store: RunStore) -> None:
    """SQLite's own page limit stands for the disk's: same error, same place."""
    journal = store.create(plans.plan(*(plans.change(f"vm-{number}") for number in range(300))))
    connection = journal._connection
    assert connection is not None
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count={pages + 2}")
    committed = 0

    async def intend_all() -> None:
        nonlocal committed
        for number in range(300):
            await journal.intend(plans.machine_id(f"vm-{number}"), etag='"1"' * 30, at=EARLY)
            committed += 1

    with pytest.raises(StorageError, match="database or disk is full") as caught:
        await intend_all()
    assert "free space" in caught.value.advice
    with pytest.raises(StorageError, match="database or disk is full"):
        await journal.start(plans.machine_id("vm-0"), answer(), at=EARLY)
    journal.release()
    read = store.open(journal.run)
    assert [entry.step for entry in read.entries()].count(Step.INTENDED) == committed > 0
    read.release()


def test_a_state_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file, not a folder")
    with pytest.raises(StorageError, match="could not make the folder"):
        RunStore(tmp_path / "state").create(plans.plan())


def test_a_journal_that_cannot_be_made_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    path.mkdir()
    with pytest.raises(StorageError, match="could not make the run's journal"):
        database.create_database(path, about={}, plan=(), length=0)
    assert list(tmp_path.iterdir()) == [path]


def test_wal_is_used_and_given_up_again_at_the_end(store: RunStore, tmp_path: Path) -> None:
    journal = store.create(plans.plan())
    (path,) = (tmp_path / "state" / "runs").glob("*.sqlite")
    assert path.with_name(path.name + "-wal").exists()
    journal.close(state="finished")
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_without_wal_the_rollback_journal_is_used() -> None:
    """An in-memory database answers `memory` to the wish for WAL, as a network share answers `delete`."""
    connection = sqlite3.connect(":memory:")
    database._prefer_wal(connection)
    refusing = mock.Mock()
    refusing.execute.side_effect = [sqlite3.OperationalError("locking protocol"), None]
    database._prefer_wal(refusing)
    assert refusing.execute.call_args == mock.call("PRAGMA journal_mode=DELETE")
    connection.close()


def rewrite(store: RunStore, tmp_path: Path, statement: str) -> str:
    journal = store.create(plans.plan())
    journal.close(state="finished")
    with sqlite3.connect(tmp_path / "state" / "runs" / f"{journal.run}.sqlite") as connection:
        connection.execute(statement)
    connection.close()
    return journal.run


def test_journal_of_a_newer_version_is_refused_and_still_listed(store: RunStore, tmp_path: Path) -> None:
    run = rewrite(store, tmp_path, "PRAGMA user_version=7")
    with pytest.raises(RefusedError, match=r"journal layout 7, written by patchmode 0\.1\.0; this version reads"):
        store.open(run, for_writing=True)
    (summary,) = store.list()
    assert (summary.state, summary.run) == ("unreadable", run)
    assert "layout 7" in str(summary.problem)


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("PRAGMA application_id=1", "is not a run of patchmode"),
        ("DROP TABLE step", "no such table: step"),
        ("DELETE FROM about", "is damaged: 'state'"),
    ],
)
def test_foreign_and_damaged_files_are_listed_with_their_problem(
    store: RunStore, tmp_path: Path, statement: str, sentence: str
) -> None:
    rewrite(store, tmp_path, statement)
    assert sentence in str(store.list()[0].problem)


def test_text_file_in_place_of_a_run_is_refused(store: RunStore, tmp_path: Path) -> None:
    run = rewrite(store, tmp_path, "PRAGMA user_version=1")
    (tmp_path / "state" / "runs" / f"{run}.sqlite").write_text("not a database" * 100)
    for for_writing in (False, True):
        with pytest.raises(StorageError, match="file is not a database") as caught:
            store.open(run, for_writing=for_writing)
        assert "damaged" in caught.value.advice
        assert "free space" not in caught.value.advice


def test_torn_file_is_said_to_be_damaged(store: RunStore, tmp_path: Path) -> None:
    run = rewrite(store, tmp_path, "DROP TABLE step")
    journal = store.open(run)
    with pytest.raises(StorageError, match="no such table: step") as caught:
        journal.entries()
    journal.release()
    assert "restore it from a backup" in caught.value.advice
    path = tmp_path / "state" / "runs" / f"{run}.sqlite"
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * 4000)
    with pytest.raises(StorageError, match="malformed") as caught:
        store.open(run)
    assert "restore it from a backup" in caught.value.advice


def test_damaged_step_is_said_to_be_damaged(store: RunStore, tmp_path: Path) -> None:
    run = rewrite(store, tmp_path, "INSERT INTO step (change, step, at, detail) VALUES (0, 'ended', 1.0, '{')")
    journal = store.open(run)
    with pytest.raises(StorageError, match="is damaged"):
        journal.entries()
    journal.release()


# ------------------------------------------------------------------------------------------------ finding runs


def opened(store: RunStore, run: str) -> str:
    journal = store.open(run)
    journal.release()
    return journal.run


def test_runs_are_found_by_beginning_and_latest(store: RunStore) -> None:
    assert (store.latest(), store.list()) == (None, ())
    with pytest.raises(UsageError, match=r"there are no runs yet in the state folder .*state\."):
        store.open()
    with pytest.raises(UsageError, match="there is no run '20260301'"):
        store.open("20260301")
    first = store.create(plans.plan(), now=EARLY)
    first.close(state="finished")
    second = store.create(plans.full_plan(), now=LATE)
    second.close(state="finished")
    assert [first.run[:19], second.run[:19]] == ["20260301T083000000Z", "20260301T094500250Z"]
    assert store.latest() == second.run == opened(store, "latest")
    assert opened(store, "20260301T08") == first.run
    with pytest.raises(UsageError, match="2 runs begin with '2026'"):
        store.open("2026")
    summary = store.list()[1]
    assert (summary.rollback_of, summary.changes, summary.ended) == ("20260301T083000Z-abcdef", 2, 0)
    assert (summary.created_at, summary.target) == (LATE.replace(microsecond=0), plans.TARGET)


def test_run_report_is_valid_by_its_published_schema() -> None:
    report = RunReport(
        run="20260301T083000Z-abcdef",
        state="finished",
        counts=RunCounts(scope=2, applied=1, failed=1, verified=0),
        requests={"PATCH": 2},
        results=(applied(verified=False), failed("vm-1")),
    )
    document = json.loads(run_documents.encode_run(report, plans.TARGET))
    jsonschema.validate(document, json.loads((published.FOLDER / "run-v1.json").read_text()))
    assert document["format"] == "patchmode/run/v1"
    assert document["counts"]["notSent"] == 0
    assert document["results"][0]["verification"]["differences"] == [
        {"path": "properties.tags.owner", "expected": "a", "found": "b"},
        {"path": "properties.added", "found": None},
        {"path": "properties.bypass", "expected": True},
    ]
    assert document["results"][1]["error"] == {
        "code": "ScopeLocked",
        "message": "PATCH was refused: locked.",
        "mayHaveBeenApplied": False,
        "advice": "Remove the lock.",
        "httpStatus": 409,
    }
    assert document["results"][0]["startedAt"] == "2026-03-01T08:30:00Z"
