"""The story of `patchmode demo`, step by step; each step is checked, and plain REST calls do what the portal would."""

import json
import ssl
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

import click

from patchmode.cli.demonstration.server import Server
from patchmode.cli.exits import Exit
from patchmode.reports.text.layout import Paint, wrapped

MAINTENANCE_API = "2023-04-01"
COMPUTE_API = "2024-03-01"
LOCKS_API = "2016-09-01"
TERRAFORM = "HashiCorp Terraform/1.9 terraform-provider-azurerm/4.1"
TIMEOUT_S = 20.0


class Rest:
    """A signed-in client of one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        trust = ssl.create_default_context(cafile=server.ca_bundle)
        self._opener = build_opener(ProxyHandler({}), HTTPSHandler(context=trust))
        self._token = self._sign_in()

    def call(self, method: str, path: str, body: Any = None, *, agent: str = "demo") -> tuple[int, Any]:
        """Send one request and return the status and the JSON answer, whatever the status.

        Args:
            method: `GET`, `PUT`, ….
            path: below the endpoint, api-version included, not yet percent-encoded.
            body: JSON values; None: no body.
            agent: the program that it is sent as.
        """
        request = Request(  # noqa: S310 - the endpoint is the server that this process started, over https
            self._server.endpoint + quote(path, safe="/?=&()'"),
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
                "User-Agent": agent,
            },
        )
        return self._answer(request)

    def move_clock(self, to: datetime) -> str:
        """Move the emulated service's clock forward; windows on the way are run. Returns its time, ISO 8601.

        Tokens end by that clock, so a new one is asked for.
        """
        status, answer = self.call("POST", "/_emulator/clock", {"to": to.isoformat()})
        if status != 200:
            raise OSError(f"the clock was not advanced: {answer}")
        self._token = self._sign_in()
        return str(answer["now"])

    def get(self, path: str, api_version: str) -> Any:
        """What stands at a path.

        Raises:
            OSError: it was not answered with 200.
        """
        status, answer = self.call("GET", f"{path}?api-version={api_version}")
        if status != 200:
            raise OSError(f"{path} was answered with {status}: {answer}")
        return answer

    def machines(self, subscription_id: str) -> list[dict[str, Any]]:
        """The virtual machines of a subscription, the first page."""
        path = f"/subscriptions/{subscription_id}/providers/Microsoft.Compute/virtualMachines"
        return list(self.get(path, COMPUTE_API)["value"])

    def schedules_of(self, machine_id: str) -> list[str]:
        """The names of the maintenance configurations assigned to a machine."""
        answer = self.get(f"{machine_id}/providers/Microsoft.Maintenance/configurationAssignments", MAINTENANCE_API)
        return [one["properties"]["maintenanceConfigurationId"].rsplit("/", 1)[-1] for one in answer["value"]]

    def set_back(self, machine_id: str) -> None:
        """Set a machine's patch mode back as Terraform does it, with Terraform's user agent."""
        profile = self.get(machine_id, COMPUTE_API)["properties"]["osProfile"]
        system, mode = (
            ("linuxConfiguration", "ImageDefault")
            if "linuxConfiguration" in profile
            else ("windowsConfiguration", "AutomaticByOS")
        )
        body = {"properties": {"osProfile": {system: {"patchSettings": {"patchMode": mode}}}}}
        status, answer = self.call("PATCH", f"{machine_id}?api-version={COMPUTE_API}", body, agent=TERRAFORM)
        if status != 200:
            raise OSError(f"the machine was not set back: {answer}")

    def locked_groups(self, subscription_id: str) -> set[str]:
        """The resource groups of a subscription, casefolded, on which a lock stands."""
        path = f"/subscriptions/{subscription_id}/providers/Microsoft.Authorization/locks"
        answer = self.get(path, LOCKS_API)
        scopes = [lock["id"].casefold().split("/") for lock in answer["value"]]
        return {scope[4] for scope in scopes if scope[3] == "resourcegroups"}

    def attach(self, machine_id: str, configuration: dict[str, Any]) -> tuple[int, Any]:
        """Attach a maintenance configuration to a machine; status and answer."""
        name = "demo-assignment"
        path = f"{machine_id}/providers/Microsoft.Maintenance/configurationAssignments/{name}"
        body = {
            "location": configuration["location"],
            "properties": {"maintenanceConfigurationId": configuration["id"], "resourceId": machine_id},
        }
        return self.call("PUT", f"{path}?api-version={MAINTENANCE_API}", body)

    def _sign_in(self) -> str:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._server.client_id,
            "client_secret": self._server.client_secret,
            "scope": f"{self._server.endpoint}/.default",
        }
        url = f"{self._server.endpoint}/{self._server.tenant_id}/oauth2/v2.0/token"
        request = Request(url, data=urlencode(form).encode(), method="POST")  # noqa: S310 - as above
        status, answer = self._answer(request)
        if status != 200:
            raise OSError(f"the server gave no token: {answer}")
        return str(answer["access_token"])

    def _answer(self, request: Request) -> tuple[int, Any]:
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"null")


def told(answer: Any) -> tuple[str, str]:
    """Code and message of an error, in whichever of the service's shapes it comes."""
    error = answer.get("error") or answer.get("Error") or answer
    return str(error.get("code") or error.get("Code")), str(error.get("message") or error.get("Message"))


