"""`patchmode/drift/v1`: one machine's drift as its published JSON object, one a line.

Must not: change what a published version means; a change of meaning is a new version.
"""

from datetime import datetime
from typing import Any, Literal

from patchmode.json_edge import Edge
from patchmode.model.drift import Drift, DriftKind, ResourceChange


class MoveRow(Edge, frozen=True):
    """One field that moved; null: the model does not say."""

    field: str
    before: Any
    after: Any


class AuthorRow(Edge, frozen=True):
    """Azure's own record of the change; null: the record does not say."""

    changed_by: str | None
    changed_by_type: str | None
    client_type: str | None
    operation: str | None
    timestamp: datetime | None
    correlation_id: str | None


class DriftDocument(Edge, frozen=True):
    """One line of `watch -o jsonl`."""

    format: Literal["patchmode/drift/v1"]
    seen_at: datetime
    """When the look that shows it was taken."""
    id: str
    change: DriftKind
    fields: tuple[MoveRow, ...]
    outcome_before: str | None
    outcome_after: str | None
    outcome_reason: str
    schedules_gained: tuple[str, ...]
    schedules_lost: tuple[str, ...]
    because: str
    """Why it went, where that is known."""
    author: AuthorRow | None
    """Null: Azure did not tell."""


def drift_document(drift: Drift, *, seen_at: datetime) -> DriftDocument:
    """The published struct for one machine's drift."""
    return DriftDocument(
        format="patchmode/drift/v1",
        seen_at=seen_at,
        id=str(drift.id),
        change=drift.kind,
        fields=tuple(MoveRow(field=move.field, before=move.before, after=move.after) for move in drift.moves),
        outcome_before=drift.outcome_before,
        outcome_after=drift.outcome_after,
        outcome_reason=drift.outcome_reason,
        schedules_gained=drift.schedules_gained,
        schedules_lost=drift.schedules_lost,
        because=drift.because,
        author=None if drift.author is None else _author_row(drift.author),
    )


def _author_row(author: ResourceChange) -> AuthorRow:
    return AuthorRow(
        changed_by=author.changed_by,
        changed_by_type=author.changed_by_type,
        client_type=author.client_type,
        operation=author.operation,
        timestamp=author.at,
        correlation_id=author.correlation_id,
    )
