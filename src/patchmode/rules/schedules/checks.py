"""What the schedules that reach a machine say against its next run; nothing here stands in the way of a change.

Must not: resolve memberships or windows; the index does.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import combinations
from shlex import quote

from patchmode.model.finding import Reason, Severity
from patchmode.model.machine import Machine, MachineKind
from patchmode.model.patch_settings import Orchestration
from patchmode.model.schedule import MachineSchedules, RunForecast, ScheduleHit, Timing, WindowRule
from patchmode.rules.eligibility.registry import RULE_ORDER
from patchmode.rules.eligibility.workload import out_of_reach
from patchmode.rules.schedules.findings import CONTENTS_FIX, FAR, PLATFORM_FIX
from patchmode.rules.schedules.forecast import forecast, missing_of
from patchmode.rules.schedules.limits import SCOPE_LIMIT
from patchmode.rules.schedules.memberships import Clash, ScheduleIndex
from patchmode.rules.schedules.window import INSTALLS_NOTHING

_NEVER = datetime.max.replace(tzinfo=UTC)
_NEVER_RUN = frozenset({Timing.OVER, Timing.NEVER, Timing.MISSING})
_FIXES = {
    "tag-case": "Write the tag exactly as the filter has it.",
    "unknown-filter-member": "Look in the portal whether the schedule lists the machine, or use a newer patchmode.",
    SCOPE_LIMIT: "Narrow the filter, and add a second dynamic scope for the rest.",
    "configuration-missing": "Detach it, or make the configuration anew under the same id.",
    "configuration-unseen": "Ask for Reader on the configuration, or look at it with an account that has it.",
    "unknown-time-zone": "Give the configuration the name of a Windows time zone, such as W. Europe Standard Time.",
    "unreadable-recurrence": "Write its window as Microsoft documents it: Day, 2Weeks Saturday, Month Third Sunday.",
    "window-never-comes": "Give it a recurrence that names days which exist.",
    "schedule-expired": "Give it a later expiration, or detach it.",
    "recurrence-unconfirmed": "Write it so that it can be read in one way only, or look at the portal's next run.",
    "platform-mode-schedule": PLATFORM_FIX,
    INSTALLS_NOTHING: CONTENTS_FIX,
    "window-too-short": "Give it at least 01:30, the least that Azure accepts.",
}
_ANEW = "Write the schedule anew (patchmode schedule create … --replace), or detach it."
_SKIPPED = frozenset({"unknown-os"})
"""Rules of a doubt that the machine's own checks report already."""


