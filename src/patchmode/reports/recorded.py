"""What the records of audits and runs share: facts of the target, machines left out, places that were not read.

Must not: hold what belongs to one of them.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from patchmode.model.record import Level, Meaning, RecordedFinding, RecordedMachine, Standing
from patchmode.model.resource_id import ResourceId, ResourceIdError
from patchmode.model.target import Target
from patchmode.reports.own_findings import UNREADABLE


def target_facts(target: Target) -> tuple[tuple[str, str], ...]:
    """Cloud, endpoint and tenant as facts."""
    return ("Cloud", target.cloud), ("Endpoint", target.endpoint), ("Tenant", target.tenant_id)


def when(moment: datetime | None) -> str:
    """A time for people, in UTC: `2026-11-28 04:00 UTC`."""
    return "not known" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def left_out(machine_id: str, rule: str, reason: str, findings: tuple[RecordedFinding, ...] = ()) -> RecordedMachine:
    """A machine that a filter or a rule left out."""
    place = where(machine_id)
    return RecordedMachine(
        id=machine_id,
        name=place["name"],
        group=place["resourceGroup"],
        subscription=place["subscriptionId"],
        standing=Standing.SKIPPED,
        end="skipped",
        meaning=Meaning.DIM,
        because=f"{rule}: {reason}",
        values={**place, "outcomeReason": reason},
        findings=findings,
    )


def unreadable(place_id: str, reason: str) -> RecordedMachine:
    """A machine or a subscription that could not be read, with the finding that says so."""
    place = where(place_id)
    finding = RecordedFinding(UNREADABLE.id, Level.ERROR, f"It could not be read: {reason}", "", UNREADABLE.fix)
    return RecordedMachine(
        id=place_id,
        name=place["name"],
        group=place["resourceGroup"],
        subscription=place["subscriptionId"],
        standing=Standing.UNREADABLE,
        end="unreadable",
        meaning=Meaning.BAD,
        because=reason,
        values={**place, "outcomeReason": reason, "findings": UNREADABLE.id},
        findings=(finding,),
    )


def where(any_id: str) -> Mapping[str, Any]:
    """Id, name, group and subscription as a machine's values; of a subscription the name is its id."""
    try:
        parsed = ResourceId.parse(any_id)
    except ResourceIdError:
        last = any_id.rstrip("/").rpartition("/")[2] or any_id
        return {"id": any_id, "name": last, "resourceGroup": "", "subscriptionId": last}
    return {
        "id": any_id,
        "name": parsed.name,
        "resourceGroup": parsed.resource_group,
        "subscriptionId": parsed.subscription_id,
    }
