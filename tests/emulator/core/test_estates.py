"""The estates: what each holds, in which shares, and that the same seed makes the same."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.docs.pages import ROOT
from tests.examples import examples

from arm_emulator.app import Emulator
from arm_emulator.cli import main
from arm_emulator.clock import Clock
from arm_emulator.estate_patching import PECULIAR, troubles_of
from arm_emulator.estates import ATTACHED, ESTATES, EXTENSIONS, KINDS, MODES, TROUBLED, dealt, estate_document
from arm_emulator.fleets import checked
from arm_emulator.named_fleets import read_fleet

Document = dict[str, Any]
Test = Callable[[Document], Any]
AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
VM, ARC = "Microsoft.Compute/virtualMachines", "Microsoft.HybridCompute/machines"


def loaded(fleet: Document) -> Emulator:
    """An emulator with a fleet, at one moment."""
    return Emulator(clock=Clock(AT, monotonic=lambda: 0.0), fleet=fleet)


@cache
def estate(name: str) -> Emulator:
    """An estate of its own size. Read it only."""
    return loaded(read_fleet(f"{name}-estate"))


def documents(emulator: Emulator, type_: str = VM) -> list[Document]:
    """The stored documents of a type."""
    return [stored.document for stored in emulator.state.of_type(type_)]


def patching(machine: Document) -> Document:
    """A machine's ``patchSettings``."""
    profile = machine["properties"].get("osProfile", {})
    blocks = (profile.get(f"{system}Configuration") for system in ("windows", "linux"))
    return next((block.get("patchSettings", {}) for block in blocks if block), {})


def platform(machine: Document) -> Document:
    """``automaticByPlatformSettings``, ``{}`` where there is none."""
    found: Document = patching(machine).get("automaticByPlatformSettings", {})
    return found


def image(machine: Document) -> str:
    """Publisher and offer, the id of an image of one's own, or nothing."""
    found = machine["properties"]["storageProfile"].get("imageReference", {})
    return found.get("id") or f"{found.get('publisher', '')}/{found.get('offer', '')}"


def power(machine: Document) -> str:
    """The power state where the instance view tells one."""
    statuses = machine["properties"].get("instanceView", {}).get("statuses", ())
    codes = [status["code"] for status in statuses if status["code"].startswith("PowerState/")]
    return codes[0].removeprefix("PowerState/") if codes else "running"


def extensions(machine: Document) -> Iterator[tuple[str, str]]:
    """Type and provisioning state of each."""
    for child in machine.get("resources", ()):
        yield child["properties"]["type"], child["properties"]["provisioningState"]


def agent(machine: Document) -> str:
    """What the agent says of itself, where the instance view tells it."""
    view = machine["properties"].get("instanceView", {})
    return str(view.get("vmAgent", {}).get("statuses", [{}])[0].get("displayStatus", ""))


