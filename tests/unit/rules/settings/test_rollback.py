"""Undoing one recorded change, example by example."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.rules.builders import machine_from, served, vm

from patchmode.model.left_alone import Skipped
from patchmode.model.machine import Lock, Machine, Surroundings
from patchmode.model.patch_settings import Orchestration, RebootSetting, WantedSettings
from patchmode.model.plan import Change, Unchanged
from patchmode.model.resource_id import ResourceId
from patchmode.rules.settings.planning import plan_machine
from patchmode.rules.settings.rollback import plan_rollback_of

TO_CMS = WantedSettings(Orchestration.CUSTOMER_MANAGED_SCHEDULES)
BY_OS = {"patchMode": "AutomaticByOS", "assessmentMode": "ImageDefault"}
AZURE_MANAGED = {"patchMode": "AutomaticByPlatform", "assessmentMode": "ImageDefault"}
BYPASS = "bypassPlatformSafetyChecksOnUserSchedule"


def made(machine: Machine, wanted: WantedSettings = TO_CMS) -> Change:
    """The recorded change."""
    planned = plan_machine(machine, wanted)
    assert isinstance(planned, Change), planned
    return planned


def after(change: Change, **changes: Any) -> Machine:
    """The machine after the change."""
    return machine_from(served(change.document, change.body), **changes)


def sent(change: Any) -> Any:
    """The patchSettings of a change's body."""
    assert isinstance(change, Change), change
    return change.body["properties"]["osProfile"][change.os.configuration]["patchSettings"]


def skipped_by(result: Any) -> str:
    """The rule of a skipped machine."""
    assert isinstance(result, Skipped), result
    assert result.fix
    return result.rule


def test_back_to_windows_updates_is_the_mode_alone() -> None:
    """Leaving AutomaticByPlatform; whether the block goes or stays is the service's business."""
    change = made(vm("Windows", BY_OS))
    undone = plan_rollback_of(change, after(change), allow_azure_managed=False)
    assert sent(undone) == {"patchMode": "AutomaticByOS"}
    assert isinstance(undone, Change)
    assert undone.etag == '"3"'
    assert undone.tolerated == ("automaticByPlatformSettings",)
    assert undone.before == change.after


def test_back_to_azure_managed_must_be_allowed_by_name() -> None:
    """Rollback is not symmetric: it would let Azure reboot the machine unannounced."""
    change = made(vm("Windows", AZURE_MANAGED))
    observed = after(change)
    assert skipped_by(plan_rollback_of(change, observed, allow_azure_managed=False)) == "would-autopatch"
    assert sent(plan_rollback_of(change, observed, allow_azure_managed=True)) == {
        "patchMode": "AutomaticByPlatform",
        "automaticByPlatformSettings": {BYPASS: False},
    }


@pytest.mark.parametrize("system", ["Windows", "Linux"])
@pytest.mark.parametrize("bypass", [None, False], ids=str)
@pytest.mark.parametrize("mode", ["AutomaticByPlatform", "automaticbyplatform", "AutomaticByOS", "ImageDefault"])
@pytest.mark.parametrize("wanted", [TO_CMS, WantedSettings(None, periodic_assessment=True)], ids=["to", "keep"])
def test_a_change_says_beforehand_whether_its_rollback_must_be_allowed(
    system: str, bypass: object, mode: str, wanted: WantedSettings
) -> None:
    """The plan's warning and the rollback's rule are one decision: neither may know more than the other."""
    settings = {"patchMode": mode, "assessmentMode": "ImageDefault"}
    if bypass is not None:
        settings["automaticByPlatformSettings"] = {BYPASS: bypass}
    change = made(vm(system, settings), wanted)
    undone = plan_rollback_of(change, after(change), allow_azure_managed=False)
    needs_leave = isinstance(undone, Skipped) and undone.rule == "would-autopatch"
    assert change.ends_azure_managed is needs_leave or not change.reversible


