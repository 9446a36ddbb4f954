"""What Azure refuses of patch settings, word for word, and both answers of every switch that touches them."""

from typing import Any

import pytest
from tests.emulator.compute.caller import APPLIANCE, PATH, TARGET, Caller, machine, patch_body, settings_of, specialised

PLATFORM: dict[str, Any] = {
    "patchMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True, "rebootSetting": "Never"},
    "assessmentMode": "ImageDefault",
}
NEEDS_MODE = "AutomaticByPlatformSettings cannot be set if the PatchMode is not 'AutomaticByPlatform'."
UNSUPPORTED = "The selected VM image is not supported for VM Guest patch operations."
HOTPATCH = (
    "Hotpatch updates require platform safety checks. The 'BypassPlatformSafetyChecksOnUserSchedule' flag must "
    "be set to false to enable hotpatching."
)


def _coupled(mode: str, name: str, value: str) -> str:
    return f"The patchMode '{mode}' is invalid. For patchMode '{mode}', the property '{name}' must be set to {value}."


def test_the_target_state_is_accepted_with_the_new_values_at_once() -> None:
    """The one PATCH that this whole project is about."""
    caller = Caller.of(machine(etag=3))
    answer = caller.patch(PATH, patch_body(**TARGET))
    assert answer.status == 200
    assert answer.headers["etag"] == '"4"'
    assert answer.body["properties"]["provisioningState"] == "Updating"
    assert settings_of(answer.body) == {
        "patchMode": "AutomaticByPlatform",
        "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
        "assessmentMode": "ImageDefault",
    }


