"""Checking a pack of evidence: every file of the manifest there and unaltered, and no other.

The pack may come from anybody: nothing is unpacked, no link is followed, and no more is read than the manifest states.

Must not: say who made a pack. A sum proves that nothing changed since the manifest was made, and nothing else.
"""

import hashlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from patchmode.errors import RefusedError, UsageError
from patchmode.model.evidence import EvidenceCheck, EvidenceProblem, Fault
from patchmode.store.evidence_containers import Container, UnpackError, open_container
from patchmode.store.evidence_formats import EVIDENCE_FORMAT, MANIFEST, EvidenceFileRow, ManifestDocument, digest_of
from patchmode.store.run_parts import format_of

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
        RefusedError: it is no evidence, of a version not known here, or made to do harm.
    """
    try:
        with closing(open_container(path)) as pack:
            manifest = _manifest(pack, path)
            stated = {row.path: row for row in manifest.files}
            problems = [*_of_manifest(manifest, digest), *_of_files(pack, stated)]
    except OSError as error:
        raise UsageError(f"could not read {path}: {error.strerror or error}.", advice="Check the path.") from error
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
        msg = f"{path} is no evidence pack: it has no {MANIFEST}."
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
