"""Why a scheduled run failed, in plain words, and what to do about it.

Must not: promise a cure that patchmode does not have: it cures the prerequisite, and shows the rest.
"""

from dataclasses import dataclass
from shlex import quote

from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import FailureKind
from patchmode.model.since import Since

WORDS: dict[FailureKind, str] = {
    FailureKind.PREREQUISITE: "not prepared for schedules (the prerequisite)",
    FailureKind.OFF: "off, or its agent did not answer",
    FailureKind.TIMED_OUT: "timed out",
    FailureKind.WINDOW_EXCEEDED: "the window was too short",
    FailureKind.CANCELLED: "cancelled",
    FailureKind.UNSUPPORTED: "image or system not supported",
    FailureKind.OTHER: "another reason",
    FailureKind.NOT_TOLD: "no reason recorded",
}
"""Each reason as a person would say it."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do about failed machines."""

    advice: str
    command: str | None = None


def remedy_for(kind: FailureKind, *, since: Since, configuration: ResourceId | None, is_over: bool) -> Remedy:
    """What to do about machines that failed for one reason.

    Args:
        kind: the reason.
        since: how far back the failures were asked for; the suggested command asks for the same.
        configuration: whose run it was; None: not known, then commands do not name it.
        is_over: whether the last run of all of them succeeded.

    Source: Microsoft, "Troubleshoot issues with Azure Update Manager", for what the reasons mean.
    """
    if is_over:
        return Remedy("Nothing is left to do: their last run succeeded.")
    # A resource group's name may hold blanks and brackets, and the command is there to be copied.
    named = quote(str(configuration))
    schedule = f" --schedule {named}" if configuration else " --all"
    show = f"patchmode schedule show {named}" if configuration else "patchmode schedule list"
    fix = f"patchmode plan --failed-since {quote(str(since))} --out fix.json"
    audit = f"patchmode audit{schedule}"
    remedies = {
        FailureKind.PREREQUISITE: Remedy(
            "Set all whose last run failed so, these among them, and apply the plan:", fix
        ),
        FailureKind.OFF: Remedy(
            "Start them before the window; those that are off now:", f"{audit} --power deallocated --power stopped"
        ),
        FailureKind.TIMED_OUT: Remedy(
            "Something else was updating the machine, or it was made anew: see what it says now:",
            "patchmode explain MACHINE",
        ),
        FailureKind.WINDOW_EXCEEDED: Remedy("Lengthen the window, 03:55 at most, or give it fewer machines:", show),
        FailureKind.CANCELLED: Remedy(
            "A person, an event handler or the platform cancelled it: the activity log of the configuration says who."
        ),
        FailureKind.UNSUPPORTED: Remedy("Schedules cannot patch these; the audit names the rule:", audit),
        FailureKind.OTHER: Remedy("See what stands in the way of each:", "patchmode explain MACHINE"),
        FailureKind.NOT_TOLD: Remedy("This takes those among them that are not prepared now:", fix),
    }
    return remedies[kind]
