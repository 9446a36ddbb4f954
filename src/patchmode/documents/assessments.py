"""What the last assessment of a machine found, as `schedule show` and `explain` publish it."""

from datetime import datetime

from patchmode.documents.base import Edge
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import Assessment


class PendingRow(Edge, frozen=True):
    """What the last assessment of one machine found; null where it is not known."""

    id: str
    status: str | None
    """As Azure words it; null: no assessment is on record, which is not the same as never assessed."""
    assessed_at: datetime | None
    critical: int | None
    security: int | None
    other: int | None
    """Of all other classifications together."""
    reboot_pending: bool | None


def pending_row(machine: ResourceId, found: Assessment | None) -> PendingRow:
    """One machine's, or its lack of a record."""
    critical, security, other = (found.counts if found else None) or (None, None, None)
    return PendingRow(
        id=str(machine),
        status=found.status if found else None,
        assessed_at=found.assessed_at if found else None,
        critical=critical,
        security=security,
        other=other,
        reboot_pending=found.reboot_pending if found else None,
    )
