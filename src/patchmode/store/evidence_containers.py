"""A folder or a zip of unknown origin, as names, sizes and streams.

Refused before anything is read from it: names that lead out of the pack, names that stand twice, links and encrypted
files in a zip, and archives that would unpack to far more than they are.

Must not: write, unpack or follow anything.
"""

import os
import re
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Protocol

from patchmode.errors import RefusedError, UsageError

MAX_ENTRIES = 1_000_000
MAX_TOTAL = 1 << 36
"""Bytes that all files of a zip may unpack to; they are only read through, so that this bounds time, not memory."""
MAX_RATIO = 200
"""Unpacked bytes for each byte of the zip; documents of machines come to 5 to 30."""
RATIO_FROM = 100 << 20
"""Bytes from which on the ratio is looked at: a small file of noughts is no harm."""
_SAFE = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")
_WAYS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED = 0x1
_PIECE = 1 << 20
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError)
"""What zipfile raises for an archive that is damaged, or not what it says. `NotImplementedError` is its word for a
compression or a version that it does not know, `RuntimeError` for a file that is encrypted."""


class UnpackError(Exception):
    """A file of an archive is damaged; the message says how."""


class Container(Protocol):
    """A pack that can be looked through."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Name → bytes, of every file."""
        ...

    @property
    def links(self) -> frozenset[str]:
        """Names of what is neither file nor folder."""
        ...

    def pieces(self, name: str, limit: int) -> Iterator[bytes]:
        """A file's content, and no more than one byte beyond `limit`, whatever it claims.

        Raises:
            UnpackError: an archive's data are damaged. OSError: it cannot be read.
        """
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


def open_container(path: Path) -> Container:
    """A pack, its names and sizes checked.

    Raises:
        UsageError: there is nothing at `path`. RefusedError: it is neither folder nor zip, or made to do harm.
        OSError: it cannot be read.
    """
    if path.is_dir():
        return _Folder(path)
    if not path.exists():
        raise UsageError(f"there is no {path}.", advice="Name the folder or the zip that `patchmode evidence` wrote.")
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGE as error:
        msg = f"{path} is no zip that can be read: {error}."
        raise RefusedError(msg, advice="A copy may not have been complete.") from error
    try:
        return _Zip(path, archive)
    except BaseException:
        archive.close()
        raise


class _Folder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.sizes: dict[str, int] = {}
        links = set()
        for entry in _entries(folder):
            name = Path(entry.path).relative_to(folder).as_posix()
            if entry.is_file(follow_symlinks=False):
                self.sizes[name] = entry.stat(follow_symlinks=False).st_size
            else:
                links.add(name)
        self.links = frozenset(links)

    def pieces(self, name: str, limit: int) -> Iterator[bytes]:
        # The name came from listing the folder; what stands there now must still be a file and no link.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(self._folder / name, flags), "rb") as stream:
            yield from _read(stream, limit)

    def close(self) -> None:
        pass


def _read(stream: IO[bytes], limit: int) -> Iterator[bytes]:
    left = limit + 1
    while left > 0 and (piece := stream.read(min(_PIECE, left))):
        left -= len(piece)
        yield piece


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Everything below a folder that is no folder itself; links are not followed."""
    with os.scandir(folder) as found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                yield from _entries(Path(entry.path))
            else:
                yield entry


class _Zip:
    links: frozenset[str] = frozenset()

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        entries = archive.infolist()
        for entry in entries:
            _check_entry(path, entry)
        _check_sizes(path, entries)
        # A tool that packs a folder anew adds the folders themselves, which hold nothing.
        self._files = {entry.filename: entry for entry in entries if not entry.is_dir()}
        self.sizes = {name: entry.file_size for name, entry in self._files.items()}

    def pieces(self, name: str, limit: int) -> Iterator[bytes]:
        try:
            with self._archive.open(self._files[name]) as stream:
                yield from _read(stream, limit)
        except _DAMAGE as error:
            raise UnpackError(str(error)) from error

    def close(self) -> None:
        self._archive.close()


def _check_entry(path: Path, entry: zipfile.ZipInfo) -> None:
    # `filename` is what zipfile made of the name; what stands in the archive is `orig_filename`.
    name = entry.orig_filename
    plain = name.removesuffix("/")
    if not _SAFE.fullmatch(plain) or {".", ".."} & set(plain.split("/")):
        raise _harmful(path, f"the name {name!r} leads out of the pack, or is none that patchmode gives")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise _harmful(path, f"{name} is a link or a device")
    if entry.flag_bits & _ENCRYPTED or entry.compress_type not in _WAYS:
        raise _harmful(path, f"{name} is encrypted, or packed in a way that patchmode does not use")


def _check_sizes(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    names = Counter(entry.filename.casefold() for entry in entries)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise _harmful(path, f"{twice[0]} stands in it twice")
    total = sum(entry.file_size for entry in entries)
    if len(entries) > MAX_ENTRIES or total > MAX_TOTAL:
        raise _harmful(path, f"it holds {len(entries):,} files of {total:,} bytes together")
    if total > RATIO_FROM and total > MAX_RATIO * path.stat().st_size:
        raise _harmful(path, f"{path.stat().st_size:,} bytes would unpack to {total:,}")


def _harmful(path: Path, what: str) -> RefusedError:
    return RefusedError(f"{path} is refused unread: {what}.", advice="It is no pack that patchmode wrote.")
