"""What will become of one machine in one configuration's next window, as things stand.

Must not: look at other schedules of the machine; `prediction` does.

Sources: "User scenarios" in Microsoft's prerequisites for scheduled patching (what is not prepared fails); its Update
Manager support matrix and list of unsupported workloads; its troubleshooting article (a machine that is off fails with
ShutdownOrUnresponsive, a run needs 25 minutes); its documentation of maintenance configurations (a machine must be on
15 minutes before).
"""

from collections.abc import Callable

from patchmode.model.machine import Machine, MachineKind
from patchmode.model.patch_settings import OperatingSystem, Orchestration, PatchSettings, orchestration_of
from patchmode.model.schedule import Forecast, RunForecast, ScheduleHit, Timing
from patchmode.rules.images import schedule_patching, schedule_patching_excluded
from patchmode.rules.machine_checks import is_off
from patchmode.rules.memberships import PLATFORM_MODE, SHORTEST_RUN
from patchmode.rules.schedule_contents import INSTALLS_NOTHING
from patchmode.rules.settings_patch import is_platform_mode
from patchmode.rules.windows_edition import Edition, edition_of
from patchmode.rules.workload import is_scale_set_member, out_of_reach

_ARC_AWAY = frozenset({"disconnected", "expired"})
_NEVER_RUN = frozenset({Timing.OVER, Timing.NEVER, Timing.MISSING})
_AGENT_SILENT = "not ready"
TOO_SHORT = "window-too-short"
"""The one rule behind a failing run that is the configuration's own; the others are the machine's."""


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
    return Forecast(RunForecast.RUNS, "its run is expected to work")


def _never_reached(settings: PatchSettings | None, machine: Machine, hit: ScheduleHit) -> Forecast | None:
    del settings, hit
    found = out_of_reach(machine)
    return None if found is None else Forecast(RunForecast.FAILS, found.because, found.rule)


def _no_window(settings: PatchSettings | None, machine: Machine, hit: ScheduleHit) -> Forecast | None:
    del settings, machine
    if hit.next.timing is Timing.COMING:
        return None
    result = RunForecast.NO_WINDOW if hit.next.timing in _NEVER_RUN else RunForecast.UNKNOWN
    return Forecast(result, hit.next.because or "no window is known to come", hit.next.rule)


def _undocumented(settings: PatchSettings | None, machine: Machine, hit: ScheduleHit) -> Forecast | None:
    del settings
    if is_scale_set_member(machine):
        reason = "it belongs to a Flexible scale set, and whether schedules run on its members is not confirmed"
        return Forecast(RunForecast.UNKNOWN, reason, "scale-set-member")
    if hit.next.rule == PLATFORM_MODE:
        return Forecast(RunForecast.UNKNOWN, hit.next.because, PLATFORM_MODE)
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
    if not is_platform_mode(mode):
        missing = f"its patch mode is {mode or 'not set'} instead of AutomaticByPlatform"
    else:
        missing = "bypassPlatformSafetyChecksOnUserSchedule is not true"
    if settings is not None and settings.hotpatch is True:
        missing += ", which hotpatching excludes"
    return missing


def _out_of_hands(settings: PatchSettings | None, machine: Machine, hit: ScheduleHit) -> Forecast | None:
    del settings, hit
    if machine.kind is MachineKind.ARC:
        return None
    if machine.provision_vm_agent is False:
        return Forecast(RunForecast.FAILS, "it was made without the VM agent", "agent-missing")
    if machine.allow_extension_operations is False:
        reason = "it allows no extensions, and the platform patches through one"
        return Forecast(RunForecast.FAILS, reason, "extensions-not-allowed")
    return None


def _away(settings: PatchSettings | None, machine: Machine, hit: ScheduleHit) -> Forecast | None:
    del settings, hit
    around = machine.surroundings
    if machine.kind is MachineKind.ARC:
        if (around.arc_status or "").casefold() not in _ARC_AWAY:
            return None
        reason = f"it is {(around.arc_status or '').lower()} now and would be missed, unless it connects before"
        return Forecast(RunForecast.MISSED, reason, "off-at-window")
    if is_off(machine):
        reason = f"it is {around.power_state} now and would be missed, unless it runs 15 minutes before"
        return Forecast(RunForecast.MISSED, reason, "off-at-window")
    if (around.agent_status or "").casefold() == _AGENT_SILENT:
        reason = "its VM agent is not ready now and it would be missed, unless the agent answers before"
        return Forecast(RunForecast.MISSED, reason, "agent-not-ready")
    return None


def _too_short(settings: PatchSettings | None, machine: Machine, hit: ScheduleHit) -> Forecast | None:
    del settings, machine
    window = hit.next.window
    short = hit.next.rule == TOO_SHORT or (window is not None and window.ends_at - window.starts_at < SHORTEST_RUN)
    return (
        Forecast(RunForecast.FAILS, "its window is shorter than the 25 minutes a run needs", TOO_SHORT)
        if short
        else None
    )


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
    return f"its {extension.name} has failed{says}, which leaves in doubt whether it can be patched"


def _nothing_named(settings: PatchSettings | None, machine: Machine, hit: ScheduleHit) -> Forecast | None:
    """The run takes place; whether it installs anything on this system is stated nowhere."""
    del settings
    why = hit.idle_on.get(machine.os) if machine.os is not None else None
    if why is None:
        return None
    reason = f"{why}, and what Azure then installs is not documented: perhaps nothing"
    return Forecast(RunForecast.UNKNOWN, reason, INSTALLS_NOTHING)


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
    reason = "no list of images for scheduled patching names its image, which may only mean that the lists lag behind"
    return Forecast(RunForecast.UNKNOWN, reason, "image-not-in-schedule-list")


def _edition_not_known(settings: PatchSettings | None, machine: Machine, hit: ScheduleHit) -> Forecast | None:
    """Update Manager patches Windows Server and no client."""
    del settings, hit
    if machine.os is not OperatingSystem.WINDOWS or edition_of(machine).edition is not Edition.NOT_KNOWN:
        return None
    reason = "nothing that was read tells whether it runs Windows Server or a Windows client, which no schedule patches"
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
