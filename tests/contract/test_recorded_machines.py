"""Every recorded machine, loaded as it is, takes the one PATCH that this project is about, and nothing else moves."""

from collections import Counter
from typing import Any

import pytest
from tests.contract.recordings import ABSENT, Exchange, exchanges, is_here
from tests.contract.replay import Replay

pytestmark = pytest.mark.skipif(not is_here(), reason=ABSENT)
TARGET = {
    "patchMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
}
KNOWN_REFUSALS = (
    (
        "The patchMode 'AutomaticByPlatform' is invalid. "
        "For patchMode 'AutomaticByPlatform', the property 'provisionVMAgent' must be set to true."
    ),
    "Operation 'Update VM' is not allowed on VM 'asotest-vm-jwotai' since the VM is marked for deletion.",
)
"""One recorded machine has no agent, one is being deleted."""
VERSION = "?api-version=2024-07-01"


def _machines() -> dict[str, Exchange]:
    """The last GET of each machine, by recording and id; one of each shape would not do, they are all odd."""
    found: dict[str, Exchange] = {}
    for group in ("vm_get", "vm_get_instanceview", "vmss_flex_instances"):
        for exchange in exchanges(group):
            if exchange.is_machine and isinstance(exchange.answer, dict):
                found[f"{exchange.source}{exchange.path}".lower()] = exchange
    return found


def _leaves(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict) and value:
        return {key: leaf for name, item in value.items() for key, leaf in _leaves(item, f"{path}{name}.").items()}
    return {path.removesuffix("."): value}


def _body(document: dict[str, Any]) -> dict[str, Any]:
    system = document["properties"]["storageProfile"]["osDisk"]["osType"].lower()
    return {"properties": {"osProfile": {f"{system}Configuration": {"patchSettings": TARGET}}}}


def test_the_patch_moves_the_patch_settings_alone() -> None:
    """For every machine every leaf outside the patch settings is what it was."""
    outcomes: Counter[str] = Counter()
    for exchange in _machines().values():
        replay = Replay((exchange.answer,), exchange)
        url = f"{exchange.path}{VERSION}"
        before = _leaves(replay.call("GET", url, {}, None).body)
        answer = replay.call("PATCH", url, {}, _body(exchange.answer))
        replay.finish()
        after = _leaves(replay.call("GET", url, {}, None).body)
        moved = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        if answer.status != 200:
            outcomes[answer.body["error"]["message"]] += 1
            assert moved == set(), exchange.case
            continue
        outcomes["accepted"] += 1
        assert {path for path in moved if not _may_move(path)} == set(), exchange.case
        settings = {path.rpartition(".")[2]: leaf for path, leaf in after.items() if ".patchSettings." in path}
        assert settings["patchMode"] == "AutomaticByPlatform"
        assert settings["bypassPlatformSafetyChecksOnUserSchedule"] is True
    print(f"\n{dict(outcomes)}")  # noqa: T201  how many, and why the others not
    refused = {message for message in outcomes if message != "accepted"}
    assert outcomes["accepted"] > 400
    assert all(message.startswith(KNOWN_REFUSALS) for message in refused)


def _may_move(path: str) -> bool:
    is_block = ".patchSettings." in path or path in _EMPTIED
    return is_block or path in ("properties.provisioningState", "etag")


_EMPTIED = {"properties.osProfile"}
"""A machine without osProfile gets one that holds patch settings alone."""
