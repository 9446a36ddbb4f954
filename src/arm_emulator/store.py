"""The state on disk: one SQLite file, written through at every change, so an emulator that stops comes back as it was.

One process uses a file at a time. Resources, operations in flight and the directory are kept; ledger, buckets, pages
and tokens are not.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from arm_emulator.protocol.operations import Operation
from arm_emulator.state import Stored

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (key TEXT PRIMARY KEY, etag INTEGER, document BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS operations (id TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL);
"""
FORMAT = 1


class StoreError(ValueError):
    """A state file that cannot be used: another program's, another version's, or held by another emulator."""


class Store:
    """A state file.

    Args:
        path: made where it is missing.

    Raises:
        StoreError: when the file is no state of this version, or another emulator holds it.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            # An emulator's state needs to survive the process, not a power cut.
            self._db.execute("PRAGMA synchronous=OFF")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise StoreError(f"state file {path}: {error}") from error
        version = self._meta("format")
        if version is None:
            self._keep("format", FORMAT)
        elif version != FORMAT:
            raise StoreError(f"state file {path} has format {version}; this emulator reads {FORMAT}")

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        self._db.close()

    def save(self, stored: Stored) -> None:
        """Insert or replace one resource; a replaced one keeps its place."""
        self._db.execute(
            "INSERT INTO resources VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET etag = excluded.etag, "
            "document = excluded.document",
            (stored.key, stored.etag, msgspec.json.encode(stored.document)),
        )

    def drop(self, key: str) -> None:
        """Remove one resource."""
        self._db.execute("DELETE FROM resources WHERE key = ?", (key,))

    def drop_all(self) -> None:
        """Remove every resource."""
        self._db.execute("DELETE FROM resources")

    def resources(self) -> Iterator[tuple[dict[str, Any], int | None]]:
        """Every document with its etag, in order of insertion."""
        rows = self._db.execute("SELECT document, etag FROM resources ORDER BY rowid").fetchall()
        return ((msgspec.json.decode(document), etag) for document, etag in rows)

    def save_operation(self, operation: Operation) -> None:
        """Insert or replace one operation."""
        self._db.execute(
            "INSERT OR REPLACE INTO operations VALUES (?, ?)", (operation.id, msgspec.json.encode(asdict(operation)))
        )

    def operations(self) -> list[Operation]:
        """Every operation, as it was last saved."""
        rows = self._db.execute("SELECT body FROM operations ORDER BY rowid").fetchall()
        return [msgspec.json.decode(body, type=Operation) for (body,) in rows]

    def forget_operations(self) -> None:
        """Remove every operation."""
        self._db.execute("DELETE FROM operations")

    def fleet(self) -> dict[str, Any] | None:
        """The directory's part of the fleet that was kept, or None where the file is new."""
        kept = self._meta("fleet")
        return kept if isinstance(kept, dict) else None

    def keep_fleet(self, fleet: dict[str, Any]) -> None:
        """Remember the directory."""
        self._keep("fleet", fleet)

    def guests(self) -> list[dict[str, Any]]:
        """What the fleet that was kept says of the inside of machines."""
        kept = self._meta("guests")
        return kept if isinstance(kept, list) else []

    def keep_guests(self, guests: list[dict[str, Any]]) -> None:
        """Remember what a fleet says of the inside of machines."""
        self._keep("guests", guests)

    def _meta(self, name: str) -> object:
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else msgspec.json.decode(row[0])

    def _keep(self, name: str, value: object) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, msgspec.json.encode(value)))
