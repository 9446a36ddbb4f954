"""Every rule: when it speaks, how severely, and on which evidence."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.rules.builders import SUBSCRIPTION, WINDOWS_2022, arc_document, machine_from, vm
from tests.unit.rules.memberships import NOW, assignment, book, configuration

from patchmode.model.finding import Severity
from patchmode.model.machine import ImageReference, Lock, Machine, MachineKind, Surroundings
from patchmode.model.outcome import OutcomeKind, Readiness
from patchmode.model.patch_settings import Orchestration, RebootSetting, WantedSettings
from patchmode.model.schedule import ScheduleBook
from patchmode.rules.eligibility.judgement import audit_machine, first_block, reasons_for
from patchmode.rules.schedules.memberships import ScheduleIndex

CMS = WantedSettings(Orchestration.CUSTOMER_MANAGED_SCHEDULES)
AZURE = WantedSettings(Orchestration.AZURE_MANAGED)
BY_OS = WantedSettings(Orchestration.AUTOMATIC_BY_OS)
ASSESS = WantedSettings(periodic_assessment=True)
UNASSESS = WantedSettings(periodic_assessment=False)
NOTHING = WantedSettings()
BLOCKS, WARNS, NOTES = Severity.BLOCKS, Severity.WARNS, Severity.NOTES
PLATFORM = {"patchMode": "AutomaticByPlatform"}
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers"
CUSTOM = {"id": f"{GROUP}/Microsoft.Compute/galleries/g/images/i/versions/1.0.0"}


def windows(**changes: Any) -> Machine:
    """Windows updating itself, nothing remarkable about it."""
    return vm("Windows", {"patchMode": "AutomaticByOS", "assessmentMode": "ImageDefault"}, **changes)


def around(**members: Any) -> Machine:
    """The same with surroundings."""
    return windows(surroundings=Surroundings(**members))


def image(publisher: str, offer: str, sku: str, system: str = "Windows") -> Machine:
    """A machine made from a marketplace image."""
    return vm(system, image={"publisher": publisher, "offer": offer, "sku": sku})


def azure_edition(settings: dict[str, Any]) -> Machine:
    """A machine made from an image that can hotpatch."""
    return vm("Windows", settings, image=marketplace(sku="2022-datacenter-azure-edition-core"))


def marketplace(**members: str) -> dict[str, str]:
    """Windows Server 2022 with other members."""
    return {**WINDOWS_2022, **members}


CASES: list[tuple[str, Machine, WantedSettings, Severity | None, str]] = [
    ("unknown-os", windows(os=None), NOTHING, BLOCKS, "storageProfile.osDisk.osType = (absent)"),
    ("unknown-os", windows(), CMS, None, ""),
    ("arc-no-orchestration", machine_from(arc_document()), CMS, BLOCKS, "type = microsoft.hybridcompute/machines"),
    ("arc-no-orchestration", machine_from(arc_document()), ASSESS, None, ""),
    (
        "mode-os-mismatch",
        vm("Linux", {"patchMode": "ImageDefault"}),
        BY_OS,
        BLOCKS,
        "patchMode = ImageDefault, enableAutomaticUpdates = (absent), osType = Linux",
    ),
    (
        "automatic-updates-fixed",
        vm("Windows", PLATFORM, automatic_updates=False),
        BY_OS,
        BLOCKS,
        "patchMode = AutomaticByPlatform, enableAutomaticUpdates = false, osType = Windows",
    ),
    ("automatic-by-os-manual", windows(), WantedSettings(Orchestration.MANUAL), BLOCKS, ""),
    ("reboot-needs-platform-mode", vm("Linux"), WantedSettings(reboot=RebootSetting.NEVER), BLOCKS, "(absent)"),
    (
        "reboot-setting-overrides",
        vm("Linux", {**PLATFORM, "automaticByPlatformSettings": {"rebootSetting": "Never"}}),
        NOTHING,
        NOTES,
        "automaticByPlatformSettings.rebootSetting = Never",
    ),
    ("reboot-setting-overrides", windows(), replace(CMS, reboot=RebootSetting.NEVER), NOTES, "= (absent)"),
    ("reboot-setting-overrides", windows(), CMS, None, ""),
    ("reboot-setting-overrides", machine_from(arc_document()), ASSESS, None, ""),
    ("client-os", image("MicrosoftWindowsDesktop", "windows-11", "win11-pro"), CMS, BLOCKS, "MicrosoftWindowsDesktop"),
    ("client-os", image("MicrosoftWindowsDesktop", "office-365", "win11-avd"), ASSESS, BLOCKS, "publisher"),
    ("client-os", image("contoso", "windows-10-hardened", "v1"), CMS, BLOCKS, "offer = windows-10-hardened"),
    ("client-os", windows(license_type="Windows_Client"), AZURE, BLOCKS, "licenseType = Windows_Client"),
    ("client-os", windows(license_type="Windows_Client"), BY_OS, NOTES, ""),
    ("client-os", windows(license_type="Windows_Server"), CMS, None, ""),
    (
        "aks-managed",
        around(group_managed_by=f"{GROUP}/Microsoft.ContainerService/managedClusters/k"),
        CMS,
        BLOCKS,
        "managedClusters/k",
    ),
    ("aks-managed", windows(tags={"aks-managed-poolName": "p"}), CMS, BLOCKS, "tag aks-managed-poolName"),
    ("databricks-managed", around(group_managed_by=f"{GROUP}/Microsoft.Databricks/workspaces/w"), CMS, BLOCKS, "/w"),
    ("databricks-managed", windows(tags={"Vendor": "Databricks"}), CMS, BLOCKS, "tag Vendor = Databricks"),
    ("databricks-managed", windows(tags={"Vendor": "Contoso"}), CMS, None, ""),
    ("managed-group", around(group_managed_by=f"{GROUP}/Microsoft.Solutions/applications/a"), ASSESS, BLOCKS, "/a"),
    ("managed-group", around(group_managed_by=""), CMS, None, ""),
    ("scale-set-member", windows(kind=MachineKind.VMSS_FLEX), NOTHING, BLOCKS, "(not read)"),
    ("scale-set-member", windows(scale_set_id="/x/set"), replace(CMS, include_scale_set_members=True), WARNS, "/x/set"),
    ("read-only-lock", around(locks=(Lock("/subscriptions/x", "freeze", "readonly"),)), NOTHING, BLOCKS, "freeze"),
    ("read-only-lock", around(locks=(Lock("/subscriptions/x", "keep", "CanNotDelete"),)), CMS, None, ""),
    ("provisioning-in-progress", windows(provisioning_state="Creating"), CMS, BLOCKS, "provisioningState = Creating"),
    ("provisioning-in-progress", windows(provisioning_state="Deleting"), CMS, BLOCKS, "Deleting"),
    ("provisioning-in-progress", windows(provisioning_state="Failed"), CMS, None, ""),
    ("provisioning-failed", windows(provisioning_state="failed"), CMS, WARNS, "provisioningState = failed"),
    ("provisioning-failed", windows(provisioning_state=None), CMS, None, ""),
    ("hotpatch-on", vm("Windows", {**PLATFORM, "enableHotpatching": True}), CMS, BLOCKS, "enableHotpatching = true"),
    ("hotpatch-on", vm("Windows", {**PLATFORM, "enableHotpatching": True}), BY_OS, BLOCKS, ""),
    ("hotpatch-on", vm("Windows", {**PLATFORM, "enableHotpatching": True}), replace(CMS, hotpatch_off=True), NOTES, ""),
    ("hotpatch-on", vm("Windows", {**PLATFORM, "enableHotpatching": True}), AZURE, None, ""),
    ("hotpatch-on", vm("Windows", {**PLATFORM, "enableHotpatching": True}), ASSESS, None, ""),
    ("agent-missing", windows(provision_vm_agent=False), CMS, BLOCKS, "provisionVMAgent = false"),
    ("agent-missing", windows(provision_vm_agent=False), ASSESS, BLOCKS, ""),
    ("agent-missing", windows(provision_vm_agent=False), BY_OS, None, ""),
    (
        "agent-not-ready",
        around(agent_status="Not Ready", power_state="running"),
        CMS,
        WARNS,
        "displayStatus = Not Ready",
    ),
    ("agent-not-ready", around(agent_status="Not Ready", power_state="deallocated"), CMS, None, ""),
    ("agent-not-ready", around(agent_status="Ready"), CMS, None, ""),
    ("extensions-not-allowed", windows(allow_extension_operations=False), CMS, BLOCKS, "= false"),
    ("extensions-not-allowed", windows(allow_extension_operations=False), BY_OS, None, ""),
    ("detected-unsupported", around(detected_support="unsupported"), CMS, BLOCKS, "= unsupported"),
    ("detected-unsupported", around(detected_support="UnableToDetermine"), CMS, None, ""),
    ("detected-unsupported", around(detected_support="Unsupported"), BY_OS, None, ""),
    ("image-excluded", image("OpenLogic", "CentOS-HPC", "7.7", "Linux"), CMS, BLOCKS, "OpenLogic/CentOS-HPC/7.7"),
    ("image-excluded", image("OpenLogic", "CentOS", "8_5", "Linux"), CMS, WARNS, "support-matrix-updates.md"),
    ("image-excluded", image("OpenLogic", "CentOS", "8_5", "Linux"), AZURE, None, ""),
    ("image-excluded", image("OpenLogic", "CentOS-HPC", "7.7", "Linux"), ASSESS, BLOCKS, "OpenLogic/CentOS-HPC/7.7"),
    ("image-excluded", image("OpenLogic", "CentOS", "8_5", "Linux"), ASSESS, WARNS, "support-matrix-updates.md"),
    ("image-excluded", image("OpenLogic", "CentOS-HPC", "7.7", "Linux"), UNASSESS, None, ""),
    ("image-not-in-schedule-list", image("Fabrikam", "appliance", "1"), ASSESS, None, ""),
    ("detected-unsupported", around(detected_support="Unsupported"), ASSESS, BLOCKS, "= Unsupported"),
    ("detected-unsupported", around(detected_support="Unsupported"), UNASSESS, None, ""),
    ("image-not-in-schedule-list", image("contoso", "appliance", "v1"), CMS, WARNS, "contoso/appliance/v1"),
    ("image-not-in-schedule-list", image("contoso", "appliance", "v1"), AZURE, None, ""),
    ("image-not-in-schedule-list", windows(), CMS, None, ""),
    ("image-not-in-schedule-list", vm("Windows", image={}), CMS, None, ""),
    ("image-not-in-schedule-list", vm("Windows", image=CUSTOM), CMS, None, ""),
    ("image-not-in-autopatch-list", vm("Windows", image={}), AZURE, None, ""),
    (
        "image-not-in-autopatch-list",
        image("contoso", "appliance", "v1"),
        AZURE,
        WARNS,
        "automatic-vm-guest-patching.md",
    ),
    ("image-not-in-autopatch-list", image("contoso", "appliance", "v1"), CMS, None, ""),
    (
        "image-not-in-autopatch-list",
        image("MicrosoftWindowsServer", "WindowsServer", "2022-datacenter-azure-edition"),
        AZURE,
        None,
        "",
    ),
    ("custom-image", vm("Windows", image=CUSTOM), CMS, NOTES, "galleries/g"),
    ("custom-image", vm("Windows", image=CUSTOM), AZURE, WARNS, "galleries/g"),
    ("custom-image", windows(), CMS, None, ""),
    ("unknown-patch-mode", vm("Windows", {"patchMode": "Future"}), NOTHING, WARNS, "patchMode = Future"),
    ("no-os-profile", vm("Windows", os_profile=False), CMS, NOTES, "osDisk.createOption = Attach"),
    ("no-os-profile", machine_from(arc_document(), has_os_profile=False), ASSESS, None, ""),
    ("automatic-updates-off", vm("Windows", {"patchMode": "Manual"}, automatic_updates=False), CMS, NOTES, "= false"),
    ("automatic-updates-off", vm("Windows", PLATFORM, automatic_updates=False), CMS, None, ""),
    (
        "hotpatch-image",
        image("MicrosoftWindowsServer", "WindowsServer", "2022-datacenter-azure-edition-core"),
        CMS,
        NOTES,
        "2022-datacenter-azure-edition-core",
    ),
    (
        "hotpatch-image",
        image("MicrosoftWindowsServer", "WindowsServer", "2022-datacenter-azure-edition-core"),
        AZURE,
        None,
        "",
    ),
    ("hotpatch-image", azure_edition(PLATFORM), CMS, NOTES, "azure-edition-core"),
    ("hotpatch-image", azure_edition({**PLATFORM, "enableHotpatching": True}), CMS, None, ""),
    ("deallocated", around(power_state="deallocated"), CMS, NOTES, "powerState = deallocated"),
    ("deallocated", around(power_state="running"), CMS, None, ""),
]


@pytest.mark.parametrize(("rule", "machine", "wanted", "severity", "evidence"), CASES)
def test_rules(rule: str, machine: Machine, wanted: WantedSettings, severity: Severity | None, evidence: str) -> None:
    """Each rule speaks where it should, with the evidence it rests on, and is silent elsewhere."""
    found = [reason for reason in reasons_for(machine, wanted) if reason.rule == rule]
    assert [reason.severity for reason in found] == ([severity] if severity else [])
    assert all(evidence in reason.evidence for reason in found)


def test_a_plain_machine_has_no_reasons() -> None:
    """Silence is the normal case."""
    assert reasons_for(windows(), CMS) == ()
    assert reasons_for(vm("Linux", {"patchMode": "ImageDefault"}), CMS) == ()


def test_reasons_come_in_the_order_of_the_registry() -> None:
    """The first that blocks is the one a plan names."""
    machine = vm("Windows", PLATFORM, os_profile=False, provisioning_state="Updating", scale_set_id="/x/set")
    reasons = reasons_for(machine, CMS)
    assert [reason.rule for reason in reasons] == ["scale-set-member", "provisioning-in-progress", "no-os-profile"]
    block = first_block(reasons)
    assert block is not None
    assert block.rule == "scale-set-member"
    assert first_block(()) is None


def test_an_arc_server_that_never_reported_is_told_by_its_kind_first() -> None:
    """Recorded servers state no system before their agent connects; that they are Arc says more."""
    reasons = reasons_for(machine_from(arc_document(), os=None), CMS)
    assert [reason.rule for reason in reasons] == ["arc-no-orchestration", "unknown-os"]


def test_managed_by_of_the_machine_counts_as_well() -> None:
    """An AKS node's own managedBy names the cluster or its scale set."""
    machine = windows(managed_by=f"{GROUP}/Microsoft.ContainerService/managedClusters/k")
    assert [reason.rule for reason in reasons_for(machine, CMS)] == ["aks-managed"]


