"""What becomes of a machine's next run, and who patches it, with the reason in one sentence."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from patchmode.model.machine import Machine, MachineKind
from patchmode.model.outcome import Outcome, OutcomeKind
from patchmode.model.patch_settings import OperatingSystem, Orchestration, PatchSettings, orchestration_of
from patchmode.model.schedule import (
    LOST,
    NEVER_RUN,
    NOT_LOOKED_UP,
    Forecast,
    MachineSchedules,
    NextWindow,
    RunForecast,
    ScheduleHit,
    Timing,
    Via,
    Window,
    local_text,
)
from patchmode.rules.eligibility.advisory_checks import is_off
from patchmode.rules.eligibility.images import automatic_guest_patching, schedule_patching, schedule_patching_excluded
from patchmode.rules.eligibility.owner_checks import is_scale_set_member, out_of_reach
from patchmode.rules.eligibility.windows_edition import Edition, edition_of
from patchmode.rules.schedules.events import away
from patchmode.rules.schedules.memberships import PLATFORM_MODE_SCHEDULE, SHORTEST_RUN
from patchmode.rules.schedules.recurrence import WINDOW_TOO_SHORT
from patchmode.rules.schedules.window import SCHEDULE_INSTALLS_NOTHING
from patchmode.rules.settings.patch import is_platform_mode

_AGENT_SILENT = "not ready"


def forecast(settings: PatchSettings | None, machine: Machine, hit: ScheduleHit) -> Forecast:
    """What becomes of the machine in the next window of a configuration that reaches it.

    Args:
        settings: what the machine's model states, or will state; its own settings are not looked at.
        machine: for its kind, image, agent and power.
        hit: the configuration. Whether the machine is a member for certain is not looked at.

    Returns:
        `NO_WINDOW` where certainly none comes, `UNKNOWN` where none is known to, and where no source says what the
        service does. The reason is half a sentence, ready to follow a comma.
    """
    for judge in _JUDGES:
        found = judge(settings, machine, hit)
        if found is not None:
            return found
    return Forecast(RunForecast.RUNS, "its run is expected to succeed")


def _never_reached(settings: PatchSettings | None, machine: Machine, hit: ScheduleHit) -> Forecast | None:
    del settings, hit
    found = out_of_reach(machine)
    return None if found is None else Forecast(RunForecast.FAILS, found.because, found.rule.id)


def _no_window(settings: PatchSettings | None, machine: Machine, hit: ScheduleHit) -> Forecast | None:
    del settings, machine
    if hit.next.timing is Timing.COMING:
        return None
    result = RunForecast.NO_WINDOW if hit.next.timing in NEVER_RUN else RunForecast.UNKNOWN
    return Forecast(result, hit.next.because or "no window is known to come", hit.next.rule)


def _undocumented(settings: PatchSettings | None, machine: Machine, hit: ScheduleHit) -> Forecast | None:
    del settings
    if is_scale_set_member(machine):
        reason = "it belongs to a Flexible scale set, and whether schedules run on its members is not confirmed"
        return Forecast(RunForecast.UNKNOWN, reason, "scale-set-member")
    if hit.next.rule == PLATFORM_MODE_SCHEDULE.id:
        return Forecast(RunForecast.UNKNOWN, hit.next.because, PLATFORM_MODE_SCHEDULE.id)
    return None


def _unsupported(settings: PatchSettings | None, machine: Machine, hit: ScheduleHit) -> Forecast | None:
    del settings, hit
    if (machine.surroundings.detected_support or "").casefold() == "unsupported":
        reason = "Azure's last assessment found its image unsupported"
        return Forecast(RunForecast.FAILS, reason, "detected-unsupported")
    if machine.kind is MachineKind.ARC or not schedule_patching_excluded().names(machine.image):
        return None
    if schedule_patching().names(machine.image):
        return None  # two sources contradict each other; `_unlisted` says so once nothing else makes the run fail
    reason = "the support matrix names its image as unsupported"
    return Forecast(RunForecast.FAILS, reason, "image-excluded")


def _unprepared(settings: PatchSettings | None, machine: Machine, hit: ScheduleHit) -> Forecast | None:
    del hit
    if machine.kind is MachineKind.ARC or orchestration_of(settings) is Orchestration.CUSTOMER_MANAGED_SCHEDULES:
        return None
    if settings is not None and settings.undecided:
        return Forecast(RunForecast.UNKNOWN, unreadable_settings(settings), "odd-settings")
    return Forecast(RunForecast.FAILS, f"the prerequisite is not met: {missing_of(settings)}", "prerequisite-missing")


def unreadable_settings(settings: PatchSettings) -> str:
    """Why nobody can say who patches a machine whose patch mode or bypass cannot be read."""
    found = "; ".join(map(str, settings.undecided))
    return f"its patch settings are not as Azure writes them ({found}), and what Azure makes of that is not known"


def missing_of(settings: PatchSettings | None) -> str:
    """What of the prerequisite a machine's model does not state, and what stands in the way of it."""
    mode = None if settings is None else settings.patch_mode
    how = "bypassPlatformSafetyChecksOnUserSchedule is not true" if is_platform_mode(mode) else f"patchMode {mode}"
    found = f"{orchestration_of(settings).portal_name} ({how})" if mode else "not set (no patchMode)"
    missing = f"its patch orchestration is {found} instead of {Orchestration.CUSTOMER_MANAGED_SCHEDULES.portal_name}"
    if settings is not None and settings.hotpatch is True:
        missing += ", which hotpatching excludes"
    return missing


