"""The readings of the console, one a line in one file of the state folder: figures alone, no machine and no name.

Must not: grow without bound.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from patchmode.model.reading import Reading
from patchmode.store.files import make_private_folder, storage_error, write_whole

NAME = "readings.jsonl"
KEPT = 1000
"""Readings in the file, of every scope together; with one every 15 minutes these are ten days, and some 200 KB."""


def read_readings(folder: Path) -> Sequence[Reading]:
    """What is kept, oldest first; a line that is none, as another version may write, is passed over.

    Raises:
        StorageError: the file cannot be read.
    """
    path = folder / NAME
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise storage_error(f"could not read {path}", error) from error
    found = []
    for line in lines:
        try:
            found.append(msgspec.json.decode(line, type=Reading))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
    return found


def keep_reading(folder: Path, reading: Reading) -> Sequence[Reading]:
    """Add one, and drop the oldest above `KEPT`; where two consoles do so at the same moment, one may be lost.

    Returns:
        What is kept now, oldest first.

    Raises:
        StorageError: the file cannot be read or written.
    """
    kept = [*read_readings(folder), reading][-KEPT:]
    make_private_folder(folder)
    write_whole(folder / NAME, b"".join(msgspec.json.encode(one) + b"\n" for one in kept), is_lasting=False)
    return kept
