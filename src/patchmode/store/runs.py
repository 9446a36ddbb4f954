"""The runs in the state folder, and runs found in files that were brought here."""

import re
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from patchmode.documents.base import BlockedMachineRow, DifferenceRow, error_of, nobody_of, target_of
from patchmode.documents.run import (
    RUN_FORMAT,
    AttachmentRow,
    ResultRow,
    RunCountsRow,
    RunDocument,
    VerificationRow,
)
from patchmode.errors import PatchmodeError, RefusedError, RunBusyError, StorageError, UnsafeError, UsageError
from patchmode.model.guardrails import RunGuardrails
from patchmode.model.left_alone import Skipped, Unreadable
from patchmode.model.nearest import nearest
from patchmode.model.plan import Plan
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import (
    ABSENT_TEXT,
    ChangeResult,
    Difference,
    Result,
    RunCounts,
    RunPart,
    RunReport,
    RunSummary,
    ToldRun,
    Verification,
)
from patchmode.model.schedule import AttachResult
from patchmode.model.scope import Shard
from patchmode.model.target import Target
from patchmode.ports.run import Step
from patchmode.store.database import connect_reader, create_database
from patchmode.store.files import FileLock, buffered, held, holder_of, is_held, make_private_folder, meant
from patchmode.store.journal import BRAKES, FINISHED, INTERRUPTED, RUNNING, SESSIONS, Journal, stated
from patchmode.store.journal_rows import INTENDED as ATTACH_INTENDED
from patchmode.store.journal_rows import brakes_text
from patchmode.store.plan_documents import sealed_pieces
from patchmode.store.plan_file import seal_plan

_RUN_ID = re.compile(r"\d{8}T\d{9}Z-[0-9a-f]{6}")
LATEST, UNREADABLE = "latest", "unreadable"