def test_an_image_that_names_an_id_and_a_publisher_is_a_marketplace_image() -> None:
    """Publisher, offer and sku decide, as they do in the portal's query."""
    both = ImageReference("Canonical", "ubuntu-24_04-lts", "server", id="/x/images/i")
    machine = vm("Linux", {"patchMode": "ImageDefault"})
    assert reasons_for(replace(machine, image=both), CMS) == ()


def test_audit_tells_a_locked_machine_in_azures_hands_by_its_outcome() -> None:
    """A lock keeps us out; it does not keep Azure from patching."""
    lock = Lock("/subscriptions/x", "freeze", "ReadOnly")
    machine = vm(
        "Windows", PLATFORM, image=marketplace(sku="2022-datacenter"), surroundings=Surroundings(locks=(lock,))
    )
    without_schedules = ScheduleIndex(ScheduleBook(covered=frozenset({SUBSCRIPTION})), now=NOW)
    audit = audit_machine(machine, CMS, without_schedules)
    assert (audit.eligible, audit.outcome.kind) == (False, OutcomeKind.AUTOPATCHED)
    assert [reason.rule for reason in audit.reasons] == ["read-only-lock"]
    assert audit.machine is machine


def test_audit_calls_a_client_system_ineligible() -> None:
    """Update Manager never patches it, whatever its settings say."""
    audit = audit_machine(windows(license_type="Windows_Client"), CMS)
    assert (audit.eligible, audit.outcome.kind) == (False, OutcomeKind.INELIGIBLE)
    assert audit_machine(windows(), CMS).eligible


