"""The fleet as the console keeps it: one small row a machine, made from an audit.

What an audit holds of a machine takes several kilobytes; a row shares its texts with those of other machines, so that
100,000 of them fit beside everything else.

Must not: judge. Outcomes, rules and schedules are the audit's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from patchmode.documents.audit import audit_machine_row
from patchmode.model.access import Principals
from patchmode.model.finding import MachineAudit
from patchmode.model.left_alone import Skipped, Unreadable
from patchmode.model.machine import MachineKind
from patchmode.model.outcome import Headline, OutcomeKind, Readiness
from patchmode.model.patch_settings import Orchestration
from patchmode.model.report import AuditReport
from patchmode.model.target import Target


@dataclass(frozen=True, slots=True)
class ScheduleNote:
    """A configuration that reaches a machine, as far as a table shows it."""

    id: str
    name: str
    via: str
    timing: str
    next_window: datetime | None
    local_start: str | None
    is_certain: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One machine."""

    id: str
    name: str
    subscription_id: str
    resource_group: str
    location: str
    os: str
    """`Windows`, `Linux`; empty: not known."""
    kind: MachineKind
    orchestration: Orchestration
    outcome: OutcomeKind
    readiness: Readiness
    outcome_reason: str
    is_as_wanted: bool
    eligible: bool
    rules: tuple[str, ...]
    """Ids of the rules that say something, in the audit's order."""
    schedules: tuple[ScheduleNote, ...]
    """The next to run first."""
    schedules_known: bool
    tags: tuple[tuple[str, str], ...]
    folded: str
    """Group and name in lower case, for searching."""
    settings: tuple[Any, ...]
    """`patchMode`, `bypass`, `assessmentMode`, `rebootSetting`, `hotpatch`, `powerState`, as in the audit."""

    @property
    def next_schedule(self) -> ScheduleNote | None:
        """The next to run of the schedules that certainly reach it; None: none does."""
        return next((one for one in self.schedules if one.is_certain), None)

    @property
    def next_window(self) -> datetime | None:
        """When that one runs; None: that is not known, or there is none."""
        first = self.next_schedule
        return None if first is None else first.next_window


SETTINGS = ("patch_mode", "bypass", "assessment_mode", "reboot_setting", "hotpatch", "power_state")
"""The members of an audit's machine that `Row.settings` holds."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """One audit, in rows."""

    target: Target
    principals: Principals
    scope: tuple[str, ...]
    rows: tuple[Row, ...]
    """Ordered by id."""
    by_key: Mapping[str, int]
    """Id in lower case → place in `rows`."""
    subscriptions: Mapping[str, str]
    """Id in lower case → what it is called, unlike every other."""
    headline: Headline
    readiness: Mapping[Readiness, int]
    """As the audit counts it."""
    skipped: tuple[Skipped, ...]
    unreadable: tuple[Unreadable, ...]
    notes: tuple[str, ...]

    def row(self, machine_id: str) -> Row | None:
        """The row of a machine, its id in any case; None: it is not in the audit."""
        place = self.by_key.get(machine_id.casefold())
        return None if place is None else self.rows[place]

    def subscription_name(self, subscription_id: str) -> str:
        """What people call a subscription; its id where its name is not known."""
        return self.subscriptions.get(subscription_id.lower(), subscription_id)


def make_fleet(report: AuditReport, principals: Principals, subscriptions: Mapping[str, str]) -> Fleet:
    """An audit in rows; the audit itself is not kept.

    Args:
        report: the audit.
        principals: who read it.
        subscriptions: id in lower case → what it is called.
    """
    rows = tuple(_rows(report))
    return Fleet(
        target=report.target,
        principals=principals,
        scope=report.scope,
        rows=rows,
        by_key={row.id.casefold(): place for place, row in enumerate(rows)},
        subscriptions=subscriptions,
        headline=report.headline,
        readiness=report.readiness,
        skipped=report.skipped,
        unreadable=report.unreadable,
        notes=report.notes,
    )


def _rows(report: AuditReport) -> Iterable[Row]:
    known: dict[Any, Any] = {}

    def shared(value: Any) -> Any:
        """The first value that equals this one, so that equal ones take room once."""
        return known.setdefault((type(value), value), value)

    for entry in report.machines:
        yield _row(entry, shared)


def _row(entry: MachineAudit, shared: Any) -> Row:
    found = audit_machine_row(entry)
    notes = (
        ScheduleNote(
            shared(one.id),
            shared(one.name),
            one.via,
            one.timing.value,
            one.next_window,
            one.local_start,
            one.doubt is None,
        )
        for one in found.schedules
    )
    return Row(
        id=found.id,
        name=found.name,
        subscription_id=shared(found.subscription_id),
        resource_group=shared(found.resource_group),
        location=shared(found.location),
        os=found.os.value if found.os else "",
        kind=found.kind,
        orchestration=found.orchestration,
        outcome=found.outcome,
        readiness=entry.readiness,
        outcome_reason=shared(found.outcome_reason),
        is_as_wanted=found.as_wanted,
        eligible=found.eligible,
        rules=shared(tuple(reason.rule for reason in found.reasons)),
        schedules=shared(tuple(map(shared, notes))),
        schedules_known=found.schedules_known,
        tags=shared(tuple(sorted((shared(key), shared(value)) for key, value in entry.machine.tags.items()))),
        folded=f"{found.resource_group}/{found.name}".casefold(),
        settings=shared(tuple(getattr(found, member) for member in SETTINGS)),
    )


def export_row(row: Row, names: Mapping[str, str]) -> dict[str, Any]:
    """One row with the members of the audit's CSV, as JSON values: the same machine gives the same line.

    Args:
        row: of the fleet.
        names: subscription id in lower case → display name as Azure gave it.
    """
    values = {
        "id": row.id,
        "name": row.name,
        "subscriptionId": row.subscription_id,
        "resourceGroup": row.resource_group,
        "location": row.location,
        "os": row.os or None,
        "kind": row.kind,
        "orchestration": row.orchestration,
        **dict(
            zip(
                ("patchMode", "bypass", "assessmentMode", "rebootSetting", "hotpatch", "powerState"),
                row.settings,
                strict=True,
            )
        ),
        "asWanted": row.is_as_wanted,
        "eligible": row.eligible,
        "reasons": [{"rule": rule} for rule in row.rules],
        "schedules": [
            {"name": one.name, "via": one.via, "nextWindow": one.next_window, "timing": one.timing}
            for one in row.schedules
        ],
        "outcome": row.outcome,
        "outcomeReason": row.outcome_reason,
        "schedulesKnown": row.schedules_known,
        "subscriptionName": names.get(row.subscription_id),
        "readiness": row.readiness,
    }
    made: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(values))
    return made
