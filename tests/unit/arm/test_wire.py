"""Documents become machines, and stay what they were."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from patchmode.arm.authorization import LockEntry, LockProperties, SubscriptionEntry, lock_of, subscription_of
from patchmode.arm.machine_reading import MachineFacts, machine_from_document, machine_of
from patchmode.arm.machine_rows import support_of
from patchmode.arm.machines import OperationAnswer, status_of
from patchmode.arm.wire import ShapeError, decode
from patchmode.model.machine import ImageReference, MachineKind, PatchExtension, ReadFrom, power_state
from patchmode.model.patch_settings import OperatingSystem, Orchestration, PatchSettings
from patchmode.model.resource_id import ResourceIdError
from patchmode.ports.azure import OperationState

RECORDINGS = Path(__file__).parents[4] / "shared" / "recordings"
SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Web/providers/Microsoft.Compute/virtualMachines/web-1"


def windows() -> dict[str, Any]:
    return {
        "name": "web-1",
        "id": ID,
        "type": "Microsoft.Compute/virtualMachines",
        "location": "westeurope",
        "tags": {"owner": "ops"},
        "properties": {
            "vmId": "22222222-2222-2222-2222-222222222222",
            "provisioningState": "Succeeded",
            "licenseType": "Windows_Server",
            "storageProfile": {
                "imageReference": {
                    "publisher": "MicrosoftWindowsServer",
                    "offer": "WindowsServer",
                    "sku": "2022-datacenter",
                },
                "osDisk": {"osType": "Windows", "createOption": "FromImage"},
            },
            "osProfile": {
                "allowExtensionOperations": True,
                "windowsConfiguration": {
                    "provisionVMAgent": True,
                    "enableAutomaticUpdates": True,
                    "patchSettings": {
                        "patchMode": "AutomaticByPlatform",
                        "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
                        "assessmentMode": "ImageDefault",
                    },
                },
            },
            "unknownToThisVersion": {"kept": [1, None]},
        },
        "etag": '"7"',
    }


def test_a_windows_machine_is_read_whole() -> None:
    document = windows()
    before = copy.deepcopy(document)
    machine = machine_from_document(document, MachineKind.VM)
    assert machine.document is document
    assert document == before
    assert machine.os is OperatingSystem.WINDOWS
    assert machine.settings == PatchSettings("AutomaticByPlatform", "ImageDefault", bypass=True)
    assert machine.orchestration is Orchestration.CUSTOMER_MANAGED_SCHEDULES
    assert machine.image == ImageReference("MicrosoftWindowsServer", "WindowsServer", "2022-datacenter")
    assert (machine.etag, machine.location, machine.tags) == ('"7"', "westeurope", {"owner": "ops"})
    assert (machine.enable_automatic_updates, machine.provision_vm_agent) == (True, True)
    assert (machine.allow_extension_operations, machine.license_type) == (True, "Windows_Server")
    assert (machine.os_disk_create_option, machine.provisioning_state) == ("FromImage", "Succeeded")
    assert machine.read_from is ReadFrom.PROVIDER


def test_a_specialised_disk_has_no_profile() -> None:
    """Absent is not empty: 81 recorded machines have no osProfile at all."""
    document = windows()
    del document["properties"]["osProfile"], document["etag"], document["tags"]
    document["properties"]["storageProfile"]["osDisk"]["createOption"] = "Attach"
    machine = machine_from_document(document, MachineKind.VM)
    assert (machine.has_os_profile, machine.settings, machine.etag) == (False, None, None)
    assert machine.os is OperatingSystem.WINDOWS
    assert machine.tags == {}


def test_a_system_that_no_disk_names_is_told_by_its_configuration() -> None:
    document = windows()
    document["properties"]["storageProfile"] = {}
    document["properties"]["osProfile"] = {"linuxConfiguration": {"patchSettings": {}}, "secrets": []}
    machine = machine_from_document(document, MachineKind.VM)
    assert machine.os is OperatingSystem.LINUX
    assert machine.settings == PatchSettings()
    assert machine.orchestration is Orchestration.NOT_SET


def test_a_member_of_a_scale_set_is_told_apart() -> None:
    document = windows()
    scale_set = ID.replace("virtualMachines/web-1", "virtualMachineScaleSets/web")
    document["properties"]["virtualMachineScaleSet"] = {"id": scale_set}
    machine = machine_from_document(document, MachineKind.VM)
    assert machine.kind is MachineKind.VMSS_FLEX
    assert machine.scale_set_id == scale_set


def test_the_instance_view_gives_power_and_agent() -> None:
    document = windows()
    document["properties"]["instanceView"] = {
        "vmAgent": {"statuses": [{"code": "ProvisioningState/succeeded", "displayStatus": "Ready"}]},
        "statuses": [{"code": "ProvisioningState/succeeded"}, {"code": "PowerState/deallocated"}],
    }
    surroundings = machine_from_document(document, MachineKind.VM).surroundings
    assert (surroundings.power_state, surroundings.agent_status) == ("deallocated", "Ready")


def test_the_instance_view_gives_the_running_system_and_the_patch_extension() -> None:
    """The child of the document and the view's entry are of one moment, so the failure that either tells counts."""
    document = windows()
    kind = {"publisher": "Microsoft.CPlat.Core", "type": "WindowsPatchExtension", "provisioningState": "Succeeded"}
    document["resources"] = [{"id": "x"}, {"name": "WindowsPatchExtension", "properties": kind}]
    around = machine_from_document(document, MachineKind.VM).surroundings
    assert around.patch_extension == PatchExtension("WindowsPatchExtension", "Succeeded")
    failed = {"code": "ProvisioningState/failed/3", "level": "Error", "message": "no disk space"}
    document["properties"]["instanceView"] = {
        "osName": "Windows 10 Enterprise N",
        "osVersion": "10.0.19044.2486",
        "extensions": [{"type": "Microsoft.CPlat.Core.WindowsPatchExtension", "statuses": [failed]}],
    }
    around = machine_from_document(document, MachineKind.VM).surroundings
    assert (around.os_name, around.os_version) == ("Windows 10 Enterprise N", "10.0.19044.2486")
    assert around.patch_extension == PatchExtension("WindowsPatchExtension", "Failed", "no disk space")


