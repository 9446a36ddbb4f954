"""What a schedule's pre-event changes: whether a machine that is off may be started, and how soon a change counts.

Must not: read anything. Where events were not looked up, or not all could be read, nothing is concluded from none being
found.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from patchmode.model.machine import Machine, MachineKind
from patchmode.model.maintenance_events import EventKind, ScheduleEvents, pre_event_names
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import FailureKind, Forecast, MachineRun, RunForecast
from patchmode.rules.eligibility.advisory_checks import is_off
from patchmode.rules.rule import NOTES, WARNS, Rule

TOO_CLOSE = timedelta(minutes=15)
"""Source: Microsoft's article on maintenance configurations asks for any change to be 15 minutes before the run."""
TOO_CLOSE_FOR_PRE_EVENT = timedelta(minutes=40)
"""Source: Microsoft, "About pre and post events", its timeline: the pre-event is sent 30 to 40 minutes before the run,
and machines and scopes can be changed until then; creating or editing a schedule with a pre-event later leads to
"auto-cancellation of the current scheduled run"."""
_REGULARLY = 2
"""Runs in a row; ours. One may be an accident."""
_NAMED = 5
_ARC_AWAY = frozenset({"disconnected", "expired"})


def away(machine: Machine, events: ScheduleEvents | None) -> Forecast | None:
    """What becomes of a machine that is off, or whose Arc agent is not connected; None: it is neither.

    Args:
        machine: as it was read.
        events: of the schedule that reaches it; None: they were not looked up.
    """
    around = machine.surroundings
    if machine.kind is MachineKind.ARC:
        if (around.arc_status or "").casefold() not in _ARC_AWAY:
            return None
        state, verb, condition = (around.arc_status or "").lower(), "connect", "it connects before"
    elif is_off(machine):
        state, verb, condition = around.power_state or "off", "start", "it runs 15 minutes before"
    else:
        return None
    names = "" if events is None else pre_event_names(events)
    if names:
        reason = f"it is {state} now, and the pre-event {names} of the schedule may {verb} it before the window"
        return Forecast(RunForecast.UNKNOWN, reason, OFF_AT_WINDOW.id)
    reason = f"it is {state} now and would be missed, unless {condition}"
    if events is not None:
        reason += (
            f"; whether a pre-event of the schedule would {verb} it could not be read"
            if events.refusal
            else f"; no pre-event of the schedule would {verb} it, because it has none"
        )
    return Forecast(RunForecast.MISSED, reason, OFF_AT_WINDOW.id)