class RunStore:
    """The runs of one state folder.

    Args:
        state_dir: made on the first write when missing.
    """

    def __init__(self, state_dir: Path) -> None:
        self._runs = state_dir / "runs"
        self._locks = state_dir / "locks"

    def create(
        self, plan: Plan, *, brakes: RunGuardrails | None = None, again: bool = False, now: datetime | None = None
    ) -> Journal:
        """Begin a run of a plan: its journal, open for writing and locked by this process.

        Args:
            plan: any plan; it is kept whole in the run's file.
            brakes: what holds the run back, kept from its first moment on; None: nothing does.
            again: carry out once more what a run in this folder has already carried out.
            now: the time that the run's id tells; None: the system's.

        Raises:
            RunBusyError: another process carries this plan out now.
            UnsafeError: a run of this very plan exists already, and `again` is false.
            BrokenPlanError: the plan holds what no plan may hold.
            StorageError: the folder cannot be written.
        """
        seal = seal_plan(plan)
        for folder in (self._runs, self._locks):
            make_private_folder(folder)
        # Two applies that start at once must not both find that no run of the plan exists.
        with held(self._locks / "create.lock", what="the state folder"):
            self._check_not_begun(seal.digest, again=again)
            run = _new_id(now or datetime.now(UTC))
            about = {
                "state": RUNNING,
                "toolVersion": plan.tool_version,
                "createdAt": (now or datetime.now(UTC)).isoformat(timespec="seconds"),
                "digest": seal.digest,
                "changes": str(len(plan.changes)),
                "cloud": plan.target.cloud,
                "endpoint": plan.target.endpoint,
                "tenantId": plan.target.tenant_id,
                "rollbackOf": plan.rollback_of or "",
                "only": "\n".join(map(str, plan.only)),
                BRAKES: brakes_text(brakes or RunGuardrails()),
                SESSIONS: "0",
            }
            pieces = buffered(sealed_pieces(plan, seal.digest))
            create_database(self._path(run), about=about, plan=pieces, length=seal.length)
            return self._open_for_writing(run, replace(plan, digest=seal.digest))

    def open(self, run: str = LATEST, *, for_writing: bool = False, plan: Plan | None = None) -> Journal:
        """Open a run's journal.

        Args:
            run: its id, the beginning of one that fits no other, or `latest`.
            for_writing: take its lock, to resume or verify it; otherwise it can be read while another process writes.
            plan: with `for_writing`: the run's plan, where this process has read it already; a run's never changes.

        Raises:
            UsageError: no run fits, or several do.
            RunBusyError: `for_writing`, and another process holds it.
            RefusedError: it was written by a newer version. StorageError: it cannot be read.
        """
        found = self._find(run)
        if not for_writing:
            return Journal(self._path(found), lock=None, state=self._summary(found).state)
        return self._open_for_writing(found, plan)

    def _open_for_writing(self, run: str, plan: Plan | None) -> Journal:
        make_private_folder(self._locks)
        lock = FileLock(self._lock_path(run), what=f"run {run}")
        try:
            return Journal(self._path(run), lock=lock, plan=plan)
        except BaseException:
            lock.release()
            raise

    def list(self) -> tuple[RunSummary, ...]:
        """Every run in the folder, oldest first; one that cannot be read is listed with its problem."""
        return tuple(map(self._summary, self._ids()))

    def latest(self) -> str | None:
        """The newest run's id; None where there is none."""
        return max(self._ids(), default=None)

    def latest_sent(self) -> str:
        """The newest run that sent anything, which is what there is to verify or to undo; else the newest of all.

        Raises:
            UsageError: there is none.
        """
        newest = self.latest_or_refuse()
        return next((one for one in reversed(self._ids()) if self._summary(one).sent), newest)

    def carried_out(self, digest: str) -> str | None:
        """The newest run that sent anything of the plan with this digest; None: there is none in this folder."""
        fitting = (one.run for one in reversed(self.list()) if one.digest == digest and one.sent)
        return next(fitting, None)

    def latest_or_refuse(self) -> str:
        """The newest run's id.

        Raises:
            UsageError: there is none.
        """
        newest = self.latest()
        if newest is None:
            msg = f"there are no runs yet in the state folder {self._runs.parent}."
            raise UsageError(msg, advice="`patchmode apply` makes one; --state-dir names another folder.")
        return newest

    def _ids(self) -> Sequence[str]:
        return sorted(path.stem for path in self._runs.glob("*.sqlite") if _RUN_ID.fullmatch(path.stem))

    def _find(self, run: str) -> str:
        ids = self._ids()
        fitting: Sequence[str] = ids[-1:] if run == LATEST else [one for one in ids if one.startswith(run)]
        if len(fitting) == 1:
            return fitting[0]
        if run == LATEST:
            return self.latest_or_refuse()
        what = f"{len(fitting)} runs begin with {run!r}" if fitting else f"there is no run {run!r} in {self._runs}"
        near = None if fitting else nearest(run, (LATEST, *ids))
        hint = f"Did you mean {near}? " if near else ""
        advice = f"{hint}`patchmode runs list` shows them; --state-dir names another folder."
        raise UsageError(f"{what}.", advice=advice)

    def _summary(self, run: str) -> RunSummary:
        try:
            with closing(connect_reader(self._path(run))) as connection:
                about = dict(connection.execute("SELECT name, value FROM about"))
                statement = "SELECT count(DISTINCT change) FROM step WHERE step IN (?, ?)"
                (ended,) = connection.execute(statement, (Step.ENDED, Step.ENDED)).fetchone()
                (sent,) = connection.execute(statement, (Step.INTENDED, ATTACH_INTENDED)).fetchone()
                not_sent = _not_sent(connection)
                (begun,) = connection.execute(_BEGUN, (Step.INTENDED, Step.STARTED, Step.ENDED)).fetchone()
            return RunSummary(
                run=run,
                state=self._state(run, stated(about, ended)),
                created_at=datetime.fromisoformat(about["createdAt"]),
                target=Target(about["cloud"], about["endpoint"], about["tenantId"]),
                changes=int(about["changes"]),
                ended=ended,
                sent=sent,
                rollback_of=about["rollbackOf"] or None,
                only=tuple(map(ResourceId.parse, about.get("only", "").splitlines())),
                digest=about["digest"],
                not_sent=not_sent,
                not_begun=int(about["changes"]) - begun,
            )
        except PatchmodeError as error:
            return RunSummary(run=run, state=UNREADABLE, problem=error.message)
        except (sqlite3.Error, KeyError, ValueError) as error:
            return RunSummary(run=run, state=UNREADABLE, problem=f"{self._path(run)} is damaged: {error}.")

    def _state(self, run: str, told: str) -> str:
        # A process that died leaves "running" behind, but not its lock.
        if is_held(self._lock_path(run)):
            return RUNNING
        return INTERRUPTED if told == RUNNING else told

    def check_not_begun(self, plan: Plan) -> None:
        """Refuse early what `create` refuses: a plan that a run of this folder has carried out, or began to.

        Args:
            plan: as it was read from its file.

        Raises:
            RunBusyError: another process carries this plan out now. UnsafeError: a run of it exists already.
        """
        self._check_not_begun(plan.digest or seal_plan(plan).digest, again=False)

    def _check_not_begun(self, digest: str, *, again: bool) -> None:
        for summary in reversed(self.list()):
            if summary.digest != digest:
                continue
            if summary.state == RUNNING:
                holder = holder_of(self._lock_path(summary.run))
                msg = f"run {summary.run} is applying this plan: it is held by {holder or 'another process'}."
                raise RunBusyError(
                    msg, advice=f"Wait until it ends; `patchmode runs show {summary.run}` shows how far it is."
                )
            # A run that ended before it sent anything (wrong target, no sign-in) stands in nobody's way.
            if summary.sent and not again:
                raise _already_begun(summary)

    def _path(self, run: str) -> Path:
        return self._runs / f"{run}.sqlite"

    def _lock_path(self, run: str) -> Path:
        return self._locks / f"{run}.lock"


