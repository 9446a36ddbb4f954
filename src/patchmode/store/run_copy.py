"""A copy of a run's journal for somebody to keep, taken while a process may still write to it.

Must not: change the journal.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from patchmode.store.database import connect_reader, failed


def copy_journal(path: Path, to: Path) -> None:
    """Copy a run's file as it stands at one moment, what is only in its write-ahead log included.

    Args:
        path: the run's file.
        to: the copy; it must not exist, and stands by itself afterwards.

    Raises:
        StorageError: the journal cannot be read or the copy not be written. RefusedError: it is from a newer version.
    """
    with closing(connect_reader(path)) as source:
        try:
            with closing(sqlite3.connect(to)) as copy:
                source.backup(copy)
                # The copy is one file: nobody takes the log along that belongs to it.
                copy.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.Error as error:
            raise failed(f"could not copy the run's journal {path} to {to}", error) from error