@pytest.mark.parametrize(
    ("plan", "read"),
    [
        (
            {"name": "byol", "publisher": "paloaltonetworks", "product": "vmseries-flex"},
            ImageReference("paloaltonetworks", "vmseries-flex", "byol"),
        ),
        ({"name": "byol", "publisher": "", "product": None}, None),
        ({"name": 7, "publisher": "contoso", "product": ["x"]}, ImageReference("contoso")),
        ({}, None),
        (None, None),
        ([], None),
    ],
)
def test_a_plan_reads_as_the_image_it_names(plan: object, read: ImageReference | None) -> None:
    """From a document and from a row of Resource Graph alike, whatever stands there."""
    assert machine_from_document({**windows(), "plan": plan}, MachineKind.VM).plan == read
    row = MachineFacts(id=ID, type="microsoft.compute/virtualmachines", plan=plan)
    assert machine_of(row, read_from=ReadFrom.GRAPH).plan == read


def test_an_arc_machine_names_its_system_in_lower_case() -> None:
    document = {
        "id": ID.replace("Microsoft.Compute/virtualMachines", "Microsoft.HybridCompute/machines"),
        "location": "westeurope",
        "properties": {
            "osType": "linux",
            "osSku": "Ubuntu 20.04.2 LTS",
            "osProfile": {"linuxConfiguration": {"patchSettings": {"assessmentMode": "AutomaticByPlatform"}}},
        },
    }
    machine = machine_from_document(document, MachineKind.ARC)
    assert machine.os is OperatingSystem.LINUX
    assert machine.os_edition == "Ubuntu 20.04.2 LTS"
    assert machine.settings == PatchSettings(assessment_mode="AutomaticByPlatform")
    assert machine.orchestration is Orchestration.NOT_APPLICABLE


