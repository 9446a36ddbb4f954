"""Checks on the machine itself: its system, agent, extensions, power and provisioning.

Must not: look at images or patch settings, apart from what the wish needs of them.

Source of the agent's part: azure-mgmt-compute's documentation of `patchMode` and `assessmentMode` (provisionVMAgent
must be true for AutomaticByPlatform); of extensions: the platform patches through its own VM extension.
"""

from collections.abc import Iterator
from shlex import quote

from patchmode.model.finding import Reason, Severity
from patchmode.model.machine import Machine, MachineKind
from patchmode.model.patch_settings import WantedSettings
from patchmode.rules.settings.transitions import needs_platform

_AT_REST = frozenset({"succeeded", "failed", "canceled"})
_OFF = frozenset({"deallocated", "deallocating", "stopped", "stopping"})
_READY = frozenset({"ready", "connected"})


def check_system(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`unknown-os`: without the system there is no configuration to write to."""
    del wanted
    if machine.os is None:
        yield Reason(
            "unknown-os",
            Severity.BLOCKS,
            "Neither the disk nor the machine says whether it runs Windows or Linux, so there is no place to write to.",
            "storageProfile.osDisk.osType = (absent)",
            "Look at the machine's disk in the portal; a machine without a system disk cannot be patched.",
        )


def check_arc(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`arc-no-orchestration`: only periodic assessment can be set on an Arc server."""
    asks = wanted.orchestration is not None or wanted.reboot is not None or wanted.hotpatch_off
    if machine.kind is MachineKind.ARC and asks:
        yield Reason(
            "arc-no-orchestration",
            Severity.BLOCKS,
            "An Arc server needs no patch orchestration: attaching a schedule is enough."
            if wanted.orchestration is not None
            else "An Arc server has neither a reboot setting nor hotpatching to set: its schedule decides of reboots.",
            f"type = {machine.id.full_type}",
            "Attach a schedule to it; for periodic assessment give --periodic-assessment, without --reboot and "
            "--hotpatch.",
        )


def check_agent(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`agent-missing` and `agent-not-ready`."""
    if machine.provision_vm_agent is False and needs_platform(wanted):
        yield Reason(
            "agent-missing",
            Severity.BLOCKS,
            "The machine was made without the VM agent, which AutomaticByPlatform works through.",
            "provisionVMAgent = false",
            "Install the VM agent in the guest; where the property stays false the machine has to be made anew.",
        )
    status = machine.surroundings.agent_status
    if status is not None and status.lower() not in _READY and not is_off(machine):
        yield Reason(
            "agent-not-ready",
            Severity.WARNS,
            "The setting can be changed, but nothing will be patched until the VM agent reports Ready.",
            f"instanceView.vmAgent.statuses displayStatus = {status}",
            "Repair or restart the VM agent in the guest.",
        )


def check_extensions(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`extensions-not-allowed`."""
    if machine.allow_extension_operations is False and needs_platform(wanted):
        yield Reason(
            "extensions-not-allowed",
            Severity.BLOCKS,
            "The machine allows no extensions, and the platform patches through one.",
            "osProfile.allowExtensionOperations = false",
            "Set osProfile.allowExtensionOperations to true, then plan again.",
        )


def check_patch_extension(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`patch-extension-failed`, with the extension's own message.

    Source: a public answer of Microsoft's support (Q&A 5866629): the extension must be in state Succeeded; otherwise it
    is removed, and the next assessment installs it again.
    """
    del wanted
    extension = machine.surroundings.patch_extension
    if extension is None or not extension.has_failed:
        return
    says = f'It says: "{extension.message}".' if extension.message else "What it says was not read; explain shows it."
    yield Reason(
        "patch-extension-failed",
        Severity.WARNS,
        f"{extension.name}, the extension through which Azure patches the machine, has failed, so that the next run "
        f"is in doubt. {says}",
        f"extensions/{extension.name} provisioningState = {extension.state}",
        _removal(machine, extension.name),
    )


def _removal(machine: Machine, extension: str) -> str:
    place = f"--resource-group {quote(machine.id.resource_group)} --subscription {machine.id.subscription_id}"
    noun, option = ("connectedmachine", "--machine-name") if machine.kind is MachineKind.ARC else ("vm", "--vm-name")
    return (
        "Look at its log in the guest. Removing it lets the next assessment install it again:\n"
        f"az {noun} extension delete --name {quote(extension)} {option} {quote(machine.name)} {place}"
    )


def check_provisioning(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`provisioning-in-progress` and `provisioning-failed`."""
    del wanted
    state = machine.provisioning_state
    if state is None or state.lower() == "succeeded":
        return
    evidence = f"provisioningState = {state}"
    if state.lower() in _AT_REST:
        yield Reason(
            "provisioning-failed",
            Severity.WARNS,
            "The machine's last operation did not succeed; the service may refuse the change for the same cause.",
            evidence,
            "Look at the failed operation in the activity log; reapplying the machine often clears it.",
        )
        return
    yield Reason(
        "provisioning-in-progress",
        Severity.BLOCKS,
        "Another operation is running on the machine, and what it leaves is not known yet.",
        evidence,
        "Plan again when the operation has ended.",
    )


def check_odd_document(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`odd-document`: members of another type than Azure's, outside the patch settings."""
    del wanted
    if machine.oddities:
        yield Reason(
            "odd-document",
            Severity.WARNS,
            "Members of the machine's document are not of the type that Azure writes. Each counts as not known, and an "
            "owner as one.",
            "; ".join(map(str, machine.oddities)),
            "Look at the machine's JSON View in the portal; if it shows the same, report it to Azure support.",
        )


def check_power(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`deallocated`."""
    del wanted
    if is_off(machine):
        yield Reason(
            "deallocated",
            Severity.NOTES,
            "The machine is not running: the setting can be changed, but a schedule patches only running machines.",
            f"powerState = {machine.surroundings.power_state}",
            "Have it running at least 15 minutes before its maintenance window.",
        )


def check_os_profile(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """`no-os-profile`: set by sending an osProfile that holds the patch settings alone."""
    del wanted
    if not machine.has_os_profile and machine.kind is not MachineKind.ARC:
        yield Reason(
            "no-os-profile",
            Severity.NOTES,
            "The machine has no osProfile. It is set by sending one that holds the patch settings alone (api-version "
            "2023-07-01 or later); that cannot be undone, and some services refuse it.",
            f"properties.osProfile = (absent), osDisk.createOption = {machine.os_disk_create_option or '(absent)'}",
            "Review the plan: this change has no way back.",
        )


def is_off(machine: Machine) -> bool:
    """Whether a virtual machine is known not to run; what is not known counts as running."""
    return (machine.surroundings.power_state or "").lower() in _OFF
