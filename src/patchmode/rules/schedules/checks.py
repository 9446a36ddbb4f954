"""What the schedules that reach a machine say against its next run; nothing here stands in the way of a change.

Must not: resolve memberships or windows; the index does.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import combinations
from shlex import quote

from patchmode.model.finding import Reason
from patchmode.model.machine import Machine, MachineKind
from patchmode.model.patch_settings import Orchestration
from patchmode.model.schedule import (
    NEVER_RUN,
    MachineSchedules,
    RunForecast,
    ScheduleHit,
    Timing,
    WindowRule,
    local_text,
)
from patchmode.rules.eligibility.owner_checks import out_of_reach
from patchmode.rules.eligibility.request_checks import UNKNOWN_OS
from patchmode.rules.rule import by_id
from patchmode.rules.schedules import attaching, dynamic_scope, findings, limits, memberships, recurrence, window
from patchmode.rules.schedules.attaching import LAST_SCHEDULE, PREREQUISITE_MISSING
from patchmode.rules.schedules.events import OFF_AT_WINDOW, WINDOW_TOO_CLOSE
from patchmode.rules.schedules.findings import (
    ASSIGNED_TWICE,
    ASSIGNMENT_ORPHANED,
    EXPIRATION_EMPTY,
    NEXT_WINDOW_FAR,
    SCHEDULE_HITS_NOTHING,
    SCHEDULES_OVERLAP,
    SCHEDULES_SAME_TRIGGER,
)
from patchmode.rules.schedules.forecast import forecast, missing_of
from patchmode.rules.schedules.limits import DYNAMIC_SCOPE_LIMIT
from patchmode.rules.schedules.memberships import PLATFORM_MODE_SCHEDULE, Clash, ScheduleIndex
from patchmode.rules.schedules.recurrence import WINDOW_TOO_SHORT
from patchmode.rules.schedules.window import SCHEDULE_INSTALLS_NOTHING

_NEVER = datetime.max.replace(tzinfo=UTC)
RULES = (
    PREREQUISITE_MISSING,
    OFF_AT_WINDOW,
    *dynamic_scope.RULES,
    DYNAMIC_SCOPE_LIMIT,
    *memberships.RULES,
    *window.RULES,
    *recurrence.RULES,
    SCHEDULE_INSTALLS_NOTHING,
    NEXT_WINDOW_FAR,
    EXPIRATION_EMPTY,
    PLATFORM_MODE_SCHEDULE,
    *findings.RULES,
    *attaching.RULES,
    SCHEDULE_HITS_NOTHING,
    *limits.RULES,
    WINDOW_TOO_CLOSE,
    LAST_SCHEDULE,
)
"""Every rule about schedules, in the order in which they are reported; some speak in `patchmode schedule` alone."""
_KNOWN = by_id(*RULES)
_ORDER = {rule.id: place for place, rule in enumerate(RULES)}
_SKIPPED = frozenset({UNKNOWN_OS.id})
"""Rules of a doubt that the machine's own checks report already."""


def schedule_reasons(
    machine: Machine, schedules: MachineSchedules, index: ScheduleIndex | None = None
) -> tuple[Reason, ...]:
    """Every rule's verdict on a machine's schedules, in the order of `RULES`.

    Args:
        machine: as it stands; its own settings tell whether it is prepared.
        schedules: what reaches it, looked up or not.
        index: knows how the configurations are written and when they meet; None: neither is looked at.

    Returns:
        Empty where no schedule is known or nothing is wrong. No reason blocks.
    """
    moved = list(_moved(machine, index))
    if not schedules.hits:
        return tuple(moved)
    found = [*moved]
    found += [reason for hit in schedules.hits for reason in _of_hit(machine, hit, index)]
    found += _unprepared(machine, schedules)
    found += _far(schedules)
    found += _meetings(schedules.certain, index)
    return tuple(sorted(found, key=lambda reason: _ORDER[reason.rule]))


def _moved(machine: Machine, index: ScheduleIndex | None) -> Iterator[Reason]:
    """A machine of this name is gone elsewhere, and its assignments stand there still."""
    left = () if index is None else index.left_behind.get(machine.id, ())
    if not left:
        return
    old = left[0].machine
    names = ", ".join(sorted({f"'{entry.configuration.name}'" for entry in left}))
    place = f"resource group {old.resource_group}"
    if old.subscription_id != machine.id.subscription_id:
        place += f" of subscription {old.subscription_id}"
    yield ASSIGNMENT_ORPHANED.notes(
        f"No schedule is assigned to the machine here, but {names} to one of its name in {place}, where you see none: "
        "if it was moved from there, its assignments stayed there.",
        ", ".join(f"{entry.machine}, assignment '{entry.name}'" for entry in left),
        "\n".join(
            f"patchmode schedule attach {quote(str(entry.configuration))} --ids {quote(str(machine.id))}"
            for entry in left
        ),
    )


def _of_hit(machine: Machine, hit: ScheduleHit, index: ScheduleIndex | None) -> Iterator[Reason]:
    name = hit.configuration.name
    if hit.doubt is not None and hit.doubt_rule is not None and hit.doubt_rule not in _SKIPPED:
        message = f"Whether the schedule '{name}' reaches the machine is not certain: {hit.doubt}."
        yield _KNOWN[hit.doubt_rule].warns(message, hit.clause)
    if hit.next.rule is not None:
        rule, message = _KNOWN[hit.next.rule], f"The schedule '{name}' reaches the machine, but {hit.next.because}."
        give = rule.notes if hit.next.timing is Timing.UNSEEN else rule.warns
        yield give(message, _written(hit, index))
    yield from _of_run(machine, hit, index)
    if hit.also:
        ways = ", ".join((hit.clause, *hit.also))
        yield ASSIGNED_TWICE.notes(
            f"{1 + len(hit.also)} assignments name the schedule '{name}' for this machine; it still runs once.", ways
        )


