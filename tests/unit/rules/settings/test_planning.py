"""The plan of one machine, example by example, with the request written out."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.rules.builders import arc_document, machine_from, vm

from patchmode.model.left_alone import Skipped
from patchmode.model.outcome import OutcomeKind
from patchmode.model.patch_settings import Orchestration, PatchSettings, RebootSetting, WantedSettings
from patchmode.model.plan import Change, Unchanged
from patchmode.rules.settings.planning import body_for, plan_machine

CMS = Orchestration.CUSTOMER_MANAGED_SCHEDULES
AZURE = Orchestration.AZURE_MANAGED
TO_CMS = WantedSettings(CMS)
TO_AZURE = WantedSettings(AZURE)
PAIR = {
    "patchMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
}
BY_OS = {"patchMode": "AutomaticByOS", "assessmentMode": "ImageDefault"}
IMAGE_DEFAULT = {"patchMode": "ImageDefault", "assessmentMode": "ImageDefault"}


def bypass(value: bool, **more: str) -> dict[str, Any]:
    """An automaticByPlatformSettings object."""
    return {"bypassPlatformSafetyChecksOnUserSchedule": value, **more}


def windows_body(settings: dict[str, Any]) -> dict[str, Any]:
    """A request body for Windows."""
    return {"properties": {"osProfile": {"windowsConfiguration": {"patchSettings": settings}}}}


def changed(machine: Any, wanted: WantedSettings) -> Change:
    """The change that the plan makes."""
    planned = plan_machine(machine, wanted)
    assert isinstance(planned, Change), planned
    return planned


def test_windows_default_to_customer_managed_schedules() -> None:
    """The seed of the whole project."""
    machine = vm("Windows", BY_OS)
    change = changed(machine, TO_CMS)
    assert change.body == windows_body(PAIR)
    assert change.before == BY_OS
    assert change.after == {**BY_OS, **PAIR}
    assert change.document is machine.document
    assert (change.etag, change.location, change.kind) == ('"2"', "westeurope", machine.kind)
    assert change.outcome_before.kind is OutcomeKind.GUEST_MANAGED
    assert change.outcome_after.kind is OutcomeKind.UNKNOWN
    assert (change.reversible, change.irreversible_because, change.tolerated) == (True, None, ())


def test_linux_default_to_customer_managed_schedules() -> None:
    """Linux has its own configuration and nothing else is different."""
    change = changed(vm("Linux", IMAGE_DEFAULT), TO_CMS)
    assert change.body == {"properties": {"osProfile": {"linuxConfiguration": {"patchSettings": PAIR}}}}
    assert change.reversible


STEPS: list[tuple[str, dict[str, Any] | None, WantedSettings, dict[str, Any]]] = [
    (
        "only bypass is missing, and the mode goes with it",
        {"patchMode": "AutomaticByPlatform"},
        TO_CMS,
        PAIR,
    ),
    (
        "the mode is right in other casing",
        {"patchMode": "automaticbyplatform", "automaticByPlatformSettings": bypass(False)},
        TO_CMS,
        PAIR,
    ),
    (
        "a kept bypass outside the mode does not save the mode",
        {"patchMode": "Manual", "automaticByPlatformSettings": bypass(True)},
        TO_CMS,
        PAIR,
    ),
    (
        "an existing reboot setting is sent again",
        {"patchMode": "AutomaticByPlatform", "automaticByPlatformSettings": bypass(False, rebootSetting="Never")},
        TO_CMS,
        {"patchMode": "AutomaticByPlatform", "automaticByPlatformSettings": bypass(True, rebootSetting="Never")},
    ),
    (
        "azure managed states its false",
        BY_OS,
        TO_AZURE,
        {"patchMode": "AutomaticByPlatform", "automaticByPlatformSettings": bypass(False)},
    ),
    (
        "back from schedules to azure managed",
        {"patchMode": "AutomaticByPlatform", "automaticByPlatformSettings": bypass(True)},
        TO_AZURE,
        {"patchMode": "AutomaticByPlatform", "automaticByPlatformSettings": bypass(False)},
    ),
    (
        "leaving the platform is the mode alone",
        {"patchMode": "AutomaticByPlatform", "automaticByPlatformSettings": bypass(True, rebootSetting="Never")},
        WantedSettings(Orchestration.AUTOMATIC_BY_OS),
        {"patchMode": "AutomaticByOS"},
    ),
    (
        "assessment alone",
        BY_OS,
        WantedSettings(periodic_assessment=True),
        {"assessmentMode": "AutomaticByPlatform"},
    ),
    (
        "assessment off",
        {**BY_OS, "assessmentMode": "AutomaticByPlatform"},
        WantedSettings(periodic_assessment=False),
        {"assessmentMode": "ImageDefault"},
    ),
    (
        "a reboot setting takes mode and the standing bypass with it",
        {"patchMode": "AutomaticByPlatform", "automaticByPlatformSettings": bypass(True, rebootSetting="Never")},
        WantedSettings(reboot=RebootSetting.IF_REQUIRED),
        {"patchMode": "AutomaticByPlatform", "automaticByPlatformSettings": bypass(True, rebootSetting="IfRequired")},
    ),
    (
        "everything at once",
        BY_OS,
        WantedSettings(CMS, periodic_assessment=True, reboot=RebootSetting.ALWAYS),
        {
            "patchMode": "AutomaticByPlatform",
            "automaticByPlatformSettings": bypass(True, rebootSetting="Always"),
            "assessmentMode": "AutomaticByPlatform",
        },
    ),
    (
        "hotpatching goes off in the same request",
        {"patchMode": "AutomaticByPlatform", "automaticByPlatformSettings": bypass(False), "enableHotpatching": True},
        WantedSettings(CMS, hotpatch_off=True),
        {**PAIR, "enableHotpatching": False},
    ),
    (
        "hotpatching off alone",
        {"patchMode": "AutomaticByPlatform", "enableHotpatching": True},
        WantedSettings(hotpatch_off=True),
        {"enableHotpatching": False},
    ),
]


@pytest.mark.parametrize(("before", "wanted", "sent"), [step[1:] for step in STEPS], ids=[step[0] for step in STEPS])
def test_the_smallest_request(before: dict[str, Any], wanted: WantedSettings, sent: dict[str, Any]) -> None:
    """What is sent is exactly this."""
    updates = before.get("patchMode") != "Manual"
    machine = vm("Windows", before, automatic_updates=updates)
    assert changed(machine, wanted).body == windows_body(sent)
    assert body_for(machine, wanted) == windows_body(sent)


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        ({"patchMode": "automaticByPLATFORM", "automaticByPlatformSettings": bypass(True)}, TO_CMS),
        ({"patchMode": "AutomaticByPlatform"}, TO_AZURE),
        ({"patchMode": "AutomaticByPlatform", "automaticByPlatformSettings": None}, TO_AZURE),
        ({"patchMode": "AutomaticByPlatform", "automaticByPlatformSettings": bypass(False)}, TO_AZURE),
        (BY_OS, WantedSettings(Orchestration.AUTOMATIC_BY_OS, periodic_assessment=False, hotpatch_off=True)),
        (BY_OS, WantedSettings()),
        (None, WantedSettings()),
    ],
)
def test_a_machine_that_is_right_is_not_written_to(before: dict[str, Any] | None, wanted: WantedSettings) -> None:
    """Enumerations ignore case; an absent bypass is false."""
    machine = vm("Windows", before)
    assert isinstance(plan_machine(machine, wanted), Unchanged)
    assert body_for(machine, wanted) is None


def test_a_locked_machine_that_is_right_is_unchanged() -> None:
    """What stands against a change matters only where there is one."""
    machine = vm("Windows", BY_OS, provisioning_state="Updating")
    assert isinstance(plan_machine(machine, WantedSettings(Orchestration.AUTOMATIC_BY_OS)), Unchanged)
    skipped = plan_machine(machine, TO_CMS)
    assert isinstance(skipped, Skipped)
    assert (skipped.rule, skipped.fix) == ("provisioning-in-progress", "Plan again when the operation has ended.")
    assert skipped.outcome is not None
    assert skipped.outcome.kind is OutcomeKind.GUEST_MANAGED


def test_a_machine_without_os_profile_gets_one_with_the_patch_settings_alone() -> None:
    """Never silently called compliant, and the plan says that there is no way back."""
    change = changed(vm("Windows", os_profile=False), TO_CMS)
    assert change.body == windows_body(PAIR)
    assert change.before is None
    assert change.after == PAIR
    assert (
        change.irreversible_because == "The model has no patchSettings before, and a PATCH cannot take them away again."
    )


def test_an_arc_server_takes_periodic_assessment_only() -> None:
    """Any orchestration is skipped there, also together with an assessment."""
    machine = machine_from(arc_document("Linux"))
    change = changed(machine, WantedSettings(periodic_assessment=True))
    assert change.body == {
        "properties": {
            "osProfile": {"linuxConfiguration": {"patchSettings": {"assessmentMode": "AutomaticByPlatform"}}}
        }
    }
    for wanted in (
        TO_CMS,
        WantedSettings(CMS, periodic_assessment=True),
        WantedSettings(reboot=RebootSetting.NEVER),
        WantedSettings(hotpatch_off=True),
    ):
        skipped = plan_machine(machine, wanted)
        assert isinstance(skipped, Skipped)
        assert skipped.rule == "arc-no-orchestration"


@pytest.mark.parametrize(
    ("system", "before", "updates", "wanted", "rule"),
    [
        ("Linux", IMAGE_DEFAULT, None, WantedSettings(Orchestration.MANUAL), "mode-os-mismatch"),
        ("Linux", IMAGE_DEFAULT, None, WantedSettings(Orchestration.AUTOMATIC_BY_OS), "mode-os-mismatch"),
        ("Windows", BY_OS, True, WantedSettings(Orchestration.IMAGE_DEFAULT), "mode-os-mismatch"),
        ("Windows", BY_OS, True, WantedSettings(Orchestration.MANUAL), "automatic-by-os-manual"),
        (
            "Windows",
            {"patchMode": "Manual"},
            False,
            WantedSettings(Orchestration.AUTOMATIC_BY_OS),
            "automatic-by-os-manual",
        ),
        ("Windows", PAIR, True, WantedSettings(Orchestration.MANUAL), "automatic-updates-fixed"),
        ("Windows", PAIR, False, WantedSettings(Orchestration.AUTOMATIC_BY_OS), "automatic-updates-fixed"),
        ("Windows", PAIR, None, WantedSettings(Orchestration.AUTOMATIC_BY_OS), "automatic-updates-fixed"),
        ("Windows", BY_OS, True, WantedSettings(reboot=RebootSetting.NEVER), "reboot-needs-platform-mode"),
        (
            "Windows",
            PAIR,
            True,
            WantedSettings(Orchestration.AUTOMATIC_BY_OS, reboot=RebootSetting.NEVER),
            "reboot-needs-platform-mode",
        ),
    ],
)
def test_what_the_platform_does_not_allow_is_skipped_by_rule(
    system: str, before: dict[str, Any], updates: bool | None, wanted: WantedSettings, rule: str
) -> None:
    """A plan never holds a request that the service is known to refuse."""
    skipped = plan_machine(vm(system, before, automatic_updates=updates), wanted)
    assert isinstance(skipped, Skipped)
    assert skipped.rule == rule


def test_hotpatching_is_never_turned_off_unasked() -> None:
    """It excludes bypass, and the user has to choose."""
    before = {"patchMode": "AutomaticByPlatform", "enableHotpatching": True}
    for orchestration in (CMS, Orchestration.AUTOMATIC_BY_OS):
        skipped = plan_machine(vm("Windows", before), WantedSettings(orchestration))
        assert isinstance(skipped, Skipped)
        assert skipped.rule == "hotpatch-on"
    assert changed(vm("Windows", before), WantedSettings(Orchestration.AUTOMATIC_BY_OS, hotpatch_off=True)).body == (
        windows_body({"patchMode": "AutomaticByOS", "enableHotpatching": False})
    )


TOLERATED: list[tuple[dict[str, Any], WantedSettings, tuple[str, ...]]] = [
    (PAIR, WantedSettings(Orchestration.AUTOMATIC_BY_OS), ("automaticByPlatformSettings",)),
    ({"patchMode": "AutomaticByPlatform"}, WantedSettings(Orchestration.AUTOMATIC_BY_OS), ()),
    (PAIR, TO_AZURE, ("automaticByPlatformSettings.bypassPlatformSafetyChecksOnUserSchedule",)),
    (
        {"patchMode": "AutomaticByPlatform", "enableHotpatching": True},
        WantedSettings(CMS, hotpatch_off=True),
        ("enableHotpatching",),
    ),
    (BY_OS, TO_CMS, ()),
]


@pytest.mark.parametrize(("before", "wanted", "tolerated"), TOLERATED)
def test_what_is_unconfirmed_is_named_in_the_plan(
    before: dict[str, Any], wanted: WantedSettings, tolerated: tuple[str, ...]
) -> None:
    """Whether the service clears or keeps is a question that the plan leaves open in writing."""
    assert changed(vm("Windows", before), wanted).tolerated == tolerated


def _no_way_back(mode: str, needed: str, stated: str) -> str:
    return (
        f"The mode cannot return to {mode}: {mode} needs enableAutomaticUpdates {needed}, which {stated} on this "
        "machine and cannot be changed after its creation."
    )


IRREVERSIBLE: list[tuple[dict[str, Any], bool | None, WantedSettings, str]] = [
    (
        {"assessmentMode": "ImageDefault"},
        True,
        TO_CMS,
        "The model states no patch mode before, and a PATCH cannot take one away again.",
    ),
    (
        {"patchMode": "AutomaticByFuture"},
        True,
        TO_CMS,
        "The patch mode 'AutomaticByFuture' is unknown to this version, which therefore never sends it.",
    ),
    (
        {"patchMode": "AutomaticByOS"},
        False,
        TO_CMS,
        _no_way_back("AutomaticByOS", "true", "is false"),
    ),
    (
        {"patchMode": "Manual"},
        None,
        TO_CMS,
        _no_way_back("Manual", "false", "is not stated"),
    ),
    (
        {"patchMode": "AutomaticByOS"},
        True,
        WantedSettings(periodic_assessment=True),
        "The model states no assessment mode before, and a PATCH cannot take one away again.",
    ),
    (
        PAIR,
        True,
        WantedSettings(reboot=RebootSetting.NEVER),
        "The model states no reboot setting before, and a PATCH cannot take one away again.",
    ),
]


@pytest.mark.parametrize(("before", "updates", "wanted", "because"), IRREVERSIBLE)
def test_what_cannot_be_undone_is_said_before(
    before: dict[str, Any], updates: bool | None, wanted: WantedSettings, because: str
) -> None:
    """In one sentence, in the plan."""
    change = changed(vm("Windows", before, automatic_updates=updates), wanted)
    assert (change.reversible, change.irreversible_because) == (False, because)


def test_a_reboot_setting_on_the_way_into_the_platform_can_be_undone() -> None:
    """Outside AutomaticByPlatform it means nothing, so nothing has to be taken away."""
    assert changed(vm("Windows", BY_OS), WantedSettings(CMS, reboot=RebootSetting.NEVER)).reversible


def test_a_graph_row_is_not_enough_to_plan_on() -> None:
    """Resource Graph lags behind; the precondition must come from the provider."""
    with pytest.raises(ValueError, match="was not read from its provider"):
        plan_machine(replace(vm("Windows", BY_OS), document=None), TO_CMS)


def test_an_unknown_system_has_no_body() -> None:
    """There is no configuration to write to."""
    machine = vm("Windows", BY_OS, os=None)
    with pytest.raises(ValueError, match=r"operating system of .* is not known"):
        body_for(machine, TO_CMS)
    skipped = plan_machine(machine, TO_CMS)
    assert isinstance(skipped, Skipped)
    assert skipped.rule == "unknown-os"


@pytest.mark.parametrize("orchestration", [Orchestration.NOT_SET, Orchestration.NOT_APPLICABLE])
def test_what_describes_a_machine_cannot_be_asked_for(orchestration: Orchestration) -> None:
    """A wrong call, not a wrong machine."""
    with pytest.raises(ValueError, match="describes a machine"):
        plan_machine(vm("Windows", BY_OS), WantedSettings(orchestration))


def test_documents_that_are_not_objects_where_expected_count_as_absent() -> None:
    """A null parent is as good as none."""
    machine = vm("Windows", None)
    document: Any = machine.document
    document["properties"]["osProfile"]["windowsConfiguration"] = None
    assert changed(machine, TO_CMS).after == PAIR
    assert PatchSettings.from_document(None) is None
