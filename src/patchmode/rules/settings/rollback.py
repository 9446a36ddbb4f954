"""The change that undoes a recorded one, as far as the platform allows it.

Must not: undo more than the recorded change did, or less than the whole of it without saying so.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from patchmode.model.left_alone import Skipped
from patchmode.model.machine import Machine
from patchmode.model.outcome import Outcome
from patchmode.model.patch_settings import PatchSettings, WantedSettings, same_value
from patchmode.model.plan import Change, Unchanged
from patchmode.model.schedule import NOT_LOOKED_UP, MachineSchedules
from patchmode.rules.eligibility.judgement import first_block, reasons_for
from patchmode.rules.rule import BLOCKS, Rule
from patchmode.rules.schedules.forecast import predict
from patchmode.rules.settings.patch import BYPASS, PLATFORM, is_platform_mode, merged, settings_in, smallest_patch
from patchmode.rules.settings.planning import change_with, document_of
from patchmode.rules.settings.transitions import newly_autopatched, no_way_back
from patchmode.rules.settings.verification import ABSENT, Leaf, dotted, leaf_differences, shown

_WHATEVER_MAY_BE = WantedSettings(include_scale_set_members=True)


def plan_rollback_of(
    change: Change, observed: Machine, *, allow_azure_managed: bool, schedules: MachineSchedules = NOT_LOOKED_UP
) -> Change | Unchanged | Skipped:
    """The inverse of a recorded change, for the machine as it stands now.

    Args:
        change: as the run's journal recorded it.
        observed: a fresh reading from the provider.
        allow_azure_managed: whether a machine may come back into "Azure Managed - Safe Deployment", where Azure patches
            and reboots it at will.
        schedules: what reaches the machine; only the outcomes hang on it.

    Returns:
        `Unchanged` where the machine is as it was before the change; `Skipped` where it was changed again since, where
        something cannot be restored, or where a rule blocks; otherwise the change to send.

    Raises:
        ValueError: the observed machine has no document.
    """
    # A subscription's list upper-cases the resource group; the plan's own casing is the one that people know.
    observed = replace(observed, id=change.id)
    outcome = predict(observed.settings, observed, schedules)
    now = settings_in(document_of(observed), change.os)
    if _was_replaced(change, observed):
        return _skip(change, MACHINE_REPLACED, "Another machine has this id since the run.", outcome)
    if _as_before(change, now):
        return Unchanged(observed.id, observed.kind, outcome)
    reason = _obstacle_to_undoing(change, observed, now)
    if reason is not None:
        return _skip(change, *reason, outcome)
    block = first_block(reasons_for(observed, _WHATEVER_MAY_BE))
    if block is not None:
        return Skipped(change.id, block.rule, block.message, block.fix, outcome)
    stated, patch = PatchSettings.from_document(now), restoring_patch(change, now)
    after = PatchSettings.from_document(merged(now or {}, patch))
    if newly_autopatched(stated, after) and not allow_azure_managed:
        return _skip(
            change,
            WOULD_AUTOPATCH,
            "Before the run Azure patched and rebooted this machine at a time it chose; a rollback restores that only "
            "when asked.",
            outcome,
        )
    return change_with(observed, patch, schedules)


def restoring_patch(change: Change, now: Mapping[str, Any] | None) -> dict[str, Any]:
    """The `patchSettings` object that restores what stood before a recorded change.

    Args:
        change: as the run's journal recorded it.
        now: what the machine's model states; None: no `patchSettings`.

    Returns:
        Empty where nothing has to be sent.
    """
    return smallest_patch(PatchSettings.from_document(now), _target(PatchSettings.from_document(change.before)))


def _skip(change: Change, rule: Rule, reason: str, outcome: Outcome) -> Skipped:
    return Skipped(change.id, rule.id, reason, rule.fix, outcome)


def _was_replaced(change: Change, observed: Machine) -> bool:
    recorded = (change.document.get("properties") or {}).get("vmId")
    return bool(recorded and observed.vm_id and not same_value(recorded, observed.vm_id))


def _target(before: PatchSettings | None) -> PatchSettings:
    """The leaves to restore; what the mode does not allow to be sent is left out.

    An absent bypass beside AutomaticByPlatform is restored as false, which means the same.
    """
    settings = before or PatchSettings()
    if is_platform_mode(settings.patch_mode):
        return replace(settings, bypass=bool(settings.bypass), hotpatch=bool(settings.hotpatch) or None)
    return replace(settings, bypass=None, reboot_setting=None)


def _as_before(change: Change, now: Mapping[str, Any] | None) -> bool:
    """Whether nothing is left to undo.

    Outside AutomaticByPlatform the settings of that mode do not count: the service may keep or clear them.
    """
    before = change.before
    if before is None or now is None:
        return before is None and now is None
    return not _unlike(before, now, ignoring_platform=not is_platform_mode(before.get("patchMode")))


def _unlike(expected: Mapping[str, Any], found: Mapping[str, Any], *, ignoring_platform: bool) -> list[Leaf]:
    left, right = _plain(expected, ignoring_platform), _plain(found, ignoring_platform)
    return [leaf for leaf in leaf_differences(left, right) if not _equal(leaf)]


def _plain(settings: Mapping[str, Any], ignoring_platform: bool) -> Mapping[str, Any]:
    return {key: value for key, value in settings.items() if not (ignoring_platform and key == PLATFORM)}


def _equal(leaf: Leaf) -> bool:
    """Enumerations ignore case; false and absence mean the same for bypass and hotpatching."""
    left, right = leaf.expected, leaf.found
    if isinstance(left, str) and isinstance(right, str):
        return same_value(left, right)
    return (left is ABSENT and right is False) or (left is False and right is ABSENT)


def _taken_away(leaf: Leaf) -> bool:
    """Whether bypass, or the block that holds it, went."""
    if leaf.path == (PLATFORM, BYPASS):
        return leaf.found is ABSENT or leaf.found is False
    return leaf.path[:1] == (PLATFORM,) and leaf.found is ABSENT


def _obstacle_to_undoing(change: Change, observed: Machine, now: Mapping[str, Any] | None) -> tuple[Rule, str] | None:
    sent = settings_in(change.body, change.os) or {}
    before = PatchSettings.from_document(change.before)
    reason = no_way_back(before, sent, change.os, automatic_updates=observed.enable_automatic_updates)
    if reason is not None:
        return CANNOT_BE_RESTORED, reason
    leaving = not is_platform_mode(change.after.get("patchMode"))
    moved = _unlike(change.after, now or {}, ignoring_platform=leaving)
    if newly_autopatched(before, PatchSettings.from_document(now)):
        # Something took bypass away from what the run wrote (a policy may), and Azure now restarts the machine when it
        # chooses: the way out of that is not refused because of that.
        moved = [leaf for leaf in moved if not _taken_away(leaf)]
    if moved:
        fields = ", ".join(f"{dotted(leaf.path)} is {shown(leaf.found)}" for leaf in moved)
        return MOVED_SINCE_RUN, f"The machine was changed since the run: {fields}."
    return None


# ------------------------------------------------------------------------------------------------ rules

MOVED_SINCE_RUN = Rule(
    "moved-since-run",
    "the machine's patch settings are not those that the run set",
    BLOCKS,
    """
    What: `rollback`: the machine's patch settings are not those that the run set.
    Severity: Blocks.
    Why: Somebody changed them after the run, and the later change is kept.
    Evidence: Each field that changed, with its value now.
    Fix: Check who changed it; if you still want the old settings, plan them by name.
    Source: None needed: the rule is patchmode's own.
    """,
)

MACHINE_REPLACED = Rule(
    "machine-replaced",
    "another machine has the same id",
    BLOCKS,
    """
    What: `rollback`: another machine has the same id.
    Severity: Blocks.
    Why: The machine that the run changed does not exist any more; the new machine was not in the run.
    Evidence: `properties.vmId` is not the recorded one.
    Fix: Nothing to undo on the new machine; plan it by name if it should be changed.
    Source: Azure REST API, `vmId`.
    """,
)

CANNOT_BE_RESTORED = Rule(
    "cannot-be-restored",
    "the settings before the run cannot be restored",
    BLOCKS,
    """
    What: `rollback`: the settings before the run cannot be restored. The plan said so before the change.
    Severity: Blocks.
    Why: A PATCH merges, so a property that was absent cannot be removed again; and some patch modes cannot be set
    again.
    Evidence: The sentence that the plan gave in `irreversibleBecause`.
    Fix: Set what you need with another plan.
    Source: Azure's documentation "Automatic guest patching for Azure virtual machines" for the modes; that a PATCH
    cannot remove a member is unconfirmed; patchmode assumes it, because that is the safer answer.
    """,
)

WOULD_AUTOPATCH = Rule(
    "would-autopatch",
    "the change would let Azure patch the machine at a time it chooses",
    BLOCKS,
    """
    What: `rollback`: before the run the machine was in Azure Managed - Safe Deployment.
    Severity: Blocks, unless allowed by name.
    Why: After the rollback Azure may patch and reboot the machine at a time it chooses as soon as no schedule is
    attached. No step of patchmode does that unasked.
    Evidence: The recorded settings: AutomaticByPlatform without bypass.
    Fix: Repeat with `--allow-azure-managed` if Azure may patch and reboot the machine from now on.
    Source: Azure's documentation of the prerequisites for scheduled patching, "User scenarios".
    """,
)

NOT_CHANGED_BY_RUN = Rule(
    "not-changed-by-run",
    "the run did not change the machine, so there is nothing to undo",
    BLOCKS,
    """
    What: `rollback`: the run did not change the machine.
    Severity: Blocks.
    Why: There is nothing to undo: the change was refused, stale, or never sent.
    Evidence: The result in the run's journal.
    Fix: Nothing; the run's report shows its result.
    Source: patchmode's own journal.
    """,
)
"""Of machines for which the run's journal knows no change that was made or may have been made."""

RULES = (MOVED_SINCE_RUN, MACHINE_REPLACED, CANNOT_BE_RESTORED, WOULD_AUTOPATCH, NOT_CHANGED_BY_RUN)
