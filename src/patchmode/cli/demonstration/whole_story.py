"""The story that `patchmode demo --full` tells: all that the program does, with the output of every command whole."""

import json
import time
from collections.abc import Sequence
from typing import Any

import click

from patchmode.cli.demonstration.rest import COMPUTE_API, Rest, patch_settings, told
from patchmode.cli.demonstration.telling import Telling
from patchmode.cli.exits import Exit
from patchmode.reports.text.layout import wrapped

SERVER_OPTIONS = ("--fleet", "schedules", "--lro-seconds", "1", "--throttle", "azure")
REFUSAL = "UnsupportedResourceOperation"
SCHEDULE = "mc-nightly"
SINCE = "2d"


def tell(telling: Telling) -> None:
    """Tell it.

    Raises:
        StoryError: a step did not end as it should; what happened has been shown.
    """
    began, rest = time.monotonic(), Rest(telling.server)
    telling.step("Who is patched tonight, and will it work")
    telling.show("patchmode", "schedule", "list")
    failed = _failed_night(telling, rest)
    telling.step("Audit: the whole fleet, and who patches each machine")
    telling.show("patchmode", "audit", "--all", expected=Exit.FINDINGS)
    _fixed(telling, failed)
    _succeeded_night(telling, rest, failed)
    loner = _refused(telling, rest)
    before = patch_settings(rest.get(loner, COMPUTE_API))
    _attached(telling, rest, loner)
    _rolled_back(telling, rest, loner, before)
    _whole_fleet(telling)
    _drifted(telling, rest, failed[0])
    _numbers(telling, rest, began)


def _failed_night(telling: Telling, rest: Rest) -> list[str]:
    """The clock passes a window that began before this moment; the machines that failed on the prerequisite."""
    telling.step("A night passes, and the deployment fails")
    telling.show("arm-emulator", "clock", "--advance", "P1D")
    rest.renew()
    failures = ("patchmode", "schedule", "failures", "--since", SINCE)
    telling.show(*failures, expected=Exit.FINDINGS)
    told_of = telling.json(*failures, expected=Exit.FINDINGS)
    reasons = [reason for run in told_of["runs"] for reason in run["failures"] if reason["reason"] == "prerequisite"]
    failed = list(dict.fromkeys(machine for reason in reasons for machine in reason["machines"]))
    if not failed:
        raise telling.fail("no machine failed on the prerequisite")
    return failed


def _fixed(telling: Telling, failed: Sequence[str]) -> None:
    telling.step("Plan: exactly the machines that failed for this reason")
    telling.show("patchmode", "plan", "--failed-since", SINCE, "--out", "fix.json", expected=Exit.FINDINGS)
    plan = json.loads((telling.folder / "fix.json").read_text(encoding="utf-8"))
    planned = {change["id"].casefold() for change in plan["changes"]}
    if planned != {machine.casefold() for machine in failed}:
        raise telling.fail(f"the plan changes {len(planned)} machines, and {len(failed)} failed")
    telling.step("Apply: that file and nothing else")
    telling.show("patchmode", "apply", "fix.json", "--yes")


def _succeeded_night(telling: Telling, rest: Rest, failed: Sequence[str]) -> None:
    telling.step("Two more nights pass, and the deployment succeeds")
    telling.show("arm-emulator", "clock", "--advance", "P2D")
    rest.renew()
    verify = ("patchmode", "verify", "fix.json", "--after-window")
    ends = (Exit.DONE, Exit.FINDINGS)
    telling.show(*verify, expected=ends)
    counts = telling.json(*verify, expected=ends)["counts"]
    # A weekly schedule may have failed in the first night too; its next window is a week away.
    if not counts["succeeded"] or counts["succeeded"] + counts["notYet"] != len(failed):
        raise telling.fail(f"{counts['succeeded']} of {len(failed)} machines succeeded in their window")


def _refused(telling: Telling, rest: Rest) -> str:
    """The machine that a schedule cannot be attached to as it stands."""
    configuration = telling.json("patchmode", "schedule", "show", SCHEDULE)["schedule"]
    machine = _loner(telling, rest, configuration)
    telling.step(f"Add {_name(machine)} to the schedule")
    telling.say("What the portal, Terraform or a script sends when a maintenance configuration is assigned:")
    paint = telling.paint
    click.echo(paint("strong", f"> PUT …/{_name(machine)}/providers/Microsoft.Maintenance/"))
    click.echo(paint("strong", f"      configurationAssignments/…  ({configuration['name']})"))
    status, answer = rest.attach(machine, configuration)
    code, message = told(answer)
    click.echo(f"  {paint('bad', f'{status} {code}')}")
    for line in wrapped(message, paint=paint, indent=2):
        click.echo(line)
    if status != 400 or code != REFUSAL:
        raise telling.fail(f"the attach should have been refused with {REFUSAL}, and was answered {status} {code}")
    return machine