_BEGUN = "SELECT count(DISTINCT change) FROM step WHERE step IN (?, ?, ?)"
_ENDED_NOT_SENT = """SELECT seq FROM step WHERE step = ? AND instr(CAST(detail AS TEXT), ?) > 0"""
"""A quotation mark inside a text of the detail is escaped, so that no message reads like the member."""
_AND_LATEST = " AND seq IN (SELECT max(seq) FROM step WHERE step IN (?, ?, ?) GROUP BY change)"


def _not_sent(connection: sqlite3.Connection) -> int:
    """How many changes ended as not sent, and were not taken up since."""
    ended = (Step.ENDED, f'"result":"{Result.NOT_SENT}"')
    if connection.execute(_ENDED_NOT_SENT + " LIMIT 1", ended).fetchone() is None:
        return 0
    steps = (Step.INTENDED, Step.STARTED, Step.ENDED)
    return sum(1 for _ in connection.execute(_ENDED_NOT_SENT + _AND_LATEST, (*ended, *steps)))


def _already_begun(summary: RunSummary) -> RefusedError:
    if summary.state == FINISHED and summary.ended == summary.changes:
        return UnsafeError(
            f"this plan was already applied, by run {summary.run}.",
            advice="Make a new plan: it holds what is left to do, if anything.",
        )
    return UnsafeError(
        f"run {summary.run} started to apply this plan and did not finish.",
        advice=f"Resume it with `patchmode runs resume {summary.run}`.",
    )


def _new_id(now: datetime) -> str:
    # Milliseconds, so that "latest" is the later of two runs of one second.
    utc = now.astimezone(UTC)
    return f"{utc:%Y%m%dT%H%M%S}{utc.microsecond // 1000:03}Z-{secrets.token_hex(3)}"


JOURNAL, REPORT = ".sqlite", ".json"
_AGAIN = "`patchmode runs show latest -o json` prints a run's report."


def files_in(folder: Path) -> Iterator[Path]:
    """Every file below a folder that may tell of a run, in order: journals, and JSON that is a run's report.

    Empty files (the report of a process that died before it printed one) and JSON of other formats are passed over.

    Raises:
        StorageError: the folder, or a file in it, cannot be read.
    """
    try:
        for path in sorted(entry for entry in folder.rglob("*") if entry.is_file() and not entry.name.startswith(".")):
            if path.suffix == JOURNAL or (path.suffix == REPORT and format_of(path.read_bytes()) == RUN_FORMAT):
                yield path
    except OSError as error:
        msg = f"could not search {folder}: {error.strerror or error}."
        raise StorageError(msg, advice="Check that you may read it.") from error


def open_journal(path: Path) -> Journal:
    """A journal in any folder, to be read.

    One that says that it is running, and that no process of this computer holds, was interrupted.

    Raises:
        StorageError, RefusedError: as `Journal`.
    """
    journal = Journal(path, lock=None)
    held = is_held(path.parent.parent / "locks" / f"{path.stem}.lock")
    if journal.state != RUNNING or held:
        return journal
    journal.release()
    return Journal(path, lock=None, state=INTERRUPTED)