def patch_settings(machine: dict[str, Any]) -> dict[str, Any] | None:
    """The patch settings in a machine's document; None: it has none."""
    profile = machine["properties"].get("osProfile") or {}
    guest = profile.get("windowsConfiguration") or profile.get("linuxConfiguration") or {}
    settings: dict[str, Any] | None = guest.get("patchSettings")
    return settings


REFUSAL = "UnsupportedResourceOperation"
SCHEDULE = "mc-nightly"
SINCE = "2d"
NIGHT = timedelta(hours=28)
"""From any moment on, a window that opens every night has begun and ended."""


class StoryError(Exception):
    """A step did not end as told."""


@dataclass(slots=True)
class Story:
    """One telling."""

    server: Server
    folder: Path
    paint: Paint
    options: Sequence[str] = ()
    """Global options to hand on to every command."""
    began: float = field(default_factory=time.monotonic)
    step: int = 0
    begins: bool = True
    """Whether nothing has been told since the step's title."""

    def tell(self) -> None:
        """Tell the whole story.

        Raises:
            StoryError: a step did not end as told; what happened has been shown.
        """
        rest = Rest(self.server)
        self._schedules()
        failed = self._failed_night(rest)
        self._audited()
        self._fixed(failed)
        self._succeeded_night(rest, failed)
        loner = self._refused(rest)
        before = patch_settings(rest.get(loner, COMPUTE_API))
        self._attached(rest, loner)
        self._whole_fleet()
        self._drifted(rest, failed[0])
        self._rolled_back(rest, loner, before)
        self._numbers(rest)

    # -------------------------------------------------------------------------------------------- steps

    def _schedules(self) -> None:
        self._title("Who is patched tonight, and will it work")
        self._run("schedule", "list", expected=Exit.DONE)

    def _failed_night(self, rest: Rest) -> list[str]:
        """The clock passes a window that began before this moment; the machines that failed on the prerequisite."""
        self._title("A night passes, and the deployment fails")
        self._say(f"The clock of the emulated Azure goes on to {_clock(rest.move_clock(datetime.now(UTC)))}.")
        self._run("schedule", "failures", "--since", SINCE, expected=Exit.FINDINGS)
        told = self._json("schedule", "failures", "--since", SINCE, expected=Exit.FINDINGS)
        if told["counts"]["unfinished"]:
            # The story began inside a window: let it end.
            rest.move_clock(datetime.now(UTC) + NIGHT)
            told = self._json("schedule", "failures", "--since", SINCE, expected=Exit.FINDINGS)
        reasons = [reason for run in told["runs"] for reason in run["failures"] if reason["reason"] == "prerequisite"]
        failed = list(dict.fromkeys(machine for reason in reasons for machine in reason["machines"]))
        if not failed:
            raise StoryError("no machine failed on the prerequisite")
        return failed

    def _audited(self) -> None:
        self._title("Audit: the whole fleet, and who patches each machine")
        self._run("audit", "--all", expected=Exit.FINDINGS)

    def _fixed(self, failed: Sequence[str]) -> None:
        self._title("Plan: exactly the machines that failed for this reason")
        self._run("plan", "--failed-since", SINCE, "--out", "fix.json", expected=Exit.FINDINGS)
        plan = json.loads((self.folder / "fix.json").read_text(encoding="utf-8"))
        planned = {change["id"].casefold() for change in plan["changes"]}
        if planned != {machine.casefold() for machine in failed}:
            raise StoryError(f"the plan changes {len(planned)} machines, and {len(failed)} failed")
        self._title("Apply: that file and nothing else")
        self._run("apply", "fix.json", "--yes", expected=Exit.DONE)

    def _succeeded_night(self, rest: Rest, failed: Sequence[str]) -> None:
        self._title("The next night passes, and the deployment succeeds")
        self._say(f"The clock goes on to {_clock(rest.move_clock(datetime.now(UTC) + NIGHT))}.")
        self._run("verify", "fix.json", "--after-window", expected=(Exit.DONE, Exit.FINDINGS))
        told = self._json("verify", "fix.json", "--after-window", expected=(Exit.DONE, Exit.FINDINGS))["counts"]
        # A weekly schedule may have failed last night too; its next window is a week away.
        if not told["succeeded"] or told["succeeded"] + told["notYet"] != len(failed):
            raise StoryError(f"{told['succeeded']} of {len(failed)} machines succeeded in their window")

    def _refused(self, rest: Rest) -> str:
        """The machine that a schedule cannot be attached to as it stands."""
        configuration = self._json("schedule", "show", SCHEDULE, expected=Exit.DONE)["schedule"]
        machine = _loner(rest, configuration)
        self._title(f"Add {_name(machine)} to the schedule")
        self._say("What the portal, Terraform or a script sends when a maintenance configuration is assigned:")
        click.echo(self.paint("strong", f"> PUT …/{_name(machine)}/providers/Microsoft.Maintenance/"))
        click.echo(self.paint("strong", f"      configurationAssignments/…  ({configuration['name']})"))
        status, answer = rest.attach(machine, configuration)
        code, message = told(answer)
        click.echo(f"  {self.paint('bad', f'{status} {code}')}")
        for line in wrapped(message, paint=self.paint, indent=2):
            click.echo(line)
        if status != 400 or code != REFUSAL:
            raise StoryError(f"the attach should have been refused with {REFUSAL}, and was answered {status} {code}")
        return machine

    def _attached(self, rest: Rest, machine: str) -> None:
        self._title("Settings, verify, attach, verify: in the order that Azure accepts")
        self._run("apply", "--ids", machine, "--then-attach", SCHEDULE, "--yes", expected=Exit.DONE)
        if rest.schedules_of(machine) != [SCHEDULE]:
            raise StoryError(f"{SCHEDULE} should be attached to {_name(machine)}")

    def _whole_fleet(self) -> None:
        self._title("The rest of the fleet: reviewed, applied, verified")
        self._run("plan", "--all", "--out", "rest.json", expected=Exit.FINDINGS)
        # Some machines of this fleet may not be set, and no command calls a scope done that holds one.
        self._run("apply", "rest.json", "--yes", expected=Exit.FINDINGS)
        self._run("verify", "rest.json", expected=Exit.FINDINGS)

    def _drifted(self, rest: Rest, machine: str) -> None:
        self._title(f"Drift: a Terraform run sets {_name(machine)} back")
        base = self.folder / "base.json"
        base.write_text(json.dumps(self._json("audit", "--all", expected=Exit.FINDINGS)), encoding="utf-8")
        rest.set_back(machine)
        self._say(
            "The emulated clock is more than a day ahead since the last night, so Azure's record of the change "
            "is dated later than the audit."
        )
        self._run("watch", "--all", "--once", "--baseline", "base.json", expected=Exit.FINDINGS)

    def _rolled_back(self, rest: Rest, machine: str, before: Any) -> None:
        self._title(f"Rollback: {_name(machine)} was a mistake")
        run = next(
            run["run"]
            for run in self._json("runs", "list", expected=Exit.DONE)["runs"]
            if run["rollbackOf"] is None and run["changes"] == 1
        )
        self._run("rollback", run, "--yes", expected=Exit.DONE)
        found = patch_settings(rest.get(machine, COMPUTE_API))
        if found != before or rest.schedules_of(machine):
            raise StoryError(f"{_name(machine)} should be as it was, and is {found}")

    def _numbers(self, rest: Rest) -> None:
        self._title("What it took")
        runs = self._json("runs", "list", expected=Exit.DONE)["runs"]
        ends = (Exit.DONE, Exit.FINDINGS)
        shown = [self._json("runs", "show", run["run"], expected=ends) for run in runs if not run["rollbackOf"]]
        applied, verified, failed = (
            sum(run["counts"][name] for run in shown) for name in ("applied", "verified", "failed")
        )
        requests = sum(count for run in shown for count in run["requests"].values())
        status, ledger = rest.call("GET", "/_emulator/requests")
        if status != 200:
            raise StoryError(f"the server did not list what it received: {status}")
        patches = sum(entry["method"] == "PATCH" for entry in ledger["requests"])
        self._say(
            f"{applied} machines changed and {verified} of them verified with {requests} requests to apply and "
            f"verify; {failed} failed."
        )
        self._say(
            f"The server counted {patches} PATCH requests in all, the Terraform run and the rollback included. "
            f"The story took {time.monotonic() - self.began:.0f} s, and nothing left this computer."
        )
        if not applied or verified != applied or applied != sum(len(run["results"]) for run in shown):
            raise StoryError("not every change was applied and verified")
        click.echo(self.paint("good", f"All {self.step} steps succeeded."))
        self._say("On a real fleet: sign in with `az login`, then `patchmode doctor` and `patchmode audit`.")

    # -------------------------------------------------------------------------------------------- telling

    def _title(self, text: str) -> None:
        self.step += 1
        click.echo()
        click.echo(self.paint("strong", f"── {self.step}. {text}"))
        click.echo()
        self.begins = True
        sys.stdout.flush()

    def _say(self, text: str) -> None:
        self.begins = False
        for line in wrapped(text, paint=self.paint):
            click.echo(line)

    def _json(self, *args: str, expected: Exit | Sequence[Exit]) -> Any:
        """What one command of patchmode answers as JSON, quietly."""
        return json.loads(self._run(*args, "-q", "-o", "json", expected=expected, shown=False))

    def _run(self, *args: str, expected: Exit | Sequence[Exit], shown: bool = True) -> str:
        """Run one command of patchmode in a process of its own; its output is shown, or returned."""
        if shown:
            if not self.begins:
                click.echo()
            self.begins = False
            words = [f"'{_name(arg)}'" if arg.startswith("/") else arg for arg in args]
            click.echo(self.paint("strong", f"$ patchmode {' '.join(words)}"))
            sys.stdout.flush()
        done = subprocess.run(  # noqa: S603 - our own program with our own arguments
            [sys.executable, "-m", "patchmode", *args, *self.options],
            cwd=self.folder,
            env={**self.server.environment, "PATCHMODE_STATE_DIR": str(self.folder / "state")},
            stdin=subprocess.DEVNULL,
            stdout=None if shown else subprocess.PIPE,
            text=True,
            encoding="utf-8",
            check=False,
        )
        if done.returncode not in ((expected,) if isinstance(expected, Exit) else expected):
            raise StoryError(f"`patchmode {' '.join(args[:2])}` should not have ended with {done.returncode}")
        return done.stdout or ""


def _name(machine_id: str) -> str:
    return machine_id.rsplit("/", 1)[-1]


def _loner(rest: Rest, configuration: dict[str, Any]) -> str:
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
        raise StoryError("the fleet has no machine for this story")
    return str(min(fitting, key=lambda machine: (not _name(machine).startswith("rhel-"), machine)))


def _clock(moment: str) -> str:
    """`2026-11-24T03:31:45.2+00:00` as a person reads it."""
    return f"{datetime.fromisoformat(moment):%A %Y-%m-%d %H:%M} UTC"
