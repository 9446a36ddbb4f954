"""The story that `patchmode demo` tells: a failed night, the fix for exactly its machines, and the way back."""

import json
from datetime import UTC, datetime, timedelta

import click

from patchmode.cli.demonstration.rest import COMPUTE_API, Rest, patch_settings
from patchmode.cli.demonstration.telling import Telling
from patchmode.cli.exits import Exit

LRO_SECONDS = 0.5
"""Length of each operation of the emulated Azure in this story."""
SERVER_OPTIONS = ("--fleet", "schedules", "--lro-seconds", str(LRO_SECONDS), "--throttle", "off")
SINCE = "2d"
_RUN = ("Run ", r"  \d+ requests")
_SCHEDULE = ("  Schedule", "Prove it again")
_MACHINE = ("-g", "RG-DATA-PROD", "--name", "rhel-02")


def begins(now: datetime) -> datetime:
    """When the emulated service's clock starts: at a noon (UTC), so that the night after it has passed by `now`.

    At noon no window of the fleet is open, whatever time of the year it is.
    """
    noon = now.astimezone(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    return noon - timedelta(days=1 if noon <= now else 2)


def tell(telling: Telling) -> None:
    """Tell it.

    Raises:
        StoryError: a step did not end as it should; what happened has been shown.
    """
    rest = Rest(telling.server)
    telling.step("Will tonight's patching work?")
    telling.show("patchmode", "schedule", "next", "--days", "1")
    telling.step("A night passes in the emulated Azure")
    telling.show("arm-emulator", "clock", "--advance", "P1D")
    telling.step("What failed, and why?")
    telling.show("patchmode", "schedule", "failures", "--since", SINCE, expected=Exit.FINDINGS, parts=[("", "")])
    telling.step("Plan the change of exactly these machines")
    plan = ("patchmode", "plan", "--failed-since", SINCE, "--out", "fix.json")
    telling.show(*plan, expected=Exit.FINDINGS, parts=[("~ ", ""), ("Now and after", None)])
    changed = _changed(telling)
    telling.step("Apply the plan: this file and nothing else")
    telling.show("patchmode", "apply", "fix.json", "--yes", parts=[_RUN])
    _check_applied(telling, rest, changed)
    telling.step("Two more nights pass")
    telling.show("arm-emulator", "clock", "--advance", "P2D")
    rest.renew()
    telling.step("Did the window succeed?")
    telling.show("patchmode", "verify", "fix.json", "--after-window")
    telling.step("Add rhel-02 to the schedule: settings first, then the schedule")
    telling.show("patchmode", "apply", *_MACHINE, "--then-attach", "mc-nightly", "--yes", parts=[_RUN, _SCHEDULE])
    telling.step("That was a mistake: roll it back")
    telling.show("patchmode", "rollback", "latest", "--yes", parts=[_RUN, _SCHEDULE])
    telling.step("What would the whole fleet need?")
    whole = ("patchmode", "plan", "--all", "--out", "rest.json")
    telling.show(*whole, expected=Exit.FINDINGS, parts=[("Now and after", "To change")])
    telling.step("The fleet as it is now")
    telling.show("patchmode", "audit", "--all", expected=Exit.FINDINGS, parts=[("Current state", "")])
    telling.end(
        shown=f"a night that failed for {len(changed)} machines, the change of these and no others, a night in which "
        "they succeeded, and a schedule attached and detached. rest.json was not applied.",
        service=f" without rate limits, whose operations take {LRO_SECONDS:g} s",
    )
    telling.say("The whole story: patchmode demo --full. To type the commands yourself, and continue from there:")
    click.echo("  arm-emulator exec --fleet schedules --lro-seconds 1 -- bash")
    telling.say("On a real fleet: az login, then patchmode doctor and patchmode audit.")


def _changed(telling: Telling) -> list[str]:
    plan = json.loads((telling.folder / "fix.json").read_text(encoding="utf-8"))
    changed = [change["id"] for change in plan["changes"]]
    if not changed:
        raise telling.fail("the plan changes no machine, although the night failed for some")
    return changed


def _check_applied(telling: Telling, rest: Rest, changed: list[str]) -> None:
    """Ask the service itself, not the product."""
    for machine in changed:
        settings = patch_settings(rest.get(machine, COMPUTE_API)) or {}
        platform = settings.get("automaticByPlatformSettings") or {}
        if settings.get("patchMode") != "AutomaticByPlatform" or not platform.get(
            "bypassPlatformSafetyChecksOnUserSchedule"
        ):
            raise telling.fail(f"{machine} should have both settings, and has {settings}")