BYPASS = "bypassPlatformSafetyChecksOnUserSchedule"
MACHINES: dict[str, Test] = {
    "by OS": lambda one: patching(one).get("patchMode") == "AutomaticByOS",
    "manual": lambda one: patching(one).get("patchMode") == "Manual",
    "image default": lambda one: patching(one).get("patchMode") == "ImageDefault",
    "by platform": lambda one: patching(one).get("patchMode") == "AutomaticByPlatform",
    "no settings": lambda one: "osProfile" in one["properties"] and not patching(one),
    "bypass true": lambda one: platform(one).get(BYPASS) is True,
    "bypass false": lambda one: platform(one).get(BYPASS) is False and "enableHotpatching" not in patching(one),
    "bypass absent": lambda one: (
        patching(one).get("patchMode") == "AutomaticByPlatform" and BYPASS not in platform(one)
    ),
    "reboot setting": lambda one: "rebootSetting" in platform(one),
    "periodic assessment": lambda one: patching(one).get("assessmentMode") == "AutomaticByPlatform",
    "hotpatch": lambda one: patching(one).get("enableHotpatching"),
    "no osProfile": lambda one: "osProfile" not in one["properties"],
    "client": lambda one: image(one).startswith("MicrosoftWindowsDesktop/"),
    "appliance": lambda one: image(one) == "paloaltonetworks/vmseries-flex",
    "deallocated": lambda one: power(one) == "deallocated",
    "stopped": lambda one: power(one) == "stopped",
    "agent silent": lambda one: agent(one) == "Not Ready",
    "failed": lambda one: one["properties"]["provisioningState"] == "Failed",
    "patch extension failed": lambda one: any(
        t.endswith("PatchExtension") and s == "Failed" for t, s in extensions(one)
    ),
    "extension failed": lambda one: any(t.startswith("AzureMonitor") and s == "Failed" for t, s in extensions(one)),
    "extension updating": lambda one: ("Updating") in dict(extensions(one)).values(),
    "no etag": lambda one: "etag" not in one,
    "no tags": lambda one: not one["tags"],
}
"""Feature → how a virtual machine with it is told. These are in every estate."""
LARGER: dict[str, Test] = {
    "no agent": lambda one: '"provisionVMAgent":false' in json.dumps(one, separators=(",", ":")),
    "extensions disallowed": lambda one: (
        one["properties"].get("osProfile", {}).get("allowExtensionOperations") is False
    ),
    "excluded image": lambda one: image(one) == "OpenLogic/CentOS-HPC",
    "own image": lambda one: "/galleries/" in image(one),
    "flexible member": lambda one: "virtualMachineScaleSet" in one["properties"],
    "AKS node": lambda one: "/resourceGroups/MC_" in one["id"],
    "Databricks node": lambda one: "/resourceGroups/databricks-" in one["id"],
    "updating": lambda one: one["properties"]["provisioningState"] == "Updating",
    "empty block": lambda one: patching(one).get("automaticByPlatformSettings") == {},
    "bypass beside another mode": lambda one: (
        platform(one).get(BYPASS) is True and patching(one)["patchMode"] != "AutomaticByPlatform"
    ),
    "always reboot": lambda one: platform(one).get("rebootSetting") == "Always",
    "extension creating": lambda one: ("Creating") in dict(extensions(one)).values(),
    "extension deleting": lambda one: ("Deleting") in dict(extensions(one)).values(),
}
"""Further ones of ``mixed`` and ``enterprise``."""
SHARES: dict[str, tuple[float, float]] = {
    "by platform": (0.35, 0.60),
    "bypass true": (0.25, 0.45),
    "periodic assessment": (0.15, 0.35),
    "no osProfile": (0.015, 0.05),
    "hotpatch": (0.008, 0.03),
    "client": (0.008, 0.05),
    "deallocated": (0.04, 0.08),
    "failed": (0.003, 0.03),
}
"""Feature → the least and the most of an estate's virtual machines that have it, whatever the seed."""
CODES = {
    "UnsupportedResourceOperation",
    "Unsupported",
    "ShutdownOrUnresponsive",
    "OperationNotAllowed",
    "VMExtensionProvisioningError",
    *(trouble["code"] for system in ("windows", "ubuntu2204", "rhel9", "sles15") for trouble in troubles_of(system)),
}
"""Every code that a run of an estate may end with."""


def parts(emulator: Emulator) -> list[Document]:
    """The rows of machines in scheduled runs."""
    rows = emulator.patching.rows("maintenanceresources")
    return [row.document["properties"] for row in rows if row.type == "microsoft.maintenance/applyupdates"]


def results(emulator: Emulator, table: str) -> list[Document]:
    """The rows of installations or assessments, without their updates."""
    return [row.document["properties"] for row in emulator.patching.rows(table) if "softwarepatches" not in row.type]


