"""What a plan depends on, leaf by leaf: the rest may change between the plan and the write."""

import copy
from typing import Any

import pytest
from tests.unit.rules.builders import arc_document, machine_from, vm, vm_document

from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.plan import Change
from patchmode.model.run import Difference
from patchmode.rules.settings.planning import plan_machine
from patchmode.rules.settings.precondition import rebased, since_plan, summed

TO_CMS = WantedSettings(Orchestration.CUSTOMER_MANAGED_SCHEDULES)
BY_OS = {"patchMode": "AutomaticByOS", "assessmentMode": "ImageDefault"}
_ABSENT: Any = object()


def planned(document: dict[str, Any], wanted: WantedSettings = TO_CMS) -> Change:
    made = plan_machine(machine_from(document), wanted)
    assert isinstance(made, Change)
    return made


def with_leaf(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    *parents, last = path.split("/")
    holder: Any = changed
    for step in parents:
        holder = holder.setdefault(step, {})
    if value is _ABSENT:
        holder.pop(last, None)
    else:
        holder[last] = value
    return changed


PROFILE = "properties/osProfile"
WINDOWS = f"{PROFILE}/windowsConfiguration"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{WINDOWS}/patchSettings/patchMode", "Manual"),
        (f"{WINDOWS}/patchSettings/assessmentMode", "AutomaticByPlatform"),
        (f"{WINDOWS}/patchSettings/enableHotpatching", True),
        (f"{WINDOWS}/patchSettings/automaticByPlatformSettings", {"rebootSetting": "Never"}),
        (f"{WINDOWS}/patchSettings/addedByANewerService", 1),
        (f"{WINDOWS}/patchSettings", None),
        (f"{PROFILE}/linuxConfiguration/patchSettings/patchMode", "ImageDefault"),
        (f"{WINDOWS}/enableAutomaticUpdates", False),
        (f"{WINDOWS}/provisionVMAgent", False),
        (f"{PROFILE}/allowExtensionOperations", False),
        (PROFILE, None),
        ("properties/vmId", "another"),
        ("properties/timeCreated", "2026-11-30T00:00:00+00:00"),
        ("properties/storageProfile/osDisk/osType", "Linux"),
        ("properties/storageProfile/imageReference/sku", "win11-23h2-pro"),
        ("properties/licenseType", "Windows_Client"),
        ("properties/virtualMachineScaleSet", {"id": "/subscriptions/x/…/set"}),
        ("plan", {"publisher": "checkpoint", "product": "check-point-cg-r8120", "name": "sg-byol"}),
        ("managedBy", "/subscriptions/x/…/managedClusters/aks"),
        ("tags/aks-managed-poolName", "pool1"),
        ("tags/Vendor", "Databricks"),
        ("tags", {"env": "test", "vendor": "Databricks"}),
        ("location", "northeurope"),
    ],
)
def test_what_the_plan_touches_or_looked_at_is_the_precondition(path: str, value: Any) -> None:
    """The rules would perhaps make something else of the machine, so a person has to look at it again."""
    document = vm_document("Windows", BY_OS)
    found = since_plan(planned(document), with_leaf(document, path, value))
    assert found.depended_on != ()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("tags/owner", "db"),
        ("tags/env", _ABSENT),
        ("tags", None),
        ("identity", {"type": "SystemAssigned"}),
        ("zones", ["1"]),
        ("properties/hardwareProfile/vmSize", "Standard_D4s_v5"),
        ("properties/storageProfile/dataDisks", []),
        ("properties/storageProfile/osDisk/diskSizeGB", 256),
        ("properties/storageProfile/imageReference/exactVersion", "20348.2"),
        ("properties/networkProfile", {}),
        ("properties/diagnosticsProfile", {"bootDiagnostics": {"enabled": True}}),
        (f"{PROFILE}/secrets", [{"sourceVault": {}}]),
        (f"{WINDOWS}/timeZone", "UTC"),
    ],
)
def test_any_other_leaf_is_told_and_stands_in_nobodys_way(path: str, value: Any) -> None:
    """A tag that somebody adds between plan and apply is no reason to leave a machine unpatched."""
    document = vm_document("Windows", BY_OS)
    found = since_plan(planned(document), with_leaf(document, path, value))
    assert found.depended_on == ()
    assert found.others != ()


@pytest.mark.parametrize("path", ["etag", "resources", "properties/provisioningState", "properties/instanceView"])
def test_what_the_service_writes_by_itself_is_not_even_told(path: str) -> None:
    """Extension work and heartbeats are no news."""
    document = vm_document("Windows", BY_OS)
    assert since_plan(planned(document), with_leaf(document, path, "else")).all == ()


def test_an_arc_server_that_became_a_client_is_seen() -> None:
    """The agent reports the edition with each heartbeat, which verification leaves aside; a client is told by it."""
    document = with_leaf(arc_document("Windows", {}), "properties/osSku", "Windows Server 2019")
    change = planned(document, WantedSettings(periodic_assessment=True))
    (found,) = since_plan(change, with_leaf(document, "properties/osSku", "Windows 11")).depended_on
    assert found == Difference("properties.osSku", '"Windows Server 2019"', '"Windows 11"')
    assert since_plan(change, with_leaf(document, "properties/status", "Disconnected")).all == ()


def test_a_rebased_change_sends_the_same_and_is_compared_with_what_was_read() -> None:
    """The precondition holds, so the request stays; only the proof about siblings and the etag are new."""
    document = vm_document("Windows", BY_OS)
    change = planned(document)
    now = machine_from({**with_leaf(document, "tags/owner", "db"), "etag": '"7"'})
    moved_on = rebased(change, now)
    assert (moved_on.body, moved_on.etag, moved_on.document) == (change.body, '"7"', now.document)
    assert since_plan(moved_on, now.document or {}).all == ()


def test_two_steps_of_change_are_told_as_one() -> None:
    """What changed twice is told once, and what came back is not told."""
    earlier = (Difference("tags.a", "1", "2"), Difference("tags.b", "1", "2"), Difference("tags.c", "1", "2"))
    later = (Difference("tags.a", "2", "3"), Difference("tags.b", "2", "1"), Difference("tags.d", "1", "2"))
    assert summed(earlier, later) == (
        Difference("tags.a", "1", "3"),
        Difference("tags.c", "1", "2"),
        Difference("tags.d", "1", "2"),
    )
    assert summed((), later) == later
    assert vm("Windows").document is not None
