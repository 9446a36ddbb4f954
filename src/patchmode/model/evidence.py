"""Evidence of a run: the documents before and after, what a verification found, and what a check of a pack found.

Must not: read, write or compare.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from patchmode.model.resource_id import ResourceId
from patchmode.model.run import Verification


class AfterFrom(StrEnum):
    """Where the state after the run was learned. The values stand in the manifest as `afterFrom`."""

    PROVIDER = "provider"
    """Read from the resource provider while the evidence was gathered."""
    JOURNAL = "journal"
    """Nothing was read: what the run itself verified and wrote down."""


@dataclass(frozen=True, slots=True)
class MachineEvidence:
    """One machine that the run's plan changes."""

    id: ResourceId
    result: str
    """What became of its change."""
    before: Mapping[str, Any]
    """The provider's document that the plan was made from."""
    after: Mapping[str, Any] | None
    """The provider's document when the evidence was gathered; None: `after_missing` says why there is none."""
    after_missing: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a run, gathered."""

    after_from: AfterFrom
    gathered_at: datetime
    """UTC."""
    machines: tuple[MachineEvidence, ...]
    """One for each change, in plan order."""
    verifications: tuple[Verification, ...]
    """One for each applied change that was looked at."""


@dataclass(frozen=True, slots=True)
class PackedEvidence:
    """A pack that was written."""

    path: str
    run: str
    digest: str
    """The manifest's."""
    files: int
    size: int
    """Of all files together, in bytes."""
    machines: int
    with_after: int
    """Machines whose document afterwards is in the pack."""
    after_from: AfterFrom
    mismatches: int
    """Applied machines that are not as planned, or could not be read."""
    not_done: Mapping[str, int] = field(default_factory=dict)
    """What else of the run is not as asked: as `RunReport.not_set` has it."""


class Fault(StrEnum):
    """What is wrong with one file of a pack."""

    ALTERED = "altered"
    MISSING = "missing"
    EXTRA = "extra"
    LINK = "link"
    """A symbolic link or another thing that is no file; it was not followed."""


@dataclass(frozen=True, slots=True)
class EvidenceProblem:
    """One file that is not as the manifest says."""

    path: str
    fault: Fault
    detail: str


@dataclass(frozen=True, slots=True)
class EvidenceCheck:
    """What a check of a pack found; it is whole where there is no problem."""

    path: str
    run: str
    digest: str
    """Calculated from the manifest as it stands there."""
    tool_version: str
    created_at: datetime
    files: int
    problems: tuple[EvidenceProblem, ...]
