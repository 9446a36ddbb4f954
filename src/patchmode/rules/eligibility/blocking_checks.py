"""Checks on the machine's own state: what refuses the change as things are.

Must not: look at images or owners.

Source of the agent's part: azure-mgmt-compute's documentation of `patchMode` and `assessmentMode` (provisionVMAgent
must be true for AutomaticByPlatform); of extensions: the platform patches through its own VM extension.
"""

from collections.abc import Iterator

from patchmode.model.finding import Reason
from patchmode.model.machine import Machine
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.rules.eligibility.request_checks import refused_transition, settings_of
from patchmode.rules.rule import BLOCKS, NOTES, Rule
from patchmode.rules.settings.transitions import needs_platform

_AT_REST = frozenset({"succeeded", "failed", "canceled"})


def is_at_rest(state: str) -> bool:
    """Whether a provisioning state says that no operation is running."""
    return state.lower() in _AT_REST


def check_provisioning(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """An operation that is running; `advisory_checks` has one that failed."""
    del wanted
    state = machine.provisioning_state
    if state is not None and not is_at_rest(state):
        yield PROVISIONING_IN_PROGRESS.blocks(
            "Another operation is running on the machine, and what it leaves is not known yet.",
            f"provisioningState = {state}",
        )


PROVISIONING_IN_PROGRESS = Rule(
    "provisioning-in-progress",
    "another operation is running on the machine",
    BLOCKS,
    """
    What: Another operation runs on the machine: it is being created, updated or deleted.
    Severity: Blocks.
    Why: The machine will have changed before the change is sent, so that the change would be refused as stale; or one
    of two concurrent writes fails with 409.
    Evidence: `provisioningState`.
    Fix: Plan again when the operation has ended.
    Source: Azure REST API, provisioning states; `ConflictingConcurrentWriteNotAllowed` in
    cloudfoundry/bosh-azure-cpi-release issue 762.
    """,
    check=check_provisioning,
)


def check_transition(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """A mode that exists on the system and cannot follow the machine's."""
    found = refused_transition(machine, wanted)
    if found is None:
        return
    if found.refusal.rule == AUTOMATIC_BY_OS_MANUAL.id:
        yield AUTOMATIC_BY_OS_MANUAL.blocks(found.refusal.because, found.evidence)
    elif found.refusal.rule == AUTOMATIC_UPDATES_FIXED.id:
        yield AUTOMATIC_UPDATES_FIXED.blocks(found.refusal.because, found.evidence)


AUTOMATIC_BY_OS_MANUAL = Rule(
    "automatic-by-os-manual",
    "a machine cannot change between AutomaticByOS and Manual",
    BLOCKS,
    """
    What: Manual was asked for where AutomaticByOS is set, or the reverse.
    Severity: Blocks.
    Why: Azure does not allow a change from one to the other: each needs the opposite value of `enableAutomaticUpdates`.
    Evidence: `patchMode`, `enableAutomaticUpdates` and `osType` as read.
    Fix: Choose `customer-managed-schedules`, or recreate the machine with the wanted setting.
    Source: Azure's documentation "Automatic guest patching for Azure virtual machines";
    hashicorp/terraform-provider-azurerm issues 9574 and 14383.
    """,
    check=check_transition,
)

AUTOMATIC_UPDATES_FIXED = Rule(
    "automatic-updates-fixed",
    "enableAutomaticUpdates does not fit and cannot be changed",
    BLOCKS,
    """
    What: The wanted mode needs another value of `enableAutomaticUpdates` than the machine has, or the model does not
    state it.
    Severity: Blocks.
    Why: AutomaticByOS needs `true` and Manual needs `false`; the property can only be set when a machine is created,
    and patchmode never sends it.
    Evidence: `patchMode`, `enableAutomaticUpdates` and `osType` as read.
    Fix: Choose an orchestration that fits.
    Source: Azure's documentation "Automatic guest patching for Azure virtual machines"; the service's messages in
    kumarvna/terraform-azurerm-virtual-machine issue 13 and MicrosoftDocs/azure-docs issue 112633.
    """,
    machine_fix="Choose an orchestration that fits; the property is fixed when a machine is created.",
)


def check_hotpatch(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """Hotpatching needs AutomaticByPlatform without bypass.

    Source: the service's answer "Hotpatch updates require platform safety checks. The
    'BypassPlatformSafetyChecksOnUserSchedule' flag must be set to false to enable hotpatching."; azure-mgmt-compute's
    documentation of `enableHotpatching` (needs patchMode AutomaticByPlatform).
    """
    hotpatch = settings_of(machine).hotpatch is True
    if not hotpatch or wanted.orchestration in (None, Orchestration.AZURE_MANAGED):
        return
    evidence = "patchSettings.enableHotpatching = true"
    if wanted.hotpatch_off:
        yield HOTPATCH_ON.notes(
            "Hotpatching is turned off by the same change: updates that could have been installed without one will "
            "need reboots.",
            evidence,
            "Nothing to do.",
        )
        return
    yield HOTPATCH_ON.blocks(
        "Hotpatching is on, and the service accepts it only with Azure Managed - Safe Deployment.",
        evidence,
        "Add --hotpatch off if schedules matter more than hotpatching.",
    )


HOTPATCH_ON = Rule(
    "hotpatch-on",
    "hotpatching excludes the wanted mode",
    (*BLOCKS, *NOTES),
    """
    What: Hotpatching is on, and the wanted orchestration is not Azure Managed - Safe Deployment.
    Severity: Blocks; notes when `--hotpatch off` was asked for, and then the same request turns it off.
    Why: The service accepts hotpatching only with AutomaticByPlatform and without bypass: "Hotpatch updates require
    platform safety checks."
    Evidence: `patchSettings.enableHotpatching` is true.
    Fix: Add `--hotpatch off` if schedules matter more than hotpatching. It is never turned off unasked.
    Source: claranet/terraform-azurerm-windows-vm issue 4; azure-mgmt-compute, `enableHotpatching`.
    """,
    check=check_hotpatch,
)


def check_agent(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """A machine that was created without the agent; `advisory_checks` has one whose agent does not report."""
    if machine.provision_vm_agent is False and needs_platform(wanted):
        yield AGENT_MISSING.blocks(
            "The machine was created without the VM agent, which patching by the platform needs.",
            "provisionVMAgent = false",
        )


AGENT_MISSING = Rule(
    "agent-missing",
    "the machine was created without the VM agent",
    BLOCKS,
    """
    What: The machine was created without the VM agent.
    Severity: Blocks platform settings.
    Why: `provisionVMAgent` must be true for AutomaticByPlatform, of patch mode and of assessment mode.
    Evidence: `provisionVMAgent` is false.
    Fix: Install the VM agent in the guest; where the property stays false the machine must be recreated.
    Source: azure-mgmt-compute, `patchMode` and `assessmentMode`.
    """,
    check=check_agent,
)


def check_extensions(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """The platform installs an extension of its own."""
    if machine.allow_extension_operations is False and needs_platform(wanted):
        yield EXTENSIONS_NOT_ALLOWED.blocks(
            "The machine allows no extensions, and the platform patches through one.",
            "osProfile.allowExtensionOperations = false",
        )


EXTENSIONS_NOT_ALLOWED = Rule(
    "extensions-not-allowed",
    "the machine allows no extensions",
    BLOCKS,
    """
    What: The machine allows no extensions.
    Severity: Blocks platform settings.
    Why: The platform patches and assesses through an extension of its own, which it could not install.
    Evidence: `osProfile.allowExtensionOperations` is false.
    Fix: Set `osProfile.allowExtensionOperations` to true, then plan again.
    Source: azure-mgmt-compute, `allowExtensionOperations`; Azure's documentation "Automatic guest patching for Azure
    virtual machines" names the patch extensions.
    """,
    check=check_extensions,
)

RULES = (
    PROVISIONING_IN_PROGRESS,
    AUTOMATIC_BY_OS_MANUAL,
    AUTOMATIC_UPDATES_FIXED,
    HOTPATCH_ON,
    AGENT_MISSING,
    EXTENSIONS_NOT_ALLOWED,
)
