"""A run's SQLite file: how it is laid out, made, opened and checked.

One connection writes, readers open the file read-only and never checkpoint: SQLite before 3.51.3 can damage a file when
two connections checkpoint it at once (sqlite.org, "WAL-reset"). WAL with synchronous=FULL survives a loss of power;
where WAL is not possible the rollback journal is used, three times slower and just as safe.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from patchmode.errors import RefusedError, StorageError
from patchmode.store.files import open_private, refuse_link, storage_error

LAYOUT_VERSION = 2
"""What is written: 2 keeps the run's brakes in `about`. A version that reads 1 only would resume a run without them, so
that it must not read this one."""
READABLE_LAYOUTS = (1, 2)
_PIECE = 1 << 20
_APPLICATION_ID = 0x504D4A31
"""Marks the file as ours ("PMJ1"), for `file` and for us."""
_DAMAGED = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""SQLite's primary codes for a file that is none, is torn, or lacks a table."""
_LAYOUT = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE plan (content BLOB NOT NULL);
CREATE TABLE step (seq INTEGER PRIMARY KEY, change INTEGER NOT NULL, step TEXT NOT NULL, at REAL NOT NULL,
                   detail BLOB NOT NULL);
CREATE TABLE request (session INTEGER NOT NULL, method TEXT NOT NULL, count INTEGER NOT NULL,
                      PRIMARY KEY (session, method)) WITHOUT ROWID;
"""


def create_database(path: Path, *, about: dict[str, str], plan: Iterable[bytes], length: int) -> None:
    """Make a run's file: under another name first, so that what is there under `path` is always whole.

    Args:
        path: of the new file.
        about: what the run is.
        plan: its plan's text, piece by piece.
        length: of that text, in bytes.

    Raises:
        StorageError: it cannot be made; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        # SQLite opens files by name; this one is new, and so no link.
        os.close(open_private(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        with closing(sqlite3.connect(temporary, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={LAYOUT_VERSION}")
            connection.executescript("BEGIN;" + _LAYOUT)
            connection.executemany("INSERT INTO about VALUES (?, ?)", about.items())
            row = connection.execute("INSERT INTO plan VALUES (zeroblob(?))", (length,)).lastrowid
            with connection.blobopen("plan", "content", row or 0) as content:
                for piece in plan:
                    content.write(piece)
            connection.execute("COMMIT")
        temporary.rename(path)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise failed(f"could not make the run's journal {path}", error) from error


def connect_writer(path: Path) -> sqlite3.Connection:
    """The one writing connection; the caller holds the run's lock.

    Raises:
        StorageError: the file cannot be opened or is damaged. RefusedError: it is not ours, or from a newer version.
    """

    def prepare(connection: sqlite3.Connection) -> None:
        # In this order: a file that is not ours, or of a newer layout, is refused before anything is written to it.
        check_layout(connection, path)
        _prefer_wal(connection)
        connection.execute("PRAGMA synchronous=FULL")

    refuse_link(path, f"could not open the run's journal {path}")
    return _opened(path, "rw", prepare)


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that only reads, also while another process writes.

    Raises:
        StorageError: the file cannot be opened or is damaged. RefusedError: it is not ours, or from a newer version.
    """

    def prepare(connection: sqlite3.Connection) -> None:
        # Before the first read: a reader that checkpoints beside the writer can damage the file (see above).
        connection.execute("PRAGMA wal_autocheckpoint=0")
        check_layout(connection, path)

    return _opened(path, "ro", prepare)


def _opened(path: Path, mode: str, prepare: Callable[[sqlite3.Connection], None]) -> sqlite3.Connection:
    """A prepared connection; one that cannot be prepared is closed again."""
    try:
        with ExitStack() as undo:
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None)
            undo.callback(connection.close)
            prepare(connection)
            undo.pop_all()
    except sqlite3.Error as error:
        raise failed(f"could not open the run's journal {path}", error) from error
    return connection


def close_writer(connection: sqlite3.Connection) -> None:
    """Close for good, leaving one file that can be copied and read anywhere."""
    # A reader that is looking on keeps the file in WAL mode, which is no harm.
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA journal_mode=DELETE")
    connection.close()


def snapshot_of(
    connection: sqlite3.Connection, path: Path, step: str, without: Callable[[bytes], bytes]
) -> Iterator[bytes]:
    """A copy of the file that a connection reads, as it was at one moment, piece by piece.

    Args:
        connection: a reader's is enough; others may write meanwhile.
        path: of the file, for messages.
        step: the steps whose details are not copied as they are.
        without: the detail that the copy has instead; nothing of the other is left in the copy.

    Raises:
        StorageError: it cannot be read or copied.
    """
    with TemporaryDirectory(prefix="patchmode-") as folder:
        copy = Path(folder) / path.name
        try:
            with closing(sqlite3.connect(copy, isolation_level=None)) as target:
                connection.backup(target)
                # A copy in WAL mode could not be opened in a folder that is only for reading.
                target.execute("PRAGMA journal_mode=DELETE")
                # What is replaced would otherwise be left in the file's free space.
                target.execute("PRAGMA secure_delete=ON")
                target.create_function("without", 1, without, deterministic=True)
                target.execute("UPDATE step SET detail = without(detail) WHERE step = ?", (step,))
        except (OSError, sqlite3.Error) as error:
            raise failed(f"could not copy the run's journal {path}", error) from error
        with copy.open("rb") as stream:
            while piece := stream.read(_PIECE):
                yield piece


def check_layout(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that is not a run, or one that a newer version wrote.

    Raises:
        RefusedError: with the version that wrote it where it says so.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != _APPLICATION_ID:
        msg = f"{path} is not a run of patchmode."
        raise RefusedError(msg, advice="Move it out of the state folder.")
    if version not in READABLE_LAYOUTS:
        row = connection.execute("SELECT value FROM about WHERE name = 'toolVersion'").fetchone()
        writer = row[0] if row else "of an unknown version"
        layouts = f"journal layout {version}, written by patchmode {writer}; this version reads 1 to {LAYOUT_VERSION}"
        msg = f"{path} has the {layouts}."
        raise RefusedError(msg, advice="Use the version that wrote it.")


def failed(attempt: str, error: OSError | sqlite3.Error) -> StorageError:
    """A StorageError that says in plain words what stood in the way of `attempt`."""
    if isinstance(error, OSError):
        return storage_error(attempt, error)
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
        return StorageError(
            f"{attempt}: {error}.",
            advice="The file is damaged: restore it from a backup or move it out of the state folder. `patchmode "
            "verify FILE`, with the plan file, shows the state of the machines.",
        )
    return StorageError(
        f"{attempt}: {error}.", advice="Check the free space and the permissions of the state folder (--state-dir)."
    )


def _prefer_wal(connection: sqlite3.Connection) -> None:
    try:
        (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    except sqlite3.OperationalError:
        mode = "refused"
    if mode != "wal":
        connection.execute("PRAGMA journal_mode=DELETE")
