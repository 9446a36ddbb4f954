"""Cloud Custodian, which knows Azure's public cloud only, through the emulator's proxy."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.clients.conftest import Tried
from tests.clients.environments import CUSTODIAN
from tests.clients.running import MACHINES, SUBSCRIPTION, Running

CLIENT = CUSTODIAN
OPTIONS = ("--proxy",)
POLICIES = Path(__file__).parent / "custodian" / "policies.yml"
pytestmark = pytest.mark.clients


def test_custodian_finds_and_tags_machines(
    tried: Tried, emulator: Running, environment: dict[str, str], tmp_path: Path
) -> None:
    """Six policies: every machine, one by model and instance view, a tag, a size, a refusal, Resource Graph."""
    own = {**environment, "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION}
    python = "from importlib.metadata import version as v; print(v('c7n') + ', c7n-azure ' + v('c7n-azure'))"
    tried.version = _run([str(CLIENT.program("python")), "-c", python], own).stdout.strip()
    command = [str(CLIENT.program("custodian")), "run", "-s", str(tmp_path / "out"), "--cache-period", "0"]
    done = _run([*command, str(POLICIES)], own)
    assert done.returncode == 0, done.stderr[-3000:]
    found = {one.parent.name: json.loads(one.read_text("utf-8")) for one in (tmp_path / "out").glob("*/resources.json")}
    assert len(found["lists"]) == MACHINES
    tried.note("lists", f"azure.vm: {MACHINES} machines in pages of 15")
    assert _names(found["reads"]) == ["api-01"]
    tried.note("reads", "filters on patchMode and instance-view")
    assert emulator.resource("api-02")["tags"] == {"ring": "3"}
    assert emulator.resource("api-04")["properties"]["hardwareProfile"]["vmSize"] == "Standard_D4s_v5"
    tried.note("changes", "actions tag and resize; it has none for patch settings")
    assert "(ScopeLocked)" in done.stderr
    tried.note("is refused", "ScopeLocked, in its log; its exit code is 0")
    tried.cannot("polls", "resize starts the operation; its SDK polls in a thread, and nobody waits for that")
    tried.cannot("sees a failure", "as nobody waits for the end")
    # It reads columns and rows at an api-version of which no source says what it answers.
    asked = next(one for one in emulator.requests() if "ResourceGraph" in one["path"])
    assert (asked["apiVersion"], "options" in asked["requestBody"]) == ("2020-04-01-preview", False)
    assert _names(found["queries"]) == ["api-01"]
    tried.note("queries", "source: resource-graph, with the switch graph_preview_format: table")
    tried.cannot("attaches", "it has no action for Microsoft.Maintenance")
    tried.cannot("Arc", "it has no resource for Microsoft.HybridCompute/machines")


def _names(resources: list[dict[str, Any]]) -> list[str]:
    return [one["name"] for one in resources]


def _run(command: list[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
