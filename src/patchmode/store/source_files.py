"""Files that people keep under version control: found below folders, read, and edited where they ask for it.

Must not: follow links of folders, or read what is no regular file.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from patchmode.errors import UsageError
from patchmode.model.iac import Edit, SourceFile, UnreadSource
from patchmode.store.files import meant, write_named

LARGEST = 32 << 20
"""Bytes of a file that is read. Terraform's plans of 10,000 resources have about 20 MB."""
_LEFT_OUT = frozenset({".git", ".hg", ".svn", ".terraform", ".venv", "node_modules", "__pycache__"})
"""Folders that hold what tools put there."""


def source_files(paths: Sequence[str], endings: tuple[str, ...], unread: list[UnreadSource]) -> Iterator[SourceFile]:
    """The files that are named, and those with one of the endings below the folders that are; each once, in order.

    Args:
        paths: files and folders.
        endings: in lower case.
        unread: what could not be read is added to it.

    Raises:
        UsageError: one of the paths does not exist.
    """
    for path in paths:
        if not os.path.lexists(path):
            msg = f"There is no file or folder {path}."
            raise UsageError(msg, advice=f"{meant(Path(path))}Check the path.")
    seen: set[tuple[int, int]] = set()
    for name in _named(paths, endings, unread):
        found = _read(name, seen)
        if isinstance(found, UnreadSource):
            unread.append(found)
        elif found is not None:
            yield found


def _named(paths: Sequence[str], endings: tuple[str, ...], unread: list[UnreadSource]) -> Iterator[str]:
    for path in paths:
        if not Path(path).is_dir():
            yield path
            continue

        def failed(error: OSError) -> None:
            unread.append(UnreadSource(str(error.filename), f"the folder cannot be listed: {error.strerror}"))

        for folder, inner, names in os.walk(path, onerror=failed):
            inner[:] = sorted(one for one in inner if one not in _LEFT_OUT)
            yield from (str(Path(folder, name)) for name in sorted(names) if name.casefold().endswith(endings))


def _read(name: str, seen: set[tuple[int, int]]) -> SourceFile | UnreadSource | None:
    """A file; None: it was read already, by another name."""
    shown = os.fsencode(name).decode("utf-8", "replace")
    place = Path(name)
    try:
        found = place.stat()
        if (found.st_dev, found.st_ino) in seen:
            return None
        seen.add((found.st_dev, found.st_ino))
        # A pipe would hold the process up.
        if not stat.S_ISREG(found.st_mode):
            return UnreadSource(shown, "it is not a regular file")
        if found.st_size > LARGEST:
            return UnreadSource(shown, f"it is larger than {LARGEST >> 20} MiB")
        with place.open("rb") as stream:
            return SourceFile(shown, stream.read(LARGEST))
    except OSError as error:
        return UnreadSource(shown, f"it cannot be read: {error.strerror}")


def edited(content: bytes, edits: Iterable[Edit]) -> bytes:
    """A file's content with edits, which do not overlap; lines end as the file's own do."""
    for edit in sorted(edits, key=lambda one: (one.start, one.end), reverse=True):
        text = edit.text.encode()
        if b"\r\n" in content:
            text = text.replace(b"\n", b"\r\n")
        content = content[: edit.start] + text + content[edit.end :]
    return content


def write_edited(path: str, before: bytes, after: bytes) -> None:
    """Put a file's new content in its place, with the permissions that it has.

    Args:
        path: as it was read.
        before: what was read; `after`: what is to be there.

    Raises:
        UsageError: somebody changed it meanwhile. StorageError: it cannot be written.
    """
    place = Path(path)
    if place.read_bytes() != before:
        msg = f"{path} was changed while its diff was shown, and is left as it is."
        raise UsageError(msg, advice="Run the command once more.")
    write_named(place, after, mode=stat.S_IMODE(place.stat().st_mode))
