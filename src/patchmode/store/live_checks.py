"""Journals of live checks: one file each, a JSON object a line, each on the disk before the caller goes on.

A line that a crash cut short is the last one, and counts as not written.
"""

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from patchmode.errors import RefusedError, StorageError
from patchmode.model.live_check import Answered, Asked, Decision, ExperimentResult, Outcome
from patchmode.model.resource_id import ResourceId
from patchmode.model.target import Target
from patchmode.ports.live_check import Begun, Recorded
from patchmode.store.exchange_file import ExchangeLog
from patchmode.store.files import FileLock, make_private_folder, open_private, storage_error

FORMAT = "patchmode/live-check-journal/v1"
_MAINTENANCE = "/providers/microsoft.maintenance/"


class LiveCheckStore:
    """The live checks of one state folder.

    Args:
        state_dir: made on the first write when missing.
    """

    def __init__(self, state_dir: Path) -> None:
        self.folder = state_dir / "live-checks"
        self._locks = state_dir / "locks"

    def lock(self, machine: ResourceId) -> FileLock:
        """Hold a machine against every other live check of this folder.

        Raises:
            RunBusyError: another process holds it. StorageError: the folder cannot be written.
        """
        make_private_folder(self._locks)
        name = f"live-check-{sha256(machine.key.encode()).hexdigest()[:16]}.lock"
        return FileLock(self._locks / name, what=f"the live check of {machine}")

    def new_id(self, now: datetime) -> str:
        """An id for a live check that begins now."""
        return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"

    def create(self, begun: Begun) -> "FileJournal":
        """Begin a journal; its first record is on the disk when it returns.

        Raises:
            StorageError: it cannot be written.
        """
        make_private_folder(self.folder)
        return FileJournal.begin(self.folder / f"{begun.check}.jsonl", begun)

    def exchanges_of(self, check: str) -> ExchangeLog:
        """The exchanges of a live check, with every name in them, until they were scrubbed and handed out."""
        return ExchangeLog(self.folder / f"{check}.exchanges")

    def open_for(self, machine: ResourceId) -> "FileJournal | None":
        """The newest journal of a machine whose check did not end with the machine as it was; None: there is none.

        Raises:
            StorageError, RefusedError: a journal cannot be read.
        """
        for path in sorted(self.folder.glob("*.jsonl"), reverse=True):
            recorded = read_journal(path)
            if recorded.begun.machine == machine:
                is_over = recorded.state != "begun" and recorded.is_restored
                return None if is_over else FileJournal(path, recorded)
        return None


