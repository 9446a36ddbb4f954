"""Files that are there whole or not at all, and a lock that a dead process cannot keep.

Every file that patchmode writes is opened or replaced here (`tests/architecture/test_writers.py` looks): what it keeps
itself is its owner's alone and is never reached through a symbolic link, which somebody else may have put there.
"""

import errno
import json
import os
import secrets
import socket
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import RawIOBase
from pathlib import Path
from typing import Self

from patchmode.errors import RunBusyError, StorageError
from patchmode.model.nearest import nearest

PRIVATE_FILE = 0o600
"""Plans and journals hold machine documents, which are nobody else's business."""
READABLE_FILE = 0o644
"""For what another user's program reads, and that names no machine."""
PRIVATE_FOLDER = 0o700
_MOST_LINKS = 40
"""As many as Linux follows, one after the other."""
_DESCRIPTORS = ("/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/")
"""Names of what this process has open already."""


def write_whole(
    path: Path, content: bytes | Iterable[bytes], *, mode: int = PRIVATE_FILE, is_lasting: bool = True
) -> None:
    """Put `content` at `path`: a temporary file beside it, flushed to the disk, then renamed over it.

    A symbolic link at `path` is replaced, and what it points to is untouched.

    Args:
        path: replaced if it is a file; its folder must exist.
        content: the whole file, at once or piece by piece.
        mode: the permissions of a new file, of which the process's umask may take some.
        is_lasting: whether to wait until it is on the disk; where not, a loss of power may lose it, yet never a part.

    Raises:
        StorageError: no permission, no such folder, disk full, or what stands there is a folder; a file that was at
            `path` before is untouched.
    """
    try:
        _replace(path, (content,) if isinstance(content, bytes) else content, mode, is_lasting=is_lasting)
    except OSError as error:
        raise storage_error(f"could not write {path}", error) from error


def write_named(path: Path, content: bytes | Iterable[bytes], *, mode: int = PRIVATE_FILE) -> None:
    """Put `content` where a user said, as `write_whole` does; what stands there keeps its kind.

    A symbolic link stays and its target is written, unless another user made the link: see `_check_own_link`. A pipe or
    a device is written into, which cannot be whole or not at all.

    Args:
        path: as the user named it; its folder must exist.
        content, mode: as for `write_whole`.

    Raises:
        StorageError: as `write_whole`; or what stands there is a disk, an open file's descriptor or a link that another
            user made.
    """
    attempt = f"could not write {path}"
    pieces = (content,) if isinstance(content, bytes) else content
    try:
        kind = _kind_of(path)
        if kind is None or stat.S_ISREG(kind):
            if _is_descriptor(path):
                raise _unfit(attempt, "it is a file that is open already", "Name the file itself.")
            _replace(_end_of_links(path, attempt), pieces, mode, is_lasting=True)
        elif stat.S_ISFIFO(kind) or stat.S_ISCHR(kind):
            with path.open("wb", buffering=0) as stream:
                for piece in pieces:
                    _write_through(stream, piece)
        else:
            what = "a folder" if stat.S_ISDIR(kind) else "neither a file nor a pipe"
            raise _unfit(attempt, f"it is {what}", "Name a file.")
    except OSError as error:
        raise storage_error(attempt, error) from error