def too_close(starts_at: datetime, now: datetime, events: ScheduleEvents | None) -> str | None:
    """What to know of a window that starts too soon for a change to count, a sentence's rest after "starts in".

    Args:
        starts_at: aware.
        now: aware.
        events: of the schedule; None: they were not looked up, so it may have a pre-event.

    Returns:
        For example `10 minutes: a change now may not count for it`; None: there is time enough.
    """
    left = starts_at - now
    if left >= TOO_CLOSE_FOR_PRE_EVENT:
        return None
    minutes = max(0, int(left.total_seconds() // 60))
    begin = f"{minutes} minute{'' if minutes == 1 else 's'}"
    if events is not None and events.of(EventKind.PRE):
        return (
            f"{begin}, and it has a pre-event ({pre_event_names(events)}), for which Azure needs 40 minutes: other "
            "machines or dynamic scopes count only from the window after it, and if the schedule itself is changed "
            "now, Azure cancels the run in this window"
        )
    if left < TOO_CLOSE:
        return f"{begin}: a change now may not count for it"
    if events is None or events.refusal:
        return (
            f"{begin}. Whether it has a pre-event {'was not looked up' if events is None else 'could not be read'}; "
            "with one, Azure needs 40 minutes: a change now would not count for this window, or cancel it"
        )
    return None


def regularly_off(runs: Iterable[MachineRun]) -> Mapping[ResourceId, tuple[ResourceId, ...]]:
    """The machines that were off, or whose agent did not answer, in each of their last two recorded runs.

    Args:
        runs: in any order; those that the record does not date, or of no known schedule, are left out.

    Returns:
        Schedule → its machines, ordered by id; without schedules that have none.
    """
    by_member: dict[tuple[ResourceId, ResourceId], list[tuple[datetime, bool]]] = defaultdict(list)
    for run in runs:
        if run.configuration is not None and run.started_at is not None:
            is_off = run.failure is FailureKind.OFF
            by_member[run.configuration, run.machine].append((run.started_at, is_off))
    found: dict[ResourceId, list[ResourceId]] = defaultdict(list)
    for (configuration, machine), ends in by_member.items():
        last = [is_off for _, is_off in sorted(ends)[-_REGULARLY:]]
        if len(last) == _REGULARLY and all(last):
            found[configuration].append(machine)
    return {configuration: tuple(sorted(machines)) for configuration, machines in sorted(found.items())}


def regularly_off_texts(runs: Iterable[MachineRun], events: Mapping[ResourceId, ScheduleEvents]) -> tuple[str, ...]:
    """Of each schedule that regularly misses machines: what would start them.

    Args:
        runs: as for `regularly_off`.
        events: of the schedules; one that is left out was not looked up, for example because it was deleted.
    """
    texts = []
    for configuration, machines in regularly_off(runs).items():
        many = "1 machine was" if len(machines) == 1 else f"{len(machines):,} machines were"
        known = events.get(configuration)
        if known is not None and known.of(EventKind.PRE):
            why = f"although it has a pre-event ({pre_event_names(known)}): check what its receiver starts"
        elif known is None or known.refusal:
            why = "and whether it has a pre-event that would start them is not known"
        else:
            why = "and it has no pre-event that would start them"
        names = ", ".join(one.name for one in machines[:_NAMED])
        more = f" and {len(machines) - _NAMED:,} more" if len(machines) > _NAMED else ""
        texts.append(
            f"{many} off, or without an answer of the agent, in both of the last two recorded runs of "
            f"'{configuration.name}', {why}: {names}{more}."
        )
    return tuple(texts)


# ------------------------------------------------------------------------------------------------ rules

OFF_AT_WINDOW = Rule(
    "off-at-window",
    "the machine is off, and its next window would miss it",
    (*WARNS, *NOTES),
    """
    What: A schedule reaches the machine, and the machine is off now, or its Arc agent is not connected.
    Severity: Warns. Where the schedule has a pre-event, which may start the machine, `schedule check`, `schedule list`
    and `schedule show` note it, and its next run is `unknown`.
    Why: A run does not start machines: it ends with `ShutdownOrUnresponsive`, and the machine is not patched in that
    window. A pre-event of the schedule (an Event Grid subscription to `Microsoft.Maintenance.PreMaintenanceEvent`) can
    start it before; what its receiver does cannot be read. `audit`, `plan` and `explain` do not look for pre-events;
    the commands of `schedule` do, and say where the schedule has none, or where that could not be read.
    Evidence: The power state, or `properties.status` of an Arc server.
    Fix: Make sure that it runs at least 15 minutes before its maintenance window. `schedule show` shows the schedule's
    pre-events.
    Source: Azure's documentation of maintenance configurations, "Troubleshoot issues with Azure Update Manager", "About
    pre and post events", and "Azure Maintenance Configuration as an Event Grid source".
    """,
    machine_fix="Make sure that it runs at least 15 minutes before its maintenance window. Whether the schedule has a "
    "pre-event that may start it:",
    schedule_fix="Start them, or connect their Arc agent, at least 15 minutes before the window, for example by a "
    "pre-event of the schedule; or accept that they are missed.",
)
MAY_BE_STARTED = (
    "Check in the pre-event's receiver that it starts these machines: that cannot be read here. `patchmode schedule "
    "failures` shows whether earlier runs missed them."
)
"""The remedy of `off-at-window` where a pre-event may start them."""

WINDOW_TOO_CLOSE = Rule(
    "window-too-close",
    "the next window starts too soon for a change to take effect",
    WARNS,
    """
    What: The next window starts in less than 15 minutes, or in less than 40 where the schedule has a pre-event or
    that is not known.
    Severity: Warns in `schedule check`, `schedule create`, `schedule update`, `schedule delete`, `schedule attach` and
    `schedule detach`.
    Why: A change of machines or schedules that late may not take effect in it. With a pre-event, which is sent 30 to 40
    minutes before the window, other machines and scopes count for the window after it, and Azure cancels the run if the
    schedule itself is changed.
    Evidence: The window's start, the time now, and the pre-events.
    Fix: Wait for the window after it, or change its start.
    Source: Azure's documentation of maintenance configurations; its troubleshooting article advises an hour; "About pre
    and post events" has the 40 minutes and the cancellation.
    """,
    schedule_fix="Make changes at least 15 minutes before a window, and 40 where the schedule has a pre-event.",
)
