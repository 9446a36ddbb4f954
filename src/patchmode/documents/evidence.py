"""`patchmode/evidence/v1`: the manifest of a pack of evidence, member by member.

Must not: read or write files.
"""

import hashlib
from datetime import datetime
from typing import Literal

import msgspec

from patchmode.documents.base import Edge
from patchmode.documents.plan_and_run import TargetRow
from patchmode.model.evidence import AfterFrom
from patchmode.model.run import Result

EVIDENCE_FORMAT = "patchmode/evidence/v1"
MANIFEST, SUMS = "manifest.json", "SHA256SUMS"


class EvidenceMachineRow(Edge, frozen=True):
    """One machine that the plan changes, and where its documents stand in the pack."""

    id: str
    result: Result
    before: str
    after: str | None
    after_missing: str | None
    """Why there is no document afterwards; null: there is one."""


class EvidenceFileRow(Edge, frozen=True):
    """One file of the pack."""

    path: str
    """With slashes, relative to the manifest."""
    sha256: str
    bytes: int


class ManifestDocument(Edge, frozen=True):
    """`manifest.json`."""

    format: Literal["patchmode/evidence/v1"]
    tool_version: str
    created_at: datetime
    """When the machines were read and the pack was made, UTC."""
    run: str
    state: Literal["interrupted", "stopped", "finished"]
    target: TargetRow
    plan_digest: str
    after_from: AfterFrom
    machines: tuple[EvidenceMachineRow, ...]
    files: tuple[EvidenceFileRow, ...]
    """Every file but the manifest itself."""
    digest: str | msgspec.UnsetType = msgspec.UNSET
    """SHA-256, in hex, over this document's canonical text: keys sorted, no white space, without this member."""


def digest_of(manifest: ManifestDocument) -> str:
    """The digest of a manifest, whatever digest it states."""
    bare = msgspec.structs.replace(manifest, digest=msgspec.UNSET)
    return hashlib.sha256(msgspec.json.encode(bare, order="sorted")).hexdigest()
