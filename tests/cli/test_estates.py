"""Commands on generated estates: what they tell adds up, and agrees with what the emulator recorded."""

import json
from collections import Counter, defaultdict
from datetime import timedelta
from typing import Any

import pytest
from tests.cli.conftest import Start

from arm_emulator.clock import Clock
from arm_emulator.named_fleets import read_fleet

REASONS = {
    "UnsupportedResourceOperation": "prerequisite",
    "ShutdownOrUnresponsive": "off",
    "Unsupported": "unsupported",
    "TimeOut": "timed-out",
}
"""Azure's code → our reason; of the others the message decides."""


def reason(part: dict[str, Any]) -> str:
    """Why a machine's part in a run failed, in our words, read here by itself."""
    error = part["errorDetails"]
    return REASONS.get(error["code"]) or ("window-exceeded" if "window exceeded" in error["message"] else "other")


def recorded(program: Any) -> list[dict[str, Any]]:
    """The rows of machines in runs, of subscriptions that are enabled or not."""
    rows = program.served.emulator.patching.rows("maintenanceresources")
    return [row.document["properties"] for row in rows if row.type == "microsoft.maintenance/applyupdates"]


@pytest.mark.parametrize("name", ["small-estate", "mixed-estate"])
def test_what_is_told_of_an_estate_adds_up(start: Start, name: str) -> None:
    """Each machine once and with an outcome; every run that the emulator recorded, by reason; and whom a plan takes."""
    # The clock stands still: no window opens or ends between a command and the record that it is compared with.
    program = start(name, clock=Clock(monotonic=lambda: 0.0))
    audit = json.loads(program("audit", "--all", "-o", "json").out)
    machines = audit["machines"]
    size = {"small-estate": 60, "mixed-estate": 400}[name]
    assert len({one["id"].lower() for one in machines}) == len(machines) == size
    outcomes = {one["outcome"] for one in machines}
    assert {"scheduled", "schedule-fails", "parked", "autopatched", "guest-managed", "ineligible"} <= outcomes

    parts = [part for part in recorded(program) if part["status"] != "InProgress"]
    told = json.loads(program("schedule", "failures", "--since", "20d", "-o", "json").out)
    by_reason: Counter[str] = Counter()
    for run in told["runs"]:
        for entry in run["failures"]:
            by_reason[entry["reason"]] += len(entry["machines"])
            assert len(entry["texts"]) == len(entry["machines"])
    failed = [part for part in parts if part["status"] == "Failed"]
    assert by_reason == Counter(map(reason, failed))
    assert told["counts"]["succeeded"] == len(parts) - len(failed)

    last: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for part in parts:
        last[part["resourceId"]].append(part)
    wanted = set()
    for machine, mine in last.items():
        newest = max(part["startDateTime"] for part in mine)
        if any(part["startDateTime"] == newest and part["status"] == "Failed" and reason(part) == "prerequisite"
               for part in mine):  # fmt: skip
            wanted.add(machine)
    plan = json.loads(program("plan", "--failed-since", "20d", "--out", "plan.json", "-o", "json").out)
    taken = {entry["id"].lower() for kind in ("changes", "unchanged", "skipped") for entry in plan[kind]}
    assert taken == wanted
    assert plan["changes"]


def test_what_audit_says_of_the_next_window_happens(start: Start) -> None:
    """In four weeks, of every machine; but for what Resource Graph does not tell: silent agents, failing updates."""
    program = start("mixed-estate", clock=Clock(monotonic=lambda: 0.0))
    emulator = program.served.emulator  # type: ignore[attr-defined]
    outcomes = {
        one["id"].lower(): one["outcome"] for one in json.loads(program("audit", "--all", "-o", "json").out)["machines"]
    }
    began = f"{emulator.clock.now():%Y-%m-%dT%H:%M:%SZ}"
    emulator.clock.advance(timedelta(days=28))
    first: dict[str, dict[str, Any]] = {}
    for part in sorted(recorded(program), key=lambda part: str(part["startDateTime"]), reverse=True):
        if part["startDateTime"] > began:
            first[part["resourceId"]] = part
    not_told = {entry["id"].lower() for entry in read_fleet("mixed-estate")["guests"]} | {
        stored.key
        for stored in emulator.state.of_type("Microsoft.Compute/virtualMachines")
        if "Not Ready" in str(stored.document["properties"].get("instanceView"))
    }
    expected = {"Succeeded": {"scheduled", "unknown"}, "Failed": {"schedule-fails", "ineligible", "unknown"}}
    wrong = {
        machine: (outcomes[machine], part["status"])
        for machine, part in first.items()
        if machine not in not_told and part["status"] in expected and outcomes[machine] not in expected[part["status"]]
    }
    assert wrong == {}
    patched = {
        row.parent
        for row in emulator.patching.rows("patchinstallationresources")
        if row.document["properties"].get("startedBy") == "Platform"
        and row.document["properties"]["startDateTime"] > began
    }
    assert patched
    assert {outcomes[machine] for machine in patched} <= {"autopatched", "unknown"}
