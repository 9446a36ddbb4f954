"""Writing a file so that it is there whole or not at all.

Must not: know what is in the file.
"""

import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from io import RawIOBase
from pathlib import Path

from patchmode.errors import StorageError

PRIVATE_FILE = 0o600
"""Plans and journals hold machine documents, which are nobody else's business."""
READABLE_FILE = 0o644
"""For what another user's program reads, and that names no machine."""
PRIVATE_FOLDER = 0o700
_DESCRIPTORS = ("/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/")
"""Names of what this process has open already."""


def write_whole(path: Path, content: bytes | Iterable[bytes], *, mode: int = PRIVATE_FILE) -> None:
    """Put `content` at `path`: a temporary file beside it, flushed to the disk, then renamed over it.

    What stands there keeps its kind: a symbolic link stays and its target is written, and a pipe or a device is written
    into, which cannot be whole or not at all.

    Args:
        path: replaced if it is a file; its folder must exist.
        content: the whole file, at once or piece by piece.
        mode: the permissions of a new file, of which the process's umask may take some.

    Raises:
        StorageError: no permission, no such folder, disk full, or what stands there is a folder, a disk or an open
            file's descriptor; a file that was at `path` before is untouched.
    """
    attempt = f"could not write {path}"
    pieces = (content,) if isinstance(content, bytes) else content
    try:
        kind = _kind_of(path)
        if kind is None or stat.S_ISREG(kind):
            if _is_descriptor(path):
                raise _unfit(attempt, "it is a file that is open already", "Name the file itself.")
            _replace(Path(os.path.realpath(path)), pieces, mode)
        elif stat.S_ISFIFO(kind) or stat.S_ISCHR(kind):
            with path.open("wb", buffering=0) as stream:
                for piece in pieces:
                    _write_through(stream, piece)
        else:
            what = "a folder" if stat.S_ISDIR(kind) else "neither a file nor a pipe"
            raise _unfit(attempt, f"it is {what}", "Name a file.")
    except OSError as error:
        raise storage_error(attempt, error) from error


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


def _replace(path: Path, pieces: Iterable[bytes], mode: int) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as stream:
            stream.writelines(pieces)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        _flush_folder(path.parent)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _unfit(attempt: str, reason: str, advice: str) -> StorageError:
    return StorageError(f"{attempt}: {reason}.", advice=advice)


def storage_error(attempt: str, error: OSError) -> StorageError:
    """A StorageError that says in plain words what stood in the way of `attempt`."""
    return StorageError(
        f"{attempt}: {error.strerror or error}.",
        advice="Check the free space and the permissions of the folder, or name another one.",
    )


def make_private_folder(path: Path) -> None:
    """Make a folder, with its parents, that only this user may look into; one that exists is left as it is.

    Raises:
        StorageError: it cannot be made.
    """
    try:
        path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(f"could not make the folder {path}", error) from error


def _flush_folder(folder: Path) -> None:
    # A rename is durable only once the folder is; Windows cannot open a folder and needs no such call.
    with suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
