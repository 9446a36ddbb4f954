"""One judgement of one machine against the settings wanted; audit, plan, verify and every report take it from here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from patchmode.model.finding import MachineAudit, Reason, Severity
from patchmode.model.machine import Machine, MachineKind
from patchmode.model.outcome import OutcomeKind, Readiness
from patchmode.model.patch_settings import Orchestration, PatchSettings, WantedSettings
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import NOT_LOOKED_UP, NextWindow, RunForecast, ScheduleHit, Timing, Via
from patchmode.rules.eligibility import (
    advisory_checks,
    blocking_checks,
    images,
    owner_checks,
    request_checks,
    windows_edition,
)
from patchmode.rules.eligibility.owner_checks import AKS_MANAGED, APPLIANCE, CLIENT_OS, DATABRICKS_MANAGED
from patchmode.rules.eligibility.request_checks import (
    ARC_NO_ORCHESTRATION,
    MODE_OS_MISMATCH,
    ODD_SETTINGS,
    REBOOT_NEEDS_PLATFORM_MODE,
    UNKNOWN_OS,
)
from patchmode.rules.rule import Rule, by_id
from patchmode.rules.schedules.checks import schedule_reasons
from patchmode.rules.schedules.forecast import forecast, predict
from patchmode.rules.schedules.memberships import ScheduleIndex
from patchmode.rules.settings.patch import smallest_patch
from patchmode.rules.settings.transitions import needs_platform, target_settings, wanted_of

RULES: tuple[Rule, ...] = (
    *request_checks.RULES,
    *owner_checks.RULES,
    *blocking_checks.RULES,
    *images.RULES,
    windows_edition.EDITION_NOT_KNOWN,
    *advisory_checks.RULES,
)
"""In the order in which they are judged and reported: of those that block, the first is the one named."""
_CHECKS = tuple(rule.check for rule in RULES if rule.check is not None)
_ORDER = {rule.id: place for place, rule in enumerate(RULES)}


def reasons_for(machine: Machine, wanted: WantedSettings) -> tuple[Reason, ...]:
    """Every rule's verdict on one machine, in the order of `RULES`.

    Args:
        machine: from any source; what a source does not know is judged as "not known", never as fine.
        wanted: what was asked for. With nothing asked for, only the rules that hold for any change speak.

    Returns:
        Empty where no rule has anything to say. The machine is eligible when no reason blocks.

    Raises:
        ValueError: the orchestration asked for cannot be set.
    """
    found = [reason for check in _CHECKS for reason in check(machine, wanted)]
    return tuple(sorted(found, key=lambda reason: _ORDER[reason.rule]))


def first_block(reasons: tuple[Reason, ...]) -> Reason | None:
    """The reason for which a machine is skipped: the first that blocks; None where none does."""
    return next((reason for reason in reasons if reason.severity is Severity.BLOCKS), None)


_THE_WISH_ITSELF = by_id(UNKNOWN_OS, ARC_NO_ORCHESTRATION, MODE_OS_MISMATCH, REBOOT_NEEDS_PLATFORM_MODE)
"""Rules that say the wish makes no sense on the machine. They come before "already as wanted"; every other rule says
what stands against a change, which matters only where there is one."""


_NEVER_PATCHED = by_id(CLIENT_OS, APPLIANCE, AKS_MANAGED, DATABRICKS_MANAGED)
"""Rules of `owner_checks.out_of_reach`. Where the wish is to be patched through the platform, they come before "already
as wanted" too: a machine that is prepared and that nothing will ever patch must not pass for ready."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rules say of a machine's settings."""

    reasons: tuple[Reason, ...]
    """Every rule's verdict, in the order of `RULES`."""
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
        is_not_asked = block.rule == ARC_NO_ORCHESTRATION.id and not wanted.concerns_arc
        return Judgement(reasons, block, makes_sense=False, is_as_wanted=is_not_asked, patch={})
    if block is not None and block.rule == ODD_SETTINGS.id:
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
    outcome = predict(machine.settings, machine, schedules)
    return MachineAudit(
        machine=machine,
        as_wanted=found.is_as_wanted,
        eligible=found.block is None,
        reasons=(*found.reasons, *schedule_reasons(machine, schedules, index)),
        outcome=outcome,
        schedules=schedules,
        readiness=_readiness(machine, outcome.kind, found if wanted == _PREREQUISITE else None),
    )


_PREREQUISITE = WantedSettings(orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES)
_PREPARED = PatchSettings(patch_mode="AutomaticByPlatform", bypass=True)
_ANY_SCHEDULE = ScheduleHit(
    ResourceId.parse(
        "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/any/providers/Microsoft.Maintenance/"
        "maintenanceConfigurations/any"
    ),
    Via.STATIC,
    clause="",
    assignment="",
    next=NextWindow(Timing.COMING),
)
"""Stands for a schedule that will run: how would a machine's run on it end?"""
_BY_OUTCOME = {
    OutcomeKind.SCHEDULED: Readiness.READY_SCHEDULED,
    OutcomeKind.SCHEDULE_FAILS: Readiness.WILL_FAIL,
    OutcomeKind.INELIGIBLE: Readiness.CANNOT,
}


def _readiness(machine: Machine, kind: OutcomeKind, found: Judgement | None) -> Readiness:
    """Whether a machine is ready for a schedule, and has one.

    Who patches it now may be unknown where it is certain that it is not ready, and the other way round.

    Args:
        machine: as read.
        kind: its outcome.
        found: how it was judged against the prerequisite of schedules; None: it was judged against something else.
    """
    if kind in _BY_OUTCOME:
        return _BY_OUTCOME[kind]
    if machine.kind is not MachineKind.ARC and machine.settings is not None and machine.settings.undecided:
        return Readiness.UNKNOWN
    would = forecast(_PREPARED, machine, _ANY_SCHEDULE).result
    if would is RunForecast.FAILS:
        return Readiness.CANNOT
    if machine.kind is MachineKind.ARC or machine.orchestration is Orchestration.CUSTOMER_MANAGED_SCHEDULES:
        is_seen_without = kind in {OutcomeKind.PARKED, OutcomeKind.GUEST_MANAGED}
        is_certain = is_seen_without and would is not RunForecast.UNKNOWN
        return Readiness.READY_UNSCHEDULED if is_certain else Readiness.UNKNOWN
    judged = found or judge(machine, wanted_of(machine, _PREREQUISITE))
    return Readiness.NOT_READY if judged.block is None else Readiness.CANNOT