def _out_of_hands(settings: PatchSettings | None, machine: Machine, hit: ScheduleHit) -> Forecast | None:
    del settings, hit
    if machine.kind is MachineKind.ARC:
        return None
    if machine.provision_vm_agent is False:
        return Forecast(RunForecast.FAILS, "it was created without the VM agent", "agent-missing")
    if machine.allow_extension_operations is False:
        reason = "it allows no extensions, and the platform patches through one"
        return Forecast(RunForecast.FAILS, reason, "extensions-not-allowed")
    return None


def _away(settings: PatchSettings | None, machine: Machine, hit: ScheduleHit) -> Forecast | None:
    del settings
    found = away(machine, hit.events)
    if found is not None or machine.kind is MachineKind.ARC:
        return found
    if (machine.surroundings.agent_status or "").casefold() == _AGENT_SILENT:
        reason = "its VM agent is not ready now and it would be missed, unless the agent answers before"
        return Forecast(RunForecast.MISSED, reason, "agent-not-ready")
    return None


def _too_short(settings: PatchSettings | None, machine: Machine, hit: ScheduleHit) -> Forecast | None:
    del settings, machine
    window = hit.next.window
    is_short = window is not None and window.ends_at - window.starts_at < SHORTEST_RUN
    if not is_short and hit.next.rule != WINDOW_TOO_SHORT.id:
        return None
    return Forecast(RunForecast.FAILS, "its window is shorter than the 25 minutes a run needs", WINDOW_TOO_SHORT.id)


def _extension_failed(settings: PatchSettings | None, machine: Machine, hit: ScheduleHit) -> Forecast | None:
    """Azure may install the extension again for the run, or the run may fail of it: no source says."""
    del settings, hit
    reason = extension_doubt(machine)
    return None if reason is None else Forecast(RunForecast.UNKNOWN, reason, "patch-extension-failed")


def extension_doubt(machine: Machine) -> str | None:
    """Why a failed patch extension leaves open whether the machine is patched; None: none is known to have failed."""
    extension = machine.surroundings.patch_extension
    if extension is None or not extension.has_failed:
        return None
    says = f' ("{extension.message}")' if extension.message else ""
    return f"its {extension.name} has failed{says}, so whether it can be patched is not certain"


def _nothing_named(settings: PatchSettings | None, machine: Machine, hit: ScheduleHit) -> Forecast | None:
    """The run takes place; whether it installs anything on this system is stated nowhere."""
    del settings
    why = hit.idle_on.get(machine.os) if machine.os is not None else None
    if why is None:
        return None
    reason = f"{why}, and what Azure then installs is not documented: perhaps nothing"
    return Forecast(RunForecast.UNKNOWN, reason, SCHEDULE_INSTALLS_NOTHING.id)


def _unlisted(settings: PatchSettings | None, machine: Machine, hit: ScheduleHit) -> Forecast | None:
    """Absence from a list is no proof, and neither is a list that another contradicts."""
    del settings, hit
    if machine.kind is MachineKind.ARC or not machine.image.is_marketplace:
        return None
    if schedule_patching_excluded().names(machine.image):
        reason = "the support matrix names its image as unsupported, although the built-in policy takes it"
        return Forecast(RunForecast.UNKNOWN, reason, "image-excluded")
    if schedule_patching().names(machine.image):
        return None
    reason = "no list of images for scheduled patching names its image, and the lists may be out of date"
    return Forecast(RunForecast.UNKNOWN, reason, "image-not-in-schedule-list")


def _edition_not_known(settings: PatchSettings | None, machine: Machine, hit: ScheduleHit) -> Forecast | None:
    """Update Manager patches Windows Server and no client."""
    del settings, hit
    if machine.os is not OperatingSystem.WINDOWS or edition_of(machine).edition is not Edition.NOT_KNOWN:
        return None
    reason = "nothing that was read shows whether it runs Windows Server or a Windows client, which no schedule patches"
    return Forecast(RunForecast.UNKNOWN, reason, "edition-not-known")