def schedule_reasons(
    machine: Machine, schedules: MachineSchedules, index: ScheduleIndex | None = None
) -> tuple[Reason, ...]:
    """Every rule's verdict on a machine's schedules, in the registry's order.

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
    return tuple(sorted(found, key=lambda reason: RULE_ORDER[reason.rule]))


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
    yield Reason(
        "assignment-orphaned",
        Severity.NOTES,
        f"No schedule is assigned to the machine here, but {names} to one of its name in {place}, where you see none: "
        "if it was moved from there, its assignments did not come along.",
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
        yield Reason(hit.doubt_rule, Severity.WARNS, message, hit.clause, _FIXES.get(hit.doubt_rule, _ANEW))
    if hit.next.rule is not None:
        severity = Severity.NOTES if hit.next.timing is Timing.UNSEEN else Severity.WARNS
        message = f"The schedule '{name}' reaches the machine, but {hit.next.because}."
        yield Reason(hit.next.rule, severity, message, _written(hit, index), _FIXES.get(hit.next.rule, _ANEW))
    yield from _of_run(machine, hit, index)
    if hit.also:
        ways = ", ".join((hit.clause, *hit.also))
        yield Reason(
            "assigned-twice",
            Severity.NOTES,
            f"{1 + len(hit.also)} assignments name the schedule '{name}' for this machine; it still runs once.",
            ways,
            "Nothing to do, but detaching one of them would not detach the schedule.",
        )


def _of_run(machine: Machine, hit: ScheduleHit, index: ScheduleIndex | None) -> Iterator[Reason]:
    """What would fail for another cause than the prerequisite."""
    found = forecast(machine.settings, machine, hit)
    name = hit.configuration.name
    if found.rule == "off-at-window" and found.result is RunForecast.MISSED:
        state = machine.surroundings.arc_status if machine.kind is MachineKind.ARC else machine.surroundings.power_state
        yield Reason(
            "off-at-window",
            Severity.WARNS,
            f"The next run of '{name}' would miss the machine: {found.reason}.",
            f"{'properties.status' if machine.kind is MachineKind.ARC else 'powerState'} = {state}",
            "Have it running at least 15 minutes before its maintenance window.",
        )
    if found.rule == INSTALLS_NOTHING:
        yield Reason(
            INSTALLS_NOTHING,
            Severity.WARNS,
            f"Runs of '{name}' may install nothing on this machine: {found.reason}.",
            "properties.installPatches of the configuration",
            CONTENTS_FIX,
        )
    if found.rule == "window-too-short" and hit.next.rule is None:
        yield Reason(
            "window-too-short",
            Severity.WARNS,
            f"Runs of '{name}' fail: {found.reason}.",
            _written(hit, index),
            _FIXES["window-too-short"],
        )


def _unprepared(machine: Machine, schedules: MachineSchedules) -> Iterator[Reason]:
    """`prerequisite-missing`: the one that the whole tool is about."""
    if machine.kind is MachineKind.ARC or machine.orchestration is Orchestration.CUSTOMER_MANAGED_SCHEDULES:
        return
    if machine.settings is not None and machine.settings.undecided:
        return  # `odd-settings` tells of it: whether its runs fail is not known
    running = [hit for hit in schedules.certain if hit.next.timing not in _NEVER_RUN]
    if not running or out_of_reach(machine) is not None:
        return
    names = ", ".join(f"'{hit.configuration.name}'" for hit in running)
    many = f"Runs of the schedules {names}" if len(running) > 1 else f"Every run of the schedule {names}"
    yield Reason(
        "prerequisite-missing",
        Severity.WARNS,
        f"{many} on this machine {'fail' if len(running) > 1 else 'fails'}: {missing_of(machine.settings)}.",
        "; ".join(hit.clause for hit in running),
        "Set it to customer-managed-schedules: plan it, then apply the plan.",
    )


def _far(schedules: MachineSchedules) -> Iterator[Reason]:
    """The earliest window that is certain to come is far away."""
    coming = [hit for hit in schedules.certain if hit.next.window is not None]
    first = min(coming, key=lambda hit: hit.next.window.starts_at if hit.next.window else _NEVER, default=None)
    if not schedules.looked_up or first is None or first.next.wait_days is None or first.next.window is None:
        return
    name, days, window = first.configuration.name, first.next.wait_days, first.next.window
    why = "it begins only then" if first.next.begins_late else "it repeats that rarely"
    yield Reason(
        FAR,
        Severity.WARNS if first.next.begins_late else Severity.NOTES,
        f"The next window of '{name}', and of any schedule of this machine, is in {days:,} days ({why}): nothing "
        "patches it before.",
        f"next window {window.local_start:%Y-%m-%d %H:%M %Z}",
        "If that is not meant, give the schedule an earlier start, or attach another one.",
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
        return Reason(
            "schedules-same-trigger",
            Severity.WARNS,
            f"The schedules {names} start at the same instant and install the same: only one of them fires.",
            evidence,
            "Detach one of them, or let them start at different times.",
        )
    return Reason(
        "schedules-overlap",
        Severity.WARNS,
        f"Windows of the schedules {names} overlap: they run one after the other, and the later may run out of time.",
        evidence,
        "Move one of them, or detach it from this machine.",
    )


def _written(hit: ScheduleHit, index: ScheduleIndex | None) -> str:
    """The configuration's window as it stands there, or just its id."""
    known = None if index is None else index.configuration(hit.configuration)
    return str(hit.configuration) if known is None else f"{known.name}: {_members(known.window)}"


def _members(window: WindowRule) -> str:
    values = {
        "recurEvery": window.recur_every,
        "startDateTime": window.start,
        "expirationDateTime": window.expiration,
        "duration": window.duration,
        "timeZone": window.time_zone,
    }
    return ", ".join(f"{name} = {'(absent)' if value is None else value}" for name, value in values.items())