def _of_run(machine: Machine, hit: ScheduleHit, index: ScheduleIndex | None) -> Iterator[Reason]:
    """What would fail for another cause than the prerequisite."""
    found = forecast(machine.settings, machine, hit)
    name = hit.configuration.name
    if found.rule == OFF_AT_WINDOW.id and found.result is RunForecast.MISSED:
        state = machine.surroundings.arc_status if machine.kind is MachineKind.ARC else machine.surroundings.power_state
        yield OFF_AT_WINDOW.warns(
            f"The next run of '{name}' would miss the machine: {found.reason}.",
            f"{'properties.status' if machine.kind is MachineKind.ARC else 'powerState'} = {state}",
            f"{OFF_AT_WINDOW.machine_advice}\npatchmode schedule show {quote(str(hit.configuration))}",
        )
    if found.rule == SCHEDULE_INSTALLS_NOTHING.id:
        yield SCHEDULE_INSTALLS_NOTHING.warns(
            f"Runs of '{name}' may install nothing on this machine: {found.reason}.",
            "properties.installPatches of the configuration",
        )
    if found.rule == WINDOW_TOO_SHORT.id and hit.next.rule is None:
        yield WINDOW_TOO_SHORT.warns(f"Runs of '{name}' fail: {found.reason}.", _written(hit, index))


def _unprepared(machine: Machine, schedules: MachineSchedules) -> Iterator[Reason]:
    """`prerequisite-missing`: the one that the whole tool is about."""
    if machine.kind is MachineKind.ARC or machine.orchestration is Orchestration.CUSTOMER_MANAGED_SCHEDULES:
        return
    if machine.settings is not None and machine.settings.undecided:
        return  # `odd-settings` tells of it: whether its runs fail is not known
    running = [hit for hit in schedules.certain if hit.next.timing not in NEVER_RUN]
    if not running or out_of_reach(machine) is not None:
        return
    names = ", ".join(f"'{hit.configuration.name}'" for hit in running)
    many = f"Runs of the schedules {names}" if len(running) > 1 else f"Every run of the schedule {names}"
    yield PREREQUISITE_MISSING.warns(
        f"{many} on this machine {'fail' if len(running) > 1 else 'fails'}: {missing_of(machine.settings)}.",
        "; ".join(hit.clause for hit in running),
    )


def _far(schedules: MachineSchedules) -> Iterator[Reason]:
    """The earliest window that is certain to come is far away."""
    coming = [hit for hit in schedules.certain if hit.next.window is not None]
    first = min(coming, key=lambda hit: hit.next.window.starts_at if hit.next.window else _NEVER, default=None)
    if not schedules.looked_up or first is None or first.next.wait_days is None or first.next.window is None:
        return
    name, days, local_start = first.configuration.name, first.next.wait_days, first.next.window.local_start
    why = "it begins only then" if first.next.begins_late else "it repeats that rarely"
    give = NEXT_WINDOW_FAR.warns if first.next.begins_late else NEXT_WINDOW_FAR.notes
    yield give(
        f"The next window of '{name}', and of any schedule of this machine, is in {days:,} days ({why}): nothing "
        "patches it before.",
        f"next window {local_text(local_start)}",
    )


def _meetings(hits: Sequence[ScheduleHit], index: ScheduleIndex | None) -> Iterator[Reason]:
    if index is None:
        return
    for one, other in combinations((hit for hit in hits if hit.next.timing is Timing.COMING), 2):
        clash = index.clash(one.configuration, other.configuration)
        if clash is not None:
            yield _meeting(one, other, clash)


def _meeting(one: ScheduleHit, other: ScheduleHit, clash: Clash) -> Reason:
    names = f"'{one.configuration.name}' and '{other.configuration.name}'"
    first, second = sorted((clash.first, clash.second), key=lambda window: window.starts_at)
    evidence = f"{first.starts_at:%Y-%m-%d %H:%M} UTC to {first.ends_at:%H:%M}, {second.starts_at:%H:%M} UTC to "
    evidence += f"{second.ends_at:%H:%M}"
    if clash.same_trigger:
        return SCHEDULES_SAME_TRIGGER.warns(
            f"The schedules {names} start at the same instant and install the same: Azure runs only one of them.",
            evidence,
        )
    return SCHEDULES_OVERLAP.warns(
        f"Windows of the schedules {names} overlap: they run one after the other, and the later may run out of time.",
        evidence,
    )


def _written(hit: ScheduleHit, index: ScheduleIndex | None) -> str:
    """The configuration's window as it stands there, or just its id."""
    known = None if index is None else index.configuration(hit.configuration)
    return str(hit.configuration) if known is None else f"{known.name}: {_members(known.window)}"


def _members(written: WindowRule) -> str:
    values = {
        "recurEvery": written.recur_every,
        "startDateTime": written.start,
        "expirationDateTime": written.expiration,
        "duration": written.duration,
        "timeZone": written.time_zone,
    }
    return ", ".join(f"{name} = {'(absent)' if value is None else value}" for name, value in values.items())
