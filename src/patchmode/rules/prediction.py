"""Who patches a machine: patch mode × bypass × schedule × image → outcome, with the reason in one sentence.

Must not: say more than is known. Where the answer hangs on whether a schedule is attached and none was looked up, the
outcome says so.

Source of the table: "User scenarios" in Microsoft's prerequisites for scheduled patching; of the rows for images: its
support matrices, which exclude custom images from automatic guest patching.
"""

from enum import StrEnum

from patchmode.model.machine import Machine, MachineKind
from patchmode.model.outcome import Outcome, OutcomeKind
from patchmode.model.patch_settings import Orchestration, PatchSettings, orchestration_of
from patchmode.rules.images import automatic_guest_patching
from patchmode.rules.workload import out_of_reach


class Schedules(StrEnum):
    """What is known of the maintenance configurations that hit a machine."""

    UNKNOWN = "unknown"
    """None was looked up."""
    NONE = "none"
    ATTACHED = "attached"
    """At least one, statically or by a dynamic scope."""


_NOT_LOOKED_UP = "no schedule was looked up"
_FAILS = "a schedule is attached, and its runs fail: the prerequisite (Customer Managed Schedules) is not met"

_CUSTOMER_MANAGED = {
    Schedules.UNKNOWN: (
        OutcomeKind.UNKNOWN,
        f"patched as its schedule says, and not at all without one; {_NOT_LOOKED_UP}",
    ),
    Schedules.NONE: (OutcomeKind.PARKED, "waits for a schedule and none is attached, so nothing patches it"),
    Schedules.ATTACHED: (OutcomeKind.SCHEDULED, "patched as its schedule says"),
}
_ARC = {
    Schedules.UNKNOWN: (
        OutcomeKind.UNKNOWN,
        f"a schedule patches an Arc server, and without one it looks after itself; {_NOT_LOOKED_UP}",
    ),
    Schedules.NONE: (OutcomeKind.GUEST_MANAGED, "no schedule is attached, so the server's own configuration decides"),
    Schedules.ATTACHED: (OutcomeKind.SCHEDULED, "patched as its schedule says; an Arc server needs no patch mode"),
}
_OTHERS = {
    Orchestration.AUTOMATIC_BY_OS: (OutcomeKind.GUEST_MANAGED, "Windows updates itself inside the machine"),
    Orchestration.IMAGE_DEFAULT: (OutcomeKind.GUEST_MANAGED, "the image's own configuration decides"),
    Orchestration.MANUAL: (OutcomeKind.NOT_PATCHED, "Azure does not patch it; somebody has to"),
    Orchestration.NOT_SET: (
        OutcomeKind.UNKNOWN,
        "the model states no patch mode that this version knows, so it cannot be told what the guest does",
    ),
}


def predict(settings: PatchSettings | None, machine: Machine, *, schedules: Schedules = Schedules.UNKNOWN) -> Outcome:
    """Who patches the machine if its model states these settings.

    Args:
        settings: what the model states, or will state; None: no `patchSettings`.
        machine: for its kind, image and workload; its own settings are not looked at.
        schedules: what is known of its schedules. Without knowledge the outcome is the one that holds whatever the
            schedule, where there is one, or the one without a schedule with a reason that says so.
    """
    unreachable = out_of_reach(machine)
    if unreachable is not None:
        return Outcome(OutcomeKind.INELIGIBLE, unreachable.because)
    if machine.kind is MachineKind.ARC:
        return Outcome(*_ARC[schedules])
    orchestration = orchestration_of(settings)
    if orchestration is Orchestration.CUSTOMER_MANAGED_SCHEDULES:
        return Outcome(*_CUSTOMER_MANAGED[schedules])
    if schedules is Schedules.ATTACHED:
        return Outcome(OutcomeKind.SCHEDULE_FAILS, _FAILS)
    if orchestration is Orchestration.AZURE_MANAGED:
        return _azure_managed(machine, schedules)
    kind, reason = _OTHERS[orchestration]
    return Outcome(kind, _honest(reason, schedules))


def _azure_managed(machine: Machine, schedules: Schedules) -> Outcome:
    if machine.image.id is not None and not machine.image.is_marketplace:
        reason = "Azure does not patch machines made from custom images, although the mode is set"
        return Outcome(OutcomeKind.NOT_PATCHED, _honest(reason, schedules))
    reason = "Azure patches it outside peak hours and reboots it as needed"
    if machine.image.is_marketplace and not automatic_guest_patching().names(machine.image):
        reason += ", unless its image is unsupported: the published list does not name it"
    if schedules is Schedules.UNKNOWN:
        reason += f"; {_NOT_LOOKED_UP}, and with one attached nothing would run"
    return Outcome(OutcomeKind.AUTOPATCHED, reason)


def _honest(reason: str, schedules: Schedules) -> str:
    """Without schedule knowledge: the outcome without one, and what one would change."""
    return f"{reason}; {_NOT_LOOKED_UP}, and one would fail" if schedules is Schedules.UNKNOWN else reason
