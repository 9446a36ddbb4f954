"""A lock that says who holds it, and that a dead process cannot keep.

The operating system gives the lock up when its holder ends, however it ends, so there is never a stale one to remove.

Must not: be placed on a file that SQLite has open: closing any descriptor of such a file drops SQLite's own locks.
"""

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from patchmode.errors import RunBusyError
from patchmode.store.atomic import PRIVATE_FILE, storage_error

if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30
    """Windows locks bytes, and others cannot read a locked one, so a byte far behind the text is locked."""

    def _take(descriptor: int, *, wait: bool) -> bool:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _take(descriptor: int, *, wait: bool) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock."""

    pid: int
    host: str
    since: str
    """ISO 8601, UTC, whole seconds."""

    @classmethod
    def this_process(cls) -> Self:
        """The holder that this process is, from now on."""
        return cls(os.getpid(), socket.gethostname(), datetime.now(UTC).isoformat(timespec="seconds"))

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"


class Lock:
    """An exclusive lock on a file of its own, held from construction until `release` or the end of the process.

    Args:
        path: the lock file; made when missing, never removed (removing it would let two processes hold "the" lock).
        what: what it guards, as messages call it.
        wait: whether to wait for another holder instead of refusing.

    Raises:
        RunBusyError: another process holds it, and `wait` is false; the message says which and since when.
        StorageError: the file cannot be made.
    """

    def __init__(self, path: Path, *, what: str, wait: bool = False) -> None:
        try:
            self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        except OSError as error:
            raise storage_error(f"could not lock {what}", error) from error
        if not _take(self._descriptor, wait=wait):
            self.release()
            holder = holder_of(path)
            msg = f"{what} is held by {holder or 'another process'}."
            raise RunBusyError(msg, advice="Wait until it ends, or stop it; then try again.")
        self._sign()

    def _sign(self) -> None:
        # The name is a courtesy to whoever finds the lock taken: without room for it on the disk the lock still holds.
        assert self._descriptor is not None  # noqa: S101 - set by the constructor, for the type checker
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.write(self._descriptor, json.dumps(asdict(Holder.this_process())).encode())

    def release(self) -> None:
        """Give the lock up. Safe to repeat."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def holder_of(path: Path) -> Holder | None:
    """Who signed a lock file last; None where nobody did. That they still hold it is not said."""
    try:
        return Holder(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def is_held(path: Path) -> bool:
    """Whether some process, this one included, holds the lock at `path` now."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        return not _take(descriptor, wait=False)
    finally:
        os.close(descriptor)


@contextmanager
def held(path: Path, *, what: str) -> Iterator[None]:
    """Hold a lock for a moment, waiting for whoever has it.

    Raises:
        StorageError: the lock file cannot be made.
    """
    lock = Lock(path, what=what, wait=True)
    try:
        yield
    finally:
        lock.release()
