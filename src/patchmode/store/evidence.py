"""Packs of evidence: written with the sum of every file, read from a folder or zip of unknown origin, and checked."""

import hashlib
import os
import re
import secrets
import shutil
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Protocol

import msgspec

from patchmode.documents.verification import (
    EVIDENCE_FORMAT,
    MANIFEST,
    SUMS,
    EvidenceFileRow,
    ManifestDocument,
    digest_of,
)
from patchmode.errors import RefusedError, UsageError
from patchmode.model.evidence import EvidenceCheck, EvidenceProblem, Fault
from patchmode.model.plain_text import json_escaped
from patchmode.store.files import PRIVATE_FILE, PRIVATE_FOLDER, make_private_folder, meant, open_private, storage_error
from patchmode.store.runs import format_of

ZIP = ".zip"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)
"""A zip knows no earlier time."""


@dataclass(frozen=True, slots=True)
class PackedFile:
    """One file to write."""

    path: str
    """Relative, with slashes; letters, digits, `.`, `_` and `-` only."""
    pieces: Iterable[bytes]


class _Sink(Protocol):
    """A place that takes files one after the other."""

    def write(self, path: str, pieces: Iterable[bytes]) -> None: ...


def write_pack(
    out: Path,
    members: Iterable[PackedFile],
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
        msg = f"{out} exists, and evidence is not overwritten."
        raise UsageError(msg, advice="Name another --out, or move the old one away.")
    try:
        with _opened(out, at) as sink:
            rows = [_written(sink, member) for member in members]
            sums = "".join(f"{row.sha256}  {row.path}\n" for row in rows)
            rows.append(_written(sink, PackedFile(SUMS, (sums.encode(),))))
            bare = manifest_of(tuple(rows))
            manifest = msgspec.structs.replace(bare, digest=digest_of(bare))
            text = msgspec.json.format(msgspec.json.encode(manifest), indent=2).decode()
            sink.write(MANIFEST, (json_escaped(text).encode(), b"\n"))
    except OSError as error:
        raise storage_error(f"could not write the evidence {out}", error) from error
    return manifest


def _written(sink: _Sink, member: PackedFile) -> EvidenceFileRow:
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
            with os.fdopen(open_private(temporary, _NEW), "wb") as stream:
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
        make_private_folder(target.parent)
        with os.fdopen(open_private(target, _NEW), "wb") as stream:
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
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)
"""What zipfile raises for an archive that is damaged, or not what it says. `RuntimeError` is its word for a file
that is encrypted, and a subclass of it for a compression or a version that it does not know."""


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
        msg = f"{path} cannot be read as a zip file: {error}."
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
        with os.fdopen(open_private(self._folder / name, os.O_RDONLY), "rb") as stream:
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
        raise _harmful(path, f"the name {name!r} points outside the pack, or is not one that patchmode writes")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise _harmful(path, f"{name} is a link or a device")
    if entry.flag_bits & _ENCRYPTED or entry.compress_type not in _WAYS:
        raise _harmful(path, f"{name} is encrypted, or packed in a way that patchmode does not use")


