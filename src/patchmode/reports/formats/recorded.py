"""What the records of audits and runs share: facts of the target, findings, machines left out, cells of the table."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from patchmode.model.patch_settings import Orchestration
from patchmode.model.record import Column, Level, Meaning, RecordedFinding, RecordedMachine, RecordState, RuleText
from patchmode.model.resource_id import ResourceId, ResourceIdError
from patchmode.model.target import Target, labels
from patchmode.reports.text.layout import plural

NOT_AS_WANTED = RuleText(
    "not-as-wanted",
    "the machine does not have the settings it is compared with",
    "The settings in the machine's model are not those that were named, by default Customer Managed Schedules. "
    "Whether that means that it is patched at the wrong time, or not at all, is shown by its outcome.",
    "Plan the change and read it: patchmode plan. Then apply the plan.",
    Level.WARNING,
)
UNREADABLE = RuleText(
    "unreadable",
    "the machine or subscription could not be read",
    "It is in scope and nothing is known of it, so that nobody may conclude that it is well.",
    "See what was answered; patchmode doctor names the missing permissions.",
    Level.ERROR,
)
CHANGE_FAILED = RuleText(
    "change-failed",
    "Azure refused the change, or its operation failed",
    "The machine may be as before, or show the settings after an operation that failed; the error says which.",
    "Follow the advice beside the error, then make a new plan.",
    Level.ERROR,
)
CHANGE_UNKNOWN = RuleText(
    "change-unknown",
    "the change was sent, and how it ended is not known",
    "The answer never came: it may have been applied.",
    "Resume the run: `patchmode runs resume`. It reads before it sends.",
    Level.ERROR,
)
CHANGE_STALE = RuleText(
    "change-stale",
    "the machine changed since the plan, so the run changed nothing on it",
    "Somebody or something changed the machine between plan and apply; the error names the field.",
    "Make a new plan.",
    Level.ERROR,
)
CHANGE_NOT_SENT = RuleText(
    "change-not-sent",
    "the change was not begun",
    "The run was stopped, its failure budget was spent, or the machine could not be read first.",
    "Resume the run: `patchmode runs resume`.",
    Level.WARNING,
)
NOT_AS_PLANNED = RuleText(
    "not-as-planned",
    "a verification found the machine otherwise than planned",
    "What Azure Resource Manager returned afterwards differs from the plan: in the settings, or in another property.",
    "Compare the properties named; patchmode plan shows what a new change would do.",
    Level.ERROR,
)
SCHEDULE_NOT_AS_PLANNED = RuleText(
    "schedule-not-as-planned",
    "attaching or detaching the schedule did not end as planned",
    "The machine's settings and its schedule do not fit together as the plan meant them to.",
    "Follow the advice beside the error; `patchmode runs resume` does what is left.",
    Level.ERROR,
)

OWN_RULES = {
    rule.id: rule
    for rule in (
        NOT_AS_WANTED,
        UNREADABLE,
        CHANGE_FAILED,
        CHANGE_UNKNOWN,
        CHANGE_STALE,
        CHANGE_NOT_SENT,
        NOT_AS_PLANNED,
        SCHEDULE_NOT_AS_PLANNED,
    )
}
"""Id → its words."""


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
        standing=RecordState.SKIPPED,
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
        standing=RecordState.UNREADABLE,
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
            name=one.name if one.group or not one.subscription else called.get(one.name.lower(), one.name),
            subscription=called[one.subscription.lower()] if one.subscription else "",
            values={**one.values, "subscriptionName": known.get(one.subscription.lower())},
        )
        for one in listed
    )


def subscriptions_fact(machines: Sequence[RecordedMachine]) -> tuple[str, str]:
    """How many machines of each subscription there are, as a fact: `Production: 12 machines`; the most first."""
    counts = Counter(one.subscription or "not known" for one in machines)
    order = sorted(counts.items(), key=lambda item: (-item[1], item[0].casefold()))
    text = ", ".join(f"{name}: {plural(count, 'machine')}" for name, count in order[:SUBSCRIPTIONS_SHOWN])
    more = len(order) - SUBSCRIPTIONS_SHOWN
    return "Subscriptions", (text or "(none)") + (f" and {plural(more, 'more subscription')}" if more > 0 else "")


def where(any_id: str) -> Mapping[str, Any]:
    """Id, name, group and subscription as a machine's values; of a subscription the name is its id."""
    try:
        parsed = ResourceId.parse(any_id)
    except ResourceIdError:
        if not any_id.startswith("/"):  # a name that no machine has, a row that names none
            return {"id": any_id, "name": any_id, "resourceGroup": "", "subscriptionId": ""}
        last = any_id.rstrip("/").rpartition("/")[2] or any_id
        return {"id": any_id, "name": last, "resourceGroup": "", "subscriptionId": last}
    return {
        "id": any_id,
        "name": parsed.name,
        "resourceGroup": parsed.resource_group,
        "subscriptionId": parsed.subscription_id,
    }


_ENDS = ("outcome", "result")


def named_value(machine: RecordedMachine, column: Column) -> Any:
    """The cell's value for people: an orchestration by the portal's name; programs read the record's own."""
    value = machine.values.get(column.name)
    return Orchestration(value).portal_name if column.name == "orchestration" and value else value


def shown_text(machine: RecordedMachine, column: Column) -> str:
    """The cell's text; empty where nothing is known."""
    value = named_value(machine, column)
    if value is None:
        # A machine that was left out has no outcome; that it was left out is what there is to say.
        return machine.end if column.name in _ENDS else ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"
    return str(value)