REFUSED = [
    pytest.param(
        machine(settings=PLATFORM), patch_body(patchMode="Manual", bypass=False), 400, "InvalidParameter", NEEDS_MODE,
        id="block-with-another-mode",
    ),
    pytest.param(
        machine(), patch_body(bypass=True), 400, "InvalidParameter", NEEDS_MODE, id="bypass-alone"
    ),
    pytest.param(
        machine(settings=PLATFORM, block={"enableAutomaticUpdates": False}), patch_body(patchMode="AutomaticByOS"), 400,
        "InvalidParameter", _coupled("AutomaticByOS", "enableAutomaticUpdates", "true"), id="by-os-without-updates",
    ),
    pytest.param(
        machine(), patch_body(patchMode="Manual"), 400, "InvalidParameter",
        _coupled("Manual", "enableAutomaticUpdates", "false"), id="manual-with-updates",
    ),
    pytest.param(
        machine(system="Linux"), patch_body("Linux", patchMode="Manual"), 400, "InvalidParameter",
        "The value of parameter linuxConfiguration.patchSettings.patchMode is invalid.", id="manual-on-linux",
    ),
    pytest.param(
        machine(), patch_body(patchMode="ImageDefault"), 400, "InvalidParameter",
        "The value of parameter windowsConfiguration.patchSettings.patchMode is invalid.",
        id="image-default-on-windows",
    ),
    pytest.param(
        machine(), patch_body("Linux", patchMode="ImageDefault"), 400, "InvalidParameter",
        "Parameter 'linuxConfiguration' is not allowed.", id="linux-block-on-windows",
    ),
    pytest.param(
        machine(), patch_body(patchMode="AutomaticByPlatform", reboot="Sometimes"), 400, "InvalidParameter",
        "The value of parameter windowsConfiguration.patchSettings.automaticByPlatformSettings.rebootSetting is"
        " invalid.",
        id="unknown-reboot-setting",
    ),
    pytest.param(
        machine(image=APPLIANCE), patch_body(patchMode="AutomaticByPlatform"), 400, "InvalidParameter", UNSUPPORTED,
        id="unlisted-image-with-the-mode-alone",
    ),
    pytest.param(
        machine(image={"id": "/galleries/g"}), patch_body(patchMode="AutomaticByPlatform"), 400, "InvalidParameter",
        UNSUPPORTED, id="custom-image-with-the-mode-alone",
    ),
    pytest.param(
        machine(image=APPLIANCE), patch_body(assessmentMode="AutomaticByPlatform"), 400, "InvalidParameter",
        UNSUPPORTED, id="assessment-of-an-appliance",
    ),
    pytest.param(
        machine(), {"properties": {"osProfile": {"windowsConfiguration": {"enableAutomaticUpdates": False}}}}, 409,
        "PropertyChangeNotAllowed", "Changing property 'windowsConfiguration.enableAutomaticUpdates' is not allowed.",
        id="automatic-updates-changed",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("document", "body", "status", "code", "message"), REFUSED)
def test_a_refusal_has_the_services_words_and_changes_nothing(
    document: dict[str, Any], body: dict[str, Any], status: int, code: str, message: str
) -> None:
    """A tool decides on these words; a write that was refused must not leave a trace."""
    caller = Caller.of(document)
    before = caller.get(PATH).body
    answer = caller.patch(PATH, body)
    assert (answer.status, answer.code, answer.message) == (status, code, message)
    assert caller.get(PATH).body == before


HOTPATCHED = machine(settings={**PLATFORM, "automaticByPlatformSettings": {}, "enableHotpatching": True})
WITHOUT_AGENT = machine(block={"provisionVMAgent": False})
WITHOUT_UPDATES = machine(settings={"patchMode": "Manual"}, block={"enableAutomaticUpdates": False})
RESENT = {"properties": {"osProfile": {"windowsConfiguration": {"enableAutomaticUpdates": True}}}}
SWITCHED = [
    ("hotpatch_with_bypass_on_update", "accepted", "refused", HOTPATCHED, patch_body(**TARGET), 400, HOTPATCH),
    (
        "hotpatch_outside_automatic_by_platform", "accepted", "refused", HOTPATCHED,
        patch_body(patchMode="AutomaticByOS"),
        400, _coupled("AutomaticByOS", "enableHotpatching", "false"),
    ),
    (
        "agentless_automatic_by_platform", "accepted", "refused", WITHOUT_AGENT, patch_body(**TARGET),
        400, _coupled("AutomaticByPlatform", "provisionVMAgent", "true"),
    ),
    (
        "automatic_by_platform_without_automatic_updates", "accepted", "refused", WITHOUT_UPDATES, patch_body(**TARGET),
        400, _coupled("AutomaticByPlatform", "enableAutomaticUpdates", "true"),
    ),
    (
        "resent_automatic_updates", "accepted", "refused", machine(), RESENT,
        409, "Changing property 'windowsConfiguration.enableAutomaticUpdates' is not allowed.",
    ),
    (
        "image_check_with_bypass", "skipped", "refused", machine(image=APPLIANCE), patch_body(**TARGET),
        400, UNSUPPORTED,
    ),
    (
        "platform_settings_outside_mode", "accepted", "refused", machine(), patch_body(bypass=True), 400, NEEDS_MODE,
    ),
    (
        "leaving_automatic_by_platform", "cleared", "refused", machine(settings=PLATFORM),
        patch_body(patchMode="AutomaticByOS"), 400, NEEDS_MODE,
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("switch", "lenient", "strict", "document", "body", "status", "message"),
    SWITCHED,
    ids=lambda value: str(value)[:40],
)
def test_a_switch_answers_both_ways(
    switch: str,
    lenient: str,
    strict: str,
    document: dict[str, Any],
    body: dict[str, Any],
    status: int,
    message: str,
) -> None:
    """What no source settles must be rehearsed with either answer."""
    assert Caller.of(document, **{switch: lenient}).patch(PATH, body).status == 200
    refused = Caller.of(document, **{switch: strict}).patch(PATH, body)
    assert (refused.status, refused.message) == (status, message)


@pytest.mark.parametrize(("answer", "is_there"), [("cleared", False), ("kept", True)])
def test_leaving_automatic_by_platform_clears_or_keeps_the_block(answer: str, is_there: bool) -> None:
    """A rollback meets either."""
    caller = Caller.of(machine(settings=PLATFORM), leaving_automatic_by_platform=answer)
    body = caller.patch(PATH, patch_body(patchMode="AutomaticByOS")).body
    assert settings_of(body)["patchMode"] == "AutomaticByOS"
    assert ("automaticByPlatformSettings" in settings_of(body)) is is_there


@pytest.mark.parametrize(("answer", "reboot"), [("deep", "Never"), ("shallow", None)])
def test_a_patch_of_bypass_keeps_or_loses_the_reboot_setting(answer: str, reboot: str | None) -> None:
    """The reason for sending rebootSetting again next to bypass."""
    caller = Caller.of(machine(settings=PLATFORM), platform_settings_merge=answer)
    block = settings_of(caller.patch(PATH, patch_body(bypass=False)).body)["automaticByPlatformSettings"]
    assert block.get("rebootSetting") == reboot
    assert block["bypassPlatformSafetyChecksOnUserSchedule"] is False


@pytest.mark.parametrize(("answer", "mode"), [("normalised", "AutomaticByPlatform"), ("kept", "automaticbyplatform")])
def test_a_mode_in_another_casing_is_spelled_right_or_kept(answer: str, mode: str) -> None:
    """Enum values are compared in any casing; how they come back is not known."""
    caller = Caller.of(machine(), enum_casing=answer)
    body = caller.patch(PATH, patch_body(patchMode="automaticbyplatform", bypass=True)).body
    assert settings_of(body)["patchMode"] == mode


def test_a_flag_sent_as_text_is_stored_as_a_boolean() -> None:
    """Recorded: booleans sent as strings are accepted and normalised."""
    caller = Caller.of(machine())
    block = settings_of(caller.patch(PATH, patch_body(patchMode="AutomaticByPlatform", bypass="True")).body)
    assert block["automaticByPlatformSettings"] == {"bypassPlatformSafetyChecksOnUserSchedule": True}


def test_an_empty_block_is_stored_as_it_was_sent() -> None:
    """An old az sends it: the flag is lost without a word, and the emulator must not hide that."""
    caller = Caller.of(machine())
    body = patch_body(patchMode="AutomaticByPlatform", automaticByPlatformSettings={})
    assert settings_of(caller.patch(PATH, body).body)["automaticByPlatformSettings"] == {}


class TestSpecialisedMachines:
    """Machines without osProfile take one that holds patch settings alone, and nothing else."""

    def test_patch_settings_alone_make_an_os_profile(self) -> None:
        caller = Caller.of(specialised())
        answer = caller.patch(PATH, patch_body("Linux", **TARGET))
        assert answer.status == 200
        assert answer.body["properties"]["osProfile"] == {
            "linuxConfiguration": {
                "patchSettings": {
                    "patchMode": "AutomaticByPlatform",
                    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
                }
            }
        }

    def test_it_can_be_set_again(self) -> None:
        caller = Caller.of(specialised())
        caller.patch(PATH, patch_body("Linux", **TARGET))
        caller.finish()
        assert caller.patch(PATH, patch_body("Linux", assessmentMode="AutomaticByPlatform")).status == 200

    def test_an_older_version_is_refused(self) -> None:
        answer = Caller.of(specialised()).patch(PATH, patch_body("Linux", **TARGET), version="2023-03-01")
        assert (answer.status, answer.code) == (409, "PropertyChangeNotAllowed")
        assert answer.message == "Changing property 'osProfile' is not allowed."
        assert answer.body["error"]["target"] == "osProfile"

    @pytest.mark.parametrize(
        ("switch", "status", "message"),
        [
            ("property-change", 409, "Changing property 'osProfile' is not allowed."),
            ("invalid-parameter", 400, "Parameter 'osProfile' is not allowed."),
        ],
    )
    def test_a_computer_name_is_refused(self, switch: str, status: int, message: str) -> None:
        body = patch_body("Linux", **TARGET)
        body["properties"]["osProfile"]["computerName"] = "vm1"
        answer = Caller.of(specialised(), specialised_os_profile_error=switch).patch(PATH, body)
        assert (answer.status, answer.message) == (status, message)

    def test_the_switch_refuses_patch_settings_alone(self) -> None:
        caller = Caller.of(specialised(), specialised_patch_settings="refused")
        assert caller.patch(PATH, patch_body("Linux", **TARGET)).status == 409