def _check_sizes(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    names = Counter(entry.filename.casefold() for entry in entries)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise _harmful(path, f"{twice[0]} is in it twice")
    total = sum(entry.file_size for entry in entries)
    if len(entries) > MAX_ENTRIES or total > MAX_TOTAL:
        raise _harmful(path, f"it holds {len(entries):,} files of {total:,} bytes together")
    if total > RATIO_FROM and total > MAX_RATIO * path.stat().st_size:
        raise _harmful(path, f"{path.stat().st_size:,} bytes would unpack to {total:,}")


def _harmful(path: Path, what: str) -> RefusedError:
    return RefusedError(f"{path} was not read: {what}.", advice="patchmode did not write this pack.")


MAX_MANIFEST = 1 << 28
"""Bytes; a hundred thousand machines take a fifth of it."""
_NOTHING = "The files beside it cannot be checked."


def check_pack(path: Path, *, digest: str | None = None) -> EvidenceCheck:
    """Check a pack against its own manifest, and the manifest against a digest that was kept elsewhere.

    Args:
        path: a folder or a zip.
        digest: what `patchmode evidence` printed when the pack was made; None: nobody kept it.

    Raises:
        UsageError: it cannot be read.
        RefusedError: it is not an evidence pack, its version is not known here, or it is unsafe to read.
    """
    try:
        with closing(open_container(path)) as pack:
            manifest = _manifest(pack, path)
            stated = {row.path: row for row in manifest.files}
            problems = [*_of_manifest(manifest, digest), *_of_files(pack, stated)]
    except OSError as error:
        what = f"could not read {path}: {error.strerror or error}."
        raise UsageError(what, advice=f"{meant(path)}Check the path.") from error
    return EvidenceCheck(
        path=str(path),
        run=manifest.run,
        digest=digest_of(manifest),
        tool_version=manifest.tool_version,
        created_at=manifest.created_at,
        files=len(manifest.files) + 1,
        problems=tuple(sorted(problems, key=lambda one: one.path)),
    )


def _manifest(pack: Container, path: Path) -> ManifestDocument:
    if MANIFEST not in pack.sizes:
        msg = f"{path} is not an evidence pack: it has no {MANIFEST}."
        raise RefusedError(msg, advice="Name the folder or the zip that `patchmode evidence` wrote.")
    try:
        content = b"".join(pack.pieces(MANIFEST, MAX_MANIFEST))
    except UnpackError as error:
        msg = f"{MANIFEST} of {path} was altered: it cannot be unpacked ({error})."
        raise RefusedError(msg, advice=_NOTHING) from error
    if len(content) > MAX_MANIFEST:
        msg = f"{path} has a {MANIFEST} of more than {MAX_MANIFEST:,} bytes."
        raise RefusedError(msg, advice="patchmode did not write it.")
    found = format_of(content)
    if found is not None and found != EVIDENCE_FORMAT:
        msg = f"{path} is {found}, and this version reads {EVIDENCE_FORMAT}."
        raise RefusedError(msg, advice="Use the version that wrote it.")
    try:
        manifest = msgspec.json.decode(content, type=ManifestDocument)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        msg = f"{MANIFEST} of {path} was altered: it is not valid {EVIDENCE_FORMAT} ({error})."
        raise RefusedError(msg, advice=_NOTHING) from error
    names = [row.path for row in manifest.files]
    if len({name.casefold() for name in names}) != len(names):
        msg = f"{MANIFEST} of {path} lists a file twice."
        raise RefusedError(msg, advice="patchmode did not write it.")
    return manifest


def _of_manifest(manifest: ManifestDocument, digest: str | None) -> Iterator[EvidenceProblem]:
    real = digest_of(manifest)
    if manifest.digest != real:
        yield EvidenceProblem(MANIFEST, Fault.ALTERED, "its digest does not match its content")
    if digest is not None and digest.strip().casefold() != real:
        yield EvidenceProblem(MANIFEST, Fault.ALTERED, f"its digest is {real}, not the one given with --digest")


def _of_files(pack: Container, stated: dict[str, EvidenceFileRow]) -> Iterator[EvidenceProblem]:
    for link in pack.links:
        yield EvidenceProblem(link, Fault.LINK, "it is a link or no regular file, and was not followed")
    for name in pack.sizes.keys() - stated.keys() - {MANIFEST}:
        yield EvidenceProblem(name, Fault.EXTRA, "the manifest does not list it")
    for name, row in stated.items():
        if name in pack.links:
            continue
        if name not in pack.sizes:
            yield EvidenceProblem(name, Fault.MISSING, "the manifest lists it")
        elif pack.sizes[name] != row.bytes:
            yield EvidenceProblem(name, Fault.ALTERED, f"it has {pack.sizes[name]:,} bytes instead of {row.bytes:,}")
        elif problem := _altered(pack, name, row):
            yield EvidenceProblem(name, Fault.ALTERED, problem)


def _altered(pack: Container, name: str, row: EvidenceFileRow) -> str | None:
    """What is wrong with a file's content; None: nothing."""
    digest = hashlib.sha256()
    try:
        for piece in pack.pieces(name, row.bytes):
            digest.update(piece)
    except UnpackError as error:
        return f"it cannot be unpacked: {error}"
    return None if digest.hexdigest() == row.sha256 else "its SHA-256 is not the one in the manifest"
