"""Writing a pack of evidence: a folder or a zip, with the sum of every file and a manifest over all of them.

Must not: know what the files say; or write over anything, for evidence that was replaced is none.
"""

import hashlib
import os
import secrets
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import msgspec

from patchmode.errors import UsageError
from patchmode.store.atomic import PRIVATE_FILE, PRIVATE_FOLDER, storage_error
from patchmode.store.evidence_formats import MANIFEST, SUMS, EvidenceFileRow, ManifestDocument, digest_of

ZIP = ".zip"
_EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)
"""A zip knows no earlier time."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file to write."""

    path: str
    """Relative, with slashes; letters, digits, `.`, `_` and `-` only."""
    pieces: Iterable[bytes]


class _Sink(Protocol):
    """A place that takes files one after the other."""

    def write(self, path: str, pieces: Iterable[bytes]) -> None: ...


def write_pack(
    out: Path,
    members: Iterable[Member],
    manifest_of: Callable[[tuple[EvidenceFileRow, ...]], ManifestDocument],
    *,
    at: datetime,
) -> ManifestDocument:
    """Write a pack, whole or not at all, readable by its owner only.

    Args:
        out: a new folder, or a new file that ends in `.zip`.
        members: the files, in order; they are drawn one by one.
        manifest_of: makes the manifest, its digest left out, once every file is known.
        at: the time that a zip shows for its files.

    Returns:
        The manifest as written.

    Raises:
        UsageError: something stands at `out`. StorageError: it cannot be written; nothing is left behind.
    """
    if out.exists() or out.is_symlink():
        msg = f"{out} exists, and evidence is not written over."
        raise UsageError(msg, advice="Name another --out, or move the old one away.")
    try:
        with _opened(out, at) as sink:
            rows = [_written(sink, member) for member in members]
            sums = "".join(f"{row.sha256}  {row.path}\n" for row in rows)
            rows.append(_written(sink, Member(SUMS, (sums.encode(),))))
            bare = manifest_of(tuple(rows))
            manifest = msgspec.structs.replace(bare, digest=digest_of(bare))
            text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
            sink.write(MANIFEST, (text, b"\n"))
    except OSError as error:
        raise storage_error(f"could not write the evidence {out}", error) from error
    return manifest


def _written(sink: _Sink, member: Member) -> EvidenceFileRow:
    digest, size = hashlib.sha256(), 0

    def counted() -> Iterator[bytes]:
        nonlocal size
        for piece in member.pieces:
            digest.update(piece)
            size += len(piece)
            yield piece

    sink.write(member.path, counted())
    return EvidenceFileRow(path=member.path, sha256=digest.hexdigest(), bytes=size)


@contextmanager
def _opened(out: Path, at: datetime) -> Iterator[_Sink]:
    """A sink beside `out` that takes its name at the end; what was begun is removed where it fails."""
    temporary = out.with_name(f".{out.name}.{secrets.token_hex(4)}.tmp")
    is_zip = out.suffix.lower() == ZIP
    try:
        if is_zip:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
            with os.fdopen(descriptor, "wb") as stream:
                with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
                    yield _ZipSink(archive, max(at.astimezone(UTC), _EARLIEST))
                stream.flush()
                os.fsync(stream.fileno())
        else:
            temporary.mkdir(mode=PRIVATE_FOLDER)
            yield _FolderSink(temporary)
        temporary.rename(out)
    except BaseException:
        with suppress(OSError):
            if is_zip:
                temporary.unlink(missing_ok=True)
            else:
                shutil.rmtree(temporary)
        raise


class _FolderSink:
    """Files below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, path: str, pieces: Iterable[bytes]) -> None:
        target = self._folder / path
        # With `parents` the mode would hold for the last folder only.
        for folder in reversed(target.parents[: path.count("/")]):
            folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "wb") as stream:
            stream.writelines(pieces)


class _ZipSink:
    """Files of an archive, all of one time, so that the same evidence makes the same archive."""

    def __init__(self, archive: zipfile.ZipFile, at: datetime) -> None:
        self._archive = archive
        self._at = at.timetuple()[:6]

    def write(self, path: str, pieces: Iterable[bytes]) -> None:
        entry = zipfile.ZipInfo(path, self._at)
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = (0o100000 | PRIVATE_FILE) << 16
        with self._archive.open(entry, "w", force_zip64=True) as stream:
            for piece in pieces:
                stream.write(piece)
