"""Who patches a machine: patch mode × bypass × schedules × image × power → outcome, with the reason in one sentence.

Must not: say more than is known. Where the answer hangs on something that was not looked up, or that no source states,
the outcome is `unknown` and the reason names it.

Source of the table: "User scenarios" in Microsoft's prerequisites for scheduled patching; of the rows for images: its
support matrices, which exclude custom images from automatic guest patching. Whether a schedule that never runs again
still counts as attached is stated nowhere.
"""

from collections.abc import Sequence
from dataclasses import replace

from patchmode.model.machine import Machine, MachineKind
from patchmode.model.outcome import Outcome, OutcomeKind
from patchmode.model.patch_settings import Orchestration, PatchSettings, orchestration_of
from patchmode.model.schedule import (
    NOT_LOOKED_UP,
    Forecast,
    MachineSchedules,
    NextWindow,
    RunForecast,
    ScheduleHit,
    Timing,
    Via,
    Window,
)
from patchmode.rules.images import automatic_guest_patching, schedule_patching_excluded
from patchmode.rules.machine_checks import is_off
from patchmode.rules.memberships import PLATFORM_MODE
from patchmode.rules.run_forecast import TOO_SHORT, extension_doubt, forecast, unreadable_settings
from patchmode.rules.workload import is_scale_set_member, out_of_reach

__all__ = ["forecast", "predict"]

_LOST = frozenset({RunForecast.FAILS, RunForecast.MISSED})
_IDLE = frozenset({Timing.OVER, Timing.NEVER, Timing.MISSING})
_BY_SCHEDULE_ONLY = frozenset({OutcomeKind.SCHEDULED, OutcomeKind.PARKED})
_SET_BY_PLATFORM = frozenset({Orchestration.CUSTOMER_MANAGED_SCHEDULES, Orchestration.AZURE_MANAGED})
_WITHOUT = {
    Orchestration.CUSTOMER_MANAGED_SCHEDULES: (
        OutcomeKind.PARKED,
        "waits for a schedule and none is attached, so nothing patches it",
    ),
    Orchestration.AUTOMATIC_BY_OS: (OutcomeKind.GUEST_MANAGED, "Windows updates itself inside the machine"),
    Orchestration.IMAGE_DEFAULT: (OutcomeKind.GUEST_MANAGED, "the image's own configuration decides"),
    Orchestration.MANUAL: (OutcomeKind.NOT_PATCHED, "Azure does not patch it; somebody has to"),
    Orchestration.NOT_SET: (
        OutcomeKind.UNKNOWN,
        "the model has no patch mode, and what the guest then does cannot be told from outside",
    ),
    Orchestration.NOT_APPLICABLE: (
        OutcomeKind.GUEST_MANAGED,
        "no schedule is attached, so the server's own configuration decides",
    ),
}


def predict(settings: PatchSettings | None, machine: Machine, schedules: MachineSchedules = NOT_LOOKED_UP) -> Outcome:
    """Who patches the machine if its model states these settings.

    Args:
        settings: what the model states, or will state; None: no `patchSettings`.
        machine: for its kind, image, workload and power; its own settings are not looked at.
        schedules: what is known of its schedules. Where they were not seen whole, the outcome is the one that no unseen
            schedule turns round, or `unknown`; Azure's own patching is never told as certain then.
    """
    unreachable = out_of_reach(machine)
    if unreachable is not None:
        return Outcome(OutcomeKind.INELIGIBLE, unreachable.because)
    if not schedules.looked_up:
        return _half_seen(settings, machine, schedules)
    if not schedules.hits:
        return _without(settings, machine)
    if is_scale_set_member(machine):
        name = schedules.hits[0].configuration.name
        reason = f"the schedule '{name}' reaches it, but whether schedules run on Flexible scale sets is not confirmed"
        return Outcome(OutcomeKind.UNKNOWN, reason)
    live = [hit for hit in schedules.certain if _is_live(hit)]
    if live:
        return _by_schedule(settings, machine, live, schedules.hits)
    open_ended = next((hit for hit in schedules.hits if hit.next.timing not in _IDLE), None)
    if open_ended is not None:
        return _undecided(settings, machine, open_ended)
    return _idle(settings, machine, schedules.hits[0])


def contradicts(kind: OutcomeKind, settings: PatchSettings | None, machine: MachineKind) -> bool:
    """Whether an outcome is told that no schedule can make of these settings; `unknown` and `ineligible` never are.

    Args:
        kind: the outcome.
        settings: what the model states, or will state.
        machine: an Arc server needs no settings for any outcome.
    """
    if machine is MachineKind.ARC:
        return False
    orchestration = orchestration_of(settings)
    if kind in _BY_SCHEDULE_ONLY:
        return orchestration is not Orchestration.CUSTOMER_MANAGED_SCHEDULES
    in_azures_hands = orchestration in _SET_BY_PLATFORM
    return kind is OutcomeKind.GUEST_MANAGED and in_azures_hands


