"""One judgement of one machine against one wish; audit, plan, verify and every face and report take it from here.

Must not: look at schedules, or build what a plan holds beside the settings to send.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from patchmode.model.finding import Reason
from patchmode.model.machine import Machine
from patchmode.model.plan import WantedSettings
from patchmode.rules.eligibility import first_block, reasons_for
from patchmode.rules.settings_patch import smallest_patch
from patchmode.rules.wanted import needs_platform, target_settings

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