SET = {
    "patchMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
}
ODD = {
    "patchMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": "true"},
}


@pytest.mark.parametrize(
    ("machine", "is_scheduled", "readiness"),
    [
        (vm("Windows", SET), True, Readiness.READY_SCHEDULED),
        (vm("Windows", SET), False, Readiness.READY_UNSCHEDULED),
        (machine_from(arc_document()), True, Readiness.READY_SCHEDULED),
        (machine_from(arc_document()), False, Readiness.READY_UNSCHEDULED),
        (windows(), True, Readiness.WILL_FAIL),
        (vm("Windows", SET, surroundings=Surroundings(power_state="deallocated")), True, Readiness.WILL_FAIL),
        (windows(), False, Readiness.NOT_READY),
        (vm("Windows", PLATFORM), False, Readiness.NOT_READY),
        (vm("Windows", {}), False, Readiness.NOT_READY),
        (
            windows(surroundings=Surroundings(locks=(Lock("/subscriptions/x", "f", "ReadOnly"),))),
            False,
            Readiness.CANNOT,
        ),
        (vm("Windows", SET, provision_vm_agent=False), False, Readiness.CANNOT),
        (windows(license_type="Windows_Client"), True, Readiness.CANNOT),
        (vm("Windows", ODD), False, Readiness.UNKNOWN),
        (vm("Windows", SET, kind=MachineKind.VMSS_FLEX), True, Readiness.UNKNOWN),
    ],
)
def test_readiness_is_one_of_six_whatever_was_wanted(
    machine: Machine, readiness: Readiness, *, is_scheduled: bool
) -> None:
    """Who patches a machine may be unknown where it is certain that it is not ready."""
    assigned = (assignment(machine.id),) if is_scheduled else ()
    index = ScheduleIndex(book((configuration(),), assigned), now=NOW)
    assert audit_machine(machine, CMS, index).readiness is readiness
    assert audit_machine(machine, UNASSESS, index).readiness is readiness


def test_a_prepared_machine_whose_schedules_were_not_seen_is_not_called_unscheduled() -> None:
    assert audit_machine(vm("Windows", SET), CMS).readiness is Readiness.UNKNOWN
    assert audit_machine(windows(), CMS).readiness is Readiness.NOT_READY