def _is_live(hit: ScheduleHit) -> bool:
    return hit.next.timing is Timing.COMING and hit.next.rule != PLATFORM_MODE


# ------------------------------------------------------------------------------------------------ with a schedule


def _by_schedule(
    settings: PatchSettings | None, machine: Machine, live: Sequence[ScheduleHit], hits: Sequence[ScheduleHit]
) -> Outcome:
    """The earliest window decides."""
    first, *later = sorted(live, key=_start)
    decided = forecast(settings, machine, first)
    rivals = [
        hit
        for hit in hits
        if _may_come_first(hit, first) and forecast(settings, machine, _as_if_it_came(hit)).result is not decided.result
    ]
    if rivals:
        reason = f"{_named(first)}: {decided.reason}; but {_named(rivals[0])} may come first, and would end otherwise"
        return Outcome(OutcomeKind.UNKNOWN, reason)
    ends = [(hit, forecast(settings, machine, hit)) for hit in later if hit.doubt is None]
    other = next((hit for hit, end in ends if end.result is not decided.result), None)
    mixed = "" if other is None else f"; a later window, of '{other.configuration.name}', would end otherwise"
    return _told(machine, first, decided, mixed)


def _may_come_first(hit: ScheduleHit, first: ScheduleHit) -> bool:
    """Whether a window of one hit may come before the first that is certain, or with it: of two at once, one fires."""
    if hit is first or hit.next.timing in _IDLE:
        return False
    return hit.next.window is None or _start(hit) <= _start(first)


def _as_if_it_came(hit: ScheduleHit) -> ScheduleHit:
    """The hit with what keeps its run from being told taken away: how it would end if it ran."""
    if _is_live(hit):
        return hit
    return replace(hit, next=NextWindow(Timing.COMING, hit.next.window))


def _told(machine: Machine, hit: ScheduleHit, decided: Forecast, mixed: str) -> Outcome:
    if decided.result is RunForecast.RUNS:
        arc = "; an Arc server needs no patch mode" if machine.kind is MachineKind.ARC else ""
        return Outcome(OutcomeKind.SCHEDULED, f"patched as {_named(hit)} says{arc}{_waiting(hit)}{mixed}")
    if decided.result is RunForecast.UNKNOWN:
        return Outcome(OutcomeKind.UNKNOWN, f"{_named(hit)} reaches it, but {decided.reason}{mixed}")
    return Outcome(OutcomeKind.SCHEDULE_FAILS, f"the next run of {_named(hit)} fails: {decided.reason}{mixed}")


def _waiting(hit: ScheduleHit) -> str:
    """That nothing patches it for long; empty where its window is not far."""
    days = hit.next.wait_days
    return "" if days is None else f"; until then, for {days:,} days, nothing patches it"


def _start(hit: ScheduleHit) -> float:
    window = hit.next.window
    return float("inf") if window is None else window.starts_at.timestamp()


def _named(hit: ScheduleHit) -> str:
    """The configuration, how it reaches the machine, and when it runs."""
    way = hit.clause if hit.via is Via.DYNAMIC else "attached to it"
    return f"the schedule '{hit.configuration.name}' ({way}{_when(hit.next.window)})"


def _when(window: Window | None) -> str:
    return "" if window is None else f"; next {local_text(window)}"


def local_text(window: Window) -> str:
    """The start in the configuration's own time, with what tells it from UTC: `2026-11-28 22:00 CET`."""
    return f"{window.local_start:%Y-%m-%d %H:%M %Z}"


def _undecided(settings: PatchSettings | None, machine: Machine, hit: ScheduleHit) -> Outcome:
    """Whether a schedule patches the machine cannot be told, and the outcome hangs on it."""
    without = _without(settings, machine)
    why = hit.doubt if hit.doubt is not None else hit.next.because
    end = "" if without.kind is OutcomeKind.UNKNOWN else f"; without it the outcome would be {without.kind}"
    return Outcome(OutcomeKind.UNKNOWN, f"{_named(hit)} may decide, but {why}{end}")


def _idle(settings: PatchSettings | None, machine: Machine, hit: ScheduleHit) -> Outcome:
    """Nothing but schedules that never run again."""
    without = _without(settings, machine)
    attached = "is attached and" if hit.doubt is None else "may be attached, and"
    never = f"the schedule '{hit.configuration.name}' {attached} never runs: {hit.next.because}"
    match without.kind:
        case OutcomeKind.PARKED:
            return Outcome(OutcomeKind.PARKED, f"waits for a schedule, and {never}, so nothing patches it")
        case OutcomeKind.AUTOPATCHED:
            reason = f"{never}; whether Azure itself patches a machine with such a schedule is stated nowhere"
            return Outcome(OutcomeKind.UNKNOWN, reason)
        case OutcomeKind.GUEST_MANAGED if machine.kind is MachineKind.ARC:
            return Outcome(without.kind, f"{never}, so the server's own configuration decides")
        case _:
            return Outcome(without.kind, f"{without.reason}; {never}")


