"""Writing a file so that it is there whole or not at all.

Must not: know what is in the file.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from patchmode.errors import StorageError

PRIVATE_FILE = 0o600
"""Plans and journals hold machine documents, which are nobody else's business."""
PRIVATE_FOLDER = 0o700


def write_whole(path: Path, content: bytes) -> None:
    """Put `content` at `path`: a temporary file beside it, flushed to the disk, then renamed over it.

    Args:
        path: replaced if it exists; its folder must exist.
        content: the whole file.

    Raises:
        StorageError: no permission, no such folder, disk full; what was at `path` before is untouched.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise storage_error(f"could not write {path}", error) from error


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
