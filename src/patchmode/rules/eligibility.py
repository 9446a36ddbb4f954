"""May this machine be set at all: every rule, each with its evidence and what to do about it.

Must not: plan, predict or look at anything but the machine and the wish.
"""

from patchmode.model.finding import Reason, Severity
from patchmode.model.machine import Machine
from patchmode.model.plan import WantedSettings
from patchmode.rules import image_checks, machine_checks, owner_checks, setting_checks
from patchmode.rules.registry import RULE_ORDER, Check

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
