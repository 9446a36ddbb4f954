"""What moved between two looks, and which of Azure's records of changes tells who moved it.

Must not: take for a change what was merely not read, or name anybody whom no record names for this very change.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from patchmode.model.drift import Drift, DriftKind, Look, MachineLook, Move, ResourceChange
from patchmode.model.finding import MachineAudit
from patchmode.model.patch_settings import PatchSettings
from patchmode.model.report import AuditReport
from patchmode.model.resource_id import ResourceId

FIELDS = ("orchestration", "patchMode", "bypass", "assessmentMode", "rebootSetting", "hotpatch")
"""What is compared, by its name in the audit; the outcome and the schedules are compared beside these."""
_MEMBERS = {
    "patchMode": "patchmode",
    "bypass": "bypassplatformsafetychecksonuserschedule",
    "assessmentMode": "assessmentmode",
    "rebootSetting": "rebootsetting",
    "hotpatch": "enablehotpatching",
}
"""Field → the member of `patchSettings` that a record of a change names, in lower case."""
_PARENTS = {"bypass": "automaticbyplatformsettings", "rebootSetting": "automaticbyplatformsettings"}
_ALL = "patchsettings"
_ASSIGNED = "/providers/microsoft.maintenance/"
_EARLIEST = datetime.min.replace(tzinfo=UTC)


def look_of(report: AuditReport) -> Look:
    """An audit, reduced to what drift is about."""
    return Look(
        target=report.target,
        scope=report.scope,
        machines={entry.machine.id.key: _machine_look(entry) for entry in report.machines},
        filtered={skipped.id.key: skipped.reason for skipped in report.skipped},
        unreadable=tuple(entry.id for entry in report.unreadable),
        taken_at=report.created_at,
    )


def _machine_look(entry: MachineAudit) -> MachineLook:
    machine, settings = entry.machine, entry.machine.settings or PatchSettings()
    values: dict[str, Any] = {
        "orchestration": machine.orchestration.value,
        "patchMode": settings.patch_mode,
        "bypass": settings.bypass,
        "assessmentMode": settings.assessment_mode,
        "rebootSetting": settings.reboot_setting,
        "hotpatch": settings.hotpatch,
    }
    found = entry.schedules
    schedules = {hit.configuration.key: str(hit.configuration) for hit in found.hits} if found.looked_up else None
    return MachineLook(machine.id, values, entry.outcome.kind.value, entry.outcome.reason, schedules)


def drifts(before: Look, after: Look) -> tuple[Drift, ...]:
    """Every machine that is not as it was, ordered by id.

    Args:
        before: the look to compare with.
        after: the new look. A machine that is missing in it although its subscription, or it, could not be read has not
            gone: nothing is known of it.
    """
    found: list[Drift] = []
    for key in sorted({*before.machines, *after.machines}):
        old, new = before.machines.get(key), after.machines.get(key)
        if old is None:
            assert new is not None  # noqa: S101 - a key of one of the two, for the type checker
            if not _is_unread(new.id, before):
                found.append(_came(new))
        elif new is not None:
            moved = _moved(old, new)
            found += [moved] if moved else []
        elif not _is_unread(old.id, after):
            found.append(
                Drift(
                    old.id,
                    DriftKind.WENT,
                    outcome_before=old.outcome,
                    because=after.filtered.get(key, ""),
                )
            )
    return tuple(found)


def carried(before: Look, after: Look) -> Look:
    """What the next look is compared with: the new one, and of what could not be read now, the old one.

    So a change that happens while something cannot be read is told once it can be read again.
    """
    machines = dict(after.machines)
    for key, old in before.machines.items():
        new = machines.get(key)
        if new is None:
            if _is_unread(old.id, after):
                machines[key] = old
        elif new.schedules is None and old.schedules is not None:
            machines[key] = _with_schedules_of(old, new)
    still = tuple(entry for entry in after.unreadable if entry.casefold() not in machines)
    return replace(after, machines=machines, unreadable=still)


def with_authors(found: Iterable[Drift], changes: Iterable[ResourceChange]) -> tuple[Drift, ...]:
    """Drifts with the record of the change that made each, as far as one names it.

    A record counts for a machine when it is of that machine and names a setting that moved, or is of its creation, its
    deletion or an assignment on it. Of several the latest counts; where none does, nobody is named.
    """
    by_resource: dict[str, list[ResourceChange]] = defaultdict(list)
    for change in changes:
        key = change.resource_id.casefold()
        by_resource[key.partition(_ASSIGNED)[0]].append(change)
    return tuple(replace(one, author=_author(one, by_resource.get(one.id.key, ()))) for one in found)


def _author(drift: Drift, changes: Iterable[ResourceChange]) -> ResourceChange | None:
    fitting = [change for change in changes if _fits(drift, change)]
    return max(fitting, key=lambda change: change.at or _EARLIEST, default=None)


def _fits(drift: Drift, change: ResourceChange) -> bool:
    kind = (change.change_type or "").casefold()
    if _ASSIGNED in change.resource_id.casefold():
        return bool(drift.schedules_gained and kind == "create") or bool(drift.schedules_lost and kind == "delete")
    match drift.kind:
        case DriftKind.CAME:
            return kind == "create"
        case DriftKind.WENT:
            return kind == "delete"
        case DriftKind.CHANGED:
            moved = {move.field for move in drift.moves}
            names = {_MEMBERS[field] for field in moved & _MEMBERS.keys()}
            names |= {_PARENTS[field] for field in moved & _PARENTS.keys()}
            return any(_ends_in(path, names) for path in change.paths)


def _ends_in(path: str, names: set[str]) -> bool:
    last = path.casefold().rpartition(".")[2]
    return last in names or (bool(names) and last == _ALL)


def _came(new: MachineLook) -> Drift:
    gained = tuple((new.schedules or {}).values())
    return Drift(
        new.id,
        DriftKind.CAME,
        outcome_after=new.outcome,
        outcome_reason=new.outcome_reason,
        schedules_gained=gained,
    )


def _moved(old: MachineLook, new: MachineLook) -> Drift | None:
    if new.schedules is None and old.schedules is not None:
        # This time they could not be looked up, so nothing can be said of them, nor of what follows from them.
        new = _with_schedules_of(old, new)
    moves = tuple(
        Move(field, old.settings.get(field), new.settings.get(field))
        for field in FIELDS
        if not _same(old.settings.get(field), new.settings.get(field))
    )
    gained, lost = _gained(old, new), _gained(new, old)
    # An outcome that was told without knowing the schedules is no measure for one that is told with them.
    is_other = old.outcome != new.outcome and (old.schedules is not None or new.schedules is None)
    if not moves and not gained and not lost and not is_other:
        return None
    return Drift(
        new.id,
        DriftKind.CHANGED,
        moves,
        old.outcome,
        new.outcome,
        new.outcome_reason,
        schedules_gained=gained,
        schedules_lost=lost,
    )


def _with_schedules_of(old: MachineLook, new: MachineLook) -> MachineLook:
    return replace(new, schedules=old.schedules, outcome=old.outcome, outcome_reason=old.outcome_reason)


def _gained(old: MachineLook, new: MachineLook) -> tuple[str, ...]:
    if old.schedules is None or new.schedules is None:
        return ()
    return tuple(text for key, text in new.schedules.items() if key not in old.schedules)


def _same(left: Any, right: Any) -> bool:
    """Enumerations ignore case, as the service does."""
    if isinstance(left, str) and isinstance(right, str):
        return left.casefold() == right.casefold()
    return type(left) is type(right) and bool(left == right)


def _is_unread(machine_id: ResourceId, look: Look) -> bool:
    """Whether a look could not read a machine, or the subscription or group that it is in."""
    return any(_holds(entry, machine_id) for entry in look.unreadable)


def _holds(entry: str, machine_id: ResourceId) -> bool:
    place = entry.strip().rstrip("/").casefold()
    # Anything that is no place below a subscription, such as a management group, may hold any machine.
    return machine_id.key == place or machine_id.key.startswith(f"{place}/") or not place.startswith("/subscriptions/")