def read_report(path: Path) -> ToldRun:
    """A run's report as `-o json` printed it.

    Raises:
        UsageError: the file cannot be read. RefusedError: it is no report of a run, or of a version not known here.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        what = f"{path} could not be read: {error.strerror}."
        raise UsageError(what, advice=f"{meant(path)}Check the path.") from error
    return decode_report(content, name=str(path))


def decode_report(content: bytes, *, name: str) -> ToldRun:
    """A run's report in the text that `-o json` printed.

    Args:
        content: the whole text.
        name: where it was read, for messages.

    Raises:
        RefusedError: as `read_report`.
    """
    found = format_of(content)
    if found != RUN_FORMAT:
        what = f"is {found}" if found else "is not a JSON document of patchmode"
        raise RefusedError(f"{name} {what}, not {RUN_FORMAT}.", advice=_AGAIN)
    try:
        return ToldRun(name, _report(msgspec.json.decode(content, type=RunDocument)))
    except (msgspec.MsgspecError, ValueError) as error:
        msg = f"{name} is not valid {RUN_FORMAT}: {error}."
        raise RefusedError(msg, advice=f"A newer version may have written it. {_AGAIN}") from error


class _Formatted(msgspec.Struct):
    format: str


def format_of(content: bytes) -> str | None:
    """The `format` that a JSON text says it has; None: it is no such text."""
    try:
        return msgspec.json.decode(content, type=_Formatted).format
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _report(document: RunDocument) -> RunReport:
    target = target_of(document.target, document.subscriptions)
    parts = () if document.runs is msgspec.UNSET else document.runs
    return RunReport(
        run=document.run,
        state=document.state,
        counts=_counts(document.counts),
        requests=document.requests,
        requests_at_least=document.requests_at_least is True,
        results=tuple(map(_result, document.results)),
        target=target,
        attachments=() if document.attachments is msgspec.UNSET else tuple(map(_attachment, document.attachments)),
        shard=None if document.shard is msgspec.UNSET else Shard.parse(document.shard),
        parts=tuple(
            RunPart(row.source, row.run, row.state, _counts(row.counts), Shard.parse(row.shard) if row.shard else None)
            for row in parts
        ),
        blocked=() if document.blocked is msgspec.UNSET else tuple(map(_left_alone, document.blocked)),
        nobody=nobody_of(document.patched_by_nobody),
        unread=()
        if document.unreadable is msgspec.UNSET
        else tuple(Unreadable(row.id, row.reason) for row in document.unreadable),
    )


def _counts(row: RunCountsRow) -> RunCounts:
    told = msgspec.structs.asdict(row)
    if row.blocked is msgspec.UNSET:
        # Earlier versions did not tell a filter from a rule: none of them may pass for ready.
        told["blocked"] = row.skipped
    return RunCounts(**told)


def _left_alone(row: BlockedMachineRow) -> Skipped:
    return Skipped(ResourceId.parse(row.id), row.rule, row.reason, row.fix)


def _result(row: ResultRow) -> ChangeResult:
    machine = ResourceId.parse(row.id)
    return ChangeResult(
        id=machine,
        result=row.result,
        error=error_of(row.error),
        request_id=row.request_id,
        correlation_id=row.correlation_id,
        started_at=row.started_at,
        ended_at=row.ended_at,
        verification=None if row.verification is None else _verification(machine, row.verification),
        changed_since_plan=() if row.changed_since_plan is msgspec.UNSET else _differences(row.changed_since_plan),
    )


def _verification(machine: ResourceId, row: VerificationRow) -> Verification:
    return Verification(machine, row.verified, _differences(row.differences), row.unreadable_because)


def _differences(rows: Iterable[DifferenceRow]) -> tuple[Difference, ...]:
    return tuple(Difference(one.path, _text(one.expected), _text(one.found)) for one in rows)


def _text(value: Any) -> str:
    return ABSENT_TEXT if value is msgspec.UNSET else msgspec.json.encode(value).decode()


def _attachment(row: AttachmentRow) -> AttachResult:
    return AttachResult(
        id=row.id,
        result=row.result,
        assignment=row.assignment,
        rule=row.rule,
        error=error_of(row.error),
        ended_at=row.ended_at,
    )
