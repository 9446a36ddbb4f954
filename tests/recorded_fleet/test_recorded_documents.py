"""The main job on real machines' documents: every recorded VM, loaded into the emulator as it was answered.

The documents are read from the recordings beside the project and are not part of it; where the folder is absent these
tests skip and say so. What counts is the emulator's own state before and after: for every machine every leaf outside
the patch settings is what it was.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli import forked
from tests.cli.conftest import PROGRAM, installed

from arm_emulator.profile import Profile
from arm_emulator.protocol.throttle import Limits
from arm_emulator.testing import Running, running

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = ROOT.parent / "shared" / "recordings"
SERVICE_WRITTEN = {"etag", "provisioningState", "instanceView", "resources"}
TENANT = "11111111-1111-1111-1111-111111111111"
pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recorded exchanges are not beside the project")


def recorded_machines() -> dict[str, dict[str, Any]]:
    """The last recorded GET of each machine, by its id in lower case."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((RECORDINGS / "vm_get").glob("*.json")):
        exchange = json.loads(path.read_text(encoding="utf-8"))
        body = exchange["response"].get("body")
        if exchange["response"]["status"] == 200 and isinstance(body, dict) and "properties" in body:
            source = exchange["source"].rpartition("#")[0]
            found[f"{source} {body['id']}".lower()] = body
    return {document["id"].lower(): document for document in found.values()}


def fleet_of(machines: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A fleet file's content: the documents as they are, and the subscriptions that they name."""
    subscriptions = sorted({key.split("/")[2] for key in machines})
    return {
        "subscriptions": [
            {"subscriptionId": entry, "displayName": f"recorded {index}", "tenantId": TENANT}
            for index, entry in enumerate(subscriptions)
        ],
        "resources": list(machines.values()),
    }


@pytest.fixture(scope="module")
def machines() -> dict[str, dict[str, Any]]:
    """The recorded machines."""
    return recorded_machines()


@pytest.fixture(params=["cleared", "kept"])
def served(request: pytest.FixtureRequest, machines: dict[str, dict[str, Any]]) -> Iterator[Running]:
    """An emulator with the recorded fleet, once for each answer to what leaving AutomaticByPlatform does."""
    profile = Profile(leaving_automatic_by_platform=request.param)
    with running(fleet=fleet_of(machines), lro_seconds=0, limits=Limits(is_off=True), profile=profile) as emulator:
        yield emulator


def patchmode(served: Running, state: Path, *arguments: str) -> tuple[int, Any]:
    """Run the command; its exit code and its JSON result."""
    given = (*arguments, "-o", "json", "--state-dir", str(state))
    environment = {**os.environ, **served.env}
    run = forked.run if forked.IS_POSSIBLE else installed
    result = run(PROGRAM, given, cwd=state.parent, env=environment, stdin="", timeout_s=60)
    assert "Traceback" not in result.stderr, result.stderr
    return result.returncode, json.loads(result.stdout) if result.stdout.strip() else result.stderr


def stored(served: Running) -> dict[str, dict[str, Any]]:
    """The emulator's own documents of machines, by id in lower case."""
    return {
        entry.id.lower(): json.loads(json.dumps(entry.document))
        for entry in served.emulator.state.of_type("microsoft.compute/virtualmachines")
    }


def leaves(value: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Every leaf outside the patch settings and what the service writes by itself."""
    if path and (path[-1] == "patchSettings" or path[-1] in SERVICE_WRITTEN):
        return {}
    if isinstance(value, dict) and value:
        return {p: v for key, child in value.items() for p, v in leaves(child, (*path, key)).items()}
    if isinstance(value, list) and value:
        return {p: v for index, child in enumerate(value) for p, v in leaves(child, (*path, str(index))).items()}
    return {path: value}


def patch_settings(document: dict[str, Any]) -> dict[str, Any] | None:
    """The machine's patchSettings, None where it has none."""
    profile = document["properties"].get("osProfile") or {}
    return next((profile[key].get("patchSettings") for key in profile if key.endswith("Configuration")), None)


def test_the_whole_job_on_recorded_machines(
    served: Running, machines: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    """Audit, plan, apply, verify and rollback end as documented, and siblings never move."""
    before = stored(served)
    assert {key: leaves(document) for key, document in before.items()} == {
        key: leaves(document) for key, document in machines.items()
    }
    code, audit = patchmode(served, tmp_path, "audit", "--all")
    assert code == 10
    assert audit["counts"]["scope"] == len(machines)
    plan_file = tmp_path / "plan.json"
    code, plan = patchmode(served, tmp_path, "plan", "--all", "--out", str(plan_file))
    assert code == 10
    assert plan["counts"]["scope"] == len(machines)
    changed = {change["id"].lower(): change for change in plan["changes"]}
    assert len(changed) > len(machines) / 2
    code, run = patchmode(served, tmp_path, "apply", str(plan_file), "--yes")
    failed = {entry["id"].lower() for entry in run["results"] if entry["result"] != "applied"}
    assert failed == set(), [entry for entry in run["results"] if entry["result"] != "applied"]
    assert run["counts"]["blocked"] > 0  # clients and others that Update Manager never patches
    assert code == 10
    assert run["counts"]["verified"] == len(changed)
    after = stored(served)
    for key, document in after.items():
        settings = patch_settings(document)
        if key in changed:
            assert settings is not None
            assert settings["patchMode"] == "AutomaticByPlatform"
            assert settings["automaticByPlatformSettings"]["bypassPlatformSafetyChecksOnUserSchedule"] is True
        else:
            assert settings == patch_settings(before[key])
        if (before[key]["properties"].get("osProfile")) is not None:
            assert leaves(document) == leaves(before[key]), key
    code, verification = patchmode(served, tmp_path, "verify", run["run"])
    assert (code, verification["counts"]["verified"]) == (10, len(changed)), verification
    code, rollback = patchmode(served, tmp_path, "rollback", run["run"], "--yes")
    assert code in {0, 10}, rollback
    restored = {entry["id"].lower() for entry in rollback["results"] if entry["result"] == "applied"}
    reversible = {
        key
        for key, change in changed.items()
        if change["reversible"] and change["before"].get("patchMode") != "AutomaticByPlatform"
    }
    assert restored == reversible
    final = stored(served)
    for key in reversible:
        mode = (patch_settings(final[key]) or {})["patchMode"]
        assert mode == (patch_settings(before[key]) or {})["patchMode"]
        assert leaves(final[key]) == leaves(before[key])
