"""What the records of audits and runs share: facts of the target, machines left out, places that were not read.

Must not: hold what belongs to one of them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from patchmode.model.record import Level, Meaning, RecordedFinding, RecordedMachine, Standing
from patchmode.model.resource_id import ResourceId, ResourceIdError
from patchmode.model.subscription_names import labels
from patchmode.model.target import Target
from patchmode.reports.headings import plural
from patchmode.reports.own_findings import UNREADABLE

SUBSCRIPTIONS_SHOWN = 20


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


def named(machines: Iterable[RecordedMachine], target: Target) -> tuple[RecordedMachine, ...]:
    """The machines with what their subscriptions are called.

    Args:
        machines: their `subscription` is an id.
        target: has the names.

    Returns:
        `subscription` is the label that tells it apart from the others; `subscriptionName` among the values is the name
        as Azure gave it, left out where that is not known.
    """
    listed = tuple(machines)
    known = dict(target.names.pairs)
    called = labels(target.names, (one.subscription for one in listed))
    return tuple(
        replace(
            one,
            # A subscription that could not be read has its id for a name.
            name=one.name if one.group else called.get(one.name.lower(), one.name),
            subscription=called[one.subscription.lower()],
            values={**one.values, "subscriptionName": known.get(one.subscription.lower())},
        )
        for one in listed
    )


def subscriptions_fact(machines: Sequence[RecordedMachine]) -> tuple[str, str]:
    """How many machines of each subscription there are, as a fact: `Production: 12 machines`; the most first."""
    counts = Counter(one.subscription for one in machines)
    order = sorted(counts.items(), key=lambda item: (-item[1], item[0].casefold()))
    text = ", ".join(f"{name}: {plural(count, 'machine')}" for name, count in order[:SUBSCRIPTIONS_SHOWN])
    more = len(order) - SUBSCRIPTIONS_SHOWN
    return "Subscriptions", (text or "(none)") + (f" and {plural(more, 'more subscription')}" if more > 0 else "")


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
