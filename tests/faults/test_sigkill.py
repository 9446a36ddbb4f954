"""`apply` killed with SIGKILL at each step of its journal, then resumed: the same fleet, and no write too many.

Against the emulator over TLS, in processes of their own; the emulator's ledger shows what was sent.
"""

import json
import os
import ssl
import subprocess
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.cli import forked
from tests.unit.workflow.fleet_double import OTHER_SUBSCRIPTION, SUBSCRIPTION, settings_of, vm

from arm_emulator.testing import Running, running

STEPS = 6
"""What an undisturbed run of these machines writes down, one machine at a time."""
MAINTENANCE = "Microsoft.Maintenance"
TENANT = "99999999-9999-9999-9999-999999999999"
FLEET = {
    "subscriptions": [
        {"subscriptionId": SUBSCRIPTION, "displayName": "Prod", "tenantId": TENANT},
        {"subscriptionId": OTHER_SUBSCRIPTION, "displayName": "Test", "tenantId": TENANT},
    ],
    "resources": [vm("web"), vm("old", etag=False, subscription=OTHER_SUBSCRIPTION)],
}


def prepared(name: str) -> dict[str, Any]:
    """A machine that is ready for a schedule."""
    document = vm(name)
    settings_of(document).update(
        patchMode="AutomaticByPlatform", automaticByPlatformSettings={"bypassPlatformSafetyChecksOnUserSchedule": True}
    )
    return document


def carry_out(
    emulator: Running, state: Path, *, at: int = -1, committed: bool = False, schedule: str | None = None
) -> subprocess.CompletedProcess[str]:
    arguments = [str(state), str(at), str(int(committed)), *([schedule] if schedule else [])]
    return forked.run_module("tests.faults.dying_apply", arguments, env={**os.environ, **emulator.env}, timeout_s=60)


def ask(emulator: Running, path: str) -> Any:
    trust = ssl.create_default_context(cafile=str(emulator.ca))
    with urllib.request.urlopen(f"{emulator.endpoint}/_emulator/{path}", context=trust) as answer:
        return json.load(answer)


def fleet_of(emulator: Running) -> dict[str, Any]:
    """Each machine's document, the whole of it: the etag says how often it was written."""
    machines = [one for one in ask(emulator, "state")["resources"] if one["type"].endswith("virtualMachines")]
    assert len(machines) == 2
    return {one["name"]: one for one in machines}


def patches_of(emulator: Running) -> Counter[tuple[str, int]]:
    """(machine, status) → PATCHes in the ledger."""
    return Counter(
        (request["path"].rpartition("/")[2], request["status"])
        for request in ask(emulator, "requests")["requests"]
        if request["method"] == "PATCH"
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The fleet after a run that nothing disturbed."""
    with running(fleet=FLEET, lro_seconds=0) as emulator:
        ended = carry_out(emulator, tmp_path_factory.mktemp("state"))
        assert (ended.returncode, ended.stdout) == (0, f"{STEPS} finished 2 2 0\n"), ended.stderr
        assert patches_of(emulator) == {("web", 200): 1, ("old", 200): 1}
        return fleet_of(emulator)


@pytest.mark.parametrize("committed", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(STEPS))
def test_killed_at_a_step_and_resumed(undisturbed: dict[str, Any], tmp_path: Path, step: int, committed: bool) -> None:
    with running(fleet=FLEET, lro_seconds=0) as emulator:
        killed = carry_out(emulator, tmp_path, at=step, committed=committed)
        assert killed.returncode == -9, killed.stderr
        before = patches_of(emulator)
        resumed = carry_out(emulator, tmp_path)
        assert resumed.returncode == 0, resumed.stderr
        assert resumed.stdout.split()[1:] == ["finished", "2", "2", "0"]
        assert fleet_of(emulator) == undisturbed
        assert patches_of(emulator) == {("web", 200): 1, ("old", 200): 1}
        assert before <= patches_of(emulator)


# ------------------------------------------------------------------------------------------------ with a schedule

CONFIGURATION = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/web/providers/{MAINTENANCE}/maintenanceConfigurations/weekly"
)
WITH_SCHEDULE = {
    "subscriptions": FLEET["subscriptions"],
    "resources": [
        vm("web"),
        prepared("right"),
        {
            "id": CONFIGURATION,
            "name": "weekly",
            "type": f"{MAINTENANCE}/maintenanceConfigurations",
            "location": "westeurope",
            "properties": {
                "maintenanceScope": "InGuestPatch",
                "extensionProperties": {"InGuestPatchMode": "User"},
                "maintenanceWindow": {
                    "startDateTime": "2024-01-01 03:00",
                    "duration": "02:00",
                    "timeZone": "UTC",
                    "recurEvery": "Week Saturday",
                },
                "installPatches": {"rebootSetting": "IfRequired"},
            },
        },
    ],
}
SCHEDULE_STEPS = 7
"""Three of the change, two of each attachment."""


def assignments_of(emulator: Running) -> set[str]:
    """Ids in lower case of what is attached."""
    resources = ask(emulator, "state")["resources"]
    return {one["id"].lower() for one in resources if one["type"].lower().endswith("/configurationassignments")}


def outcome_of(emulator: Running) -> tuple[dict[str, Any], set[str]]:
    return fleet_of(emulator), assignments_of(emulator)


@pytest.fixture(scope="module")
def attached(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], set[str]]:
    """The fleet and its assignments after a run that nothing disturbed."""
    with running(fleet=WITH_SCHEDULE, lro_seconds=0) as emulator:
        ended = carry_out(emulator, tmp_path_factory.mktemp("state"), schedule=CONFIGURATION)
        assert (ended.returncode, ended.stdout) == (0, f"{SCHEDULE_STEPS} finished 1 1 2\n"), ended.stderr
        assert len(assignments_of(emulator)) == 2
        return outcome_of(emulator)


@pytest.mark.parametrize("committed", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(SCHEDULE_STEPS))
def test_killed_at_a_step_of_attaching_and_resumed(
    attached: tuple[dict[str, Any], set[str]], tmp_path: Path, step: int, committed: bool
) -> None:
    with running(fleet=WITH_SCHEDULE, lro_seconds=0) as emulator:
        killed = carry_out(emulator, tmp_path, at=step, committed=committed, schedule=CONFIGURATION)
        assert killed.returncode == -9, killed.stderr
        resumed = carry_out(emulator, tmp_path)
        assert resumed.returncode == 0, resumed.stderr
        assert resumed.stdout.split()[1:] == ["finished", "1", "1", "2"]
        assert outcome_of(emulator) == attached
        assert patches_of(emulator) == {("web", 200): 1}
