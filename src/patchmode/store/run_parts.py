"""Runs found in files: journals that were brought here from other state folders, and printed reports.

Must not: add them up; the rules do.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from patchmode.errors import RefusedError, StorageError, UsageError
from patchmode.model.attachment import AttachResult
from patchmode.model.outcome import ABSENT_TEXT, ChangeResult, Difference, RunCounts, RunReport, Verification
from patchmode.model.plan import Skipped, Unreadable
from patchmode.model.resource_id import ResourceId
from patchmode.model.run_parts import RunPart, ToldRun
from patchmode.model.shard import Shard
from patchmode.store.formats import (
    RUN_FORMAT,
    AttachmentRow,
    BlockedMachineRow,
    DifferenceRow,
    ResultRow,
    RunCountsRow,
    RunDocument,
    VerificationRow,
)
from patchmode.store.journal import INTERRUPTED, RUNNING, Journal
from patchmode.store.journal_rows import error_of
from patchmode.store.lock import is_held
from patchmode.store.plan_rows import target_of

JOURNAL, REPORT = ".sqlite", ".json"
_AGAIN = "`patchmode runs show RUN -o json` prints a run's report."


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
        msg = f"could not look through {folder}: {error.strerror or error}."
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
        raise UsageError(f"{path} could not be read: {error.strerror}.", advice="Check the path.") from error
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
        what = f"is {found}" if found else "is no JSON document of patchmode"
        raise RefusedError(f"{name} {what}, not {RUN_FORMAT}.", advice=_AGAIN)
    try:
        return ToldRun(name, _report(msgspec.json.decode(content, type=RunDocument)))
    except (msgspec.MsgspecError, ValueError) as error:
        msg = f"{name} does not hold together as {RUN_FORMAT}: {error}."
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
        error=None if row.error is None else error_of(row.error),
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
        error=None if row.error is None else error_of(row.error),
        ended_at=row.ended_at,
    )