class FileJournal:
    """One journal, open for writing; fulfils `ports.LiveCheckJournal`."""

    def __init__(self, path: Path, recorded: Recorded) -> None:
        self.path = path
        self.recorded = recorded

    @classmethod
    def begin(cls, path: Path, begun: Begun) -> Self:
        """Write the first record."""
        journal = cls(path, Recorded(begun))
        told = {**asdict(begun), "machine": str(begun.machine), "begun_at": begun.at}
        journal._write({"step": "begun", "format": FORMAT, **told})
        return journal

    def intended(self, experiment: str, asked: Asked, document: Mapping[str, Any] | None) -> None:
        """See `ports.LiveCheckJournal.intended`."""
        self._append({"step": "intended", "experiment": experiment, "asked": asdict(asked), "document": document})

    def answered(self, asked: Asked, answered: Answered | None) -> None:
        """See `ports.LiveCheckJournal.answered`."""
        told = None if answered is None else _answer_row(answered)
        self._append({"step": "answered", "asked": {"method": asked.method, "path": asked.path}, "answered": told})

    def throttled(self, answered: Answered) -> None:
        """See `ports.LiveCheckJournal.throttled`."""
        self._append({"step": "throttled", "answered": _answer_row(answered)})

    def ended(self, result: ExperimentResult) -> None:
        """See `ports.LiveCheckJournal.ended`."""
        self._append({"step": "ended", "result": asdict(result)})

    def closed(self, state: str, *, is_restored: bool) -> None:
        """See `ports.LiveCheckJournal.closed`."""
        self._append({"step": "closed", "state": state, "isRestored": is_restored})

    def _append(self, row: dict[str, Any]) -> None:
        self._write(row)
        _apply(self.recorded, json.loads(json.dumps(row)))

    def _write(self, row: dict[str, Any]) -> None:
        text = json.dumps({**row, "at": datetime.now(UTC).isoformat(timespec="milliseconds")}, ensure_ascii=False)
        try:
            descriptor = open_private(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            with os.fdopen(descriptor, "ab") as stream:
                stream.write(_after_torn(self.path) + text.encode() + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise storage_error(f"could not write the live check's journal {self.path}", error) from error


def _after_torn(path: Path) -> bytes:
    """What ends a line that a crash cut short."""
    with path.open("rb") as stream:
        if stream.seek(0, os.SEEK_END) == 0:
            return b""
        stream.seek(-1, os.SEEK_END)
        return b"" if stream.read(1) == b"\n" else b"\n"


def read_journal(path: Path) -> Recorded:
    """What a journal tells.

    Raises:
        StorageError: it cannot be read, or is damaged. RefusedError: it is none, or of a version not known here.
    """
    rows = list(_rows(path))
    if not rows or rows[0].get("step") != "begun":
        msg = f"{path} is not the journal of a live check."
        raise RefusedError(msg, advice="Move it out of the state folder.")
    if rows[0].get("format") != FORMAT:
        msg = f"{path} is of the format {rows[0].get('format')!r}; this version reads {FORMAT}."
        raise RefusedError(msg, advice="Use the version that wrote it.")
    try:
        recorded = Recorded(_begun(rows[0]))
        for row in rows[1:]:
            _apply(recorded, row)
    except (KeyError, TypeError, ValueError) as error:
        msg = f"{path} is damaged: {error}."
        raise StorageError(msg, advice="Restore it from a backup, or compare the VM by hand.") from error
    return recorded


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise storage_error(f"could not read the live check's journal {path}", error) from error
    for line in content.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue  # cut short by a crash: what it would have said had not been acted on
        if isinstance(row, dict):
            yield row


def _begun(row: dict[str, Any]) -> Begun:
    target = row["target"]
    return Begun(
        check=row["check"],
        target=Target(target["cloud"], target["endpoint"], target["tenant_id"]),
        machine=ResourceId.parse(row["machine"]),
        document=row["document"],
        at=row["begun_at"],
        group=row["group"],
        group_location=row["group_location"],
        allow_lasting=row["allow_lasting"],
    )


def _apply(recorded: Recorded, row: dict[str, Any]) -> None:
    """Take one record in. What a PUT may have created counts from its intent on, until a DELETE is known to have ended.

    A refused PUT created nothing: its answer takes it away again.
    """
    recorded.has_sent = recorded.has_sent or row["step"] == "intended"
    match row["step"]:
        case "intended" if row["asked"]["method"] == "PUT" and _is_created(row["asked"]["path"]):
            if row["asked"]["path"] not in recorded.created:
                recorded.created.append(row["asked"]["path"])
        case "answered" if row["answered"] is not None:
            _answered(recorded, row["asked"], row["answered"]["status"])
        case "throttled":
            recorded.throttled.append(Answered(**row["answered"]))
        case "ended":
            recorded.results.append(_result(row["result"]))
        case "closed":
            recorded.state, recorded.is_restored = row["state"], row["isRestored"]


def _answered(recorded: Recorded, asked: dict[str, Any], status: int) -> None:
    is_gone = asked["method"] == "DELETE" and (200 <= status < 300 or status == 404)
    is_refused = asked["method"] == "PUT" and 400 <= status < 500 and status not in {408, 429}
    if (is_gone or is_refused) and asked["path"] in recorded.created:
        recorded.created.remove(asked["path"])


def _is_created(path: str) -> bool:
    return _MAINTENANCE in path.casefold()


def _answer_row(answered: Answered) -> dict[str, Any]:
    kept = {name: text for name, text in answered.headers.items() if name in _HEADERS}
    return {**asdict(answered), "headers": kept}


_HEADERS = frozenset({"retry-after", "x-ms-request-id", "x-ms-correlation-request-id"})
"""Of an answer; addresses of operations are signed, and are not written down."""


def _result(row: dict[str, Any]) -> ExperimentResult:
    return ExperimentResult(
        name=row["name"],
        sends=row["sends"],
        outcome=Outcome(row["outcome"]),
        because=row["because"],
        decisions=tuple(Decision(**one) for one in row["decisions"]),
        requests=tuple(row["requests"]),
    )