@pytest.mark.parametrize("name", ESTATES)
def test_an_estate_holds_every_feature_that_it_is_said_to_have(name: str) -> None:
    """At its own size."""
    emulator = estate(name)
    machines = documents(emulator)
    wanted = MACHINES if name == "small" else {**MACHINES, **LARGER}
    assert [feature for feature, holds in wanted.items() if not any(map(holds, machines))] == []
    arc = Counter(one["properties"]["status"] for one in documents(emulator, ARC))
    assert set(arc) == ({"Connected", "Disconnected"} if name == "small" else {"Connected", "Disconnected", "Expired"})
    assert len(machines) + arc.total() == {"small": 60, "mixed": 400, "enterprise": 5000}[name]
    assert len(emulator.directory.subscriptions) == {"small": 1, "mixed": 4, "enterprise": 20}[name]
    assert {stored.document["properties"]["level"] for stored in emulator.state.of_type(
        "Microsoft.Authorization/locks")} == {"ReadOnly", "CanNotDelete"}  # fmt: skip


@pytest.mark.parametrize("name", ESTATES)
def test_an_estate_has_schedules_of_every_sort(name: str) -> None:
    """Expired, never coming, in several time zones, and assignments that lead nowhere."""
    emulator = estate(name)
    found = documents(emulator, "Microsoft.Maintenance/maintenanceConfigurations")
    names = {one["name"] for one in found}
    peculiar = list(PECULIAR)[:2] if name == "small" else list(PECULIAR)
    assert {f"mc-{one}" for one in peculiar} <= names
    zones = {one["properties"]["maintenanceWindow"]["timeZone"] for one in found}
    assert len(zones) >= {"small": 1, "mixed": 3, "enterprise": 6}[name]
    assignments = documents(emulator, "Microsoft.Maintenance/configurationAssignments")
    targets = [one["properties"]["maintenanceConfigurationId"] for one in assignments]
    assert any(target.endswith("/mc-retired") for target in targets)
    assert any(one["id"].count("/web-moved-away/") for one in assignments)
    assert any(one["properties"].get("filter") for one in assignments)


@pytest.mark.parametrize(
    ("name", "failed"), [("small", (0.15, 0.65)), ("mixed", (0.2, 0.55)), ("enterprise", (0.2, 0.4))]
)
def test_a_fortnight_is_behind_an_estate(name: str, failed: tuple[float, float]) -> None:
    """Runs that succeeded and failed, partly failed installations, Azure's own, and assessments of several days."""
    emulator = estate(name)
    runs = parts(emulator)
    ended = Counter(part["status"] for part in runs)
    assert failed[0] < ended["Failed"] / (ended["Failed"] + ended["Succeeded"]) < failed[1]
    codes = {part["errorDetails"]["code"] for part in runs if part["status"] == "Failed"}
    assert codes <= CODES
    assert {"UnsupportedResourceOperation", "ShutdownOrUnresponsive"} <= codes
    installs = results(emulator, "patchinstallationresources")
    assert any(one["status"] == "Failed" and one["failedPatchCount"] for one in installs)
    assert {one["startedBy"] for one in installs} == {"User", "Platform"}
    assessed = results(emulator, "patchassessmentresources")
    assert any(sum(one.get("availablePatchCountByClassification", {}).values()) for one in assessed)
    days = {one["lastModifiedDateTime"][:10] for one in assessed if "lastModifiedDateTime" in one}
    assert len(days) >= 3


def test_the_largest_estate_has_every_trouble() -> None:
    """Each code that its machines can fail with has been recorded, and partly failed ones have installed the rest."""
    emulator = estate("enterprise")
    assert {part["errorDetails"]["code"] for part in parts(emulator) if part["status"] == "Failed"} == CODES - {
        "PACKAGES_RETRY_SUCCEEDED"
    }
    installs = results(emulator, "patchinstallationresources")
    assert any(one["failedPatchCount"] and one["installedPatchCount"] for one in installs)
    assert {one["status"] for one in installs} >= {"Succeeded", "Failed", "CompletedWithWarnings"}
    pending: Counter[str] = Counter()
    for one in results(emulator, "patchassessmentresources"):
        pending.update(one.get("availablePatchCountByClassification", {}))
    named = {"security", "critical", "other", "updateRollup", "definition", "updates"}
    assert {name for name, count in pending.items() if count} == named
    assert [entry.state for entry in emulator.directory.subscriptions.values()].count("Disabled") == 1