_Judge = Callable[[PatchSettings | None, Machine, ScheduleHit], Forecast | None]
_JUDGES: tuple[_Judge, ...] = (
    _never_reached,
    _no_window,
    _undocumented,
    _unsupported,
    _unprepared,
    _out_of_hands,
    _away,
    _too_short,
    _extension_failed,
    _nothing_named,
    _unlisted,
    _edition_not_known,
)
"""In the order of what a run would record: the first that has something to say decides."""


__all__ = ["forecast", "predict"]

_BY_SCHEDULE_ONLY = frozenset({OutcomeKind.SCHEDULED, OutcomeKind.PARKED})
_SET_BY_PLATFORM = frozenset({Orchestration.CUSTOMER_MANAGED_SCHEDULES, Orchestration.AZURE_MANAGED})
_WITHOUT = {
    Orchestration.CUSTOMER_MANAGED_SCHEDULES: (
        OutcomeKind.PARKED,
        "waits for a schedule and none is attached, so nothing patches it",
    ),
    Orchestration.AUTOMATIC_BY_OS: (OutcomeKind.GUEST_MANAGED, "Windows updates itself inside the machine"),
    Orchestration.IMAGE_DEFAULT: (OutcomeKind.GUEST_MANAGED, "the image's own configuration decides"),
    Orchestration.MANUAL: (OutcomeKind.NOT_PATCHED, "Azure does not patch it; updates must be installed manually"),
    Orchestration.NOT_SET: (
        OutcomeKind.UNKNOWN,
        "the model has no patch mode, and what the guest then does is not known from outside",
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
    open_ended = next((hit for hit in schedules.hits if hit.next.timing not in NEVER_RUN), None)
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
    return hit.next.timing is Timing.COMING and hit.next.rule != PLATFORM_MODE_SCHEDULE.id


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
    if hit is first or hit.next.timing in NEVER_RUN:
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
    return "" if window is None else f"; next {local_text(window.local_start)}"


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
            reason = f"{never}; whether Azure itself patches a machine with such a schedule is not documented"
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
        reason = f"this version does not know its patch mode {settings.patch_mode!r}, so its meaning is not known"
        return Outcome(OutcomeKind.UNKNOWN, reason)
    return Outcome(*_WITHOUT[orchestration])


def _half_seen(settings: PatchSettings | None, machine: Machine, schedules: MachineSchedules) -> Outcome:
    """The outcome where schedules may be hidden: what was seen decides only if it decides whatever else there is."""
    why_not = schedules.why_not
    live = [] if is_scale_set_member(machine) else [hit for hit in schedules.certain if _is_live(hit)]
    if live:
        first = min(live, key=_start)
        decided = forecast(settings, machine, first)
        if decided.result in LOST and decided.rule != WINDOW_TOO_SHORT.id:  # its own fault, not the machine's
            return _told(machine, first, decided, "")  # for a reason of the machine's own: every schedule's run fails
        return Outcome(OutcomeKind.UNKNOWN, f"{_named(first)} reaches it, but {why_not}, and others may come first")
    seen = next((hit for hit in schedules.hits if hit.next.timing not in NEVER_RUN), None)
    if seen is not None:
        why = seen.doubt if seen.doubt is not None else seen.next.because
        return Outcome(OutcomeKind.UNKNOWN, f"{_named(seen)} may decide, but {why}; {why_not}")
    return _unasked(settings, machine, why_not)


def _unasked(settings: PatchSettings | None, machine: Machine, why_not: str) -> Outcome:
    """The outcome where nobody saw a schedule that matters; `why_not` says why none was seen."""
    if machine.kind is MachineKind.ARC:
        reason = f"a schedule patches an Arc server, and without one its own configuration decides; {why_not}"
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
        reason = "it names no image, and Azure patches only machines created from certain marketplace images"
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
        reason += f"; it is {machine.surroundings.power_state} now, and Azure patches it once it runs again"
    return Outcome(OutcomeKind.AUTOPATCHED, reason)


def _out_of_azures_hands(machine: Machine) -> str | None:
    """Why Azure cannot patch the machine by itself, although the mode is set."""
    if machine.image.id is not None and not machine.image.is_marketplace:
        return "Azure does not patch machines created from custom images"
    if (machine.surroundings.detected_support or "").casefold() == "unsupported":
        return "its last assessment found its image unsupported"
    if machine.provision_vm_agent is False:
        return "it was created without the VM agent"
    if machine.allow_extension_operations is False:
        return "it allows no extensions, and the platform patches through one"
    return None