# ------------------------------------------------------------------------------------------------ without one


def _without(settings: PatchSettings | None, machine: Machine) -> Outcome:
    """The outcome of a machine that no schedule reaches."""
    orchestration = _orchestration(settings, machine)
    if orchestration is Orchestration.AZURE_MANAGED:
        return _azure_managed(machine)
    if orchestration is Orchestration.NOT_SET and settings is not None and settings.undecided:
        return Outcome(OutcomeKind.UNKNOWN, unreadable_settings(settings))
    if orchestration is Orchestration.NOT_SET and settings is not None and settings.patch_mode is not None:
        reason = f"this version does not know its patch mode {settings.patch_mode!r}, so what it means cannot be told"
        return Outcome(OutcomeKind.UNKNOWN, reason)
    return Outcome(*_WITHOUT[orchestration])


def _half_seen(settings: PatchSettings | None, machine: Machine, schedules: MachineSchedules) -> Outcome:
    """The outcome where schedules may be hidden: what was seen decides only if it decides whatever else there is."""
    why_not = schedules.why_not
    live = [] if is_scale_set_member(machine) else [hit for hit in schedules.certain if _is_live(hit)]
    if live:
        first = min(live, key=_start)
        decided = forecast(settings, machine, first)
        if decided.result in _LOST and decided.rule != TOO_SHORT:
            return _told(machine, first, decided, "")  # for a reason of the machine's own: every schedule's run fails
        return Outcome(OutcomeKind.UNKNOWN, f"{_named(first)} reaches it, but {why_not}, and others may come first")
    seen = next((hit for hit in schedules.hits if hit.next.timing not in _IDLE), None)
    if seen is not None:
        why = seen.doubt if seen.doubt is not None else seen.next.because
        return Outcome(OutcomeKind.UNKNOWN, f"{_named(seen)} may decide, but {why}; {why_not}")
    return _unasked(settings, machine, why_not)


def _unasked(settings: PatchSettings | None, machine: Machine, why_not: str) -> Outcome:
    """The outcome where nobody saw a schedule that matters; `why_not` says why none was seen."""
    if machine.kind is MachineKind.ARC:
        reason = f"a schedule patches an Arc server, and without one it looks after itself; {why_not}"
        return Outcome(OutcomeKind.UNKNOWN, reason)
    orchestration = _orchestration(settings, machine)
    if orchestration is Orchestration.CUSTOMER_MANAGED_SCHEDULES:
        return Outcome(OutcomeKind.UNKNOWN, f"patched as its schedule says, and not at all without one; {why_not}")
    without = _without(settings, machine)
    if without.kind is OutcomeKind.AUTOPATCHED:
        reason = f"without a schedule {without.reason}, and with one attached nothing would run; {why_not}"
        return Outcome(OutcomeKind.UNKNOWN, reason)
    with_one = (
        "with one attached nothing would run" if orchestration is Orchestration.AZURE_MANAGED else "one would fail"
    )
    return Outcome(without.kind, f"{without.reason}; {why_not}, and {with_one}")


def _orchestration(settings: PatchSettings | None, machine: Machine) -> Orchestration:
    return Orchestration.NOT_APPLICABLE if machine.kind is MachineKind.ARC else orchestration_of(settings)


def _azure_managed(machine: Machine) -> Outcome:
    obstacle = _out_of_azures_hands(machine)
    if obstacle is not None:
        return Outcome(OutcomeKind.NOT_PATCHED, f"the mode lets Azure patch it, but {obstacle}")
    image = machine.image
    if not image.is_marketplace:
        reason = "it names no image, and Azure patches only machines made from certain marketplace images"
        return Outcome(OutcomeKind.UNKNOWN, reason)
    if not automatic_guest_patching().names(image) or schedule_patching_excluded().names(image):
        reason = (
            "Azure patches it outside peak hours and reboots it as needed, unless its image is unsupported: the "
            "published list does not name it"
        )
        return Outcome(OutcomeKind.UNKNOWN, reason)
    reason = "Azure patches it outside peak hours and reboots it as needed"
    doubt = extension_doubt(machine)
    if doubt is not None:
        return Outcome(OutcomeKind.UNKNOWN, f"{reason}, but {doubt}")
    if is_off(machine):
        reason += f"; it is {machine.surroundings.power_state} now, and its turn comes once it runs again"
    return Outcome(OutcomeKind.AUTOPATCHED, reason)


def _out_of_azures_hands(machine: Machine) -> str | None:
    """Why Azure cannot patch the machine by itself, although the mode is set."""
    if machine.image.id is not None and not machine.image.is_marketplace:
        return "Azure does not patch machines made from custom images"
    if (machine.surroundings.detected_support or "").casefold() == "unsupported":
        return "its last assessment found its image unsupported"
    if machine.provision_vm_agent is False:
        return "it was made without the VM agent"
    if machine.allow_extension_operations is False:
        return "it allows no extensions, and the platform patches through one"
    return None
