"""Rollback after apply gives what stood there before, or says why not, whatever the service does with the block."""

from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st
from tests.properties.strategies import Planned, planned_changes
from tests.unit.rules.builders import Leaving, Merging, RefusedError, machine_from, served

from patchmode.model.left_alone import Skipped
from patchmode.model.patch_settings import Orchestration, PatchSettings, orchestration_of
from patchmode.model.plan import Change, Unchanged
from patchmode.rules.settings.patch import settings_in
from patchmode.rules.settings.rollback import plan_rollback_of
from patchmode.rules.settings.verification import differences

_leaving = st.sampled_from(("clear", "keep", "refuse"))
_merging = st.sampled_from(("deep", "shallow"))


def _served(change: Change, leaving: Leaving, merging: Merging) -> dict[str, Any]:
    try:
        return served(change.document, change.body, leaving=leaving, merging=merging)
    except RefusedError:
        return dict(change.document)


def _plain(settings: Any) -> dict[str, Any]:
    """What the settings mean: enumerations in lower case, false as absence, the mode's own settings in the mode."""
    known = PatchSettings.from_document(settings) or PatchSettings()
    in_mode = (known.patch_mode or "").lower() == "automaticbyplatform"
    members = {
        "mode": known.patch_mode and known.patch_mode.lower(),
        "assessment": known.assessment_mode and known.assessment_mode.lower(),
        "bypass": bool(known.bypass) if in_mode else None,
        "reboot": known.reboot_setting if in_mode else None,
        "hotpatch": bool(known.hotpatch),
    }
    return {key: value for key, value in members.items() if value is not None}


@given(planned_changes(), _leaving, _merging)
def test_rollback_restores_or_says_why_not(planned: Planned, leaving: Leaving, merging: Merging) -> None:
    """The property that the whole journal exists for."""
    change = planned.change
    after = machine_from(_served(change, leaving, merging))
    undone = plan_rollback_of(change, after, allow_azure_managed=True)
    match undone:
        case Change():
            back = _served(undone, leaving, merging)
            if back != undone.document:
                assert differences(undone, back) == ()
                assert _plain(settings_in(back, change.os)) == _plain(change.before)
        case Unchanged():
            assert _plain(settings_in(after.document or {}, change.os)) == _plain(change.before)
        case Skipped():
            assert undone.reason
            assert undone.rule in {"cannot-be-restored", "provisioning-in-progress"}


@given(planned_changes(), _leaving, _merging)
def test_what_the_plan_calls_reversible_can_be_undone(planned: Planned, leaving: Leaving, merging: Merging) -> None:
    """The promise made before the change is kept after it, and the refusal too."""
    change = planned.change
    after = machine_from(_served(change, leaving, merging))
    undone = plan_rollback_of(change, after, allow_azure_managed=True)
    applied = after.document != change.document
    if change.reversible:
        assert not isinstance(undone, Skipped)
    elif applied:
        assert isinstance(undone, Skipped | Unchanged)


@given(planned_changes(), _leaving, _merging)
def test_rollback_never_hands_a_machine_to_azure_unasked(planned: Planned, leaving: Leaving, merging: Merging) -> None:
    """Rollback is not symmetric: back to Azure Managed means unannounced reboots."""
    change = planned.change
    after = machine_from(_served(change, leaving, merging))
    undone = plan_rollback_of(change, after, allow_azure_managed=False)
    if isinstance(undone, Change):
        target = orchestration_of(PatchSettings.from_document(undone.after))
        assert target is not Orchestration.AZURE_MANAGED or after.orchestration is Orchestration.AZURE_MANAGED


@given(planned_changes())
def test_a_change_that_never_happened_needs_no_rollback(planned: Planned) -> None:
    """A failed or unsent change leaves the machine as it was."""
    change = planned.change
    undone = plan_rollback_of(change, machine_from(change.document), allow_azure_managed=False)
    assert isinstance(undone, Unchanged)


@given(planned_changes(), st.sampled_from(("Manual", "AutomaticByOS", "ImageDefault", "Elsewhere")))
def test_a_machine_changed_since_is_left_alone(planned: Planned, mode: str) -> None:
    """Rollback must not overwrite what somebody set after the run."""
    change = planned.change
    after = served(change.document, change.body)
    settings = after["properties"]["osProfile"][change.os.configuration]["patchSettings"]
    assume(settings.get("patchMode", "").lower() != mode.lower())
    assume((change.before or {}).get("patchMode") != mode)
    settings["patchMode"] = mode
    undone = plan_rollback_of(change, machine_from(after), allow_azure_managed=True)
    assert isinstance(undone, Skipped)
    if undone.rule == "moved-since-run":
        assert f'patchMode is "{mode}"' in undone.reason
