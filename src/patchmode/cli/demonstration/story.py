"""The story, step by step; each step is checked, and the story ends well only if every step ended as told.

Must not: print a number that does not come from this run.
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from patchmode.cli.demonstration.rest import Rest, told
from patchmode.cli.demonstration.server import Server
from patchmode.cli.exits import Exit
from patchmode.reports.columns import wrapped
from patchmode.reports.paint import Paint

REFUSAL = "UnsupportedResourceOperation"
_ACCEPTED = (200, 201)


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

    def tell(self) -> None:
        """Tell the whole story.

        Raises:
            StoryError: a step did not end as told; what happened has been shown.
        """
        rest = Rest(self.server)
        plan, before = self._look_around()
        configuration = self._configuration(rest, before)
        attached, restored = self._heroes(before, configuration)
        self._refused(rest, attached, configuration)
        self._reviewed()
        self._applied(plan)
        self._accepted(rest, attached, configuration)
        self._rolled_back(restored, before)
        self._numbers(rest)

    def _look_around(self) -> tuple[Path, dict[str, Any]]:
        """A plan of the whole fleet, made quietly, to choose the machines of the story from."""
        path = self.folder / "plan.json"
        output = self._run("plan", "--all", "-q", "-o", "json", expected=Exit.FINDINGS, shown=False)
        return path, {change["id"]: change for change in json.loads(output)["changes"]}

    def _configuration(self, rest: Rest, changes: dict[str, Any]) -> dict[str, Any]:
        for subscription_id in dict.fromkeys(identifier.split("/")[2] for identifier in changes):
            for configuration in rest.maintenance_configurations(subscription_id):
                if configuration["properties"].get("maintenanceScope") == "InGuestPatch":
                    return configuration
        raise StoryError("the fleet has no schedule to attach")

    def _heroes(self, changes: dict[str, Any], configuration: dict[str, Any]) -> tuple[str, str]:
        """The machine whose schedule is attached, and the one that is rolled back."""
        place = configuration["location"].replace(" ", "").lower()
        subscription_id = configuration["id"].split("/")[2]
        fitting = [
            identifier
            for identifier, change in changes.items()
            if change["reversible"]
            and change["location"] == place
            and identifier.split("/")[2] == subscription_id
            and change["before"]
            and change["before"].get("patchMode") != "AutomaticByPlatform"
        ]
        if len(fitting) < 2:
            raise StoryError("the fleet has no two machines to tell of")
        fitting.sort(key=lambda identifier: (not _name(identifier).startswith("web-"), identifier))
        return fitting[0], fitting[1]

    # -------------------------------------------------------------------------------------------- steps

    def _refused(self, rest: Rest, machine: str, configuration: dict[str, Any]) -> None:
        self._title(f"The problem: a schedule is attached to {_name(machine)}")
        self._say("What the portal, Terraform or a script sends when a maintenance configuration is assigned:")
        status, answer = self._attach(rest, machine, configuration)
        code, message = told(answer)
        click.echo(f"  {self.paint('bad', f'{status} {code}')}")
        for line in wrapped(message, paint=self.paint, indent=2):
            click.echo(line)
        if status != 400 or code != REFUSAL:
            raise StoryError(f"the attach should have been refused with {REFUSAL}, and was answered {status} {code}")

    def _reviewed(self) -> None:
        self._title("Audit: which machines, and who patches them today")
        self._run("audit", "--all", expected=Exit.FINDINGS)
        self._title("Plan: the exact changes, reviewed before anything is sent")
        self._run("plan", "--all", "--out", "plan.json", expected=Exit.FINDINGS)

    def _applied(self, plan: Path) -> None:
        self._title("Apply: that file and nothing else")
        self._run("apply", "plan.json", "--yes", expected=Exit.DONE)
        if not plan.exists():
            raise StoryError("the plan file is gone")
        self._title("Verify: the provider itself is read again, every leaf compared")
        self._run("verify", "plan.json", expected=Exit.DONE)

    def _accepted(self, rest: Rest, machine: str, configuration: dict[str, Any]) -> None:
        self._title(f"The same attach to {_name(machine)}, word for word, once more")
        status, answer = self._attach(rest, machine, configuration)
        if status not in _ACCEPTED:
            raise StoryError(f"the attach should have been accepted, and was answered {status}: {told(answer)[1]}")
        click.echo(f"  {self.paint('good', f'{status} attached')}  {configuration['name']}")

    def _rolled_back(self, machine: str, changes: dict[str, Any]) -> None:
        self._title(f"Rollback of one: {_name(machine)} was a mistake")
        self._run("rollback", "latest", "--ids", machine, "--yes", expected=Exit.DONE)
        output = self._run("explain", machine, "-q", "-o", "json", expected=Exit.DONE, shown=False)
        found = json.loads(output)["machine"]["patchMode"]
        before = changes[machine]["before"]["patchMode"]
        if found != before:
            raise StoryError(f"{_name(machine)} should be back at {before}, and is at {found}")

    def _numbers(self, rest: Rest) -> None:
        self._title("What it took")
        output = self._run("runs", "list", "-q", "-o", "json", expected=Exit.DONE, shown=False)
        run = json.loads(output)["runs"][0]["run"]
        shown = json.loads(self._run("runs", "show", run, "-q", "-o", "json", expected=Exit.DONE, shown=False))
        counts, requests = shown["counts"], shown["requests"]
        status, ledger = rest.call("GET", "/_emulator/requests")
        if status != 200:
            raise StoryError(f"the server did not tell what it received: {status}")
        patches = sum(entry["method"] == "PATCH" for entry in ledger["requests"])
        self._say(
            f"{counts['applied']} machines changed and {counts['verified']} of them verified with "
            f"{sum(requests.values())} requests to apply and verify; {counts['unchanged']} were right already, "
            f"{counts['skipped']} left alone with a reason, {counts['failed']} failed."
        )
        self._say(
            f"The server counted {patches} PATCH requests in all, the rollback included. "
            f"The story took {time.monotonic() - self.began:.0f} s, and nothing left this computer."
        )
        if counts["verified"] != counts["applied"] or counts["applied"] != len(shown["results"]):
            raise StoryError("not every change was applied and verified")
        click.echo(self.paint("good", "Every step ended as told."))
        self._say("On a real fleet: sign in with `az login`, then `patchmode doctor` and `patchmode audit`.")

    # -------------------------------------------------------------------------------------------- telling

    def _attach(self, rest: Rest, machine: str, configuration: dict[str, Any]) -> tuple[int, Any]:
        click.echo(self.paint("strong", f"> PUT …/{_name(machine)}/providers/Microsoft.Maintenance/"))
        click.echo(self.paint("strong", f"      configurationAssignments/…  ({configuration['name']})"))
        return rest.attach(machine, configuration)

    def _title(self, text: str) -> None:
        self.step += 1
        click.echo()
        click.echo(self.paint("strong", f"── {self.step}. {text}"))
        click.echo()
        sys.stdout.flush()

    def _say(self, text: str) -> None:
        for line in wrapped(text, paint=self.paint):
            click.echo(line)

    def _run(self, *args: str, expected: Exit, shown: bool = True) -> str:
        """Run one command of patchmode in a process of its own; its output is shown, or returned."""
        if shown:
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
        if done.returncode != expected:
            raise StoryError(f"`patchmode {args[0]}` should have ended with {int(expected)}, not {done.returncode}")
        return done.stdout or ""


def _name(machine_id: str) -> str:
    return machine_id.rsplit("/", 1)[-1]
