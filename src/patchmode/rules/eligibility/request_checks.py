"""Checks on what was asked for: whether it makes sense on the machine at all, and can be sent as it is.

The first four come before "already as wanted": see `judgement`.
"""

from collections.abc import Iterator
from typing import NamedTuple

from patchmode.model.finding import Reason
from patchmode.model.machine import Machine, MachineKind
from patchmode.model.patch_settings import OperatingSystem, PatchSettings, WantedSettings
from patchmode.rules.rule import BLOCKS, REFUSES, Rule
from patchmode.rules.settings.patch import is_platform_mode, leaves_bypass_in_doubt
from patchmode.rules.settings.transitions import TransitionRefusal, obstacle, target_settings, wanted_mode

_NO_SETTINGS = PatchSettings()


def settings_of(machine: Machine) -> PatchSettings:
    """The machine's patch settings; empty ones where it states none."""
    return machine.settings or _NO_SETTINGS


def check_arc(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """Only periodic assessment can be set on an Arc server."""
    asks = wanted.orchestration is not None or wanted.reboot is not None or wanted.hotpatch_off
    if machine.kind is MachineKind.ARC and asks:
        yield ARC_NO_ORCHESTRATION.blocks(
            "An Arc server needs no patch orchestration: attaching a schedule is enough."
            if wanted.orchestration is not None
            else "An Arc server has no reboot setting and no hotpatching: its schedule decides about reboots.",
            f"type = {machine.id.full_type}",
            _arc_advice(wanted),
        )


def _arc_advice(wanted: WantedSettings) -> str:
    """What is left to do of what was asked: what was given already is not asked for once more."""
    beside = [*(["--reboot"] if wanted.reboot is not None else []), *(["--hotpatch"] if wanted.hotpatch_off else [])]
    if wanted.periodic_assessment is not None:
        return f"Leave {' and '.join(beside)} out: then its periodic assessment is set."
    if wanted.orchestration is None:
        return "Its schedule decides of reboots; nothing else can be set on it but --periodic-assessment."
    return "Attach a schedule to it with --then-attach, or with `schedule attach`."


ARC_NO_ORCHESTRATION = Rule(
    "arc-no-orchestration",
    "an Arc server has no patch mode",
    BLOCKS,
    """
    What: An orchestration, a reboot setting or hotpatching was asked for on an Azure Arc server.
    Severity: Blocks. Periodic assessment is allowed: where it is asked for, an orchestration that is asked for as well
    is ignored for Arc servers, and `plan` says so; a reboot setting or hotpatching still blocks. With `--then-attach`
    an orchestration is ignored too: the server counts as already compliant, and gets the schedule.
    Why: Arc servers have no patch mode to choose: attaching a schedule is enough.
    Evidence: The resource type is `Microsoft.HybridCompute/machines`.
    Fix: Attach a schedule to it; for periodic assessment give `--periodic-assessment`, without `--reboot` and
    `--hotpatch`.
    Source: Azure's documentation of scheduled patching and dynamic scopes; the portal shows "N/A" for them.
    """,
    check=check_arc,
)


def check_system(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """Without the system there is no configuration to write to."""
    del wanted
    if machine.os is None:
        yield UNKNOWN_OS.blocks(
            "Neither the disk nor the machine says whether it runs Windows or Linux, so there is no place to write to.",
            "storageProfile.osDisk.osType = (absent)",
        )


UNKNOWN_OS = Rule(
    "unknown-os",
    "neither the disk nor the machine says which system it runs",
    BLOCKS,
    """
    What: Neither the disk nor the machine says whether it runs Windows or Linux.
    Severity: Blocks every change.
    Why: Patch settings are in `windowsConfiguration` or `linuxConfiguration`; without the system it is not known which.
    Evidence: `storageProfile.osDisk.osType` is absent.
    Fix: Check the machine's disk in the portal; a machine without a system disk cannot be patched.
    Source: Azure REST API, `osDisk.osType`; the built-in policies read the system there as well.
    """,
    check=check_system,
)


class TransitionFound(NamedTuple):
    """Why the mode asked for cannot follow the one that the model states."""

    refusal: TransitionRefusal
    evidence: str


def refused_transition(machine: Machine, wanted: WantedSettings) -> TransitionFound | None:
    """What refuses the step to the mode asked for; None: nothing, or no mode was asked for."""
    mode = wanted_mode(wanted)
    if mode is None or machine.os is None or machine.kind is MachineKind.ARC:
        return None
    now, updates = settings_of(machine).patch_mode, machine.enable_automatic_updates
    found = obstacle(now, mode, machine.os, automatic_updates=updates)
    if found is None:
        return None
    stated = "(absent)" if updates is None else str(updates).lower()
    leaves = f"patchMode = {now or '(absent)'}, enableAutomaticUpdates = {stated}, osType = {machine.os.value}"
    return TransitionFound(found, leaves)


def check_mode_exists(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """A mode of the other system; `blocking_checks` has the other refusals."""
    found = refused_transition(machine, wanted)
    if found is not None and found.refusal.rule == MODE_OS_MISMATCH.id:
        system = "" if machine.os is None else machine.os.value
        own = "image-default" if machine.os is OperatingSystem.LINUX else "automatic-by-os or manual"
        others = "customer-managed-schedules or azure-managed"
        fix = f"For {system} machines give --to {own}, or {others}; --exclude-os {system.casefold()} leaves them out."
        yield MODE_OS_MISMATCH.blocks(found.refusal.because, found.evidence, fix)


MODE_OS_MISMATCH = Rule(
    "mode-os-mismatch",
    "the wanted patch mode does not exist on this operating system",
    BLOCKS,
    """
    What: The wanted patch mode does not exist on the machine's system.
    Severity: Blocks.
    Why: `Manual` and `AutomaticByOS` exist on Windows only, `ImageDefault` on Linux only.
    Evidence: `patchMode`, `enableAutomaticUpdates` and `osType` as read.
    Fix: Give `--to` a mode that the system has, and plan each system by itself with `--os`.
    Source: Azure's documentation "Automatic guest patching for Azure virtual machines".
    """,
    check=check_mode_exists,
)


def check_reboot(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """A reboot setting can only be sent beside AutomaticByPlatform."""
    after = wanted_mode(wanted) or settings_of(machine).patch_mode
    if machine.kind is not MachineKind.ARC and wanted.reboot is not None and not is_platform_mode(after):
        yield REBOOT_NEEDS_PLATFORM_MODE.blocks(
            "A reboot setting is possible only with Customer Managed Schedules or Azure Managed - Safe Deployment.",
            f"patchMode = {after or '(absent)'}",
        )


REBOOT_NEEDS_PLATFORM_MODE = Rule(
    "reboot-needs-platform-mode",
    "a reboot setting needs AutomaticByPlatform",
    BLOCKS,
    """
    What: A reboot setting was asked for where the resulting patch mode is not AutomaticByPlatform.
    Severity: Blocks.
    Why: The service answers "AutomaticByPlatformSettings cannot be set if the PatchMode is not 'AutomaticByPlatform'."
    Evidence: The patch mode that would be in the model.
    Fix: Give `--to customer-managed-schedules` or `--to azure-managed` in the same plan, or leave `--reboot` out.
    Source: The service's message, quoted in Azure/bicep-registry-modules issue 2081.
    """,
    check=check_reboot,
)


def check_odd_settings(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """Members of `patchSettings` that are there and cannot be read.

    It blocks only where a write beside an unreadable bypass would have to state it, and nobody asked for a value.
    """
    settings = settings_of(machine)
    if not settings.odd:
        return
    evidence = "; ".join(f"patchSettings.{entry}" for entry in settings.odd)
    if machine.kind is not MachineKind.ARC and leaves_bypass_in_doubt(settings, target_settings(wanted)):
        yield ODD_SETTINGS.blocks(
            "The reboot setting can only be sent together with bypass, whose value cannot be read.",
            evidence,
            "Name the orchestration as well (--to), so that bypass is sent as you want it.",
        )
        return
    yield ODD_SETTINGS.warns(
        "Patch settings are not as Azure writes them: they count as not set, and a plan sends them again.",
        evidence,
        "Plan and apply the wanted settings; then read the machine again.",
    )


ODD_SETTINGS = Rule(
    "odd-settings",
    "patch settings are not as Azure writes them",
    REFUSES,
    """
    What: A member of the machine's `patchSettings` is there and cannot be read: bypass as the text `"true"` or the
    number 1, a patch mode that is not a text, `PatchMode` for `patchMode`.
    Severity: Warns. Blocks where only `--reboot` is asked for and bypass cannot be read: both are sent in one request,
    and no value was given for bypass.
    Why: Azure writes texts as texts, booleans as `true` and `false`, and members in one spelling. How it treats
    anything else is not known, so such a member counts as not set: the machine is not compliant, who patches it is
    `unknown`, and `plan` sends the pair as Azure spells it. Where Azure did treat it as set, the change has no effect.
    Evidence: Each member with what was found.
    Fix: Plan and apply the wanted settings, then read the machine again; with `--reboot`, name `--to` as well.
    Source: Recorded answers hold JSON booleans only, and the service normalises a text that is sent to it; no source
    says how it treats one that exists.
    """,
    check=check_odd_settings,
)

RULES = (ARC_NO_ORCHESTRATION, UNKNOWN_OS, MODE_OS_MISMATCH, REBOOT_NEEDS_PLATFORM_MODE, ODD_SETTINGS)