def _attached(telling: Telling, rest: Rest, machine: str) -> None:
    telling.step("Settings, verify, attach, verify: in the order that Azure accepts")
    telling.show("patchmode", "apply", "--ids", machine, "--then-attach", SCHEDULE, "--yes")
    if rest.schedules_of(machine) != [SCHEDULE]:
        raise telling.fail(f"{SCHEDULE} should be attached to {_name(machine)}")


def _rolled_back(telling: Telling, rest: Rest, machine: str, before: Any) -> None:
    telling.step(f"Rollback: {_name(machine)} was a mistake")
    telling.show("patchmode", "rollback", "latest", "--yes")
    found = patch_settings(rest.get(machine, COMPUTE_API))
    if found != before or rest.schedules_of(machine):
        raise telling.fail(f"{_name(machine)} should be as it was, and is {found}")


def _whole_fleet(telling: Telling) -> None:
    telling.step("The rest of the fleet: reviewed, applied, verified")
    telling.show("patchmode", "plan", "--all", "--out", "rest.json", expected=Exit.FINDINGS)
    # Some machines of this fleet may not be set, and no command calls a scope done that holds one.
    telling.show("patchmode", "apply", "rest.json", "--yes", expected=Exit.FINDINGS)
    telling.show("patchmode", "verify", "rest.json", expected=Exit.FINDINGS)


def _drifted(telling: Telling, rest: Rest, machine: str) -> None:
    telling.step(f"Drift: a Terraform run sets {_name(machine)} back")
    telling.show("patchmode", "audit", "--all", "-o", "json", expected=Exit.FINDINGS, into="base.json")
    rest.set_back(machine)
    telling.say(
        "Terraform's PATCH has been sent. The emulated clock is more than a day ahead since the last night, so Azure's "
        "record of the change is dated later than the audit."
    )
    watch = ("patchmode", "watch", "--all", "--once", "--baseline", "base.json")
    telling.show(*watch, expected=Exit.FINDINGS)


def _numbers(telling: Telling, rest: Rest, began: float) -> None:
    telling.step("What it took")
    runs = telling.json("patchmode", "runs", "list")["runs"]
    ends = (Exit.DONE, Exit.FINDINGS)
    whole = [telling.json("patchmode", "runs", "show", run["run"], expected=ends) for run in runs]
    shown = [report for run, report in zip(runs, whole, strict=True) if not run["rollbackOf"]]
    applied, verified, failed = (
        sum(run["counts"][name] for run in shown) for name in ("applied", "verified", "failed")
    )
    requests = sum(count for run in shown for count in run["requests"].values())
    status, ledger = rest.call("GET", "/_emulator/requests")
    if status != 200:
        raise telling.fail(f"the server did not list what it received: {status}")
    patches = sum(entry["method"] == "PATCH" for entry in ledger["requests"])
    telling.say(
        f"{applied} changes applied and {verified} of them verified with {requests} requests to apply and verify; "
        f"{failed} failed."
    )
    telling.say(
        f"The server counted {patches} PATCH requests in all, the Terraform run and the rollback included. "
        f"The story took {time.monotonic() - began:.0f} s, and nothing left this computer."
    )
    if not applied or verified != applied or applied != sum(len(run["results"]) for run in shown):
        raise telling.fail("not every change was applied and verified")
    telling.step("The fleet as it is now")
    telling.show("patchmode", "audit", "--all", expected=Exit.FINDINGS, parts=[("Current state", "")])
    telling.end(
        shown="a failed night and a fixed one, a refused assignment and an accepted one, a rollback, the whole fleet "
        "set, and drift that was found and not undone. A machine that is prepared and has no schedule is patched by "
        "nobody until one is attached.",
        service=" with its rate limits, whose operations take 1 s",
    )
    telling.say("On a real fleet: az login, then patchmode doctor and patchmode audit.")


def _name(machine_id: str) -> str:
    return machine_id.rsplit("/", 1)[-1]


def _loner(telling: Telling, rest: Rest, configuration: dict[str, Any]) -> str:
    """A machine that the guest patches, without a schedule, where one can be attached and taken off again."""
    # A CanNotDelete lock on a group lets nobody take a schedule off its machines.
    locked = rest.locked_groups(configuration["subscriptionId"])
    fitting = [
        machine["id"]
        for machine in rest.machines(configuration["subscriptionId"])
        if machine["location"] == configuration["location"]
        and machine["id"].split("/")[4].casefold() not in locked
        and machine["properties"]["provisioningState"] == "Succeeded"
        and (patch_settings(machine) or {}).get("patchMode") in ("AutomaticByOS", "ImageDefault")
        and not rest.schedules_of(machine["id"])
    ]
    if not fitting:
        raise telling.fail("the fleet has no machine for this story")
    return str(min(fitting, key=lambda machine: (not _name(machine).startswith("rhel-"), machine)))