def open_private(path: Path, flags: int) -> int:
    """A descriptor of a file that is made for its owner alone, and that is not reached through a link at `path`.

    Args:
        path: its folder must exist.
        flags: as `os.open` takes them.

    Raises:
        OSError: it cannot be opened, or is a symbolic link or no file.
    """
    if not hasattr(os, "O_NOFOLLOW"):  # Windows
        _check_no_link(path)
    # Without O_NONBLOCK a pipe put there would hold the process up; for a file it means nothing.
    extra = (getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
    try:
        descriptor = os.open(path, flags | sum(extra), PRIVATE_FILE)
    except OSError:
        _check_no_link(path)
        raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is not a file")


def refuse_link(path: Path, attempt: str) -> None:
    """Refuse a symbolic link at the place of a file of ours, for those whom `open_private` does not serve.

    Raises:
        StorageError: with the words of `attempt`.
    """
    try:
        _check_no_link(path)
    except OSError as error:
        raise storage_error(attempt, error) from error


def _check_no_link(path: Path) -> None:
    if path.is_symlink():
        raise OSError(errno.ELOOP, f"{path} is a symbolic link, which is not followed here")


def _end_of_links(path: Path, attempt: str) -> Path:
    """Where the links that lead on from `path` end."""
    for _ in range(_MOST_LINKS):
        if not path.is_symlink():
            return path
        _check_own_link(path, attempt)
        path = path.parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _owner_of(path: Path) -> int:
    return path.lstat().st_uid


def _check_own_link(link: Path, attempt: str) -> None:
    """Refuse a symbolic link that is neither this user's, nor root's, nor of the owner of the folder that it is in.

    Linux does the same in folders such as /tmp (`fs.protected_symlinks`), but only where it follows the link itself,
    and a file is replaced beside the link's target.

    Raises:
        StorageError: with the words of `attempt`.
    """
    if not hasattr(os, "geteuid"):  # Windows
        return
    if _owner_of(link) not in {0, os.geteuid(), _owner_of(link.parent.resolve())}:
        raise _unfit(attempt, f"{link} is a symbolic link that another user made", "Name what it points to.")


def buffered(pieces: Iterable[bytes], size: int = 1 << 20) -> Iterator[bytes]:
    """The same bytes in pieces of about `size`: few writes, and never the whole at once."""
    waiting: list[bytes] = []
    length = 0
    for piece in pieces:
        waiting.append(piece)
        length += len(piece)
        if length >= size:
            yield b"".join(waiting)
            waiting, length = [], 0
    if waiting:
        yield b"".join(waiting)


def _kind_of(path: Path) -> int | None:
    """What stands at the end of all links; None: nothing."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _is_descriptor(path: Path) -> bool:
    return str(path.absolute()).startswith(_DESCRIPTORS)


def _write_through(stream: RawIOBase, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[stream.write(rest) or 0 :]


def _replace(path: Path, pieces: Iterable[bytes], mode: int, *, is_lasting: bool) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        # O_EXCL: neither a file nor a link may stand there.
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
        with os.fdopen(descriptor, "wb") as stream:
            stream.writelines(pieces)
            stream.flush()
            if is_lasting:
                os.fsync(stream.fileno())
        temporary.replace(path)
        if is_lasting:
            _flush_folder(path.parent)
    except BaseException:  # also Ctrl-C, and whatever ends the pieces
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _unfit(attempt: str, reason: str, advice: str) -> StorageError:
    return StorageError(f"{attempt}: {reason}.", advice=advice)


def storage_error(attempt: str, error: OSError) -> StorageError:
    """A StorageError that says in plain words what stood in the way of `attempt`."""
    advice = "Check the free space and the permissions of the folder, or name another one."
    if error.errno == errno.ELOOP:
        advice = "Look at who made the link and what it points to, then remove it."
    return StorageError(f"{attempt}: {error.strerror or error}.", advice=advice)


def meant(path: Path) -> str:
    """The words about the file that was perhaps meant by one that is not there; empty: none is near.

    Returns:
        Text that stands before further advice, with a blank at its end.
    """
    if path.exists():
        return ""
    try:
        near = nearest(path.name, (one.name for one in path.parent.iterdir() if not one.name.startswith(".")))
    except OSError:
        return ""
    return f"Did you mean {path.parent / near}? " if near else ""


def make_private_folder(path: Path) -> None:
    """Make a folder that only this user may look into, and each of its parents that is missing, likewise.

    One that exists is left as it is. Links to folders are followed as `write_named` follows those to files: who moved a
    folder to another disk left one.

    Raises:
        StorageError: it cannot be made, or a link that another user made leads to it.
    """
    attempt = f"could not make the folder {path}"
    whole = path.absolute()
    try:
        for folder in (whole, *whole.parents)[::-1]:
            if folder.is_symlink():
                _check_own_link(folder, attempt)
            # The mode given with `parents` would hold for the last one only.
            folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    except OSError as error:
        raise storage_error(attempt, error) from error


def open_to_others(folder: Path) -> int | None:
    """The permissions of a folder, where other users have some; None: nobody else has, or there is no such folder."""
    if os.name == "nt":  # what Windows grants stands elsewhere
        return None
    try:
        found = folder.stat().st_mode
    except OSError:
        return None
    mode = stat.S_IMODE(found)
    # A file in its place holds nothing of ours, and the command that would close it ends nothing.
    return mode if mode & 0o077 and stat.S_ISDIR(found) else None


def _flush_folder(folder: Path) -> None:
    # A rename is durable only once the folder is; Windows cannot open a folder and needs no such call.
    with suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


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


class FileLock:
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
            self._descriptor: int | None = open_private(path, os.O_RDWR | os.O_CREAT)
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
            if os.fstat(self._descriptor).st_nlink > 1:
                return  # under another name it may be a file that means something
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
        descriptor = open_private(path, os.O_RDWR)
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
    lock = FileLock(path, what=what, wait=True)
    try:
        yield
    finally:
        lock.release()