def test_hotpatching_comes_back_with_bypass_off() -> None:
    """The service accepts it only so, hence in one request."""
    change = made(vm("Windows", {**AZURE_MANAGED, "enableHotpatching": True}), replace(TO_CMS, hotpatch_off=True))
    assert sent(plan_rollback_of(change, after(change), allow_azure_managed=True)) == {
        "patchMode": "AutomaticByPlatform",
        "automaticByPlatformSettings": {BYPASS: False},
        "enableHotpatching": True,
    }


def test_back_into_schedules_restores_the_reboot_setting() -> None:
    """Undoing a departure from the platform restores bypass and reboot setting, kept or cleared."""
    settings = {
        "patchMode": "AutomaticByPlatform",
        "automaticByPlatformSettings": {BYPASS: True, "rebootSetting": "Never"},
    }
    change = made(vm("Windows", settings), WantedSettings(Orchestration.AUTOMATIC_BY_OS))
    cleared = machine_from(served(change.document, change.body, leaving="clear"))
    for observed in (after(change), cleared):
        assert sent(plan_rollback_of(change, observed, allow_azure_managed=False)) == settings


@pytest.mark.parametrize(
    ("before", "wanted", "restored"),
    [
        (
            {
                "patchMode": "AutomaticByPlatform",
                "automaticByPlatformSettings": {BYPASS: True, "rebootSetting": "Never"},
            },
            WantedSettings(reboot=RebootSetting.ALWAYS),
            {
                "patchMode": "AutomaticByPlatform",
                "automaticByPlatformSettings": {BYPASS: True, "rebootSetting": "Never"},
            },
        ),
        (BY_OS, WantedSettings(periodic_assessment=True), {"assessmentMode": "ImageDefault"}),
    ],
)
def test_other_settings_come_back(before: dict[str, Any], wanted: WantedSettings, restored: dict[str, Any]) -> None:
    """Each with what must stand beside it."""
    change = made(vm("Windows", before), wanted)
    assert sent(plan_rollback_of(change, after(change), allow_azure_managed=False)) == restored


def test_a_change_that_never_arrived_needs_nothing() -> None:
    """Failed, unsent, or already undone."""
    change = made(vm("Windows", BY_OS))
    assert isinstance(plan_rollback_of(change, vm("Windows", BY_OS), allow_azure_managed=False), Unchanged)
    bare = made(vm("Windows", os_profile=False))
    assert isinstance(plan_rollback_of(bare, vm("Windows", os_profile=False), allow_azure_managed=False), Unchanged)


def test_as_before_ignores_case_and_what_false_and_absence_share() -> None:
    """The service may have normalised what it kept."""
    change = made(vm("Windows", AZURE_MANAGED))
    normal = {
        "patchMode": "automaticByPlatform",
        "assessmentMode": "imagedefault",
        "automaticByPlatformSettings": {BYPASS: False},
        "enableHotpatching": False,
    }
    assert isinstance(plan_rollback_of(change, vm("Windows", normal), allow_azure_managed=False), Unchanged)


def test_absence_cannot_be_restored() -> None:
    """No PATCH takes an osProfile away again; the plan had said so."""
    change = made(vm("Linux", os_profile=False))
    result = plan_rollback_of(change, after(change), allow_azure_managed=True)
    assert skipped_by(result) == "cannot-be-restored"
    assert isinstance(result, Skipped)
    assert result.reason == change.irreversible_because


def test_an_assessment_mode_that_was_absent_cannot_be_restored() -> None:
    """What the change sent decides, not only what stood there."""
    change = made(vm("Windows", {"patchMode": "AutomaticByOS"}), WantedSettings(periodic_assessment=True))
    assert skipped_by(plan_rollback_of(change, after(change), allow_azure_managed=True)) == "cannot-be-restored"


