"""The journal of one run: intent before act, and each step on the disk before the caller goes on.

Group commit: whatever the many tasks of a run write in one turn of the event loop is committed together, and each of
them goes on only when that commit is on the disk. A full disk fails all of them, and from then on everything that would
act; nothing that was committed is lost.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from patchmode.errors import StorageError, UnsafeError
from patchmode.model.guardrails import Halt, RunGuardrails
from patchmode.model.plan import Plan
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import ChangeResult
from patchmode.model.schedule import AttachResult
from patchmode.ports.azure import PatchAnswer
from patchmode.ports.run import AttachmentEntry, JournalEntry, Observed, Step
from patchmode.store.database import LAYOUT_VERSION, close_writer, connect_reader, connect_writer, failed, snapshot_of
from patchmode.store.files import FileLock
from patchmode.store.journal_rows import (
    STEPS,
    StepRow,
    brakes_text,
    ended_row,
    fold,
    fold_attachments,
    halts_text,
    intended_row,
    places_of,
    read_brakes,
    read_halts,
    started_row,
    unsigned,
    verified_row,
)
from patchmode.store.journal_rows import attachment_ended_row as ended_attachment_row
from patchmode.store.journal_rows import attachment_intended_row as intended_attachment_row
from patchmode.store.plan_file import stored_plan

RUNNING, INTERRUPTED, STOPPED, FINISHED = "running", "interrupted", "stopped", "finished"
BRAKES, HALTS = "brakes", "halts"
"""Members of `about`."""
SESSIONS, TOLD = "sessions", "sessionsTold"
"""Members of `about`: how many sessions began to send, and how many of them told at their end all that they sent."""
_INSERT_COUNT = "INSERT OR REPLACE INTO request VALUES (?, ?, ?)"
Entry = TypeVar("Entry")
_INSERT_STEP = "INSERT INTO step (change, step, at, detail) VALUES (?, ?, ?, ?)"


def stated(about: Mapping[str, str], ended: int) -> str:
    """The state that a run's file states.

    Versions before the brakes were written down called a run finished that a brake had stopped.

    Args:
        about: what the file says of the run.
        ended: how many of its changes have a result.
    """
    is_earlier = BRAKES not in about
    return STOPPED if is_earlier and about["state"] == FINISHED and ended < int(about["changes"]) else about["state"]


class Journal:
    """A run's journal; fulfils `ports.RunJournal`.

    Args:
        path: the run's file.
        lock: held by this process when the journal is for writing; None: it is only read, and writing is refused.
        state: what a reader shall be told; None: what the file says.
        plan: the file's plan, where the caller has just written it; None: it is read from the file and checked.

    Raises:
        StorageError: the file cannot be opened or is damaged. RefusedError: it is from a newer version.
    """

    def __init__(
        self, path: Path, *, lock: FileLock | None, state: str | None = None, plan: Plan | None = None
    ) -> None:
        self._path = path
        self._lock = lock
        self._pending: list[tuple[StepRow, asyncio.Future[None]]] = []
        self._sent: Callable[[], Mapping[str, int]] = dict
        """HTTP method → requests that the session has sent so far; none before it begins."""
        self._broken: StorageError | None = None
        self._connection: sqlite3.Connection | None = connect_reader(path) if lock is None else connect_writer(path)
        try:
            self._about: dict[str, str] = dict(self._query("SELECT name, value FROM about"))
            self._plan = plan or self._stored_plan()
            counted = self._query("SELECT max(session) FROM request")[0][0] or 0
            begun, told = int(self._about.get(SESSIONS, 0)), int(self._about.get(TOLD, 0))
            self._session = 1 + max(counted, begun)
            # Versions that did not write their sessions down may have been killed in any of them.
            self._tells_all = SESSIONS in self._about and counted <= begun == told
        except BaseException:
            self._connection.close()
            raise
        self._shown_state = state
        self._places = {change.id: place for place, change in enumerate(self._plan.changes)}
        self._attachment_places = places_of(self._plan)

    @property
    def run(self) -> str:
        """The run's id."""
        return self._path.stem

    @property
    def plan(self) -> Plan:
        """The plan the run carries out, as it was when the run began."""
        return self._plan

    @property
    def state(self) -> str:
        """`running`, `interrupted`, `stopped` or `finished`, as it was when the file was opened or last written to."""
        if self._shown_state is not None:
            return self._shown_state
        (ended,) = self._query("SELECT count(DISTINCT change) FROM step WHERE step = 'ended'")[0]
        return stated(self._about, ended)

    @property
    def brakes(self) -> RunGuardrails | None:
        """What holds the run back; None: an earlier version began it, which did not write that down.

        Raises:
            RefusedError: a newer version keeps a brake that this one does not know.
        """
        text = self._about.get(BRAKES)
        return None if text is None else read_brakes(text, name=f"the run's journal {self._path}")

    @property
    def halts(self) -> Sequence[Halt]:
        """What held the run back when it was last closed; empty: nothing did."""
        return read_halts(self._about.get(HALTS, "[]"))

    def keep_brakes(self, brakes: RunGuardrails) -> None:
        """Commit what is in force from now on; what held the run back before is no longer told.

        Raises:
            StorageError: it could not be committed.
        """
        if brakes != self.brakes or self.halts:
            self._set_about(**{BRAKES: brakes_text(brakes), HALTS: halts_text(())})

    def keep_halts(self, halts: Sequence[Halt]) -> None:
        """Commit what held the run back.

        Raises:
            StorageError: it could not be committed.
        """
        if halts:
            self._set_about(**{HALTS: halts_text(halts)})

    def entries(self) -> Sequence[JournalEntry]:
        """Every change, in plan order.

        Raises:
            StorageError: the file is damaged.
        """
        statement = "SELECT change, step, at, detail FROM step WHERE step NOT IN (?, ?) ORDER BY change, seq"
        # Row by row: a large run has several hundred thousand.
        return self._folded(lambda: fold(self._plan.changes, self._connected().execute(statement, STEPS)))

    def attachments(self) -> Sequence[AttachmentEntry]:
        """Every attachment or detachment of the plan, in plan order.

        Raises:
            StorageError: the file is damaged.
        """
        rows = self._query("SELECT change, step, at, detail FROM step WHERE step IN (?, ?) ORDER BY seq", *STEPS)
        return self._folded(lambda: fold_attachments(self._plan, rows))

    def _folded(self, fold_rows: Callable[[], Sequence[Entry]]) -> Sequence[Entry]:
        try:
            return fold_rows()
        except sqlite3.Error as error:
            raise failed(f"could not read the run's journal {self._path}", error) from error
        except (msgspec.DecodeError, IndexError) as error:
            msg = f"the run's journal {self._path} is damaged: {error}."
            raise StorageError(
                msg, advice=f"Restore it from a backup; `patchmode verify {self.run}` shows the current state."
            ) from error

    def begin_session(self, sent: Callable[[], Mapping[str, int]]) -> None:
        """Commit that a session begins: until it is closed, nobody takes what is told of its requests for all of them.

        Args:
            sent: HTTP method → requests that the session has sent so far; every commit tells it.

        Raises:
            StorageError: it could not be committed.
        """
        self._set_about(**{SESSIONS: str(self._session)})
        self._sent = sent

    @property
    def tells_all_requests(self) -> bool:
        """Whether each session before this one told all that it sent; not if its process was killed."""
        return self._tells_all

    def requests(self) -> Mapping[str, int]:
        """HTTP method → requests that earlier sessions of this run sent, as far as they were written down."""
        return dict(
            self._query(
                "SELECT method, sum(count) FROM request WHERE session < ? GROUP BY method ORDER BY method",
                self._session,
            )
        )

    def snapshot(self) -> Iterator[bytes]:
        """The file as one consistent copy, piece by piece; it can be read by itself, wherever it is put.

        It is made to be handed on: addresses of operations are without the signature that lets anybody ask them. A run
        that is resumed from a copy asks without it, and where that is refused it reads the machines instead.

        Raises:
            StorageError: it cannot be read, or there is no room for the copy in the folder for temporary files.
        """
        return snapshot_of(self._connected(), self._path, Step.STARTED.value, unsigned)

    async def intend(
        self, machine_id: ResourceId, *, etag: str | None, at: datetime, observed: Observed | None = None
    ) -> None:
        """Commit that a PATCH is about to leave.

        Args:
            machine_id: of a change of the plan.
            etag: that it leaves under.
            at: now.
            observed: the machine as just read; None: as the plan or the latest intent has it.

        Raises:
            StorageError: it could not be committed: the PATCH must not be sent.
        """
        self._mark_running()
        await self._commit(intended_row(self._places[machine_id], etag=etag, at=at, observed=observed))

    async def start(self, machine_id: ResourceId, answer: PatchAnswer, *, at: datetime) -> None:
        """Commit that the service accepted the PATCH.

        Raises:
            StorageError: it could not be committed; the journal says "intended", which resume can settle.
        """
        self._mark_running()
        await self._commit(started_row(self._places[machine_id], answer, at=at))

    async def end(self, result: ChangeResult) -> None:
        """Commit a change's final result.

        Raises:
            StorageError: it could not be committed.
        """
        await self.end_all((result,))

    async def end_all(self, results: Sequence[ChangeResult]) -> None:
        """Commit many final results at once.

        Raises:
            StorageError: they could not be committed.
        """
        self._mark_running()
        now = datetime.now(UTC)
        await self._commit(*(ended_row(self._places[one.id], one, at=now) for one in results))

    async def verified(self, result: ChangeResult) -> None:
        """Commit what a verification found for a change that has ended; a result without one is nothing to commit.

        Raises:
            StorageError: it could not be committed.
        """
        if result.verification is not None:
            await self._commit(verified_row(self._places[result.id], result.verification, at=datetime.now(UTC)))

    async def intend_attachment(self, machine_id: ResourceId, *, at: datetime) -> None:
        """Commit that the request to attach or to detach is about to leave.

        Raises:
            StorageError: it could not be committed: the request must not be sent.
        """
        self._mark_running()
        await self._commit(intended_attachment_row(self._attachment_places[machine_id], at=at))

    async def end_attachment(self, result: AttachResult) -> None:
        """Commit an attachment's or detachment's final result.

        Raises:
            StorageError: it could not be committed.
        """
        self._mark_running()
        place = self._attachment_places[ResourceId.parse(result.id)]
        await self._commit(ended_attachment_row(place, result, at=datetime.now(UTC)))

    def close(self, *, state: str) -> None:
        """Commit what is pending, the run's state and all requests, and release the lock. Safe to repeat.

        Raises:
            StorageError: the state could not be committed; the lock is released all the same.
        """
        if self._connection is None:
            return
        try:
            if self._lock is not None:
                self._flush()
            # After a full disk the caller knows already, and the file still says that the run has not ended.
            if self._lock is not None and self._broken is None:
                self._set_about(state=state, **self._told())
        finally:
            self.release()

    def _told(self) -> dict[str, str]:
        """That the session's requests are all told; nothing where none began."""
        has_begun = self._about.get(SESSIONS) == str(self._session)
        return {TOLD: str(1 + int(self._about.get(TOLD, 0)))} if has_begun else {}

    def release(self) -> None:
        """Close without a word on the state: for readers, and for a run that goes on later. Safe to repeat."""
        if self._connection is not None:
            if self._lock is None:
                self._connection.close()
            else:
                close_writer(self._connection)
            self._connection = None
        if self._lock is not None:
            self._lock.release()

    def _stored_plan(self) -> Plan:
        row: int = self._query("SELECT rowid FROM plan")[0][0]
        connection = self._connected()
        with ExitStack() as opened:

            def source() -> sqlite3.Blob:
                return opened.enter_context(connection.blobopen("plan", "content", row, readonly=True))

            try:
                return stored_plan(source, name=f"the plan in {self._path}")
            except sqlite3.Error as error:
                raise failed(f"could not read the run's journal {self._path}", error) from error

    async def _commit(self, *rows: StepRow) -> None:
        if not rows:
            return
        self._check_writable()
        loop = asyncio.get_running_loop()
        if not self._pending:
            loop.call_soon(self._flush)
        # One future for each waiting task: a shared one would be cancelled for all when one of them is.
        done: asyncio.Future[None] = loop.create_future()
        self._pending += [(row, done) for row in rows]
        await done

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        if not pending or self._connection is None:
            return
        try:
            self._write([row for row, _ in pending])
        except StorageError as error:
            self._broken = error
        for _, done in pending:
            if done.done():
                continue
            if self._broken is None:
                done.set_result(None)
            else:
                done.set_exception(StorageError(self._broken.message, advice=self._broken.advice))

    def _write(self, rows: Sequence[StepRow]) -> None:
        connection = self._writing()
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_INSERT_STEP, rows)
            connection.executemany(_INSERT_COUNT, self._counts())
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise failed(f"could not write the run's journal {self._path}", error) from error

    def _counts(self) -> Iterator[tuple[int, str, int]]:
        return ((self._session, method, count) for method, count in self._sent().items())

    def _mark_running(self) -> None:
        """A run that had ended goes on. A verification alone does not change its state."""
        if self._about["state"] != RUNNING:
            self._set_about(state=RUNNING)

    def _set_about(self, **members: str) -> None:
        connection = self._writing()
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", members.items())
            connection.executemany(_INSERT_COUNT, self._counts())
            if BRAKES in members:
                # An earlier version would go on without them.
                connection.execute(f"PRAGMA user_version={LAYOUT_VERSION}")
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise failed(f"could not write the run's journal {self._path}", error) from error
        self._about |= members

    def _roll_back(self) -> None:
        if self._connection is not None and self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _query(self, statement: str, *values: object) -> list[Any]:
        connection = self._connected()
        try:
            return connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise failed(f"could not read the run's journal {self._path}", error) from error

    def _check_writable(self) -> None:
        self._writing()
        if self._broken is not None:
            raise StorageError(self._broken.message, advice=self._broken.advice)

    def _writing(self) -> sqlite3.Connection:
        if self._lock is None:
            msg = f"run {self.run} was opened for reading only."
            raise UnsafeError(msg)
        return self._connected()

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            msg = f"run {self.run} is closed."
            raise StorageError(msg)
        return self._connection