@pytest.mark.parametrize("document", [{}, {"id": ""}, {"id": 3}, {"id": "/subscriptions/x"}])
def test_what_has_no_id_is_no_machine(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        machine_from_document(document, MachineKind.VM)


@pytest.mark.parametrize(
    "empty", [{"properties": None}, {"properties": {"storageProfile": None, "osProfile": None}}, {}]
)
def test_nulls_read_as_absent(empty: dict[str, Any]) -> None:
    machine = machine_from_document({"id": ID, **empty}, MachineKind.VM)
    assert (machine.os, machine.settings, machine.has_os_profile, machine.location) == (None, None, False, "")


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recorded exchanges are not beside this checkout")
def test_recorded_machines_are_read() -> None:
    """Every recorded GET of a virtual machine gives its system, and settings exactly where the model has them."""
    read = 0
    for path in sorted((RECORDINGS / "vm_get").glob("*.json")):
        answer = json.loads(path.read_text("utf-8"))["response"]
        body = answer["body"]
        if answer["status"] != 200 or not isinstance(body, dict) or "properties" not in body:
            continue
        machine = machine_from_document(body, MachineKind.VM)
        profile = body["properties"].get("osProfile") or {}
        stated = [c["patchSettings"] for c in profile.values() if isinstance(c, dict) and "patchSettings" in c]
        assert machine.has_os_profile == ("osProfile" in body["properties"]), path.name
        assert (machine.settings is not None) == bool(stated), path.name
        if stated:
            assert machine.settings is not None
            assert machine.settings.patch_mode == stated[0].get("patchMode"), path.name
        assert machine.etag == body.get("etag"), path.name
        read += 1
    assert read > 200


def test_a_graph_row_reads_like_the_document() -> None:
    row = MachineFacts(
        id=ID,
        type="microsoft.compute/virtualmachines",
        location="westeurope",
        tags={"owner": "ops"},
        managed_by="",
        disk_os="Windows",
        os_profile=1,
        windows=windows()["properties"]["osProfile"]["windowsConfiguration"]["patchSettings"],
        windows_agent=True,
        windows_updates=True,
        power={"code": "PowerState/running", "displayStatus": "VM running"},
        os_name="Windows Server 2022 Datacenter",
        os_version=["10.0"],
        vm_id="22222222-2222-2222-2222-222222222222",
        image=windows()["properties"]["storageProfile"]["imageReference"],
        license_type="Windows_Server",
        os_disk_create_option="FromImage",
        allow_extensions=True,
        provisioning_state="Succeeded",
    )
    machine = machine_of(row, read_from=ReadFrom.GRAPH)
    from_document = machine_from_document(windows(), MachineKind.VM)
    for name in (
        "id",
        "kind",
        "os",
        "settings",
        "has_os_profile",
        "image",
        "tags",
        "license_type",
        "managed_by",
        "vm_id",
    ):
        assert getattr(machine, name) == getattr(from_document, name), name
    around = machine.surroundings
    assert (around.power_state, around.os_name, around.os_version) == (
        "running",
        "Windows Server 2022 Datacenter",
        None,
    )
    assert (machine.read_from, machine.document, machine.etag) == (ReadFrom.GRAPH, None, None)


def test_a_graph_row_of_nulls_is_a_machine_of_unknowns() -> None:
    machine = machine_of(MachineFacts(id=ID, type="microsoft.compute/virtualmachines"), read_from=ReadFrom.GRAPH)
    assert (machine.os, machine.settings, machine.has_os_profile, machine.location) == (None, None, False, "")


def test_a_graph_row_with_another_id_is_refused() -> None:
    with pytest.raises(ResourceIdError):
        machine_of(
            MachineFacts(id="/subscriptions/1", type="microsoft.compute/virtualmachines"), read_from=ReadFrom.GRAPH
        )


def test_an_assessment_belongs_to_the_machine_above_it() -> None:
    row = {"id": f"{ID}/patchAssessmentResults/latest", "support": "Unsupported"}
    assert support_of(row) == (ID.casefold(), "Unsupported")
    assert support_of({"id": ID, "support": "Unsupported"}) is None
    assert support_of({"id": None}) is None


@pytest.mark.parametrize(
    ("code", "display", "expected"),
    [
        ("PowerState/running", None, "running"),
        ("powerstate/Deallocated", "VM deallocated", "deallocated"),
        (None, "VM stopped", "stopped"),
        ("ProvisioningState/succeeded", None, None),
        (None, None, None),
        (3, ["x"], None),
    ],
)
def test_power_states(code: object, display: object, expected: str | None) -> None:
    assert power_state(code, display) == expected


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("InProgress", OperationState.IN_PROGRESS),
        ("Running", OperationState.IN_PROGRESS),
        ("succeeded", OperationState.SUCCEEDED),
        ("Failed", OperationState.FAILED),
        ("Canceled", OperationState.CANCELED),
        ("Cancelled", OperationState.CANCELED),
    ],
)
def test_operation_states(status: str, state: OperationState) -> None:
    error = {"code": "VMAgentStatusCommunicationError", "message": "silent"}
    answer = status_of(OperationAnswer(status, error), 30.0)
    assert (answer.state, answer.error_code, answer.retry_after_s) == (state, "VMAgentStatusCommunicationError", 30.0)


def test_locks_know_their_scope() -> None:
    lock = lock_of(
        LockEntry(
            f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Web/providers/Microsoft.Authorization/locks/keep",
            "keep",
            LockProperties("ReadOnly"),
        )
    )
    assert (lock.scope, lock.name, lock.level) == (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Web",
        "keep",
        "ReadOnly",
    )


def test_a_subscription_without_a_tenant() -> None:
    found = subscription_of(SubscriptionEntry(id=f"/subscriptions/{SUBSCRIPTION}", display_name="Prod", state="Warned"))
    assert (found.id, found.name, found.tenant_id, found.state) == (SUBSCRIPTION, "Prod", "", "Warned")


def test_answers_with_marks_and_line_ends_are_decoded() -> None:
    assert decode(b'\xef\xbb\xbf\r\n{\r\n  "a": 1\r\n}\r\n') == {"a": 1}
    assert decode(b"") is None
    with pytest.raises(ValueError, match="cannot be read"):
        decode(b"<html>")


def test_documents_nested_without_end_are_refused() -> None:
    """A hundred thousand levels ended decoding, a few hundred whatever walks the document afterwards."""
    for body in (
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b"[" * 201 + b"]" * 201,
        b'{"a":' * 500 + b"1" + b"}" * 500,
    ):
        with pytest.raises(ShapeError, match="more than 200 levels"):
            decode(body)
    assert decode(b"[" * 200 + b"]" * 200)


def test_brackets_in_texts_are_no_levels() -> None:
    for text in ("[" * 5000, "}{" * 300, '\\"[[' * 300, "\\\\" + "{" * 250):
        body = json.dumps({"a": [{"b": text}]}).encode()
        assert decode(body) == {"a": [{"b": text}]}
