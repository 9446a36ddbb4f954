"""One judgement of one machine against the settings wanted; audit, plan, verify and every report take it from here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from patchmode.model.finding import MachineAudit, Reason, Severity
from patchmode.model.machine import Machine
from patchmode.model.patch_settings import WantedSettings
from patchmode.model.schedule import NOT_LOOKED_UP
from patchmode.rules.eligibility import image_checks, machine_checks, owner_checks, setting_checks
from patchmode.rules.eligibility.registry import RULE_ORDER, Check
from patchmode.rules.schedules.checks import schedule_reasons
from patchmode.rules.schedules.forecast import predict
from patchmode.rules.schedules.memberships import ScheduleIndex
from patchmode.rules.settings.patch import smallest_patch
from patchmode.rules.settings.transitions import needs_platform, target_settings, wanted_of

_CHECKS: tuple[Check, ...] = (
    machine_checks.check_system,
    machine_checks.check_arc,
    setting_checks.check_transition,
    setting_checks.check_reboot,
    setting_checks.check_odd_settings,
    owner_checks.check_client,
    owner_checks.check_appliance,
    owner_checks.check_owner,
    owner_checks.check_scale_set,
    owner_checks.check_locks,
    machine_checks.check_provisioning,
    setting_checks.check_hotpatch,
    machine_checks.check_agent,
    machine_checks.check_extensions,
    machine_checks.check_patch_extension,
    image_checks.check_detected,
    image_checks.check_schedule_lists,
    image_checks.check_autopatch_list,
    image_checks.check_custom_image,
    owner_checks.check_edition,
    setting_checks.check_known_mode,
    machine_checks.check_odd_document,
    machine_checks.check_os_profile,
    setting_checks.check_automatic_updates,
    image_checks.check_hotpatch_image,
    machine_checks.check_power,
)


def reasons_for(machine: Machine, wanted: WantedSettings) -> tuple[Reason, ...]:
    """Every rule's verdict on one machine, in the registry's order.

    Args:
        machine: from any source; what a source does not know is judged as "not known", never as fine.
        wanted: what was asked for. With nothing asked for, only the rules that hold for any change speak.

    Returns:
        Empty where no rule has anything to say. The machine is eligible when no reason blocks.

    Raises:
        ValueError: the orchestration asked for cannot be set.
    """
    found = [reason for check in _CHECKS for reason in check(machine, wanted)]
    return tuple(sorted(found, key=lambda reason: RULE_ORDER[reason.rule]))


def first_block(reasons: tuple[Reason, ...]) -> Reason | None:
    """The reason for which a machine is skipped: the first that blocks; None where none does."""
    return next((reason for reason in reasons if reason.severity is Severity.BLOCKS), None)


_THE_WISH_ITSELF = frozenset({"unknown-os", "arc-no-orchestration", "mode-os-mismatch", "reboot-needs-platform-mode"})
"""Rules that say the wish makes no sense on the machine. They come before "already as wanted"; every other rule says
what stands against a change, which matters only where there is one."""


_NEVER_PATCHED = frozenset({"client-os", "appliance", "aks-managed", "databricks-managed"})
"""Rules of `workload.out_of_reach`. Where the wish is to be patched through the platform, they come before "already as
wanted" too: a machine that is prepared and that nothing will ever patch must not pass for ready."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rules say of a machine's settings."""

    reasons: tuple[Reason, ...]
    """Every rule's verdict, in the registry's order."""
    block: Reason | None
    """The first that stands against a change; None: the machine may be set."""
    makes_sense: bool
    """False: `block` says that the wish makes no sense on the machine, which comes before "already as wanted"."""
    is_as_wanted: bool
    """Every setting that was named is in the model, as Azure writes it. Of an Arc server nothing is asked unless
    periodic assessment is (`WantedSettings.concerns_arc`): it has no orchestration to set."""
    patch: Mapping[str, Any]
    """The smallest `patchSettings` to send; empty where the machine is as wanted or where nothing could be sent. Where
    `block` stands, it is not to be sent."""


def judge(machine: Machine, wanted: WantedSettings) -> Judgement:
    """Judge a machine's settings.

    Args:
        machine: from any source; Resource Graph's row and the provider's document are judged by the same settings.
        wanted: what was asked for of this machine (`wanted.wanted_of`).

    Raises:
        ValueError: the orchestration asked for cannot be set.
    """
    reasons = reasons_for(machine, wanted)
    block = first_block(reasons)
    if block is not None and block.rule in _THE_WISH_ITSELF:
        is_not_asked = block.rule == "arc-no-orchestration" and not wanted.concerns_arc
        return Judgement(reasons, block, makes_sense=False, is_as_wanted=is_not_asked, patch={})
    if block is not None and block.rule == "odd-settings":
        return Judgement(reasons, block, makes_sense=True, is_as_wanted=False, patch={})
    if block is not None and block.rule in _NEVER_PATCHED and needs_platform(wanted):
        return Judgement(reasons, block, makes_sense=False, is_as_wanted=False, patch={})
    patch = _patch(machine, wanted)
    return Judgement(reasons, block, makes_sense=True, is_as_wanted=not patch, patch=patch)


def _patch(machine: Machine, wanted: WantedSettings) -> dict[str, Any]:
    return smallest_patch(machine.settings, target_settings(wanted))


def audit_machine(machine: Machine, wanted: WantedSettings, index: ScheduleIndex | None = None) -> MachineAudit:
    """Whether the wanted settings may be set, every reason, and who patches the machine today.

    A machine that may not be set still has the outcome that its settings give it: a locked machine in Azure's hands is
    patched and rebooted by Azure all the same. `ineligible` is the outcome of those that Update Manager never patches.

    Args:
        machine: from any source.
        wanted: what the audit judges against; by custom Customer Managed Schedules.
        index: the schedules; None: none were looked up.

    Raises:
        ValueError: the orchestration asked for cannot be set.
    """
    schedules = NOT_LOOKED_UP if index is None else index.schedules_of(machine)
    found = judge(machine, wanted_of(machine, wanted))
    reasons = (*found.reasons, *schedule_reasons(machine, schedules, index))
    return MachineAudit(
        machine=machine,
        as_wanted=found.is_as_wanted,
        eligible=found.block is None,
        reasons=tuple(sorted(reasons, key=lambda reason: RULE_ORDER[reason.rule])),
        outcome=predict(machine.settings, machine, schedules),
        schedules=schedules,
    )
