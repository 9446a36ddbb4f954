"""The file of scrubbed exchanges that a user may hand on, and the log of those that are not scrubbed yet."""

import os
from collections.abc import Sequence
from io import RawIOBase
from pathlib import Path

import msgspec

from patchmode.documents.exchanges import exchange_rows
from patchmode.errors import RefusedError
from patchmode.model.exchange import Exchange
from patchmode.model.plain_text import json_escaped
from patchmode.store.files import open_private, storage_error, write_named


def write_exchanges(path: Path, exchanges: Sequence[Exchange], source: str) -> None:
    """Write exchanges in the shape of the recordings: a list, in the order of the answers.

    Args:
        path: replaced if it is there.
        exchanges: as `rules.scrubbing.exchanges.scrub` made them; empty: the file holds an empty list.
        source: see `documents.exchanges.exchange_rows`.

    Raises:
        StorageError: it cannot be written; a file that was there before is untouched.
    """
    rows = msgspec.json.encode(exchange_rows(exchanges, source))
    write_named(path, json_escaped(msgspec.json.format(rows, indent=1).decode()).encode() + b"\n")


class ExchangeLog:
    """Exchanges as they were recorded, kept over the end of the process: personal, and readable by their owner only.

    Args:
        path: a file of its own for each session; its folder must exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_whole = False

    def append(self, exchange: Exchange) -> None:
        """Add one; it outlives the process, though perhaps not a loss of power.

        Raises:
            StorageError: it cannot be written.
        """
        try:
            descriptor = open_private(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
            with os.fdopen(descriptor, "ab+", buffering=0) as stream:
                if not self._is_whole:
                    _drop_torn_end(stream)
                    self._is_whole = True
                stream.write(msgspec.json.encode(exchange) + b"\n")
        except OSError as error:
            raise storage_error(f"could not write {self._path}", error) from error

    def read(self) -> list[Exchange]:
        """All of them, in their order; empty: there is no file. A last one that a kill has cut off is left out.

        Raises:
            StorageError: it cannot be read. RefusedError: a line before the last is not an exchange.
        """
        try:
            lines = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise storage_error(f"could not read {self._path}", error) from error
        # What follows the last line end was cut off; mostly it is empty.
        return [self._exchange(line, number) for number, line in enumerate(lines[:-1], 1)]

    def remove(self) -> None:
        """Delete the file. Safe to repeat.

        Raises:
            StorageError: it cannot be deleted.
        """
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(f"could not delete {self._path}", error) from error

    def _exchange(self, line: bytes, number: int) -> Exchange:
        try:
            return _decode(line)
        except msgspec.MsgspecError as error:
            msg = f"{self._path} is damaged: line {number} is not a recorded exchange ({error})."
            raise RefusedError(msg, advice="Remove the file; what it recorded is lost.") from error


def _drop_torn_end(stream: RawIOBase) -> None:
    """Cut a log off after its last line end: what a kill left behind it would be joined to the next line."""
    stream.seek(0)
    content = stream.read() or b""
    stream.truncate(content.rfind(b"\n") + 1)


_decode = msgspec.json.Decoder(Exchange).decode
