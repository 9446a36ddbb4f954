"""Microsoft's SDKs for Python and Node.js, told nothing but the endpoint, do the change."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.clients.conftest import Tried
from tests.clients.environments import NODE, SDK
from tests.clients.running import ARC, CONFIGURATION, FAILING, FAILS, MACHINES, PAIR, QUERY, SUBSCRIPTION, Running

HERE = Path(__file__).parent
pytestmark = pytest.mark.clients


def _seen(tried: Tried, emulator: Running, environment: dict[str, str]) -> dict[str, Any]:
    """What a client's program prints."""
    emulator.fail(FAILING)
    told = {
        "ENDPOINT": emulator.endpoint,
        "SUBSCRIPTION": SUBSCRIPTION,
        "CONFIGURATION": CONFIGURATION,
        "QUERY": QUERY,
        "SETTINGS": json.dumps(PAIR),
    }
    node = [tried.client.program("node"), "--input-type=module", "-"]
    command, text = (
        (node, HERE / "node" / "sdk.mjs")
        if tried.client is NODE
        else ([tried.client.program("python"), "-"], HERE / "sdk.py")
    )
    done = subprocess.run(
        command,
        input=text.read_text("utf-8"),
        env={**environment, **told},
        cwd=tried.client.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


@pytest.mark.parametrize("tried", [SDK, NODE], indirect=True, ids=["python", "node"])
def test_an_sdk_changes_a_machine(tried: Tried, emulator: Running, environment: dict[str, str]) -> None:
    """List, read, PATCH under If-Match, the refusals, the operation that fails, Resource Graph and Arc."""
    seen = _seen(tried, emulator, environment)
    tried.version = seen["version"]
    assert (seen["listed"], emulator.pages()) == (MACHINES, 3)
    tried.note("lists", f"{MACHINES} machines in 3 pages")
    assert seen["read"] == "ImageDefault"
    assert "PowerState/running" in seen["power"]
    tried.note("reads", "model and instance view")
    assert seen["changed"] == "AutomaticByPlatform"
    assert emulator.settings("api-01") == {**PAIR, "assessmentMode": "ImageDefault"}
    tried.note("changes", "PATCH under If-Match, both fields")
    assert (seen["stale"], seen["locked"], seen["missing"]) == ("PreconditionFailed", "ScopeLocked", "ResourceNotFound")
    tried.note("is refused", "PreconditionFailed, ScopeLocked, ResourceNotFound")
    assert emulator.polls() >= 2
    tried.note("polls", f"{emulator.polls()} requests to Azure-AsyncOperation, two operations")
    # The npm SDK puts the code into the error's text.
    assert FAILS in seen["failed"] if tried.client is NODE else seen["failed"] == FAILS
    tried.note("sees a failure", FAILS)
    assert seen["queried"] == [{"name": "api-01", "mode": "AutomaticByPlatform"}]
    tried.note("queries", "one row, as objects")
    assert set(seen["arc"]) == ARC
    tried.note("Arc", "listed")
    if tried.client is NODE:
        tried.cannot("attaches", "npm has no @azure/arm-maintenance")
        return
    assert seen["early"] == "UnsupportedResourceOperation"
    assert seen["attached"] == [CONFIGURATION.lower()]
    tried.note("attaches", "refused before the change (UnsupportedResourceOperation), accepted after it")
