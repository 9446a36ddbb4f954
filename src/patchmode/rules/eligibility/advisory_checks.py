"""Checks that never stand against a change: what may keep it from working as hoped, and what is worth knowing."""

from collections.abc import Iterator
from shlex import quote

from patchmode.model.finding import Reason
from patchmode.model.machine import Machine, MachineKind
from patchmode.model.patch_settings import OperatingSystem, Orchestration, WantedSettings
from patchmode.rules.eligibility.blocking_checks import is_at_rest
from patchmode.rules.eligibility.images import hotpatch_capable
from patchmode.rules.eligibility.request_checks import settings_of
from patchmode.rules.rule import NOTES, WARNS, Rule
from patchmode.rules.settings.patch import is_platform_mode
from patchmode.rules.settings.transitions import known_mode, wanted_mode

_OFF = frozenset({"deallocated", "deallocating", "stopped", "stopping"})
_READY = frozenset({"ready", "connected"})


def is_off(machine: Machine) -> bool:
    """Whether a virtual machine is known not to run; what is not known counts as running."""
    return (machine.surroundings.power_state or "").lower() in _OFF


def check_known_mode(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """A patch mode of a later version of Azure."""
    del wanted
    mode = settings_of(machine).patch_mode
    if mode is not None and known_mode(mode) is None:
        yield UNKNOWN_PATCH_MODE.warns(
            "The machine states a patch mode that this version does not know; a change of it could not be undone.",
            f"patchSettings.patchMode = {mode}",
        )


UNKNOWN_PATCH_MODE = Rule(
    "unknown-patch-mode",
    "the machine states a patch mode that this version does not know",
    WARNS,
    """
    What: The machine states a patch mode that this version does not know.
    Severity: Warns.
    Why: patchmode never sends a value that it does not know, so a change could not be undone.
    Evidence: `patchSettings.patchMode`.
    Fix: Look for a newer version of patchmode before you change this machine.
    Source: None needed: the rule is about this version.
    """,
    check=check_known_mode,
)


def check_odd_document(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """Members of another type than Azure's, outside the patch settings."""
    del wanted
    if machine.oddities:
        yield ODD_DOCUMENT.warns(
            "Members of the machine's document are not of the type that Azure writes. Each counts as not known, and an "
            "owner as one.",
            "; ".join(map(str, machine.oddities)),
        )


ODD_DOCUMENT = Rule(
    "odd-document",
    "a member of the machine's document is not as Azure writes it",
    WARNS,
    """
    What: A member of the machine's document outside the patch settings is of another type than Azure writes: tags as a
    list, a number for a publisher, `managedBy` as an object.
    Severity: Warns.
    Why: One faulty document must not end a command for a fleet. Each such member counts as not known; `managedBy` and
    the scale set count as owners whatever they hold, and a tag's value that is not a text counts as its JSON.
    Evidence: Each member with what was found.
    Fix: Check the machine's JSON View in the portal; if it shows the same, report it to Azure support. While its tags
    cannot be read, filters by tag leave the machine out.
    Source: azure-mgmt-compute and azure-mgmt-hybridcompute, the types of the members.
    """,
    check=check_odd_document,
    machine_fix="Check the machine's JSON View in the portal; if it shows the same, report it to Azure support.",
)


def check_agent_status(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """The agent of a machine that is off reports nothing, which is no fault."""
    del wanted
    status = machine.surroundings.agent_status
    if status is not None and status.lower() not in _READY and not is_off(machine):
        yield AGENT_NOT_READY.warns(
            "The setting can be changed, but nothing will be patched until the VM agent reports Ready.",
            f"instanceView.vmAgent.statuses displayStatus = {status}",
        )


AGENT_NOT_READY = Rule(
    "agent-not-ready",
    "the VM agent does not report Ready",
    WARNS,
    """
    What: The VM agent of a running machine does not report Ready.
    Severity: Warns. Known only where the instance view was read.
    Why: The setting can be changed, but nothing is patched until the agent works.
    Evidence: `displayStatus` in `instanceView.vmAgent.statuses`.
    Fix: Repair or restart the VM agent in the guest.
    Source: Azure's documentation of Update Manager's troubleshooter.
    """,
    check=check_agent_status,
)


def check_patch_extension(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """The extension through which Azure patches has failed; told with its own message.

    Source: a public answer of Microsoft's support (Q&A 5866629): the extension must be in state Succeeded; otherwise it
    is removed, and the next assessment installs it again.
    """
    del wanted
    extension = machine.surroundings.patch_extension
    if extension is None or not extension.has_failed:
        return
    says = f'It says: "{extension.message}".' if extension.message else "What it says was not read; explain shows it."
    yield PATCH_EXTENSION_FAILED.warns(
        f"{extension.name}, the extension through which Azure patches the machine, has failed, so that the next run "
        f"is in doubt. {says}",
        f"extensions/{extension.name} provisioningState = {extension.state}",
        _removal(machine, extension.name),
    )


def _removal(machine: Machine, extension: str) -> str:
    place = f"--resource-group {quote(machine.id.resource_group)} --subscription {machine.id.subscription_id}"
    noun, option = ("connectedmachine", "--machine-name") if machine.kind is MachineKind.ARC else ("vm", "--vm-name")
    return (
        "Read its log in the guest. Removing it lets the next assessment install it again:\n"
        f"az {noun} extension delete --name {quote(extension)} {option} {quote(machine.name)} {place}"
    )


PATCH_EXTENSION_FAILED = Rule(
    "patch-extension-failed",
    "the extension through which Azure patches the machine has failed",
    WARNS,
    """
    What: The extension through which Azure's schedules patch the machine is in state `Failed` or `Canceled`, or its
    instance view shows an error.
    Severity: Warns. The settings can be changed; where a schedule or Azure itself would patch the machine, the outcome
    is `unknown`.
    Why: Azure patches a virtual machine through WindowsPatchExtension or LinuxPatchExtension (publisher
    Microsoft.CPlat.Core), an Arc server through WindowsOsUpdateExtension or LinuxOsUpdateExtension
    (Microsoft.SoftwareUpdateManagement). Whether the next run installs a failed one again, or fails because of it, is
    not documented.
    Evidence: `provisioningState` of the extension and its own message, from Resource Graph (one query for a fleet), a
    GET of the machine, or its instance view, which `explain` reads. A list of machines shows no states.
    Fix: Read its log in the guest. Removing it (`az vm extension delete`, `az connectedmachine extension delete`) lets
    the next assessment install it again.
    Source: Azure's documentation of Update Manager's extensions; a public answer of Microsoft's support (Q&A 5866629:
    the extension must be in state Succeeded, else remove it and assess again); recorded instance views for the format.
    """,
    check=check_patch_extension,
)


def check_last_operation(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """The last operation ended and did not succeed."""
    del wanted
    state = machine.provisioning_state
    if state is not None and is_at_rest(state) and state.lower() != "succeeded":
        yield PROVISIONING_FAILED.warns(
            "The machine's last operation did not succeed; the service may refuse the change for the same cause.",
            f"provisioningState = {state}",
        )


PROVISIONING_FAILED = Rule(
    "provisioning-failed",
    "the machine's last operation failed",
    WARNS,
    """
    What: The machine's last operation failed or was cancelled.
    Severity: Warns.
    Why: The model can be changed, but the service may refuse the change for the same cause.
    Evidence: `provisioningState`.
    Fix: Check the failed operation in the activity log; reapplying the machine often clears it.
    Source: Azure's documentation of provisioning states of virtual machines.
    """,
    check=check_last_operation,
)


def check_os_profile(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """It is set by sending an osProfile that holds the patch settings alone."""
    del wanted
    if not machine.has_os_profile and machine.kind is not MachineKind.ARC:
        yield NO_OS_PROFILE.notes(
            "The machine has no osProfile. It is set by sending one that holds the patch settings alone (api-version "
            "2023-07-01 or later); that cannot be undone, and some services refuse it.",
            f"properties.osProfile = (absent), osDisk.createOption = {machine.os_disk_create_option or '(absent)'}",
        )


NO_OS_PROFILE = Rule(
    "no-os-profile",
    "the machine has no osProfile (attached, migrated or restored disk)",
    NOTES,
    """
    What: The machine has no `osProfile`: created from an attached disk, by Azure Migrate, Site Recovery or a restored
    backup.
    Severity: Notes.
    Why: It can be set by sending an `osProfile` that holds the patch settings alone, with api-version 2023-07-01 or
    later. That cannot be undone, and older reports show refusals. Azure Policy may call such a machine compliant
    although nothing is set.
    Evidence: `properties.osProfile` is absent; `osDisk.createOption`.
    Fix: Review the plan: this change cannot be undone.
    Source: Built-in policy 9905ca54-1471-49c6-8291-7582c04cd4d4; MicrosoftDocs/azure-docs issues 118223 and 12602.
    """,
    check=check_os_profile,
)


def check_automatic_updates(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """AutomaticByPlatform on a Windows machine made with automatic updates off."""
    off = machine.os is OperatingSystem.WINDOWS and machine.enable_automatic_updates is False
    entering = is_platform_mode(wanted_mode(wanted)) and not is_platform_mode(settings_of(machine).patch_mode)
    if off and entering:
        yield AUTOMATIC_UPDATES_OFF.notes(
            "The machine was created with automatic updates off. Microsoft's sources disagree on whether patchMode "
            "AutomaticByPlatform is then allowed; patchmode sends the mode alone and never the property.",
            "windowsConfiguration.enableAutomaticUpdates = false",
        )


AUTOMATIC_UPDATES_OFF = Rule(
    "automatic-updates-off",
    "two sources disagree on AutomaticByPlatform without automatic updates",
    NOTES,
    """
    What: A Windows machine that was created with `enableAutomaticUpdates` false is to be changed to
    AutomaticByPlatform.
    Severity: Notes.
    Why: Azure's documentation allows the change, the API's requires `true`. Unconfirmed; patchmode sends the mode alone
    and never the property, as the built-in policy does.
    Evidence: `windowsConfiguration.enableAutomaticUpdates` is false.
    Fix: Change one such machine before a fleet of them.
    Source: Azure's documentation "Automatic guest patching for Azure virtual machines" against azure-mgmt-compute,
    `patchMode`.
    """,
    check=check_automatic_updates,
)


def check_reboot_setting(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """A reboot setting that stands or will stand beside AutomaticByPlatform."""
    settings = settings_of(machine)
    reboot = wanted.reboot or settings.reboot_setting
    after = wanted_mode(wanted) or settings.patch_mode
    if machine.kind is not MachineKind.ARC and reboot is not None and is_platform_mode(after):
        yield REBOOT_SETTING_OVERRIDES.notes(
            f"The machine's own reboot setting ({reboot}) overrides the one of any schedule.",
            f"automaticByPlatformSettings.rebootSetting = {settings.reboot_setting or '(absent)'}",
        )


REBOOT_SETTING_OVERRIDES = Rule(
    "reboot-setting-overrides",
    "the machine's reboot setting overrides its schedule's",
    NOTES,
    """
    What: The machine has, or gets, a reboot setting of its own.
    Severity: Notes.
    Why: It overrides the reboot setting of every schedule.
    Evidence: `automaticByPlatformSettings.rebootSetting`.
    Fix: Nothing to do if that is meant; otherwise set it with `--reboot`.
    Source: Azure's documentation "Automatic guest patching for Azure virtual machines".
    """,
    check=check_reboot_setting,
)


def check_hotpatch_image(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """What a schedule gives up on an image that could hotpatch."""
    if wanted.orchestration is not Orchestration.CUSTOMER_MANAGED_SCHEDULES or settings_of(machine).hotpatch is True:
        return
    if hotpatch_capable().names(machine.image):
        yield HOTPATCH_IMAGE.notes(
            "The image can hotpatch (fewer reboots), which excludes Customer Managed Schedules.",
            hotpatch_capable().evidence(machine.image),
        )


HOTPATCH_IMAGE = Rule(
    "hotpatch-image",
    "the image supports hotpatching, which schedules exclude",
    NOTES,
    """
    What: The image supports hotpatching, and hotpatching is not on.
    Severity: Notes, for Customer Managed Schedules only.
    Why: Customer Managed Schedules exclude hotpatching, which would need fewer reboots.
    Evidence: Publisher, offer and sku, and the list.
    Fix: Nothing to do unless you want hotpatching instead.
    Source: Azure's documentation "Support matrix for Azure Update Manager", hotpatchable images; the portal's own
    query.
    """,
    check=check_hotpatch_image,
)


def check_power(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """A machine that is known not to run."""
    del wanted
    if is_off(machine):
        yield DEALLOCATED.notes(
            "The machine is not running: the setting can be changed, but a schedule patches only running machines.",
            f"powerState = {machine.surroundings.power_state}",
        )


DEALLOCATED = Rule(
    "deallocated",
    "the machine is not running",
    NOTES,
    """
    What: The machine is not running.
    Severity: Notes.
    Why: The setting can probably be changed (no source states a restriction; unconfirmed), but a schedule patches only
    machines that run.
    Evidence: The power state.
    Fix: Make sure that it runs at least 15 minutes before its maintenance window.
    Source: Azure's documentation of maintenance configurations.
    """,
    check=check_power,
)

RULES = (
    UNKNOWN_PATCH_MODE,
    ODD_DOCUMENT,
    AGENT_NOT_READY,
    PATCH_EXTENSION_FAILED,
    PROVISIONING_FAILED,
    NO_OS_PROFILE,
    AUTOMATIC_UPDATES_OFF,
    REBOOT_SETTING_OVERRIDES,
    HOTPATCH_IMAGE,
    DEALLOCATED,
)