def test_a_machine_that_was_changed_since_is_named_with_the_field() -> None:
    """Somebody else's later decision stands."""
    change = made(vm("Windows", BY_OS))
    document = served(change.document, change.body)
    settings = document["properties"]["osProfile"]["windowsConfiguration"]["patchSettings"]
    settings["assessmentMode"] = "AutomaticByPlatform"
    settings["automaticByPlatformSettings"]["rebootSetting"] = "Never"
    result = plan_rollback_of(change, machine_from(document), allow_azure_managed=True)
    assert skipped_by(result) == "moved-since-run"
    assert isinstance(result, Skipped)
    assert result.reason == (
        'The machine was changed since the run: assessmentMode is "AutomaticByPlatform", '
        'automaticByPlatformSettings.rebootSetting is "Never".'
    )


@pytest.mark.parametrize("left", [{"rebootSetting": "Never"}, {BYPASS: False, "rebootSetting": "Never"}, {}, None])
def test_the_way_out_of_azures_own_patching_is_open(left: dict[str, Any] | None) -> None:
    """A policy took bypass, or the whole block, away: Azure restarts the machine when it chooses until then."""
    change = made(vm("Windows", BY_OS), replace(TO_CMS, reboot=RebootSetting.NEVER))
    document = served(change.document, change.body)
    settings = document["properties"]["osProfile"]["windowsConfiguration"]["patchSettings"]
    settings.pop("automaticByPlatformSettings")
    if left is not None:
        settings["automaticByPlatformSettings"] = left
    undone = plan_rollback_of(change, machine_from(document), allow_azure_managed=False)
    assert sent(undone) == {"patchMode": "AutomaticByOS"}


def test_bypass_that_went_from_a_machine_of_azures_own_is_still_a_change_since() -> None:
    """It was Azure's to patch before the run too, so nothing is urgent, and somebody's later decision stands."""
    change = made(vm("Windows", AZURE_MANAGED))
    document = served(change.document, change.body)
    settings = document["properties"]["osProfile"]["windowsConfiguration"]["patchSettings"]
    settings["automaticByPlatformSettings"] = {"rebootSetting": "Never"}
    result = plan_rollback_of(change, machine_from(document), allow_azure_managed=False)
    assert skipped_by(result) == "moved-since-run"


def test_settings_that_are_gone_have_moved() -> None:
    """Nothing stands there to be undone, and it is not as before either."""
    change = made(vm("Windows", BY_OS))
    assert skipped_by(plan_rollback_of(change, vm("Windows"), allow_azure_managed=True)) == "moved-since-run"


def test_another_machine_under_the_same_id_is_left_alone() -> None:
    """Its vmId tells."""
    change = made(vm("Windows", BY_OS))
    observed = after(change, vm_id="99999999-9999-9999-9999-999999999999")
    assert skipped_by(plan_rollback_of(change, observed, allow_azure_managed=True)) == "machine-replaced"
    nameless = after(change, vm_id=None)
    assert isinstance(plan_rollback_of(change, nameless, allow_azure_managed=False), Change)


def test_what_blocks_any_write_blocks_a_rollback() -> None:
    """A lock set since the run."""
    change = made(vm("Windows", BY_OS))
    lock = Lock("/subscriptions/x", "freeze", "ReadOnly")
    observed = after(change, surroundings=Surroundings(locks=(lock,)))
    assert skipped_by(plan_rollback_of(change, observed, allow_azure_managed=False)) == "read-only-lock"


def test_a_scale_set_member_that_a_run_changed_can_be_undone() -> None:
    """It was asked for by name once; leaving it half-way would be worse."""
    member = vm("Windows", BY_OS, scale_set_id="/x/set")
    change = made(member, replace(TO_CMS, include_scale_set_members=True))
    undone = plan_rollback_of(change, after(change, scale_set_id="/x/set"), allow_azure_managed=False)
    assert sent(undone) == {"patchMode": "AutomaticByOS"}


def test_the_plans_casing_of_the_id_stays() -> None:
    """A subscription's list shouts the resource group; people know it as the plan wrote it."""
    change = made(vm("Windows", BY_OS))
    observed = after(change)
    shouted = replace(observed, id=ResourceId.parse(str(observed.id).upper()))
    undone = plan_rollback_of(change, shouted, allow_azure_managed=False)
    assert isinstance(undone, Change)
    assert str(undone.id) == str(change.id)