@settings(max_examples=examples(4, 60), deadline=None)
@given(name=st.sampled_from(list(ESTATES)), machines=st.integers(0, 700), seed=st.integers(0, 10_000))
def test_every_estate_loads_and_repeats(name: str, machines: int, seed: int) -> None:
    """Of any size; as many machines as asked for; the same seed the same, and in the stated shares."""
    fleet = estate_document(name, machines=machines, seed=seed)
    assert fleet == estate_document(name, machines=machines, seed=seed)
    checked(fleet)
    emulator = loaded(fleet)
    found = documents(emulator)
    assert len(found) + len(documents(emulator, ARC)) == machines
    if machines >= 300:
        for feature, (least, most) in SHARES.items():
            share = sum(bool(MACHINES[feature](one)) for one in found) / len(found)
            assert least <= share <= most, feature
    for part in parts(emulator):
        assert part["status"] != "Failed" or part["errorDetails"]["code"] in CODES


@settings(max_examples=examples(20, 300))
@given(count=st.integers(0, 2000), seed=st.integers(0, 100), column=st.integers(0, 2))
def test_shares_are_dealt_exactly(count: int, seed: int, column: int) -> None:
    """Each word as often as its share says, and at least once while there is room."""
    for table in (KINDS, MODES, EXTENSIONS):
        found = Counter(dealt(random.Random(seed), count, table, column, "rest"))
        assert found.total() == count
        room = count >= sum(max(1, round(shares[column] * count / 1000)) for shares in table.values())
        for word, shares in table.items():
            wanted = max(1, round(shares[column] * count / 1000)) if shares[column] else 0
            assert found[word] == wanted if room else found[word] <= wanted


def test_another_seed_is_another_estate() -> None:
    """Of the same shares."""
    assert estate_document("small", seed=1) != estate_document("small", seed=2)


def test_the_file_is_what_the_name_loads(tmp_path: Path) -> None:
    """``fleet --estate`` and ``--fleet NAME-estate`` make one fleet, and ``--profile`` of ``fleet`` is the estate."""
    done = CliRunner().invoke(main, ["fleet", "--profile", "small", "-o", str(tmp_path / "f.json")])
    assert (done.exit_code, done.stderr) == (0, f"{tmp_path / 'f.json'}: 60 machines in 1 subscription\n")
    assert read_fleet(str(tmp_path / "f.json")) == read_fleet("small-estate")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["fleet", "-o", "x"], "Give --machines or --estate."),
        (["fleet", "--estate", "huge", "-o", "x"], "There is no estate 'huge'; there are small, mixed, enterprise."),
        (["fleet", "--estate", "small", "--schedules", "2", "-o", "x"], "An estate has schedules of its own"),
        (["serve", "--profile", "mixed"], "mixed is an estate and no file of switches: give --fleet mixed-estate."),
    ],
)
def test_a_mistake_is_told_with_what_was_meant(arguments: list[str], told: str) -> None:
    """In one sentence, as a mistake in the usage."""
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert told in done.stderr


def test_the_reference_has_every_estate_kind_and_share() -> None:
    """The tables of the page are those of the code."""
    page = (ROOT / "docs" / "reference" / "emulator.md").read_text(encoding="utf-8")
    for name, one in ESTATES.items():
        start = f"| `{name}` | `{name}-estate` | {one.machines:,} | {one.subscriptions} | {len(one.regions)} |"
        assert start in page
    for table in (KINDS, MODES, EXTENSIONS):
        for word, shares in table.items():
            assert f"| `{word}` | {' | '.join(map(str, shares))} |" in page, word
    for word, share in {**ATTACHED, "trouble": TROUBLED}.items():
        assert f"| `{word}` | {share:.0%} |" in page, word
